//! `keymuster drill abandon`

use clap::Args;

use super::conduct::Conduct;
use super::people::AtTerminal;
use super::resume::runbook_of;
use super::{known, under_way};
use crate::cli::context::Context;
use crate::cli::cosigners::{Signers, Signing};
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::signing::record_events;
use crate::record::{DrillAbandoned, Event, Handle, Line, Part};

/// `keymuster drill abandon`
#[derive(Debug, Args)]
#[command(after_help = "What happened until then goes on record with it.\n\n\
    Example:\n  keymuster drill abandon quarterly-1 --reason \"the fire alarm\"")]
pub struct Abandon {
    /// Which, where several are under way
    drill: Option<Handle>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Line,
    /// Who has which part, where that isn't whoever had it last; each of them signs
    #[arg(long = "as", value_name = "ROLE=PERSON")]
    parts: Vec<Part>,
    /// Its journal is lost: record no more than that it was given up
    #[arg(long)]
    without_journal: bool,
    #[command(flatten)]
    signers: Signers,
}

pub fn run(context: &Context, abandon: &Abandon) -> Result<Answer, Failure> {
    if abandon.without_journal || !abandon.parts.is_empty() {
        return alone(context, abandon);
    }
    let mut session = Session::open_to_write(context, abandon.signers.opener(), None)?;
    session.vault.check_sound()?;
    let name = under_way(session.state(), abandon.drill.as_ref())?;
    let run = known(session.state(), &name)?.clone();
    let chosen = runbook_of(&session, &run)?;
    let opener = session.opener()?;
    let people = AtTerminal(context);
    let conduct = Conduct::new(session, &people, opener, (name, run), &chosen)?;
    conduct.abandon(abandon.reason.clone())
}

/// The same without its journal, or by other people than those who have a part.
fn alone(context: &Context, abandon: &Abandon) -> Result<Answer, Failure> {
    record_events(context, &Signing::from(&abandon.signers), |session, _| {
        let drill = under_way(session.state(), abandon.drill.as_ref())?;
        let run = known(session.state(), &drill)?;
        let roster = match abandon.parts.as_slice() {
            [] => run.start.roster.clone(),
            parts => parts.to_vec(),
        };
        let (reason, journal) = (abandon.reason.clone(), None);
        Ok(vec![Event::DrillAbandoned(Box::new(DrillAbandoned { drill, roster, reason, journal }))])
    })
}
