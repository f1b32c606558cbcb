//! What happens in a drill.

use serde::{Deserialize, Serialize};

use crate::record::{Handle, Line, Time};

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Counted from 1, without gaps.
    pub number: u32,
    /// Which run of the program wrote it, counted from 1: after a crash, or a pause, another.
    pub session: u32,
    /// When, by the machine's clock.
    pub at: Time,
    /// Seconds since the session began, by a clock that is never set.
    pub seconds: u32,
    /// What.
    pub happened: Happened,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Happened {
    /// A step was put before the people. Written before they are asked anything.
    StepBegun {
        /// Which.
        step: Handle,
    },
    /// It came to its end.
    StepEnded(Ending),
    /// Something wasn't as it should be, beyond what a step's end says.
    Exception {
        /// In words.
        message: Line,
        /// What was done about it.
        action: Option<Line>,
        /// Who approved of that.
        approved_by: Option<Handle>,
    },
    /// The people stopped for a while.
    Paused {
        /// Why.
        reason: Line,
    },
    /// They went on, in another session. Somebody with another role than the operator's confirms
    /// what happened in between.
    Resumed {
        /// Who.
        confirmed_by: Handle,
        /// What happened in between.
        message: Line,
    },
}

/// How a step ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// Which step.
    pub step: Handle,
    /// How.
    pub result: StepResult,
    /// What was chosen, at a decision: its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Line>,
    /// The answers, one for each question, where there were any; each may be several lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Vec<Line>>,
    /// What there is to say of it. Needed where it wasn't done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Line>,
}

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
}
