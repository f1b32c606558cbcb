//! A slip instead of an entry: the same events, signed by those who are here.

use std::path::Path;

use serde::Serialize;

use super::{SlipView, any_signer, on_trial, shown, until};
use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::cosigners::{Cosigner, Matter, Signers};
use crate::cli::epochs::state_after;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::log::Rule;
use crate::record::KeyName;
use crate::vault::{SlipFile, StoreError, export_file};

/// What is answered about a slip that was just written.
#[derive(Serialize)]
struct WrittenView {
    file: String,
    slips: Vec<SlipView>,
    /// Until when it can be collected.
    until: Option<String>,
    /// What it lacks still, if anything.
    lacks: Option<String>,
}

/// Has what a command would record signed by those who are here, and writes it to a file. The vault
/// is read, and nothing in it changes.
pub fn write_slip(
    context: &Context,
    file: &Path,
    signers: &Signers,
    change: impl FnOnce(&Session<'_>, &KeyName) -> Result<Change, Failure>,
) -> Result<Answer, Failure> {
    check_free(file)?;
    let mut session = Session::open_with_key(context, signers.opener(), None)?;
    session.vault.check_log_sound()?;
    let opener = session.opener()?;
    let change = change(&session, &opener.name)?;
    if change.events.is_empty() {
        return Ok(session.nothing_changed());
    }
    slip_of(&mut session, opener, signers, file, change)
}

/// Fails, before anybody touches anything, where something lies where a slip is to be written.
pub fn check_free(file: &Path) -> Result<(), Failure> {
    if file.symlink_metadata().is_ok() {
        return Err(StoreError::Taken(file.to_owned()).into());
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(StoreError::Missing(folder.to_owned()).into()),
        None => Ok(()),
    }
}

/// Has a change signed by whoever opened the vault and whom `signers` name, and writes it to a file.
pub fn slip_of(
    session: &mut Session<'_>,
    opener: Cosigner,
    signers: &Signers,
    file: &Path,
    change: Change,
) -> Result<Answer, Failure> {
    let Change { events, files, .. } = change;
    state_after(session.context, session.state(), &events, &[])?;
    let gathered = session.gather_for_slip(Matter::of(&events), opener, &signers.by)?;
    let slip = session.sign_slip(&gathered, events)?;
    let files = files.into_iter().map(|file| file.bytes).collect();
    write(session, file, SlipFile { slips: vec![slip], files }, |bytes| export_file(file, bytes))
}

/// Seals slips and has them written, once it is sure that they can be collected, or what they lack.
pub fn write(
    session: &Session<'_>,
    file: &Path,
    slips: SlipFile,
    store: impl FnOnce(&[u8]) -> Result<(), StoreError>,
) -> Result<Answer, Failure> {
    let lacks = match on_trial(session, &slips.slips, any_signer(session), Vec::new())? {
        Ok(_) => None,
        Err(fault) if fault.rule == Rule::Authority => Some(fault.reason),
        Err(fault) => {
            return Err(Failure::because(crate::cli::exit::FAILED, "this slip can't be", &fault));
        }
    };
    store(&session.vault.seal_slips(&slips)?)?;
    let name = shown(file);
    let until = until(session, &slips.slips);
    let by = until.map(|until| format!(", until {until}")).unwrap_or_default();
    let mut words = format!(
        "Wrote the slip {name}: send it to where the vault is kept.\n\
         keymuster log collect {name} takes it in there{by}.\n"
    );
    if let Some(lacks) = &lacks {
        words.push_str(&format!(
            "It isn't enough by itself: {lacks}.\n\
             Another custodian signs it with keymuster slip countersign {name}, or whoever collects it\n\
             signs for it with --endorse.\n"
        ));
    }
    let view = WrittenView {
        file: name,
        slips: slips.slips.iter().map(SlipView::of).collect(),
        until: until.map(|until| until.to_string()),
        lacks,
    };
    Ok(Answer::new("slip-written", &view, words))
}
