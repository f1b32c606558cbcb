//! Events about accounts in words.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::{joined, quoted, remarked};
use crate::record::{
    AccountAdded, AccountChanged, AccountField, AccountsTried, Contact, DeviceLinked,
    DeviceUnlinked, Email, Handle, Outcome, RootUserChanged, SignInProven, TokenMoved,
};

pub fn added(event: &AccountAdded) -> String {
    let name = event.name.as_ref().map_or(String::new(), |name| format!(" ({})", quoted(name)));
    let email =
        event.root_email.as_ref().map(|email| format!("its root e-mail address is {email}"));
    let phone = event.root_phone.as_ref().map(|phone| format!("its root telephone is {phone}"));
    let none = (!event.root_credentials).then(|| "it has no root credentials".to_owned());
    let details = details(
        (&event.mailbox_readers, &event.phone_answerers),
        [&event.billing_contact, &event.operations_contact, &event.security_contact],
    );
    let place = event.password_place.as_ref().map(kept);
    let tags = tagged(&event.tags);
    let what = email.into_iter().chain(phone).chain(none).chain(details).chain(place).chain(tags);
    let what: Vec<String> = what.collect();
    let colon = if what.is_empty() { "" } else { ": " };
    format!(
        "the account {}{name} is looked after, {} {}{colon}{}",
        event.account,
        event.provider,
        quoted(&event.id),
        what.join("; ")
    )
}

/// One of many accounts: what tells it from the others.
pub fn added_in_short(event: &AccountAdded) -> String {
    let name = event.name.as_ref().map_or(String::new(), |name| format!(" ({})", quoted(name)));
    let email = event.root_email.as_ref().map_or(String::new(), |email| format!(", {email}"));
    let tags = tagged(&event.tags).map_or(String::new(), |tags| format!("; {tags}"));
    let (provider, id) = (&event.provider, quoted(&event.id));
    format!("the account {}{name} is looked after, {provider} {id}{email}{tags}", event.account)
}

/// How many different values of a field are told.
const MAX_VALUES: usize = 30;

/// Many accounts, by what they have: what only few of them have first, since one that doesn't
/// belong to a long list shows by that.
pub fn many_added(accounts: &[&AccountAdded]) -> Vec<String> {
    if accounts.is_empty() {
        return Vec::new();
    }
    type Value = fn(&AccountAdded) -> Option<String>;
    let fields: [(&str, Value); 10] = [
        ("provider", |account| Some(account.provider.to_string())),
        ("root e-mail at", |account| account.root_email.as_ref().map(Email::domain)),
        ("mailbox read by", |account| people(&account.mailbox_readers)),
        ("root telephone", |account| account.root_phone.as_ref().map(ToString::to_string)),
        ("answered by", |account| people(&account.phone_answerers)),
        ("billing contact at", |account| at(account.billing_contact.as_ref())),
        ("operations contact at", |account| at(account.operations_contact.as_ref())),
        ("security contact at", |account| at(account.security_contact.as_ref())),
        ("root password at", |account| account.password_place.as_ref().map(quoted)),
        ("root credentials", |account| (!account.root_credentials).then(|| "none".to_owned())),
    ];
    let many = accounts.len();
    let mut lines = vec![format!("how many of these last {many} accounts have what:")];
    for (field, value) in fields {
        let mut found: BTreeMap<Option<String>, usize> = BTreeMap::new();
        for account in accounts {
            *found.entry(value(account)).or_default() += 1;
        }
        let values = found.keys().flatten().count();
        if values == 0 {
            continue;
        }
        let mut found: Vec<(Option<String>, usize)> = found.into_iter().collect();
        found.sort_by_key(|(_, count)| *count);
        let told = |(value, count): &(Option<String>, usize)| {
            format!("{} ({count})", value.as_deref().unwrap_or("nothing"))
        };
        let mut words: Vec<String> = found.iter().take(MAX_VALUES).map(told).collect();
        let left: usize = found.iter().skip(MAX_VALUES).map(|(_, count)| count).sum();
        if left > 0 {
            let others = found.len() - MAX_VALUES;
            words.push(format!("{others} others ({left})"));
        }
        lines.push(format!("  {field} {}", words.join(", ")));
    }
    lines
}

fn people(handles: &[Handle]) -> Option<String> {
    (!handles.is_empty()).then(|| joined(handles, " and "))
}

/// The domain of a contact's address.
fn at(contact: Option<&Contact>) -> Option<String> {
    contact.map(|contact| contact.email.domain())
}

pub fn changed(event: &AccountChanged) -> String {
    let name = event.name.as_ref().map(|name| format!("its name is {}", quoted(name)));
    let details = details(
        (&event.mailbox_readers, &event.phone_answerers),
        [&event.billing_contact, &event.operations_contact, &event.security_contact],
    );
    let through = &event.mailbox_through;
    let through = (!through.is_empty())
        .then(|| format!("the root mailbox can't be read without {}", joined(through, ", ")));
    let place = event.password_place.as_ref().map(kept);
    let forgotten = event.forgotten.iter().map(|field| match field {
        AccountField::Name => "its name",
        AccountField::Tags => "its tags",
        AccountField::MailboxReaders => "who reads the root mailbox",
        AccountField::MailboxThrough => "which accounts the root mailbox needs",
        AccountField::PhoneAnswerers => "who answers the root telephone",
        AccountField::BillingContact => "its billing contact",
        AccountField::OperationsContact => "its operations contact",
        AccountField::SecurityContact => "its security contact",
        AccountField::PasswordPlace => "where the root password is",
    });
    let forgotten: Vec<&str> = forgotten.collect();
    let forgotten = (!forgotten.is_empty()).then(|| format!("forgotten: {}", forgotten.join(", ")));
    let what = name.into_iter().chain(details).chain(through).chain(place);
    let what: Vec<String> = what.chain(tagged(&event.tags)).chain(forgotten).collect();
    format!("of the account {}: {}", event.account, what.join("; "))
}

fn details(
    (readers, answerers): (&[Handle], &[Handle]),
    contacts: [&Option<Contact>; 3],
) -> Vec<String> {
    let who = |who: &[Handle], does: &str| {
        (!who.is_empty()).then(|| format!("{} {does}", joined(who, ", ")))
    };
    let roles = ["billing", "operations", "security"];
    let contacts = roles.into_iter().zip(contacts).filter_map(|(role, contact)| {
        contact.as_ref().map(|contact| format!("its {role} contact is {}", quoted(contact)))
    });
    let people = who(readers, "may read the root mailbox")
        .into_iter()
        .chain(who(answerers, "may answer the root telephone"));
    people.chain(contacts).collect()
}

fn kept(place: &impl Display) -> String {
    format!("the root password is kept at {}", quoted(place))
}

fn tagged(tags: &[impl Display]) -> Option<String> {
    let tags: Vec<String> = tags.iter().map(quoted).collect();
    (!tags.is_empty()).then(|| format!("its tags are {}", tags.join(" ")))
}

pub fn root_changed(event: &RootUserChanged) -> String {
    let email = event.email.as_ref().map(|email| format!("the root e-mail address is {email}"));
    let phone = event.phone.as_ref().map(|phone| format!("the root telephone is {phone}"));
    let credentials = event.credentials.map(|has| match has {
        true => "there are root credentials".to_owned(),
        false => "there are no root credentials".to_owned(),
    });
    let what: Vec<String> = email.into_iter().chain(phone).chain(credentials).collect();
    format!("of the account {}, {} from now on", event.account, what.join(", "))
}

/// Which accounts an event is about: all of them, and how many where that isn't seen at once.
fn listed(accounts: &[Handle]) -> String {
    let all = joined(accounts, ", ");
    if accounts.len() > 10 { format!("{} accounts: {all}", accounts.len()) } else { all }
}

pub fn linked(event: &DeviceLinked) -> String {
    let holder = event.holder.as_ref().map(|holder| format!(", held by {holder}"));
    let place = event.place.as_ref().map(|place| format!(", kept at {}", quoted(place)));
    format!(
        "{} is registered with the root user of {}{}{}",
        event.device,
        listed(&event.accounts),
        holder.unwrap_or_default(),
        place.unwrap_or_default()
    )
}

pub fn unlinked(event: &DeviceUnlinked) -> String {
    let remark = remarked(event.remark.as_ref());
    let accounts = listed(&event.accounts);
    format!("{} is no longer registered with the root user of {accounts}{remark}", event.device)
}

pub fn token_moved(event: &TokenMoved) -> String {
    let holder = event.holder.as_ref().map(|holder| format!("{holder} has it"));
    let place = event.place.as_ref().map(|place| format!("it is kept at {}", quoted(place)));
    let what: Vec<String> = holder.into_iter().chain(place).collect();
    format!("of the token {} of {}: {}", event.token, event.account, what.join(", "))
}

pub fn tried(event: &AccountsTried, passed: &str, failed: &str) -> String {
    let how = match event.outcome {
        Outcome::Passed => passed,
        Outcome::Failed => failed,
    };
    let remark = remarked(event.remark.as_ref());
    format!("of {}: {how}{remark}", listed(&event.accounts))
}

pub fn signed_in(event: &SignInProven) -> String {
    let how = match event.outcome {
        Outcome::Passed => "the root user signed in",
        Outcome::Failed => "THE ROOT USER COULDN'T SIGN IN",
    };
    let device = event.device.as_ref().map(|device| format!(" with {device}"));
    let evidence = event.evidence.as_ref().map(|id| format!(", recorded as {}", quoted(id)));
    format!(
        "of {}: {how}{}{}{}",
        listed(&event.accounts),
        device.unwrap_or_default(),
        evidence.unwrap_or_default(),
        remarked(event.remark.as_ref())
    )
}
