//! What people, and the sealed copies of their identities, could open: the epochs of compartments
//! that were encrypted to them, those before which are inside, and the secrets in these.
//!
//! Leaving is not forgetting, and a copy that was reported may be in wrong hands: a secret stays
//! within reach until it has another value, in an epoch that wasn't encrypted to them. What was
//! opened is in the receipts; this tells what could be.

use std::collections::{BTreeMap, BTreeSet};

use super::{AgeRecipient, Fingerprint, Generation, Handle, KeyName, PAPER, Secret, State};

/// What identities open, and which copies of them are in wrong hands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reach {
    /// The recipients of each custodian and reader, from the first to the present one. Whoever
    /// has an identity has those before it, which are in the same file.
    recipients: BTreeMap<Handle, Vec<AgeRecipient>>,
    /// The newest epoch of each compartment that was encrypted to a recipient. Those before it
    /// are inside.
    epochs: BTreeMap<AgeRecipient, Epochs>,
    /// The newest identity in each sealed copy that there ever was, by slot and generation.
    copies: BTreeMap<KeyName, BTreeMap<u32, AgeRecipient>>,
    /// The entries with which epochs began.
    began: BTreeMap<Handle, BTreeMap<u32, u64>>,
    /// The sealed copies that somebody else may open, each with the newest identity in it. A
    /// copy that is sealed anew elsewhere doesn't bring it back.
    astray: BTreeSet<(KeyName, AgeRecipient)>,
}

/// The newest epoch that is open, by compartment; those before it are, too.
pub type Epochs = BTreeMap<Handle, u32>;

impl Reach {
    /// Somebody has this recipient from now on.
    pub(super) fn note_recipient(&mut self, who: &Handle, recipient: &AgeRecipient) {
        self.recipients.entry(who.clone()).or_default().push(recipient.clone());
    }

    /// A copy of the identity with this recipient is sealed.
    pub(super) fn note_copy(&mut self, slot: &KeyName, generation: u32, recipient: &AgeRecipient) {
        let copies = self.copies.entry(slot.clone()).or_default();
        copies.insert(generation, recipient.clone());
    }

    /// What somebody's identities open, up to and with that of `last`.
    fn of(&self, who: &Handle, last: Option<&AgeRecipient>) -> Epochs {
        let all = self.recipients.get(who).map(Vec::as_slice).unwrap_or_default();
        let newest = last.and_then(|last| all.iter().position(|recipient| recipient == last));
        let many = newest.map_or(all.len(), |place| place.saturating_add(1));
        let mut open = Epochs::new();
        for (compartment, epoch) in
            all.iter().take(many).filter_map(|recipient| self.epochs.get(recipient)).flatten()
        {
            let known = open.entry(compartment.clone()).or_default();
            *known = (*known).max(*epoch);
        }
        open
    }
}

impl State {
    /// Notes that an epoch is encrypted to these recipients.
    pub(super) fn note_epoch(
        &mut self,
        compartment: &Handle,
        epoch: u32,
        recipients: &[AgeRecipient],
        entry: u64,
    ) {
        self.reach.began.entry(compartment.clone()).or_default().insert(epoch, entry);
        for recipient in recipients {
            let open = self.reach.epochs.entry(recipient.clone()).or_default();
            open.insert(compartment.clone(), epoch);
        }
    }

    /// Notes whether somebody else may open the copy in a slot, after what was just reported.
    pub(super) fn note_astray(&mut self, slot: &KeyName) {
        let Some(sealed) = self.identities.get(slot) else { return };
        let is_astray = if slot.label.as_str() == PAPER {
            sealed.exposed.is_some()
        } else {
            self.keys.get(slot).is_some_and(super::Key::is_astray)
        };
        let copy = (slot.clone(), sealed.recipient.clone());
        if is_astray {
            self.reach.astray.insert(copy);
        } else {
            self.reach.astray.remove(&copy);
        }
    }

    /// What somebody could open, with whatever identity they had.
    pub fn epochs_open_to(&self, who: &Handle) -> Epochs {
        self.reach.of(who, None)
    }

    /// What a sealed copy opens: that of this generation, in this slot.
    pub fn epochs_open_to_copy(&self, slot: &KeyName, generation: u32) -> Epochs {
        let copy = self.reach.copies.get(slot).and_then(|copies| copies.get(&generation));
        copy.map_or_else(Epochs::new, |recipient| self.reach.of(&slot.owner, Some(recipient)))
    }

    /// The generations of the copies that a slot ever held.
    pub fn copies_in(&self, slot: &KeyName) -> Vec<u32> {
        self.reach.copies.get(slot).into_iter().flat_map(|copies| copies.keys().copied()).collect()
    }

    /// The entry with which the next epoch of a compartment began, so that what is written since
    /// is closed to those who can open this one only.
    pub fn epoch_closed_by(&self, compartment: &Handle, epoch: u32) -> Option<u64> {
        let began = self.reach.began.get(compartment)?;
        began.range(epoch.saturating_add(1)..).next().map(|(_, entry)| *entry)
    }

    /// The secrets whose present value somebody could open, with whatever identity they had,
    /// and that are in a compartment which they belong to no more.
    pub fn secrets_kept_by(&self, who: &Handle) -> Vec<&Handle> {
        let is_closed = |secret: &Secret| {
            let compartment = secret.present().map(|present| &present.compartment);
            let members = compartment.and_then(|name| self.members_of(name));
            !members.unwrap_or_default().contains(who)
        };
        let mut names = self.secrets_within(&self.epochs_open_to(who));
        names.retain(|name| self.secrets().get(*name).is_some_and(|secret| is_closed(secret)));
        names
    }

    /// The secrets whose present value opens to the copy of an identity, in a key or on paper,
    /// that was reported and that nobody restored.
    pub fn secrets_open_to_astray(&self, slot: &KeyName) -> Vec<&Handle> {
        let copies = self.reach.astray.iter().filter(|(name, _)| name == slot);
        // A later copy holds the older identities.
        let open = copies.map(|(_, recipient)| self.reach.of(&slot.owner, Some(recipient)));
        let open = open.reduce(|mut all, more| {
            for (compartment, epoch) in more {
                let known = all.entry(compartment).or_default();
                *known = (*known).max(epoch);
            }
            all
        });
        self.secrets_within(&open.unwrap_or_default())
    }

    /// The slots with a copy of an identity that was reported.
    pub fn astray_slots(&self) -> BTreeSet<&KeyName> {
        self.reach.astray.iter().map(|(slot, _)| slot).collect()
    }

    /// Everybody who ever had a recipient.
    pub fn ever_members(&self) -> impl Iterator<Item = &Handle> {
        self.reach.recipients.keys()
    }

    /// The secrets whose present value can be opened by whoever opens these epochs. A seed that
    /// was put in custody once more is the same seed.
    pub fn secrets_within(&self, open: &Epochs) -> Vec<&Handle> {
        let within = |generation: &&Generation| {
            open.get(&generation.compartment).is_some_and(|newest| generation.epoch <= *newest)
        };
        let all = || self.secrets().values().flat_map(|secret| &secret.generations);
        let known: BTreeSet<&Fingerprint> =
            all().filter(within).filter_map(|generation| generation.fingerprint.as_ref()).collect();
        let is_known = |present: &Generation| {
            within(&present) || present.fingerprint.as_ref().is_some_and(|f| known.contains(f))
        };
        let secrets = self.secrets().iter();
        let found = secrets.filter(|(_, secret)| secret.present().is_some_and(is_known));
        found.map(|(name, _)| name).collect()
    }
}
