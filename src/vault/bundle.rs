//! A folder that is written outside the vault: whole, or not there.
//!
//! It is made under a temporary name beside its own, and renamed when all of it is on disk.
//! What a killed export leaves has a temporary name still, and is in nobody's way.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::store::{
    StoreError, failed, make_folder, read_bounded, rename_new, sync_folder, temporary_name,
    write_new,
};

/// Reads a plain file of a folder of which nothing is known, `FOLDER/NAME` or `FOLDER/FOLDER/NAME`, of at
/// most `limit` bytes. No link below the folder is followed.
pub fn read_from(folder: &Path, name: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
    let path = folder.join(name);
    if let Some(parent) = path.parent().filter(|parent| *parent != folder) {
        match parent.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(StoreError::NotAFolder(parent.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Missing(path));
            }
            Err(error) => return Err(failed("read", parent)(error)),
        }
    }
    read_bounded(&path, limit)
}

/// A bundle that is being written. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Bundle {
    target: PathBuf,
    temporary: PathBuf,
}

impl Bundle {
    /// Begins a bundle that is to be `target`, which must not be there, with these folders.
    pub fn begin(target: &Path, folders: &[&str]) -> Result<Self, StoreError> {
        if target.symlink_metadata().is_ok() {
            return Err(StoreError::Taken(target.to_owned()));
        }
        let temporary = temporary_name(target)?;
        // It is in the clear: nobody else reads it.
        DirBuilder::new().mode(0o700).create(&temporary).map_err(failed("create", &temporary))?;
        let this = Self { target: target.to_owned(), temporary };
        for folder in folders {
            make_folder(&this.temporary.join(folder))?;
        }
        Ok(this)
    }

    /// Writes a file of it.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        write_new(&self.temporary.join(name), bytes)
    }

    /// Gives it its name. Each of its files was synced, and the folder that holds it.
    pub fn finish(self) -> Result<(), StoreError> {
        rename_new(&self.temporary, &self.target)?;
        sync_folder(&self.target).inspect_err(|_| {
            // What may be gone after a power cut isn't written: back, to be removed.
            let _ = fs::rename(&self.target, &self.temporary);
        })
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        // Once it has its name, there is none of the temporary one.
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_there_when_it_is_whole_and_two_at_once_are_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("bundle");
        let begin = || Bundle::begin(&target, &["entries"]);
        let count = || fs::read_dir(folder.path()).unwrap().count();
        let (first, second) = (begin().unwrap(), begin().unwrap());
        first.write("entries/1", b"one").unwrap();
        assert!(!target.exists(), "not before it is whole");
        first.finish().unwrap();
        assert_eq!(fs::read(target.join("entries/1")).unwrap(), b"one");
        second.write("entries/1", b"two").unwrap();
        assert!(matches!(second.finish(), Err(StoreError::Taken(_))));
        assert_eq!(fs::read(target.join("entries/1")).unwrap(), b"one");
        assert_eq!(count(), 1, "what failed is removed");
    }

    #[test]
    fn whatever_is_there_is_no_place_for_a_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let [empty, link, file] = ["empty", "link", "file"].map(|name| folder.path().join(name));
        fs::create_dir(&empty).unwrap();
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
        fs::write(&file, "x").unwrap();
        for target in [empty, link, file] {
            assert!(matches!(Bundle::begin(&target, &[]), Err(StoreError::Taken(_))));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
