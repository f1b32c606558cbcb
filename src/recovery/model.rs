//! The ways into all accounts, out of the records.
//!
//! What AWS asks for, and where it says so, is in `docs/recovery.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::cuts::Cuts;
use super::element::{Element, ElementId, Elements};
use super::formula::{Formula, Join, NodeId, Solution, TargetId, Worth};
use super::parts::Parts;
use super::way::{Gap, Tried, WayKind, What};
use crate::record::{
    Account, Device, DeviceName, Handle, Outcome, SecretKind, SecretName, Stamp, State, Time,
    Trial, TrialKind,
};

/// Of how many accounts whose mailboxes stand in circles the ways are told apart: each costs a
/// solution of its own.
const MAX_CIRCLED: usize = 256;

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

/// The ways into an account.
#[derive(Debug)]
pub struct Access {
    /// Any of them.
    pub node: NodeId,
    /// Each of them.
    pub ways: Vec<(WayKind, NodeId)>,
    /// The accounts of a circle that its mailbox is in: this one first.
    pub circle: Vec<Handle>,
}

impl Access {
    /// The ways that there are, by a solution.
    fn there(&self, solution: &Solution<bool>) -> Vec<WayKind> {
        let there = self.ways.iter().filter(|(_, way)| solution.of(*way));
        there.map(|(kind, _)| *kind).collect()
    }
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
                Into { parts: &mut parts, handle, account, targets: &targets }.access();
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

/// The accounts whose mailboxes stand on one another in a circle, each with one such circle that
/// begins with it.
fn circles(state: &State) -> BTreeMap<Handle, Vec<Handle>> {
    let through = |handle: &Handle| {
        let known = state.accounts().get(handle).filter(|account| account.root.credentials);
        known.map(|account| account.mailbox_through.as_slice()).unwrap_or_default()
    };
    let circle = |start: &Handle| -> Option<Vec<Handle>> {
        // The shortest, breadth first; whence each was reached leads back.
        let mut from: BTreeMap<&Handle, &Handle> = BTreeMap::new();
        let mut reached: Vec<&Handle> = vec![start];
        let mut place = 0;
        while let Some(here) = reached.get(place).copied() {
            place += 1;
            for next in through(here) {
                if next == start {
                    let mut back = vec![here.clone()];
                    let mut at = here;
                    while let Some(before) = from.get(at) {
                        back.push((*before).clone());
                        at = before;
                    }
                    back.reverse();
                    return Some(back);
                }
                let known = state.accounts().get_key_value(next).map(|(known, _)| known);
                if let Some(known) = known.filter(|known| !from.contains_key(*known)) {
                    from.insert(known, here);
                    reached.push(known);
                }
            }
        }
        None
    };
    let some = state.accounts().iter().filter(|(_, account)| !account.mailbox_through.is_empty());
    some.filter_map(|(handle, _)| Some((handle.clone(), circle(handle)?))).collect()
}

/// The making of the ways into one account.
struct Into<'a, 's> {
    parts: &'a mut Parts<'s>,
    handle: &'a Handle,
    account: &'s Account,
    targets: &'a BTreeMap<Handle, TargetId>,
}

impl Into<'_, '_> {
    fn access(mut self) -> Access {
        let password = self.password();
        let devices = self.devices();
        let address = self.account.root.email.is_none().then(|| self.parts.missing(Gap::NoEmail));
        let mailbox = self.mailbox();
        let mut ways = vec![
            (WayKind::SignIn, address.into_iter().chain([password, devices]).collect()),
            (WayKind::PasswordReset, vec![mailbox, devices]),
        ];
        if self.account.identity.is_aws() {
            let phone = self.phone();
            ways.push((WayKind::LostMfa, vec![mailbox, phone]));
        }
        let ways: Vec<(WayKind, NodeId)> = ways
            .into_iter()
            .map(|(kind, parts)| (kind, self.parts.all(What::Way(kind), parts)))
            .collect();
        let any = Join::Any(ways.iter().map(|(_, node)| *node).collect());
        let node = self.parts.push(What::Account(self.handle.clone()), any, None);
        Access { node, ways, circle: Vec::new() }
    }

    /// How a trial went; nothing if it never was made. What failed is missing until it passes.
    fn trial(&self, kind: &TrialKind, days: u32) -> Result<Tried, Gap> {
        let trial: Option<&Trial> = self.account.trials.get(kind);
        match trial.map(|trial| trial.outcome) {
            Some(Outcome::Failed) => Err(Gap::Failed(kind.clone())),
            _ => Ok(Tried { passed: trial.and_then(|trial| trial.passed), days }),
        }
    }

    /// Something that counts as proven when a trial of it passed, of these parts.
    fn proven(&mut self, what: What, parts: Vec<NodeId>, tried: Result<Tried, Gap>) -> NodeId {
        match tried {
            Ok(tried) => self.parts.push(what, Join::All(parts), Some(tried)),
            Err(gap) => {
                let missing = self.parts.missing(gap);
                self.parts.all(what, vec![missing])
            }
        }
    }

    /// When anybody last signed in, with whatever device.
    fn signed_in(&self) -> Option<Stamp> {
        let trials = self.account.trials.iter();
        let sign_ins = trials.filter(|(kind, _)| matches!(kind, TrialKind::SignIn(_)));
        sign_ins.filter_map(|(_, trial)| trial.passed).max()
    }

    fn password(&mut self) -> NodeId {
        let (days, signed_in) = (self.parts.state.policy().check_days, self.signed_in());
        let mut kept = Vec::new();
        if let Some(place) = &self.account.password_place {
            let at = self.parts.place(place);
            let tried = Some(Tried { passed: signed_in, days });
            let what = What::PasswordAt(place.clone());
            kept.push(self.parts.push(what, Join::All(vec![at]), tried));
        }
        // Whoever signed in before it was stored had another one.
        kept.extend(self.secrets(SecretKind::Password, days, |stored| {
            signed_in.filter(|at| at.entry >= stored.entry)
        }));
        self.parts.any_or(What::Password, kept, Gap::NoPassword)
    }

    /// What is in custody of this account, of a kind: who opens it, and when it was tried.
    fn secrets(
        &mut self,
        kind: SecretKind,
        days: u32,
        passed: impl Fn(Stamp) -> Option<Stamp>,
    ) -> Vec<NodeId> {
        let state = self.parts.state;
        let mut found = Vec::new();
        for name in &self.account.secrets {
            let Some(secret) = state.secrets().get(name).filter(|secret| secret.kind == kind)
            else {
                continue;
            };
            let Some(present) = secret.present() else { continue };
            let what = What::InCustody(name.clone(), present.compartment.clone());
            let opens = self.parts.compartment(&present.compartment);
            let tried = Ok(Tried { passed: passed(present.stored), days });
            found.push(self.proven(what, vec![opens], tried));
        }
        found
    }

    fn devices(&mut self) -> NodeId {
        let days = self.parts.state.policy().check_days;
        let mut devices = Vec::new();
        for (name, device) in &self.account.devices {
            let part = match name {
                DeviceName::Key(key) => self.parts.key(key),
                DeviceName::Token(token) => self.token(token, device),
            };
            let tried = self.trial(&TrialKind::SignIn(Some(name.clone())), days);
            devices.push(self.proven(What::Device(name.clone()), vec![part], tried));
        }
        let account = self.account;
        let mut codes = Vec::new();
        for name in &account.secrets {
            codes.extend(self.seed(name, days));
        }
        if !account.identity.is_aws() {
            // AWS has no such codes for a root user.
            codes.extend(self.secrets(SecretKind::RecoveryCodes, days, |_| None));
        }
        if !codes.is_empty() {
            devices.push(self.parts.push(What::Codes, Join::Any(codes), None));
        }
        self.parts.any_or(What::Devices, devices, Gap::NoDevice)
    }

    fn token(&mut self, token: &Handle, device: &Device) -> NodeId {
        let parts = match (&device.place, &device.holder) {
            (Some(place), _) => {
                let element = Element::Token(self.handle.clone(), token.clone());
                vec![self.parts.element(What::Itself, element, None), self.parts.place(place)]
            }
            (None, Some(holder)) => {
                let element = Element::TokenOf(holder.clone(), token.clone());
                vec![self.parts.element(What::Itself, element, None), self.parts.person(holder)]
            }
            (None, None) => vec![self.parts.missing(Gap::TokenNowhere)],
        };
        self.parts.all(What::Token(token.clone()), parts)
    }

    /// A seed in custody, as far as it is the seed of a token that is registered: what makes its
    /// codes signs in like the token.
    fn seed(&mut self, name: &Handle, days: u32) -> Option<NodeId> {
        let state = self.parts.state;
        let secret = state.secrets().get(name).filter(|secret| secret.kind == SecretKind::Seed)?;
        let present = secret.present()?;
        let what = What::InCustody(name.clone(), present.compartment.clone());
        let is_its = |token: &Handle| secret.token.as_ref().is_none_or(|its| its == token);
        let tokens = self.account.devices.iter().filter_map(|(name, device)| match name {
            DeviceName::Token(token) if is_its(token) => Some((name, device)),
            _ => None,
        });
        let tokens: Vec<(&DeviceName, &Device)> = tokens.collect();
        if tokens.is_empty() {
            return Some(self.proven(what, Vec::new(), Err(Gap::NoToken)));
        }
        let value = SecretName { secret: name.clone(), generation: present.number };
        let same = |check: &crate::record::TotpCheck| {
            check.secret.as_ref() == Some(&value)
                || (present.fingerprint.is_some() && check.fingerprint == present.fingerprint)
        };
        let mut passed = None;
        let (mut makes, mut failed) = (false, false);
        for (device, known) in tokens {
            let last = known.checks.iter().rev().find(|check| same(check));
            failed |= last.is_some_and(|check| check.found.is_none());
            let made = last.filter(|check| check.found.is_some()).map(|check| check.at);
            makes |= made.is_some();
            // That the token signs in shows that it is the one that is registered.
            let sign_in = self.account.trials.get(&TrialKind::SignIn(Some(device.clone())));
            let sign_in = sign_in.filter(|trial| trial.outcome == Outcome::Passed);
            let both = made.zip(sign_in.and_then(|trial| trial.passed));
            passed = passed.max(both.map(|(made, signed_in)| made.min(signed_in)));
        }
        let opens = self.parts.compartment(&present.compartment);
        // It is the seed of one token: that it makes no codes of another's tells nothing then.
        let tried =
            if failed && !makes { Err(Gap::SeedFailed) } else { Ok(Tried { passed, days }) };
        Some(self.proven(what, vec![opens], tried))
    }

    fn mailbox(&mut self) -> NodeId {
        let Some(email) = &self.account.root.email else { return self.parts.missing(Gap::NoEmail) };
        let itself = self.parts.element(What::Itself, Element::mailbox(email), None);
        let domain = email.domain();
        let domain =
            self.parts.element(What::Domain(domain.clone()), Element::Domain(domain), None);
        let readers = self.people(&self.account.mailbox_readers);
        let readers = self.parts.any_or(What::Readers, readers, Gap::NobodyReads);
        let mut parts = vec![itself, domain, readers];
        for other in &self.account.mailbox_through {
            parts.push(self.through(other));
        }
        let tried = self.trial(&TrialKind::Mailbox, self.parts.state.policy().contacts_days);
        self.proven(What::Mailbox(email.clone()), parts, tried)
    }

    /// Another account that it takes to read the mailbox, or this one.
    fn through(&mut self, other: &Handle) -> NodeId {
        if let Some(target) = self.targets.get(other) {
            return self.parts.push(What::Through(other.clone()), Join::Into(*target), None);
        }
        if self.parts.state.accounts().contains_key(other) {
            return self.parts.all(What::Central(other.clone()), Vec::new());
        }
        self.parts.missing(Gap::Removed(other.clone()))
    }

    fn phone(&mut self) -> NodeId {
        let Some(phone) = &self.account.root.phone else { return self.parts.missing(Gap::NoPhone) };
        let itself = self.parts.element(What::Itself, Element::phone(phone), Some(phone));
        let answerers = self.people(&self.account.phone_answerers);
        let answerers = self.parts.any_or(What::Answerers, answerers, Gap::NobodyAnswers);
        let tried = self.trial(&TrialKind::Phone, self.parts.state.policy().contacts_days);
        self.proven(What::Phone(phone.clone()), vec![itself, answerers], tried)
    }

    fn people(&mut self, people: &[Handle]) -> Vec<NodeId> {
        people.iter().map(|who| self.parts.person(who)).collect()
    }
}
