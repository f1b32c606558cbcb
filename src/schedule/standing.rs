//! How something stands that is to be done.

use chrono::NaiveDate;

use super::slot::{Deferral, Fate, Slot};

/// How something stands on a day, from the best to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// It needn't be done any more.
    Over,
    /// It is done, and not due for a while.
    Later,
    /// It may wait, until that day.
    Waived(NaiveDate),
    /// It is due soon, or today.
    Due,
    /// It should have been done, and the days of grace aren't over.
    Late,
    /// It wasn't done until they were.
    Overdue,
}

impl Phase {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Over => "over",
            Self::Later => "later",
            Self::Waived(_) => "waived",
            Self::Due => "due",
            Self::Late => "late",
            Self::Overdue => "overdue",
        }
    }
}

/// How something stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// How well.
    pub phase: Phase,
    /// When it is due, or was: of what is overdue, the first time that nobody did it.
    pub due: NaiveDate,
    /// When it was last done, at any time.
    pub done: Option<NaiveDate>,
    /// The slot that this is about: the open one, or the last that there was.
    pub slot: Slot,
}

impl Standing {
    /// Out of all slots; nothing where there never was one.
    pub fn of(
        slots: &[Slot],
        deferrals: &[Deferral],
        done: Option<NaiveDate>,
        today: NaiveDate,
    ) -> Option<Self> {
        let (slot, before) = slots.split_last()?;
        let standing = |phase, due| Some(Self { phase, due, done, slot: *slot });
        if slot.fate != Fate::Open {
            return standing(Phase::Over, slot.due);
        }
        let missed = before.iter().rev().take_while(|slot| slot.fate == Fate::Missed).last();
        let (phase, due) = match (missed.filter(|_| slot.repeated.is_none()), slot.due) {
            (Some(missed), _) => (Phase::Overdue, missed.due),
            (None, due) if today > slot.last() => (Phase::Overdue, due),
            (None, due) if today > due => (Phase::Late, due),
            (None, due) if today >= slot.announced() => (Phase::Due, due),
            (None, due) => (Phase::Later, due),
        };
        let given = deferrals.iter().filter(|given| given.covers(due, today));
        let given = given.filter(|given| phase >= Phase::Due && given.until >= today);
        let before = match before.last().map(|slot| slot.fate) {
            Some(Fate::Waived(until)) if slot.repeated.is_none() && until >= today => Some(until),
            _ => None,
        };
        match given.map(|given| given.until).chain(before).max() {
            Some(until) => standing(Phase::Waived(until), due),
            None => standing(phase, due),
        }
    }
}
