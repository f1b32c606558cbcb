//! Secrets in custody on USB keys: a seed is stored, checked against a token's codes, and opened
//! after a receipt; what that costs in touches and PINs, and what stands in the log.

use super::circle::{Meeting, Touches, as_read, at_terminal, meet, succeeds, type_pin};
use super::trials;
use crate::keys::Touch;
use crate::run::Outcome;
use keymuster::totp::{Generator, Parameters, Seed, Strength};
use libtest_mimic::Trial;
use std::fs;

pub(super) fn trials() -> Vec<Trial> {
    trials!["custody":
        a_seed_is_stored_checked_and_shown_after_its_receipt,
        a_secret_stays_closed_where_the_key_is_pulled_before_its_receipt,
        a_compartment_of_ones_own_costs_whoever_it_opens_to_a_look,
    ]
}

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Does something with prod's token, and returns what it cost by key.
#[track_caller]
fn costs(meeting: &Meeting, arguments: &str) -> (Outcome, Touches) {
    let before = meeting.touches();
    let outcome = meeting.command(arguments).run();
    assert!(outcome.status.success(), "{arguments}: {outcome:#?}");
    let touches = meeting.touches_since(before);
    (outcome, touches)
}

/// A vault with the account prod and its token.
fn with_token() -> Meeting {
    let meeting = meet(&["alice/primary", "bob/primary"]);
    let (_, added) = costs(&meeting, "account add prod --id 123456789012");
    let (_, linked) = costs(&meeting, "account link phone prod --token --held-by bob");
    // Alice opens the vault, and both sign.
    assert_eq!((added, linked), ([2, 0, 1, 0], [2, 0, 1, 0]));
    fs::write(meeting.path("seed"), format!("{SEED}\n")).expect("a scratch folder");
    meeting
}

fn store(meeting: &Meeting) -> String {
    let file = meeting.path("seed");
    format!("secret store prod-seed --kind seed --account prod --file {file}")
}

fn a_seed_is_stored_checked_and_shown_after_its_receipt() {
    let meeting = with_token();
    let (_, stored) = costs(&meeting, &store(&meeting));
    assert_eq!(stored, [2, 0, 0, 0]);

    // At 2026-11-22T12:00:30Z.
    let generator = {
        let seed = Seed::from_base32(SEED, Strength::Rfc4226).expect("a seed");
        Generator::new(&seed, Parameters::default())
    };
    let code = |step| generator.code(step).expose().to_string();
    let step = (1_795_348_800 + 30) / 30;
    let check = format!(
        "totp check --account prod --stored --at 2026-11-22T12:00:30Z --code {} --code {}",
        code(step - 1),
        code(step)
    );
    let (checked, touches) = costs(&meeting, &check);
    assert_eq!(touches, [3, 0, 0, 0], "to open the vault, for the receipt, for the result");
    assert!(checked.stdout.contains("It is the seed in custody as prod-seed.1."), "{checked:#?}");

    // At a terminal: one PIN, two touches, and the code on a screen that is wiped.
    let before = meeting.touches();
    let mut terminal = at_terminal(&meeting.line("totp show --account prod --reason drill"));
    type_pin(&mut terminal, "alice/primary");
    terminal.until("Press Enter to clear it: ");
    assert!(terminal.is_aside());
    terminal.types("\n");
    let shown = as_read(&succeeds(terminal));
    assert_eq!(meeting.touches_since(before), [2, 0, 0, 0]);
    assert_eq!(shown.matches("PIN of ").count(), 1, "{shown}");
    assert!(shown.contains("alice opens prod-seed.1, to have a code of it: “drill”"), "{shown}");

    let (secret, touches) = costs(&meeting, "secret show prod-seed --output -");
    assert_eq!((secret.stdout.as_str(), touches), (&*format!("{SEED}\n"), [2, 0, 0, 0]));
    let (receipts, touches) = costs(&meeting, "secret receipts --json");
    assert_eq!(touches, [1, 0, 0, 0], "reading costs a touch where no machine is a reader");
    let receipts: serde_json::Value = serde_json::from_str(&receipts.stdout).expect("JSON");
    let receipts = receipts["receipts"].as_array().expect("an array").clone();
    let purposes: Vec<_> = receipts.iter().map(|receipt| receipt["purpose"].clone()).collect();
    assert_eq!(purposes, ["check", "code", "show"]);
    let entry = format!("log show {}", receipts[1]["entry"]);
    let (entry, _) = costs(&meeting, &entry);
    for line in [
        "kind = \"secret-opened\"",
        "secrets = [\"prod-seed.1\"]",
        "opener = \"alice\"",
        "purpose = \"code\"",
        "reason = \"drill\"",
    ] {
        assert!(entry.stdout.contains(&format!("\n{line}\n")), "{line}: {entry:#?}");
    }
    assert!(!entry.stdout.contains(SEED));
}

fn a_secret_stays_closed_where_the_key_is_pulled_before_its_receipt() {
    let mut meeting = with_token();
    costs(&meeting, &store(&meeting));
    let files = meeting.files();
    // The first touch opens the vault; the second would sign.
    meeting.key("alice/primary").touch(Touch::Times(1));
    let mut terminal = at_terminal(&meeting.line("secret show prod-seed --output -"));
    type_pin(&mut terminal, "alice/primary");
    terminal.until("to sign entry");
    meeting.key("alice/primary").unplug();
    let (code, shown) = terminal.ends();
    assert_eq!(code, 4, "{shown}");
    assert!(!shown.contains(SEED), "{shown}");
    assert!(meeting.files() == files, "the vault has changed");
}

/// Whoever countersigns a compartment that opens to them looks into it, which is a touch more.
fn a_compartment_of_ones_own_costs_whoever_it_opens_to_a_look() {
    let meeting = with_token();
    costs(&meeting, &store(&meeting));
    let (_, own) = costs(&meeting, "compartment add own --member alice");
    assert_eq!(own, [2, 0, 1, 0], "alice opens the vault, and both sign");
    let (_, both) = costs(&meeting, "compartment add both --member alice --member bob");
    assert_eq!(both, [2, 0, 2, 0], "bob looks too");
    let file = meeting.path("seed");
    let replace = format!("secret replace prod-seed --file {file} --compartment own");
    let (_, replaced) = costs(&meeting, &replace);
    assert_eq!(replaced, [2, 0, 0, 0], "alice opens both compartments, and signs alone");
    let (_, let_in) = costs(&meeting, "compartment change own --add bob");
    assert_eq!(let_in, [2, 0, 2, 0]);
    let (shown, touches) = costs(&meeting, "secret show prod-seed --output - --by bob");
    assert_eq!((shown.stdout.as_str(), touches), (&*format!("{SEED}\n"), [0, 0, 2, 0]));
}
