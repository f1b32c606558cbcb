//! The quarterly drill by two people with three USB keys, at a terminal: every kind of step, what
//! it costs in touches and PINs, and what the log and stock tools say of it afterwards.
//!
//! With `KEYMUSTER_TEST_SCREENS` set, what people saw is printed.

use super::auditor::audit;
use super::circle::{
    Meeting, answer, as_read, at_terminal, meet, succeeds, type_pin, wants_screens,
};
use super::trials;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use keymuster::totp::{Generator, Parameters, Seed, Strength};

pub(super) fn trials() -> Vec<Trial> {
    trials!["drill":
        the_quarterly_drill_costs_seven_touches_and_a_pin_for_each_key,
        at_one_port_no_pin_goes_to_another_key_that_sits_there_by_then,
    ]
}

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const START: &str = "drill start quarterly --account prod --as operator=alice --as witness=bob";

/// The codes of the last step and of this one.
fn codes() -> [String; 2] {
    let seed = Seed::from_base32(SEED, Strength::Rfc4226).expect("a seed");
    let generator = Generator::new(&seed, Parameters::default());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    [now / 30 - 1, now / 30].map(|step| generator.code(step).expose().to_string())
}

/// A vault with an account, its token's seed and its password in custody, and the runbook.
fn with_custody() -> Meeting {
    let meeting = meet(&["alice/primary", "alice/blue", "bob/primary"]);
    let does = |arguments: &str| {
        meeting.command(arguments).run().expect_success();
    };
    fs::write(meeting.path("seed"), format!("{SEED}\n")).expect("a scratch folder");
    fs::write(meeting.path("password"), "correct horse\n").expect("a scratch folder");
    fs::write(meeting.path("page.png"), b"\x89PNG a picture").expect("a scratch folder");
    does("account add prod --id 123456789012 --email aws@example.com --phone '+1 555 0100'");
    does("account link phone prod --token --held-by bob");
    let store = |name: &str, kind: &str| {
        let file = meeting.path(kind);
        does(&format!("secret store {name} --kind {kind} --account prod --file {file}"));
    };
    store("prod-seed", "seed");
    store("prod-password", "password");
    does("runbook adopt quarterly");
    meeting
}

fn the_quarterly_drill_costs_seven_touches_and_a_pin_for_each_key() {
    let meeting = with_custody();
    let (before, wrong) = (meeting.touches(), meeting.wrong_pins());
    let mut terminal = at_terminal(&meeting.line(START));
    type_pin(&mut terminal, "alice/primary");
    type_pin(&mut terminal, "bob/primary");
    let yes = "yes";
    let page = meeting.path("page.png");
    let mut says = |question: &str, typed: &str| answer(&mut terminal, question, typed);
    says("alice: Numbers of the seals, as they are: ", "B-1 and B-2");
    says("alice: Is one torn, or another than recorded? ", "No");
    says("Plug in the keys of alice and bob and press Enter: ", "");
    let [last, now] = codes();
    says("the code that phone shows now: ", &last);
    says("the code that phone shows next, once it changes: ", &now);
    says("alice: press Enter to open prod-password.1 ", "");
    says("Press Enter to clear it: ", "");
    says("once you are signed in (:failed if you can't) ", "");
    says("CloudTrail's event id of the sign-in to prod (Enter: not evidenced) ", "7f3c-event");
    says("alice: path of the file: ", &page);
    says("Path of another (Enter: there is none) ", "");
    says("alice: press Enter when it is done (:help for more) ", "");
    says("alice: press Enter once it has happened (:failed if not) ", "");
    says("bob: Did the message arrive? (yes or no) ", yes);
    says("bob: Was the call answered? (yes or no) ", yes);
    says("alice: Numbers of the new seals, and what is in each bag: ", "B-3 and B-4");
    says("alice: which one? ", "1");
    says("Was that reached? (yes or no) ", yes);
    says("Has everybody signed out of the root user? (yes, no, na) ", yes);
    says("Was the alarm of the sign-in seen? (yes, no, na) ", yes);
    says("Was what was opened or used replaced, or sealed again? (yes, no, na) ", yes);
    says("What was found? (one at a time; Enter: nothing more) ", "");
    type_pin(&mut terminal, "alice/blue");
    let shown = as_read(&succeeds(terminal));
    if wants_screens() {
        println!("---- keymuster {START}\n{shown}\n----");
    }

    // Alice opens the vault; both sign the beginning; she signs the receipt; all three keys the end.
    let touches = meeting.touches_since(before);
    assert_eq!(touches, [4, 1, 2, 0], "{shown}");
    assert_eq!(touches.iter().sum::<usize>(), 7);
    assert_eq!(shown.matches("PIN of ").count(), 3, "one for each key: {shown}");
    assert_eq!(meeting.wrong_pins(), wrong);
    let log = meeting.command("log list --json").run().expect_success();
    let log: serde_json::Value = serde_json::from_str(&log).expect("JSON");
    let entries = log["entries"].as_array().expect("an array");
    let last = entries.last().expect("it isn't empty")["events"].clone();
    let last: Vec<&str> =
        last.as_array().expect("an array").iter().filter_map(|e| e.as_str()).collect();
    let kinds = |kind: &str| last.iter().filter(|known| **known == kind).count();
    assert_eq!(last.first(), Some(&"drill-finished"));
    for (kind, number) in [
        ("drill-step", 12),
        ("evidence-kept", 1),
        ("key-checked", 3),
        ("totp-checked", 1),
        ("sign-in-proven", 1),
        ("mailbox-tested", 1),
        ("phone-tested", 1),
        ("drill-exception", 0),
    ] {
        assert_eq!(kinds(kind), number, "{kind} in {last:?}");
    }
    meeting.command("log verify").run().expect_success();
    let number = entries.len();
    let entry = meeting.command(&format!("log show {number}")).run().expect_success();
    assert!(entry.contains("kind = \"drill-finished\"") && !entry.contains("correct horse"));
    let head = meeting.command("log head").run().expect_success();
    let (vault, reader) = (meeting.path("vault"), meeting.path("reader.identity"));
    let said = audit(Path::new(&vault), &reader, &head).expect_success();
    assert!(said.contains(&format!("{number} entries and ")), "{said}");
    if wants_screens() {
        println!("---- log show {number}\n{entry}\n---- auditor.sh\n{said}\n----");
    }
}

const SHORT: &str = r#"+++
format = 1
runbook = "short"
version = 1
about = "Keys, and the password"
purpose = ["rehearsal"]
accounts = "one"

[[role]]
id = "operator"
does = "acts"

[[role]]
id = "witness"
does = "watches"
+++

# Short

## Keys

```toml step
kind = "key"
of = ["operator", "witness"]
```

## Password

```toml step
kind = "secret"
secret = "password"
compartment = "seeds"
```
"#;

/// Keys come and go between the steps. Whoever signs then is looked for anew.
fn at_one_port_no_pin_goes_to_another_key_that_sits_there_by_then() {
    let mut meeting = with_custody();
    fs::write(meeting.path("short.md"), SHORT).expect("a scratch folder");
    let adopt = format!("runbook adopt {}", meeting.path("short.md"));
    meeting.command(&adopt).run().expect_success();
    meeting.key("alice/blue").unplug();
    meeting.key("bob/primary").unplug();
    let wrong = meeting.wrong_pins();
    let start = START.replace("quarterly", "short");
    let mut terminal = at_terminal(&meeting.line(&start));
    type_pin(&mut terminal, "alice/primary");
    let now_bob = "Now bob/primary must sign too. Plug it in and press Enter: ";
    let alice_again = "Plug in alice/primary again and press Enter: ";
    terminal.until(now_bob);
    meeting.swap("alice/primary", "bob/primary");
    terminal.types("\n");
    type_pin(&mut terminal, "bob/primary");
    terminal.until(alice_again);
    meeting.swap("bob/primary", "alice/primary");
    terminal.types("\n");
    answer(&mut terminal, "Plug in the keys of alice and bob and press Enter: ", "");
    let next = "Plug the next one in and press Enter; type done if there are no more: ";
    terminal.until(next);
    meeting.swap("alice/primary", "bob/primary");
    terminal.types("\n");
    terminal.until("Not shown yet: alice/blue.");
    answer(&mut terminal, next, "done");
    // Bob's key is where alice's was when she signs the receipt.
    answer(&mut terminal, "alice: press Enter to open prod-password.1 ", "");
    terminal.until(alice_again);
    meeting.swap("bob/primary", "alice/primary");
    terminal.types("\n");
    answer(&mut terminal, "Press Enter to clear it: ", "");
    answer(&mut terminal, "Was that reached? (yes or no) ", "yes");
    for _ in 0..3 {
        answer(&mut terminal, "(yes, no, na) ", "yes");
    }
    answer(&mut terminal, "Enter: nothing more) ", "");
    let shown = "bob/primary was shown, and isn't plugged in. Can it sign now? (yes or no) ";
    answer(&mut terminal, shown, "yes");
    terminal.until(now_bob);
    meeting.swap("alice/primary", "bob/primary");
    terminal.types("\n");
    terminal.until(alice_again);
    meeting.swap("bob/primary", "alice/primary");
    terminal.types("\n");
    let shown = as_read(&succeeds(terminal));
    assert_eq!(meeting.wrong_pins(), wrong, "{shown}");
    assert_eq!(shown.matches("PIN of ").count(), 2, "{shown}");
    assert!(
        shown.contains("  alice/primary was checked")
            && shown.contains("  bob/primary was checked")
    );
}
