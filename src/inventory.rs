//! Lists of accounts from outside, and what they mean for a vault: a spreadsheet as CSV, or what
//! `aws organizations list-accounts` prints.
//!
//! A list becomes rows, each an account or the reasons why it is none; a [`Plan`] holds rows
//! against a state: what would be added, what is here already and differs, what is gone there.
//! Nothing is ever changed or removed by a list. This module knows no file and no vault.

mod organizations;
mod plan;
mod spreadsheet;

use thiserror::Error;

use crate::record::{AccountAdded, DeviceName, Handle};

pub use plan::{Difference, Fate, Plan, Planned, removal};

/// The largest list that is read, in bytes.
pub const MAX_BYTES: u64 = 16 << 20;
/// The most rows that are read.
pub const MAX_ROWS: usize = 50_000;

/// The columns of a spreadsheet, as its first line names them.
pub const COLUMNS: [&str; 15] = [
    "account",
    "provider",
    "id",
    "name",
    "tags",
    "root_credentials",
    "root_email",
    "mailbox_readers",
    "root_phone",
    "phone_answerers",
    "billing_contact",
    "operations_contact",
    "security_contact",
    "password_place",
    "devices",
];

/// A row of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Where it stands: the line of a spreadsheet, or its number among the accounts of a JSON
    /// list, both from 1.
    pub place: u64,
    /// What it says, or why it says nothing.
    pub account: Result<Listed, Vec<String>>,
}

/// An account as a list has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// What would be recorded. Its handle is made from its name where the list gives none.
    pub account: AccountAdded,
    /// Whether the list gives the handle.
    pub named: bool,
    /// Whether the list says if there are root credentials.
    pub tells_credentials: bool,
    /// The MFA devices that it names.
    pub devices: Vec<DeviceName>,
    /// What the provider says of it where it isn't in use, such as `SUSPENDED`.
    pub inactive: Option<String>,
}

/// Why bytes are no list of accounts.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Not UTF-8.
    #[error("it isn't UTF-8 text")]
    NotText,
    /// A field goes on for ever.
    #[error("a quote that opens a field is never closed")]
    OpenQuote,
    /// A quote where none can be.
    #[error("line {line}: a quote stands within a field, or after the end of a quoted one")]
    StrayQuote {
        /// From 1.
        line: u64,
    },
    /// Many more fields than columns.
    #[error("line {line} has far more fields than there are columns")]
    TooManyFields {
        /// From 1.
        line: u64,
    },
    /// No line of headings.
    #[error("it is empty")]
    Empty,
    /// A heading that isn't one.
    #[error("{0:?} isn't a column of such a list")]
    UnknownColumn(String),
    /// A heading twice.
    #[error("the column {0} stands twice")]
    ColumnTwice(String),
    /// A heading that there must be.
    #[error("it has no column {0}")]
    NoColumn(&'static str),
    /// Headings and nothing else.
    #[error("it lists no account")]
    NoRows,
    /// More than [`MAX_ROWS`].
    #[error("it has more than {MAX_ROWS} rows")]
    TooManyRows,
    /// JSON that isn't any.
    #[error("line {line}, column {column}: it isn't JSON")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON of another kind.
    #[error("it is JSON, and not what aws organizations list-accounts prints")]
    OtherJson,
    /// The first page of several.
    #[error("it is a part of a list, which goes on at its NextToken")]
    NotAll,
}

/// Reads a list of either kind: JSON if it begins as JSON does.
pub fn read(bytes: &[u8]) -> Result<Vec<Row>, Unreadable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NotText)?;
    // The csv reader drops a byte order mark of its own, and lines are counted beside it.
    let text = text.trim_start_matches('\u{feff}');
    let rows = if text.trim_start().starts_with(['{', '[']) {
        organizations::read(text)?
    } else {
        spreadsheet::read(text)?
    };
    match rows.len() {
        0 => Err(Unreadable::NoRows),
        many if many > MAX_ROWS => Err(Unreadable::TooManyRows),
        _ => Ok(rows),
    }
}

/// A handle out of an account's name: `Prod: Payments (EU)` gives `prod-payments-eu`; its id
/// where nothing is left of the name.
fn handle_from(name: Option<&str>, id: &str) -> Option<Handle> {
    let slug = |text: &str| {
        let mut slug = String::new();
        for c in text.chars() {
            match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9') => slug.push(c),
                _ if slug.is_empty() || slug.ends_with('-') => {}
                _ => slug.push('-'),
            }
        }
        slug.truncate(32);
        slug.trim_end_matches('-').to_owned()
    };
    let parsed = |text: &str| slug(text).parse().ok();
    name.and_then(parsed).or_else(|| parsed(id))
}

/// The same with the account's id at its end, where the handle is another's.
fn handle_with_id(handle: &Handle, id: &str) -> Option<Handle> {
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    let room = 31_usize.saturating_sub(id.len());
    let short: String = handle.as_str().chars().take(room).collect();
    format!("{}-{}", short.trim_end_matches('-'), id.to_ascii_lowercase()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_made_from_a_name() {
        let made = |name: &str| handle_from(Some(name), "000123456789").unwrap().to_string();
        assert_eq!(made("Prod: Payments (EU)"), "prod-payments-eu");
        assert_eq!(made("  --Log Archive"), "log-archive");
        assert_eq!(made("Zürich"), "z-rich");
        assert_eq!(made("日本"), "000123456789");
        assert_eq!(made(&"x".repeat(40)), "x".repeat(32));
        assert_eq!(made(&format!("{} y", "x".repeat(31))), "x".repeat(31));
        let long: Handle = "a-very-long-name-of-an-account".parse().unwrap();
        let with_id = handle_with_id(&long, "000123456789").unwrap().to_string();
        assert_eq!(with_id, "a-very-long-name-of-000123456789");
    }

    #[test]
    fn what_is_no_list_is_refused_by_name() {
        for (text, reason) in [
            (&b""[..], Unreadable::Empty),
            (b"\xff\xfe", Unreadable::NotText),
            (b"id\n", Unreadable::NoRows),
            (b"id,name\n123456789012,\"a\n", Unreadable::OpenQuote),
            (b"name\na\n", Unreadable::NoColumn("id")),
            (b"id,colour\n", Unreadable::UnknownColumn("colour".to_owned())),
            (b"id,ID\n", Unreadable::ColumnTwice("id".to_owned())),
            (b"{\"Accounts\": [", Unreadable::NotJson { line: 1, column: 14 }),
            (b"{\"Users\": []}", Unreadable::OtherJson),
            (b"{\"Accounts\": {}}", Unreadable::OtherJson),
            (b"[]", Unreadable::NoRows),
            (b"{\"Accounts\": [], \"NextToken\": \"x\"}", Unreadable::NotAll),
        ] {
            assert_eq!(read(text), Err(reason), "{}", String::from_utf8_lossy(text));
        }
        let long = format!("id\n{}", "x\n".repeat(MAX_ROWS + 1));
        assert_eq!(read(long.as_bytes()), Err(Unreadable::TooManyRows));
        let deep = "[".repeat(100_000);
        assert!(matches!(read(deep.as_bytes()), Err(Unreadable::NotJson { .. })));
    }
}
