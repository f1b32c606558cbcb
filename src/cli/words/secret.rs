//! Events about secrets and tokens in words.

use super::{joined, quoted};
use crate::record::{
    Evidence, Outcome, Purpose, SecretKind, SecretOpened, SecretReplaced, SecretStored, TotpChecked,
};

pub fn stored(event: &SecretStored) -> String {
    let what = match event.holds {
        SecretKind::Seed => "a seed",
        SecretKind::Password => "a password",
        SecretKind::RecoveryCodes => "recovery codes",
        SecretKind::Note => "a note",
    };
    let token = event.token.as_ref().map(|token| format!("the token {token} of "));
    let whose = event.account.as_ref().map(|account| {
        format!(", of {}the account {account}", token.as_deref().unwrap_or_default())
    });
    let whose = whose.unwrap_or_default();
    format!("{}, {what}{whose}, is in custody, in {}", event.secret, event.compartment)
}

pub fn replaced(event: &SecretReplaced) -> String {
    let (secret, generation, compartment) = (&event.secret, event.generation, &event.compartment);
    format!("{secret} has another value, number {generation}, in {compartment}")
}

pub fn opened(event: &SecretOpened) -> String {
    let what_for = match event.purpose {
        Purpose::Show => "to see it",
        Purpose::Code => "to have a code of it",
        Purpose::Check => "to check codes against it",
        Purpose::Identify => "to tell whose codes it makes",
        Purpose::Drill => "for the steps of a drill",
    };
    let reason = event.reason.as_ref().map(|reason| format!(": {}", quoted(reason)));
    let secrets = joined(&event.secrets, ", ");
    format!("{} opens {secrets}, {what_for}{}", event.opener, reason.unwrap_or_default())
}

pub fn checked(event: &TotpChecked) -> String {
    let (token, account) = (&event.token, &event.account);
    let seed = match &event.secret {
        Some(secret) => format!("the seed {secret}"),
        None => "a seed".to_owned(),
    };
    let evidence = match (event.outcome, event.evidence) {
        (Outcome::Failed, _) | (_, None) => {
            return format!("{seed} DOESN'T MAKE the codes of the token {token} of {account}");
        }
        (_, Some(Evidence::TwoConsecutive)) => "two codes, one after the other",
        (_, Some(Evidence::Two)) => "two codes that don't follow each other",
        (_, Some(Evidence::One)) => "one code only",
    };
    let drift = event.drift_seconds.unwrap_or_default();
    let drift = match drift {
        0 => "on time".to_owned(),
        1.. => format!("{drift} s ahead"),
        _ => format!("{} s behind", drift.unsigned_abs()),
    };
    format!("{seed} makes the codes of the token {token} of {account}: {evidence}, {drift}")
}
