//! Runs a program under ptrace(2), and takes a picture of each of its processes at its end.
//!
//! The kernel stops a traced process once more before it gives its memory back
//! (`PTRACE_EVENT_EXIT`), and does so for one that is killed, too; `careless` proves it.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::picture::{Moment, Picture};

/// Waits to be traced before it becomes the program.
const WAIT: &str = "kill -s STOP $$; exec \"$@\"";

/// A program being followed, whose processes that run `program` have their pictures taken.
struct Album {
    folder: PathBuf,
    program: String,
    taken: Mutex<usize>,
    /// Processes that run, by their id.
    processes: Mutex<BTreeSet<i32>>,
}

impl Album {
    /// Takes a picture, if the process runs the program that pictures are wanted of.
    fn take(&self, process: i32, moment: Moment) -> io::Result<()> {
        // The number is taken before the picture: two at once get two names.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let exe = std::fs::read_link(format!("/proc/{process}/exe"))?;
        if exe.file_name().is_none_or(|name| name != self.program.as_str()) {
            return Ok(());
        }
        *taken += 1;
        Picture::take(process, moment)?.save(&self.folder.join(format!("{:04}", *taken)))
    }

    fn processes(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a command to its end, and all it starts. Puts pictures of processes that run a program
/// of this file name into a folder. SIGINT and SIGTERM are passed on to the command; SIGUSR1
/// has pictures taken at once.
pub fn run(command: &[String], program: &str, folder: &Path) -> io::Result<ExitStatus> {
    let album = Arc::new(Album {
        folder: folder.to_owned(),
        program: program.to_owned(),
        taken: Mutex::default(),
        processes: Mutex::default(),
    });
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    let mut child = Command::new("sh").args(["-c", WAIT, "sh"]).args(command).spawn()?;
    let first = Pid::from_raw(child.id().cast_signed());
    waitpid(first, Some(WaitPidFlag::WUNTRACED))?;
    let options = Options::PTRACE_O_EXITKILL
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXIT
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK;
    ptrace::seize(first, options)?;
    album.processes().insert(first.as_raw());
    kill(first, Signal::SIGCONT)?;

    let seen = Arc::clone(&album);
    thread::spawn(move || {
        for signal in signals.forever() {
            if signal == SIGUSR1 {
                let running = seen.processes().clone();
                for process in running {
                    // One that ends at this very moment has its picture taken for that.
                    drop(seen.take(process, Moment::InUse));
                }
            } else if let Ok(signal) = Signal::try_from(signal) {
                let _ = kill(first, signal);
            }
        }
    });
    follow(&album, first)?.map_or_else(|| child.wait(), Ok)
}

/// The events of a task that has just started another.
const NEW_TASK: [i32; 3] = [
    Event::PTRACE_EVENT_FORK as i32,
    Event::PTRACE_EVENT_VFORK as i32,
    Event::PTRACE_EVENT_CLONE as i32,
];

/// Follows all processes until none is left. Returns how the first one ended.
fn follow(album: &Album, first: Pid) -> io::Result<Option<ExitStatus>> {
    let mut end = None;
    loop {
        let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(status) => status,
            Err(Errno::ECHILD) => return Ok(end),
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        let resumed = match status {
            WaitStatus::PtraceEvent(task, _, event) if event == Event::PTRACE_EVENT_EXIT as i32 => {
                // The other tasks of a process are its threads.
                if album.processes().remove(&task.as_raw()) {
                    album.take(task.as_raw(), Moment::End)?;
                }
                ptrace::cont(task, None)
            }
            WaitStatus::PtraceEvent(task, _, event) if NEW_TASK.contains(&event) => {
                let new = ptrace::getevent(task)?;
                if let Some(new) = i32::try_from(new).ok().filter(|new| is_process(*new)) {
                    album.processes().insert(new);
                }
                ptrace::cont(task, None)
            }
            WaitStatus::PtraceEvent(task, ..) => ptrace::cont(task, None),
            WaitStatus::Stopped(task, signal) => ptrace::cont(task, signal),
            WaitStatus::Exited(task, code) => {
                if task == first {
                    end = Some(ExitStatus::from_raw(code << 8));
                }
                Ok(())
            }
            WaitStatus::Signaled(task, signal, _) => {
                if task == first {
                    end = Some(ExitStatus::from_raw(signal as i32));
                }
                Ok(())
            }
            _ => Ok(()),
        };
        match resumed {
            // Killed while it was stopped.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a task is a process, and not a further thread of one.
fn is_process(task: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{task}/status")).unwrap_or_default();
    status.lines().any(|line| line.split_whitespace().eq(["Tgid:", &task.to_string()]))
}
