//! The child's end: one picture, read from the socket that is its stdin, and one answer.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::{MAX_BYTES, Texts, Unread, answer, decode};
use crate::confinement::{Confinement, close_inherited, confine_wholly};
use crate::hardening::{keep_memory_private, leaving_no_trace};

/// The most memory that a child may fill, in bytes: for the picture, what it unpacks to, and
/// what is looked at.
const MOST_MEMORY: u64 = 1 << 30;
/// The most seconds that it may reckon.
const MOST_SECONDS: u64 = 60;
/// How long it waits for the next part of its picture.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads one picture. The program's `main` calls this for the hidden subcommand that
/// [`super::Helper`] starts, before it does anything else, and returns the exit code: 0 when a
/// picture was answered, 1 otherwise.
pub fn serve() -> ExitCode {
    match serve_stdin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve_stdin() -> io::Result<()> {
    keep_memory_private()?;
    close_inherited()?;
    for (what, most) in [(Resource::Data, MOST_MEMORY), (Resource::Cpu, MOST_SECONDS)] {
        setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // Its words may hold what a picture says.
    panic::set_hook(Box::new(|_| {}));
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails on anything but a socket, such as the terminal of a curious person.
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let confinement = confine_wholly();
    leaving_no_trace(|| {
        let mut picture = Vec::new();
        (&socket).take(MAX_BYTES + 1).read_to_end(&mut picture)?;
        if picture.len() as u64 > MAX_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let found = looked_at(&picture, confinement);
        socket.write_all(&answer::encode(confinement, &found))
    })
}

/// The codes in a picture, which is left alone where nothing confines this process.
fn looked_at(picture: &[u8], confinement: Confinement) -> Result<Texts, Unread> {
    match confinement {
        Confinement { landlock: None, seccomp: false } => Err(Unread::Unconfined),
        _ => decode::codes(picture),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_left_alone_where_nothing_confines() {
        let looked = |landlock, seccomp| looked_at(b"none", Confinement { landlock, seccomp });
        assert_eq!(looked(None, false), Err(Unread::Unconfined));
        for (landlock, seccomp) in [(Some(1), false), (None, true), (Some(7), true)] {
            assert_eq!(looked(landlock, seccomp), Err(Unread::NoPicture));
        }
    }
}
