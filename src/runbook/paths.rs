//! Where the steps of a runbook lead: whether each is reached, and the end from each.

use super::{Step, Target};

/// What is wrong with the ways through some steps, by their places.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Astray {
    /// Steps that no way leads to.
    pub(super) unreachable: Vec<usize>,
    /// Steps that are reached, and from which no way leads to the end.
    pub(super) endless: Vec<usize>,
    /// Whether the end isn't reached at all.
    pub(super) no_end: bool,
}

/// Follows every way from the first step on.
pub(super) fn follow(steps: &[Step]) -> Astray {
    let ways: Vec<Vec<Target>> = steps.iter().map(Step::ways_on).collect();
    let mut reached = vec![false; steps.len()];
    let mut ahead = vec![0];
    while let Some(place) = ahead.pop() {
        let Some(seen) = reached.get_mut(place).filter(|seen| !**seen) else { continue };
        *seen = true;
        ahead.extend(ways.get(place).into_iter().flatten().filter_map(|way| match way {
            Target::Step(place) => Some(*place),
            Target::End => None,
        }));
    }
    let ends = from_the_end(&ways);
    let places = |wanted: fn(bool, bool) -> bool| -> Vec<usize> {
        let both = reached.iter().zip(&ends).enumerate();
        both.filter(|(_, (reached, ends))| wanted(**reached, **ends)).map(|(at, _)| at).collect()
    };
    Astray {
        unreachable: places(|reached, _| !reached),
        endless: places(|reached, ends| reached && !ends),
        no_end: !ends.first().is_some_and(|ends| *ends),
    }
}

/// From which steps the end is reached: those that lead to it, those that lead to these, and so
/// on.
fn from_the_end(ways: &[Vec<Target>]) -> Vec<bool> {
    let mut from: Vec<Vec<usize>> = vec![Vec::new(); ways.len()];
    let mut ahead = Vec::new();
    for (place, ways) in ways.iter().enumerate() {
        for way in ways {
            match way {
                Target::End => ahead.push(place),
                Target::Step(to) => from.get_mut(*to).into_iter().for_each(|to| to.push(place)),
            }
        }
    }
    let mut ends = vec![false; ways.len()];
    while let Some(place) = ahead.pop() {
        if let Some(known) = ends.get_mut(place).filter(|known| !**known) {
            *known = true;
            ahead.extend(from.get(place).into_iter().flatten());
        }
    }
    ends
}
