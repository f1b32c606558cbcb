//! What is on record of a drill.

use std::fs;

use serde_json::{Value, json};

use super::*;

#[test]
fn two_people_go_through_a_step_of_every_kind_and_it_is_on_record() {
    let demo = vault();
    run_through(&demo);
    let events = transcript(&demo, "every-kind-1");
    let steps = ["drill-step"; 8];
    let expected = [
        &["drill-finished"],
        &steps[..],
        &["evidence-kept"],
        &steps[..3],
        &["key-checked"; 3],
        &["totp-checked", "sign-in-proven", "mailbox-tested", "phone-tested"],
    ];
    assert_eq!(kinds(&events), expected.concat());
    let of = |step: &str| events.iter().find(|event| event["step"] == step).unwrap();
    assert_eq!(events[0]["alarm_received"], "not-applicable");
    assert_eq!(events[0]["credentials_renewed"], "no");
    assert_eq!(of("call")["result"], "failed");
    assert_eq!((&of("call")["person"], &of("call")["witness"]), (&"bob".into(), &"alice".into()));
    assert_eq!(of("call")["observed"], "A machine answered");
    assert_eq!(of("mail")["person"], "alice", "nobody else has that part");
    assert_eq!(of("password")["opened"], "prod-password.1");
    assert_eq!(of("write-it-down")["answers"][1], "No");
    assert_eq!(of("which-way")["choice"], "Out");
    assert_eq!(of("which-way")["then"], Value::Null);
    assert_eq!(of("sign-in")["expected"], "The account's number stands at the top");

    // It holds, by our own word and by that of stock tools; nothing is left of its drafts.
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 14 entries"]);
    assert!(!demo.path("vault/drafts/every-kind-1").exists());
    let listed = read(&demo, &["drill", "list"]);
    assert_eq!(listed["drills"][0]["outcome"], "passed");
    demo.read(&["drill", "status"]).exits(0).answers(&["No drill is under way."]);
    // The receipt came before anything was opened, and is one for both.
    let receipt = demo.entry(13);
    assert!(receipt.contains("secrets = [\"prod-seed.1\", \"prod-password.1\"]"), "{receipt}");
    // What was kept comes back as it was.
    let output = demo.folder.path().join("back.png");
    let show = ["drill", "show", "every-kind-1", "--evidence", "page.png", "--output", "back.png"];
    demo.read(&show).exits(0);
    assert_eq!(fs::read(output).unwrap(), b"\x89PNG the page");
    // What its steps proved counts.
    let account = read(&demo, &["account", "show", "prod"]);
    assert!(account.to_string().contains("A machine answered"), "{account}");
}

/// The step text that was shown is a part of the runbook's, and an auditor can hash it.
#[test]
fn the_digest_of_each_step_is_that_of_its_text() {
    let demo = vault();
    run_through(&demo);
    let events = transcript(&demo, "every-kind-1");
    let sections: Vec<&str> = EVERY_KIND.split("\n## ").skip(1).collect();
    let mut compared = 0;
    for event in events.iter().filter(|event| event["kind"] == "drill-step") {
        let title = event["title"].as_str().unwrap();
        let place =
            sections.iter().position(|text| text.starts_with(&format!("{title}\n"))).unwrap();
        let end = if place + 1 < sections.len() { "\n" } else { "" };
        let text = format!("## {}{end}", sections[place]);
        let digest = String::from_utf8(tool("sha256sum", &[], text.as_bytes())).unwrap();
        assert!(digest.starts_with(event["sha256"].as_str().unwrap()), "{title}");
        compared += 1;
    }
    assert_eq!(compared, 11);
}

/// What ceremonies and standards have a record of a drill hold, and where it is in ours. Who was
/// there is who signed; the flags and counters of the keys are in their signatures.
#[test]
fn a_record_has_what_others_record() {
    let demo = vault();
    let mut terminal = at_terminal(
        &demo,
        &format!("{START} --scenario 'A key is lost' --approver 'The board' --ticket OPS-7"),
    );
    drive(&mut terminal, Some("alice: press Enter when it is done (:help for more) "));
    says(&mut terminal, ":note the lamp is broken");
    terminal.until("What is done about it? (Enter: nothing) ");
    says(&mut terminal, "a torch");
    terminal.until("Who approves of that? (Enter: nobody was asked) ");
    says(&mut terminal, "bob");
    drive(&mut terminal, Some("Enter: nothing more) "));
    for typed in ["The safe sticks", "Oil it", "bob", "2099-12-31", ""] {
        says(&mut terminal, typed);
        terminal.wait("the next is asked", |this| {
            this.has_ended() || this.shown().ends_with(") ") || this.shown().ends_with("? ")
        });
    }
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    let (start, end) = (demo.entry(12), demo.entry(14));
    let has = |entry: &str, kind: &str, fields: &[&str]| {
        let event = entry
            .split("[[event]]\n")
            .find(|event| event.starts_with(&format!("kind = \"{kind}\"\n")));
        let event = event.unwrap_or_else(|| panic!("no {kind} in {entry}"));
        for field in fields {
            assert!(event.contains(&format!("\n{field} = ")), "{kind} has no {field}: {event}");
        }
    };
    // The run: id; runbook, version and digest; type; scenario; objective; accounts; authoriser;
    // roster; the tool, the head before it and when it began stand at the top of the entry.
    for field in ["tool", "previous", "time", "signers"] {
        assert!(start.contains(&format!("\n{field} = ")), "{field}: {start}");
    }
    let run = [
        "drill",
        "runbook",
        "version",
        "sha256",
        "purpose",
        "scenario",
        "objective",
        "accounts",
        "approver",
        "ticket",
        "roster",
    ];
    has(&start, "drill-started", &run);
    // Its end: roster, outcome, time spent; signed out, alarm, credentials; findings, actions.
    let close = [
        "roster",
        "outcome",
        "seconds",
        "signed_out",
        "alarm_received",
        "credentials_renewed",
        "findings",
        "actions",
        "journal",
    ];
    has(&end, "drill-finished", &close);
    has(&end, "action-opened", &["owner", "due", "title"]);
    // A step: number, id, digest of its text; actor, witness; begin, end, duration; result; and,
    // where there is one, what was expected and seen, the branch, the device, the evidence.
    let step = [
        "visit", "step", "title", "sha256", "by", "person", "witness", "begun", "ended", "seconds",
        "result", "then",
    ];
    has(&end, "drill-step", &step);
    has(&end, "sign-in-proven", &["accounts", "device", "evidence", "outcome"]);
    has(&end, "evidence-kept", &["step", "shows", "name", "at", "bytes", "sha256", "file"]);
    has(&end, "drill-exception", &["step", "at", "message", "action", "approver"]);
    for field in ["expected", "observed", "choice", "asked", "answers", "keys", "opened", "receipt"]
    {
        assert!(end.contains(&format!("\n{field} = ")), "{field}: {end}");
    }
    // What was shown is a part of the runbook, which the vault keeps.
    demo.read(&["runbook", "show", "every-kind", "--adopted"]).exits(0).answers(&["Sit down."]);
}

/// The journal's rule, by stock tools, from the entry that began the drill.
#[test]
fn the_links_of_a_journal_are_those_that_the_documentation_has() {
    let demo = vault();
    let mut terminal = at_terminal(&demo, START);
    drive(&mut terminal, Some("alice: Did the message arrive? (yes or no) "));
    says(&mut terminal, ":pause Lunch");
    assert_eq!(terminal.ends().0, 0);
    let head = read(&demo, &["log", "list"]);
    let started =
        demo.entry(13).lines().find_map(|line| line.strip_prefix("previous = ").map(str::to_owned));
    // Entry 13 is the receipt, and names the link of entry 12, which began the drill.
    let mut link = started.unwrap().trim_matches('"').to_owned();
    assert_eq!(head["entries"].as_array().unwrap().len(), 13);
    let digest =
        |text: &[u8]| String::from_utf8(tool("sha256sum", &[], text)).unwrap()[..64].to_owned();
    let mut records = 0;
    for number in 1.. {
        let file = demo.path(&format!("vault/drafts/every-kind-1/{number:06}.age"));
        if !file.exists() {
            break;
        }
        let text = tool("age", &["-d", "-i", "-", file.to_str().unwrap()], &demo.records());
        let told = String::from_utf8(text.clone()).unwrap();
        let previous = told.lines().find_map(|line| line.strip_prefix("# previous: ")).unwrap();
        assert_eq!(previous, link, "record {number}");
        assert!(told.starts_with("# keymuster journal\n# vault: "), "{told}");
        assert!(!told.contains(PASSWORD) && !told.contains(SEED), "{told}");
        link = digest(format!("{link} {}\n", digest(&text)).as_bytes());
        records += 1;
    }
    assert!(records > 10, "{records}");
    // The end names the last link.
    demo.run(&["drill", "abandon", "--reason", "enough"]).exits(0);
    assert!(demo.entry(14).contains(&format!("\njournal = \"{link}\"\n")), "{link}");
}

/// Others go on recording while people are at it: what can't be any more is left out, and told.
#[test]
fn what_others_record_meanwhile_is_taken_in() {
    let demo = vault();
    let mut terminal = at_terminal(&demo, START);
    drive(&mut terminal, Some("alice: Numbers of the seals: "));
    demo.run(&["runbook", "withdraw", "every-kind", "--reason", "too long"]).exits(0);
    drive(&mut terminal, Some("Enter: nothing more) "));
    demo.run(&["key", "lost", "alice/blue", "--by", "bob"]).exits(0);
    demo.run(&["account", "remove", "prod"]).exits(0);
    let next = [
        ("A seal was torn", "What is to be done about it? (Enter: nothing) "),
        ("Get better seals", "By whom? "),
        ("bob", "Until when? (such as 2026-12-31) "),
        ("2027-01-31", "Enter: nothing more) "),
    ];
    for (answer, asked) in next {
        says(&mut terminal, answer);
        terminal.wait(asked, |this| this.shown().ends_with(asked));
    }
    // The id that the drill's own would have had.
    let open = ["action", "open", "Mend the lamp", "--owner", "alice", "--due", "2027-02-01"];
    demo.run(&open).exits(0);
    says(&mut terminal, "");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    let events = transcript(&demo, "every-kind-1");
    let own = |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap().clone();
    assert_eq!(own("drill-finished")["actions"], json!(["action-2"]));
    assert_eq!(own("action-opened")["action"], "action-2");
    let count = |kind: &str| kinds(&events).iter().filter(|known| **known == kind).count();
    assert_eq!((count("key-checked"), count("sign-in-proven"), count("mailbox-tested")), (2, 0, 0));
    let exception = events.iter().find(|event| event["kind"] == "drill-exception").unwrap();
    let message = exception["message"].as_str().unwrap();
    assert!(message.starts_with("Left out, ") && message.contains("prod"), "{message}");
    demo.read(&["log", "verify"]).exits(0);
}

#[test]
fn a_drill_that_somebody_else_ended_is_over_here_too() {
    let demo = vault();
    let mut terminal = at_terminal(&demo, START);
    drive(&mut terminal, Some("alice: Did the message arrive? (yes or no) "));
    demo.run(&["drill", "abandon", "--reason", "the other terminal hangs"]).exits(0);
    says(&mut terminal, "yes");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("every-kind-1 was ended by entry 14 meanwhile"), "{shown}");
    assert!(shown.contains("keymuster drill show every-kind-1 tells by whom"), "{shown}");
}
