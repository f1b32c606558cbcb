//! The `keymuster` binary: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The helper process for one request to one security key; not for people to start.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "key-helper") {
        return keymuster::key::helper::serve();
    }
    keymuster::cli::main(std::env::args_os())
}
