//! What people, and the sealed copies of their identities, could open: the epochs of compartments
//! that were encrypted to them, those before which are inside, and the secrets in these.
//!
//! Leaving is not forgetting, and a copy that was reported may be in wrong hands: a secret stays
//! within reach until it has another value, in an epoch that wasn't encrypted to them. What was
//! opened is in the receipts; this tells what could be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{
    AgeRecipient, Fingerprint, Generation, Handle, Key, KeyName, PAPER, Rejection, Report,
    ReportKind, Secret, State,
};

/// What identities open, and which copies of them are in wrong hands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reach {
    /// The recipients of each custodian and reader, from the first to the present one.
    recipients: BTreeMap<Handle, Vec<AgeRecipient>>,
    /// The newest epoch of each compartment that was encrypted to a recipient. Those before it
    /// are inside.
    epochs: BTreeMap<AgeRecipient, Epochs>,
    /// The identity in each sealed copy that there ever was, by slot and generation.
    copies: BTreeMap<KeyName, BTreeMap<u32, AgeRecipient>>,
    /// The entries with which epochs began.
    began: BTreeMap<Handle, BTreeMap<u32, u64>>,
    /// The keys that somebody else may have in hand, with the copies sealed to them.
    astray_keys: BTreeSet<KeyName>,
    /// The identities on paper that somebody else may have read, each with the report that says
    /// so. A paper copy that is made anew elsewhere doesn't bring the old one back.
    astray_papers: BTreeMap<KeyName, BTreeMap<AgeRecipient, Report>>,
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

    /// What the identities with these recipients open.
    fn of<'a>(&self, recipients: impl IntoIterator<Item = &'a AgeRecipient>) -> Epochs {
        let mut open = Epochs::new();
        let known = recipients.into_iter().filter_map(|recipient| self.epochs.get(recipient));
        for (compartment, epoch) in known.flatten() {
            let newest = open.entry(compartment.clone()).or_default();
            *newest = (*newest).max(*epoch);
        }
        open
    }

    /// The identities in the copies of a slot up to this generation.
    fn copied(
        &self,
        slot: &KeyName,
        generation: u32,
    ) -> impl Iterator<Item = (u32, &AgeRecipient)> {
        let copies = self.copies.get(slot).into_iter();
        let copies = copies.flat_map(move |copies| copies.range(..=generation));
        copies.map(|(generation, recipient)| (*generation, recipient))
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
        let reach = Arc::make_mut(&mut self.reach);
        reach.began.entry(compartment.clone()).or_default().insert(epoch, entry);
        for recipient in recipients {
            let open = reach.epochs.entry(recipient.clone()).or_default();
            open.insert(compartment.clone(), epoch);
        }
    }

    /// Notes whether somebody else may have a key in hand, after what was just reported.
    pub(super) fn note_astray(&mut self, key: &KeyName) {
        let is_astray = self.keys.get(key).is_some_and(Key::is_astray);
        let reach = Arc::make_mut(&mut self.reach);
        if is_astray {
            reach.astray_keys.insert(key.clone());
        } else {
            reach.astray_keys.remove(key);
        }
    }

    /// Notes that a paper copy isn't its owner's alone any more. Its owner knows best, and a
    /// lost one may turn up in wrong hands.
    pub(super) fn expose_paper(&mut self, slot: &KeyName, report: Report) -> Result<(), Rejection> {
        let sealed = self.identities.get(slot);
        let sealed = sealed.ok_or_else(|| Rejection::Unknown("paper copy", slot.to_string()))?;
        if let Some(before) = self.paper_report(slot) {
            let by_owner = |report: &Report| report.reporter == slot.owner;
            let worse = (before.kind, report.kind) == (ReportKind::Lost, ReportKind::Compromised);
            if !by_owner(&report) || (by_owner(before) && !worse) {
                return Err(Rejection::Mismatch(format!("{slot} is reported already")));
            }
        }
        let recipient = sealed.recipient.clone();
        let papers = &mut Arc::make_mut(&mut self.reach).astray_papers;
        papers.entry(slot.clone()).or_default().insert(recipient, report);
        Ok(())
    }

    /// Notes that a paper copy, and those that were in its place before, are their owner's alone
    /// after all, and returns the reports that said otherwise: those of others, since an owner's
    /// own is final.
    pub(super) fn clear_paper(&mut self, slot: &KeyName) -> Result<Vec<Report>, Rejection> {
        let papers = &mut Arc::make_mut(&mut self.reach).astray_papers;
        let mut cleared = Vec::new();
        if let Some(reports) = papers.get_mut(slot) {
            cleared.extend(reports.values().filter(|r| r.reporter != slot.owner).cloned());
            reports.retain(|_, report| report.reporter == slot.owner);
        }
        papers.retain(|_, reports| !reports.is_empty());
        if cleared.is_empty() {
            return Err(Rejection::Mismatch(format!("{slot} was reported by nobody else")));
        }
        Ok(cleared)
    }

    /// The report that the identity in the present paper copy is exposed.
    pub fn paper_report(&self, slot: &KeyName) -> Option<&Report> {
        let recipient = &self.identities.get(slot)?.recipient;
        self.reach.astray_papers.get(slot)?.get(recipient)
    }

    /// The reports that stand on what was ever on paper in a slot.
    pub fn paper_reports(&self, slot: &KeyName) -> impl Iterator<Item = &Report> {
        self.reach.astray_papers.get(slot).into_iter().flat_map(BTreeMap::values)
    }

    /// What somebody could open, with whatever identity they had.
    pub fn epochs_open_to(&self, who: &Handle) -> Epochs {
        self.reach.of(self.reach.recipients.get(who).into_iter().flatten())
    }

    /// What a sealed copy opens: that of this generation, in this slot. Whoever has a key opens
    /// what was sealed to it before, too; a passphrase opens the sheet that it was made for.
    pub fn epochs_open_to_copy(&self, slot: &KeyName, generation: u32) -> Epochs {
        let only = |copy: &u32| slot.label.as_str() != PAPER || *copy == generation;
        let copies = self.reach.copied(slot, generation).filter(|(copy, _)| only(copy));
        self.reach.of(copies.map(|(_, recipient)| recipient))
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
        let belongs =
            |name: &&Handle| self.members_of(name).is_some_and(|members| members.contains(who));
        let own: BTreeSet<&Handle> = self.compartments().keys().filter(belongs).collect();
        let is_closed = |secret: &Secret| {
            secret.present().is_none_or(|present| !own.contains(&present.compartment))
        };
        let mut names = self.secrets_within(&self.epochs_open_to(who));
        names.retain(|name| self.secrets().get(*name).is_some_and(|secret| is_closed(secret)));
        names
    }

    /// The secrets whose present value opens to the copies of an identity, in a key or on paper,
    /// that were reported and that nobody restored.
    pub fn secrets_open_to_astray(&self, slot: &KeyName) -> Vec<&Handle> {
        self.secrets_within(&self.epochs_astray(slot))
    }

    /// What opens to the copies of an identity in a slot that were reported.
    fn epochs_astray(&self, slot: &KeyName) -> Epochs {
        let in_key = self.reach.astray_keys.get(slot).into_iter();
        let in_key = in_key.flat_map(|slot| self.reach.copied(slot, u32::MAX)).map(|(_, r)| r);
        let on_paper = self.reach.astray_papers.get(slot).into_iter().flat_map(BTreeMap::keys);
        self.reach.of(in_key.chain(on_paper))
    }

    /// The slots with a copy of an identity that was reported.
    pub fn astray_slots(&self) -> BTreeSet<&KeyName> {
        self.reach.astray_keys.iter().chain(self.reach.astray_papers.keys()).collect()
    }

    /// Everybody who ever had a recipient.
    pub fn ever_members(&self) -> impl Iterator<Item = &Handle> {
        self.reach.recipients.keys()
    }

    /// Whether a secret's present value is open to somebody who has no business with it any more, as
    /// [`State::secrets_kept_by`] and [`State::secrets_open_to_astray`] tell of all secrets. `alike` are
    /// the secrets that ever had the same value: a seed may be in custody more than once.
    pub fn is_open_to_others(&self, secret: &Handle, alike: &BTreeSet<Handle>) -> bool {
        let Some(present) = self.secrets().get(secret).and_then(|secret| secret.present()) else {
            return false;
        };
        let alike = alike.iter().filter_map(|name| self.secrets().get(name));
        let alike = alike.flat_map(|secret| &secret.generations);
        let same: Vec<&Generation> = alike
            .filter(|other| other.fingerprint.is_some() && other.fingerprint == present.fingerprint)
            .chain([present])
            .collect();
        let is_within = |open: &Epochs| {
            same.iter().any(|generation| {
                open.get(&generation.compartment).is_some_and(|newest| generation.epoch <= *newest)
            })
        };
        let members = self.members_of(&present.compartment).unwrap_or_default();
        let mut others = self.ever_members().filter(|who| !members.contains(who));
        others.any(|who| is_within(&self.epochs_open_to(who)))
            || self.astray_slots().into_iter().any(|slot| is_within(&self.epochs_astray(slot)))
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
