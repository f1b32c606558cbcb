//! `keymuster totp identify`: which seed in custody makes the codes that a device shows?

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use super::codes::{Codes, typed};
use super::verdict::{Judgement, Verdict, judge};
use crate::cli::context::Context;
use crate::cli::cosigners::Signers;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::cli::secret::opening::{Opened, Opening, open_secrets};
use crate::cli::seed::SeedSource;
use crate::cli::session::Session;
use crate::record::{Handle, Purpose, Secret, SecretKind, SecretName, State};
use crate::totp::Code;

/// `keymuster totp identify`
#[derive(Debug, Args)]
#[command(
    after_help = "Every seed that the key opens is tried; one receipt, which names them all, is recorded first.\n\
    Two codes that follow each other tell seeds apart; one may fit several by chance.\n\n\
    Example:\n  keymuster totp identify"
)]
pub struct Identify {
    #[command(flatten)]
    codes: Codes,
    #[command(flatten)]
    signers: Signers,
}

#[derive(Serialize)]
struct IdentifyView {
    /// How many seeds were tried.
    tried: usize,
    /// Those that couldn't be opened.
    untried: Vec<UntriedView>,
    found: Vec<FoundView>,
    /// The entry with the receipt.
    receipt: u64,
}

#[derive(Serialize)]
struct UntriedView {
    secret: String,
    because: String,
}

#[derive(Serialize)]
struct FoundView {
    secret: String,
    account: Option<String>,
    token: Option<String>,
    #[serde(flatten)]
    verdict: Verdict,
}

pub fn run(context: &Context, identify: &Identify) -> Result<Answer, Failure> {
    identify.codes.check()?;
    let mut session = Session::open_to_write(context, identify.signers.opener(), None)?;
    session.vault.check_sound()?;
    let opener = session.opener()?;
    let names = seeds_open_to(session.state(), &opener.name.owner);
    if names.is_empty() {
        let message = format!("no seed is in custody that opens to {}", opener.name.owner);
        return Err(Failure::new(exit::USAGE, message).hint("keymuster secret store"));
    }
    let (given, moment) = identify.codes.read(context, typed)?;
    let opening = Opening { names, purpose: Purpose::Identify, reason: None };
    let Opened { values, left_out, receipt, .. } =
        open_secrets(&mut session, &opener, opening, &identify.signers.by)?;
    let mut untried: Vec<UntriedView> = Vec::new();
    let mut leave_out = |name: &SecretName, failure: Failure| {
        let because = failure.sentence();
        untried.push(UntriedView { secret: name.to_string(), because });
    };
    left_out.into_iter().for_each(|(name, failure)| leave_out(&name, failure));
    let (mut found, mut words, mut tried) = (Vec::new(), String::new(), 0);
    for (name, value) in &values {
        let source = match SeedSource::stored(value) {
            Ok(source) => source,
            Err(failure) => {
                leave_out(name, failure);
                continue;
            }
        };
        tried += 1;
        let parse = |text: &Zeroizing<String>| Code::parse(text, source.parameters);
        // Codes of another length aren't its.
        let Ok(codes) = given.iter().map(parse).collect::<Result<Vec<Code>, _>>() else { continue };
        let Judgement { verdict, evidence, words: judged } = judge(&source, &codes, moment);
        if evidence.is_none() {
            continue;
        }
        let secret = session.state().secrets().get(&name.secret);
        let account = secret.and_then(|secret| secret.account.as_ref()).map(Handle::to_string);
        let token = secret.and_then(|secret| secret.token.as_ref()).map(Handle::to_string);
        let whose = match (&account, &token) {
            (Some(account), Some(token)) => format!(" (the token {token} of {account})"),
            (Some(account), None) => format!(" (of {account})"),
            _ => String::new(),
        };
        words.push_str(&format!("{name}{whose}:\n"));
        judged.lines().for_each(|line| words.push_str(&format!("  {line}\n")));
        found.push(FoundView { secret: name.to_string(), account, token, verdict });
    }
    if found.is_empty() {
        words = match tried {
            0 => "NO: no seed could be tried.\n".to_owned(),
            many => format!(
                "NO: none of {} in custody makes these codes within a day.\n",
                count(many, "seed", "seeds")
            ),
        };
    }
    for UntriedView { secret, because } in &untried {
        words.push_str(&format!("{secret} wasn't tried: {because}.\n"));
    }
    words.push_str(&format!("The receipt is entry {receipt}.\n"));
    let code = if found.is_empty() { exit::NO } else { exit::DONE };
    let view = IdentifyView { tried, untried, found, receipt };
    Ok(Answer::new("totp-identified", &view, words).exiting(code).recording(receipt))
}

/// The present values of all seeds whose compartment opens to somebody.
fn seeds_open_to(state: &State, who: &Handle) -> Vec<SecretName> {
    let opens = |secret: &Secret| {
        let present = secret.present().map(|present| &present.compartment);
        present.is_some_and(|name| state.openers_of(name).contains(who))
    };
    let seeds = state.secrets().iter().filter(|(_, s)| s.kind == SecretKind::Seed && opens(s));
    let named = seeds.filter_map(|(name, secret)| {
        let generation = secret.present()?.number;
        Some(SecretName { secret: name.clone(), generation })
    });
    named.collect()
}
