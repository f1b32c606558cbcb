//! The block of a step: what keymuster asks for there.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{Fault, Rule};
use super::front::{Count, of_toml};
use super::{MAX_CHOICES, Task};
use crate::record::{Handle, Line, MAX_ROLES, RECORDS, SecretKind};
use crate::text::sanitise;

/// The kinds of step, as they stand in a block.
const KINDS: [&str; 11] = [
    "confirm", "key", "totp", "secret", "sign-in", "mailbox", "phone", "evidence", "record",
    "decide", "wait",
];
/// Where a step leads out of the runbook.
pub(super) const END: &str = "end";

/// A block as it is written. What its kind needs is looked at afterwards, so that one mistake
/// is told in words about steps and not about TOML.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    pub(super) id: Option<Spanned<Handle>>,
    pub(super) kind: Option<Spanned<String>>,
    pub(super) by: Option<Spanned<Handle>>,
    pub(super) expect: Option<Line>,
    pub(super) minutes: Option<Count>,
    pub(super) next: Option<Spanned<Handle>>,
    pub(super) if_not: Option<Spanned<Handle>>,
    pub(super) of: Option<Spanned<Vec<Spanned<Handle>>>>,
    secret: Option<Spanned<SecretKind>>,
    compartment: Option<Spanned<Handle>>,
    what: Option<Spanned<Line>>,
    asks: Option<Spanned<Vec<Line>>>,
    pub(super) choice: Option<Spanned<Vec<RawChoice>>>,
    until: Option<Spanned<Line>>,
    target_minutes: Option<Spanned<Count>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChoice {
    pub(super) answer: Spanned<Line>,
    pub(super) goto: Spanned<Handle>,
}

/// Reads a block, which stands from `base` on.
pub(super) fn read(text: &str, base: usize) -> Result<Block, Fault> {
    toml::from_str(text).map_err(|error| {
        let hint = "the fields of a step stand in docs/runbook-format.md";
        of_toml(&error, Rule::BlockField, base, text.len(), hint)
    })
}

impl Block {
    /// What the step asks for, but for the ways out of a decision, which need all steps.
    /// `heading` is where the step begins, `base` where its block does.
    pub(super) fn task(&self, heading: &Range<usize>, base: usize) -> Result<Task, Vec<Fault>> {
        let kind = self.kind.as_ref().map_or("confirm", |kind| kind.get_ref().as_str());
        let place = self.kind.as_ref().map_or_else(
            || heading.clone(),
            |kind| base + kind.span().start..base + kind.span().end,
        );
        if !KINDS.contains(&kind) {
            let message = format!("there is no step of kind {:?}", sanitise(kind, 60));
            let hint = format!("a step is one of {}", KINDS.join(", "));
            return Err(vec![Fault::new(Rule::Kind, place, message, hint)]);
        }
        let mut faults = self.foreign_fields(kind, base);
        let task = self.needed(kind, &place, base);
        match task {
            Ok(task) if faults.is_empty() => Ok(task),
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(fault);
                Err(faults)
            }
        }
    }

    /// The fields that only steps of some kind have: which, and where they stand.
    fn fields_of_kinds(&self) -> [(&'static str, &'static str, Option<Range<usize>>); 8] {
        fn at<T>(field: Option<&Spanned<T>>) -> Option<Range<usize>> {
            field.map(Spanned::span)
        }
        [
            ("key", "of", at(self.of.as_ref())),
            ("secret", "secret", at(self.secret.as_ref())),
            ("secret", "compartment", at(self.compartment.as_ref())),
            ("evidence", "what", at(self.what.as_ref())),
            ("record", "asks", at(self.asks.as_ref())),
            ("decide", "choice", at(self.choice.as_ref())),
            ("wait", "until", at(self.until.as_ref())),
            ("wait", "target_minutes", at(self.target_minutes.as_ref())),
        ]
    }

    fn foreign_fields(&self, kind: &str, base: usize) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut foreign = |span: Range<usize>, message: String, hint: String| {
            let span = base + span.start..base + span.end;
            faults.push(Fault::new(Rule::KindField, span, message, hint));
        };
        for (of, field, span) in self.fields_of_kinds() {
            if let Some(span) = span.filter(|_| of != kind) {
                let message = format!("a step of kind {kind} has no {field}");
                foreign(span, message, format!("{field} belongs to steps of kind {of}"));
            }
        }
        if kind == "decide" {
            for (field, target) in [("next", &self.next), ("if_not", &self.if_not)] {
                if let Some(target) = target {
                    let message = format!("a decision has no {field}");
                    foreign(target.span(), message, "each choice has its own goto".to_owned());
                }
            }
        }
        faults
    }

    fn needed(&self, kind: &str, place: &Range<usize>, base: usize) -> Result<Task, Fault> {
        let missing = |what: &str, example: &str| {
            let message = format!("a step of kind {kind} needs {what}");
            let hint = format!("for example {example}");
            Fault::new(Rule::NeededField, place.clone(), message, hint)
        };
        Ok(match kind {
            "key" => {
                let of = self.of.as_ref().map(Spanned::get_ref).filter(|of| !of.is_empty());
                let of = of.ok_or_else(|| missing("of", "of = [\"operator\", \"witness\"]"))?;
                if let Some(role) = of.get(MAX_ROLES) {
                    let message = format!("it has more than {MAX_ROLES} roles");
                    return Err(too_many(role.span(), base, message));
                }
                Task::Key { of: of.iter().map(|role| role.get_ref().clone()).collect() }
            }
            "totp" => Task::Totp,
            "secret" => {
                let example = "secret = \"password\" and compartment = \"seeds\"";
                let missing = || missing("secret and compartment", example);
                let kind = self.secret.as_ref().ok_or_else(missing)?;
                let compartment = self.compartment.as_ref().ok_or_else(missing)?;
                if compartment.get_ref().as_str() == RECORDS {
                    let span = compartment.span();
                    return Err(Fault::new(
                        Rule::Compartment,
                        base + span.start..base + span.end,
                        "records is the compartment of the log: readers open it, and no secret \
                         is in it",
                        "name the compartment that the secret is in, such as seeds",
                    ));
                }
                Task::Secret { kind: *kind.get_ref(), compartment: compartment.get_ref().clone() }
            }
            "sign-in" => Task::SignIn,
            "mailbox" => Task::Mailbox,
            "phone" => Task::Phone,
            "evidence" => {
                let what = self
                    .what
                    .as_ref()
                    .ok_or_else(|| missing("what", "what = \"the alarm mail\""))?;
                Task::Evidence { what: what.get_ref().clone() }
            }
            "record" => {
                let asks = self.asks.as_ref().map(Spanned::get_ref);
                let asks = asks.filter(|asks| !asks.is_empty());
                Task::Record {
                    asks: asks
                        .ok_or_else(|| missing("asks", "asks = [\"Number of the seal\"]"))?
                        .clone(),
                }
            }
            "decide" => {
                let choices = self.choice.as_ref().map_or(0, |choices| choices.get_ref().len());
                if choices < 2 {
                    return Err(missing(
                        "two choices at least",
                        "[[choice]] with answer = \"Yes\" and goto = \"end\"",
                    ));
                }
                if let Some(choice) =
                    self.choice.as_ref().and_then(|choices| choices.get_ref().get(MAX_CHOICES))
                {
                    let message = format!("it has more than {MAX_CHOICES} choices");
                    return Err(too_many(choice.answer.span(), base, message));
                }
                Task::Decide { choices: Vec::new() }
            }
            "wait" => {
                let example = "until = \"the mail is here\" and target_minutes = 15";
                let missing = || missing("until and target_minutes", example);
                let until = self.until.as_ref().ok_or_else(missing)?;
                let target = self.target_minutes.as_ref().ok_or_else(missing)?;
                Task::Wait { until: until.get_ref().clone(), target_minutes: target.get_ref().0 }
            }
            _ => Task::Confirm,
        })
    }
}

fn too_many(span: Range<usize>, base: usize, message: String) -> Fault {
    let span = base + span.start..base + span.end;
    Fault::new(Rule::Size, span, message, "make several steps of it")
}
