//! Records of what happened on which day, without signatures: who may sign what is judged elsewhere.

use keymuster::record::{
    AccountAdded, AccountChanged, Bytes, DeviceLinked, Event, Handle, Hex, KeyEnrolled, KeyName,
    Outcome, Rejection, SecretKind, SecretStored, Stamp, State, Time, UserVerification,
};
use keymuster::recovery::{Basis, Loss, Recovery, Target};

use super::super::accounts::tried;
use super::super::fixture::{
    compartment, created, custodian, handle, name, recipient, sealed, time,
};
use super::super::people::line;
use super::super::secrets::seed;

const DAY: u32 = 86_400;

pub struct Records {
    pub state: State,
    entry: u64,
    day: u32,
    now: Time,
}

impl Records {
    /// The records of a vault that has nothing yet.
    pub fn new() -> Self {
        let mut records = Self { state: State::default(), entry: 0, day: 0, now: time(0) };
        records.does(vec![created(false, UserVerification::Required)]);
        records
    }

    /// The records of a vault of the owners of these keys, which hold their identities.
    pub fn of(keys: &[&str]) -> Self {
        let mut records = Self::new();
        let mut owners: Vec<Handle> = keys.iter().map(|key| name(key).owner).collect();
        owners.dedup();
        let owners: Vec<&str> = owners.iter().map(Handle::as_str).collect();
        let mut events: Vec<Event> = owners.iter().map(|owner| custodian(owner)).collect();
        for key in keys {
            let (owner, label) = key.split_once('/').unwrap();
            events.extend([enrolled(key), sealed(owner, label, 1)]);
        }
        events.push(compartment("seeds", 1, &owners));
        records.does(events);
        records
    }

    /// What follows happens on this day.
    pub fn on(&mut self, day: u32) -> &mut Self {
        self.day = day;
        self
    }

    /// An entry of what must be possible, which nobody signs.
    pub fn does(&mut self, events: Vec<Event>) {
        self.entry += 1;
        for event in events {
            assert_eq!(self.happens(&event), Ok(()), "{event:?}");
        }
        self.state.note_time(self.now);
    }

    /// An entry of one event, if it is possible; and a key signs, if it may.
    pub fn may(&mut self, event: &Event, signer: Option<&KeyName>) -> bool {
        self.entry += 1;
        let outcome = self.happens(event);
        let signer = signer.filter(|signer| self.state.active_key(signer).is_some());
        if let Some(signer) = signer.cloned() {
            self.state.note_signature(&signer, self.stamp());
        }
        self.state.note_time(self.now);
        outcome.is_ok()
    }

    /// A key signs an entry.
    pub fn signs(&mut self, key: &str) {
        self.entry += 1;
        self.now = self.noon();
        self.state.note_signature(&name(key), self.stamp());
        self.state.note_time(self.now);
    }

    fn happens(&mut self, event: &Event) -> Result<(), Rejection> {
        self.now = self.noon();
        self.state.apply(event, self.stamp(), &[])
    }

    fn stamp(&self) -> Stamp {
        Stamp { entry: self.entry, time: self.now }
    }

    pub fn entry(&self) -> u64 {
        self.entry
    }

    pub fn noon(&self) -> Time {
        noon(self.day)
    }
}

pub fn noon(day: u32) -> Time {
    time(day * DAY + DAY / 2)
}

/// The enrolment of a key that nobody has: any text of the right form will do.
pub fn enrolled(key: &str) -> Event {
    let public_key = Bytes(key.as_bytes().to_vec());
    Event::KeyEnrolled(Box::new(KeyEnrolled {
        key: name(key),
        public_key: format!("sk-ssh-ed25519@openssh.com {public_key}").parse().unwrap(),
        credential: public_key.clone(),
        aaguid: Hex([0; 16]),
        product: None,
        firmware: None,
        attestation_format: "none".parse().unwrap(),
        attestation_nonce: Hex([9; 16]),
        attestation_data: public_key,
        attestation_algorithm: None,
        attestation_signature: Bytes::default(),
        attestation_certificates: Vec::new(),
    }))
}

/// What of an event depends on what was before is made to fit: its numbers, who has a key, who
/// belongs to a compartment, what there is to be tried. So most of what is drawn can happen.
pub fn fitted(records: &Records, mut event: Event) -> Event {
    let state = &records.state;
    let epoch =
        |name: &Handle| state.compartments().get(name).map_or(0, |known| known.sealing.epoch);
    match &mut event {
        Event::IdentitySealed(event) => {
            let slot = KeyName { owner: event.custodian.clone(), label: event.slot.clone() };
            let known = state.identities().get(&slot);
            event.generation = known.map_or(0, |known| known.sealing.generation) + 1;
        }
        Event::RecipientChanged(event) => {
            event.recipient = recipient(&format!("{} {}", event.custodian, records.entry()));
        }
        Event::CompartmentSealed(event) => {
            event.members = state.members_of(&event.compartment).unwrap_or_default();
            event.epoch = epoch(&event.compartment) + 1;
            event.recipient = recipient(&format!("{} {}", event.compartment, records.entry()));
        }
        Event::KeyHandedOver(event) => {
            if let Some(key) = state.keys().get(&event.key) {
                event.giver.clone_from(&key.holder);
            }
        }
        Event::SecretStored(event) => event.epoch = epoch(&event.compartment),
        Event::SecretReplaced(event) => {
            let known = state.secrets().get(&event.secret);
            event.generation = known.map_or(0, |known| known.generations.len() as u32) + 1;
            event.epoch = epoch(&event.compartment);
            let is_seed = known.is_some_and(|known| known.kind == SecretKind::Seed);
            event.fingerprint = event.fingerprint.filter(|_| is_seed);
        }
        Event::MailboxTested(event) => event.accounts.retain(|account| {
            state.accounts().get(account).is_some_and(|known| known.root.email.is_some())
        }),
        Event::PhoneTested(event) => event.accounts.retain(|account| {
            state.accounts().get(account).is_some_and(|known| known.root.phone.is_some())
        }),
        Event::SignInProven(event) => {
            // With a device that is registered, if there is one.
            let account = event.accounts.first().and_then(|first| state.accounts().get(first));
            if let (Some(account), Some(device)) = (account, &mut event.device)
                && !account.devices.contains_key(device)
                && let Some(other) = account.devices.keys().next_back()
            {
                device.clone_from(other);
            }
        }
        Event::TotpChecked(event) => {
            // Of a seed in custody: its first value, or the present one.
            let seeds = state.secrets().iter().filter(|(_, known)| known.kind == SecretKind::Seed);
            let seeds: Vec<_> = seeds.collect();
            if let Some(value) = &mut event.secret
                && let Some((name, known)) =
                    seeds.iter().find(|(name, _)| **name >= value.secret).or(seeds.first())
            {
                value.secret.clone_from(name);
                value.generation = value.generation.min(known.generations.len() as u32);
                let seed = known.generation(value.generation);
                event.fingerprint = seed.and_then(|seed| seed.fingerprint);
                event.account = known.account.clone().unwrap_or(event.account.clone());
                event.token = known.token.clone().unwrap_or(event.token.clone());
            }
        }
        _ => {}
    }
    event
}

pub fn handles(names: &[&str]) -> Vec<Handle> {
    names.iter().map(|name| handle(name)).collect()
}

/// What a target is called.
pub fn named(target: &Target) -> String {
    match target {
        Target::Account(handle) => handle.to_string(),
        Target::Compartment(name) => format!("compartment {name}"),
        Target::Signing => "signing".to_owned(),
    }
}

impl Records {
    pub fn recovery(&self) -> Recovery {
        Recovery::of(&self.state, self.noon())
    }

    /// The losses, of one and of two, that put something out of reach on the present day.
    pub fn losses(&self, of: &str, basis: Basis) -> String {
        let recovery = self.recovery();
        let losses = recovery.losses(basis, true, |target| named(target) == of);
        assert_eq!(losses.targets, 1, "there is no {of}");
        if !losses.gone.is_empty() {
            return "gone".to_owned();
        }
        let text = |loss: &Loss| {
            let known = loss.elements().into_iter().filter_map(|id| recovery.elements().get(id));
            let mut elements: Vec<String> = known.map(ToString::to_string).collect();
            elements.sort();
            elements.join(" + ")
        };
        let mut all: Vec<String> = losses.by.keys().map(text).collect();
        all.sort();
        all.join(", ")
    }

    pub fn on_record(&self, of: &str) -> String {
        self.losses(of, Basis::Record)
    }

    pub fn proven(&self, of: &str) -> String {
        self.losses(of, Basis::Proven)
    }
}

/// An account of AWS, of which no more is known than that.
pub fn aws(account: &str) -> AccountAdded {
    let number = account.bytes().fold(0, |number, byte| number * 31 + u64::from(byte));
    AccountAdded::of(handle(account), handle("aws"), format!("{number:012}").parse().unwrap())
}

pub fn added(account: AccountAdded) -> Event {
    Event::AccountAdded(Box::new(account))
}

/// A token with whoever has it, or in a place, or nowhere.
pub fn token(token: &str, account: &str, holder: Option<&str>, place: Option<&str>) -> Event {
    Event::DeviceLinked(DeviceLinked {
        device: token.parse().unwrap(),
        accounts: handles(&[account]),
        holder: holder.map(handle),
        place: place.map(line),
    })
}

/// Something of an account comes into custody, in the first epoch of a compartment.
pub fn kept(name: &str, holds: SecretKind, account: &str, compartment: &str) -> Event {
    let known = seed(name, Some(account));
    let fingerprint = known.fingerprint.filter(|_| holds == SecretKind::Seed);
    let compartment = handle(compartment);
    Event::SecretStored(SecretStored { holds, fingerprint, compartment, ..known })
}

pub fn mailbox_tested(account: &str, outcome: Outcome) -> Event {
    Event::MailboxTested(tried(&[account], outcome))
}

pub fn phone_tested(account: &str, outcome: Outcome) -> Event {
    Event::PhoneTested(tried(&[account], outcome))
}

/// The accounts without which a mailbox can't be read.
pub fn through(account: &str, others: &[&str]) -> Event {
    let mailbox_through = handles(others);
    let change = AccountChanged { mailbox_through, ..AccountChanged::of(handle(account)) };
    Event::AccountChanged(Box::new(change))
}
