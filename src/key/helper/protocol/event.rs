//! What the child says while it is at work, and at its end.
//!
//! The child may be in the hands of the device, so all of this is hostile: every text is
//! sanitised again, errors have words of the parent's own and name the device that was asked.
//! [`Event::decode`] must let nothing through that isn't bounded, and must not judge what an
//! answer proves: whoever asked does.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{credential, device};
use crate::key::helper::limits::{
    MAX_AUTHENTICATOR_DATA, MAX_CERTIFICATE, MAX_CERTIFICATES, MAX_DEVICES, MAX_ITEMS,
    MAX_SIGNATURE, MAX_TEXT,
};
use crate::key::helper::wire::{Frame, FrameTooLong, Garbled, Reader, Writer};
use crate::key::helper::words::{HELPER, NONSENSE, UNSUPPORTED, Words};
use crate::key::{
    Assertion, Attestation, Confinement, Device, DeviceId, DeviceInfo, KeyError, ProbeAnswer,
};
use crate::text::sanitise;
use crate::webauthn::{Aaguid, HmacSecretOutput};

/// What the child says.
#[derive(Debug)]
pub(in crate::key::helper) enum Event {
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
pub(in crate::key::helper) enum Reply {
    Devices(Vec<Device>),
    Info(DeviceInfo),
    Probe(ProbeAnswer),
    Attestation(Attestation),
    Assertion(Assertion),
    HmacSecret(HmacSecretOutput),
    PinSet,
}

impl Event {
    pub(in crate::key::helper) fn encode(&self) -> Result<Frame, FrameTooLong> {
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
    pub(in crate::key::helper) fn decode(body: &[u8], device: &DeviceId) -> Result<Self, Garbled> {
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

fn text(r: &mut Reader<'_>) -> Result<String, Garbled> {
    r.text(MAX_TEXT).map(|text| sanitise(text, MAX_TEXT))
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
