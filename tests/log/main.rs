//! The log as a whole: entries signed by software keys, replayed, and tampered with.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests fail by panicking")]

mod authority;
mod fixture;
mod laws;
mod people;
mod rules;
