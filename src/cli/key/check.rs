//! `keymuster key check`: which enrolled key is this? A check is a signature: the key proves
//! itself by signing the entry that says so.

use clap::Args;

use super::{Recorded, prove, wont_say};
use crate::cli::context::Context;
use crate::cli::device::{ChosenKey, candidates, none_plugged_in, too_many};
use crate::cli::enrolment::impostor;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::cli::signing::{Change, Cosigner};
use crate::cli::unlock::{Opener, couldnt_ask, stranger_text};
use crate::key::Device;
use crate::key::identify::Identity;
use crate::record::{Event, KeyChecked, KeyName};

/// `keymuster key check`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keymuster key check alice/primary")]
pub struct Check {
    /// The key that is meant, such as alice/primary, where several are plugged in
    key: Option<KeyName>,
}

pub fn run(context: &Context, check: &Check) -> Result<Answer, Failure> {
    let mut session = match (context.reader_identities()?, &check.key) {
        (Some(identities), _) => Session::open_as_reader(context, &identities)?,
        (None, Some(key)) => Session::open_to_write(context, Opener::Key(key), None)?,
        (None, None) => Session::open_to_write(context, Opener::TheOnly, None)?,
    };
    if let Some(wanted) = &check.key
        && session.state().active_key(wanted).is_none()
    {
        let known: Vec<String> = session.state().keys().keys().map(ToString::to_string).collect();
        return Err(Failure::new(exit::USAGE, format!("no key {wanted} is enrolled"))
            .hint(format!("enrolled are: {}", known.join(", "))));
    }
    let (name, key) = match session.unlocked.take() {
        Some(unlocked) => {
            let name = prove(&mut session, &unlocked.key.device, Some(&unlocked.name))?;
            (name, unlocked.key)
        }
        None => {
            let (name, device) = find_enrolled(&mut session, check.key.as_ref())?;
            let key = ChosenKey::new(session.keys.as_mut(), device, name.to_string())?;
            (name, key)
        }
    };
    if let Some(wanted) = &check.key
        && *wanted != name
    {
        return Err(Failure::new(
            exit::NO,
            format!("the key that is plugged in is {name}, not {wanted}"),
        )
        .hint(format!("plug in {wanted}, or leave --device away")));
    }
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
        (many, _) => {
            let listed: Vec<_> = many
                .iter()
                .map(|(name, device)| (device.clone(), Some(name.to_string())))
                .collect();
            Err(too_many("one is meant", &listed))
        }
    }
}
