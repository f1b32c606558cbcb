//! The log as a whole: the verdicts, what they are about, who signed, and its entries.

use std::fmt::Write as _;

use super::super::view::ReportView;
use super::{at, entry, lines, or_dash, period, table};
use crate::cli::html::escaped;
use crate::cli::output::count;

pub fn verdicts(view: &ReportView) -> String {
    let rows: Vec<Vec<String>> = view
        .verdicts_in_words
        .iter()
        .map(|it| {
            let class = match it.word {
                "YES" | "ANCHORED" => "yes",
                "NO" | "CONTRADICTED" => "no",
                _ => "open-word",
            };
            vec![
                it.name.to_owned(),
                format!("<span class=\"{class}\">{}</span>", it.word),
                escaped(&it.evidence),
            ]
        })
        .collect();
    let mut html = table("Verdicts", &["Verdict", "Answer", "What it rests on"], &rows);
    let _ = writeln!(
        html,
        "<p>The log ends with entry {}, head <code>{}</code>. Compare it with a head that somebody kept \
         elsewhere.</p>",
        view.head.number, view.head.link
    );
    for damage in &view.damage {
        let _ = writeln!(html, "<p class=\"warning\">Damaged: {}</p>", escaped(damage));
    }
    html
}

/// How much of what was due is told.
fn how_much(view: &ReportView) -> String {
    let lacking = view.population.iter().filter(|owed| owed.left_out > 0);
    let (things, times) =
        lacking.fold((0, 0_u64), |(n, sum), owed| (n + 1, sum + u64::from(owed.left_out)));
    match things {
        0 => "All of it is told".to_owned(),
        _ => format!(
            "<strong>Not all of it is told</strong>: of {} the oldest {times} times are left out, which \
             stand in the log and not here. The rest is",
            count(things, "thing", "things")
        ),
    }
}

pub fn scope(view: &ReportView) -> String {
    let counts = &view.counts;
    let row = |name: &str, text: String| format!("<dt>{name}</dt><dd>{text}</dd>\n");
    format!(
        "<dl>\n{}{}{}{}{}{}{}</dl>\n\
         <p>All of this is the replay of a log that security keys signed, one touch for each signature. \
         No other file is trusted for it. What was due is computed from policy and the log, each time judged \
         by the policy then in force; an entry counts on the earliest day of its own time, of all later \
         entries' times, and of today. {}, whatever became of it.</p>\n\
         <p>What this doesn't show: that what was signed is true, that a key is hardware, and that nobody \
         used a root user without an entry.</p>\n",
        row("Vault", format!("<code>{}</code>", escaped(&view.vault))),
        row(
            "Fingerprint",
            or_dash(view.fingerprint.as_ref(), |it| format!("<code>{}</code>", escaped(it)))
        ),
        view.succeeds
            .as_ref()
            .map_or(String::new(), |it| { row("In place of the vault", escaped(&it.sentence())) }),
        row("Period", escaped(&period(view))),
        row("Entries", counts.entries.to_string()),
        row("Signatures", counts.signatures.to_string()),
        row("Made by", escaped(&view.tool)),
        how_much(view),
    )
}

pub fn signatures(view: &ReportView) -> String {
    let signed = &view.signed;
    let since = match signed.two_since {
        Some(number) => format!(
            "From entry {number} on, two different custodians sign what needs two; before that one did, since \
             there was one."
        ),
        None => "There is one custodian with a key, who signs alone.".to_owned(),
    };
    let rows: Vec<Vec<String>> = signed
        .alone
        .iter()
        .map(|it| vec![at(&it.at), escaped(&it.custodian), lines(&it.tells)])
        .collect();
    format!(
        "<p>{since} {} were signed by several. What one may sign alone is in rules/log-format.md of a \
         bundle.</p>\n<h3>Signed by one alone since then</h3>\n{}",
        count(signed.by_several, "entry", "entries"),
        table("Signed by one alone", &["Entry", "By", "What it tells"], &rows)
    )
}

pub fn policy(view: &ReportView) -> String {
    let row = |it: &crate::cli::report::record::RuleView| {
        vec![escaped(it.rule), escaped(&it.value), at(&it.since)]
    };
    let rows: Vec<Vec<String>> = view.policy.iter().map(row).collect();
    table("Rules in force", &["Rule", "Value", "Since"], &rows)
}

pub fn findings(view: &ReportView) -> String {
    let rows: Vec<Vec<String>> = view
        .findings
        .iter()
        .map(|it| vec![entry(it.entry), escaped(&it.source), it.kind.to_owned(), escaped(&it.text)])
        .collect();
    table("Findings", &["Entry", "From", "Kind", "What"], &rows)
}

pub fn actions(view: &ReportView) -> String {
    let rows: Vec<Vec<String>> = view
        .actions
        .iter()
        .map(|it| {
            let due = it.due.to_string();
            vec![
                escaped(&it.title),
                escaped(&it.owner),
                at(&it.opened),
                if it.late { format!("<span class=\"overdue\">{due}, late</span>") } else { due },
                or_dash(it.closed.as_ref(), at),
                or_dash(it.result.as_ref(), |it| escaped(it)),
            ]
        })
        .collect();
    table("Corrective actions", &["What", "Owner", "Opened", "Due", "Closed", "Result"], &rows)
}

pub fn log(view: &ReportView) -> String {
    let rows: Vec<Vec<String>> = view
        .entries
        .iter()
        .map(|it| {
            let tells: Vec<String> = it.tells.iter().map(|text| escaped(text)).collect();
            vec![
                format!("<span id=\"entry-{0}\">{0}</span>", it.number),
                escaped(&it.time),
                escaped(&it.signers.join(", ")),
                tells.join("<br>"),
            ]
        })
        .collect();
    format!(
        "<section id=\"log\" aria-labelledby=\"log-heading\">\n<h2 id=\"log-heading\">The log</h2>\n{}</section>\n",
        table("The log", &["Entry", "Time", "Signed by", "What it tells"], &rows)
    )
}
