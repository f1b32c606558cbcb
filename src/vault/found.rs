//! Founding a vault: whole, or not at all.
//!
//! All its files are made in a staging folder inside the new vault, then moved into place,
//! `vault.toml` last: a folder is a vault when that file is there. Nothing but the staging
//! folder and empty folders is ever deleted. What an interrupted founding had moved already is known by inode
//! and time of birth, which were written down before, and is moved back by the next one.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::compartment::CompartmentIdentity;
use super::layout::{GIT_LINE, VaultFile};
use super::open::OpenVault;
use super::store::{StoreError, failed, holds, read_bounded, rename_new, sync_folder, write_new};
use super::{Layout, Location, MAX_FILE};
use crate::log::FORMAT;
use crate::record::VaultId;

const STAGING: &str = ".keymuster-init";
/// Lists, in the staging folder, what is about to be moved out of it, by its birth.
const MOVED: &str = "moved";

/// Why a vault couldn't be founded.
#[derive(Debug, Error)]
pub enum FoundError {
    /// There is a vault already.
    #[error("{0} is a vault already")]
    AlreadyAVault(PathBuf),
    /// Something of that name is in the way.
    #[error("{0} is in the way of the new vault")]
    InTheWay(PathBuf),
    /// Somebody else is at it.
    #[error("another keymuster is founding a vault in {0}")]
    UnderWay(PathBuf),
    /// A file couldn't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `vault.toml` can't be written, which is a mistake of ours.
    #[error("vault.toml came out wrong, which is a bug in keymuster")]
    Bug,
}

/// A vault that is being founded. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Staging {
    root: PathBuf,
    staging: Layout,
    id: VaultId,
    made_root: bool,
    /// What stands in its place already, and has to go back if the founding fails.
    moved: Vec<PathBuf>,
    finished: bool,
    _lock: File,
}

/// A vault that was founded.
#[derive(Debug)]
pub struct Founded {
    /// Where it lies.
    pub location: Location,
    /// Why a power cut could still undo it, where its folder couldn't be synced.
    pub unsynced: Option<StoreError>,
}

impl Staging {
    /// Checks, without changing anything, that a vault could be founded in `root`.
    pub fn check(root: &Path) -> Result<(), FoundError> {
        let layout = Layout::new(root);
        if layout.vault_toml().symlink_metadata().is_ok() {
            return Err(FoundError::AlreadyAVault(root.to_owned()));
        }
        if root.exists() && !root.is_dir() {
            return Err(FoundError::InTheWay(root.to_owned()));
        }
        let known = interrupted(&Layout::new(&root.join(STAGING)));
        let in_the_way = parts(&layout).into_iter().find(|path| {
            path.symlink_metadata().is_ok() && !is_empty_folder(path) && !is_ours(path, &known)
        });
        in_the_way.map_or(Ok(()), |path| Err(FoundError::InTheWay(path)))
    }

    /// Begins a vault in `root`, which is made if it isn't there.
    pub fn begin(root: &Path, id: VaultId) -> Result<Self, FoundError> {
        Self::check(root)?;
        let made_root = !root.exists();
        if made_root {
            fs::create_dir_all(root).map_err(failed("create", root))?;
        }
        let staging = Layout::new(&root.join(STAGING));
        let synced = if made_root { sync_folder(root) } else { Ok(()) };
        let lock = match synced.map_err(FoundError::from).and_then(|()| lock_staging(&staging)) {
            Ok(lock) => lock,
            Err(error) => {
                if made_root {
                    let _ = fs::remove_dir(root);
                }
                return Err(error);
            }
        };
        let mut this = Self {
            root: root.to_owned(),
            staging,
            id,
            made_root,
            moved: Vec::new(),
            finished: false,
            _lock: lock,
        };
        // Somebody else may have been at it until the lock was had.
        Self::check(root)?;
        this.clear_interrupted()?;
        this.fill()?;
        Ok(this)
    }

    /// Takes back what an interrupted founding had put in place, and empties the staging
    /// folder.
    fn clear_interrupted(&mut self) -> Result<(), FoundError> {
        let known = interrupted(&self.staging);
        for (inside, outside) in parts(&self.staging).iter().zip(parts(&Layout::new(&self.root))) {
            if outside.symlink_metadata().is_ok() && is_ours(&outside, &known) {
                rename_new(&outside, inside)?;
            }
        }
        let folder = self.staging.root();
        for item in fs::read_dir(folder).map_err(failed("list", folder))? {
            remove(&item.map_err(failed("list", folder))?.path())?;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), FoundError> {
        let staging = self.staging.root();
        for name in Layout::FOLDERS {
            let folder = staging.join(name);
            fs::create_dir(&folder).map_err(failed("create", &folder))?;
        }
        write_new(&self.staging.vault_toml(), vault_toml(self.id)?.as_bytes())?;
        let attributes = format!("{GIT_LINE}\n");
        Ok(write_new(&self.staging.gitattributes(), attributes.as_bytes())?)
    }

    /// The vault as it stands so far: empty, to be given its first entry.
    pub fn vault(&self, records: CompartmentIdentity) -> OpenVault {
        let location = Location { layout: self.staging.clone(), id: self.id };
        OpenVault::unread(location, records)
    }

    /// Where its files lie while it is being founded.
    pub fn layout(&self) -> &Layout {
        &self.staging
    }

    /// Moves everything into place. Once `vault.toml` is there, the vault is.
    pub fn finish(self) -> Result<Founded, FoundError> {
        self.finish_by(rename_new)
    }

    /// The same, where `vault.toml` gets its place by `commit`.
    fn finish_by(
        mut self,
        commit: impl FnOnce(&Path, &Path) -> Result<(), StoreError>,
    ) -> Result<Founded, FoundError> {
        let layout = Layout::new(&self.root);
        let births: Vec<String> =
            parts(&self.staging).iter().flat_map(|path| with_contents(path)).collect();
        let manifest = births.join("\n") + "\n";
        write_new(&self.staging.root().join(MOVED), manifest.as_bytes())?;
        for (from, to) in parts(&self.staging).iter().zip(parts(&layout)) {
            // It removes an empty folder and nothing else, such as an interrupted founding made
            // for the part to be moved to.
            let _ = fs::remove_dir(&to);
            match rename_new(from, &to) {
                Err(StoreError::Taken(path)) => return Err(FoundError::InTheWay(path)),
                other => other?,
            }
            self.moved.push(to);
        }
        sync_folder(&layout.vault_toml())?;
        let renamed = commit(&self.staging.vault_toml(), &layout.vault_toml());
        // A rename that took effect may report failure (NFS). Its id tells ours from any other.
        let own = vault_toml(self.id)?;
        let there = match renamed {
            Ok(()) => Some(true),
            Err(_) => holds(&layout.vault_toml(), own.as_bytes()),
        };
        // Where that can't be told, nothing is taken back.
        self.finished = there != Some(false);
        match (renamed, there) {
            (Ok(()), _) | (_, Some(true)) => {}
            (Err(StoreError::Taken(_)), Some(false)) => {
                return Err(FoundError::AlreadyAVault(self.root.clone()));
            }
            (Err(error), _) => return Err(error.into()),
        }
        let unsynced = sync_folder(&layout.vault_toml()).err();
        // What stays of the staging folder, the first append removes.
        let _ = fs::remove_dir_all(self.staging.root());
        Ok(Founded { location: Location { layout, id: self.id }, unsynced })
    }
}

impl Drop for Staging {
    /// Best effort: what stays is taken back by the next founding.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let back = self.moved.iter().all(|path| {
            let inside = self.staging.root().join(path.file_name().unwrap_or_default());
            rename_new(path, &inside).is_ok()
        });
        if back {
            let _ = fs::remove_dir_all(self.staging.root());
        }
        if self.made_root {
            let _ = fs::remove_dir(&self.root);
        }
    }
}

/// The text of `vault.toml`.
fn vault_toml(id: VaultId) -> Result<String, FoundError> {
    VaultFile { format: FORMAT, vault: id }.to_text().map_err(|_| FoundError::Bug)
}

/// What is moved into place before `vault.toml`.
fn parts(layout: &Layout) -> Vec<PathBuf> {
    let folders = Layout::FOLDERS.iter().map(|name| layout.root().join(name));
    folders.chain([layout.gitattributes()]).collect()
}

/// What a file or folder is known by wherever it is moved: inode and time of birth. An inode
/// alone is given to another file once its own is deleted, and a device gets another number
/// when it is mounted again. `None` where the file system tells no birth: then nothing is
/// taken for ours.
fn birth(path: &Path) -> Option<String> {
    let metadata = path.symlink_metadata().ok()?;
    let born = metadata.created().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("{}:{}", metadata.ino(), born.as_nanos()))
}

/// The births of a part of the vault and of the files in it.
fn with_contents(path: &Path) -> Vec<String> {
    let inside = fs::read_dir(path).into_iter().flatten().flatten().map(|item| item.path());
    [path.to_owned()].into_iter().chain(inside).filter_map(|path| birth(&path)).collect()
}

/// A folder itself and not a link to one.
fn is_empty_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
        && fs::read_dir(path).is_ok_and(|mut items| items.next().is_none())
}

/// Whether a part was put there by the interrupted founding, and nothing was added to it.
fn is_ours(path: &Path, known: &[String]) -> bool {
    let files = fs::read_dir(path).into_iter().flatten().count() + 1;
    let births = with_contents(path);
    births.len() == files && births.iter().all(|birth| known.contains(birth))
}

/// What an interrupted founding was about to move. Its list counts only while its
/// `vault.toml` is still in the staging folder: after that the vault is there.
fn interrupted(staging: &Layout) -> Vec<String> {
    if staging.vault_toml().symlink_metadata().is_err() {
        return Vec::new();
    }
    let text = read_bounded(&staging.root().join(MOVED), MAX_FILE).unwrap_or_default();
    String::from_utf8(text).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Makes the staging folder, or takes over one that was left, unless somebody works in it.
fn lock_staging(staging: &Layout) -> Result<File, FoundError> {
    let folder = staging.root();
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(failed("create", folder))?,
    }
    // A link could lead anywhere, and its target would be emptied.
    if !folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(FoundError::InTheWay(folder.to_owned()));
    }
    let lock = File::open(folder).map_err(failed("open", folder))?;
    // Whoever held it may have removed it meanwhile: then the lock is on nothing.
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    let stands = || {
        let (held, there) = (lock.metadata(), folder.symlink_metadata());
        held.is_ok_and(|held| there.is_ok_and(|there| same(&held, &there)))
    };
    match lock.try_lock() {
        Ok(()) if stands() => Ok(lock),
        Ok(()) => Err(FoundError::UnderWay(folder.to_owned())),
        Err(TryLockError::WouldBlock) => Err(FoundError::UnderWay(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed("lock", folder)(error).into()),
    }
}

/// Removes the staging folder that the founding of a vault left, if it was cut short after
/// its last step. Only for a holder of that vault's lock.
pub(super) fn remove_founded_staging(vault: &Layout) {
    let staging = Layout::new(&vault.root().join(STAGING));
    if staging.vault_toml().symlink_metadata().is_err() {
        // What stays harms nobody.
        let _ = fs::remove_dir_all(staging.root());
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(failed("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Hex;

    #[test]
    fn an_empty_folder_is_not_in_the_way_and_anything_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let begin = || Staging::begin(folder.path(), Hex([1; 16]));
        fs::create_dir(&log).unwrap();
        std::os::unix::fs::symlink(&log, folder.path().join("identities")).unwrap();
        assert!(matches!(begin(), Err(FoundError::InTheWay(path)) if path.ends_with("identities")));
        fs::remove_file(folder.path().join("identities")).unwrap();
        fs::write(log.join("notes"), "x").unwrap();
        assert!(matches!(begin(), Err(FoundError::InTheWay(path)) if path == log));
        fs::remove_file(log.join("notes")).unwrap();
        begin().unwrap().finish().unwrap();
        assert!(folder.path().join("vault.toml").exists() && log.is_dir());
    }
    /// A network share may do what was asked, and report failure.
    #[test]
    fn a_commit_that_took_effect_stands_whatever_was_reported_of_it() {
        let broken = |path: &Path| failed("rename", path)(io::ErrorKind::TimedOut.into());
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("vault");
        let begun = Staging::begin(&root, Hex([1; 16])).unwrap();
        let founded = begun.finish_by(|from, to| {
            rename_new(from, to)?;
            Err(broken(to))
        });
        assert_eq!(founded.unwrap().location.layout.root(), root);
        assert!(Location::at(&root).is_ok() && root.join("log").is_dir());

        let root = folder.path().join("other");
        let begun = Staging::begin(&root, Hex([2; 16])).unwrap();
        let refused = begun.finish_by(|_, to| Err(broken(to)));
        assert!(matches!(refused, Err(FoundError::Store(StoreError::Io { .. }))));
        assert!(!root.exists(), "a founding that failed leaves something");

        let root = folder.path().join("theirs");
        let begun = Staging::begin(&root, Hex([3; 16])).unwrap();
        let refused = begun.finish_by(|from, to| {
            fs::write(to, vault_toml(Hex([4; 16])).unwrap()).unwrap();
            rename_new(from, to)
        });
        assert!(matches!(refused, Err(FoundError::AlreadyAVault(_))));
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "but theirs, something is left");
    }
}
