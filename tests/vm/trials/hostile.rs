//! That a hostile key is as hostile as it claims: a trial that meets one must not pass because
//! the key was nice.

use super::trials;
use crate::host::{CANCEL, CBOR, Handle, INIT, KEEPALIVE, STATUS_PROCESSING, STATUS_UPNEEDED};
use crate::keys::VirtualKey;
use libtest_mimic::Trial;
use std::time::Duration;

const GET_INFO: [u8; 1] = [0x04];
const GET_NEXT_ASSERTION: [u8; 1] = [0x08];
const A_WHILE: Duration = Duration::from_millis(500);

pub(super) fn trials() -> Vec<Trial> {
    trials!["hostile":
        a_silent_key_says_nothing,
        a_key_can_be_hostile_in_one_command_only,
        endless_keepalives_heed_no_cancel,
        garbage_holds_frames_on_the_right_channel,
        wrong_answers_differ_from_the_right_one,
        a_flipped_refusal_is_the_right_one,
    ]
}

fn a_silent_key_says_nothing() {
    let key = VirtualKey::plug("key");
    key.turn_hostile("silence");
    let mut host = Handle::open(&key);
    host.send([0xff; 4], INIT, b"12345678");
    assert_eq!(host.listen(A_WHILE).len(), 0);
    key.turn_honest();
    let (mut host, channel) = Handle::with_channel(&key);
    assert_eq!(host.command(channel, &GET_INFO)[0], 0);
}

fn a_key_can_be_hostile_in_one_command_only() {
    let key = VirtualKey::plug("key");
    key.turn_hostile("silence selection");
    let (mut host, channel) = Handle::with_channel(&key);
    assert_eq!(host.command(channel, &GET_INFO)[0], 0);
    host.send(channel, CBOR, &[0x0b]);
    assert_eq!(host.listen(A_WHILE).len(), 0, "authenticatorSelection");
    assert_eq!(key.touches_asked(), 0);
}

fn endless_keepalives_heed_no_cancel() {
    let kinds = [("endless-keepalives", STATUS_PROCESSING), ("endless-blinking", STATUS_UPNEEDED)];
    for (kind, status) in kinds {
        let key = VirtualKey::plug("key");
        key.turn_hostile(kind);
        let (mut host, channel) = Handle::with_channel(&key);
        host.send(channel, CBOR, &GET_INFO);
        host.send(channel, CANCEL, b"");
        host.listen(A_WHILE);
        let later = host.listen(A_WHILE);
        assert!(later.len() >= 2, "{kind}");
        let all_alike = later.iter().all(|p| (p[4], p[7]) == (KEEPALIVE, status));
        assert!(all_alike, "{later:?}");
    }
}

fn a_flipped_refusal_is_the_right_one() {
    let key = VirtualKey::plug("key");
    key.turn_hostile("flipped");
    let (mut host, channel) = Handle::with_channel(&key);
    // CTAP2_ERR_NOT_ALLOWED: no assertion came before.
    assert_eq!(host.command(channel, &GET_NEXT_ASSERTION), [0x30]);
}

fn garbage_holds_frames_on_the_right_channel() {
    let key = VirtualKey::plug("key");
    key.turn_hostile("garbage");
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, CBOR, &GET_INFO);
    let frames = host.listen(A_WHILE);
    let on_channel = frames.iter().filter(|f| f[..4] == channel).count();
    assert!(0 < on_channel && on_channel < frames.len(), "{frames:?}");
}

fn wrong_answers_differ_from_the_right_one() {
    let key = VirtualKey::plug("key");
    let (mut host, channel) = Handle::with_channel(&key);
    let right = host.command(channel, &GET_INFO);
    let mut answer = |kind: &str| {
        key.turn_hostile(kind);
        host.command(channel, &GET_INFO)
    };
    assert_eq!(answer("truncated"), right[..right.len() / 2]);
    let flipped = answer("flipped");
    assert_eq!(flipped[..right.len() - 1], right[..right.len() - 1]);
    assert_ne!(flipped, right);
    assert!(answer("nested").len() > 7000);
    assert_eq!(answer("lying-length")[..5], [0, 0xa1, 1, 0x5a, 0xff]);
    key.turn_hostile("foreign-channel");
    host.send(channel, CBOR, &GET_INFO);
    let frames = host.listen(A_WHILE);
    let mut answers = frames.iter().filter(|frame| frame[4] == CBOR).peekable();
    assert!(answers.peek().is_some());
    assert!(answers.all(|frame| frame[..4] != channel));
}
