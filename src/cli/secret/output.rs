//! Where secrets and codes go: the terminal, until a key is pressed, unless something else was
//! asked for.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::pages::pages;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::prompt::Question;
use crate::text::sanitise;

/// The rows that stand beside a secret on its screen: the title, which may wrap, and the
/// question.
const BESIDE: usize = 6;
const CLEAR: &str = "Press Enter to clear it: ";

/// Where a secret goes instead of the terminal.
#[derive(Debug, Args)]
pub struct Output {
    /// Write it to a new file, which nobody else may read, instead of showing it; - is stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Where a secret goes, made sure of before it is opened.
pub enum Target {
    Terminal,
    Stdout,
    File(PathBuf, File),
}

impl Output {
    /// Makes sure of it.
    pub fn target(&self, context: &Context) -> Result<Target, Failure> {
        match self.output.as_deref() {
            None if context.terminal.is_there() => Ok(Target::Terminal),
            None => Err(Failure::new(exit::ABSENT, "there is no terminal to show a secret on")
                .hint("--output FILE writes it to a file, and --output - to stdout")),
            Some(path) if path == Path::new("-") && context.globals.json => {
                Err(Failure::new(exit::USAGE, "--json answers on stdout, and never with a secret")
                    .hint("write the secret to a file with --output FILE"))
            }
            Some(path) if path == Path::new("-") => Ok(Target::Stdout),
            Some(path) => {
                let shown = sanitise(&path.to_string_lossy(), 200);
                let mut options = OpenOptions::new();
                let file = options.write(true).create_new(true).mode(0o600).open(path);
                file.map(|file| Target::File(path.to_owned(), file)).map_err(|error| {
                    Failure::because(exit::FAILED, format!("couldn't create {shown}"), &error)
                })
            }
        }
    }
}

impl Target {
    /// Gives a secret out. `title` is what people read above it; `receipt` is the entry that
    /// stands even if that fails.
    pub fn give(
        self,
        context: &Context,
        (title, receipt): (&str, u64),
        secret: &str,
    ) -> Result<(), Failure> {
        self.give_out(context, title, secret).map_err(|failure| failure.after_entry(receipt))
    }

    fn give_out(self, context: &Context, title: &str, secret: &str) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::because(exit::FAILED, "couldn't write the secret", &error)
        };
        match self {
            Self::Terminal => {
                let (rows, columns) = context.terminal.size();
                let pages = pages(secret, rows.saturating_sub(BESIDE), columns);
                for (number, page) in (1..).zip(&pages) {
                    let (counted, text) = match pages.len() {
                        1 => (String::new(), CLEAR),
                        many if number == many => (format!(" (page {number} of {many})"), CLEAR),
                        many => (format!(" (page {number} of {many})"), "Press Enter to go on: "),
                    };
                    let question = Question {
                        text,
                        about: "a secret stands on the terminal",
                        instead: "--output FILE writes it to a file",
                    };
                    let all = [title, &counted, "\n\n", page, "\n\n"];
                    context.terminal.ask_beside(&all, &question)?;
                }
                Ok(())
            }
            Self::Stdout => {
                // Not through std's own handle, whose buffer would keep a copy.
                let stdout = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
                let mut stdout = stdout.map_err(failed)?;
                stdout.write_all(secret.as_bytes()).map_err(failed)?;
                stdout.write_all(b"\n").map_err(failed)
            }
            Self::File(path, mut file) => {
                let mut write = || {
                    file.write_all(secret.as_bytes())?;
                    file.write_all(b"\n")?;
                    file.sync_all()
                };
                write().map_err(|error| {
                    let _ = std::fs::remove_file(&path);
                    failed(error)
                })
            }
        }
    }

    /// Leaves nothing behind where there is nothing to give.
    pub fn abandon(self) {
        if let Self::File(path, _) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}
