//! What must hold after a fault, whatever it was: the vault is as it was before or as it is
//! after, what was said of it is true, nothing is in the clear that isn't meant to be, the
//! same command works, and the next entry leaves nothing of it all.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::demo_vault::Ran;
use super::lines::{Effect, Line};
use super::trace::{Fault, Point};
use super::world::{Files, SEED, World, reader_of};

/// The start of every temporary name.
const TEMPORARY: &str = ".keymuster-";
/// Where the machine keeps its own identity.
const OWN: &str = "config/keymuster/readers";
/// How many entries a whole demo has.
const DEMO_ENTRIES: u64 = 14;

/// How the vault was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stands {
    AsBefore,
    /// After so many of its entries: the receipt is there, and nothing came of it.
    Between(u64),
    AsAfter,
}

/// What a line found before it ran, or left where nothing struck it.
pub struct Scenery {
    vault: Files,
    fresh: Files,
    second: Files,
}

impl Scenery {
    pub fn of(world: &World) -> Self {
        let [vault, fresh, second] = ["demo/vault", "fresh", "second"].map(|at| world.files(at));
        Self { vault, fresh, second }
    }
}

/// One run that was struck.
pub struct Struck<'a> {
    pub world: &'a World,
    pub line: &'a Line,
    pub point: &'a Point,
    pub fault: Fault,
    pub ran: &'a Ran,
    pub before: &'a Scenery,
    pub unharmed: &'a Scenery,
}

type Verdict<T = ()> = Result<T, String>;

fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Struck<'_> {
    /// Judges the run, and repeats it.
    pub fn judge(&self) -> Verdict<Stands> {
        let world = self.world;
        self.nothing_is_in_the_clear()?;
        let stands = match self.line.effect {
            Effect::Appends(entries) => self.vault_stands(entries)?,
            Effect::Yields(first) => self.yielding_stands(first)?,
            Effect::Reads | Effect::Exports(_) | Effect::SetsPin | Effect::WritesSlip(_) => {
                self.vault_is_untouched()?
            }
            Effect::Founds(folder) => {
                self.vault_is_untouched()?;
                self.founding_stands(folder)?
            }
            Effect::Demonstrates(folder) => {
                self.vault_is_untouched()?;
                self.demo_stands(folder)?
            }
        };
        self.told_the_truth(stands)?;
        let left = || format!("a temporary file is left in {OWN}");
        must(self.fault == Fault::Kill || !is_left(world, OWN), left)?;
        self.repeats(stands)?;
        must(!is_left(world, OWN), left)?;
        self.nothing_is_in_the_clear()?;
        // Whatever a reader or a demo left lies outside of the vault, or in a folder of its own.
        match self.line.effect {
            Effect::Founds(folder) => self.next_entry_cleans(folder),
            Effect::Demonstrates(folder) => {
                let vault = format!("{folder}/vault");
                if world.folder().join(&vault).join("vault.toml").exists() {
                    self.next_entry_cleans(&vault)?;
                }
                Ok(())
            }
            _ => self.next_entry_cleans("demo/vault"),
        }?;
        Ok(stands)
    }

    fn nothing_is_in_the_clear(&self) -> Verdict {
        let unfinished = self.unfinished_bundles();
        // Who is killed can't tidy up.
        must(unfinished.len() <= usize::from(self.fault == Fault::Kill), || {
            format!("left of a bundle: {unfinished:?}")
        })?;
        let clear: &[&str] = match self.line.effect {
            Effect::Exports(_) => &["demo/demo-keys", "second"],
            Effect::Demonstrates(_) => {
                &["demo/demo-keys", "second/demo-keys", "second/bundle", "second/report"]
            }
            // An invitation holds no secret, and says whose vault it is.
            _ => &["demo/demo-keys", "demo-keys", "dave.invite", OWN],
        };
        let clear: Vec<&str> =
            clear.iter().copied().chain(unfinished.iter().map(String::as_str)).collect();
        self.world.plaintext(&clear).map_or(Ok(()), |found| Err(format!("in the clear: {found}")))
    }

    /// The folders in which bundles were being written, which nobody else may read.
    fn unfinished_bundles(&self) -> Vec<String> {
        let (beside, names) = match self.line.effect {
            Effect::Exports(folder) => ("", vec![folder]),
            Effect::Demonstrates(folder) => (folder, vec!["bundle", "report"]),
            _ => return Vec::new(),
        };
        let beside = self.world.folder().join(beside);
        let is_unfinished = |item: &fs::DirEntry| {
            let is = item.file_name().to_string_lossy().into_owned();
            let mode = item.metadata().map_or(0, |metadata| metadata.permissions().mode());
            let is_of = |name: &&str| is.ends_with(&format!("-{name}"));
            is.starts_with(TEMPORARY) && names.iter().any(is_of) && mode == 0o040_700
        };
        let items = fs::read_dir(beside).into_iter().flatten().flatten().filter(is_unfinished);
        let inside = |item: fs::DirEntry| {
            Some(item.path().strip_prefix(self.world.folder()).ok()?.to_string_lossy().into_owned())
        };
        items.filter_map(inside).collect()
    }

    fn vault_is_untouched(&self) -> Verdict<Stands> {
        let (head, strays) = self.world.verify("demo/vault", self.world.fingerprint())?;
        must(head == *self.world.head() && strays.is_empty(), || format!("{head:?}, {strays:?}"))?;
        must(self.world.files("demo/vault") == self.before.vault, || {
            "a command that only reads changed the vault".to_owned()
        })?;
        Ok(Stands::AsBefore)
    }

    /// At the old head or at one after it, with every file that was there.
    fn vault_stands(&self, entries: u64) -> Verdict<Stands> {
        let (head, strays) = self.world.verify("demo/vault", self.world.fingerprint())?;
        let old = self.world.head();
        let stands = match head.number.checked_sub(old.number) {
            Some(0) if head == *old => Stands::AsBefore,
            Some(new) if new == entries => Stands::AsAfter,
            Some(new) if 0 < new && new < entries => Stands::Between(new),
            _ => return Err(format!("the vault is at {head:?}, and was at {old:?}")),
        };
        let now = self.world.files("demo/vault");
        // Once a drill's end is in the log, its journal goes, if not at once.
        let goes = |path: &Path| stands == Stands::AsAfter && path.starts_with("drafts");
        let strays: Vec<String> =
            strays.into_iter().filter(|stray| !goes(Path::new(stray))).collect();
        let mut kept = self.before.vault.iter().filter(|(path, _)| !goes(path));
        let changed = kept.find(|(path, bytes)| now.get(*path) != Some(bytes));
        must(changed.is_none(), || format!("{:?} changed", changed.map(|(path, _)| path)))?;
        let new: Vec<&PathBuf> = added(&self.before.vault, &now);
        let all = added(&self.before.vault, &self.unharmed.vault);
        if stands == Stands::AsAfter {
            let missing = all.iter().find(|path| !new.iter().any(|new| are_alike(new, path)));
            must(missing.is_none(), || format!("{missing:?} is missing"))?;
        }
        let is_meant = |path: &PathBuf| all.iter().any(|meant| are_alike(path, meant));
        let left: Vec<&&PathBuf> =
            new.iter().filter(|path| stands == Stands::AsBefore || !is_meant(path)).collect();
        let strays_are_left: Vec<String> = left
            .iter()
            .filter(|path| !is_temporary(path))
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        must(strays == strays_are_left, || {
            format!("strays {strays:?} were reported, and {strays_are_left:?} are there")
        })?;
        // Who is killed can't tidy up. Files of the entry that wasn't are reported, and a
        // share may be about to bring that entry: nothing removes them.
        let known = left.iter().all(|path| is_temporary(path) || is_meant(path));
        must(left.is_empty() || (self.fault == Fault::Kill && known), || {
            format!("left in the vault: {left:?}")
        })?;
        Ok(stands)
    }

    /// At some entry of those it had, with a slip of each that isn't in the log any more.
    fn yielding_stands(&self, first: u64) -> Verdict<Stands> {
        let (head, strays) = self.world.verify("demo/vault", self.world.fingerprint())?;
        let old = self.world.head().number;
        must((first - 1..=old).contains(&head.number) && strays.is_empty(), || {
            format!("the vault is at {head:?}, and was at {old}: {strays:?}")
        })?;
        let folder = self.world.folder().join("demo/vault/yielded");
        let names: Vec<String> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|item| item.file_name().to_string_lossy().into_owned())
            .collect();
        for number in head.number + 1..=old {
            let begin = format!("{number:06}.");
            let slip = names.iter().find(|name| name.starts_with(&begin));
            must(slip.is_some(), || format!("entry {number} is gone, and there is no slip of it"))?;
        }
        Ok(match head.number {
            number if number == old => Stands::AsBefore,
            number if number == first - 1 => Stands::AsAfter,
            number => Stands::Between(old - number),
        })
    }

    fn founding_stands(&self, folder: &str) -> Verdict<Stands> {
        let now = self.world.files(folder);
        let changed = self.before.fresh.iter().find(|(path, bytes)| now.get(*path) != Some(bytes));
        must(changed.is_none(), || format!("{:?} changed", changed.map(|(path, _)| path)))?;
        let founded = self.world.folder().join(folder).join("vault.toml").exists();
        if !founded {
            let was_there = !self.before.fresh.is_empty();
            let is_there = self.world.folder().join(folder).exists();
            let untouched = now == self.before.fresh && was_there == is_there;
            must(self.fault == Fault::Kill || untouched, || {
                let left = added(&self.before.fresh, &now);
                format!("left of a founding that failed: {folder} {left:?}")
            })?;
            return Ok(Stands::AsBefore);
        }
        let fingerprint = self.world.fingerprint_in(folder)?;
        let (head, strays) = self.world.verify(folder, &fingerprint)?;
        must(head.number == 1 && strays.is_empty(), || format!("{head:?}, {strays:?}"))?;
        let whole = self.unharmed.fresh.keys().all(|path| now.contains_key(path));
        must(whole, || format!("founded with {:?}", now.keys()))?;
        Ok(Stands::AsAfter)
    }

    /// A demo is many commands: whatever it came to is sound.
    fn demo_stands(&self, folder: &str) -> Verdict<Stands> {
        let vault = format!("{folder}/vault");
        if !self.world.folder().join(&vault).join("vault.toml").exists() {
            return Ok(Stands::AsBefore);
        }
        let (head, strays) = self.world.verify(&vault, &self.world.fingerprint_in(&vault)?)?;
        // What can't be removed of its drill, once that is over, goes with the next entry.
        let stays = self.point.call.starts_with("unlink") || self.point.call.starts_with("rmdir");
        let over = |stray: &String| stays && stray.starts_with("drafts/");
        must(self.fault == Fault::Kill || strays.iter().all(over), || {
            format!("strays: {strays:?}")
        })?;
        must((1..=DEMO_ENTRIES).contains(&head.number), || format!("{head:?}"))?;
        Ok(if head.number == DEMO_ENTRIES { Stands::AsAfter } else { Stands::AsBefore })
    }

    /// What the exit code and the words say of the vault is so.
    fn told_the_truth(&self, stands: Stands) -> Verdict {
        if self.fault == Fault::Kill {
            return Ok(());
        }
        let Ran { exit, stdout, stderr } = self.ran;
        let fails = matches!(self.fault, Fault::NoSpace | Fault::Broken);
        // A secret opens once its receipt is there for good, and not before.
        let folder = Path::new(&self.point.about);
        let receipt_may_go = stands == Stands::AsBefore
            || (fails && self.point.call.contains("sync") && folder.ends_with("demo/vault/log"));
        must(!(receipt_may_go && stdout.contains(SEED)), || {
            "a secret was shown without a durable receipt".to_owned()
        })?;
        let changes = !matches!(
            self.line.effect,
            Effect::Reads | Effect::Exports(_) | Effect::SetsPin | Effect::WritesSlip(_)
        );
        if *exit == 0 {
            must(stands == Stands::AsAfter || !changes, || {
                "exit 0, and nothing is recorded".into()
            })?;
            let lost = fails && self.point.is_stdout();
            must(!lost, || "exit 0, and the answer is lost".to_owned())?;
            let folder = Path::new(&self.point.about);
            let unsynced = fails
                && self.point.call.contains("sync")
                && (folder.ends_with("demo/vault/log") || folder == Path::new("fresh"));
            return must(!unsynced || stderr.contains("a power cut could still undo it"), || {
                format!("not told that it isn't synced: {stderr}")
            });
        }
        // A demo key whose file can't be written is one that can't be asked.
        let by_a_key = self.point.about.contains("demo-keys");
        // What a monitoring system is told is unknown then.
        let failed = if self.line.name() == "schedule check" { 3 } else { 1 };
        must(*exit == failed || (by_a_key && *exit == 4), || format!("exit {exit}: {stderr}"))?;
        must(!self.point.is_stderr(), || "failed since nobody could be told something".to_owned())?;
        must(stderr.contains("error: "), || format!("exit {exit} with no error: {stderr}"))?;
        let told = if by_a_key { "No space left on device" } else { "hint: make room" };
        must(self.fault != Fault::NoSpace || stderr.contains(told), || {
            format!("a full disk, and not told what to do: {stderr}")
        })?;
        let says = stderr.contains("is recorded") || stdout.contains("Recorded entry");
        match (self.line.effect, stands) {
            // Each of its steps tells of its own entry.
            (Effect::Demonstrates(_) | Effect::Yields(_), _) => Ok(()),
            (_, Stands::AsAfter | Stands::Between(_)) => {
                must(says, || format!("it is recorded, and not said: {stderr}"))
            }
            (_, Stands::AsBefore) => must(!says, || format!("it says it is recorded: {stderr}")),
        }
    }

    /// The same command line does it now, or says that it is done.
    fn repeats(&self, stands: Stands) -> Verdict {
        let (world, line) = (self.world, self.line);
        let done = match line.effect {
            Effect::Appends(_) | Effect::Founds(_) | Effect::Yields(_) => stands == Stands::AsAfter,
            Effect::Exports(folder) => world.folder().join(folder).exists(),
            Effect::Demonstrates(folder) => world.folder().join(folder).exists(),
            Effect::Reads => false,
            Effect::WritesSlip(file) => slip_is_whole(world, line, file),
            Effect::SetsPin => self.ran.exit == 0 && self.fault != Fault::Kill,
        };
        let again = world.run(&line.arguments(world));
        // What is so already is an answer; what can't be done twice is an error.
        let refused = line.refusal.is_some_and(|words| match again.exit {
            0 => again.stdout.contains(words),
            _ => [1, 2, 3].contains(&again.exit) && again.stderr.contains(words),
        });
        let as_it_must = match (done, line.refusal) {
            (true, Some(_)) => refused,
            // Whether the key had taken the PIN by then, it alone can tell.
            _ if line.effect == Effect::SetsPin => again.exit == 0 || refused,
            _ => again.exit == 0,
        };
        must(as_it_must, || format!("the same command again, where done is {done}: {again:?}"))?;
        match line.effect {
            Effect::WritesSlip(file) => {
                must(slip_is_whole(world, line, file), || format!("{file} can't be collected"))
            }
            Effect::Yields(first) => {
                let (head, _) = world.verify("demo/vault", world.fingerprint())?;
                must(head.number == first - 1, || format!("now at {head:?}"))
            }
            Effect::Exports(folder) => {
                let (written, whole) = (world.files(folder), &self.unharmed.second);
                // A report tells when it was made, but for its tables.
                let is_dated = |path: &Path| {
                    line.command == "report" && path.extension().is_none_or(|end| end != "csv")
                };
                let pairs = written.iter().zip(whole);
                let alike = written.len() == whole.len()
                    && pairs.into_iter().all(|((path, now), (other, then))| {
                        path == other && (now == then || now.is_some() && is_dated(path))
                    });
                must(alike, || format!("the folder holds {:?}", written.keys()))
            }
            Effect::Appends(entries) => {
                let (head, _) = world.verify("demo/vault", world.fingerprint())?;
                let before = match stands {
                    Stands::AsBefore => 0,
                    Stands::Between(some) => some,
                    Stands::AsAfter => entries,
                };
                let all = before + if refused { 0 } else { entries };
                must(head.number == world.head().number + all, || format!("now at {head:?}"))
            }
            _ => Ok(()),
        }
    }

    /// One more entry, and nothing is left under a temporary name, in the vault or in the
    /// memory of heads.
    fn next_entry_cleans(&self, vault: &str) -> Verdict {
        let world = self.world;
        let is_left = |folder: &&str| is_left(world, folder);
        // What only reads leaves something in few cases: the others are spared the time.
        let reads = self.line.effect == Effect::Reads;
        if reads && ![vault, "state"].iter().any(is_left) {
            return Ok(());
        }
        let fingerprint = world.fingerprint_in(vault)?;
        let (before, mut orphans) = world.verify(vault, &fingerprint)?;
        // The journal of a drill that is over goes with the next entry.
        orphans.retain(|orphan| !orphan.starts_with("drafts/"));
        let words = ["key", "check", "--vault", vault, "--identity", reader_of(vault)];
        let rest = ["alice/primary", "--fingerprint", &fingerprint];
        let arguments: Vec<String> = words.iter().chain(&rest).map(|w| (*w).to_owned()).collect();
        let ran = world.run(&arguments);
        must(ran.exit == 0, || format!("the next entry: {ran:?}"))?;
        let (after, strays) = world.verify(vault, &fingerprint)?;
        must(after.number == before.number + 1, || format!("from {before:?} to {after:?}"))?;
        must(strays == orphans, || format!("strays {strays:?} after {orphans:?}"))?;
        // Whoever goes on with a drill that is under way tidies up in its journal; until then nobody
        // else does, since they may be writing there. That one which is over is gone was seen above.
        let journals = |path: &Path| path.iter().any(|part| part == "drafts" || part == "journals");
        let under_way = world.files(vault).keys().any(|path| path.starts_with("drafts"));
        let left = [vault, "state"].into_iter().find(|folder| {
            let files = world.files(folder);
            files.keys().any(|path| is_temporary(path) && !(under_way && journals(path)))
        });
        must(left.is_none(), || format!("temporary files are left for good in {left:?}"))
    }
}

/// The files that are new. A folder is none: that of the secrets is made with the first.
fn added<'a>(before: &Files, now: &'a Files) -> Vec<&'a PathBuf> {
    let files = now.iter().filter(|(_, bytes)| bytes.is_some()).map(|(path, _)| path);
    files.filter(|path| !before.contains_key(*path)).collect()
}

/// Whether two runs of a command line mean the same file: that of a secret or an attachment is
/// called after what it was encrypted to, which is never the same.
fn are_alike(one: &Path, other: &Path) -> bool {
    let both_in = |folder: &str| {
        [one, other].iter().all(|path| path.starts_with(folder) && !is_temporary(path))
    };
    one == other || both_in("secrets") || both_in("attachments")
}

/// Whether a slip is there that can be collected; that of who was invited takes two others still.
fn slip_is_whole(world: &World, line: &Line, file: &str) -> bool {
    let words = ["slip", "show", file, "--vault", "demo/vault", "--identity"];
    let words = [&words[..], &["demo/reader.identity"]].concat();
    let shown = world.run(&words.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let lacks = line.command == "custodian accept";
    shown.exit == 0 && (lacks || shown.stdout.contains("It can be collected"))
}

fn is_left(world: &World, folder: &str) -> bool {
    world.files(folder).keys().any(|path| is_temporary(path))
}

fn is_temporary(path: &Path) -> bool {
    path.iter().any(|part| part.to_string_lossy().starts_with(TEMPORARY))
}
