//! `keymuster recovery without`: what if some things were lost at once?

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::Serialize;

use super::words::{element, target};
use super::{basis, kind_and_name, named};
use crate::cli::account::About;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count, few, wrapped};
use crate::cli::session::Session;
use crate::record::Handle;
use crate::recovery::{ElementId, Recovery, Target, WayKind};

/// How many accounts are named of each sort.
const MAX_NAMED: usize = 20;

/// `keymuster recovery without`
#[derive(Debug, Args)]
#[command(after_help = "Exit 3 if anything would be out of reach.\n\n\
    Examples:\n  keymuster recovery without bob\n  \
    keymuster recovery without alice/blue \"Safe 2\" @example.com \"+44 20 7946 0000\"\n  \
    keymuster recovery without place:munich person:bob --proven")]
pub struct Without {
    /// What is lost: a person, key, paper copy, token, place, mailbox, mail domain or telephone
    #[arg(required = true, value_name = "WHAT")]
    lost: Vec<String>,
    /// Count only on what was proven, and not longer ago than policy asks for
    #[arg(long)]
    proven: bool,
    #[command(flatten)]
    about: About,
}

#[derive(Serialize)]
struct WithoutView {
    lost: Vec<LostView>,
    proven: bool,
    /// What is out of reach by that.
    out_of_reach: Vec<String>,
    /// What was out of reach before.
    already: Vec<String>,
    accounts: Vec<LeftView>,
}

/// Something that is lost, as JSON.
#[derive(Serialize)]
pub struct LostView {
    kind: &'static str,
    name: String,
}

impl LostView {
    pub fn new(recovery: &Recovery, id: ElementId) -> Self {
        let (kind, name) = kind_and_name(recovery, id);
        Self { kind, name }
    }
}

/// The ways that an account has left.
#[derive(Serialize)]
struct LeftView {
    account: String,
    ways_before: Vec<&'static str>,
    ways_left: Vec<&'static str>,
}

pub fn run(context: &Context, without: &Without) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let recovery = Recovery::of(state, context.now()?);
    let lost = without.lost.iter().map(|given| named::named(&recovery, given));
    let lost: BTreeSet<ElementId> = lost.collect::<Result<_, Failure>>()?;
    let about = without.about.handles(state)?;
    let basis = basis(without.proven);
    let (before, after) =
        (recovery.without(basis, &BTreeSet::new()), recovery.without(basis, &lost));
    let takes = |target: &Target| match (target, &about) {
        (Target::Account(account), Some(about)) => about.contains(account),
        (_, about) => about.is_none(),
    };
    let (mut gone, mut already) = (Vec::new(), Vec::new());
    for (target, node) in recovery.targets().filter(|(target, _)| takes(target)) {
        match (before.of(node), after.of(node)) {
            (false, _) => already.push(target),
            (true, false) => gone.push(target),
            (true, true) => {}
        }
    }
    // What is the vault's isn't lost among many accounts.
    gone.sort_by_key(|target| matches!(target, Target::Account(_)));
    already.sort_by_key(|target| matches!(target, Target::Account(_)));
    let (ways_before, ways_left) =
        (recovery.ways(basis, &BTreeSet::new()), recovery.ways(basis, &lost));
    let mut accounts = Vec::new();
    for handle in recovery.accounts().keys() {
        if !takes(&Target::Account(handle.clone())) {
            continue;
        }
        let word = |ways: &BTreeMap<&Handle, Vec<WayKind>>| {
            let kinds = ways.get(handle).map(Vec::as_slice).unwrap_or_default();
            kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>()
        };
        accounts.push(LeftView {
            account: handle.to_string(),
            ways_before: word(&ways_before),
            ways_left: word(&ways_left),
        });
    }
    let texts = |all: &[Target]| all.iter().map(target).collect::<Vec<String>>();
    let names: Vec<String> = lost.iter().map(|id| element(&recovery, *id)).collect();
    let view = WithoutView {
        lost: lost.iter().map(|id| LostView::new(&recovery, *id)).collect(),
        proven: without.proven,
        out_of_reach: texts(&gone),
        already: texts(&already),
        accounts,
    };
    let human = told(&view, &names);
    let code = if gone.is_empty() { session.exit() } else { exit::NO };
    Ok(Answer::new("recovery-without", &view, human).exiting(code))
}

fn told(view: &WithoutView, names: &[String]) -> String {
    let mut text = wrapped(&format!("Without {}:", crate::cli::words::all_of(names)), "");
    let mut line = |what: &str, all: &[String]| {
        if !all.is_empty() {
            text.push_str(&wrapped(&format!("  {what} {}", few(all, MAX_NAMED)), "    "));
        }
    };
    line("OUT OF REACH:", &view.out_of_reach);
    line("out of reach already:", &view.already);
    let touched = |account: &&LeftView| {
        !account.ways_left.is_empty() && account.ways_left.len() < account.ways_before.len()
    };
    let fewer: Vec<String> = view
        .accounts
        .iter()
        .filter(touched)
        .map(|account| format!("{} ({})", account.account, account.ways_left.join(", ")))
        .collect();
    line("fewer ways, these are left:", &fewer);
    let same = view
        .accounts
        .iter()
        .filter(|account| !account.ways_left.is_empty() && !touched(account))
        .count();
    let on = if view.proven { "proven" } else { "on record" };
    let accounts = count(same, "account has", "accounts have");
    text.push_str(&format!("  {accounts} all ways that are {on} still.\n"));
    text
}
