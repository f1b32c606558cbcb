//! `keymuster compartment`: secrets that open to some custodians only.

use std::fs;

use serde_json::json;

use super::super::demo_vault::Demo;
use super::secrets::{store_seed, with_token};
use super::{answer, read, recorded, refused, touches};

const MADE: [&str; 2] = ["members-chosen", "compartment-sealed"];

fn due(demo: &Demo) -> String {
    read(demo, &["vault", "show"])["due"].to_string()
}

/// A vault with the seed of prod's token in `seeds`, and its password in a compartment that
/// opens to bob and carol.
fn parted() -> Demo {
    let demo = with_token();
    store_seed(&demo);
    let add = ["compartment", "add", "passwords", "--member", "bob", "--member", "carol"];
    demo.run(&[&add[..], &["--by", "bob"]].concat()).exits(0);
    fs::write(demo.path("password"), "correct horse\n").unwrap();
    let store = ["secret", "store", "prod-root", "--kind", "password", "--account", "prod"];
    let store = [&store[..], &["--file", "demo/password", "--compartment", "passwords"]].concat();
    demo.run(&store).exits(0);
    demo
}

#[test]
fn a_compartment_is_made_by_two_one_of_whom_belongs_to_it() {
    let demo = Demo::people();
    let add = ["compartment", "add", "passwords", "--member", "carol", "--member", "bob"];
    let hint = "passwords opens to bob, carol; name one with --by";
    refused(&demo, &add, 3, &["alice opened the vault, and isn't one of those", hint]);
    let by = |who: &'static str| [&add[..], &["--by", who]].concat();
    let ran = demo.copied().run(&by("bob")).exits(0);
    // Bob opens the vault and signs; alice, whom it doesn't open to, only signs.
    assert_eq!(touches(&ran).len(), 3, "{}", ran.stderr);
    ran.says(&["passwords opens to bob, carol only", "passwords is encrypted anew, epoch 1, to"]);
    // Where the other belongs to it too, their key opens it as a check.
    let with_carol = [&by("bob")[..], &["--by", "carol"]].concat();
    let ran = demo.copied().run(&with_carol).exits(0);
    assert_eq!(touches(&ran).len(), 4, "{}", ran.stderr);
    recorded(&demo, &by("bob"), &MADE, &["bob/primary", "alice/blue"]);
    let list = read(&demo, &["compartment", "list"]);
    let listed = &list["compartments"][0];
    assert_eq!(listed["compartment"], "passwords");
    assert_eq!(listed["opens_to"], json!(["bob", "carol"]));
    assert_eq!((&listed["chosen"], &listed["epoch"]), (&json!(true), &json!(1)));
    assert_eq!(list["compartments"][2]["chosen"], false);
    demo.read(&["compartment", "list"]).exits(0).answers(&[
        "compartment  holds      opens to",
        "passwords    0 secrets  bob, carol",
        "records      the log    alice, auditor, bob, carol",
        "seeds        0 secrets  alice, bob, carol ",
    ]);
    refused(&demo, &by("bob"), 2, &["there is a compartment passwords already", "lets others in"]);
    let of = |name, who| ["compartment", "add", name, "--member", who, "--member", "alice"];
    refused(&demo, &of("own", "zoe"), 2, &["there is no custodian zoe", "custodians are: alice"]);
    refused(&demo, &of("seeds", "alice"), 2, &["there is a compartment seeds already"]);
    refused(&demo, &of("own", "auditor"), 2, &["there is no custodian auditor"]);
    demo.run(&["compartment", "add", "own"]).exits(2).says(&["--member"]);
    let only = ["compartment", "add", "own", "--member", "alice"];
    demo.run(&only)
        .exits(0)
        .answers(&["What is in own is lost with alice, whom alone it opens to."]);
}

/// The warning that one person opens password and seed can be heeded.
#[test]
fn a_password_and_a_seed_can_be_kept_from_one_person() {
    let demo = parted();
    let hint = "keep one in a compartment of other people: keymuster compartment add";
    // Bob and carol belong to both still.
    let seed = fs::read_to_string(demo.path("password")).map(|_| "MFRGGZDFMZTWQ2LKNNWG23TPOA\n");
    fs::write(demo.path("seed"), seed.unwrap()).unwrap();
    demo.run(&["secret", "replace", "prod-seed", "--file", "demo/seed"])
        .exits(0)
        .answers(&["Each of bob, carol can open both the root password and a seed of prod", hint]);
    demo.run(&["compartment", "add", "tokens", "--member", "alice"]).exits(0);
    let replace = ["secret", "replace", "prod-seed", "--file", "demo/seed"];
    let parted = demo.run(&[&replace[..], &["--compartment", "tokens"]].concat()).exits(0);
    assert!(!parted.stdout.contains("can open both"), "{}", parted.stdout);
    let nowhere = [&replace[..], &["--compartment", "cellar"]].concat();
    let said = ["there is no compartment cellar", "there are: passwords, records, seeds, tokens"];
    refused(&demo, &nowhere, 2, &said);
    // It is the same seed, which bob and carol could open in seeds.
    assert!(due(&demo).contains("1 secret that bob could open"), "{}", due(&demo));

    let show = ["secret", "show", "prod-root", "--output", "-", "--by"];
    let ran = demo.run(&[&show[..], &["alice"]].concat()).exits(3);
    ran.says(&["prod-root.1 is in passwords, which doesn't open to alice", "opens to: bob, carol"]);
    let shown = demo.run(&[&show[..], &["carol"]].concat()).exits(0);
    assert_eq!(shown.stdout, "correct horse\n");
    let list = read(&demo, &["secret", "list", "--account", "prod"]);
    assert_eq!(list["secrets"][0]["opens_to"], json!(["bob", "carol"]));
}

#[test]
fn members_are_let_in_and_shut_out() {
    let demo = parted();
    let change =
        |more: &[&'static str]| [&["compartment", "change", "passwords"][..], more].concat();
    let ran = demo.run(&change(&["--add", "alice", "--by", "alice"])).exits(3);
    ran.says(&["alice opened the vault, and isn't one of those whom passwords opens to"]);
    refused(&demo, &change(&["--remove", "alice"]), 2, &["alice doesn't belong to passwords"]);
    refused(
        &demo,
        &change(&["--add", "bob", "--remove", "bob"]),
        2,
        &["added and removed at once"],
    );
    let own = change(&["--remove", "bob", "--by", "bob"]);
    refused(
        &demo,
        &own,
        3,
        &["bob opened the vault, and can't sign themselves out", "opens to carol"],
    );
    let all = change(&["--remove", "bob", "--remove", "carol", "--by", "bob"]);
    refused(&demo, &all, 2, &["nobody could open passwords then", "--compartment WHICH"]);
    demo.run(&change(&[])).exits(2);
    demo.run(&change(&["--add", "bob"])).exits(0).answers(&["It is so already.\n"]);
    let other = ["compartment", "change", "seeds", "--remove", "bob"];
    refused(&demo, &other, 1, &["seeds opens to every custodian, so nobody chooses its members"]);
    let none = ["compartment", "change", "cellar", "--add", "bob"];
    refused(&demo, &none, 2, &["there is no compartment cellar"]);

    recorded(
        &demo,
        &change(&["--add", "alice", "--by", "bob"]),
        &MADE,
        &["bob/primary", "alice/blue"],
    );
    // Who comes in opens what was there before, too.
    let show = ["secret", "show", "prod-root", "--output", "-", "--by", "alice"];
    assert_eq!(demo.run(&show).exits(0).stdout, "correct horse\n");
    assert!(!due(&demo).contains("should be closed"), "{}", due(&demo));
    let out = demo.run(&change(&["--remove", "carol", "--by", "alice"])).exits(0);
    let said = "carol could open 1 secret that should be closed to them now: keymuster vault impact \
                carol\n";
    out.answers(&[said]);
    let all =
        "1 secret that carol could open, and that should be closed to them, is to be replaced";
    assert!(due(&demo).contains(all), "{}", due(&demo));
    demo.run(&["secret", "show", "prod-root", "--output", "-", "--by", "carol"]).exits(3);
    fs::write(demo.path("new"), "staple\n").unwrap();
    demo.run(&["secret", "replace", "prod-root", "--file", "demo/new"]).exits(0);
    assert!(!due(&demo).contains("carol could"), "{}", due(&demo));
}

/// What the signers can't open they can't seal anew: it stays due, and takes nothing until then.
#[test]
fn a_compartment_is_sealed_anew_by_those_who_belong_to_it() {
    let demo = parted();
    let own = ["compartment", "add", "own", "--member", "carol", "--by", "carol"];
    demo.run(&own).exits(0);
    let put = ["secret", "store", "x", "--kind", "note", "--compartment", "own"];
    demo.run(&[&put[..], &["--file", "demo/password"]].concat()).exits(0);
    let leave = answer(demo.run(&[
        "custodian",
        "leave",
        "carol",
        "--by",
        "alice",
        "--by",
        "bob",
        "--json",
    ]));
    assert_eq!(
        leave["events"],
        json!(["custodian-left", "compartment-sealed", "compartment-sealed"]),
        "alice opens records and seeds"
    );
    let said = due(&demo);
    assert!(
        said.contains("passwords must be encrypted anew: keymuster vault rekey --by bob"),
        "{said}"
    );
    assert!(said.contains("nobody who is left can open own"), "{said}");
    let store = ["secret", "replace", "prod-root", "--file", "demo/password"];
    let hint = "keymuster vault rekey";
    refused(&demo, &store, 3, &["passwords isn't encrypted to those who should open it now", hint]);
    demo.run(&["vault", "rekey", "--by", "alice"]).exits(0).answers(&["Nothing needs anything"]);
    recorded(
        &demo,
        &["vault", "rekey", "--by", "bob"],
        &["compartment-sealed"],
        &["bob/primary", "alice/blue"],
    );
    assert!(!due(&demo).contains("passwords must"), "{}", due(&demo));
    demo.run(&store).exits(0);
    // What nobody opens is put elsewhere.
    let elsewhere = ["secret", "replace", "x", "--file", "demo/password", "--compartment", "seeds"];
    demo.run(&elsewhere).exits(0);
    assert!(!due(&demo).contains("nobody who is left"), "{}", due(&demo));
    demo.read(&["log", "verify"]).exits(0);
}

#[test]
fn who_leaves_is_named_before_what_they_alone_can_open_is_lost() {
    let demo = parted();
    demo.run(&["compartment", "add", "own", "--member", "carol", "--by", "carol"]).exits(0);
    // Nothing is in it yet.
    let leave = ["custodian", "leave", "carol"];
    let empty = demo.copied().run(&leave).exits(0);
    assert!(!empty.stderr.contains("NOTE: own"), "{}", empty.stderr);
    let put = ["secret", "store", "x", "--kind", "note", "--compartment", "own"];
    demo.run(&[&put[..], &["--file", "demo/password"]].concat()).exits(0);
    demo.run(&leave).exits(0).says(&["NOTE: own opens to carol and to nobody else"]);
}

/// A new identity of a member's brings new epochs of what they belong to.
#[test]
fn a_new_identity_brings_a_new_epoch_of_what_its_owner_belongs_to() {
    let demo = parted();
    demo.run(&["key", "lost", "bob/paper", "--by", "bob"]).exits(0);
    let said = due(&demo);
    let all = "2 secrets that bob/paper could open, which was reported, are to be replaced";
    assert!(said.contains(all), "{said}");
    let ran = demo.run_with_paper(&["vault", "rekey", "--by", "bob"], "new-paper.txt").exits(0);
    ran.says(&["passwords is encrypted anew, epoch 2", "seeds is encrypted anew"]);
    let show = ["secret", "show", "prod-root", "--output", "-", "--by", "carol"];
    assert_eq!(demo.run(&show).exits(0).stdout, "correct horse\n");
    assert!(due(&demo).contains(all), "another identity takes nothing back: {}", due(&demo));
    fs::write(demo.path("new"), "staple\n").unwrap();
    demo.run(&["secret", "replace", "prod-root", "--file", "demo/new"]).exits(0);
    assert!(due(&demo).contains("1 secret that bob/paper could open"), "{}", due(&demo));
}
