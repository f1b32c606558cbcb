//! The log as a whole: entries signed by software keys, replayed, and tampered with.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests write bundles, run another verifier, and fail by panicking"
)]

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
mod slips;
mod verifier;
