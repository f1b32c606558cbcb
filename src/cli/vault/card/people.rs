//! Whom to call.

use std::collections::BTreeMap;

use serde::Serialize;

use super::few::{Bounds, Few};
use super::source::{Rooted, Source, day, last_seen};
use crate::cli::output::count;
use crate::record::{Custodian, Handle, State};

/// A custodian.
#[derive(Serialize)]
pub struct CustodianView {
    pub custodian: String,
    pub name: Option<String>,
    /// How to reach them.
    pub contact: Few<String>,
    pub deputy: Option<String>,
    /// How many of their keys may sign and open the vault.
    pub keys: usize,
    /// The day on which they last signed anything.
    pub last_seen: Option<String>,
}

impl CustodianView {
    pub fn new(who: &Handle, known: &Custodian, state: &State, bounds: &Bounds) -> Self {
        Self {
            custodian: who.to_string(),
            name: known.name.as_ref().map(|name| bounds.short(name)),
            contact: Few::of(&known.contact, bounds.contacts, |line| bounds.short(line)),
            deputy: known.deputy.as_ref().map(Handle::to_string),
            keys: state.working_keys(who).len(),
            last_seen: last_seen(state, who).map(|stamp| day(stamp.time)),
        }
    }

    /// `Alice A. (alice)`.
    pub fn called(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.custodian),
            None => self.custodian.clone(),
        }
    }

    /// What they can do, and who stands in for them.
    pub fn means(&self) -> String {
        let keys = match self.keys {
            0 => "no key that opens the vault".to_owned(),
            keys => count(keys, "key", "keys"),
        };
        let seen = self.last_seen.as_ref().map(|day| format!(", signed {day}"));
        let deputy = self.deputy.as_ref().map(|deputy| format!(", deputy {deputy}"));
        [Some(keys), seen, deputy].into_iter().flatten().collect()
    }

    /// How to reach them, a line each; nothing if that isn't on record.
    pub fn reach(&self) -> Vec<String> {
        let mut lines = self.contact.shown.clone();
        if let Some(last) = lines.last_mut().filter(|_| self.contact.more > 0) {
            last.push_str(&format!(" (and {} more)", self.contact.more));
        }
        lines
    }
}

/// Somebody who isn't a custodian, and whom it takes to get into accounts.
#[derive(Serialize)]
pub struct Other {
    pub person: String,
    /// The accounts whose root mailbox they read.
    pub mailboxes: Few<String>,
    /// Those whose root telephone they answer.
    pub telephones: Few<String>,
    /// Those of which they have a token.
    pub tokens: Few<String>,
}

impl Other {
    /// Those who are needed for most accounts first.
    pub fn all(source: &Source<'_>, bounds: &Bounds) -> Few<Self> {
        let state = source.state;
        // Of each, by name: accounts whose mailbox, telephone or token it is.
        let mut found: BTreeMap<&Handle, [Vec<&Handle>; 3]> = BTreeMap::new();
        for Rooted { handle, account, .. } in &source.accounts {
            let holders = account.devices.values().filter_map(|device| device.holder.as_ref());
            let roles: [Vec<&Handle>; 3] = [
                account.mailbox_readers.iter().collect(),
                account.phone_answerers.iter().collect(),
                holders.collect(),
            ];
            for (role, people) in roles.into_iter().enumerate() {
                for who in people.into_iter().filter(|who| is_other(state, who)) {
                    let [mailboxes, telephones, tokens] = found.entry(who).or_default();
                    let accounts = match role {
                        0 => mailboxes,
                        1 => telephones,
                        _ => tokens,
                    };
                    if accounts.last() != Some(handle) {
                        accounts.push(handle);
                    }
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        let needed = |roles: &[Vec<&Handle>; 3]| roles.iter().map(Vec::len).sum::<usize>();
        found.sort_by_key(|(_, roles)| std::cmp::Reverse(needed(roles)));
        let few = |accounts: Vec<&Handle>| Few::of(accounts, bounds.names, Handle::to_string);
        Few::of(found, bounds.others, |(person, [mailboxes, telephones, tokens])| Self {
            person: person.to_string(),
            mailboxes: few(mailboxes),
            telephones: few(telephones),
            tokens: few(tokens),
        })
    }

    /// `erin (mailbox of prod; telephone of prod, test)`.
    pub fn described(&self) -> String {
        let roles = [
            ("mailbox", &self.mailboxes),
            ("telephone", &self.telephones),
            ("token", &self.tokens),
        ];
        let roles = roles.iter().filter(|(_, accounts)| !accounts.is_empty());
        let roles = roles.map(|(what, accounts)| format!("{what} of {}", accounts.names()));
        format!("{} ({})", self.person, roles.collect::<Vec<_>>().join("; "))
    }
}

/// Whether somebody neither is nor was a custodian. Who has left isn't called.
fn is_other(state: &State, who: &Handle) -> bool {
    !state.custodians().contains_key(who) && !has_left(state, who)
}

fn has_left(state: &State, who: &Handle) -> bool {
    state.former_custodians().contains_key(who)
}

/// Somebody by name, and that they have left if they have.
pub fn person(state: &State, who: &Handle) -> String {
    if has_left(state, who) { format!("{who} (LEFT)") } else { who.to_string() }
}
