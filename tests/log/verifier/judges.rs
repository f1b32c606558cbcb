//! The verifiers: ours, the one in Python, and the script.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use keymuster::audit::{Coverage, Evidence, Found, ReadBundle, Verdict as Outcome, Verdicts, read};
use keymuster::log::{Entry, FindingKind};
use keymuster::record::Time;
use keymuster::schedule::{Admitted, Fate, History, Slot};
use keymuster::vault::{StoreError, read_from};
use serde_json::{Value, json};

/// When all of them judge, some of these logs' times being ahead of it.
const NOW: &str = "2028-03-01T12:00:00Z";

/// What a verifier says of a bundle, in one form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict(BTreeMap<&'static str, Value>);

impl Verdict {
    /// The rule that is broken, or whether it holds.
    pub fn in_a_word(&self) -> String {
        if self.0["no_bundle"] == json!(true) {
            return "no bundle".to_owned();
        }
        let rule = self.0["fault"].get("rule").and_then(Value::as_str);
        let integrity = self.0["verdicts"]["integrity"]["verdict"].as_str();
        rule.or(integrity).unwrap().to_owned()
    }

    /// Whether the script should find nothing wrong, which doesn't judge authority.
    pub fn holds_for_the_script(&self) -> bool {
        ["yes", "partial", "signers", "authority", "event"].contains(&self.in_a_word().as_str())
    }
}

/// What is compared of the answer of the verifier in Python.
const COMPARED: [&str; 6] = ["fault", "head", "verdicts", "counts", "findings", "population"];

pub fn of_second(bundles: &[&Path]) -> Vec<Verdict> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/verifier/bin/python");
    assert!(python.exists(), "{} is missing: make verifier", python.display());
    let mut said = Vec::new();
    for some in bundles.chunks(200) {
        let output = Command::new(&python)
            .arg(root.join("tests/verifier/verify.py"))
            .args(["--now", NOW, "--population"])
            .args(some)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the second verifier failed");
        said.extend(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned));
    }
    assert_eq!(said.len(), bundles.len());
    said.iter().map(|line| in_one_form(&serde_json::from_str(line).unwrap())).collect()
}

fn in_one_form(said: &Value) -> Verdict {
    let mut all: BTreeMap<&'static str, Value> =
        COMPARED.into_iter().map(|name| (name, said[name].clone())).collect();
    let fault = &said["fault"];
    if !fault.is_null() {
        all.insert("fault", json!({ "entry": fault["entry"], "rule": fault["rule"] }));
    }
    all.insert("no_bundle", json!(!said["no_bundle"].is_null()));
    all.insert("damage", json!(said["damage"].as_array().map_or(0, Vec::len)));
    Verdict(all)
}

pub fn of_ours(place: &Path) -> Verdict {
    let look = |name: &str, limit: usize| match read_from(place, name, limit as u64) {
        Ok(bytes) => Ok(Found::File(bytes)),
        Err(StoreError::Missing(_)) => Ok(Found::Nothing),
        Err(StoreError::NotAFile(_) | StoreError::NotAFolder(_) | StoreError::TooLarge { .. }) => {
            Ok(Found::Unfit("is unfit".to_owned()))
        }
        Err(error) => Err(error),
    };
    let Ok(bundle) = read(look).unwrap() else {
        let nothing = COMPARED.into_iter().map(|name| (name, Value::Null));
        let mut all: BTreeMap<&'static str, Value> = nothing.collect();
        all.insert("findings", json!([]));
        all.insert("no_bundle", json!(true));
        all.insert("damage", json!(0));
        return Verdict(all);
    };
    let now: Time = NOW.parse().unwrap();
    let judged = bundle.fault.is_none() && bundle.withheld == 0;
    let history = judged.then(|| history(&bundle, now));
    let verdicts = Verdicts::of(&Evidence {
        sound: bundle.sound(),
        withheld: bundle.withheld,
        fault: bundle.fault.as_ref(),
        is_closed: false,
        is_damaged: !bundle.damage.is_empty(),
        links: &bundle.links,
        is_whole: true,
        anchors: &[],
        coverage: history.as_ref().map(|history| Coverage::of(history, None)),
    });
    let head = bundle.replay.head();
    let signatures = bundle.replay.signatures();
    let findings = bundle.replay.findings().iter().cloned().chain(bundle.replay.ahead_of(now));
    let fault = bundle.fault.as_ref().map_or(
        Value::Null,
        |fault| json!({ "entry": fault.entry, "rule": fault.rule.to_string() }),
    );
    Verdict(BTreeMap::from([
        ("no_bundle", json!(false)),
        ("fault", fault),
        ("damage", json!(bundle.damage.len())),
        ("head", json!({ "number": head.number, "link": head.link.to_string() })),
        ("verdicts", told(&verdicts)),
        (
            "counts",
            json!({
                "entries": head.number,
                "withheld": bundle.withheld,
                "signatures": signatures.all,
                "user_verified": signatures.user_verified,
                "keys": bundle.replay.public_keys().len(),
                "events": bundle.entries.iter().flat_map(Entry::events).count(),
                "files": bundle.attached,
            }),
        ),
        (
            "findings",
            findings
                .map(|found| json!({ "entry": found.entry, "kind": word(&found.kind) }))
                .collect(),
        ),
        ("population", history.as_ref().map_or(Value::Null, population)),
    ]))
}

fn history(bundle: &ReadBundle, now: Time) -> History {
    let entries = bundle
        .entries
        .iter()
        .map(|entry| Admitted { time: entry.document().time, acts: entry.acts() });
    History::of(entries, now).unwrap()
}

fn told(verdicts: &Verdicts) -> Value {
    let verdict = |outcome| match outcome {
        Outcome::Yes => json!({ "verdict": "yes" }),
        Outcome::Partial => json!({ "verdict": "partial" }),
        Outcome::No => json!({ "verdict": "no" }),
        Outcome::UpTo(entry) => json!({ "verdict": "unjudged", "up_to": entry }),
    };
    let coverage = match &verdicts.coverage {
        None => json!({ "verdict": "unjudged" }),
        Some(coverage) => json!({
            "verdict": if coverage.is_lacking() { "no" } else { "yes" },
            "on": coverage.on.to_string(),
            "obligations": coverage.obligations,
            "overdue": coverage.overdue,
            "early": coverage.fates.early,
            "done": coverage.fates.done,
            "late": coverage.fates.late,
            "missed": coverage.fates.missed,
            "waived": coverage.fates.waived,
            "ended": coverage.fates.ended,
            "open": coverage.fates.open,
        }),
    };
    json!({
        "integrity": verdict(verdicts.integrity),
        "authorship": verdict(verdicts.authorship),
        "authority": verdict(verdicts.authority),
        "completeness": { "verdict": "unanchored" },
        "coverage": coverage,
    })
}

/// Each time that something was to be done.
fn population(history: &History) -> Value {
    let day = |day: chrono::NaiveDate| (day - chrono::NaiveDate::default()).num_days();
    let slots = |name: String, slots: Vec<Slot>| {
        slots.into_iter().map(move |slot| {
            let (fate, on) = match slot.fate {
                Fate::Early(on) => ("early", Some(on)),
                Fate::Done(on) => ("done", Some(on)),
                Fate::Late(on) => ("late", Some(on)),
                Fate::Missed => ("missed", None),
                Fate::Waived(on) => ("waived", Some(on)),
                Fate::Ended(on) => ("ended", Some(on)),
                Fate::Open => ("open", None),
            };
            json!([name, slot.number, day(slot.opened), day(slot.due), fate, on.map(day)])
        })
    };
    let mut all: Vec<_> =
        history.obligations().map(|one| (one.to_string(), history.slots(one))).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all.into_iter().flat_map(|(name, all)| slots(name, all)).collect()
}

fn word(kind: &FindingKind) -> &'static str {
    match kind {
        FindingKind::TimeWentBack { .. } => "time-goes-back",
        FindingKind::FromTheFuture { .. } => "ahead-of-the-clock",
        FindingKind::CounterFell { .. } => "counter",
        FindingKind::PolicyLoosened { .. } => "policy-loosened",
        FindingKind::OnlyClaimed { .. } => "only-claimed",
        FindingKind::OtherBag { .. } => "other-bag",
        FindingKind::HeldByAnother { .. } => "held-by-another",
        FindingKind::OutOfItsBag { .. } => "out-of-its-bag",
        FindingKind::BrokenSeal { .. } => "broken-seal",
        FindingKind::TwoHeads { .. } => "two-heads",
    }
}

/// Whether the script finds nothing wrong.
pub fn of_script(place: &Path) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/audit/verify.sh");
    let output = Command::new("sh").arg(script).arg(place).output().unwrap();
    match output.status.code() {
        Some(0) => true,
        // Something is wrong, or it isn't a bundle at all.
        Some(1 | 2) => false,
        other => {
            let _ = std::io::stderr().write_all(&output.stderr);
            panic!("the script ended with {other:?}");
        }
    }
}
