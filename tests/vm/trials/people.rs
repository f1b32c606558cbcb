//! Three custodians with a key each, through what happens to them: one is let in after the
//! other, a key is reported and restored, one leaves, a reader goes, a paper copy leaks. Touches
//! are counted, and stock age says who can open what.

use super::circle::{KEYS, Meeting, Touches, at_terminal, ends, meet, succeeds, type_pin};
use super::trials;
use crate::pseudo_terminal::PseudoTerminal;
use crate::run::{Outcome, program, scratch};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

pub(super) fn trials() -> Vec<Trial> {
    trials!["people":
        each_command_costs_the_touches_of_the_table,
        two_people_see_what_they_sign_before_they_sign,
        a_suspended_key_signs_nothing_but_its_own_restoring,
        each_epoch_opens_to_those_who_were_members_then,
        a_rekey_at_one_port_sends_no_pin_to_another_key,
    ]
}

/// The touches of each command, by key in the order of [`KEYS`].
const COSTS: [(&str, Touches); 10] = [
    // Two credentials, the identity sealed and opened again, the signature.
    ("vault init", [5, 0, 0, 0]),
    // The old key opens the vault and signs.
    ("key enrol blue", [2, 5, 0, 0]),
    ("custodian add bob", [2, 0, 5, 0]),
    // A countersigner opens what is sealed anew, and signs.
    ("custodian add carol", [2, 0, 2, 5]),
    ("key lost bob/primary", [0, 0, 0, 2]),
    // Where nothing is sealed anew, a countersigner only signs.
    ("key restored bob/primary", [2, 0, 1, 0]),
    ("custodian leave bob", [2, 0, 0, 2]),
    ("reader remove auditor", [2, 0, 0, 2]),
    ("key compromised alice/paper", [2, 0, 0, 0]),
    // The new identity is sealed to the key, and opened again.
    ("vault rekey", [4, 0, 0, 2]),
];

/// How many entries all that makes.
const ENTRIES: u32 = COSTS.len() as u32;

/// What stock age opens with one identity.
struct Reach {
    whose: &'static str,
    /// The epochs of `records` whose files open.
    records: Vec<u32>,
    /// The same of `seeds`.
    seeds: Vec<u32>,
    /// The last entry that opens with what is in the newest of those.
    last_entry: u32,
}

/// What happened, and what was seen of it.
struct Story {
    costs: Vec<(&'static str, Touches)>,
    /// What was said where a suspended key was to sign, and the touches that it cost.
    refusals: [(Outcome, Touches); 2],
    /// What was shown at the re-key, and how many PINs were wrong.
    rekey: (String, usize),
    reaches: Vec<Reach>,
}

static STORY: OnceLock<Story> = OnceLock::new();

fn story() -> &'static Story {
    STORY.get_or_init(Story::live)
}

/// Prints what was counted, if anything was.
pub(crate) fn show_tables() {
    let Some(story) = STORY.get() else { return };
    println!("Touches by key:");
    println!("{:<32}{}", "", KEYS.map(|key| format!("{key:>15}")).concat());
    for (command, touches) in &story.costs {
        println!("{command:<32}{}", touches.map(|n| format!("{n:>15}")).concat());
    }
    println!("What stock age opens:");
    for Reach { whose, records, seeds, last_entry } in &story.reaches {
        let (records, seeds) = (listed(records), listed(seeds));
        println!("{whose:<32}records {records}; seeds {seeds}; entries to {last_entry}");
    }
}

fn listed(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    if numbers.is_empty() { "none".to_owned() } else { numbers.join(" ") }
}

impl Story {
    #[track_caller]
    fn live() -> Self {
        let mut meeting = meet(&["carol/primary"]);
        let mut costs = meeting.founding();
        let mut paid = |meeting: &mut Meeting, command: &'static str, flags: &str| {
            let before = meeting.touches();
            meeting.command(&format!("{command} {flags}")).run().expect_success();
            costs.push((command, meeting.touches_since(before)));
        };
        paid(&mut meeting, "key lost bob/primary", "");

        meeting.key("alice/primary").replug();
        meeting.swap("carol/primary", "bob/primary");
        let refused = |meeting: &mut Meeting, command: &str| {
            let (before, files) = (meeting.touches(), meeting.files());
            let outcome = meeting.command(command).run();
            assert!(meeting.files() == files, "{command}: the vault has changed");
            (outcome, meeting.touches_since(before))
        };
        let refusals = [
            refused(&mut meeting, "key move bob/primary --to York --by bob"),
            refused(&mut meeting, "policy change --check-days 60 --by alice"),
        ];
        paid(&mut meeting, "key restored bob/primary", "--by alice --by bob");

        meeting.swap("bob/primary", "carol/primary");
        paid(&mut meeting, "custodian leave bob", "--by alice");
        paid(&mut meeting, "reader remove auditor", "--by alice");
        paid(&mut meeting, "key compromised alice/paper", "--by alice");
        // One port is one place, whatever was plugged in before.
        meeting.key("carol/primary").unplug();
        meeting.key("alice/primary").replug();
        let (before, wrong) = (meeting.touches(), meeting.wrong_pins());
        let shown = rekey_at_one_port(&mut meeting);
        costs.push(("vault rekey", meeting.touches_since(before)));
        let rekey = (shown, meeting.wrong_pins() - wrong);

        let reaches = vec![
            Reach::of(&meeting, "auditor, removed", &meeting.path("reader.identity")),
            Reach::of(&meeting, "bob, who left", &from_paper(&meeting, "bob", "bob.words")),
            Reach::of(&meeting, "alice, leaked paper", &from_paper(&meeting, "alice", "paper.txt")),
        ];
        Self { costs, refusals, rekey, reaches }
    }
}

/// Alice and carol swap their keys whenever the other's is asked for.
#[track_caller]
fn rekey_at_one_port(meeting: &mut Meeting) -> String {
    let (alice, carol) = ("alice/primary", "carol/primary");
    let rekey = "vault rekey --by alice/primary --paper-fd 3 3>/dev/null";
    let mut terminal = at_terminal(&meeting.line(rekey));
    type_pin(&mut terminal, alice);
    let again = |key| format!("Plug in {key} again and press Enter: ");
    let mut swap = |terminal: &mut PseudoTerminal, text: &str, out: &str, into: &str| {
        terminal.until(text);
        meeting.swap(out, into);
        terminal.types("\n");
    };
    let now = "Now carol/primary must sign too. Plug it in and press Enter: ";
    swap(&mut terminal, now, alice, carol);
    swap(&mut terminal, &again(alice), carol, alice);
    swap(&mut terminal, &again(carol), alice, carol);
    type_pin(&mut terminal, carol);
    swap(&mut terminal, &again(alice), carol, alice);
    succeeds(terminal)
}

/// Has stock age open somebody's first paper copy, which asks for the words on a terminal.
#[track_caller]
fn from_paper(meeting: &Meeting, whose: &str, words: &str) -> String {
    let identity = meeting.path(&format!("{whose}.identity"));
    let paper = meeting.path(&format!("vault/identities/{whose}.paper.1.age"));
    let words = fs::read_to_string(meeting.path(words)).expect("they were written down");
    let mut terminal = at_terminal(&format!("age -d -o {identity} {paper}"));
    terminal.until("Enter passphrase");
    terminal.until(": ");
    terminal.types(&words);
    succeeds(terminal);
    identity
}

/// Whether stock age opens a file.
fn opens(identity: &str, file: &str, to: &str) -> bool {
    program("age", &["-d", "-i", identity, "-o", to, file]).run().status.success()
}

impl Reach {
    #[track_caller]
    fn of(meeting: &Meeting, whose: &'static str, identity: &str) -> Self {
        let folder = scratch();
        let opened = |name: &str, epoch: &u32| {
            folder.join(format!("{name}.{epoch}")).to_string_lossy().into_owned()
        };
        let of = |name: &str| -> Vec<u32> {
            let file =
                |epoch: &u32| meeting.path(&format!("vault/compartments/{name}.{epoch}.age"));
            let all = (1..).take_while(|epoch| Path::new(&file(epoch)).exists());
            all.filter(|epoch| opens(identity, &file(epoch), &opened(name, epoch))).collect()
        };
        let (records, seeds) = (of("records"), of("seeds"));
        let newest = opened("records", records.last().expect("it opens something"));
        let entry_opens = |number: u32| {
            opens(&newest, &meeting.path(&format!("vault/log/{number:06}.age")), "/dev/null")
        };
        let last_entry = (1..=ENTRIES).rev().find(|number| entry_opens(*number)).unwrap_or(0);
        assert!(entry_opens(1), "what was written before is inside");
        Self { whose, records, seeds, last_entry }
    }
}

fn each_command_costs_the_touches_of_the_table() {
    assert_eq!(story().costs, COSTS);
}

fn two_people_see_what_they_sign_before_they_sign() {
    let [bobs, carols] = meet(&[]).screens();
    let bob = "bob/primary is enrolled: SHA256:";
    in_order(
        &bobs,
        &[
            "PIN of alice/primary (8 attempts left):",
            "Touch alice/primary to open the vault",
            "Plug in the new key, leave the other one in, and press Enter:",
            "Touch bob/primary to make its signing credential (1 of 5)",
            "Touch bob/primary to make its unlocking credential (2 of 5)",
            "Touch bob/primary to seal the identity to it (3 of 5)",
            "Touch bob/primary to open it again, as a trial (4 of 5)",
            "The paper copy.",
            "Entry 3, to be signed by bob/primary and alice/primary:",
            "bob (“Bob B.”) joins as a custodian, with the identity age1",
            bob,
            "records is encrypted anew, epoch 2, to alice, auditor, bob",
            "seeds is encrypted anew, epoch 2, to alice, bob",
            "Touch alice/primary to sign entry 3",
            "Touch bob/primary to sign entry 3 (5 of 5)",
            "bob is a custodian, with the key bob/primary.",
            "Recorded entry 3, signed by bob/primary and alice/primary.",
        ],
    );
    in_order(
        &carols,
        &[
            "Touch alice/primary to open the vault",
            "Now bob/primary must sign too. Plug it in and press Enter:",
            "bob/primary signs too.",
            "Touch carol/primary to make its signing credential (1 of 5)",
            "Entry 4, to be signed by carol/primary and alice/primary and bob/primary:",
            "records is encrypted anew, epoch 3, to alice, auditor, bob, carol",
            "PIN of bob/primary (8 attempts left):",
            "Touch bob/primary to open what is sealed anew, as a check",
            "Touch bob/primary to sign entry 4",
            "Plug in alice/primary again and press Enter:",
            "Touch alice/primary to sign entry 4",
            "Touch carol/primary to sign entry 4 (5 of 5)",
            "Recorded entry 4, signed by carol/primary and alice/primary and bob/primary.",
        ],
    );
}

/// Fails unless each of these is on the screen, after the one before it.
#[track_caller]
fn in_order(screen: &str, parts: &[&str]) {
    let mut rest = screen;
    for part in parts {
        let (_, after) =
            rest.split_once(part).unwrap_or_else(|| panic!("{part:?} isn't next in:\n{screen}"));
        rest = after;
    }
}

fn a_suspended_key_signs_nothing_but_its_own_restoring() {
    let [alone, beside] = &story().refusals;
    let (outcome, touches) = alone;
    ends(outcome, 3, &["bob/primary is suspended, and may not sign this"]);
    assert_eq!(touches, &[0, 0, 1, 0], "it opens the vault still");
    let (outcome, touches) = beside;
    let said = ["bob/primary is plugged in, and is suspended.", "carol/primary must sign too"];
    ends(outcome, 4, &said);
    assert_eq!(touches, &[1, 0, 0, 0]);
}

fn each_epoch_opens_to_those_who_were_members_then() {
    let expected: [(&str, &[u32], &[u32], u32); 3] = [
        // Entry 8 removes them, and is the first of epoch 5.
        ("auditor, removed", &[1, 2, 3, 4], &[], 7),
        ("bob, who left", &[2, 3], &[2, 3], 6),
        ("alice, leaked paper", &[1, 2, 3, 4, 5], &[1, 2, 3, 4], 9),
    ];
    for (reach, (whose, records, seeds, last_entry)) in story().reaches.iter().zip(expected) {
        assert_eq!(reach.whose, whose);
        assert_eq!(reach.records, records, "records, {whose}");
        assert_eq!(reach.seeds, seeds, "seeds, {whose}");
        assert_eq!(reach.last_entry, last_entry, "{whose}");
    }
}

fn a_rekey_at_one_port_sends_no_pin_to_another_key() {
    let (shown, wrong) = &story().rekey;
    assert_eq!(*wrong, 0, "{shown}");
    assert_eq!(shown.matches("PIN of").count(), 2, "{shown}");
}
