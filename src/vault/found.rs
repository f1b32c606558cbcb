//! Founding a vault: whole, or not at all.
//!
//! All its files are made in a staging folder inside the new vault, then moved into place,
//! `vault.toml` last: a folder is a vault when that file is there. Nothing but the staging
//! folder is ever deleted. What an interrupted founding had moved already is known by its
//! inode, which was written down before, and is moved back by the next founding.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::compartment::CompartmentIdentity;
use super::layout::VaultFile;
use super::open::OpenVault;
use super::store::{StoreError, failed, read_bounded, rename_new, sync_folder, write_new};
use super::{Layout, Location};
use crate::log::FORMAT;
use crate::record::VaultId;

const STAGING: &str = ".keymuster-init";
/// Lists, in the staging folder, the inodes of what is about to be moved out of it.
const MOVED: &str = "moved";
const GITATTRIBUTES: &[u8] = b"* binary\n";

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
        if layout.vault_toml().exists() {
            return Err(FoundError::AlreadyAVault(root.to_owned()));
        }
        if root.exists() && !root.is_dir() {
            return Err(FoundError::InTheWay(root.to_owned()));
        }
        let known = interrupted(&Layout::new(&root.join(STAGING)));
        let in_the_way = parts(&layout).into_iter().find(|path| match inode(path) {
            Some(inode) => !known.contains(&inode),
            None => false,
        });
        in_the_way.map_or(Ok(()), |path| Err(FoundError::InTheWay(path)))
    }

    /// Begins a vault in `root`, which is made if it isn't there.
    pub fn begin(root: &Path, id: VaultId) -> Result<Self, FoundError> {
        Self::check(root)?;
        let made_root = !root.exists();
        if made_root {
            fs::create_dir_all(root).map_err(failed("create", root))?;
            sync_folder(root)?;
        }
        let staging = Layout::new(&root.join(STAGING));
        let lock = match lock_staging(&staging) {
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
        this.clear_interrupted()?;
        this.fill()?;
        Ok(this)
    }

    /// Takes back what an interrupted founding had put in place, and empties the staging
    /// folder.
    fn clear_interrupted(&mut self) -> Result<(), FoundError> {
        let known = interrupted(&self.staging);
        for (inside, outside) in parts(&self.staging).iter().zip(parts(&Layout::new(&self.root))) {
            if inode(&outside).is_some_and(|inode| known.contains(&inode)) {
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
        let file = VaultFile { format: FORMAT, vault: self.id };
        let text = toml::to_string(&file).map_err(|_| FoundError::Bug)?;
        write_new(&self.staging.vault_toml(), text.as_bytes())?;
        Ok(write_new(&self.staging.gitattributes(), GITATTRIBUTES)?)
    }

    /// The vault as it stands so far: empty, to be given its first entry.
    pub fn vault(&self, records: CompartmentIdentity) -> OpenVault {
        let location = Location { layout: self.staging.clone(), id: self.id };
        OpenVault::founded(location, records)
    }

    /// Where its files lie while it is being founded.
    pub fn layout(&self) -> &Layout {
        &self.staging
    }

    /// Moves everything into place. Once `vault.toml` is there, the vault is.
    pub fn finish(mut self) -> Result<Founded, FoundError> {
        let layout = Layout::new(&self.root);
        let inodes: Vec<String> =
            parts(&self.staging).iter().filter_map(|path| inode(path)).collect();
        write_new(&self.staging.root().join(MOVED), (inodes.join("\n") + "\n").as_bytes())?;
        for (from, to) in parts(&self.staging).iter().zip(parts(&layout)) {
            match rename_new(from, &to) {
                Err(StoreError::Taken(path)) => return Err(FoundError::InTheWay(path)),
                other => other?,
            }
            self.moved.push(to);
        }
        sync_folder(&layout.vault_toml())?;
        match rename_new(&self.staging.vault_toml(), &layout.vault_toml()) {
            Err(StoreError::Taken(_)) => return Err(FoundError::AlreadyAVault(self.root.clone())),
            other => other?,
        }
        self.finished = true;
        let unsynced = sync_folder(&layout.vault_toml()).err();
        // What stays of the staging folder harms nobody.
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
        for path in &self.moved {
            let _ =
                rename_new(path, &self.staging.root().join(path.file_name().unwrap_or_default()));
        }
        let _ = fs::remove_dir_all(self.staging.root());
        if self.made_root {
            let _ = fs::remove_dir(&self.root);
        }
    }
}

/// What is moved into place before `vault.toml`.
fn parts(layout: &Layout) -> Vec<PathBuf> {
    let folders = Layout::FOLDERS.iter().map(|name| layout.root().join(name));
    folders.chain([layout.gitattributes()]).collect()
}

/// Device and inode of what has this name: they stay the same when it is moved.
fn inode(path: &Path) -> Option<String> {
    let metadata = path.symlink_metadata().ok()?;
    Some(format!("{}:{}", metadata.dev(), metadata.ino()))
}

/// The inodes of what an interrupted founding was about to move.
fn interrupted(staging: &Layout) -> Vec<String> {
    let text = read_bounded(&staging.root().join(MOVED), 4096).unwrap_or_default();
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
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(FoundError::UnderWay(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed("lock", folder)(error).into()),
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(failed("remove", path))
}
