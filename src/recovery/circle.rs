//! Mailboxes that can't be read without the accounts that they protect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::shared::{Shared, mailbox_of};
use crate::record::{Handle, State};

/// How many steps are taken in all to find the shortest circles: enough for thousands of small ones.
const MAX_STEPS: usize = 1_000_000;

/// What each account's mailbox stands on.
type Through<'s> = BTreeMap<&'s Handle, BTreeSet<&'s Handle>>;

/// The accounts whose mailboxes stand on one another in a circle, each with the shortest such circle
/// that begins with it. Where there are more and longer ones than people make, the last ones are told
/// as standing on themselves, which they do by way of others.
pub(super) fn circles(state: &State) -> BTreeMap<Handle, Vec<Handle>> {
    let shared = Shared::of(state);
    let mut through = Through::new();
    for (handle, account) in state.accounts() {
        let mailbox = mailbox_of(account);
        let known = mailbox.and_then(|mailbox| shared.through.get(&mailbox)).into_iter().flatten();
        let known = known.filter_map(|other| state.accounts().get_key_value(other));
        let rooted = known.filter(|(_, other)| other.root.credentials).map(|(other, _)| other);
        let rooted: BTreeSet<&Handle> = rooted.collect();
        if account.root.credentials && !rooted.is_empty() {
            through.insert(handle, rooted);
        }
    }
    peel(&mut through);
    let mut left = MAX_STEPS;
    let mut found = BTreeMap::new();
    for start in through.keys() {
        if let Some(circle) = shortest(&through, start, &mut left) {
            found.insert((*start).clone(), circle);
        }
    }
    found
}

/// Takes away what stands on nothing that is left, and what nothing that is left stands on, until only
/// circles are left, and what lies between two of them.
fn peel(through: &mut Through<'_>) {
    let mut on: BTreeMap<&Handle, BTreeSet<&Handle>> = BTreeMap::new();
    for (handle, others) in through.iter() {
        others.iter().for_each(|other| {
            on.entry(other).or_default().insert(handle);
        });
    }
    let all: BTreeSet<&Handle> = through.keys().chain(on.keys()).copied().collect();
    let mut queue: VecDeque<&Handle> = all.into_iter().collect();
    while let Some(handle) = queue.pop_front() {
        let none = |of: Option<&BTreeSet<&Handle>>| of.is_none_or(BTreeSet::is_empty);
        if !none(through.get(handle)) && !none(on.get(handle)) {
            continue;
        }
        for other in through.remove(handle).unwrap_or_default() {
            on.get_mut(other).into_iter().for_each(|those| {
                those.remove(handle);
            });
            queue.push_back(other);
        }
        for other in on.remove(handle).unwrap_or_default() {
            through.get_mut(other).into_iter().for_each(|those| {
                those.remove(handle);
            });
            queue.push_back(other);
        }
    }
}

/// The shortest circle that begins with an account, if there is one, while steps are left.
fn shortest(through: &Through<'_>, start: &Handle, left: &mut usize) -> Option<Vec<Handle>> {
    // Breadth first; whence each was reached leads back.
    let mut from: BTreeMap<&Handle, &Handle> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(here) = queue.pop_front() {
        for next in through.get(here).into_iter().flatten() {
            if *left == 0 {
                return Some(vec![start.clone()]);
            }
            *left -= 1;
            if *next == start {
                let back = std::iter::successors(Some(here), |at| from.get(at).copied());
                let mut circle: Vec<Handle> = back.cloned().collect();
                circle.reverse();
                return Some(circle);
            }
            if !from.contains_key(next) {
                from.insert(next, here);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peeled(links: &[(&str, &str)]) -> (Vec<Handle>, BTreeMap<Handle, BTreeSet<Handle>>) {
        let links: Vec<(Handle, Handle)> =
            links.iter().map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).collect();
        let mut through = Through::new();
        for (one, other) in &links {
            through.entry(one).or_default().insert(other);
        }
        peel(&mut through);
        let left = through.keys().map(|handle| (*handle).clone()).collect();
        let owned = |(handle, others): (&&Handle, &BTreeSet<&Handle>)| {
            ((*handle).clone(), others.iter().map(|other| (*other).clone()).collect())
        };
        (left, through.iter().map(owned).collect())
    }

    #[test]
    fn what_stands_in_no_circle_is_peeled_off() {
        let (left, _) = peeled(&[("a", "b"), ("b", "c"), ("x", "a")]);
        assert_eq!(left, [""; 0].map(|text| text.parse::<Handle>().unwrap()));
        let (left, through) = peeled(&[("a", "b"), ("b", "a"), ("x", "a"), ("b", "y"), ("s", "s")]);
        let names: Vec<&str> = left.iter().map(Handle::as_str).collect();
        assert_eq!(names, ["a", "b", "s"]);
        assert_eq!(through[&left[1]].len(), 1, "what it stands on beside the circle is gone");
    }

    #[test]
    fn a_shortest_circle_begins_with_whose_mailbox_it_is() {
        let handles: Vec<Handle> =
            ["a", "b", "c"].into_iter().map(|text| text.parse().unwrap()).collect();
        let [a, b, c] = &handles[..] else { panic!() };
        let through = Through::from([(a, [b].into()), (b, [a, c].into()), (c, [a].into())]);
        let circle = |start, mut left| shortest(&through, start, &mut left);
        assert_eq!(circle(a, 100), Some(vec![a.clone(), b.clone()]));
        assert_eq!(circle(c, 100), Some(vec![c.clone(), a.clone(), b.clone()]));
        assert_eq!(circle(c, 1), Some(vec![c.clone()]), "no steps are left");
    }
}
