//! Two copies of a vault that went separate ways, as real git has them: one was first, and the other
//! gives way without losing what was signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::demo_vault::{Demo, Ran};

/// Two clones of one repository: alice's, and bob's.
struct Clones {
    alice: Demo,
    bob: Demo,
    _origin: tempfile::TempDir,
}

/// Runs git in a clone. Whether it succeeded, and what it said.
pub fn git(demo: &Demo, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
        .args(arguments)
        .current_dir(demo.path("vault"))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_EDITOR", "true")
        .output()
        .expect("git runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
pub fn git_does(demo: &Demo, arguments: &[&str]) {
    let (succeeded, said) = git(demo, arguments);
    assert!(succeeded, "git {arguments:?}: {said}");
}

#[track_caller]
pub fn commit(demo: &Demo) {
    git_does(demo, &["add", "--all"]);
    git_does(demo, &["commit", "--quiet", "--message", "x"]);
}

impl Clones {
    fn new() -> Self {
        let (alice, origin) = (Demo::people(), tempfile::tempdir().unwrap());
        let at = origin.path().to_str().unwrap();
        git_does(&alice, &["init", "--quiet", "--bare", "--initial-branch=main", at]);
        git_does(&alice, &["init", "--quiet", "--initial-branch=main"]);
        commit(&alice);
        git_does(&alice, &["remote", "add", "origin", at]);
        git_does(&alice, &["push", "--quiet", "--set-upstream", "origin", "main"]);
        let bob = alice.copied();
        Self { alice, bob, _origin: origin }
    }

    /// Bob records something, and pushes it.
    fn bob_is_first(&self, arguments: &[&str]) {
        self.bob.run(arguments).exits(0);
        commit(&self.bob);
        git_does(&self.bob, &["push", "--quiet"]);
    }

    /// Alice, who recorded something too, learns of it and gives way.
    fn alice_yields(&self, from: &str, more: &[&str]) -> Ran {
        commit(&self.alice);
        assert!(!git(&self.alice, &["push"]).0, "bob was first");
        let (merged, said) = git(&self.alice, &["pull", "--no-rebase"]);
        assert!(!merged && said.contains("CONFLICT"), "git sees it: {said}");
        git_does(&self.alice, &["merge", "--abort"]);
        let ran = self.alice.run(&[&["log", "yield", from], more].concat());
        commit(&self.alice);
        git_does(&self.alice, &["pull", "--quiet", "--no-rebase"]);
        ran
    }

    fn yielded(&self) -> Vec<String> {
        let folder = fs::read_dir(self.alice.path("vault/yielded")).unwrap();
        let mut all: Vec<PathBuf> = folder.map(|item| item.unwrap().path()).collect();
        all.sort();
        all.into_iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    /// Alice takes in what she moved aside.
    fn collect(&self, exit: i32, more: &[&str]) -> Ran {
        let slips = self.yielded();
        let slips: Vec<&str> = slips.iter().map(String::as_str).collect();
        self.alice.run(&[&["log", "collect"], &slips[..], more].concat()).exits(exit)
    }
}

fn findings(demo: &Demo) -> Vec<String> {
    let ran = demo.read(&["log", "verify", "--json"]);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["verdicts"]["integrity"]["verdict"], "yes", "{answer}");
    assert_eq!(answer["verdicts"]["authority"]["verdict"], "yes", "{answer}");
    answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap().to_owned())
        .collect()
}

const MOVE: [&str; 6] = ["key", "move", "alice/blue", "--to", "safe 2", "--by"];

#[test]
fn whoever_was_second_gives_way_and_loses_neither_event_nor_touch() {
    let clones = Clones::new();
    clones.bob_is_first(&["key", "check", "bob/primary"]);
    clones.alice.run(&[&MOVE[..], &["alice/blue"]].concat()).exits(0);
    let ran = clones.alice_yields("7", &[]).exits(0);
    ran.says(&["Entry 7, signed by alice/blue, is moved aside:\n  alice/blue is kept at “safe 2”"])
        .answers(&["1 entry is moved aside, and nothing of it is lost", "yielded/000007."]);
    clones.alice.read(&["log", "list"]).exits(0).answers(&["bob/primary"]);

    let ran = clones.collect(0, &["--by", "alice/primary"]);
    ran.answers(&["Recorded entry 8, signed by alice/primary.\nIt takes in 1 slip."]);
    assert_eq!(findings(&clones.alice), [""; 0]);
    clones.alice.read(&["key", "list"]).exits(0).answers(&["safe 2"]);
    commit(&clones.alice);
    git_does(&clones.alice, &["push", "--quiet"]);
    git_does(&clones.bob, &["pull", "--quiet"]);
    assert_eq!(findings(&clones.bob), [""; 0]);
}

#[test]
fn a_row_of_entries_is_taken_in_as_a_whole_and_a_key_that_signed_two_heads_is_told() {
    let clones = Clones::new();
    clones.bob_is_first(&["key", "check", "bob/primary"]);
    clones.alice.run(&[&MOVE[..], &["alice/primary"]].concat()).exits(0);
    clones.alice.run(&["key", "check", "alice/primary"]).exits(0);
    clones.alice_yields("7", &[]).exits(0).answers(&["2 entries are moved aside"]);
    // The second follows the first.
    let slips = clones.yielded();
    clones.alice.run(&["log", "collect", &slips[1]]).exits(3).says(&["an entry 7 that this log"]);
    clones.collect(0, &["--by", "alice/primary"]).answers(&["It takes in 2 slips."]);
    let told = findings(&clones.alice);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("alice/primary signed two different heads of number 8"), "{told:?}");
}

#[test]
fn the_loser_gets_a_plain_explanation() {
    let clones = Clones::new();
    clones.bob_is_first(&["key", "check", "bob/primary"]);
    clones.alice.run(&["key", "check", "alice/primary"]).exits(0);
    commit(&clones.alice);
    git_does(&clones.alice, &["fetch", "--quiet"]);
    git_does(&clones.alice, &["reset", "--quiet", "--hard", "origin/main"]);
    let said =
        ["entry 7 of this copy isn't the one that this machine has seen", "keymuster log yield"];
    clones.alice.run(&["key", "check", "alice/primary"]).exits(3).says(&said);
    git_does(&clones.alice, &["reset", "--quiet", "--hard", "ORIG_HEAD"]);
    clones.alice.run(&["log", "yield", "7"]).exits(0);
    git_does(&clones.alice, &["reset", "--quiet", "--hard", "origin/main"]);
    // What git doesn't know it leaves alone.
    clones.collect(0, &[]);
}

#[test]
fn somebody_elses_entry_takes_a_head_from_another_custodian() {
    let clones = Clones::new();
    clones.bob_is_first(&["key", "check", "bob/primary"]);
    // The other copy may have gone on: what counts is where they part.
    clones.bob.run(&["key", "check", "bob/primary"]).exits(0);
    let head = clones.bob.read(&["log", "head", "--entry", "7"]).exits(0).stdout;
    clones.alice.run(&["key", "check", "carol/primary"]).exits(0);
    let before = clones.alice.snapshot();
    let refused = |more: &[&str], said: &[&str]| {
        let by = [&["log", "yield", "7"], more].concat();
        clones.alice.run(&by).exits(3).says(said);
        assert!(clones.alice.snapshot() == before);
    };
    refused(&[], &["entry 7 isn't alice's: no key of theirs signed it", "--head FILE"]);
    let file = clones.alice.path("theirs.head");
    let named = file.to_str().unwrap().to_owned();
    // What both have stays, whatever comes after it: here entry 6, and the same 7.
    let own = clones.alice.read(&["log", "head"]).exits(0).stdout;
    fs::write(&file, own).unwrap();
    refused(&["--head", &named], &["the other copy has the same entry 7"]);
    fs::write(&file, &head).unwrap();
    let early = ["log", "yield", "6", "--head", &named];
    let said = ["that isn't the head of entry 6", "keymuster log head --entry 6"];
    clones.alice.run(&early).exits(3).says(&said);
    clones.bob.read(&["log", "head", "--entry", "9"]).exits(2).says(&["there is no entry 9"]);
    clones.bob.read(&["log", "head", "--entry", "0"]).exits(2);
    let shared = clones.bob.read(&["log", "head", "--entry", "6"]).exits(0).stdout;
    fs::write(&file, shared).unwrap();
    clones.alice.run(&early).exits(3).says(&["the other copy has the same entry 6"]);
    assert!(clones.alice.snapshot() == before);
    fs::write(&file, head).unwrap();
    clones.alice_yields("7", &["--head", &named]).exits(0);
    clones.collect(0, &[]);
    let list: Value =
        serde_json::from_str(&clones.alice.read(&["log", "list", "--json"]).stdout).unwrap();
    assert_eq!(list["entries"][7]["events"], json!(["key-checked"]));
}

#[test]
fn taking_in_a_slip_makes_an_entry_nobody_elses() {
    let demo = Demo::people();
    let path = |name: &str| demo.path(name).to_str().unwrap().to_owned();
    let (check, report) = (path("carol.slip"), path("bob.slip"));
    demo.run(&["key", "check", "carol/primary", "--slip", &check]).exits(0);
    let lost = ["key", "compromised", "alice/blue", "--by", "bob", "--slip", &report];
    demo.run(&lost).exits(0);
    demo.run(&["log", "collect", &check, &report, "--by", "alice/primary"]).exits(0);
    let ran = demo.run(&["log", "yield", "7", "--by", "carol"]).exits(3);
    ran.says(&["entry 7 isn't carol's: no key of theirs signed it"]);
    // A suspended key moves nothing aside either, least of all the report on it.
    let ran = demo.run(&["log", "yield", "7", "--by", "alice/blue"]).exits(3);
    ran.says(&["alice/blue may not sign any more"]);
}

#[test]
fn an_entry_that_took_in_slips_gives_way_with_them() {
    let clones = Clones::new();
    let slip = clones.alice.path("carol.slip").to_str().unwrap().to_owned();
    clones.alice.run(&["key", "check", "carol/primary", "--slip", &slip]).exits(0);
    clones.alice.run(&["log", "collect", &slip]).exits(0);
    clones.alice.run(&["key", "check", "alice/primary"]).exits(0);
    // Bob collected the same slip, and was first.
    clones.bob_is_first(&["log", "collect", &slip, "--by", "bob"]);
    clones.alice_yields("7", &[]).exits(0);
    let ran = clones.collect(0, &["--by", "alice/blue"]);
    ran.answers(&["It takes in 2 slips."]);
    let list = clones.alice.read(&["log", "list", "--json"]).exits(0);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["entries"][7]["events"], json!(["key-checked"]), "hers; carol's is there once");
}

#[test]
fn nothing_leaves_the_log_for_a_slip_that_is_not_there() {
    let demo = Demo::people();
    demo.run(&["key", "check", "alice/primary"]).exits(0);
    let copy = demo.copied();
    copy.run(&["log", "yield", "7"]).exits(0);
    let name = fs::read_dir(copy.path("vault/yielded")).unwrap().next().unwrap().unwrap();
    fs::create_dir(demo.path("vault/yielded")).unwrap();
    let planted = demo.path("vault/yielded").join(name.file_name());
    fs::write(&planted, "planted").unwrap();
    let before = demo.snapshot();
    demo.run(&["log", "yield", "7"]).exits(1).says(&["isn't what it should be"]);
    fs::remove_file(&planted).unwrap();
    fs::remove_dir(demo.path("vault/yielded")).unwrap();
    fs::create_dir(demo.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(demo.path("elsewhere"), demo.path("vault/yielded")).unwrap();
    demo.run(&["log", "yield", "7"]).exits(1).says(&["isn't a folder, or is a link to one"]);
    assert_eq!(fs::read_dir(demo.path("elsewhere")).unwrap().count(), 0);
    fs::remove_file(demo.path("vault/yielded")).unwrap();
    let entry = demo.path("vault/log/000007.age");
    assert!(entry.exists() && before.iter().any(|(path, _)| path.ends_with("log/000007.age")));
}

#[test]
fn what_others_hold_is_not_moved_aside() {
    let demo = Demo::people();
    demo.run(&["key", "check", "alice/primary"]).exits(0);
    let head = demo.read(&["log", "head"]).exits(0).stdout;
    let before = demo.snapshot();
    for (number, said) in [("1", "without entry 1"), ("0", "the log has 7"), ("8", "the log has 7")]
    {
        demo.run(&["log", "yield", number]).exits(2).says(&[said]);
    }
    fs::write(demo.path("carol.head"), head).unwrap();
    let file = demo.path("carol.head");
    demo.read(&["log", "remember", file.to_str().unwrap()]).exits(0);
    demo.run(&["log", "yield", "7"]).exits(3).says(&["was told to remember the head of entry 7"]);
    assert!(demo.snapshot() == before);
    // Of one that was given out, and that this machine only noted, it is told.
    let other = Demo::people();
    other.run(&["key", "check", "alice/primary"]).exits(0);
    other.read(&["log", "head"]).exits(0);
    other.run(&["log", "yield", "7"]).exits(0).says(&["a head with it was given out from here"]);
}

#[test]
fn a_newcomer_and_new_epochs_are_taken_in_where_nobody_else_made_any() {
    let clones = Clones::new();
    clones.bob_is_first(&["key", "check", "carol/primary"]);
    let add = ["custodian", "add", "dave", "--key", "primary"];
    clones.alice.run_with_paper(&add, "dave.paper.txt").exits(0);
    clones.alice_yields("7", &[]).exits(0);
    assert!(!clones.alice.path("vault/identities/dave.primary.1.age").exists());
    clones.collect(0, &[]).answers(&["Recorded entry 8"]);
    assert!(clones.alice.path("vault/identities/dave.primary.1.age").exists());
    assert_eq!(findings(&clones.alice), [""; 0]);
    clones.alice.run(&["key", "check", "dave/primary"]).exits(0);
}

#[test]
fn what_makes_no_sense_behind_the_other_copy_is_kept_and_told() {
    let clones = Clones::new();
    let add = ["custodian", "add", "erin", "--key", "primary"];
    clones.bob.run_with_paper(&add, "erin.paper.txt").exits(0);
    commit(&clones.bob);
    git_does(&clones.bob, &["push", "--quiet"]);
    let add = ["custodian", "add", "dave", "--key", "primary"];
    clones.alice.run_with_paper(&add, "dave.paper.txt").exits(0);
    clones.alice_yields("7", &[]).exits(0);
    let ran = clones.collect(3, &[]);
    ran.says(&["Not collected: ", "compartment-sealed: "]);
    assert_eq!(clones.yielded().len(), 1);
    assert_eq!(findings(&clones.alice), [""; 0]);
}

#[test]
fn yielding_that_was_cut_short_is_begun_again() {
    let demo = Demo::people();
    demo.run(&["key", "check", "alice/primary"]).exits(0);
    demo.run(&["key", "check", "alice/blue"]).exits(0);
    let cut_short = demo.copied();
    demo.run(&["log", "yield", "7"]).exits(0);
    // The slips were written, and one of the entries was removed.
    let (from, to) = (demo.path("vault/yielded"), cut_short.path("vault/yielded"));
    fs::create_dir(&to).unwrap();
    for item in fs::read_dir(&from).unwrap().flatten() {
        fs::copy(item.path(), to.join(item.file_name())).unwrap();
    }
    let memory = |demo: &Demo| demo.path("../state/keymuster/heads");
    copy_all(&memory(&demo), &memory(&cut_short));
    fs::remove_file(cut_short.path("vault/log/000008.age")).unwrap();
    cut_short.run(&["log", "yield", "7"]).exits(0).answers(&["1 entry is moved aside"]);
    cut_short.read(&["log", "verify"]).exits(0).answers(&["SOUND: 6 entries"]);
    let slips = fs::read_dir(&to).unwrap().flatten().map(|item| item.path());
    let mut slips: Vec<String> = slips.map(|path| path.to_str().unwrap().to_owned()).collect();
    slips.sort();
    let slips: Vec<&str> = slips.iter().map(String::as_str).collect();
    cut_short.run(&[&["log", "collect"], &slips[..]].concat()).exits(0).answers(&["2 slips"]);
}

fn copy_all(from: &Path, to: &Path) {
    for item in fs::read_dir(from).unwrap().flatten() {
        fs::copy(item.path(), to.join(item.file_name())).unwrap();
    }
}
