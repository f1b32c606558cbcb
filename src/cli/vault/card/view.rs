//! All that is on the card, as data.

use serde::Serialize;

use super::accounts::AccountView;
use super::few::{Bounds, Few};
use super::opening::Opening;
use super::people::{CustodianView, Other};
use super::places::KeyView;
use super::source::{Source, day};
use crate::cli::output::HeadView;
use crate::cli::vault::SucceedsView;
use crate::record::Realm;

/// Which runbook is for what.
const RUNBOOKS: [(&str, &str); 6] = [
    ("all-mfa-lost", "no MFA device works"),
    ("password-lost", "nobody knows the password"),
    ("mailbox-lost", "nobody reads the root mail"),
    ("phone-changed", "the number changed, or is lost"),
    ("root-compromised", "somebody else may be in"),
    ("key-replacement", "a key is lost or worn out"),
];

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
