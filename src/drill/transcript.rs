//! What happened in a drill, as events of the entry that ends it.

use super::record::{Happened, Record};
use super::state::{Drill, Visit};
use crate::record::{
    Digest, DrillException, DrillInterrupted, DrillStep, Event, EvidenceKept, Handle, PartTaken,
    StepResult, Time,
};
use crate::runbook::{Step, Target, Task};

/// The transcript of a drill that is at its end, or given up at `now`: what happened, in its
/// order, and then what the steps proved beside. `digest` gives the digest of a step's text.
pub fn transcript(
    drill: &Drill<'_>,
    name: &Handle,
    now: Time,
    digest: impl Fn(&Step) -> Digest,
) -> (Vec<Event>, Vec<Event>) {
    let mut teller = Teller { drill, name, digest, events: Vec::new(), visit: 0, step: None };
    let mut parts = drill.first_roster().to_vec();
    let mut last: Option<&Record> = None;
    for record in drill.records() {
        if let Some(last) = last.filter(|last| last.session < record.session) {
            teller.interrupted(last);
        }
        match &record.happened {
            Happened::StepBegun { step } => {
                teller.visit += 1;
                teller.step = Some(step.clone());
            }
            Happened::StepEnded(_) => teller.ended(now),
            Happened::Exception { message, action, approver } => {
                teller.events.push(Event::DrillException(DrillException {
                    drill: name.clone(),
                    step: teller.step.clone(),
                    at: record.at,
                    message: message.clone(),
                    action: action.clone(),
                    approver: approver.clone(),
                }));
            }
            Happened::PartTaken { role, to, reason } => {
                let from = parts.iter().position(|part| part.role == *role);
                let from = from.map(|place| parts.remove(place).person);
                parts.push(crate::record::Part { role: role.clone(), person: to.clone() });
                teller.events.push(Event::PartTaken(PartTaken {
                    drill: name.clone(),
                    role: role.clone(),
                    from,
                    to: to.clone(),
                    at: record.at,
                    reason: reason.clone(),
                }));
            }
            Happened::Resumed { confirmed_by, message } => {
                // Between the interruption and this, parts may have been taken.
                let interruption = teller.events.iter_mut().rev().find_map(|event| match event {
                    Event::DrillInterrupted(interrupted) => Some(interrupted),
                    _ => None,
                });
                if let Some(interruption) = interruption {
                    interruption.until = Some(record.at);
                    interruption.message = Some(message.clone());
                    interruption.confirmed_by = Some(confirmed_by.clone());
                }
            }
            // It is told with the interruption, or with the end.
            Happened::Paused { .. } => {}
        }
        last = Some(record);
    }
    if let Some(last) = last.filter(|last| matches!(last.happened, Happened::Paused { .. })) {
        teller.interrupted(last);
    }
    if drill.visits().last().is_some_and(|visit| visit.ended.is_none()) {
        teller.ended(now);
    }
    let endings = drill.visits().iter().filter_map(|visit| visit.ended.as_ref());
    let proven = endings.flat_map(|(_, ending)| ending.proves.iter().cloned()).collect();
    (teller.events, proven)
}

struct Teller<'a, D> {
    drill: &'a Drill<'a>,
    name: &'a Handle,
    digest: D,
    events: Vec<Event>,
    /// How many steps began.
    visit: u32,
    /// The step that people are at.
    step: Option<Handle>,
}

impl<D: Fn(&Step) -> Digest> Teller<'_, D> {
    fn interrupted(&mut self, last: &Record) {
        let reason = match &last.happened {
            Happened::Paused { reason } => Some(reason.clone()),
            _ => None,
        };
        self.events.push(Event::DrillInterrupted(DrillInterrupted {
            drill: self.name.clone(),
            step: self.step.clone(),
            from: last.at,
            until: None,
            reason,
            message: None,
            confirmed_by: None,
        }));
    }

    /// The visit that is being told is over.
    fn ended(&mut self, now: Time) {
        let visit = usize::try_from(self.visit).ok().and_then(|number| number.checked_sub(1));
        let Some(visit) = visit.and_then(|place| self.drill.visits().get(place)) else { return };
        let Some(step) = self.drill.runbook().steps.get(visit.step) else { return };
        let told = self.step_of(visit, step, now);
        self.events.push(Event::DrillStep(Box::new(told)));
        if let (Some((at, ending)), Task::Evidence { what }) = (&visit.ended, &step.task) {
            for kept in &ending.evidence {
                self.events.push(Event::EvidenceKept(EvidenceKept {
                    drill: self.name.clone(),
                    step: step.id.clone(),
                    shows: what.clone(),
                    name: kept.name.clone(),
                    at: *at,
                    bytes: kept.bytes,
                    sha256: kept.sha256,
                    file: kept.file,
                }));
            }
        }
        self.step = None;
    }

    fn step_of(&self, visit: &Visit, step: &Step, now: Time) -> DrillStep {
        let ended = visit.ended.as_ref();
        let ending = ended.map(|(_, ending)| ending);
        let then = self.drill.way_on(visit).and_then(|target| match target {
            Target::Step(next) => self.drill.runbook().steps.get(next).map(|step| step.id.clone()),
            Target::End => None,
        });
        let asked = match &step.task {
            Task::Record { asks } if ending.is_some_and(|e| !e.answers.is_empty()) => asks.clone(),
            _ => Vec::new(),
        };
        let opened = ending.and_then(|ending| ending.opened.as_ref());
        DrillStep {
            drill: self.name.clone(),
            visit: self.visit,
            step: step.id.clone(),
            title: step.title.clone(),
            sha256: (self.digest)(step),
            by: step.by.clone(),
            person: visit.person.clone(),
            witness: visit.witness.clone(),
            expected: step.expect.clone(),
            begun: visit.begun,
            ended: ended.map_or(now, |(at, _)| *at),
            seconds: visit.seconds,
            result: ending.map_or(StepResult::Unfinished, |ending| ending.result),
            observed: ending.and_then(|ending| ending.observed.clone()),
            choice: ending.and_then(|ending| ending.choice.clone()),
            asked,
            answers: ending.map(|ending| ending.answers.clone()).unwrap_or_default(),
            keys: ending.map(|ending| ending.keys.clone()).unwrap_or_default(),
            opened: opened.map(|opened| opened.secret.clone()),
            receipt: opened.map(|opened| opened.receipt),
            then,
        }
    }
}
