//! What a key answers when it is asked to sign: read once, at the edge, and the only
//! place where something other than the one canonical form is tolerated.

use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use thiserror::Error;

use super::public_key::{KeyKind, PublicKey, uncompressed_point};
use super::wire::right_aligned;
use crate::webauthn::{AuthenticatorData, CosePublicKey, Flags, MalformedAuthenticatorData};

/// The longest DER signature that is looked at, in bytes. Minimal DER takes at most 72.
const MAX_DER: usize = 255;
const DER_SEQUENCE: u8 = 0x30;
const DER_INTEGER: u8 = 0x02;
/// X.690, section 8.1.3.5: one byte of length follows.
const DER_LONG_LENGTH: u8 = 0x81;

/// What the key says in an assertion whose signature was verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AssertionFacts {
    /// The flags: UP may be missing.
    pub flags: Flags,
    /// The signature counter; a key that always says 0 has none.
    pub counter: u32,
}

/// Why an assertion can't be one of this key for this application.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedAssertion {
    /// The authenticator data can't be read.
    #[error("the assertion can't be read")]
    AuthenticatorData(#[from] MalformedAuthenticatorData),
    /// Flags ED or AT: the data of extensions or credentials have no place in an SSH
    /// signature.
    #[error("the assertion carries extensions or a credential, which nobody asked for")]
    NotPlain,
    /// The key signed for another application.
    #[error("the assertion is for another application")]
    OtherApplication,
    /// Not 64 bytes for Ed25519, not two numbers in DER for ES256.
    #[error("the signature in the assertion is damaged")]
    Signature,
    /// The namespace is empty, too long or not printable.
    #[error("the namespace of a signature is 1 to 255 printable ASCII characters without spaces")]
    Namespace,
}

/// Why an assertion isn't this key's answer to this challenge.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssertionRefusal {
    /// It can't be one of this key.
    #[error("the assertion isn't one of this key")]
    Malformed(#[from] MalformedAssertion),
    /// The signature doesn't verify: another key, another challenge, or damage.
    #[error("the signature isn't one of this key over this challenge")]
    BadSignature,
}

/// Verifies an assertion as the key gave it, without asking for a touch or a PIN: the
/// answer to the silent probe has neither. The challenge is what the key was given;
/// `clientDataHash` is its SHA-256.
pub fn verify_assertion(
    key: &PublicKey,
    authenticator_data: &[u8],
    signature: &[u8],
    challenge: &[u8],
) -> Result<AssertionFacts, AssertionRefusal> {
    let assertion = PlainAssertion::read(key, authenticator_data, signature)?;
    if !assertion.is_by(key, challenge) {
        return Err(AssertionRefusal::BadSignature);
    }
    Ok(AssertionFacts { flags: assertion.flags, counter: assertion.counter })
}

/// An assertion with neither extensions nor a credential, its signature in a fixed form:
/// the 64 bytes of RFC 8032 for Ed25519, `r ‖ s` for P-256.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PlainAssertion {
    pub(super) flags: Flags,
    pub(super) counter: u32,
    pub(super) signature: [u8; 64],
}

impl PlainAssertion {
    fn read(
        key: &PublicKey,
        authenticator_data: &[u8],
        signature: &[u8],
    ) -> Result<Self, MalformedAssertion> {
        let data = AuthenticatorData::parse(authenticator_data)?;
        // With these two flags off, what was parsed has exactly 37 bytes.
        if !is_plain(data.flags) {
            return Err(MalformedAssertion::NotPlain);
        }
        if data.rp_id_hash != rp_id_hash(key.application()) {
            return Err(MalformedAssertion::OtherApplication);
        }
        let signature = match key.kind() {
            KeyKind::Ed25519Sk => signature.try_into().ok(),
            KeyKind::EcdsaP256Sk => r_and_s(signature),
        };
        let signature = signature.ok_or(MalformedAssertion::Signature)?;
        Ok(Self { flags: data.flags, counter: data.counter, signature })
    }

    pub(super) fn read_for_namespace(
        key: &PublicKey,
        namespace: &str,
        authenticator_data: &[u8],
        signature: &[u8],
    ) -> Result<Self, MalformedAssertion> {
        if !super::is_plain_word(namespace) {
            return Err(MalformedAssertion::Namespace);
        }
        Self::read(key, authenticator_data, signature)
    }

    /// Whether `key` made this signature over its application, these flags, this counter
    /// and the challenge. Asks nothing of the flags.
    pub(super) fn is_by(&self, key: &PublicKey, challenge: &[u8]) -> bool {
        let mut signed = Vec::with_capacity(AuthenticatorData::SHORT_LENGTH + 32);
        signed.extend_from_slice(&rp_id_hash(key.application()));
        signed.push(self.flags.bits());
        signed.extend_from_slice(&self.counter.to_be_bytes());
        signed.extend_from_slice(digest(&SHA256, challenge).as_ref());
        match key.material() {
            CosePublicKey::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(&signed, &self.signature)
            }
            CosePublicKey::P256 { x, y } => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed_point(x, y))
                    .verify(&signed, &self.signature)
            }
        }
        .is_ok()
    }
}

/// Whether nothing follows the 37 bytes of authenticator data.
pub(super) fn is_plain(flags: Flags) -> bool {
    !flags.attested() && !flags.extensions()
}

fn rp_id_hash(application: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, application.as_bytes()).as_ref()) {
        *to = *from;
    }
    hash
}

/// Reads `r` and `s` from `SEQUENCE { INTEGER, INTEGER }` (RFC 3279, section 2.2.3).
///
/// Superfluous zeros in front of a number and lengths in the long form are tolerated,
/// since early keys write them; the SSH signature made of it has none of this.
fn r_and_s(der: &[u8]) -> Option<[u8; 64]> {
    if der.len() > MAX_DER {
        return None;
    }
    let (mut numbers, after) = der_value(der, DER_SEQUENCE)?;
    let mut signature = [0; 64];
    for half in signature.chunks_exact_mut(32) {
        let (digits, rest) = der_value(numbers, DER_INTEGER)?;
        half.copy_from_slice(&unsigned(digits)?);
        numbers = rest;
    }
    (numbers.is_empty() && after.is_empty()).then_some(signature)
}

/// The value of one DER item of type `tag` at the front of `bytes`, and what follows it.
fn der_value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match bytes {
        [found, DER_LONG_LENGTH, length, rest @ ..] if *found == tag => (*length, rest),
        [found, length @ 0..=0x7f, rest @ ..] if *found == tag => (*length, rest),
        _ => return None,
    };
    rest.split_at_checked(usize::from(length))
}

/// A DER INTEGER that is greater than zero and has at most 256 bits.
fn unsigned(digits: &[u8]) -> Option<[u8; 32]> {
    if digits.first()? & 0x80 != 0 {
        return None;
    }
    let significant = digits.iter().position(|digit| *digit != 0)?;
    right_aligned(digits.get(significant..)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
        let number =
            |digits: &[u8]| [&[0x02, u8::try_from(digits.len()).unwrap()], digits].concat();
        let numbers = [number(r), number(s)].concat();
        [&[0x30, u8::try_from(numbers.len()).unwrap()], numbers.as_slice()].concat()
    }

    fn fixed(r: &[u8], s: &[u8]) -> Option<[u8; 64]> {
        [right_aligned(r)?, right_aligned(s)?].concat().try_into().ok()
    }

    #[test]
    fn minimal_der_is_read() {
        let with_zero = [&[0][..], &[0x80; 32]].concat();
        assert_eq!(r_and_s(&der(&with_zero, &[5])), fixed(&[0x80; 32], &[5]));
        assert_eq!(r_and_s(&der(&[0x7f; 32], &[0x10; 31])), fixed(&[0x7f; 32], &[0x10; 31]));
    }

    #[test]
    fn the_der_of_early_keys_is_tolerated() {
        assert_eq!(r_and_s(&der(&[0, 0, 0, 5], &[0, 6])), fixed(&[5], &[6]));
        let padded = [&[0, 0][..], &[0x80; 32]].concat();
        assert_eq!(r_and_s(&der(&padded, &[6])), fixed(&[0x80; 32], &[6]));
        assert_eq!(r_and_s(&[0x30, 0x81, 6, 2, 1, 5, 2, 1, 6]), fixed(&[5], &[6]));
    }

    #[test]
    fn anything_else_is_no_signature() {
        let trailing = [der(&[5], &[6]), vec![0]].concat();
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x00],
            &[0x30, 0x80, 2, 1, 5, 2, 1, 6, 0, 0],
            &[0x31, 6, 2, 1, 5, 2, 1, 6],
            &[0x30, 6, 2, 1, 5, 3, 1, 6],
            &[0x30, 3, 2, 1, 5],
            &[0x30, 9, 2, 1, 5, 2, 1, 6, 2, 1, 7],
            &trailing,
            &der(&[0], &[6]),
            &der(&[], &[6]),
            &der(&[0x80], &[6]),
            &der(&[1; 33], &[6]),
            &[0x30; 300],
        ] {
            assert_eq!(r_and_s(bytes), None, "{bytes:02x?}");
        }
    }
}
