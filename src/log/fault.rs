//! What an entry can break.

use std::fmt;

use thiserror::Error;

/// What an entry broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// It is readable, and written in the canonical form.
    Form,
    /// It belongs to this vault.
    Vault,
    /// Its number is the one after the last.
    Number,
    /// It names the link of the entry before it.
    Link,
    /// Its slips may be admitted.
    Slip,
    /// Its signers may sign.
    Signers,
    /// Each signer's signature is there and genuine.
    Signature,
    /// Its signers suffice for its events.
    Authority,
    /// Its events can happen.
    Event,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "form",
            Self::Vault => "vault",
            Self::Number => "number",
            Self::Link => "link",
            Self::Slip => "slip",
            Self::Signers => "signers",
            Self::Signature => "signature",
            Self::Authority => "authority",
            Self::Event => "event",
        })
    }
}

/// The first entry that is wrong, and how. What comes after it counts for nothing.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("entry {entry} breaks the rule of {rule}: {reason}")]
pub struct Fault {
    /// The entry's place in the log, from 1.
    pub entry: u64,
    /// What it broke.
    pub rule: Rule,
    /// In words.
    pub reason: String,
}
