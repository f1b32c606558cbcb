//! Obligations in words, and the commands that meet them.

use crate::record::{DeviceName, Handle, State};
use crate::schedule::Obligation;

/// What is to be done, as a short sentence without its full stop.
pub fn title(obligation: &Obligation, state: &State) -> String {
    match obligation {
        Obligation::KeyCheck(key) => format!("Check the key {key}"),
        Obligation::Acknowledgement(who) => format!("{who} acknowledges their duties"),
        Obligation::Contacts(account) => format!("Look at the contacts of {account}"),
        Obligation::Mailbox(account) => format!("Try the root mailbox of {account}"),
        Obligation::Phone(account) => format!("Try the root telephone of {account}"),
        Obligation::SignIn(account, device) => format!("Sign in to {account} with {device}"),
        Obligation::Totp(account, token) => format!("Check the codes of {token} for {account}"),
        Obligation::Runbook(runbook) => format!("Run {runbook}"),
        Obligation::Drill(drill) => format!("Finish {drill}, or give it up"),
        Obligation::Review(drill) => format!("Somebody who took no part reviews {drill}"),
        Obligation::Action(action) => {
            let known = state.actions().get(action);
            known.map_or(action.to_string(), |known| format!("{action}: {}", known.opening.title))
        }
        Obligation::Deregister(key, account) => {
            format!("Remove {key} from the root user of {account}")
        }
        Obligation::TakeBack(key) => format!("Take {key} back from who has left"),
        Obligation::Replace(secret) => format!("Give {secret} another value"),
        Obligation::Rekey(compartment) => format!("Encrypt {compartment} anew"),
        Obligation::NewIdentity(who) => format!("{who} gets a new identity"),
    }
}

/// The command that records it done.
pub fn how(obligation: &Obligation, state: &State) -> String {
    let command = match obligation {
        Obligation::KeyCheck(key) => format!("key check {key}"),
        Obligation::Acknowledgement(who) => format!("custodian acknowledge --by {who}"),
        Obligation::Contacts(account) => format!("account contacts-reviewed {account}"),
        Obligation::Mailbox(account) => format!("account mailbox-tested {account}"),
        Obligation::Phone(account) => format!("account phone-tested {account}"),
        Obligation::SignIn(account, device) => {
            format!("account sign-in-proven {account} --with {device}")
        }
        Obligation::Totp(account, token) => {
            let several = state.accounts().get(account).is_some_and(|known| {
                known.devices.keys().filter(|d| matches!(d, DeviceName::Token(_))).count() > 1
            });
            let which = if several { format!(" --token {token}") } else { String::new() };
            format!("totp check --account {account}{which}")
        }
        Obligation::Runbook(runbook) => format!("drill start {runbook}"),
        Obligation::Drill(drill) => format!("drill resume {drill}"),
        Obligation::Review(drill) => format!("drill review {drill}"),
        Obligation::Action(action) => format!("action close {action} RESULT"),
        Obligation::Deregister(key, account) => format!("account unlink {key} {account}"),
        Obligation::TakeBack(key) => format!("key hand-over {key} --to WHOM"),
        Obligation::Replace(secret) => format!("secret replace {secret}"),
        Obligation::Rekey(_) => "vault rekey".to_owned(),
        Obligation::NewIdentity(who) => {
            return crate::cli::due::new_identity_by(state, who);
        }
    };
    format!("keymuster {command}")
}

/// Names, with commas between them; a dash where there is none.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a Handle>) -> String {
    let names: Vec<&str> = names.into_iter().map(Handle::as_str).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn each_obligation_is_met_by_a_command_that_there_is() {
        let state = State::default();
        let all = [
            "key-check bob/blue",
            "acknowledgement bob",
            "contacts prod",
            "mailbox prod",
            "phone prod",
            "sign-in prod bob/blue",
            "sign-in prod phone",
            "totp prod phone",
            "runbook quarterly",
            "drill quarterly-1",
            "review quarterly-1",
            "action action-1",
            "deregister bob/blue prod",
            "take-back bob/blue",
            "replace prod-seed",
            "rekey records",
            "new-identity bob",
        ];
        for name in all {
            let obligation: Obligation = name.parse().unwrap();
            assert_eq!(obligation.to_string(), name);
            let command = how(&obligation, &state);
            // Whom it takes to a drill, and where a value comes from, depends.
            let more = match obligation {
                Obligation::Runbook(_) => " --as operator=alice",
                Obligation::Replace(_) => " --file value",
                Obligation::Review(_) => " passed well",
                _ => "",
            };
            let line = format!("{command}{more}").replace("WHOM", "carol").replace("LABEL", "new");
            let parsed = Cli::try_parse_from(line.split(' '));
            let parsed = parsed.unwrap_or_else(|error| panic!("{name}: {command}: {error}"));
            if let (Obligation::SignIn(..), Command::Account(account)) =
                (obligation, parsed.command)
            {
                assert!(format!("{account:?}").contains("with: Some"), "{account:?}");
            }
        }
    }
}
