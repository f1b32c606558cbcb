//! `keymuster runbook`: what people do, step by step, on a screen and on paper.

mod adopt;
pub mod chosen;
mod faults;
mod lint;
mod list;
mod page;
mod print;
pub mod prose;
mod show;
pub mod words;

use clap::Subcommand;

use super::context::Context;
use super::failure::Failure;
use super::output::Answer;

/// `keymuster runbook …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the runbooks that come with keymuster, or those that a vault has adopted
    List(list::List),
    /// Read one on the screen
    Show(show::Show),
    /// Look for what is wrong with runbooks; exit 3 if anything is
    Lint(lint::Lint),
    /// Make a page for paper, with boxes for initials and times
    Print(print::Print),
    /// Adopt runbooks, which two custodians sign: a vault runs no others
    Adopt(adopt::Adopt),
    /// Record that a runbook is run no more, which two custodians sign
    Withdraw(adopt::Withdraw),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List(list) => list::run(context, &list),
        Command::Show(show) => show::run(context, &show),
        Command::Lint(lint) => lint::run(context, &lint),
        Command::Print(print) => print::run(context, &print),
        Command::Adopt(adopt) => adopt::run(context, &adopt),
        Command::Withdraw(withdraw) => adopt::withdraw(context, &withdraw),
    }
}
