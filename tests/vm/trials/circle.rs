//! A vault of three custodians on virtual keys, which trials share: alice's office, which bob and
//! carol join at a terminal. Each trial works on a copy of its own; when it is over, everything
//! is unplugged.
//!
//! With `KEYMUSTER_TEST_SCREENS` set, what people saw when somebody joined is printed at the
//! end of the run.

use super::office::{PIN, Visit, visit};
use crate::keys::{Touch, VirtualKey};
use crate::machine::KEYMUSTER;
use crate::pseudo_terminal::PseudoTerminal;
use crate::run::{Outcome, Program, keymuster, program, scratch, terminal_with};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The keys, in the order of the columns of a table.
pub(super) const KEYS: [&str; 4] = ["alice/primary", "alice/blue", "bob/primary", "carol/primary"];

/// Touches by key, in the order of [`KEYS`].
pub(super) type Touches = [usize; 4];

/// The vault when all have joined, and what others than alice have.
struct Circle {
    folder: PathBuf,
    bob: VirtualKey,
    carol: VirtualKey,
    /// How each joined.
    joined: [Joined; 2],
}

/// How somebody joined.
struct Joined {
    touches: Touches,
    /// What was typed for it, and what was shown.
    typed: String,
    shown: String,
}

/// The circle, for one trial at a time, with a copy of its vault.
pub(super) struct Meeting {
    office: Visit,
    circle: MutexGuard<'static, Circle>,
    folder: PathBuf,
}

static CIRCLE: OnceLock<Mutex<Circle>> = OnceLock::new();

/// Calls the circle together, with these keys plugged in, in this order.
pub(super) fn meet(present: &[&str]) -> Meeting {
    let mut office = visit(false, false);
    let circle = CIRCLE.get_or_init(|| Mutex::new(Circle::join(&mut office)));
    let circle = circle.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = copy_of(&circle.folder);
    let mut meeting = Meeting { office, circle, folder };
    for key in meeting.keys() {
        key.touch(Touch::Accept);
        key.turn_honest();
    }
    present.iter().for_each(|key| meeting.key(key).replug());
    meeting
}

fn copy_of(folder: &Path) -> PathBuf {
    let copy = scratch();
    let (from, to) = (folder.to_string_lossy(), copy.to_string_lossy());
    program("cp", &["-a", &format!("{from}/."), &to]).run().expect_success();
    copy
}

/// Prints what was shown when people joined, where that is asked for.
pub(crate) fn show_screens() {
    let Some(circle) = CIRCLE.get().filter(|_| wants_screens()) else { return };
    let circle = circle.lock().unwrap_or_else(PoisonError::into_inner);
    for Joined { typed, shown, .. } in &circle.joined {
        println!("---- keymuster {typed}\n{}\n----", as_read(shown));
    }
}

/// Whether what people saw is to be printed.
pub(super) fn wants_screens() -> bool {
    std::env::var_os("KEYMUSTER_TEST_SCREENS").is_some()
}

/// The screen as people read it: what is wiped again stands on a line of its own, once.
pub(super) fn as_read(shown: &str) -> String {
    let lines = shown
        .replace("\r\n", "\n")
        .replace("\u{1b}[?1049h\u{1b}[2J\u{1b}[H", "\n[a screen of its own]\n")
        .replace("\u{1b}[2J\u{1b}[H\u{1b}[?1049l", "\n[wiped]\n")
        .replace("\r\u{1b}[K", "\n");
    let counts = |line: &str| line.ends_with(" s left)");
    let mut read: Vec<&str> = Vec::new();
    for line in lines.lines().map(str::trim_end) {
        let last = read.last().copied().unwrap_or_default();
        // A countdown is read once.
        if counts(line) && last.rsplit_once(" (").is_some_and(|(words, _)| line.starts_with(words))
        {
            continue;
        }
        // Wiping a line leaves none behind.
        if last.is_empty() && counts(line) {
            read.pop();
        }
        if !(line.is_empty() && counts(last)) {
            read.push(line);
        }
    }
    read.join("\n")
}

/// The PIN of a key's owner.
pub(super) fn pin_of(key: &str) -> &'static str {
    match key.split('/').next() {
        Some("alice") => PIN,
        Some("bob") => "271828",
        _ => "161803",
    }
}

/// A command on the vault in a folder, for a shell.
fn line(folder: &Path, arguments: &str) -> String {
    line_at(folder, "vault", arguments)
}

/// The same on the vault under another name in it.
fn line_at(folder: &Path, vault: &str, arguments: &str) -> String {
    let folder = folder.display();
    format!(
        "env XDG_STATE_HOME={folder}/state XDG_CONFIG_HOME={folder}/config \
         {KEYMUSTER} {arguments} --vault {folder}/{vault}"
    )
}

/// The flags that give every PIN.
fn pins(folder: &Path) -> String {
    let flag = |key: &str| format!("--pin-file {key}={}", pin_file(folder, key).display());
    KEYS.map(flag).join(" ")
}

fn pin_file(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{}.pin", key.replace('/', ".")))
}

/// Runs a shell command where nobody could be asked anything.
pub(super) fn alone(line: &str) -> Program {
    program("setsid", &["--wait", "sh", "-c", &format!("exec {line}")])
}

/// Starts a shell command on a terminal of its own.
#[track_caller]
pub(super) fn at_terminal(line: &str) -> PseudoTerminal {
    terminal_with(&format!("exec {line}"))
}

impl Circle {
    #[track_caller]
    fn join(office: &mut Visit) -> Self {
        let folder = copy_of(&office.as_founded);
        for key in KEYS {
            let pin = format!("{}\n", pin_of(key));
            fs::write(pin_file(&folder, key), pin).expect("a scratch folder");
        }
        // Bob's is factory-new when he comes.
        let mut bob = VirtualKey::plug("bob-primary");
        bob.unplug();
        let mut carol = VirtualKey::plug("carol-primary");
        let pin = pin_file(&folder, "carol/primary");
        let set = ["key", "pin", "set", "--pin-file", &pin.to_string_lossy()];
        keymuster(&set).run().expect_success();
        carol.unplug();

        office.primary.replug();
        let mut keys = [&mut office.primary, &mut bob, &mut carol];
        let bobs = "custodian add bob --name 'Bob B.' --key primary";
        let carols = "custodian add carol --key primary";
        let joined =
            [(bobs, bob_joins as Join), (carols, carol_joins as Join)].map(|(typed, join)| {
                let touches =
                    |keys: &[&mut VirtualKey; 3]| keys.each_ref().map(|key| key.touches());
                let before = touches(&keys);
                let shown = join(&folder, typed, &mut keys);
                let after = touches(&keys);
                let [alice, bob, carol] = std::array::from_fn(|key| after[key] - before[key]);
                Joined { touches: [alice, 0, bob, carol], typed: typed.to_owned(), shown }
            });
        for key in keys {
            key.unplug();
        }
        Self { folder, bob, carol, joined }
    }
}

type Join = fn(&Path, &str, &mut [&mut VirtualKey; 3]) -> String;

/// Two people at a machine with two ports: alice lets bob in, whose key is factory-new.
#[track_caller]
fn bob_joins(folder: &Path, command: &str, [_, bob, _]: &mut [&mut VirtualKey; 3]) -> String {
    let mut terminal = at_terminal(&line(folder, command));
    answer(&mut terminal, "PIN of alice/primary (8 attempts left): ", pin_of("alice"));
    terminal.until("Plug in the new key, leave the other one in, and press Enter: ");
    bob.replug();
    terminal.types("\n");
    answer(&mut terminal, "Give it one now (yes or no)? ", "yes");
    answer(&mut terminal, "New PIN for bob/primary, at least 4 characters: ", pin_of("bob"));
    answer(&mut terminal, "The same again: ", pin_of("bob"));
    keep_paper(&mut terminal, &folder.join("bob.words"));
    succeeds(terminal)
}

/// Three people at the same machine: alice lets carol in, bob signs too.
#[track_caller]
fn carol_joins(
    folder: &Path,
    command: &str,
    [alice, bob, carol]: &mut [&mut VirtualKey; 3],
) -> String {
    bob.unplug();
    carol.replug();
    let mut terminal = at_terminal(&line(folder, command));
    answer(&mut terminal, "PIN of alice/primary (8 attempts left): ", pin_of("alice"));
    terminal.until("Now bob/primary must sign too. Plug it in and press Enter: ");
    alice.unplug();
    bob.replug();
    terminal.types("\n");
    answer(&mut terminal, "PIN of carol/primary (8 attempts left): ", pin_of("carol"));
    keep_paper(&mut terminal, &folder.join("carol.words"));
    answer(&mut terminal, "PIN of bob/primary (8 attempts left): ", pin_of("bob"));
    terminal.until("Plug in alice/primary again and press Enter: ");
    bob.unplug();
    alice.replug();
    terminal.types("\n");
    succeeds(terminal)
}

/// Waits for a question, and answers it.
#[track_caller]
pub(super) fn answer(terminal: &mut PseudoTerminal, question: &str, answer: &str) {
    terminal.until(question);
    terminal.types(&format!("{answer}\n"));
}

/// Types the PIN of a key, which has all its attempts.
#[track_caller]
pub(super) fn type_pin(terminal: &mut PseudoTerminal, key: &str) {
    answer(terminal, &format!("PIN of {key} (8 attempts left): "), pin_of(key));
}

/// Copies the ten words from the screen to a file, and goes on.
#[track_caller]
fn keep_paper(terminal: &mut PseudoTerminal, file: &Path) {
    let screen = terminal.until("Type the last of the ten words to go on: ");
    let words = screen.lines().map(str::trim).find(|line| line.split('-').count() == 10);
    let words = words.expect("ten words are shown");
    fs::write(file, format!("{words}\n")).expect("a scratch folder");
    let last = words.rsplit('-').next().unwrap_or_default();
    terminal.types(&format!("{last}\n"));
}

/// Waits for a happy end; says all that was shown.
#[track_caller]
pub(super) fn succeeds(terminal: PseudoTerminal) -> String {
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    shown
}

impl Meeting {
    /// All keys, in the order of [`KEYS`].
    pub(super) fn keys(&mut self) -> [&mut VirtualKey; 4] {
        let (office, circle) = (&mut *self.office, &mut *self.circle);
        [&mut office.primary, &mut office.blue, &mut circle.bob, &mut circle.carol]
    }

    /// A key, by its name.
    pub(super) fn key(&mut self, name: &str) -> &mut VirtualKey {
        let place = KEYS.iter().position(|known| *known == name).expect("it is one of them");
        self.keys().into_iter().nth(place).expect("each has a place")
    }

    /// Pulls one out and plugs another in, at the same port.
    pub(super) fn swap(&mut self, out: &str, into: &str) {
        self.key(out).unplug();
        self.key(into).replug();
    }

    /// A path in the folder that holds the copy of the vault.
    pub(super) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// A command for a terminal, on which PINs are typed.
    pub(super) fn line(&self, arguments: &str) -> String {
        line(&self.folder, arguments)
    }

    /// A command for a terminal, or for none, that has all PINs from files.
    pub(super) fn line_with_pins(&self, arguments: &str) -> String {
        self.line(&format!("{arguments} {}", pins(&self.folder)))
    }

    /// A command where nobody could be asked anything; all PINs come from files.
    pub(super) fn command(&self, arguments: &str) -> Program {
        alone(&self.line_with_pins(arguments))
    }

    /// The same on the vault as it is mounted elsewhere in the folder.
    pub(super) fn command_at(&self, vault: &str, arguments: &str) -> Program {
        let arguments = format!("{arguments} {}", pins(&self.folder));
        alone(&line_at(&self.folder, vault, &arguments))
    }

    /// All keys, to be looked at.
    fn seen(&self) -> [&VirtualKey; 4] {
        let (office, circle) = (&*self.office, &*self.circle);
        [&office.primary, &office.blue, &circle.bob, &circle.carol]
    }

    /// How often each key was touched until now.
    pub(super) fn touches(&self) -> Touches {
        self.seen().map(VirtualKey::touches)
    }

    /// The touches since then.
    pub(super) fn touches_since(&self, before: Touches) -> Touches {
        let now = self.touches();
        std::array::from_fn(|key| now[key] - before[key])
    }

    /// How many commands with a PIN failed, at any key.
    pub(super) fn wrong_pins(&self) -> usize {
        let commands = self.seen().into_iter().flat_map(|key| key.commands("clientPIN"));
        commands.filter(|command| command["status"] != 0).count()
    }

    /// What it cost to come together.
    pub(super) fn founding(&self) -> Vec<(&'static str, Touches)> {
        let (founding, enrolment) = (self.office.founding, self.office.enrolment);
        let [bob, carol] = self.circle.joined.each_ref().map(|joined| joined.touches);
        vec![
            ("vault init", [founding.primary, founding.blue, 0, 0]),
            ("key enrol blue", [enrolment.primary, enrolment.blue, 0, 0]),
            ("custodian add bob", bob),
            ("custodian add carol", carol),
        ]
    }

    /// What was shown when bob joined and when carol did, as people read it.
    pub(super) fn screens(&self) -> [String; 2] {
        self.circle.joined.each_ref().map(|joined| as_read(&joined.shown))
    }

    /// Every file of the vault, with its bytes.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.join("vault")];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(folder).expect("it is a folder").flatten() {
                let path = item.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).expect("the file can be read");
                    files.push((path, bytes));
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        self.circle.bob.unplug();
        self.circle.carol.unplug();
    }
}

/// Fails unless the outcome has this code and its stderr holds each of these.
#[track_caller]
pub(super) fn ends(outcome: &Outcome, code: i32, said: &[&str]) {
    assert_eq!(outcome.code(), Some(code), "{outcome:#?}");
    for part in said {
        assert!(outcome.stderr.contains(part), "{part:?} is not said: {outcome:#?}");
    }
}
