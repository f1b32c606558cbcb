//! The card as text, 80 columns wide.

use textwrap::{Options, WordSplitter};

use super::few::Few;
use super::opening::{Commands, Opening, Paper, SecretView, Without};
use super::people::Other;
use super::view::CardView;
use crate::cli::output::WIDTH;

/// The widest label in a column of them.
const LABEL: usize = 22;
/// What is filled in by hand.
const BLANK: &str = "______________________";

/// In which order people are to be called.
pub const ORDER: &str = "most keys that open the vault, then latest to sign";

/// Makes the text.
pub fn text(card: &CardView) -> String {
    let mut page = Page(String::new());
    heads(&mut page, card);
    people(&mut page, card);
    places(&mut page, card);
    accounts(&mut page, card);
    page.heading("LOCKED OUT? Read keymuster runbook show NAME; they lie printed beside this card");
    for one in &card.runbooks {
        page.row(one.runbook, 16, one.when);
    }
    opening(&mut page, card);
    page.0
}

/// A text that grows, whose lines fit.
struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    fn heading(&mut self, words: &str) {
        self.0.push('\n');
        self.words("", "  ", words);
    }

    /// Words on as many lines as they take. `first` stands before them, `rest` before the lines
    /// after the first.
    fn words(&mut self, first: &str, rest: &str, words: &str) {
        let options = Options::new(WIDTH)
            .initial_indent(first)
            .subsequent_indent(rest)
            .word_splitter(WordSplitter::NoHyphenation);
        for line in textwrap::wrap(words, options) {
            self.line(&line);
        }
    }

    /// A label, and what stands to the right of it.
    fn row(&mut self, label: &str, width: usize, words: &str) {
        let rest = " ".repeat(width + 4);
        self.words(&format!("  {label:<width$}  "), &rest, words);
    }

    /// A line for a shell, and what is to be known about it. One that is too long goes on where
    /// a shell takes that.
    fn command(&mut self, command: &str, comment: &str) {
        let comment = if comment.is_empty() { String::new() } else { format!("  # {comment}") };
        if command.len() + comment.chars().count() + 2 <= WIDTH {
            self.line(&format!("  {command}{comment}"));
        } else if let Some((first, rest)) = command.split_once(" | ") {
            self.command(&format!("{first} |"), "");
            self.line(&format!("    {rest}{comment}"));
        } else if !comment.is_empty() {
            self.line(&comment);
            self.command(command, "");
        } else if let Some((first, rest)) = command.rsplit_once(' ') {
            self.line(&format!("  {first} \\"));
            self.line(&format!("    {rest}"));
        }
    }
}

/// Hex digits in groups that the eye can hold on to.
pub fn grouped(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().collect();
    digits.chunks(8).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

/// Whose vault it is.
pub fn title(card: &CardView) -> String {
    card.name.clone().unwrap_or_else(|| format!("Vault {}", card.vault))
}

fn heads(page: &mut Page, card: &CardView) {
    let demo = if card.demo { " DEMO" } else { "" };
    let title = format!("{}: how to get in. Printed {}.{demo}", title(card), card.printed);
    page.words("", "", &title);
    if let Some(succeeds) = &card.succeeds {
        page.words("", "  ", &format!("In place of the vault {succeeds}."));
    }
    if !card.sound {
        page.line("WARNING: this vault isn't sound; keymuster log verify tells why.");
    }
    let number = card.head.number;
    page.words(
        "",
        "  ",
        &format!(
            "Head, entry {number}; compare with keymuster log head (later: log show {number} --json):"
        ),
    );
    page.line(&format!("  {}", grouped(&card.head.link)));
    if let Some(fingerprint) = &card.fingerprint {
        page.line("Fingerprint of the vault; compare with keymuster vault show:");
        page.line(&format!("  {}", grouped(fingerprint)));
    }
}

fn people(page: &mut Page, card: &CardView) {
    page.heading(&format!("WHOM TO CALL, in this order: {ORDER}"));
    for (place, custodian) in card.custodians.shown.iter().enumerate() {
        let mut reach = custodian.reach().join("; ");
        if reach.is_empty() {
            reach = BLANK.to_owned();
        }
        let words = format!("{}: {reach} ({})", custodian.called(), custodian.means());
        page.words(&format!("{:>2}. ", place + 1), "    ", &words);
    }
    more(page, card.custodians.more, "keymuster custodian list");
    if !card.others.is_empty() {
        let others = card.others.listed(Other::described);
        page.words("  Besides: ", "    ", &others);
    }
}

fn more(page: &mut Page, more: usize, command: &str) {
    if more > 0 {
        page.line(&format!("  and {more} more: {command}"));
    }
}

fn places(page: &mut Page, card: &CardView) {
    let papers = &card.opening.papers;
    let by_hand = if papers.is_empty() { "" } else { "; write in where paper copies are" };
    page.heading(&format!("WHERE THINGS ARE{by_hand}"));
    let longest = card.keys.shown.iter().map(|key| key.key.len()).max().unwrap_or(0);
    let width = longest.min(LABEL);
    for key in &card.keys.shown {
        let bag = key.bag.as_ref().map(|bag| format!("; bag {bag}")).unwrap_or_default();
        page.row(&key.key, width, &format!("{}{bag}; PIN: {}", key.whereabouts(), key.pin()));
    }
    if card.keys.is_empty() {
        page.line("  No key may sign.");
    }
    more(page, card.keys.more, "keymuster key list");
    for pair in papers.shown.chunks(2) {
        let blank = |paper: &Paper| format!("{}/paper {BLANK}", paper.custodian);
        page.words("  ", "  ", &pair.iter().map(blank).collect::<Vec<_>>().join("  "));
    }
    if let Some(without) = without(&card.opening) {
        page.words("  ", "  ", &without);
    }
}

/// Who has no paper copy of use.
pub fn without(opening: &Opening) -> Option<String> {
    let each = |one: &Without| match one.why {
        "none" => one.custodian.clone(),
        why => format!("{} ({why})", one.custodian),
    };
    let names = opening.without.listed(each);
    (!names.is_empty()).then(|| format!("No paper copy of use: {names}."))
}

/// What stands beside the heading of the accounts.
pub fn accounts_note(card: &CardView) -> String {
    match (card.accounts.shown.len(), card.accounts.more) {
        (0, _) => "none with a root user is on record".to_owned(),
        (_, 0) => String::new(),
        (_, more) => {
            format!("those with the fewest ways in; {more} more: keymuster account list")
        }
    }
}

fn accounts(page: &mut Page, card: &CardView) {
    let note = accounts_note(card);
    let colon = if note.is_empty() { "" } else { ": " };
    page.heading(&format!("ACCOUNTS{colon}{note}"));
    for account in &card.accounts.shown {
        let name = account.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let title = format!("{} ({}{name}), {}", account.account, account.id, account.ways());
        page.words("  ", "    ", &title);
        let [mail, telephone, password, mfa] =
            account.rows().map(|(what, words)| format!("{} {words}.", what.to_uppercase()));
        page.words("    ", "      ", &format!("{mail} {telephone}"));
        page.words("    ", "      ", &format!("{password} {mfa}"));
    }
    if !card.central.is_empty() {
        let names = card.central.names();
        page.words(
            "  ",
            "    ",
            &format!("Through their organisation, without root credentials: {names}"),
        );
    }
}

fn opening(page: &mut Page, card: &CardView) {
    page.heading("WITHOUT KEYMUSTER: with stock age and a paper copy, in the vault's folder");
    let Some(commands) = &card.opening.commands else {
        page.line("  No paper copy opens this vault: without a key there is no way.");
        return;
    };
    for (command, comment) in commands.lines() {
        page.command(command, &comment);
    }
    page.words("  ", "  ", &notes(card, commands));
    page.line(&format!("  A copy of the vault lies at {BLANK}{BLANK}"));
}

/// What is to be known beside the commands.
pub fn notes(card: &CardView, commands: &Commands) -> String {
    let mut all = Vec::new();
    let papers = &card.opening.papers;
    let others = papers.shown.iter().skip(1).map(|paper| paper.file.clone()).collect();
    let others = Few { shown: others, more: papers.more };
    if !others.is_empty() {
        all.push(format!("Or with {}.", others.names()));
    }
    all.push(format!("Another entry: its number in place of {:06}.", card.head.number));
    let secret = |secret: &SecretView| {
        let by = format!(" by {}", secret.by.names());
        let by = if secret.opens { String::new() } else { by };
        format!("{} {} {}{by}", secret.secret, secret.compartment, secret.file)
    };
    if !commands.secrets.is_empty() {
        let secrets = commands.secrets.parted("; ", secret);
        all.push(format!("Secrets, by compartment and file: {secrets}."));
    }
    all.push("Nothing can be signed this way.".to_owned());
    all.join(" ")
}
