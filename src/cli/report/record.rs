//! What is on record: policy, accounts, and who signed alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::at::At;
use crate::cli::output::verification_word;
use crate::cli::words::told;
use crate::log::Entry;
use crate::record::{DeviceName, Event, Handle, KeyName, Stamp, State};

/// A rule that the vault has set itself.
#[derive(Debug, Serialize)]
pub struct RuleView {
    pub rule: &'static str,
    pub value: String,
    /// The entry that set it; that which founded the vault, where none did since.
    pub since: At,
}

/// An account, as it is on record.
#[derive(Debug, Serialize)]
pub struct AccountOnRecord {
    pub account: String,
    pub provider: String,
    pub id: String,
    pub name: Option<String>,
    pub root_credentials: bool,
    pub root_email: Option<String>,
    pub mailbox_readers: Vec<String>,
    pub root_phone: Option<String>,
    pub phone_answerers: Vec<String>,
    pub contacts: Vec<String>,
    pub devices: Vec<String>,
    pub password_place: Option<String>,
}

/// Who signed how much.
#[derive(Debug, Serialize)]
pub struct SignedView {
    /// The entry since which two custodians sign what needs two; none as long as there is one.
    pub two_since: Option<u64>,
    /// How many entries two or more custodians signed.
    pub by_several: usize,
    /// The entries since then that one custodian signed alone.
    pub alone: Vec<AloneView>,
}

#[derive(Debug, Serialize)]
pub struct AloneView {
    pub at: At,
    pub custodian: String,
    pub tells: Vec<String>,
}

/// The rules in force, and the entries that set them.
pub fn rules<'e>(entries: impl Iterator<Item = &'e Entry>, state: &State) -> Vec<RuleView> {
    let mut set: BTreeMap<&'static str, Stamp> = BTreeMap::new();
    let names = [
        "PIN or fingerprint",
        "keys, devices and tokens are checked every",
        "duties are acknowledged every",
        "contacts, mailboxes and telephones are looked at every",
        "slips are admitted for",
        "announced before",
        "grace after",
        "lines of duties",
    ];
    for entry in entries {
        let at = Stamp { entry: entry.document().number, time: entry.document().time };
        for event in entry.events() {
            let changed = match event {
                Event::VaultCreated(_) => [true; 8],
                Event::PolicyChanged(it) => [
                    it.user_verification.is_some(),
                    it.check_days.is_some(),
                    it.acknowledgement_days.is_some(),
                    it.contacts_days.is_some(),
                    it.slip_days.is_some(),
                    it.warn_days.is_some(),
                    it.grace_days.is_some(),
                    it.duties.is_some(),
                ],
                _ => continue,
            };
            set.extend(
                names.iter().zip(changed).filter(|(_, it)| *it).map(|(name, _)| (*name, at)),
            );
        }
    }
    let policy = state.policy();
    let days = |days: u32| format!("{days} days");
    let values = [
        verification_word(policy.user_verification).to_owned(),
        days(policy.check_days),
        days(policy.acknowledgement_days),
        days(policy.contacts_days),
        days(policy.slip_days),
        days(policy.warn_days),
        days(policy.grace_days),
        policy.duties.len().to_string(),
    ];
    let view = |(rule, value): (&'static str, String)| {
        Some(RuleView { rule, value, since: (*set.get(rule)?).into() })
    };
    names.into_iter().zip(values).filter_map(view).collect()
}

fn texts(all: &[impl ToString]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// The accounts that are looked after.
pub fn accounts_on_record(state: &State) -> Vec<AccountOnRecord> {
    let text = |value: Option<String>| value;
    state
        .accounts()
        .iter()
        .map(|(handle, account)| {
            let contacts = [
                ("billing", &account.billing_contact),
                ("operations", &account.operations_contact),
                ("security", &account.security_contact),
            ];
            let devices = account.devices.iter().map(|(name, device)| match name {
                DeviceName::Key(key) => format!("security key {key}"),
                DeviceName::Token(token) => match &device.holder {
                    Some(holder) => format!("token {token}, with {holder}"),
                    None => format!("token {token}"),
                },
            });
            AccountOnRecord {
                account: handle.to_string(),
                provider: account.identity.provider.to_string(),
                id: account.identity.id.to_string(),
                name: text(account.name.as_ref().map(ToString::to_string)),
                root_credentials: account.root.credentials,
                root_email: text(account.root.email.as_ref().map(ToString::to_string)),
                mailbox_readers: texts(&account.mailbox_readers),
                root_phone: text(account.root.phone.as_ref().map(ToString::to_string)),
                phone_answerers: texts(&account.phone_answerers),
                contacts: contacts
                    .into_iter()
                    .filter_map(|(role, contact)| Some(format!("{role}: {}", contact.as_ref()?)))
                    .collect(),
                devices: devices.collect(),
                password_place: text(account.password_place.as_ref().map(ToString::to_string)),
            }
        })
        .collect()
}

/// Who signed alone since two custodians sign what needs two.
pub fn signed<'e>(entries: impl Iterator<Item = &'e Entry>) -> SignedView {
    let (mut keyed, mut two_since) = (BTreeSet::new(), None);
    let (mut by_several, mut alone) = (0, Vec::new());
    for entry in entries {
        let document = entry.document();
        let signers = entry.documents().flat_map(|document| &document.signers);
        let owners: BTreeSet<&Handle> = signers.map(|KeyName { owner, .. }| owner).collect();
        by_several += usize::from(owners.len() > 1);
        let mut owners = owners.into_iter();
        if let (Some(_), Some(owner), None) = (two_since, owners.next(), owners.next()) {
            let at = Stamp { entry: document.number, time: document.time };
            alone.push(AloneView {
                at: at.into(),
                custodian: owner.to_string(),
                tells: told(entry),
            });
        }
        for event in entry.events() {
            if let Event::KeyEnrolled(enrolled) = event {
                keyed.insert(&enrolled.key.owner);
            }
        }
        // What needs two needs two from the next entry on.
        if keyed.len() > 1 {
            two_since.get_or_insert(document.number.saturating_add(1));
        }
    }
    SignedView { two_since, by_several, alone }
}
