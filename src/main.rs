//! The `keymuster` binary: parse, run, exit code.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Wipes whatever is given back. Our own types wipe themselves; the crates that speak to a
/// key copy PINs and what a key derives into buffers that nobody else could wipe.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    // The helper process for one request to one security key; not for people to start.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "key-helper") {
        return keymuster::key::helper::serve();
    }
    // The same for one picture.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "picture-helper") {
        return keymuster::picture::serve();
    }
    keymuster::cli::main(std::env::args_os())
}
