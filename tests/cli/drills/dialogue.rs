//! What can be typed in a drill, and what the screen shows.

use super::*;
use crate::pseudo_terminal::{CTRL_C, CTRL_D};

/// No line of the steps is wider than a terminal of 80 columns, but for digests.
fn is_calm(shown: &str) {
    let steps = shown.split("Recorded entry 12").nth(1).unwrap();
    let steps = steps.split("All steps are done").next().unwrap();
    let lines = steps
        .split("\r\n")
        .filter(|line| !["Touch ", "alice opens ", " :failed "].iter().any(|w| line.contains(w)));
    let widest = lines.max_by_key(|line| line.chars().count()).unwrap();
    assert!((70..=80).contains(&widest.chars().count()), "{widest:?}");
    assert!(!steps.contains("\u{1b}[3") && !steps.contains("\u{1b}[1m"), "no colour: {steps}");
}

#[test]
fn earlier_steps_can_be_read_and_whatever_is_otherwise_goes_on_record() {
    let demo = vault();
    let mut terminal = at_terminal(&demo, START);
    let first = "alice: press Enter when it is done (:help for more) ";
    terminal.until("Step 1 of 11: Ready\r\n");
    terminal.until("every-kind-1 | rehearsal | prod | 0 s of 20 min\r\n");
    terminal.until(first);
    for (typed, told) in [
        (":help", ":back [N]         read the step before this one, or step N"),
        (":nonsense", "There is no such word; :help tells which there are."),
        (":back", "There is no such step."),
        (":back 99", "There is no such step."),
        (":back 5", "Step 5: Sign in (to read; we are at Ready)"),
        (":steps", "   1. now            Ready\r\n   2.                Keys\r\n"),
        (":part witness", "Type a role and a person, such as :part witness carol."),
        (":part witness zoe", "zoe is no custodian."),
    ] {
        says(&mut terminal, typed);
        terminal.until(told);
        terminal.until(first);
    }
    says(&mut terminal, ":note the lamp is broken");
    terminal.until("What is done about it? (Enter: nothing) ");
    says(&mut terminal, "a torch");
    terminal.until("Who approves of that? (Enter: nobody was asked) ");
    says(&mut terminal, "");
    terminal.until("It is on record.");
    terminal.until(first);
    // Somebody else reads the mailbox.
    says(&mut terminal, ":part reader carol");
    terminal.until("Why? ");
    says(&mut terminal, "she has access");
    terminal.until("carol is reader from now on, and signs the end.");
    terminal.until(first);
    says(&mut terminal, ":skip");
    terminal.until("Why? ");
    says(&mut terminal, "we stand");
    drive(&mut terminal, Some("alice: press Enter to open prod-password.1 "));
    says(&mut terminal, ":back");
    terminal.until("Step 3: Codes (to read; we are at Password)");
    terminal.until("> done at ");
    says(&mut terminal, ":na it is in the safe");
    drive(&mut terminal, Some("once you are signed in (:failed if you can't) "));
    says(&mut terminal, ":failed the page says no");
    // A failed sign-in leads elsewhere.
    terminal.until("Step 11 of 11: Which way");
    terminal.until("  2. Write once more (then: Write it down)");
    terminal.until("which one? ");
    says(&mut terminal, "7");
    terminal.until("Type a number from 1 to 2.");
    terminal.until("which one? ");
    says(&mut terminal, "write once more");
    drive(&mut terminal, Some("Enter: nothing more) "));
    for (typed, then) in [
        ("The safe sticks", "What is to be done about it? (Enter: nothing) "),
        ("Oil it", "By whom? "),
        ("zoe", "One of alice, bob and carol."),
        ("bob", "Until when? (such as 2026-12-31) "),
        ("tomorrow", "a day is written as 2026-12-31."),
        ("2099-12-31", "Enter: nothing more) "),
        ("The lamp is dim", "What is to be done about it? (Enter: nothing) "),
        ("", "Enter: nothing more) "),
        ("", "carol/primary signs too."),
    ] {
        says(&mut terminal, typed);
        terminal.until(then);
    }
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    is_calm(&shown);
    let events = transcript(&demo, "every-kind-1");
    let find = |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap();
    let exception = find("drill-exception");
    assert_eq!(
        (&exception["message"], &exception["action"], &exception["step"]),
        (&"the lamp is broken".into(), &"a torch".into(), &"ready".into())
    );
    assert_eq!(find("part-taken")["to"], "carol");
    assert_eq!(find("drill-finished")["findings"][1], "The lamp is dim");
    assert_eq!(find("drill-finished")["actions"][0], "action-1");
    assert_eq!(
        (&find("action-opened")["owner"], &find("action-opened")["title"]),
        (&"bob".into(), &"Oil it".into())
    );
    let results: Vec<&str> = events
        .iter()
        .filter(|event| event["kind"] == "drill-step")
        .map(|event| event["result"].as_str().unwrap())
        .collect();
    assert_eq!(results[..5], ["skipped", "done", "done", "not-applicable", "failed"]);
    assert!(kinds(&events).iter().all(|kind| *kind != "sign-in-proven"));
}

#[test]
fn ctrl_c_asks_and_a_second_one_stops_at_once() {
    let demo = vault();
    let mut terminal = at_terminal(&demo, START);
    let first = "alice: press Enter when it is done (:help for more) ";
    let asked = "Pause, abandon, or go on? (pause, abandon, go; Ctrl-C again stops at once) ";
    terminal.until(first);
    terminal.types(CTRL_C);
    terminal.until(asked);
    says(&mut terminal, "what?");
    terminal.until(asked);
    says(&mut terminal, "go");
    terminal.until("Step 1 of 11: Ready");
    terminal.until(first);
    terminal.types(CTRL_C);
    terminal.until(asked);
    terminal.types(CTRL_C);
    let (code, shown) = terminal.ends();
    assert_eq!(code, 130, "{shown}");
    assert!(
        shown.contains("Nothing that was answered is lost: keymuster drill resume every-kind-1")
    );

    // Who shuts the machine down, or closes the window, isn't asked.
    let ends: [fn(&mut PseudoTerminal); 2] =
        [|terminal| terminal.signal(rustix::process::Signal::TERM), |terminal| terminal.close()];
    for end in ends {
        let mut terminal = at_terminal(&demo, "drill resume");
        drive(&mut terminal, Some(first));
        end(&mut terminal);
        assert_eq!(terminal.wait_for_end().code(), Some(130));
    }

    let mut terminal = at_terminal(&demo, "drill resume");
    drive(&mut terminal, Some(first));
    // Ctrl-D is no answer either.
    terminal.types(CTRL_D);
    terminal.until(asked);
    says(&mut terminal, "pause");
    terminal.until("Why do you stop? ");
    says(&mut terminal, "Lunch");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("every-kind-1 is paused, and stays open: keymuster drill resume"));
    demo.read(&["drill", "status"]).exits(0).answers(&[
        "every-kind-1  every-kind, rehearsal, prod\n",
        "  at step 1 of 11: Ready\n",
        "  keymuster drill resume every-kind-1, or drill abandon every-kind-1\n",
    ]);

    let mut terminal = at_terminal(&demo, "drill resume every-kind-1");
    terminal.until("It was paused: Lunch.");
    drive(&mut terminal, Some(first));
    terminal.types(CTRL_C);
    terminal.until(asked);
    says(&mut terminal, "abandon");
    terminal.until("Why is it given up? ");
    says(&mut terminal, "The fire alarm");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    let events = transcript(&demo, "every-kind-1");
    assert_eq!(
        kinds(&events),
        [
            "drill-abandoned",
            "drill-interrupted",
            "drill-interrupted",
            "drill-interrupted",
            "drill-interrupted",
            "drill-step"
        ]
    );
    assert_eq!(events[0]["reason"], "The fire alarm");
    assert_eq!(events[4]["reason"], "Lunch");
    assert_eq!(events[5]["result"], "unfinished");
    demo.read(&["drill", "list"]).exits(0).answers(&["rehearsal  -        abandoned  prod"]);
    let over = demo.run(&["drill", "abandon", "every-kind-1", "--reason", "again"]).exits(1);
    over.says(&["every-kind-1 is over", "keymuster drill show every-kind-1"]);
}

#[test]
fn a_drill_that_cannot_be_is_refused_before_anybody_touches_anything() {
    let demo = vault();
    let start = |rest: &str| {
        let terminal = at_terminal(&demo, &format!("drill start {rest}"));
        let (code, shown) = terminal.ends();
        assert!(!shown.contains("to sign entry"), "{shown}");
        (code, shown)
    };
    let both = "--as operator=alice --as witness=bob";
    let cases = [
        (format!("every-kind {both}"), 1, "every-kind is run for one account"),
        (format!("every-kind --account test {both}"), 2, "test"),
        (
            format!("close-account --account prod {both}"),
            2,
            "hasn't adopted a runbook close-account",
        ),
        ("every-kind --account prod --as operator=alice".to_owned(), 1, "nobody is witness"),
        ("every-kind --account prod --as witness=bob".to_owned(), 2, "nobody is the operator"),
        (format!("every-kind --account prod {both} --as chief=carol"), 1, "no role chief"),
        (
            "every-kind --account prod --as operator=alice --as witness=alice".to_owned(),
            1,
            "alice has two roles",
        ),
        (
            format!("quarterly --account prod {both} --live x --approver y"),
            1,
            "isn't adopted for live",
        ),
        (format!("every-kind --account prod {both} --live x"), 2, "--approver"),
        (format!("every-kind --account prod {both} --as nobody"), 2, "operator=alice"),
    ];
    for (rest, exit, told) in cases {
        let (code, shown) = start(&rest);
        assert_eq!(code, exit, "{rest}: {shown}");
        assert!(shown.contains(told), "{rest}: {shown}");
    }
    // Nothing answers for people.
    for arguments in [&format!("start every-kind --account prod {both}")[..], "resume"] {
        let words: Vec<&str> = ["drill"].into_iter().chain(arguments.split(' ')).collect();
        demo.run(&words).exits(4).says(&["there is no terminal", "nothing answers for them"]);
    }
    demo.run(&["drill", "abandon", "--reason", "x"]).exits(1).says(&["no drill is under way"]);
    demo.read(&["drill", "show", "x"]).exits(2).says(&["there is no drill x"]);
    demo.read(&["drill", "list"]).exits(0).answers(&["No drill was ever started"]);
}

/// In earnest, and nobody else is awake: it goes, and somebody else looks at it afterwards.
#[test]
fn a_live_run_without_a_witness_waits_for_a_review() {
    let demo = vault();
    let live = "drill start every-kind --account prod --as operator=alice --id fire \
                --live 'Let IAM users see billing' --approver 'The board' --ticket OPS-7";
    let mut terminal = at_terminal(&demo, live);
    terminal
        .until("to do “Let IAM users see billing”, approved by “The board”, on record as “OPS-7”");
    terminal.until("fire | LIVE | prod | 0 s of 20 min");
    terminal.until("alice (operator) does it, and nobody watches");
    says(&mut terminal, ":failed it was locked");
    terminal.until("Plug in the keys of alice and press Enter: ");
    says(&mut terminal, "");
    drive(&mut terminal, Some("alice: press Enter to open prod-password.1 "));
    says(&mut terminal, "");
    terminal.until("Press Enter to clear it: ");
    says(&mut terminal, "");
    drive(&mut terminal, Some("alice: Did the message arrive? (yes or no) "));
    says(&mut terminal, "yes");
    terminal.until("alice: Was the call answered? (yes or no) ");
    says(&mut terminal, "yes");
    drive(&mut terminal, None);
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains(
        "Nobody watched all of it: somebody else reviews it, keymuster drill review fire"
    ));
    let due = "fire ran without all whom it takes, and somebody who took no part has to look at it";
    demo.read(&["vault", "show"]).exits(0).answers(&[due]);
    demo.read(&["drill", "list"]).answers(&["passed, AWAITS REVIEW"]);
    let review =
        |by: &'static str| ["drill", "review", "fire", "passed", "as the trail says", "--by", by];
    demo.run(&review("alice"))
        .exits(1)
        .says(&["is reviewed by one who took no part, and alice did"]);
    demo.run(&review("carol"))
        .exits(0)
        .says(&["carol looked at fire and found it in order: “as the trail says”"])
        .answers(&["signed by carol/primary."]);
    assert!(!demo.read(&["vault", "show"]).stdout.contains("took no part"));
    demo.read(&["drill", "show", "fire"]).exits(0).answers(&["carol looked at fire"]);
}

/// What can't be shown is said, and what was shown and is gone when all sign is left out.
#[test]
fn a_key_that_is_not_there_is_no_part_of_the_check() {
    let demo = vault();
    demo.unplug("demo-key-2");
    let mut terminal = at_terminal(&demo, START);
    drive(&mut terminal, Some("Plug in the keys of alice and bob and press Enter: "));
    says(&mut terminal, "");
    let next = "Plug the next one in and press Enter; type done if there are no more: ";
    terminal.until("Not shown yet: alice/blue.");
    terminal.until(next);
    demo.plug_in("demo-key-2");
    demo.unplug("demo-key-3");
    says(&mut terminal, "");
    terminal.until("alice/blue is here.");
    drive(&mut terminal, Some("Enter: nothing more) "));
    demo.unplug("demo-key-2");
    says(&mut terminal, "");
    terminal.until("alice/blue was shown, and isn't plugged in. Can it sign now? (yes or no) ");
    says(&mut terminal, "no");
    terminal.until("bob/primary was shown, and isn't plugged in. Can it sign now? (yes or no) ");
    demo.plug_in("demo-key-3");
    says(&mut terminal, "yes");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    let events = transcript(&demo, "every-kind-1");
    let checked: Vec<&str> = events
        .iter()
        .filter(|event| event["kind"] == "key-checked")
        .map(|event| event["key"].as_str().unwrap())
        .collect();
    assert_eq!(checked, ["alice/primary", "bob/primary"]);

    demo.unplug("demo-key-3");
    demo.plug_in("demo-key-2");
    let live = "drill start every-kind --account prod --as operator=alice --live x --approver y";
    let mut terminal = at_terminal(&demo, live);
    terminal.until("press Enter when it is done");
    says(&mut terminal, "");
    terminal.until("Plug in the keys of alice and press Enter: ");
    says(&mut terminal, ":part witness bob");
    terminal.until("Why? ");
    says(&mut terminal, "he came");
    terminal.until("Plug in the keys of alice and press Enter: ");
    says(&mut terminal, "");
    terminal.until(next);
    says(&mut terminal, "done");
    terminal.until("bob showed no key. If there is none: :failed TEXT.");
    says(&mut terminal, ":failed he left it at home");
    terminal.until("the code that fob shows now: ");
    says(&mut terminal, ":abandon");
    terminal.until("Why is it given up? ");
    says(&mut terminal, "without bob's key");
    terminal.until("Now bob/primary must sign too. Plug it in and press Enter: ");
    demo.plug_in("demo-key-3");
    says(&mut terminal, "");
    assert_eq!(terminal.ends().0, 0);
}
