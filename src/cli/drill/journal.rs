//! A drill as its journal tells it.

use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::drill::{Drill, Record};
use crate::record::{DrillRun, Handle};
use crate::runbook::Runbook;
use crate::vault::{HeadMemory, Journal, JournalError, Remembered};

/// Reads the journal of a drill, and goes through what happened in it again.
pub fn reread<'r>(
    session: &Session<'_>,
    (name, run): (&Handle, &DrillRun),
    runbook: &'r Runbook,
) -> Result<(Journal, Drill<'r>), Failure> {
    let journal = session.vault.read_journal(name, run.started.entry)?;
    compare(session, name, &journal)?;
    let mut drill = Drill::new(runbook, run.start.roster.clone());
    for (number, text) in (1..).zip(journal.records()) {
        let wrong = |error: &(dyn std::error::Error + 'static)| {
            let message = format!("record {number} of the journal of {name} makes no sense");
            Failure::because(exit::NO, message, error).hint(give_up(name))
        };
        let record: Record = toml::from_str(text).map_err(|error| {
            // The parser's own words would show the source.
            let message = crate::text::sanitise(error.message(), 200);
            Failure::new(exit::NO, format!("record {number} of the journal of {name}: {message}"))
                .hint(give_up(name))
        })?;
        drill.take(record).map_err(|error| wrong(&error))?;
    }
    Ok((journal, drill))
}

/// What is to be done about a journal that can't be gone on with.
fn give_up(name: &Handle) -> String {
    format!(
        "get the vault's drafts from where the drill was begun, or from a copy; else \
         keymuster drill abandon {name} --without-journal --reason TEXT records that it came to \
         nothing"
    )
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let code = match &error {
            JournalError::Closed { .. } | JournalError::Other { .. } | JournalError::Missing(_) => {
                exit::NO
            }
            _ => exit::FAILED,
        };
        let failure = Self::of(code, &error);
        match error {
            JournalError::Closed { .. } | JournalError::Other { .. } | JournalError::Missing(_) => {
                failure.hint(
                    "the journal was tampered with, or copied in part: get it from where the drill was begun; \
                     else keymuster drill abandon --without-journal --reason TEXT records that it came to nothing",
                )
            }
            JournalError::Overtaken(_) => failure.hint("let one of you go on, and the other stop"),
            _ => failure,
        }
    }
}

/// Where this machine remembers journals.
fn memory(context: &Context) -> Result<HeadMemory, Failure> {
    context.memory_of("journals")
}

/// Remembers how far a journal went, so that a cut-off end shows. That it can't be remembered is
/// no reason to stop.
pub fn remember(session: &Session<'_>, journal: &Journal) {
    let id = journal.memory_id(&session.vault.location().id);
    if let Ok(memory) = memory(session.context) {
        let _ = memory.remember(&id, journal.links());
    }
}

/// Fails where a journal isn't the one that this machine remembers, or lacks its end.
fn compare(session: &Session<'_>, name: &Handle, journal: &Journal) -> Result<(), Failure> {
    let id = journal.memory_id(&session.vault.location().id);
    let seen = memory(session.context)?.recall(&id)?;
    let refused = |message: String| Err(Failure::new(exit::NO, message).hint(give_up(name)));
    match Remembered::of(seen, journal.links()) {
        Remembered::Never | Remembered::Contained => Ok(()),
        Remembered::Shorter(head) => refused(format!(
            "the journal of {name} has {} records, and this machine wrote {}: its end was cut off, \
             or it is an old copy",
            journal.records().len(),
            head.number
        )),
        Remembered::AnotherVault | Remembered::Different(_) => refused(format!(
            "the journal of {name} isn't the one that this machine wrote: it was replaced, or \
             somebody went on elsewhere"
        )),
    }
}
