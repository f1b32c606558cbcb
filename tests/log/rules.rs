//! Replay refuses each way in which an entry can be wrong, and says which.

use keymuster::key::{Algorithm, UserVerification};
use keymuster::log::{Document, Entry, Fault, Finding, FindingKind, Head, Malformed, Rule};
use keymuster::record::{Hex, Realm, UserVerification as Policy};

use super::fixture::{
    TestKey, TestLog, checked, compartment, created, custodian, name, reader, replay, sealed, time,
};

fn refusal(log: &mut TestLog, entry: &Entry) -> Fault {
    let before = (log.replay.head(), log.replay.state().clone());
    let fault = log.replay.admit(entry).expect_err("the entry should be refused");
    assert_eq!(
        (log.replay.head(), log.replay.state().clone()),
        before,
        "a refusal changes nothing"
    );
    fault
}

fn check(log: &mut TestLog, key: &TestKey) -> Document {
    log.document(&[key], vec![checked(&key.name.to_string())])
}

#[test]
fn a_sound_log_replays_to_its_state() {
    let (mut log, primary) = TestLog::founded();
    let blue = log.new_key("alice/blue");
    log.append(&[&blue, &primary], vec![blue.enrolled(), sealed("alice", "blue", 1)]);
    log.append(&[&blue], vec![checked("alice/blue")]);
    let (again, fault) = replay(log.vault, log.entries.iter().map(Ok));
    assert_eq!(fault, None);
    assert_eq!(again.head(), log.replay.head());
    let state = again.state();
    assert_eq!(state.keys().len(), 2);
    assert_eq!(state.keys()[&name("alice/blue")].last_seen.entry, 3);
    assert_eq!(
        state.keys()[&name("alice/primary")].last_seen.entry,
        2,
        "signing counts as a check"
    );
    assert_eq!(again.findings(), []);
}

#[test]
fn an_entry_of_another_vault_is_refused() {
    let (mut log, key) = TestLog::founded();
    let mut document = check(&mut log, &key);
    document.vault = Hex([8; 16]);
    let entry = log.signed(document, &[&key]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Vault);
}

#[test]
fn a_number_out_of_order_is_refused() {
    let (mut log, key) = TestLog::founded();
    let mut document = check(&mut log, &key);
    document.number = 3;
    let entry = log.signed(document, &[&key]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Number);
}

#[test]
fn an_entry_that_follows_another_past_is_refused() {
    let (mut log, key) = TestLog::founded();
    let mut document = check(&mut log, &key);
    document.previous = Hex([0; 32]);
    let entry = log.signed(document, &[&key]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Link);
}

#[test]
fn an_entry_without_events_is_refused() {
    let (mut log, key) = TestLog::founded();
    let entry = log.entry(&[&key], Vec::new());
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Event);
}

#[test]
fn an_entry_that_nobody_signed_is_refused() {
    let (mut log, key) = TestLog::founded();
    let mut document = check(&mut log, &key);
    document.signers.clear();
    let entry = log.signed(document, &[]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Signers);
}

#[test]
fn a_key_that_was_never_enrolled_is_refused() {
    let (mut log, _) = TestLog::founded();
    let stranger = log.new_key("alice/blue");
    let entry = log.entry(&[&stranger], vec![checked("alice/blue")]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Signers);
}

#[test]
fn a_signer_named_twice_is_refused() {
    let (mut log, key) = TestLog::founded();
    let entry = log.entry(&[&key, &key], vec![checked("alice/primary")]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Signers);
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let (mut log, key) = TestLog::founded();
    let mut other = log.new_key("alice/other");
    other.name = key.name.clone();
    let entry = log.entry(&[&other], vec![checked("alice/primary")]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Signature);
}

fn signed_oddly(namespace: &str, verification: UserVerification<'_>, of: Option<Head>) -> Rule {
    let (mut log, key) = TestLog::founded();
    let document = check(&mut log, &key);
    let head = log.replay.head().after(document.to_canonical().unwrap().as_bytes());
    let message = of.unwrap_or(head).to_string();
    let armor = log.sign(&key, namespace, &message, verification);
    let entry = Entry::new(&document, &[armor]).unwrap();
    refusal(&mut log, &entry).rule
}

#[test]
fn a_signature_over_another_head_is_refused() {
    let other = Head::empty(Hex([7; 16]));
    assert_eq!(
        signed_oddly("keymuster-head", UserVerification::BuiltIn, Some(other)),
        Rule::Signature
    );
}

#[test]
fn a_signature_of_another_namespace_is_refused() {
    for namespace in ["keymuster-demo", "keymuster-slip", "file", "keymuster-hea"] {
        assert_eq!(signed_oddly(namespace, UserVerification::BuiltIn, None), Rule::Signature);
    }
}

#[test]
fn a_touch_without_user_verification_is_refused() {
    assert_eq!(signed_oddly("keymuster-head", UserVerification::Omitted, None), Rule::Signature);
}

#[test]
fn a_touch_alone_is_enough_where_policy_waives_verification() {
    let mut log = TestLog::new();
    let key = log.new_key("alice/primary");
    let events = vec![
        created(false, Policy::Waived),
        custodian("alice"),
        key.enrolled(),
        compartment("records", 1, &["alice"]),
        compartment("seeds", 1, &["alice"]),
    ];
    let document = log.document(&[&key], events);
    let head = log.replay.head().after(document.to_canonical().unwrap().as_bytes());
    let armor = log.sign(&key, "keymuster-head", &head.to_string(), UserVerification::Omitted);
    let entry = Entry::new(&document, &[armor]).unwrap();
    assert_eq!(log.replay.admit(&entry), Ok(()));
}

#[test]
fn a_demo_key_cannot_sign_for_a_real_vault() {
    let mut log = TestLog::new();
    let demo = Realm::Demo.signing_application();
    let key = log.new_key_for("alice/primary", demo, Algorithm::Es256);
    let events = vec![created(false, Policy::Required), custodian("alice"), key.enrolled()];
    let entry = log.entry(&[&key], events);
    let fault = refusal(&mut log, &entry);
    assert_eq!(fault.rule, Rule::Event);
    assert!(fault.reason.contains("attestation"), "{fault}");
}

#[test]
fn an_enrolment_with_anothers_attestation_is_refused() {
    let (mut log, primary) = TestLog::founded();
    let mut blue = log.new_key("alice/blue");
    blue.enrolment.attestation_data = primary.enrolment.attestation_data.clone();
    let entry = log.entry(&[&primary], vec![blue.enrolled()]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Event);
}

#[test]
fn an_ed25519_key_signs_as_well() {
    let mut log = TestLog::new();
    let key = log.new_key_for("alice/primary", Realm::Real.signing_application(), Algorithm::EdDsa);
    let events = vec![
        created(false, Policy::Required),
        custodian("alice"),
        key.enrolled(),
        compartment("records", 1, &["alice"]),
        compartment("seeds", 1, &["alice"]),
    ];
    log.append(&[&key], events);
    log.append(&[&key], vec![checked("alice/primary")]);
}

#[test]
fn a_name_and_a_key_are_used_once() {
    let (mut log, primary) = TestLog::founded();
    let same_name =
        log.new_key_for("alice/primary-2", Realm::Real.signing_application(), Algorithm::Es256);
    let renamed = same_name.named("alice/primary");
    let entry = log.entry(&[&primary], vec![renamed.enrolled()]);
    assert!(refusal(&mut log, &entry).reason.contains("taken"));

    let twin = primary.named("alice/twin");
    let entry = log.entry(&[&primary, &twin], vec![twin.enrolled()]);
    assert!(refusal(&mut log, &entry).reason.contains("the same key"));

    for event in [custodian("alice"), reader("auditor"), reader("alice"), custodian("auditor")] {
        let entry = log.entry(&[&primary], vec![event]);
        assert_eq!(refusal(&mut log, &entry).rule, Rule::Event);
    }
}

#[test]
fn events_that_cannot_happen_are_refused() {
    let (mut log, primary) = TestLog::founded();
    for event in [
        sealed("alice", "primary", 1),
        sealed("alice", "green", 1),
        compartment("records", 2, &["alice"]),
        compartment("records", 2, &["alice", "auditor", "mallory"]),
        compartment("records", 1, &["alice", "auditor"]),
        compartment("other", 1, &["alice"]),
    ] {
        let entry = log.entry(&[&primary], vec![event.clone()]);
        assert_eq!(refusal(&mut log, &entry).rule, Rule::Event, "{event:?}");
    }
}

#[test]
fn a_log_begins_with_its_founding() {
    let mut log = TestLog::new();
    let key = log.new_key("alice/primary");
    let entry = log.entry(&[&key], vec![custodian("alice"), key.enrolled()]);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Event);

    let founders = vec![
        created(false, Policy::Required),
        custodian("alice"),
        custodian("bob"),
        key.enrolled(),
    ];
    let entry = log.entry(&[&key], founders);
    assert_eq!(refusal(&mut log, &entry).rule, Rule::Authority, "bob didn't sign");
}

#[test]
fn an_event_beyond_its_signers_authority_is_refused() {
    let (mut log, alice) = TestLog::founded();
    let bob = log.new_key("bob/primary");
    log.append(&[&bob, &alice], vec![custodian("bob"), bob.enrolled()]);
    let entry = log.entry(&[&alice], vec![reader("friend")]);
    let fault = refusal(&mut log, &entry);
    assert_eq!(fault.rule, Rule::Authority);
    assert_eq!(
        fault.to_string(),
        "entry 3 breaks the rule of authority: reader-added needs 2 different custodians to sign, and 1 did"
    );
}

#[test]
fn odd_times_and_counters_are_findings_and_no_faults() {
    let (mut log, key) = TestLog::founded();
    let mut document = check(&mut log, &key);
    document.time = time(1);
    let entry = log.signed(document, &[&key]);
    log.replay.admit(&entry).unwrap();
    assert!(matches!(log.replay.findings()[0].kind, FindingKind::TimeWentBack { .. }));
    assert_eq!(log.replay.findings()[0].entry, 2);
    let ahead = log.replay.ahead_of(time(0)).unwrap();
    assert_eq!(ahead.entry, 1, "the entry with that time, and not the last");
    assert_eq!(log.replay.ahead_of(time(3000)), None);
}

#[test]
fn a_counter_that_falls_is_a_finding() {
    let (mut log, key) = TestLog::founded();
    let second = check(&mut log, &key);
    let head = log.replay.head().after(second.to_canonical().unwrap().as_bytes());
    let mut third = check(&mut log, &key);
    (third.number, third.previous) = (3, head.link);
    // The key signs the third entry first, as somebody who backdates would have it do.
    let message = head.after(third.to_canonical().unwrap().as_bytes()).to_string();
    let armor = log.sign(&key, "keymuster-head", &message, UserVerification::BuiltIn);
    let third = Entry::new(&third, &[armor]).unwrap();
    let second = log.signed(second, &[&key]);
    log.replay.admit(&second).unwrap();
    assert_eq!(log.replay.findings(), []);
    log.replay.admit(&third).unwrap();
    let findings = log.replay.findings();
    assert!(
        matches!(findings, [Finding { entry: 3, kind: FindingKind::CounterFell { .. } }]),
        "{findings:?}"
    );
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let (mut log, key) = TestLog::founded();
    let text = check(&mut log, &key).to_canonical().unwrap();
    let newer = text.replacen("format = 1\n", "format = 2\n", 1);
    assert_eq!(Document::from_canonical(&newer), Err(Malformed::NewerFormat(2)));
}

#[test]
fn unknown_fields_and_kinds_are_errors() {
    let (mut log, key) = TestLog::founded();
    let text = check(&mut log, &key).to_canonical().unwrap();
    for bad in [
        text.replace("slips = []\n", "slips = []\nextra = 1\n"),
        text.replace("key = \"alice/primary\"\n", "key = \"alice/primary\"\nextra = 1\n"),
        text.replace("kind = \"key-checked\"", "kind = \"key-blessed\""),
    ] {
        assert!(matches!(Document::from_canonical(&bad), Err(Malformed::Syntax { .. })), "{bad}");
    }
}

#[test]
fn another_spelling_of_the_same_document_is_refused() {
    let (mut log, key) = TestLog::founded();
    let text = check(&mut log, &key).to_canonical().unwrap();
    for bad in [
        text.replace("slips = []", "slips = [ ]"),
        text.replace("\"keymuster test\"", "'keymuster test'"),
        text.replace("tool = ", "tool  = "),
        text.replace("\n\n[[event]]", "\n[[event]]"),
        text.replace('\n', "\r\n").replacen("\r\n", "\n", 1),
        text.replace("number = 2", "number = +2"),
        text.replace("number = 2", "number = 0x2"),
        format!("{text}\n"),
        format!("{text}# note\n"),
    ] {
        assert_ne!(bad, text);
        assert!(Document::from_canonical(&bad).is_err(), "{bad}");
    }
}
