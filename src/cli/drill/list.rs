//! `keymuster drill list`

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, table};
use crate::cli::session::Session;
use crate::record::{DrillEnd, DrillRun};

#[derive(Serialize)]
struct ListView {
    drills: Vec<DrillView>,
}

#[derive(Serialize)]
struct DrillView {
    drill: String,
    runbook: String,
    purpose: &'static str,
    accounts: Vec<String>,
    started: String,
    /// The entry that began it.
    entry: u64,
    ended: Option<String>,
    /// `under way`, `passed`, `failed` or `abandoned`.
    outcome: String,
    seconds: Option<u32>,
    target_minutes: Option<u32>,
    awaits_review: bool,
    /// `passed` or `failed`, where somebody reviewed it.
    review: Option<String>,
}

pub fn run(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let mut runs: Vec<&DrillRun> = session.state().drills().values().map(AsRef::as_ref).collect();
    runs.sort_by_key(|run| run.started);
    let drills: Vec<DrillView> = runs.into_iter().map(view).collect();
    let day = |time: &str| time.split('T').next().unwrap_or(time).to_owned();
    let row = |drill: &DrillView| {
        let outcome = match drill.awaits_review {
            true => format!("{}, AWAITS REVIEW", drill.outcome),
            false => drill.outcome.clone(),
        };
        let minutes = drill.seconds.map_or("-".to_owned(), |s| s.div_ceil(60).to_string());
        vec![
            drill.drill.clone(),
            day(&drill.started),
            drill.purpose.to_owned(),
            minutes,
            outcome,
            drill.accounts.join(" "),
        ]
    };
    let rows: Vec<Vec<String>> = drills.iter().map(row).collect();
    let human = if rows.is_empty() {
        "No drill was ever started: keymuster drill start\n".to_owned()
    } else {
        table(&["DRILL", "STARTED", "PURPOSE", "MINUTES", "OUTCOME", "ACCOUNTS"], &rows)
    };
    Ok(Answer::new("drill-list", &ListView { drills }, human).exiting(session.exit()))
}

fn view(run: &DrillRun) -> DrillView {
    let outcome = match &run.end {
        None => "under way".to_owned(),
        Some((_, DrillEnd::Finished(end))) => end.outcome.to_string(),
        Some((_, DrillEnd::Abandoned(_))) => "abandoned".to_owned(),
    };
    let seconds = match &run.end {
        Some((_, DrillEnd::Finished(end))) => Some(end.seconds),
        _ => None,
    };
    DrillView {
        drill: run.start.drill.to_string(),
        runbook: run.start.runbook.to_string(),
        purpose: run.start.purpose.word(),
        accounts: run.start.accounts.iter().map(ToString::to_string).collect(),
        started: run.started.time.to_string(),
        entry: run.started.entry,
        ended: run.end.as_ref().map(|(at, _)| at.time.to_string()),
        outcome,
        seconds,
        target_minutes: run.target_minutes.map(Into::into),
        awaits_review: run.awaits_review(),
        review: run.review.as_ref().map(|(_, review)| review.outcome.to_string()),
    }
}
