use base64::Engine as _;
use proptest::prelude::*;

use super::*;
use crate::vault::cipher::stock_age::StockAge;

/// An identity of fixed bytes.
pub(in crate::vault) fn identity(number: u8) -> AgeIdentity {
    AgeIdentity::generate(&mut |bytes| bytes.fill(number)).unwrap()
}

/// The recipient of [`identity`].
pub(in crate::vault) fn recipient(number: u8) -> Recipient {
    identity(number).recipient().clone()
}

fn bech32_text(prefix: &str, data: &[u8]) -> String {
    bech32::encode::<Bech32>(Hrp::parse(prefix).unwrap(), data).unwrap()
}

#[test]
fn an_identity_is_read_as_it_is_written() {
    let generated = AgeIdentity::generate(&mut |bytes| bytes.fill(9)).unwrap();
    let read = AgeIdentity::parse(generated.expose_line()).unwrap();
    assert_eq!(read.expose_line(), generated.expose_line());
    assert_eq!(read.recipient(), generated.recipient());
    // The pair that age's own tests use.
    let known = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    assert_eq!(
        AgeIdentity::parse(known).unwrap().recipient().as_str(),
        "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"
    );
}

#[test]
fn stock_age_keygen_agrees_on_the_recipient() {
    let stock = StockAge::new();
    let theirs = String::from_utf8(stock.run("age-keygen", &[], b"").unwrap()).unwrap();
    let line = theirs.lines().last().unwrap();
    let public = theirs.lines().find_map(|l| l.strip_prefix("# public key: ")).unwrap();
    let identity = AgeIdentity::parse(line).unwrap();
    assert_eq!(identity.recipient().as_str(), public);
    assert_eq!(identity.expose_line(), line);

    let ours = format!("{}\n", super::tests::identity(3).expose_line());
    let public = stock.run("age-keygen", &["-y"], ours.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(public).unwrap().trim_end(), recipient(3).as_str());
}

#[test]
fn an_identity_has_one_form() {
    let line = identity(1).expose_line().to_owned();
    for (text, wanted) in [
        (line.to_lowercase(), AgeIdentityError::Malformed),
        (format!("{line}\n"), AgeIdentityError::Malformed),
        (format!(" {line}"), AgeIdentityError::Malformed),
        (line[..73].to_owned(), AgeIdentityError::Malformed),
        (line.replace("KEY-1", "KEY-l"), AgeIdentityError::Malformed),
        (String::new(), AgeIdentityError::Malformed),
        (recipient(1).to_string(), AgeIdentityError::Malformed),
        ("AGE-PLUGIN-FIDO2PRF-1QQ".to_owned(), AgeIdentityError::Plugin),
        ("AGE-SECRET-KEY-PQ-1QQ".to_owned(), AgeIdentityError::PostQuantum),
        (bech32_text("age-secret-key-", &[1; 31]).to_uppercase(), AgeIdentityError::Malformed),
    ] {
        assert_eq!(AgeIdentity::parse(&text).unwrap_err(), wanted, "{text:?}");
    }
    for position in 0..line.len() {
        let mut typo = line.clone().into_bytes();
        typo[position] = if typo[position] == b'Q' { b'P' } else { b'Q' };
        assert!(AgeIdentity::parse(std::str::from_utf8(&typo).unwrap()).is_err());
    }
}

#[test]
fn a_recipient_has_one_form() {
    let text = recipient(1).to_string();
    assert_eq!(Recipient::parse(&text).unwrap(), recipient(1));
    assert_eq!(text.parse::<Recipient>().unwrap().to_string(), text);
    for other in [text.to_uppercase(), format!("{text}\n"), format!(" {text}")] {
        assert_eq!(Recipient::parse(&other).unwrap_err(), RecipientError::NotCanonical);
    }
    let mixed = text.replacen('n', "N", 1);
    assert_ne!(mixed, text);
    assert_eq!(Recipient::parse(&mixed).unwrap_err(), RecipientError::NotCanonical);

    // The same 32 bytes with stray bits in the padding, and coordinates that aren't reduced.
    let mut letters: Vec<_> = [5_u8; 32].into_iter().bytes_to_fes().collect();
    let last = letters.pop().unwrap();
    letters.push(bech32::Fe32::try_from(last.to_u8() | 1).unwrap());
    let padded: String =
        letters.into_iter().with_checksum::<Bech32>(&Hrp::parse("age").unwrap()).chars().collect();
    assert_eq!(Recipient::parse(&padded).unwrap_err(), RecipientError::Malformed);
    for (lowest, highest) in [(0xed, 0x7f), (0xff, 0x7f), (0x00, 0x80), (0x09, 0x80)] {
        let mut point = if highest == 0x7f { [0xff; 32] } else { [0; 32] };
        (point[0], point[31]) = (lowest, highest);
        let text = bech32_text("age", &point);
        assert_eq!(Recipient::parse(&text).unwrap_err(), RecipientError::Malformed);
    }
}

#[test]
fn other_kinds_of_recipient_are_refused_in_plain_words() {
    for (text, wanted) in [
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA".to_owned(), RecipientError::Ssh),
        ("ssh-rsa AAAA".to_owned(), RecipientError::Ssh),
        ("sk-ssh-ed25519@openssh.com AAAA".to_owned(), RecipientError::Ssh),
        ("ecdsa-sha2-nistp256 AAAA".to_owned(), RecipientError::Ssh),
        (bech32_text("age1tag", &[2; 33]), RecipientError::Tagged),
        (bech32_text("age1tagpq", &[2; 40]), RecipientError::Tagged),
        (bech32_text("age1pq", &[2; 40]), RecipientError::PostQuantum),
        (bech32_text("age1yubikey", &[2; 33]), RecipientError::Plugin),
        (identity(1).expose_line().to_owned(), RecipientError::Secret),
        (identity(1).expose_line().to_lowercase(), RecipientError::Secret),
        ("AGE-PLUGIN-FIDO2PRF-1QQ".to_owned(), RecipientError::Secret),
        (bech32_text("age", &[2; 31]), RecipientError::Malformed),
        (bech32_text("age", &[2; 33]), RecipientError::Malformed),
        ("age1".to_owned(), RecipientError::Malformed),
        (String::new(), RecipientError::Malformed),
        ("alice@example.org".to_owned(), RecipientError::Malformed),
        ("age1é".to_owned(), RecipientError::Malformed),
        ("1".repeat(100_000), RecipientError::Malformed),
    ] {
        assert_eq!(Recipient::parse(&text).unwrap_err(), wanted, "{text:?}");
    }
}

/// age 0.12 panics when it encrypts to one of these.
#[test]
fn a_recipient_that_anybody_can_open_for_is_refused() {
    for point in SMALL_ORDER {
        let text = bech32_text("age", &point);
        assert_eq!(Recipient::parse(&text).unwrap_err(), RecipientError::Weak);
        // age's own judgement: its identity refuses such a share outright, where it takes any
        // other for somebody else's.
        let stanza = |share: [u8; 32]| age_core::format::Stanza {
            tag: "X25519".to_owned(),
            args: vec![base64::engine::general_purpose::STANDARD_NO_PAD.encode(share)],
            body: vec![0; 32],
        };
        let age = identity(1);
        assert!(age::Identity::unwrap_stanza(age.as_age(), &stanza(point)).is_some());
        assert!(age::Identity::unwrap_stanza(age.as_age(), &stanza([9; 32])).is_none());
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", tail in "[a-z0-9]{0,70}") {
        let _ = Recipient::parse(&text);
        let _ = AgeIdentity::parse(&text);
        let (public, secret) = (format!("age1{tail}"), format!("AGE-SECRET-KEY-1{tail}"));
        prop_assert!(Recipient::parse(&public).is_err());
        prop_assert!(AgeIdentity::parse(&secret).is_err());
    }

    #[test]
    fn any_key_is_read_as_it_is_written(seed in any::<[u8; 32]>()) {
        let made = AgeIdentity::generate(&mut |bytes| bytes.copy_from_slice(&seed)).unwrap();
        let read = AgeIdentity::parse(made.expose_line()).unwrap();
        prop_assert_eq!(read.expose_line(), made.expose_line());
        prop_assert_eq!(&Recipient::parse(made.recipient().as_str()).unwrap(), made.recipient());
    }
}
