//! `keymuster log export`: a bundle for auditors, of the whole log or of an extract.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::audit::{FOLDERS, Wanted, attachment_name, attachments, files};
use crate::cli::day::Day;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::cli::session::Session;
use crate::log::Entry;
use crate::record::Handle;
use crate::schedule::day_of;
use crate::text::sanitise;
use crate::vault::{Bundle, StoreError};

/// `keymuster log export`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster log export bundle\n  \
    keymuster log export bundle --attachments --from 2026-01-01 --to 2026-12-31\n  \
    keymuster log export bundle --account prod\n\n\
    In an extract, what it withholds is there by its digest. What is told of custodians, keys, \
    policy and runbooks is never withheld.")]
pub struct Export {
    /// A new folder for the bundle. What was encrypted in the vault is in the clear there
    dir: PathBuf,
    /// Only entries of this day or later
    #[arg(long, value_name = "DATE")]
    from: Option<Day>,
    /// Only entries of this day or earlier
    #[arg(long, value_name = "DATE")]
    to: Option<Day>,
    /// Only entries about this account; may be repeated
    #[arg(long = "account", value_name = "HANDLE")]
    accounts: Vec<Handle>,
    /// Only entries of these numbers, with commas between them
    #[arg(long, value_name = "N", value_delimiter = ',')]
    only: Vec<u64>,
    /// Add what the entries name: runbooks as they were adopted, and evidence of drills
    #[arg(long)]
    attachments: bool,
}

#[derive(Serialize)]
struct Exported {
    folder: String,
    entries: usize,
    withheld: usize,
    attachments: usize,
}

pub fn run(session: &Session<'_>, asked: &Export) -> Result<Answer, Failure> {
    let vault = &session.vault;
    if session.exit() != exit::DONE {
        return Err(Failure::new(exit::NO, "a faulty vault isn't exported")
            .hint("keymuster log verify tells what is wrong"));
    }
    let wanted = wanted(session, asked)?;
    let target = place_beside(vault.location().layout.root(), &asked.dir)?;
    let bundle = match Bundle::begin(&target, &FOLDERS) {
        // As it was given, it is easier to know again.
        Err(StoreError::Taken(_)) => return Err(StoreError::Taken(asked.dir.clone()).into()),
        other => other?,
    };
    let entries = vault.entries();
    let shown = wanted.among(entries.iter(), session.state());
    files(vault.location().id, entries, &shown, |name, bytes| bundle.write(name, bytes))?;
    let is_shown = |entry: &&Entry| shown.contains(&entry.document().number);
    let attached = match asked.attachments {
        true => attachments(entries.iter().filter(is_shown)),
        false => Vec::new(),
    };
    for one in &attached {
        session.context.check_interrupted()?;
        let content = vault.open_attachment(&one.file, &one.content)?;
        bundle.write(&attachment_name(&one.content), &content)?;
    }
    bundle.finish()?;
    let folder = sanitise(&asked.dir.to_string_lossy(), 200);
    let withheld = entries.len().saturating_sub(shown.len());
    let extract = match withheld {
        0 => String::new(),
        many => format!("; {many} withheld, of which there are only the digests"),
    };
    let with = match attached.len() {
        0 => String::new(),
        many => format!(", with {}", count(many, "attachment", "attachments")),
    };
    let human = format!(
        "Exported {}{with} to {folder}, in the clear{extract}. sh {folder}/verify.sh verifies them without \
         keymuster; {folder}/README tells more.\n",
        count(shown.len(), "entry", "entries"),
    );
    let view = Exported {
        folder: asked.dir.to_string_lossy().into_owned(),
        entries: shown.len(),
        withheld,
        attachments: attached.len(),
    };
    Ok(Answer::new("log-exported", &view, human))
}

/// What was asked for, if there is such.
fn wanted(session: &Session<'_>, asked: &Export) -> Result<Wanted, Failure> {
    let state = session.state();
    let known = |account: &&Handle| {
        state.accounts().contains_key(*account) || state.former_accounts().contains_key(*account)
    };
    if let Some(stranger) = asked.accounts.iter().find(|account| !known(account)) {
        return Err(Failure::new(exit::USAGE, format!("there is no account {stranger}"))
            .hint("keymuster account list names those there are"));
    }
    let last = session.vault.head().number;
    if let Some(beyond) = asked.only.iter().find(|number| !(1..=last).contains(*number)) {
        return Err(Failure::new(exit::USAGE, format!("there is no entry {beyond}")).hint(
            format!("the log has {}", count(session.vault.entries().len(), "entry", "entries")),
        ));
    }
    let day = |day: Day| day_of(day.0);
    let (from, to) = (asked.from.map(day), asked.to.map(day));
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        let message = format!("{from} is after {to}, so no entry would fit");
        return Err(Failure::new(exit::USAGE, message).hint("give the earlier day to --from"));
    }
    let some = |all: &[u64]| (!all.is_empty()).then(|| all.iter().copied().collect());
    let accounts: BTreeSet<Handle> = asked.accounts.iter().cloned().collect();
    let accounts = (!accounts.is_empty()).then_some(accounts);
    Ok(Wanted { from, to, accounts, only: some(&asked.only) })
}

/// Where a folder in the clear is to lie, which is no place inside the vault.
pub fn place_beside(vault: &Path, dir: &Path) -> Result<PathBuf, Failure> {
    let target = real_place(dir)?;
    if target.starts_with(real(vault)?) {
        let message = "a bundle is in the clear, and can't lie in the vault's own folder";
        return Err(Failure::new(exit::USAGE, message).hint("name a folder outside the vault"));
    }
    Ok(target)
}

/// Where a path leads, with no link and no `..` in it.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| {
        let message = format!("{} can't be found", path.display());
        Failure::because(exit::FAILED, message, &error)
    })
}

/// The same for something that needn't be there, in a folder that must be.
fn real_place(path: &Path) -> Result<PathBuf, Failure> {
    // One that ends with `..` is there, if anything is.
    let Some(name) = path.file_name() else { return real(path) };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(real(parent.unwrap_or(Path::new(".")))?.join(name))
}
