//! Keys over time, as a picture: since when each could sign, when it couldn't, and when it did. The
//! table beside it says the same in words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{Datelike as _, NaiveDate};

use super::view::KeyView;
use crate::cli::html::escaped;

/// How wide the names are, and the time, in units of the picture.
const NAMES: i64 = 190;
const TIME: i64 = 760;
/// How high a row is, and the line above all of them.
const ROW: i64 = 22;
const TOP: i64 = 26;

/// Draws keys from the first day to the last.
pub fn picture(keys: &[KeyView], first: NaiveDate, last: NaiveDate) -> String {
    let days = (last - first).num_days().max(1);
    let x = |day: NaiveDate| NAMES + (day - first).num_days().clamp(0, days) * TIME / days;
    let rows = i64::try_from(keys.len()).unwrap_or(i64::MAX / ROW);
    let (width, height) = (NAMES + TIME + 10, TOP + rows * ROW + 4);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-labelledby=\"picture-title\">\n\
         <title id=\"picture-title\">Keys from {first} to {last}: since when each could sign, and when \
         it did</title>\n"
    );
    for year in first.year()..=last.year() {
        let day = NaiveDate::from_ymd_opt(year, 1, 1).map_or(first, |day| day.max(first));
        let at = x(day);
        let _ = writeln!(
            svg,
            "<line class=\"year\" x1=\"{at}\" y1=\"16\" x2=\"{at}\" y2=\"{height}\"/>\
             <text x=\"{at}\" y=\"12\">{year}</text>"
        );
    }
    for (row, key) in (0_i64..).zip(keys) {
        let y = TOP + row * ROW;
        let _ = writeln!(svg, "<text x=\"0\" y=\"{}\">{}</text>", y + 13, escaped(&key.key));
        for (place, state) in key.states.iter().enumerate() {
            let end = key.states.get(place + 1).map_or(last, |next| next.since.day);
            let (from, to) = (x(state.since.day), x(end));
            let _ = writeln!(
                svg,
                "<rect class=\"{0}\" x=\"{from}\" y=\"{1}\" width=\"{2}\" height=\"10\"><title>{3}: {0} \
                 since {4}</title></rect>",
                state.state,
                y + 4,
                (to - from).max(2),
                escaped(&key.key),
                state.since.day,
            );
        }
        let signed: BTreeSet<i64> = key.signed.iter().map(|at| x(at.day)).collect();
        for at in signed {
            let _ = writeln!(
                svg,
                "<line class=\"signed\" x1=\"{at}\" y1=\"{}\" x2=\"{at}\" y2=\"{}\"/>",
                y + 1,
                y + 17
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
