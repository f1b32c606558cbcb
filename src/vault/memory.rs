//! What this machine has seen of each vault: the last head it verified. It is what makes a
//! cut-off tail show.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::store::{StoreError, failed, read_bounded, write_replacing};
use crate::log::Head;
use crate::record::{Digest, VaultId};

/// The memory of heads: a folder with a file for each vault.
#[derive(Clone, Debug)]
pub struct HeadMemory {
    folder: PathBuf,
}

/// How a log compares with what is remembered of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remembered {
    /// Never seen on this machine.
    Never,
    /// It contains the remembered head.
    Contained,
    /// It is shorter.
    Shorter(Head),
    /// It has another entry in that place.
    Different(Head),
}

/// Why the memory couldn't be used.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// It couldn't be read or written.
    #[error("the memory of heads can't be used")]
    Store(#[from] StoreError),
    /// A file of it isn't a head.
    #[error("{0} isn't a head that keymuster wrote")]
    Damaged(PathBuf),
}

impl HeadMemory {
    /// The memory in `folder`, which is made when it is first needed.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn path(&self, vault: &VaultId) -> PathBuf {
        self.folder.join(vault.to_string())
    }

    /// The last head seen of a vault.
    pub fn recall(&self, vault: &VaultId) -> Result<Option<Head>, MemoryError> {
        let path = self.path(vault);
        let bytes = match read_bounded(&path, 1024) {
            Err(StoreError::Missing(_)) => return Ok(None),
            other => other?,
        };
        let head: Option<Head> = String::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        match head {
            Some(head) if head.vault == *vault => Ok(Some(head)),
            _ => Err(MemoryError::Damaged(path)),
        }
    }

    /// Compares a log's links (`links[n]` is that of entry n) with the remembered head.
    pub fn compare(&self, vault: &VaultId, links: &[Digest]) -> Result<Remembered, MemoryError> {
        let Some(head) = self.recall(vault)? else { return Ok(Remembered::Never) };
        let place = usize::try_from(head.number).ok().and_then(|number| links.get(number));
        Ok(match place {
            None => Remembered::Shorter(head),
            Some(link) if *link == head.link => Remembered::Contained,
            Some(_) => Remembered::Different(head),
        })
    }

    /// Remembers a head, unless a later one of the same vault is remembered.
    pub fn remember(&self, head: &Head) -> Result<(), MemoryError> {
        match self.recall(&head.vault)? {
            Some(known) if known.number >= head.number => return Ok(()),
            _ => {}
        }
        fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        Ok(write_replacing(&self.path(&head.vault), head.to_string().as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Hex;

    #[test]
    fn a_later_head_is_kept_and_an_earlier_one_never_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let memory = HeadMemory::new(&folder.path().join("state/heads"));
        let empty = Head::empty(Hex([1; 16]));
        let (one, two) = (empty.after(b"1"), empty.after(b"1").after(b"2"));
        let links = [empty.link, one.link, two.link];
        assert_eq!(memory.compare(&empty.vault, &links).unwrap(), Remembered::Never);
        memory.remember(&two).unwrap();
        memory.remember(&one).unwrap();
        assert_eq!(memory.recall(&empty.vault).unwrap(), Some(two));
        assert_eq!(memory.compare(&empty.vault, &links).unwrap(), Remembered::Contained);
        let cut = &links[..2];
        assert_eq!(memory.compare(&empty.vault, cut).unwrap(), Remembered::Shorter(two));
        let other = [empty.link, one.link, one.link];
        assert_eq!(memory.compare(&empty.vault, &other).unwrap(), Remembered::Different(two));
    }

    #[test]
    fn a_damaged_memory_is_an_error_and_not_a_first_use() {
        let folder = tempfile::tempdir().unwrap();
        let memory = HeadMemory::new(folder.path());
        let vault = Hex([1; 16]);
        fs::write(folder.path().join(vault.to_string()), "nonsense").unwrap();
        assert!(matches!(memory.recall(&vault), Err(MemoryError::Damaged(_))));
    }
}
