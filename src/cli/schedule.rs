//! `keymuster schedule`: what is due, what is overdue, and what became of all that ever was.

mod calendar;
mod check;
mod list;
mod words;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

pub use check::tell_unknown;
pub use words::{how, title};

use super::account::About;
use super::context::Context;
use super::day::Day;
use super::exit;
use super::failure::Failure;
use super::output::Answer;
use super::session::Session;
use crate::log::Entry;
use crate::record::{Handle, KeyName, Time};
use crate::schedule::{Admitted, History, Obligation, Phase, Standing, day_of};
use crate::vault::OpenVault;

/// `keymuster schedule …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what is to be done, by when, and when it was last done
    List(list::List),
    /// Print what is to be done as a calendar (iCalendar)
    Ics(calendar::Ics),
    /// Tell a monitoring system in one line; exit 0 ok, 1 warning, 2 critical, 3 unknown
    Check(check::Check),
}

impl Command {
    /// What is told to a monitoring system, whatever comes of it.
    pub fn check(&self) -> Option<&check::Check> {
        match self {
            Self::Check(check) => Some(check),
            _ => None,
        }
    }
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List(list) => list::run(context, &list),
        Command::Ics(ics) => calendar::run(context, &ics),
        Command::Check(check) => check::run(context, &check),
    }
}

/// What is asked about.
#[derive(Debug, Args)]
pub struct Wanted {
    #[command(flatten)]
    about: About,
    /// What this custodian sees to only; may be repeated
    #[arg(long = "custodian", value_name = "HANDLE")]
    custodians: Vec<Handle>,
}

/// An obligation, and how it stands.
pub struct Stands {
    pub obligation: Obligation,
    pub standing: Standing,
}

impl Wanted {
    /// What stands of it: first what is due first, and last what is over.
    fn among(&self, history: &History) -> Result<Vec<Stands>, Failure> {
        let state = history.state();
        let accounts = self.about.handles(state)?;
        let known = |who: &&Handle| {
            state.custodians().contains_key(*who) || state.former_custodians().contains_key(*who)
        };
        if let Some(stranger) = self.custodians.iter().find(|who| !known(who)) {
            let message = format!("there is no custodian {stranger}");
            return Err(Failure::new(exit::USAGE, message)
                .hint("keymuster custodian list names those there are"));
        }
        let everybody = self.custodians.is_empty();
        let takes = |obligation: &Obligation| {
            accounts.as_ref().is_none_or(|them| !obligation.accounts(state).is_disjoint(them))
                && (everybody
                    || obligation.people(state).iter().any(|who| self.custodians.contains(who)))
        };
        Ok(standings(history, takes))
    }
}

/// How all that was ever to be done stands, as far as it is asked for: first what is due first, and
/// last what is over.
pub fn standings(history: &History, takes: impl Fn(&Obligation) -> bool) -> Vec<Stands> {
    let stands = |obligation: &Obligation| {
        let standing = history.standing(obligation)?;
        Some(Stands { obligation: obligation.clone(), standing })
    };
    let taken = history.obligations().filter(|obligation| takes(obligation));
    let mut all: Vec<Stands> = taken.filter_map(stands).collect();
    all.sort_by(|one, other| one.order().cmp(&other.order()));
    all
}

impl Stands {
    fn is_over(&self) -> bool {
        self.standing.phase == Phase::Over
    }

    fn order(&self) -> (bool, chrono::NaiveDate, &Obligation) {
        (self.is_over(), self.standing.due, &self.obligation)
    }
}

/// The history of what was to be done, as of a day or of now.
pub fn history(vault: &OpenVault, now: Time, on: Option<Day>) -> Result<History, Failure> {
    history_of(vault.entries(), now, on)
}

/// The same of these entries, the first ones of a log.
pub fn history_of(entries: &[Entry], now: Time, on: Option<Day>) -> Result<History, Failure> {
    let entries =
        entries.iter().map(|entry| Admitted { time: entry.document().time, acts: entry.acts() });
    let day = on.map_or(day_of(now), |Day(time)| day_of(time));
    History::on(entries, now, day).map_err(|rejection| {
        Failure::because(exit::FAILED, "couldn't go through the log again", &rejection)
    })
}

/// The keys that are to be checked: due soon, today or since a while, and not waived.
pub fn keys_due(session: &Session<'_>) -> Result<BTreeSet<KeyName>, Failure> {
    let history = opened(session, None)?;
    let is_check = |obligation: &Obligation| matches!(obligation, Obligation::KeyCheck(_));
    let due = standings(&history, is_check).into_iter().filter_map(|stands| {
        let is_due = matches!(stands.standing.phase, Phase::Due | Phase::Late | Phase::Overdue);
        match stands.obligation {
            Obligation::KeyCheck(key) if is_due => Some(key),
            _ => None,
        }
    });
    Ok(due.collect())
}

/// The history as of now, or of another day.
fn opened(session: &Session<'_>, on: Option<Day>) -> Result<History, Failure> {
    history(&session.vault, session.context.now()?, on)
}
