//! What the library brings back from honest keys, through the helper process and the kernel's
//! hidraw.

use super::trials;
use super::usb::{
    APPLICATION, Credential, Told, by, device, enrol_with, flags, give_pin, info, keys, make, pin,
    silent, stranger, verify,
};
use crate::keys::{Make, VirtualKey};
use keymuster::key::{
    Algorithm, Authenticator, GetHmacSecret, KeyError, MakeCredential, Pin, PinState, ProbeAnswer,
    UserVerification,
};
use keymuster::webauthn::{AuthenticatorData, HmacSecretSalts};
use libtest_mimic::Trial;
use std::time::Duration;

const PIN: &str = "123456";
/// The flags of authenticator data: a touch, and a touch with a PIN.
const UP: u8 = 0x01;
const UP_AND_UV: u8 = 0x05;
/// Authenticator data without a credential and without extensions.
const PLAIN_DATA: usize = 37;

pub(super) fn trials() -> Vec<Trial> {
    trials!["usb_keys":
        each_plugged_key_is_listed_once,
        a_key_says_what_it_can_do,
        a_first_pin_can_be_given_and_no_second,
        a_pin_that_is_too_short_for_the_key_is_refused,
        an_enrolment_brings_its_attestation_for_one_touch,
        a_key_that_holds_an_excluded_credential_enrols_no_other,
        a_signature_with_a_pin_verifies_and_has_no_extension,
        a_signature_without_a_pin_says_so,
        a_key_that_lacks_the_credential_signs_nothing,
        a_key_that_knows_no_finger_is_asked_for_none,
        both_pin_protocols_work,
        hmac_secret_gives_the_same_outputs_in_order,
        a_silent_question_finds_the_key_and_costs_no_touch,
        a_key_that_forbids_silent_questions_wont_say,
        a_key_that_always_wants_its_pin_signs_not_without,
        a_wrong_pin_tells_what_is_left_and_the_third_pauses_the_key,
        a_key_without_a_pin_is_asked_for_none,
    ]
}

fn each_plugged_key_is_listed_once() {
    let first = VirtualKey::plug("first");
    let second = VirtualKey::plug_made("second", Make::named("A\u{1b}[2J key"));
    let listed = keys().devices().expect("a list");
    let find = |key: &VirtualKey| {
        let mut found = listed.iter().filter(|entry| entry.id.0 == key.device());
        let entry = found.next().expect("it is listed");
        assert!(found.next().is_none(), "{listed:?}");
        entry
    };
    assert_eq!(find(&first).serial.as_deref(), Some(first.serial()));
    assert_eq!(find(&second).product, "A\u{fffd}[2J key");
    assert_eq!(find(&second).vendor_id, 0x1209);
    let asked = [&first, &second].map(|key| key.events("command").len());
    assert_eq!(asked, [0, 0], "a list asks no key for anything");
}

fn a_key_says_what_it_can_do() {
    let key = VirtualKey::plug_made("key", Make::with(&["--min-pin", "6"]));
    let said = info(&mut keys(), &key).expect("an answer");
    assert!(said.versions.contains(&"FIDO_2_1".to_owned()), "{said:?}");
    assert!(said.has_hmac_secret() && said.makes(Algorithm::EdDsa), "{said:?}");
    assert_eq!(said.pin_state(), PinState::NotSet);
    assert_eq!(said.min_pin_length, 6);
    assert_eq!(said.pin_retries, None);
    assert_eq!(key.touches_asked(), 0);
}

fn a_first_pin_can_be_given_and_no_second() {
    let key = VirtualKey::plug("key");
    give_pin(&key, PIN);
    let said = info(&mut keys(), &key).expect("an answer");
    assert_eq!((said.pin_state(), said.pin_retries), (PinState::Set, Some(8)));
    assert_eq!(keys().set_pin(&device(&key), &pin("654321")), Err(KeyError::PinAlreadySet));
}

fn a_pin_that_is_too_short_for_the_key_is_refused() {
    let key = VirtualKey::plug_made("key", Make::with(&["--min-pin", "6"]));
    assert_eq!(keys().set_pin(&device(&key), &pin("12345")), Err(KeyError::PinRefused));
}

fn an_enrolment_brings_its_attestation_for_one_touch() {
    let key = VirtualKey::plug("key");
    let secret = give_pin(&key, PIN);
    for (number, algorithm) in [Algorithm::Es256, Algorithm::EdDsa].into_iter().enumerate() {
        let request = MakeCredential { hmac_secret: true, ..make(algorithm) };
        let mut told = Told::default();
        let made = keys()
            .make_credential(&device(&key), &request, by(Some(&secret)), &mut told)
            .expect("an enrolment");
        let data = AuthenticatorData::parse(&made.authenticator_data).expect("data of a key");
        assert!(data.flags.up() && data.flags.uv() && data.hmac_secret, "{data:?}");
        // The virtual key has no certificate: each credential attests itself.
        assert_eq!(made.format, "packed");
        assert_eq!((made.algorithm, made.certificates.len()), (Some(algorithm.cose()), 0));
        let public_key = Credential::of(&made).public_key;
        let attested =
            verify(&public_key, &made.authenticator_data, &request.challenge, &made.signature);
        assert!(attested.is_ok());
        assert_eq!(key.touches(), number + 1);
        assert!(told.one_wait());
        assert!(told.waiting[0] <= Duration::from_secs(30));
    }
}

fn a_key_that_holds_an_excluded_credential_enrols_no_other() {
    let key = VirtualKey::plug("key");
    let held = Credential::enrol(&key, None).id;
    let many_strangers = || (0..60).map(stranger);
    let many = many_strangers().chain([held.clone()]).collect();
    for exclude in [vec![held], many] {
        let request = MakeCredential { exclude, ..make(Algorithm::Es256) };
        let outcome = enrol_with(&mut keys(), &key, &request, UserVerification::Omitted);
        assert_eq!(outcome, Err(KeyError::Excluded));
    }
    let exclude = many_strangers().collect();
    Credential::enrol_as(&key, &MakeCredential { exclude, ..make(Algorithm::Es256) }, None);
}

fn a_signature_with_a_pin_verifies_and_has_no_extension() {
    let key = VirtualKey::plug("key");
    let secret = give_pin(&key, PIN);
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let credential = Credential::enrol_as(&key, &make(algorithm), Some(&secret));
        let before = key.touches();
        let mut told = Told::default();
        let assertion = credential
            .sign(&mut keys(), &device(&key), by(Some(&secret)), &mut told)
            .expect("a signature");
        assert_eq!(key.touches(), before + 1);
        assert_eq!(assertion.authenticator_data.len(), PLAIN_DATA);
        assert_eq!(flags(&assertion.authenticator_data).bits(), UP_AND_UV);
        assert!(credential.signed(&assertion));
        assert!(told.one_wait());
    }
}

fn a_signature_without_a_pin_says_so() {
    let key = VirtualKey::plug("key");
    let credential = Credential::enrol(&key, None);
    let assertion = credential.sign_now(&key).expect("a signature");
    assert_eq!(flags(&assertion.authenticator_data).bits(), UP);
    assert!(credential.signed(&assertion));
}

fn a_key_that_lacks_the_credential_signs_nothing() {
    let key = VirtualKey::plug("key");
    let foreign = Credential { id: stranger(1), ..Credential::enrol(&key, None) };
    assert_eq!(foreign.sign_now(&key), Err(KeyError::NoSuchCredential));
}

fn a_key_that_knows_no_finger_is_asked_for_none() {
    let key = VirtualKey::plug("key");
    let credential = Credential::enrol(&key, None);
    let asked = key.touches_asked();
    let outcome = credential.sign(
        &mut keys(),
        &device(&key),
        UserVerification::BuiltIn,
        &mut Told::default(),
    );
    assert!(matches!(outcome, Err(KeyError::Unsupported(_))), "{outcome:?}");
    assert_eq!(key.touches_asked(), asked);
}

/// A credential with the extension `hmac-secret`.
#[track_caller]
fn enrol_with_hmac_secret(key: &VirtualKey, pin: &Pin) -> Credential {
    let request = MakeCredential { hmac_secret: true, ..make(Algorithm::Es256) };
    Credential::enrol_as(key, &request, Some(pin))
}

/// The outputs for two salts that are all of these bytes.
#[track_caller]
fn hmac_secret(key: &VirtualKey, credential: &Credential, pin: &Pin, salts: [u8; 2]) -> [u8; 64] {
    let [first, second] = salts.map(|byte| [byte; 32]);
    let request = GetHmacSecret {
        application: APPLICATION.to_owned(),
        credential: credential.id.clone(),
        salts: HmacSecretSalts { first, second },
    };
    let output = keys().hmac_secret(&device(key), &request, by(Some(pin)), &mut Told::default());
    *output.expect("outputs").expose()
}

fn both_pin_protocols_work() {
    for made in [Make::default(), Make::with(&["--only-pin-protocol-2"])] {
        let key = VirtualKey::plug_made("key", made);
        let secret = give_pin(&key, PIN);
        let credential = enrol_with_hmac_secret(&key, &secret);
        hmac_secret(&key, &credential, &secret, [1, 2]);
    }
}

fn hmac_secret_gives_the_same_outputs_in_order() {
    let key = VirtualKey::plug("key");
    let secret = give_pin(&key, PIN);
    let credential = enrol_with_hmac_secret(&key, &secret);
    let get = |salts| hmac_secret(&key, &credential, &secret, salts);
    let outputs = get([1, 2]);
    assert_eq!(get([1, 2]), outputs);
    let others = get([1, 3]);
    assert_eq!(others[..32], outputs[..32]);
    assert_ne!(others[32..], outputs[32..]);
    let swapped = get([2, 1]);
    assert_eq!((&swapped[..32], &swapped[32..]), (&outputs[32..], &outputs[..32]));
}

fn a_silent_question_finds_the_key_and_costs_no_touch() {
    let (one, other) = (VirtualKey::plug("one"), VirtualKey::plug("other"));
    let credential = Credential::enrol(&one, None);
    let touches = one.touches_asked();
    let probe = silent(vec![stranger(1), stranger(2), credential.id.clone(), stranger(3)]);
    match keys().probe(&device(&one), &probe) {
        Ok(ProbeAnswer::Holds(held, assertion)) => {
            assert_eq!(held, credential.id);
            assert!(!flags(&assertion.authenticator_data).up());
            assert!(credential.signed_over(&probe.challenge, &assertion));
        }
        answer => panic!("{answer:?}"),
    }
    assert_eq!(keys().probe(&device(&other), &probe), Ok(ProbeAnswer::HoldsNone));
    assert_eq!((one.touches_asked(), other.touches_asked()), (touches, 0));
}

fn a_key_that_forbids_silent_questions_wont_say() {
    let key = VirtualKey::plug_made("key", Make::with(&["--always-uv"]));
    let secret = give_pin(&key, PIN);
    let held = Credential::enrol(&key, Some(&secret)).id;
    let touches = key.touches_asked();
    let answer = keys().probe(&device(&key), &silent(vec![held.clone()]));
    assert_eq!(answer, Ok(ProbeAnswer::WontSay));
    assert_eq!(key.touches_asked(), touches);
    // So the whole list of what is excluded goes to the key.
    let exclude = vec![stranger(1), stranger(2), held];
    let request = MakeCredential { exclude, ..make(Algorithm::Es256) };
    let outcome = enrol_with(&mut keys(), &key, &request, by(Some(&secret)));
    assert_eq!(outcome, Err(KeyError::Excluded));
}

fn a_key_that_always_wants_its_pin_signs_not_without() {
    let key = VirtualKey::plug_made("key", Make::with(&["--always-uv"]));
    let secret = give_pin(&key, PIN);
    let credential = Credential::enrol(&key, Some(&secret));
    assert_eq!(credential.sign_now(&key), Err(KeyError::PinRequired));
}

fn a_wrong_pin_tells_what_is_left_and_the_third_pauses_the_key() {
    let key = VirtualKey::plug("key");
    let credential = Credential::enrol(&key, None);
    give_pin(&key, PIN);
    let wrong = pin("000000");
    let touches = key.touches_asked();
    let mut told = Told::default();
    let mut attempt = || credential.sign(&mut keys(), &device(&key), by(Some(&wrong)), &mut told);
    assert_eq!(attempt(), Err(KeyError::PinWrong { retries: Some(7) }));
    assert_eq!(attempt(), Err(KeyError::PinWrong { retries: Some(6) }));
    assert_eq!(attempt(), Err(KeyError::PinPaused));
    assert_eq!(attempt(), Err(KeyError::PinPaused));
    assert_eq!(key.touches_asked(), touches);
    assert!(told.waiting.is_empty());
}

fn a_key_without_a_pin_is_asked_for_none() {
    let key = VirtualKey::plug("key");
    let credential = Credential::enrol(&key, None);
    let outcome =
        credential.sign(&mut keys(), &device(&key), by(Some(&pin(PIN))), &mut Told::default());
    assert_eq!(outcome, Err(KeyError::PinNotSet));
    assert_eq!(key.pin_tokens(), 0);
}
