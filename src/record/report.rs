//! Reports on keys: lost, compromised, restored, retired.
//!
//! An owner's own report is final. Another custodian's suspends the key until two restore or
//! retire it, so that one dishonest custodian gains time and no more; and where it would leave
//! too few who can sign, it is kept as a claim that suspends nothing.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Handle, Key, KeyName, KeyState, Line, PAPER, Rejection, Stamp, State, Time};

/// What is reported of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportKind {
    /// Nobody knows where it is.
    Lost,
    /// Somebody else may use it.
    Compromised,
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Compromised => "compromised",
        })
    }
}

/// A report that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What is reported.
    pub kind: ReportKind,
    /// Who reports it.
    pub reporter: Handle,
    /// Since when it is so, if that is known.
    pub since: Option<Time>,
    /// In words.
    pub remark: Option<Line>,
    /// When it was recorded.
    pub at: Stamp,
}

/// A key, or a paper copy (`alice/paper`), is reported lost or compromised: the fields of
/// both events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyReported {
    /// Which key.
    pub key: KeyName,
    /// The custodian who reports it, and must sign.
    pub reporter: Handle,
    /// Since when it is so, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Line>,
}

impl KeyReported {
    pub(super) fn apply(
        &self,
        state: &mut State,
        kind: ReportKind,
        at: Stamp,
    ) -> Result<(), Rejection> {
        let report = Report {
            kind,
            reporter: self.reporter.clone(),
            since: self.since,
            remark: self.remark.clone(),
            at,
        };
        state.present(&self.reporter)?;
        if self.key.label.as_str() == PAPER {
            return state.expose_paper(&self.key, report);
        }
        let floor_holds = state.keep_floor(|key| *key == self.key).is_ok();
        let own = self.reporter == self.key.owner;
        let key = state.key_mut(&self.key)?;
        let again = |state: &KeyState| {
            Err(Rejection::Mismatch(format!("{} is {} already", self.key, state.word())))
        };
        match &key.state {
            KeyState::Active | KeyState::Suspended(_) | KeyState::Retired(_) if own => {
                key.claims.clear();
                key.state = KeyState::Reported(report);
            }
            // A lost key may turn up in wrong hands.
            KeyState::Reported(before)
                if own && (before.kind, kind) == (ReportKind::Lost, ReportKind::Compromised) =>
            {
                key.state = KeyState::Reported(report);
            }
            KeyState::Active if floor_holds => key.state = KeyState::Suspended(report),
            // A retired one holds its copy still.
            KeyState::Active | KeyState::Retired(_) => {
                if key.claims.iter().any(|claim| claim.reporter == self.reporter) {
                    let reporter = &self.reporter;
                    return Err(Rejection::Mismatch(format!(
                        "{reporter} has reported {} already",
                        self.key
                    )));
                }
                key.claims.push(report);
            }
            state => return again(state),
        }
        state.note_astray(&self.key);
        Ok(())
    }
}

/// A key, or a paper copy, that another custodian reported is well: the key may sign again, unless
/// it is retired. The reporter was wrong, unless they sign this too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRestored {
    /// Which key.
    pub key: KeyName,
}

impl KeyRestored {
    pub(super) fn apply(
        &self,
        state: &mut State,
        at: Stamp,
        signers: &[KeyName],
    ) -> Result<(), Rejection> {
        let reports = if self.key.label.as_str() == PAPER {
            state.clear_paper(&self.key)?
        } else {
            let reports = self.restore_key(state)?;
            state.note_astray(&self.key);
            reports
        };
        let agree: BTreeSet<&Handle> = signers.iter().map(|signer| &signer.owner).collect();
        for report in reports {
            if !agree.contains(&report.reporter)
                && let Some(reporter) = state.custodians.get_mut(&report.reporter)
            {
                reporter.overruled = Some(at);
            }
        }
        Ok(())
    }

    /// Withdraws the reports of others, and returns them. A suspended key is active again.
    fn restore_key(&self, state: &mut State) -> Result<Vec<Report>, Rejection> {
        let key = state.key_mut(&self.key)?;
        let suspending = match &key.state {
            KeyState::Suspended(report) => Some(report.clone()),
            KeyState::Active | KeyState::Retired(_) if !key.claims.is_empty() => None,
            state => {
                return Err(Rejection::Mismatch(format!(
                    "{} is {}, and only a key that others reported is restored",
                    self.key,
                    state.word()
                )));
            }
        };
        if suspending.is_some() {
            key.state = KeyState::Active;
        }
        Ok(std::mem::take(&mut key.claims).into_iter().chain(suspending).collect())
    }
}

/// A key is taken out of service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRetired {
    /// Which key.
    pub key: KeyName,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Line>,
}

impl KeyRetired {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        let floor = state.keep_floor(|key| *key == self.key);
        let key = state.key_mut(&self.key)?;
        match &key.state {
            KeyState::Active => floor?,
            KeyState::Suspended(report) => key.claims.push(report.clone()),
            state => {
                return Err(Rejection::Mismatch(format!(
                    "{} is {} already",
                    self.key,
                    state.word()
                )));
            }
        }
        key.state = KeyState::Retired(at);
        state.note_astray(&self.key);
        Ok(())
    }
}

impl KeyState {
    /// In one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended(_) => "suspended",
            Self::Reported(Report { kind: ReportKind::Lost, .. }) => "lost",
            Self::Reported(Report { kind: ReportKind::Compromised, .. }) => "compromised",
            Self::Retired(_) => "retired",
        }
    }
}

impl Key {
    /// Whether it may sign anything.
    pub fn is_active(&self) -> bool {
        self.state == KeyState::Active
    }

    /// Whether it is known where it is, as far as nobody reported otherwise for good.
    pub fn is_findable(&self) -> bool {
        !matches!(self.state, KeyState::Reported(_))
    }

    /// Whether somebody else may have it in hand, by a report that isn't a mere claim. Who
    /// retire a key that was reported don't say that the report was wrong.
    pub fn is_astray(&self) -> bool {
        match self.state {
            KeyState::Active => false,
            KeyState::Suspended(_) | KeyState::Reported(_) => true,
            KeyState::Retired(_) => !self.claims.is_empty(),
        }
    }
}
