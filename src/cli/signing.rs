//! Having an entry signed: who must, their keys one after the other at this machine, and what
//! they sign in words before anybody touches anything.
//!
//! Who must sign is asked of [`judge`], and decided nowhere else.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::device::{ChosenKey, Signer};
use super::epochs::{check_epochs, state_after};
use super::exit;
use super::failure::Failure;
use super::key::prove;
use super::output::{Answer, HeadView};
use super::prompt::Question;
use super::session::{Session, lock};
use super::unlock::{Opener, unlock_with};
use super::words::{in_words, one_of};
use crate::key::Device;
use crate::key::identify::{EnrolledKey, Identity, identify};
use crate::record::authority::{Unauthorised, judge, may_sign};
use crate::record::{Event, Handle, Hex, KeyName, Stamp, State, UnfitValue};
use crate::vault::{AgeIdentity, CompartmentIdentity, Lock, NewFile, PersonalIdentity, Prepared};
use crate::webauthn::CredentialId;

/// What an entry is to say, and the files that it names.
#[derive(Debug, Default)]
pub struct Change {
    /// The events.
    pub events: Vec<Event>,
    /// The files.
    pub files: Vec<NewFile>,
    /// The compartment `records` with its new epoch, where the entry opens one.
    pub records: Option<CompartmentIdentity>,
}

impl Change {
    /// One event, which names no file.
    pub fn of(event: Event) -> Self {
        Self { events: vec![event], ..Self::default() }
    }
}

/// A key that is to sign, with its owner's identity where that is open.
#[derive(Debug)]
pub struct Cosigner {
    /// Its name.
    pub name: KeyName,
    /// The device.
    pub key: ChosenKey,
    /// What it opened.
    pub identity: Option<PersonalIdentity>,
}

/// An entry that was recorded.
#[derive(Debug)]
pub struct Decided {
    /// Where in the log.
    pub at: Stamp,
    /// Who signed it, in their order.
    pub signers: Vec<KeyName>,
}

/// What is answered about an entry that was just recorded.
#[derive(Serialize)]
struct RecordedView {
    entry: u64,
    time: String,
    signers: Vec<String>,
    events: Vec<&'static str>,
    head: HeadView,
}

impl Decided {
    /// What is answered about it, after these words.
    pub fn answer(&self, session: &Session<'_>, words: String) -> Answer {
        let entries = session.vault.entries();
        let events = entries.last().map(|entry| entry.document().events.as_slice());
        let view = RecordedView {
            entry: self.at.entry,
            time: self.at.time.to_string(),
            signers: self.signers.iter().map(ToString::to_string).collect(),
            events: events.unwrap_or_default().iter().map(Event::kind).collect(),
            head: (&session.vault.head()).into(),
        };
        Answer::new("recorded", &view, words + &self.sentence()).recording(self.at.entry)
    }

    /// `Recorded entry 7, signed by alice/primary and bob/primary.`
    pub fn sentence(&self) -> String {
        let signers: Vec<String> = self.signers.iter().map(ToString::to_string).collect();
        format!("Recorded entry {}, signed by {}.\n", self.at.entry, signers.join(" and "))
    }
}

/// Whose key has to sign beside those at hand.
enum Wanted {
    Key(KeyName),
    Of(Handle),
    Another,
}

impl Session<'_> {
    /// The key that opened the vault, as the first to sign.
    pub fn opener(&mut self) -> Result<Cosigner, Failure> {
        let unlocked = self.unlocked.take().ok_or_else(|| {
            Failure::new(exit::FAILED, "the vault was opened without a key, which is a bug")
        })?;
        let name = prove(self, &unlocked.key.device, Some(&unlocked.name))?;
        Ok(Cosigner { name, key: unlocked.key, identity: Some(unlocked.identity) })
    }

    /// Finds whoever else must sign these events beside `signers`, before anybody touches
    /// anything. Keys of others are asked for one after the other; `by` says whose, where
    /// several are plugged in.
    pub fn gather(
        &mut self,
        events: &[Event],
        mut signers: Vec<Cosigner>,
        by: &[By],
    ) -> Result<Vec<Cosigner>, Failure> {
        for Cosigner { name, .. } in &signers {
            // A key that isn't known yet is the one that is enrolled.
            if self.state().keys().contains_key(name) {
                self.check_able(|key| key == name, name, events)?;
            }
        }
        for by in by {
            self.check_able(|key| by.means(key), by, events)?;
        }
        while let Some(wanted) = self.missing(events, &signers)? {
            let next = self.find_cosigner(&wanted, events, &signers, by)?;
            signers.push(next);
        }
        Ok(signers)
    }

    /// Fails if none of the keys that are `meant` may sign: whoever was named isn't replaced by
    /// somebody else without a word.
    fn check_able(
        &self,
        meant: impl Fn(&KeyName) -> bool,
        named: &impl ToString,
        events: &[Event],
    ) -> Result<(), Failure> {
        let (state, named) = (self.state(), named.to_string());
        let keys: Vec<_> = state.keys().iter().filter(|(name, _)| meant(name)).collect();
        if keys.iter().any(|(name, _)| may_sign(state, name, events)) {
            return Ok(());
        }
        let failure = match keys.first() {
            None => Failure::new(exit::USAGE, format!("no key of {named} is enrolled")),
            Some((name, key)) => {
                let is = key.state.word();
                Failure::new(exit::NO, format!("{name} is {is}, and may not sign this"))
            }
        };
        let hint = format!("name another key with --by; {}", self.why_nobody_else());
        Err(failure.hint(hint))
    }

    /// Has a change signed by those who were gathered for it, and appends it.
    pub fn decide(
        &mut self,
        mut signers: Vec<Cosigner>,
        change: Change,
    ) -> Result<Decided, Failure> {
        let names: Vec<KeyName> = signers.iter().map(|signer| signer.name.clone()).collect();
        self.tell(&names, &change.events)?;
        self.check_by_countersigners(&change, &mut signers)?;
        let signers: Vec<_> = signers.into_iter().map(|signer| (signer.name, signer.key)).collect();
        let decided = Decided { at: self.record(&signers, change)?, signers: names };
        self.remember();
        Ok(decided)
    }

    /// Who must sign beside those who do.
    fn missing(&self, events: &[Event], signers: &[Cosigner]) -> Result<Option<Wanted>, Failure> {
        let names: Vec<KeyName> = signers.iter().map(|signer| signer.name.clone()).collect();
        for event in events {
            let Err(missing) = judge(event, self.state(), &names) else { continue };
            let wanted = match &missing {
                Unauthorised::NotTheKey { key, .. } => Wanted::Key(key.clone()),
                Unauthorised::NotBy { custodian, .. } => Wanted::Of(custodian.clone()),
                Unauthorised::TooFew { .. } | Unauthorised::Overruled { .. } => Wanted::Another,
                _ => return Err(refused(&missing)),
            };
            if self.who_could(&wanted, events, signers).is_empty() {
                return Err(refused(&missing).hint(self.why_nobody_else()));
            }
            return Ok(Some(wanted));
        }
        Ok(None)
    }

    /// The keys that would help.
    fn who_could(&self, wanted: &Wanted, events: &[Event], signers: &[Cosigner]) -> Vec<KeyName> {
        let state = self.state();
        let signs: BTreeSet<&Handle> = signers.iter().map(|signer| &signer.name.owner).collect();
        let helps = |name: &&KeyName| {
            may_sign(state, name, events)
                && match wanted {
                    Wanted::Key(key) => *name == key,
                    Wanted::Of(owner) => name.owner == *owner,
                    Wanted::Another => !signs.contains(&name.owner),
                }
        };
        state.keys().keys().filter(helps).cloned().collect()
    }

    /// Each custodian's keys and why they may or may not sign.
    fn why_nobody_else(&self) -> String {
        let state = self.state();
        let told = state.custodians().keys().map(|who| {
            let own = state.keys().iter().filter(|(name, _)| name.owner == *who);
            let keys: Vec<String> =
                own.map(|(name, key)| format!("{} {}", name.label, key.state.word())).collect();
            let keys = if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") };
            format!("{who}: {keys}")
        });
        format!("who could sign: {}", told.collect::<Vec<_>>().join("; "))
    }

    /// Finds one that is plugged in, or has it plugged in.
    fn find_cosigner(
        &mut self,
        wanted: &Wanted,
        events: &[Event],
        signers: &[Cosigner],
        by: &[By],
    ) -> Result<Cosigner, Failure> {
        let mut could = self.who_could(wanted, events, signers);
        if by.iter().any(|by| could.iter().any(|name| by.means(name))) {
            could.retain(|name| by.iter().any(|by| by.means(name)));
        }
        loop {
            let (found, others) = self.plugged_in(&could, signers)?;
            if let Some((name, device)) = found.into_iter().next() {
                let too = if signers.is_empty() { "" } else { " too" };
                self.context.terminal.say(&format!("{name} signs{too}."));
                let key = ChosenKey::new(self.keys.as_mut(), device, name.to_string())?;
                return Ok(Cosigner { name, key, identity: None });
            }
            let owners: BTreeSet<&Handle> = could.iter().map(|name| &name.owner).collect();
            let owners: Vec<&Handle> = owners.into_iter().collect();
            let whose = match (wanted, could.as_slice()) {
                (Wanted::Key(name), _) | (_, [name]) => name.to_string(),
                _ => format!("a key of {}", one_of(&owners)),
            };
            for (name, owner) in others {
                let said = format!("{name} is plugged in, and {owner} signs already.");
                self.context.terminal.say(&said);
            }
            let about = format!("{whose} must sign too, and isn't plugged in");
            self.context.terminal.ask(&Question {
                text: &format!("Now {whose} must sign too. Plug it in and press Enter: "),
                about: &about,
                instead: &format!("plug in {whose} beside the other key"),
            })?;
        }
    }

    /// Of the keys that would help, those that are plugged in; and the names of others that
    /// are, which belong to who signs already.
    #[expect(clippy::type_complexity, reason = "two lists of pairs, taken apart at once")]
    fn plugged_in(
        &mut self,
        could: &[KeyName],
        signers: &[Cosigner],
    ) -> Result<(Vec<(KeyName, Device)>, Vec<(KeyName, Handle)>), Failure> {
        let known = self.known_keys(|_| true);
        let mut found = Vec::new();
        let mut others = Vec::new();
        let used: Vec<_> = signers.iter().map(|signer| signer.key.device.id.clone()).collect();
        for device in self.keys.devices()? {
            match self.identify_among(&device, &known) {
                Ok(Identity::This(name)) if could.contains(&name) => found.push((name, device)),
                Ok(Identity::This(name)) if !used.contains(&device.id) => {
                    let owner = name.owner.clone();
                    if signers.iter().any(|signer| signer.name.owner == owner) {
                        others.push((name, owner));
                    }
                }
                Ok(Identity::WontSay) if !used.contains(&device.id) => {
                    // Its signature will tell.
                    if let [only] = could {
                        found.push((only.clone(), device));
                    }
                }
                Ok(_) => {}
                Err(failure) => self.pass_over(&device, failure)?,
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok((found, others))
    }

    /// Has everybody who signs open the compartments that are sealed anew: those whose
    /// identity is open do so at once; a countersigner's key opens it, by a touch.
    fn check_by_countersigners(
        &mut self,
        change: &Change,
        signers: &mut [Cosigner],
    ) -> Result<(), Failure> {
        let may_open = |who: &Handle| {
            change.events.iter().any(|event| match event {
                Event::CompartmentSealed(sealed) => sealed.members.contains(who),
                _ => false,
            })
        };
        let location = self.vault.location().clone();
        // Who signs for their own leaving opens nothing new.
        for signer in signers.iter_mut().filter(|signer| may_open(&signer.name.owner)) {
            if signer.identity.is_none() {
                let known = self.state().identities().get(&signer.name);
                let generation = known.map_or(0, |known| known.sealing.generation);
                let (copy, key) = ((&signer.name, generation), &signer.key);
                let purpose = "to open what is sealed anew, as a check";
                let keys = self.keys.as_mut();
                let identity = unlock_with(self.context, keys, &location, copy, key, purpose)?;
                signer.identity = Some(identity);
            }
            if let Some(identity) = &signer.identity {
                let identities: Vec<&AgeIdentity> = identity.identities().collect();
                let sealings = self.state().sealings();
                check_epochs(&location, sealings, change, &signer.name, &identities)?;
            }
        }
        Ok(())
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

    /// Says why a device can't be asked which key it is: the others may do.
    pub fn pass_over(&self, device: &Device, failure: Failure) -> Result<(), Failure> {
        if failure.exit == exit::INTERRUPTED {
            return Err(failure);
        }
        let passed = format!("Passing over {}: {}.", device.id, failure.message);
        self.context.terminal.say(&passed);
        Ok(())
    }

    /// The same among some keys.
    pub fn identify_among(
        &mut self,
        device: &Device,
        known: &[EnrolledKey<KeyName>],
    ) -> Result<Identity<KeyName>, Failure> {
        let application = self.state().realm().signing_application();
        let challenge = self.context.random()?;
        Ok(identify(self.keys.as_mut(), &device.id, application, known, challenge)?)
    }

    /// Appends an entry that each of `signers` signs with the key at hand. Whoever calls it
    /// remembers the head: a founding isn't over with its entry.
    pub fn record(
        &mut self,
        signers: &[(KeyName, ChosenKey)],
        change: Change,
    ) -> Result<Stamp, Failure> {
        let lock = self.locked()?;
        let names = signers.iter().map(|(name, _)| name.clone()).collect();
        let time = self.context.now()?;
        let salt = Hex(self.context.random()?);
        let tool = self.context.tool()?;
        let prepared = self.vault.prepare(lock, names, change.events, time, salt, &tool)?;
        for oddity in prepared.oddities() {
            self.context.terminal.say(&format!("NOTE: {oddity}"));
        }
        let known = self.keys_of(&prepared, signers);
        let mut signatures: Vec<(usize, String)> = Vec::new();
        // The key that was found last is the surest to be plugged in still.
        for (place, (name, key)) in signers.iter().enumerate().rev() {
            let Some(enrolled) = known.iter().find(|known| known.name == *name) else {
                return Err(Failure::new(exit::FAILED, format!("{name} isn't enrolled")));
            };
            let again =
                if signers.len() > 1 { self.plugged_in_still(key, enrolled)? } else { None };
            let signature = self.sign(&prepared, again.as_ref().unwrap_or(key), enrolled)?;
            signatures.push((place, signature));
        }
        signatures.sort_by_key(|(place, _)| *place);
        let signatures: Vec<String> = signatures.into_iter().map(|(_, armor)| armor).collect();
        self.context.check_interrupted()?;
        let committed = self.vault.commit(prepared, &signatures, &change.files, change.records)?;
        if let Some(error) = committed.unsynced {
            self.context.tell_unsynced(&error);
        }
        Ok(Stamp { entry: committed.number, time })
    }

    /// The vault's lock, and the vault as it is now that nobody else can append.
    fn locked(&mut self) -> Result<Lock, Failure> {
        let lock = match self.lock.take() {
            Some(lock) => lock,
            None => lock(self.context, &self.vault.location().layout)?,
        };
        self.vault.location().layout.check_writable()?;
        self.vault.catch_up(&lock)?;
        Ok(lock)
    }

    /// Says in words what is about to be signed, and by whom.
    pub fn tell(&mut self, signers: &[KeyName], events: &[Event]) -> Result<(), Failure> {
        // Else another entry could take the number that is told.
        self.lock = Some(self.locked()?);
        let signers: Vec<String> = signers.iter().map(KeyName::to_string).collect();
        let number = self.vault.head().number.saturating_add(1);
        let say = |line: &str| self.context.terminal.say(line);
        say(&format!("Entry {number}, to be signed by {}:", signers.join(" and ")));
        events.iter().for_each(|event| say(&format!("  {}", in_words(event))));
        Ok(())
    }

    /// The signers' keys, those that the entry enrols among them.
    fn keys_of(
        &self,
        prepared: &Prepared,
        signers: &[(KeyName, ChosenKey)],
    ) -> Vec<EnrolledKey<KeyName>> {
        let signs = |name: &KeyName| signers.iter().any(|(signer, _)| signer == name);
        let mut known = self.known_keys(signs);
        for event in &prepared.document().events {
            if let Event::KeyEnrolled(enrolment) = event
                && let Some(credential) = CredentialId::new(enrolment.credential.0.clone())
                && let Some(public_key) = prepared.enrolled().get(&enrolment.key)
            {
                let (name, public_key) = (enrolment.key.clone(), public_key.clone());
                known.push(EnrolledKey { name, credential, public_key });
            }
        }
        known
    }

    /// Where a key is now, if it isn't where it was: people swap keys.
    fn plugged_in_still(
        &mut self,
        key: &ChosenKey,
        enrolled: &EnrolledKey<KeyName>,
    ) -> Result<Option<ChosenKey>, Failure> {
        let known = std::slice::from_ref(enrolled);
        loop {
            let mut devices = self.keys.devices()?;
            // Where it was is where it is likely to be.
            devices.sort_by_key(|device| device.id != key.device.id);
            for device in devices {
                match self.identify_among(&device, known) {
                    Ok(Identity::This(_)) if device.id == key.device.id => return Ok(None),
                    Ok(Identity::WontSay) if device.id == key.device.id => return Ok(None),
                    Ok(Identity::This(name)) => {
                        let keys = self.keys.as_mut();
                        return ChosenKey::new(keys, device, name.to_string()).map(Some);
                    }
                    Err(failure) => self.pass_over(&device, failure)?,
                    Ok(_) => {}
                }
            }
            let name = &enrolled.name;
            self.context.terminal.ask(&Question {
                text: &format!("Plug in {name} again and press Enter: "),
                about: &format!("{name} must sign, and isn't plugged in any more"),
                instead: "leave every key that signs plugged in",
            })?;
        }
    }

    fn sign(
        &mut self,
        prepared: &Prepared,
        key: &ChosenKey,
        enrolled: &EnrolledKey<KeyName>,
    ) -> Result<String, Failure> {
        let signer = Signer {
            public_key: &enrolled.public_key,
            credential: enrolled.credential.clone(),
            namespace: prepared.realm().head_namespace(),
        };
        let last = if prepared.enrolled().contains_key(&enrolled.name) { " (5 of 5)" } else { "" };
        let purpose = format!("to sign entry {}{last}", prepared.head().number);
        let message = prepared.head().to_string();
        key.sign(self.context, self.keys.as_mut(), &signer, &message, &purpose)
    }
}

fn refused(error: &Unauthorised) -> Failure {
    Failure::because(exit::FAILED, "this can't be signed like this", error)
}

/// Has events recorded that need no more than signatures: opens the vault, has `events` say
/// what is to be recorded of it and of who opened it, and gathers who must sign.
pub fn record_events(
    context: &Context,
    signers: &Signers,
    events: impl FnOnce(&Session<'_>, &KeyName) -> Result<Vec<Event>, Failure>,
) -> Result<Answer, Failure> {
    record_and_tell(context, signers, events, |_| String::new())
}

/// The same, where there is something to say `afterwards` of what is so now.
pub fn record_and_tell(
    context: &Context,
    signers: &Signers,
    events: impl FnOnce(&Session<'_>, &KeyName) -> Result<Vec<Event>, Failure>,
    afterwards: impl FnOnce(&State) -> String,
) -> Result<Answer, Failure> {
    let mut session = Session::open_to_write(context, signers.opener(), None)?;
    session.vault.check_sound()?;
    let opener = session.opener()?;
    let events = events(&session, &opener.name)?;
    state_after(context, session.state(), &events, &[])?;
    let signers = session.gather(&events, vec![opener], &signers.by)?;
    let decided = session.decide(signers, Change { events, ..Change::default() })?;
    Ok(decided.answer(&session, afterwards(session.state())))
}

/// `--by bob` or `--by bob/blue`: who signs, where several could.
#[derive(Debug, Clone)]
pub enum By {
    /// Any key of theirs.
    Custodian(Handle),
    /// This key.
    Key(KeyName),
}

impl By {
    fn means(&self, name: &KeyName) -> bool {
        match self {
            Self::Custodian(owner) => name.owner == *owner,
            Self::Key(key) => name == key,
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custodian(owner) => owner.fmt(f),
            Self::Key(key) => key.fmt(f),
        }
    }
}

impl FromStr for By {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') {
            text.parse().map(Self::Key)
        } else {
            text.parse().map(Self::Custodian)
        }
    }
}

/// Who signs, where several of the keys that are plugged in could.
#[derive(Debug, Args, Default)]
pub struct Signers {
    /// Whose key signs, such as bob or bob/blue, where several could; may be repeated, and the
    /// first opens the vault
    #[arg(long, value_name = "CUSTODIAN[/KEY]")]
    pub by: Vec<By>,
}

impl Signers {
    /// Whose key opens the vault.
    pub fn opener(&self) -> Opener<'_> {
        match self.by.first() {
            None => Opener::Any,
            Some(By::Custodian(owner)) => Opener::Of(owner),
            Some(By::Key(key)) => Opener::Key(key),
        }
    }
}
