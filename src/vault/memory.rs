//! What this machine has seen of each vault: the last head it verified. It is what makes a
//! cut-off tail show.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::lock::lock_within;
use super::store::{
    StoreError, failed, read_bounded, remove_leftovers, sync_folder, write_replacing,
};
use crate::log::Head;
use crate::record::{Digest, VaultId};

/// The file in the folder that a writer locks; no vault's id is like it.
const LOCK: &str = ".lock";
/// How long another writer is waited for, who has one short file to write.
const PATIENCE: Duration = Duration::from_secs(2);

/// The memory of heads: a folder with a file for each vault.
#[derive(Clone, Debug)]
pub struct HeadMemory {
    folder: PathBuf,
}

/// What is remembered of a vault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// The last head that was verified.
    pub head: Head,
    /// The vault's fingerprint: link 1.
    pub fingerprint: Digest,
}

/// How a log compares with what is remembered of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remembered {
    /// Never seen on this machine.
    Never,
    /// It contains the remembered head.
    Contained,
    /// It begins otherwise: it is another vault under the same id.
    AnotherVault,
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
    /// Another process doesn't stop writing to it.
    #[error("another keymuster has had {0} locked for too long")]
    Busy(PathBuf),
    /// A file of it isn't a head.
    #[error("{0} isn't a head that keymuster wrote")]
    Damaged(PathBuf),
}

impl Remembered {
    /// Compares a log's links (`links[n]` is that of entry n) with what is remembered.
    pub fn of(known: Option<Memory>, links: &[Digest]) -> Self {
        let Some(Memory { head, fingerprint }) = known else { return Self::Never };
        let place = usize::try_from(head.number).ok().and_then(|number| links.get(number));
        match place {
            _ if links.get(1).is_some_and(|link| *link != fingerprint) => Self::AnotherVault,
            None => Self::Shorter(head),
            Some(link) if *link == head.link => Self::Contained,
            Some(_) => Self::Different(head),
        }
    }
}

impl HeadMemory {
    /// The memory in `folder`, which is made when it is first needed.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The file with what is remembered of a vault.
    pub fn file(&self, vault: &VaultId) -> PathBuf {
        self.folder.join(vault.to_string())
    }

    /// What this machine has seen of a vault. The file holds the head, and a fourth line
    /// with the fingerprint.
    pub fn recall(&self, vault: &VaultId) -> Result<Option<Memory>, MemoryError> {
        let path = self.file(vault);
        let bytes = match read_bounded(&path, 1024) {
            Err(StoreError::Missing(_)) => return Ok(None),
            other => other?,
        };
        let memory = String::from_utf8(bytes).ok().and_then(|text| {
            let (head, fingerprint) = text.strip_suffix('\n')?.rsplit_once('\n')?;
            let head: Head = format!("{head}\n").parse().ok()?;
            Some(Memory { head, fingerprint: fingerprint.parse().ok()? })
        });
        match memory {
            Some(memory) if memory.head.vault == *vault => Ok(Some(memory)),
            _ => Err(MemoryError::Damaged(path)),
        }
    }

    /// Remembers a log that has more than what is remembered of it.
    pub fn remember(&self, vault: &VaultId, links: &[Digest]) -> Result<(), MemoryError> {
        let (Some(link), Some(fingerprint)) = (links.last(), links.get(1)) else { return Ok(()) };
        let head = Head { vault: *vault, number: links.len() as u64 - 1, link: *link };
        if !self.is_news(&head, links)? {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        sync_folder(&self.folder)?;
        // Of two commands that end at once, the one with the older head must not have the
        // last word.
        let _lock = self.lock()?;
        if !self.is_news(&head, links)? {
            return Ok(());
        }
        self.write(&head, fingerprint)
    }

    /// Remembers a head from elsewhere, of the vault with this fingerprint, unless a later one is
    /// remembered.
    pub fn remember_head(&self, head: &Head, fingerprint: &Digest) -> Result<(), MemoryError> {
        fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        sync_folder(&self.folder)?;
        let _lock = self.lock()?;
        if self.recall(&head.vault)?.is_some_and(|known| known.head.number >= head.number) {
            return Ok(());
        }
        self.write(head, fingerprint)
    }

    /// Goes back to an earlier entry of a log that has the remembered head: what came after it is about
    /// to be moved aside. `links` are those of the log as it is still.
    pub fn step_back(
        &self,
        vault: &VaultId,
        links: &[Digest],
        number: u64,
    ) -> Result<(), MemoryError> {
        let place = usize::try_from(number).ok();
        let link = place.and_then(|place| links.get(place));
        let (Some(link), Some(fingerprint)) = (link, links.get(1)) else { return Ok(()) };
        fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        let _lock = self.lock()?;
        let known = self.recall(vault)?;
        let is_later = known.is_some_and(|known| known.head.number > number);
        if is_later && Remembered::of(known, links) == Remembered::Contained {
            self.write(&Head { vault: *vault, number, link: *link }, fingerprint)?;
        }
        Ok(())
    }

    fn write(&self, head: &Head, fingerprint: &Digest) -> Result<(), MemoryError> {
        remove_leftovers(&self.folder);
        let text = format!("{head}{fingerprint}\n");
        Ok(write_replacing(&self.file(&head.vault), text.as_bytes())?)
    }

    /// Whether a log goes beyond what is remembered. One that doesn't contain that is left
    /// for the next command to refuse.
    fn is_news(&self, head: &Head, links: &[Digest]) -> Result<bool, MemoryError> {
        let known = self.recall(&head.vault)?;
        let contained = match Remembered::of(known, links) {
            Remembered::Never | Remembered::Contained => true,
            Remembered::AnotherVault | Remembered::Shorter(_) | Remembered::Different(_) => false,
        };
        Ok(contained && known.is_none_or(|known| known.head.number < head.number))
    }

    /// Keeps other processes from writing until it is dropped.
    fn lock(&self) -> Result<File, MemoryError> {
        let path = self.folder.join(LOCK);
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(failed("open", &path))?;
        match lock_within(&file, PATIENCE).map_err(failed("lock", &path))? {
            true => Ok(file),
            false => Err(MemoryError::Busy(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Hex;

    #[test]
    fn it_goes_back_only_within_the_log_that_it_remembers() {
        let folder = tempfile::tempdir().unwrap();
        let memory = HeadMemory::new(&folder.path().join("state/heads"));
        let empty = Head::empty(Hex([1; 16]));
        let vault = empty.vault;
        let heads = [empty, empty.after(b"1"), empty.after(b"1").after(b"2")];
        let links = heads.map(|head| head.link);
        memory.step_back(&vault, &links, 1).unwrap();
        assert_eq!(memory.recall(&vault).unwrap(), None, "what was never seen isn't remembered");
        memory.remember(&vault, &links).unwrap();
        let seen = |memory: &HeadMemory| memory.recall(&vault).unwrap().unwrap().head;
        let other = [links[0], links[1], links[1]];
        memory.step_back(&vault, &other, 1).unwrap();
        assert_eq!(seen(&memory), heads[2], "another log moves nothing");
        memory.step_back(&vault, &links, 1).unwrap();
        assert_eq!(seen(&memory), heads[1]);
        memory.step_back(&vault, &links, 2).unwrap();
        assert_eq!(seen(&memory), heads[1], "and never forward");
    }

    #[test]
    fn a_later_head_is_kept_and_an_earlier_one_never_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let memory = HeadMemory::new(&folder.path().join("state/heads"));
        let empty = Head::empty(Hex([1; 16]));
        let vault = empty.vault;
        let (one, two) = (empty.after(b"1"), empty.after(b"1").after(b"2"));
        let links = [empty.link, one.link, two.link];
        assert_eq!(Remembered::of(memory.recall(&vault).unwrap(), &links), Remembered::Never);
        memory.remember(&vault, &links).unwrap();
        memory.remember(&vault, &links[..2]).unwrap();
        let known = Memory { head: two, fingerprint: one.link };
        assert_eq!(memory.recall(&vault).unwrap(), Some(known));
        assert_eq!(Remembered::of(memory.recall(&vault).unwrap(), &links), Remembered::Contained);
        let cut = &links[..2];
        assert_eq!(Remembered::of(memory.recall(&vault).unwrap(), cut), Remembered::Shorter(two));
        let other = [empty.link, one.link, one.link];
        assert_eq!(
            Remembered::of(memory.recall(&vault).unwrap(), &other),
            Remembered::Different(two)
        );
        // However long, it doesn't take the place of what it doesn't contain.
        memory.remember(&vault, &[empty.link, one.link, one.link, two.link]).unwrap();
        assert_eq!(memory.recall(&vault).unwrap(), Some(known));
    }

    #[test]
    fn a_log_that_begins_otherwise_is_another_vault_however_short() {
        let folder = tempfile::tempdir().unwrap();
        let memory = HeadMemory::new(folder.path());
        let empty = Head::empty(Hex([1; 16]));
        let (own, forged) = (empty.after(b"1"), empty.after(b"forged"));
        let later = own.after(b"2");
        memory.remember(&empty.vault, &[empty.link, own.link, later.link]).unwrap();
        let compared =
            Remembered::of(memory.recall(&empty.vault).unwrap(), &[empty.link, forged.link]);
        assert_eq!(compared, Remembered::AnotherVault);
    }

    #[test]
    fn of_two_that_remember_at_once_the_later_head_stays() {
        let folder = tempfile::tempdir().unwrap();
        let memory = HeadMemory::new(folder.path());
        let empty = Head::empty(Hex([1; 16]));
        let mut links = vec![empty.link, empty.after(b"1").link];
        for round in 0..100 {
            links.extend([empty.after(&[round]).link, empty.after(&[round, 0]).link]);
            let (whole, shorter) = (&links[..], &links[..links.len() - 1]);
            std::thread::scope(|scope| {
                scope.spawn(|| memory.remember(&empty.vault, whole).unwrap());
                scope.spawn(|| memory.remember(&empty.vault, shorter).unwrap());
            });
            let known = memory.recall(&empty.vault).unwrap().unwrap();
            assert_eq!(known.head.number, links.len() as u64 - 1, "round {round}");
        }
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
