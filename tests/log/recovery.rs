//! Could we get in, and what may we lose? Against a model that reads the records alone, and was
//! written from `docs/recovery.md`.

mod cases;
mod laws;
mod model;
mod proofs;
mod random;
mod records;
