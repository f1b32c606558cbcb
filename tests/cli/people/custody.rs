//! `keymuster key move`, `hand-over`, `seal` and `open-bag`: where a key is, and who has it.

use serde_json::json;

use super::super::demo_vault::Demo;
use super::{read, recorded, refused};

const BOTH: [&str; 2] = ["alice/primary", "bob/primary"];

/// What `key list` tells of where alice/blue is.
fn blue(demo: &Demo) -> [serde_json::Value; 4] {
    let list = read(demo, &["key", "list"]);
    assert_eq!(list["enrolled"][0]["key"], "alice/blue");
    ["holder", "place", "pin_place", "bag"].map(|field| list["enrolled"][0][field].clone())
}

#[test]
fn where_a_key_and_its_pin_are_is_recorded_and_shown() {
    let demo = Demo::people();
    assert_eq!(blue(&demo), [json!("alice"), json!(null), json!(null), json!(null)]);
    let shown = demo.read(&["key", "list"]).exits(0).stdout;
    assert!(!shown.contains("alice/blue is"), "{shown}");

    demo.run(&["key", "move", "alice/blue", "--to", "safe 2, Leeds", "--pin-to", "safe 1"])
        .exits(0)
        .answers(&["Recorded entry 7, signed by alice/primary."])
        .says(&["  alice/blue is kept at “safe 2, Leeds”, its PIN at “safe 1”\n"]);
    let pin = ["key", "move", "alice/blue", "--pin-to", "safe 3", "--by", "bob"];
    recorded(&demo, &pin, &["key-moved"], &["bob/primary"]);
    assert_eq!(blue(&demo)[1..3], [json!("safe 2, Leeds"), json!("safe 3")]);

    let over = ["key", "hand-over", "alice/blue", "--to", "bob", "--place", "his desk"];
    demo.run(&over)
        .exits(0)
        .answers(&["Recorded entry 9, signed by alice/primary and bob/primary."])
        .says(&["  alice hands alice/blue over to bob, to “his desk”\n"]);
    assert_eq!(blue(&demo), [json!("bob"), json!("his desk"), json!("safe 3"), json!(null)]);
    demo.read(&["key", "list"]).exits(0).answers(&["with bob, his desk"]);

    // Whoever opens the vault for two others needn't sign.
    let aside = demo.copied();
    let over = ["key", "hand-over", "alice/blue", "--to", "alice", "--by", "carol"];
    let ran = aside.run(&over).exits(0).says(&["carol/primary needn't sign this"]);
    ran.answers(&["Recorded entry 10, signed by bob/primary and alice/blue."]);

    // Whoever has it hands it on; its place is theirs to tell.
    let on = ["key", "hand-over", "alice/blue", "--to", "carol", "--by", "bob"];
    recorded(&demo, &on, &["key-handed-over"], &["bob/primary", "carol/primary"]);
    assert_eq!(blue(&demo)[..2], [json!("carol"), json!(null)]);
}

#[test]
fn a_move_that_makes_no_sense_is_refused() {
    let demo = Demo::people();
    let enrolled = "enrolled are: alice/blue, alice/primary, bob/primary, carol/primary";
    let unknown = ["there is no key alice/green", enrolled];
    refused(&demo, &["key", "move", "alice/green", "--to", "x"], 2, &unknown);
    refused(&demo, &["key", "move", "alice/blue"], 2, &["--to <PLACE>"]);
    let over = |to| ["key", "hand-over", "alice/blue", "--to", to];
    refused(&demo, &over("alice"), 1, &["alice can't be both people"]);
    refused(&demo, &over("dave"), 2, &["there is no custodian dave", "alice, bob, carol"]);
    let green = ["key", "hand-over", "alice/green", "--to", "bob"];
    refused(&demo, &green, 2, &unknown);
}

#[test]
fn a_key_is_sealed_once_and_its_bag_opened_before_a_witness() {
    let demo = Demo::people();
    let seal = ["key", "seal", "alice/blue", "--bag", "0047113", "--witness", "bob"];
    demo.run(&seal)
        .exits(0)
        .answers(&["Recorded entry 7, signed by alice/primary and bob/primary."])
        .says(&["  alice seals alice/blue in bag “0047113”, before bob\n"]);
    assert_eq!(blue(&demo)[3], "0047113");
    demo.read(&["key", "list"]).exits(0).answers(&["bag 0047113"]);

    let again = ["key", "seal", "alice/blue", "--bag", "0047114", "--witness", "bob"];
    refused(&demo, &again, 1, &["alice/blue is in bag 0047113 already"]);
    let alone = ["key", "seal", "bob/primary", "--bag", "1", "--witness", "alice"];
    let alone = [&alone[..], &["--sealer", "alice"]].concat();
    refused(&demo, &alone, 1, &["alice can't be both people"]);
    // Where the witness opens the vault, whoever has the key seals it.
    let aside = demo.copied();
    recorded(&aside, &alone[..7], &["bag-sealed"], &["alice/primary", "bob/primary"]);
    let dave = ["key", "seal", "bob/primary", "--bag", "1", "--witness", "dave"];
    refused(&demo, &dave, 2, &["there is no custodian dave"]);
    let none = ["key", "open-bag", "bob/primary", "--bag", "1", "--witness", "bob"];
    refused(&demo, &none, 1, &["bob/primary is in no bag"]);
    let unknown = ["key", "open-bag", "bob/green", "--bag", "1", "--witness", "bob"];
    refused(&demo, &unknown, 2, &["there is no key bob/green", "enrolled are: "]);

    // The serial number is read off the bag: that it is another is on record, and shows.
    let open = ["key", "open-bag", "alice/blue", "--bag", "0047114", "--witness", "carol"];
    let open = [&open[..], &["--opener", "bob", "--by", "bob"]].concat();
    let other = "alice/blue was sealed in bag 0047113, and the bag that was opened is 0047114";
    demo.run(&open)
        .exits(0)
        .answers(&["Recorded entry 8, signed by bob/primary and carol/primary."])
        .says(&[
            "  bob takes alice/blue out of bag “0047114”, its seal whole, before carol\n",
            &format!("NOTE: entry 8: {other}\n"),
        ]);
    assert_eq!(blue(&demo)[3], json!(null));
    let verdict = read(&demo, &["log", "verify"]);
    assert_eq!(verdict["findings"], json!([format!("entry 8: {other}")]));
    assert_eq!(verdict["sound"], true);

    recorded(&demo, &again, &["bag-sealed"], &BOTH);
    let broken = ["key", "open-bag", "alice/blue", "--bag", "0047114", "--witness", "bob"];
    demo.run(&[&broken[..], &["--broken"]].concat())
        .exits(0)
        .says(&["  alice takes alice/blue out of bag “0047114”, ITS SEAL BROKEN, before bob\n"]);
    let finding = "finding: entry 10: the seal of bag 0047114, which held alice/blue, was broken";
    demo.read(&["log", "verify"]).exits(0).answers(&[finding]);
    demo.read(&["vault", "show"]).exits(0).answers(&[finding]);
}

#[test]
fn a_key_that_signs_where_it_should_not_be_is_a_finding() {
    let demo = Demo::people();
    let findings = || read(&demo, &["log", "verify"])["findings"].clone();
    demo.run(&["key", "hand-over", "alice/blue", "--to", "bob"]).exits(0);
    demo.run(&["key", "seal", "carol/primary", "--bag", "7", "--witness", "alice"]).exits(0);
    assert_eq!(findings(), json!([]), "who hands over or seals a key may sign with it");
    demo.run(&["key", "move", "bob/primary", "--to", "x", "--by", "alice/blue"])
        .exits(0)
        .says(&["NOTE: entry 9: alice/blue signed while bob had it by the records\n"]);
    demo.run(&["key", "check", "carol/primary"]).exits(0).says(&[
        "NOTE: entry 10: carol/primary signed, and should have been in the sealed bag 7\n",
    ]);
    assert_eq!(findings().as_array().unwrap().len(), 2);
    let open = ["key", "open-bag", "carol/primary", "--bag", "7", "--witness", "alice"];
    demo.run(&open).exits(0);
    assert_eq!(findings().as_array().unwrap().len(), 2);
}

#[test]
fn a_key_is_taken_back_from_whoever_has_left() {
    let demo = Demo::people();
    let due = || read(&demo, &["vault", "show"])["due"].to_string();
    demo.run(&["custodian", "leave", "carol"]).exits(0);
    assert!(due().contains("take carol/primary back from carol"), "{}", due());
    demo.run(&["key", "hand-over", "carol/primary", "--to", "bob", "--by", "alice"]).exits(0);
    assert!(!due().contains("carol"), "{}", due());
}
