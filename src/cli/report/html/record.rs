//! People, keys and accounts.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::super::picture::picture;
use super::super::view::ReportView;
use super::{at, lines, listed, or_dash, table};
use crate::cli::html::escaped;
use crate::cli::output::count;

pub fn custodians(view: &ReportView) -> String {
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
    let headings = ["Custodian", "Name", "Joined", "Acknowledged duties", "Left"];
    let custodians = table("Custodians", &headings, &rows);
    let row = |it: &crate::cli::report::view::ReaderView| vec![escaped(&it.reader), at(&it.added)];
    let readers: Vec<Vec<String>> = view.readers.iter().map(row).collect();
    let readers = table("Readers", &["Reader", "Since"], &readers);
    format!("{custodians}<h3>Who else reads the log</h3>\n{readers}")
}

pub fn keys(view: &ReportView) -> String {
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

pub fn accounts(view: &ReportView) -> String {
    let rows: Vec<Vec<String>> = view
        .accounts
        .iter()
        .map(|it| {
            let id = format!("{} {}", it.provider, it.id);
            vec![
                lines(&[vec![it.account.clone(), id], it.name.iter().cloned().collect()].concat()),
                if it.root_credentials { "yes" } else { "no" }.to_owned(),
                or_dash(it.root_email.as_ref(), |it| escaped(it)),
                listed(&it.mailbox_readers),
                or_dash(it.root_phone.as_ref(), |it| escaped(it)),
                listed(&it.phone_answerers),
                lines(&it.devices),
                or_dash(it.password_place.as_ref(), |it| escaped(it)),
                lines(&it.contacts),
            ]
        })
        .collect();
    let headings = [
        "Account",
        "Root credentials",
        "Root address",
        "Read by",
        "Root telephone",
        "Answered by",
        "MFA devices",
        "Password is kept",
        "Contacts",
    ];
    table("Accounts", &headings, &rows)
}

pub fn ways(view: &ReportView) -> String {
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
