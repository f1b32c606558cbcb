//! Work that entries make, and times that begin anew.

use keymuster::record::{Event, RootUserChanged, SecretStored};
use keymuster::schedule::{Fate, Obligation};

use super::super::accounts::account;
use super::super::attacks::{three, two};
use super::super::fixture::{compartment, handle, time};
use super::super::people::{People, left, lost};
use super::super::secrets::{replaced, seed};

const TWO: &[&str] = &["alice/primary", "mallory/primary"];

/// The fates of a thing's times, in words.
fn fates(people: &People, id: &str) -> Vec<String> {
    let history = people.history(time(1_000_000));
    let obligation: Obligation = id.parse().unwrap();
    let slots = history.slots(&obligation);
    let word = |fate| match fate {
        Fate::Open => "open".to_owned(),
        fate => format!("{fate:?}").split('(').next().unwrap().to_lowercase(),
    };
    slots.into_iter().map(|slot| word(slot.fate)).collect()
}

fn secret(name: &str) -> Event {
    Event::SecretStored(SecretStored { account: None, token: None, ..seed(name, None) })
}

fn address(account: &str, address: &str) -> Event {
    Event::RootUserChanged(RootUserChanged {
        account: handle(account),
        credentials: None,
        email: Some(address.parse().unwrap()),
        phone: None,
    })
}

#[test]
fn an_account_that_gets_another_address_in_the_entry_that_adds_it_has_one_mailbox_to_try() {
    let mut people = two();
    let email = "root@example.com";
    people.does(TWO, vec![account("prod", 1), address("prod", "first@example.com")]);
    assert_eq!(fates(&people, "mailbox prod"), ["open"]);
    people.does(TWO, vec![address("prod", email)]);
    assert_eq!(fates(&people, "mailbox prod"), ["ended", "open"]);
}

/// Two times begin and end on one day: each leads to its own entry.
#[test]
fn a_time_leads_to_the_entry_that_did_it_even_where_another_began_that_day() {
    let mut people = two();
    people.does(TWO, vec![account("prod", 1), address("prod", "first@example.com")]);
    people.does(TWO, vec![address("prod", "second@example.com")]);
    people.does(TWO, vec![address("prod", "third@example.com")]);
    let history = people.history(time(1_000_000));
    let mailbox: Obligation = "mailbox prod".parse().unwrap();
    let slots = history.slots(&mailbox);
    let entries: Vec<Option<u64>> =
        slots.iter().map(|slot| history.entry_of(&mailbox, slot)).collect();
    assert_eq!(entries, [Some(3), Some(4), None]);
}

#[test]
fn a_secret_that_a_reported_identity_opens_is_replaced_whenever_it_was_stored() {
    let mut people = three();
    people.does(&["alice/primary"], vec![secret("before")]);
    people.does(&["alice/blue"], vec![lost("alice/primary", "alice")]);
    people.does(&["bob/primary"], vec![secret("after")]);
    assert_eq!(fates(&people, "replace before"), ["open"]);
    assert_eq!(fates(&people, "replace after"), ["open"]);

    // The same where nothing was to be replaced before.
    let mut people = three();
    people.does(&["alice/blue"], vec![lost("alice/primary", "alice")]);
    people.does(&["bob/primary"], vec![secret("after")]);
    assert_eq!(fates(&people, "replace after"), ["open"]);
}

#[test]
fn a_seed_that_a_leaver_knew_is_replaced_under_whichever_name_it_comes_back() {
    let mut people = three();
    let both = &["alice/primary", "bob/primary"];
    people.does(both, vec![secret("first")]);
    let sealed = [
        compartment("records", 3, &["alice", "auditor", "bob"]),
        compartment("seeds", 2, &["alice", "bob"]),
    ];
    people.does(both, [vec![left("mallory")], sealed.to_vec()].concat());
    assert_eq!(fates(&people, "replace first"), ["open"]);
    let mut value = replaced("first", 2);
    if let Event::SecretReplaced(value) = &mut value {
        value.epoch = 2;
    }
    people.does(both, vec![value]);
    assert_eq!(fates(&people, "replace first"), ["done"]);

    let again = |name: &str| {
        Event::SecretStored(SecretStored {
            epoch: 2,
            account: None,
            token: None,
            ..seed(name, None)
        })
    };
    people.does(both, vec![again("again")]);
    assert_eq!(fates(&people, "replace again"), ["open"], "the seed that she knew");
    assert_eq!(fates(&people, "replace first"), ["done"], "which has another value");
}
