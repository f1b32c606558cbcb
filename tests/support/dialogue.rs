//! A dialogue with a program on a pseudo-terminal, which script(1) makes.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a dialogue waits for its next line.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell command on a terminal of its own.
pub struct Dialogue {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    shown: String,
    read: usize,
}

impl Dialogue {
    pub fn start(folder: &Path, command: &str) -> Self {
        Self::run_by(Command::new("script"), folder, command)
    }

    /// The same, with a command that runs script(1) as it is.
    pub fn run_by(mut script: Command, folder: &Path, command: &str) -> Self {
        let mut child = script
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
    pub fn until(&mut self, text: &str) -> String {
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

    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// The process that [`Dialogue::start`] or [`Dialogue::run_by`] has started.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; returns the exit code and everything that was shown.
    pub fn ends(mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(bytes) =
            self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        (self.child.wait().unwrap().code().unwrap(), self.shown)
    }
}
