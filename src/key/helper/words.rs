//! The words that a child may have the parent say.
//!
//! A child names them by their place in a list. It may be in the hands of a device, and
//! it knows a PIN: no text of its own making may get into an error, and from there onto a
//! terminal or into a log.

use crate::key::KeyError;

/// One list of words, the first of which stands for all that aren't in it.
pub(super) struct Words<const N: usize>([&'static str; N]);

impl<const N: usize> Words<N> {
    /// The place of these words in the list.
    pub(super) fn place(&self, words: &str) -> u8 {
        let place = self.0.iter().position(|known| *known == words);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
    }

    /// The words at this place.
    pub(super) fn at(&self, place: u8) -> Option<&'static str> {
        self.0.get(usize::from(place)).copied()
    }
}

const NO_OPTION: &str = "it refuses an option of the request";
const NO_PIN: &str = "it can't have a PIN";
const NO_BUILT_IN: &str = "it doesn't verify its user by itself";
const NO_HMAC_SECRET: &str = "it has no hmac-secret";
const NO_ALGORITHM: &str = "it makes no credential of this algorithm";
const NO_EXCLUDE_LIST: &str = "the list of excluded credentials is too long for it";
const NO_PIN_PROTOCOL: &str = "it knows none of the PIN protocols 1 and 2";

/// For [`KeyError::Unsupported`].
pub(super) const UNSUPPORTED: Words<7> = Words([
    NO_OPTION,
    NO_PIN,
    NO_BUILT_IN,
    NO_HMAC_SECRET,
    NO_ALGORITHM,
    NO_EXCLUDE_LIST,
    NO_PIN_PROTOCOL,
]);

/// [`KeyError::Unsupported`], ready to use.
pub(in crate::key) mod unsupported {
    use super::KeyError::{self, Unsupported};

    pub(in crate::key) const OPTION: KeyError = Unsupported(super::NO_OPTION);
    pub(in crate::key) const PIN: KeyError = Unsupported(super::NO_PIN);
    pub(in crate::key) const BUILT_IN: KeyError = Unsupported(super::NO_BUILT_IN);
    pub(in crate::key) const HMAC_SECRET: KeyError = Unsupported(super::NO_HMAC_SECRET);
    pub(in crate::key) const ALGORITHM: KeyError = Unsupported(super::NO_ALGORITHM);
    pub(in crate::key) const EXCLUDE_LIST: KeyError = Unsupported(super::NO_EXCLUDE_LIST);
    pub(in crate::key) const PIN_PROTOCOL: KeyError = Unsupported(super::NO_PIN_PROTOCOL);
}

/// What follows "the security key gave an answer that makes no sense: ".
pub(in crate::key) mod nonsense {
    pub(in crate::key) const UNREADABLE: &str = "it isn't what CTAP asks for";
    pub(in crate::key) const PANIC: &str = "it broke the program that read it";
    pub(in crate::key) const AAGUID: &str = "its AAGUID isn't 16 bytes";
    pub(in crate::key) const CREDENTIAL: &str = "an assertion by a credential that wasn't asked";
    pub(in crate::key) const NO_OUTPUTS: &str = "it holds no hmac-secret outputs for two salts";
}

/// For [`KeyError::Nonsense`].
pub(super) const NONSENSE: Words<5> = Words([
    nonsense::UNREADABLE,
    nonsense::PANIC,
    nonsense::AAGUID,
    nonsense::CREDENTIAL,
    nonsense::NO_OUTPUTS,
]);

/// What follows "the helper process for security keys failed: ".
pub(in crate::key) mod failed {
    pub(in crate::key) const SOMEHOW: &str = "it doesn't say why";
    pub(in crate::key) const NO_LIST: &str = "the list of USB devices can't be read";
    pub(in crate::key) const NO_RANDOMNESS: &str = "the system gives no randomness";
    pub(in crate::key) const NO_THREAD: &str = "the system gives no thread";
    pub(in crate::key) const FILES_OPEN: &str = "it couldn't give up opening files";
}

/// For [`KeyError::Helper`].
pub(super) const HELPER: Words<5> = Words([
    failed::SOMEHOW,
    failed::NO_LIST,
    failed::NO_RANDOMNESS,
    failed::NO_THREAD,
    failed::FILES_OPEN,
]);
