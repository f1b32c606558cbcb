//! A command's hold on a vault: opened with a reader's identity or with a custodian's key,
//! held against what this machine remembers, and loud about whatever is wrong.

use std::path::Path;

use super::context::Context;
use super::device::{self, ChosenKey, Signer, candidates, none_plugged_in, too_many};
use super::exit;
use super::failure::Failure;
use super::prompt::Question;
use crate::key::identify::{Claim, EnrolledKey, Identity, hint, identify};
use crate::key::{Authenticator, Device, DeviceId, GetHmacSecret};
use crate::log::Head;
use crate::record::{Digest, Event, Handle, KeyName, Realm, Stamp, State};
use crate::vault::fido2prf;
use crate::vault::{
    AgeIdentity, IdentityHint, IdentityName, Location, Lock, MAX_FILE, NewFile, OpenVault,
    PersonalIdentity, Remembered, open_records, read_bounded,
};
use crate::webauthn::CredentialId;

/// How long another writer is waited for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// An open vault, the keys that go with it, and who opened it.
pub struct Session<'a> {
    /// The world.
    pub context: &'a Context,
    /// The vault.
    pub vault: OpenVault,
    /// The keys.
    pub keys: Box<dyn Authenticator>,
    /// The custodian's key that opened it, if a key did.
    pub unlocked: Option<Unlocked>,
}

/// Which of the plugged-in keys is to open the vault.
#[derive(Clone, Copy, Debug)]
pub enum Opener<'a> {
    /// Any that can.
    Any,
    /// Any of this custodian's.
    Of(&'a Handle),
    /// This one.
    Key(&'a KeyName),
    /// The only one that can: what comes next is about that key.
    TheOnly,
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
}

/// The vault that the flags name, or the nearest one.
pub fn locate(context: &Context) -> Result<Location, Failure> {
    match &context.globals.vault {
        // Somebody who names the file means its folder.
        Some(path) if path.ends_with("vault.toml") && path.is_file() => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Ok(Location::at(folder.unwrap_or(Path::new(".")))?)
        }
        Some(folder) => Ok(Location::at(folder)?),
        None => {
            let here = std::env::current_dir().map_err(|error| {
                Failure::because(exit::FAILED, "the current folder can't be told", &error)
            })?;
            Ok(Location::find(&here)?)
        }
    }
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

impl<'a> Session<'a> {
    /// Opens the vault with the identity in `--identity` or, without that flag, with a
    /// custodian's key (one touch).
    pub fn open(context: &'a Context) -> Result<Self, Failure> {
        match context.reader_identities()? {
            Some(identities) => Self::open_as_reader(context, &identities),
            None => Self::open_with_key(context, Opener::Any, None),
        }
    }

    /// Opens the vault with a reader's identity: no touch.
    pub fn open_as_reader(
        context: &'a Context,
        identities: &[AgeIdentity],
    ) -> Result<Self, Failure> {
        let location = locate(context)?;
        let root = location.layout.root().to_owned();
        let identities: Vec<&AgeIdentity> = identities.iter().collect();
        let vault = open_records(location, &identities)?;
        let keys = context.keys(vault.state().realm(), Some(&root))?;
        Self { context, vault, keys, unlocked: None }.greeted()
    }

    /// Opens the vault with a custodian's key, which opens their identity: one touch.
    /// `aside` is a device that isn't asked, since it is meant for something else.
    pub fn open_with_key(
        context: &'a Context,
        opener: Opener<'_>,
        aside: Option<&DeviceId>,
    ) -> Result<Self, Failure> {
        let location = locate(context)?;
        let mut hints = location.layout.identity_hints()?;
        let realm = supposed_realm(&hints)?;
        let known = hints.clone();
        hints.retain(|hint| {
            hint.application == realm.unlocking_application()
                && match opener {
                    Opener::Any | Opener::TheOnly => true,
                    Opener::Of(owner) => hint.custodian == *owner,
                    Opener::Key(key) => hint.custodian == key.owner && hint.slot == key.label,
                }
        });
        let mut keys = context.keys(realm, Some(location.layout.root()))?;
        if hints.is_empty() {
            return Err(nobody_opens(opener, &known));
        }
        let devices = match aside {
            Some(aside) => keys.devices()?.into_iter().filter(|d| d.id != *aside).collect(),
            None => candidates(context, keys.as_mut())?,
        };
        if let (true, Some(aside)) = (devices.is_empty(), aside) {
            let message = format!("no enrolled key is plugged in beside {aside}, the new one");
            return Err(Failure::new(exit::ABSENT, message)
                .hint("plug in a key that is enrolled too: it opens the vault and signs"));
        }
        let (device, hints) = find_unlocking(context, keys.as_mut(), devices, &hints, opener)?;
        let name = named(&hints)?;
        let key = ChosenKey::new(keys.as_mut(), device, name.to_string())?;
        let (identity, hint) = unlock(context, keys.as_mut(), &key, &location, &hints)?;
        let identities: Vec<&AgeIdentity> = identity.identities().collect();
        let vault = open_records(location, &identities)?;
        let sealed = vault.state().identities().get(&name_of(&hint));
        let named = sealed.is_some_and(|sealed| sealed.sealing.generation == hint.generation);
        if vault.state().realm() != realm || (!named && vault.fault().is_none()) {
            return Err(Failure::new(
                exit::NO,
                format!("{} opened the vault with an identity file that no entry names", key.name),
            )
            .hint("keymuster log verify --identity FILE names such files: remove them"));
        }
        let name = name_of(&hint);
        let unlocked = Some(Unlocked { name, key, identity });
        Self { context, vault, keys, unlocked }.greeted()
    }

    /// Compares with what this machine remembers, and says aloud what is wrong.
    fn greeted(self) -> Result<Self, Failure> {
        let say = |line: &str| self.context.terminal.say(line);
        if self.vault.state().realm() == Realm::Demo {
            self.context.tell_demo();
        }
        if let Some(fault) = self.vault.fault() {
            say(&format!("FAULTY LOG: {fault}."));
            say(&format!(
                "What follows is as of entry {}, the last sound one.",
                self.vault.head().number
            ));
        }
        for damage in self.vault.damage() {
            say(&format!("DAMAGED VAULT: {damage}."));
        }
        self.compare_with_memory()?;
        Ok(self)
    }

    fn compare_with_memory(&self) -> Result<(), Failure> {
        let confirmed = self.compare_with_flag()?;
        let memory = self.context.memory()?;
        let location = self.vault.location();
        let beyond_fault =
            |head: &Head| self.vault.fault().is_some() && head.number > self.vault.head().number;
        match memory.compare(&location.id, self.vault.links())? {
            Remembered::Contained => {}
            Remembered::Never if confirmed => {}
            Remembered::Never => self.meet()?,
            Remembered::AnotherVault => {
                return Err(Failure::new(
                    exit::NO,
                    "this isn't the vault that this machine knows: it begins with another entry 1",
                )
                .hint("it was forged or founded anew under the same id; get the real one from a custodian"));
            }
            // The fault explains it; but what is shown is old, and how old is worth knowing.
            Remembered::Shorter(head) if beyond_fault(&head) => {
                let seen = head.number;
                let said =
                    format!("This machine has seen entry {seen}; what is shown is from before it.");
                self.context.terminal.say(&said);
                return Ok(());
            }
            Remembered::Shorter(head) => {
                return Err(Failure::new(
                    exit::NO,
                    format!(
                        "this copy of the vault ends at entry {}, and this machine has seen entry {}: \
                         its tail was cut off, or it is an old copy",
                        self.vault.head().number,
                        head.number
                    ),
                )
                .hint("get the current copy (git pull, backup); entries that are gone were signed and can't be made again"));
            }
            Remembered::Different(head) => {
                return Err(Failure::new(
                    exit::NO,
                    format!(
                        "entry {} of this copy isn't the one that this machine has seen: the log was \
                         replaced, or two copies went separate ways",
                        head.number
                    ),
                )
                .hint("compare the output of keymuster log head with the other custodians' before you go on"));
            }
        }
        // A faulty log's sound part may be what an attacker left of it.
        if self.vault.fault().is_none() {
            memory.remember(&location.id, self.vault.links())?;
        }
        Ok(())
    }

    /// First use on this machine: the fingerprint must come from somebody who knows it.
    fn meet(&self) -> Result<(), Failure> {
        let Some(fingerprint) = self.vault.fingerprint() else {
            return Err(Failure::new(exit::NO, "this vault's log has no sound entry"));
        };
        let text = format!(
            "This machine meets this vault for the first time. Its fingerprint is\n  {fingerprint}\n\
             Compare it with the one that a custodian tells you.\n\
             Is it the same (yes, no, or paste theirs)? "
        );
        let answer = self.context.terminal.ask(&Question {
            text: &text,
            about: "this machine meets the vault for the first time, and its fingerprint must be confirmed",
            instead: "give the fingerprint that a custodian told you with --fingerprint HEX",
        })?;
        if Question::agrees(&answer) || answer.eq_ignore_ascii_case(&fingerprint.to_string()) {
            return Ok(());
        }
        Err(other_fingerprint(&fingerprint))
    }

    /// Holds the vault against `--fingerprint`, whether or not this machine knows it.
    fn compare_with_flag(&self) -> Result<bool, Failure> {
        let Some(given) = &self.context.globals.fingerprint else { return Ok(false) };
        match self.vault.fingerprint() {
            Some(fingerprint) if fingerprint == *given => Ok(true),
            Some(fingerprint) => Err(other_fingerprint(&fingerprint)),
            None => Err(Failure::new(exit::NO, "this vault's log has no sound entry")),
        }
    }

    /// What is so.
    pub fn state(&self) -> &State {
        self.vault.state()
    }

    /// The exit code of an answer read from this vault: no, if it is faulty.
    pub fn exit(&self) -> u8 {
        let sound = self.vault.fault().is_none() && self.vault.damage().is_empty();
        if sound { exit::DONE } else { exit::NO }
    }

    /// The keys that may sign, as [`identify`] takes them.
    pub fn enrolled(&self) -> Vec<EnrolledKey<KeyName>> {
        let active =
            self.state().keys().keys().filter(|name| self.state().active_key(name).is_some());
        active
            .filter_map(|name| {
                let key = self.state().active_key(name)?;
                Some(EnrolledKey {
                    name: name.clone(),
                    credential: CredentialId::new(key.enrolment.credential.0.clone())?,
                    public_key: self.vault.replay().public_keys().get(name)?.clone(),
                })
            })
            .collect()
    }

    /// Which enrolled key a device is. No touch.
    pub fn identify(&mut self, device: &Device) -> Result<Identity<KeyName>, Failure> {
        let enrolled = self.enrolled();
        let application = self.state().realm().signing_application();
        let challenge = self.context.random()?;
        Ok(identify(self.keys.as_mut(), &device.id, application, &enrolled, challenge)?)
    }

    /// Appends an entry that each of `signers` signs, in this order, with the key at hand,
    /// and remembers its head.
    pub fn append(
        &mut self,
        signers: &[(KeyName, ChosenKey)],
        events: Vec<Event>,
        files: &[NewFile],
    ) -> Result<Stamp, Failure> {
        let stamp = self.record(signers, events, files)?;
        self.remember();
        Ok(stamp)
    }

    /// The same without remembering: for a founding, which isn't over with its entry.
    pub fn record(
        &mut self,
        signers: &[(KeyName, ChosenKey)],
        events: Vec<Event>,
        files: &[NewFile],
    ) -> Result<Stamp, Failure> {
        let lock = Lock::take(&self.vault.location().layout, PATIENCE)?;
        let names = signers.iter().map(|(name, _)| name.clone()).collect();
        let time = self.context.now()?;
        let salt = crate::record::Hex(self.context.random()?);
        let prepared =
            self.vault.prepare(lock, names, events, time, salt, &self.context.tool()?)?;
        let mut public_keys = self.vault.replay().public_keys().clone();
        public_keys.extend(prepared.enrolled().clone());
        let mut credentials: Vec<(KeyName, CredentialId)> =
            self.enrolled().into_iter().map(|key| (key.name, key.credential)).collect();
        for event in &prepared.document().events {
            if let Event::KeyEnrolled(enrolment) = event {
                let credential = CredentialId::new(enrolment.credential.0.clone());
                credentials.extend(credential.map(|id| (enrolment.key.clone(), id)));
            }
        }
        let namespace = prepared.realm().head_namespace();
        let message = prepared.head().to_string();
        let number = prepared.head().number;
        let mut signatures = Vec::with_capacity(signers.len());
        for (name, key) in signers {
            let credential = credentials.iter().find(|(known, _)| known == name);
            let (Some(public_key), Some((_, credential))) = (public_keys.get(name), credential)
            else {
                return Err(Failure::new(exit::FAILED, format!("{name} isn't enrolled")));
            };
            let signer = Signer { public_key, credential: credential.clone(), namespace };
            let last = if prepared.enrolled().contains_key(name) { " (5 of 5)" } else { "" };
            let purpose = format!("to sign entry {number}{last}");
            let keys = self.keys.as_mut();
            signatures.push(key.sign(self.context, keys, &signer, &message, &purpose)?);
        }
        self.context.check_interrupted()?;
        let committed = self.vault.commit(prepared, &signatures, files)?;
        if let Some(error) = committed.unsynced {
            self.context.tell_unsynced(&error);
        }
        Ok(Stamp { entry: committed.number, time })
    }

    /// Remembers the head of an entry that was made durable. That it can't be remembered
    /// is no reason to call the entry a failure: it is told.
    pub fn remember(&self) {
        let remembered = self.context.memory().and_then(|memory| {
            memory.remember(&self.vault.location().id, self.vault.links()).map_err(Failure::from)
        });
        if let Err(failure) = remembered {
            self.context.terminal.say(&format!(
                "The entry is recorded, but this machine couldn't remember its head: {}.",
                [vec![failure.message], failure.causes].concat().join(": ")
            ));
        }
    }
}

fn other_fingerprint(fingerprint: &Digest) -> Failure {
    let message = format!("the vault's fingerprint is {fingerprint}, not the one expected");
    Failure::new(exit::NO, message)
        .hint("ask where this copy comes from; it may be another vault, or a forged one")
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
        Opener::Any | Opener::TheOnly => Failure::new(
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
        [] if !unasked.is_empty() => Err(couldnt_ask(&unasked)),
        [] if !silent.is_empty() => Err(Failure::new(
            exit::ABSENT,
            "the security key doesn't say which key it is without a touch, so it can't be told whose identity it opens",
        )
        .hint("open the log as a reader with --identity FILE")),
        [] => Err(Failure::new(exit::NO, stranger_text(&devices)).hint(
            "plug in an enrolled key, or open the log as a reader with --identity FILE",
        )),
        many => {
            let name = |hints: &[IdentityHint]| hints.first().map(|hint| name_of(hint).to_string());
            let listed: Vec<_> =
                many.iter().map(|(device, hints)| (device.clone(), name(hints))).collect();
            Err(too_many("one is meant to open the vault", &listed))
        }
    }
}

/// The failure of having found no enrolled key while some couldn't be asked.
pub fn couldnt_ask(devices: &[Device]) -> Failure {
    let names: Vec<String> = devices.iter().map(|device| device.id.to_string()).collect();
    let message = format!("no enrolled key was found, and {} couldn't be asked", names.join(", "));
    Failure::new(exit::ABSENT, message).hint("unplug it and plug it in again, and try once more")
}

/// The key that a hint is about.
fn name_of(hint: &IdentityHint) -> KeyName {
    KeyName { owner: hint.custodian.clone(), label: hint.slot.clone() }
}

fn named(hints: &[IdentityHint]) -> Result<KeyName, Failure> {
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
fn unlock(
    context: &Context,
    keys: &mut dyn Authenticator,
    key: &ChosenKey,
    location: &Location,
    hints: &[IdentityHint],
) -> Result<(PersonalIdentity, IdentityHint), Failure> {
    let mut refusal = None;
    for hint in hints {
        let path = location.layout.identity(&hint.custodian, &hint.slot, hint.generation);
        let shown = location.layout.shown(&path);
        let closed = |error: &dyn std::error::Error| {
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
        let output = key.hmac_secret(context, keys, &request, "to open the vault")?;
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
    Err(refusal.unwrap_or_else(none_plugged_in))
}
