//! What was due, and what became of it.

use super::super::view::ReportView;
use super::super::view::{OwedView, SlotView};
use super::{at, entry, fate, listed, or_dash, table};
use crate::cli::html::escaped;

pub fn population(view: &ReportView) -> String {
    if view.fault.is_some() {
        return "<p>Not judged: the log is faulty.</p>\n".to_owned();
    }
    let rows: Vec<Vec<String>> = view
        .kinds
        .iter()
        .map(|kind| {
            let each = [
                kind.obligations,
                kind.early,
                kind.done,
                kind.late,
                kind.missed,
                kind.waived,
                kind.ended,
                kind.open,
                kind.overdue,
            ];
            let mut row = vec![kind.kind.to_owned()];
            row.extend(each.map(|many| many.to_string()));
            row
        })
        .collect();
    let headings = [
        "Kind",
        "Things",
        "Early",
        "Done",
        "Late",
        "Missed",
        "Waived",
        "Ended",
        "Open",
        "Overdue now",
    ];
    let mut html = String::from("<h3>By kind</h3>\n");
    html.push_str(&table("What was due, by kind", &headings, &rows));
    let is_bad = |slot: &&SlotView| ["late", "missed", "waived"].contains(&slot.fate);
    let bad: Vec<Vec<String>> = view
        .population
        .iter()
        .flat_map(|owed| owed.slots.iter().filter(is_bad).map(move |slot| exception(owed, slot)))
        .collect();
    html.push_str("<h3>Late, missed and waived</h3>\n");
    html.push_str(&table("Late, missed and waived", &["What", "Due", "Fate", "When"], &bad));
    html.push_str(
        "<h3>All of it</h3>\n<p class=\"note\">A time is early, done, late, missed or waived by what became of it; \
         ended, if it had not to be done any more; open, if it is still to come. What is done in the first half \
         of a time puts it off and fills none: it stands under Last done. A thing is later, due, late, overdue \
         or waived as it stands today, and over if it need not be done any more. population.csv has a line for \
         each time.</p>\n",
    );
    let all: Vec<Vec<String>> = view.population.iter().map(owed).collect();
    let headings = ["What", "Who", "Stands", "Due", "Last done", "Each time"];
    html.push_str(&table("All that was due", &headings, &all));
    html
}

fn exception(owed: &OwedView, slot: &SlotView) -> Vec<String> {
    vec![
        escaped(&owed.title),
        slot.due.to_string(),
        fate(slot.fate),
        match (slot.on, slot.entry) {
            (Some(on), Some(number)) => format!("{on}, {}", entry(number)),
            (Some(on), None) => format!("until {on}"),
            _ => "–".to_owned(),
        },
    ]
}

fn owed(owed: &OwedView) -> Vec<String> {
    let times: Vec<String> = owed
        .slots
        .iter()
        .map(|slot| match slot.entry {
            Some(number) => format!(
                "{} {} (<a href=\"#entry-{number}\">{number}</a>)",
                slot.due,
                fate(slot.fate)
            ),
            None => format!("{} {}", slot.due, fate(slot.fate)),
        })
        .collect();
    vec![
        escaped(&owed.title),
        listed(&owed.people),
        fate(owed.standing),
        or_dash(owed.due, |due| due.to_string()),
        or_dash(owed.last_done.as_ref(), at),
        times.join("; "),
    ]
}
