//! The authority table, row by row, written by hand from the rules and not from the code.

use keymuster::record::authority::{Unauthorised, judge, judge_founding};
use keymuster::record::{Event, KeyName, Stamp, State, UserVerification as Policy};

use super::fixture::{
    TestLog, checked, compartment, created, custodian, name, reader, sealed, time,
};

struct People {
    log: TestLog,
    state: State,
}

/// Alice with two keys, and bob with one if `two`.
fn people(two: bool) -> People {
    let mut log = TestLog::new();
    let mut state = State::default();
    let at = Stamp { entry: 1, time: time(0) };
    let mut events = vec![created(false, Policy::Required), custodian("alice")];
    let mut names = vec!["alice/primary", "alice/blue"];
    if two {
        events.push(custodian("bob"));
        names.push("bob/primary");
    }
    for key in names {
        events.push(log.new_key(key).enrolled());
    }
    let members: &[&str] = if two { &["alice", "bob"] } else { &["alice"] };
    events.extend([compartment("records", 1, members), compartment("seeds", 1, members)]);
    for event in &events {
        state.apply(event, at, &[]).unwrap();
    }
    People { log, state }
}

impl People {
    fn allows(&self, event: &Event, signers: &[&str]) -> bool {
        self.judge(event, signers).is_ok()
    }

    fn judge(&self, event: &Event, signers: &[&str]) -> Result<(), Unauthorised> {
        let signers: Vec<KeyName> = signers.iter().map(|signer| name(signer)).collect();
        judge(event, &self.state, &signers)
    }

    fn new_key(&mut self, key: &str) -> Event {
        self.log.new_key(key).enrolled()
    }
}

#[test]
fn a_check_is_signed_by_that_very_key() {
    let people = people(true);
    let event = checked("alice/primary");
    assert!(people.allows(&event, &["alice/primary"]));
    assert!(people.allows(&event, &["bob/primary", "alice/primary"]));
    assert!(!people.allows(&event, &[]));
    assert!(!people.allows(&event, &["alice/blue"]), "another key of hers");
    assert!(!people.allows(&event, &["bob/primary"]));
    assert!(!people.allows(&checked("alice/lost"), &["alice/lost"]), "a key that isn't enrolled");
}

#[test]
fn a_lone_custodian_enrols_their_own_second_key() {
    let mut people = people(false);
    let event = people.new_key("alice/green");
    assert!(people.allows(&event, &["alice/primary"]));
    assert!(people.allows(&event, &["alice/green", "alice/blue"]));
    assert!(!people.allows(&event, &["alice/green"]), "the new key alone has no authority");
    assert!(!people.allows(&event, &[]));
}

#[test]
fn once_there_are_two_custodians_an_enrolment_needs_both() {
    let mut people = people(true);
    let event = people.new_key("alice/green");
    assert!(people.allows(&event, &["alice/primary", "bob/primary"]));
    assert!(people.allows(&event, &["alice/green", "alice/primary", "bob/primary"]));
    assert!(!people.allows(&event, &["alice/primary"]));
    assert!(!people.allows(&event, &["alice/primary", "alice/blue"]), "two keys of one person");
    assert!(!people.allows(&event, &["alice/green", "bob/primary"]), "a new key is no custodian's");
    assert!(!people.allows(&event, &["bob/primary"]));
}

#[test]
fn nobody_enrols_a_key_in_anothers_name_without_that_person_or_key() {
    let mut people = people(true);
    let event = people.new_key("bob/blue");
    assert!(!people.allows(&event, &["alice/primary", "alice/blue"]));
    assert_eq!(
        people.judge(&event, &["alice/primary"]),
        Err(Unauthorised::NotTheKey { event: "key-enrolled", key: name("bob/blue") })
    );
    assert!(people.allows(&event, &["alice/primary", "bob/primary"]));
}

#[test]
fn sealing_an_identity_needs_its_owner_and_two_custodians() {
    let people = people(true);
    for slot in ["primary", "paper"] {
        let event = sealed("alice", slot, 2);
        assert!(people.allows(&event, &["alice/blue", "bob/primary"]), "{slot}");
        assert!(!people.allows(&event, &["alice/blue"]), "{slot}");
        assert!(!people.allows(&event, &["bob/primary"]), "{slot}");
    }
}

#[test]
fn custodians_readers_and_compartments_need_two_different_custodians() {
    let people = people(true);
    for event in [custodian("carol"), reader("auditor"), compartment("seeds", 2, &["alice", "bob"])]
    {
        assert!(people.allows(&event, &["alice/primary", "bob/primary"]), "{}", event.kind());
        assert!(people.allows(&event, &["bob/primary", "alice/blue"]), "{}", event.kind());
        assert_eq!(
            people.judge(&event, &["alice/primary", "alice/blue"]),
            Err(Unauthorised::TooFew { event: event.kind(), needed: 2, signed: 1 })
        );
        assert!(!people.allows(&event, &["alice/primary"]), "{}", event.kind());
        assert!(!people.allows(&event, &["alice/primary", "carol/primary"]), "{}", event.kind());
        assert!(!people.allows(&event, &[]), "{}", event.kind());
    }
}

#[test]
fn one_custodian_suffices_while_there_was_never_a_second() {
    let people = people(false);
    for event in [custodian("bob"), reader("auditor"), compartment("seeds", 2, &["alice"])] {
        assert!(people.allows(&event, &["alice/primary"]), "{}", event.kind());
        assert!(!people.allows(&event, &[]), "{}", event.kind());
        assert!(!people.allows(&event, &["bob/primary"]), "{}", event.kind());
    }
}

#[test]
fn a_vault_is_founded_once() {
    let people = people(true);
    let event = created(false, Policy::Required);
    assert_eq!(
        people.judge(&event, &["alice/primary", "bob/primary"]),
        Err(Unauthorised::FoundingOnly("vault-created"))
    );
}

#[test]
fn every_founder_signs_the_founding() {
    let people = people(true);
    let founded = |signers: &[&str]| {
        let signers: Vec<KeyName> = signers.iter().map(|signer| name(signer)).collect();
        judge_founding(&people.state, &signers)
    };
    assert_eq!(founded(&["alice/primary", "bob/primary"]), Ok(()));
    assert_eq!(founded(&["bob/primary", "alice/blue"]), Ok(()));
    assert!(matches!(founded(&["alice/primary"]), Err(Unauthorised::NotEveryFounder(_))));
    assert!(matches!(
        founded(&["alice/primary", "alice/blue"]),
        Err(Unauthorised::NotEveryFounder(_))
    ));
    assert_eq!(judge_founding(&State::default(), &[]), Err(Unauthorised::NoFounder));
}

#[test]
fn a_founding_without_compartments_or_with_a_keyless_founder_is_refused() {
    let mut log = TestLog::new();
    let at = Stamp { entry: 1, time: time(0) };
    let mut state = State::default();
    state.apply(&created(false, Policy::Required), at, &[]).unwrap();
    state.apply(&custodian("alice"), at, &[]).unwrap();
    let signers = [name("alice/primary")];
    assert!(matches!(judge_founding(&state, &signers), Err(Unauthorised::KeylessFounder(_))));
    state.apply(&log.new_key("alice/primary").enrolled(), at, &[]).unwrap();
    assert_eq!(judge_founding(&state, &signers), Err(Unauthorised::NoCompartment("records")));
    state.apply(&compartment("records", 1, &["alice"]), at, &[]).unwrap();
    assert_eq!(judge_founding(&state, &signers), Err(Unauthorised::NoCompartment("seeds")));
    state.apply(&compartment("seeds", 1, &["alice"]), at, &[]).unwrap();
    assert_eq!(judge_founding(&state, &signers), Ok(()));
}
