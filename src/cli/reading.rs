//! Reading what people name on the command line: files, pipes, and `-` for stdin. No more is
//! read than may be, and however long a pipe takes, Ctrl-C ends the wait.

use std::fs::File;
use std::io::ErrorKind::{Interrupted, WouldBlock};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::exit;
use super::failure::Failure;
use super::prompt::LOOK;
use crate::text::sanitise;

/// Opens a file, a pipe, or stdin. Neither opening a pipe nor reading it may wait where nobody
/// looks for Ctrl-C.
pub fn open(path: &Path) -> io::Result<File> {
    if path == Path::new("-") {
        // std's own handle would keep a copy in its buffer for good.
        return io::stdin().as_fd().try_clone_to_owned().map(File::from);
    }
    let flags = OFlags::NONBLOCK.bits() as i32;
    File::options().read(true).custom_flags(flags).open(path)
}

/// Reads on, part by part, until the end, or until `room` bytes are there, or the byte `last`.
pub fn fill(
    bytes: &mut Vec<u8>,
    mut file: &File,
    (room, last): (usize, Option<u8>),
    part: &mut [u8],
    interrupted: &AtomicBool,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    while bytes.len() < room && !last.is_some_and(|last| bytes.contains(&last)) {
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::interrupted());
        }
        match poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&LOOK)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(failed(error.into())),
        }
        let wanted = part.len().min(room - bytes.len());
        match file.read(&mut part[..wanted]) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&part[..length]),
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// The whole of a file that is no secret and has `limit` bytes at most.
pub fn read_file(path: &Path, limit: u64, interrupted: &AtomicBool) -> Result<Vec<u8>, Failure> {
    let shown = sanitise(&path.to_string_lossy(), 200);
    let failed = |error| Failure::because(exit::FAILED, format!("couldn't read {shown}"), &error);
    let file = open(path).map_err(failed)?;
    let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fill(&mut bytes, &file, (room, None), &mut [0; 1 << 16], interrupted, failed)?;
    if bytes.len() as u64 > limit {
        let most = limit >> 20;
        return Err(Failure::new(exit::FAILED, format!("{shown} is larger than {most} MiB")));
    }
    Ok(bytes)
}
