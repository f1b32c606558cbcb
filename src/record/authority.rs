//! Who must sign what: one table, [`rule`], and the judge that applies it.
//!
//! Whether a signature is genuine is not decided here; the signers that come in have
//! signed. The first entry founds the vault and is judged by [`judge_founding`]; every
//! later event by [`judge`], against the state before its entry.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Event, Handle, KeyName, RECORDS, SEEDS, State};

/// What an event asks of its signers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Every founding custodian: in the first entry only.
    Founders,
    /// That very key.
    TheKey(KeyName),
    /// The key it is about or its owner, and two custodians.
    KeyOrOwnerAndTwo(KeyName),
    /// Two different custodians (one, until a second was added).
    Two,
}

/// The table.
pub fn rule(event: &Event) -> Rule {
    match event {
        Event::VaultCreated(_) => Rule::Founders,
        Event::KeyChecked(event) => Rule::TheKey(event.key.clone()),
        Event::KeyEnrolled(event) => Rule::KeyOrOwnerAndTwo(event.key.clone()),
        Event::IdentitySealed(event) => Rule::KeyOrOwnerAndTwo(KeyName {
            owner: event.custodian.clone(),
            label: event.slot.clone(),
        }),
        Event::CustodianAdded(_) | Event::ReaderAdded(_) | Event::CompartmentSealed(_) => Rule::Two,
    }
}

/// Why the signers of an entry don't suffice for one of its events.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Unauthorised {
    /// The vault can be founded only once, in the first entry.
    #[error("{0} belongs in the first entry")]
    FoundingOnly(&'static str),
    /// Too few custodians signed.
    #[error("{event} needs {needed} different custodians to sign, and {signed} did")]
    TooFew {
        /// Kind of the event.
        event: &'static str,
        /// How many are needed.
        needed: usize,
        /// How many different custodians signed.
        signed: usize,
    },
    /// The key that the event is about didn't sign.
    #[error("{event} must be signed by {key} itself")]
    NotTheKey {
        /// Kind of the event.
        event: &'static str,
        /// The key.
        key: KeyName,
    },
    /// Neither the key nor its owner signed.
    #[error("{event} must be signed by {key} or by another key of {}", key.owner)]
    NotTheOwner {
        /// Kind of the event.
        event: &'static str,
        /// The key.
        key: KeyName,
    },
    /// A founding custodian didn't sign.
    #[error("{0} founds the vault and must sign")]
    NotEveryFounder(Handle),
    /// A founding custodian has no key.
    #[error("{0} founds the vault and has no key in it")]
    KeylessFounder(Handle),
    /// A compartment that every vault has is missing.
    #[error("a vault is founded with its compartment {0}")]
    NoCompartment(&'static str),
    /// Nobody founds the vault.
    #[error("a vault is founded by at least one custodian with a key")]
    NoFounder,
}

/// Judges one event of an entry after the first. `before` is the state before the entry;
/// `signers` are the keys that signed it.
pub fn judge(event: &Event, before: &State, signers: &[KeyName]) -> Result<(), Unauthorised> {
    let kind = event.kind();
    match rule(event) {
        Rule::Founders => Err(Unauthorised::FoundingOnly(kind)),
        Rule::TheKey(key) => {
            if before.active_key(&key).is_some() && signers.contains(&key) {
                Ok(())
            } else {
                Err(Unauthorised::NotTheKey { event: kind, key })
            }
        }
        Rule::KeyOrOwnerAndTwo(key) => {
            let owns = |signer: &&KeyName| {
                **signer == key || signer.owner == key.owner && before.active_key(signer).is_some()
            };
            if signers.iter().any(|signer| owns(&signer)) {
                enough_custodians(kind, before, signers)
            } else {
                Err(Unauthorised::NotTheOwner { event: kind, key })
            }
        }
        Rule::Two => enough_custodians(kind, before, signers),
    }
}

/// Judges the first entry. `after` is the state that it makes: every custodian it adds
/// must have signed, with a key of theirs that it enrols, and there must be the compartments
/// that the log and its secrets are encrypted to.
pub fn judge_founding(after: &State, signers: &[KeyName]) -> Result<(), Unauthorised> {
    if after.custodians().is_empty() {
        return Err(Unauthorised::NoFounder);
    }
    let signed: BTreeSet<&Handle> = signers.iter().map(|signer| &signer.owner).collect();
    for founder in after.custodians().keys() {
        if !after.keys().keys().any(|key| key.owner == *founder) {
            return Err(Unauthorised::KeylessFounder(founder.clone()));
        }
        if !signed.contains(founder) {
            return Err(Unauthorised::NotEveryFounder(founder.clone()));
        }
    }
    let sealed = |name: &str| after.compartments().keys().any(|known| known.as_str() == name);
    match [RECORDS, SEEDS].into_iter().find(|name| !sealed(name)) {
        Some(name) => Err(Unauthorised::NoCompartment(name)),
        None => Ok(()),
    }
}

fn enough_custodians(
    event: &'static str,
    before: &State,
    signers: &[KeyName],
) -> Result<(), Unauthorised> {
    let signed: BTreeSet<&Handle> = signers
        .iter()
        .filter(|signer| before.active_key(signer).is_some())
        .map(|signer| &signer.owner)
        .filter(|owner| before.custodians().contains_key(owner))
        .collect();
    let needed = before.quorum();
    if signed.len() >= needed {
        Ok(())
    } else {
        Err(Unauthorised::TooFew { event, needed, signed: signed.len() })
    }
}
