//! The two halves of an X25519 key pair of age: the secret identity and the public recipient.

use std::fmt;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::hardening::keep_from_swap;

/// What stands before the `1` of a secret key and of a recipient (C2SP age.md, "The X25519
/// recipient type").
const SECRET_KEY_PREFIX: &str = "AGE-SECRET-KEY-";
const RECIPIENT_PREFIX: &str = "age";

/// The longest text that is looked at, in bytes; a recipient of age's largest kind has under
/// 2000, an X25519 one 62, a secret key 74.
const MAX_TEXT: usize = 4096;

/// The bytes of a secret key line, its prefix and separator included.
const SECRET_KEY_LINE: usize = 74;

/// An X25519 identity of age: whoever has it opens what was encrypted to its recipient.
///
/// A secret: no `Clone`, hidden in `Debug`, kept out of swap, wiped when dropped.
pub struct AgeIdentity {
    /// In a box, so that it stays where it is.
    key: Box<age::x25519::Identity>,
    /// The `AGE-SECRET-KEY-1…` line. Kept, because age would leave pieces of it in memory each
    /// time it wrote one.
    line: Zeroizing<String>,
    recipient: Recipient,
}

/// Why a line isn't an identity. Says nothing of what the line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgeIdentityError {
    /// Not the canonical upper-case form of an X25519 secret key.
    #[error("not an AGE-SECRET-KEY-1… line")]
    Malformed,
    /// A key of one of age's plugins.
    #[error("an identity of an age plugin, where an AGE-SECRET-KEY-1… line is wanted")]
    Plugin,
    /// A post-quantum key of age.
    #[error("a post-quantum age identity, where an AGE-SECRET-KEY-1… line is wanted")]
    PostQuantum,
}

impl AgeIdentity {
    /// Makes a new identity of the 32 bytes that `random` fills in.
    pub fn generate(random: &mut dyn FnMut(&mut [u8])) -> Result<Self, AgeIdentityError> {
        let mut scalar = Zeroizing::new([0; 32]);
        random(scalar.as_mut_slice());
        Self::from_line(secret_key_line(&scalar))
    }

    /// Reads an `AGE-SECRET-KEY-1…` line, in upper case and without a line end.
    pub fn parse(line: &str) -> Result<Self, AgeIdentityError> {
        if line.starts_with("AGE-PLUGIN-") {
            return Err(AgeIdentityError::Plugin);
        }
        if line.starts_with("AGE-SECRET-KEY-PQ-1") {
            return Err(AgeIdentityError::PostQuantum);
        }
        if line.len() != SECRET_KEY_LINE || !line.starts_with(SECRET_KEY_PREFIX) {
            return Err(AgeIdentityError::Malformed);
        }
        let scalar = bech32_32_bytes(line, SECRET_KEY_PREFIX).ok_or(AgeIdentityError::Malformed)?;
        let canonical = secret_key_line(&scalar);
        if canonical.as_str() != line {
            return Err(AgeIdentityError::Malformed);
        }
        Self::from_line(canonical)
    }

    fn from_line(line: Zeroizing<String>) -> Result<Self, AgeIdentityError> {
        let key: age::x25519::Identity = line.parse().map_err(|_| AgeIdentityError::Malformed)?;
        let key = Box::new(key);
        keep_from_swap(&*key);
        let recipient = Recipient::of(key.to_public());
        Ok(Self { key, line, recipient })
    }

    /// The `AGE-SECRET-KEY-1…` line, without a line end.
    pub fn expose_line(&self) -> &str {
        &self.line
    }

    /// The public half.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    pub(super) fn as_age(&self) -> &age::x25519::Identity {
        &self.key
    }
}

impl fmt::Debug for AgeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgeIdentity(hidden, recipient {})", self.recipient)
    }
}

/// An X25519 recipient of age, `age1…` in lower case: one text for one key.
#[derive(Clone)]
pub struct Recipient {
    key: age::x25519::Recipient,
    text: String,
}

/// Why a text can't be a recipient. Never repeats a text that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// A secret key, given where a public one belongs.
    #[error("this is a secret key; give its recipient, which begins with age1")]
    Secret,
    /// `ssh-ed25519 …`, `ssh-rsa …` and their kin.
    #[error("an SSH key can't be a recipient here; give an age1… recipient")]
    Ssh,
    /// `age1tag1…` and `age1tagpq1…`.
    #[error("a recipient of a hardware key (age1tag…) can't be used here; give an X25519 one")]
    Tagged,
    /// `age1pq1…`.
    #[error("a post-quantum recipient (age1pq…) can't be used here; give an X25519 one")]
    PostQuantum,
    /// `age1NAME1…`.
    #[error("a recipient of an age plugin can't be used here; give an X25519 one")]
    Plugin,
    /// Right but for its letters' case or spaces around it.
    #[error("a recipient stands in lower case, without spaces around it")]
    NotCanonical,
    /// Anything else.
    #[error("not an age1… recipient")]
    Malformed,
    /// A point of small order, for which everybody knows the shared secret.
    #[error("this recipient is no real key: anybody could open what is encrypted to it")]
    Weak,
}

impl Recipient {
    /// Reads an `age1…` recipient.
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        if text.len() > MAX_TEXT {
            return Err(RecipientError::Malformed);
        }
        let lower = Zeroizing::new(text.trim().to_ascii_lowercase());
        if lower.starts_with("age-secret-key-") || lower.starts_with("age-plugin-") {
            return Err(RecipientError::Secret);
        }
        if ["ssh-", "sk-ssh-", "ecdsa-", "sk-ecdsa-"].iter().any(|kind| lower.starts_with(kind)) {
            return Err(RecipientError::Ssh);
        }
        // The data part has no `1`, so the last one ends the prefix (BIP 173).
        match lower.rsplit_once('1').map(|(prefix, _)| prefix) {
            Some(RECIPIENT_PREFIX) => {}
            Some("age1tag" | "age1tagpq") => return Err(RecipientError::Tagged),
            Some("age1pq") => return Err(RecipientError::PostQuantum),
            Some(prefix) if prefix.starts_with("age1") => return Err(RecipientError::Plugin),
            _ => return Err(RecipientError::Malformed),
        }
        let point = bech32_32_bytes(&lower, RECIPIENT_PREFIX).ok_or(RecipientError::Malformed)?;
        if lower.as_str() != text {
            return Err(RecipientError::NotCanonical);
        }
        if !is_reduced(&point) {
            return Err(RecipientError::Malformed);
        }
        // Not only unwise: age panics when it is to encrypt to one of these.
        if SMALL_ORDER.contains(&point) {
            return Err(RecipientError::Weak);
        }
        let key: age::x25519::Recipient = text.parse().map_err(|_| RecipientError::Malformed)?;
        let recipient = Self::of(key);
        // Bech32 can hide stray bits in its padding; then the same key would have two texts.
        if recipient.text == text { Ok(recipient) } else { Err(RecipientError::Malformed) }
    }

    fn of(key: age::x25519::Recipient) -> Self {
        let text = key.to_string();
        Self { key, text }
    }

    /// The canonical text, `age1…` in lower case, 62 characters.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn as_age(&self) -> &age::x25519::Recipient {
        &self.key
    }
}

impl std::str::FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.text)
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Recipient {}

impl PartialOrd for Recipient {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Recipient {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl std::hash::Hash for Recipient {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// The u-coordinates of the points of small order on Curve25519 and its twist, as X25519
/// encodes them (RFC 7748, section 5: 32 bytes, little-endian): 0, 1, the two of order 8, and
/// -1. The agreement with any of them is zero (section 6.1).
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ],
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
];

/// Whether a coordinate is below 2^255 - 19, the prime of the field. X25519 takes larger ones
/// too and reduces them, which would give a key a second text.
fn is_reduced(point: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = point;
    match highest {
        0..=0x7e => true,
        0x7f => *lowest < 0xed || middle.iter().any(|byte| *byte != 0xff),
        _ => false,
    }
}

/// The 32 bytes of a Bech32 text with the given prefix.
fn bech32_32_bytes(text: &str, prefix: &str) -> Option<Zeroizing<[u8; 32]>> {
    let parsed = CheckedHrpstring::new::<Bech32>(text).ok()?;
    if parsed.hrp() != Hrp::parse(prefix).ok()? {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    let mut given = parsed.byte_iter();
    for byte in bytes.iter_mut() {
        *byte = given.next()?;
    }
    given.next().is_none().then_some(bytes)
}

/// The `AGE-SECRET-KEY-1…` line of a scalar, written straight into its last place.
fn secret_key_line(scalar: &[u8; 32]) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(SECRET_KEY_LINE));
    if let Ok(prefix) = Hrp::parse(SECRET_KEY_PREFIX) {
        let characters = scalar.iter().copied().bytes_to_fes().with_checksum::<Bech32>(&prefix);
        line.extend(characters.chars().map(|c| c.to_ascii_uppercase()));
    }
    keep_from_swap(line.as_str());
    line
}

#[cfg(test)]
pub(super) mod tests;
