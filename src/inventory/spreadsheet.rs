//! Accounts out of a spreadsheet: CSV (RFC 4180) with a line of headings.
//!
//! Fields are separated by commas, or by semicolons or tabs if the headings are. Several values
//! in one field are separated by semicolons. Blanks around a value don't count.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::iter;
use std::str::FromStr;

use csv::{ReaderBuilder, StringRecord};

use super::{COLUMNS, Listed, MAX_ROWS, Row, Unreadable, handle_from};
use crate::record::{AccountAdded, AccountIdentity, Handle, Line};
use crate::text::sanitise;

/// The most fields that a line may have: more than there are columns, so that a line with some
/// too many is told as a wrong row.
const MAX_FIELDS: usize = 4 * COLUMNS.len();
/// The most values that a field may have: more than are ever recorded of one.
const MAX_VALUES: usize = 100;
/// The most that is told to be wrong with a row, which is long enough to read then.
const MAX_WRONG: usize = 20;
/// What breaks a line somewhere (Unicode Standard, 5.8), so that no field may hold it.
const LINE_BREAKS: [char; 7] = ['\n', '\r', '\u{0B}', '\u{0C}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Reads the rows of a spreadsheet.
pub(super) fn read(text: &str) -> Result<Vec<Row>, Unreadable> {
    let mut lines = text.split(['\n', '\r']);
    let headings = lines.find(|line| !line.trim().is_empty()).ok_or(Unreadable::Empty)?;
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|mark| {
            let count = headings.bytes().filter(|byte| byte == mark).count();
            // Of equals, the first.
            (count, usize::from(*mark == b','))
        })
        .unwrap_or(b',');
    let lines = lines_of_records(text, delimiter);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut columns: Option<Vec<&'static str>> = None;
    let mut rows = Vec::new();
    let mut records = reader.records();
    for place in lines {
        // Looked through before it is read: a record of very many fields takes gigabytes.
        let place = place?;
        let Some(record) = records.next() else { break };
        let record = record.map_err(|_| Unreadable::NotText)?;
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        match &columns {
            None => columns = Some(headings_of(&record)?),
            Some(columns) => {
                rows.push(Row { place, account: account(columns, &record) });
            }
        }
        if rows.len() > MAX_ROWS {
            return Err(Unreadable::TooManyRows);
        }
    }
    Ok(rows)
}

/// The line in which each record begins, blank lines aside, from 1, as far as it has looked.
/// Fails on what spreadsheet programs don't write and a reader could only guess at: a quote
/// within a field or after its end, one that is never closed, and more fields than there are
/// columns to have.
fn lines_of_records(
    text: &str,
    delimiter: u8,
) -> impl Iterator<Item = Result<u64, Unreadable>> + '_ {
    enum At {
        Start,
        Plain,
        Quoted,
        /// After a quote in a quoted field: its end, or the first of two.
        Quote,
        /// After the end of a quoted field.
        End,
    }
    let mut bytes = text.bytes();
    let (mut line, mut before) = (1, b'\n');
    iter::from_fn(move || {
        let (mut at, mut start, mut fields) = (At::Start, line, 0_usize);
        for byte in bytes.by_ref() {
            let is_break = byte == b'\n' || byte == b'\r';
            let is_over = is_break && !matches!(at, At::Quoted);
            if fields == 0 && !is_break {
                start = line;
                fields = 1;
            }
            at = match (at, byte) {
                (At::Quoted, b'"') => At::Quote,
                (At::Quoted, _) => At::Quoted,
                (At::Quote, b'"') => At::Quoted,
                (At::Start, b'"') => At::Quoted,
                _ if is_over => At::Start,
                (_, mark) if mark == delimiter => {
                    fields += 1;
                    At::Start
                }
                (At::Quote | At::End, b' ' | b'\t') => At::End,
                (At::Quote | At::End, _) | (At::Plain, b'"') => {
                    return Some(Err(Unreadable::StrayQuote { line }));
                }
                _ => At::Plain,
            };
            if fields > MAX_FIELDS {
                return Some(Err(Unreadable::TooManyFields { line }));
            }
            // Two characters may be one line break.
            if is_break && (byte == b'\r' || before != b'\r') {
                line += 1;
            }
            before = byte;
            if is_over && fields > 0 {
                return Some(Ok(start));
            }
        }
        match at {
            At::Quoted => Some(Err(Unreadable::OpenQuote)),
            _ => (fields > 0).then_some(Ok(start)),
        }
    })
}

fn headings_of(record: &StringRecord) -> Result<Vec<&'static str>, Unreadable> {
    let mut columns = Vec::new();
    for heading in record {
        let name = heading.trim().to_lowercase().replace([' ', '-'], "_");
        let known = COLUMNS.into_iter().find(|column| *column == name);
        let known = known.filter(|_| !heading.contains(LINE_BREAKS));
        let column = known.ok_or_else(|| Unreadable::UnknownColumn(sanitise(heading, 40)))?;
        if columns.contains(&column) {
            return Err(Unreadable::ColumnTwice(name));
        }
        columns.push(column);
    }
    if columns.contains(&"id") { Ok(columns) } else { Err(Unreadable::NoColumn("id")) }
}

/// The fields of a row by column, and what is wrong with them.
struct Fields<'a> {
    values: BTreeMap<&'static str, &'a str>,
    wrong: Vec<String>,
}

impl<'a> Fields<'a> {
    fn text(&self, column: &'static str) -> Option<&'a str> {
        self.values.get(column).copied()
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, column: &'static str, text: &str) -> Option<T> {
        let parsed = text.parse();
        if let Err(error) = &parsed
            && self.wrong.len() < MAX_WRONG
        {
            self.wrong.push(format!("{column}: {error}"));
        }
        parsed.ok()
    }

    fn value<T: FromStr<Err: Display>>(&mut self, column: &'static str) -> Option<T> {
        let text = self.text(column)?;
        self.parse(column, text)
    }

    /// Several values, sorted, each once.
    fn list<T: FromStr<Err: Display> + Ord>(&mut self, column: &'static str) -> Vec<T> {
        let parts = self.text(column).unwrap_or_default().split(';');
        let parts = parts.map(str::trim).filter(|part| !part.is_empty());
        if parts.clone().nth(MAX_VALUES).is_some() {
            self.wrong.push(format!("{column}: it has more than {MAX_VALUES} values"));
            return Vec::new();
        }
        let mut all: Vec<T> = parts.filter_map(|part| self.parse(column, part)).collect();
        all.sort();
        all.dedup();
        all
    }
}

fn account(columns: &[&'static str], record: &StringRecord) -> Result<Listed, Vec<String>> {
    if record.len() != columns.len() {
        let (has, should) = (record.len(), columns.len());
        return Err(vec![format!("it has {has} fields where the headings have {should}")]);
    }
    let fields = columns.iter().copied().zip(record);
    let broken = fields.clone().filter(|(_, value)| value.contains(LINE_BREAKS));
    let wrong: Vec<String> =
        broken.map(|(column, _)| format!("{column}: it holds a line break")).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let fields = fields.map(|(column, value)| (column, value.trim()));
    let values = fields.filter(|(_, value)| !value.is_empty()).collect();
    let mut fields = Fields { values, wrong };
    let aws = || "aws".parse().ok();
    let provider: Option<Handle> =
        if fields.text("provider").is_some() { fields.value("provider") } else { aws() };
    if fields.text("id").is_none() {
        fields.wrong.push("id: it is empty".to_owned());
    }
    let id: Option<Line> = fields.value("id");
    if let Some(id) = &id
        && provider == aws()
    {
        fields.wrong.extend(spoiled(id.as_str()).map(str::to_owned));
    }
    let named: Option<Handle> = fields.value("account");
    let made = || handle_from(fields.text("name"), fields.text("id").unwrap_or_default());
    let handle = named.clone().or_else(made);
    if handle.is_none() {
        fields.wrong.push("account: no handle can be made of its name or id".to_owned());
    }
    let credentials = match fields.text("root_credentials").map(str::to_lowercase).as_deref() {
        None => None,
        Some("yes" | "true") => Some(true),
        Some("no" | "false") => Some(false),
        Some(_) => {
            fields.wrong.push("root_credentials: it is neither yes nor no".to_owned());
            None
        }
    };
    let (Some(handle), Some(provider), Some(id)) = (handle, provider, id) else {
        return Err(fields.wrong);
    };
    let AccountIdentity { provider, id } = AccountIdentity::given(provider, id);
    let account = AccountAdded {
        account: handle,
        provider,
        id,
        name: fields.value("name"),
        tags: fields.list("tags"),
        root_credentials: credentials.unwrap_or(true),
        root_email: fields.value("root_email"),
        mailbox_readers: fields.list("mailbox_readers"),
        root_phone: fields.value("root_phone"),
        phone_answerers: fields.list("phone_answerers"),
        billing_contact: fields.value("billing_contact"),
        operations_contact: fields.value("operations_contact"),
        security_contact: fields.value("security_contact"),
        password_place: fields.value("password_place"),
    };
    let devices = fields.list("devices");
    if !fields.wrong.is_empty() {
        return Err(fields.wrong);
    }
    let (named, tells_credentials) = (named.is_some(), credentials.is_some());
    Ok(Listed { account, named, tells_credentials, devices, inactive: None })
}

/// What a spreadsheet program does to the id of an AWS account, if it did.
fn spoiled(id: &str) -> Option<&'static str> {
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    if digits && id.len() < 12 {
        return Some("id: it has fewer than twelve digits; a spreadsheet drops zeros in front");
    }
    let number = id.bytes().all(|byte| byte.is_ascii_digit() || b".,eE+".contains(&byte));
    (number && id.contains(['e', 'E']))
        .then_some("id: a spreadsheet has made a rounded number of it; its column should hold text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        read(text).unwrap()
    }

    fn only(text: &str) -> Listed {
        match rows(text).as_slice() {
            [Row { account: Ok(listed), .. }] => listed.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn wrong(id: &str, column: &str, value: &str) -> Vec<String> {
        let text = format!("id,{column}\n{id},{value}\n");
        rows(&text).pop().unwrap().account.unwrap_err()
    }

    #[test]
    fn every_column_is_read() {
        let text = "account,provider,id,name,tags,root_credentials,root_email,mailbox_readers,\
            root_phone,phone_answerers,billing_contact,operations_contact,security_contact,\
            password_place,devices\r\n\
            prod,aws-cn,012345678901,\"Prod, \"\"EU\"\"\",team=a; env=prod;team=a,Yes,aws@example.com,\
            bob;alice,+44 20 7946 0000,alice,Finance <finance@example.com>,ops@example.com,\
            soc@example.com +1 555 0100,Safe 2,alice/primary; phone\r\n";
        let listed = only(text);
        let account = &listed.account;
        assert_eq!((account.account.as_str(), listed.named), ("prod", true));
        assert_eq!((account.provider.as_str(), account.id.as_str()), ("aws-cn", "012345678901"));
        assert_eq!(account.name.as_ref().unwrap().as_str(), "Prod, \"EU\"");
        let texts = |all: Vec<String>| all.join(" ");
        assert_eq!(
            texts(account.tags.iter().map(ToString::to_string).collect()),
            "env=prod team=a"
        );
        assert!(account.root_credentials && listed.tells_credentials);
        assert_eq!(account.root_email.as_ref().unwrap().as_str(), "aws@example.com");
        assert_eq!(
            account.mailbox_readers.iter().map(Handle::as_str).collect::<Vec<_>>(),
            ["alice", "bob"]
        );
        assert_eq!(account.root_phone.as_ref().unwrap().to_string(), "+44 20 7946 0000");
        assert_eq!(account.phone_answerers.len(), 1);
        assert_eq!(
            account.billing_contact.as_ref().unwrap().to_string(),
            "Finance <finance@example.com>"
        );
        assert_eq!(account.operations_contact.as_ref().unwrap().to_string(), "ops@example.com");
        assert_eq!(
            account.security_contact.as_ref().unwrap().to_string(),
            "soc@example.com +1 555 0100"
        );
        assert_eq!(account.password_place.as_ref().unwrap().as_str(), "Safe 2");
        let devices: Vec<String> = listed.devices.iter().map(ToString::to_string).collect();
        assert_eq!(devices, ["alice/primary", "phone"]);
    }

    #[test]
    fn what_spreadsheet_programs_write_is_read() {
        for text in [
            "ID;Name\n012345678901;Prod\n",
            "id\tname\n012345678901\tProd\n",
            "\n\nid,name\r\n\r\n\"012345678901\", Prod \r\n,\r\n",
            "Name,Root Email,id\nProd,,012345678901",
            "id;name;password_place\r012345678901;Prod;Safe 2, a, b, c, d, e\r",
        ] {
            let listed = only(text);
            assert_eq!(listed.account.id.as_str(), "012345678901", "{text:?}");
            assert_eq!((listed.account.account.as_str(), listed.named), ("prod", false));
            assert_eq!(listed.account.provider.as_str(), "aws");
        }
    }

    #[test]
    fn what_a_reader_could_only_guess_at_is_refused() {
        for (text, why) in [
            ("id,name\n1,\"Prod\" (old)\n", Unreadable::StrayQuote { line: 2 }),
            ("id,name\n\n1,a \"b\"\n", Unreadable::StrayQuote { line: 3 }),
            ("id,name\n1, \"Prod, EU\"\n", Unreadable::StrayQuote { line: 2 }),
            ("id,name\r\n1,\"a\r\nb\"c", Unreadable::StrayQuote { line: 3 }),
            ("id,name\n1,\"Prod\n2,b\n", Unreadable::OpenQuote),
            ("id,name\n1,\"\"\"\n", Unreadable::OpenQuote),
            (&format!("id,name\n1{}", ",".repeat(100)), Unreadable::TooManyFields { line: 2 }),
            (&",".repeat(1 << 20), Unreadable::TooManyFields { line: 1 }),
        ] {
            assert_eq!(read(text), Err(why), "{:.40?}", text);
        }
        assert_eq!(
            only("id,name\n1 2,\"a \"\"b\"\"\" \n").account.name.unwrap().as_str(),
            "a \"b\""
        );
    }

    #[test]
    fn a_row_stands_where_a_person_finds_it() {
        for text in [
            "\n\nid,name\n\n1,\"a\nb\"\n\n\n2,b\n",
            "\r\n\r\nid,name\r\n\r\n1,\"a\r\nb\"\r\n\r\n\r\n2,b",
            "\r\rid,name\r\r1,\"a\rb\"\r\r\r2,b\r",
            "\u{feff}\u{feff}\n\nid,name\n\n1,\"a\nb\"\n\n\n2,b\n",
        ] {
            let rows = super::super::read(text.as_bytes()).unwrap();
            let places: Vec<u64> = rows.iter().map(|row| row.place).collect();
            assert_eq!(places, [5, 9], "{text:?}");
        }
    }

    #[test]
    fn a_field_holds_no_line_break_even_at_its_edge() {
        let row = |text: &str| rows(text).pop().unwrap().account;
        for field in ["\"a=b;\nc=d\"", "\"\na=b\"", "\"a=b\r\""] {
            let wrong = row(&format!("id,tags\n012345678901,{field}\n")).unwrap_err();
            assert_eq!(wrong, ["tags: it holds a line break"]);
        }
        for c in LINE_BREAKS {
            let wrong = row(&format!("id,tags\n012345678901,\"{c}a=b;c=d{c}\"\n")).unwrap_err();
            assert_eq!(wrong, ["tags: it holds a line break"], "{c:?}");
        }
        let heading = Unreadable::UnknownColumn("name\u{fffd}".to_owned());
        assert_eq!(read("id,\"name\n\"\n1 2,a\n"), Err(heading));
        assert!(row("id,tags\n012345678901,\" a=b ; c=d \"\n").is_ok());
    }

    #[test]
    fn a_field_of_very_many_values_is_refused_once() {
        let many = |count: usize| {
            let text = format!("id,mailbox_readers\n012345678901,{}\n", "B;".repeat(count));
            rows(&text).pop().unwrap().account.unwrap_err()
        };
        assert_eq!(many(MAX_VALUES).len(), MAX_WRONG);
        assert_eq!(many(MAX_VALUES + 1), ["mailbox_readers: it has more than 100 values"]);
    }

    proptest::proptest! {
        /// Lines are counted beside the reader that splits them.
        #[test]
        fn every_record_has_its_line(text in "[ab,\" \n\r]{0,40}") {
            let lines: Result<Vec<u64>, _> = lines_of_records(&text, b',').collect();
            if let Ok(lines) = lines {
                let mut reader = ReaderBuilder::new();
                let mut reader =
                    reader.flexible(true).has_headers(false).from_reader(text.as_bytes());
                proptest::prop_assert_eq!(reader.records().count(), lines.len());
                proptest::prop_assert!(lines.is_sorted());
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_row_is_told_with_its_line() {
        let read = rows("id,name\n012345678901,a\n1,2,3\n012345678902,\"b\nc\"\n,d\n");
        let places: Vec<(u64, bool)> =
            read.iter().map(|row| (row.place, row.account.is_ok())).collect();
        assert_eq!(places, [(2, true), (3, false), (4, false), (6, false)]);
        let id = "012345678901";
        for (wrong, column) in [
            (wrong("12345678901", "name", "a"), "id: it has fewer than twelve digits"),
            (wrong("1.23457E+11", "name", "a"), "id: a spreadsheet has made"),
            (wrong(id, "root_email", "aws at example.com"), "root_email: "),
            (wrong(id, "root_phone", "020 7946 0000"), "root_phone: "),
            (wrong(id, "security_contact", "the SOC"), "security_contact: "),
            (wrong(id, "mailbox_readers", "Bob"), "mailbox_readers: "),
            (wrong(id, "root_credentials", "maybe"), "root_credentials: "),
            (wrong(id, "account", "Prod"), "account: "),
            (wrong(id, "provider", "AWS"), "provider: "),
            (wrong(id, "devices", "alice/"), "devices: "),
            (wrong(id, "name", "a\u{202e}b"), "name: "),
        ] {
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert!(wrong[0].starts_with(column), "{wrong:?}");
        }
        let all = rows("id,root_email,root_phone\nx y,b,c\n").pop().unwrap().account.unwrap_err();
        assert_eq!(all.len(), 2, "{all:?}");
    }
}
