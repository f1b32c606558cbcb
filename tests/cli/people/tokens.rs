//! `keymuster totp` with a vault: checks that are recorded, codes that are shown, whose codes
//! they are, and how clocks drift.

use std::fs;

use keymuster::totp::{Generator, Parameters, Seed, Strength};
use serde_json::json;

use super::super::demo_vault::{Demo, Ran};
use super::super::terminal::{BINARY, dialogue};
use super::secrets::{SEED, store_seed, with_token};
use super::{answer, head, read, refused, touches};

/// 2026-11-22T12:00:00Z, and its step.
const AT: &str = "2026-11-22T12:00:00Z";
const STEP: u64 = 1_795_348_800 / 30;
const OTHER: &str = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U";

fn code(seed: &str, step: u64) -> String {
    let seed = Seed::from_base32(seed, Strength::Rfc4226).unwrap();
    Generator::new(&seed, Parameters::default()).code(step).expose().to_string()
}

/// Two codes of a seed, the last of which was shown so many steps from [`AT`].
fn codes(seed: &str, drift: i64) -> Vec<String> {
    let last = STEP.checked_add_signed(drift).unwrap();
    let flags = [code(seed, last - 1), code(seed, last)];
    let flags = flags.into_iter().flat_map(|code| ["--code".to_owned(), code]);
    flags.chain(["--at".to_owned(), AT.to_owned()]).collect()
}

fn totp(demo: &Demo, arguments: &[&str], codes: &[String]) -> Ran {
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    demo.run(&[&["totp"], arguments, &codes[..]].concat())
}

/// A vault with prod's seed in custody, and the seed in the file `seed`.
fn with_seed() -> Demo {
    let demo = with_token();
    store_seed(&demo);
    fs::write(demo.path("seed"), SEED).unwrap();
    fs::write(demo.path("other"), OTHER).unwrap();
    demo
}

#[test]
fn a_check_with_the_seed_in_custody_is_recorded_after_its_receipt() {
    let demo = with_seed();
    let ran = totp(&demo, &["check", "--account", "prod", "--stored"], &codes(SEED, -3)).exits(0);
    assert_eq!(touches(&ran).len(), 3, "opening, the receipt, the result");
    let ran = ran.says(&[
        "  alice opens prod-seed.1, to check codes against it\n",
        "  the seed prod-seed.1 makes the codes of the token phone of prod: two codes, one after \
         the other, 90 s behind\n",
    ]);
    ran.answers(&[
        "Its clock is 3 steps (1 min 30 s) behind this machine's.\n",
        "It is the seed in custody as prod-seed.1.\n",
        "Recorded entry 11, signed by alice/primary.\n",
    ]);
    let entry = demo.entry(11);
    let event = "kind = \"totp-checked\"\naccount = \"prod\"\ntoken = \"phone\"\noutcome = \"passed\"\n\
                 evidence = \"two-consecutive\"\ndrift_seconds = -90\nfingerprint = \"";
    assert!(entry.contains(event), "{entry}");
    for secret in [SEED, &code(SEED, STEP - 3), &code(SEED, STEP - 4)] {
        assert!(!entry.contains(secret) && !demo.entry(10).contains(secret), "{secret}");
    }
    let wrong = totp(&demo, &["check", "--account", "prod", "--stored"], &codes(OTHER, 0));
    wrong
        .exits(3)
        .answers(&["NO: the seed makes none of these codes"])
        .says(&["  the seed prod-seed.1 DOESN'T MAKE the codes of the token phone of prod\n"]);
    let drift = read(&demo, &["totp", "drift"]);
    assert_eq!(drift["tokens"][0]["checks"], 2);
    assert_eq!(drift["tokens"][0]["last_passed"], false);
    assert_eq!(drift["tokens"][0]["drift_seconds"], -90);
    demo.read(&["totp", "drift", "--account", "prod"])
        .exits(0)
        .answers(&["FAILED  1 min 30 s behind  -\n"]);
    let concern = "the seed that phone was last checked with didn't make its codes";
    demo.read(&["account", "show", "prod"]).exits(0).answers(&[concern]);
    // One code is no full proof, and doesn't look like one.
    let one = codes(SEED, 0);
    totp(&demo, &["check", "--account", "prod", "--stored"], &one[2..]).exits(0);
    demo.read(&["totp", "drift"]).exits(0).answers(&["weak: one code  none"]);
    assert_eq!(read(&demo, &["totp", "drift"])["tokens"][0]["last_evidence"], "one");
}

#[test]
fn a_seed_that_is_not_kept_is_recognised() {
    let demo = with_token();
    fs::write(demo.path("seed"), SEED).unwrap();
    fs::write(demo.path("other"), OTHER).unwrap();
    let check = |seed: &str, of: &str| {
        let file = format!("demo/{seed}");
        let text = fs::read_to_string(demo.path(seed)).unwrap();
        totp(&demo, &["check", "--account", of, "--seed-file", &file], &codes(&text, 0)).exits(0)
    };
    let first = check("seed", "prod");
    assert_eq!(touches(&first).len(), 2);
    assert!(!first.stdout.contains("It is") && !first.stdout.contains("ISN'T"), "{}", first.stdout);
    check("seed", "prod").answers(&["It is the seed that was checked on 20"]);
    check("other", "prod").answers(&["It ISN'T the seed that made this token's codes on 20"]);
    demo.run(&["account", "add", "test", "--id", "222222222222"]).exits(0);
    demo.run(&["account", "link", "phone", "test", "--token"]).exits(0);
    check("other", "test").answers(&["It is THE SAME seed as that of phone of prod"]);
    let number = head(&demo);
    for entry in 1..=number {
        let text = demo.entry(entry);
        assert!(!text.contains(SEED) && !text.contains(OTHER), "entry {entry} holds a seed");
    }
    let view = answer(totp(
        &demo,
        &["check", "--account", "prod", "--seed-file", "demo/other", "--json"],
        &codes(OTHER, 2),
    ));
    assert_eq!(view["account"], "prod");
    assert_eq!(view["token"], "phone");
    assert_eq!((&view["drift_steps"], &view["secret"]), (&json!(2), &json!(null)));
    assert_eq!((&view["receipt"], &view["uri_account"]), (&json!(null), &json!(null)));
    assert_eq!(view["entry"], number + 1);
}

#[test]
fn what_cant_be_checked_is_refused() {
    let demo = with_seed();
    demo.run(&["account", "add", "test", "--id", "222222222222"]).exits(0);
    let refused = |arguments: &[&str], exit: i32, said: &[&str]| {
        refused(&demo, &[&["totp"], arguments].concat(), exit, said);
    };
    let stored = ["check", "--stored", "--code", "123456"];
    refused(&stored, 2, &["--account"]);
    let both = ["check", "--account", "prod", "--stored", "--seed-file", "demo/seed"];
    refused(&both, 2, &["cannot be used with"]);
    let nowhere = ["check", "--account", "nowhere", "--stored"];
    refused(&nowhere, 2, &["there is no account nowhere"]);
    let test = ["check", "--account", "test", "--stored", "--code", "123456"];
    refused(&test, 2, &["test has no token on record", "account link NAME test --token"]);
    let fob = ["check", "--account", "prod", "--token", "fob", "--stored"];
    refused(&fob, 2, &["prod has no token fob", "its tokens are: phone"]);
    demo.run(&["account", "link", "fob", "prod", "--token"]).exits(0);
    let two = ["check", "--account", "prod", "--stored"];
    refused(&two, 2, &["prod has several tokens", "name one with --token: fob, phone"]);
    let no_seed = ["check", "--account", "prod", "--token", "fob", "--stored"];
    refused(&no_seed, 2, &["no seed of prod is in custody"]);
    let show = ["show", "--account", "test", "--output", "-"];
    refused(&show, 2, &["no seed of test is in custody", "secret store NAME --kind seed"]);
    refused(&["show", "--account", "prod"], 4, &["there is no terminal to show a secret on"]);
    let letters = ["identify", "--code", "letters", "--code", "123456"];
    refused(&letters, 2, &["that is no code"]);
    let none = with_token();
    super::refused(&none, &["totp", "identify", "--code", "123456"], 2, &["no seed is in custody"]);
}

#[test]
fn codes_tell_which_seed_they_are_of() {
    let demo = with_seed();
    let store = ["secret", "store", "spare", "--kind", "seed", "--file", "demo/other"];
    demo.run(&store).exits(0);
    let ran = totp(&demo, &["identify"], &codes(SEED, 1)).exits(0);
    assert_eq!(touches(&ran).len(), 2, "one receipt for all that are tried");
    let ran = ran.says(&["  alice opens prod-seed.1, spare.1, to tell whose codes it makes\n"]);
    let ran = ran.answers(&[
        "prod-seed.1 (the token phone of prod):\n  The seed makes both codes",
        "The receipt is entry 11.\n",
    ]);
    assert!(!ran.stdout.contains("spare"), "{}", ran.stdout);
    let view = answer(totp(&demo, &["identify", "--json"], &codes(OTHER, 0)));
    assert_eq!(view["tried"], 2);
    assert_eq!(view["found"][0]["secret"], "spare.1");
    assert_eq!(view["found"].as_array().unwrap().len(), 1);
    let third = "ONSWG4TFOQ5CAZDPEBXG65BAORSWY3DP";
    totp(&demo, &["identify"], &codes(third, 0))
        .exits(3)
        .answers(&["NO: none of 2 seeds in custody makes these codes within a day.\n"]);
}

/// One seed that can't be opened keeps nobody from telling whose codes those of others are.
#[test]
fn a_seed_whose_file_is_damaged_is_left_out_and_named() {
    let demo = with_seed();
    let store = ["secret", "store", "spare", "--kind", "seed", "--file", "demo/other"];
    demo.run(&store).exits(0);
    let list = read(&demo, &["secret", "list"]);
    let file = |n: usize| demo.path("vault").join(list["secrets"][n]["file"].as_str().unwrap());
    assert_eq!(list["secrets"][1]["secret"], "spare");
    fs::write(file(1), "x").unwrap();
    let ran = totp(&demo, &["identify"], &codes(SEED, 1)).exits(0);
    let name = format!("secrets/{}", file(1).file_name().unwrap().to_str().unwrap());
    let left_out = format!("spare.1 wasn't tried: {name} was changed or replaced.\n");
    ran.answers(&["prod-seed.1 (the token phone of prod):\n", &left_out]);
    // What wasn't opened has no receipt.
    let receipts = demo.read(&["secret", "receipts", "spare"]).exits(3);
    receipts.answers(&["Nothing was opened with keymuster.\n"]);
    let none = totp(&demo, &["identify", "--json"], &codes(OTHER, 1)).exits(3);
    let none: serde_json::Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!((&none["tried"], &none["untried"][0]["secret"]), (&json!(1), &json!("spare.1")));
    fs::remove_file(file(0)).unwrap();
    let all = codes(SEED, 1);
    let all: Vec<&str> =
        ["totp", "identify"].into_iter().chain(all.iter().map(String::as_str)).collect();
    refused(&demo, &all, 3, &["was changed or replaced"]);
}

/// Whoever stops after the receipt learns that it stands.
#[test]
fn who_stops_after_a_receipt_is_told_that_it_is_recorded() {
    let demo = with_seed();
    let wrong = ["check", "--account", "prod", "--stored", "--code", "12345678"];
    totp(&demo, &wrong, &[]).exits(2).says(&["that is no code; entry 10 is recorded"]);
    let check = format!("{BINARY} totp check --account prod --stored --vault demo/vault");
    let mut terminal = dialogue(demo.folder.path(), &check);
    terminal.until("The code that the device shows now: ");
    terminal.types("12345678\n");
    terminal.until("The next one: ");
    terminal.types("87654321\n");
    terminal.until("That is no code of this seed: ");
    terminal.until("The code that the device shows now: ");
    terminal.types("\u{3}");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("interrupted; entry 11 is recorded"), "{shown}");
    assert_eq!(head(&demo), 11);
}

#[test]
fn a_code_is_shown_after_its_receipt() {
    let demo = with_seed();
    let show = ["totp", "show", "--account", "prod", "--output", "-", "--reason", "drill"];
    let step = || Parameters::default().step_at(chrono::Utc::now().timestamp() as u64);
    let before = step();
    let ran = demo
        .run(&show)
        .exits(0)
        .says(&["  alice opens prod-seed.1, to have a code of it: “drill”\n"]);
    assert_eq!(touches(&ran).len(), 2);
    let fits: Vec<String> =
        (before..=step()).map(|step| format!("{}\n", code(SEED, step))).collect();
    assert!(fits.contains(&ran.stdout), "{} isn't among {fits:?}", ran.stdout);

    let command = format!("{BINARY} totp show --account prod --vault demo/vault > answer 2> talk");
    let mut terminal = dialogue(demo.folder.path(), &command);
    let before = step();
    let shown = terminal.until("Press Enter to clear it: ");
    assert!(terminal.is_aside());
    let fits = |step| shown.contains(&code(SEED, step)) && shown.contains(&code(SEED, step + 1));
    assert!((before..=step()).any(fits), "{shown}");
    assert!(shown.contains(" s more"), "{shown}");
    // It is drawn anew as time goes on.
    let anew = terminal.until("Press Enter to clear it: ");
    assert!((before..=step()).any(|step| anew.contains(&code(SEED, step))), "{anew}");
    assert!(terminal.is_aside());
    terminal.types("\n");
    assert_eq!(terminal.ends().0, 0);
    let said = fs::read_to_string(demo.folder.path().join("answer")).unwrap();
    assert_eq!(said, "The code was shown; the receipt is entry 11.\n");
    let receipts = read(&demo, &["secret", "receipts"]);
    assert_eq!(receipts["receipts"][1]["purpose"], "code");
}

/// Whoever mistypes a code is asked again; that it fails is recorded when they say so.
#[test]
fn a_mistyped_code_is_not_put_on_record() {
    let demo = with_seed();
    let check =
        format!("{BINARY} totp check --account prod --seed-file demo/seed --vault demo/vault");
    let before = head(&demo);
    let mut terminal = dialogue(demo.folder.path(), &check);
    let wrong = |terminal: &mut super::super::pseudo_terminal::PseudoTerminal| {
        terminal.until("The code that the device shows now: ");
        terminal.types("000000\n");
        terminal.until("The next one: ");
        terminal.types("000000\n");
        terminal.until("Press Enter to type other codes, or type fail to record that: ");
    };
    wrong(&mut terminal);
    assert_eq!(head(&demo), before);
    terminal.types("\n");
    let step = Parameters::default().step_at(chrono::Utc::now().timestamp() as u64);
    terminal.until("The code that the device shows now: ");
    terminal.types(&format!("{}\n", code(SEED, step)));
    terminal.until("The next one: ");
    terminal.types(&format!("{}\n", code(SEED, step + 1)));
    assert_eq!(terminal.ends().0, 0);
    assert_eq!(head(&demo), before + 1);
    let mut terminal = dialogue(demo.folder.path(), &check);
    wrong(&mut terminal);
    terminal.types("fail\n");
    assert_eq!(terminal.ends().0, 3);
    let drift = read(&demo, &["totp", "drift"]);
    assert_eq!(
        (&drift["tokens"][0]["checks"], &drift["tokens"][0]["last_passed"]),
        (&json!(2), &json!(false))
    );
}

/// A token has one seed; where several were stored before it was linked, one says which.
#[test]
fn which_of_several_seeds_can_be_said() {
    let demo = with_seed();
    let store = ["secret", "store", "second", "--kind", "seed", "--account", "prod"];
    let store = [&store[..], &["--file", "demo/other"]].concat();
    let said =
        ["the seed of phone is in custody already, as prod-seed", "secret replace prod-seed"];
    refused(&demo, &store, 2, &said);
    demo.run(&["account", "add", "test", "--id", "222222222222"]).exits(0);
    for (name, file) in [("first", "demo/seed"), ("second", "demo/other")] {
        let store =
            ["secret", "store", name, "--kind", "seed", "--account", "test", "--file", file];
        demo.run(&store)
            .exits(0)
            .answers(&["record the token first: keymuster account link TOKEN"]);
    }
    demo.run(&["account", "link", "fob", "test", "--token"]).exits(0);
    let check = ["check", "--account", "test", "--stored"];
    let codes = codes(OTHER, 0);
    totp(&demo, &check, &codes).exits(2).says(&[
        "several seeds of test are in custody: first, second",
        "say which one with --secret",
    ]);
    let named = |name| [&check[..], &["--secret", name]].concat();
    let ran = totp(&demo, &named("second"), &codes).exits(0);
    ran.answers(&["It is the seed in custody as second.1."]);
    totp(&demo, &named("prod-seed"), &codes)
        .exits(2)
        .says(&["prod-seed is recorded as the seed of another token"]);
    totp(&demo, &named("nothing"), &codes).exits(2).says(&["there is no secret nothing"]);
    let show = ["totp", "show", "--account", "test", "--secret", "second", "--output", "-"];
    assert_eq!(demo.run(&show).exits(0).stdout.len(), 7);
    // Another value may be the same: who opened it before is named.
    demo.run(&["compartment", "add", "own", "--member", "bob", "--by", "bob"]).exits(0);
    let replace = ["secret", "replace", "second", "--file", "demo/other", "--compartment", "own"];
    demo.run(&replace).exits(0).answers(&[
        "alice opened older values of it: they know this one, too, unless it is another where it is",
    ]);
}

/// A slip of the finger is asked about again.
#[test]
fn what_is_mistyped_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = dialogue(folder.path(), &format!("{BINARY} totp check"));
    terminal.until("(not shown): ");
    terminal.types("not a seed\n");
    terminal.until("that is no seed: ");
    terminal.until("(not shown): ");
    terminal.types(&format!("{SEED}\n"));
    terminal.until("The code that the device shows now: ");
    terminal.types("12a456\n");
    terminal.until("that is no code: ");
    terminal.until("The code that the device shows now: ");
    let step = Parameters::default().step_at(chrono::Utc::now().timestamp() as u64);
    terminal.types(&format!("{}\n", code(SEED, step)));
    terminal.until("The next one: ");
    terminal.types(&format!("{}\n", code(SEED, step + 1)));
    assert_eq!(terminal.ends().0, 0);
}
