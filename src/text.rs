//! Text that people will read on a terminal: which characters may stand in it, and what
//! is shown in place of those that may not.
//!
//! A security key, a file or a person can put control sequences or characters that turn
//! the direction of writing into a name. Records refuse them ([`is_deceptive`]); whatever
//! comes from outside is shown through [`sanitise`].

/// Whether a character can move the cursor, break a line, hide, or reorder the text
/// around it: control characters, line and paragraph separators, bidirectional and
/// zero-width formatting (Unicode categories Cc, Zl, Zp, and the marks of UAX #9).
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{034F}' | '\u{061C}' | '\u{17B4}'..='\u{17B5}' | '\u{180E}' | '\u{200B}'
            | '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}'
            // Shorthand and musical formatting, tags, and what Unicode keeps for more such.
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E00FF}' | '\u{E01F0}'..='\u{E0FFF}'
            // Letters and signs that look like blanks.
            | '\u{00AD}' | '\u{115F}'..='\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}')
}

/// Whether a text has a joiner or a variation selector where it isn't seen, so that two texts
/// look the same. Persian, Indic names and emoji need joiners, between two of their letters or
/// two pictures, and pictures their selector; all else is refused.
pub fn hides_something(text: &str) -> bool {
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        let shows = match c {
            '\u{FE0F}' => is_picture(before) && after != '\u{FE0F}',
            '\u{200D}' if is_picture(before) => is_picture(after),
            '\u{200C}'..='\u{200D}' => is_joining(before) && is_joining(after),
            _ => !matches!(c, '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0E}'
                | '\u{E0100}'..='\u{E01EF}'),
        };
        if !shows {
            return true;
        }
        // A picture with its selector is one still.
        if c != '\u{FE0F}' {
            before = c;
        }
    }
    false
}

/// Letters and signs of scripts whose letters join: Arabic to Sinhala, Myanmar, Khmer,
/// Mongolian.
fn is_joining(c: char) -> bool {
    matches!(c, '\u{0600}'..='\u{0DFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{18AF}')
}

/// Signs that are emoji, or may be.
fn is_picture(c: char) -> bool {
    matches!(c, '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | '〰' | '〽' | '㊗' | '㊙'
        | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{27BF}' | '\u{2900}'..='\u{297F}'
        | '\u{2B00}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// `text` fit to be shown: deceptive characters become `�`, and what is beyond `limit`
/// characters is cut, with `…` in the last place.
pub fn sanitise(text: &str, limit: usize) -> String {
    let shown = |c| if is_deceptive(c) { '\u{FFFD}' } else { c };
    let mut characters = text.chars();
    let mut fit: Vec<char> = characters.by_ref().take(limit).map(shown).collect();
    if characters.next().is_some()
        && let Some(last) = fit.last_mut()
    {
        *last = '…';
    }
    fit.into_iter().collect()
}

/// Text of several lines, each fit to be shown: as [`sanitise`] has it, but for line breaks.
pub fn sanitise_lines(text: &str, limit: usize) -> String {
    text.split('\n').map(|line| sanitise(line, limit)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_replaced() {
        assert_eq!(sanitise("a\u{1b}[31mb\u{202e}c\n", 64), "a\u{fffd}[31mb\u{fffd}c\u{fffd}");
        assert_eq!(sanitise("Schlüssel 鍵", 64), "Schlüssel 鍵");
    }

    #[test]
    fn what_nobody_sees_hides_something() {
        for fit in
            ["", "Prod", "می\u{200C}خواهم", "⚠\u{FE0F}", "👩\u{200D}💻", "🏳\u{FE0F}\u{200D}🌈"]
        {
            assert!(!hides_something(fit), "{fit:?}");
        }
        for unfit in
            ["\u{200D}Prod", "Pr\u{200D}od", "Prod\u{200C}", "x\u{FE0F}", "é\u{200D}\u{200D}"]
        {
            assert!(hides_something(unfit), "{unfit:?}");
        }
        for c in ['\u{034F}', '\u{17B4}', '\u{180E}', '\u{2060}', '\u{E0041}'] {
            assert!(is_deceptive(c), "{c:?}");
        }
        for c in ['\u{FFF0}', '\u{1BCA0}', '\u{1D173}', '\u{E0080}', '\u{E0FFF}'] {
            assert!(is_deceptive(c), "{c:?}");
        }
    }

    #[test]
    fn a_joiner_stands_only_where_it_joins() {
        for fit in ["👩🏽\u{200D}💻", "❤\u{FE0F}\u{200D}🔥", "ශ\u{0DCA}\u{200D}රී"]
        {
            assert!(!hides_something(fit), "{fit:?}");
        }
        for unfit in [
            "Zü\u{200D}rich",
            "Zürich\u{200D}",
            "Пр\u{200C}од",
            "日\u{200D}本",
            "日\u{FE00}本",
            "日\u{E0100}本",
            "ü\u{FE0F}",
            "💻\u{200D}",
            "👩\u{200C}💻",
            "⚠\u{FE0E}",
            "⚠\u{FE0F}\u{FE0F}",
            "می\u{200C}",
        ] {
            assert!(hides_something(unfit), "{unfit:?}");
        }
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(sanitise(&"x".repeat(10_000), 8), "xxxxxxx…");
        assert_eq!(sanitise("xxxxxxxx", 8), "xxxxxxxx");
        assert_eq!(sanitise("x", 0), "");
    }
}
