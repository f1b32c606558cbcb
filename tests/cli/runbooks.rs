//! Runbooks on the command line: those that come with keymuster, and files.

use std::fs;

use serde_json::Value;

use crate::demo_vault::{Ran, command_in, keymuster_in};

/// Runs a command where there is no vault.
fn run(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    keymuster_in(folder.path(), &[&["runbook"], arguments].concat())
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

const ALL: [&str; 16] = [
    "alert-test",
    "all-mfa-lost",
    "close-account",
    "contacts-review",
    "custodian-joins",
    "custodian-leaves",
    "enrol-mfa",
    "key-replacement",
    "keys-sign-in",
    "mailbox-lost",
    "member-central-root",
    "password-lost",
    "phone-changed",
    "quarterly",
    "root-compromised",
    "root-only-task",
];

#[test]
fn all_that_come_with_keymuster_are_listed_shown_sound_and_printed() {
    let listed = json(&run(&["list", "--json"]).exits(0));
    let listed: Vec<&str> = listed["runbooks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|runbook| runbook["runbook"].as_str().unwrap())
        .collect();
    assert_eq!(listed, ALL);
    run(&["list"]).exits(0).answers(&["RUNBOOK", "quarterly", "16     90    45"]);
    run(&[&["lint"], &ALL[..]].concat()).exits(0).answers(&["quarterly.md is sound"]);
    for name in ALL {
        let shown = run(&["show", name]).exits(0);
        let widest = shown.stdout.lines().filter(|line| !line.contains("https://"));
        let widest = widest.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 80, "{name} is {widest} wide");
        // Each was held against AWS's own documentation, and says when.
        let told = json(&run(&["show", name, "--json"]));
        assert!(!told["sources"].as_array().unwrap().is_empty(), "{name}");
        let day = told["read_on"].as_str().unwrap_or_else(|| panic!("{name} wasn't read"));
        assert!(day.starts_with("2026-11-"), "{name} was read on {day}");
        let page = run(&["print", name]).exits(0).stdout;
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        for active in
            ["<script", "<img", "<link", "<iframe", "url(", "@import", "src=", "javascript:"]
        {
            assert!(!page.contains(active), "{name} has {active}");
        }
        let steps = told["steps"].as_array().unwrap().len();
        assert_eq!(page.matches("<li id=\"step-").count(), steps);
    }
}

#[test]
fn a_runbook_is_shown_with_what_it_asks_for_and_where_it_leads() {
    run(&["show", "quarterly"]).exits(0).answers(&[
        "Quarterly custody drill\n=======================\n",
        "quarterly, version 1, for a rehearsal, about one account, every 90 days, within\n45 minutes.\n",
        "1. Look at the bags (operator, 5 min)\n",
        "    > - Numbers of the seals, as they are\n",
        "    > Each key of the operator and witness is checked.\n",
        "    Expected: Each is the very key that was enrolled\n",
        "    > The account's password is opened, out of seeds, after a receipt.\n",
        "    > If not, go to step 14.\n",
        "    > Yes: go to the end\n",
        "    > Then go to step 9.\n",
        "Rests on, read on 2026-11-24:\n  https://docs.aws.amazon.com/",
    ]);
    run(&["show", "all-mfa-lost"])
        .exits(0)
        .answers(&["Rests on, read on 2026-11-23:\n  https://docs.aws.amazon.com/"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("../../runbooks/phone-changed.md");
    let broken = text
        .replace("if_not = \"choose\"", "if_not = \"chose\"")
        .replace("## Is the old", "## <b>Is</b> the old");
    fs::write(folder.path().join("mine.md"), &broken).unwrap();
    fs::write(folder.path().join("sound.md"), text).unwrap();
    let lint = |arguments: &[&str]| {
        keymuster_in(folder.path(), &[&["runbook", "lint"], arguments].concat())
    };
    lint(&["sound.md", "mine.md"]).exits(3).answers(&[
        "sound.md is sound\n",
        "error[target]: there is no step chose\n",
        "  --> mine.md:80:10\n",
        "80 | if_not = \"chose\"\n",
        "   = help: did you mean choose?",
        "error[showable]: HTML isn't shown",
        "mine.md: 3 faults\n",
    ]);
    let told = json(&lint(&["mine.md", "--json"]).exits(3));
    assert_eq!(told["sound"], false);
    let fault = &told["runbooks"][0]["faults"][0];
    assert_eq!(
        (&fault["rule"], &fault["line"], &fault["column"]),
        (&"target".into(), &80.into(), &10.into())
    );

    keymuster_in(folder.path(), &["runbook", "show", "mine.md"]).exits(1).says(&[
        "error[target]",
        "mine.md is no sound runbook",
        "runbook lint FILE looks again",
    ]);
    let sound = fs::File::open(folder.path().join("sound.md")).unwrap();
    let piped = command_in(folder.path()).args(["runbook", "lint", "-"]).stdin(sound).output();
    assert_eq!(String::from_utf8(piped.unwrap().stdout).unwrap(), "stdin is sound\n");
}

#[test]
fn what_is_no_runbook_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("binary.md", b"+++\n\xff\xfe");
    write("empty.md", b"");
    write("large.md", "a".repeat((256 << 10) + 1).as_bytes());
    write("huge.md", "a".repeat((1 << 20) + 1).as_bytes());
    write("escape.md", "+++\n\u{1b}[2J\u{202e}\n+++\n".as_bytes());
    let lint = |name: &str| keymuster_in(folder.path(), &["runbook", "lint", name]);
    lint("binary.md").exits(3).answers(&["error[plain-text]: it isn't UTF-8 text"]);
    lint("empty.md").exits(3).answers(&["error[front-matter]: it doesn't begin with front matter"]);
    lint("large.md").exits(3).answers(&["error[size]: it is larger than 256 KiB"]);
    lint("huge.md").exits(1).says(&["huge.md is larger than 1 MiB"]);
    let hostile = lint("escape.md").exits(3);
    assert!(!hostile.stdout.contains('\u{1b}') && !hostile.stdout.contains('\u{202e}'));
    lint("absent.md").exits(1).says(&["couldn't read absent.md"]);
    lint("quartely").exits(1).says(&[
        "there is no runbook \"quartely\"",
        "there are alert-test,",
        "a file has its ending",
    ]);
}

/// Commands that runbooks name are ones that there are, with their flags: as they stand between
/// backticks, with a word for each of the words in capitals.
#[test]
fn the_commands_that_runbooks_name_exist() {
    let mut tried = 0;
    for name in ALL {
        let shown = json(&run(&["show", name, "--json"]));
        let texts =
            shown["steps"].as_array().unwrap().iter().map(|step| step["text"].as_str().unwrap());
        for text in texts.chain([shown["introduction"].as_str().unwrap()]) {
            for command in text.split('`').skip(1).step_by(2) {
                let Some(arguments) = command
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .split_first()
                    .and_then(|(first, rest)| (*first == "keymuster").then(|| rest.to_vec()))
                else {
                    continue;
                };
                // Wrong words and missing arguments are told with exit 2, before anything else.
                let filled = arguments.iter().map(|word| match *word {
                    "KEY" => "alice/primary",
                    "DEVICE" => "alice/primary",
                    "ADDRESS" => "aws@example.com",
                    "NUMBER" => "+44 20 7946 0000",
                    "CONTACT" => "Team <team@example.com>",
                    "FILE" => "absent.png",
                    word if word.chars().all(|c| c.is_ascii_uppercase()) => "prod",
                    word => word,
                });
                let filled: Vec<&str> = filled.collect();
                let folder = tempfile::tempdir().unwrap();
                let ran = keymuster_in(folder.path(), &filled);
                assert_ne!(ran.exit, 2, "{name}: {command}: {}", ran.stderr);
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried}");
}

/// What templates that are passed around lack, and a linter doesn't miss. `make test` lints these.
#[test]
fn the_templates_hold_what_makes_them_worth_something() {
    let alarm = include_str!("../../runbooks/templates/root-activity.yaml");
    for needed in [
        "IsMultiRegionTrail: true",
        "IsLogging: true",
        "EnableLogFileValidation: true",
        "ReadWriteType: All",
        "ObjectLockEnabled: true",
        "Default: COMPLIANCE",
        "BlockPublicPolicy: true",
        "DependsOn: BucketPolicy",
        "$.userIdentity.type = \"Root\"",
        "$.userIdentity.invokedBy NOT EXISTS",
        "$.eventType != \"AwsServiceEvent\"",
        "TreatMissingData: notBreaching",
        "Type: AWS::SNS::Subscription",
    ] {
        assert!(alarm.contains(needed), "{needed}");
    }
    let policy = include_str!("../../runbooks/templates/deny-root-in-members.yaml");
    for needed in ["Effect: Deny", "arn:*:iam::*:root", "\"Null\":", "aws:AssumedRoot: \"true\""] {
        assert!(policy.contains(needed), "{needed}");
    }
}
