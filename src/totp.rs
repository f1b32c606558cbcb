//! One-time codes: does this seed make the codes that a device shows?
//!
//! - [`Seed`]: what a device was given, from base32;
//! - [`otpauth`]: a seed with its parameters, from the URI that QR codes hold;
//! - [`Parameters`] and [`Generator`]: RFC 6238 codes of a seed;
//! - [`Window`]: the search for the steps that codes belong to, and how sure that is.
//!
//! Nothing here knows a clock, a file, a terminal or a vault: times come in as numbers of
//! seconds, seeds as text. Seeds and codes are wiped, and no error or `Debug` shows one.

mod code;
pub mod otpauth;
mod seed;
mod window;

pub use code::{Algorithm, Code, Generator, Parameters, UnfitCode, UnfitParameters};
pub use seed::{Seed, Strength, UnfitSeed};
pub use window::{Found, Window};
