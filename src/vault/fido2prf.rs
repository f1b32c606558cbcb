//! Files that a FIDO2 security key opens: age's `fido2prf` stanza, as npm `age-encryption`
//! ("typage") and its Go plugin `age-plugin-fido2prf` write and read it.
//!
//! ```text
//! -> age-encryption.org/fido2prf <base64 of a nonce of 16 bytes>
//! <the file key, encrypted: 32 bytes>
//!
//! salt i = SHA-256("WebAuthn PRF" || 00 || "age-encryption.org/fido2prf" || i || nonce), i = 01, 02
//! key    = HKDF-Extract(SHA-256, salt = "age-encryption.org/fido2prf", ikm = output 1 || output 2)
//! body   = ChaCha20-Poly1305(key, nonce = 12 zero bytes, file key)
//! ```
//!
//! Both salts go through the key's `hmac-secret` extension in one request, hence with one
//! touch: [`nonce_of`] a file, [`salts`] for the key, and [`open`] with what the key gives.
//!
//! Invariants: a file has exactly one such stanza and no other way in, since each stanza would
//! cost a touch to try, and a second one would be somebody else's key to a personal identity.
//! Stanzas whose name ends in `-grease` are the exception: the age library adds one to every
//! file to keep readers tolerant, and nobody can open a file by it.
//!
//! This module must not talk to a security key.

mod plugin;

pub use plugin::{PluginIdentity, PluginIdentityError, plugin_identity};

use std::collections::HashSet;

use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{aead_decrypt, aead_encrypt};
use age_core::secrecy::ExposeSecret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::{digest, hmac};
use zeroize::{Zeroize, Zeroizing};

use super::cipher::{self, OpenError, SealError};
use crate::webauthn::{HmacSecretOutput, HmacSecretSalts};

/// The name of the stanza, and the label in everything derived for it.
const LABEL: &str = "age-encryption.org/fido2prf";

/// What WebAuthn puts before an input of the `prf` extension (WebAuthn Level 3, section 10.1.4).
const WEBAUTHN_PRF: &[u8] = b"WebAuthn PRF\0";

/// The size of a stanza's nonce, in bytes.
pub const NONCE: usize = 16;

/// The size of a stanza's body, in bytes: the file key and its tag.
const BODY: usize = FILE_KEY_BYTES + 16;

/// Why a file that should be sealed to a security key doesn't open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fido2PrfError {
    /// It isn't for a security key at all.
    #[error("this file isn't sealed to a security key")]
    NoStanza,
    /// Two or more stanzas.
    #[error("this file is sealed to several security keys at once; each should have its own")]
    SeveralStanzas,
    /// Somebody may open it in another way.
    #[error("this file can be opened in another way than by a security key")]
    OtherRecipient,
    /// The one stanza isn't well-formed.
    #[error("the fido2prf stanza of this file is malformed")]
    MalformedStanza,
    /// The output doesn't fit: another key, another credential, made without PIN or
    /// fingerprint, or a damaged stanza.
    #[error("what the security key gave doesn't open this file")]
    WrongKey,
    /// It is no sound file, whoever it is for.
    #[error(transparent)]
    File(OpenError),
}

/// The salts that `hmac-secret` takes for a nonce.
pub fn salts(nonce: [u8; NONCE]) -> HmacSecretSalts {
    let salt = |number: u8| {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in [WEBAUTHN_PRF, LABEL.as_bytes(), &[number], &nonce] {
            hash.update(part);
        }
        copied(hash.finish().as_ref())
    };
    HmacSecretSalts { first: salt(1), second: salt(2) }
}

/// Seals a plaintext to a security key, which gave `output` for [`salts`]`(nonce)`.
///
/// The nonce must be random and never used again with that key: the same nonce is the same
/// wrapping key, and two file keys under one give each other away.
pub fn seal(
    plaintext: &[u8],
    nonce: [u8; NONCE],
    output: &HmacSecretOutput,
) -> Result<Vec<u8>, SealError> {
    cipher::seal(plaintext, &[&Wrap { nonce, key: wrapping_key(output) }])
}

/// The nonce in the header of a sealed file: what the key has to be asked for.
pub fn nonce_of(file: &[u8]) -> Result<[u8; NONCE], Fido2PrfError> {
    let stanzas = cipher::stanzas(file).map_err(Fido2PrfError::File)?;
    only_stanza(&stanzas).map(|(nonce, _)| nonce)
}

/// Opens a sealed file of at most `limit` bytes of plaintext with what the key gave for
/// [`salts`] of its [`nonce_of`].
pub fn open(
    file: &[u8],
    output: &HmacSecretOutput,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, Fido2PrfError> {
    nonce_of(file)?;
    let identity = Unwrap { key: wrapping_key(output) };
    cipher::open(file, std::iter::once(&identity as &dyn age::Identity), limit).map_err(|error| {
        match error {
            OpenError::NoIdentity => Fido2PrfError::WrongKey,
            other => Fido2PrfError::File(other),
        }
    })
}

/// HKDF-Extract (RFC 5869, section 2.2), used as the key without an expansion.
fn wrapping_key(output: &HmacSecretOutput) -> Zeroizing<[u8; 32]> {
    let salt = hmac::Key::new(hmac::HMAC_SHA256, LABEL.as_bytes());
    Zeroizing::new(copied(hmac::sign(&salt, output.expose()).as_ref()))
}

/// The 32 bytes of a SHA-256 or HMAC-SHA-256.
fn copied(digest: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, given) in bytes.iter_mut().zip(digest) {
        *byte = *given;
    }
    bytes
}

/// The nonce and the body of the one stanza that a sealed file has.
fn only_stanza(stanzas: &[Stanza]) -> Result<([u8; NONCE], &[u8; BODY]), Fido2PrfError> {
    let mut ours = stanzas.iter().filter(|stanza| stanza.tag == LABEL);
    let stanza = ours.next().ok_or(Fido2PrfError::NoStanza)?;
    if ours.next().is_some() {
        return Err(Fido2PrfError::SeveralStanzas);
    }
    if stanzas.iter().any(|other| other.tag != LABEL && !other.tag.ends_with("-grease")) {
        return Err(Fido2PrfError::OtherRecipient);
    }
    let [argument] = stanza.args.as_slice() else {
        return Err(Fido2PrfError::MalformedStanza);
    };
    let nonce = STANDARD_NO_PAD.decode(argument).ok().and_then(|bytes| bytes.try_into().ok());
    match (nonce, stanza.body.as_slice().try_into()) {
        (Some(nonce), Ok(body)) => Ok((nonce, body)),
        _ => Err(Fido2PrfError::MalformedStanza),
    }
}

/// age's recipient of a file for one security key.
struct Wrap {
    nonce: [u8; NONCE],
    key: Zeroizing<[u8; 32]>,
}

impl age::Recipient for Wrap {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        let stanza = Stanza {
            tag: LABEL.to_owned(),
            args: vec![STANDARD_NO_PAD.encode(self.nonce)],
            body: aead_encrypt(&self.key, file_key.expose_secret()),
        };
        Ok((vec![stanza], HashSet::new()))
    }
}

/// age's identity of a security key that has given its output already.
struct Unwrap {
    key: Zeroizing<[u8; 32]>,
}

impl age::Identity for Unwrap {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        if stanza.tag != LABEL {
            return None;
        }
        let mut opened = aead_decrypt(&self.key, FILE_KEY_BYTES, &stanza.body).ok()?;
        let file_key = FileKey::try_init_with_mut(|key| {
            let bytes: &[u8; FILE_KEY_BYTES] =
                opened.as_slice().try_into().map_err(|_| age::DecryptError::DecryptionFailed)?;
            key.copy_from_slice(bytes);
            Ok(())
        });
        opened.zeroize();
        Some(file_key)
    }
}

#[cfg(test)]
pub(super) mod tests;
