//! What the schedule means, told by somebody who looks at it every evening. Days are numbers.

use chrono::{NaiveDate, TimeDelta};
use keymuster::schedule::{Fate, Phase};

/// `every`, `warn` and `grace`.
pub type Rule = [i64; 3];

/// Something that is to be done again and again, and how its people treated it.
#[derive(Clone, Debug, Default)]
pub struct Duty {
    pub begun: i64,
    pub at_once: bool,
    pub ended: Option<i64>,
    /// The days on which it was done.
    pub done: Vec<i64>,
    /// The days on which a rule began to hold, in order.
    pub rules: Vec<(i64, Rule)>,
    /// On which days it was allowed to wait, and until when.
    pub waivers: Vec<[i64; 2]>,
}

/// A time that it was to be done: since when, until when, and what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time<Day> {
    pub opened: Day,
    pub due: Day,
    pub fate: Became<Day>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Became<Day> {
    Early(Day),
    Done(Day),
    Late(Day),
    Missed,
    Waived(Day),
    Ended(Day),
    Open,
}

impl Time<i64> {
    /// With days of the calendar.
    pub fn dated(&self) -> Time<NaiveDate> {
        let fate = match self.fate {
            Became::Early(day) => Became::Early(date(day)),
            Became::Done(day) => Became::Done(date(day)),
            Became::Late(day) => Became::Late(date(day)),
            Became::Missed => Became::Missed,
            Became::Waived(day) => Became::Waived(date(day)),
            Became::Ended(day) => Became::Ended(date(day)),
            Became::Open => Became::Open,
        };
        Time { opened: date(self.opened), due: date(self.due), fate }
    }
}

/// The slot of the product in the words of the model.
pub fn became(fate: Fate) -> Became<NaiveDate> {
    match fate {
        Fate::Early(day) => Became::Early(day),
        Fate::Done(day) => Became::Done(day),
        Fate::Late(day) => Became::Late(day),
        Fate::Missed => Became::Missed,
        Fate::Waived(day) => Became::Waived(day),
        Fate::Ended(day) => Became::Ended(day),
        Fate::Open => Became::Open,
    }
}

/// What is known of the present slot.
struct Present {
    opened: i64,
    due: i64,
    rule: Rule,
    /// Since when the time runs: when it was last done, if that was too soon.
    runs_since: i64,
    /// It is due then at the latest.
    at_latest: Option<i64>,
}

impl Duty {
    fn rule_on(&self, day: i64) -> Rule {
        let mut held = self.rules.iter().filter(|(since, _)| *since <= day);
        held.next_back().unwrap_or(&self.rules[0]).1
    }

    /// The longest that it may wait, of all that was allowed by a day for what is due on another.
    fn may_wait(&self, due: i64, by: i64) -> Option<i64> {
        let given = self.waivers.iter().filter(|[given, until]| *given <= by && *until > due);
        given.map(|[_, until]| *until).max()
    }

    /// Every time that it was to be done, as of the evening of a day.
    pub fn times(&self, today: i64) -> Vec<Time<i64>> {
        let mut times = Vec::new();
        if today < self.begun {
            return times;
        }
        let rule = self.rule_on(self.begun);
        let mut now = Present {
            opened: self.begun,
            due: if self.at_once { self.begun } else { self.begun + rule[0] },
            rule,
            runs_since: self.begun,
            at_latest: self.at_once.then_some(self.begun),
        };
        let end = self.ended.unwrap_or(today).min(today);
        for day in self.begun..=end {
            // A slot that had more days of grace than the next can take that with it.
            while day > now.due + now.rule[2] {
                let waited = self.may_wait(now.due, now.due + now.rule[2]);
                let fate = waited.map_or(Became::Missed, Became::Waived);
                times.push(Time { opened: now.opened, due: now.due, fate });
                // Another rule holds from the morning on, and this was the evening before.
                let rule = self.rule_on(day - 1);
                let due = (now.due + rule[0]).min(waited.unwrap_or(i64::MAX));
                let (opened, runs_since) = (now.due, now.due);
                now = Present { opened, due, rule, runs_since, at_latest: waited };
            }
            if day > self.begun
                && self.rules.iter().any(|(since, _)| *since == day)
                && now.due >= day
            {
                now.rule = self.rule_on(day);
                let due = (now.runs_since + now.rule[0]).max(day);
                now.due = due.min(now.at_latest.unwrap_or(i64::MAX));
            }
            if self.done.contains(&day) {
                let every = self.rule_on(day)[0];
                // In the first half of its time, which the rule may have made shorter or longer.
                let half_of = every.min(now.due - now.opened);
                if day < now.due && (day - now.opened) * 2 < half_of {
                    now = Present { due: day + every, runs_since: day, at_latest: None, ..now };
                    continue;
                }
                let allowed = self.may_wait(now.due, day).is_some_and(|until| until >= day);
                let fate = match day {
                    day if day > now.due && !allowed => Became::Late(day),
                    day if day < now.due - now.rule[1] => Became::Early(day),
                    day => Became::Done(day),
                };
                times.push(Time { opened: now.opened, due: now.due, fate });
                let rule = self.rule_on(day);
                now = Present {
                    opened: day,
                    due: day + rule[0],
                    rule,
                    runs_since: day,
                    at_latest: None,
                };
            }
        }
        let fate = self.ended.filter(|ended| *ended <= today).map_or(Became::Open, Became::Ended);
        times.push(Time { opened: now.opened, due: now.due, fate });
        times
    }

    /// How it stands in the evening of a day; nothing before it began.
    pub fn phase(&self, today: i64) -> Option<Phase> {
        let times = self.times(today);
        let (now, before) = times.split_last()?;
        if matches!(now.fate, Became::Ended(_)) {
            return Some(Phase::Over);
        }
        let last_done = self.done.iter().copied().filter(|day| *day <= today).max();
        let since_then = |time: &&Time<i64>| last_done.is_none_or(|done| done <= time.due);
        let last = before.last().filter(since_then).map(|time| time.fate);
        let [_, warn, _] = self.rule_on(today);
        let missed = before.iter().rev().take_while(|time| time.fate == Became::Missed).last();
        let (phase, due) = match (last, missed) {
            (Some(Became::Missed), Some(missed)) => (Phase::Overdue, missed.due),
            _ if today > now.due => (Phase::Late, now.due),
            _ if today >= now.due - warn => (Phase::Due, now.due),
            _ => (Phase::Later, now.due),
        };
        let waits = self.may_wait(due, today).filter(|_| phase >= Phase::Due);
        let waited = match last {
            Some(Became::Waived(until)) => Some(until),
            _ => None,
        };
        let until = waits.max(waited).filter(|until| *until >= today);
        Some(until.map_or(phase, |until| Phase::Waived(date(until))))
    }
}

/// The days of the tests are counted from the one on which their logs begin.
pub fn date(day: i64) -> NaiveDate {
    let first: NaiveDate = "2026-11-22".parse().unwrap();
    first + TimeDelta::days(day)
}
