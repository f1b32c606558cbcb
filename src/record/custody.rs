//! Where a key is: who has it, its place, its sealed bag, the envelope with its PIN.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Handle, KeyName, Line, Rejection, Stamp, State};

/// A tamper-evident bag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bag {
    /// Its serial number, as printed on it.
    pub serial: Line,
    /// When it was sealed.
    pub sealed: Stamp,
}

/// A key, or the envelope with its PIN, is kept elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyMoved {
    /// Which key.
    pub key: KeyName,
    /// Where the key is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Line>,
    /// Where the envelope with its PIN is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_place: Option<Line>,
}

impl KeyMoved {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        if self.place.is_none() && self.pin_place.is_none() {
            return Err(Rejection::Mismatch("it moves nothing".to_owned()));
        }
        let key = state.key_mut(&self.key)?;
        key.place = self.place.clone().or(key.place.take());
        key.pin_place = self.pin_place.clone().or(key.pin_place.take());
        Ok(())
    }
}

/// A key goes from one custodian's hands to another's. It stays its owner's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyHandedOver {
    /// Which key.
    pub key: KeyName,
    /// Who gives it: whoever has it, or its owner if that one has left.
    pub giver: Handle,
    /// Who takes it.
    pub taker: Handle,
    /// Where it is kept from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Line>,
}

impl KeyHandedOver {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        two_people(state, &self.giver, &self.taker)?;
        let known = state.custodians.keys().cloned().collect::<BTreeSet<_>>();
        let key = state.key_mut(&self.key)?;
        // Who takes a key back from one who has left gives it on: its owner, or else anybody.
        let giver_fits = self.giver == self.key.owner || !known.contains(&self.key.owner);
        let gone = !known.contains(&key.holder) && giver_fits;
        if key.holder != self.giver && !gone {
            return Err(Rejection::Mismatch(format!(
                "{} is with {}, not with {}",
                self.key, key.holder, self.giver
            )));
        }
        key.holder = self.taker.clone();
        key.place.clone_from(&self.place);
        Ok(())
    }
}

/// A key is sealed in a bag, before a witness.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BagSealed {
    /// Which key.
    pub key: KeyName,
    /// The bag's serial number.
    pub bag: Line,
    /// Who seals it.
    pub sealer: Handle,
    /// Who sees it done.
    pub witness: Handle,
}

impl BagSealed {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        two_people(state, &self.sealer, &self.witness)?;
        let key = state.key_mut(&self.key)?;
        if let Some(bag) = &key.bag {
            let serial = &bag.serial;
            return Err(Rejection::Mismatch(format!("{} is in bag {serial} already", self.key)));
        }
        key.bag = Some(Bag { serial: self.bag.clone(), sealed: at });
        Ok(())
    }
}

/// The bag that a key is in is opened, before a witness. That its serial number isn't the
/// recorded one is a finding, not a fault: it must be possible to say so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BagOpened {
    /// Which key.
    pub key: KeyName,
    /// The serial number as it was found on the bag.
    pub bag: Line,
    /// Whether the seal was whole.
    pub intact: bool,
    /// Who opens it.
    pub opener: Handle,
    /// Who sees it done.
    pub witness: Handle,
}

impl BagOpened {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        two_people(state, &self.opener, &self.witness)?;
        match state.key_mut(&self.key)?.bag.take() {
            Some(_) => Ok(()),
            None => Err(Rejection::Mismatch(format!("{} is in no bag", self.key))),
        }
    }
}

fn two_people(state: &State, one: &Handle, other: &Handle) -> Result<(), Rejection> {
    state.present(one)?;
    state.present(other)?;
    if one == other {
        return Err(Rejection::Mismatch(format!("{one} can't be both people")));
    }
    Ok(())
}
