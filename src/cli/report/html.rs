//! The page: it stands for itself, needs no script, and asks nobody for anything.
//!
//! Each fact leads to the entry that tells it, at the end of the page. Long tables are cut into parts of
//! some rows, which browsers lay out only when they are looked at.

mod controls;
mod drills;
mod due;
mod record;
mod verdicts;

use std::fmt::Write as _;

use super::at::At;
use super::view::ReportView;
use crate::cli::html::{document, escaped};

/// How the page looks.
const STYLE: &str = include_str!("report.css");
/// How many rows of a table are laid out at once.
const CHUNK: usize = 100;

/// A section: its id, its heading, and what makes it.
type Section = (&'static str, &'static str, fn(&ReportView) -> String);

/// The sections of the page, in their order.
const SECTIONS: [Section; 13] = [
    ("verdicts", "Verdicts", verdicts::verdicts),
    ("scope", "Scope, and how this was made", verdicts::scope),
    ("signatures", "Two signatures", verdicts::signatures),
    ("policy", "Rules in force", verdicts::policy),
    ("population", "What was due", due::population),
    ("drills", "Drills", drills::drills),
    ("findings", "Findings and exceptions", verdicts::findings),
    ("actions", "Corrective actions", verdicts::actions),
    ("custodians", "Custodians", record::custodians),
    ("keys", "Keys", record::keys),
    ("accounts", "Accounts", record::accounts),
    ("ways", "Ways into root users", record::ways),
    ("controls", "Controls", controls::controls),
];

/// Makes the page.
pub fn page(view: &ReportView) -> String {
    let name = view.name.as_deref().unwrap_or("a vault without a name");
    let mut html = heads(view, name);
    html.push_str("<main id=\"main\">\n");
    for (id, heading, part) in SECTIONS {
        let _ = write!(
            html,
            "<section id=\"{id}\" aria-labelledby=\"{id}-heading\">\n<h2 id=\"{id}-heading\">{heading}</h2>\n{}\
             </section>\n",
            part(view)
        );
    }
    html.push_str(&verdicts::log(view));
    html.push_str("</main>\n");
    let _ = writeln!(
        html,
        "<footer><p class=\"note\">Made by {} at {}. keymuster log export writes what is needed to verify \
         this without it.</p></footer>",
        escaped(&view.tool),
        escaped(&view.made)
    );
    document(&format!("{name}: report for auditors"), STYLE, &html)
}

fn heads(view: &ReportView, name: &str) -> String {
    let mut html = format!(
        "<a class=\"skip\" href=\"#main\">To the verdicts</a>\n<header>\n<h1>{}: report for auditors</h1>\n\
         <p>{}, made {}</p>\n",
        escaped(name),
        escaped(&period(view)),
        escaped(&view.made)
    );
    if view.demo {
        html.push_str(
            "<p class=\"warning\">This is a demo vault: its keys are software and prove nothing.</p>\n",
        );
    }
    if let Some(fault) = &view.fault {
        let _ = writeln!(
            html,
            "<p class=\"warning\">The log is faulty: {}. What follows is as of entry {}, the last sound \
             one.</p>",
            escaped(fault),
            view.head.number
        );
    }
    html.push_str("<nav aria-label=\"Sections\"><ul>\n");
    let sections = SECTIONS.into_iter().map(|(id, heading, _)| (id, heading));
    for (id, heading) in sections.chain([("log", "The log")]) {
        let _ = writeln!(html, "<li><a href=\"#{id}\">{heading}</a></li>");
    }
    html.push_str("</ul></nav>\n</header>\n");
    html
}

fn period(view: &ReportView) -> String {
    match (view.from, view.to) {
        (None, None) => "The whole log".to_owned(),
        (Some(from), Some(to)) => format!("What was due from {from} to {to}"),
        (None, Some(to)) => format!("What was due until {to}"),
        (Some(from), None) => format!("What was due since {from}"),
    }
}

/// A link to an entry.
fn entry(number: u64) -> String {
    format!("<a href=\"#entry-{number}\">entry {number}</a>")
}

fn at(at: &At) -> String {
    format!("{}, {}", at.day, entry(at.entry))
}

fn or_dash<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), show)
}

/// Names with commas between them.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "–".to_owned() } else { escaped(&names.join(", ")) }
}

/// Each text, on a line of its own.
fn lines(all: &[String]) -> String {
    if all.is_empty() {
        return "–".to_owned();
    }
    all.iter().map(|text| escaped(text)).collect::<Vec<_>>().join("<br>")
}

/// A table whose rows are HTML, in parts. The first cell of a row says what it is about.
fn table(what: &str, headings: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return "<p>None.</p>\n".to_owned();
    }
    let heads: String = headings.iter().map(|it| format!("<th scope=\"col\">{it}</th>")).collect();
    let mut html = String::new();
    let parts = rows.len().div_ceil(CHUNK);
    for (part, chunk) in rows.chunks(CHUNK).enumerate() {
        let name = match parts {
            1 => format!("Table: {what}"),
            _ => format!("Table: {what}, part {} of {parts}", part + 1),
        };
        // A short one is always laid out: then the page doesn't jump.
        let class = if parts > 1 { "scroll chunk" } else { "scroll" };
        let _ = write!(
            html,
            "<div class=\"{class}\" role=\"region\" tabindex=\"0\" aria-label=\"{name}\">\n<table>\n\
             <thead><tr>{heads}</tr></thead>\n<tbody>\n"
        );
        for row in chunk {
            html.push_str("<tr>");
            for (place, cell) in row.iter().enumerate() {
                match place {
                    0 => {
                        let _ = write!(html, "<th scope=\"row\">{cell}</th>");
                    }
                    _ => {
                        let _ = write!(html, "<td>{cell}</td>");
                    }
                }
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n</table>\n</div>\n");
    }
    html
}

fn fate(word: &str) -> String {
    format!("<span class=\"{word}\">{word}</span>")
}
