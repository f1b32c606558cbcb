//! The ways into one account, out of what is on record of it.
//!
//! What AWS asks for, and where it says so, is in `docs/recovery.md`.

use std::collections::BTreeMap;

use super::element::Element;
use super::formula::{Join, NodeId, TargetId};
use super::parts::Parts;
use super::way::{Access, Gap, Tried, WayKind, What};
use crate::record::{
    Account, Device, DeviceName, Handle, Outcome, SecretKind, SecretName, Stamp, Trial, TrialKind,
};

/// The making of the ways into one account.
pub(super) struct WaysInto<'a, 's> {
    pub parts: &'a mut Parts<'s>,
    pub handle: &'a Handle,
    pub account: &'s Account,
    /// Accounts that a mailbox can stand on.
    pub targets: &'a BTreeMap<Handle, TargetId>,
}

impl WaysInto<'_, '_> {
    /// All of them.
    pub fn access(mut self) -> Access {
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

    /// The same of what other accounts may have, too: it fails for all of them.
    fn shared_trial(&self, kind: TrialKind, element: &Element, days: u32) -> Result<Tried, Gap> {
        if self.parts.fails(element) { Err(Gap::Failed(kind)) } else { self.trial(&kind, days) }
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
        let element = Element::mailbox(email);
        for other in self.parts.through(&element) {
            parts.push(self.through(&other));
        }
        let days = self.parts.state.policy().contacts_days;
        let tried = self.shared_trial(TrialKind::Mailbox, &element, days);
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
        let days = self.parts.state.policy().contacts_days;
        let tried = self.shared_trial(TrialKind::Phone, &Element::phone(phone), days);
        self.proven(What::Phone(phone.clone()), vec![itself, answerers], tried)
    }

    fn people(&mut self, people: &[Handle]) -> Vec<NodeId> {
        people.iter().map(|who| self.parts.person(who)).collect()
    }
}
