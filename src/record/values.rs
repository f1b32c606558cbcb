//! The small values that events are made of. Each has one way to be written, so that a
//! document has one, and holds nothing a terminal could be fooled with.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike as _, NaiveDateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use thiserror::Error;

use crate::text::{hides_something, is_deceptive};

/// Why a text can't be the value it was meant to be.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum UnfitValue {
    /// Not of the form of a handle.
    #[error(
        "{0:?} isn't a handle: 1 to 32 characters of a-z, 0-9 and -, and none of them - at the start"
    )]
    Handle(String),
    /// Not of the form `owner/label`.
    #[error("{0:?} isn't the name of a key, such as alice/primary")]
    KeyName(String),
    /// Unfit to be a line of text.
    #[error("text {0}")]
    Line(&'static str),
    /// Not a UTC time to the second.
    #[error("a time is written as 2026-11-22T12:00:00Z, in UTC and to the second")]
    Time,
    /// Not so many lower-case hex digits.
    #[error("expected {0} lower-case hex digits")]
    Hex(usize),
    /// Not standard base64.
    #[error("expected standard base64 with padding")]
    Base64,
    /// Not an age recipient of X25519.
    #[error("expected an age recipient: age1 and 58 characters of lower-case letters and digits")]
    AgeRecipient,
    /// Not the public key of a security key as OpenSSH writes it.
    #[error(
        "expected a public key of type sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com"
    )]
    SshPublicKey,
    /// Not an e-mail address.
    #[error("{0:?} isn't an e-mail address, such as aws@example.com")]
    Email(String),
    /// Not a telephone number in international form.
    #[error("{0:?} isn't a telephone number as in +44 20 7946 0000: a plus, digits, single blanks")]
    Phone(String),
    /// Not a contact.
    #[error("{0:?} isn't a contact, such as \"Finance <finance@example.com> +44 20 7946 0000\"")]
    Contact(String),
    /// Not a tag.
    #[error("{0:?} isn't a tag: at most 128 characters, and no comma or semicolon")]
    Tag(String),
    /// Not of the form `operator=alice`.
    #[error("{0:?} isn't a part that somebody has, such as operator=alice")]
    Part(String),
    /// Not the name of something to be done.
    #[error("{0:?} isn't something to be done, such as key-check alice/primary")]
    Obligation(String),
    /// Not of the form `prod-seed.2`.
    #[error("{0:?} isn't the name of a secret's value, such as prod-seed.2")]
    SecretName(String),
    /// Neither the name of a key nor that of a token.
    #[error(
        "{0:?} isn't an MFA device: a key such as alice/primary, or a token's name such as phone, in small letters"
    )]
    DeviceName(String),
}

/// Gives a value that is a checked string its text form everywhere: Display, FromStr,
/// serde.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// The short name of a custodian, a reader, a key's label or a compartment:
/// `[a-z0-9][a-z0-9-]{0,31}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Handle(String);

impl Handle {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Handle {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let fits = (1..=32).contains(&text.len())
            && !text.starts_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnfitValue::Handle(text.chars().take(64).collect()))
        }
    }
}
as_text!(Handle);

/// The name of a key: its owner's handle and its label, `alice/primary`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyName {
    /// The custodian who holds the key.
    pub owner: Handle,
    /// The key's label, one of its owner's.
    pub label: Handle,
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.label)
    }
}

impl FromStr for KeyName {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let unfit = || UnfitValue::KeyName(text.chars().take(80).collect());
        let (owner, label) = text.split_once('/').ok_or_else(unfit)?;
        Ok(Self {
            owner: owner.parse().map_err(|_| unfit())?,
            label: label.parse().map_err(|_| unfit())?,
        })
    }
}
as_text!(KeyName);

/// A line of text for people: 1 to 500 characters, no line break, no control or
/// bidirectional character, no blank at either end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Line(String);

impl Line {
    /// The longest line, in characters.
    pub const MAX: usize = 500;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Line {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        if text.is_empty() {
            Err(UnfitValue::Line("is empty"))
        } else if text.trim() != text {
            Err(UnfitValue::Line("begins or ends with a blank"))
        } else if text.chars().any(is_deceptive) || hides_something(text) {
            Err(UnfitValue::Line("holds a control, invisible or bidirectional character"))
        } else if text.chars().count() > Self::MAX {
            Err(UnfitValue::Line("has more than 500 characters"))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}
as_text!(Line);

/// A moment in UTC, to the second, in the years 2000 to 9999. In an entry it is a TOML
/// date-time without quotes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time(DateTime<Utc>);

impl Time {
    const FORM: &'static str = "%Y-%m-%dT%H:%M:%SZ";

    /// Takes a moment, cut to the second.
    pub fn new(moment: DateTime<Utc>) -> Option<Self> {
        let moment = moment.trunc_subsecs(0);
        // chrono keeps a leap second as a second with a billion nanoseconds too many.
        let plain = moment.timestamp_subsec_nanos() == 0;
        (plain && (2000..=9999).contains(&moment.year())).then_some(Self(moment))
    }

    /// The moment.
    pub fn moment(self) -> DateTime<Utc> {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format(Self::FORM))
    }
}

impl FromStr for Time {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        NaiveDateTime::parse_from_str(text, Self::FORM)
            .ok()
            .and_then(|naive| Self::new(naive.and_utc()))
            .filter(|time| time.to_string() == text)
            .ok_or(UnfitValue::Time)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written: toml::value::Datetime =
            self.to_string().parse().map_err(|_| ser::Error::custom(UnfitValue::Time))?;
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = toml::value::Datetime::deserialize(deserializer)?;
        written.to_string().parse().map_err(de::Error::custom)
    }
}

/// `N` bytes, written as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> FromStr for Hex<N> {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; N];
        let mut digits = text.bytes().map(digit);
        for byte in &mut bytes {
            match (digits.next().flatten(), digits.next().flatten()) {
                (Some(high), Some(low)) => *byte = high << 4 | low,
                _ => return Err(UnfitValue::Hex(2 * N)),
            }
        }
        if digits.next().is_some() { Err(UnfitValue::Hex(2 * N)) } else { Ok(Self(bytes)) }
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A SHA-256 digest, as `sha256sum` writes it.
pub type Digest = Hex<32>;
/// What keeps digests of guessable content unguessable: 16 random bytes.
pub type Salt = Hex<16>;
/// What a vault is known by: 16 random bytes, made when it is.
pub type VaultId = Hex<16>;

/// Bytes of any number, written as standard base64 with padding.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Bytes {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        STANDARD.decode(text).map(Self).map_err(|_| UnfitValue::Base64)
    }
}
as_text!(Bytes);

/// The recipient that age encrypts to: `age1…`, of X25519. Only its form is checked here;
/// `vault` checks the rest before it encrypts anything.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AgeRecipient(String);

impl AgeRecipient {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgeRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AgeRecipient {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let fits = text.len() == 62
            && text.starts_with("age1")
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(UnfitValue::AgeRecipient) }
    }
}
as_text!(AgeRecipient);

/// A security key's public key as OpenSSH writes it: its type, a blank, its base64; no
/// comment. Only the form is checked here; `log` reads the key itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SshPublicKey(String);

impl SshPublicKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SshPublicKey {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let known = ["sk-ssh-ed25519@openssh.com ", "sk-ecdsa-sha2-nistp256@openssh.com "];
        known
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .filter(|blob| blob.len() <= 1024 && STANDARD.decode(blob).is_ok())
            .map(|_| Self(text.to_owned()))
            .ok_or(UnfitValue::SshPublicKey)
    }
}
as_text!(SshPublicKey);

pub(super) use as_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_short_lower_case_and_plain() {
        for good in ["a", "alice", "7", "a-b-", &"x".repeat(32)] {
            assert_eq!(good.parse::<Handle>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "Alice", "a/b", "a b", "ä", "a.b", "a\n", &"x".repeat(33)] {
            assert!(bad.parse::<Handle>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_named_by_owner_and_label() {
        let name: KeyName = "alice/primary".parse().unwrap();
        assert_eq!((name.owner.as_str(), name.label.as_str()), ("alice", "primary"));
        for bad in ["alice", "/primary", "alice/", "alice/a/b", "Alice/primary", ""] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_line_holds_nothing_a_terminal_could_be_fooled_with() {
        assert!("Example Corp, Zürich".parse::<Line>().is_ok());
        for bad in ["", " a", "a ", "a\nb", "a\tb", "a\u{202e}b", "a\u{200b}b", "\u{1b}[2J"] {
            assert!(bad.parse::<Line>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(501).parse::<Line>().is_err());
        let unseen = "Zü\u{200d}rich".parse::<Line>().unwrap_err().to_string();
        assert_eq!(unseen, "text holds a control, invisible or bidirectional character");
    }

    #[test]
    fn a_time_has_one_spelling() {
        let time: Time = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-22T12:00:00Z");
        for bad in [
            "2026-11-22T12:00:00+00:00",
            "2026-11-22T12:00:00.5Z",
            "2026-11-22 12:00:00Z",
            "2026-11-22T12:00:00z",
            "2026-02-30T12:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T23:59:60Z",
            "1999-12-31T23:59:59Z",
            "+2026-11-22T12:00:00Z",
        ] {
            assert!(bad.parse::<Time>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hex_is_lower_case_and_of_one_length() {
        let id: VaultId = "00112233445566778899aabbccddeeff".parse().unwrap();
        assert_eq!(id.to_string(), "00112233445566778899aabbccddeeff");
        for bad in
            ["", "00", "00112233445566778899AABBCCDDEEFF", "00112233445566778899aabbccddeeff00"]
        {
            assert!(bad.parse::<VaultId>().is_err(), "{bad}");
        }
    }
}
