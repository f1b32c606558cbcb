//! What the virtual key can do that a vault needs, judged by libfido2's tools and by commands
//! made by hand.

use super::trials;
use crate::host::Handle;
use crate::keys::{Make, VirtualKey};
use crate::run::{on_terminal, program, scratch};
use ciborium::{Value, cbor};
use libtest_mimic::Trial;
use serde_json::json;

const ES256: i32 = -7;
const EDDSA: i32 = -8;
const CTAP2_OK: u8 = 0x00;
const CTAP2_ERR_CREDENTIAL_EXCLUDED: u8 = 0x19;
const CTAP2_ERR_NO_CREDENTIALS: u8 = 0x2e;
const RP_ID: &str = "ssh:keymuster";
const PIN: &str = "12345678";
/// 32 bytes in base64.
const SOME_HASH: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_HASH: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

pub(super) fn trials() -> Vec<Trial> {
    trials!["authenticator":
        a_key_that_is_enrolled_is_not_enrolled_again,
        a_silent_probe_finds_the_key_without_a_touch,
        an_attestation_names_the_model,
        hmac_secret_is_the_same_each_time_and_needs_a_touch,
        hmac_secret_with_a_pin_is_another_one,
    ]
}

/// Makes a credential without a PIN; gives the status and the authenticator data.
fn make_credential(key: &VirtualKey, algorithm: i32, excluded: &[Vec<u8>]) -> (u8, Vec<u8>) {
    let request = Value::Map(vec![
        (1.into(), Value::Bytes(vec![7; 32])),
        (2.into(), cbor!({"id" => RP_ID}).unwrap_or(Value::Null)),
        (3.into(), cbor!({"id" => Value::Bytes(vec![1]), "name" => "n"}).unwrap_or(Value::Null)),
        (4.into(), cbor!([{"alg" => algorithm, "type" => "public-key"}]).unwrap_or(Value::Null)),
        (5.into(), descriptors(excluded)),
    ]);
    let (status, answer) = exchange(key, 0x01, &request);
    (status, authenticator_data(&answer))
}

/// Asks for an assertion without a touch.
fn probe(key: &VirtualKey, credential: &[u8]) -> (u8, Vec<u8>) {
    let request = Value::Map(vec![
        (1.into(), RP_ID.into()),
        (2.into(), Value::Bytes(vec![7; 32])),
        (3.into(), descriptors(&[credential.to_vec()])),
        (5.into(), cbor!({"up" => false}).unwrap_or(Value::Null)),
    ]);
    let (status, answer) = exchange(key, 0x02, &request);
    (status, authenticator_data(&answer))
}

fn descriptors(credentials: &[Vec<u8>]) -> Value {
    let list = credentials.iter().map(|id| {
        let id = (Value::from("id"), Value::Bytes(id.clone()));
        Value::Map(vec![id, ("type".into(), "public-key".into())])
    });
    Value::Array(list.collect())
}

fn exchange(key: &VirtualKey, command: u8, request: &Value) -> (u8, Value) {
    let mut payload = vec![command];
    ciborium::into_writer(request, &mut payload).expect("the request can be written");
    let (mut host, channel) = Handle::with_channel(key);
    let answer = host.command(channel, &payload);
    let content = ciborium::from_reader(&answer[1..]).unwrap_or(Value::Null);
    (answer[0], content)
}

/// Both commands answer with it under the number 2.
fn authenticator_data(answer: &Value) -> Vec<u8> {
    let map = answer.as_map().map_or(&[][..], |map| map);
    let found = map.iter().find(|(number, _)| *number == Value::from(2));
    found.and_then(|(_, data)| data.as_bytes().cloned()).unwrap_or_default()
}

/// The id follows the model (bytes 37 to 53) and its own length.
fn credential_id(data: &[u8]) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([data[53], data[54]]));
    data[55..55 + length].to_vec()
}

fn a_key_that_is_enrolled_is_not_enrolled_again() {
    let key = VirtualKey::plug("key");
    for algorithm in [ES256, EDDSA] {
        let (status, data) = make_credential(&key, algorithm, &[]);
        assert_eq!(status, CTAP2_OK);
        let (status, _) = make_credential(&key, algorithm, &[credential_id(&data)]);
        assert_eq!(status, CTAP2_ERR_CREDENTIAL_EXCLUDED);
        let other = VirtualKey::plug("other");
        let (status, _) = make_credential(&other, algorithm, &[credential_id(&data)]);
        assert_eq!(status, CTAP2_OK);
    }
}

fn a_silent_probe_finds_the_key_without_a_touch() {
    let key = VirtualKey::plug("key");
    let other = VirtualKey::plug("other");
    let (_, data) = make_credential(&key, ES256, &[]);
    let touches = key.touches();
    let (status, data) = (probe(&key, &credential_id(&data)), data);
    assert_eq!((status.0, status.1[32]), (CTAP2_OK, 0), "no flag is set");
    let (status, _) = probe(&other, &credential_id(&data));
    assert_eq!(status, CTAP2_ERR_NO_CREDENTIALS);
    assert_eq!((key.touches(), other.touches_asked()), (touches, 0));
    let asked = key.commands("getAssertion").pop().expect("the key was asked");
    assert_eq!((&asked["rpId"], &asked["up"]), (&json!(RP_ID), &json!(false)));
}

fn an_attestation_names_the_model() {
    let model = "00112233445566778899aabbccddeeff";
    let key = VirtualKey::plug_made("key", Make::with(&["--aaguid", model]));
    let (_, data) = make_credential(&key, ES256, &[]);
    let named: String = data[37..53].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(named, model);
}

/// Has libfido2 make a credential with hmac-secret, and gives its id.
fn enrol_with_hmac_secret(key: &VirtualKey) -> String {
    let parameters = format!("{SOME_HASH}\n{RP_ID}\nname\nAQ==\n");
    let credential =
        program("fido2-cred", &["-M", "-h", key.device()]).stdin(parameters).run().expect_success();
    let id = program("fido2-cred", &["-V", "-h"]).stdin(credential).run().expect_success();
    id.lines().next().expect("the id comes first").to_owned()
}

/// Has libfido2 ask for the secret of a salt; the last line of an assertion.
fn hmac_secret(key: &VirtualKey, credential: &str, salt: &str, pin: Option<&str>) -> String {
    let directory = scratch();
    let (request, answer) = (directory.join("request"), directory.join("answer"));
    let parameters = format!("{SOME_HASH}\n{RP_ID}\n{credential}\n{salt}\n");
    std::fs::write(&request, parameters).expect("the directory can be written to");
    let (device, flags) = (key.device(), if pin.is_some() { "-G -h -v" } else { "-G -h" });
    let (request, answer) = (request.display(), answer.display());
    let command = format!("fido2-assert {flags} -i {request} -o {answer} {device}");
    let mut program = on_terminal(&command);
    if let Some(pin) = pin {
        program = program.answer("Enter PIN", pin);
    }
    program.run().expect_success();
    let text = std::fs::read_to_string(answer.to_string()).expect("it was written");
    text.lines().last().expect("the secret comes last").to_owned()
}

fn hmac_secret_is_the_same_each_time_and_needs_a_touch() {
    let mut key = VirtualKey::plug("key");
    let id = enrol_with_hmac_secret(&key);
    let secret = hmac_secret(&key, &id, SOME_HASH, None);
    assert_eq!(secret.len(), SOME_HASH.len());
    assert_eq!(key.touches(), 2);
    key.replug();
    assert_eq!(hmac_secret(&key, &id, SOME_HASH, None), secret);
    assert_ne!(hmac_secret(&key, &id, OTHER_HASH, None), secret);
    assert_eq!(key.touches(), 4);
}

fn hmac_secret_with_a_pin_is_another_one() {
    let protocol_2 = Make::with(&["--only-pin-protocol-2"]);
    for make in [Make::default(), protocol_2] {
        let key = VirtualKey::plug_made("key", make);
        let id = enrol_with_hmac_secret(&key);
        let without = hmac_secret(&key, &id, SOME_HASH, None);
        on_terminal(&format!("fido2-token -S {}", key.device()))
            .answer("Enter new PIN", PIN)
            .answer("again", PIN)
            .run()
            .expect_success();
        let with = hmac_secret(&key, &id, SOME_HASH, Some(PIN));
        assert_ne!(with, without);
        assert_eq!(hmac_secret(&key, &id, SOME_HASH, Some(PIN)), with);
        assert_eq!(key.pin_tokens(), 2);
    }
}
