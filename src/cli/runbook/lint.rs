//! `keymuster runbook lint`: everything that is wrong with runbooks, each with its place.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use clap::Args;
use serde::Serialize;

use super::chosen::{Source, find};
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::runbook::{Fault, read};

/// How many faults of one runbook people are told.
const MAX_TOLD: usize = 40;

/// `keymuster runbook lint`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster runbook lint mine.md\n  \
    keymuster runbook lint quarterly")]
pub struct Lint {
    /// Files, or names of runbooks that come with keymuster; - is stdin
    #[arg(required = true)]
    runbooks: Vec<String>,
}

#[derive(Serialize)]
struct LintView {
    sound: bool,
    runbooks: Vec<RunbookView>,
}

#[derive(Serialize)]
struct RunbookView {
    name: String,
    sound: bool,
    faults: Vec<FaultView>,
}

#[derive(Serialize)]
struct FaultView {
    rule: &'static str,
    /// From 1, in characters.
    line: usize,
    column: usize,
    message: String,
    hint: String,
}

impl FaultView {
    fn new(text: &str, fault: &Fault) -> Self {
        let before = text.get(..fault.span.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |place| place + 1);
        Self {
            rule: fault.rule.name(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: fault.message.clone(),
            hint: fault.hint.clone(),
        }
    }
}

pub fn run(context: &Context, lint: &Lint) -> Result<Answer, Failure> {
    let mut human = String::new();
    let mut runbooks = Vec::new();
    for which in &lint.runbooks {
        let source = find(context, which)?;
        let faults = read(&source.bytes).err().unwrap_or_default();
        if faults.is_empty() {
            human.push_str(&format!("{} is sound\n", source.name));
        } else {
            human.push_str(&told(&source, &faults));
            human.push_str(&format!(
                "{}: {}\n",
                source.name,
                count(faults.len(), "fault", "faults")
            ));
        }
        let text = String::from_utf8_lossy(&source.bytes);
        runbooks.push(RunbookView {
            sound: faults.is_empty(),
            faults: faults.iter().map(|fault| FaultView::new(&text, fault)).collect(),
            name: source.name,
        });
    }
    let sound = runbooks.iter().all(|runbook| runbook.sound);
    let view = LintView { sound, runbooks };
    let code = if sound { exit::DONE } else { exit::NO };
    Ok(Answer::new("runbook-lint", &view, human).exiting(code))
}

/// Faults as people read them, each with the lines that it is in and what to do.
pub fn told(source: &Source, faults: &[Fault]) -> String {
    let text = std::str::from_utf8(&source.bytes).unwrap_or_default();
    let renderer = Renderer::styled();
    let mut told = String::new();
    for fault in faults.iter().take(MAX_TOLD) {
        let title = Level::ERROR.primary_title(fault.message.as_str()).id(fault.rule.name());
        let hint = Level::HELP.message(fault.hint.as_str());
        let group = if text.is_empty() {
            title.element(hint)
        } else {
            let span = AnnotationKind::Primary.span(fault.span.clone());
            let snippet = Snippet::source(text).path(source.name.as_str()).annotation(span);
            title.element(snippet).element(hint)
        };
        told.push_str(&renderer.render(&[group]));
        told.push_str("\n\n");
    }
    if faults.len() > MAX_TOLD {
        told.push_str(&format!("… and {} more\n", faults.len() - MAX_TOLD));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::shipped;

    #[test]
    fn every_runbook_that_comes_with_keymuster_is_sound() {
        for known in shipped() {
            let source = Source {
                name: format!("{}.md", known.name),
                bytes: known.text.as_bytes().to_vec(),
            };
            if let Err(faults) = read(&source.bytes) {
                panic!("{}", told(&source, &faults));
            }
        }
    }
}
