//! Runbooks and drills in words.

use std::num::NonZeroU32;

use super::{all_of, quoted};
use crate::record::{DrillPurpose, DrillScope, RunbookAdopted};

/// What a runbook is for, in words that follow `for`.
pub fn run_for(
    purposes: &[DrillPurpose],
    accounts: DrillScope,
    every_days: Option<NonZeroU32>,
    target_minutes: Option<NonZeroU32>,
) -> String {
    let purpose = |purpose: &DrillPurpose| match purpose {
        DrillPurpose::Rehearsal => "a rehearsal",
        DrillPurpose::Live => "live use",
    };
    let purposes: Vec<&str> = purposes.iter().map(purpose).collect();
    let accounts = match accounts {
        DrillScope::None => "no account",
        DrillScope::One => "one account",
        DrillScope::Many => "one account or more",
    };
    let every = every_days.map(|days| format!("every {days} days"));
    let target = target_minutes.map(|minutes| format!("within {minutes} minutes"));
    let parts = [purposes.join(" or "), format!("about {accounts}")];
    parts.into_iter().chain(every).chain(target).collect::<Vec<_>>().join(", ")
}

pub(super) fn adopted(event: &RunbookAdopted) -> String {
    let RunbookAdopted { purposes, accounts, every_days, target_minutes, .. } = event;
    let needed = event.roles.iter().map(ToString::to_string);
    let optional = event.optional_roles.iter().map(|role| format!("perhaps {role}"));
    let roles: Vec<String> = needed.chain(optional).collect();
    format!(
        "the runbook {}, version {}, {}, is adopted for {}; by {}; SHA-256 {}",
        event.runbook,
        event.version,
        quoted(&event.title),
        run_for(purposes, *accounts, *every_days, *target_minutes),
        all_of(&roles),
        event.sha256,
    )
}
