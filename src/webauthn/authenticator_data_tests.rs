use proptest::prelude::*;

use super::*;

const UP_UV: u8 = 0x05;
const AT: u8 = 0x40;
const ED: u8 = 0x80;

fn ed25519_cose() -> Vec<u8> {
    let mut cose = vec![0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
    cose.extend([7; 32]);
    cose
}

fn p256_cose() -> Vec<u8> {
    let mut cose = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
    cose.extend([8; 32]);
    cose.extend([0x22, 0x58, 0x20]);
    cose.extend([9; 32]);
    cose
}

fn header(flags: u8) -> Vec<u8> {
    let mut data = vec![0xaa; 32];
    data.push(flags);
    data.extend(258_u32.to_be_bytes());
    data
}

fn with_credential(flags: u8, id: &[u8], cose: &[u8]) -> Vec<u8> {
    let mut data = header(flags | AT);
    data.extend([0x11; 16]);
    data.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
    data.extend(id);
    data.extend(cose);
    data
}

#[test]
fn plain_data_has_37_bytes_and_nothing_else() {
    let parsed = AuthenticatorData::parse(&header(UP_UV)).unwrap();
    assert_eq!(parsed.rp_id_hash, [0xaa; 32]);
    assert!(parsed.flags.up() && parsed.flags.uv());
    assert_eq!(parsed.counter, 258);
    assert_eq!(parsed.credential, None);
    for length in 0..AuthenticatorData::SHORT_LENGTH {
        let cut = &header(UP_UV)[..length];
        assert_eq!(AuthenticatorData::parse(cut), Err(Malformed::TooShort), "{length}");
    }
}

#[test]
fn bytes_that_no_flag_announces_are_refused() {
    let mut longer = header(UP_UV);
    longer.push(0);
    assert_eq!(AuthenticatorData::parse(&longer), Err(Malformed::TrailingBytes));
    let mut undeclared = with_credential(UP_UV, b"id", &ed25519_cose());
    undeclared.push(0xa0);
    assert_eq!(AuthenticatorData::parse(&undeclared), Err(Malformed::TrailingBytes));
}

#[test]
fn flags_that_announce_what_is_not_there_are_refused() {
    assert_eq!(AuthenticatorData::parse(&header(AT)), Err(Malformed::TooShort));
    assert_eq!(AuthenticatorData::parse(&header(ED)), Err(Malformed::TooShort));
    let no_extensions = with_credential(ED, b"id", &ed25519_cose());
    assert_eq!(AuthenticatorData::parse(&no_extensions), Err(Malformed::TooShort));
}

#[test]
fn both_kinds_of_credential_are_read() {
    let parsed = AuthenticatorData::parse(&with_credential(UP_UV, b"id", &ed25519_cose()));
    let credential = parsed.unwrap().credential.unwrap();
    assert_eq!(credential.aaguid, Aaguid([0x11; 16]));
    assert_eq!(credential.id.as_bytes(), b"id");
    assert_eq!(credential.public_key, CosePublicKey::Ed25519([7; 32]));

    let parsed = AuthenticatorData::parse(&with_credential(UP_UV, &[1; 1023], &p256_cose()));
    let credential = parsed.unwrap().credential.unwrap();
    assert_eq!(credential.public_key, CosePublicKey::P256 { x: [8; 32], y: [9; 32] });
}

#[test]
fn a_credential_that_is_cut_off_anywhere_is_refused() {
    let whole = with_credential(UP_UV, b"some id", &p256_cose());
    for length in 0..whole.len() {
        assert!(AuthenticatorData::parse(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_credential_id_of_no_or_too_many_bytes_is_refused() {
    let refused = |id: &[u8]| AuthenticatorData::parse(&with_credential(0, id, &p256_cose()));
    assert_eq!(refused(&[]), Err(Malformed::CredentialIdLength(0)));
    assert_eq!(refused(&[1; 1024]), Err(Malformed::CredentialIdLength(1024)));
    let mut announced_only = header(AT);
    announced_only.extend([0; 16]);
    announced_only.extend([0xff, 0xff, 1, 2, 3]);
    let outcome = AuthenticatorData::parse(&announced_only);
    assert_eq!(outcome, Err(Malformed::CredentialIdLength(0xffff)));
}

#[test]
fn keys_of_other_types_are_refused_as_such() {
    let parse = |cose: &[u8]| AuthenticatorData::parse(&with_credential(0, b"id", cose));
    let rsa = [&[0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x42, 1, 2, 0x21, 0x41, 3][..]];
    assert_eq!(parse(&rsa.concat()), Err(Malformed::PublicKeyType));
    let mut es256k = p256_cose();
    es256k[6] = 0x08;
    assert_eq!(parse(&es256k), Err(Malformed::PublicKeyType));
    let mut ed25519_as_es256 = ed25519_cose();
    ed25519_as_es256[4] = 0x26;
    assert_eq!(parse(&ed25519_as_es256), Err(Malformed::PublicKeyType));
}

#[test]
fn malformed_public_keys_are_refused() {
    let parse = |cose: &[u8]| AuthenticatorData::parse(&with_credential(0, b"id", cose));
    let mut repeated_member = ed25519_cose();
    repeated_member[0] = 0xa5;
    repeated_member.extend([0x03, 0x27]);
    let mut optional_member = ed25519_cose();
    optional_member[0] = 0xa5;
    optional_member.extend([0x04, 0x80]);
    let mut short_x = ed25519_cose();
    short_x[9] = 0x1f;
    short_x.pop();
    let mut compressed_point = p256_cose();
    compressed_point.truncate(42);
    compressed_point.extend([0x22, 0xf5]);
    for cose in [
        &[0xa0][..],
        &[0x01],
        &[0xff],
        &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xa1, 0x01, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &repeated_member,
        &optional_member,
        &short_x,
        &compressed_point,
    ] {
        assert_eq!(parse(cose), Err(Malformed::PublicKey), "{cose:02x?}");
    }
}

#[test]
fn deeply_nested_cbor_is_refused() {
    let mut cose = vec![0x81; 3000];
    cose.push(0x00);
    let outcome = AuthenticatorData::parse(&with_credential(0, b"id", &cose));
    assert_eq!(outcome, Err(Malformed::PublicKey));
}

#[test]
fn more_than_4096_bytes_are_not_looked_at() {
    assert_eq!(AuthenticatorData::parse(&vec![0; 4097]), Err(Malformed::TooLong));
}

#[test]
fn the_grant_of_hmac_secret_is_read_from_the_extension_outputs() {
    let data = |outputs: &[u8]| {
        let mut data = with_credential(UP_UV | ED, b"id", &p256_cose());
        data.extend(outputs);
        AuthenticatorData::parse(&data)
    };
    let outputs = |value: u8| [&[0xa1, 0x6b][..], b"hmac-secret", &[value]].concat();
    assert!(data(&outputs(0xf5)).unwrap().hmac_secret);
    assert!(!data(&outputs(0xf4)).unwrap().hmac_secret);
    assert!(!data(&[0xa0]).unwrap().hmac_secret);
    assert_eq!(data(&[0x80]), Err(Malformed::Extensions));
    assert_eq!(data(&[0xa1, 0x01, 0x02]), Err(Malformed::Extensions));
    assert_eq!(data(&[0xa0, 0x00]), Err(Malformed::TrailingBytes));
}

#[test]
fn an_aaguid_has_one_spelling() {
    let text = "00112233-4455-6677-8899-aabbccddeeff";
    let aaguid: Aaguid = text.parse().unwrap();
    assert_eq!(aaguid.0[..3], [0x00, 0x11, 0x22]);
    assert_eq!(aaguid.to_string(), text);
    for other in [
        "",
        "00112233445566778899aabbccddeeff",
        "00112233-4455-6677-8899-AABBCCDDEEFF",
        "0011223-34455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeefg",
        "00112233-4455-6677-8899-aabbccddee-f",
        "00112233-4455-6677-8899-aabbccddeeff ",
    ] {
        assert_eq!(other.parse::<Aaguid>(), Err(MalformedAaguid), "{other:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = AuthenticatorData::parse(&bytes);
    }

    #[test]
    fn no_cbor_makes_the_parser_panic(
        cbor in prop::collection::vec(any::<u8>(), 0..300),
        extensions in any::<bool>(),
    ) {
        let flags = if extensions { ED } else { 0 };
        let _ = AuthenticatorData::parse(&with_credential(flags, b"id", &cbor));
        let _ = AuthenticatorData::parse(&[header(ED), cbor].concat());
    }

    #[test]
    fn no_changed_byte_makes_the_parser_panic(at in any::<prop::sample::Index>(), byte: u8) {
        let mut data = with_credential(UP_UV, b"some id", &p256_cose());
        let at = at.index(data.len());
        data[at] = byte;
        let _ = AuthenticatorData::parse(&data);
    }
}
