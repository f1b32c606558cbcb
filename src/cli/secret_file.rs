//! Secrets that flags name: files, pipes and open file descriptors of PINs, identities and seeds.
//!
//! However long whoever gives one takes, Ctrl-C ends the wait. What was read is wiped, and
//! never shown: an error names the file, not what it holds.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use zeroize::{Zeroize as _, Zeroizing};

use super::exit;
use super::failure::Failure;
use super::reading::{fill, open};
use crate::hardening::keep_from_swap;
use crate::key::Pin;
use crate::text::sanitise;
use crate::totp::otpauth;
use crate::vault::AgeIdentity;

/// The largest file of a PIN, in bytes.
const MAX_PIN_FILE: u64 = 1024;
/// The largest file of a seed, in bytes: that of an otpauth URI, and a line break.
const MAX_SEED_FILE: u64 = otpauth::MAX as u64 + 2;
/// The largest file of age identities, in bytes.
const MAX_IDENTITY_FILE: u64 = 64 << 10;

/// The age identities in a file, at least one.
pub fn read_identities(path: &Path, interrupted: &AtomicBool) -> Result<Vec<AgeIdentity>, Failure> {
    let shown = shown(path);
    let unfit = |reason: &str| {
        Failure::new(
            exit::FAILED,
            format!("{shown} holds no age identity that opens a log: {reason}"),
        )
        .hint("--identity takes a file with a line AGE-SECRET-KEY-1…, as age-keygen writes it")
    };
    let bytes = read_secret(open(path), MAX_IDENTITY_FILE, None, interrupted, |error| {
        Failure::because(exit::FAILED, format!("couldn't read the identity {shown}"), &error)
    })?;
    if bytes.len() as u64 > MAX_IDENTITY_FILE {
        return Err(unfit("it is larger than 64 KiB"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| unfit("it isn't text"))?;
    let lines = text.lines().map(str::trim);
    let identities = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| AgeIdentity::parse(line).map_err(|error| unfit(&error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    if identities.is_empty() { Err(unfit("it has no such line")) } else { Ok(identities) }
}

/// The PIN in a file's first line.
pub fn read_pin(path: &Path, interrupted: &AtomicBool) -> Result<Pin, Failure> {
    first_line(open(path), &shown(path), interrupted)
}

/// The PIN in the next line of an open file descriptor.
pub fn read_pin_from(number: u32, interrupted: &AtomicBool) -> Result<Pin, Failure> {
    let file = descriptor(number)?;
    first_line(Ok(file), &format!("file descriptor {number}"), interrupted)
}

/// The text of a seed in a file: base32, or an otpauth URI.
pub fn read_seed(path: &Path, interrupted: &AtomicBool) -> Result<Zeroizing<String>, Failure> {
    seed_text(open(path), &shown(path), interrupted)
}

/// The same from an open file descriptor, up to its end.
pub fn read_seed_from(number: u32, interrupted: &AtomicBool) -> Result<Zeroizing<String>, Failure> {
    seed_text(Ok(descriptor(number)?), &format!("file descriptor {number}"), interrupted)
}

/// A secret of any kind, without the line feed at its end. `limit` is in bytes.
pub fn read_text(
    path: Option<&Path>,
    number: u32,
    limit: usize,
    interrupted: &AtomicBool,
) -> Result<Zeroizing<String>, Failure> {
    let (file, shown) = match path {
        Some(path) => (open(path), shown(path)),
        None => (Ok(descriptor(number)?), format!("file descriptor {number}")),
    };
    let limit = limit as u64 + 1;
    let bytes = read_secret(file, limit, None, interrupted, |error| {
        Failure::because(exit::FAILED, format!("couldn't read a secret from {shown}"), &error)
    })?;
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    match std::str::from_utf8(text) {
        Ok(text) if bytes.len() as u64 <= limit => Ok(Zeroizing::new(text.to_owned())),
        Ok(_) => Err(Failure::new(exit::FAILED, format!("{shown} is too large for a secret"))),
        Err(_) => Err(Failure::new(exit::FAILED, format!("{shown} holds no text"))),
    }
}

fn seed_text(
    file: io::Result<File>,
    shown: &str,
    interrupted: &AtomicBool,
) -> Result<Zeroizing<String>, Failure> {
    let bytes = read_secret(file, MAX_SEED_FILE, None, interrupted, |error| {
        Failure::because(exit::FAILED, format!("couldn't read a seed from {shown}"), &error)
    })?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if bytes.len() as u64 <= MAX_SEED_FILE => Ok(Zeroizing::new(text.to_owned())),
        Ok(_) => Err(Failure::new(exit::FAILED, format!("{shown} is too large for a seed"))),
        Err(_) => Err(Failure::new(exit::FAILED, format!("{shown} holds no seed: it isn't text"))),
    }
}

fn shown(path: &Path) -> String {
    sanitise(&path.to_string_lossy(), 200)
}

/// Reads the first line of a file or pipe as a PIN.
fn first_line(
    file: io::Result<File>,
    shown: &str,
    interrupted: &AtomicBool,
) -> Result<Pin, Failure> {
    let bytes = read_secret(file, MAX_PIN_FILE, Some(b'\n'), interrupted, |error| {
        Failure::because(exit::FAILED, format!("couldn't read a PIN from {shown}"), &error)
    })?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut text = match std::str::from_utf8(line) {
        Ok(text) if bytes.len() as u64 <= MAX_PIN_FILE => text.to_owned(),
        _ => return Err(Failure::new(exit::FAILED, format!("{shown} holds no PIN"))),
    };
    let pin = Pin::take_from(&mut text)
        .map_err(|error| Failure::because(exit::FAILED, format!("{shown} holds no PIN"), &error));
    text.zeroize();
    pin
}

/// Reads a secret up to its end, or to the first `last` in it: whoever gives a PIN needn't
/// hang up. One byte more than `limit` at most, so that too much shows.
fn read_secret(
    file: io::Result<File>,
    limit: u64,
    last: Option<u8>,
    interrupted: &AtomicBool,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let file = file.map_err(&failed)?;
    let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let mut part = Zeroizing::new([0; 4096]);
    keep_from_swap(&*part);
    fill(&mut bytes, &file, (room, last), &mut *part, interrupted, &failed)?;
    keep_from_swap(bytes.as_slice());
    Ok(bytes)
}

/// An open file descriptor of ours, by its number: it goes on where whoever opened it is.
pub fn descriptor(number: u32) -> Result<File, Failure> {
    let copied = || -> io::Result<File> {
        let raw = i32::try_from(number).map_err(io::Error::other)?;
        let this = pidfd_open(getpid(), PidfdFlags::empty())?;
        Ok(File::from(pidfd_getfd(this, raw, PidfdGetfdFlags::empty())?))
    };
    // Where that is forbidden, as in some containers, it has a name, by which it is opened anew.
    let named = |_| {
        let options =
            |write: bool| File::options().read(!write).append(write).open(path_of(number));
        options(false).or_else(|_| options(true))
    };
    if path_of(number).symlink_metadata().is_err() {
        return Err(Failure::new(exit::USAGE, format!("file descriptor {number} isn't open")));
    }
    copied().or_else(named).map_err(|error| {
        let message = format!("couldn't use file descriptor {number}");
        Failure::because(exit::FAILED, message, &error)
    })
}

fn path_of(descriptor: u32) -> PathBuf {
    PathBuf::from(format!("/dev/fd/{descriptor}"))
}
