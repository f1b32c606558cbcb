//! `keymuster totp check`: does this seed make the codes that the device shows?

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::cli::prompt::Question;
use crate::cli::secret_file;
use crate::record::Time;
use crate::totp::otpauth::{Enrolment, UnfitUri};
use crate::totp::{
    Algorithm, Code, Found, Generator, Parameters, Seed, Strength, UnfitSeed, Window,
};

/// `keymuster totp check`
#[derive(Debug, Args)]
#[command(
    after_help = "A seed is base32, as AWS shows it, or an otpauth URI, as its QR code holds it. Without a flag\n\
    it is asked for, and so are two codes that follow each other, as AWS wants them. The exit code\n\
    is 0 if the seed makes them, 3 if it doesn't.\n\n\
    Examples:\n  keymuster totp check\n  keymuster totp check --seed-file seed.txt --code 123456 --code 654321"
)]
pub struct Check {
    /// Read the seed from a file; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "otpauth_fd")]
    seed_file: Option<PathBuf>,
    /// Read the seed from an open file descriptor, up to its end
    #[arg(long, value_name = "N")]
    otpauth_fd: Option<u32>,
    /// A code that the device showed; given twice, two codes that followed each other
    #[arg(long, value_name = "DIGITS", num_args = 1)]
    code: Vec<String>,
    /// When the last of the codes was shown, such as 2026-11-22T12:00:00Z; else now
    #[arg(long, value_name = "TIME", requires = "code")]
    at: Option<Time>,
    /// The hash [default: sha1]
    #[arg(long, value_name = "HASH")]
    algorithm: Option<Hash>,
    /// How many digits a code has, 6 to 8 [default: 6]
    #[arg(long, value_name = "N")]
    digits: Option<u64>,
    /// How many seconds a code is shown [default: 30]
    #[arg(long, value_name = "SECONDS")]
    period: Option<u64>,
    /// Take a seed of less than 128 bits, as some old tokens have
    #[arg(long)]
    allow_short_seed: bool,
}

/// The hash that codes are made with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl From<Hash> for Algorithm {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha1 => Self::Sha1,
            Hash::Sha256 => Self::Sha256,
            Hash::Sha512 => Self::Sha512,
        }
    }
}

#[derive(Serialize)]
struct Verdict {
    /// Whether the seed makes the codes.
    matches: bool,
    /// `two-consecutive`, `two`, or `one`; of what was found.
    evidence: Option<&'static str>,
    /// The steps (RFC 6238's T) that the codes belong to, in their order.
    steps: Vec<Option<u64>>,
    /// How far the device is ahead of the clock (or behind, below 0), in steps.
    drift_steps: Option<i64>,
    /// The same in seconds.
    drift_seconds: Option<i64>,
    algorithm: &'static str,
    digits: u8,
    period: u64,
    /// How many steps were searched.
    searched_steps: u64,
    /// How likely the codes of another device would have passed.
    chance_of_false_match: f64,
    /// Whose service the URI names.
    issuer: Option<String>,
    /// Which account it names.
    account: Option<String>,
}

/// A seed that codes can be made of, and what came with it.
struct Source {
    generator: Generator,
    issuer: Option<String>,
    account: Option<String>,
}

pub fn run(context: &Context, check: &Check) -> Result<Answer, Failure> {
    if check.code.len() > 2 {
        return Err(Failure::new(exit::USAGE, "one code or two are checked, not more")
            .hint("give --code at most twice"));
    }
    let source = check.source(context)?;
    let (codes, moment) = check.codes(context, source.generator.parameters())?;
    let seconds = u64::try_from(moment.moment().timestamp()).unwrap_or(0);
    let window = Window::around(&source.generator, seconds, Window::WIDTH);
    let found = match codes.as_slice() {
        [first, second] => window.find_two(first, second),
        [only] => window.find_one(only),
        _ => Found::Nothing,
    };
    let verdict = verdict(&source, &window, found, codes.len());
    let words = described(&verdict, &window, found, moment);
    let code = if verdict.matches { exit::DONE } else { exit::NO };
    Ok(Answer::new("totp-checked", &verdict, words).exiting(code))
}

impl Check {
    /// The seed that the flags name, or that is asked for.
    fn source(&self, context: &Context) -> Result<Source, Failure> {
        let text = match (&self.seed_file, self.otpauth_fd) {
            (Some(file), _) => secret_file::read_seed(file, context.interrupted())?,
            (None, Some(number)) => secret_file::read_seed_from(number, context.interrupted())?,
            (None, None) => context.terminal.ask_hidden(&Question {
                text: "The seed, as base32 or an otpauth URI (not shown): ",
                about: "a seed is needed",
                instead: "give it with --seed-file FILE or --otpauth-fd N",
            })?,
        };
        let strength = if self.allow_short_seed { Strength::Any } else { Strength::Rfc4226 };
        let is_uri =
            text.trim_start().get(..7).is_some_and(|start| start.eq_ignore_ascii_case("otpauth"));
        if is_uri {
            if self.algorithm.is_some() || self.digits.is_some() || self.period.is_some() {
                let message = "the otpauth URI says algorithm, digits and period itself";
                return Err(Failure::new(exit::USAGE, message));
            }
            let read = Enrolment::parse(&text, strength).map_err(|error| {
                let short = matches!(error, UnfitUri::Seed(UnfitSeed::Short(_)));
                no_seed(&error, short)
            })?;
            let generator = Generator::new(&read.seed, read.parameters);
            return Ok(Source { generator, issuer: read.issuer, account: read.account });
        }
        let default = Parameters::default();
        let algorithm = self.algorithm.map_or(default.algorithm(), Algorithm::from);
        let digits = self.digits.unwrap_or(default.digits().into());
        let period = self.period.unwrap_or(default.period());
        let parameters = Parameters::new(algorithm, digits, period)
            .map_err(|error| Failure::of(exit::USAGE, &error))?;
        let seed = Seed::from_base32(&text, strength)
            .map_err(|error| no_seed(&error, matches!(error, UnfitSeed::Short(_))))?;
        Ok(Source { generator: Generator::new(&seed, parameters), issuer: None, account: None })
    }

    /// The codes, and when the last of them was shown.
    fn codes(
        &self,
        context: &Context,
        parameters: Parameters,
    ) -> Result<(Vec<Code>, Time), Failure> {
        let parse = |text: &str| {
            Code::parse(text, parameters)
                .map_err(|error| Failure::because(exit::USAGE, "that is no code", &error))
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
        let first = parse(&ask("The code that the device shows now: ")?)?;
        let second = parse(&ask("The next one: ")?)?;
        Ok((vec![first, second], context.now()?))
    }
}

fn no_seed(error: &(dyn std::error::Error + 'static), short: bool) -> Failure {
    let failure = Failure::because(exit::FAILED, "that is no seed", error);
    if short {
        failure.hint("where that is right, as with an old token, add --allow-short-seed")
    } else {
        failure
    }
}

fn verdict(source: &Source, window: &Window, found: Found, codes: usize) -> Verdict {
    let parameters = source.generator.parameters();
    let (evidence, steps) = match found {
        Found::Nothing => (None, vec![None; codes]),
        Found::Alone(step) => (Some("one"), vec![Some(step)]),
        Found::Consecutive(first) => {
            (Some("two-consecutive"), vec![Some(first), first.checked_add(1)])
        }
        // The same code twice says no more than once.
        Found::Apart { first, second } if first == second => (Some("one"), vec![Some(first); 2]),
        Found::Apart { first, second } => (Some("two"), vec![Some(first), Some(second)]),
        Found::FirstOnly(step) => (None, vec![Some(step), None]),
        Found::SecondOnly(step) => (None, vec![None, Some(step)]),
    };
    let drift = found.last_step().map(|step| window.drift(step));
    let period = i64::try_from(parameters.period()).unwrap_or(i64::MAX);
    Verdict {
        matches: evidence.is_some(),
        evidence,
        steps,
        drift_steps: drift,
        drift_seconds: drift.map(|steps| steps.saturating_mul(period)),
        algorithm: match parameters.algorithm() {
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        },
        digits: parameters.digits(),
        period: parameters.period(),
        searched_steps: window.steps(),
        chance_of_false_match: match evidence {
            Some("two-consecutive") => window.chance_of_two(),
            Some("two") => window.chance_of_two_near(),
            None if codes == 2 => window.chance_of_two_near(),
            _ => window.chance_of_one(),
        },
        issuer: source.issuer.clone(),
        account: source.account.clone(),
    }
}

fn described(verdict: &Verdict, window: &Window, found: Found, moment: Time) -> String {
    let hours = Window::WIDTH / 3600;
    let mut text = match found {
        Found::Nothing => format!(
            "NO: the seed makes none of these codes within {hours} hours of {moment}. Is it the seed of\n\
             this device, and are hash, digits and period right?\n"
        ),
        Found::FirstOnly(_) => {
            "NO: the seed makes the first code, but not the second. Was it mistyped?\n".to_owned()
        }
        Found::SecondOnly(_) => {
            "NO: the seed makes the second code, but not the first. Was it mistyped?\n".to_owned()
        }
        Found::Alone(step) => {
            format!("The seed makes this code, of step {step}. That is WEAK: one code only.\n")
        }
        Found::Consecutive(step) => format!(
            "The seed makes both codes, of steps {step} and {}, one after the other.\n",
            step.saturating_add(1)
        ),
        Found::Apart { first, second } if first == second => format!(
            "The seed makes this code, of step {first}. That is WEAK: both are the same code. Wait for\n\
             the next one.\n"
        ),
        Found::Apart { first, second } => format!(
            "The seed makes both codes, of steps {first} and {second}, but THEY DON'T FOLLOW each\n\
             other: AWS would refuse them.\n"
        ),
    };
    if let (Some(steps), Some(seconds)) = (verdict.drift_steps, verdict.drift_seconds) {
        text.push_str(&drifted(steps, seconds));
    }
    if verdict.matches {
        text.push_str(&format!(
            "Codes of another device would pass by chance {} ({} searched).\n",
            odds(verdict.chance_of_false_match),
            count(usize::try_from(window.steps()).unwrap_or(usize::MAX), "step", "steps"),
        ));
    }
    let named: Vec<&str> =
        [&verdict.issuer, &verdict.account].into_iter().flatten().map(String::as_str).collect();
    if !named.is_empty() {
        text.push_str(&format!("The URI names {}.\n", named.join(", ")));
    }
    text
}

/// How a device's clock stands to ours.
fn drifted(steps: i64, seconds: i64) -> String {
    let way = match steps {
        0 => return "Its clock agrees with this machine's.\n".to_owned(),
        1.. => "ahead of",
        _ => "behind",
    };
    let steps = usize::try_from(steps.unsigned_abs()).unwrap_or(usize::MAX);
    let steps = count(steps, "step", "steps");
    format!("Its clock is {steps} ({}) {way} this machine's.\n", duration(seconds.unsigned_abs()))
}

/// `1 h 3 min 30 s`.
fn duration(seconds: u64) -> String {
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let shown = parts.iter().filter(|(number, _)| *number > 0);
    shown.map(|(number, unit)| format!("{number} {unit}")).collect::<Vec<_>>().join(" ")
}

/// `once in 174 tries`, with three figures at most that mean something.
fn odds(chance: f64) -> String {
    let tries = 1.0 / chance;
    let scale = 10_f64.powi((tries.log10().floor() as i32 - 2).max(0));
    let digits = format!("{:.0}", (tries / scale).round() * scale);
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    format!("once in {shown} tries")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_words() {
        assert_eq!(odds(0.005_744), "once in 174 tries");
        assert_eq!(odds(5.761e-9), "once in 174,000,000 tries");
        assert_eq!(odds(1.0), "once in 1 tries");
        assert_eq!(duration(12_630), "3 h 30 min 30 s");
        assert_eq!(drifted(-7, -210), "Its clock is 7 steps (3 min 30 s) behind this machine's.\n");
        assert_eq!(drifted(1, 30), "Its clock is 1 step (30 s) ahead of this machine's.\n");
    }
}
