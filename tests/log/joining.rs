//! Who belongs to the compartments, from joining to leaving: a recipient counts once a key
//! has signed for it, and whoever comes or goes makes another epoch due.

use keymuster::log::Rule;
use keymuster::record::{Event, Handle, Hex, IdentitySealed, KeyEnrolled};

use super::attacks::three;
use super::fixture::{compartment, custodian, handle, reader, sealed};
use super::people::{People, left, lost, reader_removed, rekeyed, retired};

const BOTH: &[&str] = &["alice/primary", "bob/primary"];

fn members(people: &People, which: &str) -> Vec<String> {
    let members = people.state().members_of(&handle(which)).unwrap();
    members.iter().map(Handle::to_string).collect()
}

fn outdated(people: &People) -> [bool; 2] {
    ["records", "seeds"].map(|which| people.state().is_outdated(&handle(which)))
}

/// Seals both compartments to those who belong to them.
fn reseal(people: &mut People) {
    for which in ["records", "seeds"] {
        let epoch = people.state().compartments()[&handle(which)].sealing.epoch + 1;
        let members = members(people, which);
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        people.does(BOTH, vec![compartment(which, epoch, &members)]);
    }
    assert_eq!(outdated(people), [false, false]);
}

#[test]
fn a_custodians_recipient_counts_once_their_key_has_signed() {
    let mut people = three();
    people.does(BOTH, vec![custodian("zoe")]);
    assert_eq!(members(&people, "seeds"), ["alice", "bob", "mallory"]);
    assert_eq!(outdated(&people), [false, false]);
    let early = compartment("seeds", 2, &["alice", "bob", "mallory", "zoe"]);
    assert_eq!(people.refused(BOTH, vec![early]), Rule::Event);

    let events = vec![people.enrolment("zoe/primary"), sealed("zoe", "primary", 1)];
    people.does(&["zoe/primary", "alice/primary", "bob/primary"], events);
    assert_eq!(members(&people, "seeds"), ["alice", "bob", "mallory", "zoe"]);
    assert_eq!(members(&people, "records"), ["alice", "auditor", "bob", "mallory", "zoe"]);
    assert_eq!(outdated(&people), [true, true]);
    reseal(&mut people);
}

#[test]
fn who_joins_speaks_with_their_first_key_at_once() {
    let mut people = three();
    people.does(BOTH, vec![custodian("zoe")]);
    let key = people.enrolment("zoe/primary");
    let events = vec![key, rekeyed("zoe", "zoe's own"), sealed("zoe", "paper", 1)];
    assert_eq!(people.refused(BOTH, events.clone()), Rule::Authority);
    people.does(&["zoe/primary", "alice/primary", "bob/primary"], events);
}

#[test]
fn additions_and_removals_make_another_epoch_due() {
    let mut people = three();
    for (event, due) in [
        (reader("laptop"), [true, false]),
        (reader_removed("auditor"), [true, false]),
        (rekeyed("alice", "another"), [true, true]),
        (left("mallory"), [true, true]),
    ] {
        people.does(BOTH, vec![event.clone()]);
        assert_eq!(outdated(&people), due, "{}", event.kind());
        reseal(&mut people);
    }
}

#[test]
fn an_epoch_that_began_before_somebody_left_is_outdated() {
    let mut people = three();
    let sealing = compartment("seeds", 2, &["alice", "bob", "mallory"]);
    people.does(BOTH, vec![sealing, left("mallory")]);
    assert_eq!(outdated(&people), [true, true]);
}

#[test]
fn who_lost_their_keys_belongs_until_they_leave() {
    let mut people = three();
    people.does(BOTH, vec![lost("mallory/blue", "bob"), retired("mallory/primary")]);
    assert_eq!(members(&people, "seeds"), ["alice", "bob", "mallory"]);
    people.does(BOTH, vec![left("mallory")]);
    assert_eq!(members(&people, "seeds"), ["alice", "bob"]);
    assert_eq!(people.word("mallory/blue"), "retired");
}

#[test]
fn who_lost_every_key_is_let_in_again_by_two_with_another_identity() {
    let mut people = three();
    let key = people.enrolment("bob/green");
    let signers = ["bob/green", "alice/primary", "mallory/primary"];
    let with_more = vec![key.clone(), rekeyed("bob", "another")];
    // While bob has a key that may sign, that key speaks for him.
    assert_eq!(people.refused(&signers, with_more.clone()), Rule::Authority);
    people.does(&["bob/primary"], vec![lost("bob/primary", "bob")]);
    assert_eq!(people.refused(&signers[..2], with_more.clone()), Rule::Authority);
    people.does(&signers, with_more);
}

#[test]
fn a_device_that_is_enrolled_already_is_refused_whatever_else_is_new() {
    let mut people = three();
    let Event::KeyEnrolled(new) = people.enrolment("zoe/primary") else { unreachable!() };
    let Event::KeyEnrolled(old) = people.enrolment("mallory/blue") else { unreachable!() };
    people.does(BOTH, vec![custodian("zoe"), retired("mallory/blue")]);
    let (same_key, same_credential) = (
        KeyEnrolled { public_key: old.public_key.clone(), ..*new.clone() },
        KeyEnrolled { credential: old.credential.clone(), ..*new.clone() },
    );
    let mut state = people.state().clone();
    let at = state.created().unwrap();
    for twin in [same_key, same_credential] {
        let said = state.apply(&Event::KeyEnrolled(Box::new(twin)), at, &[]).unwrap_err();
        assert_eq!(said.to_string(), "zoe/primary is the same key as mallory/blue");
    }
    assert_eq!(state.apply(&Event::KeyEnrolled(new), at, &[]), Ok(()));
}

#[test]
fn no_key_is_called_paper_and_paper_names_no_plugin() {
    let mut people = three();
    let key = people.enrolment("alice/paper");
    let signers = ["alice/paper", "alice/primary", "bob/primary"];
    assert_eq!(people.refused(&signers, vec![key]), Rule::Event);
    for (slot, plugin) in [("paper", Some(Hex([2; 32]))), ("primary", None)] {
        let event = Event::IdentitySealed(IdentitySealed {
            custodian: handle("alice"),
            slot: handle(slot),
            generation: 9,
            sha256: Hex([1; 32]),
            plugin_sha256: plugin,
        });
        assert_eq!(people.refused(BOTH, vec![event]), Rule::Event, "{slot}");
    }
}
