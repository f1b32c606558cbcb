//! Keeps what a process holds in memory to itself.
//!
//! Both the program and its helper for security keys hold secrets: neither leaves a core
//! file, and no other process of the same user may look into them or trace them.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Turns core files off and refuses debuggers (`setrlimit(2)`, `PR_SET_DUMPABLE` of
/// `prctl(2)`). To be called before any secret is read.
pub fn keep_memory_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
