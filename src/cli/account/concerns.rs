//! What one should worry about in how accounts are set up, in words.

use std::collections::BTreeMap;

use crate::cli::output::count;
use crate::record::{Concern, Handle, State, TrialKind};

/// One concern, as a sentence without a full stop.
pub fn in_words(concern: &Concern) -> String {
    match concern {
        Concern::NoEmail => "the root e-mail address isn't recorded".to_owned(),
        Concern::PersonalEmail(email) => {
            format!("{email} looks like one person's mailbox: root mail should reach a team")
        }
        Concern::NobodyReads => "who reads the root mailbox isn't recorded".to_owned(),
        Concern::OneReads(who) => format!("{who} alone reads the root mailbox"),
        Concern::NoPhone => "the root telephone isn't recorded".to_owned(),
        Concern::NobodyAnswers => "who answers the root telephone isn't recorded".to_owned(),
        Concern::OneAnswers(who) => format!("{who} alone answers the root telephone"),
        Concern::NoContact(role) => format!("there is no {role} contact"),
        Concern::PersonalContact(role, email) => {
            format!("the {role} contact, {email}, looks like one person's mailbox")
        }
        Concern::SameContact(one, other) => {
            format!("the {one} and {other} contacts are the same mailbox")
        }
        Concern::RootAsContact(role) => {
            format!("the {role} contact is the root mailbox, so it warns nobody else")
        }
        Concern::NoPasswordPlace => "where the root password is kept isn't recorded".to_owned(),
        Concern::NoDevice => "no MFA device that can be used is recorded".to_owned(),
        Concern::OneDevice(device) => format!("{device} is the only MFA device that can be used"),
        Concern::DeviceAstray(key) => {
            format!("{key} is registered with the root user, and suspended, lost or out of service")
        }
        Concern::HasLeft(who) => format!("{who} has left"),
        Concern::TokenNowhere(token) => {
            format!("who has {token}, and where it is kept, isn't recorded")
        }
        Concern::TrialFailed(kind) => failed(kind),
        Concern::SeedFailed(token) => {
            format!("the seed that {token} was last checked with didn't make its codes")
        }
        Concern::OpenBoth(people) => {
            let people: Vec<&str> = people.iter().map(Handle::as_str).collect();
            let who = match people.as_slice() {
                [one] => format!("{one} alone can open"),
                many => format!("each of {} can open", many.join(", ")),
            };
            format!("{who} both the root password and a seed")
        }
    }
}

fn failed(kind: &TrialKind) -> String {
    match kind {
        TrialKind::Contacts => {
            "when the contacts were last reviewed, they weren't current".to_owned()
        }
        TrialKind::Mailbox => "when the root mailbox was last tested, it failed".to_owned(),
        TrialKind::Phone => "when the root telephone was last tested, it failed".to_owned(),
        TrialKind::SignIn(device) => {
            let with = device.as_ref().map(|device| format!(" with {device}")).unwrap_or_default();
            format!("when the root user last tried to sign in{with}, that failed")
        }
    }
}

/// What to worry about in some accounts: all of it for one, how many have each for several.
/// Empty where there is nothing.
pub fn told<'a>(state: &State, accounts: impl IntoIterator<Item = &'a Handle>) -> String {
    let accounts: Vec<&Handle> = accounts.into_iter().collect();
    let concerns = |handle: &&Handle| state.accounts().get(*handle).map(|a| a.concerns(state));
    if let [one] = accounts.as_slice() {
        let found = concerns(one).unwrap_or_default();
        let lines = found.iter().map(|concern| format!("  {}\n", in_words(concern)));
        let lines: String = lines.collect();
        return if lines.is_empty() { lines } else { format!("Worth a look, of {one}:\n{lines}") };
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for found in accounts.iter().filter_map(concerns) {
        let mut of_one: Vec<String> = found.iter().map(of_several).collect();
        of_one.sort();
        of_one.dedup();
        of_one.into_iter().for_each(|kind| *kinds.entry(kind).or_default() += 1);
    }
    let mut kinds: Vec<(String, usize)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, many)| usize::MAX - many);
    let line = |(kind, many): &(String, usize)| {
        format!("  {}: {kind}\n", count(*many, "account", "accounts"))
    };
    let lines: String = kinds.iter().map(line).collect();
    if lines.is_empty() {
        return lines;
    }
    format!("Worth a look (each account's by keymuster account list --concerns):\n{lines}")
}

/// The same without what is one account's.
fn of_several(concern: &Concern) -> String {
    match concern {
        Concern::PersonalEmail(_) => "the root address looks like one person's".to_owned(),
        Concern::OneReads(_) => "one person alone reads the root mailbox".to_owned(),
        Concern::OneAnswers(_) => "one person alone answers the root telephone".to_owned(),
        Concern::PersonalContact(role, _) => {
            format!("the {role} contact looks like one person's mailbox")
        }
        Concern::OneDevice(_) => "there is one MFA device only".to_owned(),
        Concern::OpenBoth(_) => "one person can open both the root password and a seed".to_owned(),
        other => in_words(other),
    }
}
