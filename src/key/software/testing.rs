//! What tests of several modules do with software keys.

use std::time::Duration;

use super::SoftwareKeys;
use crate::key::{
    Algorithm, Assertion, Attestation, Authenticator as _, DeviceId, GetAssertion, KeyError,
    MakeCredential, Pin, TouchPrompt, UserVerification,
};
use crate::sshsig::{PublicKey, Signature, signed_data};
use crate::webauthn::{AttestedCredential, AuthenticatorData, CredentialId};

/// A prompt that counts.
#[derive(Default)]
pub(crate) struct CountingPrompt {
    pub(crate) waits: u32,
    pub(crate) overs: u32,
}

impl TouchPrompt for CountingPrompt {
    fn waiting(&mut self, _left: Duration) {
        self.waits += 1;
    }

    fn over(&mut self) {
        self.overs += 1;
    }
}

pub(crate) fn pin(text: &str) -> Pin {
    Pin::take_from(&mut text.to_owned()).unwrap()
}

pub(crate) fn request(application: &str, algorithm: Algorithm) -> MakeCredential {
    MakeCredential {
        application: application.to_owned(),
        user_name: "alice".to_owned(),
        challenge: b"enrolment".to_vec(),
        algorithm,
        hmac_secret: false,
        exclude: Vec::new(),
    }
}

pub(crate) fn made(attestation: &Attestation) -> AttestedCredential {
    AuthenticatorData::parse(&attestation.authenticator_data).unwrap().credential.unwrap()
}

/// Makes a credential by the key's own user verification.
pub(crate) fn enrol(
    keys: &mut SoftwareKeys,
    device: &DeviceId,
    application: &str,
    algorithm: Algorithm,
) -> (CredentialId, PublicKey) {
    let prompt = &mut CountingPrompt::default();
    let request = request(application, algorithm);
    let attestation =
        keys.make_credential(device, &request, UserVerification::BuiltIn, prompt).unwrap();
    let credential = made(&attestation);
    let public_key = PublicKey::from_credential(&credential.public_key, application).unwrap();
    (credential.id, public_key)
}

pub(crate) fn assertion(
    keys: &mut SoftwareKeys,
    device: &DeviceId,
    application: &str,
    credential: &CredentialId,
    verification: UserVerification<'_>,
) -> Result<Assertion, KeyError> {
    let request = GetAssertion {
        application: application.to_owned(),
        credential: credential.clone(),
        challenge: b"challenge".to_vec(),
    };
    keys.sign(device, &request, verification, &mut CountingPrompt::default())
}

/// Signs a message as a log entry is signed.
pub(crate) fn signature(
    keys: &mut SoftwareKeys,
    device: &DeviceId,
    credential: &CredentialId,
    public_key: &PublicKey,
    namespace: &str,
    message: &[u8],
    verification: UserVerification<'_>,
) -> Signature {
    let request = GetAssertion {
        application: public_key.application().to_owned(),
        credential: credential.clone(),
        challenge: signed_data(namespace, message),
    };
    let prompt = &mut CountingPrompt::default();
    let Assertion { authenticator_data, signature } =
        keys.sign(device, &request, verification, prompt).unwrap();
    Signature::from_assertion(public_key, namespace, &authenticator_data, &signature).unwrap()
}
