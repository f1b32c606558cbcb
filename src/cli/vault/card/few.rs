//! How much of each goes on the card, and the first of many.

use std::fmt::Display;

use serde::Serialize;

use crate::text::sanitise;

/// How much of each goes on the card.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Custodians, and the paper copies of their identities.
    pub custodians: usize,
    /// Lines that say how to reach one of them.
    pub contacts: usize,
    /// People who aren't custodians, and what each of them does.
    pub others: usize,
    /// Security keys.
    pub keys: usize,
    /// Accounts.
    pub accounts: usize,
    /// MFA devices of one account.
    pub devices: usize,
    /// Names in a list, such as those who read a mailbox.
    pub names: usize,
    /// Secrets in custody, with their files.
    pub secrets: usize,
    /// Characters of a text that somebody wrote.
    pub text: usize,
}

impl Bounds {
    /// As much as anybody reads at night.
    pub const WIDEST: Self = Self {
        custodians: 6,
        contacts: 3,
        others: 4,
        keys: 8,
        accounts: 4,
        devices: 4,
        names: 4,
        secrets: 4,
        text: 90,
    };

    /// The next narrower ones, where those are too much for a page. What is long is cut first,
    /// and whom to call last.
    pub fn narrower(self) -> Option<Self> {
        let shorter = Self { text: 64, contacts: 2, ..Self::WIDEST };
        let short = Self { text: 48, devices: 3, names: 3, ..shorter };
        let terse = Self { text: 40, contacts: 1, devices: 2, names: 2, secrets: 2, ..short };
        let few = Self { text: 36, accounts: 3, others: 2, ..terse };
        let fewer = Self { text: 32, keys: 6, ..few };
        let fewest = Self { text: 30, custodians: 5, ..fewer };
        let least = Self { text: 28, accounts: 2, devices: 1, ..fewest };
        let bare = Self { text: 24, custodians: 4, keys: 4, names: 1, secrets: 1, ..least };
        let all = [shorter, short, terse, few, fewer, fewest, least, bare];
        all.into_iter().find(|bounds| bounds.text < self.text)
    }

    /// A text that somebody wrote, short and fit to be shown.
    pub fn short(&self, text: &impl Display) -> String {
        sanitise(&text.to_string(), self.text)
    }
}

/// The first of several things, and how many more there are.
#[derive(Debug, Serialize)]
pub struct Few<T> {
    /// The first ones.
    pub shown: Vec<T>,
    /// How many there are beside them.
    pub more: usize,
}

impl<T> Few<T> {
    /// The first of `all`, each made into what is shown.
    pub fn of<I: IntoIterator>(all: I, most: usize, shown: impl FnMut(I::Item) -> T) -> Self {
        let mut all = all.into_iter();
        let shown = all.by_ref().take(most).map(shown).collect();
        Self { shown, more: all.count() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty() && self.more == 0
    }

    /// `alice, bob and 3 more`, each in words.
    pub fn listed(&self, words: impl Fn(&T) -> String) -> String {
        self.parted(", ", words)
    }

    /// The same with something else between them.
    pub fn parted(&self, by: &str, words: impl Fn(&T) -> String) -> String {
        let shown = self.shown.iter().map(words).collect::<Vec<_>>().join(by);
        match (self.more, shown.is_empty()) {
            (0, _) => shown,
            (more, true) => format!("{more} of them"),
            (more, false) => format!("{shown} and {more} more"),
        }
    }
}

impl Few<String> {
    /// The same of names.
    pub fn names(&self) -> String {
        self.listed(Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_shown_and_the_others_counted() {
        let few = |most| Few::of(["a", "b", "c"], most, str::to_owned);
        assert_eq!(few(3).names(), "a, b, c");
        assert_eq!(few(1).names(), "a and 2 more");
        assert_eq!(few(0).names(), "3 of them");
        assert!(!few(0).is_empty() && Few::of([""; 0], 3, str::to_owned).is_empty());
    }

    #[test]
    fn bounds_become_narrower_and_come_to_an_end() {
        let mut bounds = Bounds::WIDEST;
        let mut steps = 0;
        while let Some(narrower) = bounds.narrower() {
            assert!(narrower.custodians <= bounds.custodians && narrower.keys <= bounds.keys);
            assert!(narrower.accounts <= bounds.accounts && narrower.text <= bounds.text);
            bounds = narrower;
            steps += 1;
        }
        assert_eq!(steps, 8);
    }
}
