//! Compartments: age identities that files are encrypted to, themselves encrypted to
//! their members.

use serde::{Deserialize, Serialize};

use super::state::follows;
use super::{AgeRecipient, Digest, Handle, Rejection, Sealing, Stamp, State};

/// The compartment of the log: custodians and readers.
pub const RECORDS: &str = "records";
/// The compartment of secrets such as TOTP seeds: custodians only.
pub const SEEDS: &str = "seeds";

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
        let known = state.compartments.get(&self.compartment).map_or(0, |c| c.sealing.epoch);
        follows(self.epoch, known, &format!("epoch of compartment {}", self.compartment))?;
        state.take_recipient(&self.recipient)?;
        state.sealings.push(Sealing::Compartment(self.clone()));
        let recipients = state.recipients_of(&self.members);
        let compartment = Compartment { sealing: self.clone(), sealed: at, recipients };
        state.compartments.insert(self.compartment.clone(), compartment);
        Ok(())
    }
}
