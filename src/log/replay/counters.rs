//! Signature counters, and heads that a key signed: what shows a clone of a key, an entry that was
//! dated back, or a key that signed for two pasts.

use std::collections::BTreeMap;

use crate::record::KeyName;

/// Where a signature stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The entry that it came into the log with.
    pub(super) entry: u64,
    /// The newest entry that was signed over with it: it was made after that one.
    pub(super) seen: u64,
    /// The number of the head that was signed, where it was meant to be one of the log.
    pub(super) head: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Signing {
    entry: u64,
    head: Option<u64>,
    counter: u32,
    /// The highest counter so far, begun anew where one fell.
    highest: u32,
}

/// All signatures of each key, in the order in which they came into the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(BTreeMap<KeyName, Vec<Signing>>);

impl Counters {
    /// Notes a signature. Returns the counter that it should be higher than, and isn't. Those of
    /// entries that its signer didn't know may be higher, but not the same.
    pub(super) fn note(&mut self, key: &KeyName, place: Place, counter: u32) -> Option<u32> {
        let all = self.0.entry(key.clone()).or_default();
        let known = all.partition_point(|signing| signing.entry <= place.seen);
        let before = known.checked_sub(1).and_then(|last| all.get(last));
        let before = before.map_or(0, |signing| signing.highest);
        // A counter that is always 0 is a key that has none (WebAuthn, 6.1.1).
        let fell = counter <= before && (counter, before) != (0, 0);
        let unknown = all.get(known..).unwrap_or_default();
        let again = counter != 0 && unknown.iter().any(|signing| signing.counter == counter);
        let highest = match all.last() {
            Some(last) if !fell => last.highest.max(counter),
            _ => counter,
        };
        all.push(Signing { entry: place.entry, head: place.head, counter, highest });
        match (fell, again) {
            (true, _) => Some(before),
            (false, true) => Some(counter),
            (false, false) => None,
        }
    }

    /// Whether a key signed a head of this number.
    pub(super) fn signed_head(&self, key: &KeyName, number: u64) -> bool {
        let all = self.0.get(key).map(Vec::as_slice).unwrap_or_default();
        all.iter().any(|signing| signing.head == Some(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(entry: u64) -> Place {
        Place { entry, seen: entry - 1, head: Some(entry) }
    }

    fn slip(entry: u64, seen: u64) -> Place {
        Place { entry, seen, head: None }
    }

    /// The clashes of signatures of one key, one after the other.
    fn clashes(signatures: &[(Place, u32)]) -> Vec<Option<u32>> {
        let (mut counters, key) = (Counters::default(), "alice/primary".parse().unwrap());
        signatures.iter().map(|(place, counter)| counters.note(&key, *place, *counter)).collect()
    }

    #[test]
    fn a_counter_rises_and_one_that_is_always_0_is_none() {
        let log = [(direct(2), 4), (direct(3), 4), (direct(4), 2), (direct(5), 3)];
        assert_eq!(clashes(&log), [None, Some(4), Some(4), None]);
        assert_eq!(clashes(&[(direct(2), 0), (direct(3), 0), (direct(4), 1)]), [None; 3]);
        assert_eq!(clashes(&[(direct(2), 1), (direct(3), 0)]), [None, Some(1)]);
    }

    #[test]
    fn a_slip_is_held_against_what_its_signer_knew() {
        // Signed after entry 2, and admitted after the key signed entry 3.
        assert_eq!(clashes(&[(direct(2), 4), (direct(3), 6), (slip(4, 2), 5)]), [None; 3]);
        let log = [(direct(2), 4), (direct(3), 6), (slip(4, 2), 6), (direct(5), 7)];
        assert_eq!(clashes(&log), [None, None, Some(6), None], "one count, two signatures");
        assert_eq!(clashes(&[(direct(2), 4), (slip(3, 2), 3)]), [None, Some(4)]);
        // What comes after it is higher than both.
        let log = [(direct(2), 4), (direct(3), 8), (slip(4, 2), 6), (direct(5), 7)];
        assert_eq!(clashes(&log), [None, None, None, Some(8)]);
    }

    #[test]
    fn two_slips_of_one_entry_have_two_counts() {
        let log = [(direct(2), 4), (slip(3, 2), 5), (slip(3, 2), 5), (slip(3, 2), 6)];
        assert_eq!(clashes(&log), [None, None, Some(5), None]);
    }
}
