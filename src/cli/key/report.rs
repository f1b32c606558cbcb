//! `keymuster key lost`, `compromised`, `restored`, `retired`: reports on keys.

use std::collections::BTreeSet;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::cosigners::Signing;
use crate::cli::due::{ended, new_identity_by};
use crate::cli::epochs::state_after;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::prompt::Question;
use crate::cli::session::Session;
use crate::cli::signing::{record_and_tell, record_events};
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
    /// Record it even if too few custodians can sign afterwards, which ends the vault
    #[arg(long)]
    even_the_last: bool,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster key restored`
#[derive(Debug, Args)]
pub struct Restore {
    /// Which key
    key: KeyName,
    #[command(flatten)]
    signers: Signing,
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
    signers: Signing,
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
    let now = context.now()?;
    if let Some(since) = report.since.filter(|since| *since > now) {
        let message = format!("--since {since} is in the future: it is {now} now");
        return Err(Failure::new(exit::USAGE, message).hint("times are UTC"));
    }
    let events = |session: &Session<'_>, opener: &KeyName| {
        check_known(session.state(), &report.key)?;
        let events = vec![event(KeyReported {
            key: report.key.clone(),
            reporter: opener.owner.clone(),
            since: report.since,
            remark: report.remark.clone(),
        })];
        warn_of_finality(session, &events, report, &opener.owner)?;
        Ok(events)
    };
    record_and_tell(context, &report.signers, events, |state| consequences(state, &report.key))
}

/// Says, before anybody touches anything, that an owner's report can't be taken back, and what
/// the vault loses by it.
fn warn_of_finality(
    session: &Session<'_>,
    events: &[Event],
    report: &Report,
    reporter: &Handle,
) -> Result<(), Failure> {
    let key = &report.key;
    if *reporter != key.owner || key.label.as_str() == PAPER {
        return Ok(());
    }
    let say = |line: &str| session.context.terminal.say(line);
    say(&format!("An owner's report is final: {key} will never sign again."));
    let after = state_after(session.context, session.state(), events, &[])?;
    if after.able_custodians() >= after.quorum() || report.even_the_last {
        return Ok(());
    }
    say(
        "AFTER IT, TOO FEW CUSTODIANS CAN SIGN: nothing that needs two can be signed again, and a \
         new vault must be founded. Enrol another key first, if you can.",
    );
    let answer = session.context.terminal.ask(&Question {
        text: "Type \"end the vault\" to record it all the same: ",
        about: "this report would end the vault",
        instead: "to record it all the same, add --even-the-last",
    })?;
    if answer == "end the vault" {
        return Ok(());
    }
    Err(Failure::new(exit::ABSENT, "the report was not recorded"))
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
    if state.able_custodians() < state.quorum() {
        text.push_str(&format!("{}\n", ended(state)));
    } else if state.exposures(&key.owner).contains(key) {
        let owner = &key.owner;
        text.push_str(&format!(
            "It can still open what is encrypted to {owner}. Have {owner} replace their identity:\n  {}\n",
            new_identity_by(state, owner)
        ));
    }
    text
}

pub fn restored(context: &Context, restore: &Restore) -> Result<Answer, Failure> {
    record_events(context, &restore.signers, |session, _| {
        check_known(session.state(), &restore.key)?;
        for reporter in reporters(session.state(), &restore.key) {
            session.context.terminal.say(&format!(
                "{reporter} reported {}: unless they sign this too, they are overruled by it, and can't\n\
                 report another's key alone any more.",
                restore.key
            ));
        }
        Ok(vec![Event::KeyRestored(KeyRestored { key: restore.key.clone() })])
    })
}

/// The other custodians whose reports a restoring would settle.
fn reporters(state: &State, key: &KeyName) -> BTreeSet<Handle> {
    let enrolled = state.keys().get(key);
    let suspending = enrolled.and_then(|key| match &key.state {
        KeyState::Suspended(report) => Some(report),
        _ => None,
    });
    let claims = enrolled.into_iter().flat_map(|key| &key.claims);
    let on_paper = state.paper_reports(key);
    let reports = claims.chain(suspending).chain(on_paper);
    reports.map(|report| report.reporter.clone()).filter(|who| *who != key.owner).collect()
}

pub fn retired(context: &Context, retire: &Retire) -> Result<Answer, Failure> {
    let events = |session: &Session<'_>, _: &KeyName| {
        check_enrolled(session.state(), &retire.key)?;
        let (key, remark) = (retire.key.clone(), retire.remark.clone());
        Ok(vec![Event::KeyRetired(KeyRetired { key, remark })])
    };
    record_and_tell(context, &retire.signers, events, |state| {
        let (key, owner) = (&retire.key, &retire.key.owner);
        let present = state.custodians().get(owner).map(|custodian| &custodian.recipient);
        match state.identities().get(key) {
            Some(copy) if Some(&copy.recipient) == present => format!(
                "{key} signs nothing any more. It can open what is encrypted to {owner} still: reset\n\
                 it, or give {owner} another identity: {}\n",
                new_identity_by(state, owner)
            ),
            _ => format!("{key} signs nothing any more.\n"),
        }
    })
}

/// Fails, naming those that are, if there is no such key or paper copy.
fn check_known(state: &State, key: &KeyName) -> Result<(), Failure> {
    let is_paper = key.label.as_str() == PAPER && state.identities().contains_key(key);
    if is_paper { Ok(()) } else { check_enrolled(state, key) }
}

/// Fails, naming those that are, if there is no such key.
pub fn check_enrolled(state: &State, key: &KeyName) -> Result<(), Failure> {
    if state.keys().contains_key(key) {
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
