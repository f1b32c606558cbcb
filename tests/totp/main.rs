//! One-time codes: the same as a peer's, found where a device's clock is off, and how often a
//! stranger's codes pass by chance.
//!
//! With KEYMUSTER_TEST_LONG set, the numbers are larger.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test runs programs and fails by panicking; the rules of the project are not for it"
)]

mod chance;
mod check;
#[expect(dead_code, reason = "what tests of vaults need, these don't")]
#[path = "../support/demo_vault.rs"]
mod demo_vault;
mod oathtool;
mod qr;

/// Random bytes.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// A random number below this one.
fn below(limit: u64) -> u64 {
    u64::from_le_bytes(random()) % limit
}

fn is_long() -> bool {
    std::env::var_os("KEYMUSTER_TEST_LONG").is_some()
}
