//! Vaults of several custodians, and short words for what can happen to them. Keys go by
//! their names; whoever signs does so with a software key, and replay judges.

use std::collections::BTreeMap;

use keymuster::key::UserVerification;
use keymuster::log::{Document, Entry, Fault, FindingKind, Rule, SignedDocument};
use keymuster::record::{
    ActionClosed, ActionOpened, BagOpened, BagSealed, CustodianChanged, CustodianLeft,
    DutiesAcknowledged, Event, KeyHandedOver, KeyMoved, KeyName, KeyReported, KeyRestored,
    KeyRetired, KeyState, Line, PolicyChanged, ReaderRemoved, Realm, RecipientChanged, State, Time,
    UserVerification as Policy, WaiverGiven,
};
use keymuster::schedule::{Admitted, History, Obligation, Phase};

use super::fixture::{TestKey, TestLog, compartment, created, custodian, handle, name, recipient};

/// A log and all the keys that were ever made for it.
pub struct People {
    pub log: TestLog,
    keys: BTreeMap<String, TestKey>,
}

impl People {
    /// A vault founded by the owners of these keys; each key signs.
    pub fn with(keys: &[&str]) -> Self {
        let mut people = Self { log: TestLog::new(), keys: BTreeMap::new() };
        let events = people.founding(keys);
        people.does(keys, events);
        people
    }

    /// What was to be done, as of a time.
    pub fn history(&self, now: Time) -> History {
        let entries = self
            .log
            .entries
            .iter()
            .map(|entry| Admitted { time: entry.document().time, acts: entry.acts() });
        History::of(entries, now).unwrap()
    }

    /// The keys that are to be checked at a time, by the schedule.
    pub fn keys_due(&self, now: Time) -> Vec<KeyName> {
        let history = self.history(now);
        let is_due = |obligation: &&Obligation| {
            let standing = history.standing(obligation);
            standing.is_some_and(|standing| standing.phase >= Phase::Due)
        };
        let due = history.obligations().filter(is_due).filter_map(|obligation| match obligation {
            Obligation::KeyCheck(key) => Some(key.clone()),
            _ => None,
        });
        due.collect()
    }

    /// The same with nothing in its log yet.
    pub fn before_founding() -> Self {
        Self { log: TestLog::new(), keys: BTreeMap::new() }
    }

    /// What the first entry holds.
    pub fn founding(&mut self, keys: &[&str]) -> Vec<Event> {
        let mut owners: Vec<&str> =
            keys.iter().filter_map(|key| Some(key.split_once('/')?.0)).collect();
        owners.sort_unstable();
        owners.dedup();
        let mut events = vec![created(false, Policy::Required)];
        events.extend(owners.iter().map(|owner| custodian(owner)));
        events.extend(keys.iter().map(|key| self.enrolment(key)));
        events.extend([compartment("records", 1, &owners), compartment("seeds", 1, &owners)]);
        events
    }

    /// The enrolment of a key, which is made for it where there is none of that name.
    pub fn enrolment(&mut self, key: &str) -> Event {
        self.make(key);
        self.keys[key].enrolled()
    }

    /// Makes a key that may sign one day.
    pub fn make(&mut self, key: &str) {
        if !self.keys.contains_key(key) {
            let made = self.log.new_key(key);
            self.keys.insert(key.to_owned(), made);
        }
    }

    /// The same key, to be enrolled under another name.
    pub fn alias(&mut self, key: &str, other: &str) {
        let alias = self.keys[key].named(other);
        self.keys.insert(other.to_owned(), alias);
    }

    /// What replay says to an entry with genuine signatures. It isn't kept.
    pub fn try_out(&mut self, signers: &[&str], events: Vec<Event>) -> Result<(), Fault> {
        let (replay, entries) = (self.log.replay.clone(), self.log.entries.len());
        let outcome = self.appends(signers, events);
        self.log.replay = replay;
        self.log.entries.truncate(entries);
        outcome
    }

    /// The next entry with genuine signatures, not admitted.
    pub fn entry(&mut self, signers: &[&str], events: Vec<Event>) -> Entry {
        let signers: Vec<&TestKey> = signers.iter().map(|signer| &self.keys[*signer]).collect();
        self.log.entry(&signers, events)
    }

    /// A slip on top of the log as it is now, with genuine signatures.
    pub fn slip(&mut self, signers: &[&str], events: Vec<Event>) -> SignedDocument {
        self.slip_with(signers, events, |_| {})
    }

    /// The same of a document that is changed before it is signed.
    pub fn slip_with(
        &mut self,
        signers: &[&str],
        events: Vec<Event>,
        change: impl FnOnce(&mut Document),
    ) -> SignedDocument {
        let signers: Vec<&TestKey> = signers.iter().map(|signer| &self.keys[*signer]).collect();
        let mut document = self.log.document(&signers, events);
        change(&mut document);
        self.log.beside(document, &signers, Realm::Real.slip_namespace())
    }

    /// An entry that takes in slips, with genuine signatures, not admitted.
    pub fn collecting(
        &mut self,
        signers: &[&str],
        slips: &[&SignedDocument],
        events: Vec<Event>,
    ) -> Entry {
        let signers: Vec<&TestKey> = signers.iter().map(|signer| &self.keys[*signer]).collect();
        self.log.collecting(&signers, slips.iter().map(|slip| (*slip).clone()).collect(), events)
    }

    /// Appends an entry that takes in slips, if replay admits it.
    pub fn collects(
        &mut self,
        signers: &[&str],
        slips: &[&SignedDocument],
        events: Vec<Event>,
    ) -> Result<(), Fault> {
        let entry = self.collecting(signers, slips, events);
        self.log.replay.admit(&entry)?;
        self.log.entries.push(entry);
        Ok(())
    }

    /// The armour of a signature in a namespace over a message.
    pub fn sign_in(&mut self, signer: &str, namespace: &str, message: &str) -> String {
        let key = &self.keys[signer];
        self.log.sign(key, namespace, message, UserVerification::BuiltIn)
    }

    /// The armour of a signature over a message, by one of the keys that were made.
    pub fn sign(&mut self, signer: &str, message: &str) -> Option<String> {
        let namespace = Realm::Real.head_namespace();
        let key = self.keys.get(signer)?;
        Some(self.log.sign(key, namespace, message, UserVerification::BuiltIn))
    }

    /// Appends an entry, if replay admits it.
    pub fn appends(&mut self, signers: &[&str], events: Vec<Event>) -> Result<(), Fault> {
        let entry = self.entry(signers, events);
        self.log.replay.admit(&entry)?;
        self.log.entries.push(entry);
        Ok(())
    }

    /// Appends an entry, which must be sound.
    pub fn does(&mut self, signers: &[&str], events: Vec<Event>) {
        let kinds: Vec<_> = events.iter().map(Event::kind).collect();
        let outcome = self.appends(signers, events);
        assert_eq!(outcome, Ok(()), "{kinds:?} by {signers:?}");
    }

    /// The rule that an entry breaks.
    pub fn refused(&mut self, signers: &[&str], events: Vec<Event>) -> Rule {
        let kinds: Vec<_> = events.iter().map(Event::kind).collect();
        let outcome = self.try_out(signers, events);
        outcome.expect_err(&format!("{kinds:?} by {signers:?} should be refused")).rule
    }

    pub fn state(&self) -> &State {
        self.log.replay.state()
    }

    /// The state of a key, in one word.
    pub fn word(&self, key: &str) -> &'static str {
        self.state().keys()[&name(key)].state.word()
    }

    pub fn is_active(&self, key: &str) -> bool {
        self.state().keys()[&name(key)].state == KeyState::Active
    }

    /// The findings of the last entry.
    pub fn found(&self) -> Vec<FindingKind> {
        let last = self.log.replay.head().number;
        let findings = self.log.replay.findings().iter();
        findings.filter(|finding| finding.entry == last).map(|f| f.kind.clone()).collect()
    }
}

pub fn line(text: &str) -> Line {
    text.parse().unwrap()
}

fn report(key: &str, reporter: &str) -> KeyReported {
    KeyReported { key: name(key), reporter: handle(reporter), since: None, remark: None }
}

pub fn lost(key: &str, reporter: &str) -> Event {
    Event::KeyLost(report(key, reporter))
}

pub fn compromised(key: &str, reporter: &str) -> Event {
    Event::KeyCompromised(report(key, reporter))
}

pub fn restored(key: &str) -> Event {
    Event::KeyRestored(KeyRestored { key: name(key) })
}

pub fn retired(key: &str) -> Event {
    Event::KeyRetired(KeyRetired { key: name(key), remark: None })
}

pub fn left(who: &str) -> Event {
    Event::CustodianLeft(CustodianLeft { custodian: handle(who), remark: None })
}

/// The custodian's details, all of them.
pub fn changed(who: &str, deputy: &str) -> Event {
    Event::CustodianChanged(CustodianChanged {
        custodian: handle(who),
        name: Some(line("A. Custodian")),
        contact: Some(vec![line("+41 00 000 00 00")]),
        deputy: Some(handle(deputy)),
    })
}

pub fn acknowledged(who: &str, duties: &[&str]) -> Event {
    let duties = duties.iter().map(|text| line(text)).collect();
    Event::DutiesAcknowledged(DutiesAcknowledged { custodian: handle(who), duties })
}

/// The new recipient is made of `seed`.
pub fn rekeyed(who: &str, seed: &str) -> Event {
    let (custodian, recipient) = (handle(who), recipient(seed));
    Event::RecipientChanged(RecipientChanged { custodian, recipient })
}

pub fn reader_removed(who: &str) -> Event {
    Event::ReaderRemoved(ReaderRemoved { reader: handle(who) })
}

pub fn moved(key: &str, place: &str) -> Event {
    Event::KeyMoved(KeyMoved { key: name(key), place: Some(line(place)), pin_place: None })
}

pub fn handed(key: &str, giver: &str, taker: &str) -> Event {
    let (giver, taker) = (handle(giver), handle(taker));
    Event::KeyHandedOver(KeyHandedOver { key: name(key), giver, taker, place: None })
}

pub fn bagged(key: &str, bag: &str, sealer: &str, witness: &str) -> Event {
    let (sealer, witness) = (handle(sealer), handle(witness));
    Event::BagSealed(BagSealed { key: name(key), bag: line(bag), sealer, witness })
}

pub fn opened(key: &str, bag: &str, intact: bool, people: [&str; 2]) -> Event {
    let [opener, witness] = people.map(handle);
    Event::BagOpened(BagOpened { key: name(key), bag: line(bag), intact, opener, witness })
}

/// Policy with keys checked so often.
pub fn checks_every(days: u32) -> Event {
    Event::PolicyChanged(PolicyChanged { check_days: Some(days), ..PolicyChanged::default() })
}

pub fn duties(text: &[&str]) -> Event {
    let duties = Some(text.iter().map(|text| line(text)).collect());
    Event::PolicyChanged(PolicyChanged { duties, ..PolicyChanged::default() })
}

pub fn waiver(id: &str) -> Event {
    Event::WaiverGiven(WaiverGiven {
        waiver: handle(id),
        obligation: line("key-check alice/primary"),
        until: "2027-01-31T00:00:00Z".parse().unwrap(),
        reason: line("abroad"),
    })
}

pub fn action(id: &str, owner: &str) -> Event {
    Event::ActionOpened(ActionOpened {
        action: handle(id),
        title: line("a third key"),
        owner: handle(owner),
        due: "2027-01-31T00:00:00Z".parse().unwrap(),
    })
}

pub fn closed(id: &str) -> Event {
    Event::ActionClosed(ActionClosed { action: handle(id), result: line("done") })
}
