//! Runbooks that are adopted, and drills that are run from them.

use std::num::NonZeroU32;

use keymuster::log::{Rule, sha256};
use keymuster::record::{
    Closing, DrillAbandoned, DrillException, DrillFinished, DrillInterrupted, DrillPurpose,
    DrillReviewed, DrillScope, DrillStarted, DrillStep, Event, EvidenceKept, Outcome, Part,
    PartTaken, RunbookAdopted, RunbookWithdrawn, StepResult,
};

use super::accounts::account;
use super::attacks::{MALLORY, WITH_BOB, three};
use super::fixture::{handle, time};
use super::people::{People, line};

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
    let known = |people: &People| {
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

pub fn start(drill: &str, roster: &[&str]) -> DrillStarted {
    let adopted = adoption("quarterly", 1);
    DrillStarted {
        drill: handle(drill),
        runbook: adopted.runbook,
        version: adopted.version,
        sha256: adopted.sha256,
        purpose: DrillPurpose::Rehearsal,
        objective: line("We get in"),
        scenario: None,
        accounts: vec![handle("prod")],
        roster: parts(roster),
        task: None,
        approver: None,
        ticket: None,
    }
}

fn parts(roster: &[&str]) -> Vec<Part> {
    roster.iter().map(|part| part.parse().unwrap()).collect()
}

pub const BOTH: &[&str] = &["operator=alice", "witness=bob"];

pub fn started(drill: &str, roster: &[&str]) -> Event {
    Event::DrillStarted(Box::new(start(drill, roster)))
}

/// Begun in earnest.
pub fn live(drill: &str, roster: &[&str]) -> Event {
    Event::DrillStarted(Box::new(DrillStarted {
        purpose: DrillPurpose::Live,
        task: Some(line("Close the account")),
        approver: Some(line("The board")),
        ..start(drill, roster)
    }))
}

pub fn finish(drill: &str, roster: &[&str]) -> DrillFinished {
    DrillFinished {
        drill: handle(drill),
        roster: parts(roster),
        outcome: Outcome::Passed,
        seconds: 600,
        signed_out: Closing::Yes,
        alarm_received: Closing::Yes,
        credentials_renewed: Closing::NotApplicable,
        findings: Vec::new(),
        actions: Vec::new(),
        journal: sha256(b"the journal"),
    }
}

pub fn finished(drill: &str, roster: &[&str]) -> Event {
    Event::DrillFinished(Box::new(finish(drill, roster)))
}

pub fn abandoned(drill: &str, roster: &[&str]) -> Event {
    let (drill, roster, reason) = (handle(drill), parts(roster), line("fire alarm"));
    Event::DrillAbandoned(Box::new(DrillAbandoned { drill, roster, reason, journal: None }))
}

pub fn reviewed(drill: &str, reviewer: &str) -> Event {
    Event::DrillReviewed(DrillReviewed {
        drill: handle(drill),
        reviewer: handle(reviewer),
        outcome: Outcome::Passed,
        remark: line("all there"),
    })
}

/// What may have happened in a drill.
pub fn transcript(drill: &str) -> Vec<Event> {
    let (drill, step, at) = (handle(drill), handle("sign-in"), time(60));
    vec![
        Event::DrillStep(Box::new(DrillStep {
            drill: drill.clone(),
            visit: 1,
            step: step.clone(),
            title: line("Sign in"),
            sha256: sha256(b"a step"),
            by: handle("operator"),
            person: handle("alice"),
            witness: Some(handle("bob")),
            expected: None,
            begun: at,
            ended: at,
            seconds: 60,
            result: StepResult::Done,
            observed: None,
            choice: None,
            asked: Vec::new(),
            answers: Vec::new(),
            keys: Vec::new(),
            opened: None,
            receipt: None,
            then: None,
        })),
        Event::DrillException(DrillException {
            drill: drill.clone(),
            step: Some(step.clone()),
            at,
            message: line("the page was in French"),
            action: None,
            approver: None,
        }),
        Event::DrillInterrupted(DrillInterrupted {
            drill: drill.clone(),
            step: Some(step.clone()),
            from: at,
            until: None,
            reason: None,
            message: None,
            confirmed_by: None,
        }),
        Event::PartTaken(PartTaken {
            drill: drill.clone(),
            role: handle("reader"),
            from: None,
            to: handle("carol"),
            at,
            reason: line("she came"),
        }),
        Event::EvidenceKept(EvidenceKept {
            drill,
            step,
            shows: line("the page"),
            name: line("page.png"),
            at,
            bytes: 1000,
            sha256: sha256(b"a picture"),
            file: sha256(b"its file"),
        }),
    ]
}

/// Alice, bob and mallory, an account and a runbook.
fn drilling() -> People {
    let mut people = three();
    people.does(WITH_BOB, vec![account("prod", 1), account("test", 2), adopted("quarterly", 1)]);
    people
}

const ALICE_AND_BOB: &[&str] = &["alice/primary", "bob/primary"];

#[test]
fn a_drill_is_run_as_its_runbook_was_adopted() {
    let mut people = drilling();
    type Break = fn(&mut DrillStarted);
    let breaks: [(&str, Break); 14] = [
        ("another text", |s| s.sha256 = sha256(b"another text")),
        ("another version", |s| s.version = NonZeroU32::new(2).unwrap()),
        ("another runbook", |s| s.runbook = handle("yearly")),
        ("no account", |s| s.accounts.clear()),
        ("two accounts", |s| s.accounts = ["prod", "test"].map(handle).into()),
        ("an account that isn't there", |s| s.accounts = vec![handle("old")]),
        ("nobody", |s| s.roster.clear()),
        ("no witness", |s| s.roster.truncate(1)),
        ("one person in two roles", |s| s.roster = parts(&["operator=bob", "witness=bob"])),
        ("two people in one role", |s| s.roster = parts(&["operator=bob", "operator=alice"])),
        ("a role that isn't there", |s| s.roster.extend(parts(&["chief=mallory"]))),
        ("a task that nobody approved", |s| s.task = Some(line("Close it"))),
        ("in earnest without a task", |s| s.purpose = DrillPurpose::Live),
        ("in earnest, approved by nobody", |s| {
            s.purpose = DrillPurpose::Live;
            s.task = Some(line("Close it"));
        }),
    ];
    for (why, spoil) in breaks {
        let mut start = start("drill-1", BOTH);
        spoil(&mut start);
        let event = Event::DrillStarted(Box::new(start));
        let rule = people.refused(ALICE_AND_BOB, vec![event]);
        assert!([Rule::Event, Rule::Authority].contains(&rule), "{why}: {rule:?}");
    }
    people.does(ALICE_AND_BOB, vec![started("drill-1", BOTH)]);
    assert_eq!(people.refused(ALICE_AND_BOB, vec![started("drill-1", BOTH)]), Rule::Event);
    people.does(WITH_BOB, vec![withdrawn("quarterly")]);
    assert_eq!(people.refused(ALICE_AND_BOB, vec![started("drill-2", BOTH)]), Rule::Event);
    people.does(ALICE_AND_BOB, vec![finished("drill-1", BOTH)]);
}

#[test]
fn a_drill_stays_open_until_it_is_ended_once() {
    let mut people = drilling();
    assert_eq!(people.refused(ALICE_AND_BOB, vec![finished("drill-1", BOTH)]), Rule::Event);
    people.does(ALICE_AND_BOB, vec![started("drill-1", BOTH), started("drill-2", BOTH)]);
    let open = |people: &People| {
        let drills = people.state().drills().iter().filter(|(_, run)| run.is_open());
        drills.map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(open(&people), ["drill-1", "drill-2"]);
    let both = [vec![finished("drill-1", BOTH)], transcript("drill-1")].concat();
    people.does(ALICE_AND_BOB, both);
    // Somebody else may take a part over, and then signs.
    people.does(
        &["alice/primary", "mallory/blue"],
        vec![abandoned("drill-2", &["operator=mallory", "witness=alice"])],
    );
    assert_eq!(open(&people), [""; 0]);
    for again in [finished("drill-1", BOTH), abandoned("drill-2", BOTH)] {
        assert_eq!(people.refused(ALICE_AND_BOB, vec![again]), Rule::Event);
    }
}

#[test]
fn what_happened_is_told_where_the_drill_ends_and_nowhere_else() {
    let mut people = drilling();
    people.does(ALICE_AND_BOB, vec![started("drill-1", BOTH), started("drill-2", BOTH)]);
    for event in transcript("drill-1") {
        let kind = event.kind();
        let before = vec![event.clone(), finished("drill-1", BOTH)];
        let of_another = vec![finished("drill-2", BOTH), event.clone()];
        for misplaced in [vec![event], before, of_another] {
            assert_eq!(people.refused(ALICE_AND_BOB, misplaced), Rule::Event, "{kind}");
        }
    }
    people.does(ALICE_AND_BOB, vec![finished("drill-1", BOTH)]);
    for event in transcript("drill-1") {
        assert_eq!(people.refused(ALICE_AND_BOB, vec![event]), Rule::Event, "later");
    }
}

#[test]
fn tells_what_others_did_alone() {
    let mut people = drilling();
    people.does(ALICE_AND_BOB, vec![started("drill-1", BOTH)]);
    for event in transcript("drill-1") {
        let forged = vec![finished("drill-1", BOTH), event];
        assert_eq!(people.refused(MALLORY, forged), Rule::Authority);
    }
    let alone = vec![finished("drill-1", &["operator=mallory"])];
    assert_eq!(people.refused(MALLORY, alone), Rule::Event, "a rehearsal has a witness");
}

/// Nobody waits for a witness when the house is on fire.
#[test]
fn a_live_run_is_begun_and_ended_alone_and_then_looked_at_by_another() {
    let mut people = drilling();
    let alice = &["operator=alice"];
    people.does(&["alice/primary"], vec![live("fire", alice)]);
    let awaits = |people: &People| people.state().drills()[&handle("fire")].awaits_review();
    assert!(!awaits(&people), "it isn't over");
    let theirs = vec![abandoned("fire", &["operator=mallory"])];
    assert_eq!(people.refused(MALLORY, theirs), Rule::Event, "she didn't begin it");
    assert_eq!(people.refused(&["bob/primary"], vec![reviewed("fire", "bob")]), Rule::Event);
    people.does(&["alice/primary"], vec![finished("fire", alice)]);
    assert!(awaits(&people));
    let own = vec![reviewed("fire", "alice")];
    assert_eq!(people.refused(&["alice/primary"], own), Rule::Event, "she was in it");
    people.does(&["bob/primary"], vec![reviewed("fire", "bob")]);
    assert!(!awaits(&people));
    assert_eq!(people.refused(&["bob/primary"], vec![reviewed("fire", "bob")]), Rule::Event);

    // A witness who came later saw only a part of it.
    people.does(&["alice/primary"], vec![live("flood", alice)]);
    people.does(ALICE_AND_BOB, vec![finished("flood", BOTH)]);
    assert!(people.state().drills()[&handle("flood")].awaits_review());
    let own = vec![reviewed("flood", "bob")];
    assert_eq!(people.refused(&["bob/primary"], own), Rule::Event, "he was in it");
    // Without an operator nothing is live, in whichever order a runbook names its roles.
    let turned = RunbookAdopted {
        roles: ["witness", "operator"].map(handle).into(),
        ..adoption("turned", 1)
    };
    people.does(WITH_BOB, vec![Event::RunbookAdopted(Box::new(turned.clone()))]);
    for roster in [&["witness=bob"][..], &[]] {
        let nobody = vec![live("storm", roster)];
        assert_eq!(people.refused(&["bob/primary"], nobody), Rule::Event);
        let nobody = vec![Event::DrillStarted(Box::new(DrillStarted {
            runbook: turned.runbook.clone(),
            sha256: turned.sha256,
            purpose: DrillPurpose::Live,
            task: Some(line("Close the account")),
            approver: Some(line("The board")),
            ..start("storm", roster)
        }))];
        assert_eq!(people.refused(&["bob/primary"], nobody), Rule::Event, "{roster:?}");
    }
    // Who was replaced took part, too.
    people.does(ALICE_AND_BOB, vec![live("storm", BOTH)]);
    people.does(
        ALICE_AND_BOB,
        vec![
            finished("storm", BOTH),
            Event::PartTaken(PartTaken {
                drill: handle("storm"),
                role: handle("witness"),
                from: Some(handle("mallory")),
                to: handle("bob"),
                at: time(60),
                reason: line("she left"),
            }),
        ],
    );
    assert!(!people.state().drills()[&handle("storm")].awaits_review());
    // Whoever reviews one isn't said afterwards to have been in it.
    people.does(ALICE_AND_BOB, vec![started("drill-1", BOTH)]);
    let taken =
        transcript("drill-1").into_iter().find(|event| event.kind() == "part-taken").unwrap();
    let Event::PartTaken(taken) = taken else { panic!("{taken:?}") };
    let by_her = Event::PartTaken(PartTaken { to: handle("mallory"), ..taken });
    let all = ["alice/primary", "bob/primary", "mallory/primary"];
    let turned = vec![finished("drill-1", BOTH), reviewed("drill-1", "mallory"), by_her];
    assert_eq!(people.refused(&all, turned), Rule::Event);
    assert_eq!(people.refused(MALLORY, vec![reviewed("storm", "mallory")]), Rule::Event);
}
