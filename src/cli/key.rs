//! `keymuster key`: what is plugged in, what is enrolled, and whether they are the same.

mod check;
mod custody;
mod enrol;
mod info;
mod list;
mod report;

use clap::Subcommand;
use serde::Serialize;

use super::context::Context;
use super::device::{self, ChosenKey, only_device};
use super::due::due;
use super::exit;
use super::failure::Failure;
use super::output::{Answer, HeadView};
use super::session::{Session, locate};
use super::signing::Decided;
use super::unlock::supposed_realm;
use crate::key::{Authenticator, KeyError, PinState};
use crate::record::{KeyName, Realm};

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
    /// Report that a key, or a paper copy, is lost
    Lost(report::Report),
    /// Report that somebody else may use a key, or may have read a paper copy
    Compromised(report::Report),
    /// Record that a key which another custodian reported is well
    Restored(report::Restore),
    /// Take a key out of service
    Retired(report::Retire),
    /// Record where a key, or its PIN, is kept
    Move(custody::Move),
    /// Record that a key goes into another custodian's hands
    HandOver(custody::HandOver),
    /// Record that a key is sealed in a bag
    Seal(custody::Seal),
    /// Record that the bag a key is in is opened
    OpenBag(custody::OpenBag),
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
        Command::Info => info::run(context),
        Command::Pin(PinCommand::Set) => set_pin(context),
        Command::Enrol(enrol) => enrol::run(context, &enrol),
        Command::Check(check) => check::run(context, &check),
        Command::Lost(report) => report::lost(context, &report),
        Command::Compromised(report) => report::compromised(context, &report),
        Command::Restored(restore) => report::restored(context, &restore),
        Command::Retired(retire) => report::retired(context, &retire),
        Command::Move(moved) => custody::move_key(context, &moved),
        Command::HandOver(over) => custody::hand_over(context, &over),
        Command::Seal(seal) => custody::seal(context, &seal),
        Command::OpenBag(open) => custody::open_bag(context, &open),
    }
}

/// The keys that a command without a vault of its own would use.
fn keys_around(context: &Context) -> Result<Box<dyn Authenticator>, Failure> {
    match locate(context) {
        Ok(location) => {
            let realm = supposed_realm(&location.layout.identity_hints()?)?;
            let root = location.layout.root();
            if realm == Realm::Demo {
                context.tell_demo();
            }
            context.keys(realm, Some(root))
        }
        Err(failure) if context.globals.vault.is_some() => Err(failure),
        Err(_) => context.keys(Realm::Real, None),
    }
}

#[derive(Serialize)]
struct PinWasSet {
    path: String,
}

fn set_pin(context: &Context) -> Result<Answer, Failure> {
    let mut keys = keys_around(context)?;
    let device = only_device(keys.as_mut(), context.device(), "one is meant to be given a PIN")?;
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
    /// What is to be done now about people and keys, as `vault show` has it.
    due: Vec<String>,
}

impl Recorded {
    fn new(session: &Session<'_>, key: &KeyName, decided: &Decided) -> Self {
        Self {
            key: key.to_string(),
            entry: decided.at.entry,
            time: decided.at.time.to_string(),
            signers: decided.signers.iter().map(ToString::to_string).collect(),
            head: (&session.vault.head()).into(),
            due: due(session.state(), decided.at.time),
        }
    }
}
