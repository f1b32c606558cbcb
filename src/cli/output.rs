//! Answers: for people, and as JSON.
//!
//! Every JSON answer is one object with `schema_version`, 1, and `answer`, which names its
//! kind; fields are only ever added. Its types stand beside the commands and are made for
//! it: no type of the rest is dumped. Text that people read is made here or with
//! [`table`], and whatever a device or a file had a say in was sanitised before.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value};

use super::exit;
use crate::log::Head;

/// What a command has to say, and its exit code.
#[derive(Debug)]
pub struct Answer {
    human: String,
    json: Value,
    /// The exit code.
    pub exit: u8,
}

impl Answer {
    /// An answer of this kind: `view` as JSON, `human` for people, ending with a line break.
    pub fn new<View: Serialize>(kind: &str, view: &View, human: String) -> Self {
        let mut fields = Map::new();
        fields.insert("schema_version".to_owned(), 1.into());
        fields.insert("answer".to_owned(), kind.into());
        match serde_json::to_value(view) {
            Ok(Value::Object(own)) => fields.extend(own),
            Ok(other) => {
                fields.insert("value".to_owned(), other);
            }
            Err(error) => {
                fields.insert("error".to_owned(), error.to_string().into());
            }
        }
        Self { human, json: Value::Object(fields), exit: exit::DONE }
    }

    /// The same, with another exit code.
    #[must_use]
    pub fn exiting(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    /// The words for people.
    pub fn human(&self) -> &str {
        &self.human
    }

    /// The JSON, indented, with a line break at its end.
    pub fn json(&self) -> io::Result<String> {
        let mut text = serde_json::to_string_pretty(&self.json)?;
        text.push('\n');
        Ok(text)
    }
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
        let json = Answer::new("thing", &View { n: 7 }, String::new()).json().unwrap();
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["schema_version"], 1);
        assert_eq!(value["answer"], "thing");
        assert_eq!(value["n"], 7);
    }
}
