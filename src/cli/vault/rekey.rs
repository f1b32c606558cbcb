//! `keymuster vault rekey`: a new personal identity where the old one is exposed, and new
//! epochs of the compartments whose members are others than they were.

use clap::Args;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::cosigners::{Cosigner, Matter, Signers};
use crate::cli::device::ChosenKey;
use crate::cli::due::{due, renewals_due};
use crate::cli::enrolment::{Enrolment, dry_copy, new_identity, recorded};
use crate::cli::epochs;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::paper::{Paper, PaperArgs};
use crate::cli::session::Session;
use crate::cli::unlock::name_of;
use crate::key::identify::Identity;
use crate::record::{Event, KeyName, RecipientChanged, State};
use crate::vault::{AgeIdentity, IdentityHint, PersonalIdentity};
use crate::webauthn::CredentialId;

/// `keymuster vault rekey`
#[derive(Debug, Args)]
#[command(
    after_help = "Whoever opens the vault gets a new identity if a key or paper copy of theirs was reported.\n\
    It is sealed to those of their keys that are plugged in, and to a new paper copy.\n\n\
    Example:\n  keymuster vault rekey"
)]
pub struct Rekey {
    /// A new identity for whoever opens the vault, even if the old one isn't exposed
    #[arg(long)]
    new_identity: bool,
    /// New epochs of all compartments that whoever opens the vault belongs to, even of those
    /// whose members are the same
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    paper: PaperArgs,
    #[command(flatten)]
    signers: Signers,
}

pub fn run(context: &Context, rekey: &Rekey) -> Result<Answer, Failure> {
    // Where it is known that there will be one, it must have a place before anybody is asked.
    let fd = rekey.paper.paper_fd;
    let paper = rekey.new_identity.then(|| Paper::new(context, fd)).transpose()?;
    let mut session = Session::open_to_write(context, rekey.signers.opener(), None)?;
    session.vault.check_sound()?;
    let opener = session.opener()?;
    let owner = opener.name.owner.clone();
    let exposed = !session.state().exposures(&owner).is_empty();
    let paper = match paper {
        None if exposed => Some(Paper::new(context, fd)?),
        given => given,
    };
    let identity =
        paper.map(|paper| Renewal::new(context, &mut session, &opener, paper)).transpose()?;

    let mut change = Change::default();
    change.events.extend(identity.iter().map(|renewal| renewal.event.clone()));
    let opened: Vec<&AgeIdentity> = opener.identity.iter().map(PersonalIdentity::key).collect();
    epochs::renew(context, &session.vault, &mut change, &opened, rekey.all)?;
    if change.events.is_empty() {
        let lines = due_lines(session.state());
        let words = if lines.is_empty() {
            "Nothing needs a new identity or a new epoch.\n".to_owned()
        } else {
            format!("Nothing needs anything that {owner}'s key could give it.\n{lines}")
        };
        let view = serde_json::json!({ "due": due(session.state(), context.now()?) });
        return Ok(Answer::new("not-rekeyed", &view, words));
    }
    // Who must sign is known before anybody touches anything.
    let copies = identity.iter().flat_map(|renewal| &renewal.keys);
    let dry = copies.map(|(copy, _)| dry_copy(&copy.name)).chain(change.events.iter().cloned());
    let dry: Vec<Event> = dry.collect();
    let mut signers = session.gather(Matter::resealing(&dry), vec![opener], &rekey.signers.by)?;
    let renewed = identity.is_some();
    if let Some(renewal) = identity {
        let new = renewal.seal(&mut session, &mut change)?;
        if let Some(opener) = signers.first_mut() {
            opener.identity = Some(new);
        }
    }
    let decided = session.decide(signers, change)?;
    let mut words = String::new();
    if renewed {
        words.push_str(&format!(
            "{owner} has a new identity; the old paper copy opens nothing new.\n"
        ));
    }
    words.push_str(
        "What is written from now on is encrypted anew; what was written before is not.\n",
    );
    words.push_str(&due_lines(session.state()));
    Ok(decided.answer(&session, words))
}

/// What must be renewed still, a line each.
fn due_lines(state: &State) -> String {
    renewals_due(state).iter().map(|sentence| format!("due: {sentence}\n")).collect()
}

/// A custodian's new identity, and the keys that it is to be sealed to.
struct Renewal<'a> {
    identity: PersonalIdentity,
    event: Event,
    /// With the credential that unlocks.
    keys: Vec<(Cosigner, CredentialId)>,
    paper: Paper<'a>,
}

impl<'a> Renewal<'a> {
    fn new(
        context: &'a Context,
        session: &mut Session<'_>,
        opener: &Cosigner,
        paper: Paper<'a>,
    ) -> Result<Self, Failure> {
        let owner = &opener.name.owner;
        let identity = new_identity(context, &session.vault.location().id, owner)?;
        let event = Event::RecipientChanged(RecipientChanged {
            custodian: owner.clone(),
            recipient: recorded(identity.recipient())?,
        });
        let mut found = vec![(opener.name.clone(), opener.key.clone())];
        for device in session.keys.devices()? {
            if device.id == opener.key.device.id {
                continue;
            }
            let Ok(Identity::This(name)) = session.identify(&device) else { continue };
            if name.owner == *owner && session.state().active_key(&name).is_some() {
                let key = ChosenKey::new(session.keys.as_mut(), device, name.to_string())?;
                found.push((name, key));
            }
        }
        let hints = session.vault.location().layout.identity_hints()?;
        let named = |name: &KeyName| {
            let sealed = session.state().identities().get(name)?;
            let is_it = |hint: &&IdentityHint| {
                name_of(hint) == *name && hint.generation == sealed.sealing.generation
            };
            hints.iter().find(is_it).map(|hint| hint.credential.clone())
        };
        let keys: Vec<(Cosigner, CredentialId)> = found
            .into_iter()
            .filter_map(|(name, key)| {
                let credential = named(&name)?;
                Some((Cosigner { name, key, identity: None }, credential))
            })
            .collect();
        let left_out: Vec<String> = session
            .state()
            .keys()
            .iter()
            .filter(|(name, key)| name.owner == *owner && key.is_active())
            .filter(|(name, _)| keys.iter().all(|(known, _)| known.name != **name))
            .map(|(name, _)| name.to_string())
            .collect();
        if !left_out.is_empty() {
            context.terminal.say(&format!(
                "{} isn't plugged in, and will open nothing new: to bring it up to date, stop here \
                 (Ctrl-C), plug it in too, and begin anew.",
                left_out.join(", ")
            ));
        }
        Ok(Self { identity, event, keys, paper })
    }

    /// Seals the identity to each key, two touches each, and to a passphrase.
    fn seal(
        self,
        session: &mut Session<'_>,
        change: &mut Change,
    ) -> Result<PersonalIdentity, Failure> {
        let location = session.vault.location().clone();
        let (context, realm) = (session.context, session.state().realm());
        let mut identity = self.identity;
        for (mut copy, credential) in self.keys {
            session.settle(&mut copy)?;
            let Cosigner { name, key, .. } = copy;
            identity =
                identity.renumbered(location.layout.free_generation(&name.owner, &name.label));
            let keys = session.keys.as_mut();
            let vault = location.id;
            let mut enrolment = Enrolment { context, keys, key: &key, vault, realm, name };
            let (event, files) =
                enrolment.seal_identity(&location.layout, &identity, &credential, ["", ""])?;
            change.events.push(Event::IdentitySealed(event));
            change.files.extend(files);
        }
        let (event, file, identity) = self.paper.seal(identity, &location.layout)?;
        change.events.push(Event::IdentitySealed(event));
        change.files.push(file);
        Ok(identity)
    }
}
