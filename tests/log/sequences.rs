//! Laws over whatever happens to four custodians: entries of random events by random signers,
//! of which replay admits some. What must hold is kept here from the admitted events alone.

use std::collections::BTreeSet;

use keymuster::record::{
    CompartmentSealed, CustodianAdded, Event, Handle, Hex, IdentitySealed, Key, KeyName, Outcome,
    ReaderAdded, RecipientChanged, State, VaultSucceeds,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::accounts::{
    account, linked, removed, renamed, root_email, signed_in, token_moved, tried, unlinked,
};
use super::compartments::chosen;
use super::fixture::{checked, compartment, custodian, handle, name, reader, sealed};
use super::people::{
    People, acknowledged, action, bagged, checks_every, closed, compromised, duties, handed, left,
    lost, opened, reader_removed, rekeyed, restored, retired, waiver,
};
use super::secrets;

const FOUNDERS: [&str; 7] = [
    "alice/primary",
    "alice/blue",
    "bob/primary",
    "bob/blue",
    "carol/primary",
    "dan/primary",
    "dan/blue",
];
const LATER: [&str; 5] = ["alice/green", "bob/green", "erin/primary", "erin/blue", "frank/primary"];
const PEOPLE: [&str; 8] = ["alice", "bob", "carol", "dan", "alice", "bob", "erin", "frank"];

/// What an event is about, drawn beforehand: what there is to be about shows at its time.
#[derive(Clone, Debug)]
pub struct Draw {
    kind: u8,
    key: &'static str,
    one: &'static str,
    other: &'static str,
    fresh: bool,
    epoch: u32,
}

fn draws() -> impl Strategy<Value = Draw> {
    let keys: Vec<&str> = FOUNDERS.into_iter().chain(LATER).collect();
    let people = PEOPLE.to_vec();
    let parts = (0..32_u8, select(keys), select(people.clone()), select(people));
    (parts, any::<bool>(), 0..4_u32).prop_map(|((kind, key, one, other), fresh, epoch)| Draw {
        kind,
        key,
        one,
        other,
        fresh,
        epoch,
    })
}

/// The event, and a key that must be among its signers.
fn event(people: &mut People, draw: &Draw, entry: usize) -> (Event, Option<&'static str>) {
    let Draw { kind, key, one, other, fresh, epoch } = *draw;
    let (owner, label) = key.split_once('/').unwrap();
    let seed = if fresh { format!("{one} {entry}") } else { one.to_owned() };
    // Mostly of a key to which it can happen.
    let fit = |fits: fn(&Key) -> bool| {
        let keys = people.state().keys().iter();
        let mut fits =
            keys.filter(|(_, key)| epoch > 0 && fits(key)).map(|(name, _)| name.to_string());
        fits.next_back().unwrap_or(key.to_owned())
    };
    let event = match kind {
        0 | 1 => return (people.enrolment(key), Some(key)),
        2 => custodian(one),
        3 => left(one),
        4 => reader(if fresh { "auditor" } else { one }),
        5 => reader_removed("auditor"),
        6 => rekeyed(one, &seed),
        7 => sealed(owner, if fresh { label } else { "paper" }, epoch),
        8 => {
            let own = people.state().members_of(&handle("own")).filter(|_| epoch % 2 == 1);
            let which = match own {
                Some(_) => "own",
                None if fresh => "records",
                None => "seeds",
            };
            let members = people.state().members_of(&handle(which)).unwrap();
            let mut members: Vec<&str> = members.iter().map(Handle::as_str).collect();
            if epoch == 0 {
                members.retain(|member| *member != one);
            }
            let known = people.state().compartments().get(&handle(which));
            let now = known.map_or(0, |known| known.sealing.epoch);
            compartment(which, (now + epoch).saturating_sub(1), &members)
        }
        9 => lost(key, owner),
        10 | 11 => lost(key, one),
        12 => compromised(key, one),
        13..=15 => restored(&fit(|key| key.state.word() == "suspended" || !key.claims.is_empty())),
        16 => retired(key),
        17 => handed(key, if fresh { owner } else { one }, other),
        18 => bagged(key, "B-1", one, other),
        19 => opened(&fit(|key| key.bag.is_some()), "B-1", fresh, [one, other]),
        20 => acknowledged(one, &["I keep my keys"]),
        21 => [checks_every(epoch), duties(&["I keep my keys"])][usize::from(fresh)].clone(),
        22 => {
            let four = [waiver(one), action(one, other), closed(one), action(other, one)];
            four[epoch as usize % 4].clone()
        }
        23 => account(one, u64::from(epoch)),
        24 if fresh => linked(key, &[one, other]),
        24 => linked(label, &[one]),
        25 if fresh => unlinked(key, &[one, other]),
        25 => unlinked(label, &[one]),
        26 => {
            let four = [removed(one), renamed(one), root_email(one, "a@example.com")];
            four.get(epoch as usize).cloned().unwrap_or_else(|| token_moved(one, label, other))
        }
        28 if fresh => secrets::stored(one),
        28 => secrets::replaced(one, epoch),
        29 if fresh => secrets::opened(&[&format!("{one}.{}", epoch.max(1))], other),
        29 => secrets::totp_checked(one, label),
        31 if fresh => Event::VaultSucceeds(VaultSucceeds {
            vault: Hex([6; 16]),
            number: u64::from(epoch),
            link: Hex([1; 32]),
            reason: None,
        }),
        30 => chosen("own", &BTreeSet::from([one, other]).into_iter().collect::<Vec<_>>()),
        27 if fresh => signed_in(&[one, other], None),
        27 => Event::MailboxTested(tried(&[one], Outcome::Passed)),
        _ => checked(key),
    };
    (event, None)
}

/// Who signs an entry.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// Every key that may sign.
    All,
    /// The keys of the two that the first event names.
    Two,
    /// Keys that may sign, or that they are restored.
    Some,
    /// Any keys, even twice.
    Any,
}

fn signers(people: &People, who: Who, draw: &Draw, picks: &[Index]) -> Vec<String> {
    let fits = |name: &KeyName, key: &Key| match who {
        Who::All => key.state.word() == "active",
        Who::Two => {
            key.state.word() == "active" && [draw.one, draw.other].contains(&name.owner.as_str())
        }
        Who::Some => ["active", "suspended"].contains(&key.state.word()),
        Who::Any => true,
    };
    let known = people.state().keys().iter().filter(|(name, key)| fits(name, key));
    let known: Vec<String> = known.map(|(name, _)| name.to_string()).collect();
    let picked = picks.iter().filter(|_| !known.is_empty()).map(|pick| pick.get(&known).clone());
    match who {
        Who::All | Who::Two => known,
        Who::Some => picked.collect::<BTreeSet<_>>().into_iter().collect(),
        Who::Any => picked.collect(),
    }
}

/// What is used once, ever.
#[derive(Default)]
struct Used {
    handles: BTreeSet<String>,
    recipients: BTreeSet<String>,
    keys: BTreeSet<String>,
    public_keys: BTreeSet<String>,
    ids: BTreeSet<String>,
    sealings: BTreeSet<String>,
}

impl Used {
    /// Whether all that an admitted event takes was free.
    fn takes(&mut self, event: &Event) -> bool {
        match event {
            Event::CustodianAdded(CustodianAdded { custodian: who, recipient, .. })
            | Event::ReaderAdded(ReaderAdded { reader: who, recipient, .. }) => {
                self.handles.insert(who.to_string())
                    && self.recipients.insert(recipient.to_string())
            }
            Event::RecipientChanged(RecipientChanged { recipient, .. }) => {
                self.recipients.insert(recipient.to_string())
            }
            Event::CompartmentSealed(CompartmentSealed {
                compartment, epoch, recipient, ..
            }) => {
                self.recipients.insert(recipient.to_string())
                    && self.sealings.insert(format!("{compartment} {epoch}"))
            }
            Event::IdentitySealed(IdentitySealed { custodian, slot, generation, .. }) => {
                self.sealings.insert(format!("{custodian}/{slot} {generation}"))
            }
            Event::KeyEnrolled(enrolled) => {
                self.keys.insert(enrolled.key.to_string())
                    && self.public_keys.insert(enrolled.public_key.to_string())
            }
            Event::WaiverGiven(given) => self.ids.insert(format!("waiver {}", given.waiver)),
            Event::SecretStored(stored) => self.ids.insert(format!("secret {}", stored.secret)),
            Event::AccountAdded(added) => self.ids.insert(format!("account {}", added.account)),
            Event::ActionOpened(opened) => self.ids.insert(format!("action {}", opened.action)),
            _ => true,
        }
    }
}

/// The custodians who joined, have not left and had a key enrolled, and the readers there are.
#[derive(Default)]
struct Members {
    present: BTreeSet<Handle>,
    keyed: BTreeSet<Handle>,
    readers: BTreeSet<Handle>,
    /// For the compartment `own`.
    chosen: Option<Vec<Handle>>,
}

impl Members {
    fn follow(&mut self, event: &Event) {
        match event {
            Event::CustodianAdded(added) => drop(self.present.insert(added.custodian.clone())),
            Event::CustodianLeft(left) => drop(self.present.remove(&left.custodian)),
            Event::MembersChosen(event) => self.chosen = Some(event.members.clone()),
            Event::ReaderAdded(added) => drop(self.readers.insert(added.reader.clone())),
            Event::ReaderRemoved(removed) => drop(self.readers.remove(&removed.reader)),
            Event::KeyEnrolled(enrolled) => drop(self.keyed.insert(enrolled.key.owner.clone())),
            _ => {}
        }
    }

    fn of(&self, compartment: &str) -> Vec<Handle> {
        let custodians = self.present.intersection(&self.keyed).cloned();
        let mut members: Vec<Handle> = custodians.collect();
        if compartment == "records" {
            members.extend(self.readers.iter().cloned());
        }
        members.sort();
        members
    }
}

fn is_own_report(event: &Event) -> bool {
    match event {
        Event::KeyLost(report) | Event::KeyCompromised(report) => {
            report.reporter == report.key.owner
        }
        _ => false,
    }
}

/// Who has a key that may sign, counted anew.
fn able(state: &State) -> usize {
    let active = state.keys().iter().filter(|(_, key)| key.state.word() == "active");
    active.map(|(name, _)| &name.owner).collect::<BTreeSet<_>>().len()
}

/// What somebody tries to record.
pub type Attempt = (Vec<Draw>, Who, Vec<Index>);

/// Many of them.
pub fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let events = prop_oneof![
        4 => prop::collection::vec(draws(), 1),
        1 => prop::collection::vec(draws(), 2..5),
    ];
    let who = select(vec![Who::All, Who::All, Who::Two, Who::Two, Who::Some, Who::Any]);
    prop::collection::vec((events, who, prop::collection::vec(any::<Index>(), 0..6)), 1..250)
}

/// Who signs it, and what it tells.
pub fn attempted(
    people: &mut People,
    number: usize,
    (drawn, who, picks): &Attempt,
) -> (Vec<String>, Vec<Event>) {
    let mut signers = signers(people, *who, &drawn[0], picks);
    let mut events = Vec::new();
    for draw in drawn {
        let (event, key) = event(people, draw, number);
        events.push(event);
        signers.extend(key.map(str::to_owned).filter(|key| !signers.contains(key)));
    }
    (signers, events)
}

/// A vault that was just founded.
pub fn just_founded() -> People {
    People::with(&FOUNDERS)
}

proptest! {
    // Long logs: fewer of them show more.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: ProptestConfig::default().cases / 4,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_admitted_keeps_the_floor_and_uses_nothing_twice(
        entries in attempts(),
    ) {
        let mut people = People::before_founding();
        let founding = people.founding(&FOUNDERS);
        let (mut used, mut members) = (Used::default(), Members::default());
        for event in &founding {
            prop_assert!(used.takes(event));
            members.follow(event);
        }
        people.does(&FOUNDERS, founding);

        for (number, attempt) in entries.iter().enumerate() {
            let (signers, events) = attempted(&mut people, number, attempt);
            let signers: Vec<&str> = signers.iter().map(String::as_str).collect();
            let before = (people.log.replay.head(), people.state().clone());
            let findings = people.log.replay.findings().to_vec();
            if people.appends(&signers, events.clone()).is_err() {
                prop_assert_eq!((people.log.replay.head(), people.state().clone()), before);
                prop_assert_eq!(people.log.replay.findings(), findings);
                continue;
            }
            let (state, before) = (people.state(), before.1);
            prop_assert!(state.quorum() >= before.quorum());
            prop_assert_eq!(state.able_custodians(), able(state));
            if able(state) < able(&before) && able(state) < 2 {
                prop_assert!(events.iter().any(is_own_report), "{:?}", events);
            }
            for event in &events {
                prop_assert!(used.takes(event), "{:?}", event);
                members.follow(event);
            }
            for which in ["records", "seeds"] {
                prop_assert_eq!(state.members_of(&handle(which)), Some(members.of(which)));
            }
            let chosen = members.chosen.as_ref().map(|chosen| {
                let all = members.of("seeds").into_iter();
                all.filter(|member| chosen.contains(member)).collect::<Vec<Handle>>()
            });
            prop_assert_eq!(state.members_of(&handle("own")), chosen);
        }
    }

    /// Without signatures or authority, so that far more can happen.
    #[test]
    fn an_event_that_cannot_happen_leaves_the_state_as_it_was(
        drawn in prop::collection::vec((draws(), any::<Index>()), 1..150),
    ) {
        let mut people = People::with(&FOUNDERS);
        let mut state = people.state().clone();
        for (number, (draw, signer)) in drawn.iter().enumerate() {
            let (event, _) = event(&mut people, draw, number);
            let before = state.clone();
            let at = before.created().unwrap();
            let signer: &&str = signer.get(&FOUNDERS);
            let floor = able(&before).min(before.quorum());
            match state.apply(&event, at, &[name(signer)]) {
                Ok(()) => prop_assert!(is_own_report(&event) || able(&state) >= floor),
                Err(_) => prop_assert_eq!(&state, &before, "{:?}", event),
            }
        }
    }
}
