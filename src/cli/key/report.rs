//! `keymuster key lost`, `compromised`, `restored`, `retired`: reports on keys.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::signing::{Signers, record_and_tell, record_events};
use crate::cli::vault::how_to_renew;
use crate::record::{
    Event, Handle, KeyName, KeyReported, KeyRestored, KeyRetired, KeyState, Line, PAPER, State,
    Time,
};

/// `keymuster key lost` and `keymuster key compromised`
#[derive(Debug, Args)]
#[command(
    after_help = "A report on one's own key is final. One on another's key suspends it, until two\n\
    custodians restore or retire it.\n\n\
    Examples:\n  keymuster key lost bob/blue\n  keymuster key compromised alice/paper --remark \"the safe was open\""
)]
pub struct Report {
    /// Which key, or a paper copy, such as alice/paper
    key: KeyName,
    /// Since when it is so, such as 2026-11-22T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,
    /// What happened, for the record
    #[arg(long, value_name = "TEXT")]
    remark: Option<Line>,
    #[command(flatten)]
    signers: Signers,
}

/// `keymuster key restored`
#[derive(Debug, Args)]
pub struct Restore {
    /// Which key
    key: KeyName,
    #[command(flatten)]
    signers: Signers,
}

/// `keymuster key retired`
#[derive(Debug, Args)]
pub struct Retire {
    /// Which key
    key: KeyName,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    remark: Option<Line>,
    #[command(flatten)]
    signers: Signers,
}

pub fn lost(context: &Context, report: &Report) -> Result<Answer, Failure> {
    reported(context, report, Event::KeyLost)
}

pub fn compromised(context: &Context, report: &Report) -> Result<Answer, Failure> {
    reported(context, report, Event::KeyCompromised)
}

fn reported(
    context: &Context,
    report: &Report,
    event: fn(KeyReported) -> Event,
) -> Result<Answer, Failure> {
    let events = |session: &Session<'_>, opener: &KeyName| {
        check_known(session.state(), &report.key)?;
        Ok(vec![event(KeyReported {
            key: report.key.clone(),
            reporter: opener.owner.clone(),
            since: report.since,
            remark: report.remark.clone(),
        })])
    };
    record_and_tell(context, &report.signers, events, |state| consequences(state, &report.key))
}

/// What is so after a report, and what is to be done.
fn consequences(state: &State, key: &KeyName) -> String {
    let mut text = match state.keys().get(key).map(|key| &key.state) {
        Some(KeyState::Suspended(_)) => format!(
            "{key} is suspended: it signs nothing but that it is restored. Two custodians settle\n\
             it: keymuster key restored {key}, or keymuster key retired {key}.\n"
        ),
        Some(KeyState::Active) => format!(
            "{key} may sign still: without it, too few custodians could. The report is on record.\n"
        ),
        Some(_) => format!("{key} signs nothing any more.\n"),
        None => String::new(),
    };
    if state.exposures(&key.owner).contains(key) {
        let owner = &key.owner;
        let how = how_to_renew(state, owner);
        text.push_str(&format!(
            "It can still open what is encrypted to {owner}. Have {owner} replace their identity:\n  \
             {how}\n"
        ));
    }
    text
}

pub fn restored(context: &Context, restore: &Restore) -> Result<Answer, Failure> {
    record_events(context, &restore.signers, |session, _| {
        check_known(session.state(), &restore.key)?;
        Ok(vec![Event::KeyRestored(KeyRestored { key: restore.key.clone() })])
    })
}

pub fn retired(context: &Context, retire: &Retire) -> Result<Answer, Failure> {
    record_events(context, &retire.signers, |session, _| {
        check_known(session.state(), &retire.key)?;
        let (key, remark) = (retire.key.clone(), retire.remark.clone());
        Ok(vec![Event::KeyRetired(KeyRetired { key, remark })])
    })
}

/// Fails, naming those that are, if there is no such key or paper copy.
pub fn check_known(state: &State, key: &KeyName) -> Result<(), Failure> {
    let is_paper = key.label.as_str() == PAPER && state.identities().contains_key(key);
    if is_paper || state.keys().contains_key(key) {
        return Ok(());
    }
    let known: Vec<String> = state.keys().keys().map(KeyName::to_string).collect();
    Err(Failure::new(exit::USAGE, format!("there is no key {key}"))
        .hint(format!("enrolled are: {}", known.join(", "))))
}

/// Whoever was named, or whoever opened the vault.
pub fn or_opener(named: Option<&Handle>, opener: &KeyName) -> Handle {
    named.cloned().unwrap_or_else(|| opener.owner.clone())
}
