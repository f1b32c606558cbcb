//! Security keys, as the log knows them: their enrolment and their checks.

use serde::{Deserialize, Serialize};

use super::{
    Bag, Bytes, Handle, Hex, KeyName, Line, PAPER, Rejection, Report, Salt, SshPublicKey, Stamp,
    State, VaultId,
};

/// Whether a key may sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// It may.
    Active,
    /// Another custodian reported it: it may sign that it is restored, and nothing else.
    Suspended(Report),
    /// Its owner reported that it is lost, or that somebody else may use it. For good.
    Reported(Report),
    /// It was taken out of service.
    Retired(Stamp),
}

/// An enrolled security key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// Its enrolment, with the raw attestation.
    pub enrolment: KeyEnrolled,
    /// Whether it may sign.
    pub state: KeyState,
    /// Reports of other custodians that don't suspend it: too few custodians would have been
    /// left who can sign, or it was retired then.
    pub claims: Vec<Report>,
    /// When it was enrolled.
    pub enrolled: Stamp,
    /// When it last signed an entry, and so was last seen in its owner's hand.
    pub last_seen: Stamp,
    /// Who has it.
    pub holder: Handle,
    /// Where it is kept.
    pub place: Option<Line>,
    /// Where the envelope with its PIN is kept.
    pub pin_place: Option<Line>,
    /// The sealed bag that it is in.
    pub bag: Option<Bag>,
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
        state.present(&self.key.owner)?;
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
        let key = Key {
            enrolment: self.clone(),
            state: KeyState::Active,
            claims: Vec::new(),
            enrolled: at,
            last_seen: at,
            holder: self.key.owner.clone(),
            place: None,
            pin_place: None,
            bag: None,
        };
        state.keys.insert(self.key.clone(), key);
        state.had_two_custodians |= state.keys.keys().any(|key| key.owner != self.key.owner);
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
        state.key_mut(&self.key)?.last_seen = at;
        Ok(())
    }
}
