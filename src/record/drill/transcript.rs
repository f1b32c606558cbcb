//! What happened in a drill, as the entry that ends it tells it: each step that people were at,
//! what was kept as evidence, and whatever was otherwise than planned.
//!
//! These events stand behind the end of their drill, in the same entry and in the order in which
//! they happened. Whoever signs the end signs them.

use serde::{Deserialize, Serialize};

use super::super::{
    Digest, Handle, KeyName, Line, Rejection, Sealing, SecretName, Stamp, State, Time,
};

/// The most answers of one step, and the most keys.
const MAX_LINES: usize = 100;

/// How a step ended, in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// As it should.
    Done,
    /// It was tried, and failed.
    Failed,
    /// It was left out.
    Skipped,
    /// There was nothing to do here.
    NotApplicable,
    /// The drill was given up in it.
    Unfinished,
}

impl StepResult {
    /// As it stands in a document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotApplicable => "not-applicable",
            Self::Unfinished => "unfinished",
        }
    }
}

/// People were at a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillStep {
    /// Of which drill.
    pub drill: Handle,
    /// Which of the steps they were at, counted from 1.
    pub visit: u32,
    /// What the runbook calls it.
    pub step: Handle,
    /// Its heading.
    pub title: Line,
    /// Digest of its text as it was shown, which is a part of the runbook's.
    pub sha256: Digest,
    /// The role that does it.
    pub by: Handle,
    /// Who did it.
    pub person: Handle,
    /// Who watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Handle>,
    /// What should have been seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Line>,
    /// When it began, by the machine's clock.
    pub begun: Time,
    /// When it ended.
    pub ended: Time,
    /// Seconds spent at it, by a clock that is never set, without interruptions.
    pub seconds: u32,
    /// How it ended.
    pub result: StepResult,
    /// What was seen, or why it wasn't done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Line>,
    /// What was chosen, at a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Line>,
    /// The questions that were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Line>,
    /// The answers to them, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Line>,
    /// The keys that were shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyName>,
    /// The secret that was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<SecretName>,
    /// The entry with the receipt for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<u64>,
    /// The step that came next; none after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Handle>,
}

impl DrillStep {
    pub(in super::super) fn apply(&self, state: &State, at: Stamp) -> Result<(), Rejection> {
        check_ends_here(state, &self.drill, at)?;
        if self.answers.len() != self.asked.len()
            || self.answers.len().max(self.keys.len()) > MAX_LINES
        {
            let message = format!("a step has {MAX_LINES} answers at most, one for each question");
            return Err(Rejection::Mismatch(message));
        }
        Ok(())
    }
}

/// Something was otherwise than it should be, or than planned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillException {
    /// Of which drill.
    pub drill: Handle,
    /// At which step, if at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Handle>,
    /// When.
    pub at: Time,
    /// What happened.
    pub message: Line,
    /// What was done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Line>,
    /// Who approved of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Line>,
}

impl DrillException {
    pub(in super::super) fn apply(&self, state: &State, at: Stamp) -> Result<(), Rejection> {
        check_ends_here(state, &self.drill, at)
    }
}

/// People stopped, or were cut off, and went on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillInterrupted {
    /// Of which drill.
    pub drill: Handle,
    /// At which step, if at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Handle>,
    /// The last that is known of before.
    pub from: Time,
    /// When they went on; not, where the drill was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Why they stopped, where they said so before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Line>,
    /// What happened in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Line>,
    /// Who confirmed that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<Handle>,
}

impl DrillInterrupted {
    pub(in super::super) fn apply(&self, state: &State, at: Stamp) -> Result<(), Rejection> {
        check_ends_here(state, &self.drill, at)
    }
}

/// Somebody else took over a part, or one that was empty.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartTaken {
    /// Of which drill.
    pub drill: Handle,
    /// The role.
    pub role: Handle,
    /// Who had it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Handle>,
    /// Who has it since.
    pub to: Handle,
    /// When.
    pub at: Time,
    /// Why.
    pub reason: Line,
}

impl PartTaken {
    pub(in super::super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        check_ends_here(state, &self.drill, at)?;
        let run = state.drill_mut(&self.drill)?;
        if run.review.is_some() {
            // Else who reviewed it could be said to have taken part.
            return Err(Rejection::Mismatch(format!("{} was reviewed", self.drill)));
        }
        run.took_part.extend(self.from.iter().chain([&self.to]).cloned());
        Ok(())
    }
}

/// A file was kept as evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceKept {
    /// Of which drill.
    pub drill: Handle,
    /// At which step.
    pub step: Handle,
    /// What it shows.
    pub shows: Line,
    /// What it was called.
    pub name: Line,
    /// When it was taken in.
    pub at: Time,
    /// Its size, in bytes.
    pub bytes: u32,
    /// Its digest.
    pub sha256: Digest,
    /// Digest of the attachment that has it, encrypted.
    pub file: Digest,
}

impl EvidenceKept {
    pub(in super::super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        check_ends_here(state, &self.drill, at)?;
        state.note_sealing(Sealing::Evidence { file: self.file, bytes: self.bytes });
        Ok(())
    }
}

/// Fails unless a drill ended earlier in the same entry.
fn check_ends_here(state: &State, drill: &Handle, at: Stamp) -> Result<(), Rejection> {
    match &state.drill(drill)?.end {
        Some((end, _)) if end.entry == at.entry => Ok(()),
        _ => Err(Rejection::Mismatch(format!(
            "what happened in {drill} is told by the entry that ends it, behind the end"
        ))),
    }
}
