//! `keymuster drill`: people go through a runbook, step by step, and what happened is on record.

mod abandon;
mod ask;
mod close;
mod conduct;
mod journal;
mod lead;
mod list;
mod people;
mod resume;
mod review;
mod screen;
mod show;
mod start;
mod status;
mod tasks;
mod unsealed;

use clap::Subcommand;

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::output::Answer;
use super::words::all_of;
use crate::record::{DrillRun, Handle, State};
pub use people::{Asked, People, Topic};
pub use start::{Start, start_with};

/// `keymuster drill …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Begin to run a runbook: two people, step by step
    Start(Start),
    /// Go on with one that was paused or cut off, at the same step
    Resume(resume::Resume),
    /// Tell where drills are that are under way
    Status,
    /// List drills, and how they ended
    List,
    /// Tell all that happened in one
    Show(show::Show),
    /// Give one up, for a reason
    Abandon(abandon::Abandon),
    /// Record what somebody who took no part says of one that is over
    Review(review::Review),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Start(start) => start::run(context, &start),
        Command::Resume(resume) => resume::run(context, &resume),
        Command::Status => status::run(context),
        Command::List => list::run(context),
        Command::Show(show) => show::run(context, &show),
        Command::Abandon(abandon) => abandon::run(context, &abandon),
        Command::Review(review) => review::run(context, &review),
    }
}

/// A drill on record.
fn known<'a>(state: &'a State, name: &Handle) -> Result<&'a DrillRun, Failure> {
    let known = state.drills().get(name).map(AsRef::as_ref);
    known.ok_or_else(|| {
        Failure::new(exit::USAGE, format!("there is no drill {name}"))
            .hint("keymuster drill list tells which there are")
    })
}

/// The drill that is meant of those under way: the one that is named, or the only one.
fn under_way(state: &State, given: Option<&Handle>) -> Result<Handle, Failure> {
    if let Some(name) = given {
        let run = known(state, name)?;
        return match run.is_open() {
            true => Ok(name.clone()),
            false => Err(Failure::new(exit::FAILED, format!("{name} is over"))
                .hint(format!("keymuster drill show {name} tells how it ended"))),
        };
    }
    let open: Vec<&Handle> =
        state.drills().iter().filter(|(_, run)| run.is_open()).map(|(name, _)| name).collect();
    match open.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Failure::new(exit::FAILED, "no drill is under way")
            .hint("keymuster drill start begins one")),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            let message = format!("several drills are under way: {}", all_of(&names));
            Err(Failure::new(exit::USAGE, message).hint("name the one that is meant"))
        }
    }
}
