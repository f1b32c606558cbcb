//! Runbooks that a vault has adopted: which its custodians may drill, by digest.
//!
//! A runbook is adopted as it stands, whole; changed in a word, it is another one, and has to be
//! adopted again under a higher version. What it says is in a file of its own.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{Digest, Handle, Line, Rejection, Sealing, Stamp, State};

/// The role of whoever does what the steps say.
pub const OPERATOR: &str = "operator";
/// The role of whoever watches.
pub const WITNESS: &str = "witness";
/// The most roles of a runbook.
pub const MAX_ROLES: usize = 12;
/// What a runbook counts: its versions, days and minutes.
pub const COUNTS: RangeInclusive<u32> = 1..=10_000;

/// What a runbook is run for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillPurpose {
    /// To practise.
    Rehearsal,
    /// In earnest.
    Live,
}

impl DrillPurpose {
    /// As it stands in a document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rehearsal => "rehearsal",
            Self::Live => "live",
        }
    }
}

/// How many accounts a runbook is run for at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillScope {
    /// It is about no account.
    None,
    /// One.
    One,
    /// One or more.
    Many,
}

/// A runbook that was adopted, in its present version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdoptedRunbook {
    /// What was recorded of it.
    pub adoption: RunbookAdopted,
    /// When.
    pub adopted: Stamp,
    /// When it was withdrawn, if it was: nothing new is begun with it.
    pub withdrawn: Option<Stamp>,
}

impl State {
    /// Runbooks by name; those that were withdrawn, too.
    pub fn runbooks(&self) -> &std::collections::BTreeMap<Handle, AdoptedRunbook> {
        &self.runbooks
    }

    /// A runbook that may be run.
    pub fn adopted_runbook(&self, name: &Handle) -> Option<&AdoptedRunbook> {
        self.runbooks.get(name).filter(|known| known.withdrawn.is_none())
    }
}

/// A runbook is adopted, or a newer version of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunbookAdopted {
    /// What it is called.
    pub runbook: Handle,
    /// Higher than any that was adopted before.
    pub version: NonZeroU32,
    /// Its heading.
    pub title: Line,
    /// Digest of its Markdown.
    pub sha256: Digest,
    /// Digest of the file that has it, encrypted.
    pub file: Digest,
    /// What it may be run for, each once, in order.
    pub purposes: Vec<DrillPurpose>,
    /// How many accounts it is run for at once.
    pub accounts: DrillScope,
    /// How often it should be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_days: Option<NonZeroU32>,
    /// How long it may take: the recovery-time target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_minutes: Option<NonZeroU32>,
    /// The roles that somebody must have; operator and witness are among them.
    pub roles: Vec<Handle>,
    /// Those that may be left empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional_roles: Vec<Handle>,
}

impl RunbookAdopted {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        self.check()?;
        if let Some(known) = state.runbooks.get(&self.runbook) {
            let (name, before) = (&self.runbook, known.adoption.version);
            // One that was withdrawn may come back as it was.
            let returns = known.withdrawn.is_some()
                && (self.version, self.sha256) == (before, known.adoption.sha256);
            if self.version <= before && !returns {
                let message = format!(
                    "version {before} of {name} was adopted, and version {} isn't higher",
                    self.version
                );
                return Err(Rejection::Mismatch(message));
            }
        }
        state.note_sealing(Sealing::Runbook(self.file));
        let adopted = AdoptedRunbook { adoption: self.clone(), adopted: at, withdrawn: None };
        state.runbooks.insert(self.runbook.clone(), adopted);
        Ok(())
    }

    /// Fails where it contradicts itself.
    fn check(&self) -> Result<(), Rejection> {
        let unfit = |what: &str| Err(Rejection::Mismatch(format!("the runbook's {what}")));
        let counts = [Some(self.version), self.every_days, self.target_minutes];
        if !counts.iter().flatten().all(|count| COUNTS.contains(&count.get())) {
            return unfit(&format!("numbers go up to {}", COUNTS.end()));
        }
        if self.purposes.is_empty() || !self.purposes.is_sorted_by(|a, b| a < b) {
            return unfit("purposes stand in order, each once, and there is one");
        }
        let all: Vec<&Handle> = self.roles.iter().chain(&self.optional_roles).collect();
        let twice = |(place, role): (usize, &&Handle)| all.iter().take(place).any(|r| r == role);
        if all.len() > MAX_ROLES || all.iter().enumerate().any(twice) {
            return unfit(&format!("roles stand there once each, and are {MAX_ROLES} at most"));
        }
        if ![OPERATOR, WITNESS].iter().all(|name| self.roles.iter().any(|r| r.as_str() == *name)) {
            return unfit("roles lack an operator or a witness");
        }
        Ok(())
    }
}

/// A runbook is run no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunbookWithdrawn {
    /// Which.
    pub runbook: Handle,
    /// Why.
    pub reason: Line,
}

impl RunbookWithdrawn {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        let known = state.runbooks.get_mut(&self.runbook).filter(|known| known.withdrawn.is_none());
        let unknown = || Rejection::Unknown("runbook", self.runbook.to_string());
        known.ok_or_else(unknown)?.withdrawn = Some(at);
        Ok(())
    }
}
