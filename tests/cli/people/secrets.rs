//! `keymuster secret`: storing, showing, replacing, listing, and the receipts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use super::super::demo_vault::{Demo, command_in, ran, tool};
use super::super::stock_tools::open_paper;
use super::super::terminal::{BINARY, dialogue};
use super::{head, read, recorded, refused, touches};

pub const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const PASSWORD: &str = "correct horse battery";

/// Writes a file beside the demo and gives its name.
fn file(demo: &Demo, name: &str, text: &str) -> String {
    fs::write(demo.path(name), text).unwrap();
    format!("demo/{name}")
}

/// A vault with the account prod, whose token phone bob has, and its password in custody.
fn with_password() -> Demo {
    let demo = with_token();
    let file = file(&demo, "password", &format!("{PASSWORD}\n"));
    let store = ["secret", "store", "prod-root", "--kind", "password", "--account", "prod"];
    demo.run(&[&store[..], &["--file", &file]].concat()).exits(0);
    fs::remove_file(demo.path("password")).unwrap();
    demo
}

pub fn with_token() -> Demo {
    let demo = Demo::people();
    demo.run(&["account", "add", "prod", "--id", "123456789012"]).exits(0);
    let link = ["account", "link", "phone", "prod", "--token", "--held-by", "bob"];
    demo.run(&link).exits(0);
    demo
}

/// Puts the seed of prod's token into custody.
pub fn store_seed(demo: &Demo) {
    let file = file(demo, "seed", &format!("{SEED}\n"));
    let store = ["secret", "store", "prod-seed", "--kind", "seed", "--account", "prod"];
    demo.run(&[&store[..], &["--file", &file]].concat()).exits(0);
    fs::remove_file(demo.path("seed")).unwrap();
}

/// No file of the vault, and nothing that was said, holds it in the clear.
#[track_caller]
fn is_nowhere(demo: &Demo, secret: &str) {
    for (path, bytes) in demo.snapshot() {
        let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!holds, "{} holds {secret}", path.display());
    }
    for entry in 1..=head(demo) {
        assert!(!demo.entry(entry).contains(secret), "entry {entry} holds {secret}");
    }
}

#[test]
fn a_secret_is_stored_by_one_and_listed_without_its_value() {
    let demo = with_token();
    demo.read(&["secret", "list"]).exits(0).answers(&["Nothing is in custody: keymuster secret"]);
    let seed = file(&demo, "seed", &format!("{SEED}\n"));
    let store = ["secret", "store", "prod-seed", "--kind", "seed", "--account", "prod"];
    let store = [&store[..], &["--file", &seed]].concat();
    let stored = demo.run(&store).exits(0).says(&[
        "  prod-seed, a seed, of the token phone of the account prod, is in custody, in seeds\n",
    ]);
    assert_eq!(touches(&stored).len(), 2);
    stored.answers(&[
        "Whether it is the device's: keymuster totp check --account prod --stored\n",
        "Recorded entry 9, signed by alice/primary.",
    ]);
    refused(&demo, &store, 2, &["there is a secret prod-seed already", "secret replace prod-seed"]);

    let password = file(&demo, "password", PASSWORD);
    let store = ["secret", "store", "prod-root", "--kind", "password", "--account", "123456789012"];
    let alone =
        "WARNING: each of alice, bob, carol can open both the root password and a seed of prod";
    demo.run(&[&store[..], &["--file", &password, "--by", "bob"]].concat())
        .exits(0)
        .answers(&[alone, "signed by bob/primary"]);
    let again = ["secret", "store", "spare", "--kind", "seed", "--fd", "0"];
    let mut command = command_in(demo.folder.path());
    command.args(again).args(["--vault", "demo/vault"]);
    let uri = format!("otpauth://totp/x?secret={SEED}&digits=8&period=60&algorithm=SHA256");
    fs::write(demo.path("uri"), uri).unwrap();
    command.stdin(Stdio::from(fs::File::open(demo.path("uri")).unwrap()));
    let ran = ran(command.output().unwrap()).exits(0);
    ran.answers(&["It is the same seed as prod-seed.1.\n"]);
    is_nowhere(&demo, SEED);
    is_nowhere(&demo, PASSWORD);

    let list = read(&demo, &["secret", "list"]);
    let secrets = list["secrets"].as_array().unwrap();
    assert_eq!(secrets.len(), 3);
    assert_eq!(secrets[1]["secret"], "prod-seed");
    assert_eq!(secrets[1]["token"], "phone");
    assert_eq!(secrets[1]["opens_to"], json!(["alice", "bob", "carol"]));
    assert_eq!(secrets[1]["last_opened"], json!(null));
    let stored = demo.path("vault").join(secrets[1]["file"].as_str().unwrap());
    assert_eq!(fs::metadata(&stored).unwrap().permissions().mode() & 0o777, 0o600);
    demo.read(&["secret", "list", "--account", "prod"]).exits(0).answers(&[
        "prod-root  password  prod         seeds        1 of ",
        "prod-seed  seed      prod, phone  seeds        1 of ",
    ]);
}

#[test]
fn what_cant_be_in_custody_is_refused_before_anything_is_signed() {
    let demo = with_token();
    let store = |name: &'static str, kind: &'static str, more: &[&str]| -> Vec<String> {
        let all = ["secret", "store", name, "--kind", kind].into_iter().chain(more.iter().copied());
        all.map(str::to_owned).collect()
    };
    let refused = |arguments: Vec<String>, exit: i32, said: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        refused(&demo, &arguments, exit, said);
    };
    let text = |name: &str, text: &str| file(&demo, name, text);
    let short = text("short", "GEZDGNBVGY3TQOJQ");
    refused(store("a", "seed", &["--file", &short]), 1, &["that is no seed", "--allow-short-seed"]);
    let lines = text("lines", "one\ntwo\n");
    refused(store("a", "password", &["--file", &lines]), 1, &["a password is one line"]);
    let empty = text("empty", "\n");
    refused(
        store("a", "note", &["--file", &empty]),
        1,
        &["can't be put in custody", "it is empty"],
    );
    let fooling = text("fooling", "a\nb\u{202e}c");
    refused(store("a", "note", &["--file", &fooling]), 1, &["line 2 holds a control, invisible"]);
    let large = text("large", &"x".repeat(65 << 10));
    refused(store("a", "note", &["--file", &large]), 1, &["too large for a secret"]);
    fs::write(demo.path("binary"), b"\xff\xfe").unwrap();
    refused(store("a", "note", &["--file", "demo/binary"]), 1, &["demo/binary holds no text"]);
    refused(store("a", "note", &["--file", "demo/none"]), 1, &["couldn't read a secret from"]);
    refused(store("a", "note", &[]), 4, &["the secret is needed", "--file FILE or --fd N"]);
    let note = text("note", "x");
    let with = |more: &[&str]| store("a", "note", &[&["--file", &note], more].concat());
    refused(with(&["--compartment", "records"]), 1, &["readers open records"]);
    refused(with(&["--compartment", "cellar"]), 2, &["there is no compartment cellar"]);
    refused(with(&["--account", "nowhere"]), 2, &["there is no account nowhere"]);
    let unknown = |verb: &str| ["secret", verb, "nothing"].map(str::to_owned).to_vec();
    refused([unknown("replace"), vec!["--file".into(), note.clone()]].concat(), 2, &["none is in"]);
    refused(
        [unknown("show"), vec!["--output".into(), "-".into()]].concat(),
        2,
        &["no secret nothing"],
    );
    demo.read(&["secret", "receipts", "nothing"]).exits(2).says(&["there is no secret nothing"]);

    // Whoever has alice's paper copy could open what is put there now.
    let exposed = demo.copied();
    exposed.run(&["key", "compromised", "alice/paper"]).exits(0);
    let put = ["secret", "store", "a", "--kind", "note", "--file", "demo/note"];
    let said = ["seeds opens to the identity in alice/paper, which was reported", "vault rekey"];
    super::refused(&exposed, &put, 3, &said);

    demo.run(&["account", "link", "fob", "prod", "--token"]).exits(0);
    let seed = text("seed", SEED);
    let two = store("a", "seed", &["--file", &seed, "--account", "prod"]);
    refused(two, 2, &["prod has several tokens", "--token whose seed it is"]);
}

#[test]
fn a_secret_is_shown_after_its_receipt_and_where_it_was_asked_for() {
    let demo = with_password();
    let show = ["secret", "show", "prod-root", "--reason", "drill"];
    refused(&demo, &show, 4, &["there is no terminal to show a secret on", "--output FILE"]);
    let both = [&show[..], &["--output", "-", "--json"]].concat();
    refused(&demo, &both, 2, &["--json answers on stdout, and never with a secret"]);

    let ran = demo.run(&[&show[..], &["--output", "-"]].concat()).exits(0);
    assert_eq!(ran.stdout, format!("{PASSWORD}\n"), "nothing else is on stdout");
    let ran = ran.says(&["  alice opens prod-root.1, to see it: “drill”\n"]);
    assert_eq!(touches(&ran).len(), 2);
    let ran = demo.run(&["secret", "show", "prod-root", "--output", "demo/out", "--by", "carol"]);
    let ran = ran.exits(0).answers(&["prod-root.1 was written; the receipt is entry 11.\n"]);
    assert!(!format!("{ran:?}").contains(PASSWORD));
    assert_eq!(fs::read_to_string(demo.path("out")).unwrap(), format!("{PASSWORD}\n"));
    let mode = fs::metadata(demo.path("out")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let taken = ["secret", "show", "prod-root", "--output", "demo/out"];
    refused(&demo, &taken, 1, &["couldn't create demo/out"]);
    is_nowhere(&demo, PASSWORD);

    let list = read(&demo, &["secret", "receipts", "prod-root"]);
    let told = list["receipts"].as_array().unwrap().iter();
    let told: Vec<String> = told
        .map(|r| format!("{} {} {} {}", r["entry"], r["opener"], r["generation"], r["purpose"]))
        .collect();
    assert_eq!(told, ["10 \"alice\" 1 \"show\"", "11 \"carol\" 1 \"show\""]);
    demo.read(&["secret", "receipts"])
        .exits(0)
        .answers(&["10     alice  prod-root.1  show  drill\n"]);
    let entry = demo.entry(10);
    assert!(entry.contains("kind = \"secret-opened\"\nsecrets = [\"prod-root.1\"]\n"), "{entry}");
}

#[test]
fn a_secret_stands_on_the_terminal_alone_until_enter_is_pressed() {
    let demo = with_password();
    let command = format!("{BINARY} secret show prod-root --vault demo/vault > answer 2> talk");
    let mut terminal = dialogue(demo.folder.path(), &command);
    let shown = terminal.until("Press Enter to clear it: ");
    assert!(terminal.is_aside() && shown.contains(PASSWORD), "{shown}");
    terminal.types("\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    let (value_at, left_at) = (shown.find(PASSWORD), shown.find("\u{1b}[2J\u{1b}[H\u{1b}[?1049l"));
    assert!(left_at > value_at, "it was wiped: {shown}");
    for name in ["answer", "talk"] {
        let text = fs::read_to_string(demo.folder.path().join(name)).unwrap();
        assert!(!text.contains(PASSWORD), "{text}");
    }
    let answer = fs::read_to_string(demo.folder.path().join("answer")).unwrap();
    assert_eq!(answer, "prod-root.1 was shown; the receipt is entry 10.\n");
}

/// Nothing scrolls back on the screen that is wiped.
#[test]
fn a_note_that_is_longer_than_the_screen_is_shown_page_by_page() {
    let demo = Demo::new();
    let text: String = (1..=40).map(|n| format!("the {n}. line\n")).collect();
    let note = file(&demo, "note", &text);
    demo.run(&["secret", "store", "long", "--kind", "note", "--file", &note]).exits(0);
    let command = format!("{BINARY} secret show long --vault demo/vault");
    let mut terminal = dialogue(demo.folder.path(), &command);
    for (page, first, last) in [(1, 1, 18), (2, 19, 36), (3, 37, 40)] {
        let shown = terminal.until("Press Enter to ");
        assert!(shown.contains(&format!("(page {page} of 3)")), "{shown}");
        for line in [first, last] {
            assert!(shown.contains(&format!("the {line}. line")), "{line} isn't in {shown}");
        }
        assert!(!shown.contains(&format!("the {}. line", last + 1)), "{shown}");
        terminal.types("\n");
    }
    assert_eq!(terminal.ends().0, 0);
    let flags = ["secret", "store", "x", "--kind", "note", "--file", &note, "--digits", "8"];
    refused(&demo, &flags, 2, &["--digits, --period and --allow-short-seed are for seeds"]);
}

#[test]
fn a_secret_that_is_typed_is_not_shown_and_a_password_is_typed_twice() {
    let demo = with_token();
    let store = format!("{BINARY} secret store pw --kind password --vault demo/vault");
    let mut terminal = dialogue(demo.folder.path(), &store);
    terminal.until("The password (not shown): ");
    assert!(!terminal.echoes());
    terminal.types(&format!("{PASSWORD}\n"));
    terminal.until("Once more: ");
    terminal.types("something else\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("the two aren't the same"), "{shown}");
    // A line that the terminal has cut is not taken for the whole.
    let mut terminal = dialogue(demo.folder.path(), &store);
    terminal.until("The password (not shown): ");
    terminal.types(&format!("{}\n", "x".repeat(5000)));
    let (code, shown) = terminal.ends();
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("too long to be taken whole") && shown.contains("a file"), "{shown}");
    let mut terminal = dialogue(demo.folder.path(), &store);
    terminal.until("The password (not shown): ");
    terminal.types(&format!("{PASSWORD}\n"));
    terminal.until("Once more: ");
    terminal.types(&format!("{PASSWORD}\n"));
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    let show = ["secret", "show", "pw", "--output", "-"];
    assert_eq!(demo.run(&show).exits(0).stdout, format!("{PASSWORD}\n"));
}

#[test]
fn a_seed_is_stored_from_a_picture() {
    let demo = with_token();
    let uri = format!("otpauth://totp/Amazon:prod?secret={SEED}&issuer=Amazon");
    let png = tool("qrencode", &["-o", "-", "-s", "6"], uri.as_bytes());
    fs::write(demo.path("sheet.png"), png).unwrap();
    let store = |name, kind| {
        ["secret", "store", name, "--kind", kind, "--qr", "demo/sheet.png", "--account", "prod"]
    };
    let password = store("prod-root", "password");
    refused(&demo, &password, 2, &["--qr is for seeds", "give another secret with --file FILE"]);
    let two = [&store("prod-seed", "seed")[..], &["--qr-number", "2"]].concat();
    refused(&demo, &two, 2, &["demo/sheet.png has one QR code only"]);
    let both = [&store("prod-seed", "seed")[..], &["--file", "demo/sheet.png"]].concat();
    refused(&demo, &both, 2, &["cannot be used with"]);
    recorded(&demo, &store("prod-seed", "seed"), &["secret-stored"], &["alice/primary"]);
    is_nowhere(&demo, SEED);
    // It is the seed of the picture: the same comes back of a file.
    let seed = file(&demo, "seed", &format!("{SEED}\n"));
    let again = ["secret", "store", "spare", "--kind", "seed", "--file", &seed];
    demo.run(&again).exits(0).answers(&["It is the same seed as prod-seed.1.\n"]);
    let replace = ["secret", "replace", "prod-seed", "--qr", "demo/sheet.png"];
    demo.run(&replace).exits(0).answers(&["It is the same seed as "]);
}

#[test]
fn a_secret_is_replaced_and_its_older_values_stay() {
    let demo = with_password();
    let other = file(&demo, "other", "staple\n");
    let replace = ["secret", "replace", "prod-root", "--file", &other];
    recorded(&demo, &replace, &["secret-replaced"], &["alice/primary"]);
    let show = |more: &[&str]| {
        let all = [&["secret", "show", "prod-root", "--output", "-"][..], more].concat();
        demo.run(&all).exits(0).stdout
    };
    assert_eq!(show(&[]), "staple\n");
    assert_eq!(show(&["--generation", "1"]), format!("{PASSWORD}\n"));
    let third = ["secret", "show", "prod-root", "--output", "-", "--generation", "3"];
    refused(&demo, &third, 2, &["prod-root has no generation 3", "it has: 1, 2"]);
    let list = read(&demo, &["secret", "list"]);
    assert_eq!(list["secrets"][0]["generation"], 2);
    assert_eq!(list["secrets"][0]["opened"], 2);
}

/// A file that was changed is told before a receipt is signed for it.
#[test]
fn a_secret_whose_file_was_changed_is_not_opened() {
    let demo = with_password();
    let secrets = demo.path("vault/secrets");
    let path = fs::read_dir(&secrets).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&path).unwrap();
    let show = ["secret", "show", "prod-root", "--output", "-"];
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&path, &changed).unwrap();
    let name = format!("secrets/{}", path.file_name().unwrap().to_str().unwrap());
    let said = format!("{name} isn't the file that the log names");
    refused(&demo, &show, 3, &[&format!("{name} was changed or replaced"), "another copy"]);
    demo.read(&["log", "verify"]).exits(3).answers(&[&said]);
    // It is no reason not to record that a key is lost.
    let aside = demo.copied();
    aside.run(&["key", "lost", "alice/blue"]).exits(0).says(&[&said]);
    fs::remove_file(&path).unwrap();
    refused(&demo, &show, 1, &[&format!("{name} is missing")]);
    demo.copied().run(&["account", "contacts-reviewed", "prod"]).exits(0);
    fs::write(&path, &whole).unwrap();
    fs::write(secrets.join("stray.age"), "x").unwrap();
    demo.read(&["log", "verify"]).exits(0).answers(&["secrets/stray.age"]);
    // Git keeps no empty folder: a vault without secrets has none.
    let without = Demo::people();
    assert!(!without.path("vault/secrets").exists());
    without.read(&["log", "verify"]).exits(0);
}

#[test]
fn what_a_leaver_could_open_is_due_until_it_is_replaced() {
    let demo = with_password();
    store_seed(&demo);
    let opened = ["secret", "show", "prod-root", "--output", "-", "--by", "carol"];
    demo.run(&opened).exits(0);
    demo.run(&["custodian", "leave", "carol"]).exits(0);
    demo.read(&["secret", "list"]).exits(0);
    let due = || read(&demo, &["vault", "show"])["due"].to_string();
    let all = "2 secrets that carol could open, who has left, are to be replaced: keymuster vault \
               impact carol";
    assert!(due().contains(all), "{}", due());
    let impact = read(&demo, &["vault", "impact", "carol"]);
    assert_eq!(impact["secrets"][0]["secret"], "prod-root");
    assert!(impact["secrets"][0]["last_opened"].is_string());
    assert_eq!(impact["secrets"][1]["last_opened"], json!(null));
    demo.read(&["vault", "impact", "carol"])
        .exits(0)
        .answers(&["prod-seed  seed      prod     never, with keymuster  REPLACE\n"]);
    for (name, text) in [("prod-root", "staple"), ("prod-seed", "MFRGGZDFMZTWQ2LKNNWG23TPOA")] {
        let file = file(&demo, "new", text);
        demo.run(&["secret", "replace", name, "--file", &file]).exits(0);
    }
    assert!(!due().contains("carol could"), "{}", due());
    let none = "No secret that is in force was within reach";
    demo.read(&["vault", "impact", "carol"]).exits(0).answers(&[none]);
    // Who stays opens what was stored before, too.
    let show = ["secret", "show", "prod-root", "--generation", "1", "--output", "-", "--by", "bob"];
    assert_eq!(demo.run(&show).exits(0).stdout, format!("{PASSWORD}\n"));
    let gone = ["secret", "show", "prod-root", "--output", "-", "--by", "carol"];
    demo.run(&gone).exits(3);
}

/// Breaking the glass: stock age opens a secret with what a custodian's identity opens.
#[test]
fn stock_age_opens_a_secret() {
    let demo = with_password();
    let passphrase = fs::read_to_string(demo.path("paper.txt")).unwrap();
    let alice = open_paper(&demo, "alice.paper.1", &passphrase);
    let vault = read(&demo, &["vault", "show"])["vault"].as_str().unwrap().to_owned();
    let newest = |pattern: &str| {
        let of = |n: u32| demo.path(&format!("vault/compartments/{pattern}.{n}.age"));
        (1..).map(of).take_while(|file| file.exists()).last().unwrap()
    };
    let seeds = newest("seeds");
    let seeds = tool("age", &["-d", "-i", alice.to_str().unwrap(), seeds.to_str().unwrap()], b"");
    let list = read(&demo, &["secret", "list"]);
    let file = demo.path("vault").join(list["secrets"][0]["file"].as_str().unwrap());
    let text = tool("age", &["-d", "-i", "-", file.to_str().unwrap()], &seeds);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(
        text,
        format!(
            "# keymuster secret\n# vault: {vault}\n# secret: prod-root\n# generation: 1\n\
             # kind: password\n{PASSWORD}\n"
        )
    );
}
