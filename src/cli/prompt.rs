//! The terminal: questions, answers that nobody sees, and the touch that a key waits for.
//!
//! Questions go to `/dev/tty` whatever stdout and stderr are; without a terminal there are
//! none, and the error names the flag that answers instead. The rest of the conversation
//! goes to stderr.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::exit;
use super::failure::Failure;
use crate::key::TouchPrompt;

/// The longest answer to a question, in bytes.
const MAX_ANSWER: usize = 4096;

/// The person at the keyboard, if there is one.
#[derive(Clone, Debug)]
pub struct Terminal {
    interrupted: Arc<AtomicBool>,
}

impl Terminal {
    /// A terminal whose questions end when `interrupted` is set.
    pub fn new(interrupted: Arc<AtomicBool>) -> Self {
        Self { interrupted }
    }

    fn tty(&self) -> Option<File> {
        File::options().read(true).write(true).open("/dev/tty").ok()
    }

    /// Whether anybody could be asked anything.
    pub fn is_there(&self) -> bool {
        self.tty().is_some()
    }

    /// Says a line of the conversation, on stderr.
    pub fn say(&self, line: &str) {
        // A conversation that nobody can hear is no reason to fail.
        let _ = writeln!(anstream::stderr(), "{line}");
    }

    /// Shows a text on the terminal alone, never on stdout or stderr.
    pub fn show(&self, text: &str) -> io::Result<()> {
        let mut tty = self.tty().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        tty.write_all(text.as_bytes())
    }

    /// Asks for a line. `instead` tells what to do without a terminal.
    pub fn ask(&self, question: &str, instead: &str) -> Result<String, Failure> {
        let mut tty = self.tty().ok_or_else(|| nobody(question, instead))?;
        let failed =
            |error: io::Error| Failure::because(exit::FAILED, "couldn't use the terminal", &error);
        tty.write_all(question.as_bytes()).map_err(failed)?;
        let mut line = Vec::new();
        loop {
            let pause = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            let ready = {
                let mut fds = [PollFd::new(&tty, PollFlags::IN)];
                poll(&mut fds, Some(&pause))
            };
            if self.interrupted.load(Ordering::Relaxed) {
                let _ = tty.write_all(b"\n");
                return Err(Failure::interrupted());
            }
            match ready {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(failed(error.into())),
            }
            let mut byte = [0];
            match tty.read(&mut byte).map_err(failed)? {
                0 => return Err(Failure::interrupted()),
                _ if byte == *b"\n" => break,
                _ if line.len() < MAX_ANSWER => line.extend(byte),
                _ => {}
            }
        }
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }

    /// Asks for a line that isn't shown while it is typed.
    pub fn ask_hidden(&self, question: &str, instead: &str) -> Result<Zeroizing<String>, Failure> {
        if !self.is_there() {
            return Err(nobody(question, instead));
        }
        match rpassword::prompt_password(question) {
            Ok(answer) => Ok(Zeroizing::new(answer)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Failure::interrupted()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Failure::interrupted())
            }
            Err(error) => Err(Failure::because(exit::FAILED, "couldn't use the terminal", &error)),
        }
    }

    /// What tells the person to touch a key, and what for.
    pub fn touch(&self, key: &str, purpose: &str) -> Touch {
        // On a terminal the line counts down in place, wherever stderr goes.
        let tty = if io::stderr().is_terminal() { self.tty() } else { None };
        Touch { text: format!("Touch {key} {purpose}"), tty, said: false }
    }
}

fn nobody(question: &str, instead: &str) -> Failure {
    let asked = question.trim().trim_end_matches([':', '?']);
    Failure::new(exit::ABSENT, format!("there is no terminal to ask on: {asked}")).hint(instead)
}

/// The prompt for one touch.
#[derive(Debug)]
pub struct Touch {
    text: String,
    tty: Option<File>,
    said: bool,
}

impl TouchPrompt for Touch {
    fn waiting(&mut self, left: Duration) {
        match &mut self.tty {
            Some(tty) => {
                let _ = write!(tty, "\r\x1b[K{} ({} s left) ", self.text, left.as_secs());
            }
            None if !self.said => {
                let _ = writeln!(anstream::stderr(), "{} ({} s)", self.text, left.as_secs());
            }
            None => {}
        }
        self.said = true;
    }

    fn over(&mut self) {
        if let Some(tty) = &mut self.tty {
            let _ = write!(tty, "\r\x1b[K");
        }
    }
}
