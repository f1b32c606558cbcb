//! What a command gets from the world around it: the clock, randomness, the terminal,
//! places for files, the keys, and what the flags say.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::failure::Failure;
use super::prompt::Terminal;
use super::signals::{Telling, take_signals};
use super::{exit, secret_file};
use crate::key::helper::UsbKeys;
use crate::key::software::{BLANK, SoftwareKeys};
use crate::key::{Authenticator, DeviceId, Pin};
use crate::record::{Digest, Line, Realm, Time};
use crate::vault::{AgeIdentity, HeadMemory, StoreError};

/// `--pin-file`: a file, and the key whose PIN it holds.
#[derive(Debug, Clone)]
pub struct PinFile {
    /// A key's label or name; `None` for any key.
    pub key: Option<String>,
    /// The file.
    pub file: PathBuf,
}

impl FromStr for PinFile {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('=') {
            Some((key, file)) => Self { key: Some(key.to_owned()), file: file.into() },
            None => Self { key: None, file: text.into() },
        })
    }
}

/// Where a flag says that a PIN is.
#[derive(Debug, Clone, Copy)]
pub enum PinFlag<'a> {
    /// The next line of an open file descriptor.
    Descriptor(u32),
    /// The first line of a file.
    File(&'a Path),
}

/// What every command takes.
#[derive(Debug, Args, Clone, Default)]
#[command(next_help_heading = "Options that every command takes")]
pub struct Globals {
    /// The vault's folder; else the nearest folder above that holds a vault.toml
    #[arg(long, global = true, value_name = "DIR")]
    pub vault: Option<PathBuf>,
    /// Open the log as a reader, with the age identity in this file
    #[arg(long, global = true, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// The security key to use, where several are plugged in: its path in `key list`
    #[arg(long, global = true, value_name = "PATH")]
    pub device: Option<String>,
    /// Read a key's PIN from a file; LABEL=FILE says which key's, and may be repeated
    #[arg(long, global = true, value_name = "[LABEL=]FILE")]
    pub pin_file: Vec<PinFile>,
    /// Read the key's PIN from an open file descriptor
    #[arg(long, global = true, value_name = "N")]
    pub pin_fd: Option<u32>,
    /// Spend a key's last PIN attempt; a wrong PIN then locks the key for good
    #[arg(long, global = true)]
    pub last_attempt: bool,
    /// The vault's fingerprint, where this machine sees the vault for the first time
    #[arg(long, global = true, value_name = "HEX")]
    pub fingerprint: Option<Digest>,
    /// Where a demo vault's software keys lie [default: demo-keys beside the vault]
    #[arg(long, global = true, value_name = "DIR")]
    pub demo_keys: Option<PathBuf>,
}

/// What a command runs in.
#[derive(Debug)]
pub struct Context {
    /// What the flags say.
    pub globals: Globals,
    /// The person at the keyboard.
    pub terminal: Terminal,
    interrupted: Arc<AtomicBool>,
    telling: Arc<Telling>,
    pins: RefCell<BTreeMap<(DeviceId, String), Pin>>,
    demo_told: Rc<Cell<bool>>,
    /// Fingerprints of the vaults that this process founded or had confirmed.
    met: Rc<RefCell<BTreeSet<Digest>>>,
    /// Which key the file descriptor of a PIN has served.
    pin_fd_serves: RefCell<Option<String>>,
    /// Whose keys a file of a PIN has served.
    pin_files_serve: RefCell<BTreeMap<PathBuf, String>>,
}

impl Context {
    /// Takes the flags, and has signals end waits in good order.
    pub fn new(globals: Globals) -> Result<Self, Failure> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let telling = Arc::new(Telling::default());
        let terminal = Terminal::new(Arc::clone(&interrupted));
        take_signals(&interrupted, &telling, &terminal).map_err(|error| {
            Failure::because(exit::FAILED, "couldn't watch for signals", &error)
        })?;
        Ok(Self {
            globals,
            terminal,
            interrupted,
            telling,
            pins: RefCell::default(),
            demo_told: Rc::default(),
            met: Rc::default(),
            pin_fd_serves: RefCell::default(),
            pin_files_serve: RefCell::default(),
        })
    }

    /// The same world for another command line.
    pub fn with_globals(&self, globals: Globals) -> Self {
        Self {
            globals,
            terminal: self.terminal.clone(),
            interrupted: Arc::clone(&self.interrupted),
            telling: Arc::clone(&self.telling),
            pins: RefCell::default(),
            demo_told: Rc::clone(&self.demo_told),
            met: Rc::clone(&self.met),
            pin_fd_serves: RefCell::default(),
            pin_files_serve: RefCell::default(),
        }
    }

    /// Says, once, that what is done here is a demo.
    pub fn tell_demo(&self) {
        if !self.demo_told.replace(true) {
            self.terminal.say("This is a demo vault: its keys are software and prove nothing.");
        }
    }

    /// Says that what was recorded may not have reached the disk for good.
    pub fn tell_unsynced(&self, error: &StoreError) {
        let failure = Failure::of(exit::FAILED, error);
        let why = failure.sentence();
        self.terminal.say(&format!("It is recorded, but a power cut could still undo it: {why}."));
    }

    /// Notes that a vault with this fingerprint is the right one, even if this machine can't
    /// remember it.
    pub fn note_met(&self, fingerprint: Digest) {
        self.met.borrow_mut().insert(fingerprint);
    }

    /// Whether that was noted.
    pub fn has_met(&self, fingerprint: &Digest) -> bool {
        self.met.borrow().contains(fingerprint)
    }

    /// Fails if somebody pressed Ctrl-C.
    pub fn check_interrupted(&self) -> Result<(), Failure> {
        if self.interrupted.load(Ordering::Relaxed) { Err(Failure::interrupted()) } else { Ok(()) }
    }

    /// Takes a Ctrl-C for answered: whoever pressed it was asked what they want.
    pub fn forgive_interruption(&self) {
        self.interrupted.store(false, Ordering::Relaxed);
    }

    /// Whether something else than a key that was pressed wants the process to end.
    pub fn is_told_to_end(&self) -> bool {
        self.telling.is_told_to_end()
    }

    /// From now on a signal ends the process at once: all is done but telling it, and whoever
    /// should read that may not. An entry that was `recorded` stands.
    pub fn only_tells(&self, recorded: Option<u64>) {
        self.telling.begin(recorded);
    }

    /// This moment.
    pub fn now(&self) -> Result<Time, Failure> {
        Time::new(chrono::Utc::now()).ok_or_else(|| {
            Failure::new(exit::FAILED, "this machine's clock is far off: set it first")
        })
    }

    /// Random bytes from the system.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).map_err(|error| {
            Failure::because(exit::FAILED, "the system gives no random bytes", &error)
        })?;
        Ok(bytes)
    }

    /// A source of random bytes for what needs many. Fails up front where the system has
    /// none; after that it doesn't fail.
    pub fn random_source(&self) -> Result<impl FnMut(&mut [u8]) + use<>, Failure> {
        self.random::<1>()?;
        Ok(|buffer: &mut [u8]| {
            // Linux never refuses once it has given (getrandom(2)); zeros would be worse
            // than an end.
            if getrandom::fill(buffer).is_err() {
                std::process::abort();
            }
        })
    }

    /// The name and version that entries bear.
    pub fn tool(&self) -> Result<Line, Failure> {
        concat!("keymuster ", env!("CARGO_PKG_VERSION"))
            .parse()
            .map_err(|error| Failure::because(exit::FAILED, "a bug in keymuster", &error))
    }

    /// This machine's memory of heads: `$XDG_STATE_HOME/keymuster/heads`.
    pub fn memory(&self) -> Result<HeadMemory, Failure> {
        self.memory_of("heads")
    }

    /// The same of another kind of heads, in a folder of its own.
    pub fn memory_of(&self, kind: &str) -> Result<HeadMemory, Failure> {
        let state = self.home_folder("XDG_STATE_HOME", ".local/state").ok_or_else(|| {
            Failure::new(
                exit::FAILED,
                "there is no place to remember heads: neither XDG_STATE_HOME nor HOME is set",
            )
            .hint("set XDG_STATE_HOME to a folder that stays")
        })?;
        Ok(HeadMemory::new(&state.join("keymuster").join(kind)))
    }

    /// A folder of the XDG base directories: that of the environment, or the one in HOME.
    pub fn home_folder(&self, variable: &str, at_home: &str) -> Option<PathBuf> {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(at_home)))
    }

    /// Set once somebody pressed Ctrl-C.
    pub fn interruption(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    /// Whether that is so.
    pub fn interrupted(&self) -> &AtomicBool {
        &self.interrupted
    }

    /// The security keys of a vault: those on USB, or a demo vault's software keys.
    pub fn keys(
        &self,
        realm: Realm,
        vault: Option<&Path>,
    ) -> Result<Box<dyn Authenticator>, Failure> {
        match realm {
            Realm::Real => {
                let program = std::env::current_exe().map_err(|error| {
                    Failure::because(
                        exit::FAILED,
                        "keymuster can't find itself to start its helper",
                        &error,
                    )
                })?;
                Ok(Box::new(UsbKeys::new(program, Arc::clone(&self.interrupted))))
            }
            Realm::Demo => {
                let folder = self.demo_keys(vault);
                // Looking must not make the folder.
                if !folder.exists() {
                    return Ok(Box::new(SoftwareKeys::in_memory()));
                }
                Ok(Box::new(SoftwareKeys::in_folder(&folder)?))
            }
        }
    }

    /// The same for a command that takes a new key: in a demo vault, a blank software key
    /// is plugged in too.
    pub fn keys_with_blank(
        &self,
        realm: Realm,
        vault: &Path,
    ) -> Result<Box<dyn Authenticator>, Failure> {
        match realm {
            Realm::Real => self.keys(realm, Some(vault)),
            Realm::Demo => {
                let keys = SoftwareKeys::in_folder(&self.demo_keys(Some(vault)));
                let keys = keys.and_then(|keys| keys.with_blank(None)).map_err(Failure::from)?;
                Ok(Box::new(keys))
            }
        }
    }

    /// The device that `--device` names.
    pub fn device(&self) -> Option<&str> {
        self.globals.device.as_deref()
    }

    /// The same for a command that takes a new key. In a demo vault that is the blank one if
    /// none is named: an interrupted command may have left others that no vault knows.
    pub fn new_device(&self, realm: Realm) -> Option<&str> {
        self.device().or_else(|| (realm == Realm::Demo).then_some(BLANK))
    }

    /// Where a demo vault's keys lie.
    pub fn demo_keys(&self, vault: Option<&Path>) -> PathBuf {
        let beside = |vault: &Path| {
            let absolute = std::path::absolute(vault).unwrap_or_else(|_| vault.to_owned());
            absolute.parent().unwrap_or(&absolute).join("demo-keys")
        };
        let named = self.globals.demo_keys.clone();
        named.or_else(|| vault.map(beside)).unwrap_or_else(|| PathBuf::from("demo-keys"))
    }

    /// The identities in the file that `--identity` names.
    pub fn reader_identities(&self) -> Result<Option<Vec<AgeIdentity>>, Failure> {
        let path = self.globals.identity.as_deref();
        path.map(|path| secret_file::read_identities(path, &self.interrupted)).transpose()
    }

    /// Does something with the PIN of a device, which is asked for once: from the flags,
    /// or else by `ask`.
    pub fn with_pin<T>(
        &self,
        device: &DeviceId,
        key: &str,
        ask: impl FnOnce() -> Result<Pin, Failure>,
        act: impl FnOnce(&Pin) -> T,
    ) -> Result<T, Failure> {
        // Another key may sit in the same place by now.
        let asked = (device.clone(), key.to_owned());
        if !self.pins.borrow().contains_key(&asked) {
            let pin = match self.pin_from_flags(key)? {
                Some(pin) => pin,
                None => ask()?,
            };
            self.keep_pin(device, key, pin);
        }
        match self.pins.borrow().get(&asked) {
            Some(pin) => Ok(act(pin)),
            None => Err(Failure::new(exit::FAILED, "a PIN got lost, which is a bug in keymuster")),
        }
    }

    /// Whether the PIN of a key is known already.
    pub fn has_pin(&self, device: &DeviceId, key: &str) -> bool {
        self.pins.borrow().contains_key(&(device.clone(), key.to_owned()))
    }

    /// Keeps the PIN of a key for the rest of the command.
    pub fn keep_pin(&self, device: &DeviceId, key: &str, pin: Pin) {
        self.pins.borrow_mut().insert((device.clone(), key.to_owned()), pin);
    }

    /// The PIN that a flag gives for a key: `alice/primary`, `primary`, or any.
    pub fn pin_from_flags(&self, key: &str) -> Result<Option<Pin>, Failure> {
        let flag = self.pin_flag(key)?;
        let read = |flag| match flag {
            PinFlag::Descriptor(number) => secret_file::read_pin_from(number, &self.interrupted),
            PinFlag::File(file) => secret_file::read_pin(file, &self.interrupted),
        };
        flag.map(read).transpose()
    }

    /// The flag that gives a key's PIN. A file that doesn't say whose PIN it holds serves the
    /// keys of the first owner who asks: shown to another's, it would cost that key an attempt.
    pub fn pin_flag(&self, key: &str) -> Result<Option<PinFlag<'_>>, Failure> {
        if let Some(descriptor) = self.globals.pin_fd {
            let mut served = self.pin_fd_serves.borrow_mut();
            if served.get_or_insert_with(|| key.to_owned()) != key {
                let message = format!("--pin-fd gives one PIN, and that of {key} is needed too");
                return Err(Failure::new(exit::USAGE, message).hint(
                    "give the PINs of several keys with --pin-file LABEL=FILE, once for each",
                ));
            }
            return Ok(Some(PinFlag::Descriptor(descriptor)));
        }
        let label = key.rsplit('/').next().unwrap_or(key);
        let named = |file: &&PinFile| file.key.as_deref().is_some_and(|k| k == key || k == label);
        let files = &self.globals.pin_file;
        let file =
            files.iter().find(named).or_else(|| files.iter().find(|file| file.key.is_none()));
        let Some(file) = file else { return Ok(None) };
        if file.key.as_deref() != Some(key) {
            // What has no name yet is nobody's: its PIN is no other's, either.
            let owner = key.split_once('/').map_or(key, |(owner, _)| owner);
            let mut served = self.pin_files_serve.borrow_mut();
            let first = served.entry(file.file.clone()).or_insert_with(|| owner.to_owned());
            if first != owner {
                let shown = crate::text::sanitise(&file.file.to_string_lossy(), 200);
                let message =
                    format!("{shown} holds the PIN of {first}, and that of {key} is needed too");
                return Err(Failure::new(exit::USAGE, message)
                    .hint(format!("give it with --pin-file {key}=FILE")));
            }
        }
        Ok(Some(PinFlag::File(&file.file)))
    }
}
