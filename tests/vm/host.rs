//! A host that speaks CTAPHID by hand, for what no program on the machine does.

use crate::keys::VirtualKey;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

pub(crate) const PING: u8 = 0x81;
pub(crate) const MSG: u8 = 0x83;
pub(crate) const INIT: u8 = 0x86;
pub(crate) const WINK: u8 = 0x88;
pub(crate) const CBOR: u8 = 0x90;
pub(crate) const CANCEL: u8 = 0x91;
pub(crate) const KEEPALIVE: u8 = 0xbb;
pub(crate) const ERROR: u8 = 0xbf;
pub(crate) const STATUS_PROCESSING: u8 = 1;
pub(crate) const STATUS_UPNEEDED: u8 = 2;
pub(crate) const BROADCAST: [u8; 4] = [0xff; 4];

/// An open device. Each open handle sees all that the key says.
pub(crate) struct Handle {
    device: File,
    packets: Receiver<[u8; 64]>,
}

impl Handle {
    /// Opens the device.
    pub(crate) fn open(key: &VirtualKey) -> Self {
        let open = || File::options().read(true).write(true).open(key.device());
        let device = open().expect("the device can be opened");
        let mut reader = device.try_clone().expect("a file can be cloned");
        let (sender, packets) = channel();
        // It ends when the key is unplugged.
        thread::spawn(move || {
            let mut packet = [0; 64];
            while reader.read_exact(&mut packet).is_ok() && sender.send(packet).is_ok() {}
        });
        Self { device, packets }
    }

    /// Opens the device and asks for a channel.
    pub(crate) fn with_channel(key: &VirtualKey) -> (Self, [u8; 4]) {
        let mut this = Self::open(key);
        this.send(BROADCAST, INIT, b"12345678");
        let packet = this.next_of(INIT);
        assert_eq!(&packet[7..15], b"12345678");
        let channel = [packet[15], packet[16], packet[17], packet[18]];
        (this, channel)
    }

    /// Sends a message, in as many reports as it needs.
    pub(crate) fn send(&mut self, channel: [u8; 4], command: u8, payload: &[u8]) {
        let (head, tail) = payload.split_at(payload.len().min(57));
        let length = (payload.len() as u16).to_be_bytes();
        self.send_report(&[&channel[..], &[command], &length, head].concat());
        for (number, data) in (0_u8..).zip(tail.chunks(59)) {
            self.send_report(&[&channel[..], &[number], data].concat());
        }
    }

    fn send_report(&mut self, content: &[u8]) {
        // The leading zero is hidraw's report number.
        let mut report = [0; 65];
        report[1..=content.len()].copy_from_slice(content);
        self.device.write_all(&report).expect("the key listens");
    }

    /// Sends a CTAP command and gives the answer: the status, then the CBOR.
    #[track_caller]
    pub(crate) fn command(&mut self, channel: [u8; 4], payload: &[u8]) -> Vec<u8> {
        self.send(channel, CBOR, payload);
        let first = self.next_of(CBOR);
        let length = usize::from(u16::from_be_bytes([first[5], first[6]]));
        let mut answer = first[7..].to_vec();
        while answer.len() < length {
            answer.extend(&self.next()[5..]);
        }
        answer.truncate(length);
        answer
    }

    /// The next report of the key.
    #[track_caller]
    pub(crate) fn next(&self) -> [u8; 64] {
        let patience = Duration::from_secs(20);
        let packet = self.packets.recv_timeout(patience);
        packet.expect("the key says something")
    }

    /// The next report with this command, whatever comes before it.
    #[track_caller]
    pub(crate) fn next_of(&self, command: u8) -> [u8; 64] {
        loop {
            let packet = self.next();
            if packet[4] == command {
                return packet;
            }
        }
    }

    /// What the key says within this time.
    pub(crate) fn listen(&self, time: Duration) -> Vec<[u8; 64]> {
        thread::sleep(time);
        self.packets.try_iter().collect()
    }

    /// Whether the key has said nothing that was not read.
    pub(crate) fn is_silent(&self) -> bool {
        self.packets.try_recv().is_err()
    }

    /// Waits until the key says that it waits for a touch.
    #[track_caller]
    pub(crate) fn wait_for_blinking(&self) {
        while self.next_of(KEEPALIVE)[7] != STATUS_UPNEEDED {}
    }
}
