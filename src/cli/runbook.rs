//! `keymuster runbook`: what people do, step by step, on a screen and on paper.

mod chosen;
mod faults;
mod lint;
mod list;
mod page;
mod print;
mod prose;
mod show;
mod words;

use clap::Subcommand;

use super::context::Context;
use super::failure::Failure;
use super::output::Answer;

/// `keymuster runbook …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the runbooks that come with keymuster
    List,
    /// Read one on the screen
    Show(show::Show),
    /// Look for what is wrong with runbooks; exit 3 if anything is
    Lint(lint::Lint),
    /// Make a page for paper, with boxes for initials and times
    Print(print::Print),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List => list::list(),
        Command::Show(show) => show::run(context, &show),
        Command::Lint(lint) => lint::run(context, &lint),
        Command::Print(print) => print::run(context, &print),
    }
}
