//! What was proven, by what, and for how long that counts.

use keymuster::record::{
    AccountAdded, Event, Evidence, Outcome, SecretKind, SecretStored, SignInProven, TotpChecked,
};
use keymuster::recovery::Shown;

use super::super::accounts::{linked, signed_in, unlinked};
use super::super::compartments::chosen;
use super::super::fixture::{compartment, handle, sealed};
use super::super::people::{line, retired};
use super::super::secrets::{print, replaced};
use super::records::{
    Records, added, aws, handles, kept, mailbox_tested, noon, phone_tested, token,
};

const TWO: [&str; 2] = ["alice/primary", "bob/primary"];

/// Prod, with its password in the safe, bob's telephone and alice's key.
fn prod() -> Records {
    let mut records = Records::of(&TWO);
    let prod = AccountAdded {
        root_email: Some("aws@example.com".parse().unwrap()),
        password_place: Some(line("Safe 2")),
        ..aws("prod")
    };
    records.does(vec![
        added(prod),
        token("phone", "prod", Some("bob"), None),
        linked("alice/primary", &["prod"]),
    ]);
    records
}

fn failed(account: &str, with: Option<&str>) -> Event {
    let Event::SignInProven(event) = signed_in(&[account], with) else { unreachable!() };
    Event::SignInProven(SignInProven { outcome: Outcome::Failed, ..event })
}

/// Whether the seed with a fingerprint made the codes of a token.
fn checked(token: &str, seed: u8, outcome: Outcome) -> Event {
    let passed = outcome == Outcome::Passed;
    Event::TotpChecked(TotpChecked {
        account: handle("prod"),
        token: handle(token),
        outcome,
        evidence: passed.then_some(Evidence::TwoConsecutive),
        drift_seconds: passed.then_some(0),
        fingerprint: Some(print(seed)),
        secret: None,
    })
}

/// When the best way into prod was last proven: a day, if it was one.
fn shown(records: &Records) -> (Shown, Option<u32>) {
    let recovery = records.recovery();
    let shown = recovery.shown().of(recovery.accounts()[&handle("prod")].node);
    let day = |shown| match shown {
        Shown::At(at) => (0..1000).find(|day| noon(*day) == at.time),
        _ => None,
    };
    (shown, day(shown))
}

#[test]
fn a_proof_holds_on_its_last_day_and_not_on_the_next() {
    let mut records = prod();
    assert_eq!(records.proven("prod"), "gone");
    records.on(10).does(vec![signed_in(&["prod"], Some("phone"))]);
    let phone = "person:bob, place:safe 2, token:bob/phone";
    assert_eq!(records.proven("prod"), phone, "the key was never tried");
    assert_eq!(records.on(100).proven("prod"), phone);
    assert_eq!(records.on(101).proven("prod"), "gone");
    assert_ne!(records.on_record("prod"), "gone");
}

#[test]
fn a_sign_in_that_failed_counts_against_its_device() {
    let mut records = prod();
    records.does(vec![signed_in(&["prod"], Some("phone"))]);
    records.does(vec![signed_in(&["prod"], Some("alice/primary"))]);
    records.does(vec![failed("prod", Some("phone"))]);
    let key = "key:alice/primary, person:alice, place:safe 2";
    assert_eq!(records.proven("prod"), key);
    assert_eq!(records.on_record("prod"), key);
    records.does(vec![failed("prod", Some("alice/primary"))]);
    assert_eq!(records.on_record("prod"), "gone");
    records.does(vec![signed_in(&["prod"], Some("phone"))]);
    assert_eq!(records.on_record("prod"), "person:bob, place:safe 2, token:bob/phone");
}

#[test]
fn a_way_is_as_old_as_its_oldest_part() {
    let mut records = prod();
    assert_eq!(shown(&records), (Shown::Never, None));
    records.on(3).does(vec![signed_in(&["prod"], Some("phone"))]);
    assert_eq!(shown(&records).1, Some(3));
    // The password is shown by any sign-in, the telephone by its own alone.
    records.on(9).does(vec![signed_in(&["prod"], None)]);
    assert_eq!(shown(&records).1, Some(3));
    records.on(12).does(vec![signed_in(&["prod"], Some("alice/primary"))]);
    assert_eq!(shown(&records).1, Some(12), "the best of its ways");
    records.on(20).does(vec![failed("prod", Some("alice/primary"))]);
    assert_eq!(shown(&records).1, Some(3));
    records.does(vec![failed("prod", Some("phone"))]);
    assert_eq!(shown(&records), (Shown::Absent, None));
}

#[test]
fn the_mailbox_and_the_telephone_are_proven_for_longer() {
    let mut records = Records::of(&TWO);
    records.does(vec![added(AccountAdded {
        root_email: Some("aws@example.com".parse().unwrap()),
        mailbox_readers: handles(&["bob"]),
        root_phone: Some("+1 555 0100".parse().unwrap()),
        phone_answerers: handles(&["bob"]),
        ..aws("prod")
    })]);
    let whole = records.on_record("prod");
    records.on(5).does(vec![mailbox_tested("prod", Outcome::Passed)]);
    assert_eq!((records.proven("prod").as_str(), shown(&records)), ("gone", (Shown::Never, None)));
    records.on(7).does(vec![phone_tested("prod", Outcome::Passed)]);
    assert_eq!((records.proven("prod"), shown(&records).1), (whole.clone(), Some(5)));
    assert_eq!(records.on(185).proven("prod"), whole);
    assert_eq!(records.on(186).proven("prod"), "gone");
}

#[test]
fn a_password_stored_since_the_last_sign_in_is_not_proven() {
    let mut records = Records::of(&TWO);
    let prod = AccountAdded { root_email: Some("aws@example.com".parse().unwrap()), ..aws("prod") };
    records.does(vec![added(prod), linked("alice/primary", &["prod"])]);
    records.does(vec![signed_in(&["prod"], Some("alice/primary"))]);
    records.does(vec![kept("pw", SecretKind::Password, "prod", "seeds")]);
    assert_eq!(shown(&records), (Shown::Never, None));
    assert_eq!(records.proven("prod"), "gone");
    assert_ne!(records.on_record("prod"), "gone");
    records.does(vec![signed_in(&["prod"], None)]);
    assert_eq!(records.proven("prod"), records.on_record("prod"));
    // What is stored in the entry that tells of the sign-in is what one signed in with.
    let mut records = Records::of(&TWO);
    let prod = AccountAdded { root_email: Some("aws@example.com".parse().unwrap()), ..aws("prod") };
    records.does(vec![added(prod), linked("alice/primary", &["prod"])]);
    let stored = kept("pw", SecretKind::Password, "prod", "seeds");
    records.does(vec![stored, signed_in(&["prod"], Some("alice/primary"))]);
    assert_eq!(records.proven("prod"), records.on_record("prod"));
}

#[test]
fn a_key_that_opens_is_proven_by_whatever_it_signed() {
    let mut records = Records::of(&TWO);
    records.does(vec![added(aws("prod")), kept("pw", SecretKind::Password, "prod", "seeds")]);
    assert_eq!(records.on(90).proven("compartment seeds").matches(" + ").count(), 4);
    records.on(50).signs("bob/primary");
    assert_eq!(records.on(91).proven("compartment seeds"), "key:bob/primary, person:bob");
    assert_eq!(records.on(141).proven("compartment seeds"), "gone");
}

#[test]
fn a_paper_copy_counts_on_paper_only() {
    let mut records = Records::of(&["alice/primary", "bob/primary", "carol/primary"]);
    records.does(vec![
        added(aws("prod")),
        chosen("own", &["carol"]),
        compartment("own", 1, &["carol"]),
        sealed("carol", "paper", 1),
        kept("pw", SecretKind::Password, "prod", "own"),
        retired("carol/primary"),
    ]);
    assert_eq!(records.on_record("compartment own"), "paper:carol/paper");
    assert_eq!(records.proven("compartment own"), "gone");
}

/// Prod with its password in the safe, tokens that nobody has, and a seed in custody: of one of
/// these, as far as is recorded.
fn with_seed(tokens: &[&str]) -> Records {
    let mut records = Records::of(&["alice/primary"]);
    let prod = AccountAdded {
        root_email: Some("aws@example.com".parse().unwrap()),
        password_place: Some(line("Safe 2")),
        ..aws("prod")
    };
    records.does(vec![added(prod)]);
    records.does(tokens.iter().map(|name| token(name, "prod", None, None)).collect());
    records.does(vec![kept("seed", SecretKind::Seed, "prod", "seeds")]);
    records
}

const BY_SEED: &str = "key:alice/primary, person:alice, place:safe 2";

#[test]
fn a_seed_is_proven_by_a_check_and_a_sign_in_with_its_token() {
    let mut records = with_seed(&["phone"]);
    assert_eq!(
        (records.on_record("prod").as_str(), records.proven("prod").as_str()),
        (BY_SEED, "gone")
    );
    records.on(2).does(vec![signed_in(&["prod"], Some("phone"))]);
    assert_eq!(records.proven("prod"), "gone");
    records.on(5).does(vec![checked("phone", 1, Outcome::Passed)]);
    assert_eq!((records.proven("prod").as_str(), shown(&records).1), (BY_SEED, Some(0)));
    records.on(6).signs("alice/primary");
    assert_eq!(shown(&records).1, Some(2), "the sign-in is the oldest of it");
    records.on(7).does(vec![checked("phone", 2, Outcome::Failed)]);
    assert_eq!(records.proven("prod"), BY_SEED, "it was another seed that failed");
    records.on(8).does(vec![checked("phone", 1, Outcome::Failed)]);
    assert_eq!(records.on_record("prod"), "gone");
}

#[test]
fn a_seed_of_no_token_that_is_registered_is_no_way() {
    assert_eq!(with_seed(&[]).on_record("prod"), "gone");
}

#[test]
fn a_seed_is_of_the_token_that_it_was_recorded_for() {
    let mut records = with_seed(&["fob", "phone"]);
    let Event::SecretStored(seed) = kept("other", SecretKind::Seed, "prod", "seeds") else {
        unreachable!()
    };
    let (token, fingerprint) = (Some(handle("phone")), Some(print(3)));
    let of_phone = Event::SecretStored(SecretStored { token, fingerprint, ..seed });
    records.does(vec![of_phone, checked("fob", 1, Outcome::Failed)]);
    assert_eq!(records.on_record("prod"), BY_SEED, "the other was never tried");
    records.does(vec![unlinked("phone", &["prod"])]);
    assert_eq!(records.on_record("prod"), "gone");
}

#[test]
fn a_seed_that_was_replaced_is_another() {
    let mut records = with_seed(&["phone"]);
    records.does(vec![signed_in(&["prod"], Some("phone")), checked("phone", 1, Outcome::Passed)]);
    assert_eq!(records.proven("prod"), BY_SEED);
    records.does(vec![replaced("seed", 2)]);
    assert_eq!(
        (records.on_record("prod").as_str(), records.proven("prod").as_str()),
        (BY_SEED, "gone")
    );
    let named = |event: Event, value: &str| {
        let Event::TotpChecked(event) = event else { unreachable!() };
        Event::TotpChecked(TotpChecked { secret: Some(value.parse().unwrap()), ..event })
    };
    records.does(vec![named(checked("phone", 1, Outcome::Failed), "seed.1")]);
    assert_eq!(records.on_record("prod"), BY_SEED);
    records.does(vec![named(checked("phone", 2, Outcome::Passed), "seed.2")]);
    assert_eq!(records.proven("prod"), BY_SEED);
}

/// What is recorded to be prod's, and of no certain token, is of the one whose codes it makes.
#[test]
fn a_seed_that_makes_the_codes_of_one_token_needs_to_make_no_others() {
    for first in ["fob", "phone"] {
        let mut records = with_seed(&["fob", "phone"]);
        let outcome =
            |token: &str| if token == "phone" { Outcome::Passed } else { Outcome::Failed };
        let second = if first == "fob" { "phone" } else { "fob" };
        for token in [first, second] {
            records.does(vec![checked(token, 1, outcome(token))]);
        }
        assert_eq!(records.on_record("prod"), BY_SEED, "first held against {first}");
        records.does(vec![signed_in(&["prod"], Some("phone"))]);
        assert_eq!(records.proven("prod"), BY_SEED, "first held against {first}");
    }
    let mut records = with_seed(&["fob", "phone"]);
    records.does(vec![checked("fob", 1, Outcome::Failed)]);
    assert_eq!(records.on_record("prod"), "gone", "it made nobody's codes");
}
