//! `keymuster reader`: who may read the log and sign nothing.

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::change::Change;
use super::context::Context;
use super::cosigners::{Matter, Signing};
use super::epochs;
use super::exit;
use super::failure::Failure;
use super::output::{Answer, table};
use super::session::{Session, locate};
use super::slip::write_slip;
use super::{enrolment::recorded, machine};
use crate::record::{
    AgeRecipient, Event, Handle, KeyName, ReaderAdded, ReaderRemoved, State, UnfitValue,
};
use crate::vault::{AgeIdentity, Recipient};

/// `keymuster reader …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Let somebody read the log, who can sign nothing
    Add(Add),
    /// Let them read it no more, from now on
    Remove(Remove),
    /// List the readers
    List,
}

/// `keymuster reader add`
#[derive(Debug, Args)]
#[command(override_usage = "keymuster reader add <HANDLE> <age1…|--this-machine>")]
#[command(group = ArgGroup::new("whose").required(true).args(["recipient", "this_machine"]))]
#[command(
    after_help = "Examples:\n  keymuster reader add auditor age1…\n  keymuster reader add alice-laptop --this-machine"
)]
pub struct Add {
    /// Their handle
    // Parsed later, too: whoever mixes the two up may have typed a secret key.
    reader: String,
    /// The recipient of an age identity that they keep, as age-keygen shows it
    // Parsed later: an error of the parser's would repeat what may be a secret key.
    recipient: Option<String>,
    /// Make an identity that stays on this machine: reading then needs no key here
    #[arg(long)]
    this_machine: bool,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster reader remove`
#[derive(Debug, Args)]
pub struct Remove {
    /// Their handle
    reader: Handle,
    #[command(flatten)]
    signers: Signing,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Add(add) => add_reader(context, &add),
        Command::Remove(remove) => remove_reader(context, &remove),
        Command::List => list(context),
    }
}

fn add_reader(context: &Context, add: &Add) -> Result<Answer, Failure> {
    if add.reader.to_ascii_uppercase().starts_with("AGE-SECRET-KEY") {
        let message = "this is a secret key; a reader is given by a handle and a recipient";
        return Err(Failure::new(exit::USAGE, message)
            .hint("keymuster reader add auditor age1…, and take the secret key out of your shell's history"));
    }
    let reader: &Handle = &add
        .reader
        .parse()
        .map_err(|error: UnfitValue| Failure::new(exit::USAGE, error.to_string()))?;
    let unfit = |error| Failure::new(exit::USAGE, format!("recipient of {reader}: {error}"));
    let given = add.recipient.as_deref().map(Recipient::parse).transpose().map_err(unfit)?;
    if given.is_none() {
        check_not_reader(context)?;
    }
    let event = |session: &Session<'_>, opener: &KeyName| {
        let recipient = match &given {
            Some(given) => recorded(given)?,
            None => own_recipient(context, session)?,
        };
        let owner = given.is_none().then(|| opener.owner.clone());
        Ok(Event::ReaderAdded(ReaderAdded { reader: reader.clone(), recipient, owner }))
    };
    let here = if add.this_machine { ", on this machine without a key" } else { "" };
    reseal(context, &add.signers, event, |state| {
        let mut words =
            format!("{reader} may read the log{here}: all of it, from its first entry on.\n");
        let owner = state.readers().get(reader).and_then(|reader| reader.owner.as_ref());
        if let Some(owner) = owner {
            words.push_str(&format!(
                "It is a machine of {owner}'s, and reads as long as {owner} stays.\n"
            ));
        }
        words
    })
}

/// Fails, without a touch, if this machine is a reader.
fn check_not_reader(context: &Context) -> Result<(), Failure> {
    let Some(identity) = machine::identity(context, &locate(context)?.id)? else { return Ok(()) };
    let Some(session) = Session::open_without_key(context)? else { return Ok(()) };
    match reader_with(session.state(), &recorded(identity.recipient())?) {
        None => Ok(()),
        Some(reader) => {
            let message = format!("this machine reads the log already, as {reader}");
            Err(Failure::new(exit::FAILED, message))
        }
    }
}

fn reader_with<'a>(state: &'a State, recipient: &AgeRecipient) -> Option<&'a Handle> {
    let mut readers = state.readers().iter();
    readers.find(|(_, known)| known.recipient == *recipient).map(|(reader, _)| reader)
}

/// The recipient of this machine's identity. One of a reader that was removed is spent: then
/// the machine gets another.
fn own_recipient(context: &Context, session: &Session<'_>) -> Result<AgeRecipient, Failure> {
    let (state, vault) = (session.state(), session.vault.location().id);
    let own = recorded(machine::identity_or_new(context, &vault)?.recipient())?;
    if !state.was_recipient(&own) || reader_with(state, &own).is_some() {
        return Ok(own);
    }
    machine::forget(context, &vault)?;
    recorded(machine::identity_or_new(context, &vault)?.recipient())
}

fn remove_reader(context: &Context, remove: &Remove) -> Result<Answer, Failure> {
    let reader = &remove.reader;
    let event = |_: &Session<'_>, _: &KeyName| {
        Ok(Event::ReaderRemoved(ReaderRemoved { reader: reader.clone() }))
    };
    reseal(context, &remove.signers, event, |_| {
        format!(
            "What is written from now on is closed to {reader}. What they could read before, they\n\
             may have kept.\n"
        )
    })
}

/// Records a change of readers, with the new epoch of `records` that it brings. Of a slip, whoever
/// collects it seals that.
fn reseal(
    context: &Context,
    signing: &Signing,
    event: impl FnOnce(&Session<'_>, &KeyName) -> Result<Event, Failure>,
    words: impl FnOnce(&State) -> String,
) -> Result<Answer, Failure> {
    let by = &signing.signers;
    if let Some(file) = &signing.slip {
        let change =
            |session: &Session<'_>, opener: &KeyName| Ok(Change::of(event(session, opener)?));
        return write_slip(context, file, by, change);
    }
    let mut session = Session::open_to_write(context, by.opener(), None)?;
    session.vault.check_sound()?;
    let opener = session.opener()?;
    let event = event(&session, &opener.name)?;
    let events = std::slice::from_ref(&event);
    epochs::state_after(context, session.state(), events, &[])?;
    let signers = session.gather(Matter::resealing(events), vec![opener], &by.by)?;
    let mut change = Change::of(event);
    let opened: Vec<&AgeIdentity> =
        signers.iter().filter_map(|s| s.identity.as_ref()).map(|i| i.key()).collect();
    epochs::renew(context, &session.vault, &mut change, &opened, false)?;
    let decided = session.decide(signers, change)?;
    let words = words(session.state());
    Ok(decided.answer(&session, words))
}

#[derive(Serialize)]
struct ReaderList {
    readers: Vec<ReaderView>,
}

#[derive(Serialize)]
struct ReaderView {
    reader: String,
    recipient: String,
    added: String,
}

fn list(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let readers: Vec<ReaderView> = session
        .state()
        .readers()
        .iter()
        .map(|(handle, reader)| ReaderView {
            reader: handle.to_string(),
            recipient: reader.recipient.to_string(),
            added: reader.added.time.to_string(),
        })
        .collect();
    let rows: Vec<Vec<String>> = readers
        .iter()
        .map(|r| vec![r.reader.clone(), r.recipient.clone(), r.added.clone()])
        .collect();
    let human = if rows.is_empty() {
        "Nobody reads the log but the custodians.\n".to_owned()
    } else {
        table(&["reader", "identity", "added"], &rows)
    };
    Ok(Answer::new("reader-list", &ReaderList { readers }, human).exiting(session.exit()))
}
