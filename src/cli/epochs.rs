//! New epochs: compartments sealed anew for the members they have after a change, and opened
//! again by those who sign for them.

use std::path::Path;

use super::change::Change;
use super::context::Context;
use super::due::opener_of;
use super::exit;
use super::failure::Failure;
use super::session::Session;
use crate::log::{acts_of, sha256};
use crate::record::{
    AgeRecipient, CompartmentSealed, Digest, Event, Handle, KeyName, RECORDS, Rejection, Sealing,
    Stamp, State, UnfitValue,
};
use crate::vault::{
    AgeIdentity, CompartmentIdentity, CompartmentName, Layout, Location, MAX_FILE, NewFile,
    OpenVault, Recipient, RecipientError, read_bounded,
};

/// What is so after some events, which `signers` sign.
pub fn state_after(
    context: &Context,
    before: &State,
    events: &[Event],
    signers: &[KeyName],
) -> Result<State, Failure> {
    let mut state = before.clone();
    let at = Stamp { entry: 0, time: context.now()? };
    for event in events {
        state.apply(event, at, signers).map_err(|reason| impossible(before, &reason))?;
    }
    Ok(state)
}

/// What is so after a change: after what its slips say, then after what it says itself.
pub fn after_change(context: &Context, before: &State, change: &Change) -> Result<State, Failure> {
    let slips = acts_of(&change.slips);
    let told = slips.iter().try_fold(before.clone(), |state, act| {
        state_after(context, &state, act.events, &act.signers)
    })?;
    state_after(context, &told, &change.events, &[])
}

/// The failure of an event that can't happen. Whoever named nobody and nothing is told what
/// there is.
fn impossible(state: &State, reason: &Rejection) -> Failure {
    let because = |code| Failure::because(code, "this can't be recorded", reason);
    let listed = |what: &str, names: Vec<String>| {
        let all = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        because(exit::USAGE).hint(format!("{what} are: {all}"))
    };
    match reason {
        Rejection::Unknown("custodian", _) => {
            listed("custodians", state.custodians().keys().map(Handle::to_string).collect())
        }
        Rejection::Unknown("reader", _) => {
            listed("readers", state.readers().keys().map(Handle::to_string).collect())
        }
        Rejection::Unknown("key", _) => {
            listed("enrolled", state.keys().keys().map(KeyName::to_string).collect())
        }
        Rejection::Unknown("action", _) => {
            because(exit::USAGE).hint("keymuster action list tells which there are")
        }
        Rejection::Unknown("runbook", _) => {
            because(exit::USAGE).hint("keymuster runbook list --adopted tells which there are")
        }
        Rejection::BelowFloor(_) => because(exit::FAILED)
            .hint("let somebody join first: keymuster custodian add; or enrol a key"),
        _ => because(exit::FAILED),
    }
}

/// Adds, to a change, a new epoch of each compartment whose members are others after it, or
/// of all, as far as these identities open it today. What others must seal anew stays due.
pub fn renew(
    context: &Context,
    vault: &OpenVault,
    change: &mut Change,
    identities: &[&AgeIdentity],
    all: bool,
) -> Result<(), Failure> {
    let after = after_change(context, vault.state(), change)?;
    let is_ours = |recipient: &AgeRecipient| {
        identities.iter().any(|own| own.recipient().as_str() == recipient.as_str())
    };
    let opens = |name: &Handle| {
        let known = vault.state().compartments().get(name);
        known.is_some_and(|known| known.recipients.iter().any(is_ours))
    };
    let is_wanted = |name: &Handle| {
        let has_members = after.members_of(name).is_some_and(|members| !members.is_empty());
        // Whoever opens it today may be its only member, with another identity after this.
        has_members && (all || !after.is_current(name))
    };
    let names = after.compartments().keys().filter(|name| is_wanted(name) && opens(name));
    for name in names.cloned().collect::<Vec<Handle>>() {
        let (event, file, identity) = next_epoch(context, vault, &after, &name, identities)?;
        change.events.push(Event::CompartmentSealed(event));
        change.files.push(file);
        if name.as_str() == RECORDS {
            change.records = Some(identity);
        }
    }
    Ok(())
}

fn next_epoch(
    context: &Context,
    vault: &OpenVault,
    after: &State,
    name: &Handle,
    identities: &[&AgeIdentity],
) -> Result<(CompartmentSealed, NewFile, CompartmentIdentity), Failure> {
    let layout = &vault.location().layout;
    let known = vault.state().compartments().get(name).map_or(0, |known| known.sealing.epoch);
    let opened = open_compartment(vault, name, identities)?;
    let epoch = layout.free_epoch(name.as_str(), known);
    let next = opened.with_next_epoch(epoch, new_key(context)?).map_err(|error| {
        Failure::because(exit::FAILED, "an epoch came out wrong, which is a bug", &error)
    })?;
    let (event, file) = seal_to_members(&next, after, name, layout)?;
    Ok((event, file, next))
}

/// Says which compartments nobody will open any more after some events, so that what is in them
/// is lost.
pub fn tell_lost(session: &Session<'_>, events: &[Event]) -> Result<(), Failure> {
    let before = session.state();
    let after = state_after(session.context, before, events, &[])?;
    let lost_already = before.lost_compartments();
    for name in after.lost_compartments().into_iter().filter(|name| !lost_already.contains(name)) {
        let openers = before.openers_of(name);
        let only = openers.iter().map(Handle::as_str).collect::<Vec<_>>().join(" and ");
        let mut note =
            format!("NOTE: {name} opens to {only} and to nobody else: what is in it will be lost.");
        if let Some(by) = openers.iter().find_map(|who| opener_of(before, who)) {
            note.push_str(&format!(
                "\nTo let somebody in first: keymuster compartment change {name} --add WHO --by {by}"
            ));
        }
        session.context.terminal.say(&note);
    }
    Ok(())
}

/// Adds the first epoch of a compartment to a change, which says who belongs to it.
pub fn found(
    context: &Context,
    vault: &OpenVault,
    change: &mut Change,
    name: &Handle,
) -> Result<(), Failure> {
    let layout = &vault.location().layout;
    let after = state_after(context, vault.state(), &change.events, &[])?;
    let id = vault.location().id.to_string();
    let epoch = layout.free_epoch(name.as_str(), 0);
    let first = CompartmentName { vault: &id, compartment: name.as_str(), epoch };
    let first = CompartmentIdentity::new(&first, new_key(context)?);
    let (event, file) = seal_to_members(&first, &after, name, layout)?;
    change.events.push(Event::CompartmentSealed(event));
    change.files.push(file);
    Ok(())
}

fn new_key(context: &Context) -> Result<AgeIdentity, Failure> {
    AgeIdentity::generate(&mut context.random_source()?)
        .map_err(|error| Failure::because(exit::FAILED, "couldn't make an age identity", &error))
}

/// A compartment's file for those who belong to it after a change.
fn seal_to_members(
    compartment: &CompartmentIdentity,
    after: &State,
    name: &Handle,
    layout: &Layout,
) -> Result<(CompartmentSealed, NewFile), Failure> {
    let members = after.members_of(name).unwrap_or_default();
    let recipients = members
        .iter()
        .filter_map(|member| after.recipient_of(member))
        .map(|recipient| Recipient::parse(recipient.as_str()))
        .collect::<Result<Vec<_>, RecipientError>>()
        .map_err(|error| {
            Failure::because(exit::FAILED, "a recipient on record can't be used", &error)
        })?;
    seal(compartment, members, &recipients, layout)
}

/// A compartment's file, encrypted to its members, and the event that names it. Recipients
/// stand in the order of the members, which are sorted.
pub fn seal(
    compartment: &CompartmentIdentity,
    members: Vec<Handle>,
    recipients: &[Recipient],
    layout: &Layout,
) -> Result<(CompartmentSealed, NewFile), Failure> {
    let bytes = compartment.seal(recipients)?;
    let name = compartment.name();
    let bug = |error: UnfitValue| {
        Failure::because(exit::FAILED, "a compartment came out wrong, which is a bug", &error)
    };
    let event = CompartmentSealed {
        compartment: name.compartment.parse().map_err(bug)?,
        epoch: name.epoch,
        recipient: compartment.recipient().as_str().parse().map_err(bug)?,
        members,
        sha256: sha256(&bytes),
    };
    Ok((event, NewFile { path: layout.compartment(name.compartment, name.epoch), bytes }))
}

/// Opens a compartment with the identities of a member, in its present epoch.
pub fn open_compartment(
    vault: &OpenVault,
    name: &Handle,
    identities: &[&AgeIdentity],
) -> Result<CompartmentIdentity, Failure> {
    let Some(known) = vault.state().compartments().get(name).map(|known| &known.sealing) else {
        return Err(Failure::new(exit::FAILED, format!("there is no compartment {name}")));
    };
    let layout = &vault.location().layout;
    let bytes =
        read_recorded(layout, &layout.compartment(name.as_str(), known.epoch), &known.sha256)?;
    open_bytes(vault.location(), name, known.epoch, &bytes, identities).map_err(|failure| {
        failure.hint("the key that opened the vault may hold an older identity: use another")
    })
}

/// Reads a file of the vault, which must be the one that the log names.
pub fn read_recorded(layout: &Layout, path: &Path, sha256: &Digest) -> Result<Vec<u8>, Failure> {
    let bytes = read_bounded(path, MAX_FILE)?;
    if crate::log::sha256(&bytes) == *sha256 {
        return Ok(bytes);
    }
    let file = layout.shown(path);
    Err(Failure::new(exit::NO, format!("{file} was changed or replaced")).hint(
        "get the file from another copy of the vault, where keymuster vault show finds no fault",
    ))
}

fn open_bytes(
    location: &Location,
    name: &Handle,
    epoch: u32,
    bytes: &[u8],
    identities: &[&AgeIdentity],
) -> Result<CompartmentIdentity, Failure> {
    let id = location.id.to_string();
    let expected = CompartmentName { vault: &id, compartment: name.as_str(), epoch };
    CompartmentIdentity::open(bytes, identities, &expected).map_err(|error| {
        Failure::because(exit::NO, format!("{name}, epoch {epoch}, can't be opened"), &error)
    })
}

/// What a change seals anew, itself or in its slips.
pub fn sealed_in(change: &Change) -> impl Iterator<Item = &CompartmentSealed> {
    let of_slips = change.slips.iter().flat_map(|slip| &slip.document().events);
    of_slips.chain(&change.events).filter_map(|event| match event {
        Event::CompartmentSealed(sealed) => Some(sealed),
        _ => None,
    })
}

/// Fails unless each compartment that a change seals anew opens with these identities, holds
/// the recipient that is recorded, and holds those of all epochs before it. Whoever signs
/// for a new epoch must not take another's word for that. `sealings` are those of the log.
pub fn check_epochs(
    location: &Location,
    sealings: &[Sealing],
    change: &Change,
    who: &KeyName,
    identities: &[&AgeIdentity],
) -> Result<(), Failure> {
    for sealed in sealed_in(change) {
        let name = &sealed.compartment;
        if !sealed.members.contains(&who.owner) {
            continue;
        }
        let path = location.layout.compartment(name.as_str(), sealed.epoch);
        let bytes = change.files.iter().find(|file| file.path == path).map(|file| &file.bytes);
        let bytes = bytes.map(Vec::as_slice).unwrap_or_default();
        let opened = open_bytes(location, name, sealed.epoch, bytes, identities)?;
        let earlier = sealings.iter().filter_map(|sealing| match sealing {
            Sealing::Compartment(earlier) if earlier.compartment == *name => Some(earlier),
            _ => None,
        });
        for epoch in earlier.chain([sealed]) {
            let holds = opened
                .of_epoch(epoch.epoch)
                .is_some_and(|key| key.recipient().as_str() == epoch.recipient.as_str());
            if !holds {
                let number = epoch.epoch;
                return Err(Failure::new(
                    exit::NO,
                    format!(
                        "the new {name} lacks the identity of epoch {number}; nothing was signed"
                    ),
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn key(number: u8) -> AgeIdentity {
        AgeIdentity::generate(&mut |bytes| bytes.fill(number)).unwrap()
    }

    /// `records` with these epochs, whose keys are numbered like the second of each.
    fn records(epochs: &[(u32, u8)]) -> CompartmentIdentity {
        let (first, rest) = epochs.split_first().unwrap();
        let name = CompartmentName { vault: ID, compartment: RECORDS, epoch: first.0 };
        let first = CompartmentIdentity::new(&name, key(first.1));
        rest.iter()
            .fold(first, |all, (epoch, number)| all.with_next_epoch(*epoch, key(*number)).unwrap())
    }

    /// What bob is told who signs for `shown` as epoch 5 after the epochs 1 and 3, where the
    /// entry names `recorded` and is encrypted to him, or only to alice.
    fn told_bob(shown: &CompartmentIdentity, recorded: u8, to_bob: bool) -> Result<(), Failure> {
        let location = Location { layout: Layout::new("vault".as_ref()), id: ID.parse().unwrap() };
        let [alice, bob] = [key(100), key(101)];
        let members = if to_bob {
            vec![alice.recipient().clone(), bob.recipient().clone()]
        } else {
            vec![alice.recipient().clone()]
        };
        let names = ["alice", "bob"].map(|name| name.parse().unwrap()).to_vec();
        let event = |epoch: u32, number: u8, bytes: &[u8]| CompartmentSealed {
            compartment: RECORDS.parse().unwrap(),
            epoch,
            recipient: key(number).recipient().as_str().parse().unwrap(),
            members: names.clone(),
            sha256: sha256(bytes),
        };
        let before =
            [(1, 1), (3, 3)].map(|(epoch, number)| Sealing::Compartment(event(epoch, number, b"")));
        let bytes = shown.seal(&members).unwrap();
        let sealed = event(5, recorded, &bytes);
        let file = NewFile { path: location.layout.compartment(RECORDS, 5), bytes };
        let change = Change {
            events: vec![Event::CompartmentSealed(sealed)],
            files: vec![file],
            ..Change::default()
        };
        check_epochs(&location, &before, &change, &"bob/blue".parse().unwrap(), &[&bob])
    }

    #[test]
    fn a_countersigner_sees_that_a_new_epoch_holds_all_before_it() {
        assert!(told_bob(&records(&[(1, 1), (3, 3), (5, 5)]), 5, true).is_ok());
        let lacking = [
            (&[(3, 3), (5, 5)][..], 5, 1),
            (&[(1, 1), (5, 5)], 5, 3),
            (&[(5, 5)], 5, 1),
            // Another key under an epoch's number; and the new one isn't what is recorded.
            (&[(1, 9), (3, 3), (5, 5)], 5, 1),
            (&[(1, 1), (3, 3), (5, 5)], 6, 5),
        ];
        for (shown, recorded, lacks) in lacking {
            let failure = told_bob(&records(shown), recorded, true).unwrap_err();
            let said =
                format!("the new records lacks the identity of epoch {lacks}; nothing was signed");
            assert_eq!((failure.message, failure.exit), (said, exit::NO), "{shown:?}");
        }
    }

    #[test]
    fn a_countersigner_signs_for_nothing_that_they_cannot_open() {
        let whole = records(&[(1, 1), (3, 3), (5, 5)]);
        let failure = told_bob(&whole, 5, false).unwrap_err();
        let said = "records, epoch 5, can't be opened";
        assert_eq!((failure.message.as_str(), failure.exit), (said, exit::NO));
        // A file of another epoch under its name.
        let other = records(&[(1, 1), (3, 3), (4, 5)]);
        assert_eq!(told_bob(&other, 5, true).unwrap_err().message, said);
    }
}
