//! The parent against children that do their worst.

use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::super::child;
use super::super::protocol::{Request, Task};
use super::*;
use crate::key::hid::Session;
use crate::webauthn::HmacSecretSalts;

/// For what is about a deadline. Everything else has the real ones, since a busy machine
/// may be slow to answer.
const SHORT: Deadlines = Deadlines {
    quiet: Duration::from_millis(500),
    touch: Duration::from_millis(300),
    touch_overall: Duration::from_secs(3),
    goodbye: Duration::from_millis(200),
};

/// Sooner than anything that hangs would end; later than a busy machine needs.
const SOON: Duration = Duration::from_secs(30);

fn key() -> DeviceId {
    DeviceId("/dev/hidraw4".to_owned())
}

/// Keys behind a child that is a thread running `script` on its end of the socket.
fn scripted(script: impl Fn(UnixStream) + Send + Sync + 'static) -> UsbKeys {
    interruptible(Arc::default(), script)
}

fn interruptible(
    interrupt: Arc<AtomicBool>,
    script: impl Fn(UnixStream) + Send + Sync + 'static,
) -> UsbKeys {
    let script = Arc::new(script);
    let start = move |socket| {
        let script = Arc::clone(&script);
        thread::spawn(move || script(socket));
        Ok(Running { process: None })
    };
    UsbKeys::started_by(start, interrupt)
}

fn receive(socket: &mut UnixStream) -> Option<Vec<u8>> {
    let mut assembler = Assembler::default();
    loop {
        match assembler.receive(socket).ok()? {
            Received::Frame(body) => return Some(body.to_vec()),
            Received::Part => {}
            Received::End | Received::TooLong => return None,
        }
    }
}

fn say(socket: &mut UnixStream, event: &Event) {
    drop(socket.write_all(&event.encode().unwrap()));
}

/// A script that takes the request and says these things.
fn says(events: impl Fn() -> Vec<Event> + Send + Sync) -> impl Fn(UnixStream) + Send + Sync {
    move |mut socket| {
        receive(&mut socket);
        for event in events() {
            say(&mut socket, &event);
        }
        linger(&mut socket);
    }
}

/// Stays until the parent hangs up.
fn linger(socket: &mut UnixStream) {
    while receive(socket).is_some() {}
}

fn assertion() -> Assertion {
    Assertion { authenticator_data: vec![1; 37], signature: vec![2; 64] }
}

fn sign_request() -> GetAssertion {
    GetAssertion {
        application: "ssh:keymuster".to_owned(),
        credential: credential(1),
        challenge: vec![7; 100],
    }
}

fn credential(byte: u8) -> CredentialId {
    CredentialId::new([byte; 64]).unwrap()
}

fn probe_for(credentials: Vec<CredentialId>) -> Probe {
    Probe { application: "ssh:keymuster".to_owned(), credentials, challenge: [3; 32] }
}

/// A prompt that remembers what it was told.
#[derive(Default)]
struct Told(Vec<Option<Duration>>);

impl TouchPrompt for Told {
    fn waiting(&mut self, left: Duration) {
        self.0.push(Some(left));
    }
    fn over(&mut self) {
        self.0.push(None);
    }
}

impl Told {
    fn words(&self) -> Vec<&'static str> {
        self.0.iter().map(|told| if told.is_some() { "waiting" } else { "over" }).collect()
    }
}

fn sign(keys: &mut UsbKeys, told: &mut Told) -> Result<Assertion, KeyError> {
    let begun = Instant::now();
    let result = keys.sign(&key(), &sign_request(), UserVerification::BuiltIn, told);
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    result
}

fn info(keys: &mut UsbKeys) -> KeyError {
    let begun = Instant::now();
    let error = keys.info(&key()).unwrap_err();
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    error
}

#[test]
fn a_signature_comes_back_and_the_prompt_comes_and_goes() {
    let mut keys = scripted(says(|| {
        vec![Event::Waiting, Event::Over, Event::Done(Reply::Assertion(assertion()))]
    }));
    let mut told = Told::default();
    assert_eq!(sign(&mut keys, &mut told), Ok(assertion()));
    // The wait may be over before the prompt was due.
    assert!(matches!(told.words()[..], ["waiting", "over"] | ["over"]), "{:?}", told.0);
}

#[test]
fn a_prompt_that_was_shown_is_taken_back_when_the_answer_comes() {
    let mut keys = scripted(|mut socket| {
        receive(&mut socket);
        say(&mut socket, &Event::Waiting);
        say(&mut socket, &Event::Waiting);
        thread::sleep(Duration::from_millis(100));
        say(&mut socket, &Event::Done(Reply::Assertion(assertion())));
    });
    let mut told = Told::default();
    assert_eq!(sign(&mut keys, &mut told), Ok(assertion()));
    assert_eq!(told.words(), ["waiting", "over"]);
    assert!(told.0[0].is_some_and(|left| left <= Deadlines::default().touch));
}

#[test]
fn no_wait_no_prompt() {
    let mut keys = scripted(says(|| vec![Event::Over, Event::Done(Reply::Assertion(assertion()))]));
    let mut told = Told::default();
    assert_eq!(sign(&mut keys, &mut told), Ok(assertion()));
    assert!(told.0.is_empty());
}

#[test]
fn the_prompt_is_told_each_second_how_much_is_left() {
    let mut keys = scripted(|mut socket| {
        receive(&mut socket);
        say(&mut socket, &Event::Waiting);
        thread::sleep(Duration::from_millis(2500));
        say(&mut socket, &Event::Done(Reply::Assertion(assertion())));
    })
    .with_deadlines(Deadlines::default());
    let mut told = Told::default();
    assert_eq!(sign(&mut keys, &mut told), Ok(assertion()));
    assert_eq!(told.words(), ["waiting", "waiting", "waiting", "over"]);
    let left: Vec<u64> = told.0.iter().flatten().map(|left| left.as_secs()).collect();
    assert_eq!(left, [29, 28, 27]);
}

#[test]
fn a_touch_that_does_not_come_ends_the_wait_and_the_key_is_told() {
    let (heard, hear) = channel();
    let heard = Mutex::new(heard);
    let mut keys = scripted(move |mut socket| {
        receive(&mut socket);
        say(&mut socket, &Event::Waiting);
        let cancel = receive(&mut socket);
        heard.lock().unwrap().send(cancel).unwrap();
        say(&mut socket, &Event::Failed(KeyError::Cancelled));
    })
    .with_deadlines(SHORT);
    let mut told = Told::default();
    assert_eq!(sign(&mut keys, &mut told), Err(KeyError::TouchTimedOut));
    assert_eq!(told.words(), ["waiting", "over"]);
    let cancel = cancel_frame().unwrap()[4..].to_vec();
    assert_eq!(hear.recv_timeout(SOON).unwrap(), Some(cancel));
}

#[test]
fn a_key_that_calls_itself_off_is_no_interruption_by_the_user() {
    let mut keys = scripted(|mut socket| {
        receive(&mut socket);
        say(&mut socket, &Event::Failed(KeyError::Cancelled));
    });
    assert_eq!(sign(&mut keys, &mut Told::default()), Err(KeyError::Denied));
}

#[test]
fn a_key_that_begins_to_wait_again_and_again_gains_no_time() {
    let mut keys = scripted(|mut socket| {
        receive(&mut socket);
        let frames =
            [Event::Waiting, Event::Over].map(|event| event.encode().unwrap().to_vec()).concat();
        while socket.write_all(&frames).is_ok() {}
    })
    .with_deadlines(SHORT);
    let mut told = Told::default();
    let error = sign(&mut keys, &mut told).unwrap_err();
    assert!(matches!(error, KeyError::TouchTimedOut | KeyError::Silent(_)), "{error}");
    let over = told.words().iter().filter(|word| **word == "over").count();
    assert!(over > 0 && told.words().last() == Some(&"over"));
}

#[test]
fn silence_ends_at_the_deadline() {
    assert_eq!(
        info(&mut scripted(|mut socket| linger(&mut socket)).with_deadlines(SHORT)),
        KeyError::Silent(key())
    );
    let mut told = Told::default();
    let mut keys = scripted(|mut socket| linger(&mut socket)).with_deadlines(SHORT);
    assert_eq!(sign(&mut keys, &mut told), Err(KeyError::Silent(key())));
    assert!(told.0.is_empty());
    assert!(matches!(
        scripted(|mut socket| linger(&mut socket)).with_deadlines(SHORT).devices(),
        Err(KeyError::Helper(_))
    ));
}

#[test]
fn an_answer_that_trickles_in_gains_no_time() {
    let mut keys = scripted(|mut socket| {
        receive(&mut socket);
        let mut bytes = vec![0, 0, 0xff, 0xff];
        bytes.extend([0; 0xffff]);
        for byte in bytes {
            if socket.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    })
    .with_deadlines(SHORT);
    assert_eq!(info(&mut keys), KeyError::Silent(key()));
}

#[test]
fn an_interruption_is_heard_at_once() {
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupt);
    let mut keys = interruptible(Arc::clone(&interrupt), move |mut socket| {
        receive(&mut socket);
        say(&mut socket, &Event::Waiting);
        thread::sleep(Duration::from_millis(50));
        flag.store(true, Ordering::Relaxed);
        receive(&mut socket);
    })
    .with_deadlines(Deadlines::default());
    let mut told = Told::default();
    assert_eq!(sign(&mut keys, &mut told), Err(KeyError::Cancelled));
    assert_eq!(told.words(), ["waiting", "over"]);

    let mut keys = interruptible(interrupt, |_| panic!("nothing may be started"));
    assert_eq!(info(&mut keys), KeyError::Cancelled);
}

#[test]
fn a_child_that_ignores_the_cancellation_is_left_behind() {
    let (sender, over): (Sender<()>, Receiver<()>) = channel();
    let over = Mutex::new(over);
    let mut keys = scripted(move |mut socket| {
        receive(&mut socket);
        assert!(over.lock().unwrap().recv().is_err());
    })
    .with_deadlines(SHORT);
    assert_eq!(info(&mut keys), KeyError::Silent(key()));
    drop(sender);
}

#[test]
fn garbage_is_nonsense() {
    let raw = |bytes: &'static [u8]| {
        scripted(move |mut socket| {
            receive(&mut socket);
            drop(socket.write_all(bytes));
            linger(&mut socket);
        })
    };
    for bytes in [
        &[0xff; 64][..],
        &[0, 1, 0, 1],
        &[0, 0, 0, 0],
        &[0, 0, 0, 1, 9],
        &[0, 0, 0, 2, 2, 9],
        &[0, 0, 0, 2, 0, 0],
        &[0, 0, 0, 3, 2, 6, 0],
    ] {
        let error = info(&mut raw(bytes));
        assert!(matches!(error, KeyError::Nonsense(_)), "{bytes:?}: {error}");
    }
}

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
fn a_child_tells_how_it_is_confined_before_anything_else() {
    let confined =
        |version| Event::Confined(Confinement { landlock: Some(version), seccomp: true });
    let mut keys = scripted(says(move || {
        vec![confined(2), confined(9), Event::Done(Reply::Devices(Vec::new()))]
    }));
    assert_eq!(keys.confinement(), None);
    keys.devices().unwrap();
    let first = Confinement { landlock: Some(2), seccomp: true };
    assert_eq!(keys.confinement(), Some(first), "the first word counts");
    let mut keys = scripted(says(move || vec![Event::Waiting, confined(2)]));
    let late = KeyError::Nonsense("it speaks of its confinement too late".to_owned());
    assert_eq!(sign(&mut keys, &mut Told::default()), Err(late));
}

#[test]
fn a_child_that_hangs_up_is_a_failed_helper() {
    let ended = KeyError::Helper("it ended without an answer".to_owned());
    assert_eq!(info(&mut scripted(drop)), ended);
    let mut keys = scripted(|mut socket| {
        receive(&mut socket);
        drop(socket.write_all(&[0, 0, 0, 9, 1]));
    });
    assert_eq!(info(&mut keys), ended);
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
fn a_real_child_is_alone_in_an_empty_world_and_gone_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let (program, seen) = (folder.path().join("child"), folder.path().join("seen"));
    let script = format!(
        "#!/bin/sh\nstreams=$(readlink /proc/$$/fd/1 /proc/$$/fd/2)\n{{ echo args \"$@\"; pwd; env; echo \"$streams\"; \
         cut -d' ' -f5 /proc/$$/stat; echo $$; }} > {0}.part\nmv {0}.part {0}\nexec sleep 600\n",
        seen.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    let deadlines = Deadlines { quiet: Duration::from_secs(4), ..SHORT };
    let mut keys = UsbKeys::new(program, Arc::default()).with_deadlines(deadlines);
    assert_eq!(info(&mut keys), KeyError::Silent(key()));

    let seen = std::fs::read_to_string(&seen).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[..2], ["args key-helper", "/"], "{seen}");
    // The shell itself adds PWD and `_`.
    assert!(!seen.contains("HOME=") && !seen.contains("CARGO"), "{seen}");
    let [.., out, err, group, process] = lines[..] else { panic!("{seen}") };
    assert_eq!([out, err], ["/dev/null"; 2]);
    assert_eq!(group, process);
    assert!(!std::path::Path::new("/proc").join(process).exists(), "the child still runs");
}

#[test]
fn a_child_that_crashes_or_cannot_start_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("child");
    std::fs::write(&program, "#!/bin/sh\nkill -SEGV $$\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    let deadlines = Deadlines { goodbye: SOON, quiet: SOON, ..SHORT };
    let mut keys = UsbKeys::new(program, Arc::default()).with_deadlines(deadlines);
    assert!(matches!(info(&mut keys), KeyError::Nonsense(_)));
    let mut keys = UsbKeys::new(folder.path().join("missing"), Arc::default());
    assert!(matches!(info(&mut keys), KeyError::Helper(_)));
}

/// Keys behind the real child's conversation, doing `work` instead of talking to a device.
fn working(work: impl Fn(&Session) -> Result<Reply, KeyError> + Send + Sync + 'static) -> UsbKeys {
    let work = Arc::new(work);
    scripted(move |mut socket| {
        receive(&mut socket);
        let work = Arc::clone(&work);
        drop(child::converse(socket, move |session| work(session)));
    })
}

#[test]
fn the_childs_panic_is_the_keys_nonsense() {
    let mut keys = working(|_| panic!("as the crate does on bad bytes"));
    assert!(matches!(info(&mut keys), KeyError::Nonsense(_)));
}

#[test]
fn the_child_reports_waits_and_hears_a_cancellation() {
    let (sender, cancelled) = channel();
    let sender = Mutex::new(sender);
    let mut keys = working(move |session| {
        (session.touch)(true);
        while !session.cancel.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        (session.touch)(false);
        sender.lock().unwrap().send(()).unwrap();
        Err(KeyError::Cancelled)
    })
    .with_deadlines(SHORT);
    let mut told = Told::default();
    assert_eq!(sign(&mut keys, &mut told), Err(KeyError::TouchTimedOut));
    assert_eq!(told.words(), ["waiting", "over"]);
    assert_eq!(cancelled.recv_timeout(SOON), Ok(()));
}

#[test]
fn the_child_ends_when_its_parent_is_gone() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = thread::spawn(move || {
        child::converse(theirs, |_| {
            // Blocked for ever, as in a read from a silent device.
            loop {
                thread::park();
            }
        })
    });
    drop(ours);
    let begun = Instant::now();
    while !child.is_finished() {
        assert!(begun.elapsed() < SOON, "the child outlives its parent");
        thread::sleep(Duration::from_millis(10));
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

#[test]
fn a_pin_stands_in_no_error_and_no_debug_output() {
    let pin = Pin::take_from(&mut "canary-4711".to_owned()).unwrap();
    let mut keys = scripted(|mut socket| {
        let mut request = [0; 512];
        let length = socket.read(&mut request).unwrap();
        assert!(request[..length].windows(11).any(|part| part == b"canary-4711"));
        linger(&mut socket);
    })
    .with_deadlines(SHORT);
    let error = keys
        .sign(&key(), &sign_request(), UserVerification::Pin(&pin), &mut Told::default())
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}
