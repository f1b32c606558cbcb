//! `keymuster totp`: seeds of one-time codes, and the devices that have them.

mod check;
pub mod codes;
mod drift;
mod identify;
mod show;
pub mod verdict;

use clap::Subcommand;

use super::context::Context;
use super::failure::Failure;
use super::output::Answer;

/// `keymuster totp …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check that a seed makes the codes that a device shows; without --account nothing is kept
    Check(check::Check),
    /// Tell which seed in custody makes the codes that a device shows
    Identify(identify::Identify),
    /// Show the code that a seed in custody makes now; a receipt is recorded first
    Show(show::Show),
    /// Tell how far the clocks of tokens are off, and where that is going
    Drift(drift::Drift),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Check(check) => check::run(context, &check),
        Command::Identify(identify) => identify::run(context, &identify),
        Command::Show(show) => show::run(context, &show),
        Command::Drift(drift) => drift::run(context, &drift),
    }
}
