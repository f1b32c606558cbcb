//! `keymuster totp check`: does this seed make the codes that the device shows?

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use super::codes::{Codes, typed};
use super::verdict::{Judgement, Verdict, judge};
use crate::cli::account::named;
use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::cosigners::{Cosigner, Matter, Signing};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::prompt::Question;
use crate::cli::qr::QrFlags;
use crate::cli::secret::opening::{Opening, open_secrets, seed_of};
use crate::cli::seed::{SeedForm, SeedSource};
use crate::cli::session::Session;
use crate::cli::slip::{check_free, slip_of};
use crate::record::{
    DeviceName, Event, Fingerprint, Handle, Outcome, Purpose, SecretName, State, Time, TotpChecked,
};
use crate::totp::Code;

/// `keymuster totp check`
#[derive(Debug, Args)]
#[command(
    after_help = "A seed is base32, as AWS shows it, or an otpauth URI, as its QR code holds it. Without a flag\n\
    it is asked for, and so are two codes that follow each other, as AWS wants them. The exit code\n\
    is 0 if the seed makes them, 3 if it doesn't. With --account the result is recorded; the seed\n\
    and the codes never are.\n\n\
    Examples:\n  keymuster totp check\n  \
    keymuster totp check --account prod --stored\n  \
    keymuster totp check --qr sheet.png\n  \
    keymuster totp check --seed-file seed.txt --code 123456 --code 654321"
)]
pub struct Check {
    /// Record the result for a token of this account, by handle or id
    #[arg(long)]
    account: Option<String>,
    /// Which of the account's tokens, if it has several
    #[arg(long, value_name = "TOKEN", requires = "account")]
    token: Option<Handle>,
    /// Check with the seed in custody; a receipt for opening it is recorded first
    #[arg(long, requires = "account", conflicts_with_all = [
        "seed_file", "otpauth_fd", "qr", "algorithm", "digits", "period", "allow_short_seed",
    ])]
    stored: bool,
    /// Which seed in custody, where several could be meant
    #[arg(long, value_name = "NAME", requires = "stored")]
    secret: Option<Handle>,
    /// Read the seed from a file; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["otpauth_fd", "qr"])]
    seed_file: Option<PathBuf>,
    /// Read the seed from an open file descriptor, up to its end
    #[arg(long, value_name = "N", conflicts_with = "qr")]
    otpauth_fd: Option<u32>,
    #[command(flatten)]
    qr: QrFlags,
    #[command(flatten)]
    codes: Codes,
    #[command(flatten)]
    form: SeedForm,
    #[command(flatten)]
    signers: Signing,
}

#[derive(Serialize)]
struct Recorded {
    #[serde(flatten)]
    verdict: Verdict,
    /// The account and the token that were checked.
    account: String,
    token: String,
    /// The value in custody that the seed is, if it is one.
    secret: Option<String>,
    /// The entry with the receipt, where the seed came out of custody.
    receipt: Option<u64>,
    entry: u64,
}

pub fn run(context: &Context, check: &Check) -> Result<Answer, Failure> {
    check.codes.check()?;
    if check.account.is_some() {
        return recorded(context, check);
    }
    if check.signers.slip.is_some() {
        let message = "a slip says what would be recorded, and without --account nothing is";
        return Err(Failure::new(exit::USAGE, message));
    }
    let source = check.given_seed(context)?;
    let (codes, moment) = check.codes.read(context, |text| Code::parse(text, source.parameters))?;
    let Judgement { verdict, words, .. } = judge(&source, &codes, moment);
    let code = if verdict.matches { exit::DONE } else { exit::NO };
    Ok(Answer::new("totp-checked", &verdict, words).exiting(code))
}

impl Check {
    /// The seed that the flags name, or that is asked for.
    fn given_seed(&self, context: &Context) -> Result<SeedSource, Failure> {
        self.form.given(context, self.seed_file.as_deref(), self.otpauth_fd, &self.qr)
    }
}

/// Codes as they were typed, and when the last of them was shown.
type Given = (Vec<Zeroizing<String>>, Time);

impl Check {
    /// What the codes say of a seed. Who is asked for codes is asked again before it is put on
    /// record that the seed doesn't make them: they may be mistyped.
    fn judged(
        &self,
        context: &Context,
        source: &SeedSource,
        mut given: Option<Given>,
    ) -> Result<Judgement, Failure> {
        let parse = |text: &str| Code::parse(text, source.parameters);
        loop {
            let (codes, moment) = match given.take() {
                Some((texts, moment)) => {
                    match texts.iter().map(|text| parse(text)).collect::<Result<_, _>>() {
                        Ok(codes) => (codes, moment),
                        Err(error) if self.codes.are_asked_for() => {
                            let said = format!("That is no code of this seed: {error}.");
                            context.terminal.say(&said);
                            self.codes.read(context, parse)?
                        }
                        Err(error) => {
                            return Err(Failure::because(exit::USAGE, "that is no code", &error));
                        }
                    }
                }
                None => self.codes.read(context, parse)?,
            };
            let judgement = judge(source, &codes, moment);
            if judgement.evidence.is_some() || !self.codes.are_asked_for() {
                return Ok(judgement);
            }
            let question = format!(
                "{}Press Enter to type other codes, or type fail to record that: ",
                judgement.words
            );
            let answer = context.terminal.ask(&Question {
                text: &question,
                about: "the seed doesn't make these codes",
                instead: "give the codes with --code DIGITS",
            })?;
            if answer.eq_ignore_ascii_case("fail") {
                return Ok(judgement);
            }
        }
    }
}

/// Checks a token of an account, and records how that went.
fn recorded(context: &Context, check: &Check) -> Result<Answer, Failure> {
    check.signers.slip.as_deref().map_or(Ok(()), check_free)?;
    let mut session = Session::open_to_write(context, check.signers.signers.opener(), None)?;
    session.vault.check_sound()?;
    let account = named(session.state(), check.account.as_deref().unwrap_or_default())?;
    let token = the_token(session.state(), &account, check.token.as_ref())?;
    let opener = session.opener()?;
    let tried = Tried { account, token };
    if !check.stored {
        let source = check.given_seed(context)?;
        return check.conclude(session, tried, (&source, None, None), None, opener);
    }
    let given = check.secret.as_ref();
    let name = seed_of(session.state(), &tried.account, Some(&tried.token), given)?;
    // Whoever gives up at the codes has opened nothing.
    let given = check.codes.read(context, typed)?;
    let opening = Opening { names: vec![name.clone()], purpose: Purpose::Check, reason: None };
    let opened = open_secrets(&mut session, &opener, opening, &check.signers.signers.by)?;
    drop(opener);
    let receipt = opened.receipt;
    let (_, value, signer) = opened.only()?;
    let source = SeedSource::stored(&value);
    let rest = source.and_then(|source| {
        let stored = (&source, Some(name), Some(receipt));
        check.conclude(session, tried, stored, Some(given), signer)
    });
    rest.map_err(|failure| failure.after_entry(receipt))
}

/// Whose codes are checked.
struct Tried {
    account: Handle,
    token: Handle,
}

impl Check {
    /// Judges the codes, and records how that went.
    fn conclude(
        &self,
        mut session: Session<'_>,
        Tried { account, token }: Tried,
        (source, secret, receipt): (&SeedSource, Option<SecretName>, Option<u64>),
        given: Option<Given>,
        signer: Cosigner,
    ) -> Result<Answer, Failure> {
        let Judgement { verdict, evidence, mut words } =
            self.judged(session.context, source, given)?;
        let fingerprint = source.fingerprint(&session.vault)?;
        let known = fingerprint.and_then(|print| session.state().seed_with(&print));
        let secret = secret.or(known);
        let state = session.state();
        words.push_str(&recognised(
            state,
            (&account, &token),
            fingerprint.as_ref(),
            secret.as_ref(),
        ));
        // That it is another's too is told, and isn't this token's to be recorded.
        let own = secret.clone().filter(|name| {
            let known = session.state().secrets().get(&name.secret);
            known.is_some_and(|secret| secret.may_be_of(&account, &token))
        });
        let outcome = if evidence.is_some() { Outcome::Passed } else { Outcome::Failed };
        let event = Event::TotpChecked(TotpChecked {
            account: account.clone(),
            token: token.clone(),
            outcome,
            evidence,
            drift_seconds: evidence.and(verdict.drift_seconds),
            // Whatever was pasted by mistake leaves nothing on record.
            fingerprint: fingerprint.filter(|_| evidence.is_some() || own.is_some()),
            secret: own.clone(),
        });
        let code = if verdict.matches { exit::DONE } else { exit::NO };
        let signers = &self.signers.signers;
        if let Some(file) = &self.signers.slip {
            words.lines().for_each(|line| session.context.terminal.say(line));
            let written = slip_of(&mut session, signer, signers, file, Change::of(event))?;
            return Ok(written.exiting(code));
        }
        let decided = {
            let events = std::slice::from_ref(&event);
            let matter = Matter::of(events);
            let first = session.unless_another_must(signer, matter, &signers.by);
            let signers: Vec<Cosigner> = session.gather(matter, first, &signers.by)?;
            session.decide(signers, Change::of(event))?
        };
        let view = Recorded {
            verdict,
            account: account.to_string(),
            token: token.to_string(),
            secret: secret.map(|name| name.to_string()),
            receipt,
            entry: decided.at.entry,
        };
        words.push_str(&decided.sentence());
        let answer = Answer::new("totp-checked", &view, words).exiting(code);
        Ok(answer.recording(decided.at.entry))
    }
}

/// The token of an account that is meant.
fn the_token(state: &State, account: &Handle, given: Option<&Handle>) -> Result<Handle, Failure> {
    let known = state.accounts().get(account);
    let devices = known.into_iter().flat_map(|account| account.devices.keys());
    let tokens: Vec<&Handle> = devices
        .filter_map(|device| match device {
            DeviceName::Token(token) => Some(token),
            DeviceName::Key(_) => None,
        })
        .collect();
    let listed = || tokens.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(", ");
    match (given, tokens.as_slice()) {
        (Some(given), all) if all.contains(&given) => Ok(given.clone()),
        (None, [only]) => Ok((*only).clone()),
        (_, []) => Err(Failure::new(exit::USAGE, format!("{account} has no token on record"))
            .hint(format!("record it first: keymuster account link NAME {account} --token"))),
        (Some(given), _) => {
            let message = format!("{account} has no token {given}");
            Err(Failure::new(exit::USAGE, message).hint(format!("its tokens are: {}", listed())))
        }
        (None, _) => Err(Failure::new(exit::USAGE, format!("{account} has several tokens"))
            .hint(format!("name one with --token: {}", listed()))),
    }
}

/// Whether the vault has met this seed before.
fn recognised(
    state: &State,
    (account, token): (&Handle, &Handle),
    fingerprint: Option<&Fingerprint>,
    secret: Option<&SecretName>,
) -> String {
    let mut words = String::new();
    if let Some(secret) = secret {
        words.push_str(&format!("It is the seed in custody as {secret}.\n"));
    }
    for (other, known) in state.accounts() {
        for (name, device) in &known.devices {
            let here = other == account && *name == DeviceName::Token(token.clone());
            let Some(last) = device.checks.iter().rev().find(|c| c.found.is_some()) else {
                continue;
            };
            let (Some(before), Some(now)) = (&last.fingerprint, fingerprint) else { continue };
            match (here, before == now) {
                (true, true) => {
                    let when = last.at.time;
                    words.push_str(&format!("It is the seed that was checked on {when}.\n"));
                }
                (true, false) => {
                    let when = last.at.time;
                    words.push_str(&format!(
                        "It ISN'T the seed that made this token's codes on {when}.\n"
                    ));
                }
                (false, true) => words.push_str(&format!(
                    "It is THE SAME seed as that of {name} of {other}: each device should have its own.\n"
                )),
                (false, false) => {}
            }
        }
    }
    words
}
