//! Answers: for people, and as JSON.
//!
//! Every JSON answer is one object with `schema_version`, 1, and `answer`, which names its
//! kind; fields are only ever added. Its types stand beside the commands and are made for
//! it: no type of the rest is dumped. Text that people read is made here or with
//! [`table`], and whatever a device or a file had a say in was sanitised before.

use serde::Serialize;
use serde_json::{Map, Value};

use super::exit;
use super::failure::Failure;
use super::given_out::GivenOut;
use crate::log::Head;
use crate::record::UserVerification;

/// What a command has to say, and its exit code.
#[derive(Debug)]
pub struct Answer {
    human: String,
    json: Value,
    /// The exit code.
    pub exit: u8,
    /// The entry that was recorded, if one was: it stands even if the answer can't be given.
    pub recorded: Option<u64>,
    /// The head that it bears, to be noted once it is given.
    pub gives_out: Option<GivenOut>,
}

impl Answer {
    /// An answer of this kind: `view` as JSON, `human` for people, ending with a line break.
    pub fn new<View: Serialize>(kind: &str, view: &View, human: String) -> Self {
        let mut fields = head(kind);
        match serde_json::to_value(view) {
            Ok(Value::Object(own)) => fields.extend(own),
            Ok(other) => {
                fields.insert("value".to_owned(), other);
            }
            Err(error) => {
                fields.insert("error".to_owned(), error.to_string().into());
            }
        }
        let exit = exit::DONE;
        Self { human, json: Value::Object(fields), exit, recorded: None, gives_out: None }
    }

    /// The same, with another exit code.
    #[must_use]
    pub fn exiting(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    /// The same, of a command that recorded this entry.
    #[must_use]
    pub fn recording(self, entry: u64) -> Self {
        Self { recorded: Some(entry), ..self }
    }

    /// The same, of one that bears the head.
    #[must_use]
    pub fn giving_out(self, head: Option<GivenOut>) -> Self {
        Self { gives_out: head, ..self }
    }

    /// The words for people.
    pub fn human(&self) -> &str {
        &self.human
    }

    /// The JSON, indented, with a line break at its end.
    pub fn json(&self) -> String {
        indented(&self.json)
    }
}

fn head(kind: &str) -> Map<String, Value> {
    let fields = [("schema_version", Value::from(1)), ("answer", Value::from(kind))];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A JSON value cannot fail to be written: `{:#}` is serde_json's own indented form.
fn indented(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A failure as JSON: what `--json` gives in place of an answer.
pub fn failure_json(failure: &Failure) -> String {
    let mut fields = head("error");
    let hint = failure.hint.clone().map_or(Value::Null, Value::from);
    fields.insert("message".to_owned(), failure.message.clone().into());
    fields.insert("causes".to_owned(), failure.causes.clone().into());
    fields.insert("hint".to_owned(), hint);
    fields.insert("exit".to_owned(), failure.exit.into());
    indented(&Value::Object(fields))
}

/// A head, as JSON.
#[derive(Debug, Serialize)]
pub struct HeadView {
    /// The number of entries.
    pub number: u64,
    /// The link of the last, in hex.
    pub link: String,
}

impl From<&Head> for HeadView {
    fn from(head: &Head) -> Self {
        Self { number: head.number, link: head.link.to_string() }
    }
}

/// Lines up columns under headings, two blanks apart. Ends with a line break.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = headings.iter().map(|heading| width(heading)).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, widest) in cells.zip(&widths) {
            text.push_str(cell);
            text.push_str(&" ".repeat(widest.saturating_sub(width(cell)) + 2));
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// How wide a screen is taken to be.
pub const WIDTH: usize = 80;

/// A text of one line or more, none wider than a screen, those behind the first with something
/// before them. No word is broken. Ends with a line break.
pub fn wrapped(text: &str, before: &str) -> String {
    format!("{}\n", textwrap::fill(text, whole_words(WIDTH).subsequent_indent(before)))
}

/// Commands and addresses are copied, so words stay whole, however long.
pub fn whole_words(width: usize) -> textwrap::Options<'static> {
    let whole = textwrap::WordSplitter::NoHyphenation;
    textwrap::Options::new(width).break_words(false).word_splitter(whole)
}

/// The first of several names, and how many more there are.
pub fn few(names: &[String], most: usize) -> String {
    let shown = names.get(..most).unwrap_or(names).join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Whether signatures must show a PIN or fingerprint, in one word.
pub fn verification_word(rule: UserVerification) -> &'static str {
    match rule {
        UserVerification::Required => "required",
        UserVerification::Waived => "waived",
    }
}

/// `1 entry`, `2 entries`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_clean() {
        let rows = [vec!["é".to_owned(), "x".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["a", "b"], &rows), "a     b\né     x\nlong\n");
    }

    #[test]
    fn an_answer_in_json_names_its_schema_and_kind() {
        #[derive(Serialize)]
        struct View {
            n: u8,
        }
        let json = Answer::new("thing", &View { n: 7 }, String::new()).json();
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["schema_version"], 1);
        assert_eq!(value["answer"], "thing");
        assert_eq!(value["n"], 7);
    }
}
