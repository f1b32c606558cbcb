//! The end of a drill: finished, or given up.

use serde::{Deserialize, Serialize};

use super::super::{Digest, Handle, Line, Outcome, Rejection, Stamp, State};
use super::Part;

/// The most lines of findings of one drill.
const MAX_FINDINGS: usize = 100;

/// How a drill ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DrillEnd {
    /// It was gone through to its end.
    Finished(DrillFinished),
    /// It was given up.
    Abandoned(DrillAbandoned),
}

impl DrillEnd {
    /// Who had which part at the end.
    pub fn roster(&self) -> &[Part] {
        match self {
            Self::Finished(end) => &end.roster,
            Self::Abandoned(end) => &end.roster,
        }
    }
}

/// What is said at the end of something that should have been done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// It was.
    Yes,
    /// It wasn't.
    No,
    /// There was no need.
    NotApplicable,
}

impl Closing {
    /// As it stands in a document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotApplicable => "not-applicable",
        }
    }
}

/// A drill was gone through. What happened in it follows in the same entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillFinished {
    /// Which.
    pub drill: Handle,
    /// Who had which part at the end. Each of them must sign.
    pub roster: Vec<Part>,
    /// Whether it reached its objective.
    pub outcome: Outcome,
    /// Seconds that people spent on it, by a clock that is never set, without interruptions.
    pub seconds: u32,
    /// Whether everybody who signed in as the root user signed out again.
    pub signed_out: Closing,
    /// Whether the alarm of a sign-in as the root user was raised and seen.
    pub alarm_received: Closing,
    /// Whether what was opened or used was replaced or sealed again.
    pub credentials_renewed: Closing,
    /// What was found, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Line>,
    /// The corrective actions that come of it, which the same entry opens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Handle>,
    /// Digest of the last record of its journal, on which that of each before it hangs.
    pub journal: Digest,
}

impl DrillFinished {
    pub(in super::super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        if self.findings.len() > MAX_FINDINGS || self.actions.len() > MAX_FINDINGS {
            let message = format!("a drill has {MAX_FINDINGS} findings at most");
            return Err(Rejection::Mismatch(message));
        }
        end(state, &self.drill, DrillEnd::Finished(self.clone()), at)
    }
}

/// A drill was given up. What happened in it until then follows in the same entry, where whoever
/// records this still has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillAbandoned {
    /// Which.
    pub drill: Handle,
    /// Who had which part at the end. Each of them must sign.
    pub roster: Vec<Part>,
    /// Why.
    pub reason: Line,
    /// Digest of the last record of its journal, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Digest>,
}

impl DrillAbandoned {
    pub(in super::super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        end(state, &self.drill, DrillEnd::Abandoned(self.clone()), at)
    }
}

fn end(state: &mut State, drill: &Handle, end: DrillEnd, at: Stamp) -> Result<(), Rejection> {
    let run = state.drill(drill)?;
    if !run.is_open() {
        return Err(Rejection::Mismatch(format!("{drill} is over")));
    }
    run.check_roster(end.roster(), state)?;
    // Of those who may act alone, nobody but who began it may end it: else somebody could make an
    // end of what others are at.
    let people =
        |roster: &[Part]| roster.iter().map(|part| part.person.clone()).collect::<Vec<_>>();
    let (before, now) = (people(&run.start.roster), people(end.roster()));
    if run.lacking(end.roster()).next().is_some() && !now.iter().all(|who| before.contains(who)) {
        let message = format!("{drill} is ended by all whom it takes, or by those who began it");
        return Err(Rejection::Mismatch(message));
    }
    let run = state.drill_mut(drill)?;
    run.took_part.extend(now);
    run.end = Some((at, end));
    Ok(())
}
