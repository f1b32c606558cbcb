//! The log as a whole: entries signed by software keys, replayed, and tampered with.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests fail by panicking")]

mod accounts;
mod attacks;
mod authority;
mod compartments;
mod custody;
mod drills;
mod findings;
mod fixture;
mod joining;
mod laws;
mod people;
mod recovery;
mod reports;
mod rules;
mod schedule;
mod secrets;
mod sequences;
mod verifier;
