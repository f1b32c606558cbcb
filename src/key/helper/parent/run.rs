//! The runs of children, one for each question: start, deadlines, cancellation, end.
//!
//! Every wait has its deadline, and every way out of a run ends the child: first by asking
//! it to cancel, so that the key stops blinking, then by killing it. Whether an answer
//! belongs to its question isn't known here: the caller checks that.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::key::helper::protocol::{Ask, Event, Question, Reply, cancel_frame};
use crate::key::helper::wire::{Assembler, Received};
use crate::key::{Confinement, DeviceId, KeyError, ProbeAnswer, TouchPrompt};

/// The subcommand that has the program call [`crate::key::helper::serve`].
const SUBCOMMAND: &str = "key-helper";

/// How often the parent looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(100);

/// How often a prompt is told that the key still waits.
const TICK: Duration = Duration::from_secs(1);

/// How long a killed child has to vanish. One that the kernel keeps longer, in a USB
/// transfer that doesn't end, is left to it.
const VANISH: Duration = Duration::from_secs(1);

/// How long things may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// A request that needs no touch, from beginning to end: 10 seconds.
    pub quiet: Duration,
    /// The wait for a touch, from when the key begins to wait: 30 seconds.
    pub touch: Duration,
    /// A request that needs a touch, from beginning to end: 60 seconds.
    pub touch_overall: Duration,
    /// From asking the child to cancel until it is killed: 1 second.
    pub goodbye: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(10),
            touch: Duration::from_secs(30),
            touch_overall: Duration::from_secs(60),
            goodbye: Duration::from_secs(1),
        }
    }
}

/// Children, started one after the other, and what holds for each.
pub(super) struct Children {
    start: Box<dyn FnMut(UnixStream) -> io::Result<Running> + Send>,
    interrupt: Arc<AtomicBool>,
    deadlines: Deadlines,
    confinement: Option<Confinement>,
}

impl Children {
    /// Children that run `program key-helper`, until `interrupt` is set.
    pub(super) fn of(program: PathBuf, interrupt: Arc<AtomicBool>) -> Self {
        Self::started_by(move |socket| Running::start(&program, socket), interrupt)
    }

    pub(super) fn started_by(
        start: impl FnMut(UnixStream) -> io::Result<Running> + Send + 'static,
        interrupt: Arc<AtomicBool>,
    ) -> Self {
        let deadlines = Deadlines::default();
        Self { start: Box::new(start), interrupt, deadlines, confinement: None }
    }

    pub(super) fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// What confines the last child, as it said itself.
    pub(super) fn confinement(&self) -> Option<Confinement> {
        self.confinement
    }

    fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// Starts a child, asks it one thing, and sees to its end.
    pub(super) fn ask(
        &mut self,
        ask: &Ask<'_>,
        prompt: Option<&mut dyn TouchPrompt>,
    ) -> Result<Reply, KeyError> {
        if self.interrupted() {
            return Err(KeyError::Cancelled);
        }
        let request = ask.encode().map_err(|error| KeyError::Helper(error.to_string()))?;
        let broken = |error: io::Error| KeyError::Helper(error.kind().to_string());
        let (socket, theirs) = UnixStream::pair().map_err(broken)?;
        socket.set_write_timeout(Some(self.deadlines.quiet)).map_err(broken)?;
        let mut child = (self.start)(theirs)
            .map_err(|error| KeyError::Helper(format!("it can't be started: {}", error.kind())))?;
        // A child that takes no request is one that is gone; `listen` finds out how.
        drop((&socket).write_all(&request));
        drop(request);

        let mut wait = Wait { prompt, waiting: false };
        self.confinement = None;
        let ended = self.listen(&socket, ask.device(), &mut wait);
        wait.over();
        match ended {
            Ended::Done(reply) => {
                // It wipes what it holds and ends; killed now, it would wipe nothing.
                child.wait(self.deadlines.goodbye);
                Ok(*reply)
            }
            Ended::Failed(error) => Err(error),
            Ended::Vanished => Err(child.cause_of_death(self.deadlines.goodbye)),
            Ended::Unfinished(error) => {
                goodbye(&socket, self.deadlines.goodbye);
                Err(error)
            }
            Ended::WantsTouch => {
                goodbye(&socket, self.deadlines.goodbye);
                match ask {
                    Ask::Of(_, Question::Probe(_)) => Ok(Reply::Probe(ProbeAnswer::WontSay)),
                    _ => Err(nonsense("it waits for a touch where none is needed")),
                }
            }
        }
    }

    /// Hears the child out, until it is done or time is up.
    fn listen(
        &mut self,
        mut socket: &UnixStream,
        device: Option<&DeviceId>,
        wait: &mut Wait<'_>,
    ) -> Ended {
        let silent = || match device {
            Some(device) => KeyError::Silent(device.clone()),
            None => KeyError::Helper("it gave no list of devices in time".to_owned()),
        };
        let nobody = DeviceId(String::new());
        let asked = device.unwrap_or(&nobody);
        let whole =
            if wait.prompt.is_some() { self.deadlines.touch_overall } else { self.deadlines.quiet };
        let overall = Instant::now() + whole;
        // Set by the first wait only: a key that begins again and again gains no time.
        let mut touch_by: Option<Instant> = None;
        let mut next_tick = Instant::now();
        let mut assembler = Assembler::default();
        let mut heard_of_device = false;
        loop {
            if self.interrupted() {
                return Ended::Unfinished(KeyError::Cancelled);
            }
            let now = Instant::now();
            let deadline = match touch_by {
                Some(touch_by) if wait.waiting => touch_by.min(overall),
                _ => overall,
            };
            if now >= deadline {
                return Ended::Unfinished(if wait.waiting {
                    KeyError::TouchTimedOut
                } else {
                    silent()
                });
            }
            if wait.waiting && now >= next_tick {
                wait.tell(deadline - now);
                next_tick = now + TICK;
            }
            let mut slice = LOOK.min(deadline - now);
            if wait.waiting {
                slice = slice.min(next_tick - now);
            }
            // A time-out of zero would mean none at all.
            if socket.set_read_timeout(Some(slice.max(Duration::from_millis(1)))).is_err() {
                return Ended::Vanished;
            }
            let body = match assembler.receive(&mut socket) {
                Ok(Received::Frame(body)) => body,
                Ok(Received::Part) => continue,
                Ok(Received::TooLong) => return Ended::Failed(nonsense("it is too long")),
                Ok(Received::End) => return Ended::Vanished,
                Err(error) if is_pause(&error) => continue,
                Err(_) => return Ended::Vanished,
            };
            let event = Event::decode(&body, asked);
            if let Ok(Event::Confined(confinement)) = event
                && !heard_of_device
            {
                self.confinement.get_or_insert(confinement);
                continue;
            }
            heard_of_device = true;
            match event {
                Ok(Event::Confined(_)) => {
                    return Ended::Failed(nonsense("it speaks of its confinement too late"));
                }
                Ok(Event::Waiting) if wait.prompt.is_none() => return Ended::WantsTouch,
                Ok(Event::Waiting) => {
                    if !wait.waiting {
                        let now = Instant::now();
                        wait.waiting = true;
                        touch_by.get_or_insert(now + self.deadlines.touch);
                        next_tick = now;
                    }
                }
                Ok(Event::Over) => wait.over(),
                Ok(Event::Done(reply)) => return Ended::Done(Box::new(reply)),
                // Nobody here has cancelled yet: the word is the key's own, and must not
                // pass for the user's Ctrl-C.
                Ok(Event::Failed(KeyError::Cancelled)) if !self.interrupted() => {
                    return Ended::Failed(KeyError::Denied);
                }
                Ok(Event::Failed(error)) => return Ended::Failed(error),
                Err(garbled) => return Ended::Failed(nonsense(&garbled.to_string())),
            }
        }
    }
}

/// How a conversation ended.
enum Ended {
    /// With an answer, which the child ends after.
    Done(Box<Reply>),
    /// With an error, which the child ends after or which it deserves no patience for.
    Failed(KeyError),
    /// With the child gone before it said either.
    Vanished,
    /// With the key perhaps still at work.
    Unfinished(KeyError),
    /// With the key waiting for a touch that nobody was asked for.
    WantsTouch,
}

/// A touch that is or isn't waited for, and whom to tell.
struct Wait<'a> {
    prompt: Option<&'a mut dyn TouchPrompt>,
    waiting: bool,
}

impl Wait<'_> {
    fn tell(&mut self, left: Duration) {
        if let Some(prompt) = &mut self.prompt {
            prompt.waiting(left);
        }
    }

    fn over(&mut self) {
        if std::mem::take(&mut self.waiting)
            && let Some(prompt) = &mut self.prompt
        {
            prompt.over();
        }
    }
}

/// Asks the child to have the key stop, and waits until it has or until time is up. What
/// it still says doesn't matter any more.
fn goodbye(mut socket: &UnixStream, patience: Duration) {
    let until = Instant::now() + patience;
    let Ok(cancel) = cancel_frame() else { return };
    if socket.write_all(&cancel).is_err() {
        return;
    }
    let mut ignored = [0; 512];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match io::Read::read(&mut socket, &mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if is_pause(&error) => {}
            Err(_) => return,
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// A child that is running, and doesn't once this is dropped.
pub(super) struct Running {
    /// None in tests, where a child is a thread.
    pub(super) process: Option<Child>,
}

impl Running {
    fn start(program: &PathBuf, socket: UnixStream) -> io::Result<Self> {
        let process = Command::new(program)
            .arg(SUBCOMMAND)
            .env_clear()
            // hidapi decodes the names of devices by the locale.
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { process: Some(process) })
    }

    /// Waits for the end of the process, but not for long.
    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        let process = self.process.as_mut()?;
        loop {
            match process.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Why a child that hung up did so.
    fn cause_of_death(&mut self, patience: Duration) -> KeyError {
        match self.wait(patience) {
            // A device's bytes are all that a child reads, so they are to blame.
            Some(status) if status.signal().is_some() => {
                nonsense("it crashed the program that read it")
            }
            _ => KeyError::Helper("it ended without an answer".to_owned()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Fails only where the process has ended already.
            drop(process.kill());
        }
        self.wait(VANISH);
    }
}

pub(super) fn nonsense(words: &str) -> KeyError {
    KeyError::Nonsense(words.to_owned())
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
