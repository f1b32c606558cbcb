//! Commands that make and open identities, with keys of several people, one of which takes a
//! PIN.

use std::fs::{self, File};

use keymuster::key::software::{Model, SoftwareKeys, Verification};
use keymuster::key::{Authenticator, DeviceId, Pin};
use keymuster::vault::{
    AgeIdentity, CompartmentIdentity, CompartmentName, IdentityName, Location, Passphrase,
    PersonalIdentity,
};

use super::demo_vault::{Demo, ran};
use super::memory::{Secrets, search};
use super::{derived, line_of, pictures, reader, scanned};

const PIN: &str = "a PIN of eighteen.";
const WRONG_PIN: &str = "another of nineteen";

/// The identity that a paper copy opens, by the last passphrase of a file.
pub fn identity_on_paper(
    demo: &Demo,
    custodian: &str,
    generation: u32,
    file: &str,
) -> PersonalIdentity {
    let passphrase = last_line(demo, file);
    let id = Location::at(&demo.path("vault")).unwrap().id.to_string();
    let name = IdentityName { vault: &id, custodian, generation };
    let copy = demo.path(&format!("vault/identities/{custodian}.paper.{generation}.age"));
    let typed = Passphrase::take_from(&mut passphrase.clone());
    PersonalIdentity::open_with_passphrase(&fs::read(copy).unwrap(), &typed, &name).unwrap()
}

fn last_line(demo: &Demo, file: &str) -> String {
    let passphrases = fs::read_to_string(demo.path(file)).unwrap();
    passphrases.lines().last().unwrap().to_owned()
}

/// That identity, and the passphrase that it takes.
pub fn on_paper(demo: &Demo, custodian: &str, generation: u32, file: &str) -> Secrets {
    let opened = identity_on_paper(demo, custodian, generation, file);
    let secrets = Secrets::none().passphrase(&last_line(demo, file));
    secrets.age_identity(custodian, opened.key())
}

/// The keys of all epochs of `records`, as a reader opens them.
pub fn epochs(demo: &Demo) -> Secrets {
    let location = Location::at(&demo.path("vault")).unwrap();
    let reader = AgeIdentity::parse(&line_of(&demo.path("reader.identity"))).unwrap();
    let newest = location.layout.epochs_of("records").unwrap()[0];
    let file = fs::read(location.layout.compartment("records", newest)).unwrap();
    let id = location.id.to_string();
    let name = CompartmentName { vault: &id, compartment: "records", epoch: newest };
    let opened = CompartmentIdentity::open(&file, &[&reader], &name).unwrap();
    opened.identities().fold(Secrets::none(), |secrets, key| secrets.age_identity("records", key))
}

/// Adds a blank key that takes a PIN.
fn add_pinned_key(demo: &Demo) {
    let mut keys = SoftwareKeys::in_folder(&demo.path("demo-keys")).unwrap();
    keys.add("pinned", Model { verification: Verification::Pin, ..Model::default() }).unwrap();
    let pin = Pin::take_from(&mut PIN.to_owned()).unwrap();
    keys.set_pin(&DeviceId("pinned".to_owned()), &pin).unwrap();
    fs::write(demo.path("pin"), PIN).unwrap();
    fs::write(demo.path("wrong"), WRONG_PIN).unwrap();
}

/// The keys of this machine as a reader.
fn machine(demo: &Demo) -> Secrets {
    let folder = demo.folder.path().join("config/keymuster/readers");
    let files = fs::read_dir(folder).into_iter().flatten();
    files.fold(Secrets::none(), |secrets, file| {
        secrets.identity("this machine's", &line_of(&file.unwrap().path()))
    })
}

pub fn commands_of_several_custodians_leave_nothing() {
    let demo = Demo::people();
    add_pinned_key(&demo);
    let mut known = reader(&demo).pin(PIN).pin(WRONG_PIN);
    for (who, file) in
        [("alice", "paper.txt"), ("bob", "bob.paper.txt"), ("carol", "carol.paper.txt")]
    {
        known = known.with(on_paper(&demo, who, 1, file));
    }
    let mut command = |arguments: &str, exit: i32, paper: Option<(&str, u32)>| {
        let pictures = pictures();
        let papers = File::options().append(true).create(true).open(demo.path("new.txt"));
        let mut command = scanned(demo.folder.path(), pictures.path());
        command.args(arguments.split(' ')).args(["--vault", "demo/vault"]);
        ran(command.stdin(papers.unwrap()).output().unwrap()).exits(exit);
        if let Some((who, generation)) = paper {
            known = known.clone().with(on_paper(&demo, who, generation, "new.txt"));
        }
        for (owner, label) in [("alice", "primary"), ("bob", "primary")] {
            known = known.clone().hmac_secret(&derived(&demo, owner, label));
        }
        let secrets = known.clone().with(machine(&demo)).with(epochs(&demo));
        search(arguments, pictures.path(), &secrets).nothing_left(arguments);
    };
    command("custodian add dave --key a --paper-fd 0", 0, Some(("dave", 1)));
    command("reader add laptop --this-machine", 0, None);
    command("vault rekey --new-identity --by alice --paper-fd 0", 0, Some(("alice", 2)));
    let enrol = "key enrol green --for carol --new-identity --device pinned --paper-fd 0";
    command(&format!("{enrol} --pin-file green=demo/pin"), 0, Some(("carol", 2)));
    let green = "--by carol/green --pin-file green=demo";
    command(&format!("policy change --check-days 60 {green}/wrong"), 1, None);
    command(&format!("custodian leave dave {green}/pin --by alice"), 0, None);
}
