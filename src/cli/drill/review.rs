//! `keymuster drill review`

use clap::{Args, ValueEnum};

use super::known;
use crate::cli::context::Context;
use crate::cli::cosigners::Signing;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::signing::record_events;
use crate::record::{DrillReviewed, Event, Handle, Line, Outcome};

/// `keymuster drill review`
#[derive(Debug, Args)]
#[command(
    after_help = "A live run that nobody watched waits for this. Read it first: keymuster drill show.\n\n\
    Example:\n  keymuster drill review fire-1 passed \"CloudTrail shows what the log says\" --by carol"
)]
pub struct Review {
    /// Which
    drill: Handle,
    /// Whether it was as it should be
    outcome: Found,
    /// What there is to say of it
    remark: Line,
    #[command(flatten)]
    signers: Signing,
}

/// What a reviewer found.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Found {
    /// It is in order.
    Passed,
    /// It isn't.
    Failed,
}

pub fn run(context: &Context, review: &Review) -> Result<Answer, Failure> {
    record_events(context, &review.signers, |session, opener| {
        known(session.state(), &review.drill)?;
        Ok(vec![Event::DrillReviewed(DrillReviewed {
            drill: review.drill.clone(),
            reviewer: opener.owner.clone(),
            outcome: match review.outcome {
                Found::Passed => Outcome::Passed,
                Found::Failed => Outcome::Failed,
            },
            remark: review.remark.clone(),
        })])
    })
}
