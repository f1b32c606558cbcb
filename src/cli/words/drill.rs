//! Runbooks and drills in words.

use std::num::NonZeroU32;

use super::{all_of, all_quoted, joined, quoted};
use crate::record::{
    Closing, DrillAbandoned, DrillException, DrillFinished, DrillInterrupted, DrillPurpose,
    DrillReviewed, DrillScope, DrillStarted, DrillStep, EvidenceKept, Line, Outcome, PartTaken,
    RunbookAdopted, StepResult,
};

/// What a runbook is for, in words that follow `for`.
pub fn run_for(
    purposes: &[DrillPurpose],
    accounts: DrillScope,
    every_days: Option<NonZeroU32>,
    target_minutes: Option<NonZeroU32>,
) -> String {
    let purpose = |purpose: &DrillPurpose| match purpose {
        DrillPurpose::Rehearsal => "a rehearsal",
        DrillPurpose::Live => "live use",
    };
    let purposes: Vec<&str> = purposes.iter().map(purpose).collect();
    let accounts = match accounts {
        DrillScope::None => "no account",
        DrillScope::One => "one account",
        DrillScope::Many => "one account or more",
    };
    let every = every_days.map(|days| format!("every {days} days"));
    let target = target_minutes.map(|minutes| format!("within {minutes} minutes"));
    let parts = [purposes.join(" or "), format!("about {accounts}")];
    parts.into_iter().chain(every).chain(target).collect::<Vec<_>>().join(", ")
}

pub(super) fn adopted(event: &RunbookAdopted) -> String {
    let RunbookAdopted { purposes, accounts, every_days, target_minutes, .. } = event;
    let needed = event.roles.iter().map(ToString::to_string);
    let optional = event.optional_roles.iter().map(|role| format!("perhaps {role}"));
    let roles: Vec<String> = needed.chain(optional).collect();
    format!(
        "the runbook {}, version {}, {}, is adopted for {}; by {}; SHA-256 {}",
        event.runbook,
        event.version,
        quoted(&event.title),
        run_for(purposes, *accounts, *every_days, *target_minutes),
        all_of(&roles),
        event.sha256,
    )
}

pub(super) fn started(event: &DrillStarted) -> String {
    let what = match event.purpose {
        DrillPurpose::Rehearsal => "a rehearsal",
        DrillPurpose::Live => "LIVE",
    };
    let mut parts = vec![format!(
        "{} begins, {what}, by the runbook {}, version {}",
        event.drill, event.runbook, event.version
    )];
    parts.extend(
        (!event.accounts.is_empty()).then(|| format!("of {}", joined(&event.accounts, ", "))),
    );
    parts.push(format!("with {}", joined(&event.roster, ", ")));
    let said =
        |what: &str, line: &Option<Line>| line.as_ref().map(|l| format!("{what} {}", quoted(l)));
    parts.extend(said("to do", &event.task));
    parts.extend(said("approved by", &event.approver));
    parts.extend(said("on record as", &event.ticket));
    parts.extend(said("supposing", &event.scenario));
    format!("{}; to show: {}", parts.join(", "), quoted(&event.objective))
}

pub(super) fn finished(event: &DrillFinished) -> String {
    let reached = match event.outcome {
        Outcome::Passed => "it reached its objective",
        Outcome::Failed => "it DIDN'T REACH ITS OBJECTIVE",
    };
    let closing = [
        ("signed out", event.signed_out),
        ("alarm received", event.alarm_received),
        ("credentials renewed", event.credentials_renewed),
    ];
    let closing = closing.iter().map(|(what, answer)| match answer {
        Closing::Yes => format!("{what}: yes"),
        Closing::No => format!("{what}: NO"),
        Closing::NotApplicable => format!("{what}: not applicable"),
    });
    let closing: Vec<String> = closing.collect();
    let findings = match event.findings.as_slice() {
        [] => String::new(),
        findings => format!("; findings: {}", all_quoted(findings)),
    };
    format!(
        "{} is finished after {} by {}: {reached}; {}{findings}",
        event.drill,
        duration(event.seconds),
        joined(&event.roster, ", "),
        closing.join(", "),
    )
}

pub(super) fn abandoned(event: &DrillAbandoned) -> String {
    let roster = joined(&event.roster, ", ");
    format!("{} is ABANDONED by {roster}: {}", event.drill, quoted(&event.reason))
}

pub(super) fn reviewed(event: &DrillReviewed) -> String {
    let found = match event.outcome {
        Outcome::Passed => "found it in order",
        Outcome::Failed => "found it NOT IN ORDER",
    };
    let (drill, reviewer) = (&event.drill, &event.reviewer);
    format!("{reviewer} looked at {drill} and {found}: {}", quoted(&event.remark))
}

pub(super) fn step(event: &DrillStep) -> String {
    let result = match event.result {
        StepResult::Done => "done",
        StepResult::Failed => "FAILED",
        StepResult::Skipped => "SKIPPED",
        StepResult::NotApplicable => "not applicable",
        StepResult::Unfinished => "UNFINISHED",
    };
    let (begun, seconds) = (event.begun, duration(event.seconds));
    let mut words = format!(
        "{}. {} ({}, {begun}, {seconds}): {result}",
        event.visit,
        quoted(&event.title),
        event.person
    );
    let mut say = |text: String| words.push_str(&text);
    if let Some(choice) = &event.choice {
        say(format!(", {}", quoted(choice)));
    }
    if let Some(observed) = &event.observed {
        say(format!(", {}", quoted(observed)));
    }
    for (asked, answer) in event.asked.iter().zip(&event.answers) {
        say(format!(", {}: {}", quoted(asked), quoted(answer)));
    }
    if !event.keys.is_empty() {
        say(format!(", shown: {}", joined(&event.keys, ", ")));
    }
    if let Some(opened) = &event.opened {
        let receipt = event.receipt.map(|entry| format!(", receipt in entry {entry}"));
        say(format!(", opened {opened}{}", receipt.unwrap_or_default()));
    }
    words
}

pub(super) fn exception(event: &DrillException) -> String {
    let step = event.step.as_ref().map_or(String::new(), |step| format!(" at {step}"));
    let mut words = format!("EXCEPTION{step}, {}: {}", event.at, quoted(&event.message));
    if let Some(action) = &event.action {
        words.push_str(&format!(", and {}", quoted(action)));
    }
    if let Some(approver) = &event.approver {
        words.push_str(&format!(", approved by {}", quoted(approver)));
    }
    words
}

pub(super) fn interrupted(event: &DrillInterrupted) -> String {
    let step = event.step.as_ref().map_or(String::new(), |step| format!(" at {step}"));
    let until = event.until.map_or("for good".to_owned(), |until| format!("until {until}"));
    let mut words = format!("INTERRUPTED{step} from {} {until}", event.from);
    for line in event.reason.iter().chain(&event.message) {
        words.push_str(&format!(", {}", quoted(line)));
    }
    if let Some(who) = &event.confirmed_by {
        words.push_str(&format!(", as {who} confirms"));
    }
    words
}

pub(super) fn part_taken(event: &PartTaken) -> String {
    let from = event.from.as_ref().map_or(String::new(), |from| format!(" from {from}"));
    let (to, role) = (&event.to, &event.role);
    format!("{to} takes over as {role}{from}, {}: {}", event.at, quoted(&event.reason))
}

pub(super) fn evidence(event: &EvidenceKept) -> String {
    format!(
        "at {}, {} is kept, {} bytes, which shows {}; SHA-256 {}",
        event.step,
        quoted(&event.name),
        event.bytes,
        quoted(&event.shows),
        event.sha256
    )
}

/// `59 s`, `12 min 5 s`, `3 h 0 min`.
pub fn duration(seconds: u32) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
