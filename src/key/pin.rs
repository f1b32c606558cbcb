//! The PIN of a security key.

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hardening::keep_from_swap;

/// A PIN, as CTAP 2.1 section 6.5.1 bounds it: 4 to 63 bytes of UTF-8, no NUL.
///
/// A secret: wiped when dropped, kept out of swap, never shown, compared by nobody but the key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pin(Box<str>);

/// Why a text can't be a PIN. Never holds the text.
#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
pub enum UnfitPin {
    /// Fewer than four characters.
    #[error("a PIN has at least 4 characters")]
    TooShort,
    /// More than 63 bytes.
    #[error("a PIN has at most 63 bytes")]
    TooLong,
    /// A NUL or another control character, which no key accepts or no one could type again.
    #[error("a PIN holds no control character")]
    ControlCharacter,
}

impl Pin {
    /// Takes a PIN out of `text`, which is wiped whatever the outcome.
    pub fn take_from(text: &mut String) -> Result<Self, UnfitPin> {
        let fits = if text.chars().count() < 4 {
            Err(UnfitPin::TooShort)
        } else if text.len() > 63 {
            Err(UnfitPin::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(UnfitPin::ControlCharacter)
        } else {
            Ok(())
        };
        let pin = fits.map(|()| Self(Box::from(text.as_str())));
        if let Ok(Self(pin)) = &pin {
            keep_from_swap(pin.as_bytes());
        }
        text.zeroize();
        pin
    }

    /// The PIN itself, for the request to the key.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> Result<Pin, UnfitPin> {
        Pin::take_from(&mut text.to_owned())
    }

    #[test]
    fn a_pin_is_bounded_as_ctap_bounds_it() {
        assert_eq!(pin("123").unwrap_err(), UnfitPin::TooShort);
        assert_eq!(pin(&"1".repeat(64)).unwrap_err(), UnfitPin::TooLong);
        assert_eq!(pin("12\u{0}4").unwrap_err(), UnfitPin::ControlCharacter);
        assert_eq!(pin("1234").unwrap().expose(), "1234");
        assert_eq!(pin("пин5").unwrap().expose(), "пин5");
    }

    #[test]
    fn a_pin_is_never_shown_and_its_source_is_wiped() {
        let mut text = "93715".to_owned();
        let pin = Pin::take_from(&mut text).unwrap();
        assert_eq!(text, "");
        assert_eq!(format!("{pin:?}"), "Pin(hidden)");
    }
}
