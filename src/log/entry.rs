//! An entry: its document, byte for byte, the signatures that follow it, and the slips that it
//! carries.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::canonical;
use super::signed::SignedDocument;
use crate::record::{Act, Digest, Event, KeyName, Line, Salt, Time, VaultId};

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
    fn in_slip(self) -> Self {
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

/// An entry as it was read: its document with the signatures under it, and the slips that it
/// carries, each with its own. Well-formed, but not yet verified: that is [`super::Replay`]'s.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    signed: SignedDocument,
    slips: Vec<SignedDocument>,
}

impl Entry {
    /// Puts signatures, in the order of the document's signers, under a document that carries no
    /// slip.
    pub fn new(document: &Document, signatures: &[String]) -> Result<Self, Malformed> {
        Self::with_slips(SignedDocument::new(document, signatures)?, Vec::new())
    }

    /// A signed document, and the slips that it names, in its order.
    pub fn with_slips(
        signed: SignedDocument,
        slips: Vec<SignedDocument>,
    ) -> Result<Self, Malformed> {
        let named = &signed.document().slips;
        let carried: Vec<Digest> = slips.iter().map(SignedDocument::digest).collect();
        if *named != carried {
            return Err(Malformed::OtherSlips);
        }
        let all = [&signed].into_iter().chain(&slips);
        if all.map(|it| it.document_text().len()).sum::<usize>() > MAX_ENTRY {
            return Err(Malformed::TooLarge);
        }
        Ok(Self { signed, slips })
    }

    /// Reads an entry's plaintext.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Malformed> {
        if bytes.len() > MAX_ENTRY {
            return Err(Malformed::TooLarge);
        }
        let text = String::from_utf8(bytes).map_err(|_| Malformed::NotText)?;
        let (signed, mut rest) = SignedDocument::split(&text)?;
        let named = signed.document().slips.len();
        let mut slips = Vec::new();
        while !rest.is_empty() && slips.len() < named {
            let (slip, others) = SignedDocument::split(rest).map_err(Malformed::in_slip)?;
            slips.push(slip);
            rest = others;
        }
        if !rest.is_empty() {
            return Err(Malformed::NotSignatures);
        }
        Self::with_slips(signed, slips)
    }

    /// The document and the signatures under it.
    pub fn signed(&self) -> &SignedDocument {
        &self.signed
    }

    /// What it says.
    pub fn document(&self) -> &Document {
        self.signed.document()
    }

    /// The bytes that its digest covers.
    pub fn document_text(&self) -> &str {
        self.signed.document_text()
    }

    /// The armoured signatures, in the order of the document's signers.
    pub fn signatures(&self) -> Vec<&str> {
        self.signed.signatures()
    }

    /// The slips that it carries, in the order in which it names them.
    pub fn slips(&self) -> &[SignedDocument] {
        &self.slips
    }

    /// What it says happened, and who signed for it, in the order in which it happens.
    pub fn acts(&self) -> Vec<Act<'_>> {
        acts(self.document(), &self.slips)
    }

    /// The documents whose events happen in it, in that order: of its slips, then its own.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.slips.iter().map(SignedDocument::document).chain([self.document()])
    }

    /// All that it says happened, in the order in which it happens.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.documents().flat_map(|document| &document.events)
    }

    /// The whole plaintext.
    pub fn text(&self) -> Cow<'_, str> {
        if self.slips.is_empty() {
            return Cow::Borrowed(self.signed.text());
        }
        let all = [&self.signed].into_iter().chain(&self.slips);
        Cow::Owned(all.map(SignedDocument::text).collect())
    }

    /// SHA-256 of the document.
    pub fn digest(&self) -> Digest {
        self.signed.digest()
    }
}

/// What a document that carries these slips says happened, and who signed for it, in the order in
/// which it happens: what the slips say, one after the other, then what it says itself.
pub(super) fn acts<'e>(document: &'e Document, slips: &'e [SignedDocument]) -> Vec<Act<'e>> {
    let own = Act { signers: Cow::Borrowed(&document.signers), events: &document.events };
    acts_beside(slips, Some(document)).into_iter().chain([own]).collect()
}

/// The same of slips alone.
pub fn acts_of(slips: &[SignedDocument]) -> Vec<Act<'_>> {
    acts_beside(slips, None)
}

/// What slips say. It is signed for by those who signed them, and by those who signed what endorses
/// them: another of them, or the document beside them.
fn acts_beside<'e>(slips: &'e [SignedDocument], beside: Option<&Document>) -> Vec<Act<'e>> {
    let endorses = |document: &&Document, slip: &Digest| {
        let of = |event: &Event| matches!(event, Event::SlipEndorsed(it) if it.slip == *slip);
        document.events.iter().any(of)
    };
    let act = |slip: &'e SignedDocument| {
        let (document, digest) = (slip.document(), slip.digest());
        let mut signers = document.signers.clone();
        let all = slips.iter().map(SignedDocument::document).chain(beside);
        for signer in all.filter(|it| endorses(it, &digest)).flat_map(|it| &it.signers) {
            if !signers.contains(signer) {
                signers.push(signer.clone());
            }
        }
        Act { signers: Cow::Owned(signers), events: &document.events }
    };
    slips.iter().map(act).collect()
}
