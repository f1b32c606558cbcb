//! Opening a vault with a custodian's key: which device it may be, and the touch that opens
//! the custodian's identity.
//!
//! The log is closed here, so that nothing the files say is believed: they are hints at
//! which key to ask, and the identity that opens is the proof.

use super::context::Context;
use super::device::{self, ChosenKey, candidates, none_plugged_in, too_many};
use super::exit;
use super::failure::Failure;
use crate::key::identify::{Claim, hint};
use crate::key::{Authenticator, Device, DeviceId, GetHmacSecret, KeyError};
use crate::record::{Handle, KeyName, Realm};
use crate::vault::fido2prf;
use crate::vault::{
    IdentityHint, IdentityName, Location, MAX_FILE, PersonalIdentity, read_bounded,
};
use crate::webauthn::CredentialId;

/// How many files that name the same credential are tried: each costs a touch.
const MAX_FILES: usize = 3;

/// Which of the plugged-in keys is to open the vault.
#[derive(Clone, Copy, Debug)]
pub enum Opener<'a> {
    /// Any that can.
    Any,
    /// Any of this custodian's.
    Of(&'a Handle),
    /// Any but this custodian's.
    AnyBut(&'a Handle),
    /// This one.
    Key(&'a KeyName),
    /// The only one that can: what comes next is about that key.
    TheOnly,
}

impl Opener<'_> {
    /// Whether it is a key of this custodian.
    pub fn is_of(self, owner: &Handle) -> bool {
        match self {
            Self::Of(handle) => handle == owner,
            Self::Key(key) => key.owner == *owner,
            Self::Any | Self::AnyBut(_) | Self::TheOnly => false,
        }
    }

    /// Whether it says who.
    pub fn is_somebody(self) -> bool {
        matches!(self, Self::Of(_) | Self::Key(_))
    }
}

/// A custodian's key that opened their identity.
#[derive(Debug)]
pub struct Unlocked {
    /// The key, by the name that the vault's files give it.
    pub name: KeyName,
    /// The device.
    pub key: ChosenKey,
    /// What it opened.
    pub identity: PersonalIdentity,
    /// The number of the file that it opened.
    pub generation: u32,
}

/// Real or demo, as far as the files tell before the log is open.
pub fn supposed_realm(hints: &[IdentityHint]) -> Result<Realm, Failure> {
    let of = |realm: Realm| {
        hints.iter().filter(|hint| hint.application == realm.unlocking_application()).count()
    };
    match (of(Realm::Real), of(Realm::Demo)) {
        (_, 0) => Ok(Realm::Real),
        (0, _) => Ok(Realm::Demo),
        // One planted file must not have PINs of real keys given to software.
        _ => Err(Failure::new(
            exit::NO,
            "the vault's .identity files are some of a demo vault and some of a real one",
        )
        .hint("remove those that don't belong: keymuster log verify --identity FILE names them")),
    }
}

/// Finds a key that can open a custodian's identity, and has it do so: one touch. `aside` is
/// a device that isn't asked, since it is meant for something else; copies that were
/// `passed_over` open nothing of use.
pub fn unlock(
    context: &Context,
    keys: &mut dyn Authenticator,
    location: &Location,
    opener: Opener<'_>,
    aside: Option<&DeviceId>,
    passed_over: &[(KeyName, u32)],
) -> Result<Unlocked, Failure> {
    let known = location.layout.identity_hints()?;
    let application = supposed_realm(&known)?.unlocking_application();
    let is_over = |hint: &IdentityHint| {
        passed_over
            .iter()
            .any(|(name, number)| *name == name_of(hint) && *number == hint.generation)
    };
    let wanted = |hint: &&IdentityHint| {
        hint.application == application
            && !is_over(hint)
            && match opener {
                Opener::Any | Opener::TheOnly => true,
                Opener::Of(owner) => hint.custodian == *owner,
                Opener::AnyBut(other) => hint.custodian != *other,
                Opener::Key(key) => hint.custodian == key.owner && hint.slot == key.label,
            }
    };
    let hints: Vec<IdentityHint> = known.iter().filter(wanted).cloned().collect();
    if hints.is_empty() {
        return Err(nobody_opens(opener, &known));
    }
    let devices: Vec<Device> = match aside {
        Some(aside) => keys.devices()?.into_iter().filter(|device| device.id != *aside).collect(),
        None => candidates(keys, context.device())?,
    };
    if let (true, Some(aside)) = (devices.is_empty(), aside) {
        let message = format!("no enrolled key is plugged in beside {aside}, the new one");
        return Err(Failure::new(exit::ABSENT, message)
            .hint("plug in a key that is enrolled too: it opens the vault and signs"));
    }
    let (device, hints) = find_unlocking(context, keys, devices, &hints, opener)?;
    // Who can write files can name the key as they like: where names differ, none is believed.
    let name = named(&hints)?;
    let agreed = hints.iter().all(|hint| name_of(hint) == name);
    let name = if agreed { name.to_string() } else { device::product(&device).to_owned() };
    let key = ChosenKey::new(keys, device, name)?;
    let (identity, hint) =
        open_identity(context, keys, &key, location, &hints, "to open the vault")?;
    Ok(Unlocked { name: name_of(&hint), key, identity, generation: hint.generation })
}

/// Has a key that is known already open its copy of its owner's identity, the one that the log
/// names: one touch.
pub fn unlock_with(
    context: &Context,
    keys: &mut dyn Authenticator,
    location: &Location,
    (name, generation): (&KeyName, u32),
    key: &ChosenKey,
    purpose: &str,
) -> Result<PersonalIdentity, Failure> {
    let known = location.layout.identity_hints()?;
    let is_it = |hint: &&IdentityHint| name_of(hint) == *name && hint.generation == generation;
    let hints: Vec<IdentityHint> = known.iter().filter(is_it).cloned().collect();
    if hints.is_empty() {
        return Err(nobody_opens(Opener::Key(name), &known));
    }
    Ok(open_identity(context, keys, key, location, &hints, purpose)?.0)
}

/// The failure of naming a key or a custodian of whom the vault knows nothing.
fn nobody_opens(opener: Opener<'_>, known: &[IdentityHint]) -> Failure {
    let names: Vec<String> =
        known.iter().map(|hint| format!("{}/{}", hint.custodian, hint.slot)).collect();
    let enrolled = format!("enrolled are: {}", names.join(", "));
    match opener {
        Opener::Key(key) => {
            Failure::new(exit::USAGE, format!("no key {key} is enrolled")).hint(enrolled)
        }
        Opener::Of(owner) => {
            Failure::new(exit::USAGE, format!("{owner} has no enrolled key")).hint(enrolled)
        }
        Opener::Any | Opener::TheOnly | Opener::AnyBut(_) => Failure::new(
            exit::NO,
            "no key opens this vault: its .identity files are missing",
        )
        .hint(
            "restore them from git or a backup, or open the log as a reader with --identity FILE",
        ),
    }
}

/// The device that says it can unlock one of the identities. Nothing is proved yet: that
/// the identity opens is the proof.
fn find_unlocking(
    context: &Context,
    keys: &mut dyn Authenticator,
    devices: Vec<Device>,
    hints: &[IdentityHint],
    opener: Opener<'_>,
) -> Result<(Device, Vec<IdentityHint>), Failure> {
    if devices.is_empty() {
        return Err(none_plugged_in()
            .hint("plug in an enrolled key, or open the log as a reader with --identity FILE"));
    }
    let credentials: Vec<CredentialId> = hints.iter().map(|hint| hint.credential.clone()).collect();
    let application = hints.first().map(|hint| hint.application.as_str());
    let mut found = Vec::new();
    let mut silent = Vec::new();
    let mut unasked = Vec::new();
    for device in &devices {
        let Some(application) = application else { break };
        match hint(keys, &device.id, application, &credentials, context.random()?) {
            Ok(Claim::Holds(credential)) => {
                // Copies of a file name the same credential; only one of them is right.
                let same = hints.iter().filter(|hint| hint.credential == credential);
                found.push((device.clone(), same.cloned().collect::<Vec<_>>()));
            }
            Ok(Claim::WontSay) => silent.push(device.clone()),
            Ok(Claim::Stranger) => {}
            // One unsound device must not keep the others from being asked.
            Err(KeyError::Cancelled) => return Err(Failure::interrupted()),
            Err(error) if devices.len() > 1 => {
                context.terminal.say(&format!("Passing over {}: {error}.", device.id));
                unasked.push(device.clone());
            }
            Err(error) => return Err(error.into()),
        }
    }
    if found.is_empty()
        && let ([device], [hint]) = (silent.as_slice(), hints)
    {
        found.push((device.clone(), vec![hint.clone()]));
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [first, ..] if !matches!(opener, Opener::TheOnly) => {
            context.terminal.say(&format!("Opening the vault with {}.", named(&first.1)?));
            Ok(first.clone())
        }
        [] if !unasked.is_empty() => Err(couldnt_ask("no enrolled key", &unasked)),
        [] if !silent.is_empty() => Err(Failure::new(
            exit::ABSENT,
            "the security key doesn't say which key it is without a touch, so it can't be told whose identity it opens",
        )
        .hint("open the log as a reader with --identity FILE")),
        [] => Err(not_plugged_in(opener, &devices)),
        many => {
            let name = |hints: &[IdentityHint]| hints.first().map(|hint| name_of(hint).to_string());
            let listed: Vec<_> =
                many.iter().map(|(device, hints)| (device.clone(), name(hints))).collect();
            Err(too_many("one is meant to open the vault", &listed))
        }
    }
}

/// The failure of keys that are plugged in and aren't meant.
fn not_plugged_in(opener: Opener<'_>, devices: &[Device]) -> Failure {
    let (whose, code) = match opener {
        Opener::Any | Opener::TheOnly | Opener::AnyBut(_) => {
            return Failure::new(exit::NO, stranger_text(devices))
                .hint("plug in an enrolled key, or open the log as a reader with --identity FILE");
        }
        Opener::Of(owner) => (format!("no key of {owner}"), exit::ABSENT),
        Opener::Key(key) => (format!("no {key}"), exit::ABSENT),
    };
    let others = match devices {
        [one] => format!("{} ({}) is another key", one.id, device::product(one)),
        many => format!("the {} keys plugged in are others", many.len()),
    };
    Failure::new(code, format!("{whose} is plugged in: {others}")).hint("plug it in")
}

/// The failure of not having found a key (`absent`) while some couldn't be asked.
pub fn couldnt_ask(absent: &str, devices: &[Device]) -> Failure {
    let names: Vec<String> = devices.iter().map(|device| device.id.to_string()).collect();
    let message = format!("{absent} was found, and {} couldn't be asked", names.join(", "));
    Failure::new(exit::ABSENT, message).hint("unplug it and plug it in again, and try once more")
}

/// The key that a hint is about.
pub fn name_of(hint: &IdentityHint) -> KeyName {
    KeyName { owner: hint.custodian.clone(), label: hint.slot.clone() }
}

pub fn named(hints: &[IdentityHint]) -> Result<KeyName, Failure> {
    hints.first().map(name_of).ok_or_else(none_plugged_in)
}

/// What is said of devices none of which is enrolled.
pub fn stranger_text(devices: &[Device]) -> String {
    match devices {
        [one] => format!("{} ({}) isn't enrolled in this vault", one.id, device::product(one)),
        many => {
            format!("none of the {} security keys plugged in is enrolled in this vault", many.len())
        }
    }
}

/// Opens a custodian's identity with their key: one touch. Where several files name the
/// key's credential, the newest that opens counts.
fn open_identity(
    context: &Context,
    keys: &mut dyn Authenticator,
    key: &ChosenKey,
    location: &Location,
    hints: &[IdentityHint],
    purpose: &str,
) -> Result<(PersonalIdentity, IdentityHint), Failure> {
    let mut refusal = None;
    for hint in hints.iter().take(MAX_FILES) {
        let path = location.layout.identity(&hint.custodian, &hint.slot, hint.generation);
        let shown = location.layout.shown(&path);
        let closed = |error: &(dyn std::error::Error + 'static)| {
            Failure::because(exit::NO, format!("{shown} can't be opened with {}", key.name), error)
        };
        let read = read_bounded(&path, MAX_FILE).map_err(Failure::from).and_then(|file| {
            let nonce = fido2prf::nonce_of(&file).map_err(|error| closed(&error))?;
            Ok((file, nonce))
        });
        let (file, nonce) = match read {
            Ok(read) => read,
            Err(failure) => {
                refusal.get_or_insert(failure);
                continue;
            }
        };
        let request = GetHmacSecret {
            application: hint.application.clone(),
            credential: hint.credential.clone(),
            salts: fido2prf::salts(nonce),
        };
        let output = key.hmac_secret(context, keys, &request, purpose)?;
        let vault = location.id.to_string();
        let expected = IdentityName {
            vault: &vault,
            custodian: hint.custodian.as_str(),
            generation: hint.generation,
        };
        match PersonalIdentity::open_with_key(&file, &output, &expected) {
            Ok(identity) => return Ok((identity, hint.clone())),
            Err(error) => {
                refusal.get_or_insert(closed(&error));
            }
        }
    }
    let refusal = refusal.unwrap_or_else(none_plugged_in);
    if hints.len() < 2 {
        return Err(refusal);
    }
    let names: Vec<String> = hints
        .iter()
        .take(8)
        .map(|hint| format!("{}.{}.{}.identity", hint.custodian, hint.slot, hint.generation))
        .collect();
    Err(refusal.hint(format!(
        "{} files name this key's credential ({}): remove those that don't belong",
        hints.len(),
        names.join(", ")
    )))
}
