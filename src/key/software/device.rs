//! One key made of software: what it keeps, and how it answers.

use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::encode::{self, NewCredential, USER_PRESENT, USER_VERIFIED};
use super::{AAGUID, Model, Verification};
use crate::key::{
    Algorithm, Assertion, Attestation, DeviceInfo, GetAssertion, GetHmacSecret, KeyError,
    MakeCredential, Pin, Probe, ProbeAnswer, UserVerification,
};
use crate::webauthn::{CredentialId, HmacSecretOutput};

/// Credentials that one key holds at most.
pub(super) const MAX_CREDENTIALS: usize = 64;
/// PIN attempts before the key locks itself (CTAP 2.1, 6.5.2.3: `maxPinRetries`).
const PIN_RETRIES: u32 = 8;
/// Wrong PINs in a row after which the key wants to be plugged in anew (CTAP 2.1, 6.5.5.7).
const WRONG_PINS_IN_A_ROW: u32 = 3;
/// CTAP2_ERR_KEY_STORE_FULL (CTAP 2.1, 8.2).
const KEY_STORE_FULL: u8 = 0x28;

/// The private key of one credential: a seed of 32 bytes for EdDSA, PKCS #8 for ES256.
pub(super) struct PrivateKey(pub(super) Zeroizing<Vec<u8>>);

/// `CredRandomWithUV` and `CredRandomWithoutUV` (CTAP 2.1, 12.5).
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct CredRandom {
    pub(super) with_uv: [u8; 32],
    pub(super) without_uv: [u8; 32],
}

pub(super) struct Credential {
    pub(super) id: CredentialId,
    pub(super) application: String,
    pub(super) algorithm: Algorithm,
    pub(super) private_key: PrivateKey,
    /// Absent when `hmac-secret` wasn't asked for.
    pub(super) cred_random: Option<CredRandom>,
}

/// A PIN as the key keeps it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct StoredPin {
    pub(super) salt: [u8; 16],
    /// SHA-256 of the salt and the PIN.
    pub(super) hash: [u8; 32],
    #[zeroize(skip)]
    pub(super) retries: u32,
}

/// What a key keeps while it is unplugged.
pub(super) struct SoftwareKey {
    pub(super) model: Model,
    pub(super) counter: u32,
    pub(super) pin: Option<StoredPin>,
    pub(super) credentials: Vec<Credential>,
    /// Whether there is something to keep that wasn't kept yet.
    pub(super) changed: bool,
}

/// Asks the user to touch the key; made anew for each request.
pub(super) type AskForTouch<'a> = &'a mut dyn FnMut() -> Result<(), KeyError>;

impl SoftwareKey {
    pub(super) fn new(model: Model) -> Self {
        Self { model, counter: 0, pin: None, credentials: Vec::new(), changed: true }
    }

    pub(super) fn info(&self) -> DeviceInfo {
        let mut options = vec![("rk", false), ("up", true)];
        match self.model.verification {
            Verification::BuiltIn => options.push(("uv", true)),
            Verification::Pin => options.push(("clientPin", self.pin.is_some())),
        }
        if self.model.always_uv {
            options.push(("alwaysUv", true));
        }
        let mut algorithms = vec![Algorithm::Es256.cose()];
        if self.model.ed_dsa {
            algorithms.push(Algorithm::EdDsa.cose());
        }
        let has_pins = self.model.verification == Verification::Pin;
        DeviceInfo {
            versions: vec!["FIDO_2_0".to_owned(), "FIDO_2_1".to_owned()],
            extensions: if self.model.hmac_secret {
                vec!["hmac-secret".to_owned()]
            } else {
                Vec::new()
            },
            aaguid: AAGUID,
            options: options.into_iter().map(|(name, on)| (name.to_owned(), on)).collect(),
            algorithms,
            pin_protocols: if has_pins { vec![2, 1] } else { Vec::new() },
            min_pin_length: 4,
            force_pin_change: false,
            firmware: Some(1),
            pin_retries: self.pin.as_ref().map(|pin| pin.retries),
        }
    }

    pub(super) fn probe(&mut self, probe: &Probe) -> Result<ProbeAnswer, KeyError> {
        if self.model.always_uv {
            return Ok(ProbeAnswer::WontSay);
        }
        let held = probe.credentials.iter().find(|id| self.find(&probe.application, id).is_ok());
        let Some(id) = held.cloned() else { return Ok(ProbeAnswer::HoldsNone) };
        let assertion = self.assert(&probe.application, &id, &probe.challenge, 0)?;
        Ok(ProbeAnswer::Holds(id, assertion))
    }

    pub(super) fn make_credential(
        &mut self,
        request: &MakeCredential,
        verification: UserVerification<'_>,
        wrong_pins: &mut u32,
        touch: AskForTouch<'_>,
    ) -> Result<Attestation, KeyError> {
        if request.algorithm == Algorithm::EdDsa && !self.model.ed_dsa {
            return Err(KeyError::Unsupported("credentials of this algorithm"));
        }
        if request.hmac_secret && !self.model.hmac_secret {
            return Err(KeyError::Unsupported("hmac-secret"));
        }
        let verified = self.verify_user(verification, wrong_pins)?;
        if verified == 0 && (self.pin.is_some() || self.model.verifies_by_itself()) {
            // CTAP 2.1, 6.1.2 step 6: a key that can verify its user does so here.
            return Err(KeyError::PinRequired);
        }
        // CTAP 2.1, 6.1.2 step 12: a touch comes first, so that nobody learns silently
        // what a key holds.
        touch()?;
        if request.exclude.iter().any(|id| self.find(&request.application, id).is_ok()) {
            return Err(KeyError::Excluded);
        }
        if self.credentials.len() >= MAX_CREDENTIALS {
            return Err(KeyError::Status(KEY_STORE_FULL));
        }

        let (private_key, public_key) = generate(request.algorithm)?;
        let id = CredentialId::new(random::<32>()?).ok_or_else(broken)?;
        let cred_random = if request.hmac_secret {
            Some(CredRandom { with_uv: random()?, without_uv: random()? })
        } else {
            None
        };
        let credential = Credential {
            id,
            application: request.application.clone(),
            algorithm: request.algorithm,
            private_key,
            cred_random,
        };
        let counter = self.next_count();
        let new = NewCredential {
            aaguid: AAGUID.0,
            id: credential.id.as_bytes(),
            algorithm: credential.algorithm,
            public_key: &public_key,
            hmac_secret: request.hmac_secret,
        };
        let flags = USER_PRESENT | verified;
        let data = encode::enrolment_data(&request.application, flags, counter, &new);
        let signature = credential.sign(&data, &request.challenge)?;
        self.credentials.push(credential);
        Ok(Attestation {
            format: "packed".to_owned(),
            authenticator_data: data,
            algorithm: Some(request.algorithm.cose()),
            signature,
            certificates: Vec::new(),
        })
    }

    pub(super) fn sign(
        &mut self,
        request: &GetAssertion,
        verification: UserVerification<'_>,
        wrong_pins: &mut u32,
        touch: AskForTouch<'_>,
    ) -> Result<Assertion, KeyError> {
        let verified = self.verify_user(verification, wrong_pins)?;
        self.find(&request.application, &request.credential)?;
        touch()?;
        let flags = USER_PRESENT | verified;
        self.assert(&request.application, &request.credential, &request.challenge, flags)
    }

    pub(super) fn hmac_secret(
        &mut self,
        request: &GetHmacSecret,
        verification: UserVerification<'_>,
        wrong_pins: &mut u32,
        touch: AskForTouch<'_>,
    ) -> Result<HmacSecretOutput, KeyError> {
        let verified = self.verify_user(verification, wrong_pins)?;
        let credential = self.find(&request.application, &request.credential)?;
        let Some(secrets) = &credential.cred_random else {
            return Err(KeyError::Unsupported("hmac-secret with this credential"));
        };
        touch()?;
        let secret = if verified == 0 { &secrets.without_uv } else { &secrets.with_uv };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let mut both = [0; 64];
        let salts = [request.salts.first, request.salts.second];
        for (half, salt) in both.chunks_exact_mut(32).zip(salts) {
            half.copy_from_slice(hmac::sign(&key, &salt).as_ref());
        }
        self.next_count();
        Ok(HmacSecretOutput::take_from(&mut both))
    }

    pub(super) fn set_pin(&mut self, pin: &Pin) -> Result<(), KeyError> {
        if self.model.verification != Verification::Pin {
            return Err(KeyError::Unsupported("a PIN"));
        }
        if self.pin.is_some() {
            return Err(KeyError::PinAlreadySet);
        }
        let salt = random()?;
        self.changed = true;
        self.pin = Some(StoredPin { salt, hash: pin_hash(&salt, pin), retries: PIN_RETRIES });
        Ok(())
    }

    /// The flag UV if the user was verified, otherwise 0.
    fn verify_user(
        &mut self,
        verification: UserVerification<'_>,
        wrong_pins: &mut u32,
    ) -> Result<u8, KeyError> {
        match verification {
            UserVerification::Omitted if self.model.always_uv => Err(KeyError::PinRequired),
            UserVerification::Omitted => Ok(0),
            UserVerification::BuiltIn if self.model.verifies_by_itself() => Ok(USER_VERIFIED),
            UserVerification::BuiltIn => {
                Err(KeyError::Unsupported("verifying its user without a PIN"))
            }
            UserVerification::Pin(pin) => {
                let stored = self.pin.as_mut().ok_or(KeyError::PinNotSet)?;
                self.changed = true;
                stored.check(pin, wrong_pins).map(|()| USER_VERIFIED)
            }
        }
    }

    fn find(&self, application: &str, id: &CredentialId) -> Result<&Credential, KeyError> {
        self.credentials
            .iter()
            .find(|held| held.application == application && held.id == *id)
            .ok_or(KeyError::NoSuchCredential)
    }

    fn assert(
        &mut self,
        application: &str,
        id: &CredentialId,
        challenge: &[u8],
        flags: u8,
    ) -> Result<Assertion, KeyError> {
        let counter = self.next_count();
        let authenticator_data = encode::assertion_data(application, flags, counter);
        let signature = self.find(application, id)?.sign(&authenticator_data, challenge)?;
        Ok(Assertion { authenticator_data, signature })
    }

    fn next_count(&mut self) -> u32 {
        self.changed = true;
        self.counter = self.counter.saturating_add(1);
        self.counter
    }
}

impl StoredPin {
    /// Counts as CTAP 2.1, 6.5.5.7 counts: the attempt is spent before the PIN is looked at.
    fn check(&mut self, pin: &Pin, wrong_pins: &mut u32) -> Result<(), KeyError> {
        if self.retries == 0 {
            return Err(KeyError::PinLocked);
        }
        if *wrong_pins >= WRONG_PINS_IN_A_ROW {
            return Err(KeyError::PinPaused);
        }
        self.retries = self.retries.saturating_sub(1);
        if pin_hash(&self.salt, pin) == self.hash {
            self.retries = PIN_RETRIES;
            *wrong_pins = 0;
            return Ok(());
        }
        *wrong_pins += 1;
        if self.retries == 0 {
            Err(KeyError::PinLocked)
        } else if *wrong_pins >= WRONG_PINS_IN_A_ROW {
            Err(KeyError::PinPaused)
        } else {
            Err(KeyError::PinWrong { retries: Some(self.retries) })
        }
    }
}

impl Credential {
    /// Signs authenticator data and the hash of the challenge, as CTAP 2.1, 6.2.2 step 13
    /// and packed attestation (WebAuthn section 8.2) have it.
    fn sign(&self, authenticator_data: &[u8], challenge: &[u8]) -> Result<Vec<u8>, KeyError> {
        let client_data_hash = digest(&SHA256, challenge);
        let signed = [authenticator_data, client_data_hash.as_ref()].concat();
        match self.algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&self.private_key.0);
                Ok(pair.map_err(|_| broken())?.sign(&signed).as_ref().to_vec())
            }
            Algorithm::Es256 => {
                let signature = es256_pair(&self.private_key.0)?
                    .sign(&SystemRandom::new(), &signed)
                    .map_err(|_| broken())?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// A new private key, and its public key: 32 bytes for EdDSA, `04 ‖ X ‖ Y` for ES256.
fn generate(algorithm: Algorithm) -> Result<(PrivateKey, Vec<u8>), KeyError> {
    let private_key = match algorithm {
        Algorithm::EdDsa => {
            let seed = Zeroizing::new(random::<32>()?);
            PrivateKey(Zeroizing::new(seed.to_vec()))
        }
        Algorithm::Es256 => {
            let random = SystemRandom::new();
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
                .map_err(|_| broken())?;
            PrivateKey(Zeroizing::new(pkcs8.as_ref().to_vec()))
        }
    };
    let public_key = match algorithm {
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::from_seed_unchecked(&private_key.0);
            pair.map_err(|_| broken())?.public_key().as_ref().to_vec()
        }
        Algorithm::Es256 => es256_pair(&private_key.0)?.public_key().as_ref().to_vec(),
    };
    Ok((private_key, public_key))
}

fn es256_pair(pkcs8: &[u8]) -> Result<EcdsaKeyPair, KeyError> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &SystemRandom::new())
        .map_err(|_| broken())
}

fn pin_hash(salt: &[u8; 16], pin: &Pin) -> [u8; 32] {
    let mut salted = Zeroizing::new(Vec::with_capacity(salt.len() + pin.expose().len()));
    salted.extend_from_slice(salt);
    salted.extend_from_slice(pin.expose().as_bytes());
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, &salted).as_ref()) {
        *to = *from;
    }
    hash
}

/// From the operating system. `ring` takes no other source for ES256, so that a parameter
/// here would make nothing reproducible.
fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| broken())?;
    Ok(bytes)
}

/// Keys that aren't keys, or an operating system without randomness.
fn broken() -> KeyError {
    KeyError::Nonsense("its private keys can't be used".to_owned())
}
