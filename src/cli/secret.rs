//! `keymuster secret`: what is in custody, who opened it, and opening it.

mod list;
pub mod opening;
pub mod output;
mod pages;
mod show;
mod store;

use clap::Subcommand;

use super::context::Context;
use super::failure::Failure;
use super::output::Answer;

/// `keymuster secret …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a seed, a password or another secret into custody
    Store(store::Store),
    /// Show a secret on the terminal; a receipt is recorded first
    Show(show::Show),
    /// Give a secret another value; the older ones stay
    Replace(store::Replace),
    /// List what is in custody
    List(list::List),
    /// List who opened what, when and what for
    Receipts(list::Receipts),
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Store(store) => store::store(context, &store),
        Command::Show(show) => show::run(context, &show),
        Command::Replace(replace) => store::replace(context, &replace),
        Command::List(list) => list::list(context, &list),
        Command::Receipts(receipts) => list::receipts(context, &receipts),
    }
}
