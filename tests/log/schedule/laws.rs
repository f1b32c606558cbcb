//! Whatever people do, on whichever days, under whichever rules: the slots are those of the model.

use keymuster::schedule::{Deferral, Phase, Rule, Span, Standing, slots};
use proptest::prelude::*;

use super::model::{Became, Duty, Time, became, date};

fn rule() -> impl Strategy<Value = [i64; 3]> {
    (1..40i64, 0..20i64, 0..12i64).prop_map(|(every, warn, grace)| [every, warn, grace])
}

fn duty() -> impl Strategy<Value = Duty> {
    let rules = prop::collection::btree_map(1..200i64, rule(), 0..4);
    let done = prop::collection::btree_set(0..200i64, 0..14);
    let waivers = prop::collection::vec((0..200i64, 1..60i64), 0..4);
    let span = (0..30i64, any::<bool>(), prop::option::of(0..220i64));
    (span, rule(), rules, done, waivers).prop_map(|(span, first, rules, done, waivers)| {
        let (begun, at_once, ended) = span;
        let ended = ended.map(|days| begun + days);
        let lives = |day: &i64| *day >= begun && ended.is_none_or(|ended| *day <= ended);
        Duty {
            begun,
            at_once,
            ended,
            done: done.into_iter().filter(lives).collect(),
            rules: [(0, first)].into_iter().chain(rules).collect(),
            waivers: waivers.into_iter().map(|(given, long)| [given, given + long]).collect(),
        }
    })
}

/// What the product makes of it.
fn of_product(duty: &Duty, today: i64) -> (Vec<Time<chrono::NaiveDate>>, Option<Phase>) {
    let days = |number: i64| u32::try_from(number).unwrap();
    let span = Span {
        begun: date(duty.begun),
        at_once: duty.at_once,
        ended: duty.ended.map(date),
        done: duty.done.iter().map(|day| date(*day)).collect(),
    };
    let rule = |(since, [every, warn, grace]): &(i64, [i64; 3])| {
        (date(*since), Rule { every: days(*every), warn: days(*warn), grace: days(*grace) })
    };
    let rules: Vec<_> = duty.rules.iter().map(rule).collect();
    let deferral =
        |[given, until]: &[i64; 2]| Deferral { given: date(*given), until: date(*until) };
    let deferrals: Vec<_> = duty.waivers.iter().map(deferral).collect();
    let slots = slots(&[span], &rules, &deferrals, date(today));
    let done = duty.done.iter().filter(|day| **day <= today).max().map(|day| date(*day));
    let standing = Standing::of(&slots, &deferrals, done, date(today));
    let times = slots
        .iter()
        .map(|slot| Time { opened: slot.opened, due: slot.due, fate: became(slot.fate) })
        .collect();
    (times, standing.map(|standing| standing.phase))
}

proptest! {
    #[test]
    fn slots_and_standing_are_those_of_the_model(duty in duty(), today in 0..260i64) {
        let (times, phase) = of_product(&duty, today);
        let of_model = duty.times(today).into_iter();
        let of_model: Vec<_> = of_model.map(|time| time.dated()).collect();
        prop_assert_eq!(times, of_model);
        prop_assert_eq!(phase, duty.phase(today));
    }

    /// What is over stays as it was told, whatever happens later.
    #[test]
    fn a_slot_that_is_closed_never_changes(duty in duty(), today in 0..200i64, later in 1..60i64) {
        let (before, _) = of_product(&duty, today);
        let (after, _) = of_product(&duty, today + later);
        let closed = before.split_last().map(|(_, closed)| closed).unwrap_or_default();
        prop_assert!(after.starts_with(closed), "{before:?}, then {after:?}");
    }

    /// Each slot begins where the one before it was filled, or was due.
    #[test]
    fn no_day_is_between_two_slots(duty in duty(), today in 0..260i64) {
        let (times, _) = of_product(&duty, today);
        for pair in times.windows(2) {
            let [one, next] = pair else { unreachable!() };
            let until = match one.fate {
                Became::Early(day) | Became::Done(day) | Became::Late(day) => day,
                _ => one.due,
            };
            prop_assert_eq!(next.opened, until);
        }
    }
}
