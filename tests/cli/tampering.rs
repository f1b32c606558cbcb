//! Whatever is done to a vault's files is refused with exit code 3 and named: the entry or
//! the file, and the reason. Nothing is appended to a faulty vault.

use std::fs;

use super::demo_vault::{Demo, tool};

/// For a lock of this process's own: a program that another test starts at that moment holds
/// a copy of it until it has replaced itself.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// The vault is refused by `log verify`, and takes no entry; both name the place.
#[track_caller]
fn refused(demo: &Demo, named: &[&str]) {
    demo.read(&["log", "verify"]).exits(3).says(named);
    let before = demo.snapshot();
    demo.read(&["key", "check", "alice/primary"]).exits(3);
    assert_eq!(demo.snapshot(), before, "a faulty vault must not change");
}

#[test]
fn an_untouched_vault_is_sound() {
    let demo = Demo::new();
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 4 entries and 5 signatures"]);
    demo.read(&["key", "check", "alice/primary"]).exits(0).answers(&["Recorded entry 5"]);
}

#[test]
fn an_edited_entry_is_refused() {
    let demo = Demo::new();
    let text = demo.entry(2);
    let year = text.split("time = 20").nth(1).unwrap().get(..2).unwrap();
    let edited = text.replace(&format!("time = 20{year}"), "time = 2019");
    let edited = edited.replacen("time = 2019", "time = 20", 1);
    assert_ne!(edited, text);
    demo.replace_entry(2, &edited.replacen("time = 20", "time = 2020-", 1));
    refused(&demo, &["entry 2", "rule of form", "log/000002.age"]);

    let demo = Demo::new();
    let other = text.replace("product = \"software key\"", "product = \"hardware key\"");
    assert_ne!(other, text);
    demo.replace_entry(2, &other);
    refused(&demo, &["entry 2", "rule of signature", "alice/blue"]);
}

#[test]
fn a_removed_entry_is_refused() {
    let demo = Demo::new();
    fs::remove_file(demo.path("vault/log/000002.age")).unwrap();
    refused(&demo, &["entry 2", "log/000002.age is missing"]);
}

#[test]
fn a_removed_entry_with_the_rest_moved_up_is_refused() {
    let demo = Demo::new();
    fs::rename(demo.path("vault/log/000003.age"), demo.path("vault/log/000002.age")).unwrap();
    fs::rename(demo.path("vault/log/000004.age"), demo.path("vault/log/000003.age")).unwrap();
    refused(&demo, &["entry 2", "rule of number", "it says that it is entry 3"]);
}

#[test]
fn a_duplicated_entry_is_refused() {
    let demo = Demo::new();
    fs::copy(demo.path("vault/log/000004.age"), demo.path("vault/log/000005.age")).unwrap();
    refused(&demo, &["entry 5", "rule of number", "it says that it is entry 4"]);
}

#[test]
fn two_swapped_entries_are_refused() {
    let demo = Demo::new();
    let (three, four) = (demo.path("vault/log/000003.age"), demo.path("vault/log/000004.age"));
    let spare = demo.path("spare");
    fs::rename(&three, &spare).unwrap();
    fs::rename(&four, &three).unwrap();
    fs::rename(&spare, &four).unwrap();
    refused(&demo, &["entry 3", "rule of number"]);
}

#[test]
fn a_tail_that_was_cut_off_is_refused_where_a_later_head_is_remembered() {
    let demo = Demo::new();
    fs::remove_file(demo.path("vault/log/000004.age")).unwrap();
    refused(&demo, &["ends at entry 3", "has seen entry 4"]);

    // Another machine that never saw it can't know.
    let elsewhere = demo.folder.path().join("state");
    fs::remove_dir_all(elsewhere).unwrap();
    demo.read(&["log", "verify", "--json"]).exits(4).says(&["--fingerprint"]);
}

#[test]
fn a_head_that_cannot_be_remembered_is_told_and_stops_no_reading() {
    let demo = Demo::new();
    let heads = demo.folder.path().join("state/keymuster/heads");
    let told = "This machine couldn't remember this head: ";
    let ran = demo.read(&["log", "verify"]).exits(0);
    assert!(!ran.stderr.contains(told), "{}", ran.stderr);
    // The memory is behind, and another process has it locked.
    let id = keymuster::vault::Location::at(&demo.path("vault")).unwrap().id.to_string();
    let text = fs::read_to_string(heads.join(&id)).unwrap();
    demo.read(&["key", "check", "alice/primary"]).exits(0);
    fs::write(heads.join(&id), &text).unwrap();
    let lock = fs::File::options().write(true).open(heads.join(".lock")).unwrap();
    lock.lock().unwrap();
    let ran = demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 5 entries"]);
    ran.says(&[told, "locked for too long; a tail that is cut off later may go unnoticed."]);
    assert_eq!(fs::read_to_string(heads.join(&id)).unwrap(), text);
    // What it can't read, it can't compare with.
    fs::write(heads.join(&id), "nonsense").unwrap();
    demo.read(&["log", "verify"]).exits(1).says(&["isn't a head that keymuster wrote"]);
}

#[test]
fn another_log_in_place_of_the_remembered_one_is_refused() {
    let demo = Demo::new();
    let before = fs::read(demo.path("vault/log/000004.age")).unwrap();
    fs::remove_file(demo.path("vault/log/000004.age")).unwrap();
    let state = demo.folder.path().join("state");
    let id = keymuster::vault::Location::at(&demo.path("vault")).unwrap().id;
    let heads = state.join(format!("keymuster/heads/{id}"));
    let remembered = fs::read(&heads).unwrap();
    // Forget, append another entry 4, and remember the first one again.
    fs::remove_file(&heads).unwrap();
    let fingerprint = demo.entry(2);
    let fingerprint = fingerprint.lines().find_map(|l| l.strip_prefix("previous = \"")).unwrap();
    let fingerprint = fingerprint.trim_end_matches('"');
    demo.read(&["key", "check", "alice/blue", "--fingerprint", fingerprint]).exits(0);
    assert_ne!(fs::read(demo.path("vault/log/000004.age")).unwrap(), before);
    fs::write(&heads, remembered).unwrap();
    refused(&demo, &["entry 4", "isn't the one that this machine has seen"]);
}

#[test]
fn a_stripped_signature_is_refused() {
    let demo = Demo::new();
    let text = demo.entry(2);
    let second = text.rfind("-----BEGIN SSH SIGNATURE-----").unwrap();
    demo.replace_entry(2, &text[..second]);
    refused(&demo, &["entry 2", "names 2 signers and carries 1 signatures"]);
}

#[test]
fn a_signature_of_another_entry_is_refused() {
    let demo = Demo::new();
    let armor = |text: &str| text[text.find("-----BEGIN SSH").unwrap()..].to_owned();
    let (three, one) = (demo.entry(3), demo.entry(1));
    demo.replace_entry(3, &three.replace(&armor(&three), &armor(&one)));
    refused(&demo, &["entry 3", "rule of signature", "alice/primary"]);
}

#[test]
fn a_compartment_replaced_by_another_for_the_same_recipients_is_refused() {
    let demo = Demo::new();
    let file = demo.path("vault/compartments/seeds.1.age");
    let reader = fs::read_to_string(demo.path("reader.identity")).unwrap();
    let recipient = tool("age-keygen", &["-y"], reader.as_bytes());
    let recipient = String::from_utf8(recipient).unwrap();
    let forged = tool("age", &["-r", recipient.trim()], b"# keymuster compartment\n");
    fs::write(&file, forged).unwrap();
    refused(&demo, &["compartments/seeds.1.age", "changed or replaced"]);
}

#[test]
fn records_replaced_by_another_for_the_same_recipients_is_refused() {
    let demo = Demo::new();
    let file = demo.path("vault/compartments/records.1.age");
    let reader = fs::read_to_string(demo.path("reader.identity")).unwrap();
    let recipient = String::from_utf8(tool("age-keygen", &["-y"], reader.as_bytes())).unwrap();

    // The same contents in another wrapping: the log opens, and names the file.
    let rewrapped = tool("age", &["-r", recipient.trim()], &demo.records());
    fs::write(&file, rewrapped).unwrap();
    refused(&demo, &["compartments/records.1.age", "changed or replaced"]);

    // Another identity altogether: nothing opens.
    let identity = String::from_utf8(tool("age-keygen", &[], b"")).unwrap();
    let secret = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let records = String::from_utf8(demo.records()).unwrap();
    let forged: String = records
        .lines()
        .map(|line| match line {
            line if line.starts_with("# public key: ") => format!("# public key: {public}\n"),
            line if line.starts_with("AGE-SECRET") => format!("{secret}\n"),
            line => format!("{line}\n"),
        })
        .collect();
    fs::write(&file, tool("age", &["-r", recipient.trim()], forged.as_bytes())).unwrap();
    demo.read(&["log", "verify"]).exits(3).says(&["log/000001.age", "no identity"]);
}

#[test]
fn a_missing_or_changed_identity_file_is_refused() {
    for (file, reason) in [
        ("identities/alice.blue.1.age", "is missing"),
        ("identities/alice.paper.1.age", "changed or replaced"),
        ("identities/alice.primary.1.identity", "changed or replaced"),
    ] {
        let demo = Demo::new();
        let path = demo.path(&format!("vault/{file}"));
        if reason == "is missing" {
            fs::remove_file(path).unwrap();
        } else {
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }
        refused(&demo, &[file, reason]);
    }
}

#[test]
fn a_file_that_no_entry_names_is_reported_and_harmless() {
    let demo = Demo::new();
    fs::write(demo.path("vault/identities/mallory.primary.1.age"), "x").unwrap();
    fs::write(demo.path("vault/log/notes.txt"), "x").unwrap();
    demo.read(&["log", "verify"]).exits(0).answers(&[
        "named by no entry: identities/mallory.primary.1.age",
        "named by no entry: log/notes.txt",
    ]);
}

#[test]
fn gitattributes_must_have_our_line_and_may_have_others() {
    let demo = Demo::new();
    let file = demo.path("vault/.gitattributes");
    let odd = "finding: .gitattributes has no line `* binary`";
    fs::write(&file, "* binary\nREADME.md text\n").unwrap();
    let ran = demo.read(&["log", "verify"]).exits(0);
    assert!(!ran.stdout.contains("finding"), "{}", ran.stdout);
    for text in ["* binary", "* binary text\n", "#* binary\n", ""] {
        fs::write(&file, text).unwrap();
        demo.read(&["log", "verify"]).exits(0).answers(&[odd]);
    }
    fs::remove_file(&file).unwrap();
    demo.read(&["vault", "show"]).exits(0).answers(&[odd]);
    // It guards files and is none of the log's: the vault can be written to.
    demo.read(&["key", "check", "alice/primary"]).exits(0);
}

#[test]
fn an_entry_of_100_megabytes_is_refused_unread() {
    let demo = Demo::new();
    let file = fs::File::create(demo.path("vault/log/000005.age")).unwrap();
    file.set_len(100_000_000).unwrap();
    refused(&demo, &["entry 5", "log/000005.age has 100000000 bytes", "32 MiB at most"]);
}

#[test]
fn an_entry_that_is_no_age_file_is_refused() {
    let demo = Demo::new();
    fs::write(demo.path("vault/log/000005.age"), "hello").unwrap();
    refused(&demo, &["entry 5", "log/000005.age", "not an age file"]);
}

#[test]
fn a_link_or_a_folder_in_place_of_an_entry_is_refused() {
    let demo = Demo::new();
    std::os::unix::fs::symlink("/dev/zero", demo.path("vault/log/000005.age")).unwrap();
    refused(&demo, &["entry 5", "log/000005.age isn't a regular file"]);

    let demo = Demo::new();
    fs::create_dir(demo.path("vault/log/000005.age")).unwrap();
    refused(&demo, &["entry 5", "log/000005.age isn't a regular file"]);
}

#[test]
fn an_entry_of_another_vault_is_refused() {
    let (demo, other) = (Demo::new(), Demo::new());
    let text = other.entry(3).replace("vault = \"", "vault = \"00").replacen("\"00", "\"", 1);
    assert_eq!(text, other.entry(3));
    let id = text.lines().find_map(|line| line.strip_prefix("vault = \"")).unwrap();
    let elsewhere = text.replace(id, "00112233445566778899aabbccddeeff\"");
    demo.replace_entry(3, &elsewhere);
    refused(&demo, &["entry 3", "belongs to the vault 00112233445566778899aabbccddeeff"]);
}

#[test]
fn an_entry_replaced_while_somebody_is_about_to_sign_is_noticed() {
    use keymuster::record::{Event, Hex, KeyChecked};
    use keymuster::vault::{AgeIdentity, AppendError, Draft, Location, Lock, open_records};
    let demo = Demo::new();
    let reader = fs::read_to_string(demo.path("reader.identity")).unwrap();
    let identity = AgeIdentity::parse(reader.trim()).unwrap();
    let location = Location::at(&demo.path("vault")).unwrap();
    let vault = open_records(location, &[&identity]).unwrap();
    let prepare = || {
        let lock = Lock::take(&vault.location().layout, PATIENCE).unwrap();
        let event = Event::KeyChecked(KeyChecked { key: "alice/blue".parse().unwrap() });
        let time = "2027-01-01T00:00:00Z".parse().unwrap();
        let tool = "test".parse().unwrap();
        let signers = vec!["alice/blue".parse().unwrap()];
        let (events, slips, salt) = (vec![event], Vec::new(), Hex([0; 16]));
        vault.prepare(lock, Draft { signers, events, slips, time, salt, tool }).map(|_| ())
    };
    assert!(prepare().is_ok());
    // What a checkout of another branch does.
    demo.replace_entry(4, &demo.entry(4));
    assert!(matches!(prepare(), Err(AppendError::Overtaken(4))));
}

/// Appends `count` checks of alice/primary without a process for each.
fn append_checks(demo: &Demo, count: u32) {
    use keymuster::key::software::SoftwareKeys;
    use keymuster::key::{
        Authenticator as _, DeviceId, GetAssertion, TouchPrompt, UserVerification,
    };
    use keymuster::record::{Event, Hex, KeyChecked, KeyName};
    use keymuster::sshsig::{Signature, signed_data};
    use keymuster::vault::{AgeIdentity, Draft, Location, Lock, open_records};
    use keymuster::webauthn::CredentialId;
    struct Quiet;
    impl TouchPrompt for Quiet {
        fn waiting(&mut self, _left: std::time::Duration) {}
        fn over(&mut self) {}
    }
    let reader = fs::read_to_string(demo.path("reader.identity")).unwrap();
    let identity = AgeIdentity::parse(reader.trim()).unwrap();
    let location = Location::at(&demo.path("vault")).unwrap();
    let mut vault = open_records(location, &[&identity]).unwrap();
    let mut keys = SoftwareKeys::in_folder(&demo.path("demo-keys")).unwrap();
    let name: KeyName = "alice/primary".parse().unwrap();
    let public_key = vault.replay().public_keys()[&name].clone();
    let credential = vault.state().keys()[&name].enrolment.credential.0.clone();
    for _ in 0..count {
        let lock = Lock::take(&vault.location().layout, PATIENCE).unwrap();
        let event = Event::KeyChecked(KeyChecked { key: name.clone() });
        let time = "2027-01-01T00:00:00Z".parse().unwrap();
        let tool = "test".parse().unwrap();
        let (signers, events) = (vec![name.clone()], vec![event]);
        let (slips, salt) = (Vec::new(), Hex([0; 16]));
        let draft = Draft { signers, events, slips, time, salt, tool };
        let prepared = vault.prepare(lock, draft).unwrap();
        let request = GetAssertion {
            application: public_key.application().to_owned(),
            credential: CredentialId::new(credential.clone()).unwrap(),
            challenge: signed_data("keymuster-demo", prepared.head().to_string().as_bytes()),
        };
        let device = DeviceId("demo-key-1".to_owned());
        let assertion =
            keys.sign(&device, &request, UserVerification::BuiltIn, &mut Quiet).unwrap();
        let armor = Signature::from_assertion(
            &public_key,
            "keymuster-demo",
            &assertion.authenticator_data,
            &assertion.signature,
        )
        .unwrap()
        .to_armor();
        vault.commit(prepared, &[armor], &[], None).unwrap();
    }
}

#[test]
fn a_log_of_several_batches_opens_whole_and_faults_where_it_is_wrong() {
    let demo = Demo::new();
    append_checks(&demo, 600);
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 604 entries and 605 signatures"]);
    let (one, other) = (demo.path("vault/log/000300.age"), demo.path("vault/log/000301.age"));
    fs::copy(&other, &one).unwrap();
    refused(&demo, &["entry 300", "it says that it is entry 301"]);
}
