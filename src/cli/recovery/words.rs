//! Ways, their parts, and what can be lost, in words.

use chrono::NaiveDate;

use crate::cli::words::quoted;
use crate::record::{DeviceName, Handle, Key, TrialKind};
use crate::recovery::{Element, ElementId, Gap, Recovery, Target, WayKind};

/// A way, as a heading.
pub fn way(kind: WayKind) -> &'static str {
    match kind {
        WayKind::SignIn => "sign in",
        WayKind::PasswordReset => "reset the password, and sign in",
        WayKind::LostMfa => "lost MFA: messages to the mailbox, and a call",
    }
}

/// What can be lost, by what people call it.
pub fn element(recovery: &Recovery, id: ElementId) -> String {
    let called = recovery.elements().called(id);
    match recovery.elements().get(id) {
        Some(Element::Place(_)) => quoted(&called),
        Some(Element::Domain(domain)) => format!("mail of {domain}"),
        Some(Element::Paper(who)) => format!("the paper copy of {who}"),
        Some(Element::TokenOf(_, _) | Element::Token(_, _)) => format!("the token {called}"),
        _ => called,
    }
}

/// An element for programs: its kind, and what it is called.
pub fn kind_and_name(recovery: &Recovery, id: ElementId) -> (&'static str, String) {
    let kind = recovery.elements().get(id).map_or("", Element::kind);
    (kind, recovery.elements().called(id))
}

/// What would be out of reach.
pub fn target(target: &Target) -> String {
    match target {
        Target::Account(account) => account.to_string(),
        Target::Compartment(name) => format!("the secrets in {name}"),
        Target::Signing => "signing for the vault".to_owned(),
    }
}

/// The circle that a mailbox is in, which begins with the account whose mailbox it is.
pub fn circle(circle: &[Handle]) -> Option<String> {
    let (first, others) = circle.split_first()?;
    let chain: Vec<String> = others.iter().chain([first]).map(ToString::to_string).collect();
    let chain = chain.join(", whose own can't be read without ");
    Some(format!("the mailbox of {first} can't be read without {chain}"))
}

/// What is missing, and what would mend it.
pub fn gap(gap: &Gap, account: &Handle) -> String {
    let change = |flag: &str| format!(": keymuster account change {account} {flag}");
    match gap {
        Gap::NoEmail => format!("its root address isn't recorded{}", change("--email ADDRESS")),
        Gap::NobodyReads => {
            format!("it isn't recorded who reads it{}", change("--mailbox-reader WHO"))
        }
        Gap::NoPhone => format!("its root telephone isn't recorded{}", change("--phone NUMBER")),
        Gap::NobodyAnswers => {
            format!("it isn't recorded who answers it{}", change("--phone-answerer WHO"))
        }
        Gap::NoPassword => {
            format!("it isn't recorded where it is{}", change("--password-at PLACE"))
        }
        Gap::NoDevice => {
            format!("no MFA device is recorded: keymuster account link DEVICE {account}")
        }
        Gap::Inactive(key) => format!("{key} may not be used any more"),
        Gap::HasLeft(who) => format!("{who} has left"),
        Gap::TokenNowhere => {
            format!("it isn't recorded who has it: keymuster account token {account} TOKEN")
        }
        Gap::NoToken => "no token is registered whose seed it is".to_owned(),
        Gap::Failed(kind) => match kind {
            TrialKind::Mailbox => "no message arrived when it was last tried".to_owned(),
            TrialKind::Phone => "nobody answered when it was last tried".to_owned(),
            TrialKind::Contacts | TrialKind::SignIn(_) => {
                "the sign-in with it failed when it was last tried".to_owned()
            }
        },
        Gap::SeedFailed => "it didn't make the token's codes when it was last tried".to_owned(),
        Gap::NobodyOpens => "nobody who is left opens it".to_owned(),
        Gap::Removed(other) => format!("{other} isn't looked after here any more"),
    }
}

/// An MFA device.
pub fn device(name: &DeviceName) -> String {
    match name {
        DeviceName::Key(key) => key.to_string(),
        DeviceName::Token(token) => format!("the token {token}"),
    }
}

/// Who has a key, or where it is, and who knows its PIN.
pub fn whereabouts(key: &Key, owner: &Handle) -> String {
    let at = match &key.place {
        Some(place) => format!("at {}", quoted(place)),
        None => format!("with {}", key.holder),
    };
    let bag = key.bag.as_ref().map(|bag| format!(", in bag {}", quoted(&bag.serial)));
    let pin = match &key.pin_place {
        Some(place) => format!("; its PIN: {owner}, or at {}", quoted(place)),
        None => format!("; its PIN: {owner}"),
    };
    format!("{at}{}{pin}", bag.unwrap_or_default())
}

/// How long ago a day is.
pub fn ago(day: NaiveDate, today: NaiveDate) -> String {
    match (today - day).num_days() {
        ..=0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} d ago"),
    }
}
