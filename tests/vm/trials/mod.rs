//! The rules that are tested in the machine, by subject.

mod auditor;
mod authenticator;
pub(crate) mod confinement;
mod custodian;
mod hostile;
pub(crate) mod liar;
mod office;
mod test_bed;
mod usb;
mod usb_hostile;
mod usb_keys;
mod usb_waits;
mod wire;

use libtest_mimic::Trial;

/// Makes trials of functions, each named after its rule.
macro_rules! trials {
    ($subject:literal: $($rule:ident),+ $(,)?) => {
        vec![$($crate::trials::trial(concat!($subject, "::", stringify!($rule)), $rule)),+]
    };
}
use trials;

/// All trials of all subjects.
pub(crate) fn all() -> Vec<Trial> {
    [
        test_bed::trials(),
        wire::trials(),
        authenticator::trials(),
        hostile::trials(),
        usb_keys::trials(),
        usb_waits::trials(),
        usb_hostile::trials(),
        confinement::trials(),
        liar::trials(),
        custodian::trials(),
        auditor::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A trial fails by panicking, as a plain test does.
fn trial(name: &str, rule: fn()) -> Trial {
    Trial::test(name, move || {
        rule();
        Ok(())
    })
}
