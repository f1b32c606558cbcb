//! A vault that takes the place of another, whose quorum is gone: `keymuster vault init --succeeds`, and how
//! that is told ever after.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::context::{Context, Globals};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::record::{
    Account, AccountAdded, Event, Handle, Line, Policy, PolicyChanged, Realm, State, VaultSucceeds,
};

/// A vault that another takes the place of, as JSON.
#[derive(Debug, Serialize)]
pub struct SucceedsView {
    pub vault: String,
    pub number: u64,
    pub link: String,
    pub reason: Option<String>,
}

impl SucceedsView {
    /// That of a vault that takes the place of another.
    pub fn of(state: &State) -> Option<Self> {
        let succeeds = state.succeeds()?;
        Some(Self {
            vault: succeeds.vault.to_string(),
            number: succeeds.number,
            link: succeeds.link.to_string(),
            reason: succeeds.reason.as_ref().map(Line::to_string),
        })
    }

    /// Which one it is, for people.
    pub fn sentence(&self) -> String {
        let reason = self.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
        format!("{}, from its entry {} on{reason}", self.vault, self.number)
    }
}

/// What a successor may carry over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Carry {
    /// The accounts, with all that is known of them but people and devices
    Accounts,
    /// The policy, but for the rule of PINs
    Policy,
}

/// `--succeeds`, and what goes with it.
#[derive(Debug, Args)]
pub struct Succession {
    /// Take the place of the vault in this folder, which can't be signed for any more; --identity
    /// opens it, or a key
    #[arg(long, value_name = "OLD")]
    succeeds: Option<std::path::PathBuf>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", requires = "succeeds")]
    reason: Option<Line>,
    /// What is carried over from it; may be repeated
    #[arg(long, value_enum, requires = "succeeds")]
    carry: Vec<Carry>,
}

impl Succession {
    /// The events that tell which vault is succeeded, and what is carried over from it.
    pub fn events(&self, context: &Context, realm: Realm) -> Result<Vec<Event>, Failure> {
        let Some(old) = &self.succeeds else { return Ok(Vec::new()) };
        let context = context.with_globals(on(&context.globals, old));
        let session = Session::open(&context)?;
        session.vault.check_log_sound()?;
        let (state, head) = (session.state(), session.vault.head());
        if state.realm() != realm {
            let message = "a demo succeeds no real vault, nor the other way round";
            return Err(Failure::new(exit::USAGE, message));
        }
        let mut events = vec![Event::VaultSucceeds(VaultSucceeds {
            vault: head.vault,
            number: head.number,
            link: head.link,
            reason: self.reason.clone(),
        })];
        if self.carry.contains(&Carry::Policy) {
            events.extend(policy_of(state.policy()).map(Event::PolicyChanged));
        }
        if self.carry.contains(&Carry::Accounts) {
            let accounts = state.accounts().iter();
            events.extend(accounts.map(|(handle, account)| carried(handle, account)));
        }
        Ok(events)
    }
}

/// The same flags on another vault.
fn on(globals: &Globals, vault: &Path) -> Globals {
    Globals { vault: Some(vault.to_owned()), ..globals.clone() }
}

/// An account as it is, but for people, whom the new vault may not have, and what is registered with it.
fn carried(handle: &Handle, account: &Account) -> Event {
    let identity = &account.identity;
    let plain = AccountAdded::of(handle.clone(), identity.provider.clone(), identity.id.clone());
    Event::AccountAdded(Box::new(AccountAdded {
        name: account.name.clone(),
        tags: account.tags.clone(),
        root_credentials: account.root.credentials,
        root_email: account.root.email.clone(),
        root_phone: account.root.phone.clone(),
        billing_contact: account.billing_contact.clone(),
        operations_contact: account.operations_contact.clone(),
        security_contact: account.security_contact.clone(),
        password_place: account.password_place.clone(),
        ..plain
    }))
}

/// What makes a new vault's policy like this one; nothing where it is so.
fn policy_of(policy: &Policy) -> Option<PolicyChanged> {
    let change = PolicyChanged {
        user_verification: None,
        check_days: Some(policy.check_days),
        acknowledgement_days: Some(policy.acknowledgement_days),
        contacts_days: Some(policy.contacts_days),
        slip_days: Some(policy.slip_days),
        warn_days: Some(policy.warn_days),
        grace_days: Some(policy.grace_days),
        duties: (!policy.duties.is_empty()).then(|| policy.duties.clone()),
    };
    let at_first = State::default().policy().clone();
    let is_other =
        Policy { user_verification: at_first.user_verification, ..policy.clone() } != at_first;
    is_other.then_some(change)
}
