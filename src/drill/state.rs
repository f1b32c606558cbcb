//! Where a drill is, and what may happen next.

use thiserror::Error;

use super::proof::check_proof;
use super::record::{Ending, Happened, Record};
use crate::record::{Handle, Line, OPERATOR, Part, StepResult, Time, WITNESS};
use crate::runbook::{Runbook, Step, Target, Task};

/// The most records of a drill.
const MAX_RECORDS: usize = 10_000;

/// A drill that is under way, or at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drill<'a> {
    runbook: &'a Runbook,
    /// Who had which part at first.
    first_roster: Vec<Part>,
    /// Who has which part now.
    roster: Vec<Part>,
    /// Whether it was said what happened before this session.
    explained: bool,
    records: Vec<Record>,
    visits: Vec<Visit>,
    place: Place,
}

/// Where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Before a step.
    Before(usize),
    /// In one, which began.
    In(usize),
    /// All steps are done.
    End,
}

/// A step that people were at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visit {
    /// Its place in the runbook.
    pub step: usize,
    /// Who did it.
    pub person: Handle,
    /// Who watched, if anybody.
    pub witness: Option<Handle>,
    /// When it began.
    pub begun: Time,
    /// How it ended and when, if it did.
    pub ended: Option<(Time, Ending)>,
    /// Seconds that were spent at it, without those between sessions.
    pub seconds: u32,
}

/// What is to be asked or done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prompt<'a> {
    /// Put this step before the people: record that it begins, then ask.
    Begin(&'a Step),
    /// Ask for what this step asks for; it began already.
    Ask(&'a Step),
    /// All steps are done: let the people close the drill.
    Close,
}

/// Which way a step led.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// From this step.
    pub from: usize,
    /// To this.
    pub to: Target,
}

/// Why something can't happen at this moment of a drill.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Misplaced {
    /// Numbers go up by one.
    #[error("record {found} stands where record {expected} should")]
    Number {
        /// What should be there.
        expected: u32,
        /// What is.
        found: u32,
    },
    /// Sessions go up, and within one its clock.
    #[error("its session or its clock goes back")]
    Clock,
    /// Another session must begin with what happened in between.
    #[error("the drill goes on without a word on what happened in between")]
    Unexplained,
    /// Within a session nothing is resumed.
    #[error("nothing was interrupted")]
    NotInterrupted,
    /// Nothing happens after a pause in the same session.
    #[error("the drill is paused")]
    Paused,
    /// Another step is next, or this one didn't begin, or has begun already.
    #[error("step {0} isn't next")]
    NotNext(Handle),
    /// What ends a step isn't what it asks for.
    #[error("step {step}: {what}")]
    Unfit {
        /// Which step.
        step: Handle,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no such role, or who takes it has another.
    #[error("{person} can't be {role}: the runbook has no such role, or they have one already")]
    NoPart {
        /// The role.
        role: Handle,
        /// Who would have it.
        person: Handle,
    },
    /// Who confirms takes no part, or is the operator.
    #[error("{0} can't confirm that: somebody with another role than the operator's does")]
    NotConfirmed(Handle),
    /// More than anybody reads.
    #[error("a drill has {MAX_RECORDS} records at most")]
    TooMany,
}

impl<'a> Drill<'a> {
    /// A drill that has just begun.
    pub fn new(runbook: &'a Runbook, roster: Vec<Part>) -> Self {
        let (records, visits) = (Vec::new(), Vec::new());
        let (first_roster, place) = (roster.clone(), Place::Before(0));
        Self { runbook, first_roster, roster, explained: true, records, visits, place }
    }

    /// Who had which part at first.
    pub fn first_roster(&self) -> &[Part] {
        &self.first_roster
    }

    /// Who has which part now.
    pub fn roster(&self) -> &[Part] {
        &self.roster
    }

    /// Who has a role now.
    pub fn holder(&self, role: &str) -> Option<&Handle> {
        self.roster.iter().find(|part| part.role.as_str() == role).map(|part| &part.person)
    }

    /// Who does what falls to a role: the operator, where nobody has it.
    pub fn doer(&self, role: &Handle) -> Option<&Handle> {
        self.holder(role.as_str()).or_else(|| self.holder(OPERATOR))
    }

    /// Seconds that people spent on it, without those between sessions.
    pub fn seconds(&self) -> u32 {
        let ends = self.records.windows(2).filter_map(|pair| match pair {
            [one, next] if next.session > one.session => Some(one.seconds),
            _ => None,
        });
        let last = self.records.last().map(|last| last.seconds);
        ends.chain(last).fold(0, u32::saturating_add)
    }

    /// The runbook.
    pub fn runbook(&self) -> &'a Runbook {
        self.runbook
    }

    /// What happened until now.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The steps that people were at, in that order; one may be there several times.
    pub fn visits(&self) -> &[Visit] {
        &self.visits
    }

    /// The evidence that ended steps kept, in bytes.
    pub fn evidence_bytes(&self) -> u64 {
        let endings = self.visits.iter().filter_map(|visit| visit.ended.as_ref());
        endings.flat_map(|(_, ending)| &ending.evidence).map(|kept| u64::from(kept.bytes)).sum()
    }

    /// The ways that were taken, in their order.
    pub fn ways(&self) -> Vec<Way> {
        let way = |visit: &Visit| Some(Way { from: visit.step, to: self.way_on(visit)? });
        self.visits.iter().filter_map(way).collect()
    }

    /// Where a visit led.
    pub fn way_on(&self, visit: &Visit) -> Option<Target> {
        let (_, ending) = visit.ended.as_ref()?;
        way_on(self.runbook.steps.get(visit.step)?, ending).ok()
    }

    /// What is to be asked or done next.
    pub fn prompt(&self) -> Prompt<'a> {
        let step = |place: usize| self.runbook.steps.get(place);
        match self.place {
            Place::Before(place) => step(place).map_or(Prompt::Close, Prompt::Begin),
            Place::In(place) => step(place).map_or(Prompt::Close, Prompt::Ask),
            Place::End => Prompt::Close,
        }
    }

    /// Lets something happen, or leaves the drill as it was.
    pub fn take(&mut self, record: Record) -> Result<(), Misplaced> {
        if self.records.len() >= MAX_RECORDS {
            return Err(Misplaced::TooMany);
        }
        let expected = u32::try_from(self.records.len()).unwrap_or(u32::MAX).saturating_add(1);
        if record.number != expected {
            return Err(Misplaced::Number { expected, found: record.number });
        }
        let since = self.check_session(&record)?;
        match &record.happened {
            Happened::StepBegun { step } => self.begin(step, record.at)?,
            Happened::StepEnded(ending) => self.end(ending, record.at, since)?,
            Happened::Resumed { confirmed_by, .. } => {
                self.check_confirmed(confirmed_by)?;
                self.explained = true;
            }
            Happened::PartTaken { role, to, .. } => {
                self.hand_over(role, to, &record)?;
                self.spend(since);
            }
            Happened::Exception { .. } | Happened::Paused { .. } => self.spend(since),
        }
        self.records.push(record);
        Ok(())
    }

    /// Checks that a record may follow the last one in time. Gives the seconds between them.
    fn check_session(&self, record: &Record) -> Result<u32, Misplaced> {
        let resumes = matches!(record.happened, Happened::Resumed { .. });
        let explains = resumes || matches!(record.happened, Happened::PartTaken { .. });
        let Some(last) = self.records.last() else {
            return if resumes { Err(Misplaced::NotInterrupted) } else { Ok(0) };
        };
        if record.session > last.session {
            return if explains { Ok(0) } else { Err(Misplaced::Unexplained) };
        }
        if record.session < last.session || record.seconds < last.seconds {
            return Err(Misplaced::Clock);
        }
        if !self.explained {
            return if explains { Ok(0) } else { Err(Misplaced::Unexplained) };
        }
        if resumes {
            return Err(Misplaced::NotInterrupted);
        }
        if matches!(last.happened, Happened::Paused { .. }) {
            return Err(Misplaced::Paused);
        }
        Ok(record.seconds - last.seconds)
    }

    fn check_confirmed(&self, person: &Handle) -> Result<(), Misplaced> {
        let mut roster = self.roster.iter();
        let confirms = |part: &Part| part.person == *person && part.role.as_str() != OPERATOR;
        // Who is alone in a live run has nobody else to ask.
        let is_alone = matches!(self.roster.as_slice(), [only] if only.person == *person);
        if is_alone || roster.any(confirms) {
            return Ok(());
        }
        Err(Misplaced::NotConfirmed(person.clone()))
    }

    fn hand_over(&mut self, role: &Handle, to: &Handle, record: &Record) -> Result<(), Misplaced> {
        let has_a_part = self.roster.iter().any(|part| part.person == *to);
        if has_a_part || !self.runbook.roles.iter().any(|known| known.id == *role) {
            return Err(Misplaced::NoPart { role: role.clone(), person: to.clone() });
        }
        // In a session that isn't explained yet, that is still to come.
        self.explained &= self.records.last().is_none_or(|last| last.session == record.session);
        self.roster.retain(|part| part.role != *role);
        self.roster.push(Part { role: role.clone(), person: to.clone() });
        Ok(())
    }

    fn begin(&mut self, name: &Handle, at: Time) -> Result<(), Misplaced> {
        let next = match self.place {
            Place::Before(place) => Some(place),
            Place::In(_) | Place::End => None,
        };
        let is_it =
            |place: &usize| self.runbook.steps.get(*place).is_some_and(|step| step.id == *name);
        let place = next.filter(is_it).ok_or_else(|| Misplaced::NotNext(name.clone()))?;
        let people = self.runbook.steps.get(place).and_then(|step| self.people_of(step));
        let (person, witness) = people.ok_or_else(|| Misplaced::NotNext(name.clone()))?;
        let (ended, seconds) = (None, 0);
        self.visits.push(Visit { step: place, person, witness, begun: at, ended, seconds });
        self.place = Place::In(place);
        Ok(())
    }

    fn end(&mut self, ending: &Ending, at: Time, since: u32) -> Result<(), Misplaced> {
        let not_next = || Misplaced::NotNext(ending.step.clone());
        let Place::In(place) = self.place else { return Err(not_next()) };
        let step = self.runbook.steps.get(place).filter(|step| step.id == ending.step);
        let step = step.ok_or_else(not_next)?;
        let unfit = |what| Misplaced::Unfit { step: ending.step.clone(), what };
        let target = way_on(step, ending).map_err(unfit)?;
        check_proof(step, ending, |role| self.doer(role).cloned()).map_err(unfit)?;
        let (person, witness) = self.people_of(step).ok_or_else(not_next)?;
        self.spend(since);
        if let Some(visit) = self.visits.last_mut() {
            visit.ended = Some((at, ending.clone()));
            // They may have changed since it began.
            (visit.person, visit.witness) = (person, witness);
        }
        self.place = match target {
            Target::Step(next) => Place::Before(next),
            Target::End => Place::End,
        };
        Ok(())
    }

    /// Who does a step, and who watches them do it.
    pub fn people_of(&self, step: &Step) -> Option<(Handle, Option<Handle>)> {
        let person = self.doer(&step.by)?.clone();
        let others = [WITNESS, OPERATOR].into_iter().filter_map(|role| self.holder(role));
        let witness = others.into_iter().find(|other| **other != person).cloned();
        Some((person, witness))
    }

    /// Counts seconds to the step that people are at.
    fn spend(&mut self, seconds: u32) {
        if let (Place::In(_), Some(visit)) = (self.place, self.visits.last_mut()) {
            visit.seconds = visit.seconds.saturating_add(seconds);
        }
    }
}

/// Where a step leads when it ends like this, or why it can't.
fn way_on(step: &Step, ending: &Ending) -> Result<Target, &'static str> {
    let done = ending.result == StepResult::Done;
    if ending.result == StepResult::Unfinished {
        return Err("a step that ended isn't unfinished");
    }
    if !done && ending.observed.is_none() {
        return Err("a step that wasn't done needs a word on why");
    }
    if let Task::Record { asks } = &step.task
        && done
    {
        if ending.answers.len() != asks.len() {
            return Err("each of its questions is answered, and no other");
        }
    } else if !ending.answers.is_empty() {
        return Err("it asks no question");
    }
    if let Task::Decide { choices } = &step.task {
        let chosen = |choice: &Line| choices.iter().find(|known| known.answer == *choice);
        let chosen = ending.choice.as_ref().and_then(chosen).filter(|_| done);
        return chosen
            .map(|choice| choice.goto)
            .ok_or("one of its choices is made, and nothing else");
    }
    if ending.choice.is_some() {
        return Err("there is nothing to choose");
    }
    match ending.result {
        StepResult::Failed => Ok(step.if_not.unwrap_or(step.next)),
        _ => Ok(step.next),
    }
}
