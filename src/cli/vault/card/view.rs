//! All that is on the card, as data.

use std::collections::BTreeSet;

use serde::Serialize;

use super::accounts::AccountView;
use super::few::{Bounds, Few};
use super::opening::Opening;
use super::people::{CustodianView, Other};
use super::places::KeyView;
use crate::cli::output::HeadView;
use crate::cli::vault::SucceedsView;
use crate::log::Head;
use crate::record::{Account, Custodian, Digest, Handle, Key, KeyName, Realm, Stamp, State, Time};
use crate::recovery::{Basis, Recovery, WayKind};

/// Which runbook is for what.
const RUNBOOKS: [(&str, &str); 6] = [
    ("all-mfa-lost", "no MFA device works"),
    ("password-lost", "nobody knows the password"),
    ("mailbox-lost", "nobody reads the root mail"),
    ("phone-changed", "the number changed, or is lost"),
    ("root-compromised", "somebody else may be in"),
    ("key-replacement", "a key is lost or worn out"),
];

/// What the card is made of, in the order in which it stands there.
pub struct Source<'a> {
    /// All that is on record.
    pub state: &'a State,
    head: Head,
    fingerprint: Option<Digest>,
    sound: bool,
    now: Time,
    /// Who can do most comes first.
    pub custodians: Vec<(&'a Handle, &'a Custodian)>,
    /// The keys that may sign, by owner in that order.
    pub keys: Vec<(&'a KeyName, &'a Key)>,
    /// Those with the fewest ways in first.
    pub accounts: Vec<Rooted<'a>>,
}

/// An account with a root user to get into.
pub struct Rooted<'a> {
    /// Its name here.
    pub handle: &'a Handle,
    /// The account.
    pub account: &'a Account,
    /// The ways in that there are on record.
    pub ways: Vec<WayKind>,
}

impl<'a> Source<'a> {
    /// Out of what is on record, at a time.
    pub fn new(
        state: &'a State,
        head: Head,
        fingerprint: Option<Digest>,
        sound: bool,
        now: Time,
    ) -> Self {
        let mut custodians: Vec<_> = state.custodians().iter().collect();
        custodians.sort_by_cached_key(|(who, _)| {
            let keys = state.working_keys(who).len();
            (std::cmp::Reverse((keys, last_seen(state, who))), (*who).clone())
        });
        let owned = |who: &'a Handle| state.keys().iter().filter(move |(key, _)| key.owner == *who);
        let keys = custodians.iter().flat_map(|(who, _)| owned(who));
        let keys = keys.filter(|(_, key)| key.is_active()).collect();
        let recovery = Recovery::of(state, now);
        let mut ways = recovery.ways(Basis::Record, &BTreeSet::new());
        let rooted = state.accounts().iter().filter_map(|(handle, account)| {
            Some(Rooted { handle, account, ways: ways.remove(handle)? })
        });
        let mut accounts: Vec<Rooted<'_>> = rooted.collect();
        accounts.sort_by_key(|rooted| rooted.ways.len());
        Self { state, head, fingerprint, sound, now, custodians, keys, accounts }
    }
}

/// When somebody last signed anything, with whatever key.
pub fn last_seen(state: &State, who: &Handle) -> Option<Stamp> {
    let own = state.keys().iter().filter(|(key, _)| key.owner == *who);
    own.map(|(_, key)| key.last_seen).max()
}

/// A day, as people write it.
pub fn day(time: Time) -> String {
    time.moment().format("%Y-%m-%d").to_string()
}

/// The card, as JSON.
#[derive(Serialize)]
pub struct CardView {
    pub vault: String,
    pub name: Option<String>,
    pub demo: bool,
    /// The vault that it takes the place of, in words.
    pub succeeds: Option<String>,
    /// Whether the whole log verified.
    pub sound: bool,
    /// The day.
    pub printed: String,
    pub head: HeadView,
    pub fingerprint: Option<String>,
    /// Whom to call, in this order.
    pub custodians: Few<CustodianView>,
    /// Who isn't a custodian, and is needed for an account.
    pub others: Few<Other>,
    /// The keys that may sign.
    pub keys: Few<KeyView>,
    /// Those with the fewest ways in first.
    pub accounts: Few<AccountView>,
    /// Accounts without root credentials.
    pub central: Few<String>,
    pub runbooks: Vec<RunbookView>,
    pub opening: Opening,
}

/// A runbook, and when it is needed.
#[derive(Serialize)]
pub struct RunbookView {
    pub runbook: &'static str,
    pub when: &'static str,
}

impl CardView {
    /// Within bounds.
    pub fn new(source: &Source<'_>, bounds: &Bounds) -> Self {
        let state = source.state;
        let listed = source.keys.get(..bounds.keys).unwrap_or(&source.keys);
        let central = state.accounts().iter().filter(|(_, account)| !account.root.credentials);
        Self {
            vault: source.head.vault.to_string(),
            name: state.name().map(|name| bounds.short(name)),
            demo: state.realm() == Realm::Demo,
            succeeds: SucceedsView::of(state).map(|it| it.sentence()),
            sound: source.sound,
            printed: day(source.now),
            head: (&source.head).into(),
            fingerprint: source.fingerprint.map(|digest| digest.to_string()),
            custodians: Few::of(&source.custodians, bounds.custodians, |(who, known)| {
                CustodianView::new(who, known, state, bounds)
            }),
            others: Other::all(source, bounds),
            keys: Few::of(&source.keys, bounds.keys, |(name, key)| {
                KeyView::new(name, key, state, bounds)
            }),
            accounts: Few::of(&source.accounts, bounds.accounts, |rooted| {
                AccountView::new(rooted, listed, state, bounds)
            }),
            central: Few::of(central, bounds.names, |(handle, _)| handle.to_string()),
            runbooks: RUNBOOKS.map(|(runbook, when)| RunbookView { runbook, when }).into(),
            opening: Opening::new(source, source.head.number, bounds),
        }
    }
}
