//! `keymuster totp`: seeds of one-time codes, and the devices that have them.

mod check;

use clap::Subcommand;

use super::context::Context;
use super::failure::Failure;
use super::output::Answer;

/// `keymuster totp …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check that a seed makes the codes that a device shows; nothing is kept
    Check(check::Check),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Check(check) => check::run(context, &check),
    }
}
