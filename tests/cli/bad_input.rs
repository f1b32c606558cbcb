//! Bad input gets a clear error and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::demo_vault::{Demo, command_in, keymuster_in, ran};

const INIT: [&str; 9] = [
    "vault",
    "init",
    "vault",
    "--name",
    "Example Corp",
    "--custodian",
    "alice",
    "--key",
    "primary",
];

/// `vault init` with software keys and the passphrase thrown away.
fn init(folder: &std::path::Path, extra: &[&str]) -> super::demo_vault::Ran {
    let paper = fs::File::create(folder.join("paper.txt")).unwrap();
    let mut command = command_in(folder);
    command.args(INIT).args(["--demo", "--paper-fd", "1"]).args(extra).stdout(paper);
    ran(command.output().unwrap())
}

#[test]
fn a_folder_that_is_a_vault_already_is_refused() {
    let demo = Demo::new();
    let before = demo.snapshot();
    keymuster_in(
        demo.folder.path(),
        &["vault", "init", "demo/vault", "--name", "x", "--custodian", "a", "--key", "k", "--demo"],
    )
    .exits(1)
    .says(&["demo/vault is a vault already"]);
    assert_eq!(demo.snapshot(), before);
}

#[test]
fn a_vault_can_live_in_a_folder_with_other_things() {
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    fs::create_dir_all(vault.join(".git")).unwrap();
    fs::write(vault.join("README.md"), "ours").unwrap();
    init(folder.path(), &[]).exits(0);
    assert_eq!(fs::read_to_string(vault.join("README.md")).unwrap(), "ours");
    assert!(vault.join("vault.toml").exists());
    assert!(!vault.join(".keymuster-init").exists(), "the staging folder is gone");
}

#[test]
fn what_is_in_the_way_of_a_vault_is_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("vault/log")).unwrap();
    fs::write(folder.path().join("vault/log/mine"), "mine").unwrap();
    init(folder.path(), &[]).exits(1).says(&["vault/log is in the way"]);
    assert_eq!(fs::read_to_string(folder.path().join("vault/log/mine")).unwrap(), "mine");

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vault"), "a file").unwrap();
    init(folder.path(), &[]).exits(1).says(&["vault is in the way"]);
}

#[test]
fn a_stale_staging_folder_is_no_licence_to_delete() {
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    fs::create_dir_all(vault.join(".keymuster-init/log")).unwrap();
    fs::create_dir_all(vault.join("compartments")).unwrap();
    fs::write(vault.join("compartments/mine"), "mine").unwrap();
    init(folder.path(), &[]).exits(1).says(&["vault/compartments is in the way"]);
    assert_eq!(fs::read_to_string(vault.join("compartments/mine")).unwrap(), "mine");
    fs::remove_dir_all(vault.join("compartments")).unwrap();
    init(folder.path(), &[]).exits(0);
    assert!(!vault.join(".keymuster-init").exists());
}

/// Runs `vault init` under strace, which does something to the nth rename.
fn init_traced(folder: &std::path::Path, expression: &str) -> std::process::Output {
    let mut command = std::process::Command::new("strace");
    command
        .args(["-f", "-qq", "-o", "trace.txt", "-e", "trace=renameat2", "-e", expression])
        .arg(env!("CARGO_BIN_EXE_keymuster"))
        .args(INIT)
        .args(["--demo", "--paper-fd", "1"])
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_STATE_HOME", folder.join("state"));
    command.output().expect("strace is needed (make setup-test installs it)")
}

#[test]
fn a_founding_killed_while_it_moves_into_place_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    init_traced(folder.path(), "signal=none");
    let trace = fs::read_to_string(folder.path().join("trace.txt")).unwrap();
    let renames = trace.lines().filter(|line| line.contains("renameat2(")).count();
    assert!(renames > 6, "{trace}");
    let mut interrupted = 0;
    // The last renames are those of the parts and of vault.toml, then that of the memory.
    for number in renames - 5..=renames {
        let folder = tempfile::tempdir().unwrap();
        let inject = format!("inject=renameat2:signal=KILL:when={number}");
        assert!(!init_traced(folder.path(), &inject).status.success());
        let vault = folder.path().join("vault");
        if vault.join("vault.toml").exists() {
            continue;
        }
        interrupted += 1;
        fs::remove_dir_all(folder.path().join("demo-keys")).unwrap();
        init(folder.path(), &[]).exits(0);
        assert!(vault.join("log/000001.age").exists() && vault.join("vault.toml").exists());
        assert!(!vault.join(".keymuster-init").exists());
    }
    assert!(interrupted >= 4, "only {interrupted} of the kills came before vault.toml");
}

#[test]
fn what_a_founding_left_behind_never_costs_the_vault() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), &[]).exits(0);
    let vault = folder.path().join("vault");
    // Killed right after vault.toml was in place, the list of what was moved stays.
    fs::create_dir(vault.join(".keymuster-init")).unwrap();
    let births: String = ["log", "compartments", "identities", ".gitattributes"]
        .iter()
        .map(|name| fs::symlink_metadata(vault.join(name)).unwrap())
        .map(|metadata| {
            use std::os::unix::fs::MetadataExt as _;
            let born = metadata.created().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
            format!("{}:{}:{}\n", metadata.dev(), metadata.ino(), born.as_nanos())
        })
        .collect();
    fs::write(vault.join(".keymuster-init/moved"), births).unwrap();
    let toml = fs::read(vault.join("vault.toml")).unwrap();
    fs::remove_file(vault.join("vault.toml")).unwrap();
    init(folder.path(), &["--demo-keys", "others"]).exits(1).says(&["is in the way"]);
    assert!(vault.join("log/000001.age").exists());
    fs::write(vault.join("vault.toml"), toml).unwrap();
}

#[test]
fn a_file_system_that_cannot_rename_without_replacing_holds_a_vault_too() {
    let folder = tempfile::tempdir().unwrap();
    let output = init_traced(folder.path(), "inject=renameat2:error=EINVAL");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let vault = folder.path().join("vault");
    assert!(vault.join("log/000001.age").exists() && vault.join("vault.toml").exists());
}

#[test]
fn an_unwritable_folder_is_an_error_that_names_it() {
    // Root may write anywhere; a folder of the kernel's it may not.
    let folder = tempfile::tempdir().unwrap();
    keymuster_in(
        folder.path(),
        &[
            "vault",
            "init",
            "/proc/keymuster",
            "--name",
            "x",
            "--custodian",
            "a",
            "--key",
            "k",
            "--demo",
            "--paper-fd",
            "1",
            "--demo-keys",
            "keys",
        ],
    )
    .exits(1)
    .says(&["couldn't create /proc/keymuster"]);

    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    let mut command = command_in(folder.path());
    command.args(["vault", "show", "--vault", "closed"]);
    ran(command.output().unwrap()).exits(1).says(&["closed is no vault"]);
}

#[test]
fn a_vault_of_a_newer_format_is_refused_by_name() {
    let demo = Demo::new();
    let path = demo.path("vault/vault.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("format = 1", "format = 2\nfancy = true")).unwrap();
    demo.read(&["vault", "show"])
        .exits(1)
        .says(&["vault.toml is of format 2", "install a newer keymuster"]);
}

#[test]
fn a_vault_toml_with_unknown_fields_or_nonsense_is_refused() {
    for text in [
        "format = 1\nvault = \"x\"\n",
        "format = 1\n",
        "hello",
        "",
        "format = 1\nvault = \"00112233445566778899aabbccddeeff\"\nextra = 1\n",
    ] {
        let demo = Demo::new();
        fs::write(demo.path("vault/vault.toml"), text).unwrap();
        demo.read(&["vault", "show"]).exits(1).says(&["vault.toml isn't a vault's"]);
    }
}

#[test]
fn a_vault_toml_that_is_written_in_another_way_is_refused() {
    let demo = Demo::new();
    let path = demo.path("vault/vault.toml");
    let text = fs::read_to_string(&path).unwrap();
    for other in [
        format!("{text}# ours\n"),
        format!("{text}\n"),
        text.trim_end().to_owned(),
        text.replace('\n', "\r\n"),
        text.replace('"', "'"),
        text.lines().rev().map(|line| format!("{line}\n")).collect(),
    ] {
        assert_ne!(other, text);
        fs::write(&path, other).unwrap();
        demo.read(&["vault", "show"]).exits(1).says(&["isn't written as keymuster writes it"]);
    }
}

#[test]
fn a_label_with_a_slash_is_a_usage_error() {
    let demo = Demo::new();
    let before = demo.snapshot();
    demo.run(&["key", "enrol", "a/b"]).exits(2).says(&["isn't a handle"]);
    demo.run(&["key", "enrol", "Blue"]).exits(2).says(&["isn't a handle"]);
    demo.run(&["key", "enrol", "paper"]).exits(2).says(&["can't be called paper"]);
    demo.run(&["key", "check", "alice"]).exits(2).says(&["isn't the name of a key"]);
    assert_eq!(demo.snapshot(), before);
}

#[test]
fn a_name_with_control_or_direction_characters_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a\nb", "\u{1b}[2J", "a\u{202e}b", "", " a"] {
        keymuster_in(
            folder.path(),
            &["vault", "init", "v", "--name", name, "--custodian", "a", "--key", "k", "--demo"],
        )
        .exits(2);
    }
    assert!(!folder.path().join("v").exists());
}

#[test]
fn a_reader_that_is_no_recipient_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    for (reader, why) in [
        ("auditor", "HANDLE=age1"),
        ("auditor=age1xyz", "not an age1"),
        ("auditor=ssh-ed25519 AAAA", "SSH key"),
        (
            "Auditor=age1lds27mp3tnaa39yvmyllcnfpdg60d0yw8wzmdrndkfgyk3t9udvq3pfvt6",
            "isn't a handle",
        ),
    ] {
        init(folder.path(), &["--reader", reader]).exits(2).says(&[why]);
    }
    assert!(!folder.path().join("vault").exists());
}

#[test]
fn an_identity_file_that_is_none_is_an_error() {
    let demo = Demo::new();
    for text in [
        "",
        "# only a comment\n",
        "hello\n",
        "age1lds27mp3tnaa39yvmyllcnfpdg60d0yw8wzmdrndkfgyk3t9udvq3pfvt6\n",
    ] {
        fs::write(demo.path("bad.identity"), text).unwrap();
        demo.run(&["log", "list", "--identity", "demo/bad.identity"])
            .exits(1)
            .says(&["holds no age identity", "age-keygen"]);
    }
    demo.run(&["log", "list", "--identity", "demo/absent"])
        .exits(1)
        .says(&["couldn't read the identity demo/absent", "No such file"]);
    demo.run(&["log", "list", "--identity", "/dev/zero"]).exits(1).says(&["larger than 64 KiB"]);
}

#[test]
fn an_identity_of_somebody_else_opens_nothing() {
    let demo = Demo::new();
    let identity = super::demo_vault::tool("age-keygen", &[], b"");
    fs::write(demo.path("other.identity"), identity).unwrap();
    demo.run(&["log", "list", "--identity", "demo/other.identity"]).exits(3).says(&[
        "compartments/records.1.age can't be opened",
        "no identity at hand opens this file",
    ]);
}

#[test]
fn no_vault_here_says_how_to_name_or_make_one() {
    let folder = tempfile::tempdir().unwrap();
    keymuster_in(folder.path(), &["vault", "show"])
        .exits(1)
        .says(&["no vault here", "--vault DIR"]);
    keymuster_in(folder.path(), &["vault", "show", "--vault", "."]).exits(1).says(&["is no vault"]);
}

#[test]
fn the_nearest_folder_above_is_the_vault() {
    let demo = Demo::new();
    let inside = demo.path("vault/log");
    let mut command = command_in(demo.folder.path());
    command.current_dir(inside).args(["log", "head", "--identity", "../../reader.identity"]);
    let ran = ran(command.output().unwrap()).exits(0);
    assert_eq!(ran.stdout.lines().nth(1), Some("4"));
}

#[test]
fn a_wrong_fingerprint_is_refused_and_not_remembered() {
    let demo = Demo::new();
    fs::remove_dir_all(demo.folder.path().join("state")).unwrap();
    let wrong = "0".repeat(64);
    demo.read(&["log", "list", "--fingerprint", &wrong]).exits(3).says(&["not the one expected"]);
    demo.read(&["log", "list"]).exits(4).says(&["no terminal to ask on", "--fingerprint HEX"]);
}

#[test]
fn too_many_keys_are_listed_and_the_flag_is_named() {
    let demo = Demo::new();
    demo.read(&["key", "check"]).exits(2).says(&[
        "demo-key-1",
        "alice/primary",
        "demo-key-2",
        "alice/blue",
        "--device PATH",
    ]);
    demo.run(&["key", "check"]).exits(2).says(&["demo-key-1", "demo-key-2", "--device PATH"]);
    demo.run(&["key", "check", "--device", "demo-key-2"]).exits(0).answers(&["This is alice/blue"]);
    demo.run(&["key", "check", "--device", "demo-key-9"])
        .exits(4)
        .says(&["no security key is plugged in at demo-key-9"]);
}

#[test]
fn the_wrong_key_is_told_from_no_key_and_a_stranger() {
    let demo = Demo::new();
    demo.read(&["key", "check", "alice/primary", "--device", "demo-key-2"])
        .exits(3)
        .says(&["the key that is plugged in is alice/blue, not alice/primary"]);
    demo.read(&["key", "check", "alice/green"])
        .exits(2)
        .says(&["no key alice/green is enrolled", "alice/blue, alice/primary"]);

    demo.run(&["key", "check", "alice/green"])
        .exits(2)
        .says(&["no key alice/green is enrolled", "alice/blue, alice/primary"]);

    let empty = demo.path("no-keys");
    demo.read(&["key", "check", "--demo-keys", empty.to_str().unwrap()])
        .exits(4)
        .says(&["no security key is plugged in"]);
    let other = Demo::new();
    fs::remove_file(other.path("demo-keys/demo-key-2.json")).unwrap();
    // A key of another vault is a stranger here.
    let fresh = tempfile::tempdir().unwrap();
    init(fresh.path(), &[]).exits(0);
    let strange = fresh.path().join("demo-keys");
    demo.read(&["key", "check", "--demo-keys", strange.to_str().unwrap()])
        .exits(3)
        .says(&["isn't enrolled in this vault"]);
}

#[test]
fn an_enrolled_key_is_not_enrolled_again() {
    let demo = Demo::new();
    let before = demo.snapshot();
    demo.run(&["key", "enrol", "green", "--device", "demo-key-2"])
        .exits(1)
        .says(&["enrolled already, as alice/blue"]);
    fs::rename(demo.path("demo-keys/demo-key-2.json"), demo.path("spare.json")).unwrap();
    demo.run(&["key", "enrol", "green", "--device", "demo-key-1"])
        .exits(4)
        .says(&["no enrolled key is plugged in beside demo-key-1"]);
    demo.run(&["key", "enrol", "blue"]).exits(1).says(&["there is a key alice/blue already"]);
    assert_eq!(demo.snapshot(), before);
}

#[test]
fn output_to_a_full_disk_is_an_error() {
    let demo = Demo::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = command_in(demo.folder.path());
    command
        .args(["log", "list", "--vault", "demo/vault", "--identity", "demo/reader.identity"])
        .stdout(full);
    ran(command.output().unwrap()).exits(1).says(&["couldn't write the answer", "No space left"]);
}

#[test]
fn a_reader_of_the_output_who_leaves_is_no_panic() {
    let demo = Demo::new();
    let mut command = command_in(demo.folder.path());
    command.args([
        "log",
        "show",
        "1",
        "--vault",
        "demo/vault",
        "--identity",
        "demo/reader.identity",
    ]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    let ran = ran(command.output().unwrap()).exits(141);
    assert!(!ran.stderr.contains("panic") && !ran.stderr.contains("error"), "{}", ran.stderr);
}

#[test]
fn a_copied_identity_file_keeps_nobody_out() {
    let demo = Demo::new();
    let identities = demo.path("vault/identities");
    for copy in ["alice.primary.2.identity", "aaa.k.1.identity"] {
        fs::copy(identities.join("alice.primary.1.identity"), identities.join(copy)).unwrap();
    }
    let opened = demo.run(&["log", "verify", "--device", "demo-key-1"]).exits(0);
    opened.answers(&[
        "named by no entry: identities/aaa.k.1.identity; if no other keymuster is at work, left by",
    ]);
}

#[test]
fn an_identity_file_of_a_demo_makes_no_demo_of_a_real_vault() {
    let demo = Demo::new();
    let planted = keymuster::vault::fido2prf::plugin_identity(
        &keymuster::webauthn::CredentialId::new([7; 32]).unwrap(),
        "keymuster",
    );
    fs::write(demo.path("vault/identities/zz.zz.1.identity"), planted).unwrap();
    demo.run(&["vault", "show"]).exits(3).says(&["some of a demo vault and some of a real one"]);
}

#[test]
fn a_link_in_place_of_a_folder_is_refused() {
    let demo = Demo::new();
    fs::rename(demo.path("vault/log"), demo.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", demo.path("vault/log")).unwrap();
    demo.read(&["log", "verify"]).exits(3).says(&["log isn't a folder, or is a link to one"]);
}

#[test]
fn nothing_in_a_path_reaches_the_terminal_raw() {
    let folder = tempfile::tempdir().unwrap();
    let ran =
        keymuster_in(folder.path(), &["vault", "show", "--vault", "\u{1b}]0;owned\u{7}\u{1b}[2J"]);
    assert!(!ran.exits(1).stderr.contains('\u{1b}'));
}

#[test]
fn a_secret_key_given_as_a_reader_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let identity = String::from_utf8(super::demo_vault::tool("age-keygen", &[], b"")).unwrap();
    let secret = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let ran = init(folder.path(), &["--reader", &format!("auditor={secret}")]).exits(2);
    assert!(!ran.stderr.contains(secret), "{}", ran.stderr);
    ran.says(&["this is a secret key"]);
}

#[test]
fn a_handle_given_twice_is_refused_before_any_touch() {
    let folder = tempfile::tempdir().unwrap();
    let identity = super::demo_vault::tool("age-keygen", &[], b"");
    let recipient =
        String::from_utf8(super::demo_vault::tool("age-keygen", &["-y"], &identity)).unwrap();
    let reader = format!("alice={}", recipient.trim());
    let ran = init(folder.path(), &["--reader", &reader]).exits(2).says(&["alice is given twice"]);
    assert!(!ran.stderr.contains("Touch"), "{}", ran.stderr);
}

#[test]
fn a_bundle_cannot_lie_in_the_vault() {
    let demo = Demo::new();
    std::os::unix::fs::symlink("vault/log", demo.path("link")).unwrap();
    for inside in ["demo/vault/bundle", "demo/link/bundle", "demo/link/../bundle"] {
        demo.read(&["log", "export", inside]).exits(2).says(&["in the clear"]);
    }
    assert!(!demo.path("vault/bundle").exists() && !demo.path("vault/log/bundle").exists());
}

#[test]
fn a_bundle_lies_beside_the_vault_as_the_readme_has_it() {
    let demo = Demo::new();
    let mut command = super::demo_vault::command_in(&demo.path("vault"));
    command.args(["log", "export", "../other", "--identity", "../reader.identity"]);
    command.env("XDG_STATE_HOME", demo.folder.path().join("state"));
    super::demo_vault::ran(command.output().unwrap()).exits(0).answers(&["Exported 4 entries"]);
    assert!(demo.path("other/README").exists());
}

#[test]
fn a_passphrase_is_added_to_a_file_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "echo 'my notes, longer than any passphrase could possibly be, and then some more' > notes; \
         {} vault init v --name x --custodian a --key k --demo --paper-fd 3 3>>notes",
        env!("CARGO_BIN_EXE_keymuster")
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(folder.path()).env("HOME", folder.path());
    assert!(command.output().unwrap().status.success());
    let notes = fs::read_to_string(folder.path().join("notes")).unwrap();
    assert!(notes.starts_with("my notes") && notes.lines().count() == 2, "{notes}");
}

#[test]
fn a_failure_has_json_too() {
    let demo = Demo::new();
    let ran = demo.read(&["log", "show", "9", "--json"]).exits(2);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value["answer"], "error");
    assert_eq!(value["message"], "there is no entry 9");
    assert_eq!(value["exit"], 2);
    // A command line that is wrong, too.
    let usage = demo.run(&["log", "show", "abc", "--json"]).exits(2);
    let value: serde_json::Value = serde_json::from_str(&usage.stdout).unwrap();
    assert_eq!((&value["answer"], &value["exit"]), (&"error".into(), &2.into()));
    assert!(value["message"].as_str().unwrap().contains("'abc'"), "{value}");
    let missing = demo.run(&["policy", "change", "--json"]).exits(2).stdout;
    assert!(missing.contains("--check-days <DAYS>"), "it names what is missing: {missing}");
}

#[test]
fn no_core_file_can_be_written() {
    use std::io::Write as _;
    let demo = Demo::new();
    let mut child = command_in(demo.folder.path())
        .args(["log", "list", "--vault", "demo/vault", "--identity", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // It waits for its stdin; setsid has replaced itself by it or started it.
    let limits = || {
        let own = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap_or_default();
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let forked = fs::read_to_string(children).unwrap_or_default();
        let pid = forked.trim();
        let below = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        own + &below
    };
    let off = |text: &str| {
        text.lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0  "))
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !off(&limits()) && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(off(&limits()), "{}", limits());
    let identity = fs::read(demo.path("reader.identity")).unwrap();
    child.stdin.take().unwrap().write_all(&identity).unwrap();
    assert!(child.wait().unwrap().success());
}
