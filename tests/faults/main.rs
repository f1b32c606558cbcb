//! Nothing is lost: each command of the binary is run once for each system call that changes
//! files, and killed there, or failed there with ENOSPC, EIO or EINTR. The binary has no hooks
//! for it: strace strikes.
//!
//! - [`lines`]: the command lines, each command at least once;
//! - [`trace`]: the calls of a run, and the same run with one of them struck;
//! - [`world`]: the vault that a run works on;
//! - [`judge`]: what must hold afterwards.
//!
//! A command that takes long is struck at some of its points only, chosen by their place, and
//! the table at the end says so. With KEYMUSTER_TEST_LONG set it is struck ten times as often, and
//! with KEYMUSTER_TEST_LONG=all, which takes hours, at all points with every fault. What others of
//! the table do, too, is then struck at ten times as many points, each once: a demo runs their
//! commands, and whatever several people sign is appended in the same way.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a harness runs programs and fails by panicking; the rules of the project are not for it"
)]

#[expect(dead_code, reason = "what tests of answers need, faults don't")]
#[path = "../support/demo_vault.rs"]
mod demo_vault;
mod judge;
mod lines;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../support/pseudo_terminal.rs"]
mod pseudo_terminal;
mod trace;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};

use judge::{Scenery, Stands, Struck};
use lines::{LINES, Line};
use trace::{Fault, Point, Scene, record, strike};
use world::World;

/// The most that is told of one command line's failures.
const MAX_TOLD: usize = 8;

/// How a command line fared.
#[derive(Default)]
struct Row {
    points: usize,
    struck: BTreeSet<usize>,
    runs: BTreeMap<Fault, usize>,
    as_before: usize,
    between: usize,
    as_after: usize,
}

/// The rows of those that ran, by their place in the table.
type Table = Arc<Mutex<BTreeMap<usize, Row>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let table = Table::default();
    let mut trials: Vec<Trial> = LINES
        .iter()
        .enumerate()
        .map(|(place, line)| {
            let table = Arc::clone(&table);
            Trial::test(line.name(), move || try_faults(place, line, &table))
        })
        .collect();
    trials.push(trial("every command has a line", lines::every_command_is_here));
    trials.push(trial("each canary is found where it is planted", canaries_are_found));
    trials.push(trial("a killed or failed call hasn't happened", struck_calls_never_happen));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Ok(table) = table.lock() {
        print_table(&table);
    }
    conclusion.exit_code()
}

fn trial(name: &str, holds: fn() -> Result<(), String>) -> Trial {
    Trial::test(name, move || holds().map_err(Failed::from))
}

fn try_faults(place: usize, line: &Line, table: &Table) -> Result<(), Failed> {
    let (world, arguments) = set_up(line);
    let scene = Scene { folder: world.folder(), aside: world.aside(), arguments: &arguments };
    let (ran, points) = record(&scene)?;
    if ran.exit != 0 {
        return Err(format!("it fails where nothing strikes it: {ran:?}").into());
    }
    let unharmed = Scenery::of(&world);
    let long = std::env::var("KEYMUSTER_TEST_LONG").ok();
    let budget = match (long.as_deref(), line.of_others) {
        (None, _) => line.budget.div_ceil(2),
        (Some("all"), false) => usize::MAX,
        (Some("all"), true) => points.len().min(line.budget.saturating_mul(10)),
        (Some(_), _) => line.budget.saturating_mul(5),
    };
    let mut row = Row { points: points.len(), ..Row::default() };
    let mut failures = Vec::new();
    for (index, fault) in chosen(&points, budget) {
        let Some(point) = points.get(index) else { continue };
        row.struck.insert(index);
        *row.runs.entry(fault).or_default() += 1;
        match try_one(line, point, fault, &unharmed) {
            Ok(Stands::AsBefore) => row.as_before += 1,
            Ok(Stands::Between(_)) => row.between += 1,
            Ok(Stands::AsAfter) => row.as_after += 1,
            Err(reason) => failures.push(format!("{} at {point}: {reason}", fault.name())),
        }
    }
    if let Ok(mut table) = table.lock() {
        table.insert(place, row);
    }
    if failures.is_empty() {
        return Ok(());
    }
    let told: Vec<&str> = failures.iter().take(MAX_TOLD).map(String::as_str).collect();
    Err(format!("{} faults did harm, such as\n{}", failures.len(), told.join("\n")).into())
}

fn set_up(line: &Line) -> (World, Vec<String>) {
    let world = (line.world)();
    (line.prepare)(&world);
    let arguments = line.arguments(&world);
    (world, arguments)
}

fn try_one(line: &Line, point: &Point, fault: Fault, unharmed: &Scenery) -> Result<Stands, String> {
    let (world, arguments) = set_up(line);
    let before = Scenery::of(&world);
    let scene = Scene { folder: world.folder(), aside: world.aside(), arguments: &arguments };
    let ran = strike(&scene, point, fault)?;
    Struck { world: &world, line, point, fault, ran: &ran, before: &before, unharmed }.judge()
}

/// Which faults are tried at which points: all, or as many as may be. Calls not met before come
/// first; then each point in turn, with the next kind of fault each time.
fn chosen(points: &[Point], budget: usize) -> Vec<(usize, Fault)> {
    let mut met = BTreeSet::new();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for round in 0..Fault::ALL.len() {
        for (index, point) in points.iter().enumerate() {
            let Some(fault) = Fault::ALL.get((index + round) % Fault::ALL.len()) else { continue };
            let is_new = met.insert(&point.call);
            if is_new { &mut first } else { &mut rest }.push((index, *fault));
        }
    }
    let room = budget.saturating_sub(first.len()).min(rest.len());
    // Rounds that fit as they are; of less than one round, evenly spaced points.
    let round = points.len().saturating_sub(first.len()).clamp(1, rest.len().max(1));
    let spaced = (0..room)
        .filter_map(|n| if room < round { rest.get(n * round / room) } else { rest.get(n) });
    first.extend(spaced);
    first
}

fn print_table(table: &BTreeMap<usize, Row>) {
    println!("What was struck, and how the vault was found (n of m: some points only)\n");
    println!(
        "{:<28} {:>11} {:>5} {:>7} {:>5} {:>6} {:>9} {:>8} {:>9}",
        "command", "points", "KILL", "ENOSPC", "EIO", "EINTR", "as before", "between", "as after"
    );
    for (place, row) in table {
        let name = LINES.get(*place).map(Line::name).unwrap_or_default();
        let runs = |fault| row.runs.get(&fault).copied().unwrap_or_default();
        println!(
            "{name:<28} {:>11} {:>5} {:>7} {:>5} {:>6} {:>9} {:>8} {:>9}",
            format!("{} of {}", row.struck.len(), row.points),
            runs(Fault::Kill),
            runs(Fault::NoSpace),
            runs(Fault::Broken),
            runs(Fault::Interrupted),
            row.as_before,
            row.between,
            row.as_after,
        );
    }
    println!();
}

/// The search for plaintext finds what it looks for, and in every kind of file.
fn canaries_are_found() -> Result<(), String> {
    let world = World::new();
    if let Some(found) = world.plaintext(&["demo/demo-keys"]) {
        return Err(format!("a demo vault that nothing struck: {found}"));
    }
    let canaries = world.canaries();
    if canaries.len() < 6 {
        return Err(format!("canaries are missing: {canaries:?}"));
    }
    for canary in canaries {
        for place in ["demo/vault/log/000004.age", "demo/vault/.keymuster-1-x", "state/x"] {
            let path = world.folder().join(place);
            let before = fs::read(&path).ok();
            let planted =
                [before.as_deref().unwrap_or_default(), canary.as_bytes(), b"\n"].concat();
            fs::write(&path, planted).map_err(|error| error.to_string())?;
            if world.plaintext(&["demo/demo-keys"]) != Some(format!("{place} holds {canary:?}")) {
                return Err(format!("{canary:?} isn't found in {place}"));
            }
            match before {
                Some(bytes) => fs::write(&path, bytes),
                None => fs::remove_file(&path),
            }
            .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Strace strikes on entering a call: the rename that commits an entry, killed or failed,
/// leaves no entry. And a fault that meets no call is a failure.
fn struck_calls_never_happen() -> Result<(), String> {
    let is_check = |line: &&Line| line.command == "key check" && line.how == "by a reader";
    let line = LINES.iter().find(is_check).ok_or("key check is no line")?;
    let (world, arguments) = set_up(line);
    let scene = Scene { folder: world.folder(), aside: world.aside(), arguments: &arguments };
    let (_, points) = record(&scene)?;
    let commit = points.iter().find(|point| point.call == "renameat2").ok_or("no commit")?;
    for fault in Fault::ALL {
        let (world, arguments) = set_up(line);
        let scene = Scene { folder: world.folder(), aside: world.aside(), arguments: &arguments };
        strike(&scene, commit, fault)?;
        if world.folder().join("demo/vault/log/000005.age").exists() {
            return Err(format!("{} came after the call", fault.name()));
        }
        let beyond = Point { when: 1000, ..commit.clone() };
        if strike(&scene, &beyond, fault).is_ok() {
            return Err(format!("{} met no call, and nobody noticed", fault.name()));
        }
    }
    Ok(())
}
