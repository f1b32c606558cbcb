//! The page of `keymuster status`, 80 columns wide.

use super::{AccountView, DueView, StatusView, Verdict};
use crate::cli::output::{WIDTH, count, few, whole_words, wrapped};
use crate::cli::recovery::ago;

/// How many accounts are shown, unless all are asked for.
const MAX_ACCOUNTS: usize = 12;
/// How many things that are to be done are shown of each kind.
const MAX_DUE: usize = 5;
/// How many things are named whose loss locks out.
const MAX_NAMED: usize = 3;
/// Room for a verdict beside an account; where there is less, it stands below.
const ROOM: usize = 26;

pub fn shown(view: &StatusView, all: bool) -> String {
    let most = |few: usize| if all { usize::MAX } else { few };
    let mut text = head(view);
    text.push_str(&accounts(view, most(MAX_ACCOUNTS)));
    if view.central > 0 {
        let (has, their) = match view.central {
            1 => ("account has", "its organisation gets into it"),
            _ => ("accounts have", "their organisation gets into them"),
        };
        let more = if view.accounts.is_empty() { "" } else { " more" };
        let said = format!("{}{more} {has} no root credentials: {their}.", view.central);
        text.push_str(&wrapped(&said, ""));
    }
    for circle in view.circles.iter().take(most(MAX_DUE)) {
        text.push_str(&wrapped(&format!("CIRCLE: {circle}"), "  "));
    }
    more_of(view.circles.len(), most(MAX_DUE), "circles", "keymuster recovery losses", &mut text);
    text.push('\n');
    for (word, those) in [("OVERDUE", &view.overdue), ("late", &view.late), ("due", &view.due)] {
        for what in those.iter().take(most(MAX_DUE)) {
            text.push_str(&due(word, what));
        }
        more_of(those.len(), most(MAX_DUE), word, "keymuster schedule list", &mut text);
    }
    text.push_str(&foot(view));
    text
}

fn more_of(there: usize, shown: usize, what: &str, command: &str, text: &mut String) {
    let more = there.saturating_sub(shown);
    if more > 0 {
        text.push_str(&format!("{:<9}and {more} more {what}: {command}\n", ""));
    }
}

fn head(view: &StatusView) -> String {
    let name = view.vault.as_deref().unwrap_or("(unnamed)");
    let demo = if view.demo { " (demo)" } else { "" };
    let log = if view.sound { "the log is sound" } else { "THE LOG IS FAULTY" };
    let mut text =
        wrapped(&format!("{name}{demo}, {}: entry {}, {log}", view.on, view.entry), "  ");
    text.push('\n');
    let total = view.accounts.len();
    let tell = |many: usize, what: &str| (many > 0).then(|| format!("{many} {what}"));
    let answers = match total {
        0 => vec!["no account is recorded: keymuster account add".to_owned()],
        total => {
            let yes = match view.proven {
                0 => format!("none of {}", count(total, "account", "accounts")),
                proven => format!("{proven} of {}, yes", count(total, "account", "accounts")),
            };
            let but = [tell(view.on_paper, "on paper only"), tell(view.locked_out, "NOT AT ALL")];
            std::iter::once(yes).chain(but.into_iter().flatten()).collect()
        }
    };
    let mut question = "Could we get into root tonight?";
    for answer in answers {
        text.push_str(&format!("{question:<35}{answer}\n"));
        question = "";
    }
    text.push('\n');
    text
}

fn accounts(view: &StatusView, most: usize) -> String {
    if view.accounts.is_empty() {
        return String::new();
    }
    let shown: Vec<&AccountView> = view.accounts.iter().take(most).collect();
    let last = |account: &AccountView| match account.last_proven {
        Some(day) => ago(day, view.on),
        None => "never".to_owned(),
    };
    let widest = |all: &mut dyn Iterator<Item = usize>, heading: &str| {
        all.max().unwrap_or(0).max(heading.len())
    };
    let names = widest(&mut shown.iter().map(|account| account.account.len()), "account");
    let lasts = widest(&mut shown.iter().map(|account| last(account).len()), "last proven");
    let row = |name: &str, ways: &str, last: &str, said: &str| {
        let start = format!("{name:<names$}  {ways:<7}  {last:<lasts$}  ");
        let beside = WIDTH.saturating_sub(start.len());
        if beside >= ROOM {
            let indent = " ".repeat(start.len());
            let options = whole_words(WIDTH).initial_indent(&start).subsequent_indent(&indent);
            return format!("{}\n", textwrap::fill(said, options));
        }
        format!("{}\n{}", start.trim_end(), wrapped(&format!("    {said}"), "    "))
    };
    let heading = "if a person, key, phone, mailbox or place is lost";
    let mut text = row("account", "ways in", "last proven", heading);
    for account in &shown {
        let ways = match (account.ways, account.ways_proven) {
            (0, _) => "none".to_owned(),
            (ways, _) => ways.to_string(),
        };
        text.push_str(&row(&account.account, &ways, &last(account), &verdict(account)));
    }
    let rest = view.accounts.get(shown.len()..).unwrap_or_default();
    if !rest.is_empty() {
        let of = |verdict: Verdict, word: &str| {
            let many = rest.iter().filter(|account| account.verdict == verdict).count();
            (many > 0).then(|| format!("{many} {word}"))
        };
        let parts = [
            of(Verdict::LockedOut, "NO WAY IN"),
            of(Verdict::OneLoss, "lost with one thing"),
            of(Verdict::OnPaper, "on paper only"),
            of(Verdict::SurvivesOnPaper, "survive on paper"),
            of(Verdict::Survives, "survive"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let said =
            format!("and {} more: {} (keymuster status --all)", rest.len(), parts.join(", "));
        text.push_str(&wrapped(&said, "  "));
    }
    text
}

/// What becomes of an account by one loss, in a few words.
fn verdict(account: &AccountView) -> String {
    let with = few(&account.lost_with, MAX_NAMED);
    match account.verdict {
        Verdict::LockedOut => "NO WAY IN as it is".to_owned(),
        Verdict::OneLoss if account.ways_proven == 0 => {
            format!("on paper only; LOCKED OUT without {with}")
        }
        Verdict::OneLoss => format!("LOCKED OUT without {with}"),
        Verdict::OnPaper => "survives, on paper only".to_owned(),
        Verdict::SurvivesOnPaper => "survives, in part on paper".to_owned(),
        Verdict::Survives => "survives".to_owned(),
    }
}

fn due(word: &str, what: &DueView) -> String {
    let said = format!("{word:<8} {}  {}", what.due, what.title);
    let command = format!("{:<21}{}", "", what.command);
    format!("{}{}", wrapped(&said, &" ".repeat(21)), wrapped(&command, &" ".repeat(23)))
}

fn foot(view: &StatusView) -> String {
    let keys = &view.keys;
    let mut text = String::new();
    if view.overdue.is_empty() && view.late.is_empty() && view.due.is_empty() {
        text.push_str("nothing is due\n");
    }
    let active = count(keys.active, "key", "keys");
    let is = if keys.checked == 1 { "was" } else { "were" };
    text.push_str(&format!(
        "keys     {} of {active} {is} checked within {} days\n",
        keys.checked, keys.check_days
    ));
    let signers = count(view.signers, "custodian", "custodians");
    let survives = match &view.signing {
        signing if signing.out_of_reach => "TOO FEW to change anything that needs two".to_owned(),
        signing if signing.lost_with.is_empty() => "survives any one loss".to_owned(),
        signing => format!("too few WITHOUT {}", few(&signing.lost_with, MAX_NAMED)),
    };
    text.push_str(&wrapped(&format!("vault    {signers} can sign: {survives}"), &" ".repeat(9)));
    for kept in &view.custody {
        let said = match kept.out_of_reach {
            true => format!("{} are OUT OF REACH", kept.what),
            false => format!("{} are lost WITH {}", kept.what, few(&kept.lost_with, MAX_NAMED)),
        };
        text.push_str(&wrapped(&format!("{:<9}{said}", ""), &" ".repeat(9)));
    }
    let head = match view.head_given_out.map(|given| view.entry.saturating_sub(given)) {
        None => "never given out from here: keymuster log head".to_owned(),
        Some(0) => "given out, as it is".to_owned(),
        Some(more) => {
            let more = usize::try_from(more).unwrap_or(usize::MAX);
            format!("{} more than was last given out from here", count(more, "entry", "entries"))
        }
    };
    text.push_str(&format!("head     {head}\n"));
    for next in view.next.iter().chain(&view.next_drill) {
        text.push_str(&due("next", next));
    }
    text
}
