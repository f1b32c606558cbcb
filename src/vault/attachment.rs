//! Attachments: files beside the log that it names by digest, encrypted to the compartment
//! `records`: adopted runbooks and, later, evidence.
//!
//! ```text
//! # keymuster attachment
//! # vault: 01JD…
//! # sha256: <that of what follows the empty line>
//!
//! …
//! ```
//!
//! Stock age and `tail -n +5` give what was attached, whatever it is. This module must not decide
//! what is attached, nor show it.

use std::path::Path;

use thiserror::Error;

use super::append::records_recipient;
use super::cipher::{self, OpenError};
use super::open::OpenVault;
use super::store::{StoreError, read_bounded};
use super::{ATTACHMENT_OVERHEAD, AppendError, MAX_ATTACHMENT, NewFile};
use crate::log::sha256;
use crate::record::Digest;

/// A file that goes into a vault, and the digest by which an entry names it.
#[derive(Debug)]
pub struct Attachment {
    /// Digest of the file.
    pub file: Digest,
    /// Digest of what is in it.
    pub sha256: Digest,
    /// The file.
    pub new_file: NewFile,
}

/// Why an attachment can't be had.
#[derive(Debug, Error)]
pub enum AttachmentError {
    /// It couldn't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its bytes aren't those that the log names.
    #[error("{0} was changed or replaced")]
    Changed(String),
    /// It isn't for the records at hand.
    #[error("{file} doesn't open")]
    Closed {
        /// The file, relative to the vault.
        file: String,
        /// The reason.
        source: OpenError,
    },
    /// It opens, and is another vault's or holds something else.
    #[error("{0} isn't what the log says it is")]
    Other(String),
}

impl OpenVault {
    /// Encrypts something to the vault's records, to be named by its next entry.
    pub fn seal_attachment(&self, content: &[u8]) -> Result<Attachment, AppendError> {
        let recipient = records_recipient(self.state()).ok_or(AppendError::NoRecords)?;
        let digest = sha256(content);
        let mut plaintext = head(&self.location().id.to_string(), &digest).into_bytes();
        plaintext.extend_from_slice(content);
        let ciphertext = cipher::encrypt(&plaintext, &[recipient]).map_err(AppendError::Encrypt)?;
        let limit = MAX_ATTACHMENT + ATTACHMENT_OVERHEAD as usize;
        let opened = self.records.decrypt(&ciphertext, limit).map_err(AppendError::ReadBack)?;
        let file = sha256(&ciphertext);
        let path = self.location().layout.attachment(&file);
        if opened.as_slice() != plaintext {
            return Err(AppendError::Store(StoreError::ReadBack(path)));
        }
        Ok(Attachment { file, sha256: digest, new_file: NewFile { path, bytes: ciphertext } })
    }

    /// Opens the attachment in the file of this digest, which holds what has the other.
    pub fn open_attachment(
        &self,
        file: &Digest,
        content: &Digest,
    ) -> Result<Vec<u8>, AttachmentError> {
        let path = self.location().layout.attachment(file);
        let (_, opened) = self.opened_attachment(&path, file, content)?;
        Ok(opened)
    }

    /// The bytes of an attachment's file that is elsewhere still, and holds what it should.
    pub(super) fn read_attachment(
        &self,
        path: &Path,
        file: &Digest,
        content: &Digest,
    ) -> Result<Vec<u8>, AttachmentError> {
        let (bytes, _) = self.opened_attachment(path, file, content)?;
        Ok(bytes)
    }

    /// The bytes of a file, and what is in it.
    fn opened_attachment(
        &self,
        path: &Path,
        file: &Digest,
        content: &Digest,
    ) -> Result<(Vec<u8>, Vec<u8>), AttachmentError> {
        let limit = MAX_ATTACHMENT + ATTACHMENT_OVERHEAD as usize;
        let bytes = read_bounded(path, limit as u64)?;
        let shown = self.location().layout.shown(path);
        if sha256(&bytes) != *file {
            return Err(AttachmentError::Changed(shown));
        }
        let opened = self
            .records
            .decrypt(&bytes, limit)
            .map_err(|source| AttachmentError::Closed { file: shown.clone(), source })?;
        let head = head(&self.location().id.to_string(), content);
        let inside = opened.strip_prefix(head.as_bytes()).filter(|rest| sha256(rest) == *content);
        let inside = inside.map(<[u8]>::to_vec).ok_or(AttachmentError::Other(shown))?;
        Ok((bytes, inside))
    }
}

/// The lines above what is attached.
fn head(vault: &str, content: &Digest) -> String {
    format!("# keymuster attachment\n# vault: {vault}\n# sha256: {content}\n\n")
}
