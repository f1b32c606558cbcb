//! The parent against children that do their worst.

use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::super::UsbKeys;
use super::super::testing::*;
use super::*;
use crate::key::helper::child;
use crate::key::{Authenticator as _, Pin, UserVerification};

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
