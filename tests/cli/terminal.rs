//! Dialogues on a terminal: what is asked, what is shown, and that questions reach the
//! terminal wherever stdout and stderr go.

use std::path::Path;

use keymuster::key::software::{Model, SoftwareKeys};

use super::demo_vault::{Demo, keymuster_in};
use super::pseudo_terminal::{CTRL_BACKSLASH, CTRL_C, CTRL_D, CTRL_S, CTRL_Z, PseudoTerminal};
use rustix::process::Signal;

/// Starts a shell command on a terminal of its own.
pub fn dialogue(folder: &Path, command: &str) -> PseudoTerminal {
    PseudoTerminal::start("sh", |sh| {
        sh.args(["-c", &format!("exec {command}")])
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("TERM", "xterm");
    })
}

pub const BINARY: &str = env!("CARGO_BIN_EXE_keymuster");

#[test]
fn the_paper_passphrase_is_shown_once_and_its_last_word_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "{BINARY} vault init v --name 'Example Corp' --custodian alice --key primary --demo \
         > answer.txt 2> talk.txt"
    );
    let mut terminal = dialogue(folder.path(), &command);
    let shown = terminal.until("Type the last of the ten words to go on: ");
    let words =
        shown.lines().map(str::trim).find(|line| line.split('-').count() == 10).unwrap().to_owned();
    let last = words.rsplit('-').next().unwrap().to_owned();
    terminal.types("nonsense\n");
    terminal.until("That isn't the last of the ten words. Type it: ");
    terminal.types(&format!("{last}\n"));
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0);
    // They stood on the alternate screen, which was wiped and left.
    let (words_at, left_at) =
        (shown.find(words.trim()), shown.find("\u{1b}[2J\u{1b}[H\u{1b}[?1049l"));
    assert!(
        shown.starts_with("\u{1b}[?1049h") || shown.find("\u{1b}[?1049h") < words_at,
        "{shown}"
    );
    assert!(left_at > words_at, "{shown}");
    for file in ["answer.txt", "talk.txt"] {
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(!text.contains(&words), "the passphrase is for the terminal alone: {text}");
    }
    assert!(folder.path().join("v/vault.toml").exists());
}

#[test]
fn without_a_terminal_the_paper_passphrase_needs_a_descriptor() {
    let folder = tempfile::tempdir().unwrap();
    let init = ["vault", "init", "v", "--name", "x", "--custodian", "a", "--key", "k", "--demo"];
    keymuster_in(folder.path(), &init).exits(4).says(&["no terminal", "--paper-fd N"]);
    assert!(!folder.path().join("v").exists());
}

const INIT: &str = concat!(
    env!("CARGO_BIN_EXE_keymuster"),
    " vault init v --name x --custodian alice --key primary --demo"
);

#[test]
fn an_interruption_takes_the_paper_passphrase_away_and_makes_no_vault() {
    type Interrupt = dyn Fn(&mut PseudoTerminal);
    let interruptions: [(&str, &Interrupt); 6] = [
        ("Ctrl-C", &|terminal| terminal.types(CTRL_C)),
        ("Ctrl-C twice", &|terminal| terminal.types(&CTRL_C.repeat(2))),
        ("Ctrl-\\", &|terminal| terminal.types(CTRL_BACKSLASH)),
        ("Ctrl-D", &|terminal| terminal.types(CTRL_D)),
        ("SIGTERM", &|terminal| terminal.signal(Signal::TERM)),
        ("closed", &|terminal| terminal.close()),
    ];
    // One folder for all: none may be in the way of the next.
    let folder = tempfile::tempdir().unwrap();
    for (name, interrupt) in interruptions {
        // A software key that has made its credentials stays, and isn't in the way either.
        let mut terminal = dialogue(folder.path(), INIT);
        terminal.until("Type the last of the ten words to go on: ");
        assert!(terminal.is_aside(), "{name}");
        interrupt(&mut terminal);
        let status = terminal.wait_for_end();
        assert_eq!(status.code(), Some(130), "{name}: {}", terminal.shown());
        if name != "closed" {
            assert!(!terminal.is_aside() && terminal.echoes(), "{name}: {}", terminal.shown());
        }
        assert!(!folder.path().join("v/vault.toml").exists(), "{name}");
    }
}

#[test]
fn a_held_terminal_keeps_nobody_from_ending_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = dialogue(folder.path(), INIT);
    terminal.until("Type the last of the ten words to go on: ");
    terminal.types(CTRL_S);
    // The terminal takes what is typed in its own time.
    std::thread::sleep(std::time::Duration::from_millis(200));
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait_for_end().code(), Some(130));
    assert!(!terminal.is_aside() && terminal.echoes(), "{}", terminal.shown());
}

#[test]
fn a_question_in_the_background_waits_for_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    // The shell's line editor has the terminal in a form of its own meanwhile.
    let under_a_shell = format!(
        "bash -c 'set -m; stty -icrnl -echo; {INIT} & read -r -n 1; stty icrnl echo; fg; echo ended $?'"
    );
    let mut terminal = dialogue(folder.path(), &under_a_shell);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(!terminal.shown().contains("Type the last"), "{}", terminal.shown());
    terminal.types("x");
    let shown = terminal.until("Type the last of the ten words to go on: ");
    let words = shown.lines().find(|line| line.split('-').count() == 10).unwrap().trim();
    terminal.types(&format!("{}\r", words.rsplit('-').next().unwrap()));
    terminal.until("ended 0");
    assert!(terminal.echoes());
}

#[test]
fn a_signal_that_was_ignored_from_the_start_is_ignored() {
    let demo = Demo::new();
    std::fs::remove_dir_all(demo.folder.path().join("state")).unwrap();
    let head = format!(
        "sh -c 'trap \"\" HUP; exec {BINARY} log head --vault demo/vault --identity demo/reader.identity'"
    );
    let mut terminal = dialogue(demo.folder.path(), &head);
    terminal.until("Is it the same (yes, no, or paste theirs)? ");
    terminal.signal(Signal::HUP);
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.types("yes\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn ctrl_z_takes_the_paper_passphrase_away_until_the_shell_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let under_a_shell =
        format!("bash -c 'set -m; {INIT}; echo stopped; read -r; fg; echo ended $?'");
    let mut terminal = dialogue(folder.path(), &under_a_shell);
    let question = "Type the last of the ten words to go on: ";
    let shown = terminal.until(question);
    let words = shown.lines().find(|line| line.split('-').count() == 10).unwrap().trim();
    terminal.types(CTRL_Z);
    terminal.until("stopped\r\n");
    assert!(!terminal.is_aside(), "{}", terminal.shown());
    terminal.types("\n");
    assert!(terminal.until(question).contains(words), "the words are shown once more");
    assert!(terminal.is_aside());
    terminal.types(&format!("{}\n", words.rsplit('-').next().unwrap()));
    terminal.until("ended 0");
    assert!(!terminal.is_aside());
}

/// While somebody writes the words down, somebody else may swap the key.
#[test]
fn a_key_that_is_gone_when_the_words_are_written_down_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = dialogue(folder.path(), INIT);
    let question = "Type the last of the ten words to go on: ";
    let shown = terminal.until(question);
    let words = shown.lines().find(|line| line.split('-').count() == 10).unwrap().trim();
    let last = words.rsplit('-').next().unwrap().to_owned();
    let key = std::fs::read_dir(folder.path().join("demo-keys")).unwrap().next().unwrap().unwrap();
    let aside = folder.path().join("aside");
    std::fs::copy(key.path(), &aside).unwrap();
    let others = folder.path().join("others");
    let mut other = SoftwareKeys::in_folder(&others).unwrap();
    other.add("another", Model::default()).unwrap();
    std::fs::copy(others.join("another.json"), key.path()).unwrap();
    terminal.types(&format!("{last}\n"));
    terminal.until("Plug in alice/primary again and press Enter: ");
    std::fs::rename(aside, key.path()).unwrap();
    terminal.types("\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn ctrl_z_stops_nothing_where_no_shell_could_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = dialogue(folder.path(), INIT);
    let question = "Type the last of the ten words to go on: ";
    terminal.until(question);
    terminal.types(CTRL_Z);
    terminal.until(question);
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends().0, 130);
}

fn first_meeting(answer: &dyn Fn(&str) -> String) -> (i32, String, Demo) {
    let demo = Demo::new();
    std::fs::remove_dir_all(demo.folder.path().join("state")).unwrap();
    let command = format!(
        "{BINARY} log head --vault demo/vault --identity demo/reader.identity > head.txt 2> talk.txt"
    );
    let mut terminal = dialogue(demo.folder.path(), &command);
    let asked = terminal.until("Is it the same (yes, no, or paste theirs)? ");
    let fingerprint = asked.lines().map(str::trim).find(|line| line.len() == 64).unwrap();
    let typed = answer(fingerprint);
    terminal.types(&typed);
    let (code, _) = terminal.ends();
    let talk = std::fs::read_to_string(demo.folder.path().join("talk.txt")).unwrap();
    (code, talk, demo)
}

#[test]
fn the_fingerprint_is_asked_for_on_first_use_and_remembered() {
    for yes in [&|_: &str| "yes\n".to_owned() as _, &|shown: &str| format!("{shown}\n") as _]
        as [&dyn Fn(&str) -> String; 2]
    {
        let (code, talk, demo) = first_meeting(yes);
        assert_eq!(code, 0, "{talk}");
        demo.read(&["log", "head"]).exits(0);
    }
}

#[test]
fn a_fingerprint_that_is_not_confirmed_opens_nothing() {
    for no in ["no\n", "\n", "0000\n"] {
        let (code, talk, demo) = first_meeting(&|_| no.to_owned());
        assert_eq!(code, 3, "{talk}");
        assert!(talk.contains("not the one expected"), "{talk}");
        demo.read(&["log", "head"]).exits(4);
    }
}

#[test]
fn the_touch_prompt_counts_down_on_the_terminal_wherever_the_rest_goes() {
    let demo = Demo::new();
    let command = format!(
        "{BINARY} key check alice/blue --vault demo/vault --identity demo/reader.identity \
         > answer.txt 2> talk.txt"
    );
    let (code, shown) = dialogue(demo.folder.path(), &command).ends();
    assert_eq!(code, 0);
    assert!(shown.contains("Touch alice/blue to sign entry 5 (30 s left)"), "{shown}");
    assert!(shown.contains("\r\u{1b}[K"), "the prompt is wiped: {shown}");
    let talk = std::fs::read_to_string(demo.folder.path().join("talk.txt")).unwrap();
    assert!(!talk.contains("Touch"), "{talk}");
}
