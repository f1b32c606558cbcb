//! `keymuster account list`: the accounts that are looked after.

use clap::Args;
use serde::Serialize;

use super::concerns;
use super::show::AccountView;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count, table};
use crate::cli::session::Session;
use crate::record::{Account, DeviceName, Handle, State, Tag, TrialKind};
use crate::text::sanitise;

/// `keymuster account list`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keymuster account list --tagged env=prod --concerns")]
pub struct List {
    /// Those with this tag only; may be repeated
    #[arg(long, value_name = "TAG")]
    tagged: Vec<Tag>,
    /// Those of this provider only, such as aws-cn
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<Handle>,
    /// Those that a key is registered with, such as alice/primary
    #[arg(long, value_name = "DEVICE")]
    with: Option<DeviceName>,
    /// Those with something to worry about only, and what that is
    #[arg(long)]
    concerns: bool,
    /// Those that were removed, too
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct AccountList {
    accounts: Vec<AccountView>,
}

impl List {
    fn takes(&self, account: &Account, state: &State) -> bool {
        self.tagged.iter().all(|tag| account.tags.contains(tag))
            && self.provider.as_ref().is_none_or(|p| account.identity.provider == *p)
            && self.with.as_ref().is_none_or(|device| account.devices.contains_key(device))
            && (!self.concerns || !account.concerns(state).is_empty())
    }
}

pub fn run(context: &Context, list: &List) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let former = state.former_accounts().iter().filter(|_| list.all);
    let shown: Vec<(&Handle, &Account)> = state
        .accounts()
        .iter()
        .chain(former)
        .map(|(handle, account)| (handle, account.as_ref()))
        .filter(|(_, account)| list.takes(account, state))
        .collect();
    let human = if shown.is_empty() {
        match state.accounts().is_empty() {
            true => {
                "No account is recorded: keymuster account add, or account import.\n".to_owned()
            }
            false => "No account is like that.\n".to_owned(),
        }
    } else if list.concerns {
        let worried = |(handle, account): &(&Handle, &Account)| {
            let concerns = account.concerns(state);
            let lines = concerns.iter().map(|c| format!("  {}\n", concerns::in_words(c)));
            format!("{handle}\n{}", lines.collect::<String>())
        };
        shown.iter().map(worried).collect()
    } else {
        let rows: Vec<Vec<String>> =
            shown.iter().map(|(h, account)| row(h, account, state)).collect();
        let total = count(shown.len(), "account", "accounts");
        let headings =
            ["account", "provider and id", "name", "MFA", "last sign-in", "worth a look"];
        format!("{}{total}\n", table(&headings, &rows))
    };
    let views = shown.iter().map(|(handle, account)| AccountView::new(handle, account, state));
    let view = AccountList { accounts: views.collect() };
    Ok(Answer::new("account-list", &view, human).exiting(session.exit()))
}

fn row(handle: &Handle, account: &Account, state: &State) -> Vec<String> {
    let identity = &account.identity;
    let proven = account.trials.iter().filter(|(kind, _)| matches!(kind, TrialKind::SignIn(_)));
    let proven = proven.filter_map(|(_, trial)| trial.passed).max();
    let day = |at: crate::record::Stamp| at.time.moment().format("%Y-%m-%d").to_string();
    let (devices, sign_in) = match account.root.credentials {
        true => (account.devices.len().to_string(), proven.map_or("never".to_owned(), day)),
        false => ("none".to_owned(), "no credentials".to_owned()),
    };
    let concerns = match (account.removed, account.concerns(state).len()) {
        (Some(at), _) => format!("removed {}", day(at)),
        (None, 0) => "-".to_owned(),
        (None, many) => many.to_string(),
    };
    vec![
        handle.to_string(),
        format!("{} {}", identity.provider, sanitise(identity.id.as_str(), 24)),
        account.name.as_ref().map_or("-".to_owned(), |name| sanitise(name.as_str(), 24)),
        devices,
        sign_in,
        concerns,
    ]
}
