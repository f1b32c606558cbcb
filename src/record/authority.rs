//! Who must sign what: one table, [`rule`], and the judge that applies it.
//!
//! Whether a signature is genuine is not decided here; the signers that come in have
//! signed. The first entry founds the vault and is judged by [`judge_founding`]; every
//! later event by [`judge`], against the state before its entry.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Event, Handle, KeyName, KeyState, Part, RECORDS, SEEDS, State};

/// What an event asks of its signers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Every founding custodian: in the first entry only.
    Founders,
    /// That very key.
    TheKey(KeyName),
    /// That very key, which the entry enrols, and two custodians.
    TheKeyAndTwo(KeyName),
    /// A key of this custodian, and two custodians. A key that the entry enrols counts as
    /// theirs where it is the one that the event is about, or they have no other that may sign.
    OwnerAndTwo {
        /// Who.
        owner: Handle,
        /// The key that the event is about.
        slot: Option<KeyName>,
    },
    /// Each of these custodians.
    Each(Vec<Handle>),
    /// The custodian who reports a key: alone, unless it is another's and an earlier such
    /// report of theirs was overruled. Then two custodians.
    Reporter {
        /// Who reports.
        reporter: Handle,
        /// Which key.
        key: KeyName,
    },
    /// A custodian to whom both this secret's present compartment and this one open, else two: a
    /// secret isn't taken out of the hands it is in by somebody alone, nor is what such a one could
    /// open said to be another.
    KeeperOrTwo {
        /// The secret.
        secret: Handle,
        /// Where its value goes.
        compartment: Handle,
    },
    /// One custodian, whoever it is.
    One,
    /// Two different custodians (one, until a second had a key).
    Two,
    /// The same, and suspended keys count.
    TwoEvenSuspended,
}

/// The table.
pub fn rule(event: &Event) -> Rule {
    match event {
        Event::VaultCreated(_) | Event::VaultSucceeds(_) => Rule::Founders,
        Event::KeyChecked(event) => Rule::TheKey(event.key.clone()),
        Event::KeyEnrolled(event) => Rule::TheKeyAndTwo(event.key.clone()),
        Event::IdentitySealed(event) => {
            let (owner, label) = (event.custodian.clone(), event.slot.clone());
            Rule::OwnerAndTwo { slot: Some(KeyName { owner: owner.clone(), label }), owner }
        }
        Event::RecipientChanged(event) => {
            Rule::OwnerAndTwo { owner: event.custodian.clone(), slot: None }
        }
        Event::KeyLost(event) | Event::KeyCompromised(event) => {
            Rule::Reporter { reporter: event.reporter.clone(), key: event.key.clone() }
        }
        Event::KeyRestored(_) => Rule::TwoEvenSuspended,
        Event::KeyHandedOver(event) => Rule::Each(vec![event.giver.clone(), event.taker.clone()]),
        Event::BagSealed(event) => Rule::Each(vec![event.sealer.clone(), event.witness.clone()]),
        Event::BagOpened(event) => Rule::Each(vec![event.opener.clone(), event.witness.clone()]),
        Event::SecretOpened(event) => Rule::Each(vec![event.opener.clone()]),
        Event::DutiesAcknowledged(event) => Rule::Each(vec![event.custodian.clone()]),
        Event::DrillStarted(event) => Rule::Each(people(&event.roster)),
        Event::DrillFinished(event) => Rule::Each(people(&event.roster)),
        Event::DrillAbandoned(event) => Rule::Each(people(&event.roster)),
        Event::DrillReviewed(event) => Rule::Each(vec![event.reviewer.clone()]),
        Event::SecretReplaced(event) => Rule::KeeperOrTwo {
            secret: event.secret.clone(),
            compartment: event.compartment.clone(),
        },
        Event::CustodianChanged(_)
        | Event::KeyMoved(_)
        | Event::AccountChanged(_)
        | Event::TokenMoved(_)
        | Event::ContactsReviewed(_)
        | Event::MailboxTested(_)
        | Event::PhoneTested(_)
        | Event::SignInProven(_)
        | Event::TotpChecked(_)
        | Event::SecretStored(_)
        | Event::ActionOpened(_)
        | Event::ActionClosed(_)
        | Event::SlipEndorsed(_)
        // These follow the end of their drill in its entry, and so have its signers.
        | Event::DrillStep(_)
        | Event::DrillException(_)
        | Event::DrillInterrupted(_)
        | Event::PartTaken(_)
        | Event::EvidenceKept(_) => Rule::One,
        Event::CustodianAdded(_)
        | Event::CustodianLeft(_)
        | Event::ReaderAdded(_)
        | Event::ReaderRemoved(_)
        | Event::KeyRetired(_)
        | Event::PolicyChanged(_)
        | Event::AccountAdded(_)
        | Event::AccountRemoved(_)
        | Event::RootUserChanged(_)
        | Event::DeviceLinked(_)
        | Event::DeviceUnlinked(_)
        | Event::RunbookAdopted(_)
        | Event::RunbookWithdrawn(_)
        | Event::WaiverGiven(_)
        | Event::HeadAbandoned(_)
        | Event::MembersChosen(_)
        | Event::CompartmentSealed(_) => Rule::Two,
    }
}

/// Those who have the parts.
fn people(roster: &[Part]) -> Vec<Handle> {
    roster.iter().map(|part| part.person.clone()).collect()
}

/// Whether a key that isn't enrolled by the entry itself may sign it: an active key may sign
/// anything, a suspended one only that keys are restored.
pub fn may_sign(state: &State, key: &KeyName, events: &[Event]) -> bool {
    match state.keys().get(key).map(|key| &key.state) {
        Some(KeyState::Active) => true,
        Some(KeyState::Suspended(_)) => {
            let restores = |event: &Event| matches!(event, Event::KeyRestored(_));
            !events.is_empty() && events.iter().all(restores)
        }
        _ => false,
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
    /// A custodian whom it is about didn't sign.
    #[error("{event} must be signed by a key of {custodian}")]
    NotBy {
        /// Kind of the event.
        event: &'static str,
        /// Who must.
        custodian: Handle,
    },
    /// A reporter was wrong before.
    #[error(
        "a report of {reporter}'s was overruled: another's key they report with a second custodian"
    )]
    Overruled {
        /// Who.
        reporter: Handle,
    },
    /// A founding custodian didn't sign.
    #[error("{0} founds the vault and must sign")]
    NotEveryFounder(Handle),
    /// A founding custodian has no key that may sign.
    #[error("{0} founds the vault and has no key in it")]
    KeylessFounder(Handle),
    /// A key of a founder's didn't sign its own enrolment.
    #[error("{0} is enrolled by the founding and must sign it")]
    NotEveryKey(KeyName),
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
    judge_by(rule(event), event, before, signers)
}

/// The same in an extract of a log, where nothing is known of secrets: of who must sign that
/// one is replaced, no more is judged than that somebody did who may.
pub fn judge_in_extract(
    event: &Event,
    before: &State,
    signers: &[KeyName],
) -> Result<(), Unauthorised> {
    let rule = match rule(event) {
        Rule::KeeperOrTwo { .. } => Rule::One,
        other => other,
    };
    judge_by(rule, event, before, signers)
}

fn judge_by(
    rule: Rule,
    event: &Event,
    before: &State,
    signers: &[KeyName],
) -> Result<(), Unauthorised> {
    let kind = event.kind();
    let active = |signer: &&KeyName| before.active_key(signer).is_some();
    let by = |handle: &Handle| signers.iter().filter(active).any(|key| key.owner == *handle);
    let signed_by = |handle: &Handle| {
        let not_by = || Unauthorised::NotBy { event: kind, custodian: handle.clone() };
        by(handle).then_some(()).ok_or_else(not_by)
    };
    let number = |needed| enough(kind, before, signers.iter().filter(active), needed);
    let two = || number(before.quorum());
    match rule {
        Rule::Founders => Err(Unauthorised::FoundingOnly(kind)),
        Rule::TheKey(key) => {
            if before.active_key(&key).is_some() && signers.contains(&key) {
                Ok(())
            } else {
                Err(Unauthorised::NotTheKey { event: kind, key })
            }
        }
        Rule::TheKeyAndTwo(key) => {
            if !signers.contains(&key) {
                return Err(Unauthorised::NotTheKey { event: kind, key });
            }
            two()
        }
        Rule::OwnerAndTwo { owner, slot } => {
            // Who joins, or has lost every key, has none but that which the entry enrols.
            let joins =
                !before.keys().iter().any(|(name, key)| name.owner == owner && key.is_active());
            let theirs =
                |key: &KeyName| key.owner == owner && (joins || Some(key) == slot.as_ref());
            if !signers.iter().any(theirs) {
                signed_by(&owner)?;
            }
            two()
        }
        Rule::Each(custodians) => custodians.iter().try_for_each(signed_by),
        Rule::Reporter { reporter, key } => {
            signed_by(&reporter)?;
            let overruled =
                before.custodians().get(&reporter).is_some_and(|c| c.overruled.is_some());
            if reporter != key.owner && overruled {
                return number(2).map_err(|_| Unauthorised::Overruled { reporter });
            }
            Ok(())
        }
        Rule::KeeperOrTwo { secret, compartment } => {
            let present = before.secrets().get(&secret).and_then(|secret| secret.present());
            let keeps = |handle: &Handle| {
                let of = |name| before.openers_of(name).contains(handle);
                present.is_some_and(|present| of(&present.compartment)) && of(&compartment)
            };
            if signers.iter().filter(active).any(|key| keeps(&key.owner)) {
                return Ok(());
            }
            two()
        }
        Rule::One => number(1),
        Rule::Two => two(),
        Rule::TwoEvenSuspended => {
            let may = |signer: &&KeyName| may_sign(before, signer, std::slice::from_ref(event));
            enough(kind, before, signers.iter().filter(may), before.quorum())
        }
    }
}

/// Judges the first entry. `after` is the state that it makes: every custodian it adds
/// must have signed, with every key that it enrols, one of which stays active, and there must
/// be the compartments that the log and its secrets are encrypted to. So nothing else in the
/// entry lacks a signature that the table asks for.
pub fn judge_founding(after: &State, signers: &[KeyName]) -> Result<(), Unauthorised> {
    if after.custodians().is_empty() {
        return Err(Unauthorised::NoFounder);
    }
    let signed: BTreeSet<&Handle> = signers.iter().map(|signer| &signer.owner).collect();
    for founder in after.custodians().keys().chain(after.former_custodians().keys()) {
        if !after.keys().iter().any(|(name, key)| name.owner == *founder && key.is_active()) {
            return Err(Unauthorised::KeylessFounder(founder.clone()));
        }
        if !signed.contains(founder) {
            return Err(Unauthorised::NotEveryFounder(founder.clone()));
        }
    }
    if let Some(silent) = after.keys().keys().find(|key| !signers.contains(key)) {
        return Err(Unauthorised::NotEveryKey(silent.clone()));
    }
    let sealed = |name: &str| after.compartments().keys().any(|known| known.as_str() == name);
    match [RECORDS, SEEDS].into_iter().find(|name| !sealed(name)) {
        Some(name) => Err(Unauthorised::NoCompartment(name)),
        None => Ok(()),
    }
}

/// Fails unless keys of `needed` different custodians are among `signers`.
fn enough<'a>(
    event: &'static str,
    before: &State,
    signers: impl Iterator<Item = &'a KeyName>,
    needed: usize,
) -> Result<(), Unauthorised> {
    let owners = signers.map(|signer| &signer.owner);
    let signed: BTreeSet<&Handle> =
        owners.filter(|owner| before.custodians().contains_key(owner)).collect();
    if signed.len() >= needed {
        Ok(())
    } else {
        Err(Unauthorised::TooFew { event, needed, signed: signed.len() })
    }
}
