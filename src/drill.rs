//! A drill: a runbook that people go through, step by step, in practice or in earnest.
//!
//! [`Drill`] is a state machine. What happens comes in as [`Record`]s, each of which is checked
//! against what may happen now; what is to be asked next comes out of [`Drill::prompt`]. Whoever
//! leads the people through writes each record down before the next one: taking the same records
//! again gives the same drill, so that one that was cut off goes on where it stopped.
//!
//! This module decides from what it is given: it knows no file, clock, device or terminal.

mod proof;
mod record;
mod state;
mod transcript;

pub use record::{Ending, Evidence, Happened, Opened, Record};
pub use state::{Drill, Misplaced, Prompt, Visit, Way};
pub use transcript::transcript;

#[cfg(test)]
mod tests;
