//! What the commands answer, for people and as JSON.

use serde_json::Value;

use super::demo_vault::{Demo, command_in, keymuster_in, ran};

fn json(demo: &Demo, arguments: &[&str]) -> Value {
    let text = demo.read(&[arguments, &["--json"]].concat()).exits(0).stdout;
    let value: Value = serde_json::from_str(&text).expect("stdout is one JSON value");
    assert_eq!(value["schema_version"], 1);
    value
}

#[test]
fn vault_show_tells_whose_it_is_and_whether_it_is_sound() {
    let demo = Demo::new();
    demo.read(&["vault", "show"])
        .exits(0)
        .answers(&[
            "Example Corp  (demo)",
            "4 entries, sound",
            "user verification required",
            "alice, auditor",
        ])
        .says(&["This is a demo vault"]);
    let vault = json(&demo, &["vault", "show"]);
    assert_eq!(vault["answer"], "vault");
    assert_eq!(vault["name"], "Example Corp");
    assert_eq!(vault["demo"], true);
    assert_eq!(vault["sound"], true);
    assert_eq!(vault["head"]["number"], 4);
    assert_eq!(vault["readers"], serde_json::json!(["auditor"]));
    assert_eq!(vault["compartments"][1]["members"], serde_json::json!(["alice"]));
    assert_eq!(vault["fingerprint"].as_str().unwrap().len(), 64);
}

#[test]
fn key_list_proves_keys_with_the_log_open_and_only_hints_without() {
    let demo = Demo::new();
    let list = json(&demo, &["key", "list"]);
    assert_eq!(list["plugged_in"][0]["key"], "alice/primary");
    assert_eq!(list["plugged_in"][0]["proved"], true);
    assert_eq!(list["enrolled"][0]["key"], "alice/blue");
    assert_eq!(list["enrolled"][0]["plugged_in"], "demo-key-2");

    let text = demo.run(&["key", "list", "--json"]).exits(0).stdout;
    let hinted: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(hinted["plugged_in"][0]["key"], "alice/primary");
    assert_eq!(hinted["plugged_in"][0]["proved"], false);
    assert_eq!(hinted["enrolled"][0]["key"], "alice/blue");
    assert_eq!(hinted["enrolled"][0]["state"], Value::Null, "only the log tells");
    demo.run(&["key", "list"]).exits(0).answers(&["alice/primary?", "nothing here is proved"]);
}

#[test]
fn key_info_tells_what_a_key_can() {
    let demo = Demo::new();
    let arguments = ["key", "info", "--device", "demo-key-1", "--json"];
    let info: Value = serde_json::from_str(&demo.run(&arguments).exits(0).stdout).unwrap();
    assert_eq!(info["answer"], "key-info");
    assert_eq!(info["unfit"], Value::Null);
    assert_eq!(info["built_in_verification"], "ready");
    assert!(info["extensions"].as_array().unwrap().contains(&"hmac-secret".into()));
    demo.run(&["key", "info"]).exits(2).says(&["2 security keys are plugged in", "--device PATH"]);
}

#[test]
fn a_check_is_recorded_once_and_signed_by_that_key() {
    let demo = Demo::new();
    let checked = json(&demo, &["key", "check", "alice/blue"]);
    assert_eq!(checked["key"], "alice/blue");
    assert_eq!(checked["entry"], 5);
    assert_eq!(checked["signers"], serde_json::json!(["alice/blue"]));
    let list = json(&demo, &["log", "list"]);
    assert_eq!(list["entries"].as_array().unwrap().len(), 5);
    assert_eq!(list["entries"][4]["events"], serde_json::json!(["key-checked"]));
    assert_eq!(list["head"], checked["head"]);
}

#[test]
fn custodian_list_names_each_with_their_keys() {
    let demo = Demo::new();
    let list = json(&demo, &["custodian", "list"]);
    assert_eq!(list["custodians"][0]["custodian"], "alice");
    assert_eq!(list["custodians"][0]["keys"], serde_json::json!(["blue", "primary"]));
}

#[test]
fn log_show_and_verify_answer_in_json() {
    let demo = Demo::new();
    let entry = json(&demo, &["log", "show", "2"]);
    assert_eq!(entry["signers"], serde_json::json!(["alice/blue", "alice/primary"]));
    assert!(entry["document"].as_str().unwrap().starts_with("format = 1\n"));
    assert_eq!(entry["signatures"].as_array().unwrap().len(), 2);
    let verdict = json(&demo, &["log", "verify"]);
    assert_eq!(verdict["sound"], true);
    assert_eq!(verdict["entries"], 4);
    assert_eq!(verdict["fault"], Value::Null);
    assert_eq!(verdict["head"], json(&demo, &["log", "head"])["head"]);
    demo.read(&["log", "show", "9"])
        .exits(2)
        .says(&["there is no entry 9", "the log has 4 entries"]);
    demo.read(&["log", "show", "0"]).exits(2);
}

#[test]
fn a_bundle_is_never_written_over_anything() {
    let demo = Demo::new();
    demo.read(&["log", "export", "demo/bundle"]).exits(1).says(&["demo/bundle exists already"]);
    std::fs::create_dir(demo.path("empty")).unwrap();
    demo.read(&["log", "export", "demo/empty"]).exits(1).says(&["demo/empty exists already"]);
    demo.read(&["log", "export", "demo/second"]).exits(0).answers(&["Exported 4 entries"]);
}

/// What a process founded it needn't be told to trust.
#[test]
fn a_demo_is_whole_where_nothing_can_be_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let memory = folder.path().join("state/keymuster");
    std::fs::create_dir_all(&memory).unwrap();
    std::os::unix::fs::symlink("nowhere/at/all", memory.join("heads")).unwrap();
    let demo = keymuster_in(folder.path(), &["demo", "demo"]).exits(0);
    demo.says(&["couldn't remember its head"]).answers(&["SOUND: 14 entries"]);
}

#[test]
fn demo_tells_each_step_and_what_it_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let ran = keymuster_in(folder.path(), &["demo"]).exits(0).answers(&[
        "$ keymuster vault init",
        "for real:",
        "bob is a custodian, with the key bob/primary.",
        "Recorded entry 4, signed by alice/primary and bob/primary.",
        "Recorded entry 5, signed by alice/blue and alice/primary and bob/primary.",
        "SOUND: 14 entries and 25 signatures",
        "The seed makes both codes",
        "Its clock agrees with this machine's.",
        "reader.identity",
    ]);
    assert!(ran.stdout.contains("keymuster-demo/vault"));
    for paper in ["alice.paper.txt", "bob.paper.txt"] {
        let passphrase = folder.path().join("keymuster-demo").join(paper);
        let words = std::fs::read_to_string(passphrase).unwrap();
        assert_eq!(words.trim().split('-').count(), 10, "{paper}");
    }
    keymuster_in(folder.path(), &["demo"]).exits(1).says(&["keymuster-demo exists already"]);
}

#[test]
fn help_and_version_are_answers_and_a_wrong_command_is_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| keymuster_in(folder.path(), arguments);
    run(&["--version"]).exits(0).answers(&["keymuster 0.1.0"]);
    run(&["--help"]).exits(0).answers(&["Exit codes", "demo"]);
    run(&["key", "enrol", "--help"]).exits(0).answers(&["keymuster key enrol blue"]);
    run(&["kye"]).exits(2).says(&["key"]);
    run(&[]).exits(2);
}

/// The block under "Commands": `keymuster OBJECT VERB … | VERB …`.
#[test]
fn every_command_in_the_readme_exists() {
    let readme = include_str!("../../README.md");
    let block = readme.split("## Commands\n\n```\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for line in block.lines() {
        let mut words = line.strip_prefix("keymuster ").unwrap().split(' ');
        let object = words.next().unwrap();
        let rest = words.collect::<Vec<_>>().join(" ");
        // Options and their alternatives aside, each part begins with its verb.
        for verb in rest.split(" | ") {
            let plain =
                |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
            let verb = verb.split(' ').filter(plain);
            let arguments: Vec<&str> = [object].into_iter().chain(verb).chain(["--help"]).collect();
            keymuster_in(folder.path(), &arguments).exits(0).answers(&["Usage: keymuster"]);
            tried += 1;
        }
    }
    assert_eq!(tried, 96);
}

#[test]
fn an_entry_that_was_recorded_is_told_where_its_answer_has_no_reader() {
    let demo = Demo::new();
    let check = ["key", "check", "alice/blue", "--vault", "demo/vault"];
    let check = [&check[..], &["--identity", "demo/reader.identity"]].concat();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command_in(demo.folder.path()).args(check).stdout(writer).output().unwrap();
    ran(output).exits(141).says(&["entry 5 is recorded"]);
    demo.read(&["log", "verify"]).exits(0).answers(&["5 entries"]);
}

#[test]
fn a_small_stack_is_enough() {
    let demo = Demo::new();
    let plain = command_in(demo.folder.path());
    let mut limited = std::process::Command::new("prlimit");
    limited.arg("--stack=400000:400000").arg(plain.get_program()).args(plain.get_args());
    limited.args(["log", "head", "--vault", "demo/vault", "--identity", "demo/reader.identity"]);
    limited.current_dir(demo.folder.path());
    limited.env("XDG_STATE_HOME", demo.folder.path().join("state"));
    ran(limited.output().unwrap()).exits(0);
}
