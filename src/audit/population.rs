//! All that was ever to be done, each time of it, and what became of it: auditors test whether all
//! is there, not what went well.

use std::ops::RangeInclusive;

use chrono::NaiveDate;

use crate::schedule::{History, Obligation, Slot, Standing};

/// Something that was to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owed {
    /// What.
    pub obligation: Obligation,
    /// Each time, and the entry that made of it what it became, if one did.
    pub slots: Vec<(Slot, Option<u64>)>,
    /// How many times before the first that the schedule tells there were: of each thing it tells so many
    /// at most.
    pub left_out: u32,
    /// How it stands.
    pub standing: Option<Standing>,
}

/// What was due in a period; everything, where none is given. In the order of the obligations.
pub fn population(history: &History, period: Option<&RangeInclusive<NaiveDate>>) -> Vec<Owed> {
    let within = |slot: &Slot| period.is_none_or(|period| period.contains(&slot.due));
    let owed = |obligation: &Obligation| {
        let all = history.slots(obligation);
        let left_out = all.first().map_or(0, |first| first.number.saturating_sub(1));
        let slots = all.into_iter().filter(within);
        let slots: Vec<(Slot, Option<u64>)> =
            slots.map(|slot| (slot, history.entry_of(obligation, &slot))).collect();
        let standing = history.standing(obligation);
        let obligation = obligation.clone();
        (!slots.is_empty()).then_some(Owed { obligation, slots, left_out, standing })
    };
    history.obligations().filter_map(owed).collect()
}
