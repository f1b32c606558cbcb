//! No secret is left in memory after a command, whether it succeeds, fails or is interrupted:
//! every command on demo vaults, and every error that needs no USB. What needs a key on USB is
//! looked at in the virtual machine (`vm`, trials `memory`).
//!
//! Looking into a process that is undumpable takes root, or a user namespace of one's own.
//! Where neither can be had, these tests fail and say so.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests run programs, make and break files, and fail by panicking"
)]

mod custody;
#[path = "../support/demo_vault.rs"]
#[expect(dead_code, reason = "it serves other tests, too")]
mod demo_vault;
#[path = "../support/member.rs"]
mod member;
#[path = "../support/memory.rs"]
mod memory;
mod people;
#[path = "../support/pseudo_terminal.rs"]
#[expect(dead_code, reason = "it serves other tests, too")]
mod pseudo_terminal;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use demo_vault::{Demo, Ran, command_in, ran};
use keymuster::key::software::SoftwareKeys;
use keymuster::key::{Authenticator, DeviceId, GetHmacSecret, TouchPrompt, UserVerification};
use keymuster::vault::fido2prf;
use keymuster::vault::{
    AgeIdentity, CompartmentIdentity, CompartmentName, IdentityHint, IdentityName, Location,
    Passphrase, PersonalIdentity,
};
use keymuster::webauthn::HmacSecretOutput;
use libtest_mimic::{Arguments, Trial};
use memory::{PROGRAM, Secrets, search, table};
use memory_scan::picture::Picture;
use pseudo_terminal::PseudoTerminal;
use rustix::process::Signal;

const BINARY: &str = env!("CARGO_BIN_EXE_keymuster");

/// What has unshare(1) give a process all rights over its own children.
const APART: [&str; 2] = ["--user", "--map-root-user"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if !may_trace()
        && !Command::new("unshare").args(APART).arg("true").status().is_ok_and(|s| s.success())
    {
        eprintln!("error: these tests look into processes that let nobody look into them");
        eprintln!("hint: run them as root, or where unshare --user --map-root-user works");
        return ExitCode::FAILURE;
    }
    let conclusion = libtest_mimic::run(&arguments, trials());
    if !arguments.list {
        print!("{}", table());
    }
    conclusion.exit_code()
}

fn trials() -> Vec<Trial> {
    macro_rules! trials {
        ($($rule:ident),+ $(,)?) => {
            vec![$(Trial::test(stringify!($rule), || { $rule(); Ok(()) })),+]
        };
    }
    let custody = || {
        custody::secrets_in_custody_leave_nothing();
        Ok(())
    };
    let people = || {
        people::commands_of_several_custodians_leave_nothing();
        Ok(())
    };
    let mut trials = trials![
        what_a_careless_program_leaves_is_found,
        secrets_in_use_are_found_and_gone_afterwards,
        commands_of_a_reader_leave_nothing,
        commands_of_a_custodian_leave_nothing,
        founding_leaves_nothing,
        the_demo_leaves_nothing,
        identities_that_open_nothing_are_wiped_too,
        an_answer_that_nobody_takes_leaves_nothing,
        a_damaged_vault_leaves_nothing,
        ctrl_c_leaves_nothing,
        a_log_that_several_threads_read_leaves_nothing,
        seeds_leave_nothing,
        a_machine_that_may_swap_secrets_is_told_so_once,
    ];
    trials.push(Trial::test("secrets_in_custody_leave_nothing", custody));
    trials.push(Trial::test("commands_of_several_custodians_leave_nothing", people));
    trials
}

/// memory-scan, to which a program and its arguments can be added.
fn scan(program: &str, folder: &Path) -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| member::built("memory-scan", "memory-scan").unwrap());
    let mut scan = if may_trace() {
        Command::new(built)
    } else {
        let mut apart = Command::new("unshare");
        apart.args(APART).arg(built);
        apart
    };
    scan.arg(program).arg(folder);
    scan
}

/// Whether this process has CAP_SYS_PTRACE (capabilities(7): number 19).
fn may_trace() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(effective.trim(), 16).unwrap() >> 19 & 1 == 1
}

/// A new, empty folder.
fn pictures() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A command that memory-scan runs, as `command_in` runs the binary.
fn scanned(folder: &Path, pictures: &Path) -> Command {
    let plain = command_in(folder);
    let mut command = scan(PROGRAM, pictures);
    command
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(folder)
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null());
    command
}

/// Runs the binary and fails if it leaves any of the secrets.
#[track_caller]
fn leaves_nothing(folder: &Path, name: &str, arguments: &[&str], secrets: &Secrets) -> Ran {
    let pictures = pictures();
    let output = scanned(folder, pictures.path()).args(arguments).output().unwrap();
    search(name, pictures.path(), secrets).nothing_left(name);
    ran(output)
}

/// What is secret in a demo vault, as far as its paper copy opens it.
struct Opened {
    personal: Secrets,
    compartments: Secrets,
}

fn opened(demo: &Path) -> Opened {
    let text = |name: &str| fs::read_to_string(demo.join(name)).unwrap();
    let location = Location::at(&demo.join("vault")).unwrap();
    let id = location.id.to_string();
    let mut passphrase = text("paper.txt");
    let typed = passphrase.trim().to_owned();
    let passphrase = Passphrase::take_from(&mut passphrase);
    let name = IdentityName { vault: &id, custodian: "alice", generation: 1 };
    let paper = fs::read(demo.join("vault/identities/alice.paper.1.age")).unwrap();
    let personal = PersonalIdentity::open_with_passphrase(&paper, &passphrase, &name).unwrap();
    let own = [personal.key()];
    let compartments = ["records", "seeds"].iter().fold(Secrets::none(), |secrets, compartment| {
        let file = fs::read(location.layout.compartment(compartment, 1)).unwrap();
        let name = CompartmentName { vault: &id, compartment, epoch: 1 };
        let opened = CompartmentIdentity::open(&file, &own, &name).unwrap();
        secrets.age_identity(compartment, opened.current())
    });
    let personal = Secrets::none().age_identity("alice's", own[0]).passphrase(&typed);
    Opened { personal, compartments }
}

/// The line of an identity file.
fn line_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap().to_owned()
}

fn reader(demo: &Demo) -> Secrets {
    Secrets::none().identity("the reader's", &line_of(&demo.path("reader.identity")))
}

/// What a software key derives for a sealed identity, on a copy of the keys.
fn derived(demo: &Demo, owner: &str, label: &str) -> HmacSecretOutput {
    struct Nobody;
    impl TouchPrompt for Nobody {
        fn waiting(&mut self, _: std::time::Duration) {}
        fn over(&mut self) {}
    }
    let location = Location::at(&demo.path("vault")).unwrap();
    let hints = location.layout.identity_hints().unwrap();
    let is_it =
        |hint: &&IdentityHint| (hint.custodian.as_str(), hint.slot.as_str()) == (owner, label);
    let hint = hints.iter().find(is_it).unwrap();
    let file = location.layout.identity(&hint.custodian, &hint.slot, hint.generation);
    let nonce = fido2prf::nonce_of(&fs::read(file).unwrap()).unwrap();
    let request = GetHmacSecret {
        application: hint.application.clone(),
        credential: hint.credential.clone(),
        salts: fido2prf::salts(nonce),
    };
    let mut keys = SoftwareKeys::in_folder(&demo.path("demo-keys")).unwrap();
    let devices: Vec<DeviceId> = keys.devices().unwrap().into_iter().map(|d| d.id).collect();
    devices
        .iter()
        .find_map(|device| {
            keys.hmac_secret(device, &request, UserVerification::BuiltIn, &mut Nobody).ok()
        })
        .unwrap()
}

/// All secrets of the demo.
fn everything(demo: &Demo) -> Secrets {
    let Opened { personal, compartments } = opened(&demo.path(""));
    ["primary", "blue"]
        .iter()
        .fold(reader(demo).with(personal).with(compartments), |secrets, key| {
            secrets.hmac_secret(&derived(demo, "alice", key))
        })
}

/// The positive control: whole and in parts, in a program that ends and in one that is killed.
fn what_a_careless_program_leaves_is_found() {
    let folder = pictures();
    let secret = tempfile::NamedTempFile::new().unwrap();
    let careless = member::built("memory-scan", "careless").unwrap();
    let text = "a secret of forty-eight bytes, which it neglects";
    fs::write(secret.path(), text).unwrap();
    let output =
        scan("careless", folder.path()).arg(&careless).arg(secret.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let left = search("careless", folder.path(), &Secrets::none().passphrase(text)).left;
    assert!(left.iter().any(|found| found.contains("left all of the passphrase")), "{left:#?}");
    // It held the second half, and the memory of a killed process counts as well.
    assert!(
        left.iter().any(|found| found.contains("a part of the passphrase (24 bytes from 24)")),
        "{left:#?}"
    );
}

/// A command that asks something on a terminal, under memory-scan.
fn dialogue(folder: &Path, pictures: &Path, command: &str) -> PseudoTerminal {
    let scan = scan(PROGRAM, pictures);
    PseudoTerminal::start(scan.get_program(), |terminal| {
        // script(1) makes a terminal of the command's own: Ctrl-C is for it alone, and
        // memory-scan would pass it on once more.
        let script = ["script", "--quiet", "--return", "--command", command, "/dev/null"];
        terminal
            .args(scan.get_args())
            .args(script)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("TERM", "xterm");
    })
}

/// A demo that this machine doesn't know, and the command that is asked about it.
fn strange_demo() -> (Demo, String) {
    let demo = Demo::new();
    fs::remove_dir_all(demo.folder.path().join("state")).unwrap();
    let command =
        format!("{BINARY} log head --vault demo/vault --identity demo/reader.identity 2> talk.txt");
    (demo, command)
}

const FINGERPRINT: &str = "Is it the same (yes, no, or paste theirs)? ";

/// The positive control on the program itself: at a question that comes while the log is open,
/// its secrets are found, on pages that can't be swapped out; after the answer they are gone.
fn secrets_in_use_are_found_and_gone_afterwards() {
    let (demo, command) = strange_demo();
    let secrets = reader(&demo);
    let pictures = pictures();
    let mut dialogue = dialogue(demo.folder.path(), pictures.path(), &command);
    dialogue.until(FINGERPRINT);
    dialogue.signal(Signal::USR1);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    // One that is being written can't be read yet.
    while Picture::load_all(pictures.path()).map_or(0, |taken| taken.len()) == 0 {
        assert!(std::time::Instant::now() < deadline, "no picture was taken");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    dialogue.types("yes\n");
    let (code, shown) = dialogue.ends();
    assert_eq!(code, 0, "{shown}");
    let shown = search("log head, asked for the fingerprint", pictures.path(), &secrets);
    let line = |found: &memory_scan::search::Finding| found.canary == "the reader's line";
    let lines: Vec<_> = shown.in_use.iter().map(|(_, found)| found).filter(|f| line(f)).collect();
    assert!(lines.iter().any(|found| found.whole), "{lines:?}");
    assert!(lines.iter().all(|found| found.place.locked), "{lines:?}");
    shown.nothing_left(&command);
}

fn commands_of_a_reader_leave_nothing() {
    let demo = Demo::new();
    let secrets = everything(&demo);
    for arguments in [
        &["vault", "show"] as &[&str],
        &["custodian", "list"],
        &["key", "list"],
        &["key", "check", "alice/blue"],
        &["log", "list"],
        &["log", "show", "2"],
        &["log", "head"],
        &["log", "verify"],
        &["log", "export", "out"],
        &["log", "head", "--json"],
    ] {
        let opened = ["--vault", "demo/vault", "--identity", "demo/reader.identity"];
        let name = format!("{} --identity", arguments.join(" "));
        leaves_nothing(demo.folder.path(), &name, &[arguments, &opened].concat(), &secrets)
            .exits(0);
    }
    // Stdin is a secret file as good as any.
    let pictures = pictures();
    let mut command = scanned(demo.folder.path(), pictures.path());
    command.args(["log", "head", "--vault", "demo/vault", "--identity", "-"]);
    command.stdin(File::open(demo.path("reader.identity")).unwrap());
    ran(command.output().unwrap()).exits(0);
    let name = "log head --identity - (stdin)";
    search(name, pictures.path(), &secrets).nothing_left(name);
}

fn commands_of_a_custodian_leave_nothing() {
    let demo = Demo::new();
    let secrets = everything(&demo);
    for arguments in [
        &["vault", "show"] as &[&str],
        &["key", "check", "alice/primary", "--device", "demo-key-1"],
        &["key", "enrol", "green"],
        &["log", "verify", "--json"],
    ] {
        let all = [arguments, &["--vault", "demo/vault"]].concat();
        leaves_nothing(demo.folder.path(), &arguments.join(" "), &all, &secrets).exits(0);
    }
}

fn founding_leaves_nothing() {
    let folder = pictures();
    let pictures = pictures();
    let mut command = scan(PROGRAM, pictures.path());
    let init = "exec \"$0\" vault init vault --name Corp --custodian alice --key primary --demo \
                --paper-fd 3 3>paper.txt";
    command.args(["sh", "-c", init, BINARY]).current_dir(folder.path());
    command.env("XDG_STATE_HOME", folder.path()).stdin(Stdio::null());
    ran(command.output().unwrap()).exits(0);
    let Opened { personal, compartments } = opened(folder.path());
    let name = "vault init --demo --paper-fd 3";
    search(name, pictures.path(), &personal.with(compartments)).nothing_left(name);
}

fn the_demo_leaves_nothing() {
    let folder = pictures();
    let pictures = pictures();
    let mut command = scanned(folder.path(), pictures.path());
    ran(command.args(["demo", "demo"]).output().unwrap()).exits(0);
    let demo = Demo { folder };
    let papers =
        ["alice", "bob"].map(|who| people::on_paper(&demo, who, 1, &format!("{who}.paper.txt")));
    let secrets = papers.into_iter().fold(reader(&demo), Secrets::with);
    let secrets = secrets.with(people::epochs(&demo));
    search("demo", pictures.path(), &secrets).nothing_left("demo");
}

fn identities_that_open_nothing_are_wiped_too() {
    let demo = Demo::new();
    let stranger = demo.path("stranger.identity");
    let mut random = |buffer: &mut [u8]| getrandom::fill(buffer).unwrap();
    let identity = AgeIdentity::generate(&mut random).unwrap();
    let secrets = Secrets::none().age_identity("a stranger's", &identity);
    let line = identity.expose_line();
    let second = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ";
    let head = ["log", "head", "--vault", "demo/vault", "--identity", "demo/stranger.identity"];
    for (what, text, exit) in [
        ("a stranger's", format!("{line}\n"), 3),
        ("a malformed one after a sound one", format!("{line}\n{second}\n"), 1),
        ("one that is too long", format!("{line}x\n"), 1),
        ("one in lower case", format!("{}\n", line.to_ascii_lowercase()), 1),
        ("one in a comment", format!("# {line}\n"), 1),
        ("a file that is too large", format!("{line}\n{}", "#".repeat(70_000)), 1),
    ] {
        fs::write(&stranger, text).unwrap();
        let name = format!("log head --identity, {what}");
        leaves_nothing(demo.folder.path(), &name, &head, &secrets).exits(exit);
    }
    fs::write(&stranger, format!("{line}\n")).unwrap();
    let check = ["key", "check", "--vault", "demo/vault", "--identity", "demo/stranger.identity"];
    leaves_nothing(demo.folder.path(), "key check --identity, a stranger's", &check, &secrets)
        .exits(3);
}

fn seeds_leave_nothing() {
    let folder = pictures();
    let mut random = [0; 40];
    getrandom::fill(&mut random).unwrap();
    let seed = data_encoding::BASE32_NOPAD.encode(&random);
    let secrets = Secrets::none().seed(&seed);
    let uri = format!("otpauth://totp/AWS:root?secret={seed}&issuer=AWS");
    let check = ["totp", "check", "--seed-file", "seed", "--code", "123456", "--code", "654321"];
    for (what, text, exit) in [
        ("base32", seed.clone(), 3),
        ("in lower case", seed.to_ascii_lowercase(), 3),
        ("an otpauth URI", uri.clone(), 3),
        ("base32 with a wrong character", format!("{seed}1"), 1),
        ("base32 with a character too many", format!("{seed}A"), 1),
        ("a URI with the seed twice", format!("{uri}&secret={seed}"), 1),
        ("a file that is too large", format!("{seed}{}", " ".repeat(5000)), 1),
    ] {
        fs::write(folder.path().join("seed"), text).unwrap();
        let name = format!("totp check --seed-file, {what}");
        leaves_nothing(folder.path(), &name, &check, &secrets).exits(exit);
    }

    // One in a picture, which a child reads: its memory is looked at, too.
    let png = demo_vault::tool("qrencode", &["-o", "-", "-s", "6"], uri.as_bytes());
    fs::write(folder.path().join("sheet.png"), &png).unwrap();
    // One that ends too early, so that its seed is unpacked in part.
    fs::write(folder.path().join("cut.png"), &png[..png.len() * 4 / 5]).unwrap();
    // One that is read, and then refused for what it says.
    let twice = format!("{uri}&secret={seed}");
    let png = demo_vault::tool("qrencode", &["-o", "-", "-s", "6"], twice.as_bytes());
    fs::write(folder.path().join("refused.png"), &png).unwrap();
    // Two, so that both ends hold seeds when the one is refused for want of a number.
    let other = uri.replacen(":root", ":other", 1);
    assert_ne!(other, uri);
    let codes = [uri.as_bytes(), other.as_bytes()].map(|text| {
        let png = demo_vault::tool("qrencode", &["-o", "-", "-s", "6"], text);
        image::load_from_memory(&png).unwrap().into_luma8()
    });
    let (side, height) = (codes[0].width().max(codes[1].width()), codes[0].height());
    let tall = height + codes[1].height();
    let mut sheet = image::GrayImage::from_pixel(side, tall, image::Luma([255]));
    image::imageops::replace(&mut sheet, &codes[0], 0, 0);
    image::imageops::replace(&mut sheet, &codes[1], 0, height.into());
    sheet.save(folder.path().join("two.png")).unwrap();
    for (picture, exit, said) in [
        ("sheet.png", 3, ""),
        ("two.png", 2, "two.png has 2 QR codes"),
        ("cut.png", 1, "it is damaged"),
        ("refused.png", 1, "that is no seed"),
    ] {
        let codes = ["--code", "123456", "--code", "654321"];
        let check = [&["totp", "check", "--qr", picture][..], &codes].concat();
        let name = format!("totp check --qr {picture}");
        leaves_nothing(folder.path(), &name, &check, &secrets).exits(exit).says(&[said]);
    }

    // One that is typed, with codes that are typed in so many characters that they can be found.
    let codes = ["1 - 9 - 2 - 8 - 3 - 7", "4 - 6 - 5 - 5 - 6 - 4"];
    let taken = pictures();
    let mut dialogue = dialogue(folder.path(), taken.path(), &format!("{BINARY} totp check"));
    dialogue.until("(not shown): ");
    dialogue.types(&format!("{seed}\n"));
    dialogue.until("shows now: ");
    dialogue.types(&format!("{}\n", codes[0]));
    dialogue.until("The next one: ");
    dialogue.types(&format!("{}\n", codes[1]));
    let (code, shown) = dialogue.ends();
    assert_eq!(code, 3, "{shown}");
    assert!(!shown.contains(&seed), "it isn't shown while it is typed");
    let secrets = codes.iter().fold(secrets, |secrets, code| secrets.passphrase(code));
    search("totp check, typed", taken.path(), &secrets).nothing_left("totp check, typed");
}

fn an_answer_that_nobody_takes_leaves_nothing() {
    let demo = Demo::new();
    let secrets = reader(&demo);
    let list = ["log", "list", "--vault", "demo/vault", "--identity", "demo/reader.identity"];
    let pictures = pictures();
    let mut command = scanned(demo.folder.path(), pictures.path());
    command.args(list).stdout(File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let name = "log list > /dev/full";
    search(name, pictures.path(), &secrets).nothing_left(name);
}

fn a_damaged_vault_leaves_nothing() {
    // Each is a file of the vault, and who opens it with what exit code.
    for (file, as_reader, exit) in [
        ("identities/alice.primary.1.age", false, 3),
        ("compartments/records.1.age", true, 3),
        ("compartments/records.1.age", false, 3),
        ("log/000002.age", true, 3),
        ("vault.toml", true, 1),
    ] {
        let demo = Demo::new();
        let secrets = everything(&demo);
        let path = demo.path("vault").join(file);
        let mut bytes = fs::read(&path).unwrap();
        // The last byte is of a tag; of vault.toml it is the end of its line.
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let mut arguments = vec!["log", "head", "--vault", "demo/vault"];
        if as_reader {
            arguments.extend(["--identity", "demo/reader.identity"]);
        } else {
            arguments.extend(["--device", "demo-key-1"]);
        }
        let who = if as_reader { "reader" } else { "custodian" };
        let name = format!("log head by a {who}, damaged {file}");
        leaves_nothing(demo.folder.path(), &name, &arguments, &secrets).exits(exit);
    }
}

fn ctrl_c_leaves_nothing() {
    let (demo, command) = strange_demo();
    let shots = pictures();
    let mut talk = dialogue(demo.folder.path(), shots.path(), &command);
    talk.until(FINGERPRINT);
    talk.types("\u{3}");
    assert_eq!(talk.ends().0, 130);
    let name = "log head, Ctrl-C at the fingerprint";
    search(name, shots.path(), &reader(&demo)).nothing_left(name);

    let shots = pictures();
    let init = format!(
        "{BINARY} vault init v --name x --custodian alice --key primary --demo 2> talk.txt"
    );
    let mut talk = dialogue(demo.folder.path(), shots.path(), &init);
    let shown = talk.until("Type the last of the ten words to go on: ");
    let words = shown.lines().map(str::trim).find(|line| line.split('-').count() == 10).unwrap();
    let secrets = Secrets::none().passphrase(words);
    talk.types("\u{3}");
    assert_eq!(talk.ends().0, 130);
    let name = "vault init, Ctrl-C at the paper copy";
    search(name, shots.path(), &secrets).nothing_left(name);
}

fn a_log_that_several_threads_read_leaves_nothing() {
    let demo = Demo::new();
    // A thread takes sixteen entries at least.
    for _ in 0..36 {
        demo.read(&["key", "check", "alice/blue"]).exits(0);
    }
    let verify = ["log", "verify", "--vault", "demo/vault", "--identity", "demo/reader.identity"];
    let name = "log verify --identity, 40 entries";
    let said = leaves_nothing(demo.folder.path(), name, &verify, &everything(&demo)).exits(0);
    said.answers(&["40 entries"]);
}

fn a_machine_that_may_swap_secrets_is_told_so_once() {
    let demo = Demo::new();
    let sentence = "This machine may swap secrets to disk";
    let head = ["log", "head", "--vault", "demo/vault", "--identity", "demo/reader.identity"];
    let locked = ran(command_in(demo.folder.path()).args(head).output().unwrap()).exits(0);
    assert!(!locked.stderr.contains(sentence), "{locked:?}");

    let plain = command_in(demo.folder.path());
    let mut limited = Command::new("prlimit");
    limited.arg("--memlock=0:0");
    // Root may lock what it likes, unless it gives that up.
    limited.args(["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]);
    limited.arg(plain.get_program()).args(plain.get_args()).args(head);
    limited.current_dir(demo.folder.path()).env("XDG_STATE_HOME", demo.folder.path().join("state"));
    let told = ran(limited.output().unwrap()).exits(0);
    assert_eq!(told.stderr.matches(sentence).count(), 1, "{told:?}");
    assert_eq!(told.stdout, locked.stdout);
}
