//! What the parent asks, and what the child may answer.
//!
//! Every list, text and value has a bound that is checked on reading, at both ends. Texts
//! that come from the child are sanitised again by the parent: the child may be in the
//! hands of the device. [`Event::decode`] must let nothing through that isn't bounded.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::limits::{
    MAX_AUTHENTICATOR_DATA, MAX_CERTIFICATE, MAX_CERTIFICATES, MAX_CREDENTIALS, MAX_DEVICES,
    MAX_ITEMS, MAX_SIGNATURE, MAX_TEXT,
};
use super::wire::{Frame, FrameTooLong, Garbled, Reader, Writer};
use super::words::{HELPER, NONSENSE, UNSUPPORTED, Words};
use crate::key::{
    Algorithm, Assertion, Attestation, Confinement, Device, DeviceId, DeviceInfo, GetAssertion,
    GetHmacSecret, KeyError, MakeCredential, Pin, Probe, ProbeAnswer, UserVerification,
};
use crate::text::{is_deceptive, sanitise};
use crate::webauthn::{Aaguid, CredentialId, HmacSecretOutput, HmacSecretSalts};

const MAX_PATH: usize = 256;
const MAX_APPLICATION: usize = 256;
const MAX_CHALLENGE: usize = 16 * 1024;

/// What the parent asks, borrowed from whoever asked it.
pub(super) enum Ask<'a> {
    Devices,
    Info(&'a DeviceId),
    Probe(&'a DeviceId, &'a Probe),
    MakeCredential(&'a DeviceId, &'a MakeCredential, UserVerification<'a>),
    Sign(&'a DeviceId, &'a GetAssertion, UserVerification<'a>),
    HmacSecret(&'a DeviceId, &'a GetHmacSecret, UserVerification<'a>),
    SetPin(&'a DeviceId, &'a Pin),
}

/// The same, as the child owns it.
pub(super) enum Request {
    Devices,
    Info(DeviceId),
    Probe(DeviceId, Probe),
    MakeCredential(DeviceId, MakeCredential, Verification),
    Sign(DeviceId, GetAssertion, Verification),
    HmacSecret(DeviceId, GetHmacSecret, Verification),
    SetPin(DeviceId, Pin),
}

/// [`UserVerification`] with a PIN of its own.
pub(super) enum Verification {
    Pin(Pin),
    BuiltIn,
    Omitted,
}

impl Verification {
    pub(super) fn borrow(&self) -> UserVerification<'_> {
        match self {
            Self::Pin(pin) => UserVerification::Pin(pin),
            Self::BuiltIn => UserVerification::BuiltIn,
            Self::Omitted => UserVerification::Omitted,
        }
    }
}

impl<'a> Ask<'a> {
    /// The device that is asked; none for the listing.
    pub(super) fn device(&self) -> Option<&'a DeviceId> {
        match self {
            Self::Devices => None,
            Self::Info(device)
            | Self::Probe(device, _)
            | Self::MakeCredential(device, ..)
            | Self::Sign(device, ..)
            | Self::HmacSecret(device, ..)
            | Self::SetPin(device, _) => Some(device),
        }
    }

    pub(super) fn encode(&self) -> Result<Frame, FrameTooLong> {
        let mut writer = Writer::new();
        let w = &mut writer;
        match self {
            Self::Devices => _ = w.byte(0),
            Self::Info(device) => _ = w.byte(1).text(&device.0),
            Self::Probe(device, probe) => {
                w.byte(2).text(&device.0).text(&probe.application).exactly(&probe.challenge);
                put_credentials(w, &probe.credentials);
            }
            Self::MakeCredential(device, request, verification) => {
                w.byte(3).text(&device.0).text(&request.application).text(&request.user_name);
                w.bytes(&request.challenge).signed(request.algorithm.cose());
                w.flag(request.hmac_secret);
                put_credentials(w, &request.exclude);
                put_verification(w, *verification);
            }
            Self::Sign(device, request, verification) => {
                w.byte(4).text(&device.0).text(&request.application);
                w.bytes(request.credential.as_bytes()).bytes(&request.challenge);
                put_verification(w, *verification);
            }
            Self::HmacSecret(device, request, verification) => {
                w.byte(5).text(&device.0).text(&request.application);
                w.bytes(request.credential.as_bytes());
                w.exactly(&request.salts.first).exactly(&request.salts.second);
                put_verification(w, *verification);
            }
            Self::SetPin(device, pin) => {
                _ = w.byte(6).text(&device.0).secret(pin.expose().as_bytes())
            }
        }
        writer.finish()
    }
}

impl Request {
    /// The device that is asked; none for the listing.
    pub(super) fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Devices => None,
            Self::Info(device)
            | Self::Probe(device, _)
            | Self::MakeCredential(device, ..)
            | Self::Sign(device, ..)
            | Self::HmacSecret(device, ..)
            | Self::SetPin(device, _) => Some(device),
        }
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Garbled> {
        let mut reader = Reader::new(body);
        let r = &mut reader;
        let request = match r.byte()? {
            0 => Self::Devices,
            1 => Self::Info(device(r)?),
            2 => Self::Probe(
                device(r)?,
                Probe {
                    application: r.text(MAX_APPLICATION)?.to_owned(),
                    challenge: r.exactly()?,
                    credentials: r.list(MAX_CREDENTIALS, credential)?,
                },
            ),
            3 => Self::MakeCredential(
                device(r)?,
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
            4 => Self::Sign(
                device(r)?,
                GetAssertion {
                    application: r.text(MAX_APPLICATION)?.to_owned(),
                    credential: credential(r)?,
                    challenge: r.bytes(MAX_CHALLENGE)?.to_vec(),
                },
                verification(r)?,
            ),
            5 => Self::HmacSecret(
                device(r)?,
                GetHmacSecret {
                    application: r.text(MAX_APPLICATION)?.to_owned(),
                    credential: credential(r)?,
                    salts: HmacSecretSalts { first: r.exactly()?, second: r.exactly()? },
                },
                verification(r)?,
            ),
            6 => Self::SetPin(device(r)?, pin(r)?),
            _ => return Err(Garbled("it is of no known kind")),
        };
        reader.end()?;
        Ok(request)
    }
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

fn credential(r: &mut Reader<'_>) -> Result<CredentialId, Garbled> {
    CredentialId::new(r.bytes(CredentialId::MAX)?).ok_or(Garbled("a credential id is empty"))
}

/// A device's path. It comes back to the device as it is, so it can't be sanitised: one
/// that couldn't be shown is refused.
fn device(r: &mut Reader<'_>) -> Result<DeviceId, Garbled> {
    let path = r.text(MAX_PATH)?;
    if path.is_empty() || path.chars().any(is_deceptive) {
        return Err(Garbled("a device's path has characters that can't be shown"));
    }
    Ok(DeviceId(path.to_owned()))
}

fn text(r: &mut Reader<'_>) -> Result<String, Garbled> {
    r.text(MAX_TEXT).map(|text| sanitise(text, MAX_TEXT))
}

/// What the parent may say after its request: stop.
pub(super) const CANCEL: u8 = 1;

/// The frame that says [`CANCEL`].
pub(super) fn cancel_frame() -> Result<Frame, FrameTooLong> {
    let mut writer = Writer::new();
    writer.byte(CANCEL);
    writer.finish()
}

/// What the child says.
#[derive(Debug)]
pub(super) enum Event {
    /// The child has given up what it doesn't need.
    Confined(Confinement),
    /// The key waits for a touch.
    Waiting,
    /// It no longer does.
    Over,
    /// The request is done.
    Done(Reply),
    /// It failed.
    Failed(KeyError),
}

/// The answer to a request.
#[derive(Debug)]
pub(super) enum Reply {
    Devices(Vec<Device>),
    Info(DeviceInfo),
    Probe(ProbeAnswer),
    Attestation(Attestation),
    Assertion(Assertion),
    HmacSecret(HmacSecretOutput),
    PinSet,
}

impl Event {
    pub(super) fn encode(&self) -> Result<Frame, FrameTooLong> {
        let mut writer = Writer::new();
        let w = &mut writer;
        match self {
            Self::Waiting => _ = w.byte(0),
            Self::Over => _ = w.byte(1),
            Self::Done(reply) => put_reply(w.byte(2), reply),
            Self::Failed(error) => put_error(w.byte(3), error),
            Self::Confined(confinement) => {
                w.byte(4).maybe(confinement.landlock.map(u64::from)).flag(confinement.seccomp);
            }
        }
        writer.finish()
    }

    /// Reads what the child said about `device`.
    pub(super) fn decode(body: &[u8], device: &DeviceId) -> Result<Self, Garbled> {
        let mut reader = Reader::new(body);
        let event = match reader.byte()? {
            0 => Self::Waiting,
            1 => Self::Over,
            2 => Self::Done(reply(&mut reader)?),
            3 => Self::Failed(error(&mut reader, device)?),
            4 => Self::Confined(Confinement {
                landlock: reader
                    .maybe()?
                    .map(|version| {
                        u32::try_from(version).map_err(|_| Garbled("a version is too large"))
                    })
                    .transpose()?,
                seccomp: reader.flag()?,
            }),
            _ => return Err(Garbled("it is of no known kind")),
        };
        reader.end()?;
        Ok(event)
    }
}

fn put_reply(w: &mut Writer, reply: &Reply) {
    match reply {
        Reply::Devices(devices) => {
            w.byte(0).count(devices.len());
            for device in devices {
                w.text(&device.id.0).text(&device.product).text(&device.manufacturer);
                w.flag(device.serial.is_some()).text(device.serial.as_deref().unwrap_or(""));
                w.number(device.vendor_id.into()).number(device.product_id.into());
            }
        }
        Reply::Info(info) => {
            w.byte(1);
            for texts in [&info.versions, &info.extensions] {
                w.count(texts.len());
                for text in texts {
                    w.text(text);
                }
            }
            w.exactly(&info.aaguid.0).count(info.options.len());
            for (name, set) in &info.options {
                w.text(name).flag(*set);
            }
            w.count(info.algorithms.len());
            for algorithm in &info.algorithms {
                w.signed(*algorithm);
            }
            w.count(info.pin_protocols.len());
            for protocol in &info.pin_protocols {
                w.number(*protocol);
            }
            w.number(info.min_pin_length).flag(info.force_pin_change);
            w.maybe(info.firmware).maybe(info.pin_retries.map(u64::from));
        }
        Reply::Probe(ProbeAnswer::HoldsNone) => _ = w.byte(2).byte(0),
        Reply::Probe(ProbeAnswer::WontSay) => _ = w.byte(2).byte(1),
        Reply::Probe(ProbeAnswer::Holds(credential, assertion)) => {
            put_assertion(w.byte(2).byte(2).bytes(credential.as_bytes()), assertion);
        }
        Reply::Attestation(attestation) => {
            w.byte(3).text(&attestation.format).bytes(&attestation.authenticator_data);
            w.flag(attestation.algorithm.is_some()).signed(attestation.algorithm.unwrap_or(0));
            w.bytes(&attestation.signature).count(attestation.certificates.len());
            for certificate in &attestation.certificates {
                w.bytes(certificate);
            }
        }
        Reply::Assertion(assertion) => put_assertion(w.byte(4), assertion),
        Reply::HmacSecret(output) => _ = w.byte(5).secret(output.expose()),
        Reply::PinSet => _ = w.byte(6),
    }
}

fn put_assertion(w: &mut Writer, assertion: &Assertion) {
    w.bytes(&assertion.authenticator_data).bytes(&assertion.signature);
}

fn reply(r: &mut Reader<'_>) -> Result<Reply, Garbled> {
    Ok(match r.byte()? {
        0 => Reply::Devices(r.list(MAX_DEVICES, listed_device)?),
        1 => Reply::Info(info(r)?),
        2 => Reply::Probe(match r.byte()? {
            0 => ProbeAnswer::HoldsNone,
            1 => ProbeAnswer::WontSay,
            2 => ProbeAnswer::Holds(credential(r)?, assertion(r)?),
            _ => return Err(Garbled("it is of no known kind")),
        }),
        3 => Reply::Attestation(Attestation {
            format: text(r)?,
            authenticator_data: r.bytes(MAX_AUTHENTICATOR_DATA)?.to_vec(),
            algorithm: {
                let (named, number) = (r.flag()?, r.signed()?);
                named.then_some(number)
            },
            signature: r.bytes(MAX_SIGNATURE)?.to_vec(),
            certificates: r
                .list(MAX_CERTIFICATES, |r| r.bytes(MAX_CERTIFICATE).map(<[u8]>::to_vec))?,
        }),
        4 => Reply::Assertion(assertion(r)?),
        5 => Reply::HmacSecret(hmac_secret_output(r)?),
        6 => Reply::PinSet,
        _ => return Err(Garbled("it is of no known kind")),
    })
}

fn assertion(r: &mut Reader<'_>) -> Result<Assertion, Garbled> {
    Ok(Assertion {
        authenticator_data: r.bytes(MAX_AUTHENTICATOR_DATA)?.to_vec(),
        signature: r.bytes(MAX_SIGNATURE)?.to_vec(),
    })
}

fn hmac_secret_output(r: &mut Reader<'_>) -> Result<HmacSecretOutput, Garbled> {
    // From the frame, which is wiped, by way of one buffer that is wiped too.
    let mut buffer = Zeroizing::new([0; 64]);
    match r.secret(64)? {
        output if output.len() == buffer.len() => buffer.copy_from_slice(output),
        _ => return Err(Garbled("the hmac-secret outputs aren't 64 bytes")),
    }
    Ok(HmacSecretOutput::take_from(&mut buffer))
}

fn listed_device(r: &mut Reader<'_>) -> Result<Device, Garbled> {
    let id = device(r)?;
    let (product, manufacturer) = (text(r)?, text(r)?);
    let (has_serial, serial) = (r.flag()?, text(r)?);
    let too_large = |_| Garbled("a USB id is too large");
    Ok(Device {
        id,
        product,
        manufacturer,
        serial: has_serial.then_some(serial),
        vendor_id: u16::try_from(r.number()?).map_err(too_large)?,
        product_id: u16::try_from(r.number()?).map_err(too_large)?,
    })
}

fn info(r: &mut Reader<'_>) -> Result<DeviceInfo, Garbled> {
    let versions = r.list(MAX_ITEMS, text)?;
    let extensions = r.list(MAX_ITEMS, text)?;
    let aaguid = Aaguid(r.exactly()?);
    let mut options = BTreeMap::new();
    for (name, set) in r.list(MAX_ITEMS, |r| Ok((text(r)?, r.flag()?)))? {
        if options.insert(name, set).is_some() {
            return Err(Garbled("an option is named twice"));
        }
    }
    Ok(DeviceInfo {
        versions,
        extensions,
        aaguid,
        options,
        algorithms: r.list(MAX_ITEMS, Reader::signed)?,
        pin_protocols: r.list(MAX_ITEMS, Reader::number)?,
        min_pin_length: r.number()?,
        force_pin_change: r.flag()?,
        firmware: r.maybe()?,
        pin_retries: retries(r)?,
    })
}

fn retries(r: &mut Reader<'_>) -> Result<Option<u32>, Garbled> {
    r.maybe()?
        .map(|n| u32::try_from(n).map_err(|_| Garbled("a number of retries is too large")))
        .transpose()
}

fn put_error(w: &mut Writer, error: &KeyError) {
    match error {
        KeyError::Gone(_) => w.byte(0),
        KeyError::NoPermission(_) => w.byte(1),
        KeyError::TooOld(_) => w.byte(2),
        KeyError::Busy(_) => w.byte(3),
        KeyError::PinRequired => w.byte(4),
        KeyError::PinNotSet => w.byte(5),
        KeyError::PinWrong { retries } => w.byte(6).maybe(retries.map(u64::from)),
        KeyError::PinPaused => w.byte(7),
        KeyError::PinLocked => w.byte(8),
        KeyError::PinRefused => w.byte(9),
        KeyError::PinChangeForced => w.byte(10),
        KeyError::PinAlreadySet => w.byte(11),
        KeyError::Denied => w.byte(12),
        KeyError::TouchTimedOut => w.byte(13),
        KeyError::Cancelled => w.byte(14),
        KeyError::Silent(_) => w.byte(15),
        KeyError::Excluded => w.byte(16),
        KeyError::NoSuchCredential => w.byte(17),
        KeyError::Unsupported(what) => w.byte(18).byte(UNSUPPORTED.place(what)),
        KeyError::Status(status) => w.byte(19).byte(*status),
        KeyError::Nonsense(words) => w.byte(20).byte(NONSENSE.place(words)),
        KeyError::Helper(words) => w.byte(21).byte(HELPER.place(words)),
    };
}

fn error(r: &mut Reader<'_>, device: &DeviceId) -> Result<KeyError, Garbled> {
    Ok(match r.byte()? {
        0 => KeyError::Gone(device.clone()),
        1 => KeyError::NoPermission(device.clone()),
        2 => KeyError::TooOld(device.clone()),
        3 => KeyError::Busy(device.clone()),
        4 => KeyError::PinRequired,
        5 => KeyError::PinNotSet,
        6 => KeyError::PinWrong { retries: retries(r)? },
        7 => KeyError::PinPaused,
        8 => KeyError::PinLocked,
        9 => KeyError::PinRefused,
        10 => KeyError::PinChangeForced,
        11 => KeyError::PinAlreadySet,
        12 => KeyError::Denied,
        13 => KeyError::TouchTimedOut,
        14 => KeyError::Cancelled,
        15 => KeyError::Silent(device.clone()),
        16 => KeyError::Excluded,
        17 => KeyError::NoSuchCredential,
        18 => KeyError::Unsupported(words(r, &UNSUPPORTED)?),
        19 => KeyError::Status(r.byte()?),
        20 => KeyError::Nonsense(words(r, &NONSENSE)?.to_owned()),
        21 => KeyError::Helper(words(r, &HELPER)?.to_owned()),
        _ => return Err(Garbled("it is an error of no known kind")),
    })
}

fn words<const N: usize>(r: &mut Reader<'_>, list: &Words<N>) -> Result<&'static str, Garbled> {
    list.at(r.byte()?).ok_or(Garbled("it names words that don't exist"))
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
