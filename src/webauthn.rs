//! The few structures of WebAuthn and CTAP 2 that more than one module speaks of:
//! credential ids, authenticator data, and what the `hmac-secret` extension takes
//! and gives.
//!
//! This module parses; it must not verify a signature, open a device or know a vault.
//! Everything here may have come from a hostile security key: sizes are checked
//! before use, and nothing panics.

mod authenticator_data;
mod hmac_secret;

pub use authenticator_data::{
    Aaguid, AttestedCredential, AuthenticatorData, CosePublicKey, Flags, MalformedAaguid,
    MalformedAuthenticatorData,
};
pub use hmac_secret::{HmacSecretOutput, HmacSecretSalts};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The id of a credential on a security key (WebAuthn "credential id"): opaque bytes that
/// the key itself made, 1 to 1023 of them (CTAP 2.1, 6.1: `maxCredentialIdLength` and
/// WebAuthn section 4).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    /// The longest credential id that WebAuthn allows, in bytes.
    pub const MAX: usize = 1023;

    /// Takes the bytes, if their number is one that a credential id may have.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.is_empty() && bytes.len() <= Self::MAX).then_some(Self(bytes))
    }

    /// The bytes, as the key gave them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Standard base64 with padding, as it stands in an entry.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// Reads what [`CredentialId::to_base64`] wrote.
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok().and_then(Self::new)
    }
}

impl std::fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CredentialId({})", self.to_base64())
    }
}
