//! Opening secrets: first the receipt, which must be durable, then the file.

use std::collections::BTreeMap;

use crate::cli::change::Change;
use crate::cli::cosigners::{By, Cosigner, Matter};
use crate::cli::epochs::{open_compartment, read_recorded, state_after};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::record::{
    Event, Generation, Handle, Line, Purpose, Secret, SecretKind, SecretName, SecretOpened, State,
};
use crate::vault::{AgeIdentity, CompartmentIdentity, SecretLabel, SecretValue};

/// What is to be opened, and why.
pub struct Opening {
    /// Which values, each once.
    pub names: Vec<SecretName>,
    /// What for.
    pub purpose: Purpose,
    /// In words.
    pub reason: Option<Line>,
}

/// A file that is to be opened.
struct Closed {
    name: SecretName,
    kind: SecretKind,
    compartment: Handle,
    epoch: u32,
    bytes: Vec<u8>,
}

/// Records that `opener` opens secrets, and opens them. Whatever can be wrong with a file is
/// found before that is recorded; nothing is opened before it is. Returns the key that signed,
/// for whatever else there is to sign.
pub fn open_secrets(
    session: &mut Session<'_>,
    mut opener: Cosigner,
    opening: Opening,
    by: &[By],
) -> Result<(Vec<(SecretName, SecretValue)>, Cosigner), Failure> {
    let identity = opener.identity.take().ok_or_else(|| {
        Failure::new(exit::FAILED, "the identity that opens secrets isn't open, which is a bug")
    })?;
    let identities: Vec<&AgeIdentity> = identity.identities().collect();
    let mut compartments: BTreeMap<Handle, CompartmentIdentity> = BTreeMap::new();
    let mut closed = Vec::new();
    for name in &opening.names {
        let (secret, generation) = known(session.state(), name)?;
        let compartment = generation.compartment.clone();
        check_member(session.state(), &opener.name.owner, &compartment, name)?;
        if !compartments.contains_key(&compartment) {
            let opened = open_compartment(&session.vault, &compartment, &identities)?;
            compartments.insert(compartment.clone(), opened);
        }
        let layout = &session.vault.location().layout;
        let path = layout.secret(&generation.sha256);
        let bytes = read_recorded(layout, &path, &generation.sha256)?;
        let epoch = generation.epoch;
        if compartments.get(&compartment).is_none_or(|opened| opened.of_epoch(epoch).is_none()) {
            let message = format!("the file of {compartment} lacks the identity of epoch {epoch}");
            return Err(Failure::new(exit::NO, message)
                .hint(format!("{name} opens with an older file of {compartment}, and stock age")));
        }
        closed.push(Closed { name: name.clone(), kind: secret.kind, compartment, epoch, bytes });
    }
    let event = Event::SecretOpened(SecretOpened {
        secrets: opening.names,
        opener: opener.name.owner.clone(),
        purpose: opening.purpose,
        reason: opening.reason,
    });
    let events = std::slice::from_ref(&event);
    state_after(session.context, session.state(), events, &[])?;
    let matter = Matter::of(events);
    let first = session.unless_another_must(opener, matter, by);
    let signers = session.gather(matter, first, by)?;
    let again = signers.first().map(Cosigner::again);
    let receipt = session.decide(signers, Change::of(event))?;
    if !receipt.is_durable {
        let entry = receipt.at.entry;
        let message = format!("nothing was opened: the receipt, entry {entry}, isn't durable yet");
        return Err(Failure::new(exit::FAILED, message)
            .hint("make room on that disk, or mend it, then run the command again"));
    }

    let vault = session.vault.location().id.to_string();
    let mut opened = Vec::new();
    for closed in closed {
        let Closed { name, kind, compartment, epoch, bytes } = closed;
        let label = SecretLabel {
            vault: &vault,
            secret: name.secret.as_str(),
            generation: name.generation,
            kind: kind.word(),
        };
        let key = compartments.get(&compartment).and_then(|opened| opened.of_epoch(epoch));
        let Some(key) = key else { continue };
        let value =
            SecretValue::open(&bytes, key, &label, kind == SecretKind::Seed).map_err(|error| {
                let entry = receipt.at.entry;
                let message = format!("{name} can't be opened; entry {entry} is recorded");
                Failure::because(exit::NO, message, &error)
            })?;
        opened.push((name, value));
    }
    let again = again.ok_or_else(|| Failure::new(exit::FAILED, "nobody signed, which is a bug"))?;
    Ok((opened, again))
}

/// A value on record.
pub fn known<'a>(
    state: &'a State,
    name: &SecretName,
) -> Result<(&'a Secret, &'a Generation), Failure> {
    let secret = state.secrets().get(&name.secret).map(AsRef::as_ref);
    let Some(secret) = secret else { return Err(unknown(state, &name.secret)) };
    let generation = secret.generation(name.generation).ok_or_else(|| {
        let numbers: Vec<String> =
            secret.generations.iter().map(|g| g.number.to_string()).collect();
        Failure::new(exit::USAGE, format!("{} has no generation {}", name.secret, name.generation))
            .hint(format!("it has: {}", numbers.join(", ")))
    })?;
    Ok((secret, generation))
}

/// The failure of whoever names no secret.
pub fn unknown(state: &State, name: &Handle) -> Failure {
    let failure = Failure::new(exit::USAGE, format!("there is no secret {name}"));
    let names: Vec<String> = state.secrets().keys().map(Handle::to_string).collect();
    match names.len() {
        0 => failure.hint("none is in custody: keymuster secret store"),
        1..=20 => failure.hint(format!("secrets are: {}", names.join(", "))),
        _ => failure.hint("keymuster secret list tells which there are"),
    }
}

/// Fails where somebody isn't among those whom a compartment is encrypted to.
fn check_member(
    state: &State,
    who: &Handle,
    compartment: &Handle,
    name: &SecretName,
) -> Result<(), Failure> {
    let members = state.compartments().get(compartment).map(|known| &known.sealing.members);
    let members = members.map(Vec::as_slice).unwrap_or_default();
    if members.contains(who) {
        return Ok(());
    }
    let listed = members.iter().map(Handle::to_string).collect::<Vec<_>>().join(", ");
    let message = format!("{name} is in {compartment}, which doesn't open to {who}");
    Err(Failure::new(exit::NO, message).hint(format!("it opens to: {listed}; name one with --by")))
}

/// The seed in custody of an account, and of one of its tokens where that is known.
pub fn seed_of(
    state: &State,
    account: &Handle,
    token: Option<&Handle>,
) -> Result<SecretName, Failure> {
    let is_its = |secret: &Secret| {
        secret.kind == SecretKind::Seed && secret.account.as_ref() == Some(account)
    };
    let fits = |secret: &Secret| {
        token.is_none_or(|token| secret.token.as_ref().is_none_or(|known| known == token))
    };
    let seeds = state.secrets().iter().filter(|(_, secret)| is_its(secret) && fits(secret));
    let mut seeds: Vec<(&Handle, &Secret)> =
        seeds.map(|(name, secret)| (name, secret.as_ref())).collect();
    // One that names the token goes before one that names none.
    if seeds.iter().any(|(_, secret)| secret.token.is_some()) && token.is_some() {
        seeds.retain(|(_, secret)| secret.token.is_some());
    }
    match seeds.as_slice() {
        [(name, secret)] => {
            let generation = secret.present().map_or(1, |present| present.number);
            Ok(SecretName { secret: (*name).clone(), generation })
        }
        [] => Err(Failure::new(exit::USAGE, format!("no seed of {account} is in custody"))
            .hint(format!("keymuster secret store NAME --kind seed --account {account}"))),
        several => {
            let names: Vec<String> = several.iter().map(|(name, _)| name.to_string()).collect();
            let message =
                format!("several seeds of {account} are in custody: {}", names.join(", "));
            Err(Failure::new(exit::USAGE, message).hint("say which token is meant with --token"))
        }
    }
}
