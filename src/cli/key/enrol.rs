//! `keymuster key enrol`: one more key of a custodian.

use clap::Args;

use super::{Recorded, impostor, prove};
use crate::cli::context::Context;
use crate::cli::device::{candidates, none_plugged_in, too_many};
use crate::cli::enrolment::{Enrolment, check_fitness, ready_key};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::prompt::Question;
use crate::cli::session::Session;
use crate::cli::unlock::Opener;
use crate::key::identify::Identity;
use crate::key::{Device, DeviceId};
use crate::record::authority::judge;
use crate::record::{Event, Handle, Hex, IdentitySealed, KeyName, PAPER};

/// `keymuster key enrol`
#[derive(Debug, Args)]
#[command(
    after_help = "Both keys are plugged in: the new one, and an enrolled one that signs for it.\n\
    Where the enrolled one can't be told silently, --device names the new one.\n\n\
    Example:\n  keymuster key enrol blue"
)]
pub struct Enrol {
    /// What the key is to be called
    label: Handle,
    /// Whose key it is; else that of the custodian whose key opens the vault
    #[arg(long = "for", value_name = "HANDLE")]
    owner: Option<Handle>,
}

pub fn run(context: &Context, enrol: &Enrol) -> Result<Answer, Failure> {
    if enrol.label.as_str() == PAPER {
        return Err(Failure::new(
            exit::USAGE,
            "a key can't be called paper: that is the copy in the safe",
        ));
    }
    // --device names the new key: any other may open the vault.
    let aside = context.globals.device.clone().map(DeviceId);
    let opener = enrol.owner.as_ref().map_or(Opener::Any, Opener::Of);
    let mut session = Session::open_to_write(context, opener, aside.as_ref())?;
    let Some(unlocked) = session.unlocked.take() else {
        return Err(Failure::new(
            exit::FAILED,
            "the vault was opened without a key, which is a bug in keymuster",
        ));
    };
    session.vault.check_sound()?;
    let realm = session.state().realm();
    let root = session.vault.location().layout.root().to_owned();
    session.keys = context.keys_with_blank(realm, &root)?;
    let signer = prove(&mut session, &unlocked.key.device, Some(&unlocked.name))?;
    let owner = enrol.owner.clone().unwrap_or_else(|| unlocked.name.owner.clone());
    let name = KeyName { owner, label: enrol.label.clone() };
    if session.state().keys().contains_key(&name) {
        return Err(Failure::new(
            exit::FAILED,
            format!("there is a key {name} already, and no name is used twice"),
        ));
    }
    // Whether these two keys may enrol it is known before either is touched.
    let dry = Event::IdentitySealed(IdentitySealed {
        custodian: name.owner.clone(),
        slot: name.label.clone(),
        generation: 1,
        sha256: Hex([0; 32]),
        plugin_sha256: None,
    });
    judge(&dry, session.state(), &[name.clone(), signer.clone()]).map_err(|error| {
        Failure::because(exit::FAILED, format!("{name} can't be enrolled like this"), &error)
    })?;
    let device = new_device(context, &mut session, &unlocked.key.device)?;
    let key = ready_key(context, session.keys.as_mut(), device, &name)?;
    check_fitness(&key)?;

    let location = session.vault.location().clone();
    let enrolled = session.enrolled().into_iter().map(|key| key.credential).collect();
    let mut enrolment = Enrolment {
        context,
        keys: session.keys.as_mut(),
        key: &key,
        vault: location.id,
        realm,
        name: name.clone(),
    };
    let new = enrolment.make_credentials(enrolled)?;
    let layout = &location.layout;
    // A number that a file holds which no entry names is skipped.
    let taken = |number: &u32| {
        layout.identity(&name.owner, &name.label, *number).exists()
            || layout.plugin_identity(&name.owner, &name.label, *number).exists()
    };
    let generation = (1..).find(|number| !taken(number)).unwrap_or(u32::MAX);
    let identity = unlocked.identity.renumbered(generation);
    let (sealed, files) = enrolment.seal_identity(layout, &identity, &new.unlocking)?;
    let events = vec![Event::KeyEnrolled(Box::new(new.enrolment)), Event::IdentitySealed(sealed)];
    let signers = [(name.clone(), key), (signer.clone(), unlocked.key)];
    let stamp = session.append(&signers, events, &files)?;
    let human = format!(
        "Enrolled {name}.\nRecorded entry {}, signed by {name} and {signer}.\n",
        stamp.entry
    );
    let view = Recorded::new(&session, &name, stamp, &[&name, &signer]);
    Ok(Answer::new("key-enrolled", &view, human).recording(stamp.entry))
}

/// The device that is to be enrolled: not the one that opened the vault, and none that is
/// enrolled.
fn new_device(
    context: &Context,
    session: &mut Session<'_>,
    opener: &Device,
) -> Result<Device, Failure> {
    let realm = session.state().realm();
    loop {
        let mut strangers = Vec::new();
        let mut enrolled = None;
        for device in candidates(session.keys.as_mut(), context.new_device(realm))? {
            match session.identify(&device)? {
                Identity::This(name) => enrolled = Some((device, name)),
                Identity::Impostor(name) => return Err(impostor(&device, &name)),
                _ if device.id == opener.id => {}
                _ => strangers.push(device),
            }
        }
        if let ([], Some((device, name)), true) =
            (strangers.as_slice(), &enrolled, context.globals.device.is_some())
        {
            return Err(Failure::new(
                exit::FAILED,
                format!("{} is enrolled already, as {name}", device.id),
            ));
        }
        match strangers.len() {
            1 => return strangers.pop().ok_or_else(none_plugged_in),
            0 => {
                context.terminal.ask(&Question {
                    text: "Plug in the new key, leave the other one in, and press Enter: ",
                    about: "no new security key is plugged in",
                    instead: "plug in the new key beside the enrolled one",
                })?;
            }
            _ => {
                let listed: Vec<_> = strangers.into_iter().map(|device| (device, None)).collect();
                return Err(too_many("one of them is to be enrolled", &listed));
            }
        }
    }
}
