//! Slips as people use them: written where somebody is, shown, countersigned, sent, and collected where
//! the vault is. Each refusal with its reason.

use std::fs;
use std::path::Path;

use keymuster::key::software::SoftwareKeys;
use keymuster::key::{Authenticator as _, DeviceId, GetAssertion, TouchPrompt, UserVerification};
use keymuster::log::{SignedDocument, sha256};
use keymuster::record::{CompartmentSealed, Event, Hex, KeyName, Time};
use keymuster::sshsig::{Signature, signed_data};
use keymuster::vault::{AgeIdentity, Draft, Location, SlipFile, open_records};
use keymuster::webauthn::CredentialId;
use serde_json::{Value, json};

use super::demo_vault::{Demo, Ran, command_in, ran, tool};

/// A vault of alice, bob and carol.
fn people() -> Demo {
    Demo::people()
}

/// What a command answers in JSON.
#[track_caller]
fn answer(ran: Ran, exit: i32) -> Value {
    let ran = ran.exits(exit);
    serde_json::from_str(&ran.stdout).expect("stdout is one JSON value")
}

/// The lines that ask for a touch.
fn touches(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.starts_with("Touch ")).collect()
}

fn place(demo: &Demo, name: &str) -> String {
    demo.path(name).to_str().unwrap().to_owned()
}

/// A slip of bob's or carol's that says that their key was checked.
fn checked(demo: &Demo, key: &str, file: &str) -> String {
    let file = place(demo, file);
    demo.run(&["key", "check", key, "--slip", &file]).exits(0);
    file
}

/// Why a file isn't collected.
#[track_caller]
fn refused(demo: &Demo, arguments: &[&str], reason: &str) {
    let before = demo.snapshot();
    let ran = demo.run(&[&["log", "collect"], arguments].concat()).exits(3);
    ran.says(&["Not collected: ", reason]).answers(&["1 slip was refused"]);
    assert!(demo.snapshot() == before, "the vault is as it was");
}

#[test]
fn a_slip_says_what_an_entry_would_and_changes_nothing() {
    let demo = people();
    let file = place(&demo, "bob.slip");
    let before = demo.snapshot();
    let ran = demo.run(&["key", "check", "bob/primary", "--slip", &file]).exits(0);
    assert!(demo.snapshot() == before);
    let asked = ["bob/primary to open the vault", "bob/primary to sign the slip"];
    assert!(touches(&ran).iter().zip(asked).all(|(line, asked)| line.contains(asked)), "{ran:?}");
    assert_eq!(touches(&ran).len(), 2);
    ran.says(&["A slip, to be signed by bob/primary:\n  bob/primary was checked\n"]).answers(&[
        "Wrote the slip ",
        "keymuster log collect ",
        ", until 20",
    ]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    assert!(text.len() < 4096 && text.lines().all(|line| line.len() <= 76), "it fits in a mail");
    assert!(!text.contains("bob"), "nobody reads it on its way");

    let shown = demo.read(&["slip", "show", &file]).exits(0);
    let shown =
        shown.answers(&["of bob/primary, 20", "on top of entry 6:\n  bob/primary was checked\n"]);
    shown.answers(&["It can be collected until 20"]);
    let shown = answer(demo.read(&["slip", "show", &file, "--json"]), 0);
    assert_eq!(shown["answer"], "slip");
    assert_eq!(shown["slips"][0]["events"], json!(["key-checked"]));
    assert_eq!((&shown["lacks"], &shown["refused"]), (&Value::Null, &Value::Null));

    demo.run(&["key", "check", "bob/primary", "--slip", &file]).exits(1).says(&["exists already"]);
}

#[test]
fn many_slips_go_into_one_entry_with_one_touch_of_whoever_collects() {
    let demo = people();
    let bob = checked(&demo, "bob/primary", "bob.slip");
    let carol = checked(&demo, "carol/primary", "carol.slip");
    let blue = checked(&demo, "alice/blue", "blue.slip");
    let ran = demo.run(&["log", "collect", &bob, &carol, &blue, "--by", "alice/primary"]).exits(0);
    let asked: Vec<&str> = touches(&ran);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].contains("alice/primary to open") && asked[1].contains("to sign entry 7"));
    ran.says(&["  bob/primary was checked (slip ", "  carol/primary was checked (slip "])
        .answers(&["Recorded entry 7, signed by alice/primary.\nIt takes in 3 slips.\n"]);
    let list = answer(demo.read(&["log", "list", "--json"]), 0);
    let newest = &list["entries"][6];
    assert_eq!(newest["slips"], 3);
    assert_eq!(newest["events"], json!(["key-checked", "key-checked", "key-checked"]));
    demo.read(&["log", "list"]).exits(0).answers(&["alice/primary, +3 slips"]);
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 7 entries"]);
    let verified = answer(demo.read(&["log", "verify", "--json"]), 0);
    assert_eq!(verified["findings"], json!([]), "no counter seems to fall");
    // Stock age opens the entry, slips and all.
    let text = demo.entry(7);
    assert_eq!(text.matches("-----BEGIN SSH SIGNATURE-----").count(), 4);
}

#[test]
fn a_slip_is_collected_once() {
    let demo = people();
    let bob = checked(&demo, "bob/primary", "bob.slip");
    demo.run(&["log", "collect", &bob]).exits(0);
    refused(&demo, &[&bob], "it was admitted before");
    demo.read(&["slip", "show", &bob]).exits(3).answers(&["It can't be collected: "]);
    // The others are collected all the same.
    let carol = checked(&demo, "carol/primary", "carol.slip");
    let ran = answer(demo.run(&["log", "collect", &bob, &carol, "--json"]), 3);
    assert_eq!(ran["answer"], "collected");
    assert_eq!(ran["entry"], 8);
    assert_eq!(ran["slips"].as_array().unwrap().len(), 1);
    assert_eq!(ran["refused"][0]["file"], json!(bob));
    // And one that is named twice is taken in once.
    let blue = checked(&demo, "alice/blue", "blue.slip");
    let ran = answer(demo.run(&["log", "collect", &blue, &blue, "--json"]), 3);
    assert_eq!(ran["refused"][0]["reason"], "slip 2: it is there twice");
}

#[test]
fn what_needs_two_is_countersigned_by_somebody_else() {
    let demo = people();
    let file = place(&demo, "policy.slip");
    let change = ["policy", "change", "--check-days", "60", "--by", "bob", "--slip", &file];
    demo.run(&change).exits(0).answers(&["It isn't enough by itself: policy-changed needs 2"]);
    demo.read(&["slip", "show", &file]).exits(0).answers(&["genuine, and not enough"]);
    refused(&demo, &[&file], "policy-changed needs 2 different custodians to sign, and 1 did");

    let before = fs::read(&file).unwrap();
    let again = demo.run(&["slip", "countersign", &file, "--by", "bob"]).exits(1);
    assert_eq!(touches(&again).len(), 1, "no touch but to open the vault");
    again.says(&["bob signed ", "another custodian's"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    // What it says is told before anybody signs.
    let ran = demo.run(&["slip", "countersign", &file, "--by", "carol"]).exits(0);
    let told = ran.stderr.find("keys are checked every 60 days").unwrap();
    assert!(told < ran.stderr.find("to sign the slip").unwrap());
    demo.read(&["slip", "show", &file]).exits(0).answers(&["It can be collected until"]);
    let more = demo.run(&["slip", "countersign", &file, "--by", "alice"]).exits(1);
    more.says(&["has all the signatures that it needs"]);
    demo.run(&["log", "collect", &file]).exits(0).answers(&["It takes in 2 slips."]);
    demo.read(&["policy", "show"]).exits(0).answers(&["60 days"]);
}

#[test]
fn two_who_are_at_one_place_sign_one_slip() {
    let demo = people();
    let file = place(&demo, "policy.slip");
    let by = ["--by", "bob", "--by", "carol", "--slip", &file];
    demo.run(&[&["policy", "change", "--check-days", "60"][..], &by].concat())
        .exits(0)
        .says(&["carol/primary signs too.", "to be signed by bob/primary and carol/primary:"]);
    demo.run(&["log", "collect", &file, "--by", "alice"]).exits(0);
}

#[test]
fn whoever_collects_signs_for_a_slip_if_they_say_so() {
    let demo = people();
    let file = place(&demo, "waiver.slip");
    let waiver =
        ["waiver", "add", "key-check bob/primary", "--until", "2099-12-31", "--reason", "x"];
    demo.run(&[&waiver[..], &["--by", "bob", "--slip", &file]].concat()).exits(0);
    refused(&demo, &[&file], "--endorse signs for it");
    let ran = demo.run(&["log", "collect", &file, "--endorse"]).exits(0);
    ran.says(&["what slip ", " says is signed for, too"])
        .answers(&["Recorded entry 7, signed by alice/primary.\n"]);
    // Where they are the one who signed the slip, it takes one more.
    let file = place(&demo, "policy.slip");
    let change = ["policy", "change", "--check-days", "60", "--by", "bob", "--slip", &file];
    demo.run(&change).exits(0);
    demo.run(&["log", "collect", &file, "--endorse", "--by", "bob"])
        .exits(0)
        .answers(&["signed by bob/primary and alice/blue"]);
}

#[test]
fn a_slip_that_somebody_else_made_impossible_is_refused() {
    let demo = people();
    let bob = checked(&demo, "bob/primary", "bob.slip");
    let file = place(&demo, "retire.slip");
    let retire = ["key", "retired", "alice/blue", "--by", "bob", "--by", "carol"];
    demo.run(&[&retire[..], &["--slip", &file]].concat()).exits(0);
    demo.run(&retire).exits(0);
    refused(&demo, &[&file], "key-retired: ");
    demo.run(&["custodian", "leave", "bob", "--by", "alice", "--by", "carol"]).exits(0);
    refused(&demo, &[&bob], "bob/primary isn't a key that may sign here: it is retired");
}

/// A slip that says something of a vault that was founded elsewhere.
fn of_another_vault(demo: &Demo) -> String {
    let folder = demo.path("elsewhere");
    fs::create_dir(&folder).unwrap();
    let paper = fs::File::create(folder.join("paper.txt")).unwrap();
    let init = ["vault", "init", "vault", "--demo", "--name", "Another", "--custodian", "zoe"];
    let init = [&init[..], &["--key", "primary", "--paper-fd", "0"]].concat();
    ran(command_in(&folder).args(init).stdin(paper).output().unwrap()).exits(0);
    let check = ["--vault", "vault", "key", "check", "zoe/primary", "--slip", "zoe.slip"];
    ran(command_in(&folder).args(check).output().unwrap()).exits(0);
    folder.join("zoe.slip").to_str().unwrap().to_owned()
}

#[test]
fn a_slip_of_another_vault_or_a_damaged_one_is_refused() {
    let demo = people();
    let theirs = of_another_vault(&demo);
    refused(&demo, &[&theirs], "it is damaged, or a slip for another vault");
    let own = checked(&demo, "bob/primary", "own.slip");
    let text = fs::read_to_string(&own).unwrap();
    let broken = place(&demo, "broken.slip");
    let cut = text.len() / 2;
    for (what, reason) in [
        (String::new(), "it doesn't hold an age file in armour"),
        ("hello".to_owned(), "it doesn't hold an age file in armour"),
        (text[..cut].to_owned(), "it doesn't hold an age file in armour"),
        (text.replacen("\nYWdl", "\nYWdm", 1), "can't be read"),
        (text.clone() + "more\n", "it doesn't hold an age file in armour"),
    ] {
        fs::write(&broken, &what).unwrap();
        refused(&demo, &[&broken], reason);
    }
    // What a mail program does to it is no damage.
    fs::write(&broken, format!("\r\n {}\r\n\r\n", text.replace('\n', "\r\n"))).unwrap();
    demo.run(&["log", "collect", &broken]).exits(0);
    let nowhere = place(&demo, "nowhere.slip");
    let ran = demo.run(&["log", "collect", &nowhere]).exits(1).says(&["is missing"]);
    assert_eq!(touches(&ran), [""; 0], "nobody touches a key for that");
}

#[test]
fn stock_age_opens_a_slip_and_what_was_put_into_one_is_looked_at() {
    let demo = people();
    let file = checked(&demo, "bob/primary", "bob.slip");
    fs::write(demo.path("records"), demo.records()).unwrap();
    let identity = place(&demo, "records");
    let opened = tool("age", &["-d", "-i", &identity, &file], b"");
    let contents: Value = serde_json::from_slice(&opened).unwrap();
    let slip = contents["slips"][0].as_str().unwrap();
    assert!(slip.contains("\nkind = \"key-checked\"\n"), "{slip}");
    assert_eq!(contents["files"], json!([]));

    let recipient = String::from_utf8(tool("age-keygen", &["-y", &identity], b"")).unwrap();
    let recipient = recipient.lines().next().unwrap();
    let forged = place(&demo, "forged.slip");
    let seal = |contents: &Value| {
        let sealed = tool("age", &["-a", "-r", recipient], contents.to_string().as_bytes());
        fs::write(&forged, sealed).unwrap();
    };
    let altered = slip.replacen("bob/primary", "carol/primary", 2);
    let more = slip.replacen(
        "\n[[event]]\n",
        "\n[[event]]\nkind = \"key-checked\"\nkey = \"carol/primary\"\n\n[[event]]\n",
        1,
    );
    for (contents, reason) in [
        (json!({ "format": 1, "slips": [altered], "files": [] }), "that of carol/primary: "),
        (
            json!({ "format": 1, "slips": [more], "files": [] }),
            "the signature isn't one over this text",
        ),
        (json!({ "format": 2, "slips": [slip], "files": [] }), "it is of format 2"),
        (json!({ "format": 1, "slips": [], "files": [] }), "it has no slip, or too many"),
        (json!({ "format": 1, "slips": ["\u{1b}[31m"], "files": [] }), "slip 1 in it is damaged"),
        (json!({ "format": 1, "slips": [slip], "files": ["?"] }), "a file in it is damaged"),
        (json!({ "format": 1, "slips": [slip], "files": [], "to": "/etc" }), "doesn't hold slips"),
        (json!(["\u{7}"]), "doesn't hold slips"),
    ] {
        seal(&contents);
        refused(&demo, &[&forged], reason);
    }
    // A file that no event names goes nowhere.
    let files = |demo: &Demo| demo.snapshot().len();
    let before = files(&demo);
    seal(&json!({ "format": 1, "slips": [slip], "files": ["aGVsbG8="] }));
    demo.run(&["log", "collect", &forged]).exits(0);
    assert_eq!(files(&demo), before + 1, "the entry, and nothing else");
}

#[test]
fn what_a_slip_names_travels_with_it() {
    let demo = people();
    let file = place(&demo, "runbook.slip");
    let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/quarterly.md");
    let adopt = ["runbook", "adopt", runbook.to_str().unwrap(), "--by", "bob", "--slip", &file];
    demo.run(&adopt).exits(0);
    demo.run(&["log", "collect", &file, "--endorse"]).exits(0);
    demo.read(&["runbook", "show", "quarterly"]).exits(0);
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND"]);

    // Without it, it is refused.
    let (demo, file) = (people(), place(&demo, "again.slip"));
    let file = file.as_str();
    let adopt = ["runbook", "adopt", runbook.to_str().unwrap(), "--by", "bob", "--slip", file];
    demo.run(&adopt).exits(0);
    fs::write(demo.path("records"), demo.records()).unwrap();
    let identity = place(&demo, "records");
    let mut contents: Value =
        serde_json::from_slice(&tool("age", &["-d", "-i", &identity, file], b"")).unwrap();
    assert_eq!(contents["files"].as_array().unwrap().len(), 1);
    contents["files"] = json!([]);
    let recipient = String::from_utf8(tool("age-keygen", &["-y", &identity], b"")).unwrap();
    let recipient = recipient.lines().next().unwrap();
    fs::write(file, tool("age", &["-a", "-r", recipient], contents.to_string().as_bytes()))
        .unwrap();
    refused(&demo, &["--endorse", file], "which didn't come with it");
}

/// Puts other files, and another text, into a slip's file, as whoever knows the recipient can.
fn repacked(demo: &Demo, file: &str, change: impl FnOnce(&mut Value)) {
    fs::write(demo.path("records"), demo.records()).unwrap();
    let identity = place(demo, "records");
    let opened = tool("age", &["-d", "-i", &identity, file], b"");
    let mut contents: Value = serde_json::from_slice(&opened).unwrap();
    change(&mut contents);
    let recipient = String::from_utf8(tool("age-keygen", &["-y", &identity], b"")).unwrap();
    let recipient = recipient.lines().next().unwrap();
    fs::write(file, tool("age", &["-a", "-r", recipient], contents.to_string().as_bytes()))
        .unwrap();
}

#[test]
fn a_slip_takes_no_file_away_that_was_there() {
    let demo = people();
    fs::write(demo.path("note"), "the safe's code\n").unwrap();
    let (note, file) = (place(&demo, "note"), place(&demo, "note.slip"));
    let store = ["secret", "store", "note", "--kind", "note", "--file", &note, "--slip", &file];
    demo.run(&store).exits(0);
    let copy = demo.copied();
    let files = |demo: &Demo| {
        let all = demo.snapshot().into_iter();
        all.filter(|(path, _)| path.to_string_lossy().contains("secrets/")).collect::<Vec<_>>()
    };
    // It came by another way already, and stays, whatever becomes of the entry.
    demo.run(&["log", "collect", &file]).exits(0);
    let secret = files(&demo).pop().unwrap();
    let there = copy.path("vault/secrets").join(secret.0.file_name().unwrap());
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    fs::write(&there, &secret.1).unwrap();
    copy.run(&["log", "collect", &file]).exits(0);
    assert_eq!(fs::read(&there).unwrap(), secret.1);

    // One with other bytes is a reason to leave the slip out, before anybody signs.
    let other = people();
    let file = place(&other, "note.slip");
    let store = ["secret", "store", "note", "--kind", "note", "--file", &note, "--slip", &file];
    other.run(&store).exits(0);
    let twin = other.copied();
    twin.run(&["log", "collect", &file]).exits(0);
    let secret = files(&twin).pop().unwrap();
    let there = other.path("vault/secrets").join(secret.0.file_name().unwrap());
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    fs::write(&there, "planted").unwrap();
    let ran = other.run(&["log", "collect", &file]).exits(3).says(&["isn't the one that it names"]);
    assert_eq!(touches(&ran).len(), 1, "nobody signed for that");
    repacked(&other, &file, |contents| contents["files"] = json!([]));
    other.run(&["log", "collect", &file]).exits(3).says(&["isn't the one that it names"]);
    assert_eq!(fs::read_to_string(&there).unwrap(), "planted");
}

#[test]
fn what_a_reported_key_signed_is_not_taken_in_with_the_report() {
    let demo = people();
    let (check, report) = (place(&demo, "check.slip"), place(&demo, "report.slip"));
    demo.run(&[
        "key",
        "move",
        "alice/blue",
        "--to",
        "York",
        "--by",
        "alice/blue",
        "--slip",
        &check,
    ])
    .exits(0);
    demo.run(&["key", "compromised", "alice/blue", "--by", "bob", "--slip", &report]).exits(0);
    let ran = demo.run(&["log", "collect", &check, &report, "--by", "alice/primary"]).exits(3);
    ran.says(&["alice/blue, which signed it, is reported by another slip"])
        .answers(&["It takes in 1 slip."]);
    refused(&demo, &[&check, "--by", "alice/primary"], "it is suspended");
}

#[test]
fn a_place_where_nothing_can_be_written_is_told_before_a_touch() {
    let demo = people();
    let ran = demo.run(&["key", "check", "bob/primary", "--slip", "nowhere/bob.slip"]).exits(1);
    assert_eq!(touches(&ran), [""; 0]);
    ran.says(&["nowhere is missing"]);
}

#[test]
fn who_may_read_and_who_left_is_sealed_anew_by_whoever_collects() {
    let demo = people();
    let file = place(&demo, "leave.slip");
    let leave = ["custodian", "leave", "carol", "--by", "bob", "--slip", &file];
    demo.run(&leave).exits(0).answers(&["custodian-left needs 2"]);
    let ran = demo.run(&["log", "collect", "--endorse", &file]).exits(0);
    ran.says(&["carol leaves", "records is encrypted anew", "seeds is encrypted anew"]);
    let members = |which: &str| {
        let show = answer(demo.read(&["vault", "show", "--json"]), 0);
        let all = show["compartments"].as_array().unwrap().clone();
        all.into_iter().find(|it| it["name"] == which).unwrap()["members"].clone()
    };
    assert_eq!(members("records"), json!(["alice", "auditor", "bob"]));
    assert_eq!(members("seeds"), json!(["alice", "bob"]));
    let own = ["custodian", "leave", "bob", "--by", "bob", "--slip", "x.slip"];
    demo.run(&own).exits(2).says(&["bob can't sign for their own leaving"]);

    let file = place(&demo, "reader.slip");
    let remove = ["reader", "remove", "auditor", "--by", "bob", "--slip", &file];
    demo.run(&remove).exits(0);
    demo.run(&["log", "collect", "--endorse", &file]).exits(0);
    let show = demo.run(&["vault", "show", "--json"]).exits(0);
    assert!(!show.stdout.contains("auditor"), "{}", show.stdout);
}

#[test]
fn a_secret_and_a_check_of_a_token_travel_in_slips() {
    let demo = people();
    let add = ["account", "add", "prod", "--id", "123456789012"];
    demo.run(&add).exits(0);
    demo.run(&["account", "link", "phone", "prod", "--token", "--held-by", "bob"]).exits(0);
    let seed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    fs::write(demo.path("seed"), format!("{seed}\n")).unwrap();
    let (seed_file, file) = (place(&demo, "seed"), place(&demo, "seed.slip"));
    let store = ["secret", "store", "prod-seed", "--kind", "seed", "--account", "prod"];
    let from = ["--file", &seed_file, "--by", "bob", "--slip", &file];
    demo.run(&[&store[..], &from].concat()).exits(0);
    assert!(!fs::read_to_string(&file).unwrap().contains(seed));
    demo.run(&["log", "collect", &file, "--by", "alice"]).exits(0);
    demo.read(&["secret", "list"]).exits(0).answers(&["prod-seed"]);
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND"]);
    // The codes of that seed at that time, of RFC 6238's algorithm as oathtool has it.
    let at = "2026-11-22T12:00:00Z";
    let code = |when: &str| {
        let made = tool("oathtool", &["--totp", "--base32", "--now", when, seed], b"");
        String::from_utf8(made).unwrap().trim().to_owned()
    };
    let codes = [code("2026-11-22 11:59:30 UTC"), code("2026-11-22 12:00:00 UTC")];
    let file = place(&demo, "check.slip");
    let check = ["totp", "check", "--account", "prod", "--seed-file", &seed_file, "--at", at];
    let with = ["--code", &codes[0], "--code", &codes[1], "--by", "bob", "--slip", &file];
    demo.run(&[&check[..], &with].concat()).exits(0).says(&["makes both codes"]);
    demo.run(&["log", "collect", &file, "--by", "alice"])
        .exits(0)
        .says(&["makes the codes of the token"]);
    let without = ["totp", "check", "--seed-file", &seed_file, "--slip", "x.slip"];
    demo.run(&[&without[..], &["--code", "123456", "--code", "234567"]].concat())
        .exits(2)
        .says(&["without --account nothing is"]);
}

#[test]
fn a_copy_that_others_went_on_from_writes_slips_that_are_collected_all_the_same() {
    let here = people();
    let there = here.copied();
    let bob = checked(&there, "bob/primary", "bob.slip");
    here.run(&["key", "check", "alice/primary"]).exits(0);
    here.run(&["key", "check", "carol/primary"]).exits(0);
    here.run(&["log", "collect", &bob]).exits(0).answers(&["Recorded entry 9"]);
    let verified = answer(here.read(&["log", "verify", "--json"]), 0);
    assert_eq!(verified["findings"], json!([]));
}

#[test]
fn a_bundle_with_slips_is_verified_with_stock_tools() {
    let demo = people();
    let bob = checked(&demo, "bob/primary", "bob.slip");
    let file = place(&demo, "policy.slip");
    let change = ["policy", "change", "--check-days", "60", "--by", "bob", "--slip", &file];
    demo.run(&change).exits(0);
    demo.run(&["log", "collect", &bob, &file, "--endorse"]).exits(0);
    let bundle = place(&demo, "with-slips");
    demo.read(&["log", "export", &bundle]).exits(0);
    demo.run_alone(&["log", "verify", &bundle]).exits(0).answers(&["SOUND: 7 entries"]);
    let readme = fs::read_to_string(demo.path("with-slips/README")).unwrap();
    let by_hand = readme.split_once("for sig in slips/*.sig; do\n").unwrap().1;
    let by_hand = by_hand.split_once("  done\n").unwrap().0;
    let script = format!("cd {bundle} && for sig in slips/*.sig; do\n{by_hand}\n done");
    let told = String::from_utf8(tool("sh", &["-c", &script], b"")).unwrap();
    assert_eq!(told.matches("Good \"keymuster-demo-slip\" signature for bob/primary").count(), 2);
    let script = tool("sh", &[&format!("{bundle}/verify.sh")], b"");
    let told = String::from_utf8(script).unwrap();
    assert!(told.contains("authorship    YES"), "{told}");

    let slips: Vec<_> = fs::read_dir(demo.path("with-slips/slips")).unwrap().flatten().collect();
    let tamper = |end: &str| {
        let found = slips.iter().find(|it| it.file_name().to_string_lossy().ends_with(end));
        let path = found.unwrap().path();
        let kept = fs::read(&path).unwrap();
        (path, kept)
    };
    for (end, verdict) in [(".toml", "integrity     NO"), (".sig", "authorship    NO")] {
        let (path, kept) = tamper(end);
        let mut other = kept.clone();
        other[60] ^= 1;
        for changed in [Some(other), None] {
            match &changed {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let output = std::process::Command::new("sh")
                .arg(format!("{bundle}/verify.sh"))
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(told.contains(verdict), "{end}: {told}");
            demo.run_alone(&["log", "verify", &bundle]).exits(3);
            fs::write(&path, &kept).unwrap();
        }
    }
}

/// A slip as somebody makes it who writes programs: signed by a demo key, whatever it says and carries.
fn crafted(
    demo: &Demo,
    key: &str,
    device: &str,
    events: Vec<Event>,
    files: Vec<Vec<u8>>,
) -> String {
    struct Quiet;
    impl TouchPrompt for Quiet {
        fn waiting(&mut self, _left: std::time::Duration) {}
        fn over(&mut self) {}
    }
    let reader = fs::read_to_string(demo.path("reader.identity")).unwrap();
    let identity = AgeIdentity::parse(reader.trim()).unwrap();
    let vault = open_records(Location::at(&demo.path("vault")).unwrap(), &[&identity]).unwrap();
    let mut keys = SoftwareKeys::in_folder(&demo.path("demo-keys")).unwrap();
    let name: KeyName = key.parse().unwrap();
    let public_key = vault.replay().public_keys()[&name].clone();
    let credential = vault.state().keys()[&name].enrolment.credential.0.clone();
    let now = Time::new(chrono::Utc::now()).unwrap();
    let draft = Draft {
        signers: vec![name],
        events,
        slips: Vec::new(),
        time: now,
        salt: Hex([7; 16]),
        tool: "a program".parse().unwrap(),
    };
    let (document, head) = vault.draft_slip(draft).unwrap();
    let namespace = "keymuster-demo-slip";
    let request = GetAssertion {
        application: public_key.application().to_owned(),
        credential: CredentialId::new(credential).unwrap(),
        challenge: signed_data(namespace, head.to_string().as_bytes()),
    };
    let device = DeviceId(device.to_owned());
    let assertion = keys.sign(&device, &request, UserVerification::BuiltIn, &mut Quiet).unwrap();
    let (data, signature) = (&assertion.authenticator_data, &assertion.signature);
    let armor = Signature::from_assertion(&public_key, namespace, data, signature).unwrap();
    let slips = vec![SignedDocument::new(&document, &[armor.to_armor()]).unwrap()];
    let sealed = vault.seal_slips(&SlipFile { slips, files }).unwrap();
    let path = demo.path("crafted.slip");
    fs::write(&path, sealed).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_a_slip_seals_anew_is_opened_by_whoever_signs_for_it() {
    for which in ["seeds", "records"] {
        let demo = people();
        // Carol alone knows what is in it.
        let file = b"nothing that anybody could open".to_vec();
        let own = AgeIdentity::generate(&mut |bytes| bytes.fill(9)).unwrap();
        let show = answer(demo.read(&["vault", "show", "--json"]), 0);
        let all = show["compartments"].as_array().unwrap();
        let known = all.iter().find(|it| it["name"] == which).unwrap();
        let members = known["members"].as_array().unwrap().iter();
        let sealing = Event::CompartmentSealed(CompartmentSealed {
            compartment: which.parse().unwrap(),
            epoch: u32::try_from(known["epoch"].as_u64().unwrap()).unwrap() + 1,
            recipient: own.recipient().as_str().parse().unwrap(),
            members: members.map(|it| it.as_str().unwrap().parse().unwrap()).collect(),
            sha256: sha256(&file),
        });
        let slip = crafted(&demo, "carol/primary", "demo-key-4", vec![sealing], vec![file]);
        let before = demo.snapshot();
        let ran = demo.run(&["log", "collect", "--endorse", &slip, "--by", "alice/primary"]);
        assert_ne!(ran.exit, 0, "{ran:?}");
        assert!(
            ran.stderr.contains("can't be opened") || ran.stderr.contains("don't open"),
            "{ran:?}"
        );
        assert!(!ran.stderr.contains("to sign entry"), "nobody signs for it: {ran:?}");
        assert!(demo.snapshot() == before, "{which}: the vault is as it was");
        let ran = demo.run(&["slip", "countersign", &slip, "--by", "bob"]).exits(3);
        ran.says(&["seals a compartment anew, which can't be looked at here"]);
    }
}
