//! Where the security keys are.

use serde::Serialize;

use super::few::Bounds;
use super::people::person;
use crate::record::{Key, KeyName, State};

/// A key that may sign.
#[derive(Serialize)]
pub struct KeyView {
    pub key: String,
    /// Who has it.
    pub holder: String,
    pub place: Option<String>,
    /// The serial number of the bag that it is sealed in.
    pub bag: Option<String>,
    /// Where the envelope with its PIN is.
    pub pin_place: Option<String>,
    /// Whether it opens the vault, too.
    pub opens: bool,
}

impl KeyView {
    pub fn new(name: &KeyName, key: &Key, state: &State, bounds: &Bounds) -> Self {
        Self {
            key: name.to_string(),
            holder: person(state, &key.holder),
            place: key.place.as_ref().map(|place| bounds.short(place)),
            bag: key.bag.as_ref().map(|bag| bounds.short(&bag.serial)),
            pin_place: key.pin_place.as_ref().map(|place| bounds.short(place)),
            opens: state.working_keys(&name.owner).contains(&name),
        }
    }

    /// Where it is.
    pub fn whereabouts(&self) -> String {
        let place = self.place.as_ref().map(|place| format!(": {place}")).unwrap_or_default();
        let opens = if self.opens { "" } else { " (doesn't open the vault)" };
        format!("with {}{place}{opens}", self.holder)
    }

    /// Where its PIN is, beside its owner's head.
    pub fn pin(&self) -> String {
        self.pin_place.clone().unwrap_or_else(|| "no envelope".to_owned())
    }
}
