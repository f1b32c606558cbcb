//! The library's way to keys on USB, as the trials ask through it: requests that name no more
//! than a trial is about, and signatures judged without the library.
//!
//! Each request runs in a helper process, which is the program under test.

use crate::keys::VirtualKey;
use crate::machine::KEYMUSTER;
use crate::run::{program, wait_until};
use keymuster::key::helper::{Deadlines, UsbKeys};
use keymuster::key::{
    Algorithm, Assertion, Attestation, Authenticator, DeviceId, DeviceInfo, GetAssertion, KeyError,
    MakeCredential, Pin, Probe, TouchPrompt, UserVerification,
};
use keymuster::webauthn::{AuthenticatorData, CosePublicKey, CredentialId, Flags};
use ring::error::Unspecified;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What the credentials are for.
pub(super) const APPLICATION: &str = "ssh:keymuster";
/// What a signature is asked for.
const CHALLENGE: &[u8] = b"SSHSIG and so on";
/// The CTAP status of a command that was called off: CTAP2_ERR_KEEPALIVE_CANCEL.
const CANCELLED: u8 = 0x2d;

/// All keys, with the deadlines that custodians have, and never interrupted.
pub(super) fn keys() -> UsbKeys {
    interruptible(Arc::default())
}

/// The same, with deadlines of a trial's own.
pub(super) fn impatient(deadlines: Deadlines) -> UsbKeys {
    keys().with_deadlines(deadlines)
}

/// All keys, until `interrupt` is set.
pub(super) fn interruptible(interrupt: Arc<AtomicBool>) -> UsbKeys {
    UsbKeys::new(KEYMUSTER.into(), interrupt)
}

/// What the library calls a key.
pub(super) fn device(key: &VirtualKey) -> DeviceId {
    DeviceId(key.device().to_owned())
}

/// A PIN that some key could have.
pub(super) fn pin(text: &str) -> Pin {
    Pin::take_from(&mut text.to_owned()).expect("a fit PIN")
}

/// Gives a key its first PIN.
#[track_caller]
pub(super) fn give_pin(key: &VirtualKey, text: &str) -> Pin {
    keys().set_pin(&device(key), &pin(text)).expect("the key takes a PIN");
    pin(text)
}

/// What a prompt was told.
#[derive(Default)]
pub(super) struct Told {
    /// The time left, each time it was told that the key waits.
    pub(super) waiting: Vec<Duration>,
    /// How often it was told that a wait is over.
    pub(super) over: usize,
}

impl Told {
    /// Whether there was one wait, and it ended.
    pub(super) fn one_wait(&self) -> bool {
        !self.waiting.is_empty() && self.over == 1
    }
}

impl TouchPrompt for Told {
    fn waiting(&mut self, left: Duration) {
        assert_eq!(self.over, 0, "a wait after its end");
        self.waiting.push(left);
    }

    fn over(&mut self) {
        self.over += 1;
    }
}

/// A request for a credential.
pub(super) fn make(algorithm: Algorithm) -> MakeCredential {
    MakeCredential {
        application: APPLICATION.to_owned(),
        user_name: "alice".to_owned(),
        challenge: b"a challenge".to_vec(),
        algorithm,
        hmac_secret: false,
        exclude: Vec::new(),
    }
}

/// A request for a silent answer by one of these credentials.
pub(super) fn silent(credentials: Vec<CredentialId>) -> Probe {
    Probe { application: APPLICATION.to_owned(), credentials, challenge: [7; 32] }
}

/// The id of a credential that no key holds.
pub(super) fn stranger(byte: u8) -> CredentialId {
    CredentialId::new([byte; 112]).expect("a credential id")
}

/// Asks a key what it can do.
pub(super) fn info(keys: &mut UsbKeys, key: &VirtualKey) -> Result<DeviceInfo, KeyError> {
    keys.info(&device(key))
}

/// Asks a key for a credential, whatever the prompt is told.
pub(super) fn enrol_with(
    keys: &mut UsbKeys,
    key: &VirtualKey,
    request: &MakeCredential,
    verification: UserVerification<'_>,
) -> Result<Attestation, KeyError> {
    keys.make_credential(&device(key), request, verification, &mut Told::default())
}

/// A credential that a key made.
pub(super) struct Credential {
    pub(super) id: CredentialId,
    pub(super) public_key: CosePublicKey,
}

impl Credential {
    /// The credential in an attestation.
    #[track_caller]
    pub(super) fn of(made: &Attestation) -> Self {
        let data = AuthenticatorData::parse(&made.authenticator_data).expect("data of a key");
        let credential = data.credential.expect("an enrolment brings a credential");
        Self { id: credential.id, public_key: credential.public_key }
    }

    /// Makes one on an honest key, for a PIN if there is one.
    #[track_caller]
    pub(super) fn enrol(key: &VirtualKey, pin: Option<&Pin>) -> Self {
        Self::enrol_as(key, &make(Algorithm::Es256), pin)
    }

    /// Makes one as it was asked for.
    #[track_caller]
    pub(super) fn enrol_as(key: &VirtualKey, request: &MakeCredential, pin: Option<&Pin>) -> Self {
        let made = enrol_with(&mut keys(), key, request, by(pin));
        Self::of(&made.expect("an honest key enrols"))
    }

    /// Asks the key to sign.
    pub(super) fn sign(
        &self,
        keys: &mut UsbKeys,
        device: &DeviceId,
        verification: UserVerification<'_>,
        told: &mut Told,
    ) -> Result<Assertion, KeyError> {
        let request = GetAssertion {
            application: APPLICATION.to_owned(),
            credential: self.id.clone(),
            challenge: CHALLENGE.to_vec(),
        };
        keys.sign(device, &request, verification, told)
    }

    /// Asks the key to sign without a PIN, with the usual deadlines.
    pub(super) fn sign_now(&self, key: &VirtualKey) -> Result<Assertion, KeyError> {
        self.sign(&mut keys(), &device(key), UserVerification::Omitted, &mut Told::default())
    }

    /// Whether this is the credential's signature over what [`Credential::sign`] asks for.
    pub(super) fn signed(&self, assertion: &Assertion) -> bool {
        self.signed_over(CHALLENGE, assertion)
    }

    /// Whether this is the credential's signature over the challenge.
    pub(super) fn signed_over(&self, challenge: &[u8], assertion: &Assertion) -> bool {
        let data = &assertion.authenticator_data;
        verify(&self.public_key, data, challenge, &assertion.signature).is_ok()
    }

    /// Fails unless the key signs, and rightly.
    #[track_caller]
    pub(super) fn assert_works(&self, key: &VirtualKey) {
        let assertion = self.sign_now(key).expect("the key signs");
        assert!(self.signed(&assertion));
    }
}

/// With the PIN if there is one.
pub(super) fn by(pin: Option<&Pin>) -> UserVerification<'_> {
    pin.map_or(UserVerification::Omitted, UserVerification::Pin)
}

/// Verifies what a key signs: the authenticator data and the hash of the challenge.
pub(super) fn verify(
    key: &CosePublicKey,
    data: &[u8],
    challenge: &[u8],
    signature: &[u8],
) -> Result<(), Unspecified> {
    let hash = ring::digest::digest(&ring::digest::SHA256, challenge);
    let signed = [data, hash.as_ref()].concat();
    match key {
        CosePublicKey::Ed25519(point) => {
            UnparsedPublicKey::new(&ED25519, point).verify(&signed, signature)
        }
        CosePublicKey::P256 { x, y } => {
            let point = [&[4][..], x, y].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(&signed, signature)
        }
    }
}

/// The flags of authenticator data.
#[track_caller]
pub(super) fn flags(data: &[u8]) -> Flags {
    AuthenticatorData::parse(data).expect("data of a key").flags
}

/// Whether all helper processes have ended.
pub(super) fn no_helper_runs() -> bool {
    !program("ps", &["-o", "args"]).run().expect_success().contains("key-helper")
}

/// Fails unless the key was told to stop waiting, and did.
#[track_caller]
pub(super) fn assert_called_off(key: &VirtualKey) {
    wait_until("the key is quiet", || key.quiet());
    assert!(!key.events("cancel").is_empty());
    let last = key.events("command").pop().map(|command| command["status"].clone());
    assert_eq!(last, Some(CANCELLED.into()));
}
