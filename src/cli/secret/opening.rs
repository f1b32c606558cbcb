//! Opening secrets: first the receipt, which must be durable, then the file.

use std::collections::BTreeMap;

use crate::cli::change::Change;
use crate::cli::cosigners::{By, Cosigner, Matter};
use crate::cli::due::opener_of;
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

/// What was opened.
pub struct Opened {
    /// The values, in the order in which they were asked for.
    pub values: Vec<(SecretName, SecretValue)>,
    /// Those that can't be opened, where others of several can.
    pub left_out: Vec<(SecretName, Failure)>,
    /// The entry that has the receipt.
    pub receipt: u64,
    /// The key that signed, for whatever else there is to sign.
    pub signer: Cosigner,
}

impl Opened {
    /// The value, where one was asked for.
    pub fn only(mut self) -> Result<(SecretName, SecretValue, Cosigner), Failure> {
        if let Some((_, failure)) = self.left_out.pop() {
            return Err(failure.after_entry(self.receipt));
        }
        let value = self.values.pop();
        let (name, value) = value.ok_or_else(|| Failure::new(exit::FAILED, "nothing opened"))?;
        Ok((name, value, self.signer))
    }
}

/// A file that is to be opened.
struct Closed {
    name: SecretName,
    kind: SecretKind,
    compartment: Handle,
    epoch: u32,
    bytes: Vec<u8>,
}

impl Closed {
    /// Reads the file of a value, and opens the compartment that it is in. What can be wrong
    /// with it is found by this, before anything is recorded.
    fn read(
        session: &Session<'_>,
        opener: &Handle,
        identity: &AgeIdentity,
        name: &SecretName,
        compartments: &mut BTreeMap<Handle, CompartmentIdentity>,
    ) -> Result<Self, Failure> {
        let (secret, generation) = known(session.state(), name)?;
        let compartment = generation.compartment.clone();
        check_member(session.state(), opener, &compartment, name)?;
        if !compartments.contains_key(&compartment) {
            let opened = open_compartment(&session.vault, &compartment, &[identity])?;
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
        Ok(Self { name: name.clone(), kind: secret.kind, compartment, epoch, bytes })
    }

    fn open(
        &self,
        vault: &str,
        compartments: &BTreeMap<Handle, CompartmentIdentity>,
    ) -> Result<SecretValue, Failure> {
        let Self { name, kind, .. } = self;
        let label = SecretLabel {
            vault,
            secret: name.secret.as_str(),
            generation: name.generation,
            kind: kind.word(),
        };
        let opened = compartments.get(&self.compartment);
        let key = opened.and_then(|opened| opened.of_epoch(self.epoch));
        let key = key.ok_or_else(|| Failure::new(exit::FAILED, "it was closed, which is a bug"))?;
        SecretValue::open(&self.bytes, key, &label, *kind == SecretKind::Seed)
            .map_err(|error| Failure::because(exit::NO, format!("{name} can't be opened"), &error))
    }
}

/// Records that `opener` opens secrets, and opens them. Whatever can be wrong with a file is
/// found before that is recorded; nothing is opened before it is. Of several, those that can't
/// be opened are left out.
pub fn open_secrets(
    session: &mut Session<'_>,
    opener: &Cosigner,
    opening: Opening,
    by: &[By],
) -> Result<Opened, Failure> {
    let identity = opener.identity.as_ref().ok_or_else(|| {
        Failure::new(exit::FAILED, "the identity that opens secrets isn't open, which is a bug")
    })?;
    let mut compartments: BTreeMap<Handle, CompartmentIdentity> = BTreeMap::new();
    let (mut closed, mut left_out) = (Vec::new(), Vec::new());
    let who = &opener.name.owner;
    for name in opening.names {
        match Closed::read(session, who, identity.key(), &name, &mut compartments) {
            Ok(found) => closed.push(found),
            Err(failure) => left_out.push((name, failure)),
        }
    }
    if closed.is_empty()
        && let Some((_, failure)) = left_out.pop()
    {
        return Err(failure);
    }
    let event = Event::SecretOpened(SecretOpened {
        secrets: closed.iter().map(|found| found.name.clone()).collect(),
        opener: opener.name.owner.clone(),
        purpose: opening.purpose,
        reason: opening.reason,
    });
    let events = std::slice::from_ref(&event);
    state_after(session.context, session.state(), events, &[])?;
    let matter = Matter::of(events);
    let first = session.unless_another_must(opener.again(), matter, by);
    let signers = session.gather(matter, first, by)?;
    let signer = signers.first().map(Cosigner::again);
    let signer =
        signer.ok_or_else(|| Failure::new(exit::FAILED, "nobody signs, which is a bug"))?;
    let decided = session.decide(signers, Change::of(event))?;
    let receipt = decided.at.entry;
    if !decided.is_durable {
        let message =
            format!("nothing was opened: the receipt, entry {receipt}, isn't durable yet");
        return Err(Failure::new(exit::FAILED, message)
            .hint("make room on that disk, or mend it, then run the command again"));
    }

    let vault = session.vault.location().id.to_string();
    let mut values = Vec::new();
    for found in closed {
        match found.open(&vault, &compartments) {
            Ok(value) => values.push((found.name, value)),
            Err(failure) => left_out.push((found.name, failure)),
        }
    }
    Ok(Opened { values, left_out, receipt, signer })
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

/// Fails where a compartment doesn't open to somebody.
fn check_member(
    state: &State,
    who: &Handle,
    compartment: &Handle,
    name: &SecretName,
) -> Result<(), Failure> {
    let members = state.compartments().get(compartment).map(|known| &known.sealing.members);
    let members = members.map(Vec::as_slice).unwrap_or_default();
    let openers = state.openers_of(compartment);
    if openers.contains(who) {
        return Ok(());
    }
    if members.contains(who) {
        let message = format!(
            "{name} is in {compartment}, which isn't encrypted to the identity that {who} has now"
        );
        let by = openers.iter().find_map(|other| opener_of(state, other));
        return Err(Failure::new(exit::NO, message).hint(match by {
            Some(by) => format!("keymuster vault rekey --by {by} seals it anew"),
            None => "nobody else opens it: keymuster secret replace puts it elsewhere".to_owned(),
        }));
    }
    let listed = members.iter().map(Handle::to_string).collect::<Vec<_>>().join(", ");
    let message = format!("{name} is in {compartment}, which doesn't open to {who}");
    Err(Failure::new(exit::NO, message).hint(format!("it opens to: {listed}; name one with --by")))
}

/// The seed in custody of an account, and of one of its tokens where that is known; `given` where
/// somebody says which.
pub fn seed_of(
    state: &State,
    account: &Handle,
    token: Option<&Handle>,
    given: Option<&Handle>,
) -> Result<SecretName, Failure> {
    if let Some(name) = given {
        let secret = state.secrets().get(name).ok_or_else(|| unknown(state, name))?;
        let is_anothers = secret.account.as_ref().is_some_and(|its| its != account)
            || token.is_some_and(|token| !secret.may_be_of(account, token));
        if secret.kind != SecretKind::Seed {
            return Err(Failure::new(exit::USAGE, format!("{name} is no seed")));
        }
        if is_anothers {
            let message = format!("{name} is recorded as the seed of another token");
            return Err(
                Failure::new(exit::USAGE, message).hint("keymuster secret list tells whose")
            );
        }
        let generation = secret.present().map_or(1, |present| present.number);
        return Ok(SecretName { secret: name.clone(), generation });
    }
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
            Err(Failure::new(exit::USAGE, message).hint("say which one with --secret"))
        }
    }
}
