//! `keymuster account import` and `compare`: lists of accounts from outside.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::concerns;
use crate::cli::context::Context;
use crate::cli::cosigners::Signing;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::cli::reading::read_file;
use crate::cli::session::Session;
use crate::cli::signing::record_and_tell;
use crate::cli::words::in_words;
use crate::inventory::{
    COLUMNS, Difference, Fate, MAX_BYTES, Plan, Planned, Row, Unreadable, read, removal,
};
use crate::record::{Handle, Stamp, State};
use crate::text::sanitise;

/// How many rows people are told where all would be too many.
const MAX_TOLD: usize = 40;

/// What to do where details are others.
const DIFFER: &str = "Where the list is right: keymuster account change ACCOUNT\n";

/// `keymuster account import`
#[derive(Debug, Args)]
#[command(
    after_help = "A spreadsheet is CSV with a line of headings, of which only id is needed:\n  \
    account,provider,id,name,tags,root_credentials,root_email,mailbox_readers,\n  \
    root_phone,phone_answerers,billing_contact,operations_contact,security_contact,\n  \
    password_place,devices\n\
    id is twelve digits at AWS, root_credentials yes or no (yes if left out), a contact such as\n\
    Finance <finance@example.com> +44 20 7946 0000, devices keys such as alice/primary. Several\n\
    values in one field are separated by semicolons. Either all rows are recorded, in one entry,\n\
    or none; an account that is here already stays as it is.\n\n\
    Examples:\n  \
    keymuster account import accounts.csv --dry-run\n  \
    aws organizations list-accounts --output json | keymuster account import -"
)]
pub struct Import {
    /// The list; - is stdin
    file: PathBuf,
    /// Tell what would become of each row, and record nothing; exit 3 if a row is wrong
    #[arg(long)]
    dry_run: bool,
    /// The accounts have no root credentials, where the list doesn't say: new members of an
    /// organisation that manages root access centrally have none
    #[arg(long)]
    no_root_credentials: bool,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster account compare`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    aws organizations list-accounts --output json | keymuster account compare -")]
pub struct Compare {
    /// The list, as account import takes it; - is stdin
    file: PathBuf,
}

#[derive(Serialize)]
struct PlanView {
    added: usize,
    here: usize,
    different: usize,
    inactive: usize,
    refused: usize,
    rows: Vec<RowView>,
    /// Accounts that are recorded here, and not in the list.
    gone: Vec<String>,
}

#[derive(Serialize)]
struct RowView {
    /// The line of a spreadsheet, or the number among a JSON list's accounts.
    row: u64,
    provider: Option<String>,
    id: Option<String>,
    fate: &'static str,
    account: Option<String>,
    /// Why it is refused, what the provider says of it, or that it was removed here.
    reasons: Vec<String>,
    differences: Vec<DifferenceView>,
}

#[derive(Serialize)]
struct DifferenceView {
    field: &'static str,
    here: Option<String>,
    there: String,
}

impl PlanView {
    fn new(plan: &Plan) -> Self {
        let count = |is: fn(&Fate) -> bool| plan.rows.iter().filter(|row| is(&row.fate)).count();
        Self {
            added: count(|fate| matches!(fate, Fate::Added { .. })),
            here: count(|fate| matches!(fate, Fate::Here { .. })),
            different: count(
                |fate| matches!(fate, Fate::Here { differences, .. } if !differences.is_empty()),
            ),
            inactive: count(|fate| matches!(fate, Fate::Inactive(_))),
            refused: count(|fate| matches!(fate, Fate::Refused(_))),
            rows: plan.rows.iter().map(RowView::new).collect(),
            gone: plan.gone.iter().map(Handle::to_string).collect(),
        }
    }

    fn summary(&self, would: bool) -> String {
        let parts = [
            (self.added, if would { "to be added" } else { "added" }),
            (self.here, "here already"),
            (self.different, "of them with other details there"),
            (self.inactive, "left out, since they aren't in use"),
            (self.refused, "wrong"),
        ];
        let told = parts.iter().filter(|(many, _)| *many > 0);
        let told: Vec<String> = told.map(|(many, what)| format!("{many} {what}")).collect();
        format!("{}: {}\n", count(self.rows.len(), "row", "rows"), told.join(", "))
    }
}

impl RowView {
    fn new(row: &Planned) -> Self {
        let (fate, account, reasons, differences) = match &row.fate {
            Fate::Added { account, removed } => {
                let removed = removed.iter().map(|(handle, at)| removal(handle, *at));
                ("added", Some(account), removed.collect(), Vec::new())
            }
            Fate::Here { account, differences } => {
                ("here", Some(account), Vec::new(), differences.iter().map(other).collect())
            }
            Fate::Inactive(status) => ("inactive", None, vec![status.clone()], Vec::new()),
            Fate::Refused(reasons) => ("refused", None, reasons.clone(), Vec::new()),
        };
        Self {
            row: row.place,
            provider: row.identity.as_ref().map(|known| known.provider.to_string()),
            id: row.identity.as_ref().map(|known| known.id.to_string()),
            fate,
            account: account.map(Handle::to_string),
            reasons,
            differences,
        }
    }

    /// What becomes of it, in a line or more.
    fn told(&self) -> String {
        let which = match (self.provider.as_deref(), self.id.as_deref()) {
            (Some(provider), Some(id)) => format!("row {}: {provider} {id}", self.row),
            _ => format!("row {}", self.row),
        };
        let account = self.account.as_deref().unwrap_or_default();
        let what = match self.fate {
            "added" if self.reasons.is_empty() => format!("{which} is added as {account}"),
            "added" => format!("{which} is added as {account}: {}", self.reasons.join(", ")),
            "here" if self.differences.is_empty() => format!("{which} is here as {account}"),
            "here" => {
                let lines = self.differences.iter().map(DifferenceView::told);
                format!("{which} is here as {account}, and differs:{}", lines.collect::<String>())
            }
            "inactive" => format!("{which} is left out: {}", self.reasons.join(", ")),
            _ => format!("{which} is WRONG: {}", self.reasons.join("; ")),
        };
        format!("{what}\n")
    }
}

fn other(difference: &Difference) -> DifferenceView {
    let Difference { field, here, there } = difference.clone();
    DifferenceView { field, here, there }
}

impl DifferenceView {
    fn told(&self) -> String {
        let here = self.here.as_ref().map_or("nothing".to_owned(), |here| format!("\"{here}\""));
        format!("\n  {}: here {here}, there \"{}\"", self.field, self.there)
    }
}

/// Reads a list.
fn rows(context: &Context, file: &Path) -> Result<Vec<Row>, Failure> {
    let shown = sanitise(&file.to_string_lossy(), 200);
    let bytes = read_file(file, MAX_BYTES, context.interrupted())?;
    read(&bytes).map_err(|error| {
        let failure =
            Failure::because(exit::FAILED, format!("{shown} is no list of accounts"), &error);
        match error {
            Unreadable::NotText => failure.hint("save it as CSV in UTF-8"),
            Unreadable::UnknownColumn(_) | Unreadable::NoColumn(_) => failure.hint(format!(
                "columns are: {}; rename those in the first line",
                COLUMNS.join(", ")
            )),
            Unreadable::NotAll => failure.hint("the AWS CLI prints all without --max-items"),
            _ => failure,
        }
    })
}

/// Holds a list against a vault.
fn planned(context: &Context, rows: Vec<Row>, state: &State) -> Result<Plan, Failure> {
    let at = Stamp { entry: 0, time: context.now()? };
    Ok(Plan::new(rows, state, at))
}

pub fn import(context: &Context, import: &Import) -> Result<Answer, Failure> {
    let mut rows = rows(context, &import.file)?;
    if import.no_root_credentials {
        let listed = rows.iter_mut().filter_map(|row| row.account.as_mut().ok());
        for listed in listed.filter(|listed| !listed.tells_credentials) {
            listed.account.root_credentials = false;
        }
    }
    if import.dry_run {
        let session = Session::open(context)?;
        let plan = planned(context, rows, session.state())?;
        let view = PlanView::new(&plan);
        let all: String = view.rows.iter().map(RowView::told).collect();
        let details: String =
            plan.events.iter().map(|event| format!("  {}\n", in_words(event))).collect();
        let details = match plan.is_possible() && !details.is_empty() {
            true => format!("It would be recorded that\n{details}"),
            false => String::new(),
        };
        let differ = if view.different > 0 { DIFFER } else { "" };
        let human = format!("{all}{details}{}{differ}Nothing was recorded.\n", view.summary(true));
        let code = if plan.is_possible() { session.exit() } else { exit::NO };
        return Ok(Answer::new("account-import", &view, human).exiting(code));
    }
    let added = RefCell::new(Vec::new());
    record_and_tell(
        context,
        &import.signers,
        |session, _| {
            let plan = planned(context, rows, session.state())?;
            let view = PlanView::new(&plan);
            if !plan.is_possible() {
                return Err(refused(&view));
            }
            let new = plan.rows.iter().filter_map(|row| match &row.fate {
                Fate::Added { account, .. } => Some(account.clone()),
                _ => None,
            });
            added.borrow_mut().extend(new);
            context.terminal.say(&worth_telling(&view));
            Ok(plan.events)
        },
        |state| concerns::told(state, added.borrow().iter()),
    )
}

/// The rows that aren't simply added, and how many there are of each kind.
fn worth_telling(view: &PlanView) -> String {
    let odd = view.rows.iter().filter(|row| row.fate != "added" || !row.reasons.is_empty());
    let odd = odd.filter(|row| row.fate != "here" || !row.differences.is_empty());
    let odd: Vec<String> = odd.map(RowView::told).collect();
    let mut text: String = odd.iter().take(MAX_TOLD).map(String::as_str).collect();
    if odd.len() > MAX_TOLD {
        text.push_str(&format!("… and {} more, by --dry-run\n", odd.len() - MAX_TOLD));
    }
    text.push_str(view.summary(true).trim_end());
    text
}

fn refused(view: &PlanView) -> Failure {
    let wrong = view.rows.iter().filter(|row| row.fate == "refused");
    let wrong: Vec<String> = wrong.map(|row| row.told().trim_end().to_owned()).collect();
    let message = format!(
        "{} of the list {} wrong, so nothing was recorded",
        count(wrong.len(), "row", "rows"),
        if wrong.len() == 1 { "is" } else { "are" }
    );
    let mut failure = Failure::new(exit::FAILED, message)
        .hint("keymuster account import FILE --dry-run tells what becomes of every row");
    let more = wrong.len().saturating_sub(MAX_TOLD);
    failure.causes = wrong.into_iter().take(MAX_TOLD).collect();
    failure.causes.extend((more > 0).then(|| format!("and {more} more rows")));
    failure
}

pub fn compare(context: &Context, compare: &Compare) -> Result<Answer, Failure> {
    let rows = rows(context, &compare.file)?;
    let session = Session::open(context)?;
    let plan = planned(context, rows, session.state())?;
    let view = PlanView::new(&plan);
    let mut human = String::new();
    for row in &view.rows {
        match row.fate {
            "added" => {
                let (provider, id) = (row.provider.as_deref(), row.id.as_deref());
                let which = [provider, id].map(Option::unwrap_or_default).join(" ");
                let reasons: String = row.reasons.iter().map(|why| format!(": {why}")).collect();
                human.push_str(&format!("row {}: {which} is missing here{reasons}\n", row.row));
            }
            "here" if row.differences.is_empty() => {}
            _ => human.push_str(&row.told()),
        }
    }
    for account in &plan.gone {
        let known = session.state().accounts().get(account);
        let which = known.map(|known| &known.identity);
        let which = which.map_or(String::new(), |known| format!("{} {}", known.provider, known.id));
        human.push_str(&format!("{account}: {which} is gone there\n"));
    }
    if view.rows.iter().any(|row| row.id.is_none()) {
        human.push_str("As long as a row is wrong, no account is told to be gone there.\n");
    }
    let same = view.added + view.different + view.refused + view.gone.len() == 0;
    if same && view.inactive > 0 {
        let unused = count(view.inactive, "account", "accounts");
        human.push_str(&format!(
            "The list and the vault have the same accounts, but for {unused} missing here that the list \
             doesn't call active.\n"
        ));
    } else if same {
        human.push_str("The list and the vault have the same accounts.\n");
    } else {
        human.push_str(&format!(
            "{}: {} missing here, {} gone there, {} different, {} wrong\n",
            count(view.rows.len(), "row", "rows"),
            view.added,
            view.gone.len(),
            view.different,
            view.refused
        ));
    }
    let code = if same { session.exit() } else { exit::NO };
    Ok(Answer::new("account-comparison", &view, human).exiting(code))
}
