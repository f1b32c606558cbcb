//! Whatever a command waits for, it can be interrupted: then the key is quiet, the terminal as
//! it was, no process left, the vault unchanged, and the exit code the documented one. The
//! same command succeeds afterwards.
//!
//! Each trial fills rows of a table, which is printed at the end of the run. With
//! `KEYMUSTER_TEST_LONG` set, costly waits are interrupted in every way, too.

use super::office::{Visit, pin_file, visit};
use super::trials;
use crate::keys::{Make, Touch, VirtualKey};
use crate::machine::KEYMUSTER;
use crate::pseudo_terminal::{CTRL_BACKSLASH, CTRL_C, CTRL_D, CTRL_S, CTRL_Z, PseudoTerminal};
use crate::run::{keymuster, scratch, terminal_with, wait_until};
use Interruption::{
    Backslash, Close, CtrlC, CtrlD, Deadline, KeyGivesUp, Pull, Stop, Terminate, TwiceCtrlC,
};
use libtest_mimic::Trial;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) fn trials() -> Vec<Trial> {
    trials!["interruptions":
        a_touch_to_sign,
        a_touch_to_open_the_vault,
        the_touches_of_a_founding,
        a_pin,
        the_last_attempt,
        a_first_pin,
        a_pin_at_a_held_terminal,
        a_fingerprint,
        a_word_from_the_paper,
        a_secret_from_a_pipe,
        a_silent_key,
        a_reader_who_does_not_read,
        another_writer,
    ]
}

/// What ends a wait before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Interruption {
    CtrlC,
    /// Ctrl-C, and again at once.
    TwiceCtrlC,
    Backslash,
    CtrlD,
    Terminate,
    /// The terminal is closed.
    Close,
    /// The key has waited long enough.
    KeyGivesUp,
    /// We have.
    Deadline,
    /// The key is pulled out.
    Pull,
    /// Ctrl-Z, and fg.
    Stop,
}

/// The columns of the table.
const COLUMNS: [(Interruption, &str); 10] = [
    (CtrlC, "^C"),
    (TwiceCtrlC, "^C^C"),
    (Backslash, "^\\"),
    (CtrlD, "^D"),
    (Terminate, "TERM"),
    (Close, "closed"),
    (KeyGivesUp, "key's time"),
    (Deadline, "our time"),
    (Pull, "pulled"),
    (Stop, "^Z fg"),
];
/// What is typed, sent or closed: it goes for every wait.
const BY_THE_PERSON: [Interruption; 5] = [CtrlC, TwiceCtrlC, Backslash, Terminate, Close];

const INTERRUPTED: i32 = 130;
const ABSENT: i32 = 4;

impl Interruption {
    fn exit(self) -> i32 {
        match self {
            KeyGivesUp | Deadline | Pull => ABSENT,
            Stop => 0,
            _ => INTERRUPTED,
        }
    }
}

/// A row of the table.
struct Row {
    wait: String,
    codes: Vec<(Interruption, i32)>,
    /// The most milliseconds until the key was quiet, where one had to be told. They are shown,
    /// not judged: the machine is emulated.
    quiet: Option<u64>,
}

static TABLE: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// Fills cells of the table.
fn fill(wait: &str, codes: Vec<(Interruption, i32)>, quiet: Option<u64>) {
    let mut table = TABLE.lock().expect("no trial holds it");
    match table.iter_mut().find(|row| row.wait == wait) {
        Some(row) => {
            row.codes.extend(codes);
            row.quiet = row.quiet.max(quiet);
        }
        None => table.push(Row { wait: wait.to_owned(), codes, quiet }),
    }
}

/// Prints the table, if any row was filled.
pub(crate) fn show_table() {
    let rows = TABLE.lock().expect("no trial holds it any more");
    if rows.is_empty() {
        return;
    }
    println!("Interruptions by wait: the exit code of each; - where it can't come.");
    let headings = COLUMNS.map(|(_, heading)| format!("{heading:>12}")).concat();
    println!("{:<54}{headings}   key quiet within", "");
    for Row { wait, codes, quiet } in rows.iter() {
        let cell = |(column, _): (Interruption, &str)| {
            let code = codes.iter().find(|(interruption, _)| *interruption == column);
            format!("{:>12}", code.map_or("-".to_owned(), |(_, code)| code.to_string()))
        };
        let quiet = quiet.map_or("-".to_owned(), |time| format!("{time} ms"));
        println!("{wait:<54}{}   {quiet}", COLUMNS.map(cell).concat());
    }
}

pub(super) fn is_long() -> bool {
    std::env::var_os("KEYMUSTER_TEST_LONG").is_some()
}

/// A command that comes to wait.
pub(super) struct Wait<'a> {
    pub(super) name: &'a str,
    /// A shell command.
    pub(super) command: String,
    /// Brings a started command to where it waits.
    pub(super) reach: &'a dyn Fn(&mut PseudoTerminal, &VirtualKey),
    /// Does what it waits for, and what else it needs to succeed.
    pub(super) go_on: &'a dyn Fn(&mut PseudoTerminal, &VirtualKey),
    /// The vault, or where one would be made.
    pub(super) vault: PathBuf,
}

impl Wait<'_> {
    /// Fills a row of the table. The last way of all is to wait until what is waited for comes.
    #[track_caller]
    pub(super) fn interrupt_by(&self, key: &mut VirtualKey, ways: &[&[Interruption]]) {
        let mut codes = Vec::new();
        let mut quiet = None;
        for way in ways.concat() {
            let (code, after) =
                if way == Stop { (self.stop(key), None) } else { self.interrupt(key, way) };
            codes.push((way, code));
            quiet = quiet.max(after);
        }
        fill(self.name, codes, quiet);
    }

    /// Interrupts the wait once; says the exit code, and when the key was quiet.
    #[track_caller]
    fn interrupt(&self, key: &mut VirtualKey, way: Interruption) -> (i32, Option<u64>) {
        let wait = format!("{}, {way:?}", self.name);
        // What one that ended like a kill has left of a founding is in no later founding's way.
        let is_left = |path: &PathBuf| path.iter().any(|part| part == ".keymuster-init");
        let mut before = files(&self.vault);
        before.retain(|path, _| !is_left(path));
        let mut terminal = terminal_with(&format!("exec {}", self.command));
        (self.reach)(&mut terminal, key);
        let blinked = key.blinks();
        let began = now();
        match way {
            CtrlC => terminal.types(CTRL_C),
            TwiceCtrlC => terminal.types(&CTRL_C.repeat(2)),
            Backslash => terminal.types(CTRL_BACKSLASH),
            CtrlD => terminal.types(CTRL_D),
            Terminate => terminal.signal(Signal::TERM),
            Close => terminal.close(),
            KeyGivesUp => key.touch(Touch::Timeout { ms: 0 }),
            Deadline | Stop => {}
            Pull => {
                key.unplug();
                // Who is asked for a PIN notices only when it is typed.
                if !blinked {
                    (self.go_on)(&mut terminal, key);
                }
            }
        }
        let status = terminal.wait_for_end();
        let shown = terminal.shown();
        assert_eq!(status.code(), Some(way.exit()), "{wait}: {status}: {shown:?}");
        if way == TwiceCtrlC {
            // It has ended at once, and the helper tells the key on its own.
            terminal.wait("the helper has ended", |this| this.left_behind().is_empty());
        }
        assert!(key.quiet(), "{wait}: the key isn't quiet");
        assert_eq!(terminal.left_behind(), [""; 0], "{wait}");
        if way != Close {
            assert!(terminal.echoes(), "{wait}: what is typed isn't shown: {shown:?}");
            assert!(!terminal.is_aside(), "{wait}: the alternate screen stays: {shown:?}");
        }
        let mut now = files(&self.vault);
        if way == TwiceCtrlC {
            now.retain(|path, _| !is_left(path));
        }
        assert!(now == before, "{wait}: the vault has changed");
        let ended = key.events("command").pop().and_then(|command| command["at"].as_u64());
        key.touch(Touch::Accept);
        if way == Pull {
            key.replug();
        }
        let told = blinked && !matches!(way, Pull | Deadline | KeyGivesUp);
        (way.exit(), ended.filter(|_| told).map(|ended| ended.saturating_sub(began)))
    }

    /// Stops the command, as a shell with job control lets one, goes on, and lets it succeed.
    #[track_caller]
    fn stop(&self, key: &VirtualKey) -> i32 {
        let wait = format!("{}, stopped", self.name);
        let script = format!("set -m; {}; echo stopped; read -r; fg", self.command);
        let mut terminal = PseudoTerminal::start("bash", |bash| {
            bash.args(["-c", &script]);
        });
        (self.reach)(&mut terminal, key);
        let echoed = terminal.echoes();
        terminal.types(CTRL_Z);
        terminal.until("stopped\r\n");
        assert!(terminal.echoes(), "{wait}: what is typed isn't shown");
        assert!(!terminal.is_aside(), "{wait}: the alternate screen stays");
        terminal.types("\n");
        (self.reach)(&mut terminal, key);
        assert_eq!(terminal.echoes(), echoed, "{wait}: not as it was before");
        (self.go_on)(&mut terminal, key);
        let (code, shown) = terminal.ends();
        assert_eq!(code, 0, "{wait}: {shown:?}");
        code
    }

    /// Lets the command succeed: no interruption has left anything in its way.
    #[track_caller]
    fn succeeds(&self, key: &VirtualKey) {
        let mut terminal = terminal_with(&format!("exec {}", self.command));
        (self.reach)(&mut terminal, key);
        (self.go_on)(&mut terminal, key);
        let (code, shown) = terminal.ends();
        assert_eq!(code, 0, "{}: {shown:?}", self.name);
    }
}

/// Every file below a folder, with its bytes; nothing of one that isn't there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = item.path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).expect("the file can be read"));
        }
    }
    files
}

/// How many descriptors the command on a terminal has open on a file.
fn handles(terminal: &PseudoTerminal, path: &str) -> usize {
    let open = fs::read_dir(terminal.process("fd")).into_iter().flatten().flatten();
    open.filter(|open| fs::read_link(open.path()).is_ok_and(|of| of == Path::new(path))).count()
}

/// Whether the command on a terminal waits in write(2), on a descriptor that begins so.
fn is_in_write(terminal: &PseudoTerminal, descriptor: &str) -> bool {
    let call = fs::read_to_string(terminal.process("syscall")).unwrap_or_default();
    // The number of write(2) on x86-64, which the machine always is.
    call.strip_prefix("1 ").is_some_and(|arguments| arguments.starts_with(descriptor))
}

/// This moment, as virtual keys write it down.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(now.as_millis()).expect("it is before the end of time")
}

/// A command in the office, with alice's PIN in a file.
fn with_pin(office: &Visit, arguments: &str) -> String {
    let (vault, pin) = (office.path("vault"), pin_file(&scratch(), super::office::PIN));
    format!("{KEYMUSTER} {arguments} --vault {vault} --pin-file {pin}")
}

fn vault_of(office: &Visit) -> PathBuf {
    office.path("vault").into()
}

/// Waits for the touch, which doesn't come.
fn blinking(_: &mut PseudoTerminal, key: &VirtualKey) {
    key.wait_until_it_blinks();
}

fn touched(_: &mut PseudoTerminal, key: &VirtualKey) {
    key.touch(Touch::Accept);
}

pub(super) fn nothing(_: &mut PseudoTerminal, _: &VirtualKey) {}

fn a_touch_to_sign() {
    let mut office = visit(true, false);
    let reader = office.path("reader.identity");
    let wait = Wait {
        name: "touch to sign an entry",
        command: with_pin(&office, &format!("key check --identity {reader}")),
        reach: &|terminal, key| {
            key.touch(Touch::Wait);
            terminal.until("Touch alice/primary to sign entry");
            blinking(terminal, key);
        },
        go_on: &touched,
        vault: vault_of(&office),
    };
    wait.interrupt_by(&mut office.primary, &[&BY_THE_PERSON, &[KeyGivesUp, Deadline, Pull, Stop]]);
}

fn a_touch_to_open_the_vault() {
    let mut office = visit(true, false);
    let wait = Wait {
        name: "touch to open the vault",
        command: with_pin(&office, "key check"),
        reach: &|terminal, key| {
            key.touch(Touch::Wait);
            terminal.until("Touch alice/primary to open the vault");
            blinking(terminal, key);
        },
        go_on: &touched,
        vault: vault_of(&office),
    };
    wait.interrupt_by(&mut office.primary, &[&[CtrlC, Close, KeyGivesUp, Pull, Stop]]);
}

/// A founding with this key, whose PIN is in a file.
fn founding(folder: &Path, pin: &str) -> String {
    format!(
        "{KEYMUSTER} vault init {}/v --name Corp --custodian alice --key primary {pin}",
        folder.display()
    )
}

fn the_touches_of_a_founding() {
    let folder = scratch();
    let mut key = VirtualKey::plug("primary");
    let pin = pin_file(&folder, super::office::PIN);
    keymuster(&["key", "pin", "set", "--pin-file", &pin]).run().expect_success();
    let command = founding(&folder, &format!("--pin-file {pin} --paper-fd 3 3>/dev/null"));
    let waits: [(&str, usize, &[Interruption]); 5] = [
        ("touch to make the signing credential", 0, &[CtrlC, Close, Pull]),
        ("touch to make the unlocking credential", 1, &[CtrlC]),
        ("touch to seal the identity", 2, &[CtrlC, Pull]),
        ("touch to open it again", 3, &[CtrlC]),
        ("touch to sign the first entry", 4, &[CtrlC]),
    ];
    let all: &[Interruption] =
        &[CtrlC, TwiceCtrlC, Backslash, Terminate, Close, KeyGivesUp, Deadline, Pull];
    for (name, touches_before, ways) in waits {
        let reach = |terminal: &mut PseudoTerminal, key: &VirtualKey| {
            key.touch(Touch::Times(touches_before));
            terminal.until(&format!("({} of 5)", touches_before + 1));
            blinking(terminal, key);
        };
        let wait = Wait {
            name,
            command: command.clone(),
            reach: &reach,
            go_on: &touched,
            vault: folder.join("v"),
        };
        wait.interrupt_by(&mut key, &[if is_long() { all } else { ways }]);
        if touches_before == 4 {
            wait.succeeds(&key);
            assert!(folder.join("v/vault.toml").exists());
        }
    }
}

fn a_pin() {
    let mut office = visit(true, false);
    let tokens = office.primary.pin_tokens();
    let wait = Wait {
        name: "PIN",
        command: office.command_line("key check"),
        reach: &|terminal, _| drop(terminal.until("PIN of alice/primary (8 attempts left): ")),
        go_on: &|terminal, _| terminal.types(&format!("{}\n", super::office::PIN)),
        vault: vault_of(&office),
    };
    wait.interrupt_by(&mut office.primary, &[&BY_THE_PERSON, &[CtrlD, Pull, Stop]]);
    assert_eq!(office.primary.pin_tokens(), tokens + 1, "only the last PIN was used");
}

fn the_last_attempt() {
    let folder = scratch();
    let mut key = VirtualKey::plug_made("primary", Make::with(&["--pin-retries", "1"]));
    let pin = pin_file(&folder, super::office::PIN);
    keymuster(&["key", "pin", "set", "--pin-file", &pin]).run().expect_success();
    let wait = Wait {
        name: "word that guards the last PIN attempt",
        command: founding(&folder, &format!("--pin-file {pin} --paper-fd 3 3>/dev/null")),
        reach: &|terminal, _| drop(terminal.until("Type \"last attempt\" to go on: ")),
        go_on: &|terminal, _| terminal.types("last attempt\n"),
        vault: folder.join("v"),
    };
    wait.interrupt_by(&mut key, &[&[CtrlC, CtrlD, Terminate, Close]]);
    assert_eq!(key.pin_tokens(), 0, "no attempt was spent");
}

fn a_first_pin() {
    let mut key = VirtualKey::plug("new");
    let first = |terminal: &mut PseudoTerminal, _: &VirtualKey| {
        terminal.until("New PIN for Virtual FIDO2 Key");
    };
    let again = |terminal: &mut PseudoTerminal, key: &VirtualKey| {
        // Who was stopped at the second question is asked that one anew.
        if !terminal.shown().contains("stopped") {
            first(terminal, key);
            terminal.types("271828\n");
        }
        terminal.until("The same again: ");
    };
    let command = format!("{KEYMUSTER} key pin set");
    let go_on = |terminal: &mut PseudoTerminal, _: &VirtualKey| terminal.types("271828\n");
    let mut row = |name, reach: &dyn Fn(&mut PseudoTerminal, &VirtualKey), ways: &[&[_]]| {
        let command = command.clone();
        Wait { name, command, reach, go_on: &go_on, vault: scratch() }.interrupt_by(&mut key, ways);
    };
    row("new PIN", &first, &[&[CtrlC, CtrlD, Terminate, Close]]);
    row("new PIN, repeated", &again, &[&[CtrlC, TwiceCtrlC, CtrlD, Close]]);
    let info = keymuster(&["key", "info", "--json"]).run().expect_success();
    assert!(info.contains("\"pin\": \"not set\""), "{info}");
    row("new PIN, repeated", &again, &[&[Stop]]);

    let folder = scratch();
    let mut blank = VirtualKey::plug("blank");
    key.unplug();
    let offered = Wait {
        name: "whether to give a key its first PIN",
        command: founding(&folder, "--paper-fd 3 3>/dev/null"),
        reach: &|terminal, _| drop(terminal.until("Give it one now (yes or no)? ")),
        go_on: &nothing,
        vault: folder.join("v"),
    };
    offered.interrupt_by(&mut blank, &[&[CtrlC, CtrlD, Close]]);
    drop(blank);

    let mut office = visit(true, false);
    let enrolment = Wait {
        name: "a new key to be plugged in",
        command: with_pin(&office, "key enrol green"),
        reach: &|terminal, _| drop(terminal.until("and press Enter: ")),
        go_on: &nothing,
        vault: vault_of(&office),
    };
    enrolment.interrupt_by(&mut office.primary, &[&[CtrlC, CtrlD]]);
}

/// A terminal that is held (Ctrl-S) takes nothing that is written. It is given back none the
/// less; and a second signal ends the program, which waits to say that it was interrupted.
fn a_pin_at_a_held_terminal() {
    let _key = VirtualKey::plug("new");
    let mut terminal = terminal_with(&format!("exec {KEYMUSTER} key pin set"));
    terminal.until("New PIN for Virtual FIDO2 Key");
    terminal.until(": ");
    assert!(!terminal.echoes());
    terminal.types(CTRL_S);
    // The terminal takes what is typed in its own time, and a flush would throw it away.
    sleep(Duration::from_millis(500));
    terminal.signal(Signal::TERM);
    terminal.wait("it writes to stderr", |this| is_in_write(this, "0x2 "));
    assert!(terminal.echoes(), "what is typed isn't shown");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait_for_end().code(), Some(INTERRUPTED));
}

fn a_fingerprint() {
    let mut office = visit(false, false);
    let memory = scratch();
    let head = office.command_line("log head");
    let wait = Wait {
        name: "fingerprint at the first meeting",
        command: format!("env XDG_STATE_HOME={} {head}", memory.display()),
        reach: &|terminal, _| drop(terminal.until("Is it the same (yes, no, or paste theirs)? ")),
        go_on: &|terminal, _| terminal.types("yes\n"),
        vault: vault_of(&office),
    };
    wait.interrupt_by(&mut office.primary, &[&BY_THE_PERSON, &[CtrlD]]);
    assert_eq!(files(&memory), BTreeMap::new(), "nothing was remembered");
    wait.interrupt_by(&mut office.primary, &[&[Stop]]);
}

/// Each costs seconds of scrypt here; tests/cli/terminal.rs interrupts it in every way.
fn a_word_from_the_paper() {
    let folder = scratch();
    let mut key = VirtualKey::plug("primary");
    let pin = pin_file(&folder, super::office::PIN);
    keymuster(&["key", "pin", "set", "--pin-file", &pin]).run().expect_success();
    let wait = Wait {
        name: "last of the ten words on paper",
        command: founding(&folder, &format!("--pin-file {pin}")),
        reach: &|terminal, _| drop(terminal.until("Type the last of the ten words to go on: ")),
        go_on: &nothing,
        vault: folder.join("v"),
    };
    let all: &[Interruption] = &[CtrlC, TwiceCtrlC, Backslash, CtrlD, Terminate, Close];
    wait.interrupt_by(&mut key, &[if is_long() { all } else { &[CtrlC] }]);
}

fn another_writer() {
    let mut office = visit(true, false);
    let reader = office.path("reader.identity");
    let file = fs::File::open(office.path("vault/vault.toml")).expect("the vault is there");
    file.lock().expect("nobody else has the lock");
    let lock = Mutex::new(Some(file));
    let wait = Wait {
        name: "vault's lock, held by another writer",
        command: with_pin(&office, &format!("key check --identity {reader}")),
        reach: &|terminal, _| drop(terminal.until("Another keymuster is writing to this vault")),
        go_on: &|_, _| drop(lock.lock().expect("no other trial has it").take()),
        vault: vault_of(&office),
    };
    wait.interrupt_by(&mut office.primary, &[&[CtrlC, Terminate, Close]]);
    wait.succeeds(&office.primary);
}

fn a_secret_from_a_pipe() {
    let mut office = visit(true, false);
    let pipe = scratch().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("busybox has mkfifo");
    assert!(made.success());
    let (vault, reader) = (office.path("vault"), office.path("reader.identity"));
    let check = format!("{KEYMUSTER} key check --vault {vault} --identity");
    let pipe = pipe.display();
    let key = &mut office.primary;
    for (name, command, descriptors, ways) in [
        // Its own, and the one that it reads.
        (
            "PIN from a descriptor",
            format!("{check} {reader} --pin-fd 3 3<>{pipe}"),
            2,
            &[CtrlC, TwiceCtrlC, Terminate, Close][..],
        ),
        (
            "identity from a pipe that nobody opens",
            format!("{check} {pipe}"),
            1,
            &[CtrlC, Terminate, Close],
        ),
        // Here stdin is that pipe.
        (
            "identity from stdin",
            format!("{check} - 0<>{pipe}"),
            2,
            &[CtrlC, Backslash, Terminate, Close],
        ),
    ] {
        let reach = |terminal: &mut PseudoTerminal, _: &VirtualKey| {
            let pipe = pipe.to_string();
            terminal.wait("it reads the pipe", |this| handles(this, &pipe) == descriptors);
        };
        let vault = vault.clone().into();
        Wait { name, command, reach: &reach, go_on: &nothing, vault }.interrupt_by(key, &[ways]);
    }
}

fn a_silent_key() {
    let mut key = VirtualKey::plug("silent");
    key.turn_hostile("silence getInfo");
    let asked = |_: &mut PseudoTerminal, key: &VirtualKey| {
        let before = key.events("begin").len();
        wait_until("the key was asked", || key.events("begin").len() > before);
    };
    let wait = Wait {
        name: "answer of a silent key",
        command: format!("{KEYMUSTER} key info"),
        reach: &asked,
        go_on: &nothing,
        vault: scratch(),
    };
    wait.interrupt_by(&mut key, &[&BY_THE_PERSON, &[Pull]]);
    key.turn_honest();
    keymuster(&["key", "info"]).run().expect_success();
}

fn a_reader_who_does_not_read() {
    let office = visit(false, false);
    let vault = vault_of(&office);
    let before = files(&vault);
    let mut codes = Vec::new();
    for way in [CtrlC, Terminate, Close] {
        let (_reader, mut full) = std::io::pipe().expect("there are pipes");
        // As much as a pipe holds (pipe(7)).
        full.write_all(&[0; 65536]).expect("a pipe takes it");
        let list = format!("exec {}", office.command_line("log list"));
        let mut terminal = PseudoTerminal::start("sh", |sh| {
            sh.args(["-c", &list]).stdout(Stdio::from(full));
        });
        terminal.wait("it writes", |this| is_in_write(this, "0x1 "));
        match way {
            CtrlC => terminal.types(CTRL_C),
            Terminate => terminal.signal(Signal::TERM),
            _ => terminal.close(),
        }
        let status = terminal.wait_for_end();
        assert_eq!(status.code(), Some(INTERRUPTED), "{way:?}: {status}");
        codes.push((way, INTERRUPTED));
    }
    assert!(files(&vault) == before, "the vault has changed");
    fill("stdout that nobody reads", codes, None);
}
