//! What an auditor does without keymuster, with the vault that the binary wrote on real
//! hidraw: stock age, sha256sum and ssh-keygen, by the script `auditor.sh`.

use super::office::visit;
use super::trials;
use crate::run::{Outcome, program, scratch};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;

const SCRIPT: &str = include_str!("../auditor.sh");

pub(super) fn trials() -> Vec<Trial> {
    trials!["auditor":
        stock_tools_verify_the_whole_vault,
        the_script_notices_a_removed_entry,
        the_script_notices_a_signature_that_was_stripped,
    ]
}

/// Runs the auditor's script on a vault, with a reader's identity and a head from elsewhere.
pub(super) fn audit(vault: &Path, reader: &str, head: &str) -> Outcome {
    let folder = scratch();
    let (script, known) = (folder.join("auditor.sh"), folder.join("head"));
    fs::write(&script, SCRIPT).expect("the script can be written");
    fs::write(&known, head).expect("the head can be written");
    let arguments = [
        script.to_string_lossy(),
        vault.to_string_lossy(),
        reader.into(),
        known.to_string_lossy(),
        "keymuster-head".into(),
    ];
    program("sh", &arguments.each_ref().map(|argument| argument.as_ref())).run()
}

fn stock_tools_verify_the_whole_vault() {
    let office = visit(true, false);
    office.as_reader(&["key", "check"]).run().expect_success();
    let head = office.as_reader(&["log", "head"]).run().expect_success();
    let vault = office.path("vault");
    let said = audit(Path::new(&vault), &office.path("reader.identity"), &head).expect_success();
    let entries = office.entries();
    // Entry 2 has two signatures.
    let verdict = format!("{entries} entries and {} signatures verified", entries + 1);
    assert!(said.contains(&verdict), "{said}");
}

fn copy_of_the_vault(vault: &str) -> std::path::PathBuf {
    let copy = scratch().join("vault");
    program("cp", &["-a", vault, &copy.to_string_lossy()]).run().expect_success();
    copy
}

fn the_script_notices_a_removed_entry() {
    let office = visit(true, false);
    office.as_reader(&["key", "check"]).run().expect_success();
    let head = office.as_reader(&["log", "head"]).run().expect_success();
    let copy = copy_of_the_vault(&office.path("vault"));
    let last = format!("log/{:06}.age", office.entries());
    fs::remove_file(copy.join(last)).expect("it is there");
    let outcome = audit(&copy, &office.path("reader.identity"), &head);
    assert!(!outcome.status.success() && outcome.stdout.contains("known head"), "{outcome:#?}");
}

fn the_script_notices_a_signature_that_was_stripped() {
    let office = visit(true, false);
    let head = office.as_reader(&["log", "head"]).run().expect_success();
    let copy = copy_of_the_vault(&office.path("vault"));
    let folder = scratch();
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let reader = office.path("reader.identity");
    let inside = |name: &str| copy.join(name).to_string_lossy().into_owned();
    let (records, entry) = (inside("compartments/records.1.age"), inside("log/000002.age"));
    let strip = format!(
        "set -e; age -d -i {reader} -o {records_open} {records}; age -d -i {records_open} -o {text} {entry}; \
         awk '/^-----BEGIN SSH/ {{ n++ }} n < 2' {text} > {text}.cut; \
         age -r $(age-keygen -y {records_open}) -o {entry} {text}.cut",
        records_open = path("records"),
        text = path("text"),
    );
    program("sh", &["-c", &strip]).run().expect_success();
    let outcome = audit(&copy, &reader, &head);
    assert!(!outcome.status.success(), "{outcome:#?}");
}
