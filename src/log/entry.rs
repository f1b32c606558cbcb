//! An entry: its document with the signatures under it, and the slips that it carries.

use std::borrow::Cow;

use super::document::{Document, MAX_ENTRY, Malformed};
use super::signed::SignedDocument;
use crate::record::{Act, Digest, Event};

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
