//! Tests on a real kernel's hidraw, with virtual FIDO2 keys plugged into it.
//!
//! This one program runs on both sides. On the host it builds a small virtual machine around
//! itself and boots it, three times: each has one processor and waits now and then, and so two
//! real ones always have work. In a machine it runs that machine's share of the trials, and its
//! exit code comes back out. So plain `cargo test --test vm FILTER` is all there is to know. A
//! piece that the machine needs and the host lacks is an error that names the package, never a
//! test that is left out.
//!
//! - [`machine`]: the host's side, on [`initramfs`];
//! - [`keys`], [`run`], [`pseudo_terminal`] and [`host`]: what trials use, in the machine;
//! - [`trials`]: the rules that are tested.
//!
//! `KEYMUSTER_VM_DEADLINE` is the number of seconds after which a machine is stopped; see
//! [`machine`]. Variables that begin with `KEYMUSTER_` or `RUST_` reach the trials.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a harness runs programs, waits for them and fails by panicking; \
              the rules of the project are not for it"
)]

mod host;
mod initramfs;
mod keys;
mod machine;
#[path = "../support/member.rs"]
mod member;
#[path = "../support/memory.rs"]
#[expect(dead_code, reason = "it serves the tests on the host, too")]
mod memory;
#[path = "../support/pseudo_terminal.rs"]
mod pseudo_terminal;
mod run;
mod trials;

use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Trials start this program once more, as a helper that a device has taken over, or as what
    // stands between a helper and the kernel.
    let other = trials::confinement::subverted().or_else(trials::confinement::refusing);
    if let Some(ended) = other.or_else(trials::liar::lie) {
        return ended;
    }
    let mut arguments = Arguments::from_args();
    if let Some(number) = machine::guest_number() {
        if let Err(complaint) = keys::check_machine() {
            eprintln!("error: {complaint}");
            return ExitCode::FAILURE;
        }
        // Keys are told apart, but they share the machine's one slow processor, and a trial
        // that counts on time should have it to itself.
        arguments.test_threads = Some(1);
        let conclusion = libtest_mimic::run(&arguments, trials::of_machine(number));
        trials::show_people();
        trials::show_cities();
        trials::show_screens();
        trials::show_interruptions();
        print!("{}", memory::table());
        return conclusion.exit_code();
    }
    if arguments.list {
        return libtest_mimic::run(&arguments, trials::all()).exit_code();
    }
    match machine::run_in_machines(&arguments) {
        Ok(code) => code,
        Err(complaint) => {
            eprintln!("error: {complaint}");
            ExitCode::FAILURE
        }
    }
}
