//! What a drill looks like on a terminal: where we are of how many, how long it has taken, and the
//! step.

use crate::cli::runbook::prose::{plain, wrapped};
use crate::cli::runbook::words::asked;
use crate::cli::words::duration;
use crate::drill::Drill;
use crate::record::{DrillPurpose, DrillRun, Handle};
use crate::runbook::{Runbook, Step, Task};

/// Lines longer than this are hard to read, however wide the terminal.
const MAX_WIDTH: usize = 80;
/// Narrower than this, nothing is wrapped any more.
const MIN_WIDTH: usize = 30;

/// How wide a screen is, for reading.
pub fn width(columns: usize) -> usize {
    // One less: some terminals wrap a line that is as wide as they are.
    columns.saturating_sub(1).clamp(MIN_WIDTH, MAX_WIDTH - 1)
}

/// A step as it is put before the people, `seconds` after the drill began.
pub fn step(
    drill: &Drill<'_>,
    (name, run): (&Handle, &DrillRun),
    place: usize,
    seconds: u32,
    width: usize,
) -> String {
    let runbook = drill.runbook();
    let Some(step) = runbook.steps.get(place) else { return String::new() };
    let rule = "-".repeat(width);
    let live = if run.start.purpose == DrillPurpose::Live { "LIVE" } else { "rehearsal" };
    let accounts = run.start.accounts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut about = vec![name.to_string(), live.to_owned()];
    about.extend((!accounts.is_empty()).then(|| accounts.join(" ")));
    about.push(elapsed(seconds, run));
    let mut text = format!("\n{rule}\n");
    let mut line = |words: &str| {
        text.push_str(&wrapped(words, width));
        text.push('\n');
    };
    line(&format!("Step {} of {}: {}", place + 1, runbook.steps.len(), step.title));
    line(&about.join(" | "));
    line(&who(drill, step));
    text.push_str(&format!("{rule}\n"));
    text.push_str(&body(step, width));
    text
}

/// What a step says.
pub fn body(step: &Step, width: usize) -> String {
    let mut text = plain(&step.prose, width);
    let mut line = |words: &str| {
        text.push_str(&wrapped(words, width));
        text.push('\n');
    };
    if let Some(expect) = &step.expect {
        line(&format!("Expected: {expect}"));
    }
    if !matches!(step.task, Task::Confirm | Task::Decide { .. } | Task::Record { .. }) {
        line(&format!("> {}", asked(&step.task)));
    }
    text
}

/// `12 min 5 s of 45 min`.
fn elapsed(seconds: u32, run: &DrillRun) -> String {
    let took = duration(seconds);
    match run.target_minutes {
        None => took,
        Some(target) if seconds > target.get().saturating_mul(60) => {
            format!("{took}, OVER THE TARGET of {target} min")
        }
        Some(target) => format!("{took} of {target} min"),
    }
}

/// Who does a step, and who watches.
fn who(drill: &Drill<'_>, step: &Step) -> String {
    let Some((person, witness)) = drill.people_of(step) else { return String::new() };
    let minutes = step.minutes.map(|minutes| format!(", about {minutes} min")).unwrap_or_default();
    match witness {
        Some(witness) => format!("{person} ({}) does it, {witness} watches{minutes}", step.by),
        None => format!("{person} ({}) does it, and nobody watches{minutes}", step.by),
    }
}

/// All steps in a line each, with those that people were at and the one that they are at.
pub fn outline(drill: &Drill<'_>, at: Option<usize>) -> String {
    let mut text = String::new();
    for (place, step) in drill.runbook().steps.iter().enumerate() {
        let last = drill.visits().iter().rev().find(|visit| visit.step == place);
        let mark = match last.map(|visit| visit.ended.as_ref()) {
            _ if at == Some(place) => "now",
            Some(Some((_, ending))) => ending.result.word(),
            Some(None) => "now",
            None => "",
        };
        text.push_str(&format!("{:>4}. {:<15}{}\n", place + 1, mark, step.title));
    }
    text
}

/// What is said before the first step.
pub fn opening(runbook: &Runbook, name: &Handle, width: usize) -> String {
    let title = runbook.title.to_string();
    let mut text = format!("\n{title}\n{}\n", "=".repeat(title.chars().count().min(width)));
    text.push_str(&plain(&runbook.introduction, width));
    let words = format!(
        "{} steps. At any question, :help tells what else can be typed. {name} is under way until \
         it is finished or abandoned.",
        runbook.steps.len()
    );
    text.push_str(&wrapped(&words, width));
    text
}
