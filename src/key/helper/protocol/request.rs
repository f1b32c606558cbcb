//! What the parent asks, and what it may say after that: stop.
//!
//! The child trusts its parent, and checks every bound all the same. A PIN lies in one frame
//! at each end, which is wiped; nothing here may put it into another buffer that isn't.

use super::{credential, device};
use crate::key::helper::limits::{MAX_CREDENTIALS, MAX_TEXT};
use crate::key::helper::wire::{Frame, FrameTooLong, Garbled, Reader, Writer};
use crate::key::{
    Algorithm, DeviceId, GetAssertion, GetHmacSecret, MakeCredential, Pin, Probe, UserVerification,
};
use crate::webauthn::{CredentialId, HmacSecretSalts};

const MAX_APPLICATION: usize = 256;
const MAX_CHALLENGE: usize = 16 * 1024;

/// What the parent asks, borrowed from whoever asked it.
pub(in crate::key::helper) enum Ask<'a> {
    /// What is plugged in.
    Devices,
    /// Something of one device.
    Of(&'a DeviceId, Question<'a>),
}

/// What one device is asked.
pub(in crate::key::helper) enum Question<'a> {
    Info,
    Probe(&'a Probe),
    MakeCredential(&'a MakeCredential, UserVerification<'a>),
    Sign(&'a GetAssertion, UserVerification<'a>),
    HmacSecret(&'a GetHmacSecret, UserVerification<'a>),
    SetPin(&'a Pin),
}

/// An [`Ask`], as the child owns it.
pub(in crate::key::helper) enum Request {
    Devices,
    Of(DeviceId, Task),
}

/// A [`Question`], as the child owns it.
pub(in crate::key::helper) enum Task {
    Info,
    Probe(Probe),
    MakeCredential(MakeCredential, Verification),
    Sign(GetAssertion, Verification),
    HmacSecret(GetHmacSecret, Verification),
    SetPin(Pin),
}

/// [`UserVerification`] with a PIN of its own.
pub(in crate::key::helper) enum Verification {
    Pin(Pin),
    BuiltIn,
    Omitted,
}

impl Verification {
    pub(in crate::key::helper) fn borrow(&self) -> UserVerification<'_> {
        match self {
            Self::Pin(pin) => UserVerification::Pin(pin),
            Self::BuiltIn => UserVerification::BuiltIn,
            Self::Omitted => UserVerification::Omitted,
        }
    }
}

impl<'a> Ask<'a> {
    /// The device that is asked; none for the listing.
    pub(in crate::key::helper) fn device(&self) -> Option<&'a DeviceId> {
        match self {
            Self::Devices => None,
            Self::Of(device, _) => Some(device),
        }
    }

    pub(in crate::key::helper) fn encode(&self) -> Result<Frame, FrameTooLong> {
        let mut writer = Writer::new();
        match self {
            Self::Devices => _ = writer.byte(0),
            Self::Of(device, question) => question.put(writer.byte(1).text(&device.0)),
        }
        writer.finish()
    }
}

impl Question<'_> {
    fn put(&self, w: &mut Writer) {
        match self {
            Self::Info => _ = w.byte(0),
            Self::Probe(probe) => {
                w.byte(1).text(&probe.application).exactly(&probe.challenge);
                put_credentials(w, &probe.credentials);
            }
            Self::MakeCredential(request, verification) => {
                w.byte(2).text(&request.application).text(&request.user_name);
                w.bytes(&request.challenge).signed(request.algorithm.cose());
                w.flag(request.hmac_secret);
                put_credentials(w, &request.exclude);
                put_verification(w, *verification);
            }
            Self::Sign(request, verification) => {
                w.byte(3).text(&request.application);
                w.bytes(request.credential.as_bytes()).bytes(&request.challenge);
                put_verification(w, *verification);
            }
            Self::HmacSecret(request, verification) => {
                w.byte(4).text(&request.application);
                w.bytes(request.credential.as_bytes());
                w.exactly(&request.salts.first).exactly(&request.salts.second);
                put_verification(w, *verification);
            }
            Self::SetPin(pin) => _ = w.byte(5).secret(pin.expose().as_bytes()),
        }
    }
}

impl Request {
    /// The device that is asked; none for the listing.
    pub(in crate::key::helper) fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Devices => None,
            Self::Of(device, _) => Some(device),
        }
    }

    pub(in crate::key::helper) fn decode(body: &[u8]) -> Result<Self, Garbled> {
        let mut reader = Reader::new(body);
        let request = match reader.byte()? {
            0 => Self::Devices,
            1 => Self::Of(device(&mut reader)?, task(&mut reader)?),
            _ => return Err(Garbled("it is of no known kind")),
        };
        reader.end()?;
        Ok(request)
    }
}

fn task(r: &mut Reader<'_>) -> Result<Task, Garbled> {
    Ok(match r.byte()? {
        0 => Task::Info,
        1 => Task::Probe(Probe {
            application: r.text(MAX_APPLICATION)?.to_owned(),
            challenge: r.exactly()?,
            credentials: r.list(MAX_CREDENTIALS, credential)?,
        }),
        2 => Task::MakeCredential(
            MakeCredential {
                application: r.text(MAX_APPLICATION)?.to_owned(),
                user_name: r.text(MAX_TEXT)?.to_owned(),
                challenge: r.bytes(MAX_CHALLENGE)?.to_vec(),
                algorithm: algorithm(r)?,
                hmac_secret: r.flag()?,
                exclude: r.list(MAX_CREDENTIALS, credential)?,
            },
            verification(r)?,
        ),
        3 => Task::Sign(
            GetAssertion {
                application: r.text(MAX_APPLICATION)?.to_owned(),
                credential: credential(r)?,
                challenge: r.bytes(MAX_CHALLENGE)?.to_vec(),
            },
            verification(r)?,
        ),
        4 => Task::HmacSecret(
            GetHmacSecret {
                application: r.text(MAX_APPLICATION)?.to_owned(),
                credential: credential(r)?,
                salts: HmacSecretSalts { first: r.exactly()?, second: r.exactly()? },
            },
            verification(r)?,
        ),
        5 => Task::SetPin(pin(r)?),
        _ => return Err(Garbled("it is of no known kind")),
    })
}

fn put_credentials(w: &mut Writer, credentials: &[CredentialId]) {
    w.count(credentials.len());
    for credential in credentials {
        w.bytes(credential.as_bytes());
    }
}

fn put_verification(w: &mut Writer, verification: UserVerification<'_>) {
    match verification {
        UserVerification::Pin(pin) => w.byte(0).secret(pin.expose().as_bytes()),
        UserVerification::BuiltIn => w.byte(1),
        UserVerification::Omitted => w.byte(2),
    };
}

fn verification(r: &mut Reader<'_>) -> Result<Verification, Garbled> {
    match r.byte()? {
        0 => pin(r).map(Verification::Pin),
        1 => Ok(Verification::BuiltIn),
        2 => Ok(Verification::Omitted),
        _ => Err(Garbled("a user verification is of no known kind")),
    }
}

fn pin(r: &mut Reader<'_>) -> Result<Pin, Garbled> {
    let text = str::from_utf8(r.secret(63)?).map_err(|_| Garbled("a text isn't UTF-8"))?;
    // `Pin` wipes the text that it is taken from.
    Pin::take_from(&mut text.to_owned()).map_err(|_| Garbled("a PIN is unfit"))
}

fn algorithm(r: &mut Reader<'_>) -> Result<Algorithm, Garbled> {
    let number = r.signed()?;
    [Algorithm::Es256, Algorithm::EdDsa]
        .into_iter()
        .find(|known| known.cose() == number)
        .ok_or(Garbled("an algorithm is unknown"))
}

/// What the parent may say after its request: stop.
const CANCEL: u8 = 1;

/// The frame that says [`CANCEL`].
pub(in crate::key::helper) fn cancel_frame() -> Result<Frame, FrameTooLong> {
    let mut writer = Writer::new();
    writer.byte(CANCEL);
    writer.finish()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
