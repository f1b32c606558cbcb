//! What a custodian does with keymuster and security keys, on a real kernel's hidraw.

use super::office::{Cost, PIN, pin_file, visit};
use super::trials;
use crate::keys::{Make, Touch, VirtualKey};
use crate::machine::KEYMUSTER;
use crate::run::{Outcome, keymuster, on_terminal, program, scratch};
use libtest_mimic::Trial;
use serde_json::Value;

pub(super) fn trials() -> Vec<Trial> {
    trials!["custodian":
        a_key_with_a_pin_is_not_given_another,
        founding_costs_five_touches_and_enrolling_five_of_the_new_key,
        founding_with_a_factory_new_key_offers_it_a_pin_and_each_pin_is_typed_once,
        a_check_costs_one_touch_and_two_without_a_reader_identity,
        key_list_proves_both_keys_without_a_touch,
        key_info_shows_what_the_key_says,
        each_of_two_plugged_keys_is_checked_by_name,
        the_last_pin_attempt_is_not_spent_without_a_word,
        a_refused_touch_changes_nothing,
        a_key_that_is_not_enrolled_is_told_apart,
        no_key_at_all_is_told,
        two_keys_where_one_is_meant_are_listed,
        an_enrolled_key_is_not_enrolled_again,
        a_key_without_a_pin_is_told_how_to_get_one,
        a_pin_can_come_from_a_file_descriptor,
        a_hostile_key_changes_nothing_and_is_checked_when_honest_again,
    ]
}

/// Fails unless the outcome has this code and its stderr holds each of these.
#[track_caller]
fn ends(outcome: Outcome, code: i32, said: &[&str]) -> Outcome {
    assert_eq!(outcome.code(), Some(code), "{outcome:#?}");
    for part in said {
        assert!(outcome.stderr.contains(part), "{part:?} is not said: {outcome:#?}");
    }
    outcome
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("the answer is JSON")
}

fn a_key_with_a_pin_is_not_given_another() {
    let office = visit(true, false);
    let pin = pin_file(&scratch(), "999999");
    ends(keymuster(&["key", "pin", "set", "--pin-file", &pin]).run(), 1, &["has a PIN already"]);
    office.as_reader(&["key", "check"]).run().expect_success();
}

fn founding_costs_five_touches_and_enrolling_five_of_the_new_key() {
    let office = visit(false, false);
    assert_eq!(office.founding, Cost { primary: 5, blue: 0 });
    // Two of the old key, which opens the identity and signs for the new one.
    assert_eq!(office.enrolment, Cost { primary: 2, blue: 5 });
    let said = &office.founding_said.stdout;
    assert!(said.contains("recorded entry 1, signed by alice/primary"), "{said}");
    let said = &office.enrolment_said.stdout;
    assert!(said.contains("signed by alice/blue and alice/primary"), "{said}");
}

fn founding_with_a_factory_new_key_offers_it_a_pin_and_each_pin_is_typed_once() {
    let folder = scratch();
    let primary = VirtualKey::plug("primary");
    let init = format!(
        "cd {} && {KEYMUSTER} vault init v --name Corp --custodian alice --key primary \
         --paper-fd 3 3>paper.txt",
        folder.display()
    );
    let said = on_terminal(&init)
        .answer("Give it one now (yes or no)? ", "yes")
        .answer("New PIN for alice/primary", "271828")
        .answer("The same again: ", "271828")
        .run()
        .expect_success();
    assert!(!said.contains("PIN of"), "who has just chosen a PIN isn't asked for it: {said}");
    assert!(!said.contains("271828"), "{said}");
    assert_eq!(primary.touches(), 5);

    let blue = VirtualKey::plug("blue");
    let pin = pin_file(&folder, "161803");
    let set = ["key", "pin", "set", "--pin-file", &pin, "--device", blue.device()];
    keymuster(&set).run().expect_success();
    let enrol = format!("{KEYMUSTER} key enrol blue --vault {}", folder.join("v").display());
    let said = on_terminal(&enrol)
        .answer("PIN of alice/primary (8 attempts left): ", "271828")
        .answer("PIN of alice/blue (8 attempts left): ", "161803")
        .run()
        .expect_success();
    assert_eq!(said.matches("PIN of").count(), 2, "{said}");
    assert_eq!((primary.touches(), blue.touches()), (5 + 2, 5));
}

fn a_check_costs_one_touch_and_two_without_a_reader_identity() {
    let office = visit(true, false);
    let (before, entries) = (office.primary.touches(), office.entries());
    let said = office.as_reader(&["key", "check"]).run().expect_success();
    assert!(said.contains("This is alice/primary"), "{said}");
    assert_eq!(office.primary.touches() - before, 1);
    office.command(&["key", "check"]).run().expect_success();
    assert_eq!(office.primary.touches() - before, 3);
    assert_eq!(office.entries(), entries + 2);
}

fn key_list_proves_both_keys_without_a_touch() {
    let office = visit(true, true);
    let before = (office.primary.touches_asked(), office.blue.touches_asked());
    let list = json(&office.as_reader(&["key", "list", "--json"]).run().expect_success());
    let plugged = list["plugged_in"].as_array().expect("a list");
    assert_eq!(plugged.len(), 2, "{list}");
    for (key, device) in
        [("alice/primary", office.primary.device()), ("alice/blue", office.blue.device())]
    {
        let found = plugged.iter().find(|entry| entry["path"] == device).expect("it is listed");
        assert_eq!((&found["key"], &found["proved"]), (&key.into(), &true.into()), "{list}");
    }
    let closed = json(&office.command(&["key", "list", "--json"]).run().expect_success());
    assert_eq!(closed["plugged_in"][0]["proved"], false);
    let after = (office.primary.touches_asked(), office.blue.touches_asked());
    assert_eq!(after, before, "key list never asks for a touch");
}

fn key_info_shows_what_the_key_says() {
    let key = VirtualKey::plug_made("shown", Make::named("Acme Key \u{1b}[31m"));
    let info = json(&keymuster(&["key", "info", "--json"]).run().expect_success());
    assert_eq!(info["path"], key.device());
    assert!(info["versions"].as_array().expect("a list").contains(&"FIDO_2_1".into()), "{info}");
    assert!(info["algorithms"].as_array().expect("a list").contains(&(-7).into()), "{info}");
    assert_eq!(info["unfit"], "the security key has no PIN yet");
    assert!(!info["product"].as_str().unwrap_or_default().contains('\u{1b}'), "{info}");
    let text = keymuster(&["key", "info"]).run().expect_success();
    assert!(text.contains("AAGUID") && text.contains("hmac-secret"), "{text}");
    assert_eq!(key.touches_asked(), 0);
}

fn each_of_two_plugged_keys_is_checked_by_name() {
    let office = visit(true, true);
    for key in ["alice/primary", "alice/blue"] {
        let said = office.as_reader(&["key", "check", key]).run().expect_success();
        assert!(said.contains(&format!("This is {key}")), "{said}");
    }
    office.as_reader(&["log", "verify"]).run().expect_success();
}

fn the_last_pin_attempt_is_not_spent_without_a_word() {
    let mut office = visit(false, true);
    let wrong = pin_file(&scratch(), "000000");
    let (reader, vault) = (office.path("reader.identity"), office.path("vault"));
    let check = ["key", "check", "--vault", &vault, "--identity", &reader, "--pin-file", &wrong];
    let retries = || {
        let info = json(&keymuster(&["key", "info", "--json"]).run().expect_success());
        info["pin_retries"].as_u64().expect("a number")
    };
    while retries() > 1 {
        ends(keymuster(&check).run(), 1, &["wrong PIN"]);
        // After three wrong ones in a row a key wants to be plugged in anew.
        office.blue.unplug();
        office.blue.replug();
    }
    ends(keymuster(&check).run(), 4, &["ONE PIN attempt left", "--last-attempt"]);
    assert_eq!(retries(), 1, "no attempt was spent");
    // The right PIN, with the word for it, saves the key.
    office.as_reader(&["key", "check", "--last-attempt"]).run().expect_success();
    assert_eq!(retries(), 8);
}

fn a_refused_touch_changes_nothing() {
    let office = visit(true, false);
    let entries = office.entries();
    office.primary.touch(Touch::Deny);
    ends(
        office.as_reader(&["key", "check"]).run(),
        4,
        &["its user refused", "nothing was changed"],
    );
    assert_eq!(office.entries(), entries);
    assert!(office.primary.quiet());
}

fn a_key_that_is_not_enrolled_is_told_apart() {
    let office = visit(false, false);
    let stranger = VirtualKey::plug("stranger");
    ends(
        office.as_reader(&["key", "check"]).run(),
        3,
        &[stranger.device(), "isn't enrolled in this vault"],
    );
    ends(office.command(&["key", "check"]).run(), 3, &["isn't enrolled in this vault"]);
    assert_eq!(
        (stranger.touches_asked(), stranger.pin_tokens()),
        (0, 0),
        "it was asked for nothing"
    );
}

fn no_key_at_all_is_told() {
    let office = visit(false, false);
    ends(office.as_reader(&["key", "check"]).run(), 4, &["no security key is plugged in"]);
    ends(keymuster(&["key", "info"]).run(), 4, &["no security key is plugged in"]);
    let list = keymuster(&["key", "list"]).run().expect_success();
    assert_eq!(list, "No security key is plugged in.\n");
}

fn two_keys_where_one_is_meant_are_listed() {
    let office = visit(true, true);
    let (primary, blue) = (office.primary.device(), office.blue.device());
    let both = [primary, blue, "alice/primary", "alice/blue", "--device PATH"];
    ends(office.as_reader(&["key", "check"]).run(), 2, &both);
    ends(office.command(&["key", "check"]).run(), 2, &both);
    ends(keymuster(&["key", "info"]).run(), 2, &[primary, blue, "--device PATH"]);
    let said = office.as_reader(&["key", "check", "--device", blue]).run().expect_success();
    assert!(said.contains("This is alice/blue"), "{said}");
}

fn an_enrolled_key_is_not_enrolled_again() {
    let office = visit(true, true);
    let before = office.blue.touches_asked();
    let outcome =
        office.command(&["key", "enrol", "green", "--device", office.blue.device()]).run();
    ends(outcome, 1, &["is enrolled already, as alice/blue"]);
    assert_eq!(office.blue.touches_asked(), before);
}

fn a_key_without_a_pin_is_told_how_to_get_one() {
    let _key = VirtualKey::plug("new");
    let folder = scratch();
    let arguments =
        ["vault", "init", "v", "--name", "x", "--custodian", "a", "--key", "k", "--paper-fd", "1"];
    let outcome = keymuster(&arguments).current_dir(&folder).run();
    ends(outcome, 4, &["has no PIN yet", "keymuster key pin set"]);
    assert!(!folder.join("v").exists(), "nothing was made");
}

fn a_pin_can_come_from_a_file_descriptor() {
    let office = visit(true, false);
    let (vault, file, entries) =
        (office.path("vault"), pin_file(&scratch(), PIN), office.entries());
    // One PIN for two requests: opening the vault and signing.
    let check = format!("exec {KEYMUSTER} key check --vault {vault} --pin-fd 3 3<{file}");
    let said = program("sh", &["-c", &check]).run().expect_success();
    assert!(said.contains("This is alice/primary"), "{said}");
    assert_eq!(office.entries(), entries + 1);

    // It goes on where whoever opened it is, and needs no end but that of the line.
    let check = format!("{KEYMUSTER} key check --vault {vault} --pin-fd 3");
    let second_line = format!("exec 3<{file}.2; read -r line <&3; exec {check}");
    std::fs::write(format!("{file}.2"), format!("no PIN\n{PIN}\n")).expect("a scratch folder");
    program("sh", &["-c", &second_line]).run().expect_success();
    let open_pipe = format!(
        "mkfifo {file}.3; sleep 600 >{file}.3 & echo {PIN} >{file}.3 & \
                             {check} 3<{file}.3; code=$?; kill %1; exit $code"
    );
    program("bash", &["-c", &open_pipe]).run().expect_success();
    assert_eq!(office.entries(), entries + 3);
}

/// The kinds that no deadline is needed for; the others are met in `usb_hostile`.
fn a_hostile_key_changes_nothing_and_is_checked_when_honest_again() {
    let office = visit(true, false);
    let entries = office.entries();
    let kinds = ["garbage", "truncated", "nested", "lying-length", "flipped getAssertion"];
    for kind in kinds {
        let attacks = office.primary.events("hostile").len();
        office.primary.turn_hostile(kind);
        let said = office.command(&["key", "check"]).run().expect_failure();
        assert!(!said.is_empty() && !said.contains("panicked"), "{kind}: {said}");
        assert!(office.primary.events("hostile").len() > attacks, "{kind} was not met");
        office.primary.turn_honest();
        office.as_reader(&["key", "check"]).run().expect_success();
    }
    assert_eq!(office.entries(), entries + 5, "one for each honest check");
    office.as_reader(&["log", "verify"]).run().expect_success();
}
