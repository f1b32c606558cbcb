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
    let alone = ["compartment", "add", "own", "--member", "zoe"];
    refused(&demo, &alone, 2, &["there is no custodian zoe"]);
    let aside = demo.copied();
    aside.run(&["key", "lost", "alice/paper"]).exits(0);
    let exposed = ["opens to the identity in alice/paper, which was reported", "vault rekey --by"];
    refused(&aside, &of("own", "bob"), 3, &exposed);
    let let_in = ["compartment", "change", "passwords", "--add", "alice", "--by", "bob"];
    refused(&aside, &let_in, 3, &exposed);
    refused(
        &demo,
        &of("seeds", "alice"),
        2,
        &["there is a compartment seeds already", "give yours another name"],
    );
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
    let hint =
        "keep the password with some people and the seed with others: keymuster\ncompartment add";
    // Bob and carol belong to both still.
    let seed = fs::read_to_string(demo.path("password")).map(|_| "MFRGGZDFMZTWQ2LKNNWG23TPOA\n");
    fs::write(demo.path("seed"), seed.unwrap()).unwrap();
    demo.run(&["secret", "replace", "prod-seed", "--file", "demo/seed"]).exits(0).answers(&[
        "WARNING: each of bob, carol can open both the root password and a seed of prod",
        hint,
    ]);
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
    assert!(said.contains("nobody who is left opens own: put what is in it"), "{said}");
    let put = ["secret", "store", "y", "--kind", "note", "--file", "demo/password"];
    let own = [&put[..], &["--compartment", "own"]].concat();
    refused(&demo, &own, 3, &["nobody who is left opens own", "put it in another one: --comp"]);
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
    recorded(&demo, &elsewhere, &["secret-replaced"], &["alice/primary", "bob/primary"]);
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

/// Whoever loses every key gets another identity, which opens no compartment until another member
/// seals it anew. What only they opened is lost, and that is said before.
#[test]
fn who_gets_another_identity_keeps_nobody_from_anything() {
    let demo = parted();
    demo.run(&["compartment", "add", "own", "--member", "carol", "--by", "carol"]).exits(0);
    let put = ["secret", "store", "x", "--kind", "note", "--file", "demo/password"];
    demo.run(&[&put[..], &["--compartment", "own"]].concat()).exits(0);
    let by_carol =
        "To let somebody in first: keymuster compartment change own --add WHO --by carol";
    let note = "NOTE: own opens to carol and to nobody else: what is in it will be lost.";
    let leave = ["custodian", "leave", "carol", "--by", "alice", "--by", "bob"];
    demo.copied().run(&leave).exits(0).says(&[note, by_carol]);

    demo.run(&["key", "lost", "carol/primary", "--by", "carol"]).exits(0);
    let enrol = ["key", "enrol", "green", "--for", "carol", "--new-identity"];
    let ran = demo.run_with_paper(&enrol, "paper").exits(0).says(&[note]);
    assert!(!ran.stderr.contains("To let somebody in"), "no key of hers does: {}", ran.stderr);
    let said = due(&demo);
    let by_bob = "passwords must be encrypted anew: keymuster vault rekey --by bob";
    assert!(said.contains(by_bob) && said.contains("nobody who is left opens own"), "{said}");
    demo.read(&["compartment", "list"]).exits(0).answers(&[
        "carol                       1, which nobody who is left opens\n",
        "bob, carol                  1, to be encrypted anew\n",
    ]);
    // She can do all that others can.
    recorded(
        &demo,
        &["vault", "rekey", "--all", "--by", "carol"],
        &["compartment-sealed"; 2],
        &["carol/green", "alice/blue"],
    );
    let show = ["secret", "show", "prod-root", "--output", "-", "--by", "carol"];
    let now = "passwords, which isn't encrypted to the identity that carol has now";
    demo.run(&show).exits(3).says(&[now, "keymuster vault rekey --by bob seals it anew"]);
    demo.run(&["vault", "rekey", "--by", "bob"]).exits(0);
    assert_eq!(demo.run(&show).exits(0).stdout, "correct horse\n");
    let elsewhere = ["secret", "replace", "x", "--file", "demo/password", "--compartment", "seeds"];
    demo.run(&elsewhere).exits(0);
    assert!(!due(&demo).contains("own"), "{}", due(&demo));
}

/// What somebody was shut out of, they don't say alone to have another value.
#[test]
fn who_was_shut_out_replaces_nothing_alone() {
    let demo = parted();
    let out = ["compartment", "change", "passwords", "--remove", "carol", "--by", "bob"];
    demo.run(&out)
        .exits(0)
        .says(&["carol is shut out of passwords, and may have kept what is in it."]);
    let replace = ["secret", "replace", "prod-root", "--file", "demo/password", "--by"];
    let by = |who: &'static str| [&replace[..], &[who]].concat();
    let alone = demo.copied();
    alone.unplug("demo-key-1");
    alone.unplug("demo-key-2");
    alone.unplug("demo-key-3");
    alone.run(&by("carol")).exits(4).says(&["must sign too, and isn't plugged in"]);
    let both = ["alice/blue", "carol/primary"];
    let aside = demo.copied();
    aside.unplug("demo-key-3");
    recorded(&aside, &by("carol"), &["secret-replaced"], &[both[1], both[0]]);
    recorded(&demo, &by("bob"), &["secret-replaced"], &["bob/primary"]);
}

/// A file of one compartment that is missing is nobody else's business, and with any of them
/// missing a key can be reported.
#[test]
fn a_missing_file_stops_what_needs_it() {
    let demo = parted();
    let change = ["policy", "change", "--check-days", "60"];
    let lost = ["key", "lost", "carol/primary", "--by", "alice"];
    for (file, stops) in [
        ("compartments/passwords.1.age", false),
        ("compartments/records.1.age", false),
        ("compartments/seeds.1.age", false),
        ("compartments/seeds.3.age", true),
        ("identities/bob.paper.1.age", true),
    ] {
        let demo = demo.copied();
        fs::remove_file(demo.path(&format!("vault/{file}"))).unwrap();
        let said = format!("DAMAGED VAULT: {file} is missing, and the log names it");
        if stops {
            refused(&demo, &change, 3, &[&said]);
        } else {
            demo.run(&change).exits(0).says(&[&said]);
        }
        demo.run(&lost).exits(0).says(&[&said]).answers(&["carol/primary is suspended"]);
    }
    fs::remove_file(demo.path("vault/compartments/passwords.1.age")).unwrap();
    let show = ["secret", "show", "prod-root", "--output", "-", "--by", "bob"];
    refused(&demo, &show, 1, &["compartments/passwords.1.age"]);
}
