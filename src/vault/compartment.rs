//! A compartment's identity: the age keys of all its epochs, in a file that is encrypted to
//! the compartment's members. Entries and secrets are encrypted to the newest epoch's key, so
//! that a small file has one recipient however many members there are.
//!
//! ```text
//! # keymuster compartment
//! # vault: 01JD…
//! # compartment: records
//! # epoch: 2
//! # public key: age1…
//! AGE-SECRET-KEY-1…
//! # epoch: 1
//! # public key: age1…
//! AGE-SECRET-KEY-1…
//! ```
//!
//! Once opened it is an ordinary identity file for stock age.
//!
//! Invariants: epochs fall from the newest to the oldest, with gaps where a number was lost to
//! an unfinished change; no key belongs to two of them; whoever reads a file says which one it
//! must be. This module must not decide who the members are.

use std::sync::atomic::AtomicUsize;

use zeroize::Zeroizing;

use super::cipher::{self, AgeIdentity, OpenError, Recipient, SealError};
use super::identity::KeyFileError;
use super::identity::lines::{Lines, PUBLIC_KEY, joined, require};

/// The longest compartment file, opened, in bytes: room for some 5,000 epochs.
const MAX_COMPARTMENT: usize = 1024 * 1024;

const TITLE: &str = "# keymuster compartment";
const VAULT: &str = "# vault: ";
const COMPARTMENT: &str = "# compartment: ";
const EPOCH: &str = "# epoch: ";

/// Which compartment an identity is of. The texts are trusted to be vault ids and handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompartmentName<'a> {
    /// The id of the vault.
    pub vault: &'a str,
    /// The handle of the compartment.
    pub compartment: &'a str,
    /// The newest epoch in the file, counted from 1.
    pub epoch: u32,
}

/// The keys of a compartment, one an epoch.
///
/// A secret: no `Clone`; its keys are hidden in `Debug` and wiped when dropped.
#[derive(Debug)]
pub struct CompartmentIdentity {
    vault: String,
    compartment: String,
    current: Epoch,
    /// From the newest to the oldest.
    older: Vec<Epoch>,
    /// The place, counted from the newest, of the key that opened a file last.
    likely: AtomicUsize,
}

#[derive(Debug)]
struct Epoch {
    number: u32,
    key: AgeIdentity,
}

/// Why a compartment can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompartmentError {
    /// It isn't for us, or is damaged.
    #[error("the compartment's file doesn't open")]
    File(#[from] OpenError),
    /// It opens, and isn't the compartment that was looked for.
    #[error("the compartment's file isn't what it should be")]
    Contents(#[from] KeyFileError),
}

/// An epoch that can't follow the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("epoch {next} can't follow epoch {current}")]
pub struct EpochOrder {
    /// The epoch that is current.
    pub current: u32,
    /// The epoch that was to follow.
    pub next: u32,
}

impl CompartmentIdentity {
    /// A compartment with its first key.
    pub fn new(name: &CompartmentName<'_>, key: AgeIdentity) -> Self {
        Self {
            vault: name.vault.to_owned(),
            compartment: name.compartment.to_owned(),
            current: Epoch { number: name.epoch, key },
            older: Vec::new(),
            likely: AtomicUsize::new(0),
        }
    }

    /// The compartment with a new epoch before all others.
    pub fn with_next_epoch(mut self, epoch: u32, key: AgeIdentity) -> Result<Self, EpochOrder> {
        if epoch <= self.current.number {
            return Err(EpochOrder { current: self.current.number, next: epoch });
        }
        let last = std::mem::replace(&mut self.current, Epoch { number: epoch, key });
        self.older.insert(0, last);
        Ok(self)
    }

    /// Which compartment it is, and its newest epoch.
    pub fn name(&self) -> CompartmentName<'_> {
        CompartmentName {
            vault: &self.vault,
            compartment: &self.compartment,
            epoch: self.current.number,
        }
    }

    /// The newest epoch's key.
    pub fn current(&self) -> &AgeIdentity {
        &self.current.key
    }

    /// The recipient to encrypt new files to.
    pub fn recipient(&self) -> &Recipient {
        self.current.key.recipient()
    }

    /// The key of one epoch.
    pub fn of_epoch(&self, number: u32) -> Option<&AgeIdentity> {
        self.epochs().find(|epoch| epoch.number == number).map(|epoch| &epoch.key)
    }

    /// All keys, the newest first, the one most likely to be wanted.
    pub fn identities(&self) -> impl Iterator<Item = &AgeIdentity> {
        self.epochs().map(|epoch| &epoch.key)
    }

    fn epochs(&self) -> impl Iterator<Item = &Epoch> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// The text of the file. A secret.
    pub fn to_text(&self) -> Zeroizing<String> {
        let numbers: Vec<String> = self.epochs().map(|epoch| epoch.number.to_string()).collect();
        let mut pieces = vec![TITLE, "\n", VAULT, &self.vault, "\n"];
        pieces.extend([COMPARTMENT, &self.compartment, "\n"]);
        for (epoch, number) in self.epochs().zip(&numbers) {
            pieces.extend([EPOCH, number, "\n"]);
            pieces.extend([PUBLIC_KEY, epoch.key.recipient().as_str(), "\n"]);
            pieces.extend([epoch.key.expose_line(), "\n"]);
        }
        joined(&pieces)
    }

    /// Reads the text of a file that must be the one named, and in its exact form.
    pub fn from_text(text: &[u8], expected: &CompartmentName<'_>) -> Result<Self, KeyFileError> {
        let mut lines = Lines::of(text, MAX_COMPARTMENT)?;
        lines.exactly(TITLE)?;
        require("vault", lines.value(VAULT)?, expected.vault)?;
        require("compartment", lines.value(COMPARTMENT)?, expected.compartment)?;
        let newest = lines.count(EPOCH)?;
        require("epoch", &newest.to_string(), &expected.epoch.to_string())?;
        let mut compartment = Self::new(expected, lines.key_pair()?);
        let mut last = newest;
        while !lines.is_done() {
            let number = lines.count(EPOCH)?;
            if number >= last {
                return Err(KeyFileError::EpochOrder { line: lines.number() });
            }
            let key = lines.key_pair()?;
            lines.refuse_repetition(&key, compartment.identities())?;
            compartment.older.push(Epoch { number, key });
            last = number;
        }
        Ok(compartment)
    }

    /// Decrypts a file of the compartment, of whichever epoch; at most `limit` bytes. Files of
    /// one epoch are best opened one after the other. Any number of threads may do it at once.
    pub fn decrypt(
        &self,
        ciphertext: &[u8],
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let identities: Vec<_> = self.identities().collect();
        cipher::decrypt_in_series(ciphertext, &identities, &self.likely, limit)
    }

    /// Encrypts it to the compartment's members.
    pub fn seal(&self, members: &[Recipient]) -> Result<Vec<u8>, SealError> {
        cipher::encrypt(self.to_text().as_bytes(), members)
    }

    /// Opens what [`CompartmentIdentity::seal`] made, with a member's keys.
    pub fn open(
        file: &[u8],
        identities: &[&AgeIdentity],
        expected: &CompartmentName<'_>,
    ) -> Result<Self, CompartmentError> {
        let text = cipher::decrypt(file, identities, MAX_COMPARTMENT)?;
        Ok(Self::from_text(&text, expected)?)
    }
}

#[cfg(test)]
mod tests;
