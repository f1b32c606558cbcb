//! No secret is left in memory by what talks to keys on USB, neither in the program nor in its
//! helpers: PINs, what keys derive, and the identities that this opens. What needs no USB is
//! looked at on the host (`tests/memory`).

use super::office::pin_file;
use super::trials;
use super::usb::{Told, device, keys, pin};
use crate::keys::{Touch, VirtualKey};
use crate::machine::{CARELESS, KEYMUSTER, MEMORY_SCAN};
use crate::memory::{PROGRAM, Secrets, Shown, search};
use crate::run::{Dialogue, Outcome, Program, on_terminal_words, program, scratch, wait_until};
use keymuster::key::{Authenticator, GetHmacSecret, UserVerification};
use keymuster::vault::{
    CompartmentIdentity, CompartmentName, IdentityName, Location, PersonalIdentity, fido2prf,
};
use libtest_mimic::Trial;
use memory_scan::picture::{Moment, Picture};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// PINs long enough to be found. The second is wrong, the third too long to be one.
const PIN: &str = "0314-1592-6535-8979-3238-4626-4338-3279";
const WRONG_PIN: &str = "2718-2818-2845-9045-2353-6028-7471-3526";
const LONG_PIN: &str = "1618-0339-8874-9894-8482-0458-6834-3656-3811-7720-3091-7980-5762-8621";

/// The fewest helpers of a command that talks to a key: one that lists what is plugged in, and
/// one that talks to it.
const HELPERS: usize = 2;

pub(super) fn trials() -> Vec<Trial> {
    trials!["memory":
        what_a_careless_program_leaves_is_found,
        a_pin_in_use_is_found_and_gone_after_ctrl_c,
        founding_and_enrolling_leave_nothing,
        a_check_leaves_nothing_wherever_the_pin_comes_from,
        wrong_and_unfit_pins_leave_nothing,
        a_touch_that_fails_leaves_nothing,
        a_pulled_key_leaves_nothing,
        ctrl_c_at_a_pin_leaves_nothing,
        a_hostile_key_finds_nothing_left,
    ]
}

/// A command under memory-scan.
struct Scan {
    name: String,
    pictures: PathBuf,
    program: Program,
}

impl Scan {
    fn of(name: &str, command: &[&str]) -> Self {
        let pictures = scratch();
        let folder = pictures.to_string_lossy().into_owned();
        let program = program(MEMORY_SCAN, &[&[PROGRAM, &folder], command].concat());
        Self { name: name.to_owned(), pictures, program }
    }

    /// Runs it to its end, which must be this.
    #[track_caller]
    fn ends(self, code: i32, said: &str) -> Ended {
        let outcome = self.program.run();
        ended(&outcome, code, said);
        Ended { name: self.name, pictures: self.pictures }
    }
}

/// A command under memory-scan that asks its questions on a terminal.
struct Talk {
    name: String,
    pictures: PathBuf,
    dialogue: Dialogue,
}

impl Talk {
    fn of(name: &str, command: &str) -> Self {
        let pictures = scratch();
        let folder = pictures.to_string_lossy().into_owned();
        // script(1) makes a terminal of the command's own: Ctrl-C is for it alone, and
        // memory-scan would pass it on once more.
        let script = ["script", "--quiet", "--return", "--command", command, "/dev/null"];
        let dialogue = on_terminal_words(&[&[MEMORY_SCAN, PROGRAM, &folder], &script[..]].concat());
        Self { name: name.to_owned(), pictures, dialogue }
    }

    fn answer(mut self, question: &str, answer: &str) -> Self {
        self.dialogue = self.dialogue.answer(question, answer);
        self
    }

    /// Runs it to its end, which must be this.
    #[track_caller]
    fn ends(self, code: i32, said: &str) -> Ended {
        let outcome = self.dialogue.run();
        ended(&outcome, code, said);
        Ended { name: self.name, pictures: self.pictures }
    }
}

#[track_caller]
fn ended(outcome: &Outcome, code: i32, said: &str) {
    assert_eq!(outcome.code(), Some(code), "{outcome:#?}");
    assert!((outcome.stdout.clone() + &outcome.stderr).contains(said), "{said}: {outcome:#?}");
}

/// A command that has ended, and the pictures of it.
struct Ended {
    name: String,
    pictures: PathBuf,
}

impl Ended {
    /// Fails, too, where helpers did their work unseen: every command here talks to a key.
    #[track_caller]
    fn search(&self, secrets: &Secrets) -> Shown {
        let shown = search(&self.name, &self.pictures, secrets);
        let (name, seen) = (&self.name, shown.helpers);
        assert!(seen >= HELPERS, "{name}: {seen} helpers were looked at, and it takes {HELPERS}");
        shown
    }

    #[track_caller]
    fn leaves_nothing(&self, secrets: &Secrets) {
        self.search(secrets).nothing_left(&self.name);
    }
}

/// A vault on two keys with a long PIN, and the pictures of its making.
struct Study {
    folder: PathBuf,
    primary: VirtualKey,
    made: Vec<Ended>,
    secrets: OnceLock<Secrets>,
}

/// The study, for one trial at a time, with only the first key plugged in, and willing.
struct Visit(MutexGuard<'static, Study>);

impl std::ops::Deref for Visit {
    type Target = Study;
    fn deref(&self) -> &Study {
        &self.0
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.primary.unplug();
    }
}

fn visit() -> Visit {
    static STUDY: OnceLock<Mutex<Study>> = OnceLock::new();
    let study = STUDY.get_or_init(|| Mutex::new(Study::found()));
    let mut visit = Visit(study.lock().unwrap_or_else(PoisonError::into_inner));
    visit.0.primary.touch(Touch::Accept);
    visit.0.primary.turn_honest();
    visit.0.primary.replug();
    visit
}

impl Study {
    #[track_caller]
    fn found() -> Self {
        let folder = scratch();
        let pin = pin_file(&folder, PIN);
        let reader = folder.join("reader.identity").to_string_lossy().into_owned();
        program("age-keygen", &["-o", &reader]).run().expect_success();
        let recipient = program("age-keygen", &["-y", &reader]).run().expect_success();
        let vault = folder.join("vault").to_string_lossy().into_owned();
        let paper = folder.join("paper.txt").to_string_lossy().into_owned();
        let mut made = Vec::new();

        let mut primary = VirtualKey::plug("primary");
        let set = [KEYMUSTER, "key", "pin", "set", "--pin-file", &pin];
        made.push(Scan::of("key pin set --pin-file", &set).ends(0, "Set the PIN"));
        let init = format!(
            "exec {KEYMUSTER} vault init {vault} --name Corp --custodian alice --key primary \
             --reader auditor={} --pin-file {pin} --paper-fd 3 3>{paper}",
            recipient.trim()
        );
        made.push(Scan::of("vault init", &["sh", "-c", &init]).ends(0, "Founded"));
        let blue = VirtualKey::plug("blue");
        let set = format!("exec {KEYMUSTER} key pin set --device {}", blue.device());
        let typed = Talk::of("key pin set, typed", &set)
            .answer("New PIN", PIN)
            .answer("The same again", PIN);
        made.push(typed.ends(0, "Set the PIN"));
        let enrol = [KEYMUSTER, "key", "enrol", "blue", "--vault", &vault, "--pin-file", &pin];
        made.push(Scan::of("key enrol", &enrol).ends(0, "Enrolled alice/blue"));
        primary.unplug();
        Self { folder, primary, made, secrets: OnceLock::new() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// A command on the vault, which the key opens; with the PIN in this file.
    fn command(&self, name: &str, arguments: &[&str], pin_file: &str) -> Scan {
        let vault = self.path("vault");
        let more = ["--vault", &vault, "--pin-file", pin_file];
        Scan::of(name, &[&[KEYMUSTER], arguments, &more].concat())
    }

    fn pin_file(&self) -> String {
        pin_file(&self.folder, PIN)
    }

    /// All that is secret in the vault, found out once.
    fn secrets(&self) -> Secrets {
        self.secrets.get_or_init(|| self.find_out()).clone()
    }

    /// Opens the vault with the first key as a custodian would.
    #[track_caller]
    fn find_out(&self) -> Secrets {
        let location = Location::at(Path::new(&self.path("vault"))).expect("a vault");
        let id = location.id.to_string();
        let hints = location.layout.identity_hints().expect("hints");
        let hint = hints.iter().find(|hint| hint.slot.as_str() == "primary").expect("an identity");
        let path = location.layout.identity(&hint.custodian, &hint.slot, hint.generation);
        let file = fs::read(path).expect("a sealed identity");
        let request = GetHmacSecret {
            application: hint.application.clone(),
            credential: hint.credential.clone(),
            salts: fido2prf::salts(fido2prf::nonce_of(&file).expect("a nonce")),
        };
        let pin = pin(PIN);
        let by_pin = UserVerification::Pin(&pin);
        let output = keys()
            .hmac_secret(&device(&self.primary), &request, by_pin, &mut Told::default())
            .expect("an honest key derives");
        let name = IdentityName { vault: &id, custodian: "alice", generation: hint.generation };
        let personal = PersonalIdentity::open_with_key(&file, &output, &name).expect("it opens");
        let own = [personal.key()];
        let reader = fs::read_to_string(self.path("reader.identity")).expect("an identity");
        let reader = reader.lines().find(|line| line.starts_with("AGE-")).expect("a key");
        let paper = fs::read_to_string(self.path("paper.txt")).expect("a passphrase");
        let secrets = ["records", "seeds"].iter().fold(Secrets::none(), |secrets, compartment| {
            let file = fs::read(location.layout.compartment(compartment, 1)).expect("a file");
            let name = CompartmentName { vault: &id, compartment, epoch: 1 };
            let opened = CompartmentIdentity::open(&file, &own, &name).expect("it opens");
            secrets.age_identity(compartment, opened.current())
        });
        secrets
            .pin(PIN)
            .hmac_secret(&output)
            .age_identity("alice's", own[0])
            .identity("the reader's", reader)
            .passphrase(paper.trim())
    }
}

/// The positive control: whole and in parts, in a program that ends and in one that is killed.
fn what_a_careless_program_leaves_is_found() {
    let (folder, pictures) = (scratch(), scratch());
    let secret = pin_file(&folder, PIN);
    let shown = pictures.to_string_lossy();
    program(MEMORY_SCAN, &["careless", &shown, CARELESS, &secret]).run().expect_success();
    let left = search("careless", &pictures, &Secrets::none().passphrase(PIN)).left;
    assert!(left.iter().any(|found| found.contains("left all of the passphrase")), "{left:#?}");
    assert!(left.iter().any(|found| found.contains("(19 bytes from 20)")), "{left:#?}");
}

/// The positive control on the program itself: while the key blinks, the PIN stands in the
/// program, on a page that can't be swapped out, and in its helper.
fn a_pin_in_use_is_found_and_gone_after_ctrl_c() {
    let study = visit();
    let secrets = study.secrets();
    study.primary.touch(Touch::Wait);
    let scan =
        study.command("key check, Ctrl-C at the touch", &["key", "check"], &study.pin_file());
    let running = scan.program.start();
    study.primary.wait_until_it_blinks();
    running.signal("USR1");
    wait_until("pictures of both are there", || {
        // One that is being written can't be read yet.
        Picture::load_all(&scan.pictures).is_ok_and(|taken| {
            taken.iter().filter(|picture| picture.subject.moment == Moment::InUse).count() == 2
        })
    });
    running.signal("INT");
    ended(&running.finish(), 130, "interrupted");
    let done = Ended { name: scan.name, pictures: scan.pictures };
    let shown = done.search(&secrets);
    for helper in [false, true] {
        let found = shown.in_use.iter().any(|(argument, finding)| {
            (argument.as_deref() == Some("key-helper")) == helper
                && finding.canary == "the PIN"
                && finding.whole
                && finding.place.locked
        });
        assert!(found, "helper: {helper}; {:#?}", shown.in_use);
    }
    shown.nothing_left(&done.name);
}

fn founding_and_enrolling_leave_nothing() {
    let study = visit();
    let secrets = study.secrets();
    for made in &study.made {
        made.leaves_nothing(&secrets);
    }
}

fn a_check_leaves_nothing_wherever_the_pin_comes_from() {
    let study = visit();
    let secrets = study.secrets();
    let (vault, pin) = (study.path("vault"), study.pin_file());
    study.command("key check", &["key", "check"], &pin).ends(0, "This is").leaves_nothing(&secrets);
    let check = format!("exec {KEYMUSTER} key check --vault {vault}");
    let by_descriptor = format!("{check} --pin-fd 3 3<{pin}");
    Scan::of("key check --pin-fd 3", &["sh", "-c", &by_descriptor])
        .ends(0, "This is")
        .leaves_nothing(&secrets);
    let by_stdin = format!("{check} --pin-file - <{pin}");
    Scan::of("key check --pin-file -", &["sh", "-c", &by_stdin])
        .ends(0, "This is")
        .leaves_nothing(&secrets);
    Talk::of("key check, typed", &check)
        .answer("PIN of alice/primary", PIN)
        .ends(0, "This is")
        .leaves_nothing(&secrets);
    let reader = study.path("reader.identity");
    study
        .command("key check --identity", &["key", "check", "--identity", &reader], &pin)
        .ends(0, "This is")
        .leaves_nothing(&secrets);
}

fn wrong_and_unfit_pins_leave_nothing() {
    let study = visit();
    let check = ["key", "check"];
    let secrets = study.secrets().pin(WRONG_PIN).pin(LONG_PIN);
    let wrong = pin_file(&scratch(), WRONG_PIN);
    study
        .command("key check, wrong PIN", &check, &wrong)
        .ends(1, "wrong PIN")
        .leaves_nothing(&secrets);
    let typed = format!("exec {KEYMUSTER} key check --vault {}", study.path("vault"));
    Talk::of("key check, wrong PIN typed", &typed)
        .answer("PIN of alice/primary", WRONG_PIN)
        .ends(1, "wrong PIN")
        .leaves_nothing(&secrets);
    Talk::of("key check, unfit PIN typed", &typed)
        .answer("PIN of alice/primary", LONG_PIN)
        .ends(1, "that can't be the PIN")
        .leaves_nothing(&secrets);
    let long = pin_file(&scratch(), LONG_PIN);
    study
        .command("key check, unfit PIN", &check, &long)
        .ends(1, "holds no PIN")
        .leaves_nothing(&secrets);
    let new = VirtualKey::plug("new");
    let set = format!("exec {KEYMUSTER} key pin set --device {}", new.device());
    Talk::of("key pin set, two PINs that differ", &set)
        .answer("New PIN", PIN)
        .answer("The same again", WRONG_PIN)
        .ends(1, "the two PINs differ")
        .leaves_nothing(&secrets);
}

fn a_touch_that_fails_leaves_nothing() {
    let study = visit();
    let secrets = study.secrets();
    let (pin, reader) = (study.pin_file(), study.path("reader.identity"));
    for (touch, name, said) in [
        (Touch::Deny, "refused", "its user refused"),
        (Touch::Timeout { ms: 1500 }, "not given", "nobody touched the security key in time"),
    ] {
        study.primary.touch(touch);
        let name = format!("key check, touch {name}");
        study.command(&name, &["key", "check"], &pin).ends(4, said).leaves_nothing(&secrets);
        let signing = ["key", "check", "--identity", &reader];
        let name = format!("{name} for a signature");
        study.command(&name, &signing, &pin).ends(4, said).leaves_nothing(&secrets);
    }
}

fn a_pulled_key_leaves_nothing() {
    let mut study = visit();
    let secrets = study.secrets();
    study.primary.touch(Touch::Wait);
    let scan = study.command("key check, key pulled", &["key", "check"], &study.pin_file());
    let running = scan.program.start();
    study.primary.wait_until_it_blinks();
    study.0.primary.unplug();
    ended(&running.finish(), 4, "isn't plugged in");
    Ended { name: scan.name, pictures: scan.pictures }.leaves_nothing(&secrets);
}

fn ctrl_c_at_a_pin_leaves_nothing() {
    let study = visit();
    let secrets = study.secrets();
    let reader = study.path("reader.identity");
    let check =
        format!("exec {KEYMUSTER} key check --vault {} --identity {reader}", study.path("vault"));
    Talk::of("key check, Ctrl-C at the PIN", &check)
        .answer("PIN of alice/primary", "\u{3}")
        .ends(130, "interrupted")
        .leaves_nothing(&secrets);
}

fn a_hostile_key_finds_nothing_left() {
    let study = visit();
    let secrets = study.secrets();
    for kind in
        ["garbage clientPIN", "truncated clientPIN", "nested getAssertion", "flipped getAssertion"]
    {
        study.primary.turn_hostile(kind);
        let name = format!("key check, {kind}");
        let scan = study.command(&name, &["key", "check"], &study.pin_file());
        let outcome = scan.program.run();
        assert!(!outcome.status.success(), "{outcome:#?}");
        assert!(!study.primary.events("hostile").is_empty(), "{kind} was not met");
        Ended { name, pictures: scan.pictures }.leaves_nothing(&secrets);
        study.0.primary.turn_honest();
    }
}
