//! The rules that are tested in the machine, by subject.

mod auditor;
mod authenticator;
mod circle;
mod cities;
pub(crate) mod confinement;
mod custodian;
mod custody;
mod drill;
mod hostile;
mod interruptions;
pub(crate) mod liar;
mod memory;
mod office;
mod one_port;
mod people;
mod prompts;
mod second_key;
mod test_bed;
mod usb;
mod usb_hostile;
mod usb_keys;
mod usb_waits;
mod wire;

pub(crate) use circle::show_screens;
pub(crate) use cities::show_table as show_cities;
pub(crate) use interruptions::show_table as show_interruptions;
use libtest_mimic::Trial;
pub(crate) use people::show_tables as show_people;

/// Makes trials of functions, each named after its rule.
macro_rules! trials {
    ($subject:literal: $($rule:ident),+ $(,)?) => {
        vec![$($crate::trials::trial(concat!($subject, "::", stringify!($rule)), $rule)),+]
    };
}
use trials;

/// How many machines share the work. Each has one processor.
pub(crate) const MACHINES: usize = 3;

/// The trials of one machine, by subject: about as much for each. Those that share an office
/// stand together, for the founding of its vault is slow.
pub(crate) fn of_machine(number: usize) -> Vec<Trial> {
    let subjects: &[fn() -> Vec<Trial>] = match number {
        0 => &[
            test_bed::trials,
            wire::trials,
            authenticator::trials,
            hostile::trials,
            usb_keys::trials,
            usb_waits::trials,
            usb_hostile::trials,
            memory::trials,
            prompts::trials,
            auditor::trials,
            confinement::trials,
            liar::trials,
        ],
        1 => &[
            people::trials,
            cities::trials,
            one_port::trials,
            second_key::trials,
            custody::trials,
            drill::trials,
        ],
        _ => &[custodian::trials, interruptions::trials],
    };
    subjects.iter().flat_map(|trials| trials()).collect()
}

/// The trials of all machines.
pub(crate) fn all() -> Vec<Trial> {
    (0..MACHINES).flat_map(of_machine).collect()
}

/// A trial fails by panicking, as a plain test does.
fn trial(name: &str, rule: fn()) -> Trial {
    Trial::test(name, move || {
        rule();
        Ok(())
    })
}
