//! How the library's wait for a touch ends, and that the key never goes on blinking, whoever
//! gave up: the person, the key, the program or whoever killed it.

use super::office::visit;
use super::trials;
use super::usb::{
    Credential, Told, assert_called_off, device, impatient, info, interruptible, keys,
    no_helper_runs,
};
use crate::keys::{Touch, VirtualKey};
use crate::machine::KEYMUSTER;
use crate::run::{program, wait_until};
use keymuster::key::helper::Deadlines;
use keymuster::key::{Assertion, KeyError, UserVerification};
use libtest_mimic::Trial;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(super) fn trials() -> Vec<Trial> {
    trials!["usb_waits":
        a_declined_touch_is_told,
        a_key_that_gives_up_waiting_timed_out,
        a_deadline_of_ours_calls_the_key_off,
        an_interruption_calls_the_key_off,
        a_killed_program_leaves_a_quiet_key,
        a_key_pulled_out_while_it_blinks_is_gone,
        a_key_that_waits_for_another_program_is_busy,
        a_device_without_permission_says_so,
        a_key_may_blink_for_a_quarter_of_a_minute,
    ]
}

/// A key with a credential, whose person does this from now on.
fn key_with(touch: Touch) -> (VirtualKey, Credential) {
    let key = VirtualKey::plug("key");
    let credential = Credential::enrol(&key, None);
    key.touch(touch);
    (key, credential)
}

/// Asks the key to sign, with the usual deadlines, and says what the prompt was told.
fn sign(key: &VirtualKey, credential: &Credential) -> (Result<Assertion, KeyError>, Told) {
    let mut told = Told::default();
    let outcome = credential.sign(&mut keys(), &device(key), UserVerification::Omitted, &mut told);
    (outcome, told)
}

fn a_declined_touch_is_told() {
    let (key, credential) = key_with(Touch::Deny);
    let (outcome, told) = sign(&key, &credential);
    assert_eq!(outcome, Err(KeyError::Denied));
    assert!(told.one_wait());
}

fn a_key_that_gives_up_waiting_timed_out() {
    let (key, credential) = key_with(Touch::Timeout { ms: 1500 });
    assert_eq!(sign(&key, &credential).0, Err(KeyError::TouchTimedOut));
}

fn a_deadline_of_ours_calls_the_key_off() {
    let (key, credential) = key_with(Touch::Wait);
    let deadlines = Deadlines { touch: Duration::from_secs(2), ..Deadlines::default() };
    let mut told = Told::default();
    let began = Instant::now();
    let outcome = credential.sign(
        &mut impatient(deadlines),
        &device(&key),
        UserVerification::Omitted,
        &mut told,
    );
    let took = began.elapsed();
    assert_eq!(outcome, Err(KeyError::TouchTimedOut));
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(8), "{took:?}");
    assert!(told.waiting.len() >= 2 && told.over == 1, "{:?}", told.waiting);
    assert_called_off(&key);
    assert!(no_helper_runs());
    key.touch(Touch::Accept);
    credential.assert_works(&key);
}

fn an_interruption_calls_the_key_off() {
    let (key, credential) = key_with(Touch::Wait);
    let interrupt = Arc::new(AtomicBool::new(false));
    let mut keys = interruptible(Arc::clone(&interrupt));
    let here = device(&key);
    thread::scope(|scope| {
        let signing = scope.spawn(|| {
            let mut told = Told::default();
            let outcome = credential.sign(&mut keys, &here, UserVerification::Omitted, &mut told);
            (outcome, Instant::now())
        });
        key.wait_until_it_blinks();
        let interrupted = Instant::now();
        interrupt.store(true, Ordering::Relaxed);
        let (outcome, ended) = signing.join().expect("no panic");
        assert_eq!(outcome, Err(KeyError::Cancelled));
        assert!(ended - interrupted < Duration::from_secs(2), "{:?}", ended - interrupted);
    });
    assert_called_off(&key);
    assert!(no_helper_runs());
}

fn a_killed_program_leaves_a_quiet_key() {
    let office = visit(true, false);
    office.primary.touch(Touch::Wait);
    let check = office.as_reader(&["key", "check"]).start();
    office.primary.wait_until_it_blinks();
    check.signal("KILL");
    assert_called_off(&office.primary);
    wait_until("the helper has ended", no_helper_runs);
}

fn a_key_pulled_out_while_it_blinks_is_gone() {
    let (mut key, credential) = key_with(Touch::Wait);
    let here = device(&key);
    thread::scope(|scope| {
        let signing = scope.spawn(|| {
            let mut told = Told::default();
            let outcome = credential.sign(&mut keys(), &here, UserVerification::Omitted, &mut told);
            (outcome, told)
        });
        key.wait_until_it_blinks();
        // Long enough for the helper to have told that it waits.
        thread::sleep(Duration::from_millis(500));
        key.unplug();
        let (outcome, told) = signing.join().expect("no panic");
        assert_eq!(outcome, Err(KeyError::Gone(here.clone())));
        assert!(told.one_wait());
    });
    let mut told = Told::default();
    let outcome = credential.sign(&mut keys(), &here, UserVerification::Omitted, &mut told);
    assert_eq!(outcome, Err(KeyError::Gone(here)));
    assert!(told.waiting.is_empty());
}

fn a_key_that_waits_for_another_program_is_busy() {
    let (key, credential) = key_with(Touch::Wait);
    thread::scope(|scope| {
        let signing = scope.spawn(|| sign(&key, &credential).0);
        key.wait_until_it_blinks();
        let began = Instant::now();
        assert_eq!(info(&mut keys(), &key), Err(KeyError::Busy(device(&key))));
        assert!(began.elapsed() < Duration::from_secs(10));
        key.touch(Touch::Accept);
        // The one that waits saw a stranger's reports: it may be told so instead of signed to.
        match signing.join().expect("no panic") {
            Ok(assertion) => assert!(credential.signed(&assertion)),
            Err(error) => assert_eq!(error, KeyError::Busy(device(&key))),
        }
    });
}

fn a_device_without_permission_says_so() {
    let key = VirtualKey::plug("key");
    let command = format!("{KEYMUSTER} key info --json --device {}", key.device());
    let outcome = program("/bin/busybox", &["su", "-s", "/bin/sh", "nobody", "-c", &command]).run();
    assert_eq!(outcome.code(), Some(1), "{outcome:#?}");
    let said = format!("no permission to open security key {}", key.device());
    assert!(outcome.stderr.contains(&said), "{outcome:#?}");
    assert_eq!(key.events("command").len(), 0);
}

fn a_key_may_blink_for_a_quarter_of_a_minute() {
    let (key, credential) = key_with(Touch::Delay { ms: 15_000 });
    let (outcome, told) = sign(&key, &credential);
    assert!(credential.signed(&outcome.expect("a signature")));
    assert!(told.waiting.len() > 10, "{:?}", told.waiting);
}
