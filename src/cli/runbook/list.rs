//! `keymuster runbook list`

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{Answer, table};
use crate::log::sha256;
use crate::runbook::{read, shipped};

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

pub fn list() -> Result<Answer, Failure> {
    let mut runbooks = Vec::new();
    for known in shipped() {
        // A test holds that each can be read.
        let Ok(runbook) = read(known.text.as_bytes()) else { continue };
        runbooks.push(RunbookView {
            runbook: runbook.id.to_string(),
            version: runbook.version,
            title: runbook.title.to_string(),
            about: runbook.about.to_string(),
            steps: runbook.steps.len(),
            every_days: runbook.every_days.map(Into::into),
            target_minutes: runbook.target_minutes.map(Into::into),
            sha256: sha256(known.text.as_bytes()).to_string(),
        });
    }
    let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
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
    Ok(Answer::new("runbooks", &ListView { runbooks }, human))
}
