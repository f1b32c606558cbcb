//! Security keys made of software, for demo vaults and for tests.
//!
//! They prove nothing about hardware: whoever can read their files, or the memory of this
//! process, has the keys; no person is asked for a touch, and no user is verified. Their
//! attestation is their own, and their AAGUID is [`AAGUID`], by which they can be told
//! from keys that claim to be hardware. No vault but a demo vault may take one.
//!
//! Beyond that they answer as a key with CTAP 2.1 does: flags, counter, exclude list,
//! PIN attempts, the silent probe, `hmac-secret` with a secret of its own for requests
//! without user verification. What they send is written by `encode`, which shares nothing
//! with the code that verifies it.
//!
//! Private keys, PINs and secrets are wiped when dropped; `ring` keeps copies for the
//! length of one request and doesn't wipe them.
//!
//! Keys in a folder are read before each request and replaced after it, so that any
//! number of commands, one after the other, see one key. Two processes that ask the same
//! key at the same instant may both get the same count.

mod device;
mod encode;
mod file;
mod shelf;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::device::SoftwareKey;
use self::shelf::Shelf;
use super::{
    Assertion, Attestation, Authenticator, Device, DeviceId, DeviceInfo, GetAssertion,
    GetHmacSecret, KeyError, MakeCredential, Pin, Probe, ProbeAnswer, TouchPrompt,
    UserVerification,
};
use crate::webauthn::{Aaguid, HmacSecretOutput};

/// The AAGUID of all software keys of keymuster, and of nothing else:
/// `dbe8d7ef-3143-4188-92e1-aae6ce481976`.
pub const AAGUID: Aaguid = Aaguid([
    0xdb, 0xe8, 0xd7, 0xef, 0x31, 0x43, 0x41, 0x88, 0x92, 0xe1, 0xaa, 0xe6, 0xce, 0x48, 0x19, 0x76,
]);

/// The id of the blank device.
pub const BLANK: &str = "new";
/// How long a touch is waited for, as the prompt is told.
const TOUCH_WAIT: Duration = Duration::from_secs(30);

/// How a software key verifies its user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// By its own means, which always succeed. Such a key can have no PIN.
    BuiltIn,
    /// By a PIN, once it has one.
    Pin,
}

/// What a software key can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// How it verifies its user.
    pub verification: Verification,
    /// Whether it refuses every request without user verification, the silent probe too.
    pub always_uv: bool,
    /// Whether it has `hmac-secret`.
    pub hmac_secret: bool,
    /// Whether it makes EdDSA credentials besides ES256.
    pub ed_dsa: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            verification: Verification::BuiltIn,
            always_uv: false,
            hmac_secret: true,
            ed_dsa: true,
        }
    }
}

impl Model {
    fn verifies_by_itself(self) -> bool {
        self.verification == Verification::BuiltIn
    }
}

/// What the imagined user does when a key waits for a touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TouchPolicy {
    /// Touches it at once.
    #[default]
    Accept,
    /// Refuses.
    Deny,
    /// Does nothing. The time is not waited for.
    TimeOut,
}

/// What a touch was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TouchFor {
    /// A new credential.
    MakeCredential,
    /// A signature.
    Sign,
    /// The outputs of `hmac-secret`.
    HmacSecret,
}

/// One time that a key waited for a touch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touch {
    /// Which device waited.
    pub device: DeviceId,
    /// What for.
    pub asked_for: TouchFor,
    /// What came of it.
    pub outcome: TouchPolicy,
}

/// Why software keys can't be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SoftwareKeyError {
    /// The folder can't be made or listed.
    #[error("the folder of software keys can't be used")]
    Folder {
        /// What the system said.
        source: io::Error,
    },
    /// A file can't be read.
    #[error("software key {name} can't be read")]
    Read {
        /// The key.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("software key {name} can't be written")]
    Write {
        /// The key.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file isn't one of a software key. What is wrong with it isn't told, since the
    /// file holds secrets.
    #[error("the file of software key {name} is damaged")]
    Malformed {
        /// The key.
        name: String,
    },
    /// Not a name that a key can have.
    #[error(
        "{0:?} can't be the name of a software key: 1 to 32 of a-z, 0-9 and -, not - in front, \
         and not `new`"
    )]
    Name(String),
    /// There is a key of this name.
    #[error("there is a software key {0} already")]
    Taken(String),
    /// More keys than anybody needs.
    #[error("there are more than 256 software keys")]
    TooMany,
}

/// What a device forgets when it is unplugged, and what tests have it do.
#[derive(Default)]
struct Session {
    wrong_pins: u32,
    touch_policy: TouchPolicy,
    unplugged: bool,
}

/// The one extra device: a key that isn't any yet.
struct Blank {
    /// The name it will have; counted if none was given.
    name: Option<String>,
    /// The key that it has become.
    became: Option<String>,
}

/// Software keys, plugged in all at once.
pub struct SoftwareKeys {
    shelf: Shelf,
    blank: Option<Blank>,
    sessions: BTreeMap<DeviceId, Session>,
    touches: Vec<Touch>,
}

impl SoftwareKeys {
    /// Keys that are gone with this value. None at first.
    pub fn in_memory() -> Self {
        Self::on(Shelf::Memory(BTreeMap::new()))
    }

    /// The keys in a folder, which is made if it isn't there. Each is a file `NAME.json`,
    /// readable by its owner only; other files are left alone.
    pub fn in_folder(folder: &Path) -> Result<Self, SoftwareKeyError> {
        Shelf::in_folder(folder).map(Self::on)
    }

    fn on(shelf: Shelf) -> Self {
        Self { shelf, blank: None, sessions: BTreeMap::new(), touches: Vec::new() }
    }

    /// Adds the blank device `new`, listed last. Its first credential makes it a key, of
    /// the given name or, without one, of the first free of `demo-key-1`, `demo-key-2` and
    /// so on. As a key stays at its port, it goes on answering as `new`, and is listed as
    /// that and not by its name, for as long as this value lives or until the next blank.
    pub fn with_blank(mut self, name: Option<&str>) -> Result<Self, SoftwareKeyError> {
        self.plug_in_blank(name)?;
        Ok(self)
    }

    /// The same for a value at hand: one more key is unpacked. The one that was `new`
    /// until now is listed by its name from here on.
    pub fn plug_in_blank(&mut self, name: Option<&str>) -> Result<DeviceId, SoftwareKeyError> {
        if let Some(name) = name {
            if !is_name(name) {
                return Err(SoftwareKeyError::Name(name.to_owned()));
            }
            if self.shelf.names()?.iter().any(|taken| taken == name) {
                return Err(SoftwareKeyError::Taken(name.to_owned()));
            }
        }
        let device = DeviceId(BLANK.to_owned());
        self.sessions.remove(&device);
        self.blank = Some(Blank { name: name.map(str::to_owned), became: None });
        Ok(device)
    }

    /// Adds a key without credentials and PIN.
    pub fn add(&mut self, name: &str, model: Model) -> Result<DeviceId, SoftwareKeyError> {
        self.shelf.create(name, SoftwareKey::new(model))?;
        Ok(DeviceId(name.to_owned()))
    }

    /// Decides what happens when this device waits for a touch, until it is decided anew.
    pub fn set_touch_policy(&mut self, device: &DeviceId, policy: TouchPolicy) {
        self.sessions.entry(device.clone()).or_default().touch_policy = policy;
    }

    /// Every touch that was waited for, the first one first.
    pub fn touches(&self) -> &[Touch] {
        &self.touches
    }

    /// Takes a device away: it isn't listed, and requests find it gone.
    pub fn unplug(&mut self, device: &DeviceId) {
        self.sessions.entry(device.clone()).or_default().unplugged = true;
    }

    /// Plugs a device in anew, which ends a pause after wrong PINs.
    pub fn replug(&mut self, device: &DeviceId) {
        let session = self.sessions.entry(device.clone()).or_default();
        session.unplugged = false;
        session.wrong_pins = 0;
    }

    fn is_unplugged(&self, device: &DeviceId) -> bool {
        self.sessions.get(device).is_some_and(|session| session.unplugged)
    }

    /// Has a key answer, and keeps what it remembers of it, before the answer is given.
    fn ask<T>(
        &mut self,
        device: &DeviceId,
        answer: impl FnOnce(&mut SoftwareKey, &mut Session, &mut Vec<Touch>) -> Result<T, KeyError>,
    ) -> Result<T, KeyError> {
        if self.is_unplugged(device) {
            return Err(KeyError::Gone(device.clone()));
        }
        let _lock = self.shelf.lock()?;
        let name = match &self.blank {
            Some(Blank { became: None, .. }) if device.0 == BLANK => None,
            Some(Blank { became: Some(name), .. }) if device.0 == BLANK => Some(name.clone()),
            _ => Some(device.0.clone()),
        };
        let session = self.sessions.entry(device.clone()).or_default();
        let Some(name) = name else {
            let mut key = SoftwareKey::new(Model::default());
            let answer = answer(&mut key, session, &mut self.touches)?;
            if !key.credentials.is_empty() {
                self.unpack(key)?;
            }
            return Ok(answer);
        };
        let taken = self.shelf.take(&name)?;
        let mut key = taken.ok_or_else(|| KeyError::Gone(device.clone()))?;
        let answer = answer(&mut key, session, &mut self.touches);
        // A wrong PIN is remembered too: the attempt counts.
        self.shelf.put_back(&name, key)?;
        answer
    }

    /// The blank device has become a key.
    fn unpack(&mut self, key: SoftwareKey) -> Result<(), KeyError> {
        let Some(blank) = &mut self.blank else { return Ok(()) };
        let name = match &blank.name {
            Some(name) => name.clone(),
            None => {
                let taken = self.shelf.names()?;
                (1..)
                    .map(|count: u32| format!("demo-key-{count}"))
                    .find(|name| !taken.contains(name))
                    .unwrap_or_default()
            }
        };
        self.shelf.create(&name, key)?;
        blank.became = Some(name);
        Ok(())
    }
}

/// Has the imagined user asked for a touch, and writes down what came of it.
fn touch(
    device: &DeviceId,
    asked_for: TouchFor,
    policy: TouchPolicy,
    touches: &mut Vec<Touch>,
    prompt: &mut dyn TouchPrompt,
) -> Result<(), KeyError> {
    prompt.waiting(TOUCH_WAIT);
    prompt.over();
    touches.push(Touch { device: device.clone(), asked_for, outcome: policy });
    match policy {
        TouchPolicy::Accept => Ok(()),
        TouchPolicy::Deny => Err(KeyError::Denied),
        TouchPolicy::TimeOut => Err(KeyError::TouchTimedOut),
    }
}

impl Authenticator for SoftwareKeys {
    fn devices(&mut self) -> Result<Vec<Device>, KeyError> {
        let became = self.blank.as_ref().and_then(|blank| blank.became.clone());
        let named = self.shelf.names()?.into_iter().filter(|name| became.as_ref() != Some(name));
        let mut devices: Vec<Device> =
            named.map(|name| described(DeviceId(name.clone()), Some(name))).collect();
        if self.blank.is_some() {
            devices.push(described(DeviceId(BLANK.to_owned()), became));
        }
        devices.retain(|device| !self.is_unplugged(&device.id));
        Ok(devices)
    }

    fn info(&mut self, device: &DeviceId) -> Result<DeviceInfo, KeyError> {
        self.ask(device, |key, _, _| Ok(key.info()))
    }

    fn probe(&mut self, device: &DeviceId, probe: &Probe) -> Result<ProbeAnswer, KeyError> {
        self.ask(device, |key, _, _| key.probe(probe))
    }

    fn make_credential(
        &mut self,
        device: &DeviceId,
        request: &MakeCredential,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<Attestation, KeyError> {
        self.ask(device, |key, session, touches| {
            let policy = session.touch_policy;
            let mut touch = || touch(device, TouchFor::MakeCredential, policy, touches, prompt);
            key.make_credential(request, verification, &mut session.wrong_pins, &mut touch)
        })
    }

    fn sign(
        &mut self,
        device: &DeviceId,
        request: &GetAssertion,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<Assertion, KeyError> {
        self.ask(device, |key, session, touches| {
            let policy = session.touch_policy;
            let mut touch = || touch(device, TouchFor::Sign, policy, touches, prompt);
            key.sign(request, verification, &mut session.wrong_pins, &mut touch)
        })
    }

    fn hmac_secret(
        &mut self,
        device: &DeviceId,
        request: &GetHmacSecret,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<HmacSecretOutput, KeyError> {
        self.ask(device, |key, session, touches| {
            let policy = session.touch_policy;
            let mut touch = || touch(device, TouchFor::HmacSecret, policy, touches, prompt);
            key.hmac_secret(request, verification, &mut session.wrong_pins, &mut touch)
        })
    }

    fn set_pin(&mut self, device: &DeviceId, pin: &Pin) -> Result<(), KeyError> {
        self.ask(device, |key, _, _| key.set_pin(pin))
    }
}

fn described(id: DeviceId, name: Option<String>) -> Device {
    Device {
        id,
        product: "software key".to_owned(),
        manufacturer: "keymuster".to_owned(),
        serial: name,
        vendor_id: 0,
        product_id: 0,
    }
}

impl From<SoftwareKeyError> for KeyError {
    fn from(error: SoftwareKeyError) -> Self {
        // `KeyError` keeps no source, so that its words have to say it all.
        match std::error::Error::source(&error) {
            Some(source) => Self::Nonsense(format!("{error}: {source}")),
            None => Self::Nonsense(error.to_string()),
        }
    }
}

/// Whether a key may have this name: `[a-z0-9][a-z0-9-]{0,31}`, as all names in a vault,
/// and not that of the blank device.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && name != BLANK
}

#[cfg(test)]
mod ssh_keygen_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
