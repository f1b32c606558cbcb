//! `keymuster runbook adopt` and `withdraw`: which runbooks a vault runs.

use clap::Args;

use super::chosen::{Chosen, choose};
use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::cosigners::Signing;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::signing::{record_change, record_events};
use crate::record::{AdoptedRunbook, Event, Handle, Line, RunbookAdopted, RunbookWithdrawn, State};
use crate::runbook::{Runbook, Task, shipped};

/// `keymuster runbook adopt`
#[derive(Debug, Args)]
#[command(
    after_help = "A vault runs runbooks as they were adopted, to the letter: one that is changed is adopted\n\
    again, under a higher version. Read it first: keymuster runbook show.\n\n\
    Examples:\n  \
    keymuster runbook adopt quarterly all-mfa-lost\n  \
    keymuster runbook adopt ./ours.md\n  \
    keymuster runbook adopt --all"
)]
pub struct Adopt {
    /// Files, or names of runbooks that come with keymuster
    #[arg(required_unless_present = "all")]
    runbooks: Vec<String>,
    /// Adopt all that come with keymuster
    #[arg(long, conflicts_with = "runbooks")]
    all: bool,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster runbook withdraw`
#[derive(Debug, Args)]
#[command(after_help = "Drills that were begun with it can still be finished.\n\n\
    Example:\n  keymuster runbook withdraw close-account --reason \"we close none\"")]
pub struct Withdraw {
    /// What it is called
    runbook: Handle,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Line,
    #[command(flatten)]
    signers: Signing,
}

pub fn run(context: &Context, adopt: &Adopt) -> Result<Answer, Failure> {
    let all = || shipped().iter().map(|known| known.name.to_owned()).collect();
    let names: Vec<String> = if adopt.all { all() } else { adopt.runbooks.clone() };
    // What is wrong with any of them is told before a key is touched.
    let chosen = names.iter().map(|name| choose(context, name)).collect::<Result<Vec<_>, _>>()?;
    for (place, one) in chosen.iter().enumerate() {
        let id = &one.runbook.id;
        if chosen.iter().take(place).any(|before| before.runbook.id == *id) {
            return Err(Failure::new(exit::USAGE, format!("two of these are called {id}"))
                .hint("name each once; what a runbook is called stands in its front matter"));
        }
    }
    let change = |session: &Session<'_>, _: &_| {
        let mut change = Change::default();
        for chosen in &chosen {
            let known = session.state().runbooks().get(&chosen.runbook.id);
            if !is_so_already(known, chosen) {
                check_against(session.state(), known, chosen)?;
                add(session, chosen, &mut change)?;
            }
        }
        Ok(change)
    };
    record_change(context, &adopt.signers, change, |_| String::new())
}

fn is_so_already(known: Option<&AdoptedRunbook>, chosen: &Chosen) -> bool {
    known.is_some_and(|known| known.withdrawn.is_none() && known.adoption.sha256 == chosen.sha256)
}

/// Fails where a runbook doesn't fit this vault.
fn check_against(
    state: &State,
    known: Option<&AdoptedRunbook>,
    Chosen { runbook, sha256, .. }: &Chosen,
) -> Result<(), Failure> {
    let (id, version) = (&runbook.id, runbook.version);
    if let Some(known) = known
        && known.adoption.sha256 != *sha256
        && known.adoption.version >= version
    {
        let before = known.adoption.version;
        let message = format!(
            "version {before} of {id} is adopted, and this other text says version {version}"
        );
        let hint = format!("write a higher version than {before} in its front matter");
        return Err(Failure::new(exit::FAILED, message).hint(hint));
    }
    for step in &runbook.steps {
        if let Task::Secret { compartment, .. } = &step.task
            && !state.compartments().contains_key(compartment)
        {
            let message = format!(
                "the step {} of {id} opens a secret out of {compartment}, which this vault hasn't",
                step.id
            );
            let names: Vec<String> = state.compartments().keys().map(Handle::to_string).collect();
            return Err(Failure::new(exit::FAILED, message).hint(format!(
                "make it with keymuster compartment add, or change the step; there are: {}",
                names.join(", ")
            )));
        }
    }
    Ok(())
}

/// Adds to a change that a runbook is adopted.
fn add(session: &Session<'_>, chosen: &Chosen, change: &mut Change) -> Result<(), Failure> {
    let attachment = session.vault.seal_attachment(&chosen.bytes)?;
    let Runbook { id, version, title, accounts, every_days, target_minutes, .. } = &chosen.runbook;
    let mut purposes = chosen.runbook.purposes.clone();
    purposes.sort();
    purposes.dedup();
    let roles = |optional: bool| {
        let roles = chosen.runbook.roles.iter().filter(|role| role.optional == optional);
        roles.map(|role| role.id.clone()).collect()
    };
    change.events.push(Event::RunbookAdopted(Box::new(RunbookAdopted {
        runbook: id.clone(),
        version: *version,
        title: title.clone(),
        sha256: attachment.sha256,
        file: attachment.file,
        purposes,
        accounts: *accounts,
        every_days: *every_days,
        target_minutes: *target_minutes,
        roles: roles(false),
        optional_roles: roles(true),
    })));
    change.files.push(attachment.new_file);
    Ok(())
}

pub fn withdraw(context: &Context, withdraw: &Withdraw) -> Result<Answer, Failure> {
    record_events(context, &withdraw.signers, |_, _| {
        let (runbook, reason) = (withdraw.runbook.clone(), withdraw.reason.clone());
        Ok(vec![Event::RunbookWithdrawn(RunbookWithdrawn { runbook, reason })])
    })
}
