//! Runs programs in the machine, as a person at a shell would, but never for longer than
//! [`PATIENCE`]: a program that hangs fails its trial, not the whole machine.

use crate::machine::KEYMUSTER;
use crate::pseudo_terminal::PseudoTerminal;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may run. The machine's processor is emulated, and slow.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its answer.
    pub(crate) stdout: String,
    /// Its conversation.
    pub(crate) stderr: String,
}

impl Outcome {
    /// The answer of a program that must succeed.
    #[track_caller]
    pub(crate) fn expect_success(self) -> String {
        assert!(self.status.success(), "the program failed: {self:#?}");
        self.stdout
    }

    /// The conversation of a program that must fail.
    #[track_caller]
    pub(crate) fn expect_failure(self) -> String {
        assert!(!self.status.success(), "the program succeeded: {self:#?}");
        self.stderr
    }

    /// The exit code; a program ended by a signal has none.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// A program that is yet to run.
pub(crate) struct Program {
    command: Command,
    name: String,
    input: Vec<u8>,
}

/// The program under test, without a terminal.
pub(crate) fn keymuster<S: AsRef<OsStr>>(arguments: &[S]) -> Program {
    program(KEYMUSTER, arguments)
}

/// Any program on the machine, without a terminal.
pub(crate) fn program<S: AsRef<OsStr>>(name: &str, arguments: &[S]) -> Program {
    let mut command = Command::new(name);
    // With a group of its own, its children can be ended with it.
    command.args(arguments).process_group(0);
    let words = arguments.iter().map(|word| word.as_ref().to_string_lossy());
    let name = std::iter::once(name.into()).chain(words).collect::<Vec<_>>();
    Program { command, name: name.join(" "), input: Vec::new() }
}

/// A shell command on a terminal of its own. `exec` makes it the leader of the session, which
/// signals are sent to.
#[track_caller]
pub(crate) fn terminal_with(command_line: &str) -> PseudoTerminal {
    PseudoTerminal::start("sh", |sh| {
        sh.args(["-c", command_line]);
    })
}

/// A shell command that asks its questions on a terminal.
pub(crate) fn on_terminal(command_line: &str) -> Dialogue {
    on_terminal_words(&["sh", "-c", command_line])
}

/// A program that asks its questions on a terminal.
pub(crate) fn on_terminal_words(words: &[&str]) -> Dialogue {
    let words = words.iter().map(|&word| word.to_owned()).collect();
    Dialogue { words, answers: Vec::new() }
}

/// A dialogue that is yet to be held.
pub(crate) struct Dialogue {
    words: Vec<String>,
    answers: Vec<(String, String)>,
}

impl Dialogue {
    /// Types a line once the question stands on the terminal, after the last one answered.
    /// What is typed before a question for a PIN is thrown away, so the order matters.
    pub(crate) fn answer(mut self, question: &str, answer: &str) -> Self {
        self.answers.push((question.to_owned(), format!("{answer}\n")));
        self
    }

    /// Holds it to its end. All that was said, on whatever way, comes out as stdout.
    #[track_caller]
    pub(crate) fn run(self) -> Outcome {
        let (program, arguments) = self.words.split_first().expect("a program has a name");
        let mut terminal = PseudoTerminal::start(program, |command| {
            command.args(arguments);
        });
        for (question, answer) in &self.answers {
            terminal.until(question);
            terminal.types(answer);
        }
        let status = terminal.wait_for_end();
        Outcome { status, stdout: terminal.shown(), stderr: String::new() }
    }
}

impl Program {
    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the directory it runs in.
    pub(crate) fn current_dir(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives it something to read; it reads nothing otherwise.
    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = text.into();
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Starts it and comes back at once.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running {
        let child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => panic!("can't run {}: {error}", self.name),
        };
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let stdout = Said::collect(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Said::collect(child.stderr.take().expect("stderr is a pipe"));
        // It ends with the program, which may not read it all.
        thread::spawn(move || stdin.write_all(&self.input));
        Running { child, name: self.name, began: Instant::now(), stdout, stderr }
    }
}

/// What came out of a program so far; a thread adds to it.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<(Vec<u8>, bool)>>);

impl Said {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let writer = said.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                writer.lock().0.extend(&buffer[..length]);
            }
            writer.lock().1 = true;
        });
        said
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<u8>, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.lock().1
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().0).into_owned()
    }
}

/// A program under way. It is killed, children and all, if nobody waits for its end.
pub(crate) struct Running {
    child: Child,
    name: String,
    began: Instant,
    stdout: Said,
    stderr: Said,
}

impl Running {
    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has said so far, on stdout and then on stderr.
    pub(crate) fn said(&self) -> String {
        self.stdout.text() + &self.stderr.text()
    }

    /// Sends the program, not its children, a signal by its name (`INT`, `TERM`).
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        program("kill", &["-s", name, &id]).run().expect_success();
    }

    /// Waits for its end, and that of all its children that could still say something.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Outcome {
        self.wait("hangs", |this| !this.is_running());
        self.wait("left a process behind", |this| this.stdout.is_over() && this.stderr.is_over());
        Outcome {
            status: self.child.wait().expect("it has ended"),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }

    #[track_caller]
    fn wait(&mut self, fault: &str, mut is_done: impl FnMut(&mut Self) -> bool) {
        while !is_done(self) {
            let late = self.began.elapsed() >= PATIENCE;
            assert!(!late, "{} {fault}; it said: {:?}", self.name, self.said());
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-s", "KILL", &group]).status();
            let _ = self.child.wait();
        }
    }
}

/// An empty directory of a trial's own. The machine ends before it needs to be removed.
pub(crate) fn scratch() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = PathBuf::from(format!("/run/scratch/{number}"));
    std::fs::create_dir_all(&path).expect("/run can be written to");
    path
}

/// Waits until something is so, and fails if it never is.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(POLL_INTERVAL);
    }
}
