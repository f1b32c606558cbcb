//! The command line: what can be typed, and all that is said to people.
//!
//! `keymuster OBJECT VERB`, one file an object. Rules of the interface: stdout is the
//! answer, stderr the conversation, `/dev/tty` the questions. The same flag means the same
//! everywhere. Whatever a prompt asks, a flag, a file or a file descriptor can answer; no
//! secret is ever an argument. Errors name the object, the cause and what to do next, and
//! the exit code (`exit`) is documented.
//!
//! What a command decides is decided below; nothing imports this module.
#![expect(
    clippy::disallowed_methods,
    reason = "cli brings the clock, randomness, environment and terminal to the rest"
)]

mod account;
mod action;
mod change;
mod compartment;
mod context;
mod cosigners;
mod custodian;
mod day;
mod demo;
mod device;
mod drill;
mod due;
mod enrolment;
mod epochs;
pub mod exit;
mod failure;
mod given_out;
mod html;
mod key;
mod log;
mod machine;
mod newcomer;
mod output;
mod paper;
mod policy;
mod presence;
mod prompt;
mod proof;
mod qr;
mod reader;
mod reading;
mod recovery;
mod report;
mod runbook;
mod schedule;
mod secret;
mod secret_file;
mod seed;
mod session;
mod signals;
mod signing;
mod slip;
mod status;
mod totp;
mod unlock;
mod vault;
mod words;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::hardening::{keep_memory_private, leaving_no_trace, may_be_swapped};
use context::{Context, Globals};
use failure::Failure;
use given_out::GivenOut;
use output::{Answer, failure_json};

/// Proves that each custodian's security key is the one that was enrolled, and keeps what
/// matters about root accounts in a log that those keys sign and stock tools verify.
#[derive(Debug, Parser)]
#[command(name = "keymuster", version, max_term_width = 100)]
#[command(after_help = "Try it without a key: keymuster demo\n\n\
    Exit codes: 0 yes or done, 1 failed, 2 usage, 3 checked and the answer is no,\n\
    4 a person or a key is needed and absent, 130 interrupted.")]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The vault: make one, look at one
    #[command(subcommand)]
    Vault(vault::Command),
    /// Security keys: what is plugged in, what is enrolled, and whether they are the same
    #[command(subcommand)]
    Key(key::Command),
    /// The people who hold the keys
    #[command(subcommand)]
    Custodian(custodian::Command),
    /// Who may read the log and sign nothing
    #[command(subcommand)]
    Reader(reader::Command),
    /// The accounts whose root users are looked after
    #[command(subcommand)]
    Account(Box<account::Command>),
    /// The rules that the vault has set itself
    #[command(subcommand)]
    Policy(policy::Command),
    /// What may wait
    #[command(subcommand)]
    Waiver(action::WaiverCommand),
    /// What is to be put right
    #[command(subcommand)]
    Action(action::Command),
    /// Who can open which secrets
    #[command(subcommand)]
    Compartment(compartment::Command),
    /// Seeds, passwords and other secrets in custody
    #[command(subcommand)]
    Secret(Box<secret::Command>),
    /// One-time codes: does a seed make the codes that a device shows?
    #[command(subcommand)]
    Totp(Box<totp::Command>),
    /// What people do, step by step, on a screen and on paper
    #[command(subcommand)]
    Runbook(runbook::Command),
    /// Going through a runbook, two people at a time
    #[command(subcommand)]
    Drill(Box<drill::Command>),
    /// What is due, what is overdue, and what became of all that ever was
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// The ways into each account, and what a loss would do to them
    #[command(subcommand)]
    Recovery(recovery::Command),
    /// Could we get into root tonight? And what is to be done? Exit 3 if locked out or overdue
    Status(status::Status),
    /// The signed log
    #[command(subcommand)]
    Log(log::Command),
    /// What people sign who aren't where the vault is
    #[command(subcommand)]
    Slip(slip::Command),
    /// Write a report for auditors: a page, two tables, and JSON
    Report(report::Report),
    /// See the main job done with software keys, in a new folder
    Demo(demo::Demo),
}

/// Runs the program on its arguments, and says how it went.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, anything else is a wrong command line.
            let printed = error.print();
            if error.use_stderr() && is_for_monitoring(&arguments) {
                let failure = Failure::new(exit::USAGE, "the command line is wrong");
                return schedule::tell_unknown(failure, false);
            }
            if error.use_stderr() {
                if arguments.iter().any(|argument| argument == "--json") {
                    let text = error.to_string();
                    let first = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
                    let message = first.collect::<Vec<_>>().join(" ");
                    let message = message.strip_prefix("error: ").unwrap_or(&message);
                    let failure = Failure::new(exit::USAGE, message);
                    let _ = anstream::stdout().write_all(failure_json(&failure).as_bytes());
                }
                return ExitCode::from(exit::USAGE);
            }
            return ended(delivered(printed, None).map(|()| exit::DONE), false);
        }
    };
    let json = cli.globals.json;
    let monitoring = match &cli.command {
        Command::Schedule(command) => command.check().map(|check| json || check.is_json()),
        _ => None,
    };
    let private = keep_memory_private().map_err(|error| {
        Failure::because(exit::FAILED, "couldn't keep this process's memory private", &error)
    });
    let ran = leaving_no_trace(|| {
        private.and_then(|()| Context::new(cli.globals)).and_then(|context| {
            let answer = run(&context, cli.command);
            context.only_tells(answer.as_ref().ok().and_then(|answer| answer.recorded));
            answer
        })
    });
    if may_be_swapped() {
        let _ = writeln!(
            anstream::stderr(),
            "This machine may swap secrets to disk: raise the limit of locked memory (ulimit -l)."
        );
    }
    let ran = ran
        .and_then(|answer| delivered(print(&answer, json), answer.recorded).map(|()| answer))
        .map(|answer| {
            if let Some(unnoted) = answer.gives_out.as_ref().and_then(GivenOut::note) {
                let _ = writeln!(anstream::stderr(), "{unnoted}");
            }
            answer.exit
        });
    match (ran, monitoring) {
        (Err(failure), Some(json)) => {
            tell(&failure, false);
            schedule::tell_unknown(failure, json)
        }
        (ran, _) => ended(ran, json),
    }
}

/// Whether a command line that is wrong is for a monitoring system, as far as it can be read.
fn is_for_monitoring(arguments: &[OsString]) -> bool {
    let read = Cli::command().ignore_errors(true).try_get_matches_from(arguments);
    let command = read.ok().and_then(|read| {
        let (name, command) = read.subcommand()?;
        Some((name.to_owned(), command.subcommand_name()?.to_owned()))
    });
    command
        .is_some_and(|(name, command)| (name.as_str(), command.as_str()) == ("schedule", "check"))
}

fn ended(ran: Result<u8, Failure>, json: bool) -> ExitCode {
    let code = ran.unwrap_or_else(|failure| {
        tell(&failure, json);
        failure.exit
    });
    ExitCode::from(code)
}

/// Fails if an answer didn't reach its reader. The entry that was recorded stands, and that
/// is said.
fn delivered(printed: io::Result<()>, recorded: Option<u64>) -> Result<(), Failure> {
    printed.map_err(|error| {
        let gone = error.kind() == io::ErrorKind::BrokenPipe;
        if gone && recorded.is_none() {
            return Failure::new(exit::BROKEN_PIPE, "");
        }
        let stands = recorded.map(|entry| format!("; entry {entry} is recorded"));
        let message = format!("couldn't write the answer{}", stands.unwrap_or_default());
        let code = if gone { exit::BROKEN_PIPE } else { exit::FAILED };
        Failure::because(code, message, &error)
    })
}

fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Vault(command) => vault::run(context, command),
        Command::Key(command) => key::run(context, command),
        Command::Custodian(command) => custodian::run(context, command),
        Command::Reader(command) => reader::run(context, command),
        Command::Account(command) => account::run(context, *command),
        Command::Policy(command) => policy::run(context, command),
        Command::Waiver(command) => action::run_waiver(context, command),
        Command::Action(command) => action::run(context, command),
        Command::Compartment(command) => compartment::run(context, command),
        Command::Secret(command) => secret::run(context, *command),
        Command::Totp(command) => totp::run(context, *command),
        Command::Runbook(command) => runbook::run(context, command),
        Command::Drill(command) => drill::run(context, *command),
        Command::Schedule(command) => schedule::run(context, command),
        Command::Recovery(command) => recovery::run(context, command),
        Command::Status(status) => status::run(context, &status),
        Command::Log(command) => log::run(context, command),
        Command::Slip(command) => slip::run(context, command),
        Command::Report(report) => report::run(context, &report),
        Command::Demo(demo) => demo::run(context, demo, perform),
    }
}

/// Runs another command line in the same world, for the demo, whose people go through its drill.
fn perform(
    context: &Context,
    arguments: Vec<OsString>,
    people: &dyn drill::People,
) -> Result<Answer, Failure> {
    let cli = Cli::try_parse_from(arguments).map_err(|error| {
        Failure::because(exit::FAILED, "a step of the demo is no command, which is a bug", &error)
    })?;
    let context = context.with_globals(cli.globals);
    match cli.command {
        Command::Drill(command) => match *command {
            drill::Command::Start(start) => drill::start_with(&context, &start, people),
            other => drill::run(&context, other),
        },
        command => run(&context, command),
    }
}

fn print(answer: &Answer, json: bool) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let text = if json { answer.json() } else { answer.human().to_owned() };
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Tells a failure, to people and to programs. One who has gone, of an answer that changed
/// nothing, isn't told anything.
fn tell(failure: &Failure, json: bool) {
    if failure.message.is_empty() {
        return;
    }
    let _ = writeln!(anstream::stderr(), "{failure}");
    if json {
        let _ = anstream::stdout().write_all(failure_json(failure).as_bytes());
    }
}
