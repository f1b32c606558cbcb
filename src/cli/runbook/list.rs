//! `keymuster runbook list`

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, table};
use crate::cli::session::Session;
use crate::log::sha256;
use crate::record::AdoptedRunbook;
use crate::runbook::{read, shipped};

/// `keymuster runbook list`
#[derive(Debug, Args)]
pub struct List {
    /// Those that the vault has adopted; a newer version that comes with keymuster is told
    #[arg(long)]
    adopted: bool,
}

#[derive(Serialize)]
struct ListView {
    runbooks: Vec<RunbookView>,
}

#[derive(Serialize)]
struct RunbookView {
    runbook: String,
    version: u32,
    title: String,
    about: String,
    steps: usize,
    every_days: Option<u32>,
    target_minutes: Option<u32>,
    sha256: String,
}

#[derive(Serialize)]
struct AdoptedListView {
    runbooks: Vec<AdoptedView>,
}

#[derive(Serialize)]
struct AdoptedView {
    runbook: String,
    version: u32,
    title: String,
    every_days: Option<u32>,
    target_minutes: Option<u32>,
    adopted: String,
    withdrawn: Option<String>,
    sha256: String,
    /// The version that comes with keymuster, where it is another text.
    shipped: Option<u32>,
}

pub fn run(context: &Context, list: &List) -> Result<Answer, Failure> {
    if list.adopted { adopted(context) } else { Ok(with_keymuster()) }
}

fn with_keymuster() -> Answer {
    let mut runbooks = Vec::new();
    for known in shipped() {
        // A test holds that each can be read.
        let Ok(runbook) = read(known.text.as_bytes()) else { continue };
        runbooks.push(RunbookView {
            runbook: runbook.id.to_string(),
            version: runbook.version.into(),
            title: runbook.title.to_string(),
            about: runbook.about.to_string(),
            steps: runbook.steps.len(),
            every_days: runbook.every_days.map(Into::into),
            target_minutes: runbook.target_minutes.map(Into::into),
            sha256: sha256(known.text.as_bytes()).to_string(),
        });
    }
    let rows: Vec<Vec<String>> = runbooks
        .iter()
        .map(|runbook| {
            vec![
                runbook.runbook.clone(),
                runbook.steps.to_string(),
                number(runbook.every_days),
                number(runbook.target_minutes),
                runbook.about.clone(),
            ]
        })
        .collect();
    let human = table(&["RUNBOOK", "STEPS", "DAYS", "MINUTES", "WHEN"], &rows);
    Answer::new("runbooks", &ListView { runbooks }, human)
}

fn adopted(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let runbooks: Vec<AdoptedView> = session.state().runbooks().values().map(view).collect();
    let day = |time: &str| time.split('T').next().unwrap_or(time).to_owned();
    let row = |runbook: &AdoptedView| {
        let state = match (&runbook.withdrawn, runbook.shipped) {
            (Some(withdrawn), _) => format!("withdrawn {}", day(withdrawn)),
            (None, Some(shipped)) => {
                format!("adopted {}; keymuster has {shipped}", day(&runbook.adopted))
            }
            (None, None) => format!("adopted {}", day(&runbook.adopted)),
        };
        vec![
            runbook.runbook.clone(),
            runbook.version.to_string(),
            number(runbook.every_days),
            number(runbook.target_minutes),
            state,
        ]
    };
    let rows: Vec<Vec<String>> = runbooks.iter().map(row).collect();
    let human = if rows.is_empty() {
        "No runbook is adopted: keymuster runbook adopt --all\n".to_owned()
    } else {
        table(&["RUNBOOK", "VERSION", "DAYS", "MINUTES", "STATE"], &rows)
    };
    let view = AdoptedListView { runbooks };
    Ok(Answer::new("adopted-runbooks", &view, human).exiting(session.exit()))
}

fn view(known: &AdoptedRunbook) -> AdoptedView {
    let adoption = &known.adoption;
    let mut ours = shipped().iter().filter(|ours| ours.name == adoption.runbook.as_str());
    let ours = ours.next().filter(|ours| sha256(ours.text.as_bytes()) != adoption.sha256);
    AdoptedView {
        runbook: adoption.runbook.to_string(),
        version: adoption.version.into(),
        title: adoption.title.to_string(),
        every_days: adoption.every_days.map(Into::into),
        target_minutes: adoption.target_minutes.map(Into::into),
        adopted: known.adopted.time.to_string(),
        withdrawn: known.withdrawn.map(|at| at.time.to_string()),
        sha256: adoption.sha256.to_string(),
        shipped: ours
            .and_then(|ours| read(ours.text.as_bytes()).ok())
            .map(|ours| ours.version.into()),
    }
}

fn number(number: Option<u32>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}
