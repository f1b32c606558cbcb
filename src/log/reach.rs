//! What somebody could open: every epoch of a compartment that was sealed to an identity of
//! theirs, and the epochs before it, which are inside.
//!
//! It tells what could be opened, not what was: whoever had a file may have kept it.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Document;
use crate::record::{AgeRecipient, Event, Handle, KeyName};

/// Whose reach is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// A custodian or reader, with whatever identity they had.
    Person(Handle),
    /// One sealed copy of an identity: that of a key, or that on paper (`alice/paper`).
    Copy {
        /// The key, or the paper.
        slot: KeyName,
        /// Which of its copies.
        generation: u32,
    },
}

/// What could be opened of one compartment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reach {
    /// Which compartment.
    pub compartment: Handle,
    /// The newest epoch that could be opened, and so those before it.
    pub epoch: u32,
    /// The last entry that was made while that epoch was the present one.
    pub until: u64,
    /// Whether it is the present epoch still.
    pub present: bool,
}

/// What could be opened, by compartment. `documents` are those of a sound log, from its
/// first entry on.
pub fn reach<'a>(
    documents: impl IntoIterator<Item = &'a Document> + Clone,
    whose: &Whose,
) -> Vec<Reach> {
    // A copy may be made long after the epoch that it opens.
    let keys = recipients(documents.clone(), whose);
    let person = whose.person();
    let mut known: BTreeMap<&Handle, &AgeRecipient> = BTreeMap::new();
    let mut found: BTreeMap<Handle, Reach> = BTreeMap::new();
    let mut last = 0;
    for document in documents {
        last = document.number;
        for event in &document.events {
            if let Some((handle, recipient)) = recipient_in(event) {
                known.insert(handle, recipient);
            }
            let Event::CompartmentSealed(event) = event else { continue };
            if let Some(before) = found.get_mut(&event.compartment) {
                before.close(document.number);
            }
            let theirs = known.get(person).is_some_and(|recipient| keys.contains(recipient));
            if theirs && event.members.contains(person) {
                let (compartment, epoch) = (event.compartment.clone(), event.epoch);
                let reach = Reach { compartment, epoch, until: 0, present: true };
                found.insert(event.compartment.clone(), reach);
            }
        }
    }
    let mut all: Vec<Reach> = found.into_values().collect();
    all.iter_mut().filter(|reach| reach.present).for_each(|reach| reach.until = last);
    all
}

/// The recipients whose identity they ever had.
fn recipients<'a>(
    documents: impl IntoIterator<Item = &'a Document>,
    whose: &Whose,
) -> BTreeSet<&'a AgeRecipient> {
    let person = whose.person();
    let mut present = None;
    let mut all = BTreeSet::new();
    for event in documents.into_iter().flat_map(|document| &document.events) {
        if let Some((_, recipient)) = recipient_in(event).filter(|(handle, _)| *handle == person) {
            present = Some(recipient);
            all.extend(matches!(whose, Whose::Person(_)).then_some(recipient));
        }
        if let (Event::IdentitySealed(sealed), Whose::Copy { slot, generation }) = (event, whose)
            && (&sealed.custodian, &sealed.slot) == (&slot.owner, &slot.label)
            && sealed.generation == *generation
        {
            all.extend(present);
        }
    }
    all
}

/// Who has which recipient from an event on.
fn recipient_in(event: &Event) -> Option<(&Handle, &AgeRecipient)> {
    match event {
        Event::CustodianAdded(event) => Some((&event.custodian, &event.recipient)),
        Event::RecipientChanged(event) => Some((&event.custodian, &event.recipient)),
        Event::ReaderAdded(event) => Some((&event.reader, &event.recipient)),
        _ => None,
    }
}

impl Whose {
    fn person(&self) -> &Handle {
        match self {
            Self::Person(handle) => handle,
            Self::Copy { slot, .. } => &slot.owner,
        }
    }
}

impl Reach {
    /// Another epoch begins with this entry.
    fn close(&mut self, entry: u64) {
        if self.present {
            self.present = false;
            self.until = entry.saturating_sub(1);
        }
    }
}
