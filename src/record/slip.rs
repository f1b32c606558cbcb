//! What an entry says of documents that were signed apart from the log: of slips, and of entries
//! that another clone of the vault made at a number that was taken.
//!
//! Neither changes what is so by itself: see `log::Replay`.

use serde::{Deserialize, Serialize};

use super::Digest;

/// A slip of the same entry is endorsed: whoever signs this event signs for those of the slip, too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlipEndorsed {
    /// SHA-256 of the slip's document.
    pub slip: Digest,
}

/// An entry that was made elsewhere is given up, or a slip: it is never admitted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadAbandoned {
    /// The number that it bears.
    pub number: u64,
    /// The link that it makes.
    pub link: Digest,
}
