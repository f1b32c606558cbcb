//! What runbooks say of themselves, in the words of screen and paper alike.

use crate::cli::words::{all_of, run_for};
use crate::record::SecretKind;
use crate::runbook::{Runbook, Step, Target, Task};

/// How one step is named for people.
pub fn place(target: Target) -> String {
    match target {
        Target::Step(place) => format!("step {}", place + 1),
        Target::End => "the end".to_owned(),
    }
}

/// What a step asks for, in a sentence.
pub fn asked(task: &Task) -> String {
    match task {
        Task::Confirm => "Say when it is done.".to_owned(),
        Task::Key { of } => {
            let roles: Vec<String> = of.iter().map(ToString::to_string).collect();
            format!("Each key of the {} is checked.", all_of(&roles))
        }
        Task::Totp => "Two codes of the token are asked for, one after the other.".to_owned(),
        Task::Secret { kind, compartment } => {
            let kind = match kind {
                SecretKind::Seed => "seed",
                SecretKind::Password => "password",
                SecretKind::RecoveryCodes => "recovery codes",
                SecretKind::Note => "note",
            };
            format!("The account's {kind} is opened, out of {compartment}, after a receipt.")
        }
        Task::SignIn => {
            "Sign in as the root user; the id of CloudTrail's event is asked for.".to_owned()
        }
        Task::Mailbox => "Say whether the message arrived.".to_owned(),
        Task::Phone => "Say whether the call was answered.".to_owned(),
        Task::Evidence { what } => format!("A file is kept as evidence: {what}."),
        Task::Record { .. } => "Answers are written down.".to_owned(),
        Task::Decide { .. } => "Decide.".to_owned(),
        Task::Wait { until, target_minutes } => {
            format!("Wait until {until}, for {target_minutes} minutes at most.")
        }
    }
}

/// Where a step leads, where that isn't the next one.
pub fn ways(place_of: usize, step: &Step, steps: usize) -> Vec<String> {
    if let Task::Decide { choices } = &step.task {
        let way = |goto| place(goto);
        return choices.iter().map(|c| format!("{}: go to {}", c.answer, way(c.goto))).collect();
    }
    let following = if place_of + 1 < steps { Target::Step(place_of + 1) } else { Target::End };
    let next = (step.next != following).then(|| format!("Then go to {}.", place(step.next)));
    let if_not = step.if_not.map(|target| format!("If not, go to {}.", place(target)));
    next.into_iter().chain(if_not).collect()
}

/// What a runbook is for, in words that follow `for`.
pub fn scope(runbook: &Runbook) -> String {
    let Runbook { purposes, accounts, every_days, target_minutes, .. } = runbook;
    run_for(purposes, *accounts, *every_days, *target_minutes)
}
