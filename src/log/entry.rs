//! An entry: its document, byte for byte, and the signatures that follow it.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::canonical;
use super::chain::sha256;
use crate::record::{Digest, Event, KeyName, Line, Salt, Time, VaultId};

/// The version of the format that this code reads and writes.
pub const FORMAT: u32 = 1;
/// The largest entry, in bytes of plaintext.
pub const MAX_ENTRY: usize = 32 << 20;
/// The most signatures under one entry.
pub const MAX_SIGNERS: usize = 256;

const ARMOR_BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const ARMOR_END: &str = "-----END SSH SIGNATURE-----\n";

/// What an entry says, before it is signed.
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
    /// Digests of the slips that follow. None are written or read by this version.
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
    /// It carries slips.
    #[error("it carries slips, which this version of keymuster doesn't read")]
    Slips,
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

/// An entry as it was read: the bytes that were signed, what they say, and the armour of
/// the signatures. Well-formed, but not yet verified: that is [`super::Replay`]'s.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    text: String,
    document_length: usize,
    document: Document,
    /// Where in the text each signature stands.
    signatures: Vec<Range<usize>>,
}

impl Entry {
    /// Puts signatures, in the order of the document's signers, under a document.
    pub fn new(document: &Document, signatures: &[String]) -> Result<Self, Malformed> {
        let mut text = document.to_canonical()?;
        signatures.iter().for_each(|armor| text.push_str(armor));
        Self::parse(text.into_bytes())
    }

    /// Reads an entry's plaintext.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Malformed> {
        if bytes.len() > MAX_ENTRY {
            return Err(Malformed::TooLarge);
        }
        let text = String::from_utf8(bytes).map_err(|_| Malformed::NotText)?;
        // A canonical document has no line that begins like armour.
        let document_length = match text.find(&format!("\n{ARMOR_BEGIN}")) {
            Some(position) => position + 1,
            None => text.len(),
        };
        let (head, tail) = text.split_at(document_length);
        let document = Document::from_canonical(head)?;
        if !document.slips.is_empty() {
            return Err(Malformed::Slips);
        }
        let lengths = split_armor(tail).ok_or(Malformed::NotSignatures)?;
        if lengths.len() != document.signers.len() || lengths.len() > MAX_SIGNERS {
            let (named, carried) = (document.signers.len(), lengths.len());
            return Err(Malformed::SignatureCount { named, carried });
        }
        let signatures = laid_out(document_length, lengths);
        Ok(Self { text, document_length, document, signatures })
    }

    /// An entry whose signatures lie apart from it, in the order of its signers. What they are is
    /// seen when they are verified; one that is missing is empty.
    pub fn from_parts(
        document: Vec<u8>,
        mut signature_of: impl FnMut(&KeyName) -> String,
    ) -> Result<Self, Malformed> {
        if document.len() > MAX_ENTRY {
            return Err(Malformed::TooLarge);
        }
        let mut text = String::from_utf8(document).map_err(|_| Malformed::NotText)?;
        let document_length = text.len();
        let document = Document::from_canonical(&text)?;
        if !document.slips.is_empty() {
            return Err(Malformed::Slips);
        }
        if document.signers.len() > MAX_SIGNERS {
            return Err(Malformed::TooManySigners);
        }
        let armors: Vec<String> = document.signers.iter().map(&mut signature_of).collect();
        armors.iter().for_each(|armor| text.push_str(armor));
        let signatures = laid_out(document_length, armors.iter().map(String::len));
        Ok(Self { text, document_length, document, signatures })
    }

    /// What it says.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The bytes that its digest covers.
    pub fn document_text(&self) -> &str {
        self.text.get(..self.document_length).unwrap_or_default()
    }

    /// The armoured signatures, in the order of the document's signers.
    pub fn signatures(&self) -> Vec<&str> {
        let at = |place: &Range<usize>| self.text.get(place.clone()).unwrap_or_default();
        self.signatures.iter().map(at).collect()
    }

    /// The whole plaintext.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the document.
    pub fn digest(&self) -> Digest {
        sha256(self.document_text().as_bytes())
    }
}

/// The places of texts of these lengths, one after the other.
fn laid_out(begin: usize, lengths: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut end = begin;
    let mut next = |length| {
        let begin = end;
        end += length;
        begin..end
    };
    lengths.into_iter().map(&mut next).collect()
}

/// The lengths of the armoured signatures in a text that is nothing but such; `None` if it is
/// anything else.
fn split_armor(mut text: &str) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    while !text.is_empty() {
        if !text.starts_with(ARMOR_BEGIN) {
            return None;
        }
        let end = text.find(ARMOR_END)? + ARMOR_END.len();
        found.push(end);
        text = text.get(end..)?;
    }
    Some(found)
}
