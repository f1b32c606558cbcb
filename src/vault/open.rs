//! Opening a vault: the compartment `records`, then the log, then what the log says of the
//! other files.

use std::path::{Path, PathBuf};
use std::thread;

use thiserror::Error;

use super::cipher::AgeIdentity;
use super::compartment::{CompartmentError, CompartmentIdentity, CompartmentName};
use super::store::{StoreError, read_bounded};
use super::{Layout, Location, MAX_FILE};
use crate::log::{Entry, Fault, Head, MAX_ENTRY, Replay, Replayed, next_link, replay, sha256};
use crate::record::{Digest, RECORDS, State};

/// An entry's file may be this much larger than its plaintext: age's header, a tag for
/// every 64 KiB, and room to spare.
const MAX_ENTRY_FILE: u64 = (MAX_ENTRY + (64 << 10)) as u64;

/// A vault whose log is read and replayed.
#[derive(Debug)]
pub struct OpenVault {
    pub(super) location: Location,
    pub(super) records: CompartmentIdentity,
    pub(super) entries: Vec<Entry>,
    pub(super) links: Vec<Digest>,
    pub(super) replay: Replay,
    pub(super) fault: Option<Fault>,
    damage: Vec<Damage>,
    strays: Vec<PathBuf>,
}

/// A file that isn't what the log says it is.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{file} {reason}")]
pub struct Damage {
    /// The file, relative to the vault.
    pub file: String,
    /// In words.
    pub reason: String,
}

/// Why the log can't be opened.
#[derive(Debug, Error)]
pub enum RecordsError {
    /// There is no file for `records`.
    #[error("compartments/records.1.age is missing, and without it the log can't be opened")]
    NoRecords,
    /// It isn't for this identity, or isn't the `records` of this vault.
    #[error("{file} can't be opened")]
    Closed {
        /// The file, relative to the vault.
        file: String,
        /// The reason.
        source: CompartmentError,
    },
    /// A file couldn't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens `records` with an identity, reads the log and replays it. A faulty log opens at
/// its last sound head: see [`OpenVault::fault`].
pub fn open_records(
    location: Location,
    identities: &[&AgeIdentity],
) -> Result<OpenVault, RecordsError> {
    let epochs = location.layout.epochs_of(RECORDS)?;
    let Some((&newest, older)) = epochs.split_first() else { return Err(RecordsError::NoRecords) };
    let opened = open_at(location.clone(), newest, identities);
    if opened.as_ref().is_ok_and(|vault| vault.current_epoch() == Some(newest)) {
        return opened;
    }
    // The newest file may be an orphan of an append that never was.
    for &epoch in older {
        match open_at(location.clone(), epoch, identities) {
            Ok(vault) if vault.current_epoch() == Some(epoch) => return Ok(vault),
            _ => {}
        }
    }
    opened
}

fn open_at(
    location: Location,
    epoch: u32,
    identities: &[&AgeIdentity],
) -> Result<OpenVault, RecordsError> {
    let path = location.layout.compartment(RECORDS, epoch);
    let file = location.layout.shown(&path);
    let ciphertext = read_bounded(&path, MAX_FILE)?;
    let vault = location.id.to_string();
    let expected = CompartmentName { vault: &vault, compartment: RECORDS, epoch };
    let records = CompartmentIdentity::open(&ciphertext, identities, &expected)
        .map_err(|source| RecordsError::Closed { file, source })?;
    let (entries, broken, mut strays) = read_log(&location.layout, &records)?;
    let readable = entries.iter().map(Ok).chain(broken.map(Err));
    let Replayed { replay, fault } = replay(location.id, readable);
    let mut links = vec![Head::empty(location.id).link];
    for entry in &entries {
        let next = links.last().map(|last| next_link(last, &entry.digest()));
        links.extend(next);
    }
    links.truncate(usize::try_from(replay.head().number).unwrap_or(usize::MAX).saturating_add(1));
    let (damage, others) = hold_against(&location.layout, replay.state(), fault.is_some())?;
    strays.extend(others);
    Ok(OpenVault { location, records, entries, links, replay, fault, damage, strays })
}

/// The entries in order up to the first that can't be read, why it can't, and what else
/// lies in the folder.
#[expect(clippy::type_complexity, reason = "three results of one walk, taken apart at once")]
fn read_log(
    layout: &Layout,
    records: &CompartmentIdentity,
) -> Result<(Vec<Entry>, Option<String>, Vec<PathBuf>), RecordsError> {
    let mut numbered = Vec::new();
    let mut strays = Vec::new();
    for path in layout.files_in(&layout.log())? {
        let number: Option<u64> = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".age")?.parse().ok())
            .filter(|number| *number > 0 && layout.entry(*number) == path);
        match number {
            Some(number) => numbered.push((number, path)),
            None => strays.push(path),
        }
    }
    numbered.sort();
    let contiguous = numbered.iter().zip(1..).take_while(|((number, _), n)| number == n).count();
    let missing = (contiguous < numbered.len()).then(|| {
        let path = layout.entry(contiguous as u64 + 1);
        format!("{} is missing, and later entries are there", layout.shown(&path))
    });
    let paths: Vec<&Path> = numbered.iter().take(contiguous).map(|(_, path)| &**path).collect();

    // Decryption is most of the time it takes to open a vault: both halves at once.
    let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = paths.len().div_ceil(workers).max(64);
    let read: Vec<Result<Entry, Unread>> = thread::scope(|scope| {
        let handles: Vec<_> = paths
            .chunks(share)
            .map(|part| {
                let read = |path: &&Path| read_entry(layout, path, records);
                scope.spawn(move || part.iter().map(read).collect::<Vec<_>>())
            })
            .collect();
        let lost = || vec![Err(Unread::Wrong("a thread of keymuster's failed".to_owned()))];
        handles.into_iter().flat_map(|h| h.join().unwrap_or_else(|_| lost())).collect()
    });
    let mut entries = Vec::with_capacity(read.len());
    for entry in read {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(Unread::Wrong(reason)) => return Ok((entries, Some(reason), strays)),
            Err(Unread::Unreadable(error)) => return Err(error.into()),
        }
    }
    Ok((entries, missing, strays))
}

/// Why a file gave no entry.
enum Unread {
    /// What is there isn't one: the log's fault.
    Wrong(String),
    /// It couldn't be looked at: no verdict on the log.
    Unreadable(StoreError),
}

fn read_entry(
    layout: &Layout,
    path: &Path,
    records: &CompartmentIdentity,
) -> Result<Entry, Unread> {
    let shown = layout.shown(path);
    let ciphertext = read_bounded(path, MAX_ENTRY_FILE).map_err(|error| match error {
        StoreError::TooLarge { size, .. } => {
            Unread::Wrong(format!("{shown} has {size} bytes, and an entry has 32 MiB at most"))
        }
        StoreError::NotAFile(_) => Unread::Wrong(format!("{shown} isn't a regular file")),
        other => Unread::Unreadable(other),
    })?;
    let plaintext = records
        .decrypt(&ciphertext, MAX_ENTRY)
        .map_err(|error| Unread::Wrong(format!("{shown}: {error}")))?;
    Entry::parse(plaintext.to_vec()).map_err(|error| Unread::Wrong(format!("{shown}: {error}")))
}

/// Holds the other files against the digests in the log; names those that differ, and
/// those that no entry names.
fn hold_against(
    layout: &Layout,
    state: &State,
    faulty: bool,
) -> Result<(Vec<Damage>, Vec<PathBuf>), StoreError> {
    let mut named: Vec<(PathBuf, Digest)> = Vec::new();
    for (name, compartment) in state.compartments() {
        let path = layout.compartment(name.as_str(), compartment.sealing.epoch);
        named.push((path, compartment.sealing.sha256));
    }
    for sealed in state.identities().values() {
        let sealing = &sealed.sealing;
        let (whose, slot, generation) = (&sealing.custodian, &sealing.slot, sealing.generation);
        named.push((layout.identity(whose, slot, generation), sealing.sha256));
        if let Some(digest) = sealing.plugin_sha256 {
            named.push((layout.plugin_identity(whose, slot, generation), digest));
        }
    }
    let mut damage = Vec::new();
    for (path, digest) in &named {
        let reason = match read_bounded(path, MAX_FILE) {
            Ok(bytes) if sha256(&bytes) == *digest => continue,
            Ok(_) => "isn't the file that the log names: it was changed or replaced".to_owned(),
            Err(StoreError::Missing(_)) => "is missing, and the log names it".to_owned(),
            Err(StoreError::TooLarge { size, .. }) => {
                format!("has {size} bytes and isn't the file that the log names")
            }
            Err(StoreError::NotAFile(_)) => "isn't a regular file".to_owned(),
            Err(error) => return Err(error),
        };
        damage.push(Damage { file: layout.shown(path), reason });
    }
    let mut strays = Vec::new();
    // A faulty log's later entries may well name them.
    for folder in [layout.compartments(), layout.identities()] {
        let files = if faulty { Vec::new() } else { layout.files_in(&folder)? };
        strays.extend(files.into_iter().filter(|f| named.iter().all(|(path, _)| path != f)));
    }
    Ok((damage, strays))
}

impl OpenVault {
    /// A vault without entries, for its founding.
    pub(super) fn founded(location: Location, records: CompartmentIdentity) -> Self {
        Self {
            records,
            entries: Vec::new(),
            links: vec![Head::empty(location.id).link],
            replay: Replay::new(location.id),
            fault: None,
            damage: Vec::new(),
            strays: Vec::new(),
            location,
        }
    }

    /// Where it lies, and its id.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Its entries, in order; those from a fault on are there, but count for nothing.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// `links()[n]` is the link of entry n; up to the last sound one.
    pub fn links(&self) -> &[Digest] {
        &self.links
    }

    /// The replayed log.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// What is so.
    pub fn state(&self) -> &State {
        self.replay.state()
    }

    /// The head of the sound part of the log.
    pub fn head(&self) -> Head {
        self.replay.head()
    }

    /// The first fault of the log.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Files that aren't what the log says.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Files that no entry names. Never used.
    pub fn strays(&self) -> Vec<String> {
        self.strays.iter().map(|path| self.location.layout.shown(path)).collect()
    }

    /// The vault's fingerprint: link 1, which depends on all that founded it.
    pub fn fingerprint(&self) -> Option<Digest> {
        self.links.get(1).copied()
    }

    fn current_epoch(&self) -> Option<u32> {
        let records = self.state().compartments().iter().find(|(name, _)| name.as_str() == RECORDS);
        records.map(|(_, compartment)| compartment.sealing.epoch)
    }
}
