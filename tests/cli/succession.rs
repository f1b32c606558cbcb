//! A vault that takes the place of another, whose custodians can't sign for it any more.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::demo_vault::{Demo, Ran, command_in, ran};

/// Founds a vault in `new` beside the old one.
fn founded(old: &Demo, more: &[&str]) -> Ran {
    let folder = old.folder.path();
    let paper = fs::File::create(old.path("new.paper.txt")).unwrap();
    let init = ["vault", "init", "demo/new/vault", "--demo", "--name", "Example Corp, again"];
    let founder = ["--custodian", "zoe", "--key", "primary", "--paper-fd", "0"];
    let all = [&init[..], &founder, more].concat();
    ran(command_in(folder).args(all).stdin(paper).output().unwrap())
}

/// A command on the new vault, opened with its key.
fn on_new(old: &Demo, arguments: &[&str]) -> Ran {
    let all = [&["--vault", "demo/new/vault"], arguments].concat();
    ran(command_in(old.folder.path()).args(all).output().unwrap())
}

fn json_of(ran: Ran) -> Value {
    serde_json::from_str(&ran.exits(0).stdout).unwrap()
}

const SUCCEEDS: [&str; 4] = ["--succeeds", "demo/vault", "--identity", "demo/reader.identity"];

#[test]
fn a_successor_names_the_old_head_and_says_so_wherever_it_is_shown() {
    let old = Demo::people();
    let show = json_of(old.read(&["vault", "show", "--json"]));
    let (id, link) = (show["vault"].as_str().unwrap(), show["head"]["link"].as_str().unwrap());
    let reason = ["--reason", "two of three keys burnt"];
    let ran = founded(&old, &[&SUCCEEDS[..], &reason].concat()).exits(0);
    let words =
        format!("it takes the place of the vault {id}, from its entry 6 on, whose link is {link}");
    ran.says(&[&words, "two of three keys burnt"]);

    let told = format!("SUCCESSOR: {words}.");
    for command in [&["vault", "show"][..], &["status"], &["key", "check", "zoe/primary"]] {
        let ran = on_new(&old, command);
        assert!(ran.stderr.contains(&told), "{command:?}: {ran:?}");
    }
    let shown = json_of(on_new(&old, &["vault", "show", "--json"]));
    let succeeds = json!({
        "vault": id, "number": 6, "link": link, "reason": "two of three keys burnt"
    });
    assert_eq!(shown["succeeds"], succeeds);
    let shown = on_new(&old, &["vault", "show"]).exits(0);
    shown.answers(&["succeeds     ", ", from its entry 6 on (two of three keys burnt)"]);
    on_new(&old, &["vault", "card"]).exits(0).answers(&["In place of the vault"]);
    on_new(&old, &["log", "export", "demo/bundle-of-new"]).exits(0);
    let readme = fs::read_to_string(old.path("bundle-of-new/README")).unwrap();
    assert!(readme.contains(&format!("takes the place of the vault {id}")), "{readme}");
    let bundle = ran_in(old.folder.path(), &["log", "verify", "demo/bundle-of-new"]).exits(0);
    bundle.says(&[&told]);
    on_new(&old, &["report", "demo/report-of-new"]).exits(0);
    let page = fs::read_to_string(old.path("report-of-new/index.html")).unwrap();
    assert!(page.contains("In place of the vault"));
    let report = fs::read_to_string(old.path("report-of-new/report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["succeeds"], succeeds);
}

fn ran_in(folder: &Path, arguments: &[&str]) -> Ran {
    ran(command_in(folder).args(arguments).output().unwrap())
}

#[test]
fn a_successor_carries_over_what_its_founders_choose() {
    let old = Demo::people();
    let add = ["account", "add", "prod", "--id", "123456789012", "--email", "root@example.com"];
    old.run(&[&add[..], &["--mailbox-reader", "bob", "--password-at", "safe 2"]].concat()).exits(0);
    old.run(&["account", "link", "bob/primary", "prod"]).exits(0);
    old.run(&["policy", "change", "--check-days", "30", "--duty", "I keep my key"]).exits(0);

    let more = ["--carry", "accounts", "--carry", "policy"];
    founded(&old, &[&SUCCEEDS[..], &more].concat()).exits(0);
    let policy = json_of(on_new(&old, &["policy", "show", "--json"]));
    assert_eq!(policy["check_days"], 30);
    let shown = on_new(&old, &["account", "show", "prod"]).exits(0);
    shown.answers(&["123456789012", "root@example.com", "safe 2"]);
    let shown = on_new(&old, &["account", "show", "prod"]).stdout;
    assert!(!shown.contains("bob"), "nobody whom the new vault doesn't know: {shown}");
    on_new(&old, &["log", "verify"]).exits(0).answers(&["SOUND: 1 entry"]);
}

#[test]
fn a_successor_of_nothing_is_refused_and_makes_nothing() {
    let old = Demo::people();
    founded(&old, &["--carry", "accounts"]).exits(2).says(&["--succeeds"]);
    founded(&old, &["--reason", "x"]).exits(2).says(&["--succeeds"]);
    founded(&old, &["--succeeds", "nowhere"]).exits(1).says(&["nowhere"]);
    assert!(!old.path("new").exists());
    // A faulty log is succeeded by nobody: what of it counts, nobody could say.
    let faulty = Demo::people();
    fs::write(faulty.path("vault/log/000004.age"), "x").unwrap();
    founded(&faulty, &SUCCEEDS).exits(3).says(&["faulty"]);
    assert!(!faulty.path("new/vault/vault.toml").exists());
    // What can't be vouched for isn't taken over either.
    fs::remove_file(old.path("vault/log/000006.age")).unwrap();
    founded(&old, &SUCCEEDS).exits(3).says(&["its tail was cut off, or it is an old copy"]);
    assert!(!old.path("new/vault/vault.toml").exists());
}
