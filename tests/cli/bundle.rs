//! Bundles: what is in them, what is withheld, and who verifies them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::demo_vault::{Demo, Ran, keymuster_in, ran, tool};

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(&next).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                all.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    all
}

/// A verdict of `log verify`, by its name.
#[track_caller]
fn verdict(ran: &Ran, name: &str) -> String {
    let line = ran.stdout.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {}", ran.stdout));
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// A machine on which there is no keymuster, and no tools but a shell with its own and ssh-keygen.
struct Machine {
    folder: tempfile::TempDir,
    shell: &'static str,
}

impl Machine {
    fn with(shell: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let found = |program: &str| String::from_utf8(tool("which", &[program], b"")).unwrap();
        let programs: &[&str] = match shell {
            "dash" => &[
                "dash",
                "awk",
                "base64",
                "cat",
                "cmp",
                "cut",
                "fold",
                "grep",
                "head",
                "mktemp",
                "od",
                "rm",
                "sed",
                "sha256sum",
                "sort",
                "tail",
                "tr",
                "wc",
                "ssh-keygen",
            ],
            _ => &["busybox", "ssh-keygen"],
        };
        for program in programs {
            symlink(found(program).trim(), bin.join(program)).unwrap();
        }
        if shell != "dash" {
            tool("busybox", &["--install", "-s", &bin.display().to_string()], b"");
            fs::remove_file(bin.join("dash")).ok();
        }
        Self { folder, shell }
    }

    fn verifies(&self, script: &Path, arguments: &[&str]) -> Ran {
        let bin = self.folder.path().join("bin");
        let mut command = Command::new(bin.join(if self.shell == "dash" { "dash" } else { "ash" }));
        command.env_clear().env("PATH", &bin).env("TMPDIR", self.folder.path());
        ran(command.arg(script).args(arguments).output().unwrap())
    }
}

fn script() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/audit/verify.sh"))
}

#[test]
fn the_script_verifies_a_bundle_where_keymuster_is_not_installed() {
    let demo = Demo::new();
    for shell in ["dash", "busybox"] {
        let machine = Machine::with(shell);
        let ran = machine.verifies(&demo.path("bundle/verify.sh"), &[]).exits(0);
        for (name, word) in [
            ("integrity", "YES"),
            ("authorship", "YES"),
            ("authority", "UNJUDGED"),
            ("completeness", "UNANCHORED"),
            ("coverage", "UNJUDGED"),
        ] {
            assert_eq!(verdict(&ran, name), word, "{shell}");
        }
        assert!(ran.stdout.starts_with("DEMO: "), "{}", ran.stdout);
        let head = fs::read_to_string(demo.path("bundle/heads/000004.head")).unwrap();
        assert_eq!(ran.stdout.lines().last(), head.lines().last());
        assert!(ran.stdout.contains("5 signatures"), "{}", ran.stdout);
        let left: Vec<_> = fs::read_dir(machine.folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing of it is left: {left:?}");

        let bundle = demo.path("bundle").display().to_string();
        let head = demo.path("bundle/heads/000003.head").display().to_string();
        let ran =
            machine.verifies(script(), &["--heads", &head, "--from", "2", "--to", "3", &bundle]);
        let ran = ran.exits(0).answers(&["at entry 3 of 4", "those of 2 entries weren't verified"]);
        assert_eq!(verdict(&ran, "authorship"), "PARTIAL");
        assert_eq!(verdict(&ran, "completeness"), "ANCHORED");
    }
}

/// What somebody does to a bundle, how, and which verdict that denies.
type Tampering = (&'static str, fn(&Path), &'static str);

const TAMPERINGS: [Tampering; 13] = [
    ("an entry is edited", |b| edit(b, "entries/000002.toml", "software", "hardware"), "integrity"),
    (
        "an entry is edited and listed anew",
        |b| {
            edit(b, "entries/000002.toml", "software", "hardware");
            list_anew(b, 2);
        },
        "authorship",
    ),
    ("an entry is removed", |b| drop_line(b, 2), "integrity"),
    (
        "the tail is cut off",
        |b| drop_line(b, fs::read_dir(b.join("heads")).unwrap().count()),
        "completeness",
    ),
    (
        "two entries change places",
        |b| {
            let [two, three] = [2, 3].map(|n| b.join(format!("entries/00000{n}.toml")));
            let spare = b.join("spare");
            fs::rename(&two, &spare).unwrap();
            fs::rename(&three, &two).unwrap();
            fs::rename(&spare, &three).unwrap();
            list_anew(b, 2);
            list_anew(b, 3);
        },
        "integrity",
    ),
    (
        "a signature is removed",
        |b| fs::remove_file(b.join("entries/000003.alice.primary.sig")).unwrap(),
        "authorship",
    ),
    (
        "a signature is another entry's",
        |b| {
            let of = |n: u32| b.join(format!("entries/00000{n}.alice.primary.sig"));
            fs::copy(of(1), of(3)).unwrap();
        },
        "authorship",
    ),
    (
        "a signature has more below it",
        |b| append(b, "entries/000003.alice.primary.sig", b"more\n"),
        "authorship",
    ),
    (
        "a line over several lines",
        |b| {
            edit(
                b,
                "entries/000002.toml",
                "\"software key\"",
                "\"\"\"software\nkind = \\\"x\\\"\"\"\"",
            );
            list_anew(b, 2);
        },
        "integrity",
    ),
    (
        "a key is put among the signers",
        |b| append(b, "allowed_signers", b"mallory/blue sk-ssh-ed25519@openssh.com AAAA\n"),
        "integrity",
    ),
    (
        "an attachment is another",
        |b| {
            let attached = fs::read_dir(b.join("attachments")).unwrap().next();
            fs::write(attached.unwrap().unwrap().path(), "other").unwrap();
        },
        "integrity",
    ),
    (
        "an entry is a link",
        |b| {
            let path = b.join("entries/000003.toml");
            fs::rename(&path, b.join("elsewhere")).unwrap();
            symlink("../elsewhere", path).unwrap();
        },
        "integrity",
    ),
    (
        "an entry is a pipe",
        |b| {
            let path = b.join("entries/000003.toml");
            fs::remove_file(&path).unwrap();
            tool("mkfifo", &[path.to_str().unwrap()], b"");
        },
        "integrity",
    ),
];

fn edit(bundle: &Path, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(bundle.join(name)).unwrap();
    assert!(text.contains(from), "{from} isn't in {name}");
    fs::write(bundle.join(name), text.replacen(from, to, 1)).unwrap();
}

fn append(bundle: &Path, name: &str, more: &[u8]) {
    let bytes = [fs::read(bundle.join(name)).unwrap(), more.to_vec()].concat();
    fs::write(bundle.join(name), bytes).unwrap();
}

/// Lists an entry's document as it is now.
fn list_anew(bundle: &Path, number: usize) {
    let name = format!("entries/{number:06}.toml");
    let sum = tool("sha256sum", &[bundle.join(&name).to_str().unwrap()], b"");
    let sum = String::from_utf8(sum).unwrap();
    let list = fs::read_to_string(bundle.join("entries.sha256")).unwrap();
    let mut lines: Vec<String> = list.lines().map(str::to_owned).collect();
    lines[number - 1] = format!("{}  {name}", &sum[..64]);
    fs::write(bundle.join("entries.sha256"), lines.join("\n") + "\n").unwrap();
}

/// Takes an entry out of the list, so that those after it move up.
fn drop_line(bundle: &Path, number: usize) {
    let list = fs::read_to_string(bundle.join("entries.sha256")).unwrap();
    let digests: Vec<&str> = list.lines().map(|line| &line[..64]).collect();
    let left = digests.iter().enumerate().filter(|(place, _)| place + 1 != number);
    let anew: String = (1..)
        .zip(left)
        .map(|(number, (_, digest))| format!("{digest}  entries/{number:06}.toml\n"))
        .collect();
    fs::write(bundle.join("entries.sha256"), anew).unwrap();
}

/// A demo with a bundle that has an attachment.
fn attached() -> Demo {
    let demo = Demo::people();
    demo.run(&["runbook", "adopt", "close-account", "--by", "alice", "--by", "bob"]).exits(0);
    fs::remove_dir_all(demo.path("bundle")).unwrap();
    demo.read(&["log", "export", "demo/bundle", "--attachments"]).exits(0);
    demo
}

#[test]
fn each_tampering_is_noticed_by_keymuster_and_by_the_script() {
    let original = attached();
    let last = fs::read_dir(original.path("bundle/heads")).unwrap().count();
    for shell in ["dash", "busybox"] {
        let machine = Machine::with(shell);
        for (what, tamper, denied) in TAMPERINGS {
            let demo = original.copied();
            let (bundle, head) = (demo.path("bundle"), demo.path("bob.head"));
            fs::copy(demo.path(&format!("bundle/heads/{last:06}.head")), &head).unwrap();
            tamper(&bundle);
            let [bundle, head] = [bundle, head].map(|path| path.display().to_string());
            let ours = demo.run_alone(&["log", "verify", &bundle, "--heads", &head]).exits(3);
            let script = machine.verifies(script(), &["--heads", &head, &bundle]).exits(1);
            for ran in [&ours, &script] {
                let said = verdict(ran, denied);
                assert!(["NO", "CONTRADICTED"].contains(&said.as_str()), "{what}: {}", ran.stdout);
            }
        }
    }
}

#[test]
fn nothing_in_a_bundle_is_taken_for_a_command() {
    let demo = Demo::new();
    let bundle = demo.path("bundle");
    let hostile =
        ["$(touch pwned)", "`touch pwned`", "-n", "a\nb", "; touch pwned;", "\u{1b}[31m", "*"];
    for folder in ["", "entries", "heads", "attachments"] {
        for name in hostile {
            fs::write(bundle.join(folder).join(name), "$(touch pwned)\n").unwrap();
        }
    }
    let machine = Machine::with("dash");
    let ran = machine.verifies(&bundle.join("verify.sh"), &[]).exits(0);
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    keymuster_in(demo.folder.path(), &["log", "verify", "demo/bundle"]).exits(0);
    // The same in what it reads.
    for line in ["x = \"$(touch pwned)\"", "signers = [\"$(touch pwned)/a\"]", "\u{1b}[31m = 1"] {
        let text = fs::read_to_string(bundle.join("entries/000002.toml")).unwrap();
        fs::write(bundle.join("entries/000002.toml"), format!("{line}\n{text}")).unwrap();
        list_anew(&bundle, 2);
        let said = machine.verifies(script(), &[bundle.to_str().unwrap()]).exits(1);
        assert!(
            !said.stdout.contains("pwned") && !said.stdout.contains('\u{1b}'),
            "{}",
            said.stdout
        );
    }
    fs::write(bundle.join("entries.sha256"), "$(touch pwned)\n").unwrap();
    let said = machine.verifies(script(), &[bundle.to_str().unwrap()]).exits(2);
    said.says(&["this isn't a bundle: entries.sha256 isn't a list of entries"]);
    let found = files(demo.folder.path()).into_keys().find(|name| name.ends_with("/pwned"));
    assert_eq!(found, None);
}

/// Nothing that lies in a bundle is run, whatever PATH says.
#[test]
fn the_script_refuses_a_path_that_leads_into_the_bundle() {
    let demo = Demo::new();
    let bundle = demo.path("bundle").display().to_string();
    fs::write(demo.path("bundle/awk"), "#!/bin/sh\ntouch pwned\n").unwrap();
    for path in [".:/usr/bin:/bin", ":/usr/bin:/bin", "/usr/bin:/bin:"] {
        let mut command = Command::new("/bin/sh");
        let output = command.env_clear().env("PATH", path).arg(script()).arg(&bundle).output();
        let said = ran(output.unwrap()).exits(2);
        said.says(&["PATH names a folder that doesn't begin with /"]);
    }
}

/// What stock ssh-keygen lets pass.
#[test]
fn the_script_asks_for_a_touch_a_pin_and_the_application() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/verifier/bin/python");
    assert!(python.exists(), "{} is missing: make verifier", python.display());
    let made = Command::new(python)
        .arg(root.join("tests/verifier/odd_signatures.py"))
        .arg(folder.path())
        .status();
    assert!(made.unwrap().success());
    let machine = Machine::with("busybox");
    for (name, why) in [
        ("good", None),
        ("waived", None),
        ("without-touch", Some("nobody touched alice/one")),
        ("without-pin", Some("alice/one signed without a PIN or fingerprint")),
        ("own-key", Some("signed by no key that was enrolled before it")),
        ("own-policy", Some("signed by no key that was enrolled before it")),
        ("crowd", Some("a line of its head is too long")),
        ("other-application", Some("alice/one signed for another application")),
    ] {
        let bundle = folder.path().join(name).display().to_string();
        let ran = machine.verifies(script(), &[&bundle]);
        match why {
            None => drop(ran.exits(0)),
            Some(why) => drop(ran.exits(1).answers(&[why])),
        }
    }
}

#[test]
fn what_the_script_cannot_do_it_says() {
    let demo = Demo::new();
    let machine = Machine::with("dash");
    let bundle = demo.path("bundle").display().to_string();
    fs::write(demo.path("no.head"), "keymuster/x\n1\n2\n").unwrap();
    let other = format!("keymuster/{}\n1\n{}\n", "0".repeat(32), "0".repeat(64));
    fs::write(demo.path("other.head"), other).unwrap();
    let [no, other] = ["no.head", "other.head"].map(|name| demo.path(name).display().to_string());
    for (arguments, why) in [
        (&["--from", "x"][..], "usage: sh verify.sh"),
        (&["--wrong"], "usage: sh verify.sh"),
        (&["/nowhere"], "the bundle can't be entered"),
        (&["--heads", "/nowhere"], "isn't a file with heads"),
        (&["--heads", &no], "the vault's id is 32 hex digits"),
        (&["--heads", &other, &bundle], "has the head of another vault"),
    ] {
        machine.verifies(script(), arguments).exits(2).says(&[why]);
    }
    fs::remove_file(machine.folder.path().join("bin/ssh-keygen")).unwrap();
    machine.verifies(script(), &[&bundle]).exits(2).says(&["there is no ssh-keygen here"]);
}

#[test]
fn the_same_log_makes_the_same_bytes() {
    let demo = attached();
    demo.read(&["log", "export", "demo/again", "--attachments"]).exits(0);
    assert_eq!(files(&demo.path("bundle")), files(&demo.path("again")));
}

#[test]
fn an_extract_withholds_what_was_not_asked_for_and_nothing_that_bears_on_keys() {
    let demo = Demo::people();
    let by = ["--by", "alice", "--by", "bob"];
    for (account, id) in [("prod", "123456789012"), ("test", "210987654321")] {
        let add = ["account", "add", account, "--id", id, "--email", "aws@example.com"];
        demo.run(&[&add[..], &by].concat()).exits(0);
    }
    demo.run(&["policy", "change", "--check-days", "60", "--by", "alice", "--by", "bob"]).exits(0);
    let shown = |folder: &str| {
        let names = files(&demo.path(folder)).into_keys();
        let numbers = names.filter_map(|name| {
            name.strip_prefix("entries/")?.strip_suffix(".toml")?.parse::<u32>().ok()
        });
        numbers.collect::<Vec<_>>()
    };
    let ran = demo.read(&["log", "export", "demo/prod", "--account", "prod"]).exits(0);
    assert!(ran.stdout.contains("1 withheld"), "{}", ran.stdout);
    assert_eq!(shown("prod"), [1, 2, 3, 4, 5, 6, 7, 9], "what is told of test is withheld");
    demo.read(&["log", "export", "demo/only", "--only", "8"]).exits(0);
    assert_eq!(shown("only"), [1, 2, 3, 4, 5, 6, 8, 9]);
    demo.read(&["log", "export", "demo/late", "--from", "2099-01-01"]).exits(0);
    assert_eq!(shown("late"), [1, 2, 3, 4, 5, 6, 9]);
    let readme = fs::read_to_string(demo.path("late/README")).unwrap();
    assert!(readme.contains("This is an extract: 2 of its entries are withheld"), "{readme}");
    let list = fs::read_to_string(demo.path("late/entries.sha256")).unwrap();
    assert_eq!(list.lines().count(), 9, "all of them are covered by the links");

    let ran = demo.run_alone(&["log", "verify", "demo/late"]).exits(0);
    for name in ["integrity", "authorship", "authority"] {
        assert_eq!(verdict(&ran, name), "PARTIAL");
    }
    assert_eq!(verdict(&ran, "coverage"), "UNJUDGED");
    let of_prod = demo.run_alone(&["log", "verify", "demo/prod"]).exits(0);
    assert_eq!(ran.stdout.lines().last(), of_prod.stdout.lines().last(), "one head");
    let said = Machine::with("dash").verifies(&demo.path("late/verify.sh"), &[]).exits(0);
    assert_eq!(verdict(&said, "integrity"), "PARTIAL");

    for (wrong, why) in [
        (&["--account", "nowhere"][..], "there is no account nowhere"),
        (&["--only", "10"], "there is no entry 10"),
        (&["--from", "2026-02-01", "--to", "2026-01-01"], "so no entry would fit"),
    ] {
        let arguments = [&["log", "export", "demo/none"][..], wrong].concat();
        demo.read(&arguments).exits(2).says(&[why]);
    }
}

#[test]
fn heads_from_elsewhere_anchor_a_log_or_contradict_it() {
    let demo = Demo::new();
    let kept = |number: u32| {
        fs::read_to_string(demo.path(&format!("bundle/heads/00000{number}.head"))).unwrap()
    };
    fs::write(demo.path("bob.head"), kept(2)).unwrap();
    fs::write(demo.path("both.heads"), kept(1) + &kept(3)).unwrap();
    let ran =
        demo.read(&["log", "verify", "--heads", "demo/bob.head", "--heads", "demo/both.heads"]);
    let ran = ran.exits(0).answers(&["at entry 3, by demo/both.heads"]);
    assert_eq!(verdict(&ran, "completeness"), "ANCHORED");
    let later = kept(4).replace("\n4\n", "\n5\n");
    let other = kept(3).replace("\n3\n", "\n2\n");
    for (text, why) in [(later, "the tail was cut off"), (other, "has another entry 2")] {
        fs::write(demo.path("wrong.head"), text).unwrap();
        for place in [&["demo/bundle"][..], &[]] {
            let asked = [&["log", "verify", "--heads", "demo/wrong.head"][..], place].concat();
            let ran = if place.is_empty() { demo.read(&asked) } else { demo.run_alone(&asked) };
            let ran = ran.exits(3);
            assert_eq!(verdict(&ran, "completeness"), "CONTRADICTED");
            let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(why), "{words}");
        }
    }
    let other = format!("keymuster/{}\n1\n{}\n", "0".repeat(32), "0".repeat(64));
    fs::write(demo.path("other.head"), other).unwrap();
    let ran = demo.read(&["log", "verify", "--heads", "demo/other.head"]).exits(2);
    ran.says(&["demo/other.head has the head of another vault"]);
    // As somebody typed it from paper.
    let typed = format!(
        "  {}\r\n\r\n",
        kept(3).to_uppercase().replace("KEYMUSTER", "keymuster").trim_end()
    );
    fs::write(demo.path("typed.head"), typed.replace('\n', "\r\n")).unwrap();
    demo.read(&["log", "verify", "--heads", "demo/typed.head"]).exits(0).answers(&["ANCHORED"]);
    let path = demo.path("typed.head").display().to_string();
    let bundle = demo.path("bundle").display().to_string();
    let script = Machine::with("busybox").verifies(script(), &["--heads", &path, &bundle]).exits(0);
    assert_eq!(verdict(&script, "completeness"), "ANCHORED");
    for bad in ["", "keymuster/x\n", "x"] {
        fs::write(demo.path("bad.head"), bad).unwrap();
        let ran = demo.read(&["log", "verify", "--heads", "demo/bad.head"]).exits(2);
        ran.says(&["isn't a file with heads", "as keymuster log head prints them"]);
    }
}

#[test]
fn a_head_that_is_remembered_is_missed_in_an_older_copy() {
    let (older, newer) = (Demo::new(), Demo::new());
    newer.read(&["key", "check", "alice/primary"]).exits(0);
    let head = newer.read(&["log", "head"]).exits(0).stdout;
    fs::write(newer.path("five.head"), &head).unwrap();
    newer.read(&["log", "remember", "demo/five.head"]).exits(0).answers(&["Remembered"]);
    newer.read(&["log", "list"]).exits(0);

    fs::write(older.path("five.head"), &head).unwrap();
    let ran = older.read(&["log", "remember", "demo/five.head"]).exits(3);
    ran.answers(&["THIS COPY ENDS AT ENTRY 4"]);
    let refused = older.read(&["log", "list"]).exits(3);
    refused.says(&["ends at entry 4", "told to remember the head of entry 5", "remove"]);

    // Of two that differ, one is wrong, and of a faulty log nothing can be said.
    let two = Demo::new();
    let other = head.replace(head.lines().last().unwrap(), &"0".repeat(64));
    let later = head.replace("\n5\n", "\n6\n");
    fs::write(two.path("two.heads"), format!("{later}{head}{other}")).unwrap();
    let ran = two.read(&["log", "remember", "demo/two.heads"]).exits(3);
    ran.says(&["two different heads of entry 5 stand in one file", "nothing was remembered"]);
    two.read(&["log", "list"]).exits(0);
    fs::remove_file(two.path("vault/log/000002.age")).unwrap();
    let ran = two.read(&["log", "remember", "demo/five.head"]).exits(3);
    ran.says(&["a faulty log is held against no head"]);

    // One that isn't of this log is no head of it.
    let other = Demo::new();
    let wrong = head.replace("\n5\n", "\n4\n");
    fs::write(other.path("wrong.head"), wrong).unwrap();
    let ran = other.read(&["log", "remember", "demo/wrong.head"]).exits(3);
    ran.says(&["entry 4 of this copy isn't the one", "nothing was remembered"]);
    other.read(&["log", "list"]).exits(0);
}
