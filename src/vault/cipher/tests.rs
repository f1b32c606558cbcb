use std::io::{Read as _, Write as _};

use proptest::prelude::*;

use super::keys::tests::{identity, recipient};
use super::stock_age::StockAge;
use super::*;

fn open_with(file: &[u8], identity: &AgeIdentity) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    decrypt(file, &[identity], 1 << 20)
}

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    encrypt(plaintext, &[recipient(1)]).unwrap()
}

#[test]
fn what_is_encrypted_opens_for_each_recipient_and_nobody_else() {
    let file = encrypt(b"hello", &[recipient(1), recipient(2)]).unwrap();
    for number in [1, 2] {
        assert_eq!(**open_with(&file, &identity(number)).unwrap(), *b"hello");
    }
    assert!(matches!(open_with(&file, &identity(3)), Err(OpenError::NoIdentity)));
    let (wrong, right) = (identity(3), identity(2));
    assert_eq!(**decrypt(&file, &[&wrong, &right], 5).unwrap(), *b"hello");
    assert!(matches!(decrypt(&file, &[], 5), Err(OpenError::NoIdentity)));
}

#[test]
fn a_file_needs_a_recipient_and_has_at_most_500() {
    assert!(matches!(encrypt(b"", &[]), Err(SealError::NoRecipient)));
    let many = vec![recipient(1); MAX_RECIPIENTS];
    let file = encrypt(b"x", &many).unwrap();
    assert_eq!(**open_with(&file, &identity(1)).unwrap(), *b"x");
    let too_many = vec![recipient(1); MAX_RECIPIENTS + 1];
    assert!(matches!(encrypt(b"x", &too_many), Err(SealError::TooManyRecipients(501))));
}

/// Our payload against age's own writer and reader, where chunks begin and end.
#[test]
fn payloads_of_every_length_around_a_chunk_are_ages_own() {
    let key: age::x25519::Identity = identity(1).expose_line().parse().unwrap();
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1] {
        let plaintext: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();

        let ours = sealed(&plaintext);
        let reader = age::Decryptor::new(&ours[..]).unwrap();
        let mut reader = reader.decrypt(std::iter::once(&key as _)).unwrap();
        let mut opened = Vec::new();
        reader.read_to_end(&mut opened).unwrap();
        assert!(opened == plaintext, "ours, {size} bytes");

        let to = key.to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&to as _)).unwrap();
        let mut theirs = Vec::new();
        let mut writer = encryptor.wrap_output(&mut theirs).unwrap();
        writer.write_all(&plaintext).unwrap();
        writer.finish().unwrap();
        assert!(**open_with(&theirs, &identity(1)).unwrap() == plaintext, "theirs, {size} bytes");
    }
}

#[test]
fn stock_age_opens_what_we_write_and_we_what_it_writes() {
    let stock = StockAge::new();
    stock.write("me.txt", format!("{}\n", identity(1).expose_line()));
    for size in [0, 5, CHUNK, CHUNK + 1] {
        let plaintext = vec![b'k'; size];
        stock.write("ours.age", sealed(&plaintext));
        let opened = stock.run("age", &["-d", "-i", "me.txt", "ours.age"], b"").unwrap();
        assert!(opened == plaintext, "ours, {size} bytes");
        let theirs = stock.run("age", &["-r", recipient(1).as_str()], &plaintext).unwrap();
        assert!(**open_with(&theirs, &identity(1)).unwrap() == plaintext, "theirs, {size} bytes");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let file = sealed(b"a small file");
    for position in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[position] ^= 1 << bit;
            assert!(
                open_with(&damaged, &identity(1)).is_err(),
                "bit {bit} of byte {position} of {} makes no difference",
                file.len()
            );
        }
    }
}

#[test]
fn every_truncation_and_anything_after_the_end_is_refused() {
    for plaintext in [&b"a small file"[..], &[7; 2 * CHUNK]] {
        let file = sealed(plaintext);
        let header = file.windows(4).position(|w| w == b"--- ").unwrap() + 48;
        let near_chunks = (1..=2).flat_map(|n| {
            let end = header + NONCE + n * (CHUNK + TAG);
            end - 20..end + 20
        });
        for length in (0..header + 80).chain(near_chunks).filter(|l| *l < file.len()) {
            assert!(open_with(&file[..length], &identity(1)).is_err(), "cut to {length} bytes");
        }
        let mut longer = file.clone();
        longer.push(0);
        assert!(matches!(open_with(&longer, &identity(1)), Err(OpenError::DamagedContents(_))));
        longer.extend_from_slice(&[0; CHUNK]);
        assert!(matches!(open_with(&longer, &identity(1)), Err(OpenError::DamagedContents(_))));
    }
}

#[test]
fn damage_is_told_apart() {
    let file = sealed(b"a small file");
    let mac = file.windows(4).position(|w| w == b"--- ").unwrap();

    let mut damaged = file.clone();
    damaged[mac + 6] = if damaged[mac + 6] == b'A' { b'B' } else { b'A' };
    assert!(matches!(open_with(&damaged, &identity(1)), Err(OpenError::DamagedHeader(_))));

    let mut damaged = file.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(open_with(&damaged, &identity(1)), Err(OpenError::DamagedContents(_))));
    assert!(matches!(
        open_with(&file[..file.len() - 1], &identity(1)),
        Err(OpenError::DamagedContents(_))
    ));
    assert!(matches!(open_with(&file[..mac], &identity(1)), Err(OpenError::DamagedHeader(_))));
    assert!(matches!(
        open_with(&file[..mac + 48], &identity(1)),
        Err(OpenError::DamagedContents(_))
    ));
}

#[test]
fn a_file_that_is_not_age_is_called_so() {
    for (file, wanted) in [
        (&b""[..], "not an age file"),
        (b"format = 1\n", "not an age file"),
        (b"age-encryption.org", "not an age file"),
        (b"age-encryption.org/v2\n", "an age file of a version other than v1"),
        (
            b"-----BEGIN AGE ENCRYPTED FILE-----\n",
            "an armoured age file, where a binary one is wanted",
        ),
        (b"age-encryption.org/v1\n", "the header of the age file is damaged"),
        (b"age-encryption.org/v1\n---\n", "the contents of the age file are damaged or cut short"),
    ] {
        assert_eq!(open_with(file, &identity(1)).unwrap_err().to_string(), wanted);
        assert_eq!(stanzas(file).unwrap_err().to_string(), wanted);
    }
}

#[test]
fn more_than_the_limit_is_refused_by_name() {
    let file = sealed(&[1; 100]);
    assert_eq!(decrypt(&file, &[&identity(1)], 100).unwrap().len(), 100);
    let error = decrypt(&file, &[&identity(1)], 99).unwrap_err();
    assert!(matches!(error, OpenError::TooLarge { size: 100, limit: 99 }));
    assert_eq!(error.to_string(), "the age file holds 100 bytes, and at most 99 are allowed here");
    assert!(matches!(
        decrypt(&sealed(b"x"), &[&identity(1)], 0),
        Err(OpenError::TooLarge { size: 1, limit: 0 })
    ));
    assert!(decrypt(&sealed(b""), &[&identity(1)], 0).unwrap().is_empty());
}

/// age's parser starts over at each line: an unbounded header would take hours.
#[test]
fn an_endless_header_is_refused_unparsed() {
    let header = |stanza: &str, times| {
        let mut file = String::from("age-encryption.org/v1\n");
        file.push_str(&stanza.repeat(times));
        file.push_str("--- ");
        file.push_str(&"A".repeat(43));
        file.push('\n');
        file.into_bytes()
    };
    for file in [
        header("-> a\n\n", 10_000_000),
        header("-> a\n\n", MAX_HEADER_LINES / 2),
        header(&format!("-> {}\n\n", "a".repeat(MAX_HEADER_BYTES)), 1),
        [b"age-encryption.org/v1\n-> ".as_slice(), &vec![b'a'; 50_000_000]].concat(),
    ] {
        assert!(matches!(open_with(&file, &identity(1)), Err(OpenError::HeaderTooLong)));
    }
    // The worst that is still parsed.
    let mut file = header(&format!("-> {}\n\n", "a".repeat(120)), MAX_HEADER_LINES / 2 - 1);
    file.extend_from_slice(&[0; 100]);
    assert!(matches!(open_with(&file, &identity(1)), Err(OpenError::NoIdentity)));
}

#[test]
fn one_identity_serves_many_threads() {
    let identity = identity(1);
    let files: Vec<_> = (0..20_u8).map(|n| sealed(&[n; 300])).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (n, file) in files.iter().enumerate() {
                    assert_eq!(**open_with(file, &identity).unwrap(), [n as u8; 300]);
                }
            });
        }
    });
}

#[test]
fn errors_show_no_plaintext_and_no_key() {
    let identity = identity(1);
    let file = sealed(b"CANARY-CANARY-CANARY");
    let secret = &identity.expose_line()[16..];
    for position in 0..file.len() {
        let mut damaged = file.clone();
        damaged[position] ^= 1;
        let error = open_with(&damaged, &identity).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!shown.contains("CANARY") && !shown.contains(secret));
    }
    assert!(!format!("{identity:?} {identity:#?}").to_uppercase().contains(secret));
}

proptest! {
    #[test]
    fn any_plaintext_survives(plaintext in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let file = sealed(&plaintext);
        prop_assert_eq!(&**open_with(&file, &identity(1)).unwrap(), &plaintext);
        prop_assert_eq!(plaintext_size(&file).unwrap(), plaintext.len());
    }

    #[test]
    fn no_bytes_make_it_panic(
        header in "(-> [ -~]{0,20}\n[A-Za-z0-9+/]{0,66}\n){0,4}(--- [A-Za-z0-9+/]{40,44}\n)?",
        rest in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let file = [VERSION_LINE, header.as_bytes(), &rest].concat();
        prop_assert!(open_with(&file, &identity(1)).is_err());
        let _ = stanzas(&file);
        let _ = open_with(&rest, &identity(1));
    }
}
