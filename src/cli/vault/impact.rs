//! `keymuster vault impact`: what somebody could open, and what is open to them still.

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::signing::By;
use crate::log::{Entry, Reach, Whose, reach};
use crate::record::{KeyName, RECORDS, Sealing, State};

/// `keymuster vault impact`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  keymuster vault impact bob\n  keymuster vault impact alice/paper"
)]
pub struct Impact {
    /// A custodian or reader, or a key or paper copy such as bob/blue
    #[arg(value_name = "WHO|KEY")]
    whose: By,
}

#[derive(Serialize)]
struct ImpactView {
    whose: String,
    compartments: Vec<ReachView>,
}

#[derive(Serialize)]
struct ReachView {
    compartment: String,
    /// The newest epoch that could be opened; those before it are inside.
    epoch: u32,
    /// The last entry that was encrypted in that epoch.
    until_entry: u64,
    /// Whether what is written now can be opened too.
    open_still: bool,
}

pub fn run(context: &Context, impact: &Impact) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let shown = impact.whose.to_string();
    let whose = match &impact.whose {
        By::Custodian(handle) => Whose::Person(handle.clone()),
        By::Key(key) => Whose::Copy(key.clone()),
    };
    if !is_known(session.state(), &whose) {
        return Err(Failure::new(exit::USAGE, format!("{shown} was never in this vault")).hint(
            "keymuster custodian list, reader list and key list tell who and what there is",
        ));
    }
    let found = reach(session.vault.entries().iter().map(Entry::document), &whose);
    let human = described(&shown, &found);
    let compartments = found.into_iter().map(|reach| ReachView {
        compartment: reach.compartment.to_string(),
        epoch: reach.epoch,
        until_entry: reach.until,
        open_still: reach.present,
    });
    let view = ImpactView { whose: shown, compartments: compartments.collect() };
    Ok(Answer::new("impact", &view, human).exiting(session.exit()))
}

fn is_known(state: &State, whose: &Whose) -> bool {
    match whose {
        Whose::Person(handle) => state.was_used(handle),
        Whose::Copy(key) => state.keys().contains_key(key) || was_copy(state, key),
    }
}

fn was_copy(state: &State, key: &KeyName) -> bool {
    state.sealings().iter().any(|sealing| match sealing {
        Sealing::Identity(sealed) => sealed.custodian == key.owner && sealed.slot == key.label,
        Sealing::Compartment(_) => false,
    })
}

fn described(shown: &str, found: &[Reach]) -> String {
    if found.is_empty() {
        return format!("Nothing was ever open to {shown}.\n");
    }
    let mut text = format!("What {shown} could open:\n");
    for reach in found {
        let Reach { compartment, epoch, until, present } = reach;
        let what = match (compartment.as_str(), *present) {
            (RECORDS, true) => format!("the whole log, to this day: entries 1 to {until}"),
            (RECORDS, false) => format!("the log up to entry {until}; closed since"),
            (_, true) => format!("all secrets in {compartment}, to this day (epoch {epoch})"),
            (_, false) => {
                format!("secrets that were put in {compartment} up to entry {until}; closed since")
            }
        };
        text.push_str(&format!("  {what}\n"));
    }
    text.push_str("No secret has been put in this vault yet, so there is none to rotate.\n");
    text
}
