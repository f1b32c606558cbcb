//! `keymuster secret list` and `receipts`: what is in custody, and who opened it.

use clap::Args;
use serde::Serialize;

use super::opening::unknown;
use crate::cli::account::named;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, table};
use crate::cli::session::Session;
use crate::record::{Handle, Receipt, Secret, State};

/// `keymuster secret list`
#[derive(Debug, Args)]
pub struct List {
    /// Those of this account only, by handle or id
    #[arg(long)]
    account: Option<String>,
}

/// `keymuster secret receipts`
#[derive(Debug, Args)]
pub struct Receipts {
    /// Those of this secret only
    secret: Option<Handle>,
}

#[derive(Serialize)]
struct SecretList {
    secrets: Vec<SecretView>,
}

#[derive(Serialize)]
struct SecretView {
    secret: String,
    kind: &'static str,
    account: Option<String>,
    token: Option<String>,
    /// The compartment of the present value.
    compartment: String,
    /// Whom that compartment opens to.
    opens_to: Vec<String>,
    /// The number of the present value.
    generation: u32,
    stored: String,
    /// Its file in the vault.
    file: String,
    opened: usize,
    last_opened: Option<String>,
}

#[derive(Serialize)]
struct ReceiptList {
    receipts: Vec<ReceiptView>,
}

#[derive(Serialize)]
struct ReceiptView {
    time: String,
    entry: u64,
    opener: String,
    secret: String,
    generation: u32,
    purpose: &'static str,
    reason: Option<String>,
}

impl SecretView {
    fn new(name: &Handle, secret: &Secret, state: &State) -> Option<Self> {
        let present = secret.present()?;
        let compartment = state.compartments().get(&present.compartment);
        let members = compartment.map(|known| known.sealing.members.as_slice());
        Some(Self {
            secret: name.to_string(),
            kind: secret.kind.word(),
            account: secret.account.as_ref().map(Handle::to_string),
            token: secret.token.as_ref().map(Handle::to_string),
            compartment: present.compartment.to_string(),
            opens_to: members.unwrap_or_default().iter().map(Handle::to_string).collect(),
            generation: present.number,
            stored: present.stored.time.to_string(),
            file: format!("secrets/{}.age", present.sha256),
            opened: secret.receipts.len(),
            last_opened: secret.receipts.last().map(|receipt| receipt.at.time.to_string()),
        })
    }
}

pub fn list(context: &Context, list: &List) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let account = list.account.as_deref().map(|account| named(state, account)).transpose()?;
    let fits = |secret: &Secret| account.is_none() || secret.account == account;
    let secrets = state.secrets().iter().filter(|(_, secret)| fits(secret));
    let views = secrets.filter_map(|(name, secret)| SecretView::new(name, secret, state));
    let view = SecretList { secrets: views.collect() };
    let day = |time: &str| time.split('T').next().unwrap_or(time).to_owned();
    let rows: Vec<Vec<String>> = view
        .secrets
        .iter()
        .map(|s| {
            let whose = match (&s.account, &s.token) {
                (Some(account), Some(token)) => format!("{account}, {token}"),
                (Some(account), None) => account.clone(),
                _ => "-".to_owned(),
            };
            let opened = s.last_opened.as_deref().map_or("never".to_owned(), day);
            let value = format!("{} of {}", s.generation, day(&s.stored));
            vec![s.secret.clone(), s.kind.to_owned(), whose, s.compartment.clone(), value, opened]
        })
        .collect();
    let human = if rows.is_empty() {
        "Nothing is in custody: keymuster secret store\n".to_owned()
    } else {
        table(&["secret", "kind", "account", "compartment", "value", "last opened"], &rows)
    };
    Ok(Answer::new("secret-list", &view, human).exiting(session.exit()))
}

pub fn receipts(context: &Context, receipts: &Receipts) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    if let Some(name) = &receipts.secret
        && !state.secrets().contains_key(name)
    {
        return Err(unknown(state, name));
    }
    let asked = |name: &Handle| receipts.secret.as_ref().is_none_or(|only| only == name);
    let secrets = state.secrets().iter().filter(|(name, _)| asked(name));
    let mut found: Vec<(&Handle, &Receipt)> = secrets
        .flat_map(|(name, secret)| secret.receipts.iter().map(move |receipt| (name, receipt)))
        .collect();
    found.sort_by_key(|(name, receipt)| (receipt.at.entry, *name));
    let view = |(name, receipt): &(&Handle, &Receipt)| ReceiptView {
        time: receipt.at.time.to_string(),
        entry: receipt.at.entry,
        opener: receipt.opener.to_string(),
        secret: name.to_string(),
        generation: receipt.generation,
        purpose: receipt.purpose.word(),
        reason: receipt.reason.as_ref().map(ToString::to_string),
    };
    let view = ReceiptList { receipts: found.iter().map(view).collect() };
    let rows: Vec<Vec<String>> = view
        .receipts
        .iter()
        .map(|r| {
            let secret = format!("{}.{}", r.secret, r.generation);
            let reason = r.reason.clone().unwrap_or_else(|| "-".to_owned());
            let (time, entry) = (r.time.clone(), r.entry.to_string());
            vec![time, entry, r.opener.clone(), secret, r.purpose.to_owned(), reason]
        })
        .collect();
    let human = if rows.is_empty() {
        "Nothing was opened with keymuster.\n".to_owned()
    } else {
        table(&["opened", "entry", "by", "secret", "to", "reason"], &rows)
    };
    Ok(Answer::new("receipt-list", &view, human).exiting(session.exit()))
}
