//! Which entries an auditor is shown, where it isn't all of them.
//!
//! What is told of custodians, readers, keys, compartments, policy and runbooks is always shown, since nobody
//! could judge without it who may sign. Of a drill all entries are shown, or none.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::log::Entry;
use crate::record::{Event, Handle, State};
use crate::schedule::{Obligation, day_of};

/// What is wanted; what isn't said is not asked about. All of what is said must fit.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Wanted {
    /// Entries of this day or later.
    pub from: Option<NaiveDate>,
    /// Entries of this day or earlier.
    pub to: Option<NaiveDate>,
    /// Entries about one of these accounts.
    pub accounts: Option<BTreeSet<Handle>>,
    /// These entries.
    pub only: Option<BTreeSet<u64>>,
}

impl Wanted {
    /// Whether it is everything.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The numbers of the entries that are shown. `state` is what they come to.
    pub fn among<'e>(
        &self,
        entries: impl Iterator<Item = &'e Entry> + Clone,
        state: &State,
    ) -> BTreeSet<u64> {
        let fits = |entry: &&Entry| self.fits(entry, state);
        let shown: Vec<&Entry> = entries.clone().filter(fits).collect();
        let drills: BTreeSet<&Handle> = shown.iter().flat_map(|entry| drills_of(entry)).collect();
        let belongs = |entry: &&Entry| drills_of(entry).any(|drill| drills.contains(drill));
        let others = entries.filter(belongs);
        shown.iter().copied().chain(others).map(|entry| entry.document().number).collect()
    }

    fn fits(&self, entry: &Entry, state: &State) -> bool {
        if self.is_all() || entry.events().any(Event::bears_on_authority) {
            return true;
        }
        let document = entry.document();
        let day = day_of(document.time);
        let about = |wanted: &BTreeSet<Handle>| {
            let accounts = entry.events().flat_map(|event| accounts_of(event, state));
            accounts.into_iter().any(|account| wanted.contains(&account))
        };
        self.from.is_none_or(|from| from <= day)
            && self.to.is_none_or(|to| day <= to)
            && self.accounts.as_ref().is_none_or(about)
            && self.only.as_ref().is_none_or(|only| only.contains(&document.number))
    }
}

/// The drills that an entry tells of.
fn drills_of(entry: &Entry) -> impl Iterator<Item = &Handle> {
    entry.events().filter_map(|event| match event {
        Event::DrillStarted(event) => Some(&event.drill),
        Event::DrillFinished(event) => Some(&event.drill),
        Event::DrillAbandoned(event) => Some(&event.drill),
        Event::DrillReviewed(event) => Some(&event.drill),
        _ => None,
    })
}

/// The accounts that an event is about.
fn accounts_of(event: &Event, state: &State) -> Vec<Handle> {
    let of_secret = |secret: &Handle| state.secrets().get(secret).and_then(|s| s.account.clone());
    let of_drill = |drill: &Handle| {
        let run = state.drills().get(drill);
        run.map(|run| run.start.accounts.clone()).unwrap_or_default()
    };
    match event {
        Event::AccountAdded(event) => vec![event.account.clone()],
        Event::AccountChanged(event) => vec![event.account.clone()],
        Event::RootUserChanged(event) => vec![event.account.clone()],
        Event::AccountRemoved(event) => vec![event.account.clone()],
        Event::DeviceLinked(event) => event.accounts.clone(),
        Event::DeviceUnlinked(event) => event.accounts.clone(),
        Event::TokenMoved(event) => vec![event.account.clone()],
        Event::ContactsReviewed(event)
        | Event::MailboxTested(event)
        | Event::PhoneTested(event) => event.accounts.clone(),
        Event::SignInProven(event) => event.accounts.clone(),
        Event::TotpChecked(event) => vec![event.account.clone()],
        Event::SecretStored(event) => event.account.iter().cloned().collect(),
        Event::SecretReplaced(event) => of_secret(&event.secret).into_iter().collect(),
        Event::SecretOpened(event) => {
            event.secrets.iter().filter_map(|name| of_secret(&name.secret)).collect()
        }
        Event::DrillStarted(event) => event.accounts.clone(),
        Event::DrillFinished(event) => of_drill(&event.drill),
        Event::DrillAbandoned(event) => of_drill(&event.drill),
        Event::DrillReviewed(event) => of_drill(&event.drill),
        Event::WaiverGiven(event) => {
            let about = event.obligation.as_str().parse::<Obligation>();
            about.map(|about| about.accounts(state).into_iter().collect()).unwrap_or_default()
        }
        // These stand in the entry that ends their drill.
        Event::DrillStep(_)
        | Event::DrillException(_)
        | Event::DrillInterrupted(_)
        | Event::PartTaken(_)
        | Event::EvidenceKept(_)
        // These are about no account.
        | Event::ActionOpened(_)
        | Event::ActionClosed(_)
        | Event::SlipEndorsed(_) => Vec::new(),
        // These are always shown.
        Event::VaultCreated(_)
        | Event::VaultSucceeds(_)
        | Event::PolicyChanged(_)
        | Event::CustodianAdded(_)
        | Event::CustodianChanged(_)
        | Event::CustodianLeft(_)
        | Event::DutiesAcknowledged(_)
        | Event::RecipientChanged(_)
        | Event::ReaderAdded(_)
        | Event::ReaderRemoved(_)
        | Event::KeyEnrolled(_)
        | Event::KeyChecked(_)
        | Event::KeyLost(_)
        | Event::KeyCompromised(_)
        | Event::KeyRestored(_)
        | Event::KeyRetired(_)
        | Event::KeyMoved(_)
        | Event::KeyHandedOver(_)
        | Event::BagSealed(_)
        | Event::BagOpened(_)
        | Event::IdentitySealed(_)
        | Event::MembersChosen(_)
        | Event::CompartmentSealed(_)
        | Event::RunbookAdopted(_)
        | Event::RunbookWithdrawn(_)
        | Event::HeadAbandoned(_) => Vec::new(),
    }
}
