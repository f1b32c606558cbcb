//! A FIDO2 security key made of software, plugged into a real kernel.
//!
//! [`run`] makes a HID device through `/dev/uhid`, speaks CTAPHID over it and answers CTAP2
//! with OpenSK. Host software can't tell it from a key on USB: it goes through the kernel's
//! own hidraw. Killing the process is unplugging the key; starting it again on the same
//! directory is plugging it in again.
//!
//! The directory is the key's whole interface to a test:
//!
//! | file | written by | what |
//! |---|---|---|
//! | `touch` | the test | what the person does when the key blinks: see [`touch::Policy`] |
//! | `hostile` | the test | how the key misbehaves: see [`hostile::Hostile`] |
//! | `log.jsonl` | the key | all that happened: see [`log`] |
//! | `state` | the key | credentials, PIN, counters |
//!
//! It guards nothing: its secrets lie in `state` in the clear.

pub mod authenticator;
pub mod ctaphid;
pub mod hostile;
pub mod log;
mod plugged;
pub mod port;
pub mod storage;
pub mod touch;
pub mod uhid;

pub use plugged::{Options, run};
