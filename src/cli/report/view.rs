//! What a report tells, gathered once.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use chrono::NaiveDate;
use serde::Serialize;

use super::at::At;
use super::controls::{ControlView, FrameworkView, controls};
use super::happened::{ActionView, DrillView, FindingView, actions, drills, findings};
use super::record::{AccountOnRecord, RuleView, SignedView, accounts_on_record, rules, signed};
use crate::audit::{Fates, KeyLine, Owed, Part, key_lines, population};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::log::{Counts, InWords, VerdictsView, in_words, of_vault};
use crate::cli::output::HeadView;
use crate::cli::schedule::title;
use crate::cli::session::Session;
use crate::cli::status::{AccountView, accounts};
use crate::cli::vault::SucceedsView;
use crate::cli::words::told;
use crate::log::Entry;
use crate::record::{Event, Handle, Line, Reader, Realm, State};
use crate::recovery::Recovery;
use crate::schedule::{Fate, History, Phase, day_of};

/// A report.
#[derive(Debug, Serialize)]
pub struct ReportView {
    pub vault: String,
    pub name: Option<String>,
    pub demo: bool,
    /// The vault that it takes the place of.
    pub succeeds: Option<SucceedsView>,
    /// When it was made, in UTC, and with what.
    pub made: String,
    pub tool: String,
    /// The days that it is about, where it isn't about all.
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    pub head: HeadView,
    pub fingerprint: Option<String>,
    pub verdicts: VerdictsView,
    #[serde(skip)]
    pub verdicts_in_words: Vec<InWords>,
    pub counts: Counts,
    pub fault: Option<String>,
    pub damage: Vec<String>,
    /// What became of what was due, by its kind.
    pub kinds: Vec<KindView>,
    pub population: Vec<OwedView>,
    pub drills: Vec<DrillView>,
    pub custodians: Vec<CustodianView>,
    /// Who else reads the log.
    pub readers: Vec<ReaderView>,
    pub signed: SignedView,
    pub policy: Vec<RuleView>,
    pub accounts: Vec<AccountOnRecord>,
    pub keys: Vec<KeyView>,
    pub ways: Vec<AccountView>,
    pub findings: Vec<FindingView>,
    pub actions: Vec<ActionView>,
    pub control_map_version: u32,
    pub control_map_dated: String,
    pub frameworks: Vec<FrameworkView>,
    pub controls: Vec<ControlView>,
    pub entries: Vec<EntryView>,
}

/// All of one kind that was due.
#[derive(Debug, Serialize)]
pub struct KindView {
    pub kind: &'static str,
    pub obligations: usize,
    pub overdue: usize,
    pub early: usize,
    pub done: usize,
    pub late: usize,
    pub missed: usize,
    pub waived: usize,
    pub ended: usize,
    pub open: usize,
}

/// Something that was to be done.
#[derive(Debug, Serialize)]
pub struct OwedView {
    pub obligation: String,
    pub kind: &'static str,
    pub title: String,
    pub accounts: Vec<String>,
    pub people: Vec<String>,
    /// How it stands, in a word, and the day on which it is due.
    pub standing: &'static str,
    pub due: Option<NaiveDate>,
    /// When it was last done, whether or not that filled one of the times.
    pub last_done: Option<At>,
    /// How many times before these there were that aren't told.
    pub left_out: u32,
    pub slots: Vec<SlotView>,
}

/// One time that it was.
#[derive(Debug, Serialize)]
pub struct SlotView {
    pub number: u32,
    pub opened: NaiveDate,
    pub due: NaiveDate,
    pub fate: &'static str,
    pub on: Option<NaiveDate>,
    pub entry: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct CustodianView {
    pub custodian: String,
    pub name: Option<String>,
    pub added: At,
    pub left: Option<At>,
    pub acknowledged: Option<At>,
}

#[derive(Debug, Serialize)]
pub struct ReaderView {
    pub reader: String,
    pub added: At,
}

#[derive(Debug, Serialize)]
pub struct KeyView {
    pub key: String,
    pub holder: Option<String>,
    pub states: Vec<StateView>,
    pub signed: Vec<At>,
}

#[derive(Debug, Serialize)]
pub struct StateView {
    pub state: &'static str,
    pub since: At,
}

/// An entry, in words.
#[derive(Debug, Serialize)]
pub struct EntryView {
    pub number: u64,
    pub time: String,
    pub signers: Vec<String>,
    pub tells: Vec<String>,
}

impl ReportView {
    /// What there is to tell, and whether a verdict is no.
    pub fn of(
        session: &Session<'_>,
        heads: &[PathBuf],
        period: Option<&RangeInclusive<NaiveDate>>,
    ) -> Result<(Self, bool), Failure> {
        let context = session.context;
        let (verified, history) = of_vault(session, heads, period)?;
        let (state, now) = (session.state(), context.now()?);
        let entries = || session.vault.entries().iter();
        let owed = history.as_ref().map_or_else(Vec::new, |h| population(h, period));
        let lines = key_lines(entries()).map_err(|rejection| {
            Failure::because(exit::FAILED, "couldn't go through the log again", &rejection)
        })?;
        let within = |day: NaiveDate| period.is_none_or(|period| period.contains(&day));
        let is_lacking = verified.verdicts.has_no();
        let bound = |day: Option<NaiveDate>| day.filter(|day| *day != NaiveDate::MIN);
        let mut view = Self {
            vault: verified.head.vault.to_string(),
            name: state.name().map(Line::to_string),
            demo: state.realm() == Realm::Demo,
            succeeds: SucceedsView::of(state),
            made: now.to_string(),
            tool: context.tool()?.to_string(),
            from: bound(period.map(|period| *period.start())),
            to: period.map(|period| *period.end()),
            head: (&verified.head).into(),
            fingerprint: verified.fingerprint,
            verdicts: (&verified.verdicts).into(),
            verdicts_in_words: in_words(&verified.verdicts, &verified.counts).into(),
            counts: verified.counts,
            fault: verified.fault.map(|fault| fault.to_string()),
            damage: verified.damage,
            kinds: kinds(&owed),
            population: owed
                .iter()
                .map(|owed| OwedView::of(owed, history.as_ref(), state))
                .collect(),
            drills: drills(entries(), state, within),
            custodians: custodians(state),
            readers: readers(state),
            signed: signed(entries()),
            policy: rules(entries(), state),
            accounts: accounts_on_record(state),
            keys: lines.into_iter().map(|line| KeyView::of(line, state)).collect(),
            ways: accounts(&Recovery::of(state, now)),
            findings: findings(session, now, entries(), within),
            actions: actions(state, day_of(now)),
            control_map_version: 0,
            control_map_dated: String::new(),
            frameworks: Vec::new(),
            controls: Vec::new(),
            entries: entries()
                .map(|entry| EntryView {
                    number: entry.document().number,
                    time: entry.document().time.to_string(),
                    signers: entry.document().signers.iter().map(ToString::to_string).collect(),
                    tells: told(entry),
                })
                .collect(),
        };
        let receipts = entries().flat_map(Entry::events);
        let receipts = receipts.filter(|event| matches!(event, Event::SecretOpened(_))).count();
        let map = controls(|part| view.found(part, receipts))?;
        view.control_map_version = map.version;
        view.control_map_dated = map.dated;
        view.frameworks = map.frameworks;
        view.controls = map.controls;
        Ok((view, is_lacking))
    }
}

impl ReportView {
    /// How much of a part of the report there is.
    fn found(&self, part: Part, receipts: usize) -> Option<usize> {
        let drills = self.drills.iter();
        Some(match part {
            Part::Verdicts => return None,
            Part::Population if self.fault.is_some() => return None,
            Part::Population => self.population.len(),
            Part::Drills => self.drills.len(),
            Part::Reviews => drills.filter(|drill| drill.review.is_some()).count(),
            Part::Exceptions => drills.map(|drill| drill.exceptions.len()).sum(),
            Part::Actions => self.actions.len(),
            Part::Custodians => self.custodians.len(),
            Part::Keys => self.keys.len(),
            Part::DualControl => self.signed.by_several,
            Part::Accounts => self.accounts.len(),
            Part::WaysIn => self.ways.len(),
            Part::Secrets => receipts,
            Part::Policy => self.policy.len(),
        })
    }
}

fn kinds(population: &[Owed]) -> Vec<KindView> {
    let mut kinds: BTreeMap<&'static str, (usize, usize, Fates)> = BTreeMap::new();
    for owed in population {
        let (obligations, overdue, fates) = kinds.entry(owed.obligation.kind()).or_default();
        *obligations += 1;
        *overdue += usize::from(owed.standing.as_ref().is_some_and(|s| s.phase == Phase::Overdue));
        owed.slots.iter().for_each(|(slot, _)| fates.count(slot.fate));
    }
    let view = |(kind, (obligations, overdue, fates)): (&'static str, (usize, usize, Fates))| {
        let Fates { early, done, late, missed, waived, ended, open } = fates;
        KindView { kind, obligations, overdue, early, done, late, missed, waived, ended, open }
    };
    kinds.into_iter().map(view).collect()
}

impl OwedView {
    fn of(owed: &Owed, history: Option<&History>, now: &State) -> Self {
        let state = history.map_or(now, History::state);
        let names = |all: std::collections::BTreeSet<Handle>| {
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let slots = owed.slots.iter().map(|(slot, entry)| {
            let (fate, on) = fate(slot.fate);
            SlotView {
                number: slot.number,
                opened: slot.opened,
                due: slot.due,
                fate,
                on,
                entry: *entry,
            }
        });
        Self {
            obligation: owed.obligation.to_string(),
            kind: owed.obligation.kind(),
            title: title(&owed.obligation, state),
            accounts: names(owed.obligation.accounts(state)),
            people: names(owed.obligation.people(state)),
            standing: owed.standing.as_ref().map_or("over", |standing| standing.phase.word()),
            due: owed.standing.as_ref().map(|standing| standing.due),
            last_done: history
                .and_then(|history| history.last_act(&owed.obligation))
                .map(|(entry, day)| At { entry, day }),
            left_out: owed.left_out,
            slots: slots.collect(),
        }
    }
}

fn fate(fate: Fate) -> (&'static str, Option<NaiveDate>) {
    match fate {
        Fate::Early(on) => ("early", Some(on)),
        Fate::Done(on) => ("done", Some(on)),
        Fate::Late(on) => ("late", Some(on)),
        Fate::Missed => ("missed", None),
        Fate::Waived(until) => ("waived", Some(until)),
        Fate::Ended(on) => ("ended", Some(on)),
        Fate::Open => ("open", None),
    }
}

fn custodians(state: &State) -> Vec<CustodianView> {
    let all = state.custodians().iter().chain(state.former_custodians());
    let mut views: Vec<CustodianView> = all
        .map(|(handle, custodian)| CustodianView {
            custodian: handle.to_string(),
            name: custodian.name.as_ref().map(Line::to_string),
            added: custodian.added.into(),
            left: custodian.left.map(At::from),
            acknowledged: custodian.acknowledged.map(At::from),
        })
        .collect();
    views.sort_by(|one, other| one.custodian.cmp(&other.custodian));
    views
}

fn readers(state: &State) -> Vec<ReaderView> {
    let view = |(handle, reader): (&Handle, &Reader)| ReaderView {
        reader: handle.to_string(),
        added: reader.added.into(),
    };
    state.readers().iter().map(view).collect()
}

impl KeyView {
    fn of(line: KeyLine, state: &State) -> Self {
        let states = line.states.into_iter();
        Self {
            holder: state.keys().get(&line.key).map(|key| key.holder.to_string()),
            key: line.key.to_string(),
            states: states.map(|(at, state)| StateView { state, since: at.into() }).collect(),
            signed: line.signed.into_iter().map(At::from).collect(),
        }
    }
}
