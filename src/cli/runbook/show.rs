//! `keymuster runbook show`

use clap::Args;
use serde::Serialize;

use super::chosen::{Chosen, Which};
use super::prose::{plain, wrapped};
use super::words::{asked, scope, ways};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::runbook::{Step, Task};

/// Lines longer than this are hard to read, however wide the terminal.
const MAX_WIDTH: usize = 80;
/// Narrower than this, nothing is wrapped any more.
const MIN_WIDTH: usize = 30;
/// How far what a step says stands in.
const INDENT: &str = "    ";

/// `keymuster runbook show`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster runbook show quarterly\n  \
    keymuster runbook show mine.md")]
pub struct Show {
    #[command(flatten)]
    which: Which,
}

#[derive(Serialize)]
struct ShowView {
    runbook: String,
    version: u32,
    title: String,
    about: String,
    sha256: String,
    every_days: Option<u32>,
    target_minutes: Option<u32>,
    read_on: Option<String>,
    sources: Vec<String>,
    roles: Vec<RoleView>,
    introduction: String,
    steps: Vec<StepView>,
}

#[derive(Serialize)]
struct RoleView {
    role: String,
    does: String,
    optional: bool,
}

#[derive(Serialize)]
struct StepView {
    step: String,
    title: String,
    kind: &'static str,
    by: String,
    minutes: Option<u32>,
    expect: Option<String>,
    text: String,
    /// What is asked for, and where it leads, in words.
    asked: String,
    ways: Vec<String>,
}

pub fn run(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let chosen = show.which.choose(context)?;
    let width = context.terminal.size().1.clamp(MIN_WIDTH, MAX_WIDTH);
    let view = view(&chosen);
    Ok(Answer::new("runbook", &view, told(&chosen, width)))
}

fn view(chosen: &Chosen) -> ShowView {
    let runbook = &chosen.runbook;
    let steps = runbook.steps.iter().enumerate().map(|(place, step)| StepView {
        step: step.id.to_string(),
        title: step.title.to_string(),
        kind: step.task.kind(),
        by: step.by.to_string(),
        minutes: step.minutes.map(Into::into),
        expect: step.expect.as_ref().map(ToString::to_string),
        text: step.prose.clone(),
        asked: asked(&step.task),
        ways: ways(place, step, runbook.steps.len()),
    });
    ShowView {
        runbook: runbook.id.to_string(),
        version: runbook.version.into(),
        title: runbook.title.to_string(),
        about: runbook.about.to_string(),
        sha256: chosen.sha256.to_string(),
        every_days: runbook.every_days.map(Into::into),
        target_minutes: runbook.target_minutes.map(Into::into),
        read_on: runbook.read_on.map(|day| day.to_string()),
        sources: runbook.sources.iter().map(ToString::to_string).collect(),
        roles: runbook
            .roles
            .iter()
            .map(|role| RoleView {
                role: role.id.to_string(),
                does: role.does.to_string(),
                optional: role.optional,
            })
            .collect(),
        introduction: runbook.introduction.clone(),
        steps: steps.collect(),
    }
}

/// The whole of it, for a screen of this width.
fn told(chosen: &Chosen, width: usize) -> String {
    let runbook = &chosen.runbook;
    let mut text = format!(
        "{}\n{}\n",
        runbook.title,
        "=".repeat(runbook.title.to_string().chars().count().min(width))
    );
    let mut line = |words: &str| {
        text.push_str(&wrapped(words, width));
        text.push('\n');
    };
    line(&format!("{}.", runbook.about));
    line(&format!("{}, version {}, for {}.", runbook.id, runbook.version, scope(runbook)));
    for role in &runbook.roles {
        let optional = if role.optional { " (may be left out)" } else { "" };
        line(&format!("{}{optional}: {}", role.id, role.does));
    }
    text.push('\n');
    text.push_str(&plain(&runbook.introduction, width));
    for (place, step) in runbook.steps.iter().enumerate() {
        text.push_str(&step_told(place, step, runbook.steps.len(), width));
    }
    if !runbook.sources.is_empty() {
        let day = runbook.read_on.map(|day| format!(", read on {day}")).unwrap_or_default();
        text.push_str(&format!("Rests on{day}:\n"));
        runbook.sources.iter().for_each(|source| text.push_str(&format!("  {source}\n")));
    }
    text.push_str(&format!("SHA-256 {}\n", chosen.sha256));
    text
}

/// One step.
fn step_told(place: usize, step: &Step, steps: usize, width: usize) -> String {
    let minutes = step.minutes.map(|minutes| format!(", {minutes} min")).unwrap_or_default();
    let mut text = format!("{}. {} ({}{minutes})\n", place + 1, step.title, step.by);
    let mut body = plain(&step.prose, width.saturating_sub(INDENT.len()));
    let mut line = |words: &str| {
        body.push_str(&wrapped(words, width.saturating_sub(INDENT.len())));
        body.push('\n');
    };
    if let Some(expect) = &step.expect {
        line(&format!("Expected: {expect}"));
    }
    line(&format!("> {}", asked(&step.task)));
    if let Task::Record { asks } = &step.task {
        asks.iter().for_each(|asked| line(&format!("> - {asked}")));
    }
    ways(place, step, steps).iter().for_each(|way| line(&format!("> {way}")));
    text.push_str(&textwrap::indent(&body, INDENT));
    text.push('\n');
    text
}
