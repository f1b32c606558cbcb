//! The key's end of the cable: messages in and out, and the keepalives in between.

use crate::ctaphid::command::{
    CTAPHID_CANCEL, CTAPHID_ERROR, CTAPHID_INIT, CTAPHID_KEEPALIVE, CTAPHID_PING,
};
use crate::ctaphid::error::{ERR_CHANNEL_BUSY, ERR_INVALID_CHANNEL, ERR_MSG_TIMEOUT};
use crate::ctaphid::{
    Assembler, CTAPHID_BROADCAST_CID, Channel, Message, Packet, Progress, channel_of, command_of,
};
use crate::uhid::Uhid;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a key that is at work says so (CTAP 2.1, section 11.2.9.2.2).
const KEEPALIVE_INTERVAL: Duration = Duration::from_millis(100);

/// How often the key looks whether a keepalive is due.
const TICK: Duration = Duration::from_millis(20);

/// Full-speed USB carries at most one report in a millisecond. The kernel keeps 64 reports for
/// a host that is slow to read and throws the others away, so a faster key would lose some.
const REPORT_INTERVAL: Duration = Duration::from_millis(1);

const CTAPHID_PROTOCOL_VERSION: u8 = 2;
const CAPABILITY_WINK: u8 = 0x01;
const CAPABILITY_CBOR: u8 = 0x04;
const CAPABILITY_NMSG: u8 = 0x08;
const INIT_NONCE: usize = 8;

/// What a keepalive says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `STATUS_PROCESSING`: the key computes.
    Processing = 1,
    /// `STATUS_UPNEEDED`: the key waits for a touch.
    UserPresenceNeeded = 2,
}

/// What came in while the key waits for a touch.
pub enum Interruption {
    /// CTAPHID_CANCEL: answer that the command was cancelled.
    Cancel,
    /// CTAPHID_INIT: forget the command, without an answer.
    Abort,
}

/// The plug.
pub struct Port {
    wire: Arc<Wire>,
    inbox: Receiver<Packet>,
    assembler: Assembler,
    channels: u32,
}

/// What the threads share: all that may be sent at any time.
struct Wire {
    device: Uhid,
    busy: Mutex<Option<Busy>>,
}

/// The command that keeps the key busy.
struct Busy {
    channel: Channel,
    status: Status,
    next_keepalive: Instant,
}

impl Busy {
    fn new(channel: Channel, status: Status) -> Self {
        Self { channel, status, next_keepalive: Instant::now() + KEEPALIVE_INTERVAL }
    }
}

impl Wire {
    /// The lock is held while keepalives are sent, so that none follows the answer.
    fn busy(&self) -> MutexGuard<'_, Option<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, message: &Message) -> io::Result<()> {
        let packets = message.packets();
        packets.iter().try_for_each(|packet| self.send_packet(packet))
    }

    fn send_packet(&self, packet: &Packet) -> io::Result<()> {
        self.device.send(packet)?;
        thread::sleep(REPORT_INTERVAL);
        Ok(())
    }

    fn send_keepalive(&self, channel: Channel, status: Status) -> io::Result<()> {
        self.send(&Message { channel, command: CTAPHID_KEEPALIVE, payload: vec![status as u8] })
    }
}

impl Port {
    /// Starts the threads that read the device and that keep the host waiting.
    pub fn new(device: Uhid) -> Self {
        let wire = Arc::new(Wire { device, busy: Mutex::new(None) });
        let (sender, inbox) = mpsc::channel();
        let reader = Arc::clone(&wire);
        thread::spawn(move || {
            while let Ok(packet) = reader.device.receive() {
                if sender.send(packet).is_err() {
                    break;
                }
            }
        });
        let ticker = Arc::clone(&wire);
        thread::spawn(move || {
            loop {
                thread::sleep(TICK);
                let now = Instant::now();
                if let Some(busy) = ticker.busy().as_mut().filter(|busy| busy.next_keepalive <= now)
                {
                    busy.next_keepalive = now + KEEPALIVE_INTERVAL;
                    // A device that is gone is noticed by the reader.
                    let _ = ticker.send_keepalive(busy.channel, busy.status);
                }
            }
        });
        Self { wire, inbox, assembler: Assembler::default(), channels: 0 }
    }

    /// Waits for the next whole message on a valid channel.
    pub fn next_message(&mut self) -> io::Result<Message> {
        loop {
            let packet = match self.assembler.deadline() {
                None => self.inbox.recv().map_err(|_| gone())?,
                Some(deadline) => {
                    match self.packet(deadline.saturating_duration_since(Instant::now()))? {
                        Some(packet) => packet,
                        None => {
                            if let Some(channel) = self.assembler.give_up() {
                                self.refuse(channel, ERR_MSG_TIMEOUT)?;
                            }
                            continue;
                        }
                    }
                }
            };
            match self.assembler.take(&packet) {
                Progress::Pending => {}
                Progress::Refused(channel, error) => self.refuse(channel, error)?,
                Progress::Complete(message) if !self.is_valid(&message) => {
                    self.refuse(message.channel, ERR_INVALID_CHANNEL)?;
                }
                Progress::Complete(message) => return Ok(message),
            }
        }
    }

    /// Looks for up to `patience` whether the host calls the command on `busy` off. Everybody
    /// else is told that the key is busy; channels are given out all the same.
    pub fn interruption(
        &mut self,
        busy: Channel,
        patience: Duration,
    ) -> io::Result<Option<Interruption>> {
        let Some(packet) = self.packet(patience)? else {
            return Ok(None);
        };
        let channel = channel_of(&packet);
        match command_of(&packet) {
            Some(CTAPHID_CANCEL) if channel == busy => return Ok(Some(Interruption::Cancel)),
            // A cancel is never answered, whoever sends it.
            None | Some(CTAPHID_CANCEL) => {}
            Some(CTAPHID_INIT) if channel == busy || channel == CTAPHID_BROADCAST_CID => {
                if channel == busy {
                    self.rest();
                }
                if let Progress::Complete(message) = Assembler::default().take(&packet) {
                    self.answer_init(&message)?;
                }
                if channel == busy {
                    return Ok(Some(Interruption::Abort));
                }
            }
            Some(_) => self.refuse(channel, ERR_CHANNEL_BUSY)?,
        }
        Ok(None)
    }

    /// Sends a keepalive and repeats it until the answer is sent or the status changes.
    pub fn keep_waiting(&self, channel: Channel, status: Status) -> io::Result<()> {
        let mut busy = self.wire.busy();
        *busy = Some(Busy::new(channel, status));
        self.wire.send_keepalive(channel, status)
    }

    /// As [`Self::keep_waiting`] with `STATUS_PROCESSING`, but silent if the answer comes soon.
    pub fn begin(&self, channel: Channel) {
        *self.wire.busy() = Some(Busy::new(channel, Status::Processing));
    }

    /// Ends the keepalives.
    pub fn rest(&self) {
        *self.wire.busy() = None;
    }

    /// Ends the keepalives and sends the answer.
    pub fn answer(&self, message: &Message) -> io::Result<()> {
        self.rest();
        self.wire.send(message)
    }

    /// Sends a packet as it is, for a key that misbehaves.
    pub fn send_raw(&self, packet: &Packet) -> io::Result<()> {
        self.wire.send_packet(packet)
    }

    /// Answers CTAPHID_INIT: a new channel on broadcast, else the same channel anew.
    pub fn answer_init(&mut self, message: &Message) -> io::Result<()> {
        if message.payload.len() != INIT_NONCE {
            return self.refuse(message.channel, crate::ctaphid::error::ERR_INVALID_LEN);
        }
        let channel = if message.channel == CTAPHID_BROADCAST_CID {
            self.channels += 1;
            self.channels.to_be_bytes()
        } else {
            message.channel
        };
        let capabilities = CAPABILITY_WINK | CAPABILITY_CBOR | CAPABILITY_NMSG;
        let mut payload = message.payload.clone();
        payload.extend(channel);
        payload.extend([CTAPHID_PROTOCOL_VERSION, 1, 0, 0, capabilities]);
        self.wire.send(&Message { payload, ..message.clone() })
    }

    /// Sends CTAPHID_ERROR.
    pub fn refuse(&self, channel: Channel, error: u8) -> io::Result<()> {
        self.wire.send(&Message { channel, command: CTAPHID_ERROR, payload: vec![error] })
    }

    /// Answers CTAPHID_PING or CTAPHID_WINK, which both give back what they were given.
    pub fn echo(&self, message: &Message) -> io::Result<()> {
        debug_assert!(message.command == CTAPHID_PING || message.payload.is_empty());
        self.wire.send(message)
    }

    fn is_valid(&self, message: &Message) -> bool {
        let number = u32::from_be_bytes(message.channel);
        match message.channel {
            CTAPHID_BROADCAST_CID => message.command == CTAPHID_INIT,
            _ => (1..=self.channels).contains(&number),
        }
    }

    fn packet(&self, patience: Duration) -> io::Result<Option<Packet>> {
        match self.inbox.recv_timeout(patience) {
            Ok(packet) => Ok(Some(packet)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the kernel took the device away")
}
