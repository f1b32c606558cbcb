use super::super::testing::{body, credential_id, device_id};
use super::*;
use crate::key::helper::wire::MAX_BODY;

/// What can be asked, in full.
struct Asked {
    device: DeviceId,
    probe: Probe,
    make: MakeCredential,
    sign: GetAssertion,
    hmac: GetHmacSecret,
    pin: Pin,
}

fn asked() -> Asked {
    Asked {
        device: device_id(),
        probe: Probe {
            application: "ssh:keymuster".to_owned(),
            credentials: vec![credential_id(1), credential_id(2)],
            challenge: [9; 32],
        },
        make: MakeCredential {
            application: "ssh:keymuster".to_owned(),
            user_name: "alice".to_owned(),
            challenge: vec![1, 2, 3],
            algorithm: Algorithm::EdDsa,
            hmac_secret: true,
            exclude: vec![credential_id(3)],
        },
        sign: GetAssertion {
            application: "ssh:keymuster".to_owned(),
            credential: credential_id(4),
            challenge: b"SSHSIG".to_vec(),
        },
        hmac: GetHmacSecret {
            application: "keymuster".to_owned(),
            credential: credential_id(5),
            salts: HmacSecretSalts { first: [1; 32], second: [2; 32] },
        },
        pin: Pin::take_from(&mut "2468".to_owned()).unwrap(),
    }
}

impl Asked {
    fn every_question(&self) -> [Question<'_>; 6] {
        [
            Question::Info,
            Question::Probe(&self.probe),
            Question::MakeCredential(&self.make, UserVerification::Pin(&self.pin)),
            Question::Sign(&self.sign, UserVerification::BuiltIn),
            Question::HmacSecret(&self.hmac, UserVerification::Omitted),
            Question::SetPin(&self.pin),
        ]
    }

    /// The frame of each question, and that of the listing.
    fn every_frame(&self) -> Vec<Frame> {
        let of_the_device = self.every_question().map(|question| Ask::Of(&self.device, question));
        let asks = std::iter::once(Ask::Devices).chain(of_the_device);
        asks.map(|ask| ask.encode().unwrap()).collect()
    }
}

#[test]
fn each_request_reaches_the_child_as_it_was_asked() {
    let asked = asked();
    let decode = |ask: Ask<'_>| Request::decode(body(&ask.encode().unwrap())).unwrap();
    assert!(matches!(decode(Ask::Devices), Request::Devices));
    let tasks = asked.every_question().map(|question| {
        let ask = Ask::Of(&asked.device, question);
        assert_eq!(ask.device(), Some(&asked.device));
        let request = decode(ask);
        assert_eq!(request.device(), Some(&asked.device));
        match request {
            Request::Of(_, task) => task,
            Request::Devices => panic!("it became a listing"),
        }
    });
    let [info, probe, make, sign, hmac, pin] = tasks;
    assert!(matches!(info, Task::Info));
    assert!(matches!(probe, Task::Probe(p) if p == asked.probe));
    assert!(matches!(make, Task::MakeCredential(m, Verification::Pin(p))
        if m == asked.make && p.expose() == "2468"));
    assert!(matches!(sign, Task::Sign(s, Verification::BuiltIn) if s == asked.sign));
    assert!(matches!(hmac, Task::HmacSecret(h, Verification::Omitted) if h == asked.hmac));
    assert!(matches!(pin, Task::SetPin(p) if p.expose() == "2468"));
}

#[test]
fn what_was_cut_off_or_has_a_tail_is_refused() {
    for frame in asked().every_frame() {
        for length in 0..body(&frame).len() {
            assert!(Request::decode(&body(&frame)[..length]).is_err(), "{length} of {frame:?}");
        }
        let mut tail = body(&frame).to_vec();
        tail.push(0);
        assert!(Request::decode(&tail).is_err(), "{frame:?}");
    }
}

#[test]
fn no_single_byte_brings_the_reader_down() {
    for frame in asked().every_frame() {
        for place in 0..body(&frame).len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = body(&frame).to_vec();
                bytes[place] = value;
                // Any outcome will do but a panic.
                drop(Request::decode(&bytes));
            }
        }
    }
}

#[test]
fn a_request_that_fits_no_frame_is_refused_by_the_parent() {
    let request = GetAssertion { challenge: vec![0; MAX_BODY], ..asked().sign };
    let question = Question::Sign(&request, UserVerification::BuiltIn);
    assert!(Ask::Of(&device_id(), question).encode().is_err());
}
