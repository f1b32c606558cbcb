//! Formulas of *all of* and *any of*, some of which stand on others in circles, and their solution.
//!
//! A node is solved for whatever has a [`Worth`]: for yes or no, for a date, for the losses that
//! undo it. What stands on itself alone is never true: solutions are the least ones, as those of
//! somebody who begins with nothing and gets into one account after the other.

use std::collections::VecDeque;

use super::element::ElementId;

/// The number of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(usize);

impl NodeId {
    /// Its place among all nodes, in the order in which they were made.
    pub(super) fn place(self) -> usize {
        self.0
    }
}

/// The number of a target: a node that others may stand on before it is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TargetId(usize);

/// What a node is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Join {
    /// Something that can be lost.
    Element(ElementId),
    /// What isn't there.
    Absent,
    /// All of these; of none, it is there.
    All(Vec<NodeId>),
    /// Any of these; of none, it isn't there.
    Any(Vec<NodeId>),
    /// Whatever a target is.
    Into(TargetId),
}

/// What a node can be solved for. The better the parts, the better the whole, and there is no
/// endless way up: else no circle would come to rest.
pub trait Worth: Clone + PartialEq {
    /// What isn't there is worth that; nothing is worth less.
    fn absent() -> Self;
    /// The worth of all of these together.
    fn all<'a>(parts: impl Iterator<Item = &'a Self>) -> Self
    where
        Self: 'a;
    /// The worth of the best of these.
    fn any<'a>(parts: impl Iterator<Item = &'a Self>) -> Self
    where
        Self: 'a;
}

impl Worth for bool {
    fn absent() -> Self {
        false
    }
    fn all<'a>(mut parts: impl Iterator<Item = &'a Self>) -> Self {
        parts.all(|part| *part)
    }
    fn any<'a>(mut parts: impl Iterator<Item = &'a Self>) -> Self {
        parts.any(|part| *part)
    }
}

/// A formula: nodes that stand on those before them, and on targets.
#[derive(Debug, Default)]
pub struct Formula {
    nodes: Vec<Join>,
    targets: Vec<Option<NodeId>>,
}

impl Formula {
    /// A new node.
    pub fn push(&mut self, join: Join) -> NodeId {
        self.nodes.push(join);
        NodeId(self.nodes.len() - 1)
    }

    /// A new target, that is nothing yet.
    pub fn target(&mut self) -> TargetId {
        self.targets.push(None);
        TargetId(self.targets.len() - 1)
    }

    /// Makes a target what a node is.
    pub fn aim(&mut self, target: TargetId, node: NodeId) {
        if let Some(known) = self.targets.get_mut(target.0) {
            *known = Some(node);
        }
    }

    /// What a target is.
    pub fn node_of(&self, target: TargetId) -> Option<NodeId> {
        self.targets.get(target.0).copied().flatten()
    }

    /// What a node is made of.
    pub fn join(&self, node: NodeId) -> &Join {
        self.nodes.get(node.0).unwrap_or(&Join::Absent)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Solves all nodes: `element` says what an element is worth, and `own` what becomes of the
    /// worth of a node's parts by what the node is itself, which is no more than they are.
    pub fn solve<W: Worth>(
        &self,
        element: impl Fn(ElementId) -> W,
        own: impl Fn(NodeId, W) -> W,
    ) -> Solution<W> {
        let mut worth: Vec<W> = Vec::with_capacity(self.nodes.len());
        let value = |worth: &[W], node: NodeId| {
            let at = |part: &NodeId| worth.get(part.0);
            let joined = match self.join(node) {
                Join::Element(id) => element(*id),
                Join::Absent => W::absent(),
                Join::All(parts) => W::all(parts.iter().filter_map(at)),
                Join::Any(parts) => W::any(parts.iter().filter_map(at)),
                Join::Into(target) => {
                    let known = self.node_of(*target).and_then(|node| at(&node).cloned());
                    known.unwrap_or_else(W::absent)
                }
            };
            own(node, joined)
        };
        for node in (0..self.nodes.len()).map(NodeId) {
            let found = value(&worth, node);
            worth.push(found);
        }
        self.settle(&mut worth, value);
        Solution(worth)
    }

    /// Looks again at what stands on targets that weren't known yet, until nothing changes.
    fn settle<W: Worth>(&self, worth: &mut [W], value: impl Fn(&[W], NodeId) -> W) {
        let is_into = |node: &NodeId| matches!(self.join(*node), Join::Into(_));
        let intos: Vec<NodeId> = (0..self.nodes.len()).map(NodeId).filter(is_into).collect();
        if intos.is_empty() {
            return;
        }
        let parents = self.parents();
        let mut queue: VecDeque<NodeId> = intos.into();
        let mut queued = vec![false; self.nodes.len()];
        for node in &queue {
            queued.get_mut(node.0).into_iter().for_each(|flag| *flag = true);
        }
        while let Some(node) = queue.pop_front() {
            queued.get_mut(node.0).into_iter().for_each(|flag| *flag = false);
            let found = value(worth, node);
            let Some(known) = worth.get_mut(node.0) else { continue };
            if *known == found {
                continue;
            }
            *known = found;
            for parent in parents.get(node.0).into_iter().flatten() {
                if let Some(flag) = queued.get_mut(parent.0).filter(|flag| !**flag) {
                    *flag = true;
                    queue.push_back(*parent);
                }
            }
        }
    }

    /// What stands on each node.
    fn parents(&self) -> Vec<Vec<NodeId>> {
        let mut parents: Vec<Vec<NodeId>> = vec![Vec::new(); self.nodes.len()];
        for node in (0..self.nodes.len()).map(NodeId) {
            let mut stands_on = |part: NodeId| {
                parents.get_mut(part.0).into_iter().for_each(|all| all.push(node));
            };
            match self.join(node) {
                Join::All(parts) | Join::Any(parts) => parts.iter().copied().for_each(stands_on),
                Join::Into(target) => {
                    self.node_of(*target).into_iter().for_each(&mut stands_on);
                }
                Join::Element(_) | Join::Absent => {}
            }
        }
        parents
    }
}

/// What each node is worth.
#[derive(Debug)]
pub struct Solution<W>(Vec<W>);

impl<W: Worth> Solution<W> {
    /// What a node is worth.
    pub fn of(&self, node: NodeId) -> W {
        self.0.get(node.0).cloned().unwrap_or_else(W::absent)
    }
}
