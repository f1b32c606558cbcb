//! Which runbook is meant: a file, one that comes with keymuster, or one that a vault has adopted.

use std::path::Path;

use clap::Args;

use super::faults::told;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::reading::read_file;
use crate::cli::session::Session;
use crate::cli::words::all_of;
use crate::log::sha256;
use crate::record::{Digest, Handle, RunbookAdopted, State};
use crate::runbook::{MAX_BYTES, Runbook, read, shipped};
use crate::text::sanitise;

/// A runbook, as a command names one.
#[derive(Debug, Args)]
pub struct Which {
    /// A file, or the name of a runbook that comes with keymuster; - is stdin
    runbook: String,
    /// The one of that name which the vault has adopted, as it was adopted
    #[arg(long)]
    adopted: bool,
}

impl Which {
    /// The runbook that is meant; what is wrong with one that isn't sound is told.
    pub fn choose(&self, context: &Context) -> Result<Chosen, Failure> {
        if !self.adopted {
            return choose(context, &self.runbook);
        }
        let name = self
            .runbook
            .parse()
            .map_err(|error| Failure::because(exit::USAGE, "that is no runbook's name", &error))?;
        let session = Session::open(context)?;
        let known = session.state().runbooks().get(&name);
        let known = known.ok_or_else(|| not_adopted(session.state(), &name))?;
        let RunbookAdopted { runbook, version, sha256, file, .. } = &known.adoption;
        read_adopted(&session, &format!("{runbook}, version {version}"), (file, sha256))
    }
}

/// A runbook as it was adopted, out of the file of this digest. `name` is how faults call it.
pub fn read_adopted(
    session: &Session<'_>,
    name: &str,
    (file, sha256): (&Digest, &Digest),
) -> Result<Chosen, Failure> {
    let bytes = session.vault.open_attachment(file, sha256)?;
    match read(&bytes) {
        Ok(runbook) => Ok(Chosen { runbook, sha256: *sha256, bytes }),
        Err(faults) => {
            session.context.terminal.say(told(name, &bytes, &faults).trim_end());
            Err(Failure::new(exit::NO, format!("{name}, as adopted, is no sound runbook"))
                .hint("another version of keymuster adopted it: adopt a newer one of it"))
        }
    }
}

/// The failure of whoever names no runbook that the vault has adopted.
pub fn not_adopted(state: &State, name: &Handle) -> Failure {
    let present = state.runbooks().iter().filter(|(_, known)| known.withdrawn.is_none());
    let names: Vec<String> = present.map(|(name, _)| name.to_string()).collect();
    let failure = Failure::new(exit::USAGE, format!("this vault hasn't adopted a runbook {name}"));
    match names.as_slice() {
        [] => failure.hint(format!("it has adopted none: keymuster runbook adopt {name}")),
        names => failure.hint(format!("it has adopted {}", all_of(names))),
    }
}

/// A runbook, as it was named.
pub struct Chosen {
    /// What it says.
    pub runbook: Runbook,
    /// Its text.
    pub bytes: Vec<u8>,
    /// The digest of that.
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
        Ok(runbook) => Ok(Chosen { runbook, sha256: sha256(&source.bytes), bytes: source.bytes }),
        Err(faults) => {
            context.terminal.say(told(&source.name, &source.bytes, &faults).trim_end());
            let message = format!("{} is no sound runbook", source.name);
            Err(Failure::new(exit::FAILED, message)
                .hint("mend what stands above; keymuster runbook lint FILE looks again"))
        }
    }
}
