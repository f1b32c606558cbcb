//! Codes as people give them: by flags, or asked for one after the other.

use clap::Args;
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::prompt::Question;
use crate::record::Time;
use crate::totp::{Algorithm, Code, Parameters, UnfitCode};

/// The codes that a device showed, as flags.
#[derive(Debug, Args)]
pub struct Codes {
    /// A code that the device showed; given twice, two codes that followed each other
    #[arg(long, value_name = "DIGITS", num_args = 1)]
    code: Vec<String>,
    /// When the last of the codes was shown, such as 2026-11-22T12:00:00Z; else now
    #[arg(long, value_name = "TIME", requires = "code")]
    at: Option<Time>,
}

impl Codes {
    /// Whether they are asked for, so that whoever mistyped one can be asked again.
    pub fn are_asked_for(&self) -> bool {
        self.code.is_empty()
    }

    /// Fails where there are more of them than are of use.
    pub fn check(&self) -> Result<(), Failure> {
        if self.code.len() > 2 {
            return Err(Failure::new(exit::USAGE, "one code or two are checked, not more")
                .hint("give --code at most twice"));
        }
        Ok(())
    }

    /// The codes, given or asked for, and when the last of them was shown. `parse` is tried
    /// on each as it comes.
    pub fn read<T>(
        &self,
        context: &Context,
        parse: impl Fn(&str) -> Result<T, UnfitCode>,
    ) -> Result<(Vec<T>, Time), Failure> {
        let parse = |text: &str| {
            parse(text).map_err(|error| Failure::because(exit::USAGE, "that is no code", &error))
        };
        if !self.code.is_empty() {
            let codes = self.code.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
            return Ok((codes, self.at.map_or_else(|| context.now(), Ok)?));
        }
        let ask = |text| {
            context.terminal.ask(&Question {
                text,
                about: "two codes that the device shows are needed",
                instead: "give each with --code DIGITS",
            })
        };
        // A slip of the finger is no reason to begin anew.
        let asked = |text| loop {
            match parse(&ask(text)?) {
                Err(failure) => context.terminal.say(&format!("{}.", failure.sentence())),
                code => return code,
            }
        };
        let first = asked("The code that the device shows now: ")?;
        let second = asked("The next one: ")?;
        Ok((vec![first, second], context.now()?))
    }
}

/// A code as it was typed, where it isn't known yet how many digits it should have.
pub fn typed(text: &str) -> Result<Zeroizing<String>, UnfitCode> {
    // Of any number of digits that some seed may have.
    let forms = (6..=8).filter_map(|digits| Parameters::new(Algorithm::Sha1, digits, 30).ok());
    let mut last = Err(UnfitCode::NotDigits);
    for form in forms {
        last = Code::parse(text, form);
        if last.is_ok() {
            return Ok(Zeroizing::new(text.to_owned()));
        }
    }
    last.map(|_| Zeroizing::new(text.to_owned()))
}
