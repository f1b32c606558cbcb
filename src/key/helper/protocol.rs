//! What the two ends say to each other: what the parent asks ([`request`]), and what the
//! child may answer ([`event`]).
//!
//! Every list, text and value has a bound that is checked on reading, at both ends. Here is
//! what both rooms read alike. It must let nothing through that isn't bounded.

mod event;
mod request;
#[cfg(test)]
mod testing;

pub(super) use event::{Event, Reply};
pub(super) use request::{Ask, Question, Request, Task, cancel_frame};

use super::wire::{Garbled, Reader};
use crate::key::DeviceId;
use crate::text::is_deceptive;
use crate::webauthn::CredentialId;

const MAX_PATH: usize = 256;

/// A device's path. It comes back to the device as it is, so it can't be sanitised: one
/// that couldn't be shown is refused.
fn device(r: &mut Reader<'_>) -> Result<DeviceId, Garbled> {
    let path = r.text(MAX_PATH)?;
    if path.is_empty() || path.chars().any(is_deceptive) {
        return Err(Garbled("a device's path has characters that can't be shown"));
    }
    Ok(DeviceId(path.to_owned()))
}

fn credential(r: &mut Reader<'_>) -> Result<CredentialId, Garbled> {
    CredentialId::new(r.bytes(CredentialId::MAX)?).ok_or(Garbled("a credential id is empty"))
}
