//! `keymuster drill show`: all that happened in a drill, out of the log.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::known;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::words::in_words;
use crate::log::Entry;
use crate::record::{Event, Handle};
use crate::text::sanitise;
use crate::vault::export_file;

/// `keymuster drill show`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster drill show quarterly-1\n  \
    keymuster drill show quarterly-1 --evidence page.png --output page.png")]
pub struct Show {
    /// Which
    drill: Handle,
    /// Write a file that was kept in it, by its name or its SHA-256
    #[arg(long, value_name = "NAME", requires = "output")]
    evidence: Option<String>,
    /// The new file to write it to
    #[arg(long, value_name = "FILE", requires = "evidence")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct ShowView {
    drill: String,
    /// The entries that tell of it, each with its events.
    entries: Vec<EntryView>,
    open: bool,
    awaits_review: bool,
}

#[derive(Serialize)]
struct EntryView {
    entry: u64,
    time: String,
    signers: Vec<String>,
    events: Vec<serde_json::Value>,
}

pub fn run(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let run = known(session.state(), &show.drill)?;
    if let (Some(name), Some(output)) = (&show.evidence, &show.output) {
        return write_evidence(&session, show, name, output);
    }
    let ended = run.end.as_ref().map(|(at, _)| at.entry);
    let reviewed = run.review.as_ref().map(|(at, _)| at.entry);
    let numbers = [Some(run.started.entry), ended, reviewed];
    let (mut words, mut entries) = (String::new(), Vec::new());
    for number in numbers.into_iter().flatten() {
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let entry = place.and_then(|place| session.vault.entries().get(place));
        let Some(entry) = entry else { continue };
        let document = entry.document();
        let signers: Vec<String> = document.signers.iter().map(ToString::to_string).collect();
        words.push_str(&format!(
            "Entry {number}, {}, signed by {}:\n",
            document.time,
            signers.join(" and ")
        ));
        let mut events = Vec::new();
        let tells = |event: &&Event| tells_of(event, &show.drill, ended == Some(number));
        for event in entry.events().filter(tells) {
            words.push_str(&format!("  {}\n", in_words(event)));
            events.push(serde_json::to_value(event).unwrap_or_default());
        }
        let time = document.time.to_string();
        entries.push(EntryView { entry: number, time, signers, events });
    }
    if run.is_open() {
        words.push_str(&format!("It is UNDER WAY: keymuster drill resume {}\n", show.drill));
    } else if run.awaits_review() {
        words.push_str(&format!("It AWAITS REVIEW: keymuster drill review {}\n", show.drill));
    }
    let view = ShowView {
        drill: show.drill.to_string(),
        entries,
        open: run.is_open(),
        awaits_review: run.awaits_review(),
    };
    Ok(Answer::new("drill", &view, words).exiting(session.exit()))
}

/// Whether an event of an entry tells of a drill. What its steps proved stands in the entry that
/// ends it, with nothing else.
fn tells_of(event: &Event, drill: &Handle, ends: bool) -> bool {
    match event {
        Event::DrillStarted(event) => event.drill == *drill,
        Event::DrillReviewed(event) => event.drill == *drill,
        _ => ends,
    }
}

fn write_evidence(
    session: &Session<'_>,
    show: &Show,
    name: &str,
    output: &std::path::Path,
) -> Result<Answer, Failure> {
    let events = session.vault.entries().iter().flat_map(Entry::events);
    let kept: Vec<_> = events
        .filter_map(|event| match event {
            Event::EvidenceKept(kept) if kept.drill == show.drill => Some(kept),
            _ => None,
        })
        .filter(|kept| kept.name.as_str() == name || kept.sha256.to_string() == name)
        .collect();
    let kept = match kept.as_slice() {
        [only] => only,
        [] => {
            let message = format!("nothing of that name was kept in {}", show.drill);
            return Err(Failure::new(exit::USAGE, message)
                .hint(format!("keymuster drill show {} tells what was", show.drill)));
        }
        _ => {
            return Err(Failure::new(exit::USAGE, "several files of that name were kept")
                .hint("name the one that is meant by its SHA-256"));
        }
    };
    let content = session.vault.open_attachment(&kept.file, &kept.sha256)?;
    export_file(output, &content)?;
    let shown = sanitise(&output.to_string_lossy(), 200);
    let view = serde_json::json!({ "file": shown, "sha256": kept.sha256.to_string() });
    let words = format!("{shown} was written, SHA-256 {}.\n", kept.sha256);
    Ok(Answer::new("evidence", &view, words).exiting(session.exit()))
}
