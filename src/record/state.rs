//! The state of a vault: what the replay of its log comes to.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{
    AgeRecipient, Compartment, CompartmentSealed, Custodian, Event, Handle, IdentitySealed, Key,
    KeyName, KeyState, Line, Policy, RECORDS, Reader, Realm, SEEDS, SealedIdentity, Time,
    UserVerification,
};

/// Where in the log something happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamp {
    /// The entry.
    pub entry: u64,
    /// Its time.
    pub time: Time,
}

/// Why an event can't happen to a state.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Happens once only.
    #[error("{0} can happen once only")]
    Again(&'static str),
    /// Needs the vault to exist.
    #[error("the vault doesn't exist yet")]
    NoVault,
    /// Names are used once.
    #[error("{0} {1} is taken, and no name is used twice")]
    Taken(&'static str, String),
    /// Nothing of that name.
    #[error("there is no {0} {1}")]
    Unknown(&'static str, String),
    /// A name with a meaning of its own.
    #[error("the name {0} is reserved")]
    Reserved(&'static str),
    /// The event contradicts itself or the state.
    #[error("{0}")]
    Mismatch(String),
}

/// Checks that a number comes after the known one. A few may be skipped, for files that
/// stand there unnamed, but not so many that the numbers run out.
pub(super) fn follows(number: u32, known: u32, what: &str) -> Result<(), Rejection> {
    const MAX_SKIPPED: u32 = 1000;
    if number > known && number - known <= MAX_SKIPPED {
        return Ok(());
    }
    Err(Rejection::Mismatch(format!("the {what} can't go from {known} to {number}")))
}

/// A file, or two, that an event named with its digest. It stays named for good: nothing
/// superseded is deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sealing {
    /// A custodian's sealed identity, and what stock age needs to open it.
    Identity(IdentitySealed),
    /// A compartment's identity.
    Compartment(CompartmentSealed),
}

/// All that is so, after some number of entries. Starts empty and changes by
/// [`State::apply`] only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    pub(super) created: Option<Stamp>,
    pub(super) name: Option<Line>,
    pub(super) realm: Realm,
    pub(super) policy: Policy,
    pub(super) custodians: BTreeMap<Handle, Custodian>,
    pub(super) readers: BTreeMap<Handle, Reader>,
    pub(super) keys: BTreeMap<KeyName, Key>,
    pub(super) identities: BTreeMap<KeyName, SealedIdentity>,
    pub(super) compartments: BTreeMap<Handle, Compartment>,
    pub(super) sealings: Vec<Sealing>,
    pub(super) had_two_custodians: bool,
    used_handles: BTreeSet<Handle>,
    used_recipients: BTreeSet<AgeRecipient>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            created: None,
            name: None,
            realm: Realm::Real,
            policy: Policy { user_verification: UserVerification::Required },
            custodians: BTreeMap::new(),
            readers: BTreeMap::new(),
            keys: BTreeMap::new(),
            identities: BTreeMap::new(),
            compartments: BTreeMap::new(),
            sealings: Vec::new(),
            had_two_custodians: false,
            used_handles: BTreeSet::new(),
            used_recipients: BTreeSet::new(),
        }
    }
}

impl State {
    /// Lets one event happen, or leaves the state as it was. Who may have signed it is
    /// not judged here: see [`super::authority`].
    pub fn apply(&mut self, event: &Event, at: Stamp) -> Result<(), Rejection> {
        if self.created.is_none() && !matches!(event, Event::VaultCreated(_)) {
            return Err(Rejection::NoVault);
        }
        match event {
            Event::VaultCreated(event) => event.apply(self, at),
            Event::CustodianAdded(event) => event.apply(self, at),
            Event::ReaderAdded(event) => event.apply(self, at),
            Event::KeyEnrolled(event) => event.apply(self, at),
            Event::IdentitySealed(event) => event.apply(self, at),
            Event::CompartmentSealed(event) => event.apply(self, at),
            Event::KeyChecked(event) => event.apply(self, at),
        }
    }

    /// Notes that a key signed an entry: whatever it signed, it was in its owner's hand.
    pub fn note_signature(&mut self, key: &KeyName, at: Stamp) {
        if let Some(key) = self.keys.get_mut(key) {
            key.last_seen = at;
        }
    }

    /// When the vault began.
    pub fn created(&self) -> Option<Stamp> {
        self.created
    }

    /// Whose vault it is.
    pub fn name(&self) -> Option<&Line> {
        self.name.as_ref()
    }

    /// Real or demo.
    pub fn realm(&self) -> Realm {
        self.realm
    }

    /// The rules in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Custodians by handle.
    pub fn custodians(&self) -> &BTreeMap<Handle, Custodian> {
        &self.custodians
    }

    /// Readers by handle.
    pub fn readers(&self) -> &BTreeMap<Handle, Reader> {
        &self.readers
    }

    /// Keys by name.
    pub fn keys(&self) -> &BTreeMap<KeyName, Key> {
        &self.keys
    }

    /// A key that may sign.
    pub fn active_key(&self, name: &KeyName) -> Option<&Key> {
        self.keys.get(name).filter(|key| key.state == KeyState::Active)
    }

    /// Sealed identities by custodian and slot.
    pub fn identities(&self) -> &BTreeMap<KeyName, SealedIdentity> {
        &self.identities
    }

    /// Compartments in their present epoch, by name.
    pub fn compartments(&self) -> &BTreeMap<Handle, Compartment> {
        &self.compartments
    }

    /// Every sealing that was ever recorded.
    pub fn sealings(&self) -> &[Sealing] {
        &self.sealings
    }

    /// How many different custodians must sign what needs two: one until a second was
    /// added, two for good since.
    pub fn quorum(&self) -> usize {
        if self.had_two_custodians { 2 } else { 1 }
    }

    /// Who belongs to a compartment, sorted; `None` if there is no such compartment.
    pub fn members_of(&self, compartment: &Handle) -> Option<Vec<Handle>> {
        let custodians = self.custodians.keys();
        match compartment.as_str() {
            RECORDS => {
                let mut members: Vec<_> = custodians.chain(self.readers.keys()).cloned().collect();
                members.sort();
                Some(members)
            }
            SEEDS => Some(custodians.cloned().collect()),
            _ => None,
        }
    }

    /// The recipient of a custodian or reader.
    pub fn recipient_of(&self, member: &Handle) -> Option<&AgeRecipient> {
        let custodian = self.custodians.get(member).map(|custodian| &custodian.recipient);
        custodian.or_else(|| self.readers.get(member).map(|reader| &reader.recipient))
    }

    /// Takes a handle and a recipient that were never used before, both or neither.
    pub(super) fn take_member(
        &mut self,
        handle: &Handle,
        recipient: &AgeRecipient,
    ) -> Result<(), Rejection> {
        if self.used_handles.contains(handle) {
            return Err(Rejection::Taken("handle", handle.to_string()));
        }
        self.take_recipient(recipient)?;
        self.used_handles.insert(handle.clone());
        Ok(())
    }

    pub(super) fn take_recipient(&mut self, recipient: &AgeRecipient) -> Result<(), Rejection> {
        if self.used_recipients.insert(recipient.clone()) {
            Ok(())
        } else {
            Err(Rejection::Taken("recipient", recipient.to_string()))
        }
    }
}
