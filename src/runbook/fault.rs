//! What can be wrong with a runbook, and where.

use std::ops::Range;

/// What a runbook must keep to. Each has a name for those who look it up, and an example in the
/// tests that breaks it and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// It is UTF-8, with line feeds, and hides nothing.
    PlainText,
    /// It has no more bytes, steps, roles and choices than [`super::MAX_BYTES`] and its
    /// neighbours allow.
    Size,
    /// It begins with front matter between two lines of `+++`.
    FrontMatter,
    /// Its format is one that this version reads.
    Format,
    /// The front matter has the fields of one, with values that fit.
    FrontMatterField,
    /// Operator and witness are among the roles.
    NeededRole,
    /// No role stands twice.
    RoleOnce,
    /// One `#` heading stands before the steps.
    Title,
    /// There is a step.
    Steps,
    /// A heading says something.
    Heading,
    /// Steps have different names.
    StepOnce,
    /// A step has one block at most, and blocks stand in steps, not within lists or quotations.
    BlockPlace,
    /// A block has the fields of one, with values that fit.
    BlockField,
    /// A step is of a kind there is.
    Kind,
    /// A step's fields are those of its kind.
    KindField,
    /// What a step of this kind needs is there.
    NeededField,
    /// Whoever has part in a step has a role.
    Role,
    /// Where a step leads, there is a step.
    Target,
    /// No two choices of a decision have the same words.
    ChoiceOnce,
    /// A secret is asked for from a compartment that can hold it.
    Compartment,
    /// Every step can be reached.
    Unreachable,
    /// No step is in a loop without a way out.
    Loop,
    /// The end can be reached.
    End,
    /// What is written can be shown on paper and on a terminal: no HTML, no pictures.
    Showable,
    /// Links have their address beside them, and it is one of the web or of a mailbox.
    Link,
}

impl Rule {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PlainText => "plain-text",
            Self::Size => "size",
            Self::FrontMatter => "front-matter",
            Self::Format => "format",
            Self::FrontMatterField => "front-matter-field",
            Self::NeededRole => "needed-role",
            Self::RoleOnce => "role-once",
            Self::Title => "title",
            Self::Steps => "steps",
            Self::Heading => "heading",
            Self::StepOnce => "step-once",
            Self::BlockPlace => "block-place",
            Self::BlockField => "block-field",
            Self::Kind => "kind",
            Self::KindField => "kind-field",
            Self::NeededField => "needed-field",
            Self::Role => "role",
            Self::Target => "target",
            Self::ChoiceOnce => "choice-once",
            Self::Compartment => "compartment",
            Self::Unreachable => "unreachable",
            Self::Loop => "loop",
            Self::End => "end",
            Self::Showable => "showable",
            Self::Link => "link",
        }
    }
}

/// Something that is wrong with a runbook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What it breaks.
    pub rule: Rule,
    /// Where: bytes of the text, from the first to before the last; within the text, on the
    /// borders of characters, and perhaps empty.
    pub span: Range<usize>,
    /// What is wrong, in a line.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Fault {
    pub(super) fn new(
        rule: Rule,
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { rule, span, message: message.into(), hint: hint.into() }
    }
}
