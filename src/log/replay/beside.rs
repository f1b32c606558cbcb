//! What a slip may not say behind others' backs: it was signed without knowing what the log says since.

use std::collections::BTreeMap;

use super::Rule;
use super::slips::Placed;
use crate::log::document::Document;
use crate::record::{Event, Handle};

/// When what sealings rest on changed last, by entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Foundations {
    /// Who belongs to a compartment, with which recipient, or in which epoch it is.
    members: u64,
    /// A custodian's recipient.
    recipients: BTreeMap<Handle, u64>,
}

impl Foundations {
    /// Notes what an entry said.
    pub(super) fn note<'e>(&mut self, events: impl Iterator<Item = &'e Event>, entry: u64) {
        for event in events {
            if bears_on_members(event) {
                self.members = entry;
            }
            if let Some(custodian) = sets_recipient_of(event) {
                self.recipients.insert(custodian.clone(), entry);
            }
        }
    }

    /// Fails where a slip seals something, and what that rests on changed since the entry that it
    /// follows: the members and recipients that are recorded with a sealing are those of now, and the
    /// file was made for those of then. It isn't asked of a slip that follows nothing known, in an
    /// extract: there it can't be seen what its signers knew.
    pub(super) fn check(&self, slips: &[Placed<'_>]) -> Result<(), (Rule, String)> {
        for (index, slip) in slips.iter().enumerate() {
            let behind: Vec<&Event> = slips
                .iter()
                .take(index)
                .filter(|other| !is_followed(slips, slip, other))
                .flat_map(|other| &other.slip.document().events)
                .collect();
            for event in &slip.slip.document().events {
                let changed = match event {
                    Event::CompartmentSealed(_) => {
                        slip.is_outlived_by(self.members)
                            || behind.iter().any(|it| bears_on_members(it))
                    }
                    Event::IdentitySealed(sealed) => {
                        let of = |it: &&&Event| sets_recipient_of(it) == Some(&sealed.custodian);
                        let since = self.recipients.get(&sealed.custodian);
                        since.is_some_and(|entry| slip.is_outlived_by(*entry))
                            || behind.iter().any(|it| of(&it))
                    }
                    _ => false,
                };
                if changed {
                    let (word, kind) = (&slip.word, event.kind());
                    let reason = format!("{word}: {kind}: what it was sealed for changed since");
                    return Err((Rule::Event, reason));
                }
            }
        }
        Ok(())
    }
}

/// Whether a slip follows another of the same entry, directly or not.
fn is_followed(slips: &[Placed<'_>], slip: &Placed<'_>, other: &Placed<'_>) -> bool {
    let mut previous = slip.slip.document().previous;
    while let Some(parent) = slips.iter().find(|it| it.head.link == previous) {
        if parent.head == other.head {
            return true;
        }
        previous = parent.slip.document().previous;
    }
    false
}

fn bears_on_members(event: &Event) -> bool {
    matches!(
        event,
        Event::CustodianAdded(_)
            | Event::CustodianLeft(_)
            | Event::RecipientChanged(_)
            | Event::ReaderAdded(_)
            | Event::ReaderRemoved(_)
            | Event::KeyEnrolled(_)
            | Event::MembersChosen(_)
            | Event::CompartmentSealed(_)
    )
}

fn sets_recipient_of(event: &Event) -> Option<&Handle> {
    match event {
        Event::CustodianAdded(it) => Some(&it.custodian),
        Event::RecipientChanged(it) => Some(&it.custodian),
        _ => None,
    }
}

/// Fails where a document tells what happened in a drill without ending it: so those who sign for it are
/// those who sign for the drill.
pub(super) fn check_transcripts(document: &Document) -> Result<(), (Rule, String)> {
    let mut ended: Vec<&Handle> = Vec::new();
    for event in &document.events {
        let told = match event {
            Event::DrillFinished(it) => {
                ended.push(&it.drill);
                continue;
            }
            Event::DrillAbandoned(it) => {
                ended.push(&it.drill);
                continue;
            }
            Event::DrillStep(it) => &it.drill,
            Event::DrillException(it) => &it.drill,
            Event::DrillInterrupted(it) => &it.drill,
            Event::PartTaken(it) => &it.drill,
            Event::EvidenceKept(it) => &it.drill,
            _ => continue,
        };
        if !ended.contains(&told) {
            let reason = format!("{}: it stands with the end of {told}, or nowhere", event.kind());
            return Err((Rule::Event, reason));
        }
    }
    Ok(())
}
