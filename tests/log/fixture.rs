//! Logs to test with: signed by software keys, in memory, with invented files.

use std::time::Duration;

use keymuster::key::software::SoftwareKeys;
use keymuster::key::{
    Algorithm, Authenticator, DeviceId, GetAssertion, MakeCredential, TouchPrompt, UserVerification,
};
use keymuster::log::{Document, Entry, FORMAT, Fault, Head, Replay, SignedDocument, sha256};
use keymuster::record::{
    AgeRecipient, Bytes, CompartmentSealed, CustodianAdded, Event, Handle, Hex, IdentitySealed,
    KeyChecked, KeyEnrolled, KeyName, ReaderAdded, Realm, Time, UserVerification as Policy,
    VaultCreated, VaultId,
};
use keymuster::sshsig::{PublicKey, Signature, signed_data};
use keymuster::webauthn::{AuthenticatorData, CredentialId};

/// A prompt that nobody reads.
pub struct Quiet;

impl TouchPrompt for Quiet {
    fn waiting(&mut self, _left: Duration) {}
    fn over(&mut self) {}
}

/// A software key that was enrolled, or is about to be.
pub struct TestKey {
    pub name: KeyName,
    pub device: DeviceId,
    pub credential: CredentialId,
    pub public_key: PublicKey,
    pub enrolment: KeyEnrolled,
}

/// A log under construction.
pub struct TestLog {
    pub vault: VaultId,
    pub keys: SoftwareKeys,
    pub replay: Replay,
    pub entries: Vec<Entry>,
    pub seconds: u32,
}

pub fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

pub fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

/// A recipient that only looks like one: the log never encrypts.
pub fn recipient(seed: &str) -> AgeRecipient {
    format!("age1{}", &sha256(seed.as_bytes()).to_string()[..58]).parse().unwrap()
}

pub fn custodian(who: &str) -> Event {
    Event::CustodianAdded(CustodianAdded {
        custodian: handle(who),
        name: None,
        recipient: recipient(who),
    })
}

pub fn reader(who: &str) -> Event {
    Event::ReaderAdded(ReaderAdded { reader: handle(who), recipient: recipient(who), owner: None })
}

pub fn checked(key: &str) -> Event {
    Event::KeyChecked(KeyChecked { key: name(key) })
}

pub fn sealed(custodian: &str, slot: &str, generation: u32) -> Event {
    Event::IdentitySealed(IdentitySealed {
        custodian: handle(custodian),
        slot: handle(slot),
        generation,
        sha256: Hex([1; 32]),
        plugin_sha256: (slot != "paper").then_some(Hex([2; 32])),
    })
}

pub fn compartment(which: &str, epoch: u32, members: &[&str]) -> Event {
    Event::CompartmentSealed(CompartmentSealed {
        compartment: handle(which),
        epoch,
        recipient: recipient(&format!("{which} {epoch}")),
        members: members.iter().map(|member| handle(member)).collect(),
        sha256: Hex([3; 32]),
    })
}

pub fn created(demo: bool, user_verification: Policy) -> Event {
    Event::VaultCreated(VaultCreated {
        name: "Example Corp".parse().unwrap(),
        demo,
        user_verification,
    })
}

impl TestLog {
    pub fn new() -> Self {
        let vault = Hex([7; 16]);
        Self {
            vault,
            keys: SoftwareKeys::in_memory(),
            replay: Replay::new(vault),
            entries: Vec::new(),
            seconds: 0,
        }
    }

    /// Founded by alice with one key, with a reader; the key is returned.
    pub fn founded() -> (Self, TestKey) {
        let mut log = Self::new();
        let key = log.new_key("alice/primary");
        let events = vec![
            created(false, Policy::Required),
            custodian("alice"),
            key.enrolled(),
            sealed("alice", "primary", 1),
            sealed("alice", "paper", 1),
            reader("auditor"),
            compartment("records", 1, &["alice", "auditor"]),
            compartment("seeds", 1, &["alice"]),
        ];
        log.append(&[&key], events);
        (log, key)
    }

    /// Makes a software key and a signing credential on it.
    pub fn new_key(&mut self, key: &str) -> TestKey {
        self.new_key_for(key, Realm::Real.signing_application(), Algorithm::Es256)
    }

    pub fn new_key_for(&mut self, key: &str, application: &str, algorithm: Algorithm) -> TestKey {
        let key_name = name(key);
        let device = self.keys.add(&key.replace('/', "-"), Default::default()).unwrap();
        let nonce = Hex([9; 16]);
        let request = MakeCredential {
            application: application.to_owned(),
            user_name: key.to_owned(),
            challenge: KeyEnrolled::challenge(&self.vault, &key_name, &nonce),
            algorithm,
            hmac_secret: false,
            exclude: Vec::new(),
        };
        let attestation = self
            .keys
            .make_credential(&device, &request, UserVerification::BuiltIn, &mut Quiet)
            .unwrap();
        let data = AuthenticatorData::parse(&attestation.authenticator_data).unwrap();
        let credential = data.credential.unwrap();
        let public_key = PublicKey::from_credential(&credential.public_key, application).unwrap();
        let enrolment = KeyEnrolled {
            key: key_name.clone(),
            public_key: public_key.to_line().parse().unwrap(),
            credential: Bytes(credential.id.as_bytes().to_vec()),
            aaguid: Hex(credential.aaguid.0),
            product: None,
            firmware: None,
            attestation_format: attestation.format.parse().unwrap(),
            attestation_nonce: nonce,
            attestation_data: Bytes(attestation.authenticator_data),
            attestation_algorithm: attestation.algorithm,
            attestation_signature: Bytes(attestation.signature),
            attestation_certificates: Vec::new(),
        };
        TestKey { name: key_name, device, credential: credential.id, public_key, enrolment }
    }

    /// The next document, signed by nobody yet.
    pub fn document(&mut self, signers: &[&TestKey], events: Vec<Event>) -> Document {
        self.seconds += 60;
        let head = self.replay.head();
        Document {
            format: FORMAT,
            vault: self.vault,
            number: head.number + 1,
            previous: head.link,
            time: time(self.seconds),
            salt: Hex([5; 16]),
            tool: "keymuster test".parse().unwrap(),
            signers: signers.iter().map(|key| key.name.clone()).collect(),
            slips: Vec::new(),
            events,
        }
    }

    /// The armour of a key's signature over a message.
    pub fn sign(
        &mut self,
        key: &TestKey,
        namespace: &str,
        message: &str,
        verification: UserVerification<'_>,
    ) -> String {
        let request = GetAssertion {
            application: key.public_key.application().to_owned(),
            credential: key.credential.clone(),
            challenge: signed_data(namespace, message.as_bytes()),
        };
        let assertion = self.keys.sign(&key.device, &request, verification, &mut Quiet).unwrap();
        Signature::from_assertion(
            &key.public_key,
            namespace,
            &assertion.authenticator_data,
            &assertion.signature,
        )
        .unwrap()
        .to_armor()
    }

    /// An entry with genuine signatures, not admitted.
    pub fn entry(&mut self, signers: &[&TestKey], events: Vec<Event>) -> Entry {
        let document = self.document(signers, events);
        self.signed(document, signers)
    }

    /// Genuine signatures over whatever head a document makes.
    pub fn signed(&mut self, document: Document, signers: &[&TestKey]) -> Entry {
        let head: Head = self.replay.head().after(document.to_canonical().unwrap().as_bytes());
        let namespace = Realm::Real.head_namespace();
        let signatures: Vec<String> = signers
            .iter()
            .map(|key| self.sign(key, namespace, &head.to_string(), UserVerification::BuiltIn))
            .collect();
        Entry::new(&document, &signatures).unwrap()
    }

    /// A document with genuine signatures over the head that it makes where it says it stands.
    pub fn beside(
        &mut self,
        document: Document,
        signers: &[&TestKey],
        namespace: &str,
    ) -> SignedDocument {
        let (vault, number) = (document.vault, document.number.saturating_sub(1));
        let parent = Head { vault, number, link: document.previous };
        let head = parent.after(document.to_canonical().unwrap().as_bytes()).to_string();
        let sign = |key: &&TestKey| self.sign(key, namespace, &head, UserVerification::BuiltIn);
        let signatures: Vec<String> = signers.iter().map(sign).collect();
        SignedDocument::new(&document, &signatures).unwrap()
    }

    /// An entry that takes in slips, with genuine signatures, not admitted.
    pub fn collecting(
        &mut self,
        signers: &[&TestKey],
        slips: Vec<SignedDocument>,
        events: Vec<Event>,
    ) -> Entry {
        let mut document = self.document(signers, events);
        document.slips = slips.iter().map(SignedDocument::digest).collect();
        let signed = self.beside(document, signers, Realm::Real.head_namespace());
        Entry::with_slips(signed, slips).unwrap()
    }

    /// Appends an entry, which must be sound.
    pub fn append(&mut self, signers: &[&TestKey], events: Vec<Event>) {
        let entry = self.entry(signers, events);
        self.replay.admit(&entry).unwrap();
        self.entries.push(entry);
    }
}

impl TestKey {
    /// The same key under another name.
    pub fn named(&self, key: &str) -> Self {
        let enrolment = KeyEnrolled { key: name(key), ..self.enrolment.clone() };
        let (device, credential) = (self.device.clone(), self.credential.clone());
        Self { name: name(key), device, credential, public_key: self.public_key.clone(), enrolment }
    }

    pub fn enrolled(&self) -> Event {
        Event::KeyEnrolled(Box::new(self.enrolment.clone()))
    }
}

/// So many seconds after the first midnight of these logs.
pub fn time(seconds: u32) -> Time {
    let midnight: Time = "2026-11-22T00:00:00Z".parse().unwrap();
    Time::new(midnight.moment() + Duration::from_secs(seconds.into())).unwrap()
}

/// Replays entries in order, up to the first fault.
pub fn replay<'a>(
    vault: VaultId,
    entries: impl IntoIterator<Item = Result<&'a Entry, String>>,
) -> (Replay, Option<Fault>) {
    let mut replay = Replay::new(vault);
    let fault = entries.into_iter().find_map(|entry| match entry {
        Ok(entry) => replay.admit(entry).err(),
        Err(reason) => Some(replay.unreadable(reason)),
    });
    (replay, fault)
}
