//! Slips: what is signed beside the log, and when an entry may take it in.

use keymuster::log::{Entry, FindingKind, Head, Malformed, Rule, SignedDocument};
use keymuster::record::{Event, HeadAbandoned, Hex, Realm, SlipEndorsed, Time};

use super::accounts::account;
use super::attacks::{WITH_BOB, three};
use super::drills;
use super::fixture::{checked, compartment, custodian, name, replay, sealed};
use super::people::{People, checks_every, left, lost, moved, rekeyed, restored, retired};

const ALICE: &[&str] = &["alice/primary"];
const BOB: &[&str] = &["bob/primary"];
const A_DAY: i64 = 86_400;

/// The rule that taking in slips breaks, and why.
fn refused(people: &mut People, slips: &[&SignedDocument]) -> (Rule, String) {
    let entry = people.collecting(ALICE, slips, Vec::new());
    let before = people.log.replay.clone();
    let fault = people.log.replay.admit(&entry).unwrap_err();
    assert_eq!(people.log.replay.head(), before.head(), "a refusal changes nothing");
    assert_eq!(people.log.replay.state(), before.state());
    (fault.rule, fault.reason)
}

fn later(time: Time, seconds: i64) -> Time {
    Time::new(time.moment() + chrono::TimeDelta::seconds(seconds)).unwrap()
}

fn endorsed(slip: &SignedDocument) -> Event {
    Event::SlipEndorsed(SlipEndorsed { slip: slip.digest() })
}

/// A slip of bob's that says that his key was checked.
fn check(people: &mut People) -> SignedDocument {
    people.slip(BOB, vec![checked("bob/primary")])
}

#[test]
fn a_slip_happens_with_the_entry_that_takes_it_in() {
    let mut people = three();
    let slip = check(&mut people);
    people.does(ALICE, vec![checked("alice/primary")]);
    people.collects(ALICE, &[&slip], Vec::new()).unwrap();
    let at = people.state().keys()[&name("bob/primary")].last_seen;
    assert_eq!(at.entry, 4);
    assert_eq!(at.time, people.log.entries[3].document().time, "not at a time that it says itself");
    assert_eq!(people.found(), []);

    let texts: Vec<String> = people.log.entries.iter().map(|it| it.text().into_owned()).collect();
    let again: Vec<Entry> =
        texts.into_iter().map(|text| Entry::parse(text.into_bytes()).unwrap()).collect();
    assert_eq!(again, people.log.entries);
    let (replayed, fault) = replay(people.log.vault, again.iter().map(Ok));
    assert_eq!((replayed.head(), fault), (people.log.replay.head(), None));
}

#[test]
fn ten_slips_of_ten_keys_go_into_one_entry() {
    let keys: Vec<String> = (0..10).map(|n| format!("custodian-{n}/primary")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut people = People::with(&keys);
    let slips: Vec<SignedDocument> =
        keys.iter().map(|key| people.slip(&[key], vec![checked(key)])).collect();
    let slips: Vec<&SignedDocument> = slips.iter().collect();
    people.collects(&keys[..1], &slips, Vec::new()).unwrap();
    assert_eq!(people.log.replay.head().number, 2);
    assert!(keys.iter().all(|key| people.state().keys()[&name(key)].last_seen.entry == 2));
    assert_eq!(people.log.replay.signatures().all, 10 + 10 + 1);
}

#[test]
fn a_slip_that_was_used_is_refused() {
    let mut people = three();
    let slip = check(&mut people);
    let (rule, reason) = refused(&mut people, &[&slip, &slip]);
    assert_eq!((rule, reason.as_str()), (Rule::Slip, "slip 2: it is there twice"));
    people.collects(ALICE, &[&slip], Vec::new()).unwrap();
    let (rule, reason) = refused(&mut people, &[&slip]);
    assert_eq!((rule, reason.as_str()), (Rule::Slip, "slip 1: it was admitted before"));
}

#[test]
fn a_slip_that_is_too_old_is_refused() {
    let mut people = three();
    // Each document is a minute after the one before.
    let age = |people: &mut People, seconds: i64| {
        people.slip_with(BOB, vec![checked("bob/primary")], |slip| {
            slip.time = later(slip.time, 60 - seconds);
        })
    };
    let old = age(&mut people, 14 * A_DAY + 1);
    let (rule, reason) = refused(&mut people, &[&old]);
    assert_eq!(rule, Rule::Slip);
    assert!(reason.contains("more than 14 days before"), "{reason}");
    let just = age(&mut people, 14 * A_DAY);
    people.collects(ALICE, &[&just], Vec::new()).unwrap();
}

#[test]
fn a_slip_whose_time_is_still_to_come_is_refused() {
    let mut people = three();
    let ahead = |people: &mut People, seconds: i64| {
        people.slip_with(BOB, vec![checked("bob/primary")], |slip| {
            slip.time = later(slip.time, 60 + seconds);
        })
    };
    let slip = ahead(&mut people, A_DAY + 1);
    let (rule, reason) = refused(&mut people, &[&slip]);
    assert_eq!(rule, Rule::Slip);
    assert!(reason.contains("more than a day later"), "{reason}");
    let slip = ahead(&mut people, A_DAY);
    people.collects(ALICE, &[&slip], Vec::new()).unwrap();
}

#[test]
fn a_slip_from_another_vault_is_refused() {
    let mut people = three();
    let slip =
        people.slip_with(BOB, vec![checked("bob/primary")], |slip| slip.vault = Hex([8; 16]));
    let (rule, reason) = refused(&mut people, &[&slip]);
    assert_eq!(rule, Rule::Slip);
    assert!(reason.contains("it belongs to the vault 08080808"), "{reason}");
}

#[test]
fn a_slip_for_a_head_that_is_not_in_the_log_is_refused() {
    let mut people = three();
    let last = people.log.replay.head().number;
    let elsewhere = |number: u64, link: Option<u8>| {
        move |slip: &mut keymuster::log::Document| {
            slip.number = number;
            slip.previous = link.map_or(slip.previous, |byte| Hex([byte; 32]));
        }
    };
    for change in [
        elsewhere(last + 1, Some(0)),
        elsewhere(last, None),
        elsewhere(last + 2, None),
        elsewhere(1, None),
        elsewhere(0, None),
        elsewhere(i64::MAX as u64, None),
    ] {
        let slip = people.slip_with(BOB, vec![checked("bob/primary")], change);
        assert_eq!(refused(&mut people, &[&slip]).0, Rule::Slip);
    }
    // What founds a vault is no slip, even on top of the empty log.
    let nothing = people.log.replay.links()[0];
    let slip = people.slip_with(BOB, vec![checked("bob/primary")], |slip| {
        (slip.number, slip.previous) = (1, nothing);
    });
    assert_eq!(refused(&mut people, &[&slip]).0, Rule::Slip);
}

#[test]
fn a_slip_that_was_altered_is_refused() {
    let mut people = three();
    let slip = check(&mut people);
    let signatures: Vec<String> = slip.signatures().into_iter().map(str::to_owned).collect();
    for events in [
        vec![checked("bob/primary"), moved("bob/primary", "safe 2")],
        vec![moved("bob/primary", "safe 2")],
    ] {
        let mut document = slip.document().clone();
        document.events = events;
        let altered = SignedDocument::new(&document, &signatures).unwrap();
        let (rule, reason) = refused(&mut people, &[&altered]);
        assert_eq!(rule, Rule::Signature, "more than was shown to whoever signed: {reason}");
        assert!(reason.starts_with("slip 1: that of bob/primary: "), "{reason}");
    }
}

#[test]
fn a_slip_is_no_entry_and_an_entry_no_slip_of_another_number() {
    let mut people = three();
    let slip = check(&mut people);
    let signatures: Vec<String> = slip.signatures().into_iter().map(str::to_owned).collect();
    let posing = Entry::new(slip.document(), &signatures).unwrap();
    assert_eq!(people.log.replay.admit(&posing).unwrap_err().rule, Rule::Signature);

    people.does(BOB, vec![checked("bob/primary")]);
    let own = people.log.entries[2].signed().clone();
    let (rule, reason) = refused(&mut people, &[&own]);
    assert_eq!((rule, reason.as_str()), (Rule::Slip, "slip 1: it is entry 3 of this log"));
}

#[test]
fn a_slip_without_events_is_refused() {
    let mut people = three();
    let slip = people.slip(BOB, Vec::new());
    assert_eq!(refused(&mut people, &[&slip]).0, Rule::Event);
    let entry = people.collecting(ALICE, &[], Vec::new());
    assert_eq!(people.log.replay.admit(&entry).unwrap_err().rule, Rule::Event);
}

#[test]
fn a_leavers_old_slip_is_refused() {
    let mut people = three();
    let slip = check(&mut people);
    people.does(&["alice/primary", "mallory/primary"], vec![left("bob")]);
    assert_eq!(refused(&mut people, &[&slip]).0, Rule::Signers);
}

#[test]
fn a_slip_of_a_key_suspended_meanwhile_is_refused() {
    let mut people = three();
    let slip = check(&mut people);
    people.does(&["mallory/primary"], vec![lost("bob/primary", "mallory")]);
    let (rule, reason) = refused(&mut people, &[&slip]);
    assert_eq!(rule, Rule::Signers);
    assert!(reason.contains("it is suspended"), "{reason}");
    people.does(&["alice/primary", "bob/primary"], vec![restored("bob/primary")]);
    people.collects(ALICE, &[&slip], Vec::new()).unwrap();
}

#[test]
fn a_slip_whose_events_stopped_making_sense_is_refused() {
    let mut people = three();
    let slip = people.slip(WITH_BOB, vec![retired("alice/blue")]);
    people.does(WITH_BOB, vec![retired("alice/blue")]);
    assert_eq!(refused(&mut people, &[&slip]).0, Rule::Event);
    // And so are two that don't go together, though each would by itself.
    let [one, other] = [1, 2].map(|_| people.slip(WITH_BOB, vec![custodian("zoe")]));
    let renamed = people.slip(WITH_BOB, vec![custodian("yves")]);
    assert_eq!(refused(&mut people, &[&one, &other, &renamed]).0, Rule::Event);
    people.collects(ALICE, &[&one, &renamed], Vec::new()).unwrap();
}

#[test]
fn two_signatures_on_one_slip_satisfy_what_needs_two_people() {
    let mut people = three();
    let slip = people.slip(BOB, vec![checks_every(30)]);
    assert_eq!(
        refused(&mut people, &[&slip]).0,
        Rule::Authority,
        "who collects doesn't sign for it"
    );
    let both = people.slip(WITH_BOB, vec![checks_every(30)]);
    people.collects(ALICE, &[&both], Vec::new()).unwrap();
    assert_eq!(people.state().policy().check_days, 30);

    let slip = people.slip(BOB, vec![checks_every(40)]);
    let second = people.slip(&["mallory/primary"], vec![endorsed(&slip)]);
    people.collects(ALICE, &[&slip, &second], Vec::new()).unwrap();
    assert_eq!(people.state().policy().check_days, 40);
}

#[test]
fn a_slip_countersigned_by_the_same_person_is_not_enough() {
    let mut people = three();
    let slip = people.slip(&["alice/blue"], vec![checks_every(30)]);
    let second = people.slip(ALICE, vec![endorsed(&slip)]);
    assert_eq!(refused(&mut people, &[&slip, &second]).0, Rule::Authority);
    let entry = people.collecting(ALICE, &[&slip], vec![endorsed(&slip)]);
    assert_eq!(people.log.replay.admit(&entry).unwrap_err().rule, Rule::Authority);
}

#[test]
fn whoever_collects_can_sign_for_a_slip_and_for_no_other() {
    let mut people = three();
    let [slip, other] = [30, 40].map(|days| people.slip(BOB, vec![checks_every(days)]));
    let entry = people.collecting(ALICE, &[&slip, &other], vec![endorsed(&slip)]);
    assert_eq!(people.log.replay.admit(&entry).unwrap_err().rule, Rule::Authority);
    // An endorsement of what isn't there is of no use to what is.
    let entry = people.collecting(ALICE, &[&slip], vec![endorsed(&other)]);
    assert_eq!(people.log.replay.admit(&entry).unwrap_err().rule, Rule::Authority);
    people.collects(ALICE, &[&slip], vec![endorsed(&slip)]).unwrap();
    assert_eq!(people.state().policy().check_days, 30);
}

#[test]
fn a_suspended_key_takes_in_no_slip() {
    let mut people = three();
    let slip = check(&mut people);
    people.does(&["mallory/primary"], vec![lost("alice/primary", "mallory")]);
    let restore = || vec![restored("alice/primary")];
    for events in [Vec::new(), restore()] {
        let entry = people.collecting(ALICE, &[&slip], events);
        assert_eq!(people.log.replay.admit(&entry).unwrap_err().rule, Rule::Signers);
    }
    // It restores itself in a slip, with somebody else.
    let own = people.slip(ALICE, restore());
    people.collects(BOB, &[&own, &slip], vec![endorsed(&own)]).unwrap();
    assert!(people.is_active("alice/primary"));
}

#[test]
fn somebody_joins_in_a_slip_that_two_others_sign_for() {
    let mut people = three();
    let events = vec![custodian("zoe"), people.enrolment("zoe/primary")];
    let slip = people.slip(&["zoe/primary"], events);
    let entry = people.collecting(ALICE, &[&slip], vec![endorsed(&slip)]);
    assert_eq!(people.log.replay.admit(&entry).unwrap_err().rule, Rule::Authority);
    people.collects(&["alice/primary", "bob/primary"], &[&slip], vec![endorsed(&slip)]).unwrap();
    people.does(&["zoe/primary"], vec![checked("zoe/primary")]);
    // A key that one slip enrols signs no other.
    let mut people = three();
    let events = vec![custodian("zoe"), people.enrolment("zoe/primary")];
    let slip = people.slip(&["zoe/primary"], events);
    let second = people.slip(&["zoe/primary"], vec![checked("zoe/primary")]);
    let both = [&slip, &second];
    let entry = people.collecting(&["alice/primary", "bob/primary"], &both, vec![endorsed(&slip)]);
    assert_eq!(people.log.replay.admit(&entry).unwrap_err().rule, Rule::Signers);
}

#[test]
fn an_entry_that_lost_its_number_is_taken_in_under_the_signatures_that_it_has() {
    let mut people = three();
    // Two clones append entry 3; that of mallory's is followed by another one.
    let lost_one = people.entry(&["mallory/primary"], vec![moved("mallory/blue", "safe 2")]);
    let before = people.log.replay.clone();
    people.log.replay.admit(&lost_one).unwrap();
    let next = people.entry(&["mallory/blue"], vec![checked("mallory/blue")]);
    people.log.replay = before;
    people.does(BOB, vec![checked("bob/primary")]);

    let (one, two) = (lost_one.signed().clone(), next.signed().clone());
    let (rule, reason) = refused(&mut people, &[&two]);
    assert_eq!(rule, Rule::Slip, "it follows what this log doesn't have: {reason}");
    people.collects(ALICE, &[&one, &two], Vec::new()).unwrap();
    assert_eq!(people.state().keys()[&name("mallory/blue")].last_seen.entry, 4);
    assert_eq!(
        people.found(),
        [],
        "nobody signed two heads of one number but 4, by alice and mallory"
    );
}

#[test]
fn what_follows_a_slip_that_was_admitted_can_be_admitted_later() {
    let mut people = three();
    let first = check(&mut people);
    let head = Head {
        vault: people.log.vault,
        number: first.document().number - 1,
        link: first.document().previous,
    };
    let link = head.after_digest(&first.digest()).link;
    let second = people.slip_with(BOB, vec![checked("bob/primary")], |slip| {
        (slip.number, slip.previous) = (first.document().number + 1, link);
    });
    assert_eq!(refused(&mut people, &[&second]).0, Rule::Slip);
    assert_eq!(refused(&mut people, &[&second, &first]).0, Rule::Slip, "in their order");
    people.collects(ALICE, &[&first], Vec::new()).unwrap();
    people.collects(ALICE, &[&second], Vec::new()).unwrap();
}

#[test]
fn one_key_that_signs_two_heads_of_one_number_is_a_finding() {
    let mut people = three();
    let given = people.entry(BOB, vec![moved("bob/primary", "safe 2")]);
    people.does(BOB, vec![checked("bob/primary")]);
    let slip = given.signed().clone();
    people.collects(ALICE, &[&slip], Vec::new()).unwrap();
    let (key, number) = (name("bob/primary"), 3);
    // The key counted up once for each of them, whichever came first.
    let found = people.found();
    assert!(found.contains(&FindingKind::TwoHeads { key, number }), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn what_was_given_up_is_never_admitted() {
    let mut people = three();
    let slip = check(&mut people);
    let head = Head {
        vault: people.log.vault,
        number: slip.document().number - 1,
        link: slip.document().previous,
    };
    let head = head.after_digest(&slip.digest());
    let give_up = |link| Event::HeadAbandoned(HeadAbandoned { number: head.number, link });
    people.does(WITH_BOB, vec![give_up(head.link)]);
    let (rule, reason) = refused(&mut people, &[&slip]);
    assert_eq!((rule, reason.as_str()), (Rule::Slip, "slip 1: it was given up"));
    // Nor is what follows it.
    let next = people.slip_with(BOB, vec![checked("bob/primary")], |slip| {
        (slip.number, slip.previous) = (head.number + 1, head.link);
    });
    assert_eq!(refused(&mut people, &[&next]).0, Rule::Slip);

    assert_eq!(people.refused(WITH_BOB, vec![give_up(head.link)]), Rule::Event, "once is enough");
    let twice = vec![give_up(Hex([1; 32])), give_up(Hex([1; 32]))];
    assert_eq!(people.refused(WITH_BOB, twice), Rule::Event);
    let own = people.log.replay.links()[3];
    let own = Event::HeadAbandoned(HeadAbandoned { number: 3, link: own });
    assert_eq!(people.refused(WITH_BOB, vec![own]), Rule::Event, "that of the log itself isn't");
    let another = check(&mut people);
    people.collects(ALICE, &[&another], Vec::new()).unwrap();
}

#[test]
fn the_signatures_of_a_slip_are_of_one_namespace() {
    let mut people = three();
    let [slips, heads] = [Realm::Real.slip_namespace(), Realm::Real.head_namespace()];
    let events = vec![checked("bob/primary")];
    let as_slip = people.slip(&["bob/primary", "alice/primary"], events.clone());
    let document = as_slip.document().clone();
    let message = {
        let parent =
            Head { vault: document.vault, number: document.number - 1, link: document.previous };
        parent.after_digest(&as_slip.digest()).to_string()
    };
    for [first, second] in [[slips, heads], [heads, slips]] {
        let signatures = [("bob/primary", first), ("alice/primary", second)]
            .map(|(key, namespace)| people.sign_in(key, namespace, &message));
        let mixed = SignedDocument::new(&document, &signatures).unwrap();
        assert_eq!(refused(&mut people, &[&mixed]).0, Rule::Signature);
    }
}

#[test]
fn an_entry_carries_the_slips_that_it_names_and_nothing_else() {
    let mut people = three();
    let [one, other] = [1, 2].map(|_| check(&mut people));
    let entry = people.collecting(ALICE, &[&one, &other], Vec::new());
    let text = entry.text().into_owned();
    let parse = |text: &str| Entry::parse(text.as_bytes().to_vec());
    assert_eq!(parse(&text), Ok(entry.clone()));
    let without = text.strip_suffix(other.text()).unwrap();
    assert_eq!(parse(without), Err(Malformed::OtherSlips));
    let swapped = without.strip_suffix(one.text()).unwrap().to_owned() + other.text() + one.text();
    assert_eq!(parse(&swapped), Err(Malformed::OtherSlips));
    assert_eq!(parse(&(text.clone() + one.text())), Err(Malformed::NotSignatures));
    assert!(parse(&(text.clone() + "\n")).is_err());
    assert!(parse(text.strip_suffix('\n').unwrap()).is_err());
}

#[test]
fn what_a_slip_seals_was_sealed_for_those_who_belong_to_it_still() {
    let members = ["alice", "bob", "mallory"];
    let two = ["alice/primary", "bob/primary"];
    let sealing = || vec![compartment("seeds", 2, &members)];
    let mut people = three();
    let slip = people.slip(&two, sealing());
    people.does(ALICE, vec![checked("alice/primary")]);
    people.collects(BOB, &[&slip], Vec::new()).unwrap();

    // Any of these changes who should open it, or with what; whether or not the members are others.
    let zoe = |people: &mut People| {
        let events = vec![custodian("zoe"), people.enrolment("zoe/primary")];
        people.does(&["zoe/primary", "alice/primary", "bob/primary"], events);
    };
    let changes: [&dyn Fn(&mut People); 4] = [
        &|people| people.does(&two, vec![rekeyed("alice", "alice's other")]),
        &|people| people.does(&two, vec![left("mallory")]),
        &|people| people.does(&two, vec![compartment("seeds", 2, &members)]),
        &zoe,
    ];
    for change in changes {
        let mut people = three();
        let slip = people.slip(&two, vec![compartment("seeds", 3, &members)]);
        change(&mut people);
        let (rule, reason) = refused(&mut people, &[&slip]);
        assert_eq!(rule, Rule::Event, "{reason}");
    }
    // So it is where the change is in a slip before it, unless it follows that one.
    let mut people = three();
    let rekey = people.slip(&two, vec![rekeyed("alice", "alice's other")]);
    let beside = people.slip(&two, sealing());
    assert_eq!(refused(&mut people, &[&rekey, &beside]).0, Rule::Event);
    let head = head_of(&rekey);
    let behind = people.slip_with(&two, sealing(), |slip| {
        (slip.number, slip.previous) = (head.number + 1, head.link);
    });
    people.collects(ALICE, &[&rekey, &behind], Vec::new()).unwrap();
}

#[test]
fn an_identity_in_a_slip_was_sealed_with_the_recipient_that_its_owner_has_still() {
    let mut people = three();
    let both = ["bob/primary", "alice/primary"];
    let slip = people.slip(&both, vec![sealed("bob", "paper", 1)]);
    people.does(&both, vec![rekeyed("alice", "alice's other")]);
    people.collects(ALICE, &[&slip], Vec::new()).unwrap();
    let slip = people.slip(&both, vec![sealed("bob", "paper", 2)]);
    people.does(&both, vec![rekeyed("bob", "bob's other")]);
    assert_eq!(refused(&mut people, &[&slip]).0, Rule::Event);
}

/// The head that a document makes where it says it stands.
pub fn head_of(slip: &SignedDocument) -> Head {
    let document = slip.document();
    let (vault, number) = (document.vault, document.number.saturating_sub(1));
    Head { vault, number, link: document.previous }.after_digest(&slip.digest())
}

#[test]
fn what_happened_in_a_drill_is_signed_with_its_end_and_by_nobody_else() {
    let mut people = three();
    let both = ["alice/primary", "bob/primary"];
    people.does(&both, vec![account("prod", 1), account("test", 2)]);
    people.does(&both, vec![drills::adopted("quarterly", 1)]);
    people.does(&both, vec![drills::started("fire", drills::BOTH)]);
    let end =
        || [vec![drills::finished("fire", drills::BOTH)], drills::transcript("fire")].concat();
    let slip = people.slip(&both, end());
    for told in drills::transcript("fire") {
        let kind = told.kind();
        let forged = people.slip(&["mallory/primary"], vec![told.clone()]);
        assert_eq!(refused(&mut people, &[&slip, &forged]).0, Rule::Event, "{kind}");
        let entry = people.collecting(&["mallory/primary"], &[&slip], vec![told]);
        assert_eq!(people.log.replay.admit(&entry).unwrap_err().rule, Rule::Event, "{kind}");
    }
    people.collects(&["mallory/primary"], &[&slip], Vec::new()).unwrap();
}

#[test]
fn an_entry_that_only_took_in_slips_is_taken_in_with_them() {
    let mut people = three();
    let slip = check(&mut people);
    let lost_one = people.collecting(ALICE, &[&slip], Vec::new());
    people.does(&["mallory/primary"], vec![checked("mallory/primary")]);
    let own = lost_one.signed().clone();
    people.collects(ALICE, &[&slip, &own], Vec::new()).unwrap();
    assert_eq!(people.state().keys()[&name("bob/primary")].last_seen.entry, 4);
}
