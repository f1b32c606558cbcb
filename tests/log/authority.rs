//! The authority table, row by row, written by hand from the rules and not from the code:
//! every event, with the signers that suffice and with those that don't, as whole entries
//! with genuine signatures.

mod rows;

use std::collections::BTreeSet;

use keymuster::log::Rule;
use keymuster::record::authority::{Unauthorised, judge_founding};
use keymuster::record::{Event, State};

use super::fixture::custodian;
use super::people::{People, acknowledged, left, lost};
use rows::{
    alone, alone_rows, counted, founding, joining, many, overruled, overruled_reports, personal,
    reports, succession,
};

/// Names every kind of event, and fails to compile where one is missing.
macro_rules! kinds {
    ($($variant:ident => $kind:literal,)*) => {
        const KINDS: &[&str] = &[$($kind),*];
        fn kind(event: &Event) -> &'static str {
            match event { $(Event::$variant(_) => $kind,)* }
        }
    };
}

kinds! {
    VaultCreated => "vault-created",
    VaultSucceeds => "vault-succeeds",
    PolicyChanged => "policy-changed",
    CustodianAdded => "custodian-added",
    CustodianChanged => "custodian-changed",
    CustodianLeft => "custodian-left",
    DutiesAcknowledged => "duties-acknowledged",
    RecipientChanged => "recipient-changed",
    ReaderAdded => "reader-added",
    ReaderRemoved => "reader-removed",
    KeyEnrolled => "key-enrolled",
    KeyChecked => "key-checked",
    KeyLost => "key-lost",
    KeyCompromised => "key-compromised",
    KeyRestored => "key-restored",
    KeyRetired => "key-retired",
    KeyMoved => "key-moved",
    KeyHandedOver => "key-handed-over",
    BagSealed => "bag-sealed",
    BagOpened => "bag-opened",
    IdentitySealed => "identity-sealed",
    MembersChosen => "members-chosen",
    CompartmentSealed => "compartment-sealed",
    AccountAdded => "account-added",
    AccountChanged => "account-changed",
    RootUserChanged => "root-user-changed",
    AccountRemoved => "account-removed",
    DeviceLinked => "device-linked",
    DeviceUnlinked => "device-unlinked",
    TokenMoved => "token-moved",
    ContactsReviewed => "contacts-reviewed",
    MailboxTested => "mailbox-tested",
    PhoneTested => "phone-tested",
    SignInProven => "sign-in-proven",
    TotpChecked => "totp-checked",
    SecretStored => "secret-stored",
    SecretReplaced => "secret-replaced",
    SecretOpened => "secret-opened",
    RunbookAdopted => "runbook-adopted",
    RunbookWithdrawn => "runbook-withdrawn",
    DrillStarted => "drill-started",
    DrillFinished => "drill-finished",
    DrillAbandoned => "drill-abandoned",
    DrillReviewed => "drill-reviewed",
    DrillStep => "drill-step",
    DrillException => "drill-exception",
    DrillInterrupted => "drill-interrupted",
    PartTaken => "part-taken",
    EvidenceKept => "evidence-kept",
    WaiverGiven => "waiver-given",
    ActionOpened => "action-opened",
    ActionClosed => "action-closed",
    SlipEndorsed => "slip-endorsed",
    HeadAbandoned => "head-abandoned",
}

type Signers = &'static [&'static str];
type Why = &'static str;

/// An event, who may sign it, and who may not, and why. An event that nobody may sign has an
/// empty `suffices`.
struct Row {
    event: Event,
    /// What comes before it and after it in the same entry.
    around: (Vec<Event>, Vec<Event>),
    suffices: Vec<Signers>,
    fails: Vec<(Signers, Why)>,
}

fn row(event: Event, suffices: &[Signers], fails: &[(Signers, Why)]) -> Row {
    let (suffices, fails) = (suffices.to_vec(), fails.to_vec());
    Row { event, around: (Vec::new(), Vec::new()), suffices, fails }
}

impl Row {
    fn after(mut self, event: Event) -> Self {
        self.around.0.push(event);
        self
    }

    fn before(mut self, events: Vec<Event>) -> Self {
        self.around.1 = events;
        self
    }

    fn fails_with(mut self, fails: &[(Signers, Why)]) -> Self {
        self.fails.extend(fails);
        self
    }

    fn events(&self) -> Vec<Event> {
        [&self.around.0[..], std::slice::from_ref(&self.event), &self.around.1].concat()
    }
}

/// Holds rows against replay, and returns what went otherwise.
fn otherwise(people: &mut People, rows: &[Row]) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in rows {
        let about = format!("{:?}", row.event).chars().take(100).collect::<String>();
        for signers in &row.suffices {
            if let Err(fault) = people.try_out(signers, row.events()) {
                wrong.push(format!("{about} by {signers:?}, which suffices: {fault}"));
            }
        }
        for (signers, why) in &row.fails {
            let said = match people.try_out(signers, row.events()) {
                Ok(_) => "it was admitted".to_owned(),
                Err(fault) if matches!(fault.rule, Rule::Signers | Rule::Authority) => continue,
                Err(fault) => fault.to_string(),
            };
            wrong.push(format!("{about} by {signers:?}, which fails ({why}): {said}"));
        }
    }
    wrong
}

/// Fails with all rows that went otherwise.
fn hold(people: &mut People, rows: &[Row]) {
    let wrong = otherwise(people, rows);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_needs_a_number_of_custodians_needs_that_many_different_ones() {
    hold(&mut many(), &counted());
}

#[test]
fn what_is_somebodys_to_sign_nobody_else_signs() {
    hold(&mut many(), &personal());
}

#[test]
fn what_joins_needs_the_key_or_its_owner_and_two_custodians() {
    let mut people = many();
    let rows = joining(&mut people);
    hold(&mut people, &rows);
}

#[test]
fn a_report_is_its_reporters_to_sign() {
    hold(&mut many(), &reports());
}

#[test]
fn an_overruled_reporter_reports_anothers_key_with_a_second_custodian_only() {
    hold(&mut overruled(), &overruled_reports());
}

#[test]
fn one_custodian_suffices_while_nobody_else_ever_had_a_key() {
    let mut people = alone();
    let rows = alone_rows(&mut people);
    hold(&mut people, &rows);
}

#[test]
fn a_vault_is_founded_by_every_key_of_every_founder() {
    let mut people = People::before_founding();
    let row = founding(&mut people);
    hold(&mut people, &[row]);
    let row = succession(&mut people);
    hold(&mut people, &[row]);
}

#[test]
fn the_table_has_every_kind_of_event_both_signed_and_refused() {
    let (mut many, mut alone) = (many(), alone());
    let mut rows = Vec::new();
    rows.extend(counted().into_iter().chain(personal()).chain(joining(&mut many)));
    rows.extend(reports().into_iter().chain(overruled_reports()).chain(alone_rows(&mut alone)));
    rows.push(founding(&mut People::before_founding()));
    rows.push(succession(&mut People::before_founding()));
    let kinds = |has: fn(&Row) -> bool| -> BTreeSet<&str> {
        rows.iter().filter(|row| has(row)).map(|row| kind(&row.event)).collect()
    };
    let all: BTreeSet<&str> = KINDS.iter().copied().collect();
    assert_eq!(kinds(|row| !row.suffices.is_empty()), all);
    assert_eq!(kinds(|row| !row.fails.is_empty()), all);
    assert!(rows.iter().all(|row| row.event.kind() == kind(&row.event)));
}

/// A founding by alice with both her keys, without the events of some kind, and with more.
fn founding_with(but: &str, more: Vec<Event>) -> Result<(), String> {
    let mut people = People::before_founding();
    let mut events = people.founding(&["alice/primary", "alice/blue"]);
    events.retain(|event| event.kind() != but);
    events.extend(more);
    let signers: &[&str] =
        if but == "key-enrolled" { &[] } else { &["alice/primary", "alice/blue"] };
    people.try_out(signers, events).map_err(|fault| fault.reason)
}

#[test]
fn a_founding_without_founders_or_compartments_is_refused() {
    assert_eq!(founding_with("nothing", Vec::new()), Ok(()));
    for (but, reason) in [
        ("vault-created", "the first event of a log is vault-created"),
        ("compartment-sealed", "a vault is founded with its compartment records"),
        ("key-enrolled", "nobody signed it"),
    ] {
        assert_eq!(founding_with(but, Vec::new()), Err(reason.to_owned()));
    }
    assert_eq!(judge_founding(&State::default(), &[]), Err(Unauthorised::NoFounder));
}

#[test]
fn a_founder_without_a_key_that_may_sign_is_refused() {
    let keyless = |who| Err(format!("{who} founds the vault and has no key in it"));
    let reports = vec![lost("alice/primary", "alice"), lost("alice/blue", "alice")];
    assert_eq!(founding_with("nothing", reports), keyless("alice"));
    assert_eq!(founding_with("nothing", vec![custodian("bob")]), keyless("bob"));
    let by_nobody = vec![lost("alice/blue", "zoe")];
    assert_eq!(
        founding_with("nothing", by_nobody),
        Err("key-lost: there is no custodian zoe".into())
    );
    let and_left = vec![custodian("bob"), acknowledged("bob", &["I keep my keys"]), left("bob")];
    assert_eq!(founding_with("nothing", and_left), keyless("bob"));
}
