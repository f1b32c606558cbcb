//! Where software keys lie while nobody asks them anything: in memory, or in a folder
//! with one JSON file a key, read before each request and replaced after it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use zeroize::Zeroizing;

use super::SoftwareKeyError;
use super::device::SoftwareKey;
use super::file;

/// Keys in one folder at most.
const MAX_KEYS: usize = 256;
/// Entries of a folder that are looked at, whatever they are.
const MAX_ENTRIES: usize = 4096;

pub(super) enum Shelf {
    Memory(BTreeMap<String, SoftwareKey>),
    Folder(PathBuf),
}

impl Shelf {
    /// Takes a folder, which is made (0700) if it isn't there.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, SoftwareKeyError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| SoftwareKeyError::Folder { source })?;
        let shelf = Self::Folder(folder.to_owned());
        shelf.names()?;
        Ok(shelf)
    }

    /// The names of all keys, sorted. In a folder, files that aren't named like a key are
    /// none.
    pub(super) fn names(&self) -> Result<Vec<String>, SoftwareKeyError> {
        match self {
            Self::Memory(keys) => Ok(keys.keys().cloned().collect()),
            Self::Folder(folder) => {
                let in_folder = |source| SoftwareKeyError::Folder { source };
                let mut names = Vec::new();
                for entry in fs::read_dir(folder).map_err(in_folder)?.take(MAX_ENTRIES) {
                    let path = entry.map_err(in_folder)?.path();
                    let stem = path.file_stem().and_then(OsStr::to_str);
                    if let (Some(name), Some("json")) =
                        (stem, path.extension().and_then(OsStr::to_str))
                        && super::is_name(name)
                    {
                        names.push(name.to_owned());
                    }
                }
                if names.len() > MAX_KEYS {
                    return Err(SoftwareKeyError::TooMany);
                }
                names.sort();
                Ok(names)
            }
        }
    }

    /// Puts a new key on the shelf; one of the same name is never replaced.
    pub(super) fn create(&mut self, name: &str, key: SoftwareKey) -> Result<(), SoftwareKeyError> {
        if !super::is_name(name) {
            return Err(SoftwareKeyError::Name(name.to_owned()));
        }
        let names = self.names()?;
        if names.len() >= MAX_KEYS {
            return Err(SoftwareKeyError::TooMany);
        }
        if names.iter().any(|taken| taken == name) {
            return Err(SoftwareKeyError::Taken(name.to_owned()));
        }
        match self {
            Self::Memory(keys) => {
                keys.insert(name.to_owned(), key);
                Ok(())
            }
            Self::Folder(folder) => write(folder, name, &key, RenameFlags::NOREPLACE),
        }
    }

    /// Keeps other processes from the keys of a folder until it is dropped: what two of them
    /// put back at once would be one answer's counter or credential too few.
    pub(super) fn lock(&self) -> Result<Option<File>, SoftwareKeyError> {
        let Self::Folder(folder) = self else { return Ok(None) };
        let failed = |source| SoftwareKeyError::Folder { source };
        let folder = File::open(folder).map_err(failed)?;
        folder.lock().map_err(failed)?;
        Ok(Some(folder))
    }

    /// Takes a key off the shelf, to be put back by [`Shelf::put_back`]; `None` if there is
    /// none of this name. A key in a folder stays there until then.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<SoftwareKey>, SoftwareKeyError> {
        match self {
            Self::Memory(keys) => Ok(keys.remove(name)),
            Self::Folder(_) if !super::is_name(name) => Ok(None),
            Self::Folder(folder) => read(folder, name),
        }
    }

    /// Puts a key back. An unchanged one needs no writing, so that a folder may be read-only
    /// for whoever only asks.
    pub(super) fn put_back(
        &mut self,
        name: &str,
        key: SoftwareKey,
    ) -> Result<(), SoftwareKeyError> {
        match self {
            Self::Memory(keys) => {
                keys.insert(name.to_owned(), key);
                Ok(())
            }
            Self::Folder(_) if !key.changed => Ok(()),
            Self::Folder(folder) => write(folder, name, &key, RenameFlags::empty()),
        }
    }
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

fn read(folder: &Path, name: &str) -> Result<Option<SoftwareKey>, SoftwareKeyError> {
    let failed = |source| SoftwareKeyError::Read { name: name.to_owned(), source };
    // A pipe under the name of a key must not make the program wait, nor a link lead away.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match rustix::fs::open(path(folder, name), flags, Mode::empty()) {
        Ok(opened) => File::from(opened),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(failed(errno.into())),
    };
    if !opened.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("not a regular file")));
    }
    // The room is there from the start: a buffer that grew would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(file::MAX_LENGTH + 1));
    let limit = u64::try_from(file::MAX_LENGTH).unwrap_or(u64::MAX).saturating_add(1);
    opened.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > file::MAX_LENGTH {
        return Err(SoftwareKeyError::Malformed { name: name.to_owned() });
    }
    let key = file::decode(&bytes);
    key.map(Some).ok_or_else(|| SoftwareKeyError::Malformed { name: name.to_owned() })
}

/// Writes to a temporary file in the same folder, syncs it and renames it, so that a crash
/// leaves the key as it was or as it is to be.
fn write(
    folder: &Path,
    name: &str,
    key: &SoftwareKey,
    rename: RenameFlags,
) -> Result<(), SoftwareKeyError> {
    let failed = |source| SoftwareKeyError::Write { name: name.to_owned(), source };
    let text = file::encode(key).ok_or_else(|| failed(io::Error::other("too large")))?;
    let temporary = folder.join(temporary_name(name).map_err(failed)?);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut opened = options.open(&temporary).map_err(failed)?;
    let written = opened
        .write_all(&text)
        .and_then(|()| opened.sync_all())
        .and_then(|()| rename_to(&temporary, &path(folder, name), rename));
    if let Err(source) = written {
        // The first failure is the one to tell; a file that is left over harms nobody.
        let _ = fs::remove_file(&temporary);
        return Err(if source.kind() == io::ErrorKind::AlreadyExists {
            SoftwareKeyError::Taken(name.to_owned())
        } else {
            failed(source)
        });
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn rename_to(from: &Path, to: &Path, flags: RenameFlags) -> io::Result<()> {
    if flags.is_empty() {
        return fs::rename(from, to);
    }
    match rustix::fs::renameat_with(CWD, from, CWD, to, flags) {
        // Some file systems know no such rename; a hard link refuses a taken name too.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::hard_link(from, to).and_then(|()| fs::remove_file(from))
        }
        outcome => Ok(outcome?),
    }
}

fn temporary_name(name: &str) -> io::Result<String> {
    let mut tail = [0; 8];
    SystemRandom::new().fill(&mut tail).map_err(|_| io::Error::other("no randomness"))?;
    Ok(format!(".{name}.{:016x}.tmp", u64::from_be_bytes(tail)))
}
