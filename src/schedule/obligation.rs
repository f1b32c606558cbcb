//! What people owe a vault: things to be done again and again, and work that something made.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::record::{Account, Device, DeviceName, Handle, KeyName, Part, State, UnfitValue};

/// Something to be done. Its text form, such as `key-check alice/primary`, is what waivers name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Obligation {
    /// A key signs something, and so is shown to be in its owner's hand.
    KeyCheck(KeyName),
    /// A custodian acknowledges their duties.
    Acknowledgement(Handle),
    /// An account's contacts are looked at.
    Contacts(Handle),
    /// A message to an account's root address arrives.
    Mailbox(Handle),
    /// A call to an account's root telephone is answered.
    Phone(Handle),
    /// Somebody signs in to an account as the root user, with this device.
    SignIn(Handle, DeviceName),
    /// A token of an account makes the codes of its seed.
    Totp(Handle, Handle),
    /// An adopted runbook is run, to its objective.
    Runbook(Handle),
    /// A drill that was begun is finished, or given up.
    Drill(Handle),
    /// Somebody who took no part looks at a drill.
    Review(Handle),
    /// A corrective action is done.
    Action(Handle),
    /// A key that may not sign is taken out of an account's root user.
    Deregister(KeyName, Handle),
    /// A key is taken back from somebody who left.
    TakeBack(KeyName),
    /// A secret that somebody could open who shouldn't gets another value.
    Replace(Handle),
    /// A compartment is encrypted anew.
    Rekey(Handle),
    /// A custodian gets another identity, since a copy of the present one was reported.
    NewIdentity(Handle),
}

impl fmt::Display for Obligation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::KeyCheck(key) | Self::TakeBack(key) => write!(f, "{kind} {key}"),
            Self::Acknowledgement(one)
            | Self::Contacts(one)
            | Self::Mailbox(one)
            | Self::Phone(one)
            | Self::Runbook(one)
            | Self::Drill(one)
            | Self::Review(one)
            | Self::Action(one)
            | Self::Replace(one)
            | Self::Rekey(one)
            | Self::NewIdentity(one) => write!(f, "{kind} {one}"),
            Self::SignIn(account, device) => write!(f, "{kind} {account} {device}"),
            Self::Totp(account, token) => write!(f, "{kind} {account} {token}"),
            Self::Deregister(key, account) => write!(f, "{kind} {key} {account}"),
        }
    }
}

impl FromStr for Obligation {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let read = || -> Option<Self> {
            let mut words = text.split(' ');
            let (kind, one) = (words.next()?, words.next()?);
            let other = words.next();
            if words.next().is_some() {
                return None;
            }
            let handle = || one.parse::<Handle>().ok();
            let key = || one.parse::<KeyName>().ok();
            Some(match (kind, other) {
                ("key-check", None) => Self::KeyCheck(key()?),
                ("acknowledgement", None) => Self::Acknowledgement(handle()?),
                ("contacts", None) => Self::Contacts(handle()?),
                ("mailbox", None) => Self::Mailbox(handle()?),
                ("phone", None) => Self::Phone(handle()?),
                ("sign-in", Some(other)) => Self::SignIn(handle()?, other.parse().ok()?),
                ("totp", Some(other)) => Self::Totp(handle()?, other.parse().ok()?),
                ("runbook", None) => Self::Runbook(handle()?),
                ("drill", None) => Self::Drill(handle()?),
                ("review", None) => Self::Review(handle()?),
                ("action", None) => Self::Action(handle()?),
                ("deregister", Some(other)) => Self::Deregister(key()?, other.parse().ok()?),
                ("take-back", None) => Self::TakeBack(key()?),
                ("replace", None) => Self::Replace(handle()?),
                ("rekey", None) => Self::Rekey(handle()?),
                ("new-identity", None) => Self::NewIdentity(handle()?),
                _ => return None,
            })
        };
        read().ok_or_else(|| UnfitValue::Obligation(text.chars().take(80).collect()))
    }
}

impl Obligation {
    /// What kind it is, in the word that its text form begins with.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KeyCheck(_) => "key-check",
            Self::Acknowledgement(_) => "acknowledgement",
            Self::Contacts(_) => "contacts",
            Self::Mailbox(_) => "mailbox",
            Self::Phone(_) => "phone",
            Self::SignIn(..) => "sign-in",
            Self::Totp(..) => "totp",
            Self::Runbook(_) => "runbook",
            Self::Drill(_) => "drill",
            Self::Review(_) => "review",
            Self::Action(_) => "action",
            Self::Deregister(..) => "deregister",
            Self::TakeBack(_) => "take-back",
            Self::Replace(_) => "replace",
            Self::Rekey(_) => "rekey",
            Self::NewIdentity(_) => "new-identity",
        }
    }

    /// Whether it is to be done again and again. Else it is work that something made, which is done
    /// once it isn't there any more.
    pub fn recurs(&self) -> bool {
        match self {
            Self::KeyCheck(_)
            | Self::Acknowledgement(_)
            | Self::Contacts(_)
            | Self::Mailbox(_)
            | Self::Phone(_)
            | Self::SignIn(..)
            | Self::Totp(..)
            | Self::Runbook(_) => true,
            Self::Drill(_)
            | Self::Review(_)
            | Self::Action(_)
            | Self::Deregister(..)
            | Self::TakeBack(_)
            | Self::Replace(_)
            | Self::Rekey(_)
            | Self::NewIdentity(_) => false,
        }
    }

    /// The accounts that it is about; of a key those that it is registered with.
    pub fn accounts(&self, state: &State) -> BTreeSet<Handle> {
        let of_drill = |drill: &Handle| {
            let run = state.drills().get(drill);
            run.map(|run| run.start.accounts.iter().cloned().collect()).unwrap_or_default()
        };
        match self {
            Self::KeyCheck(key) | Self::TakeBack(key) => {
                state.accounts_with(&DeviceName::Key(key.clone())).cloned().collect()
            }
            Self::Contacts(account)
            | Self::Mailbox(account)
            | Self::Phone(account)
            | Self::SignIn(account, _)
            | Self::Totp(account, _)
            | Self::Deregister(_, account) => [account.clone()].into(),
            Self::Drill(drill) | Self::Review(drill) => of_drill(drill),
            Self::Replace(secret) => {
                let account = state.secrets().get(secret).and_then(|secret| secret.account.clone());
                account.into_iter().collect()
            }
            Self::Acknowledgement(_)
            | Self::Runbook(_)
            | Self::Action(_)
            | Self::Rekey(_)
            | Self::NewIdentity(_) => BTreeSet::new(),
        }
    }

    /// Who sees to it, where that follows from what is on record; else any custodian may. Those who
    /// have left don't.
    pub fn people(&self, state: &State) -> BTreeSet<Handle> {
        let mut people = self.named(state);
        people.retain(|who| !state.former_custodians().contains_key(who));
        people
    }

    fn named(&self, state: &State) -> BTreeSet<Handle> {
        let account = |account: &Handle| state.accounts().get(account);
        let holder_of = |key: &KeyName| {
            let holder = state.keys().get(key).map(|key| key.holder.clone());
            holder.into_iter().collect()
        };
        let token = |named: &Handle, token: &Handle| {
            let device =
                |known: &Account| known.devices.get(&DeviceName::Token(token.clone())).cloned();
            let holder =
                account(named).and_then(|known| device(known)).and_then(|d: Device| d.holder);
            holder.into_iter().collect()
        };
        match self {
            Self::KeyCheck(key) => holder_of(key),
            Self::Acknowledgement(who) | Self::NewIdentity(who) => [who.clone()].into(),
            Self::Mailbox(named) => {
                account(named).into_iter().flat_map(|a| a.mailbox_readers.clone()).collect()
            }
            Self::Phone(named) => {
                account(named).into_iter().flat_map(|a| a.phone_answerers.clone()).collect()
            }
            Self::SignIn(_, DeviceName::Key(key)) => holder_of(key),
            Self::SignIn(named, DeviceName::Token(held)) | Self::Totp(named, held) => {
                token(named, held)
            }
            Self::Action(action) => {
                let owner = state.actions().get(action).map(|known| known.opening.owner.clone());
                owner.into_iter().collect()
            }
            Self::Drill(drill) => {
                let run = state.drills().get(drill);
                let roster = run.map(|run| run.start.roster.as_slice()).unwrap_or_default();
                roster.iter().map(|part: &Part| part.person.clone()).collect()
            }
            Self::Contacts(_)
            | Self::Runbook(_)
            | Self::Review(_)
            | Self::Deregister(..)
            | Self::TakeBack(_)
            | Self::Replace(_)
            | Self::Rekey(_) => BTreeSet::new(),
        }
    }
}

/// What is owed for keys: each that may sign is checked, and what leavers hold is taken back.
pub(super) fn of_keys(state: &State) -> BTreeSet<Obligation> {
    let of = |(name, key): (&KeyName, &crate::record::Key)| {
        let check = key.is_active().then(|| Obligation::KeyCheck(name.clone()));
        let away = key.is_findable() && !state.custodians().contains_key(&key.holder);
        let back = away.then(|| Obligation::TakeBack(name.clone()));
        check.into_iter().chain(back)
    };
    state.keys().iter().flat_map(of).collect()
}

/// What custodians owe.
pub(super) fn of_custodians(state: &State) -> BTreeSet<Obligation> {
    let all = state.custodians().keys();
    let all = all.flat_map(|who| {
        let exposed = !state.exposures(who).is_empty();
        let identity = exposed.then(|| Obligation::NewIdentity(who.clone()));
        std::iter::once(Obligation::Acknowledgement(who.clone())).chain(identity)
    });
    all.collect()
}

/// What is owed for an account: its contacts, its ways in, and keys that are to be taken out.
pub(super) fn of_account(state: &State, handle: &Handle) -> BTreeSet<Obligation> {
    let mut all = BTreeSet::new();
    let Some(account) = state.accounts().get(handle) else { return all };
    all.insert(Obligation::Contacts(handle.clone()));
    if account.root.email.is_some() {
        all.insert(Obligation::Mailbox(handle.clone()));
    }
    if account.root.phone.is_some() {
        all.insert(Obligation::Phone(handle.clone()));
    }
    for device in account.devices.keys() {
        let works = match device {
            DeviceName::Key(key) => {
                let works = state.active_key(key).is_some();
                if !works {
                    all.insert(Obligation::Deregister(key.clone(), handle.clone()));
                }
                works
            }
            DeviceName::Token(token) => {
                all.insert(Obligation::Totp(handle.clone(), token.clone()));
                true
            }
        };
        if works && account.root.credentials {
            all.insert(Obligation::SignIn(handle.clone(), device.clone()));
        }
    }
    all
}

/// The runbooks that are to be run every so many days.
pub(super) fn of_runbooks(state: &State) -> BTreeSet<Obligation> {
    let due = state
        .runbooks()
        .iter()
        .filter(|(_, known)| known.withdrawn.is_none() && known.adoption.every_days.is_some());
    due.map(|(name, _)| Obligation::Runbook(name.clone())).collect()
}

/// What a drill waits for.
pub(super) fn of_drill(state: &State, drill: &Handle) -> BTreeSet<Obligation> {
    let Some(run) = state.drills().get(drill) else { return BTreeSet::new() };
    let finish = run.is_open().then(|| Obligation::Drill(drill.clone()));
    let review = run.awaits_review().then(|| Obligation::Review(drill.clone()));
    finish.into_iter().chain(review).collect()
}

/// The secrets that get another value since somebody could open them who shouldn't.
pub(super) fn of_secrets(state: &State) -> BTreeSet<Obligation> {
    let kept = state.ever_members().flat_map(|who| state.secrets_kept_by(who));
    let astray = state.astray_slots();
    let astray = astray.into_iter().flat_map(|slot| state.secrets_open_to_astray(slot));
    kept.chain(astray).map(|secret| Obligation::Replace(secret.clone())).collect()
}

/// The compartments that are to be encrypted anew.
pub(super) fn of_compartments(state: &State) -> BTreeSet<Obligation> {
    let outdated = state.compartments().keys().filter(|name| state.is_outdated(name));
    outdated.map(|name| Obligation::Rekey(name.clone())).collect()
}
