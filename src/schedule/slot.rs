//! Slots: how often something was to be done, and what became of each time.
//!
//! Days are days of UTC. What is due on a day may be done until the day is over.

use std::collections::VecDeque;

use chrono::{Days, NaiveDate};

/// The most slots of one obligation that are told, the latest ones: ten years of days. A clock that
/// is far off would make more of them than anybody reads.
const MAX_SLOTS: usize = 3700;

/// How often something is to be done, in whole days.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// How long after it was done it is due again. At least one day.
    pub every: u32,
    /// How long before that it is announced.
    pub warn: u32,
    /// How long after that it is late, and not yet missed.
    pub grace: u32,
}

/// A time during which something was to be done again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Its first day.
    pub begun: NaiveDate,
    /// Whether it is due on that day at first; else as long after it as the rule says.
    pub at_once: bool,
    /// The day on which it ended: the key was retired, the account closed.
    pub ended: Option<NaiveDate>,
    /// The days on which it was done, in order.
    pub done: Vec<NaiveDate>,
}

/// What may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deferral {
    /// The day on which that was recorded.
    pub given: NaiveDate,
    /// Until when it may.
    pub until: NaiveDate,
}

impl Deferral {
    /// Whether it covers what was due on a day, and could be done until another. What may wait until
    /// the day on which it is due needn't wait.
    pub(super) fn covers(&self, due: NaiveDate, last: NaiveDate) -> bool {
        self.given <= last && self.until > due
    }
}

/// What became of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It was done before it was announced.
    Early(NaiveDate),
    /// It was done in time.
    Done(NaiveDate),
    /// It was done after it was due.
    Late(NaiveDate),
    /// It wasn't done until the days of grace were over.
    Missed,
    /// It wasn't done, and didn't have to be until then.
    Waived(NaiveDate),
    /// It had not to be done any more.
    Ended(NaiveDate),
    /// It is still to be done.
    Open,
}

/// One time that something is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// From 1, counted over all spans.
    pub number: u32,
    /// Since when it is to be done.
    pub opened: NaiveDate,
    /// Until when.
    pub due: NaiveDate,
    /// How long before that it is announced, in days.
    pub warn: u32,
    /// How long after that it is late, and not yet missed, in days.
    pub grace: u32,
    /// How often it was put to another day since it was opened.
    pub moves: u32,
    /// When it was last done too soon to fill it: in the first half of its time.
    pub repeated: Option<NaiveDate>,
    /// What became of it.
    pub fate: Fate,
    /// The day by which it is due, whatever the rule: what came before it could wait until then, or
    /// it is due at once.
    by: Option<NaiveDate>,
}

impl Slot {
    fn open(number: u32, opened: NaiveDate, due: NaiveDate, rule: Rule) -> Self {
        let Rule { warn, grace, .. } = rule;
        let (moves, repeated, by) = (0, None, None);
        Self { number, opened, due, warn, grace, moves, repeated, fate: Fate::Open, by }
    }

    /// The first day on which it is announced.
    pub fn announced(&self) -> NaiveDate {
        before(self.due, self.warn)
    }

    /// The last day on which it can be done and counts as late.
    pub fn last(&self) -> NaiveDate {
        after(self.due, self.grace)
    }

    fn put_to(&mut self, due: NaiveDate) {
        if self.due != due {
            self.due = due;
            self.moves = self.moves.saturating_add(1);
        }
    }
}

/// A day so many days later, or the last that there is.
pub(super) fn after(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_add_days(Days::new(days.into())).unwrap_or(NaiveDate::MAX)
}

fn before(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_sub_days(Days::new(days.into())).unwrap_or(NaiveDate::MIN)
}

/// The slots of something that is to be done again and again, in order, the open one last.
///
/// Each is due so many days after it was done before, or after the span began. What is done in the
/// first half of a slot's time doesn't fill it, but puts it off: else whoever signs each day would
/// fill hundreds of slots a year. A slot that was missed stays so, and the next one counts from the
/// day on which it was due. `rules` say from which day they hold, and aren't empty; a rule that
/// changes when a slot is due already doesn't change that slot.
pub fn slots(
    spans: &[Span],
    rules: &[(NaiveDate, Rule)],
    deferrals: &[Deferral],
    today: NaiveDate,
) -> Vec<Slot> {
    let mut all = Told::default();
    for span in spans.iter().filter(|span| span.begun <= today) {
        walk(span, rules, deferrals, today, &mut all);
    }
    all.slots.into()
}

/// The slots that are told.
#[derive(Default)]
struct Told {
    slots: VecDeque<Slot>,
}

impl Told {
    /// The number of the next slot.
    fn next(&self) -> u32 {
        self.slots.back().map_or(1, |slot| slot.number.saturating_add(1))
    }

    fn push(&mut self, slot: Slot) {
        if self.slots.len() >= MAX_SLOTS {
            self.slots.pop_front();
        }
        self.slots.push_back(slot);
    }
}

/// What happens to a slot, in the order of a day: first other rules hold, then people act.
enum Happens {
    Changes(Rule),
    Acts,
}

fn walk(
    span: &Span,
    rules: &[(NaiveDate, Rule)],
    deferrals: &[Deferral],
    today: NaiveDate,
    all: &mut Told,
) {
    // Rules of the first day may be older or younger: each of them may have put it off.
    let older = rules.iter().take_while(|(since, _)| *since < span.begun).count();
    let (before, changes) = rules.split_at(older.max(1).min(rules.len()));
    let Some(&(_, mut rule)) = before.last() else { return };
    let mut slot = Slot::open(all.next(), span.begun, after(span.begun, rule.every), rule);
    if span.at_once {
        (slot.due, slot.by) = (span.begun, Some(span.begun));
    }
    let changes = changes.iter().map(|(since, rule)| (*since, Happens::Changes(*rule)));
    let acts = span.done.iter().map(|day| (*day, Happens::Acts));
    let mut happens: Vec<(NaiveDate, Happens)> = changes.chain(acts).collect();
    // Stable: what changes on a day stands before what is done on it.
    happens.sort_by_key(|(day, _)| *day);
    let mut changed = None;
    let end = span.ended.map_or(today, |ended| ended.min(today));
    for (day, what) in happens.into_iter().take_while(|(day, _)| *day <= end) {
        judge(&mut slot, rule, deferrals, day, all);
        match what {
            Happens::Changes(to) => {
                if slot.due >= day {
                    let since = slot.repeated.unwrap_or(slot.opened);
                    let due = after(since, to.every).max(day);
                    slot.put_to(slot.by.map_or(due, |by| due.min(by)));
                    (slot.warn, slot.grace) = (to.warn, to.grace);
                }
                (rule, changed) = (to, Some(day));
            }
            Happens::Acts => {
                let waits = |given: &Deferral| given.covers(slot.due, day) && given.until >= day;
                let late = day > slot.due && !deferrals.iter().any(waits);
                let time = (slot.due - slot.opened).num_days().min(rule.every.into());
                let long = (day - slot.opened).num_days() * 2 >= time;
                if day >= slot.due || long {
                    slot.fate = match (late, day < slot.announced()) {
                        (true, _) => Fate::Late(day),
                        (false, true) => Fate::Early(day),
                        (false, false) => Fate::Done(day),
                    };
                    all.push(slot);
                    slot = Slot::open(all.next(), day, after(day, rule.every), rule);
                    // It may have been another day before the rule changed.
                    slot.moves = u32::from(changed == Some(day));
                } else {
                    (slot.repeated, slot.by) = (Some(day), None);
                    slot.put_to(after(day, rule.every));
                }
            }
        }
    }
    judge(&mut slot, rule, deferrals, end, all);
    if let Some(ended) = span.ended.filter(|ended| *ended <= today) {
        slot.fate = Fate::Ended(ended);
    }
    all.push(slot);
}

/// Closes every slot whose days of grace are over on a day, and opens the next.
fn judge(slot: &mut Slot, rule: Rule, deferrals: &[Deferral], day: NaiveDate, all: &mut Told) {
    while day > slot.last() {
        let covering = deferrals.iter().filter(|given| given.covers(slot.due, slot.last()));
        let until = covering.map(|given| given.until).max();
        slot.fate = until.map_or(Fate::Missed, Fate::Waived);
        all.push(*slot);
        let due = after(slot.due, rule.every);
        // Once it may wait no longer, it is due.
        let due = until.map_or(due, |until| due.min(until));
        *slot = Slot { by: until, ..Slot::open(all.next(), slot.due, due, rule) };
    }
}

/// The slots of work that something made: one a span, due on its first day unless a day is given, and
/// done when the span ends.
pub(super) fn works(
    spans: &[Span],
    rules: &[(NaiveDate, Rule)],
    deferrals: &[Deferral],
    due: Option<NaiveDate>,
    today: NaiveDate,
) -> Vec<Slot> {
    let slot = |(number, span): (u32, &Span)| {
        let due = due.unwrap_or(span.begun).max(span.begun);
        let rule = rules.iter().rev().find(|(since, _)| *since <= due).or(rules.first());
        let rule = rule.map_or(Rule { every: 1, warn: 0, grace: 0 }, |(_, rule)| *rule);
        let mut slot = Slot::open(number, span.begun, due, rule);
        let ended = span.ended.filter(|ended| *ended <= today);
        if let Some(day) = ended {
            let waits = |given: &Deferral| given.covers(due, day) && given.until >= day;
            let late = day > due && !deferrals.iter().any(waits);
            slot.fate = if late { Fate::Late(day) } else { Fate::Done(day) };
        }
        slot
    };
    let spans = spans.iter().filter(|span| span.begun <= today).take(MAX_SLOTS);
    (1..).zip(spans).map(slot).collect()
}
