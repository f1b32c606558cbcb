use std::sync::Mutex;

use super::super::protocol::{Event, Request, Task};
use super::testing::*;
use super::*;
use crate::webauthn::HmacSecretSalts;

#[test]
fn an_answer_to_another_question_is_nonsense() {
    let expected = KeyError::Nonsense("it belongs to another question".to_owned());
    let mut keys = scripted(says(|| vec![Event::Done(Reply::PinSet)]));
    assert_eq!(info(&mut keys), expected);
    assert_eq!(sign(&mut keys, &mut Told::default()), Err(expected.clone()));
    assert_eq!(keys.devices(), Err(expected.clone()));
    assert_eq!(keys.probe(&key(), &probe_for(vec![credential(1)])), Err(expected.clone()));
    let mut keys = scripted(says(|| vec![Event::Done(Reply::Assertion(assertion()))]));
    let pin = Pin::take_from(&mut "2468".to_owned()).unwrap();
    assert_eq!(keys.set_pin(&key(), &pin), Err(expected.clone()));
    let request = GetHmacSecret {
        application: "keymuster".to_owned(),
        credential: credential(1),
        salts: HmacSecretSalts { first: [1; 32], second: [2; 32] },
    };
    let outcome =
        keys.hmac_secret(&key(), &request, UserVerification::Pin(&pin), &mut Told::default());
    assert_eq!(outcome.unwrap_err(), expected);
}

#[test]
fn a_credential_that_was_not_asked_for_is_refused() {
    let mut keys = scripted(says(|| {
        vec![Event::Done(Reply::Probe(ProbeAnswer::Holds(credential(9), assertion())))]
    }));
    let probe = probe_for(vec![credential(1), credential(2)]);
    assert!(matches!(keys.probe(&key(), &probe), Err(KeyError::Nonsense(_))));
    let probe = probe_for(vec![credential(9)]);
    assert_eq!(keys.probe(&key(), &probe), Ok(ProbeAnswer::Holds(credential(9), assertion())));
}

#[test]
fn a_key_that_wants_a_touch_for_a_silent_question_wont_say() {
    let mut keys = scripted(says(|| vec![Event::Waiting]));
    assert_eq!(keys.probe(&key(), &probe_for(vec![credential(1)])), Ok(ProbeAnswer::WontSay));
    assert!(matches!(info(&mut keys), KeyError::Nonsense(_)));
}

#[test]
fn a_probe_for_many_is_split_and_a_probe_for_none_asks_nobody() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let count = Arc::clone(&asked);
    let mut keys = scripted(move |mut socket| {
        let Some(body) = receive(&mut socket) else { return };
        match Request::decode(&body) {
            Ok(Request::Of(_, Task::Probe(probe))) => {
                count.lock().unwrap().push(probe.credentials.len());
            }
            _ => panic!("not a probe"),
        }
        say(&mut socket, &Event::Done(Reply::Probe(ProbeAnswer::HoldsNone)));
        linger(&mut socket);
    });
    assert_eq!(keys.probe(&key(), &probe_for(vec![])), Ok(ProbeAnswer::HoldsNone));
    assert!(asked.lock().unwrap().is_empty());
    let many = (0..100).map(credential).collect();
    assert_eq!(keys.probe(&key(), &probe_for(many)), Ok(ProbeAnswer::HoldsNone));
    assert_eq!(*asked.lock().unwrap(), [48, 48, 4]);
}

#[test]
fn batches_hold_every_credential_once_and_fit_a_frame() {
    let long: Vec<CredentialId> =
        (0..200).map(|n| CredentialId::new(vec![n; CredentialId::MAX]).unwrap()).collect();
    let parts = batches(&long);
    assert_eq!(parts.concat(), long);
    for part in parts {
        let probe = probe_for(part.to_vec());
        assert!(Ask::Of(&key(), Question::Probe(&probe)).encode().is_ok());
    }
}

#[test]
fn the_outputs_of_hmac_secret_come_back_in_order() {
    let mut keys = working(|_| {
        let mut outputs = [0; 64];
        outputs[..32].fill(1);
        outputs[32..].fill(2);
        Ok(Reply::HmacSecret(HmacSecretOutput::take_from(&mut outputs)))
    });
    let request = GetHmacSecret {
        application: "keymuster".to_owned(),
        credential: credential(1),
        salts: HmacSecretSalts { first: [1; 32], second: [2; 32] },
    };
    let output = keys
        .hmac_secret(&key(), &request, UserVerification::BuiltIn, &mut Told::default())
        .unwrap();
    assert_eq!(output.expose()[..32], [1; 32]);
    assert_eq!(output.expose()[32..], [2; 32]);
}
