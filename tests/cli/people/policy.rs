//! `keymuster policy`, `waiver` and `action`: the rules, what may wait, what is to be put right.

use serde_json::json;

use super::super::demo_vault::Demo;
use super::{answer, read, recorded, refused};

const BOTH: [&str; 2] = ["alice/primary", "bob/primary"];

#[test]
fn the_policy_is_shown_as_it_is_in_force() {
    let demo = Demo::new();
    demo.read(&["policy", "show"])
        .exits(0)
        .answers(&["changes are signed by       one custodian, until a second has a key\n"]);
    let demo = Demo::people();
    demo.read(&["policy", "show"]).exits(0).answers(&[
        "changes are signed by       2 different custodians\n",
        "PIN or fingerprint          required\n",
        "keys checked every          90 days\n",
        "duties acknowledged every   365 days\n",
        "contacts reviewed every     180 days\n",
        "slips admitted for          14 days\n",
        "announced before it is due  14 days\n",
        "late until overdue          7 days\n",
    ]);
    let change = ["policy", "change", "--check-days", "60", "--grace-days", "0"];
    let change = [&change[..], &["--duty", "I lock up."]].concat();
    recorded(&demo, &change, &["policy-changed"], &BOTH);
    let policy = read(&demo, &["policy", "show"]);
    let fields = ["check_days", "grace_days", "warn_days", "duties", "quorum"];
    let found = fields.map(|field| policy[field].clone());
    assert_eq!(found, [json!(60), json!(0), json!(14), json!(["I lock up."]), json!(2)]);
    demo.read(&["policy", "show"]).exits(0).answers(&["duty                        I lock up.\n"]);
}

#[test]
fn a_policy_that_is_loosened_is_told_before_and_found_after() {
    let demo = Demo::people();
    let change = ["policy", "change", "--check-days", "100", "--user-verification", "waived"];
    demo.run(&change).exits(0).says(&[
        "  the policy changes: SIGNATURES NEED NO PIN OR FINGERPRINT, keys are checked every 100",
        "NOTE: entry 7 loosens the policy: signatures need no PIN or fingerprint\n",
        "NOTE: entry 7 loosens the policy: keys are checked less often\n",
    ]);
    demo.read(&["log", "verify"])
        .exits(0)
        .answers(&["finding: entry 7 loosens the policy: signatures need no PIN or fingerprint\n"]);
    assert_eq!(read(&demo, &["policy", "show"])["user_verification"], "waived");
    assert_eq!(read(&demo, &["vault", "show"])["user_verification"], "waived");
}

#[test]
fn what_is_in_force_already_is_no_change() {
    let demo = Demo::people();
    let before = demo.snapshot();
    let change = ["policy", "change", "--check-days", "90", "--user-verification", "required"];
    demo.run(&change).exits(0).answers(&["It is so already.\n"]);
    let none = answer(demo.run(&[&change[..], &["--json"]].concat()));
    assert_eq!((&none["answer"], &none["head"]["number"]), (&json!("nothing-changed"), &json!(6)));
    assert!(demo.snapshot() == before);
    // What differs is recorded, and nothing beside it.
    let ran = demo.run(&[&change[..], &["--grace-days", "5"]].concat()).exits(0);
    ran.says(&["  the policy changes: what is late is overdue after 5 days\n"]);
    let document = demo.entry(7);
    let event = document.split("[[event]]").nth(1).unwrap().split("\n-----").next().unwrap();
    assert_eq!(event.trim(), "kind = \"policy-changed\"\ngrace_days = 5");
}

#[test]
fn a_policy_that_makes_no_sense_is_refused() {
    let demo = Demo::people();
    let change = |rest: &[&'static str]| [&["policy", "change"], rest].concat();
    for nothing in [&[][..], &["--by", "alice"]] {
        refused(&demo, &change(nothing), 2, &["--check-days <DAYS>|--acknowledgement-days <DAYS>"]);
    }
    for days in ["--check-days", "--acknowledgement-days", "--contacts-days", "--slip-days"] {
        refused(&demo, &change(&[days, "0"]), 1, &["a period is at least one day"]);
        refused(&demo, &change(&[days, "99999"]), 1, &["a period is at most 3660 days"]);
    }
    for days in ["--warn-days", "--grace-days"] {
        refused(&demo, &change(&[days, "3661"]), 1, &["a period is at most 3660 days"]);
    }
    refused(&demo, &change(&["--check-days", "-1"]), 2, &["-1"]);
    refused(&demo, &change(&["--check-days", "4294967296"]), 2, &["--check-days"]);
    refused(&demo, &change(&["--user-verification", "no"]), 2, &["required, waived"]);
    let duties: Vec<&str> = std::iter::repeat_n(["--duty", "x"], 51).flatten().collect();
    refused(&demo, &change(&duties), 1, &["a text has 50 lines at most"]);
}

#[test]
fn a_waiver_is_given_by_two_and_ends() {
    let demo = Demo::people();
    let add = |until, reason| {
        ["waiver", "add", "key-check bob/primary", "--until", until, "--reason", reason]
    };
    demo.run(&add("2099-12-31", "at sea"))
        .exits(0)
        .answers(&["Recorded entry 7, signed by alice/primary and bob/primary."])
        .says(&[
            "  waiver-1: “key-check bob/primary” may wait until 2099-12-31T23:59:59Z: “at sea”\n",
        ]);
    recorded(&demo, &add("2098-12-31", "still at sea"), &["waiver-given"], &BOTH);
    let policy = read(&demo, &["policy", "show"]);
    let first = json!({
        "waiver": "waiver-1",
        "obligation": "key-check bob/primary",
        "until": "2099-12-31T23:59:59Z",
        "reason": "at sea",
    });
    assert_eq!(policy["waivers"][0], first);
    assert_eq!(policy["waivers"][1]["waiver"], "waiver-2");
    demo.read(&["policy", "show"]).exits(0).answers(&[
        "waiver                      waiver-1: key-check bob/primary until 2099-12-31T23:59:59Z: at",
    ]);

    refused(&demo, &add("2020-01-01", "x"), 1, &["a waiver must end after it is given"]);
    refused(&demo, &add("tomorrow", "x"), 2, &["a day is written as 2026-12-31"]);
    refused(&demo, &add("2099-02-30", "x"), 2, &["a day is written as 2026-12-31"]);
    let again = [&add("2099-12-31", "x")[..], &["--id", "waiver-1"]].concat();
    refused(&demo, &again, 1, &["waiver waiver-1 is taken"]);
    refused(
        &demo,
        &["waiver", "add", "contacts x", "--until", "2099-12-31"],
        2,
        &["--reason <TEXT>"],
    );
}

#[test]
fn an_action_is_opened_listed_and_closed_once() {
    let demo = Demo::people();
    demo.read(&["action", "list"]).exits(0).answers(&["Nothing is to be put right."]);
    demo.run(&["action", "open", "Move bob's key", "--owner", "bob", "--due", "2099-01-31"])
        .exits(0)
        .answers(&["Recorded entry 7, signed by alice/primary."])
        .says(&["  action-1, by bob until 2099-01-31T23:59:59Z: “Move bob's key”\n"]);
    let late = ["action", "open", "Ring carol", "--owner", "alice", "--due", "2020-01-31"];
    let late = [&late[..], &["--id", "ring"]].concat();
    recorded(&demo, &late, &["action-opened"], &["alice/primary"]);
    demo.read(&["action", "list"]).exits(0).answers(&[
        "action-1  2099-01-31  bob    open     Move bob's key\n",
        "ring      2020-01-31  alice  OVERDUE  Ring carol\n",
    ]);
    let due = "due: ring is overdue since 2020-01-31T23:59:59Z, by alice: Ring carol\n";
    demo.read(&["vault", "show"]).exits(0).answers(&[due]);
    demo.run(&["action", "close", "ring", "she is well", "--by", "carol"])
        .exits(0)
        .says(&["  ring is done: “she is well”\n"])
        .answers(&["Recorded entry 9, signed by carol/primary."]);
    let open = read(&demo, &["action", "list"])["actions"].clone();
    assert_eq!((open[0]["action"].as_str(), &open[1]), (Some("action-1"), &json!(null)));
    let ring = read(&demo, &["action", "list", "--all"])["actions"][1].clone();
    assert_eq!((&ring["result"], &ring["overdue"]), (&json!("she is well"), &json!(false)));
    demo.read(&["action", "list", "--all"]).exits(0).answers(&["done: she is well"]);

    refused(&demo, &["action", "close", "ring", "x"], 1, &["action ring is closed"]);
    let unknown = ["there is no action action-9", "keymuster action list"];
    refused(&demo, &["action", "close", "action-9", "x"], 2, &unknown);
    refused(&demo, &late, 1, &["action ring is taken"]);
    let open = |owner, due| ["action", "open", "x", "--owner", owner, "--due", due];
    refused(&demo, &open("dave", "2099-01-31"), 2, &["there is no custodian dave", "alice, bob"]);
    refused(&demo, &open("bob", "31 January"), 2, &["a day is written as 2026-12-31"]);
}
