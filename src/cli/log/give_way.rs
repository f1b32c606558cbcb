//! `keymuster log yield`: another copy of the vault was first. One's own entries are moved aside, to be
//! taken in behind those of the other copy, under the signatures that they have.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::heads::anchors;
use crate::audit::Anchor;
use crate::cli::context::Context;
use crate::cli::cosigners::{By, opened_by};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::cli::session::{Session, TOLD, lock};
use crate::cli::slip::shown;
use crate::cli::words::told;
use crate::log::Entry;
use crate::record::{Event, Handle, KeyName};
use crate::vault::Remembered;

/// `keymuster log yield`
#[derive(Debug, Args)]
#[command(
    after_help = "They are kept as slips in the vault's folder yielded. Bring in the other copy then (git pull --no-rebase),\n\
    and take them in there: keymuster log collect yielded/*.slip\n\n\
    Example:\n  keymuster log yield 42"
)]
pub struct Yield {
    /// The first entry that the other copy has otherwise; it and all after it are moved aside
    number: u64,
    /// A file with the other copy's head of that entry (log head --entry N), from another custodian,
    /// where an entry isn't one's own
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Whose key opens the vault, such as bob or bob/blue, where several are plugged in
    #[arg(long, value_name = "CUSTODIAN[/KEY]")]
    by: Option<By>,
}

#[derive(Serialize)]
struct YieldedView {
    entries: Vec<u64>,
    slips: Vec<String>,
    /// Whether a head was given out from here that is abandoned by this.
    given_out: bool,
}

pub fn run(context: &Context, asked: &Yield) -> Result<Answer, Failure> {
    let mut session = Session::open_to_write(context, opened_by(asked.by.as_ref()), None)?;
    session.vault.check_log_sound()?;
    let opener = session.opener()?;
    if session.state().active_key(&opener.name).is_none() {
        let message = format!("{} may not sign any more, and moves nothing aside", opener.name);
        return Err(Failure::new(exit::NO, message).hint("open the vault with another key: --by"));
    }
    let last = session.vault.head().number;
    if !(2..=last).contains(&asked.number) {
        let message = format!("entry {} can't be moved aside", asked.number);
        let hint = match asked.number {
            1 => "without entry 1 there is no vault".to_owned(),
            _ => format!(
                "the log has {}",
                count(usize::try_from(last).unwrap_or(0), "entry", "entries")
            ),
        };
        return Err(Failure::new(exit::USAGE, message).hint(hint));
    }
    check_told(&session, asked.number)?;
    let theirs = match &asked.head {
        Some(file) => anchors(file, &session.vault.location().id)?,
        None => Vec::new(),
    };
    match asked.head {
        Some(_) => check_parting(&session, asked.number, &theirs)?,
        None => check_own(&session, &opener.name.owner, asked.number)?,
    }

    let entries = session.vault.entries_from(asked.number).to_vec();
    let say = |line: &str| context.terminal.say(line);
    for entry in &entries {
        let signers: Vec<String> =
            entry.document().signers.iter().map(KeyName::to_string).collect();
        let number = entry.document().number;
        say(&format!("Entry {number}, signed by {}, is moved aside:", signers.join(" and ")));
        told(entry).iter().for_each(|words| say(&format!("  {words}")));
    }
    let given_out = session.given_out().is_some_and(|number| number >= asked.number);
    if given_out {
        say(
            "NOTE: a head with it was given out from here. Whoever holds that one will find it contradicted.",
        );
    }
    let held = match session.lock.take() {
        Some(held) => held,
        None => lock(context, &session.vault.location().layout)?,
    };
    context.check_interrupted()?;
    let slips = session.vault.write_yielded(asked.number, &held)?;
    let memory = context.memory()?;
    memory.step_back(&session.vault.location().id, session.vault.links(), asked.number - 1)?;
    session.vault.remove_yielded(asked.number, &held)?;
    drop(held);

    let layout = &session.vault.location().layout;
    let files: Vec<String> = slips.iter().map(|path| layout.shown(path)).collect();
    let moved = count(entries.len(), "entry is", "entries are");
    let mut words = format!("{moved} moved aside, and nothing of it is lost:\n");
    files.iter().for_each(|file| words.push_str(&format!("  {file}\n")));
    words.push_str(&format!(
        "Bring in the other copy now (commit this, then git pull --no-rebase), and take them in there:\n\
         keymuster log collect {}/*.slip\n",
        shown(&layout.yielded_folder())
    ));
    let is_report = |event: &Event| matches!(event, Event::KeyLost(_) | Event::KeyCompromised(_));
    if entries.iter().flat_map(Entry::events).any(is_report) {
        words.push_str("Don't wait with it: it reports a key that somebody else may use.\n");
    }
    let view = YieldedView {
        entries: entries.iter().map(|entry| entry.document().number).collect(),
        slips: files,
        given_out,
    };
    Ok(Answer::new("yielded", &view, words))
}

/// Fails where this machine was told to remember a head that has such an entry.
fn check_told(session: &Session<'_>, number: u64) -> Result<(), Failure> {
    let memory = session.context.memory_of(TOLD)?;
    let known = memory.recall(&session.vault.location().id)?;
    let contained = Remembered::of(known, session.vault.links()) == Remembered::Contained;
    match known.filter(|known| contained && known.head.number >= number) {
        Some(known) => {
            let at = known.head.number;
            let message = format!(
                "this machine was told to remember the head of entry {at}: somebody else has this copy"
            );
            Err(Failure::new(exit::NO, message)
                .hint("then it is the other copy that gives way; ask whoever gave you that head"))
        }
        None => Ok(()),
    }
}

/// Fails unless a head of the other copy shows that it has another entry where this one is to give way:
/// so nothing is moved aside that both have.
fn check_parting(session: &Session<'_>, first: u64, theirs: &[Anchor]) -> Result<(), Failure> {
    let own = usize::try_from(first).ok().and_then(|number| session.vault.links().get(number));
    let message = match theirs.iter().find(|it| it.head.number == first) {
        Some(it) if own.is_some_and(|own| *own != it.head.link) => return Ok(()),
        Some(_) => format!("by that head, the other copy has the same entry {first}"),
        None => format!("that isn't the head of entry {first}"),
    };
    Err(Failure::new(exit::NO, message).hint(format!(
        "what is wanted is the other copy's, at the first entry that it has otherwise: there, \
         keymuster log head --entry {first}"
    )))
}

/// Fails where an entry isn't that of whoever moves it aside.
fn check_own(session: &Session<'_>, who: &Handle, first: u64) -> Result<(), Failure> {
    let is_others = |entry: &&Entry| {
        // Whose slip an entry takes in doesn't make it theirs.
        !entry.document().signers.iter().any(|key| key.owner == *who)
    };
    match session.vault.entries_from(first).iter().find(is_others) {
        Some(entry) => {
            let number = entry.document().number;
            let message = format!("entry {number} isn't {who}'s: no key of theirs signed it");
            Err(Failure::new(exit::NO, message).hint(format!(
                "let whoever signed it yield, or give a head of the other copy, from another custodian, \
                 with --head FILE; there, keymuster log head --entry {first} prints it"
            )))
        }
        None => Ok(()),
    }
}
