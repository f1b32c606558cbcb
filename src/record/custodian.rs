//! Custodians: the people who hold the keys, from joining to leaving.

use std::sync::Arc;

use chrono::Days;
use serde::{Deserialize, Serialize};

use super::{AgeRecipient, Handle, KeyState, Line, Policy, Rejection, Stamp, State, Time};

/// The most lines that say how to reach somebody, or what their duties are.
pub(super) const MAX_LINES: usize = 50;

/// A person who holds keys to the vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Custodian {
    /// Their full name, if it was given.
    pub name: Option<Line>,
    /// What compartments are encrypted to for them: their personal age identity. It counts
    /// once a key of theirs is enrolled, which signs for that.
    pub recipient: AgeRecipient,
    /// How to reach them, at night too.
    pub contact: Vec<Line>,
    /// Who stands in for them.
    pub deputy: Option<Handle>,
    /// When they were added.
    pub added: Stamp,
    /// When they left.
    pub left: Option<Stamp>,
    /// When they last signed the text of their duties, if it is the one in force.
    pub acknowledged: Option<Stamp>,
    /// When a report of theirs on another's key was overruled: since then they can't make
    /// such a report alone.
    pub overruled: Option<Stamp>,
}

impl Custodian {
    /// Until when their acknowledgement holds; `None` without one.
    pub fn acknowledged_until(&self, policy: &Policy) -> Option<Time> {
        let days = Days::new(policy.acknowledgement_days.into());
        Time::new(self.acknowledged?.time.moment().checked_add_days(days)?)
    }
}

/// A custodian joins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodianAdded {
    /// Their handle, never used before.
    pub custodian: Handle,
    /// Their full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
    /// The recipient of their personal age identity.
    pub recipient: AgeRecipient,
}

impl CustodianAdded {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        state.take_member(&self.custodian, &self.recipient)?;
        let custodian = Custodian {
            name: self.name.clone(),
            recipient: self.recipient.clone(),
            contact: Vec::new(),
            deputy: None,
            added: at,
            left: None,
            acknowledged: None,
            overruled: None,
        };
        state.custodians.insert(self.custodian.clone(), custodian);
        Ok(())
    }
}

/// What is known of a custodian changes; what isn't named stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodianChanged {
    /// Who.
    pub custodian: Handle,
    /// Their full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
    /// How to reach them, in place of what was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Vec<Line>>,
    /// Who stands in for them: another custodian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deputy: Option<Handle>,
}

impl CustodianChanged {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        if self.name.is_none() && self.contact.is_none() && self.deputy.is_none() {
            return Err(Rejection::Mismatch("it changes nothing".to_owned()));
        }
        if self.contact.as_ref().is_some_and(|lines| lines.len() > MAX_LINES) {
            return Err(too_many_lines());
        }
        if let Some(deputy) = &self.deputy {
            state.present(deputy)?;
            if *deputy == self.custodian {
                return Err(Rejection::Mismatch("nobody stands in for themselves".to_owned()));
            }
        }
        let custodian = state.present_mut(&self.custodian)?;
        custodian.name = self.name.clone().or(custodian.name.take());
        custodian.deputy = self.deputy.clone().or(custodian.deputy.take());
        if let Some(contact) = &self.contact {
            custodian.contact.clone_from(contact);
        }
        Ok(())
    }
}

pub(super) fn too_many_lines() -> Rejection {
    Rejection::Mismatch(format!("a text has {MAX_LINES} lines at most"))
}

/// A custodian leaves. Their keys are retired; compartments must be sealed anew without them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodianLeft {
    /// Who.
    pub custodian: Handle,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Line>,
}

impl CustodianLeft {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        state.present(&self.custodian)?;
        state.keep_floor(|key| key.owner == self.custodian)?;
        for (_, key) in state.keys.iter_mut().filter(|(name, _)| name.owner == self.custodian) {
            match &key.state {
                KeyState::Active => {}
                // It stands, for others to judge.
                KeyState::Suspended(report) => key.claims.push(report.clone()),
                KeyState::Reported(_) | KeyState::Retired(_) => continue,
            }
            key.state = KeyState::Retired(at);
        }
        for other in state.custodians.values_mut() {
            other.deputy = other.deputy.take().filter(|deputy| *deputy != self.custodian);
        }
        state.identities.retain(|slot, _| slot.owner != self.custodian);
        state.readers.retain(|_, reader| reader.owner.as_ref() != Some(&self.custodian));
        if let Some(mut custodian) = state.custodians.remove(&self.custodian) {
            custodian.left = Some(at);
            state.former_custodians.insert(self.custodian.clone(), custodian);
        }
        Ok(())
    }
}

/// A custodian signs a text of their duties: that of the policy, if it has one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DutiesAcknowledged {
    /// Who.
    pub custodian: Handle,
    /// The text.
    pub duties: Vec<Line>,
}

impl DutiesAcknowledged {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        if self.duties.is_empty() {
            return Err(Rejection::Mismatch("no duties are acknowledged".to_owned()));
        }
        if self.duties.len() > MAX_LINES {
            return Err(too_many_lines());
        }
        if !state.policy.duties.is_empty() && self.duties != state.policy.duties {
            return Err(Rejection::Mismatch(
                "what is acknowledged isn't the text of duties in force".to_owned(),
            ));
        }
        state.present_mut(&self.custodian)?.acknowledged = Some(at);
        Ok(())
    }
}

/// A custodian's personal identity is another one from now on. Its sealed copies and the
/// compartments must be made anew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientChanged {
    /// Whose.
    pub custodian: Handle,
    /// The recipient of the new identity.
    pub recipient: AgeRecipient,
}

impl RecipientChanged {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        state.present(&self.custodian)?;
        state.take_recipient(&self.recipient)?;
        Arc::make_mut(&mut state.reach).note_recipient(&self.custodian, &self.recipient);
        state.present_mut(&self.custodian)?.recipient = self.recipient.clone();
        Ok(())
    }
}
