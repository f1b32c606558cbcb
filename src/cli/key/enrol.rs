//! `keymuster key enrol`: one more key of a custodian.

use clap::Args;

use super::Recorded;
use crate::cli::context::Context;
use crate::cli::cosigners::Signers;
use crate::cli::due::renewals_due;
use crate::cli::enrolment::{new_identity, recorded};
use crate::cli::epochs;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::newcomer::Newcomer;
use crate::cli::output::Answer;
use crate::cli::paper::{Paper, PaperArgs};
use crate::cli::session::Session;
use crate::cli::unlock::Opener;
use crate::key::DeviceId;
use crate::record::{Event, Handle, KeyName, RecipientChanged};

/// `keymuster key enrol`
#[derive(Debug, Args)]
#[command(
    after_help = "The new key is plugged in beside its owner's enrolled one, which opens the vault and signs\n\
    for it. Where there are two custodians, a key of another's signs too, and is asked for.\n\
    Where the enrolled one can't be told silently, --device names the new one.\n\n\
    Examples:\n  keymuster key enrol blue\n  keymuster key enrol green --for bob --new-identity"
)]
pub struct Enrol {
    /// What the key is to be called
    label: Handle,
    /// Whose key it is; else that of the custodian whose key opens the vault
    #[arg(long = "for", value_name = "HANDLE")]
    owner: Option<Handle>,
    /// Give its owner another identity, since no key of theirs is left that opens the old one
    #[arg(long, requires = "owner")]
    new_identity: bool,
    #[command(flatten)]
    paper: PaperArgs,
    #[command(flatten)]
    signers: Signers,
}

pub fn run(context: &Context, enrol: &Enrol) -> Result<Answer, Failure> {
    if enrol.paper.paper_fd.is_some() && !enrol.new_identity {
        let message = "--paper-fd goes with --new-identity: nothing else makes a paper copy";
        return Err(Failure::new(exit::USAGE, message));
    }
    let paper =
        enrol.new_identity.then(|| Paper::new(context, enrol.paper.paper_fd)).transpose()?;
    // --device names the new key: any other may open the vault.
    let aside = context.globals.device.clone().map(DeviceId);
    let opener = match (&enrol.owner, enrol.signers.opener()) {
        (Some(owner), opener) if paper.is_some() && !opener.is_somebody() => Opener::AnyBut(owner),
        (Some(owner), opener) if paper.is_none() && !opener.is_of(owner) => Opener::Of(owner),
        (_, opener) => opener,
    };
    let mut session = Session::open_to_write(context, opener, aside.as_ref()).map_err(
        |failure| match opener {
            Opener::Of(owner) if failure.exit == exit::ABSENT && enrol.signers.by.is_empty() => {
                failure.hint(format!(
                    "plug in one of {owner}'s, or if none is left add --new-identity"
                ))
            }
            _ => failure,
        },
    )?;
    session.vault.check_sound()?;
    let mut opener = session.opener()?;
    let owner = enrol.owner.clone().unwrap_or_else(|| opener.name.owner.clone());
    let name = KeyName { owner, label: enrol.label.clone() };
    let by = &enrol.signers.by;
    let decided = match (paper, opener.identity.take()) {
        (None, Some(identity)) => {
            let mut new = Newcomer::gather(&mut session, name.clone(), opener, &[], by)?;
            let (change, _) = new.enrol(&mut session, identity)?;
            session.decide(new.signers, change)?
        }
        (Some(_), _) if opener.name.owner == name.owner => {
            let owner = &name.owner;
            let message = format!("{owner} has a key that opens the vault still");
            return Err(Failure::new(exit::USAGE, message).hint(
                "leave --new-identity away; keymuster vault rekey --new-identity gives another identity",
            ));
        }
        (Some(paper), opened) => {
            opener.identity = opened;
            let identity = new_identity(context, &session.vault.location().id, &name.owner)?;
            let first = vec![Event::RecipientChanged(RecipientChanged {
                custodian: name.owner.clone(),
                recipient: recorded(identity.recipient())?,
            })];
            epochs::tell_lost(&session, &first)?;
            let new = Newcomer::gather(&mut session, name.clone(), opener, &first, by)?;
            new.enrol_with_new_identity(&mut session, identity, first, paper)?
        }
        (None, None) => {
            return Err(Failure::new(exit::FAILED, "nothing was opened, which is a bug"));
        }
    };
    let renewals: String =
        renewals_due(session.state()).iter().map(|due| format!("due: {due}\n")).collect();
    let human = format!("Enrolled {name}.\n{}{renewals}", decided.sentence());
    let view = Recorded::new(&session, &name, &decided);
    Ok(Answer::new("key-enrolled", &view, human).recording(decided.at.entry))
}
