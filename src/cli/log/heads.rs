//! `keymuster log remember`, and heads that were kept elsewhere.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::audit::Anchor;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, HeadView};
use crate::cli::session::{Session, TOLD};
use crate::log::Head;
use crate::record::VaultId;
use crate::text::sanitise;
use crate::vault::read_bounded;

/// The largest file of heads, in bytes.
const MAX_HEADS: u64 = 1 << 20;

/// `keymuster log remember`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    keymuster log remember bob.head     # what keymuster log head printed on Bob's machine")]
pub struct Remember {
    /// A file with a head, the three lines that keymuster log head prints elsewhere
    file: PathBuf,
}

#[derive(Serialize)]
struct View {
    vault: String,
    head: HeadView,
    /// Whether this copy of the log has it.
    contained: bool,
}

pub fn remember(
    context: &Context,
    session: &Session<'_>,
    asked: &Remember,
) -> Result<Answer, Failure> {
    let (vault, id) = (&session.vault, session.vault.location().id);
    if vault.fault().is_some() {
        return Err(Failure::new(exit::NO, "a faulty log is held against no head")
            .hint("keymuster log verify tells what is wrong"));
    }
    let mut anchors = anchors(&asked.file, &id)?;
    anchors.sort_by_key(|anchor| anchor.head.number);
    let own = vault.head().number;
    let link = |head: &Head| {
        usize::try_from(head.number).ok().and_then(|number| vault.links().get(number)).copied()
    };
    let is_wrong =
        |anchor: &&Anchor| link(&anchor.head).is_some_and(|link| link != anchor.head.link);
    if let Some(Anchor { head, by }) = anchors.iter().find(is_wrong) {
        let message = format!(
            "entry {} of this copy isn't the one that {by} tells of: one of the two logs was replaced, or \
             they went separate ways",
            head.number
        );
        return Err(Failure::new(exit::NO, message).hint(
            "nothing was remembered; compare the output of keymuster log head with the other \
             custodians' before you go on",
        ));
    }
    // Of entries beyond this copy, nothing but another head tells that one is wrong.
    let differ = |one: &Anchor, other: &Anchor| {
        one.head.number == other.head.number && one.head != other.head
    };
    let mut pairs = anchors.iter().zip(anchors.iter().skip(1));
    if let Some((one, _)) = pairs.find(|(one, other)| differ(one, other)) {
        let number = one.head.number;
        let message = format!("two different heads of entry {number} stand in one file");
        return Err(
            Failure::new(exit::NO, message).hint("nothing was remembered; ask who wrote them")
        );
    }
    let Some(Anchor { head, by }) = anchors.pop().filter(|anchor| anchor.head.number > 0) else {
        return Err(unfit(&asked.file));
    };
    let Some(fingerprint) = vault.fingerprint() else {
        return Err(Failure::new(exit::NO, "this vault's log has no sound entry"));
    };
    let memory = context.memory_of(TOLD)?;
    memory.remember_head(&head, &fingerprint)?;
    let contained = link(&head).is_some();
    let file = memory.file(&id);
    let undo = format!("If that head is wrong, remove {}.", sanitise(&file.to_string_lossy(), 200));
    let view = View { vault: id.to_string(), head: (&head).into(), contained };
    let human = if contained {
        format!(
            "Remembered: a copy of this vault that doesn't have entry {} as it is here is refused on this \
             machine from now on. {undo}\n",
            head.number
        )
    } else {
        format!(
            "Remembered. BUT THIS COPY ENDS AT ENTRY {own}, and {by} has the head of entry {}: its tail was \
             cut off, or it is an old copy. Get the current one (git pull, backup); this one is refused \
             on this machine from now on. {undo}\n",
            head.number
        )
    };
    let code = if contained { session.exit() } else { exit::NO };
    Ok(Answer::new("head-remembered", &view, human).exiting(code))
}

/// The heads in a file, one after the other. All of them must be of this vault.
pub fn anchors(path: &Path, vault: &VaultId) -> Result<Vec<Anchor>, Failure> {
    let by = sanitise(&path.to_string_lossy(), 200);
    let bytes = read_bounded(path, MAX_HEADS)?;
    let text = String::from_utf8(bytes).map_err(|_| unfit(path))?;
    // What paper and mail do to three lines doesn't matter.
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.trim().to_ascii_lowercase())
        .filter(|line| !line.is_empty())
        .collect();
    let heads = lines.chunks(3).map(|lines| format!("{}\n", lines.join("\n")).parse::<Head>());
    let heads: Vec<Head> = heads.collect::<Result<_, _>>().map_err(|_| unfit(path))?;
    if heads.is_empty() {
        return Err(unfit(path));
    }
    if heads.iter().any(|head| head.vault != *vault) {
        let message = format!("{by} has the head of another vault");
        return Err(Failure::new(exit::USAGE, message)
            .hint(format!("this one's heads begin with keymuster/{vault}")));
    }
    Ok(heads.into_iter().map(|head| Anchor { head, by: by.clone() }).collect())
}

fn unfit(path: &Path) -> Failure {
    let shown = sanitise(&path.to_string_lossy(), 200);
    Failure::new(exit::USAGE, format!("{shown} isn't a file with heads"))
        .hint("a head is three lines, as keymuster log head prints them; a file may have several")
}
