//! How the vault is opened without keymuster: by stock age, with the paper copy of somebody's
//! identity. Files are those with the highest numbers that the log names.

use std::path::Path;

use serde::Serialize;

use super::few::{Bounds, Few};
use super::source::Source;
use crate::record::{Digest, Handle, KeyName, PAPER, RECORDS, Sealing, State};
use crate::vault::Layout;

/// The fewest characters of a file's name that stand on the card: it is typed from paper.
const PREFIX: usize = 8;

/// The paper copies, and what is typed.
#[derive(Serialize)]
pub struct Opening {
    /// The copies that open the log.
    pub papers: Few<Paper>,
    /// The custodians without one.
    pub without: Few<Without>,
    /// What is typed with the first of them; nothing if there is none.
    pub commands: Option<Commands>,
}

/// A custodian's paper copy that is of use.
#[derive(Serialize)]
pub struct Paper {
    pub custodian: String,
    /// Its file in the vault.
    pub file: String,
}

/// A custodian who has none that is.
#[derive(Serialize)]
pub struct Without {
    pub custodian: String,
    pub why: &'static str,
}

/// Lines for a shell in the vault's folder.
#[derive(Serialize)]
pub struct Commands {
    /// Whose copy.
    pub custodian: String,
    /// Opens the paper copy.
    pub identity: String,
    /// Opens the newest entry.
    pub log: String,
    /// Opens a secret each.
    pub secrets: Few<SecretView>,
    /// Removes what the first made.
    pub shred: String,
}

impl Commands {
    /// What is typed, one after the other, and what is to be known about each.
    pub fn lines(&self) -> Vec<(&str, String)> {
        let me = &self.custodian;
        let secret = self.secrets.shown.iter().find(|secret| secret.opens);
        let secret = secret.map(|secret| (secret.command.as_str(), secret.secret.clone()));
        let asks = "ten words, with hyphens".to_owned();
        let first = [(self.identity.as_str(), asks), (&self.log, String::new())];
        let last = (self.shred.as_str(), format!("it opens all that {me}'s keys open"));
        first.into_iter().chain(secret).chain([last]).collect()
    }
}

/// A secret in custody.
#[derive(Serialize)]
pub struct SecretView {
    pub secret: String,
    pub kind: &'static str,
    pub account: Option<String>,
    /// Its compartment, in its present epoch: `seeds.2`.
    pub compartment: String,
    /// How its file is called; the rest of that is left out.
    pub file: String,
    /// Whose paper copies open it.
    pub by: Few<String>,
    /// Whether that of `commands` does.
    pub opens: bool,
    pub command: String,
}

/// What a custodian's paper copy is worth.
fn paper<'a>(state: &'a State, who: &Handle) -> Result<(&'a KeyName, u32), &'static str> {
    let slot = state
        .identities()
        .iter()
        .find(|(slot, _)| slot.owner == *who && slot.label.as_str() == PAPER);
    let (slot, sealed) = slot.ok_or("none")?;
    if state.paper_report(slot).is_some() {
        return Err("reported");
    }
    if state.recipient_of(who) != Some(&sealed.recipient) {
        return Err("outdated");
    }
    Ok((slot, sealed.sealing.generation))
}

/// The file of a compartment's present epoch.
fn compartment_file(layout: &Layout, name: &str, epoch: u32) -> String {
    layout.compartment(name, epoch).to_string_lossy().into_owned()
}

impl Opening {
    pub fn new(source: &Source<'_>, head: u64, bounds: &Bounds) -> Self {
        let state = source.state;
        // Without a root, paths are relative to the vault.
        let layout = Layout::new(Path::new(""));
        let records = state.compartments().iter().find(|(name, _)| name.as_str() == RECORDS);
        let opens = |who: &Handle| {
            records.is_some_and(|(records, _)| state.openers_of(records).contains(who))
        };
        let (mut papers, mut without) = (Vec::new(), Vec::new());
        for (who, _) in &source.custodians {
            match paper(state, who) {
                Ok((slot, generation)) if opens(who) => {
                    let file = layout.identity(who, &slot.label, generation);
                    papers.push((*who, file.to_string_lossy().into_owned()));
                }
                Ok(_) => without.push((who, "opens nothing yet")),
                Err(why) => without.push((who, why)),
            }
        }
        let commands = papers.first().zip(records).map(|((me, file), (_, records))| {
            let records = compartment_file(&layout, RECORDS, records.sealing.epoch);
            let entry = layout.entry(head);
            let entry = entry.to_string_lossy();
            let owners: Vec<&Handle> = papers.iter().map(|(who, _)| *who).collect();
            Commands {
                custodian: me.to_string(),
                identity: format!("age -d -o me.identity {file}"),
                log: piped(&records, &entry),
                secrets: secrets(source, &layout, &owners, bounds),
                shred: "shred -u me.identity".to_owned(),
            }
        });
        Self {
            papers: Few::of(papers, bounds.custodians, |(who, file)| Paper {
                custodian: who.to_string(),
                file,
            }),
            without: Few::of(without, bounds.custodians, |(who, why)| Without {
                custodian: who.to_string(),
                why,
            }),
            commands,
        }
    }
}

/// Opens a compartment with the identity in hand, and with what is in it a file.
fn piped(compartment: &str, file: &str) -> String {
    format!("age -d -i me.identity {compartment} | age -d -i - {file}")
}

/// What is in custody that somebody's paper copy opens: what the first one opens first, and of
/// that what the accounts on the card need.
fn secrets(
    source: &Source<'_>,
    layout: &Layout,
    papers: &[&Handle],
    bounds: &Bounds,
) -> Few<SecretView> {
    let state = source.state;
    let mut found = Vec::new();
    for (name, secret) in state.secrets() {
        let Some(present) = secret.present() else { continue };
        let Some(compartment) = state.compartments().get(&present.compartment) else { continue };
        let openers = state.openers_of(&present.compartment);
        let by: Vec<&Handle> = papers.iter().copied().filter(|who| openers.contains(who)).collect();
        let Some(first) = by.first() else { continue };
        let its = |account: &Handle| source.accounts.iter().position(|a| a.handle == account);
        let place = secret.account.as_ref().and_then(its).unwrap_or(usize::MAX);
        let order = (Some(first) != papers.first(), place, name);
        found.push((order, secret, present, compartment.sealing.epoch, by));
    }
    found.sort_by_key(|(order, ..)| *order);
    Few::of(found, bounds.secrets, |((not, _, name), secret, present, epoch, by)| {
        let compartment = &present.compartment;
        let digits = shortened(state, &present.sha256);
        let file = layout.secret(&present.sha256).to_string_lossy().into_owned();
        let file = file.replace(&present.sha256.to_string(), &digits);
        SecretView {
            secret: name.to_string(),
            kind: secret.kind.word(),
            account: secret.account.as_ref().map(Handle::to_string),
            compartment: format!("{compartment}.{epoch}"),
            file: digits,
            by: Few::of(by, bounds.names, Handle::to_string),
            opens: !not,
            command: piped(&compartment_file(layout, compartment.as_str(), epoch), &file),
        }
    })
}

/// As much of the name of a secret's file as tells it from all others, and `*` for the rest.
fn shortened(state: &State, sha256: &Digest) -> String {
    let own = sha256.to_string();
    let others = state.sealings().iter().filter_map(|sealing| match sealing {
        Sealing::Secret(other) if other != sha256 => Some(other.to_string()),
        _ => None,
    });
    let alike = |other: String| {
        own.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
    };
    let length = others.map(alike).max().map_or(PREFIX, |alike| PREFIX.max(alike + 1));
    let digits: String = own.chars().take(length).collect();
    format!("{digits}*")
}
