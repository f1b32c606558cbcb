//! `keymuster demo`: the main job, done for real with software keys.
//!
//! Each step is a command line, run as it is printed; with a security key on USB instead
//! of a demo vault, the same command does the same.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use super::context::Context;
use super::drill::{Asked, People, Topic};
use super::exit;
use super::failure::Failure;
use super::output::Answer;
use crate::record::{Handle, SecretName, Time};
use crate::totp::{Generator, Parameters, Seed, Strength};
use crate::vault::{AgeIdentity, export_file, make_folder};

/// `keymuster demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// A new folder for the demo
    #[arg(default_value = "keymuster-demo")]
    dir: PathBuf,
}

/// What is said before a step, the step, and how the command goes with a real key where
/// that differs.
struct Step {
    why: &'static str,
    arguments: Vec<OsString>,
    for_real: Option<&'static str>,
}

#[derive(Serialize)]
struct Left {
    vault: String,
    demo_keys: String,
    reader_identity: String,
    /// Each custodian's paper copy.
    papers: Vec<String>,
    token_seed: String,
    bundle: String,
    report: String,
}

/// Runs one command line.
type Perform = fn(&Context, Vec<OsString>, &dyn People) -> Result<Answer, Failure>;

pub fn run(context: &Context, demo: Demo, perform: Perform) -> Result<Answer, Failure> {
    let dir = demo.dir.as_path();
    make_folder(dir)?;
    let at = |name: &str| dir.join(name);
    let (vault, reader) = (at("vault"), at("reader.identity"));
    let (bundle, report) = (at("bundle"), at("report"));
    let papers = ["alice.paper.txt", "bob.paper.txt"].map(at);

    let quiet = context.globals.json;
    say(quiet, "A demo: its keys are software, and everything else is real.\n")?;
    say(quiet, "An auditor makes an age identity, and tells us its recipient.\n")?;
    say(quiet, &format!("  for real:  age-keygen -o {}\n", shown(&reader)))?;
    let identity = AgeIdentity::generate(&mut context.random_source()?)
        .map_err(|error| Failure::because(exit::FAILED, "couldn't make an age identity", &error))?;
    export_file(&reader, format!("{}\n", identity.expose_line()).as_bytes())?;
    let recipient = identity.recipient().as_str().to_owned();

    let [alice_paper, bob_paper] = &papers;
    let (alice_file, bob_file) = (descriptor(alice_paper)?, descriptor(bob_paper)?);
    let paper_fds = [&alice_file, &bob_file].map(|file| file.as_raw_fd().to_string());
    let token = Token::new(context, at("token.seed"))?;

    let password = at("password");
    export_file(&password, b"correct horse battery staple\n")?;
    let page = at("credentials-page.txt");
    export_file(&page, b"A picture of the page Security credentials would be here.\n")?;
    let unsaid = RefCell::default();
    let shown_codes = RefCell::default();
    let people = Actors { context, quiet, token: &token, shown: shown_codes, page: &page, unsaid };
    for step in
        steps(&vault, &reader, &recipient, &paper_fds, (&token, &password), (&bundle, &report))?
    {
        context.check_interrupted()?;
        take(context, quiet, step, perform, &people)?;
    }
    let left = Left {
        vault: shown(&vault),
        demo_keys: shown(&at("demo-keys")),
        reader_identity: shown(&reader),
        papers: papers.iter().map(|paper| shown(paper)).collect(),
        token_seed: shown(&at("token.seed")),
        bundle: shown(&bundle),
        report: shown(&report),
    };
    let human = format!(
        "\nThe demo is left in {dir}:\n\
         \x20 vault            the vault; every command works on it, such as\n\
         \x20                  keymuster log list --vault {vault}\n\
         \x20 demo-keys        their software keys: alice's two, and bob's\n\
         \x20 reader.identity  opens the log without a touch: --identity {reader}\n\
         \x20 *.paper.txt      the passphrases that belong on paper, each in its own safe\n\
         \x20 token.seed       the seed of a token, as it would lie in a safe; with a password and a page\n\
         \x20                  that were made up for the drill\n\
         \x20 bundle           the log for an auditor, to be verified with ssh-keygen and sha256sum\n\
         \x20 report           what an auditor reads: report/index.html\n",
        dir = shown(dir),
        vault = left.vault,
        reader = left.reader_identity,
    );
    Ok(Answer::new("demo", &left, human))
}

/// A token that somebody could have, made up.
struct Token<'a> {
    context: &'a Context,
    /// With the seed, as it would lie in a safe.
    file: PathBuf,
    /// What makes its codes.
    generator: Generator,
}

impl<'a> Token<'a> {
    fn new(context: &'a Context, file: PathBuf) -> Result<Self, Failure> {
        // As many characters as AWS gives, five bits each.
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let random = Zeroizing::new(context.random::<64>()?);
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'A');
        let text: Zeroizing<Vec<u8>> = Zeroizing::new(random.iter().map(letter).collect());
        export_file(&file, &text)?;
        let bug = |error: &(dyn std::error::Error + 'static)| {
            Failure::because(exit::FAILED, "the demo made no seed, which is a bug", error)
        };
        let text = std::str::from_utf8(&text).map_err(|error| bug(&error))?;
        let seed = Seed::from_base32(text, Strength::Rfc4226).map_err(|error| bug(&error))?;
        Ok(Self { context, file, generator: Generator::new(&seed, Parameters::default()) })
    }

    /// The last code and the present one, and when it is that.
    fn codes(&self) -> Result<([String; 2], Time), Failure> {
        let now = self.context.now()?;
        let seconds = u64::try_from(now.moment().timestamp()).unwrap_or(0);
        let step = self.generator.parameters().step_at(seconds);
        let code = |step| self.generator.code(step).expose().to_string();
        Ok(([code(step.saturating_sub(1)), code(step)], now))
    }
}

/// Alice and bob, as the demo has them act.
struct Actors<'a> {
    context: &'a Context,
    quiet: bool,
    token: &'a Token<'a>,
    /// The two codes that they read off it.
    shown: RefCell<Option<[String; 2]>>,
    /// What they keep as evidence.
    page: &'a Path,
    /// Why something couldn't be said: who says it has nobody to tell.
    unsaid: RefCell<Option<Failure>>,
}

impl Actors<'_> {
    /// That all of what was said could be.
    fn are_heard(&self) -> Result<(), Failure> {
        self.unsaid.take().map_or(Ok(()), Err)
    }

    fn answer(&self, asked: &Asked<'_>) -> Result<String, Failure> {
        let step = asked.step.map(Handle::as_str).unwrap_or_default();
        Ok(match asked.topic {
            // Both are of one look at the token: between the questions it may come to show another.
            Topic::Code(which) => {
                if which == 1 || self.shown.borrow().is_none() {
                    let (codes, _) = self.token.codes()?;
                    self.shown.replace(Some(codes));
                }
                let shown = self.shown.borrow();
                let code =
                    shown.as_ref().map(|[before, now]| if which == 1 { before } else { now });
                code.cloned().unwrap_or_default()
            }
            Topic::File if step == "credentials" && asked.text.contains("another") => String::new(),
            Topic::File => self.page.to_string_lossy().into_owned(),
            Topic::Answer if asked.text.contains("torn") => "No".to_owned(),
            Topic::Answer => "B-1041 and B-1042, as recorded".to_owned(),
            Topic::EventId => "0d2c3a0e-5d5f-4f0c-9a3e-2f6f3d1b7c11".to_owned(),
            Topic::Pick | Topic::Choice => "1".to_owned(),
            Topic::YesOrNo | Topic::Closing => "yes".to_owned(),
            Topic::Keys => "done".to_owned(),
            Topic::Done | Topic::Finding | Topic::Other => String::new(),
        })
    }
}

impl People for Actors<'_> {
    fn say(&self, text: &str) {
        if let Err(failure) = indented(self.quiet, text) {
            self.unsaid.borrow_mut().get_or_insert(failure);
        }
    }

    fn ask(&self, asked: &Asked<'_>) -> Result<String, Failure> {
        self.context.check_interrupted()?;
        self.are_heard()?;
        let answer = self.answer(asked)?;
        let text = asked.text.trim_end();
        let shown = if answer.is_empty() { "[Enter]" } else { answer.as_str() };
        indented(self.quiet, &format!("{text} {shown}"))?;
        Ok(answer)
    }

    fn ask_ticking(
        &self,
        asked: &Asked<'_>,
        watch: &dyn Fn() -> String,
    ) -> Result<String, Failure> {
        indented(self.quiet, &watch())?;
        self.ask(asked)
    }

    fn show(&self, secret: &SecretName, _receipt: u64, _value: &str) -> Result<(), Failure> {
        indented(
            self.quiet,
            &format!("({secret} stands on the terminal alone, until Enter is pressed)"),
        )
    }

    fn are_there(&self) -> bool {
        false
    }
}

/// A new file, open to be written to by its number.
fn descriptor(path: &Path) -> Result<std::fs::File, Failure> {
    export_file(path, b"")?;
    std::fs::File::options().write(true).open(path).map_err(|error| {
        Failure::because(exit::FAILED, format!("couldn't open {}", shown(path)), &error)
    })
}

fn steps(
    vault: &Path,
    reader: &Path,
    recipient: &str,
    [alice_paper, bob_paper]: &[String; 2],
    (token, password): (&Token<'_>, &Path),
    (bundle, report): (&Path, &Path),
) -> Result<Vec<Step>, Failure> {
    let line = |words: &[&str]| -> Vec<OsString> { words.iter().map(OsString::from).collect() };
    let on_vault = |mut arguments: Vec<OsString>| {
        arguments.extend([OsString::from("--vault"), vault.into()]);
        arguments
    };
    let as_reader = |arguments: Vec<OsString>| {
        let mut arguments = on_vault(arguments);
        arguments.extend([OsString::from("--identity"), reader.into()]);
        arguments
    };
    let mut init = line(&["vault", "init"]);
    init.push(vault.into());
    init.extend(line(&["--name", "Example Corp", "--custodian", "alice", "--key", "primary"]));
    init.extend(line(&[
        "--reader",
        &format!("auditor={recipient}"),
        "--paper-fd",
        alice_paper,
        "--demo",
    ]));
    let bob = ["custodian", "add", "bob", "--name", "Bob B.", "--key", "primary"];
    let add = line(&[&bob[..], &["--paper-fd", bob_paper]].concat());
    let ([before, now], shown_at) = &token.codes()?;
    let mut check = line(&["totp", "check", "--account", "prod", "--code", before, "--code", now]);
    check.extend(line(&["--at", &shown_at.to_string(), "--seed-file"]));
    check.push(OsString::from(&token.file));
    let mut export = line(&["log", "export"]);
    export.push(bundle.into());
    let mut tell = line(&["report"]);
    tell.push(report.into());
    let store = |name: &str, kind: &str, file: &Path, more: &[&str]| {
        let store = ["secret", "store", name, "--kind", kind, "--account", "prod"];
        let mut store = line(&[&store[..], more, &["--file"]].concat());
        store.push(file.into());
        store
    };
    let drill = ["drill", "start", "quarterly", "--account", "prod"];
    let drill = [&drill[..], &["--as", "operator=alice", "--as", "witness=bob"]].concat();
    Ok(vec![
        Step {
            why: "Alice founds the vault with her security key: five touches.",
            arguments: init,
            for_real: Some(
                "the same without --demo and --paper-fd; the passphrase is shown on the terminal",
            ),
        },
        Step {
            why: "She enrols a second key, so that losing one loses nothing.",
            arguments: on_vault(line(&["key", "enrol", "blue"])),
            for_real: Some("the same, with both keys plugged in"),
        },
        Step {
            why: "Bob joins: his key makes its credentials, and signs; she lets him in.",
            arguments: on_vault(add),
            for_real: Some("the same without --paper-fd, with both their keys plugged in"),
        },
        Step {
            why: "From now on two custodians sign what matters, such as a change of policy.",
            arguments: on_vault(line(&["policy", "change", "--check-days", "60"])),
            for_real: Some("the same; a second key that isn't plugged in is asked for"),
        },
        Step {
            why: "What is plugged in, and is it what was enrolled?",
            arguments: as_reader(line(&["key", "list"])),
            for_real: None,
        },
        Step {
            why: "A check is a signature: each key proves itself by signing the entry that says so.",
            arguments: as_reader(line(&[
                "key",
                "check",
                "alice/primary",
                "alice/blue",
                "bob/primary",
            ])),
            for_real: None,
        },
        Step {
            why: "An account, whose root user they look after, and a token that is registered with it.",
            arguments: on_vault(line(&[
                "account",
                "add",
                "prod",
                "--id",
                "123456789012",
                "--email",
                "aws-prod@example.com",
                "--phone",
                "+1 555 0100",
                "--mailbox-reader",
                "alice",
                "--mailbox-reader",
                "bob",
                "--phone-answerer",
                "bob",
            ])),
            for_real: Some("keymuster account import FILE takes a list of many"),
        },
        Step {
            why: "Bob has the token.",
            arguments: on_vault(line(&[
                "account",
                "link",
                "phone",
                "prod",
                "--token",
                "--held-by",
                "bob",
            ])),
            for_real: None,
        },
        Step {
            why: "Is the seed in the safe the one that makes the token's codes? Two codes tell.",
            arguments: on_vault(check),
            for_real: Some(
                "the same without --code and --at: it asks for codes; --qr reads a scanned sheet",
            ),
        },
        Step {
            why: "The seed and the root user's password go into custody: opening them leaves a receipt.",
            arguments: on_vault(store("prod-seed", "seed", &token.file, &["--token", "phone"])),
            for_real: Some("the same without --file: it asks for the seed, and shows nothing"),
        },
        Step {
            why: "",
            arguments: on_vault(store("prod-password", "password", password, &[])),
            for_real: None,
        },
        Step {
            why: "Which runbooks they run is theirs to decide, two by two.",
            arguments: on_vault(line(&["runbook", "adopt", "quarterly"])),
            for_real: Some("read it first: keymuster runbook show quarterly"),
        },
        Step {
            why: "The quarterly drill: could they get into root tonight? Alice does it, bob watches.",
            arguments: on_vault(line(&drill)),
            for_real: Some("the same, at a terminal: people answer, and nothing does for them"),
        },
        Step {
            why: "What is known of the account, and what is missing?",
            arguments: as_reader(line(&["account", "show", "prod"])),
            for_real: None,
        },
        Step {
            why: "Could they get into root tonight?",
            arguments: as_reader(line(&["status"])),
            for_real: None,
        },
        Step {
            why: "Which way, and what shows that it works?",
            arguments: as_reader(line(&["recovery", "show", "prod"])),
            for_real: None,
        },
        Step {
            why: "And what may they lose?",
            arguments: as_reader(line(&["recovery", "losses", "--pairs"])),
            for_real: None,
        },
        Step {
            why: "Who holds what?",
            arguments: as_reader(line(&["custodian", "list"])),
            for_real: None,
        },
        Step {
            why: "The log so far, read with the auditor's identity.",
            arguments: as_reader(line(&["log", "list"])),
            for_real: None,
        },
        Step {
            why: "Does it hold?",
            arguments: as_reader(line(&["log", "verify"])),
            for_real: None,
        },
        Step {
            why: "The auditor wants to verify it without trusting keymuster.",
            arguments: as_reader(export),
            for_real: None,
        },
        Step { why: "And has much to read.", arguments: as_reader(tell), for_real: None },
    ])
}

fn take(
    context: &Context,
    quiet: bool,
    step: Step,
    perform: Perform,
    people: &Actors<'_>,
) -> Result<(), Failure> {
    let words: Vec<String> =
        step.arguments.iter().map(|word| quoted(&word.to_string_lossy())).collect();
    say(quiet, &format!("\n{}\n  $ keymuster {}\n", step.why, words.join(" ")))?;
    if let Some(for_real) = step.for_real {
        say(quiet, &format!("  for real:  {for_real}\n"))?;
    }
    let arguments = [OsString::from("keymuster")].into_iter().chain(step.arguments).collect();
    let answer = perform(context, arguments, people)?;
    people.are_heard()?;
    indented(quiet, answer.human())
}

fn indented(quiet: bool, text: &str) -> Result<(), Failure> {
    let indent =
        |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    let indented: String = text.lines().map(indent).collect();
    say(quiet, &indented)
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}

fn shown(path: &Path) -> String {
    crate::text::sanitise(&path.to_string_lossy(), 200)
}

fn say(quiet: bool, text: &str) -> Result<(), Failure> {
    if quiet {
        return Ok(());
    }
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
        let code = if error.kind() == io::ErrorKind::BrokenPipe {
            exit::BROKEN_PIPE
        } else {
            exit::FAILED
        };
        Failure::because(code, "couldn't write the demo's output", &error)
    })
}
