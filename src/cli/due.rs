//! What is to be done about people and keys, in sentences: what must be encrypted anew, who has
//! to acknowledge their duties, whether enough people can sign, and which actions are overdue.
//!
//! Each names the command that does it. Nothing here decides anything.

use std::fmt::Display;

use super::output::{count, few};
use crate::record::{
    Action, DeviceName, Handle, Key, KeyName, KeyState, RECORDS, SEEDS, State, Time,
};

/// How many of several accounts are named.
const MAX_NAMED: usize = 5;

/// All that is to be done about people and keys, a sentence each.
pub fn due(state: &State, now: Time) -> Vec<String> {
    [renewals_due(state), care_due(state, now)].concat()
}

/// What must be encrypted anew, or given another identity.
pub fn renewals_due(state: &State) -> Vec<String> {
    let listed =
        |names: &[KeyName]| names.iter().map(KeyName::to_string).collect::<Vec<_>>().join(", ");
    let mut all = Vec::new();
    if state.able_custodians() < state.quorum() {
        // Nobody could sign for any of it.
        return all;
    }
    for custodian in state.custodians().keys() {
        let copies = state.exposures(custodian);
        if !copies.is_empty() {
            let copies = listed(&copies);
            all.push(format!(
                "{custodian} needs a new identity, since {copies} was reported: {}",
                new_identity_by(state, custodian)
            ));
        } else if state.working_keys(custodian).is_empty() {
            let how = new_identity_by(state, custodian);
            all.push(format!("{custodian} has no key that opens the vault: {how}"));
        }
    }
    let is_everybodys = |name: &Handle| [RECORDS, SEEDS].contains(&name.as_str());
    let outdated = state.compartments().keys().filter(|name| state.is_outdated(name));
    let (common, chosen): (Vec<&Handle>, Vec<&Handle>) =
        outdated.partition(|name| is_everybodys(name));
    if !common.is_empty() {
        let outdated = common.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        all.push(format!("{outdated} must be encrypted anew: keymuster vault rekey"));
    }
    for name in chosen {
        let openers = state.openers_of(name);
        let how = match openers.iter().find_map(|who| opener_of(state, who)) {
            Some(by) => format!("keymuster vault rekey --by {by}"),
            None => "nobody whom it opens to has a key that opens the vault".to_owned(),
        };
        all.push(format!("{name} must be encrypted anew: {how}"));
    }
    let mut copies = state.outdated_copies();
    copies.retain(|copy| !state.working_keys(&copy.owner).is_empty());
    if !copies.is_empty() {
        all.push(format!(
            "an older identity is sealed to {}, which opens nothing new: plugged in beside another \
             key of its owner's, keymuster vault rekey --new-identity --by THAT KEY",
            listed(&copies)
        ));
    }
    all
}

/// What keeps the vault in good hands.
fn care_due(state: &State, now: Time) -> Vec<String> {
    let mut all = Vec::new();
    for (custodian, known) in state.custodians() {
        match known.acknowledged_until(state.policy()) {
            Some(until) if until >= now => {}
            until => {
                let since = until.map_or(String::new(), |until| format!(" since {until}"));
                all.push(format!(
                    "{custodian} hasn't acknowledged their duties{since}: \
                     keymuster custodian acknowledge --by {custodian}"
                ));
            }
        }
    }
    for (name, run) in state.drills() {
        if run.is_open() {
            let since = run.started.time;
            all.push(format!(
                "{name} is under way since {since}: keymuster drill resume {name}, or drill abandon"
            ));
        }
        if run.awaits_review() {
            all.push(format!(
                "{name} ran without all whom it takes, and somebody who took no part has to look at \
                 it: keymuster drill review {name}"
            ));
        }
    }
    for (name, key) in state.keys().iter().filter(|(_, key)| key.is_active()) {
        let reporters: Vec<String> =
            key.claims.iter().map(|claim| claim.reporter.to_string()).collect();
        if !reporters.is_empty() {
            all.push(format!(
                "{name} was reported by {}, and may sign still, since too few could without it: settle \
                 it with keymuster key restored {name}, or enrol others and retire it",
                reporters.join(", ")
            ));
        }
    }
    let able = count(state.able_custodians(), "custodian", "custodians");
    if state.able_custodians() < state.quorum() {
        all.push(ended(state));
    } else if state.able_custodians() < 3 {
        all.push(format!(
            "{able} can sign: with three, and a key in a safe, the vault survives a loss"
        ));
    }
    for (name, key) in state.keys() {
        if key.is_findable() && !state.custodians().contains_key(&key.holder) {
            all.push(format!(
                "take {name} back from {}, who has left, and record who has it: keymuster key hand-over \
                 {name} --to WHOM",
                key.holder
            ));
        }
    }
    for (name, key) in state.keys() {
        if key.is_active() {
            continue;
        }
        let device = DeviceName::Key(name.clone());
        let accounts: Vec<String> = state.accounts_with(&device).map(Handle::to_string).collect();
        if !accounts.is_empty() {
            let word = key.state.word();
            let (which, named) = (few(&accounts, MAX_NAMED), accounts.join(" "));
            let named = if accounts.len() > MAX_NAMED { "ACCOUNT…" } else { &named };
            all.push(format!(
                "{name} is {word}, and registered with the root user of {which} still: remove it \
                 there, then keymuster account unlink {name} {named}"
            ));
        }
    }
    for name in state.lost_compartments() {
        all.push(format!(
            "nobody who is left opens {name}: put what is in it in custody anew, with keymuster \
             secret replace NAME --compartment WHICH"
        ));
    }
    let replaced = |many: usize, who: &dyn Display, why: &str| {
        let secrets = count(many, "secret", "secrets");
        let is = if many == 1 { "is" } else { "are" };
        format!(
            "{secrets} that {who} could open, {why}, {is} to be replaced: keymuster vault impact {who}"
        )
    };
    for who in state.ever_members() {
        let many = state.secrets_kept_by(who).len();
        if many > 0 {
            let has_left = state.former_custodians().contains_key(who);
            let why = if has_left { "who has left" } else { "and that should be closed to them" };
            all.push(replaced(many, who, why));
        }
    }
    for slot in state.astray_slots() {
        let many = state.secrets_open_to_astray(slot).len();
        if many > 0 {
            all.push(replaced(many, slot, "which was reported"));
        }
    }
    let late = |action: &&Action| action.closed.is_none() && action.opening.due < now;
    for action in state.actions().values().filter(late) {
        let Action { opening, .. } = action;
        all.push(format!(
            "{} is overdue since {}, by {}: {}",
            opening.action, opening.due, opening.owner, opening.title
        ));
    }
    all
}

/// What is said where too few can sign.
pub fn ended(state: &State) -> String {
    let able = count(state.able_custodians(), "custodian", "custodians");
    format!(
        "{able} can sign, and two must: nothing that needs two can be signed again, so found a new vault"
    )
}

/// The command that gives a custodian another identity: with a key of theirs, or without.
pub fn new_identity_by(state: &State, custodian: &Handle) -> String {
    if let Some(by) = opener_of(state, custodian) {
        let asked = if state.exposures(custodian).is_empty() { " --new-identity" } else { "" };
        return format!("keymuster vault rekey{asked} --by {by}");
    }
    let enrol = format!("keymuster key enrol LABEL --for {custodian} --new-identity");
    let mut own = state.keys().iter().filter(|(name, _)| name.owner == *custodian);
    let suspended = |(_, key): &(_, &Key)| matches!(key.state, KeyState::Suspended(_));
    match own.find(suspended) {
        // Whoever reported it alone needn't be right.
        Some((name, _)) => format!(
            "settle first whether {name} is well: keymuster key restored {name}; if it isn't, {enrol}"
        ),
        None => enrol,
    }
}

/// What `--by` names so that a custodian opens the vault: them, or that one of their keys which
/// does; `None` if none does.
pub fn opener_of(state: &State, custodian: &Handle) -> Option<String> {
    let working = state.working_keys(custodian);
    let own = state.keys().keys().filter(|name| name.owner == *custodian).count();
    let only = working.first()?;
    // Another may be plugged in, which can't do it.
    Some(if working.len() == own { custodian.to_string() } else { only.to_string() })
}
