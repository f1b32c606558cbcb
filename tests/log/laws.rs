//! Laws over whole logs: whatever is done to the files of a log, it shows.

use keymuster::log::{Entry, Head};
use proptest::prelude::*;

use super::fixture::{TestLog, checked, replay, sealed};

/// The plaintext files of a log of five entries by two keys.
fn files() -> (keymuster::record::VaultId, Vec<Vec<u8>>, Head) {
    let (mut log, primary) = TestLog::founded();
    let blue = log.new_key("alice/blue");
    log.append(&[&blue, &primary], vec![blue.enrolled(), sealed("alice", "blue", 1)]);
    for key in [&blue, &primary, &blue] {
        log.append(&[key], vec![checked(&key.name.to_string())]);
    }
    let files = log.entries.iter().map(|entry| entry.text().as_bytes().to_vec()).collect();
    (log.vault, files, log.replay.head())
}

/// The head that files come to, or nothing if they are faulty.
fn head_of(vault: keymuster::record::VaultId, files: &[Vec<u8>]) -> Option<Head> {
    let entries: Vec<Result<Entry, String>> = files
        .iter()
        .map(|bytes| Entry::parse(bytes.clone()).map_err(|reason| reason.to_string()))
        .collect();
    let (replayed, fault) =
        replay(vault, entries.iter().map(|entry| entry.as_ref().map_err(Clone::clone)));
    fault.is_none().then(|| replayed.head())
}

#[test]
fn the_untouched_files_are_sound() {
    let (vault, files, head) = files();
    assert_eq!(head_of(vault, &files), Some(head));
}

#[test]
fn every_truncation_of_a_file_is_a_fault() {
    let (vault, mut files, _) = files();
    let last = files.pop().unwrap();
    for length in 0..last.len() {
        files.push(last[..length].to_vec());
        assert_eq!(head_of(vault, &files), None, "cut to {length} bytes");
        files.pop();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// ECDSA signatures have a twin, but no single byte makes it.
    #[test]
    fn a_changed_byte_is_a_fault(file in 0..5_usize, at in any::<prop::sample::Index>(), xor in 1..=255_u8) {
        let (vault, mut files, _) = files();
        let at = at.index(files[file].len());
        files[file][at] ^= xor;
        prop_assert_eq!(head_of(vault, &files), None);
    }

    #[test]
    fn inserted_bytes_are_a_fault(
        file in 0..5_usize,
        at in any::<prop::sample::Index>(),
        inserted in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let (vault, mut files, _) = files();
        let at = at.index(files[file].len() + 1);
        files[file].splice(at..at, inserted);
        prop_assert_eq!(head_of(vault, &files), None);
    }

    #[test]
    fn removed_bytes_are_a_fault(file in 0..5_usize, at in any::<prop::sample::Index>(), count in 1..200_usize) {
        let (vault, mut files, _) = files();
        let length = files[file].len();
        let at = at.index(length);
        files[file].drain(at..length.min(at + count));
        prop_assert_eq!(head_of(vault, &files), None);
    }

    #[test]
    fn any_other_sequence_of_the_files_is_a_fault_or_another_head(
        order in prop::collection::vec(0..5_usize, 0..8),
    ) {
        prop_assume!(order != [0, 1, 2, 3, 4]);
        let (vault, files, head) = files();
        let reordered: Vec<Vec<u8>> = order.iter().map(|index| files[*index].clone()).collect();
        let outcome = head_of(vault, &reordered);
        prop_assert_ne!(outcome, Some(head));
        // Only a log that was cut at its end is sound in itself: see the memory of heads.
        let cut = order.iter().copied().eq(0..order.len());
        prop_assert_eq!(outcome.is_some(), cut);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = Entry::parse(bytes);
    }
}
