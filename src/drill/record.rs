//! What happens in a drill.

use serde::{Deserialize, Serialize};

use crate::record::{Digest, Event, Handle, KeyName, Line, SecretName, StepResult, Time};

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
    StepEnded(Box<Ending>),
    /// Something wasn't as it should be, beyond what a step's end says.
    Exception {
        /// In words.
        message: Line,
        /// What was done about it.
        action: Option<Line>,
        /// Who approved of that.
        approver: Option<Line>,
    },
    /// Somebody else takes over a part, or one that was empty.
    PartTaken {
        /// The role.
        role: Handle,
        /// Who has it from now on.
        to: Handle,
        /// Why.
        reason: Line,
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
    /// The answers, one for each question, where there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Line>,
    /// What was seen. Needed where it wasn't done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Line>,
    /// The keys that were shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyName>,
    /// The secret that was opened, and the entry with the receipt for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Opened>,
    /// The files that were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What the step proved beside, for the entry that ends the drill.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proves: Vec<Event>,
}

/// A secret that was opened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// Which value of which.
    pub secret: SecretName,
    /// The entry with the receipt.
    pub receipt: u64,
}

/// A file that was kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What it was called.
    pub name: Line,
    /// Its size, in bytes.
    pub bytes: u32,
    /// Its digest.
    pub sha256: Digest,
    /// Digest of the attachment that has it, encrypted.
    pub file: Digest,
}

impl Ending {
    /// An end of which there is nothing to say.
    pub fn of(step: Handle, result: StepResult) -> Self {
        Self {
            step,
            result,
            choice: None,
            answers: Vec::new(),
            observed: None,
            keys: Vec::new(),
            opened: None,
            evidence: Vec::new(),
            proves: Vec::new(),
        }
    }
}
