use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::vault::cipher::Recipient;
use crate::webauthn::CredentialId;

/// What a security key with this secret gives for two salts (CTAP 2.1, section 12.5: HMAC-SHA-256
/// over each with the credential's CredRandom).
pub(in crate::vault) fn key_output(cred_random: u8, salts: &HmacSecretSalts) -> HmacSecretOutput {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[cred_random; 32]);
    let mut output = [0; 64];
    output[..32].copy_from_slice(hmac::sign(&key, &salts.first).as_ref());
    output[32..].copy_from_slice(hmac::sign(&key, &salts.second).as_ref());
    HmacSecretOutput::take_from(&mut output)
}

const KNOWN_NONCE: [u8; NONCE] = *b"0123456789abcdef";

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    seal(plaintext, KNOWN_NONCE, &key_output(0x42, &salts(KNOWN_NONCE))).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file with the stanzas given, sealed under an output of ours.
fn with_recipients(recipients: &[&dyn age::Recipient]) -> Vec<u8> {
    cipher::seal(b"secret", recipients).unwrap()
}

fn wrap(nonce: u8) -> Wrap {
    let nonce = [nonce; NONCE];
    Wrap { nonce, key: wrapping_key(&key_output(0x42, &salts(nonce))) }
}

/// A recipient that writes a stanza of the test's choosing.
struct Odd(fn(&FileKey) -> Stanza);

impl age::Recipient for Odd {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        Ok((vec![(self.0)(file_key)], HashSet::new()))
    }
}

/// The known answer: a CredRandom of 32 bytes 42 and a file key of 16 bytes 07, as npm typage
/// 0.3.0 computes it.
#[test]
fn the_known_answer_of_the_stanza() {
    let output = key_output(0x42, &salts(KNOWN_NONCE));
    let key = wrapping_key(&output);
    assert_eq!(
        hex(key.as_slice()),
        "55434298f04e24cffc22af0bdd9942b62cc1091e290274c42203905eddc2c55d"
    );
    let file_key = FileKey::new(Box::new([7; 16]));
    let (stanzas, labels) =
        age::Recipient::wrap_file_key(&Wrap { nonce: KNOWN_NONCE, key }, &file_key).unwrap();
    let [stanza] = stanzas.as_slice() else { panic!("one stanza") };
    assert_eq!(stanza.tag, "age-encryption.org/fido2prf");
    assert_eq!(stanza.args, ["MDEyMzQ1Njc4OWFiY2RlZg"]);
    assert_eq!(STANDARD_NO_PAD.encode(&stanza.body), "NW0JwO53Fr1uqkS5QUADRb5abCVwECX1C7uRV4QZUDY");
    assert!(labels.is_empty());
}

#[test]
fn a_sealed_file_opens_with_the_same_key_and_one_request() {
    let file = sealed(b"a personal identity");
    let nonce = nonce_of(&file).unwrap();
    assert_eq!(nonce, KNOWN_NONCE);
    let output = key_output(0x42, &salts(nonce));
    assert_eq!(**open(&file, &output, 100).unwrap(), *b"a personal identity");
}

/// Files that npm typage 0.3.0 has sealed, with CredRandom 32 times 42.
#[test]
fn a_file_that_typage_sealed_opens() {
    for (file, plaintext) in TYPAGE_FILES {
        let file = STANDARD.decode(file).unwrap();
        let output = key_output(0x42, &salts(nonce_of(&file).unwrap()));
        assert_eq!(**open(&file, &output, 1000).unwrap(), *plaintext.as_bytes());
    }
}

#[test]
fn another_key_is_told_so() {
    let file = sealed(b"x");
    let other = key_output(0x43, &salts(KNOWN_NONCE));
    assert!(matches!(open(&file, &other, 100), Err(Fido2PrfError::WrongKey)));
    let other_nonce = key_output(0x42, &salts([1; NONCE]));
    assert!(matches!(open(&file, &other_nonce, 100), Err(Fido2PrfError::WrongKey)));
}

#[test]
fn a_file_has_exactly_one_stanza_and_no_other_way_in() {
    let output = key_output(0x42, &salts([1; NONCE]));
    let refused = |file: &[u8]| {
        let error = nonce_of(file).unwrap_err();
        assert_eq!(error.to_string(), open(file, &output, 100).unwrap_err().to_string());
        error
    };
    let one = with_recipients(&[&wrap(1)]);
    assert_eq!(**open(&one, &output, 100).unwrap(), *b"secret");

    let two = with_recipients(&[&wrap(1), &wrap(2)]);
    assert!(matches!(refused(&two), Fido2PrfError::SeveralStanzas));

    let somebody: age::x25519::Recipient = x25519_recipient();
    let with_somebody = with_recipients(&[&wrap(1), &somebody]);
    assert!(matches!(refused(&with_somebody), Fido2PrfError::OtherRecipient));
    let unknown = Odd(|_| Stanza { tag: "new".to_owned(), args: vec![], body: vec![] });
    let with_unknown = with_recipients(&[&wrap(1), &unknown]);
    assert!(matches!(refused(&with_unknown), Fido2PrfError::OtherRecipient));

    let none = with_recipients(&[&somebody]);
    assert!(matches!(refused(&none), Fido2PrfError::NoStanza));
    let passphrase = age::scrypt::Recipient::new("p".to_owned().into());
    assert!(matches!(refused(&quick(passphrase)), Fido2PrfError::NoStanza));
    assert!(matches!(refused(b"nothing"), Fido2PrfError::File(OpenError::NotAge)));
}

fn x25519_recipient() -> age::x25519::Recipient {
    let text = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    Recipient::parse(text).unwrap().as_str().parse().unwrap()
}

fn quick(mut recipient: age::scrypt::Recipient) -> Vec<u8> {
    recipient.set_work_factor(1);
    with_recipients(&[&recipient])
}

/// age adds a grease stanza of random length to each file; a peer's file may have none.
#[test]
fn grease_is_no_way_in() {
    let mut greased = 0;
    for _ in 0..50 {
        let file = sealed(b"x");
        nonce_of(&file).unwrap();
        let stanzas = cipher::stanzas(&file).unwrap();
        greased += stanzas.iter().filter(|stanza| stanza.tag.ends_with("-grease")).count();
    }
    assert_eq!(greased, 50);
}

#[test]
fn a_malformed_stanza_is_refused() {
    fn stanza(args: &[&str], body: usize) -> Stanza {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Stanza { tag: LABEL.to_owned(), args, body: vec![0; body] }
    }
    const GOOD: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
    for odd in [
        Odd(|_| stanza(&[], BODY)),
        Odd(|_| stanza(&[GOOD, GOOD], BODY)),
        Odd(|_| stanza(&["MDEyMzQ1Njc4OWFiY2RlZg=="], BODY)),
        Odd(|_| stanza(&["MDEyMzQ1Njc4OWFiY2RlZh"], BODY)),
        Odd(|_| stanza(&["MDEyMzQ1Njc4OWFiY2Rl"], BODY)),
        Odd(|_| stanza(&["!"], BODY)),
        Odd(|_| stanza(&[GOOD], BODY - 1)),
        Odd(|_| stanza(&[GOOD], BODY + 1)),
        Odd(|_| stanza(&[GOOD], 0)),
    ] {
        let file = with_recipients(&[&odd]);
        assert!(matches!(nonce_of(&file), Err(Fido2PrfError::MalformedStanza)));
    }
    let well_formed = with_recipients(&[&Odd(|_| stanza(&[GOOD], BODY))]);
    let output = key_output(0x42, &salts(nonce_of(&well_formed).unwrap()));
    assert!(matches!(open(&well_formed, &output, 100), Err(Fido2PrfError::WrongKey)));
}

#[test]
fn every_flipped_bit_is_refused() {
    let file = sealed(b"secret");
    let output = key_output(0x42, &salts(KNOWN_NONCE));
    for position in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[position] ^= 1 << bit;
            assert!(open(&damaged, &output, 100).is_err(), "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn more_than_the_limit_is_refused() {
    let output = key_output(0x42, &salts(KNOWN_NONCE));
    assert!(matches!(
        open(&sealed(&[0; 11]), &output, 10),
        Err(Fido2PrfError::File(OpenError::TooLarge { size: 11, limit: 10 }))
    ));
}

#[test]
fn nothing_shown_holds_the_output_or_the_plaintext() {
    let output = key_output(0x42, &salts(KNOWN_NONCE));
    let secrets = [hex(&output.expose()[..16]), format!("{:?}", &output.expose()[..4])];
    let file = sealed(b"CANARY");
    let mut shown = format!("{output:?}");
    for position in 0..file.len() {
        let mut damaged = file.clone();
        damaged[position] ^= 1;
        let error = open(&damaged, &output, 100).unwrap_err();
        shown += &format!("{error} {error:?}");
    }
    for secret in secrets.iter().map(String::as_str).chain(["CANARY"]) {
        assert!(!shown.contains(secret.trim_matches(['[', ']'])));
    }
}

/// Strings that typage 0.3.0 made of the same credential.
#[test]
fn the_plugin_identity_is_the_peers() {
    let credential = CredentialId::new((0..48).collect::<Vec<u8>>()).unwrap();
    assert_eq!(plugin_identity(&credential, "keymuster"), TYPAGE_IDENTITY);
    let read = PluginIdentity::parse(TYPAGE_IDENTITY).unwrap();
    assert_eq!(read.credential, credential);
    assert_eq!(read.application, "keymuster");
    assert_eq!(read.transports, ["usb"]);
    // Two transports, and none; a credential id of 300 bytes.
    let read = PluginIdentity::parse(TYPAGE_IDENTITY_LONG).unwrap();
    assert_eq!(read.credential.as_bytes(), [0xa5; 300]);
    assert_eq!(read.application, "example.org");
    assert_eq!(read.transports, ["nfc", "usb"]);
    assert_eq!(read.to_string(), TYPAGE_IDENTITY_LONG);
    let without = PluginIdentity { transports: vec![], ..read };
    assert_eq!(PluginIdentity::parse(&without.to_string()).unwrap(), without);
}

#[test]
fn a_plugin_identity_has_one_form() {
    let text = |prefix: &str, cbor: &[u8]| {
        age_core::primitives::bech32_encode(bech32::Hrp::parse(prefix).unwrap(), cbor)
            .to_uppercase()
    };
    let ours = "age-plugin-fido2prf-";
    let good = b"\x01\x41\x07\x63abc\x81\x63usb";
    PluginIdentity::parse(&text(ours, good)).unwrap();
    PluginIdentity::parse(&text(ours, b"\x01\x41\x07\x63abc\x80")).unwrap();
    use PluginIdentityError::{Malformed, NotFido2Prf, OtherVersion};
    for (text, wanted) in [
        (text(ours, good).to_lowercase(), NotFido2Prf),
        (text(ours, good) + "\n", NotFido2Prf),
        (text("age-plugin-yubikey-", good), NotFido2Prf),
        (String::new(), NotFido2Prf),
        ("A".repeat(10_000), NotFido2Prf),
        (text(ours, b"\x02\x41\x07\x63abc\x80"), OtherVersion),
        (text(ours, b"\x01\x41\x07\x63abc"), Malformed),
        (text(ours, b"\x01\x41\x07\x63abc\x80\x00"), Malformed),
        (text(ours, b"\x01\x40\x63abc\x80"), Malformed),
        (text(ours, b"\x01\x58\x01\x07\x63abc\x80"), Malformed),
        (text(ours, b"\x18\x01\x41\x07\x63abc\x80"), Malformed),
        (text(ours, b"\x01\x41\x07\x63ab\xff\x80"), Malformed),
        (text(ours, b"\x01\x41\x07\x63abc\x81\x01"), Malformed),
        (text(ours, b"\x01\x5f\x41\x07\xff\x63abc\x80"), Malformed),
        (text(ours, b"\x01\x5b\xff\xff\xff\xff\xff\xff\xff\xff"), Malformed),
        (text(ours, b"\x01\x41\x07\x63abc\x9b\xff\xff\xff\xff\xff\xff\xff\xff"), Malformed),
        (text(ours, &[0x9f; 1000]), Malformed),
        (text(ours, b""), Malformed),
    ] {
        assert_eq!(PluginIdentity::parse(&text).unwrap_err(), wanted, "{text}");
    }
}

proptest! {
    #[test]
    fn any_plugin_identity_is_read_as_it_is_written(
        id in proptest::collection::vec(any::<u8>(), 1..=CredentialId::MAX),
        application in "[a-z:.]{0,255}",
    ) {
        let credential = CredentialId::new(id).unwrap();
        let read = PluginIdentity::parse(&plugin_identity(&credential, &application)).unwrap();
        prop_assert_eq!(read.credential, credential);
        prop_assert_eq!(read.application, application);
    }

    #[test]
    fn any_file_survives(
        plaintext in proptest::collection::vec(any::<u8>(), 0..500),
        nonce in any::<[u8; NONCE]>(),
    ) {
        let output = key_output(1, &salts(nonce));
        let file = seal(&plaintext, nonce, &output).unwrap();
        prop_assert_eq!(nonce_of(&file).unwrap(), nonce);
        prop_assert_eq!(&**open(&file, &output, 500).unwrap(), &plaintext);
    }
}

/// What typage gave for the credential ids 00 01 … 2f and 300 bytes a5.
const TYPAGE_IDENTITY: &str = "\
    AGE-PLUGIN-FIDO2PRF-\
    1Q9VRQQQPQGPSGPGXQUYQJZSTPSXSURCSZYFPX9Q4ZCT3SXG6RVWP68SLYQSJYGEYY5NZW2PF9G4JCTFW9A5KKET\
    ED46HXAR9W2QKXATNVG9PNYZ0";
const TYPAGE_IDENTITY_LONG: &str = "\
    AGE-PLUGIN-FIDO2PRF-\
    1Q9VSZT995KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD\
    95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD\
    95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD\
    95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD\
    95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD\
    95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFD95KJ6TFTTV4UXZMTSD3JJUMMJV7PXXMNXVD3H2UMZEFURZ6";

/// Files from typage, in base64, and what they hold.
const TYPAGE_FILES: [(&str, &str); 2] = [
    (
        "\
         YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IGFnZS1lbmNyeXB0aW9uLm9yZy9maWRvMnByZiBXVEtMdURaVmRoa3dx\
         U2t4WE1XZmZRCmlTQWYyYXg2Q1RzYUttWlIwZUgzeFV3bGdVYlBqVlllUnJmTlR6VnY3RjQKLS0tIEx5aWEwK1ZD\
         bXBDZGNPbWtLOHBJcW5Gc1JsNlA0M1ZFQ3YyRDZCOE0ycUUK2auLMZFoTYKfuwGR53hFJyIockekQ+NpMlxzLOyi\
         /DGC20NoG3zRQhdAOXuZ958HGiFfVAxpALW2e0+hQB3jRS3V1vtU",
        "a personal identity, sealed by typage",
    ),
    (
        "\
         YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IGFnZS1lbmNyeXB0aW9uLm9yZy9maWRvMnByZiBvY2tiaUh0Ny9FVk1Z\
         cHFETXhTY3ZnCmdDNzVST2pTdUhVS3NaMFRWN3lCdnVTNFQ4Z2FtbkxTRVhub3lnYThueHMKLS0tIE9uVVZKSFpF\
         eDF6dEk3TkZycGVJSG8rQlduaktCWEJnTkNHMkJEbnpPYUkKCcwvv3XHqitybUcvk9MmDy78irlMi2JnJ2VTuogO\
         j9I=",
        "",
    ),
];
