//! Secrets and checks of tokens in the log: what can happen to them, and what can't.

use keymuster::log::Rule;
use keymuster::record::{
    Event, Evidence, Fingerprint, Hex, Outcome, Purpose, SecretKind, SecretName, SecretOpened,
    SecretReplaced, SecretStored, TotpCheck, TotpChecked,
};

use super::accounts::{account, device, linked, unlinked};
use super::fixture::{handle, time};
use super::people::{People, line};

const TWO: [&str; 2] = ["alice/primary", "bob/primary"];
const BOB: [&str; 1] = ["bob/primary"];

/// The fingerprint of seed `number`.
pub fn print(number: u8) -> Fingerprint {
    Hex([number; 16])
}

pub fn seed(name: &str, account: Option<&str>) -> SecretStored {
    SecretStored {
        secret: handle(name),
        holds: SecretKind::Seed,
        account: account.map(handle),
        token: None,
        compartment: handle("seeds"),
        epoch: 1,
        sha256: Hex([4; 32]),
        fingerprint: Some(print(1)),
    }
}

/// A seed of no account comes into custody.
pub fn stored(name: &str) -> Event {
    Event::SecretStored(seed(name, None))
}

pub fn replaced(name: &str, generation: u32) -> Event {
    Event::SecretReplaced(SecretReplaced {
        secret: handle(name),
        generation,
        compartment: handle("seeds"),
        epoch: 1,
        sha256: Hex([5; 32]),
        fingerprint: Some(print(2)),
    })
}

pub fn opened(values: &[&str], opener: &str) -> Event {
    Event::SecretOpened(SecretOpened {
        secrets: values.iter().map(|value| value.parse().unwrap()).collect(),
        opener: handle(opener),
        purpose: Purpose::Show,
        reason: Some(line("drill")),
    })
}

fn check(account: &str, token: &str) -> TotpChecked {
    TotpChecked {
        account: handle(account),
        token: handle(token),
        outcome: Outcome::Passed,
        evidence: Some(Evidence::TwoConsecutive),
        drift_seconds: Some(-30),
        fingerprint: Some(print(1)),
        secret: None,
    }
}

/// A token showed two codes that a seed makes.
pub fn totp_checked(account: &str, token: &str) -> Event {
    Event::TotpChecked(check(account, token))
}

/// Alice, bob and carol, prod with the token phone, test with nothing, and prod's seed.
fn in_custody() -> People {
    let mut people = People::with(&["alice/primary", "alice/blue", "bob/primary", "carol/primary"]);
    let events = vec![account("prod", 1), account("test", 2), linked("phone", &["prod"])];
    people.does(&TWO, events);
    people.does(&BOB, vec![Event::SecretStored(seed("prod-seed", Some("prod")))]);
    people
}

pub fn impossible(people: &mut People, events: &[(Event, &str)]) {
    for (event, reason) in events {
        let fault = people.try_out(&TWO, vec![event.clone()]).expect_err(reason);
        assert_eq!(fault.rule, Rule::Event, "{fault}");
        assert!(fault.reason.contains(reason), "{reason:?} isn't why: {fault}");
    }
}

#[test]
fn a_secret_is_stored_once_and_replaced_in_order() {
    let mut people = in_custody();
    let with = |change: fn(&mut SecretStored)| {
        let mut event = seed("other", Some("prod"));
        change(&mut event);
        Event::SecretStored(event)
    };
    impossible(
        &mut people,
        &[
            (stored("prod-seed"), "secret prod-seed is taken"),
            (with(|e| e.account = Some(handle("nowhere"))), "there is no account nowhere"),
            (with(|e| e.compartment = handle("records")), "so it takes no secrets"),
            (with(|e| e.compartment = handle("cellar")), "there is no compartment cellar"),
            (with(|e| e.epoch = 2), "seeds is in its epoch 1, and not in 2"),
            (with(|e| e.epoch = 0), "seeds is in its epoch 1, and not in 0"),
            (with(|e| e.holds = SecretKind::Note), "only a seed has a fingerprint"),
            (with(|e| e.token = Some(handle("fob"))), "prod has no token fob"),
            (
                with(|e| (e.account, e.token) = (None, Some(handle("phone")))),
                "a token belongs to the seed of an account",
            ),
            (
                with(|e| {
                    (e.holds, e.fingerprint) = (SecretKind::Password, None);
                    e.token = Some(handle("phone"));
                }),
                "a token belongs to the seed of an account",
            ),
            (replaced("nothing", 2), "there is no secret nothing"),
            (replaced("prod-seed", 1), "value 1 of prod-seed can't follow 1"),
            (replaced("prod-seed", 3), "value 3 of prod-seed can't follow 1"),
        ],
    );
    people.does(&BOB, vec![replaced("prod-seed", 2)]);
    let secret = &people.state().secrets()[&handle("prod-seed")];
    let generations: Vec<(u32, u64)> =
        secret.generations.iter().map(|g| (g.number, g.stored.entry)).collect();
    assert_eq!(generations, [(1, 3), (2, 4)]);
    assert_eq!(secret.present().map(|present| present.number), Some(2));
    let known = |number| people.state().seed_with(&print(number)).map(|name| name.to_string());
    assert_eq!(known(1).as_deref(), Some("prod-seed.1"), "an older value is known still");
    assert_eq!(known(2).as_deref(), Some("prod-seed.2"));
    assert_eq!(known(3), None);
}

#[test]
fn a_receipt_names_who_opened_what() {
    let mut people = in_custody();
    people.does(&BOB, vec![stored("other")]);
    let rule = people.refused(&BOB, vec![opened(&["prod-seed.1"], "alice")]);
    assert_eq!(rule, Rule::Authority, "nobody opens in another's name");
    impossible(
        &mut people,
        &[
            (opened(&[], "alice"), "each once"),
            (opened(&["other.1", "prod-seed.1", "other.1"], "alice"), "each once"),
            (opened(&["prod-seed.2"], "alice"), "there is no secret prod-seed.2"),
            (opened(&["other.1", "nothing.1"], "alice"), "there is no secret nothing.1"),
        ],
    );
    people.does(&["alice/blue"], vec![opened(&["prod-seed.1", "other.1"], "alice")]);
    people.does(&BOB, vec![opened(&["prod-seed.1"], "bob")]);
    let receipts = |secret: &str| {
        let receipts = &people.state().secrets()[&handle(secret)].receipts;
        let told = receipts.iter().map(|r| format!("{} {}", r.opener, r.at.entry));
        told.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(receipts("prod-seed"), "alice 5, bob 6");
    assert_eq!(receipts("other"), "alice 5");
}

#[test]
fn a_token_is_checked_against_a_seed() {
    let mut people = in_custody();
    people.does(&TWO, vec![account("third", 3), linked("phone", &["third"])]);
    let name = |text: &str| Some(text.parse::<SecretName>().unwrap());
    let with = |change: fn(&mut TotpChecked)| {
        let mut event = check("prod", "phone");
        change(&mut event);
        Event::TotpChecked(event)
    };
    impossible(
        &mut people,
        &[
            (totp_checked("nowhere", "phone"), "there is no account nowhere"),
            (totp_checked("test", "phone"), "phone isn't registered with test"),
            (with(|e| e.outcome = Outcome::Failed), "belong to a check that passed"),
            (with(|e| e.evidence = None), "belong to a check that passed"),
            (with(|e| e.drift_seconds = None), "belong to a check that passed"),
            (
                Event::TotpChecked(TotpChecked {
                    secret: name("nothing.1"),
                    ..check("prod", "phone")
                }),
                "there is no secret nothing.1",
            ),
            (
                Event::TotpChecked(TotpChecked {
                    secret: name("prod-seed.1"),
                    fingerprint: Some(print(9)),
                    ..check("prod", "phone")
                }),
                "prod-seed.1 is another seed",
            ),
            (
                Event::TotpChecked(TotpChecked {
                    secret: name("prod-seed.1"),
                    ..check("third", "phone")
                }),
                "prod-seed.1 isn't of third, phone",
            ),
        ],
    );
    let stored = TotpChecked { secret: name("prod-seed.1"), ..check("prod", "phone") };
    people.does(&BOB, vec![Event::TotpChecked(stored)]);
    let failed = with(|e| {
        (e.outcome, e.evidence, e.drift_seconds) = (Outcome::Failed, None, None);
        e.fingerprint = None;
    });
    people.does(&BOB, vec![failed]);
    let checks = |people: &People| -> Vec<TotpCheck> {
        people.state().accounts()[&handle("prod")].devices[&device("phone")].checks.clone()
    };
    let found: Vec<_> = checks(&people).iter().map(|check| (check.at.entry, check.found)).collect();
    assert_eq!(found, [(5, Some((Evidence::TwoConsecutive, -30))), (6, None)]);

    // As with everything that is tried: what is dated ahead puts nothing off.
    let now = people.log.seconds;
    people.log.seconds = now + 86_400;
    people.does(&BOB, vec![totp_checked("prod", "phone")]);
    people.log.seconds = now;
    people.does(&BOB, vec![totp_checked("prod", "phone")]);
    let latest = time(people.log.seconds);
    assert!(checks(&people).iter().all(|check| check.at.time <= latest));
    people.does(&TWO, vec![unlinked("phone", &["prod"])]);
    impossible(&mut people, &[(totp_checked("prod", "phone"), "isn't registered with prod")]);
}
