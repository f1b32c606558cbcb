//! `keymuster custodian`: the people who hold the keys.

mod add;
mod invite;
mod list;

use clap::{Args, Subcommand};

use super::change::Change;
use super::context::Context;
use super::cosigners::{By, Matter, Signing};
use super::epochs;
use super::exit;
use super::failure::Failure;
use super::output::Answer;
use super::session::Session;
use super::signing::record_events;
use super::slip::write_slip;
use super::unlock::Opener;
use crate::record::{
    CustodianChanged, CustodianLeft, DutiesAcknowledged, Event, Handle, Line, UnfitValue,
};
use crate::vault::AgeIdentity;

/// What custodians acknowledge where their vault has set no text of its own.
const DUTIES: [&str; 6] = [
    "I keep my security key where I said that I keep it, and its PIN apart from it.",
    "I lend neither, and use my key for nothing that I don't understand.",
    "I report a key or a paper copy that is lost, or that somebody else may have used, at once.",
    "I sign what I have read, at a machine that I have reason to trust.",
    "I use root credentials for tasks that need them, with a witness, and record it.",
    "I can be reached as recorded, and say when that changes or when I leave.",
];

/// `keymuster custodian …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Let somebody join: their key makes credentials, and signs
    Add(add::Add),
    /// Invite somebody who isn't here to join
    Invite(invite::Invite),
    /// Make one's part of a vault one was invited to: a key, an identity, and a slip
    Accept(invite::Accept),
    /// List the custodians and their keys
    List,
    /// Show all that is known of one
    Show(list::Show),
    /// Change what is known of one
    Change(ChangeDetails),
    /// Record that somebody leaves, and shut them out of what is written from now on
    Leave(Leave),
    /// Sign the text of one's duties
    Acknowledge(Acknowledge),
}

/// `keymuster custodian change`
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["name", "contact", "no_contact", "deputy"])]
#[command(
    after_help = "Example:\n  keymuster custodian change bob --contact \"+44 20 7946 0000, at night too\" --deputy carol"
)]
pub struct ChangeDetails {
    /// Their handle
    custodian: Handle,
    /// Their full name
    #[arg(long)]
    name: Option<Line>,
    /// How to reach them, at night too; may be repeated, one line each
    #[arg(long, value_name = "TEXT", conflicts_with = "no_contact")]
    contact: Vec<Line>,
    /// Forget how to reach them
    #[arg(long)]
    no_contact: bool,
    /// Who stands in for them
    #[arg(long, value_name = "HANDLE")]
    deputy: Option<Handle>,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster custodian leave`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keymuster custodian leave bob --remark \"left the company\"")]
pub struct Leave {
    /// Their handle
    custodian: Handle,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    remark: Option<Line>,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster custodian acknowledge`
#[derive(Debug, Args)]
pub struct Acknowledge {
    /// Their handle; else that of whoever opens the vault
    custodian: Option<Handle>,
    #[command(flatten)]
    signers: Signing,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Add(add) => add::run(context, &add),
        Command::Invite(invite) => invite::invite(context, &invite),
        Command::Accept(accept) => invite::accept(context, &accept),
        Command::List => list::list(context),
        Command::Show(show) => list::show(context, &show),
        Command::Change(change) => change_details(context, &change),
        Command::Leave(leave) => leave_vault(context, &leave),
        Command::Acknowledge(acknowledge) => acknowledge_duties(context, &acknowledge),
    }
}

/// Fails, before anybody is asked for anything, if events can't happen.
fn check_possible(session: &Session<'_>, events: &[Event]) -> Result<(), Failure> {
    epochs::state_after(session.context, session.state(), events, &[]).map(drop)
}

fn change_details(context: &Context, change: &ChangeDetails) -> Result<Answer, Failure> {
    record_events(context, &change.signers, |session, _| {
        let contact = change.no_contact || !change.contact.is_empty();
        let mut changed = CustodianChanged {
            custodian: change.custodian.clone(),
            name: change.name.clone(),
            contact: contact.then(|| change.contact.clone()),
            deputy: change.deputy.clone(),
        };
        if let Some(known) = session.state().custodians().get(&change.custodian) {
            changed.name.take_if(|name| known.name.as_ref() == Some(name));
            changed.contact.take_if(|lines| *lines == known.contact);
            changed.deputy.take_if(|deputy| known.deputy.as_ref() == Some(deputy));
        }
        let changes =
            changed.name.is_some() || changed.contact.is_some() || changed.deputy.is_some();
        Ok(changes.then_some(Event::CustodianChanged(changed)).into_iter().collect())
    })
}

fn leave_vault(context: &Context, leave: &Leave) -> Result<Answer, Failure> {
    let signers = &leave.signers.signers;
    let event = Event::CustodianLeft(CustodianLeft {
        custodian: leave.custodian.clone(),
        remark: leave.remark.clone(),
    });
    let opener = match signers.opener() {
        named if named.is_of(&leave.custodian) => {
            let message = format!("{} can't sign for their own leaving", leave.custodian);
            return Err(Failure::new(exit::USAGE, message)
                .hint("two others do, whom --by names: what they seal anew must open to them"));
        }
        named if named.is_somebody() => named,
        _ => Opener::AnyBut(&leave.custodian),
    };
    if let Some(file) = &leave.signers.slip {
        // Whoever collects it seals anew.
        return write_slip(context, file, signers, |_, _| Ok(Change::of(event)));
    }
    let mut session = Session::open_to_write(context, opener, None)?;
    session.vault.check_sound()?;
    let opener = session.opener()?;
    check_possible(&session, std::slice::from_ref(&event))?;
    let events = std::slice::from_ref(&event);
    let matter = Matter { without: Some(&leave.custodian), ..Matter::resealing(events) };
    let signers = session.gather(matter, vec![opener], &signers.by)?;
    let mut change = Change::of(event);
    epochs::tell_lost(&session, &change.events)?;
    let opened: Vec<&AgeIdentity> =
        signers.iter().filter_map(|s| s.identity.as_ref()).map(|i| i.key()).collect();
    epochs::renew(context, &session.vault, &mut change, &opened, false)?;
    let decided = session.decide(signers, change)?;
    let who = &leave.custodian;
    let mut words = format!(
        "{who} has left: no key of theirs signs any more, and what is written from now on is\n\
         closed to their keys. What they could open before, they may have kept:\n\
         keymuster vault impact {who} lists it.\n"
    );
    let readers: Vec<String> = session.state().readers().keys().map(Handle::to_string).collect();
    if !readers.is_empty() {
        words.push_str(&format!(
            "These readers stay: {}. Remove those whose identity {who} has: keymuster reader remove\n",
            readers.join(", ")
        ));
    }
    for (key, _) in session.state().keys().iter().filter(|(_, key)| key.holder == *who) {
        words.push_str(&format!("Take {key} back from them.\n"));
    }
    Ok(decided.answer(&session, words))
}

fn acknowledge_duties(context: &Context, acknowledge: &Acknowledge) -> Result<Answer, Failure> {
    let mut signing = acknowledge.signers.clone();
    let by = &mut signing.signers.by;
    if let (Some(custodian), []) = (&acknowledge.custodian, by.as_slice()) {
        by.push(By::Custodian(custodian.clone()));
    }
    record_events(context, &signing, |session, opener| {
        let custodian = acknowledge.custodian.clone().unwrap_or_else(|| opener.owner.clone());
        let shipped = || DUTIES.iter().map(|line| line.parse()).collect::<Result<Vec<Line>, _>>();
        let duties = match session.state().policy().duties.as_slice() {
            [] => shipped().map_err(|error: UnfitValue| {
                Failure::because(exit::FAILED, "the text of duties is a bug", &error)
            })?,
            own => own.to_vec(),
        };
        Ok(vec![Event::DutiesAcknowledged(DutiesAcknowledged { custodian, duties })])
    })
}
