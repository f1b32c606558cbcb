//! Which enrolled key is this device?
//!
//! A device's path, serial number, product name and AAGUID are no identity: anybody can
//! copy them. A credential is: only the key that made it can sign with it. The device is
//! asked silently, without a touch or a PIN, to sign a fresh challenge with any of the
//! enrolled credentials, and its signature is verified against the public key on record.
//!
//! This module must not ask for a touch or a PIN, and must not believe a claim that it
//! didn't verify; [`hint`] doesn't verify, and its answer is named a claim.

use super::{Authenticator, DeviceId, KeyError, Probe, ProbeAnswer};
use crate::sshsig::{PublicKey, verify_assertion};
use crate::webauthn::CredentialId;

/// Credentials in one [`Probe`] at most.
const PROBE_SIZE: usize = 512;

/// One key on record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnrolledKey<Name> {
    /// What the caller calls it.
    pub name: Name,
    /// Its credential for signing.
    pub credential: CredentialId,
    /// The public key of that credential, and its application.
    pub public_key: PublicKey,
}

/// Which key a device is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identity<Name> {
    /// This one: it signed the challenge.
    This(Name),
    /// None of them.
    Stranger,
    /// It answers no question without a touch (`alwaysUv`, or credProtect level 3).
    WontSay,
    /// It claims the credential of this one, but the signature isn't by that key.
    Impostor(Name),
}

/// What a device claims to hold. Nothing was verified: good for choosing what to ask
/// next, and for nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// It says that it holds this credential.
    Holds(CredentialId),
    /// It says that it holds none of them.
    Stranger,
    /// It answers no question without a touch.
    WontSay,
}

/// Tells which enrolled key a device is, without a touch. Keys enrolled for another
/// application than `application` are passed over.
///
/// `challenge` must be random and fresh: a device that can foresee it could have had the
/// real key sign it earlier. The flag UP is expected to be off but not asked for, as some
/// old keys set it unasked; who signed is proved either way.
pub fn identify<Name: Clone>(
    authenticator: &mut dyn Authenticator,
    device: &DeviceId,
    application: &str,
    enrolled: &[EnrolledKey<Name>],
    challenge: [u8; 32],
) -> Result<Identity<Name>, KeyError> {
    let enrolled: Vec<&EnrolledKey<Name>> =
        enrolled.iter().filter(|key| key.public_key.application() == application).collect();
    let credentials: Vec<CredentialId> =
        enrolled.iter().map(|key| key.credential.clone()).collect();
    let (claimed, assertion) =
        match probe_all(authenticator, device, application, &credentials, challenge)? {
            ProbeAnswer::HoldsNone => return Ok(Identity::Stranger),
            ProbeAnswer::WontSay => return Ok(Identity::WontSay),
            ProbeAnswer::Holds(claimed, assertion) => (claimed, assertion),
        };
    // Keys choose their credential ids, so that two keys on record may share one.
    let mut impostor = None;
    for key in enrolled.into_iter().filter(|key| key.credential == claimed) {
        let verified = verify_assertion(
            &key.public_key,
            &assertion.authenticator_data,
            &assertion.signature,
            &challenge,
        );
        if verified.is_ok() {
            return Ok(Identity::This(key.name.clone()));
        }
        impostor.get_or_insert(&key.name);
    }
    impostor.cloned().map(Identity::Impostor).ok_or_else(not_asked_for)
}

/// Asks a device which of some credentials it holds, and believes it: for credentials
/// whose public key nobody recorded.
pub fn hint(
    authenticator: &mut dyn Authenticator,
    device: &DeviceId,
    application: &str,
    credentials: &[CredentialId],
    challenge: [u8; 32],
) -> Result<Claim, KeyError> {
    match probe_all(authenticator, device, application, credentials, challenge)? {
        ProbeAnswer::Holds(claimed, _) => Ok(Claim::Holds(claimed)),
        ProbeAnswer::HoldsNone => Ok(Claim::Stranger),
        ProbeAnswer::WontSay => Ok(Claim::WontSay),
    }
}

/// Probes for any number of credentials, until the device says something.
fn probe_all(
    authenticator: &mut dyn Authenticator,
    device: &DeviceId,
    application: &str,
    credentials: &[CredentialId],
    challenge: [u8; 32],
) -> Result<ProbeAnswer, KeyError> {
    for some in credentials.chunks(PROBE_SIZE) {
        let probe =
            Probe { application: application.to_owned(), credentials: some.to_vec(), challenge };
        match authenticator.probe(device, &probe)? {
            ProbeAnswer::HoldsNone => {}
            ProbeAnswer::Holds(claimed, _) if !some.contains(&claimed) => {
                return Err(not_asked_for());
            }
            answer => return Ok(answer),
        }
    }
    Ok(ProbeAnswer::HoldsNone)
}

fn not_asked_for() -> KeyError {
    KeyError::Nonsense("it claims a credential that nobody asked for".to_owned())
}

#[cfg(test)]
mod tests;
