//! A second handle on a device while ctap-hid-fido2 reads the first one.
//!
//! The kernel gives every opener all reports. So this handle sees the key ask for a touch,
//! sees whether other programs talk to the key at the same time, and can write a
//! CTAPHID_CANCEL while the crate is blocked in its own read.
//!
//! Must never write anything else: the channel belongs to the crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use hidapi::HidDevice;

use super::Session;
use super::packet::{self, Packet};
use super::transport::CANCEL_AGAIN;
use crate::key::KeyError;
use crate::key::helper::words::failed;

/// How long one read waits, so how soon a cancellation is seen, in milliseconds.
const SLICE: i32 = 50;

/// Watches until it is stopped or dropped.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    saw_others: Arc<AtomicBool>,
    thread: Option<JoinHandle<HidDevice>>,
}

impl Watch {
    /// Watches `channel` through `device`, a handle of its own.
    pub(super) fn start(
        device: HidDevice,
        channel: [u8; 4],
        session: Session,
    ) -> Result<Self, KeyError> {
        let stop = Arc::new(AtomicBool::new(false));
        let saw_others = Arc::new(AtomicBool::new(false));
        let (stop_seen, others) = (Arc::clone(&stop), Arc::clone(&saw_others));
        let thread = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || {
                watch(&device, channel, &session, &stop_seen, &others);
                device
            })
            .map_err(|_| KeyError::Helper(failed::NO_THREAD.to_owned()))?;
        Ok(Self { stop, saw_others, thread: Some(thread) })
    }

    /// Whether another program has talked to the key meanwhile.
    pub(super) fn saw_others(&self) -> bool {
        self.saw_others.load(Ordering::Relaxed)
    }

    /// Stops watching, and gives the handle back.
    pub(super) fn stop(mut self) -> Option<HidDevice> {
        self.join()
    }

    fn join(&mut self) -> Option<HidDevice> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.join();
    }
}

fn watch(
    device: &HidDevice,
    channel: [u8; 4],
    session: &Session,
    stop: &AtomicBool,
    saw_others: &AtomicBool,
) {
    let mut report = [0; 64];
    let mut waiting = false;
    let mut cancelled: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) {
        if session.cancel.load(Ordering::Relaxed)
            && cancelled.is_none_or(|at| at.elapsed() > CANCEL_AGAIN)
        {
            cancelled = Some(Instant::now());
            if device.write(&packet::cancel(channel)).is_err() {
                return;
            }
        }
        let Ok(length) = device.read_timeout(&mut report, SLICE) else { return };
        let wait = match Packet::read(report.get(..length).unwrap_or_default(), channel) {
            Packet::Keepalive { touch } => touch,
            Packet::Cbor { .. } | Packet::Error(_) | Packet::Unexpected => false,
            Packet::Continuation { .. } | Packet::Other => waiting,
            Packet::Foreign => {
                saw_others.store(true, Ordering::Relaxed);
                waiting
            }
        };
        if wait != waiting {
            waiting = wait;
            (session.touch)(waiting);
        }
    }
}
