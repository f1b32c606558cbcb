//! `keymuster vault impact`: what somebody could open, and what is open to them still.

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::cosigners::By;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, table};
use crate::cli::session::Session;
use crate::record::{Epochs, Handle, RECORDS, State};

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
    /// Secrets whose present value could be opened: out of their hands, they are to be replaced.
    secrets: Vec<ExposedView>,
    /// Keys of others that they have in hand.
    holds: Vec<String>,
}

#[derive(Serialize)]
struct ExposedView {
    secret: String,
    kind: &'static str,
    account: Option<String>,
    generation: u32,
    /// Whether it should be closed to them: they have left, were shut out, or it was reported.
    to_be_replaced: bool,
    /// When the custodian last opened a value of it with keymuster, whichever key it was with.
    last_opened: Option<String>,
}

#[derive(Serialize)]
struct ReachView {
    /// Which copy of a key's or paper's it is that opens this; null for a person.
    copy: Option<u32>,
    compartment: String,
    /// The newest epoch that could be opened; those before it are inside.
    epoch: u32,
    /// The last entry that was made in that epoch.
    until_entry: u64,
    /// Whether what is written now can be opened too.
    open_still: bool,
}

pub fn run(context: &Context, impact: &Impact) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let (asked, holds): (Vec<(Option<u32>, Epochs)>, Vec<String>) = match &impact.whose {
        By::Custodian(handle) if state.was_used(handle) => {
            let others = state
                .keys()
                .iter()
                .filter(|(name, key)| key.holder == *handle && name.owner != *handle);
            let holds = others.map(|(name, _)| name.to_string()).collect();
            (vec![(None, state.epochs_open_to(handle))], holds)
        }
        By::Custodian(_) => (Vec::new(), Vec::new()),
        By::Key(slot) => {
            let copies = state.copies_in(slot).into_iter();
            let open = |copy| (Some(copy), state.epochs_open_to_copy(slot, copy));
            (copies.map(open).collect(), Vec::new())
        }
    };
    let shown = impact.whose.to_string();
    if asked.is_empty() {
        return Err(Failure::new(exit::USAGE, format!("there was never a {shown} in this vault"))
            .hint(
                "keymuster custodian list, reader list and key list tell who and what there is",
            ));
    }
    let secrets = exposed(state, &impact.whose, &asked);
    let head = session.vault.head().number;
    let compartments = asked.iter().flat_map(|(copy, open)| {
        open.iter().map(|(compartment, epoch)| {
            let closed = state.epoch_closed_by(compartment, *epoch);
            ReachView {
                copy: *copy,
                compartment: compartment.to_string(),
                epoch: *epoch,
                until_entry: closed.map_or(head, |entry| entry.saturating_sub(1)),
                open_still: closed.is_none(),
            }
        })
    });
    let compartments = compartments.collect();
    let view = ImpactView { whose: shown, compartments, secrets, holds };
    let human = described(&view);
    Ok(Answer::new("impact", &view, human).exiting(session.exit()))
}

/// The secrets whose present value is within somebody's reach.
fn exposed(state: &State, whose: &By, asked: &[(Option<u32>, Epochs)]) -> Vec<ExposedView> {
    let who = match whose {
        By::Custodian(who) => who,
        By::Key(key) => &key.owner,
    };
    // Of a slot's copies, each holds what is in those before it.
    let mut open = Epochs::new();
    open.extend(asked.iter().flat_map(|(_, open)| open.clone()));
    let due = match whose {
        By::Custodian(who) => state.secrets_kept_by(who),
        By::Key(slot) => state.secrets_open_to_astray(slot),
    };
    let view = |name: &Handle| {
        let secret = state.secrets().get(name)?;
        let opened = secret.receipts.iter().rev().find(|receipt| receipt.opener == *who);
        Some(ExposedView {
            secret: name.to_string(),
            kind: secret.kind.word(),
            account: secret.account.as_ref().map(Handle::to_string),
            generation: secret.present()?.number,
            to_be_replaced: due.contains(&name),
            last_opened: opened.map(|receipt| receipt.at.time.to_string()),
        })
    };
    state.secrets_within(&open).into_iter().filter_map(view).collect()
}

fn described(view: &ImpactView) -> String {
    let shown = &view.whose;
    let mut text = if view.compartments.is_empty() {
        format!("Nothing was ever open to {shown}.\n")
    } else {
        format!("What {shown} could open:\n")
    };
    for reach in &view.compartments {
        let (until, epoch, compartment) = (reach.until_entry, reach.epoch, &reach.compartment);
        let what = match (compartment.as_str(), reach.open_still) {
            (RECORDS, true) => format!("the whole log, to this day: entries 1 to {until}"),
            (RECORDS, false) => format!("the log up to entry {until}; closed since"),
            (_, true) => format!("all secrets in {compartment}, to this day (epoch {epoch})"),
            (_, false) => {
                format!("secrets that were put in {compartment} up to entry {until}; closed since")
            }
        };
        let copy = reach.copy.map_or(String::new(), |number| format!("copy {number}: "));
        text.push_str(&format!("  {copy}{what}\n"));
    }
    for key in &view.holds {
        text.push_str(&format!("They have {key} in hand too: keymuster vault impact {key}\n"));
    }
    if view.secrets.is_empty() {
        text.push_str(
            "No secret that is in force was within reach, so there is none to replace.\n",
        );
        return text;
    }
    text.push_str(match view.secrets.iter().filter(|secret| secret.to_be_replaced).count() {
        0 => "Secrets within reach, none of which is due to be replaced:\n",
        _ => "Secrets within reach, those marked to be replaced:\n",
    });
    let rows: Vec<Vec<String>> = view
        .secrets
        .iter()
        .map(|s| {
            let account = s.account.clone().unwrap_or_else(|| "-".to_owned());
            let opened =
                s.last_opened.clone().unwrap_or_else(|| "never, with keymuster".to_owned());
            let due = if s.to_be_replaced { "REPLACE" } else { "" };
            vec![s.secret.clone(), s.kind.to_owned(), account, opened, due.to_owned()]
        })
        .collect();
    // Receipts don't tell with which copy.
    let who = shown.split('/').next().unwrap_or(shown);
    let opened = format!("opened by {who}");
    text.push_str(&table(&["secret", "kind", "account", &opened, ""], &rows));
    text
}
