//! A custodian's personal identity: the age key that opens what was encrypted to them, in a
//! file that is sealed to a security key or to a passphrase.
//!
//! ```text
//! # keymuster identity
//! # vault: 01JD…
//! # custodian: alice
//! # generation: 2
//! # public key: age1…
//! AGE-SECRET-KEY-1…
//! ```
//!
//! Once opened it is an ordinary identity file for stock age.
//!
//! Invariants: there is one form, and whoever reads a file says whose it must be, so that no
//! file can stand in for another. This module must not open files or ask a person.

pub(super) mod lines;

pub use lines::KeyFileError;

use zeroize::Zeroizing;

use self::lines::{Lines, PUBLIC_KEY, joined, require};
use super::cipher::{AgeIdentity, Recipient, SealError};
use super::fido2prf::{self, Fido2PrfError};
use super::passphrase::{self, Passphrase, PassphraseError};
use crate::webauthn::HmacSecretOutput;

/// The longest identity file, opened, in bytes.
const MAX_IDENTITY: usize = 64 * 1024;

const TITLE: &str = "# keymuster identity";
const VAULT: &str = "# vault: ";
const CUSTODIAN: &str = "# custodian: ";
const GENERATION: &str = "# generation: ";

/// Whose an identity is. The texts are trusted to be vault ids and handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityName<'a> {
    /// The id of the vault.
    pub vault: &'a str,
    /// The handle of the custodian.
    pub custodian: &'a str,
    /// The number of the sealed file, counted from 1 for each slot.
    pub generation: u32,
}

/// A custodian's personal identity.
///
/// A secret: no `Clone`; its keys are hidden in `Debug` and wiped when dropped.
#[derive(Debug)]
pub struct PersonalIdentity {
    vault: String,
    custodian: String,
    generation: u32,
    key: AgeIdentity,
}

/// Why a sealed identity can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The security key doesn't open it.
    #[error("the sealed identity doesn't open")]
    Key(#[from] Fido2PrfError),
    /// The passphrase doesn't open it.
    #[error("the sealed identity doesn't open")]
    Passphrase(#[from] PassphraseError),
    /// It opens, and isn't the identity that was looked for.
    #[error("the identity file isn't what it should be")]
    Contents(#[from] KeyFileError),
}

impl PersonalIdentity {
    /// Makes this key somebody's identity.
    pub fn new(name: &IdentityName<'_>, key: AgeIdentity) -> Self {
        Self {
            vault: name.vault.to_owned(),
            custodian: name.custodian.to_owned(),
            generation: name.generation,
            key,
        }
    }

    /// The same identity, to be sealed as the custodian's sealing of this number.
    #[must_use]
    pub fn renumbered(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// Whose it is.
    pub fn name(&self) -> IdentityName<'_> {
        IdentityName { vault: &self.vault, custodian: &self.custodian, generation: self.generation }
    }

    /// The recipient to encrypt to.
    pub fn recipient(&self) -> &Recipient {
        self.key.recipient()
    }

    /// The key. It alone: what an identity before it opens, this one doesn't.
    pub fn key(&self) -> &AgeIdentity {
        &self.key
    }

    /// The text of the file. A secret.
    pub fn to_text(&self) -> Zeroizing<String> {
        let generation = self.generation.to_string();
        let mut pieces = vec![TITLE, "\n", VAULT, &self.vault, "\n", CUSTODIAN, &self.custodian];
        pieces.extend(["\n", GENERATION, &generation, "\n"]);
        pieces.extend([PUBLIC_KEY, self.recipient().as_str(), "\n"]);
        pieces.extend([self.key.expose_line(), "\n"]);
        joined(&pieces)
    }

    /// Reads the text of a file that must be the one named, and in its exact form.
    pub fn from_text(text: &[u8], expected: &IdentityName<'_>) -> Result<Self, KeyFileError> {
        let mut lines = Lines::of(text, MAX_IDENTITY)?;
        lines.exactly(TITLE)?;
        require("vault", lines.value(VAULT)?, expected.vault)?;
        require("custodian", lines.value(CUSTODIAN)?, expected.custodian)?;
        let generation = lines.count(GENERATION)?;
        require("generation", &generation.to_string(), &expected.generation.to_string())?;
        let key = lines.key_pair()?;
        lines.end()?;
        Ok(Self::new(expected, key))
    }

    /// Seals it to a security key; see [`fido2prf::seal`] for the nonce and the output.
    pub fn seal_to_key(
        &self,
        nonce: [u8; fido2prf::NONCE],
        output: &HmacSecretOutput,
    ) -> Result<Vec<u8>, SealError> {
        fido2prf::seal(self.to_text().as_bytes(), nonce, output)
    }

    /// Opens what [`PersonalIdentity::seal_to_key`] made, with what the key gave for the
    /// salts of its nonce.
    pub fn open_with_key(
        file: &[u8],
        output: &HmacSecretOutput,
        expected: &IdentityName<'_>,
    ) -> Result<Self, IdentityError> {
        let text = fido2prf::open(file, output, MAX_IDENTITY)?;
        Ok(Self::from_text(&text, expected)?)
    }

    /// Seals it to a passphrase, for the safe. Takes about a second.
    pub fn seal_to_passphrase(&self, passphrase: &Passphrase) -> Result<Vec<u8>, SealError> {
        passphrase::seal(self.to_text().as_bytes(), passphrase)
    }

    /// Opens what [`PersonalIdentity::seal_to_passphrase`] made.
    pub fn open_with_passphrase(
        file: &[u8],
        passphrase: &Passphrase,
        expected: &IdentityName<'_>,
    ) -> Result<Self, IdentityError> {
        let text = passphrase::open(file, passphrase, MAX_IDENTITY)?;
        Ok(Self::from_text(&text, expected)?)
    }
}

#[cfg(test)]
mod tests;
