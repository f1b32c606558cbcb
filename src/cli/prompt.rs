//! The terminal: questions, answers that nobody sees, and the touch that a key waits for.
//!
//! Questions go to `/dev/tty` whatever stdout and stderr are; without a terminal there are
//! none, and the error names the flag that answers instead. The rest of the conversation
//! goes to stderr.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
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

    /// Shows a secret on the terminal alone, never on stdout or stderr, and takes it away
    /// again when `then` is done, however that ends: it stands on the alternate screen, which
    /// has no scrollback.
    pub fn show_for_a_while<T>(
        &self,
        parts: &[&str],
        then: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let write = |parts: &[&str]| {
            let mut tty = self.tty().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            parts.iter().try_for_each(|part| tty.write_all(part.as_bytes()))
        };
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::interrupted());
        }
        let shown = write(&["\x1b[?1049h\x1b[2J\x1b[H"]).and_then(|()| write(parts));
        let done = shown.map_err(|error| cant_use(&error)).and_then(|()| then());
        let _ = write(&["\x1b[2J\x1b[H\x1b[?1049l"]);
        done
    }

    /// Asks for a line.
    pub fn ask(&self, question: &Question<'_>) -> Result<String, Failure> {
        let tty = self.tty().ok_or_else(|| question.nobody())?;
        Ok(self.read_line(tty, question)?.trim().to_owned())
    }

    /// Asks for a line that isn't shown while it is typed. The echo is off before the
    /// question stands there, so that nothing typed fast is shown either.
    pub fn ask_hidden(&self, question: &Question<'_>) -> Result<Zeroizing<String>, Failure> {
        let tty = self.tty().ok_or_else(|| question.nobody())?;
        let _unseen = Unseen::on(&tty).map_err(|error| cant_use(&error))?;
        self.read_line(tty, question)
    }

    /// Writes a question and reads the answer to it, up to a line break.
    fn read_line(
        &self,
        mut tty: File,
        question: &Question<'_>,
    ) -> Result<Zeroizing<String>, Failure> {
        tty.write_all(question.text.as_bytes()).map_err(|error| cant_use(&error))?;
        // With all room at once, no copy of a secret is left behind.
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
        loop {
            // Looked at before each wait: a signal that comes while one waits ends the wait.
            if self.interrupted.load(Ordering::Relaxed) {
                let _ = tty.write_all(b"\n");
                return Err(Failure::interrupted());
            }
            let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            let ready = poll(&mut [PollFd::new(&tty, PollFlags::IN)], Some(&pause));
            match ready {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(cant_use(&error.into())),
            }
            let mut byte = [0];
            match tty.read(&mut byte).map_err(|error| cant_use(&error))? {
                0 => {
                    let _ = tty.write_all(b"\n");
                    return Err(Failure::interrupted());
                }
                _ if byte == *b"\n" => break,
                _ if line.len() < MAX_ANSWER => line.extend(byte),
                _ => {}
            }
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| Failure::new(exit::FAILED, "what was typed isn't UTF-8 text"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// What tells the person to touch a key, and what for.
    pub fn touch(&self, key: &str, purpose: &str) -> Touch {
        // On a terminal the line counts down in place, wherever stdout and stderr go.
        Touch { text: format!("Touch {key} {purpose}"), tty: self.tty(), said: false }
    }
}

/// While it lives, what is typed on the terminal isn't shown, but for the line break.
struct Unseen {
    tty: File,
    before: Termios,
}

impl Unseen {
    fn on(tty: &File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        // What was typed before the question was meant for something else.
        tcsetattr(tty, OptionalActions::Flush, &unseen)?;
        Ok(Self { tty: tty.try_clone()?, before })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.tty, OptionalActions::Flush, &self.before);
    }
}

/// A question for the person at the keyboard.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// As it is shown.
    pub text: &'a str,
    /// What it is about, where nobody is there: `the PIN of alice/primary is needed`.
    pub about: &'a str,
    /// How to answer without a terminal.
    pub instead: &'a str,
}

impl Question<'_> {
    fn nobody(&self) -> Failure {
        let message = format!("{}, and there is no terminal to ask on", self.about);
        Failure::new(exit::ABSENT, message).hint(self.instead)
    }

    /// Whether an answer says yes.
    pub fn agrees(answer: &str) -> bool {
        ["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes))
    }
}

fn cant_use(error: &io::Error) -> Failure {
    Failure::because(exit::FAILED, "couldn't use the terminal", error)
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
