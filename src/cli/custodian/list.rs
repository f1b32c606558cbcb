//! `keymuster custodian list` and `show`: who holds which keys.

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::due::new_identity_by;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, table};
use crate::cli::session::Session;
use crate::record::{Custodian, Handle, Line, State};

/// `keymuster custodian show`
#[derive(Debug, Args)]
pub struct Show {
    /// Their handle
    custodian: Handle,
}

#[derive(Serialize)]
struct CustodianList {
    custodians: Vec<CustodianView>,
    former: Vec<CustodianView>,
}

#[derive(Serialize)]
struct CustodianView {
    custodian: String,
    name: Option<String>,
    recipient: String,
    added: String,
    left: Option<String>,
    /// The labels of the keys that may sign.
    keys: Vec<String>,
    last_seen: Option<String>,
    contact: Vec<String>,
    deputy: Option<String>,
    /// When they last signed the text of their duties; null if never, or if it changed since.
    acknowledged: Option<String>,
    /// Until when that holds by the policy.
    acknowledged_until: Option<String>,
    /// Since when they can't report another's key alone.
    overruled: Option<String>,
    /// Copies of their identity that somebody else may open: it is to be replaced.
    exposed: Vec<String>,
}

impl CustodianView {
    fn new(handle: &Handle, custodian: &Custodian, state: &State) -> Self {
        let own = || state.keys().iter().filter(|(name, _)| name.owner == *handle);
        let active = own().filter(|(_, key)| key.is_active());
        Self {
            custodian: handle.to_string(),
            name: custodian.name.as_ref().map(Line::to_string),
            recipient: custodian.recipient.to_string(),
            added: custodian.added.time.to_string(),
            left: custodian.left.map(|left| left.time.to_string()),
            keys: active.map(|(name, _)| name.label.to_string()).collect(),
            last_seen: own().map(|(_, key)| key.last_seen.time).max().map(|t| t.to_string()),
            contact: custodian.contact.iter().map(Line::to_string).collect(),
            deputy: custodian.deputy.as_ref().map(Handle::to_string),
            acknowledged: custodian.acknowledged.map(|at| at.time.to_string()),
            acknowledged_until: custodian
                .acknowledged_until(state.policy())
                .map(|until| until.to_string()),
            overruled: custodian.overruled.map(|at| at.time.to_string()),
            exposed: state.exposures(handle).iter().map(ToString::to_string).collect(),
        }
    }
}

pub fn list(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let views = |people: &std::collections::BTreeMap<Handle, Custodian>| -> Vec<CustodianView> {
        people.iter().map(|(handle, who)| CustodianView::new(handle, who, state)).collect()
    };
    let view = CustodianList {
        custodians: views(state.custodians()),
        former: views(state.former_custodians()),
    };
    let or = |value: &Option<String>, absent: &str| value.clone().unwrap_or(absent.to_owned());
    let rows: Vec<Vec<String>> = view
        .custodians
        .iter()
        .map(|c| {
            let keys = if c.keys.is_empty() { "none".to_owned() } else { c.keys.join(", ") };
            vec![c.custodian.clone(), or(&c.name, "-"), keys, or(&c.last_seen, "never")]
        })
        .collect();
    let mut human = table(&["custodian", "name", "keys", "last seen signing"], &rows);
    if !view.former.is_empty() {
        let rows: Vec<Vec<String>> = view
            .former
            .iter()
            .map(|c| vec![c.custodian.clone(), or(&c.name, "-"), or(&c.left, "-")])
            .collect();
        human.push('\n');
        human.push_str(&table(&["left", "name", "when"], &rows));
    }
    Ok(Answer::new("custodian-list", &view, human).exiting(session.exit()))
}

pub fn show(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let handle = &show.custodian;
    let known = state.custodians().get(handle).or_else(|| state.former_custodians().get(handle));
    let Some(custodian) = known else {
        let all: Vec<String> = state.custodians().keys().map(Handle::to_string).collect();
        return Err(Failure::new(exit::USAGE, format!("there is no custodian {handle}"))
            .hint(format!("custodians are: {}", all.join(", "))));
    };
    let view = CustodianView::new(handle, custodian, state);
    let human = described(&view, handle, state);
    Ok(Answer::new("custodian", &view, human).exiting(session.exit()))
}

fn described(view: &CustodianView, handle: &Handle, state: &State) -> String {
    let or = |value: &Option<String>, absent: &str| value.clone().unwrap_or(absent.to_owned());
    let mut lines = vec![
        ("custodian", view.custodian.clone()),
        ("name", or(&view.name, "-")),
        ("added", view.added.clone()),
    ];
    lines.extend(view.left.clone().map(|left| ("left", left)));
    for (name, key) in state.keys().iter().filter(|(k, _)| k.owner.as_str() == view.custodian) {
        lines.push(("key", format!("{} {}", name.label, key.state.word())));
    }
    let duties = match (&view.acknowledged, &view.acknowledged_until) {
        (Some(at), Some(until)) => format!("acknowledged {at}, which holds until {until}"),
        _ => "not acknowledged".to_owned(),
    };
    lines.extend(view.contact.iter().map(|line| ("contact", line.clone())));
    lines.extend([
        ("deputy", or(&view.deputy, "-")),
        ("duties", duties),
        ("identity", view.recipient.clone()),
    ]);
    if !view.exposed.is_empty() {
        let copies = view.exposed.join(", ");
        let how = new_identity_by(state, handle);
        lines.push(("EXPOSED", format!("{copies}: they need a new identity, by {how}")));
    }
    if let Some(since) = &view.overruled {
        lines
            .push(("overruled", format!("{since}: reports another's key with a second custodian")));
    }
    lines.iter().map(|(what, value)| format!("{what:<10} {value}\n")).collect()
}
