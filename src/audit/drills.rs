//! Drills as their entries tell them: what happened in which, step by step.

use std::collections::BTreeMap;

use crate::log::Entry;
use crate::record::{
    DrillException, DrillInterrupted, DrillStep, Event, EvidenceKept, Handle, PartTaken,
};

/// What happened in a drill.
#[derive(Clone, Default, Debug)]
pub struct Happened<'e> {
    /// The entries that tell of it.
    pub entries: Vec<u64>,
    /// Its steps, in their order.
    pub steps: Vec<&'e DrillStep>,
    /// What was otherwise than it should be.
    pub exceptions: Vec<&'e DrillException>,
    /// When nobody was at it.
    pub interruptions: Vec<&'e DrillInterrupted>,
    /// Who took over a part.
    pub parts: Vec<&'e PartTaken>,
    /// What was kept.
    pub evidence: Vec<&'e EvidenceKept>,
}

/// What happened in all of them, by their names.
pub fn drills<'e>(
    entries: impl IntoIterator<Item = &'e Entry>,
) -> BTreeMap<&'e Handle, Happened<'e>> {
    let mut all: BTreeMap<&Handle, Happened<'_>> = BTreeMap::new();
    for entry in entries {
        let number = entry.document().number;
        for event in entry.events() {
            let Some(drill) = drill_of(event) else { continue };
            let it = all.entry(drill).or_default();
            if it.entries.last() != Some(&number) {
                it.entries.push(number);
            }
            match event {
                Event::DrillStep(event) => it.steps.push(event),
                Event::DrillException(event) => it.exceptions.push(event),
                Event::DrillInterrupted(event) => it.interruptions.push(event),
                Event::PartTaken(event) => it.parts.push(event),
                Event::EvidenceKept(event) => it.evidence.push(event),
                _ => {}
            }
        }
    }
    all
}

fn drill_of(event: &Event) -> Option<&Handle> {
    Some(match event {
        Event::DrillStarted(event) => &event.drill,
        Event::DrillFinished(event) => &event.drill,
        Event::DrillAbandoned(event) => &event.drill,
        Event::DrillReviewed(event) => &event.drill,
        Event::DrillStep(event) => &event.drill,
        Event::DrillException(event) => &event.drill,
        Event::DrillInterrupted(event) => &event.drill,
        Event::PartTaken(event) => &event.drill,
        Event::EvidenceKept(event) => &event.drill,
        _ => return None,
    })
}
