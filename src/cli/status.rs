//! `keymuster status`: could we get into root tonight, and what is to be done about it?

mod screen;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::output::Answer;
use super::recovery::{circle, element, target};
use super::schedule::{Stands, history, how, standings, title};
use super::session::Session;
use crate::record::{Line, Realm, State, Time};
use crate::recovery::{Basis, Cuts, NodeId, Recovery, Shown, Solution, Target, WayKind};
use crate::schedule::{Obligation, Phase};

/// `keymuster status`
#[derive(Debug, Args)]
#[command(
    after_help = "An account counts as yes if a way into its root user was proven, and not longer \
    ago than policy asks for. Exit 3 if there is no way into an account, something is overdue, or the \
    log is faulty."
)]
pub struct Status {
    /// All accounts, and all that is due
    #[arg(long)]
    all: bool,
}

/// The page, as JSON.
#[derive(Debug, Serialize)]
struct StatusView {
    vault: Option<String>,
    demo: bool,
    on: NaiveDate,
    entry: u64,
    sound: bool,
    /// How many accounts have a way in that was proven.
    proven: usize,
    /// How many have ways on paper only.
    on_paper: usize,
    /// How many have no way in.
    locked_out: usize,
    /// How many have no root credentials, so that their organisation gets in.
    central: usize,
    /// Those that are worst off first.
    accounts: Vec<AccountView>,
    /// Whether enough custodians can sign.
    signing: Withstands,
    /// What is in custody that is out of reach, or would be by one loss.
    custody: Vec<Withstands>,
    circles: Vec<String>,
    keys: KeysView,
    signers: usize,
    /// The last head that was given out from this machine, by its number.
    head_given_out: Option<u64>,
    overdue: Vec<DueView>,
    late: Vec<DueView>,
    due: Vec<DueView>,
    /// What is to be done next that isn't due yet.
    next: Option<DueView>,
    /// The next drill, if that isn't it.
    next_drill: Option<DueView>,
}

/// How an account would stand a loss, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There is no way in.
    LockedOut,
    /// One loss leaves none.
    OneLoss,
    /// It would, by ways none of which was proven.
    OnPaper,
    /// It would; by what was proven alone, one loss leaves nothing.
    SurvivesOnPaper,
    /// It would.
    Survives,
}

/// How one gets into an account.
#[derive(Debug, Serialize)]
pub struct AccountView {
    pub account: String,
    pub ways: usize,
    pub ways_proven: usize,
    pub last_proven: Option<NaiveDate>,
    pub verdict: Verdict,
    /// Each of which, lost alone, leaves no way in.
    pub lost_with: Vec<String>,
}

impl Verdict {
    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::LockedOut => "no way in as it is",
            Self::OneLoss => "would lock out",
            Self::OnPaper => "survived, on paper only",
            Self::SurvivesOnPaper => "survived; by what was proven, not",
            Self::Survives => "survived",
        }
    }
}

/// How something stands losses.
#[derive(Debug, Default, Serialize)]
struct Withstands {
    /// What it is.
    what: String,
    /// Whether it is out of reach without any loss.
    out_of_reach: bool,
    /// Each of which, lost alone, puts it out of reach.
    lost_with: Vec<String>,
}

#[derive(Debug, Serialize)]
struct KeysView {
    /// Those that may sign.
    active: usize,
    /// Those of them that were checked within policy's days.
    checked: usize,
    check_days: u32,
}

#[derive(Debug, Serialize)]
struct DueView {
    obligation: String,
    title: String,
    due: NaiveDate,
    command: String,
}

impl DueView {
    fn new(stands: &Stands, state: &State) -> Self {
        Self {
            obligation: stands.obligation.to_string(),
            title: title(&stands.obligation, state),
            due: stands.standing.due,
            command: how(&stands.obligation, state),
        }
    }
}

pub fn run(context: &Context, status: &Status) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let now = context.now()?;
    let state = session.state();
    let history = history(&session.vault, now, None)?;
    let standings = standings(&history, |_| true);
    let sound = session.exit() == exit::DONE;
    let log = Log { entry: session.vault.head().number, sound, given_out: session.given_out() };
    let view = view_of(state, &standings, now, log);
    let is_locked = view.locked_out > 0 || view.signing.out_of_reach;
    let is_bad = is_locked || !view.overdue.is_empty();
    let human = screen::shown(&view, status.all);
    let code = if is_bad { exit::NO } else { session.exit() };
    Ok(Answer::new("status", &view, human).exiting(code))
}

/// What is told of the log.
struct Log {
    /// The number of the last sound entry.
    entry: u64,
    sound: bool,
    given_out: Option<u64>,
}

fn view_of(state: &State, standings: &[Stands], now: Time, log: Log) -> StatusView {
    let recovery = Recovery::of(state, now);
    let accounts = accounts(&recovery);
    let (signing, custody) = of_vault(&recovery);
    let many = |fits: &dyn Fn(&AccountView) -> bool| accounts.iter().filter(|a| fits(a)).count();
    let in_phase = |phase: Phase| {
        let those = standings.iter().filter(|stands| stands.standing.phase == phase);
        those.map(|stands| DueView::new(stands, state)).collect::<Vec<_>>()
    };
    let later = |stands: &&Stands| stands.standing.phase == Phase::Later;
    let is_drill = |stands: &&Stands| matches!(stands.obligation, Obligation::Runbook(_));
    let next = standings.iter().find(later);
    let next_drill = standings.iter().filter(later).find(is_drill);
    let next_drill =
        next_drill.filter(|drill| next.is_none_or(|next| next.obligation != drill.obligation));
    let view = |stands: &Stands| DueView::new(stands, state);
    StatusView {
        vault: state.name().map(Line::to_string),
        demo: state.realm() == Realm::Demo,
        on: now.moment().date_naive(),
        entry: log.entry,
        sound: log.sound,
        proven: many(&|account| account.ways_proven > 0),
        on_paper: many(&|account| account.ways > 0 && account.ways_proven == 0),
        locked_out: many(&|account| account.ways == 0),
        central: recovery.central().len(),
        circles: recovery.circles().filter_map(circle).collect(),
        signing,
        custody,
        accounts,
        keys: keys(state, standings),
        signers: state.able_custodians(),
        head_given_out: log.given_out,
        overdue: in_phase(Phase::Overdue),
        late: in_phase(Phase::Late),
        due: in_phase(Phase::Due),
        next: next.map(view),
        next_drill: next_drill.map(view),
    }
}

/// What one loss does it with: people first, then keys, and so on.
fn names(recovery: &Recovery, cuts: &Cuts) -> Vec<String> {
    let mut ones = cuts.ones().to_vec();
    ones.sort_by_key(|id| recovery.elements().get(*id));
    ones.into_iter().map(|id| element(recovery, id)).collect()
}

/// The accounts, those that are worst off first.
pub fn accounts(recovery: &Recovery) -> Vec<AccountView> {
    let nothing = BTreeSet::new();
    let on_record = recovery.ways(Basis::Record, &nothing);
    let proven = recovery.ways(Basis::Proven, &nothing);
    let many = |ways: Option<&Vec<WayKind>>| ways.map_or(0, Vec::len);
    let (cuts, proven_cuts) = (recovery.cuts(Basis::Record), recovery.cuts(Basis::Proven));
    let shown = recovery.shown();
    let mut all = Vec::new();
    for (handle, access) in recovery.accounts() {
        let (its, if_proven) = (cuts.of(access.node), proven_cuts.of(access.node));
        let verdict = match () {
            () if its.is_gone() => Verdict::LockedOut,
            () if !its.ones().is_empty() => Verdict::OneLoss,
            () if if_proven.is_gone() => Verdict::OnPaper,
            () if !if_proven.ones().is_empty() => Verdict::SurvivesOnPaper,
            () => Verdict::Survives,
        };
        all.push(AccountView {
            account: handle.to_string(),
            ways: many(on_record.get(handle)),
            ways_proven: many(proven.get(handle)),
            last_proven: last_shown(&shown, access.node),
            verdict,
            lost_with: names(recovery, &its),
        });
    }
    // Stable: by handle among those of one verdict.
    all.sort_by_key(|account| account.verdict);
    all
}

fn last_shown(shown: &Solution<Shown>, node: NodeId) -> Option<NaiveDate> {
    match shown.of(node) {
        Shown::At(at) => Some(at.time.moment().date_naive()),
        Shown::Absent | Shown::Never | Shown::Nothing => None,
    }
}

/// How signing stands losses, and what is in custody that doesn't.
fn of_vault(recovery: &Recovery) -> (Withstands, Vec<Withstands>) {
    let cuts = recovery.cuts(Basis::Record);
    let (mut signing, mut custody) = (Withstands::default(), Vec::new());
    for (of, node) in recovery.targets() {
        let its = cuts.of(node);
        let what = target(&of);
        let told =
            Withstands { what, out_of_reach: its.is_gone(), lost_with: names(recovery, &its) };
        match of {
            Target::Account(_) => {}
            Target::Signing => signing = told,
            Target::Compartment(_) if told.out_of_reach || !told.lost_with.is_empty() => {
                custody.push(told);
            }
            Target::Compartment(_) => {}
        }
    }
    (signing, custody)
}

fn keys(state: &State, standings: &[Stands]) -> KeysView {
    let active = state.keys().values().filter(|key| key.is_active()).count();
    let unchecked = standings.iter().filter(|stands| {
        let behind = matches!(stands.standing.phase, Phase::Late | Phase::Overdue);
        behind && matches!(stands.obligation, Obligation::KeyCheck(_))
    });
    let checked = active.saturating_sub(unchecked.count());
    KeysView { active, checked, check_days: state.policy().check_days }
}
