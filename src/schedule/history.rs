//! What was owed, and when it was done, out of the entries of a log.
//!
//! The log is gone through once more, from its first entry, beside a state of its own: which
//! obligations there were shows only then. What an entry did counts at the earliest of its own time,
//! the times of all later entries, and now: nobody makes up for something by dating an entry back or
//! ahead.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::admitted::Admitted;
use super::obligation::Obligation;
use super::slot::{Deferral, Fate, Rule, Slot, Span, slots, works};
use super::standing::Standing;
use super::walk::{Tracked, Walk};
use crate::record::{Handle, Policy, Rejection, State, Time};

/// What was owed since a log began.
#[derive(Debug)]
pub struct History {
    /// The days of the entries, as far as they can be vouched for; entry n is at n - 1.
    days: Vec<NaiveDate>,
    today: NaiveDate,
    state: State,
    tracks: BTreeMap<Obligation, Vec<Tracked>>,
    /// Policies, with the entries since which they hold.
    policies: Vec<(u64, Policy)>,
    /// How often adopted runbooks are run, with the entries since which that holds.
    paces: BTreeMap<Handle, Vec<(u64, u32)>>,
    deferrals: BTreeMap<Obligation, Vec<(u64, Time)>>,
    /// The days on which corrective actions are due.
    due: BTreeMap<Handle, Time>,
}

impl History {
    /// Goes through the entries of a log, from the first to the last. Fails where one of them can't
    /// have happened, which a replay would have found.
    pub fn of<'e>(
        entries: impl IntoIterator<Item = Admitted<'e>>,
        now: Time,
    ) -> Result<Self, Rejection> {
        Self::on(entries, now, day_of(now))
    }

    /// The same as of the end of another day: what happened later isn't taken into account, and of
    /// what is still to come nothing is done.
    pub fn on<'e>(
        entries: impl IntoIterator<Item = Admitted<'e>>,
        now: Time,
        today: NaiveDate,
    ) -> Result<Self, Rejection> {
        let entries: Vec<Admitted<'e>> = entries.into_iter().collect();
        let mut earliest = now;
        let mut days: Vec<NaiveDate> = entries
            .iter()
            .rev()
            .map(|entry| {
                earliest = earliest.min(entry.time);
                day_of(earliest)
            })
            .collect();
        days.reverse();
        days.retain(|day| *day <= today);
        let mut walk = Walk::default();
        for (number, entry) in (1..).zip(entries.iter().take(days.len())) {
            walk.take(number, entry)?;
        }
        let Walk { state, tracks, policies, paces, deferrals, due, .. } = walk;
        Ok(Self { days, today, state, tracks, policies, paces, deferrals, due })
    }

    /// All that was ever owed.
    pub fn obligations(&self) -> impl Iterator<Item = &Obligation> {
        self.tracks.keys()
    }

    /// Every time that something was to be done, in order.
    pub fn slots(&self, obligation: &Obligation) -> Vec<Slot> {
        let spans = self.spans(obligation);
        let rules = self.rules(obligation);
        let deferrals = self.deferrals(obligation);
        if obligation.recurs() {
            return slots(&spans, &rules, &deferrals, self.today);
        }
        let due = match obligation {
            Obligation::Action(action) => self.due.get(action).copied().map(day_of),
            _ => None,
        };
        works(&spans, &rules, &deferrals, due, self.today)
    }

    /// How something stands today; nothing where it never was to be done.
    pub fn standing(&self, obligation: &Obligation) -> Option<Standing> {
        let (slots, deferrals) = (self.slots(obligation), self.deferrals(obligation));
        Standing::of(&slots, &deferrals, self.last_done(obligation), self.today)
    }

    /// The entry that made of a slot what it became: that did what was to be done, or ended that it was.
    pub fn entry_of(&self, obligation: &Obligation, slot: &Slot) -> Option<u64> {
        let day = match slot.fate {
            Fate::Early(day) | Fate::Done(day) | Fate::Late(day) | Fate::Ended(day) => day,
            Fate::Missed | Fate::Waived(_) | Fate::Open => return None,
        };
        let span = self.tracks.get(obligation)?.get(self.span_of(obligation, slot)?)?;
        if !obligation.recurs() || matches!(slot.fate, Fate::Ended(_)) {
            return span.ended;
        }
        span.done.iter().find(|entry| self.day(**entry) == day).copied()
    }

    /// Which span a slot belongs to, by its number: those of one day are told apart.
    fn span_of(&self, obligation: &Obligation, slot: &Slot) -> Option<usize> {
        let number = usize::try_from(slot.number).ok()?;
        if !obligation.recurs() {
            return number.checked_sub(1);
        }
        let (spans, rules) = (self.spans(obligation), self.rules(obligation));
        let deferrals = self.deferrals(obligation);
        let mut before = 0;
        spans.iter().position(|span| {
            let of_span = std::slice::from_ref(span);
            let last =
                slots(of_span, &rules, &deferrals, self.today).last().map_or(0, |s| s.number);
            before += usize::try_from(last).unwrap_or(usize::MAX);
            number <= before
        })
    }

    /// The day on which something was last done that recurs.
    pub fn last_done(&self, obligation: &Obligation) -> Option<NaiveDate> {
        self.last_act(obligation).map(|(_, day)| day)
    }

    /// The entry by which something was last done that recurs, and its day.
    pub fn last_act(&self, obligation: &Obligation) -> Option<(u64, NaiveDate)> {
        let spans = self.tracks.get(obligation)?;
        let entry = *spans.iter().filter_map(|span| span.done.last()).max()?;
        Some((entry, self.day(entry)))
    }

    fn spans(&self, obligation: &Obligation) -> Vec<Span> {
        let day = |entry: &u64| self.day(*entry);
        let span = |span: &Tracked| Span {
            begun: self.day(span.begun),
            at_once: matches!(obligation, Obligation::Acknowledgement(_)),
            ended: span.ended.as_ref().map(day),
            done: span.done.iter().map(day).collect(),
        };
        self.tracks.get(obligation).into_iter().flatten().map(span).collect()
    }

    fn deferrals(&self, obligation: &Obligation) -> Vec<Deferral> {
        let deferral = |(entry, until): &(u64, Time)| Deferral {
            given: self.day(*entry),
            until: day_of(*until),
        };
        self.deferrals.get(obligation).into_iter().flatten().map(deferral).collect()
    }

    /// What was so at the end of that day.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The day that this was made for.
    pub fn today(&self) -> NaiveDate {
        self.today
    }

    fn day(&self, entry: u64) -> NaiveDate {
        let place = usize::try_from(entry).unwrap_or(usize::MAX).saturating_sub(1);
        self.days.get(place).copied().unwrap_or(self.today)
    }

    /// The rules for an obligation, with the days since which they hold.
    fn rules(&self, obligation: &Obligation) -> Vec<(NaiveDate, Rule)> {
        let of = |policy: &Policy, every: u32| Rule {
            every,
            warn: policy.warn_days,
            grace: policy.grace_days,
        };
        let paces = match obligation {
            Obligation::Runbook(runbook) => self.paces.get(runbook).map(Vec::as_slice),
            _ => None,
        };
        let Some(paces) = paces else {
            let rule = |(entry, policy): &(u64, Policy)| {
                (self.day(*entry), of(policy, every_days(obligation, policy)))
            };
            return self.policies.iter().map(rule).collect();
        };
        // Both what the runbook says and the days of warning and grace change.
        let changes: BTreeSet<u64> = paces
            .iter()
            .map(|(entry, _)| *entry)
            .chain(self.policies.iter().map(|(e, _)| *e))
            .collect();
        let at = |entry: u64| {
            let policy = self.policies.iter().rev().find(|(since, _)| *since <= entry)?;
            let pace = paces.iter().rev().find(|(since, _)| *since <= entry).or(paces.first())?;
            Some((self.day(entry), of(&policy.1, pace.1)))
        };
        changes.into_iter().filter_map(at).collect()
    }
}

/// How often policy asks for something that recurs.
fn every_days(obligation: &Obligation, policy: &Policy) -> u32 {
    match obligation {
        Obligation::Acknowledgement(_) => policy.acknowledgement_days,
        Obligation::Contacts(_) | Obligation::Mailbox(_) | Obligation::Phone(_) => {
            policy.contacts_days
        }
        _ => policy.check_days,
    }
}

/// The day of a time, in UTC.
pub fn day_of(time: Time) -> NaiveDate {
    time.moment().date_naive()
}
