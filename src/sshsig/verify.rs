//! The rules that a signature must keep to count.

use thiserror::Error;

use super::public_key::PublicKey;
use super::signature::Signature;
use super::signed_data;
use crate::webauthn::Flags;

/// Whether the key must have verified its user (PIN or fingerprint). A touch is always
/// required.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserVerificationRule {
    /// The flag UV must be set.
    Required,
    /// The vault's policy waives it.
    Waived,
}

/// What a verified signature says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The flags: UP is set, and UV too where it was required.
    pub flags: Flags,
    /// The signature counter; a key that always says 0 has none.
    pub counter: u32,
}

/// The rule that a signature breaks.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// By another key than the one that was expected.
    #[error("the signature is by another key ({})", .0.fingerprint())]
    OtherKey(PublicKey),
    /// By a key of the same material under another application.
    #[error("the signature is for the application {found}, not {expected}")]
    OtherApplication {
        /// The application of the key that was expected.
        expected: String,
        /// The application in the signature.
        found: String,
    },
    /// Made for another purpose.
    #[error("the signature is for the namespace {found}, not {expected}")]
    OtherNamespace {
        /// The namespace that was expected.
        expected: String,
        /// The namespace in the signature.
        found: String,
    },
    /// Flag UP isn't set.
    #[error("nobody touched the key for this signature")]
    NotTouched,
    /// Flag UV isn't set, and the rule requires it.
    #[error("the key didn't verify its user for this signature, by PIN or fingerprint")]
    UserNotVerified,
    /// Everything around it is right, but the key didn't sign this message.
    #[error("the signature isn't one over this text")]
    BadSignature,
}

impl Signature {
    /// Verifies that `key` made this signature over `message` in `namespace`, after a
    /// touch, and after verifying its user where `rule` requires it.
    ///
    /// Costs one public-key operation and one pass of SHA-512 over the message.
    pub fn verify(
        &self,
        key: &PublicKey,
        namespace: &str,
        message: &[u8],
        rule: UserVerificationRule,
    ) -> Result<Verified, Refusal> {
        if self.public_key.material() != key.material() {
            return Err(Refusal::OtherKey(self.public_key.clone()));
        }
        if self.public_key.application() != key.application() {
            return Err(Refusal::OtherApplication {
                expected: key.application().to_owned(),
                found: self.public_key.application().to_owned(),
            });
        }
        if self.namespace != namespace {
            return Err(Refusal::OtherNamespace {
                expected: namespace.to_owned(),
                found: self.namespace.clone(),
            });
        }
        let flags = self.assertion.flags;
        if !flags.up() {
            return Err(Refusal::NotTouched);
        }
        if rule == UserVerificationRule::Required && !flags.uv() {
            return Err(Refusal::UserNotVerified);
        }
        if !self.assertion.is_by(key, &signed_data(namespace, message)) {
            return Err(Refusal::BadSignature);
        }
        Ok(Verified { flags, counter: self.assertion.counter })
    }
}
