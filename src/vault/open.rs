//! Opening a vault: the compartment `records`, then the log, then what the log says of the
//! other files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

use thiserror::Error;

use super::cipher::{AgeIdentity, OpenError};
use super::compartment::{CompartmentError, CompartmentIdentity, CompartmentName};
use super::identity::KeyFileError;
use super::layout::GIT_LINE;
use super::layout::drill_of;
use super::store::{StoreError, read_bounded};
use super::{ATTACHMENT_OVERHEAD, Layout, Location, MAX_ATTACHMENT, MAX_FILE};
use crate::log::{Entry, Fault, Head, MAX_ENTRY, Replay, Rule, sha256};
use crate::record::{CompartmentSealed, Digest, RECORDS, SEEDS, Sealing, State, Time};

/// An entry's file may be this much larger than its plaintext: age's header, a tag for
/// every 64 KiB, and room to spare.
pub(super) const MAX_ENTRY_FILE: u64 = (MAX_ENTRY + (64 << 10)) as u64;

/// How many files of `records` are tried beside the newest. Unnamed ones are rare; a
/// hostile share could hold thousands.
const MAX_CANDIDATES: usize = 8;
/// How often it is begun anew where a new epoch begins meanwhile.
const MAX_RETRIES: usize = 3;
/// The most entries, and about the most bytes, that are read before they are judged.
const MAX_BATCH: usize = 256;
const MAX_BATCH_BYTES: u64 = 64 << 20;

/// A vault whose log is read and replayed.
#[derive(Debug)]
pub struct OpenVault {
    pub(super) location: Location,
    pub(super) records: CompartmentIdentity,
    pub(super) log: ReadLog,
    damage: Vec<Damage>,
    strays: Vec<PathBuf>,
    oddity: Option<String>,
    closed: Option<String>,
}

/// A file that isn't what the log says it is.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{file} {reason}")]
pub struct Damage {
    /// The file, relative to the vault.
    pub file: String,
    /// In words.
    pub reason: String,
    /// What is done in spite of it.
    pub weight: Weight,
}

/// What is done in spite of a damaged file, from everything to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// All but what needs this file: a secret, a runbook, a compartment that opens to some custodians only, an
    /// epoch that is over. Few people could name a file that never was, and nobody else could
    /// record anything any more.
    Aside,
    /// Nothing but that keys are lost or compromised.
    Vault,
    /// Nothing: entries are encrypted to what is in it.
    Log,
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
    /// It is the `records` of another vault than `vault.toml` names.
    #[error("vault.toml and {file} are of two vaults: one of them was changed or replaced")]
    TwoVaults {
        /// The file of `records`, relative to the vault.
        file: String,
        /// Which two.
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
    let mut epochs = location.layout.epochs_of(RECORDS)?;
    for _ in 0..MAX_RETRIES {
        let opened = open_newest(&location, &epochs, identities);
        let now = location.layout.epochs_of(RECORDS)?;
        // Another epoch may have begun between the two: its entries were closed to us.
        let overtaken = now.first() > epochs.first();
        match opened {
            Ok(mut vault) if vault.log.closed && !overtaken => {
                // The newest epoch's file is there, and it isn't the one that was opened.
                let opened = vault.records.name().epoch;
                vault.closed = now.first().filter(|newest| **newest > opened).map(|newest| {
                    location.layout.shown(&location.layout.compartment(RECORDS, *newest))
                });
                return Ok(vault);
            }
            Ok(vault) if vault.log.closed => drop(vault),
            other => return other,
        }
        epochs = now;
    }
    open_newest(&location, &epochs, identities)
}

fn open_newest(
    location: &Location,
    epochs: &[u32],
    identities: &[&AgeIdentity],
) -> Result<OpenVault, RecordsError> {
    let Some((&newest, older)) = epochs.split_first() else { return Err(RecordsError::NoRecords) };
    let opened = open_at(location.clone(), newest, identities);
    if opened.as_ref().is_ok_and(|vault| vault.current_epoch() == Some(newest)) {
        return opened;
    }
    // The newest file may be an orphan of an append that never was.
    for &epoch in older.iter().take(MAX_CANDIDATES) {
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
    let records = CompartmentIdentity::open(&ciphertext, identities, &expected).map_err(
        |source| match source {
            CompartmentError::Contents(KeyFileError::Other { what: "vault", .. }) => {
                RecordsError::TwoVaults { file, source }
            }
            source => RecordsError::Closed { file, source },
        },
    )?;
    let mut vault = OpenVault::unread(location, records);
    vault.read_on()?;
    Ok(vault)
}

/// A log, read as far as it is sound.
#[derive(Debug)]
pub(super) struct ReadLog {
    pub(super) entries: Vec<Entry>,
    pub(super) replay: Replay,
    pub(super) fault: Option<Fault>,
    /// Whether the fault is an entry that isn't encrypted to what is at hand.
    closed: bool,
    /// Digest of the newest entry's file.
    pub(super) newest_file: Option<Digest>,
}

impl ReadLog {
    fn empty(location: &Location) -> Self {
        Self {
            entries: Vec::new(),
            replay: Replay::new(location.id),
            fault: None,
            closed: false,
            newest_file: None,
        }
    }
}

/// What lies in the folder of the log.
struct LogFolder {
    /// The numbers of the entries that have a file.
    numbers: BTreeSet<u64>,
    /// Everything else.
    strays: Vec<PathBuf>,
}

fn log_folder(layout: &Layout) -> Result<LogFolder, StoreError> {
    let (mut numbers, mut strays) = (BTreeSet::new(), Vec::new());
    for path in layout.files_in(&layout.log())? {
        let number: Option<u64> = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".age")?.parse().ok())
            .filter(|number| *number > 0 && layout.entry(*number) == path);
        match number {
            Some(number) => drop(numbers.insert(number)),
            None => strays.push(path),
        }
    }
    Ok(LogFolder { numbers, strays })
}

/// Reads and replays what the log has beyond what was read of it, up to its first fault, and
/// returns what else lies in its folder. Entries are decrypted on all processors, some at a
/// time, and judged before more are read: who can write files can make as many as they like.
fn read_log(
    layout: &Layout,
    records: &CompartmentIdentity,
    log: &mut ReadLog,
) -> Result<Vec<PathBuf>, StoreError> {
    let LogFolder { numbers, strays } = log_folder(layout)?;
    // The folder is looked at once more for a number that isn't listed: what is linked while
    // a list is made may be missing in it, and what is linked after it not.
    let there =
        |number: &u64| numbers.contains(number) || layout.entry(*number).symlink_metadata().is_ok();
    let contiguous = (1..).take_while(there).count();
    let numbered: Vec<PathBuf> = (1..).take(contiguous).map(|n| layout.entry(n)).collect();
    let mut paths: Vec<&Path> =
        numbered.iter().skip(log.entries.len()).map(PathBuf::as_path).collect();
    // The first alone: it tells whether these are the right records at all.
    let mut size = 1;
    while !paths.is_empty() && log.fault.is_none() {
        let batch: Vec<&Path> = paths.drain(..bounded(&paths, size)).collect();
        for read in read_batch(layout, &batch, records) {
            let admitted = match read {
                Ok((entry, file)) => log.replay.admit(&entry).map(|()| {
                    log.entries.push(entry);
                    log.newest_file = Some(file);
                }),
                Err(Unread::Unreadable(error)) => return Err(error),
                Err(Unread::Wrong(reason)) => Err(log.replay.unreadable(reason)),
                Err(Unread::Closed(reason)) => {
                    log.closed = true;
                    Err(log.replay.unreadable(reason))
                }
            };
            if let Err(fault) = admitted {
                log.fault = Some(fault);
                break;
            }
        }
        size = MAX_BATCH;
    }
    let missing = contiguous as u64 + 1;
    if log.fault.is_none() && numbers.last().is_some_and(|last| *last > missing) {
        let path = layout.entry(missing);
        let reason = format!("{} is missing, and later entries are there", layout.shown(&path));
        log.fault = Some(Fault { entry: missing, rule: Rule::Form, reason });
    }
    Ok(strays)
}

/// How many of the next files make a batch: at most `size`, and about as many bytes as may
/// be.
fn bounded(paths: &[&Path], size: usize) -> usize {
    let mut bytes = 0;
    let fits = |path: &&&Path| {
        bytes += path.symlink_metadata().map_or(0, |metadata| metadata.len());
        bytes <= MAX_BATCH_BYTES
    };
    paths.iter().take(size).take_while(fits).count().max(1)
}

/// An entry, and the digest of its file.
type Read = Result<(Entry, Digest), Unread>;

fn read_batch(layout: &Layout, paths: &[&Path], records: &CompartmentIdentity) -> Vec<Read> {
    let read = |part: &[&Path]| -> Vec<Read> {
        part.iter().map(|path| read_entry(layout, path, records)).collect()
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = paths.len().div_ceil(workers).max(16);
    let Some((first, others)) = paths.split_at_checked(share) else { return read(paths) };
    thread::scope(|scope| {
        let started: Vec<_> = others
            .chunks(share)
            .map(|part| {
                let thread = thread::Builder::new().spawn_scoped(scope, move || read(part));
                (part, thread.ok())
            })
            .collect();
        let mut all = read(first);
        for (part, thread) in started {
            // Where no thread can be had, or it failed, this one does its work.
            all.extend(thread.and_then(|thread| thread.join().ok()).unwrap_or_else(|| read(part)));
        }
        all
    })
}

/// Why a file gave no entry.
enum Unread {
    /// What is there isn't one: the log's fault.
    Wrong(String),
    /// It isn't encrypted to what is at hand.
    Closed(String),
    /// It couldn't be looked at: no verdict on the log.
    Unreadable(StoreError),
}

fn read_entry(layout: &Layout, path: &Path, records: &CompartmentIdentity) -> Read {
    let shown = layout.shown(path);
    let ciphertext = read_bounded(path, MAX_ENTRY_FILE).map_err(|error| match error {
        StoreError::TooLarge { size, .. } => {
            Unread::Wrong(format!("{shown} has {size} bytes, and an entry has 32 MiB at most"))
        }
        StoreError::NotAFile(_) => Unread::Wrong(format!("{shown} isn't a regular file")),
        other => Unread::Unreadable(other),
    })?;
    let plaintext = records.decrypt(&ciphertext, MAX_ENTRY).map_err(|error| match error {
        OpenError::NoIdentity => Unread::Closed(format!("{shown}: {error}")),
        error => Unread::Wrong(format!("{shown}: {error}")),
    })?;
    let entry = Entry::parse(plaintext.to_vec())
        .map_err(|error| Unread::Wrong(format!("{shown}: {error}")))?;
    Ok((entry, sha256(&ciphertext)))
}

/// Holds the other files against the digests in the log; names those that differ, and
/// those that no entry names.
fn hold_against(
    layout: &Layout,
    state: &State,
    faulty: bool,
) -> Result<(Vec<Damage>, Vec<PathBuf>), StoreError> {
    let mut named: Vec<(PathBuf, Digest, Weight)> = Vec::new();
    let (mut damage, mut others) = (Vec::new(), Vec::new());
    for sealing in state.sealings() {
        match sealing {
            Sealing::Compartment(sealed) => {
                let path = layout.compartment(sealed.compartment.as_str(), sealed.epoch);
                named.push((path, sealed.sha256, weight_of(state, sealed)));
            }
            Sealing::Secret(sha256) => {
                named.push((layout.secret(sha256), *sha256, Weight::Aside));
            }
            Sealing::Runbook(sha256) => {
                named.push((layout.attachment(sha256), *sha256, Weight::Aside));
            }
            Sealing::Evidence { file, bytes } => {
                let path = layout.attachment(file);
                match large_evidence(&path, *bytes) {
                    Some(Ok(())) => {}
                    Some(Err(reason)) => {
                        damage.push(Damage {
                            file: layout.shown(&path),
                            reason,
                            weight: Weight::Aside,
                        });
                    }
                    None => named.push((path.clone(), *file, Weight::Aside)),
                }
                others.push(path);
            }
            Sealing::Identity(sealed) => {
                let (whose, slot, number) = (&sealed.custodian, &sealed.slot, sealed.generation);
                let plugin = sealed
                    .plugin_sha256
                    .map(|sha| (layout.plugin_identity(whose, slot, number), sha));
                let file = (layout.identity(whose, slot, number), sealed.sha256);
                let files = plugin.into_iter().chain([file]);
                named.extend(files.map(|(path, sha256)| (path, sha256, Weight::Vault)));
            }
        }
    }
    for (path, digest, weight) in &named {
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
        damage.push(Damage { file: layout.shown(path), reason, weight: *weight });
    }
    let mut strays = Vec::new();
    // A faulty log's later entries may well name them.
    if !faulty {
        let named: BTreeSet<&PathBuf> =
            named.iter().map(|(path, ..)| path).chain(&others).collect();
        let mut files = layout.files_in(&layout.compartments())?;
        files.extend(layout.files_in(&layout.identities())?);
        files.extend(layout.files_by_digest()?);
        // Of a drill that is under way nothing is named yet.
        let under_way = |folder: &PathBuf| {
            let drill = drill_of(folder).and_then(|drill| state.drills().get(&drill).cloned());
            drill.is_some_and(|run| run.is_open())
        };
        strays.extend(layout.drafts()?.into_iter().filter(|folder| !under_way(folder)));
        strays.extend(files.into_iter().filter(|file| !named.contains(file)));
    }
    Ok((damage, strays))
}

/// Whether large evidence is there, as far as its size tells: whoever opens a vault doesn't wait
/// until gigabytes are read, and `log verify` reads them. `None` of what is small.
fn large_evidence(path: &Path, bytes: u32) -> Option<Result<(), String>> {
    let bytes = u64::from(bytes);
    if bytes + ATTACHMENT_OVERHEAD <= MAX_FILE {
        return None;
    }
    Some(match path.symlink_metadata() {
        Ok(file) if !file.is_file() => Err("isn't a regular file".to_owned()),
        Ok(file) if (bytes..=bytes + ATTACHMENT_OVERHEAD).contains(&file.len()) => Ok(()),
        Ok(_) => Err("isn't the file that the log names: its size is another".to_owned()),
        Err(_) => Err("is missing, and the log names it".to_owned()),
    })
}

/// What is done in spite of a damaged file of a compartment.
fn weight_of(state: &State, sealed: &CompartmentSealed) -> Weight {
    let present = state.compartments().get(&sealed.compartment);
    if present.is_none_or(|present| present.sealing.epoch != sealed.epoch) {
        return Weight::Aside;
    }
    match sealed.compartment.as_str() {
        RECORDS => Weight::Log,
        SEEDS => Weight::Vault,
        _ => Weight::Aside,
    }
}

/// What is odd about `.gitattributes`, if anything is. Whoever adds lines to it has their
/// reasons, and what git then does to a file shows as that file's fault or damage: only our
/// own line must be there, whole.
fn oddity(layout: &Layout) -> Option<String> {
    let path = layout.gitattributes();
    let text = read_bounded(&path, MAX_FILE).unwrap_or_default();
    let guarded = text
        .split_inclusive(|byte| *byte == b'\n')
        .any(|line| line.strip_suffix(b"\n") == Some(GIT_LINE.as_bytes()));
    let file = layout.shown(&path);
    (!guarded).then(|| format!("{file} has no line `{GIT_LINE}`: git may change the vault's files"))
}

impl OpenVault {
    /// A vault of which nothing is read, or which is being founded.
    pub(super) fn unread(location: Location, records: CompartmentIdentity) -> Self {
        let log = ReadLog::empty(&location);
        let (damage, strays) = (Vec::new(), Vec::new());
        Self { location, records, log, damage, strays, oddity: None, closed: None }
    }

    /// Reads and replays what was appended since it was read, and holds the other files
    /// against it. After an error nothing may be built on what is there.
    pub(super) fn read_on(&mut self) -> Result<(), StoreError> {
        self.look()?;
        if !self.strays.is_empty() {
            // The entry that names them may have been written while they were listed.
            let seen = std::mem::take(&mut self.strays);
            self.look()?;
            self.strays.retain(|path| seen.contains(path));
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), StoreError> {
        let layout = &self.location.layout;
        let mut strays = read_log(layout, &self.records, &mut self.log)?;
        let state = self.log.replay.state();
        let (damage, others) = hold_against(layout, state, self.log.fault.is_some())?;
        strays.extend(others);
        (self.damage, self.strays, self.oddity) = (damage, strays, oddity(layout));
        Ok(())
    }

    /// Where it lies, and its id.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Its entries, in order, up to a fault: those from there on aren't shown as if they counted.
    pub fn entries(&self) -> &[Entry] {
        &self.log.entries
    }

    /// `links()[n]` is the link of entry n; up to the last sound one.
    pub fn links(&self) -> &[Digest] {
        self.log.replay.links()
    }

    /// The replayed log.
    pub fn replay(&self) -> &Replay {
        &self.log.replay
    }

    /// What is so.
    pub fn state(&self) -> &State {
        self.log.replay.state()
    }

    /// The head of the sound part of the log.
    pub fn head(&self) -> Head {
        self.log.replay.head()
    }

    /// The first fault of the log.
    pub fn fault(&self) -> Option<&Fault> {
        self.log.fault.as_ref()
    }

    /// Whether that fault may be no fault of the log's: later entries are encrypted to an epoch
    /// of `records` whose file, which is named, whoever opened the vault couldn't open.
    pub fn closed_by(&self) -> Option<&str> {
        self.closed.as_deref()
    }

    /// Files that aren't what the log says.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The evidence whose files aren't what the log says, all of which are read.
    pub fn damaged_evidence(&self) -> Vec<Damage> {
        let layout = &self.location.layout;
        let look = |sealing: &Sealing| {
            let Sealing::Evidence { file, .. } = sealing else { return None };
            let path = layout.attachment(file);
            let bytes = read_bounded(&path, MAX_ATTACHMENT as u64 + ATTACHMENT_OVERHEAD);
            let reason = match bytes {
                Ok(bytes) if sha256(&bytes) == *file => return None,
                Ok(_) => "isn't the file that the log names: it was changed or replaced".to_owned(),
                Err(error) => error.to_string(),
            };
            Some(Damage { file: layout.shown(&path), reason, weight: Weight::Aside })
        };
        self.state().sealings().iter().filter_map(look).collect()
    }

    /// What is odd without being a fault or a damage, in words, by this clock: for people to
    /// look at.
    pub fn findings(&self, now: Time) -> Vec<String> {
        let replay = &self.log.replay;
        let in_the_log = replay.findings().iter().cloned().chain(replay.ahead_of(now));
        in_the_log.map(|finding| finding.to_string()).chain(self.oddity.clone()).collect()
    }

    /// Files that no entry names. Never used; another keymuster may be writing them, and their
    /// entry next.
    pub fn strays(&self) -> Vec<String> {
        self.strays.iter().map(|path| self.location.layout.shown(path)).collect()
    }

    /// The key of the fingerprints by which seeds are told apart: made of what founded the
    /// vault, so that whoever has the log in the clear has it, and nobody else.
    pub fn seed_fingerprint_key(&self) -> Option<Digest> {
        let salt = self.log.entries.first()?.document().salt;
        let text = format!("keymuster-seed-fingerprint\n{}\n{salt}\n", self.location.id);
        Some(sha256(text.as_bytes()))
    }

    /// The vault's fingerprint: link 1, which depends on all that founded it.
    pub fn fingerprint(&self) -> Option<Digest> {
        self.links().get(1).copied()
    }

    fn current_epoch(&self) -> Option<u32> {
        let records = self.state().compartments().iter().find(|(name, _)| name.as_str() == RECORDS);
        records.map(|(_, compartment)| compartment.sealing.epoch)
    }
}
