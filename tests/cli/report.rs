//! The report: what it tells, that all of it agrees, and that nothing in it is markup or a formula.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::demo_vault::Demo;

/// The values of an attribute on the page.
fn attributes<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let begin = format!(" {name}=\"");
    page.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

fn report(demo: &Demo, more: &[&str]) -> (String, Value) {
    let arguments = [&["report", "demo/report"][..], more].concat();
    demo.read(&arguments).exits(0);
    let read = |name: &str| fs::read_to_string(demo.path(&format!("report/{name}"))).unwrap();
    (read("index.html"), serde_json::from_str(&read("report.json")).unwrap())
}

/// A vault in which something happened.
fn busy() -> Demo {
    let demo = Demo::people();
    let by = ["--by", "alice", "--by", "bob"];
    let add = ["account", "add", "prod", "--id", "123456789012", "--email", "aws@example.com"];
    demo.run(&[&add[..], &by].concat()).exits(0);
    demo.run(&["key", "lost", "carol/primary", "--by", "bob"]).exits(0);
    let open = ["action", "open", "=1+1 <script>alert(1)</script> & \"quoted\"", "--owner", "bob"];
    demo.run(&[&open[..], &["--due", "2099-12-31"]].concat()).exits(0);
    demo
}

#[test]
fn a_report_stands_for_itself_and_every_fact_leads_to_its_entry() {
    let demo = busy();
    let (page, json) = report(&demo, &[]);
    for outside in ["<script", " src=", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    let ids = attributes(&page, "id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "no id is there twice");
    let links = attributes(&page, "href");
    let inside: Vec<&str> = links.iter().filter_map(|link| link.strip_prefix('#')).collect();
    for link in &inside {
        assert!(unique.contains(link), "{link} leads nowhere");
    }
    let sources: Vec<&&str> = links.iter().filter(|link| !link.starts_with('#')).collect();
    assert!(sources.iter().all(|link| link.starts_with("https://")), "{sources:?}");
    let entries = json["entries"].as_array().unwrap().len();
    assert_eq!(entries, 9);
    assert!(inside.contains(&"entry-8"), "the loss of the key");
    for word in ["suspended", "UNANCHORED", "SEC01-BP02", "evidence for"] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.to_lowercase().contains("compliant"));
}

#[test]
fn nothing_that_somebody_wrote_is_markup_or_a_formula() {
    let (demo, title) = (busy(), "=1+1 <script>alert(1)</script> & \"quoted\"");
    let (page, json) = report(&demo, &[]);
    assert!(page.contains("=1+1 &lt;script&gt;alert(1)&lt;/script&gt; &amp;"), "{page}");
    assert_eq!(json["actions"][0]["title"], title);
    let findings = fs::read_to_string(demo.path("report/findings.csv")).unwrap();
    assert!(findings.contains("\"'=1+1 <script>"), "{findings}");
    assert!(findings.lines().all(|line| line.starts_with('"')), "all cells are in quotes");
    let population = fs::read_to_string(demo.path("report/population.csv")).unwrap();
    let lines = population.lines().skip(1);
    let slots = |owed: &Value| owed["slots"].as_array().unwrap().len();
    let all: usize = json["population"].as_array().unwrap().iter().map(slots).sum();
    assert_eq!(lines.count(), all, "a line for each time");
}

#[test]
fn a_report_agrees_with_the_verdicts_and_the_schedule() {
    let demo = busy();
    let (_, json) = report(&demo, &[]);
    assert_eq!(json["schema_version"], 1);
    let verified = demo.read(&["log", "verify", "--json"]).exits(0).stdout;
    let verified: Value = serde_json::from_str(&verified).unwrap();
    for part in ["verdicts", "counts", "head", "fingerprint"] {
        assert_eq!(json[part], verified[part], "{part}");
    }
    let listed = demo.read(&["schedule", "list", "--all", "--json"]).exits(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let names = |all: &Value| -> BTreeSet<String> {
        let all = all.as_array().unwrap().iter();
        all.map(|it| it["obligation"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&json["population"]), names(&listed["obligations"]));
    let kinds = json["kinds"].as_array().unwrap();
    let things: u64 = kinds.iter().map(|kind| kind["obligations"].as_u64().unwrap()).sum();
    assert_eq!(things, verified["verdicts"]["coverage"]["obligations"].as_u64().unwrap());
}

#[test]
fn a_report_of_a_period_tells_what_was_due_in_it() {
    let demo = busy();
    let (page, json) = report(&demo, &["--from", "2020-01-01", "--to", "2020-12-31"]);
    assert_eq!(json["population"].as_array().unwrap().len(), 0);
    assert!(page.contains("What was due from 2020-01-01 to 2020-12-31"));
    assert_eq!(json["entries"].as_array().unwrap().len(), 9, "the log is told whole");
    let wrong = ["report", "demo/other", "--from", "2020-01-02", "--to", "2020-01-01"];
    demo.read(&wrong).exits(2).says(&["2020-01-02 is after 2020-01-01"]);
    demo.read(&["report", "demo/report"]).exits(1).says(&["demo/report exists already"]);
    demo.read(&["report", "demo/vault/report"]).exits(2).says(&["can't lie in the vault"]);
}
