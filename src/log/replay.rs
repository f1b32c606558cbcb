//! Replay: the log in, a [`State`] out, or the first fault.
//!
//! For each entry, in this order: its place and link, its signers, their signatures, its
//! events' authority, its events. The keys that may sign entry n are those that the state
//! holds after n-1 and keys that entry n enrols, which count for none of those whom an event
//! needs beside them; the first entry names its own. A key's validity is its place in the log, never a date.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use thiserror::Error;

use super::chain::Head;
use super::entry::{Document, Entry};
use super::finding::{Finding, FindingKind, odd_afterwards, odd_beforehand, odd_signers};
use crate::record::authority::{judge, judge_founding, judge_in_extract, may_sign};
use crate::record::{
    Digest, Event, KeyEnrolled, KeyName, Realm, Stamp, State, Time, UserVerification, VaultId,
};
use crate::sshsig::{PublicKey, Signature, UserVerificationRule, Verified};
use crate::webauthn::AuthenticatorData;

/// What an entry broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// It is readable, and written in the canonical form.
    Form,
    /// It belongs to this vault.
    Vault,
    /// Its number is the one after the last.
    Number,
    /// It names the link of the entry before it.
    Link,
    /// Its signers may sign.
    Signers,
    /// Each signer's signature is there and genuine.
    Signature,
    /// Its signers suffice for its events.
    Authority,
    /// Its events can happen.
    Event,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "form",
            Self::Vault => "vault",
            Self::Number => "number",
            Self::Link => "link",
            Self::Signers => "signers",
            Self::Signature => "signature",
            Self::Authority => "authority",
            Self::Event => "event",
        })
    }
}

/// The first entry that is wrong, and how. What comes after it counts for nothing.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("entry {entry} breaks the rule of {rule}: {reason}")]
pub struct Fault {
    /// The entry's place in the log, from 1.
    pub entry: u64,
    /// What it broke.
    pub rule: Rule,
    /// In words.
    pub reason: String,
}

/// The signatures that were verified.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Signatures {
    /// All of them: each is a touch.
    pub all: u64,
    /// Those before which the key verified its user.
    pub user_verified: u64,
}

/// A log under replay: what its entries come to so far.
#[derive(Clone, Debug)]
pub struct Replay {
    head: Head,
    extent: Extent,
    signatures: Signatures,
    state: State,
    findings: Vec<Finding>,
    keys: BTreeMap<KeyName, PublicKey>,
    counters: BTreeMap<KeyName, u32>,
    /// The latest time that an entry bears, and the entry.
    latest: Option<Stamp>,
}

impl Replay {
    /// The empty log of a vault.
    pub fn new(vault: VaultId) -> Self {
        Self::with(vault, Extent::Whole)
    }

    /// The empty log of a vault, of which an extract is to follow: of some entries the digest alone
    /// ([`Replay::withhold`]). What such an extract always shows is all that is remembered, see
    /// [`Event::bears_on_authority`]; whether anything else can happen is not judged, since that may rest
    /// on what is withheld.
    pub fn of_extract(vault: VaultId) -> Self {
        Self::with(vault, Extent::Extract)
    }

    fn with(vault: VaultId, extent: Extent) -> Self {
        Self {
            extent,
            signatures: Signatures::default(),
            head: Head::empty(vault),
            state: State::default(),
            findings: Vec::new(),
            keys: BTreeMap::new(),
            counters: BTreeMap::new(),
            latest: None,
        }
    }

    /// The head that the admitted entries make.
    pub fn head(&self) -> Head {
        self.head
    }

    /// What is so after the admitted entries.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How many signatures were verified.
    pub fn signatures(&self) -> Signatures {
        self.signatures
    }

    /// What was odd, but for the times ahead of a clock: see [`Replay::ahead_of`].
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The finding that the log's latest time is ahead of `now`, if it is.
    pub fn ahead_of(&self, now: Time) -> Option<Finding> {
        let ahead = self.latest.filter(|latest| latest.time > now);
        ahead.map(|Stamp { entry, time }| Finding {
            entry,
            kind: FindingKind::FromTheFuture { time },
        })
    }

    /// The public keys that have signed or may sign, by name.
    pub fn public_keys(&self) -> &BTreeMap<KeyName, PublicKey> {
        &self.keys
    }

    /// Admits one more entry, or leaves everything as it was and says what is wrong.
    pub fn admit(&mut self, entry: &Entry) -> Result<(), Fault> {
        let document = entry.document();
        let expected = self.expect(document)?;
        let head = self.head.after(entry.document_text().as_bytes());
        let fault = |(rule, reason)| Fault { entry: head.number, rule, reason };
        let verified = self.verify(entry, &head, &expected).map_err(fault)?;
        self.judge(document).map_err(fault)?;
        // An event happens or leaves the state as it was: only where several do, or the vault
        // begins, a copy is needed. Large logs take their time by this.
        let oddities = if document.events.len() == 1 && head.number > 1 {
            happen(&mut self.state, document, head.number, self.extent).map_err(fault)?
        } else {
            let mut state = self.state.clone();
            let oddities = happen(&mut state, document, head.number, self.extent).map_err(fault)?;
            self.state = state;
            oddities
        };
        let at = Stamp { entry: head.number, time: document.time };
        document.signers.iter().for_each(|signer| self.state.note_signature(signer, at));
        self.state.note_time(document.time);

        self.head = head;
        self.keys.extend(expected.enrolled);
        let oddities = oddities.into_iter();
        self.findings.extend(oddities.map(|kind| Finding { entry: head.number, kind }));
        self.note_findings(document, verified, head.number);
        Ok(())
    }

    /// Passes over the next entry of an extract, of which this is the digest.
    pub fn withhold(&mut self, document: &Digest) {
        self.head = self.head.after_digest(document);
    }

    /// The fault of a next entry that couldn't be read as one.
    pub fn unreadable(&self, reason: String) -> Fault {
        Fault { entry: self.head.number.saturating_add(1), rule: Rule::Form, reason }
    }

    /// Holds a document against every rule but those of its signatures.
    pub fn consider(&self, document: &Document) -> Result<Considered, Fault> {
        let Expected { enrolled, realm, .. } = self.expect(document)?;
        let place = self.head.number.saturating_add(1);
        let fault = |(rule, reason)| Fault { entry: place, rule, reason };
        self.judge(document).map_err(fault)?;
        let mut state = self.state.clone();
        let oddities = happen(&mut state, document, place, self.extent).map_err(fault)?;
        Ok(Considered { state, enrolled, oddities, realm })
    }

    /// Holds a document against the rules of its place and of who may sign it.
    fn expect(&self, document: &Document) -> Result<Expected, Fault> {
        let place = self.head.number.saturating_add(1);
        let fault = |(rule, reason): (Rule, String)| Fault { entry: place, rule, reason };
        self.check_place(document, place).map_err(fault)?;
        let (realm, verification) = self.realm(document).map_err(fault)?;
        let enrolled = keys_enrolled_by(document, realm).map_err(fault)?;
        self.check_signers(document, &enrolled).map_err(fault)?;
        Ok(Expected { enrolled, realm, verification })
    }

    /// Whether its signers suffice for a document's events. Of the first, that shows afterwards.
    fn judge(&self, document: &Document) -> Result<(), (Rule, String)> {
        let events = document.events.iter().filter(|_| self.head.number > 0);
        for event in events {
            let judge = match self.extent {
                Extent::Whole => judge,
                Extent::Extract => judge_in_extract,
            };
            judge(event, &self.state, &document.signers)
                .map_err(|reason| (Rule::Authority, reason.to_string()))?;
        }
        Ok(())
    }

    fn check_place(&self, document: &Document, place: u64) -> Result<(), (Rule, String)> {
        if document.vault != self.head.vault {
            return Err((Rule::Vault, format!("it belongs to the vault {}", document.vault)));
        }
        if document.number != place {
            return Err((Rule::Number, format!("it says that it is entry {}", document.number)));
        }
        if document.previous != self.head.link {
            let reason = "it doesn't follow the entry before it, which was changed or replaced";
            return Err((Rule::Link, reason.to_owned()));
        }
        if document.events.is_empty() {
            return Err((Rule::Event, "it holds no event".to_owned()));
        }
        Ok(())
    }

    /// Real or demo: as the state says, or as the first event of the first entry does.
    fn realm(&self, document: &Document) -> Result<(Realm, UserVerification), (Rule, String)> {
        if self.head.number > 0 {
            return Ok((self.state.realm(), self.state.policy().user_verification));
        }
        match document.events.first() {
            Some(Event::VaultCreated(created)) => Ok((created.realm(), created.user_verification)),
            _ => Err((Rule::Event, "the first event of a log is vault-created".to_owned())),
        }
    }

    fn check_signers(
        &self,
        document: &Document,
        enrolled: &BTreeMap<KeyName, PublicKey>,
    ) -> Result<(), (Rule, String)> {
        if document.signers.is_empty() {
            return Err((Rule::Signers, "nobody signed it".to_owned()));
        }
        let mut seen = BTreeSet::new();
        for signer in &document.signers {
            if !seen.insert(signer) {
                return Err((Rule::Signers, format!("{signer} is named twice")));
            }
            let known = self.state.keys().get(signer);
            let fits = match known {
                Some(_) => may_sign(&self.state, signer, &document.events),
                None => enrolled.contains_key(signer),
            };
            if !fits {
                let is = known.map_or(String::new(), |key| format!(": it is {}", key.state.word()));
                return Err((
                    Rule::Signers,
                    format!("{signer} isn't a key that may sign here{is}"),
                ));
            }
        }
        Ok(())
    }

    fn signing_key<'a>(
        &'a self,
        signer: &KeyName,
        enrolled: &'a BTreeMap<KeyName, PublicKey>,
    ) -> Option<&'a PublicKey> {
        self.keys.get(signer).or_else(|| enrolled.get(signer))
    }

    /// Verifies every signature, and returns what they say.
    fn verify(
        &self,
        entry: &Entry,
        head: &Head,
        expected: &Expected,
    ) -> Result<Vec<(KeyName, Verified)>, (Rule, String)> {
        let message = head.to_string();
        let namespace = expected.realm.head_namespace();
        let rule = match expected.verification {
            UserVerification::Required => UserVerificationRule::Required,
            UserVerification::Waived => UserVerificationRule::Waived,
        };
        let mut all = Vec::new();
        for (signer, armor) in entry.document().signers.iter().zip(entry.signatures()) {
            let wrong = |reason: String| (Rule::Signature, format!("that of {signer}: {reason}"));
            let key = self
                .signing_key(signer, &expected.enrolled)
                .ok_or_else(|| wrong("its public key isn't known".to_owned()))?;
            let signature =
                Signature::from_armor(armor).map_err(|reason| wrong(reason.to_string()))?;
            let verified = signature
                .verify(key, namespace, message.as_bytes(), rule)
                .map_err(|reason| wrong(reason.to_string()))?;
            all.push((signer.clone(), verified));
        }
        Ok(all)
    }

    fn note_findings(
        &mut self,
        document: &Document,
        verified: Vec<(KeyName, Verified)>,
        entry: u64,
    ) {
        let mut find = |kind| self.findings.push(Finding { entry, kind });
        for (key, Verified { flags, counter }) in verified {
            self.signatures.all += 1;
            self.signatures.user_verified += u64::from(flags.uv());
            // A counter that is always 0 is a key that has none (WebAuthn, 6.1.1).
            let before = self.counters.insert(key.clone(), counter).unwrap_or(0);
            if counter <= before && (counter, before) != (0, 0) {
                find(FindingKind::CounterFell { key, counter, before });
            }
        }
        match self.latest {
            Some(Stamp { time: after, .. }) if document.time < after => {
                find(FindingKind::TimeWentBack { time: document.time, after });
            }
            _ => self.latest = Some(Stamp { entry, time: document.time }),
        }
    }
}

/// How much of a log is replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extent {
    /// All of it.
    Whole,
    /// Some of its entries.
    Extract,
}

/// What the signatures of a document must be made with.
struct Expected {
    /// The public keys that it enrols, by name.
    enrolled: BTreeMap<KeyName, PublicKey>,
    realm: Realm,
    verification: UserVerification,
}

/// Lets a document's events happen, and returns what is odd about them. Where it fails, some
/// have happened.
fn happen(
    state: &mut State,
    document: &Document,
    place: u64,
    extent: Extent,
) -> Result<Vec<FindingKind>, (Rule, String)> {
    let at = Stamp { entry: place, time: document.time };
    let mut oddities = odd_signers(document, state);
    let happens = |event: &&Event| extent == Extent::Whole || event.bears_on_authority();
    for event in document.events.iter().filter(happens) {
        let odd = odd_beforehand(event, state);
        state
            .apply(event, at, &document.signers)
            .map_err(|reason| (Rule::Event, format!("{}: {reason}", event.kind())))?;
        oddities.extend(odd.into_iter().chain(odd_afterwards(event, state)));
    }
    if place == 1 {
        judge_founding(state, &document.signers)
            .map_err(|reason| (Rule::Authority, reason.to_string()))?;
    }
    Ok(oddities)
}

/// What a document would come to, its signatures aside.
#[derive(Clone, Debug)]
pub struct Considered {
    state: State,
    enrolled: BTreeMap<KeyName, PublicKey>,
    oddities: Vec<FindingKind>,
    realm: Realm,
}

impl Considered {
    /// The public keys that the document enrols, by name.
    pub fn enrolled(&self) -> &BTreeMap<KeyName, PublicKey> {
        &self.enrolled
    }

    /// Real or demo.
    pub fn realm(&self) -> Realm {
        self.realm
    }

    /// What would be so.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What would be odd, in the events themselves.
    pub fn oddities(&self) -> &[FindingKind] {
        &self.oddities
    }
}

/// The public keys that an entry enrols, each held against its own attestation.
fn keys_enrolled_by(
    document: &Document,
    realm: Realm,
) -> Result<BTreeMap<KeyName, PublicKey>, (Rule, String)> {
    let mut enrolled = BTreeMap::new();
    for event in &document.events {
        if let Event::KeyEnrolled(enrolment) = event {
            let key = enrolled_key(enrolment, realm)
                .map_err(|reason| (Rule::Event, format!("key-enrolled: {reason}")))?;
            enrolled.insert(enrolment.key.clone(), key);
        }
    }
    Ok(enrolled)
}

/// The public key of an enrolment, if the attested data tell of that very credential.
fn enrolled_key(enrolment: &KeyEnrolled, realm: Realm) -> Result<PublicKey, String> {
    let key = PublicKey::from_line(enrolment.public_key.as_str())
        .map_err(|reason| format!("public key of {}: {reason}", enrolment.key))?;
    let data = AuthenticatorData::parse(&enrolment.attestation_data.0)
        .map_err(|reason| format!("attestation of {}: {reason}", enrolment.key))?;
    let application = realm.signing_application();
    let tells_of_it = data.credential.as_ref().is_some_and(|credential| {
        credential.id.as_bytes() == enrolment.credential.0
            && credential.aaguid.0 == enrolment.aaguid.0
            && PublicKey::from_credential(&credential.public_key, application)
                .is_ok_and(|attested| attested == key)
    });
    if !tells_of_it
        || data.rp_id_hash != super::chain::sha256(application.as_bytes()).0
        || !data.flags.up()
    {
        return Err(format!("the attestation of {} tells of another credential", enrolment.key));
    }
    Ok(key)
}
