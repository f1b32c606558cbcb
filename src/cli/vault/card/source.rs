//! What the card is made of.

use std::collections::BTreeSet;

use crate::log::Head;
use crate::record::{Account, Custodian, Digest, Handle, Key, KeyName, Stamp, State, Time};
use crate::recovery::{Basis, Recovery, WayKind};

/// What the card is made of, in the order in which it stands there.
pub struct Source<'a> {
    /// All that is on record.
    pub state: &'a State,
    pub head: Head,
    pub fingerprint: Option<Digest>,
    pub sound: bool,
    pub now: Time,
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
