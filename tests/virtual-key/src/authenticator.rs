//! The world as OpenSK sees it: its storage, its clock, its random numbers, and a person who
//! touches the key, or does not.

use crate::ctaphid::Channel;
use crate::log::{Log, fields};
use crate::port::{Interruption, Port, Status};
use crate::storage::Storage;
use crate::touch::{Outcome, PolicyFile};
use opensk::api::clock::Clock;
use opensk::api::connection::{HidConnection, RecvStatus, UsbEndpoint};
use opensk::api::crypto::software_crypto::SoftwareCrypto;
use opensk::api::customization::CustomizationImpl;
use opensk::api::key_store;
use opensk::api::rng::Rng;
use opensk::api::rng::rand_core::{CryptoRng, Error, RngCore};
use opensk::api::user_presence::{UserPresence, UserPresenceError, UserPresenceWaitResult};
use opensk::ctap::status_code::{Ctap2StatusCode, CtapResult};
use opensk::env::Env;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often the touch policy is read while the key blinks.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The command under way.
#[derive(Clone, Copy)]
pub struct Transaction {
    /// Its number in the log.
    pub id: u64,
    /// The channel it came on.
    pub channel: Channel,
}

/// What the loop that serves the host shares with OpenSK.
pub struct Shared {
    /// The plug; borrowed by one of the two at a time.
    pub port: RefCell<Port>,
    /// The diary.
    pub log: Log,
    /// The command under way; none once the host has called it off with CTAPHID_INIT.
    pub transaction: Cell<Option<Transaction>>,
    policy: RefCell<PolicyFile>,
    hold: Duration,
    wait: Cell<Wait>,
    touches: Cell<u64>,
}

/// Where a wait for a touch is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    None,
    Blinking,
    TimedOut,
}

impl Shared {
    /// Joins the parts; a touch counts after `hold` at the earliest.
    pub fn new(port: Port, log: Log, policy: PolicyFile, hold: Duration) -> Rc<Self> {
        Rc::new(Self {
            port: RefCell::new(port),
            log,
            transaction: Cell::new(None),
            policy: RefCell::new(policy),
            hold,
            wait: Cell::new(Wait::None),
            touches: Cell::new(0),
        })
    }

    /// Blinks until the person, the time or the host decides.
    fn wait_for_touch(&self, transaction: Transaction) -> io::Result<Outcome> {
        let mut port = self.port.borrow_mut();
        let id = ("id", json!(transaction.id));
        self.log.write("touch-asked", fields([id.clone()]));
        port.keep_waiting(transaction.channel, Status::UserPresenceNeeded)?;
        let began = Instant::now();
        let outcome = loop {
            match port.interruption(transaction.channel, POLL_INTERVAL)? {
                None => {}
                Some(Interruption::Cancel) => {
                    self.log.write("cancel", fields([("during", json!(transaction.id))]));
                    break Outcome::Cancelled;
                }
                Some(Interruption::Abort) => {
                    self.log.write("aborted", fields([("during", json!(transaction.id))]));
                    self.transaction.set(None);
                    break Outcome::Cancelled;
                }
            }
            let policy = self.policy.borrow_mut().read();
            if let Some(outcome) = policy.decide(began.elapsed(), self.hold, self.touches.get()) {
                break outcome;
            }
        };
        let word = ("outcome", json!(outcome.word()));
        self.log.write("touch", fields([id, word]));
        if outcome == Outcome::Given {
            self.touches.set(self.touches.get() + 1);
            port.keep_waiting(transaction.channel, Status::Processing)?;
        }
        Ok(outcome)
    }
}

/// OpenSK's environment.
pub struct Environment {
    storage: Storage,
    customization: CustomizationImpl,
    random: Random,
    person: Person,
    clock: WallClock,
    cable: Cable,
}

impl Environment {
    /// Puts a key together.
    pub fn new(storage: Storage, customization: CustomizationImpl, shared: &Rc<Shared>) -> Self {
        Self {
            storage,
            customization,
            random: Random(StdRng::from_entropy()),
            person: Person(Rc::clone(shared)),
            clock: WallClock(Rc::clone(shared)),
            cable: Cable,
        }
    }
}

impl Env for Environment {
    type Rng = Random;
    type UserPresence = Person;
    type Persist = Storage;
    type KeyStore = Self;
    type Write = String;
    type Customization = CustomizationImpl;
    type HidConnection = Cable;
    type Clock = WallClock;
    type Crypto = SoftwareCrypto;

    fn rng(&mut self) -> &mut Random {
        &mut self.random
    }

    fn user_presence(&mut self) -> &mut Person {
        &mut self.person
    }

    fn persist(&mut self) -> &mut Storage {
        &mut self.storage
    }

    fn key_store(&mut self) -> &mut Self {
        self
    }

    fn clock(&mut self) -> &mut WallClock {
        &mut self.clock
    }

    fn write(&mut self) -> String {
        String::new()
    }

    fn customization(&self) -> &CustomizationImpl {
        &self.customization
    }

    fn hid_connection(&mut self) -> &mut Cable {
        &mut self.cable
    }

    /// A start is a person plugging the key in, so a reset is allowed for ten seconds.
    fn boots_after_soft_reset(&self) -> bool {
        false
    }
}

/// Wraps credentials with OpenSK's own key store.
impl key_store::Helper for Environment {}

/// Random numbers of the system.
pub struct Random(StdRng);

impl RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.try_fill_bytes(bytes)
    }
}

impl CryptoRng for Random {}
impl Rng for Random {}

/// The person with a finger.
pub struct Person(Rc<Shared>);

impl UserPresence for Person {
    fn check_init(&mut self) {
        self.0.wait.set(Wait::Blinking);
    }

    /// Waits for the whole touch in one go, keepalives and all, whatever slice of time OpenSK
    /// asks for: its own loop gives up after 30 seconds, ours when the policy says so.
    fn wait_with_timeout(&mut self, _: &mut [u8; 64], _: usize) -> UserPresenceWaitResult {
        let Some(transaction) = self.0.transaction.get() else {
            return Ok((Err(UserPresenceError::Canceled), RecvStatus::Timeout));
        };
        let outcome = self
            .0
            .wait_for_touch(transaction)
            .map_err(|_| Ctap2StatusCode::CTAP2_ERR_VENDOR_HARDWARE_FAILURE)?;
        let result = match outcome {
            Outcome::Given => Ok(()),
            Outcome::Denied => Err(UserPresenceError::Declined),
            Outcome::Cancelled => Err(UserPresenceError::Canceled),
            Outcome::TimedOut => {
                self.0.wait.set(Wait::TimedOut);
                Err(UserPresenceError::Timeout)
            }
        };
        Ok((result, RecvStatus::Timeout))
    }

    fn check_complete(&mut self) {
        self.0.wait.set(Wait::None);
    }
}

/// Real time, but for the wait for a touch.
pub struct WallClock(Rc<Shared>);

/// A timer of [`WallClock`].
#[derive(Default)]
pub enum Timer {
    /// It has always been over.
    #[default]
    Over,
    /// It ends at this time.
    At(Instant),
    /// It ends when the person has let the time pass. OpenSK makes it when a wait begins.
    Touch,
}

impl Clock for WallClock {
    type Timer = Timer;

    fn make_timer(&mut self, milliseconds: usize) -> Timer {
        match self.0.wait.get() {
            Wait::Blinking => Timer::Touch,
            _ => Timer::At(Instant::now() + Duration::from_millis(milliseconds as u64)),
        }
    }

    fn is_elapsed(&mut self, timer: &Timer) -> bool {
        match timer {
            Timer::Over => true,
            Timer::At(end) => Instant::now() >= *end,
            Timer::Touch => self.0.wait.get() == Wait::TimedOut,
        }
    }
}

/// The cable as OpenSK sees it: it sends keepalives here, which [`Port`] does better.
pub struct Cable;

impl HidConnection for Cable {
    fn send(&mut self, _: &[u8; 64], _: UsbEndpoint) -> CtapResult<()> {
        Ok(())
    }

    fn recv(&mut self, _: &mut [u8; 64], _: usize) -> CtapResult<RecvStatus> {
        Ok(RecvStatus::Timeout)
    }
}
