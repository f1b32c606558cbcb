//! Ten custodians, three clones of one vault, thirty checks: some go into entries that collide, some into
//! slips. In the end every check is in one log, and nobody touched a key twice for one.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::demo_vault::{Demo, Ran, command_in, ran};
use super::forks::{commit, git, git_does};

/// The custodians, in their order; the first three have a key from the start.
const PEOPLE: [&str; 10] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];
const CHECKS: usize = 30;

/// Signatures that were asked for, by what was signed.
#[derive(Default, Debug, PartialEq, Eq)]
struct Touches {
    entries: usize,
    slips: usize,
}

impl Touches {
    fn count(&mut self, ran: &Ran) {
        let asked = ran.stderr.lines().filter(|line| line.starts_with("Touch "));
        for line in asked {
            self.entries += usize::from(line.contains(" to sign entry "));
            self.slips += usize::from(line.contains(" to sign the slip "));
        }
    }
}

/// Ten custodians: seven were invited, and are admitted in one entry.
fn ten() -> Demo {
    let demo = Demo::people();
    let mut slips = Vec::new();
    for who in &PEOPLE[3..] {
        let invitation = demo.read(&["custodian", "invite", who]).exits(0).stdout;
        fs::write(demo.path("invitation"), &invitation).unwrap();
        let mut lines = invitation.lines();
        let fingerprint = lines.find_map(|line| line.strip_prefix("fingerprint = \"")).unwrap();
        let slip = demo.path(&format!("{who}.join"));
        let slip = slip.to_str().unwrap().to_owned();
        let paper = fs::File::create(demo.path("paper.of-newcomer.txt")).unwrap();
        let accept = ["custodian", "accept", "invitation", "--key", "primary", "--slip", &slip];
        let flags = ["--paper-fd", "0", "--fingerprint", fingerprint.trim_end_matches('"')];
        let mut command = command_in(&demo.path(""));
        ran(command.args(accept).args(flags).stdin(paper).output().unwrap()).exits(0);
        slips.push(slip);
    }
    let slips: Vec<&str> = slips.iter().map(String::as_str).collect();
    demo.run(&[&["log", "collect", "--endorse"], &slips[..]].concat())
        .exits(0)
        .answers(&["It takes in 7 slips."]);
    demo
}

/// Whoever was second moves what they recorded aside, and collects it behind the other's.
fn gives_way(clone: &Demo, key: &str, touches: &mut Touches) {
    let ours = number_of(clone);
    git_does(clone, &["fetch", "--quiet"]);
    let base = git(clone, &["show", "--name-only", "--format=", "HEAD"]).1;
    let first = base.lines().find_map(|line| line.strip_prefix("log/")?.strip_suffix(".age"));
    let first: u64 = first.expect("it is about an entry").parse().unwrap();
    assert_eq!(first, ours, "one entry at a time");
    touches.count(&clone.run(&["log", "yield", &first.to_string(), "--by", key]).exits(0));
    commit(clone);
    git_does(clone, &["pull", "--quiet", "--no-rebase"]);
    let folder = fs::read_dir(clone.path("vault/yielded")).unwrap().flatten();
    let slips: Vec<String> = folder.map(|item| item.path().to_str().unwrap().to_owned()).collect();
    let slips: Vec<&str> = slips.iter().map(String::as_str).collect();
    touches.count(&clone.run(&[&["log", "collect"], &slips[..]].concat()).exits(0));
    git_does(clone, &["rm", "-r", "--quiet", "yielded"]);
    commit(clone);
    git_does(clone, &["push", "--quiet"]);
}

fn number_of(demo: &Demo) -> u64 {
    let head = demo.read(&["log", "head", "--json"]).exits(0).stdout;
    let head: Value = serde_json::from_str(&head).unwrap();
    head["head"]["number"].as_u64().unwrap()
}

#[test]
fn thirty_checks_of_ten_people_in_three_clones_are_merged_without_a_loss() {
    let first = ten();
    let origin = tempfile::tempdir().unwrap();
    let at = origin.path().to_str().unwrap();
    git_does(&first, &["init", "--quiet", "--bare", "--initial-branch=main", at]);
    git_does(&first, &["init", "--quiet", "--initial-branch=main"]);
    commit(&first);
    git_does(&first, &["remote", "add", "origin", at]);
    git_does(&first, &["push", "--quiet", "--set-upstream", "origin", "main"]);
    let clones = [first.copied(), first.copied(), first];

    let (mut touches, mut inbox) = (Touches::default(), Vec::new());
    let (mut yielded, mut entries) = (0, 0);
    for check in 0..CHECKS {
        let key = format!("{}/primary", PEOPLE[check % PEOPLE.len()]);
        let clone = &clones[check % clones.len()];
        // A third goes into entries, made on whatever the clone knew last.
        if check % 3 != 1 {
            let slip = clone.path(&format!("{check}.slip")).to_str().unwrap().to_owned();
            touches.count(&clone.run(&["key", "check", &key, "--slip", &slip]).exits(0));
            inbox.push(slip);
            continue;
        }
        let clone = &clones[(check / 3) % clones.len()];
        touches.count(&clone.run(&["key", "check", &key]).exits(0));
        entries += 1;
        commit(clone);
        if !git(clone, &["push", "--quiet"]).0 {
            gives_way(clone, &key, &mut touches);
            yielded += 1;
        }
    }
    let collector = &clones[0];
    git_does(collector, &["pull", "--quiet", "--no-rebase"]);
    let slips: Vec<&str> = inbox.iter().map(String::as_str).collect();
    let collected = collector.run(&[&["log", "collect"], &slips[..]].concat()).exits(0);
    touches.count(&collected);

    assert_eq!((entries, inbox.len(), entries + inbox.len()), (10, 20, CHECKS));
    assert!(yielded >= 5, "clones collide: {yielded}");
    // One touch for each check, one for each entry that takes something in, and no other.
    assert_eq!(touches, Touches { entries: entries + yielded + 1, slips: inbox.len() });
    let list: Value =
        serde_json::from_str(&collector.read(&["log", "list", "--json"]).exits(0).stdout).unwrap();
    let checks = list["entries"].as_array().unwrap().iter().skip(7);
    let checks: usize = checks.map(|entry| entry["events"].as_array().unwrap().len()).sum();
    assert_eq!(checks, CHECKS, "no event is lost, and none is there twice");
    let verified: Value =
        serde_json::from_str(&collector.read(&["log", "verify", "--json"]).exits(0).stdout)
            .unwrap();
    for verdict in ["integrity", "authorship", "authority"] {
        assert_eq!(verified["verdicts"][verdict]["verdict"], "yes", "{verdict}");
    }
    println!(
        "{CHECKS} checks: {entries} entries, {yielded} of them yielded, {} slips; touches to sign: {touches:?}",
        inbox.len()
    );
    let keys: Value =
        serde_json::from_str(&collector.read(&["custodian", "list", "--json"]).exits(0).stdout)
            .unwrap();
    let all: BTreeMap<&str, &Value> = keys["custodians"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["custodian"].as_str().unwrap(), it))
        .collect();
    assert_eq!(all.len(), PEOPLE.len());
}
