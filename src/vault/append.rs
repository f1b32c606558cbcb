//! One more entry: considered before anybody touches a key, committed after.
//!
//! [`OpenVault::prepare`] makes the document and holds it against every rule but the
//! signatures, so that no touch is wasted on an entry that can't be. [`OpenVault::commit`]
//! writes the files that the entry names, then the entry under a temporary name, reads
//! both back, and links the entry under its number: from then on it has happened.

use std::collections::BTreeMap;
use std::path::PathBuf;

use thiserror::Error;

use super::cipher::{self, OpenError, Recipient, SealError};
use super::lock::Lock;
use super::open::OpenVault;
use super::store::{StoreError, remove_leftovers, write_new};
use crate::log::{Considered, Document, Entry, FORMAT, Fault, Head, MAX_ENTRY, Malformed};
use crate::record::{Event, KeyName, Line, RECORDS, Realm, Salt, Time};
use crate::sshsig::PublicKey;

/// A file that an entry names.
#[derive(Debug)]
pub struct NewFile {
    /// Its place.
    pub path: PathBuf,
    /// Its bytes, encrypted or public.
    pub bytes: Vec<u8>,
}

/// An entry that is ready to be signed.
#[derive(Debug)]
pub struct Prepared {
    document: Document,
    head: Head,
    considered: Considered,
    _lock: Lock,
}

impl Prepared {
    /// The head that its signers sign.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The public keys that it enrols, by name.
    pub fn enrolled(&self) -> &BTreeMap<KeyName, PublicKey> {
        self.considered.enrolled()
    }

    /// Real or demo.
    pub fn realm(&self) -> Realm {
        self.considered.realm()
    }

    /// What it says.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// Why an entry couldn't be appended. In every case the log is as it was.
#[derive(Debug, Error)]
pub enum AppendError {
    /// The log, or a file that it names, is faulty: nothing is built on that.
    #[error("this vault is faulty and takes no new entry: {0}")]
    Faulty(String),
    /// Somebody appended first.
    #[error(
        "entry {0} was written by somebody else meanwhile; nothing was changed, so run the command again"
    )]
    Overtaken(u64),
    /// The entry would break a rule.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// It has no canonical form, which is a mistake of ours.
    #[error("an entry came out wrong, which is a bug in keymuster")]
    Bug(#[from] Malformed),
    /// What was written doesn't open again.
    #[error("the entry that was written doesn't open again")]
    ReadBack(#[source] OpenError),
    /// It can't be encrypted.
    #[error("couldn't encrypt the entry")]
    Encrypt(#[source] SealError),
    /// The compartment `records` has no recipient, which is a mistake of ours.
    #[error("the log has no compartment to be encrypted to, which is a bug in keymuster")]
    NoRecords,
    /// A file couldn't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenVault {
    /// Makes the next entry's document and considers it. `lock` is kept until the entry is
    /// committed or given up.
    pub fn prepare(
        &self,
        lock: Lock,
        signers: Vec<KeyName>,
        events: Vec<Event>,
        time: Time,
        salt: Salt,
        tool: &Line,
    ) -> Result<Prepared, AppendError> {
        if let Some(fault) = &self.fault {
            return Err(AppendError::Faulty(fault.to_string()));
        }
        if let Some(damage) = self.damage().first() {
            return Err(AppendError::Faulty(damage.to_string()));
        }
        let head = self.replay.head();
        let document = Document {
            format: FORMAT,
            vault: head.vault,
            number: head.number.saturating_add(1),
            previous: head.link,
            time,
            salt,
            tool: tool.clone(),
            signers,
            slips: Vec::new(),
            events,
        };
        self.check_not_overtaken(document.number)?;
        let considered = self.replay.consider(&document)?;
        let head = head.after(document.to_canonical()?.as_bytes());
        Ok(Prepared { document, head, considered, _lock: lock })
    }

    /// Commits a prepared entry: `signatures` in the order of its signers, `files` that it
    /// names. Returns its number.
    pub fn commit(
        &mut self,
        prepared: Prepared,
        signatures: &[String],
        files: &[NewFile],
    ) -> Result<u64, AppendError> {
        let entry = Entry::new(&prepared.document, signatures)?;
        let number = prepared.document.number;
        let mut replay = self.replay.clone();
        replay.admit(&entry)?;

        let records = replay.state().compartments();
        let records = records.iter().find(|(name, _)| name.as_str() == RECORDS);
        let recipient: Recipient = records
            .and_then(|(_, records)| Recipient::parse(records.sealing.recipient.as_str()).ok())
            .ok_or(AppendError::NoRecords)?;
        let plaintext = entry.text().as_bytes();
        let ciphertext = cipher::encrypt(plaintext, &[recipient]).map_err(AppendError::Encrypt)?;
        let opened = self.records.decrypt(&ciphertext, MAX_ENTRY).map_err(AppendError::ReadBack)?;
        if opened.as_slice() != plaintext {
            return Err(AppendError::Store(StoreError::ReadBack(
                self.location.layout.entry(number),
            )));
        }

        self.check_not_overtaken(number)?;
        let layout = self.location.layout.clone();
        for folder in [layout.log(), layout.compartments(), layout.identities()] {
            remove_leftovers(&folder)?;
        }
        for file in files {
            write_new(&file.path, &file.bytes)?;
        }
        match write_new(&layout.entry(number), &ciphertext) {
            Err(StoreError::Taken(_)) => return Err(AppendError::Overtaken(number)),
            other => other?,
        }
        self.links.push(replay.head().link);
        self.entries.push(entry);
        self.replay = replay;
        Ok(number)
    }

    fn check_not_overtaken(&self, number: u64) -> Result<(), AppendError> {
        if self.location.layout.entry(number).exists() {
            Err(AppendError::Overtaken(number))
        } else {
            Ok(())
        }
    }
}
