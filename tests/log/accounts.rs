//! Accounts in the log: what can happen to them, what can't, and what is worth a look.

use keymuster::log::Rule;
use keymuster::record::{
    Account, AccountAdded, AccountChanged, AccountField, AccountRemoved, AccountsTried, Concern,
    DeviceLinked, DeviceName, DeviceUnlinked, Event, Handle, Outcome, RootUserChanged,
    SignInProven, TokenMoved, TrialKind,
};

use super::fixture::{handle, time};
use super::people::{People, left, line, lost, retired};

const TWO: [&str; 2] = ["alice/primary", "bob/primary"];
const ONE: [&str; 1] = ["bob/primary"];

/// An account of AWS of which no more is known than its id.
fn bare(account: &str, id: &str) -> AccountAdded {
    AccountAdded::of(handle(account), handle("aws"), line(id))
}

fn added(account: AccountAdded) -> Event {
    Event::AccountAdded(Box::new(account))
}

/// An account, its id made of `number`.
pub fn account(handle: &str, number: u64) -> Event {
    added(bare(handle, &format!("{number:012}")))
}

fn handles(accounts: &[&str]) -> Vec<Handle> {
    accounts.iter().map(|account| handle(account)).collect()
}

pub fn device(name: &str) -> DeviceName {
    name.parse().unwrap()
}

pub fn linked(name: &str, accounts: &[&str]) -> Event {
    let (device, accounts) = (device(name), handles(accounts));
    Event::DeviceLinked(DeviceLinked { device, accounts, holder: None, place: None })
}

pub fn unlinked(name: &str, accounts: &[&str]) -> Event {
    let (device, accounts) = (device(name), handles(accounts));
    Event::DeviceUnlinked(DeviceUnlinked { device, accounts, remark: None })
}

pub fn removed(account: &str) -> Event {
    Event::AccountRemoved(AccountRemoved { account: handle(account), remark: None })
}

/// The account has another name.
pub fn renamed(account: &str) -> Event {
    let name = Some(line("Production"));
    Event::AccountChanged(Box::new(AccountChanged { name, ..AccountChanged::of(handle(account)) }))
}

fn root(account: &str) -> RootUserChanged {
    RootUserChanged { account: handle(account), credentials: None, email: None, phone: None }
}

/// The root user has another address.
pub fn root_email(account: &str, email: &str) -> Event {
    let email = Some(email.parse().unwrap());
    Event::RootUserChanged(RootUserChanged { email, ..root(account) })
}

fn root_phone(account: &str, phone: &str) -> Event {
    let phone = Some(phone.parse().unwrap());
    Event::RootUserChanged(RootUserChanged { phone, ..root(account) })
}

fn credentials(account: &str, has: bool) -> Event {
    Event::RootUserChanged(RootUserChanged { credentials: Some(has), ..root(account) })
}

pub fn token_moved(account: &str, token: &str, holder: &str) -> Event {
    let (account, token, holder) = (handle(account), handle(token), Some(handle(holder)));
    Event::TokenMoved(TokenMoved { account, token, holder, place: None })
}

pub fn tried(accounts: &[&str], outcome: Outcome) -> AccountsTried {
    AccountsTried { accounts: handles(accounts), outcome, remark: None }
}

pub fn signed_in(accounts: &[&str], with: Option<&str>) -> Event {
    Event::SignInProven(SignInProven {
        accounts: handles(accounts),
        device: with.map(device),
        evidence: None,
        outcome: Outcome::Passed,
        remark: None,
    })
}

/// Alice, bob and carol, and two accounts: prod with an address, a number, alice's key and
/// the token phone; test with nothing.
fn two_accounts() -> People {
    let mut people = People::with(&["alice/primary", "alice/blue", "bob/primary", "carol/primary"]);
    let prod = AccountAdded {
        root_email: Some("aws@example.com".parse().unwrap()),
        root_phone: Some("+1 555 0100".parse().unwrap()),
        ..bare("prod", "111111111111")
    };
    let events = vec![
        added(prod),
        account("test", 2),
        linked("alice/primary", &["prod"]),
        linked("phone", &["prod"]),
    ];
    people.does(&TWO, events);
    people
}

fn known<'a>(people: &'a People, account: &str) -> &'a Account {
    &people.state().accounts()[&handle(account)]
}

/// The reasons why none of these can happen, one after the other.
fn impossible(people: &mut People, events: &[(Event, &str)]) {
    for (event, reason) in events {
        let fault = people.try_out(&TWO, vec![event.clone()]).expect_err(reason);
        assert_eq!(fault.rule, Rule::Event, "{fault}");
        assert!(fault.reason.contains(reason), "{reason:?} isn't why: {fault}");
    }
}

#[test]
fn an_account_is_added_once() {
    let mut people = two_accounts();
    let other = |provider: &str, id: &str| {
        added(AccountAdded { provider: handle(provider), ..bare("other", id) })
    };
    let unsorted = AccountAdded {
        mailbox_readers: handles(&["bob", "alice"]),
        ..bare("other", "333333333333")
    };
    let tagged = AccountAdded {
        tags: vec!["a=b".parse().unwrap(), "a=b".parse().unwrap()],
        ..bare("other", "333333333333")
    };
    let crowd = AccountAdded {
        phone_answerers: (10..61).map(|n| handle(&format!("p{n}"))).collect(),
        ..bare("other", "333333333333")
    };
    impossible(
        &mut people,
        &[
            (account("prod", 3), "account prod is taken"),
            (account("other", 111_111_111_111), "other is the same account as prod"),
            (other("aws", "12345678901"), "twelve digits"),
            (other("aws-cn", "12345678901x"), "twelve digits"),
            (added(unsorted), "sorted"),
            (added(tagged), "none stands twice"),
            (added(crowd), "50 people"),
        ],
    );
    people.does(&TWO, vec![other("gcp", "my-project")]);
    people.does(&TWO, vec![removed("test")]);
    assert!(people.state().former_accounts().contains_key(&handle("test")));
    impossible(
        &mut people,
        &[
            (account("test", 5), "account test is taken"),
            (renamed("test"), "there is no account test"),
            (removed("test"), "there is no account test"),
            (linked("alice/blue", &["prod", "test"]), "there is no account test"),
        ],
    );
    people.does(&TWO, vec![account("again", 2)]);
}

#[test]
fn what_is_known_of_an_account_changes_and_is_forgotten() {
    let mut people = two_accounts();
    let of = |change: AccountChanged| Event::AccountChanged(Box::new(change));
    let none = AccountChanged::of(handle("prod"));
    let all = AccountChanged {
        name: Some(line("Production")),
        tags: vec!["env=prod".parse().unwrap()],
        mailbox_readers: handles(&["alice", "bob"]),
        phone_answerers: handles(&["carol"]),
        billing_contact: Some("fin@example.com".parse().unwrap()),
        operations_contact: Some("ops@example.com".parse().unwrap()),
        security_contact: Some("soc@example.com".parse().unwrap()),
        password_place: Some(line("safe 2")),
        ..none.clone()
    };
    people.does(&ONE, vec![of(all.clone())]);
    let prod = known(&people, "prod").clone();
    assert_eq!(
        (&prod.name, &prod.tags, &prod.password_place),
        (&all.name, &all.tags, &all.password_place)
    );
    assert_eq!(prod.mailbox_readers, all.mailbox_readers);
    assert_eq!(prod.phone_answerers, all.phone_answerers);
    assert_eq!(prod.billing_contact, all.billing_contact);
    assert_eq!(prod.operations_contact, all.operations_contact);
    assert_eq!(prod.security_contact, all.security_contact);
    people.does(&ONE, vec![renamed("prod")]);
    assert_eq!(known(&people, "prod").password_place, all.password_place, "what isn't named stays");

    let forgotten: Vec<AccountField> = all.sets().into_iter().collect();
    assert_eq!(forgotten.len(), 8);
    impossible(
        &mut people,
        &[
            (of(none.clone()), "it changes nothing"),
            (of(AccountChanged { forgotten: forgotten.clone(), ..all.clone() }), "sets what it"),
            (
                of(AccountChanged { forgotten: vec![forgotten[1], forgotten[0]], ..none.clone() }),
                "sorted",
            ),
            (of(AccountChanged::of(handle("nothing"))), "it changes nothing"),
        ],
    );
    people.does(&ONE, vec![of(AccountChanged { forgotten, ..none })]);
    let prod = known(&people, "prod");
    assert_eq!((&prod.name, &prod.password_place), (&None, &None));
    assert!(prod.tags.is_empty() && prod.mailbox_readers.is_empty());
    assert!(prod.phone_answerers.is_empty() && prod.billing_contact.is_none());
    assert!(prod.operations_contact.is_none() && prod.security_contact.is_none());
    assert!(prod.root.email.is_some() && prod.root.phone.is_some(), "its root user stays");
}

#[test]
fn an_mfa_device_is_registered_until_it_is_not() {
    let mut people = two_accounts();
    let with_holder = |device: &str| {
        let Event::DeviceLinked(link) = linked(device, &["test"]) else { unreachable!() };
        Event::DeviceLinked(DeviceLinked { holder: Some(handle("bob")), ..link })
    };
    people.does(&TWO, vec![retired("carol/primary")]);
    impossible(
        &mut people,
        &[
            (linked("alice/primary", &["prod", "test"]), "registered with prod already"),
            (linked("alice/blue", &["prod", "prod"]), "each once"),
            (linked("alice/blue", &[]), "each once"),
            (linked("carol/primary", &["prod"]), "carol/primary is retired"),
            (linked("dave/primary", &["prod"]), "there is no key dave/primary"),
            (with_holder("alice/blue"), "is recorded with the key"),
            (unlinked("alice/blue", &["prod"]), "isn't registered with prod"),
            (unlinked("alice/primary", &["prod", "test"]), "isn't registered with test"),
            (token_moved("test", "phone", "bob"), "phone isn't registered with test"),
            (credentials("prod", false), "alice/primary is registered with prod"),
        ],
    );
    people.does(&ONE, vec![token_moved("prod", "phone", "bob")]);
    let holder = |people: &People| known(people, "prod").devices[&device("phone")].holder.clone();
    assert_eq!(holder(&people), Some(handle("bob")));

    // A key can be registered again; the name of a token means one token for good.
    people.does(&TWO, vec![unlinked("phone", &["prod"]), unlinked("alice/primary", &["prod"])]);
    people.does(&TWO, vec![linked("alice/primary", &["prod"]), linked("phone", &["test"])]);
    impossible(&mut people, &[(linked("phone", &["prod"]), "had a token phone before")]);

    // A lost key stays registered until it is deregistered, and can be.
    people.does(&["alice/blue"], vec![lost("alice/primary", "alice")]);
    let astray = Concern::DeviceAstray("alice/primary".parse().unwrap());
    let concerns = |people: &People| known(people, "prod").concerns(people.state());
    assert!(concerns(&people).contains(&astray));
    people.does(&["alice/blue", "bob/primary"], vec![unlinked("alice/primary", &["prod"])]);
    assert!(!concerns(&people).contains(&astray));
    people.does(&["alice/blue", "bob/primary"], vec![credentials("prod", false)]);
    let fault =
        people.try_out(&["alice/blue", "bob/primary"], vec![linked("bob/primary", &["prod"])]);
    assert!(fault.unwrap_err().reason.contains("prod has no root credentials"));
}

#[test]
fn what_was_tried_counts_until_what_it_was_tried_on_changes() {
    let mut people = two_accounts();
    let sign_in = |with: &str| TrialKind::SignIn(Some(device(with)));
    let passed = |people: &People, kind: &TrialKind| {
        known(people, "prod").trials.get(kind).and_then(|trial| trial.passed).map(|at| at.entry)
    };
    people.does(
        &ONE,
        vec![
            Event::ContactsReviewed(tried(&["prod", "test"], Outcome::Passed)),
            Event::MailboxTested(tried(&["prod"], Outcome::Passed)),
            Event::PhoneTested(tried(&["prod"], Outcome::Passed)),
            signed_in(&["prod"], Some("alice/primary")),
            signed_in(&["prod"], Some("phone")),
            signed_in(&["prod"], None),
        ],
    );
    people.does(&ONE, vec![Event::MailboxTested(tried(&["prod"], Outcome::Failed))]);
    let mailbox = &known(&people, "prod").trials[&TrialKind::Mailbox];
    assert_eq!((mailbox.outcome, mailbox.last.entry), (Outcome::Failed, 4));
    assert_eq!(mailbox.passed.map(|at| at.entry), Some(3), "the last that passed is still known");

    people
        .does(&TWO, vec![root_email("prod", "aws@example.com"), root_phone("prod", "+1 555 0100")]);
    assert_eq!(passed(&people, &TrialKind::Mailbox), Some(3), "it is the same address");
    people.does(&TWO, vec![root_email("prod", "root@example.com")]);
    assert_eq!(passed(&people, &TrialKind::Mailbox), None);
    assert_eq!(passed(&people, &TrialKind::Phone), Some(3));
    people.does(&TWO, vec![root_phone("prod", "+1 555 0101")]);
    assert_eq!(passed(&people, &TrialKind::Phone), None);
    people.does(&TWO, vec![unlinked("phone", &["prod"])]);
    assert_eq!(passed(&people, &sign_in("phone")), None);
    assert_eq!(passed(&people, &sign_in("alice/primary")), Some(3));
    people.does(&TWO, vec![unlinked("alice/primary", &["prod"]), credentials("prod", false)]);
    assert_eq!(passed(&people, &TrialKind::SignIn(None)), None);
    assert_eq!(passed(&people, &TrialKind::Contacts), Some(3));

    impossible(
        &mut people,
        &[
            (Event::MailboxTested(tried(&["prod", "test"], Outcome::Passed)), "test has no e-mail"),
            (Event::PhoneTested(tried(&["test"], Outcome::Passed)), "test has no telephone"),
            (Event::ContactsReviewed(tried(&[], Outcome::Passed)), "each once"),
            (Event::ContactsReviewed(tried(&["nowhere"], Outcome::Passed)), "no account nowhere"),
            (signed_in(&["prod"], None), "prod has no root credentials"),
            (signed_in(&["test"], Some("alice/primary")), "isn't registered with test"),
        ],
    );
}

/// As with keys: nobody who dates an entry years ahead owes nothing until then.
#[test]
fn a_trial_dated_ahead_puts_nothing_off() {
    let mut people = two_accounts();
    let now = people.log.seconds;
    people.log.seconds = now + 10 * 365 * 86_400;
    let review = || Event::ContactsReviewed(tried(&["prod"], Outcome::Passed));
    people.does(&ONE, vec![review()]);
    people.log.seconds = now;
    people.does(&ONE, vec![Event::ContactsReviewed(tried(&["test"], Outcome::Passed))]);
    let latest = time(people.log.seconds);
    let trial = &known(&people, "prod").trials[&TrialKind::Contacts];
    assert_eq!((trial.last.time, trial.passed.unwrap().time), (latest, latest));
    people.does(&ONE, vec![review()]);
    let trial = &known(&people, "prod").trials[&TrialKind::Contacts];
    assert_eq!(trial.last.time, time(people.log.seconds));
}

#[test]
fn an_account_that_is_set_up_badly_is_worth_a_look() {
    let mut people = two_accounts();
    let concerns = |people: &People, which: &str| {
        let concerns = known(people, which).concerns(people.state());
        concerns.iter().map(|concern| format!("{concern:?}")).collect::<Vec<_>>().join(" ")
    };
    let all = concerns(&people, "test");
    for concern in [
        "NoEmail",
        "NobodyReads",
        "NoPhone",
        "NoPasswordPlace",
        "NoDevice",
        "NoContact(Billing)",
        "NoContact(Operations)",
        "NoContact(Security)",
    ] {
        assert!(all.contains(concern), "{concern} isn't in {all}");
    }
    assert!(!all.contains("NobodyAnswers"), "there is no number to answer: {all}");
    assert!(concerns(&people, "prod").contains("NobodyAnswers"));

    let contact = |text: &str| Some(text.parse().unwrap());
    let bad = AccountAdded {
        root_email: Some("Bob+root@example.com".parse().unwrap()),
        mailbox_readers: handles(&["carol"]),
        root_phone: Some("+1 555 0100".parse().unwrap()),
        phone_answerers: handles(&["carol"]),
        billing_contact: contact("Finance <jane.doe@example.com>"),
        operations_contact: contact("bob@example.com"),
        security_contact: contact("jane.doe@EXAMPLE.com"),
        password_place: Some(line("safe 2")),
        ..bare("bad", "333333333333")
    };
    let good = AccountAdded {
        root_email: Some("aws-root@example.com".parse().unwrap()),
        mailbox_readers: handles(&["alice", "zoe"]),
        phone_answerers: handles(&["alice", "zoe"]),
        billing_contact: contact("finance@example.com"),
        operations_contact: contact("ops@example.com"),
        security_contact: contact("security@example.com"),
        ..AccountAdded { account: handle("good"), id: line("444444444444"), ..bad.clone() }
    };
    let events = vec![
        added(bad),
        added(good),
        linked("bob/primary", &["bad", "good"]),
        linked("alice/primary", &["good"]),
    ];
    people.does(&TWO, events);
    let all = concerns(&people, "bad");
    for concern in [
        "PersonalEmail(Email(\"Bob+root@example.com\"))",
        "OneReads(Handle(\"carol\"))",
        "OneAnswers(Handle(\"carol\"))",
        "OneDevice(Key(",
        "PersonalContact(Billing",
        "RootAsContact(Operations)",
        "SameContact(Billing, Security)",
    ] {
        assert!(all.contains(concern), "{concern} isn't in {all}");
    }
    assert_eq!(concerns(&people, "good"), "");
    people.does(&["alice/primary", "carol/primary"], vec![left("bob")]);
    assert!(concerns(&people, "good").contains("DeviceAstray"), "a leaver's key is registered");
    assert!(!concerns(&people, "good").contains("HasLeft"), "bob neither reads nor answers");
    people.does(&["alice/primary", "carol/primary"], vec![retired("alice/blue")]);
    let mut without = two_accounts();
    without.does(&TWO, vec![credentials("test", false)]);
    let all = concerns(&without, "test");
    assert!(
        !all.contains("NoPhone") && !all.contains("NoDevice") && all.contains("NoEmail"),
        "{all}"
    );
}

#[test]
fn whoever_reads_a_mailbox_and_has_left_is_worth_a_look() {
    let mut people = People::with(&["alice/primary", "bob/primary", "carol/primary"]);
    let prod = AccountAdded {
        mailbox_readers: handles(&["alice", "carol"]),
        ..bare("prod", "111111111111")
    };
    people.does(&TWO, vec![added(prod), left("carol")]);
    let concerns = known(&people, "prod").concerns(people.state());
    assert!(concerns.contains(&Concern::HasLeft(handle("carol"))), "{concerns:?}");
}
