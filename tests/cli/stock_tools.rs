//! An auditor needs none of our code: stock age, sha256sum and ssh-keygen read and verify
//! what the binary wrote.

use std::fs;
use std::path::PathBuf;

use super::demo_vault::{Demo, tool};

fn sha256sum(bytes: &[u8]) -> String {
    let line = String::from_utf8(tool("sha256sum", &[], bytes)).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

/// The documented rule, with `sha256sum`, over entries that stock age opened.
#[test]
fn sha256sum_reproduces_every_link_of_the_vault() {
    let demo = Demo::new();
    let first = demo.entry(1);
    let vault =
        first.lines().find_map(|l| l.strip_prefix("vault = \"")).unwrap().trim_end_matches('"');
    let mut link = sha256sum(format!("keymuster/{vault}\n").as_bytes());
    for number in 1..=4 {
        let text = demo.entry(number);
        let document =
            text.split_inclusive('\n').take_while(|line| !line.starts_with("-----BEGIN SSH"));
        let document: String = document.collect();
        let previous = document.lines().find_map(|l| l.strip_prefix("previous = \"")).unwrap();
        assert_eq!(previous.trim_end_matches('"'), link, "entry {number}");
        link = sha256sum(format!("{link} {}\n", sha256sum(document.as_bytes())).as_bytes());
    }
    let head = demo.read(&["log", "head"]).exits(0).stdout;
    assert_eq!(head, format!("keymuster/{vault}\n4\n{link}\n"));
}

#[test]
fn ssh_keygen_accepts_every_signature_of_the_bundle() {
    let demo = Demo::new();
    let signers = demo.path("bundle/allowed_signers");
    let mut verified = 0;
    for item in fs::read_dir(demo.path("bundle/entries")).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(name) = name.strip_suffix(".sig") else { continue };
        let (number, key) = name.split_once('.').unwrap();
        let principal = key.replacen('.', "/", 1);
        let head = fs::read(demo.path(&format!("bundle/heads/{number}.head"))).unwrap();
        let arguments = |namespace| {
            [
                "-Y",
                "verify",
                "-f",
                signers.to_str().unwrap(),
                "-I",
                &principal,
                "-n",
                namespace,
                "-s",
                path.to_str().unwrap(),
            ]
            .map(str::to_owned)
        };
        let good = arguments("keymuster-demo");
        tool("ssh-keygen", &good.iter().map(String::as_str).collect::<Vec<_>>(), &head);
        verified += 1;
    }
    assert_eq!(verified, 5);
}

#[test]
fn the_bundle_holds_the_documents_as_they_were_signed() {
    let demo = Demo::new();
    for number in 1..=4 {
        let text = demo.entry(number);
        let exported =
            fs::read_to_string(demo.path(&format!("bundle/entries/{number:06}.toml"))).unwrap();
        assert!(text.starts_with(&exported), "entry {number}");
        assert!(text[exported.len()..].starts_with("-----BEGIN SSH SIGNATURE-----\n"));
        assert_eq!(demo.read(&["log", "show", &number.to_string()]).exits(0).stdout, text);
    }
}

/// Opens a paper copy with stock age and the passphrase from the safe.
pub fn open_paper(demo: &Demo, copy: &str, passphrase: &str) -> PathBuf {
    let paper = demo.path(&format!("vault/identities/{copy}.age"));
    let identity = demo.path(&format!("{copy}.identity"));
    // age asks on the terminal only, so it is given one.
    let command = format!("age -d -o {} {}", identity.display(), paper.display());
    tool(
        "script",
        &["--quiet", "--return", "--command", &command, "/dev/null"],
        passphrase.as_bytes(),
    );
    identity
}

/// The break-glass of last resort: the passphrase from the safe, stock age, and no key.
#[test]
fn the_paper_copy_opens_the_log_with_stock_age() {
    let demo = Demo::new();
    let passphrase = fs::read_to_string(demo.path("paper.txt")).unwrap();
    assert_eq!(passphrase.trim_end().split('-').count(), 10);
    let identity = open_paper(&demo, "alice.paper.1", &passphrase);
    let records = demo.path("vault/compartments/records.1.age");
    let records =
        tool("age", &["-d", "-i", identity.to_str().unwrap(), records.to_str().unwrap()], b"");
    assert_eq!(records, demo.records());
}

#[test]
fn no_file_of_a_vault_holds_plaintext() {
    let demo = Demo::new();
    for (path, bytes) in demo.snapshot() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".age") {
            for secret in ["Example Corp", "AGE-SECRET-KEY", "key-enrolled", "BEGIN SSH"] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds {secret}", path.display());
            }
        } else {
            assert!(
                [".gitattributes", "vault.toml"].contains(&name) || name.ends_with(".identity"),
                "{name}"
            );
        }
    }
}

/// The commands of the bundle's README, run as they stand there.
#[test]
fn the_commands_in_the_bundles_readme_verify_it() {
    let demo = Demo::new();
    let readme = fs::read_to_string(demo.path("bundle/README")).unwrap();
    let by_hand = readme.split("By hand:").nth(1).unwrap();
    let indented: String = by_hand
        .lines()
        .filter(|line| line.starts_with("  "))
        .map(|line| format!("{line}\n"))
        .collect();
    let script = format!("set -e\ncd {}\n{indented}", demo.path("bundle").display());
    let said = String::from_utf8(tool("sh", &["-c", &script], b"")).unwrap();
    assert_eq!(said.matches("Good \"keymuster-demo\" signature").count(), 5, "{said}");
    let last = readme.lines().last().unwrap();
    assert!(said.lines().any(|line| line == last), "the links end in the head: {said}");

    // They tell what somebody changed who made the digests fit.
    let entry = demo.path("bundle/entries/000004.toml");
    let text = fs::read_to_string(&entry).unwrap().replace("alice/blue", "alice/gray");
    fs::write(&entry, &text).unwrap();
    let list = demo.path("bundle/entries.sha256");
    let lines = fs::read_to_string(&list).unwrap();
    let digest = format!("{}  entries/000004.toml\n", sha256sum(text.as_bytes()));
    let kept: String = lines.split_inclusive('\n').take(3).collect();
    fs::write(&list, kept + &digest).unwrap();
    let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("differ"), "{said}");
    assert!(readme.lines().all(|line| line.chars().count() <= 80), "{readme}");
}
