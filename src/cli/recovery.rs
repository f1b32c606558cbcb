//! `keymuster recovery`: the ways into each account, and what a loss would do to them.

mod losses;
mod named;
mod show;
mod without;
mod words;

use clap::Subcommand;

pub use words::{ago, circle, element, kind_and_name, target};

use super::context::Context;
use super::failure::Failure;
use super::output::Answer;
use crate::recovery::Basis;

/// `keymuster recovery …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the ways into an account, and when each part was last proven; exit 3 if there is none
    Show(show::Show),
    /// Tell what would be out of reach without some people, keys, places, mailboxes, telephones
    Without(without::Without),
    /// Tell every loss of one thing, or of two, that leaves no way in; exit 3 if one thing alone does
    Losses(losses::ListLosses),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Show(show) => show::run(context, &show),
        Command::Without(without) => without::run(context, &without),
        Command::Losses(losses) => losses::run(context, &losses),
    }
}

/// What counts, by the flag `--proven`.
fn basis(proven: bool) -> Basis {
    if proven { Basis::Proven } else { Basis::Record }
}
