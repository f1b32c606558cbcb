//! `keymuster vault card`: what is on the page for the safe, that its commands work, and that
//! nothing which somebody recorded breaks it.

use std::fs;

use keymuster::key::software::{Model, SoftwareKeys, Verification};
use serde_json::{Value, json};

use super::demo_vault::{Demo, keymuster_in, tool};

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const PASSWORD: &str = "correct horse battery";
const PIN: &str = "sesame-0815";

/// The lines of a page.
const PAGE: usize = 66;

/// The three forms of a card: text, HTML, JSON.
fn card(demo: &Demo) -> (String, String, Value) {
    let of = |more: &[&str]| demo.read(&[&["vault", "card"], more].concat()).exits(0).stdout;
    let (text, html) = (of(&[]), of(&["--html"]));
    let json: Value = serde_json::from_str(&of(&["--json"])).unwrap();
    assert_eq!((&json["schema_version"], &json["answer"]), (&json!(1), &json!("vault-card")));
    assert_eq!(serde_json::from_str::<Value>(&of(&["--json", "--html"])).unwrap(), json);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line, line.trim_end());
    }
    assert!(text.lines().count() <= PAGE, "{} lines:\n{text}", text.lines().count());
    is_inert(&html);
    (text, html, json)
}

/// Each tag is closed where it must be, and nothing in a page acts or is fetched.
#[track_caller]
fn is_inert(html: &str) {
    for active in ["<script", "src=", "href", "url(", "@import", "http:", "https:", "<img", "<link"]
    {
        assert!(!html.contains(active), "{active} in {html}");
    }
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let mut open: Vec<&str> = Vec::new();
    for piece in [head, rest].into_iter().flat_map(|part| part.split('<').skip(1)) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("<{piece} has no end"));
        let name = tag.split_whitespace().next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "in {html}"),
            None if ["!doctype", "meta"].contains(&name) => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}

/// Records something, which must be done.
#[track_caller]
fn record(demo: &Demo, arguments: &[&str]) {
    demo.run(arguments).exits(0);
}

/// Puts a secret into custody.
fn store(demo: &Demo, name: &str, kind: &str, account: &str, value: &str, more: &[&str]) {
    fs::write(demo.path("value"), format!("{value}\n")).unwrap();
    let store = ["secret", "store", name, "--kind", kind, "--account", account];
    record(demo, &[&store[..], &["--file", "demo/value"], more].concat());
    fs::remove_file(demo.path("value")).unwrap();
}

/// A vault of three, of which there is something to tell.
fn told() -> Demo {
    let demo = Demo::people();
    let alice = ["custodian", "change", "alice", "--name", "Alice A.", "--deputy", "bob"];
    let reach = ["--contact", "+44 20 7946 0000, at night too", "--contact", "next door"];
    record(&demo, &[&alice[..], &reach].concat());
    let places = ["--to", "Munich, safe 2", "--pin-to", "bank, box 17"];
    record(&demo, &[&["key", "move", "alice/primary"], &places[..]].concat());
    record(&demo, &["key", "seal", "alice/primary", "--bag", "B-1041", "--witness", "bob"]);
    let add = ["account", "add", "prod", "--id", "111111111111", "--name", "Production"];
    let root = ["--email", "aws-prod@example.com", "--phone", "+1 555 0100"];
    let people = ["--mailbox-reader", "erin", "--phone-answerer", "bob", "--mfa", "alice/primary"];
    record(&demo, &[&add[..], &root, &people].concat());
    record(&demo, &["account", "link", "phone", "prod", "--token", "--held-by", "bob"]);
    let central = ["account", "add", "member", "--id", "222222222222", "--no-root-credentials"];
    record(&demo, &central);
    store(&demo, "prod-root", "password", "prod", PASSWORD, &[]);
    store(&demo, "prod-seed", "seed", "prod", SEED, &["--token", "phone"]);
    demo
}

#[test]
fn a_card_tells_whom_to_call_where_things_are_and_how_to_get_in() {
    let demo = told();
    let (text, html, json) = card(&demo);
    let head = demo.read(&["log", "head"]).exits(0).stdout;
    let mut lines = head.lines().skip(1);
    let (number, link) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!(json["head"], json!({ "number": number.parse::<u64>().unwrap(), "link": link }));
    let shown = demo.read(&["vault", "show", "--json"]).exits(0).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json["fingerprint"], shown["fingerprint"]);
    let grouped = |hex: &str| -> String {
        let groups: Vec<&str> = (0..8).map(|group| &hex[8 * group..8 * group + 8]).collect();
        groups.join(" ")
    };
    let (link, fingerprint) = (grouped(link), grouped(shown["fingerprint"].as_str().unwrap()));
    for told in [
        link.as_str(),
        &fingerprint,
        "Example Corp",
        "DEMO",
        "Alice A. (alice)",
        "+44 20 7946 0000, at night too",
        "next door",
        "2 keys",
        "deputy bob",
        "Besides: erin (mailbox of prod)",
        "Munich, safe 2",
        "B-1041",
        "bank, box 17",
        "aws-prod@example.com, read by erin",
        "+1 555 0100, answered by bob",
        "in custody as prod-root in seeds",
        "phone (token, with bob)",
        "alice/primary (key, with alice)",
        "seed as prod-seed in seeds",
        "ways in: sign-in, password-reset, lost-mfa",
        "member",
        "Nothing can be signed this way.",
    ] {
        for page in [&text, &html] {
            let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(told), "{told} isn't in {page}");
        }
    }
    assert!(html.contains("<main class=\"pt12\">"), "there is room for large type");
    assert_eq!(json["custodians"]["shown"][0]["contact"]["shown"][1], "next door");
    assert_eq!(
        json["accounts"]["shown"][0]["ways"],
        json!(["sign-in", "password-reset", "lost-mfa"])
    );
    assert_eq!(json["central"], json!({ "shown": ["member"], "more": 0 }));
}

#[test]
fn nothing_on_a_card_is_a_secret() {
    let demo = told();
    let mut keys = SoftwareKeys::in_folder(&demo.path("demo-keys")).unwrap();
    keys.add("green", Model { verification: Verification::Pin, ..Model::default() }).unwrap();
    fs::write(demo.path("pin"), format!("{PIN}\n")).unwrap();
    let pin = ["--device", "green", "--pin-file", "demo/pin"];
    record(&demo, &[&["key", "pin", "set"], &pin[..]].concat());
    record(&demo, &[&["key", "enrol", "green"], &pin[..]].concat());
    let mut secrets = vec![PIN.to_owned(), PASSWORD.to_owned(), SEED.to_owned()];
    secrets.extend(["AGE-SECRET-KEY", "AGE-PLUGIN", "age1"].map(str::to_owned));
    for paper in ["paper.txt", "bob.paper.txt", "carol.paper.txt"] {
        let words = fs::read_to_string(demo.path(paper)).unwrap();
        let words: Vec<&str> = words.trim().split('-').collect();
        assert_eq!(words.len(), 10);
        secrets.extend(words.windows(2).map(|two| two.join("-")));
        secrets.extend(words.windows(2).map(|two| two.join(" ")));
    }
    let (text, html, json) = card(&demo);
    for page in [text, html, json.to_string()] {
        for secret in &secrets {
            assert!(!page.contains(secret), "{secret} is in {page}");
        }
    }
}

/// The lines of a card that are typed, as a script for a shell in the vault's folder.
fn typed(text: &str) -> String {
    let block = text.split("\nWITHOUT KEYMUSTER").nth(1).unwrap();
    let lines = block.lines().skip(1);
    let typed =
        lines.take_while(|line| !line.starts_with("  Or with") && !line.starts_with("  Another"));
    typed.map(|line| format!("{line}\n")).collect()
}

/// Runs it on a terminal, on which age asks for the passphrase.
fn run(demo: &Demo, script: &str, passphrase: &str) -> String {
    let vault = demo.path("vault");
    fs::write(demo.path("typed.sh"), format!("set -e\ncd {}\n{script}", vault.display())).unwrap();
    let command = format!("sh {}", demo.path("typed.sh").display());
    let arguments = ["--quiet", "--return", "--command", &command, "/dev/null"];
    String::from_utf8(tool("script", &arguments, passphrase.as_bytes())).unwrap()
}

#[test]
fn the_commands_on_a_card_open_the_vault_with_stock_age() {
    let demo = told();
    // Numbers that aren't the first ones: alice has another identity, and another paper copy.
    demo.run_with_paper(&["vault", "rekey", "--new-identity", "--by", "alice"], "paper.txt")
        .exits(0);
    let papers = fs::read_to_string(demo.path("paper.txt")).unwrap();
    let (text, html, json) = card(&demo);
    let script = typed(&text);
    let number = json["head"]["number"].as_u64().unwrap();
    for file in
        ["identities/alice.paper.2.age", "compartments/records.4.age", "compartments/seeds.4.age"]
    {
        assert!(script.contains(file) && html.contains(file), "{file} isn't in {script}");
        assert!(demo.path("vault").join(file).exists());
    }
    let highest = demo.path(&format!("vault/log/{number:06}.age"));
    assert!(highest.exists() && !demo.path(&format!("vault/log/{:06}.age", number + 1)).exists());
    let passphrase = format!("{}\n", papers.lines().last().unwrap());
    let said = run(&demo, &script, &passphrase);
    assert!(said.contains(&format!("number = {number}\r\n")), "{said}");
    assert!(said.contains("# secret: prod-root") && said.contains(PASSWORD), "{said}");
    assert!(!demo.path("vault/me.identity").exists(), "it is shredded");
    // Each further secret in the same way, with any other custodian's copy.
    let bob = fs::read_to_string(demo.path("bob.paper.txt")).unwrap();
    let commands = &json["opening"]["commands"];
    let secret = &commands["secrets"]["shown"][1];
    assert_eq!(
        (&secret["secret"], &secret["by"]["shown"]),
        (&json!("prod-seed"), &json!(["alice", "bob", "carol"]))
    );
    let identity = commands["identity"].as_str().unwrap().replace("alice.paper.2", "bob.paper.1");
    let script = format!(
        "{identity}\n{}\n{}\n",
        secret["command"].as_str().unwrap(),
        commands["shred"].as_str().unwrap()
    );
    assert!(run(&demo, &script, &bob).contains(SEED));
}

#[test]
fn a_reader_opens_the_newest_entry_as_the_card_says() {
    let demo = Demo::people();
    let (_, _, json) = card(&demo);
    let command = json["opening"]["commands"]["log"].as_str().unwrap();
    let command = command.replace("me.identity", "../reader.identity");
    let script = format!("cd {} && {command}", demo.path("vault").display());
    let opened = String::from_utf8(tool("sh", &["-c", &script], b"")).unwrap();
    assert_eq!(opened, demo.entry(6));
    assert_eq!(json["opening"]["commands"]["secrets"], json!({ "shown": [], "more": 0 }));
}

#[test]
fn a_secret_that_the_first_copy_doesnt_open_names_those_that_do() {
    let demo = told();
    record(&demo, &["compartment", "add", "own", "--member", "carol", "--by", "carol"]);
    let more = ["--compartment", "own", "--by", "carol"];
    store(&demo, "prod-codes", "recovery-codes", "prod", "1 2 3", &more);
    let (text, _, json) = card(&demo);
    let secret = &json["opening"]["commands"]["secrets"]["shown"][2];
    assert_eq!(secret["secret"], "prod-codes");
    assert_eq!((&secret["opens"], &secret["by"]["shown"]), (&json!(false), &json!(["carol"])));
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(" by carol"), "{text}");
}

#[test]
fn those_who_can_do_most_come_first_and_the_last_ones_have_no_key() {
    let demo = Demo::people();
    let order = |demo: &Demo| -> Vec<String> {
        let (_, _, json) = card(demo);
        let shown = json["custodians"]["shown"].as_array().unwrap();
        shown.iter().map(|who| who["custodian"].as_str().unwrap().to_owned()).collect()
    };
    demo.read(&["key", "check", "carol/primary"]).exits(0);
    assert_eq!(order(&demo), ["alice", "carol", "bob"]);
    demo.read(&["key", "check", "bob/primary"]).exits(0);
    assert_eq!(order(&demo), ["alice", "bob", "carol"]);
    record(&demo, &["key", "lost", "bob/primary", "--by", "bob"]);
    assert_eq!(order(&demo), ["alice", "carol", "bob"]);
    let (text, _, json) = card(&demo);
    assert!(text.contains("(no key that opens the vault"), "{text}");
    let keys = json["keys"]["shown"].as_array().unwrap();
    assert!(keys.iter().all(|key| key["key"] != "bob/primary"), "{keys:?}");
}

#[test]
fn a_copy_that_was_reported_is_of_no_use() {
    let demo = Demo::new();
    record(&demo, &["key", "compromised", "alice/paper"]);
    let (text, html, json) = card(&demo);
    assert_eq!(json["opening"]["papers"], json!({ "shown": [], "more": 0 }));
    let why = json!({ "custodian": "alice", "why": "reported" });
    assert_eq!(json["opening"]["without"]["shown"], json!([why]));
    assert_eq!(json["opening"]["commands"], Value::Null);
    for page in [text, html] {
        assert!(page.contains("No paper copy opens this vault"), "{page}");
        assert!(page.contains("No paper copy of use: alice (reported)."), "{page}");
        assert!(page.contains("none with a root user is on record"), "{page}");
    }
}

#[test]
fn a_card_of_a_vault_that_isnt_sound_says_so() {
    let demo = Demo::new();
    fs::remove_file(demo.path("vault/identities/alice.paper.1.age")).unwrap();
    let warning = "WARNING: this vault isn't sound; keymuster log verify tells why.\n";
    demo.read(&["vault", "card"]).exits(3).answers(&[warning]);
    let page = demo.read(&["vault", "card", "--html"]).exits(3).stdout;
    assert!(page.contains("<p class=\"warning\">"));
    is_inert(&page);
}

#[test]
fn what_somebody_recorded_is_text_and_leaves_a_page_a_page() {
    let demo = Demo::people();
    let evil = "<b>\"&amp;'</b></style><script>alert(1)</script>";
    let long = format!("{evil} {}", "x".repeat(440));
    let words = format!("{evil} {}", "wide words ".repeat(38).trim_end());
    let change = |who: &str| {
        let reach =
            ["--contact", &long, "--contact", &words, "--contact", &long, "--contact", evil];
        record(&demo, &[&["custodian", "change", who, "--name", &words][..], &reach].concat());
    };
    ["alice", "bob", "carol"].iter().for_each(|who| change(who));
    for key in ["alice/primary", "alice/blue", "bob/primary", "carol/primary"] {
        record(&demo, &["key", "move", key, "--to", &long, "--pin-to", &words]);
    }
    record(&demo, &["key", "seal", "alice/primary", "--bag", &long, "--witness", "bob"]);
    let handle = "a".repeat(31);
    let mailbox = format!("{}@{}.example.com", "m".repeat(60), "d".repeat(60));
    for number in 0..6 {
        let (account, id) = (format!("{handle}{number}"), format!("{number:012}"));
        let add = ["account", "add", &account, "--id", &id, "--name", &words];
        let root = ["--email", &mailbox, "--phone", "+1 555 0100", "--password-at", &long];
        let readers: Vec<String> = (0..9).map(|n| format!("{}{n}", "r".repeat(31))).collect();
        let people = ["--mailbox-reader", "--phone-answerer"];
        let people =
            readers.iter().flat_map(|who| people.map(|flag| [flag, who.as_str()]).concat());
        let people: Vec<&str> = people.collect();
        let mfa = ["--mfa", "alice/primary", "--mfa", "alice/blue", "--mfa", "bob/primary"];
        record(&demo, &[&add[..], &root, &people, &mfa].concat());
    }
    let (text, html, json) = card(&demo);
    for raw in ["<b>\"", "</style><", "</b></style>", "'</b>"] {
        assert!(!html.contains(raw), "{raw} in {html}");
    }
    assert!(html.contains("&lt;b&gt;"), "{html}");
    let accounts = &json["accounts"];
    let shown = accounts["shown"].as_array().unwrap().len() as u64;
    assert_eq!(shown + accounts["more"].as_u64().unwrap(), 6);
    assert!(text.contains("more: keymuster account list"), "{text}");
    for line in text.lines().filter(|line| line.contains("identities/")) {
        assert!(!line.contains('…'), "{line}");
    }
}

#[test]
fn accounts_with_the_fewest_ways_in_come_first() {
    let demo = told();
    let list =
        "id,account\n333333333333,one\n444444444444,two\n555555555555,three\n666666666666,four\n";
    fs::write(demo.path("list.csv"), list).unwrap();
    record(&demo, &["account", "import", "demo/list.csv"]);
    let (text, _, json) = card(&demo);
    let shown = json["accounts"]["shown"].as_array().unwrap();
    let names: Vec<&str> = shown.iter().map(|one| one["account"].as_str().unwrap()).collect();
    assert_eq!(names, ["four", "one", "three", "two"], "{text}");
    assert!(shown.iter().all(|one| one["ways"] == json!([])));
    assert_eq!(json["accounts"]["more"], 1);
    assert!(text.contains("NO WAY IN ON RECORD"), "{text}");
    assert!(
        text.contains("ACCOUNTS: those with the fewest ways in; 1 more: keymuster account list")
    );
}

#[test]
fn the_commands_and_runbooks_that_a_card_names_exist() {
    let demo = told();
    let (text, html, json) = card(&demo);
    let commands = ["log head", "vault show", "runbook show", "log show"];
    for command in commands.into_iter().chain(["custodian list", "key list", "account list"]) {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        keymuster_in(demo.folder.path(), &words).exits(0);
    }
    for command in commands {
        assert!(text.contains(command) && html.contains(command), "{command} isn't in {text}");
    }
    let number = json["head"]["number"].to_string();
    let entry = demo.read(&["log", "show", &number, "--json"]).exits(0).stdout;
    let entry: Value = serde_json::from_str(&entry).unwrap();
    assert_eq!(entry["link"], json["head"]["link"]);
    let runbooks = json["runbooks"].as_array().unwrap();
    assert_eq!(runbooks.len(), 6);
    for runbook in runbooks {
        let name = runbook["runbook"].as_str().unwrap();
        keymuster_in(demo.folder.path(), &["runbook", "show", name]).exits(0);
        assert!(text.contains(name) && html.contains(name));
    }
}
