//! The nouns of a vault and what can happen to them: custodians, keys, readers,
//! compartments, policy.
//!
//! One file a noun, with its events and its part of [`State`]. [`Event`] lists every
//! event there is, [`State::apply`] is the only way to change a state, and [`authority`]
//! says who must have signed what.
//!
//! This module decides from what it is given: it knows no file, clock, device, terminal
//! or randomness, and verifies no signature.

pub mod authority;
mod compartment;
mod custodian;
mod event;
mod identity;
mod key;
mod policy;
mod reader;
mod state;
mod values;

pub use compartment::{Compartment, CompartmentSealed, RECORDS, SEEDS};
pub use custodian::{Custodian, CustodianAdded};
pub use event::Event;
pub use identity::{IdentitySealed, PAPER, SealedIdentity};
pub use key::{Key, KeyChecked, KeyEnrolled, KeyState};
pub use policy::{Policy, Realm, UserVerification, VaultCreated};
pub use reader::{Reader, ReaderAdded};
pub use state::{Rejection, Sealing, Stamp, State};
pub use values::{
    AgeRecipient, Bytes, Digest, Handle, Hex, KeyName, Line, Salt, SshPublicKey, Time, UnfitValue,
    VaultId,
};
