//! `keymuster account`: the accounts whose root users are looked after here.

mod chosen;
mod concerns;
mod details;
mod import;
mod link;
mod list;
mod show;
mod trial;

pub use chosen::{About, named};
pub use concerns::in_words as concern_in_words;

use std::cell::RefCell;

use clap::{Args, Subcommand};

use super::context::Context;
use super::cosigners::Signing;
use super::failure::Failure;
use super::output::Answer;
use super::session::Session;
use super::signing::record_and_tell;
use crate::record::{AccountRemoved, Event, Handle, KeyName, Line};

/// `keymuster account …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look after another account, which two custodians sign
    Add(details::Add),
    /// List the accounts
    List(list::List),
    /// Show all that is known of one, and what to worry about
    Show(show::Show),
    /// Change what is known of one; its root user's address, telephone and credentials by two
    Change(details::Change),
    /// Look after an account no more, which two custodians sign
    Remove(Remove),
    /// Add accounts from a spreadsheet (CSV) or from what aws organizations list-accounts prints
    Import(import::Import),
    /// Hold such a list against what is recorded; exit 3 if they differ
    Compare(import::Compare),
    /// Record that a key, or a token, is an MFA device of root users, which two custodians sign
    Link(link::Link),
    /// Record that a key, or a token, is one no longer, which two custodians sign
    Unlink(link::Unlink),
    /// Record who has a token, or where it is kept
    Token(link::Token),
    /// Record that contacts and details were looked at, and are current
    ContactsReviewed(trial::Tried),
    /// Record that a message to the root user's address arrived, and was read
    MailboxTested(trial::Tried),
    /// Record that a call to the root user's telephone was answered
    PhoneTested(trial::Tried),
    /// Record that the root user signed in
    SignInProven(trial::SignedIn),
}

/// `keymuster account remove`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keymuster account remove sandbox --remark \"closed\"")]
pub struct Remove {
    /// Its handle or id
    account: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    remark: Option<Line>,
    #[command(flatten)]
    signers: Signing,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Add(add) => details::add(context, &add),
        Command::List(list) => list::run(context, &list),
        Command::Show(show) => show::run(context, &show),
        Command::Change(change) => details::change(context, &change),
        Command::Remove(remove) => forget(context, &remove),
        Command::Import(import) => import::import(context, &import),
        Command::Compare(compare) => import::compare(context, &compare),
        Command::Link(link) => link::link(context, &link),
        Command::Unlink(unlink) => link::unlink(context, &unlink),
        Command::Token(token) => link::token(context, &token),
        Command::ContactsReviewed(tried) => trial::run(context, &tried, Event::ContactsReviewed),
        Command::MailboxTested(tried) => trial::run(context, &tried, Event::MailboxTested),
        Command::PhoneTested(tried) => trial::run(context, &tried, Event::PhoneTested),
        Command::SignInProven(signed_in) => trial::signed_in(context, &signed_in),
    }
}

fn forget(context: &Context, remove: &Remove) -> Result<Answer, Failure> {
    let kept = RefCell::new(Vec::new());
    let events = |session: &Session<'_>, _: &KeyName| {
        let account = chosen::named(session.state(), &remove.account)?;
        let known = session.state().accounts().get(&account);
        kept.borrow_mut().extend(known.into_iter().flat_map(|known| known.secrets.clone()));
        let remark = remove.remark.clone();
        Ok(vec![Event::AccountRemoved(AccountRemoved { account, remark })])
    };
    record_and_tell(context, &remove.signers, events, |_| {
        let kept: Vec<String> = kept.borrow().iter().map(Handle::to_string).collect();
        if kept.is_empty() {
            return String::new();
        }
        format!("What is in custody of it stays there: {}.\n", kept.join(", "))
    })
}
