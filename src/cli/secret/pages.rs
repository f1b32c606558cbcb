//! Cutting what is shown on a screen of its own into what fits on it: nothing scrolls back there.

/// The pieces of a text, each of which fits on a screen of so many rows and columns, and which
/// together are the text but for the line breaks between them.
pub fn pages(text: &str, rows: usize, columns: usize) -> Vec<&str> {
    let (rows, columns) = (rows.max(1), columns.max(2));
    let mut pages = Vec::new();
    let (mut start, mut row, mut column) = (0, 0, 0_usize);
    for (place, character) in text.char_indices() {
        if character == '\n' {
            (row, column) = (row + 1, 0);
            // What follows goes on the next page, if anything does.
            if row == rows {
                pages.extend(text.get(start..place));
                (start, row) = (place + 1, 0);
            }
            continue;
        }
        let width = width(character);
        if column + width > columns {
            (row, column) = (row + 1, 0);
            if row == rows {
                pages.extend(text.get(start..place));
                (start, row) = (place, 0);
            }
        }
        column += width;
    }
    if start < text.len() || pages.is_empty() {
        pages.extend(text.get(start..));
    }
    pages
}

/// The most columns that a character takes.
fn width(character: char) -> usize {
    match character {
        '\t' => 8,
        character if character.is_ascii() => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_one_page() {
        for text in ["", "x", "a\nb\nc", "a\nb\nc\n", &"x".repeat(30)] {
            let shown = pages(text, 3, 10).join("\n");
            assert_eq!(pages(text, 3, 10).len(), 1, "{text:?}");
            assert_eq!(shown.trim_end_matches('\n'), text.trim_end_matches('\n'));
        }
    }

    #[test]
    fn what_doesnt_fit_is_cut_between_lines_or_where_a_line_wraps() {
        assert_eq!(pages("a\nb\nc\nd\ne", 2, 10), ["a\nb", "c\nd", "e"]);
        assert_eq!(pages(&"x".repeat(50), 2, 10), ["x".repeat(20), "x".repeat(20), "x".repeat(10)]);
        assert_eq!(pages("xxxxxxxxxxxx\ny\nz", 2, 10), ["xxxxxxxxxxxx", "y\nz"]);
        assert_eq!(pages("ääääää\n\tx\n\ty", 2, 10), ["ääääää", "\tx\n\ty"]);
        assert_eq!(pages("a\n\n\n\nb", 2, 10), ["a\n", "\n", "b"]);
    }

    #[test]
    fn a_screen_without_a_size_takes_something() {
        assert_eq!(pages("abc", 0, 0), ["ab", "c"]);
    }
}
