//! Who signs: whose keys are found, who is named with `--by`, who is missing, and what a
//! countersigner's key looks at before it signs.

use std::fs;

use keymuster::key::software::{Model, SoftwareKeys, Verification};

use super::super::demo_vault::{Demo, command_in, ran, tool};
use super::super::pseudo_terminal::PseudoTerminal;
use super::{recorded, refused, touches};

/// A change that any two custodians sign.
const CHANGE: [&str; 7] =
    ["waiver", "add", "key-check bob/primary", "--until", "2099-12-31", "--reason", "winter"];

#[test]
fn by_says_whose_key_signs_and_the_first_opens_the_vault() {
    let demo = Demo::people();
    for (by, signers) in [
        (&[][..], ["alice/primary", "bob/primary"]),
        (&["--by", "carol"], ["carol/primary", "alice/blue"]),
        (&["--by", "alice/blue", "--by", "carol"], ["alice/blue", "carol/primary"]),
        (&["--by", "bob", "--by", "alice/primary"], ["bob/primary", "alice/primary"]),
    ] {
        recorded(&demo, &[&CHANGE[..], by].concat(), &["waiver-given"], &signers);
    }
    let ran = demo.run(&[&CHANGE[..], &["--by", "bob", "--by", "carol"]].concat()).exits(0);
    let touches: Vec<&str> =
        touches(&ran).into_iter().map(|line| &line[6..line.len() - 7]).collect();
    let each = ["bob/primary to open the vault", "carol/primary to sign entry 11"];
    assert_eq!(touches, [&each[..], &["bob/primary to sign entry 11"]].concat());
    ran.says(&["carol/primary signs too.\n", "to be signed by bob/primary and carol/primary:\n"]);
}

#[test]
fn by_names_nobody_who_cannot_sign() {
    let demo = Demo::people();
    demo.run(&["custodian", "leave", "carol"]).exits(0);
    let by = |who: &[&'static str]| [&CHANGE[..], who].concat();
    let enrolled = "enrolled are: alice/blue, alice/primary, bob/primary, carol/primary";
    refused(&demo, &by(&["--by", "dave"]), 2, &["dave has no enrolled key", enrolled]);
    refused(&demo, &by(&["--by", "bob/green"]), 2, &["no key bob/green is enrolled", enrolled]);
    refused(&demo, &by(&["--by", "auditor"]), 2, &["auditor has no enrolled key"]);
    refused(&demo, &by(&["--by", "bob/"]), 2, &["--by"]);
    // Nor is anybody else taken in place of the second.
    let who = "who could sign: alice: blue active, primary active; bob: primary active";
    let dave = ["no key of dave is enrolled", "name another key with --by", who];
    refused(&demo, &by(&["--by", "alice", "--by", "dave"]), 2, &dave);
    let carol = ["carol/primary is retired, and may not sign this"];
    refused(&demo, &by(&["--by", "alice", "--by", "carol"]), 3, &carol);
}

#[test]
fn a_missing_second_key_is_named_before_anybody_touches_more_than_to_open() {
    let demo = Demo::people();
    for device in ["demo-key-3", "demo-key-4"] {
        demo.unplug(device);
    }
    // The first custodian's other key is no second custodian.
    let other = "alice/blue is plugged in, and alice signs already.\n";
    let anybody = "error: a key of bob or carol must sign too, and isn't plugged in, and there is \
                   no terminal to ask on\n";
    let hint = "hint: plug in a key of bob or carol beside the other key";
    let bob = "error: bob/primary must sign too, and isn't plugged in";
    let reader = tool("age-keygen", &["-y"], &tool("age-keygen", &[], b""));
    let reader = String::from_utf8(reader).unwrap();
    for arguments in [
        &CHANGE[..],
        &["custodian", "add", "dave", "--key", "primary"],
        &["reader", "add", "inspector", reader.trim()],
        &["reader", "remove", "auditor"],
        &["key", "enrol", "green"],
        &["key", "retired", "alice/blue"],
        &["vault", "rekey", "--new-identity"],
        &["vault", "rekey", "--all"],
        &["policy", "change", "--check-days", "60"],
    ] {
        refused(&demo, arguments, 4, &[other, anybody, hint]);
    }
    for arguments in [
        &["key", "hand-over", "alice/blue", "--to", "bob"][..],
        &["key", "seal", "alice/blue", "--bag", "1", "--witness", "bob"],
        // Who has a key that may sign has it sign for another identity.
        &["key", "enrol", "green", "--for", "bob", "--new-identity"],
        &["key", "check", "alice/primary", "bob/primary"],
    ] {
        refused(&demo, arguments, 4, &[bob, "hint: plug in bob/primary beside the other key"]);
    }
    // What one signs needs nobody else.
    recorded(
        &demo,
        &["key", "move", "bob/primary", "--to", "x"],
        &["key-moved"],
        &["alice/primary"],
    );
}

/// A command on a terminal, with the conversation in a file.
fn dialogue(demo: &Demo, arguments: &[&str]) -> PseudoTerminal {
    let plain = command_in(demo.folder.path());
    PseudoTerminal::start(env!("CARGO_BIN_EXE_keymuster"), |command| {
        command.args(arguments).args(["--vault", "demo/vault"]);
        command.current_dir(demo.folder.path()).env_clear().env("TERM", "xterm");
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stderr(fs::File::create(demo.path("talk.txt")).unwrap());
    })
}

#[test]
fn a_second_key_is_asked_for_and_keys_may_be_swapped() {
    let demo = Demo::people();
    for device in ["demo-key-2", "demo-key-3", "demo-key-4"] {
        demo.unplug(device);
    }
    let mut terminal = dialogue(&demo, &CHANGE);
    let question = "Now a key of bob or carol must sign too. Plug it in and press Enter: ";
    terminal.until(question);
    demo.plug_in("demo-key-2");
    terminal.types("\n");
    terminal.until(question);
    // One socket only: carol's key goes where alice's was.
    demo.unplug("demo-key-1");
    demo.plug_in("demo-key-4");
    terminal.types("\n");
    terminal.until("Plug in alice/primary again and press Enter: ");
    terminal.types("\n");
    terminal.until("Plug in alice/primary again and press Enter: ");
    demo.plug_in("demo-key-1");
    terminal.types("\n");
    let (code, shown) = terminal.ends();
    let talk = fs::read_to_string(demo.path("talk.txt")).unwrap();
    assert_eq!(code, 0, "{shown}\n{talk}");
    assert!(shown.contains("Recorded entry 7, signed by alice/primary and carol/primary."));
    assert!(talk.contains("alice/blue is plugged in, and alice signs already.\n"), "{talk}");
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 7 entries"]);
}

/// While somebody compares fingerprints, somebody else may swap the key: it doesn't sign under
/// the name, or get the PIN, of the one that opened the vault.
#[test]
fn a_key_that_takes_the_openers_place_does_not_sign_for_it() {
    let demo = Demo::people();
    fs::remove_dir_all(demo.folder.path().join("state")).unwrap();
    let before = demo.snapshot();
    let arguments = ["key", "move", "bob/primary", "--to", "x", "--by", "alice/primary"];
    let mut terminal = dialogue(&demo, &arguments);
    terminal.until("Is it the same (yes, no, or paste theirs)? ");
    let key = |number| demo.path(&format!("demo-keys/demo-key-{number}.json"));
    fs::rename(key(3), key(1)).unwrap();
    terminal.types("yes\n");
    assert_eq!(terminal.ends().0, 3);
    let talk = fs::read_to_string(demo.path("talk.txt")).unwrap();
    let said = "alice/primary opened the vault, and bob/primary is in its place now";
    assert!(talk.contains(said), "{talk}");
    assert!(demo.snapshot() == before);
}

#[test]
fn a_key_that_is_gone_when_it_is_to_sign_is_told_and_nothing_is_recorded() {
    let demo = Demo::people();
    demo.unplug("demo-key-4");
    demo.unplug("demo-key-3");
    let before = demo.snapshot();
    let mut terminal = dialogue(&demo, &CHANGE);
    terminal.until("Plug it in and press Enter: ");
    demo.plug_in("demo-key-3");
    demo.unplug("demo-key-1");
    terminal.types("\n");
    terminal.until("Plug in alice/primary again and press Enter: ");
    terminal.types(super::super::pseudo_terminal::CTRL_C);
    assert_eq!(terminal.ends().0, 130);
    assert!(demo.snapshot() == before);
}

/// Keys that ask for PINs: flags that give too few of them are told before anybody touches a
/// key to sign.
#[test]
fn a_flag_that_gives_one_pin_gives_it_to_one_key_only() {
    let demo = Demo::new();
    let mut keys = SoftwareKeys::in_folder(&demo.path("demo-keys")).unwrap();
    for (device, pin) in [("first", "271828\n"), ("second", "314159\n")] {
        let model = Model { verification: Verification::Pin, ..Model::default() };
        keys.add(device, model).unwrap();
        fs::write(demo.path(&format!("{device}.pin")), pin).unwrap();
        let file = format!("demo/{device}.pin");
        demo.run(&["key", "pin", "set", "--device", device, "--pin-file", &file]).exits(0);
    }
    let enrol = ["key", "enrol", "green", "--device", "first", "--pin-file", "demo/first.pin"];
    demo.run(&enrol).exits(0);
    let add = ["custodian", "add", "bob", "--key", "primary", "--device", "second"];
    let add = [&add[..], &["--pin-file", "bob/primary=demo/second.pin"]].concat();
    demo.run_with_paper(&add, "bob.paper.txt").exits(0);

    let both = ["--by", "alice/green", "--by", "bob"];
    let file = ["--pin-file", "demo/first.pin"];
    let holds = "demo/first.pin holds the PIN of alice, and that of bob/primary is needed too";
    let another = "hint: give it with --pin-file bob/primary=FILE";
    refused(&demo, &[&CHANGE[..], &both, &file].concat(), 2, &[holds, another]);

    let before = demo.snapshot();
    let mut command = command_in(demo.folder.path());
    command.args(CHANGE).args(both).args(["--vault", "demo/vault", "--pin-fd", "0"]);
    let pin = fs::File::open(demo.path("first.pin")).unwrap();
    let ran = ran(command.stdin(pin).output().unwrap()).exits(2);
    assert_eq!(touches(&ran).len(), 1, "it opens the vault: {}", ran.stderr);
    ran.says(&["--pin-fd gives one PIN, and that of bob/primary is needed too", "LABEL=FILE"]);
    assert!(demo.snapshot() == before);

    let files = ["--pin-file", "alice/green=demo/first.pin"];
    let files = [&files[..], &["--pin-file", "bob/primary=demo/second.pin"]].concat();
    let signers = ["alice/green", "bob/primary"];
    recorded(&demo, &[&CHANGE[..], &both, &files].concat(), &["waiver-given"], &signers);

    // A planted file makes the names of files disagree: the key that opens has none until then.
    let identities = demo.path("vault/identities");
    let green = identities.join("alice.green.1.identity");
    fs::copy(green, identities.join("x.y.9.identity")).unwrap();
    let moved = ["key", "move", "alice/blue", "--to", "x", "--device", "first"];
    recorded(&demo, &[&moved[..], &file].concat(), &["key-moved"], &["alice/green"]);
    let retries = || {
        let text = fs::read_to_string(demo.path("demo-keys/second.json")).unwrap();
        let key: serde_json::Value = serde_json::from_str(&text).unwrap();
        key["pin"]["retries"].as_u64()
    };
    let before = retries();
    let change = [&CHANGE[..], &["--device", "first", "--by", "alice/green", "--by", "bob"], &file];
    demo.run(&change.concat()).exits(2).says(&["and that of bob/primary is needed too"]);
    assert!(before.is_some() && retries() == before, "bob's key spent no attempt");
}

/// A device that says nothing of itself gets no PIN of somebody else's, unless somebody who
/// looks at it says that it is theirs.
#[test]
fn a_device_that_says_nothing_is_taken_for_nobody() {
    let demo = Demo::people();
    let mut keys = SoftwareKeys::in_folder(&demo.path("demo-keys")).unwrap();
    let model = Model { verification: Verification::Pin, always_uv: true, ..Model::default() };
    // The first in every list.
    keys.add("a-strange-one", model).unwrap();
    fs::write(demo.path("strange.pin"), "271828\n").unwrap();
    let set = ["key", "pin", "set", "--device", "a-strange-one"];
    demo.run(&[&set[..], &["--pin-file", "demo/strange.pin"]].concat()).exits(0);
    fs::write(demo.path("bob.pin"), "314159\n").unwrap();
    let pin = ["--pin-file", "bob/primary=demo/bob.pin"];
    let change = [&CHANGE[..], &["--by", "alice/primary", "--by", "bob"], &pin].concat();
    recorded(&demo, &change, &["waiver-given"], &["alice/primary", "bob/primary"]);
    demo.unplug("demo-key-3");
    let silent = "doesn't say whether it is bob/primary, which must sign too";
    let before = fs::read(demo.path("demo-keys/a-strange-one.json")).unwrap();
    refused(&demo, &change, 4, &[silent]);
    let after = fs::read(demo.path("demo-keys/a-strange-one.json")).unwrap();
    assert!(before == after, "no attempt was spent");
}

/// A key that may not sign opens the vault still. Then another of its owner's signs.
#[test]
fn a_key_that_may_not_sign_leaves_it_to_another_of_its_owners() {
    let demo = Demo::people();
    demo.run(&["key", "retired", "alice/primary"]).exits(0);
    let by = ["key", "move", "bob/primary", "--to", "x", "--by", "alice"];
    let ran = demo.run(&by).exits(0).answers(&["Recorded entry 8, signed by alice/blue."]);
    if ran.stderr.contains("Touch alice/primary") {
        ran.says(&["alice/primary is retired, and may not sign this.\n"]);
    }
    let named = ["key", "move", "bob/primary", "--to", "x", "--by", "alice/primary"];
    refused(&demo, &named, 3, &["alice/primary is retired, and may not sign this"]);
}

#[test]
fn a_key_that_is_named_and_absent_is_told() {
    let demo = Demo::people();
    demo.unplug("demo-key-4");
    let check = ["key", "check", "carol/primary"];
    demo.read(&check).exits(4).says(&[
        "carol/primary isn't plugged in; these are: alice/primary, alice/blue, bob/primary",
        "hint: plug in carol/primary",
    ]);
}

#[test]
fn several_keys_are_checked_in_one_entry() {
    let demo = Demo::people();
    let check = |rest: &[&'static str]| [&["key", "check"], rest].concat();
    demo.run(&check(&["carol/primary", "alice/blue", "carol/primary"])).exits(0).answers(&[
        "alice/blue is the key that was enrolled.\ncarol/primary is the key that was enrolled.\n",
        "Recorded entry 7, signed by carol/primary and alice/blue.",
    ]);
    let both = ["key-checked"; 2];
    recorded(
        &demo,
        &check(&["bob/primary", "alice/primary"]),
        &both,
        &["bob/primary", "alice/primary"],
    );
    // As a reader it costs no touch but those that sign.
    let ran = demo.read(&check(&["bob/primary", "alice/primary"])).exits(0);
    assert_eq!(touches(&ran).len(), 2, "{}", ran.stderr);

    let enrolled = "enrolled are: alice/blue, alice/primary, bob/primary, carol/primary";
    let green = ["no key alice/green is enrolled", enrolled];
    refused(&demo, &check(&["alice/blue", "alice/green"]), 2, &green);
    refused(&demo, &check(&["alice/blue", "--due"]), 2, &["cannot be used with"]);
    demo.unplug("demo-key-4");
    let absent = ["carol/primary must sign too", "plug in carol/primary"];
    refused(&demo, &check(&["alice/blue", "carol/primary"]), 4, &absent);
}

#[test]
fn keys_that_are_due_are_checked_together() {
    let demo = Demo::people();
    let due = ["key", "check", "--due"];
    let ran = demo.read(&due).exits(0).answers(&["No key that is plugged in is due"]);
    assert_eq!(touches(&ran), [""; 0]);
    let none = super::answer(demo.read(&[&due[..], &["--json"]].concat()));
    assert_eq!(none["keys"], serde_json::json!([]));
    // Two and a half months later all are, and those that are plugged in sign one entry.
    let aside = demo.copied();
    aside.unplug("demo-key-4");
    let plain = command_in(aside.folder.path());
    let mut later = std::process::Command::new("setsid");
    let program = env!("CARGO_BIN_EXE_keymuster");
    later.args(["--wait", "faketime", "-f", "+80d", program]).args(due);
    later.args(["--vault", "demo/vault", "--identity", "demo/reader.identity"]);
    later.current_dir(aside.folder.path()).stdin(std::process::Stdio::null());
    later.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = later.output().expect("faketime is needed (make setup-test installs it)");
    let all = super::super::demo_vault::ran(output);
    let all = all.exits(0).says(&["carol/primary is due too, and isn't plugged in."]);
    assert_eq!(touches(&all).len(), 3, "each signs once: {}", all.stderr);
    all.answers(&["Recorded entry 7, signed by alice/blue and alice/primary and bob/primary."]);
    // What is announced earlier than it is due again would be due for ever.
    let change = ["policy", "change", "--check-days", "14"];
    refused(&demo, &change, 1, &["is announced 14 days before it"]);
}

#[test]
fn a_compartment_replaced_between_two_commands_is_refused_and_named() {
    let demo = Demo::people();
    let auditor = fs::read(demo.path("reader.identity")).unwrap();
    let auditor = tool("age-keygen", &["-y"], &auditor);
    let auditor = String::from_utf8(auditor).unwrap();
    recorded(&demo, &CHANGE, &["waiver-given"], &["alice/primary", "bob/primary"]);
    for compartment in ["records.3", "seeds.3"] {
        let file = format!("compartments/{compartment}.age");
        let path = demo.path(&format!("vault/{file}"));
        let before = fs::read(&path).unwrap();
        // As large, and another's.
        fs::write(&path, tool("age", &["-r", auditor.trim()], b"another")).unwrap();
        for arguments in
            [&CHANGE[..], &["reader", "remove", "auditor"], &["vault", "rekey", "--all"]]
        {
            let before = demo.snapshot();
            let ran = demo.run(arguments).exits(3).says(&[&file]);
            assert!(demo.snapshot() == before, "{file}");
            // Another key of the same person's is tried, in case the first is out of date.
            assert!(touches(&ran).len() <= 2, "{}", ran.stderr);
        }
        let ran = demo.run(&["log", "verify"]).exits(3);
        assert!((ran.stdout + &ran.stderr).contains(&file), "{file} is named");
        fs::write(&path, before).unwrap();
    }
    recorded(&demo, &CHANGE, &["waiver-given"], &["alice/primary", "bob/primary"]);
}

/// Who can write files can name a key's credential as they like. Once the log is open, it says
/// which file counts.
#[test]
fn a_planted_identity_file_keeps_no_countersigner_out() {
    let demo = Demo::people();
    let planted = keymuster::vault::fido2prf::plugin_identity(
        &keymuster::webauthn::CredentialId::new([7; 32]).unwrap(),
        "keymuster-demo",
    );
    let identities = demo.path("vault/identities");
    for key in ["bob.primary", "alice.blue"] {
        fs::write(identities.join(format!("{key}.2.identity")), &planted).unwrap();
        fs::copy(identities.join(format!("{key}.1.age")), identities.join(format!("{key}.2.age")))
            .unwrap();
    }
    let rekey = ["vault", "rekey", "--new-identity", "--by", "alice/primary", "--by", "bob"];
    let ran = demo.run_with_paper(&rekey, "paper").exits(0);
    ran.says(&["Touch alice/blue to seal the identity to it", "Touch bob/primary to open what is"]);
    assert!(identities.join("alice.blue.3.identity").exists(), "the next number is free");
    // With a new copy that opens, alice's other key opens the vault as well.
    demo.run(&["log", "verify", "--device", "demo-key-2"])
        .exits(0)
        .answers(&["named by no entry: identities/bob.primary.2.age"]);
}

/// Whoever can write files can plant as many as they like.
#[test]
fn planted_files_and_links_keep_nobody_out() {
    let demo = Demo::people();
    let planted = keymuster::vault::fido2prf::plugin_identity(
        &keymuster::webauthn::CredentialId::new([7; 32]).unwrap(),
        "keymuster-demo",
    );
    let identities = demo.path("vault/identities");
    for number in 1..=1100 {
        fs::write(identities.join(format!("a.a.{number}.identity")), &planted).unwrap();
    }
    let compartments = demo.path("vault/compartments");
    for name in ["records.4.age", "seeds.4.age"] {
        std::os::unix::fs::symlink("nowhere", compartments.join(name)).unwrap();
    }
    demo.run(&["vault", "rekey", "--all", "--by", "alice"])
        .exits(0)
        .says(&["records is encrypted anew, epoch 5,", "seeds is encrypted anew, epoch 5,"]);
}
