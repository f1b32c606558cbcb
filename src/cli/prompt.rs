//! The terminal: questions, answers that nobody sees, and the touch that a key waits for.
//!
//! Questions go to `/dev/tty` whatever stdout and stderr are; without a terminal there are
//! none, and the error names the flag that answers instead. The rest of the conversation
//! goes to stderr.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::getpgrp;
use rustix::termios::{
    Action, InputModes, LocalModes, OptionalActions, QueueSelector, Termios, tcflow, tcflush,
    tcgetattr, tcgetpgrp, tcsetattr,
};
use signal_hook::consts::SIGTTIN;
use signal_hook::low_level::raise;
use zeroize::{Zeroize as _, Zeroizing};

use super::exit;
use super::failure::Failure;
use crate::hardening::keep_from_swap;
use crate::key::TouchPrompt;

/// The longest line that a terminal gives, in bytes (termios(3), canonical mode): an answer as
/// long as that was cut.
const MAX_ANSWER: usize = 4095;

/// How long a wait for input goes on before it is looked whether it was interrupted: a signal
/// may come just before the wait, and then doesn't end it.
pub const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// After how long words that change are drawn anew.
const ANEW: Duration = Duration::from_secs(1);

/// Remembers where the cursor is, goes to the line above, and wipes it.
const UP: &[u8] = b"\x1b7\x1b[1A\r\x1b[2K";
/// Goes back there.
const DOWN: &[u8] = b"\x1b8";
/// Enters the alternate screen, which has no scrollback.
const ASIDE: &[u8] = b"\x1b[?1049h";
/// Wipes a screen, and begins at its top.
const WIPE: &[u8] = b"\x1b[2J\x1b[H";
/// Wipes the alternate screen and leaves it.
const BACK: &[u8] = b"\x1b[2J\x1b[H\x1b[?1049l";

/// The person at the keyboard, if there is one.
#[derive(Clone, Debug)]
pub struct Terminal {
    interrupted: Arc<AtomicBool>,
    /// What the question that stands there has changed.
    altered: Arc<Mutex<Option<Altered>>>,
    /// Set when the process goes on after it was stopped: the question is gone from sight.
    resumed: Arc<AtomicBool>,
}

/// How a question stands on the terminal.
#[derive(Clone, Copy)]
enum Look<'a> {
    /// As any line.
    Plain,
    /// What is typed isn't shown, but for the line break.
    Unseen,
    /// On the alternate screen, below these words.
    Aside(&'a [&'a str]),
    /// The same, below words that change while it stands there.
    Changing(&'a Changing<'a>),
    /// As any line, below one that changes while it stands there.
    Ticking(&'a dyn Fn() -> String),
}

/// Gives the words that are right now, each second anew; none once they are no more.
type Changing<'a> = dyn Fn() -> Option<Zeroizing<String>> + 'a;

impl Terminal {
    /// A terminal whose questions end when `interrupted` is set.
    pub fn new(interrupted: Arc<AtomicBool>) -> Self {
        Self { interrupted, altered: Arc::default(), resumed: Arc::default() }
    }

    /// The terminal, opened anew: nobody else's reads and writes become non-blocking. Ours are,
    /// since one that is held (Ctrl-S) takes nothing.
    fn tty(&self) -> Option<File> {
        let flags = OFlags::NONBLOCK.bits() as i32;
        File::options().read(true).write(true).custom_flags(flags).open("/dev/tty").ok()
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

    /// Asks for a line.
    pub fn ask(&self, question: &Question<'_>) -> Result<String, Failure> {
        Ok(self.answer(question, Look::Plain)?.trim().to_owned())
    }

    /// Asks for a line that isn't shown while it is typed. The echo is off before the
    /// question stands there, so that nothing typed fast is shown either.
    pub fn ask_hidden(&self, question: &Question<'_>) -> Result<Zeroizing<String>, Failure> {
        self.answer(question, Look::Unseen)
    }

    /// How many rows and columns the terminal has; what is usual, where it doesn't say.
    pub fn size(&self) -> (usize, usize) {
        let size = self.tty().and_then(|tty| rustix::termios::tcgetwinsize(&tty).ok());
        match size.map(|size| (usize::from(size.ws_row), usize::from(size.ws_col))) {
            Some((rows, columns)) if rows > 0 && columns > 0 => (rows, columns),
            _ => (24, 80),
        }
    }

    /// Shows a secret on the terminal alone, never on stdout or stderr, asks for a line below
    /// it, and takes both away again, however that ends.
    pub fn ask_beside(
        &self,
        secret: &[&str],
        question: &Question<'_>,
    ) -> Result<Zeroizing<String>, Failure> {
        self.answer(question, Look::Aside(secret))
    }

    /// The same with a secret that changes. It is over with a line, or with the words.
    pub fn ask_beside_changing(
        &self,
        secret: &Changing<'_>,
        question: &Question<'_>,
    ) -> Result<(), Failure> {
        self.answer(question, Look::Changing(secret)).map(drop)
    }

    /// Asks for a line below another one that changes, such as a stop-watch. The question must fit
    /// on one line.
    pub fn ask_ticking(
        &self,
        watch: &dyn Fn() -> String,
        question: &Question<'_>,
    ) -> Result<String, Failure> {
        Ok(self.answer(question, Look::Ticking(watch))?.trim().to_owned())
    }

    fn answer(
        &self,
        question: &Question<'_>,
        look: Look<'_>,
    ) -> Result<Zeroizing<String>, Failure> {
        // A terminal that has just been closed is an interruption, not the lack of one.
        self.check_interrupted()?;
        let tty = self.tty().ok_or_else(|| question.nobody())?;
        self.wait_for_foreground(&tty)?;
        let _back = self.alter(&tty, look).map_err(|error| cant_use(&error))?;
        self.read_line(&tty, question, look)
    }

    fn check_interrupted(&self) -> Result<(), Failure> {
        if self.interrupted.load(Ordering::Relaxed) { Err(Failure::interrupted()) } else { Ok(()) }
    }

    /// Writes a question and reads the answer to it, up to a line break.
    fn read_line(
        &self,
        tty: &File,
        question: &Question<'_>,
        look: Look<'_>,
    ) -> Result<Zeroizing<String>, Failure> {
        let ask = || {
            // Not while the terminal is given back: a secret would be left on it.
            let _altered = self.altered();
            let put = |text: &[u8]| {
                let go_on = || !self.interrupted.load(Ordering::Relaxed);
                write_while(tty, text, go_on)
            };
            match look {
                Look::Plain | Look::Unseen => {}
                Look::Ticking(watch) => {
                    put(watch().as_bytes())?;
                    put(b"\n")?;
                }
                Look::Aside(above) => {
                    put(ASIDE)?;
                    put(WIPE)?;
                    above.iter().try_for_each(|part| put(part.as_bytes()))?;
                }
                Look::Changing(above) => {
                    let Some(above) = above() else { return Ok(false) };
                    put(ASIDE)?;
                    put(WIPE)?;
                    put(above.as_bytes())?;
                }
            }
            put(question.text.as_bytes())?;
            Ok(true)
        };
        // An interruption is told as one below.
        let asked = |done: io::Result<bool>| match done {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(cant_use(&error)),
            Err(_) => Ok(true),
            Ok(stands) => Ok(stands),
        };
        asked(ask())?;
        let mut drawn = Instant::now();
        let moves = std::env::var_os("TERM").is_some_and(|name| name != "dumb");
        // With all room at once, no copy of a secret is left behind.
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
        let interrupted = || {
            let _ = write_while(tty, b"\n", || false);
            Err(Failure::interrupted())
        };
        keep_from_swap(line.spare_capacity_mut());
        loop {
            // Looked at before each wait: a signal that comes while one waits ends the wait.
            if self.interrupted.load(Ordering::Relaxed) {
                return interrupted();
            }
            if self.resumed.load(Ordering::Relaxed) {
                self.wait_for_foreground(tty)?;
                self.resumed.store(false, Ordering::Relaxed);
                // Half an answer from before the stop would be part of this one unseen.
                line.zeroize();
                self.alter_again().map_err(|error| cant_use(&error))?;
                asked(ask())?;
            }
            if matches!(look, Look::Changing(_)) && drawn.elapsed() >= ANEW {
                drawn = Instant::now();
                if !asked(ask())? {
                    break;
                }
            }
            if let Look::Ticking(watch) = look
                && moves
                && drawn.elapsed() >= ANEW
            {
                drawn = Instant::now();
                let anew = [UP, watch().as_bytes(), DOWN].concat();
                asked(write_while(tty, &anew, || false).map(|()| true))?;
            }
            match poll(&mut [PollFd::new(tty, PollFlags::IN)], Some(&LOOK)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(cant_use(&error.into())),
            }
            let mut byte = [0];
            match (&*tty).read(&mut byte) {
                Err(error) if is_pause(&error) => {}
                // Ctrl-D, or a terminal that was closed.
                Ok(0) | Err(_) => return interrupted(),
                Ok(_) if byte == *b"\n" => break,
                Ok(_) if line.len() < MAX_ANSWER => line.extend(byte),
                // The kernel cuts a line there, without a word.
                Ok(_) => {}
            }
        }
        // What is typed after Ctrl-C is no answer, and the signal may still be on its way.
        std::thread::sleep(Duration::from_millis(20));
        if self.interrupted.load(Ordering::Relaxed) {
            return interrupted();
        }
        if line.len() >= MAX_ANSWER {
            return Err(Failure::new(exit::FAILED, "what was typed is too long to be taken whole")
                .hint("give it from a file"));
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| Failure::new(exit::FAILED, "what was typed isn't UTF-8 text"))?;
        let text = Zeroizing::new(text.to_owned());
        keep_from_swap(text.as_str());
        Ok(text)
    }

    /// Brings the terminal into the form that a question wants, until this is dropped.
    fn alter(&self, tty: &File, look: Look<'_>) -> io::Result<Back<'_>> {
        let aside = matches!(look, Look::Aside(_) | Look::Changing(_));
        let tty = tty.try_clone()?;
        let mut altered = self.altered();
        let before = matches!(look, Look::Unseen).then(|| hide(&tty)).transpose()?;
        *altered = Some(Altered { tty, before, aside });
        self.resumed.store(false, Ordering::Relaxed);
        Ok(Back(self))
    }

    /// The same once more, after somebody else may have changed the terminal's form.
    fn alter_again(&self) -> io::Result<()> {
        match &mut *self.altered() {
            Some(Altered { tty, before: Some(before), .. }) => {
                *before = hide(tty)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits until the terminal is ours. In the background its form is that of the shell, which
    /// a question must neither change nor take for the one to give back.
    fn wait_for_foreground(&self, tty: &File) -> Result<(), Failure> {
        while !is_ours(tty) {
            self.check_interrupted()?;
            // Stops the process until somebody brings it to the foreground, as reading would;
            // not where no shell is there to do that.
            let _ = raise(SIGTTIN);
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn altered(&self) -> MutexGuard<'_, Option<Altered>> {
        self.altered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the terminal back as it was, from another thread than the one that asks. Nothing
    /// can be asked any more until `then` has returned, and then all is as the question wants it.
    pub fn without_question(&self, then: impl FnOnce()) {
        let altered = self.altered();
        if let Some(altered) = &*altered {
            altered.take_back();
        }
        then();
        self.redraw();
    }

    /// Has a question that stands there asked once more, in the form that it wants.
    pub fn redraw(&self) {
        self.resumed.store(true, Ordering::Relaxed);
    }

    /// What tells the person to touch a key, and what for.
    pub fn touch(&self, key: &str, purpose: &str) -> Touch {
        // On a terminal the line counts down in place, wherever stdout and stderr go.
        Touch { text: format!("Touch {key} {purpose}"), tty: self.tty(), said: false }
    }
}

/// What a question has changed about the terminal.
#[derive(Debug)]
struct Altered {
    tty: File,
    /// How it was before the echo was turned off, if it was.
    before: Option<Termios>,
    aside: bool,
}

impl Altered {
    fn take_back(&self) {
        // In the background there is nothing to give back, and to try would stop the process.
        if !is_ours(&self.tty) {
            return;
        }
        if let Some(before) = &self.before {
            let _ = set(&self.tty, before);
        }
        if self.aside {
            // A secret isn't left standing because the terminal is held (Ctrl-S): to stop its
            // output by our own hand and go on lifts that.
            let _ = tcflow(&self.tty, Action::OOff).and_then(|()| tcflow(&self.tty, Action::OOn));
            let mut looks = 0..25;
            let _ = write_while(&self.tty, BACK, || looks.next().is_some());
        }
    }
}

/// Writes to a terminal, which may be held, as long as `go_on` says so.
fn write_while(mut tty: &File, mut text: &[u8], mut go_on: impl FnMut() -> bool) -> io::Result<()> {
    while !text.is_empty() {
        match tty.write(text) {
            Ok(length) => text = text.get(length..).unwrap_or_default(),
            Err(error) if is_pause(&error) => {
                if !go_on() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                let _ = poll(&mut [PollFd::new(tty, PollFlags::OUT)], Some(&LOOK));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether this process may use its terminal: it is in the foreground.
fn is_ours(tty: &File) -> bool {
    tcgetpgrp(tty).map_or(true, |group| group == getpgrp())
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Stops showing what is typed on a terminal, and says how it was before.
fn hide(tty: &File) -> io::Result<Termios> {
    let before = tcgetattr(tty)?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    unseen.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
    unseen.input_modes.insert(InputModes::ICRNL);
    set(tty, &unseen)?;
    Ok(before)
}

/// Changes a terminal, and throws away what was typed before: it was meant for something else.
/// The flush of tcsetattr(3) would wait for whoever writes to it, for ever if it is held
/// (Ctrl-S).
fn set(tty: &File, modes: &Termios) -> io::Result<()> {
    tcsetattr(tty, OptionalActions::Now, modes)?;
    Ok(tcflush(tty, QueueSelector::IFlush)?)
}

/// Gives the terminal back when it is dropped.
struct Back<'a>(&'a Terminal);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        if let Some(altered) = self.0.altered().take() {
            altered.take_back();
        }
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
