//! Which secrets are within reach of people and copies that they should be closed to: of those
//! who belong to a compartment no more, and of sealed identities that were reported.
//!
//! Leaving is not forgetting: a secret stays within reach until it has another value, in an
//! epoch that wasn't encrypted to them. What was opened is in the receipts; this tells what
//! could be.

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
    /// The sealed copies that somebody else may open, each with the newest identity in it. A
    /// copy that is sealed anew elsewhere doesn't bring it back.
    astray: BTreeSet<(KeyName, AgeRecipient)>,
}

/// The newest epoch that is open, by compartment.
type Epochs = BTreeMap<Handle, u32>;

impl Reach {
    /// Somebody has this recipient from now on.
    pub(super) fn note_recipient(&mut self, who: &Handle, recipient: &AgeRecipient) {
        self.recipients.entry(who.clone()).or_default().push(recipient.clone());
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
    ) {
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

    /// The secrets whose present value somebody could open, with whatever identity they had,
    /// and that are in a compartment which they belong to no more.
    pub fn secrets_kept_by(&self, who: &Handle) -> Vec<&Handle> {
        let is_closed = |secret: &Secret| {
            let compartment = secret.present().map(|present| &present.compartment);
            let members = compartment.and_then(|name| self.members_of(name));
            !members.unwrap_or_default().contains(who)
        };
        let mut names = self.secrets_within(&self.reach.of(who, None));
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
    pub fn secrets_within(&self, open: &BTreeMap<Handle, u32>) -> Vec<&Handle> {
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
