//! The page of a large vault. Where LARGE_PAGE names a file, it is written there, for a browser.
#![expect(clippy::disallowed_methods, reason = "a page is written for a browser to judge")]

use chrono::{Days, NaiveDate};

use super::at::At;
use super::controls::controls;
use super::html::page;
use super::record::SignedView;
use super::view::{EntryView, KeyView, KindView, OwedView, ReportView, SlotView, StateView};
use crate::audit::{Evidence, Verdicts};
use crate::cli::log::{Counts, in_words};
use crate::cli::output::HeadView;
use crate::cli::status::{AccountView, Verdict};
use crate::log::Head;
use crate::record::Hex;

/// As many accounts, and as many entries.
const MANY: u64 = 10_000;
/// As many keys.
const KEYS: u64 = 300;

fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 1, 1).unwrap().checked_add_days(Days::new(number)).unwrap()
}

/// A vault that was used for years by many.
fn large() -> ReportView {
    let head = Head { number: MANY, ..Head::empty(Hex([7; 16])) };
    let links = [head.link];
    let verdicts = Verdicts::of(&Evidence {
        sound: MANY,
        withheld: 0,
        fault: None,
        is_closed: false,
        is_damaged: false,
        links: &links,
        is_whole: true,
        anchors: &[],
        coverage: None,
    });
    let counts =
        Counts { entries: MANY, signatures: 2 * MANY, events: 20_000, ..Counts::default() };
    let at = |number: u64| At { entry: 1 + number % MANY, day: day(number / 10) };
    let slot = |number: u32, from: u64| SlotView {
        number,
        opened: day(from),
        due: day(from + 90),
        fate: ["done", "late", "missed", "open"][number as usize % 4],
        on: Some(day(from + 80)),
        entry: Some(1 + from % MANY),
    };
    let owed = |number: u64| OwedView {
        obligation: format!("mailbox account-{number}"),
        kind: "mailbox",
        title: format!("Try the root mailbox of account-{number}"),
        accounts: vec![format!("account-{number}")],
        people: vec!["alice".to_owned(), "bob".to_owned()],
        standing: "later",
        due: Some(day(1000)),
        last_done: Some(at(number)),
        left_out: 0,
        slots: (1..6).map(|time| slot(time, u64::from(time) * 90)).collect(),
    };
    let key = |number: u64| KeyView {
        key: format!("custodian-{number}/primary"),
        holder: Some(format!("custodian-{number}")),
        states: vec![
            StateView { state: "active", since: at(number) },
            StateView { state: "suspended", since: at(5000 + number) },
        ],
        signed: (0..40).map(|time| at(number + time * 200)).collect(),
    };
    let map = controls(|_| Some(1)).unwrap();
    ReportView {
        vault: head.vault.to_string(),
        name: Some("A large vault".to_owned()),
        demo: false,
        succeeds: None,
        made: "2026-11-28T12:00:00Z".to_owned(),
        tool: "keymuster test".to_owned(),
        from: None,
        to: None,
        head: HeadView::from(&head),
        fingerprint: Some(head.link.to_string()),
        verdicts: (&verdicts).into(),
        verdicts_in_words: in_words(&verdicts, &counts).into(),
        counts,
        fault: None,
        damage: Vec::new(),
        kinds: vec![KindView {
            kind: "mailbox",
            obligations: 10_000,
            overdue: 0,
            early: 0,
            done: 10_000,
            late: 10_000,
            missed: 10_000,
            waived: 0,
            ended: 0,
            open: 20_000,
        }],
        population: (0..MANY).map(owed).collect(),
        drills: Vec::new(),
        custodians: Vec::new(),
        readers: Vec::new(),
        signed: SignedView { two_since: Some(2), by_several: 10_000, alone: Vec::new() },
        policy: Vec::new(),
        accounts: Vec::new(),
        keys: (0..KEYS).map(key).collect(),
        ways: (0..MANY)
            .map(|number| AccountView {
                account: format!("account-{number}"),
                ways: 2,
                ways_proven: 1,
                last_proven: Some(day(900)),
                verdict: Verdict::OneLoss,
                lost_with: vec!["bob".to_owned()],
            })
            .collect(),
        findings: Vec::new(),
        actions: Vec::new(),
        control_map_version: map.version,
        control_map_dated: map.dated,
        frameworks: map.frameworks,
        controls: map.controls,
        entries: (1..=MANY)
            .map(|number| EntryView {
                number,
                time: format!("{}T12:00:00Z", day(number / 10)),
                signers: vec!["alice/primary".to_owned(), "bob/primary".to_owned()],
                tells: vec![format!("The mailbox of account-{number} was tried, and passed.")],
            })
            .collect(),
    }
}

#[test]
fn a_page_of_ten_thousand_entries_is_cut_into_parts_and_stays_small() {
    let page = page(&large());
    let (rows, parts) = (page.matches("<tr>").count(), page.matches("<tbody>").count());
    assert!(rows > 30_000, "{rows}");
    assert!(rows / parts <= 101, "{rows} rows in {parts} parts");
    let size = page.len() >> 20;
    assert!(size < 16, "{size} MiB");
    assert!(page.contains("id=\"entry-10000\""));
    if let Some(file) = std::env::var_os("LARGE_PAGE") {
        std::fs::write(file, page).unwrap();
    }
}

#[test]
fn what_is_left_out_is_told() {
    let mut view = large();
    view.population.truncate(3);
    assert!(page(&view).contains("All of it is told, whatever became of it."));
    view.population[1].left_out = 7;
    view.population[2].left_out = 3;
    let told = "of 2 things the oldest 10 times are left out";
    assert!(page(&view).contains(told), "{told}");
}
