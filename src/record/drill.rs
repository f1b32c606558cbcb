//! Drills: who ran which runbook for which accounts, how it ended, and what somebody else said of
//! it.
//!
//! A drill is on record before its first step, so that none can vanish; it stays open until it is
//! finished or abandoned. The entry that ends it tells all that happened, event by event: see
//! [`transcript`]. What the steps proved beside it stands in that entry as events of its own.

pub(super) mod ending;
pub(super) mod transcript;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::values::as_text;
use super::{
    Digest, DrillPurpose, DrillScope, Handle, Line, OPERATOR, Outcome, Rejection, Stamp, State,
    Time, UnfitValue,
};
use ending::DrillEnd;

/// A part in a drill, and who has it: `operator=alice`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Part {
    /// The role.
    pub role: Handle,
    /// The custodian.
    pub person: Handle,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.role, self.person)
    }
}

impl FromStr for Part {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let part = text.split_once('=').and_then(|(role, person)| {
            Some(Self { role: role.parse().ok()?, person: person.parse().ok()? })
        });
        part.ok_or_else(|| UnfitValue::Part(text.chars().take(80).collect()))
    }
}
as_text!(Part);

/// A drill that was started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DrillRun {
    /// What was recorded when it was.
    pub start: DrillStarted,
    /// When that was.
    pub started: Stamp,
    /// Digest of the file that has its runbook, encrypted.
    pub file: Digest,
    /// The roles that somebody must have in it.
    pub roles: Vec<Handle>,
    /// Those that may be left empty.
    pub optional_roles: Vec<Handle>,
    /// How long it may take.
    pub target_minutes: Option<NonZeroU32>,
    /// Everybody who had a part in it.
    pub took_part: BTreeSet<Handle>,
    /// How it ended, and when, if it did.
    pub end: Option<(Stamp, DrillEnd)>,
    /// What somebody else said of it afterwards, and when.
    pub review: Option<(Stamp, DrillReviewed)>,
}

impl DrillRun {
    /// Whether it goes on: nobody finished it, and nobody gave it up.
    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Whether somebody who took no part has yet to look at it: a live run that began or ended
    /// without one who had to be there.
    pub fn awaits_review(&self) -> bool {
        let Some((_, end)) = &self.end else { return false };
        let lacks = |roster: &[Part]| self.lacking(roster).next().is_some();
        self.review.is_none() && (lacks(&self.start.roster) || lacks(end.roster()))
    }

    /// The roles that somebody must have, and nobody has.
    fn lacking<'a>(&'a self, roster: &'a [Part]) -> impl Iterator<Item = &'a Handle> {
        self.roles.iter().filter(|role| !roster.iter().any(|part| part.role == **role))
    }

    /// Fails unless these people may begin or end it, each of whom signs.
    fn check_roster(&self, roster: &[Part], state: &State) -> Result<(), Rejection> {
        let unfit = |message: String| Err(Rejection::Mismatch(message));
        for (place, part) in roster.iter().enumerate() {
            state.present(&part.person)?;
            if !self.roles.contains(&part.role) && !self.optional_roles.contains(&part.role) {
                return unfit(format!("the runbook has no role {}", part.role));
            }
            let before = roster.iter().take(place);
            if before.clone().any(|other| other.role == part.role) {
                return unfit(format!("two people are {}", part.role));
            }
            if before.clone().any(|other| other.person == part.person) {
                return unfit(format!("{} has two roles", part.person));
            }
        }
        // In earnest nobody waits for a witness. Then it is reviewed.
        let live = self.start.purpose == DrillPurpose::Live;
        match self.lacking(roster).find(|role| !live || role.as_str() == OPERATOR) {
            Some(missing) => unfit(format!("nobody is {missing}")),
            None => Ok(()),
        }
    }
}

impl State {
    /// Drills by name.
    pub fn drills(&self) -> &BTreeMap<Handle, Arc<DrillRun>> {
        &self.drills
    }

    fn drill_mut(&mut self, name: &Handle) -> Result<&mut DrillRun, Rejection> {
        let known = Arc::make_mut(&mut self.drills).get_mut(name).map(Arc::make_mut);
        known.ok_or_else(|| Rejection::Unknown("drill", name.to_string()))
    }

    fn drill(&self, name: &Handle) -> Result<&DrillRun, Rejection> {
        let known = self.drills.get(name).map(AsRef::as_ref);
        known.ok_or_else(|| Rejection::Unknown("drill", name.to_string()))
    }
}

/// People begin to run a runbook. Recorded before its first step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillStarted {
    /// Its name, never used before.
    pub drill: Handle,
    /// The runbook.
    pub runbook: Handle,
    /// The version that is adopted.
    pub version: NonZeroU32,
    /// Digest of its Markdown.
    pub sha256: Digest,
    /// What it is run for.
    pub purpose: DrillPurpose,
    /// What it is to show, or to achieve.
    pub objective: Line,
    /// What is supposed to have happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Line>,
    /// For which accounts, sorted, each once.
    pub accounts: Vec<Handle>,
    /// Who has which part. Each of them must sign.
    pub roster: Vec<Part>,
    /// What only the root user can do, and is done: of a live run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Line>,
    /// Who approved of it; of a live run, somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Line>,
    /// Where that is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Line>,
}

impl DrillStarted {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        if state.drills.contains_key(&self.drill) {
            return Err(Rejection::Taken("drill", self.drill.to_string()));
        }
        let unknown = || Rejection::Unknown("runbook", self.runbook.to_string());
        let adoption = &state.adopted_runbook(&self.runbook).ok_or_else(unknown)?.adoption;
        let unfit = |message: String| Err(Rejection::Mismatch(message));
        if (self.version, self.sha256) != (adoption.version, adoption.sha256) {
            return unfit(format!(
                "version {} of {} isn't the one that is adopted",
                self.version, self.runbook
            ));
        }
        let purpose = self.purpose.word();
        if !adoption.purposes.contains(&self.purpose) {
            return unfit(format!("{} isn't adopted for {purpose}", self.runbook));
        }
        let is_live = self.purpose == DrillPurpose::Live;
        if is_live != self.task.is_some() || (is_live && self.approver.is_none()) {
            return unfit("a live run, and no other, has a task that somebody approved".to_owned());
        }
        let fits = match adoption.accounts {
            DrillScope::None => self.accounts.is_empty(),
            DrillScope::One => self.accounts.len() == 1,
            DrillScope::Many => !self.accounts.is_empty(),
        };
        if !fits {
            let number = match adoption.accounts {
                DrillScope::None => "no account",
                DrillScope::One => "one account",
                DrillScope::Many => "one account or more",
            };
            return unfit(format!("{} is run for {number}", self.runbook));
        }
        if !self.accounts.is_sorted_by(|one, next| one < next) {
            return unfit("it names accounts, sorted, each once".to_owned());
        }
        if let Some(strange) = self.accounts.iter().find(|a| !state.accounts().contains_key(*a)) {
            return Err(Rejection::Unknown("account", strange.to_string()));
        }
        let run = DrillRun {
            start: self.clone(),
            started: at,
            file: adoption.file,
            roles: adoption.roles.clone(),
            optional_roles: adoption.optional_roles.clone(),
            target_minutes: adoption.target_minutes,
            took_part: self.roster.iter().map(|part| part.person.clone()).collect(),
            end: None,
            review: None,
        };
        run.check_roster(&self.roster, state)?;
        Arc::make_mut(&mut state.drills).insert(self.drill.clone(), Arc::new(run));
        Ok(())
    }
}

/// Somebody who took no part looked at a drill that is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillReviewed {
    /// Which.
    pub drill: Handle,
    /// Who, and must sign.
    pub reviewer: Handle,
    /// Whether it was as it should be.
    pub outcome: Outcome,
    /// What there is to say of it.
    pub remark: Line,
}

impl DrillReviewed {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        state.present(&self.reviewer)?;
        let run = state.drill_mut(&self.drill)?;
        let unfit = |what: &str| Err(Rejection::Mismatch(format!("{} {what}", self.drill)));
        if run.is_open() {
            return unfit("isn't over");
        }
        if run.review.is_some() {
            return unfit("was reviewed");
        }
        if run.took_part.contains(&self.reviewer) {
            return unfit(&format!(
                "is reviewed by one who took no part, and {} did",
                self.reviewer
            ));
        }
        run.review = Some((at, self.clone()));
        Ok(())
    }
}

/// What ended later than the newest entry says ended by then.
pub(super) fn cap_times(runs: &mut BTreeMap<Handle, Arc<DrillRun>>, time: Time) {
    for run in runs.values_mut() {
        if run.end.as_ref().is_some_and(|(stamp, _)| stamp.time > time)
            && let Some((stamp, _)) = &mut Arc::make_mut(run).end
        {
            stamp.time = time;
        }
    }
}
