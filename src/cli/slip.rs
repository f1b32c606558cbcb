//! `keymuster slip`: what people sign who can't append, shown and countersigned. Any command that
//! takes `--slip FILE` writes one; `keymuster log collect` takes it in.

mod countersign;
mod show;
mod write;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

pub use write::{check_free, slip_of, write_slip};

use super::context::Context;
use super::cosigners::{Cosigner, Signers};
use super::exit;
use super::failure::Failure;
use super::output::Answer;
use super::session::Session;
use super::words::{all_in_words, slip_word};
use crate::log::{Considered, Fault, SignedDocument};
use crate::record::{Event, Hex, KeyName, Time};
use crate::text::sanitise;
use crate::vault::{Draft, MAX_SLIP_FILE, SlipFile, read_bounded};

/// `keymuster slip …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a slip says, whose it is, and whether it can be collected
    Show(Show),
    /// Sign a slip too, where it takes two
    Countersign(Countersign),
}

/// `keymuster slip show`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keymuster slip show bob.slip")]
pub struct Show {
    /// The slip's file
    file: PathBuf,
}

/// `keymuster slip countersign`
#[derive(Debug, Args)]
#[command(after_help = "The file holds both afterwards; it can be collected as it is.\n\n\
    Example:\n  keymuster slip countersign bob.slip --by carol")]
pub struct Countersign {
    /// The slip's file
    file: PathBuf,
    #[command(flatten)]
    signers: Signers,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Show(show) => show::run(context, &show.file),
        Command::Countersign(asked) => countersign::run(context, &asked.file, &asked.signers),
    }
}

/// A slip, as JSON.
#[derive(Debug, Serialize)]
pub struct SlipView {
    slip: String,
    time: String,
    /// The entry on top of which it was signed.
    follows: u64,
    signers: Vec<String>,
    events: Vec<&'static str>,
    tells: Vec<String>,
}

impl SlipView {
    /// What a slip says.
    pub fn of(slip: &SignedDocument) -> Self {
        let document = slip.document();
        Self {
            slip: slip.digest().to_string(),
            time: document.time.to_string(),
            follows: document.number.saturating_sub(1),
            signers: document.signers.iter().map(ToString::to_string).collect(),
            events: document.events.iter().map(Event::kind).collect(),
            tells: all_in_words(&document.events),
        }
    }
}

/// A file that somebody sent, before anybody touches a key for it.
pub fn received(file: &Path) -> Result<Vec<u8>, Failure> {
    Ok(read_bounded(file, MAX_SLIP_FILE)?)
}

/// The slips in such a file.
pub fn read_slips(session: &Session<'_>, file: &Path, bytes: &[u8]) -> Result<SlipFile, Failure> {
    session.vault.open_slips(bytes).map_err(|error| {
        let message = format!("{} can't be read", shown(file));
        Failure::because(exit::FAILED, message, &error)
            .hint("it is a text file, from -----BEGIN to the end; have it sent again")
    })
}

/// A file's name, for people.
pub fn shown(file: &Path) -> String {
    sanitise(&file.to_string_lossy(), 200)
}

/// What slips say, for people to read.
pub fn in_words(slips: &[SignedDocument]) -> String {
    let told = slips.iter().map(|slip| {
        let document = slip.document();
        let signers: Vec<String> = document.signers.iter().map(ToString::to_string).collect();
        let tells = all_in_words(&document.events);
        let tells: String = tells.iter().map(|words| format!("  {words}\n")).collect();
        format!(
            "Slip {} of {}, {}, on top of entry {}:\n{tells}",
            slip_word(&slip.digest()),
            signers.join(" and "),
            document.time,
            document.number.saturating_sub(1)
        )
    });
    told.collect()
}

/// The time until which a slip is admitted.
pub fn until(session: &Session<'_>, slips: &[SignedDocument]) -> Option<Time> {
    let first = slips.iter().map(|slip| slip.document().time).min()?;
    let days = chrono::TimeDelta::days(session.state().policy().slip_days.into());
    first.moment().checked_add_signed(days).and_then(Time::new)
}

/// What the next entry would come to, if it took in these slips, beside these events of its own.
/// Whether the signers of that entry suffice for its own events isn't asked.
pub fn on_trial(
    session: &Session<'_>,
    slips: &[SignedDocument],
    signers: Vec<KeyName>,
    events: Vec<Event>,
) -> Result<Result<Considered, Fault>, Failure> {
    let context = session.context;
    let (time, salt, tool) = (context.now()?, Hex([0; 16]), context.tool()?);
    let draft = Draft { signers, events, slips: slips.to_vec(), time, salt, tool };
    Ok(session.vault.consider(draft))
}

/// Any key that could sign the entry that collects.
pub fn any_signer(session: &Session<'_>) -> Vec<KeyName> {
    let active = session.state().keys().iter().find(|(_, key)| key.is_active());
    active.map(|(name, _)| name.clone()).into_iter().collect()
}

/// That a slip is endorsed, for each of these that says more than that of another.
pub fn endorsements(slips: &[SignedDocument]) -> Vec<Event> {
    let says_more = |slip: &&SignedDocument| {
        let document = slip.document();
        let more = |event: &Event| !matches!(event, Event::SlipEndorsed(_));
        !document.slips.is_empty() || document.events.iter().any(more)
    };
    let endorse = |slip: &SignedDocument| {
        Event::SlipEndorsed(crate::record::SlipEndorsed { slip: slip.digest() })
    };
    slips.iter().filter(says_more).map(endorse).collect()
}

impl Session<'_> {
    /// Has a slip signed by those who were gathered for it.
    pub fn sign_slip(
        &mut self,
        signers: &[Cosigner],
        events: Vec<Event>,
    ) -> Result<SignedDocument, Failure> {
        let names: Vec<KeyName> = signers.iter().map(|signer| signer.name.clone()).collect();
        let who: Vec<String> = names.iter().map(ToString::to_string).collect();
        let say = |line: &str| self.context.terminal.say(line);
        say(&format!("A slip, to be signed by {}:", who.join(" and ")));
        all_in_words(&events).iter().for_each(|words| say(&format!("  {words}")));
        let draft = Draft {
            signers: names.clone(),
            events,
            slips: Vec::new(),
            time: self.context.now()?,
            salt: Hex(self.context.random()?),
            tool: self.context.tool()?,
        };
        let (document, head) = self.vault.draft_slip(draft)?;
        let known = self.known_keys(|name| names.contains(name));
        let namespace = self.state().realm().slip_namespace();
        let mut signatures = Vec::new();
        for signer in signers {
            let Some(enrolled) = known.iter().find(|known| known.name == signer.name) else {
                let message = format!("{} isn't enrolled", signer.name);
                return Err(Failure::new(exit::FAILED, message));
            };
            let again = match signers.len() {
                1 => None,
                _ => self.plugged_in_still(&signer.key, enrolled)?,
            };
            let key = again.as_ref().unwrap_or(&signer.key);
            let purpose = "to sign the slip";
            signatures.push(self.sign_head(key, enrolled, (&head, namespace), purpose)?);
        }
        SignedDocument::new(&document, &signatures).map_err(|error| {
            Failure::because(exit::FAILED, "a slip came out wrong, which is a bug", &error)
        })
    }
}
