//! Which accounts a command is about.

use std::collections::BTreeSet;

use clap::Args;

use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::record::{AccountIdentity, Handle, State, Tag};
use crate::text::sanitise;

/// Accounts by handle, id or tag.
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["accounts", "tagged"])]
pub struct Chosen {
    /// Which accounts, by handle or id
    #[arg(value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// All accounts with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tagged: Vec<Tag>,
}

impl Chosen {
    /// Their handles, sorted, each once.
    pub fn handles(&self, state: &State) -> Result<Vec<Handle>, Failure> {
        Ok(chosen(state, &self.accounts, &self.tagged)?.into_iter().collect())
    }
}

fn chosen(state: &State, accounts: &[String], tags: &[Tag]) -> Result<BTreeSet<Handle>, Failure> {
    let named = accounts.iter().map(|account| named(state, account));
    let mut chosen = named.collect::<Result<BTreeSet<Handle>, Failure>>()?;
    for tag in tags {
        let tagged = state.accounts().iter().filter(|(_, a)| a.tags.contains(tag));
        let tagged: Vec<Handle> = tagged.map(|(handle, _)| handle.clone()).collect();
        if tagged.is_empty() {
            return Err(Failure::new(exit::USAGE, format!("no account has the tag {tag}")));
        }
        chosen.extend(tagged);
    }
    Ok(chosen)
}

/// What is about some accounts only, or about all.
#[derive(Debug, Args)]
pub struct About {
    /// What is about this account only, by handle or id; may be repeated
    #[arg(long = "account", value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// What is about accounts with this tag only; may be repeated
    #[arg(long = "tag", visible_alias = "tagged", value_name = "TAG")]
    tags: Vec<Tag>,
}

impl About {
    /// Their handles; nothing where all are meant.
    pub fn handles(&self, state: &State) -> Result<Option<BTreeSet<Handle>>, Failure> {
        if self.accounts.is_empty() && self.tags.is_empty() {
            return Ok(None);
        }
        chosen(state, &self.accounts, &self.tags).map(Some)
    }
}

/// Says whom the vault doesn't know of those who are named: it may be a slip of the keyboard.
pub fn tell_strangers<'a>(session: &Session<'_>, named: impl IntoIterator<Item = &'a Handle>) {
    let known = session.state().custodians();
    let strangers: BTreeSet<&Handle> =
        named.into_iter().filter(|who| !known.contains_key(*who)).collect();
    for who in strangers {
        let note = format!("NOTE: {who} is no custodian here, and is recorded by that name only.");
        session.context.terminal.say(&note);
    }
}

/// The account that somebody means by its handle, or by its id at its provider.
pub fn named(state: &State, given: &str) -> Result<Handle, Failure> {
    let accounts = state.accounts();
    let by_handle = given.parse().ok().filter(|handle| accounts.contains_key(handle));
    let at_aws = given.parse().ok().zip("aws".parse().ok());
    let at_aws = at_aws.map(|(id, aws)| AccountIdentity::given(aws, id).id);
    let is_it = |known: &AccountIdentity| {
        known.id.as_str() == given || (known.is_aws() && at_aws.as_ref() == Some(&known.id))
    };
    let same_id = accounts.iter().filter(|(_, known)| is_it(&known.identity));
    let same_id: Vec<&Handle> = same_id.map(|(handle, _)| handle).collect();
    if let Some(handle) = by_handle {
        if let Some(other) = same_id.iter().find(|other| ***other != handle) {
            let message = format!("{handle} is the handle of one account, and the id of {other}");
            return Err(Failure::new(exit::USAGE, message)
                .hint(format!("name {other} so, and give the other a handle that is no id")));
        }
        return Ok(handle);
    }
    if let [one] = same_id.as_slice() {
        return Ok((*one).clone());
    }
    let shown = sanitise(given, 80);
    let listed = |handles: &mut dyn Iterator<Item = &Handle>| {
        handles.map(Handle::to_string).collect::<Vec<_>>().join(", ")
    };
    if !same_id.is_empty() {
        let message = format!("several accounts have the id {shown}");
        return Err(Failure::new(exit::USAGE, message)
            .hint(format!("name one of them: {}", listed(&mut same_id.into_iter()))));
    }
    let failure = Failure::new(exit::USAGE, format!("there is no account {shown}"));
    let removed = given.parse().is_ok_and(|handle| state.former_accounts().contains_key(&handle));
    Err(match accounts.len() {
        _ if removed => Failure::new(exit::USAGE, format!("the account {shown} was removed")),
        _ if given.contains('/') => failure.hint("the device comes first, then the accounts"),
        0 => failure.hint("none is recorded: keymuster account add, or account import"),
        1..=20 => failure.hint(format!("accounts are: {}", listed(&mut accounts.keys()))),
        _ => failure.hint("keymuster account list tells which there are"),
    })
}
