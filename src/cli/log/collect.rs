//! `keymuster log collect`: takes slips into the log, many in one entry.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::cosigners::{Cosigner, Matter, Signers};
use crate::cli::epochs::{after_change, renew};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::cli::session::Session;
use crate::cli::slip::{SlipView, endorsements, on_trial, read_slips, received, shown};
use crate::log::{Rule, SignedDocument, acts_of};
use crate::record::{Event, Handle, RECORDS, Stamp, State};
use crate::vault::{
    AgeIdentity, CompartmentIdentity, CompartmentName, NewFile, PersonalIdentity, SlipFile,
};

/// `keymuster log collect`
#[derive(Debug, Args)]
#[command(
    after_help = "What each says is told before anybody signs. One that can't be admitted is left out, and\n\
    it is told why; the others are collected, and the exit code is 3.\n\n\
    Example:\n  keymuster log collect bob.slip carol.slip"
)]
pub struct Collect {
    /// The slips' files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Sign for what the slips say, where their own signatures aren't enough
    #[arg(long)]
    endorse: bool,
    #[command(flatten)]
    signers: Signers,
}

/// A file that isn't collected.
#[derive(Debug, Serialize)]
struct Refused {
    file: String,
    reason: String,
}

/// What an entry takes in.
#[derive(Default)]
struct Collected {
    slips: Vec<SignedDocument>,
    /// Those of them whose own signatures are enough.
    sufficient: Vec<SignedDocument>,
    /// The others: whoever collects signs for them.
    endorsed: Vec<SignedDocument>,
    files: Vec<NewFile>,
    /// The compartment `records` with its newest epoch, where a slip opens one.
    records: Option<CompartmentIdentity>,
}

#[derive(Serialize)]
struct CollectedView {
    entry: u64,
    signers: Vec<String>,
    slips: Vec<SlipView>,
    refused: Vec<Refused>,
}

pub fn run(context: &Context, collect: &Collect) -> Result<Answer, Failure> {
    let all = collect.files.iter().map(|file| received(file).map(|bytes| (file, bytes)));
    let all: Vec<(&PathBuf, Vec<u8>)> = all.collect::<Result<_, _>>()?;
    let mut session = Session::open_to_write(context, collect.signers.opener(), None)?;
    session.vault.check_sound()?;
    let opener = session.opener()?;
    let (mut collected, mut refused) = (Collected::default(), Vec::new());
    for (file, bytes) in all {
        let name = shown(file);
        let taken = read_slips(&session, file, &bytes)
            .map_err(|failure| failure.sentence())
            .and_then(|slips| collected.take(&session, slips, &opener, collect.endorse));
        if let Err(reason) = taken {
            context.terminal.say(&format!("Not collected: {name}: {reason}."));
            refused.push(Refused { file: name, reason });
        }
    }
    if collected.slips.is_empty() {
        let left = format!("{}\n", count(refused.len(), "slip was refused", "slips were refused"));
        let view = serde_json::json!({ "refused": refused });
        return Ok(Answer::new("nothing-collected", &view, left).exiting(exit::NO));
    }
    let Collected { slips, endorsed, files, records, .. } = collected;
    let views = slips.iter().map(SlipView::of).collect();
    let mut change = Change { events: endorsements(&endorsed), slips, files, records };
    let reseals = reseal(&session, &opener, &mut change)?;
    let acts = acts_of(&endorsed);
    let matter = Matter { reseals, ..Matter::endorsing(&change.events, &acts) };
    let first = session.unless_another_must(opener, matter, &collect.signers.by);
    let signers = session.gather(matter, first, &collect.signers.by)?;
    let decided = session.decide(signers, change)?;
    let view = CollectedView {
        entry: decided.at.entry,
        signers: decided.signers.iter().map(ToString::to_string).collect(),
        slips: views,
        refused,
    };
    let mut words = decided.sentence();
    let taken = count(view.slips.len(), "slip", "slips");
    words.push_str(&format!("It takes in {taken}.\n"));
    if !view.refused.is_empty() {
        words.push_str(&count(view.refused.len(), "file was refused", "files were refused"));
        words.push_str(", see above.\n");
    }
    let code = if view.refused.is_empty() { exit::DONE } else { exit::NO };
    Ok(Answer::new("collected", &view, words).recording(decided.at.entry).exiting(code))
}

impl Collected {
    /// Takes in the slips of a file, all of them or none, behind those that were taken in before.
    fn take(
        &mut self,
        session: &Session<'_>,
        file: SlipFile,
        collector: &Cosigner,
        endorse: bool,
    ) -> Result<(), String> {
        let with = |before: &[SignedDocument]| -> Vec<SignedDocument> {
            before.iter().chain(&file.slips).cloned().collect()
        };
        let trial =
            on_trial(session, &with(&self.sufficient), vec![collector.name.clone()], Vec::new())
                .map_err(|failure| failure.sentence())?;
        let is_sufficient = match trial {
            Ok(_) => true,
            // Who else must sign is asked to, once all is known.
            Err(fault) if fault.rule == Rule::Authority && endorse => false,
            Err(fault) if fault.rule == Rule::Authority => {
                return Err(format!("{}; --endorse signs for it", fault.reason));
            }
            Err(fault) => return Err(fault.reason),
        };
        let all = with(&self.slips);
        check_possible(session, &all)?;
        let slips = file.slips.clone();
        let layout = &session.vault.location().layout;
        let files = file.new_files(layout).map_err(|missing| missing.to_string())?;
        if let Some(records) = new_records(session, &slips, &files, collector)? {
            self.records = Some(records);
        }
        self.slips = all;
        self.files.extend(files);
        if is_sufficient {
            self.sufficient.extend(slips)
        } else {
            self.endorsed.extend(slips)
        }
        Ok(())
    }
}

/// The compartment `records` in the epoch that slips open, if any does: an entry that lost its number
/// may have. The entry that takes it in is encrypted to that.
fn new_records(
    session: &Session<'_>,
    slips: &[SignedDocument],
    files: &[NewFile],
    collector: &Cosigner,
) -> Result<Option<CompartmentIdentity>, String> {
    let events = slips.iter().flat_map(|slip| &slip.document().events);
    let sealed = events.rev().find_map(|event| match event {
        Event::CompartmentSealed(sealed) if sealed.compartment.as_str() == RECORDS => Some(sealed),
        _ => None,
    });
    let Some(sealed) = sealed else { return Ok(None) };
    let layout = &session.vault.location().layout;
    let path = layout.compartment(RECORDS, sealed.epoch);
    let file = files.iter().find(|file| file.path == path);
    let identity = collector.identity.as_ref();
    let (Some(file), Some(identity)) = (file, identity) else {
        return Err(format!("{} didn't come with it", layout.shown(&path)));
    };
    let vault = session.vault.location().id.to_string();
    let name = CompartmentName { vault: &vault, compartment: RECORDS, epoch: sealed.epoch };
    CompartmentIdentity::open(&file.bytes, &[identity.key()], &name)
        .map(Some)
        .map_err(|error| format!("its records don't open to {}: {error}", collector.name))
}

/// Seals anew, in a change, what is encrypted to others than those whom its slips let in or shut out.
/// Whether it did.
fn reseal(session: &Session<'_>, opener: &Cosigner, change: &mut Change) -> Result<bool, Failure> {
    let (context, before) = (session.context, session.state());
    let after = after_change(context, before, change)?;
    let falls_behind = |name: &Handle| before.is_current(name) && !after.is_current(name);
    if !before.compartments().keys().any(falls_behind) {
        return Ok(false);
    }
    let opened: Vec<&AgeIdentity> = opener.identity.iter().map(PersonalIdentity::key).collect();
    let known = change.events.len();
    renew(context, &session.vault, change, &opened, false)?;
    Ok(change.events.len() > known)
}

/// Fails where what slips say can't happen any more.
fn check_possible(session: &Session<'_>, slips: &[SignedDocument]) -> Result<(), String> {
    let mut state = State::clone(session.state());
    let time = session.context.now().map_err(|failure| failure.sentence())?;
    for act in acts_of(slips) {
        for event in act.events {
            state
                .apply(event, Stamp { entry: 0, time }, &act.signers)
                .map_err(|reason| format!("{}: {reason}", event.kind()))?;
        }
    }
    Ok(())
}
