//! SSH signatures made by security keys: one assertion of a FIDO2 key as an SSHSIG, and
//! back (OpenSSH's PROTOCOL.sshsig and PROTOCOL.u2f).
//!
//! What a key signs is [`signed_data`], handed to it as the challenge.
//! [`Signature::from_assertion`] makes the armoured text of the answer that stock
//! `ssh-keygen -Y verify` accepts; [`Signature::from_armor`] and [`Signature::verify`]
//! take it back and are stricter than `ssh-keygen`, which accepts a signature that nobody
//! touched the key for.
//!
//! Invariants: one pair of key and signature has one text. (ECDSA itself lets anybody turn
//! a valid `r, s` into the valid `r, n - s`: a signature's bytes are no identity.) Of all that OpenSSH can read, this module
//! reads only what it would write itself: the two plain `sk-` types, SHA-512, numbers of
//! minimal length, lines of 70 columns, nothing around them.
//!
//! This module must not make a signature, know who may sign what, or touch a device,
//! file or clock. A type that begins with `sk-` proves no hardware: a key made of
//! software can claim it, and only its attestation at enrolment tells.

mod armor;
mod assertion;
mod public_key;
mod signature;
mod verify;
mod wire;

pub use assertion::{AssertionFacts, AssertionRefusal, MalformedAssertion, verify_assertion};
pub use public_key::{KeyKind, MalformedPublicKey, PublicKey};
pub use signature::{MalformedSignature, Signature};
pub use verify::{Refusal, UserVerificationRule, Verified};

use ring::digest::{SHA512, digest};

/// What a signature over `message` in `namespace` covers: T of PROTOCOL.sshsig, section 3,
/// with SHA-512. A key gets these bytes as the challenge, so that `clientDataHash` is
/// their SHA-256 (PROTOCOL.u2f).
pub fn signed_data(namespace: &str, message: &[u8]) -> Vec<u8> {
    let mut data = wire::Writer::default();
    data.bytes(wire::MAGIC);
    data.string(namespace.as_bytes());
    data.string(wire::RESERVED);
    data.string(wire::HASH_ALGORITHM);
    data.string(digest(&SHA512, message).as_ref());
    data.into_bytes()
}

/// Whether a text can be an application (`rpId`) or a namespace: 1 to 255 printable ASCII
/// characters with no space among them, so that it is safe to print and to put in a line.
fn is_plain_word(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
