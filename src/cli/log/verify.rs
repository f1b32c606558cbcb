//! `keymuster log verify`: the five verdicts on a vault's log, or on a bundle.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::Args;
use serde::Serialize;

use super::heads::anchors;
use super::verdicts::{Counts, VerdictsView, lines};
use crate::audit::{Anchor, Coverage, Evidence, Found, NoBundle, Verdicts, read};
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, HeadView, count};
use crate::cli::schedule;
use crate::cli::session::Session;
use crate::log::{Fault, Head};
use crate::record::VaultId;
use crate::schedule::History;
use crate::text::sanitise;
use crate::vault::{StoreError, read_from};

/// `keymuster log verify`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster log verify\n  \
    keymuster log verify --heads bob.head --heads auditor.head\n  \
    keymuster log verify bundle --heads auditor.head")]
pub struct Verify {
    /// A file with heads that somebody kept elsewhere, three lines each; may be repeated
    #[arg(long = "heads", value_name = "FILE")]
    heads: Vec<PathBuf>,
    /// The folder of a bundle that log export wrote, to be verified in place of the vault
    bundle: Option<PathBuf>,
}

#[derive(Serialize)]
struct View {
    sound: bool,
    /// What follows these entries isn't open to whoever reads.
    closed: bool,
    entries: u64,
    signatures: u64,
    head: HeadView,
    fingerprint: Option<String>,
    fault: Option<FaultView>,
    damage: Vec<String>,
    findings: Vec<String>,
    strays: Vec<String>,
    verdicts: VerdictsView,
    counts: Counts,
}

#[derive(Serialize)]
struct FaultView {
    entry: u64,
    rule: String,
    reason: String,
}

/// What was found, of a vault or of a bundle.
pub struct Verified {
    pub counts: Counts,
    pub head: Head,
    pub fingerprint: Option<String>,
    pub fault: Option<Fault>,
    pub closed: bool,
    pub damage: Vec<String>,
    pub findings: Vec<String>,
    pub strays: Vec<String>,
    pub verdicts: Verdicts,
}

pub fn run(context: &Context, asked: &Verify) -> Result<Answer, Failure> {
    match &asked.bundle {
        Some(bundle) => of_bundle(context, asked, bundle).map(answer),
        None => {
            let session = Session::open(context)?;
            of_vault(&session, &asked.heads, None).map(|(verified, _)| answer(verified))
        }
    }
}

/// Verifies the log of a vault, and all files that it names, and gives back what was due until now,
/// too, unless the log is faulty. Of a period, what was missed in it counts.
pub fn of_vault(
    session: &Session<'_>,
    heads: &[PathBuf],
    period: Option<&RangeInclusive<NaiveDate>>,
) -> Result<(Verified, Option<History>), Failure> {
    let vault = &session.vault;
    let anchors = anchors_of(heads, &vault.location().id)?;
    let now = session.context.now()?;
    // What is large was only looked at when the vault was opened.
    let mut damage: Vec<String> = vault.damage().iter().map(ToString::to_string).collect();
    for found in vault.damaged_evidence() {
        let told = found.to_string();
        if !vault.damage().iter().any(|known| known.file == found.file) {
            damage.push(told);
        }
    }
    let history = match vault.fault() {
        Some(_) => None,
        None => Some(schedule::history(vault, now, None)?),
    };
    let verdicts = Verdicts::of(&Evidence {
        sound: vault.head().number,
        withheld: 0,
        fault: vault.fault(),
        is_closed: vault.closed_by().is_some(),
        is_damaged: !damage.is_empty(),
        links: vault.links(),
        is_whole: vault.fault().is_none(),
        anchors: &anchors,
        coverage: history.as_ref().map(|history| Coverage::of(history, period)),
    });
    let files = vault.state().sealings().len().saturating_sub(damage.len());
    let verified = Verified {
        counts: Counts::of(vault.replay(), vault.entries(), 0, files),
        head: vault.head(),
        fingerprint: vault.fingerprint().map(|digest| digest.to_string()),
        fault: vault.fault().cloned(),
        closed: vault.closed_by().is_some(),
        damage,
        findings: vault.findings(now),
        strays: vault.strays(),
        verdicts,
    };
    Ok((verified, history))
}

fn of_bundle(context: &Context, asked: &Verify, folder: &Path) -> Result<Verified, Failure> {
    let shown = sanitise(&folder.to_string_lossy(), 200);
    let look = |name: &str, limit: usize| match read_from(folder, name, limit as u64) {
        Ok(bytes) => Ok(Found::File(bytes)),
        Err(StoreError::Missing(_)) => Ok(Found::Nothing),
        Err(StoreError::NotAFile(_)) => Ok(Found::Unfit("isn't a plain file".to_owned())),
        Err(StoreError::NotAFolder(_)) => Ok(Found::Unfit("isn't in a plain folder".to_owned())),
        Err(StoreError::TooLarge { .. }) => Ok(Found::Unfit("is too large".to_owned())),
        Err(error) => Err(error),
    };
    let bundle = read(look)?.map_err(|wrong: NoBundle| {
        Failure::because(exit::NO, format!("{shown} isn't a bundle that can be verified"), &wrong)
            .hint("keymuster log export writes one")
    })?;
    let head = bundle.replay.head();
    if bundle.replay.state().realm() == crate::record::Realm::Demo {
        context.tell_demo();
    }
    if let Some(succeeds) = bundle.replay.state().succeeds() {
        context.terminal.say(&format!("SUCCESSOR: {}.", crate::cli::words::succeeds(succeeds)));
    }
    let anchors = anchors_of(&asked.heads, &head.vault)?;
    let now = context.now()?;
    let coverage = match bundle.fault.is_none() && bundle.withheld == 0 {
        true => Some(Coverage::of(&schedule::history_of(&bundle.entries, now, None)?, None)),
        false => None,
    };
    let verdicts = Verdicts::of(&Evidence {
        sound: head.number,
        withheld: bundle.withheld,
        fault: bundle.fault.as_ref(),
        is_closed: false,
        is_damaged: !bundle.damage.is_empty(),
        links: &bundle.links,
        is_whole: true,
        anchors: &anchors,
        coverage,
    });
    let findings = bundle.replay.findings().iter().cloned().chain(bundle.replay.ahead_of(now));
    Ok(Verified {
        counts: Counts::of(&bundle.replay, &bundle.entries, bundle.withheld, bundle.attached),
        head,
        fingerprint: bundle.links.get(1).map(ToString::to_string),
        findings: findings.map(|finding| finding.to_string()).collect(),
        fault: bundle.fault,
        closed: false,
        damage: bundle.damage,
        strays: Vec::new(),
        verdicts,
    })
}

fn anchors_of(heads: &[PathBuf], vault: &VaultId) -> Result<Vec<Anchor>, Failure> {
    let mut all = Vec::new();
    for file in heads {
        all.extend(anchors(file, vault)?);
    }
    Ok(all)
}

fn answer(verified: Verified) -> Answer {
    let counts = verified.counts;
    let sound = verified.fault.is_none() && verified.damage.is_empty();
    let mut human = format!(
        "{}: {} and {} verified, each a touch of an enrolled key.\n\n{}\nhead: entry {}, {}\n",
        match (sound, verified.closed) {
            (true, _) => "SOUND",
            (false, true) => "CLOSED",
            (false, false) => "FAULTY",
        },
        count(usize::try_from(counts.entries).unwrap_or(usize::MAX), "entry", "entries"),
        count(usize::try_from(counts.signatures).unwrap_or(usize::MAX), "signature", "signatures"),
        lines(&verified.verdicts, &counts),
        verified.head.number,
        verified.head.link,
    );
    human.extend(verified.fault.as_ref().map(|fault| format!("fault: {fault}\n")));
    human.extend(verified.damage.iter().map(|damage| format!("damage: {damage}\n")));
    human.extend(verified.findings.iter().map(|finding| format!("finding: {finding}\n")));
    human.extend(verified.strays.iter().map(|stray| stray_line(stray)));
    if verified.closed {
        human.push_str(
            "What follows isn't open to this identity, so it isn't judged. Ask a custodian for a new one.\n",
        );
    } else if !sound {
        human.push_str(
            "Nothing is appended to a faulty vault. Restore the file from git or a backup.\n",
        );
    }
    let code = if sound && !verified.verdicts.has_no() { exit::DONE } else { exit::NO };
    let view = View {
        sound,
        closed: verified.closed,
        entries: counts.entries,
        signatures: counts.signatures,
        head: (&verified.head).into(),
        fingerprint: verified.fingerprint,
        fault: verified.fault.as_ref().map(|fault| FaultView {
            entry: fault.entry,
            rule: fault.rule.to_string(),
            reason: fault.reason.clone(),
        }),
        damage: verified.damage,
        findings: verified.findings,
        strays: verified.strays,
        verdicts: (&verified.verdicts).into(),
        counts,
    };
    Answer::new("log-verdict", &view, human).exiting(code)
}

/// What is told of a file that no entry names: nobody must remove what is being written.
pub fn stray_line(file: &str) -> String {
    format!(
        "named by no entry: {file}; if no other keymuster is at work, left by one that was interrupted\n"
    )
}
