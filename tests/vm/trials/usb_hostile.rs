//! What a hostile key gets out of the library: an error in time, and nothing that passes for
//! a credential or a signature. The next request to the same key, honest again, succeeds.

use super::trials;
use super::usb::{
    Credential, Told, device, enrol_with, impatient, info, keys, make, no_helper_runs, verify,
};
use crate::keys::VirtualKey;
use crate::run::wait_until;
use keymuster::key::helper::{Deadlines, UsbKeys};
use keymuster::key::{Algorithm, KeyError, UserVerification};
use libtest_mimic::Trial;
use std::time::{Duration, Instant};

/// For keys that use them up, of which there are many. Where an answer comes, the real ones
/// hold, since a busy machine may be slow.
const SHORT: Deadlines = Deadlines {
    quiet: Duration::from_secs(2),
    touch: Duration::from_secs(1),
    touch_overall: Duration::from_secs(2),
    goodbye: Duration::from_millis(500),
};
/// Longer than the longest of any deadlines, and than a busy machine needs.
const IN_TIME: Duration = Duration::from_secs(90);

pub(super) fn trials() -> Vec<Trial> {
    trials!["usb_hostile":
        a_silent_key_is_given_up,
        a_dead_key_is_given_up,
        a_key_that_is_busy_for_ever_is_given_up,
        a_key_that_blinks_for_ever_is_given_up,
        an_answer_on_a_foreign_channel_is_no_answer,
        garbage_is_no_answer,
        half_an_answer_is_no_answer,
        a_deeply_nested_answer_is_no_answer,
        an_answer_that_lies_about_its_length_is_no_answer,
        a_flipped_bit_is_no_signature,
    ]
}

/// What came of each request to a key that is hostile in answering just that.
struct Outcomes {
    /// Of asking what it can do.
    info: Result<(), KeyError>,
    /// Of asking for a signature: whether what came verifies.
    signature: Result<bool, KeyError>,
    /// Of asking for a credential: whether what came attests itself.
    credential: Result<bool, KeyError>,
}

/// Meets a key with this kind of hostility, in each of its answers in turn.
#[track_caller]
fn meet(kind: &str, deadlines: Deadlines) -> (VirtualKey, Outcomes) {
    let key = VirtualKey::plug("hostile");
    let credential = Credential::enrol(&key, None);
    let mut keys = impatient(deadlines);
    let outcomes = Outcomes {
        info: under_attack(&key, &format!("{kind} getInfo"), || info(&mut keys, &key).map(drop)),
        signature: under_attack(&key, &format!("{kind} getAssertion"), || {
            sign(&mut keys, &key, &credential)
        }),
        credential: under_attack(&key, &format!("{kind} makeCredential"), || {
            enrol(&mut keys, &key)
        }),
    };
    credential.assert_works(&key);
    (key, outcomes)
}

/// Asks a key while it is hostile. Fails if the key was not, if the answer takes too long, if
/// a helper outlives it, or if the key, honest again, has no answer.
#[track_caller]
fn under_attack<T>(key: &VirtualKey, hostility: &str, ask: impl FnOnce() -> T) -> T {
    let attacks = key.events("hostile").len();
    key.turn_hostile(hostility);
    let began = Instant::now();
    let outcome = ask();
    let took = began.elapsed();
    assert!(took < IN_TIME, "{hostility} took {took:?}");
    assert!(key.events("hostile").len() > attacks, "{hostility} was not met");
    assert!(no_helper_runs(), "{hostility} leaves a helper behind");
    key.turn_honest();
    wait_until("the key is at rest", || is_at_rest(key));
    outcome
}

/// Keepalives without end go on until the key gets its next command. Until then, one that
/// comes when a channel is asked for looks like another program's.
#[track_caller]
fn is_at_rest(key: &VirtualKey) -> bool {
    match info(&mut keys(), key) {
        Ok(_) => true,
        Err(KeyError::Busy(_)) => false,
        Err(error) => panic!("an honest key answers: {error}"),
    }
}

fn sign(keys: &mut UsbKeys, key: &VirtualKey, credential: &Credential) -> Result<bool, KeyError> {
    let mut told = Told::default();
    let outcome = credential.sign(keys, &device(key), UserVerification::Omitted, &mut told);
    assert_eq!(told.over, usize::from(!told.waiting.is_empty()), "a prompt stands for ever");
    outcome.map(|assertion| credential.signed(&assertion))
}

fn enrol(keys: &mut UsbKeys, key: &VirtualKey) -> Result<bool, KeyError> {
    let request = make(Algorithm::Es256);
    let made = enrol_with(keys, key, &request, UserVerification::Omitted)?;
    let public_key = Credential::of(&made).public_key;
    let data = &made.authenticator_data;
    Ok(verify(&public_key, data, &request.challenge, &made.signature).is_ok())
}

fn is_nonsense<T>(outcome: &Result<T, KeyError>) -> bool {
    matches!(outcome, Err(KeyError::Nonsense(_)))
}

/// Fails unless no request got an answer, and the key is said to be silent.
#[track_caller]
fn assert_given_up(kind: &str) {
    let (key, outcomes) = meet(kind, SHORT);
    let silent = KeyError::Silent(device(&key));
    assert_eq!(outcomes.info, Err(silent.clone()));
    assert_eq!(outcomes.signature, Err(silent.clone()));
    assert_eq!(outcomes.credential, Err(silent));
}

/// Fails unless each request got an answer that is said to make no sense.
#[track_caller]
fn assert_makes_no_sense(kind: &str) {
    let (_, outcomes) = meet(kind, Deadlines::default());
    assert!(is_nonsense(&outcomes.info), "{:?}", outcomes.info);
    assert!(is_nonsense(&outcomes.signature), "{:?}", outcomes.signature);
    assert!(is_nonsense(&outcomes.credential), "{:?}", outcomes.credential);
}

fn a_silent_key_is_given_up() {
    assert_given_up("silence");
}

/// One that gives out no channel, where the others fail in a command.
fn a_dead_key_is_given_up() {
    let key = VirtualKey::plug("dead");
    key.turn_hostile("silence");
    let began = Instant::now();
    let outcome = info(&mut impatient(SHORT), &key);
    assert_eq!(outcome, Err(KeyError::Silent(device(&key))));
    assert!(began.elapsed() < IN_TIME, "{:?}", began.elapsed());
    assert!(no_helper_runs());
    key.turn_honest();
    info(&mut keys(), &key).expect("an honest key answers");
}

fn a_key_that_is_busy_for_ever_is_given_up() {
    assert_given_up("endless-keepalives");
}

fn a_key_that_blinks_for_ever_is_given_up() {
    let (_, outcomes) = meet("endless-blinking", SHORT);
    assert!(is_nonsense(&outcomes.info), "no touch is needed: {:?}", outcomes.info);
    assert_eq!(outcomes.signature, Err(KeyError::TouchTimedOut));
    assert_eq!(outcomes.credential, Err(KeyError::TouchTimedOut));
}

/// What a key says of itself is taken from any channel: it proves nothing anyway.
fn an_answer_on_a_foreign_channel_is_no_answer() {
    let (key, outcomes) = meet("foreign-channel", SHORT);
    assert_eq!(outcomes.signature, Err(KeyError::Silent(device(&key))));
    assert_eq!(outcomes.credential, Err(KeyError::Silent(device(&key))));
}

/// A random frame may hold any status, or nothing that ends.
fn garbage_is_no_answer() {
    let (_, outcomes) = meet("garbage", SHORT);
    outcomes.info.expect_err("garbage says nothing of a key");
    outcomes.signature.expect_err("garbage signs nothing");
    outcomes.credential.expect_err("garbage is no credential");
}

fn half_an_answer_is_no_answer() {
    assert_makes_no_sense("truncated");
}

fn a_deeply_nested_answer_is_no_answer() {
    assert_makes_no_sense("nested");
}

fn an_answer_that_lies_about_its_length_is_no_answer() {
    assert_makes_no_sense("lying-length");
}

/// The library hands on what has the form of a signature, and whoever asked for it verifies.
fn a_flipped_bit_is_no_signature() {
    let (_, outcomes) = meet("flipped", Deadlines::default());
    assert_eq!(outcomes.signature, Ok(false));
    assert_eq!(outcomes.credential, Ok(false));
}
