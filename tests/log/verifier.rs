//! A second verifier, in Python, which was written from the documents alone, comes to the same
//! verdicts as ours: on logs at random, with an entry at their end that is refused, extracts of
//! them, and bundles that somebody changed, with and without the keys. And where verify.sh claims
//! to check, it agrees.

mod changes;
mod judges;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use keymuster::audit::{Wanted, files};
use keymuster::log::{Entry, Head, SignedDocument};
use keymuster::record::{Event, HeadAbandoned, SlipEndorsed, State, Time, VaultId};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::accounts::account;
use super::attacks::three;
use super::fixture::{checked, compartment};
use super::people::People;
use super::sequences::{attempted, attempts, just_founded};
use super::slips::head_of;
use changes::{Dice, changed, resigned};
use judges::{of_ours, of_script, of_second};

/// The files of a bundle, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// How many bundles are changed.
fn many() -> usize {
    if std::env::var_os("KEYMUSTER_TEST_LONG").is_some() { 1000 } else { 100 }
}

/// The bundle of some entries, or of an extract of them.
fn bundle(vault: VaultId, entries: &[Entry], wanted: &Wanted, state: &State) -> Files {
    let mut bundle = Files::new();
    let shown = wanted.among(entries.iter(), state);
    files::<()>(vault, entries, &shown, |name, bytes| {
        bundle.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    })
    .unwrap();
    // They are for people, and the same in all.
    bundle.retain(|name, _| {
        !["README", "verify.sh"].contains(&name.as_str()) && !name.starts_with("rules/")
    });
    bundle
}

/// A log at random, and entries that were refused, with the number of those before them. Some of what
/// is attempted goes into slips, or into an entry that loses its number to another, and later entries
/// take those in, some of them more than once.
fn grown(runner: &mut TestRunner, dice: &mut Dice) -> (People, Vec<(usize, Entry)>) {
    let attempts = attempts().new_tree(runner).unwrap().current();
    let (mut people, mut refused) = (just_founded(), Vec::new());
    let mut beside = Vec::new();
    for (number, attempt) in attempts.iter().enumerate() {
        let (signers, events) = attempted(&mut people, number, attempt);
        let signers: Vec<&str> = signers.iter().map(String::as_str).collect();
        let entry = match dice.below(10) {
            0..=3 if !signers.is_empty() => {
                beside.push(signed_beside(&mut people, &signers, events, &beside, dice));
                continue;
            }
            4..=6 if !beside.is_empty() => collected(&mut people, &signers, events, &beside, dice),
            _ => people.entry(&signers, events),
        };
        match people.log.replay.admit(&entry) {
            Ok(()) => people.log.entries.push(entry),
            Err(_) => refused.push((people.log.entries.len(), entry)),
        }
    }
    (people, refused)
}

/// A slip, or an entry that will have lost its number.
fn signed_beside(
    people: &mut People,
    signers: &[&str],
    mut events: Vec<Event>,
    beside: &[SignedDocument],
    dice: &mut Dice,
) -> SignedDocument {
    let other = (!beside.is_empty()).then(|| dice.pick(beside).clone());
    if let (Some(other), 0) = (&other, dice.below(4)) {
        events = vec![Event::SlipEndorsed(SlipEndorsed { slip: other.digest() })];
    }
    match dice.below(8) {
        0 | 1 => people.entry(signers, events).signed().clone(),
        2 => people.slip_with(signers, events, |slip| {
            let days = [-2, -1, 13, 14, 15][dice.below(5)];
            let time = slip.time.moment() - chrono::TimeDelta::days(days);
            slip.time = Time::new(time).unwrap();
        }),
        3 => people.slip_with(signers, events, |slip| {
            let Some(other) = &other else { return };
            slip.number = other.document().number + 1;
            slip.previous = head_of(other).link;
        }),
        4 => people.slip_with(signers, events, |slip| slip.number = dice.below(9) as u64),
        _ => people.slip(signers, events),
    }
}

/// An entry that takes in some of these, most of them the newest; of events of its own it has none,
/// or these, or that it endorses a slip, or gives one up.
fn collected(
    people: &mut People,
    signers: &[&str],
    events: Vec<Event>,
    beside: &[SignedDocument],
    dice: &mut Dice,
) -> Entry {
    let newest = beside.len().saturating_sub(3);
    let some = match dice.below(4) {
        0 => vec![dice.pick(beside), dice.pick(beside)],
        1 => vec![dice.pick(beside)],
        _ => beside[newest..].iter().collect(),
    };
    let any = dice.pick(&some);
    let events = match dice.below(6) {
        0 => events,
        1 | 2 => vec![Event::SlipEndorsed(SlipEndorsed { slip: any.digest() })],
        3 => {
            let Head { number, link, .. } = head_of(dice.pick(beside));
            vec![Event::HeadAbandoned(HeadAbandoned { number, link })]
        }
        _ => Vec::new(),
    };
    people.collecting(signers, &some, events)
}

/// Bundles in a folder, each with what it is.
struct Shelf {
    folder: tempfile::TempDir,
    bundles: Vec<(String, PathBuf)>,
}

impl Shelf {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), bundles: Vec::new() }
    }

    fn put(&mut self, what: String, files: &Files) {
        let place = self.folder.path().join(format!("{:05}", self.bundles.len()));
        for (name, bytes) in files {
            let path = place.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::create_dir_all(&place).unwrap();
        self.bundles.push((what, place));
    }

    /// Holds all of them before both verifiers, and returns how often each verdict came.
    fn judge(&self) -> BTreeMap<String, usize> {
        let places: Vec<&Path> = self.bundles.iter().map(|(_, place)| place.as_path()).collect();
        let second = of_second(&places);
        let mut told = BTreeMap::new();
        for ((what, place), second) in self.bundles.iter().zip(second) {
            let ours = of_ours(place);
            assert_eq!(ours, second, "{what}, in {}", kept(place).display());
            *told.entry(ours.in_a_word()).or_default() += 1;
        }
        told
    }
}

/// A bundle that verifiers don't agree about, where it stays.
fn kept(place: &Path) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disagreement");
    let _ = fs::remove_dir_all(&to);
    let copied = std::process::Command::new("cp").arg("-r").arg(place).arg(&to).status();
    if copied.is_ok_and(|status| status.success()) { to } else { place.to_owned() }
}

#[test]
fn both_verifiers_agree_on_logs_at_random_and_on_what_is_refused_at_their_end() {
    let mut runner = TestRunner::deterministic();
    let mut dice = Dice::new();
    let mut shelf = Shelf::new();
    for number in 0..many() / 5 {
        let (people, refused) = grown(&mut runner, &mut dice);
        let (vault, entries) = (people.log.vault, &people.log.entries);
        let all = Wanted::default();
        shelf.put(format!("log {number}"), &bundle(vault, entries, &all, people.state()));
        let some = Wanted { only: Some((2..9).collect()), ..Wanted::default() };
        shelf.put(format!("extract {number}"), &bundle(vault, entries, &some, people.state()));
        for (before, entry) in refused.iter().step_by((refused.len() / 4).max(1)) {
            let log = [&entries[..*before], std::slice::from_ref(entry)].concat();
            let what = format!("log {number}, refused after {before}");
            shelf.put(what, &bundle(vault, &log, &all, people.state()));
        }
    }
    let told = shelf.judge();
    for word in ["yes", "partial", "slip", "signers", "authority", "event"] {
        assert!(told.contains_key(word), "{word} never came: {told:?}");
    }
}

#[test]
fn a_sealing_that_follows_what_an_extract_withholds_is_not_held_against_it() {
    let signers = ["alice/primary", "bob/primary"];
    let mut people = three();
    let changed = people.log.entries.len();
    let first = people.slip(&signers, vec![account("prod", 1)]);
    let head = head_of(&first);
    let sealing = vec![compartment("seeds", 2, &["alice", "bob", "mallory"])];
    let second = people.slip_with(&signers, sealing, |slip| {
        (slip.number, slip.previous) = (head.number + 1, head.link);
    });
    people.does(&["mallory/primary"], vec![checked("mallory/primary")]);
    people.collects(&signers, &[&first], Vec::new()).unwrap();
    people.collects(&signers, &[&second], Vec::new()).unwrap();

    let mut shelf = Shelf::new();
    let (vault, last) = (people.log.vault, people.log.entries.len());
    let only = [changed as u64, last as u64].into();
    for wanted in [Wanted::default(), Wanted { only: Some(only), ..Wanted::default() }] {
        shelf.put(
            format!("{:?}", wanted.only),
            &bundle(vault, &people.log.entries, &wanted, people.state()),
        );
    }
    assert_eq!(shelf.judge(), [("partial".to_owned(), 1), ("yes".to_owned(), 1)].into());
}

#[test]
fn both_verifiers_agree_on_bundles_that_somebody_changed() {
    let mut runner = TestRunner::deterministic();
    let mut dice = Dice::new();
    let mut shelf = Shelf::new();
    let (mut people, _) = grown(&mut runner, &mut dice);
    for number in 0..many() {
        if number % 20 == 0 {
            people = grown(&mut runner, &mut dice).0;
        }
        let length = 1 + dice.below(people.log.entries.len().min(12));
        let (vault, entries) = (people.log.vault, people.log.entries[..length].to_vec());
        let sound = bundle(vault, &entries, &Wanted::default(), people.state());
        let (what, changed) = match number % 2 {
            0 => changed(&sound, &mut dice),
            _ => resigned(&mut people, &entries, &mut dice),
        };
        shelf.put(what, &changed);
    }
    let told = shelf.judge();
    for word in ["yes", "form", "signature", "slip", "event", "no bundle"] {
        assert!(told.contains_key(word), "{word} never came: {told:?}");
    }
}

#[test]
fn the_script_agrees_where_it_claims_to_check() {
    let mut runner = TestRunner::deterministic();
    let mut dice = Dice::new();
    let (people, _) = grown(&mut runner, &mut dice);
    let length = people.log.entries.len().min(6);
    let (vault, entries) = (people.log.vault, people.log.entries[..length].to_vec());
    let sound = bundle(vault, &entries, &Wanted::default(), people.state());
    let mut refused = 0;
    for _ in 0..many() / 5 {
        let (what, files) = changed(&sound, &mut dice);
        let mut shelf = Shelf::new();
        shelf.put(what.clone(), &files);
        let (ours, passed) = (of_ours(&shelf.bundles[0].1), of_script(&shelf.bundles[0].1));
        assert_eq!(passed, ours.holds_for_the_script(), "{what}: {ours:?}");
        refused += usize::from(!passed);
    }
    assert!(refused > 0, "nothing was refused");
}
