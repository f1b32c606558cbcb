//! What each loss would do, of one thing or of two.

use std::collections::BTreeMap;

use super::element::ElementId;
use super::model::{Basis, Recovery, Target};

/// A loss of one element, or of two, the lower one first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Loss {
    /// Of one.
    One(ElementId),
    /// Of two, at once.
    Two(ElementId, ElementId),
}

impl Loss {
    /// What is lost.
    pub fn elements(self) -> Vec<ElementId> {
        match self {
            Self::One(one) => vec![one],
            Self::Two(one, other) => vec![one, other],
        }
    }
}

/// What would be out of reach.
#[derive(Debug, Default)]
pub struct Losses {
    /// What is out of reach now, without any loss.
    pub gone: Vec<Target>,
    /// What would be, by the loss that does it. No loss holds another one that does the same.
    pub by: BTreeMap<Loss, Vec<Target>>,
    /// How many targets were looked at.
    pub targets: usize,
}

impl Recovery {
    /// All losses of one element, and of two if asked for, and what each puts out of reach.
    pub fn losses(&self, basis: Basis, pairs: bool, takes: impl Fn(&Target) -> bool) -> Losses {
        let cuts = self.cuts(basis);
        let mut losses = Losses::default();
        for (target, node) in self.targets().filter(|(target, _)| takes(target)) {
            losses.targets += 1;
            let its = cuts.of(node);
            if its.is_gone() {
                losses.gone.push(target.clone());
                continue;
            }
            let ones = its.ones().iter().map(|one| Loss::One(*one));
            let twos = its.twos().iter().map(|(one, other)| Loss::Two(*one, *other));
            for loss in ones.chain(twos.filter(|_| pairs)) {
                losses.by.entry(loss).or_default().push(target.clone());
            }
        }
        losses
    }
}
