//! The ways into all accounts, out of the records, and what can be asked of them.

use std::collections::{BTreeMap, BTreeSet};

use super::account::WaysInto;
use super::circle::circles;
use super::cuts::Cuts;
use super::element::{ElementId, Elements};
use super::formula::{Formula, Join, NodeId, Solution, Worth};
use super::parts::Parts;
use super::way::{Access, Tried, WayKind, What};
use crate::record::{Account, Handle, Stamp, State, Time};

/// Of how many accounts whose mailboxes stand in circles the ways are told apart: each costs a
/// solution of its own.
const MAX_CIRCLED: usize = 32;

/// What counts as a way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// What is on record.
    Record,
    /// What was proven, and not longer ago than policy asks for.
    Proven,
}

/// What can be out of reach.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// The root user of an account.
    Account(Handle),
    /// What is in custody in a compartment.
    Compartment(Handle),
    /// That anything can be changed in the vault.
    Signing,
}

/// When a part was last proven, from the worst to the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Shown {
    /// It isn't there.
    Absent,
    /// Never.
    Never,
    /// Then.
    At(Stamp),
    /// There is nothing to prove.
    Nothing,
}

impl Worth for Shown {
    fn absent() -> Self {
        Self::Absent
    }
    fn all<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        parts.copied().min().unwrap_or(Self::Nothing)
    }
    fn any<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        parts.copied().max().unwrap_or(Self::Absent)
    }
}

/// The ways into each account, at a time.
#[derive(Debug)]
pub struct Recovery {
    formula: Formula,
    elements: Elements,
    told: Vec<(What, Option<Tried>)>,
    accounts: BTreeMap<Handle, Access>,
    /// Accounts without root credentials.
    central: BTreeSet<Handle>,
    compartments: BTreeMap<Handle, NodeId>,
    signing: NodeId,
    now: Time,
}

impl Recovery {
    /// Out of what is on record.
    pub fn of(state: &State, now: Time) -> Self {
        let mut parts = Parts::new(state);
        let accounts = state.accounts();
        let has_credentials = |account: &Account| account.root.credentials;
        let mut targets = BTreeMap::new();
        for (handle, _) in accounts.iter().filter(|(_, account)| has_credentials(account)) {
            targets.insert(handle.clone(), parts.formula.target());
        }
        let circles = circles(state);
        let mut ways = BTreeMap::new();
        for (handle, target) in &targets {
            let Some(account) = accounts.get(handle) else { continue };
            let mut access =
                WaysInto { parts: &mut parts, handle, account, targets: &targets }.access();
            parts.formula.aim(*target, access.node);
            access.circle = circles.get(handle).cloned().unwrap_or_default();
            ways.insert(handle.clone(), access);
        }
        let kept = state.secrets().values().filter_map(|secret| secret.present());
        let kept: BTreeSet<&Handle> = kept.map(|generation| &generation.compartment).collect();
        let compartments =
            kept.into_iter().map(|name| (name.clone(), parts.compartment(name))).collect();
        let signing = parts.signing();
        let Parts { formula, elements, told, .. } = parts;
        let central = accounts.iter().filter(|(_, account)| !has_credentials(account));
        let central = central.map(|(handle, _)| handle.clone()).collect();
        Self { formula, elements, told, accounts: ways, central, compartments, signing, now }
    }

    /// The accounts that have a root user to get into.
    pub fn accounts(&self) -> &BTreeMap<Handle, Access> {
        &self.accounts
    }

    /// The circles that mailboxes are in, each once: as it begins with its first account by name.
    pub fn circles(&self) -> impl Iterator<Item = &[Handle]> {
        let circles = self.accounts.values().map(|access| access.circle.as_slice());
        circles
            .filter(|circle| circle.iter().min().is_some_and(|least| circle.first() == Some(least)))
    }

    /// The accounts without root credentials, which their organisation gets into.
    pub fn central(&self) -> &BTreeSet<Handle> {
        &self.central
    }

    /// What can be out of reach, and the node that says whether it is.
    pub fn targets(&self) -> impl Iterator<Item = (Target, NodeId)> {
        let accounts = self
            .accounts
            .iter()
            .map(|(handle, access)| (Target::Account(handle.clone()), access.node));
        let compartments =
            self.compartments.iter().map(|(name, node)| (Target::Compartment(name.clone()), *node));
        accounts.chain(compartments).chain([(Target::Signing, self.signing)])
    }

    /// What can be lost.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// What a node is made of.
    pub fn join(&self, node: NodeId) -> &Join {
        self.formula.join(node)
    }

    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.formula.len()
    }

    /// What a node is.
    pub fn what(&self, node: NodeId) -> Option<&What> {
        self.told.get(node.place()).map(|(what, _)| what)
    }

    /// When a node was tried, where it has to be to count as proven.
    pub fn tried(&self, node: NodeId) -> Option<Tried> {
        self.told.get(node.place()).and_then(|(_, tried)| *tried)
    }

    /// Whether a node counts, beside what it is made of.
    fn counts(&self, node: NodeId, basis: Basis) -> bool {
        basis == Basis::Record || self.tried(node).is_none_or(|tried| tried.holds(self.now))
    }

    /// What there is once some elements are lost.
    pub fn without(&self, basis: Basis, lost: &BTreeSet<ElementId>) -> Solution<bool> {
        let element = |id| !lost.contains(&id);
        self.formula.solve(element, |node, there| there && self.counts(node, basis))
    }

    /// The ways into each account that there are once some elements are lost. A way that takes
    /// being in the account already is none.
    pub fn ways(
        &self,
        basis: Basis,
        lost: &BTreeSet<ElementId>,
    ) -> BTreeMap<&Handle, Vec<WayKind>> {
        let all = self.without(basis, lost);
        let circled = self.accounts.iter().filter(|(_, access)| !access.circle.is_empty());
        let looked_at: BTreeSet<&Handle> =
            circled.map(|(handle, _)| handle).take(MAX_CIRCLED).collect();
        let mut ways = BTreeMap::new();
        for (handle, access) in &self.accounts {
            let there = match (access.circle.is_empty(), looked_at.contains(handle)) {
                (true, _) => access.there(&all),
                (false, true) => access.there(&self.from_outside(basis, lost, handle)),
                // Of more circles than people make, the ways that take a mailbox aren't counted.
                (false, false) => {
                    let mut there = access.there(&all);
                    there.retain(|kind| *kind == WayKind::SignIn);
                    there
                }
            };
            ways.insert(handle, there);
        }
        ways
    }

    /// What there is, once some elements are lost, to somebody who isn't in an account yet.
    pub fn from_outside(
        &self,
        basis: Basis,
        lost: &BTreeSet<ElementId>,
        account: &Handle,
    ) -> Solution<bool> {
        let is_through = |node| matches!(self.what(node), Some(What::Through(to)) if to == account);
        let element = |id| !lost.contains(&id);
        let own = |node, there| there && self.counts(node, basis) && !is_through(node);
        self.formula.solve(element, own)
    }

    /// What undoes each node, of one loss and of two.
    pub fn cuts(&self, basis: Basis) -> Solution<Cuts> {
        let own = |node, cuts| if self.counts(node, basis) { cuts } else { Cuts::absent() };
        self.formula.solve(Cuts::of, own)
    }

    /// When each node was last proven, by what is oldest of its parts.
    pub fn shown(&self) -> Solution<Shown> {
        let own = |node, parts: Shown| match self.tried(node) {
            Some(tried) => parts.min(tried.passed.map_or(Shown::Never, Shown::At)),
            None => parts,
        };
        self.formula.solve(|_| Shown::Nothing, own)
    }
}
