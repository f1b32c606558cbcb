//! Looks for secrets that a program leaves in its memory.
//!
//! The program `memory-scan` runs another one and takes a picture of the memory of each of
//! its processes at the moment that process ends, however it ends: what stands there then is
//! what was left after use. Told so by a signal, it also takes pictures while they run. A
//! test searches the pictures afterwards ([`picture`], [`search`]), when it knows the secrets
//! that the program itself made up.
//!
//! The kernel lets only a process with CAP_SYS_PTRACE look into one that is undumpable: this
//! needs root, or a user namespace of its own (`unshare --user --map-root-user`).
//!
//! `careless` is a program that leaves secrets behind, so that it can be shown that they
//! would be found.

pub mod picture;
pub mod search;
pub mod trace;
