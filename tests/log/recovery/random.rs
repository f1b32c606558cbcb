//! Small records, of whatever happened to few people and few accounts in half a year.

use std::fmt;

use keymuster::record::{
    AccountAdded, AccountChanged, AccountField, AccountsTried, DeviceLinked, DeviceName, Email,
    Event, Evidence, Handle, KeyHandedOver, KeyMoved, KeyName, Line, Outcome, Phone, PolicyChanged,
    RootUserChanged, SecretKind, SecretName, SecretStored, SignInProven, TokenMoved, TotpChecked,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::accounts::{removed, unlinked};
use super::super::compartments::chosen;
use super::super::fixture::{compartment, custodian, handle, name, sealed};
use super::super::people::{left, lost, rekeyed, restored, retired};
use super::super::secrets::{print, replaced, seed};
use super::records::{Records, enrolled, fitted, handles};

const CUSTODIANS: [&str; 4] = ["alice", "bob", "carol", "dan"];
/// Zoe has no key.
const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dan", "zoe"];
const KEYS: [&str; 8] = [
    "alice/primary",
    "alice/blue",
    "bob/primary",
    "bob/blue",
    "carol/primary",
    "carol/blue",
    "dan/primary",
    "dan/blue",
];
const ACCOUNTS: [&str; 4] = ["dns", "mail", "prod", "test"];
const TOKENS: [&str; 2] = ["fob", "phone"];
const SECRETS: [&str; 6] = ["one", "two", "three", "four", "five", "six"];

/// An entry: so many days after the last, dated ahead or not, signed by somebody.
#[derive(Clone, Debug)]
struct Happened {
    days: u32,
    ahead: bool,
    signer: KeyName,
    event: Event,
}

/// What happened, and how many days ago the last of it was.
#[derive(Clone)]
pub struct Story {
    founding: Vec<Event>,
    later: Vec<Happened>,
    since: u32,
}

/// A line for each event, since a story that fails is long enough.
impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let later = self.later.iter().map(|happened| format!("{happened:?}"));
        let mut lines = self.founding.iter().map(|event| format!("{event:?}")).chain(later);
        lines.try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "{} days since", self.since)
    }
}

impl Story {
    /// What is on record then, and the day.
    pub fn records(&self) -> (Records, u32) {
        let mut records = Records::new();
        let mut day = 0;
        for event in &self.founding {
            let event = fitted(&records, event.clone());
            records.may(&event, None);
        }
        for Happened { days, ahead, signer, event } in &self.later {
            day += days;
            let event = fitted(&records, event.clone());
            records.on(if *ahead { day + 400 } else { day }).may(&event, Some(signer));
        }
        (records, day + self.since)
    }
}

fn one_of(names: &'static [&'static str]) -> impl Strategy<Value = Handle> {
    select(names).prop_map(handle)
}

fn some_of(names: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<Handle>> {
    let some = prop_oneof![1 => Just(0..=0), 9 => Just(1..=most)];
    some.prop_flat_map(move |count| subsequence(names, count)).prop_map(|names| handles(&names))
}

fn key() -> impl Strategy<Value = KeyName> {
    select(&KEYS[..]).prop_map(name)
}

/// Three places, one of which is written in two ways; two are in the same town.
fn place() -> impl Strategy<Value = Line> {
    select(&["Box 1, Safe 2, Leeds", "box 1,  safe  2, leeds", "Vault, Leeds", "Desk"][..])
        .prop_map(|place| place.parse().unwrap())
}

/// Three mailboxes in two domains.
fn email() -> impl Strategy<Value = Email> {
    let all = ["aws@example.com", "AWS+prod@Example.com", "root@example.com", "aws@example.org"];
    select(all.to_vec()).prop_map(|email| email.parse().unwrap())
}

fn phone() -> impl Strategy<Value = Phone> {
    select(&["+1 555 0100", "+15550100", "+44 20 7946 0000"][..])
        .prop_map(|phone| phone.parse().unwrap())
}

fn device() -> impl Strategy<Value = DeviceName> {
    prop_oneof![key().prop_map(DeviceName::Key), one_of(&TOKENS).prop_map(DeviceName::Token)]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![5 => Just(Outcome::Passed), 1 => Just(Outcome::Failed)]
}

fn value() -> impl Strategy<Value = SecretName> {
    (one_of(&SECRETS), 1..3_u32).prop_map(|(secret, generation)| SecretName { secret, generation })
}

/// Those that many secrets are in.
fn vaults() -> impl Strategy<Value = Handle> {
    one_of(&["own", "seeds"])
}

/// Two to four custodians with their keys, copies of identities, and who opens what.
fn founding() -> impl Strategy<Value = Vec<Event>> {
    let with_copies = prop::collection::vec(any::<[u8; 3]>(), 2..=4);
    let own = subsequence(&CUSTODIANS[..], 1..=3);
    let policy = (option::of(20..120_u32), option::of(20..200_u32));
    (with_copies, own, policy).prop_map(|(with_copies, own, (check_days, contacts_days))| {
        let mut events = Vec::new();
        for (who, [second, copies, paper]) in CUSTODIANS.iter().zip(with_copies) {
            events.extend([custodian(who), enrolled(&format!("{who}/primary"))]);
            // A second key for most; most hold the identity.
            if second % 3 > 0 {
                events.push(enrolled(&format!("{who}/blue")));
            }
            let slots =
                [("primary", copies % 5 > 0), ("blue", copies % 3 > 0), ("paper", paper % 2 > 0)];
            let sealed_to = slots.iter().filter(|(_, is_sealed)| *is_sealed);
            events.extend(sealed_to.map(|(slot, _)| sealed(who, slot, 1)));
        }
        let present = events.len();
        let own: Vec<&str> =
            own.into_iter().filter(|who| events[..present].contains(&custodian(who))).collect();
        events.extend([
            compartment("seeds", 1, &[]),
            chosen("own", &own),
            compartment("own", 1, &[]),
        ]);
        let policy = PolicyChanged { check_days, contacts_days, ..PolicyChanged::default() };
        events.push(Event::PolicyChanged(policy));
        events
    })
}

fn account(which: &'static str) -> impl Strategy<Value = Event> {
    let provider = prop_oneof![4 => Just("aws"), 1 => Just("aws-cn"), 2 => Just("gcp")];
    let root = (option::weighted(0.9, email()), option::weighted(0.8, phone()));
    let people = (some_of(&PEOPLE, 3), some_of(&PEOPLE, 3));
    let place = option::weighted(0.6, place());
    let parts = (provider, prop::bool::weighted(0.9), root, people, place);
    parts.prop_map(move |(provider, root_credentials, root, people, password_place)| {
        let number = ACCOUNTS.iter().position(|known| *known == which).unwrap();
        let id = format!("{number:012}").parse().unwrap();
        Event::AccountAdded(Box::new(AccountAdded {
            root_credentials,
            root_email: root.0,
            mailbox_readers: people.0,
            root_phone: root.1,
            phone_answerers: people.1,
            password_place,
            ..AccountAdded::of(handle(which), handle(provider), id)
        }))
    })
}

/// One to four accounts, some of which it takes to read the mailboxes of others.
fn accounts() -> impl Strategy<Value = Vec<Event>> {
    let which = subsequence(&ACCOUNTS[..], 1..=4);
    which.prop_flat_map(|which| {
        let added: Vec<_> = which.iter().map(|which| account(which).boxed()).collect();
        let through = which.iter().map(|_| subsequence(which.clone(), 0..=which.len().min(2)));
        let through: Vec<_> = through.collect();
        let changed = |(account, through): (&&str, Vec<&str>)| {
            let mailbox_through = handles(&through);
            let change = AccountChanged { mailbox_through, ..AccountChanged::of(handle(account)) };
            Event::AccountChanged(Box::new(change))
        };
        (added, through, prop::bool::weighted(0.7)).prop_map(move |(added, through, stands)| {
            let through = which.iter().zip(through).filter(|_| stands).map(changed);
            added.into_iter().chain(through).collect()
        })
    })
}

fn of_keys() -> impl Strategy<Value = Event> {
    let moved = (key(), option::of(place()), option::of(place()));
    let moved = moved
        .prop_map(|(key, place, pin_place)| Event::KeyMoved(KeyMoved { key, place, pin_place }));
    let handed = (key(), one_of(&CUSTODIANS), option::weighted(0.3, place()));
    let handed = handed.prop_map(|(key, taker, place)| {
        // Whoever has it gives it: see `fitted`.
        Event::KeyHandedOver(KeyHandedOver { key, giver: handle("alice"), taker, place })
    });
    let reported = (select(&KEYS[..]), select(&CUSTODIANS[..]), 0..6_u8);
    let reported = reported.prop_map(|(key, who, what)| match what {
        0 => lost(key, key.split_once('/').unwrap().0),
        1 => lost(key, who),
        2 => restored(key),
        3 => retired(key),
        4 => lost(&format!("{who}/paper"), who),
        _ => left(who),
    });
    let identity = (select(&CUSTODIANS[..]), select(&["primary", "blue", "paper"][..]), 0..4_u8);
    let identity = identity.prop_map(|(who, slot, what)| match what {
        0 => rekeyed(who, ""),
        1 => chosen("own", &[who]),
        _ => sealed(who, slot, 0),
    });
    let anew = vaults().prop_map(|which| compartment(which.as_str(), 0, &[]));
    prop_oneof![5 => moved, 3 => handed, 2 => reported, 2 => identity, 1 => anew]
}

fn of_accounts() -> impl Strategy<Value = Event> {
    let linked =
        (device(), one_of(&ACCOUNTS), option::of(one_of(&PEOPLE)), option::weighted(0.4, place()));
    let linked = linked.prop_map(|(device, account, holder, place)| {
        // Who has a key, and where, is recorded with the key.
        let is_token = matches!(device, DeviceName::Token(_));
        let (holder, place) = (holder.filter(|_| is_token), place.filter(|_| is_token));
        Event::DeviceLinked(DeviceLinked { device, accounts: vec![account], holder, place })
    });
    let moved =
        (one_of(&ACCOUNTS), one_of(&TOKENS), option::of(one_of(&PEOPLE)), option::of(place()));
    let moved = moved.prop_map(|(account, token, holder, place)| {
        Event::TokenMoved(TokenMoved { account, token, holder, place })
    });
    let through = (one_of(&ACCOUNTS), some_of(&ACCOUNTS, 2));
    let through = through.prop_map(|(account, mailbox_through)| {
        let forgotten = mailbox_through.is_empty().then_some(AccountField::MailboxThrough);
        let forgotten = forgotten.into_iter().collect();
        let change = AccountChanged { mailbox_through, forgotten, ..AccountChanged::of(account) };
        Event::AccountChanged(Box::new(change))
    });
    let root = (
        one_of(&ACCOUNTS),
        option::weighted(0.2, any::<bool>()),
        option::of(email()),
        option::of(phone()),
    );
    let root = root.prop_map(|(account, credentials, email, phone)| {
        Event::RootUserChanged(RootUserChanged { account, credentials, email, phone })
    });
    let ended = (select(&ACCOUNTS[..]), select(&TOKENS[..]), 0..3_u8);
    let ended = ended.prop_map(|(account, token, what)| match what {
        0 => removed(account),
        _ => unlinked(token, &[account]),
    });
    prop_oneof![8 => linked, 2 => moved, 1 => through, 1 => root, 1 => ended]
}

fn of_secrets() -> impl Strategy<Value = Event> {
    use SecretKind::{Note, Password, RecoveryCodes, Seed};
    let kind = prop_oneof![
        4 => Just(Password), 6 => Just(Seed), 2 => Just(RecoveryCodes), 1 => Just(Note)
    ];
    let of = (option::weighted(0.9, one_of(&ACCOUNTS)), option::weighted(0.4, one_of(&TOKENS)));
    let stored = (select(&SECRETS[..]), kind, of, vaults(), option::weighted(0.8, 1..4_u8));
    let stored = stored.prop_map(|(name, holds, (account, token), compartment, number)| {
        let is_seed = holds == Seed;
        let token = token.filter(|_| is_seed && account.is_some());
        let fingerprint = number.filter(|_| is_seed).map(print);
        let known = seed(name, None);
        Event::SecretStored(SecretStored {
            holds,
            account,
            token,
            compartment,
            fingerprint,
            ..known
        })
    });
    let replaced = select(&SECRETS[..]).prop_map(|name| replaced(name, 0));
    prop_oneof![4 => stored, 1 => replaced]
}

fn of_trials() -> impl Strategy<Value = Event> {
    let tried = (some_of(&ACCOUNTS, 2), outcome(), any::<bool>());
    let tried = tried.prop_map(|(accounts, outcome, mailbox)| {
        let tried = AccountsTried { accounts, outcome, remark: None };
        if mailbox { Event::MailboxTested(tried) } else { Event::PhoneTested(tried) }
    });
    let sign_in = (one_of(&ACCOUNTS), option::weighted(0.95, device()), outcome());
    let sign_in = sign_in.prop_map(|(account, device, outcome)| {
        let accounts = vec![account];
        Event::SignInProven(SignInProven {
            accounts,
            device,
            evidence: None,
            outcome,
            remark: None,
        })
    });
    let which = (option::weighted(0.7, value()), option::of(1..4_u8));
    let checked = (one_of(&ACCOUNTS), one_of(&TOKENS), outcome(), which);
    let checked = checked.prop_map(|(account, token, outcome, (secret, number))| {
        let passed = outcome == Outcome::Passed;
        Event::TotpChecked(TotpChecked {
            account,
            token,
            outcome,
            evidence: passed.then_some(Evidence::Two),
            drift_seconds: passed.then_some(0),
            fingerprint: number.map(print),
            secret,
        })
    });
    prop_oneof![3 => tried, 5 => sign_in, 5 => checked]
}

pub fn stories() -> impl Strategy<Value = Story> {
    let days = prop_oneof![12 => 0..2_u32, 1 => 2..30_u32];
    let event =
        prop_oneof![2 => of_keys(), 3 => of_accounts(), 2 => of_secrets(), 6 => of_trials()];
    let happened = (days, prop::bool::weighted(0.02), key(), event)
        .prop_map(|(days, ahead, signer, event)| Happened { days, ahead, signer, event });
    let later = prop::collection::vec(happened, 10..100);
    (founding(), accounts(), later, 0..50_u32).prop_map(|(mut founding, accounts, later, since)| {
        founding.extend(accounts);
        Story { founding, later, since }
    })
}
