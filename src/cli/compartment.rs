//! `keymuster compartment`: who can open which secrets.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::change::Change;
use super::context::Context;
use super::cosigners::{Cosigner, Matter, Signers};
use super::due::new_identity_by;
use super::epochs;
use super::exit;
use super::failure::Failure;
use super::output::{Answer, count, table};
use super::session::Session;
use crate::record::{Event, Handle, KeyState, MembersChosen, RECORDS, SEEDS, State};
use crate::vault::{AgeIdentity, PersonalIdentity};

/// `keymuster compartment …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a compartment that opens to some custodians only
    Add(Add),
    /// Let custodians into a compartment, or shut them out of what is put in it from now on
    Change(ChangeMembers),
    /// List the compartments and whom they open to
    List,
}

/// `keymuster compartment add`
#[derive(Debug, Args)]
#[command(after_help = "Whoever opens the vault must be one of them, and opens it as a check.\n\n\
    Example:\n  keymuster compartment add passwords --member carol --member dave")]
pub struct Add {
    /// Its name: 1 to 32 characters of a-z, 0-9 and -
    compartment: Handle,
    /// A custodian whom it opens to; may be repeated
    #[arg(long = "member", value_name = "HANDLE", required = true)]
    members: Vec<Handle>,
    #[command(flatten)]
    signers: Signers,
}

/// `keymuster compartment change`
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["add", "remove"])]
#[command(after_help = "Whoever opens the vault must belong to it, and stay.\n\n\
    Example:\n  keymuster compartment change passwords --add erin --remove dave")]
pub struct ChangeMembers {
    /// Its name
    compartment: Handle,
    /// A custodian whom it is to open to; may be repeated
    #[arg(long, value_name = "HANDLE")]
    add: Vec<Handle>,
    /// A custodian whom it is to open to no more; may be repeated
    #[arg(long, value_name = "HANDLE")]
    remove: Vec<Handle>,
    #[command(flatten)]
    signers: Signers,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Add(add) => make(context, &add),
        Command::Change(change) => change_members(context, &change),
        Command::List => list(context),
    }
}

fn make(context: &Context, add: &Add) -> Result<Answer, Failure> {
    let mut session = Session::open_to_write(context, add.signers.opener(), None)?;
    session.vault.check_sound()?;
    let name = &add.compartment;
    if session.state().compartments().contains_key(name) {
        let failure = Failure::new(exit::USAGE, format!("there is a compartment {name} already"));
        return Err(if is_chosen(name) {
            failure.hint(format!("keymuster compartment change {name} lets others in"))
        } else {
            failure.hint("every vault has it; give yours another name")
        });
    }
    let members: BTreeSet<Handle> = add.members.iter().cloned().collect();
    let opener = session.opener()?;
    let mut change = Change::of(chosen(name, &members));
    epochs::state_after(context, session.state(), &change.events, &[])?;
    check_belongs(&opener, &members, name)?;
    check_exposures(context, session.state(), name, &members)?;
    epochs::found(context, &session.vault, &mut change, name)?;
    sign(session, opener, change, &add.signers, name)
}

fn change_members(context: &Context, asked: &ChangeMembers) -> Result<Answer, Failure> {
    let mut session = Session::open_to_write(context, asked.signers.opener(), None)?;
    session.vault.check_sound()?;
    let state = session.state();
    let name = &asked.compartment;
    let Some(known) = state.compartments().get(name) else {
        return Err(no_compartment(state, name));
    };
    let sealed: BTreeSet<Handle> = known.sealing.members.iter().cloned().collect();
    let mut members: BTreeSet<Handle> = state.members_of(name).into_iter().flatten().collect();
    if let Some(who) = asked.add.iter().find(|who| asked.remove.contains(who)) {
        return Err(Failure::new(exit::USAGE, format!("{who} can't be added and removed at once")));
    }
    if asked.add.is_empty() && members.iter().all(|member| asked.remove.contains(member)) {
        return Err(Failure::new(exit::USAGE, format!("nobody could open {name} then")).hint(
            "put what is in it elsewhere: keymuster secret replace NAME --compartment WHICH",
        ));
    }
    if let Some(who) = asked.remove.iter().find(|who| !members.contains(who)) {
        let message = format!("{who} doesn't belong to {name}");
        return Err(Failure::new(exit::USAGE, message).hint(opens_to(name, &members)));
    }
    let before = members.clone();
    members.extend(asked.add.iter().cloned());
    members.retain(|member| !asked.remove.contains(member));
    if members == before && members == sealed {
        let view = serde_json::json!({ "compartment": name.as_str() });
        return Ok(Answer::new("nothing-changed", &view, "It is so already.\n".to_owned()));
    }
    let opener = session.opener()?;
    check_belongs(&opener, &sealed, name)?;
    if !members.contains(&opener.name.owner) {
        let who = &opener.name.owner;
        let message = format!("{who} opened the vault, and can't sign themselves out of {name}");
        return Err(Failure::new(exit::NO, message)
            .hint(format!("{}: one of them does, with --by", opens_to(name, &members))));
    }
    check_exposures(context, session.state(), name, members.difference(&before))?;
    let say = |line: String| context.terminal.say(&line);
    for who in before.difference(&members) {
        say(format!("{who} is shut out of {name}, and may have kept what is in it."));
    }
    for who in members.difference(&before) {
        say(format!("{who} is let into {name}, and opens what was put in it before, too."));
    }
    let mut change = Change::of(chosen(name, &members));
    let opened: Vec<&AgeIdentity> = opener.identity.iter().map(PersonalIdentity::key).collect();
    epochs::renew(context, &session.vault, &mut change, &opened, false)?;
    sign(session, opener, change, &asked.signers, name)
}

/// Whether its members are chosen: those that every vault has open to every custodian.
fn is_chosen(name: &Handle) -> bool {
    ![RECORDS, SEEDS].contains(&name.as_str())
}

fn chosen(name: &Handle, members: &BTreeSet<Handle>) -> Event {
    let members = members.iter().cloned().collect();
    Event::MembersChosen(MembersChosen { compartment: name.clone(), members })
}

/// Fails unless whoever opened the vault is one of those whom a compartment opens to: without
/// one of them nobody could tell whether it does.
fn check_belongs(
    opener: &Cosigner,
    members: &BTreeSet<Handle>,
    name: &Handle,
) -> Result<(), Failure> {
    let who = &opener.name.owner;
    if members.contains(who) {
        return Ok(());
    }
    let message = format!("{who} opened the vault, and isn't one of those whom {name} opens to");
    Err(Failure::new(exit::NO, message)
        .hint(format!("{}; name one with --by", opens_to(name, members))))
}

/// Fails where a compartment would open to the identity of somebody whose copy was reported, who
/// must have another one first.
pub fn check_exposures<'a>(
    context: &Context,
    state: &State,
    name: &Handle,
    members: impl IntoIterator<Item = &'a Handle>,
) -> Result<(), Failure> {
    for slot in members.into_iter().flat_map(|who| state.exposures(who)) {
        // Another's report may be wrong, and is settled by two.
        if state.keys().get(&slot).is_some_and(|key| matches!(key.state, KeyState::Suspended(_))) {
            let note = format!("NOTE: {name} opens to the identity in {slot}, which is suspended.");
            context.terminal.say(&note);
            continue;
        }
        let message = format!("{name} opens to the identity in {slot}, which was reported");
        let how = new_identity_by(state, &slot.owner);
        return Err(Failure::new(exit::NO, message)
            .hint(format!("give {} another identity first: {how}", slot.owner)));
    }
    Ok(())
}

fn opens_to(name: &Handle, members: &BTreeSet<Handle>) -> String {
    let members: Vec<&str> = members.iter().map(Handle::as_str).collect();
    let whom = if members.is_empty() { "nobody".to_owned() } else { members.join(", ") };
    format!("{name} opens to {whom}")
}

fn sign(
    mut session: Session<'_>,
    opener: Cosigner,
    change: Change,
    signers: &Signers,
    name: &Handle,
) -> Result<Answer, Failure> {
    let gathered = session.gather(Matter::resealing(&change.events), vec![opener], &signers.by)?;
    let decided = session.decide(gathered, change)?;
    let members = session.state().members_of(name).unwrap_or_default();
    let mut words = String::new();
    if let [only] = members.as_slice() {
        words
            .push_str(&format!("What is in {name} is lost with {only}, whom alone it opens to.\n"));
    }
    for who in session.state().custodians().keys() {
        let kept = session.state().secrets_kept_by(who).len();
        if kept > 0 {
            let secrets = count(kept, "secret", "secrets");
            words.push_str(&format!(
                "{who} could open {secrets} that should be closed to them now: keymuster vault impact {who}\n"
            ));
        }
    }
    Ok(decided.answer(&session, words))
}

/// The failure of whoever names no compartment.
pub fn no_compartment(state: &State, name: &Handle) -> Failure {
    let names: Vec<&str> = state.compartments().keys().map(Handle::as_str).collect();
    Failure::new(exit::USAGE, format!("there is no compartment {name}"))
        .hint(format!("there are: {}; keymuster compartment add makes one", names.join(", ")))
}

#[derive(Serialize)]
struct CompartmentList {
    compartments: Vec<CompartmentView>,
}

#[derive(Serialize)]
struct CompartmentView {
    compartment: String,
    /// Whom its present epoch is encrypted to.
    opens_to: Vec<String>,
    /// Whether its members were chosen; else it opens to every custodian.
    chosen: bool,
    /// Whether it should be encrypted to others by now.
    outdated: bool,
    /// Whether nobody who is left opens it, so that it takes nothing any more.
    lost: bool,
    epoch: u32,
    sealed: String,
    /// How many secrets have their present value in it.
    secrets: usize,
}

fn list(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let views = state.compartments().iter().map(|(name, known)| {
        let inside = state.secrets().values().filter_map(|secret| secret.present());
        CompartmentView {
            compartment: name.to_string(),
            opens_to: known.sealing.members.iter().map(Handle::to_string).collect(),
            chosen: is_chosen(name),
            outdated: state.is_outdated(name),
            lost: state.openers_of(name).is_empty(),
            epoch: known.sealing.epoch,
            sealed: known.sealed.time.to_string(),
            secrets: inside.filter(|present| present.compartment == *name).count(),
        }
    });
    let view = CompartmentList { compartments: views.collect() };
    let rows: Vec<Vec<String>> = view
        .compartments
        .iter()
        .map(|c| {
            let holds = match (c.compartment.as_str(), c.secrets) {
                (RECORDS, _) => "the log".to_owned(),
                (_, many) => count(many, "secret", "secrets"),
            };
            let outdated = match (c.outdated, c.lost) {
                (_, true) => ", which nobody who is left opens",
                (true, false) => ", to be encrypted anew",
                (false, false) => "",
            };
            let epoch = format!("{}{outdated}", c.epoch);
            vec![c.compartment.clone(), holds, c.opens_to.join(", "), epoch]
        })
        .collect();
    let human = table(&["compartment", "holds", "opens to", "epoch"], &rows);
    Ok(Answer::new("compartment-list", &view, human).exiting(session.exit()))
}
