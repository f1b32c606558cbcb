//! `keymuster vault init`: a new vault, founded by one key.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::succession::Succession;
use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::device::only_device;
use crate::cli::enrolment::{Enrolment, STEPS, check_fitness, ready_key, recorded};
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, HeadView};
use crate::cli::paper::{Paper, PaperArgs};
use crate::cli::session::Session;
use crate::cli::{epochs, exit};
use crate::record::{
    CustodianAdded, Event, Handle, Hex, KeyName, Line, PAPER, RECORDS, ReaderAdded, Realm, SEEDS,
    UserVerification, VaultCreated, VaultId,
};
use crate::vault::{
    AgeIdentity, CompartmentIdentity, CompartmentName, Founded, IdentityName, PersonalIdentity,
    Recipient, Staging,
};

/// `keymuster vault init`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keymuster vault init vault --name \"Example Corp\" --custodian alice --key primary"
)]
pub struct Init {
    /// The folder to make it in; it may hold other things, such as .git
    dir: PathBuf,
    /// Whose vault it is
    #[arg(long)]
    name: Line,
    /// The founding custodian's handle
    #[arg(long, value_name = "HANDLE")]
    custodian: Handle,
    /// What the founder's key is to be called
    #[arg(long, value_name = "LABEL")]
    key: Handle,
    /// Somebody who may read the log and sign nothing, and their age recipient; may be repeated
    // Parsed later: an error of the parser's would repeat what may be a secret key.
    #[arg(long, value_name = "HANDLE=age1…")]
    reader: Vec<String>,
    /// Make a demo vault, whose keys are software
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    succession: Succession,
    #[command(flatten)]
    paper: PaperArgs,
}

/// `--reader auditor=age1…`
#[derive(Debug, Clone)]
pub struct NewReader {
    handle: Handle,
    recipient: Recipient,
}

impl NewReader {
    fn parse(text: &str) -> Result<Self, Failure> {
        let unfit = |reason: String| Failure::new(exit::USAGE, format!("--reader: {reason}"));
        let (handle, recipient) = text
            .split_once('=')
            .ok_or_else(|| unfit("a reader is given as HANDLE=age1…".to_owned()))?;
        let handle: Handle =
            handle.parse().map_err(|error: crate::record::UnfitValue| unfit(error.to_string()))?;
        let recipient = Recipient::parse(recipient)
            .map_err(|error| unfit(format!("recipient of {handle}: {error}")))?;
        Ok(Self { handle, recipient })
    }
}

#[derive(Serialize)]
struct FoundedView {
    folder: String,
    vault: String,
    name: String,
    demo: bool,
    custodian: String,
    key: String,
    fingerprint: String,
    head: HeadView,
}

pub fn run(context: &Context, init: &Init) -> Result<Answer, Failure> {
    let root = std::path::absolute(&init.dir)
        .map_err(|error| Failure::because(exit::FAILED, "the folder can't be told", &error))?;
    Staging::check(&root)?;
    if init.key.as_str() == PAPER {
        return Err(Failure::new(
            exit::USAGE,
            "a key can't be called paper: that is the copy in the safe",
        ));
    }
    let readers = init.reader.iter().map(|reader| NewReader::parse(reader));
    let readers = readers.collect::<Result<Vec<_>, _>>()?;
    let mut handles = BTreeSet::from([&init.custodian]);
    if let Some(twice) = readers.iter().find(|reader| !handles.insert(&reader.handle)) {
        return Err(Failure::new(
            exit::USAGE,
            format!("the handle {} is given twice", twice.handle),
        ));
    }
    let paper = Paper::new(context, init.paper.paper_fd)?;
    let realm = if init.demo { Realm::Demo } else { Realm::Real };
    let id: VaultId = Hex(context.random()?);
    let name = KeyName { owner: init.custodian.clone(), label: init.key.clone() };

    if init.demo {
        context.tell_demo();
    }
    let inherited = init.succession.events(context, realm)?;
    let mut keys = context.keys_with_blank(realm, &root)?;
    let device =
        only_device(keys.as_mut(), context.new_device(realm), "one is meant to found the vault")?;
    let key = ready_key(context, keys.as_mut(), device, &name)?;
    check_fitness(&key)?;

    // Everything that can be refused is refused before the first touch.
    let staging = Staging::begin(&root, id)?;
    let layout = staging.layout().clone();
    let mut random = context.random_source()?;
    let mut identity = || {
        AgeIdentity::generate(&mut random).map_err(|error| {
            Failure::because(exit::FAILED, "couldn't make an age identity", &error)
        })
    };
    let text = id.to_string();
    let own = IdentityName { vault: &text, custodian: init.custodian.as_str(), generation: 1 };
    let personal = PersonalIdentity::new(&own, identity()?);
    let records = CompartmentIdentity::new(&compartment(&text, RECORDS), identity()?);
    let seeds = CompartmentIdentity::new(&compartment(&text, SEEDS), identity()?);

    let mut enrolment =
        Enrolment { context, keys: keys.as_mut(), key: &key, vault: id, realm, name: name.clone() };
    let new = enrolment.make_credentials(Vec::new())?;
    let (sealed, mut files) = enrolment.seal_identity(&layout, &personal, &new.unlocking, STEPS)?;
    let (paper_event, paper_file, personal) = paper.seal(personal, &layout)?;
    files.push(paper_file);

    let mut events = vec![
        Event::VaultCreated(VaultCreated {
            name: init.name.clone(),
            demo: init.demo,
            user_verification: UserVerification::Required,
        }),
        Event::CustodianAdded(CustodianAdded {
            custodian: init.custodian.clone(),
            name: None,
            recipient: recorded(personal.recipient())?,
        }),
        Event::KeyEnrolled(Box::new(new.enrolment)),
        Event::IdentitySealed(sealed),
        Event::IdentitySealed(paper_event),
    ];
    // The vault begins first, and then it says whose place it takes.
    events.splice(1..1, inherited);
    for reader in &readers {
        events.push(Event::ReaderAdded(ReaderAdded {
            owner: None,
            reader: reader.handle.clone(),
            recipient: recorded(&reader.recipient)?,
        }));
    }
    let founder = (init.custodian.clone(), personal.recipient().clone());
    let readers = readers.iter().map(|reader| (reader.handle.clone(), reader.recipient.clone()));
    let everybody: Vec<_> = [founder.clone()].into_iter().chain(readers).collect();
    for (compartment, mut members) in [(&records, everybody), (&seeds, vec![founder])] {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let (handles, recipients): (Vec<Handle>, Vec<Recipient>) = members.into_iter().unzip();
        let (event, file) = epochs::seal(compartment, handles, &recipients, &layout)?;
        events.push(Event::CompartmentSealed(event));
        files.push(file);
    }

    let vault = staging.vault(records);
    let mut session = Session { context, vault, keys, unlocked: None, lock: None, is_long: false };
    let change = Change { events, files, ..Change::default() };
    session.tell(std::slice::from_ref(&name), &change)?;
    session.record(&[(name.clone(), key)], change)?;
    let Founded { location, unsynced } = staging.finish()?;
    if let Some(error) = unsynced {
        context.tell_unsynced(&error);
    }
    session.remember();

    let head = session.vault.head();
    context.note_met(head.link);
    let fingerprint = head.link.to_string();
    let shown = crate::text::sanitise(&init.dir.to_string_lossy(), 200);
    let human = format!(
        "Founded the vault of {} in {shown}; recorded entry 1, signed by {name}.\n\
         Its fingerprint, for whoever opens it on another machine:\n  {fingerprint}\n\
         Next: enrol a second key (keymuster key enrol LABEL), and keep the paper copy in a safe.\n",
        init.name
    );
    let view = FoundedView {
        folder: location.layout.root().to_string_lossy().into_owned(),
        vault: text.clone(),
        name: init.name.to_string(),
        demo: init.demo,
        custodian: init.custodian.to_string(),
        key: name.to_string(),
        fingerprint,
        head: (&head).into(),
    };
    Ok(Answer::new("vault-founded", &view, human).recording(1))
}

fn compartment<'a>(vault: &'a str, name: &'a str) -> CompartmentName<'a> {
    CompartmentName { vault, compartment: name, epoch: 1 }
}
