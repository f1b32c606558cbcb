//! `keymuster runbook lint`: everything that is wrong with runbooks, each with its place.

use clap::Args;
use serde::Serialize;

use super::chosen::find;
use super::faults::told;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::runbook::{Fault, MAX_FAULTS, read};

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
            human.push_str(&told(&source.name, &source.bytes, &faults));
            let many = count(faults.len(), "fault", "faults");
            let least = if faults.len() == MAX_FAULTS { " at least" } else { "" };
            human.push_str(&format!("{}: {many}{least}\n", source.name));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::shipped;

    #[test]
    fn every_runbook_that_comes_with_keymuster_is_sound() {
        for known in shipped() {
            let name = format!("{}.md", known.name);
            if let Err(faults) = read(known.text.as_bytes()) {
                panic!("{}", told(&name, known.text.as_bytes(), &faults));
            }
        }
    }
}
