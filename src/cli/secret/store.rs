//! `keymuster secret store` and `replace`: taking a secret into custody.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use super::opening::unknown;
use crate::cli::account::{concern_in_words, named};
use crate::cli::change::Change;
use crate::cli::compartment::{check_exposures, no_compartment};
use crate::cli::context::Context;
use crate::cli::cosigners::{Matter, Signing};
use crate::cli::epochs::state_after;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::prompt::Question;
use crate::cli::qr::QrFlags;
use crate::cli::secret_file;
use crate::cli::seed::SeedForm;
use crate::cli::session::Session;
use crate::cli::slip::{check_free, slip_of};
use crate::log::sha256;
use crate::record::{
    Concern, DeviceName, Digest, Event, Fingerprint, Handle, Hex, SEEDS, SecretKind, SecretName,
    SecretReplaced, SecretStored, State,
};
use crate::vault::{MAX_SECRET, NewFile, Recipient, SecretLabel, SecretValue};

/// `keymuster secret store`
#[derive(Debug, Args)]
#[command(
    after_help = "Without a flag it is asked for and not shown. Of a file, the line feed at its end doesn't\n\
    count. A seed is base32 or an otpauth URI.\n\n\
    Examples:\n  \
    keymuster secret store prod-seed --kind seed --account prod\n  \
    keymuster secret store break-glass --kind note --file note.txt"
)]
pub struct Store {
    /// Its name: 1 to 32 characters of a-z, 0-9 and -
    secret: Handle,
    /// What it is
    #[arg(long)]
    kind: Kind,
    /// The account that it belongs to, by handle or id
    #[arg(long)]
    account: Option<String>,
    /// The token whose seed it is, if the account has several
    #[arg(long, value_name = "TOKEN", requires = "account")]
    token: Option<Handle>,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    signers: Signing,
}

/// `keymuster secret replace`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keymuster secret replace prod-password")]
pub struct Replace {
    /// Its name
    secret: Handle,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    signers: Signing,
}

/// What a secret is, on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Seed,
    Password,
    RecoveryCodes,
    Note,
}

impl From<Kind> for SecretKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Seed => Self::Seed,
            Kind::Password => Self::Password,
            Kind::RecoveryCodes => Self::RecoveryCodes,
            Kind::Note => Self::Note,
        }
    }
}

/// Where the value comes from, and where it goes.
#[derive(Debug, Args)]
struct Input {
    /// Read it from a file; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fd", "qr"])]
    file: Option<PathBuf>,
    /// Read it from an open file descriptor, up to its end
    #[arg(long, value_name = "N", conflicts_with = "qr")]
    fd: Option<u32>,
    #[command(flatten)]
    qr: QrFlags,
    /// The compartment that it is put in [default: seeds, or the one that it is in]
    #[arg(long, value_name = "COMPARTMENT")]
    compartment: Option<Handle>,
    #[command(flatten)]
    form: SeedForm,
}

impl Input {
    /// The value, and what tells a seed from others.
    fn read(
        &self,
        session: &Session<'_>,
        kind: SecretKind,
    ) -> Result<(SecretValue, Option<Fingerprint>), Failure> {
        let unfit = |error| Failure::because(exit::FAILED, "that can't be put in custody", &error);
        if kind == SecretKind::Seed {
            let source = match self.text_given(session.context, kind)? {
                Some(text) => self.form.read(&text)?,
                None => self.form.asked(session.context, INSTEAD)?,
            };
            let fingerprint = source.fingerprint(&session.vault)?;
            return Ok((source.to_value().map_err(unfit)?, fingerprint));
        }
        let text = match self.text_given(session.context, kind)? {
            Some(text) => text,
            None => asked(session.context, kind)?,
        };
        if kind == SecretKind::Password && text.contains('\n') {
            return Err(Failure::new(exit::FAILED, "a password is one line, and that is several"));
        }
        Ok((SecretValue::new(text, None).map_err(unfit)?, None))
    }

    /// The text that the flags name, if they name one.
    fn text_given(
        &self,
        context: &Context,
        kind: SecretKind,
    ) -> Result<Option<Zeroizing<String>>, Failure> {
        if self.form.is_given() && kind != SecretKind::Seed {
            return Err(Failure::new(
                exit::USAGE,
                "--algorithm, --digits, --period and --allow-short-seed are for seeds",
            ));
        }
        if self.qr.is_given() && kind != SecretKind::Seed {
            return Err(Failure::new(exit::USAGE, "--qr is for seeds")
                .hint("give another secret with --file FILE"));
        }
        if let Some(text) = self.qr.text(context)? {
            return Ok(Some(text));
        }
        if self.file.is_none() && self.fd.is_none() {
            return Ok(None);
        }
        let (number, interrupted) = (self.fd.unwrap_or_default(), context.interrupted());
        secret_file::read_text(self.file.as_deref(), number, MAX_SECRET, interrupted).map(Some)
    }

    fn compartment(&self, present: Option<&Handle>) -> Result<Handle, Failure> {
        let default = || SEEDS.parse().ok();
        let chosen = self.compartment.clone().or_else(|| present.cloned()).or_else(default);
        chosen.ok_or_else(|| Failure::new(exit::FAILED, "a bug in keymuster"))
    }
}

/// How to give a secret without being asked.
const INSTEAD: &str = "give it with --file FILE or --fd N";

/// Asks for a secret that isn't a seed.
fn asked(context: &Context, kind: SecretKind) -> Result<Zeroizing<String>, Failure> {
    let ask = |text| {
        context.terminal.ask_hidden(&Question {
            text,
            about: "the secret is needed",
            instead: INSTEAD,
        })
    };
    if kind != SecretKind::Password {
        return ask("The text, in one line (not shown; --file takes several): ");
    }
    let first = ask("The password (not shown): ")?;
    if *first == *ask("Once more: ")? {
        return Ok(first);
    }
    Err(Failure::new(exit::FAILED, "the two aren't the same")
        .hint("nothing was recorded, so run the command again"))
}

pub fn store(context: &Context, store: &Store) -> Result<Answer, Failure> {
    store.signers.slip.as_deref().map_or(Ok(()), check_free)?;
    let session = Session::open_to_write(context, store.signers.signers.opener(), None)?;
    session.vault.check_sound()?;
    let state = session.state();
    if state.secrets().contains_key(&store.secret) {
        let message = format!("there is a secret {} already", store.secret);
        return Err(Failure::new(exit::USAGE, message)
            .hint(format!("keymuster secret replace {} gives it another value", store.secret)));
    }
    let account = store.account.as_deref().map(|account| named(state, account)).transpose()?;
    let holds = SecretKind::from(store.kind);
    let token = account
        .as_ref()
        .filter(|_| holds == SecretKind::Seed)
        .map(|account| token_of(state, account, store.token.as_ref()))
        .transpose()?
        .flatten();
    if store.token.is_some() && holds != SecretKind::Seed {
        return Err(Failure::new(exit::USAGE, "--token says whose seed it is, and this is none"));
    }
    if let (Some(account), Some(token)) = (&account, &token) {
        check_seedless(state, account, token)?;
    }
    let compartment = store.input.compartment(None)?;
    let epoch = epoch_of(state, &compartment)?;
    // What can't be recorded needn't be typed.
    let event = |sha256: Digest, fingerprint: Option<Fingerprint>| {
        Event::SecretStored(SecretStored {
            secret: store.secret.clone(),
            holds,
            account: account.clone(),
            token: token.clone(),
            compartment: compartment.clone(),
            epoch,
            sha256,
            fingerprint,
        })
    };
    let trial = event(Hex([0; 32]), None);
    state_after(context, state, std::slice::from_ref(&trial), &[])?;
    let name = SecretName { secret: store.secret.clone(), generation: 1 };
    record(session, &store.input, &store.signers, (name, holds, compartment.clone()), event)
}

pub fn replace(context: &Context, replace: &Replace) -> Result<Answer, Failure> {
    replace.signers.slip.as_deref().map_or(Ok(()), check_free)?;
    let session = Session::open_to_write(context, replace.signers.signers.opener(), None)?;
    session.vault.check_sound()?;
    let state = session.state();
    let secret = state.secrets().get(&replace.secret);
    let secret = secret.ok_or_else(|| unknown(state, &replace.secret))?;
    let (holds, present) = (secret.kind, secret.present());
    let generation = present.map_or(0, |present| present.number).saturating_add(1);
    let compartment = replace.input.compartment(present.map(|present| &present.compartment))?;
    let epoch = epoch_of(state, &compartment)?;
    let event = |sha256: Digest, fingerprint: Option<Fingerprint>| {
        Event::SecretReplaced(SecretReplaced {
            secret: replace.secret.clone(),
            generation,
            compartment: compartment.clone(),
            epoch,
            sha256,
            fingerprint,
        })
    };
    let trial = event(Hex([0; 32]), None);
    state_after(context, state, std::slice::from_ref(&trial), &[])?;
    let name = SecretName { secret: replace.secret.clone(), generation };
    record(session, &replace.input, &replace.signers, (name, holds, compartment.clone()), event)
}

/// Fails where a token's seed is in custody already: it has one.
fn check_seedless(state: &State, account: &Handle, token: &Handle) -> Result<(), Failure> {
    let names = state.accounts().get(account).into_iter().flat_map(|known| &known.secrets);
    let mut seeds = names.filter(|name| {
        let secret = state.secrets().get(*name);
        secret.is_some_and(|s| s.kind == SecretKind::Seed && s.token.as_ref() == Some(token))
    });
    match seeds.next() {
        Some(seed) => {
            let message = format!("the seed of {token} is in custody already, as {seed}");
            Err(Failure::new(exit::USAGE, message)
                .hint(format!("keymuster secret replace {seed} gives it another value")))
        }
        None => Ok(()),
    }
}

/// The present epoch of a compartment that somebody opens.
fn epoch_of(state: &State, compartment: &Handle) -> Result<u32, Failure> {
    if state.compartments().contains_key(compartment) && state.openers_of(compartment).is_empty() {
        let message = format!("nobody who is left opens {compartment}");
        return Err(Failure::new(exit::NO, message)
            .hint("put it in another one: --compartment WHICH; keymuster compartment list"));
    }
    let known = state.compartments().get(compartment);
    known.map(|known| known.sealing.epoch).ok_or_else(|| no_compartment(state, compartment))
}

/// The token that a seed belongs to: the one that is named, or the only one.
fn token_of(
    state: &State,
    account: &Handle,
    given: Option<&Handle>,
) -> Result<Option<Handle>, Failure> {
    if let Some(token) = given {
        return Ok(Some(token.clone()));
    }
    let devices = state.accounts().get(account).into_iter().flat_map(|a| a.devices.keys());
    let mut tokens = devices.filter_map(|device| match device {
        DeviceName::Token(token) => Some(token.clone()),
        DeviceName::Key(_) => None,
    });
    match (tokens.next(), tokens.next()) {
        (Some(_), Some(_)) => {
            Err(Failure::new(exit::USAGE, format!("{account} has several tokens"))
                .hint("say with --token whose seed it is"))
        }
        (only, _) => Ok(only),
    }
}

/// Reads a value, seals it, opens it again as far as that can be, and records it.
fn record(
    mut session: Session<'_>,
    input: &Input,
    signing: &Signing,
    (name, holds, compartment): (SecretName, SecretKind, Handle),
    event: impl FnOnce(Digest, Option<Fingerprint>) -> Event,
) -> Result<Answer, Failure> {
    let state = session.state();
    if state.is_outdated(&compartment) {
        let message = format!("{compartment} isn't encrypted to those who should open it now");
        return Err(Failure::new(exit::NO, message).hint("keymuster vault rekey seals it anew"));
    }
    let members = state.compartments().get(&compartment).map(|known| &known.sealing.members);
    check_exposures(session.context, state, &compartment, members.into_iter().flatten())?;
    let recipient = state.compartments().get(&compartment);
    let recipient = recipient.map(|known| Recipient::parse(known.sealing.recipient.as_str()));
    let Some(Ok(recipient)) = recipient else {
        return Err(Failure::new(exit::FAILED, format!("{compartment} can't be encrypted to")));
    };
    let (value, fingerprint) = input.read(&session, holds)?;
    let same = fingerprint.and_then(|fingerprint| session.state().seed_with(&fingerprint));
    let vault = session.vault.location().id.to_string();
    let label = SecretLabel {
        vault: &vault,
        secret: name.secret.as_str(),
        generation: name.generation,
        kind: holds.word(),
    };
    let bytes = value.seal(&label, &recipient)?;
    drop(value);
    let sha256 = sha256(&bytes);
    let path = session.vault.location().layout.secret(&sha256);
    let event = event(sha256, fingerprint);
    let opener = session.opener()?;
    let who = opener.name.clone();
    let (signers, files) = (&signing.signers, vec![NewFile { path, bytes }]);
    if let Some(file) = &signing.slip {
        let change = Change { events: vec![event], files, ..Change::default() };
        return slip_of(&mut session, opener, signers, file, change);
    }
    let events = std::slice::from_ref(&event);
    let matter = Matter::of(events);
    let first = session.unless_another_must(opener, matter, &signers.by);
    let mut gathered = session.gather(matter, first, &signers.by)?;
    session.excuse_opener(&who, matter, &mut gathered);
    let change = Change { events: vec![event], files, ..Change::default() };
    let decided = session.decide(gathered, change)?;
    let mut words = String::new();
    if let Some(same) = same {
        words.push_str(&format!("It is the same seed as {same}.\n"));
    }
    let state = session.state();
    if let Some(account) = state.secrets().get(&name.secret).and_then(|s| s.account.as_ref()) {
        words.push_str(&open_to_one(state, account));
        if holds == SecretKind::Seed {
            let token = state.secrets().get(&name.secret).and_then(|s| s.token.as_ref());
            words.push_str(&check_it(state, account, token));
        }
    }
    words.push_str(&known_to_others(state, &name.secret));
    Ok(decided.answer(&session, words))
}

/// What to do where one person opens too much.
const TO_PART_THEM: &str = "To part them, keep the password with some people and the seed with others: keymuster\n\
     compartment add for each, then keymuster secret replace NAME --compartment WHICH.\n";

/// Warns where one person alone can open both an account's password and a seed of it.
fn open_to_one(state: &State, account: &Handle) -> String {
    let people = state.accounts().get(account).map(|known| known.who_open_both(state));
    match people.unwrap_or_default() {
        people if people.is_empty() => String::new(),
        people => {
            let warning = concern_in_words(&Concern::OpenBoth(people));
            format!("WARNING: {warning} of {account}.\n{TO_PART_THEM}")
        }
    }
}

/// How to see whether a seed that was stored is that of a device.
fn check_it(state: &State, account: &Handle, token: Option<&Handle>) -> String {
    let tokens = state.accounts().get(account).into_iter().flat_map(|a| a.devices.keys());
    let tokens: Vec<&DeviceName> =
        tokens.filter(|device| matches!(device, DeviceName::Token(_))).collect();
    let which = match (tokens.as_slice(), token) {
        ([], _) => {
            return format!(
                "To check it, record the token first: keymuster account link TOKEN {account} --token\n"
            );
        }
        ([_], _) | (_, None) => String::new(),
        (_, Some(token)) => format!(" --token {token}"),
    };
    format!(
        "Whether it is the device's: keymuster totp check --account {account}{which} --stored\n"
    )
}

/// Who opened an older value of a secret that doesn't open to them any more: they may know it, and
/// only its owner knows whether the present one is another.
fn known_to_others(state: &State, name: &Handle) -> String {
    let Some(secret) = state.secrets().get(name) else { return String::new() };
    let openers = secret.present().map(|present| state.openers_of(&present.compartment));
    let openers = openers.unwrap_or_default();
    let opened: BTreeSet<&Handle> = secret.receipts.iter().map(|receipt| &receipt.opener).collect();
    let others: Vec<&str> =
        opened.into_iter().filter(|who| !openers.contains(who)).map(Handle::as_str).collect();
    if others.is_empty() {
        return String::new();
    }
    format!(
        "{} opened older values of it: they know this one, too, unless it is another where it is used.\n",
        others.join(" and ")
    )
}
