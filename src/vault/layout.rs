//! What lies where in a vault, and finding one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::MAX_FILE;
use super::fido2prf::PluginIdentity;
use super::store::{StoreError, failed, make_parent, read_bounded, remove_leftovers};
use crate::log::FORMAT;
use crate::record::{Digest, Handle, KeyName, VaultId};
use crate::webauthn::CredentialId;

/// The line of `.gitattributes` that keeps git from changing line ends.
pub(super) const GIT_LINE: &str = "* binary";

/// The most `.identity` files that are looked at, the newest first.
const MAX_HINTS: usize = 4096;
/// The most of them for one key: older ones open nothing new.
const MAX_HINTS_OF_ONE: usize = 16;

/// The folder that holds a vault, and the vault's id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// Where its files lie.
    pub layout: Layout,
    /// The vault's id.
    pub id: VaultId,
}

/// `vault.toml`: which vault a folder holds. Public; the log repeats both values.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultFile {
    /// The format of the vault.
    pub format: u32,
    /// The vault's id.
    pub vault: VaultId,
}

impl VaultFile {
    /// The one way in which it is written.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

/// Why a folder can't be taken for a vault.
#[derive(Debug, Error)]
pub enum NoVault {
    /// There is none.
    #[error("no vault here: {0} holds no vault.toml, and no folder above it does")]
    NotFound(PathBuf),
    /// There is none in the folder that was named.
    #[error("{0} is no vault: it holds no vault.toml")]
    NotAVault(PathBuf),
    /// It was made by a later version.
    #[error(
        "{path} is of format {format}, and this version of keymuster reads format {FORMAT} only"
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// It isn't what it should be.
    #[error("{path} isn't a vault's: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// In words.
        reason: String,
    },
    /// It couldn't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Location {
    /// The vault in `folder`.
    pub fn at(folder: &Path) -> Result<Self, NoVault> {
        let layout = Layout::new(folder);
        let path = layout.vault_toml();
        let bytes = match read_bounded(&path, MAX_FILE) {
            Err(StoreError::Missing(_)) => return Err(NoVault::NotAVault(folder.to_owned())),
            other => other?,
        };
        let malformed = |reason: &str| NoVault::Malformed {
            path: path.clone(),
            reason: crate::text::sanitise(reason, 200),
        };
        let text = String::from_utf8(bytes).map_err(|_| malformed("it isn't UTF-8 text"))?;
        // The format comes first: a later one may mean anything by the rest.
        let table: toml::Table = text.parse().map_err(|_| malformed("it isn't TOML"))?;
        match table.get("format").and_then(toml::Value::as_integer).map(u64::try_from) {
            Some(Ok(format)) if format == u64::from(FORMAT) => {}
            Some(Ok(format)) => return Err(NoVault::NewerFormat { path, format }),
            _ => return Err(malformed("it names no format")),
        }
        let file: VaultFile =
            table.try_into().map_err(|error: toml::de::Error| malformed(error.message()))?;
        // Each of its bytes means something: none may change unnoticed.
        if file.to_text().ok() != Some(text) {
            return Err(malformed("it isn't written as keymuster writes it"));
        }
        Ok(Self { layout, id: file.vault })
    }

    /// The vault in `start` or in the nearest folder above it.
    pub fn find(start: &Path) -> Result<Self, NoVault> {
        let holder = start.ancestors().find(|folder| folder.join("vault.toml").exists());
        Self::at(holder.ok_or_else(|| NoVault::NotFound(start.to_owned()))?)
    }
}

/// The folder of a vault, and the paths in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    root: PathBuf,
}

/// What a file name in `identities/` tells, before anything is verified: a hint at which
/// key to ask, and no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityHint {
    /// Whose identity.
    pub custodian: Handle,
    /// The label of the key that it is sealed to.
    pub slot: Handle,
    /// Which sealing.
    pub generation: u32,
    /// The credential that unlocks it.
    pub credential: CredentialId,
    /// The application (`rpId`) of that credential.
    pub application: String,
}

impl Layout {
    /// The folders of a vault.
    pub const FOLDERS: [&'static str; 3] = ["log", "compartments", "identities"];

    /// The paths of a vault in `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `vault.toml`.
    pub fn vault_toml(&self) -> PathBuf {
        self.root.join("vault.toml")
    }

    /// `.gitattributes`, which keeps git from changing line ends.
    pub fn gitattributes(&self) -> PathBuf {
        self.root.join(".gitattributes")
    }

    /// `log/`.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// `log/000042.age`.
    pub fn entry(&self, number: u64) -> PathBuf {
        self.log().join(format!("{number:06}.age"))
    }

    /// `compartments/`.
    pub fn compartments(&self) -> PathBuf {
        self.root.join("compartments")
    }

    /// `compartments/records.1.age`.
    pub fn compartment(&self, name: &str, epoch: u32) -> PathBuf {
        self.compartments().join(format!("{name}.{epoch}.age"))
    }

    /// `identities/`.
    pub fn identities(&self) -> PathBuf {
        self.root.join("identities")
    }

    /// `identities/alice.primary.1.age`.
    pub fn identity(&self, custodian: &Handle, slot: &Handle, generation: u32) -> PathBuf {
        self.identities().join(format!("{custodian}.{slot}.{generation}.age"))
    }

    /// `identities/alice.primary.1.identity`.
    pub fn plugin_identity(&self, custodian: &Handle, slot: &Handle, generation: u32) -> PathBuf {
        self.identities().join(format!("{custodian}.{slot}.{generation}.identity"))
    }

    /// `secrets/`, which is there once a secret is.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// `secrets/<sha256>.age`.
    pub fn secret(&self, sha256: &Digest) -> PathBuf {
        self.secrets().join(format!("{sha256}.age"))
    }

    /// `attachments/`, which is there once something is attached.
    pub fn attachments(&self) -> PathBuf {
        self.root.join("attachments")
    }

    /// The folder of entries that were moved aside.
    pub fn yielded_folder(&self) -> PathBuf {
        self.root.join("yielded")
    }

    /// An entry that was moved aside, as a slip.
    pub fn yielded(&self, number: u64, document: &Digest) -> PathBuf {
        self.yielded_folder().join(format!("{number:06}.{document}.slip"))
    }

    /// `attachments/<sha256>.age`.
    pub fn attachment(&self, sha256: &Digest) -> PathBuf {
        self.attachments().join(format!("{sha256}.age"))
    }

    /// The number of the next sealed copy of an identity. One that a file holds which no entry
    /// names is skipped.
    pub fn free_generation(&self, custodian: &Handle, slot: &Handle) -> u32 {
        let taken = |number: &u32| {
            is_taken(&self.identity(custodian, slot, *number))
                || is_taken(&self.plugin_identity(custodian, slot, *number))
        };
        (1..).find(|number| !taken(number)).unwrap_or(u32::MAX)
    }

    /// The same for a compartment's next epoch after `known`.
    pub fn free_epoch(&self, compartment: &str, known: u32) -> u32 {
        let free = |epoch: &u32| !is_taken(&self.compartment(compartment, *epoch));
        (known.saturating_add(1)..).find(free).unwrap_or(u32::MAX)
    }

    /// Fails if a folder that entries and their files go to can't be written to, so that no
    /// touch is wasted on that.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        Self::FOLDERS.iter().try_for_each(|name| {
            let folder = self.root.join(name);
            rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK)
                .map_err(|error| failed("write to", &folder)(error.into()))
        })
    }

    /// A path as people know it: relative to the vault.
    pub fn shown(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        crate::text::sanitise(&inside.to_string_lossy(), 200)
    }

    /// The files directly in one of the vault's folders, sorted; temporary ones left out.
    pub fn files_in(&self, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
        // A link would take reads and writes out of the vault.
        if folder.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
            return Err(StoreError::NotAFolder(folder.to_owned()));
        }
        let mut files = Vec::new();
        for name in fs::read_dir(folder).map_err(failed("list", folder))? {
            let path = name.map_err(failed("list", folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.starts_with(super::store::TEMPORARY) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The files of secrets and attachments, sorted; each folder is there once it is needed.
    pub fn files_by_digest(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut files = Vec::new();
        for folder in [self.secrets(), self.attachments()] {
            if is_taken(&folder) {
                files.extend(self.files_in(&folder)?);
            }
        }
        Ok(files)
    }

    /// The epochs of a compartment that have a file, the newest first.
    pub fn epochs_of(&self, name: &str) -> Result<Vec<u32>, StoreError> {
        let mut epochs: Vec<u32> = self
            .files_in(&self.compartments())?
            .iter()
            .filter_map(|path| {
                let rest = path.file_name()?.to_str()?.strip_prefix(name)?;
                let number = rest.strip_prefix('.')?.strip_suffix(".age")?.parse().ok()?;
                (self.compartment(name, number) == *path).then_some(number)
            })
            .collect();
        epochs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(epochs)
    }

    /// What the `.identity` files say: which credentials may unlock whose identity. The
    /// newest sealings first; files that make no sense are left out.
    pub fn identity_hints(&self) -> Result<Vec<IdentityHint>, StoreError> {
        let files = self.files_in(&self.identities())?;
        let mut named: Vec<(u32, KeyName, &PathBuf)> =
            files.iter().filter_map(|path| self.named_hint(path)).collect();
        named.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut kept: BTreeMap<KeyName, usize> = BTreeMap::new();
        named.retain(|(_, name, _)| {
            let count = kept.entry(name.clone()).or_default();
            *count = count.saturating_add(1);
            *count <= MAX_HINTS_OF_ONE
        });
        let hints = named.iter().filter_map(|(generation, name, path)| {
            let text = String::from_utf8(read_bounded(path, 16 << 10).ok()?).ok()?;
            let PluginIdentity { credential, application, .. } =
                PluginIdentity::parse(text.trim_end()).ok()?;
            let KeyName { owner, label } = name.clone();
            let generation = *generation;
            Some(IdentityHint {
                custodian: owner,
                slot: label,
                generation,
                credential,
                application,
            })
        });
        Ok(hints.take(MAX_HINTS).collect())
    }

    /// Whose identity a `.identity` file is about, by its name.
    fn named_hint<'a>(&self, path: &'a PathBuf) -> Option<(u32, KeyName, &'a PathBuf)> {
        let name = path.file_name()?.to_str()?.strip_suffix(".identity")?;
        let mut parts = name.splitn(3, '.');
        let owner: Handle = parts.next()?.parse().ok()?;
        let label: Handle = parts.next()?.parse().ok()?;
        let generation: u32 = parts.next()?.parse().ok()?;
        let plain = self.plugin_identity(&owner, &label, generation) == *path;
        plain.then_some((generation, KeyName { owner, label }, path))
    }
}

/// The drill whose drafts are in a folder, by its name.
pub(super) fn drill_of(folder: &Path) -> Option<Handle> {
    folder.file_name()?.to_str()?.parse().ok()
}

impl Layout {
    fn draft_folder(&self) -> PathBuf {
        self.root().join("drafts")
    }

    /// `drafts/quarterly-1`.
    pub(super) fn draft_folder_of(&self, drill: &Handle) -> PathBuf {
        self.draft_folder().join(drill.as_str())
    }

    /// `drafts/quarterly-1/000002.age`.
    pub(super) fn draft(&self, drill: &Handle, number: u32) -> PathBuf {
        self.draft_folder_of(drill).join(format!("{number:06}.age"))
    }

    /// `drafts/quarterly-1/<sha256>.age`.
    pub(super) fn draft_evidence(&self, drill: &Handle, file: &Digest) -> PathBuf {
        self.draft_folder_of(drill).join(format!("{file}.age"))
    }

    /// What is in `drafts/`, sorted; nothing before the first drill.
    pub(super) fn drafts(&self) -> Result<Vec<PathBuf>, StoreError> {
        let folder = self.draft_folder();
        if is_taken(&folder) { self.files_in(&folder) } else { Ok(Vec::new()) }
    }

    /// The drafts of a drill, sorted.
    pub(super) fn drafts_of(&self, drill: &Handle) -> Result<Vec<PathBuf>, StoreError> {
        let folder = self.draft_folder_of(drill);
        if is_taken(&folder) { self.files_in(&folder) } else { Ok(Vec::new()) }
    }

    /// Makes the folder of a drill's drafts where there is none, and tidies up in it.
    pub(super) fn make_drafts_of(&self, drill: &Handle) -> Result<(), StoreError> {
        let folder = self.draft_folder_of(drill);
        if !is_taken(&folder) {
            make_parent(&folder)?;
            make_parent(&folder.join("record"))?;
        }
        remove_leftovers(&folder);
        Ok(())
    }
}

/// Whether anything has this name, be it a link to nowhere.
fn is_taken(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
