//! The log: entries, the chain that links them, and the replay that makes a state of
//! them or names the first fault.
//!
//! An entry is a canonical TOML document ([`Document`]) followed by the armoured
//! signatures over the head that it makes ([`Head`]). [`Replay`] admits entries one by
//! one. This module works on bytes that were read and decrypted elsewhere: it knows no
//! file, no clock, no device.

mod canonical;
mod chain;
mod document;
mod entry;
mod fault;
mod finding;
mod replay;
mod signed;

pub use chain::{Head, UnfitHead, first_link, next_link, sha256};
pub use document::{Document, FORMAT, MAX_ENTRY, MAX_SIGNERS, MAX_SLIPS, Malformed};
pub use entry::{Entry, acts_of};
pub use fault::{Fault, Rule};
pub use finding::{Finding, FindingKind};
pub use replay::{Considered, Replay, Signatures};
pub use signed::SignedDocument;
