//! The encryption of every file in a vault: binary age files (age-encryption.org/v1, the
//! format of C2SP `age.md`) for X25519 recipients, and the parts that the other ways of
//! sealing a file share.
//!
//! Invariants:
//! - The size of what a file holds is worked out from its length, so nothing beyond the
//!   caller's limit is ever allocated or decrypted, and no buffer with a secret in it grows.
//! - The header is measured before it is parsed: age's parser starts over at each line, and
//!   a header without bounds would keep it busy for hours.
//! - What is returned has been authenticated to the last byte.
//!
//! This module must not open files or decide who may read what. A file that opens here proves
//! nothing about who wrote it: anybody who knows the recipients can make one. That is what
//! signatures and digests in the log are for.

mod keys;

pub use keys::{AgeIdentity, AgeIdentityError, Recipient, RecipientError};

use std::cell::OnceCell;
use std::collections::HashSet;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use age::secrecy::ExposeSecret;
use age_core::format::{FileKey, Stanza};
use age_core::primitives::hkdf;
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit};
use zeroize::Zeroizing;

/// The most recipients a file can have here. Each takes two lines of the header.
const MAX_RECIPIENTS: usize = 500;

/// The longest header that is read, in bytes, and in lines.
const MAX_HEADER_BYTES: usize = 64 * 1024;
const MAX_HEADER_LINES: usize = 1024;

/// The first line of every file of version 1, and what all versions begin with.
const VERSION_LINE: &[u8] = b"age-encryption.org/v1\n";
const ANY_VERSION: &[u8] = b"age-encryption.org/";
const ARMOUR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// Sizes of the payload, in bytes: its nonce, a chunk of plaintext, and a chunk's tag
/// (C2SP age.md, "Payload").
const NONCE: usize = 16;
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

/// Why a file couldn't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Nobody could open it.
    #[error("a file needs at least one recipient")]
    NoRecipient,
    /// Its header would be longer than we read.
    #[error("a file can have {MAX_RECIPIENTS} recipients at most, not {0}")]
    TooManyRecipients(usize),
    /// age refused. It had only public keys and a file key of its own at that point.
    #[error("the file couldn't be encrypted")]
    Age(#[source] age::EncryptError),
    /// age or we broke a rule that nothing outside can break.
    #[error("the file couldn't be encrypted: this is a bug")]
    Bug,
}

/// Why a file couldn't be opened. None of these carries anything that was encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Something else altogether.
    #[error("not an age file")]
    NotAge,
    /// age in its text form; a vault holds binary files only, so that a file has one form.
    #[error("an armoured age file, where a binary one is wanted")]
    Armoured,
    /// The first line names another version.
    #[error("an age file of a version other than v1")]
    OtherVersion,
    /// More recipients than any file of ours has.
    #[error(
        "the header of the age file is longer than {MAX_HEADER_BYTES} bytes or {MAX_HEADER_LINES} lines"
    )]
    HeaderTooLong,
    /// None of the identities fits. A damaged stanza looks the same: X25519 stanzas are
    /// anonymous, so there is no telling for whom they were.
    #[error("no identity at hand opens this file")]
    NoIdentity,
    /// The header is cut short, isn't well-formed, or its MAC doesn't fit.
    #[error("the header of the age file is damaged")]
    DamagedHeader(#[source] age::DecryptError),
    /// The contents are cut short, drawn out, or altered.
    #[error("the contents of the age file are damaged or cut short")]
    DamagedContents(#[source] std::io::Error),
    /// More than the caller has room for.
    #[error("the age file holds {size} bytes, and at most {limit} are allowed here")]
    TooLarge {
        /// The bytes it claims to hold.
        size: usize,
        /// The bytes allowed.
        limit: usize,
    },
}

/// Encrypts to X25519 recipients, as a binary age file.
///
/// The plaintext is copied once, into the file itself, where it is encrypted in place.
pub(super) fn encrypt(plaintext: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>, SealError> {
    if recipients.len() > MAX_RECIPIENTS {
        return Err(SealError::TooManyRecipients(recipients.len()));
    }
    let recipients: Vec<&dyn age::Recipient> =
        recipients.iter().map(|recipient| recipient.as_age() as &dyn age::Recipient).collect();
    seal(plaintext, &recipients)
}

/// Decrypts a binary age file with the first identity that fits; at most `limit` bytes.
///
/// Costs one X25519 agreement for each identity and stanza tried, so the likely identity
/// belongs first. Identities are only borrowed: any number of threads may share them.
pub(super) fn decrypt(
    ciphertext: &[u8],
    identities: &[&AgeIdentity],
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    open(
        ciphertext,
        identities.iter().map(|identity| identity.as_age() as &dyn age::Identity),
        limit,
    )
}

/// Like [`decrypt`], for many files and many identities: begins with the identity at `likely`
/// and leaves there the one that fitted.
///
/// Each identity that doesn't fit costs as much as one that does. A log of ten thousand entries
/// over thirty epochs would take fifteen times as long without this; with it, a change of epoch
/// is paid for once, since the entries of an epoch stand together.
pub(super) fn decrypt_in_series(
    ciphertext: &[u8],
    identities: &[&AgeIdentity],
    likely: &AtomicUsize,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let series = Series { identities, likely };
    open(ciphertext, std::iter::once(&series as &dyn age::Identity), limit)
}

/// Encrypts to any recipients of age's.
///
/// age writes the header, we the payload: its `StreamWriter` keeps up to 64 KiB of plaintext
/// in a buffer that it doesn't wipe, and these are the files that hold secrets.
pub(super) fn seal(
    plaintext: &[u8],
    recipients: &[&dyn age::Recipient],
) -> Result<Vec<u8>, SealError> {
    let (first, others) = recipients.split_first().ok_or(SealError::NoRecipient)?;
    let first = FileKeyTap { recipient: *first, file_key: OnceCell::new() };
    let all = std::iter::once(&first as &dyn age::Recipient).chain(others.iter().copied());
    let encryptor = age::Encryptor::with_recipients(all).map_err(SealError::Age)?;

    let mut file = Vec::new();
    // Dropped unfinished: it has written the header and the nonce, and no chunk.
    drop(encryptor.wrap_output(&mut file).map_err(|e| SealError::Age(e.into()))?);
    let nonce = *file.last_chunk::<NONCE>().ok_or(SealError::Bug)?;
    let file_key = first.file_key.get().ok_or(SealError::Bug)?;
    append_payload(&mut file, plaintext, file_key, &nonce)?;
    Ok(file)
}

/// Decrypts with any identities of age's.
pub(super) fn open<'a>(
    file: &[u8],
    identities: impl Iterator<Item = &'a dyn age::Identity>,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let size = plaintext_size(file)?;
    if size > limit {
        return Err(OpenError::TooLarge { size, limit });
    }
    let mut contents = age::Decryptor::new_buffered(file)
        .and_then(|decryptor| decryptor.decrypt(identities))
        .map_err(in_our_words)?;
    let mut plaintext = Zeroizing::new(vec![0; size]);
    contents.read_exact(&mut plaintext).map_err(OpenError::DamagedContents)?;
    // Only the end of the stream proves that no chunk was cut off.
    match contents.read(&mut [0]).map_err(OpenError::DamagedContents)? {
        0 => Ok(plaintext),
        _ => Err(OpenError::DamagedContents(std::io::ErrorKind::InvalidData.into())),
    }
}

/// The recipient stanzas of a file, unverified: the header's MAC can't be checked before the
/// file is opened.
pub(super) fn stanzas(file: &[u8]) -> Result<Vec<Stanza>, OpenError> {
    plaintext_size(file)?;
    let tap = StanzaTap(OnceCell::new());
    let decryptor = age::Decryptor::new_buffered(file).map_err(in_our_words)?;
    // Never opens, since the tap has no key to offer.
    let _ = decryptor.decrypt(std::iter::once(&tap as &dyn age::Identity));
    Ok(tap.0.into_inner().unwrap_or_default())
}

/// How many bytes a file holds if it is sound, from its length alone; and on the way, that
/// its header is no longer than we are willing to parse.
fn plaintext_size(file: &[u8]) -> Result<usize, OpenError> {
    if !file.starts_with(VERSION_LINE) {
        return Err(if file.starts_with(ARMOUR) {
            OpenError::Armoured
        } else if file.starts_with(ANY_VERSION) {
            OpenError::OtherVersion
        } else {
            OpenError::NotAge
        });
    }
    let mut length = 0_usize;
    for (number, line) in file.split_inclusive(|&byte| byte == b'\n').enumerate() {
        length = length.saturating_add(line.len());
        if length > MAX_HEADER_BYTES || number >= MAX_HEADER_LINES {
            return Err(OpenError::HeaderTooLong);
        }
        if line.starts_with(b"---") {
            let payload = file.len().saturating_sub(length);
            let cut_short = || OpenError::DamagedContents(std::io::ErrorKind::UnexpectedEof.into());
            // Even an empty file has one chunk, which is then a bare tag.
            let chunks = payload.checked_sub(NONCE).ok_or_else(cut_short)?;
            let tags = chunks.div_ceil(CHUNK + TAG).max(1) * TAG;
            return chunks.checked_sub(tags).ok_or_else(cut_short);
        }
    }
    Err(OpenError::DamagedHeader(age::DecryptError::InvalidHeader))
}

/// Encrypts the plaintext in age's STREAM of ChaCha20-Poly1305 chunks (C2SP age.md,
/// "Payload"), in place at the end of the file.
fn append_payload(
    file: &mut Vec<u8>,
    plaintext: &[u8],
    file_key: &FileKey,
    nonce: &[u8; NONCE],
) -> Result<(), SealError> {
    let key = Zeroizing::new(hkdf(nonce, b"payload", file_key.expose_secret()));
    let cipher = ChaCha20Poly1305::new(key.as_slice().into());
    let mut chunks = plaintext.chunks(CHUNK).peekable();
    // All room at once: growing would leave plaintext behind in the old place.
    file.reserve_exact(plaintext.len() + chunks.len().max(1) * TAG);
    for counter in 0_u64.. {
        let chunk = chunks.next().unwrap_or_default();
        let last = chunks.peek().is_none();
        // The nonce of a chunk: 11 bytes of counter, big-endian, and 1 byte that is 1 at the end.
        let mut chunk_nonce = [0; 12];
        if let Some(count) = chunk_nonce.get_mut(3..11) {
            count.copy_from_slice(&counter.to_be_bytes());
        }
        chunk_nonce[11] = u8::from(last);

        let start = file.len();
        file.extend_from_slice(chunk);
        let (_, in_place) = file.split_at_mut(start);
        let tag = cipher
            .encrypt_in_place_detached(&chunk_nonce.into(), b"", in_place)
            .map_err(|_| SealError::Bug)?;
        file.extend_from_slice(&tag);
        if last {
            break;
        }
    }
    Ok(())
}

/// age's errors in our words.
fn in_our_words(error: age::DecryptError) -> OpenError {
    use age::DecryptError as Age;
    match error {
        Age::NoMatchingKeys | Age::DecryptionFailed | Age::KeyDecryptionFailed => {
            OpenError::NoIdentity
        }
        // Our callers check the work factor first. As a source this one won't do: its text is
        // reckoned with a subtraction that overflows on a fast machine.
        Age::ExcessiveWork { .. } => OpenError::DamagedHeader(Age::InvalidHeader),
        // The first line was right, so it isn't the version that age trips over.
        Age::UnknownFormat => OpenError::DamagedHeader(Age::InvalidHeader),
        other => OpenError::DamagedHeader(other),
    }
}

/// A recipient that also keeps the file key, for the payload.
struct FileKeyTap<'a> {
    recipient: &'a dyn age::Recipient,
    file_key: OnceCell<FileKey>,
}

impl age::Recipient for FileKeyTap<'_> {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        // Asked once for each file; were it asked again, the first key would be the right one.
        let _ = self.file_key.set(FileKey::init_with_mut(|copy| {
            copy.copy_from_slice(file_key.expose_secret());
        }));
        self.recipient.wrap_file_key(file_key)
    }
}

/// Identities that are tried from the one that fitted last.
struct Series<'a> {
    identities: &'a [&'a AgeIdentity],
    /// A hint, so no order among threads matters.
    likely: &'a AtomicUsize,
}

impl age::Identity for Series<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, age::DecryptError>> {
        let start = self.likely.load(Ordering::Relaxed).min(self.identities.len());
        let numbered = || self.identities.iter().enumerate();
        numbered().skip(start).chain(numbered().take(start)).find_map(|(number, identity)| {
            let file_key = identity.as_age().unwrap_stanzas(stanzas)?;
            if file_key.is_ok() {
                self.likely.store(number, Ordering::Relaxed);
            }
            Some(file_key)
        })
    }
}

/// An identity that opens nothing and keeps the stanzas it was shown.
struct StanzaTap(OnceCell<Vec<Stanza>>);

impl age::Identity for StanzaTap {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        None
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, age::DecryptError>> {
        let _ = self.0.set(stanzas.iter().map(copy_of).collect());
        None
    }
}

/// A copy of a stanza, whose type has no `Clone`.
fn copy_of(stanza: &Stanza) -> Stanza {
    Stanza { tag: stanza.tag.clone(), args: stanza.args.clone(), body: stanza.body.clone() }
}

#[cfg(test)]
pub(super) mod stock_age;
#[cfg(test)]
mod tests;
