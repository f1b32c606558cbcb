//! Founding a vault: whole, or not at all.
//!
//! All its files are made in a staging folder inside the new vault, then moved into place,
//! `vault.toml` last: a folder is a vault when that file is there. What an interrupted
//! founding left is removed by the next one.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::compartment::CompartmentIdentity;
use super::layout::VaultFile;
use super::open::OpenVault;
use super::store::{StoreError, failed, rename_new, sync_folder, write_new};
use super::{Layout, Location};
use crate::log::FORMAT;
use crate::record::VaultId;

const STAGING: &str = ".keymuster-init";
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
    finished: bool,
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
        // After an interrupted founding, what is in the way is its own.
        if root.join(STAGING).exists() {
            return Ok(());
        }
        match parts(&layout).into_iter().find(|path| path.exists()) {
            Some(path) => Err(FoundError::InTheWay(path)),
            None => Ok(()),
        }
    }

    /// Begins a vault in `root`, which is made if it isn't there.
    pub fn begin(root: &Path, id: VaultId) -> Result<Self, FoundError> {
        Self::check(root)?;
        let made_root = !root.exists();
        if made_root {
            fs::create_dir_all(root).map_err(failed("create", root))?;
        }
        let staging = root.join(STAGING);
        if staging.exists() {
            for path in parts(&Layout::new(root)).into_iter().chain([staging.clone()]) {
                remove(&path)?;
            }
        }
        let mut this = Self {
            root: root.to_owned(),
            staging: Layout::new(&staging),
            id,
            made_root,
            finished: false,
        };
        if let Err(error) = this.fill() {
            this.undo();
            this.finished = true;
            return Err(error);
        }
        Ok(this)
    }

    fn fill(&mut self) -> Result<(), FoundError> {
        let staging = self.staging.root();
        let mut folders = DirBuilder::new();
        folders.mode(0o700);
        folders.create(staging).map_err(failed("create", staging))?;
        sync_folder(staging)?;
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

    /// Moves everything into place. From the last step on, the vault is there.
    pub fn finish(mut self) -> Result<Location, FoundError> {
        let layout = Layout::new(&self.root);
        for (from, to) in parts(&self.staging).iter().zip(parts(&layout)) {
            rename_new(from, &to)?;
        }
        sync_folder(&layout.vault_toml())?;
        rename_new(&self.staging.vault_toml(), &layout.vault_toml())?;
        self.finished = true;
        sync_folder(&layout.vault_toml())?;
        let staging = self.staging.root();
        fs::remove_dir(staging).map_err(failed("remove", staging))?;
        Ok(Location { layout, id: self.id })
    }

    fn undo(&self) {
        // Best effort: what stays is removed by the next founding.
        for path in parts(&Layout::new(&self.root)) {
            let _ = remove(&path);
        }
        let _ = remove(self.staging.root());
        if self.made_root {
            let _ = fs::remove_dir(&self.root);
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.finished {
            self.undo();
        }
    }
}

/// What is moved into place before `vault.toml`.
fn parts(layout: &Layout) -> Vec<PathBuf> {
    let folders = Layout::FOLDERS.iter().map(|name| layout.root().join(name));
    folders.chain([layout.gitattributes()]).collect()
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(failed("remove", path)),
    }
}
