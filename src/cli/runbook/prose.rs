//! The Markdown of a runbook as plain text of a given width: what a terminal shows.
//!
//! Nothing but blanks and line breaks is added to what is written, and the address of a link
//! stands behind its words.

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::cli::output::whole_words;
use crate::runbook::markdown;

/// Renders Markdown for a screen of this many columns. Ends with a line break, unless empty.
pub fn plain(text: &str, width: usize) -> String {
    let mut page = Page { width, ..Page::default() };
    for event in markdown(text) {
        page.take(event);
    }
    page.close();
    page.text
}

/// A sentence or two, on lines of this width.
pub fn wrapped(words: &str, width: usize) -> String {
    textwrap::fill(words, whole_words(width))
}

#[derive(Default)]
struct Page {
    width: usize,
    text: String,
    /// Words that no line break has followed yet.
    words: String,
    /// What begins lines here: the marks of lists and quotations around, as wide as they are.
    margin: Vec<Margin>,
    /// The addresses of links that are open, and where their words begin.
    links: Vec<(String, usize)>,
    /// Within a block of code, lines stay as they are.
    is_code: bool,
}

/// What stands before lines.
struct Margin {
    /// Before the first, and before the others.
    first: String,
    rest: String,
    /// The number of the next item, in a list with numbers; none in another.
    next: Option<u64>,
    is_list: bool,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::List(next)) => {
                self.close();
                self.margin.push(Margin {
                    first: String::new(),
                    rest: String::new(),
                    next,
                    is_list: true,
                });
            }
            Event::Start(Tag::Item) => self.begin_item(),
            Event::Start(Tag::BlockQuote(_)) => {
                self.close();
                let bar = "| ".to_owned();
                let (first, rest) = (bar.clone(), bar);
                self.margin.push(Margin { first, rest, next: None, is_list: false });
            }
            Event::Start(Tag::CodeBlock(_)) => {
                self.close();
                self.is_code = true;
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.links.push((dest_url.to_string(), self.words.len()));
            }
            Event::End(TagEnd::Link) => {
                if let Some((address, from)) = self.links.pop() {
                    let words = self.words.get(from..).unwrap_or_default();
                    let bare = address.strip_prefix("mailto:").unwrap_or(&address);
                    if words != bare {
                        self.words.push_str(&format!(" <{bare}>"));
                    }
                }
            }
            Event::End(TagEnd::Item) => self.close(),
            Event::End(TagEnd::List(_) | TagEnd::BlockQuote(_)) => {
                self.close();
                self.margin.pop();
                self.gap();
            }
            Event::End(TagEnd::CodeBlock) => {
                self.close();
                self.is_code = false;
                self.gap();
            }
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_)) => {
                self.close();
                self.gap();
            }
            Event::Text(words) | Event::Code(words) => self.words.push_str(&words),
            Event::SoftBreak => self.words.push(' '),
            Event::HardBreak => self.close(),
            Event::Rule => {
                self.close();
                self.gap();
            }
            _ => {}
        }
    }

    fn begin_item(&mut self) {
        self.close();
        if let Some(margin) = self.margin.last_mut().filter(|margin| margin.is_list) {
            margin.first = match &mut margin.next {
                Some(number) => {
                    let mark = format!("{number}. ");
                    *number += 1;
                    mark
                }
                None => "- ".to_owned(),
            };
            margin.rest = " ".repeat(margin.first.len());
        }
    }

    /// An empty line, unless there is one, and never within a list.
    fn gap(&mut self) {
        let in_list = self.margin.iter().any(|margin| margin.is_list);
        if !in_list && !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Ends the line, or lines, of the words so far.
    fn close(&mut self) {
        let words = std::mem::take(&mut self.words);
        if words.trim().is_empty() {
            return;
        }
        let first: String = self.margin.iter_mut().map(Margin::take_first).collect();
        let rest: String = self.margin.iter().map(|margin| margin.rest.as_str()).collect();
        if self.is_code {
            for (number, line) in words.trim_end_matches('\n').split('\n').enumerate() {
                let margin = if number == 0 { &first } else { &rest };
                self.text.push_str(format!("{margin}    {line}").trim_end());
                self.text.push('\n');
            }
            return;
        }
        let options = whole_words(self.width).initial_indent(&first).subsequent_indent(&rest);
        self.text.push_str(&textwrap::fill(words.trim(), options));
        self.text.push('\n');
    }
}

impl Margin {
    /// What stands before the next line, which is the first of an item but once.
    fn take_first(&mut self) -> String {
        std::mem::replace(&mut self.first, self.rest.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn paragraphs_are_wrapped_and_set_apart() {
        let shown = plain("One two *three* four five\nsix.\n\nSeven `eight`.\n", 20);
        assert_eq!(shown, "One two three four\nfive six.\n\nSeven eight.\n\n");
    }

    #[test]
    fn lists_hang_and_count() {
        let shown = plain(
            "1. Take the bag out of the safe\n2. Read it\n   - aloud\n   - twice\n\nDone.",
            22,
        );
        assert_eq!(
            shown,
            "1. Take the bag out of\n   the safe\n2. Read it\n   - aloud\n   - twice\n\nDone.\n\n"
        );
    }

    #[test]
    fn a_links_address_stands_behind_its_words_and_stays_whole() {
        let address = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user.html";
        let shown = plain(&format!("See [the guide]({address}) or <{address}>."), 30);
        assert_eq!(shown, format!("See the guide\n<{address}>\nor\n{address}.\n\n"));
    }

    #[test]
    fn code_and_quotations_keep_their_form() {
        let shown = plain("> Mind the gap\n\n```\naws  sts\nget\n```\n", 40);
        assert_eq!(shown, "| Mind the gap\n\n    aws  sts\n    get\n\n");
    }
}
