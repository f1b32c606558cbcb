//! Runbooks: what people do, step by step, when a root user is needed, tried or lost.
//!
//! A runbook is a Markdown file that reads well on paper and on a code host. Its front matter
//! says what it is for and which roles it takes, each `##` heading begins a step, and a block
//! of TOML in a step says what keymuster asks for there; `docs/runbook-format.md` is the
//! format. [`read()`] turns one into a [`Runbook`], or into everything that is wrong with it: a
//! runbook that could lead nowhere, or round and round, is none.
//!
//! This module decides from the text it is given. It knows no file, vault or terminal, and
//! shows nothing: how a runbook looks on a screen or on paper is said elsewhere.

mod fault;
mod front;
mod outline;
mod paths;
mod read;
mod shipped;
mod step;

use std::num::NonZeroU32;
use std::ops::Range;

use chrono::NaiveDate;

use crate::record::{DrillPurpose, DrillScope, Handle, Line, SecretKind};

pub use fault::{Fault, Rule};
pub use front::Role;
pub use outline::markdown;
pub use read::read;
pub use shipped::{Shipped, shipped};

#[cfg(test)]
mod tests;

/// The version of the format that this code reads.
pub const FORMAT: u32 = 1;
/// The largest runbook, in bytes.
pub const MAX_BYTES: usize = 256 << 10;
/// The most steps of a runbook.
pub const MAX_STEPS: usize = 200;
/// The most ways out of one decision.
pub const MAX_CHOICES: usize = 12;
/// The most faults of a runbook that are told.
pub const MAX_FAULTS: usize = 100;

/// A runbook in which every step can be reached, and the end from every step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runbook {
    /// What it is called.
    pub id: Handle,
    /// Counted by whoever writes it, from 1.
    pub version: NonZeroU32,
    /// Its heading.
    pub title: Line,
    /// When it is used, in a line.
    pub about: Line,
    /// What it may be run for. Never empty.
    pub purposes: Vec<DrillPurpose>,
    /// How many accounts it is run for at once.
    pub accounts: DrillScope,
    /// How often it should be run.
    pub every_days: Option<NonZeroU32>,
    /// How long it may take: the recovery-time target.
    pub target_minutes: Option<NonZeroU32>,
    /// When its sources were last read.
    pub read_on: Option<NaiveDate>,
    /// The addresses of the documentation that it rests on.
    pub sources: Vec<Line>,
    /// Who takes part; operator and witness are always among them.
    pub roles: Vec<Role>,
    /// What stands before the first step, as Markdown.
    pub introduction: String,
    /// In the order of the file. Never empty.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What other steps call it.
    pub id: Handle,
    /// Its heading.
    pub title: Line,
    /// The role that does it.
    pub by: Handle,
    /// Where it stands in the file, heading and block and all, in bytes.
    pub span: Range<usize>,
    /// What to do, as Markdown.
    pub prose: String,
    /// What should be seen.
    pub expect: Option<Line>,
    /// How long it should take.
    pub minutes: Option<NonZeroU32>,
    /// What is asked for.
    pub task: Task,
    /// Where it goes on when it is done; a decision has none of its own.
    pub next: Target,
    /// Where it goes on when it failed, if elsewhere.
    pub if_not: Option<Target>,
}

/// What a step asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    /// That somebody says it is done.
    Confirm,
    /// The security keys of whoever has these roles: each is checked.
    Key {
        /// Each once, in order. Never empty.
        of: Vec<Handle>,
    },
    /// Two codes of the account's token, one after the other.
    Totp,
    /// A secret of the account's, which is opened.
    Secret {
        /// What it is.
        kind: SecretKind,
        /// The compartment that it is in.
        compartment: Handle,
    },
    /// A sign-in as the root user, and what shows it.
    SignIn,
    /// Whether a message to the root user's address arrives.
    Mailbox,
    /// Whether the root user's telephone is answered.
    Phone,
    /// A file that shows something, which is kept.
    Evidence {
        /// What it shows.
        what: Line,
    },
    /// Answers in words.
    Record {
        /// The questions. Never empty.
        asks: Vec<Line>,
    },
    /// Which way to go.
    Decide {
        /// At least two.
        choices: Vec<Choice>,
    },
    /// That something happens, against the clock.
    Wait {
        /// What.
        until: Line,
        /// How long it may take.
        target_minutes: NonZeroU32,
    },
}

impl Task {
    /// As it stands in a runbook.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Key { .. } => "key",
            Self::Totp => "totp",
            Self::Secret { .. } => "secret",
            Self::SignIn => "sign-in",
            Self::Mailbox => "mailbox",
            Self::Phone => "phone",
            Self::Evidence { .. } => "evidence",
            Self::Record { .. } => "record",
            Self::Decide { .. } => "decide",
            Self::Wait { .. } => "wait",
        }
    }
}

/// One way out of a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// What is chosen.
    pub answer: Line,
    /// Where it leads.
    pub goto: Target,
}

/// Where a step leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// To a step: its place in [`Runbook::steps`].
    Step(usize),
    /// Out of the runbook.
    End,
}

impl Step {
    /// Every way on from here, each once.
    pub fn ways_on(&self) -> Vec<Target> {
        let mut ways: Vec<Target> = match &self.task {
            Task::Decide { choices } => choices.iter().map(|choice| choice.goto).collect(),
            _ => std::iter::once(self.next).chain(self.if_not).collect(),
        };
        ways.sort();
        ways.dedup();
        ways
    }
}
