//! `keymuster report`: what an auditor reads. A page that stands for itself, two tables, and JSON.
//!
//! It is gathered once, into [`view::ReportView`], and the page, the tables and the JSON are made of
//! that: so they say the same.

mod at;
mod controls;
mod happened;
mod html;
mod picture;
mod record;
mod tables;
#[cfg(test)]
mod tests;
mod view;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::day::Day;
use super::exit;
use super::failure::Failure;
use super::log::place_beside;
use super::output::Answer;
use super::session::Session;
use crate::schedule::day_of;
use crate::text::sanitise;
use crate::vault::{Bundle, StoreError};
use view::ReportView;

/// `keymuster report`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster report report\n  \
    keymuster report report-2026 --from 2026-01-01 --to 2026-12-31 --heads auditor.head\n\n\
    Of a period, coverage is NO if anything that was due in it was missed; of the whole log, if \
    anything is overdue today.")]
pub struct Report {
    /// A new folder for index.html, population.csv, findings.csv and report.json, all in the clear
    dir: PathBuf,
    /// What was due on this day or later
    #[arg(long, value_name = "DATE")]
    from: Option<Day>,
    /// What was due on this day or earlier
    #[arg(long, value_name = "DATE")]
    to: Option<Day>,
    /// A file with heads that somebody kept elsewhere, three lines each; may be repeated
    #[arg(long = "heads", value_name = "FILE")]
    heads: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Reported {
    folder: String,
    files: [&'static str; 4],
}

/// What is written.
const FILES: [&str; 4] = ["index.html", "population.csv", "findings.csv", "report.json"];

pub fn run(context: &Context, asked: &Report) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let period = period(asked, day_of(context.now()?))?;
    let target = place_beside(session.vault.location().layout.root(), &asked.dir)?;
    let bundle = match Bundle::begin(&target, &[]) {
        // As it was given, it is easier to know again.
        Err(StoreError::Taken(_)) => return Err(StoreError::Taken(asked.dir.clone()).into()),
        other => other?,
    };
    let (view, is_lacking) = ReportView::of(&session, &asked.heads, period.as_ref())?;
    let [page, population, findings, json] = FILES;
    bundle.write(page, html::page(&view).as_bytes())?;
    bundle.write(population, &tables::population(&view)?)?;
    bundle.write(findings, &tables::findings(&view)?)?;
    let answer = Answer::new("report", &view, String::new());
    bundle.write(json, answer.json().as_bytes())?;
    bundle.finish()?;
    let folder = sanitise(&asked.dir.to_string_lossy(), 200);
    let mut human = format!("Written to {folder}, in the clear: {}.\n\n", FILES.join(", "));
    for verdict in &view.verdicts_in_words {
        human.push_str(&format!("{:<13}{}\n", verdict.name, verdict.word));
    }
    let reported = Reported { folder: asked.dir.to_string_lossy().into_owned(), files: FILES };
    let code = if is_lacking { exit::NO } else { session.exit() };
    Ok(Answer::new("reported", &reported, human).exiting(code))
}

/// The days that were asked for, up to today where no last one was.
fn period(asked: &Report, today: NaiveDate) -> Result<Option<RangeInclusive<NaiveDate>>, Failure> {
    if asked.from.is_none() && asked.to.is_none() {
        return Ok(None);
    }
    let from = asked.from.map_or(NaiveDate::MIN, |Day(from)| day_of(from));
    let to = asked.to.map_or(today, |Day(to)| day_of(to));
    if from > to {
        let message = format!("{from} is after {to}, so that nothing was due between them");
        return Err(Failure::new(exit::USAGE, message).hint("give the earlier day to --from"));
    }
    Ok(Some(from..=to))
}
