//! `keymuster key info`: what a plugged-in key says of itself, and what keeps the process
//! that asks it from everything else.

use std::collections::BTreeMap;

use serde::Serialize;

use super::keys_around;
use crate::cli::context::Context;
use crate::cli::device::{self, ChosenKey, only_device};
use crate::cli::enrolment::check_fitness;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::key::{BuiltInVerification, Confinement, PinState};

#[derive(Serialize)]
struct KeyInfo {
    path: String,
    product: String,
    manufacturer: String,
    serial: Option<String>,
    aaguid: String,
    versions: Vec<String>,
    extensions: Vec<String>,
    options: BTreeMap<String, bool>,
    algorithms: Vec<i64>,
    pin_protocols: Vec<u64>,
    pin: &'static str,
    pin_retries: Option<u32>,
    min_pin_length: u64,
    force_pin_change: bool,
    built_in_verification: &'static str,
    firmware: Option<u64>,
    /// Why keymuster can't use it; null if it can.
    unfit: Option<String>,
    /// What keeps the process that talked to it from all else; null for a software key.
    helper: Option<Helper>,
}

#[derive(Serialize)]
struct Helper {
    /// The version of Landlock's interface; null if this kernel has no Landlock.
    landlock: Option<u32>,
    seccomp: bool,
}

pub fn run(context: &Context) -> Result<Answer, Failure> {
    let mut keys = keys_around(context)?;
    let device = only_device(keys.as_mut(), context.device(), "one is meant")?;
    let name = device::product(&device).to_owned();
    let key = ChosenKey::new(keys.as_mut(), device, name)?;
    let info = &key.info;
    let view = KeyInfo {
        path: key.device.id.to_string(),
        product: key.device.product.clone(),
        manufacturer: key.device.manufacturer.clone(),
        serial: key.device.serial.clone(),
        aaguid: info.aaguid.to_string(),
        versions: info.versions.clone(),
        extensions: info.extensions.clone(),
        options: info.options.clone(),
        algorithms: info.algorithms.clone(),
        pin_protocols: info.pin_protocols.clone(),
        pin: match info.pin_state() {
            PinState::Set => "set",
            PinState::NotSet => "not set",
            PinState::Unsupported => "unsupported",
        },
        pin_retries: info.pin_retries,
        min_pin_length: info.min_pin_length,
        force_pin_change: info.force_pin_change,
        built_in_verification: match info.built_in_verification() {
            BuiltInVerification::Ready => "ready",
            BuiltInVerification::NotSetUp => "not set up",
            BuiltInVerification::Absent => "absent",
        },
        firmware: info.firmware,
        unfit: check_fitness(&key).err().map(|failure| failure.message),
        helper: keys
            .confinement()
            .map(|Confinement { landlock, seccomp }| Helper { landlock, seccomp }),
    };
    let human = described(&view);
    Ok(Answer::new("key-info", &view, human))
}

fn described(view: &KeyInfo) -> String {
    let algorithm = |number: &i64| match number {
        -7 => "ES256".to_owned(),
        -8 => "EdDSA".to_owned(),
        -35 => "ES384".to_owned(),
        -47 => "ES256K".to_owned(),
        -257 => "RS256".to_owned(),
        other => other.to_string(),
    };
    let pin = match view.pin_retries {
        _ if view.pin == "unsupported" => view.pin.to_owned(),
        Some(left) => {
            format!(
                "{}, {left} attempts left; at least {} characters",
                view.pin, view.min_pin_length
            )
        }
        None => format!("{}; at least {} characters", view.pin, view.min_pin_length),
    };
    let unsaid =
        |list: Vec<String>| if list.is_empty() { "(not said)".to_owned() } else { list.join(", ") };
    let options =
        view.options.iter().map(|(name, on)| format!("{name}={}", if *on { "yes" } else { "no" }));
    let mut lines = vec![
        ("device", view.path.clone()),
        ("product", format!("{} {}", view.manufacturer, view.product).trim().to_owned()),
        ("serial", view.serial.clone().unwrap_or_else(|| "(none)".to_owned())),
        ("AAGUID", view.aaguid.clone()),
        ("firmware", view.firmware.map_or("(not said)".to_owned(), |version| version.to_string())),
        ("versions", unsaid(view.versions.clone())),
        ("extensions", unsaid(view.extensions.clone())),
        ("algorithms", unsaid(view.algorithms.iter().map(algorithm).collect())),
        ("options", unsaid(options.collect())),
        ("PIN", pin),
        ("protocols", unsaid(view.pin_protocols.iter().map(u64::to_string).collect())),
        ("built-in UV", view.built_in_verification.to_owned()),
        ("usable", view.unfit.clone().map_or("yes".to_owned(), |reason| format!("no: {reason}"))),
    ];
    if let Some(helper) = &view.helper {
        lines.push(("helper", confined(helper)));
    }
    lines.iter().map(|(what, value)| format!("{what:<12} {value}\n")).collect()
}

/// What the process that talks to a key is kept from, and what this kernel can't do.
fn confined(helper: &Helper) -> String {
    let landlock = match helper.landlock {
        Some(version) => format!("no files (Landlock {version})"),
        None => "this kernel has no Landlock".to_owned(),
    };
    let seccomp = if helper.seccomp {
        "few system calls (seccomp)"
    } else {
        "this kernel took no seccomp filter"
    };
    format!("{landlock}, {seccomp}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_give_is_said() {
        let words = |landlock, seccomp| confined(&Helper { landlock, seccomp });
        assert_eq!(words(Some(2), true), "no files (Landlock 2), few system calls (seccomp)");
        assert_eq!(
            words(None, false),
            "this kernel has no Landlock, this kernel took no seccomp filter"
        );
    }
}
