//! Runbooks that are adopted, and drills that are run from them.

use std::num::NonZeroU32;

use keymuster::log::{Rule, sha256};
use keymuster::record::{DrillPurpose, DrillScope, Event, RunbookAdopted, RunbookWithdrawn};

use super::attacks::{MALLORY, WITH_BOB, three};
use super::fixture::handle;
use super::people::line;

/// The adoption of a runbook whose text is told by its name and version.
pub fn adoption(runbook: &str, version: u32) -> RunbookAdopted {
    RunbookAdopted {
        runbook: handle(runbook),
        version: NonZeroU32::new(version).unwrap(),
        title: line("A drill"),
        sha256: sha256(format!("{runbook} {version}").as_bytes()),
        file: sha256(format!("the file of {runbook} {version}").as_bytes()),
        purposes: vec![DrillPurpose::Rehearsal, DrillPurpose::Live],
        accounts: DrillScope::One,
        every_days: NonZeroU32::new(90),
        target_minutes: NonZeroU32::new(45),
        roles: ["operator", "witness"].map(handle).into(),
        optional_roles: vec![handle("reader")],
    }
}

pub fn adopted(runbook: &str, version: u32) -> Event {
    Event::RunbookAdopted(Box::new(adoption(runbook, version)))
}

pub fn withdrawn(runbook: &str) -> Event {
    let (runbook, reason) = (handle(runbook), line("of no use"));
    Event::RunbookWithdrawn(RunbookWithdrawn { runbook, reason })
}

#[test]
fn a_runbook_changes_under_a_higher_version_and_comes_back_as_it_was() {
    let mut people = three();
    assert_eq!(people.refused(WITH_BOB, vec![withdrawn("quarterly")]), Rule::Event);
    people.does(WITH_BOB, vec![adopted("quarterly", 2)]);
    for version in [1, 2] {
        let other =
            RunbookAdopted { sha256: sha256(b"another text"), ..adoption("quarterly", version) };
        let other = vec![Event::RunbookAdopted(Box::new(other))];
        assert_eq!(people.refused(WITH_BOB, other), Rule::Event, "{version}");
    }
    assert_eq!(people.refused(WITH_BOB, vec![adopted("quarterly", 2)]), Rule::Event);
    people.does(WITH_BOB, vec![adopted("quarterly", 7)]);
    let known = |people: &super::people::People| {
        people.state().adopted_runbook(&handle("quarterly")).map(|known| known.adoption.version)
    };
    assert_eq!(known(&people), NonZeroU32::new(7));
    people.does(WITH_BOB, vec![withdrawn("quarterly")]);
    assert_eq!(known(&people), None);
    assert_eq!(people.refused(WITH_BOB, vec![withdrawn("quarterly")]), Rule::Event);
    assert_eq!(people.refused(WITH_BOB, vec![adopted("quarterly", 2)]), Rule::Event, "a rollback");
    people.does(WITH_BOB, vec![adopted("quarterly", 7)]);
    assert_eq!(known(&people), NonZeroU32::new(7));
}

#[test]
fn a_runbook_that_contradicts_itself_is_not_adopted() {
    let mut people = three();
    let many = NonZeroU32::new(10_001).unwrap();
    let roles = |names: &[&str]| names.iter().map(|role| handle(role)).collect();
    let thirteen: Vec<String> = (1..=11).map(|number| format!("role-{number}")).collect();
    let thirteen =
        [&["operator", "witness"], &thirteen.iter().map(String::as_str).collect::<Vec<_>>()[..]]
            .concat();
    type Break<'a> = Box<dyn Fn(&mut RunbookAdopted) + 'a>;
    let breaks: [(&str, Break<'_>); 9] = [
        ("no purpose", Box::new(|a| a.purposes.clear())),
        ("a purpose twice", Box::new(|a| a.purposes = vec![DrillPurpose::Live; 2])),
        ("purposes out of order", Box::new(|a| a.purposes.reverse())),
        ("a version beyond counting", Box::new(|a| a.version = many)),
        ("days beyond counting", Box::new(|a| a.every_days = Some(many))),
        ("no witness", Box::new(|a| a.roles = roles(&["operator"]))),
        ("nobody who must come", Box::new(|a| a.optional_roles.append(&mut a.roles))),
        ("a role twice", Box::new(|a| a.optional_roles = roles(&["witness"]))),
        ("too many roles", Box::new(|a| a.roles = roles(&thirteen))),
    ];
    for (why, spoil) in breaks {
        let mut adoption = adoption("quarterly", 1);
        spoil(&mut adoption);
        let event = Event::RunbookAdopted(Box::new(adoption));
        assert_eq!(people.refused(WITH_BOB, vec![event]), Rule::Event, "{why}");
    }
}

#[test]
fn has_a_runbook_of_her_own_adopted() {
    let mut people = three();
    people.does(WITH_BOB, vec![adopted("quarterly", 1)]);
    assert_eq!(people.refused(MALLORY, vec![adopted("quarterly", 2)]), Rule::Authority);
    assert_eq!(people.refused(MALLORY, vec![withdrawn("quarterly")]), Rule::Authority);
}
