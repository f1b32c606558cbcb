//! Finds secrets in pictures, whole and in parts.
//!
//! What frees memory may overwrite the beginning of it, and what copies a secret may stop half
//! way. So every run of at least [`PART`] bytes of a secret counts, wherever it begins. Shorter
//! ones could be chance.

use std::collections::HashMap;

use crate::picture::{Picture, Place};

/// The fewest bytes of a secret that are looked for.
pub const PART: usize = 16;

/// A secret that must not be found.
#[derive(Clone, Debug)]
pub struct Canary {
    /// What it is called in findings.
    pub name: String,
    bytes: Vec<u8>,
}

impl Canary {
    /// A secret of at least [`PART`] bytes.
    ///
    /// # Panics
    ///
    /// If it is shorter, and so would never be found.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= PART, "{name} is shorter than {PART} bytes: it can't be found");
        Self { name: name.to_owned(), bytes: bytes.to_vec() }
    }
}

/// A secret that was found, or a part of it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which one.
    pub canary: String,
    /// The first of its bytes that stood there.
    pub from: usize,
    /// How many stood there.
    pub bytes: usize,
    /// Whether these are all of its bytes.
    pub whole: bool,
    /// Where they stood. The size is that of the piece around them.
    pub place: Place,
}

/// All canaries, ready to be looked for.
pub struct Search<'a> {
    canaries: &'a [Canary],
    /// Every part of each canary, and where in it the part begins.
    parts: HashMap<&'a [u8], (usize, usize)>,
    /// Whether a part begins with these two bytes: nearly all memory is passed over by this.
    beginnings: Vec<bool>,
}

impl<'a> Search<'a> {
    /// Gets ready.
    pub fn new(canaries: &'a [Canary]) -> Self {
        let mut parts = HashMap::new();
        let mut beginnings = vec![false; 1 << 16];
        for (number, canary) in canaries.iter().enumerate() {
            for (start, part) in canary.bytes.windows(PART).enumerate() {
                parts.insert(part, (number, start));
                beginnings[usize::from(u16::from_be_bytes([part[0], part[1]]))] = true;
            }
        }
        Self { canaries, parts, beginnings }
    }

    /// Everything that a picture shows of the canaries.
    pub fn in_picture(&self, picture: &Picture) -> Vec<Finding> {
        picture.pieces.iter().flat_map(|(place, bytes)| self.in_bytes(place, bytes)).collect()
    }

    fn in_bytes(&self, place: &Place, bytes: &[u8]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut next = 0;
        for (at, pair) in bytes.windows(2).enumerate() {
            let beginning = usize::from(u16::from_be_bytes([pair[0], pair[1]]));
            if at < next || !self.beginnings[beginning] {
                continue;
            }
            let found = bytes.get(at..at + PART).and_then(|part| self.parts.get(part));
            let Some(&(number, from)) = found else { continue };
            let canary = &self.canaries[number];
            let same = canary.bytes[from..].iter().zip(&bytes[at..]);
            let length = same.take_while(|(one, other)| one == other).count();
            next = at + length;
            findings.push(Finding {
                canary: canary.name.clone(),
                from,
                bytes: length,
                whole: length == canary.bytes.len(),
                place: Place { address: place.address + at, ..place.clone() },
            });
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(memory: &[u8], canaries: &[Canary]) -> Vec<(String, usize, usize, bool, usize)> {
        let place = Place {
            address: 0x1000,
            size: memory.len(),
            mapping: "[heap]".to_owned(),
            locked: false,
        };
        let findings = Search::new(canaries).in_bytes(&place, memory);
        let told = |f: Finding| (f.canary, f.from, f.bytes, f.whole, f.place.address);
        findings.into_iter().map(told).collect()
    }

    #[test]
    fn a_secret_is_found_whole_and_in_parts_and_not_below_a_part() {
        let secret: Vec<u8> = (1..=40).collect();
        let canaries = [Canary::new("s", &secret), Canary::new("t", &[0xee; 16])];
        let mut memory = vec![0; 300];
        memory[3..43].copy_from_slice(&secret);
        memory[100..116].copy_from_slice(&secret[24..]);
        memory[200..215].copy_from_slice(&secret[..15]);
        memory[284..].fill(0xee);
        let s = || "s".to_owned();
        assert_eq!(
            found(&memory, &canaries),
            [
                (s(), 0, 40, true, 0x1003),
                (s(), 24, 16, false, 0x1064),
                ("t".to_owned(), 0, 16, true, 0x1000 + 284)
            ]
        );
    }

    #[test]
    #[should_panic(expected = "can't be found")]
    fn a_secret_that_could_not_be_found_is_refused() {
        let _ = Canary::new("pin", b"1234");
    }
}
