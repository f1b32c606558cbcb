//! `keymuster key`: what is plugged in, what is enrolled, and whether they are the same.

mod check;
mod enrol;
mod list;

use std::collections::BTreeMap;

use clap::Subcommand;
use serde::Serialize;

use super::context::Context;
use super::device::{self, ChosenKey, only_device};
use super::enrolment::check_fitness;
use super::exit;
use super::failure::Failure;
use super::output::{Answer, HeadView};
use super::session::{Session, locate};
use super::unlock::{stranger_text, supposed_realm};
use crate::key::identify::Identity;
use crate::key::{Authenticator, BuiltInVerification, Device, KeyError, PinState};
use crate::record::{KeyName, Realm, Stamp};

/// `keymuster key …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what is plugged in and what is enrolled; never prompts, never asks for a touch
    ///
    /// With --identity, plugged-in keys are proved against the log. Without it, the log
    /// stays closed, and a key is only said to look like an enrolled one.
    List,
    /// Show what a plugged-in key says of itself
    Info,
    /// The PIN of a key
    #[command(subcommand)]
    Pin(PinCommand),
    /// Enrol one more key of a custodian
    Enrol(enrol::Enrol),
    /// Prove which enrolled key is plugged in, by a touch, and record it
    Check(check::Check),
}

/// `keymuster key pin …`
#[derive(Debug, Subcommand)]
pub enum PinCommand {
    /// Give a factory-new key its PIN
    Set,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List => list::run(context),
        Command::Info => info(context),
        Command::Pin(PinCommand::Set) => set_pin(context),
        Command::Enrol(enrol) => enrol::run(context, &enrol),
        Command::Check(check) => check::run(context, &check),
    }
}

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
}

/// The keys that a command without a vault of its own would use.
fn keys_around(context: &Context, blank: bool) -> Result<Box<dyn Authenticator>, Failure> {
    match locate(context) {
        Ok(location) => {
            let realm = supposed_realm(&location.layout.identity_hints()?)?;
            let root = location.layout.root();
            if realm == Realm::Demo {
                context.tell_demo();
            }
            if blank {
                context.keys_with_blank(realm, root)
            } else {
                context.keys(realm, Some(root))
            }
        }
        Err(failure) if context.globals.vault.is_some() => Err(failure),
        Err(_) => context.keys(Realm::Real, None),
    }
}

fn info(context: &Context) -> Result<Answer, Failure> {
    let mut keys = keys_around(context, false)?;
    let device = only_device(context, keys.as_mut(), "one is meant")?;
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
    let lines = [
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
    lines.iter().map(|(what, value)| format!("{what:<12} {value}\n")).collect()
}

#[derive(Serialize)]
struct PinWasSet {
    path: String,
}

fn set_pin(context: &Context) -> Result<Answer, Failure> {
    let mut keys = keys_around(context, false)?;
    let device = only_device(context, keys.as_mut(), "one is meant to be given a PIN")?;
    let name = device::product(&device).to_owned();
    let key = ChosenKey::new(keys.as_mut(), device, name)?;
    match key.info.pin_state() {
        PinState::Set => {
            return Err(Failure::from(KeyError::PinAlreadySet)
                .hint("change it with the vendor's tool, such as fido2-token -C"));
        }
        PinState::Unsupported => {
            return Err(Failure::new(exit::FAILED, format!("{} takes no PIN", key.name)));
        }
        PinState::NotSet => {}
    }
    let path = key.device.id.to_string();
    device::set_pin(context, keys.as_mut(), &key.device.id, &key.name, key.info.min_pin_length)?;
    Ok(Answer::new(
        "pin-set",
        &PinWasSet { path: path.clone() },
        format!("Set the PIN of {} ({path}).\n", key.name),
    ))
}

/// What is answered about an entry that was just recorded.
#[derive(Serialize)]
struct Recorded {
    key: String,
    entry: u64,
    time: String,
    signers: Vec<String>,
    head: HeadView,
}

impl Recorded {
    fn new(session: &Session<'_>, key: &KeyName, at: Stamp, signers: &[&KeyName]) -> Self {
        Self {
            key: key.to_string(),
            entry: at.entry,
            time: at.time.to_string(),
            signers: signers.iter().map(ToString::to_string).collect(),
            head: (&session.vault.head()).into(),
        }
    }
}

/// The enrolled key that a device is, proved without a touch where the key allows it.
fn prove(
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

fn impostor(device: &Device, name: &KeyName) -> Failure {
    Failure::new(
        exit::NO,
        format!("{} poses as {name} and isn't: its signature is by another key", device.id),
    )
    .hint("don't type a PIN for it, and find out where it comes from")
}

fn wont_say(device: &Device) -> Failure {
    Failure::new(exit::USAGE, format!("{} doesn't say which key it is without a touch", device.id))
        .hint("name the key that it should be, such as keymuster key check alice/primary")
}
