//! CTAP commands that may wait for a touch, over CTAPHID (CTAP 2.1, 11.2).
//!
//! ctap-hid-fido2 pauses for 100 ms after each keepalive that it reads, and gives up after
//! 500. A key may send them faster than that; then the kernel's queue of 64 reports fills
//! up, and the answer is lost. So these commands are sent from here, on the crate's own
//! channel and through the second handle, once the crate is done with its part. Other
//! programs' reports are passed over, packets must come in order, and the sizes are those
//! of the standard.
//!
//! There is no deadline in here: the helper's parent keeps it, and sets
//! [`Session::cancel`].

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hidapi::HidDevice;

use super::Session;
use super::packet::{self, MAX_MESSAGE, Packet};

/// How long one read waits, so how soon a cancellation is seen, in milliseconds.
const SLICE: i32 = 50;

/// How long after one CTAPHID_CANCEL the next is written. The first may have come before
/// the key began to wait, and is then ignored by it (CTAP 2.1, 11.2.9.1.5).
pub(super) const CANCEL_AGAIN: Duration = Duration::from_millis(200);

/// Why a command came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The key's own word, of CTAP (CTAP 2.1, 8.2) or of CTAPHID (11.2.9.1.6).
    Status(u8),
    /// The device is gone.
    Lost,
    /// Packets that are no answer.
    Garbled,
}

/// A device as it is read and written, so that a test can be one.
pub(super) trait Port {
    /// Writes one report, its number 0 in front.
    fn write(&self, report: &[u8; 65]) -> Option<()>;
    /// Reads one report; gives 0 after so many milliseconds.
    fn read(&self, report: &mut [u8; 64], milliseconds: i32) -> Option<usize>;
}

impl Port for HidDevice {
    fn write(&self, report: &[u8; 65]) -> Option<()> {
        HidDevice::write(self, report).ok().map(drop)
    }

    fn read(&self, report: &mut [u8; 64], milliseconds: i32) -> Option<usize> {
        self.read_timeout(report, milliseconds).ok()
    }
}

/// An open channel to a key.
pub(super) struct Channel<P> {
    port: P,
    id: [u8; 4],
    session: Session,
}

impl<P: Port> Channel<P> {
    /// The channel that the key gave this number. Whatever was said on it so far is
    /// forgotten.
    pub(super) fn new(port: P, id: [u8; 4], session: Session) -> Self {
        Self { port, id, session }
    }

    /// Sends one CTAP command, its number in front, and gives the answer without its
    /// status.
    pub(super) fn call(&self, command: &[u8]) -> Result<Vec<u8>, Fault> {
        self.forget_what_was_said()?;
        for report in packet::of_message(self.id, command) {
            self.port.write(&report).ok_or(Fault::Lost)?;
        }
        let mut waiting = false;
        let answer = self.answer(&mut waiting);
        if waiting {
            (self.session.touch)(false);
        }
        match answer?.split_first() {
            Some((0, rest)) => Ok(rest.to_vec()),
            Some((status, _)) => Err(Fault::Status(*status)),
            None => Err(Fault::Garbled),
        }
    }

    /// Answers that the crate has had already wait at this handle, too.
    fn forget_what_was_said(&self) -> Result<(), Fault> {
        let mut report = [0; 64];
        // A key that talks without end must not keep us: its queue holds 64.
        for _ in 0..256 {
            if self.port.read(&mut report, 0).ok_or(Fault::Lost)? == 0 {
                break;
            }
        }
        Ok(())
    }

    fn answer(&self, waiting: &mut bool) -> Result<Vec<u8>, Fault> {
        let mut cancelled: Option<Instant> = None;
        let mut report = [0; 64];
        let mut message = Vec::new();
        let mut expected: Option<usize> = None;
        let mut sequence = 0;
        loop {
            if self.session.cancel.load(Ordering::Relaxed)
                && cancelled.is_none_or(|at| at.elapsed() > CANCEL_AGAIN)
            {
                cancelled = Some(Instant::now());
                self.port.write(&packet::cancel(self.id)).ok_or(Fault::Lost)?;
            }
            let length = self.port.read(&mut report, SLICE).ok_or(Fault::Lost)?;
            let said = Packet::read(report.get(..length).unwrap_or_default(), self.id);
            if !matches!(said, Packet::Keepalive { .. } | Packet::Foreign | Packet::Other)
                && *waiting
            {
                *waiting = false;
                (self.session.touch)(false);
            }
            match (said, expected) {
                (Packet::Foreign | Packet::Other, _) => continue,
                (Packet::Keepalive { touch }, None) => {
                    if touch != *waiting {
                        *waiting = touch;
                        (self.session.touch)(touch);
                    }
                }
                (Packet::Error(code), None) if code != 0 => return Err(Fault::Status(code)),
                (Packet::Cbor { length, start }, None) if length <= MAX_MESSAGE => {
                    message.extend_from_slice(start);
                    expected = Some(length);
                }
                (Packet::Continuation { number, part }, Some(_)) if number == sequence => {
                    message.extend_from_slice(part);
                    sequence += 1;
                }
                _ => return Err(Fault::Garbled),
            }
            if let Some(length) = expected
                && message.len() >= length
            {
                message.truncate(length);
                return Ok(message);
            }
        }
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
