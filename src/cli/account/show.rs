//! `keymuster account show`: all that is known of an account, and what to worry about.

use clap::Args;
use serde::Serialize;

use super::chosen::named;
use super::concerns;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::record::{
    Account, ContactRole, Device, DeviceName, Handle, KeyState, State, Trial, TrialKind,
};

/// `keymuster account show`
#[derive(Debug, Args)]
pub struct Show {
    /// Its handle or id
    account: String,
}

/// An account, as JSON.
#[derive(Serialize)]
pub struct AccountView {
    account: String,
    provider: String,
    id: String,
    name: Option<String>,
    tags: Vec<String>,
    root_credentials: bool,
    root_email: Option<String>,
    mailbox_readers: Vec<String>,
    mailbox_through: Vec<String>,
    root_phone: Option<String>,
    phone_answerers: Vec<String>,
    billing_contact: Option<String>,
    operations_contact: Option<String>,
    security_contact: Option<String>,
    password_place: Option<String>,
    devices: Vec<DeviceView>,
    trials: Vec<TrialView>,
    added: String,
    removed: Option<String>,
    /// What to worry about, a sentence each.
    concerns: Vec<String>,
}

/// An MFA device.
#[derive(Serialize)]
struct DeviceView {
    device: String,
    kind: &'static str,
    /// The state of a key.
    state: Option<&'static str>,
    holder: Option<String>,
    place: Option<String>,
    linked: String,
}

/// What was tried.
#[derive(Serialize)]
struct TrialView {
    what: &'static str,
    device: Option<String>,
    last: String,
    outcome: String,
    remark: Option<String>,
    last_passed: Option<String>,
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn text<T: ToString>(value: Option<&T>) -> Option<String> {
    value.map(ToString::to_string)
}

impl AccountView {
    /// What is known of an account.
    pub fn new(handle: &Handle, account: &Account, state: &State) -> Self {
        let contact = |role| text(account.contact(role));
        let concerns = match account.removed {
            Some(_) => Vec::new(),
            None => account.concerns(state).iter().map(concerns::in_words).collect(),
        };
        let devices = account.devices.iter();
        Self {
            account: handle.to_string(),
            provider: account.identity.provider.to_string(),
            id: account.identity.id.to_string(),
            name: text(account.name.as_ref()),
            tags: texts(&account.tags),
            root_credentials: account.root.credentials,
            root_email: text(account.root.email.as_ref()),
            mailbox_readers: texts(&account.mailbox_readers),
            mailbox_through: texts(&account.mailbox_through),
            root_phone: text(account.root.phone.as_ref()),
            phone_answerers: texts(&account.phone_answerers),
            billing_contact: contact(ContactRole::Billing),
            operations_contact: contact(ContactRole::Operations),
            security_contact: contact(ContactRole::Security),
            password_place: text(account.password_place.as_ref()),
            devices: devices.map(|(name, device)| DeviceView::new(name, device, state)).collect(),
            trials: account
                .trials
                .iter()
                .map(|(kind, trial)| TrialView::new(kind, trial))
                .collect(),
            added: account.added.time.to_string(),
            removed: account.removed.map(|at| at.time.to_string()),
            concerns,
        }
    }
}

impl DeviceView {
    fn new(name: &DeviceName, device: &Device, state: &State) -> Self {
        let known = match name {
            DeviceName::Key(key) => state.keys().get(key),
            DeviceName::Token(_) => None,
        };
        Self {
            device: name.to_string(),
            kind: if known.is_some() { "key" } else { "token" },
            state: known.map(|key| key.state.word()),
            holder: text(known.map(|key| &key.holder).or(device.holder.as_ref())),
            place: text(known.map_or(device.place.as_ref(), |key| key.place.as_ref())),
            linked: device.linked.time.to_string(),
        }
    }

    fn described(&self, astray: bool) -> String {
        let state = match (self.state, astray) {
            (Some(state), true) => format!(" {}", state.to_uppercase()),
            (Some(_), false) | (None, _) => String::new(),
        };
        let kind = if self.kind == "token" { " (token)" } else { "" };
        let holder = self.holder.as_ref().map(|holder| format!(", with {holder}"));
        let place = self.place.as_ref().map(|place| format!(", at {place}"));
        let more = [holder, place].into_iter().flatten().collect::<String>();
        format!("{}{kind}{state}{more}", self.device)
    }
}

impl TrialView {
    fn new(kind: &TrialKind, trial: &Trial) -> Self {
        let (what, device) = match kind {
            TrialKind::Contacts => ("contacts-reviewed", None),
            TrialKind::Mailbox => ("mailbox-tested", None),
            TrialKind::Phone => ("phone-tested", None),
            TrialKind::SignIn(device) => ("sign-in-proven", device.as_ref()),
        };
        Self {
            what,
            device: text(device),
            last: trial.last.time.to_string(),
            outcome: trial.outcome.to_string(),
            remark: text(trial.remark.as_ref()),
            last_passed: trial.passed.map(|at| at.time.to_string()),
        }
    }

    fn described(&self) -> String {
        let failed = self.outcome != "passed";
        let outcome = if failed { "FAILED" } else { "passed" };
        let device = self.device.as_ref().map(|device| format!(" with {device}"));
        let remark = self.remark.as_ref().map(|remark| format!(": {remark}"));
        let before = match &self.last_passed {
            Some(at) if failed => format!("; last passed {at}"),
            None if failed => "; never passed".to_owned(),
            _ => String::new(),
        };
        let (device, remark) = (device.unwrap_or_default(), remark.unwrap_or_default());
        format!("{outcome} {}{device}{remark}{before}", self.last)
    }
}

pub fn run(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let former = show.account.parse().ok().and_then(|h: Handle| {
        let known = state.former_accounts().get(&h)?;
        Some((h, known))
    });
    let (handle, account) = match (named(state, &show.account), former) {
        (Ok(handle), _) => {
            let known = state.accounts().get(&handle).cloned();
            (handle, known)
        }
        (Err(_), Some((handle, account))) => (handle, Some(account.clone())),
        (Err(failure), None) => return Err(failure),
    };
    let account = account.ok_or_else(Failure::interrupted)?;
    let view = AccountView::new(&handle, &account, state);
    let human = described(&view, &account, state);
    Ok(Answer::new("account", &view, human).exiting(session.exit()))
}

fn described(view: &AccountView, account: &Account, state: &State) -> String {
    let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let by = |value: &Option<String>, people: &[String], does: &str| {
        let people = match people {
            [] => String::new(),
            people => format!(", {does} {}", people.join(", ")),
        };
        format!("{}{people}", or_dash(value))
    };
    let root = if view.root_credentials { "has credentials" } else { "no root credentials" };
    let mut lines = vec![
        ("account", view.account.clone()),
        ("name", or_dash(&view.name)),
        ("provider", format!("{} {}", view.provider, view.id)),
        ("added", view.added.clone()),
    ];
    lines.extend(view.removed.clone().map(|at| ("REMOVED", at)));
    if !view.tags.is_empty() {
        lines.push(("tags", view.tags.join(", ")));
    }
    lines.push(("root user", root.to_owned()));
    lines.push(("e-mail", by(&view.root_email, &view.mailbox_readers, "read by")));
    if !view.mailbox_through.is_empty() {
        lines.push(("", format!("can't be read without {}", view.mailbox_through.join(", "))));
    }
    if view.root_credentials || view.root_phone.is_some() {
        lines.push(("telephone", by(&view.root_phone, &view.phone_answerers, "answered by")));
    }
    if view.root_credentials || view.password_place.is_some() {
        lines.push(("password", or_dash(&view.password_place)));
    }
    for (name, device) in account.devices.keys().zip(&view.devices) {
        let key = match name {
            DeviceName::Key(key) => state.keys().get(key),
            DeviceName::Token(_) => None,
        };
        let astray = key.is_some_and(|key| key.state != KeyState::Active);
        lines.push(("MFA", device.described(astray)));
    }
    for (what, contact) in [
        ("billing", &view.billing_contact),
        ("operations", &view.operations_contact),
        ("security", &view.security_contact),
    ] {
        lines.push((what, or_dash(contact)));
    }
    for trial in &view.trials {
        let what = match trial.what {
            "contacts-reviewed" => "reviewed",
            "mailbox-tested" => "mailbox",
            "phone-tested" => "call",
            _ => "sign-in",
        };
        lines.push((what, trial.described()));
    }
    let mut human: String =
        lines.iter().map(|(what, value)| format!("{what:<10} {value}\n")).collect();
    if !view.concerns.is_empty() {
        human.push_str("\nWorth a look:\n");
        view.concerns.iter().for_each(|concern| human.push_str(&format!("  {concern}\n")));
    }
    human
}
