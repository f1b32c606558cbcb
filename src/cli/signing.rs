//! Having an entry signed by those who were gathered for it, and recording it: what they sign
//! is told in words before anybody touches a key for it, and what is sealed anew is opened by
//! every key that signs for it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::change::Change;
use super::context::Context;
use super::cosigners::{Cosigner, Matter, Signing};
use super::device::{ChosenKey, Signer};
use super::due::due;
use super::epochs::{check_epochs, sealed_in, state_after};
use super::exit;
use super::failure::Failure;
use super::output::{Answer, HeadView};
use super::session::{Session, lock};
use super::slip::write_slip;
use super::unlock::unlock_with;
use super::words::{all_in_words, slip_in_words};
use crate::key::identify::EnrolledKey;
use crate::log::{Entry, Head};
use crate::record::{Event, Handle, Hex, KeyName, Stamp, State};
use crate::vault::{Draft, Lock, Prepared};
use crate::webauthn::CredentialId;

/// An entry that was recorded.
#[derive(Debug)]
pub struct Decided {
    /// Where in the log.
    pub at: Stamp,
    /// Who signed it, in their order.
    pub signers: Vec<KeyName>,
    /// Whether no power cut can undo it.
    pub is_durable: bool,
}

/// What is answered about an entry that was just recorded.
#[derive(Serialize)]
struct RecordedView {
    entry: u64,
    time: String,
    signers: Vec<String>,
    events: Vec<&'static str>,
    head: HeadView,
    /// What people are told of it.
    words: String,
    /// What is to be done now about people and keys, as `vault show` has it.
    due: Vec<String>,
}

impl Decided {
    /// What is answered about it, after these words.
    pub fn answer(&self, session: &Session<'_>, words: String) -> Answer {
        let newest = session.vault.entries().last();
        let view = RecordedView {
            entry: self.at.entry,
            time: self.at.time.to_string(),
            signers: self.signers.iter().map(ToString::to_string).collect(),
            events: newest.into_iter().flat_map(Entry::events).map(Event::kind).collect(),
            head: (&session.vault.head()).into(),
            words: words.clone(),
            due: due(session.state(), self.at.time),
        };
        Answer::new("recorded", &view, words + &self.sentence()).recording(self.at.entry)
    }

    /// `Recorded entry 7, signed by alice/primary and bob/primary.`
    pub fn sentence(&self) -> String {
        let signers: Vec<String> = self.signers.iter().map(ToString::to_string).collect();
        format!("Recorded entry {}, signed by {}.\n", self.at.entry, signers.join(" and "))
    }
}

impl Session<'_> {
    /// Has a change signed by those who were gathered for it, and appends it.
    pub fn decide(
        &mut self,
        mut signers: Vec<Cosigner>,
        change: Change,
    ) -> Result<Decided, Failure> {
        let names: Vec<KeyName> = signers.iter().map(|signer| signer.name.clone()).collect();
        self.tell(&names, &change)?;
        self.check_by_countersigners(&change, &mut signers)?;
        let signers: Vec<_> = signers.into_iter().map(|signer| (signer.name, signer.key)).collect();
        let (at, is_durable) = self.record(&signers, change)?;
        let decided = Decided { at, signers: names, is_durable };
        self.remember();
        Ok(decided)
    }

    /// Has everybody who signs open the compartments that are sealed anew: those whose
    /// identity is open do so at once; a countersigner's key opens it, by a touch.
    fn check_by_countersigners(
        &mut self,
        change: &Change,
        signers: &mut [Cosigner],
    ) -> Result<(), Failure> {
        let members: BTreeSet<&Handle> =
            sealed_in(change).flat_map(|sealed| &sealed.members).collect();
        let renewed = |who: &Handle| {
            change.events.iter().find_map(|event| match event {
                Event::RecipientChanged(changed) if changed.custodian == *who => {
                    Some(changed.recipient.as_str())
                }
                _ => None,
            })
        };
        // A key that holds the identity which its owner has no more opens nothing new. That
        // with the new one does.
        let looks = |signer: &&mut Cosigner| {
            let own = signer.identity.as_ref().map(|identity| identity.recipient().as_str());
            let owner = &signer.name.owner;
            members.contains(owner) && renewed(owner).is_none_or(|new| own == Some(new))
        };
        let location = self.vault.location().clone();
        for signer in signers.iter_mut().filter(looks) {
            if signer.identity.is_none() {
                self.settle(signer)?;
                let sealed = self.state().identities().get(&signer.name);
                let generation = sealed.map_or(0, |sealed| sealed.sealing.generation);
                let copy = (&signer.name, generation);
                let purpose = "to open what is sealed anew, as a check";
                let keys = self.keys.as_mut();
                let identity =
                    unlock_with(self.context, keys, &location, copy, &signer.key, purpose)?;
                signer.identity = Some(identity);
            }
            if let Some(identity) = &signer.identity {
                let sealings = self.state().sealings();
                check_epochs(&location, sealings, change, &signer.name, &[identity.key()])?;
            }
        }
        Ok(())
    }

    /// Appends an entry that each of `signers` signs with the key at hand. Whoever calls it
    /// remembers the head: a founding isn't over with its entry. Returns where it is, and
    /// whether no power cut can undo it.
    pub fn record(
        &mut self,
        signers: &[(KeyName, ChosenKey)],
        change: Change,
    ) -> Result<(Stamp, bool), Failure> {
        let lock = self.locked()?;
        let names = signers.iter().map(|(name, _)| name.clone()).collect();
        let time = self.context.now()?;
        let salt = Hex(self.context.random()?);
        let tool = self.context.tool()?;
        let (events, slips) = (change.events, change.slips);
        let draft = Draft { signers: names, events, slips, time, salt, tool };
        let prepared = self.vault.prepare(lock, draft)?;
        for oddity in prepared.oddities() {
            self.context.terminal.say(&format!("NOTE: {oddity}"));
        }
        let known = self.keys_of(&prepared, signers);
        let mut signatures: Vec<(usize, String)> = Vec::new();
        // The key that was found last is the surest to be plugged in still.
        for (place, (name, key)) in signers.iter().enumerate().rev() {
            let Some(enrolled) = known.iter().find(|known| known.name == *name) else {
                return Err(Failure::new(exit::FAILED, format!("{name} isn't enrolled")));
            };
            // Somebody was asked something since the keys were told: for another key, or to
            // write a passphrase down.
            let may_have_moved = self.is_long || signers.len() > 1 || !change.files.is_empty();
            let again = if may_have_moved { self.plugged_in_still(key, enrolled)? } else { None };
            let signature = self.sign(&prepared, again.as_ref().unwrap_or(key), enrolled)?;
            signatures.push((place, signature));
        }
        signatures.sort_by_key(|(place, _)| *place);
        let signatures: Vec<String> = signatures.into_iter().map(|(_, armor)| armor).collect();
        self.context.check_interrupted()?;
        let committed = self.vault.commit(prepared, &signatures, &change.files, change.records)?;
        if let Some(error) = &committed.unsynced {
            self.context.tell_unsynced(error);
        }
        Ok((Stamp { entry: committed.number, time }, committed.unsynced.is_none()))
    }

    /// The vault's lock, and the vault as it is now that nobody else can append.
    fn locked(&mut self) -> Result<Lock, Failure> {
        let lock = match self.lock.take() {
            Some(lock) => lock,
            None => lock(self.context, &self.vault.location().layout)?,
        };
        self.vault.location().layout.check_writable()?;
        self.vault.catch_up(&lock)?;
        Ok(lock)
    }

    /// Takes in what others recorded meanwhile, and keeps them from recording more until the lock
    /// is used or given up.
    pub fn look_again(&mut self) -> Result<(), Failure> {
        self.lock = Some(self.locked()?);
        Ok(())
    }

    /// Says in words what is about to be signed, and by whom.
    pub fn tell(&mut self, signers: &[KeyName], change: &Change) -> Result<(), Failure> {
        // Else another entry could take the number that is told.
        self.look_again()?;
        let signers: Vec<String> = signers.iter().map(KeyName::to_string).collect();
        let number = self.vault.head().number.saturating_add(1);
        let say = |line: &str| self.context.terminal.say(line);
        say(&format!("Entry {number}, to be signed by {}:", signers.join(" and ")));
        let slips = change.slips.iter().flat_map(slip_in_words);
        let told = slips.chain(all_in_words(&change.events));
        told.for_each(|words| say(&format!("  {words}")));
        Ok(())
    }

    /// The signers' keys, those that the entry enrols among them.
    fn keys_of(
        &self,
        prepared: &Prepared,
        signers: &[(KeyName, ChosenKey)],
    ) -> Vec<EnrolledKey<KeyName>> {
        let signs = |name: &KeyName| signers.iter().any(|(signer, _)| signer == name);
        let mut known = self.known_keys(signs);
        for event in &prepared.document().events {
            if let Event::KeyEnrolled(enrolment) = event
                && let Some(credential) = CredentialId::new(enrolment.credential.0.clone())
                && let Some(public_key) = prepared.enrolled().get(&enrolment.key)
            {
                let (name, public_key) = (enrolment.key.clone(), public_key.clone());
                known.push(EnrolledKey { name, credential, public_key });
            }
        }
        known
    }

    fn sign(
        &mut self,
        prepared: &Prepared,
        key: &ChosenKey,
        enrolled: &EnrolledKey<KeyName>,
    ) -> Result<String, Failure> {
        let last = if prepared.enrolled().contains_key(&enrolled.name) { " (5 of 5)" } else { "" };
        let purpose = format!("to sign entry {}{last}", prepared.head().number);
        let namespace = prepared.realm().head_namespace();
        self.sign_head(key, enrolled, (prepared.head(), namespace), &purpose)
    }

    /// A key's signature over a head, in a namespace. A touch.
    pub fn sign_head(
        &mut self,
        key: &ChosenKey,
        enrolled: &EnrolledKey<KeyName>,
        (head, namespace): (&Head, &'static str),
        purpose: &str,
    ) -> Result<String, Failure> {
        let (public_key, credential) = (&enrolled.public_key, enrolled.credential.clone());
        let signer = Signer { public_key, credential, namespace };
        key.sign(self.context, self.keys.as_mut(), &signer, &head.to_string(), purpose)
    }
}

/// Has events recorded that need no more than signatures: opens the vault, has `events` say
/// what is to be recorded of it and of who opened it, and gathers who must sign.
pub fn record_events(
    context: &Context,
    signing: &Signing,
    events: impl FnOnce(&Session<'_>, &KeyName) -> Result<Vec<Event>, Failure>,
) -> Result<Answer, Failure> {
    record_and_tell(context, signing, events, |_| String::new())
}

/// The same, where there is something to say `afterwards` of what is so now.
pub fn record_and_tell(
    context: &Context,
    signing: &Signing,
    events: impl FnOnce(&Session<'_>, &KeyName) -> Result<Vec<Event>, Failure>,
    afterwards: impl FnOnce(&State) -> String,
) -> Result<Answer, Failure> {
    let change = |session: &Session<'_>, opener: &KeyName| {
        Ok(Change { events: events(session, opener)?, ..Change::default() })
    };
    record_change(context, signing, change, afterwards)
}

/// The same with files that the events name. No event means that it is so already.
pub fn record_change(
    context: &Context,
    signing: &Signing,
    change: impl FnOnce(&Session<'_>, &KeyName) -> Result<Change, Failure>,
    afterwards: impl FnOnce(&State) -> String,
) -> Result<Answer, Failure> {
    let signers = &signing.signers;
    if let Some(file) = &signing.slip {
        return write_slip(context, file, signers, change);
    }
    let mut session = Session::open_to_write(context, signers.opener(), None)?;
    session.vault.check_log_sound()?;
    let opener = session.opener()?;
    let change = change(&session, &opener.name)?;
    let events = change.events.as_slice();
    session.vault.check_sound_for(events)?;
    if events.is_empty() {
        return Ok(session.nothing_changed());
    }
    state_after(context, session.state(), events, &[])?;
    let matter = Matter::of(events);
    let who = opener.name.clone();
    let first = session.unless_another_must(opener, matter, &signers.by);
    let mut signers = session.gather(matter, first, &signers.by)?;
    session.excuse_opener(&who, matter, &mut signers);
    let decided = session.decide(signers, change)?;
    Ok(decided.answer(&session, afterwards(session.state())))
}
