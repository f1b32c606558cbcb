//! The machine and the virtual keys themselves, judged by programs that are not ours. If one
//! of these fails, no other trial means anything.

use super::trials;
use crate::keys::{Make, Touch, VirtualKey};
use crate::run::{Program, on_terminal, program, scratch, wait_until};
use libtest_mimic::Trial;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) fn trials() -> Vec<Trial> {
    trials!["test_bed":
        a_plugged_key_is_listed,
        the_kernel_knows_a_key_by_name_and_serial_number,
        a_key_tells_its_make,
        a_pin_that_was_set_is_asked_for,
        an_enrolment_takes_one_touch,
        a_declined_touch_enrols_nothing,
        a_touch_that_never_comes_times_out,
        a_cancelled_key_is_quiet,
        a_replugged_key_keeps_its_credentials,
        a_key_pulled_out_while_it_blinks_fails_the_enrolment,
        a_hostile_key_enrols_nothing,
        the_program_under_test_is_in_the_machine,
        a_program_gets_what_a_trial_gives_it,
        a_program_that_is_given_up_takes_its_children_with_it,
    ]
}

/// Has ssh-keygen enrol the key; it asks for a touch and for no PIN.
fn enrol(key: &VirtualKey, kind: &str, file: &Path) -> Program {
    let device = format!("device={}", key.device());
    let file = file.display().to_string();
    program("ssh-keygen", &["-q", "-t", kind, "-N", "", "-O", &device, "-f", &file])
}

/// Has ssh-keygen sign a file with an enrolled key, wherever that is plugged in.
fn sign(identity: &Path, file: &Path) -> Program {
    let (identity, file) = (identity.display().to_string(), file.display().to_string());
    program("ssh-keygen", &["-q", "-Y", "sign", "-n", "file", "-f", &identity, &file])
}

fn a_plugged_key_is_listed() {
    let first = VirtualKey::plug("first");
    let mut second = VirtualKey::plug("second");
    let listed = || program("fido2-token", &["-L"]).run().expect_success();
    let both = listed();
    assert!(both.contains(first.device()), "{both}");
    assert!(both.contains(second.device()), "{both}");
    let gone = second.device().to_owned();
    second.unplug();
    let one = listed();
    assert!(one.contains(first.device()), "{one}");
    assert!(!one.contains(&gone), "{one}");
}

fn the_kernel_knows_a_key_by_name_and_serial_number() {
    let plain = VirtualKey::plug("key");
    let other = VirtualKey::plug_made("key", Make::named("A Key of Another Make"));
    assert_ne!(plain.serial(), other.serial());
    let node = Path::new(other.device()).file_name().expect("it is a path");
    let facts = Path::new("/sys/class/hidraw").join(node).join("device/uevent");
    let facts = std::fs::read_to_string(facts).expect("the kernel tells");
    let serial = format!("HID_UNIQ={}", other.serial());
    for fact in ["HID_NAME=A Key of Another Make", &serial] {
        assert!(facts.lines().any(|line| line == fact), "{facts}");
    }
}

fn a_key_tells_its_make() {
    let key = VirtualKey::plug_made("key", Make::with(&["--min-pin", "6", "--always-uv"]));
    let info = program("fido2-token", &["-I", key.device()]).run().expect_success();
    for fact in ["hmac-secret", "es256", "eddsa", "alwaysUv", "minpinlen: 6", "FIDO_2_1"] {
        assert!(info.contains(fact), "{fact} is missing in {info}");
    }
    assert!(!info.contains("U2F_V2"), "{info}");
    assert!(!info.contains("noalwaysUv"), "{info}");
    assert_eq!(key.touches_asked(), 0);
    assert!(key.quiet());
}

fn a_pin_that_was_set_is_asked_for() {
    let key = VirtualKey::plug("key");
    on_terminal(&format!("fido2-token -S {}", key.device()))
        .answer("Enter new PIN", "12345678")
        .answer("again", "12345678")
        .run()
        .expect_success();
    let info = program("fido2-token", &["-I", key.device()]).run().expect_success();
    assert!(!info.contains("noclientPin"), "{info}");
    assert_eq!(key.pin_tokens(), 0);
    let accepted = on_terminal(&format!("fido2-token -L -r {}", key.device()))
        .answer("Enter PIN", "12345678")
        .run();
    // fido2-token takes an empty list for a failure.
    assert!(accepted.stdout.contains("NO_CREDENTIALS"), "{accepted:?}");
    assert_eq!(key.pin_tokens(), 1);
    let refused = on_terminal(&format!("fido2-token -L -r {}", key.device()))
        .answer("Enter PIN", "87654321")
        .run();
    assert!(refused.stdout.contains("PIN_INVALID"), "{refused:?}");
    assert_eq!(key.pin_tokens(), 2);
    assert_eq!(key.touches_asked(), 0);
    let info = program("fido2-token", &["-I", key.device()]).run().expect_success();
    assert!(info.contains("pin retries: 7"), "{info}");
}

fn an_enrolment_takes_one_touch() {
    let key = VirtualKey::plug("key");
    for (number, kind) in ["ecdsa-sk", "ed25519-sk"].into_iter().enumerate() {
        let file = scratch().join("id");
        enrol(&key, kind, &file).run().expect_success();
        assert!(file.exists());
        assert_eq!(key.touches(), number + 1);
    }
    let enrolled = key.commands("makeCredential");
    let last = enrolled.last().expect("the key was asked to make a credential");
    assert_eq!(last["rpId"], "ssh:");
    assert_eq!(last["status"], json!(0));
}

fn a_declined_touch_enrols_nothing() {
    let key = VirtualKey::plug("key");
    key.touch(Touch::Deny);
    let file = scratch().join("id");
    enrol(&key, "ecdsa-sk", &file).run().expect_failure();
    assert!(!file.exists());
    assert_eq!(key.touches(), 0);
    assert!(key.touches_asked() > 0);
    let status = key.commands("makeCredential").pop().map(|c| c["status"].clone());
    assert_eq!(status, Some(json!(0x27)), "CTAP2_ERR_OPERATION_DENIED");
}

fn a_touch_that_never_comes_times_out() {
    let key = VirtualKey::plug("key");
    key.touch(Touch::Timeout { ms: 1000 });
    let began = Instant::now();
    enrol(&key, "ecdsa-sk", &scratch().join("id")).run().expect_failure();
    assert!(began.elapsed() >= Duration::from_secs(1));
    let status = key.commands("makeCredential").pop().map(|c| c["status"].clone());
    assert_eq!(status, Some(json!(0x2f)), "CTAP2_ERR_USER_ACTION_TIMEOUT");
}

/// With several keys, ssh-keygen lets a touch choose, and cancels the others.
fn a_cancelled_key_is_quiet() {
    let waiting = VirtualKey::plug("waiting");
    let touched = VirtualKey::plug("touched");
    waiting.touch(Touch::Wait);
    touched.touch(Touch::Delay { ms: 500 });
    let file = scratch().join("id");
    let file = file.display().to_string();
    program("ssh-keygen", &["-q", "-t", "ecdsa-sk", "-N", "", "-f", &file]).run().expect_success();
    wait_until("the waiting key is quiet", || waiting.quiet());
    assert_eq!(waiting.touches(), 0);
    assert_eq!(waiting.events("cancel").len(), 1);
    let last = waiting.events("command").pop().map(|c| c["status"].clone());
    assert_eq!(last, Some(json!(0x2d)), "CTAP2_ERR_KEEPALIVE_CANCEL");
}

fn a_replugged_key_keeps_its_credentials() {
    let mut key = VirtualKey::plug("key");
    let directory = scratch();
    let (identity, message) = (directory.join("id"), directory.join("message"));
    enrol(&key, "ed25519-sk", &identity).run().expect_success();
    std::fs::write(&message, "hello\n").expect("the directory can be written to");
    key.unplug();
    sign(&identity, &message).run().expect_failure();
    key.replug();
    sign(&identity, &message).run().expect_success();
    assert!(message.with_extension("sig").exists());
    assert_eq!(key.touches(), 2);
    let other = VirtualKey::plug("other");
    key.unplug();
    sign(&identity, &message).run().expect_failure();
    assert_eq!(other.touches(), 0);
}

fn a_key_pulled_out_while_it_blinks_fails_the_enrolment() {
    let mut key = VirtualKey::plug("key");
    key.touch(Touch::Wait);
    let enrolment = enrol(&key, "ecdsa-sk", &scratch().join("id")).start();
    key.wait_until_it_blinks();
    assert!(!key.quiet());
    key.unplug();
    enrolment.finish().expect_failure();
    key.touch(Touch::Accept);
    key.replug();
    enrol(&key, "ecdsa-sk", &scratch().join("id")).run().expect_success();
}

fn a_hostile_key_enrols_nothing() {
    let key = VirtualKey::plug("key");
    let hostilities = || key.events("hostile").len();
    for kind in ["truncated", "nested", "lying-length", "flipped", "garbage makeCredential"] {
        key.turn_hostile(kind);
        let before = hostilities();
        let file = scratch().join("id");
        // ssh-keygen may wait for a long time for the rest of an answer; what counts is that
        // it gets nothing it takes for a credential.
        let mut enrolment = enrol(&key, "ecdsa-sk", &file).start();
        let began = Instant::now();
        while enrolment.is_running() && began.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!file.exists(), "{kind}");
        assert!(hostilities() > before, "{kind}");
        drop(enrolment);
    }
    key.turn_honest();
    let file = scratch().join("id");
    enrol(&key, "ecdsa-sk", &file).run().expect_success();
}

fn the_program_under_test_is_in_the_machine() {
    crate::run::keymuster(&["--version"]).run().expect_success();
}

fn a_program_gets_what_a_trial_gives_it() {
    let directory = scratch();
    let outcome = program("sh", &["-c", "cat; echo $WORD; pwd; echo aside >&2; exit 3"])
        .env("WORD", "spoken")
        .current_dir(&directory)
        .stdin("read\n")
        .run();
    assert_eq!(outcome.code(), Some(3));
    assert_eq!(outcome.stdout, format!("read\nspoken\n{}\n", directory.display()));
    assert_eq!(outcome.expect_failure(), "aside\n");
}

fn a_program_that_is_given_up_takes_its_children_with_it() {
    let sleepers = || program("pidof", &["sleep"]).run().stdout;
    let mut parent = program("sh", &["-c", "sleep 7654 & echo up; wait"]).start();
    wait_until("the child runs", || parent.said() == "up\n" && !sleepers().is_empty());
    assert!(parent.is_running());
    drop(parent);
    wait_until("the child is gone", || sleepers().is_empty());
    let parent = program("sh", &["-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done"]);
    let parent = parent.start();
    wait_until("the program runs", || parent.said() == "up\n");
    parent.signal("TERM");
    assert_eq!(parent.finish().code(), Some(5));
}
