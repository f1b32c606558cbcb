//! The page of three vaults, as it stands on a screen. That of a demo vault is held by a test of the
//! command.

use std::collections::BTreeMap;

use super::*;
use crate::record::{
    AccountAdded, AccountChanged, AccountsTried, Bytes, CompartmentSealed, CustodianAdded,
    DeviceLinked, DeviceName, DutiesAcknowledged, Event, Handle, Hex, IdentitySealed, KeyEnrolled,
    KeyMoved, KeyName, KeyReported, Outcome, SignInProven, Stamp, UserVerification, VaultCreated,
};
use crate::schedule::{Admitted, History};

const TODAY: &str = "2026-11-28";

fn time(day: &str) -> Time {
    format!("{day}T09:00:00Z").parse().unwrap()
}

fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

fn handles(texts: &[&str]) -> Vec<Handle> {
    texts.iter().map(|text| handle(text)).collect()
}

fn key(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn with(key: &str) -> DeviceName {
    key.parse().unwrap()
}

/// A log without signatures, and the state that it comes to.
#[derive(Default)]
struct World {
    state: State,
    entries: Vec<(Time, Vec<KeyName>, Vec<Event>)>,
}

impl World {
    /// One more entry.
    fn record(&mut self, day: &str, signers: &[&str], events: Vec<Event>) {
        let entry = u64::try_from(self.entries.len()).unwrap() + 1;
        let at = Stamp { entry, time: time(day) };
        let signers: Vec<KeyName> = signers.iter().map(|signer| key(signer)).collect();
        for event in &events {
            self.state.apply(event, at, &signers).unwrap();
        }
        for signer in &signers {
            self.state.note_signature(signer, at);
        }
        self.state.note_time(at.time);
        self.entries.push((at.time, signers, events));
    }

    /// Alice, bob and carol, whose key lies in a safe, and its PIN in another.
    fn founded(day: &str) -> Self {
        let mut world = Self::default();
        let people = ["alice", "bob", "carol"];
        let mut events = vec![Event::VaultCreated(VaultCreated {
            name: "Example Corp".parse().unwrap(),
            demo: false,
            user_verification: UserVerification::Required,
        })];
        for who in people {
            events.push(Event::CustodianAdded(CustodianAdded {
                custodian: handle(who),
                name: None,
                recipient: format!("age1{who:0>58}").parse().unwrap(),
            }));
            events.push(enrolled(&format!("{who}/primary")));
            events.push(sealed(who, "primary"));
        }
        events.push(Event::CompartmentSealed(CompartmentSealed {
            compartment: handle("seeds"),
            epoch: 1,
            recipient: format!("age1{:0>58}", "seeds").parse().unwrap(),
            members: handles(&people),
            sha256: Hex([3; 32]),
        }));
        events.push(Event::KeyMoved(KeyMoved {
            key: key("carol/primary"),
            place: Some("Safe 2".parse().unwrap()),
            pin_place: Some("Safe 3".parse().unwrap()),
        }));
        let all = ["alice/primary", "bob/primary", "carol/primary"];
        world.record(day, &all, events);
        world
    }

    /// Everybody acknowledges their duties.
    fn acknowledge(&mut self, day: &str) {
        let duties = |who: &str| {
            let duties = vec!["Keep the key.".parse().unwrap()];
            let custodian = handle(who);
            Event::DutiesAcknowledged(DutiesAcknowledged { custodian, duties })
        };
        let events = ["alice", "bob", "carol"].map(duties).to_vec();
        self.record(day, &["alice/primary", "bob/primary", "carol/primary"], events);
    }

    /// All accounts are tried: contacts, mailbox, telephone, a sign-in with each device.
    fn try_all(&mut self, day: &str, accounts: &[Handle]) {
        let tried = || AccountsTried {
            accounts: accounts.to_vec(),
            outcome: Outcome::Passed,
            remark: None,
        };
        let mut events = vec![
            Event::ContactsReviewed(tried()),
            Event::MailboxTested(tried()),
            Event::PhoneTested(tried()),
        ];
        for device in ["alice/primary", "bob/primary", "carol/primary"] {
            events.push(Event::SignInProven(SignInProven {
                accounts: accounts.to_vec(),
                device: Some(with(device)),
                evidence: None,
                outcome: Outcome::Passed,
                remark: None,
            }));
        }
        self.record(day, &["alice/primary", "bob/primary", "carol/primary"], events);
    }

    fn screen(&self) -> String {
        let now = time(TODAY);
        let admitted = self
            .entries
            .iter()
            .map(|(time, signers, events)| Admitted::plain(*time, signers, events));
        let history = History::of(admitted, now).unwrap();
        let standings = standings(&history, |_| true);
        let entry = u64::try_from(self.entries.len()).unwrap();
        screen::shown(
            &view_of(
                &self.state,
                &standings,
                now,
                Log { entry, sound: true, given_out: Some(entry - 1) },
            ),
            false,
        )
    }
}

fn enrolled(name: &str) -> Event {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    Event::KeyEnrolled(Box::new(KeyEnrolled {
        key: key(name),
        public_key: format!("sk-ssh-ed25519@openssh.com {}", STANDARD.encode(name))
            .parse()
            .unwrap(),
        credential: Bytes(name.as_bytes().to_vec()),
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

fn sealed(who: &str, slot: &str) -> Event {
    Event::IdentitySealed(IdentitySealed {
        custodian: handle(who),
        slot: handle(slot),
        generation: 1,
        sha256: Hex([1; 32]),
        plugin_sha256: (slot != "paper").then_some(Hex([2; 32])),
    })
}

/// An account of which everything is known.
fn account(name: &str, number: usize) -> AccountAdded {
    AccountAdded {
        root_email: Some(format!("aws-{name}@example.com").parse().unwrap()),
        mailbox_readers: handles(&["alice", "bob", "carol"]),
        root_phone: Some("+44 20 7946 0000".parse().unwrap()),
        phone_answerers: handles(&["bob", "carol"]),
        password_place: Some("Safe 1".parse().unwrap()),
        ..AccountAdded::of(handle(name), handle("aws"), format!("{number:012}").parse().unwrap())
    }
}

fn added(account: AccountAdded) -> Event {
    Event::AccountAdded(Box::new(account))
}

fn linked(device: &str, accounts: &[Handle]) -> Event {
    let (device, accounts) = (with(device), accounts.to_vec());
    Event::DeviceLinked(DeviceLinked { device, accounts, holder: None, place: None })
}

const TWO: &[&str] = &["alice/primary", "bob/primary"];

/// Four accounts, all of which were tried.
fn healthy() -> World {
    let mut world = World::founded("2026-09-01");
    let names = ["dev", "payments", "prod", "test"];
    let accounts = handles(&names);
    let mut events: Vec<Event> =
        names.iter().zip(1..).map(|(name, number)| added(account(name, number))).collect();
    for device in ["alice/primary", "bob/primary", "carol/primary"] {
        events.push(linked(device, &accounts));
    }
    world.record("2026-09-02", TWO, events);
    world.acknowledge("2026-09-03");
    world.try_all("2026-11-10", &accounts);
    world
}

/// Five troubles: no way in, a way that hangs on one person and one telephone, a circle, a mailbox
/// that doesn't work, and a lost key that nobody took out.
fn troubled() -> World {
    let mut world = World::founded("2026-08-20");
    world.record("2026-08-21", TWO, vec![enrolled("bob/old"), sealed("bob", "old")]);
    let prod = handles(&["prod"]);
    let unknown =
        AccountAdded::of(handle("payments"), handle("aws"), "000000000002".parse().unwrap());
    let legacy = AccountAdded {
        phone_answerers: handles(&["bob"]),
        password_place: None,
        ..account("legacy", 3)
    };
    let events = vec![
        added(account("mail", 1)),
        added(unknown),
        added(legacy),
        added(account("prod", 4)),
        linked("alice/primary", &handles(&["mail", "prod"])),
        linked("bob/old", &prod),
    ];
    world.record("2026-08-22", TWO, events);
    world.acknowledge("2026-08-23");
    let through = AccountChanged {
        mailbox_through: handles(&["mail"]),
        ..AccountChanged::of(handle("mail"))
    };
    world.record("2026-08-24", TWO, vec![Event::AccountChanged(Box::new(through))]);
    let signed_in = SignInProven {
        accounts: prod.clone(),
        device: Some(with("alice/primary")),
        evidence: None,
        outcome: Outcome::Passed,
        remark: None,
    };
    let failed = AccountsTried { accounts: prod, outcome: Outcome::Failed, remark: None };
    let tried = vec![Event::SignInProven(signed_in), Event::MailboxTested(failed)];
    world.record("2026-10-01", TWO, tried);
    let lost =
        KeyReported { key: key("bob/old"), reporter: handle("bob"), since: None, remark: None };
    world.record("2026-10-20", &["bob/primary"], vec![Event::KeyLost(lost)]);
    world
}

/// Ten thousand accounts, most of them well looked after.
fn large() -> World {
    let mut world = World::founded("2026-09-01");
    let mut by_device: BTreeMap<&str, Vec<Handle>> = BTreeMap::new();
    let mut events = Vec::new();
    let mut all = Vec::new();
    for number in 0..10_000 {
        let name = format!("account-{number:05}");
        let mut known = account(&name, number);
        match number % 1_000 {
            // Ten that nobody is recorded to read the mail of, without a password.
            7 => (known.mailbox_readers, known.password_place) = (Vec::new(), None),
            // Ten whose password was never written down.
            8 => known.password_place = None,
            // Two hundred without root credentials.
            9..29 => known.root_credentials = false,
            _ => {}
        }
        if known.root_credentials {
            for device in ["alice/primary", "bob/primary", "carol/primary"] {
                by_device.entry(device).or_default().push(known.account.clone());
            }
            all.push(known.account.clone());
        }
        events.push(added(known));
    }
    events.extend(by_device.iter().map(|(device, accounts)| linked(device, accounts)));
    world.record("2026-09-02", TWO, events);
    world.acknowledge("2026-09-03");
    world.try_all("2026-11-10", &all);
    world
}

/// Fails unless a page is what is stored, to the letter, and fits a screen.
#[track_caller]
fn is_as_stored(screen: &str, stored: &str) {
    for line in screen.lines() {
        assert!(line.chars().count() <= 80, "wider than 80 columns: {line:?}");
        assert_eq!(line, line.trim_end(), "a line ends with blanks");
    }
    assert!(screen == stored, "the page is another now:\n{screen}");
}

#[test]
fn a_healthy_vault_of_four_accounts() {
    is_as_stored(&healthy().screen(), include_str!("screens/healthy.txt"));
}

#[test]
fn a_vault_with_five_troubles() {
    is_as_stored(&troubled().screen(), include_str!("screens/troubled.txt"));
}

#[test]
fn a_vault_of_ten_thousand_accounts() {
    is_as_stored(&large().screen(), include_str!("screens/large.txt"));
}

#[test]
fn the_keys_of_a_page_are_those_that_scripts_read() {
    let world = troubled();
    let now = time(TODAY);
    let admitted =
        world.entries.iter().map(|(time, signers, events)| Admitted::plain(*time, signers, events));
    let standings = standings(&History::of(admitted, now).unwrap(), |_| true);
    let view =
        view_of(&world.state, &standings, now, Log { entry: 7, sound: true, given_out: None });
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(json["locked_out"], 1);
    assert_eq!(json["accounts"][0]["account"], "payments");
    assert_eq!(json["accounts"][0]["verdict"], "locked-out");
    assert_eq!(json["signing"]["out_of_reach"], false);
    assert_eq!(json["overdue"][0]["obligation"], "deregister bob/old prod");
    assert_eq!(json["on"], TODAY);
}
