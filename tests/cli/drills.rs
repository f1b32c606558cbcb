//! Drills, gone through at a terminal.

mod crashes;
mod dialogue;
mod records;

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;

use super::demo_vault::{Demo, Ran, tool};
use super::pseudo_terminal::PseudoTerminal;
use super::terminal::{BINARY, dialogue as start_dialogue};

/// The secret that the token and the vault share.
const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const PASSWORD: &str = "correct horse battery staple";

/// A runbook with a step of every kind, and a way back.
const EVERY_KIND: &str = r#"+++
format = 1
runbook = "every-kind"
version = 1
about = "A step of every kind"
purpose = ["rehearsal", "live"]
accounts = "one"
target_minutes = 20

[[role]]
id = "operator"
does = "acts"

[[role]]
id = "witness"
does = "watches"

[[role]]
id = "reader"
does = "reads the mailbox"
optional = true
+++

# Every kind

An introduction, to be read once.

## Ready

Sit down.

## Keys

```toml step
kind = "key"
of = ["operator", "witness"]
```

## Codes

```toml step
kind = "totp"
```

## Password

```toml step
kind = "secret"
secret = "password"
compartment = "seeds"
```

## Sign in

```toml step
kind = "sign-in"
expect = "The account's number stands at the top"
if_not = "which-way"
```

## Mail

```toml step
kind = "mailbox"
by = "reader"
```

## Call

```toml step
kind = "phone"
by = "witness"
```

## Picture

```toml step
kind = "evidence"
what = "The page"
```

## Write it down

```toml step
kind = "record"
asks = ["Numbers of the seals", "Is one torn?"]
```

## Alarm

```toml step
kind = "wait"
until = "the alarm is seen"
target_minutes = 15
```

## Which way

```toml step
id = "which-way"
kind = "decide"

[[choice]]
answer = "Out"
goto = "end"

[[choice]]
answer = "Write once more"
goto = "write-it-down"
```
"#;

/// A vault of alice, bob and carol with an account, its token's seed and its password in custody,
/// and that runbook.
fn vault() -> Demo {
    static ORIGINAL: OnceLock<Demo> = OnceLock::new();
    let original = ORIGINAL.get_or_init(|| {
        let demo = Demo::people();
        let folder = demo.folder.path();
        fs::write(folder.join("seed"), SEED).unwrap();
        fs::write(folder.join("password"), PASSWORD).unwrap();
        fs::write(folder.join("every-kind.md"), EVERY_KIND).unwrap();
        fs::write(folder.join("page.png"), b"\x89PNG the page").unwrap();
        let email = ["--email", "aws@example.com", "--phone", "+1 555 0100"];
        let add = ["account", "add", "prod", "--id", "123456789012"];
        demo.run(&[&add[..], &email].concat()).exits(0);
        demo.run(&["account", "link", "fob", "prod", "--token"]).exits(0);
        let store = ["--account", "prod", "--kind"];
        let seed = [&["secret", "store", "prod-seed"], &store[..], &["seed", "--file", "seed"]];
        demo.run(&seed.concat()).exits(0);
        let file = ["password", "--file", "password"];
        demo.run(&[&["secret", "store", "prod-password"], &store[..], &file].concat()).exits(0);
        demo.run(&["runbook", "adopt", "./every-kind.md", "quarterly"]).exits(0);
        demo
    });
    original.copied()
}

/// A command on the vault, at a terminal.
fn at_terminal(demo: &Demo, arguments: &str) -> PseudoTerminal {
    start_dialogue(demo.folder.path(), &format!("{BINARY} {arguments} --vault demo/vault"))
}

const START: &str = "drill start every-kind --account prod --as operator=alice --as witness=bob";

/// What is typed where a question ends like this.
#[derive(Clone, Copy, Debug)]
enum Typed {
    Text(&'static str),
    /// The code before the present one, and the present one.
    Code(i64),
}

use Typed::{Code, Text};

/// The questions of the runbook, in their order.
const QUESTIONS: [(&str, Typed); 23] = [
    ("alice: press Enter when it is done (:help for more) ", Text("")),
    ("Plug in the keys of alice and bob and press Enter: ", Text("")),
    ("the code that fob shows now: ", Code(-1)),
    ("the code that fob shows next, once it changes: ", Code(0)),
    ("alice: press Enter to open prod-password.1 ", Text("")),
    ("Press Enter to clear it: ", Text("")),
    ("once you are signed in (:failed if you can't) ", Text("")),
    ("(Enter: not evidenced) ", Text("7f3c-event")),
    ("alice: Did the message arrive? (yes or no) ", Text("yes")),
    ("bob: Was the call answered? (yes or no) ", Text("no")),
    ("What happened? ", Text("A machine answered")),
    ("alice: path of the file: ", Text("page.png")),
    ("Path of another (Enter: there is none) ", Text("")),
    ("alice: Numbers of the seals: ", Text("B-1 and B-2")),
    ("alice: Is one torn? ", Text("No")),
    ("alice: press Enter once it has happened (:failed if not) ", Text("")),
    ("alice: which one? ", Text("1")),
    ("Was that reached? (yes or no) ", Text("yes")),
    ("signed out of the root user? (yes, no, na) ", Text("yes")),
    ("alarm of the sign-in seen? (yes, no, na) ", Text("na")),
    ("replaced, or sealed again? (yes, no, na) ", Text("no")),
    ("Enter: nothing more) ", Text("")),
    ("Recorded entry ", Text("")),
];

/// The code that the token shows so many steps from now.
fn code(steps: i64) -> String {
    let now = chrono::Utc::now().timestamp() + 30 * steps;
    let at = format!("@{now}");
    let code = tool("oathtool", &["--totp", "--base32", "--now", &at, SEED], b"");
    String::from_utf8(code).unwrap().trim().to_owned()
}

/// Types a line, and waits until the terminal has taken it: else the question that it answers
/// would still stand there.
#[track_caller]
fn says(terminal: &mut PseudoTerminal, line: &str) {
    let before = terminal.shown().len();
    terminal.types(&format!("{line}\n"));
    terminal.wait("it is taken", |this| this.has_ended() || this.shown().len() > before);
}

#[track_caller]
fn type_in(terminal: &mut PseudoTerminal, typed: Typed) {
    match typed {
        Text(text) => says(terminal, text),
        Code(steps) => says(terminal, &code(steps)),
    }
}

/// Answers these questions, one after the other.
#[track_caller]
fn answers(terminal: &mut PseudoTerminal, questions: &[(&str, Typed)]) {
    for (question, typed) in questions {
        terminal.until(question);
        type_in(terminal, *typed);
    }
}

/// What a reader's command answers in JSON.
#[track_caller]
fn read(demo: &Demo, arguments: &[&str]) -> Value {
    let ran: Ran = demo.read(&[arguments, &["--json"]].concat());
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The events of the entry that ended a drill, without what differs from run to run.
fn transcript(demo: &Demo, drill: &str) -> Vec<Value> {
    let shown = read(demo, &["drill", "show", drill]);
    let ended = shown["entries"].as_array().unwrap().last().unwrap();
    let mut events = ended["events"].as_array().unwrap().clone();
    for event in &mut events {
        let fields = event.as_object_mut().unwrap();
        for differs in ["begun", "ended", "seconds", "at", "file", "journal", "receipt"] {
            fields.remove(differs);
        }
        if fields["kind"] == "totp-checked" {
            // A new step may begin between the two codes.
            fields.remove("drift_seconds");
            fields.remove("evidence");
        }
        if fields.get("step").is_some_and(|step| step == "alarm" || step == "codes") {
            fields.remove("observed");
        }
    }
    events
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

/// Runs it once, from the first step to the last.
fn run_through(demo: &Demo) {
    let mut terminal = at_terminal(demo, START);
    terminal.until("Recorded entry 12, signed by alice/primary and bob/primary.");
    answers(&mut terminal, &QUESTIONS);
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
}

/// The questions after an interruption.
const IN_BETWEEN: [(&str, Typed); 2] = [
    ("what happened in between? ", Text("The power went")),
    ("do you confirm that? (yes or no) ", Text("yes")),
];

/// The question that stands there now.
fn question(terminal: &PseudoTerminal) -> Option<(&'static str, Typed)> {
    let shown = terminal.shown();
    let stands = |(question, _): &&(&str, Typed)| shown.ends_with(question);
    QUESTIONS.iter().chain(&IN_BETWEEN).find(stands).copied()
}

/// Answers whatever is asked until this question, which it leaves, or until the command ends.
#[track_caller]
fn drive(terminal: &mut PseudoTerminal, until: Option<&str>) {
    loop {
        terminal.wait("something is asked", |this| this.has_ended() || question(this).is_some());
        match question(terminal) {
            Some((asked, _)) if until == Some(asked) => return,
            Some((_, typed)) => type_in(terminal, typed),
            None => return,
        }
    }
}
