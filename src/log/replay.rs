//! Replay: the log in, a [`State`] out, or the first fault.
//!
//! For each entry, in this order: its place and link, its slips' places, its signers, their
//! signatures, its events' authority, its events. The keys that may sign entry n are those that the state
//! holds after n-1 and keys that entry n enrols, which count for none of those whom an event
//! needs beside them; the first entry names its own. A key's validity is its place in the log, never a
//! date. What a slip says happens with the entry that admits it, and before what that says itself.

mod beside;
mod counters;
mod enrolled;
mod slips;

use std::collections::{BTreeMap, BTreeSet};

use self::beside::{Foundations, check_transcripts};
use self::counters::{Counters, Place};
use self::enrolled::keys_enrolled_by;
use self::slips::{Branches, Placed};
use super::chain::Head;
use super::document::Document;
use super::entry::{Entry, acts};
use super::fault::{Fault, Rule};
use super::finding::{Finding, FindingKind, odd_afterwards, odd_beforehand, odd_signers};
use super::signed::SignedDocument;
use crate::record::authority::{judge, judge_founding, judge_in_extract, may_sign};
use crate::record::{
    Act, Digest, Event, KeyName, Realm, Stamp, State, Time, UserVerification, VaultId,
};
use crate::sshsig::{PublicKey, Signature, UserVerificationRule, Verified};

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
    /// `links[n]` is that of entry n.
    links: Vec<Digest>,
    branches: Branches,
    foundations: Foundations,
    extent: Extent,
    /// Whether an entry was withheld so far.
    has_withheld: bool,
    signatures: Signatures,
    state: State,
    findings: Vec<Finding>,
    keys: BTreeMap<KeyName, PublicKey>,
    counters: Counters,
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
        let head = Head::empty(vault);
        Self {
            extent,
            has_withheld: false,
            signatures: Signatures::default(),
            head,
            links: vec![head.link],
            branches: Branches::default(),
            foundations: Foundations::default(),
            state: State::default(),
            findings: Vec::new(),
            keys: BTreeMap::new(),
            counters: Counters::default(),
            latest: None,
        }
    }

    /// The head that the admitted entries make.
    pub fn head(&self) -> Head {
        self.head
    }

    /// `links()[n]` is the link of entry n; of the empty log, for 0.
    pub fn links(&self) -> &[Digest] {
        &self.links
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
        let expected = self.expect(document, entry.slips())?;
        let head = self.head.after(entry.document_text().as_bytes());
        let fault = |(rule, reason)| Fault { entry: head.number, rule, reason };
        let mut verified = self.verify_slips(&expected, head.number).map_err(fault)?;
        let place = Place { entry: head.number, seen: self.head.number, head: Some(head.number) };
        let namespace = expected.realm.head_namespace();
        let own = self
            .verify(entry.signed(), &head, namespace, &expected.enrolled, expected.verification)
            .map_err(fault)?;
        verified.push((place, own));

        let acts = entry.acts();
        self.judge(&acts).map_err(fault)?;
        let given_up = self.given_up(&acts, &expected.slips).map_err(fault)?;
        self.foundations.check(&expected.slips).map_err(fault)?;
        self.check_transcripts(entry.documents()).map_err(fault)?;
        // An event happens or leaves the state as it was: only where several do, or the vault
        // begins, a copy is needed. Large logs take their time by this.
        let is_one = acts.iter().map(|act| act.events.len()).sum::<usize>() == 1;
        let happen = |state: &mut State| {
            happen(state, entry.documents(), &acts, head.number, self.extent).map_err(fault)
        };
        let oddities = if is_one && head.number > 1 {
            happen(&mut self.state)?
        } else {
            let mut state = self.state.clone();
            let oddities = happen(&mut state)?;
            self.state = state;
            oddities
        };
        let at = Stamp { entry: head.number, time: document.time };
        let signers = acts.iter().flat_map(|act| act.signers.iter());
        signers.for_each(|signer| self.state.note_signature(signer, at));
        self.state.note_time(document.time);

        self.head = head;
        self.links.push(head.link);
        self.note_branches(&expected.slips, given_up);
        self.foundations.note(entry.events(), head.number);
        let enrolled = expected.slips.into_iter().map(|slip| slip.enrolled);
        self.keys.extend(enrolled.chain([expected.enrolled]).flatten());
        let oddities = oddities.into_iter();
        self.findings.extend(oddities.map(|kind| Finding { entry: head.number, kind }));
        verified.into_iter().for_each(|(place, all)| self.note_signatures(place, all));
        self.note_time(at);
        Ok(())
    }

    /// Passes over the next entry of an extract, of which this is the digest.
    pub fn withhold(&mut self, document: &Digest) {
        self.head = self.head.after_digest(document);
        self.links.push(self.head.link);
        self.has_withheld = true;
    }

    /// The fault of a next entry that couldn't be read as one.
    pub fn unreadable(&self, reason: String) -> Fault {
        Fault { entry: self.head.number.saturating_add(1), rule: Rule::Form, reason }
    }

    /// Holds a document, and the slips that it is to carry, against every rule but those of its own
    /// signatures.
    pub fn consider(
        &self,
        document: &Document,
        slips: &[SignedDocument],
    ) -> Result<Considered, Fault> {
        let expected = self.expect(document, slips)?;
        let place = self.head.number.saturating_add(1);
        let fault = |(rule, reason)| Fault { entry: place, rule, reason };
        self.verify_slips(&expected, place).map_err(fault)?;
        let acts = acts(document, slips);
        self.judge(&acts).map_err(fault)?;
        self.given_up(&acts, &expected.slips).map_err(fault)?;
        self.foundations.check(&expected.slips).map_err(fault)?;
        let documents = || slips.iter().map(SignedDocument::document).chain([document]);
        self.check_transcripts(documents()).map_err(fault)?;
        let mut state = self.state.clone();
        let documents = documents();
        let oddities = happen(&mut state, documents, &acts, place, self.extent).map_err(fault)?;
        let Expected { enrolled, realm, .. } = expected;
        Ok(Considered { state, enrolled, oddities, realm })
    }

    /// Holds a document and its slips against the rules of their place and of who may sign them.
    fn expect<'e>(
        &self,
        document: &Document,
        slips: &'e [SignedDocument],
    ) -> Result<Expected<'e>, Fault> {
        let place = self.head.number.saturating_add(1);
        let fault = |(rule, reason): (Rule, String)| Fault { entry: place, rule, reason };
        self.check_place(document, place).map_err(fault)?;
        let mut slips = self.place(document, slips).map_err(fault)?;
        check_events(document, &slips).map_err(fault)?;
        let (realm, verification) = self.realm(document).map_err(fault)?;
        let enrolled = keys_enrolled_by(document, realm).map_err(fault)?;
        Self::enrol(&mut slips, realm).map_err(fault)?;
        self.check_signers(document, &enrolled).map_err(fault)?;
        for slip in &slips {
            self.check_signers(slip.slip.document(), &slip.enrolled)
                .map_err(|(rule, reason)| fault((rule, format!("{}: {reason}", slip.word))))?;
        }
        Ok(Expected { enrolled, realm, verification, slips })
    }

    /// Whether each document that tells of a drill ends it. In an extract that doesn't happen.
    fn check_transcripts<'e>(
        &self,
        mut documents: impl Iterator<Item = &'e Document>,
    ) -> Result<(), (Rule, String)> {
        match self.extent {
            Extent::Whole => documents.try_for_each(check_transcripts),
            Extent::Extract => Ok(()),
        }
    }

    /// Whether the signers of each act suffice for it. Of the first entry, that shows afterwards.
    fn judge(&self, acts: &[Act<'_>]) -> Result<(), (Rule, String)> {
        for act in acts.iter().filter(|_| self.head.number > 0) {
            let judge = match self.extent {
                Extent::Whole => judge,
                Extent::Extract => judge_in_extract,
            };
            act.events
                .iter()
                .try_for_each(|event| judge(event, &self.state, &act.signers))
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
                // A suspended key is there to restore one, and takes in nothing beside that.
                Some(key) if !key.is_active() && !document.slips.is_empty() => false,
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

    /// Verifies every signature of the slips, and returns what they say.
    fn verify_slips(
        &self,
        expected: &Expected<'_>,
        entry: u64,
    ) -> Result<Vec<(Place, Signed)>, (Rule, String)> {
        let verify = |it: &Placed<'_>| {
            let namespace = it.namespace(expected.realm);
            let is_entry = namespace == expected.realm.head_namespace();
            let place = Place { entry, seen: it.seen, head: is_entry.then_some(it.head.number) };
            let verification = expected.verification;
            self.verify(it.slip, &it.head, namespace, &it.enrolled, verification)
                .map(|verified| (place, verified))
                .map_err(|(rule, reason)| (rule, format!("{}: {reason}", it.word)))
        };
        expected.slips.iter().map(verify).collect()
    }

    /// Verifies every signature under a document, and returns what they say.
    fn verify(
        &self,
        signed: &SignedDocument,
        head: &Head,
        namespace: &str,
        enrolled: &BTreeMap<KeyName, PublicKey>,
        verification: UserVerification,
    ) -> Result<Signed, (Rule, String)> {
        let message = head.to_string();
        let rule = match verification {
            UserVerification::Required => UserVerificationRule::Required,
            UserVerification::Waived => UserVerificationRule::Waived,
        };
        let mut all = Vec::new();
        for (signer, armor) in signed.document().signers.iter().zip(signed.signatures()) {
            let wrong = |reason: String| (Rule::Signature, format!("that of {signer}: {reason}"));
            let key = self
                .signing_key(signer, enrolled)
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

    /// Notes what verified signatures say, and what is odd about it.
    fn note_signatures(&mut self, place: Place, verified: Signed) {
        let mut find = |kind| self.findings.push(Finding { entry: place.entry, kind });
        for (key, Verified { flags, counter }) in verified {
            self.signatures.all += 1;
            self.signatures.user_verified += u64::from(flags.uv());
            let number = place.head.filter(|number| self.counters.signed_head(&key, *number));
            if let Some(before) = self.counters.note(&key, place, counter) {
                find(FindingKind::CounterFell { key: key.clone(), counter, before });
            }
            if let Some(number) = number {
                find(FindingKind::TwoHeads { key, number });
            }
        }
    }

    /// Notes the time of the entry that was just admitted.
    fn note_time(&mut self, at: Stamp) {
        match self.latest {
            Some(Stamp { time: after, .. }) if at.time < after => {
                let kind = FindingKind::TimeWentBack { time: at.time, after };
                self.findings.push(Finding { entry: at.entry, kind });
            }
            _ => self.latest = Some(at),
        }
    }
}

/// Fails where there is nothing that could happen.
fn check_events(document: &Document, slips: &[Placed<'_>]) -> Result<(), (Rule, String)> {
    if document.events.is_empty() && slips.is_empty() {
        return Err((Rule::Event, "it holds no event".to_owned()));
    }
    // An entry that only took in slips says nothing itself, also where it lost its number.
    let says_nothing = |slip: &&Placed<'_>| {
        let document = slip.slip.document();
        document.events.is_empty() && document.slips.is_empty()
    };
    match slips.iter().find(says_nothing) {
        Some(slip) => Err((Rule::Event, format!("{} holds no event", slip.word))),
        None => Ok(()),
    }
}

/// What the signatures under a document say, by the keys that made them.
type Signed = Vec<(KeyName, Verified)>;

/// How much of a log is replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extent {
    /// All of it.
    Whole,
    /// Some of its entries.
    Extract,
}

/// What the signatures of a document must be made with, and of its slips.
struct Expected<'e> {
    /// The public keys that it enrols, by name.
    enrolled: BTreeMap<KeyName, PublicKey>,
    realm: Realm,
    verification: UserVerification,
    slips: Vec<Placed<'e>>,
}

/// Lets what the documents of an entry say happen, the last of which is its own; `acts` are theirs.
/// Returns what is odd about it. Where it fails, some has happened.
fn happen<'e>(
    state: &mut State,
    documents: impl Iterator<Item = &'e Document>,
    acts: &[Act<'_>],
    place: u64,
    extent: Extent,
) -> Result<Vec<FindingKind>, (Rule, String)> {
    let mut oddities = Vec::new();
    let documents: Vec<&Document> = documents.collect();
    let Some(own) = documents.last() else { return Ok(oddities) };
    let at = Stamp { entry: place, time: own.time };
    for (document, act) in documents.iter().zip(acts) {
        oddities.extend(odd_signers(document, state));
        let happens = |event: &&Event| extent == Extent::Whole || event.bears_on_authority();
        for event in act.events.iter().filter(happens) {
            let odd = odd_beforehand(event, state);
            state
                .apply(event, at, &act.signers)
                .map_err(|reason| (Rule::Event, format!("{}: {reason}", event.kind())))?;
            oddities.extend(odd.into_iter().chain(odd_afterwards(event, state)));
        }
    }
    if place == 1 {
        judge_founding(state, &own.signers)
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
