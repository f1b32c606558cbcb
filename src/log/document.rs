//! What an entry or a slip says, byte for byte, and why bytes say none.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::canonical;
use crate::record::{Digest, Event, KeyName, Line, Salt, Time, VaultId};

/// The version of the format that this code reads and writes.
pub const FORMAT: u32 = 1;
/// The largest entry, in bytes of plaintext.
pub const MAX_ENTRY: usize = 32 << 20;
/// The most signatures under one document.
pub const MAX_SIGNERS: usize = 256;
/// The most slips in one entry.
pub const MAX_SLIPS: usize = 256;

/// What an entry or a slip says, before it is signed. A slip is made like the entry that its writer
/// could have appended after the last one that they knew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The format's version, [`FORMAT`].
    pub format: u32,
    /// The vault it belongs to.
    pub vault: VaultId,
    /// Its place in the log, from 1.
    pub number: u64,
    /// The link of the entry before it.
    pub previous: Digest,
    /// When it was made, by the clock of the machine that made it.
    pub time: Time,
    /// Keeps the digests of guessable documents unguessable.
    pub salt: Salt,
    /// Name and version of what wrote it.
    pub tool: Line,
    /// The keys whose signatures follow, in that order.
    pub signers: Vec<KeyName>,
    /// Digests of the slips that follow, in that order. A slip itself carries none.
    pub slips: Vec<Digest>,
    /// What happened.
    #[serde(rename = "event")]
    pub events: Vec<Event>,
}

/// Why bytes are no entry.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// Larger than [`MAX_ENTRY`].
    #[error("it is larger than 32 MiB")]
    TooLarge,
    /// Not text.
    #[error("it isn't UTF-8 text")]
    NotText,
    /// Made by a later version.
    #[error("it is of format {0}, and this version of keymuster reads format {FORMAT} only")]
    NewerFormat(u64),
    /// The first line isn't the format.
    #[error("it doesn't begin with its format")]
    NoFormat,
    /// Not TOML, or not the fields of an entry.
    #[error("line {line}: {message}")]
    Syntax {
        /// Line of the document, from 1.
        line: usize,
        /// The parser's words.
        message: String,
    },
    /// It parses, but isn't written in the one way.
    #[error("it isn't written in the canonical form")]
    NotCanonical,
    /// Something that isn't a signature stands among the signatures.
    #[error("what follows the document isn't a signature in armour")]
    NotSignatures,
    /// Names and signatures don't pair up.
    #[error("it names {named} signers and carries {carried} signatures")]
    SignatureCount {
        /// Signers in the document.
        named: usize,
        /// Signatures after it.
        carried: usize,
    },
    /// More signers than an entry has.
    #[error("it names more than {MAX_SIGNERS} signers")]
    TooManySigners,
    /// More slips than an entry has.
    #[error("it names more than {MAX_SLIPS} slips")]
    TooManySlips,
    /// Slips and their digests don't pair up.
    #[error("the slips that follow it aren't those that it names")]
    OtherSlips,
    /// A slip in it is no document with its signatures.
    #[error("a slip in it: {0}")]
    InSlip(Box<Malformed>),
}

impl Malformed {
    /// The same of a slip in an entry.
    pub(super) fn in_slip(self) -> Self {
        Self::InSlip(Box::new(self))
    }
}

impl Document {
    /// The canonical bytes.
    pub fn to_canonical(&self) -> Result<String, Malformed> {
        canonical::write(self).map_err(|_| Malformed::NotCanonical)
    }

    /// Reads a document, which must be written in the canonical form.
    pub fn from_canonical(text: &str) -> Result<Self, Malformed> {
        let format = text
            .strip_prefix("format = ")
            .and_then(|rest| rest.split_once('\n'))
            .and_then(|(number, _)| number.parse::<u64>().ok())
            .ok_or(Malformed::NoFormat)?;
        if format != u64::from(FORMAT) {
            return Err(Malformed::NewerFormat(format));
        }
        // The parser's own Display would echo the source: only its message is kept.
        let document: Self = toml::from_str(text).map_err(|error| Malformed::Syntax {
            line: error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1),
            message: crate::text::sanitise(error.message(), 200),
        })?;
        if document.to_canonical()? == text { Ok(document) } else { Err(Malformed::NotCanonical) }
    }
}
