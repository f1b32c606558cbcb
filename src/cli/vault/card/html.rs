//! The card as a page for paper: A4 or Letter, black on white.

use std::fmt::Write as _;

use super::accounts::AccountView;
use super::people::{CustodianView, Other};
use super::text::{ORDER, accounts_note, grouped, notes, title, without};
use super::view::CardView;
use crate::cli::html::{document, escaped};

/// How the page looks.
const STYLE: &str = include_str!("card.css");

/// How large the type is, in points, and up to how many lines of what differs from vault to
/// vault leave a page of Letter, the shorter one, a page.
const SIZES: [(u32, usize); 4] = [(12, 33), (11, 37), (10, 43), (9, 51)];
/// Where there is more than that.
const LEAST: u32 = 8;

/// How many characters go on a line of `SIZES[0]`: all of it, a half, what stands beside a
/// label in a half, the widest column of the keys and the next one.
const LINE: usize = 90;
const HALF: usize = 46;
const BESIDE: usize = 36;
const WHERE: usize = 42;
const PIN: usize = 28;

/// Makes the page.
pub fn page(card: &CardView) -> String {
    let lines = lines(card);
    let fits = SIZES.iter().find(|(_, most)| lines <= *most);
    let size = fits.map_or(LEAST, |(size, _)| *size);
    let mut html = format!("<main class=\"pt{size}\">\n{}", heads(card));
    html.push_str(&people(card));
    html.push_str(&places(card));
    html.push_str(&accounts(card));
    html.push_str(&runbooks(card));
    html.push_str(&opening(card));
    html.push_str("</main>\n");
    document(&format!("{}: card for the safe", title(card)), STYLE, &html)
}

/// About how many lines the people, the keys and the accounts take.
fn lines(card: &CardView) -> usize {
    let of = |text: &str, width: usize| textwrap::wrap(text, width).len().max(1);
    let person = |one: &CustodianView| {
        let reach: usize = one.reach().iter().map(|line| of(line, BESIDE)).sum();
        of(&format!("{} {}", one.called(), one.means()), HALF) + reach.max(1)
    };
    let account = |one: &AccountView| {
        let rows: usize = one.rows().iter().map(|(_, words)| of(words, BESIDE)).sum();
        of(&account_title(one), HALF) + rows
    };
    // Two stand side by side.
    let pairs = |each: Vec<usize>| -> usize {
        each.chunks(2).map(|pair| pair.iter().copied().max().unwrap_or(0)).sum()
    };
    let keys = card.keys.shown.iter().map(|key| {
        let bag = key.bag.as_ref().map_or(1, |bag| of(bag, PIN / 2));
        of(&key.key, PIN / 2).max(of(&key.whereabouts(), WHERE)).max(of(&key.pin(), PIN)).max(bag)
    });
    pairs(card.custodians.shown.iter().map(person).collect())
        + pairs(card.accounts.shown.iter().map(account).collect())
        + keys.sum::<usize>()
        + of(&card.others.parted("; ", Other::described), LINE)
        + card.opening.papers.shown.len().div_ceil(3)
        + [card.custodians.more, card.keys.more].iter().filter(|more| **more > 0).count()
}

/// An element with text in it.
fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// A section under a heading, with what is to be known about it beside that.
fn section(class: &str, heading: &str, note: &str, inside: &str) -> String {
    let note = if note.is_empty() { String::new() } else { format!(" {}", tag("small", note)) };
    format!(
        "<section class=\"{class}\">\n<h2>{}{note}</h2>\n{inside}</section>\n",
        escaped(heading)
    )
}

/// How many more there are, and the command that shows them.
fn more(more: usize, command: &str) -> String {
    if more == 0 {
        return String::new();
    }
    format!("<p class=\"more\">and {more} more: {}</p>\n", tag("code", command))
}

fn heads(card: &CardView) -> String {
    let demo = if card.demo { "<strong>DEMO</strong>" } else { "" };
    let mut html = format!(
        "<header>\n<h1>{}</h1>\n<p>How to get in when locked out. Printed <b>{}</b>.</p>\n{demo}\n\
         </header>\n",
        escaped(&title(card)),
        card.printed,
    );
    if let Some(succeeds) = &card.succeeds {
        let _ = writeln!(html, "<p>In place of the vault {}.</p>", escaped(succeeds));
    }
    if !card.sound {
        html.push_str(
            "<p class=\"warning\">This vault isn't sound: <code>keymuster log verify</code> tells \
             why.</p>\n",
        );
    }
    let number = card.head.number;
    let mut link = |what: &str, hex: &str| {
        let _ =
            writeln!(html, "<p class=\"links\"><b>{what}</b> <code>{}</code></p>", grouped(hex));
    };
    link(&format!("Head, entry {number}"), &card.head.link);
    if let Some(fingerprint) = &card.fingerprint {
        link("Fingerprint", fingerprint);
    }
    let _ = writeln!(
        html,
        "<p class=\"links\">Compare with <code>keymuster log head</code> (later <code>log show \
         {number} --json</code>), and with <code>keymuster vault show</code>.</p>"
    );
    html
}

fn people(card: &CardView) -> String {
    let mut inside = "<ol>\n".to_owned();
    for custodian in &card.custodians.shown {
        inside.push_str(&person(custodian));
    }
    inside.push_str("</ol>\n");
    inside.push_str(&more(card.custodians.more, "keymuster custodian list"));
    if !card.others.is_empty() {
        let others = card.others.parted("; ", Other::described);
        let _ = writeln!(inside, "<p>Besides: {}.</p>", escaped(&others));
    }
    section("people", "Whom to call, in this order", ORDER, &inside)
}

fn person(custodian: &CustodianView) -> String {
    let lines = custodian.reach();
    let means = tag("small", &custodian.means());
    let mut html = format!("<li>{} {means}\n", tag("b", &custodian.called()));
    for line in &lines {
        let _ = writeln!(html, "<p class=\"reach\">{}</p>", escaped(line));
    }
    if lines.is_empty() {
        html.push_str("<p class=\"reach\">not on record how: <span class=\"blank\"></span></p>\n");
    }
    html.push_str("</li>\n");
    html
}

fn places(card: &CardView) -> String {
    let mut inside = String::new();
    if card.keys.is_empty() {
        inside.push_str("<p>No key may sign.</p>\n");
    } else {
        let heads = ["key", "with whom, where", "bag", "PIN"].map(|head| tag("th", head));
        let _ = writeln!(inside, "<table>\n<tr>{}</tr>", heads.concat());
        for key in &card.keys.shown {
            let bag = key.bag.clone().unwrap_or_else(|| "-".to_owned());
            let cells = [key.whereabouts(), bag, key.pin()].map(|cell| tag("td", &cell));
            let _ = writeln!(inside, "<tr>{}{}</tr>", tag("th", &key.key), cells.concat());
        }
        inside.push_str("</table>\n");
    }
    inside.push_str(&more(card.keys.more, "keymuster key list"));
    let papers = &card.opening.papers;
    if !papers.is_empty() {
        inside.push_str("<div class=\"papers\">\n");
        for paper in &papers.shown {
            let name = escaped(&paper.custodian);
            let _ =
                writeln!(inside, "<span><b>{name}/paper</b><span class=\"blank\"></span></span>");
        }
        inside.push_str("</div>\n");
    }
    let without = without(&card.opening).map(|without| format!("{}\n", tag("p", &without)));
    inside.extend(without);
    let note = if papers.is_empty() { "" } else { "write in where paper copies are" };
    section("places", "Where things are", note, &inside)
}

fn accounts(card: &CardView) -> String {
    let mut inside = "<div class=\"pairs\">\n".to_owned();
    inside.extend(card.accounts.shown.iter().map(account));
    inside.push_str("</div>\n");
    if !card.central.is_empty() {
        let names = escaped(&card.central.names());
        let _ = writeln!(
            inside,
            "<p>Through their organisation, without root credentials: {names}</p>"
        );
    }
    section("accounts", "Accounts", &accounts_note(card), &inside)
}

fn account(account: &AccountView) -> String {
    let title = escaped(&account_title(account));
    let mut html =
        format!("<div>\n<h3>{} <small>{title}</small></h3>\n<dl>\n", escaped(&account.account));
    for (what, words) in account.rows() {
        let _ = writeln!(html, "<dt>{what}</dt><dd>{}</dd>", escaped(&words));
    }
    html.push_str("</dl>\n</div>\n");
    html
}

/// Which account it is, beside its name here.
fn account_title(account: &AccountView) -> String {
    let name = account.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{}{name}; {}", account.id, account.ways())
}

fn runbooks(card: &CardView) -> String {
    let mut inside = "<div class=\"pairs\">\n".to_owned();
    for one in &card.runbooks {
        let _ = writeln!(inside, "<p><b>{}</b> {}</p>", one.runbook, one.when);
    }
    inside.push_str("</div>\n");
    let note = "keymuster runbook show NAME; printed (runbook print), they lie beside this card";
    section("runbooks", "Locked out? Which runbook", note, &inside)
}

fn opening(card: &CardView) -> String {
    let heading = "Opening the vault without keymuster";
    let note = "with stock age and a paper copy, in the vault's folder";
    let Some(commands) = &card.opening.commands else {
        let inside = "<p>No paper copy opens this vault: without a key there is no way.</p>\n";
        return section("opening", heading, "", inside);
    };
    let mut inside = "<pre>".to_owned();
    for (command, comment) in commands.lines() {
        let comment = if comment.is_empty() { comment } else { format!("  # {comment}") };
        let _ = writeln!(inside, "<b>{}</b>{}", escaped(command), escaped(&comment));
    }
    let notes = notes(card, commands);
    let _ = write!(
        inside,
        "</pre>\n<p>{}</p>\n<p class=\"blanks\">A copy of the vault lies at<span class=\"blank\"></span></p>\n",
        escaped(&notes)
    );
    section("opening", heading, note, &inside)
}
