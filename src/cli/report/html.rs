//! The page: it stands for itself, needs no script, and asks nobody for anything.
//!
//! Each fact leads to the entry that tells it, at the end of the page. Long tables are cut into parts of
//! some rows, which browsers lay out only when they are looked at.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::happened::{DrillView, StepView};
use super::picture::picture;
use super::view::{At, OwedView, ReportView, SlotView};
use crate::cli::html::{document, escaped};
use crate::cli::output::count;
use crate::cli::words::duration;

/// How the page looks.
const STYLE: &str = include_str!("report.css");
/// How many rows of a table are laid out at once.
const CHUNK: usize = 100;

/// The sections of the page, in their order.
const SECTIONS: [(&str, &str); 10] = [
    ("verdicts", "Verdicts"),
    ("scope", "Scope, and how this was made"),
    ("population", "What was due"),
    ("drills", "Drills"),
    ("findings", "Findings and exceptions"),
    ("actions", "Corrective actions"),
    ("custodians", "Custodians"),
    ("keys", "Keys"),
    ("ways", "Ways into root users"),
    ("controls", "Controls"),
];

/// Makes the page.
pub fn page(view: &ReportView) -> String {
    let name = view.name.as_deref().unwrap_or("a vault without a name");
    let mut html = heads(view, name);
    html.push_str("<main id=\"main\">\n");
    let parts: [fn(&ReportView) -> String; 10] =
        [verdicts, scope, population, drills, findings, actions, custodians, keys, ways, controls];
    for ((id, heading), part) in SECTIONS.iter().zip(parts) {
        let _ = write!(
            html,
            "<section id=\"{id}\" aria-labelledby=\"{id}-heading\">\n<h2 id=\"{id}-heading\">{heading}</h2>\n{}\
             </section>\n",
            part(view)
        );
    }
    html.push_str(&log(view));
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
    for (id, heading) in SECTIONS.iter().chain([&("log", "The log")]) {
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
            1 => what.to_owned(),
            _ => format!("{what}, part {} of {parts}", part + 1),
        };
        let _ = write!(
            html,
            "<div class=\"scroll chunk\" role=\"region\" tabindex=\"0\" aria-label=\"{name}\">\n<table>\n\
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

fn verdicts(view: &ReportView) -> String {
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
    let mut html = table("Verdicts", &["Verdict", "", "What it rests on"], &rows);
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

fn scope(view: &ReportView) -> String {
    let counts = &view.counts;
    let row = |name: &str, text: String| format!("<dt>{name}</dt><dd>{text}</dd>\n");
    format!(
        "<dl>\n{}{}{}{}{}{}</dl>\n\
         <p>All of this is the replay of a log that security keys signed, one touch for each signature. \
         No other file is trusted for it. What was due is computed from policy and the log, each time judged \
         by the policy then in force; an entry counts on the earliest day of its own time, of all later \
         entries' times, and of today. All of it is told, whatever became of it.</p>\n\
         <p>What this doesn't show: that what was signed is true, that a key is hardware, and that nobody \
         used a root user without an entry.</p>\n",
        row("Vault", format!("<code>{}</code>", escaped(&view.vault))),
        row(
            "Fingerprint",
            or_dash(view.fingerprint.as_ref(), |it| format!("<code>{}</code>", escaped(it)))
        ),
        row("Period", escaped(&period(view))),
        row("Entries", counts.entries.to_string()),
        row("Signatures", counts.signatures.to_string()),
        row("Made by", escaped(&view.tool)),
    )
}

fn population(view: &ReportView) -> String {
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
    html.push_str(&table("Late, missed and waived", &["What", "Due", "", "When"], &bad));
    html.push_str(
        "<h3>All of it</h3>\n<p class=\"note\">population.csv has a line for each time.</p>\n",
    );
    let all: Vec<Vec<String>> = view.population.iter().map(owed).collect();
    let headings = ["What", "Who", "Stands", "Due", "Each time"];
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

fn fate(word: &str) -> String {
    format!("<span class=\"{word}\">{word}</span>")
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
        times.join("; "),
    ]
}

fn drills(view: &ReportView) -> String {
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
    let headings = ["Step", "By", "Witness", "Began", "Took", "", "Observed"];
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
        or_dash(step.observed.as_ref(), |it| escaped(it)),
    ]
}

fn findings(view: &ReportView) -> String {
    let rows: Vec<Vec<String>> = view
        .findings
        .iter()
        .map(|it| vec![entry(it.entry), escaped(&it.source), it.kind.to_owned(), escaped(&it.text)])
        .collect();
    table("Findings", &["Entry", "From", "Kind", "What"], &rows)
}

fn actions(view: &ReportView) -> String {
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

fn custodians(view: &ReportView) -> String {
    let rows: Vec<Vec<String>> = view
        .custodians
        .iter()
        .map(|it| {
            vec![
                escaped(&it.custodian),
                or_dash(it.name.as_ref(), |it| escaped(it)),
                at(&it.added),
                or_dash(it.acknowledged.as_ref(), at),
                or_dash(it.left.as_ref(), at),
            ]
        })
        .collect();
    table("Custodians", &["Custodian", "Name", "Joined", "Acknowledged duties", "Left"], &rows)
}

fn keys(view: &ReportView) -> String {
    let day = |number: usize| {
        view.entries.get(number).map(|entry| entry.time.get(..10).unwrap_or_default())
    };
    let parse = |text: Option<&str>| text.and_then(|text| text.parse::<NaiveDate>().ok());
    let made = parse(view.made.get(..10));
    let mut html = String::new();
    if let (Some(first), Some(last)) = (parse(day(0)), made) {
        let _ = write!(
            html,
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Keys over time\">\n{}</div>\n\
             <p class=\"note\">A bar: the key could sign. Another colour: it was suspended, lost, compromised \
             or retired. A stroke: it signed.</p>\n",
            picture(&view.keys, first, last.max(first))
        );
    }
    let rows: Vec<Vec<String>> = view
        .keys
        .iter()
        .map(|it| {
            let states =
                it.states.iter().map(|state| format!("{} since {}", state.state, at(&state.since)));
            vec![
                escaped(&it.key),
                or_dash(it.holder.as_ref(), |it| escaped(it)),
                states.collect::<Vec<_>>().join("; "),
                it.signed.len().to_string(),
                or_dash(it.signed.last(), at),
            ]
        })
        .collect();
    html.push_str(&table("Keys", &["Key", "Held by", "State", "Signed", "Last signed"], &rows));
    html
}

fn ways(view: &ReportView) -> String {
    let rows: Vec<Vec<String>> = view
        .ways
        .iter()
        .map(|it| {
            vec![
                escaped(&it.account),
                it.ways.to_string(),
                it.ways_proven.to_string(),
                or_dash(it.last_proven, |day| day.to_string()),
                it.verdict.words().to_owned(),
                listed(&it.lost_with),
            ]
        })
        .collect();
    let note = format!(
        "<p>By what is on record, as of today, for {}: which ways there are into the root user, which of them \
         were proven and not longer ago than policy asks for, and what single loss would leave none.</p>\n",
        count(view.ways.len(), "account", "accounts")
    );
    let headings = ["Account", "Ways", "Proven", "Last proven", "One loss", "Lost with"];
    note + &table("Ways into root users", &headings, &rows)
}

fn controls(view: &ReportView) -> String {
    let mut html = format!(
        "<p>What in this report is evidence for which control. It isn't a judgement that a control is \
         met. Version {} of the map, of {}.</p>\n",
        view.control_map_version,
        escaped(&view.control_map_dated)
    );
    for framework in &view.frameworks {
        let _ = writeln!(
            html,
            "<h3>{}</h3>\n<p class=\"note\">{}, <a href=\"{2}\">{2}</a></p>",
            escaped(&framework.name),
            escaped(&framework.edition),
            escaped(&framework.source)
        );
        let rows: Vec<Vec<String>> = view
            .controls
            .iter()
            .filter(|control| control.framework == framework.id)
            .map(|control| {
                let evidence: Vec<String> = control
                    .evidence
                    .iter()
                    .map(|it| format!("<a href=\"#{}\">{}</a>", it.section, it.called))
                    .collect();
                vec![
                    escaped(&control.control),
                    escaped(&control.asks),
                    evidence.join(", "),
                    escaped(&control.shows),
                    or_dash(control.limits.as_ref(), |it| escaped(it)),
                ]
            })
            .collect();
        let headings = ["Control", "Asks", "Evidence for it", "What that shows", "What it doesn't"];
        html.push_str(&table(&escaped(&framework.name), &headings, &rows));
    }
    html
}

fn log(view: &ReportView) -> String {
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
