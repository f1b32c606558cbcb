//! This machine's own reader identity: `$XDG_CONFIG_HOME/keymuster/readers/VAULT.identity`, with
//! which whoever works here reads the log without a touch. It signs nothing.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::secret_file;
use crate::record::VaultId;
use crate::vault::{AgeIdentity, export_file, remove_leftovers_of};

fn place(context: &Context, vault: &VaultId) -> Result<PathBuf, Failure> {
    let config = context.home_folder("XDG_CONFIG_HOME", ".config").ok_or_else(|| {
        Failure::new(
            exit::FAILED,
            "there is no place for this machine's identity: neither XDG_CONFIG_HOME nor HOME is set",
        )
    })?;
    Ok(config.join("keymuster/readers").join(format!("{vault}.identity")))
}

/// The identity that this machine keeps for a vault, if it does. One that can't be read is no
/// reason to fail: a key opens the vault too.
pub fn identity(context: &Context, vault: &VaultId) -> Result<Option<AgeIdentity>, Failure> {
    let Ok(path) = place(context, vault) else { return Ok(None) };
    let Ok(metadata) = path.symlink_metadata() else { return Ok(None) };
    let shown = crate::text::sanitise(&path.to_string_lossy(), 200);
    let private = metadata.is_file() && metadata.permissions().mode() & 0o077 == 0;
    let read = if private {
        secret_file::read_identities(&path, context.interrupted())
    } else {
        Err(Failure::new(exit::FAILED, "it isn't a file that its owner alone can read"))
    };
    match read {
        Ok(identities) => Ok(identities.into_iter().next()),
        Err(failure) if failure.exit == exit::INTERRUPTED => Err(failure),
        Err(failure) => {
            let why = failure.sentence();
            context.terminal.say(&format!("Passing over {shown}: {why}."));
            Ok(None)
        }
    }
}

/// Removes it: it opens nothing any more.
pub fn forget(context: &Context, vault: &VaultId) -> Result<(), Failure> {
    let path = place(context, vault)?;
    std::fs::remove_file(&path).map_err(|error| {
        Failure::because(exit::FAILED, format!("couldn't remove {}", path.display()), &error)
    })
}

/// The same, made where there is none. One that an interrupted command left is taken up.
pub fn identity_or_new(context: &Context, vault: &VaultId) -> Result<AgeIdentity, Failure> {
    if let Some(identity) = identity(context, vault)? {
        return Ok(identity);
    }
    let identity = AgeIdentity::generate(&mut context.random_source()?)
        .map_err(|error| Failure::because(exit::FAILED, "couldn't make an age identity", &error))?;
    let path = place(context, vault)?;
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| {
        Failure::because(exit::FAILED, format!("couldn't create {}", folder.display()), &error)
    })?;
    // Nobody else makes one now: whoever does holds the vault's lock.
    remove_leftovers_of(&path);
    let line = Zeroizing::new(format!("{}\n", identity.expose_line()));
    export_file(&path, line.as_bytes())?;
    Ok(identity)
}
