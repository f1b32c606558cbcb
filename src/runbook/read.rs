//! Reading a runbook: all that is wrong with it is found, as far as one thing can be told with
//! another in the way.

use std::ops::Range;

use toml::Spanned;

use super::fault::{Fault, Rule};
use super::front::{self, Front};
use super::outline::{Outline, Part, outline};
use super::step::{self, Block, END};
use super::{Choice, MAX_BYTES, MAX_FAULTS, MAX_STEPS, Runbook, Step, Target, Task, paths};
use crate::record::{Handle, Line, OPERATOR};
use crate::text::{hides_something, is_deceptive};

/// Reads a runbook, or tells everything that is wrong with it, in the order of the text and up to
/// [`MAX_FAULTS`]. A text that isn't UTF-8 is faulty at its beginning.
pub fn read(bytes: &[u8]) -> Result<Runbook, Vec<Fault>> {
    let mut faults = match plain(bytes) {
        Ok(text) => match read_text(text) {
            Ok(runbook) => return Ok(runbook),
            Err(faults) => faults,
        },
        Err(fault) => vec![fault],
    };
    faults.sort_by_key(|fault| (fault.span.start, fault.span.end));
    faults.truncate(MAX_FAULTS);
    Err(faults)
}

/// The text, in which nothing is hidden.
fn plain(bytes: &[u8]) -> Result<&str, Fault> {
    let size = |message: String| {
        let hint = "make several runbooks of it";
        Fault::new(Rule::Size, 0..0, message, hint)
    };
    if bytes.len() > MAX_BYTES {
        return Err(size(format!("it is larger than {} KiB", MAX_BYTES >> 10)));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        let hint = "save it as UTF-8";
        Fault::new(Rule::PlainText, 0..0, "it isn't UTF-8 text", hint)
    })?;
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        let words = line.strip_suffix('\n').unwrap_or(line);
        if let Some((offset, c)) = words.char_indices().find(|(_, c)| is_deceptive(*c)) {
            let span = place + offset..place + offset + c.len_utf8();
            let (message, hint) = match c {
                '\r' => ("a line ends with a carriage return", "save it with Unix line ends (LF)"),
                '\t' => ("there is a tab", "write blanks"),
                _ => (
                    "there is a control, invisible or bidirectional character",
                    "delete it: what it does isn't seen",
                ),
            };
            return Err(Fault::new(Rule::PlainText, span, message, hint));
        }
        if hides_something(words) {
            let message = "there is a joiner or a selector that isn't seen";
            let hint = "type this line anew";
            let span = place..place + words.len();
            return Err(Fault::new(Rule::PlainText, span, message, hint));
        }
        place += line.len();
    }
    Ok(text)
}

fn read_text(text: &str) -> Result<Runbook, Vec<Fault>> {
    let (front, base) = front::split(text).map_err(|fault| vec![fault])?;
    let mut outline = outline(text, base);
    let mut faults = std::mem::take(&mut outline.faults);
    let matter = front::read(text.get(front.clone()).unwrap_or_default(), front.start);
    let title = title_of(text, base, &outline, &mut faults);
    if outline.steps.is_empty() {
        let end = text.len();
        let hint = "begin each step with a ## heading";
        faults.push(Fault::new(Rule::Steps, end..end, "it has no steps", hint));
    }
    if let Some(step) = outline.steps.get(MAX_STEPS) {
        let message = format!("it has more than {MAX_STEPS} steps");
        let hint = "make several runbooks of it";
        faults.push(Fault::new(Rule::Size, step.heading.clone(), message, hint));
        return Err(faults);
    }
    let drafts: Vec<Option<Draft>> =
        outline.steps.iter().map(|part| Draft::of(text, part, &mut faults)).collect();
    let (matter, read_on) = match matter {
        Ok(matter) => match matter.read_on(front.start) {
            Ok(day) => (Some(matter), day),
            Err(fault) => {
                faults.push(fault);
                (Some(matter), None)
            }
        },
        Err(others) => {
            faults.extend(others);
            (None, None)
        }
    };
    if let Some(matter) = &matter {
        drafts.iter().flatten().for_each(|draft| draft.check_roles(matter, &mut faults));
    }
    let names = names(&drafts, &mut faults);
    let steps: Vec<Option<Step>> = drafts
        .into_iter()
        .enumerate()
        .map(|(place, draft)| draft?.into_step(place, &names, &mut faults))
        .collect();
    // Which steps are reached can be told only where each is known, with all its ways on.
    let known: Option<Vec<Step>> = steps.into_iter().collect();
    let clear = !faults.iter().any(|fault| fault.rule == Rule::Target);
    if let Some(steps) = known.as_ref().filter(|steps| clear && !steps.is_empty()) {
        check_ways(steps, &outline, &mut faults);
    }
    match (matter, title, known) {
        (Some(matter), Some(title), Some(steps)) if faults.is_empty() => Ok(Runbook {
            roles: matter.roles(),
            id: matter.runbook,
            version: matter.version.0,
            title,
            about: matter.about,
            purposes: matter.purpose.into_inner(),
            accounts: matter.accounts,
            every_days: matter.every_days.map(|days| days.0),
            target_minutes: matter.target_minutes.map(|minutes| minutes.0),
            read_on,
            sources: matter.sources,
            introduction: outline.introduction.prose(text),
            steps,
        }),
        _ => Err(faults),
    }
}

/// The heading of the whole: exactly one, before the steps.
fn title_of(text: &str, base: usize, outline: &Outline, faults: &mut Vec<Fault>) -> Option<Line> {
    let first = outline.steps.first().map_or(text.len(), |step| step.heading.start);
    let hint = "write one # heading, before the steps";
    let Some((span, words)) = outline.titles.first().filter(|(span, _)| span.start < first) else {
        faults.push(Fault::new(Rule::Title, base..base, "it has no # heading", hint));
        return None;
    };
    for (span, _) in outline.titles.iter().skip(1) {
        let message = "there is a # heading already";
        faults.push(Fault::new(Rule::Title, span.clone(), message, hint));
    }
    heading_line(span, words, faults)
}

fn heading_line(span: &Range<usize>, words: &str, faults: &mut Vec<Fault>) -> Option<Line> {
    match words.parse() {
        Ok(line) => Some(line),
        Err(error) => {
            let (message, hint) = (format!("the heading's {error}"), "say in a line what it is");
            faults.push(Fault::new(Rule::Heading, span.clone(), message, hint));
            None
        }
    }
}

/// A step as far as it can be read without the others.
struct Draft {
    id: Handle,
    /// Where it is named.
    named_at: Range<usize>,
    title: Line,
    span: Range<usize>,
    prose: String,
    block: Block,
    /// Where the block stands.
    base: usize,
    /// What it asks for, if that could be read.
    task: Option<Task>,
}

impl Draft {
    fn of(text: &str, part: &Part, faults: &mut Vec<Fault>) -> Option<Self> {
        let title = heading_line(&part.heading, &part.title, faults);
        let content = part.blocks.first().map(|(_, content)| content.clone());
        let base = content.as_ref().map_or(part.heading.end, |content| content.start);
        let block = match content.and_then(|content| text.get(content)) {
            Some(words) => step::read(words, base).map_err(|fault| faults.push(fault)).ok()?,
            None => Block::default(),
        };
        let task = block.task(&part.heading, base).map_err(|others| faults.extend(others)).ok();
        let title = title?;
        let (id, named_at) = match &block.id {
            Some(id) => (Some(id.get_ref().clone()), base + id.span().start..base + id.span().end),
            None => (name_from(title.to_string().as_str()), part.heading.clone()),
        };
        let Some(id) = id.filter(|id| id.as_str() != END) else {
            let message = "the step can't be named after its heading";
            let hint = "give it an id of a-z, 0-9 and - in its block, other than end";
            faults.push(Fault::new(Rule::StepOnce, named_at, message, hint));
            return None;
        };
        let (span, prose) = (part.span(), part.prose(text));
        Some(Self { id, named_at, title, span, prose, block, base, task })
    }

    fn at<T>(&self, field: &Spanned<T>) -> Range<usize> {
        let span = field.span();
        self.base + span.start..self.base + span.end
    }

    fn check_roles(&self, front: &Front, faults: &mut Vec<Fault>) {
        let of = self.block.of.iter().flat_map(|of| of.get_ref());
        for role in self.block.by.iter().chain(of) {
            let id = role.get_ref();
            if !front.roles().iter().any(|known| known.id == *id) {
                let known: Vec<String> =
                    front.roles().iter().map(|role| role.id.to_string()).collect();
                let message = format!("nobody has the role {id}");
                let hint = format!("the roles are {}; add a [[role]] for more", known.join(", "));
                faults.push(Fault::new(Rule::Role, self.at(role), message, hint));
            }
        }
        let of: Vec<_> = self.block.of.iter().flat_map(|of| of.get_ref()).collect();
        for (place, role) in of.iter().enumerate() {
            if of.iter().take(place).any(|before| before.get_ref() == role.get_ref()) {
                let message = format!("the role {} stands twice", role.get_ref());
                let hint = "name each once";
                faults.push(Fault::new(Rule::RoleOnce, self.at(role), message, hint));
            }
        }
    }

    fn into_step(
        self,
        place: usize,
        names: &[Option<Handle>],
        faults: &mut Vec<Fault>,
    ) -> Option<Step> {
        let mut target = |name: &Spanned<Handle>| {
            let word = name.get_ref();
            if word.as_str() == END {
                return Some(Target::End);
            }
            if let Some(place) = names.iter().position(|known| known.as_ref() == Some(word)) {
                return Some(Target::Step(place));
            }
            let hint = match nearest(word, names) {
                Some(near) => format!("did you mean {near}? A step is named by its id, or by the words of its heading"),
                None => "name a step by its id, or by the words of its heading with hyphens; end is the end".to_owned(),
            };
            // It may be one that couldn't be read.
            if names.iter().all(Option::is_some) {
                let message = format!("there is no step {word}");
                faults.push(Fault::new(Rule::Target, self.at(name), message, hint));
            }
            None
        };
        let following = match place + 1 {
            after if after < names.len() => Target::Step(after),
            _ => Target::End,
        };
        let next = self.block.next.as_ref().map_or(Some(following), &mut target);
        let if_not = self.block.if_not.as_ref().map(&mut target);
        let mut task = self.task.clone()?;
        if let (Task::Decide { choices }, Some(raw)) = (&mut task, &self.block.choice) {
            for choice in raw.get_ref() {
                let goto = target(&choice.goto);
                let answer = choice.answer.get_ref().clone();
                choices.extend(goto.map(|goto| Choice { answer, goto }));
            }
            let raw = raw.get_ref();
            for (place, choice) in raw.iter().enumerate() {
                let answer = choice.answer.get_ref();
                if raw.iter().take(place).any(|before| before.answer.get_ref() == answer) {
                    let message = "two choices have the same words";
                    let hint = "say how they differ";
                    let span = self.at(&choice.answer);
                    faults.push(Fault::new(Rule::ChoiceOnce, span, message, hint));
                }
            }
        }
        let if_not = match if_not {
            Some(target) => Some(target?),
            None => None,
        };
        let by = match &self.block.by {
            Some(by) => by.get_ref().clone(),
            None => OPERATOR.parse().ok()?,
        };
        Some(Step {
            id: self.id,
            title: self.title,
            by,
            span: self.span,
            prose: self.prose,
            expect: self.block.expect,
            minutes: self.block.minutes.map(|minutes| minutes.0),
            task,
            next: next?,
            if_not,
        })
    }
}

/// The names of all steps by place, each of which must be one step's.
fn names(drafts: &[Option<Draft>], faults: &mut Vec<Fault>) -> Vec<Option<Handle>> {
    let mut names: Vec<Option<Handle>> = Vec::new();
    for draft in drafts {
        if let Some(draft) = draft.as_ref().filter(|draft| names.contains(&Some(draft.id.clone())))
        {
            let message = format!("another step is called {}", draft.id);
            let hint = "give one of them an id of its own in its block";
            faults.push(Fault::new(Rule::StepOnce, draft.named_at.clone(), message, hint));
        }
        names.push(draft.as_ref().map(|draft| draft.id.clone()));
    }
    names
}

/// The name of a step that has no other: the words of its heading, joined by hyphens.
fn name_from(title: &str) -> Option<Handle> {
    let words = title.to_lowercase();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = String::new();
    for word in words {
        let length = name.len() + usize::from(!name.is_empty()) + word.len();
        if length > 32 {
            break;
        }
        if !name.is_empty() {
            name.push('-');
        }
        name += word;
    }
    name.parse().ok()
}

/// The name that was probably meant: one that begins or ends like it.
fn nearest<'a>(word: &Handle, names: &'a [Option<Handle>]) -> Option<&'a Handle> {
    let word = word.as_str();
    let common = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    names.iter().flatten().max_by_key(|name| common(name.as_str(), word)).filter(|name| {
        let shared = common(name.as_str(), word);
        2 * shared >= word.len().max(2)
    })
}

fn check_ways(steps: &[Step], outline: &Outline, faults: &mut Vec<Fault>) {
    let astray = paths::follow(steps);
    let heading =
        |place: usize| outline.steps.get(place).map_or(0..0, |part: &Part| part.heading.clone());
    let name = |place: usize| steps.get(place).map(|step| step.id.to_string()).unwrap_or_default();
    if astray.no_end {
        faults.push(Fault::new(
            Rule::End,
            heading(0),
            "from the first step no way leads to the end",
            "let a step end without next, as the last, or write next or goto = \"end\"",
        ));
    } else {
        for place in astray.endless {
            faults.push(Fault::new(
                Rule::Loop,
                heading(place),
                format!("from {} on the steps go round, and never to the end", name(place)),
                "let one of them lead on, with next, if_not or a decision",
            ));
        }
    }
    for place in astray.unreachable {
        faults.push(Fault::new(
            Rule::Unreachable,
            heading(place),
            format!("no way leads to {}", name(place)),
            "let a step lead here with next, if_not or goto, or take this one out",
        ));
    }
}
