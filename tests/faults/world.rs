//! What a command line runs on: a demo vault of its own, and what must not be found in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use keymuster::key::software::{Model, SoftwareKeys, Verification};
use keymuster::vault::{AgeIdentity, Location, open_records};
use tempfile::TempDir;

use super::demo_vault::{Demo, Ran, command_in, ran};
use super::pseudo_terminal::PseudoTerminal;

/// A demo vault with its keys and its reader's identity, and a memory of heads. What the
/// demo leaves in the clear beside it is gone.
pub struct World {
    demo: Demo,
    /// Outside of the demo's folder: what is written and isn't judged.
    aside: TempDir,
    known: &'static Known,
}

/// What is the same in all worlds.
struct Known {
    fingerprint: String,
    recipient: String,
    paper: String,
    head: Head,
}

/// What `log verify` says of a vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    pub number: u64,
    pub link: String,
}

/// Files and their bytes, by their paths in a folder; folders too, without bytes.
pub type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Begins the quarterly drill at a terminal, and ends the program at its first question.
fn begin_and_kill(demo: &Demo) {
    let start = "drill start quarterly --account prod --as operator=alice --as witness=bob";
    let binary = env!("CARGO_BIN_EXE_keymuster");
    let command = format!("exec {binary} {start} --vault demo/vault");
    let folder = demo.folder.path();
    let mut terminal = PseudoTerminal::start("sh", |sh| {
        sh.args(["-c", &command])
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("XDG_STATE_HOME", folder.join("state"));
    });
    terminal.until("Numbers of the seals, as they are: ");
    terminal.signal(rustix::process::Signal::KILL);
    terminal.wait_for_end();
}

/// Somebody's recipient, whose identity is nowhere.
pub const RECIPIENT: &str = "age1lds27mp3tnaa39yvmyllcnfpdg60d0yw8wzmdrndkfgyk3t9udvq3pfvt6";

/// A seed that makes the codes that the command lines have.
pub const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// What the note says.
const NOTE: &str = "over the hills and far away";

const TO_SETTLE: [&[&str]; 9] = [
    &[
        "account",
        "add",
        "prod",
        "--id",
        "123456789012",
        "--email",
        "aws@example.com",
        "--phone",
        "+1 555 0100",
        "--mailbox-reader",
        "alice",
        "--mailbox-reader",
        "bob",
        "--phone-answerer",
        "bob",
        "--password-at",
        "Safe 1",
        "--mfa",
        "bob/primary",
    ],
    &["account", "link", "phone", "prod", "--token"],
    &["secret", "store", "prod-seed", "--kind", "seed", "--account", "prod", "--file", "demo/seed"],
    &["compartment", "add", "passwords", "--member", "alice"],
    &[
        "reader",
        "add",
        "inspector",
        "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa",
    ],
    &["action", "open", "Count the bags", "--owner", "bob", "--due", "2099-12-31"],
    &["runbook", "adopt", "close-account"],
    &["key", "seal", "bob/primary", "--bag", "1", "--witness", "bob"],
    &["key", "lost", "carol/primary", "--by", "bob"],
];

impl World {
    pub fn new() -> Self {
        static KNOWN: OnceLock<Known> = OnceLock::new();
        Self::of(Demo::new(), &KNOWN)
    }

    /// One of alice, bob and carol, where there is something to settle: a reader beside the
    /// auditor, an account with a token and its seed, an action, an adopted runbook, a key in a bag and
    /// one that is suspended.
    pub fn people() -> Self {
        static ORIGINAL: OnceLock<Demo> = OnceLock::new();
        static KNOWN: OnceLock<Known> = OnceLock::new();
        let original = ORIGINAL.get_or_init(|| {
            let demo = Demo::people();
            fs::write(demo.path("seed"), format!("{SEED}\n")).expect("a file");
            for line in TO_SETTLE {
                demo.run(line).exits(0);
            }
            fs::remove_file(demo.path("seed")).expect("the seed can be removed");
            demo
        });
        Self::of(original.copied(), &KNOWN)
    }

    /// One of alice, bob and carol, with a drill that was given up and one that was cut off.
    pub fn drilling() -> Self {
        static ORIGINAL: OnceLock<Demo> = OnceLock::new();
        static KNOWN: OnceLock<Known> = OnceLock::new();
        let original = ORIGINAL.get_or_init(|| {
            let demo = Demo::people();
            demo.run(&["account", "add", "prod", "--id", "123456789012"]).exits(0);
            demo.run(&["account", "add", "test", "--id", "210987654321"]).exits(0);
            demo.run(&["runbook", "adopt", "quarterly"]).exits(0);
            begin_and_kill(&demo);
            let abandon = ["drill", "abandon", "quarterly-1", "--reason", "the fire alarm"];
            demo.run(&abandon).exits(0);
            begin_and_kill(&demo);
            demo
        });
        Self::of(original.copied(), &KNOWN)
    }

    fn of(demo: Demo, known: &'static OnceLock<Known>) -> Self {
        let papers: Vec<PathBuf> = ["paper.txt", "bob.paper.txt", "carol.paper.txt"]
            .iter()
            .map(|name| demo.path(name))
            .filter(|path| path.exists())
            .collect();
        let known = known.get_or_init(|| {
            let show = demo.read(&["vault", "show", "--json"]).exits(0).stdout;
            let show: serde_json::Value = serde_json::from_str(&show).expect("JSON");
            let identity = fs::read_to_string(demo.path("reader.identity")).expect("an identity");
            let identity = AgeIdentity::parse(identity.trim()).expect("an age identity");
            let passphrase = |path| fs::read_to_string(path).expect("a passphrase");
            Known {
                fingerprint: show["fingerprint"].as_str().expect("a fingerprint").to_owned(),
                recipient: identity.recipient().as_str().to_owned(),
                paper: papers.iter().map(passphrase).collect(),
                head: head_in(&show).expect("a head"),
            }
        });
        fs::remove_dir_all(demo.path("bundle")).expect("the demo's bundle can be removed");
        for paper in papers {
            fs::remove_file(paper).expect("the demo's passphrases can be removed");
        }
        Self { demo, aside: tempfile::tempdir().expect("a temporary folder"), known }
    }

    pub fn folder(&self) -> &Path {
        self.demo.folder.path()
    }

    pub fn aside(&self) -> &Path {
        self.aside.path()
    }

    pub fn fingerprint(&self) -> &'static str {
        &self.known.fingerprint
    }

    pub fn recipient(&self) -> &'static str {
        &self.known.recipient
    }

    /// The head before anything was done.
    pub fn head(&self) -> &'static Head {
        &self.known.head
    }

    /// This machine meets the vault for the first time.
    pub fn forget(&self) {
        fs::remove_dir_all(self.folder().join("state")).expect("the memory can be removed");
    }

    /// The folder that a vault is to be founded in has been cloned.
    pub fn with_git(&self) {
        let git = self.folder().join("fresh/.git");
        fs::create_dir_all(git.join("refs")).expect("a folder");
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("a file");
    }

    /// The head that somebody else kept.
    pub fn with_head(&self) {
        let file = fs::read_to_string(self.demo.path("vault/vault.toml")).expect("a vault");
        let vault = file.split('"').nth(1).expect("its id");
        let Head { number, link } = &self.known.head;
        let head = format!("keymuster/{vault}\n{number}\n{link}\n");
        fs::write(self.folder().join("bob.head"), head).expect("a file");
    }

    /// A key that can't be asked gets no copy: there are no others than the one that opens.
    pub fn without_blue(&self) {
        self.demo.unplug("demo-key-2");
    }

    /// A seed to be checked.
    pub fn with_seed(&self) {
        fs::write(self.folder().join("seed"), format!("{SEED}\n")).expect("a file");
    }

    /// A note to be put in custody.
    pub fn with_note(&self) {
        fs::write(self.folder().join("note"), format!("{NOTE}\n")).expect("a file");
    }

    /// A list of accounts to be imported.
    pub fn with_list(&self) {
        let rows = "id,name\n222222222222,Test\n333333333333,Log Archive\n";
        fs::write(self.folder().join("list.csv"), rows).expect("a file");
    }

    /// A list of the accounts that there are.
    pub fn with_same_list(&self) {
        fs::write(self.folder().join("list.csv"), "id\n123456789012\n").expect("a file");
    }

    /// An invitation to join.
    pub fn with_invitation(&self) {
        let invite = ["custodian", "invite", "dave", "--identity", "demo/reader.identity"];
        let words = [&["--vault", "demo/vault"], &invite[..]].concat();
        let ran = self.run(&words.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(ran.exit, 0, "{ran:?}");
        fs::write(self.folder().join("dave.invite"), ran.stdout).expect("a file");
    }

    /// A slip of bob's that says that his key was checked.
    pub fn with_slip(&self) {
        self.run_well(&["key", "check", "bob/primary", "--slip", "bob.slip"]);
    }

    /// One that needs another custodian's signature.
    pub fn with_policy_slip(&self) {
        let change = ["policy", "change", "--check-days", "60", "--by", "bob"];
        self.run_well(&[&change[..], &["--slip", "policy.slip"]].concat());
    }

    fn run_well(&self, arguments: &[&str]) {
        let on_vault = ["--vault", "demo/vault"].iter().chain(arguments);
        let ran = self.run(&on_vault.map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(ran.exit, 0, "{ran:?}");
    }

    /// A demo key that has no PIN and needs one.
    pub fn with_pinless_key(&self) {
        let mut keys = SoftwareKeys::in_folder(&self.demo.path("demo-keys")).expect("demo keys");
        let model = Model { verification: Verification::Pin, ..Model::default() };
        keys.add("pinless", model).expect("one more demo key");
        fs::write(self.folder().join("pin"), "271828\n").expect("a file");
    }

    /// Runs a command line without faults, on the machine's memory.
    pub fn run(&self, arguments: &[String]) -> Ran {
        self.run_with_state(arguments, &self.folder().join("state"))
    }

    fn run_with_state(&self, arguments: &[String], state: &Path) -> Ran {
        let paper = fs::File::options().append(true).create(true).open(self.aside().join("paper"));
        let mut command = command_in(self.folder());
        command.args(arguments).env("XDG_STATE_HOME", state).stdin(paper.expect("a file"));
        ran(command.output().expect("the binary runs"))
    }

    /// The head of a vault, which must be sound, and the files that no entry names. This
    /// machine's memory is held against it and stays as it is.
    pub fn verify(&self, vault: &str, fingerprint: &str) -> Result<(Head, Vec<String>), String> {
        let state = self.aside().join("state");
        let _ = fs::remove_dir_all(&state);
        copy(&self.folder().join("state"), &state);
        let arguments = ["log", "verify", "--json", "--vault", vault].into_iter().chain([
            "--identity",
            reader_of(vault),
            "--fingerprint",
            fingerprint,
        ]);
        let arguments: Vec<String> = arguments.map(str::to_owned).collect();
        let verified = self.run_with_state(&arguments, &state);
        let verdict: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap_or_default();
        match (verified.exit, verdict["sound"].as_bool(), head_in(&verdict)) {
            (0, Some(true), Some(head)) => {
                let strays = verdict["strays"].as_array().into_iter().flatten();
                Ok((head, strays.filter_map(|file| Some(file.as_str()?.to_owned())).collect()))
            }
            _ => Err(format!("{vault} isn't sound: {verified:?}")),
        }
    }

    /// The fingerprint of a vault that this machine may not know yet.
    pub fn fingerprint_in(&self, vault: &str) -> Result<String, String> {
        let text = |error: &dyn std::error::Error| format!("{vault} doesn't open: {error}");
        let identity = fs::read_to_string(self.folder().join(reader_of(vault)));
        let identity = identity.map_err(|error| text(&error))?;
        let identity = AgeIdentity::parse(identity.trim()).map_err(|error| text(&error))?;
        let location = Location::at(&self.folder().join(vault)).map_err(|error| text(&error))?;
        let opened = open_records(location, &[&identity]).map_err(|error| text(&error))?;
        let fingerprint = opened.fingerprint().ok_or_else(|| format!("{vault} has no entry"))?;
        Ok(fingerprint.to_string())
    }

    /// The files below one folder of this world.
    pub fn files(&self, below: &str) -> Files {
        let root = self.folder().join(below);
        let mut files = Files::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = item.path();
                let inside = path.strip_prefix(&root).unwrap_or(&path).to_owned();
                let is_folder = item.file_type().is_ok_and(|kind| kind.is_dir());
                let bytes = if is_folder { None } else { fs::read(&path).ok() };
                if is_folder {
                    folders.push(path);
                }
                files.insert(inside, bytes);
            }
        }
        files
    }

    /// What is secret or sealed in a vault and must not lie in any other file.
    pub fn canaries(&self) -> Vec<String> {
        let of_demo =
            ["alice", "bob"].map(|who| self.folder().join(format!("second/{who}.paper.txt")));
        let given = [vec![self.aside().join("paper")], of_demo.to_vec()].concat();
        let given: Vec<String> =
            given.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
        let papers = given.iter().flat_map(|text| text.lines()).chain(self.known.paper.lines());
        [SEED, NOTE, "[[event]]", "kind = \"", "signers = [", "AGE-SECRET-KEY-", "Example Corp"]
            .into_iter()
            .chain(papers.filter(|line| !line.is_empty()))
            .map(str::to_owned)
            .collect()
    }

    /// The first canary that lies in a file which isn't meant to be in the clear.
    pub fn plaintext(&self, clear: &[&str]) -> Option<String> {
        let canaries = self.canaries();
        for (path, bytes) in self.files("") {
            let bytes = bytes.unwrap_or_default();
            let shown = path.to_string_lossy();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // A file of the demo that is in the clear is so under its temporary name too.
            let given = ["reader.identity", "paper.txt", "seed", "note"];
            let meant = given.iter().any(|end| name.ends_with(end))
                || clear.iter().any(|folder| path.starts_with(folder));
            let holds = |canary: &&String| {
                bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
            };
            if !meant && let Some(canary) = canaries.iter().find(holds) {
                return Some(format!("{shown} holds {canary:?}"));
            }
        }
        None
    }
}

/// The identity that opens a vault: that of the first demo, or of the second.
pub fn reader_of(vault: &str) -> &'static str {
    if vault.starts_with("second/") { "second/reader.identity" } else { "demo/reader.identity" }
}

fn head_in(answer: &serde_json::Value) -> Option<Head> {
    let head = &answer["head"];
    Some(Head { number: head["number"].as_u64()?, link: head["link"].as_str()?.to_owned() })
}

fn copy(from: &Path, to: &Path) {
    for item in fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(item.file_name());
        if item.path().is_dir() {
            copy(&item.path(), &target);
        } else {
            fs::create_dir_all(to).expect("a folder");
            fs::copy(item.path(), target).expect("a copy");
        }
    }
}
