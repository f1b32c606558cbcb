//! `keymuster log`: the signed log, shown, verified, and given to auditors.

mod collect;
mod export;
mod give_way;
mod heads;
mod verdicts;
mod verify;

use clap::{Args, Subcommand};
use serde::Serialize;

pub use export::place_beside;
pub use verdicts::{Counts, InWords, VerdictsView, in_words};
pub use verify::{of_vault, stray_line};

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::output::{Answer, HeadView, count, table};
use super::session::Session;
use super::slip::SlipView;
use crate::log::Head;

/// `keymuster log …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the entries
    List,
    /// Show one entry as it was signed
    Show(Show),
    /// Print the head: three lines for safekeeping elsewhere
    Head(AskedHead),
    /// Remember a head from elsewhere: copies of the vault that don't have it are refused
    Remember(heads::Remember),
    /// Verify every entry and every file that the log names: five verdicts
    Verify(verify::Verify),
    /// Take in slips that people signed elsewhere
    Collect(collect::Collect),
    /// Move one's own last entries aside, where another copy of the vault was first
    Yield(give_way::Yield),
    /// Write a bundle that stock ssh-keygen and sha256sum verify
    Export(export::Export),
}

/// `keymuster log head`
#[derive(Debug, Args)]
pub struct AskedHead {
    /// The head as it was after this entry; the newest if it isn't given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    entry: Option<u64>,
}

/// `keymuster log show`
#[derive(Debug, Args)]
pub struct Show {
    /// The entry's number
    number: u64,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    let session = || Session::open(context);
    match command {
        Command::List => Ok(list(&session()?)),
        Command::Show(show) => show_entry(&session()?, show.number),
        Command::Head(asked) => head(&session()?, asked.entry),
        Command::Remember(remember) => heads::remember(context, &session()?, &remember),
        Command::Verify(verify) => verify::run(context, &verify),
        Command::Collect(collect) => collect::run(context, &collect),
        Command::Yield(asked) => give_way::run(context, &asked),
        Command::Export(export) => export::run(&session()?, &export),
    }
}

#[derive(Serialize)]
struct LogList {
    entries: Vec<EntryLine>,
    head: HeadView,
}

#[derive(Serialize)]
struct EntryLine {
    number: u64,
    time: String,
    signers: Vec<String>,
    /// How many slips it takes in; their events are among these.
    slips: usize,
    events: Vec<&'static str>,
}

fn list(session: &Session<'_>) -> Answer {
    let entries: Vec<EntryLine> = session
        .vault
        .entries()
        .iter()
        .map(|entry| {
            let document = entry.document();
            EntryLine {
                number: document.number,
                time: document.time.to_string(),
                signers: document.signers.iter().map(ToString::to_string).collect(),
                slips: entry.slips().len(),
                events: entry.events().map(crate::record::Event::kind).collect(),
            }
        })
        .collect();
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            vec![
                entry.number.to_string(),
                entry.time.clone(),
                signed_by(entry),
                counted(&entry.events),
            ]
        })
        .collect();
    let human = table(&["entry", "time", "signed by", "events"], &rows);
    let view = LogList { entries, head: (&session.vault.head()).into() };
    Answer::new("log-list", &view, human).exiting(session.exit())
}

/// `alice/primary`, and how many slips it takes in.
fn signed_by(entry: &EntryLine) -> String {
    let slips = match entry.slips {
        0 => String::new(),
        many => format!(", +{}", count(many, "slip", "slips")),
    };
    entry.signers.join(", ") + &slips
}

/// `key-enrolled, identity-sealed`, or the first two and how many more.
fn counted(events: &[&str]) -> String {
    match events {
        [first, second, _, ..] => format!("{first}, {second}, +{}", events.len() - 2),
        few => few.join(", "),
    }
}

#[derive(Serialize)]
struct EntryView {
    number: u64,
    digest: String,
    link: String,
    document: String,
    signers: Vec<String>,
    signatures: Vec<String>,
    slips: Vec<SlipView>,
}

fn show_entry(session: &Session<'_>, number: u64) -> Result<Answer, Failure> {
    let entries = session.vault.entries();
    let entry = number.checked_sub(1).and_then(|index| entries.get(usize::try_from(index).ok()?));
    let Some(entry) = entry else {
        return Err(no_entry(session, number));
    };
    let link = usize::try_from(number).ok().and_then(|n| session.vault.links().get(n));
    let view = EntryView {
        number,
        digest: entry.digest().to_string(),
        link: link.map(ToString::to_string).unwrap_or_default(),
        document: entry.document_text().to_owned(),
        signers: entry.document().signers.iter().map(ToString::to_string).collect(),
        signatures: entry.signatures().into_iter().map(str::to_owned).collect(),
        slips: entry.slips().iter().map(SlipView::of).collect(),
    };
    Ok(Answer::new("log-entry", &view, entry.text().into_owned()).exiting(session.exit()))
}

fn no_entry(session: &Session<'_>, number: u64) -> Failure {
    let entries = session.vault.entries().len();
    Failure::new(exit::USAGE, format!("there is no entry {number}"))
        .hint(format!("the log has {}", count(entries, "entry", "entries")))
}

fn head(session: &Session<'_>, entry: Option<u64>) -> Result<Answer, Failure> {
    let newest = session.vault.head();
    let number = entry.unwrap_or(newest.number);
    let link = usize::try_from(number).ok().and_then(|place| session.vault.links().get(place));
    let link = *link.ok_or_else(|| no_entry(session, number))?;
    let head = Head { number, link, ..newest };
    #[derive(Serialize)]
    struct View {
        vault: String,
        head: HeadView,
    }
    let view = View { vault: head.vault.to_string(), head: (&head).into() };
    let answer = Answer::new("log-head", &view, head.to_string()).exiting(session.exit());
    Ok(answer.giving_out(session.giving_out_at(number)))
}
