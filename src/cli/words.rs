//! Events in words: what people are about to sign, and what they have signed.
//!
//! One sentence an event, from the event alone. Nothing here decides anything.

mod account;
mod drill;
mod secret;

use std::fmt::Display;

use crate::log::{Entry, SignedDocument};
use crate::record::{
    BagOpened, CustodianChanged, Digest, Event, Handle, KeyEnrolled, KeyMoved, KeyReported, Line,
    PAPER, PolicyChanged, UserVerification, VaultCreated, VaultSucceeds,
};
use crate::sshsig::PublicKey;

pub use drill::{duration, run_for};

/// How many accounts of a list are told with all that is known of them.
const MAX_ACCOUNTS: usize = 20;

/// The events of an entry, a sentence each. Of a long list, most accounts are told by which they
/// are, whose name they bear and who gets their mail; the rest by what they have in common and
/// what only few of them have, at the end. Nothing else is ever left out.
pub fn all_in_words(events: &[Event]) -> Vec<String> {
    let (mut told, mut more) = (Vec::new(), Vec::new());
    let mut accounts = 0;
    for event in events {
        let is_account = matches!(event, Event::AccountAdded(_));
        accounts += usize::from(is_account);
        match event {
            Event::AccountAdded(added) if accounts > MAX_ACCOUNTS => more.push(added.as_ref()),
            event => told.push(in_words(event)),
        }
    }
    told.extend(more.iter().map(|added| account::added_in_short(added)));
    told.extend(account::many_added(&more));
    told
}

/// All that an entry tells, a sentence each: what its slips say, with whose and which they are, then
/// what it says itself.
pub fn told(entry: &Entry) -> Vec<String> {
    let slips = entry.slips().iter().flat_map(slip_in_words);
    slips.chain(all_in_words(&entry.document().events)).collect()
}

/// What a slip says, a sentence each, with whose and which it is.
pub fn slip_in_words(slip: &SignedDocument) -> Vec<String> {
    let document = slip.document();
    let signers: Vec<String> = document.signers.iter().map(ToString::to_string).collect();
    let which = format!(
        "slip {} of {}, {}, on top of entry {}",
        slip_word(&slip.digest()),
        signers.join(" and "),
        document.time,
        document.number.saturating_sub(1)
    );
    let tells = all_in_words(&document.events).into_iter();
    tells.map(|words| format!("{words} ({which})")).collect()
}

/// The short name of a slip, of its digest's first digits: enough for people to tell few apart.
pub fn slip_word(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

/// An event as a sentence without a full stop.
pub fn in_words(event: &Event) -> String {
    match event {
        Event::VaultCreated(event) => created(event),
        Event::VaultSucceeds(event) => succeeds(event) + &remarked(event.reason.as_ref()),
        Event::PolicyChanged(event) => format!("the policy changes: {}", changes(event).join(", ")),
        Event::CustodianAdded(event) => format!(
            "{}{} joins as a custodian, with the identity {}",
            event.custodian,
            named(event.name.as_ref()),
            event.recipient
        ),
        Event::CustodianChanged(event) => custodian_changed(event),
        Event::CustodianLeft(event) => {
            format!("{} leaves{}", event.custodian, remarked(event.remark.as_ref()))
        }
        Event::DutiesAcknowledged(event) => {
            format!("{} acknowledges these duties: {}", event.custodian, all_quoted(&event.duties))
        }
        Event::RecipientChanged(event) => {
            format!("{} has another identity from now on, {}", event.custodian, event.recipient)
        }
        Event::ReaderAdded(event) => format!(
            "{} may read the log as a reader{}, with the identity {}",
            event.reader,
            event.owner.as_ref().map_or(String::new(), |owner| format!(", a machine of {owner}'s")),
            event.recipient
        ),
        Event::ReaderRemoved(event) => format!("{} may read the log no more", event.reader),
        Event::KeyEnrolled(event) => enrolled(event),
        Event::KeyChecked(event) => format!("{} was checked", event.key),
        Event::KeyLost(event) => reported(event, "is lost"),
        Event::KeyCompromised(event) => reported(event, "is compromised"),
        Event::KeyRestored(event) if event.key.label.as_str() == PAPER => {
            format!("{} is where it should be, and nobody else has read it", event.key)
        }
        Event::KeyRestored(event) => {
            format!("{} is well: what others reported of it is withdrawn", event.key)
        }
        Event::KeyRetired(event) => {
            format!("{} is taken out of service{}", event.key, remarked(event.remark.as_ref()))
        }
        Event::KeyMoved(event) => moved(event),
        Event::KeyHandedOver(event) => {
            let place = event.place.as_ref().map(|place| format!(", to {}", quoted(place)));
            let place = place.unwrap_or_default();
            format!("{} hands {} over to {}{place}", event.giver, event.key, event.taker)
        }
        Event::BagSealed(event) => format!(
            "{} seals {} in bag {}, before {}",
            event.sealer,
            event.key,
            quoted(&event.bag),
            event.witness
        ),
        Event::BagOpened(event) => opened(event),
        Event::IdentitySealed(event) if event.slot.as_str() == PAPER => {
            format!("the identity of {} is sealed to a passphrase on paper", event.custodian)
        }
        Event::IdentitySealed(event) => {
            let whose = &event.custodian;
            format!("the identity of {whose} is sealed to {whose}/{}", event.slot)
        }
        Event::MembersChosen(event) => {
            format!("{} opens to {} only", event.compartment, joined(&event.members, ", "))
        }
        Event::CompartmentSealed(event) => format!(
            "{} is encrypted anew, epoch {}, to {}",
            event.compartment,
            event.epoch,
            joined(&event.members, ", ")
        ),
        Event::AccountAdded(event) => account::added(event),
        Event::AccountChanged(event) => account::changed(event),
        Event::RootUserChanged(event) => account::root_changed(event),
        Event::AccountRemoved(event) => {
            let remark = remarked(event.remark.as_ref());
            format!("the account {} is looked after no more{remark}", event.account)
        }
        Event::DeviceLinked(event) => account::linked(event),
        Event::DeviceUnlinked(event) => account::unlinked(event),
        Event::TokenMoved(event) => account::token_moved(event),
        Event::ContactsReviewed(event) => account::tried(
            event,
            "contacts and details were looked at and are current",
            "contacts or details were looked at and AREN'T CURRENT",
        ),
        Event::MailboxTested(event) => account::tried(
            event,
            "a message to the root user arrived and was read",
            "A MESSAGE TO THE ROOT USER DIDN'T ARRIVE",
        ),
        Event::PhoneTested(event) => account::tried(
            event,
            "a call to the root user's telephone was answered",
            "A CALL TO THE ROOT USER'S TELEPHONE WASN'T ANSWERED",
        ),
        Event::SignInProven(event) => account::signed_in(event),
        Event::TotpChecked(event) => secret::checked(event),
        Event::SecretStored(event) => secret::stored(event),
        Event::SecretReplaced(event) => secret::replaced(event),
        Event::SecretOpened(event) => secret::opened(event),
        Event::RunbookAdopted(event) => drill::adopted(event),
        Event::RunbookWithdrawn(event) => {
            let reason = quoted(&event.reason);
            format!("the runbook {} is run no more: {reason}", event.runbook)
        }
        Event::DrillStarted(event) => drill::started(event),
        Event::DrillFinished(event) => drill::finished(event),
        Event::DrillAbandoned(event) => drill::abandoned(event),
        Event::DrillReviewed(event) => drill::reviewed(event),
        Event::DrillStep(event) => drill::step(event),
        Event::DrillException(event) => drill::exception(event),
        Event::DrillInterrupted(event) => drill::interrupted(event),
        Event::PartTaken(event) => drill::part_taken(event),
        Event::EvidenceKept(event) => drill::evidence(event),
        Event::WaiverGiven(event) => {
            let (obligation, reason) = (quoted(&event.obligation), quoted(&event.reason));
            format!("{}: {obligation} may wait until {}: {reason}", event.waiver, event.until)
        }
        Event::ActionOpened(event) => {
            let title = quoted(&event.title);
            format!("{}, by {} until {}: {title}", event.action, event.owner, event.due)
        }
        Event::ActionClosed(event) => {
            format!("{} is done: {}", event.action, quoted(&event.result))
        }
        Event::SlipEndorsed(event) => {
            format!("what slip {} says is signed for, too", slip_word(&event.slip))
        }
        Event::HeadAbandoned(event) => format!(
            "an entry {} that was made elsewhere is given up, with all that it says: its link is {}",
            event.number, event.link
        ),
    }
}

/// Which vault another takes the place of.
pub fn succeeds(event: &VaultSucceeds) -> String {
    format!(
        "it takes the place of the vault {}, from its entry {} on, whose link is {}",
        event.vault, event.number, event.link
    )
}

fn created(event: &VaultCreated) -> String {
    let what = if event.demo { "a demo vault" } else { "a vault" };
    let waived = match event.user_verification {
        UserVerification::Required => "",
        UserVerification::Waived => ", whose signatures need no PIN or fingerprint",
    };
    format!("{what} of {} begins{waived}", quoted(&event.name))
}

fn changes(event: &PolicyChanged) -> Vec<String> {
    let days = [
        ("keys are checked every", event.check_days),
        ("duties are acknowledged every", event.acknowledgement_days),
        ("contacts are reviewed every", event.contacts_days),
        ("slips are admitted for", event.slip_days),
        ("what is due is announced before it by", event.warn_days),
        ("what is late is overdue after", event.grace_days),
    ];
    let verification = event.user_verification.map(|rule| match rule {
        UserVerification::Required => "signatures need a PIN or fingerprint".to_owned(),
        UserVerification::Waived => "SIGNATURES NEED NO PIN OR FINGERPRINT".to_owned(),
    });
    let days = days.into_iter().filter_map(|(what, days)| Some(format!("{what} {} days", days?)));
    let duties = event.duties.as_ref().map(|lines| format!("duties are {}", all_quoted(lines)));
    verification.into_iter().chain(days).chain(duties).collect()
}

fn custodian_changed(event: &CustodianChanged) -> String {
    let name = event.name.as_ref().map(|name| format!("the name is {}", quoted(name)));
    let contact = event.contact.as_ref().map(|lines| match lines.as_slice() {
        [] => "there is no contact".to_owned(),
        lines => format!("the contact is {}", all_quoted(lines)),
    });
    let deputy = event.deputy.as_ref().map(|deputy| format!("the deputy is {deputy}"));
    let changes: Vec<String> = name.into_iter().chain(contact).chain(deputy).collect();
    format!("of {}, {}", event.custodian, changes.join(", "))
}

fn enrolled(event: &KeyEnrolled) -> String {
    let product = event.product.as_ref().map_or("no product named".to_owned(), quoted);
    format!("{} is enrolled: {} ({product})", event.key, fingerprint_of(event))
}

/// By which people know a key again, as `ssh-keygen -l` prints it.
pub fn fingerprint_of(enrolled: &KeyEnrolled) -> String {
    let key = PublicKey::from_line(enrolled.public_key.as_str());
    key.map_or_else(|_| enrolled.public_key.to_string(), |key| key.fingerprint())
}

fn reported(event: &KeyReported, what: &str) -> String {
    let since = event.since.map_or(String::new(), |since| format!(" since {since}"));
    let remark = remarked(event.remark.as_ref());
    format!("{} reports that {} {what}{since}{remark}", event.reporter, event.key)
}

fn moved(event: &KeyMoved) -> String {
    let key =
        event.place.as_ref().map(|place| format!("{} is kept at {}", event.key, quoted(place)));
    let pin = event.pin_place.as_ref().map(|place| match &key {
        Some(_) => format!("its PIN at {}", quoted(place)),
        None => format!("the PIN of {} is kept at {}", event.key, quoted(place)),
    });
    key.into_iter().chain(pin).collect::<Vec<_>>().join(", ")
}

fn opened(event: &BagOpened) -> String {
    let seal = if event.intact { "its seal whole" } else { "ITS SEAL BROKEN" };
    format!(
        "{} takes {} out of bag {}, {seal}, before {}",
        event.opener,
        event.key,
        quoted(&event.bag),
        event.witness
    )
}

fn named(name: Option<&Line>) -> String {
    name.map_or(String::new(), |name| format!(" ({})", quoted(name)))
}

fn remarked(remark: Option<&Line>) -> String {
    remark.map_or(String::new(), |remark| format!(": {}", quoted(remark)))
}

/// Somebody's own words, which must not pass for ours: in quotes that they can't end, and with
/// no run of blanks that could look like the start of another line.
pub fn quoted(line: &impl Display) -> String {
    let line = line.to_string();
    let words: Vec<&str> = line.split_whitespace().collect();
    format!("\u{201c}{}\u{201d}", words.join(" ").replace(['\u{201c}', '\u{201d}'], "'"))
}

fn all_quoted(lines: &[Line]) -> String {
    lines.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn joined<T: ToString>(items: &[T], by: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(by)
}

/// `a`, `a and b`, `a, b and c`.
pub fn all_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// `alice`, `alice or bob`, `alice, bob or carol`.
pub fn one_of(handles: &[&Handle]) -> String {
    any_of(&handles.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// The same of anything else.
pub fn any_of(words: &[String]) -> String {
    match words {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}
