//! `keymuster totp show`: the code that a seed in custody makes now.

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::account::named;
use crate::cli::context::Context;
use crate::cli::cosigners::Signers;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::secret::opening::{Opening, open_secrets, seed_of};
use crate::cli::secret::output::{Output, Target};
use crate::cli::seed::SeedSource;
use crate::cli::session::Session;
use crate::record::{Handle, Line, Purpose, SecretName};

/// `keymuster totp show`
#[derive(Debug, Args)]
#[command(
    after_help = "It stands on the terminal until Enter is pressed, with the code after it.\n\n\
    Example:\n  keymuster totp show --account prod --reason \"drill of 2026-11\""
)]
pub struct Show {
    /// Whose code, by handle or id
    #[arg(long)]
    account: String,
    /// Which of the account's tokens, if several have a seed in custody
    #[arg(long, value_name = "TOKEN")]
    token: Option<Handle>,
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
    account: String,
    secret: String,
    /// The entry with the receipt.
    receipt: u64,
}

pub fn run(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let target = show.output.target(context)?;
    let (account, name, source, receipt) = match opened(context, show) {
        Ok(opened) => opened,
        Err(failure) => {
            target.abandon();
            return Err(failure);
        }
    };
    let words = match target {
        Target::Terminal => format!("The code was shown; the receipt is entry {receipt}.\n"),
        Target::Stdout => String::new(),
        Target::File(..) => format!("The code was written; the receipt is entry {receipt}.\n"),
    };
    let generator = source.generator();
    let period = source.parameters.period();
    let seconds = u64::try_from(context.now()?.moment().timestamp()).unwrap_or(0);
    let step = source.parameters.step_at(seconds);
    let left = period - seconds % period;
    let (code, next) = (generator.code(step).expose(), generator.code(step + 1).expose());
    let given = if matches!(target, Target::Terminal) {
        let room = code.len() + next.len() + 80;
        let mut both = Zeroizing::new(String::with_capacity(room));
        for part in ["  ", &code, &format!("   for {left} s more\n  "), &next, "   after that"] {
            both.push_str(part);
        }
        both
    } else {
        code
    };
    target.give(context, (&format!("{account}, by {name}:"), receipt), &given)?;
    let view = ShownView { account: account.to_string(), secret: name.to_string(), receipt };
    Ok(Answer::new("totp-shown", &view, words).recording(receipt))
}

fn opened(
    context: &Context,
    show: &Show,
) -> Result<(Handle, SecretName, SeedSource, u64), Failure> {
    let mut session = Session::open_to_write(context, show.signers.opener(), None)?;
    session.vault.check_sound()?;
    let account = named(session.state(), &show.account)?;
    let name = seed_of(session.state(), &account, show.token.as_ref())?;
    let opening =
        Opening { names: vec![name.clone()], purpose: Purpose::Code, reason: show.reason.clone() };
    let opener = session.opener()?;
    let opened = open_secrets(&mut session, opener, opening, &show.signers.by)?;
    let receipt = opened.receipt;
    let (_, value, _) = opened.only()?;
    let source = SeedSource::stored(&value).map_err(|failure| failure.after_entry(receipt))?;
    Ok((account, name, source, receipt))
}
