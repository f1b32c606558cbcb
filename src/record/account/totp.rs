//! Checks of tokens: did a seed make the codes that a token showed, and how far was its clock
//! off? Never the seed, never a code.

use serde::{Deserialize, Serialize};

use super::super::{Fingerprint, Handle, Rejection, SecretName, Stamp, State};
use super::device::not_registered;
use super::{DeviceName, Outcome};

/// What was shown by a token and made by a seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Two codes, one after the other, as AWS asks for them.
    TwoConsecutive,
    /// Two codes that don't follow each other.
    Two,
    /// One code only, which is weak.
    One,
}

impl Evidence {
    /// As it stands in a document.
    pub fn word(self) -> &'static str {
        match self {
            Self::TwoConsecutive => "two-consecutive",
            Self::Two => "two",
            Self::One => "one",
        }
    }
}

/// One check of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TotpCheck {
    /// When.
    pub at: Stamp,
    /// What the seed made, and how many seconds the token's clock was ahead (below 0, behind)
    /// of the machine's; nothing if it made no code.
    pub found: Option<(Evidence, i64)>,
    /// Which seed it was, if that is recorded.
    pub fingerprint: Option<Fingerprint>,
    /// The value in custody that it was, if it was one.
    pub secret: Option<SecretName>,
}

/// A token was checked against a seed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotpChecked {
    /// Of which account.
    pub account: Handle,
    /// Which token.
    pub token: Handle,
    /// Whether the seed made the codes.
    pub outcome: Outcome,
    /// What it made, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// How many seconds the token's clock was ahead of the machine's, or behind (below 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_seconds: Option<i64>,
    /// Which seed it was. A seed that made no code, and isn't one in custody, isn't this
    /// account's to be recorded; one that can be guessed has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The value in custody that it was, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretName>,
}

impl TotpChecked {
    pub(in super::super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        let found = match (self.outcome, self.evidence, self.drift_seconds) {
            (Outcome::Passed, Some(evidence), Some(drift)) => Some((evidence, drift)),
            (Outcome::Failed, None, None) => None,
            _ => {
                let message = "evidence and drift belong to a check that passed".to_owned();
                return Err(Rejection::Mismatch(message));
            }
        };
        if let Some(name) = &self.secret {
            let secret = state.secrets().get(&name.secret);
            let known = secret.and_then(|secret| secret.generation(name.generation));
            let known = known.ok_or_else(|| Rejection::Unknown("secret", name.to_string()))?;
            if !secret.is_some_and(|secret| secret.may_be_of(&self.account, &self.token)) {
                let message = format!("{name} isn't of {}, {}", self.account, self.token);
                return Err(Rejection::Mismatch(message));
            }
            if known.fingerprint != self.fingerprint {
                return Err(Rejection::Mismatch(format!("{name} is another seed")));
            }
        }
        let device = DeviceName::Token(self.token.clone());
        if !state.accounts.known(&self.account)?.devices.contains_key(&device) {
            return Err(not_registered(&device, &self.account));
        }
        if let Some(known) = state.account_mut(&self.account)?.devices.get_mut(&device) {
            let (fingerprint, secret) = (self.fingerprint, self.secret.clone());
            known.checks.push(TotpCheck { at, found, fingerprint, secret });
        }
        Ok(())
    }
}
