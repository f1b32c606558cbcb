//! Pages for paper: what all of them have in common.
//!
//! A page stands for itself: no script, no picture, no request to anywhere.

use pulldown_cmark::{Event, html::push_html};

/// A whole page. `title` is text; `style` and `body` are as they are to stand in it.
pub fn document(title: &str, style: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}</body>\n\
         </html>\n"
    )
}

/// Text in which nothing is markup, to stand between tags. It isn't for attributes.
pub fn escaped(text: &str) -> String {
    let mut html = String::new();
    push_html(&mut html, std::iter::once(Event::Text(text.into())));
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escaped("<b>&amp; \"x\" *y*"), "&lt;b&gt;&amp;amp; \"x\" *y*");
        let page = document("</title><b>", "p {}\n", "<p>x</p>\n");
        assert!(page.contains("<title>&lt;/title&gt;&lt;b&gt;</title>"));
        assert!(page.ends_with("<body>\n<p>x</p>\n</body>\n</html>\n"));
    }
}
