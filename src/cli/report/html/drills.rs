//! Drills, step by step.

use std::fmt::Write as _;

use super::super::happened::{DrillView, StepView};
use super::super::view::ReportView;
use super::{at, entry, listed, or_dash, table};
use crate::cli::html::escaped;
use crate::cli::words::duration;

pub fn drills(view: &ReportView) -> String {
    if view.drills.is_empty() {
        return "<p>None.</p>\n".to_owned();
    }
    view.drills.iter().map(drill).collect()
}

fn drill(drill: &DrillView) -> String {
    let row = |name: &str, text: String| format!("<dt>{name}</dt><dd>{text}</dd>\n");
    let outcome = drill.outcome.map_or_else(|| "under way".to_owned(), str::to_owned);
    let mut html = format!(
        "<article class=\"drill\">\n<h3>{}: {}</h3>\n<dl>\n",
        escaped(&drill.drill),
        escaped(&outcome)
    );
    let spent = match (drill.seconds, drill.target_minutes) {
        (Some(seconds), Some(target)) => format!("{}; target {target} min", duration(seconds)),
        (Some(seconds), None) => duration(seconds),
        _ => "–".to_owned(),
    };
    for (name, text) in [
        (
            "Runbook",
            escaped(&format!("{}, version {}, {}", drill.runbook, drill.version, drill.purpose)),
        ),
        ("Objective", escaped(&drill.objective)),
        ("Accounts", listed(&drill.accounts)),
        ("People", listed(&drill.roster)),
        ("Began", at(&drill.began)),
        ("Ended", or_dash(drill.ended.as_ref(), at)),
        ("Took", escaped(&spent)),
        ("Signed out", or_dash(drill.signed_out, str::to_owned)),
        ("Alarm received", or_dash(drill.alarm_received, str::to_owned)),
        ("Renewed or sealed again", or_dash(drill.credentials_renewed, str::to_owned)),
        ("Interruptions", drill.interruptions.to_string()),
        ("Review", review(drill)),
    ] {
        html.push_str(&row(name, text));
    }
    if let Some(reason) = &drill.reason {
        html.push_str(&row("Given up because", escaped(reason)));
    }
    html.push_str("</dl>\n");
    let steps: Vec<Vec<String>> = drill.steps.iter().map(step).collect();
    let what = format!("Steps of {}", drill.drill);
    let headings = [
        "Step",
        "By",
        "Witness",
        "Began",
        "Took",
        "Result",
        "Expected",
        "Observed, asked and shown",
    ];
    if !steps.is_empty() {
        html.push_str(&table(&what, &headings, &steps));
    }
    let mut list = |heading: &str, items: Vec<String>| {
        if !items.is_empty() {
            let items: String = items.iter().map(|it| format!("<li>{it}</li>\n")).collect();
            let _ = write!(html, "<p>{heading}:</p>\n<ul>\n{items}</ul>\n");
        }
    };
    let exceptions = drill.exceptions.iter().map(|it| {
        let action = it.action.as_ref().map_or(String::new(), |action| format!("; {action}"));
        let approver =
            it.approver.as_ref().map_or(String::new(), |who| format!(", approved by {who}"));
        escaped(&format!("{}: {}{action}{approver}", it.at, it.message))
    });
    list("Exceptions", exceptions.collect());
    list("Findings", drill.findings.iter().map(|it| escaped(it)).collect());
    list("Corrective actions", drill.actions.iter().map(|it| escaped(it)).collect());
    let kept = drill.evidence.iter().map(|it| {
        let told = escaped(&format!("{}: {}, {} bytes, SHA-256 ", it.shows, it.name, it.bytes));
        format!("{told}<code>{}</code>", it.sha256)
    });
    list("Evidence", kept.collect());
    html.push_str("</article>\n");
    html
}

fn review(drill: &DrillView) -> String {
    match &drill.review {
        Some(review) => format!(
            "{} by {}, {}: {}",
            review.outcome,
            escaped(&review.reviewer),
            at(&review.at),
            escaped(&review.remark)
        ),
        None if drill.awaits_review => "<span class=\"due\">awaited</span>".to_owned(),
        None => "–".to_owned(),
    }
}

fn step(step: &StepView) -> Vec<String> {
    vec![
        escaped(&format!("{}. {}", step.visit, step.title)),
        escaped(&step.person),
        or_dash(step.witness.as_ref(), |it| escaped(it)),
        escaped(&step.begun),
        duration(step.seconds),
        escaped(step.result),
        or_dash(step.expected.as_ref(), |it| escaped(it)),
        shown(step),
    ]
}

/// What came of a step.
fn shown(step: &StepView) -> String {
    let mut all: Vec<String> = step.observed.iter().map(|it| escaped(it)).collect();
    all.extend(step.choice.iter().map(|it| escaped(&format!("chosen: {it}"))));
    all.extend(step.answered.iter().map(|it| escaped(it)));
    if !step.keys.is_empty() {
        all.push(escaped(&format!("keys shown: {}", step.keys.join(", "))));
    }
    let opened = step.opened.iter().map(|it| match step.receipt {
        Some(receipt) => format!("opened {}, receipt in {}", escaped(it), entry(receipt)),
        None => format!("opened {}", escaped(it)),
    });
    all.extend(opened);
    if all.is_empty() { "–".to_owned() } else { all.join("<br>") }
}
