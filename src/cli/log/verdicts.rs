//! The five verdicts, in words and as JSON.

use serde::Serialize;

use crate::audit::{Completeness, Coverage, Verdict, Verdicts};
use crate::cli::output::{count, few, wrapped};
use crate::log::{Entry, Replay};

/// How far a line's words are from its verdict's name.
const INDENT: &str = "                            ";
/// How many heads are named that agree.
const MAX_NAMED: usize = 3;

/// What was verified, in numbers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Entries that are sound, those that are withheld among them.
    pub entries: u64,
    /// Entries of which there is only the digest.
    pub withheld: u64,
    /// The last entry that isn't withheld.
    pub last_shown: u64,
    /// Files that are what the entries say, beside them.
    pub files: usize,
    /// Verified signatures, each a touch.
    pub signatures: u64,
    /// Those before which the key verified its user.
    pub user_verified: u64,
    /// Keys that were ever enrolled.
    pub keys: usize,
    /// Events.
    pub events: usize,
}

impl Counts {
    /// Of these entries, with so many of them withheld, and so many files beside them in order.
    pub fn of(replay: &Replay, entries: &[Entry], withheld: u64, files: usize) -> Self {
        let signatures = replay.signatures();
        Self {
            entries: replay.head().number,
            withheld,
            last_shown: entries.last().map_or(0, |entry| entry.document().number),
            files,
            signatures: signatures.all,
            user_verified: signatures.user_verified,
            keys: replay.public_keys().len(),
            events: entries.iter().map(|entry| entry.events().count()).sum(),
        }
    }
}

/// A verdict, as JSON.
#[derive(Debug, Serialize)]
pub struct VerdictView {
    verdict: &'static str,
    /// The last entry that was judged, where it isn't the last that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    up_to: Option<u64>,
}

#[derive(Debug, Serialize)]
struct CompletenessView {
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<u64>,
    by: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CoverageView {
    verdict: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    counted: Option<CountedView>,
}

#[derive(Debug, Serialize)]
struct CountedView {
    on: String,
    obligations: usize,
    overdue: usize,
    early: usize,
    done: usize,
    late: usize,
    missed: usize,
    waived: usize,
    ended: usize,
    open: usize,
}

/// All five, as JSON.
#[derive(Debug, Serialize)]
pub struct VerdictsView {
    integrity: VerdictView,
    authorship: VerdictView,
    authority: VerdictView,
    completeness: CompletenessView,
    coverage: CoverageView,
}

impl From<&Verdicts> for VerdictsView {
    fn from(verdicts: &Verdicts) -> Self {
        Self {
            integrity: verdicts.integrity.into(),
            authorship: verdicts.authorship.into(),
            authority: verdicts.authority.into(),
            completeness: (&verdicts.completeness).into(),
            coverage: verdicts.coverage.into(),
        }
    }
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        let (verdict, up_to) = match verdict {
            Verdict::Yes => ("yes", None),
            Verdict::Partial => ("partial", None),
            Verdict::No => ("no", None),
            Verdict::UpTo(entry) => ("unjudged", Some(entry)),
        };
        Self { verdict, up_to }
    }
}

impl From<&Completeness> for CompletenessView {
    fn from(completeness: &Completeness) -> Self {
        match completeness {
            Completeness::Unanchored => Self { verdict: "unanchored", entry: None, by: Vec::new() },
            Completeness::Unjudged => Self { verdict: "unjudged", entry: None, by: Vec::new() },
            Completeness::Anchored { entry, by } => {
                Self { verdict: "anchored", entry: Some(*entry), by: by.clone() }
            }
            Completeness::Contradicted(all) => Self {
                verdict: "contradicted",
                entry: all.first().map(|one| one.entry),
                by: all.iter().map(|one| one.by.clone()).collect(),
            },
        }
    }
}

impl From<Option<Coverage>> for CoverageView {
    fn from(coverage: Option<Coverage>) -> Self {
        let verdict = match coverage {
            Some(coverage) if coverage.is_lacking() => "no",
            Some(_) => "yes",
            None => "unjudged",
        };
        let counted =
            coverage.map(|Coverage { on, obligations, fates, overdue, .. }| CountedView {
                on: on.to_string(),
                obligations,
                overdue,
                early: fates.early,
                done: fates.done,
                late: fates.late,
                missed: fates.missed,
                waived: fates.waived,
                ended: fates.ended,
                open: fates.open,
            });
        Self { verdict, counted }
    }
}

/// A verdict in words.
#[derive(Debug, Clone, Serialize)]
pub struct InWords {
    /// What it is called.
    pub name: &'static str,
    /// How it is, in a word.
    pub word: &'static str,
    /// What that rests on.
    pub evidence: String,
}

/// The five lines for people.
pub fn lines(verdicts: &Verdicts, counts: &Counts) -> String {
    let line =
        |it: InWords| wrapped(&format!("{:<13}{:<15}{}", it.name, it.word, it.evidence), INDENT);
    in_words(verdicts, counts).into_iter().map(line).collect()
}

/// All five in words.
pub fn in_words(verdicts: &Verdicts, counts: &Counts) -> [InWords; 5] {
    let shown = counts.entries.saturating_sub(counts.withheld);
    let integrity = {
        let entries = match counts.entries {
            1 => "1 entry as it was written".to_owned(),
            _ => format!("{shown} entries as they were written, each following the one before"),
        };
        let withheld = match (counts.withheld, counts.entries.saturating_sub(counts.last_shown)) {
            (0, _) => String::new(),
            (many, 0) => format!("; {many} withheld, of which there are only the digests"),
            (many, _) => format!(
                "; {many} withheld, of which there are only the digests, and nobody's signature is shown \
                 for what comes after entry {}",
                counts.last_shown
            ),
        };
        let files = match counts.files {
            0 => String::new(),
            1 => "; 1 file beside them is the one that they name".to_owned(),
            many => format!("; {many} files beside them are those that they name"),
        };
        format!("{entries}{withheld}{files}")
    };
    let touched = counts.signatures.saturating_sub(counts.user_verified);
    let verified = match (counts.user_verified, touched) {
        (_, 0) => "each after a touch and a PIN or fingerprint".to_owned(),
        (0, _) => "each after a touch, none with a PIN or fingerprint".to_owned(),
        (_, touched) => {
            format!("each after a touch; {touched} of them without a PIN or fingerprint")
        }
    };
    let signatures = usize::try_from(counts.signatures).unwrap_or(usize::MAX);
    let authorship = format!(
        "{} of {}, {verified}",
        count(signatures, "signature", "signatures"),
        count(counts.keys, "enrolled key", "enrolled keys"),
    );
    let authority = match verdicts.authority {
        Verdict::Partial => format!(
            "{}: those signed who had to, as far as that doesn't rest on what is withheld",
            count(counts.events, "event", "events")
        ),
        _ => format!(
            "{}: those signed who had to, and each could happen where it stands",
            count(counts.events, "event", "events")
        ),
    };
    [
        plain("integrity", verdicts.integrity, &integrity),
        plain("authorship", verdicts.authorship, &authorship),
        plain("authority", verdicts.authority, &authority),
        completeness(&verdicts.completeness, counts.entries),
        coverage(verdicts.coverage.as_ref()),
    ]
}

fn line(name: &'static str, word: &'static str, evidence: &str) -> InWords {
    InWords { name, word, evidence: evidence.to_owned() }
}

fn plain(name: &'static str, verdict: Verdict, evidence: &str) -> InWords {
    match verdict {
        Verdict::Yes => line(name, "YES", evidence),
        Verdict::Partial => line(name, "PARTIAL", evidence),
        Verdict::No => line(name, "NO", "see below"),
        Verdict::UpTo(0) => line(name, "UNJUDGED", "no entry could be judged"),
        Verdict::UpTo(entry) => {
            line(name, "UNJUDGED", &format!("beyond entry {entry}; up to there, yes"))
        }
    }
}

fn completeness(completeness: &Completeness, entries: u64) -> InWords {
    let (word, rest) = match completeness {
        Completeness::Unanchored => (
            "UNANCHORED",
            "no head from elsewhere was held against it (--heads FILE), and without one a tail that \
             was cut off doesn't show"
                .to_owned(),
        ),
        Completeness::Unjudged => {
            ("UNJUDGED", "the heads from elsewhere are of entries that weren't judged".to_owned())
        }
        Completeness::Anchored { entry, by } => {
            let after = match entries.saturating_sub(*entry) {
                0 => String::new(),
                more => format!("; for the {more} after it nobody vouches"),
            };
            ("ANCHORED", format!("at entry {entry}, by {}{after}", few(by, MAX_NAMED)))
        }
        Completeness::Contradicted(all) => {
            let tell = |one: &crate::audit::Contradiction| match one.differs {
                true => format!("{} has another entry {} (or it was mistyped)", one.by, one.entry),
                false => format!(
                    "{} has the head of entry {}, which isn't here: the tail was cut off",
                    one.by, one.entry
                ),
            };
            let all: Vec<String> = all.iter().map(tell).collect();
            ("CONTRADICTED", few(&all, MAX_NAMED))
        }
    };
    line("completeness", word, &rest)
}

fn coverage(coverage: Option<&Coverage>) -> InWords {
    let Some(coverage) = coverage else {
        return line("coverage", "UNJUDGED", "that takes all entries, and all of them sound");
    };
    let Coverage { on, obligations, fates, overdue, .. } = coverage;
    let things = count(*obligations, "thing", "things");
    let now = match overdue {
        0 => format!("of {things} to be done none is overdue on {on}"),
        1 => format!("of {things} to be done 1 is overdue on {on}"),
        many => format!("of {things} to be done {many} are overdue on {on}"),
    };
    let all = [
        (fates.early + fates.done, "done in time"),
        (fates.late, "late"),
        (fates.missed, "missed"),
        (fates.waived, "waived"),
    ];
    let told =
        all.iter().filter(|(many, _)| *many > 0).map(|(many, what)| format!("{many} {what}"));
    let told: Vec<String> = told.collect();
    let before = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
    let word = if coverage.is_lacking() { "NO" } else { "YES" };
    line("coverage", word, &format!("{now}; so far {before}"))
}
