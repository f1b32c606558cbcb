//! What one dishonest custodian, or whoever stole one key, tries at the log. Mallory is the
//! dishonest one; she has two keys, and her honest fellows never sign for her by mistake
//! unless a test says so.

use keymuster::key::UserVerification as Verification;
use keymuster::log::{Entry, Rule};
use keymuster::record::{
    CompartmentSealed, CustodianAdded, Event, Hex, IdentitySealed, PolicyChanged, ReaderAdded,
    UserVerification as Policy,
};

use super::fixture::{
    TestLog, checked, compartment, created, custodian, handle, name, reader, recipient, sealed,
};
use super::people::{
    People, acknowledged, action, checks_every, closed, compromised, duties, handed, left, lost,
    moved, reader_removed, rekeyed, restored, retired, waiver,
};

/// Both keys of mallory.
pub const MALLORY: &[&str] = &["mallory/primary", "mallory/blue"];
/// Mallory, and bob who was talked into signing.
pub const WITH_BOB: &[&str] = &["mallory/primary", "bob/primary"];

pub fn three() -> People {
    let keys = ["alice/primary", "alice/blue", "bob/primary", "mallory/primary", "mallory/blue"];
    let mut people = People::with(&keys);
    let events = vec![
        sealed("alice", "primary", 1),
        sealed("alice", "paper", 1),
        reader("auditor"),
        compartment("records", 2, &["alice", "auditor", "bob", "mallory"]),
    ];
    people.does(&["alice/primary", "bob/primary"], events);
    people
}

pub fn two() -> People {
    People::with(&["alice/primary", "mallory/primary", "mallory/blue"])
}

#[test]
fn marks_everyone_lost() {
    let mut people = three();
    let everyone = ["alice/primary", "alice/blue", "bob/primary"];
    people.does(MALLORY, everyone.iter().map(|key| lost(key, "mallory")).collect());
    assert_eq!(people.state().able_custodians(), 2);
    assert_eq!(people.word("alice/blue"), "suspended");
    assert!(people.is_active("bob/primary"), "a claim, for the floor's sake");

    // It gains time and no more: two who are honest are enough to undo it.
    assert_eq!(people.refused(MALLORY, vec![left("alice")]), Rule::Authority);
    people.does(
        &["alice/primary", "bob/primary"],
        everyone.iter().map(|key| restored(key)).collect(),
    );
    assert!(everyone.iter().all(|key| people.is_active(key)));
    for report in [lost("bob/primary", "mallory"), compromised("alice/blue", "mallory")] {
        assert_eq!(people.refused(MALLORY, vec![report]), Rule::Authority);
    }
    people.does(&["alice/primary", "bob/primary"], vec![left("mallory")]);
}

#[test]
fn marks_everyone_lost_in_a_vault_of_two() {
    let mut people = two();
    people.does(MALLORY, vec![lost("alice/primary", "mallory")]);
    assert!(people.is_active("alice/primary"));
    assert_eq!(people.state().able_custodians(), 2);
    let again = vec![compromised("alice/primary", "mallory")];
    assert_eq!(people.refused(MALLORY, again), Rule::Event, "one claim is enough");
}

#[test]
fn suspends_one_and_gives_up_their_own_keys() {
    let mut people = three();
    let keys = ["alice/primary", "alice/blue"];
    let mut events: Vec<Event> = keys.iter().map(|key| lost(key, "mallory")).collect();
    events.extend(MALLORY.iter().map(|key| lost(key, "mallory")));
    people.does(MALLORY, events);
    assert_eq!(people.state().able_custodians(), 1);
    people.does(&["bob/primary", "alice/blue"], keys.iter().map(|key| restored(key)).collect());
    assert_eq!(people.state().able_custodians(), 2);
}

#[test]
fn gives_up_their_own_key_first_to_slip_below_the_floor() {
    let mut people = People::with(&["alice/primary", "bob/primary", "mallory/primary"]);
    let events = vec![
        lost("mallory/primary", "mallory"),
        lost("alice/primary", "mallory"),
        lost("bob/primary", "mallory"),
    ];
    people.does(&["mallory/primary"], events);
    assert!(people.is_active("alice/primary") && people.is_active("bob/primary"));
}

#[test]
fn enrols_a_key_of_their_own_under_anothers_name() {
    let mut people = three();
    let key = people.enrolment("alice/green");
    let alone = ["alice/green", "mallory/primary", "mallory/blue"];
    assert_eq!(people.refused(&alone, vec![key.clone()]), Rule::Authority);
    let without_it = ["mallory/primary", "bob/primary"];
    assert_eq!(people.refused(&without_it, vec![key]), Rule::Authority);
}

#[test]
fn enrols_a_key_and_speaks_for_its_owner_with_it() {
    let mut people = three();
    let key = people.enrolment("alice/green");
    let signers = ["alice/green", "mallory/primary", "bob/primary"];
    for event in [
        rekeyed("alice", "mallory's"),
        sealed("alice", "primary", 2),
        sealed("alice", "paper", 2),
        acknowledged("alice", &["whatever"]),
        lost("alice/primary", "alice"),
        handed("alice/primary", "alice", "mallory"),
        checked("alice/green"),
    ] {
        let kind = event.kind();
        let rule = people.refused(&signers, vec![key.clone(), event]);
        assert_eq!(rule, Rule::Authority, "{kind}");
    }
}

#[test]
fn enrols_somebody_made_up_and_signs_with_them_at_once() {
    let mut people = three();
    let zoe = [custodian("zoe"), people.enrolment("zoe/primary")];
    let signers = ["mallory/primary", "zoe/primary"];
    assert_eq!(people.refused(&signers, zoe.to_vec()), Rule::Authority);

    // Even where bob lets zoe in, her voice counts from the next entry on.
    let mut two = People::with(&["bob/primary", "mallory/primary"]);
    let mut events = vec![custodian("zoe"), two.enrolment("zoe/primary")];
    events.push(acknowledged("zoe", &["I keep my keys"]));
    let rule = two.refused(&["mallory/primary", "bob/primary", "zoe/primary"], events);
    assert_eq!(rule, Rule::Authority);
}

#[test]
fn counts_twice_with_a_key_enrolled_in_the_same_entry() {
    let mut people = three();
    let green = people.enrolment("mallory/green");
    let signers = ["mallory/primary", "mallory/blue", "mallory/green"];
    assert_eq!(people.refused(&signers, vec![green, reader("friend")]), Rule::Authority);
}

#[test]
fn enrols_a_key_for_a_reader_and_signs_with_it() {
    let mut people = three();
    let key = people.enrolment("auditor/primary");
    let signers = ["auditor/primary", "mallory/primary", "bob/primary"];
    assert_eq!(people.refused(&signers, vec![key]), Rule::Event);
}

#[test]
fn adds_themselves_a_reader() {
    let mut people = three();
    assert_eq!(people.refused(MALLORY, vec![reader("mallorys-laptop")]), Rule::Authority);
    let again = |reader: &str, seed: &str| {
        let (reader, recipient) = (handle(reader), recipient(seed));
        vec![Event::ReaderAdded(ReaderAdded { reader, recipient, owner: None })]
    };
    for (reader, seed) in [("mallory", "new"), ("auditor", "new"), ("laptop", "mallory")] {
        assert_eq!(people.refused(WITH_BOB, again(reader, seed)), Rule::Event, "{reader} {seed}");
    }
}

#[test]
fn removes_a_reader_who_looks_too_closely() {
    let mut people = three();
    assert_eq!(people.refused(MALLORY, vec![reader_removed("auditor")]), Rule::Authority);
}

#[test]
fn loosens_the_policy() {
    let mut people = three();
    for event in [checks_every(3660), duties(&[]), waived()] {
        assert_eq!(people.refused(MALLORY, vec![event]), Rule::Authority);
    }
    for days in [0, 3661] {
        assert_eq!(people.refused(WITH_BOB, vec![checks_every(days)]), Rule::Event, "{days}");
    }
}

fn waived() -> Event {
    let user_verification = Some(Policy::Waived);
    Event::PolicyChanged(PolicyChanged { user_verification, ..PolicyChanged::default() })
}

#[test]
fn waives_verification_in_the_entry_that_lacks_it() {
    let mut log = TestLog::new();
    let key = log.new_key("mallory/primary");
    let events = vec![
        created(false, Policy::Required),
        custodian("mallory"),
        key.enrolled(),
        compartment("records", 1, &["mallory"]),
        compartment("seeds", 1, &["mallory"]),
    ];
    log.append(&[&key], events);
    let untouched = |log: &mut TestLog, event: Event| {
        let document = log.document(&[&key], vec![event]);
        let head = log.replay.head().after(document.to_canonical().unwrap().as_bytes());
        let armor = log.sign(&key, "keymuster-head", &head.to_string(), Verification::Omitted);
        let entry = Entry::new(&document, &[armor]).unwrap();
        log.replay.admit(&entry).map_err(|fault| fault.rule)
    };
    assert_eq!(untouched(&mut log, waived()), Err(Rule::Signature));
    log.append(&[&key], vec![waived()]);
    assert_eq!(untouched(&mut log, checked("mallory/primary")), Ok(()));
}

#[test]
fn founds_the_vault_again() {
    let mut people = three();
    let again = vec![created(true, Policy::Waived)];
    assert_eq!(people.refused(WITH_BOB, again), Rule::Authority);
}

#[test]
fn replaces_a_recipient() {
    let mut people = three();
    assert_eq!(people.refused(MALLORY, vec![rekeyed("alice", "mallory's")]), Rule::Authority);
    assert_eq!(people.refused(WITH_BOB, vec![rekeyed("alice", "mallory's")]), Rule::Authority);
    assert_eq!(people.refused(MALLORY, vec![rekeyed("mallory", "new")]), Rule::Authority);
    for seed in ["mallory", "alice", "auditor", "records 2"] {
        let rule = people.refused(WITH_BOB, vec![rekeyed("mallory", seed)]);
        assert_eq!(rule, Rule::Event, "the recipient of {seed} is used already");
    }
}

#[test]
fn replaces_a_sealed_identity() {
    let mut people = three();
    let sealing = |generation| {
        vec![Event::IdentitySealed(IdentitySealed {
            custodian: handle("alice"),
            slot: handle("primary"),
            generation,
            sha256: Hex([66; 32]),
            plugin_sha256: Some(Hex([67; 32])),
        })]
    };
    assert_eq!(people.refused(MALLORY, sealing(2)), Rule::Authority);
    assert_eq!(people.refused(WITH_BOB, sealing(2)), Rule::Authority, "alice must sign");
    let with_alice = ["mallory/primary", "alice/primary"];
    for generation in [0, 1, 1002, u32::MAX] {
        assert_eq!(people.refused(&with_alice, sealing(generation)), Rule::Event, "{generation}");
    }
}

fn records(epoch: u32, seed: &str, members: &[&str]) -> Event {
    Event::CompartmentSealed(CompartmentSealed {
        compartment: handle("records"),
        epoch,
        recipient: recipient(seed),
        members: members.iter().map(|member| handle(member)).collect(),
        sha256: Hex([66; 32]),
    })
}

#[test]
fn replaces_a_compartment_file() {
    let members = ["alice", "auditor", "bob", "mallory"];
    let mut people = three();
    assert_eq!(people.refused(MALLORY, vec![records(3, "new", &members)]), Rule::Authority);
    // The file that is recorded keeps its digest: another needs another epoch, a later one.
    for epoch in [0, 1, 2, 1003, u32::MAX] {
        let event = records(epoch, "new", &members);
        assert_eq!(people.refused(WITH_BOB, vec![event]), Rule::Event, "{epoch}");
    }
    for seed in ["records 1", "records 2", "mallory", "auditor"] {
        let event = records(3, seed, &members);
        assert_eq!(people.refused(WITH_BOB, vec![event]), Rule::Event, "{seed}");
    }
}

#[test]
fn re_keys_to_themselves() {
    let mut people = three();
    let rule = people.refused(MALLORY, vec![compartment("seeds", 2, &["mallory"])]);
    assert_eq!(rule, Rule::Authority);
    for members in [
        &["mallory"] as &[&str],
        &[],
        &["alice", "bob"],
        &["alice", "bob", "mallory", "mallory"],
        &["alice", "auditor", "bob", "mallory"],
        &["alice", "bob", "mallory", "zoe"],
        &["mallory", "bob", "alice"],
    ] {
        let rule = people.refused(WITH_BOB, vec![compartment("seeds", 2, members)]);
        assert_eq!(rule, Rule::Event, "{members:?}");
    }
}

#[test]
fn makes_a_compartment_of_their_own() {
    let mut people = three();
    let event = compartment("private", 1, &["mallory"]);
    assert_eq!(people.refused(WITH_BOB, vec![event]), Rule::Event);
}

#[test]
fn leaves_to_drop_the_floor() {
    let mut people = three();
    assert_eq!(people.refused(MALLORY, vec![left("mallory")]), Rule::Authority);
    people.does(WITH_BOB, vec![left("mallory")]);
    assert_eq!(people.state().quorum(), 2);
    let both = ["alice/primary", "bob/primary"];
    for who in ["alice", "bob"] {
        assert_eq!(people.refused(&both, vec![left(who)]), Rule::Event, "{who}");
    }
    assert_eq!(people.refused(&["alice/primary"], vec![reader("friend")]), Rule::Authority);
}

#[test]
fn has_two_leave_in_one_entry() {
    let mut people = three();
    assert_eq!(people.refused(WITH_BOB, vec![left("alice"), left("bob")]), Rule::Event);
}

#[test]
fn fills_the_floor_with_people_who_cannot_sign() {
    let mut people = two();
    let both = ["alice/primary", "mallory/primary"];
    people.does(&both, vec![custodian("zoe")]);
    assert_eq!(people.refused(&both, vec![left("alice")]), Rule::Event, "zoe has no key");

    let mut people = three();
    people.does(&["alice/primary"], vec![lost("bob/primary", "alice")]);
    let both = ["alice/primary", "mallory/primary"];
    assert_eq!(people.refused(&both, vec![left("alice")]), Rule::Event, "bob's is suspended");
    let keys = vec![retired("alice/primary"), retired("alice/blue")];
    assert_eq!(people.refused(&both, keys), Rule::Event, "the same by retiring");
}

#[test]
fn retires_their_opponents_one_by_one() {
    let mut people = three();
    assert_eq!(people.refused(MALLORY, vec![retired("alice/primary")]), Rule::Authority);
    people.does(MALLORY, vec![lost("alice/primary", "mallory")]);
    assert_eq!(people.refused(MALLORY, vec![retired("alice/primary")]), Rule::Authority);
    people.does(WITH_BOB, vec![retired("alice/primary"), retired("alice/blue")]);
    assert_eq!(people.refused(WITH_BOB, vec![retired("bob/primary")]), Rule::Event);
}

#[test]
fn rules_alone_once_the_others_gave_up_their_keys() {
    let mut people = two();
    people.does(&["alice/primary"], vec![lost("alice/primary", "alice")]);
    assert_eq!((people.state().quorum(), people.state().able_custodians()), (2, 1));
    let key = people.enrolment("alice/green");
    for event in [checks_every(3660), reader("friend"), left("alice"), custodian("zoe")] {
        assert_eq!(people.refused(MALLORY, vec![event]), Rule::Authority);
    }
    let signers = ["alice/green", "mallory/primary", "mallory/blue"];
    assert_eq!(people.refused(&signers, vec![key]), Rule::Authority);
}

#[test]
fn rejoins_under_an_old_handle_recipient_or_key() {
    let mut people = three();
    people.does(WITH_BOB, vec![left("mallory"), reader_removed("auditor")]);
    let both = ["alice/primary", "bob/primary"];
    let joins = |custodian: &str, seed: &str| {
        let (custodian, recipient) = (handle(custodian), recipient(seed));
        Event::CustodianAdded(CustodianAdded { custodian, name: None, recipient })
    };
    for (who, seed) in
        [("mallory", "new"), ("auditor", "new"), ("zoe", "mallory"), ("zoe", "auditor")]
    {
        assert_eq!(people.refused(&both, vec![joins(who, seed)]), Rule::Event, "{who} {seed}");
    }
    people.alias("mallory/primary", "zoe/primary");
    let events = vec![custodian("zoe"), people.enrolment("zoe/primary")];
    let signers = ["zoe/primary", "alice/primary", "bob/primary"];
    let fault = people.try_out(&signers, events).expect_err("a public key is used once");
    assert!(fault.reason.contains("zoe/primary is the same key as mallory/primary"), "{fault}");
}

#[test]
fn signs_after_they_left() {
    let mut people = three();
    people.does(WITH_BOB, vec![sealed("mallory", "primary", 1)]);
    people.does(WITH_BOB, vec![left("mallory")]);
    for event in [checked("mallory/primary"), moved("alice/blue", "here"), reader("friend")] {
        assert_eq!(people.refused(&["mallory/primary"], vec![event]), Rule::Signers);
    }
    let signers = ["alice/primary", "mallory/blue"];
    assert_eq!(people.refused(&signers, vec![restored("mallory/blue")]), Rule::Signers);
    let both = ["alice/primary", "bob/primary"];
    assert_eq!(people.refused(&both, vec![restored("mallory/blue")]), Rule::Event);
    let key = people.enrolment("mallory/green");
    let signers = ["mallory/green", "alice/primary", "bob/primary"];
    assert_eq!(people.refused(&signers, vec![key]), Rule::Event);
    assert_eq!(people.state().identities().get(&name("mallory/primary")), None);
}

#[test]
fn uses_an_id_twice() {
    let mut people = three();
    let events = vec![waiver("abroad"), action("new-safe", "mallory")];
    people.does(WITH_BOB, events);
    people.does(&["mallory/primary"], vec![closed("new-safe")]);
    assert_eq!(people.refused(WITH_BOB, vec![waiver("abroad")]), Rule::Event);
    for event in [action("new-safe", "bob"), closed("new-safe"), closed("no-such")] {
        assert_eq!(people.refused(MALLORY, vec![event]), Rule::Event);
    }
    let twice = vec![waiver("ill"), waiver("ill")];
    assert_eq!(people.refused(WITH_BOB, twice), Rule::Event);
}

#[test]
fn waives_what_they_owe() {
    let mut people = three();
    assert_eq!(people.refused(MALLORY, vec![waiver("busy")]), Rule::Authority);
}
