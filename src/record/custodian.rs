//! Custodians: the people who hold the keys.

use serde::{Deserialize, Serialize};

use super::{AgeRecipient, Handle, Line, Rejection, Stamp, State};

/// A person who holds keys to the vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Custodian {
    /// Their full name, if it was given.
    pub name: Option<Line>,
    /// What compartments are encrypted to for them: their personal age identity.
    pub recipient: AgeRecipient,
    /// When they were added.
    pub added: Stamp,
}

/// A custodian joins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodianAdded {
    /// Their handle, never used before.
    pub custodian: Handle,
    /// Their full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
    /// The recipient of their personal age identity.
    pub recipient: AgeRecipient,
}

impl CustodianAdded {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        state.take_member(&self.custodian, &self.recipient)?;
        state.custodians.insert(
            self.custodian.clone(),
            Custodian { name: self.name.clone(), recipient: self.recipient.clone(), added: at },
        );
        state.had_two_custodians |= state.custodians.len() >= 2;
        Ok(())
    }
}
