//! Runbooks that a vault adopts.

use std::fs;

use serde_json::json;

use super::{answer, read, recorded, refused};
use crate::demo_vault::{Demo, tool};

const BOTH: [&str; 2] = ["alice/primary", "bob/primary"];
const SHIPPED: &str = include_str!("../../../runbooks/quarterly.md");

#[test]
fn a_runbook_is_adopted_by_two_and_kept_as_it_is() {
    let demo = Demo::people();
    demo.read(&["runbook", "list", "--adopted"])
        .exits(0)
        .answers(&["No runbook is adopted: keymuster runbook adopt --all"]);
    demo.run(&["runbook", "adopt", "quarterly"])
        .exits(0)
        .says(&["  the runbook quarterly, version 1, “Quarterly custody drill”, is adopted for a \
             rehearsal, about one account, every 90 days, within 45 minutes; by operator and \
             witness; SHA-256 "])
        .answers(&["Recorded entry 7, signed by alice/primary and bob/primary."]);
    demo.read(&["runbook", "list", "--adopted"])
        .exits(0)
        .answers(&["quarterly  1        90    45       adopted 20"]);
    let listed = read(&demo, &["runbook", "list", "--adopted"]);
    let sha256 = listed["runbooks"][0]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(listed["runbooks"][0]["shipped"], json!(null));
    // What comes with keymuster, and what was adopted, are shown alike.
    let show = |which: &[&str]| demo.read(&[&["runbook", "show", "quarterly"], which].concat());
    assert_eq!(show(&[]).exits(0).stdout, show(&["--adopted"]).exits(0).stdout);
    // Again, it changes nothing.
    let again = answer(demo.run(&["runbook", "adopt", "quarterly", "--json"]));
    assert_eq!(again["answer"], "nothing-changed");

    // Stock tools open it: the text is what follows four lines, and its digest is in the log.
    let entry = demo.entry(7);
    let file = entry.lines().find_map(|line| line.strip_prefix("file = \"")).unwrap();
    let file = format!("vault/attachments/{}.age", file.trim_end_matches('"'));
    let path = demo.path(&file);
    let records = demo.records();
    let opened = tool("age", &["-d", "-i", "-", path.to_str().unwrap()], &records);
    let text = tool("tail", &["-n", "+5"], &opened);
    assert_eq!(text, SHIPPED.as_bytes());
    let digest = String::from_utf8(tool("sha256sum", &[], &text)).unwrap();
    assert!(digest.starts_with(&sha256), "{digest}");
    assert!(String::from_utf8_lossy(&opened).starts_with("# keymuster attachment\n# vault: "));

    // Another file in its place is noticed, and never shown.
    let genuine = fs::read(&path).unwrap();
    fs::write(&path, &genuine[1..]).unwrap();
    demo.read(&["runbook", "show", "quarterly", "--adopted"])
        .exits(3)
        .says(&["DAMAGED VAULT: attachments/", "was changed or replaced"]);
    fs::remove_file(&path).unwrap();
    demo.read(&["vault", "show"]).exits(3).says(&["is missing, and the log names it"]);
    demo.read(&["runbook", "show", "quarterly", "--adopted"]).exits(3);
}

#[test]
fn all_that_come_with_keymuster_are_adopted_at_once_and_one_is_withdrawn() {
    let demo = Demo::people();
    recorded(&demo, &["runbook", "adopt", "--all"], &["runbook-adopted"; 16], &BOTH);
    let withdraw = ["runbook", "withdraw", "close-account", "--reason", "we close none"];
    demo.run(&withdraw)
        .exits(0)
        .says(&["  the runbook close-account is run no more: “we close none”\n"]);
    refused(&demo, &withdraw, 2, &["there is no runbook close-account", "list --adopted"]);
    let listed = read(&demo, &["runbook", "list", "--adopted"]);
    let withdrawn: Vec<&str> = listed["runbooks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|runbook| !runbook["withdrawn"].is_null())
        .map(|runbook| runbook["runbook"].as_str().unwrap())
        .collect();
    assert_eq!(withdrawn, ["close-account"]);
    demo.read(&["runbook", "list", "--adopted"]).answers(&["   withdrawn 20"]);
    recorded(&demo, &["runbook", "adopt", "--all"], &["runbook-adopted"], &BOTH);
}

#[test]
fn a_changed_runbook_is_adopted_under_a_higher_version() {
    let demo = Demo::people();
    let write = |name: &str, text: &str| fs::write(demo.folder.path().join(name), text).unwrap();
    let second = SHIPPED.replace("version = 1\n", "version = 2\n");
    write("same.md", &SHIPPED.replace("Look at the bags", "Look at every bag"));
    write("second.md", &second);
    write("elsewhere.md", &second.replace("compartment = \"seeds\"", "compartment = \"vip\""));
    write("broken.md", &second.replace("goto = \"actions\"", "goto = \"action\""));
    let adopt = |file: &'static str| ["runbook", "adopt", file];
    refused(
        &demo,
        &adopt("elsewhere.md"),
        1,
        &[
            "the step password of quarterly opens a secret out of vip, which this vault hasn't",
            "there are: records, seeds",
        ],
    );
    demo.run(&adopt("broken.md")).exits(1).says(&["error[target]", "did you mean actions?"]);
    refused(
        &demo,
        &["runbook", "adopt", "second.md", "quarterly"],
        2,
        &["two of these are called quarterly"],
    );
    refused(
        &demo,
        &["runbook", "show", "quarterly", "--adopted"],
        2,
        &[
            "this vault hasn't adopted a runbook quarterly",
            "it has adopted none: keymuster runbook adopt quarterly",
        ],
    );
    demo.run(&adopt("quarterly")).exits(0);
    refused(
        &demo,
        &adopt("same.md"),
        1,
        &[
            "version 1 of quarterly is adopted, and this other text says version 1",
            "write a higher version than 1",
        ],
    );
    recorded(&demo, &adopt("second.md"), &["runbook-adopted"], &BOTH);
    let listed = read(&demo, &["runbook", "list", "--adopted"]);
    assert_eq!(listed["runbooks"][0]["version"], 2);
    assert_eq!(listed["runbooks"][0]["shipped"], 1, "that which comes with keymuster is another");
    refused(&demo, &adopt("quarterly"), 1, &["version 2 of quarterly is adopted"]);
    let unknown = demo.read(&["runbook", "show", "all-mfa-lost", "--adopted"]).exits(2);
    unknown.says(&["it has adopted quarterly"]);
}
