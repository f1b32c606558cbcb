//! Whatever is on record: what is lost by what is what comes of losing each thing, and each two.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use keymuster::record::{Account, Handle, State, Time};
use keymuster::recovery::{Basis, ElementId, Recovery, Shown, Target};
use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{Counts, all_elements, gets_in, same_mailbox, ways};
use super::random::stories;
use super::records::noon;

const BASES: [Basis; 2] = [Basis::Record, Basis::Proven];

fn counts(basis: Basis, now: Time) -> Counts {
    match basis {
        Basis::Record => Counts::OnRecord,
        Basis::Proven => Counts::Proven(now),
    }
}

/// What is out of reach by each least loss; by none, what is so without any.
type Told = BTreeMap<BTreeSet<String>, BTreeSet<Target>>;

fn of_product(recovery: &Recovery, basis: Basis) -> Told {
    let losses = recovery.losses(basis, true, |_| true);
    let mut told = Told::new();
    if !losses.gone.is_empty() {
        told.insert(BTreeSet::new(), losses.gone.into_iter().collect());
    }
    for (loss, targets) in losses.by {
        let elements = loss.elements().into_iter();
        let named = elements.map(|id| recovery.elements().get(id).unwrap().to_string());
        told.insert(named.collect(), targets.into_iter().collect());
    }
    told
}

/// By trying each.
fn of_model(state: &State, counts: Counts) -> Told {
    let all: Vec<String> = all_elements(state).into_iter().collect();
    let mut losses: Vec<BTreeSet<String>> = vec![BTreeSet::new()];
    losses.extend(all.iter().map(|one| BTreeSet::from([one.clone()])));
    for (place, one) in all.iter().enumerate() {
        let others = all[place + 1..].iter();
        losses.extend(others.map(|other| BTreeSet::from([one.clone(), other.clone()])));
    }
    let mut told = Told::new();
    for lost in losses {
        let out = gets_in(state, &lost, counts).into_iter().filter(|(_, is_in)| !is_in);
        for (target, _) in out {
            // None at first, then each, then each two: what a part of it does is told already.
            let does = |part: &BTreeSet<String>| {
                told.get(part).is_some_and(|targets| targets.contains(&target))
            };
            let mut parts = lost.iter().map(|one| BTreeSet::from([one.clone()]));
            if !does(&BTreeSet::new()) && !parts.any(|part| does(&part)) {
                told.entry(lost.clone()).or_default().insert(target);
            }
        }
    }
    told
}

/// The numbers of what is lost, as far as a way takes it.
fn numbers(recovery: &Recovery, lost: &BTreeSet<String>) -> BTreeSet<ElementId> {
    let elements = recovery.elements().iter();
    elements.filter(|(element, _)| lost.contains(&element.to_string())).map(|(_, id)| id).collect()
}

fn left_of(recovery: &Recovery, basis: Basis, lost: &BTreeSet<String>) -> BTreeMap<Target, bool> {
    let left = recovery.without(basis, &numbers(recovery, lost));
    recovery.targets().map(|(target, node)| (target, left.of(node))).collect()
}

/// The accounts that an account's mailbox takes, as any account tells that has the same mailbox.
fn takes(state: &State, account: &Handle) -> BTreeSet<Handle> {
    let of = |account: &Account| account.root.email.as_ref().map(|email| same_mailbox(email).0);
    let rooted = || state.accounts().iter().filter(|(_, account)| account.root.credentials);
    let mailbox = rooted().find(|(known, _)| *known == account).and_then(|(_, known)| of(known));
    let Some(mailbox) = mailbox else { return BTreeSet::new() };
    let same = rooted().filter(|(_, other)| of(other).as_ref() == Some(&mailbox));
    same.flat_map(|(_, other)| other.mailbox_through.iter().cloned()).collect()
}

/// The accounts that one comes to from an account, whose mailboxes each take the next.
fn taken_by(state: &State, start: &Handle) -> BTreeSet<Handle> {
    let mut found = BTreeSet::new();
    let mut here = vec![start.clone()];
    while let Some(account) = here.pop() {
        for next in takes(state, &account) {
            if found.insert(next.clone()) {
                here.push(next);
            }
        }
    }
    found
}

proptest! {
    // Each is put to trial by every loss: fewer of them show as much.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: ProptestConfig::default().cases / 4,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_a_loss_does_is_what_comes_of_it(story in stories()) {
        let (records, day) = story.records();
        let (state, now) = (&records.state, noon(day));
        let recovery = Recovery::of(state, now);
        for basis in BASES {
            prop_assert_eq!(
                of_product(&recovery, basis),
                of_model(state, counts(basis, now)),
                "{:?} on day {}",
                basis,
                day
            );
        }
        let known = all_elements(state);
        for (element, _) in recovery.elements().iter() {
            prop_assert!(known.contains(&element.to_string()), "{} can't be lost", element);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_what_is_left_is_that_of_the_model(
        story in stories(),
        picks in prop::collection::vec(any::<Index>(), 0..9),
    ) {
        let (records, day) = story.records();
        let (state, now) = (&records.state, noon(day));
        let all: Vec<String> = all_elements(state).into_iter().collect();
        let lost: BTreeSet<String> = picks.iter().map(|pick| pick.get(&all).clone()).collect();
        let recovery = Recovery::of(state, now);
        for basis in BASES {
            let counts = counts(basis, now);
            prop_assert_eq!(left_of(&recovery, basis, &lost), gets_in(state, &lost, counts));
            let left = recovery.ways(basis, &numbers(&recovery, &lost));
            prop_assert_eq!(left, ways(state, &lost, counts));
        }
    }

    /// As of the last day since which all that one of its ways takes was proven.
    #[test]
    fn a_target_was_last_proven_when_the_oldest_part_of_its_best_way_was(story in stories()) {
        let (records, day) = story.records();
        let (state, nothing) = (&records.state, BTreeSet::new());
        let recovery = Recovery::of(state, noon(day));
        let shown = recovery.shown();
        let on_record = gets_in(state, &nothing, Counts::OnRecord);
        let since = |day: NaiveDate| gets_in(state, &nothing, Counts::Since(day));
        let (ever, in_future) = (since(NaiveDate::MIN), since(NaiveDate::MAX));
        for (target, node) in recovery.targets() {
            let told = (on_record[&target], ever[&target], in_future[&target]);
            let expected = match shown.of(node) {
                Shown::Absent => (false, false, false),
                Shown::Never => (true, false, false),
                Shown::Nothing => (true, true, true),
                Shown::At(at) => {
                    let day = at.time.moment().date_naive();
                    prop_assert!(since(day)[&target], "{:?} was proven on {}", target, day);
                    let next = day + Days::new(1);
                    prop_assert!(!since(next)[&target], "{:?} wasn't on {}", target, next);
                    (true, true, false)
                }
            };
            prop_assert_eq!(told, expected, "{:?}", target);
        }
    }

    #[test]
    fn a_circle_is_told_wherever_an_account_is_in_one(story in stories()) {
        let (records, day) = story.records();
        let recovery = Recovery::of(&records.state, noon(day));
        for (handle, access) in recovery.accounts() {
            let is_in_one = taken_by(&records.state, handle).contains(handle);
            prop_assert_eq!(!access.circle.is_empty(), is_in_one, "{:?}", access.circle);
            for (place, account) in access.circle.iter().enumerate() {
                let next = &access.circle[(place + 1) % access.circle.len()];
                let takes = takes(&records.state, account);
                prop_assert!(takes.contains(next), "{:?}", access.circle);
            }
            let different: BTreeSet<&Handle> = access.circle.iter().collect();
            prop_assert_eq!(different.len(), access.circle.len());
            prop_assert!(access.circle.first().is_none_or(|first| first == handle));
        }
    }
}
