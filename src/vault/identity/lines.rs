//! The text of identity and compartment files: comment lines that say what the file is, then
//! secret keys. Valid identity files of age, since age skips lines that begin with `#`.
//!
//! Reading is exact: one form, each line where it belongs, ended by a single line feed. Errors
//! name lines and what belongs there, and never repeat a line, which may be a secret key.

use zeroize::Zeroizing;

use crate::hardening::keep_from_swap;
use crate::vault::cipher::{AgeIdentity, Recipient};

/// The longest value of a line, in bytes. Shorter than a secret key line (74), so that no
/// error which repeats a value can repeat a key.
const MAX_VALUE: usize = 64;

/// Why a text isn't a file of ours, or isn't the one that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// More than any such file has.
    #[error("it has {size} bytes, and at most {limit} are allowed")]
    TooLong {
        /// Its size in bytes.
        size: usize,
        /// The most bytes allowed.
        limit: usize,
    },
    /// Bytes that are no text.
    #[error("it isn't text")]
    NotText,
    /// A line isn't what it has to be.
    #[error("line {line} should read {}", wanted.trim_end())]
    Form {
        /// The number of the line; the first is 1.
        line: usize,
        /// What belongs there.
        wanted: &'static str,
    },
    /// It is somebody else's, another vault's, or an older one: files were swapped.
    #[error("it is for {what} {found}, where {what} {expected} was looked for")]
    Other {
        /// Which of its properties differs.
        what: &'static str,
        /// What the file says: letters, digits, `-` and `_` only.
        found: String,
        /// What was looked for.
        expected: String,
    },
    /// The public key isn't that of the secret key below it.
    #[error("line {line}: the public key isn't that of the secret key after it")]
    OtherPublicKey {
        /// The number of the line with the public key.
        line: usize,
    },
    /// A secret key stands there twice.
    #[error("line {line} repeats a secret key")]
    RepeatedKey {
        /// The number of the line.
        line: usize,
    },
    /// Epochs have to fall from line to line, the newest first.
    #[error("line {line}: epochs go from the newest to the oldest")]
    EpochOrder {
        /// The number of the line.
        line: usize,
    },
}

/// The lines of a text that are yet to be read.
pub(in crate::vault) struct Lines<'a> {
    rest: &'a str,
    /// The number of the line read last.
    number: usize,
}

impl<'a> Lines<'a> {
    /// Begins with a file's bytes, if there aren't too many of them.
    pub(in crate::vault) fn of(bytes: &'a [u8], limit: usize) -> Result<Self, KeyFileError> {
        if bytes.len() > limit {
            return Err(KeyFileError::TooLong { size: bytes.len(), limit });
        }
        keep_from_swap(bytes);
        match std::str::from_utf8(bytes) {
            Ok(rest) => Ok(Self { rest, number: 0 }),
            Err(_) => Err(KeyFileError::NotText),
        }
    }

    /// The number of the line read last.
    pub(in crate::vault) fn number(&self) -> usize {
        self.number
    }

    /// Whether all lines have been read.
    pub(in crate::vault) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Refuses what comes after the last line.
    pub(in crate::vault) fn end(&self) -> Result<(), KeyFileError> {
        if self.is_done() {
            return Ok(());
        }
        Err(KeyFileError::Form { line: self.number.saturating_add(1), wanted: "nothing more" })
    }

    /// A refusal of the line read last.
    pub(in crate::vault) fn refuse(&self, wanted: &'static str) -> KeyFileError {
        KeyFileError::Form { line: self.number, wanted }
    }

    fn next(&mut self, wanted: &'static str) -> Result<&'a str, KeyFileError> {
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.refuse(wanted))?;
        self.rest = rest;
        Ok(line)
    }

    /// Reads a line that has to be just this.
    pub(in crate::vault) fn exactly(&mut self, wanted: &'static str) -> Result<(), KeyFileError> {
        if self.next(wanted)? == wanted { Ok(()) } else { Err(self.refuse(wanted)) }
    }

    /// Reads a line that begins with `label`, and gives what follows.
    pub(in crate::vault) fn value(&mut self, label: &'static str) -> Result<&'a str, KeyFileError> {
        let value = self.next(label)?.strip_prefix(label).ok_or_else(|| self.refuse(label))?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if value.is_empty() || value.len() > MAX_VALUE || !value.bytes().all(allowed) {
            return Err(self.refuse(label));
        }
        Ok(value)
    }

    /// Reads a line with a number from 1, in its shortest form.
    pub(in crate::vault) fn count(&mut self, label: &'static str) -> Result<u32, KeyFileError> {
        let value = self.value(label)?;
        match value.parse::<u32>() {
            Ok(count) if count > 0 && count.to_string() == value => Ok(count),
            _ => Err(self.refuse(label)),
        }
    }

    /// Reads all that is left, up to the line feed that ends it.
    pub(in crate::vault) fn remainder(
        &mut self,
        wanted: &'static str,
    ) -> Result<&'a str, KeyFileError> {
        self.number += 1;
        let rest = self.rest.strip_suffix('\n').ok_or_else(|| self.refuse(wanted))?;
        self.rest = "";
        Ok(rest)
    }

    /// Reads a secret key.
    pub(in crate::vault) fn secret_key(&mut self) -> Result<AgeIdentity, KeyFileError> {
        const WANTED: &str = "AGE-SECRET-KEY-1…";
        AgeIdentity::parse(self.next(WANTED)?).map_err(|_| self.refuse(WANTED))
    }

    /// Reads the public key and the secret key that belongs to it.
    pub(in crate::vault) fn key_pair(&mut self) -> Result<AgeIdentity, KeyFileError> {
        let public = Recipient::parse(self.value(PUBLIC_KEY)?);
        let public = public.map_err(|_| self.refuse(PUBLIC_KEY))?;
        let line = self.number;
        let key = self.secret_key()?;
        if *key.recipient() == public {
            Ok(key)
        } else {
            Err(KeyFileError::OtherPublicKey { line })
        }
    }

    /// Refuses the key read last if it is among those before it.
    pub(in crate::vault) fn refuse_repetition<'k>(
        &self,
        key: &AgeIdentity,
        mut before: impl Iterator<Item = &'k AgeIdentity>,
    ) -> Result<(), KeyFileError> {
        if before.any(|other| other.recipient() == key.recipient()) {
            return Err(KeyFileError::RepeatedKey { line: self.number });
        }
        Ok(())
    }
}

/// The label of the line with the public key.
pub(in crate::vault) const PUBLIC_KEY: &str = "# public key: ";

/// Refuses a value that isn't the expected one.
pub(in crate::vault) fn require(
    what: &'static str,
    found: &str,
    expected: &str,
) -> Result<(), KeyFileError> {
    if found == expected {
        return Ok(());
    }
    Err(KeyFileError::Other { what, found: found.to_owned(), expected: expected.to_owned() })
}

/// Joins pieces of text in one buffer of the right size: one that grew would leave secret keys
/// behind in its old places.
pub(in crate::vault) fn joined(pieces: &[&str]) -> Zeroizing<String> {
    let size = pieces.iter().map(|piece| piece.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(size));
    for piece in pieces {
        text.push_str(piece);
    }
    keep_from_swap(text.as_str());
    text
}
