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
    /// A key, or a paper copy (`alice/paper`), with the identities that were sealed to it.
    Copy(KeyName),
}

/// What could be opened of one compartment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reach {
    /// Which compartment.
    pub compartment: Handle,
    /// The newest epoch that could be opened, and so those before it.
    pub epoch: u32,
    /// The last entry that was encrypted while that epoch was the present one.
    pub until: u64,
    /// Whether it is the present epoch still.
    pub present: bool,
}

/// What could be opened, by compartment. `documents` are those of a sound log, from its
/// first entry on.
pub fn reach<'a>(documents: impl IntoIterator<Item = &'a Document>, whose: &Whose) -> Vec<Reach> {
    let mut recipients: BTreeMap<Handle, AgeRecipient> = BTreeMap::new();
    let mut within: BTreeSet<AgeRecipient> = BTreeSet::new();
    let mut found: BTreeMap<Handle, Reach> = BTreeMap::new();
    let person = match whose {
        Whose::Person(handle) => handle,
        Whose::Copy(key) => &key.owner,
    };
    let mut last = 0;
    for document in documents {
        last = document.number;
        for event in &document.events {
            match event {
                Event::CustodianAdded(event) => {
                    recipients.insert(event.custodian.clone(), event.recipient.clone());
                }
                Event::RecipientChanged(event) => {
                    recipients.insert(event.custodian.clone(), event.recipient.clone());
                }
                Event::ReaderAdded(event) => {
                    recipients.insert(event.reader.clone(), event.recipient.clone());
                }
                Event::IdentitySealed(event) => {
                    let is_copy = matches!(whose, Whose::Copy(key)
                        if key.owner == event.custodian && key.label == event.slot);
                    within.extend(is_copy.then(|| recipients.get(person).cloned()).flatten());
                }
                Event::CompartmentSealed(event) => {
                    if let Some(known) = found.get_mut(&event.compartment) {
                        known.close(document.number);
                    }
                    let recipient = recipients.get(person);
                    let theirs = recipient.is_some_and(|recipient| match whose {
                        Whose::Person(_) => true,
                        Whose::Copy(_) => within.contains(recipient),
                    });
                    if theirs && event.members.contains(person) {
                        let (compartment, epoch) = (event.compartment.clone(), event.epoch);
                        let reach = Reach { compartment, epoch, until: 0, present: true };
                        found.insert(event.compartment.clone(), reach);
                    }
                }
                _ => {}
            }
        }
    }
    let mut all: Vec<Reach> = found.into_values().collect();
    all.iter_mut().filter(|reach| reach.present).for_each(|reach| reach.until = last);
    all
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
