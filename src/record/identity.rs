//! Personal identities: the age identity of a custodian, sealed to each of their keys and
//! to a passphrase on paper.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::follows;
use super::{AgeRecipient, Digest, Handle, KeyName, Rejection, Sealing, Stamp, State};

/// The slot of the copy under a passphrase; no key may bear this label.
pub const PAPER: &str = "paper";

/// A sealed copy of a custodian's personal identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedIdentity {
    /// What was recorded about it.
    pub sealing: IdentitySealed,
    /// When.
    pub sealed: Stamp,
    /// The recipient of the identity that is inside.
    pub recipient: AgeRecipient,
}

/// A custodian's personal identity was sealed to one of their keys, or to a passphrase.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySealed {
    /// Whose identity.
    pub custodian: Handle,
    /// The label of the key it is sealed to, or `paper`.
    pub slot: Handle,
    /// Counts the sealings of this slot, from 1.
    pub generation: u32,
    /// Digest of the sealed file.
    pub sha256: Digest,
    /// Digest of the `.identity` file that stock age needs, for a slot that is a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin_sha256: Option<Digest>,
}

impl IdentitySealed {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        let recipient = state.present(&self.custodian)?.recipient.clone();
        let on_paper = self.slot.as_str() == PAPER;
        let key = KeyName { owner: self.custodian.clone(), label: self.slot.clone() };
        if !on_paper && !state.key_mut(&key)?.is_active() {
            return Err(Rejection::Mismatch(format!(
                "{key} may not sign: nothing is sealed to it"
            )));
        }
        if on_paper == self.plugin_sha256.is_some() {
            return Err(Rejection::Mismatch(format!(
                "the identity sealed to {key} must name a plugin identity exactly if it is sealed to a key"
            )));
        }
        let known = state.identities.get(&key).map_or(0, |known| known.sealing.generation);
        follows(self.generation, known, &format!("generation of the identity sealed to {key}"))?;
        state.note_sealing(Sealing::Identity(self.clone()));
        Arc::make_mut(&mut state.reach).note_copy(&key, self.generation, &recipient);
        let sealed = SealedIdentity { sealing: self.clone(), sealed: at, recipient };
        state.identities.insert(key, sealed);
        Ok(())
    }
}
