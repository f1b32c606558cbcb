//! The verdicts, out of what a replay and heads from outside have shown.

use super::completeness::{Anchor, Completeness};
use super::coverage::Coverage;
use crate::log::{Fault, Rule};
use crate::record::Digest;

/// One of the first three verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It holds.
    Yes,
    /// It holds of what is shown.
    Partial,
    /// It doesn't.
    No,
    /// It holds up to this entry; what comes after it isn't judged, since something else is wrong.
    UpTo(u64),
}

/// What the verdicts are out of.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'e> {
    /// How many entries are sound.
    pub sound: u64,
    /// How many of them are withheld.
    pub withheld: u64,
    /// The first fault.
    pub fault: Option<&'e Fault>,
    /// Whether that fault is that the entries aren't open to whoever reads, so that they aren't judged.
    pub is_closed: bool,
    /// Whether files aren't what the entries say.
    pub is_damaged: bool,
    /// Links: `links[n]` is that of entry n.
    pub links: &'e [Digest],
    /// Whether no entry follows those of the links.
    pub is_whole: bool,
    /// Heads from outside.
    pub anchors: &'e [Anchor],
    /// What was due, and what became of it, unless that can't be told.
    pub coverage: Option<Coverage>,
}

/// All five.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdicts {
    /// Whether entries, and the files that they name, are as they were written.
    pub integrity: Verdict,
    /// Whether enrolled keys signed them, touched by somebody.
    pub authorship: Verdict,
    /// Whether those signed who had to, and what they say could happen.
    pub authority: Verdict,
    /// Whether the end is there.
    pub completeness: Completeness,
    /// Whether what was due was done; nothing of what isn't shown or judged as a whole.
    pub coverage: Option<Coverage>,
}

impl Verdicts {
    /// The verdicts that this evidence gives.
    pub fn of(evidence: &Evidence<'_>) -> Self {
        let sound = if evidence.withheld > 0 { Verdict::Partial } else { Verdict::Yes };
        let broken = evidence.fault.filter(|_| !evidence.is_closed).map(|fault| fault.rule);
        let verdict = |breaks: fn(Rule) -> bool| match (broken, evidence.fault) {
            (Some(rule), _) if breaks(rule) => Verdict::No,
            (_, Some(_)) => Verdict::UpTo(evidence.sound),
            (_, None) => sound,
        };
        let integrity = match verdict(is_of_integrity) {
            _ if evidence.is_damaged => Verdict::No,
            verdict => verdict,
        };
        let is_judged = evidence.fault.is_none() && evidence.withheld == 0;
        Self {
            integrity,
            authorship: verdict(|rule| rule == Rule::Signature),
            authority: verdict(is_of_authority),
            completeness: Completeness::of(evidence.anchors, evidence.links, evidence.is_whole),
            coverage: evidence.coverage.filter(|_| is_judged),
        }
    }

    /// Whether one of them is no.
    pub fn has_no(&self) -> bool {
        [self.integrity, self.authorship, self.authority].contains(&Verdict::No)
            || matches!(self.completeness, Completeness::Contradicted(_))
            || self.coverage.is_some_and(|coverage| coverage.is_lacking())
    }
}

fn is_of_integrity(rule: Rule) -> bool {
    matches!(rule, Rule::Form | Rule::Vault | Rule::Number | Rule::Link)
}

fn is_of_authority(rule: Rule) -> bool {
    matches!(rule, Rule::Slip | Rule::Signers | Rule::Authority | Rule::Event)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [Rule; 9] = [
        Rule::Form,
        Rule::Vault,
        Rule::Number,
        Rule::Link,
        Rule::Slip,
        Rule::Signers,
        Rule::Signature,
        Rule::Authority,
        Rule::Event,
    ];

    fn evidence<'e>(fault: Option<&'e Fault>) -> Evidence<'e> {
        Evidence {
            sound: 4,
            withheld: 0,
            fault,
            is_closed: false,
            is_damaged: false,
            links: &[],
            is_whole: fault.is_none(),
            anchors: &[],
            coverage: None,
        }
    }

    #[test]
    fn each_rule_is_one_verdicts_and_the_others_hold_as_far_as_it_was_judged() {
        for rule in RULES {
            let fault = Fault { entry: 5, rule, reason: String::new() };
            let Verdicts { integrity, authorship, authority, .. } =
                Verdicts::of(&evidence(Some(&fault)));
            let all = [integrity, authorship, authority];
            let count = |verdict| all.iter().filter(|other| **other == verdict).count();
            assert_eq!((count(Verdict::No), count(Verdict::UpTo(4))), (1, 2), "{rule}");
        }
    }

    #[test]
    fn what_is_closed_is_not_judged_and_what_is_withheld_makes_it_partial() {
        let fault = Fault { entry: 5, rule: Rule::Form, reason: String::new() };
        let closed = Verdicts::of(&Evidence { is_closed: true, ..evidence(Some(&fault)) });
        assert_eq!(closed.integrity, Verdict::UpTo(4));
        assert!(!closed.has_no());
        let partial = Verdicts::of(&Evidence { withheld: 1, ..evidence(None) });
        assert_eq!([partial.integrity, partial.authority], [Verdict::Partial; 2]);
        let damaged = Verdicts::of(&Evidence { is_damaged: true, ..evidence(None) });
        assert_eq!([damaged.integrity, damaged.authority], [Verdict::No, Verdict::Yes]);
        assert!(damaged.has_no());
    }
}
