//! Who gets in, told by somebody who goes through the records at night with a list of what is lost.
//!
//! It knows the state and no formula: each question is put anew for each list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use chrono::NaiveDate;
use keymuster::record::{
    Account, AgeRecipient, Device, DeviceName, Email, Handle, KeyName, KeyState, Line, Outcome,
    Phone, Secret, SecretKind, Stamp, State, Time, TotpCheck, TrialKind,
};
use keymuster::recovery::{Target, WayKind};

/// What counts as a way.
#[derive(Clone, Copy)]
pub enum Counts {
    /// Whatever is on record.
    OnRecord,
    /// What was proven, as of this time.
    Proven(Time),
    /// What was proven on this day or later, whatever policy asks for.
    Since(NaiveDate),
}

/// What there is to get into, and whether one does.
pub fn gets_in(state: &State, lost: &BTreeSet<String>, counts: Counts) -> BTreeMap<Target, bool> {
    let night = Night { state, lost, counts };
    let inside = night.inside_but(None);
    let with_root = state.accounts().iter().filter(|(_, account)| account.root.credentials);
    let accounts = with_root
        .map(|(handle, _)| (Target::Account(handle.clone()), inside.contains(handle.as_str())));
    let kept =
        state.secrets().values().map(|secret| &secret.generations.last().unwrap().compartment);
    let compartments = kept.map(|name| (Target::Compartment(name.clone()), night.opens(name)));
    accounts.chain(compartments).chain([(Target::Signing, night.signs())]).collect()
}

/// The ways into each account, to somebody who isn't in it yet.
pub fn ways<'a>(
    state: &'a State,
    lost: &BTreeSet<String>,
    counts: Counts,
) -> BTreeMap<&'a Handle, Vec<WayKind>> {
    let night = Night { state, lost, counts };
    let with_root = state.accounts().iter().filter(|(_, account)| account.root.credentials);
    let of = |(handle, account): (&'a Handle, &Account)| {
        let from_outside = night.inside_but(Some(handle));
        let ways = night.ways(handle, account, &from_outside).into_iter();
        (handle, ways.filter(|(_, leads)| *leads).map(|(kind, _)| kind).collect())
    };
    with_root.map(|(handle, account)| (handle, account.as_ref())).map(of).collect()
}

/// Everything that can be lost, whether or not a way takes it.
pub fn all_elements(state: &State) -> BTreeSet<String> {
    let of_place = |place: &Line| places(place).into_iter().map(|place| format!("place:{place}"));
    let mut all = BTreeSet::new();
    for who in state.custodians().keys() {
        all.extend([format!("person:{who}"), format!("paper:{who}/paper")]);
    }
    for (name, key) in state.keys() {
        all.insert(format!("key:{name}"));
        all.extend(key.place.iter().chain(&key.pin_place).flat_map(of_place));
    }
    for (handle, account) in state.accounts() {
        let people = account.mailbox_readers.iter().chain(&account.phone_answerers);
        all.extend(people.map(|who| format!("person:{who}")));
        all.extend(account.password_place.iter().flat_map(of_place));
        if let Some(email) = &account.root.email {
            let (mailbox, domain) = same_mailbox(email);
            all.extend([format!("mailbox:{mailbox}"), format!("domain:{domain}")]);
        }
        all.extend(account.root.phone.iter().map(|phone| format!("phone:{}", same_number(phone))));
        for (name, device) in &account.devices {
            let DeviceName::Token(token) = name else { continue };
            all.extend(device.place.iter().flat_map(of_place));
            if let Some(holder) = &device.holder {
                all.extend([format!("person:{holder}"), format!("token:{holder}/{token}")]);
            }
            all.insert(format!("token:{token} of {handle}"));
        }
    }
    all
}

/// A place and what it is in, from the inside out. Places are the same if they are written the same,
/// but for case and blanks.
fn places(place: &Line) -> Vec<String> {
    let text = place.as_str().to_lowercase();
    let levels: Vec<String> = text
        .split(',')
        .map(|level| level.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
        .filter(|level| !level.is_empty())
        .collect();
    if levels.is_empty() {
        return vec![String::new()];
    }
    (0..levels.len()).map(|inner| levels[inner..].join(", ")).collect()
}

/// The mailbox and its domain: addresses are the same but for case and what follows a `+`.
pub fn same_mailbox(email: &Email) -> (String, String) {
    let text = email.as_str().to_lowercase();
    let (local, domain) = text.split_once('@').unwrap();
    let local = local.split_once('+').map_or(local, |(before, _)| before);
    (format!("{local}@{domain}"), domain.to_owned())
}

/// Numbers are the same but for blanks.
fn same_number(phone: &Phone) -> String {
    phone.to_string().split(' ').collect()
}

struct Night<'a> {
    state: &'a State,
    lost: &'a BTreeSet<String>,
    counts: Counts,
}

impl Night<'_> {
    /// The accounts that one gets into: into none at first, and with those into more. But into this
    /// one nobody goes.
    fn inside_but(&self, shut: Option<&Handle>) -> BTreeSet<&str> {
        let mut inside = BTreeSet::new();
        loop {
            let leads_in = |(handle, account): &(&Handle, &Account)| {
                account.root.credentials
                    && Some(*handle) != shut
                    && self.ways(handle, account, &inside).iter().any(|(_, leads)| *leads)
            };
            let accounts = self.state.accounts().iter().map(|(handle, a)| (handle, a.as_ref()));
            let more: BTreeSet<&str> =
                accounts.filter(leads_in).map(|(handle, _)| handle.as_str()).collect();
            if more == inside {
                return inside;
            }
            inside = more;
        }
    }

    fn ways(
        &self,
        handle: &Handle,
        account: &Account,
        inside: &BTreeSet<&str>,
    ) -> Vec<(WayKind, bool)> {
        // Who signs in gives the address first.
        let address = account.root.email.is_some();
        let device = self.device(handle, account);
        let mailbox = self.mailbox(account, inside);
        let mut ways = vec![
            (WayKind::SignIn, address && self.password(handle, account) && device),
            (WayKind::PasswordReset, mailbox && device),
        ];
        let provider = account.identity.provider.as_str();
        if provider == "aws" || provider.starts_with("aws-") {
            ways.push((WayKind::LostMfa, mailbox && self.phone(account)));
        }
        ways
    }

    fn has(&self, kind: &str, name: impl Display) -> bool {
        !self.lost.contains(&format!("{kind}:{name}"))
    }

    fn person(&self, who: &Handle) -> bool {
        !self.state.former_custodians().contains_key(who) && self.has("person", who)
    }

    fn any_of(&self, people: &[Handle]) -> bool {
        people.iter().any(|who| self.person(who))
    }

    /// Some custodian goes there.
    fn place(&self, place: &Line) -> bool {
        self.any_custodian() && places(place).iter().all(|place| self.has("place", place))
    }

    fn any_custodian(&self) -> bool {
        self.state.custodians().keys().any(|who| self.person(who))
    }

    /// Whether it counts that something passed then, or never did.
    fn is_shown(&self, passed: Option<Stamp>, days: u32) -> bool {
        let day = passed.map(|at| at.time.moment().date_naive());
        match self.counts {
            Counts::OnRecord => true,
            Counts::Proven(now) => {
                let age = |day: NaiveDate| (now.moment().date_naive() - day).num_days();
                day.is_some_and(|day| age(day) <= i64::from(days))
            }
            Counts::Since(earliest) => day.is_some_and(|day| day >= earliest),
        }
    }

    fn is_shown_by_any(&self, passed: &[Stamp], days: u32) -> bool {
        self.is_shown(None, days) || passed.iter().any(|at| self.is_shown(Some(*at), days))
    }

    fn check_days(&self) -> u32 {
        self.state.policy().check_days
    }

    /// What failed when it was last tried isn't there.
    fn works(&self, account: &Account, kind: &TrialKind, days: u32) -> bool {
        match account.trials.get(kind) {
            None => self.is_shown(None, days),
            Some(trial) if trial.outcome == Outcome::Failed => false,
            Some(trial) => self.is_shown(trial.passed, days),
        }
    }

    fn mailbox(&self, account: &Account, inside: &BTreeSet<&str>) -> bool {
        let Some(email) = &account.root.email else { return false };
        let (mailbox, domain) = same_mailbox(email);
        // The organisation gets into an account without root credentials.
        let reached = |other: &Handle| {
            let known = self.state.accounts().get(other);
            known.is_some_and(|known| !known.root.credentials || inside.contains(other.as_str()))
        };
        // One mailbox may be that of several accounts, and what is known of it by one is known.
        let same = |other: &&Account| {
            other.root.email.as_ref().is_some_and(|email| same_mailbox(email).0 == mailbox)
        };
        let same: Vec<&Account> = self.rooted().filter(same).collect();
        self.has("mailbox", &mailbox)
            && self.has("domain", domain)
            && self.any_of(&account.mailbox_readers)
            && same.iter().flat_map(|other| &other.mailbox_through).all(reached)
            && !self.failed_last(&same, &TrialKind::Mailbox)
            && self.works(account, &TrialKind::Mailbox, self.state.policy().contacts_days)
    }

    fn rooted(&self) -> impl Iterator<Item = &Account> {
        let all = self.state.accounts().values().map(AsRef::as_ref);
        all.filter(|account: &&Account| account.root.credentials)
    }

    /// Whether it failed in the last entry that tells of it.
    fn failed_last(&self, accounts: &[&Account], kind: &TrialKind) -> bool {
        let trials: Vec<_> = accounts.iter().filter_map(|a| a.trials.get(kind)).collect();
        let last = trials.iter().map(|trial| trial.last).max();
        trials.iter().any(|trial| Some(trial.last) == last && trial.outcome == Outcome::Failed)
    }

    fn phone(&self, account: &Account) -> bool {
        let Some(phone) = &account.root.phone else { return false };
        let number = same_number(phone);
        let same = |other: &&Account| {
            other.root.phone.as_ref().is_some_and(|phone| same_number(phone) == number)
        };
        let same: Vec<&Account> = self.rooted().filter(same).collect();
        self.has("phone", number)
            && self.any_of(&account.phone_answerers)
            && !self.failed_last(&same, &TrialKind::Phone)
            && self.works(account, &TrialKind::Phone, self.state.policy().contacts_days)
    }

    fn password(&self, handle: &Handle, account: &Account) -> bool {
        let of_sign_ins =
            account.trials.iter().filter(|(kind, _)| matches!(kind, TrialKind::SignIn(_)));
        let sign_ins: Vec<Stamp> = of_sign_ins.filter_map(|(_, trial)| trial.passed).collect();
        let place = account.password_place.as_ref().is_some_and(|place| {
            self.place(place) && self.is_shown_by_any(&sign_ins, self.check_days())
        });
        let mut kept = self.secrets(handle, SecretKind::Password);
        place
            || kept.any(|(_, secret)| {
                let present = secret.generations.last().unwrap();
                let mut since = sign_ins.clone();
                since.retain(|at| at.entry >= present.stored.entry);
                self.opens(&present.compartment) && self.is_shown_by_any(&since, self.check_days())
            })
    }

    fn secrets(
        &self,
        account: &Handle,
        kind: SecretKind,
    ) -> impl Iterator<Item = (&Handle, &Secret)> {
        let all = self.state.secrets().iter().map(|(name, secret)| (name, secret.as_ref()));
        all.filter(move |(_, secret)| {
            secret.kind == kind && secret.account.as_ref() == Some(account)
        })
    }

    fn device(&self, handle: &Handle, account: &Account) -> bool {
        let registered = account.devices.iter().any(|(name, device)| {
            let itself = match name {
                DeviceName::Key(key) => self.key(key),
                DeviceName::Token(token) => self.token(handle, token, device),
            };
            itself && self.works(account, &TrialKind::SignIn(Some(name.clone())), self.check_days())
        });
        let is_aws = account.identity.is_aws();
        // No record shows that codes were tried: they are used up by that.
        let mut codes = self.secrets(handle, SecretKind::RecoveryCodes);
        registered
            || self.secrets(handle, SecretKind::Seed).any(|seed| self.seed(account, seed))
            || codes.any(|(_, secret)| {
                let compartment = &secret.generations.last().unwrap().compartment;
                !is_aws && self.opens(compartment) && self.is_shown(None, self.check_days())
            })
    }

    fn token(&self, account: &Handle, token: &Handle, device: &Device) -> bool {
        match (&device.place, &device.holder) {
            (Some(place), _) => {
                self.place(place) && self.has("token", format!("{token} of {account}"))
            }
            (None, Some(who)) => self.person(who) && self.has("token", format!("{who}/{token}")),
            (None, None) => false,
        }
    }

    /// A seed is of one token. It made the codes of a token when it was last held against it, or it
    /// didn't; one that made no token's codes, and failed, is of none.
    fn seed(&self, account: &Account, (name, secret): (&Handle, &Secret)) -> bool {
        let present = secret.generations.last().unwrap();
        let is_of_it = |check: &&TotpCheck| {
            let named = check
                .secret
                .as_ref()
                .is_some_and(|value| value.secret == *name && value.generation == present.number);
            named || check.fingerprint.is_some() && check.fingerprint == present.fingerprint
        };
        let may_be_of = |device: &DeviceName| match device {
            DeviceName::Key(_) => false,
            DeviceName::Token(token) => {
                secret.token.is_none() || secret.token.as_ref() == Some(token)
            }
        };
        let tokens: Vec<(&DeviceName, Option<&TotpCheck>)> = account
            .devices
            .iter()
            .filter(|(device, _)| may_be_of(device))
            .map(|(name, device)| (name, device.checks.iter().rfind(is_of_it)))
            .collect();
        let made = |check: &TotpCheck| check.found.is_some();
        let made_any = tokens.iter().any(|(_, last)| last.is_some_and(made));
        let failed_any = tokens.iter().any(|(_, last)| last.is_some_and(|check| !made(check)));
        let is_there = !tokens.is_empty() && (made_any || !failed_any);
        let days = self.check_days();
        let shown = self.is_shown(None, days)
            || tokens.iter().any(|(device, last)| {
                let sign_in = account.trials.get(&TrialKind::SignIn(Some((*device).clone())));
                let signed_in = sign_in.filter(|trial| trial.outcome == Outcome::Passed);
                last.is_some_and(|check| made(check) && self.is_shown(Some(check.at), days))
                    && signed_in.is_some_and(|trial| self.is_shown(trial.passed, days))
            });
        is_there && shown && self.opens(&present.compartment)
    }

    /// The key, where it is, and its PIN.
    fn key(&self, name: &KeyName) -> bool {
        let Some(key) = self.state.keys().get(name) else { return false };
        let is_at_hand = match &key.place {
            Some(place) => self.place(place),
            None => self.person(&key.holder),
        };
        let pin = self.person(&name.owner)
            || key.pin_place.as_ref().is_some_and(|envelope| self.place(envelope));
        key.state == KeyState::Active && self.has("key", name) && is_at_hand && pin
    }

    fn opens(&self, compartment: &Handle) -> bool {
        let Some(known) = self.state.compartments().get(compartment) else { return false };
        let members = self.state.members_of(compartment).unwrap_or_default();
        members.iter().any(|who| {
            let custodian = self.state.custodians().get(who);
            custodian.is_some_and(|custodian| {
                known.recipients.contains(&custodian.recipient)
                    && self.unlocks(who, &custodian.recipient)
            })
        })
    }

    /// Whether somebody's present identity can be had, from a key or from paper.
    fn unlocks(&self, who: &Handle, identity: &AgeRecipient) -> bool {
        let copies = self.state.identities().iter();
        let mut own =
            copies.filter(|(slot, copy)| slot.owner == *who && copy.recipient == *identity);
        own.any(|(slot, _)| {
            if slot.label.as_str() == "paper" {
                let is_reported = self.state.paper_report(slot).is_some();
                // It is in a safe, and no record shows that it was tried.
                return !is_reported
                    && self.any_custodian()
                    && self.has("paper", slot)
                    && self.is_shown(None, self.check_days());
            }
            let last_seen = self.state.keys().get(slot).map(|key| key.last_seen);
            self.key(slot) && self.is_shown(last_seen, self.check_days())
        })
    }

    /// Whether as many as must are there, each with a key.
    fn signs(&self) -> bool {
        let able = self.state.custodians().keys().filter(|who| {
            let mut own = self.state.keys().keys().filter(|key| key.owner == **who);
            let shown = |key: &KeyName| {
                let last_seen = self.state.keys().get(key).map(|key| key.last_seen);
                self.is_shown(last_seen, self.check_days())
            };
            self.person(who) && own.any(|key| self.key(key) && shown(key))
        });
        able.count() >= self.state.quorum()
    }
}
