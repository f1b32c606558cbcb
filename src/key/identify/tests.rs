use super::*;
use crate::key::software::testing::enrol;
use crate::key::software::{Model, SoftwareKeys};
use crate::key::{
    Algorithm, Assertion, Attestation, Device, DeviceInfo, GetAssertion, GetHmacSecret,
    MakeCredential, Pin, TouchPrompt, UserVerification,
};
use crate::webauthn::HmacSecretOutput;

const APPLICATION: &str = "ssh:keymuster";
const CHALLENGE: [u8; 32] = [0x5a; 32];

/// One device that answers every probe with what a test says.
struct Scripted {
    answer: ProbeAnswer,
    probes: Vec<Probe>,
}

impl Scripted {
    fn new(answer: ProbeAnswer) -> Self {
        Self { answer, probes: Vec::new() }
    }
}

const NOT_SCRIPTED: KeyError = KeyError::Unsupported("anything but a probe");

impl Authenticator for Scripted {
    fn devices(&mut self) -> Result<Vec<Device>, KeyError> {
        Err(NOT_SCRIPTED)
    }
    fn info(&mut self, _: &DeviceId) -> Result<DeviceInfo, KeyError> {
        Err(NOT_SCRIPTED)
    }
    fn probe(&mut self, _: &DeviceId, probe: &Probe) -> Result<ProbeAnswer, KeyError> {
        self.probes.push(probe.clone());
        Ok(self.answer.clone())
    }
    fn make_credential(
        &mut self,
        _: &DeviceId,
        _: &MakeCredential,
        _: UserVerification<'_>,
        _: &mut dyn TouchPrompt,
    ) -> Result<Attestation, KeyError> {
        Err(NOT_SCRIPTED)
    }
    fn sign(
        &mut self,
        _: &DeviceId,
        _: &GetAssertion,
        _: UserVerification<'_>,
        _: &mut dyn TouchPrompt,
    ) -> Result<Assertion, KeyError> {
        Err(NOT_SCRIPTED)
    }
    fn hmac_secret(
        &mut self,
        _: &DeviceId,
        _: &GetHmacSecret,
        _: UserVerification<'_>,
        _: &mut dyn TouchPrompt,
    ) -> Result<HmacSecretOutput, KeyError> {
        Err(NOT_SCRIPTED)
    }
    fn set_pin(&mut self, _: &DeviceId, _: &Pin) -> Result<(), KeyError> {
        Err(NOT_SCRIPTED)
    }
}

/// Keys of software, one each of the given names, and what is on record of them.
fn enrolled(names: &[&'static str]) -> (SoftwareKeys, Vec<EnrolledKey<&'static str>>) {
    let mut keys = SoftwareKeys::in_memory();
    let mut records = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let device = keys.add(name, Model::default()).unwrap();
        let algorithm = if place % 2 == 0 { Algorithm::EdDsa } else { Algorithm::Es256 };
        let (credential, public_key) = enrol(&mut keys, &device, APPLICATION, algorithm);
        records.push(EnrolledKey { name: *name, credential, public_key });
    }
    (keys, records)
}

fn device(name: &str) -> DeviceId {
    DeviceId(name.to_owned())
}

fn answer_of(keys: &mut SoftwareKeys, name: &str, credential: &CredentialId) -> Assertion {
    let probe = Probe {
        application: APPLICATION.to_owned(),
        credentials: vec![credential.clone()],
        challenge: CHALLENGE,
    };
    match keys.probe(&device(name), &probe).unwrap() {
        ProbeAnswer::Holds(_, assertion) => assertion,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_device_is_told_from_the_others_without_a_touch() {
    let (mut keys, records) = enrolled(&["a", "b", "c"]);
    let touches = keys.touches().len();
    for name in ["a", "b", "c"] {
        let identity = identify(&mut keys, &device(name), APPLICATION, &records, CHALLENGE);
        assert_eq!(identity, Ok(Identity::This(name)));
    }
    assert_eq!(keys.touches().len(), touches);
}

#[test]
fn a_key_that_is_not_on_record_is_a_stranger() {
    let (mut keys, records) = enrolled(&["a", "b"]);
    let identity = identify(&mut keys, &device("b"), APPLICATION, &records[..1], CHALLENGE);
    assert_eq!(identity, Ok(Identity::Stranger));
    let nobody: &[EnrolledKey<&str>] = &[];
    let identity = identify(&mut keys, &device("b"), APPLICATION, nobody, CHALLENGE);
    assert_eq!(identity, Ok(Identity::Stranger));
}

#[test]
fn keys_of_another_application_are_passed_over() {
    let (mut keys, records) = enrolled(&["a"]);
    let identity = identify(&mut keys, &device("a"), "ssh:elsewhere", &records, CHALLENGE);
    assert_eq!(identity, Ok(Identity::Stranger));
}

#[test]
fn a_key_that_answers_nothing_silently_wont_say() {
    let (_, records) = enrolled(&["a"]);
    let mut keys = Scripted::new(ProbeAnswer::WontSay);
    let identity = identify(&mut keys, &device("x"), APPLICATION, &records, CHALLENGE);
    assert_eq!(identity, Ok(Identity::WontSay));
}

#[test]
fn a_claim_with_the_signature_of_another_key_is_an_impostor() {
    let (mut keys, records) = enrolled(&["a", "b"]);
    let by_b = answer_of(&mut keys, "b", &records[1].credential);
    let mut liar = Scripted::new(ProbeAnswer::Holds(records[0].credential.clone(), by_b));
    let identity = identify(&mut liar, &device("x"), APPLICATION, &records, CHALLENGE);
    assert_eq!(identity, Ok(Identity::Impostor("a")));
}

#[test]
fn an_answer_to_an_earlier_challenge_is_an_impostor() {
    let (mut keys, records) = enrolled(&["a"]);
    let recorded = answer_of(&mut keys, "a", &records[0].credential);
    let mut replayed = Scripted::new(ProbeAnswer::Holds(records[0].credential.clone(), recorded));
    let fresh = [0x77; 32];
    let identity = identify(&mut replayed, &device("x"), APPLICATION, &records, fresh);
    assert_eq!(identity, Ok(Identity::Impostor("a")));
    let identity = identify(&mut replayed, &device("x"), APPLICATION, &records, CHALLENGE);
    assert_eq!(identity, Ok(Identity::This("a")));
}

#[test]
fn garbage_is_an_impostor() {
    let (_, records) = enrolled(&["a"]);
    for bytes in [vec![], vec![0; 37], vec![0xff; 5000]] {
        let garbage = Assertion { authenticator_data: bytes.clone(), signature: bytes };
        let mut liar = Scripted::new(ProbeAnswer::Holds(records[0].credential.clone(), garbage));
        let identity = identify(&mut liar, &device("x"), APPLICATION, &records, CHALLENGE);
        assert_eq!(identity, Ok(Identity::Impostor("a")));
    }
}

#[test]
fn a_credential_that_nobody_asked_for_is_nonsense() {
    let (mut keys, records) = enrolled(&["a", "b"]);
    let by_b = answer_of(&mut keys, "b", &records[1].credential);
    let mut liar = Scripted::new(ProbeAnswer::Holds(records[1].credential.clone(), by_b));
    let identity = identify(&mut liar, &device("x"), APPLICATION, &records[..1], CHALLENGE);
    assert!(matches!(identity, Err(KeyError::Nonsense(_))));
    let asked = [records[0].credential.clone()];
    let claim = hint(&mut liar, &device("x"), APPLICATION, &asked, CHALLENGE);
    assert!(matches!(claim, Err(KeyError::Nonsense(_))));
}

#[test]
fn of_two_records_with_one_credential_id_the_signature_decides() {
    let (mut keys, mut records) = enrolled(&["a", "b"]);
    // What a hostile key would enrol: the credential id of another.
    records[0].credential = records[1].credential.clone();
    let identity = identify(&mut keys, &device("b"), APPLICATION, &records, CHALLENGE);
    assert_eq!(identity, Ok(Identity::This("b")));
}

#[test]
fn no_probe_asks_for_more_than_512_credentials() {
    let (mut keys, records) = enrolled(&["a", "b"]);
    let many: Vec<_> = (0_u32..1025)
        .map(|number| EnrolledKey {
            name: "other",
            credential: CredentialId::new(number.to_be_bytes()).unwrap(),
            public_key: records[0].public_key.clone(),
        })
        .collect();
    let mut silent = Scripted::new(ProbeAnswer::HoldsNone);
    let identity = identify(&mut silent, &device("x"), APPLICATION, &many, CHALLENGE);
    assert_eq!(identity, Ok(Identity::Stranger));
    let sizes: Vec<_> = silent.probes.iter().map(|probe| probe.credentials.len()).collect();
    assert_eq!(sizes, [512, 512, 1]);

    let all = [many, records].concat();
    let identity = identify(&mut keys, &device("b"), APPLICATION, &all, CHALLENGE);
    assert_eq!(identity, Ok(Identity::This("b")));
}

#[test]
fn a_hint_is_what_the_key_claims() {
    let (mut keys, records) = enrolled(&["a", "b"]);
    let credentials: Vec<_> = records.iter().map(|key| key.credential.clone()).collect();
    let mut ask = |name: &str, credentials: &[CredentialId]| {
        hint(&mut keys, &device(name), APPLICATION, credentials, CHALLENGE)
    };
    assert_eq!(ask("b", &credentials), Ok(Claim::Holds(credentials[1].clone())));
    assert_eq!(ask("b", &credentials[..1]), Ok(Claim::Stranger));
    let mut silent = Scripted::new(ProbeAnswer::WontSay);
    let claim = hint(&mut silent, &device("x"), APPLICATION, &credentials, CHALLENGE);
    assert_eq!(claim, Ok(Claim::WontSay));
}
