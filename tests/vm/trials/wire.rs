//! What goes over the wire between host and virtual key, byte by byte: the parts of CTAPHID
//! that the other trials rely on without seeing them.

use super::trials;
use crate::host::{
    CANCEL, CBOR, ERROR, Handle, INIT, KEEPALIVE, MSG, PING, STATUS_PROCESSING, STATUS_UPNEEDED,
    WINK,
};
use crate::keys::{Touch, VirtualKey};
use crate::run::wait_until;
use libtest_mimic::Trial;
use serde_json::json;
use std::thread;
use std::time::Duration;

/// authenticatorSelection: waits for a touch and does nothing else.
const SELECTION: [u8; 1] = [0x0b];

pub(super) fn trials() -> Vec<Trial> {
    trials!["wire":
        a_ping_comes_back,
        commands_of_old_keys_are_refused,
        a_wink_is_written_down,
        a_key_blinks_on_the_wire_before_a_touch_counts,
        a_second_handle_sees_the_key_blink_and_cancels_it,
        a_key_that_blinks_is_busy_for_others,
        a_new_start_on_the_same_channel_aborts_the_command,
        a_cancel_out_of_season_is_not_answered,
        the_touch_can_be_changed_while_the_key_blinks,
    ]
}

fn a_ping_comes_back() {
    let key = VirtualKey::plug("key");
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, PING, b"hello");
    assert_eq!(&host.next_of(PING)[..12], [&channel[..], &[PING, 0, 5], b"hello"].concat());
}

fn commands_of_old_keys_are_refused() {
    let key = VirtualKey::plug("key");
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, MSG, &[0, 3, 0, 0]);
    assert_eq!(host.next()[4..8], [ERROR, 0, 1, 0x01], "ERR_INVALID_CMD");
    host.send([9; 4], PING, b"");
    assert_eq!(host.next()[4..8], [ERROR, 0, 1, 0x0b], "ERR_INVALID_CHANNEL");
}

fn a_wink_is_written_down() {
    let key = VirtualKey::plug("key");
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, WINK, b"");
    host.next_of(WINK);
    assert_eq!(key.events("wink").len(), 1);
}

fn a_key_blinks_on_the_wire_before_a_touch_counts() {
    let key = VirtualKey::plug("key");
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, CBOR, &SELECTION);
    let mut statuses = Vec::new();
    let answer = loop {
        let packet = host.next();
        if packet[4] != KEEPALIVE {
            break packet;
        }
        statuses.push(packet[7]);
    };
    assert_eq!(answer[4..8], [CBOR, 0, 1, 0], "CTAP2_OK");
    let blinks = statuses.iter().filter(|&&s| s == STATUS_UPNEEDED).count();
    assert!(blinks >= 2, "{statuses:?}");
    assert!(statuses.ends_with(&[STATUS_PROCESSING]), "{statuses:?}");
    assert_eq!(key.touches(), 1);
}

fn a_second_handle_sees_the_key_blink_and_cancels_it() {
    let key = VirtualKey::plug("key");
    key.touch(Touch::Wait);
    let (mut host, channel) = Handle::with_channel(&key);
    let mut second = Handle::open(&key);
    host.send(channel, CBOR, &SELECTION);
    second.wait_for_blinking();
    second.send(channel, CANCEL, b"");
    assert_eq!(host.next_of(CBOR)[5..8], [0, 1, 0x2d], "CTAP2_ERR_KEEPALIVE_CANCEL");
    assert!(key.quiet());
    let cancel = key.events("cancel").pop();
    assert_eq!(cancel.map(|c| c["during"].clone()), Some(json!(1)));
    // Nothing may follow, or the next command would take it for its answer.
    thread::sleep(Duration::from_millis(300));
    assert!(host.is_silent());
}

fn a_key_that_blinks_is_busy_for_others() {
    let key = VirtualKey::plug("key");
    key.touch(Touch::Wait);
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, CBOR, &SELECTION);
    host.wait_for_blinking();
    let (mut other, elsewhere) = Handle::with_channel(&key);
    other.send(elsewhere, CBOR, &[0x04]);
    let refusal = other.next_of(ERROR);
    assert_eq!(refusal[..4], elsewhere);
    assert_eq!(refusal[7], 0x06, "ERR_CHANNEL_BUSY");
    other.send(elsewhere, CANCEL, b"");
    key.touch(Touch::Accept);
    assert_eq!(host.next_of(CBOR)[7], 0, "somebody else's cancel means nothing");
}

fn a_new_start_on_the_same_channel_aborts_the_command() {
    let key = VirtualKey::plug("key");
    key.touch(Touch::Wait);
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, CBOR, &SELECTION);
    host.wait_for_blinking();
    host.send(channel, INIT, b"abcdefgh");
    assert_eq!(&host.next_of(INIT)[7..15], b"abcdefgh");
    wait_until("the command is over", || key.quiet());
    host.send(channel, PING, b"");
    assert_eq!(host.next()[4], PING, "the aborted command is not answered");
}

fn a_cancel_out_of_season_is_not_answered() {
    let key = VirtualKey::plug("key");
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, CANCEL, b"");
    host.send(channel, PING, b"");
    assert_eq!(host.next()[4], PING);
    assert_eq!(key.events("cancel").len(), 1);
}

fn the_touch_can_be_changed_while_the_key_blinks() {
    let key = VirtualKey::plug("key");
    key.touch(Touch::Wait);
    let (mut host, channel) = Handle::with_channel(&key);
    host.send(channel, CBOR, &SELECTION);
    key.wait_until_it_blinks();
    thread::sleep(Duration::from_millis(500));
    assert!(key.blinks());
    key.touch(Touch::Accept);
    assert_eq!(host.next_of(CBOR)[7], 0);
    assert_eq!(key.touches(), 1);
}
