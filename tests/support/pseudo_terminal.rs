//! A terminal of a test's own, with a command on it: the test types, reads the screen, sees
//! whether what is typed is shown, and can close the terminal as one closes a window.
//!
//! The kernel does what it does for a person: Ctrl-C is a byte that becomes a signal, and a
//! closed terminal hangs up on whoever runs on it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// How long anything is waited for. The machine may be busy, or emulated.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one look at the screen takes, where nothing happens on it.
const LOOK: Duration = Duration::from_millis(5);

/// What a key types that isn't a letter.
pub const CTRL_C: &str = "\u{3}";
pub const CTRL_D: &str = "\u{4}";
pub const CTRL_S: &str = "\u{13}";
pub const CTRL_Z: &str = "\u{1a}";
pub const CTRL_BACKSLASH: &str = "\u{1c}";

/// A terminal, and the command that was started on it. Dropping it closes the terminal.
pub struct PseudoTerminal {
    /// The person's end; none once the terminal is closed.
    person: Option<File>,
    command: Child,
    shown: Vec<u8>,
    read: usize,
}

impl PseudoTerminal {
    /// Starts a program as the leader of a session on a new terminal. `prepare` adds what is
    /// particular about it, such as other places for its stdout and stderr.
    #[track_caller]
    pub fn start(program: impl AsRef<OsStr>, prepare: impl FnOnce(&mut Command)) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = openpt(flags).expect("the system has pseudo-terminals");
        grantpt(&person).and_then(|()| unlockpt(&person)).expect("a terminal can be used");
        let theirs: OwnedFd = ioctl_tiocgptpeer(&person, flags).expect("a terminal has two ends");
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program);
        let copy = || theirs.try_clone().expect("a descriptor can be copied");
        command.stdin(copy()).stdout(copy()).stderr(copy());
        prepare(&mut command);
        let command = command.spawn().unwrap_or_else(|error| {
            panic!("setsid is needed (package util-linux): {error}");
        });
        Self { person: Some(person.into()), command, shown: Vec::new(), read: 0 }
    }

    /// Waits until `text` is shown after what was waited for before; returns all up to it.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            // The end is looked at first, or the last words could be missed.
            let over = self.has_ended() || began.elapsed() > PATIENCE;
            self.look();
            let rest = String::from_utf8_lossy(&self.shown[self.read..]).into_owned();
            if let Some(place) = rest.find(text) {
                let passed = rest[..place + text.len()].to_owned();
                self.read += passed.len();
                return passed;
            }
            assert!(!over, "{text:?} was never shown: {:?}", self.shown());
        }
    }

    /// Waits until something is so, and reads the screen meanwhile.
    #[track_caller]
    pub fn wait(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            let late = began.elapsed() > PATIENCE;
            assert!(!late, "waited in vain until {what}: {:?}", self.shown());
            self.look();
        }
    }

    /// Types on the keyboard.
    #[track_caller]
    pub fn types(&mut self, text: &str) {
        let person = self.person.as_mut().expect("the terminal is open");
        person.write_all(text.as_bytes()).expect("one can type");
    }

    /// Closes the terminal.
    pub fn close(&mut self) {
        self.person = None;
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Whether what is typed is shown. A terminal that was closed shows nothing.
    #[track_caller]
    pub fn echoes(&self) -> bool {
        let person = self.person.as_ref().expect("the terminal is open");
        let modes = tcgetattr(person).expect("a terminal has modes").local_modes;
        modes.contains(LocalModes::ECHO)
    }

    /// Shows what is typed, as a shell does that has its terminal back.
    #[track_caller]
    pub fn echo(&self) {
        let person = self.person.as_ref().expect("the terminal is open");
        let mut modes = tcgetattr(person).expect("a terminal has modes");
        modes.local_modes.insert(LocalModes::ECHO);
        tcsetattr(person, OptionalActions::Now, &modes).expect("modes can be set");
    }

    /// Whether the alternate screen is shown, where it matters to whom the terminal is left.
    pub fn is_aside(&self) -> bool {
        let shown = self.shown();
        shown.rfind("\u{1b}[?1049h") > shown.rfind("\u{1b}[?1049l")
    }

    /// Sends a signal to the command alone, as another program would.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.command), signal).expect("the command runs");
    }

    /// Whether the command has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.command.try_wait(), Ok(Some(_)))
    }

    /// What the kernel tells about the command in a file of /proc.
    pub fn process(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.command.id()))
    }

    /// The other processes that were started on the terminal and still run, by their command
    /// lines.
    pub fn left_behind(&self) -> Vec<String> {
        let leader = self.command.id().to_string();
        let processes = fs::read_dir("/proc").expect("there is a /proc").flatten();
        let of_session = processes.filter(|process| {
            let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            // After the name: state, parent, group, session.
            let session = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(3));
            process.file_name() != *leader && session == Some(&leader) && !stat.contains(") Z ")
        });
        of_session
            .map(|process| fs::read_to_string(process.path().join("cmdline")).unwrap_or_default())
            .collect()
    }

    /// Waits for the end of the command.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        self.wait("the command has ended", |this| this.has_ended());
        // What it said last is there by now.
        while self.look() {}
        self.command.wait().expect("it has ended")
    }

    /// Waits for the end of the command; returns the exit code and everything that was shown.
    #[track_caller]
    pub fn ends(mut self) -> (i32, String) {
        let status = self.wait_for_end();
        (status.code().unwrap_or_else(|| panic!("{status}: {:?}", self.shown())), self.shown())
    }

    /// Reads what is shown, for a short time; false if it was nothing.
    fn look(&mut self) -> bool {
        let Some(person) = &mut self.person else {
            sleep(LOOK);
            return false;
        };
        let mut buffer = [0; 4096];
        let look = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK.subsec_nanos()) };
        match poll(&mut [PollFd::new(&*person, PollFlags::IN)], Some(&look)) {
            Ok(1..) => {}
            _ => return false,
        }
        match person.read(&mut buffer) {
            Ok(length @ 1..) => {
                self.shown.extend(&buffer[..length]);
                true
            }
            // Nobody holds the other end any more.
            _ => {
                sleep(LOOK);
                false
            }
        }
    }
}

impl Drop for PseudoTerminal {
    fn drop(&mut self) {
        self.close();
        let _ = self.command.kill();
        let _ = self.command.wait();
    }
}
