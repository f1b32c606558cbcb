//! Compartments of some custodians' own, and what is within reach of whom.

use keymuster::log::Rule;
use keymuster::record::{Event, KeyName, MembersChosen, SecretReplaced, SecretStored};

use super::fixture::{compartment, handle, reader, sealed};
use super::people::{People, compromised, left, lost, rekeyed, restored, retired};
use super::secrets::{impossible, print, seed};

const TWO: [&str; 2] = ["alice/primary", "bob/primary"];
const ALICE: [&str; 1] = ["alice/primary"];
const BOB: [&str; 1] = ["bob/primary"];

/// Who belongs to a compartment is chosen.
pub fn chosen(which: &str, members: &[&str]) -> Event {
    Event::MembersChosen(MembersChosen {
        compartment: handle(which),
        members: members.iter().map(|member| handle(member)).collect(),
    })
}

/// Alice, with a second key and a paper copy that hold her identity, bob and carol.
fn people() -> People {
    let mut people = People::with(&["alice/primary", "alice/blue", "bob/primary", "carol/primary"]);
    people.does(&ALICE_AND_BLUE, vec![sealed("alice", "blue", 1), sealed("alice", "paper", 1)]);
    people
}
const ALICE_AND_BLUE: [&str; 3] = ["alice/blue", "alice/primary", "bob/primary"];

/// A secret whose fingerprint is numbered comes into custody.
fn stored(name: &str, which: &str, epoch: u32, number: u8) -> Event {
    let (compartment, fingerprint) = (handle(which), Some(print(number)));
    Event::SecretStored(SecretStored { compartment, epoch, fingerprint, ..seed(name, None) })
}

fn replaced(name: &str, generation: u32, (which, epoch): (&str, u32), number: u8) -> Event {
    let SecretStored { secret, sha256, .. } = seed(name, None);
    Event::SecretReplaced(SecretReplaced {
        secret,
        generation,
        compartment: handle(which),
        epoch,
        sha256,
        fingerprint: Some(print(number)),
    })
}

/// What somebody keeps who belongs to its compartment no more.
fn kept(people: &People, who: &str) -> String {
    let who = handle(who);
    let names = people.state().secrets_kept_by(&who);
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What opens to a copy that was reported.
fn astray(people: &People, slot: &str) -> String {
    let slot: KeyName = slot.parse().unwrap();
    let names = people.state().secrets_open_to_astray(&slot);
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn outdated(people: &People) -> Vec<String> {
    let state = people.state();
    let names = state.compartments().keys().filter(|name| state.is_outdated(name));
    names.map(ToString::to_string).collect()
}

#[test]
fn a_compartment_opens_to_those_who_were_chosen_for_it() {
    let mut people = people();
    assert_eq!(people.refused(&BOB, vec![chosen("own", &["bob"])]), Rule::Authority);
    impossible(
        &mut people,
        &[
            (chosen("seeds", &["alice"]), "nobody chooses its members"),
            (chosen("records", &["alice"]), "nobody chooses its members"),
            (chosen("own", &[]), "must be named, sorted and each once"),
            (chosen("own", &["carol", "bob"]), "must be named, sorted and each once"),
            (chosen("own", &["bob", "bob"]), "must be named, sorted and each once"),
            (chosen("own", &["bob", "zoe"]), "there is no custodian zoe"),
            (compartment("own", 1, &["bob", "carol"]), "there is no compartment own"),
            (stored("x", "own", 1, 1), "there is no compartment own"),
        ],
    );
    people.does(&TWO, vec![chosen("own", &["bob", "carol"])]);
    impossible(
        &mut people,
        &[
            (compartment("own", 1, &["bob"]), "encrypted to its members and to nobody else"),
            (compartment("own", 1, &["alice", "bob", "carol"]), "and to nobody else"),
            (stored("x", "own", 1, 1), "there is no compartment own"),
        ],
    );
    people.does(&TWO, vec![compartment("own", 1, &["bob", "carol"])]);
    people.does(&ALICE, vec![stored("x", "own", 1, 1)]);
    // Others join and leave, and it isn't theirs.
    assert!(outdated(&people).is_empty());
    people.does(&TWO, vec![reader("auditor")]);
    assert_eq!(outdated(&people), ["records"]);
    people.does(&TWO, vec![left("carol")]);
    assert_eq!(outdated(&people), ["own", "records", "seeds"]);
    people.does(&TWO, vec![compartment("own", 2, &["bob"])]);
    assert_eq!(outdated(&people), ["records", "seeds"]);
    assert_eq!(kept(&people, "carol"), "x");
    impossible(&mut people, &[(chosen("own", &["carol"]), "there is no custodian carol")]);
}

fn lost_compartments(people: &People) -> Vec<String> {
    people.state().lost_compartments().into_iter().map(ToString::to_string).collect()
}

/// Whoever alone opened a compartment leaves, or loses the identity that it is encrypted to: it
/// takes nothing, and what is in it is to be had elsewhere.
#[test]
fn a_compartment_that_nobody_opens_takes_nothing() {
    for event in [left("carol"), rekeyed("carol", "new")] {
        let mut people = people();
        people.does(&TWO, vec![chosen("own", &["carol"]), compartment("own", 1, &["carol"])]);
        people.does(&TWO, vec![chosen("idle", &["carol"]), compartment("idle", 1, &["carol"])]);
        people.does(&BOB, vec![stored("x", "own", 1, 1)]);
        assert_eq!(people.state().openers_of(&handle("own")), [handle("carol")]);
        let signers = ["alice/primary", "bob/primary", "carol/primary"];
        let leaves = matches!(event, Event::CustodianLeft(_));
        people.does(if leaves { &TWO } else { &signers }, vec![event]);
        assert_eq!(people.state().openers_of(&handle("own")), []);
        assert_eq!(lost_compartments(&people), ["own"], "nothing is in the other");
        assert_eq!(outdated(&people), ["records", "seeds"]);
        let nobody = "nobody who is left opens own, so it takes no secrets";
        impossible(
            &mut people,
            &[
                (stored("y", "own", 1, 2), nobody),
                (replaced("x", 2, ("own", 1), 2), nobody),
                (stored("y", "idle", 1, 2), "nobody who is left opens idle"),
            ],
        );
        if leaves {
            impossible(&mut people, &[(compartment("own", 2, &[]), "own has no member")]);
        }
        let elsewhere = vec![replaced("x", 2, ("seeds", 1), 1)];
        assert_eq!(people.refused(&BOB, elsewhere.clone()), Rule::Authority);
        people.does(&TWO, elsewhere);
        assert_eq!(lost_compartments(&people), [""; 0]);
    }
}

/// One of two loses their identity: it is theirs still, once the other has sealed it anew.
#[test]
fn who_has_another_identity_opens_what_another_seals_anew() {
    let mut people = people();
    let both = ["bob", "carol"];
    people.does(&TWO, vec![chosen("own", &both), compartment("own", 1, &both)]);
    people.does(&BOB, vec![stored("x", "own", 1, 1)]);
    people.does(&["bob/primary", "carol/primary"], vec![rekeyed("carol", "new")]);
    assert_eq!(people.state().openers_of(&handle("own")), [handle("bob")]);
    assert!(outdated(&people).contains(&"own".to_owned()));
    assert_eq!(lost_compartments(&people), [""; 0]);
    people.does(&TWO, vec![compartment("own", 2, &both)]);
    assert_eq!(people.state().openers_of(&handle("own")), both.map(handle));
}

/// Whoever was shut out, or never belonged, doesn't say alone that a secret has another value, and
/// nobody alone takes one where they couldn't have opened it.
#[test]
fn a_secret_is_replaced_by_whoever_keeps_it() {
    let mut people = people();
    let both = ["alice", "bob"];
    for name in ["own", "mine"] {
        people.does(&TWO, vec![chosen(name, &both), compartment(name, 1, &both)]);
    }
    people.does(&BOB, vec![stored("x", "own", 1, 1)]);
    let carol = ["carol/primary"];
    let same = |generation| vec![replaced("x", generation, ("own", 1), 1)];
    assert_eq!(people.refused(&carol, same(2)), Rule::Authority);
    people.does(&["alice/primary"], same(2));
    people.does(&["bob/primary", "carol/primary"], same(3));
    people.does(&TWO, vec![chosen("own", &["alice"]), compartment("own", 2, &["alice"])]);
    assert_eq!(kept(&people, "bob"), "x");
    let again = vec![replaced("x", 4, ("own", 2), 4)];
    assert_eq!(people.refused(&BOB, again.clone()), Rule::Authority);
    let away = vec![replaced("x", 4, ("mine", 1), 4)];
    assert_eq!(people.refused(&BOB, away.clone()), Rule::Authority);
    people.does(&ALICE, again);
    assert_eq!(kept(&people, "bob"), "");
    let mut away = away;
    if let Event::SecretReplaced(event) = &mut away[0] {
        event.generation = 5;
    }
    people.does(&ALICE, away);
}

#[test]
fn an_entry_seals_a_compartment_once_and_there_are_so_many() {
    let mut people = people();
    let twice = vec![compartment("seeds", 2, &ALL), compartment("seeds", 3, &ALL)];
    assert_eq!(people.refused(&TWO, twice), Rule::Event);
    let names: Vec<String> = (0..200).map(|number| format!("own-{number}")).collect();
    people.does(&TWO, names.iter().map(|name| chosen(name, &["bob"])).collect());
    impossible(&mut people, &[(chosen("more", &["bob"]), "200 compartments at most")]);
    people.does(&TWO, vec![chosen("own-7", &["carol"])]);
}
const ALL: [&str; 3] = ["alice", "bob", "carol"];

#[test]
fn what_somebody_could_open_is_known_until_it_is_replaced() {
    let mut people = people();
    people.does(&BOB, vec![stored("prod", "seeds", 1, 1)]);
    assert_eq!(kept(&people, "carol"), "", "she belongs to it");
    people.does(&TWO, vec![left("carol"), compartment("seeds", 2, &["alice", "bob"])]);
    people.does(&BOB, vec![stored("later", "seeds", 2, 2)]);
    assert_eq!(kept(&people, "carol"), "prod", "what came later she can't open");
    assert_eq!((kept(&people, "bob"), kept(&people, "nobody")), Default::default());
    // A value that is the same one is no other, wherever it is.
    people.does(&BOB, vec![replaced("prod", 2, ("seeds", 2), 1)]);
    assert_eq!(kept(&people, "carol"), "prod");
    people.does(&BOB, vec![replaced("prod", 3, ("seeds", 2), 3)]);
    assert_eq!(kept(&people, "carol"), "");
    people.does(&BOB, vec![stored("again", "seeds", 2, 1)]);
    assert_eq!(kept(&people, "carol"), "again");
}

#[test]
fn whoever_is_shut_out_of_a_compartment_keeps_what_was_in_it() {
    let mut people = people();
    people.does(&TWO, vec![chosen("own", &["alice", "bob"])]);
    people.does(&TWO, vec![compartment("own", 1, &["alice", "bob"])]);
    people.does(&BOB, vec![stored("x", "own", 1, 1)]);
    people.does(&TWO, vec![chosen("own", &["bob"]), compartment("own", 2, &["bob"])]);
    assert_eq!((kept(&people, "alice"), kept(&people, "bob")), ("x".into(), String::new()));
    people.does(&BOB, vec![replaced("x", 2, ("own", 2), 2)]);
    assert_eq!(kept(&people, "alice"), "");
}

/// The reports, in their order, each of a way in which a copy may open secrets to others, and
/// what stays due after the owner has another identity and compartments are sealed anew.
#[test]
fn what_a_copy_could_open_stays_due_whatever_becomes_of_it() {
    let own = |event: Event| vec![(&ALICE[..], event)];
    let suspended = (&BOB[..], lost("alice/blue", "bob"));
    for (slot, reports, due) in [
        ("alice/blue", own(lost("alice/blue", "alice")), "early late"),
        ("alice/blue", own(compromised("alice/blue", "alice")), "early late"),
        ("alice/paper", own(compromised("alice/paper", "alice")), "early late"),
        ("alice/paper", vec![(&BOB[..], lost("alice/paper", "bob"))], "early late"),
        ("alice/blue", vec![suspended.clone()], "early late"),
        ("alice/blue", vec![suspended.clone(), (&TWO, retired("alice/blue"))], "early late"),
        ("alice/blue", vec![suspended.clone(), (&TWO, restored("alice/blue"))], ""),
        ("alice/blue", vec![(&TWO, retired("alice/blue"))], ""),
        // It holds its copy still.
        ("alice/blue", vec![(&TWO, retired("alice/blue")), suspended.clone()], "early late"),
        (
            "alice/blue",
            vec![(&TWO, retired("alice/blue")), suspended.clone(), (&TWO, restored("alice/blue"))],
            "",
        ),
        (
            "alice/paper",
            vec![(&BOB, lost("alice/paper", "bob")), (&TWO, restored("alice/paper"))],
            "",
        ),
    ] {
        let mut people = people();
        people.does(&BOB, vec![stored("early", "seeds", 1, 1)]);
        for (signers, event) in reports {
            people.does(signers, vec![event]);
        }
        // Between the report and the new identity, the copy opens what is stored still.
        people.does(&BOB, vec![stored("late", "seeds", 1, 2)]);
        assert_eq!(astray(&people, slot), due, "{slot}");
        let all = ["alice", "bob", "carol"];
        let primary = sealed("alice", "primary", 2);
        let paper = sealed("alice", "paper", 2);
        people.does(&TWO, vec![rekeyed("alice", "new"), primary, paper]);
        people.does(&TWO, vec![compartment("seeds", 2, &all)]);
        people.does(&BOB, vec![stored("after", "seeds", 2, 3)]);
        assert_eq!(astray(&people, slot), due, "{slot}: a new paper doesn't bring the old back");
        let is_due = people.state().astray_slots().iter().any(|name| name.to_string() == slot);
        assert_eq!(is_due, !due.is_empty());
        people.does(&BOB, vec![replaced("early", 2, ("seeds", 2), 4)]);
        people.does(&BOB, vec![replaced("late", 2, ("seeds", 2), 5)]);
        assert_eq!(astray(&people, slot), "", "{slot}");
    }
}

/// A key opens whatever was sealed to it; a passphrase opens its own sheet.
#[test]
fn a_copy_opens_what_its_identity_opens_and_a_key_those_sealed_to_it_before() {
    let mut people = people();
    let own = ["alice", "bob"];
    people.does(&TWO, vec![chosen("own", &own), compartment("own", 1, &own)]);
    people.does(&TWO, vec![chosen("own", &["bob"]), compartment("own", 2, &["bob"])]);
    let primary = sealed("alice", "primary", 2);
    people.does(&TWO, vec![rekeyed("alice", "new"), primary, sealed("alice", "paper", 2)]);
    people.does(&TWO, vec![sealed("alice", "blue", 2)]);
    people.does(&TWO, vec![compartment("seeds", 2, &ALL)]);
    let new = people.enrolment("alice/new");
    people
        .does(&["alice/primary", "alice/new", "bob/primary"], vec![new, sealed("alice", "new", 1)]);
    let state = people.state();
    let told = |open: keymuster::record::Epochs| {
        let told = open.iter().map(|(name, epoch)| format!("{name} {epoch}"));
        told.collect::<Vec<_>>().join(", ")
    };
    let copy = |slot: &str, generation| {
        told(state.epochs_open_to_copy(&slot.parse().unwrap(), generation))
    };
    assert_eq!(copy("alice/blue", 1), "own 1, records 1, seeds 1");
    assert_eq!(copy("alice/blue", 2), "own 1, records 1, seeds 2");
    assert_eq!(copy("alice/new", 1), "seeds 2", "it never held the older identity");
    assert_eq!(copy("alice/paper", 1), "own 1, records 1, seeds 1");
    assert_eq!(copy("alice/paper", 2), "seeds 2");
    assert_eq!((copy("alice/paper", 3), copy("zoe/paper", 1)), Default::default());
    assert_eq!(state.copies_in(&"alice/paper".parse().unwrap()), [1, 2]);
    assert_eq!(told(state.epochs_open_to(&handle("alice"))), "own 1, records 1, seeds 2");
    assert_eq!(told(state.epochs_open_to(&handle("bob"))), "own 2, records 1, seeds 2");
    let closed = |name: &str, epoch| state.epoch_closed_by(&handle(name), epoch);
    assert_eq!((closed("own", 1), closed("own", 2), closed("seeds", 1)), (Some(4), None, Some(7)));
    assert_eq!(closed("nothing", 1), None);
}

/// A false report on paper can be withdrawn although its owner has another identity meanwhile,
/// and whoever made it is overruled.
#[test]
fn a_false_report_on_paper_is_withdrawn_after_a_rekey_too() {
    let mut people = people();
    people.does(&ALICE, vec![stored("early", "seeds", 1, 1)]);
    people.does(&BOB, vec![lost("alice/paper", "bob")]);
    let new =
        vec![rekeyed("alice", "new"), sealed("alice", "primary", 2), sealed("alice", "paper", 2)];
    people.does(&TWO, new);
    people.does(&TWO, vec![compartment("seeds", 2, &ALL)]);
    assert_eq!(astray(&people, "alice/paper"), "early");
    people.does(&["alice/primary", "carol/primary"], vec![restored("alice/paper")]);
    assert_eq!(astray(&people, "alice/paper"), "");
    let again = vec![lost("alice/paper", "bob")];
    assert_eq!(people.refused(&BOB, again), Rule::Authority, "he was wrong once");
    let withdrawn = vec![restored("alice/paper")];
    assert_eq!(people.refused(&TWO, withdrawn), Rule::Event, "nobody reported it any more");
}

/// A report of the second paper that is withdrawn says nothing of the first.
#[test]
fn a_report_that_is_withdrawn_withdraws_no_other() {
    let mut people = people();
    people.does(&BOB, vec![stored("early", "seeds", 1, 1)]);
    people.does(&ALICE, vec![lost("alice/paper", "alice")]);
    let paper = sealed("alice", "paper", 2);
    let primary = sealed("alice", "primary", 2);
    people.does(&TWO, vec![rekeyed("alice", "new"), primary, paper]);
    people.does(&TWO, vec![compartment("seeds", 2, &["alice", "bob", "carol"])]);
    people.does(&BOB, vec![stored("after", "seeds", 2, 2)]);
    people.does(&BOB, vec![lost("alice/paper", "bob")]);
    assert_eq!(astray(&people, "alice/paper"), "after early");
    people.does(&TWO, vec![restored("alice/paper")]);
    assert_eq!(astray(&people, "alice/paper"), "early");
}
