//! The journal of a drill that is under way: what happened in it until now, record by record, so
//! that a crash loses no step. Once the drill is over, its transcript is in the log, and the
//! journal goes.
//!
//! ```text
//! # keymuster journal
//! # vault: 01JD…
//! # drill: quarterly-1
//! # number: 2
//! # previous: <hex of link 1>
//! …
//! ```
//!
//! Each record is a file, encrypted to the compartment `records`, that is never written again:
//! `drafts/quarterly-1/000002.age`. Link 0 is that of the entry which started the drill; link n
//! is made of link n-1 and the digest of record n, as the log's are. So nothing can be changed,
//! taken out or put in between; that the end was cut off shows on a machine that remembers it.
//!
//! What a record says is somebody else's to know: this module keeps texts.

use std::fs;
use std::path::PathBuf;

use thiserror::Error;

use super::append::records_recipient;
use super::attachment::{Attachment, AttachmentError};
use super::cipher::{self, OpenError};
use super::identity::KeyFileError;
use super::identity::lines::{Lines, require};
use super::layout::drill_of;
use super::open::OpenVault;
use super::store::{StoreError, read_bounded, write_new};
use super::{AppendError, MAX_FILE};
use crate::log::{next_link, sha256};
use crate::record::{Digest, Handle, VaultId};

const TITLE: &str = "# keymuster journal";
const VAULT: &str = "# vault: ";
const DRILL: &str = "# drill: ";
const NUMBER: &str = "# number: ";
const PREVIOUS: &str = "# previous: ";
/// The longest record, in bytes of plaintext.
const MAX_RECORD: usize = 256 << 10;
/// The most records of a journal.
const MAX_RECORDS: usize = 10_000;

/// A journal that was read, and may be written on.
#[derive(Debug)]
pub struct Journal {
    drill: Handle,
    /// `links[0]` is that of the entry which started the drill, `links[n]` that of record n.
    links: Vec<Digest>,
    /// What the records say, in their order.
    records: Vec<String>,
}

/// Why a journal can't be read or written on.
#[derive(Debug, Error)]
pub enum JournalError {
    /// A file couldn't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record doesn't open.
    #[error("{file} doesn't open")]
    Closed {
        /// The file, relative to the vault.
        file: String,
        /// The reason.
        source: OpenError,
    },
    /// A record isn't what belongs there: it was changed, or taken from elsewhere.
    #[error("{file} isn't what was written there")]
    Other {
        /// The file, relative to the vault.
        file: String,
        /// The reason.
        source: KeyFileError,
    },
    /// A record is missing, and later ones are there.
    #[error("{0} is missing, and later records are there")]
    Missing(String),
    /// Somebody else wrote the next record.
    #[error("somebody else goes on with {0} at this moment")]
    Overtaken(Handle),
    /// More than a drill can have.
    #[error("the journal has {MAX_RECORDS} records, and takes no more")]
    Full,
    /// A record can't be encrypted.
    #[error(transparent)]
    Seal(#[from] AppendError),
    /// Evidence that is to be kept can't be had.
    #[error(transparent)]
    Evidence(#[from] AttachmentError),
}

impl Journal {
    /// What the records say, in their order.
    pub fn records(&self) -> &[String] {
        &self.records
    }

    /// The links, from that of the entry which started the drill.
    pub fn links(&self) -> &[Digest] {
        &self.links
    }

    /// The link of the last record, on which all others hang; none without a record.
    pub fn head(&self) -> Option<Digest> {
        self.links.get(1..).and_then(<[Digest]>::last).copied()
    }

    /// What this journal is called where heads are remembered: no vault has such an id.
    pub fn memory_id(&self, vault: &VaultId) -> VaultId {
        let name = sha256(format!("keymuster/{vault}\njournal of {}\n", self.drill).as_bytes());
        let mut id = [0; 16];
        id.iter_mut().zip(name.0).for_each(|(to, from)| *to = from);
        crate::record::Hex(id)
    }
}

impl OpenVault {
    /// Whether drafts of this name are there, of a drill that may not be on record: a copy of the
    /// vault from before may have been put in place.
    pub fn has_drafts(&self, drill: &Handle) -> bool {
        self.location().layout.draft_folder_of(drill).symlink_metadata().is_ok()
    }

    /// Reads the journal of a drill, which the entry with this number started.
    pub fn read_journal(&self, drill: &Handle, started: u64) -> Result<Journal, JournalError> {
        let start = usize::try_from(started).ok().and_then(|place| self.links().get(place));
        let mut journal = Journal {
            drill: drill.clone(),
            links: start.copied().into_iter().collect(),
            records: Vec::new(),
        };
        let layout = &self.location().layout;
        for number in 1..=MAX_RECORDS as u32 {
            let path = layout.draft(drill, number);
            let bytes = match read_bounded(&path, MAX_FILE) {
                Err(StoreError::Missing(_)) => break,
                other => other?,
            };
            let file = layout.shown(&path);
            let text = self
                .records
                .decrypt(&bytes, MAX_RECORD)
                .map_err(|source| JournalError::Closed { file: file.clone(), source })?;
            let body = self
                .body(&journal, &text)
                .map_err(|source| JournalError::Other { file, source })?;
            let previous = journal.links.last().copied().unwrap_or(crate::record::Hex([0; 32]));
            journal.links.push(next_link(&previous, &sha256(&text)));
            journal.records.push(body);
        }
        self.check_no_later(&journal)?;
        Ok(journal)
    }

    /// What the next record of a journal says.
    fn body(&self, journal: &Journal, text: &[u8]) -> Result<String, KeyFileError> {
        let mut lines = Lines::of(text, MAX_RECORD)?;
        lines.exactly(TITLE)?;
        require("vault", lines.value(VAULT)?, &self.location().id.to_string())?;
        require("drill", lines.value(DRILL)?, journal.drill.as_str())?;
        let number = lines.count(NUMBER)?.to_string();
        require("number", &number, &(journal.records.len() + 1).to_string())?;
        let previous = journal.links.last().map(ToString::to_string).unwrap_or_default();
        require("previous", lines.value(PREVIOUS)?, &previous)?;
        Ok(lines.remainder("a record")?.to_owned())
    }

    /// Fails where a record is missing before one that is there.
    fn check_no_later(&self, journal: &Journal) -> Result<(), JournalError> {
        let layout = &self.location().layout;
        let next = u32::try_from(journal.records.len()).unwrap_or(u32::MAX).saturating_add(1);
        let is_record = |path: &PathBuf| {
            let name = path.file_stem().and_then(|name| name.to_str()?.parse::<u32>().ok());
            name.is_some_and(|number| {
                number > next && layout.draft(&journal.drill, number) == *path
            })
        };
        if layout.drafts_of(&journal.drill)?.iter().any(is_record) {
            let missing = layout.shown(&layout.draft(&journal.drill, next));
            return Err(JournalError::Missing(missing));
        }
        Ok(())
    }

    /// Writes a record down, durably, before anything else happens.
    pub fn write_record(&self, journal: &mut Journal, body: &str) -> Result<(), JournalError> {
        if journal.records.len() >= MAX_RECORDS {
            return Err(JournalError::Full);
        }
        let number = u32::try_from(journal.records.len()).unwrap_or(u32::MAX).saturating_add(1);
        let previous = journal.links.last().copied().unwrap_or(crate::record::Hex([0; 32]));
        let (vault, drill) = (self.location().id, &journal.drill);
        let text = format!(
            "{TITLE}\n{VAULT}{vault}\n{DRILL}{drill}\n{NUMBER}{number}\n{PREVIOUS}{previous}\n{body}\n"
        );
        let recipient = records_recipient(self.state()).ok_or(AppendError::NoRecords)?;
        let ciphertext =
            cipher::encrypt(text.as_bytes(), &[recipient]).map_err(AppendError::Encrypt)?;
        let layout = &self.location().layout;
        let path = layout.draft(drill, number);
        layout.make_drafts_of(drill)?;
        match write_new(&path, &ciphertext) {
            Err(StoreError::Taken(_)) => return Err(JournalError::Overtaken(drill.clone())),
            other => other?,
        }
        journal.links.push(next_link(&previous, &sha256(text.as_bytes())));
        journal.records.push(body.to_owned());
        Ok(())
    }

    /// Keeps evidence beside the journal, until the entry that ends the drill names it.
    pub fn draft_evidence(
        &self,
        journal: &Journal,
        content: &[u8],
    ) -> Result<Attachment, JournalError> {
        let attachment = self.seal_attachment(content)?;
        let layout = &self.location().layout;
        layout.make_drafts_of(&journal.drill)?;
        let path = layout.draft_evidence(&journal.drill, &attachment.file);
        write_new(&path, &attachment.new_file.bytes)?;
        Ok(attachment)
    }

    /// Evidence that was kept beside a journal, as it goes into the vault.
    pub fn drafted_evidence(
        &self,
        journal: &Journal,
        file: &Digest,
        content: &Digest,
    ) -> Result<super::NewFile, JournalError> {
        let layout = &self.location().layout;
        let path = layout.draft_evidence(&journal.drill, file);
        let bytes = self.read_attachment(&path, file, content)?;
        Ok(super::NewFile { path: layout.attachment(file), bytes })
    }

    /// Removes the drafts of drills that are over, as far as that can be done: what they had is
    /// in the log. Only for a holder of the vault's lock.
    pub fn remove_old_drafts(&self) {
        let layout = &self.location().layout;
        for folder in layout.drafts().unwrap_or_default() {
            let over = drill_of(&folder).and_then(|drill| self.state().drills().get(&drill));
            if over.is_some_and(|run| !run.is_open()) {
                let _ = fs::remove_dir_all(&folder);
            }
        }
    }
}
