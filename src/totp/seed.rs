//! A seed: the secret that a TOTP device and a service share.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use thiserror::Error;
use zeroize::Zeroizing;

/// The secret that a device and a service share: RFC 4226 calls it K.
pub struct Seed(Zeroizing<Vec<u8>>);

/// How long a seed must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strength {
    /// At least 128 bits, as RFC 4226 section 4 (R6) has it.
    Rfc4226,
    /// Any: old tokens have less.
    Any,
}

/// Why a text is no seed. None of these shows the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UnfitSeed {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// A character that base32 doesn't have, by its place, counted from 1.
    #[error("character {0} isn't base32, which has the letters A to Z and the digits 2 to 7")]
    NotBase32(usize),
    /// Fill characters that aren't at the end.
    #[error("it goes on after the = that ends base32")]
    AfterPadding,
    /// No number of whole bytes gives so many characters.
    #[error("{0} characters of base32 are no whole number of bytes: some are missing")]
    Length(usize),
    /// The last character has bits that belong to no byte: another text means the same seed.
    #[error("its last character is wrong: bits that mean nothing are set")]
    NotCanonical,
    /// Too short.
    #[error("it has {0} bits, and RFC 4226 wants at least 128")]
    Short(usize),
    /// Too long.
    #[error("it is longer than {} bits", Seed::MAX * 8)]
    Long,
}

impl Seed {
    /// The longest seed, in bytes.
    pub const MAX: usize = 256;
    /// The shortest that RFC 4226 allows, in bytes.
    const RFC4226: usize = 16;

    /// Reads base32 (RFC 4648 section 6) as people write it: in either case, in groups that
    /// blanks or hyphens part, with or without `=` at the end. What is left must be the one
    /// spelling of the seed.
    pub fn from_base32(text: &str, strength: Strength) -> Result<Self, UnfitSeed> {
        // With all room at once, no copy is left behind.
        let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
        let mut padded = false;
        for (place, character) in text.trim().chars().enumerate() {
            match character {
                ' ' | '-' | '\t' => {}
                '=' => padded = true,
                _ if padded => return Err(UnfitSeed::AfterPadding),
                'a'..='z' | 'A'..='Z' | '2'..='7' => {
                    letters.push(character.to_ascii_uppercase() as u8)
                }
                _ => return Err(UnfitSeed::NotBase32(place + 1)),
            }
        }
        if letters.is_empty() {
            return Err(UnfitSeed::Empty);
        }
        let length =
            BASE32_NOPAD.decode_len(letters.len()).map_err(|_| UnfitSeed::Length(letters.len()))?;
        if length > Self::MAX {
            return Err(UnfitSeed::Long);
        }
        let mut bytes = Zeroizing::new(vec![0; length]);
        // Its alphabet and its length are right by now.
        BASE32_NOPAD.decode_mut(&letters, &mut bytes).map_err(|_| UnfitSeed::NotCanonical)?;
        if strength == Strength::Rfc4226 && length < Self::RFC4226 {
            return Err(UnfitSeed::Short(length * 8));
        }
        Ok(Self(bytes))
    }

    /// The bytes, for whoever computes codes.
    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The one spelling in base32, without fill characters. A secret.
    pub fn to_base32(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(vec![0; BASE32_NOPAD.encode_len(self.0.len())]);
        BASE32_NOPAD.encode_mut(&self.0, &mut text);
        let mut letters = Zeroizing::new(String::with_capacity(text.len()));
        letters.extend(text.iter().map(|letter| char::from(*letter)));
        letters
    }

    /// What tells it from other seeds to whoever has the key: the first half of HMAC-SHA-256
    /// (RFC 2104). Without the key it says nothing; with it, whoever guesses a seed can see
    /// that they are right, which 128 bits put out of reach. So shorter seeds have none.
    pub fn fingerprint(&self, key: &[u8; 32]) -> Option<[u8; 16]> {
        if self.0.len() < Self::RFC4226 {
            return None;
        }
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        let tag = ring::hmac::sign(&key, &self.0);
        let mut half = [0; 16];
        half.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Some(half)
    }

    /// Its length in bits.
    pub fn bits(&self) -> usize {
        self.0.len() * 8
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test values of RFC 4648 section 10.
    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (text, bytes) in [
            ("MY======", "f"),
            ("MZXQ====", "fo"),
            ("MZXW6===", "foo"),
            ("MZXW6YQ=", "foob"),
            ("MZXW6YTB", "fooba"),
            ("MZXW6YTBOI======", "foobar"),
        ] {
            let seed = Seed::from_base32(text, Strength::Any).unwrap();
            assert_eq!(seed.expose(), bytes.as_bytes());
        }
    }

    #[test]
    fn a_seed_is_read_as_people_write_it() {
        let plain = Seed::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Strength::Rfc4226);
        let plain = plain.unwrap();
        assert_eq!(plain.expose(), b"12345678901234567890");
        assert_eq!(plain.bits(), 160);
        for text in [
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
            " gezd-gnbv-gy3t-qojq-GEZD-GNBV-GY3T-QOJQ\n",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ====",
        ] {
            let read = Seed::from_base32(text, Strength::Rfc4226).unwrap();
            assert_eq!(read.expose(), plain.expose(), "{text}");
        }
    }

    #[test]
    fn what_is_no_seed_is_refused_by_name() {
        let long = "A".repeat(411);
        for (text, unfit) in [
            ("", UnfitSeed::Empty),
            (" - =", UnfitSeed::Empty),
            ("GEZDGNBVGY3TQOJQ1", UnfitSeed::NotBase32(17)),
            ("GEZ DGNBVGY3TQOJ0", UnfitSeed::NotBase32(17)),
            ("GEZDGNBVGY3TQÖJQ", UnfitSeed::NotBase32(14)),
            ("MZXW6YQ=MZXW6YTB", UnfitSeed::AfterPadding),
            ("J", UnfitSeed::Length(1)),
            ("MZXW6YTBO", UnfitSeed::Length(9)),
            // One bit beyond the last byte is set.
            ("MZXW6YR", UnfitSeed::NotCanonical),
            (&long, UnfitSeed::Length(411)),
            (&"A".repeat(416), UnfitSeed::Long),
        ] {
            assert_eq!(Seed::from_base32(text, Strength::Any).unwrap_err(), unfit, "{text:?}");
        }
        let short = "GEZDGNBVGY3TQOJQ";
        assert_eq!(Seed::from_base32(short, Strength::Any).unwrap().bits(), 80);
        let unfit = Seed::from_base32(short, Strength::Rfc4226).unwrap_err();
        assert_eq!(unfit.to_string(), "it has 80 bits, and RFC 4226 wants at least 128");
        assert!(Seed::from_base32(&"A".repeat(26), Strength::Rfc4226).is_ok(), "130 bits");
    }

    #[test]
    fn a_seed_is_written_in_one_spelling() {
        for text in ["MY", "MZXQ", "MZXW6", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"] {
            let seed = Seed::from_base32(text, Strength::Any).unwrap();
            assert_eq!(seed.to_base32().as_str(), text);
        }
    }

    /// The expected value was made with the hmac of Python.
    #[test]
    fn a_fingerprint_is_half_an_hmac() {
        let seed = Seed::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Strength::Any).unwrap();
        let print = seed.fingerprint(&[7; 32]).unwrap();
        let shown: String = print.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(shown, "484de2951f701376565ecd09d54cf4c5");
    }

    #[test]
    fn a_seed_that_can_be_guessed_has_no_fingerprint() {
        let print = |letters: usize| {
            let seed = Seed::from_base32(&"A".repeat(letters), Strength::Any).unwrap();
            seed.fingerprint(&[7; 32])
        };
        assert!(print(24).is_none() && print(26).is_some());
    }

    #[test]
    fn debug_shows_no_seed() {
        let seed = Seed::from_base32("GEZDGNBVGY3TQOJQ", Strength::Any).unwrap();
        assert_eq!(format!("{seed:?}"), "Seed(…)");
    }
}
