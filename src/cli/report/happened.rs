//! Drills, findings and corrective actions, as a report tells them.

use chrono::NaiveDate;
use serde::Serialize;

use super::at::At;
use crate::audit::{Happened, drills as drills_of};
use crate::cli::session::Session;
use crate::log::Entry;
use crate::record::{DrillEnd, DrillRun, Line, Part, State, Time};
use crate::schedule::day_of;

#[derive(Debug, Serialize)]
pub struct DrillView {
    pub drill: String,
    pub runbook: String,
    pub version: u32,
    pub purpose: &'static str,
    pub objective: String,
    pub accounts: Vec<String>,
    pub roster: Vec<String>,
    pub began: At,
    pub ended: Option<At>,
    /// How, in a word; nothing where it is under way.
    pub outcome: Option<&'static str>,
    pub reason: Option<String>,
    /// How long people spent on it, and how long it may take.
    pub seconds: Option<u32>,
    pub target_minutes: Option<u32>,
    pub signed_out: Option<&'static str>,
    pub alarm_received: Option<&'static str>,
    pub credentials_renewed: Option<&'static str>,
    pub review: Option<ReviewView>,
    pub awaits_review: bool,
    pub steps: Vec<StepView>,
    pub exceptions: Vec<ExceptionView>,
    pub interruptions: usize,
    pub findings: Vec<String>,
    pub actions: Vec<String>,
    pub evidence: Vec<KeptView>,
}

#[derive(Debug, Serialize)]
pub struct ReviewView {
    pub at: At,
    pub reviewer: String,
    pub outcome: &'static str,
    pub remark: String,
}

#[derive(Debug, Serialize)]
pub struct StepView {
    pub visit: u32,
    pub step: String,
    pub title: String,
    pub person: String,
    pub witness: Option<String>,
    pub begun: String,
    pub seconds: u32,
    pub result: &'static str,
    pub expected: Option<String>,
    pub observed: Option<String>,
    pub choice: Option<String>,
    /// The questions that were asked, with their answers.
    pub answered: Vec<String>,
    /// The keys that were shown.
    pub keys: Vec<String>,
    /// The secret that was opened, and the entry with the receipt.
    pub opened: Option<String>,
    pub receipt: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct ExceptionView {
    pub step: Option<String>,
    pub at: String,
    pub message: String,
    pub action: Option<String>,
    pub approver: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct KeptView {
    pub step: String,
    pub shows: String,
    pub name: String,
    pub bytes: u32,
    pub sha256: String,
}

/// Something that people should look at.
#[derive(Debug, Serialize)]
pub struct FindingView {
    pub entry: u64,
    /// Where it is from: the log itself, or a drill.
    pub source: String,
    pub kind: &'static str,
    pub text: String,
}

#[derive(Debug, Serialize)]
pub struct ActionView {
    pub action: String,
    pub title: String,
    pub owner: String,
    pub opened: At,
    pub due: NaiveDate,
    pub closed: Option<At>,
    pub result: Option<String>,
    /// Whether it is past its day.
    pub late: bool,
}

/// The drills that began on such days.
pub fn drills<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    state: &State,
    within: impl Fn(NaiveDate) -> bool,
) -> Vec<DrillView> {
    let happened = drills_of(entries);
    let nothing = Happened::default();
    let mut runs: Vec<_> = state.drills().iter().collect();
    runs.retain(|(_, run)| within(day_of(run.started.time)));
    runs.sort_by_key(|(_, run)| run.started);
    let view = |(name, run): (&crate::record::Handle, &std::sync::Arc<DrillRun>)| {
        DrillView::of(name, run, happened.get(name).unwrap_or(&nothing))
    };
    runs.into_iter().map(view).collect()
}

fn texts(all: &[impl ToString]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

impl DrillView {
    fn of(name: &crate::record::Handle, run: &DrillRun, happened: &Happened<'_>) -> Self {
        let start = &run.start;
        let roster = |parts: &[Part]| texts(parts);
        let mut view = Self {
            drill: name.to_string(),
            runbook: start.runbook.to_string(),
            version: start.version.get(),
            purpose: start.purpose.word(),
            objective: start.objective.to_string(),
            accounts: texts(&start.accounts),
            roster: roster(&start.roster),
            began: run.started.into(),
            ended: run.end.as_ref().map(|(at, _)| (*at).into()),
            outcome: None,
            reason: None,
            seconds: None,
            target_minutes: run.target_minutes.map(std::num::NonZeroU32::get),
            signed_out: None,
            alarm_received: None,
            credentials_renewed: None,
            review: run.review.as_ref().map(|(at, review)| ReviewView {
                at: (*at).into(),
                reviewer: review.reviewer.to_string(),
                outcome: review.outcome.word(),
                remark: review.remark.to_string(),
            }),
            awaits_review: run.awaits_review(),
            steps: happened.steps.iter().map(|step| StepView::of(step)).collect(),
            exceptions: happened.exceptions.iter().map(|it| ExceptionView::of(it)).collect(),
            interruptions: happened.interruptions.len(),
            findings: Vec::new(),
            actions: Vec::new(),
            evidence: happened
                .evidence
                .iter()
                .map(|kept| KeptView {
                    step: kept.step.to_string(),
                    shows: kept.shows.to_string(),
                    name: kept.name.to_string(),
                    bytes: kept.bytes,
                    sha256: kept.sha256.to_string(),
                })
                .collect(),
        };
        match run.end.as_ref().map(|(_, end)| end) {
            Some(DrillEnd::Finished(end)) => {
                view.roster = roster(&end.roster);
                view.outcome = Some(end.outcome.word());
                view.seconds = Some(end.seconds);
                view.signed_out = Some(end.signed_out.word());
                view.alarm_received = Some(end.alarm_received.word());
                view.credentials_renewed = Some(end.credentials_renewed.word());
                view.findings = texts(&end.findings);
                view.actions = texts(&end.actions);
            }
            Some(DrillEnd::Abandoned(end)) => {
                view.roster = roster(&end.roster);
                view.outcome = Some("abandoned");
                view.reason = Some(end.reason.to_string());
            }
            None => {}
        }
        view
    }
}

impl StepView {
    fn of(step: &crate::record::DrillStep) -> Self {
        Self {
            visit: step.visit,
            step: step.step.to_string(),
            title: step.title.to_string(),
            person: step.person.to_string(),
            witness: step.witness.as_ref().map(ToString::to_string),
            begun: step.begun.to_string(),
            seconds: step.seconds,
            result: step.result.word(),
            expected: step.expected.as_ref().map(Line::to_string),
            observed: step.observed.as_ref().map(Line::to_string),
            choice: step.choice.as_ref().map(Line::to_string),
            answered: step
                .asked
                .iter()
                .zip(&step.answers)
                .map(|(asked, answer)| format!("{asked} {answer}"))
                .collect(),
            keys: texts(&step.keys),
            opened: step.opened.as_ref().map(ToString::to_string),
            receipt: step.receipt,
        }
    }
}

impl ExceptionView {
    fn of(exception: &crate::record::DrillException) -> Self {
        let text = |line: &Option<Line>| line.as_ref().map(Line::to_string);
        Self {
            step: exception.step.as_ref().map(ToString::to_string),
            at: exception.at.to_string(),
            message: exception.message.to_string(),
            action: text(&exception.action),
            approver: text(&exception.approver),
        }
    }
}

/// What is odd in the log, and what drills found, by entry.
pub fn findings<'e>(
    session: &Session<'_>,
    now: Time,
    entries: impl Iterator<Item = &'e Entry> + Clone,
    within: impl Fn(NaiveDate) -> bool,
) -> Vec<FindingView> {
    let replay = session.vault.replay();
    let days: Vec<NaiveDate> = entries.clone().map(|entry| day_of(entry.document().time)).collect();
    let of_log = replay.findings().iter().cloned().chain(replay.ahead_of(now));
    let mut all: Vec<FindingView> = of_log
        .map(|finding| FindingView {
            entry: finding.entry,
            source: "log".to_owned(),
            kind: "oddity",
            text: finding.to_string(),
        })
        .collect();
    for drill in drills(entries, session.state(), |_| true) {
        let entry = drill.ended.map_or(drill.began.entry, |ended| ended.entry);
        let finding =
            |kind, text: String| FindingView { entry, source: drill.drill.clone(), kind, text };
        all.extend(drill.findings.iter().map(|text| finding("finding", text.clone())));
        all.extend(drill.exceptions.iter().map(|it| finding("exception", it.message.clone())));
    }
    let day = |entry: u64| usize::try_from(entry).ok().and_then(|n| days.get(n.checked_sub(1)?));
    all.retain(|finding| day(finding.entry).is_none_or(|day| within(*day)));
    all.sort_by_key(|finding| finding.entry);
    all
}

pub fn actions(state: &State, today: NaiveDate) -> Vec<ActionView> {
    let view = |(name, action): (&crate::record::Handle, &crate::record::Action)| ActionView {
        action: name.to_string(),
        title: action.opening.title.to_string(),
        owner: action.opening.owner.to_string(),
        opened: action.opened.into(),
        due: day_of(action.opening.due),
        closed: action.closed.as_ref().map(|(at, _)| (*at).into()),
        result: action.closed.as_ref().map(|(_, result)| result.to_string()),
        late: action.closed.is_none() && day_of(action.opening.due) < today,
    };
    state.actions().iter().map(view).collect()
}
