//! Every bit of every file of a vault, flipped, one at a time: each is noticed, and what is
//! said names that very file. The same for file names, and for this machine's memory of heads.
//!
//! A bit that nobody notices is one that nothing reads: it has no place in the format.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests make and break files, and fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use keymuster::vault::{AgeIdentity, HeadMemory, Location, Remembered, open_records};

#[expect(dead_code, reason = "made for tests/cli, which uses all of it")]
#[path = "../support/demo_vault.rs"]
mod demo_vault;
use demo_vault::Demo;

/// `make test` flips one bit in so many. No multiple of 2, so that every position in a byte
/// has its turn.
const STRIDE: usize = 7;
/// Files of at most so many bytes are flipped whole.
const SMALL: usize = 64;

fn stride() -> usize {
    if std::env::var_os("KEYMUSTER_TEST_LONG").is_some() { 1 } else { STRIDE }
}

/// How a change was noticed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Notice {
    /// The vault doesn't open.
    Refused,
    /// Its log has a fault.
    Faulty,
    /// A file isn't what the log says.
    Damaged,
    /// Something is odd, which `log verify` tells.
    Odd,
    /// It isn't the log that this machine remembers.
    OtherHead,
}

const NOTICES: [Notice; 5] =
    [Notice::Refused, Notice::Faulty, Notice::Damaged, Notice::Odd, Notice::OtherHead];

/// A vault with a secret in custody, the same for all.
fn with_a_secret() -> Demo {
    static ORIGINAL: OnceLock<Demo> = OnceLock::new();
    let original = ORIGINAL.get_or_init(|| {
        let demo = Demo::new();
        fs::write(demo.path("note"), "over the hills\n").unwrap();
        demo.run(&["secret", "store", "note", "--kind", "note", "--file", "demo/note"]).exits(0);
        demo
    });
    original.copied()
}

/// A vault to break, with its reader's identity and a memory of its head.
struct Bench {
    demo: Demo,
    reader: AgeIdentity,
    memory: HeadMemory,
}

impl Bench {
    /// A vault of which there is nothing to say.
    fn new() -> Self {
        let demo = with_a_secret();
        let reader = fs::read_to_string(demo.path("reader.identity")).unwrap();
        let reader = AgeIdentity::parse(reader.trim()).unwrap();
        let memory = HeadMemory::new(&demo.folder.path().join("state/keymuster/heads"));
        let bench = Self { demo, reader, memory };
        bench.is_quiet();
        bench
    }

    #[track_caller]
    fn is_quiet(&self) {
        assert_eq!(self.notices(), [], "nothing is wrong with this vault");
    }

    fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.demo.path("vault").join(inside)
    }

    /// All that is said of the vault as it lies there, in the order in which it is told.
    fn notices(&self) -> Vec<(Notice, String)> {
        let location = match Location::at(&self.demo.path("vault")) {
            Ok(location) => location,
            Err(error) => return vec![(Notice::Refused, in_full(&error))],
        };
        let id = location.id;
        let vault = match open_records(location, &[&self.reader]) {
            Ok(vault) => vault,
            Err(error) => return vec![(Notice::Refused, in_full(&error))],
        };
        let mut said = Vec::new();
        said.extend(vault.fault().map(|fault| {
            (Notice::Faulty, format!("log/{:06}.age: {}", fault.entry, fault.reason))
        }));
        said.extend(vault.damage().iter().map(|damage| (Notice::Damaged, damage.to_string())));
        let now = "2100-01-01T00:00:00Z".parse().unwrap();
        said.extend(vault.findings(now).into_iter().map(|finding| (Notice::Odd, finding)));
        match Remembered::of(self.memory.recall(&id).unwrap(), vault.links()) {
            Remembered::Contained => {}
            other => said.push((Notice::OtherHead, format!("{other:?}"))),
        }
        said
    }
}

/// An error with its causes.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The files of a vault, relative to it, with their lengths.
fn files(demo: &Demo) -> Vec<(PathBuf, usize)> {
    let root = demo.path("vault");
    let inside = |path: PathBuf| path.strip_prefix(&root).unwrap().to_owned();
    demo.snapshot().into_iter().map(|(path, bytes)| (inside(path), bytes.len())).collect()
}

/// Flips a bit; once more brings it back.
fn flip(path: &Path, bit: usize) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let (place, mut byte) = ((bit / 8) as u64, [0]);
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << (bit % 8))], place).unwrap();
}

/// How often each kind of notice was the first that named what was changed.
type Counts = BTreeMap<Notice, usize>;

/// Makes each of `changes` to a vault, on all processors: `make` takes it back too, and tells
/// how it was noticed, or what was said instead.
fn all_noticed<Change: Sync>(
    changes: &[(String, Change)],
    make: impl Fn(&Bench, &Change) -> Result<Notice, String> + Sync,
) -> BTreeMap<String, Counts> {
    let next = AtomicUsize::new(0);
    let work = || {
        let bench = Bench::new();
        let mut outcomes = Vec::new();
        while let Some((what, change)) = changes.get(next.fetch_add(1, Ordering::Relaxed)) {
            outcomes.push((what, make(&bench, change)));
        }
        bench.is_quiet();
        outcomes
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        started.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut unnoticed = Vec::new();
    for (what, outcome) in outcomes {
        match outcome {
            Ok(notice) => {
                *counts.entry(what.clone()).or_default().entry(notice).or_default() += 1;
            }
            Err(words) => unnoticed.push(format!("{what}: {words}")),
        }
    }
    let shown = unnoticed.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(unnoticed.is_empty(), "{} changes weren't noticed:\n{shown}", unnoticed.len());
    counts
}

/// The first thing said that names one of `names`.
fn naming(said: Vec<(Notice, String)>, names: &[&str]) -> Result<Notice, String> {
    let named = said.iter().find(|(notice, words)| {
        // The memory names heads and not files.
        *notice == Notice::OtherHead || names.iter().any(|name| words.contains(name))
    });
    named.map(|(notice, _)| *notice).ok_or_else(|| format!("said was {said:?}"))
}

/// Shows what was counted.
fn show(title: &str, counts: &BTreeMap<String, Counts>) {
    let mut text = format!("\n{title}\n{:<40}", "");
    text.extend(NOTICES.iter().map(|notice| format!("{:>10}", format!("{notice:?}"))));
    for (what, counts) in counts {
        text.push_str(&format!("\n{what:<40}"));
        let count = |notice| counts.get(notice).copied().unwrap_or(0);
        text.extend(NOTICES.iter().map(|notice| format!("{:>10}", count(notice))));
    }
    let all: usize = counts.values().flat_map(BTreeMap::values).sum();
    tell(&format!("{text}\nall noticed: {all}\n"));
}

/// Says something past the test harness, which would keep it for failures.
fn tell(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

#[test]
fn every_flipped_bit_of_every_file_is_noticed_and_the_file_named() {
    let stride = stride();
    let demo = with_a_secret();
    let files = files(&demo);
    assert!(files.len() >= 15, "{files:?}");
    let mut changes = Vec::new();
    let mut positions = BTreeSet::new();
    for (file, length) in &files {
        let step = if *length <= SMALL { 1 } else { stride };
        for bit in (0..length * 8).step_by(step) {
            positions.insert((file, bit % 8));
            changes.push((format!("{} ({length} bytes)", file.display()), (file.clone(), bit)));
        }
    }
    assert_eq!(positions.len(), files.len() * 8, "every position in a byte is met in each file");
    let counts = all_noticed(&changes, |bench, (file, bit)| {
        let path = bench.path(file);
        flip(&path, *bit);
        let said = bench.notices();
        flip(&path, *bit);
        // Only what names the file counts: a log that came out otherwise isn't enough.
        let said = said.into_iter().filter(|(notice, _)| *notice != Notice::OtherHead).collect();
        naming(said, &[&file.to_string_lossy()]).map_err(|words| format!("bit {bit}: {words}"))
    });
    show(&format!("flipped bits, one in {stride}"), &counts);
}

/// Swaps two names, or gives the file of the first the second where nothing has that yet.
fn rename(from: &Path, to: &Path) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let taken = to.symlink_metadata().is_ok();
    let flags = if taken { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    renameat_with(CWD, from, CWD, to, flags).unwrap();
}

#[test]
fn every_flipped_bit_of_every_name_is_noticed() {
    let demo = with_a_secret();
    let folders = ["log", "compartments", "identities", "secrets"].map(PathBuf::from);
    let mut changes = Vec::new();
    for path in files(&demo).into_iter().map(|(path, _)| path).chain(folders) {
        let name = path.file_name().unwrap().as_bytes();
        for bit in 0..name.len() * 8 {
            let mut other = name.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            // No file can have these in its name.
            if !matches!(other[bit / 8], 0 | b'/') {
                let other = path.with_file_name(OsString::from_vec(other));
                changes.push((format!("name of {}", path.display()), (path.clone(), other)));
            }
        }
    }
    let counts = all_noticed(&changes, |bench, (name, other)| {
        let (from, to) = (bench.path(name), bench.path(other));
        rename(&from, &to);
        let said = bench.notices();
        rename(&to, &from);
        naming(said, &[&name.to_string_lossy(), &other.to_string_lossy()])
            .map_err(|words| format!("as {}: {words}", other.display()))
    });
    show("names with one flipped bit", &counts);
}

#[test]
fn a_flipped_bit_in_the_memory_of_heads_never_lets_a_rolled_back_vault_pass() {
    let bench = Bench::new();
    let location = Location::at(&bench.path("")).unwrap();
    let id = location.id;
    let vault = open_records(location, &[&bench.reader]).unwrap();
    let whole = vault.links();
    let file = bench.demo.folder.path().join(format!("state/keymuster/heads/{id}"));
    let written = fs::read(&file).unwrap();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut accepted = Vec::new();
    for bit in 0..written.len() * 8 {
        flip(&file, bit);
        for length in 1..=whole.len() {
            let known = bench.memory.recall(&id);
            let verdict = match known.map(|known| Remembered::of(known, &whole[..length])) {
                Ok(Remembered::Contained | Remembered::Never) => {
                    accepted.push(format!("bit {bit}, {} entries", length - 1));
                    continue;
                }
                Ok(Remembered::AnotherVault) => "another vault",
                Ok(Remembered::Shorter(_)) => "shorter",
                Ok(Remembered::Different(_)) => "different",
                Err(_) => "not a head",
            };
            let which = if length == whole.len() { "whole" } else { "rolled back" };
            *counts.entry(format!("{which} vault: {verdict}")).or_default() += 1;
        }
        flip(&file, bit);
    }
    assert_eq!(accepted, Vec::<String>::new(), "accepted with a memory that was changed");
    assert_eq!(fs::read(&file).unwrap(), written);
    bench.is_quiet();
    let bits = written.len() * 8;
    tell(&format!("\n{bits} bits of the memory of heads, all refused: {counts:?}\n"));
}

#[test]
fn the_program_refuses_a_flipped_bit_in_any_file_and_names_it() {
    let bench = Bench::new();
    for (file, length) in files(&bench.demo) {
        let (path, name) = (bench.path(&file), file.to_string_lossy().into_owned());
        flip(&path, length * 4);
        let ran = bench.demo.read(&["log", "verify"]);
        if name == ".gitattributes" {
            // Only a guard: nothing is read from it.
            ran.exits(0).answers(&["finding: .gitattributes has no line `* binary`"]);
        } else {
            assert!([1, 3].contains(&ran.exit), "{name}: {ran:?}");
            ran.says(&[&name]);
            // That of a secret is told, and is no reason to record nothing any more.
            if !name.starts_with("secrets/") {
                bench.demo.read(&["key", "check", "alice/primary"]).says(&[&name]);
            }
        }
        flip(&path, length * 4);
    }
    let heads = bench.demo.folder.path().join("state/keymuster/heads");
    let id = Location::at(&bench.path("")).unwrap().id.to_string();
    let text = fs::read_to_string(heads.join(&id)).unwrap();
    let mut begin = 0;
    for line in text.lines() {
        let bit = (begin + line.len() / 2) * 8;
        flip(&heads.join(&id), bit);
        let ran = bench.demo.read(&["log", "verify"]);
        assert!([1, 3].contains(&ran.exit), "{line}: {ran:?}");
        flip(&heads.join(&id), bit);
        begin += line.len() + 1;
    }
    bench.demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 5 entries"]);
}
