use proptest::prelude::*;
use ring::digest;

use super::*;
use crate::vault::cipher::stock_age::StockAge;

pub(in crate::vault) fn typed(text: &str) -> Passphrase {
    Passphrase::take_from(&mut text.to_owned())
}

/// A file that opens in an instant.
fn quickly_sealed(plaintext: &[u8], passphrase: &str) -> Vec<u8> {
    seal_with_work(plaintext, &typed(passphrase), 2).unwrap()
}

/// The bytes of the file with the work factor in its header replaced.
fn with_work_factor(file: &[u8], work_factor: &str) -> Vec<u8> {
    let end = file.iter().skip(22).position(|b| *b == b'\n').unwrap() + 22;
    let start = file[..end].iter().rposition(|b| *b == b' ').unwrap() + 1;
    [&file[..start], work_factor.as_bytes(), &file[end..]].concat()
}

#[test]
fn the_word_list_is_the_published_one() {
    let list = Language::English.word_list().join("\n") + "\n";
    let digest = digest::digest(&digest::SHA256, list.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    // english.txt in the repository of the Bitcoin improvement proposals, bip-0039.
    assert_eq!(hex, "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
}

#[test]
fn a_generated_passphrase_has_ten_words_of_eleven_bits() {
    let zeros = Passphrase::generate(&mut |bytes| bytes.fill(0));
    assert_eq!(zeros.expose(), ["abandon"; 10].join("-"));
    let ones = Passphrase::generate(&mut |bytes| bytes.fill(0xff));
    assert_eq!(ones.expose(), ["zoo"; 10].join("-"));
    let counted = Passphrase::generate(&mut |bytes| {
        assert_eq!(bytes.len(), 20);
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = if n % 2 == 0 { 0b1010_1000 | (n / 2 % 8) as u8 } else { n as u8 };
        }
    });
    let numbers: Vec<_> = counted
        .expose()
        .split('-')
        .map(|word| Language::English.find_word(word).unwrap())
        .collect();
    assert_eq!(numbers, [1, 259, 517, 775, 1033, 1291, 1549, 1807, 17, 275]);
    assert_eq!(counted.misspelling(), None);
}

#[test]
fn every_word_is_equally_likely() {
    let mut times = vec![0; 2048];
    for number in 0..=u16::MAX {
        let mut first = true;
        let passphrase = Passphrase::generate(&mut |bytes| {
            assert!(std::mem::take(&mut first));
            bytes[..2].copy_from_slice(&number.to_be_bytes());
        });
        let word = passphrase.expose().split('-').next().unwrap();
        times[usize::from(Language::English.find_word(word).unwrap())] += 1;
    }
    assert!(times.iter().all(|count| *count == 32));
}

#[test]
fn typing_it_leniently_makes_no_difference() {
    for text in [
        "abandon-ability-able",
        "abandon ability able",
        "  Abandon  ABILITY\table\r\n",
        "abandon - ability -- able-",
        "-abandon\nability\u{a0}able",
    ] {
        assert_eq!(typed(text).expose(), "abandon-ability-able", "{text:?}");
    }
    let mut text = String::from("abandon ability");
    let passphrase = Passphrase::take_from(&mut text);
    assert!(text.is_empty());
    assert_eq!(passphrase.expose(), "abandon-ability");
    assert_eq!(typed(" - ").expose(), "");
}

#[test]
fn a_misspelt_word_is_found_by_its_place() {
    let ten = ["zoo"; 10].join(" ");
    assert_eq!(typed(&ten).misspelling(), None);
    assert_eq!(typed("zoo zoo zooo zoo").misspelling(), Some(Misspelling::UnknownWord(3)));
    assert_eq!(typed("zoo zoo").misspelling(), Some(Misspelling::WordCount(2)));
    assert_eq!(typed("").misspelling(), Some(Misspelling::UnknownWord(1)));
    assert_eq!(Misspelling::UnknownWord(3).to_string(), "word 3 isn't in the word list");
}

#[test]
fn a_file_opens_with_its_passphrase_only() {
    let file = quickly_sealed(b"for the safe", "zoo abandon");
    assert_eq!(**open(&file, &typed("Zoo-Abandon"), 100).unwrap(), *b"for the safe");
    assert!(matches!(open(&file, &typed("zoo"), 100), Err(PassphraseError::Wrong)));
}

#[test]
fn files_are_written_with_2_to_the_18() {
    let file = seal(b"x", &typed("zoo")).unwrap();
    let stanzas = cipher::stanzas(&file).unwrap();
    assert_eq!(stanzas.len(), 1);
    assert_eq!((stanzas[0].tag.as_str(), stanzas[0].args[1].as_str()), ("scrypt", "18"));
}

#[test]
fn too_much_work_is_refused_before_it_is_done() {
    let file = quickly_sealed(b"x", "zoo");
    for (text, work_factor) in [("23", 23), ("63", 63), ("64", 64), ("255", 255)] {
        let hostile = with_work_factor(&file, text);
        let error = open(&hostile, &typed("zoo"), 100).unwrap_err();
        assert!(
            matches!(error, PassphraseError::TooMuchWork { work_factor: w } if w == work_factor)
        );
        // age's own text for this overflows; ours must not lean on it.
        assert!(!format!("{error} {error:?}").is_empty());
    }
    for malformed in ["256", "99999999999999999999", "0", "02", "-1", "+2", "x", ""] {
        let hostile = with_work_factor(&file, malformed);
        let error = open(&hostile, &typed("zoo"), 100).unwrap_err();
        assert!(matches!(error, PassphraseError::File(OpenError::DamagedHeader(_))), "{malformed}");
    }
}

#[test]
fn a_passphrase_stanza_stands_alone() {
    let file = quickly_sealed(b"x", "zoo");
    let mut twice = file[..22].to_vec();
    let end = file.windows(4).position(|w| w == b"--- ").unwrap();
    twice.extend_from_slice(&file[22..end]);
    twice.extend_from_slice(&file[22..]);
    assert!(matches!(
        open(&twice, &typed("zoo"), 100),
        Err(PassphraseError::File(OpenError::DamagedHeader(_)))
    ));
    let key = crate::vault::cipher::AgeIdentity::generate(&mut |bytes| bytes.fill(1)).unwrap();
    let other = cipher::encrypt(b"x", &[key.recipient().clone()]).unwrap();
    assert!(matches!(open(&other, &typed("zoo"), 100), Err(PassphraseError::NotForPassphrase)));
    assert!(matches!(open(b"", &typed("zoo"), 100), Err(PassphraseError::File(OpenError::NotAge))));
    assert!(matches!(
        open(&quickly_sealed(&[0; 11], "zoo"), &typed("zoo"), 10),
        Err(PassphraseError::File(OpenError::TooLarge { size: 11, limit: 10 }))
    ));
}

#[test]
fn every_flipped_bit_is_refused() {
    let file = quickly_sealed(b"for the safe", "zoo");
    for position in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[position] ^= 1 << bit;
            assert!(open(&damaged, &typed("zoo"), 100).is_err(), "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn stock_age_opens_what_we_seal_and_we_what_it_seals() {
    let stock = StockAge::new();
    let passphrase = Passphrase::generate(&mut |bytes| {
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = (n * 37) as u8;
        }
    });
    stock.write("paper.age", seal(b"for the safe", &passphrase).unwrap());
    let once = format!("{}\n", passphrase.expose());
    stock.run_typing("age -d -o opened.txt paper.age", &once).unwrap();
    assert_eq!(stock.read("opened.txt"), b"for the safe");
    let error = stock.run_typing("age -d -o wrong.txt paper.age", "zoo\n").unwrap_err();
    assert!(error.contains("incorrect passphrase"), "{error}");

    stock.write("plain.txt", b"by stock age");
    stock.run_typing("age -p -o theirs.age plain.txt", &once.repeat(2)).unwrap();
    assert_eq!(**open(&stock.read("theirs.age"), &passphrase, 100).unwrap(), *b"by stock age");
}

#[test]
fn a_passphrase_is_never_shown() {
    let passphrase = typed("canary canary");
    let file = quickly_sealed(b"x", "zoo");
    let wrong = open(&file, &passphrase, 100).unwrap_err();
    let shown = format!("{passphrase:?} {wrong} {wrong:?} {:?}", passphrase.misspelling());
    assert!(!shown.contains("canary"));
}

proptest! {
    #[test]
    fn normal_form_is_stable(text in "\\PC{0,60}") {
        let once = typed(&text);
        let twice = typed(once.expose());
        prop_assert_eq!(twice.expose(), once.expose());
        let _ = once.misspelling();
    }
}
