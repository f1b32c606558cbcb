//! `keymuster schedule list`: what is to be done, and when it was.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::Args;
use serde::Serialize;

use super::words::{how, title};
use super::{Stands, Wanted, opened};
use crate::cli::context::Context;
use crate::cli::day::Day;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count, few, table};
use crate::cli::session::Session;
use crate::schedule::{Fate, History, Phase, Slot};

/// How many people are named beside an obligation.
const MAX_WHO: usize = 3;

/// `keymuster schedule list`
#[derive(Debug, Args)]
#[command(after_help = "Days are days of UTC.\n\n\
    Examples:\n  keymuster schedule list --custodian bob\n  \
    keymuster schedule list --all --account prod --on 2026-06-30")]
pub struct List {
    /// What is over, too, and what became of every time that something was to be done
    #[arg(long)]
    all: bool,
    /// As of the end of this day, past or to come; else as of now
    #[arg(long, value_name = "DATE")]
    on: Option<Day>,
    #[command(flatten)]
    wanted: Wanted,
}

#[derive(Serialize)]
struct ScheduleView {
    on: NaiveDate,
    obligations: Vec<StandsView>,
}

/// An obligation, as JSON.
#[derive(Serialize)]
struct StandsView {
    obligation: String,
    kind: &'static str,
    title: String,
    command: String,
    accounts: Vec<String>,
    custodians: Vec<String>,
    recurs: bool,
    phase: &'static str,
    due: NaiveDate,
    waived_until: Option<NaiveDate>,
    last_done: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slots: Option<Vec<SlotView>>,
}

#[derive(Serialize)]
struct SlotView {
    number: u32,
    opened: NaiveDate,
    due: NaiveDate,
    moves: u32,
    fate: &'static str,
    /// When it was done, or ended, or until when it could wait.
    day: Option<NaiveDate>,
}

impl From<&Slot> for SlotView {
    fn from(slot: &Slot) -> Self {
        let (fate, day) = told(slot.fate);
        let Slot { number, opened, due, moves, .. } = *slot;
        Self { number, opened, due, moves, fate, day }
    }
}

fn told(fate: Fate) -> (&'static str, Option<NaiveDate>) {
    match fate {
        Fate::Early(day) => ("early", Some(day)),
        Fate::Done(day) => ("done", Some(day)),
        Fate::Late(day) => ("late", Some(day)),
        Fate::Missed => ("missed", None),
        Fate::Waived(until) => ("waived", Some(until)),
        Fate::Ended(day) => ("ended", Some(day)),
        Fate::Open => ("open", None),
    }
}

pub fn run(context: &Context, list: &List) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let history = opened(&session, list.on)?;
    let mut shown = list.wanted.among(&history)?;
    shown.retain(|stands| list.all || !stands.is_over());
    let view = ScheduleView {
        on: history.today(),
        obligations: shown.iter().map(|stands| view_of(stands, &history, list.all)).collect(),
    };
    let human = in_words(&shown, &history, list.all);
    Ok(Answer::new("schedule", &view, human).exiting(session.exit()))
}

fn view_of(stands: &Stands, history: &History, with_slots: bool) -> StandsView {
    let (Stands { obligation, standing }, state) = (stands, history.state());
    let slots = || history.slots(obligation).iter().map(SlotView::from).collect();
    StandsView {
        obligation: obligation.to_string(),
        kind: obligation.kind(),
        title: title(obligation, state),
        command: how(obligation, state),
        accounts: obligation.accounts(state).iter().map(ToString::to_string).collect(),
        custodians: obligation.people(state).iter().map(ToString::to_string).collect(),
        recurs: obligation.recurs(),
        phase: standing.phase.word(),
        due: standing.due,
        waived_until: match standing.phase {
            Phase::Waived(until) => Some(until),
            _ => None,
        },
        last_done: standing.done,
        slots: with_slots.then(slots),
    }
}

fn in_words(shown: &[Stands], history: &History, all: bool) -> String {
    let today = history.today();
    if shown.is_empty() {
        return format!("Nothing is to be done, as of {today}.\n");
    }
    let rows: Vec<Vec<String>> = shown.iter().map(|stands| row(stands, history)).collect();
    let listed = table(&["due", "state", "what", "who", "last done"], &rows);
    let mut text = String::new();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, line) in listed.lines().enumerate() {
        text.push_str(line);
        text.push('\n');
        let Some(stands) = number.checked_sub(1).and_then(|place| shown.get(place)) else {
            continue;
        };
        for slot in history.slots(&stands.obligation).iter().filter(|_| all) {
            let (word, day) = told(slot.fate);
            *met.entry(word).or_default() += 1;
            let word = if slot.fate == Fate::Open { "still open" } else { word };
            let word = if matches!(slot.fate, Fate::Waived(_)) { "waived until" } else { word };
            let day = day.map_or(String::new(), |day| format!(" {day}"));
            let Slot { opened, due, .. } = slot;
            text.push_str(&format!("    {opened} to {due}  {word}{day}\n"));
        }
    }
    let mut phases: BTreeMap<Phase, usize> = BTreeMap::new();
    for stands in shown {
        let phase = match stands.standing.phase {
            Phase::Waived(_) => Phase::Waived(today),
            other => other,
        };
        *phases.entry(phase).or_default() += 1;
    }
    let phases: Vec<String> =
        phases.iter().rev().map(|(phase, many)| format!("{many} {}", phase.word())).collect();
    let total = count(shown.len(), "obligation", "obligations");
    text.push_str(&format!("{total}, as of {today}: {}\n", phases.join(", ")));
    if all {
        let times = count(met.values().sum(), "time", "times");
        let met: Vec<String> = met.iter().map(|(fate, many)| format!("{many} {fate}")).collect();
        text.push_str(&format!("{times} in all: {}\n", met.join(", ")));
    }
    text
}

fn row(stands: &Stands, history: &History) -> Vec<String> {
    let Stands { obligation, standing } = stands;
    let phase = match standing.phase {
        Phase::Overdue => "OVERDUE".to_owned(),
        Phase::Waived(until) => format!("waived to {until}"),
        other => other.word().to_owned(),
    };
    let done = match (obligation.recurs(), standing.done) {
        (true, Some(day)) => day.to_string(),
        (true, None) => "never".to_owned(),
        (false, _) => "-".to_owned(),
    };
    let who = obligation.people(history.state());
    let who: Vec<String> = who.iter().map(ToString::to_string).collect();
    let who = if who.is_empty() { "-".to_owned() } else { few(&who, MAX_WHO) };
    vec![standing.due.to_string(), phase, obligation.to_string(), who, done]
}
