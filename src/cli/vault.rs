//! `keymuster vault`: make one, look at one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::Context;
use super::device::only_device;
use super::enrolment::{Enrolment, check_fitness, ready_key};
use super::failure::Failure;
use super::log::stray_line;
use super::output::{Answer, HeadView, count, table};
use super::prompt::Question;
use super::session::Session;
use super::{exit, secret_file};
use crate::log::sha256;
use crate::record::{
    AgeRecipient, CompartmentSealed, CustodianAdded, Event, Handle, Hex, IdentitySealed, KeyName,
    Line, PAPER, RECORDS, ReaderAdded, Realm, SEEDS, UserVerification, VaultCreated, VaultId,
};
use crate::vault::{
    AgeIdentity, CompartmentIdentity, CompartmentName, Founded, IdentityName, NewFile, Passphrase,
    PersonalIdentity, Recipient, Staging,
};

/// `keymuster vault …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a vault: five touches of one key, which becomes the founder's
    Init(Init),
    /// Show what the vault holds
    Show,
}

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
    /// Write the passphrase of the paper copy to this file descriptor instead of showing it
    #[arg(long, value_name = "N")]
    paper_fd: Option<u32>,
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

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Init(init) => found(context, &init),
        Command::Show => show(context),
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

fn found(context: &Context, init: &Init) -> Result<Answer, Failure> {
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
    let paper = Paper::new(context, init.paper_fd)?;
    let realm = if init.demo { Realm::Demo } else { Realm::Real };
    let id: VaultId = Hex(context.random()?);
    let name = KeyName { owner: init.custodian.clone(), label: init.key.clone() };

    if init.demo {
        context.tell_demo();
    }
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
    let personal = PersonalIdentity::new(&own, identity()?, Vec::new());
    let records = CompartmentIdentity::new(&compartment(&text, RECORDS), identity()?);
    let seeds = CompartmentIdentity::new(&compartment(&text, SEEDS), identity()?);

    let mut enrolment =
        Enrolment { context, keys: keys.as_mut(), key: &key, vault: id, realm, name: name.clone() };
    let new = enrolment.make_credentials(Vec::new())?;
    let (sealed, mut files) = enrolment.seal_identity(&layout, &personal, &new.unlocking)?;
    let (paper_event, paper_file) = paper.seal(context, &personal, &init.custodian, &layout)?;
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
    for reader in &readers {
        events.push(Event::ReaderAdded(ReaderAdded {
            reader: reader.handle.clone(),
            recipient: recorded(&reader.recipient)?,
        }));
    }
    let founder = (init.custodian.clone(), personal.recipient().clone());
    let readers = readers.iter().map(|reader| (reader.handle.clone(), reader.recipient.clone()));
    let everybody: Vec<_> = [founder.clone()].into_iter().chain(readers).collect();
    for (compartment, members) in [(&records, everybody), (&seeds, vec![founder])] {
        let (event, file) = seal_compartment(compartment, members, &layout)?;
        events.push(Event::CompartmentSealed(event));
        files.push(file);
    }

    let vault = staging.vault(records);
    let mut session = Session { context, vault, keys, unlocked: None, lock: None };
    session.record(&[(name.clone(), key)], events, &files)?;
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

/// A recipient, as events write it.
pub fn recorded(recipient: &Recipient) -> Result<AgeRecipient, Failure> {
    recipient.as_str().parse().map_err(|error: crate::record::UnfitValue| {
        Failure::because(
            exit::FAILED,
            "a recipient came out wrong, which is a bug in keymuster",
            &error,
        )
    })
}

fn seal_compartment(
    compartment: &CompartmentIdentity,
    mut members: Vec<(Handle, Recipient)>,
    layout: &crate::vault::Layout,
) -> Result<(CompartmentSealed, NewFile), Failure> {
    members.sort_by(|a, b| a.0.cmp(&b.0));
    let (handles, recipients): (Vec<Handle>, Vec<Recipient>) = members.into_iter().unzip();
    let bytes = compartment.seal(&recipients)?;
    let name = compartment.name();
    let event = CompartmentSealed {
        compartment: name.compartment.parse().map_err(|error: crate::record::UnfitValue| {
            Failure::because(
                exit::FAILED,
                "a compartment's name came out wrong, which is a bug",
                &error,
            )
        })?,
        epoch: name.epoch,
        recipient: recorded(compartment.recipient())?,
        members: handles,
        sha256: sha256(&bytes),
    };
    Ok((event, NewFile { path: layout.compartment(name.compartment, name.epoch), bytes }))
}

/// Where the passphrase of the paper copy goes.
struct Paper<'a> {
    context: &'a Context,
    descriptor: Option<File>,
}

impl<'a> Paper<'a> {
    fn new(context: &'a Context, descriptor: Option<u32>) -> Result<Self, Failure> {
        let descriptor = descriptor.map(secret_file::descriptor).transpose()?;
        if descriptor.is_none() && !context.terminal.is_there() {
            return Err(Failure::new(
                exit::ABSENT,
                "there is no terminal to show the paper copy's passphrase on",
            )
            .hint("take it from a file descriptor with --paper-fd N"));
        }
        Ok(Self { context, descriptor })
    }

    /// Seals the identity to a new passphrase, opens it again, and gives the passphrase out.
    fn seal(
        self,
        context: &Context,
        personal: &PersonalIdentity,
        custodian: &Handle,
        layout: &crate::vault::Layout,
    ) -> Result<(IdentitySealed, NewFile), Failure> {
        let passphrase = Passphrase::generate(&mut context.random_source()?);
        let bytes = personal.seal_to_passphrase(&passphrase)?;
        PersonalIdentity::open_with_passphrase(&bytes, &passphrase, &personal.name()).map_err(
            |error| {
                Failure::because(
                    exit::FAILED,
                    "the paper copy doesn't open again; nothing was made",
                    &error,
                )
            },
        )?;
        let slot: Handle = PAPER.parse().map_err(|error: crate::record::UnfitValue| {
            Failure::because(exit::FAILED, "a bug in keymuster", &error)
        })?;
        let path = layout.identity(custodian, &slot, 1);
        self.hand_out(&passphrase, &layout.shown(&path))?;
        let event = IdentitySealed {
            custodian: custodian.clone(),
            slot,
            generation: 1,
            sha256: sha256(&bytes),
            plugin_sha256: None,
        };
        Ok((event, NewFile { path, bytes }))
    }

    fn hand_out(self, passphrase: &Passphrase, file: &str) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::because(
                exit::FAILED,
                "couldn't hand out the paper copy's passphrase; nothing was made",
                &error,
            )
        };
        if let Some(mut descriptor) = self.descriptor {
            descriptor.write_all(passphrase.expose().as_bytes()).map_err(failed)?;
            return descriptor.write_all(b"\n").map_err(failed);
        }
        let terminal = &self.context.terminal;
        let about = "the paper copy's passphrase must be confirmed";
        let title = format!(
            "The paper copy. Write these ten words down, on paper only, and put it in a\n\
             safe. With {file}\n\
             they open the vault when every key is lost.\n\n  "
        );
        let secret = [&title, passphrase.expose(), "\n\n"];
        let ask = |text| {
            terminal.ask_beside(&secret, &Question { text, about, instead: "use --paper-fd N" })
        };
        let last = passphrase.expose().rsplit('-').next();
        let mut answer = ask("Type the last of the ten words to go on: ")?;
        while last != Some(answer.trim()) {
            answer = ask("That isn't the last of the ten words. Type it: ")?;
        }
        Ok(())
    }
}

fn absolute(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.to_string_lossy().into_owned()
}

#[derive(Serialize)]
struct VaultView {
    folder: String,
    vault: String,
    name: Option<String>,
    demo: bool,
    created: Option<String>,
    fingerprint: Option<String>,
    head: HeadView,
    entries: usize,
    user_verification: &'static str,
    custodians: usize,
    readers: Vec<String>,
    keys: usize,
    compartments: Vec<CompartmentView>,
    sound: bool,
    fault: Option<String>,
    damage: Vec<String>,
    findings: Vec<String>,
    strays: Vec<String>,
}

#[derive(Serialize)]
struct CompartmentView {
    name: String,
    epoch: u32,
    members: Vec<String>,
}

fn show(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let handles = |handles: &[Handle]| handles.iter().map(Handle::to_string).collect::<Vec<_>>();
    let compartments: Vec<CompartmentView> = state
        .compartments()
        .iter()
        .map(|(name, compartment)| CompartmentView {
            name: name.to_string(),
            epoch: compartment.sealing.epoch,
            members: handles(&compartment.sealing.members),
        })
        .collect();
    let vault = &session.vault;
    let now = context.now()?;
    let view = VaultView {
        folder: absolute(vault.location().layout.root()),
        vault: vault.location().id.to_string(),
        name: state.name().map(Line::to_string),
        demo: state.realm() == Realm::Demo,
        created: state.created().map(|stamp| stamp.time.to_string()),
        fingerprint: vault.fingerprint().map(|digest| digest.to_string()),
        head: (&vault.head()).into(),
        entries: vault.links().len().saturating_sub(1),
        user_verification: match state.policy().user_verification {
            UserVerification::Required => "required",
            UserVerification::Waived => "waived",
        },
        custodians: state.custodians().len(),
        readers: state.readers().keys().map(Handle::to_string).collect(),
        keys: state.keys().len(),
        compartments,
        sound: session.exit() == exit::DONE,
        fault: vault.fault().map(ToString::to_string),
        damage: vault.damage().iter().map(ToString::to_string).collect(),
        findings: vault.findings(now),
        strays: vault.strays(),
    };
    let human = shown(&view);
    Ok(Answer::new("vault", &view, human).exiting(session.exit()))
}

fn shown(view: &VaultView) -> String {
    let nobody = "nobody".to_owned();
    let list = |items: &[String]| if items.is_empty() { nobody.clone() } else { items.join(", ") };
    let mut lines = vec![
        (
            "vault",
            format!(
                "{}{}",
                view.name.as_deref().unwrap_or("(unnamed)"),
                if view.demo { "  (demo)" } else { "" }
            ),
        ),
        ("folder", crate::text::sanitise(&view.folder, 200)),
        ("founded", view.created.clone().unwrap_or_default()),
        (
            "log",
            format!(
                "{}, {}",
                count(view.entries, "entry", "entries"),
                if view.sound { "sound" } else { "FAULTY" }
            ),
        ),
        ("fingerprint", view.fingerprint.clone().unwrap_or_default()),
        ("signatures", format!("user verification {}", view.user_verification)),
        ("custodians", format!("{}, with {}", view.custodians, count(view.keys, "key", "keys"))),
        ("readers", list(&view.readers)),
    ];
    if view.keys < 2 {
        lines.push((
            "warning",
            "one key only: if it is lost, nothing can be signed any more".to_owned(),
        ));
    }
    let mut text: String =
        lines.iter().map(|(what, value)| format!("{what:<12} {value}\n")).collect();
    let rows: Vec<Vec<String>> = view
        .compartments
        .iter()
        .map(|c| vec![c.name.clone(), c.epoch.to_string(), list(&c.members)])
        .collect();
    text.push('\n');
    text.push_str(&table(&["compartment", "epoch", "members"], &rows));
    text.extend(view.findings.iter().map(|finding| format!("finding: {finding}\n")));
    text.extend(view.strays.iter().map(|stray| stray_line(stray)));
    text
}
