//! A command's hold on a vault: opened with a reader's identity or with a custodian's key,
//! held against what this machine remembers, and loud about whatever is wrong.

use std::path::Path;
use std::time::{Duration, Instant};

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::given_out::GivenOut;
use super::machine;
use super::output::{Answer, HeadView};
use super::prompt::Question;
use super::unlock::{Opener, Unlocked, name_of, supposed_realm, unlock};
use super::words;
use crate::key::identify::{EnrolledKey, Identity, identify};
use crate::key::{Authenticator, Device, DeviceId};
use crate::log::Head;
use crate::record::{Digest, Handle, KeyName, Realm, State};
use crate::vault::{
    AgeIdentity, Layout, Location, Lock, LockError, Memory, OpenVault, Remembered, open_records,
};
use crate::webauthn::CredentialId;

/// How long another writer is waited for: as long as a key waits for a touch.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a wait is that nobody need be told of; and Ctrl-C ends any wait after as long.
const MOMENT: Duration = Duration::from_millis(200);

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
    /// The vault's lock, where it is held before an entry is made.
    pub lock: Option<Lock>,
    /// Whether people are at it for long: a key may sit by now where another was.
    pub is_long: bool,
}

/// How many copies of identities are passed over: each costs a touch.
const MAX_PASSED_OVER: usize = 4;
/// The memory of the heads that were given out.
const GIVEN_OUT: &str = "given-out";
/// The folder with the heads from elsewhere that this machine was told to remember.
pub const TOLD: &str = "told";
/// How many damaged files are named before anything else is said.
const MAX_DAMAGE_TOLD: usize = 10;

/// Whether the log names the copy that was opened.
fn names(vault: &OpenVault, unlocked: &Unlocked) -> bool {
    let sealed = vault.state().identities().get(&unlocked.name);
    sealed.is_some_and(|sealed| sealed.sealing.generation == unlocked.generation)
}

fn unnamed(unlocked: &Unlocked) -> Failure {
    let (name, number) = (&unlocked.name, unlocked.generation);
    Failure::new(exit::NO, format!("no entry names copy {number} of what {name} opens"))
        .hint("keymuster log verify --identity FILE names such files: once no other keymuster is at work, remove them")
}

fn outdated(unlocked: &Unlocked, vault: &OpenVault) -> Failure {
    let (name, last) = (&unlocked.name, vault.head().number);
    let file = vault.closed_by().unwrap_or("the newest records");
    let message = format!(
        "{name} opens the log up to entry {last} only, and not {file}: it holds an identity from \
         before a re-key, or its owner has left, or that file was changed"
    );
    Failure::new(exit::NO, message).hint(
        "use another key of theirs; keymuster vault rekey --new-identity brings this one up to date, \
         plugged in beside it",
    )
}

/// Locks a vault for writing. Whoever has to wait is told so, and Ctrl-C ends the wait.
pub fn lock(context: &Context, layout: &Layout) -> Result<Lock, Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        match Lock::take(layout, MOMENT) {
            Err(LockError::Held) if Instant::now() < deadline => {
                context.check_interrupted()?;
                if !told {
                    let most = PATIENCE.as_secs();
                    context.terminal.say(&format!(
                        "Another keymuster is writing to this vault; waiting for it, {most} s at most."
                    ));
                }
                told = true;
            }
            other => return Ok(other?),
        }
    }
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

/// What this machine remembers of a vault. Asked before the log is read: another command may
/// append an entry and remember it at any moment, and only a log that is read later has it.
fn recall(context: &Context, location: &Location) -> Result<Option<Memory>, Failure> {
    Ok(context.memory()?.recall(&location.id)?)
}

impl<'a> Session<'a> {
    /// Opens the vault for reading: with the identity in `--identity`, or with the one that this
    /// machine keeps, or with a custodian's key (one touch).
    pub fn open(context: &'a Context) -> Result<Self, Failure> {
        match Self::open_without_key(context)? {
            Some(session) => Ok(session),
            None => Self::open_with_key(context, Opener::Any, None),
        }
    }

    /// The same where that takes no touch.
    pub fn open_without_key(context: &'a Context) -> Result<Option<Self>, Failure> {
        if let Some(identities) = context.reader_identities()? {
            return Self::open_as_reader(context, &identities).map(Some);
        }
        let Ok(location) = locate(context) else { return Ok(None) };
        let Some(identity) = machine::identity(context, &location.id)? else { return Ok(None) };
        let known = recall(context, &location)?;
        match open_records(location.clone(), &[&identity]) {
            Ok(vault) if vault.fault().is_none() => {
                let root = location.layout.root();
                let keys = context.keys(vault.state().realm(), Some(root))?;
                let session =
                    Self { context, vault, keys, unlocked: None, lock: None, is_long: false };
                session.greeted(known).map(Some)
            }
            // It may not be a reader yet, or no more: a key tells what is so.
            _ => Ok(None),
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
        let known = recall(context, &location)?;
        let vault = open_records(location, &identities)?;
        let keys = context.keys(vault.state().realm(), Some(&root))?;
        Self { context, vault, keys, unlocked: None, lock: None, is_long: false }.greeted(known)
    }

    /// Opens the vault with a custodian's key, which opens their identity: one touch.
    /// `aside` is a device that isn't asked, since it is meant for something else.
    pub fn open_with_key(
        context: &'a Context,
        opener: Opener<'_>,
        aside: Option<&DeviceId>,
    ) -> Result<Self, Failure> {
        let location = locate(context)?;
        let root = location.layout.root().to_owned();
        let realm = supposed_realm(&location.layout.identity_hints()?)?;
        let mut keys = context.keys(realm, Some(&root))?;
        // A copy that no entry names was left by a command that was cut short; one that opens
        // no more than a part of the log is from before a re-key. Others may do.
        let mut passed_over: Vec<(KeyName, u32)> = Vec::new();
        let mut refusal: Option<Failure> = None;
        let mut owner: Option<Handle> = None;
        loop {
            let opener = match (&owner, opener) {
                (Some(owner), Opener::Any | Opener::AnyBut(_)) => Opener::Of(owner),
                _ => opener,
            };
            let asked = unlock(context, keys.as_mut(), &location, opener, aside, &passed_over);
            let unlocked = match (asked, refusal.take()) {
                (Err(failure), Some(_)) if failure.exit == exit::INTERRUPTED => {
                    return Err(failure);
                }
                (Err(_), Some(refusal)) => return Err(refusal),
                (asked, _) => asked?,
            };
            let known = recall(context, &location)?;
            // An older copy of the same key's may open what this one doesn't.
            let mut others = location.layout.identity_hints()?.into_iter().filter(|hint| {
                name_of(hint) == unlocked.name && hint.generation < unlocked.generation
            });
            let failure = match open_records(location.clone(), &[unlocked.identity.key()]) {
                Ok(vault) if vault.state().realm() != realm => {
                    return Err(unnamed(&unlocked));
                }
                Ok(vault) if vault.closed_by().is_some() => {
                    // Another key of the same person's may be up to date.
                    owner.get_or_insert_with(|| unlocked.name.owner.clone());
                    outdated(&unlocked, &vault)
                }
                Ok(vault) if vault.fault().is_none() && !names(&vault, &unlocked) => {
                    unnamed(&unlocked)
                }
                Ok(vault) => {
                    let unlocked = Some(unlocked);
                    return Self { context, vault, keys, unlocked, lock: None, is_long: false }
                        .greeted(known);
                }
                Err(error) if others.next().is_some() => Failure::from(error),
                Err(error) => return Err(refusal.unwrap_or(Failure::from(error))),
            };
            if passed_over.len() >= MAX_PASSED_OVER {
                return Err(failure);
            }
            context.terminal.say(&format!("Passing over a copy: {}.", failure.message));
            refusal.get_or_insert(failure);
            passed_over.push((unlocked.name, unlocked.generation));
        }
    }

    /// The same for a command that appends. It has the vault's lock from before its first
    /// touch on: no touch is wasted on a vault that somebody else is writing to, nor on a
    /// decision that somebody else's entry overturns.
    pub fn open_to_write(
        context: &'a Context,
        opener: Opener<'_>,
        aside: Option<&DeviceId>,
    ) -> Result<Self, Failure> {
        let layout = locate(context)?.layout;
        let lock = lock(context, &layout)?;
        layout.check_writable()?;
        let session = Self::open_with_key(context, opener, aside)?;
        Ok(Self { lock: Some(lock), ..session })
    }

    /// Has a new key among the keys: in a demo vault, a blank software key is plugged in too.
    pub fn take_blank(&mut self) -> Result<(), Failure> {
        let root = self.vault.location().layout.root().to_owned();
        self.keys = self.context.keys_with_blank(self.state().realm(), &root)?;
        Ok(())
    }

    /// Compares with what this machine remembers, and says aloud what is wrong.
    fn greeted(self, known: Option<Memory>) -> Result<Self, Failure> {
        let say = |line: &str| self.context.terminal.say(line);
        if self.vault.state().realm() == Realm::Demo {
            self.context.tell_demo();
        }
        if let Some(succeeds) = self.vault.state().succeeds() {
            say(&format!("SUCCESSOR: {}.", words::succeeds(succeeds)));
        }
        if let (Some(fault), Some(file)) = (self.vault.fault(), self.vault.closed_by()) {
            say(&format!(
                "CLOSED LOG: what was written from entry {} on isn't open to this identity, since \
                 {file} isn't: it was removed or replaced, or that file was.",
                fault.entry
            ));
        } else if let Some(fault) = self.vault.fault() {
            say(&format!("FAULTY LOG: {fault}."));
            say(&format!(
                "What follows is as of entry {}, the last sound one.",
                self.vault.head().number
            ));
        }
        for damage in self.vault.damage().iter().take(MAX_DAMAGE_TOLD) {
            say(&format!("DAMAGED VAULT: {damage}."));
        }
        let more = self.vault.damage().len().saturating_sub(MAX_DAMAGE_TOLD);
        if more > 0 {
            say(&format!("DAMAGED VAULT: and {more} more files; keymuster vault show names all."));
        }
        for (name, run) in self.vault.state().drills().iter().filter(|(_, run)| run.is_open()) {
            let since = run.started.time;
            say(&format!("DRILL UNDER WAY: {name}, since {since} (keymuster drill status)."));
        }
        // A long log takes a while to open.
        self.context.check_interrupted()?;
        self.compare_with_memory(known)?;
        Ok(self)
    }

    fn compare_with_memory(&self, known: Option<Memory>) -> Result<(), Failure> {
        self.compare_with_told()?;
        let met = |fingerprint| self.context.has_met(&fingerprint);
        let confirmed = self.compare_with_flag()? || self.vault.fingerprint().is_some_and(met);
        let beyond_fault =
            |head: &Head| self.vault.fault().is_some() && head.number > self.vault.head().number;
        match Remembered::of(known, self.vault.links()) {
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
                .hint(
                    "compare the output of keymuster log head with the other custodians' before you go on; if \
                     that entry was yours and this copy was first, go back to yours (git reflog) and run \
                     keymuster log yield there",
                ));
            }
        }
        // A faulty log's sound part may be what an attacker left of it.
        if self.vault.fault().is_none() {
            // It has been compared, and what it was opened for needs nothing more.
            self.try_to_remember(|why| {
                format!(
                    "This machine couldn't remember this head: {why}; a tail that is cut off later \
                     may go unnoticed."
                )
            });
        }
        Ok(())
    }

    /// Holds the log against the head that this machine was told to remember, if any.
    fn compare_with_told(&self) -> Result<(), Failure> {
        let memory = self.context.memory_of(TOLD)?;
        let told = memory.recall(&self.vault.location().id)?;
        let own = self.vault.head().number;
        let message = match Remembered::of(told, self.vault.links()) {
            Remembered::Never | Remembered::Contained | Remembered::AnotherVault => return Ok(()),
            Remembered::Shorter(_) if self.vault.fault().is_some() => return Ok(()),
            Remembered::Shorter(head) => format!(
                "this copy of the vault ends at entry {own}, and this machine was told to remember the \
                 head of entry {}: its tail was cut off, or it is an old copy",
                head.number
            ),
            Remembered::Different(head) => format!(
                "entry {} of this copy isn't the one whose head this machine was told to remember: the \
                 log was replaced, or two copies went separate ways",
                head.number
            ),
        };
        let file = memory.file(&self.vault.location().id);
        Err(Failure::new(exit::NO, message).hint(format!(
            "get the current copy (git pull, backup); if that head was wrong, remove {}",
            file.display()
        )))
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
            self.context.note_met(fingerprint);
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

    /// The answer where there was nothing to record.
    pub fn nothing_changed(&self) -> Answer {
        let head = HeadView::from(&self.vault.head());
        let view = serde_json::json!({ "head": head });
        Answer::new("nothing-changed", &view, "It is so already.\n".to_owned())
    }

    /// The exit code of an answer read from this vault: no, if it is faulty.
    pub fn exit(&self) -> u8 {
        let sound = self.vault.fault().is_none() && self.vault.damage().is_empty();
        if sound { exit::DONE } else { exit::NO }
    }

    /// The keys on record that `fit`, as [`identify`] takes them.
    pub fn known_keys(&self, fit: impl Fn(&KeyName) -> bool) -> Vec<EnrolledKey<KeyName>> {
        let public_keys = self.vault.replay().public_keys();
        let keys = self.state().keys().iter().filter(|(name, _)| fit(name));
        keys.filter_map(|(name, key)| {
            Some(EnrolledKey {
                name: name.clone(),
                credential: CredentialId::new(key.enrolment.credential.0.clone())?,
                public_key: public_keys.get(name)?.clone(),
            })
        })
        .collect()
    }

    /// The same among some keys.
    pub fn identify_among(
        &mut self,
        device: &Device,
        known: &[EnrolledKey<KeyName>],
    ) -> Result<Identity<KeyName>, Failure> {
        // A vault that is being founded has no realm yet. Its founder's key has.
        let realm = self.state().realm().signing_application();
        let application = known.first().map_or(realm, |known| known.public_key.application());
        let challenge = self.context.random()?;
        Ok(identify(self.keys.as_mut(), &device.id, application, known, challenge)?)
    }

    /// Which key on record a device is, whether or not it may sign still. No touch.
    pub fn identify(&mut self, device: &Device) -> Result<Identity<KeyName>, Failure> {
        let known = self.known_keys(|_| true);
        self.identify_among(device, &known)
    }

    /// Remembers the head of an entry that was made durable. That it can't be remembered
    /// is no reason to call the entry a failure: it is told.
    pub fn remember(&self) {
        self.try_to_remember(|why| {
            format!("The entry is recorded, but this machine couldn't remember its head: {why}.")
        });
    }

    /// The head, to be given out and kept elsewhere; none of a log that is faulty.
    pub fn giving_out(&self) -> Option<GivenOut> {
        self.giving_out_at(self.vault.head().number)
    }

    /// The same, of the head as it was after an entry.
    pub fn giving_out_at(&self, number: u64) -> Option<GivenOut> {
        let memory = self.context.memory_of(GIVEN_OUT).ok()?;
        let links = self.vault.links().get(..=usize::try_from(number).ok()?)?.to_vec();
        let vault = self.vault.location().id;
        self.vault.fault().is_none().then_some(GivenOut::new(memory, vault, links))
    }

    /// The number of the last head that was given out from this machine, as far as that is known.
    pub fn given_out(&self) -> Option<u64> {
        let memory = self.context.memory_of(GIVEN_OUT).ok()?;
        let known = memory.recall(&self.vault.location().id).ok().flatten();
        let contained = Remembered::of(known, self.vault.links()) == Remembered::Contained;
        known.filter(|_| contained).map(|known| known.head.number)
    }

    /// Remembers the head, or says why it couldn't.
    fn try_to_remember(&self, told: impl FnOnce(&str) -> String) {
        let remembered = self.context.memory().and_then(|memory| {
            memory.remember(&self.vault.location().id, self.vault.links()).map_err(Failure::from)
        });
        if let Err(failure) = remembered {
            let why = failure.sentence();
            self.context.terminal.say(&told(&why));
        }
    }
}

fn other_fingerprint(fingerprint: &Digest) -> Failure {
    let message = format!("the vault's fingerprint is {fingerprint}, not the one expected");
    Failure::new(exit::NO, message)
        .hint("ask where this copy comes from; it may be another vault, or a forged one")
}
