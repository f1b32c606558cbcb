//! `keymuster recovery`: the ways into an account, what if, and every loss.

use serde_json::{Value, json};

use super::demo_vault::{Demo, Ran};

/// Alice, bob and carol, and two accounts: all is known of prod, and of test its mailbox alone.
fn looked_after() -> Demo {
    let demo = Demo::people();
    for line in [
        &["key", "move", "carol/primary", "--to", "Safe 2", "--pin-to", "Safe 3"][..],
        &[
            "account",
            "add",
            "prod",
            "--id",
            "111111111111",
            "--email",
            "aws+prod@example.com",
            "--mailbox-reader",
            "alice",
            "--mailbox-reader",
            "bob",
            "--phone",
            "+44 20 7946 0000",
            "--phone-answerer",
            "zoe",
            "--password-at",
            "Safe 1, Leeds",
            "--mfa",
            "alice/primary",
            "--mfa",
            "carol/primary",
        ],
        &[
            "account",
            "add",
            "test",
            "--id",
            "222222222222",
            "--email",
            "AWS@example.com",
            "--mailbox-reader",
            "bob",
            "--mfa",
            "bob/primary",
        ],
    ] {
        demo.run(line).exits(0);
    }
    demo
}

/// A page without the breaks of its lines.
fn unwrapped(page: &str) -> String {
    let words: Vec<&str> = page.split_whitespace().collect();
    words.join(" ")
}

fn json_of(ran: Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

fn losses(demo: &Demo, more: &[&str], exit: i32) -> Value {
    json_of(demo.read(&[&["recovery", "losses", "--json"], more].concat()).exits(exit))
}

/// What is out of reach by a loss, such as `place:Safe 1`.
fn by(losses: &Value, lost: &[&str]) -> Value {
    let text = |one: &Value| {
        format!("{}:{}", one["kind"].as_str().unwrap(), one["name"].as_str().unwrap())
    };
    let is_it = |loss: &&Value| {
        let all: Vec<String> = loss["lost"].as_array().unwrap().iter().map(text).collect();
        all.len() == lost.len() && lost.iter().all(|one| all.contains(&(*one).to_owned()))
    };
    let all = losses["losses"].as_array().unwrap();
    all.iter().find(is_it).map_or(Value::Null, |loss| loss["out_of_reach"].clone())
}

#[test]
fn ways_are_told_with_what_is_missing_and_how_to_mend_it() {
    let demo = looked_after();
    let page = demo.read(&["recovery", "show", "prod"]).exits(0).stdout;
    for part in [
        "prod: 3 ways in, on paper only\n",
        "1. sign in: on paper, never proven as a whole\n",
        "kept at “Safe 1, Leeds” - never proven\n",
        "alice/primary, with alice; its PIN: alice - never proven\n",
        "carol/primary, at “Safe 2”; its PIN: carol, or at “Safe 3” - never proven\n",
        "the mailbox of aws+prod@example.com, read by alice or bob - never proven\n",
        "the telephone +44 20 7946 0000, answered by zoe - never proven\n",
    ] {
        assert!(page.contains(part), "{part:?} isn't in:\n{page}");
    }
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    demo.run(&["account", "sign-in-proven", "prod", "--with", "alice/primary"]).exits(0);
    demo.run(&["account", "phone-tested", "prod", "--failed", "--remark", "no answer"]).exits(0);
    let page = demo.read(&["recovery", "show", "111111111111"]).exits(0).stdout;
    for part in [
        "prod: 2 ways in on record, 1 proven",
        "1. sign in: proven, last ",
        "MISSING: nobody answered when it was last tried",
        "3. lost MFA: messages to the mailbox, and a call: NO WAY",
    ] {
        assert!(unwrapped(&page).contains(part), "{part:?} isn't in:\n{page}");
    }
    let page = demo.read(&["recovery", "show", "test"]).exits(0).stdout;
    let how = "keymuster account change test --password-at PLACE";
    assert!(unwrapped(&page).contains(how), "{page}");
    let ways = json_of(demo.read(&["recovery", "show", "prod", "--json"]).exits(0));
    assert_eq!(ways["ways"][0]["part"], "sign in");
    assert_eq!(ways["ways"][0]["proven"], true);
    assert_eq!(ways["ways"][2]["on_record"], false);
    // One of which nothing is known, and one without a root user to get into.
    demo.run(&["account", "add", "new", "--id", "333333333333"]).exits(0);
    demo.read(&["recovery", "show", "new"]).exits(3).answers(&["NO WAY IN is on record"]);
    demo.run(&["account", "change", "new", "--root-credentials", "no"]).exits(0);
    demo.read(&["recovery", "show", "new"]).exits(0).answers(&["its organisation gets into it"]);
}

#[test]
fn one_loss_and_two_are_told_where_they_leave_no_way() {
    let demo = looked_after();
    let ones = losses(&demo, &[], 3);
    // One mailbox behind two addresses; prod has its password, too.
    assert_eq!(by(&ones, &["mailbox:aws@example.com"]), json!(["test"]));
    assert_eq!(by(&ones, &["domain:example.com"]), json!(["test"]));
    assert_eq!(by(&ones, &["person:bob"]), json!(["test"]));
    assert_eq!(by(&ones, &["key:bob/primary"]), json!(["test"]));
    assert_eq!(ones["losses"].as_array().unwrap().len(), 4);
    let pairs = losses(&demo, &["--pairs"], 3);
    assert_eq!(by(&pairs, &["mailbox:aws@example.com", "place:Safe 1, Leeds"]), json!(["prod"]));
    // Carol's key lies in a safe, and its PIN in another; but two have to sign.
    let signing = json!(["signing for the vault"]);
    assert_eq!(by(&pairs, &["person:alice", "person:bob"]), signing);
    assert_eq!(by(&pairs, &["domain:example.com", "place:Leeds"]), json!(["prod"]), "all of Leeds");
    assert_eq!(by(&pairs, &["person:bob", "place:Leeds"]), Value::Null, "alice reads it, too");
    // On prod alone nothing is lost with one thing.
    let ones = losses(&demo, &["--account", "prod"], 0);
    assert_eq!(ones["losses"], json!([]));
    // By what was proven there is nothing yet.
    assert_eq!(losses(&demo, &["--proven"], 3)["out_of_reach"], json!(["prod", "test"]));
    demo.read(&["recovery", "losses", "--pairs"]).exits(3).answers(&[
        "bob: test\n",
        "“Leeds” + mail of example.com: prod\n",
        "leave something out of reach, each lost alone, by what",
    ]);
}

#[test]
fn what_if_takes_whatever_can_be_lost_by_any_of_its_names() {
    let demo = looked_after();
    let without = |lost: &[&str], exit: i32| {
        demo.read(&[&["recovery", "without"], lost].concat()).exits(exit).stdout
    };
    let page = without(&["leeds", "Alice/Primary"], 0);
    assert!(
        page.contains("fewer ways, these are left: prod (password-reset, lost-mfa)\n"),
        "{page}"
    );
    for lost in [
        &["bob"][..],
        &["person:bob"],
        &["bob/primary"],
        &["@example.com"],
        &["domain:example.com"],
        &["aws+other@EXAMPLE.com"],
    ] {
        assert!(without(lost, 3).contains("  OUT OF REACH: test"), "{lost:?}");
    }
    for lost in [&["+442079460000"][..], &["+44 20 7946 0000"], &["zoe"], &["place:safe  2"]] {
        without(lost, 0);
    }
    without(&["alice", "bob", "--account", "prod"], 0);
    without(&["alice", "bob", "carol", "--account", "prod"], 3);
    without(&["alice", "bob", "safe 2", "--account", "prod"], 3);
    let refused = |lost: &[&str], says: &[&str]| {
        demo.read(&[&["recovery", "without"], lost].concat()).exits(2).says(says);
    };
    refused(&["nobody"], &["nothing that an account needs is called nobody"]);
    refused(&["Safe"], &["nothing that an account needs", "place:safe 1, leeds"]);
    refused(&["\u{1b}[2Jx"], &["nothing that an account needs"]);
    refused(&[], &["required"]);
    // A place that is called like a person is named with its kind.
    demo.run(&["key", "move", "bob/primary", "--to", "Bob"]).exits(0);
    refused(&["bob"], &["bob is several things", "person:bob", "place:bob"]);
    without(&["place:bob"], 3);
}

#[test]
fn a_mailbox_that_needs_its_own_account_is_told() {
    let demo = looked_after();
    // What is known of a mailbox is known of all accounts that have it.
    demo.run(&["account", "change", "prod", "--mailbox-through", "prod"]).exits(0);
    demo.read(&["recovery", "losses"]).exits(3).answers(&["“Leeds”: prod, test\n"]);
    demo.run(&["account", "change", "test", "--email", "aws-test@example.com"]).exits(0);
    let page = demo.read(&["recovery", "show", "prod"]).exits(0).stdout;
    for part in [
        "prod: 1 way in, on paper only\n",
        "CIRCLE: the mailbox of prod can't be read without prod\n",
        "which takes a way into prod - THERE IS NONE\n",
    ] {
        assert!(page.contains(part), "{part:?} isn't in:\n{page}");
    }
    demo.read(&["recovery", "losses"])
        .exits(3)
        .answers(&["“Leeds”: prod\n", "circle: the mailbox of prod can't be read without prod"]);
    demo.read(&["status"]).exits(0).answers(&["CIRCLE: the mailbox of prod"]);
    demo.read(&["account", "show", "prod"]).exits(0).answers(&["can't be read without prod"]);
    // A longer one.
    demo.run(&["account", "change", "prod", "--mailbox-through", "222222222222"]).exits(0);
    demo.run(&["account", "change", "test", "--mailbox-through", "prod"]).exits(0);
    let page = demo.read(&["recovery", "show", "test"]).exits(0).stdout;
    let told =
        "CIRCLE: the mailbox of test can't be read without prod, whose own can't be read without";
    assert!(unwrapped(&page).contains(told), "{page}");
    // It is forgotten, and only accounts can be named.
    demo.run(&["account", "change", "prod", "--forget", "mailbox-through"]).exits(0);
    demo.read(&["recovery", "show", "prod"]).exits(0).answers(&["prod: 3 ways in"]);
    let stranger = ["account", "change", "prod", "--mailbox-through", "nix"];
    demo.run(&stranger).exits(2).says(&["there is no account nix"]);
}

#[test]
fn what_failed_for_one_account_is_missing_for_all_that_have_it() {
    let demo = looked_after();
    let other = ["account", "add", "dev", "--id", "333333333333", "--email", "aws+dev@example.com"];
    let more =
        ["--mailbox-reader", "alice", "--phone", "+442079460000", "--phone-answerer", "alice"];
    demo.run(&[&other[..], &more].concat()).exits(0);
    demo.run(&["account", "mailbox-tested", "dev"]).exits(0);
    demo.run(&["account", "phone-tested", "dev"]).exits(0);
    demo.read(&["recovery", "show", "dev"])
        .exits(0)
        .answers(&["dev: 1 way in on record, 1 proven"]);
    demo.run(&["account", "phone-tested", "prod", "--failed", "--remark", "dead"]).exits(0);
    demo.read(&["recovery", "show", "dev"])
        .exits(3)
        .answers(&["dev: NO WAY IN", "nobody answered"]);
    // It works again, whoever says so.
    demo.run(&["account", "phone-tested", "dev"]).exits(0);
    demo.read(&["recovery", "show", "dev"]).exits(0);
}

#[test]
fn a_place_is_named_without_what_it_is_in() {
    let demo = looked_after();
    demo.run(&["account", "change", "test", "--password-at", ",, Box  7,,Safe 9 , York,"]).exits(0);
    let without = |place: &str| demo.read(&["recovery", "without", place, "--account", "test"]);
    for place in
        ["box 7", "Box 7, Safe 9, York", "box 7,safe 9,york", "safe 9", "york", "place:Safe 9"]
    {
        without(place).exits(0).answers(&["fewer ways, these are left: test (password-reset)"]);
    }
    without(",").exits(2).says(&["nothing that an account needs is called ,"]);
}
