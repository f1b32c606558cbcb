//! Findings: what is odd in a log and no fault, for people to look at.
//!
//! Nothing here refuses an entry.

use std::fmt;

use super::document::Document;
use crate::record::{Event, Handle, KeyName, Line, State, Time};

/// Something odd that is no fault: for people to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Where.
    pub entry: u64,
    /// What.
    pub kind: FindingKind,
}

/// Kinds of findings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FindingKind {
    /// The entry's time is before that of an entry before it.
    TimeWentBack {
        /// The entry's time.
        time: Time,
        /// The latest time before it.
        after: Time,
    },
    /// The entry's time is ahead of the reader's clock.
    FromTheFuture {
        /// The entry's time.
        time: Time,
    },
    /// A key's signature counter fell, or stood still where it should rise. A sign of a
    /// cloned key, or of a backdated entry.
    CounterFell {
        /// The key.
        key: KeyName,
        /// Counter now.
        counter: u32,
        /// Counter at its signature before.
        before: u32,
    },
    /// A key signed two heads of one number: for two pasts, one of which was given up.
    TwoHeads {
        /// The key.
        key: KeyName,
        /// The number.
        number: u64,
    },
    /// The policy was loosened.
    PolicyLoosened {
        /// In words.
        how: &'static str,
    },
    /// A report suspends nothing, since too few would be left who can sign.
    OnlyClaimed {
        /// The key that was reported.
        key: KeyName,
        /// Who reported it.
        reporter: Handle,
    },
    /// A bag that was opened isn't the one that was sealed.
    OtherBag {
        /// The key that was in it.
        key: KeyName,
        /// The serial number that was recorded.
        sealed: Line,
        /// The one that was found.
        found: Line,
    },
    /// A key signed while another custodian had it by the records, so that one person may have
    /// held two people's keys.
    HeldByAnother {
        /// The key.
        key: KeyName,
        /// Who has it.
        holder: Handle,
    },
    /// A key signed that should have lain in a sealed bag.
    OutOfItsBag {
        /// The key.
        key: KeyName,
        /// The bag's serial number.
        bag: Line,
    },
    /// The seal of a bag was broken before it was opened.
    BrokenSeal {
        /// The key that was in it.
        key: KeyName,
        /// Its serial number.
        bag: Line,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.entry;
        match &self.kind {
            FindingKind::TimeWentBack { time, after } => {
                write!(f, "entry {entry}: its time, {time}, is before {after}, of an earlier entry")
            }
            FindingKind::FromTheFuture { time } => {
                write!(f, "entry {entry}: its time, {time}, is ahead of this machine's clock")
            }
            FindingKind::CounterFell { key, counter, before } => write!(
                f,
                "entry {entry}: the signature counter of {key} went from {before} to {counter}"
            ),
            FindingKind::TwoHeads { key, number } => write!(
                f,
                "entry {entry}: {key} signed two different heads of number {number}, of which one was \
                 given up"
            ),
            FindingKind::PolicyLoosened { how } => {
                write!(f, "entry {entry} loosens the policy: {how}")
            }
            FindingKind::OnlyClaimed { key, reporter } => write!(
                f,
                "entry {entry}: {reporter} reports {key}, which suspends nothing: too few custodians \
                 would be left who can sign"
            ),
            FindingKind::OtherBag { key, sealed, found } => write!(
                f,
                "entry {entry}: {key} was sealed in bag {sealed}, and the bag that was opened is {found}"
            ),
            FindingKind::HeldByAnother { key, holder } => {
                write!(f, "entry {entry}: {key} signed while {holder} had it by the records")
            }
            FindingKind::OutOfItsBag { key, bag } => write!(
                f,
                "entry {entry}: {key} signed, and should have been in the sealed bag {bag}"
            ),
            FindingKind::BrokenSeal { key, bag } => {
                write!(f, "entry {entry}: the seal of bag {bag}, which held {key}, was broken")
            }
        }
    }
}

/// What is odd about who signs, by where their keys are recorded to be. An entry that hands a
/// key over, or takes it out of its bag, may be signed by it.
pub(super) fn odd_signers(document: &Document, before: &State) -> Vec<FindingKind> {
    let is_moved = |key: &KeyName| {
        document.events.iter().any(|event| match event {
            Event::KeyHandedOver(over) => over.key == *key,
            Event::BagSealed(sealed) => sealed.key == *key,
            Event::BagOpened(opened) => opened.key == *key,
            _ => false,
        })
    };
    let mut odd = Vec::new();
    for name in document.signers.iter().filter(|name| !is_moved(name)) {
        let Some(key) = before.keys().get(name) else { continue };
        if key.holder != name.owner {
            let (key, holder) = (name.clone(), key.holder.clone());
            odd.push(FindingKind::HeldByAnother { key, holder });
        }
        if let Some(bag) = &key.bag {
            let (key, bag) = (name.clone(), bag.serial.clone());
            odd.push(FindingKind::OutOfItsBag { key, bag });
        }
    }
    odd
}

/// What is odd about an event that is about to happen.
pub(super) fn odd_beforehand(event: &Event, before: &State) -> Vec<FindingKind> {
    match event {
        Event::PolicyChanged(change) => {
            let loosened = change.loosens(before.policy()).into_iter();
            loosened.map(|how| FindingKind::PolicyLoosened { how }).collect()
        }
        Event::BagOpened(opened) => {
            let key = opened.key.clone();
            let bag = before.keys().get(&key).and_then(|key| key.bag.as_ref());
            let other = bag.filter(|bag| bag.serial != opened.bag).map(|bag| {
                let (sealed, found) = (bag.serial.clone(), opened.bag.clone());
                FindingKind::OtherBag { key: key.clone(), sealed, found }
            });
            let broken = || FindingKind::BrokenSeal { key: key.clone(), bag: opened.bag.clone() };
            other.into_iter().chain((!opened.intact).then(broken)).collect()
        }
        _ => Vec::new(),
    }
}

/// What is odd about an event that has happened.
pub(super) fn odd_afterwards(event: &Event, after: &State) -> Option<FindingKind> {
    let (Event::KeyLost(report) | Event::KeyCompromised(report)) = event else { return None };
    let key = after.keys().get(&report.key)?;
    let claimed = key.claims.iter().any(|claim| claim.reporter == report.reporter);
    (claimed && key.is_active()).then(|| FindingKind::OnlyClaimed {
        key: report.key.clone(),
        reporter: report.reporter.clone(),
    })
}
