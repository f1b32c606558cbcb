//! The binary as people use it, on demo vaults: what it answers, what it refuses, and what
//! stock tools make of the files it writes.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests make and break files, and fail by panicking"
)]

mod answers;
mod bad_input;
mod bundle;
mod card;
mod cities;
#[path = "../support/demo_vault.rs"]
mod demo_vault;
mod drills;
mod forks;
mod invitations;
mod people;
#[allow(dead_code, reason = "the tests in the virtual machine use more of it")]
#[path = "../support/pseudo_terminal.rs"]
mod pseudo_terminal;
mod recovery;
mod report;
mod runbooks;
mod schedule;
mod slips;
mod status;
mod stock_tools;
mod succession;
mod tampering;
mod terminal;
mod writers;
