//! The state of a vault: what the replay of its log comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

use super::account::Accounts;
use super::drill;
use super::reach::Reach;
use super::{
    Action, AdoptedRunbook, AgeRecipient, Compartment, CompartmentSealed, Custodian, Digest,
    DrillRun, Event, Handle, IdentitySealed, Key, KeyName, KeyState, Line, Policy, RECORDS, Reader,
    Realm, ReportKind, SEEDS, SealedIdentity, Secret, Time, TrialKind, UserVerification,
    VaultSucceeds, Waiver,
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
    /// Too few would be left who can sign.
    #[error("fewer than {0} custodians would be left with a key that may sign")]
    BelowFloor(usize),
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
    /// A value of a secret, in the file of this digest.
    Secret(Digest),
    /// A runbook, in the file of this digest.
    Runbook(Digest),
    /// What was kept as evidence.
    Evidence {
        /// Digest of the file that has it, encrypted.
        file: Digest,
        /// Its own size, in bytes.
        bytes: u32,
    },
}

/// All that is so, after some number of entries. Starts empty and changes by
/// [`State::apply`] only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    pub(super) created: Option<Stamp>,
    pub(super) name: Option<Line>,
    pub(super) succeeds: Option<VaultSucceeds>,
    pub(super) realm: Realm,
    pub(super) policy: Policy,
    pub(super) custodians: BTreeMap<Handle, Custodian>,
    pub(super) former_custodians: BTreeMap<Handle, Custodian>,
    pub(super) readers: BTreeMap<Handle, Reader>,
    pub(super) keys: BTreeMap<KeyName, Key>,
    pub(super) identities: BTreeMap<KeyName, SealedIdentity>,
    pub(super) compartments: BTreeMap<Handle, Compartment>,
    /// Of the compartments whose members are chosen: who they are, some of whom may have left.
    pub(super) chosen: BTreeMap<Handle, BTreeSet<Handle>>,
    pub(super) reach: Arc<Reach>,
    pub(super) sealings: Arc<Vec<Sealing>>,
    pub(super) runbooks: BTreeMap<Handle, AdoptedRunbook>,
    pub(super) drills: Arc<BTreeMap<Handle, Arc<DrillRun>>>,
    pub(super) waivers: BTreeMap<Handle, Waiver>,
    pub(super) actions: BTreeMap<Handle, Action>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) secrets: Arc<BTreeMap<Handle, Arc<Secret>>>,
    pub(super) had_two_custodians: bool,
    used_handles: BTreeSet<Handle>,
    used_recipients: BTreeSet<AgeRecipient>,
    /// The time of the last entry, before which all that is remembered happened.
    noted: Option<Time>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            created: None,
            name: None,
            succeeds: None,
            realm: Realm::Real,
            policy: Policy::at_first(UserVerification::Required),
            custodians: BTreeMap::new(),
            former_custodians: BTreeMap::new(),
            readers: BTreeMap::new(),
            keys: BTreeMap::new(),
            identities: BTreeMap::new(),
            compartments: BTreeMap::new(),
            chosen: BTreeMap::new(),
            reach: Arc::default(),
            sealings: Arc::default(),
            runbooks: BTreeMap::new(),
            drills: Arc::default(),
            waivers: BTreeMap::new(),
            actions: BTreeMap::new(),
            accounts: Arc::default(),
            secrets: Arc::default(),
            had_two_custodians: false,
            used_handles: BTreeSet::new(),
            used_recipients: BTreeSet::new(),
            noted: None,
        }
    }
}

impl State {
    /// Lets one event happen, of an entry that `signers` signed, or leaves the state as it was.
    /// Whether they may have is not judged here: see [`super::authority`].
    pub fn apply(
        &mut self,
        event: &Event,
        at: Stamp,
        signers: &[KeyName],
    ) -> Result<(), Rejection> {
        if self.created.is_none() && !matches!(event, Event::VaultCreated(_)) {
            return Err(Rejection::NoVault);
        }
        match event {
            Event::VaultCreated(event) => event.apply(self, at),
            Event::VaultSucceeds(event) => event.apply(self),
            Event::PolicyChanged(event) => event.apply(self),
            Event::CustodianAdded(event) => event.apply(self, at),
            Event::CustodianChanged(event) => event.apply(self),
            Event::CustodianLeft(event) => event.apply(self, at),
            Event::DutiesAcknowledged(event) => event.apply(self, at),
            Event::RecipientChanged(event) => event.apply(self),
            Event::ReaderAdded(event) => event.apply(self, at),
            Event::ReaderRemoved(event) => event.apply(self),
            Event::KeyEnrolled(event) => event.apply(self, at),
            Event::KeyChecked(event) => event.apply(self, at),
            Event::KeyLost(event) => event.apply(self, ReportKind::Lost, at),
            Event::KeyCompromised(event) => event.apply(self, ReportKind::Compromised, at),
            Event::KeyRestored(event) => event.apply(self, at, signers),
            Event::KeyRetired(event) => event.apply(self, at),
            Event::KeyMoved(event) => event.apply(self),
            Event::KeyHandedOver(event) => event.apply(self),
            Event::BagSealed(event) => event.apply(self, at),
            Event::BagOpened(event) => event.apply(self),
            Event::IdentitySealed(event) => event.apply(self, at),
            Event::MembersChosen(event) => event.apply(self),
            Event::CompartmentSealed(event) => event.apply(self, at),
            Event::AccountAdded(event) => event.apply(self, at),
            Event::AccountChanged(event) => event.apply(self),
            Event::RootUserChanged(event) => event.apply(self),
            Event::AccountRemoved(event) => event.apply(self, at),
            Event::DeviceLinked(event) => event.apply(self, at),
            Event::DeviceUnlinked(event) => event.apply(self),
            Event::TokenMoved(event) => event.apply(self),
            Event::ContactsReviewed(event) => event.apply(self, &TrialKind::Contacts, at),
            Event::MailboxTested(event) => event.apply(self, &TrialKind::Mailbox, at),
            Event::PhoneTested(event) => event.apply(self, &TrialKind::Phone, at),
            Event::SignInProven(event) => event.apply(self, at),
            Event::TotpChecked(event) => event.apply(self, at),
            Event::SecretStored(event) => event.apply(self, at),
            Event::SecretReplaced(event) => event.apply(self, at),
            Event::SecretOpened(event) => event.apply(self, at),
            Event::RunbookAdopted(event) => event.apply(self, at),
            Event::RunbookWithdrawn(event) => event.apply(self, at),
            Event::DrillStarted(event) => event.apply(self, at),
            Event::DrillFinished(event) => event.apply(self, at),
            Event::DrillAbandoned(event) => event.apply(self, at),
            Event::DrillReviewed(event) => event.apply(self, at),
            Event::DrillStep(event) => event.apply(self, at),
            Event::DrillException(event) => event.apply(self, at),
            Event::DrillInterrupted(event) => event.apply(self, at),
            Event::PartTaken(event) => event.apply(self, at),
            Event::EvidenceKept(event) => event.apply(self, at),
            Event::WaiverGiven(event) => event.apply(self, at),
            Event::ActionOpened(event) => event.apply(self, at),
            Event::ActionClosed(event) => event.apply(self, at),
            // Of documents, which no state knows.
            Event::SlipEndorsed(_) | Event::HeadAbandoned(_) => Ok(()),
        }
    }

    /// Notes that a key signed an entry: whatever it signed, it was in its owner's hand.
    pub fn note_signature(&mut self, key: &KeyName, at: Stamp) {
        if let Some(key) = self.keys.get_mut(key) {
            key.last_seen = at;
        }
    }

    /// Notes the time of the entry that was applied. What an earlier entry said of a later time
    /// happened by this one: nobody puts off what is due by dating an entry ahead.
    pub fn note_time(&mut self, time: Time) {
        if self.noted.replace(time).is_none_or(|before| before <= time) {
            return;
        }
        Arc::make_mut(&mut self.accounts).cap_times(time);
        drill::cap_times(Arc::make_mut(&mut self.drills), time);
        let seen = self.keys.values_mut().map(|key| &mut key.last_seen);
        let acknowledged = self.custodians.values_mut().filter_map(|who| who.acknowledged.as_mut());
        for stamp in seen.chain(acknowledged) {
            stamp.time = stamp.time.min(time);
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

    /// The vault that this one takes the place of, if any.
    pub fn succeeds(&self) -> Option<&VaultSucceeds> {
        self.succeeds.as_ref()
    }

    /// Real or demo.
    pub fn realm(&self) -> Realm {
        self.realm
    }

    /// The rules in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Custodians by handle; not those who left.
    pub fn custodians(&self) -> &BTreeMap<Handle, Custodian> {
        &self.custodians
    }

    /// Those who left, by handle.
    pub fn former_custodians(&self) -> &BTreeMap<Handle, Custodian> {
        &self.former_custodians
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
        self.keys.get(name).filter(|key| key.is_active())
    }

    /// Sealed identities by custodian and slot.
    pub fn identities(&self) -> &BTreeMap<KeyName, SealedIdentity> {
        &self.identities
    }

    /// Compartments in their present epoch, by name.
    pub fn compartments(&self) -> &BTreeMap<Handle, Compartment> {
        &self.compartments
    }

    /// Waivers by id.
    pub fn waivers(&self) -> &BTreeMap<Handle, Waiver> {
        &self.waivers
    }

    /// Corrective actions by id.
    pub fn actions(&self) -> &BTreeMap<Handle, Action> {
        &self.actions
    }

    /// Every sealing that was ever recorded.
    pub fn sealings(&self) -> &[Sealing] {
        &self.sealings
    }

    /// How many different custodians must sign what needs two: one until a second had a key,
    /// two for good since.
    pub fn quorum(&self) -> usize {
        if self.had_two_custodians { 2 } else { 1 }
    }

    /// How many custodians have a key that may sign.
    pub fn able_custodians(&self) -> usize {
        self.able_without(|_| false)
    }

    fn able_without(&self, gone: impl Fn(&KeyName) -> bool) -> usize {
        let able = self.keys.iter().filter(|(name, key)| key.is_active() && !gone(name));
        able.map(|(name, _)| &name.owner).collect::<BTreeSet<_>>().len()
    }

    /// Fails if, without these keys, fewer custodians could sign than must. Where there are
    /// fewer already, it is enough that there are no fewer still.
    pub(super) fn keep_floor(&self, gone: impl Fn(&KeyName) -> bool) -> Result<(), Rejection> {
        let left = self.able_without(gone);
        if left >= self.quorum().min(self.able_custodians()) {
            Ok(())
        } else {
            Err(Rejection::BelowFloor(self.quorum()))
        }
    }

    /// A custodian who hasn't left.
    pub(super) fn present(&self, handle: &Handle) -> Result<&Custodian, Rejection> {
        self.custodians
            .get(handle)
            .ok_or_else(|| Rejection::Unknown("custodian", handle.to_string()))
    }

    pub(super) fn present_mut(&mut self, handle: &Handle) -> Result<&mut Custodian, Rejection> {
        self.custodians
            .get_mut(handle)
            .ok_or_else(|| Rejection::Unknown("custodian", handle.to_string()))
    }

    pub(super) fn key_mut(&mut self, name: &KeyName) -> Result<&mut Key, Rejection> {
        self.keys.get_mut(name).ok_or_else(|| Rejection::Unknown("key", name.to_string()))
    }

    /// The sealed copies of a custodian's present identity that somebody else may open: then
    /// they need another identity.
    pub fn exposures(&self, custodian: &Handle) -> Vec<KeyName> {
        let Some(recipient) = self.custodians.get(custodian).map(|c| &c.recipient) else {
            return Vec::new();
        };
        let is_exposed = |slot: &KeyName, sealed: &SealedIdentity| {
            slot.owner == *custodian
                && sealed.recipient == *recipient
                && (self.paper_report(slot).is_some()
                    || self.keys.get(slot).is_some_and(Key::is_astray))
        };
        let slots = self.identities.iter().filter(|(slot, sealed)| is_exposed(slot, sealed));
        slots.map(|(slot, _)| slot.clone()).collect()
    }

    /// The keys with which a custodian opens the vault: they may sign, and hold the identity that
    /// their owner has now.
    pub fn working_keys(&self, custodian: &Handle) -> Vec<&KeyName> {
        let recipient = self.custodians.get(custodian).map(|known| &known.recipient);
        let works = |name: &&KeyName| {
            let copy = self.identities.get(name).map(|sealed| &sealed.recipient);
            name.owner == *custodian && self.active_key(name).is_some() && copy == recipient
        };
        self.keys.keys().filter(works).collect()
    }

    /// The sealed copies that hold an older identity of their custodian, so that they open
    /// nothing new: they are to be made anew. Those of keys that may not sign don't count.
    pub fn outdated_copies(&self) -> Vec<KeyName> {
        let outdated = self.identities.iter().filter(|(slot, sealed)| {
            let recipient = self.custodians.get(&slot.owner).map(|c| &c.recipient);
            let in_use = self.keys.get(slot).is_none_or(|key| key.state == KeyState::Active);
            in_use && recipient != Some(&sealed.recipient)
        });
        outdated.map(|(slot, _)| slot.clone()).collect()
    }

    /// Whether a compartment is encrypted to others than its present members, or to recipients
    /// that they have no more: then it needs a new epoch. One that nobody opens can't have one.
    pub fn is_outdated(&self, compartment: &Handle) -> bool {
        !self.is_current(compartment) && !self.openers_of(compartment).is_empty()
    }

    /// Whether a compartment is encrypted to its present members, with the recipients that they
    /// have now, and to nobody else.
    pub fn is_current(&self, compartment: &Handle) -> bool {
        self.compartments.get(compartment).is_some_and(|known| {
            let members = self.members_of(compartment).unwrap_or_default();
            known.sealing.members == members && known.recipients == self.recipients_of(&members)
        })
    }

    /// The members of a compartment who open it with the identity that they have now: who joined
    /// since, or lost the identity that it is encrypted to, doesn't until it is sealed anew.
    pub fn openers_of(&self, compartment: &Handle) -> Vec<Handle> {
        let Some(known) = self.compartments.get(compartment) else { return Vec::new() };
        let opens = |who: &Handle| {
            self.recipient_of(who).is_some_and(|recipient| known.recipients.contains(recipient))
        };
        let mut openers = self.members_of(compartment).unwrap_or_default();
        openers.retain(opens);
        openers
    }

    /// The compartments that nobody who is left opens, that have a secret's present value.
    pub fn lost_compartments(&self) -> Vec<&Handle> {
        let is_needed = |name: &Handle| {
            let present = self.secrets.values().filter_map(|secret| secret.present());
            present.into_iter().any(|generation| generation.compartment == *name)
        };
        let is_lost = |name: &Handle| self.openers_of(name).is_empty() && is_needed(name);
        self.compartments.keys().filter(|name| is_lost(name)).collect()
    }

    /// The custodians who have, or had, a key, which signed for their recipient.
    pub(super) fn keyed_custodians(&self) -> BTreeSet<&Handle> {
        let owners = self.keys.keys().map(|key| &key.owner);
        owners.filter(|owner| self.custodians.contains_key(owner)).collect()
    }

    /// Who belongs to a compartment, sorted; `None` if there is no such compartment. A
    /// custodian does once they have a key, and as long as they stay.
    pub fn members_of(&self, compartment: &Handle) -> Option<Vec<Handle>> {
        let custodians = self.keyed_custodians().into_iter();
        match compartment.as_str() {
            RECORDS => {
                let mut members: Vec<_> = custodians.chain(self.readers.keys()).cloned().collect();
                members.sort();
                Some(members)
            }
            SEEDS => Some(custodians.cloned().collect()),
            _ => {
                let chosen = self.chosen.get(compartment)?;
                Some(custodians.filter(|handle| chosen.contains(handle)).cloned().collect())
            }
        }
    }

    /// The recipients of members, in their order.
    pub(super) fn recipients_of(&self, members: &[Handle]) -> Vec<AgeRecipient> {
        members.iter().filter_map(|member| self.recipient_of(member)).cloned().collect()
    }

    /// Whether a custodian or reader ever had this handle.
    pub fn was_used(&self, handle: &Handle) -> bool {
        self.used_handles.contains(handle)
    }

    /// Whether a custodian, a reader or a compartment ever had this recipient.
    pub fn was_recipient(&self, recipient: &AgeRecipient) -> bool {
        self.used_recipients.contains(recipient)
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
        Arc::make_mut(&mut self.reach).note_recipient(handle, recipient);
        self.used_handles.insert(handle.clone());
        Ok(())
    }

    pub(super) fn note_sealing(&mut self, sealing: Sealing) {
        Arc::make_mut(&mut self.sealings).push(sealing);
    }

    pub(super) fn take_recipient(&mut self, recipient: &AgeRecipient) -> Result<(), Rejection> {
        if self.used_recipients.insert(recipient.clone()) {
            Ok(())
        } else {
            Err(Rejection::Taken("recipient", recipient.to_string()))
        }
    }
}
