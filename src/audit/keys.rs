//! Keys over time: since when each could sign, when it couldn't, and when it did.

use std::collections::BTreeMap;

use crate::log::Entry;
use crate::record::{Event, KeyName, Rejection, Stamp, State};

/// A key, from its enrolment on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyLine {
    /// Its name.
    pub key: KeyName,
    /// What it was since when, in a word each, in order.
    pub states: Vec<(Stamp, &'static str)>,
    /// The entries that it signed.
    pub signed: Vec<Stamp>,
}

/// The keys of a log, in the order of their names. Fails where an entry can't have happened, which a
/// replay would have found.
pub fn key_lines<'e>(
    entries: impl IntoIterator<Item = &'e Entry>,
) -> Result<Vec<KeyLine>, Rejection> {
    let mut state = State::default();
    let mut lines: BTreeMap<KeyName, KeyLine> = BTreeMap::new();
    for entry in entries {
        let at = Stamp { entry: entry.document().number, time: entry.document().time };
        for act in entry.acts() {
            for event in act.events.iter().filter(|event| event.bears_on_authority()) {
                state.apply(event, at, &act.signers)?;
            }
        }
        if entry.events().any(Event::bears_on_authority) {
            for (name, key) in state.keys() {
                let new = || KeyLine { key: name.clone(), states: Vec::new(), signed: Vec::new() };
                let line = lines.entry(name.clone()).or_insert_with(new);
                let word = key.state.word();
                if line.states.last().is_none_or(|(_, before)| *before != word) {
                    line.states.push((at, word));
                }
            }
        }
        for signer in entry.documents().flat_map(|document| &document.signers) {
            if let Some(line) = lines.get_mut(signer) {
                line.signed.push(at);
            }
        }
    }
    Ok(lines.into_values().collect())
}
