//! Security keys, as the log knows them.

use serde::{Deserialize, Serialize};

use super::{
    Bytes, Hex, KeyName, Line, PAPER, Rejection, Salt, SshPublicKey, Stamp, State, VaultId,
};

/// Whether a key may sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// It may.
    Active,
}

/// An enrolled security key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// Its enrolment, with the raw attestation.
    pub enrolment: KeyEnrolled,
    /// Whether it may sign.
    pub state: KeyState,
    /// When it was enrolled.
    pub enrolled: Stamp,
    /// When it last signed an entry, and so was last seen in its owner's hand.
    pub last_seen: Stamp,
}

/// A key is enrolled: its signing credential was made for this vault, and the raw
/// attestation is kept for later judgement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEnrolled {
    /// The key's name, never used before.
    pub key: KeyName,
    /// Its public key, never used before; the application is inside.
    pub public_key: SshPublicKey,
    /// The credential id.
    pub credential: Bytes,
    /// The model's id, as the key claims it.
    pub aaguid: Hex<16>,
    /// The USB product name, as the device claims it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Line>,
    /// The firmware version, as the key claims it and its vendor counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<u64>,
    /// Format of the attestation statement (WebAuthn, section 8).
    pub attestation_format: Line,
    /// What the challenge was made of, beside the vault's id and the key's name: see
    /// [`KeyEnrolled::challenge`].
    pub attestation_nonce: Salt,
    /// Authenticator data, with the credential and its public key.
    pub attestation_data: Bytes,
    /// COSE algorithm of the attestation signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation_algorithm: Option<i64>,
    /// The attestation signature.
    pub attestation_signature: Bytes,
    /// The attestation certificates in DER, the leaf first.
    pub attestation_certificates: Vec<Bytes>,
}

impl KeyEnrolled {
    /// The challenge that binds an attestation to one vault and one key of one owner. The
    /// key hashes it: `clientDataHash` is its SHA-256.
    pub fn challenge(vault: &VaultId, key: &KeyName, nonce: &Salt) -> Vec<u8> {
        format!("keymuster-enrol\n{vault}\n{key}\n{nonce}\n").into_bytes()
    }

    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        if !state.custodians.contains_key(&self.key.owner) {
            return Err(Rejection::Unknown("custodian", self.key.owner.to_string()));
        }
        if self.key.label.as_str() == PAPER {
            return Err(Rejection::Reserved(PAPER));
        }
        if state.keys.contains_key(&self.key) {
            return Err(Rejection::Taken("key", self.key.to_string()));
        }
        let same = |key: &Key| {
            key.enrolment.public_key == self.public_key
                || key.enrolment.credential == self.credential
        };
        if let Some((name, _)) = state.keys.iter().find(|(_, key)| same(key)) {
            return Err(Rejection::Mismatch(format!("{} is the same key as {name}", self.key)));
        }
        let key =
            Key { enrolment: self.clone(), state: KeyState::Active, enrolled: at, last_seen: at };
        state.keys.insert(self.key.clone(), key);
        Ok(())
    }
}

/// A key was checked: it signed the entry that says so, which is the proof.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChecked {
    /// Which key.
    pub key: KeyName,
}

impl KeyChecked {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        match state.keys.get_mut(&self.key) {
            Some(key) => key.last_seen = at,
            None => return Err(Rejection::Unknown("key", self.key.to_string())),
        }
        Ok(())
    }
}
