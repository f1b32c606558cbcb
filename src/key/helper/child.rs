//! The child's end: one request, read from the socket that is its stdin, and one answer.
//!
//! Three threads. One does the work, and may block in it for ever or panic. One listens
//! for the parent: a word from it, or its end, means stop. The main thread waits for
//! whichever comes first, and returns, which ends the process whatever the others do.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::protocol::{Event, Reply, Request, Task};
use super::wire::{Assembler, Received};
use super::words::nonsense;
use crate::confinement::{Confinement, close_inherited, confine};
use crate::hardening::{keep_memory_private, leaving_no_trace};
use crate::key::KeyError;
use crate::key::hid::{self, Session, UsbKey};

/// The most memory that a child may fill, in bytes: several times what it needs.
const MOST_MEMORY: u64 = 256 << 20;

/// How long the child waits for its request: the parent sends it at once.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// How long a key has to end its work after it was told to. The parent waits no longer.
const GOODBYE: Duration = Duration::from_millis(900);

/// Does what the parent asks for, once. The program's `main` calls this for the hidden
/// subcommand that [`super::UsbKeys`] starts, before it does anything else, and returns
/// the exit code: 0 when a request was answered, 1 otherwise.
pub fn serve() -> ExitCode {
    match harden().and_then(|()| serve_stdin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Keeps what the process holds out of core files and away from debuggers.
fn harden() -> io::Result<()> {
    keep_memory_private()?;
    close_inherited()?;
    let most = Rlimit { current: Some(MOST_MEMORY), maximum: Some(MOST_MEMORY) };
    setrlimit(Resource::Data, most)?;
    // A panic is reported to the parent; its words may hold what a device sent.
    panic::set_hook(Box::new(|_| {}));
    Ok(())
}

fn serve_stdin() -> io::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails on anything but a socket, such as the terminal of a curious person.
    socket.set_read_timeout(Some(REQUEST_WITHIN))?;
    let request = leaving_no_trace(|| receive_request(&mut socket))?;
    socket.set_read_timeout(None)?;
    let device = request.device().map(|device| PathBuf::from(&device.0));
    let confinement = confine(device.as_deref());
    let told = Event::Confined(confinement);
    socket.write_all(&told.encode().map_err(io::Error::other)?)?;
    converse(socket, move |session| perform(request, session, confinement))
}

fn receive_request(socket: &mut UnixStream) -> io::Result<Request> {
    let mut assembler = Assembler::default();
    loop {
        match assembler.receive(socket) {
            Ok(Received::Frame(body)) => return Request::decode(&body).map_err(io::Error::other),
            Ok(Received::Part) => {}
            Ok(Received::End | Received::TooLong) => return Err(io::ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn perform(
    request: Request,
    session: &Session,
    confinement: Confinement,
) -> Result<Reply, KeyError> {
    let (device, task) = match request {
        Request::Devices => return hid::devices().map(Reply::Devices),
        Request::Of(device, task) => (device, task),
    };
    let key = UsbKey::open(&device, session, confinement)?;
    match task {
        Task::Info => key.info().map(Reply::Info),
        Task::Probe(probe) => key.probe(&probe).map(Reply::Probe),
        Task::MakeCredential(request, verification) => {
            key.make_credential(&request, verification.borrow()).map(Reply::Attestation)
        }
        Task::Sign(request, verification) => {
            key.sign(&request, verification.borrow()).map(Reply::Assertion)
        }
        Task::HmacSecret(request, verification) => {
            key.hmac_secret(&request, verification.borrow()).map(Reply::HmacSecret)
        }
        Task::SetPin(pin) => key.set_pin(&pin).map(|()| Reply::PinSet),
    }
}

/// What the main thread waits for.
enum Turn {
    Finished(Result<Reply, KeyError>),
    Stop,
}

/// Does `work`, tells the parent how it goes, and answers.
pub(super) fn converse(
    socket: UnixStream,
    work: impl FnOnce(&Session) -> Result<Reply, KeyError> + Send + 'static,
) -> io::Result<()> {
    let writer = Arc::new(Mutex::new(socket.try_clone()?));
    let (sender, turns) = mpsc::channel();
    let session = Session {
        cancel: Arc::new(AtomicBool::new(false)),
        touch: {
            let writer = Arc::clone(&writer);
            // A parent that is gone is noticed by the listener.
            Arc::new(move |waiting| {
                drop(send(&writer, &if waiting { Event::Waiting } else { Event::Over }));
            })
        },
    };

    let cancel = Arc::clone(&session.cancel);
    let finished = sender.clone();
    thread::Builder::new().name("work".to_owned()).spawn(move || {
        let work = || leaving_no_trace(|| work(&session));
        let outcome = panic::catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(KeyError::Nonsense(nonsense::PANIC.to_owned())));
        // The main thread may have stopped waiting.
        drop(finished.send(Turn::Finished(outcome)));
    })?;
    thread::Builder::new().name("listen".to_owned()).spawn(move || {
        listen(socket);
        drop(sender.send(Turn::Stop));
    })?;

    let outcome = match turns.recv() {
        Ok(Turn::Finished(outcome)) => outcome,
        Ok(Turn::Stop) => {
            cancel.store(true, Ordering::Relaxed);
            match turns.recv_timeout(GOODBYE) {
                Ok(Turn::Finished(outcome)) => outcome,
                Ok(Turn::Stop) | Err(_) => return Ok(()),
            }
        }
        Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
    };
    send(&writer, &outcome.map_or_else(Event::Failed, Event::Done))
}

/// Returns when the parent wants the work stopped. It says but one thing, so whatever it
/// says, and its end too, means that.
fn listen(mut socket: UnixStream) {
    let mut assembler = Assembler::default();
    loop {
        match assembler.receive(&mut socket) {
            Ok(Received::Part) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Received::Frame(_) | Received::End | Received::TooLong) | Err(_) => return,
        }
    }
}

fn send(writer: &Mutex<UnixStream>, event: &Event) -> io::Result<()> {
    let frame = event.encode().map_err(io::Error::other)?;
    let mut socket = writer.lock().map_err(|_| io::ErrorKind::Other)?;
    socket.write_all(&frame)
}
