//! `keymuster schedule ics`: what is to be done as a calendar (iCalendar, RFC 5545).
//!
//! Each slot is an event of whole days. Its UID is made of the vault, the obligation and the slot's
//! number, and stays; its SEQUENCE is raised whenever the slot is put to another day, is late for
//! another one, or is closed. No address, number or place goes into a calendar, which others host.

use chrono::{Days, NaiveDate};
use clap::Args;
use icalendar::{Alarm, Calendar, Component as _, Event, EventLike as _, EventStatus};
use serde::Serialize;

use super::words::{how, listed, title};
use super::{Stands, Wanted, opened};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::record::Time;
use crate::schedule::{Fate, History, Phase, Slot};

/// How long a slot stays in the calendar once it is closed, in days: so whoever imports the calendar
/// now and then, and doesn't subscribe to it, learns what became of it.
const KEPT: i64 = 90;

/// `keymuster schedule ics`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keymuster schedule ics --custodian bob > bob.ics")]
pub struct Ics {
    #[command(flatten)]
    wanted: Wanted,
}

#[derive(Serialize)]
struct CalendarView {
    calendar: String,
}

pub fn run(context: &Context, ics: &Ics) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let history = opened(&session, None)?;
    let all = ics.wanted.among(&history)?;
    let name = session.state().name().map_or("keymuster".to_owned(), ToString::to_string);
    let vault = session.vault.location().id.to_string();
    let now = context.now()?;
    let mut calendar = Calendar::empty();
    for (name, value) in
        [("VERSION", "2.0"), ("PRODID", "-//keymuster//schedule//EN"), ("CALSCALE", "GREGORIAN")]
    {
        calendar.append_property((name, value));
    }
    calendar.name(&format!("Root access: {name}"));
    for stands in &all {
        let slots = history.slots(&stands.obligation);
        for slot in slots.iter().filter(|slot| is_shown(slot, history.today())) {
            calendar.push(event(stands, slot, &history, &vault, now));
        }
    }
    let calendar = calendar.to_string();
    let human = calendar.clone();
    Ok(Answer::new("calendar", &CalendarView { calendar }, human).exiting(session.exit()))
}

/// Whether a slot stands in the calendar: those that were ended have no day that matters.
fn is_shown(slot: &Slot, today: NaiveDate) -> bool {
    match slot.fate {
        Fate::Open => true,
        Fate::Ended(_) => false,
        _ => (today - slot.due).num_days() <= KEPT,
    }
}

fn event(stands: &Stands, slot: &Slot, history: &History, vault: &str, now: Time) -> Event {
    let (Stands { obligation, standing }, state) = (stands, history.state());
    let today = history.today();
    let is_open = slot.fate == Fate::Open;
    // What is late stands in the calendar until it is done: nobody looks at last week.
    let last = match slot.fate {
        Fate::Open => today.max(slot.due),
        Fate::Late(day) => day,
        Fate::Missed | Fate::Waived(_) => slot.last(),
        Fate::Early(_) | Fate::Done(_) | Fate::Ended(_) => slot.due,
    };
    let late = u32::try_from((last - slot.due).num_days()).unwrap_or_default();
    let closed = u32::from(!is_open);
    let state_of = match (slot.fate, standing.phase) {
        (Fate::Open, Phase::Waived(until)) => format!("May wait until {until}: "),
        (Fate::Open, _) if late > 0 => "LATE: ".to_owned(),
        (Fate::Open, Phase::Overdue) => "OVERDUE: ".to_owned(),
        (Fate::Open, _) => String::new(),
        (Fate::Missed, _) => "MISSED: ".to_owned(),
        (Fate::Waived(_), _) => "Waived: ".to_owned(),
        (_, _) => "Done: ".to_owned(),
    };
    let title = title(obligation, state);
    let done = standing.done.map_or("never".to_owned(), |day| day.to_string());
    let mut about = vec![how(obligation, state)];
    if obligation.recurs() {
        about.push(format!("Last done: {done}"));
    }
    let who = obligation.people(state);
    if !who.is_empty() {
        about.push(format!("Who: {}", listed(&who)));
    }
    let uid = format!("{}.{}.{vault}@keymuster", uid_of(&obligation.to_string()), slot.number);
    let mut event = Event::new();
    event
        .uid(&uid)
        .sequence(slot.moves.saturating_add(late).saturating_add(closed))
        .timestamp(now.moment())
        .summary(&format!("{state_of}{title}"))
        .description(&about.join("\n"))
        .starts(slot.due)
        .ends(last.checked_add_days(Days::new(1)).unwrap_or(last))
        .add_property("TRANSP", "TRANSPARENT")
        .categories([obligation.kind()]);
    event.status(EventStatus::Confirmed);
    if is_open {
        // At nine in the morning, wherever the calendar is read.
        let at_nine = match slot.warn.checked_sub(1) {
            None => None,
            Some(0) => Some("-PT15H".to_owned()),
            Some(days) => Some(format!("-P{days}DT15H")),
        };
        for trigger in at_nine.into_iter().chain(["PT9H".to_owned()]) {
            let alarm = Alarm::display(&title, chrono::TimeDelta::zero())
                .add_property("TRIGGER", &trigger)
                // Else each would get a random one, and no two calendars would be the same.
                .add_property("UID", format!("{uid}{trigger}"))
                .timestamp(now.moment())
                .done();
            event.alarm(alarm);
        }
    }
    event.done()
}

/// An obligation's text in the letters of a UID.
fn uid_of(obligation: &str) -> String {
    // Handles have neither stops nor underscores.
    obligation.replace(' ', ".").replace('/', "_")
}
