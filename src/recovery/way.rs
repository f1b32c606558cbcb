//! What the parts of a way are, what is missing of one, and when one was tried.

use chrono::NaiveDate;

use super::formula::{NodeId, Solution};
use crate::record::{DeviceName, Email, Handle, KeyName, Line, Phone, Stamp, Time, TrialKind};

/// A way into a root user.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WayKind {
    /// With the password and an MFA device.
    SignIn,
    /// The password is forgotten: a message to the root address resets it; then an MFA device.
    PasswordReset,
    /// The MFA devices are gone: messages to the root address, and a call to the root telephone.
    LostMfa,
}

impl WayKind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::PasswordReset => "password-reset",
            Self::LostMfa => "lost-mfa",
        }
    }
}

/// The ways into an account.
#[derive(Debug)]
pub struct Access {
    /// Any of them.
    pub node: NodeId,
    /// Each of them.
    pub ways: Vec<(WayKind, NodeId)>,
    /// The accounts of a circle that its mailbox is in: this one first.
    pub circle: Vec<Handle>,
}

impl Access {
    /// The ways that there are, by a solution.
    pub(super) fn there(&self, solution: &Solution<bool>) -> Vec<WayKind> {
        let there = self.ways.iter().filter(|(_, way)| solution.of(*way));
        there.map(|(kind, _)| *kind).collect()
    }
}

/// What a node of the formula is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// An account's root user.
    Account(Handle),
    /// One of its ways in.
    Way(WayKind),
    /// Its password.
    Password,
    /// The password, where it is kept.
    PasswordAt(Line),
    /// A secret in custody, and the compartment that it is in.
    InCustody(Handle, Handle),
    /// Any of its MFA devices.
    Devices,
    /// One of them.
    Device(DeviceName),
    /// Codes out of a seed in custody, or codes that stand in for a device.
    Codes,
    /// The root mailbox.
    Mailbox(Email),
    /// Whoever reads it.
    Readers,
    /// The mail domain.
    Domain(String),
    /// The root telephone.
    Phone(Phone),
    /// Whoever answers it.
    Answerers,
    /// A security key that can be used: it, where it is, its PIN.
    Key(KeyName),
    /// The same, to open the vault or sign for it.
    KeyInUse(KeyName),
    /// Any of somebody's keys.
    Keys,
    /// The PIN of a key.
    Pin(KeyName),
    /// A token that can be used.
    Token(Handle),
    /// The paper copy of a custodian's identity.
    Paper(Handle),
    /// A person.
    Person(Handle),
    /// Any of the custodians.
    Anybody,
    /// A place.
    Place(Line),
    /// The thing itself that a node is about.
    Itself,
    /// A compartment of the vault.
    Compartment(Handle),
    /// That enough custodians can sign.
    Signing,
    /// That a custodian can.
    Signer(Handle),
    /// Another account that it takes.
    Through(Handle),
    /// An account without root credentials, which its organisation gets into.
    Central(Handle),
    /// Something that is missing.
    Missing(Gap),
}

/// What is missing of a way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Gap {
    /// The root user's address isn't recorded.
    NoEmail,
    /// It isn't recorded who reads the mailbox.
    NobodyReads,
    /// The root user's telephone isn't recorded.
    NoPhone,
    /// It isn't recorded who answers it.
    NobodyAnswers,
    /// It isn't recorded where the password is, and none is in custody.
    NoPassword,
    /// No MFA device is recorded.
    NoDevice,
    /// A key may not be used.
    Inactive(KeyName),
    /// Somebody has left.
    HasLeft(Handle),
    /// It isn't recorded who has a token, nor where it is.
    TokenNowhere,
    /// A seed is of no token that is registered.
    NoToken,
    /// It failed when it was last tried.
    Failed(TrialKind),
    /// The seed didn't make the codes when it was last tried.
    SeedFailed,
    /// Nobody opens the compartment.
    NobodyOpens,
    /// An account that it takes isn't looked after here any more.
    Removed(Handle),
}

/// When something was tried, and for how long that counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tried {
    /// When it last passed.
    pub passed: Option<Stamp>,
    /// For how many days that shows that it works.
    pub days: u32,
}

impl Tried {
    /// The day on which it last passed.
    pub fn day(&self) -> Option<NaiveDate> {
        self.passed.map(|at| at.time.moment().date_naive())
    }

    /// Whether that is not too long ago.
    pub fn holds(&self, now: Time) -> bool {
        let today = now.moment().date_naive();
        self.day().is_some_and(|day| (today - day).num_days() <= i64::from(self.days))
    }
}
