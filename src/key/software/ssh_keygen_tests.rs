//! Stock `ssh-keygen` judges what the software key signs and what `sshsig` writes.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::testing::{enrol, signature};
use super::*;
use crate::key::Algorithm;
use crate::sshsig::{PublicKey, Signature, UserVerificationRule};

const APPLICATION: &str = "ssh:keymuster";
const NAMESPACE: &str = "keymuster-head";
const MESSAGE: &[u8] = b"keymuster/01J\n42\n0123456789abcdef\n";

fn ssh_keygen(arguments: &[&str], folder: &Path, input: &[u8]) -> Output {
    let child = Command::new("ssh-keygen")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("this test needs ssh-keygen (Debian: openssh-client)");
    // It may refuse before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn accepts(key: &PublicKey, signature: &Signature, namespace: &str, message: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("allowed"), format!("alice {}\n", key.to_line())).unwrap();
    fs::write(folder.path().join("x.sig"), signature.to_armor()).unwrap();
    let arguments =
        ["-Y", "verify", "-f", "allowed", "-I", "alice", "-n", namespace, "-s", "x.sig"];
    ssh_keygen(&arguments, folder.path(), message).status.success()
}

#[test]
fn ssh_keygen_and_sshsig_agree_on_what_a_key_signed() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let mut keys = SoftwareKeys::in_memory();
        let device = keys.add("alice", Model::default()).unwrap();
        let (credential, key) = enrol(&mut keys, &device, APPLICATION, algorithm);
        let (_, other_key) = enrol(&mut keys, &device, APPLICATION, algorithm);
        // Numbers of ES256 differ in length; a few signatures meet several lengths.
        for round in 0..8 {
            let signature = signature(
                &mut keys,
                &device,
                &credential,
                &key,
                NAMESPACE,
                MESSAGE,
                UserVerification::BuiltIn,
            );
            let rule = UserVerificationRule::Required;
            assert!(signature.verify(&key, NAMESPACE, MESSAGE, rule).is_ok(), "{round}");
            assert!(accepts(&key, &signature, NAMESPACE, MESSAGE), "{algorithm:?}");

            if round == 0 {
                assert!(!accepts(&key, &signature, NAMESPACE, b"another message"));
                assert!(!accepts(&key, &signature, "keymuster-slip", MESSAGE));
                assert!(!accepts(&other_key, &signature, NAMESPACE, MESSAGE));
            }
        }
    }
}

#[test]
fn ssh_keygen_accepts_what_nobody_verified_a_user_for_and_sshsig_does_not() {
    let mut keys = SoftwareKeys::in_memory();
    let device = keys.add("alice", Model::default()).unwrap();
    let (credential, key) = enrol(&mut keys, &device, APPLICATION, Algorithm::Es256);
    let signature = signature(
        &mut keys,
        &device,
        &credential,
        &key,
        NAMESPACE,
        MESSAGE,
        UserVerification::Omitted,
    );
    assert!(accepts(&key, &signature, NAMESPACE, MESSAGE));
    assert!(signature.verify(&key, NAMESPACE, MESSAGE, UserVerificationRule::Required).is_err());
    assert!(signature.verify(&key, NAMESPACE, MESSAGE, UserVerificationRule::Waived).is_ok());
}

#[test]
fn ssh_keygen_prints_the_same_fingerprint() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let mut keys = SoftwareKeys::in_memory();
        let device = keys.add("alice", Model::default()).unwrap();
        let (_, key) = enrol(&mut keys, &device, APPLICATION, algorithm);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.pub"), format!("{}\n", key.to_line())).unwrap();
        let printed = ssh_keygen(&["-l", "-f", "x.pub"], folder.path(), b"");
        assert!(printed.status.success(), "{printed:?}");
        let printed = String::from_utf8(printed.stdout).unwrap();
        assert_eq!(printed.split(' ').nth(1), Some(key.fingerprint().as_str()));
    }
}
