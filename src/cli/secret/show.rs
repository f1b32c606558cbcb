//! `keymuster secret show`: a secret, for whoever needs it now.

use clap::Args;
use serde::Serialize;

use super::opening::{Opening, open_secrets, unknown};
use super::output::{Output, Target};
use crate::cli::context::Context;
use crate::cli::cosigners::Signers;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::record::{Handle, Line, Purpose, SecretName};
use crate::vault::SecretValue;

/// `keymuster secret show`
#[derive(Debug, Args)]
#[command(after_help = "It stands on the terminal until Enter is pressed, and nowhere else.\n\n\
    Example:\n  keymuster secret show prod-password --reason \"drill of 2026-11\"")]
pub struct Show {
    /// Its name
    secret: Handle,
    /// One of its older values, by number
    #[arg(long, value_name = "N")]
    generation: Option<u32>,
    /// Why, for the receipt
    #[arg(long, value_name = "TEXT")]
    reason: Option<Line>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    signers: Signers,
}

#[derive(Serialize)]
struct ShownView {
    secret: String,
    generation: u32,
    /// The entry with the receipt.
    receipt: u64,
}

pub fn run(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let target = show.output.target(context)?;
    match opened(context, show) {
        Ok((name, value, receipt)) => {
            let on_terminal = matches!(target, Target::Terminal);
            let to_stdout = matches!(target, Target::Stdout);
            target.give(context, (&format!("{name}:"), receipt), value.expose())?;
            let words = match (to_stdout, on_terminal) {
                (true, _) => String::new(),
                (_, true) => format!("{name} was shown; the receipt is entry {receipt}.\n"),
                _ => format!("{name} was written; the receipt is entry {receipt}.\n"),
            };
            let (secret, generation) = (name.secret.to_string(), name.generation);
            let view = ShownView { secret, generation, receipt };
            Ok(Answer::new("secret-shown", &view, words).recording(receipt))
        }
        Err(failure) => {
            target.abandon();
            Err(failure)
        }
    }
}

fn opened(context: &Context, show: &Show) -> Result<(SecretName, SecretValue, u64), Failure> {
    let mut session = Session::open_to_write(context, show.signers.opener(), None)?;
    session.vault.check_sound()?;
    let secret = session.state().secrets().get(&show.secret);
    let secret = secret.ok_or_else(|| unknown(session.state(), &show.secret))?;
    let present = secret.present().map_or(1, |present| present.number);
    let generation = show.generation.unwrap_or(present);
    let name = SecretName { secret: show.secret.clone(), generation };
    let opening =
        Opening { names: vec![name], purpose: Purpose::Show, reason: show.reason.clone() };
    let opener = session.opener()?;
    let opened = open_secrets(&mut session, &opener, opening, &show.signers.by)?;
    let receipt = opened.receipt;
    let (name, value, _) = opened.only()?;
    Ok((name, value, receipt))
}
