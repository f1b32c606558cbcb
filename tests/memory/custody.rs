//! Commands that put secrets into custody and open them.

use std::fs;

use keymuster::vault::{CompartmentIdentity, CompartmentName, Location};

use super::demo_vault::{Demo, ran};
use super::memory::{Secrets, search};
use super::people::{epochs, identity_on_paper, on_paper};
use super::{BINARY, derived, dialogue, leaves_nothing, pictures, reader, scanned};

/// So many random letters and digits.
fn random(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).unwrap();
    data_encoding::BASE32_NOPAD.encode(&random)
}

/// The keys of a compartment, as alice's paper copy opens them.
fn keys_of(demo: &Demo, compartment: &'static str) -> Secrets {
    let location = Location::at(&demo.path("vault")).unwrap();
    let alice = identity_on_paper(demo, "alice", 1, "paper.txt");
    let identities = [alice.key()];
    let newest = location.layout.epochs_of(compartment).unwrap()[0];
    let file = fs::read(location.layout.compartment(compartment, newest)).unwrap();
    let id = location.id.to_string();
    let name = CompartmentName { vault: &id, compartment, epoch: newest };
    let opened = CompartmentIdentity::open(&file, &identities, &name).unwrap();
    opened.identities().fold(Secrets::none(), |secrets, key| secrets.age_identity(compartment, key))
}

pub fn secrets_in_custody_leave_nothing() {
    let demo = Demo::new();
    demo.run(&["account", "add", "prod", "--id", "123456789012"]).exits(0);
    demo.run(&["account", "link", "phone", "prod", "--token"]).exits(0);
    let (seed, password, note) = (random(40), random(30), random(60));
    for (name, text) in [("seed", &seed), ("password", &password), ("note", &note)] {
        fs::write(demo.path(name), text).unwrap();
    }
    let known = reader(&demo)
        .with(on_paper(&demo, "alice", 1, "paper.txt"))
        .with(epochs(&demo))
        .with(keys_of(&demo, "seeds"))
        .hmac_secret(&derived(&demo, "alice", "primary"))
        .hmac_secret(&derived(&demo, "alice", "blue"))
        .seed(&seed)
        .passphrase(&password)
        .passphrase(&note);
    let command = |arguments: &str, exit: i32| {
        let all: Vec<&str> = arguments.split(' ').chain(["--vault", "demo/vault"]).collect();
        leaves_nothing(demo.folder.path(), arguments, &all, &known).exits(exit)
    };
    let codes = "--code 123456 --code 654321";
    command("secret store prod-seed --kind seed --account prod --file demo/seed", 0);
    command("secret store prod-root --kind password --account prod --file demo/password", 0);
    command("secret store prod-root --kind password --file demo/password", 2);
    command("secret store note --kind note --file demo/note", 0);
    command("secret replace note --file demo/password", 0);
    let shown = command("secret show prod-root --output -", 0);
    assert_eq!(shown.stdout, format!("{password}\n"));
    command("secret show prod-seed --output demo/out", 0);
    assert_eq!(fs::read_to_string(demo.path("out")).unwrap(), format!("{seed}\n"));
    command("secret show note --generation 1 --output /dev/full", 1);
    command("totp show --account prod --output -", 0);
    command(&format!("totp identify {codes}"), 3);
    command(&format!("totp check --account prod --stored {codes}"), 3);
    command(&format!("totp check --account prod --seed-file demo/seed {codes}"), 3);

    // One that is made by the command itself, and so known only afterwards.
    let taken = pictures();
    let add = ["compartment", "add", "own", "--member", "alice", "--vault", "demo/vault"];
    let output = scanned(demo.folder.path(), taken.path()).args(add).output().unwrap();
    ran(output).exits(0);
    let own = || keys_of(&demo, "own");
    search("compartment add", taken.path(), &own()).nothing_left("compartment add");
    let with_own = |arguments: &str| {
        let all: Vec<&str> = arguments.split(' ').chain(["--vault", "demo/vault"]).collect();
        leaves_nothing(demo.folder.path(), arguments, &all, &own()).exits(0);
    };
    with_own("secret replace note --file demo/password --compartment own");
    with_own("secret show note --output -");

    // On a terminal: shown and wiped, typed and not shown.
    let taken = pictures();
    let show = format!("{BINARY} secret show prod-root --vault demo/vault");
    let mut terminal = dialogue(demo.folder.path(), taken.path(), &show);
    terminal.until("Press Enter to clear it: ");
    terminal.types("\n");
    assert_eq!(terminal.ends().0, 0);
    search("secret show, on a terminal", taken.path(), &known).nothing_left("secret show");
    let taken = pictures();
    let store = format!("{BINARY} secret store typed --kind password --vault demo/vault");
    let mut terminal = dialogue(demo.folder.path(), taken.path(), &store);
    terminal.until("The password (not shown): ");
    terminal.types(&format!("{password}\n"));
    terminal.until("Once more: ");
    terminal.types(&format!("{password}\n"));
    assert_eq!(terminal.ends().0, 0);
    search("secret store, typed", taken.path(), &known).nothing_left("secret store, typed");

    // In a drill, where one receipt opens both, and the password waits until its step.
    fs::write(demo.folder.path().join("open.md"), OPENS_BOTH).unwrap();
    demo.run(&["runbook", "adopt", "./open.md"]).exits(0);
    let drill = "drill start open --account prod --as operator=alice --live x --approver y";
    for cut_off in [true, false] {
        let taken = pictures();
        let start = format!("{BINARY} {drill} --vault demo/vault");
        let mut terminal = dialogue(demo.folder.path(), taken.path(), &start);
        terminal.until("the code that phone shows now: ");
        terminal.types("123456\n");
        terminal.until("next, once it changes: ");
        terminal.types("654321\n");
        terminal.until("type fail to record that: ");
        if cut_off {
            // The seed and the password are open now.
            terminal.types(":pause Lunch\n");
        } else {
            terminal.types("fail\n");
            terminal.until("press Enter to open prod-root.1 ");
            terminal.types("\n");
            terminal.until("Press Enter to clear it: ");
            terminal.types("\n");
            for question in [
                "reached? (yes or no) ",
                "user? (yes, no, na) ",
                "seen? (yes, no, na) ",
                "again? (yes, no, na) ",
            ] {
                terminal.until(question);
                terminal.types("no\n");
            }
            terminal.until("Enter: nothing more) ");
            terminal.types("\n");
        }
        let (code, shown) = terminal.ends();
        assert_eq!(code, if cut_off { 0 } else { 3 }, "{shown}");
        search("drill start", taken.path(), &known).nothing_left("drill start");
    }
}

const OPENS_BOTH: &str = r#"+++
format = 1
runbook = "open"
version = 1
about = "Codes, then the password"
purpose = ["live"]
accounts = "one"

[[role]]
id = "operator"
does = "acts"

[[role]]
id = "witness"
does = "watches"
+++

# Both

## Codes

```toml step
kind = "totp"
```

## Password

```toml step
kind = "secret"
secret = "password"
compartment = "seeds"
```
"#;
