//! What is on record of a drill.

use std::fs;

use serde_json::Value;

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
