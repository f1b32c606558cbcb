//! `keymuster key lost`, `compromised`, `restored` and `retired`: what becomes of a key, and
//! what is to be done then.

use serde_json::json;

use super::super::demo_vault::Demo;
use super::{read, recorded, refused};

/// The state of a key, as `key list` tells it.
fn state(demo: &Demo, key: &str) -> String {
    let list = read(demo, &["key", "list"]);
    let keys = list["enrolled"].as_array().unwrap();
    let key = keys.iter().find(|known| known["key"] == key).unwrap();
    key["state"].as_str().unwrap().to_owned()
}

fn due(demo: &Demo) -> Vec<String> {
    let due = read(demo, &["vault", "show"])["due"].clone();
    let all: Vec<String> = serde_json::from_value(due).unwrap();
    all.into_iter().filter(|sentence| !sentence.contains("acknowledged")).collect()
}

#[test]
fn an_own_report_is_final_and_tells_what_to_do() {
    let demo = Demo::people();
    let lost = ["key", "lost", "alice/blue", "--since", "2026-01-02T00:00:00Z"];
    demo.run(&[&lost[..], &["--remark", "on a train"]].concat())
        .exits(0)
        .answers(&[
            "alice/blue signs nothing any more.\n",
            "Have alice replace their identity:\n  keymuster vault rekey --by alice/primary\n",
            "Recorded entry 7, signed by alice/primary.\n",
        ])
        .says(&[
            "  alice reports that alice/blue is lost since 2026-01-02T00:00:00Z: “on a train”\n",
        ]);
    assert_eq!(state(&demo, "alice/blue"), "lost");
    let needs = "alice needs a new identity, since alice/blue was reported: \
                 keymuster vault rekey --by alice/primary";
    assert_eq!(due(&demo), [needs]);
    demo.read(&["custodian", "show", "alice"]).exits(0).answers(&[
        "key        blue lost\n",
        "EXPOSED    alice/blue: they need a new identity, by keymuster vault rekey --by alice/pri",
    ]);
    assert_eq!(read(&demo, &["custodian", "show", "alice"])["exposed"], json!(["alice/blue"]));

    refused(&demo, &lost, 1, &["alice/blue is lost already"]);
    let restored = ["key", "restored", "alice/blue"];
    refused(&demo, &restored, 1, &["alice/blue is lost, and only a key that others reported"]);
    refused(&demo, &["key", "retired", "alice/blue"], 1, &["alice/blue is lost already"]);
    demo.run(&["key", "check", "alice/blue"]).exits(3).says(&["alice/blue is lost, and may not"]);
    // What was lost may turn up in wrong hands.
    let found = ["key", "compromised", "alice/blue"];
    recorded(&demo, &found, &["key-compromised"], &["alice/primary"]);
    assert_eq!(state(&demo, "alice/blue"), "compromised");
}

#[test]
fn whoever_has_no_key_left_is_told_to_enrol_one() {
    let demo = Demo::people();
    let enrol = "keymuster key enrol LABEL --for carol --new-identity";
    demo.run(&["key", "compromised", "carol/primary", "--by", "carol"])
        .exits(0)
        .answers(&[&format!("Have carol replace their identity:\n  {enrol}\n")]);
    let needs = format!("carol needs a new identity, since carol/primary was reported: {enrol}");
    assert_eq!(due(&demo)[0], needs);
    demo.read(&["custodian", "list"]).exits(0).answers(&["carol      -       none "]);
    // It opens the log still, and signs nothing.
    let rekey = ["vault", "rekey", "--by", "carol"];
    let hint = "who could sign: alice: blue active, primary active; bob: primary active; \
                carol: primary compromised";
    let compromised = ["carol/primary is compromised, and may not sign this", "--by", hint];
    refused(&demo, &rekey, 3, &compromised);
}

#[test]
fn a_report_on_anothers_key_suspends_it_until_two_restore_or_retire_it() {
    let demo = Demo::people();
    demo.run(&["key", "lost", "bob/primary"]).exits(0).answers(&[
        "bob/primary is suspended: it signs nothing but that it is restored.",
        "keymuster key restored bob/primary, or keymuster key retired bob/primary.",
        "It can still open what is encrypted to bob.",
        "Recorded entry 7, signed by alice/primary.",
    ]);
    assert_eq!(state(&demo, "bob/primary"), "suspended");
    refused(&demo, &["key", "lost", "bob/primary"], 1, &["bob/primary is suspended already"]);
    let suspended = ["bob/primary is suspended, and may not sign this"];
    refused(&demo, &["policy", "change", "--warn-days", "7", "--by", "bob"], 3, &suspended);
    let second = ["policy", "change", "--warn-days", "7", "--by", "alice", "--by", "bob"];
    refused(&demo, &second, 3, &suspended);
    demo.run(&["key", "check", "bob/primary"]).exits(3).says(&["bob/primary is suspended"]);

    // It signs for its restoring, and the reporter with it isn't overruled.
    let restored = ["key", "restored", "bob/primary", "--by", "bob", "--by", "alice/blue"];
    recorded(&demo, &restored, &["key-restored"], &["bob/primary", "alice/blue"]);
    assert_eq!(state(&demo, "bob/primary"), "active");
    assert_eq!(read(&demo, &["custodian", "show", "alice"])["overruled"], json!(null));
    let well = ["bob/primary is active, and only a key that others reported is restored"];
    refused(&demo, &["key", "restored", "bob/primary"], 1, &well);

    // Of one who is overruled the next report needs a second custodian.
    recorded(&demo, &["key", "lost", "bob/primary"], &["key-lost"], &["alice/primary"]);
    let restored = ["key", "restored", "bob/primary", "--by", "bob", "--by", "carol"];
    let ran = demo.run(&restored).exits(0).answers(&["signed by bob/primary and carol/primary."]);
    let warned = "alice reported bob/primary: unless they sign this too, they are overruled by it";
    let signed = ran.stderr.find(" to sign entry ");
    assert!(ran.stderr.find(warned).is_some_and(|at| Some(at) < signed), "{}", ran.stderr);
    demo.read(&["custodian", "show", "alice"]).exits(0).answers(&["overruled  20"]);
    let by = ["alice/primary", "carol/primary"];
    recorded(
        &demo,
        &["key", "lost", "bob/primary", "--by", "alice", "--by", "carol"],
        &["key-lost"],
        &by,
    );

    demo.run(&["key", "retired", "bob/primary", "--remark", "bent"])
        .exits(0)
        .says(&["  bob/primary is taken out of service: “bent”\n"]);
    assert_eq!(state(&demo, "bob/primary"), "retired");
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 12 entries"]);
}

/// Two are left: no report of one takes the other's only key from them.
#[test]
fn a_report_that_would_leave_too_few_is_a_claim() {
    let demo = Demo::people();
    demo.run(&["key", "retired", "carol/primary"]).exits(0);
    demo.run(&["key", "lost", "bob/primary"]).exits(0).answers(&[
        "bob/primary may sign still: without it, too few custodians could. The report is on record.",
    ]);
    assert_eq!(state(&demo, "bob/primary"), "active");
    let shown = demo.read(&["vault", "show"]).exits(0);
    shown.answers(&["custodians   3, with 3 active keys\n"]);
    let only =
        "finding: entry 8: alice reports bob/primary, which suspends nothing: too few custodians";
    demo.read(&["log", "verify"]).exits(0).answers(&[only]);
    refused(&demo, &["key", "lost", "bob/primary"], 1, &["alice has reported bob/primary already"]);
    let claim = "bob/primary was reported by alice, and may sign still";
    assert!(due(&demo).iter().any(|due| due.starts_with(claim)), "{:?}", due(&demo));
    let below = ["fewer than 2 custodians would be left", "custodian add"];
    refused(&demo, &["key", "retired", "bob/primary"], 1, &below);
    // Their own report counts, whatever it leaves.
    // But it ends the vault: nobody does that by mistake.
    let own = ["key", "lost", "bob/primary", "--by", "bob", "--even-the-last"];
    let ends = ["AFTER IT, TOO FEW CUSTODIANS CAN SIGN", "add --even-the-last"];
    refused(&demo, &own[..5], 4, &ends);
    let ended = recorded(&demo, &own, &["key-lost"], &["bob/primary"]);
    let words = ended["words"].as_str().unwrap();
    assert!(words.contains("so found a new vault") && !words.contains("enrol"), "{words}");
    let due = due(&demo);
    assert!(due.len() == 1 && due[0].contains("so found a new vault"), "{due:?}");
    let left = ["policy", "change", "--warn-days", "7"];
    let hint = "who could sign: alice: blue active, primary active; bob: primary lost; carol: primary retired";
    refused(&demo, &left, 1, &["needs 2 different custodians to sign, and 1 did", hint]);
}

#[test]
fn a_paper_copy_is_reported_like_a_key() {
    let demo = Demo::people();
    let lost = ["key", "lost", "alice/paper"];
    demo.run(&lost)
        .exits(0)
        .answers(&["Have alice replace their identity:\n  keymuster vault rekey --by alice\n"]);
    assert_eq!(read(&demo, &["custodian", "show", "alice"])["exposed"], json!(["alice/paper"]));
    refused(&demo, &lost, 1, &["alice/paper is reported already"]);
    let enrolled = "enrolled are: alice/blue, alice/primary, bob/primary, carol/primary";
    for key in ["dave/paper", "alice/green"] {
        let unknown = [&format!("there is no key {key}"), enrolled];
        for verb in ["lost", "compromised", "restored", "retired"] {
            refused(&demo, &["key", verb, key], 2, &unknown);
        }
    }
    // Her own report is final. And it is no key: it is kept nowhere.
    let own = ["alice/paper was reported by nobody else"];
    refused(&demo, &["key", "restored", "alice/paper"], 1, &own);
    let no_key = ["there is no key alice/paper", enrolled];
    refused(&demo, &["key", "move", "alice/paper", "--to", "safe 1"], 2, &no_key);
    refused(&demo, &["key", "lost", "alice"], 2, &["isn't the name of a key"]);
    let since = |time| ["key", "lost", "alice/blue", "--since", time];
    refused(&demo, &since("yesterday"), 2, &["--since"]);
    refused(&demo, &since("2099-01-01T00:00:00Z"), 2, &["2099-01-01T00:00:00Z is in the future"]);
}
