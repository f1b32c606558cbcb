use proptest::prelude::*;

use super::*;
use crate::vault::cipher::stock_age::StockAge;
use crate::vault::cipher::{OpenError, encrypt};
use crate::vault::fido2prf::tests::key_output;
use crate::vault::fido2prf::{nonce_of, salts};
use crate::vault::passphrase::tests::typed;

const ALICE: IdentityName<'_> =
    IdentityName { vault: "01JD0000000000000000000000", custodian: "alice", generation: 2 };

fn key(number: u8) -> AgeIdentity {
    AgeIdentity::generate(&mut |bytes| bytes.fill(number)).unwrap()
}

fn alice() -> PersonalIdentity {
    PersonalIdentity::new(&ALICE, key(2))
}

/// The lines of alice's file, to be changed.
fn lines() -> Vec<String> {
    alice().to_text().lines().map(str::to_owned).collect()
}

fn read(lines: &[String]) -> Result<PersonalIdentity, KeyFileError> {
    PersonalIdentity::from_text((lines.join("\n") + "\n").as_bytes(), &ALICE)
}

#[test]
fn the_form_of_the_file() {
    let text = alice().to_text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "# keymuster identity",
            "# vault: 01JD0000000000000000000000",
            "# custodian: alice",
            "# generation: 2",
        ]
    );
    assert_eq!(lines[4], format!("# public key: {}", key(2).recipient()));
    assert_eq!(lines[5..], [key(2).expose_line()]);
    assert!(text.ends_with('\n'));
    assert_eq!(text.capacity(), text.len());
}

#[test]
fn a_file_is_read_as_it_is_written() {
    let read = PersonalIdentity::from_text(alice().to_text().as_bytes(), &ALICE).unwrap();
    assert_eq!(read.name(), ALICE);
    assert_eq!(read.to_text(), alice().to_text());
    assert_eq!(read.recipient(), key(2).recipient());
    assert_eq!(read.key().recipient(), key(2).recipient());
}

#[test]
fn anothers_identity_is_refused_by_name() {
    let text = alice().to_text();
    for (expected, wanted) in [
        (
            IdentityName { vault: "01JE", ..ALICE },
            "it is for vault 01JD0000000000000000000000, where vault 01JE was looked for",
        ),
        (
            IdentityName { custodian: "bob", ..ALICE },
            "it is for custodian alice, where custodian bob was looked for",
        ),
        (
            IdentityName { generation: 3, ..ALICE },
            "it is for generation 2, where generation 3 was looked for",
        ),
    ] {
        let error = PersonalIdentity::from_text(text.as_bytes(), &expected).unwrap_err();
        assert_eq!(error.to_string(), wanted);
    }
}

#[test]
fn a_line_that_differs_is_refused_by_number() {
    let secret = key(2).expose_line().to_owned();
    let public = format!("# public key: {}", key(2).recipient());
    for (number, line, wanted) in [
        (1, "# keymuster compartment", "line 1 should read # keymuster identity"),
        (1, "# keymuster identity ", "line 1 should read # keymuster identity"),
        (2, "# vault:01JD0000000000000000000000", "line 2 should read # vault:"),
        (2, "# vault: ", "line 2 should read # vault:"),
        (3, "# custodian: alice bob", "line 3 should read # custodian:"),
        (3, "# custodian: \u{202e}ecila", "line 3 should read # custodian:"),
        (3, &secret, "line 3 should read # custodian:"),
        (3, &format!("# custodian: {secret}"), "line 3 should read # custodian:"),
        (4, "# generation: 02", "line 4 should read # generation:"),
        (4, "# generation: 0", "line 4 should read # generation:"),
        (4, "# generation: -2", "line 4 should read # generation:"),
        (4, "# generation: 4294967296", "line 4 should read # generation:"),
        (5, &public.to_uppercase(), "line 5 should read # public key:"),
        (5, "# public key: age1qqqq", "line 5 should read # public key:"),
        (
            5,
            &format!("# public key: {}", key(3).recipient()),
            "line 5: the public key isn't that of the secret key after it",
        ),
        (6, "# a comment", "line 6 should read AGE-SECRET-KEY-1…"),
        (6, &secret.to_lowercase(), "line 6 should read AGE-SECRET-KEY-1…"),
        (6, &format!("{secret}\r"), "line 6 should read AGE-SECRET-KEY-1…"),
        (7, "", "line 7 should read nothing more"),
        (7, &secret, "line 7 should read nothing more"),
        (7, key(1).expose_line(), "line 7 should read nothing more"),
    ] {
        let mut lines = lines();
        lines.resize(lines.len().max(number), String::new());
        lines[number - 1] = line.to_owned();
        assert_eq!(read(&lines).unwrap_err().to_string(), wanted, "{line:?}");
    }
}

#[test]
fn a_file_that_is_cut_short_or_drawn_out_is_refused() {
    let text = alice().to_text();
    for length in 0..text.len() {
        assert!(PersonalIdentity::from_text(&text.as_bytes()[..length], &ALICE).is_err());
    }
    for tail in ["\n", " ", "#", "# \n"] {
        let longer = format!("{}{tail}", *text);
        assert!(PersonalIdentity::from_text(longer.as_bytes(), &ALICE).is_err());
    }
    assert!(matches!(PersonalIdentity::from_text(&[0xff], &ALICE), Err(KeyFileError::NotText)));
    assert_eq!(
        PersonalIdentity::from_text(&vec![b'\n'; MAX_IDENTITY + 1], &ALICE).unwrap_err(),
        KeyFileError::TooLong { size: MAX_IDENTITY + 1, limit: MAX_IDENTITY }
    );
}

#[test]
fn it_opens_with_the_security_key_it_was_sealed_to() {
    let nonce = [5; 16];
    let file = alice().seal_to_key(nonce, &key_output(1, &salts(nonce))).unwrap();
    let output = key_output(1, &salts(nonce_of(&file).unwrap()));
    let opened = PersonalIdentity::open_with_key(&file, &output, &ALICE).unwrap();
    assert_eq!(opened.to_text(), alice().to_text());
    let other = key_output(2, &salts(nonce));
    let error = PersonalIdentity::open_with_key(&file, &other, &ALICE).unwrap_err();
    assert!(matches!(error, IdentityError::Key(Fido2PrfError::WrongKey)));
    let bob = IdentityName { custodian: "bob", ..ALICE };
    let error = PersonalIdentity::open_with_key(&file, &output, &bob).unwrap_err();
    assert!(matches!(error, IdentityError::Contents(KeyFileError::Other { .. })));
}

/// The way back in without us: the paper copy opens in stock age, what it holds opens the rest.
#[test]
fn stock_age_opens_the_paper_copy_and_everything_after_it() {
    let stock = StockAge::new();
    let words = "zoo abandon ability able about above absent absorb abstract absurd";
    let paper = alice().seal_to_passphrase(&typed(words)).unwrap();
    let opened = PersonalIdentity::open_with_passphrase(&paper, &typed(words), &ALICE).unwrap();
    assert_eq!(opened.to_text(), alice().to_text());

    stock.write("alice.paper.2.age", paper);
    let typed_in = format!("{}\n", typed(words).expose());
    stock.run_typing("age -d -o me.txt alice.paper.2.age", &typed_in).unwrap();
    assert_eq!(stock.read("me.txt"), alice().to_text().as_bytes());

    stock.write("secret.age", encrypt(b"hunter2", &[key(2).recipient().clone()]).unwrap());
    let opened = stock.run("age", &["-d", "-i", "me.txt", "secret.age"], b"").unwrap();
    assert_eq!(opened, b"hunter2");
    let public = stock.run("age-keygen", &["-y", "me.txt"], b"").unwrap();
    let wanted = format!("{}\n", key(2).recipient());
    assert_eq!(String::from_utf8(public).unwrap(), wanted);
}

#[test]
fn nothing_shown_holds_a_secret_key() {
    let secret = key(2).expose_line()[16..].to_owned();
    let mut shown = format!("{:?} {:#?}", alice(), alice());
    let text = alice().to_text();
    for position in 0..text.len() {
        let mut damaged = text.as_bytes().to_vec();
        for change in [1, 0x80, b'\n' ^ damaged[position]] {
            damaged[position] ^= change;
            if let Err(error) = PersonalIdentity::from_text(&damaged, &ALICE) {
                shown += &format!("{error} {error:?}");
            }
            damaged[position] ^= change;
        }
    }
    let file = encrypt(text.as_bytes(), &[key(9).recipient().clone()]).unwrap();
    let error = PersonalIdentity::open_with_passphrase(&file, &typed("x"), &ALICE).unwrap_err();
    assert!(matches!(error, IdentityError::Passphrase(PassphraseError::NotForPassphrase)));
    let error = PersonalIdentity::open_with_passphrase(b"", &typed("x"), &ALICE).unwrap_err();
    assert!(matches!(error, IdentityError::Passphrase(PassphraseError::File(OpenError::NotAge))));
    shown += &format!("{error} {error:?}");
    for start in (0..secret.len() - 12).step_by(4) {
        assert!(!shown.contains(&secret[start..start + 12]));
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(
        position in 0_usize..300,
        with in "[ -~\n]{0,3}",
        removed in 0_usize..3,
    ) {
        let mut text = alice().to_text().as_bytes().to_vec();
        let position = position.min(text.len());
        let end = (position + removed).min(text.len());
        text.splice(position..end, with.bytes());
        if let Ok(read) = PersonalIdentity::from_text(&text, &ALICE) {
            let written = read.to_text();
            prop_assert_eq!(written.as_bytes(), &text);
        }
    }
}
