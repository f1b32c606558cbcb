//! Several processes at one vault: every append lands once or is refused in plain words, no
//! touch is asked for in vain, and whoever reads meanwhile sees a sound log.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keymuster::vault::{AgeIdentity, Location, Lock, LockError, OpenVault, open_records};

use super::demo_vault::{Demo, Ran, command_in};

/// For a lock of this process's own: a program that another test starts at that moment holds
/// a copy of it until it has replaced itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a process says that has to wait for the lock.
const WAITS: &str = "Another keymuster is writing to this vault; waiting for it, 30 s at most.";
const READER: [&str; 2] = ["--identity", "demo/reader.identity"];

/// A run of the binary that isn't over yet.
struct Running {
    child: Child,
    talk: BufReader<ChildStderr>,
    heard: String,
}

impl Running {
    fn start(demo: &Demo, arguments: &[&str]) -> Self {
        Self::spawn(command_in(demo.folder.path()), arguments)
    }

    fn spawn(mut command: Command, arguments: &[&str]) -> Self {
        let mut child = command
            .args(arguments)
            .args(["--vault", "demo/vault"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("setsid runs");
        let talk = BufReader::new(child.stderr.take().unwrap());
        Self { child, talk, heard: String::new() }
    }

    /// Waits until it has said a line.
    #[track_caller]
    fn until(mut self, line: &str) -> Self {
        while !self.heard.ends_with(&format!("{line}\n")) {
            let read = self.talk.read_line(&mut self.heard).unwrap();
            assert_ne!(read, 0, "{line:?} was never said: {}", self.heard);
        }
        self
    }

    fn ends(mut self) -> Ran {
        self.talk.read_to_string(&mut self.heard).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Ran { stderr: self.heard, ..super::demo_vault::ran(output) }
    }
}

/// The binary under strace, which needs to be installed, with these expressions.
fn traced(demo: &Demo, expressions: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.args(["--wait", "strace", "-f", "-y", "-qq", "-o", "trace.txt"]);
    command.args(expressions.iter().flat_map(|expression| ["-e", expression]));
    command.arg(env!("CARGO_BIN_EXE_keymuster")).current_dir(demo.folder.path());
    command.env("HOME", demo.folder.path()).env("XDG_STATE_HOME", demo.folder.path().join("state"));
    command
}

fn location(demo: &Demo) -> Location {
    Location::at(&demo.path("vault")).unwrap()
}

/// Takes the vault's lock, as another process would.
fn lock(demo: &Demo) -> Lock {
    Lock::take(&location(demo).layout, PATIENCE).unwrap()
}

fn open(demo: &Demo) -> OpenVault {
    let reader = fs::read_to_string(demo.path("reader.identity")).unwrap();
    let reader = AgeIdentity::parse(reader.trim()).unwrap();
    open_records(location(demo), &[&reader]).unwrap()
}

/// The number that the memory of heads has for a vault.
fn remembered(demo: &Demo) -> u64 {
    let file = format!("state/keymuster/heads/{}", location(demo).id);
    let text = fs::read_to_string(demo.folder.path().join(file)).unwrap();
    text.lines().nth(1).unwrap().parse().unwrap()
}

/// Puts the entry in place that another copy of the vault has after the last common one.
fn append_elsewhere(demo: &Demo) {
    let other = Demo::new();
    other.read(&["key", "check", "alice/blue"]).exits(0).answers(&["Recorded entry 5"]);
    fs::copy(other.path("vault/log/000005.age"), demo.path("vault/log/000005.age")).unwrap();
}

/// Rounds of checks by `writers` processes at once, while another one verifies the log over
/// and over.
fn rounds(count: u32, writers: usize) {
    let demo = Demo::new();
    let (mut entries, mut verified) = (4, 0);
    for _ in 0..count {
        let done = AtomicBool::new(false);
        let (ran, read) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut times = 0;
                while !done.load(Ordering::Relaxed) {
                    let ran = demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: "]);
                    assert!(!ran.stdout.contains("finding: "), "{}", ran.stdout);
                    times += 1;
                }
                times
            });
            let running: Vec<Running> = (0..writers)
                .map(|number| {
                    let key = ["alice/primary", "alice/blue"][number % 2];
                    // Some open the log as a reader, the others with the key.
                    let opener: &[&str] = if number % 4 < 2 { &READER } else { &[] };
                    Running::start(&demo, &[&["key", "check", key], opener].concat())
                })
                .collect();
            let ran: Vec<Ran> = running.into_iter().map(Running::ends).collect();
            done.store(true, Ordering::Relaxed);
            (ran, reader.join().unwrap())
        });
        verified += read;
        let mut landed = BTreeSet::new();
        for ran in ran {
            let ran = ran.exits(0);
            let (_, entry) = ran.stdout.split_once("Recorded entry ").unwrap();
            let entry: u64 = entry.split_once(',').unwrap().0.parse().unwrap();
            assert!(landed.insert(entry), "entry {entry} was recorded twice");
        }
        assert_eq!(landed.len(), writers, "none is refused");
        let expected: BTreeSet<u64> = (entries + 1..=entries + landed.len() as u64).collect();
        assert_eq!(landed, expected);
        entries += landed.len() as u64;
        let vault = open(&demo);
        assert!(vault.fault().is_none() && vault.damage().is_empty(), "{:?}", vault.fault());
        assert_eq!(vault.head().number, entries);
        assert_eq!(vault.replay().findings(), [], "each touch has its own count");
        assert_eq!(remembered(&demo), entries);
    }
    assert!(entries > 4, "nothing landed");
    let landed = entries - 4;
    let text = format!(
        "\n{count} rounds of {writers} writers: {landed} landed; verified {verified} times\n"
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

fn times(short: u32) -> u32 {
    if std::env::var_os("KEYMUSTER_TEST_LONG").is_some() { short * 20 } else { short }
}

#[test]
fn two_writers_at_once_land_one_after_the_other() {
    rounds(times(5), 2);
}

#[test]
fn eight_writers_at_once_land_one_after_the_other() {
    rounds(times(2), 8);
}

#[test]
fn an_entry_that_appears_while_one_waits_is_built_on() {
    for opener in [&READER[..], &[]] {
        let demo = Demo::new();
        let lock = lock(&demo);
        let arguments = [&["key", "check", "alice/primary"], opener].concat();
        let waiting = Running::start(&demo, &arguments).until(WAITS);
        append_elsewhere(&demo);
        drop(lock);
        waiting.ends().exits(0).answers(&["Recorded entry 6, signed by alice/primary."]);
        demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 6 entries"]);
    }
}

#[test]
fn who_has_waited_long_enough_is_refused_before_any_touch() {
    let demo = Demo::new();
    let before = demo.snapshot();
    let _lock = lock(&demo);
    let commands: [&[&str]; 3] = [
        &["key", "check", "alice/primary", "--identity", "demo/reader.identity"],
        &["key", "check", "alice/primary"],
        &["key", "enrol", "red"],
    ];
    let waiting = commands.map(|arguments| Running::start(&demo, arguments));
    for waiting in waiting {
        let ran = waiting.until(WAITS).ends().exits(1).says(&[
            "error: another keymuster is writing to this vault",
            "hint: nothing was recorded; run the command again",
        ]);
        assert!(!ran.stderr.contains("Touch"), "{}", ran.stderr);
    }
    assert_eq!(demo.snapshot(), before);
    // Reading waits for nobody.
    let ran = demo.read(&["log", "verify"]).exits(0);
    assert_eq!(ran.stderr.matches("Another").count(), 0, "{}", ran.stderr);
}

#[test]
fn ctrl_c_ends_the_wait() {
    let demo = Demo::new();
    let before = demo.snapshot();
    let _lock = lock(&demo);
    let waiting = Running::start(&demo, &["key", "enrol", "red"]).until(WAITS);
    let process = rustix::process::Pid::from_child(&waiting.child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let ran = waiting.ends().exits(130).says(&["error: interrupted"]);
    assert!(!ran.stderr.contains("Touch"), "{}", ran.stderr);
    assert_eq!(demo.snapshot(), before);
}

#[test]
fn of_two_that_enrol_one_name_one_does_and_the_other_wastes_no_touch_on_it() {
    let demo = Demo::new();
    // The first pauses where its new key is written, between the touches for it.
    let pause = "inject=renameat2:delay_enter=5000000:when=1";
    let first = traced(&demo, &["trace=renameat2", pause]);
    let enrol = ["key", "enrol", "red"];
    let first = Running::spawn(first, &enrol)
        .until("Touch alice/red to make its signing credential (1 of 5) (30 s)");
    let held = Lock::take(&location(&demo).layout, Duration::ZERO);
    assert!(matches!(held, Err(LockError::Held)), "what was decided may be overturned: {held:?}");
    let second = Running::start(&demo, &enrol);
    first.ends().exits(0).answers(&["Enrolled alice/red.\nRecorded entry 5"]);
    let second = second
        .ends()
        .exits(1)
        .says(&["error: there is a key alice/red already", "no name is used twice"]);
    let touches: Vec<&str> =
        second.stderr.lines().filter(|line| line.starts_with("Touch ")).collect();
    assert_eq!(touches.len(), 1, "only that which opened the vault: {touches:?}");
    let ran = demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 5 entries"]);
    assert!(!ran.stdout.contains("named by no entry"), "{}", ran.stdout);
}

#[test]
fn a_vault_that_cannot_be_written_to_is_refused_before_any_touch() {
    let demo = Demo::new();
    let check: &[&str] = &["key", "check", "alice/primary", READER[0], READER[1]];
    for arguments in [check, &["key", "check", "alice/primary"], &["key", "enrol", "red"]] {
        let calls = "access,faccessat,faccessat2";
        let refuse = format!("inject={calls}:error=EROFS");
        let mut command = traced(&demo, &[&format!("trace={calls}"), &refuse]);
        command.args(arguments).args(["--vault", "demo/vault"]);
        let ran = super::demo_vault::ran(command.output().unwrap()).exits(1);
        let ran = ran.says(&["error: couldn't write to demo/vault/log", "Read-only file system"]);
        assert!(!ran.stderr.contains("Touch"), "{}", ran.stderr);
    }
}

#[test]
fn what_an_enrolment_puts_in_place_while_one_verifies_is_no_stray() {
    let demo = Demo::new();
    // The one that verifies has listed compartments/, log/ and compartments/ again, with two
    // calls each, and pauses before it lists identities/: it has read the log.
    let pause = "inject=getdents64:delay_enter=10000000:when=7";
    let mut verifying = traced(&demo, &["trace=getdents64", pause]);
    verifying.args(["log", "verify", "--vault", "demo/vault"]).args(READER);
    let mut verifying = verifying.stdout(Stdio::piped()).spawn().unwrap();
    let trace = || fs::read_to_string(demo.folder.path().join("trace.txt")).unwrap_or_default();
    while trace().lines().count() < 6 {
        assert!(verifying.try_wait().unwrap().is_none(), "it ended: {}", trace());
        std::thread::sleep(Duration::from_millis(20));
    }
    demo.run(&["key", "enrol", "red"]).exits(0);
    let ran = super::demo_vault::ran(verifying.wait_with_output().unwrap()).exits(0);
    let paused = |line: &str| line.contains("/identities>") && line.contains("DELAYED");
    assert!(trace().lines().any(paused), "it paused elsewhere: {}", trace());
    assert!(!ran.stdout.contains("named by no entry"), "{}", ran.stdout);
    assert!(ran.stdout.contains("SOUND: 5 entries"), "{}", ran.stdout);
}

#[test]
fn what_was_put_in_place_meanwhile_and_is_not_sound_is_not_built_on() {
    type Break = fn(&Demo);
    let cases: [(Break, i32, &[&str]); 5] = [
        (
            |demo| fs::write(demo.path("vault/log/000005.age"), "x").unwrap(),
            1,
            &["what was appended meanwhile can't be built on", "log/000005.age", "run the command"],
        ),
        (
            // An entry that was sound in its place, and isn't in the next.
            |demo| {
                drop(fs::copy(demo.path("vault/log/000004.age"), demo.path("vault/log/000005.age")))
            },
            1,
            &["what was appended meanwhile can't be built on", "it says that it is entry 4"],
        ),
        (
            |demo| demo.replace_entry(4, &demo.entry(4)),
            1,
            &["entry 4 was written by somebody else meanwhile"],
        ),
        (
            |demo| fs::remove_file(demo.path("vault/log/000002.age")).unwrap(),
            1,
            &["what was appended meanwhile can't be built on", "log/000002.age is missing"],
        ),
        (
            |demo| fs::write(demo.path("vault/identities/alice.blue.1.age"), "x").unwrap(),
            3,
            &["identities/alice.blue.1.age", "changed or replaced"],
        ),
    ];
    for (change, exit, said) in cases {
        let demo = Demo::new();
        let lock = lock(&demo);
        let arguments = [&["key", "check", "alice/primary"], &READER[..]].concat();
        let waiting = Running::start(&demo, &arguments).until(WAITS);
        change(&demo);
        let before = demo.snapshot();
        drop(lock);
        let ran = waiting.ends().exits(exit).says(said);
        assert!(!ran.stderr.contains("Touch"), "{}", ran.stderr);
        assert_eq!(demo.snapshot(), before);
    }
}

#[test]
fn a_vault_that_caught_up_is_as_one_that_was_opened_late() {
    let demo = Demo::new();
    demo.run(&["key", "enrol", "red"]).exits(0);
    demo.read(&["key", "check", "alice/red"]).exits(0);
    let late = open(&demo);
    let lock = lock(&demo);
    let (log, aside) = (demo.path("vault/log"), demo.path("aside"));
    fs::create_dir(&aside).unwrap();
    for length in 1..=6 {
        for between in length..=6 {
            // Opened with `length` entries, it sees `between`, then all of them.
            let entry = |number: u64| format!("{number:06}.age");
            (length + 1..=6)
                .for_each(|n| fs::rename(log.join(entry(n)), aside.join(entry(n))).unwrap());
            let mut vault = open(&demo);
            assert_eq!(vault.head().number, length);
            for n in length + 1..=6 {
                if n == between + 1 {
                    vault.catch_up(&lock).unwrap();
                    assert_eq!(vault.head().number, between);
                }
                fs::rename(aside.join(entry(n)), log.join(entry(n))).unwrap();
            }
            vault.catch_up(&lock).unwrap();
            assert_eq!(vault.links(), late.links());
            assert_eq!(vault.entries(), late.entries());
            assert_eq!(format!("{:?}", vault.replay()), format!("{:?}", late.replay()));
            assert_eq!((vault.damage(), vault.strays()), (late.damage(), late.strays()));
        }
    }
}
