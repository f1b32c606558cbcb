//! Readers: age recipients that may read the log and sign nothing.

use serde::{Deserialize, Serialize};

use super::{AgeRecipient, Handle, Rejection, Stamp, State};

/// Somebody, or some machine, that may read the log and sign nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    /// What `records` is encrypted to for them.
    pub recipient: AgeRecipient,
    /// The custodian whose machine it is, if it is one's: it reads as long as they stay.
    pub owner: Option<Handle>,
    /// When they were added.
    pub added: Stamp,
}

/// A reader is let in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderAdded {
    /// Their handle, never used before by a custodian or reader.
    pub reader: Handle,
    /// The recipient of an age identity that they keep.
    pub recipient: AgeRecipient,
    /// The custodian whose machine it is, who takes it along when they leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Handle>,
}

impl ReaderAdded {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        if let Some(owner) = &self.owner {
            state.present(owner)?;
        }
        state.take_member(&self.reader, &self.recipient)?;
        let (recipient, owner) = (self.recipient.clone(), self.owner.clone());
        let reader = Reader { recipient, owner, added: at };
        state.readers.insert(self.reader.clone(), reader);
        Ok(())
    }
}

/// A reader is let in no more. What they could read, they may have kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderRemoved {
    /// Who.
    pub reader: Handle,
}

impl ReaderRemoved {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        match state.readers.remove(&self.reader) {
            Some(_) => Ok(()),
            None => Err(Rejection::Unknown("reader", self.reader.to_string())),
        }
    }
}
