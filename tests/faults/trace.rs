//! The system calls of one run of the binary that change files, as strace records them, and
//! the same run again with one of them struck.
//!
//! strace counts `when=N` for each process or thread by itself, over all its calls of that
//! name, and strikes on entering: a killed call hasn't happened, a failed one neither. Both
//! are checked by a trial.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::demo_vault::Ran;

/// Every call that writes, links, renames, makes or removes files or folders, syncs,
/// truncates, or may open for writing.
const CALLS: [&str; 37] = [
    "copy_file_range",
    "creat",
    "fallocate",
    "fdatasync",
    "fsync",
    "ftruncate",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "msync",
    "open",
    "openat",
    "openat2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "splice",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "syncfs",
    "tee",
    "truncate",
    "unlink",
    "unlinkat",
    "vmsplice",
    "write",
    "writev",
];

/// How long a run may take. Only one that hangs takes as long.
const DEADLINE: Duration = Duration::from_secs(180);

/// What is done to a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    Kill,
    NoSpace,
    Broken,
    Interrupted,
}

impl Fault {
    pub const ALL: [Self; 4] = [Self::Kill, Self::NoSpace, Self::Broken, Self::Interrupted];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::NoSpace => "ENOSPC",
            Self::Broken => "EIO",
            Self::Interrupted => "EINTR",
        }
    }

    fn injection(self) -> String {
        match self {
            Self::Kill => "signal=KILL".to_owned(),
            other => format!("error={}", other.name()),
        }
    }
}

/// One call of a recorded run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Point {
    pub call: String,
    /// Its place among the calls of that name, as strace counts them.
    pub when: usize,
    /// What it is about, without what differs from run to run.
    pub about: String,
}

impl Point {
    pub fn is_stdout(&self) -> bool {
        self.call.contains("write") && self.about == "stdout"
    }

    pub fn is_stderr(&self) -> bool {
        self.call.contains("write") && self.about == "stderr"
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.call, self.when, self.about)
    }
}

/// A command line to be run where strace looks on.
pub struct Scene<'a> {
    /// The folder it runs in.
    pub folder: &'a Path,
    /// Where its output and strace's go: outside of that folder.
    pub aside: &'a Path,
    pub arguments: &'a [String],
}

/// Runs it as it is, and returns the points at which it can be struck.
pub fn record(scene: &Scene<'_>) -> Result<(Ran, Vec<Point>), String> {
    let ran = run(scene, None)?;
    let calls = parse(&trace(scene)?, scene);
    let mut points: Vec<Point> = Vec::new();
    for (_, point) in calls {
        // The same place in two threads is one fault, which strikes both.
        if !points.iter().any(|known| (&known.call, known.when) == (&point.call, point.when)) {
            points.push(point);
        }
    }
    if points.is_empty() {
        return Err(format!("strace saw no call that writes; it ended so: {ran:?}"));
    }
    Ok((ran, points))
}

/// Runs it with one fault, and makes sure that the fault struck the call it was meant for.
pub fn strike(scene: &Scene<'_>, point: &Point, fault: Fault) -> Result<Ran, String> {
    let ran = run(scene, Some((point, fault)))?;
    let text = trace(scene)?;
    let struck = match fault {
        Fault::Kill => parse(&text, scene)
            .into_iter()
            .filter(|(line, _)| line.ends_with("= ?") || line.ends_with("<unfinished ...>"))
            .collect(),
        _ => {
            let mut calls = parse(&text, scene);
            calls.retain(|(line, _)| line.ends_with("(INJECTED)"));
            calls
        }
    };
    let killed = text.contains("+++ killed by SIGKILL +++");
    if (fault == Fault::Kill) != killed || !struck.iter().any(|(_, call)| same(call, point)) {
        let struck: Vec<String> = struck.iter().map(|(line, _)| line.clone()).collect();
        return Err(format!("the fault struck {struck:?} (killed: {killed}), not {point}"));
    }
    Ok(ran)
}

/// A folder that is removed lists its files in any order.
fn same(struck: &Point, meant: &Point) -> bool {
    let anywhere = meant.call.starts_with("unlink");
    (&struck.call, struck.when) == (&meant.call, meant.when)
        && (anywhere || struck.about == meant.about)
}

fn run(scene: &Scene<'_>, strike: Option<(&Point, Fault)>) -> Result<Ran, String> {
    let file = |name: &str| scene.aside.join(name);
    let made = |name: &str| File::create(file(name)).map_err(|error| format!("{name}: {error}"));
    // Given to the program for its secrets, and kept from run to run.
    let paper = File::options().append(true).create(true).open(file("paper"));
    let calls: Vec<String> = CALLS.iter().map(|call| format!("?{call}")).collect();
    // A session of its own has no terminal, and is a group that can be ended as a whole.
    let mut command = Command::new("setsid");
    command
        .args(["strace", "-f", "-y", "-s", "0", "-o"])
        .arg(file("trace"))
        .args(["-e", &format!("trace={}", calls.join(","))]);
    if let Some((point, fault)) = strike {
        let Point { call, when, .. } = point;
        command.args(["-e", &format!("inject={call}:{}:when={when}", fault.injection())]);
    }
    let child = command
        .arg(env!("CARGO_BIN_EXE_keymuster"))
        .args(scene.arguments)
        .current_dir(scene.folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", scene.folder)
        .env("XDG_STATE_HOME", scene.folder.join("state"))
        .env("XDG_CONFIG_HOME", scene.folder.join("config"))
        .stdin(Stdio::from(paper.map_err(|error| error.to_string())?))
        .stdout(made("stdout")?)
        .stderr(made("stderr")?)
        .spawn()
        .map_err(|error| format!("setsid and strace are needed (make setup-test): {error}"))?;
    let exit = ended(child)?;
    let text = |name: &str| fs::read_to_string(file(name)).map_err(|e| format!("{name}: {e}"));
    Ok(Ran { exit, stdout: text("stdout")?, stderr: text("stderr")? })
}

fn ended(mut child: Child) -> Result<i32, String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code().unwrap_or(-1)),
            Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(2)),
            _ => {
                let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let killed = group.map(|group| kill_process_group(group, Signal::KILL));
                let _ = child.wait();
                return Err(format!("it hung, and was killed after {DEADLINE:?}: {killed:?}"));
            }
        }
    }
}

fn trace(scene: &Scene<'_>) -> Result<String, String> {
    let path = scene.aside.join("trace");
    fs::read_to_string(path).map_err(|error| format!("strace left no trace: {error}"))
}

/// The calls that change files, each with its line.
fn parse(trace: &str, scene: &Scene<'_>) -> Vec<(String, Point)> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((tracee, rest)) = line.split_once(' ') else { continue };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else { continue };
        if !CALLS.contains(&call) {
            continue;
        }
        let count = counts.entry((tracee.to_owned(), call.to_owned())).or_default();
        *count += 1;
        if let Some(about) = about(call, arguments, scene) {
            calls.push((line.to_owned(), Point { call: call.to_owned(), when: *count, about }));
        }
    }
    calls
}

/// What a call is about; `None` where it can't change a file.
fn about(call: &str, arguments: &str, scene: &Scene<'_>) -> Option<String> {
    let opens = matches!(call, "open" | "openat" | "openat2");
    let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"];
    if opens && !writes.iter().any(|flag| arguments.contains(flag)) {
        return None;
    }
    // `3</a/file>` and `"a/file"`, without the folder that names are relative to.
    let quoted = arguments.split('"').nth(1);
    let descriptor = || arguments.split_once('<')?.1.split_once('>').map(|(path, _)| path);
    let path = quoted.filter(|text| !text.is_empty()).or_else(descriptor).unwrap_or_default();
    // No file: a terminal that isn't there, and the ends of a helper's or a signal's pipe.
    let no_file = ["/dev/tty", "/dev/null", "pipe:", "socket:", "anon_inode:", "UNIX"];
    if no_file.iter().any(|start| path.starts_with(start)) {
        return None;
    }
    if let Ok(inside) = Path::new(path).strip_prefix(scene.aside) {
        return Some(inside.to_string_lossy().into_owned());
    }
    let inside = Path::new(path).strip_prefix(scene.folder).unwrap_or(Path::new(path));
    Some(without_hex(&inside.to_string_lossy()))
}

/// Temporary names and the ids of vaults differ each time.
fn without_hex(text: &str) -> String {
    let mut kept = String::new();
    let mut run = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_hexdigit() {
            run.push(character);
            continue;
        }
        kept.push_str(if run.len() >= 16 { "#" } else { &run });
        run.clear();
        if character != '\0' {
            kept.push(character);
        }
    }
    kept
}
