//! Who signs an entry: asked of the authority table, and found among the keys that are plugged
//! in, or asked for one after the other at this machine.
//!
//! Who must sign is decided by [`judge`], and nowhere here.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::device::{ChosenKey, product};
use super::exit;
use super::failure::Failure;
use super::prompt::Question;
use super::proof::{impostor, prove};
use super::session::Session;
use super::unlock::{Opener, stranger_text};
use super::words::one_of;
use crate::key::Device;
use crate::key::identify::Identity;
use crate::record::authority::{Unauthorised, judge, may_sign};
use crate::record::{Act, Event, Handle, Key, KeyName, KeyState, UnfitValue};
use crate::vault::PersonalIdentity;

/// `--by bob` or `--by bob/blue`: who signs, where several could.
#[derive(Debug, Clone)]
pub enum By {
    /// Any key of theirs.
    Custodian(Handle),
    /// This key.
    Key(KeyName),
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custodian(owner) => write!(f, "{owner}"),
            Self::Key(key) => write!(f, "{key}"),
        }
    }
}

impl By {
    fn means(&self, name: &KeyName) -> bool {
        match self {
            Self::Custodian(owner) => name.owner == *owner,
            Self::Key(key) => name == key,
        }
    }
}

impl FromStr for By {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') {
            text.parse().map(Self::Key)
        } else {
            text.parse().map(Self::Custodian)
        }
    }
}

/// What is to be signed, as far as it decides who may and must.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    /// The events, or such as ask the same of their signers.
    pub events: &'a [Event],
    /// Whether compartments are sealed anew, which each signer's key must open as a check.
    pub reseals: bool,
    /// Who doesn't sign, since it is about their leaving.
    pub without: Option<&'a Handle>,
    /// What slips say that whoever signs endorses: their signers and those count together.
    pub endorsed: &'a [Act<'a>],
}

impl<'a> Matter<'a> {
    /// Events that seal nothing anew.
    pub fn of(events: &'a [Event]) -> Self {
        Self { events, reseals: false, without: None, endorsed: &[] }
    }

    /// The same with what slips say, which is endorsed.
    pub fn endorsing(events: &'a [Event], endorsed: &'a [Act<'a>]) -> Self {
        Self { endorsed, ..Self::of(events) }
    }

    /// Events that go with compartments sealed anew.
    pub fn resealing(events: &'a [Event]) -> Self {
        Self { reseals: true, ..Self::of(events) }
    }
}

/// Who signs, where several of the keys that are plugged in could.
#[derive(Debug, Args, Default, Clone)]
pub struct Signers {
    /// Whose key signs, such as bob or bob/blue, where several could; may be repeated, and the
    /// first opens the vault
    #[arg(long, value_name = "CUSTODIAN[/KEY]")]
    pub by: Vec<By>,
}

impl Signers {
    /// Whose key opens the vault.
    pub fn opener(&self) -> Opener<'_> {
        opened_by(self.by.first())
    }
}

/// Whose key opens the vault.
pub fn opened_by(by: Option<&By>) -> Opener<'_> {
    match by {
        None => Opener::Any,
        Some(By::Custodian(owner)) => Opener::Of(owner),
        Some(By::Key(key)) => Opener::Key(key),
    }
}

/// Who signs, and whether that goes into the log or into a slip.
#[derive(Debug, Args, Default, Clone)]
pub struct Signing {
    #[command(flatten)]
    pub signers: Signers,
    /// Write a signed slip to this file, for the log of a copy of the vault that is elsewhere,
    /// instead of an entry here
    #[arg(long, value_name = "FILE")]
    pub slip: Option<PathBuf>,
}

impl From<&Signers> for Signing {
    /// Into the log.
    fn from(signers: &Signers) -> Self {
        Self { signers: signers.clone(), slip: None }
    }
}

/// A key that is to sign, with its owner's identity where that is open.
#[derive(Debug)]
pub struct Cosigner {
    /// Its name.
    pub name: KeyName,
    /// The device.
    pub key: ChosenKey,
    /// What it opened.
    pub identity: Option<PersonalIdentity>,
}

impl Cosigner {
    /// The same key, to sign once more.
    pub fn again(&self) -> Self {
        Self { name: self.name.clone(), key: self.key.clone(), identity: None }
    }
}

/// What is plugged in where another key must sign.
#[derive(Default)]
struct Around {
    /// The keys that would help.
    found: Vec<(KeyName, Device)>,
    /// Devices that don't say which key they are without a touch.
    silent: Vec<Device>,
    /// What is to be said of those that don't.
    remarks: Vec<String>,
    /// The failure of a device that poses as a key on record.
    impostor: Option<Failure>,
    /// Why a device couldn't be asked.
    unasked: Option<Failure>,
}

/// Whose key has to sign beside those at hand.
enum Wanted {
    Key(KeyName),
    Of(Handle),
    Another,
}

impl Session<'_> {
    /// The key that opened the vault, as the first to sign.
    pub fn opener(&mut self) -> Result<Cosigner, Failure> {
        let unlocked = self.unlocked.take().ok_or_else(|| {
            Failure::new(exit::FAILED, "the vault was opened without a key, which is a bug")
        })?;
        let (name, key) = self.prove_opener(unlocked.key, &unlocked.name)?;
        Ok(Cosigner { name, key, identity: Some(unlocked.identity) })
    }

    /// Tells by the log which key it was that opened the vault under a name that its files give
    /// it. One that has another name goes by that: a PIN that was typed for another isn't its own.
    pub fn prove_opener(
        &mut self,
        key: ChosenKey,
        supposed: &KeyName,
    ) -> Result<(KeyName, ChosenKey), Failure> {
        let name = prove(self, &key.device, Some(supposed))?;
        if name.owner != supposed.owner {
            let message = format!("{supposed} opened the vault, and {name} is in its place now");
            return Err(Failure::new(exit::NO, message)
                .hint("leave the key that opens the vault plugged in, and run the command again"));
        }
        if name == *supposed {
            return Ok((name, key));
        }
        let key = ChosenKey { name: name.to_string(), ..key };
        Ok((name, key))
    }

    /// Finds whoever else must sign these events beside `signers`, before anybody touches
    /// anything. Keys of others are asked for one after the other; `by` says whose, where
    /// several are plugged in.
    pub fn gather(
        &mut self,
        matter: Matter<'_>,
        mut signers: Vec<Cosigner>,
        by: &[By],
    ) -> Result<Vec<Cosigner>, Failure> {
        self.check_named(matter.events, by)?;
        for place in 0..signers.len() {
            self.replace_unfit(place, matter, &mut signers, by)?;
        }
        while let Some(wanted) = self.missing(matter, &signers)? {
            let next = self.find_cosigner(&wanted, matter, &signers, by)?;
            signers.push(next);
        }
        for by in by {
            if !signers.iter().any(|signer| by.means(&signer.name)) {
                self.context.terminal.say(&format!("{by} needn't sign this, and isn't asked to."));
            }
        }
        self.expect_pins(&signers)?;
        Ok(signers)
    }

    /// Finds the keys that sign a slip: whoever opened the vault, and everybody whom `by` names. Who
    /// else must sign does so later, elsewhere.
    pub fn gather_for_slip(
        &mut self,
        matter: Matter<'_>,
        opener: Cosigner,
        by: &[By],
    ) -> Result<Vec<Cosigner>, Failure> {
        self.check_named(matter.events, by)?;
        let owner = opener.name.owner.clone();
        let mut signers = self.unless_another_must(opener, matter, by);
        if signers.is_empty() {
            signers.push(self.find_cosigner(&Wanted::Of(owner), matter, &[], by)?);
        }
        self.replace_unfit(0, matter, &mut signers, by)?;
        for named in by {
            if signers.iter().any(|signer| named.means(&signer.name)) {
                continue;
            }
            let wanted = match named {
                By::Custodian(owner) => Wanted::Of(owner.clone()),
                By::Key(key) => Wanted::Key(key.clone()),
            };
            let next = self.find_cosigner(&wanted, matter, &signers, by)?;
            signers.push(next);
        }
        self.expect_pins(&signers)?;
        Ok(signers)
    }

    /// Fails where nobody who was named may sign these events.
    fn check_named(&self, events: &[Event], by: &[By]) -> Result<(), Failure> {
        for by in by {
            let named = || self.state().keys().iter().filter(|(name, _)| by.means(name));
            let Some((name, key)) = named().next() else {
                let whose = match by {
                    By::Custodian(owner) => format!("no key of {owner}"),
                    By::Key(key) => format!("no key {key}"),
                };
                return Err(Failure::new(exit::USAGE, format!("{whose} is enrolled"))
                    .hint(self.another_by()));
            };
            if !named().any(|(name, _)| may_sign(self.state(), name, events)) {
                return Err(self.may_not(name, key));
            }
        }
        Ok(())
    }

    /// A PIN that can't be had is no reason to have touched the other keys.
    fn expect_pins(&self, signers: &[Cosigner]) -> Result<(), Failure> {
        signers.iter().try_for_each(|signer| signer.key.expect_pin(self.context))
    }

    /// Has another key of the same person's sign in place of one that may not, such as one that
    /// is retired and opened the vault; fails if there is none, or that very key was named.
    fn replace_unfit(
        &mut self,
        place: usize,
        matter: Matter<'_>,
        signers: &mut Vec<Cosigner>,
        by: &[By],
    ) -> Result<(), Failure> {
        let Some(name) = signers.get(place).map(|signer| signer.name.clone()) else {
            return Ok(());
        };
        // A key that isn't known yet is the one that is enrolled.
        let known = self.state().keys().get(&name);
        let Some(key) = known.filter(|_| !may_sign(self.state(), &name, matter.events)) else {
            return Ok(());
        };
        let is_named = by.iter().any(|by| matches!(by, By::Key(known) if *known == name));
        let wanted = Wanted::Of(name.owner.clone());
        if is_named || self.who_could(&wanted, matter, &[]).is_empty() {
            return Err(self.may_not(&name, key));
        }
        let is = key.state.word();
        self.context.terminal.say(&format!("{name} is {is}, and may not sign this."));
        let unfit = signers.remove(place);
        let mut other = self.find_cosigner(&wanted, matter, signers, by)?;
        // What is sealed anew is open to whoever opened the vault, with whichever key.
        other.identity = unfit.identity;
        signers.insert(place, other);
        Ok(())
    }

    /// Whoever opened the vault, as the first to sign, unless that key may not sign this and
    /// wasn't named: then another of its owner's may.
    pub fn unless_another_must(
        &self,
        opener: Cosigner,
        matter: Matter<'_>,
        by: &[By],
    ) -> Vec<Cosigner> {
        let Some(key) = self.state().keys().get(&opener.name) else { return vec![opener] };
        let is_named = by.iter().any(|by| matches!(by, By::Key(name) if *name == opener.name));
        let another = |name: &KeyName| {
            name.owner == opener.name.owner && may_sign(self.state(), name, matter.events)
        };
        if is_named
            || may_sign(self.state(), &opener.name, matter.events)
            || !self.state().keys().keys().any(another)
        {
            return vec![opener];
        }
        let (name, is) = (&opener.name, key.state.word());
        self.context.terminal.say(&format!("{name} is {is}, and may not sign this."));
        Vec::new()
    }

    /// Spares whoever opened the vault a touch, where the others are enough.
    pub fn excuse_opener(&self, opener: &KeyName, matter: Matter<'_>, signers: &mut Vec<Cosigner>) {
        let names: Vec<KeyName> = signers.iter().map(|signer| signer.name.clone()).collect();
        let others: Vec<KeyName> = names.iter().filter(|name| *name != opener).cloned().collect();
        let enough = |event: &Event| judge(event, self.state(), &others).is_ok();
        // Who seals anew has what is sealed open.
        if !matter.reseals && others.len() < names.len() && matter.events.iter().all(enough) {
            signers.retain(|signer| signer.name != *opener);
            self.context.terminal.say(&format!("{opener} needn't sign this, and isn't asked to."));
        }
    }

    /// Who must sign beside those who do.
    fn missing(&self, matter: Matter<'_>, signers: &[Cosigner]) -> Result<Option<Wanted>, Failure> {
        let names: Vec<KeyName> = signers.iter().map(|signer| signer.name.clone()).collect();
        let own = [Act { signers: Cow::Borrowed(&[]), events: matter.events }];
        let told = own.iter().chain(matter.endorsed).flat_map(|act| {
            let all: Vec<KeyName> = names.iter().chain(act.signers.iter()).cloned().collect();
            act.events.iter().map(move |event| (event, all.clone()))
        });
        for (event, signers_of_it) in told {
            let Err(missing) = judge(event, self.state(), &signers_of_it) else { continue };
            let wanted = match &missing {
                Unauthorised::NotTheKey { key, .. } => Wanted::Key(key.clone()),
                Unauthorised::NotBy { custodian, .. } => Wanted::Of(custodian.clone()),
                Unauthorised::TooFew { .. } | Unauthorised::Overruled { .. } => Wanted::Another,
                _ => return Err(refused(&missing)),
            };
            if self.who_could(&wanted, matter, signers).is_empty() {
                return Err(refused(&missing).hint(self.why_nobody_else()));
            }
            return Ok(Some(wanted));
        }
        Ok(None)
    }

    /// The keys that would help.
    fn who_could(&self, wanted: &Wanted, matter: Matter<'_>, signers: &[Cosigner]) -> Vec<KeyName> {
        let state = self.state();
        // One that opens nothing new can't see what is sealed anew. Whose identity changes by this
        // has nothing to see with it.
        let renewed = |owner: &Handle| {
            let of = |event: &Event| matches!(event, Event::RecipientChanged(changed) if changed.custodian == *owner);
            matter.events.iter().any(of)
        };
        let mut outdated = if matter.reseals { state.outdated_copies() } else { Vec::new() };
        outdated.retain(|name| !renewed(&name.owner));
        let signs: BTreeSet<&Handle> = signers.iter().map(|signer| &signer.name.owner).collect();
        let helps = |name: &&KeyName| {
            may_sign(state, name, matter.events)
                && matter.without != Some(&name.owner)
                && !outdated.contains(name)
                && match wanted {
                    Wanted::Key(key) => *name == key,
                    Wanted::Of(owner) => name.owner == *owner,
                    Wanted::Another => !signs.contains(&name.owner),
                }
        };
        state.keys().keys().filter(helps).cloned().collect()
    }

    fn may_not(&self, name: &KeyName, key: &Key) -> Failure {
        let is = key.state.word();
        Failure::new(exit::NO, format!("{name} is {is}, and may not sign this"))
            .hint(self.another_by())
    }

    fn another_by(&self) -> String {
        format!("name another key with --by; {}", self.why_nobody_else())
    }

    /// Each custodian's keys and why they may or may not sign.
    fn why_nobody_else(&self) -> String {
        let state = self.state();
        let told = state.custodians().keys().map(|who| {
            let own = state.keys().iter().filter(|(name, _)| name.owner == *who);
            let keys: Vec<String> =
                own.map(|(name, key)| format!("{} {}", name.label, key.state.word())).collect();
            let keys = if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") };
            format!("{who}: {keys}")
        });
        format!("who could sign: {}", told.collect::<Vec<_>>().join("; "))
    }

    /// Finds one that is plugged in, or has it plugged in.
    fn find_cosigner(
        &mut self,
        wanted: &Wanted,
        matter: Matter<'_>,
        signers: &[Cosigner],
        by: &[By],
    ) -> Result<Cosigner, Failure> {
        let mut could = self.who_could(wanted, matter, signers);
        if by.iter().any(|by| could.iter().any(|name| by.means(name))) {
            could.retain(|name| by.iter().any(|by| by.means(name)));
        }
        loop {
            let Around { mut found, silent, remarks, impostor, unasked } =
                self.plugged_in(&could, signers)?;
            if let ([], [only], [device]) = (found.as_slice(), could.as_slice(), silent.as_slice())
                && self.is_taken_for(device, only)?
            {
                found.push((only.clone(), device.clone()));
            }
            if let Some((name, device)) = found.into_iter().next() {
                let too = if signers.is_empty() { "" } else { " too" };
                self.context.terminal.say(&format!("{name} signs{too}."));
                let key = ChosenKey::new(self.keys.as_mut(), device, name.to_string())?;
                return Ok(Cosigner { name, key, identity: None });
            }
            if let Some(impostor) = impostor {
                return Err(impostor);
            }
            // It may be one of those that would help.
            if let (Some(failure), false) = (unasked, self.context.terminal.is_there()) {
                return Err(failure);
            }
            let owners: BTreeSet<&Handle> = could.iter().map(|name| &name.owner).collect();
            let owners: Vec<&Handle> = owners.into_iter().collect();
            let whose = match (wanted, could.as_slice()) {
                (Wanted::Key(name), _) | (_, [name]) => name.to_string(),
                _ => format!("a key of {}", one_of(&owners)),
            };
            remarks.iter().for_each(|remark| self.context.terminal.say(remark));
            let about = format!("{whose} must sign too, and isn't plugged in");
            self.context.terminal.ask(&Question {
                text: &format!("Now {whose} must sign too. Plug it in and press Enter: "),
                about: &about,
                instead: &format!("plug in {whose} beside the other key"),
            })?;
        }
    }

    /// Whether a device that doesn't say which key it is may be taken for this one, and be given
    /// its PIN. Only somebody who looks at it can tell, before its signature does.
    fn is_taken_for(&self, device: &Device, name: &KeyName) -> Result<bool, Failure> {
        let shown = format!("{} ({})", device.id, product(device));
        let answer = self.context.terminal.ask(&Question {
            text: &format!(
                "{shown} doesn't say which key it is without a touch. Is it {name} (yes or no)? "
            ),
            about: &format!("{shown} doesn't say whether it is {name}, which must sign too"),
            instead: "open the vault with that key, which --by names first",
        })?;
        Ok(Question::agrees(&answer))
    }

    /// What is plugged in where another key must sign.
    fn plugged_in(&mut self, could: &[KeyName], signers: &[Cosigner]) -> Result<Around, Failure> {
        let known = self.known_keys(|_| true);
        let mut around = Around::default();
        for device in self.keys.devices()? {
            // Another key may be there by now.
            let was_used = signers.iter().any(|signer| signer.key.device.id == device.id);
            match self.identify_among(&device, &known) {
                Ok(Identity::This(name)) if could.contains(&name) => {
                    around.found.push((name, device));
                }
                Ok(Identity::This(name)) => {
                    around.remarks.extend(self.why_not(&name, signers));
                }
                Ok(Identity::Impostor(name)) => around.impostor = Some(impostor(&device, &name)),
                Ok(Identity::WontSay) if !was_used => around.silent.push(device),
                Ok(Identity::Stranger) if !was_used => {
                    let stranger = stranger_text(std::slice::from_ref(&device));
                    around.remarks.push(format!("{stranger}."));
                }
                Ok(_) => {}
                Err(failure) if failure.exit == exit::INTERRUPTED => return Err(failure),
                Err(failure) => {
                    let passed = format!("Passing over {}: {}.", device.id, failure.message);
                    self.context.terminal.say(&passed);
                    around.unasked.get_or_insert(failure);
                }
            }
        }
        // One that is suspended signs where there is no other.
        let order = |name: &KeyName| (self.state().active_key(name).is_none(), name.clone());
        around.found.sort_by_key(|(name, _)| order(name));
        Ok(around)
    }

    /// Why a key that is plugged in doesn't help, unless it signs already.
    fn why_not(&self, name: &KeyName, signers: &[Cosigner]) -> Option<String> {
        let state = self.state().keys().get(name).map(|key| &key.state)?;
        let (owner, signs) = (&name.owner, |known: &Cosigner| known.name == *name);
        if signers.iter().any(signs) {
            None
        } else if *state != KeyState::Active {
            Some(format!("{name} is plugged in, and is {}.", state.word()))
        } else if signers.iter().any(|known| known.name.owner == *owner) {
            Some(format!("{name} is plugged in, and {owner} signs already."))
        } else {
            None
        }
    }
}

fn refused(error: &Unauthorised) -> Failure {
    Failure::because(exit::FAILED, "this can't be signed like this", error)
}
