//! The text around a signature (PROTOCOL.sshsig, section 1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
/// As `ssh-keygen` wraps it, whatever PROTOCOL.sshsig says of 76.
const COLUMNS: usize = 70;
/// The longest text that is looked at, in bytes. The longest signature, with an
/// application and a namespace of 255 characters, takes half of it.
const MAX_TEXT: usize = 4096;

/// Puts `blob` into lines of 70 columns between the two markers.
pub(super) fn wrap(blob: &[u8]) -> String {
    let base64 = STANDARD.encode(blob);
    let mut text = String::with_capacity(base64.len() + base64.len() / COLUMNS + 64);
    text.push_str(BEGIN);
    for (place, letter) in base64.chars().enumerate() {
        if place > 0 && place % COLUMNS == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push('\n');
    text.push_str(END);
    text
}

/// Takes the bytes out of what [`wrap`] made; `None` for any other text.
pub(super) fn unwrap(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let body = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let blob = STANDARD.decode(body.replace('\n', "")).ok()?;
    (wrap(&blob) == text).then_some(blob)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_line_is_full_or_shorter_but_never_empty() {
        // 105 bytes are 140 letters: two full lines.
        let text = wrap(&[7; 105]);
        let lengths: Vec<_> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [29, 70, 70, 27]);
        let lengths: Vec<_> = wrap(&[7; 106]).lines().map(str::len).collect();
        assert_eq!(lengths, [29, 70, 70, 4, 27]);
    }

    proptest! {
        #[test]
        fn what_was_wrapped_comes_out_again(blob in prop::collection::vec(any::<u8>(), 1..2000)) {
            prop_assert_eq!(unwrap(&wrap(&blob)), Some(blob));
        }

        #[test]
        fn no_text_makes_unwrap_panic(text in "\\PC*") {
            let _ = unwrap(&text);
            let _ = unwrap(&format!("{BEGIN}{text}{END}"));
        }
    }
}
