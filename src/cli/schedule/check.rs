//! `keymuster schedule check`: one line for a monitoring system, as its plugins print it. Every
//! failure is `UNKNOWN`, exit 3: nothing else says that it couldn't be told how things stand.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Stands, Wanted, opened};
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, failure_json};
use crate::cli::session::{Session, locate};
use crate::schedule::Phase;

/// What monitoring systems take the exit codes of plugins for.
const OK: u8 = 0;
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;
const UNKNOWN: u8 = 3;
/// How many obligations are named of each state.
const MAX_NAMED: usize = 3;

/// `keymuster schedule check`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes, as monitoring plugins have them: 0 all is well, 1 something is due \
    or late, 2 something is overdue or the log is faulty, 3 couldn't tell.\n\n\
    Example:\n  keymuster schedule check --identity /etc/keymuster/monitoring.identity"
)]
pub struct Check {
    /// How it is told
    #[arg(long, value_enum, default_value = "monitoring")]
    format: Format,
    #[command(flatten)]
    wanted: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line of text and performance data
    Monitoring,
    /// One JSON object
    Json,
}

#[derive(Serialize)]
struct CheckView {
    status: &'static str,
    sound: bool,
    overdue: Vec<String>,
    late: Vec<String>,
    due: Vec<String>,
    waived: Vec<String>,
    later: usize,
}

pub fn run(context: &Context, check: &Check) -> Result<Answer, Failure> {
    // Nobody is there who would touch a key.
    locate(context)?;
    let session = Session::open_without_key(context)?.ok_or_else(|| {
        Failure::new(exit::ABSENT, "no reader's identity opens this vault here")
            .hint("name the file that holds one: --identity FILE")
    })?;
    let history = opened(&session, None)?;
    let all = check.wanted.among(&history)?;
    let of = |fits: &dyn Fn(Phase) -> bool| -> Vec<String> {
        let fitting = all.iter().filter(|stands| fits(stands.standing.phase));
        fitting.map(|Stands { obligation, .. }| obligation.to_string()).collect()
    };
    let sound = session.exit() == exit::DONE;
    let view = CheckView {
        status: "",
        sound,
        overdue: of(&|phase| phase == Phase::Overdue),
        late: of(&|phase| phase == Phase::Late),
        due: of(&|phase| phase == Phase::Due),
        waived: of(&|phase| matches!(phase, Phase::Waived(_))),
        later: of(&|phase| phase == Phase::Later).len(),
    };
    let code = match () {
        () if !sound || !view.overdue.is_empty() => CRITICAL,
        () if !view.late.is_empty() || !view.due.is_empty() => WARNING,
        () => OK,
    };
    let view = CheckView { status: word(code), ..view };
    let answer = Answer::new("schedule-check", &view, line(&view));
    let answer = match check.format {
        Format::Monitoring => answer,
        Format::Json => Answer::new("schedule-check", &view, answer.json()),
    };
    Ok(answer.exiting(code))
}

fn word(code: u8) -> &'static str {
    match code {
        OK => "OK",
        WARNING => "WARNING",
        CRITICAL => "CRITICAL",
        _ => "UNKNOWN",
    }
}

/// `KEYMUSTER WARNING - 1 due (key-check bob/blue) | overdue=0;;0;0 …`
fn line(view: &CheckView) -> String {
    let CheckView { status, sound, overdue, late, due, waived, later } = view;
    let few = |word: &str, all: &[String]| {
        let named = all.get(..MAX_NAMED).unwrap_or(all).join(", ");
        let more = match all.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!all.is_empty()).then(|| format!("{} {word} ({named}{more})", all.len()))
    };
    let broken = (!sound).then(|| "the log is faulty: keymuster log verify tells".to_owned());
    let told = [few("overdue", overdue), few("late", late), few("due", due)];
    let told: Vec<String> = broken.into_iter().chain(told.into_iter().flatten()).collect();
    let told = if told.is_empty() { "nothing is due".to_owned() } else { told.join(", ") };
    format!(
        "KEYMUSTER {status} - {told} | overdue={};;0;0 late={};0;;0 due={};0;;0 waived={};;;0 \
         later={later};;;0\n",
        overdue.len(),
        late.len(),
        due.len(),
        waived.len(),
    )
}

/// Tells a monitoring system of a failure, for it reads nothing but standard output.
pub fn tell_unknown(failure: Failure, json: bool) -> ExitCode {
    let failure = Failure { exit: UNKNOWN, ..failure };
    let told = if json {
        failure_json(&failure)
    } else {
        let hint = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        let message = format!("{}{hint}", failure.message).replace(['|', '\n'], "/");
        format!("KEYMUSTER {} - {message}\n", word(UNKNOWN))
    };
    // Where nobody reads it, the exit code tells.
    let _ = anstream::stdout().write_all(told.as_bytes());
    ExitCode::from(UNKNOWN)
}

impl Check {
    /// Whether it is told as JSON.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }
}
