//! `keymuster action` and `keymuster waiver`: what is to be put right, and what may wait.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::Context;
use super::cosigners::Signing;
use super::day::Day;
use super::exit;
use super::failure::Failure;
use super::output::{Answer, table};
use super::schedule::history;
use super::session::Session;
use super::signing::record_events;
use crate::record::{Action, ActionClosed, ActionOpened, Event, Handle, Line, WaiverGiven};
use crate::schedule::{Obligation, Phase};

/// `keymuster action …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record something to be put right, by somebody, by some day
    Open(Open),
    /// Record that it is done
    Close(Close),
    /// List what is to be put right
    List(List),
}

/// `keymuster waiver …`
#[derive(Debug, Subcommand)]
pub enum WaiverCommand {
    /// Record that an obligation may wait until some day, which two custodians sign
    Add(AddWaiver),
}

/// `keymuster action open`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keymuster action open \"Move bob/blue to the other safe\" --owner bob --due 2026-12-31"
)]
pub struct Open {
    /// What is to be done
    title: Line,
    /// The custodian who sees to it
    #[arg(long, value_name = "HANDLE")]
    owner: Handle,
    /// By when
    #[arg(long, value_name = "DATE")]
    due: Day,
    /// Its id; else the next number, such as action-3
    #[arg(long, value_name = "ID")]
    id: Option<Handle>,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster action close`
#[derive(Debug, Args)]
pub struct Close {
    /// Its id
    action: Handle,
    /// What was done
    result: Line,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster action list`
#[derive(Debug, Args)]
pub struct List {
    /// Those that are done, too
    #[arg(long)]
    all: bool,
}

/// `keymuster waiver add`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keymuster waiver add \"key-check bob/blue\" --until 2026-12-31 --reason \"bob is at sea\""
)]
pub struct AddWaiver {
    /// What is waived, as keymuster schedule list names it
    obligation: Obligation,
    /// Until when
    #[arg(long, value_name = "DATE")]
    until: Day,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Line,
    /// Its id; else the next number, such as waiver-3
    #[arg(long, value_name = "ID")]
    id: Option<Handle>,
    #[command(flatten)]
    signers: Signing,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Open(open) => record_events(context, &open.signers, |session, _| {
            let taken = session.state().actions().keys().collect();
            Ok(vec![Event::ActionOpened(ActionOpened {
                action: id_or_next(open.id.as_ref(), "action", &taken)?,
                title: open.title.clone(),
                owner: open.owner.clone(),
                due: open.due.0,
            })])
        }),
        Command::Close(close) => record_events(context, &close.signers, |_, _| {
            let (action, result) = (close.action.clone(), close.result.clone());
            Ok(vec![Event::ActionClosed(ActionClosed { action, result })])
        }),
        Command::List(list) => list_actions(context, &list),
    }
}

pub fn run_waiver(context: &Context, command: WaiverCommand) -> Result<Answer, Failure> {
    let WaiverCommand::Add(add) = command;
    record_events(context, &add.signers, |session, _| {
        let taken = session.state().waivers().keys().collect();
        let standing = history(&session.vault, context.now()?, None)?.standing(&add.obligation);
        if standing.is_none_or(|standing| standing.phase == Phase::Over) {
            let message = format!("there is nothing to be done called {}", add.obligation);
            return Err(Failure::new(exit::USAGE, message)
                .hint("keymuster schedule list names all there is"));
        }
        let obligation = add.obligation.to_string().parse().map_err(|error| {
            Failure::because(exit::FAILED, "couldn't name what is waived", &error)
        })?;
        Ok(vec![Event::WaiverGiven(WaiverGiven {
            waiver: id_or_next(add.id.as_ref(), "waiver", &taken)?,
            obligation,
            until: add.until.0,
            reason: add.reason.clone(),
        })])
    })
}

/// The id that is given, or the next number of its kind.
pub fn id_or_next(
    given: Option<&Handle>,
    what: &str,
    taken: &BTreeSet<&Handle>,
) -> Result<Handle, Failure> {
    let numbered = (1_u32..).filter_map(|number| format!("{what}-{number}").parse().ok());
    let next = || numbered.into_iter().find(|id| !taken.contains(id));
    given.cloned().or_else(next).ok_or_else(|| Failure::new(exit::FAILED, "no id is left"))
}

#[derive(Serialize)]
struct ActionList {
    actions: Vec<ActionView>,
}

#[derive(Serialize)]
struct ActionView {
    action: String,
    title: String,
    owner: String,
    opened: String,
    due: String,
    overdue: bool,
    closed: Option<String>,
    result: Option<String>,
}

fn list_actions(context: &Context, list: &List) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let now = context.now()?;
    let view = |(id, action): (&Handle, &Action)| ActionView {
        action: id.to_string(),
        title: action.opening.title.to_string(),
        owner: action.opening.owner.to_string(),
        opened: action.opened.time.to_string(),
        due: action.opening.due.to_string(),
        overdue: action.closed.is_none() && action.opening.due < now,
        closed: action.closed.as_ref().map(|(at, _)| at.time.to_string()),
        result: action.closed.as_ref().map(|(_, result)| result.to_string()),
    };
    let shown = session.state().actions().iter().filter(|(_, a)| list.all || a.closed.is_none());
    let actions: Vec<ActionView> = shown.map(view).collect();
    let day = |time: &str| time.split('T').next().unwrap_or(time).to_owned();
    let rows: Vec<Vec<String>> = actions
        .iter()
        .map(|a| {
            let state = match (&a.result, a.overdue) {
                (Some(result), _) => format!("done: {result}"),
                (None, true) => "OVERDUE".to_owned(),
                (None, false) => "open".to_owned(),
            };
            vec![a.action.clone(), day(&a.due), a.owner.clone(), state, a.title.clone()]
        })
        .collect();
    let human = if rows.is_empty() {
        "Nothing is to be put right.\n".to_owned()
    } else {
        table(&["action", "due", "owner", "state", "title"], &rows)
    };
    Ok(Answer::new("action-list", &ActionList { actions }, human).exiting(session.exit()))
}
