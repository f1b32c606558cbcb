//! Compartments: age identities that files are encrypted to, themselves encrypted to
//! their members.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::state::follows;
use super::{AgeRecipient, Digest, Handle, Rejection, Sealing, Stamp, State};

/// The compartment of the log: custodians and readers.
pub const RECORDS: &str = "records";
/// The compartment of secrets such as TOTP seeds: custodians only.
pub const SEEDS: &str = "seeds";
/// The most compartments that a vault has.
const MAX_COMPARTMENTS: usize = 200;

/// Who is to belong to a compartment from now on: some of the custodians. With the first such
/// choice there is a compartment of that name; its epochs begin by [`CompartmentSealed`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembersChosen {
    /// Which compartment: none of those that every vault has.
    pub compartment: Handle,
    /// Whom it is to open to: sorted, each once, each with a key.
    pub members: Vec<Handle>,
}

impl MembersChosen {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        let name = self.compartment.as_str();
        if name == RECORDS || name == SEEDS {
            let message = format!("{name} opens to every custodian, so nobody chooses its members");
            return Err(Rejection::Mismatch(message));
        }
        let chosen: BTreeSet<Handle> = self.members.iter().cloned().collect();
        if chosen.is_empty() || !chosen.iter().eq(&self.members) {
            let message = format!("the members of {name} must be named, sorted and each once");
            return Err(Rejection::Mismatch(message));
        }
        let is_new = !state.chosen.contains_key(&self.compartment);
        if is_new && state.chosen.len() >= MAX_COMPARTMENTS {
            let message = format!("a vault has {MAX_COMPARTMENTS} compartments at most");
            return Err(Rejection::Mismatch(message));
        }
        let keyed = state.keyed_custodians();
        for member in &chosen {
            state.present(member)?;
            if !keyed.contains(member) {
                let message = format!("{member} has no key yet, so {name} can't open to them");
                return Err(Rejection::Mismatch(message));
            }
        }
        state.chosen.insert(self.compartment.clone(), chosen);
        Ok(())
    }
}

/// A compartment, in its present epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compartment {
    /// What was recorded when the epoch began.
    pub sealing: CompartmentSealed,
    /// When it began.
    pub sealed: Stamp,
    /// The members' recipients at that time, in the order of the members.
    pub recipients: Vec<AgeRecipient>,
}

/// An epoch of a compartment begins: a new age identity, encrypted to the members, with
/// the identities of earlier epochs inside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompartmentSealed {
    /// Which compartment.
    pub compartment: Handle,
    /// Counts the epochs, from 1.
    pub epoch: u32,
    /// What files of this epoch are encrypted to.
    pub recipient: AgeRecipient,
    /// Whom the compartment's identity is encrypted to, sorted.
    pub members: Vec<Handle>,
    /// Digest of the file that holds the identity.
    pub sha256: Digest,
}

impl CompartmentSealed {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        let expected = state
            .members_of(&self.compartment)
            .ok_or_else(|| Rejection::Unknown("compartment", self.compartment.to_string()))?;
        if self.members != expected {
            return Err(Rejection::Mismatch(format!(
                "compartment {} must be encrypted to its members and to nobody else",
                self.compartment
            )));
        }
        if expected.is_empty() {
            return Err(Rejection::Mismatch(format!("{} has no member", self.compartment)));
        }
        let known = state.compartments.get(&self.compartment);
        if known.is_some_and(|known| known.sealed.entry == at.entry) {
            let message = format!("{} is sealed once in an entry", self.compartment);
            return Err(Rejection::Mismatch(message));
        }
        let known = known.map_or(0, |known| known.sealing.epoch);
        follows(self.epoch, known, &format!("epoch of compartment {}", self.compartment))?;
        state.take_recipient(&self.recipient)?;
        state.note_sealing(Sealing::Compartment(self.clone()));
        let recipients = state.recipients_of(&self.members);
        state.note_epoch(&self.compartment, self.epoch, &recipients, at.entry);
        let compartment = Compartment { sealing: self.clone(), sealed: at, recipients };
        state.compartments.insert(self.compartment.clone(), compartment);
        Ok(())
    }
}
