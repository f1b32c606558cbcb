//! A seed from the QR code of a printed sheet: a scan or a photograph of it.

use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::reading::read_file;
use crate::confinement::Confinement;
use crate::picture::{Helper, MAX_BYTES, PictureError, Texts, Unread};
use crate::text::sanitise;
use crate::totp::Strength;
use crate::totp::otpauth::Enrolment;

/// The picture, as flags.
#[derive(Debug, Args)]
pub struct QrFlags {
    /// Read the seed from the QR code in a picture, PNG or JPEG
    #[arg(long, value_name = "FILE")]
    qr: Option<PathBuf>,
    /// Which of several codes in the picture, from 1
    #[arg(long, value_name = "N", requires = "qr")]
    qr_number: Option<usize>,
}

impl QrFlags {
    /// Whether a picture is named.
    pub fn is_given(&self) -> bool {
        self.qr.is_some()
    }

    /// The text of the code in the picture that is named, if one is.
    pub fn text(&self, context: &Context) -> Result<Option<Zeroizing<String>>, Failure> {
        let Some(path) = &self.qr else {
            // What conflicts with --qr would let it pass.
            return match self.qr_number {
                Some(_) => Err(Failure::new(exit::USAGE, "--qr-number goes with --qr")),
                None => Ok(None),
            };
        };
        let shown = sanitise(&path.to_string_lossy(), 200);
        let mut texts = read(context, path, &shown)?;
        match (self.qr_number, texts.len()) {
            (None, 1) => Ok(texts.pop()),
            (Some(number), many) if (1..=many).contains(&number) => {
                Ok(Some(texts.swap_remove(number - 1)))
            }
            (_, 1) => Err(Failure::new(exit::USAGE, format!("{shown} has one QR code only"))),
            (_, many) => Err(Failure::new(exit::USAGE, format!("{shown} has {many} QR codes"))
                .hint(format!("choose one with --qr-number: {}", listed(&texts)))),
        }
    }
}

fn read(context: &Context, path: &Path, shown: &str) -> Result<Texts, Failure> {
    let picture = read_file(path, MAX_BYTES, context.interrupted())?;
    let program = std::env::current_exe().map_err(|error| {
        Failure::because(exit::FAILED, "keymuster can't find itself to start its helper", &error)
    })?;
    let helper = Helper::new(program, context.interruption());
    let found = helper.read(&picture).and_then(|(confinement, found)| {
        if let Some(note) = shortfall(confinement).filter(|_| found != Err(Unread::Unconfined)) {
            context.terminal.say(&format!("NOTE: {note}"));
        }
        Ok(found?)
    });
    found.map_err(|error| match error {
        PictureError::Interrupted => Failure::interrupted(),
        error => {
            let failure = Failure::because(
                exit::FAILED,
                format!("no seed could be read from {shown}"),
                &error,
            );
            match error {
                PictureError::Unread(Unread::TooLarge { .. }) => {
                    failure.hint("scan it at 300 dots an inch, or cut out the code")
                }
                PictureError::Unread(Unread::NoPicture) => failure.hint("save it as PNG or JPEG"),
                PictureError::Unread(Unread::NoCode | Unread::Illegible) => failure
                    .hint("scan it straight, in focus, and with a white margin around the code"),
                PictureError::Unread(Unread::Unconfined) => {
                    failure.hint("read the code elsewhere, and give the seed with --seed-file")
                }
                PictureError::TooSlow => failure.hint("cut out the code"),
                _ => failure,
            }
        }
    })
}

/// What the process that read a picture should have been kept from, and wasn't.
fn shortfall(confinement: Confinement) -> Option<String> {
    let missing = match confinement {
        Confinement { landlock: Some(_), seccomp: true } => return None,
        Confinement { landlock: None, seccomp: true } => "this kernel has no Landlock",
        Confinement { landlock: Some(_), seccomp: false } => "this kernel took no seccomp filter",
        Confinement { landlock: None, seccomp: false } => {
            "this kernel has no Landlock and took no seccomp filter"
        }
    };
    Some(format!("{missing}: the process that reads pictures is confined less than it should be"))
}

/// What each code is of. Never the seed: a text that can't be read as a URI isn't shown.
fn listed(texts: &Texts) -> String {
    let told = texts.iter().zip(1_usize..).map(|(text, number)| {
        let read = Enrolment::parse(text, Strength::Any).ok();
        let named = read.map(|read| {
            let names: Vec<String> = [read.issuer, read.account].into_iter().flatten().collect();
            if names.is_empty() { "a seed without a name".to_owned() } else { names.join(", ") }
        });
        format!("{number} is {}", named.as_deref().unwrap_or("no otpauth URI"))
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_give_is_said() {
        let said = |landlock, seccomp| {
            let said = shortfall(Confinement { landlock, seccomp });
            said.and_then(|said| said.split_once(':').map(|(missing, _)| missing.to_owned()))
        };
        assert_eq!(said(Some(1), true), None);
        assert_eq!(said(None, true).as_deref(), Some("this kernel has no Landlock"));
        assert_eq!(said(Some(7), false).as_deref(), Some("this kernel took no seccomp filter"));
        assert!(said(None, false).unwrap().contains("no Landlock and took no seccomp"));
    }
}
