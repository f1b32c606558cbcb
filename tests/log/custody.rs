//! Where keys are, and who answers for that: what is recorded, and what mallory tries alone.

use keymuster::log::Rule;
use keymuster::record::{CustodianChanged, Event, KeyMoved, Line, PolicyChanged, WaiverGiven};

use super::attacks::{MALLORY, WITH_BOB, three};
use super::fixture::{custodian, handle, name, time};
use super::people::{
    People, acknowledged, action, bagged, changed, duties, handed, left, line, moved, opened,
    retired,
};

#[test]
fn opens_a_bag_alone_under_two_names() {
    let mut people = three();
    people
        .does(&["alice/primary", "bob/primary"], vec![bagged("alice/blue", "B-1", "alice", "bob")]);
    for witness in ["alice", "bob"] {
        let event = opened("alice/blue", "B-1", true, ["mallory", witness]);
        assert_eq!(people.refused(MALLORY, vec![event]), Rule::Authority, "{witness}");
    }
    let alone = opened("alice/blue", "B-1", true, ["mallory", "mallory"]);
    assert_eq!(people.refused(MALLORY, vec![alone]), Rule::Event);
    let reader = opened("alice/blue", "B-1", true, ["mallory", "auditor"]);
    assert_eq!(people.refused(MALLORY, vec![reader]), Rule::Authority);
}

#[test]
fn swaps_a_bag_without_recording_that_it_was_opened() {
    let mut people = three();
    people
        .does(&["alice/primary", "bob/primary"], vec![bagged("alice/blue", "B-1", "alice", "bob")]);
    let swapped = bagged("alice/blue", "B-2", "mallory", "bob");
    assert_eq!(people.refused(WITH_BOB, vec![swapped]), Rule::Event);
    let no_bag = opened("alice/primary", "B-2", true, ["mallory", "bob"]);
    assert_eq!(people.refused(WITH_BOB, vec![no_bag]), Rule::Event);
    let alone = bagged("mallory/blue", "B-3", "mallory", "mallory");
    assert_eq!(people.refused(MALLORY, vec![alone]), Rule::Event);
}

#[test]
fn says_that_a_key_was_handed_over() {
    let mut people = three();
    let taken = handed("alice/blue", "alice", "mallory");
    assert_eq!(people.refused(MALLORY, vec![taken]), Rule::Authority, "alice didn't give it");
    let given = handed("mallory/blue", "mallory", "bob");
    assert_eq!(people.refused(MALLORY, vec![given]), Rule::Authority, "bob didn't take it");
    let not_hers = handed("alice/blue", "mallory", "bob");
    assert_eq!(people.refused(WITH_BOB, vec![not_hers]), Rule::Event, "mallory hasn't got it");
    let to_herself = handed("mallory/blue", "mallory", "mallory");
    assert_eq!(people.refused(MALLORY, vec![to_herself]), Rule::Event);
}

#[test]
fn answers_for_anothers_duties_or_for_an_old_text() {
    let mut people = three();
    people.does(WITH_BOB, vec![duties(&["I keep my keys apart", "I come when called"])]);
    let whole = ["I keep my keys apart", "I come when called"];
    let for_alice = acknowledged("alice", &whole);
    assert_eq!(people.refused(MALLORY, vec![for_alice]), Rule::Authority);
    for text in [&whole[..1], &[], &["whatever"], &["I come when called", "I keep my keys apart"]] {
        let event = acknowledged("mallory", text);
        assert_eq!(people.refused(MALLORY, vec![event]), Rule::Event, "{text:?}");
    }
    people.does(MALLORY, vec![acknowledged("mallory", &whole)]);
    let mallorys = |people: &People| people.state().custodians()[&handle("mallory")].acknowledged;
    assert!(mallorys(&people).is_some());
    people.does(WITH_BOB, vec![acknowledged("mallory", &whole), duties(&["Another text"])]);
    assert_eq!(mallorys(&people), None, "a new text is to be acknowledged anew");
}

#[test]
fn a_key_has_a_place_a_holder_and_a_bag_and_keeps_its_owner() {
    let mut people = three();
    let blue = |people: &People| people.state().keys()[&name("alice/blue")].clone();
    people.does(MALLORY, vec![moved("alice/blue", "safe 1")]);
    assert_eq!(blue(&people).place.unwrap().as_str(), "safe 1");
    people.does(
        &["alice/primary", "bob/primary"],
        vec![handed("alice/blue", "alice", "bob"), bagged("alice/blue", "B-1", "bob", "alice")],
    );
    let key = blue(&people);
    assert_eq!((key.holder, key.place), (handle("bob"), None), "its place was alice's");
    assert_eq!(key.bag.unwrap().serial.as_str(), "B-1");
    people.does(WITH_BOB, vec![opened("alice/blue", "B-1", true, ["bob", "mallory"])]);
    assert_eq!(blue(&people).bag, None);
    people.does(WITH_BOB, vec![handed("alice/blue", "bob", "mallory")]);
    // Whoever has it in hand, it is alice's voice that it signs with.
    assert_eq!(
        people.refused(&["alice/blue", "alice/primary"], vec![duties(&[])]),
        Rule::Authority
    );
}

#[test]
fn nothing_is_handed_to_or_by_who_left() {
    let mut people = three();
    people.does(WITH_BOB, vec![left("mallory")]);
    let both = ["alice/primary", "bob/primary"];
    for event in [
        handed("alice/blue", "alice", "mallory"),
        handed("mallory/blue", "mallory", "alice"),
        bagged("alice/blue", "B-1", "mallory", "alice"),
    ] {
        assert_eq!(people.refused(&both, vec![event]), Rule::Authority);
    }
}

#[test]
fn a_place_that_is_not_named_stays() {
    let mut people = three();
    let to = |place: Option<&str>, pin_place: Option<&str>| {
        let (place, pin_place) = (place.map(line), pin_place.map(line));
        vec![Event::KeyMoved(KeyMoved { key: name("bob/primary"), place, pin_place })]
    };
    people.does(MALLORY, to(Some("safe 1"), Some("safe 2")));
    people.does(MALLORY, to(Some("safe 3"), None));
    let key = &people.state().keys()[&name("bob/primary")];
    assert_eq!((&key.place, &key.pin_place), (&Some(line("safe 3")), &Some(line("safe 2"))));
    assert_eq!(people.refused(MALLORY, to(None, None)), Rule::Event);
}

#[test]
fn a_deputy_is_another_custodian_who_has_not_left() {
    let mut people = three();
    for deputy in ["bob", "zoe", "auditor"] {
        assert_eq!(people.refused(MALLORY, vec![changed("bob", deputy)]), Rule::Event, "{deputy}");
    }
    people.does(MALLORY, vec![changed("bob", "mallory"), changed("alice", "bob")]);
    people.does(WITH_BOB, vec![left("mallory")]);
    let deputy = |who| people.state().custodians()[&handle(who)].deputy.clone();
    assert_eq!((deputy("bob"), deputy("alice")), (None, Some(handle("bob"))));
}

#[test]
fn details_that_are_not_named_stay_and_there_is_an_end_to_them() {
    let mut people = three();
    people.does(MALLORY, vec![changed("bob", "alice")]);
    let change = |contact: Option<Vec<Line>>| {
        let (custodian, name, deputy) = (handle("bob"), None, None);
        vec![Event::CustodianChanged(CustodianChanged { custodian, name, contact, deputy })]
    };
    people.does(MALLORY, change(Some(vec![line("at night too"); 50])));
    let bob = &people.state().custodians()[&handle("bob")];
    assert_eq!((bob.contact.len(), &bob.deputy), (50, &Some(handle("alice"))));
    assert!(bob.name.is_some());
    for contact in [None, Some(vec![line("at night too"); 51])] {
        assert_eq!(people.refused(MALLORY, change(contact)), Rule::Event);
    }
}

#[test]
fn an_action_is_a_custodians_and_a_waiver_ends_later() {
    let mut people = three();
    people.does(WITH_BOB, vec![custodian("zoe"), left("mallory")]);
    let both = ["alice/primary", "bob/primary"];
    for owner in ["mallory", "auditor", "nobody"] {
        assert_eq!(people.refused(&both, vec![action("new-safe", owner)]), Rule::Event, "{owner}");
    }
    let until = |seconds: u32| {
        let (waiver, obligation) = (handle("abroad"), line("key-check alice/primary"));
        let (until, reason) = (time(seconds), line("abroad"));
        vec![Event::WaiverGiven(WaiverGiven { waiver, obligation, until, reason })]
    };
    assert_eq!(people.refused(&both, until(1)), Rule::Event);
    people.does(&both, until(100_000));
}

#[test]
fn a_change_of_policy_changes_something_and_the_same_duties_stay_acknowledged() {
    let mut people = three();
    let nothing = vec![Event::PolicyChanged(PolicyChanged::default())];
    assert_eq!(people.refused(WITH_BOB, nothing), Rule::Event);
    let text = ["I keep my keys apart"];
    people.does(WITH_BOB, vec![acknowledged("bob", &text), duties(&text)]);
    let bobs = |people: &People| people.state().custodians()[&handle("bob")].acknowledged;
    assert_eq!(bobs(&people), None, "it wasn't in force yet");
    people.does(WITH_BOB, vec![acknowledged("bob", &text)]);
    people.does(WITH_BOB, vec![duties(&text)]);
    assert!(bobs(&people).is_some());
    people.does(WITH_BOB, vec![duties(&[])]);
    assert_eq!(people.refused(WITH_BOB, vec![acknowledged("bob", &[])]), Rule::Event);
}

/// Of ninety days, fourteen are warning. Whoever signs anything is seen.
#[test]
fn a_key_is_due_once_the_days_of_warning_begin_and_one_that_may_not_sign_never() {
    let mut people = three();
    people.does(&["alice/primary", "bob/primary"], vec![retired("mallory/blue")]);
    let due = |people: &People, days: u32| {
        let due = people.keys_due(time(days * 86_400));
        due.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(due(&people, 75), [""; 0]);
    let all: Vec<String> = people
        .state()
        .keys()
        .iter()
        .filter(|(_, key)| key.is_active())
        .map(|(name, _)| name.to_string())
        .collect();
    assert_eq!(due(&people, 76), all);
    assert!(!all.contains(&"mallory/blue".to_owned()));
}
