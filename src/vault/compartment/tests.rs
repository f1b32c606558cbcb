use std::sync::atomic::Ordering;

use super::*;
use crate::vault::cipher::stock_age::StockAge;
use crate::vault::cipher::{decrypt, encrypt};
use crate::vault::identity::{IdentityName, PersonalIdentity};

const RECORDS: CompartmentName<'_> =
    CompartmentName { vault: "01JD0000000000000000000000", compartment: "records", epoch: 5 };

fn key(number: u8) -> AgeIdentity {
    AgeIdentity::generate(&mut |bytes| bytes.fill(number)).unwrap()
}

/// Epochs 1, 2 and 5, whose keys are numbered like them.
fn records() -> CompartmentIdentity {
    CompartmentIdentity::new(&CompartmentName { epoch: 1, ..RECORDS }, key(1))
        .with_next_epoch(2, key(2))
        .and_then(|records| records.with_next_epoch(5, key(5)))
        .unwrap()
}

fn read(text: &str) -> Result<CompartmentIdentity, KeyFileError> {
    CompartmentIdentity::from_text(text.as_bytes(), &RECORDS)
}

#[test]
fn the_form_of_the_file() {
    let text = records().to_text();
    let mut wanted = String::from(
        "# keymuster compartment\n\
         # vault: 01JD0000000000000000000000\n\
         # compartment: records\n",
    );
    for number in [5, 2, 1] {
        let key = key(number);
        wanted += &format!(
            "# epoch: {number}\n# public key: {}\n{}\n",
            key.recipient(),
            key.expose_line()
        );
    }
    assert_eq!(*text, wanted);
    assert_eq!(text.capacity(), text.len());
}

#[test]
fn a_file_is_read_as_it_is_written() {
    let read = read(&records().to_text()).unwrap();
    assert_eq!(read.to_text(), records().to_text());
    assert_eq!(read.name(), RECORDS);
    assert_eq!(read.recipient(), key(5).recipient());
    assert_eq!(read.current().recipient(), key(5).recipient());
    assert_eq!(read.of_epoch(2).unwrap().recipient(), key(2).recipient());
    assert!(read.of_epoch(3).is_none());
    assert_eq!(read.identities().count(), 3);
}

#[test]
fn epochs_only_rise() {
    for epoch in [0, 1, 5] {
        assert_eq!(
            records().with_next_epoch(epoch, key(9)).unwrap_err(),
            EpochOrder { current: 5, next: epoch }
        );
    }
    assert_eq!(records().with_next_epoch(6, key(6)).unwrap().name().epoch, 6);
}

#[test]
fn another_compartment_is_refused_by_name() {
    let text = records().to_text();
    for (expected, wanted) in [
        (CompartmentName { vault: "01JE", ..RECORDS }, "vault"),
        (CompartmentName { compartment: "seeds", ..RECORDS }, "compartment"),
        (CompartmentName { epoch: 6, ..RECORDS }, "epoch"),
    ] {
        let error = CompartmentIdentity::from_text(text.as_bytes(), &expected).unwrap_err();
        assert!(matches!(error, KeyFileError::Other { what, .. } if what == wanted), "{error}");
    }
}

#[test]
fn a_file_out_of_form_is_refused() {
    let text = records().to_text();
    read(&text).unwrap();
    let (key_5, key_2) = (key(5), key(2));
    for (from, to, wanted) in [
        ("compartment\n", "identity\n", "line 1 should read # keymuster compartment"),
        ("# epoch: 2", "# epoch: 5", "line 7: epochs go from the newest to the oldest"),
        ("# epoch: 2", "# epoch: 6", "line 7: epochs go from the newest to the oldest"),
        ("# epoch: 1", "# epoch: 2", "line 10: epochs go from the newest to the oldest"),
        ("# epoch: 1", "# epoch: 0", "line 10 should read # epoch:"),
        ("# epoch: 2\n", "", "line 7 should read # epoch:"),
        (
            key_2.expose_line(),
            key_5.expose_line(),
            "line 8: the public key isn't that of the secret key after it",
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_eq!(read(&changed).unwrap_err().to_string(), wanted);
    }
    let twice = text
        .replace(key_2.expose_line(), key_5.expose_line())
        .replace(key_2.recipient().as_str(), key_5.recipient().as_str());
    assert_eq!(read(&twice).unwrap_err().to_string(), "line 9 repeats a secret key");

    let whole_epochs: Vec<_> = text.match_indices("# epoch: ").skip(1).map(|(i, _)| i).collect();
    for length in (0..text.len()).filter(|length| !whole_epochs.contains(length)) {
        assert!(read(&text[..length]).is_err(), "cut to {length} bytes");
    }
    assert!(matches!(
        CompartmentIdentity::from_text(&vec![0; MAX_COMPARTMENT + 1], &RECORDS),
        Err(KeyFileError::TooLong { .. })
    ));
}

#[test]
fn members_open_it_and_nobody_else() {
    let file = records().seal(&[key(11).recipient().clone(), key(12).recipient().clone()]).unwrap();
    for member in [11, 12] {
        let opened = CompartmentIdentity::open(&file, &[&key(member)], &RECORDS).unwrap();
        assert_eq!(opened.to_text(), records().to_text());
    }
    let error = CompartmentIdentity::open(&file, &[&key(13)], &RECORDS).unwrap_err();
    assert!(matches!(error, CompartmentError::File(OpenError::NoIdentity)));
    let seeds = CompartmentName { compartment: "seeds", ..RECORDS };
    let error = CompartmentIdentity::open(&file, &[&key(11)], &seeds).unwrap_err();
    assert!(matches!(error, CompartmentError::Contents(KeyFileError::Other { .. })));
    assert!(matches!(records().seal(&[]), Err(SealError::NoRecipient)));
}

/// Entries of every epoch, opened with the newest file.
#[test]
fn entries_of_every_epoch_open() {
    let records = records();
    let all: Vec<_> = records.identities().collect();
    for epoch in [1, 2, 5] {
        let entry = encrypt(b"entry", &[key(epoch).recipient().clone()]).unwrap();
        assert_eq!(**decrypt(&entry, &all, 100).unwrap(), *b"entry");
        assert_eq!(**records.decrypt(&entry, 100).unwrap(), *b"entry");
    }
    let strange = encrypt(b"entry", &[key(9).recipient().clone()]).unwrap();
    assert!(matches!(records.decrypt(&strange, 100), Err(OpenError::NoIdentity)));
}

#[test]
fn the_key_that_opened_a_file_last_is_tried_first() {
    let records = records();
    // Where the keys of the epochs stand.
    for (epoch, place) in [(5, 0), (1, 2), (1, 2), (2, 1), (5, 0)] {
        let entry = encrypt(b"entry", &[key(epoch).recipient().clone()]).unwrap();
        records.decrypt(&entry, 100).unwrap();
        assert_eq!(records.likely.load(Ordering::Relaxed), place);
    }
    // A hint from a compartment with more epochs does no harm.
    records.likely.store(7, Ordering::Relaxed);
    let entry = encrypt(b"entry", &[key(2).recipient().clone()]).unwrap();
    assert_eq!(**records.decrypt(&entry, 100).unwrap(), *b"entry");
}

/// `age -d -i me.txt keys.age | age -d -i - file.age`: from a custodian's identity through the
/// compartment to an entry, without us.
#[test]
fn stock_age_goes_from_a_custodian_through_the_compartment_to_an_entry() {
    let stock = StockAge::new();
    let name = IdentityName { vault: RECORDS.vault, custodian: "alice", generation: 1 };
    let alice = PersonalIdentity::new(&name, key(11));
    stock.write("me.txt", alice.to_text().as_bytes());
    let members = [alice.recipient().clone(), key(12).recipient().clone()];
    stock.write("keys.age", records().seal(&members).unwrap());
    for epoch in [1, 5] {
        stock.write("file.age", encrypt(b"entry", &[key(epoch).recipient().clone()]).unwrap());
        let chain = "age -d -i me.txt keys.age | age -d -i - file.age";
        assert_eq!(stock.run("sh", &["-c", chain], b"").unwrap(), b"entry");
    }
}

#[test]
fn nothing_shown_holds_a_secret_key() {
    let mut shown = format!("{:?} {:#?}", records(), records());
    let text = records().to_text();
    for position in 0..text.len() {
        let mut damaged = text.as_bytes().to_vec();
        damaged[position] ^= 1;
        if let Err(error) = CompartmentIdentity::from_text(&damaged, &RECORDS) {
            shown += &format!("{error} {error:?}");
        }
    }
    for number in [1, 2, 5] {
        let secret = key(number).expose_line()[16..].to_owned();
        for start in (0..secret.len() - 12).step_by(4) {
            assert!(!shown.contains(&secret[start..start + 12]));
        }
    }
}
