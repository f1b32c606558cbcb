//! The command lines that faults are tried on: each command of the binary at least once.

use std::collections::BTreeSet;

use super::demo_vault::keymuster_in;
use super::world::{RECIPIENT, World};

/// What a command line does to files, and so what must hold after a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing but the memory of heads.
    Reads,
    /// It appends so many entries to the vault: one, or a receipt and what came of it.
    Appends(u64),
    /// It founds a vault in this folder.
    Founds(&'static str),
    /// It writes a bundle to this folder.
    Exports(&'static str),
    /// It moves this entry and those after it aside.
    Yields(u64),
    /// It writes a slip to this file.
    WritesSlip(&'static str),
    /// It gives a demo key its PIN.
    SetsPin,
    /// It makes a demo in this folder.
    Demonstrates(&'static str),
}

/// One of the table.
#[derive(Clone, Copy)]
pub struct Line {
    /// The object and the verb.
    pub command: &'static str,
    /// What makes this line differ from another of the same command.
    pub how: &'static str,
    /// The other arguments. AS_READER and ON_VAULT stand for flags that name the vault,
    /// FINGERPRINT and READER for what it has.
    pub arguments: &'static [&'static str],
    pub effect: Effect,
    /// What it works on.
    pub world: fn() -> World,
    /// What has to be there first.
    pub prepare: fn(&World),
    /// How many of its faults are tried where not all are; a half of them in `make test`.
    pub budget: usize,
    /// Whether what it does is tried by other lines, too. Then no point of it is struck twice,
    /// and at most ten times as many as `budget`, even where all are tried.
    pub of_others: bool,
    /// What it says where it had succeeded and can't be repeated; nothing where it can.
    pub refusal: Option<&'static str>,
}

const AS_READER: [&str; 4] = ["--vault", "demo/vault", "--identity", "demo/reader.identity"];

/// A command that reads, on a machine that meets the vault.
const fn reading(command: &'static str, arguments: &'static [&'static str]) -> Line {
    Line {
        command,
        how: "",
        arguments,
        effect: Effect::Reads,
        world: World::new,
        prepare: World::forget,
        budget: 14,
        of_others: false,
        refusal: None,
    }
}

const fn appending(
    command: &'static str,
    how: &'static str,
    arguments: &'static [&'static str],
) -> Line {
    Line {
        command,
        how,
        arguments,
        effect: Effect::Appends(1),
        world: World::new,
        prepare: |_| {},
        budget: 30,
        of_others: false,
        refusal: None,
    }
}

/// A command on a vault of three, all of whose keys are plugged in. Where it asks for nothing
/// but signatures, each kind of call is struck once: all such commands make the same calls.
const fn deciding(
    command: &'static str,
    arguments: &'static [&'static str],
    refusal: Option<&'static str>,
) -> Line {
    let line = appending(command, "", arguments);
    Line { world: World::people, budget: 10, of_others: true, refusal, ..line }
}

/// One of those that others are like: fewer faults of it are tried.
const fn tending(
    command: &'static str,
    arguments: &'static [&'static str],
    refusal: Option<&'static str>,
) -> Line {
    Line { budget: 4, ..deciding(command, arguments, refusal) }
}

const fn founding(how: &'static str, arguments: &'static [&'static str]) -> Line {
    let effect = Effect::Founds("fresh");
    let refusal = Some("is a vault already");
    Line { effect, refusal, budget: 12, ..appending("vault init", how, arguments) }
}

const FOUNDING: &[&str] = &[
    "fresh",
    "--name",
    "Example Corp",
    "--custodian",
    "alice",
    "--key",
    "primary",
    "--reader",
    "auditor=READER",
    "--demo",
    "--paper-fd",
    "0",
];

/// The slow ones first: both processors have something to do until the end.
pub const LINES: &[Line] = &[
    Line {
        effect: Effect::Demonstrates("second"),
        refusal: Some("second exists already"),
        budget: 10,
        of_others: true,
        ..appending("demo", "", &["second"])
    },
    founding("in a new folder", FOUNDING),
    Line { prepare: World::with_git, ..founding("beside .git", FOUNDING) },
    Line {
        refusal: Some("there is a key alice/green already"),
        budget: 30,
        ..appending("key enrol", "", &["green", "--vault", "demo/vault"])
    },
    Line {
        prepare: World::without_blue,
        budget: 12,
        ..deciding(
            "vault rekey",
            &["--new-identity", "--paper-fd", "0", "--by", "alice", "ON_VAULT"],
            None,
        )
    },
    Line {
        budget: 12,
        ..deciding(
            "custodian add",
            &["dave", "--key", "primary", "--paper-fd", "0", "ON_VAULT"],
            Some("handle dave is taken"),
        )
    },
    Line {
        budget: 12,
        ..deciding(
            "custodian leave",
            &["carol", "--remark", "gone", "ON_VAULT"],
            Some("there is no custodian carol"),
        )
    },
    Line {
        how: "this machine",
        budget: 30,
        ..deciding(
            "reader add",
            &["laptop", "--this-machine", "ON_VAULT"],
            Some("this machine reads the log already, as laptop"),
        )
    },
    Line {
        how: "a recipient",
        ..deciding(
            "reader add",
            &["examiner", RECIPIENT, "ON_VAULT"],
            Some("handle examiner is taken"),
        )
    },
    deciding("reader remove", &["inspector", "ON_VAULT"], Some("there is no reader inspector")),
    deciding(
        "custodian change",
        &["bob", "--deputy", "carol", "ON_VAULT"],
        Some("It is so already."),
    ),
    deciding("custodian acknowledge", &["ON_VAULT"], None),
    deciding(
        "key lost",
        &["alice/blue", "--by", "bob", "ON_VAULT"],
        Some("alice/blue is suspended already"),
    ),
    deciding(
        "key compromised",
        &["alice/paper", "ON_VAULT"],
        Some("alice/paper is reported already"),
    ),
    deciding(
        "key restored",
        &["carol/primary", "ON_VAULT"],
        Some("carol/primary is active, and only"),
    ),
    deciding(
        "key retired",
        &["carol/primary", "ON_VAULT"],
        Some("carol/primary is retired already"),
    ),
    deciding("key move", &["bob/primary", "--to", "safe 2", "ON_VAULT"], None),
    deciding(
        "key hand-over",
        &["alice/primary", "--to", "bob", "ON_VAULT"],
        Some("bob can't be both people"),
    ),
    deciding(
        "key seal",
        &["alice/blue", "--bag", "2", "--witness", "bob", "ON_VAULT"],
        Some("alice/blue is in bag 2 already"),
    ),
    deciding(
        "key open-bag",
        &["bob/primary", "--bag", "1", "--witness", "bob", "ON_VAULT"],
        Some("bob/primary is in no bag"),
    ),
    deciding("policy change", &["--check-days", "60", "ON_VAULT"], Some("It is so already.")),
    deciding(
        "waiver add",
        &["key-check bob/primary", "--until", "2099-12-31", "--reason", "winter", "ON_VAULT"],
        None,
    ),
    deciding("runbook adopt", &["quarterly", "ON_VAULT"], Some("It is so already.")),
    Line {
        world: World::drilling,
        ..deciding(
            "drill abandon",
            &["quarterly-2", "--reason", "the fire alarm", "ON_VAULT"],
            Some("quarterly-2 is over"),
        )
    },
    Line {
        world: World::drilling,
        ..tending(
            "drill review",
            &["quarterly-1", "passed", "it is as it says", "--by", "carol", "ON_VAULT"],
            Some("quarterly-1 was reviewed"),
        )
    },
    tending(
        "runbook withdraw",
        &["close-account", "--reason", "we close none", "ON_VAULT"],
        Some("there is no runbook close-account"),
    ),
    deciding(
        "action open",
        &["Ring carol", "--owner", "alice", "--due", "2099-12-31", "ON_VAULT"],
        None,
    ),
    deciding(
        "action close",
        &["action-1", "all are there", "ON_VAULT"],
        Some("action action-1 is closed"),
    ),
    tending(
        "account add",
        &["test", "--id", "222222222222", "ON_VAULT"],
        Some("account test is taken"),
    ),
    tending(
        "account change",
        &["prod", "--phone", "+1 555 0101", "ON_VAULT"],
        Some("It is so already."),
    ),
    tending("account remove", &["prod", "ON_VAULT"], Some("the account prod was removed")),
    Line {
        prepare: World::with_list,
        ..tending("account import", &["list.csv", "ON_VAULT"], Some("It is so already."))
    },
    tending("account link", &["alice/blue", "prod", "ON_VAULT"], Some("It is so already.")),
    tending(
        "account unlink",
        &["phone", "prod", "ON_VAULT"],
        Some("phone isn't registered with prod"),
    ),
    tending(
        "account token",
        &["prod", "phone", "--held-by", "bob", "ON_VAULT"],
        Some("It is so already."),
    ),
    tending("account contacts-reviewed", &["prod", "ON_VAULT"], None),
    tending("account mailbox-tested", &["prod", "ON_VAULT"], None),
    tending(
        "account phone-tested",
        &["prod", "--failed", "--remark", "no answer", "ON_VAULT"],
        None,
    ),
    tending("account sign-in-proven", &["prod", "--with", "phone", "ON_VAULT"], None),
    tending(
        "compartment add",
        &["own", "--member", "alice", "--member", "bob", "ON_VAULT"],
        Some("there is a compartment own already"),
    ),
    tending(
        "compartment change",
        &["passwords", "--add", "bob", "ON_VAULT"],
        Some("It is so already."),
    ),
    Line {
        how: "the first",
        world: World::new,
        prepare: World::with_note,
        budget: 16,
        of_others: false,
        ..deciding(
            "secret store",
            &["note", "--kind", "note", "--file", "note", "ON_VAULT"],
            Some("there is a secret note already"),
        )
    },
    Line {
        how: "one more",
        prepare: World::with_note,
        ..deciding(
            "secret store",
            &["note", "--kind", "note", "--file", "note", "ON_VAULT"],
            Some("there is a secret note already"),
        )
    },
    Line {
        prepare: World::with_seed,
        ..tending("secret replace", &["prod-seed", "--file", "seed", "ON_VAULT"], None)
    },
    Line {
        budget: 10,
        ..tending("secret show", &["prod-seed", "--output", "-", "ON_VAULT"], None)
    },
    tending("totp show", &["--account", "prod", "--output", "-", "ON_VAULT"], None),
    Line {
        prepare: World::with_seed,
        how: "of an account",
        ..tending(
            "totp check",
            &[
                "--account",
                "prod",
                "--seed-file",
                "seed",
                "--at",
                "2026-11-22T12:00:30Z",
                "--code",
                "738534",
                "--code",
                "286530",
                "ON_VAULT",
            ],
            None,
        )
    },
    Line {
        effect: Effect::Appends(2),
        how: "in custody",
        budget: 10,
        ..tending(
            "totp check",
            &[
                "--account",
                "prod",
                "--stored",
                "--at",
                "2026-11-22T12:00:30Z",
                "--code",
                "738534",
                "--code",
                "286530",
                "ON_VAULT",
            ],
            None,
        )
    },
    tending(
        "totp identify",
        &["--at", "2026-11-22T12:00:30Z", "--code", "738534", "--code", "286530", "ON_VAULT"],
        None,
    ),
    Line {
        effect: Effect::Exports("second"),
        refusal: Some("second exists already"),
        budget: 30,
        ..reading("log export", &["second", "AS_READER"])
    },
    Line {
        effect: Effect::Exports("second"),
        refusal: Some("second exists already"),
        budget: 8,
        ..reading("report", &["second", "AS_READER"])
    },
    Line {
        how: "in a slip",
        effect: Effect::WritesSlip("bob.slip"),
        world: World::people,
        prepare: |_| {},
        budget: 20,
        refusal: Some("bob.slip exists already"),
        ..reading("key check", &["bob/primary", "ON_VAULT", "--slip", "bob.slip"])
    },
    Line {
        effect: Effect::WritesSlip("policy.slip"),
        world: World::people,
        prepare: World::with_policy_slip,
        budget: 20,
        refusal: Some("has all the signatures that it needs"),
        ..reading("slip countersign", &["policy.slip", "ON_VAULT", "--by", "alice"])
    },
    Line {
        world: World::people,
        prepare: World::with_policy_slip,
        ..reading("slip show", &["policy.slip", "AS_READER"])
    },
    Line {
        world: World::people,
        prepare: World::with_slip,
        refusal: Some("it was admitted before"),
        ..appending("log collect", "", &["bob.slip", "ON_VAULT"])
    },
    Line {
        effect: Effect::Yields(3),
        budget: 20,
        refusal: Some("can't be moved aside"),
        ..appending("log yield", "", &["3", "ON_VAULT"])
    },
    reading("custodian invite", &["dave", "AS_READER"]),
    Line {
        effect: Effect::WritesSlip("dave.slip"),
        prepare: World::with_invitation,
        budget: 30,
        refusal: Some("dave.slip exists already"),
        ..reading(
            "custodian accept",
            &[
                "dave.invite",
                "--key",
                "primary",
                "--slip",
                "dave.slip",
                "--paper-fd",
                "0",
                "--fingerprint",
                "FINGERPRINT",
            ],
        )
    },
    appending("key check", "by a reader", &["alice/primary", "AS_READER"]),
    appending("key check", "by the key", &["alice/blue", "--vault", "demo/vault"]),
    Line {
        effect: Effect::SetsPin,
        prepare: World::with_pinless_key,
        refusal: Some("has a PIN already"),
        ..reading(
            "key pin set",
            &["--vault", "demo/vault", "--device", "pinless", "--pin-file", "pin"],
        )
    },
    reading("vault show", &["AS_READER"]),
    Line { budget: 4, world: World::people, ..reading("vault card", &["AS_READER"]) },
    Line { budget: 4, ..reading("runbook list", &[]) },
    Line { budget: 4, ..reading("runbook show", &["quarterly"]) },
    Line { budget: 4, ..reading("runbook lint", &["quarterly"]) },
    Line { budget: 4, ..reading("runbook print", &["quarterly"]) },
    Line { budget: 4, world: World::drilling, ..reading("drill list", &["AS_READER"]) },
    Line { budget: 6, world: World::drilling, ..reading("drill status", &["AS_READER"]) },
    Line {
        budget: 4,
        world: World::drilling,
        ..reading("drill show", &["quarterly-1", "AS_READER"])
    },
    reading("custodian list", &["AS_READER"]),
    Line { budget: 6, ..reading("custodian show", &["alice", "AS_READER"]) },
    Line { budget: 6, ..reading("reader list", &["AS_READER"]) },
    Line { budget: 6, ..reading("policy show", &["AS_READER"]) },
    Line { budget: 6, ..reading("action list", &["AS_READER"]) },
    Line { budget: 6, ..reading("schedule list", &["AS_READER"]) },
    Line { budget: 4, ..reading("schedule ics", &["AS_READER"]) },
    // Nothing of that account is due on its first day.
    Line {
        budget: 6,
        world: World::drilling,
        ..reading("schedule check", &["--account", "test", "AS_READER"])
    },
    Line { budget: 6, ..reading("status", &["AS_READER"]) },
    Line { budget: 4, world: World::people, ..reading("recovery show", &["prod", "AS_READER"]) },
    // The account has other ways in.
    Line {
        budget: 4,
        world: World::people,
        ..reading("recovery without", &["alice/primary", "AS_READER"])
    },
    Line {
        budget: 4,
        world: World::people,
        ..reading("recovery losses", &["--pairs", "AS_READER"])
    },
    Line { budget: 4, ..reading("account list", &["AS_READER"]) },
    Line { budget: 4, world: World::people, ..reading("account show", &["prod", "AS_READER"]) },
    Line {
        budget: 4,
        world: World::people,
        prepare: World::with_same_list,
        ..reading("account compare", &["list.csv", "AS_READER"])
    },
    Line { budget: 4, world: World::people, ..reading("compartment list", &["AS_READER"]) },
    Line { budget: 4, world: World::people, ..reading("secret list", &["AS_READER"]) },
    Line { budget: 4, world: World::people, ..reading("secret receipts", &["AS_READER"]) },
    Line { budget: 4, world: World::people, ..reading("totp drift", &["AS_READER"]) },
    Line { budget: 6, ..reading("vault impact", &["alice", "AS_READER"]) },
    reading("key list", &["AS_READER"]),
    reading("key info", &["--vault", "demo/vault", "--device", "demo-key-1"]),
    Line {
        prepare: World::with_seed,
        budget: 6,
        ..reading(
            "totp check",
            &[
                "--seed-file",
                "seed",
                "--at",
                "2026-11-22T12:00:30Z",
                "--code",
                "738534",
                "--code",
                "286530",
            ],
        )
    },
    reading("log list", &["AS_READER"]),
    reading("log show", &["2", "AS_READER"]),
    reading("log head", &["--vault", "demo/vault", "--fingerprint", "FINGERPRINT"]),
    reading("log verify", &["AS_READER", "--json"]),
    Line { prepare: World::with_head, ..reading("log remember", &["bob.head", "AS_READER"]) },
    reading("help", &[]),
];

impl Line {
    /// As it stands in the table that is printed.
    pub fn name(&self) -> String {
        if self.how.is_empty() {
            self.command.to_owned()
        } else {
            format!("{} ({})", self.command, self.how)
        }
    }

    pub fn arguments(&self, world: &World) -> Vec<String> {
        let mut all: Vec<String> = self.command.split(' ').map(str::to_owned).collect();
        for argument in self.arguments {
            match *argument {
                "AS_READER" => {
                    all.extend(AS_READER.map(str::to_owned));
                    all.extend(["--fingerprint".to_owned(), world.fingerprint().to_owned()]);
                }
                "ON_VAULT" => all.extend(["--vault", "demo/vault"].map(str::to_owned)),
                "FINGERPRINT" => all.push(world.fingerprint().to_owned()),
                other => all.push(other.replace("READER", world.recipient())),
            }
        }
        all
    }
}

/// What only people at a terminal can go through. The line of the demo goes through a drill whole,
/// and the tests of the command line kill one at every question.
const BY_PEOPLE: [&str; 2] = ["drill start", "drill resume"];

/// Every command that the binary's own help screens name, and no more, is in the table.
pub fn every_command_is_here() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut found = BTreeSet::from(["help".to_owned()]);
    let mut unread: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(words) = unread.pop() {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let screen = keymuster_in(folder.path(), &arguments);
        if screen.exit != 0 {
            return Err(format!("{words:?} has no help screen: {screen:?}"));
        }
        let verbs = subcommands(&screen.stdout);
        if verbs.is_empty() {
            found.insert(words.join(" "));
        }
        // It has no screen of its own, and that of an object is that of the whole.
        let verbs: Vec<String> = verbs.into_iter().filter(|verb| verb != "help").collect();
        unread.extend(verbs.into_iter().map(|verb| [words.clone(), vec![verb]].concat()));
    }
    let lines = LINES.iter().map(|line| line.command);
    let known: BTreeSet<String> = lines.chain(BY_PEOPLE).map(str::to_owned).collect();
    let without: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    if without.is_empty() && gone.is_empty() && found.len() > 10 {
        return Ok(());
    }
    Err(format!(
        "commands without a line in tests/faults/lines.rs: {without:?}; lines of no command: {gone:?}"
    ))
}

/// The names under `Commands:` of a help screen.
fn subcommands(screen: &str) -> Vec<String> {
    let listed = screen.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // A description that goes on stands further in.
    lines
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}
