//! The packets of CTAPHID (CTAP 2.1, 11.2.4): 64 bytes each, which hidraw wants with a
//! report number 0 in front when they are written.

/// The longest message that fits 129 packets, in bytes.
pub(super) const MAX_MESSAGE: usize = START + 128 * PART;

/// The most payload in the packet that begins a message.
const START: usize = 64 - 7;
/// The most payload in each packet after it.
const PART: usize = 64 - 5;

const BROADCAST: [u8; 4] = [0xff; 4];
const CTAPHID_CBOR: u8 = 0x90;
const CTAPHID_CANCEL: u8 = 0x91;
const CTAPHID_KEEPALIVE: u8 = 0xbb;
const CTAPHID_ERROR: u8 = 0xbf;
const STATUS_PROCESSING: u8 = 1;

/// A packet from a key, as one channel sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// The key is still at it. Any status but "processing" means that it waits for its
    /// user, so that a key with a status of its own never waits without a prompt.
    Keepalive {
        /// Whether it waits for a touch.
        touch: bool,
    },
    /// An answer begins.
    Cbor {
        /// The length of the whole answer.
        length: usize,
        /// How it begins; may be longer than the answer.
        start: &'a [u8],
    },
    /// The key refuses on the level of packets.
    Error(u8),
    /// A message goes on.
    Continuation {
        /// Counts from 0.
        number: u8,
        /// The next bytes; may go on beyond the message.
        part: &'a [u8],
    },
    /// Another message on our channel.
    Unexpected,
    /// Said to another program.
    Foreign,
    /// Said to nobody in particular, or not a packet.
    Other,
}

impl<'a> Packet<'a> {
    /// Reads a report, for whom `channel` is ours.
    pub(super) fn read(report: &'a [u8], channel: [u8; 4]) -> Self {
        let Some((from, rest)) = report.split_first_chunk::<4>() else { return Self::Other };
        if *from == BROADCAST {
            return Self::Other;
        }
        if *from != channel {
            return Self::Foreign;
        }
        match rest {
            [CTAPHID_KEEPALIVE, _, _, status, ..] => {
                Self::Keepalive { touch: *status != STATUS_PROCESSING }
            }
            [CTAPHID_ERROR, _, _, code, ..] => Self::Error(*code),
            [CTAPHID_CBOR, high, low, start @ ..] => {
                Self::Cbor { length: usize::from(u16::from_be_bytes([*high, *low])), start }
            }
            [number, part @ ..] if number & 0x80 == 0 => {
                Self::Continuation { number: *number, part }
            }
            [_, ..] => Self::Unexpected,
            [] => Self::Other,
        }
    }
}

/// The reports that carry a CTAPHID_CBOR message of at most [`MAX_MESSAGE`] bytes, which
/// a longer one is cut to.
pub(super) fn of_message(channel: [u8; 4], message: &[u8]) -> Vec<[u8; 65]> {
    let message = message.get(..MAX_MESSAGE).unwrap_or(message);
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
    let (start, rest) = message.split_at(message.len().min(START));
    let begin = report(channel, &[&[CTAPHID_CBOR], &length, start]);
    let parts =
        rest.chunks(PART).zip(0..=127).map(|(part, number)| report(channel, &[&[number], part]));
    std::iter::once(begin).chain(parts).collect()
}

/// The report that calls off whatever the channel waits for.
pub(super) fn cancel(channel: [u8; 4]) -> [u8; 65] {
    report(channel, &[&[CTAPHID_CANCEL, 0, 0]])
}

fn report(channel: [u8; 4], parts: &[&[u8]]) -> [u8; 65] {
    let mut report = [0; 65];
    let bytes = channel.iter().chain(parts.iter().copied().flatten());
    for (place, byte) in report.iter_mut().skip(1).zip(bytes) {
        *place = *byte;
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [u8; 4] = [0, 0, 0, 7];

    #[test]
    fn only_a_keepalive_of_our_channel_asks_for_a_touch() {
        let read = |bytes: &'static [u8]| Packet::read(bytes, OURS);
        assert_eq!(read(&[0, 0, 0, 7, 0xbb, 0, 1, 2]), Packet::Keepalive { touch: true });
        assert_eq!(read(&[0, 0, 0, 7, 0xbb, 0, 1, 1]), Packet::Keepalive { touch: false });
        assert_eq!(read(&[0, 0, 0, 8, 0xbb, 0, 1, 2]), Packet::Foreign);
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x86, 0, 17]), Packet::Other);
        assert_eq!(read(&[0, 0, 0, 7, 0xbf, 0, 1, 6]), Packet::Error(6));
        assert_eq!(read(&[0, 0, 0, 7, 0x90, 1, 2, 9]), Packet::Cbor { length: 258, start: &[9] });
        assert_eq!(read(&[0, 0, 0, 7, 3, 2]), Packet::Continuation { number: 3, part: &[2] });
        assert_eq!(read(&[0, 0, 0, 7, 0x81, 0, 0]), Packet::Unexpected);
    }

    #[test]
    fn a_short_report_is_no_packet() {
        let read = |bytes: &'static [u8]| Packet::read(bytes, OURS);
        assert_eq!(read(&[]), Packet::Other);
        assert_eq!(read(&[0, 0, 0]), Packet::Other);
        assert_eq!(read(&OURS), Packet::Other);
        assert_eq!(read(&[0, 0, 0, 7, 0xbb]), Packet::Unexpected);
        assert_eq!(read(&[0, 0, 0, 7, 0x90, 1]), Packet::Unexpected);
    }

    #[test]
    fn a_cancel_names_its_channel_and_nothing_else() {
        let packet = cancel([1, 2, 3, 4]);
        assert_eq!(packet[..8], [0, 1, 2, 3, 4, 0x91, 0, 0]);
        assert!(packet[8..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_message_of_any_length_is_what_its_packets_say() {
        for length in [0, 1, START, START + 1, START + PART, START + PART + 1, MAX_MESSAGE] {
            let message: Vec<u8> = (0..=255).cycle().take(length).collect();
            let mut carried = Vec::new();
            for (place, report) in of_message(OURS, &message).iter().enumerate() {
                match Packet::read(&report[1..], OURS) {
                    Packet::Cbor { length: said, start } if place == 0 => {
                        assert_eq!(said, length);
                        carried.extend_from_slice(start);
                    }
                    Packet::Continuation { number, part } => {
                        assert_eq!(usize::from(number) + 1, place);
                        carried.extend_from_slice(part);
                    }
                    other => panic!("{other:?}"),
                }
            }
            carried.truncate(length);
            assert_eq!(carried, message);
        }
        assert_eq!(of_message(OURS, &[0; MAX_MESSAGE + 1]).len(), 129);
    }
}
