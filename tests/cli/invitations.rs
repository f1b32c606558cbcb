//! Somebody joins from afar: an invitation, what they make at home, and two others who admit it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::demo_vault::{Demo, Ran, command_in, ran};

/// A folder far away, with the invitation.
struct Home {
    folder: tempfile::TempDir,
    fingerprint: String,
}

impl Home {
    fn of(demo: &Demo, who: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let invited = demo.read(&["custodian", "invite", who]).exits(0);
        fs::write(folder.path().join("invitation"), &invited.stdout).unwrap();
        let line = |name: &str| {
            let begin = format!("{name} = \"");
            let mut lines = invited.stdout.lines();
            let found = lines.find_map(|line| line.strip_prefix(&begin));
            found.unwrap().trim_end_matches('"').to_owned()
        };
        let fingerprint = line("fingerprint");
        invited.says(&["tell them the vault's fingerprint in another way", &fingerprint]);
        Self { folder, fingerprint }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    fn accept(&self, fingerprint: &str, more: &[&str]) -> Ran {
        let paper = fs::File::create(self.path("paper.txt")).unwrap();
        let accept = ["custodian", "accept", "invitation", "--slip", "own.slip", "--paper-fd", "0"];
        let all = [&accept[..], &["--fingerprint", fingerprint], more].concat();
        ran(command_in(self.folder.path()).args(all).stdin(paper).output().unwrap())
    }

    fn slip(&self) -> String {
        self.path("own.slip").to_str().unwrap().to_owned()
    }
}

/// The lines that ask for a touch.
fn touches(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.starts_with("Touch ")).collect()
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let items = fs::read_dir(folder).unwrap().flatten();
    items.map(|item| item.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn somebody_joins_from_afar_and_two_others_admit_it() {
    let demo = Demo::people();
    let home = Home::of(&demo, "dave");
    let accepted =
        home.accept(&home.fingerprint, &["--key", "primary", "--name", "Dave D."]).exits(0);
    assert_eq!(touches(&accepted).len(), 5, "{:?}", touches(&accepted));
    let told = accepted.stdout.lines().find(|line| line.starts_with("  SHA256:")).unwrap();
    let told = told.trim().to_owned();
    let paper = fs::read_to_string(home.path("paper.txt")).unwrap();
    assert_eq!(paper.trim().split('-').count(), 10, "the passphrase of their paper copy");
    let text = fs::read_to_string(home.slip()).unwrap();
    assert!(text.len() < 16_384 && !text.contains("dave"), "it fits in a mail: {}", text.len());

    let alone = demo.run(&["log", "collect", &home.slip()]).exits(3);
    alone.says(&["Not collected: ", "needs 2 different custodians to sign, and 0 did"]);
    let ran = demo.run(&["log", "collect", "--endorse", &home.slip()]).exits(0);
    assert_eq!(touches(&ran).len(), 4, "each of the two opens once and signs once");
    let before_signing = ran.stderr.split_once(" to sign entry").unwrap().0;
    assert!(
        before_signing.contains(&format!("dave/primary is enrolled: {told}")),
        "{before_signing}"
    );
    ran.says(&["dave (“Dave D.”) joins as a custodian", "records is encrypted anew", "seeds is"])
        .answers(&["Recorded entry 7, signed by alice/primary and bob/primary."]);
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 7 entries"]);

    // With a copy of the vault, and their key, they are a custodian like any other.
    for key in names(&home.path("demo-keys")) {
        if key.starts_with("demo-key") {
            fs::copy(
                home.path("demo-keys").join(&key),
                demo.path("demo-keys").join(format!("dave-{key}")),
            )
            .unwrap();
        }
    }
    demo.run(&["key", "check", "dave/primary"]).exits(0);
    demo.run(&["policy", "change", "--check-days", "60", "--by", "dave", "--by", "carol"]).exits(0);
}

#[test]
fn an_invitation_is_compared_and_looked_at_before_anybody_touches_a_key() {
    let demo = Demo::people();
    let home = Home::of(&demo, "dave");
    let wrong = "0".repeat(64);
    let key = ["--key", "primary"];
    let refused = |ran: Ran, exit: i32, said: &str| {
        let ran = ran.exits(exit).says(&[said]);
        assert_eq!(touches(&ran), [""; 0]);
        assert!(!home.path("own.slip").exists() && !home.path("demo-keys").exists());
        assert_eq!(fs::read_to_string(home.path("paper.txt")).unwrap_or_default(), "");
    };
    refused(home.accept(&wrong, &key), 3, "not that one");
    refused(home.accept(&home.fingerprint, &["--key", "paper"]), 2, "can't be called paper");
    let accept = ["custodian", "accept", "invitation", "--key", "primary", "--slip", "own.slip"];
    let run = |more: &[&str]| {
        let all = [&accept[..], more].concat();
        ran(command_in(home.folder.path()).args(all).output().unwrap())
    };
    refused(run(&["--fingerprint", &home.fingerprint]), 4, "--paper-fd N");
    let text = fs::read_to_string(home.path("invitation")).unwrap();
    for (from, to, said) in [
        ("format = 1", "format = 9", "it is of format 9"),
        ("custodian = \"dave\"", "custodian = \"\u{202e}\"", "it isn't an invitation"),
        ("records = \"age1", "records = \"age2", "it isn't an invitation"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        fs::write(home.path("invitation"), changed).unwrap();
        refused(home.accept(&home.fingerprint, &key), 1, said);
    }
    // Another vault's, under the fingerprint that a custodian tells.
    let mixed = text.replacen(&home.fingerprint, &wrong, 1);
    fs::write(home.path("invitation"), mixed).unwrap();
    refused(home.accept(&wrong, &key), 1, "isn't that of its vault: have another one made");
    fs::write(home.path("invitation"), text).unwrap();
    fs::write(home.path("own.slip"), "mine").unwrap();
    home.accept(&home.fingerprint, &key).exits(1).says(&["own.slip exists already"]);
    assert_eq!(fs::read_to_string(home.path("own.slip")).unwrap(), "mine");
}

#[test]
fn nobody_is_invited_under_a_handle_that_was_used() {
    let demo = Demo::people();
    for who in ["bob", "auditor"] {
        demo.read(&["custodian", "invite", who]).exits(1).says(&["is taken"]);
    }
    let answer = demo.read(&["custodian", "invite", "dave", "--json"]).exits(0);
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(answer["answer"], "invitation");
    assert_eq!(answer["custodian"], "dave");
    assert_eq!(answer["number"], 6);
}

#[test]
fn two_who_were_invited_at_once_are_admitted_together() {
    let demo = Demo::people();
    let homes = ["dave", "erin"].map(|who| Home::of(&demo, who));
    for home in &homes {
        home.accept(&home.fingerprint, &["--key", "primary"]).exits(0);
    }
    let slips = homes.each_ref().map(Home::slip);
    demo.run(&["log", "collect", "--endorse", &slips[0], &slips[1]]).exits(0);
    let list = demo.read(&["custodian", "list"]).exits(0);
    list.answers(&["dave", "erin"]);
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 7 entries"]);
}
