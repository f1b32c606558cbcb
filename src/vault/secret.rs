//! The file of a secret's value, encrypted to one compartment.
//!
//! ```text
//! # keymuster secret
//! # vault: 01JD…
//! # secret: prod-seed
//! # generation: 2
//! # kind: seed
//! # algorithm: sha1          of a seed only
//! # digits: 6
//! # period: 30
//! JBSWY3DPEHPK3PXP…
//! ```
//!
//! What follows the comment lines is the value and a line feed, so that stock age gives it to
//! whoever breaks the glass. Whoever reads a file says which one it must be, so that no file
//! can stand in for another. This module must not decide who may open what.

use zeroize::Zeroizing;

use super::cipher::{self, AgeIdentity, OpenError, Recipient, SealError};
use super::identity::KeyFileError;
use super::identity::lines::{Lines, joined, require};
use crate::hardening::keep_from_swap;
use crate::text::is_deceptive;

/// The longest value, in bytes.
pub const MAX_SECRET: usize = 64 << 10;
/// The longest file, opened, in bytes.
const MAX_SECRET_FILE: usize = MAX_SECRET + 1024;

const TITLE: &str = "# keymuster secret";
const VAULT: &str = "# vault: ";
const SECRET: &str = "# secret: ";
const GENERATION: &str = "# generation: ";
const KIND: &str = "# kind: ";
const ALGORITHM: &str = "# algorithm: ";
const DIGITS: &str = "# digits: ";
const PERIOD: &str = "# period: ";

/// Which value of which secret a file has. The texts are trusted to be a vault's id, a handle
/// and a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretLabel<'a> {
    /// The id of the vault.
    pub vault: &'a str,
    /// The name of the secret.
    pub secret: &'a str,
    /// Which of its values, counted from 1.
    pub generation: u32,
    /// What it is.
    pub kind: &'a str,
}

/// How codes are made of a seed, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedParameters {
    /// `sha1`, `sha256` or `sha512`.
    pub algorithm: String,
    /// How many digits a code has.
    pub digits: u32,
    /// How many seconds a code is shown.
    pub period: u32,
}

/// A secret's value, out of its file or about to go into one.
///
/// A secret: no `Clone` and no `Debug`; it is wiped when dropped.
pub struct SecretValue {
    text: Zeroizing<String>,
    /// Of a seed.
    pub seed: Option<SeedParameters>,
}

/// Why a text can't be a secret's value. None of these shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitSecret {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// Too long.
    #[error("it is longer than {} KiB", MAX_SECRET >> 10)]
    Long,
    /// A character that could fool whoever reads it on a terminal.
    #[error("line {0} holds a control, invisible or bidirectional character")]
    Deceptive(usize),
}

/// Why the file of a secret can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It isn't for the compartment at hand, or is damaged.
    #[error("the secret's file doesn't open")]
    File(#[from] OpenError),
    /// It opens, and isn't the value that was looked for.
    #[error("the secret's file isn't what it should be")]
    Contents(#[from] KeyFileError),
    /// It opens, and what is in it can't be a value.
    #[error("the secret's file has no value")]
    Value(#[from] UnfitSecret),
}

impl SecretValue {
    /// Takes a text: lines that a person can read.
    pub fn new(text: Zeroizing<String>, seed: Option<SeedParameters>) -> Result<Self, UnfitSecret> {
        if text.trim().is_empty() {
            return Err(UnfitSecret::Empty);
        }
        if text.len() > MAX_SECRET {
            return Err(UnfitSecret::Long);
        }
        let unfit = |line: &str| line.chars().any(|c| c != '\t' && is_deceptive(c));
        if let Some(number) = text.split('\n').position(unfit) {
            return Err(UnfitSecret::Deceptive(number + 1));
        }
        keep_from_swap(text.as_str());
        Ok(Self { text, seed })
    }

    /// The value, for whoever is to see it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The file, encrypted to a compartment.
    pub fn seal(
        &self,
        label: &SecretLabel<'_>,
        compartment: &Recipient,
    ) -> Result<Vec<u8>, SealError> {
        let generation = label.generation.to_string();
        let mut pieces = vec![TITLE, "\n", VAULT, label.vault, "\n", SECRET, label.secret, "\n"];
        pieces.extend([GENERATION, &generation, "\n", KIND, label.kind, "\n"]);
        let numbers =
            self.seed.as_ref().map(|seed| (seed.digits.to_string(), seed.period.to_string()));
        if let (Some(seed), Some((digits, period))) = (&self.seed, &numbers) {
            pieces.extend([ALGORITHM, &seed.algorithm, "\n"]);
            pieces.extend([DIGITS, digits, "\n", PERIOD, period, "\n"]);
        }
        pieces.extend([self.text.as_str(), "\n"]);
        cipher::encrypt(joined(&pieces).as_bytes(), std::slice::from_ref(compartment))
    }

    /// Opens what [`SecretValue::seal`] made, which must be the value that is named, with the
    /// key of the epoch that it is recorded in. `is_seed` says whether it is a seed.
    pub fn open(
        file: &[u8],
        epoch: &AgeIdentity,
        expected: &SecretLabel<'_>,
        is_seed: bool,
    ) -> Result<Self, SecretError> {
        let text = cipher::decrypt(file, &[epoch], MAX_SECRET_FILE)?;
        let mut lines = Lines::of(&text, MAX_SECRET_FILE)?;
        lines.exactly(TITLE)?;
        require("vault", lines.value(VAULT)?, expected.vault)?;
        require("secret", lines.value(SECRET)?, expected.secret)?;
        let generation = lines.count(GENERATION)?;
        require("generation", &generation.to_string(), &expected.generation.to_string())?;
        require("kind", lines.value(KIND)?, expected.kind)?;
        let seed = if is_seed {
            let algorithm = lines.value(ALGORITHM)?.to_owned();
            let (digits, period) = (lines.count(DIGITS)?, lines.count(PERIOD)?);
            Some(SeedParameters { algorithm, digits, period })
        } else {
            None
        };
        // With all room at once, no copy is left behind.
        let value = Zeroizing::new(lines.remainder("the value")?.to_owned());
        Ok(Self::new(value, seed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn label(secret: &str) -> SecretLabel<'_> {
        SecretLabel { vault: ID, secret, generation: 2, kind: "note" }
    }

    fn compartment(number: u8) -> AgeIdentity {
        AgeIdentity::generate(&mut |bytes| bytes.fill(number)).unwrap()
    }

    fn value(text: &str) -> Result<SecretValue, UnfitSecret> {
        SecretValue::new(Zeroizing::new(text.to_owned()), None)
    }

    #[test]
    fn a_value_is_read_as_it_was_written() {
        let seeds = compartment(7);
        for text in ["x", " x ", "# kind: note", "two\nlines\n", "tab\there", "käse 🧀"] {
            let file = value(text).unwrap().seal(&label("a"), seeds.recipient()).unwrap();
            let read = SecretValue::open(&file, &seeds, &label("a"), false).unwrap();
            assert_eq!(read.expose(), text);
            assert!(SecretValue::open(&file, &compartment(8), &label("a"), false).is_err());
        }
        let seed = SeedParameters { algorithm: "sha256".to_owned(), digits: 8, period: 60 };
        let text = Zeroizing::new("GEZDGNBVGY3TQOJQ".to_owned());
        let kept = SecretValue::new(text, Some(seed.clone())).unwrap();
        let label = SecretLabel { kind: "seed", ..label("a") };
        let file = kept.seal(&label, seeds.recipient()).unwrap();
        let read = SecretValue::open(&file, &seeds, &label, true).unwrap();
        assert_eq!((read.expose(), &read.seed), ("GEZDGNBVGY3TQOJQ", &Some(seed)));
    }

    #[test]
    fn a_file_is_not_taken_for_another() {
        let seeds = compartment(7);
        let file = value("x").unwrap().seal(&label("a"), seeds.recipient()).unwrap();
        let other = "11112233445566778899aabbccddeeff";
        for expected in [
            label("b"),
            SecretLabel { generation: 1, ..label("a") },
            SecretLabel { kind: "password", ..label("a") },
            SecretLabel { vault: other, ..label("a") },
        ] {
            let read = SecretValue::open(&file, &seeds, &expected, false);
            let Err(SecretError::Contents(KeyFileError::Other { .. })) = read else {
                panic!("{expected:?} was taken for it");
            };
        }
        let as_seed = SecretValue::open(&file, &seeds, &label("a"), true);
        assert!(matches!(as_seed, Err(SecretError::Contents(_))));
    }

    #[test]
    fn what_cant_be_a_value_is_refused() {
        let unfit = |text: &str| value(text).err();
        assert_eq!(unfit(" \n\t"), Some(UnfitSecret::Empty));
        assert_eq!(unfit(&"x".repeat(MAX_SECRET + 1)), Some(UnfitSecret::Long));
        assert_eq!(unfit("a\nb\u{1b}[2J"), Some(UnfitSecret::Deceptive(2)));
        assert_eq!(unfit("a\u{202e}"), Some(UnfitSecret::Deceptive(1)));
        assert_eq!(unfit(&"x".repeat(MAX_SECRET)), None);
    }
}
