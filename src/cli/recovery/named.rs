//! What can be lost, as people name it on a command line.

use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::recovery::{Element, ElementId, Recovery, plain};
use crate::text::sanitise;

/// The most candidates that are listed.
const MAX_LISTED: usize = 20;

/// The element that somebody means: `bob`, `alice/blue`, `"Safe 2"`, `aws@example.com`,
/// `@example.com`, `"+44 20 7946 0000"`, or with its kind before it, `place:safe 2`.
pub fn named(recovery: &Recovery, given: &str) -> Result<ElementId, Failure> {
    let asked = plain(given);
    let spelt = |element: &Element| match element {
        Element::Domain(domain) => vec![format!("@{domain}"), domain.clone()],
        other => vec![other.name()],
    };
    let same = |element: &Element, name: &str| match element {
        // A number is the same with blanks and without, an address with an extension or not.
        Element::Phone(digits) => *digits == name.replace(' ', ""),
        Element::Mailbox(mailbox) => {
            name == mailbox || name.parse().is_ok_and(|email| Element::mailbox(&email) == *element)
        }
        other => spelt(other).iter().any(|own| own == name),
    };
    let (kind, name) = match asked.split_once(':') {
        Some((kind, name)) if KINDS.contains(&kind) => (Some(kind), name.trim()),
        _ => (None, asked.as_str()),
    };
    let fits =
        |element: &Element| kind.is_none_or(|kind| element.kind() == kind) && same(element, name);
    let mut found: Vec<(&Element, ElementId)> =
        recovery.elements().iter().filter(|(element, _)| fits(element)).collect();
    if found.is_empty() {
        // A place can be named without what it is in, where one alone is called so.
        let begins = |element: &Element| match element {
            Element::Place(place) => place.split(", ").next() == Some(name),
            _ => false,
        };
        let inner = recovery.elements().iter().filter(|(element, _)| begins(element));
        found = inner.filter(|_| kind.is_none_or(|kind| kind == "place")).collect();
    }
    let shown = sanitise(given, 80);
    match found.as_slice() {
        [(_, id)] => Ok(*id),
        [] => {
            let near = |element: &Element| spelt(element).iter().any(|own| own.contains(name));
            let all: Vec<String> = recovery
                .elements()
                .iter()
                .filter(|(element, _)| kind.is_none_or(|kind| element.kind() == kind))
                .filter(|(element, _)| near(element) || recovery.elements().len() <= MAX_LISTED)
                .take(MAX_LISTED)
                .map(|(element, _)| element.to_string())
                .collect();
            let failure = Failure::new(
                exit::USAGE,
                format!("nothing that an account needs is called {shown}"),
            );
            Err(match all.is_empty() {
                true => failure.hint("keymuster recovery show ACCOUNT tells what each needs"),
                false => failure.hint(format!("there are: {}", all.join("; "))),
            })
        }
        several => {
            let all: Vec<String> = several.iter().map(|(element, _)| element.to_string()).collect();
            Err(Failure::new(exit::USAGE, format!("{shown} is several things"))
                .hint(format!("name one of them: {}", all.join("; "))))
        }
    }
}

/// The kinds of elements, as they can stand before a name.
const KINDS: [&str; 8] = ["person", "key", "paper", "token", "place", "mailbox", "domain", "phone"];
