//! The one form that a signature and a key have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

/// Changes the bytes within the armour, and armours them again.
fn with_blob(armor: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut blob = armor::unwrap(armor).unwrap();
    change(&mut blob);
    armor::wrap(&blob)
}

/// Replaces the one place where `old` stands by `new`.
fn replace(bytes: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    let places: Vec<_> =
        (0..bytes.len()).filter(|place| bytes[*place..].starts_with(old)).collect();
    let [place] = places[..] else { panic!("found at {places:?}") };
    bytes.splice(place..place + old.len(), new.iter().copied());
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut writer = wire::Writer::default();
    writer.string(bytes);
    writer.into_bytes()
}

#[test]
fn armour_that_is_wrapped_at_another_column_is_refused() {
    let armor = Signer::p256().sign(UP_UV).to_armor();
    let letters: Vec<char> =
        armor.lines().filter(|line| !line.starts_with('-')).flat_map(str::chars).collect();
    let wrapped = |columns: usize| {
        let lines: Vec<String> =
            letters.chunks(columns).map(|line| line.iter().collect()).collect();
        format!(
            "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
            lines.join("\n")
        )
    };
    assert_eq!(wrapped(70), armor);
    for columns in [64, 69, 71, 76, 4000] {
        let refused = Signature::from_armor(&wrapped(columns));
        assert_eq!(refused, Err(MalformedSignature::Armor), "{columns}");
    }
}

#[test]
fn text_before_between_or_after_the_armour_is_refused() {
    let armor = Signer::ed25519().sign(UP_UV).to_armor();
    for text in [
        String::new(),
        format!("\n{armor}"),
        format!("x{armor}"),
        format!("{armor}\n"),
        format!("{armor}x"),
        format!("{armor}{armor}"),
        armor.trim_end().to_owned(),
        armor.replace('\n', "\r\n"),
        armor.replacen("-----\n", "-----\n\n", 1),
        armor.replacen("-----\n", "-----\n \n", 1),
        armor.replacen("-----\n", "-----\nComment: x\n", 1),
        armor.replacen("\n-----END", "\n\n-----END", 1),
        armor.replacen("\n-----END", "=\n-----END", 1),
        armor.replacen("\n-----END", "\nAAAA\n-----END", 1),
        armor.replace("SSH SIGNATURE", "PGP SIGNATURE"),
        "A".repeat(5000),
    ] {
        assert!(Signature::from_armor(&text).is_err(), "{text}");
    }
}

#[test]
fn bytes_after_any_field_are_refused() {
    for signer in Signer::both() {
        let signature = signer.sign(UP_UV);
        let armor = signature.to_armor();
        let blob = armor::unwrap(&armor).unwrap();
        let after_all = with_blob(&armor, |blob| blob.push(0));
        assert_eq!(Signature::from_armor(&after_all), Err(MalformedSignature::Field("end")));

        let key = signature.public_key.to_blob();
        let after_key = with_blob(&armor, |blob| {
            replace(blob, &string(&key), &string(&[key.as_slice(), &[0]].concat()));
        });
        assert_eq!(
            Signature::from_armor(&after_key),
            Err(MalformedSignature::PublicKey(MalformedPublicKey::Blob))
        );

        let start = blob.windows(6).rposition(|window| window == b"sha512").unwrap() + 6;
        let inner = &blob[start + 4..];
        let after_inner = with_blob(&armor, |blob| {
            let longer = string(&[inner, &[0]].concat());
            blob.splice(start.., longer);
        });
        assert_eq!(
            Signature::from_armor(&after_inner),
            Err(MalformedSignature::Field("inner signature"))
        );
    }
}

#[test]
fn numbers_that_are_not_minimal_are_refused() {
    let signer = Signer::p256();
    let mut signature = signer.sign(UP_UV);
    // Two numbers whose form in the blob is easy to find.
    signature.assertion.signature = [[0x11; 32], [0x22; 32]].concat().try_into().unwrap();
    let armor = signature.to_armor();
    assert_eq!(Signature::from_armor(&armor).as_ref(), Ok(&signature));
    let (r, s) = (string(&[0x11; 32]), string(&[0x22; 32]));
    let numbers = |r: &[u8], s: &[u8]| {
        with_blob(&armor, |blob| {
            let kind = string(KeyKind::EcdsaP256Sk.name().as_bytes());
            let start = blob.windows(6).rposition(|window| window == b"sha512").unwrap() + 6;
            let inner =
                [&kind[..], &string(&[r, s].concat()), &[UP_UV], &77_u32.to_be_bytes()].concat();
            blob.splice(start.., string(&inner));
        })
    };
    assert_eq!(numbers(&r, &s), armor);
    let long_r = string(&[&[0][..], &[0x11; 32]].concat());
    let negative_s = string(&[0x82; 32]);
    let huge_s = string(&[0x22; 33]);
    for (r, s) in [
        (&long_r, &s),
        (&r, &negative_s),
        (&r, &huge_s),
        (&r, &string(&[])),
        (&r, &string(&[0])),
        (&r, &[s.as_slice(), &[0]].concat()),
        (&r, &vec![]),
    ] {
        let refused = Signature::from_armor(&numbers(r, s));
        assert_eq!(refused, Err(MalformedSignature::Field("inner signature")));
    }
}

#[test]
fn fields_with_other_values_are_refused() {
    let armor = Signer::ed25519().sign(UP_UV).to_armor();
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        Signature::from_armor(&with_blob(&armor, |blob| change(blob))).unwrap_err()
    };
    assert_eq!(
        refused(&|blob| replace(blob, &string(b"sha512"), &string(b"sha256"))),
        MalformedSignature::HashAlgorithm
    );
    assert_eq!(
        refused(&|blob| {
            let reserved = [string(b""), string(b"sha512")].concat();
            replace(blob, &reserved, &[string(b"x"), string(b"sha512")].concat());
        }),
        MalformedSignature::Field("reserved field")
    );
    assert_eq!(
        refused(&|blob| replace(blob, &string(NAMESPACE.as_bytes()), &string(b""))),
        MalformedSignature::Field("namespace")
    );
    assert_eq!(
        refused(&|blob| replace(blob, &string(NAMESPACE.as_bytes()), &string(b"a\nb"))),
        MalformedSignature::Field("namespace")
    );
    assert_eq!(
        refused(&|blob| replace(blob, b"SSHSIG\0\0\0\x01", b"SSHSIG\0\0\0\x02")),
        MalformedSignature::Version
    );
    assert_eq!(
        refused(&|blob| replace(blob, b"SSHSIG\0", b"SSHSIH\0")),
        MalformedSignature::Version
    );
    for promise in [0x45, 0x85] {
        assert_eq!(
            refused(&|blob| {
                let flags = blob.len() - 5;
                blob[flags] = promise;
            }),
            MalformedSignature::NotPlain
        );
    }
}

#[test]
fn a_signature_of_another_type_than_its_key_is_refused() {
    let armor = Signer::ed25519().sign(UP_UV).to_armor();
    for other in ["ssh-ed25519", "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ssh-ed25519"] {
        let changed = with_blob(&armor, |blob| {
            let start = blob.windows(6).rposition(|window| window == b"sha512").unwrap() + 6;
            let name = string(KeyKind::Ed25519Sk.name().as_bytes());
            let inner = [&string(other.as_bytes())[..], &blob[start + 4 + name.len()..]].concat();
            blob.splice(start.., string(&inner));
        });
        assert_eq!(Signature::from_armor(&changed), Err(MalformedSignature::Type));
    }
    let plain_key = with_blob(&armor, |blob| {
        let start = 10;
        let end = start + 4 + Signer::ed25519().public(APPLICATION).to_blob().len();
        blob.splice(start..end, string(&[string(b"ssh-ed25519"), string(&[1; 32])].concat()));
    });
    assert_eq!(
        Signature::from_armor(&plain_key),
        Err(MalformedSignature::PublicKey(MalformedPublicKey::Type))
    );
}

#[test]
fn a_key_has_one_line() {
    for signer in Signer::both() {
        let line = signer.public(APPLICATION).to_line();
        assert_eq!(PublicKey::from_line(&line), Ok(signer.public(APPLICATION)));
        let (name, base64) = line.split_once(' ').unwrap();
        let blob = STANDARD.decode(base64).unwrap();
        let longer = STANDARD.encode([blob.as_slice(), &[0]].concat());
        for other in [
            String::new(),
            base64.to_owned(),
            format!("{line} comment"),
            format!("{line}\n"),
            format!("{line} "),
            format!(" {line}"),
            format!("{name}  {base64}"),
            format!("ssh-ed25519 {base64}"),
            format!("{name} {longer}"),
            format!("{name} {}", base64.trim_end_matches('=').trim_end_matches('w')),
            format!("{name} {}", "A".repeat(2000)),
        ] {
            assert!(PublicKey::from_line(&other).is_err(), "{other}");
        }
    }
    let ed25519 = Signer::ed25519().public(APPLICATION).to_line();
    let (_, base64) = ed25519.split_once(' ').unwrap();
    let mislabelled = format!("{} {base64}", KeyKind::EcdsaP256Sk);
    assert_eq!(PublicKey::from_line(&mislabelled), Err(MalformedPublicKey::Line));
}

#[test]
fn an_application_is_a_plain_word() {
    let material = CosePublicKey::Ed25519([1; 32]);
    for application in ["", "a b", "a\nb", "é", "a\0", &"a".repeat(256)] {
        let refused = PublicKey::from_credential(&material, application);
        assert_eq!(refused, Err(MalformedPublicKey::Application), "{application:?}");
    }
    let longest = PublicKey::from_credential(
        &CosePublicKey::P256 { x: [1; 32], y: [2; 32] },
        &"a".repeat(255),
    );
    assert!(PublicKey::from_line(&longest.unwrap().to_line()).is_ok());
}

#[test]
fn the_longest_signature_fits_its_bounds() {
    let signer = Signer::p256();
    let word = "w".repeat(255);
    let (data, bytes) = signer.assert(&word, UP_UV, &signed_data(&word, MESSAGE));
    let signature = Signature::from_assertion(&signer.public(&word), &word, &data, &bytes);
    let signature = signature.unwrap();
    assert_eq!(Signature::from_armor(&signature.to_armor()), Ok(signature));
}

proptest! {
    #[test]
    fn armour_comes_back_as_it_was(
        bytes in any::<[u8; 32]>(),
        more in any::<[u8; 32]>(),
        flags in any::<u8>(),
        counter in any::<u32>(),
        application in "[!-~]{1,255}",
        namespace in "[!-~]{1,255}",
        is_p256 in any::<bool>(),
    ) {
        prop_assume!(bytes != [0; 32] && more != [0; 32]);
        let material = if is_p256 {
            CosePublicKey::P256 { x: bytes, y: more }
        } else {
            CosePublicKey::Ed25519(bytes)
        };
        let signature = Signature {
            public_key: PublicKey::from_credential(&material, &application).unwrap(),
            namespace,
            assertion: assertion::PlainAssertion {
                flags: crate::webauthn::Flags::from_bits(flags & 0x3f),
                counter,
                signature: [bytes, more].concat().try_into().unwrap(),
            },
        };
        prop_assert_eq!(Signature::from_armor(&signature.to_armor()), Ok(signature));
    }

    #[test]
    fn no_blob_makes_the_reader_panic(blob in prop::collection::vec(any::<u8>(), 0..500)) {
        let _ = Signature::from_armor(&armor::wrap(&blob));
        let line = format!("{} {}", KeyKind::EcdsaP256Sk, STANDARD.encode(&blob));
        let _ = PublicKey::from_line(&line);
        let key = Signer::ed25519().public(APPLICATION);
        let _ = verify_assertion(&key, &blob, &blob, &blob);
    }

    #[test]
    fn a_changed_byte_is_noticed(place in any::<prop::sample::Index>(), change in 1_u8..) {
        let signer = Signer::ed25519();
        let changed = with_blob(&signer.sign(UP_UV).to_armor(), |blob| {
            let place = place.index(blob.len());
            blob[place] ^= change;
        });
        let accepted = Signature::from_armor(&changed).is_ok_and(|s| signer.verify(&s).is_ok());
        prop_assert!(!accepted);
    }

    #[test]
    fn a_changed_letter_is_noticed(place in any::<prop::sample::Index>(), letter in "[ -~\\n]") {
        let signer = Signer::ed25519();
        let armor = signer.sign(UP_UV).to_armor();
        let place = place.index(armor.len());
        let mut changed = armor.clone();
        changed.replace_range(place..=place, &letter);
        prop_assume!(changed != armor);
        let accepted = Signature::from_armor(&changed).is_ok_and(|s| signer.verify(&s).is_ok());
        prop_assert!(!accepted);
    }
}
