//! What several people do at one vault: alice, bob and carol, two of whom sign what matters.
//! What each command answers, and each way in which it refuses.

mod accounts;
mod compartments;
mod custodians;
mod custody;
mod policy;
mod readers;
mod rekey;
mod reports;
mod runbooks;
mod secrets;
mod signers;
mod tokens;

use serde_json::{Value, json};

use super::demo_vault::{Demo, Ran};

/// The lines that ask for a touch.
fn touches(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.starts_with("Touch ")).collect()
}

/// What a command answers in JSON.
#[track_caller]
fn answer(ran: Ran) -> Value {
    let ran = ran.exits(0);
    let value: Value = serde_json::from_str(&ran.stdout).expect("stdout is one JSON value");
    assert_eq!(value["schema_version"], 1);
    value
}

/// The same of one that is opened as a reader.
#[track_caller]
fn read(demo: &Demo, arguments: &[&str]) -> Value {
    answer(demo.read(&[arguments, &["--json"]].concat()))
}

/// The same of one that records an entry, with the kinds of its events and who signs.
#[track_caller]
fn recorded(demo: &Demo, arguments: &[&str], events: &[&str], signers: &[&str]) -> Value {
    let before = head(demo);
    let recorded = answer(demo.run(&[arguments, &["--json"]].concat()));
    assert_eq!(recorded["answer"], "recorded");
    assert_eq!(recorded["entry"], before + 1);
    assert_eq!(recorded["events"], json!(events));
    assert_eq!(recorded["signers"], json!(signers));
    recorded
}

fn head(demo: &Demo) -> u64 {
    read(demo, &["log", "head"])["head"]["number"].as_u64().unwrap()
}

/// The vault takes no entry, no key is made, and nobody touches a key but to open the vault.
#[track_caller]
fn refused(demo: &Demo, arguments: &[&str], exit: i32, said: &[&str]) {
    let before = (demo.snapshot(), keys(demo));
    std::fs::write(demo.path("refused.txt"), "").unwrap();
    let makes_paper = match arguments {
        ["custodian", "add", ..] | ["vault", "rekey", ..] => true,
        ["key", "enrol", rest @ ..] => rest.contains(&"--new-identity"),
        _ => false,
    };
    let ran = if makes_paper {
        demo.run_with_paper(arguments, "refused.txt")
    } else {
        demo.run(arguments)
    };
    let ran = ran.exits(exit).says(said);
    let opens = |line: &&&str| line.contains(" to open the vault ");
    let touches = touches(&ran);
    assert!(touches.len() <= 1 && touches.iter().all(|line| opens(&line)), "{touches:?}");
    assert!((demo.snapshot(), keys(demo)) == before, "{arguments:?} changed something");
    let paper = std::fs::read_to_string(demo.path("refused.txt")).unwrap();
    assert_eq!(paper, "", "{arguments:?} handed out a passphrase");
}

/// How many software keys there are.
fn keys(demo: &Demo) -> usize {
    std::fs::read_dir(demo.path("demo-keys")).unwrap().count()
}
