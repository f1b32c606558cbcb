//! Security keys: what may be asked of one, and the three things that answer.
//!
//! [`Authenticator`] is the trait; behind it stand the keys on USB, reached through a
//! helper process that is started for each request (`helper`, `hid`), and keys made of
//! software for the demo and for tests (`software`). `identify` tells which enrolled key
//! a device is.
//!
//! Only `hid` names the crates that talk to hardware, and only the helper process runs
//! it. This module must not know the vault: it signs and opens what it is given. What a
//! device says is never believed here beyond its shape; signatures are verified by
//! whoever asked for them.
#![expect(clippy::disallowed_methods, reason = "key talks to devices: time, processes, randomness")]

mod authenticator;
pub mod helper;
mod hid;
pub mod identify;
mod pin;
pub mod software;

pub use crate::confinement::Confinement;
pub use authenticator::{
    Algorithm, Assertion, Attestation, Authenticator, BuiltInVerification, Device, DeviceId,
    DeviceInfo, GetAssertion, GetHmacSecret, KeyError, MakeCredential, PinState, Probe,
    ProbeAnswer, TouchPrompt, UserVerification,
};
pub use pin::{Pin, UnfitPin};
