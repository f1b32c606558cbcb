//! Whether what was due was done: all of it is counted, whatever became of it.

use std::ops::RangeInclusive;

use chrono::NaiveDate;

use crate::schedule::{Fate, History, Phase, Slot};

/// How many times something became of what was to be done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Fates {
    /// Done before it was announced.
    pub early: usize,
    /// Done in time.
    pub done: usize,
    /// Done when it was late.
    pub late: usize,
    /// Not done.
    pub missed: usize,
    /// Not done, and it could wait.
    pub waived: usize,
    /// It had not to be done any more.
    pub ended: usize,
    /// Still to be done.
    pub open: usize,
}

impl Fates {
    /// Counts one more.
    pub fn count(&mut self, fate: Fate) {
        let counted = match fate {
            Fate::Early(_) => &mut self.early,
            Fate::Done(_) => &mut self.done,
            Fate::Late(_) => &mut self.late,
            Fate::Missed => &mut self.missed,
            Fate::Waived(_) => &mut self.waived,
            Fate::Ended(_) => &mut self.ended,
            Fate::Open => &mut self.open,
        };
        *counted += 1;
    }

    /// All of them.
    pub fn all(&self) -> usize {
        let Self { early, done, late, missed, waived, ended, open } = self;
        early + done + late + missed + waived + ended + open
    }
}

/// What was due, and what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// The day on which that was so.
    pub on: NaiveDate,
    /// How many things were ever to be done; many of them again and again.
    pub obligations: usize,
    /// Each time that something was to be done.
    pub fates: Fates,
    /// How many of these things are overdue on that day.
    pub overdue: usize,
    /// Whether what was missed before counts against it, or what is overdue on that day alone.
    pub is_of_period: bool,
}

impl Coverage {
    /// All that a log has, as of its day; of a period, what was due in it.
    pub fn of(history: &History, period: Option<&RangeInclusive<NaiveDate>>) -> Self {
        let mut this = Self {
            on: history.today(),
            obligations: 0,
            fates: Fates::default(),
            overdue: 0,
            is_of_period: period.is_some(),
        };
        let within = |slot: &Slot| period.is_none_or(|period| period.contains(&slot.due));
        for obligation in history.obligations() {
            let slots = history.slots(obligation);
            let mut counted = 0;
            for slot in slots.iter().filter(|slot| within(slot)) {
                this.fates.count(slot.fate);
                counted += 1;
            }
            if counted == 0 {
                continue;
            }
            this.obligations += 1;
            let standing = history.standing(obligation);
            let overdue = standing.is_some_and(|standing| standing.phase == Phase::Overdue);
            this.overdue += usize::from(overdue);
        }
        this
    }

    /// Whether something is missing that should have been done.
    pub fn is_lacking(&self) -> bool {
        self.overdue > 0 || self.is_of_period && self.fates.missed > 0
    }
}
