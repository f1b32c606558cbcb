//! `keymuster vault rekey` and `key enrol --new-identity`: another identity after a loss, and
//! new epochs. Stock age tells who opens what.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::super::demo_vault::{Demo, command_in};
use super::super::stock_tools::open_paper;
use super::{answer, read, recorded, refused, touches};

const BOTH: [&str; 2] = ["alice/primary", "bob/primary"];

/// The last passphrase that was handed out to a file of the demo.
fn passphrase(demo: &Demo, file: &str) -> String {
    let text = fs::read_to_string(demo.path(file)).unwrap();
    format!("{}\n", text.lines().last().unwrap())
}

/// What stock age makes of a file of the vault with an identity file; none where it refuses
/// for want of the right identity.
fn opened(demo: &Demo, file: &str, identity: &Path) -> Option<Vec<u8>> {
    let file = demo.path(&format!("vault/{file}"));
    let age = Command::new("age").arg("-d").arg("-i").arg(identity).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&age.stderr).into_owned();
    assert!(age.status.success() || said.contains("no identity matched"), "{said}");
    age.status.success().then_some(age.stdout)
}

/// The same of an epoch of `records`: the entries that it opens, of so many.
fn entries(demo: &Demo, records: u32, identity: &Path, of: u32) -> Vec<u32> {
    let Some(text) = opened(demo, &format!("compartments/records.{records}.age"), identity) else {
        return Vec::new();
    };
    let file = demo.path("opened.identity");
    fs::write(&file, text).unwrap();
    let opens = |number: &u32| opened(demo, &format!("log/{number:06}.age"), &file).is_some();
    (1..=of).filter(opens).collect()
}

/// The secret keys in what was opened.
fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.lines().filter(|line| line.starts_with("AGE-SECRET-KEY-")).map(str::to_owned).collect()
}

fn reader(demo: &Demo) -> PathBuf {
    demo.path("reader.identity")
}

#[test]
fn where_nothing_is_due_nothing_is_made() {
    let demo = Demo::people();
    let before = demo.snapshot();
    demo.run(&["vault", "rekey"])
        .exits(0)
        .answers(&["Nothing needs a new identity or a new epoch.\n"]);
    let none = answer(demo.run(&["vault", "rekey", "--json"]));
    assert_eq!(none["answer"], "not-rekeyed");
    assert_eq!(none["due"], read(&demo, &["vault", "show"])["due"]);
    assert!(demo.snapshot() == before);
    // What another has to do isn't nothing.
    let aside = demo.copied();
    aside.run(&["key", "lost", "bob/paper", "--by", "bob"]).exits(0);
    aside.run(&["vault", "rekey", "--by", "alice"]).exits(0).answers(&[
        "Nothing needs anything that alice's key could give it.\ndue: bob needs a new identity",
    ]);
    // Without a terminal, the passphrase needs a place: known before any touch.
    let ran = demo.run(&["vault", "rekey", "--new-identity"]).exits(4);
    assert_eq!(touches(&ran), [""; 0]);
    ran.says(&["no terminal to show the paper copy's passphrase on", "--paper-fd N"]);
    demo.run(&["vault", "rekey", "--new-identity", "--paper-fd", "9"])
        .exits(2)
        .says(&["file descriptor 9 isn't open"]);
}

#[test]
fn new_epochs_hold_the_identities_of_all_before_them() {
    let demo = Demo::people();
    let all = ["vault", "rekey", "--all"];
    let events = ["compartment-sealed"; 2];
    recorded(&demo, &all, &events, &BOTH);
    demo.read(&["log", "head"]).exits(0);
    let records = |epoch: u32| {
        lines(&opened(&demo, &format!("compartments/records.{epoch}.age"), &reader(&demo)).unwrap())
    };
    for epoch in 2..=4 {
        let (before, now) = (records(epoch - 1), records(epoch));
        assert_eq!(now.len(), before.len() + 1);
        assert_eq!(now[1..], before, "epoch {epoch} holds those before it");
    }
    // The entry that opens an epoch is encrypted to it.
    assert_eq!(entries(&demo, 3, &reader(&demo), 7), [1, 2, 3, 4, 5, 6]);
    assert_eq!(entries(&demo, 4, &reader(&demo), 7), [1, 2, 3, 4, 5, 6, 7]);
    // Whoever reads along the log only opens no secrets.
    assert!(opened(&demo, "compartments/seeds.4.age", &reader(&demo)).is_none());
}

#[test]
fn after_a_loss_a_new_identity_goes_to_the_keys_that_are_left_and_to_a_new_paper_copy() {
    let demo = Demo::people();
    let old = open_paper(&demo, "alice.paper.1", &passphrase(&demo, "paper.txt"));
    demo.run(&["key", "lost", "alice/blue"]).exits(0);
    let rekey = ["vault", "rekey", "--by", "alice/primary"];
    let ran = demo.run_with_paper(&rekey, "alice.paper.txt").exits(0).answers(&[
        "alice has a new identity; the old paper copy opens nothing new.\n",
        "What is written from now on is encrypted anew; what was written before is not.\n",
        "Recorded entry 8, signed by alice/primary and bob/primary.\n",
    ]);
    assert!(!ran.stdout.contains("due:"), "nothing is left to do: {}", ran.stdout);
    // The lost key is plugged in, and gets nothing.
    assert_eq!(touches(&ran).len(), 6, "open, seal, reopen, check, sign, sign: {}", ran.stderr);
    assert!(!demo.path("vault/identities/alice.blue.2.age").exists());
    let ran = ran.says(&[
        "  alice has another identity from now on, age1",
        "  the identity of alice is sealed to alice/primary\n",
        "  the identity of alice is sealed to a passphrase on paper\n",
        "  records is encrypted anew, epoch 4, to alice, auditor, bob, carol\n",
        "  seeds is encrypted anew, epoch 4, to alice, bob, carol\n",
    ]);
    assert!(!ran.stderr.contains("sealed to alice/blue"), "{}", ran.stderr);
    let paper = passphrase(&demo, "alice.paper.txt");
    assert!(!ran.stderr.contains(paper.trim()) && !ran.stdout.contains(paper.trim()));

    let new = open_paper(&demo, "alice.paper.2", &paper);
    assert_eq!(entries(&demo, 3, &old, 8), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(entries(&demo, 4, &old, 8), [0; 0]);
    assert_eq!(entries(&demo, 4, &new, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(opened(&demo, "compartments/seeds.4.age", &new).is_some());
    assert_eq!(read(&demo, &["custodian", "show", "alice"])["exposed"], json!([]));
    assert!(!read(&demo, &["vault", "show"])["due"].to_string().contains("identity"));
    demo.read(&["vault", "impact", "alice/blue"])
        .exits(0)
        .answers(&["the log up to entry 7; closed since"]);
    demo.run(&["log", "verify", "--device", "demo-key-1"]).exits(0).answers(&["SOUND: 8 entries"]);
    // The lost key opens what it could before, and says so.
    demo.run(&["log", "verify", "--device", "demo-key-2"])
        .exits(3)
        .says(&["alice/blue opens the log up to entry 7 only"]);
}

#[test]
fn what_a_leaver_had_opened_opens_the_old_records_and_not_the_new() {
    let demo = Demo::people();
    let bob = open_paper(&demo, "bob.paper.1", &passphrase(&demo, "bob.paper.txt"));
    let carol = open_paper(&demo, "carol.paper.1", &passphrase(&demo, "carol.paper.txt"));
    demo.run(&["custodian", "leave", "bob", "--by", "alice", "--by", "carol"]).exits(0);
    assert_eq!(entries(&demo, 3, &bob, 7), [1, 2, 3, 4, 5, 6]);
    assert_eq!(entries(&demo, 4, &bob, 7), [0; 0]);
    assert_eq!(entries(&demo, 4, &carol, 7), [1, 2, 3, 4, 5, 6, 7]);
    assert!(opened(&demo, "compartments/seeds.3.age", &bob).is_some());
    assert!(opened(&demo, "compartments/seeds.4.age", &bob).is_none());
    assert!(opened(&demo, "compartments/seeds.4.age", &carol).is_some());
    demo.run(&["vault", "show", "--device", "demo-key-3"])
        .exits(3)
        .says(&["bob/primary opens the log up to entry 6 only"]);
}

/// What is sealed anew isn't open to bob, so he can't check it.
#[test]
fn a_leaver_is_no_countersigner_of_their_own_leaving() {
    let demo = Demo::people();
    let leave = ["custodian", "leave", "bob", "--by", "alice", "--by", "bob"];
    let ran = demo.run(&leave).exits(0).answers(&["signed by alice/primary and carol/primary"]);
    assert_eq!(touches(&ran).len(), 4, "open, check, sign, sign: {}", ran.stderr);
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 7 entries"]);
}

#[test]
fn a_key_that_was_not_there_is_due_for_the_new_identity() {
    let demo = Demo::people();
    demo.unplug("demo-key-2");
    let rekey = ["vault", "rekey", "--new-identity"];
    let due = "due: an older identity is sealed to alice/blue, which opens nothing new: plugged \
               in beside another key of its owner's, keymuster vault rekey --new-identity";
    demo.run_with_paper(&rekey, "paper").exits(0).answers(&[due]);
    demo.plug_in("demo-key-2");
    demo.read(&["vault", "show"]).exits(0).answers(&[due]);
    refused(
        &demo,
        &["policy", "change", "--check-days", "60", "--by", "alice/blue"],
        3,
        &["alice/blue opens the log up to entry 6 only"],
    );
    demo.run_with_paper(&[&rekey[..], &["--by", "alice/primary"]].concat(), "paper").exits(0);
    assert!(!read(&demo, &["vault", "show"])["due"].to_string().contains("identity"));
    demo.run(&["log", "verify", "--device", "demo-key-2"]).exits(0).answers(&["SOUND: 8 entries"]);
}

/// Of two custodians, one has only a key that wasn't there when they got another identity: it
/// signs for the next, and what is due says how.
#[test]
fn who_has_only_a_key_with_an_older_identity_gets_another() {
    let demo = Demo::people();
    demo.run(&["custodian", "leave", "carol", "--by", "alice", "--by", "bob"]).exits(0);
    demo.unplug("demo-key-2");
    demo.run_with_paper(&["vault", "rekey", "--new-identity"], "paper").exits(0);
    demo.plug_in("demo-key-2");
    demo.run(&["key", "lost", "alice/primary", "--by", "alice"]).exits(0);
    demo.unplug("demo-key-1");
    let due = read(&demo, &["vault", "show"])["due"].to_string();
    let how = "alice needs a new identity, since alice/primary was reported: keymuster key enrol \
               LABEL --for alice --new-identity";
    assert!(due.contains(how) && !due.contains("an older identity is sealed"), "{due}");
    let enrol = ["key", "enrol", "green", "--for", "alice", "--new-identity"];
    demo.run_with_paper(&enrol, "paper").exits(0).answers(&[
        "Enrolled alice/green.",
        "signed by alice/green and bob/primary and alice/blue.",
        "due: an older identity is sealed to alice/blue",
    ]);
    let due = read(&demo, &["vault", "show"])["due"].to_string();
    assert!(!due.contains("needs a new identity"), "{due}");
    demo.run_with_paper(&["vault", "rekey", "--new-identity", "--by", "alice/green"], "paper")
        .exits(0);
    assert!(!read(&demo, &["vault", "show"])["due"].to_string().contains("identity"));
}

/// A retired key that is plugged in may open the vault; another of its owner's signs.
#[test]
fn a_retired_key_that_opens_the_vault_leaves_signing_to_another() {
    let demo = Demo::people();
    demo.run(&["key", "retired", "alice/primary"]).exits(0);
    demo.run(&["key", "lost", "carol/primary", "--by", "carol"]).exits(0);
    let enrol = ["key", "enrol", "green", "--for", "carol", "--new-identity"];
    let aside = demo.copied();
    let named = [&enrol[..], &["--by", "alice/primary"]].concat();
    let ran = aside.run_with_paper(&named, "paper").exits(3);
    ran.says(&["alice/primary is retired, and may not sign this", "alice: blue active"]);
    aside.unplug("demo-key-2");
    let ran = aside.run_with_paper(&enrol, "paper").exits(4);
    ran.says(&["alice/blue must sign too, and isn't plugged in"]);
    demo.run_with_paper(&enrol, "paper")
        .exits(0)
        .says(&["Opening the vault with alice/primary.", "alice/primary is retired, and may not"])
        .answers(&["signed by carol/green and alice/blue and bob/primary."]);
}

/// The copies are in place before the entry that names them: a key whose newest copy is of an
/// entry that never was opens the vault all the same, with the one before.
#[test]
fn a_rekey_that_was_killed_keeps_nobody_out() {
    let demo = Demo::people();
    let rekey = ["vault", "rekey", "--new-identity", "--paper-fd", "1"];
    let plain = command_in(demo.folder.path());
    let mut killed = Command::new("strace");
    // Compartments, two keys and a paper copy make seven; the eighth is the entry.
    killed.args(["-f", "-qq", "-o", "trace.txt", "-e", "trace=renameat2"]);
    killed.args(["-e", "inject=renameat2:signal=KILL:when=8"]).args(plain.get_args().skip(1));
    killed.args(rekey).args(["--vault", "demo/vault"]).current_dir(demo.folder.path());
    killed.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let killed = killed.output().expect("strace is needed (make setup-test installs it)");
    let trace = fs::read_to_string(demo.folder.path().join("trace.txt")).unwrap();
    assert!(!killed.status.success() && trace.contains("-000007.age"), "{trace}");
    assert!(demo.path("vault/identities/alice.blue.2.age").exists());
    assert!(!demo.path("vault/log/000007.age").exists());

    for device in ["demo-key-1", "demo-key-2"] {
        let ran = demo.run(&["log", "verify", "--device", device]).exits(0);
        assert_eq!(touches(&ran).len(), 2, "{}", ran.stderr);
        ran.answers(&["SOUND: 6 entries", "named by no entry: identities/alice.blue.2.age"])
            .says(&["Passing over a copy: no entry names copy 2 of what"]);
    }
    let rekey = ["vault", "rekey", "--new-identity"];
    demo.run_with_paper(&rekey, "alice.paper.txt").exits(0).answers(&["Recorded entry 7"]);
    for device in ["demo-key-1", "demo-key-2"] {
        let ran = demo.run(&["log", "verify", "--device", device]).exits(0);
        assert_eq!(touches(&ran).len(), 1, "{}", ran.stderr);
    }
    let new = open_paper(&demo, "alice.paper.3", &passphrase(&demo, "alice.paper.txt"));
    assert_eq!(entries(&demo, 5, &new, 7), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn who_has_lost_every_key_gets_another_with_another_identity() {
    let demo = Demo::people();
    let old = open_paper(&demo, "carol.paper.1", &passphrase(&demo, "carol.paper.txt"));
    demo.run(&["key", "compromised", "carol/primary", "--by", "carol"]).exits(0);
    let enrol = ["key", "enrol", "green", "--for", "carol", "--new-identity"];
    let ran = demo.run_with_paper(&enrol, "carol.2.paper.txt").exits(0).answers(&[
        "Enrolled carol/green.\n",
        "Recorded entry 8, signed by carol/green and alice/primary and bob/primary.\n",
    ]);
    assert_eq!(touches(&ran).len(), 9, "open, four enrol, check, three sign: {}", ran.stderr);
    ran.says(&[
        "  carol has another identity from now on, age1",
        "  carol/green is enrolled: SHA256:",
        "Touch bob/primary to open what is sealed anew, as a check",
    ]);
    let new = open_paper(&demo, "carol.paper.2", &passphrase(&demo, "carol.2.paper.txt"));
    let text = fs::read_to_string(&new).unwrap();
    assert!(text.contains("\n# generation: 2\n"), "it says which copy it is");
    assert_eq!(entries(&demo, 3, &old, 8), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(entries(&demo, 4, &old, 8), [0; 0]);
    assert_eq!(entries(&demo, 4, &new, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(!read(&demo, &["vault", "show"])["due"].to_string().contains("identity"));
    assert_eq!(read(&demo, &["custodian", "show", "carol"])["keys"], json!(["green"]));
    let check = ["key", "check", "carol/green"];
    demo.run(&check).exits(0).answers(&["This is carol/green, the key that was enrolled."]);
}

/// With a key that holds the old identity, its owner signs for the new one all the same.
#[test]
fn who_has_a_key_gets_another_identity_with_the_next() {
    let demo = Demo::people();
    let enrol = ["key", "enrol", "green", "--for", "carol", "--new-identity"];
    // With a key of hers, she needs no other way in than a re-key.
    refused(&demo, &[&enrol[..], &["--by", "carol"]].concat(), 2, &["vault rekey --new-identity"]);
    demo.run_with_paper(&enrol, "paper").exits(0);
    let due = "due: an older identity is sealed to carol/primary, which opens nothing new";
    demo.read(&["vault", "show"]).exits(0).answers(&[due]);
    let ran = demo.run(&["log", "verify", "--device", "demo-key-5"]).exits(0);
    ran.answers(&["SOUND: 7 entries"]);
}

#[test]
fn a_key_is_enrolled_for_another_by_a_key_of_theirs_and_a_second_custodian() {
    let demo = Demo::people();
    let enrol = ["key", "enrol", "green", "--for", "bob", "--json"];
    let enrolled = answer(demo.run(&enrol));
    assert_eq!(
        (&enrolled["answer"], &enrolled["key"]),
        (&json!("key-enrolled"), &json!("bob/green"))
    );
    assert_eq!(enrolled["signers"], json!(["bob/green", "bob/primary", "alice/blue"]));
    let of = |who: &str| ["key", "enrol", "red", "--for", who].map(str::to_owned);
    let refuse = |who: &str, more: &[&str], exit, said: &[&str]| {
        let arguments = of(who);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        refused(&demo, &[&arguments[..], more].concat(), exit, said);
    };
    refuse("dave", &[], 2, &["dave has no enrolled key"]);
    refuse("dave", &["--new-identity"], 2, &["there is no custodian dave", "alice, bob, carol"]);
    refuse("auditor", &["--new-identity"], 2, &["there is no custodian auditor"]);
    refused(&demo, &["key", "enrol", "red", "--new-identity"], 2, &["--for <HANDLE>"]);
    let paper = ["key", "enrol", "red", "--paper-fd", "1"];
    refused(&demo, &paper, 2, &["--paper-fd goes with --new-identity"]);
    let taken = ["key", "enrol", "green", "--for", "bob", "--new-identity"];
    refused(&demo, &taken, 1, &["there is a key bob/green already"]);
    let device = ["key", "enrol", "red", "--device", "demo-key-4"];
    refused(&demo, &device, 1, &["demo-key-4 is enrolled already, as carol/primary"]);
}
