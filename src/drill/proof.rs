//! Whether what a step is said to have proved is what it asks for.

use super::record::Ending;
use crate::record::{Event, Handle, Outcome, StepResult};
use crate::runbook::{Step, Task};

/// Fails unless a step that ends like this proved what such a step proves. `doer` says who does
/// what falls to a role.
pub fn check_proof(
    step: &Step,
    ending: &Ending,
    doer: impl Fn(&Handle) -> Option<Handle>,
) -> Result<(), &'static str> {
    let done = ending.result == StepResult::Done;
    if let Task::Key { of } = &step.task {
        let people: Vec<Handle> = of.iter().filter_map(doer).collect();
        if !ending.keys.iter().all(|key| people.contains(&key.owner)) {
            return Err("keys of other people are shown");
        }
        let shows = |person: &Handle| ending.keys.iter().any(|key| key.owner == *person);
        if done && !people.iter().all(shows) {
            return Err("somebody shows no key");
        }
    } else if !ending.keys.is_empty() {
        return Err("it asks for no key");
    }
    let opens = matches!(step.task, Task::Secret { .. } | Task::Totp);
    if ending.opened.is_some() && !opens {
        return Err("it opens no secret");
    }
    if done && ending.opened.is_none() && matches!(step.task, Task::Secret { .. }) {
        return Err("no secret was opened");
    }
    match (&step.task, ending.evidence.is_empty()) {
        (Task::Evidence { .. }, true) if done => return Err("nothing was kept"),
        (Task::Evidence { .. }, _) | (_, true) => {}
        (_, false) => return Err("it asks for no evidence"),
    }
    let mut outcomes = Vec::new();
    for event in &ending.proves {
        outcomes.push(match (&step.task, event) {
            (Task::Totp, Event::TotpChecked(event)) => event.outcome,
            (Task::SignIn, Event::SignInProven(event)) => event.outcome,
            (Task::Mailbox, Event::MailboxTested(event))
            | (Task::Phone, Event::PhoneTested(event)) => event.outcome,
            _ => return Err("it proves something else"),
        });
    }
    // Of several accounts, some may have passed where others didn't.
    if !outcomes.is_empty() && outcomes.iter().all(|o| *o == Outcome::Passed) != done {
        return Err("what it proves isn't how it ended");
    }
    Ok(())
}
