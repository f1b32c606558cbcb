//! `keymuster recovery losses`: what one loss, or two, would put out of reach.

use clap::Args;
use serde::Serialize;

use super::basis;
use super::without::LostView;
use super::words::{circle, element, target};
use crate::cli::account::About;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count, few, wrapped};
use crate::cli::session::Session;
use crate::record::Handle;
use crate::recovery::{ElementId, Loss, Recovery, Target};

/// How many losses are told to people, unless they ask for all.
const MAX_TOLD: usize = 30;
/// How many things are named of each loss.
const MAX_NAMED: usize = 5;

/// `keymuster recovery losses`
#[derive(Debug, Args)]
#[command(
    after_help = "A loss is told where no part of it does the same. Exit 3 if one thing alone \
    leaves no way into an account, or there is none as it is.\n\n\
    Examples:\n  keymuster recovery losses --pairs --account prod\n  \
    keymuster recovery losses --proven"
)]
pub struct ListLosses {
    /// Losses of two things, too
    #[arg(long)]
    pairs: bool,
    /// Count only on what was proven, and not longer ago than policy asks for
    #[arg(long)]
    proven: bool,
    /// All of them, not only those that do most
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    about: About,
}

#[derive(Serialize)]
struct LossesView {
    proven: bool,
    pairs: bool,
    /// How many things were taken away, one after the other.
    elements: usize,
    /// What is out of reach as it is.
    out_of_reach: Vec<String>,
    losses: Vec<LossView>,
    circles: Vec<Vec<String>>,
}

#[derive(Serialize)]
struct LossView {
    lost: Vec<LostView>,
    out_of_reach: Vec<String>,
}

/// What is lost: people first, then keys, and so on.
fn in_order(recovery: &Recovery, loss: Loss) -> Vec<ElementId> {
    let mut lost = loss.elements();
    lost.sort_by_key(|id| recovery.elements().get(*id));
    lost
}

pub fn run(context: &Context, list: &ListLosses) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let recovery = Recovery::of(state, context.now()?);
    let about = list.about.handles(state)?;
    let takes = |target: &Target| match (target, &about) {
        (Target::Account(account), Some(about)) => about.contains(account),
        (_, about) => about.is_none(),
    };
    let mut losses = recovery.losses(basis(list.proven), list.pairs, takes);
    // What is the vault's isn't lost among many accounts.
    losses.gone.sort_by_key(|target| matches!(target, Target::Account(_)));
    let mut by: Vec<(Loss, Vec<Target>)> = losses.by.into_iter().collect();
    // What does most first; of those, what is one thing.
    by.sort_by_cached_key(|(loss, targets)| {
        let accounts = targets.iter().filter(|t| matches!(t, Target::Account(_))).count();
        let lost = in_order(&recovery, *loss);
        let lost: Vec<_> = lost.iter().map(|id| recovery.elements().get(*id)).collect();
        (std::cmp::Reverse((accounts, targets.len())), lost.len(), lost)
    });
    let texts = |all: &[Target]| all.iter().map(target).collect::<Vec<String>>();
    let is_asked =
        |circle: &&[Handle]| circle.iter().any(|account| takes(&Target::Account(account.clone())));
    let circles: Vec<&[Handle]> = recovery.circles().filter(is_asked).collect();
    let view = LossesView {
        proven: list.proven,
        pairs: list.pairs,
        elements: recovery.elements().len(),
        out_of_reach: texts(&losses.gone),
        losses: by
            .iter()
            .map(|(loss, targets)| LossView {
                lost: in_order(&recovery, *loss)
                    .into_iter()
                    .map(|id| LostView::new(&recovery, id))
                    .collect(),
                out_of_reach: texts(targets),
            })
            .collect(),
        circles: circles.iter().map(|c| c.iter().map(ToString::to_string).collect()).collect(),
    };
    let mut human = String::new();
    if !view.out_of_reach.is_empty() {
        let which = few(&view.out_of_reach, MAX_NAMED);
        human.push_str(&wrapped(&format!("OUT OF REACH as it is: {which}"), "  "));
    }
    let most = if list.all { usize::MAX } else { MAX_TOLD };
    for ((loss, _), told) in by.iter().zip(&view.losses).take(most) {
        let lost = in_order(&recovery, *loss);
        let lost: Vec<String> = lost.into_iter().map(|id| element(&recovery, id)).collect();
        let which = few(&told.out_of_reach, MAX_NAMED);
        human.push_str(&wrapped(&format!("{}: {which}", lost.join(" + ")), "    "));
    }
    let more = by.len().saturating_sub(most);
    if more > 0 {
        human.push_str(&format!("and {more} more, which do less or as much: --all tells them\n"));
    }
    for circle in circles.iter().filter_map(|circled| circle(circled)) {
        human.push_str(&wrapped(&format!("circle: {circle}"), "  "));
    }
    let ones = by.iter().filter(|(loss, _)| matches!(loss, Loss::One(_))).count();
    let all = count(view.elements, "thing", "things");
    let else_ = if view.out_of_reach.is_empty() { "" } else { " else" };
    let on = if list.proven { "what was proven" } else { "what is on record" };
    human.push_str(&wrapped(
        &match ones {
            0 => format!("No loss of one of {all} leaves anything{else_} out of reach, by {on}."),
            1 => format!("One of {all} leaves something out of reach, lost alone, by {on}."),
            ones => {
                format!("{ones} of {all} leave something out of reach, each lost alone, by {on}.")
            }
        },
        "",
    ));
    if list.pairs {
        let twos = by.len() - ones;
        let does = if twos == 1 { "does" } else { "do" };
        human.push_str(&format!("{} of two {does}.\n", count(twos, "loss", "losses")));
    }
    let is_account = |target: &Target| matches!(target, Target::Account(_));
    let one_does = by
        .iter()
        .any(|(loss, targets)| matches!(loss, Loss::One(_)) && targets.iter().any(is_account));
    let is_bad = one_does || losses.gone.iter().any(is_account);
    let code = if is_bad { exit::NO } else { session.exit() };
    Ok(Answer::new("recovery-losses", &view, human).exiting(code))
}
