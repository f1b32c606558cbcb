//! The paper copy: a custodian's identity under a passphrase for the safe, which is handed out
//! once, on the terminal or to a file descriptor.

use std::fs::File;
use std::io::Write as _;

use clap::Args;

use super::context::Context;
use super::failure::Failure;
use super::prompt::Question;
use super::{exit, secret_file};
use crate::log::sha256;
use crate::record::{Handle, IdentitySealed, PAPER, UnfitValue};
use crate::vault::{Layout, NewFile, Passphrase, PersonalIdentity};

/// Where a command that makes a paper copy hands out its passphrase.
#[derive(Debug, Args)]
pub struct PaperArgs {
    /// Write the passphrase of the paper copy to this file descriptor instead of showing it
    #[arg(long, value_name = "N")]
    pub paper_fd: Option<u32>,
}

/// Where the passphrase of the paper copy goes.
pub struct Paper<'a> {
    context: &'a Context,
    descriptor: Option<File>,
}

impl<'a> Paper<'a> {
    /// To a file descriptor, or to the terminal, which must be there.
    pub fn new(context: &'a Context, descriptor: Option<u32>) -> Result<Self, Failure> {
        let descriptor = descriptor.map(secret_file::descriptor).transpose()?;
        if descriptor.is_none() && !context.terminal.is_there() {
            return Err(Failure::new(
                exit::ABSENT,
                "there is no terminal to show the paper copy's passphrase on",
            )
            .hint("take it from a file descriptor with --paper-fd N"));
        }
        Ok(Self { context, descriptor })
    }

    /// Seals the identity to a new passphrase, under the number that the copy bears, opens it
    /// again, and gives the passphrase out.
    pub fn seal(
        self,
        personal: PersonalIdentity,
        layout: &Layout,
    ) -> Result<(IdentitySealed, NewFile, PersonalIdentity), Failure> {
        let bug = |error: UnfitValue| Failure::because(exit::FAILED, "a bug in keymuster", &error);
        let slot: Handle = PAPER.parse().map_err(bug)?;
        let custodian: Handle = personal.name().custodian.parse().map_err(bug)?;
        let generation = layout.free_generation(&custodian, &slot);
        // The text inside repeats the number of its file.
        let personal = personal.renumbered(generation);
        let passphrase = Passphrase::generate(&mut self.context.random_source()?);
        let bytes = personal.seal_to_passphrase(&passphrase)?;
        PersonalIdentity::open_with_passphrase(&bytes, &passphrase, &personal.name()).map_err(
            |error| {
                Failure::because(
                    exit::FAILED,
                    "the paper copy doesn't open again; nothing was made",
                    &error,
                )
            },
        )?;
        let path = layout.identity(&custodian, &slot, generation);
        self.hand_out(&passphrase, &layout.shown(&path))?;
        let event = IdentitySealed {
            custodian,
            slot,
            generation,
            sha256: sha256(&bytes),
            plugin_sha256: None,
        };
        Ok((event, NewFile { path, bytes }, personal))
    }

    fn hand_out(self, passphrase: &Passphrase, file: &str) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::because(
                exit::FAILED,
                "couldn't hand out the paper copy's passphrase; nothing was made",
                &error,
            )
        };
        if let Some(mut descriptor) = self.descriptor {
            descriptor.write_all(passphrase.expose().as_bytes()).map_err(failed)?;
            return descriptor.write_all(b"\n").map_err(failed);
        }
        let terminal = &self.context.terminal;
        let about = "the paper copy's passphrase must be confirmed";
        let title = format!(
            "The paper copy. Write these ten words down with their hyphens, on paper only,\n\
             and put it in a safe. With {file}\n\
             they open the vault when every key is lost.\n\n  "
        );
        let secret = [&title, passphrase.expose(), "\n\n"];
        let ask = |text| {
            terminal.ask_beside(&secret, &Question { text, about, instead: "use --paper-fd N" })
        };
        let last = passphrase.expose().rsplit('-').next();
        let mut answer = ask("Type the last of the ten words to go on: ")?;
        while last != Some(answer.trim()) {
            answer = ask("That isn't the last of the ten words. Type it: ")?;
        }
        Ok(())
    }
}
