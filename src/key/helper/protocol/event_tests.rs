use super::super::Request;
use super::super::testing::{body, credential_id, device_id};
use super::*;
use crate::key::helper::words::{failed, nonsense, unsupported};

fn there_and_back(event: &Event) -> Result<Event, Garbled> {
    Event::decode(body(&event.encode().unwrap()), &device_id())
}

fn info() -> DeviceInfo {
    DeviceInfo {
        versions: vec!["FIDO_2_0".to_owned(), "FIDO_2_1".to_owned()],
        extensions: vec!["hmac-secret".to_owned()],
        aaguid: Aaguid([7; 16]),
        options: [("rk".to_owned(), true), ("clientPin".to_owned(), false)].into(),
        algorithms: vec![-7, -8],
        pin_protocols: vec![2, 1],
        min_pin_length: 4,
        force_pin_change: false,
        firmware: Some(0x0005_0701),
        pin_retries: Some(8),
    }
}

#[test]
fn each_answer_reaches_the_parent_as_it_was_given() {
    let assertion = Assertion { authenticator_data: vec![1; 37], signature: vec![2; 64] };
    let attestation = Attestation {
        format: "packed".to_owned(),
        authenticator_data: vec![3; 180],
        algorithm: Some(-7),
        signature: vec![4; 71],
        certificates: vec![vec![5; 700], vec![6; 800]],
    };
    let device = Device {
        id: device_id(),
        product: "Key".to_owned(),
        manufacturer: "Maker".to_owned(),
        serial: None,
        vendor_id: 0x1050,
        product_id: 0x0407,
    };
    let done = |reply| match there_and_back(&Event::Done(reply)).unwrap() {
        Event::Done(reply) => reply,
        other => panic!("{other:?}"),
    };
    assert!(matches!(there_and_back(&Event::Waiting), Ok(Event::Waiting)));
    assert!(matches!(there_and_back(&Event::Over), Ok(Event::Over)));
    for confinement in [
        Confinement { landlock: None, seccomp: false },
        Confinement { landlock: Some(7), seccomp: true },
    ] {
        assert!(matches!(there_and_back(&Event::Confined(confinement)),
            Ok(Event::Confined(c)) if c == confinement));
    }
    assert!(matches!(done(Reply::Info(info())), Reply::Info(i) if i == info()));
    assert!(matches!(done(Reply::Devices(vec![device.clone()])),
        Reply::Devices(d) if d == [device]));
    for answer in [
        ProbeAnswer::HoldsNone,
        ProbeAnswer::WontSay,
        ProbeAnswer::Holds(credential_id(1), assertion.clone()),
    ] {
        assert!(matches!(done(Reply::Probe(answer.clone())), Reply::Probe(a) if a == answer));
    }
    assert!(matches!(done(Reply::Attestation(attestation.clone())),
        Reply::Attestation(a) if a == attestation));
    assert!(matches!(done(Reply::Assertion(assertion.clone())),
        Reply::Assertion(a) if a == assertion));
    let output = HmacSecretOutput::take_from(&mut [8; 64]);
    assert!(matches!(done(Reply::HmacSecret(output)),
        Reply::HmacSecret(o) if o.expose() == &[8; 64]));
    assert!(matches!(done(Reply::PinSet), Reply::PinSet));
}

#[test]
fn each_error_reaches_the_parent_and_names_the_device_that_was_asked() {
    let elsewhere = DeviceId("/dev/elsewhere".to_owned());
    let here = device_id();
    let named: [(KeyError, KeyError); 5] = [
        (KeyError::Gone(elsewhere.clone()), KeyError::Gone(here.clone())),
        (KeyError::NoPermission(elsewhere.clone()), KeyError::NoPermission(here.clone())),
        (KeyError::TooOld(elsewhere.clone()), KeyError::TooOld(here.clone())),
        (KeyError::Busy(elsewhere.clone()), KeyError::Busy(here.clone())),
        (KeyError::Silent(elsewhere), KeyError::Silent(here)),
    ];
    let plain = [
        KeyError::PinRequired,
        KeyError::PinNotSet,
        KeyError::PinWrong { retries: Some(3) },
        KeyError::PinWrong { retries: None },
        KeyError::PinPaused,
        KeyError::PinLocked,
        KeyError::PinRefused,
        KeyError::PinChangeForced,
        KeyError::PinAlreadySet,
        KeyError::Denied,
        KeyError::TouchTimedOut,
        KeyError::Cancelled,
        KeyError::Excluded,
        KeyError::NoSuchCredential,
        unsupported::OPTION,
        unsupported::PIN_PROTOCOL,
        KeyError::Status(0x7f),
        KeyError::Nonsense(nonsense::NO_OUTPUTS.to_owned()),
        KeyError::Helper(failed::NO_THREAD.to_owned()),
    ];
    for (sent, expected) in named.into_iter().chain(plain.map(|error| (error.clone(), error))) {
        match there_and_back(&Event::Failed(sent)).unwrap() {
            Event::Failed(error) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_was_cut_off_or_has_a_tail_is_refused() {
    let assertion = Assertion { authenticator_data: vec![1; 37], signature: vec![2; 64] };
    for event in [
        Event::Waiting,
        Event::Done(Reply::Info(info())),
        Event::Done(Reply::Probe(ProbeAnswer::Holds(credential_id(1), assertion))),
        Event::Done(Reply::HmacSecret(HmacSecretOutput::take_from(&mut [8; 64]))),
        Event::Failed(KeyError::PinWrong { retries: Some(2) }),
    ] {
        let frame = event.encode().unwrap();
        for length in 0..body(&frame).len() {
            assert!(Event::decode(&body(&frame)[..length], &device_id()).is_err(), "{event:?}");
        }
        let mut tail = body(&frame).to_vec();
        tail.push(0);
        assert!(Event::decode(&tail, &device_id()).is_err(), "{event:?}");
    }
}

#[test]
fn no_single_byte_brings_the_reader_down() {
    let assertion = Assertion { authenticator_data: vec![1; 37], signature: vec![2; 64] };
    for event in [
        Event::Done(Reply::Info(info())),
        Event::Done(Reply::Probe(ProbeAnswer::Holds(credential_id(1), assertion))),
    ] {
        let frame = event.encode().unwrap();
        for place in 0..body(&frame).len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = body(&frame).to_vec();
                bytes[place] = value;
                // Any outcome will do but a panic.
                drop(Event::decode(&bytes, &device_id()));
                drop(Request::decode(&bytes));
            }
        }
    }
}

#[test]
fn lists_and_texts_beyond_their_bounds_are_refused() {
    let too_many = DeviceInfo { versions: vec!["x".to_owned(); 65], ..info() };
    let too_long = DeviceInfo { versions: vec!["x".repeat(65)], ..info() };
    let full = DeviceInfo {
        versions: vec!["é".repeat(64); 64],
        extensions: vec!["é".repeat(64); 64],
        algorithms: vec![-7; 64],
        ..info()
    };
    assert!(there_and_back(&Event::Done(Reply::Info(too_many))).is_err());
    assert!(there_and_back(&Event::Done(Reply::Info(too_long))).is_err());
    assert!(there_and_back(&Event::Done(Reply::Info(full))).is_ok());

    let attestation = |data, signature, certificates| {
        Event::Done(Reply::Attestation(Attestation {
            format: "packed".to_owned(),
            authenticator_data: vec![0; data],
            algorithm: None,
            signature: vec![0; signature],
            certificates,
        }))
    };
    assert!(there_and_back(&attestation(4096, 512, vec![vec![0; 4096]; 8])).is_ok());
    assert!(there_and_back(&attestation(4097, 512, vec![])).is_err());
    assert!(there_and_back(&attestation(4096, 513, vec![])).is_err());
    assert!(there_and_back(&attestation(37, 64, vec![vec![0; 4097]])).is_err());
    assert!(there_and_back(&attestation(37, 64, vec![vec![]; 9])).is_err());
}

#[test]
fn an_option_that_is_named_twice_is_refused() {
    let frame = Event::Done(Reply::Info(info())).encode().unwrap();
    let text = b"clientPin";
    let at = body(&frame).windows(text.len()).position(|part| part == text).unwrap();
    let mut twice = body(&frame).to_vec();
    // Both names of two letters: the option `rk`, twice.
    twice.splice(at - 4..at + text.len(), [0, 0, 0, 2, b'r', b'k']);
    assert!(Event::decode(&twice, &device_id()).is_err());
}

#[test]
fn texts_from_a_device_are_sanitised() {
    let hostile = "a\u{1b}[2J\u{202e}b".to_owned();
    let clean = "a\u{fffd}[2J\u{fffd}b";
    let reply = Reply::Info(DeviceInfo { extensions: vec![hostile], ..info() });
    assert!(matches!(there_and_back(&Event::Done(reply)),
        Ok(Event::Done(Reply::Info(info))) if info.extensions == [clean]));
}

#[test]
fn a_path_that_could_not_be_shown_is_refused() {
    for path in ["", "/dev/hid\nraw", "/dev/\u{202e}war"] {
        let device = Device {
            id: DeviceId(path.to_owned()),
            product: String::new(),
            manufacturer: String::new(),
            serial: None,
            vendor_id: 0,
            product_id: 0,
        };
        assert!(there_and_back(&Event::Done(Reply::Devices(vec![device]))).is_err());
    }
}

#[test]
fn no_words_of_the_childs_own_get_into_an_error() {
    let own = "canary-4711".to_owned();
    for (error, shown) in [
        (KeyError::Nonsense(own.clone()), KeyError::Nonsense(nonsense::UNREADABLE.to_owned())),
        (KeyError::Helper(own), KeyError::Helper(failed::SOMEHOW.to_owned())),
        (KeyError::Unsupported("canary-4711"), unsupported::OPTION),
    ] {
        assert!(matches!(there_and_back(&Event::Failed(error)),
            Ok(Event::Failed(error)) if error == shown));
    }
    for kind in [18, 20, 21] {
        assert!(Event::decode(&[3, kind, 200], &device_id()).is_err());
    }
}
