//! What it costs to find every loss of one thing and of two, on a vault of 10,000 accounts, 100
//! custodians, 300 keys and 50 places, and how that grows with the number of accounts.
//!
//! Printed are ratios, not times: how many times as long it takes as telling once whether there is a
//! way into each account, which is what a search by trial would do for each loss and each two.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench looks at the clock, prints, and fails by panicking"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keymuster::record::{
    AccountAdded, AccountChanged, Bytes, CompartmentSealed, CustodianAdded, DeviceLinked,
    DeviceName, Event, Handle, Hex, IdentitySealed, KeyEnrolled, KeyMoved, KeyName, MembersChosen,
    SecretKind, SecretStored, Stamp, State, Time, UserVerification, VaultCreated,
};
use keymuster::recovery::{Basis, Loss, Recovery};

const CUSTODIANS: usize = 100;
const PLACES: usize = 50;
const COMPARTMENTS: usize = 20;
const ACCOUNTS: usize = 10_000;
/// How often each is timed; the shortest counts.
const ROUNDS: usize = 5;

/// Numbers that look random and are the same each time (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn people(&mut self, many: usize) -> Vec<Handle> {
        let all: BTreeSet<Handle> = (0..many).map(|_| custodian(self.roll(CUSTODIANS))).collect();
        all.into_iter().collect()
    }

    fn key(&mut self) -> KeyName {
        key(self.roll(CUSTODIANS), self.roll(3))
    }
}

fn custodian(number: usize) -> Handle {
    format!("custodian-{number:03}").parse().unwrap()
}

fn key(owner: usize, number: usize) -> KeyName {
    format!("custodian-{owner:03}/key-{number}").parse().unwrap()
}

fn compartment(number: usize) -> Handle {
    format!("compartment-{number}").parse().unwrap()
}

fn place(number: usize) -> keymuster::record::Line {
    format!("Safe {number}").parse().unwrap()
}

fn recipient(of: &str) -> keymuster::record::AgeRecipient {
    format!("age1{:0>58}", of.replace('-', "0")).parse().unwrap()
}

fn founded() -> Vec<Event> {
    let mut events = vec![Event::VaultCreated(VaultCreated {
        name: "Example Corp".parse().unwrap(),
        demo: false,
        user_verification: UserVerification::Required,
    })];
    for owner in 0..CUSTODIANS {
        let who = custodian(owner);
        let recipient = recipient(who.as_str());
        events.push(Event::CustodianAdded(CustodianAdded {
            custodian: who.clone(),
            name: None,
            recipient,
        }));
        for number in 0..3 {
            events.push(enrolled(&key(owner, number)));
            events.push(Event::IdentitySealed(IdentitySealed {
                custodian: who.clone(),
                slot: key(owner, number).label,
                generation: 1,
                sha256: Hex([1; 32]),
                plugin_sha256: Some(Hex([2; 32])),
            }));
        }
    }
    events
}

fn enrolled(name: &KeyName) -> Event {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let public_key = format!("sk-ssh-ed25519@openssh.com {}", STANDARD.encode(name.to_string()));
    Event::KeyEnrolled(Box::new(KeyEnrolled {
        key: name.clone(),
        public_key: public_key.parse().unwrap(),
        credential: Bytes(name.to_string().into_bytes()),
        aaguid: Hex([0; 16]),
        product: None,
        firmware: None,
        attestation_format: "none".parse().unwrap(),
        attestation_nonce: Hex([9; 16]),
        attestation_data: Bytes(Vec::new()),
        attestation_algorithm: None,
        attestation_signature: Bytes(Vec::new()),
        attestation_certificates: Vec::new(),
    }))
}

/// A vault with so many accounts.
fn vault(accounts: usize) -> State {
    let mut dice = Dice(7);
    let mut events = founded();
    for number in 0..COMPARTMENTS {
        let mut members = dice.people(5);
        members.sort();
        let name = compartment(number);
        events.push(Event::MembersChosen(MembersChosen {
            compartment: name.clone(),
            members: members.clone(),
        }));
        events.push(Event::CompartmentSealed(CompartmentSealed {
            recipient: recipient(name.as_str()),
            compartment: name,
            epoch: 1,
            members,
            sha256: Hex([3; 32]),
        }));
    }
    for owner in 0..CUSTODIANS {
        // The third key of each lies in a safe, and its PIN in another.
        events.push(Event::KeyMoved(KeyMoved {
            key: key(owner, 2),
            place: Some(place(dice.roll(PLACES))),
            pin_place: Some(place(dice.roll(PLACES))),
        }));
    }
    for number in 0..accounts {
        events.extend(account(number, &mut dice));
    }
    let mut state = State::default();
    let time: Time = "2026-11-28T12:00:00Z".parse().unwrap();
    let at = Stamp { entry: 1, time };
    for event in &events {
        state.apply(event, at, &[]).unwrap();
    }
    state
}

fn account(number: usize, dice: &mut Dice) -> Vec<Event> {
    let handle: Handle = format!("account-{number:05}").parse().unwrap();
    let domain = dice.roll(5);
    let in_custody = dice.roll(3) == 0;
    let added = AccountAdded {
        root_email: Some(format!("aws-{number}@mail{domain}.example").parse().unwrap()),
        mailbox_readers: dice.people(3),
        root_phone: Some(format!("+4420794{:05}", dice.roll(100)).parse().unwrap()),
        phone_answerers: dice.people(2),
        // Of some it isn't on record.
        password_place: (!in_custody && dice.roll(20) > 0).then(|| place(dice.roll(PLACES))),
        ..AccountAdded::of(
            handle.clone(),
            "aws".parse().unwrap(),
            format!("{number:012}").parse().unwrap(),
        )
    };
    let mut events = vec![Event::AccountAdded(Box::new(added))];
    if in_custody {
        events.push(Event::SecretStored(SecretStored {
            secret: handle.clone(),
            holds: SecretKind::Password,
            account: Some(handle.clone()),
            token: None,
            compartment: compartment(dice.roll(COMPARTMENTS)),
            epoch: 1,
            sha256: Hex([4; 32]),
            fingerprint: None,
        }));
    }
    let keys: BTreeSet<KeyName> = (0..1 + dice.roll(3)).map(|_| dice.key()).collect();
    for key in keys {
        let (device, accounts) = (DeviceName::Key(key), vec![handle.clone()]);
        let linked = DeviceLinked { device, accounts, holder: None, place: None };
        events.push(Event::DeviceLinked(linked));
    }
    if number > 0 && dice.roll(10) == 0 {
        // Some mailboxes are run in another account, and a few of those go round in circles.
        let other = format!("account-{:05}", dice.roll(number)).parse().unwrap();
        let through = AccountChanged { mailbox_through: vec![other], ..AccountChanged::of(handle) };
        events.push(Event::AccountChanged(Box::new(through)));
    }
    events
}

fn shortest(mut what: impl FnMut()) -> Duration {
    let timed = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        what();
        begun.elapsed()
    });
    timed.min().unwrap()
}

fn main() {
    // `cargo test --benches` asks whether it runs at all.
    let sizes = [ACCOUNTS / 8, ACCOUNTS / 4, ACCOUNTS / 2, ACCOUNTS];
    let now: Time = "2026-11-28T12:00:00Z".parse().unwrap();
    println!("accounts  things  losses of one  of two   x one look   x the half");
    let mut before: Option<Duration> = None;
    for accounts in sizes {
        let state = vault(accounts);
        let recovery = Recovery::of(&state, now);
        let nothing = BTreeSet::new();
        let one_look = shortest(|| {
            std::hint::black_box(recovery.without(Basis::Record, &nothing));
        });
        let mut found = recovery.losses(Basis::Record, true, |_| true);
        let all = shortest(|| found = recovery.losses(Basis::Record, true, |_| true));
        let ones = found.by.keys().filter(|loss| matches!(loss, Loss::One(_))).count();
        let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
        println!(
            "{accounts:>8}  {:>6}  {ones:>13}  {:>6}  {:>10.1}  {:>10}",
            recovery.elements().len(),
            found.by.len() - ones,
            ratio(all, one_look),
            before.map_or("-".to_owned(), |half| format!("{:.2}", ratio(all, half))),
        );
        before = Some(all);
        let things = recovery.elements().len() as f64;
        if accounts == ACCOUNTS {
            println!(
                "by trial each of {things} things and each two of them would take {:.0} looks",
                things + things * (things - 1.0) / 2.0
            );
        }
    }
}
