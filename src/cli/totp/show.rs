//! `keymuster totp show`: the code that a seed in custody makes now.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::account::named;
use crate::cli::context::Context;
use crate::cli::cosigners::Signers;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::prompt::Question;
use crate::cli::secret::opening::{Opening, open_secrets, seed_of};
use crate::cli::secret::output::{Output, Target};
use crate::cli::seed::SeedSource;
use crate::cli::session::Session;
use crate::record::{Handle, Line, Purpose, SecretName};

/// How long codes stand on a terminal.
const STANDS: Duration = Duration::from_secs(600);

/// `keymuster totp show`
#[derive(Debug, Args)]
#[command(
    after_help = "It stands on the terminal with the code after it, and changes as time goes on, until Enter\n\
    is pressed, for ten minutes at most.\n\n\
    Example:\n  keymuster totp show --account prod --reason \"drill of 2026-11\""
)]
pub struct Show {
    /// Whose code, by handle or id
    #[arg(long)]
    account: String,
    /// Which of the account's tokens, if several have a seed in custody
    #[arg(long, value_name = "TOKEN")]
    token: Option<Handle>,
    /// Which seed in custody, where several could be meant
    #[arg(long, value_name = "NAME")]
    secret: Option<Handle>,
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
    let given = match target {
        Target::Terminal => stand(context, &source, &format!("{account}, by {name}:")),
        target => code_now(context, &source).and_then(|code| {
            target.give(context, (&format!("{account}, by {name}:"), receipt), &code)
        }),
    };
    given.map_err(|failure| failure.after_entry(receipt))?;
    let view = ShownView { account: account.to_string(), secret: name.to_string(), receipt };
    Ok(Answer::new("totp-shown", &view, words).recording(receipt))
}

/// The step that it is now, and how many seconds are left of it.
fn step_now(context: &Context, source: &SeedSource) -> Result<(u64, u64), Failure> {
    let seconds = u64::try_from(context.now()?.moment().timestamp()).unwrap_or(0);
    let period = source.parameters.period();
    Ok((source.parameters.step_at(seconds), period - seconds % period))
}

fn code_now(context: &Context, source: &SeedSource) -> Result<Zeroizing<String>, Failure> {
    let (step, _) = step_now(context, source)?;
    Ok(source.generator().code(step).expose())
}

/// Shows the code that is right on the terminal, and the one after it, until Enter is pressed or
/// nobody has for long.
fn stand(context: &Context, source: &SeedSource, title: &str) -> Result<(), Failure> {
    let (generator, begun) = (source.generator(), Instant::now());
    let words = || {
        let (step, left) = step_now(context, source).ok()?;
        if begun.elapsed() >= STANDS {
            return None;
        }
        let (code, next) = (generator.code(step).expose(), generator.code(step + 1).expose());
        let left = format!("   for {left} s more\n  ");
        let parts = [title, "\n\n  ", &code, &left, &next, "   after that\n\n"];
        // With all room at once, no copy is left behind.
        let room = parts.iter().map(|part| part.len()).sum();
        let mut text = Zeroizing::new(String::with_capacity(room));
        parts.iter().for_each(|part| text.push_str(part));
        Some(text)
    };
    context.terminal.ask_beside_changing(
        &words,
        &Question {
            text: "Press Enter to clear it: ",
            about: "a code stands on the terminal",
            instead: "--output FILE writes it to a file",
        },
    )
}

fn opened(
    context: &Context,
    show: &Show,
) -> Result<(Handle, SecretName, SeedSource, u64), Failure> {
    let mut session = Session::open_to_write(context, show.signers.opener(), None)?;
    session.vault.check_sound()?;
    let account = named(session.state(), &show.account)?;
    let name = seed_of(session.state(), &account, show.token.as_ref(), show.secret.as_ref())?;
    let opening =
        Opening { names: vec![name.clone()], purpose: Purpose::Code, reason: show.reason.clone() };
    let opener = session.opener()?;
    let opened = open_secrets(&mut session, &opener, opening, &show.signers.by)?;
    let receipt = opened.receipt;
    let (_, value, _) = opened.only()?;
    let source = SeedSource::stored(&value).map_err(|failure| failure.after_entry(receipt))?;
    Ok((account, name, source, receipt))
}
