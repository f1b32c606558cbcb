//! What was tried of the ways into an account: contacts reviewed, mailbox and telephone
//! tested, a sign-in with an MFA device.
//!
//! A trial that failed is recorded too; it is the last that passed that counts for what is due.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::{Handle, Line, Rejection, Stamp, State};
use super::DeviceName;
use super::device::{each_once, not_registered};

/// What was tried.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TrialKind {
    /// Contacts and details were looked at, and found current.
    Contacts,
    /// A message to the root user's address arrived, and was read.
    Mailbox,
    /// A call to the root user's telephone was answered.
    Phone,
    /// The root user signed in; with this device, if it was one that is recorded.
    SignIn(Option<DeviceName>),
}

/// How a trial went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Otherwise.
    Failed,
}

impl Outcome {
    /// As it stands in a document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// When something was last tried, and how that went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trial {
    /// When it last was.
    pub last: Stamp,
    /// How that went.
    pub outcome: Outcome,
    /// What was said of it.
    pub remark: Option<Line>,
    /// When it last passed.
    pub passed: Option<Stamp>,
}

impl Trial {
    pub(super) fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        std::iter::once(&self.last).chain(&self.passed)
    }

    pub(super) fn stamps_mut(&mut self) -> impl Iterator<Item = &mut Stamp> {
        std::iter::once(&mut self.last).chain(&mut self.passed)
    }
}

/// Something was tried of accounts: the fields of contacts-reviewed, mailbox-tested and
/// phone-tested.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsTried {
    /// Which, each once.
    pub accounts: Vec<Handle>,
    /// How it went.
    pub outcome: Outcome,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Line>,
}

impl AccountsTried {
    pub(in super::super) fn apply(
        &self,
        state: &mut State,
        kind: &TrialKind,
        at: Stamp,
    ) -> Result<(), Rejection> {
        for handle in each_once(&self.accounts)? {
            let account = state.accounts.known(handle)?;
            let missing = match kind {
                TrialKind::Mailbox if account.root.email.is_none() => "e-mail address",
                TrialKind::Phone if account.root.phone.is_none() => "telephone number",
                _ => continue,
            };
            return Err(Rejection::Mismatch(format!("{handle} has no {missing} of its root user")));
        }
        for handle in &self.accounts {
            note(state, handle, kind, self.outcome, self.remark.as_ref(), at)?;
        }
        Ok(())
    }
}

/// The root user of accounts signed in, or couldn't.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInProven {
    /// Which, each once.
    pub accounts: Vec<Handle>,
    /// With which MFA device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceName>,
    /// What shows it: the id of the provider's own record, such as CloudTrail's event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Line>,
    /// How it went.
    pub outcome: Outcome,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Line>,
}

impl SignInProven {
    pub(in super::super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        for handle in each_once(&self.accounts)? {
            let account = state.accounts.known(handle)?;
            if !account.root.credentials {
                let message = format!("{handle} has no root credentials to sign in with");
                return Err(Rejection::Mismatch(message));
            }
            match &self.device {
                Some(device) if !account.devices.contains_key(device) => {
                    return Err(not_registered(device, handle));
                }
                _ => {}
            }
        }
        let kind = TrialKind::SignIn(self.device.clone());
        for handle in &self.accounts {
            note(state, handle, &kind, self.outcome, self.remark.as_ref(), at)?;
        }
        Ok(())
    }
}

fn note(
    state: &mut State,
    handle: &Handle,
    kind: &TrialKind,
    outcome: Outcome,
    remark: Option<&Line>,
    at: Stamp,
) -> Result<(), Rejection> {
    let trials = &mut state.account_mut(handle)?.trials;
    let before = trials.get(kind).and_then(|trial| trial.passed);
    let passed = if outcome == Outcome::Passed { Some(at) } else { before };
    trials.insert(kind.clone(), Trial { last: at, outcome, remark: remark.cloned(), passed });
    Ok(())
}
