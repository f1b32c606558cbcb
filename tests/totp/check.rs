//! `keymuster totp check`, without a vault: verdicts, words and exit codes.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use keymuster::totp::{Generator, Parameters, Seed, Strength};
use serde_json::{Value, json};

use super::demo_vault::{Ran, command_in, keymuster_in, ran};

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// 2026-11-22T12:00:00Z, and its step.
const AT: &str = "2026-11-22T12:00:00Z";
const STEP: u64 = 1_795_348_800 / 30;

fn code(step: u64) -> String {
    let seed = Seed::from_base32(SEED, Strength::Rfc4226).unwrap();
    Generator::new(&seed, Parameters::default()).code(step).expose().to_string()
}

/// Checks the seed in a file, with these codes.
fn check(seed: &str, codes: &[String], flags: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("seed"), seed).unwrap();
    let mut arguments = vec!["totp", "check", "--seed-file", "seed"];
    arguments.extend(codes.iter().flat_map(|code| ["--code", code.as_str()]));
    keymuster_in(folder.path(), &[&arguments, flags].concat())
}

fn view(ran: Ran, exit: i32) -> Value {
    serde_json::from_str(&ran.exits(exit).stdout).expect("stdout is one JSON value")
}

#[test]
fn two_codes_are_found_and_the_drift_is_told() {
    for (drift, words) in [
        (0, "Its clock agrees with this machine's.\n"),
        (1, "Its clock is 1 step (30 s) ahead of this machine's.\n"),
        (-8, "Its clock is 8 steps (4 min) behind this machine's.\n"),
        (-2000, "Its clock is 2000 steps (16 h 40 min) behind this machine's.\n"),
    ] {
        let last = STEP.checked_add_signed(drift).unwrap();
        let codes = [code(last - 1), code(last)];
        let of = format!("of steps {} and {last}, one after the other.\n", last - 1);
        let ran = check(SEED, &codes, &["--at", AT]).exits(0);
        ran.answers(&[&of, words, "by chance once in 174,000,000 tries (5761 steps searched)"]);
        let view = view(check(SEED, &codes, &["--at", AT, "--json"]), 0);
        let found = ["matches", "evidence", "drift_steps", "drift_seconds", "steps"];
        let expected = json!([true, "two-consecutive", drift, drift * 30, [last - 1, last]]);
        assert_eq!(json!(found.map(|field| view[field].clone())), expected);
    }
}

#[test]
fn codes_of_now_need_no_time() {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let step = Parameters::default().step_at(seconds);
    check(SEED, &[code(step - 1), code(step)], &[]).exits(0).answers(&["one after the other"]);
}

#[test]
fn a_seed_that_makes_other_codes_is_exit_3() {
    let other = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U";
    let codes = [code(STEP), code(STEP + 1)];
    check(other, &codes, &["--at", AT]).exits(3).answers(&[
        "NO: the seed makes none of these codes within 24 hours of 2026-11-22T12:00:00Z",
    ]);
    let far = [code(STEP + 9000), code(STEP + 9001)];
    let verdict = view(check(SEED, &far, &["--at", AT, "--json"]), 3);
    assert_eq!((&verdict["matches"], &verdict["steps"]), (&json!(false), &json!([null, null])));
    // A digit that was mistyped.
    let wrong = codes[1].chars().rev().collect::<String>();
    check(SEED, &[codes[0].clone(), wrong.clone()], &["--at", AT])
        .exits(3)
        .answers(&["NO: the seed makes the first code, but not the second."]);
    check(SEED, &[wrong, codes[1].clone()], &["--at", AT])
        .exits(3)
        .answers(&["NO: the seed makes the second code, but not the first."]);
}

#[test]
fn what_is_weak_or_out_of_order_is_called_so() {
    let [a, b, c] = [0, 1, 2].map(|step| code(STEP + step));
    let weak = check(SEED, std::slice::from_ref(&a), &["--at", AT]).exits(0);
    weak.answers(&["That is WEAK: one code only.", "by chance once in 174 tries"]);
    check(SEED, &[a.clone(), a.clone()], &["--at", AT])
        .exits(0)
        .answers(&["That is WEAK: both are the same code."]);
    for codes in [[b, a.clone()], [a, c]] {
        let apart = check(SEED, &codes, &["--at", AT]).exits(0);
        apart.answers(&["THEY DON'T FOLLOW each\nother: AWS would refuse them."]);
        let view = view(check(SEED, &codes, &["--at", AT, "--json"]), 0);
        assert_eq!(view["evidence"], "two");
    }
}

#[test]
fn a_seed_comes_as_people_have_it() {
    let codes = [code(STEP), code(STEP + 1)];
    let spaced: Vec<String> = codes.iter().map(|c| format!("{} {}", &c[..3], &c[3..])).collect();
    for seed in [
        "gezd gnbv gy3t qojq gezd gnbv gy3t qojq\n",
        "GEZDGNBV-GY3TQOJQ-GEZDGNBV-GY3TQOJQ====",
        "otpauth://totp/AWS:root@x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=AWS\n",
    ] {
        check(seed, &spaced, &["--at", AT]).exits(0).answers(&["one after the other"]);
    }
    let uri = format!("otpauth://totp/AWS:root@x?secret={SEED}&issuer=AWS");
    check(&uri, &codes, &["--at", AT]).exits(0).answers(&["The URI names AWS, root@x.\n"]);
    // From a pipe, too.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("uri");
    std::fs::write(&file, uri).unwrap();
    for source in [["--otpauth-fd", "0"], ["--seed-file", "-"]] {
        let mut command = command_in(folder.path());
        command.args(["totp", "check"]).args(source).args(["--at", AT]);
        command.args(codes.iter().flat_map(|code| ["--code", code]));
        let stdin = std::fs::File::open(&file).unwrap();
        ran(command.stdin(stdin).output().unwrap()).exits(0).answers(&["root@x"]);
    }
}

#[test]
fn what_is_no_seed_or_no_code_is_told_and_not_shown() {
    let codes = [code(STEP), code(STEP + 1)];
    let short = "GEZDGNBVGY3TQOJQ";
    for (seed, said) in [
        ("", "caused by: it is empty\n"),
        (short, "hint: if it is a seed at all, as of an old token, add --allow-short-seed\n"),
        ("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ", "add --allow-short-seed\n"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ0", "caused by: character 32 isn't base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQA", "are no whole number of bytes"),
        ("otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQ&counter=1", "counter-based device (HOTP)"),
        (
            "otpauth://totp/AWS:x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Amazon",
            "hint: the seed alone will do: what follows secret=, up to the next &\n",
        ),
        ("otpauth://totp/x?secret=MFRGGZDF&secret=GEZDGNBVGY3TQOJQ", "parameter secret twice"),
    ] {
        let ran =
            check(seed, &codes, &["--at", AT]).exits(1).says(&["error: that is no seed", said]);
        assert!(!(ran.stdout + &ran.stderr).contains("GEZD"), "{}", ran.stderr);
    }
    check(short, &codes, &["--at", AT, "--allow-short-seed"]).exits(3);
    let long = "A".repeat(5000);
    check(&long, &codes, &[]).exits(1).says(&["seed is too large for a seed"]);

    let usage = |codes: &[&str], flags: &[&str], said: &[&str]| {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        check(SEED, &codes, flags).exits(2).says(said);
    };
    usage(&["12345"], &[], &["that is no code", "it has 5 digits, and the device's codes have 6"]);
    usage(&["12345x"], &[], &["it holds something else than digits"]);
    usage(&["123456", "123456", "123456"], &[], &["give --code at most twice"]);
    usage(&["123456"], &["--digits", "9"], &["a code has 6 to 8 digits, not 9"]);
    usage(&["123456"], &["--period", "0"], &["a step takes 1 to 86400 seconds, not 0"]);
    usage(&["123456"], &["--algorithm", "md5"], &["sha1, sha256, sha512"]);
    let uri = format!("otpauth://totp/x?secret={SEED}");
    check(&uri, &codes, &["--digits", "6"]).exits(2).says(&["the otpauth URI says algorithm"]);
    let folder = tempfile::tempdir().unwrap();
    let file = ["totp", "check", "--code", "123456", "--seed-file", "absent"];
    keymuster_in(folder.path(), &file).exits(1).says(&["couldn't read a seed from absent"]);
    asks_nobody(folder.path());
}

/// Without a terminal, each question names the flag that answers it.
fn asks_nobody(folder: &Path) {
    std::fs::write(folder.join("seed"), SEED).unwrap();
    keymuster_in(folder, &["totp", "check"])
        .exits(4)
        .says(&["a seed is needed", "--seed-file FILE"]);
    let seed = ["totp", "check", "--seed-file", "seed"];
    keymuster_in(folder, &seed).exits(4).says(&["two codes that the device", "--code DIGITS"]);
}
