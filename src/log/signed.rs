//! A document and the signatures under it: the whole of an entry, or a slip that one carries.

use std::ops::Range;

use super::chain::sha256;
use super::document::{Document, MAX_ENTRY, MAX_SIGNERS, MAX_SLIPS, Malformed};
use crate::record::{Digest, KeyName};

const ARMOR_BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const ARMOR_END: &str = "-----END SSH SIGNATURE-----\n";

/// A document as it was read, byte for byte, what it says, and the armour of the signatures
/// under it. Well-formed, but not yet verified: that is [`super::Replay`]'s.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedDocument {
    text: String,
    document_length: usize,
    document: Document,
    /// Where in the text each signature stands.
    signatures: Vec<Range<usize>>,
}

impl SignedDocument {
    /// Puts signatures, in the order of the document's signers, under a document.
    pub fn new(document: &Document, signatures: &[String]) -> Result<Self, Malformed> {
        let mut text = document.to_canonical()?;
        signatures.iter().for_each(|armor| text.push_str(armor));
        Self::parse(&text)
    }

    /// Reads a text that is nothing but one.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        match Self::split(text)? {
            (signed, "") if text.len() <= MAX_ENTRY => Ok(signed),
            (_, "") => Err(Malformed::TooLarge),
            _ => Err(Malformed::NotSignatures),
        }
    }

    /// Takes one from the front of a text. What follows is returned with it.
    pub(super) fn split(text: &str) -> Result<(Self, &str), Malformed> {
        // A canonical document has no line that begins like armour.
        let document_length = match text.find(&format!("\n{ARMOR_BEGIN}")) {
            Some(position) => position + 1,
            None => text.len(),
        };
        let (document, mut rest) = text.split_at(document_length);
        let document = Document::from_canonical(document)?;
        if document.signers.len() > MAX_SIGNERS {
            return Err(Malformed::TooManySigners);
        }
        if document.slips.len() > MAX_SLIPS {
            return Err(Malformed::TooManySlips);
        }
        let mut lengths = Vec::new();
        while let Some((length, others)) = split_armor(rest)? {
            lengths.push(length);
            // Another document may follow, and nothing else but what belongs to this one.
            if lengths.len() > document.signers.len() {
                break;
            }
            rest = others;
        }
        if lengths.len() != document.signers.len() {
            let (named, carried) = (document.signers.len(), lengths.len());
            return Err(Malformed::SignatureCount { named, carried });
        }
        let signatures = laid_out(document_length, lengths);
        let end = text.len() - rest.len();
        let own = text.get(..end).unwrap_or_default().to_owned();
        Ok((Self { text: own, document_length, document, signatures }, rest))
    }

    /// One whose signatures lie apart from it, in the order of its signers. What they are is
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
        if document.signers.len() > MAX_SIGNERS {
            return Err(Malformed::TooManySigners);
        }
        if document.slips.len() > MAX_SLIPS {
            return Err(Malformed::TooManySlips);
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

    /// The document, and right behind it the signatures.
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

/// The length of the armour that a text begins with, and what follows it; `None` where it
/// begins otherwise.
fn split_armor(text: &str) -> Result<Option<(usize, &str)>, Malformed> {
    if !text.starts_with(ARMOR_BEGIN) {
        return Ok(None);
    }
    let end = text.find(ARMOR_END).ok_or(Malformed::NotSignatures)? + ARMOR_END.len();
    Ok(text.get(end..).map(|rest| (end, rest)))
}
