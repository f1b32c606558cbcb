//! What codes say of a seed, in words and as JSON.

use serde::Serialize;

use crate::cli::output::count;
use crate::cli::seed::SeedSource;
use crate::record::{Evidence, Time};
use crate::totp::{Code, Found, Window};

/// What codes say of a seed, as JSON.
#[derive(Serialize)]
pub struct Verdict {
    /// Whether the seed makes the codes.
    pub matches: bool,
    /// `two-consecutive`, `two`, or `one`; of what was found.
    evidence: Option<&'static str>,
    /// The steps (RFC 6238's T) that the codes belong to, in their order.
    steps: Vec<Option<u64>>,
    /// How far the device is ahead of the clock (or behind, below 0), in steps.
    drift_steps: Option<i64>,
    /// The same in seconds.
    pub drift_seconds: Option<i64>,
    algorithm: &'static str,
    digits: u8,
    period: u64,
    /// How many steps were searched.
    searched_steps: u64,
    /// How likely the codes of another device would have passed.
    chance_of_false_match: f64,
    /// Whose service the URI names.
    uri_issuer: Option<String>,
    /// Which account it names.
    uri_account: Option<String>,
}

/// What is found of codes in what a seed makes around a moment.
pub struct Judgement {
    /// As JSON.
    pub verdict: Verdict,
    /// What it is worth, if the seed made the codes.
    pub evidence: Option<Evidence>,
    /// For people.
    pub words: String,
}

/// Looks for codes in what a seed makes around the moment when the last was shown.
pub fn judge(source: &SeedSource, codes: &[Code], moment: Time) -> Judgement {
    let generator = source.generator();
    let seconds = u64::try_from(moment.moment().timestamp()).unwrap_or(0);
    let window = Window::around(&generator, seconds, Window::WIDTH);
    let found = match codes {
        [first, second] => window.find_two(first, second),
        [only] => window.find_one(only),
        _ => Found::Nothing,
    };
    let verdict = verdict(source, &window, found, codes.len());
    let words = described(&verdict, &window, found, moment);
    Judgement { verdict, evidence: evidence(found), words }
}

fn evidence(found: Found) -> Option<Evidence> {
    match found {
        Found::Nothing | Found::FirstOnly(_) | Found::SecondOnly(_) => None,
        Found::Alone(_) => Some(Evidence::One),
        Found::Consecutive(_) => Some(Evidence::TwoConsecutive),
        // The same code twice says no more than once.
        Found::Apart { first, second } if first == second => Some(Evidence::One),
        Found::Apart { .. } => Some(Evidence::Two),
    }
}

/// What was found, in steps and words.
fn verdict(source: &SeedSource, window: &Window, found: Found, codes: usize) -> Verdict {
    let parameters = source.parameters;
    let steps = match found {
        Found::Nothing => vec![None; codes],
        Found::Alone(step) => vec![Some(step)],
        Found::Consecutive(first) => vec![Some(first), first.checked_add(1)],
        Found::Apart { first, second } => vec![Some(first), Some(second)],
        Found::FirstOnly(step) => vec![Some(step), None],
        Found::SecondOnly(step) => vec![None, Some(step)],
    };
    let evidence = evidence(found);
    let drift = found.last_step().map(|step| window.drift(step));
    let period = i64::try_from(parameters.period()).unwrap_or(i64::MAX);
    Verdict {
        matches: evidence.is_some(),
        evidence: evidence.map(Evidence::word),
        steps,
        drift_steps: drift,
        drift_seconds: drift.map(|steps| steps.saturating_mul(period)),
        algorithm: parameters.algorithm().word(),
        digits: parameters.digits(),
        period: parameters.period(),
        searched_steps: window.steps(),
        chance_of_false_match: match evidence {
            Some(Evidence::TwoConsecutive) => window.chance_of_two(),
            Some(Evidence::Two) => window.chance_of_two_near(),
            None if codes == 2 => window.chance_of_two_near(),
            _ => window.chance_of_one(),
        },
        uri_issuer: source.issuer.clone(),
        uri_account: source.account.clone(),
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
    let named: Vec<&str> = [&verdict.uri_issuer, &verdict.uri_account]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
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
pub fn duration(seconds: u64) -> String {
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
