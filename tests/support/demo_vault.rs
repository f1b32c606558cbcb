//! A demo vault to work on: made once by the binary, copied for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A copy of the demo, with a memory of heads of its own.
pub struct Demo {
    pub folder: TempDir,
}

/// What a run of the binary said.
#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Fails unless the run ended with this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless stderr holds each of these.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not said in:\n{}", self.stderr);
        }
        self
    }

    /// Fails unless stdout holds each of these.
    #[track_caller]
    pub fn answers(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "{part:?} is not answered in:\n{}", self.stdout);
        }
        self
    }
}

/// Runs the binary in `folder`, without a terminal and with a memory of heads beside it.
pub fn keymuster_in(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command_in(folder).args(arguments).output().expect("the binary runs");
    ran(output)
}

/// The binary, ready to run in `folder` with a clean environment. A session of its own
/// takes the terminal away, which the tests may have been started from.
pub fn command_in(folder: &Path) -> Command {
    let mut command = Command::new("setsid");
    command
        .arg("--wait")
        .arg(env!("CARGO_BIN_EXE_keymuster"))
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .stdin(Stdio::null());
    command
}

pub fn ran(output: Output) -> Ran {
    Ran {
        exit: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// Runs a stock tool and returns its stdout, which must come with exit code 0.
#[track_caller]
pub fn tool(program: &str, arguments: &[&str], stdin: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{program} is needed (make setup-test installs it): {error}")
        });
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
    output.stdout
}

/// Alice's vault, made once by the binary.
fn original() -> &'static Demo {
    static ORIGINAL: OnceLock<Demo> = OnceLock::new();
    ORIGINAL.get_or_init(|| {
        let demo = Demo { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(demo.path("")).unwrap();
        let identity = String::from_utf8(tool("age-keygen", &[], b"")).unwrap();
        let line = identity.lines().find(|line| !line.starts_with('#')).unwrap();
        fs::write(demo.path("reader.identity"), format!("{line}\n")).unwrap();
        let recipient = tool("age-keygen", &["-y"], line.as_bytes());
        let recipient = String::from_utf8(recipient).unwrap();
        let reader = format!("auditor={}", recipient.trim());
        let found = ["vault", "init", "demo/vault", "--demo", "--name", "Example Corp"];
        let alice = ["--custodian", "alice", "--key", "primary", "--reader", &reader];
        let found = [&found[..], &alice, &["--paper-fd", "0"]].concat();
        let mut command = command_in(demo.folder.path());
        let paper = fs::File::create(demo.path("paper.txt")).unwrap();
        ran(command.args(found).stdin(paper).output().unwrap()).exits(0);
        demo.run(&["key", "enrol", "blue"]).exits(0);
        demo.read(&["key", "check", "alice/primary"]).exits(0);
        demo.read(&["key", "check", "alice/blue"]).exits(0);
        demo.read(&["log", "export", "demo/bundle"]).exits(0);
        demo
    })
}

/// The same with bob and carol, who have a key each: two custodians sign what matters.
fn original_people() -> &'static Demo {
    static ORIGINAL: OnceLock<Demo> = OnceLock::new();
    ORIGINAL.get_or_init(|| {
        let demo = Demo::new();
        let bob = ["custodian", "add", "bob", "--name", "Bob B.", "--key", "primary"];
        demo.run_with_paper(&bob, "bob.paper.txt").exits(0);
        let carol = ["custodian", "add", "carol", "--key", "primary"];
        demo.run_with_paper(&carol, "carol.paper.txt").exits(0);
        demo
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}

impl Demo {
    /// A demo vault of alice alone, 4 entries, with a reader, two keys and a bundle.
    pub fn new() -> Self {
        original().copied()
    }

    /// The same with bob and carol, 6 entries. Their keys are `demo-key-3` and `demo-key-4`.
    pub fn people() -> Self {
        original_people().copied()
    }

    /// Another one, as this one is now.
    pub fn copied(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(self.folder.path(), folder.path());
        Self { folder }
    }

    /// A path inside the demo, such as `vault/log/000001.age`.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("demo").join(inside)
    }

    /// A command on the vault as a custodian: opened by key.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let all = [arguments, &["--vault", "demo/vault"]].concat();
        keymuster_in(self.folder.path(), &all)
    }

    /// A command that needs no vault.
    pub fn run_alone(&self, arguments: &[&str]) -> Ran {
        keymuster_in(self.folder.path(), arguments)
    }

    /// The same, with a file of the demo that the passphrase of a new paper copy is added to.
    pub fn run_with_paper(&self, arguments: &[&str], paper: &str) -> Ran {
        let paper = fs::File::options().append(true).create(true).open(self.path(paper)).unwrap();
        let mut command = command_in(self.folder.path());
        command.args(arguments).args(["--vault", "demo/vault", "--paper-fd", "0"]).stdin(paper);
        ran(command.output().expect("the binary runs"))
    }

    /// Takes a software key out, such as `demo-key-3`.
    pub fn unplug(&self, device: &str) {
        fs::create_dir_all(self.path("unplugged")).unwrap();
        self.move_key(device, "demo-keys", "unplugged");
    }

    /// Plugs it in again.
    pub fn plug_in(&self, device: &str) {
        self.move_key(device, "unplugged", "demo-keys");
    }

    fn move_key(&self, device: &str, from: &str, to: &str) {
        let [from, to] = [from, to].map(|folder| self.path(&format!("{folder}/{device}.json")));
        fs::rename(from, to).unwrap();
    }

    /// A command on the vault, opened with the reader's identity.
    pub fn read(&self, arguments: &[&str]) -> Ran {
        self.run(&[arguments, &["--identity", "demo/reader.identity"]].concat())
    }

    /// Every file of the vault with its bytes, to see whether anything changed.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.path("vault")];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(folder).unwrap() {
                let path = item.unwrap().path();
                let kind = fs::symlink_metadata(&path).unwrap().file_type();
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    files.push((path.clone(), fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }

    /// The identity file of the newest epoch of `records`, as stock age opens it.
    pub fn records(&self) -> Vec<u8> {
        let reader = self.path("reader.identity");
        let of_epoch = |epoch: u32| self.path(&format!("vault/compartments/records.{epoch}.age"));
        let file = (1..).map(of_epoch).take_while(|file| file.exists()).last().unwrap();
        tool("age", &["-d", "-i", reader.to_str().unwrap(), file.to_str().unwrap()], b"")
    }

    /// The plaintext of an entry, as stock age opens it.
    pub fn entry(&self, number: u64) -> String {
        let file = self.path(&format!("vault/log/{number:06}.age"));
        let text = tool("age", &["-d", "-i", "-", file.to_str().unwrap()], &self.records());
        String::from_utf8(text).unwrap()
    }

    /// Replaces an entry by another plaintext, encrypted as it was.
    pub fn replace_entry(&self, number: u64, text: &str) {
        let records = String::from_utf8(self.records()).unwrap();
        let recipient =
            records.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
        let file = self.path(&format!("vault/log/{number:06}.age"));
        let ciphertext = tool("age", &["-r", recipient], text.as_bytes());
        fs::write(file, ciphertext).unwrap();
    }
}
