//! `keymuster custodian invite` and `accept`: somebody joins from afar. What they make at home goes
//! into a slip, which two others admit once they have compared the fingerprint of their key.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::device::{ChosenKey, Signer, only_device};
use crate::cli::enrolment::{
    Enrolment, NewCredentials, STEPS, check_fitness, new_identity, ready_key, recorded,
};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::paper::{Paper, PaperArgs};
use crate::cli::prompt::Question;
use crate::cli::session::Session;
use crate::cli::slip::{SlipView, check_free, shown};
use crate::cli::words::{all_in_words, fingerprint_of};
use crate::log::{Document, FORMAT, SignedDocument};
use crate::record::{CustodianAdded, Event, Handle, Hex, KeyEnrolled, KeyName, Line, PAPER};
use crate::sshsig::PublicKey;
use crate::vault::{Invitation, Layout, MAX_INVITATION, SlipFile, export_file, read_bounded};
use crate::webauthn::CredentialId;

/// `keymuster custodian invite`
#[derive(Debug, Args)]
#[command(after_help = "It holds no secret: the invitation is the answer, to be sent to them.\n\n\
    Example:\n  keymuster custodian invite bob > bob.invite")]
pub struct Invite {
    /// Their handle, such as bob; never used before, and never again
    custodian: Handle,
}

/// `keymuster custodian accept`
#[derive(Debug, Args)]
#[command(
    after_help = "Your new key makes two credentials, your identity is sealed to it and to a passphrase on\n\
    paper, and the key signs: five touches. The slip goes back to whoever invited you, and takes two\n\
    of them: keymuster log collect --endorse.\n\n\
    Example:\n  keymuster custodian accept bob.invite --key primary --slip bob.slip"
)]
pub struct Accept {
    /// The invitation
    invitation: PathBuf,
    /// What your key is to be called
    #[arg(long, value_name = "LABEL")]
    key: Handle,
    /// Your full name
    #[arg(long)]
    name: Option<Line>,
    /// Where the slip is written
    #[arg(long, value_name = "FILE")]
    slip: PathBuf,
    #[command(flatten)]
    paper: PaperArgs,
}

/// The answer of `custodian invite`.
#[derive(Serialize)]
struct InvitedView<'a> {
    #[serde(flatten)]
    invitation: &'a Invitation,
}

pub fn invite(context: &Context, invite: &Invite) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    session.vault.check_log_sound()?;
    let identity = new_identity(context, &session.vault.location().id, &invite.custodian)?;
    let joins = Event::CustodianAdded(CustodianAdded {
        custodian: invite.custodian.clone(),
        name: None,
        recipient: recorded(identity.recipient())?,
    });
    super::check_possible(&session, &[joins])?;
    let invitation = session.vault.invitation(invite.custodian.clone()).ok_or_else(|| {
        Failure::new(exit::FAILED, "this vault has no records to be encrypted to, which is a bug")
    })?;
    context.terminal.say(&format!(
        "Send this to {}, and tell them the vault's fingerprint in another way:\n  {}",
        invite.custodian, invitation.fingerprint
    ));
    let text = invitation.to_text().map_err(|error| {
        Failure::because(exit::FAILED, "an invitation came out wrong, which is a bug", &error)
    })?;
    let view = InvitedView { invitation: &invitation };
    Ok(Answer::new("invitation", &view, text).giving_out(session.giving_out()))
}

#[derive(Serialize)]
struct AcceptedView {
    file: String,
    key: String,
    /// Of the new key, to be told to those who admit it.
    fingerprint: String,
    slip: SlipView,
}

pub fn accept(context: &Context, accept: &Accept) -> Result<Answer, Failure> {
    let bytes = read_bounded(&accept.invitation, MAX_INVITATION)?;
    let invitation = Invitation::parse(&bytes).map_err(|error| {
        let message = format!("{} can't be read", shown(&accept.invitation));
        Failure::because(exit::FAILED, message, &error)
    })?;
    check_free(&accept.slip)?;
    if accept.key.as_str() == PAPER {
        let message = "a key can't be called paper: that is the copy in the safe";
        return Err(Failure::new(exit::USAGE, message));
    }
    let paper = Paper::new(context, accept.paper.paper_fd)?;
    if invitation.demo {
        context.tell_demo();
    }
    compare_fingerprints(context, &invitation)?;
    let name = KeyName { owner: invitation.custodian.clone(), label: accept.key.clone() };
    let realm = invitation.realm();
    // There is no vault here yet: it would be beside the software keys of a demo.
    let mut keys = context.keys_with_blank(realm, std::path::Path::new("vault"))?;
    let device = only_device(keys.as_mut(), context.new_device(realm), "one is meant to join")?;
    let key = ready_key(context, keys.as_mut(), device, &name)?;
    check_fitness(&key)?;
    key.expect_pin(context)?;

    let layout = Layout::new(std::path::Path::new("vault"));
    let vault = invitation.vault;
    let mut enrolment =
        Enrolment { context, keys: keys.as_mut(), key: &key, vault, realm, name: name.clone() };
    let NewCredentials { enrolment: enrolled, unlocking } =
        enrolment.make_credentials(Vec::new())?;
    let identity = new_identity(context, &vault, &invitation.custodian)?;
    let (sealed, mut files) = enrolment.seal_identity(&layout, &identity, &unlocking, STEPS)?;
    let recipient = recorded(identity.recipient())?;
    let (on_paper, paper_file, _) = paper.seal(identity, &layout)?;
    files.push(paper_file);
    let events = vec![
        Event::CustodianAdded(CustodianAdded {
            custodian: invitation.custodian.clone(),
            name: accept.name.clone(),
            recipient,
        }),
        Event::KeyEnrolled(Box::new(enrolled.clone())),
        Event::IdentitySealed(sealed),
        Event::IdentitySealed(on_paper),
    ];
    let slip = sign(context, keys.as_mut(), &key, &invitation, &enrolled, events)?;
    let file =
        SlipFile { slips: vec![slip], files: files.into_iter().map(|file| file.bytes).collect() };
    let records = invitation.recipient().map_err(|error| {
        Failure::because(exit::FAILED, "the invitation can't be answered", &error)
    })?;
    export_file(&accept.slip, &file.seal(&records)?)?;
    let fingerprint = fingerprint_of(&enrolled);
    let written = shown(&accept.slip);
    let words = format!(
        "Wrote the slip {written}: send it to whoever invited you.\n\
         Tell them, by telephone or in person, the fingerprint of your key:\n  {fingerprint}\n\
         Two of them sign for it then: keymuster log collect --endorse {written}\n"
    );
    let slip = file.slips.first().map(SlipView::of).ok_or_else(|| {
        Failure::new(exit::FAILED, "a slip came out wrong, which is a bug in keymuster")
    })?;
    let view = AcceptedView { file: written, key: name.to_string(), fingerprint, slip };
    Ok(Answer::new("invitation-accepted", &view, words))
}

/// Whoever is invited has the vault's fingerprint from a custodian, and not from the invitation.
fn compare_fingerprints(context: &Context, invitation: &Invitation) -> Result<(), Failure> {
    let fingerprint = invitation.fingerprint;
    if context.globals.fingerprint == Some(fingerprint) {
        return Ok(());
    }
    let wrong = || {
        Failure::new(exit::NO, format!("the vault's fingerprint is {fingerprint}, not that one"))
            .hint("ask where this invitation comes from; it may be a forged one")
    };
    if context.globals.fingerprint.is_some() {
        return Err(wrong());
    }
    let text = format!(
        "You are invited to be {}, a custodian of {}. The fingerprint of its vault is\n  {fingerprint}\n\
         Compare it with the one that a custodian tells you.\n\
         Is it the same (yes, no, or paste theirs)? ",
        invitation.custodian, invitation.name
    );
    let answer = context.terminal.ask(&Question {
        text: &text,
        about: "the fingerprint of the vault must be confirmed",
        instead: "give the fingerprint that a custodian told you with --fingerprint HEX",
    })?;
    if Question::agrees(&answer) || answer.eq_ignore_ascii_case(&fingerprint.to_string()) {
        return Ok(());
    }
    Err(wrong())
}

/// Has the new key sign for all of it: the fifth touch.
fn sign(
    context: &Context,
    keys: &mut dyn crate::key::Authenticator,
    key: &ChosenKey,
    invitation: &Invitation,
    enrolled: &KeyEnrolled,
    events: Vec<Event>,
) -> Result<SignedDocument, Failure> {
    let bug = |error: &(dyn std::error::Error + 'static)| {
        Failure::because(exit::FAILED, "a slip came out wrong, which is a bug", error)
    };
    let say = |line: &str| context.terminal.say(line);
    say(&format!("A slip, to be signed by {}:", enrolled.key));
    all_in_words(&events).iter().for_each(|words| say(&format!("  {words}")));
    let before = invitation.head();
    let document = Document {
        format: FORMAT,
        vault: before.vault,
        number: before.number.saturating_add(1),
        previous: before.link,
        time: context.now()?,
        salt: Hex(context.random()?),
        tool: context.tool()?,
        signers: vec![enrolled.key.clone()],
        slips: Vec::new(),
        events,
    };
    let text = document.to_canonical().map_err(|error| bug(&error))?;
    let head = before.after(text.as_bytes());
    let public_key =
        PublicKey::from_line(enrolled.public_key.as_str()).map_err(|error| bug(&error))?;
    let credential = CredentialId::new(enrolled.credential.0.clone())
        .ok_or_else(|| Failure::new(exit::FAILED, "the key's credential can't be used"))?;
    let namespace = invitation.realm().slip_namespace();
    let signer = Signer { public_key: &public_key, credential, namespace };
    let purpose = "to sign the slip (5 of 5)";
    let signature = key.sign(context, keys, &signer, &head.to_string(), purpose)?;
    SignedDocument::new(&document, &[signature]).map_err(|error| bug(&error))
}
