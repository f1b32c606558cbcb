//! Which key on record a device is, proved by a signature over a random challenge, and the
//! failures of those that are none.

use super::exit;
use super::failure::Failure;
use super::session::Session;
use super::unlock::stranger_text;
use crate::key::Device;
use crate::key::identify::Identity;
use crate::record::KeyName;

/// The enrolled key that a device is, proved without a touch where the key allows it.
pub fn prove(
    session: &mut Session<'_>,
    device: &Device,
    claimed: Option<&KeyName>,
) -> Result<KeyName, Failure> {
    match session.identify(device)? {
        Identity::This(name) => Ok(name),
        Identity::Stranger => {
            Err(Failure::new(exit::NO, stranger_text(std::slice::from_ref(device))))
        }
        Identity::Impostor(name) => Err(impostor(device, &name)),
        // Its signature will tell.
        Identity::WontSay => claimed.cloned().ok_or_else(|| wont_say(device)),
    }
}

/// The failure of a device that doesn't say which key it is.
pub fn wont_say(device: &Device) -> Failure {
    Failure::new(exit::USAGE, format!("{} doesn't say which key it is without a touch", device.id))
        .hint("name the key that it should be, such as keymuster key check alice/primary")
}

/// The failure of a device that only says that it is an enrolled key.
pub fn impostor(device: &Device, name: &KeyName) -> Failure {
    Failure::new(
        exit::NO,
        format!("{} poses as {name} and isn't: its signature is by another key", device.id),
    )
    .hint("don't type a PIN for it, and find out where it comes from")
}
