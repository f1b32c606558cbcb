//! Which runbook is meant: a file, or one that comes with keymuster.

use std::path::Path;

use super::faults::told;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::reading::read_file;
use crate::log::sha256;
use crate::record::Digest;
use crate::runbook::{MAX_BYTES, Runbook, read, shipped};
use crate::text::sanitise;

/// A runbook, as it was named.
pub struct Chosen {
    /// What it says.
    pub runbook: Runbook,
    /// The digest of its bytes.
    pub sha256: Digest,
}

/// The bytes of a runbook, and what it is called where faults are told.
pub struct Source {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Finds what is meant: `quarterly` is a runbook that comes with keymuster, anything with a
/// dot or a slash, and `-`, a file.
pub fn find(context: &Context, which: &str) -> Result<Source, Failure> {
    if which != "-" && !which.contains(['/', '.']) {
        let Some(known) = shipped().iter().find(|known| known.name == which) else {
            let names: Vec<&str> = shipped().iter().map(|known| known.name).collect();
            let shown = sanitise(which, 80);
            return Err(Failure::new(exit::FAILED, format!("there is no runbook {shown:?}")).hint(
                format!("there are {}; a file has its ending, as in mine.md", names.join(", ")),
            ));
        };
        let name = format!("{}.md", known.name);
        return Ok(Source { name, bytes: known.text.as_bytes().to_vec() });
    }
    let path = Path::new(which);
    // One byte more, so that a runbook that is too large is told so by the linter.
    let bytes = read_file(path, 1 << 20, context.interrupted())?;
    let bytes = bytes.into_iter().take(MAX_BYTES + 1).collect();
    let name = if which == "-" { "stdin".to_owned() } else { sanitise(which, 200) };
    Ok(Source { name, bytes })
}

/// A runbook that is sound; what is wrong with another is told.
pub fn choose(context: &Context, which: &str) -> Result<Chosen, Failure> {
    let source = find(context, which)?;
    match read(&source.bytes) {
        Ok(runbook) => Ok(Chosen { runbook, sha256: sha256(&source.bytes) }),
        Err(faults) => {
            context.terminal.say(told(&source.name, &source.bytes, &faults).trim_end());
            let message = format!("{} is no sound runbook", source.name);
            Err(Failure::new(exit::FAILED, message)
                .hint("mend what stands above; keymuster runbook lint FILE looks again"))
        }
    }
}
