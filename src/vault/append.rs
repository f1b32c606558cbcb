//! One more entry: considered before anybody touches a key, committed after.
//!
//! [`OpenVault::catch_up`] takes in what others appended since the vault was opened.
//! [`OpenVault::prepare`] makes the document and holds it against every rule but the
//! signatures, so that no touch is wasted on an entry that can't be. [`OpenVault::commit`]
//! writes the files that the entry names, then the entry under a temporary name, reads
//! both back, and links the entry under its number: from then on it has happened.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::cipher::{self, OpenError, Recipient, SealError};
use super::compartment::CompartmentIdentity;
use super::found::remove_founded_staging;
use super::lock::Lock;
use super::open::{MAX_ENTRY_FILE, OpenVault, Weight};
use super::store::{
    StoreError, create_new, holds, link_new, make_parent, read_back, read_bounded, remove_leftovers,
};
use crate::log::{
    Considered, Document, Entry, FORMAT, Fault, Finding, Head, MAX_ENTRY, Malformed,
    SignedDocument, sha256,
};
use crate::record::{Event, KeyName, Line, RECORDS, Realm, Salt, State, Time};
use crate::sshsig::PublicKey;

/// A file that an entry names.
#[derive(Debug)]
pub struct NewFile {
    /// Its place.
    pub path: PathBuf,
    /// Its bytes, encrypted or public.
    pub bytes: Vec<u8>,
}

/// What an entry is to be made of.
#[derive(Debug)]
pub struct Draft {
    /// The keys that are to sign it.
    pub signers: Vec<KeyName>,
    /// What happened.
    pub events: Vec<Event>,
    /// The slips that it admits.
    pub slips: Vec<SignedDocument>,
    /// When.
    pub time: Time,
    /// Its salt.
    pub salt: Salt,
    /// What makes it.
    pub tool: Line,
}

/// An entry that is ready to be signed.
#[derive(Debug)]
pub struct Prepared {
    document: Document,
    head: Head,
    slips: Vec<SignedDocument>,
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

    /// What is odd about it, each as a finding of the log.
    pub fn oddities(&self) -> Vec<Finding> {
        let entry = self.head.number;
        let kinds = self.considered.oddities().iter();
        kinds.map(|kind| Finding { entry, kind: kind.clone() }).collect()
    }

    /// What it says.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// An entry that is in the log.
#[derive(Debug)]
pub struct Committed {
    /// Its number.
    pub number: u64,
    /// Why a power cut could still undo it, where the folder couldn't be synced.
    pub unsynced: Option<StoreError>,
}

/// Why an entry couldn't be appended. But for [`AppendError::Uncertain`], the log is as it was.
#[derive(Debug, Error)]
pub enum AppendError {
    /// The log, or a file that it names, is faulty: nothing is built on that.
    #[error("this vault is faulty and takes no new entry: {0}")]
    Faulty(String),
    /// Somebody appended first, or replaced what was there.
    #[error(
        "entry {0} was written by somebody else meanwhile; nothing was recorded, so run the command again"
    )]
    Overtaken(u64),
    /// What was appended since the vault was opened can't be read, or breaks a rule. That may
    /// be for the identity that opened the vault, so it is no verdict.
    #[error(
        "what was appended meanwhile can't be built on ({0}); nothing was recorded, so run the command again"
    )]
    Meanwhile(Fault),
    /// Writing it failed, and so did looking for it. It may be there: what it names is kept.
    #[error(
        "whether entry {number} is recorded can't be told; once the vault can be read again, keymuster log list shows it"
    )]
    Uncertain {
        /// Its number.
        number: u64,
        /// Why writing failed.
        source: StoreError,
    },
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
    /// Takes in what others appended since the vault was opened, so that the next entry goes
    /// on top of theirs. Fails where what was read isn't there as it was. Only a holder of the
    /// lock can rely on nobody appending after it.
    pub fn catch_up(&mut self, _lock: &Lock) -> Result<(), AppendError> {
        self.check_log_sound()?;
        self.check_newest()?;
        self.read_on()?;
        match self.fault() {
            Some(fault) => Err(AppendError::Meanwhile(fault.clone())),
            None => self.check_log_sound(),
        }
    }

    /// Makes the next entry's document and considers it. `lock` is kept until the entry is
    /// committed or given up.
    pub fn prepare(&self, lock: Lock, draft: Draft) -> Result<Prepared, AppendError> {
        let of_slips = draft.slips.iter().flat_map(|slip| &slip.document().events);
        self.check_sound_for(draft.events.iter().chain(of_slips))?;
        let (document, slips) = self.next_document(draft);
        self.check_unchanged(document.number)?;
        let considered = self.log.replay.consider(&document, &slips)?;
        let head = self.head().after(document.to_canonical()?.as_bytes());
        Ok(Prepared { document, head, slips, considered, _lock: lock })
    }

    /// Holds what would be the next entry's document, and its slips, against every rule but those of
    /// its own signatures.
    pub fn consider(&self, draft: Draft) -> Result<Considered, Fault> {
        let (document, slips) = self.next_document(draft);
        self.log.replay.consider(&document, &slips)
    }

    /// The document that would be the next entry's, and the slips that it carries.
    pub(super) fn next_document(&self, draft: Draft) -> (Document, Vec<SignedDocument>) {
        let head = self.head();
        let document = Document {
            format: FORMAT,
            vault: head.vault,
            number: head.number.saturating_add(1),
            previous: head.link,
            time: draft.time,
            salt: draft.salt,
            tool: draft.tool,
            signers: draft.signers,
            slips: draft.slips.iter().map(SignedDocument::digest).collect(),
            events: draft.events,
        };
        (document, draft.slips)
    }

    /// Commits a prepared entry: `signatures` in the order of its signers, `files` that it
    /// names, and the compartment `records` if the entry opens a new epoch of it.
    pub fn commit(
        &mut self,
        prepared: Prepared,
        signatures: &[String],
        files: &[NewFile],
        new_records: Option<CompartmentIdentity>,
    ) -> Result<Committed, AppendError> {
        let signed = SignedDocument::new(&prepared.document, signatures)?;
        let entry = Entry::with_slips(signed, prepared.slips)?;
        let number = prepared.document.number;
        let mut replay = self.log.replay.clone();
        replay.admit(&entry)?;

        let recipient = records_recipient(replay.state()).ok_or(AppendError::NoRecords)?;
        let text = entry.text();
        let plaintext = text.as_bytes();
        let ciphertext = cipher::encrypt(plaintext, &[recipient]).map_err(AppendError::Encrypt)?;
        let opener = new_records.as_ref().unwrap_or(&self.records);
        let opened = opener.decrypt(&ciphertext, MAX_ENTRY).map_err(AppendError::ReadBack)?;
        if opened.as_slice() != plaintext {
            return Err(AppendError::Store(StoreError::ReadBack(
                self.location.layout.entry(number),
            )));
        }

        self.check_unchanged(number)?;
        let layout = self.location.layout.clone();
        let by_digest = [layout.secrets(), layout.attachments()];
        for folder in
            [layout.log(), layout.compartments(), layout.identities()].iter().chain(&by_digest)
        {
            remove_leftovers(folder);
        }
        remove_founded_staging(&layout);
        self.remove_old_drafts();
        let mut written = Vec::new();
        let linked = files
            .iter()
            .try_for_each(|file| {
                // Git keeps no empty folder: that of the secrets may not be there.
                make_parent(&file.path)?;
                // What was there before stays, whatever becomes of the entry.
                if create_new(&file.path, &file.bytes)? {
                    written.push(file.path.as_path());
                }
                Ok(())
            })
            // Somebody may have taken one for a leftover and removed it.
            .and_then(|()| files.iter().try_for_each(|file| read_back(&file.path, &file.bytes)))
            .and_then(|()| link_new(&layout.entry(number), &ciphertext));
        let unsynced = match linked {
            Ok(unsynced) => unsynced,
            Err(source) if !take_back(&layout.entry(number), &ciphertext, &written) => {
                return Err(AppendError::Uncertain { number, source });
            }
            Err(StoreError::Taken(path)) if path == layout.entry(number) => {
                return Err(AppendError::Overtaken(number));
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(records) = new_records {
            self.records = records;
        }
        self.log.entries.push(entry);
        self.log.replay = replay;
        self.log.newest_file = Some(sha256(&ciphertext));
        Ok(Committed { number, unsynced })
    }

    /// Fails on a faulty log or a damaged file: nothing is built on that.
    pub fn check_sound(&self) -> Result<(), AppendError> {
        self.check_damage(Weight::Vault)
    }

    /// Fails on a faulty log: nothing at all is built on that.
    pub fn check_log_sound(&self) -> Result<(), AppendError> {
        self.check_damage(Weight::Log)
    }

    /// The same as [`OpenVault::check_sound`] for an entry of these events. That a key is lost can be recorded while a file
    /// beside the log is damaged: else whoever took it could see to it that it isn't.
    pub fn check_sound_for<'e>(
        &self,
        events: impl IntoIterator<Item = &'e Event>,
    ) -> Result<(), AppendError> {
        let is_report =
            |event: &Event| matches!(event, Event::KeyLost(_) | Event::KeyCompromised(_));
        let reports = events.into_iter().all(is_report);
        self.check_damage(if reports { Weight::Log } else { Weight::Vault })
    }

    /// Fails on a faulty log, or on damage of this weight or more.
    fn check_damage(&self, weight: Weight) -> Result<(), AppendError> {
        if let Some(fault) = self.fault() {
            return Err(AppendError::Faulty(fault.to_string()));
        }
        match self.damage().iter().find(|damage| damage.weight >= weight) {
            Some(damage) => Err(AppendError::Faulty(damage.to_string())),
            None => Ok(()),
        }
    }

    /// Fails if the log isn't what it was when it was read: somebody appended, or a checkout
    /// put other entries in place.
    fn check_unchanged(&self, number: u64) -> Result<(), AppendError> {
        if self.location.layout.entry(number).symlink_metadata().is_ok() {
            return Err(AppendError::Overtaken(number));
        }
        self.check_newest()
    }

    /// Fails if the newest entry that was read isn't there as it was.
    fn check_newest(&self) -> Result<(), AppendError> {
        let Some(known) = self.log.newest_file else { return Ok(()) };
        let number = self.head().number;
        let now = read_bounded(&self.location.layout.entry(number), MAX_ENTRY_FILE)?;
        if sha256(&now) == known { Ok(()) } else { Err(AppendError::Overtaken(number)) }
    }
}

/// What entries and attachments are encrypted to.
pub(super) fn records_recipient(state: &State) -> Option<Recipient> {
    let mut known = state.compartments().iter();
    let (_, records) = known.find(|(name, _)| name.as_str() == RECORDS)?;
    Recipient::parse(records.sealing.recipient.as_str()).ok()
}

/// Removes what was written for an entry, unless that entry may be there: then nothing that it
/// names may go. Whether it did.
fn take_back(entry: &Path, ciphertext: &[u8], written: &[&Path]) -> bool {
    if holds(entry, ciphertext) != Some(false) {
        return false;
    }
    // No entry names them, and an identity that none names would be in the way.
    for path in written {
        let _ = fs::remove_file(path);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entry_may_name_is_taken_back_only_if_the_entry_is_not_there() {
        type Place = fn(&Path) -> std::io::Result<()>;
        let cases: [(Place, bool); 4] = [
            (|_| Ok(()), true),
            (|entry| fs::write(entry, "theirs"), true),
            (|entry| fs::write(entry, "ours"), false),
            // It can't be read.
            (|entry| fs::create_dir(entry), false),
        ];
        for (place, taken_back) in cases {
            let folder = tempfile::tempdir().unwrap();
            let [entry, named] = ["000005.age", "named"].map(|name| folder.path().join(name));
            fs::write(&named, "x").unwrap();
            place(&entry).unwrap();
            assert_eq!(take_back(&entry, b"ours", &[named.as_path()]), taken_back);
            assert_eq!(named.exists(), !taken_back);
        }
    }
}
