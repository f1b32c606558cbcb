//! `keymuster custodian add`: somebody joins, with a key and an identity of their own.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::enrolment::{Newcomer, new_identity, recorded};
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::paper::{Paper, PaperArgs};
use crate::cli::session::Session;
use crate::cli::signing::Signers;
use crate::key::DeviceId;
use crate::record::{CustodianAdded, Event, Handle, KeyName, Line};

/// `keymuster custodian add`
#[derive(Debug, Args)]
#[command(
    after_help = "Their new key is plugged in beside one that is enrolled. It makes two credentials, seals\n\
    their identity, and signs; so does whoever lets them in.\n\n\
    Example:\n  keymuster custodian add bob --name \"Bob B.\" --key primary"
)]
pub struct Add {
    /// Their handle, such as bob; never used before, and never again
    custodian: Handle,
    /// Their full name
    #[arg(long)]
    name: Option<Line>,
    /// What their key is to be called
    #[arg(long, value_name = "LABEL")]
    key: Handle,
    #[command(flatten)]
    paper: PaperArgs,
    #[command(flatten)]
    signers: Signers,
}

pub fn run(context: &Context, add: &Add) -> Result<Answer, Failure> {
    let paper = Paper::new(context, add.paper.paper_fd)?;
    // --device names the new key: any other may open the vault.
    let aside = context.globals.device.clone().map(DeviceId);
    let mut session = Session::open_to_write(context, add.signers.opener(), aside.as_ref())?;
    session.vault.check_sound()?;
    let opener = session.opener()?;
    let was_alone = session.state().quorum() == 1;
    let identity = new_identity(context, &session.vault.location().id, &add.custodian)?;
    let first = vec![Event::CustodianAdded(CustodianAdded {
        custodian: add.custodian.clone(),
        name: add.name.clone(),
        recipient: recorded(identity.recipient())?,
    })];
    let name = KeyName { owner: add.custodian.clone(), label: add.key.clone() };
    let new = Newcomer::gather(&mut session, name.clone(), opener, &first, &add.signers.by)?;
    let decided = new.enrol_with_new_identity(&mut session, identity, first, paper)?;
    let mut words = format!("{} is a custodian, with the key {name}.\n", add.custodian);
    if was_alone && session.state().quorum() == 2 {
        words.push_str(
            "From now on two custodians sign whatever changes who may do what. Where both sign at\n\
             one machine, both trust that machine: choose it with care.\n",
        );
    }
    if session.state().able_custodians() == 2 {
        words.push_str(
            "With two custodians, one lost key can end all changes: add a third, whose key lies in\n\
             a safe.\n",
        );
    }
    Ok(decided.answer(&session, words))
}
