//! Losses that undo something: the minimal sets of one element and of two.
//!
//! They are found from the bottom up: *all of* fails where any part fails, *any of* where all do. A
//! set of two that undoes the whole is put together of sets of no more than two that undo parts, so
//! that sets of three can be left out at every node, and the result is complete.

use super::element::ElementId;
use super::formula::Worth;

/// The losses, of no more than two elements, that undo something. None holds another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cuts {
    /// It isn't there, without any loss.
    gone: bool,
    /// Losses of one element; sorted.
    ones: Vec<ElementId>,
    /// Losses of two; sorted, the lower one first in each.
    twos: Vec<(ElementId, ElementId)>,
}

impl Cuts {
    /// Of an element: losing it.
    pub fn of(element: ElementId) -> Self {
        Self { ones: vec![element], ..Self::default() }
    }

    /// Whether it isn't there, without any loss.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// The single losses that undo it, sorted.
    pub fn ones(&self) -> &[ElementId] {
        &self.ones
    }

    /// The losses of two that undo it, neither of which does alone; sorted, the lower one first in
    /// each.
    pub fn twos(&self) -> &[(ElementId, ElementId)] {
        &self.twos
    }

    /// Whether no loss of one or two undoes it.
    fn is_safe(&self) -> bool {
        !self.gone && self.ones.is_empty() && self.twos.is_empty()
    }

    fn new(ones: Vec<ElementId>, mut twos: Vec<(ElementId, ElementId)>) -> Self {
        let has = |one: &ElementId| ones.binary_search(one).is_ok();
        twos.retain(|(one, other)| !has(one) && !has(other));
        twos.sort_unstable();
        twos.dedup();
        Self { gone: false, ones, twos }
    }

    fn and(self, other: &Self) -> Self {
        if self.gone || other.gone {
            return Self { gone: true, ..Self::default() };
        }
        if other.is_safe() {
            return self;
        }
        let mut ones = [self.ones, other.ones.clone()].concat();
        ones.sort_unstable();
        ones.dedup();
        Self::new(ones, [self.twos, other.twos.clone()].concat())
    }

    fn or(self, other: &Self) -> Self {
        if self.gone {
            return other.clone();
        }
        if other.gone {
            return self;
        }
        let has = |cuts: &Self, one: &ElementId| cuts.ones.binary_search(one).is_ok();
        let (both, left): (Vec<ElementId>, Vec<ElementId>) =
            self.ones.iter().partition(|one| has(other, one));
        let right: Vec<ElementId> =
            other.ones.iter().filter(|one| !has(&self, one)).copied().collect();
        let mut twos = Vec::new();
        for one in &left {
            twos.extend(right.iter().map(|other| (*one.min(other), *one.max(other))));
        }
        let undoes = |cuts: &Self, pair: &(ElementId, ElementId)| {
            has(cuts, &pair.0) || has(cuts, &pair.1) || cuts.twos.binary_search(pair).is_ok()
        };
        twos.extend(self.twos.iter().filter(|pair| undoes(other, pair)));
        twos.extend(other.twos.iter().filter(|pair| undoes(&self, pair)));
        Self::new(both, twos)
    }
}

impl Worth for Cuts {
    fn absent() -> Self {
        Self { gone: true, ..Self::default() }
    }

    fn all<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        let mut whole = Self::default();
        for part in parts {
            if whole.gone {
                break;
            }
            whole = whole.and(part);
        }
        whole
    }

    fn any<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        let mut whole = Self::absent();
        for part in parts {
            if whole.is_safe() {
                break;
            }
            whole = whole.or(part);
        }
        whole
    }
}
