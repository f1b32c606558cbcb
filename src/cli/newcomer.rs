//! A key that joins a vault: found beside those that are enrolled, with whoever must sign for
//! it, before anybody touches anything; then enrolled, and sealed to.

use super::change::Change;
use super::cosigners::{By, Cosigner, Matter};
use super::device::{ChosenKey, candidates, none_plugged_in, too_many};
use super::enrolment::{Enrolment, STEPS, check_fitness, dry_copy, ready_key};
use super::epochs;
use super::exit;
use super::failure::Failure;
use super::paper::Paper;
use super::prompt::Question;
use super::proof::impostor;
use super::session::Session;
use super::signing::Decided;
use crate::key::Device;
use crate::key::identify::Identity;
use crate::record::{Event, KeyName, PAPER};
use crate::vault::{AgeIdentity, PersonalIdentity};

/// A key that is about to be enrolled, and who signs for it: chosen before anybody touches
/// anything.
pub struct Newcomer {
    /// The new key first, then whoever opened the vault, then others who must.
    pub signers: Vec<Cosigner>,
    name: KeyName,
}

impl Newcomer {
    /// Finds the new key and whoever must sign for it. `events` are those beside the
    /// enrolment itself.
    pub fn gather(
        session: &mut Session<'_>,
        name: KeyName,
        opener: Cosigner,
        events: &[Event],
        by: &[By],
    ) -> Result<Self, Failure> {
        if name.label.as_str() == PAPER {
            return Err(Failure::new(
                exit::USAGE,
                "a key can't be called paper: that is the copy in the safe",
            ));
        }
        if session.state().keys().contains_key(&name) {
            return Err(Failure::new(
                exit::FAILED,
                format!("there is a key {name} already, and no name is used twice"),
            ));
        }
        session.take_blank()?;
        let device = new_device(session, &[&opener.key.device])?;
        let key = ready_key(session.context, session.keys.as_mut(), device, &name)?;
        check_fitness(&key)?;
        let new = Cosigner { name: name.clone(), key, identity: None };
        let dry: Vec<Event> = events.iter().cloned().chain([dry_copy(&name)]).collect();
        // Events beside the enrolment are those of a new identity, for which compartments are
        // sealed anew.
        let matter = Matter { reseals: !events.is_empty(), ..Matter::of(&dry) };
        let signers = session.gather(matter, vec![new, opener], by)?;
        Ok(Self { signers, name })
    }

    /// Makes the new key's credentials and its copy of an identity: four touches.
    pub fn enrol(
        &mut self,
        session: &mut Session<'_>,
        identity: PersonalIdentity,
    ) -> Result<(Change, PersonalIdentity), Failure> {
        let Some(new) = self.signers.first_mut() else { return Err(none_plugged_in()) };
        session.settle(new)?;
        enrol_key(session, &new.key, &self.name, identity)
    }

    /// The same with a new identity, a copy of it on paper, and compartments that are sealed
    /// anew to it; `first` are the events that make it the owner's.
    pub fn enrol_with_new_identity(
        mut self,
        session: &mut Session<'_>,
        identity: PersonalIdentity,
        first: Vec<Event>,
        paper: Paper<'_>,
    ) -> Result<Decided, Failure> {
        let (mut change, identity) = self.enrol(session, identity)?;
        change.events.splice(0..0, first);
        let layout = session.vault.location().layout.clone();
        let (event, file, identity) = paper.seal(identity, &layout)?;
        change.events.push(Event::IdentitySealed(event));
        change.files.push(file);
        let opened: Vec<&AgeIdentity> =
            self.signers.iter().filter_map(|s| s.identity.as_ref()).map(|i| i.key()).collect();
        epochs::renew(session.context, &session.vault, &mut change, &opened, false)?;
        if let Some(new) = self.signers.first_mut() {
            new.identity = Some(identity);
        }
        session.decide(self.signers, change)
    }
}

/// Makes a key part of a vault, with its own copy of its owner's identity: four touches. The
/// identity comes back under the number of that copy.
fn enrol_key(
    session: &mut Session<'_>,
    key: &ChosenKey,
    name: &KeyName,
    identity: PersonalIdentity,
) -> Result<(Change, PersonalIdentity), Failure> {
    let location = session.vault.location().clone();
    let (vault, layout) = (location.id, &location.layout);
    let (context, realm) = (session.context, session.state().realm());
    let enrolled = session.known_keys(|_| true).into_iter().map(|key| key.credential).collect();
    let keys = session.keys.as_mut();
    let mut enrolment = Enrolment { context, keys, key, vault, realm, name: name.clone() };
    let new = enrolment.make_credentials(enrolled)?;
    let identity = identity.renumbered(layout.free_generation(&name.owner, &name.label));
    let (sealed, files) = enrolment.seal_identity(layout, &identity, &new.unlocking, STEPS)?;
    let events = vec![Event::KeyEnrolled(Box::new(new.enrolment)), Event::IdentitySealed(sealed)];
    Ok((Change { events, files, ..Change::default() }, identity))
}

/// The device that is to be enrolled: none of those that are at hand already, and none that
/// is enrolled.
fn new_device(session: &mut Session<'_>, at_hand: &[&Device]) -> Result<Device, Failure> {
    let context = session.context;
    let realm = session.state().realm();
    let mut asked = false;
    loop {
        let mut strangers = Vec::new();
        let mut enrolled = Vec::new();
        for device in candidates(session.keys.as_mut(), context.new_device(realm))? {
            match session.identify(&device)? {
                Identity::This(name) => enrolled.push((device, name)),
                Identity::Impostor(name) => return Err(impostor(&device, &name)),
                // It may be the one at hand. A stranger isn't: people swap keys at one port.
                Identity::WontSay if at_hand.iter().any(|known| known.id == device.id) => {}
                _ => strangers.push(device),
            }
        }
        if let ([], [(device, name), ..], true) =
            (strangers.as_slice(), enrolled.as_slice(), context.globals.device.is_some())
        {
            return Err(Failure::new(
                exit::FAILED,
                format!("{} is enrolled already, as {name}", device.id),
            ));
        }
        match strangers.len() {
            1 => return strangers.pop().ok_or_else(none_plugged_in),
            0 => {
                if asked {
                    let known: Vec<String> =
                        enrolled.iter().map(|(_, name)| name.to_string()).collect();
                    let known = if known.is_empty() {
                        String::new()
                    } else {
                        format!("; enrolled already: {}", known.join(", "))
                    };
                    context.terminal.say(&format!("No new key is plugged in{known}."));
                }
                asked = true;
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
