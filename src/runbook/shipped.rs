//! The runbooks that come with keymuster.

/// A runbook that comes with keymuster, as it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shipped {
    /// What it is called.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Makes the list of files in the folder `runbooks`.
macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../runbooks/", $name, ".md")),
        }),+]
    };
}

/// All of them, by name.
pub fn shipped() -> &'static [Shipped] {
    shipped![
        "alert-test",
        "all-mfa-lost",
        "close-account",
        "contacts-review",
        "custodian-joins",
        "custodian-leaves",
        "enrol-mfa",
        "key-replacement",
        "keys-sign-in",
        "mailbox-lost",
        "member-central-root",
        "password-lost",
        "phone-changed",
        "quarterly",
        "root-compromised",
        "root-only-task",
    ]
}
