//! `keymuster custodian` and `vault impact`: who joins, what is known of them, who leaves.

use serde_json::json;

use super::super::demo_vault::Demo;
use super::{answer, read, recorded, refused, touches};

#[test]
fn who_joins_signs_and_from_then_on_two_custodians_sign() {
    let demo = Demo::new();
    let arguments = ["custodian", "add", "bob", "--name", "Bob B.", "--key", "primary"];
    let ran = demo.run_with_paper(&arguments, "paper").exits(0).answers(&[
        "bob is a custodian, with the key bob/primary.",
        "From now on two custodians sign",
        "add a third",
        "Recorded entry 5, signed by bob/primary and alice/primary.",
    ]);
    let touches = touches(&ran);
    assert_eq!(touches.len(), 7, "one opens, four enrol, two sign: {touches:?}");
    let told = "Entry 5, to be signed by bob/primary and alice/primary:\n  \
                bob (“Bob B.”) joins as a custodian, with the identity age1";
    let ran = ran.says(&[
        told,
        "\n  bob/primary is enrolled: SHA256:",
        "\n  the identity of bob is sealed to bob/primary\n",
        "\n  the identity of bob is sealed to a passphrase on paper\n",
        "\n  records is encrypted anew, epoch 2, to alice, auditor, bob\n",
        "\n  seeds is encrypted anew, epoch 2, to alice, bob\n",
    ]);
    let (told, signed) = (ran.stderr.find(told), ran.stderr.find(" to sign entry 5 "));
    assert!(told < signed, "what is signed is told first: {}", ran.stderr);

    let arguments = ["custodian", "add", "carol", "--key", "primary", "--json"];
    let carol = answer(demo.run_with_paper(&arguments, "paper"));
    assert_eq!(carol["signers"], json!(["carol/primary", "alice/primary", "bob/primary"]));
    let events = [
        "custodian-added",
        "key-enrolled",
        "identity-sealed",
        "identity-sealed",
        "compartment-sealed",
        "compartment-sealed",
    ];
    assert_eq!(carol["events"], json!(events));
    // What people are told, programs are told, too.
    assert_eq!(carol["words"], "carol is a custodian, with the key carol/primary.\n");
    assert_eq!(carol["due"], read(&demo, &["vault", "show"])["due"]);
    let vault = read(&demo, &["vault", "show"]);
    assert_eq!(vault["compartments"][1]["members"], json!(["alice", "bob", "carol"]));
    assert_eq!(vault["compartments"][0]["epoch"], 3);
    let due = vault["due"].as_array().unwrap();
    assert!(due.len() == 3 && due.iter().all(|due| due.to_string().contains("acknowledged")));
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 6 entries and 10 signatures"]);
    let papers = std::fs::read_to_string(demo.path("paper")).unwrap();
    let words: Vec<usize> = papers.lines().map(|line| line.split('-').count()).collect();
    assert_eq!(words, [10, 10], "a passphrase each");
}

#[test]
fn who_cannot_join_is_refused_before_a_key_is_made() {
    let demo = Demo::people();
    let add = |who, key| ["custodian", "add", who, "--key", key];
    for taken in ["bob", "auditor"] {
        refused(&demo, &add(taken, "k"), 1, &[&format!("handle {taken} is taken")]);
    }
    refused(&demo, &add("dave", "paper"), 2, &["a key can't be called paper"]);
    refused(&demo, &add("Dave", "k"), 2, &["isn't a handle"]);
    refused(
        &demo,
        &[&add("dave", "k")[..], &["--device", "demo-key-3"]].concat(),
        1,
        &["demo-key-3 is enrolled already, as bob/primary"],
    );
    let ran = demo.run(&add("dave", "k")).exits(4);
    assert_eq!(touches(&ran), [""; 0]);
    ran.says(&["no terminal to show the paper copy's passphrase on", "--paper-fd N"]);
}

#[test]
fn what_is_known_of_a_custodian_is_shown_and_changes() {
    let demo = Demo::people();
    demo.read(&["custodian", "list"]).exits(0).answers(&["bob        Bob B.  primary"]);
    let bob = read(&demo, &["custodian", "show", "bob"]);
    assert_eq!((&bob["name"], &bob["keys"]), (&json!("Bob B."), &json!(["primary"])));
    let unknown = ["deputy", "left", "acknowledged", "overruled"].map(|field| &bob[field]);
    assert_eq!(unknown, [&json!(null); 4]);

    let contact = ["--contact", "+44 20 7946 0000", "--contact", "at night: the same"];
    let change = ["custodian", "change", "bob", "--deputy", "carol"];
    let change = [&change[..], &contact].concat();
    demo.run(&change).exits(0).answers(&["Recorded entry 7, signed by alice/primary."]).says(&[
        "  of bob, the contact is “+44 20 7946 0000” “at night: the same”, the deputy is carol\n",
    ]);
    demo.read(&["custodian", "show", "bob"]).exits(0).answers(&[
        "name       Bob B.\n",
        "key        primary active\n",
        "contact    +44 20 7946 0000\ncontact    at night: the same\n",
        "deputy     carol\n",
        "duties     not acknowledged\n",
        "identity   age1",
    ]);
    let change = ["custodian", "change", "bob", "--no-contact", "--name", "Robert"];
    recorded(&demo, &change, &["custodian-changed"], &["alice/primary"]);
    let bob = read(&demo, &["custodian", "show", "bob"]);
    assert_eq!((&bob["contact"], &bob["name"]), (&json!([]), &json!("Robert")));
    assert_eq!(bob["deputy"], "carol", "what isn't named stays");
}

#[test]
fn a_change_of_a_custodian_that_makes_no_sense_is_refused() {
    let demo = Demo::people();
    let custodians = "custodians are: alice, bob, carol";
    let change = |rest: &[&'static str]| [&["custodian", "change"], rest].concat();
    for nothing in [&["bob"][..], &["bob", "--by", "alice"]] {
        refused(&demo, &change(nothing), 2, &["--name <NAME>|--contact <TEXT>|--no-contact"]);
    }
    let before = demo.snapshot();
    demo.run(&change(&["bob", "--name", "Bob B."])).exits(0).answers(&["It is so already.\n"]);
    assert!(demo.snapshot() == before);
    let dave = ["there is no custodian dave", custodians];
    refused(&demo, &change(&["dave", "--name", "D"]), 2, &dave);
    refused(&demo, &change(&["bob", "--deputy", "dave"]), 2, &dave);
    refused(&demo, &change(&["bob", "--deputy", "bob"]), 1, &["nobody stands in for themselves"]);
    refused(&demo, &change(&["bob", "--no-contact", "--contact", "x"]), 2, &["cannot be used"]);
    refused(&demo, &change(&["bob", "--contact", "a\u{202e}b"]), 2, &["--contact"]);
    demo.read(&["custodian", "show", "dave"]).exits(2).says(&dave);
}

#[test]
fn duties_are_acknowledged_by_whom_they_are_about() {
    let demo = Demo::people();
    demo.run(&["custodian", "acknowledge"])
        .exits(0)
        .says(&["  alice acknowledges these duties: “I keep my security key where I said"]);
    let bob = ["custodian", "acknowledge", "bob", "--by", "bob"];
    recorded(&demo, &bob, &["duties-acknowledged"], &["bob/primary"]);
    // Nobody does it for another.
    let bob = ["custodian", "acknowledge", "bob"];
    recorded(&demo, &bob, &["duties-acknowledged"], &["bob/primary"]);
    demo.unplug("demo-key-3");
    refused(&demo, &bob, 4, &["no key of bob is plugged in", "plug it in"]);
    demo.plug_in("demo-key-3");
    let dave = ["there is no custodian dave", "custodians are: alice, bob, carol"];
    refused(&demo, &["custodian", "acknowledge", "dave", "--by", "bob"], 2, &dave);
    demo.read(&["custodian", "show", "alice"]).exits(0).answers(&["duties     acknowledged 20"]);
    assert_eq!(read(&demo, &["custodian", "show", "carol"])["acknowledged"], json!(null));

    // Another text is to be acknowledged anew.
    let change = ["policy", "change", "--duty", "I lock up.", "--duty", "I tell."];
    recorded(&demo, &change, &["policy-changed"], &["alice/primary", "bob/primary"]);
    assert_eq!(read(&demo, &["custodian", "show", "alice"])["acknowledged"], json!(null));
    demo.run(&["custodian", "acknowledge", "carol", "--by", "carol"])
        .exits(0)
        .says(&["  carol acknowledges these duties: “I lock up.” “I tell.”\n"]);
}

#[test]
fn who_leaves_signs_and_opens_nothing_new() {
    let demo = Demo::people();
    let leave = ["custodian", "leave", "bob", "--remark", "left the company"];
    let leave = [&leave[..], &["--by", "alice", "--by", "carol"]].concat();
    let ran = demo.run(&leave).exits(0).answers(&[
        "bob has left: no key of theirs signs any more",
        "keymuster vault impact bob lists it.",
        "Recorded entry 7, signed by alice/primary and carol/primary.",
    ]);
    let ran = ran.says(&[
        "  bob leaves: “left the company”\n",
        "  records is encrypted anew, epoch 4, to alice, auditor, carol\n",
        "Touch carol/primary to open what is sealed anew, as a check",
    ]);
    assert_eq!(touches(&ran).len(), 4, "open, check, sign, sign: {}", ran.stderr);

    let list = read(&demo, &["custodian", "list"]);
    let names = |of: &str| -> Vec<_> {
        list[of].as_array().unwrap().iter().map(|who| who["custodian"].clone()).collect()
    };
    assert_eq!(
        (names("custodians"), names("former")),
        (vec![json!("alice"), json!("carol")], vec![json!("bob")])
    );
    assert_eq!(list["former"][0]["keys"], json!([]));
    demo.read(&["custodian", "list"]).exits(0).answers(&["left  name    when\nbob   Bob B.  20"]);
    demo.read(&["custodian", "show", "bob"])
        .exits(0)
        .answers(&["left       20", "key        primary retired"]);
    assert_eq!(read(&demo, &["key", "list"])["enrolled"][2]["state"], "retired");
    demo.read(&["vault", "show"]).exits(0).answers(&["due: 2 custodians can sign: with three,"]);
    demo.read(&["key", "check", "bob/primary"]).exits(3).says(&["bob/primary is retired"]);

    // Their handle is spent, and two stay.
    let again = ["custodian", "add", "bob", "--key", "other"];
    refused(&demo, &again, 1, &["handle bob is taken"]);
    refused(&demo, &["custodian", "leave", "bob"], 2, &["there is no custodian bob"]);
    let below = ["fewer than 2 custodians would be left", "keymuster custodian add"];
    refused(&demo, &["custodian", "leave", "carol"], 1, &below);
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 7 entries and 12 signatures"]);
}

#[test]
fn nobody_opens_the_vault_for_their_own_leaving() {
    let demo = Demo::people();
    refused(
        &demo,
        &["custodian", "leave", "bob", "--by", "bob"],
        2,
        &["bob can't sign for their own leaving", "--by"],
    );
    refused(&demo, &["custodian", "leave", "dave"], 2, &["there is no custodian dave"]);
}

#[test]
fn what_somebody_could_open_is_listed_while_they_are_here_and_after() {
    let demo = Demo::people();
    let reach = |whose: &str| {
        let impact = read(&demo, &["vault", "impact", whose]);
        assert_eq!(impact["whose"], whose);
        let compartments = impact["compartments"].as_array().unwrap().clone();
        let part = |part: &serde_json::Value, field: &str| part[field].clone();
        compartments
            .iter()
            .map(|c| (part(c, "compartment"), part(c, "until_entry"), part(c, "open_still")))
            .collect::<Vec<_>>()
    };
    let of = |until: u64, still: bool| {
        ["records", "seeds"].map(|name| (json!(name), json!(until), json!(still))).to_vec()
    };
    assert_eq!(reach("bob"), of(6, true));
    assert_eq!(reach("bob/primary"), of(6, true));
    assert_eq!(reach("auditor"), of(6, true)[..1]);
    demo.read(&["vault", "impact", "bob/paper"]).exits(0).answers(&[
        "What bob/paper could open:\n  copy 1: the whole log, to this day: entries 1 to 6\n",
    ]);

    demo.run(&["custodian", "leave", "bob", "--by", "alice", "--by", "carol"]).exits(0);
    assert_eq!(reach("bob"), of(6, false));
    assert_eq!(reach("bob/primary"), of(6, false));
    assert_eq!(reach("carol"), of(7, true));
    demo.read(&["vault", "impact", "bob"])
        .exits(0)
        .answers(&["the log up to entry 6; closed since"]);
    for unknown in ["mallory", "alice/green"] {
        let said = [&format!("error: there was never a {unknown} in this vault"), "custodian list"];
        demo.read(&["vault", "impact", unknown]).exits(2).says(&said);
    }
}
