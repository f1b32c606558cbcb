use std::fs;

use ring::digest::{SHA256, digest};
use ring::hmac;

use super::testing::{CountingPrompt, assertion, enrol, made, pin, request};
use super::*;
use crate::key::{Algorithm, BuiltInVerification, PinState};
use crate::sshsig::{PublicKey, verify_assertion};
use crate::webauthn::{AuthenticatorData, CredentialId, HmacSecretSalts};

mod folder;

const APPLICATION: &str = "ssh:keymuster-demo";
const BOTH: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Es256];
const PIN_MODEL: Model =
    Model { verification: Verification::Pin, always_uv: false, hmac_secret: true, ed_dsa: true };

fn one_key(model: Model) -> (SoftwareKeys, DeviceId) {
    let mut keys = SoftwareKeys::in_memory();
    let device = keys.add("alice", model).unwrap();
    (keys, device)
}

/// A key with the PIN `1234` and one credential.
fn key_with_pin() -> (SoftwareKeys, DeviceId, CredentialId) {
    let (mut keys, device) = one_key(PIN_MODEL);
    keys.set_pin(&device, &pin("1234")).unwrap();
    let attestation = keys.make_credential(
        &device,
        &request(APPLICATION, Algorithm::Es256),
        UserVerification::Pin(&pin("1234")),
        &mut CountingPrompt::default(),
    );
    let credential = made(&attestation.unwrap()).id;
    (keys, device, credential)
}

fn try_pin(
    keys: &mut SoftwareKeys,
    device: &DeviceId,
    credential: &CredentialId,
    text: &str,
) -> Result<AuthenticatorData, KeyError> {
    let pin = pin(text);
    let verification = UserVerification::Pin(&pin);
    let assertion = assertion(keys, device, APPLICATION, credential, verification)?;
    Ok(AuthenticatorData::parse(&assertion.authenticator_data).unwrap())
}

fn ids(keys: &mut SoftwareKeys) -> Vec<String> {
    keys.devices().unwrap().into_iter().map(|device| device.id.0).collect()
}

fn probe(credentials: &[CredentialId]) -> Probe {
    Probe {
        application: APPLICATION.to_owned(),
        credentials: credentials.to_vec(),
        challenge: [9; 32],
    }
}

#[test]
fn an_enrolment_carries_its_own_attestation() {
    for algorithm in BOTH {
        let (mut keys, device) = one_key(Model::default());
        let request = MakeCredential { hmac_secret: true, ..request(APPLICATION, algorithm) };
        let prompt = &mut CountingPrompt::default();
        let attestation =
            keys.make_credential(&device, &request, UserVerification::BuiltIn, prompt).unwrap();
        assert_eq!((prompt.waits, prompt.overs), (1, 1));
        assert_eq!(attestation.format, "packed");
        assert_eq!(attestation.algorithm, Some(algorithm.cose()));
        assert!(attestation.certificates.is_empty());

        let data = AuthenticatorData::parse(&attestation.authenticator_data).unwrap();
        assert_eq!(data.rp_id_hash, digest(&SHA256, APPLICATION.as_bytes()).as_ref());
        assert_eq!(data.flags.bits(), 0xc5);
        assert_eq!(data.counter, 1);
        assert!(data.hmac_secret);
        let credential = data.credential.unwrap();
        assert_eq!(credential.aaguid, AAGUID);

        let signed = [
            attestation.authenticator_data.as_slice(),
            digest(&SHA256, &request.challenge).as_ref(),
        ]
        .concat();
        let verified = match credential.public_key {
            crate::webauthn::CosePublicKey::Ed25519(key) => {
                ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key)
                    .verify(&signed, &attestation.signature)
            }
            crate::webauthn::CosePublicKey::P256 { x, y } => {
                ring::signature::UnparsedPublicKey::new(
                    &ring::signature::ECDSA_P256_SHA256_ASN1,
                    [&[4][..], &x, &y].concat(),
                )
                .verify(&signed, &attestation.signature)
            }
        };
        assert!(verified.is_ok());
    }
}

#[test]
fn without_hmac_secret_an_enrolment_has_no_extensions() {
    let (mut keys, device) = one_key(Model::default());
    let attestation = keys.make_credential(
        &device,
        &request(APPLICATION, Algorithm::EdDsa),
        UserVerification::BuiltIn,
        &mut CountingPrompt::default(),
    );
    let data = AuthenticatorData::parse(&attestation.unwrap().authenticator_data).unwrap();
    assert_eq!(data.flags.bits(), 0x45);
    assert!(!data.hmac_secret);
}

#[test]
fn the_flags_say_how_the_user_was_verified_and_the_counter_rises() {
    for algorithm in BOTH {
        let (mut keys, device) = one_key(Model::default());
        let (credential, key) = enrol(&mut keys, &device, APPLICATION, algorithm);
        for (verification, flags, counter) in
            [(UserVerification::BuiltIn, 0x05, 2), (UserVerification::Omitted, 0x01, 3)]
        {
            let assertion =
                assertion(&mut keys, &device, APPLICATION, &credential, verification).unwrap();
            assert_eq!(assertion.authenticator_data.len(), 37);
            let facts = verify_assertion(
                &key,
                &assertion.authenticator_data,
                &assertion.signature,
                b"challenge",
            )
            .unwrap();
            assert_eq!((facts.flags.bits(), facts.counter), (flags, counter));
        }
    }
}

#[test]
fn an_excluded_credential_is_found_after_a_touch_and_in_its_own_application_only() {
    let (mut keys, device) = one_key(Model::default());
    let (credential, _) = enrol(&mut keys, &device, APPLICATION, Algorithm::Es256);
    let mut again = MakeCredential {
        exclude: vec![CredentialId::new(*b"another").unwrap(), credential],
        ..request(APPLICATION, Algorithm::Es256)
    };
    let prompt = &mut CountingPrompt::default();
    let refused = keys.make_credential(&device, &again, UserVerification::BuiltIn, prompt);
    assert_eq!(refused, Err(KeyError::Excluded));
    assert_eq!(prompt.waits, 1);
    again.application = "keymuster".to_owned();
    assert!(keys.make_credential(&device, &again, UserVerification::BuiltIn, prompt).is_ok());
}

#[test]
fn a_credential_answers_for_its_own_application_only() {
    let (mut keys, device) = one_key(Model::default());
    let (credential, _) = enrol(&mut keys, &device, APPLICATION, Algorithm::EdDsa);
    let other = "ssh:";
    let refused = assertion(&mut keys, &device, other, &credential, UserVerification::BuiltIn);
    assert_eq!(refused, Err(KeyError::NoSuchCredential));
    let elsewhere = Probe { application: other.to_owned(), ..probe(&[credential]) };
    assert_eq!(keys.probe(&device, &elsewhere), Ok(ProbeAnswer::HoldsNone));
}

#[test]
fn a_probe_is_silent_and_signed_without_flags() {
    for algorithm in BOTH {
        let (mut keys, device) = one_key(Model::default());
        let (credential, key) = enrol(&mut keys, &device, APPLICATION, algorithm);
        let stranger = CredentialId::new([1; 32]).unwrap();
        assert_eq!(keys.probe(&device, &probe(&[])), Ok(ProbeAnswer::HoldsNone));
        let unknown = probe(std::slice::from_ref(&stranger));
        assert_eq!(keys.probe(&device, &unknown), Ok(ProbeAnswer::HoldsNone));
        let touches = keys.touches().len();
        let answer = keys.probe(&device, &probe(&[stranger, credential.clone()])).unwrap();
        let ProbeAnswer::Holds(held, assertion) = answer else { panic!("{answer:?}") };
        assert_eq!(held, credential);
        let facts =
            verify_assertion(&key, &assertion.authenticator_data, &assertion.signature, &[9; 32]);
        assert_eq!(facts.unwrap().flags.bits(), 0);
        assert_eq!(keys.touches().len(), touches);
    }
}

#[test]
fn a_key_that_always_verifies_its_user_says_nothing_silently() {
    let (mut keys, device) = one_key(Model { always_uv: true, ..Model::default() });
    let (credential, _) = enrol(&mut keys, &device, APPLICATION, Algorithm::EdDsa);
    let asked = probe(std::slice::from_ref(&credential));
    assert_eq!(keys.probe(&device, &asked), Ok(ProbeAnswer::WontSay));
    let omitted = UserVerification::Omitted;
    let refused = assertion(&mut keys, &device, APPLICATION, &credential, omitted);
    assert_eq!(refused, Err(KeyError::PinRequired));
}

#[test]
fn hmac_secret_depends_on_credential_salts_and_user_verification() {
    let (mut keys, device) = one_key(Model::default());
    let with_secret =
        MakeCredential { hmac_secret: true, ..request("keymuster", Algorithm::Es256) };
    let built_in = UserVerification::BuiltIn;
    let prompt = &mut CountingPrompt::default();
    let first = keys.make_credential(&device, &with_secret, built_in, prompt).unwrap();
    let second = keys.make_credential(&device, &with_secret, built_in, prompt).unwrap();
    let salts = HmacSecretSalts { first: [1; 32], second: [2; 32] };
    let mut outputs = |credential: &CredentialId, salts, verification| {
        let request = GetHmacSecret {
            application: "keymuster".to_owned(),
            credential: credential.clone(),
            salts,
        };
        *keys.hmac_secret(&device, &request, verification, prompt).unwrap().expose()
    };
    let credential = made(&first).id;
    let output = outputs(&credential, salts, built_in);
    assert_eq!(outputs(&credential, salts, built_in), output);
    assert_ne!(output[..32], output[32..]);
    let swapped = HmacSecretSalts { first: salts.second, second: salts.first };
    let swapped = outputs(&credential, swapped, built_in);
    assert_eq!((&swapped[..32], &swapped[32..]), (&output[32..], &output[..32]));
    assert_ne!(outputs(&credential, salts, UserVerification::Omitted), output);
    assert_ne!(outputs(&made(&second).id, salts, built_in), output);
}

#[test]
fn hmac_secret_is_an_hmac_of_the_salt() {
    let secret = [5; 32];
    let mut key = SoftwareKey::new(Model::default());
    let request = MakeCredential { hmac_secret: true, ..request("keymuster", Algorithm::EdDsa) };
    let wrong_pins = &mut 0;
    let built_in = UserVerification::BuiltIn;
    key.make_credential(&request, built_in, wrong_pins, &mut || Ok(())).unwrap();
    key.credentials[0].cred_random =
        Some(device::CredRandom { with_uv: secret, without_uv: [6; 32] });
    let request = GetHmacSecret {
        application: "keymuster".to_owned(),
        credential: key.credentials[0].id.clone(),
        salts: HmacSecretSalts { first: [1; 32], second: [2; 32] },
    };
    let output = key.hmac_secret(&request, built_in, wrong_pins, &mut || Ok(())).unwrap();
    let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), &[2; 32]);
    assert_eq!(output.expose()[32..], *expected.as_ref());
}

#[test]
fn a_credential_without_hmac_secret_gives_none() {
    let (mut keys, device) = one_key(Model::default());
    let (credential, _) = enrol(&mut keys, &device, APPLICATION, Algorithm::Es256);
    let request = GetHmacSecret {
        application: APPLICATION.to_owned(),
        credential,
        salts: HmacSecretSalts { first: [1; 32], second: [2; 32] },
    };
    let prompt = &mut CountingPrompt::default();
    let refused = keys.hmac_secret(&device, &request, UserVerification::BuiltIn, prompt);
    assert!(matches!(refused, Err(KeyError::Unsupported(_))));
    assert_eq!(prompt.waits, 0);
}

#[test]
fn a_model_without_a_feature_neither_lists_nor_does_it() {
    let plain = Model { hmac_secret: false, ed_dsa: false, ..Model::default() };
    let (mut keys, device) = one_key(plain);
    let info = keys.info(&device).unwrap();
    assert!(!info.has_hmac_secret() && !info.makes(Algorithm::EdDsa));
    assert!(info.makes(Algorithm::Es256));
    let prompt = &mut CountingPrompt::default();
    let with_secret =
        MakeCredential { hmac_secret: true, ..request(APPLICATION, Algorithm::Es256) };
    for request in [request(APPLICATION, Algorithm::EdDsa), with_secret] {
        let refused = keys.make_credential(&device, &request, UserVerification::BuiltIn, prompt);
        assert!(matches!(refused, Err(KeyError::Unsupported(_))));
    }
}

#[test]
fn a_key_without_a_pin_verifies_its_user_by_itself() {
    let (mut keys, device) = one_key(Model::default());
    let info = keys.info(&device).unwrap();
    assert_eq!(info.pin_state(), PinState::Unsupported);
    assert_eq!(info.built_in_verification(), BuiltInVerification::Ready);
    assert_eq!((info.aaguid, info.pin_retries), (AAGUID, None));
    assert!(matches!(keys.set_pin(&device, &pin("1234")), Err(KeyError::Unsupported(_))));
}

#[test]
fn a_pin_is_set_once() {
    let (mut keys, device) = one_key(PIN_MODEL);
    assert_eq!(keys.info(&device).unwrap().pin_state(), PinState::NotSet);
    assert_eq!(keys.set_pin(&device, &pin("1234")), Ok(()));
    let info = keys.info(&device).unwrap();
    assert_eq!((info.pin_state(), info.pin_retries), (PinState::Set, Some(8)));
    assert_eq!(info.built_in_verification(), BuiltInVerification::Absent);
    assert_eq!(keys.set_pin(&device, &pin("5678")), Err(KeyError::PinAlreadySet));
}

#[test]
fn a_key_with_a_pin_makes_no_credential_without_it() {
    let (mut keys, device, _) = key_with_pin();
    let request = request(APPLICATION, Algorithm::Es256);
    let prompt = &mut CountingPrompt::default();
    let refused = keys.make_credential(&device, &request, UserVerification::Omitted, prompt);
    assert_eq!(refused, Err(KeyError::PinRequired));
    assert_eq!(prompt.waits, 0);
}

#[test]
fn a_right_pin_sets_uv_and_gives_the_attempts_back() {
    let (mut keys, device, credential) = key_with_pin();
    let wrong = try_pin(&mut keys, &device, &credential, "0000");
    assert_eq!(wrong, Err(KeyError::PinWrong { retries: Some(7) }));
    let data = try_pin(&mut keys, &device, &credential, "1234").unwrap();
    assert_eq!(data.flags.bits(), 0x05);
    assert_eq!(keys.info(&device).unwrap().pin_retries, Some(8));
}

#[test]
fn three_wrong_pins_in_a_row_pause_the_key_until_it_is_replugged() {
    let (mut keys, device, credential) = key_with_pin();
    for retries in [7, 6] {
        let wrong = try_pin(&mut keys, &device, &credential, "0000");
        assert_eq!(wrong, Err(KeyError::PinWrong { retries: Some(retries) }));
    }
    for text in ["0000", "1234"] {
        let paused = try_pin(&mut keys, &device, &credential, text);
        assert_eq!(paused, Err(KeyError::PinPaused));
        assert_eq!(keys.info(&device).unwrap().pin_retries, Some(5));
    }
    keys.replug(&device);
    assert!(try_pin(&mut keys, &device, &credential, "1234").is_ok());
}

#[test]
fn the_eighth_wrong_pin_locks_the_key_for_good() {
    let (mut keys, device, credential) = key_with_pin();
    for attempt in 1..8 {
        keys.replug(&device);
        let wrong = try_pin(&mut keys, &device, &credential, "0000");
        assert_eq!(wrong, Err(KeyError::PinWrong { retries: Some(8 - attempt) }));
    }
    keys.replug(&device);
    for text in ["0000", "1234"] {
        let locked = try_pin(&mut keys, &device, &credential, text);
        assert_eq!(locked, Err(KeyError::PinLocked));
        keys.replug(&device);
    }
    assert_eq!(keys.info(&device).unwrap().pin_retries, Some(0));
}

#[test]
fn a_refused_or_missed_touch_signs_nothing_and_is_written_down() {
    let (mut keys, device) = one_key(Model::default());
    let (credential, _) = enrol(&mut keys, &device, APPLICATION, Algorithm::Es256);
    for (policy, error) in
        [(TouchPolicy::Deny, KeyError::Denied), (TouchPolicy::TimeOut, KeyError::TouchTimedOut)]
    {
        keys.set_touch_policy(&device, policy);
        let built_in = UserVerification::BuiltIn;
        let refused = assertion(&mut keys, &device, APPLICATION, &credential, built_in);
        assert_eq!(refused, Err(error));
        let last = Touch { device: device.clone(), asked_for: TouchFor::Sign, outcome: policy };
        assert_eq!(keys.touches().last(), Some(&last));
    }
    assert_eq!(keys.touches().len(), 3);
    assert_eq!(keys.touches()[0].asked_for, TouchFor::MakeCredential);
}

#[test]
fn an_unplugged_or_unknown_device_is_gone() {
    let (mut keys, device) = one_key(Model::default());
    keys.unplug(&device);
    assert!(ids(&mut keys).is_empty());
    assert_eq!(keys.info(&device), Err(KeyError::Gone(device.clone())));
    keys.replug(&device);
    assert_eq!(ids(&mut keys), ["alice"]);
    for unknown in ["bob", "new", "", "../alice"] {
        let unknown = DeviceId(unknown.to_owned());
        assert_eq!(keys.info(&unknown), Err(KeyError::Gone(unknown.clone())));
    }
}

#[test]
fn a_name_is_taken_once_and_fits_the_rule() {
    let (mut keys, _) = one_key(Model::default());
    assert!(matches!(keys.add("alice", PIN_MODEL), Err(SoftwareKeyError::Taken(_))));
    for name in ["", "new", "-a", "A", "a b", "a/b", "a.b", "é", &"a".repeat(33)] {
        let refused = keys.add(name, Model::default());
        assert!(matches!(refused, Err(SoftwareKeyError::Name(_))), "{name}");
    }
}

#[test]
fn the_blank_device_becomes_a_key_with_its_first_credential() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = SoftwareKeys::in_folder(folder.path()).unwrap().with_blank(None).unwrap();
    assert_eq!(ids(&mut keys), ["new"]);
    let blank = DeviceId("new".to_owned());
    assert_eq!(keys.info(&blank).unwrap().aaguid, AAGUID);
    assert_eq!(keys.probe(&blank, &probe(&[])), Ok(ProbeAnswer::HoldsNone));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let (signing, _) = enrol(&mut keys, &blank, APPLICATION, Algorithm::EdDsa);
    let (unlocking, _) = enrol(&mut keys, &blank, "keymuster", Algorithm::Es256);
    // The same device, by the same id, for as long as it stays plugged in.
    assert_eq!(ids(&mut keys), ["new"]);
    assert_eq!(keys.devices().unwrap()[0].serial.as_deref(), Some("demo-key-1"));
    let built_in = UserVerification::BuiltIn;
    assert!(assertion(&mut keys, &blank, APPLICATION, &signing, built_in).is_ok());

    // Another program finds it under its name.
    let mut later = SoftwareKeys::in_folder(folder.path()).unwrap();
    assert_eq!(ids(&mut later), ["demo-key-1"]);
    let named = DeviceId("demo-key-1".to_owned());
    assert!(assertion(&mut later, &named, APPLICATION, &signing, built_in).is_ok());
    assert!(assertion(&mut later, &named, "keymuster", &unlocking, built_in).is_ok());
    assert!(matches!(later.info(&blank), Err(KeyError::Gone(_))));
}

#[test]
fn one_blank_device_after_the_other_becomes_keys_of_their_own() {
    let mut keys = SoftwareKeys::in_memory().with_blank(Some("bob")).unwrap();
    let blank = DeviceId("new".to_owned());
    enrol(&mut keys, &blank, APPLICATION, Algorithm::EdDsa);
    for counted in 1..3 {
        assert_eq!(keys.plug_in_blank(None).unwrap(), blank);
        enrol(&mut keys, &blank, APPLICATION, Algorithm::EdDsa);
        let serial = keys.devices().unwrap().pop().unwrap().serial;
        assert_eq!(serial, Some(format!("demo-key-{counted}")));
    }
    assert_eq!(ids(&mut keys), ["bob", "demo-key-1", "new"]);
    assert!(matches!(keys.plug_in_blank(Some("bob")), Err(SoftwareKeyError::Taken(_))));
}

#[test]
fn a_refused_touch_leaves_the_blank_device_blank() {
    let mut keys = SoftwareKeys::in_memory().with_blank(None).unwrap();
    let blank = DeviceId("new".to_owned());
    keys.set_touch_policy(&blank, TouchPolicy::Deny);
    let refused = keys.make_credential(
        &blank,
        &request(APPLICATION, Algorithm::EdDsa),
        UserVerification::BuiltIn,
        &mut CountingPrompt::default(),
    );
    assert_eq!(refused, Err(KeyError::Denied));
    assert_eq!(keys.devices().unwrap()[0].serial, None);
}
