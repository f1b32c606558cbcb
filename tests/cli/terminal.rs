//! Dialogues, on a pseudo-terminal that script(1) makes: what is asked, what is shown, and
//! that questions reach the terminal wherever stdout and stderr go.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::demo_vault::{Demo, keymuster_in};

/// How long a dialogue waits for its next line.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell command on a terminal of its own.
struct Dialogue {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    shown: String,
    read: usize,
}

impl Dialogue {
    fn start(folder: &Path, command: &str) -> Self {
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", command, "/dev/null"])
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("script (package bsdutils) is needed: {error}"));
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                let _ = sender.send(buffer[..length].to_vec());
            }
        });
        Self { child, keyboard, screen, shown: String::new(), read: 0 }
    }

    /// Waits until `text` is shown after what was waited for before; returns all up to it.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(place) = self.shown[self.read..].find(text) {
                let end = self.read + place + text.len();
                let passed = self.shown[self.read..end].to_owned();
                self.read = end;
                return passed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{text:?} was never shown: {}", self.shown),
            }
        }
    }

    fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for the end; returns the exit code and everything that was shown.
    fn ends(mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(bytes) =
            self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        (self.child.wait().unwrap().code().unwrap(), self.shown)
    }
}

const BINARY: &str = env!("CARGO_BIN_EXE_keymuster");

#[test]
fn the_paper_passphrase_is_shown_once_and_its_last_word_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "{BINARY} vault init v --name 'Example Corp' --custodian alice --key primary --demo \
         > answer.txt 2> talk.txt"
    );
    let mut dialogue = Dialogue::start(folder.path(), &command);
    let shown = dialogue.until("Type the last of the ten words to go on: ");
    let words =
        shown.lines().map(str::trim).find(|line| line.split('-').count() == 10).unwrap().to_owned();
    let last = words.rsplit('-').next().unwrap().to_owned();
    dialogue.types("nonsense\n");
    dialogue.until("That isn't the last of the ten words. Type it: ");
    dialogue.types(&format!("{last}\n"));
    let (code, shown) = dialogue.ends();
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

#[test]
fn ctrl_c_at_the_paper_passphrase_makes_no_vault() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("{BINARY} vault init v --name x --custodian alice --key primary --demo");
    let mut dialogue = Dialogue::start(folder.path(), &command);
    dialogue.until("Type the last of the ten words to go on: ");
    dialogue.types("\u{3}");
    let (code, shown) = dialogue.ends();
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("\u{1b}[?1049l"), "the words are taken away: {shown}");
    assert!(!folder.path().join("v").exists(), "nothing is left");
}

fn first_meeting(answer: &dyn Fn(&str) -> String) -> (i32, String, Demo) {
    let demo = Demo::new();
    std::fs::remove_dir_all(demo.folder.path().join("state")).unwrap();
    let command = format!(
        "{BINARY} log head --vault demo/vault --identity demo/reader.identity > head.txt 2> talk.txt"
    );
    let mut dialogue = Dialogue::start(demo.folder.path(), &command);
    let asked = dialogue.until("Is it the same (yes, no, or paste theirs)? ");
    let fingerprint = asked.lines().map(str::trim).find(|line| line.len() == 64).unwrap();
    let typed = answer(fingerprint);
    dialogue.types(&typed);
    let (code, _) = dialogue.ends();
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
    let (code, shown) = Dialogue::start(demo.folder.path(), &command).ends();
    assert_eq!(code, 0);
    assert!(shown.contains("Touch alice/blue to sign entry 5 (30 s left)"), "{shown}");
    assert!(shown.contains("\r\u{1b}[K"), "the prompt is wiped: {shown}");
    let talk = std::fs::read_to_string(demo.folder.path().join("talk.txt")).unwrap();
    assert!(!talk.contains("Touch"), "{talk}");
}
