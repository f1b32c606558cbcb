//! `keymuster slip show`: what a slip says, and whether it can be collected.

use std::path::Path;

use serde::Serialize;

use super::{SlipView, any_signer, in_words, on_trial, read_slips, received, shown, until};
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::log::Rule;

#[derive(Serialize)]
struct ShowView {
    slips: Vec<SlipView>,
    /// How many files come with them.
    files: usize,
    until: Option<String>,
    /// What it lacks still, if anything.
    lacks: Option<String>,
    /// Why it can't be collected, if it can't.
    refused: Option<String>,
}

pub fn run(context: &Context, file: &Path) -> Result<Answer, Failure> {
    let bytes = received(file)?;
    let session = Session::open(context)?;
    let read = read_slips(&session, file, &bytes)?;
    let trial = on_trial(&session, &read.slips, any_signer(&session), Vec::new())?;
    let (lacks, refused) = match trial {
        Ok(_) => (None, None),
        Err(fault) if fault.rule == Rule::Authority => (Some(fault.reason), None),
        Err(fault) => (None, Some(fault.reason)),
    };
    let until = until(&session, &read.slips);
    let name = shown(file);
    let by = until.map(|until| format!(" until {until}")).unwrap_or_default();
    let verdict = match (&lacks, &refused) {
        (_, Some(reason)) => format!("It can't be collected: {reason}.\n"),
        (Some(lacks), None) => format!(
            "Its signatures are genuine, and not enough: {lacks}. keymuster slip countersign {name}, or \
             keymuster log collect --endorse {name}{by}.\n"
        ),
        (None, None) => format!("It can be collected{by}: keymuster log collect {name}\n"),
    };
    let view = ShowView {
        slips: read.slips.iter().map(SlipView::of).collect(),
        files: read.files.len(),
        until: until.map(|until| until.to_string()),
        lacks,
        refused,
    };
    let code = if view.refused.is_some() { exit::NO } else { session.exit() };
    Ok(Answer::new("slip", &view, in_words(&read.slips) + &verdict).exiting(code))
}
