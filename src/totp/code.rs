//! Codes of a seed: RFC 6238 over RFC 4226.

use std::fmt;

use thiserror::Error;
use totp_rs::{Builder, Totp};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::seed::Seed;

/// The hash of the HMAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Algorithm {
    /// What AWS and most others use.
    #[default]
    Sha1,
    /// Rare.
    Sha256,
    /// Rare.
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// In one lower-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// How codes are made of a seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    algorithm: Algorithm,
    digits: u8,
    period: u32,
}

/// Why parameters can't be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UnfitParameters {
    /// RFC 4226 section 5.3: 6 to 8.
    #[error("a code has 6 to 8 digits, not {0}")]
    Digits(u64),
    /// A step takes some time.
    #[error("a step takes 1 to {max} seconds, not {0}", max = Parameters::MAX_PERIOD)]
    Period(u64),
}

impl Default for Parameters {
    /// What AWS uses: SHA-1, 6 digits, 30 seconds.
    fn default() -> Self {
        Self { algorithm: Algorithm::Sha1, digits: 6, period: 30 }
    }
}

impl Parameters {
    /// The longest step, in seconds: a day.
    pub const MAX_PERIOD: u64 = 86_400;

    /// Codes of 6 to 8 digits, a new one every `period` seconds.
    pub fn new(algorithm: Algorithm, digits: u64, period: u64) -> Result<Self, UnfitParameters> {
        let fitting = u8::try_from(digits).ok().filter(|digits| (6..=8).contains(digits));
        let seconds =
            u32::try_from(period).ok().filter(|_| (1..=Self::MAX_PERIOD).contains(&period));
        Ok(Self {
            algorithm,
            digits: fitting.ok_or(UnfitParameters::Digits(digits))?,
            period: seconds.ok_or(UnfitParameters::Period(period))?,
        })
    }

    /// The hash of the HMAC.
    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// How many digits a code has: 6 to 8.
    pub fn digits(self) -> u8 {
        self.digits
    }

    /// How many seconds a step takes.
    pub fn period(self) -> u64 {
        self.period.into()
    }

    /// The step that a moment belongs to, given in seconds since 1970: RFC 6238 calls it T.
    pub fn step_at(self, seconds: u64) -> u64 {
        seconds / self.period()
    }
}

/// What a device shows, or a person typed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Code {
    value: u32,
    #[zeroize(skip)]
    digits: u8,
}

/// Why a text is no code. It isn't shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UnfitCode {
    /// It holds something else than digits.
    #[error("it holds something else than digits")]
    NotDigits,
    /// Another number of digits.
    #[error("it has {found} digits, and the device's codes have {expected}")]
    Digits {
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: u8,
    },
}

impl Code {
    /// Reads a code as people type it: with blanks or a hyphen in it.
    pub fn parse(text: &str, parameters: Parameters) -> Result<Self, UnfitCode> {
        let mut code = Self { value: 0, digits: parameters.digits };
        let mut found = 0_usize;
        for character in text.trim().chars().filter(|c| ![' ', '-', '\u{a0}'].contains(c)) {
            let digit = character.to_digit(10).ok_or(UnfitCode::NotDigits)?;
            found = found.saturating_add(1);
            // Eight digits fit; of more, none is kept.
            code.value = code.value.checked_mul(10).and_then(|v| v.checked_add(digit)).unwrap_or(0);
        }
        if found != usize::from(parameters.digits) {
            return Err(UnfitCode::Digits { found, expected: parameters.digits });
        }
        Ok(code)
    }

    /// The code as a number below 10 to the power of its digits.
    pub(super) fn value(&self) -> u32 {
        self.value
    }

    /// How many digits it has.
    pub(super) fn digits(&self) -> u8 {
        self.digits
    }

    /// The digits, for whoever shows the code to the person who asked for it.
    pub fn expose(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(format!("{:01$}", self.value, usize::from(self.digits)))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// A seed that makes codes.
pub struct Generator {
    parameters: Parameters,
    totp: Totp,
}

impl Generator {
    /// Codes of this seed.
    pub fn new(seed: &Seed, parameters: Parameters) -> Self {
        let algorithm = match parameters.algorithm {
            Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
            Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
            Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
        };
        // What it would refuse is checked here already, but for short seeds, which may be wanted.
        let totp = Builder::new()
            .with_algorithm(algorithm)
            .with_digits(parameters.digits)
            .with_step_duration(parameters.period())
            .with_skew(0)
            .with_secret(seed.expose())
            .build_noncompliant();
        Self { parameters, totp }
    }

    /// How its codes are made.
    pub fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// The code of a step.
    pub fn code(&self, step: u64) -> Code {
        let token = self.totp.generate(step.saturating_mul(self.parameters.period()));
        let mut value = Digits(0);
        // It writes digits, and nothing else.
        let _ = fmt::write(&mut value, format_args!("{token}"));
        Code { value: value.0, digits: self.parameters.digits }
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

/// Takes digits that are written to it as a number, so that they lie in no buffer.
struct Digits(u32);

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let digit = character.to_digit(10).ok_or(fmt::Error)?;
            self.0 = self.0.wrapping_mul(10).wrapping_add(digit);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::seed::Strength;
    use super::*;

    fn seed(base32: &str) -> Seed {
        Seed::from_base32(base32, Strength::Any).unwrap()
    }

    /// The test values of RFC 6238 appendix B. Its seeds are the digits 1234567890 over and
    /// over, to the length of each hash.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        let of = |length| {
            let bytes: Vec<u8> = b"1234567890".iter().copied().cycle().take(length).collect();
            seed(&data_encoding::BASE32_NOPAD.encode(&bytes))
        };
        let seeds = [of(20), of(32), of(64)];
        for (seconds, sha1, sha256, sha512) in [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"),
            (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ] {
            let algorithms = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
            for ((seed, algorithm), expected) in
                seeds.iter().zip(algorithms).zip([sha1, sha256, sha512])
            {
                let parameters = Parameters::new(algorithm, 8, 30).unwrap();
                let generator = Generator::new(seed, parameters);
                let code = generator.code(parameters.step_at(seconds));
                assert_eq!(*code.expose(), expected, "{seconds} {algorithm:?}");
            }
        }
    }

    /// The test values of RFC 4226 appendix D: the counter is the step.
    #[test]
    fn codes_are_those_of_rfc_4226() {
        let generator =
            Generator::new(&seed("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), Parameters::default());
        let codes: Vec<String> =
            (0..10).map(|step| generator.code(step).expose().to_string()).collect();
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let aws = Parameters::default();
        for text in ["012345", "012 345", " 012-345\n", "0 1 2 3 4 5"] {
            assert_eq!(*Code::parse(text, aws).unwrap().expose(), "012345", "{text}");
        }
        let unfit = |found| UnfitCode::Digits { found, expected: 6 };
        for (text, reason) in [
            ("", unfit(0)),
            ("12345", unfit(5)),
            ("1234567", unfit(7)),
            (&"9".repeat(100), unfit(100)),
            ("12345a", UnfitCode::NotDigits),
            ("+12345", UnfitCode::NotDigits),
            ("１２３４５６", UnfitCode::NotDigits),
        ] {
            assert_eq!(Code::parse(text, aws).unwrap_err(), reason, "{text}");
        }
    }

    #[test]
    fn parameters_are_those_that_devices_have() {
        let new = |digits, period| Parameters::new(Algorithm::Sha1, digits, period);
        assert_eq!(new(6, 30).unwrap(), Parameters::default());
        assert!(new(8, 86_400).is_ok() && new(7, 1).is_ok());
        for digits in [0, 5, 9, 10, 256, u64::MAX] {
            assert_eq!(new(digits, 30).unwrap_err(), UnfitParameters::Digits(digits));
        }
        for period in [0, 86_401, u64::MAX] {
            assert_eq!(new(6, period).unwrap_err(), UnfitParameters::Period(period));
        }
    }

    #[test]
    fn debug_shows_no_code_and_no_seed() {
        let generator = Generator::new(&seed("GEZDGNBVGY3TQOJQ"), Parameters::default());
        let shown = format!("{generator:?} {:?}", generator.code(1));
        assert!(
            !shown.contains(&*generator.code(1).expose()) && !shown.contains("secret"),
            "{shown}"
        );
    }
}
