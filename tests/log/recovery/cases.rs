//! What is a way and what isn't, and what is lost by what, as the records have it.

use std::collections::BTreeSet;

use keymuster::record::{AccountAdded, Event, KeyMoved, Outcome, SecretKind, TokenMoved};
use keymuster::recovery::{Basis, Target, WayKind};

use super::super::accounts::{linked, removed, token_moved};
use super::super::compartments::chosen;
use super::super::fixture::{compartment, handle, name, sealed};
use super::super::people::{handed, left, line, lost, moved, rekeyed, retired};
use super::records::{Records, added, aws, handles, kept, mailbox_tested, named, through, token};

const TWO: [&str; 2] = ["alice/primary", "bob/primary"];
const THREE: [&str; 3] = ["alice/primary", "bob/primary", "carol/primary"];

/// An account whose password is in the safe.
fn with_password(account: &str) -> AccountAdded {
    AccountAdded {
        root_email: Some(format!("{account}@example.com").parse().unwrap()),
        password_place: Some(line("Safe 2")),
        ..aws(account)
    }
}

/// An account of which the mailbox and the telephone are known, which bob reads and answers.
fn with_contacts(account: &str) -> AccountAdded {
    AccountAdded {
        root_email: Some(format!("{account}@example.com").parse().unwrap()),
        mailbox_readers: handles(&["bob"]),
        root_phone: Some("+1 555 0100".parse().unwrap()),
        phone_answerers: handles(&["bob"]),
        ..aws(account)
    }
}

fn envelope(key: &str, place: &str) -> Event {
    Event::KeyMoved(KeyMoved { key: name(key), place: None, pin_place: Some(line(place)) })
}

#[test]
fn a_way_takes_all_of_its_parts() {
    let mut records = Records::of(&THREE);
    records.does(vec![added(with_password("prod")), token("phone", "prod", Some("zoe"), None)]);
    assert_eq!(records.on_record("prod"), "person:zoe, place:safe 2, token:zoe/phone");
    // Another way in leaves pairs of the two: bob reads and answers.
    let mail = AccountAdded { password_place: None, ..with_contacts("mail") };
    records.does(vec![added(mail)]);
    assert_eq!(
        records.on_record("mail"),
        "domain:example.com, mailbox:mail@example.com, person:bob, phone:+15550100"
    );
    let both = AccountAdded { password_place: Some(line("Safe 2")), ..with_contacts("both") };
    records.does(vec![added(both), token("fob", "both", None, Some("Vault"))]);
    let mut pairs: Vec<String> = Vec::new();
    for outside in ["domain:example.com", "mailbox:both@example.com", "person:bob"] {
        let inside = ["place:safe 2", "place:vault", "token:fob of both"];
        // By the mailbox and the fob, one needs no password.
        let takes = inside.iter().map(|inside| format!("{outside} + {inside}"));
        pairs.extend(takes);
    }
    pairs.extend(
        ["phone:+15550100 + place:vault", "phone:+15550100 + token:fob of both"].map(str::to_owned),
    );
    pairs.sort();
    assert_eq!(records.on_record("both"), pairs.join(", "));
}

#[test]
fn a_mailbox_that_needs_its_own_account_is_no_way() {
    let mut records = Records::of(&THREE);
    records.does(vec![added(with_contacts("prod")), through("prod", &["prod"])]);
    assert_eq!(records.on_record("prod"), "gone");
    assert_eq!(records.recovery().accounts()[&handle("prod")].circle, handles(&["prod"]));
    // By what lies outside the circle there is one.
    let password = AccountAdded { password_place: Some(line("Safe 2")), ..with_contacts("other") };
    records.does(vec![
        added(password),
        through("other", &["other"]),
        token("fob", "other", None, Some("Vault")),
    ]);
    assert_eq!(records.on_record("other"), "place:safe 2, place:vault, token:fob of other");
    let recovery = records.recovery();
    let ways = recovery.ways(Basis::Record, &BTreeSet::new());
    assert_eq!(ways[&handle("other")], [WayKind::SignIn], "who is inside needs no other");
    assert_eq!(ways[&handle("prod")], []);
}

#[test]
fn accounts_that_hold_each_other_up_are_got_into_by_what_lies_outside() {
    let mut records = Records::of(&TWO);
    records.does(vec![
        added(with_contacts("prod")),
        added(with_contacts("mail")),
        added(with_contacts("dns")),
        through("prod", &["mail"]),
        through("mail", &["dns"]),
        through("dns", &["prod"]),
    ]);
    for account in ["prod", "mail", "dns"] {
        assert_eq!(records.on_record(account), "gone");
    }
    let recovery = records.recovery();
    let circle = |account: &str| recovery.accounts()[&handle(account)].circle.clone();
    assert_eq!(circle("mail"), handles(&["mail", "dns", "prod"]));
    assert_eq!(circle("prod"), handles(&["prod", "mail", "dns"]));
    records.does(vec![
        token("fob", "mail", None, Some("Vault")),
        kept("pw", SecretKind::Password, "mail", "seeds"),
    ]);
    // Alice's key and bob's both open the vault. Into mail by these one needs no mailbox, and with
    // mail one reads that of prod.
    let mail = "key:alice/primary + key:bob/primary, key:alice/primary + person:bob, \
                key:bob/primary + person:alice, person:alice + person:bob, place:vault, \
                token:fob of mail";
    assert_eq!(records.on_record("mail"), mail);
    let prod = "domain:example.com, key:alice/primary + key:bob/primary, \
                key:bob/primary + person:alice, mailbox:prod@example.com, person:bob, phone:+15550100, place:vault, token:fob of mail";
    assert_eq!(records.on_record("prod"), prod);
}

#[test]
fn what_failed_last_is_no_way() {
    let mut records = Records::of(&TWO);
    records.does(vec![added(with_contacts("prod")), mailbox_tested("prod", Outcome::Passed)]);
    let whole = records.on_record("prod");
    records.does(vec![mailbox_tested("prod", Outcome::Failed)]);
    assert_eq!(records.on_record("prod"), "gone");
    records.does(vec![mailbox_tested("prod", Outcome::Passed)]);
    assert_eq!(records.on_record("prod"), whole);
}

#[test]
fn a_key_takes_its_place_and_whoever_knows_its_pin() {
    let mut records = Records::of(&TWO);
    records.does(vec![added(with_password("prod")), linked("alice/primary", &["prod"])]);
    assert_eq!(records.on_record("prod"), "key:alice/primary, person:alice, place:safe 2");
    records.does(vec![handed("alice/primary", "alice", "bob")]);
    assert_eq!(
        records.on_record("prod"),
        "key:alice/primary, person:alice, person:bob, place:safe 2"
    );
    records.does(vec![moved("alice/primary", "Vault")]);
    assert_eq!(
        records.on_record("prod"),
        "key:alice/primary, person:alice, place:safe 2, place:vault"
    );
}

#[test]
fn a_place_takes_a_custodian_who_goes_there() {
    let mut records = Records::of(&TWO);
    records.does(vec![added(with_password("prod")), token("fob", "prod", None, Some("Vault"))]);
    let parts = "place:safe 2, place:vault, token:fob of prod";
    assert_eq!(records.on_record("prod"), format!("person:alice + person:bob, {parts}"));
    let mut records = Records::of(&THREE);
    records.does(vec![added(with_password("prod")), token("fob", "prod", None, Some("Vault"))]);
    assert_eq!(records.on_record("prod"), parts);
    records.does(vec![left("carol")]);
    assert_eq!(records.on_record("prod"), format!("person:alice + person:bob, {parts}"));
}

#[test]
fn a_place_is_lost_with_what_it_is_in() {
    let mut records = Records::of(&THREE);
    let prod =
        AccountAdded { password_place: Some(line("Safe 2, Leeds")), ..with_password("prod") };
    let fob = token("fob", "prod", None, Some("drawer 3,  safe 2, leeds"));
    records.does(vec![added(prod), fob]);
    assert_eq!(
        records.on_record("prod"),
        "place:drawer 3, safe 2, leeds, place:leeds, place:safe 2, leeds, token:fob of prod"
    );
    // Another safe of that number is another.
    let parted = token("parted", "prod", None, Some("drawer 3, safe 2, York"));
    records.does(vec![parted]);
    let losses = records.on_record("prod");
    for told in [", place:leeds, place:safe 2, leeds, ", " leeds + place:safe 2, york, "] {
        assert!(losses.contains(told), "{losses}");
    }
}

#[test]
fn a_pin_envelope_replaces_its_owner() {
    let mut records = Records::of(&THREE);
    records.does(vec![added(with_password("prod")), linked("alice/primary", &["prod"])]);
    records.does(vec![moved("alice/primary", "Vault"), envelope("alice/primary", "Desk")]);
    assert_eq!(
        records.on_record("prod"),
        "key:alice/primary, person:alice + place:desk, place:safe 2, place:vault"
    );
    // As long as she has it herself, an envelope is of no use.
    let mut records = Records::of(&THREE);
    records.does(vec![added(with_password("prod")), linked("alice/primary", &["prod"])]);
    records.does(vec![envelope("alice/primary", "Desk")]);
    assert_eq!(records.on_record("prod"), "key:alice/primary, person:alice, place:safe 2");
}

#[test]
fn a_key_that_may_not_sign_is_no_way() {
    for event in
        [retired("carol/primary"), lost("carol/primary", "bob"), lost("carol/primary", "carol")]
    {
        let mut records = Records::of(&THREE);
        records.does(vec![added(with_password("prod")), linked("carol/primary", &["prod"])]);
        records.does(vec![event]);
        assert_eq!(records.on_record("prod"), "gone");
    }
}

#[test]
fn one_telephone_with_two_tokens_is_lost_once() {
    let mut records = Records::of(&THREE);
    records.does(vec![
        added(with_password("prod")),
        added(with_password("test")),
        token("phone", "prod", Some("bob"), None),
        token("phone", "test", Some("bob"), None),
    ]);
    let recovery = records.recovery();
    let losses = recovery.losses(Basis::Record, false, |_| true);
    let by = |text: &str| -> Vec<String> {
        let is_it = |id| recovery.elements().get(id).is_some_and(|e| e.to_string() == text);
        let its = losses.by.iter().filter(|(loss, _)| loss.elements().into_iter().all(is_it));
        its.flat_map(|(_, targets)| targets.iter().map(named)).collect()
    };
    assert_eq!(by("token:bob/phone"), ["prod", "test"]);
    // In a safe they are two.
    let place = |account: &str| {
        let moved = token_moved(account, "phone", "bob");
        let Event::TokenMoved(moved) = moved else { unreachable!() };
        Event::TokenMoved(TokenMoved { place: Some(line("Vault")), ..moved })
    };
    records.does(vec![place("prod"), place("test")]);
    for account in ["prod", "test"] {
        let expected = format!("place:safe 2, place:vault, token:phone of {account}");
        assert_eq!(records.on_record(account), expected);
    }
}

#[test]
fn only_losses_that_are_asked_for_are_told() {
    let mut records = Records::of(&THREE);
    records.does(vec![added(with_contacts("prod")), added(aws("test"))]);
    let recovery = records.recovery();
    let is_prod = |target: &Target| named(target) == "prod";
    let losses = recovery.losses(Basis::Record, true, is_prod);
    assert_eq!((losses.targets, losses.gone.len(), losses.by.len()), (1, 0, 4));
    let count = |pairs: bool| {
        let losses = recovery.losses(Basis::Record, pairs, |_| true);
        let of = |count| losses.by.keys().filter(|loss| loss.elements().len() == count).count();
        assert_eq!(
            (losses.targets, losses.gone.iter().map(named).collect::<String>()),
            (3, "test".to_owned())
        );
        (of(1), of(2))
    };
    // Each two of three who sign, with their keys.
    assert_eq!((count(true), count(false)), ((4, 12), (4, 0)));
}

#[test]
fn what_is_written_differently_is_the_same() {
    let mut records = Records::of(&TWO);
    let prod = AccountAdded {
        root_email: Some("AWS+prod@Example.com".parse().unwrap()),
        password_place: Some(line("safe  2")),
        ..with_contacts("prod")
    };
    let test = AccountAdded {
        root_email: Some("aws@example.com".parse().unwrap()),
        root_phone: Some("+15550100".parse().unwrap()),
        password_place: Some(line("Safe 2")),
        ..with_contacts("test")
    };
    records.does(vec![added(prod), added(test)]);
    let recovery = records.recovery();
    assert_eq!(records.on_record("prod"), records.on_record("test"));
    let places: Vec<String> = recovery
        .elements()
        .iter()
        .filter(|(element, _)| element.kind() == "place")
        .map(|(element, _)| element.to_string())
        .collect();
    assert_eq!(places, ["place:safe 2"]);
}

#[test]
fn what_is_not_on_record_is_not_guessed() {
    let without: [fn(&mut AccountAdded); 4] = [
        |prod| prod.mailbox_readers.clear(),
        |prod| prod.phone_answerers.clear(),
        |prod| prod.root_phone = None,
        |prod| prod.root_email = None,
    ];
    for (number, without) in without.iter().enumerate() {
        let mut prod = with_contacts("prod");
        without(&mut prod);
        let mut records = Records::of(&TWO);
        records.does(vec![added(prod)]);
        assert_eq!(records.on_record("prod"), "gone", "{number}");
    }
    let mut records = Records::of(&TWO);
    records.does(vec![added(with_password("prod"))]);
    assert_eq!(records.on_record("prod"), "gone", "without a device");
    records.does(vec![token("phone", "prod", None, None)]);
    assert_eq!(records.on_record("prod"), "gone", "with a token that is nowhere");
    records.does(vec![token_moved("prod", "phone", "bob")]);
    assert_ne!(records.on_record("prod"), "gone");
}

#[test]
fn who_left_opens_nothing() {
    let mut records = Records::of(&THREE);
    let prod = AccountAdded { mailbox_readers: handles(&["carol"]), ..with_contacts("prod") };
    records.does(vec![added(prod), added(with_password("test")), chosen("own", &["carol"])]);
    records.does(vec![compartment("own", 1, &["carol"])]);
    records.does(vec![
        sealed("carol", "paper", 1),
        kept("pw", SecretKind::Password, "test", "own"),
        token("phone", "test", Some("carol"), None),
    ]);
    assert_eq!(
        records.on_record("compartment own"),
        "key:carol/primary + paper:carol/paper, paper:carol/paper + person:carol"
    );
    assert!(records.on_record("prod").contains("person:carol"));
    records.does(vec![left("carol")]);
    for target in ["prod", "test", "compartment own"] {
        assert_eq!(records.on_record(target), "gone", "{target}");
    }
}

#[test]
fn who_has_another_identity_since_opens_nothing_until_it_is_sealed() {
    let mut records = Records::of(&TWO);
    records.does(vec![added(aws("prod")), kept("pw", SecretKind::Password, "prod", "seeds")]);
    let both = records.on_record("compartment seeds");
    assert_eq!(both.matches(" + ").count(), 4, "alice or bob: {both}");
    records.does(vec![rekeyed("alice", "another")]);
    assert_eq!(records.on_record("compartment seeds"), "key:bob/primary, person:bob");
    records.does(vec![compartment("seeds", 2, &["alice", "bob"])]);
    assert_eq!(records.on_record("compartment seeds"), "key:bob/primary, person:bob");
    records.does(vec![sealed("alice", "primary", 2)]);
    assert_eq!(records.on_record("compartment seeds"), both);
}

#[test]
fn as_many_sign_as_must_each_with_a_key() {
    let mut records = Records::of(&["alice/primary"]);
    assert_eq!(records.on_record("signing"), "key:alice/primary, person:alice");
    records = Records::of(&TWO);
    assert_eq!(
        records.on_record("signing"),
        "key:alice/primary, key:bob/primary, person:alice, person:bob"
    );
    records = Records::of(&THREE);
    let of = |who: &str| [format!("key:{who}/primary"), format!("person:{who}")];
    let pairs = [("alice", "bob"), ("alice", "carol"), ("bob", "carol")];
    let mut expected: Vec<String> = Vec::new();
    for (one, other) in pairs {
        for one in of(one) {
            expected.extend(of(other).iter().map(|other| {
                let mut both = [one.clone(), other.clone()];
                both.sort();
                both.join(" + ")
            }));
        }
    }
    expected.sort();
    assert_eq!(records.on_record("signing"), expected.join(", "));
}

#[test]
fn an_account_without_root_credentials_is_not_counted() {
    let mut records = Records::of(&TWO);
    let mail = AccountAdded { root_credentials: false, ..aws("mail") };
    records.does(vec![added(with_contacts("prod")), added(mail)]);
    let before = records.on_record("prod");
    records.does(vec![through("prod", &["mail"])]);
    let recovery = records.recovery();
    assert_eq!(recovery.central(), &BTreeSet::from([handle("mail")]));
    assert!(recovery.targets().all(|(target, _)| named(&target) != "mail"));
    assert_eq!(records.on_record("prod"), before, "its organisation gets into it");
    records.does(vec![removed("mail")]);
    assert_eq!(records.on_record("prod"), "gone", "whoever has it now isn't known");
}

#[test]
fn at_other_providers_codes_are_a_device_and_the_telephone_is_no_way() {
    for (provider, id, takes) in
        [("gcp", "project", "key:alice/primary"), ("aws-cn", "000000000007", "phone:+15550100")]
    {
        let mut records = Records::of(&["alice/primary"]);
        let account = AccountAdded {
            provider: handle(provider),
            id: line(id),
            password_place: Some(line("Safe 2")),
            ..with_contacts("prod")
        };
        records
            .does(vec![added(account), kept("codes", SecretKind::RecoveryCodes, "prod", "seeds")]);
        assert!(records.on_record("prod").contains(takes), "{}", records.on_record("prod"));
        let recovery = records.recovery();
        let ways = &recovery.accounts()[&handle("prod")].ways;
        let kinds: Vec<WayKind> = ways.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds.contains(&WayKind::LostMfa), provider == "aws-cn");
    }
}
