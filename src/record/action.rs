//! Corrective actions and waivers: what is to be put right, and what may wait.

use serde::{Deserialize, Serialize};

use super::{Handle, Line, Rejection, Stamp, State, Time};

/// Something to be put right, by somebody, by some day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Action {
    /// What was recorded when it was opened.
    pub opening: ActionOpened,
    /// When that was.
    pub opened: Stamp,
    /// When and how it was closed.
    pub closed: Option<(Stamp, Line)>,
}

/// A corrective action is opened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionOpened {
    /// Its id, never used before.
    pub action: Handle,
    /// What is to be done.
    pub title: Line,
    /// Who sees to it.
    pub owner: Handle,
    /// By when.
    pub due: Time,
}

impl ActionOpened {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        state.present(&self.owner)?;
        if state.actions.contains_key(&self.action) {
            return Err(Rejection::Taken("action", self.action.to_string()));
        }
        let action = Action { opening: self.clone(), opened: at, closed: None };
        state.actions.insert(self.action.clone(), action);
        Ok(())
    }
}

/// A corrective action is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionClosed {
    /// Which.
    pub action: Handle,
    /// What was done.
    pub result: Line,
}

impl ActionClosed {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        match state.actions.get_mut(&self.action) {
            Some(action) if action.closed.is_none() => {
                action.closed = Some((at, self.result.clone()));
                Ok(())
            }
            Some(_) => Err(Rejection::Mismatch(format!("action {} is closed", self.action))),
            None => Err(Rejection::Unknown("action", self.action.to_string())),
        }
    }
}

/// An obligation may wait until some day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiver {
    /// What was recorded.
    pub giving: WaiverGiven,
    /// When.
    pub given: Stamp,
}

/// A waiver is given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiverGiven {
    /// Its id, never used before.
    pub waiver: Handle,
    /// What is waived, such as `key-check alice/primary`.
    pub obligation: Line,
    /// Until when; after the entry that gives it.
    pub until: Time,
    /// Why.
    pub reason: Line,
}

impl WaiverGiven {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        if state.waivers.contains_key(&self.waiver) {
            return Err(Rejection::Taken("waiver", self.waiver.to_string()));
        }
        if self.until <= at.time {
            return Err(Rejection::Mismatch("a waiver must end after it is given".to_owned()));
        }
        state.waivers.insert(self.waiver.clone(), Waiver { giving: self.clone(), given: at });
        Ok(())
    }
}
