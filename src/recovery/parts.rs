//! The parts that several ways have in common: people, places, keys, and what opens compartments.

use std::collections::BTreeMap;

use super::element::{Element, Elements, levels, plain};
use super::formula::{Formula, Join, NodeId};
use super::shared::Shared;
use super::way::{Gap, Tried, What};
use crate::record::{Handle, KeyName, Line, PAPER, State};

/// How many places around a place are told apart.
const MAX_LEVELS: usize = 16;

/// A formula that is being made, with what each node is.
pub(super) struct Parts<'s> {
    pub state: &'s State,
    pub formula: Formula,
    pub elements: Elements,
    /// What each node is, and when it was tried, where it has to be to count as proven.
    pub told: Vec<(What, Option<Tried>)>,
    /// What is known of each mailbox and telephone by way of any account that has it.
    shared: Shared,
    anybody: Option<NodeId>,
    places: BTreeMap<Line, NodeId>,
    keys: BTreeMap<KeyName, NodeId>,
    compartments: BTreeMap<Handle, NodeId>,
}

impl<'s> Parts<'s> {
    pub fn new(state: &'s State) -> Self {
        let (formula, elements) = (Formula::default(), Elements::default());
        Self {
            state,
            formula,
            elements,
            told: Vec::new(),
            shared: Shared::of(state),
            anybody: None,
            places: BTreeMap::new(),
            keys: BTreeMap::new(),
            compartments: BTreeMap::new(),
        }
    }

    /// Whether a mailbox or telephone failed when it was last tried for any account.
    pub fn fails(&self, element: &Element) -> bool {
        self.shared.failing.contains(element)
    }

    /// The accounts without which a mailbox can't be read, by way of any account that has it.
    pub fn through(&self, mailbox: &Element) -> Vec<Handle> {
        self.shared.through.get(mailbox).into_iter().flatten().cloned().collect()
    }

    pub fn push(&mut self, what: What, join: Join, tried: Option<Tried>) -> NodeId {
        self.told.push((what, tried));
        self.formula.push(join)
    }

    pub fn all(&mut self, what: What, parts: Vec<NodeId>) -> NodeId {
        self.push(what, Join::All(parts), None)
    }

    /// Any of these; where there is none, what is missing instead.
    pub fn any_or(&mut self, what: What, mut parts: Vec<NodeId>, gap: Gap) -> NodeId {
        if parts.is_empty() {
            parts.push(self.missing(gap));
        }
        self.push(what, Join::Any(parts), None)
    }

    pub fn missing(&mut self, gap: Gap) -> NodeId {
        self.push(What::Missing(gap), Join::Absent, None)
    }

    pub fn element(
        &mut self,
        what: What,
        element: Element,
        called: Option<&dyn std::fmt::Display>,
    ) -> NodeId {
        let id = self.elements.id_of(element, called);
        self.push(what, Join::Element(id), None)
    }

    pub fn person(&mut self, who: &Handle) -> NodeId {
        if self.state.former_custodians().contains_key(who) {
            return self.missing(Gap::HasLeft(who.clone()));
        }
        self.element(What::Person(who.clone()), Element::Person(who.clone()), None)
    }

    /// A place, with a custodian who goes there, and what it is in: `safe 2, Leeds` is lost with
    /// Leeds.
    pub fn place(&mut self, place: &Line) -> NodeId {
        if let Some(known) = self.places.get(place) {
            return *known;
        }
        let mut parts = vec![self.anybody()];
        let levels = levels(place.as_str());
        for inner in 0..levels.len().clamp(1, MAX_LEVELS) {
            let called = levels.get(inner..).unwrap_or_default().join(", ");
            let element = Element::Place(plain(&called));
            parts.push(self.element(What::Itself, element, Some(&called)));
        }
        let node = self.all(What::Place(place.clone()), parts);
        self.places.insert(place.clone(), node);
        node
    }

    /// Any of the custodians.
    fn anybody(&mut self) -> NodeId {
        if let Some(known) = self.anybody {
            return known;
        }
        let state = self.state;
        let all = state.custodians().keys().map(|who| self.person(who)).collect();
        let node = self.push(What::Anybody, Join::Any(all), None);
        self.anybody = Some(node);
        node
    }

    /// A key in somebody's hand who knows its PIN: whoever has it, or its place; and its owner, or
    /// the envelope with its PIN.
    pub fn key(&mut self, name: &KeyName) -> NodeId {
        if let Some(known) = self.keys.get(name) {
            return *known;
        }
        let node = match self.state.active_key(name) {
            None => self.missing(Gap::Inactive(name.clone())),
            Some(key) => {
                let itself = self.element(What::Itself, Element::Key(name.clone()), None);
                let at = match &key.place {
                    Some(place) => self.place(place),
                    None => self.person(&key.holder),
                };
                let owner = self.person(&name.owner);
                let envelope = key.pin_place.as_ref().map(|place| self.place(place));
                let knows: Vec<NodeId> = std::iter::once(owner).chain(envelope).collect();
                let pin = self.push(What::Pin(name.clone()), Join::Any(knows), None);
                self.all(What::Key(name.clone()), vec![itself, at, pin])
            }
        };
        self.keys.insert(name.clone(), node);
        node
    }

    /// A key that opens or signs: that it can is shown by whatever it signed last.
    fn key_in_use(&mut self, name: &KeyName) -> NodeId {
        let (node, days) = (self.key(name), self.state.policy().check_days);
        let passed = self.state.keys().get(name).map(|known| known.last_seen);
        let what = What::KeyInUse(name.clone());
        self.push(what, Join::All(vec![node]), Some(Tried { passed, days }))
    }

    /// Whoever opens a compartment: with a key that holds their present identity, or with its
    /// paper copy, by stock age.
    pub fn compartment(&mut self, name: &Handle) -> NodeId {
        if let Some(known) = self.compartments.get(name) {
            return *known;
        }
        let state = self.state;
        let mut openers = Vec::new();
        for who in state.openers_of(name) {
            for key in state.working_keys(&who) {
                openers.push(self.key_in_use(key));
            }
            openers.extend(self.paper(&who));
        }
        let what = What::Compartment(name.clone());
        let node = self.any_or(what, openers, Gap::NobodyOpens);
        self.compartments.insert(name.clone(), node);
        node
    }

    /// The paper copy of a custodian's present identity, if there is one that nobody reported. No
    /// record shows that it was tried.
    fn paper(&mut self, who: &Handle) -> Option<NodeId> {
        let slot = KeyName { owner: who.clone(), label: PAPER.parse().ok()? };
        let sealed = self.state.identities().get(&slot)?;
        let is_present = self.state.recipient_of(who) == Some(&sealed.recipient);
        if !is_present || self.state.paper_report(&slot).is_some() {
            return None;
        }
        let itself = self.element(What::Itself, Element::Paper(who.clone()), None);
        let parts = vec![itself, self.anybody()];
        let tried = Tried { passed: None, days: self.state.policy().check_days };
        Some(self.push(What::Paper(who.clone()), Join::All(parts), Some(tried)))
    }

    /// That as many custodians can sign as must: two of them, once there were two.
    pub fn signing(&mut self) -> NodeId {
        let state = self.state;
        let mut able = Vec::new();
        for who in state.custodians().keys() {
            let own =
                state.keys().iter().filter(|(name, key)| name.owner == *who && key.is_active());
            let own: Vec<NodeId> = own.map(|(name, _)| self.key_in_use(name)).collect();
            if own.is_empty() {
                continue;
            }
            let person = self.person(who);
            let keys = self.push(What::Keys, Join::Any(own), None);
            able.push(self.all(What::Signer(who.clone()), vec![person, keys]));
        }
        if state.quorum() < 2 {
            return self.push(What::Signing, Join::Any(able), None);
        }
        // At least two of them: whoever is left out, another one can.
        let others = |out: &NodeId| able.iter().filter(|who| *who != out).copied().collect();
        let mut each: Vec<NodeId> = Vec::new();
        for out in &able {
            let others: Vec<NodeId> = others(out);
            each.push(self.push(What::Signing, Join::Any(others), None));
        }
        if each.is_empty() {
            each.push(self.push(What::Signing, Join::Any(Vec::new()), None));
        }
        self.all(What::Signing, each)
    }
}
