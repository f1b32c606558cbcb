//! Where things stand in the Markdown of a runbook: headings, steps, blocks.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use super::fault::{Fault, Rule};
use crate::text::{hides_something, is_deceptive};

/// The words after the fence of a step's block.
const BLOCK: &str = "toml step";

/// A part of a runbook: what stands before the first step, or a step. All places are bytes of
/// the whole text.
#[derive(Default, Debug)]
pub(super) struct Part {
    /// Its heading: where, and its words.
    pub(super) heading: Range<usize>,
    pub(super) title: String,
    /// What stands below the heading, to the next.
    body: Range<usize>,
    /// The blocks in it: the fences with what is between them, and that alone.
    pub(super) blocks: Vec<(Range<usize>, Range<usize>)>,
}

impl Part {
    /// The whole of it.
    pub(super) fn span(&self) -> Range<usize> {
        self.heading.start..self.body.end
    }

    /// What stands below the heading, without the blocks.
    pub(super) fn prose(&self, text: &str) -> String {
        let mut prose = String::new();
        let mut place = self.body.start;
        for (block, _) in &self.blocks {
            prose += text.get(place..block.start).unwrap_or_default();
            place = block.end;
        }
        prose += text.get(place..self.body.end).unwrap_or_default();
        prose.trim().to_owned()
    }
}

/// The parts of a text from `base` on: the headings of the first level, and the steps.
#[derive(Default)]
pub(super) struct Outline {
    /// What stands before the first step, from its heading on if it has one.
    pub(super) introduction: Part,
    pub(super) titles: Vec<(Range<usize>, String)>,
    pub(super) steps: Vec<Part>,
    pub(super) faults: Vec<Fault>,
}

/// Which Markdown a runbook is written in: CommonMark, and nothing beside.
pub fn markdown(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::empty())
}

/// Finds the parts of what stands from `base` on.
pub(super) fn outline(text: &str, base: usize) -> Outline {
    let mut outline = Outline::default();
    outline.introduction.body = base..text.len();
    let words = text.get(base..).unwrap_or_default();
    let mut depth = 0_usize;
    let mut heading: Option<(HeadingLevel, Range<usize>, String)> = None;
    let mut block: Option<(Range<usize>, Option<Range<usize>>, bool)> = None;
    for (event, span) in markdown(words).into_offset_iter() {
        let span = base + span.start..base + span.end;
        outline.look_at(&event, &span);
        match event {
            Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                heading = Some((level, span, String::new()));
                depth += 1;
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if is_block(&info) => {
                block = Some((span, None, depth > 0));
                depth += 1;
            }
            Event::Start(_) => depth += 1,
            Event::End(TagEnd::Heading(_)) => {
                depth = depth.saturating_sub(1);
                if let Some((level, span, words)) = heading.take() {
                    outline.begin(level, span, words.trim().to_owned());
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                depth = depth.saturating_sub(1);
                if let Some((fences, content, nested)) = block.take() {
                    let content = content.unwrap_or(fences.start..fences.start);
                    outline.add_block(fences, content, nested);
                }
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(words) | Event::Code(words) => {
                if let Some((.., title)) = &mut heading {
                    *title += &words;
                }
                if let Some((_, content, broken)) = &mut block {
                    let before = content.clone().unwrap_or(span.start..span.start);
                    // Within a list each line stands further in, and the places are no range.
                    *broken |= before.end != span.start;
                    *content = Some(before.start..span.end);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((.., title)) = &mut heading {
                    title.push(' ');
                }
            }
            _ => {}
        }
    }
    outline
}

/// Whether words, as they are shown, have a character that isn't seen: a reference such as
/// `&#27;` stands for one that the text itself doesn't hold.
fn hides(words: &str) -> bool {
    words.split('\n').any(|line| line.chars().any(is_deceptive) || hides_something(line))
}

fn unseen(span: &Range<usize>) -> Fault {
    Fault::new(
        Rule::PlainText,
        span.clone(),
        "that stands for a control, invisible or bidirectional character",
        "delete it: what it does isn't seen",
    )
}

/// Whether the words after a fence are those of a step's block.
fn is_block(info: &str) -> bool {
    info.split_whitespace().eq(BLOCK.split(' '))
}

impl Outline {
    fn current(&mut self) -> &mut Part {
        match self.steps.last_mut() {
            Some(step) => step,
            None => &mut self.introduction,
        }
    }

    fn begin(&mut self, level: HeadingLevel, span: Range<usize>, words: String) {
        let end = self.current().body.end;
        match level {
            HeadingLevel::H1 => {
                if self.steps.is_empty() && self.titles.is_empty() {
                    self.introduction.body = span.end..end;
                }
                self.titles.push((span, words));
            }
            HeadingLevel::H2 => {
                self.current().body.end = span.start;
                let body = span.end..end;
                self.steps.push(Part { heading: span, title: words, body, blocks: Vec::new() });
            }
            _ => {}
        }
    }

    fn add_block(&mut self, fences: Range<usize>, content: Range<usize>, astray: bool) {
        let mut fault = |message: &str, hint: &str| {
            self.faults.push(Fault::new(Rule::BlockPlace, fences.clone(), message, hint));
        };
        if astray {
            let hint = "begin its lines at the left margin, outside of lists and quotations";
            fault("the block of a step stands within something else", hint);
        } else if self.steps.is_empty() {
            fault("the block of a step stands before the first step", "put it below a ## heading");
        } else if self.steps.last().is_some_and(|step| !step.blocks.is_empty()) {
            let hint = "make one of them, or begin another step with a ## heading";
            fault("a step has one block, and this is the second", hint);
        } else {
            self.current().blocks.push((fences, content));
        }
    }

    /// What can't be shown everywhere is told.
    fn look_at(&mut self, event: &Event<'_>, span: &Range<usize>) {
        let fault = match event {
            Event::Text(words) | Event::Code(words) if hides(words) => unseen(span),
            Event::Start(Tag::Link { dest_url, title, .. }) if hides(dest_url) || hides(title) => {
                unseen(span)
            }
            Event::Html(_) | Event::InlineHtml(_) => Fault::new(
                Rule::Showable,
                span.clone(),
                "HTML isn't shown, neither on paper nor on a terminal",
                "write it as Markdown; &lt; is a < that is none of HTML's",
            ),
            Event::Start(Tag::Image { .. }) => Fault::new(
                Rule::Showable,
                span.clone(),
                "a picture can't be shown on a terminal",
                "say in words what it shows",
            ),
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                let beside =
                    matches!(link_type, LinkType::Inline | LinkType::Autolink | LinkType::Email);
                let known = ["https://", "http://", "mailto:"];
                let fits = known.iter().any(|scheme| dest_url.starts_with(scheme))
                    || *link_type == LinkType::Email;
                if beside && fits {
                    return;
                }
                let message = if beside {
                    "that link leads nowhere from here"
                } else {
                    "the address of that link stands elsewhere, where a step doesn't show it"
                };
                let hint = "write [words](https://…), with the address beside the words";
                Fault::new(Rule::Link, span.clone(), message, hint)
            }
            _ => return,
        };
        self.faults.push(fault);
    }
}
