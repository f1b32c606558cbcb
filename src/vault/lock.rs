//! One writer at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::Layout;

/// The lock of a vault, held until it is dropped or the process ends. It keeps other
/// processes on machines that share the lock away; entries themselves are safe without
/// it, since no name is ever taken twice.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a vault couldn't be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else writes.
    #[error("another keymuster is writing to this vault")]
    Held,
    /// The system's reason.
    #[error("couldn't lock {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl Lock {
    /// Locks a vault, waiting for another writer for at most `patience`.
    pub fn take(layout: &Layout, patience: Duration) -> Result<Self, LockError> {
        let path = layout.vault_toml();
        let failed = |source| LockError::Io { path: path.clone(), source };
        // NFS locks only what is open for writing; a reader may have no right to that.
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .or_else(|_| File::open(&path))
            .map_err(failed)?;
        match lock_within(&file, patience).map_err(failed)? {
            true => Ok(Self { _file: file }),
            false => Err(LockError::Held),
        }
    }
}

/// Locks an open file, waiting for another holder for at most `patience`. Whether it has it.
pub(super) fn lock_within(file: &File, patience: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
