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
    /// How it stands.
    pub standing: Option<Standing>,
}

/// What was due in a period; everything, where none is given. In the order of the obligations.
pub fn population(history: &History, period: Option<&RangeInclusive<NaiveDate>>) -> Vec<Owed> {
    let within = |slot: &Slot| period.is_none_or(|period| period.contains(&slot.due));
    let owed = |obligation: &Obligation| {
        let slots = history.slots(obligation).into_iter().filter(within);
        let slots: Vec<(Slot, Option<u64>)> =
            slots.map(|slot| (slot, history.entry_of(obligation, &slot))).collect();
        let standing = history.standing(obligation);
        (!slots.is_empty()).then(|| Owed { obligation: obligation.clone(), slots, standing })
    };
    history.obligations().filter_map(owed).collect()
}
