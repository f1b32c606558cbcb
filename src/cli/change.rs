//! What an entry is to say, before anybody signs it.

use crate::log::SignedDocument;
use crate::record::Event;
use crate::vault::{CompartmentIdentity, NewFile};

/// What an entry is to say, and the files that it names.
#[derive(Debug, Default)]
pub struct Change {
    /// The events.
    pub events: Vec<Event>,
    /// The slips that it admits.
    pub slips: Vec<SignedDocument>,
    /// The files, those that its slips name among them.
    pub files: Vec<NewFile>,
    /// The compartment `records` with its new epoch, where the entry opens one.
    pub records: Option<CompartmentIdentity>,
}

impl Change {
    /// One event, which names no file.
    pub fn of(event: Event) -> Self {
        Self { events: vec![event], ..Self::default() }
    }
}
