//! What is odd and no fault: an entry that holds it is admitted, and people are told.

use keymuster::log::FindingKind;
use keymuster::record::{Event, Policy, PolicyChanged, UserVerification};

use super::attacks::{WITH_BOB, three};
use super::fixture::{checked, handle, name, time};
use super::people::{
    People, acknowledged, bagged, checks_every, compromised, duties, handed, line, lost, opened,
    restored,
};

fn loosened(people: &People) -> Vec<&'static str> {
    let how = |kind: FindingKind| match kind {
        FindingKind::PolicyLoosened { how } => how,
        _ => "something else",
    };
    people.found().into_iter().map(how).collect()
}

/// A period in a change, the same in force, and what it is to make it longer.
type Period = (fn(&mut PolicyChanged) -> &mut Option<u32>, fn(&Policy) -> u32, &'static str);

const PERIODS: [Period; 5] = [
    (|to| &mut to.check_days, |policy| policy.check_days, "keys are checked less often"),
    (
        |to| &mut to.acknowledgement_days,
        |policy| policy.acknowledgement_days,
        "duties are acknowledged less often",
    ),
    (|to| &mut to.contacts_days, |policy| policy.contacts_days, "contacts are reviewed less often"),
    (|to| &mut to.slip_days, |policy| policy.slip_days, "slips are admitted for longer"),
    (|to| &mut to.grace_days, |policy| policy.grace_days, "what is late is overdue later"),
];

#[test]
fn each_longer_period_loosens_the_policy_and_a_shorter_one_does_not() {
    for (field, now, words) in PERIODS {
        let mut people = three();
        let days = now(people.state().policy());
        for (to, expected) in
            [(days, &[] as &[&str]), (days + 1, &[words]), (days, &[]), (days - 1, &[])]
        {
            let mut change = PolicyChanged::default();
            *field(&mut change) = Some(to);
            people.does(WITH_BOB, vec![Event::PolicyChanged(change)]);
            assert_eq!(loosened(&people), expected, "from {days} to {to} days");
            assert_eq!(now(people.state().policy()), to);
        }
    }
}

#[test]
fn waived_verification_loosens_the_policy_once() {
    let mut people = three();
    let set = |to| {
        let change = PolicyChanged { user_verification: Some(to), ..PolicyChanged::default() };
        vec![Event::PolicyChanged(change)]
    };
    people.does(WITH_BOB, set(UserVerification::Required));
    assert_eq!(loosened(&people), [] as [&str; 0]);
    people.does(WITH_BOB, set(UserVerification::Waived));
    assert_eq!(loosened(&people), ["signatures need no PIN or fingerprint"]);
    people.does(WITH_BOB, set(UserVerification::Waived));
    assert_eq!(loosened(&people), [] as [&str; 0]);
    people.does(WITH_BOB, set(UserVerification::Required));
    assert_eq!(loosened(&people), [] as [&str; 0]);
}

#[test]
fn dropping_the_text_of_duties_loosens_the_policy_and_another_text_does_not() {
    let mut people = three();
    for (text, expected) in [
        (&[] as &[&str], &[] as &[&str]),
        (&["I keep my keys apart"], &[]),
        (&["I keep them together"], &[]),
        (&[], &["any text of duties may be acknowledged"]),
    ] {
        people.does(WITH_BOB, vec![duties(text)]);
        assert_eq!(loosened(&people), expected, "{text:?}");
    }
}

#[test]
fn a_policy_that_is_loosened_and_tightened_in_one_entry_is_told_of() {
    let mut people = three();
    people.does(WITH_BOB, vec![checks_every(100), checks_every(90)]);
    assert_eq!(loosened(&people), ["keys are checked less often"]);
    people.does(WITH_BOB, vec![checks_every(30), checks_every(90)]);
    assert_eq!(loosened(&people), ["keys are checked less often"]);
    let everything = PolicyChanged {
        user_verification: Some(UserVerification::Waived),
        check_days: Some(100),
        acknowledgement_days: Some(1),
        grace_days: Some(365),
        warn_days: Some(0),
        ..PolicyChanged::default()
    };
    people.does(WITH_BOB, vec![Event::PolicyChanged(everything)]);
    assert_eq!(loosened(&people).len(), 3);
}

#[test]
fn a_refused_entry_leaves_no_finding() {
    let mut people = three();
    let before = people.log.replay.findings().to_vec();
    people.refused(&["mallory/primary"], vec![checks_every(365)]);
    people.refused(WITH_BOB, vec![checks_every(365), checks_every(0)]);
    assert_eq!(people.log.replay.findings(), before);
}

#[test]
fn a_bag_with_another_serial_number_or_a_broken_seal_is_a_finding() {
    for (bag, intact) in [("B-1", true), ("B-2", true), ("B-1", false), ("B-2", false)] {
        let mut people = three();
        let key = name("alice/blue");
        people.does(WITH_BOB, vec![bagged("alice/blue", "B-1", "bob", "mallory")]);
        assert_eq!(people.found(), []);
        people.does(WITH_BOB, vec![opened("alice/blue", bag, intact, ["bob", "mallory"])]);
        let mut expected = Vec::new();
        if bag == "B-2" {
            let (sealed, found) = (line("B-1"), line("B-2"));
            expected.push(FindingKind::OtherBag { key: key.clone(), sealed, found });
        }
        if !intact {
            expected.push(FindingKind::BrokenSeal { key: key.clone(), bag: line(bag) });
        }
        assert_eq!(people.found(), expected);
        assert_eq!(people.state().keys()[&key].bag, None, "it is open, whatever was odd");
    }
}

#[test]
fn a_bag_is_held_against_the_one_that_was_sealed_last() {
    let mut people = three();
    let whole = |bag| opened("alice/blue", bag, true, ["bob", "mallory"]);
    let events = vec![
        bagged("alice/blue", "B-1", "bob", "mallory"),
        whole("B-1"),
        bagged("alice/blue", "B-2", "bob", "mallory"),
        whole("B-1"),
    ];
    people.does(WITH_BOB, events);
    let (sealed, found) = (line("B-2"), line("B-1"));
    assert_eq!(people.found(), [FindingKind::OtherBag { key: name("alice/blue"), sealed, found }]);
}

#[test]
fn each_report_at_the_floor_is_a_claim_and_each_other_is_not() {
    let mut people = three();
    let events = vec![
        lost("alice/primary", "mallory"),
        compromised("alice/blue", "mallory"),
        lost("bob/primary", "mallory"),
    ];
    people.does(&["mallory/primary"], events);
    let only = |key: &str, reporter: &str| FindingKind::OnlyClaimed {
        key: name(key),
        reporter: reporter.parse().unwrap(),
    };
    assert_eq!(people.found(), [only("bob/primary", "mallory")]);
    people.does(&["bob/primary"], vec![lost("mallory/blue", "bob")]);
    assert_eq!(people.found(), [], "she has another key");
    people.does(&["bob/primary"], vec![lost("mallory/primary", "bob")]);
    assert_eq!(people.found(), [only("mallory/primary", "bob")]);
    people.does(&["bob/primary", "alice/primary"], vec![restored("alice/primary")]);
    assert_eq!(people.found(), []);
}

#[test]
fn findings_name_the_entry_and_say_what_is_odd() {
    let mut people = three();
    let events = vec![bagged("alice/blue", "B-1", "bob", "mallory"), checks_every(365)];
    people.does(WITH_BOB, events);
    let open = opened("alice/blue", "B-2", false, ["bob", "mallory"]);
    people.does(WITH_BOB, vec![open, lost("bob/primary", "mallory")]);
    let reports = vec![lost("alice/primary", "mallory"), lost("alice/blue", "mallory")];
    people.does(&["mallory/primary"], reports);
    let told: Vec<String> = people.log.replay.findings().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "entry 3 loosens the policy: keys are checked less often",
            "entry 4: alice/blue was sealed in bag B-1, and the bag that was opened is B-2",
            "entry 4: the seal of bag B-2, which held alice/blue, was broken",
            "entry 5: mallory reports alice/blue, which suspends nothing: too few custodians would \
             be left who can sign",
        ]
    );
}

/// Nobody who dates an entry years ahead owes nothing until then.
#[test]
fn an_entry_dated_ahead_puts_nothing_off() {
    let mut people = three();
    let now = people.log.seconds;
    people.log.seconds = now + 10 * 365 * 86_400;
    let ahead = time(people.log.seconds);
    people
        .does(&["bob/primary"], vec![acknowledged("bob", &["I lock up."]), checked("bob/primary")]);
    assert!(people.state().keys()[&name("bob/primary")].last_seen.time > ahead);
    people.log.seconds = now;
    people.does(&["alice/primary"], vec![checked("alice/primary")]);
    let latest = time(people.log.seconds);
    let state = people.state();
    assert_eq!(state.keys()[&name("bob/primary")].last_seen.time, latest);
    assert_eq!(state.custodians()[&handle("bob")].acknowledged.unwrap().time, latest);
    let later = time(people.log.seconds + 100 * 86_400);
    assert!(people.keys_due(later).contains(&name("bob/primary")));
}

#[test]
fn a_key_signs_where_it_should_not_be() {
    let mut people = three();
    people.does(&["alice/primary", "bob/primary"], vec![handed("alice/primary", "alice", "bob")]);
    assert_eq!(people.found(), []);
    people.does(&["alice/primary"], vec![checked("alice/primary")]);
    let held = FindingKind::HeldByAnother { key: name("alice/primary"), holder: handle("bob") };
    assert_eq!(people.found(), [held]);
}
