//! Keys that are files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

#[test]
fn a_full_key_takes_no_more_credentials_and_its_file_fits() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = SoftwareKeys::in_folder(folder.path()).unwrap();
    let device = keys.add("full", Model::default()).unwrap();
    let application = "a".repeat(255);
    let with_secret =
        MakeCredential { hmac_secret: true, ..request(&application, Algorithm::Es256) };
    let prompt = &mut CountingPrompt::default();
    let built_in = UserVerification::BuiltIn;
    for _ in 0..device::MAX_CREDENTIALS {
        keys.make_credential(&device, &with_secret, built_in, prompt).unwrap();
    }
    let refused = keys.make_credential(&device, &with_secret, built_in, prompt);
    assert_eq!(refused, Err(KeyError::Status(0x28)));
}

#[test]
fn a_key_in_a_folder_outlives_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("demo-keys");
    let mut keys = SoftwareKeys::in_folder(&place).unwrap();
    let device = keys.add("alice", PIN_MODEL).unwrap();
    keys.set_pin(&device, &pin("1234")).unwrap();
    let attestation = keys
        .make_credential(
            &device,
            &MakeCredential { hmac_secret: true, ..request(APPLICATION, Algorithm::Es256) },
            UserVerification::Pin(&pin("1234")),
            &mut CountingPrompt::default(),
        )
        .unwrap();
    let credential = made(&attestation);
    assert!(try_pin(&mut keys, &device, &credential.id, "0000").is_err());
    let ask = GetHmacSecret {
        application: APPLICATION.to_owned(),
        credential: credential.id.clone(),
        salts: HmacSecretSalts { first: [1; 32], second: [2; 32] },
    };
    let prompt = &mut CountingPrompt::default();
    let omitted = UserVerification::Omitted;
    let before = *keys.hmac_secret(&device, &ask, omitted, prompt).unwrap().expose();
    drop(keys);

    let mut keys = SoftwareKeys::in_folder(&place).unwrap();
    assert_eq!(ids(&mut keys), ["alice"]);
    assert_eq!(keys.info(&device).unwrap().pin_retries, Some(7));
    let data = try_pin(&mut keys, &device, &credential.id, "1234").unwrap();
    assert_eq!(data.counter, 3, "enrolment 1, hmac-secret 2");
    let after = *keys.hmac_secret(&device, &ask, omitted, prompt).unwrap().expose();
    assert_eq!(after, before);
    let key = PublicKey::from_credential(&credential.public_key, APPLICATION).unwrap();
    let signed = assertion(&mut keys, &device, APPLICATION, &credential.id, omitted).unwrap();
    assert!(
        verify_assertion(&key, &signed.authenticator_data, &signed.signature, b"challenge").is_ok()
    );

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place), mode(&place.join("alice.json"))), (0o700, 0o600));
    let left: Vec<_> = fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["alice.json"], "temporary files are gone");
}

#[test]
fn two_programs_see_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = SoftwareKeys::in_folder(folder.path()).unwrap();
    let mut two = SoftwareKeys::in_folder(folder.path()).unwrap();
    let device = one.add("alice", Model::default()).unwrap();
    let (credential, _) = enrol(&mut two, &device, APPLICATION, Algorithm::EdDsa);
    let mut programs = [one, two];
    for (program, counter) in [(0, 2), (1, 3), (0, 4)] {
        let keys = &mut programs[program];
        let built_in = UserVerification::BuiltIn;
        let signed = assertion(keys, &device, APPLICATION, &credential, built_in).unwrap();
        let data = AuthenticatorData::parse(&signed.authenticator_data).unwrap();
        assert_eq!(data.counter, counter);
    }
}

#[test]
fn a_damaged_file_fails_without_words_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = SoftwareKeys::in_folder(folder.path()).unwrap();
    let device = keys.add("alice", Model::default()).unwrap();
    let file = folder.path().join("alice.json");
    let whole = fs::read_to_string(&file).unwrap();
    for damaged in [
        String::new(),
        "\"canary\"".to_owned(),
        whole.replace("\"counter\": 0", "\"counter\": \"canary\""),
        whole.replace("\"format\": 1", "\"format\": 2"),
        whole.replace("\"counter\": 0", "\"counter\": 0, \"canary\": 1"),
        "[".repeat(100_000),
        " ".repeat(file::MAX_LENGTH) + &whole,
    ] {
        fs::write(&file, &damaged).unwrap();
        let failed = keys.info(&device).unwrap_err().to_string();
        assert!(failed.contains("alice") && !failed.contains("canary"), "{failed}");
        assert_eq!(fs::read_to_string(&file).unwrap(), damaged, "nothing was written");
    }
}

#[test]
fn what_is_no_file_of_a_key_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = SoftwareKeys::in_folder(folder.path()).unwrap();
    for other in ["README", "UPPER.json", ".hidden.json", "alice.json.bak", "new.json", ".x.tmp"] {
        fs::write(folder.path().join(other), "x").unwrap();
    }
    assert!(ids(&mut keys).is_empty());
    // A folder or a link under the name of a key is listed, and fails by name when asked.
    fs::create_dir(folder.path().join("folder.json")).unwrap();
    std::os::unix::fs::symlink("README", folder.path().join("link.json")).unwrap();
    for name in ids(&mut keys) {
        let failed = keys.info(&DeviceId(name.clone())).unwrap_err().to_string();
        assert!(failed.contains(&name), "{failed}");
    }
}

#[test]
fn a_pipe_under_the_name_of_a_key_makes_nobody_wait() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.json");
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, mode, 0).unwrap();
    let mut keys = SoftwareKeys::in_folder(folder.path()).unwrap();
    assert!(keys.info(&DeviceId("pipe".to_owned())).is_err());
}

#[test]
fn a_question_that_changes_nothing_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = SoftwareKeys::in_folder(folder.path()).unwrap();
    let device = keys.add("alice", Model::default()).unwrap();
    let (credential, _) = enrol(&mut keys, &device, APPLICATION, Algorithm::EdDsa);
    // A file that is replaced has another inode.
    let inode = || fs::metadata(folder.path().join("alice.json")).unwrap().ino();
    let before = inode();
    let stranger = CredentialId::new([1; 32]).unwrap();
    keys.info(&device).unwrap();
    assert_eq!(keys.probe(&device, &probe(&[stranger])), Ok(ProbeAnswer::HoldsNone));
    assert_eq!(inode(), before);
    let held = keys.probe(&device, &probe(&[credential])).unwrap();
    assert!(matches!(held, ProbeAnswer::Holds(..)));
    assert_ne!(inode(), before, "the count rose");
}

#[test]
fn two_that_ask_a_key_at_once_get_two_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = SoftwareKeys::in_folder(folder.path()).unwrap();
    let device = keys.add("alice", Model::default()).unwrap();
    let (credential, _) = enrol(&mut keys, &device, APPLICATION, Algorithm::Es256);
    let built_in = UserVerification::BuiltIn;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut keys = SoftwareKeys::in_folder(folder.path()).unwrap();
                for _ in 0..50 {
                    assertion(&mut keys, &device, APPLICATION, &credential, built_in).unwrap();
                }
            });
        }
    });
    let last = assertion(&mut keys, &device, APPLICATION, &credential, built_in).unwrap();
    let data = AuthenticatorData::parse(&last.authenticator_data).unwrap();
    assert_eq!(data.counter, 102, "one enrolment, 100 signatures at once, and one more");
}
