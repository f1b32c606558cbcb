//! A day, as it is given on a command line.

use std::str::FromStr;

use crate::record::Time;

/// The end of a day in UTC, given as a date.
#[derive(Debug, Clone, Copy)]
pub struct Day(pub Time);

impl FromStr for Day {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = format!("{text}T23:59:59Z");
        end.parse().map(Self).map_err(|_| "a day is written as 2026-12-31")
    }
}
