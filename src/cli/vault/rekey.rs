//! `keymuster vault rekey`: a new personal identity where the old one is exposed, and new
//! epochs of the compartments whose members are others than they were.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::device::ChosenKey;
use crate::cli::enrolment::{Enrolment, dry_copy, free_generation, new_identity, recorded};
use crate::cli::epochs;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, count};
use crate::cli::paper::{Paper, PaperArgs};
use crate::cli::session::Session;
use crate::cli::signing::{Change, Cosigner, Signers};
use crate::cli::unlock::name_of;
use crate::key::identify::Identity;
use crate::record::{Event, Handle, KeyName, RecipientChanged, State};
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
    /// New epochs of all compartments, even of those whose members are the same
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    paper: PaperArgs,
    #[command(flatten)]
    signers: Signers,
}

pub fn run(context: &Context, rekey: &Rekey) -> Result<Answer, Failure> {
    let paper_fd = rekey.paper.paper_fd;
    // Whether there must be one the log tells, unless it is asked for.
    let asked = rekey.new_identity.then(|| Paper::new(context, paper_fd)).transpose()?;
    let mut session = Session::open_to_write(context, rekey.signers.opener(), None)?;
    session.vault.check_sound()?;
    let opener = session.opener()?;
    let owner = opener.name.owner.clone();
    let exposed = !session.state().exposures(&owner).is_empty();
    let paper = match asked {
        None if exposed => Some(Paper::new(context, paper_fd)?),
        asked => asked,
    };
    let identity = paper
        .map(|paper| Renewal::new(context, &mut session, &owner, &opener, paper))
        .transpose()?;

    let mut change = Change::default();
    change.events.extend(identity.iter().map(|renewal| renewal.event.clone()));
    let opened: Vec<&AgeIdentity> =
        opener.identity.iter().flat_map(PersonalIdentity::identities).collect();
    epochs::renew(context, &session.vault, &mut change, &opened, rekey.all)?;
    if change.events.is_empty() {
        let words = "Nothing needs a new identity or a new epoch.\n".to_owned();
        return Ok(Answer::new("not-rekeyed", &(), words + &due_lines(session.state())));
    }
    // Who must sign is known before anybody touches anything.
    let copies = identity.iter().flat_map(|renewal| &renewal.keys);
    let dry = copies.map(|(key, _)| dry_copy(&key.name)).chain(change.events.iter().cloned());
    let dry: Vec<Event> = dry.collect();
    let mut signers = session.gather(&dry, vec![opener], &rekey.signers.by)?;
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

/// What is to be done about people and keys, a sentence each.
pub fn due(state: &State) -> Vec<String> {
    let listed =
        |names: &[KeyName]| names.iter().map(KeyName::to_string).collect::<Vec<_>>().join(", ");
    let mut all = Vec::new();
    for custodian in state.custodians().keys() {
        let copies = state.exposures(custodian);
        if !copies.is_empty() {
            let copies = listed(&copies);
            let how = how_to_renew(state, custodian);
            all.push(format!(
                "{custodian} needs a new identity, since {copies} was reported: {how}"
            ));
        }
        if !state.keys().iter().any(|(name, key)| name.owner == *custodian && key.is_active()) {
            all.push(format!("{custodian} has no key that may sign"));
        }
    }
    let outdated: Vec<String> = state
        .compartments()
        .keys()
        .filter(|name| state.is_outdated(name))
        .map(Handle::to_string)
        .collect();
    if !outdated.is_empty() {
        let outdated = outdated.join(" and ");
        all.push(format!("{outdated} must be encrypted anew: keymuster vault rekey"));
    }
    let copies = state.outdated_copies();
    if !copies.is_empty() {
        all.push(format!(
            "an older identity is sealed to {}, which opens nothing new: with it plugged in, \
             keymuster vault rekey --new-identity",
            listed(&copies)
        ));
    }
    if state.able_custodians() < 3 {
        let able = count(state.able_custodians(), "custodian", "custodians");
        all.push(format!(
            "{able} can sign: with three, and a key in a safe, the vault survives a loss"
        ));
    }
    all
}

/// The command that gives a custodian a new identity. A key that may not sign can't do it.
pub fn how_to_renew(state: &State, owner: &Handle) -> String {
    let own = || state.keys().iter().filter(|(name, _)| name.owner == *owner);
    let able = own().find(|(_, key)| key.is_active());
    match able {
        Some(_) if own().all(|(_, key)| key.is_active()) => {
            format!("keymuster vault rekey --by {owner}")
        }
        Some((name, _)) => format!("keymuster vault rekey --by {name}"),
        None => format!("keymuster key enrol LABEL --for {owner} --new-identity"),
    }
}

/// The same, a line each.
fn due_lines(state: &State) -> String {
    due(state).iter().map(|sentence| format!("due: {sentence}\n")).collect()
}

/// A custodian's new identity, and the keys that it is to be sealed to.
struct Renewal<'a> {
    identity: PersonalIdentity,
    event: Event,
    keys: Vec<(Copy, CredentialId)>,
    paper: Paper<'a>,
}

/// A key that is to hold a copy.
struct Copy {
    name: KeyName,
    key: ChosenKey,
}

impl<'a> Renewal<'a> {
    fn new(
        context: &'a Context,
        session: &mut Session<'_>,
        owner: &Handle,
        opener: &Cosigner,
        paper: Paper<'a>,
    ) -> Result<Self, Failure> {
        let identity = new_identity(context, &session.vault.location().id, owner)?;
        let event = Event::RecipientChanged(RecipientChanged {
            custodian: owner.clone(),
            recipient: recorded(identity.recipient())?,
        });
        let mut keys = Vec::new();
        let hints = session.vault.location().layout.identity_hints()?;
        for device in session.keys.devices()? {
            let (name, key) = match session.identify(&device) {
                _ if device.id == opener.key.device.id => (opener.name.clone(), opener.key.clone()),
                // What was reported may be in other hands still, or again.
                Ok(Identity::This(name))
                    if name.owner == *owner && session.state().active_key(&name).is_some() =>
                {
                    let key = ChosenKey::new(session.keys.as_mut(), device, name.to_string())?;
                    (name, key)
                }
                Ok(_) => continue,
                Err(failure) => {
                    session.pass_over(&device, failure)?;
                    continue;
                }
            };
            // The copy on record names the credential that unlocks.
            let known = session.state().identities().get(&name);
            let generation = known.map(|known| known.sealing.generation);
            let is_it =
                |hint: &&IdentityHint| name_of(hint) == name && Some(hint.generation) == generation;
            if let Some(hint) = hints.iter().find(is_it) {
                keys.push((Copy { name, key }, hint.credential.clone()));
            }
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
        for (Copy { name, key }, credential) in &self.keys {
            let generation = free_generation(&location.layout, &name.owner, &name.label);
            identity = identity.renumbered(generation);
            let keys = session.keys.as_mut();
            let (vault, name) = (location.id, name.clone());
            let mut enrolment = Enrolment { context, keys, key, vault, realm, name };
            let (event, files) =
                enrolment.seal_identity(&location.layout, &identity, credential, ["", ""])?;
            change.events.push(Event::IdentitySealed(event));
            change.files.extend(files);
        }
        let (event, file) = self.paper.seal(&identity, &location.layout)?;
        change.events.push(Event::IdentitySealed(event));
        change.files.push(file);
        Ok(identity)
    }
}
