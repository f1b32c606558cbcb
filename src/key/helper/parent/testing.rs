//! What tests of both files do: children that do their worst, and a prompt that remembers.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use super::UsbKeys;
use super::run::{Children, Deadlines, Running};
use crate::key::helper::child;
use crate::key::helper::protocol::{Event, Reply};
use crate::key::helper::wire::{Assembler, Received};
use crate::key::hid::Session;
use crate::key::{
    Assertion, Authenticator as _, DeviceId, GetAssertion, KeyError, Probe, TouchPrompt,
    UserVerification,
};
use crate::webauthn::CredentialId;

/// For what is about a deadline. Everything else has the real ones, since a busy machine
/// may be slow to answer.
pub(super) const SHORT: Deadlines = Deadlines {
    quiet: Duration::from_millis(500),
    touch: Duration::from_millis(300),
    touch_overall: Duration::from_secs(3),
    goodbye: Duration::from_millis(200),
};

/// Sooner than anything that hangs would end; later than a busy machine needs.
pub(super) const SOON: Duration = Duration::from_secs(30);

pub(super) fn key() -> DeviceId {
    DeviceId("/dev/hidraw4".to_owned())
}

/// Keys behind a child that is a thread running `script` on its end of the socket.
pub(super) fn scripted(script: impl Fn(UnixStream) + Send + Sync + 'static) -> UsbKeys {
    interruptible(Arc::default(), script)
}

pub(super) fn interruptible(
    interrupt: Arc<AtomicBool>,
    script: impl Fn(UnixStream) + Send + Sync + 'static,
) -> UsbKeys {
    let script = Arc::new(script);
    let start = move |socket| {
        let script = Arc::clone(&script);
        thread::spawn(move || script(socket));
        Ok(Running { process: None })
    };
    UsbKeys { children: Children::started_by(start, interrupt) }
}

pub(super) fn receive(socket: &mut UnixStream) -> Option<Vec<u8>> {
    let mut assembler = Assembler::default();
    loop {
        match assembler.receive(socket).ok()? {
            Received::Frame(body) => return Some(body.to_vec()),
            Received::Part => {}
            Received::End | Received::TooLong => return None,
        }
    }
}

pub(super) fn say(socket: &mut UnixStream, event: &Event) {
    drop(socket.write_all(&event.encode().unwrap()));
}

/// A script that takes the request and says these things.
pub(super) fn says(
    events: impl Fn() -> Vec<Event> + Send + Sync,
) -> impl Fn(UnixStream) + Send + Sync {
    move |mut socket| {
        receive(&mut socket);
        for event in events() {
            say(&mut socket, &event);
        }
        linger(&mut socket);
    }
}

/// Stays until the parent hangs up.
pub(super) fn linger(socket: &mut UnixStream) {
    while receive(socket).is_some() {}
}

pub(super) fn assertion() -> Assertion {
    Assertion { authenticator_data: vec![1; 37], signature: vec![2; 64] }
}

pub(super) fn sign_request() -> GetAssertion {
    GetAssertion {
        application: "ssh:keymuster".to_owned(),
        credential: credential(1),
        challenge: vec![7; 100],
    }
}

pub(super) fn credential(byte: u8) -> CredentialId {
    CredentialId::new([byte; 64]).unwrap()
}

pub(super) fn probe_for(credentials: Vec<CredentialId>) -> Probe {
    Probe { application: "ssh:keymuster".to_owned(), credentials, challenge: [3; 32] }
}

/// A prompt that remembers what it was told.
#[derive(Default)]
pub(super) struct Told(pub(super) Vec<Option<Duration>>);

impl TouchPrompt for Told {
    fn waiting(&mut self, left: Duration) {
        self.0.push(Some(left));
    }
    fn over(&mut self) {
        self.0.push(None);
    }
}

impl Told {
    pub(super) fn words(&self) -> Vec<&'static str> {
        self.0.iter().map(|told| if told.is_some() { "waiting" } else { "over" }).collect()
    }
}

/// Keys behind the real child's conversation, doing `work` instead of talking to a device.
pub(super) fn working(
    work: impl Fn(&Session) -> Result<Reply, KeyError> + Send + Sync + 'static,
) -> UsbKeys {
    let work = Arc::new(work);
    scripted(move |mut socket| {
        receive(&mut socket);
        let work = Arc::clone(&work);
        drop(child::converse(socket, move |session| work(session)));
    })
}

pub(super) fn sign(keys: &mut UsbKeys, told: &mut Told) -> Result<Assertion, KeyError> {
    let begun = Instant::now();
    let result = keys.sign(&key(), &sign_request(), UserVerification::BuiltIn, told);
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    result
}

pub(super) fn info(keys: &mut UsbKeys) -> KeyError {
    let begun = Instant::now();
    let error = keys.info(&key()).unwrap_err();
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    error
}
