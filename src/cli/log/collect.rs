//! `keymuster log collect`: takes slips into the log, many in one entry.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::cosigners::{Cosigner, Matter, Signers};
use crate::cli::epochs::{after_change, renew, sealed_in};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::cli::session::Session;
use crate::cli::slip::{SlipView, endorsements, on_trial, read_slips, received, shown};
use crate::log::{Fault, Rule, SignedDocument, acts_of};
use crate::record::{Event, Handle, KeyName, RECORDS, Stamp, State};
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

/// How many slips one entry takes in, and how many bytes of them: one that loses its number travels as a
/// slip itself, with all that it took in.
const MAX_SLIPS_COLLECTED: usize = 200;
const MAX_BYTES_COLLECTED: usize = 4 << 20;

/// A slip that isn't collected.
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
    /// The keys that slips report.
    reported: BTreeSet<KeyName>,
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
    let read = all.into_iter().map(|(file, bytes)| {
        let slips = read_slips(&session, file, &bytes).map_err(|failure| failure.sentence());
        (shown(file), slips)
    });
    let read: Vec<(String, Result<SlipFile, String>)> = read.collect();
    let (mut collected, mut refused) = (Collected::default(), Vec::new());
    collected.reported = reported(read.iter().filter_map(|(_, slips)| slips.as_ref().ok()));
    for (file, slips) in read {
        let taken =
            slips.and_then(|slips| collected.take(&session, slips, &opener, collect.endorse));
        let reasons = taken.unwrap_or_else(|reason| vec![reason]);
        for reason in reasons {
            context.terminal.say(&format!("Not collected: {file}: {reason}."));
            refused.push(Refused { file: file.clone(), reason });
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
    let reseals = reseal(&session, &opener, &mut change)? || sealed_in(&change).next().is_some();
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
        words.push_str(&count(view.refused.len(), "slip was refused", "slips were refused"));
        words.push_str(", see above.\n");
    }
    let code = if view.refused.is_empty() { exit::DONE } else { exit::NO };
    Ok(Answer::new("collected", &view, words).recording(decided.at.entry).exiting(code))
}

/// The keys that slips report: what they signed beside it isn't taken in with it.
fn reported<'s>(files: impl Iterator<Item = &'s SlipFile>) -> BTreeSet<KeyName> {
    let events = files.flat_map(|file| &file.slips).flat_map(|slip| &slip.document().events);
    let keys = events.filter_map(|event| match event {
        Event::KeyLost(report) | Event::KeyCompromised(report) => Some(report.key.clone()),
        _ => None,
    });
    keys.collect()
}

impl Collected {
    /// Takes in the slips of a file behind those that were taken in before. Returns why some of them were
    /// left out; fails where what is left says nothing.
    fn take(
        &mut self,
        session: &Session<'_>,
        file: SlipFile,
        collector: &Cosigner,
        endorse: bool,
    ) -> Result<Vec<String>, String> {
        let (mut kept, mut left_out): (Vec<SignedDocument>, Vec<String>) = Default::default();
        for slip in file.slips {
            let with: Vec<SignedDocument> = kept.iter().chain([&slip]).cloned().collect();
            match self.check(session, &slip, &with, collector) {
                Ok(()) => kept.push(slip),
                Err(Unfit::Known) => {}
                Err(Unfit::Because(reason)) => left_out.push(reason),
            }
        }
        let says_more =
            |slip: &SignedDocument| !endorsements(std::slice::from_ref(slip)).is_empty();
        if !kept.iter().any(says_more) {
            let known = || "it was admitted before".to_owned();
            return Err(left_out.into_iter().next().unwrap_or_else(known));
        }
        self.check_room(&kept)?;
        let is_sufficient = match self.trial(session, &self.sufficient, &kept, collector)? {
            Ok(()) => true,
            // Who else must sign is asked to, once all is known.
            Err(fault) if fault.rule == Rule::Authority && endorse => false,
            Err(fault) if fault.rule == Rule::Authority => {
                return Err(format!("{}; --endorse signs for it", fault.reason));
            }
            Err(fault) => return Err(fault.reason),
        };
        let layout = &session.vault.location().layout;
        let files = SlipFile { slips: kept.clone(), files: file.files };
        let files = files.new_files(layout).map_err(|error| error.to_string())?;
        if let Some(twice) =
            files.iter().find(|file| self.files.iter().any(|it| it.path == file.path))
        {
            return Err(format!("another slip brings {}, too", layout.shown(&twice.path)));
        }
        if let Some(records) = new_records(session, &kept, &files, collector)? {
            self.records = Some(records);
        }
        self.slips.extend(kept.iter().cloned());
        self.files.extend(files);
        if is_sufficient {
            self.sufficient.extend(kept)
        } else {
            self.endorsed.extend(kept)
        }
        Ok(left_out)
    }

    /// Fails where a slip can't be taken in behind those that were, the last of `with`. That it lacks
    /// signatures is no reason yet.
    fn check(
        &self,
        session: &Session<'_>,
        slip: &SignedDocument,
        with: &[SignedDocument],
        collector: &Cosigner,
    ) -> Result<(), Unfit> {
        let document = slip.document();
        let is_report =
            |event: &Event| matches!(event, Event::KeyLost(_) | Event::KeyCompromised(_));
        let founds =
            |event: &Event| matches!(event, Event::VaultCreated(_) | Event::VaultSucceeds(_));
        if let Some(event) = document.events.iter().find(|event| founds(event)) {
            return Err(Unfit::Because(format!("{} belongs in a first entry", event.kind())));
        }
        let key = document.signers.iter().find(|key| self.reported.contains(key));
        if let Some(key) = key.filter(|_| !document.events.iter().all(is_report)) {
            return Err(Unfit::Because(format!(
                "{key}, which signed it, is reported by another slip"
            )));
        }
        if session.vault.replay().has_taken_in(slip) {
            return Err(Unfit::Known);
        }
        for before in [&self.sufficient, &self.slips] {
            match self.trial(session, before, with, collector).map_err(Unfit::Because)? {
                Err(fault) if fault.rule != Rule::Authority => {
                    return Err(Unfit::Because(fault.reason));
                }
                _ => {}
            }
        }
        let all: Vec<SignedDocument> = self.slips.iter().chain(with).cloned().collect();
        check_possible(session, &all).map_err(Unfit::Because)
    }

    /// What an entry of the collector's would come to, with these slips, and what is endorsed of them.
    fn trial(
        &self,
        session: &Session<'_>,
        before: &[SignedDocument],
        with: &[SignedDocument],
        collector: &Cosigner,
    ) -> Result<Result<(), Fault>, String> {
        let slips: Vec<SignedDocument> = before.iter().chain(with).cloned().collect();
        let is_there = |slip: &&SignedDocument| before.contains(slip);
        let endorsed: Vec<SignedDocument> =
            self.endorsed.iter().filter(is_there).cloned().collect();
        let tried =
            on_trial(session, &slips, vec![collector.name.clone()], endorsements(&endorsed));
        tried.map(|tried| tried.map(drop)).map_err(|failure| failure.sentence())
    }

    /// Fails where one entry can't hold that much more.
    fn check_room(&self, more: &[SignedDocument]) -> Result<(), String> {
        let all = || self.slips.iter().chain(more);
        let bytes: usize = all().map(|slip| slip.text().len()).sum();
        if all().count() > MAX_SLIPS_COLLECTED || bytes > MAX_BYTES_COLLECTED {
            return Err("there is no room for it in this entry: collect it in the next".to_owned());
        }
        Ok(())
    }
}

/// Why a slip isn't taken in.
enum Unfit {
    /// It is in the log.
    Known,
    /// In words.
    Because(String),
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
