//! Drills that are cut off: killed at every question and between them, and gone on with.

use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use super::*;

fn is_long() -> bool {
    std::env::var_os("KEYMUSTER_TEST_LONG").is_some()
}

/// The transcript without what tells of interruptions.
fn steps_of(demo: &Demo) -> Vec<Value> {
    let mut events = transcript(demo, "every-kind-1");
    events.retain(|event| event["kind"] != "drill-interrupted");
    events
}

/// Kills the drill at its terminal, and goes on with it at another.
#[track_caller]
fn killed_and_resumed(demo: &Demo, terminal: &mut PseudoTerminal) {
    terminal.signal(Signal::KILL);
    assert_eq!(terminal.wait_for_end().code(), None);
    demo.read(&["vault", "show"]).exits(0).says(&["DRILL UNDER WAY: every-kind-1, since "]);
    *terminal = at_terminal(demo, "drill resume");
}

#[track_caller]
fn ends_well(mut terminal: PseudoTerminal) {
    drive(&mut terminal, None);
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn a_drill_that_is_killed_at_any_question_goes_on_at_the_same_step_to_the_same_end() {
    let whole = vault();
    run_through(&whole);
    let expected = steps_of(&whole);
    let questions = QUESTIONS.len() - 1;
    for (number, (question, _)) in QUESTIONS.iter().take(questions).enumerate() {
        // The long tests try each; which ones the others try changes with the hour.
        if !is_long() && number % 4 != chrono::Utc::now().timestamp() as usize / 3600 % 4 {
            continue;
        }
        let demo = vault();
        let mut terminal = at_terminal(&demo, START);
        drive(&mut terminal, Some(question));
        killed_and_resumed(&demo, &mut terminal);
        terminal.until("every-kind-1 stopped at ");
        terminal.until("It was cut off.");
        ends_well(terminal);
        assert_eq!(steps_of(&demo), expected, "killed at {question:?}");
        let gap = transcript(&demo, "every-kind-1");
        let gap = gap.iter().find(|event| event["kind"] == "drill-interrupted").unwrap();
        assert_eq!(
            (&gap["message"], &gap["confirmed_by"]),
            (&"The power went".into(), &"bob".into()),
            "killed at {question:?}"
        );
        demo.read(&["log", "verify"]).exits(0);
    }
}

/// At moments that nobody chose: between what is written and what is asked.
#[test]
fn a_drill_that_is_killed_at_any_moment_loses_no_step() {
    let whole = vault();
    run_through(&whole);
    let expected = steps_of(&whole);
    let rounds = if is_long() { 60 } else { 4 };
    for round in 0..rounds {
        let demo = vault();
        let mut terminal = at_terminal(&demo, START);
        let mut kills = 0;
        let mut answered = 0;
        while kills < 5 {
            terminal
                .wait("something is asked", |this| this.has_ended() || question(this).is_some());
            let Some((_, typed)) = question(&terminal) else { break };
            type_in(&mut terminal, typed);
            answered += 1;
            // The drill is on record by now: it has asked something.
            if (answered * 7 + round * 3) % 5 == 0 {
                sleep(Duration::from_micros((answered * 7919 + round * 104_729) % 30_000));
                if terminal.has_ended() {
                    break;
                }
                kills += 1;
                terminal.signal(Signal::KILL);
                terminal.wait_for_end();
                if demo.read(&["drill", "status"]).stdout.contains("No drill is under way") {
                    break;
                }
                terminal = at_terminal(&demo, "drill resume");
            }
        }
        if demo.read(&["drill", "status"]).stdout.contains("every-kind-1") {
            ends_well(terminal);
        }
        assert_eq!(steps_of(&demo), expected, "round {round}");
        demo.read(&["log", "verify"]).exits(0);
    }
}

/// The disk is full, or somebody else's: what was answered stays, and the rest can be tried again.
#[test]
fn a_record_that_cannot_be_written_is_told_and_tried_again() {
    let demo = vault();
    let mut terminal = at_terminal(&demo, START);
    drive(&mut terminal, Some("alice: Did the message arrive? (yes or no) "));
    // Root writes wherever it likes; not into what is no folder.
    let [drafts, aside] = ["vault/drafts/every-kind-1", "aside"].map(|path| demo.path(path));
    fs::rename(&drafts, &aside).unwrap();
    fs::write(&drafts, "").unwrap();
    says(&mut terminal, "yes");
    let again = "Press Enter to try again (there, :failed, :skip or :pause end it) ";
    terminal.until("Not a directory");
    terminal.until(again);
    fs::remove_file(&drafts).unwrap();
    fs::rename(&aside, &drafts).unwrap();
    says(&mut terminal, "");
    ends_well(terminal);
    let whole = vault();
    run_through(&whole);
    assert_eq!(steps_of(&demo), steps_of(&whole));
}

#[test]
fn of_two_who_go_on_at_once_the_first_does_and_the_other_stops() {
    let demo = vault();
    let mut terminal = at_terminal(&demo, START);
    drive(&mut terminal, Some("alice: Did the message arrive? (yes or no) "));
    terminal.signal(Signal::KILL);
    terminal.wait_for_end();
    let resumed = || {
        let mut terminal = at_terminal(&demo, "drill resume");
        drive(&mut terminal, Some("do you confirm that? (yes or no) "));
        terminal
    };
    let (mut first, mut other) = (resumed(), resumed());
    says(&mut first, "yes");
    first.until("alice: Did the message arrive? (yes or no) ");
    says(&mut other, "yes");
    let (code, shown) = other.ends();
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("somebody else goes on with every-kind-1 at this moment"), "{shown}");
    ends_well(first);
    demo.read(&["log", "verify"]).exits(0);
}

/// Every record of the journal, changed, taken out, put elsewhere or cut off: seen each time.
#[test]
fn a_journal_that_was_tampered_with_is_not_gone_on_with() {
    let demo = vault();
    let mut terminal = at_terminal(&demo, START);
    drive(&mut terminal, Some("alice: Did the message arrive? (yes or no) "));
    terminal.signal(Signal::KILL);
    terminal.wait_for_end();
    let drafts = |demo: &Demo| {
        let folder = demo.path("vault/drafts/every-kind-1");
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    };
    let records = drafts(&demo).len();
    assert!(records > 8, "{records}");
    let refused = |demo: &Demo, why: &str| {
        let status = read(demo, &["drill", "status"]);
        let told = status["drills"][0]["unreadable"].as_str().unwrap_or_default().to_owned();
        assert!(told.contains(why), "{told:?}, and not {why:?}");
        let terminal = at_terminal(demo, "drill resume");
        let (code, shown) = terminal.ends();
        assert_eq!(code, 3, "{shown}");
        assert!(shown.contains("hint:") && shown.contains("--without-journal"), "{shown}");
    };
    type Tamper<'t> = &'t dyn Fn(&[std::path::PathBuf]);
    let cases: [(&str, Tamper<'_>); 5] = [
        ("doesn't open", &|files| {
            let mut bytes = fs::read(&files[3]).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(&files[3], bytes).unwrap();
        }),
        ("isn't what was written there", &|files| {
            fs::copy(&files[2], &files[4]).unwrap();
        }),
        ("is missing, and later records are there", &|files| fs::remove_file(&files[3]).unwrap()),
        ("its end was cut off", &|files| fs::remove_file(files.last().unwrap()).unwrap()),
        ("its end was cut off", &|files| {
            files.iter().for_each(|file| fs::remove_file(file).unwrap());
        }),
    ];
    for (why, tamper) in cases {
        let demo = demo.copied();
        tamper(&drafts(&demo));
        refused(&demo, why);
    }
    // Records that somebody else made, who can encrypt to the log: the chain tells.
    let forged = demo.copied();
    let files = drafts(&forged);
    let records = String::from_utf8(forged.records()).unwrap();
    let recipient = records.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let file = files[2].to_str().unwrap();
    let text = tool("age", &["-d", "-i", "-", file], records.as_bytes());
    let text = String::from_utf8(text).unwrap().replace("seconds = ", "seconds = 1");
    fs::write(&files[2], tool("age", &["-r", recipient], text.as_bytes())).unwrap();
    refused(&forged, "isn't what was written there");

    // It can be given up even so; then nothing of it is left.
    let without = ["drill", "abandon", "--reason", "the journal is gone", "--without-journal"];
    forged
        .run(&without)
        .exits(0)
        .answers(&["Recorded entry 14, signed by alice/primary and bob/primary."]);
    forged.run(&["account", "contacts-reviewed", "prod"]).exits(0);
    assert!(!forged.path("vault/drafts/every-kind-1").exists());
}
