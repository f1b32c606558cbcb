//! What a list means for a vault: row by row, what would be added and what is here already.

use std::collections::{BTreeMap, BTreeSet};

use super::{Listed, Row, handle_with_id};
use crate::record::{
    Account, AccountAdded, AccountIdentity, DeviceLinked, DeviceName, Event, Handle, Stamp, State,
};

/// A list, held against a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its rows, in their order.
    pub rows: Vec<Planned>,
    /// Accounts that are here and not in the list, of the providers that are in it; none are
    /// told as long as a row can't be read.
    pub gone: Vec<Handle>,
    /// The events that add what is to be added.
    pub events: Vec<Event>,
}

/// A row, and what becomes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// Where it stands in the list: see [`Row::place`].
    pub place: u64,
    /// Provider and id, where they could be read.
    pub identity: Option<AccountIdentity>,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is added.
    Added {
        /// Under this handle.
        account: Handle,
        /// The handle that it had, and when it was removed, if it was.
        removed: Option<(Handle, Stamp)>,
    },
    /// It is here already, and stays as it is.
    Here {
        /// Its handle.
        account: Handle,
        /// What the list has otherwise.
        differences: Vec<Difference>,
    },
    /// It isn't added, since the provider says this of it, such as `SUSPENDED`.
    Inactive(String),
    /// It is wrong, so that the list can't be imported.
    Refused(Vec<String>),
}

/// What is recorded of an account, and what a list says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The column.
    pub field: &'static str,
    /// What is recorded.
    pub here: Option<String>,
    /// What the list says.
    pub there: String,
}

impl Plan {
    /// Holds rows against a state. `at` is when it would be recorded.
    pub fn new(rows: Vec<Row>, state: &State, at: Stamp) -> Self {
        let mut planner = Planner::new(&rows, state);
        let rows: Vec<Planned> = rows.into_iter().map(|row| planner.place(row, at)).collect();
        let Planner { added, devices, seen, .. } = planner;
        let providers: BTreeSet<&Handle> = seen.keys().map(|known| &known.provider).collect();
        let gone = state.accounts().iter().filter(|(_, account)| {
            let identity = &account.identity;
            providers.contains(&identity.provider) && !seen.contains_key(identity)
        });
        // A row that can't be read may be any of them.
        let readable = rows.iter().all(|row| row.identity.is_some());
        let gone = gone.filter(|_| readable).map(|(handle, _)| handle.clone()).collect();
        let added = added.into_iter().map(|account| Event::AccountAdded(Box::new(account)));
        let linked = devices.into_iter().map(|(device, mut accounts)| {
            accounts.sort();
            link(device, accounts)
        });
        Self { rows, gone, events: added.chain(linked).collect() }
    }

    /// Whether no row is wrong.
    pub fn is_possible(&self) -> bool {
        !self.rows.iter().any(|row| matches!(row.fate, Fate::Refused(_)))
    }
}

/// That an account was removed, for people.
pub fn removal(handle: &Handle, removed: Stamp) -> String {
    format!("it was removed, as {handle}, in entry {} of {}", removed.entry, removed.time)
}

fn link(device: DeviceName, accounts: Vec<Handle>) -> Event {
    Event::DeviceLinked(DeviceLinked { device, accounts, holder: None, place: None })
}

struct Planner<'a> {
    /// As it is now.
    before: &'a State,
    /// As it would be after the rows so far.
    after: State,
    /// The accounts that were removed, by what they are at their providers: of those removed
    /// more than once, the last.
    former: BTreeMap<&'a AccountIdentity, (&'a Handle, Stamp)>,
    /// The handles that the list gives, which no made one may be.
    given: BTreeSet<Handle>,
    /// The accounts of the rows so far, and where they stand.
    seen: BTreeMap<AccountIdentity, u64>,
    added: Vec<AccountAdded>,
    devices: BTreeMap<DeviceName, Vec<Handle>>,
}

impl<'a> Planner<'a> {
    fn new(rows: &[Row], state: &'a State) -> Self {
        let named = rows.iter().filter_map(|row| row.account.as_ref().ok());
        let named = named.filter(|listed| listed.named);
        let former = state.former_accounts().iter();
        let mut former: Vec<_> = former
            .filter_map(|(handle, account)| Some((&account.identity, (handle, account.removed?))))
            .collect();
        former.sort_by_key(|(_, (_, removed))| *removed);
        Self {
            former: former.into_iter().collect(),
            before: state,
            after: state.clone(),
            given: named.map(|listed| listed.account.account.clone()).collect(),
            seen: BTreeMap::new(),
            added: Vec::new(),
            devices: BTreeMap::new(),
        }
    }

    fn place(&mut self, row: Row, at: Stamp) -> Planned {
        let place = row.place;
        let listed = match row.account {
            Ok(listed) => listed,
            Err(wrong) => {
                return Planned { place, identity: None, fate: Fate::Refused(wrong) };
            }
        };
        let identity = listed.account.identity();
        let fate = match self.seen.get(&identity) {
            Some(first) => Fate::Refused(vec![format!("it is the same account as in row {first}")]),
            None => self.fate(listed, at).unwrap_or_else(|why| {
                // Its handle may be taken by what it was before.
                let removed = self.former.get(&identity);
                let removed = removed.map(|(handle, removed)| removal(handle, *removed));
                Fate::Refused(std::iter::once(why).chain(removed).collect())
            }),
        };
        self.seen.entry(identity.clone()).or_insert(place);
        Planned { place, identity: Some(identity), fate }
    }

    fn fate(&mut self, mut listed: Listed, at: Stamp) -> Result<Fate, String> {
        let identity = listed.account.identity();
        identity.check().map_err(|error| error.to_string())?;
        if let Some(handle) = self.before.account_of(&identity) {
            let known = self.before.accounts().get(handle);
            let differences = known.map(|known| differences(handle, known, &listed));
            let differences = differences.unwrap_or_default();
            return Ok(Fate::Here { account: handle.clone(), differences });
        }
        if let Some(status) = listed.inactive {
            return Ok(Fate::Inactive(status));
        }
        if !listed.named {
            listed.account.account = self.free_handle(&listed.account)?;
        }
        let handle = listed.account.account.clone();
        // Whatever fails here, the list is refused as a whole: so nothing need be undone.
        let links = listed.devices.iter().map(|device| link(device.clone(), vec![handle.clone()]));
        let added = Event::AccountAdded(Box::new(listed.account.clone()));
        for event in std::iter::once(added).chain(links) {
            self.after.apply(&event, at, &[]).map_err(|error| error.to_string())?;
        }
        for device in listed.devices {
            self.devices.entry(device).or_default().push(handle.clone());
        }
        self.added.push(listed.account);
        let removed = self.former.get(&identity).map(|(handle, at)| ((*handle).clone(), *at));
        Ok(Fate::Added { account: handle, removed })
    }

    /// The handle that was made for an account, or, if that is another's, the same with its id.
    fn free_handle(&self, account: &AccountAdded) -> Result<Handle, String> {
        let is_free = |handle: &Handle| {
            !self.given.contains(handle)
                && !self.after.accounts().contains_key(handle)
                && !self.after.former_accounts().contains_key(handle)
        };
        let with_id = || handle_with_id(&account.account, account.id.as_str());
        let made = Some(account.account.clone()).filter(is_free);
        made.or_else(|| with_id().filter(is_free)).ok_or_else(|| {
            format!("the handle {} is taken: give it another in a column account", account.account)
        })
    }
}

/// What a list has otherwise than the records, of what it has at all.
fn differences(handle: &Handle, here: &Account, listed: &Listed) -> Vec<Difference> {
    fn text(value: &impl ToString) -> String {
        value.to_string()
    }
    fn several<T: ToString>(values: &[T]) -> Option<String> {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
    let there = &listed.account;
    let credentials = |has: bool| if has { "yes" } else { "no" }.to_owned();
    let devices: Vec<&DeviceName> = here.devices.keys().collect();
    let given = listed.named.then(|| there.account.to_string());
    let tells = listed.tells_credentials.then(|| credentials(there.root_credentials));
    let fields = [
        ("account", Some(handle.to_string()), given),
        ("name", here.name.as_ref().map(text), there.name.as_ref().map(text)),
        ("tags", several(&here.tags), several(&there.tags)),
        ("root_credentials", Some(credentials(here.root.credentials)), tells),
        ("root_email", here.root.email.as_ref().map(text), there.root_email.as_ref().map(text)),
        ("mailbox_readers", several(&here.mailbox_readers), several(&there.mailbox_readers)),
        ("root_phone", here.root.phone.as_ref().map(text), there.root_phone.as_ref().map(text)),
        ("phone_answerers", several(&here.phone_answerers), several(&there.phone_answerers)),
        (
            "billing_contact",
            here.billing_contact.as_ref().map(text),
            there.billing_contact.as_ref().map(text),
        ),
        (
            "operations_contact",
            here.operations_contact.as_ref().map(text),
            there.operations_contact.as_ref().map(text),
        ),
        (
            "security_contact",
            here.security_contact.as_ref().map(text),
            there.security_contact.as_ref().map(text),
        ),
        (
            "password_place",
            here.password_place.as_ref().map(text),
            there.password_place.as_ref().map(text),
        ),
        ("devices", several(&devices), several(&listed.devices)),
        ("status", None, listed.inactive.clone()),
    ];
    let other = |(field, here, there): (&'static str, Option<String>, Option<String>)| {
        let there = there.filter(|there| here.as_ref() != Some(there))?;
        Some(Difference { field, here, there })
    };
    fields.into_iter().filter_map(other).collect()
}
