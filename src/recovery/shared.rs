//! What accounts tell of one another: one mailbox may have several addresses, and one telephone may be
//! that of several accounts.

use std::collections::{BTreeMap, BTreeSet};

use super::element::Element;
use crate::record::{Account, Handle, Outcome, Stamp, State, TrialKind};

/// What is known of each mailbox and telephone, by way of any account that has it.
#[derive(Default)]
pub(super) struct Shared {
    /// Those that failed when they were last tried.
    pub failing: BTreeSet<Element>,
    /// The accounts without which a mailbox can't be read.
    pub through: BTreeMap<Element, BTreeSet<Handle>>,
}

impl Shared {
    /// Out of what is on record of all accounts with a root user to get into.
    pub fn of(state: &State) -> Self {
        let mut last: BTreeMap<Element, (Stamp, bool)> = BTreeMap::new();
        let mut through: BTreeMap<Element, BTreeSet<Handle>> = BTreeMap::new();
        for account in state.accounts().values().filter(|account| account.root.credentials) {
            let (mailbox, phone) = (mailbox_of(account), phone_of(account));
            if let Some(mailbox) = &mailbox
                && !account.mailbox_through.is_empty()
            {
                let those = through.entry(mailbox.clone()).or_default();
                those.extend(account.mailbox_through.iter().cloned());
            }
            for (element, kind) in [(mailbox, TrialKind::Mailbox), (phone, TrialKind::Phone)] {
                let Some((element, trial)) = element.zip(account.trials.get(&kind)) else {
                    continue;
                };
                // Of one entry, what failed counts.
                let tried = (trial.last, trial.outcome == Outcome::Failed);
                let known = last.entry(element).or_insert(tried);
                *known = (*known).max(tried);
            }
        }
        let failing = last.into_iter().filter(|(_, (_, failed))| *failed);
        Self { failing: failing.map(|(element, _)| element).collect(), through }
    }
}

/// The mailbox of an account's root user.
pub(super) fn mailbox_of(account: &Account) -> Option<Element> {
    account.root.email.as_ref().map(Element::mailbox)
}

/// Its telephone.
fn phone_of(account: &Account) -> Option<Element> {
    account.root.phone.as_ref().map(Element::phone)
}
