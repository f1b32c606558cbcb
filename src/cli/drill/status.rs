//! `keymuster drill status`

use serde::Serialize;

use super::journal::reread;
use super::resume::runbook_of;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::words::duration;
use crate::drill::Prompt;
use crate::record::{DrillRun, Handle};

#[derive(Serialize)]
struct StatusView {
    drills: Vec<DrillView>,
}

#[derive(Serialize)]
struct DrillView {
    drill: String,
    runbook: String,
    purpose: &'static str,
    accounts: Vec<String>,
    started: String,
    roster: Vec<String>,
    /// The step that is next, and how many there are. None where the journal can't be read.
    step: Option<String>,
    number: Option<usize>,
    steps: Option<usize>,
    seconds: Option<u32>,
    /// When the last thing happened.
    last: Option<String>,
    /// Why the journal can't be read.
    unreadable: Option<String>,
}

pub fn run(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let open = session.state().drills().iter().filter(|(_, run)| run.is_open());
    let drills: Vec<DrillView> = open.map(|(name, run)| view(&session, name, run)).collect();
    let mut words = String::new();
    for drill in &drills {
        words.push_str(&told(drill));
    }
    if drills.is_empty() {
        words.push_str("No drill is under way.\n");
    }
    Ok(Answer::new("drill-status", &StatusView { drills }, words).exiting(session.exit()))
}

fn view(session: &Session<'_>, name: &Handle, run: &DrillRun) -> DrillView {
    let start = &run.start;
    let mut view = DrillView {
        drill: name.to_string(),
        runbook: start.runbook.to_string(),
        purpose: start.purpose.word(),
        accounts: start.accounts.iter().map(ToString::to_string).collect(),
        started: run.started.time.to_string(),
        roster: start.roster.iter().map(ToString::to_string).collect(),
        step: None,
        number: None,
        steps: None,
        seconds: None,
        last: None,
        unreadable: None,
    };
    let read = runbook_of(session, run).and_then(|chosen| {
        let (_, drill) = reread(session, (name, run), &chosen.runbook)?;
        let steps = &drill.runbook().steps;
        let step = match drill.prompt() {
            Prompt::Begin(step) | Prompt::Ask(step) => Some(step),
            Prompt::Close => None,
        };
        view.number = step
            .and_then(|step| steps.iter().position(|known| known.id == step.id))
            .map(|place| place + 1);
        view.step = step.map(|step| step.title.to_string());
        view.steps = Some(steps.len());
        view.seconds = Some(drill.seconds());
        view.last = drill.records().last().map(|last| last.at.to_string());
        view.roster = drill.roster().iter().map(ToString::to_string).collect();
        Ok(())
    });
    view.unreadable = read.err().map(|failure| failure.sentence());
    view
}

fn told(drill: &DrillView) -> String {
    let name = &drill.drill;
    let mut text = format!(
        "{name}  {}, {}{}\n  started {}, {}\n",
        drill.runbook,
        drill.purpose,
        drill.accounts.iter().map(|account| format!(", {account}")).collect::<String>(),
        drill.started,
        drill.roster.join(", "),
    );
    match (&drill.unreadable, drill.number, &drill.step, drill.steps) {
        (Some(why), ..) => text.push_str(&format!("  its journal can't be read: {why}\n")),
        (None, Some(number), Some(step), Some(steps)) => {
            text.push_str(&format!("  at step {number} of {steps}: {step}\n"));
        }
        _ => text.push_str("  all steps are done; its end isn't signed\n"),
    }
    if let (Some(seconds), Some(last)) = (drill.seconds, &drill.last) {
        text.push_str(&format!("  {} spent, the last at {last}\n", duration(seconds)));
    }
    text.push_str(&format!("  keymuster drill resume {name}, or drill abandon {name}\n"));
    text
}
