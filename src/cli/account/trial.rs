//! `keymuster account contacts-reviewed`, `mailbox-tested`, `phone-tested`, `sign-in-proven`:
//! what was tried of the ways into accounts.

use clap::Args;

use super::chosen::Chosen;
use crate::cli::context::Context;
use crate::cli::cosigners::Signing;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::signing::record_events;
use crate::record::{AccountsTried, DeviceName, Event, Line, Outcome, SignInProven};

/// How a trial went, as flags.
#[derive(Debug, Args)]
struct Went {
    /// It was tried and failed: that is recorded too
    #[arg(long, requires = "remark")]
    failed: bool,
    /// What there is to say of it
    #[arg(long, value_name = "TEXT")]
    remark: Option<Line>,
}

impl Went {
    fn outcome(&self) -> Outcome {
        if self.failed { Outcome::Failed } else { Outcome::Passed }
    }
}

/// `keymuster account contacts-reviewed` and the like
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster account mailbox-tested prod payments\n  \
    keymuster account phone-tested prod --failed --remark \"no answer at 02:10\"")]
pub struct Tried {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    went: Went,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster account sign-in-proven`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    keymuster account sign-in-proven prod --with alice/primary --evidence 7f3c…-cloudtrail-event-id")]
pub struct SignedIn {
    #[command(flatten)]
    chosen: Chosen,
    /// The MFA device, such as alice/primary, or a token's name
    #[arg(long, value_name = "DEVICE")]
    with: Option<DeviceName>,
    /// What shows it: the id of the provider's own record, such as CloudTrail's event
    #[arg(long, value_name = "ID")]
    evidence: Option<Line>,
    #[command(flatten)]
    went: Went,
    #[command(flatten)]
    signers: Signing,
}

pub fn run(
    context: &Context,
    tried: &Tried,
    event: impl FnOnce(AccountsTried) -> Event,
) -> Result<Answer, Failure> {
    record_events(context, &tried.signers, |session, _| {
        Ok(vec![event(AccountsTried {
            accounts: tried.chosen.handles(session.state())?,
            outcome: tried.went.outcome(),
            remark: tried.went.remark.clone(),
        })])
    })
}

pub fn signed_in(context: &Context, signed_in: &SignedIn) -> Result<Answer, Failure> {
    record_events(context, &signed_in.signers, |session, _| {
        Ok(vec![Event::SignInProven(SignInProven {
            accounts: signed_in.chosen.handles(session.state())?,
            device: signed_in.with.clone(),
            evidence: signed_in.evidence.clone(),
            outcome: signed_in.went.outcome(),
            remark: signed_in.went.remark.clone(),
        })])
    })
}
