//! `keymuster key check`: which enrolled key is this? A check is a signature: the key proves
//! itself by signing the entry that says so.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Recorded;
use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::cosigners::{By, Cosigner, Matter, Signers};
use crate::cli::device::{ChosenKey, candidates, none_plugged_in, too_many};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::proof::{impostor, wont_say};
use crate::cli::schedule::keys_due;
use crate::cli::session::Session;
use crate::cli::slip::write_slip;
use crate::cli::unlock::{Opener, couldnt_ask, stranger_text};
use crate::key::Device;
use crate::key::identify::Identity;
use crate::record::{Event, KeyChecked, KeyName};

/// `keymuster key check`
#[derive(Debug, Args)]
#[command(
    after_help = "Several keys sign one entry; those that aren't plugged in are asked for.\n\n\
    Examples:\n  keymuster key check alice/primary\n  keymuster key check alice/primary bob/blue\n  keymuster key check --due"
)]
pub struct Check {
    /// The keys that are meant, such as alice/primary, where several are plugged in
    keys: Vec<KeyName>,
    /// Every key that is plugged in and due to be checked by the vault's policy
    #[arg(long, conflicts_with = "keys")]
    due: bool,
    /// Write a signed slip to this file, for the log of a copy of the vault that is elsewhere,
    /// instead of an entry here
    #[arg(long, value_name = "FILE", conflicts_with = "due")]
    slip: Option<PathBuf>,
}

pub fn run(context: &Context, check: &Check) -> Result<Answer, Failure> {
    if let Some(file) = &check.slip {
        return slip(context, check, file);
    }
    match (check.due, check.keys.as_slice()) {
        (true, _) => {
            let session = open(context, None)?;
            check_due(session)
        }
        (false, [first, _, ..]) => {
            let session = open(context, Some(first))?;
            check_several(session, &check.keys)
        }
        (false, few) => check_one(context, few.first()),
    }
}

/// The same in a slip: each key signs it.
fn slip(context: &Context, check: &Check, file: &Path) -> Result<Answer, Failure> {
    let by = check.keys.iter().cloned().map(By::Key).collect();
    write_slip(context, file, &Signers { by }, |session, opener| {
        let keys = if check.keys.is_empty() { std::slice::from_ref(opener) } else { &check.keys };
        keys.iter().try_for_each(|key| check_active(session, key))?;
        let checked = |key: &KeyName| Event::KeyChecked(KeyChecked { key: key.clone() });
        Ok(Change { events: keys.iter().map(checked).collect(), ..Change::default() })
    })
}

/// Opens the vault without a touch where that is possible, else with this key, or any.
fn open<'a>(context: &'a Context, key: Option<&KeyName>) -> Result<Session<'a>, Failure> {
    match Session::open_without_key(context)? {
        Some(session) => Ok(session),
        None => Session::open_to_write(context, key.map_or(Opener::Any, Opener::Key), None),
    }
}

/// Has every key that is plugged in and due sign one entry.
fn check_due(mut session: Session<'_>) -> Result<Answer, Failure> {
    let mut absent = keys_due(&session)?;
    let mut due: Vec<KeyName> = Vec::new();
    for device in session.keys.devices()? {
        match session.identify(&device) {
            Ok(Identity::This(name)) => due.extend(absent.take(&name)),
            Ok(Identity::Stranger) => {}
            Ok(Identity::Impostor(name)) => return Err(impostor(&device, &name)),
            Ok(Identity::WontSay) => session.context.terminal.say(&format!(
                "Passing over {}: it doesn't say which key it is without a touch.",
                device.id
            )),
            Err(failure) if failure.exit == exit::INTERRUPTED => return Err(failure),
            Err(failure) => {
                let passed = format!("Passing over {}: {}.", device.id, failure.message);
                session.context.terminal.say(&passed);
            }
        }
    }
    for name in &absent {
        session.context.terminal.say(&format!("{name} is due too, and isn't plugged in."));
    }
    due.sort();
    if due.is_empty() {
        let words = "No key that is plugged in is due to be checked.\n".to_owned();
        return Ok(Answer::new("keys-checked", &serde_json::json!({ "keys": [] }), words));
    }
    check_several(session, &due)
}

fn check_several(mut session: Session<'_>, keys: &[KeyName]) -> Result<Answer, Failure> {
    session.vault.check_sound()?;
    let mut wanted: Vec<KeyName> = keys.to_vec();
    wanted.sort();
    wanted.dedup();
    for key in &wanted {
        check_active(&session, key)?;
    }
    let opener = match session.unlocked {
        Some(_) => Some(session.opener()?),
        None => None,
    };
    let signs = |opener: &Cosigner| wanted.contains(&opener.name);
    let first: Vec<Cosigner> = opener.into_iter().filter(signs).collect();
    let events: Vec<Event> =
        wanted.iter().map(|key| Event::KeyChecked(KeyChecked { key: key.clone() })).collect();
    let signers = session.gather(Matter::of(&events), first, &[])?;
    let decided = session.decide(signers, Change { events, ..Change::default() })?;
    let words = wanted.iter().map(|key| format!("{key} is the key that was enrolled.\n")).collect();
    Ok(decided.answer(&session, words))
}

fn check_active(session: &Session<'_>, wanted: &KeyName) -> Result<(), Failure> {
    if session.state().active_key(wanted).is_some() {
        return Ok(());
    }
    if let Some(key) = session.state().keys().get(wanted) {
        let is = key.state.word();
        return Err(Failure::new(exit::NO, format!("{wanted} is {is}, and may not sign a check")));
    }
    let known: Vec<String> = session.state().keys().keys().map(ToString::to_string).collect();
    Err(Failure::new(exit::USAGE, format!("no key {wanted} is enrolled"))
        .hint(format!("enrolled are: {}", known.join(", "))))
}

fn check_one(context: &Context, wanted: Option<&KeyName>) -> Result<Answer, Failure> {
    let mut session = match (Session::open_without_key(context)?, wanted) {
        (Some(session), _) => session,
        (None, Some(key)) => Session::open_to_write(context, Opener::Key(key), None)?,
        (None, None) => Session::open_to_write(context, Opener::TheOnly, None)?,
    };
    session.vault.check_sound()?;
    if let Some(wanted) = wanted {
        check_active(&session, wanted)?;
    }
    let (name, key) = match session.unlocked.take() {
        Some(unlocked) => session.prove_opener(unlocked.key, &unlocked.name)?,
        None => {
            let (name, device) = find_enrolled(&mut session, wanted)?;
            let key = ChosenKey::new(session.keys.as_mut(), device, name.to_string())?;
            (name, key)
        }
    };
    if let Some(wanted) = wanted
        && *wanted != name
    {
        return Err(Failure::new(
            exit::NO,
            format!("the key that is plugged in is {name}, not {wanted}"),
        )
        .hint(format!("plug in {wanted}, or leave --device away")));
    }
    check_active(&session, &name)?;
    let event = Event::KeyChecked(KeyChecked { key: name.clone() });
    let signer = Cosigner { name: name.clone(), key, identity: None };
    let decided = session.decide(vec![signer], Change::of(event))?;
    let human = format!("This is {name}, the key that was enrolled.\n{}", decided.sentence());
    let view = Recorded::new(&session, &name, &decided);
    Ok(Answer::new("key-checked", &view, human).recording(decided.at.entry))
}

/// The one enrolled key that is plugged in, or the one that is wanted.
fn find_enrolled(
    session: &mut Session<'_>,
    wanted: Option<&KeyName>,
) -> Result<(KeyName, Device), Failure> {
    let devices = candidates(session.keys.as_mut(), session.context.device())?;
    if devices.is_empty() {
        return Err(none_plugged_in());
    }
    let mut found: Vec<(KeyName, Device)> = Vec::new();
    let mut refusal = None;
    let mut unasked = Vec::new();
    for device in &devices {
        match session.identify(device) {
            Ok(Identity::This(name)) => found.push((name, device.clone())),
            Ok(Identity::Stranger) => {}
            Ok(Identity::Impostor(name)) => refusal = Some(impostor(device, &name)),
            Ok(Identity::WontSay) => match wanted {
                Some(name) if devices.len() == 1 => found.push((name.clone(), device.clone())),
                _ => refusal = Some(wont_say(device)),
            },
            Err(failure) if devices.len() == 1 || failure.exit == exit::INTERRUPTED => {
                return Err(failure);
            }
            Err(failure) => {
                let passed = format!("Passing over {}: {}.", device.id, failure.message);
                session.context.terminal.say(&passed);
                unasked.push(device.clone());
            }
        }
    }
    if let Some(wanted) = wanted
        && found.iter().any(|(name, _)| name == wanted)
    {
        found.retain(|(name, _)| name == wanted);
    }
    let is_wanted = |(name, _): &(KeyName, Device)| wanted.is_none_or(|wanted| wanted == name);
    match (found.as_slice(), refusal) {
        // The one that is meant may be among those.
        (others, None) if !unasked.is_empty() && !others.iter().any(is_wanted) => {
            let absent = wanted.map_or("no enrolled key".to_owned(), |name| format!("no {name}"));
            Err(couldnt_ask(&absent, &unasked))
        }
        ([one], _) => Ok(one.clone()),
        ([], Some(refusal)) => Err(refusal),
        ([], None) => Err(Failure::new(exit::NO, stranger_text(&devices))
            .hint("keymuster key list shows what is plugged in and what is enrolled")),
        (_, _) if wanted.is_some_and(|wanted| found.iter().all(|(name, _)| name != wanted)) => {
            let wanted = wanted.map(ToString::to_string).unwrap_or_default();
            let others: Vec<String> = found.iter().map(|(name, _)| name.to_string()).collect();
            let message = format!("{wanted} isn't plugged in; these are: {}", others.join(", "));
            Err(Failure::new(exit::ABSENT, message).hint(format!("plug in {wanted}")))
        }
        (many, _) => {
            let listed: Vec<_> = many
                .iter()
                .map(|(name, device)| (device.clone(), Some(name.to_string())))
                .collect();
            Err(too_many("one is meant", &listed))
        }
    }
}
