//! `keymuster reader`: who may read, on which machine without a key, and no more.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::super::demo_vault::{Demo, Ran, tool};
use super::{answer, read, recorded, refused, touches};

/// An age identity of a reader's own: its file in the demo, its line, its recipient.
fn identity(demo: &Demo, file: &str) -> (String, String) {
    let text = tool("age-keygen", &[], b"");
    fs::write(demo.path(file), &text).unwrap();
    let recipient = String::from_utf8(tool("age-keygen", &["-y"], &text)).unwrap();
    let text = String::from_utf8(text).unwrap();
    let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    (line.to_owned(), recipient.trim().to_owned())
}

const BOTH: [&str; 2] = ["alice/primary", "bob/primary"];

#[test]
fn a_reader_reads_all_from_the_first_entry_on_and_after_the_end_nothing_new() {
    let demo = Demo::people();
    let (_, recipient) = identity(&demo, "inspector.identity");
    let add = ["reader", "add", "inspector", &recipient];
    let ran = demo.run(&add).exits(0).answers(&["inspector may read the log: all of it,"]);
    ran.answers(&["Recorded entry 7, signed by alice/primary and bob/primary."]).says(&[
        &format!("  inspector may read the log as a reader, with the identity {recipient}\n"),
        "  records is encrypted anew, epoch 4, to alice, auditor, bob, carol, inspector\n",
        "Touch bob/primary to open what is sealed anew, as a check",
    ]);
    let list = read(&demo, &["reader", "list"]);
    assert_eq!(list["readers"][1]["reader"], "inspector");
    assert_eq!(list["readers"][1]["recipient"], json!(recipient));
    demo.read(&["reader", "list"]).exits(0).answers(&[&format!("inspector  {recipient}  20")]);
    let as_inspector = |arguments: &[&str]| {
        demo.run(&[arguments, &["--identity", "demo/inspector.identity"]].concat())
    };
    as_inspector(&["log", "verify"]).exits(0).answers(&["SOUND: 7 entries"]);
    // A reader opens no secrets.
    assert_eq!(read(&demo, &["vault", "impact", "inspector"])["compartments"][1], json!(null));

    let remove = ["reader", "remove", "inspector"];
    recorded(&demo, &remove, &["reader-removed", "compartment-sealed"], &BOTH);
    demo.read(&["vault", "impact", "inspector"])
        .exits(0)
        .answers(&["the log up to entry 7; closed since"]);
    as_inspector(&["log", "list"]).exits(3).says(&[
        "CLOSED LOG: what was written from entry 8 on isn't open to this identity",
        "This machine has seen entry 8; what is shown is from before it.",
    ]);
    // Stock age opens what was written before, and not what was written since.
    let identity = demo.path("inspector.identity");
    let records = |epoch: u32| demo.path(&format!("vault/compartments/records.{epoch}.age"));
    let opened = |epoch: u32| {
        let mut age = std::process::Command::new("age");
        age.arg("-d").arg("-i").arg(&identity).arg(records(epoch)).output().unwrap()
    };
    assert!(opened(4).status.success());
    let refusal = String::from_utf8(opened(5).stderr).unwrap();
    assert!(refusal.contains("no identity matched"), "{refusal}");
    let open_entry = |number: u32| {
        let file = demo.path(&format!("vault/log/{number:06}.age"));
        fs::write(demo.path("records.4"), opened(4).stdout).unwrap();
        let mut age = std::process::Command::new("age");
        age.arg("-d").arg("-i").arg(demo.path("records.4")).arg(file).output().unwrap()
    };
    assert!((1..=7).all(|number| open_entry(number).status.success()));
    assert!(!open_entry(8).status.success());
}

#[test]
fn a_reader_that_cannot_be_is_refused_and_a_secret_key_isnt_repeated() {
    let demo = Demo::people();
    let (line, recipient) = identity(&demo, "other.identity");
    let auditor = fs::read(demo.path("reader.identity")).unwrap();
    let auditor = String::from_utf8(tool("age-keygen", &["-y"], &auditor)).unwrap();
    let add = |who, recipient| ["reader", "add", who, recipient];
    refused(&demo, &add("bob", &recipient), 1, &["handle bob is taken"]);
    refused(&demo, &add("auditor", &recipient), 1, &["handle auditor is taken"]);
    refused(&demo, &add("other", auditor.trim()), 1, &["recipient age1", "is taken"]);
    refused(&demo, &add("other", "age1xyz"), 2, &["recipient of other: not an age1… recipient"]);
    refused(&demo, &["reader", "add", "other"], 2, &["RECIPIENT", "--this-machine"]);
    let both = ["reader", "add", "other", &recipient, "--this-machine"];
    refused(&demo, &both, 2, &["cannot be used with"]);
    for json in [&[][..], &["--json"]] {
        let ran = demo.run(&[&add("other", &line)[..], json].concat()).exits(2);
        ran.says(&["recipient of other: this is a secret key; give its recipient"]);
    }
    let ran = demo.run(&[&add("other", &line)[..], &["--json"]].concat());
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains(&line) && !text.contains(&line[20..]), "{text}");
    }
    assert_eq!(touches(&ran), [""; 0]);

    let known = ["there is no reader bob", "readers are: auditor"];
    refused(&demo, &["reader", "remove", "bob"], 2, &known);
}

/// What this machine keeps.
fn machine(demo: &Demo) -> Vec<std::path::PathBuf> {
    let folder = demo.folder.path().join("config/keymuster/readers");
    let items = fs::read_dir(folder).into_iter().flatten();
    items.map(|item| item.unwrap().path()).collect()
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// That reading costs no touch, or one.
#[track_caller]
fn reading_costs(demo: &Demo, count: usize) -> Ran {
    let ran = demo.run(&["log", "head"]).exits(0);
    assert_eq!(touches(&ran).len(), count, "{}", ran.stderr);
    ran
}

#[test]
fn a_machine_that_is_a_reader_reads_without_a_touch() {
    let demo = Demo::people();
    reading_costs(&demo, 1);
    let add = ["reader", "add", "laptop", "--this-machine"];
    let ran = demo.run(&add).exits(0).answers(&[
        "laptop may read the log, on this machine without a key",
        "Recorded entry 7, signed by alice/primary and bob/primary.",
    ]);
    let [file] = &machine(&demo)[..] else { panic!("{:?}", machine(&demo)) };
    let vault = keymuster::vault::Location::at(&demo.path("vault")).unwrap().id;
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), format!("{vault}.identity"));
    assert_eq!((mode(file), mode(file.parent().unwrap())), (0o600, 0o700));
    let kept = fs::read_to_string(file).unwrap();
    assert!(kept.starts_with("AGE-SECRET-KEY-1") && kept.lines().count() == 1, "one line");
    for said in [&ran.stdout, &ran.stderr] {
        assert!(!said.contains("AGE-SECRET-KEY"), "{said}");
    }
    reading_costs(&demo, 0);
    let check = demo.run(&["key", "check", "alice/blue"]).exits(0);
    assert_eq!(touches(&check).len(), 1, "only that which signs: {}", check.stderr);
    let again = ["reader", "add", "notebook", "--this-machine"];
    let ran = demo.run(&again).exits(1).says(&["this machine reads the log already, as laptop"]);
    assert_eq!(touches(&ran), [""; 0]);
    assert_eq!(fs::read_to_string(file).unwrap(), kept);

    recorded(
        &demo,
        &["reader", "remove", "laptop"],
        &["reader-removed", "compartment-sealed"],
        &BOTH,
    );
    reading_costs(&demo, 1);
    // It may become one again, with an identity that was never used.
    let again = answer(demo.run(&[&again[..], &["--json"]].concat()));
    assert_eq!(again["entry"], 10);
    let renewed = fs::read_to_string(file).unwrap();
    assert!(renewed != kept && machine(&demo).len() == 1);
    assert_eq!(mode(file), 0o600);
    reading_costs(&demo, 0);
}

#[test]
fn a_machines_identity_that_is_no_reader_yet_is_taken_up() {
    let demo = Demo::people();
    // Nobody is there who signs too: the identity was made, and no entry says so.
    for device in ["demo-key-3", "demo-key-4"] {
        demo.unplug(device);
    }
    let add = ["reader", "add", "laptop", "--this-machine"];
    refused(&demo, &add, 4, &["a key of bob or carol must sign too"]);
    let made = machine(&demo);
    assert_eq!(made.len(), 1);
    let kept = fs::read(&made[0]).unwrap();
    reading_costs(&demo, 1);
    demo.plug_in("demo-key-3");
    demo.run(&add).exits(0);
    assert_eq!((machine(&demo), fs::read(&made[0]).unwrap()), (made, kept));
    reading_costs(&demo, 0);
}

#[test]
fn a_machine_goes_with_whoever_it_belongs_to() {
    let demo = Demo::people();
    let add = ["reader", "add", "laptop", "--this-machine", "--by", "carol"];
    demo.run(&add)
        .exits(0)
        .answers(&["It is a machine of carol's, and reads as long as carol stays"]);
    reading_costs(&demo, 0);
    demo.run(&["custodian", "leave", "carol", "--by", "alice"])
        .exits(0)
        .answers(&["These readers stay: auditor. Remove those whose identity carol has"]);
    // The entry that says so is closed to it already.
    reading_costs(&demo, 1);
    let known = ["there is no reader laptop", "readers are: auditor"];
    refused(&demo, &["reader", "remove", "laptop"], 2, &known);
}
