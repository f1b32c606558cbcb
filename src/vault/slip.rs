//! Slips on their way: made from a copy of the vault, sent, and read where they are collected.
//!
//! A slip's file is text that fits in a mail: an age file in armour, encrypted to the compartment
//! `records`. What is in it is JSON:
//!
//! ```json
//! { "format": 1, "slips": ["<document and signatures>", …], "files": ["<base64>", …] }
//! ```
//!
//! The files are those that the slips' events name by their digests, which also say where they belong:
//! nothing that comes in a slip says where it is to be written.
//!
//! This module must not decide whether a slip may be admitted: that is [`crate::log::Replay`]'s.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::append::{AppendError, Draft, NewFile, records_recipient};
use super::cipher::{self, OpenError, Recipient, SealError};
use super::layout::Layout;
use super::open::OpenVault;
use super::store::{StoreError, read_bounded};
use super::{ATTACHMENT_OVERHEAD, MAX_ATTACHMENT, MAX_FILE};
use crate::log::{Document, FORMAT, Head, MAX_SLIPS, Malformed, SignedDocument, sha256};
use crate::record::{Digest, Event};

/// The largest file of slips, in bytes, as it travels.
pub const MAX_SLIP_FILE: u64 = 8 << 20;
/// The most slips in one: those that an entry may carry, and that entry.
const MAX_IN_FILE: usize = MAX_SLIPS + 1;
/// The most files that travel with slips.
const MAX_FILES: usize = 256;

/// What a slip's file holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SlipFile {
    /// The slips, in the order in which they are admitted.
    pub slips: Vec<SignedDocument>,
    /// The files that their events name.
    pub files: Vec<Vec<u8>>,
}

/// The same as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    format: u32,
    slips: Vec<String>,
    files: Vec<String>,
}

/// Why a file of slips can't be made or read.
#[derive(Debug, Error)]
pub enum SlipFileError {
    /// Larger than such a file is.
    #[error("it is too large for a slip: {} MiB at most", MAX_SLIP_FILE >> 20)]
    TooLarge,
    /// It isn't an age file in armour.
    #[error("it isn't a slip: it doesn't hold an age file in armour")]
    NotArmored,
    /// It doesn't open with this vault's records.
    #[error("it doesn't open: it is damaged, or a slip for another vault")]
    Closed(#[source] OpenError),
    /// It opens, and holds something else.
    #[error("it opens, and doesn't hold slips: {0}")]
    Contents(String),
    /// Made by a later version.
    #[error("it is of format {0}, and this version of keymuster reads format {FORMAT} only")]
    NewerFormat(u32),
    /// A slip in it is none.
    #[error("slip {0} in it is damaged: {1}")]
    Slip(usize, Malformed),
    /// It can't be encrypted.
    #[error("it couldn't be encrypted")]
    Seal(#[source] SealError),
}

/// Why the files that slips name can't be written.
#[derive(Debug, Error)]
pub enum SlipFilesError {
    /// One didn't come with them.
    #[error("it names the file {0}, which didn't come with it")]
    Missing(String),
    /// Another file has its name.
    #[error("the file {0} is there, and isn't the one that it names")]
    Other(String),
    /// What is there can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SlipFile {
    /// The text that travels, which whoever opens the compartment of this recipient can read.
    pub fn seal(&self, records: &Recipient) -> Result<Vec<u8>, SlipFileError> {
        let fits = self.slips.len() <= MAX_IN_FILE && self.files.len() <= MAX_FILES;
        if !fits {
            return Err(SlipFileError::TooLarge);
        }
        let contents = Contents {
            format: FORMAT,
            slips: self.slips.iter().map(|slip| slip.text().to_owned()).collect(),
            files: self.files.iter().map(|file| BASE64_STANDARD.encode(file)).collect(),
        };
        let plaintext = serde_json::to_vec(&contents)
            .map_err(|error| SlipFileError::Contents(error.to_string()))?;
        let sealed = cipher::encrypt(&plaintext, std::slice::from_ref(records))
            .map_err(SlipFileError::Seal)?;
        let armored = armored(&sealed).map_err(|_| SlipFileError::TooLarge)?;
        let fits = u64::try_from(armored.len()).is_ok_and(|length| length <= MAX_SLIP_FILE);
        if fits { Ok(armored) } else { Err(SlipFileError::TooLarge) }
    }

    fn read(plaintext: &[u8]) -> Result<Self, SlipFileError> {
        // The parser's own words could echo what is inside: its place is enough.
        let contents: Contents = serde_json::from_slice(plaintext).map_err(|error| {
            SlipFileError::Contents(format!("line {}, column {}", error.line(), error.column()))
        })?;
        if contents.format != FORMAT {
            return Err(SlipFileError::NewerFormat(contents.format));
        }
        if contents.slips.is_empty() || contents.slips.len() > MAX_IN_FILE {
            return Err(SlipFileError::Contents("it has no slip, or too many".to_owned()));
        }
        if contents.files.len() > MAX_FILES {
            return Err(SlipFileError::Contents("it has too many files".to_owned()));
        }
        let slip = |(number, text): (usize, &String)| {
            SignedDocument::parse(text).map_err(|error| SlipFileError::Slip(number, error))
        };
        let file = |text: &String| {
            let decoded = BASE64_STANDARD.decode(text);
            decoded.map_err(|_| SlipFileError::Contents("a file in it is damaged".to_owned()))
        };
        Ok(Self {
            slips: (1..).zip(&contents.slips).map(slip).collect::<Result<_, _>>()?,
            files: contents.files.iter().map(file).collect::<Result<_, _>>()?,
        })
    }

    /// The files that the slips' events name and that aren't in the vault, at their places. Those
    /// that none names are left out.
    pub fn new_files(self, layout: &Layout) -> Result<Vec<NewFile>, SlipFilesError> {
        let mut carried: BTreeMap<Digest, Vec<u8>> =
            self.files.into_iter().map(|file| (sha256(&file), file)).collect();
        let events = self.slips.iter().flat_map(|slip| &slip.document().events);
        let mut all = Vec::new();
        for (digest, path) in events.flat_map(|event| files_of(event, layout)) {
            let limit = MAX_FILE.max(MAX_ATTACHMENT as u64 + ATTACHMENT_OVERHEAD);
            match read_bounded(&path, limit) {
                Ok(there) if sha256(&there) == digest => continue,
                Err(StoreError::Missing(_)) => {}
                Ok(_) | Err(StoreError::NotAFile(_) | StoreError::TooLarge { .. }) => {
                    return Err(SlipFilesError::Other(layout.shown(&path)));
                }
                Err(error) => return Err(error.into()),
            }
            // What is named twice is written once.
            let known = all.iter().any(|file: &NewFile| file.path == path);
            match carried.remove(&digest) {
                Some(bytes) => all.push(NewFile { path, bytes }),
                None if known => {}
                None => return Err(SlipFilesError::Missing(layout.shown(&path))),
            }
        }
        Ok(all)
    }
}

/// The files that an event names, and their places.
pub(super) fn files_of(event: &Event, layout: &Layout) -> Vec<(Digest, PathBuf)> {
    match event {
        Event::IdentitySealed(it) => {
            let (who, slot, number) = (&it.custodian, &it.slot, it.generation);
            let plugin = it.plugin_sha256;
            let plugin = plugin.map(|sha256| (sha256, layout.plugin_identity(who, slot, number)));
            let sealed = (it.sha256, layout.identity(who, slot, number));
            [sealed].into_iter().chain(plugin).collect()
        }
        Event::CompartmentSealed(it) => {
            vec![(it.sha256, layout.compartment(it.compartment.as_str(), it.epoch))]
        }
        Event::SecretStored(it) => vec![(it.sha256, layout.secret(&it.sha256))],
        Event::SecretReplaced(it) => vec![(it.sha256, layout.secret(&it.sha256))],
        Event::RunbookAdopted(it) => vec![(it.file, layout.attachment(&it.file))],
        Event::EvidenceKept(it) => vec![(it.file, layout.attachment(&it.file))],
        _ => Vec::new(),
    }
}

impl OpenVault {
    /// The document of a slip, and the head that its signers sign.
    pub fn draft_slip(&self, draft: Draft) -> Result<(Document, Head), AppendError> {
        self.check_log_sound()?;
        let (document, _) = self.next_document(draft);
        let head = self.head().after(document.to_canonical()?.as_bytes());
        Ok((document, head))
    }

    /// Seals slips for whoever opens this vault's records.
    pub fn seal_slips(&self, file: &SlipFile) -> Result<Vec<u8>, SlipFileError> {
        let recipient = records_recipient(self.state())
            .ok_or_else(|| SlipFileError::Contents("the vault has no records".to_owned()))?;
        file.seal(&recipient)
    }

    /// Reads a file of slips for this vault.
    pub fn open_slips(&self, armored: &[u8]) -> Result<SlipFile, SlipFileError> {
        let sealed = dearmored(armored).ok_or(SlipFileError::NotArmored)?;
        let limit = usize::try_from(MAX_SLIP_FILE).unwrap_or(usize::MAX);
        let plaintext = self.records.decrypt(&sealed, limit).map_err(SlipFileError::Closed)?;
        SlipFile::read(&plaintext)
    }
}

fn armored(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
    writer.write_all(bytes)?;
    writer.finish()
}

/// The bytes in an armour, around which a mail program may have left blanks and empty lines.
fn dearmored(text: &[u8]) -> Option<Vec<u8>> {
    const BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
    let text = text.trim_ascii();
    if !text.starts_with(BEGIN) {
        return None;
    }
    let mut bytes = Vec::new();
    ArmoredReader::new(text).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
