//! `keymuster custodian`: the people who hold the keys.

use clap::Subcommand;
use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use super::output::{Answer, table};
use super::session::Session;

/// `keymuster custodian …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the custodians and their keys
    List,
}

#[derive(Serialize)]
struct CustodianList {
    custodians: Vec<CustodianView>,
}

#[derive(Serialize)]
struct CustodianView {
    custodian: String,
    name: Option<String>,
    recipient: String,
    added: String,
    keys: Vec<String>,
    last_seen: Option<String>,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List => list(context),
    }
}

fn list(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let custodians: Vec<CustodianView> = state
        .custodians()
        .iter()
        .map(|(handle, custodian)| {
            let keys = || state.keys().iter().filter(|(name, _)| name.owner == *handle);
            CustodianView {
                custodian: handle.to_string(),
                name: custodian.name.as_ref().map(ToString::to_string),
                recipient: custodian.recipient.to_string(),
                added: custodian.added.time.to_string(),
                keys: keys().map(|(name, _)| name.label.to_string()).collect(),
                last_seen: keys().map(|(_, key)| key.last_seen.time).max().map(|t| t.to_string()),
            }
        })
        .collect();
    let rows: Vec<Vec<String>> = custodians
        .iter()
        .map(|c| {
            let name = c.name.clone().unwrap_or_else(|| "-".to_owned());
            let seen = c.last_seen.clone().unwrap_or_else(|| "never".to_owned());
            vec![c.custodian.clone(), name, c.keys.join(", "), seen]
        })
        .collect();
    let human = table(&["custodian", "name", "keys", "last seen signing"], &rows);
    Ok(Answer::new("custodian-list", &CustodianList { custodians }, human).exiting(session.exit()))
}
