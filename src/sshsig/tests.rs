use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::webauthn::CosePublicKey;

mod form;

const APPLICATION: &str = "ssh:keymuster";
const NAMESPACE: &str = "keymuster-head";
const MESSAGE: &[u8] = b"keymuster/01J\n42\nabc\n";
const UP: u8 = 0x01;
const UP_UV: u8 = 0x05;

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/openssh-sshsig/", $name))
    };
}

/// A bare signing key. It sets whatever flags a test wants, as no real key would.
enum Signer {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Signer {
    fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap())
    }

    fn p256() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random);
        Self::P256(key.unwrap())
    }

    fn both() -> [Self; 2] {
        [Self::ed25519(), Self::p256()]
    }

    fn public(&self, application: &str) -> PublicKey {
        let material = match self {
            Self::Ed25519(key) => {
                CosePublicKey::Ed25519(key.public_key().as_ref().try_into().unwrap())
            }
            Self::P256(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = (&point[1..33], &point[33..]);
                CosePublicKey::P256 { x: x.try_into().unwrap(), y: y.try_into().unwrap() }
            }
        };
        PublicKey::from_credential(&material, application).unwrap()
    }

    fn assert(&self, application: &str, flags: u8, challenge: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut data = digest(&ring::digest::SHA256, application.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(77_u32.to_be_bytes());
        let mut signed = data.clone();
        signed.extend(digest(&ring::digest::SHA256, challenge).as_ref());
        let signature = match self {
            Self::Ed25519(key) => key.sign(&signed).as_ref().to_vec(),
            Self::P256(key) => key.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec(),
        };
        (data, signature)
    }

    fn sign(&self, flags: u8) -> Signature {
        let (data, signature) = self.assert(APPLICATION, flags, &signed_data(NAMESPACE, MESSAGE));
        Signature::from_assertion(&self.public(APPLICATION), NAMESPACE, &data, &signature).unwrap()
    }

    fn verify(&self, signature: &Signature) -> Result<Verified, Refusal> {
        let key = self.public(APPLICATION);
        signature.verify(&key, NAMESPACE, MESSAGE, UserVerificationRule::Required)
    }
}

#[test]
fn openssh_vectors_are_accepted_where_no_user_verification_is_required() {
    let message = vector!("signed-data").as_bytes();
    for (key, armor, kind) in [
        (vector!("ed25519_sk.pub"), vector!("ed25519_sk.sig"), KeyKind::Ed25519Sk),
        (vector!("ecdsa_sk.pub"), vector!("ecdsa_sk.sig"), KeyKind::EcdsaP256Sk),
    ] {
        let comment = key.match_indices(' ').nth(1).unwrap().0;
        let line = &key[..comment];
        let key = PublicKey::from_line(line).unwrap();
        assert_eq!(key.to_line(), line);
        assert_eq!((key.kind(), key.application()), (kind, "ssh:"));

        let signature = Signature::from_armor(armor).unwrap();
        assert_eq!(signature.to_armor(), armor);
        let waived =
            signature.verify(&key, vector!("namespace"), message, UserVerificationRule::Waived);
        let verified = waived.unwrap();
        assert_eq!((verified.flags.bits(), verified.counter), (0x01, 0x1234_5678));
        let required =
            signature.verify(&key, vector!("namespace"), message, UserVerificationRule::Required);
        assert_eq!(required, Err(Refusal::UserNotVerified));
    }
}

#[test]
fn a_signature_that_a_browser_made_is_refused_by_name() {
    let refused = Signature::from_armor(vector!("ecdsa_sk_webauthn.sig")).unwrap_err();
    assert_eq!(refused, MalformedSignature::Webauthn);
    assert!(refused.to_string().contains("webauthn-sk-ecdsa-sha2-nistp256@openssh.com"));
}

#[test]
fn the_signed_data_is_that_of_protocol_sshsig() {
    let data = signed_data("n", b"abc");
    let head = b"SSHSIG\0\0\0\x01n\0\0\0\0\0\0\0\x06sha512\0\0\0\x40";
    assert_eq!(&data[..head.len()], head);
    // SHA-512 of "abc" (FIPS 180-2, appendix C.1).
    assert_eq!(data[head.len()..][..4], [0xdd, 0xaf, 0x35, 0xa1]);
    assert_eq!(data.len(), head.len() + 64);
}

#[test]
fn a_touched_and_verified_signature_is_accepted() {
    for signer in Signer::both() {
        let armor = signer.sign(UP_UV).to_armor();
        let signature = Signature::from_armor(&armor).unwrap();
        let verified = signer.verify(&signature).unwrap();
        assert_eq!((verified.flags.bits(), verified.counter), (UP_UV, 77));
        assert_eq!(signature.namespace(), NAMESPACE);
        assert_eq!(signature.public_key(), &signer.public(APPLICATION));
    }
}

#[test]
fn the_backup_flags_change_nothing() {
    for signer in Signer::both() {
        assert!(signer.verify(&signer.sign(UP_UV | 0x18)).is_ok());
    }
}

#[test]
fn a_signature_without_a_touch_is_refused_whatever_the_rule() {
    for signer in Signer::both() {
        for flags in [0x00, 0x04] {
            let signature = signer.sign(flags);
            for rule in [UserVerificationRule::Required, UserVerificationRule::Waived] {
                let key = signer.public(APPLICATION);
                let outcome = signature.verify(&key, NAMESPACE, MESSAGE, rule);
                assert_eq!(outcome, Err(Refusal::NotTouched));
            }
        }
    }
}

#[test]
fn a_touch_without_user_verification_is_refused_unless_waived() {
    for signer in Signer::both() {
        let signature = signer.sign(UP);
        assert_eq!(signer.verify(&signature), Err(Refusal::UserNotVerified));
        let key = signer.public(APPLICATION);
        let waived = signature.verify(&key, NAMESPACE, MESSAGE, UserVerificationRule::Waived);
        assert!(waived.is_ok());
    }
}

#[test]
fn flags_that_were_set_after_signing_are_refused() {
    for signer in Signer::both() {
        let mut signature = signer.sign(UP);
        signature.assertion.flags = crate::webauthn::Flags::from_bits(UP_UV);
        assert_eq!(signer.verify(&signature), Err(Refusal::BadSignature));
        let mut signature = signer.sign(UP_UV);
        signature.assertion.counter += 1;
        assert_eq!(signer.verify(&signature), Err(Refusal::BadSignature));
    }
}

#[test]
fn another_key_is_refused() {
    for signer in Signer::both() {
        let signature = signer.sign(UP_UV);
        let other = Signer::p256();
        let found = signer.public(APPLICATION);
        assert_eq!(other.verify(&signature), Err(Refusal::OtherKey(found)));
        // The key within is not what was signed: naming the expected one isn't enough.
        let mut renamed = signature;
        renamed.public_key = other.public(APPLICATION);
        if renamed.public_key.kind() == KeyKind::EcdsaP256Sk {
            assert_eq!(other.verify(&renamed), Err(Refusal::BadSignature));
        }
    }
}

#[test]
fn another_application_is_refused() {
    for signer in Signer::both() {
        let challenge = signed_data(NAMESPACE, MESSAGE);
        let elsewhere = "ssh:";
        let (data, bytes) = signer.assert(elsewhere, UP_UV, &challenge);
        let key = signer.public(elsewhere);
        let signature = Signature::from_assertion(&key, NAMESPACE, &data, &bytes).unwrap();
        let refused = signer.verify(&signature);
        assert!(matches!(refused, Err(Refusal::OtherApplication { .. })), "{refused:?}");
        let as_ours =
            Signature::from_assertion(&signer.public(APPLICATION), NAMESPACE, &data, &bytes);
        assert_eq!(as_ours, Err(MalformedAssertion::OtherApplication));
    }
}

#[test]
fn another_namespace_is_refused() {
    for signer in Signer::both() {
        let key = signer.public(APPLICATION);
        let signature = signer.sign(UP_UV);
        let rule = UserVerificationRule::Required;
        let refused = signature.verify(&key, "keymuster-slip", MESSAGE, rule);
        assert!(matches!(refused, Err(Refusal::OtherNamespace { .. })), "{refused:?}");
        let mut renamed = signature;
        renamed.namespace = "keymuster-slip".to_owned();
        let refused = renamed.verify(&key, "keymuster-slip", MESSAGE, rule);
        assert_eq!(refused, Err(Refusal::BadSignature));
    }
}

#[test]
fn another_message_is_refused() {
    for signer in Signer::both() {
        let key = signer.public(APPLICATION);
        let refused = signer.sign(UP_UV).verify(
            &key,
            NAMESPACE,
            b"keymuster/01J\n43\n",
            UserVerificationRule::Required,
        );
        assert_eq!(refused, Err(Refusal::BadSignature));
    }
}

#[test]
fn assertions_that_are_not_plain_are_no_signatures() {
    for signer in Signer::both() {
        let key = signer.public(APPLICATION);
        let (data, bytes) = signer.assert(APPLICATION, UP_UV, b"x");
        let make = |data: &[u8]| Signature::from_assertion(&key, NAMESPACE, data, &bytes);
        assert!(make(&data).is_ok());

        let with_extensions = [&data[..32], &[0x85], &data[33..], &[0xa0]].concat();
        assert_eq!(make(&with_extensions), Err(MalformedAssertion::NotPlain));
        assert!(make(&data[..36]).is_err());
        assert!(make(&[&data[..], &[0]].concat()).is_err());
        for promise in [0x45, 0x85] {
            assert!(make(&[&data[..32], &[promise], &data[33..]].concat()).is_err());
        }
        for signature in [&[][..], &bytes[1..], &[bytes.as_slice(), &[0]].concat()] {
            let made = Signature::from_assertion(&key, NAMESPACE, &data, signature);
            assert_eq!(made, Err(MalformedAssertion::Signature));
        }
        for namespace in ["", "two words", "line\nbreak", &"n".repeat(256)] {
            let made = Signature::from_assertion(&key, namespace, &data, &bytes);
            assert_eq!(made, Err(MalformedAssertion::Namespace));
        }
    }
}

#[test]
fn a_silent_assertion_is_verified_without_a_touch() {
    for signer in Signer::both() {
        let key = signer.public(APPLICATION);
        let (data, bytes) = signer.assert(APPLICATION, 0x00, b"challenge");
        let facts = verify_assertion(&key, &data, &bytes, b"challenge").unwrap();
        assert_eq!((facts.flags.bits(), facts.counter), (0, 77));
        let refused = verify_assertion(&key, &data, &bytes, b"another challenge");
        assert_eq!(refused, Err(AssertionRefusal::BadSignature));
        let other = Signer::p256().public(APPLICATION);
        assert!(verify_assertion(&other, &data, &bytes, b"challenge").is_err());
        let elsewhere = signer.public("ssh:");
        let refused = verify_assertion(&elsewhere, &data, &bytes, b"challenge");
        assert_eq!(refused, Err(AssertionRefusal::Malformed(MalformedAssertion::OtherApplication)));
    }
}

#[test]
fn a_key_whose_point_is_not_on_the_curve_verifies_nothing() {
    let signer = Signer::p256();
    let signature = signer.sign(UP_UV);
    let broken =
        PublicKey::from_credential(&CosePublicKey::P256 { x: [1; 32], y: [1; 32] }, APPLICATION);
    let broken = broken.unwrap();
    let mut forged = signature;
    forged.public_key = broken.clone();
    let refused = forged.verify(&broken, NAMESPACE, MESSAGE, UserVerificationRule::Required);
    assert_eq!(refused, Err(Refusal::BadSignature));
}
