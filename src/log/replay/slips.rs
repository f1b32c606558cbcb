//! Slips: documents that were signed beside the log, and that an entry takes into it.
//!
//! A slip is made as if it were the next entry after the last one that its writer knew, and signed
//! in a namespace of its own, so that nobody can pass it off as one. An entry that lost its number to
//! another clone's is taken in the same way, under the signatures that it has.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::enrolled::keys_enrolled_by;
use super::{Replay, Rule};
use crate::log::chain::Head;
use crate::log::document::Document;
use crate::log::signed::SignedDocument;
use crate::record::{Act, Digest, Event, HeadAbandoned, KeyName, Realm};
use crate::sshsig::{PublicKey, Signature};

/// How much later than the entry that admits it a slip may say that it was signed: clocks differ.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// What the log knows of a document that was signed beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Branch {
    number: u64,
    /// The newest entry of the log that it follows, directly or not; `None` if it was given up.
    seen: Option<u64>,
}

/// The documents that were admitted or given up so far, by the links that they make.
#[derive(Clone, Debug, Default)]
pub(super) struct Branches(BTreeMap<Digest, Branch>);

/// A slip whose place is known.
pub(super) struct Placed<'e> {
    pub(super) slip: &'e SignedDocument,
    /// Which of its entry's slips it is, for people.
    pub(super) word: String,
    /// What its signers signed.
    pub(super) head: Head,
    /// The newest entry of the log that it follows; 0 in an extract, where what it follows is withheld.
    pub(super) seen: u64,
    /// The public keys that it enrols.
    pub(super) enrolled: BTreeMap<KeyName, PublicKey>,
}

impl Placed<'_> {
    /// The namespace in which it is to be signed: that of entries, if its first signature is of
    /// that one. Then it was meant to be an entry.
    pub(super) fn namespace(&self, realm: Realm) -> &'static str {
        let first = self.slip.signatures().first().and_then(|it| Signature::from_armor(it).ok());
        let is_entry = first.is_some_and(|it| it.namespace() == realm.head_namespace());
        if is_entry { realm.head_namespace() } else { realm.slip_namespace() }
    }

    /// Whether its signers didn't know of an entry, as far as that can be seen.
    pub(super) fn is_outlived_by(&self, entry: u64) -> bool {
        self.seen > 0 && entry > self.seen
    }
}

impl Replay {
    /// Whether a document is part of the log already, as an entry or as a slip of one.
    pub fn has_taken_in(&self, slip: &SignedDocument) -> bool {
        let document = slip.document();
        let parent = Head {
            vault: document.vault,
            number: document.number.saturating_sub(1),
            link: document.previous,
        };
        let head = parent.after_digest(&slip.digest());
        let admitted = self.branches.0.get(&head.link).is_some_and(|it| it.seen.is_some());
        admitted || self.link(head.number) == Some(&head.link)
    }

    /// Where the slips of a document belong, one after the other. Fails at the first that may not be
    /// admitted.
    pub(super) fn place<'e>(
        &self,
        document: &Document,
        slips: &'e [SignedDocument],
    ) -> Result<Vec<Placed<'e>>, (Rule, String)> {
        let mut placed: Vec<Placed<'e>> = Vec::new();
        for (index, slip) in (1..).zip(slips) {
            let word = format!("slip {index}");
            let (head, seen) = self
                .place_slip(document, slip, &placed)
                .map_err(|reason| (Rule::Slip, format!("{word}: {reason}")))?;
            placed.push(Placed { slip, word, head, seen, enrolled: BTreeMap::new() });
        }
        Ok(placed)
    }

    fn place_slip(
        &self,
        document: &Document,
        slip: &SignedDocument,
        before: &[Placed<'_>],
    ) -> Result<(Head, u64), String> {
        let it = slip.document();
        if it.vault != self.head.vault {
            return Err(format!("it belongs to the vault {}", it.vault));
        }
        // The founding is nobody's to repeat.
        let parent = it.number.checked_sub(1).filter(|parent| *parent > 0);
        let parent = parent.ok_or_else(|| "it is no slip, but founds a vault".to_owned())?;
        let seen = self.seen_by(parent, &it.previous, before).ok_or_else(|| {
            format!("it was signed on top of an entry {parent} that this log doesn't have")
        })?;
        let head = Head { vault: it.vault, number: parent, link: it.previous };
        let head = head.after_digest(&slip.digest());
        if self.link(it.number) == Some(&head.link) {
            return Err(format!("it is entry {} of this log", it.number));
        }
        match self.branches.0.get(&head.link) {
            Some(Branch { seen: None, .. }) => return Err("it was given up".to_owned()),
            Some(_) => return Err("it was admitted before".to_owned()),
            None if before.iter().any(|other| other.head == head) => {
                return Err("it is there twice".to_owned());
            }
            None => {}
        }
        let days = self.state.policy().slip_days;
        let age = document.time.moment() - it.time.moment();
        if age > TimeDelta::days(days.into()) {
            return Err(format!("it was signed on {}, more than {days} days before", it.time));
        }
        if age < -AHEAD {
            return Err(format!(
                "it says that it was signed on {}, more than a day later",
                it.time
            ));
        }
        Ok((head, seen))
    }

    /// The newest entry of the log that a document follows, if what it follows is known: an entry of
    /// the log, or a document that was or is admitted.
    fn seen_by(&self, parent: u64, previous: &Digest, before: &[Placed<'_>]) -> Option<u64> {
        if self.link(parent) == Some(previous) {
            return Some(parent);
        }
        let here = before.iter().find(|other| other.head.link == *previous);
        let here = here.map(|other| Branch { number: other.head.number, seen: Some(other.seen) });
        match here.or_else(|| self.branches.0.get(previous).copied()) {
            Some(branch) => branch.seen.filter(|_| branch.number == parent),
            // It may follow a slip of an entry that is withheld.
            None => (self.has_withheld && !self.links.contains(previous)).then_some(0),
        }
    }

    /// Holds the slips' enrolments against their attestations.
    pub(super) fn enrol(placed: &mut [Placed<'_>], realm: Realm) -> Result<(), (Rule, String)> {
        for slip in placed {
            slip.enrolled = keys_enrolled_by(slip.slip.document(), realm)
                .map_err(|(rule, reason)| (rule, format!("{}: {reason}", slip.word)))?;
        }
        Ok(())
    }

    /// Notes what was signed beside the log and is part of it now, or never will be.
    pub(super) fn note_branches(&mut self, placed: &[Placed<'_>], given_up: Vec<HeadAbandoned>) {
        let admitted = placed.iter().map(|slip| {
            (slip.head.link, Branch { number: slip.head.number, seen: Some(slip.seen) })
        });
        let given_up = given_up
            .into_iter()
            .map(|HeadAbandoned { number, link }| (link, Branch { number, seen: None }));
        self.branches.0.extend(admitted.chain(given_up));
    }

    /// The documents that are given up. Fails where one is part of the log, or was given up before.
    pub(super) fn given_up(
        &self,
        acts: &[Act<'_>],
        placed: &[Placed<'_>],
    ) -> Result<Vec<HeadAbandoned>, (Rule, String)> {
        let mut all: BTreeMap<Digest, HeadAbandoned> = BTreeMap::new();
        let placed: BTreeSet<Digest> = placed.iter().map(|slip| slip.head.link).collect();
        for event in acts.iter().flat_map(|act| act.events) {
            let Event::HeadAbandoned(event) = event else { continue };
            let known = self.link(event.number) == Some(&event.link)
                || self.branches.0.contains_key(&event.link)
                || placed.contains(&event.link);
            if known || all.insert(event.link, event.clone()).is_some() {
                let reason = "head-abandoned: it is part of this log, or was given up before";
                return Err((Rule::Event, reason.to_owned()));
            }
        }
        Ok(all.into_values().collect())
    }

    /// The link of an entry that was admitted; of the empty log, for 0.
    fn link(&self, number: u64) -> Option<&Digest> {
        usize::try_from(number).ok().and_then(|number| self.links.get(number))
    }
}
