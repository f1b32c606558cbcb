//! `keymuster vault`: make one, look at one, encrypt it anew.

mod impact;
mod init;
mod rekey;
mod show;

use clap::Subcommand;

use super::context::Context;
use super::failure::Failure;
use super::output::Answer;
pub use rekey::how_to_renew;

/// `keymuster vault …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a vault: five touches of one key, which becomes the founder's
    Init(init::Init),
    /// Show what the vault holds
    Show,
    /// Encrypt anew what is written from now on, after a loss or a change of people
    Rekey(rekey::Rekey),
    /// Tell what somebody, or a key, could open
    Impact(impact::Impact),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Init(init) => init::run(context, &init),
        Command::Show => show::run(context),
        Command::Rekey(rekey) => rekey::run(context, &rekey),
        Command::Impact(impact) => impact::run(context, &impact),
    }
}
