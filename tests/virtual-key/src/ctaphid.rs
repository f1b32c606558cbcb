//! CTAPHID framing: messages cut into 64-byte packets and put together again
//! (CTAP 2.1, section 11.2).

use std::time::{Duration, Instant};

/// The size of every report, both ways.
pub const PACKET_SIZE: usize = 64;
/// One report.
pub type Packet = [u8; PACKET_SIZE];
/// A channel id: it tells the programs that talk to the key apart.
pub type Channel = [u8; 4];

/// The channel on which a program asks for a channel of its own.
pub const CTAPHID_BROADCAST_CID: Channel = [0xff; 4];

#[expect(missing_docs, reason = "the names are the specification's")]
pub mod command {
    pub const CTAPHID_PING: u8 = 0x01;
    pub const CTAPHID_INIT: u8 = 0x06;
    pub const CTAPHID_WINK: u8 = 0x08;
    pub const CTAPHID_CBOR: u8 = 0x10;
    pub const CTAPHID_CANCEL: u8 = 0x11;
    pub const CTAPHID_KEEPALIVE: u8 = 0x3b;
    pub const CTAPHID_ERROR: u8 = 0x3f;
}

#[expect(missing_docs, reason = "the names are the specification's")]
pub mod error {
    pub const ERR_INVALID_CMD: u8 = 0x01;
    pub const ERR_INVALID_LEN: u8 = 0x03;
    pub const ERR_INVALID_SEQ: u8 = 0x04;
    pub const ERR_MSG_TIMEOUT: u8 = 0x05;
    pub const ERR_CHANNEL_BUSY: u8 = 0x06;
    pub const ERR_INVALID_CHANNEL: u8 = 0x0b;
}

/// The longest message that 1 + 128 packets can carry.
pub const MAX_MESSAGE: usize = FIRST_DATA + 128 * NEXT_DATA;
/// How long the rest of a message may take to arrive.
pub const ASSEMBLY_TIMEOUT: Duration = Duration::from_millis(500);

/// This bit of the fifth byte marks a message's first packet.
const FIRST_PACKET: u8 = 0x80;
const FIRST_DATA: usize = PACKET_SIZE - 7;
const NEXT_DATA: usize = PACKET_SIZE - 5;

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whose it is.
    pub channel: Channel,
    /// One of [`command`].
    pub command: u8,
    /// Its content.
    pub payload: Vec<u8>,
}

impl Message {
    /// Cuts the message into packets; a payload beyond [`MAX_MESSAGE`] is cut off.
    pub fn packets(&self) -> Vec<Packet> {
        let payload = &self.payload[..self.payload.len().min(MAX_MESSAGE)];
        let (head, tail) = payload.split_at(payload.len().min(FIRST_DATA));
        let mut first = [0; PACKET_SIZE];
        first[..4].copy_from_slice(&self.channel);
        first[4] = FIRST_PACKET | self.command;
        first[5..7].copy_from_slice(&(payload.len() as u16).to_be_bytes());
        first[7..7 + head.len()].copy_from_slice(head);
        let rest = (0_u8..).zip(tail.chunks(NEXT_DATA)).map(|(number, data)| {
            let mut next = [0; PACKET_SIZE];
            next[..4].copy_from_slice(&self.channel);
            next[4] = number;
            next[5..5 + data.len()].copy_from_slice(data);
            next
        });
        std::iter::once(first).chain(rest).collect()
    }
}

/// The channel a packet belongs to.
pub fn channel_of(packet: &Packet) -> Channel {
    [packet[0], packet[1], packet[2], packet[3]]
}

/// The command of a message's first packet; none for the packets after it.
pub fn command_of(packet: &Packet) -> Option<u8> {
    (packet[4] & FIRST_PACKET != 0).then_some(packet[4] & !FIRST_PACKET)
}

/// What a packet did to the message being put together.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More packets are needed, or the packet meant nothing.
    Pending,
    /// The message is whole.
    Complete(Message),
    /// The packet has to be refused with one of [`error`].
    Refused(Channel, u8),
}

/// Puts the packets of one message at a time together.
#[derive(Default)]
pub struct Assembler {
    begun: Option<Begun>,
}

struct Begun {
    message: Message,
    length: usize,
    next: u8,
    since: Instant,
}

impl Assembler {
    /// When the message being put together will be given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.begun.as_ref().map(|b| b.since + ASSEMBLY_TIMEOUT)
    }

    /// Gives the message up; the answer is the channel to tell.
    pub fn give_up(&mut self) -> Option<Channel> {
        self.begun.take().map(|b| b.message.channel)
    }

    /// Takes one packet.
    pub fn take(&mut self, packet: &Packet) -> Progress {
        let channel = channel_of(packet);
        match command_of(packet) {
            Some(command) => self.first(channel, command, packet),
            None => self.next(channel, packet),
        }
    }

    fn first(&mut self, channel: Channel, command: u8, packet: &Packet) -> Progress {
        if let Some(begun) = &self.begun {
            if begun.message.channel != channel {
                return Progress::Refused(channel, error::ERR_CHANNEL_BUSY);
            }
            // A new INIT on the same channel starts afresh; anything else is out of turn.
            self.begun = None;
            if command != command::CTAPHID_INIT {
                return Progress::Refused(channel, error::ERR_INVALID_SEQ);
            }
        }
        let length = usize::from(u16::from_be_bytes([packet[5], packet[6]]));
        if length > MAX_MESSAGE {
            return Progress::Refused(channel, error::ERR_INVALID_LEN);
        }
        let payload = packet[7..7 + length.min(FIRST_DATA)].to_vec();
        let message = Message { channel, command, payload };
        self.proceed(Begun { message, length, next: 0, since: Instant::now() })
    }

    fn next(&mut self, channel: Channel, packet: &Packet) -> Progress {
        match self.begun.take() {
            Some(begun) if begun.message.channel != channel => {
                self.begun = Some(begun);
                Progress::Pending
            }
            Some(mut begun) if begun.next == packet[4] => {
                let missing = begun.length - begun.message.payload.len();
                let data = &packet[5..5 + missing.min(NEXT_DATA)];
                begun.message.payload.extend(data);
                begun.next += 1;
                self.proceed(begun)
            }
            Some(_) => Progress::Refused(channel, error::ERR_INVALID_SEQ),
            None => Progress::Pending,
        }
    }

    fn proceed(&mut self, begun: Begun) -> Progress {
        if begun.message.payload.len() == begun.length {
            return Progress::Complete(begun.message);
        }
        self.begun = Some(begun);
        Progress::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Message {
        Message {
            channel: [0, 0, 0, 1],
            command: command::CTAPHID_PING,
            payload: (0..length).map(|n| n as u8).collect(),
        }
    }

    #[test]
    fn a_cut_message_is_put_together_again() {
        for length in [0, 1, 57, 58, 116, 117, 1200, MAX_MESSAGE] {
            let message = message(length);
            let mut packets = message.packets();
            let last = packets.pop().expect("a message has a packet");
            let mut assembler = Assembler::default();
            for packet in &packets {
                assert_eq!(assembler.take(packet), Progress::Pending);
            }
            assert_eq!(assembler.take(&last), Progress::Complete(message));
        }
    }

    #[test]
    fn a_packet_out_of_turn_is_refused() {
        let packets = message(200).packets();
        let mut assembler = Assembler::default();
        assembler.take(&packets[0]);
        let refused = Progress::Refused([0, 0, 0, 1], error::ERR_INVALID_SEQ);
        assert_eq!(assembler.take(&packets[2]), refused);
    }

    #[test]
    fn another_channel_is_told_that_the_key_is_busy() {
        let mut assembler = Assembler::default();
        assembler.take(&message(200).packets()[0]);
        let mut other = message(1).packets()[0];
        other[3] = 2;
        let refused = Progress::Refused([0, 0, 0, 2], error::ERR_CHANNEL_BUSY);
        assert_eq!(assembler.take(&other), refused);
    }
}
