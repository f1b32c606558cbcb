//! Where in the log something stands.

use chrono::NaiveDate;
use serde::Serialize;

use crate::record::Stamp;
use crate::schedule::day_of;

/// Where in the log, and on which day.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct At {
    pub entry: u64,
    pub day: NaiveDate,
}

impl From<Stamp> for At {
    fn from(stamp: Stamp) -> Self {
        Self { entry: stamp.entry, day: day_of(stamp.time) }
    }
}
