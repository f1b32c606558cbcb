//! The parent's end: starts a child for a picture, and sees to its end.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use zeroize::Zeroizing;

use super::answer::{MAX_ANSWER, decode};
use super::{Texts, Unread};
use crate::confinement::Confinement;
use crate::hardening::keep_from_swap;

/// The subcommand that has the program call [`super::serve`].
const SUBCOMMAND: &str = "picture-helper";
/// How often it is looked whether the wait was interrupted.
const LOOK: Duration = Duration::from_millis(100);
/// How long a child that has answered has to wipe what it holds and end.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a child gave no codes.
#[derive(Debug, Error)]
pub enum PictureError {
    /// The picture.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// The child took too long.
    #[error("reading it takes too long")]
    TooSlow,
    /// The child died of it, or answered nonsense.
    #[error("it broke the process that read it")]
    Broke,
    /// There is no child.
    #[error("the helper that reads pictures can't be started")]
    NoHelper(#[source] io::Error),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// What confined a child, and the texts that it found, or why there are none.
pub type Found = (Confinement, Result<Texts, Unread>);

/// Reads pictures, each in a child of its own.
pub struct Helper {
    program: PathBuf,
    interrupted: Arc<AtomicBool>,
    /// From the start of a child to its answer.
    deadline: Duration,
}

impl Helper {
    /// Children that run `program picture-helper` until `interrupted` is set.
    pub fn new(program: PathBuf, interrupted: Arc<AtomicBool>) -> Self {
        Self { program, interrupted, deadline: Duration::from_secs(30) }
    }

    /// What a child found in a picture, and what confined it. It says both at the end: a picture
    /// that has taken it over can have it lie of the latter, too.
    pub fn read(&self, picture: &[u8]) -> Result<Found, PictureError> {
        let (socket, theirs) = UnixStream::pair().map_err(PictureError::NoHelper)?;
        let child = Command::new(&self.program)
            .arg(SUBCOMMAND)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(PictureError::NoHelper)?;
        let mut child = Running(child);
        let answered = self.talk(&socket, picture);
        if answered.is_ok() {
            child.end();
        }
        answered
    }

    /// Gives a child its picture and hears it out.
    fn talk(&self, socket: &UnixStream, picture: &[u8]) -> Result<Found, PictureError> {
        let until = Instant::now() + self.deadline;
        let (mut reader, mut writer) = (socket, socket);
        let times = [socket.set_read_timeout(Some(LOOK)), socket.set_write_timeout(Some(LOOK))];
        times.into_iter().collect::<io::Result<()>>().map_err(PictureError::NoHelper)?;
        let mut rest = picture;
        while !rest.is_empty() {
            self.check(until)?;
            match writer.write(rest) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if is_pause(&error) => {}
                Err(_) => return Err(PictureError::Broke),
            }
        }
        socket.shutdown(std::net::Shutdown::Write).map_err(|_| PictureError::Broke)?;
        let mut answer = Zeroizing::new(Vec::with_capacity(MAX_ANSWER + 1));
        let mut part = Zeroizing::new([0; 4096]);
        keep_from_swap(&*part);
        keep_from_swap(answer.spare_capacity_mut());
        loop {
            self.check(until)?;
            let room = part.len().min(MAX_ANSWER + 1 - answer.len());
            match reader.read(part.get_mut(..room).unwrap_or_default()) {
                Ok(0) => break,
                Ok(length) => answer.extend_from_slice(part.get(..length).unwrap_or_default()),
                Err(error) if is_pause(&error) => {}
                Err(_) => return Err(PictureError::Broke),
            }
        }
        decode(&answer).ok_or(PictureError::Broke)
    }

    fn check(&self, until: Instant) -> Result<(), PictureError> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(PictureError::Interrupted);
        }
        if Instant::now() >= until { Err(PictureError::TooSlow) } else { Ok(()) }
    }
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// A child that is running, and doesn't once this is dropped.
struct Running(Child);

impl Running {
    /// Waits for the end of one that has answered: killed, it would wipe nothing.
    fn end(&mut self) {
        let until = Instant::now() + GOODBYE;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only where the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn helper(milliseconds: u64) -> Helper {
        let deadline = Duration::from_millis(milliseconds);
        Helper { deadline, ..Helper::new("none".into(), Arc::default()) }
    }

    /// What comes of a child that takes the picture and then does this.
    fn with_child(
        helper: &Helper,
        does: impl FnOnce(UnixStream) + Send + 'static,
    ) -> Result<Found, PictureError> {
        let (socket, mut theirs) = UnixStream::pair().unwrap();
        let child = thread::spawn(move || {
            let mut taken = Vec::new();
            theirs.read_to_end(&mut taken).unwrap();
            assert_eq!(taken.len(), 500_000);
            does(theirs);
        });
        let answered = helper.talk(&socket, &[7; 500_000]);
        drop(socket);
        child.join().unwrap();
        answered
    }

    #[test]
    fn an_answer_comes_back() {
        let confined = Confinement { landlock: Some(2), seccomp: true };
        let texts: Texts = vec![Zeroizing::new("text".to_owned())];
        let sent = texts.clone();
        let answered = with_child(&helper(10_000), move |mut socket| {
            socket.write_all(&super::super::answer::encode(confined, &Ok(sent))).unwrap();
        });
        assert_eq!(answered.unwrap(), (confined, Ok(texts)));
        let answered = with_child(&helper(10_000), move |mut socket| {
            let none = super::super::answer::encode(confined, &Err(Unread::NoCode));
            socket.write_all(&none).unwrap();
        });
        assert_eq!(answered.unwrap(), (confined, Err(Unread::NoCode)));
    }

    #[test]
    fn a_child_that_says_nothing_or_too_much_is_given_up() {
        let deadline = 300;
        let silent = with_child(&helper(deadline), move |socket| {
            // It holds the socket until the parent has given it up, and hung up.
            let mut held = [PollFd::new(&socket, PollFlags::empty())];
            let far_longer = Timespec::try_from(Duration::from_millis(100 * deadline)).unwrap();
            assert_eq!(poll(&mut held, Some(&far_longer)).unwrap(), 1, "it isn't given up");
        });
        assert!(matches!(silent, Err(PictureError::TooSlow)), "{silent:?}");
        let gone = with_child(&helper(10_000), drop);
        assert!(matches!(gone, Err(PictureError::Broke)), "{gone:?}");
        let endless =
            with_child(&helper(10_000), |mut socket| while socket.write_all(&[0; 4096]).is_ok() {});
        assert!(matches!(endless, Err(PictureError::Broke)), "{endless:?}");
    }

    /// How many processes of ours run this program.
    fn running(program: &str) -> usize {
        let ours = format!("PPid:\t{}\n", std::process::id());
        let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        processes
            .filter(|process| read(process.join("status")).contains(&ours))
            .filter(|process| read(process.join("cmdline")).starts_with(program))
            .count()
    }

    #[test]
    fn a_process_that_never_answers_is_killed_at_its_deadline() {
        // It reads nothing, says nothing on its socket, and doesn't end by itself.
        let program = "/usr/bin/yes";
        let silent = Helper { program: program.into(), ..helper(500) };
        let reading = thread::spawn(move || silent.read(&[7]));
        let until = Instant::now() + Duration::from_secs(10);
        while running(program) == 0 && Instant::now() < until && !reading.is_finished() {
            thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(running(program), 1, "it was at work");
        let answered = reading.join().unwrap();
        assert!(matches!(answered, Err(PictureError::TooSlow)), "{answered:?}");
        assert_eq!(running(program), 0, "it is gone");
    }

    #[test]
    fn ctrl_c_ends_the_wait() {
        let helper = helper(60_000);
        helper.interrupted.store(true, Ordering::Relaxed);
        let (socket, _theirs) = UnixStream::pair().unwrap();
        assert!(matches!(helper.talk(&socket, &[7]), Err(PictureError::Interrupted)));
    }

    #[test]
    fn a_program_that_is_not_there_is_no_helper() {
        assert!(matches!(helper(1000).read(&[7]), Err(PictureError::NoHelper(_))));
    }
}
