//! The tables of a report, for spreadsheets.

use csv::{QuoteStyle, Writer, WriterBuilder};

use super::view::ReportView;
use crate::cli::exit;
use crate::cli::failure::Failure;

/// Each time that something was to be done, and what became of it.
pub fn population(view: &ReportView) -> Result<Vec<u8>, Failure> {
    let mut table = Table::new(&[
        "obligation",
        "kind",
        "title",
        "accounts",
        "people",
        "number",
        "opened",
        "due",
        "fate",
        "on",
        "entry",
        "last_done",
        "last_entry",
    ])?;
    for owed in &view.population {
        for slot in &owed.slots {
            table.row(&[
                owed.obligation.clone(),
                owed.kind.to_owned(),
                owed.title.clone(),
                owed.accounts.join(" "),
                owed.people.join(" "),
                slot.number.to_string(),
                slot.opened.to_string(),
                slot.due.to_string(),
                slot.fate.to_owned(),
                slot.on.map(|on| on.to_string()).unwrap_or_default(),
                slot.entry.map(|entry| entry.to_string()).unwrap_or_default(),
                owed.last_done.map(|at| at.day.to_string()).unwrap_or_default(),
                owed.last_done.map(|at| at.entry.to_string()).unwrap_or_default(),
            ])?;
        }
    }
    table.bytes()
}

/// What people should look at, and the corrective actions.
pub fn findings(view: &ReportView) -> Result<Vec<u8>, Failure> {
    let mut table =
        Table::new(&["entry", "source", "kind", "text", "owner", "due", "closed", "result"])?;
    for finding in &view.findings {
        let none = String::new();
        table.row(&[
            finding.entry.to_string(),
            finding.source.clone(),
            finding.kind.to_owned(),
            finding.text.clone(),
            none.clone(),
            none.clone(),
            none.clone(),
            none,
        ])?;
    }
    for action in &view.actions {
        table.row(&[
            action.opened.entry.to_string(),
            action.action.clone(),
            "action".to_owned(),
            action.title.clone(),
            action.owner.clone(),
            action.due.to_string(),
            action.closed.map(|closed| closed.day.to_string()).unwrap_or_default(),
            action.result.clone().unwrap_or_default(),
        ])?;
    }
    table.bytes()
}

/// A table under way.
struct Table(Writer<Vec<u8>>);

impl Table {
    fn new(headings: &[&str]) -> Result<Self, Failure> {
        // In quotes, a semicolon parts no cells either.
        let quoting = WriterBuilder::new().quote_style(QuoteStyle::Always).from_writer(Vec::new());
        let mut table = Self(quoting);
        table.row(&headings.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())?;
        Ok(table)
    }

    fn row(&mut self, cells: &[String]) -> Result<(), Failure> {
        self.0.write_record(cells.iter().map(|cell| defused(cell))).map_err(failed)
    }

    fn bytes(self) -> Result<Vec<u8>, Failure> {
        self.0.into_inner().map_err(|error| failed(error.into_error()))
    }
}

fn failed(error: impl std::error::Error + 'static) -> Failure {
    Failure::because(exit::FAILED, "couldn't make a table of the report", &error)
}

/// A cell that no spreadsheet takes for a formula.
fn defused(cell: &str) -> String {
    match cell.chars().next() {
        // The wide ones are taken for the others where people write Chinese or Japanese.
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\t' | '\r') => {
            format!("'{cell}")
        }
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", "＋1", "－1", "＠x", "\tx", "\rx"] {
            assert_eq!(defused(cell), format!("'{cell}"));
        }
        assert_eq!(defused("a=1"), "a=1");
        let mut table = Table::new(&["a", "b"]).unwrap();
        table.row(&["=x".to_owned(), "say \"hi\", twice".to_owned()]).unwrap();
        let text = String::from_utf8(table.bytes().unwrap()).unwrap();
        assert_eq!(text, "\"a\",\"b\"\n\"'=x\",\"say \"\"hi\"\", twice\"\n");
    }
}
