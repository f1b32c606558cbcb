//! `keymuster schedule`: the table, the calendar, and what a monitoring system is told.

use chrono::{Days, NaiveDate, Utc};
use serde_json::{Value, json};

use super::demo_vault::{Demo, keymuster_in};

/// The day so many days from now, in UTC.
fn day(days: u64) -> NaiveDate {
    Utc::now().date_naive() + Days::new(days)
}

fn list(demo: &Demo, more: &[&str]) -> Value {
    let ran = demo.read(&[&["schedule", "list", "--json"], more].concat());
    serde_json::from_str(&ran.exits(0).stdout).unwrap()
}

/// What the schedule says of one obligation.
fn of<'a>(schedule: &'a Value, obligation: &str) -> &'a Value {
    let all = schedule["obligations"].as_array().unwrap();
    all.iter().find(|one| one["obligation"] == obligation).unwrap_or(&Value::Null)
}

/// The phase of one obligation on a day.
fn phase(demo: &Demo, obligation: &str, on: NaiveDate) -> Value {
    of(&list(demo, &["--on", &on.to_string()]), obligation)["phase"].clone()
}

#[test]
fn what_is_never_done_becomes_late_and_then_overdue() {
    let demo = Demo::people();
    let (today, key) = (day(0), "key-check bob/primary");
    let schedule = list(&demo, &[]);
    assert_eq!(schedule["answer"], "schedule");
    assert_eq!(schedule["on"], json!(today));
    let check = of(&schedule, key);
    assert_eq!(check["due"], json!(today + Days::new(90)));
    assert_eq!(check["last_done"], json!(today));
    assert_eq!(check["command"], "keymuster key check bob/primary");
    assert_eq!(check["custodians"], json!(["bob"]));
    for (days, expected) in
        [(0, "later"), (75, "later"), (76, "due"), (90, "due"), (91, "late"), (97, "late")]
    {
        assert_eq!(phase(&demo, key, day(days)), expected, "after {days} days");
    }
    for days in [98, 180, 400] {
        let on = day(days);
        let schedule = list(&demo, &["--all", "--on", &on.to_string()]);
        let check = of(&schedule, key);
        assert_eq!(check["phase"], "overdue", "after {days} days");
        assert_eq!(check["due"], json!(today + Days::new(90)), "since the first that was missed");
        assert_eq!(check["slots"][0]["fate"], "missed");
    }
    // Nobody ever acknowledged anything, and that is due from the first day.
    let duties = of(&schedule, "acknowledgement alice");
    assert_eq!((&duties["phase"], &duties["last_done"]), (&json!("due"), &Value::Null));
    demo.read(&["schedule", "list", "--on", &day(8).to_string()]).exits(0).answers(&[
        "OVERDUE",
        "acknowledgement alice",
        "never",
    ]);
    // Before the vault was founded nothing was to be done.
    demo.read(&["schedule", "list", "--on", "2020-01-01"])
        .exits(0)
        .answers(&["Nothing is to be done, as of 2020-01-01.\n"]);
}

#[test]
fn what_may_wait_waits_and_only_what_there_is_may() {
    let demo = Demo::people();
    let (key, until) = ("key-check bob/primary", day(120));
    let until = until.to_string();
    let waive = |what| ["waiver", "add", what, "--until", &until, "--reason", "at sea"];
    demo.run(&waive(key)).exits(0);
    let on = day(110).to_string();
    demo.read(&["schedule", "list", "--on", &on])
        .exits(0)
        .answers(&[&format!("waived to {until}")]);
    assert_eq!(phase(&demo, key, day(121)), "late");
    assert_eq!(phase(&demo, key, day(128)), "overdue");
    demo.run(&waive("key-check nobody/primary")).exits(2).says(&[
        "there is nothing to be done called key-check nobody/primary",
        "keymuster schedule list",
    ]);
    demo.run(&waive("everything")).exits(2).says(&["everything"]);
}

#[test]
fn a_schedule_is_of_one_person_or_account() {
    let demo = Demo::people();
    let account = ["account", "add", "prod", "--id", "111111111111", "--tag", "env=prod"];
    demo.run(&account).exits(0);
    demo.run(&["account", "link", "bob/primary", "prod"]).exits(0);
    let named = |more: &[&str]| -> Vec<String> {
        let schedule = list(&demo, more);
        let all = schedule["obligations"].as_array().unwrap();
        all.iter().map(|one| one["obligation"].as_str().unwrap().to_owned()).collect()
    };
    let of_prod = ["key-check bob/primary", "sign-in prod bob/primary", "contacts prod"];
    assert_eq!(named(&["--account", "prod"]), of_prod);
    assert_eq!(named(&["--account", "111111111111"]), of_prod);
    assert_eq!(named(&["--tag", "env=prod"]), of_prod);
    assert_eq!(named(&["--account", "prod", "--custodian", "bob"]), of_prod[..2]);
    assert_eq!(named(&["--account", "prod", "--custodian", "alice"]), [""; 0]);
    // A lost key is to be taken out, and no more to be checked.
    demo.run(&["key", "lost", "bob/primary"]).exits(0);
    let of_prod = named(&["--account", "prod"]);
    assert_eq!(of_prod, ["deregister bob/primary prod", "contacts prod"]);
    let on = day(9).to_string();
    demo.read(&["schedule", "list", "--account", "prod", "--on", &on])
        .exits(0)
        .answers(&["OVERDUE"]);
    demo.run(&["account", "unlink", "bob/primary", "prod"]).exits(0);
    assert_eq!(named(&["--account", "prod"]), ["contacts prod"]);
    let all = list(&demo, &["--all", "--account", "prod"]);
    assert_eq!(of(&all, "deregister bob/primary prod")["slots"][0]["fate"], "done");
    for (wrong, why) in [
        (["--account", "nix"], "there is no account nix"),
        (["--tag", "a=b"], "no account has the tag a=b"),
        (["--custodian", "zoe"], "there is no custodian zoe"),
        (["--on", "soon"], "a day is written as 2026-12-31"),
    ] {
        demo.read(&[&["schedule", "list"], &wrong[..]].concat()).exits(2).says(&[why]);
    }
}

#[test]
fn a_monitoring_system_is_told_in_one_line_whatever_happens() {
    let demo = Demo::people();
    let due = "KEYMUSTER WARNING - 3 due (acknowledgement alice, acknowledgement bob, \
               acknowledgement carol) | overdue=0;;0;0 late=0;0;;0 due=3;0;;0 waived=0;;;0 later=4;;;0\n";
    let ran = demo.read(&["schedule", "check"]).exits(1);
    assert_eq!(ran.stdout, due);
    let ran = demo.read(&["schedule", "check", "--format", "json"]).exits(1);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["status"], &told["later"]), (&json!("WARNING"), &json!(4)));
    for who in ["alice", "bob", "carol"] {
        demo.run(&["custodian", "acknowledge", "--by", who]).exits(0);
    }
    let ran = demo.read(&["schedule", "check"]).exits(0);
    assert!(ran.stdout.starts_with("KEYMUSTER OK - nothing is due | overdue=0;"), "{ran:?}");
    // What is overdue, or a log that is faulty, is critical.
    std::fs::remove_file(demo.path("vault/log/000002.age")).unwrap();
    let ran = demo.read(&["schedule", "check"]).exits(2);
    assert!(ran.stdout.starts_with("KEYMUSTER CRITICAL - the log is faulty"), "{ran:?}");
}

#[test]
fn what_cannot_be_told_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let check =
        |more: &[&str]| keymuster_in(folder.path(), &[&["schedule", "check"], more].concat());
    for wrong in [&["--nonsense"][..], &["--format", "xml"], &["--account"]] {
        let ran = check(wrong).exits(3);
        assert_eq!(ran.stdout, "KEYMUSTER UNKNOWN - the command line is wrong\n");
    }
    let ran = check(&["--vault", "nowhere"]).exits(3);
    assert!(ran.stdout.starts_with("KEYMUSTER UNKNOWN - "), "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), 1);
    let ran = check(&["--vault", "nowhere", "--format", "json"]).exits(3);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["answer"], &told["exit"]), (&json!("error"), &json!(3)));
    // Other commands keep their codes.
    keymuster_in(folder.path(), &["schedule", "list", "--nonsense"]).exits(2);
    keymuster_in(folder.path(), &["schedule"]).exits(2);
    // Without a reader's identity no key is asked for.
    let demo = Demo::people();
    let ran = demo.run(&["schedule", "check"]).exits(3);
    let unknown = "KEYMUSTER UNKNOWN - no reader's identity opens this vault here; name the file that \
                   holds one: --identity FILE\n";
    assert_eq!(ran.stdout, unknown);
}

/// The events of a calendar, by their UID: their lines, unfolded.
fn events(calendar: &str) -> std::collections::BTreeMap<String, Vec<String>> {
    assert!(calendar.ends_with("END:VCALENDAR\r\n"));
    let lines: Vec<String> = calendar.replace("\r\n ", "").lines().map(ToOwned::to_owned).collect();
    let of_event = |lines: &[String]| {
        let uid = lines.iter().find_map(|line| line.strip_prefix("UID:")).unwrap().to_owned();
        (uid, lines.to_vec())
    };
    lines.split(|line| line == "BEGIN:VEVENT").skip(1).map(of_event).collect()
}

#[test]
fn an_event_keeps_its_uid_and_a_moved_one_has_a_higher_sequence() {
    let demo = Demo::people();
    let ics = |demo: &Demo| events(&demo.read(&["schedule", "ics"]).exits(0).stdout);
    let stamped = |line: &String| !line.starts_with("DTSTAMP");
    let is_sequence = |line: &&String| line.starts_with("SEQUENCE:");
    let before = ics(&demo);
    assert_eq!(before.len(), 7);
    for line in before.values().flatten() {
        assert!(!line.contains("+44") && !line.contains('@') || line.starts_with("UID:"), "{line}");
    }
    let uid = before.keys().find(|uid| uid.starts_with("key-check.bob_primary.1.")).unwrap();
    let start = format!("DTSTART;VALUE=DATE:{}", day(90).format("%Y%m%d"));
    assert!(before[uid].contains(&start), "{:?}", before[uid]);
    assert!(before[uid].contains(&"TRIGGER:-P13DT15H".to_owned()), "{:?}", before[uid]);
    // The same calendar again, but for its time.
    let again = ics(&demo);
    for (uid, lines) in &before {
        let (one, other) = (lines.iter().filter(|l| stamped(l)), again[uid].iter());
        assert!(one.eq(other.filter(|l| stamped(l))), "{lines:?}");
    }
    // A policy that says otherwise moves what isn't due.
    demo.run(&["policy", "change", "--check-days", "60"]).exits(0);
    let after = ics(&demo);
    let start = format!("DTSTART;VALUE=DATE:{}", day(60).format("%Y%m%d"));
    assert!(after[uid].contains(&start), "{:?}", after[uid]);
    let sequence = |lines: &Vec<String>| lines.iter().find(is_sequence).cloned();
    assert_eq!(sequence(&before[uid]).as_deref(), Some("SEQUENCE:0"));
    assert_eq!(sequence(&after[uid]).as_deref(), Some("SEQUENCE:1"));
    // What is done stays for a while, and the next stands beside it.
    demo.run(&["custodian", "acknowledge", "--by", "bob"]).exits(0);
    let done = ics(&demo);
    let of = |number: u32| {
        let start = format!("acknowledgement.bob.{number}.");
        done.iter().find(|(uid, _)| uid.starts_with(&start)).unwrap().1
    };
    assert!(of(1).contains(&"SUMMARY:Done: bob acknowledges their duties".to_owned()));
    assert!(of(2).contains(&"SUMMARY:bob acknowledges their duties".to_owned()));
}
