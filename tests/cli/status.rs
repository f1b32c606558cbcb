//! `keymuster status`: the page, and its exit code.

use std::path::Path;

use chrono::{NaiveDate, Utc};
use serde_json::Value;

use super::demo_vault::{Demo, Ran, command_in, keymuster_in};

/// A page, with days as people count them from today, in the same width.
fn counted(page: &str) -> String {
    let today = Utc::now().date_naive();
    let mut text = String::new();
    let mut rest = page;
    while let Some(c) = rest.chars().next() {
        let day = rest.get(..10).and_then(|ten| {
            let day: NaiveDate = ten.parse().ok()?;
            (day.to_string() == ten).then_some(day)
        });
        let length = match day {
            Some(day) => {
                text.push_str(&format!("today{:+05}", (day - today).num_days()));
                10
            }
            None => {
                text.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    text
}

fn status(demo: &Path) -> Ran {
    let on = ["--vault", "demo/vault", "--identity", "demo/reader.identity"];
    keymuster_in(demo, &[&["status"], &on[..]].concat())
}

#[test]
fn the_page_of_what_the_demo_leaves() {
    let folder = tempfile::tempdir().unwrap();
    keymuster_in(folder.path(), &["demo", "demo"]).exits(0);
    let page = status(folder.path()).exits(0).stdout;
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    let page = counted(&page);
    assert!(page == include_str!("status.txt"), "the page is another now:\n{page}");
}

#[test]
fn what_is_overdue_or_locked_out_exits_3() {
    let demo = Demo::people();
    let ran = demo.read(&["status"]).exits(0);
    let page = ran.answers(&["no account is recorded: keymuster account add"]).stdout;
    assert!(page.contains("due      20"), "{page}");
    // An account of which nothing is known has no way in.
    demo.run(&["account", "add", "prod", "--id", "111111111111"]).exits(0);
    demo.read(&["status"]).exits(3).answers(&["none of 1 account", "1 NOT AT ALL", "NO WAY IN"]);
    let told = demo.read(&["status", "--json"]).exits(3).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["answer"], &told["locked_out"]), (&"status".into(), &1.into()));
    // Where its root user has no credentials, there is none to be locked out of.
    demo.run(&["account", "change", "prod", "--root-credentials", "no"]).exits(0);
    demo.read(&["status"]).exits(0).answers(&["1 account has no root credentials"]);
    // Nobody acknowledged anything in time.
    let later = std::process::Command::new("faketime")
        .args(["-f", "+20d", env!("CARGO_BIN_EXE_keymuster"), "status", "--vault", "demo/vault"])
        .args(["--identity", "demo/reader.identity"])
        .current_dir(demo.folder.path())
        .env("XDG_STATE_HOME", demo.folder.path().join("state"))
        .output()
        .expect("faketime is needed (make setup-test installs it)");
    assert_eq!(later.status.code(), Some(3), "{later:?}");
    let page = String::from_utf8(later.stdout).unwrap();
    assert!(page.contains("OVERDUE  20") && page.contains("acknowledges their duties"), "{page}");
    // A faulty log is as bad.
    std::fs::remove_file(demo.path("vault/log/000002.age")).unwrap();
    demo.read(&["status"]).exits(3).answers(&["THE LOG IS FAULTY"]);
}

#[test]
fn a_head_counts_as_given_out_once_it_has_reached_its_reader() {
    let demo = Demo::people();
    let never = "head     never given out from here: keymuster log head";
    demo.read(&["status"]).exits(0).answers(&[never]);
    let read = ["--vault", "demo/vault", "--identity", "demo/reader.identity"];
    for command in [&["log", "head"][..], &["vault", "card"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let arguments = [command, &read[..]].concat();
        let lost = command_in(demo.folder.path()).args(arguments).stdout(full).status().unwrap();
        assert_eq!(lost.code(), Some(1), "{command:?}");
        demo.read(&["status"]).exits(0).answers(&[never]);
    }
    demo.read(&["log", "head"]).exits(0);
    demo.read(&["status"]).exits(0).answers(&["head     given out, as it is\n"]);
    demo.run(&["custodian", "acknowledge", "--by", "bob"]).exits(0);
    let more = "head     1 entry more than was last given out from here\n";
    demo.read(&["status"]).exits(0).answers(&[more]);
    demo.read(&["vault", "card", "--html"]).exits(0);
    demo.read(&["status"]).exits(0).answers(&["head     given out, as it is\n"]);
    // Where that can't be noted, it is said, and the answer stands.
    let state = demo.folder.path().join("state/keymuster/given-out");
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::write(&state, "").unwrap();
    demo.read(&["log", "head"]).exits(0).says(&["couldn't note that the head was given out"]);
}
