//! A runbook as a page for paper: what to do on the left, and on the right boxes for the time
//! and the initials of whoever did it and whoever saw it.

use std::fmt::Write as _;

use pulldown_cmark::{Event, LinkType, Tag, TagEnd, html::push_html};

use super::words::{asked, scope, ways};
use crate::cli::html::{document, escaped};
use crate::record::{Digest, DrillScope, WITNESS};
use crate::runbook::{Runbook, Step, Task, markdown};

/// How the page looks. Paper is black and white, and A4 or Letter.
const STYLE: &str = include_str!("page.css");

/// Makes the page.
pub fn page(runbook: &Runbook, sha256: &Digest) -> String {
    let title = runbook.title.to_string();
    let mut html = format!(
        "<header>\n<h1>{}</h1>\n<p>{}.</p>\n<p>For {}.</p>\n</header>\n",
        escaped(&title),
        escaped(&runbook.about.to_string()),
        escaped(&scope(runbook)),
    );
    html.push_str(&heads(runbook));
    html.push_str("<main>\n");
    html.push_str(&rendered(&runbook.introduction));
    html.push_str("<ol class=\"steps\">\n");
    for (place, step) in runbook.steps.iter().enumerate() {
        html.push_str(&step_html(place, step, runbook.steps.len()));
    }
    html.push_str("</ol>\n</main>\n");
    html.push_str(&foot(runbook, sha256));
    document(&title, STYLE, &html)
}

/// What is filled in before the first step: what it is done for, when, and by whom.
fn heads(runbook: &Runbook) -> String {
    let blank =
        |label: &str| format!("<div class=\"blank\"><span>{}</span></div>\n", escaped(label));
    let mut html = "<section class=\"heads\" aria-label=\"To be filled in\">\n".to_owned();
    match runbook.accounts {
        DrillScope::None => {}
        DrillScope::One => html.push_str(&blank("account")),
        DrillScope::Many => html.push_str(&blank("accounts")),
    }
    for label in ["drill", "date", "begun at", "ended at"] {
        html.push_str(&blank(label));
    }
    for role in &runbook.roles {
        let optional = if role.optional { ", if there is one" } else { "" };
        html.push_str(&blank(&format!("{} ({}{optional})", role.id, role.does)));
    }
    html.push_str("</section>\n");
    html
}

fn step_html(place: usize, step: &Step, steps: usize) -> String {
    let number = place + 1;
    let minutes = step.minutes.map(|minutes| format!(", {minutes} min")).unwrap_or_default();
    let mut html = format!(
        "<li id=\"step-{number}\">\n<div class=\"what\">\n\
         <h2>{number}. {}</h2>\n<p class=\"by\">{}{minutes}</p>\n",
        escaped(&step.title.to_string()),
        escaped(step.by.as_str()),
    );
    html.push_str(&rendered(&step.prose));
    if let Some(expect) = &step.expect {
        let _ =
            writeln!(html, "<p class=\"expect\">Expected: {}</p>", escaped(&expect.to_string()));
    }
    let way = |way: &String| format!("<p class=\"way\">{}</p>\n", escaped(way));
    match &step.task {
        Task::Decide { .. } => {
            html.push_str("<ul class=\"choices\">\n");
            for way in ways(place, step, steps) {
                let _ = writeln!(html, "<li><span class=\"box\"></span>{}</li>", escaped(&way));
            }
            html.push_str("</ul>\n");
        }
        Task::Record { asks } => {
            for asked in asks {
                let asked = escaped(&asked.to_string());
                let _ = writeln!(html, "<div class=\"blank wide\"><span>{asked}</span></div>");
            }
            html.extend(ways(place, step, steps).iter().map(way));
        }
        task => {
            if !matches!(task, Task::Confirm) {
                let _ = writeln!(html, "<p class=\"asked\">{}</p>", escaped(&asked(task)));
            }
            html.extend(ways(place, step, steps).iter().map(way));
        }
    }
    html.push_str("</div>\n<div class=\"boxes\" aria-label=\"To be filled in\">\n");
    if !matches!(step.task, Task::Decide { .. } | Task::Record { .. }) {
        let mark = |label| format!("<span><span class=\"box\"></span>{label}</span>\n");
        let _ = write!(html, "<div class=\"marks\">\n{}{}</div>\n", mark("done"), mark("not done"));
    }
    html.push_str("<div class=\"field\"><span>time</span></div>\n");
    for label in [step.by.as_str(), WITNESS] {
        let label = escaped(label);
        let _ = writeln!(html, "<div class=\"field\"><span>{label}</span></div>");
        if step.by.as_str() == WITNESS {
            break;
        }
    }
    html.push_str("</div>\n</li>\n");
    html
}

/// What was not as it should be, and where all this comes from.
fn foot(runbook: &Runbook, sha256: &Digest) -> String {
    let mut html = "<section class=\"rest\">\n<h2>What was not as it should be</h2>\n\
                    <p>Step, time, what happened, what was done about it, who approved.</p>\n"
        .to_owned();
    html.push_str(&"<div class=\"line\"></div>\n".repeat(5));
    html.push_str("<h2>Signatures</h2>\n<div class=\"heads\">\n");
    for role in &runbook.roles {
        let id = escaped(role.id.as_str());
        let _ = writeln!(html, "<div class=\"blank\"><span>{id}</span></div>");
    }
    html.push_str("</div>\n</section>\n<footer>\n");
    if !runbook.sources.is_empty() {
        let day = runbook.read_on.map(|day| format!(", read on {day}")).unwrap_or_default();
        let _ = write!(html, "<p>Rests on{day}:</p>\n<ul>\n");
        for source in &runbook.sources {
            let _ = writeln!(html, "<li>{}</li>", escaped(&source.to_string()));
        }
        html.push_str("</ul>\n");
    }
    let _ = writeln!(
        html,
        "<p>Runbook {}, version {}, SHA-256 <code>{sha256}</code>. What is written here is no \
         record until it is in the vault.</p>\n</footer>",
        escaped(runbook.id.as_str()),
        runbook.version,
    );
    html
}

/// Markdown as HTML. A runbook that was read has no HTML of its own; it would be shown as text.
/// The address of a link stands behind its words: nobody clicks on paper.
fn rendered(text: &str) -> String {
    let mut html = String::new();
    let mut address: Option<String> = None;
    let inert = markdown(text).flat_map(|event| {
        let event = match event {
            Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
            other => other,
        };
        let mut behind = None;
        match &event {
            Event::Start(Tag::Link { link_type: LinkType::Inline, dest_url, .. }) => {
                address = Some(dest_url.to_string());
            }
            Event::End(TagEnd::Link) => {
                behind = address.take().map(|to| Event::Text(format!(" <{to}>").into()));
            }
            _ => {}
        }
        std::iter::once(event).chain(behind)
    });
    push_html(&mut html, inert);
    html
}
