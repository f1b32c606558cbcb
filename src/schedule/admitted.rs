//! What a history is made of.

use crate::record::{Act, Event, KeyName, Time};

/// An entry that was admitted to a log.
#[derive(Clone, Debug)]
pub struct Admitted<'e> {
    /// Its time.
    pub time: Time,
    /// What it tells, in the order in which it happened, and whose keys signed for it. What its slips
    /// tell happened with it: the log can't vouch for an earlier time.
    pub acts: Vec<Act<'e>>,
}

impl<'e> Admitted<'e> {
    /// An entry without slips.
    pub fn plain(time: Time, signers: &'e [KeyName], events: &'e [Event]) -> Self {
        Self { time, acts: vec![Act { signers: signers.into(), events }] }
    }
}
