//! `keymuster totp drift`: how far the clocks of tokens are off, and where that is going.

use clap::Args;
use serde::Serialize;

use super::verdict::duration;
use crate::cli::account::named;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, table};
use crate::cli::session::Session;
use crate::record::{Handle, TotpCheck};

/// `keymuster totp drift`
#[derive(Debug, Args)]
#[command(
    after_help = "Only checks that were recorded count: keymuster totp check --account ACCOUNT"
)]
pub struct Drift {
    /// The tokens of this account only, by handle or id
    #[arg(long)]
    account: Option<String>,
}

#[derive(Serialize)]
struct DriftList {
    tokens: Vec<DriftView>,
}

#[derive(Serialize)]
struct DriftView {
    account: String,
    token: String,
    /// How often its codes were checked.
    checks: usize,
    last_check: Option<String>,
    last_passed: Option<bool>,
    /// What it is worth if it passed: `two-consecutive`, `two` or `one`.
    last_evidence: Option<&'static str>,
    /// How many seconds its clock was ahead (below 0, behind) when that was last seen.
    drift_seconds: Option<i64>,
    /// How many seconds it gains (below 0, loses) in 30 days, from two checks at least.
    seconds_in_30_days: Option<f64>,
}

impl DriftView {
    fn new(account: &Handle, token: String, checks: &[TotpCheck]) -> Self {
        let last = checks.last();
        let seen = checks.iter().filter_map(|check| Some((check, check.found?.1)));
        let points: Vec<(i64, i64)> =
            seen.map(|(check, drift)| (check.at.time.moment().timestamp(), drift)).collect();
        Self {
            account: account.to_string(),
            token,
            checks: checks.len(),
            last_check: last.map(|check| check.at.time.to_string()),
            last_passed: last.map(|check| check.found.is_some()),
            last_evidence: last.and_then(|check| Some(check.found?.0.word())),
            drift_seconds: points.last().map(|(_, drift)| *drift),
            seconds_in_30_days: trend(&points),
        }
    }

    fn row(&self) -> Vec<String> {
        let day = |time: &str| time.split('T').next().unwrap_or(time).to_owned();
        let checked = self.last_check.as_deref().map_or("never".to_owned(), day);
        let outcome = match (self.last_passed, self.last_evidence) {
            (Some(false), _) => "FAILED",
            (Some(true), Some("one")) => "weak: one code",
            (Some(true), Some("two")) => "weak: two apart",
            (Some(true), _) => "passed",
            (None, _) => "-",
        };
        let drift = match self.drift_seconds {
            None => "-".to_owned(),
            Some(0) => "none".to_owned(),
            Some(drift) => {
                let way = if drift > 0 { "ahead" } else { "behind" };
                format!("{} {way}", duration(drift.unsigned_abs()))
            }
        };
        let trend = self.seconds_in_30_days.map_or("-".to_owned(), |trend| {
            if trend.abs() < 0.05 {
                "steady".to_owned()
            } else {
                format!("{trend:+.1} s in 30 days")
            }
        });
        vec![self.account.clone(), self.token.clone(), checked, outcome.to_owned(), drift, trend]
    }
}

/// The slope of the straight line that fits best (least squares), in seconds in 30 days. Points
/// are seconds of time and of drift.
fn trend(points: &[(i64, i64)]) -> Option<f64> {
    const MONTH: f64 = 30.0 * 86_400.0;
    let (first, _) = points.first()?;
    let count = points.len() as f64;
    let at = |point: &(i64, i64)| (point.0 - first) as f64 / MONTH;
    let mean_time = points.iter().map(at).sum::<f64>() / count;
    let mean_drift = points.iter().map(|point| point.1 as f64).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|point| (at(point) - mean_time).powi(2)).sum();
    let together: f64 =
        points.iter().map(|p| (at(p) - mean_time) * (p.1 as f64 - mean_drift)).sum();
    // Less than a day apart, one step says nothing.
    let days = (points.last()?.0 - first) / 86_400;
    (points.len() > 1 && days > 0 && spread > 0.0).then(|| together / spread)
}

pub fn run(context: &Context, drift: &Drift) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let account = drift.account.as_deref().map(|account| named(state, account)).transpose()?;
    let accounts = state.accounts().iter();
    let accounts = accounts.filter(|(name, _)| account.as_ref().is_none_or(|only| only == *name));
    let tokens = accounts.flat_map(|(name, known)| {
        let tokens = known.devices.iter();
        tokens.map(move |(device, known)| (name, device, &known.checks))
    });
    let tokens = tokens.filter(|(_, device, _)| !device.to_string().contains('/'));
    let views =
        tokens.map(|(name, device, checks)| DriftView::new(name, device.to_string(), checks));
    let view = DriftList { tokens: views.collect() };
    let human = if view.tokens.is_empty() {
        "No token is on record: keymuster account link NAME ACCOUNT --token\n".to_owned()
    } else {
        let rows: Vec<Vec<String>> = view.tokens.iter().map(DriftView::row).collect();
        table(&["account", "token", "last check", "result", "clock", "trend"], &rows)
    };
    Ok(Answer::new("totp-drift", &view, human).exiting(session.exit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_the_slope_of_the_drift() {
        let month = 30 * 86_400;
        assert_eq!(trend(&[]), None);
        assert_eq!(trend(&[(0, 5)]), None);
        assert_eq!(trend(&[(0, 5), (3600, 35)]), None, "within a day");
        assert_eq!(trend(&[(0, 0), (month, 30)]), Some(30.0));
        assert_eq!(trend(&[(0, 0), (month, -30), (2 * month, -60)]), Some(-30.0));
        let wobbly = trend(&[(0, 0), (month, 30), (2 * month, 30), (3 * month, 60)]).unwrap();
        assert!((wobbly - 18.0).abs() < 1e-9, "{wobbly}");
    }
}
