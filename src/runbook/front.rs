//! The front matter: what a runbook is for, who takes part, and what it rests on.

use std::num::NonZeroU32;
use std::ops::Range;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::FORMAT;
use super::fault::{Fault, Rule};
use crate::record::{COUNTS, DrillPurpose, DrillScope, Handle, Line, MAX_ROLES, OPERATOR, WITNESS};
use crate::text::sanitise;

/// The line that stands before and after the front matter.
const FENCE: &str = "+++";

/// Part that somebody takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Role {
    /// Its name.
    pub id: Handle,
    /// What whoever has it does.
    pub does: Line,
    /// Whether it may be left empty.
    pub optional: bool,
}

/// A number that is counted from 1: days, minutes, versions.
#[derive(Clone, Copy)]
pub(super) struct Count(pub(super) NonZeroU32);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let number = u32::try_from(number).ok().filter(|number| COUNTS.contains(number));
        number.and_then(NonZeroU32::new).map(Self).ok_or_else(|| {
            let most = COUNTS.end();
            de::Error::custom(format!("a whole number from 1 to {most} is expected"))
        })
    }
}

/// All that front matter says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Front {
    #[serde(rename = "format")]
    _format: u32,
    pub(super) runbook: Handle,
    pub(super) version: Count,
    pub(super) about: Line,
    pub(super) purpose: Spanned<Vec<DrillPurpose>>,
    pub(super) accounts: DrillScope,
    pub(super) every_days: Option<Count>,
    pub(super) target_minutes: Option<Count>,
    read_on: Option<Spanned<toml::value::Datetime>>,
    #[serde(default)]
    pub(super) sources: Vec<Line>,
    role: Spanned<Vec<RawRole>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    id: Spanned<Handle>,
    does: Line,
    #[serde(default)]
    optional: bool,
}

/// What is read of a version's front matter before anything else.
#[derive(Deserialize)]
struct AnyFormat {
    format: Spanned<toml::Value>,
}

/// Where the front matter and what follows stand in a text.
pub(super) fn split(text: &str) -> Result<(Range<usize>, usize), Fault> {
    let hint = "begin with a line of +++, then TOML, then another line of +++";
    let fault = |span, message: &str| Fault::new(Rule::FrontMatter, span, message, hint);
    let first = text.lines().next().unwrap_or_default();
    if first != FENCE || !text.starts_with("+++\n") {
        return Err(fault(0..first.len(), "it doesn't begin with front matter"));
    }
    let begin = FENCE.len() + 1;
    let mut place = begin;
    for line in text.get(begin..).unwrap_or_default().split_inclusive('\n') {
        if line.trim_end_matches('\n') == FENCE {
            return Ok((begin..place, place + line.len()));
        }
        place += line.len();
    }
    Err(fault(0..FENCE.len(), "the front matter has no end"))
}

/// Reads front matter, which stands from `base` on.
pub(super) fn read(text: &str, base: usize) -> Result<Front, Vec<Fault>> {
    let shift = |span: Range<usize>| base + span.start..base + span.end;
    if let Ok(any) = toml::from_str::<AnyFormat>(text)
        && any.format.get_ref().as_integer() != Some(i64::from(FORMAT))
    {
        return Err(vec![Fault::new(
            Rule::Format,
            shift(any.format.span()),
            format!("this version of keymuster reads runbooks of format {FORMAT} only"),
            "take a newer keymuster, or write format = 1",
        )]);
    }
    let front: Front = toml::from_str(text).map_err(|error| {
        vec![of_toml(
            &error,
            Rule::FrontMatterField,
            base,
            text.len(),
            "the fields of the front matter stand in docs/runbook-format.md",
        )]
    })?;
    let mut faults = Vec::new();
    if front.purpose.get_ref().is_empty() {
        faults.push(Fault::new(
            Rule::FrontMatterField,
            shift(front.purpose.span()),
            "it may be run for nothing",
            "write purpose = [\"rehearsal\"], [\"live\"], or both",
        ));
    }
    let roles = front.role.get_ref();
    if let Some(role) = roles.get(MAX_ROLES) {
        let message = format!("it has more than {MAX_ROLES} roles");
        let hint = "let people have more than one part in it";
        return Err(vec![Fault::new(Rule::Size, shift(role.id.span()), message, hint)]);
    }
    for (place, role) in roles.iter().enumerate() {
        let id = role.id.get_ref();
        if roles.iter().take(place).any(|before| before.id.get_ref() == id) {
            let message = format!("the role {id} stands twice");
            let hint = "give each role a name of its own";
            faults.push(Fault::new(Rule::RoleOnce, shift(role.id.span()), message, hint));
        }
    }
    for needed in [OPERATOR, WITNESS] {
        if !roles.iter().any(|role| role.id.get_ref().as_str() == needed && !role.optional) {
            let message = format!("nobody is {needed}");
            let hint = format!("add [[role]] with id = \"{needed}\", and not optional");
            let head = shift(front.role.span());
            // The whole list is its span; its first line tells enough.
            let end = head.start + first_line(text, front.role.span());
            faults.push(Fault::new(Rule::NeededRole, head.start..end, message, hint));
        }
    }
    if faults.is_empty() { Ok(front) } else { Err(faults) }
}

/// The length of the first line of a part.
fn first_line(text: &str, span: Range<usize>) -> usize {
    text.get(span).and_then(|part| part.lines().next()).map_or(0, str::len)
}

/// What the parser of TOML complains of. Its own Display would show the source again.
pub(super) fn of_toml(
    error: &toml::de::Error,
    rule: Rule,
    base: usize,
    length: usize,
    hint: &str,
) -> Fault {
    let span = error.span().unwrap_or(0..0);
    let (start, end) = (span.start.min(length), span.end.min(length));
    let message = sanitise(error.message().lines().next().unwrap_or("it isn't TOML"), 300);
    Fault::new(rule, base + start..base + end.max(start), message, hint)
}

impl Front {
    /// Who takes part.
    pub(super) fn roles(&self) -> Vec<Role> {
        let role = |raw: &RawRole| Role {
            id: raw.id.get_ref().clone(),
            does: raw.does.clone(),
            optional: raw.optional,
        };
        self.role.get_ref().iter().map(role).collect()
    }

    /// When the sources were read, which must be a day.
    pub(super) fn read_on(&self, base: usize) -> Result<Option<NaiveDate>, Fault> {
        let Some(written) = &self.read_on else { return Ok(None) };
        let value = written.get_ref();
        let day = value.date.filter(|_| value.time.is_none() && value.offset.is_none());
        let day = day.and_then(|day| {
            NaiveDate::from_ymd_opt(day.year.into(), day.month.into(), day.day.into())
        });
        match day {
            Some(day) => Ok(Some(day)),
            None => {
                let span = written.span();
                Err(Fault::new(
                    Rule::FrontMatterField,
                    base + span.start..base + span.end,
                    "that is no day",
                    "write it as 2026-11-22, without a time",
                ))
            }
        }
    }
}
