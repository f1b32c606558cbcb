//! People in different cities, with hardware keys as the kernel has them: somebody is invited, makes their
//! part alone, and is admitted by two others; slips are signed one by one and collected by one. Touches
//! and bytes are counted.

use super::circle::{Meeting, alone, meet};
use super::trials;
use crate::keys::{Touch, VirtualKey};
use crate::machine::KEYMUSTER;
use crate::run::{keymuster, program};
use libtest_mimic::Trial;
use std::fs;
use std::sync::{Mutex, PoisonError};

pub(super) fn trials() -> Vec<Trial> {
    trials!["cities":
        who_is_invited_makes_their_part_alone_and_two_others_admit_it,
        slips_of_two_are_collected_by_a_third,
        two_mounts_of_one_share_take_entries_one_after_the_other,
    ]
}

/// What was counted: what, touches in words, bytes that travelled.
static COUNTED: Mutex<Vec<(&str, String, u64)>> = Mutex::new(Vec::new());

fn count(what: &'static str, touches: String, bytes: u64) {
    COUNTED.lock().unwrap_or_else(PoisonError::into_inner).push((what, touches, bytes));
}

/// Prints what was counted, if anything was.
pub(crate) fn show_table() {
    let counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    if counted.is_empty() {
        return;
    }
    println!("{:<36}{:<36}{:>8}", "From different cities", "touches", "bytes");
    for (what, touches, bytes) in counted.iter() {
        println!("{what:<36}{touches:<36}{bytes:>8}");
    }
}

fn size(path: &str) -> u64 {
    fs::metadata(path).expect("it was written").len()
}

/// The fingerprint of the vault, as an invitation has it.
fn fingerprint_in(invitation: &str) -> &str {
    let line = invitation.lines().find_map(|line| line.strip_prefix("fingerprint = \""));
    line.and_then(|line| line.strip_suffix('"')).expect("an invitation has a fingerprint")
}

fn who_is_invited_makes_their_part_alone_and_two_others_admit_it() {
    let mut meeting = meet(&[]);
    let mut dave = VirtualKey::plug("dave-primary");
    let pin = meeting.path("dave.pin");
    fs::write(&pin, "141421\n").expect("a scratch folder");
    keymuster(&["key", "pin", "set", "--pin-file", &pin]).run().expect_success();

    let reader = meeting.path("reader.identity");
    let invite = format!("custodian invite dave --identity {reader}");
    let invitation = meeting.command(&invite).run().expect_success();
    let file = meeting.path("dave.invite");
    fs::write(&file, &invitation).expect("a scratch folder");
    count("custodian invite dave", "none".to_owned(), size(&file));

    let (slip, home) = (meeting.path("dave.slip"), meeting.path("home-of-dave"));
    let fingerprint = fingerprint_in(&invitation);
    let before = dave.touches();
    let accepted = alone(&format!(
        "env XDG_STATE_HOME={home} {KEYMUSTER} custodian accept {file} --key primary --slip {slip} \
         --pin-file {pin} --paper-fd 3 3>{home}.words --fingerprint {fingerprint}"
    ))
    .run()
    .expect_success();
    let told = accepted.lines().find(|line| line.starts_with("  SHA256:"));
    let told = told.expect("the fingerprint of the key is told").trim().to_owned();
    assert_eq!(dave.touches() - before, 5);
    count("custodian accept", "dave 5".to_owned(), size(&slip));
    dave.unplug();

    meeting.key("alice/primary").replug();
    meeting.key("bob/primary").replug();
    let before = meeting.touches();
    let collect = format!("log collect --endorse {slip} --by alice/primary");
    let collected = meeting.command(&collect).run();
    assert!(collected.status.success(), "{collected:#?}");
    let enrolled = format!("dave/primary is enrolled: {told}");
    let before_signing = collected.stderr.split(" to sign entry ").next().unwrap_or_default();
    assert!(before_signing.contains(&enrolled), "what is compared is told first: {collected:#?}");
    assert_eq!(meeting.touches_since(before), [2, 0, 2, 0]);
    count("log collect --endorse", "alice 2, bob 2".to_owned(), 0);
    meeting.key("alice/primary").unplug();
    meeting.key("bob/primary").unplug();

    dave.replug();
    let before = dave.touches();
    meeting
        .command(&format!("key check dave/primary --pin-file dave/primary={pin}"))
        .run()
        .expect_success();
    assert_eq!(dave.touches() - before, 2);
    count("key check, by dave", "dave 2".to_owned(), 0);
    verified(&meeting);
}

/// The whole log, opened as the auditor.
fn verified(meeting: &Meeting) {
    let reader = meeting.path("reader.identity");
    let told = meeting.command(&format!("log verify --identity {reader}")).run().expect_success();
    assert!(told.starts_with("SOUND: "), "{told}");
}

fn slips_of_two_are_collected_by_a_third() {
    let mut meeting = meet(&[]);
    let mut slips = Vec::new();
    for key in ["bob/primary", "carol/primary"] {
        let slip = meeting.path(&format!("{}.slip", key.replace('/', ".")));
        meeting.key(key).replug();
        let (before, files) = (meeting.touches(), meeting.files());
        meeting.command(&format!("key check {key} --slip {slip}")).run().expect_success();
        assert!(meeting.files() == files, "the vault has changed");
        assert_eq!(meeting.touches_since(before).iter().sum::<usize>(), 2);
        meeting.key(key).unplug();
        slips.push(slip);
    }
    count("key check --slip, each", "2".to_owned(), size(&slips[0]));
    meeting.key("alice/primary").replug();
    let before = meeting.touches();
    meeting.command(&format!("log collect {}", slips.join(" "))).run().expect_success();
    assert_eq!(meeting.touches_since(before), [2, 0, 0, 0]);
    count("log collect, of two", "alice 2".to_owned(), 0);
    verified(&meeting);
}

/// One folder, mounted in two places, as a share is at two desks of one server.
fn two_mounts_of_one_share_take_entries_one_after_the_other() {
    let mut meeting = meet(&["alice/primary", "bob/primary"]);
    let mounts = ["here", "there"];
    for mount in mounts {
        let at = meeting.path(mount);
        fs::create_dir(&at).expect("a scratch folder");
        let vault = meeting.path("vault");
        program("mount", &["-o", "bind", &vault, &at]).run().expect_success();
    }
    meeting.key("alice/primary").touch(Touch::Wait);
    let alice = meeting.command_at("here", "key check alice/primary").start();
    meeting.key("alice/primary").wait_until_it_blinks();
    let mut bob = meeting.command_at("there", "key check bob/primary").start();
    let waits = "Another keymuster is writing to this vault; waiting for it";
    while bob.is_running() && !bob.said().contains(waits) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(bob.said().contains(waits), "{}", bob.said());
    meeting.key("alice/primary").touch(Touch::Accept);
    let entries = [alice, bob].map(|running| running.finish().expect_success());
    assert!(entries[0].contains("Recorded entry 5"), "{entries:?}");
    assert!(entries[1].contains("Recorded entry 6"), "{entries:?}");
    verified(&meeting);
    for mount in mounts {
        program("umount", &[&meeting.path(mount)]).run().expect_success();
    }
}
