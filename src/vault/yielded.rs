//! Entries that lost their numbers to those of another copy, moved aside: each becomes a slip, with
//! what it names, and then leaves the log. It is the only way in which an entry ever does.
//!
//! A slip is durable before anything is removed, and entries go from the last on, so that whatever is
//! left of the log at any moment is sound.

use std::fs;
use std::path::PathBuf;

use thiserror::Error;

use super::MAX_FILE;
use super::append::records_recipient;
use super::lock::Lock;
use super::open::OpenVault;
use super::slip::{MAX_SLIP_FILE, SlipFile, SlipFileError, files_of};
use super::store::{StoreError, failed, make_parent, read_bounded, sync_folder, write_new};
use crate::log::{Entry, Fault, Replay, sha256};
use crate::record::{Event, State};

/// Why entries couldn't be moved aside. But for [`YieldError::Store`], the log is as it was.
#[derive(Debug, Error)]
pub enum YieldError {
    /// What comes before them can't be replayed, which is a mistake of ours.
    #[error("what comes before can't be read again")]
    Before(#[from] Fault),
    /// There is no compartment to encrypt slips to.
    #[error("the vault has no records before that entry")]
    NoRecords,
    /// A file isn't what it should be.
    #[error("{0} is there, and isn't what it should be; the log is as it was")]
    Other(String),
    /// A slip couldn't be made.
    #[error(transparent)]
    Slip(#[from] SlipFileError),
    /// A file couldn't be read, written or removed. The slips that were written stay.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenVault {
    /// The entries from a number on.
    pub fn entries_from(&self, first: u64) -> &[Entry] {
        let place = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX);
        self.entries().get(place..).unwrap_or_default()
    }

    /// Writes the entries from a number on as slips beside the log, encrypted to whoever reads what
    /// comes before them. The log stays as it is.
    pub fn write_yielded(&self, first: u64, _lock: &Lock) -> Result<Vec<PathBuf>, YieldError> {
        let before = self.state_before(first)?;
        let recipient = records_recipient(&before).ok_or(YieldError::NoRecords)?;
        let layout = &self.location().layout;
        let mut written = Vec::new();
        for entry in self.entries_from(first) {
            let mut slips = entry.slips().to_vec();
            slips.push(entry.signed().clone());
            let mut files = Vec::new();
            for (digest, path) in self.numbered_files(entry) {
                let bytes = read_bounded(&path, MAX_FILE)?;
                if sha256(&bytes) != digest {
                    return Err(YieldError::Other(layout.shown(&path)));
                }
                files.push(bytes);
            }
            let path = layout.yielded(entry.document().number, &entry.digest());
            make_parent(&path)?;
            // A link could lead out of the vault.
            if !layout.yielded_folder().symlink_metadata().is_ok_and(|it| it.is_dir()) {
                return Err(StoreError::NotAFolder(layout.yielded_folder()).into());
            }
            let slip = SlipFile { slips, files };
            match write_new(&path, &slip.seal(&recipient)?) {
                Ok(()) => {}
                // A run that was cut short may have written it.
                Err(StoreError::Taken(_)) => {
                    let there = read_bounded(&path, MAX_SLIP_FILE)?;
                    if !self.open_slips(&there).is_ok_and(|there| there == slip) {
                        return Err(YieldError::Other(layout.shown(&path)));
                    }
                }
                Err(error) => return Err(error.into()),
            }
            written.push(path);
        }
        Ok(written)
    }

    /// Takes the entries from a number on out of the log, once they are written as slips, and the files
    /// that have numbers of their own. What goes by its digest is in nobody's way.
    pub fn remove_yielded(&self, first: u64, _lock: &Lock) -> Result<(), StoreError> {
        let layout = &self.location().layout;
        for entry in self.entries_from(first).iter().rev() {
            let path = layout.entry(entry.document().number);
            fs::remove_file(&path).map_err(failed("remove", &path))?;
            sync_folder(&path)?;
        }
        let files = self.entries_from(first).iter().flat_map(|it| self.numbered_files(it));
        for (digest, path) in files {
            // By now, another copy's may have the name.
            if !read_bounded(&path, MAX_FILE).is_ok_and(|bytes| sha256(&bytes) == digest) {
                continue;
            }
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        Ok(())
    }

    /// The files that an entry names which another copy may have under the same number.
    fn numbered_files(&self, entry: &Entry) -> Vec<(crate::record::Digest, PathBuf)> {
        let is_numbered = |event: &&Event| {
            matches!(event, Event::IdentitySealed(_) | Event::CompartmentSealed(_))
        };
        let events = entry.events().filter(is_numbered);
        events.flat_map(|event| files_of(event, &self.location().layout)).collect()
    }

    /// What was so before an entry.
    fn state_before(&self, number: u64) -> Result<State, Fault> {
        let mut replay = Replay::new(self.location().id);
        let before = self.entries().iter().take_while(|it| it.document().number < number);
        before.into_iter().try_for_each(|entry| replay.admit(entry))?;
        Ok(replay.state().clone())
    }
}
