//! Whether a key is where it was. People swap keys while they are asked for another one, and a
//! PIN must never reach a key that it isn't the PIN of: before a key is used again after a
//! question, it is told anew which one it is.

use super::cosigners::Cosigner;
use super::device::ChosenKey;
use super::exit;
use super::failure::Failure;
use super::prompt::Question;
use super::proof::impostor;
use super::session::Session;
use crate::key::identify::{EnrolledKey, Identity};
use crate::record::KeyName;

impl Session<'_> {
    /// Finds a signer's key where it is now. One that is new to the vault is known by what its
    /// device says of itself, and by being none that is enrolled.
    pub fn settle(&mut self, signer: &mut Cosigner) -> Result<(), Failure> {
        let known = self.known_keys(|name| *name == signer.name);
        let moved = match known.first() {
            Some(enrolled) => self.plugged_in_still(&signer.key, enrolled)?,
            None => self.newcomer_still(&signer.name, &signer.key)?,
        };
        if let Some(key) = moved {
            signer.key = key;
        }
        Ok(())
    }

    fn newcomer_still(
        &mut self,
        name: &KeyName,
        key: &ChosenKey,
    ) -> Result<Option<ChosenKey>, Failure> {
        let known = self.known_keys(|_| true);
        let was = &key.device;
        loop {
            let mut devices = self.keys.devices()?;
            devices.retain(|device| device.product == was.product && device.serial == was.serial);
            devices.sort_by_key(|device| device.id != was.id);
            for device in devices {
                match self.identify_among(&device, &known) {
                    Ok(Identity::Stranger | Identity::WontSay) if device.id == was.id => {
                        return Ok(None);
                    }
                    Ok(Identity::Stranger | Identity::WontSay) => {
                        let keys = self.keys.as_mut();
                        return ChosenKey::new(keys, device, name.to_string()).map(Some);
                    }
                    Ok(Identity::Impostor(name)) => return Err(impostor(&device, &name)),
                    // Where it was, it may be: that it can't be asked isn't that it is gone.
                    Err(failure) if failure.exit == exit::INTERRUPTED || device.id == was.id => {
                        return Err(failure);
                    }
                    _ => {}
                }
            }
            self.context.terminal.ask(&Question {
                text: &format!("Plug in the new key, {name}, again and press Enter: "),
                about: &format!("{name}, the new key, isn't plugged in any more"),
                instead: "leave every key that signs plugged in",
            })?;
        }
    }

    /// Where a key is now, if it isn't where it was: people swap keys.
    pub fn plugged_in_still(
        &mut self,
        key: &ChosenKey,
        enrolled: &EnrolledKey<KeyName>,
    ) -> Result<Option<ChosenKey>, Failure> {
        let known = std::slice::from_ref(enrolled);
        loop {
            let mut devices = self.keys.devices()?;
            // Where it was is where it is likely to be.
            devices.sort_by_key(|device| device.id != key.device.id);
            for device in devices {
                match self.identify_among(&device, known) {
                    Ok(Identity::This(_)) if device.id == key.device.id => return Ok(None),
                    Ok(Identity::WontSay) if device.id == key.device.id => return Ok(None),
                    Ok(Identity::This(name)) => {
                        let keys = self.keys.as_mut();
                        return ChosenKey::new(keys, device, name.to_string()).map(Some);
                    }
                    Ok(Identity::Impostor(name)) => return Err(impostor(&device, &name)),
                    // Where it was, it may be: that it can't be asked isn't that it is gone.
                    Err(failure)
                        if failure.exit == exit::INTERRUPTED || device.id == key.device.id =>
                    {
                        return Err(failure);
                    }
                    _ => {}
                }
            }
            let name = &enrolled.name;
            self.context.terminal.ask(&Question {
                text: &format!("Plug in {name} again and press Enter: "),
                about: &format!("{name} must sign, and isn't plugged in any more"),
                instead: "leave every key that signs plugged in",
            })?;
        }
    }
}
