//! What one should worry about in how an account is set up: nothing that is refused.

use std::collections::BTreeSet;
use std::fmt;

use super::super::{Handle, KeyName, KeyState, SecretKind, State};
use super::{Account, Contact, DeviceName, Email, Outcome, TrialKind};

/// One of the alternate contacts of an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ContactRole {
    /// Bills.
    Billing,
    /// Operations.
    Operations,
    /// Security.
    Security,
}

impl ContactRole {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Billing, Self::Operations, Self::Security];
}

impl fmt::Display for ContactRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Billing => "billing",
            Self::Operations => "operations",
            Self::Security => "security",
        })
    }
}

/// What one should worry about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Concern {
    /// The root user's address isn't recorded.
    NoEmail,
    /// The root user's address looks like one person's mailbox.
    PersonalEmail(Email),
    /// It isn't recorded who reads the mailbox.
    NobodyReads,
    /// One person alone reads it.
    OneReads(Handle),
    /// The root user's telephone number isn't recorded.
    NoPhone,
    /// It isn't recorded who answers the telephone.
    NobodyAnswers,
    /// One person alone answers it.
    OneAnswers(Handle),
    /// An alternate contact is missing.
    NoContact(ContactRole),
    /// An alternate contact looks like one person's mailbox.
    PersonalContact(ContactRole, Email),
    /// Two alternate contacts are the same mailbox.
    SameContact(ContactRole, ContactRole),
    /// An alternate contact is the mailbox of the root user.
    RootAsContact(ContactRole),
    /// It isn't recorded where the password is, and none is in custody.
    NoPasswordPlace,
    /// No MFA device is recorded that can be used.
    NoDevice,
    /// One alone is.
    OneDevice(DeviceName),
    /// A key is registered that may not be used: suspended, lost, compromised or retired.
    DeviceAstray(KeyName),
    /// A person who reads, answers or has a token has left.
    HasLeft(Handle),
    /// It isn't recorded who has a token, nor where it is.
    TokenNowhere(Handle),
    /// When it was last tried, it failed.
    TrialFailed(TrialKind),
    /// A seed was last found not to make the codes of a token.
    SeedFailed(Handle),
    /// People who, each alone, open both the root password and a seed. Sorted.
    OpenBoth(Vec<Handle>),
}

impl Account {
    /// The alternate contact of this role.
    pub fn contact(&self, role: ContactRole) -> Option<&Contact> {
        match role {
            ContactRole::Billing => self.billing_contact.as_ref(),
            ContactRole::Operations => self.operations_contact.as_ref(),
            ContactRole::Security => self.security_contact.as_ref(),
        }
    }

    /// What one should worry about. Without root credentials, nobody needs to sign in: then a
    /// missing telephone, password or MFA device is no worry.
    pub fn concerns(&self, state: &State) -> Vec<Concern> {
        let mut found = self.mailbox_concerns(state);
        if self.root.credentials {
            found.extend(self.sign_in_concerns(state));
        }
        found.extend(self.contact_concerns(state));
        found.extend(self.trial_concerns());
        let both = self.who_open_both(state);
        found.extend((!both.is_empty()).then_some(Concern::OpenBoth(both)));
        let holders = self.devices.values().filter_map(|device| device.holder.as_ref());
        let people = self.mailbox_readers.iter().chain(&self.phone_answerers).chain(holders);
        let mut left: Vec<&Handle> =
            people.filter(|who| state.former_custodians().contains_key(who)).collect();
        left.sort();
        left.dedup();
        found.extend(left.into_iter().cloned().map(Concern::HasLeft));
        found
    }

    /// The people who alone open both a root password in custody and a seed. Sorted.
    pub fn who_open_both(&self, state: &State) -> Vec<Handle> {
        let openers = |kind: SecretKind| -> BTreeSet<Handle> {
            let secrets = self.secrets.iter().filter_map(|name| state.secrets().get(name));
            let its = secrets.filter(|secret| secret.kind == kind);
            let compartments = its.filter_map(|secret| Some(&secret.present()?.compartment));
            compartments.flat_map(|name| state.openers_of(name)).collect()
        };
        let seeds = openers(SecretKind::Seed);
        openers(SecretKind::Password).intersection(&seeds).cloned().collect()
    }

    fn trial_concerns(&self) -> Vec<Concern> {
        // That a device failed which is no longer registered is over.
        let is_over = |kind: &TrialKind| matches!(kind, TrialKind::SignIn(Some(device)) if !self.devices.contains_key(device));
        let failed = self.trials.iter().filter(|(_, trial)| trial.outcome == Outcome::Failed);
        let trials = failed.filter(|(kind, _)| !is_over(kind));
        let mut found: Vec<Concern> =
            trials.map(|(kind, _)| Concern::TrialFailed(kind.clone())).collect();
        for (name, device) in &self.devices {
            let DeviceName::Token(token) = name else { continue };
            if device.holder.is_none() && device.place.is_none() {
                found.push(Concern::TokenNowhere(token.clone()));
            }
            if device.checks.last().is_some_and(|check| check.found.is_none()) {
                found.push(Concern::SeedFailed(token.clone()));
            }
        }
        found
    }

    fn mailbox_concerns(&self, state: &State) -> Vec<Concern> {
        let mut found = Vec::new();
        match &self.root.email {
            None => found.push(Concern::NoEmail),
            Some(email) if is_personal(email, state) => {
                found.push(Concern::PersonalEmail(email.clone()));
            }
            Some(_) => {}
        }
        match self.mailbox_readers.as_slice() {
            [] => found.push(Concern::NobodyReads),
            [one] => found.push(Concern::OneReads(one.clone())),
            _ => {}
        }
        found
    }

    fn sign_in_concerns(&self, state: &State) -> Vec<Concern> {
        let mut found = Vec::new();
        if self.root.phone.is_none() {
            found.push(Concern::NoPhone);
        }
        match self.phone_answerers.as_slice() {
            [] if self.root.phone.is_some() => found.push(Concern::NobodyAnswers),
            [one] => found.push(Concern::OneAnswers(one.clone())),
            _ => {}
        }
        let is_password = |name: &Handle| {
            let kept = state.secrets().get(name);
            kept.is_some_and(|secret| secret.kind == SecretKind::Password)
        };
        if self.password_place.is_none() && !self.secrets.iter().any(is_password) {
            found.push(Concern::NoPasswordPlace);
        }
        let usable = |device: &&DeviceName| match device {
            DeviceName::Key(key) => state.active_key(key).is_some(),
            DeviceName::Token(_) => true,
        };
        let mut devices = self.devices.keys().filter(usable);
        match (devices.next(), devices.next()) {
            (None, _) => found.push(Concern::NoDevice),
            (Some(one), None) => found.push(Concern::OneDevice(one.clone())),
            _ => {}
        }
        for device in self.devices.keys() {
            if let DeviceName::Key(key) = device {
                let state = state.keys().get(key).map(|key| &key.state);
                if state.is_some_and(|state| *state != KeyState::Active) {
                    found.push(Concern::DeviceAstray(key.clone()));
                }
            }
        }
        found
    }

    /// Alternate contacts are AWS's; elsewhere none are missed.
    fn contact_concerns(&self, state: &State) -> Vec<Concern> {
        let mut found = Vec::new();
        let recorded: Vec<(ContactRole, &Email)> = ContactRole::ALL
            .into_iter()
            .filter_map(|role| Some((role, &self.contact(role)?.email)))
            .collect();
        for role in ContactRole::ALL {
            let Some((_, email)) = recorded.iter().find(|(known, _)| *known == role) else {
                if self.identity.is_aws() {
                    found.push(Concern::NoContact(role));
                }
                continue;
            };
            if is_personal(email, state) {
                found.push(Concern::PersonalContact(role, (*email).clone()));
            }
            if self.root.email.as_ref().is_some_and(|root| root.reaches_the_same(email)) {
                found.push(Concern::RootAsContact(role));
            }
            let same = |(other, address): &&(ContactRole, &Email)| {
                *other < role && address.reaches_the_same(email)
            };
            if let Some((other, _)) = recorded.iter().find(same) {
                found.push(Concern::SameContact(*other, role));
            }
        }
        found
    }
}

fn is_personal(email: &Email, state: &State) -> bool {
    let people = state.custodians().iter().chain(state.former_custodians());
    email.is_personal(people.map(|(handle, who)| (handle, who.name.as_ref())))
}
