//! A vault on virtual keys that the trials share: founded once, with alice's two keys. Each
//! trial plugs in what it needs; when it is over, everything is unplugged.

use crate::keys::{Touch, VirtualKey};
use crate::machine::KEYMUSTER;
use crate::run::{Outcome, Program, keymuster, program, scratch};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The PIN of alice's keys.
pub(super) const PIN: &str = "314159";

/// Touches and PIN tokens of a command, by key.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) struct Cost {
    pub(super) primary: usize,
    pub(super) blue: usize,
}

/// Alice's office: her vault, her two keys, and an auditor's identity.
pub(super) struct Office {
    folder: PathBuf,
    /// The vault as it was when both keys were enrolled, with this machine's memory of its head.
    pub(super) as_founded: PathBuf,
    pub(super) primary: VirtualKey,
    pub(super) blue: VirtualKey,
    /// What the founding and the enrolment of the second key cost.
    pub(super) founding: Cost,
    pub(super) enrolment: Cost,
    /// What they said.
    pub(super) founding_said: Outcome,
    pub(super) enrolment_said: Outcome,
}

/// The office, for one trial at a time.
pub(super) struct Visit(MutexGuard<'static, Office>);

impl std::ops::Deref for Visit {
    type Target = Office;
    fn deref(&self) -> &Office {
        &self.0
    }
}

impl std::ops::DerefMut for Visit {
    fn deref_mut(&mut self) -> &mut Office {
        &mut self.0
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.primary.unplug();
        self.0.blue.unplug();
    }
}

/// Opens the office, with these of alice's keys plugged in.
pub(super) fn visit(primary: bool, blue: bool) -> Visit {
    static OFFICE: OnceLock<Mutex<Office>> = OnceLock::new();
    let office = OFFICE.get_or_init(|| Mutex::new(Office::found()));
    let mut visit = Visit(office.lock().unwrap_or_else(PoisonError::into_inner));
    for (wanted, key) in [(primary, 0), (blue, 1)] {
        let key = if key == 0 { &mut visit.0.primary } else { &mut visit.0.blue };
        key.touch(Touch::Accept);
        key.turn_honest();
        if wanted {
            key.replug();
        }
    }
    visit
}

/// A file with a PIN, one a folder. Its name is in the arguments, and mustn't tell the PIN.
pub(super) fn pin_file(folder: &Path, pin: &str) -> String {
    let path = folder.join("key.pin");
    fs::write(&path, format!("{pin}\n")).expect("the scratch folder can be written to");
    path.to_string_lossy().into_owned()
}

impl Office {
    #[track_caller]
    fn found() -> Self {
        let folder = scratch();
        let pin = pin_file(&folder, PIN);
        let reader = folder.join("reader.identity");
        let reader = reader.to_string_lossy();
        program("age-keygen", &["-o", &reader]).run().expect_success();
        let recipient = program("age-keygen", &["-y", &reader]).run().expect_success();
        let recipient = recipient.trim();

        let mut primary = VirtualKey::plug("primary");
        keymuster(&["key", "pin", "set", "--pin-file", &pin]).run().expect_success();
        let command = format!(
            "exec {KEYMUSTER} vault init vault --name 'Example Corp' --custodian alice --key primary \
             --reader auditor={recipient} --pin-file {pin} --paper-fd 3 3>paper.txt"
        );
        let init = program("sh", &["-c", &command]).current_dir(&folder).run();
        assert!(init.status.success(), "{init:#?}");
        let founding = Cost { primary: primary.touches(), blue: 0 };

        let mut blue = VirtualKey::plug("blue");
        let vault = folder.join("vault");
        let vault = vault.to_string_lossy();
        let set = ["key", "pin", "set", "--pin-file", &pin, "--device", blue.device()];
        keymuster(&set).run().expect_success();
        let enrol = ["key", "enrol", "blue", "--vault", &vault, "--pin-file", &pin];
        let enrol = keymuster(&enrol).run();
        assert!(enrol.status.success(), "{enrol:#?}");
        let enrolment =
            Cost { primary: primary.touches() - founding.primary, blue: blue.touches() };
        primary.unplug();
        blue.unplug();
        let as_founded = scratch();
        let copy = format!(
            "cp -a vault reader.identity paper.txt {to} && mkdir -p {to}/state/keymuster && \
             cp -a $HOME/.local/state/keymuster/heads {to}/state/keymuster",
            to = as_founded.display()
        );
        program("sh", &["-c", &copy]).current_dir(&folder).run().expect_success();
        Self {
            folder,
            as_founded,
            primary,
            blue,
            founding,
            enrolment,
            founding_said: init,
            enrolment_said: enrol,
        }
    }

    /// A path in the office.
    pub(super) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// A command on the vault, with alice's PIN in a file.
    pub(super) fn command(&self, arguments: &[&str]) -> Program {
        let (vault, pin) = (self.path("vault"), pin_file(&self.folder, PIN));
        keymuster(&[arguments, &["--vault", &vault, "--pin-file", &pin]].concat())
    }

    /// The same, with the log opened as the auditor.
    pub(super) fn as_reader(&self, arguments: &[&str]) -> Program {
        let reader = self.path("reader.identity");
        self.command(&[arguments, &["--identity", &reader]].concat())
    }

    /// A command line for a terminal, without a PIN; with the log opened as the auditor.
    pub(super) fn command_line(&self, arguments: &str) -> String {
        let (vault, reader) = (self.path("vault"), self.path("reader.identity"));
        format!("{KEYMUSTER} {arguments} --vault {vault} --identity {reader}")
    }

    /// The number of entries.
    #[track_caller]
    pub(super) fn entries(&self) -> u64 {
        let head = self.as_reader(&["log", "head"]).run().expect_success();
        head.lines().nth(1).and_then(|line| line.parse().ok()).expect("a head has a number")
    }
}
