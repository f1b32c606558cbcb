//! The one way a document is written.
//!
//! A small part of TOML: bare keys; strings in double quotes on one line, with `\"` and
//! `\\` as the only escapes; integers, booleans and UTC times; arrays of these on one
//! line; at the end, tables of an array under a blank line and a `[[name]]` header. So
//! `sed` and a TOML parser read the same thing, and the same values make the same bytes
//! whatever release of whatever library reads them.

use serde::Serialize;
use thiserror::Error;
use toml::{Table, Value};

/// How the toml crate tells a date-time from a table while it serialises into a [`Table`],
/// where it leaves it at that.
const DATETIME_MARK: &str = "$__toml_private_datetime";

/// A value that has no canonical form: a mistake of ours, as every type of an event is
/// meant to have one.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{0} has no canonical form")]
pub(super) struct Unwritable(String);

/// Writes a document.
pub(super) fn write(document: &impl Serialize) -> Result<String, Unwritable> {
    let table = Table::try_from(document).map_err(|error| Unwritable(error.to_string()))?;
    write_table(&table)
}

fn write_table(document: &Table) -> Result<String, Unwritable> {
    let mut out = String::new();
    let mut tables = Vec::new();
    for (key, value) in document {
        match value {
            Value::Array(items) if items.iter().any(Value::is_table) => tables.push((key, items)),
            _ if !tables.is_empty() => return Err(Unwritable(format!("{key} after a table"))),
            _ => pair(&mut out, key, value)?,
        }
    }
    for (key, items) in tables {
        for item in items {
            let Value::Table(table) = item else {
                return Err(Unwritable(format!("the mixed array {key}")));
            };
            bare(key)?;
            out.push_str("\n[[");
            out.push_str(key);
            out.push_str("]]\n");
            for (key, value) in table {
                pair(&mut out, key, value)?;
            }
        }
    }
    Ok(out)
}

fn pair(out: &mut String, key: &str, value: &Value) -> Result<(), Unwritable> {
    bare(key)?;
    out.push_str(key);
    out.push_str(" = ");
    scalar(out, key, value)?;
    out.push('\n');
    Ok(())
}

fn bare(key: &str) -> Result<(), Unwritable> {
    let fits = !key.is_empty()
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fits { Ok(()) } else { Err(Unwritable(format!("the key {key:?}"))) }
}

fn scalar(out: &mut String, key: &str, value: &Value) -> Result<(), Unwritable> {
    match value {
        Value::String(text) => string(out, key, text)?,
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Boolean(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Datetime(time) => out.push_str(&time.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if item.is_array() {
                    return Err(Unwritable(format!("an array in the array {key}")));
                }
                if index > 0 {
                    out.push_str(", ");
                }
                scalar(out, key, item)?;
            }
            out.push(']');
        }
        Value::Table(table) if table.len() == 1 && table.contains_key(DATETIME_MARK) => {
            let time = table.get(DATETIME_MARK).and_then(Value::as_str);
            out.push_str(time.ok_or_else(|| Unwritable(format!("the time {key}")))?);
        }
        Value::Float(_) | Value::Table(_) => return Err(Unwritable(format!("the value of {key}"))),
    }
    Ok(())
}

fn string(out: &mut String, key: &str, text: &str) -> Result<(), Unwritable> {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => return Err(Unwritable(format!("a control character in {key}"))),
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_as_documented() {
        let table: Table = toml::from_str(
            "format = 1\ntime = 2026-11-22T12:00:00Z\nsigners = ['a/b', 'c/d']\nslips = []\n\
             [[event]]\nkind = 'x'\ntext = 'say \"hi\" \\ é'\nyes = true\n[[event]]\nkind = 'y'\n",
        )
        .unwrap();
        assert_eq!(
            write_table(&table).unwrap(),
            "format = 1\ntime = 2026-11-22T12:00:00Z\nsigners = [\"a/b\", \"c/d\"]\nslips = []\n\
             \n[[event]]\nkind = \"x\"\ntext = \"say \\\"hi\\\" \\\\ é\"\nyes = true\n\
             \n[[event]]\nkind = \"y\"\n"
        );
    }

    #[test]
    fn what_has_no_one_line_form_is_refused() {
        for source in ["a = \"x\\ny\"", "a = 1.5", "a = [[1]]", "\"A b\" = 1", "[a]\nb = 1"] {
            let table: Table = toml::from_str(source).unwrap();
            assert!(write_table(&table).is_err(), "{source}");
        }
    }
}
