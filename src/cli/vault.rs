//! `keymuster vault`: make one, look at one, encrypt it anew.

mod card;
mod impact;
mod init;
mod rekey;
mod show;
mod succession;

use clap::Subcommand;

pub use succession::SucceedsView;

use super::context::Context;
use super::failure::Failure;
use super::output::Answer;

/// `keymuster vault …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a vault: five touches of one key, which becomes the founder's
    Init(init::Init),
    /// Show what the vault holds
    Show,
    /// Print one page for the safe: whom to call, where things are, how to get in
    Card(card::Card),
    /// Encrypt anew what is written from now on, after a loss or a change of people
    Rekey(rekey::Rekey),
    /// Tell what somebody, or a key, could open
    Impact(impact::Impact),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Init(init) => init::run(context, &init),
        Command::Show => show::run(context),
        Command::Card(card) => card::run(context, &card),
        Command::Rekey(rekey) => rekey::run(context, &rekey),
        Command::Impact(impact) => impact::run(context, &impact),
    }
}
