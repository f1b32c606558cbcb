//! What is due, what is overdue, and what became of all that ever was to be done.
//!
//! Policy says how often keys are checked, duties acknowledged, contacts and ways in tried; a runbook
//! says how often it is run. Some events make work of their own: a lost key is to be taken out of
//! each account, what somebody could open who left gets another value. All of it is computed from
//! the entries of a log and a day, by [`History`]; each time that something was to be done is a
//! [`Slot`], whatever became of it.
//!
//! This module knows no file, clock or terminal, and says nothing to people.

mod admitted;
mod history;
mod obligation;
mod slot;
mod standing;
mod walk;

pub use admitted::Admitted;
pub use history::{History, day_of};
pub use obligation::Obligation;
pub use slot::{Deferral, Fate, Rule, Slot, Span, slots};
pub use standing::{Phase, Standing};
