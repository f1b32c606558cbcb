//! Passphrases for the paper copies in the safe, and the files they open: age's own
//! passphrase encryption (the scrypt stanza of C2SP `age.md`), so that stock `age -d` opens a
//! paper copy with nothing of ours.
//!
//! Invariants: a generated passphrase has ten words of a published list, 110 bits, all equally
//! likely. A file is sealed with one work factor, and none above `MAX_WORK_FACTOR` is ever
//! tried, since a file could else ask for any amount of memory.
//!
//! This module must not print a passphrase or ask for one.

use std::fmt;

use age::secrecy::SecretString;
use bip39::Language;
use zeroize::{Zeroize, Zeroizing};

use super::cipher::{self, OpenError, SealError};
use crate::hardening::keep_from_swap;

/// How many words a generated passphrase has. Each is worth 11 bits.
const WORDS: usize = 10;

/// The work factor of files we write: scrypt with N = 2^18, about a second and 256 MiB.
const WORK_FACTOR: u8 = 18;

/// The highest work factor that is tried, the same as stock age's: N = 2^22 takes 4 GiB.
const MAX_WORK_FACTOR: u8 = 22;

/// The name of age's stanza for passphrases.
const SCRYPT: &str = "scrypt";

/// A passphrase, its words joined by hyphens.
///
/// A secret: no `Clone`, hidden in `Debug`, kept out of swap, wiped when dropped.
pub struct Passphrase(Zeroizing<String>);

/// What is odd about a typed passphrase. Positions only, no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misspelling {
    /// Another number of words than we write.
    #[error("it has {0} words, a passphrase of ours has {WORDS}")]
    WordCount(usize),
    /// A word that isn't in the list; the first is number 1.
    #[error("word {0} isn't in the word list")]
    UnknownWord(usize),
}

/// Why a passphrase doesn't open a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// Another kind of file.
    #[error("this file isn't sealed to a passphrase")]
    NotForPassphrase,
    /// It asks for more memory and time than anything of ours does.
    #[error("this file asks for 2^{work_factor} rounds of scrypt; 2^{MAX_WORK_FACTOR} is the most")]
    TooMuchWork {
        /// The binary logarithm of scrypt's N.
        work_factor: u8,
    },
    /// Mistyped, or another file's; or the stanza is damaged.
    #[error("wrong passphrase")]
    Wrong,
    /// It is no sound file, whoever it is for.
    #[error(transparent)]
    File(OpenError),
}

impl Passphrase {
    /// Makes a passphrase of ten random words. `random` fills a buffer with random bytes.
    pub fn generate(random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut bytes = Zeroizing::new([0; 2 * WORDS]);
        random(bytes.as_mut_slice());
        let list = Language::English.word_list();
        // The longest word has 8 letters. With all room at once no copy is left behind.
        let mut text = Zeroizing::new(String::with_capacity(9 * WORDS));
        for pair in bytes.chunks_exact(2) {
            let number = pair.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
            if !text.is_empty() {
                text.push('-');
            }
            // 65,536 is a multiple of 2048: no word is likelier than another.
            text.push_str(list.get(number % list.len()).copied().unwrap_or_default());
        }
        keep_from_swap(text.as_str());
        Self(text)
    }

    /// Takes what somebody typed from paper and leaves an empty string behind. Upper case, and
    /// spaces or several hyphens between the words, make no difference; nor does a line end.
    pub fn take_from(typed: &mut String) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(typed.len()));
        for word in typed.split(|c: char| c.is_whitespace() || c == '-').filter(|w| !w.is_empty()) {
            if !text.is_empty() {
                text.push('-');
            }
            text.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        }
        typed.zeroize();
        keep_from_swap(text.as_str());
        Self(text)
    }

    /// The first thing that shows that this isn't a passphrase of ours as we wrote it down, so
    /// that a slip of the finger is found before scrypt takes its second. Not a reason to
    /// refuse: the passphrase may come from elsewhere.
    pub fn misspelling(&self) -> Option<Misspelling> {
        let mut count = 0;
        for word in self.0.split('-') {
            count += 1;
            if Language::English.find_word(word).is_none() {
                return Some(Misspelling::UnknownWord(count));
            }
        }
        (count != WORDS).then_some(Misspelling::WordCount(count))
    }

    /// The words, joined by hyphens: what is written on the paper, and typed to stock age.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A copy in age's own type, which wipes itself too.
    fn for_age(&self) -> SecretString {
        SecretString::from(self.0.as_str())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

/// Seals a plaintext to a passphrase. Takes about a second, on purpose.
pub(super) fn seal(plaintext: &[u8], passphrase: &Passphrase) -> Result<Vec<u8>, SealError> {
    seal_with_work(plaintext, passphrase, WORK_FACTOR)
}

fn seal_with_work(
    plaintext: &[u8],
    passphrase: &Passphrase,
    work_factor: u8,
) -> Result<Vec<u8>, SealError> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.for_age());
    // age would choose by the speed of this machine at this moment.
    recipient.set_work_factor(work_factor);
    cipher::seal(plaintext, &[&recipient])
}

/// Opens a file of at most `limit` bytes of plaintext with a passphrase.
pub(super) fn open(
    file: &[u8],
    passphrase: &Passphrase,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
    let stanzas = cipher::stanzas(file).map_err(PassphraseError::File)?;
    // A scrypt stanza stands alone; age refuses a file where it doesn't.
    let [stanza] = stanzas.as_slice() else {
        return Err(PassphraseError::NotForPassphrase);
    };
    if stanza.tag != SCRYPT {
        return Err(PassphraseError::NotForPassphrase);
    }
    match stanza.args.get(1).and_then(|work_factor| work_factor.parse().ok()) {
        Some(work_factor) if work_factor > MAX_WORK_FACTOR => {
            return Err(PassphraseError::TooMuchWork { work_factor });
        }
        // age says what is wrong with one that is malformed.
        _ => {}
    }
    let mut identity = age::scrypt::Identity::new(passphrase.for_age());
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    cipher::open(file, std::iter::once(&identity as &dyn age::Identity), limit).map_err(|error| {
        match error {
            OpenError::NoIdentity => PassphraseError::Wrong,
            other => PassphraseError::File(other),
        }
    })
}

#[cfg(test)]
pub(super) mod tests;
