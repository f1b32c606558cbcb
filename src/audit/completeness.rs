//! Whether the end of a log is there, which the log alone can't tell: only a head that somebody kept
//! elsewhere can.

use crate::log::Head;
use crate::record::Digest;

/// A head from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The head.
    pub head: Head,
    /// Who had it, in words.
    pub by: String,
}

/// A head from outside that isn't one of the log's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contradiction {
    /// Who had it.
    pub by: String,
    /// The entry that it is the head of.
    pub entry: u64,
    /// Whether the log has another entry there; else it has none.
    pub differs: bool,
}

/// What heads from outside say of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Completeness {
    /// Nothing: there is none.
    Unanchored,
    /// Nothing was cut off up to this entry.
    Anchored {
        /// The entry.
        entry: u64,
        /// Who vouch for it.
        by: Vec<String>,
    },
    /// Something was cut off or replaced; of the earliest entry first.
    Contradicted(Vec<Contradiction>),
    /// They are heads of entries that a fault leaves unjudged.
    Unjudged,
}

impl Completeness {
    /// Compares a log's links with heads of that vault. `links[n]` is that of entry n; `is_whole` says
    /// that there is nothing behind them.
    pub fn of(anchors: &[Anchor], links: &[Digest], is_whole: bool) -> Self {
        let link = |head: &Head| usize::try_from(head.number).ok().and_then(|n| links.get(n));
        let contradicts = |anchor: &Anchor| {
            let link = link(&anchor.head);
            let wrong = link.map_or(is_whole, |link| *link != anchor.head.link);
            let (by, entry) = (anchor.by.clone(), anchor.head.number);
            wrong.then(|| Contradiction { by, entry, differs: link.is_some() })
        };
        let mut contradictions: Vec<Contradiction> =
            anchors.iter().filter_map(contradicts).collect();
        contradictions.sort_by_key(|contradiction| contradiction.entry);
        if !contradictions.is_empty() {
            return Self::Contradicted(contradictions);
        }
        let contained = || anchors.iter().filter(|anchor| link(&anchor.head).is_some());
        match contained().map(|anchor| anchor.head.number).max() {
            // The head of no entry at all is in every log.
            Some(entry) if entry > 0 => {
                let by = contained().filter(|anchor| anchor.head.number == entry);
                Self::Anchored { entry, by: by.map(|anchor| anchor.by.clone()).collect() }
            }
            _ if contained().count() < anchors.len() => Self::Unjudged,
            _ => Self::Unanchored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Hex;

    fn anchor(head: Head, by: &str) -> Anchor {
        Anchor { head, by: by.to_owned() }
    }

    #[test]
    fn the_newest_head_from_outside_counts_and_any_other_contradicts() {
        let empty = Head::empty(Hex([1; 16]));
        let one = empty.after(b"1");
        let (two, other) = (one.after(b"2"), one.after(b"other"));
        let links = [empty.link, one.link, two.link];
        let of = |anchors: &[Anchor], links, whole| Completeness::of(anchors, links, whole);
        assert_eq!(of(&[], &links, true), Completeness::Unanchored);
        assert_eq!(of(&[anchor(empty, "a")], &links, true), Completeness::Unanchored);
        let both = [anchor(one, "a"), anchor(two, "b"), anchor(two, "c")];
        let by = vec!["b".to_owned(), "c".to_owned()];
        assert_eq!(of(&both, &links, true), Completeness::Anchored { entry: 2, by });
        let against = |differs| {
            let by = "b".to_owned();
            Completeness::Contradicted(vec![Contradiction { by, entry: 2, differs }])
        };
        let mixed = [anchor(one, "a"), anchor(other, "b")];
        assert_eq!(of(&mixed, &links, true), against(true));
        assert_eq!(of(&[anchor(two, "b")], &links[..2], true), against(false), "a tail is cut off");
        assert_eq!(of(&[anchor(two, "b")], &links[..2], false), Completeness::Unjudged);
        let some = [anchor(one, "a"), anchor(two, "b")];
        let by = vec!["a".to_owned()];
        assert_eq!(of(&some, &links[..2], false), Completeness::Anchored { entry: 1, by });
    }
}
