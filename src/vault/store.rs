//! Reading with bounds, and writing that is whole or absent.
//!
//! A new file is written under a temporary name in its own folder, synced, read back, and
//! renamed to its name only if nothing has that name; then the folder is synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use thiserror::Error;

/// Why a file couldn't be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system's reason.
    #[error("couldn't {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The name is taken.
    #[error("{0} exists already")]
    Taken(PathBuf),
    /// It isn't there.
    #[error("{0} is missing")]
    Missing(PathBuf),
    /// Not a regular file.
    #[error("{0} isn't a regular file")]
    NotAFile(PathBuf),
    /// Not a folder.
    #[error("{0} isn't a folder, or is a link to one")]
    NotAFolder(PathBuf),
    /// Larger than it may be.
    #[error("{path} has {size} bytes; it may have {limit} at most")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// Somebody else wrote it meanwhile.
    #[error("{0} was changed meanwhile")]
    Changed(PathBuf),
    /// What was written isn't what the disk gives back.
    #[error("{0} isn't what was written: the disk or the share changed it")]
    ReadBack(PathBuf),
}

pub(super) fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}

/// Reads a regular file of at most `limit` bytes. A link, a pipe or a device is refused
/// and never waited for.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing(path.to_owned()));
        }
        // A link, or a socket.
        Err(error)
            if [Errno::LOOP, Errno::NXIO]
                .iter()
                .any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) =>
        {
            return Err(StoreError::NotAFile(path.to_owned()));
        }
        Err(error) => return Err(failed("open", path)(error)),
    };
    let metadata = file.metadata().map_err(failed("read", path))?;
    if !metadata.is_file() {
        return Err(StoreError::NotAFile(path.to_owned()));
    }
    let size = metadata.len();
    let too_large = |size| StoreError::TooLarge { path: path.to_owned(), size, limit };
    if size > limit {
        return Err(too_large(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // The file may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed("read", path))?;
    match bytes.len() as u64 {
        size if size > limit => Err(too_large(size)),
        _ => Ok(bytes),
    }
}

/// What temporary files are called, so that what a crash leaves can be told and removed.
pub(super) const TEMPORARY: &str = ".keymuster-";

/// Writes a new file, whole or not at all. [`StoreError::Taken`] if the name has another file.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    create_new(path, bytes).map(drop)
}

/// The same, and whether the file is surely ours: not, where it may have been there before, with these
/// bytes.
pub(super) fn create_new(path: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    let (is_ours, unsynced) = link(path, bytes)?;
    let Some(unsynced) = unsynced else { return Ok(is_ours) };
    // What may be gone after a power cut isn't written.
    if is_ours {
        let _ = fs::remove_file(path);
    }
    Err(unsynced)
}

/// The same, where the name's appearance is what counts: once it is there, that its folder
/// couldn't be synced is no failure any more, and is returned beside the success.
pub(super) fn link_new(path: &Path, bytes: &[u8]) -> Result<Option<StoreError>, StoreError> {
    link(path, bytes).map(|(_, unsynced)| unsynced)
}

fn link(path: &Path, bytes: &[u8]) -> Result<(bool, Option<StoreError>), StoreError> {
    let temporary = write_temporary(path, bytes)?;
    let mut is_ours = true;
    if let Err(error) = rename_new(&temporary, path) {
        // The bytes are ciphertext or public, and the error already tells what matters.
        let _ = fs::remove_file(&temporary);
        // A network share may do it and report failure: what was asked twice is there already.
        if holds(path, bytes) != Some(true) {
            return Err(error);
        }
        is_ours = false;
    }
    Ok((is_ours, sync_folder(path).err()))
}

/// Whether a name has a file with exactly these bytes; `None` where that can't be told.
pub(super) fn holds(path: &Path, bytes: &[u8]) -> Option<bool> {
    match read_bounded(path, bytes.len() as u64) {
        Ok(there) => Some(there == bytes),
        Err(StoreError::Missing(_) | StoreError::TooLarge { .. }) => Some(false),
        Err(_) => None,
    }
}

/// Fails unless the disk gives back what was written.
pub(super) fn read_back(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let stored = read_bounded(path, bytes.len() as u64)?;
    if stored == bytes { Ok(()) } else { Err(StoreError::ReadBack(path.to_owned())) }
}

/// Writes a file, whole or not at all, in place of one that may be there.
pub(super) fn write_replacing(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = write_temporary(path, bytes)?;
    if let Err(error) = fs::rename(&temporary, path) {
        let _ = fs::remove_file(&temporary);
        return Err(failed("rename", path)(error));
    }
    sync_folder(path)
}

/// A name beside `path` that nothing has.
pub(super) fn temporary_name(path: &Path) -> Result<PathBuf, StoreError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Another machine on the same share may write at the same moment.
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|error| failed("name a temporary file for", path)(io::Error::other(error)))?;
    Ok(path.with_file_name(format!("{TEMPORARY}{:016x}-{name}", u64::from_le_bytes(random))))
}

fn write_temporary(path: &Path, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    let temporary = temporary_name(path)?;
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(failed("create", &temporary))?;
        file.write_all(bytes).map_err(failed("write", &temporary))?;
        file.sync_all().map_err(failed("sync", &temporary))?;
        read_back(&temporary, bytes)
    })();
    match written {
        Ok(()) => Ok(temporary),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Renames without replacing: by `renameat2`, or where the file system doesn't know that
/// (NFS, 9p), by [`rename_new_without_flags`].
pub(super) fn rename_new(from: &Path, to: &Path) -> Result<(), StoreError> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(StoreError::Taken(to.to_owned())),
        Err(Errno::INVAL | Errno::NOSYS) => rename_new_without_flags(from, to),
        Err(error) => Err(failed("rename", to)(error.into())),
    }
}

/// The same by what every file system knows. A file gets its name by a hard link, which never
/// replaces; a folder by a plain rename, which replaces an empty folder at most, and only one
/// that was made this very moment.
fn rename_new_without_flags(from: &Path, to: &Path) -> Result<(), StoreError> {
    let taken = || StoreError::Taken(to.to_owned());
    if from.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        if to.symlink_metadata().is_ok() {
            return Err(taken());
        }
        return match fs::rename(from, to) {
            Err(error) if is_taken(&error) => Err(taken()),
            other => other.map_err(failed("rename", to)),
        };
    }
    match fs::hard_link(from, to) {
        Err(error) if is_taken(&error) => return Err(taken()),
        other => other.map_err(failed("link", to))?,
    }
    // It has its name: that the temporary one stays is no failure.
    let _ = fs::remove_file(from);
    Ok(())
}

/// Whether a name couldn't be given because something else has it.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | NotADirectory)
}

/// Makes a folder that isn't there yet.
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(StoreError::Taken(path.to_owned()))
        }
        other => other.map_err(failed("create", path)),
    }
}

/// Makes the folder of a file where there is none, and makes that durable.
pub(super) fn make_parent(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    match make_folder(folder) {
        Ok(()) => sync_folder(folder),
        Err(StoreError::Taken(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes a new file outside the vault.
pub fn export_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_new(path, bytes)
}

/// Writes a file outside the vault in place of the one of that name, which has to hold still what
/// `before` was read from it: two people at one shared file don't lose each other's work, but for the
/// moment between this look and the rename.
pub fn replace_file(path: &Path, before: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
    match read_bounded(path, before.len() as u64) {
        Ok(there) if there == before => write_replacing(path, bytes),
        Ok(_) | Err(StoreError::TooLarge { .. }) => Err(StoreError::Changed(path.to_owned())),
        Err(error) => Err(error),
    }
}

/// Removes what a crash left of a file outside the vault under temporary names.
pub fn remove_leftovers_of(path: &Path) {
    let Some(name) = path.file_name() else { return };
    let end = format!("-{}", name.to_string_lossy());
    let folder = path.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
    for item in folder {
        let name = item.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TEMPORARY) && name.ends_with(&end) {
            let _ = fs::remove_file(item.path());
        }
    }
}

/// Makes a folder's list of names durable.
pub(super) fn sync_folder(of: &Path) -> Result<(), StoreError> {
    let folder = match of.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}

/// Removes what a crash left under temporary names. Only for a holder of the vault's lock:
/// nobody else can be writing. What stays, such as another owner's file, harms nobody.
pub(super) fn remove_leftovers(folder: &Path) {
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        if item.file_name().to_string_lossy().starts_with(TEMPORARY) {
            // It fails on a folder, which is none of ours.
            let _ = fs::remove_file(item.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_never_replaces_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_new(&path, b"first").unwrap();
        assert!(matches!(write_new(&path, b"second"), Err(StoreError::Taken(_))));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_name_that_has_our_bytes_after_a_failure_is_a_success() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        // As a share leaves it that did what was asked, and answers "exists" when asked again.
        fs::write(&path, b"ours").unwrap();
        assert!(matches!(link_new(&path, b"ours"), Ok(None)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        for other in [&b"our"[..], b"theirs", b"OURS"] {
            assert!(matches!(link_new(&path, other), Err(StoreError::Taken(_))));
        }
        assert_eq!(holds(folder.path(), b"ours"), None);
        assert_eq!(holds(&folder.path().join("absent"), b"ours"), Some(false));
    }

    #[test]
    fn a_file_that_somebody_else_wrote_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.slip");
        fs::write(&path, b"as read").unwrap();
        replace_file(&path, b"as read", b"countersigned").unwrap();
        let late = replace_file(&path, b"as read", b"countersigned by another");
        assert!(matches!(late, Err(StoreError::Changed(_))));
        assert_eq!(fs::read(&path).unwrap(), b"countersigned");
        fs::remove_file(&path).unwrap();
        let gone = replace_file(&path, b"countersigned", b"late");
        assert!(matches!(gone, Err(StoreError::Missing(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn without_flags_a_rename_replaces_nothing_either() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["from", "empty", "full"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("full/a"), "theirs").unwrap();
        fs::write(at("from/a"), "ours").unwrap();
        fs::write(at("file"), "ours").unwrap();
        std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
        for from in ["from", "file"] {
            for to in ["empty", "full", "link", "full/a"] {
                let renamed = rename_new_without_flags(&at(from), &at(to));
                assert!(matches!(renamed, Err(StoreError::Taken(_))), "{from} to {to}");
            }
            rename_new_without_flags(&at(from), &at("new")).unwrap();
            assert!(!at(from).exists(), "{from} has its old name too");
            let moved = if from == "from" { at("new/a") } else { at("new") };
            assert_eq!(fs::read(moved).unwrap(), b"ours");
            fs::rename(at("new"), at(from)).unwrap();
        }
        assert_eq!(fs::read(at("full/a")).unwrap(), b"theirs");
    }

    #[test]
    fn what_the_disk_gives_back_otherwise_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"ourz").unwrap();
        assert!(matches!(read_back(&path, b"ours"), Err(StoreError::ReadBack(_))));
        fs::write(&path, b"ours, and more").unwrap();
        assert!(read_back(&path, b"ours").is_err());
        fs::write(&path, b"ours").unwrap();
        read_back(&path, b"ours").unwrap();
    }

    #[test]
    fn reading_is_bounded_and_takes_regular_files_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, [0; 11]).unwrap();
        assert!(matches!(read_bounded(&path, 10), Err(StoreError::TooLarge { size: 11, .. })));
        assert_eq!(read_bounded(&path, 11).unwrap().len(), 11);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(read_bounded(&link, 99), Err(StoreError::NotAFile(_))));
        assert!(matches!(read_bounded(folder.path(), 99), Err(StoreError::NotAFile(_))));
        assert!(matches!(read_bounded(&folder.path().join("b"), 9), Err(StoreError::Missing(_))));
        assert!(matches!(read_bounded(Path::new("/dev/zero"), 9), Err(StoreError::NotAFile(_))));
    }

    #[test]
    fn leftovers_of_a_crash_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".keymuster-1-a", ".keymuster-3-a", "a", ".gitignore"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        // It can't be removed, and keeps no other from it.
        fs::create_dir(folder.path().join(".keymuster-2-a")).unwrap();
        remove_leftovers(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        remove_leftovers(&folder.path().join("absent"));
    }
}
