//! The rows, each vault's by itself.

use keymuster::record::{
    Event, HeadAbandoned, Hex, Outcome, RootUserChanged, SlipEndorsed, UserVerification as Policy,
    VaultSucceeds,
};

use super::super::accounts::{
    account, linked, removed, renamed, root_email, signed_in, token_moved, tried, unlinked,
};
use super::super::compartments::chosen;
use super::super::drills::{
    BOTH, abandoned, adopted, finished, live, reviewed, started, transcript, withdrawn,
};
use super::super::fixture::{checked, compartment, created, custodian, reader, sealed};
use super::super::people::{
    People, acknowledged, action, bagged, changed, checks_every, closed, compromised, handed, left,
    lost, moved, opened, reader_removed, rekeyed, restored, retired, waiver,
};
use super::super::secrets;
use super::{Row, Signers, Why, row};

/// Signers who are nobody: one of these beside one custodian is still one custodian.
const NOBODY: &[(Signers, Why)] = &[
    (&[], "nobody signed"),
    (&["dave/primary"], "dave left"),
    (&["erin/primary"], "erin's key is suspended"),
    (&["alice/lost"], "a lost key"),
    (&["bob/old"], "a retired key"),
    (&["mallory/primary"], "a key that was never enrolled"),
    (&["alice/primary", "dave/primary"], "dave left"),
    (&["alice/primary", "bob/primary", "dave/primary"], "one who may not sign spoils the rest"),
    (&["alice/primary", "alice/lost"], "a lost key"),
    (&["bob/primary", "bob/old"], "a retired key"),
    (&["alice/primary", "mallory/primary"], "a key that was never enrolled"),
    (&["alice/primary", "alice/primary"], "a key named twice"),
    (&["alice/primary", "bob/primary", "alice/primary"], "a key named twice"),
];

/// A suspended key signs nothing but that keys are restored.
const SUSPENDED: &[(Signers, Why)] = &[
    (&["alice/primary", "erin/primary"], "a suspended key is no second"),
    (&["alice/primary", "bob/primary", "erin/primary"], "a suspended key is no third"),
];

const NOT_TWO: &[(Signers, Why)] = &[
    (&["alice/primary"], "one custodian"),
    (&["carol/primary"], "one custodian"),
    (&["alice/primary", "alice/blue"], "two keys of one custodian"),
];

const TWO: &[Signers] = &[
    &["alice/primary", "bob/primary"],
    &["bob/blue", "alice/blue"],
    &["carol/primary", "alice/primary"],
    &["alice/primary", "alice/blue", "carol/primary"],
    &["alice/primary", "bob/primary", "carol/primary"],
];

const ONE: &[Signers] =
    &[&["alice/primary"], &["bob/blue"], &["carol/primary"], &["alice/primary", "bob/primary"]];

/// Alice and bob with two keys each, carol with one, dave who left, erin whose key carol
/// reported, a lost key of alice's, a retired one of bob's, a reader, a bag, an action.
pub fn many() -> People {
    let keys = [
        "alice/primary",
        "alice/blue",
        "alice/lost",
        "bob/primary",
        "bob/blue",
        "bob/old",
        "carol/primary",
        "dave/primary",
        "erin/primary",
    ];
    let mut people = People::with(&keys);
    let events = vec![
        left("dave"),
        reader("auditor"),
        lost("alice/lost", "alice"),
        retired("bob/old"),
        lost("erin/primary", "carol"),
        bagged("carol/primary", "B-1", "carol", "alice"),
        action("third-key", "bob"),
        account("prod", 1),
        root_email("prod", "aws@example.com"),
        linked("bob/blue", &["prod"]),
        linked("phone", &["prod"]),
        secrets::stored("pepper"),
        adopted("quarterly", 1),
    ];
    people.does(&["alice/primary", "bob/primary", "carol/primary"], events);
    let both = &["alice/primary", "bob/primary"];
    people.does(both, vec![with_phone("prod"), started("open", BOTH), started("over", BOTH)]);
    people.does(both, vec![finished("over", BOTH)]);
    people.make("mallory/primary");
    people
}

/// The root user has a telephone number.
fn with_phone(account: &str) -> Event {
    let phone = Some("+1 555 0100".parse().unwrap());
    let (account, credentials, email) = (account.parse().unwrap(), None, None);
    Event::RootUserChanged(RootUserChanged { account, credentials, email, phone })
}

fn two(event: Event) -> Row {
    row(event, TWO, NOT_TWO).fails_with(SUSPENDED).fails_with(NOBODY)
}

fn one(event: Event) -> Row {
    row(event, ONE, NOBODY).fails_with(SUSPENDED)
}

/// What needs two different custodians, and what needs one.
pub fn counted() -> Vec<Row> {
    let members = &["alice", "bob", "carol", "erin"];
    vec![
        two(checks_every(30)),
        two(custodian("frank")),
        two(left("carol")),
        two(left("erin")),
        two(reader("friend")),
        two(reader_removed("auditor")),
        two(Event::HeadAbandoned(HeadAbandoned { number: 3, link: Hex([1; 32]) })),
        two(retired("bob/primary")),
        two(retired("erin/primary")),
        two(chosen("own", &["alice", "bob"])),
        two(compartment("seeds", 2, members)),
        two(waiver("abroad")),
        two(adopted("quarterly", 2)),
        two(withdrawn("quarterly")),
        two(account("test", 2)),
        two(removed("prod")),
        two(root_email("prod", "root@example.com")),
        two(with_phone("prod")),
        two(linked("alice/primary", &["prod"])),
        two(linked("fob", &["prod"])),
        two(unlinked("bob/blue", &["prod"])),
        one(renamed("prod")),
        one(token_moved("prod", "phone", "alice")),
        one(Event::ContactsReviewed(tried(&["prod"], Outcome::Passed))),
        one(Event::MailboxTested(tried(&["prod"], Outcome::Failed))),
        one(Event::PhoneTested(tried(&["prod"], Outcome::Passed))),
        one(signed_in(&["prod"], Some("bob/blue"))),
        one(secrets::totp_checked("prod", "phone")),
        one(secrets::stored("salt")),
        one(secrets::replaced("pepper", 2)),
        one(changed("bob", "carol")),
        one(moved("bob/primary", "safe 2")),
        one(action("new-safe", "bob")),
        one(closed("third-key")),
        one(Event::SlipEndorsed(SlipEndorsed { slip: Hex([1; 32]) })),
        row(restored("erin/primary"), TWO, NOT_TWO).fails_with(NOBODY),
        row(
            restored("erin/primary"),
            &[
                &["erin/primary", "alice/primary"],
                &["alice/primary", "bob/primary", "erin/primary"],
            ],
            &[(&["erin/primary"], "alone, its own owner")],
        ),
        row(Event::VaultSucceeds(succeeds()), &[], NOT_TWO)
            .fails_with(NOBODY)
            .fails_with(&[(&["alice/primary", "bob/primary", "carol/primary"], "founders only")]),
        row(created(true, Policy::Waived), &[], NOT_TWO)
            .fails_with(NOBODY)
            .fails_with(&[(&["alice/primary", "bob/primary", "carol/primary"], "only once")]),
    ]
}

fn succeeds() -> VaultSucceeds {
    VaultSucceeds { vault: Hex([9; 16]), number: 3, link: Hex([1; 32]), reason: None }
}

/// What a certain custodian, or a certain key, must sign.
pub fn personal() -> Vec<Row> {
    vec![
        row(
            checked("alice/primary"),
            &[&["alice/primary"], &["bob/primary", "alice/primary"]],
            &[
                (&["alice/blue"], "another key of hers"),
                (&["bob/primary"], "another's key"),
                (&["alice/blue", "bob/primary", "carol/primary"], "everyone but that key"),
            ],
        )
        .fails_with(SUSPENDED),
        row(checked("erin/primary"), &[], &[(&["erin/primary"], "a suspended key")]),
        row(checked("alice/lost"), &[], &[(&["alice/lost"], "a lost key")]),
        row(checked("bob/old"), &[], &[(&["bob/old"], "a retired key")]),
        row(checked("dave/primary"), &[], &[(&["dave/primary"], "dave left")]),
        row(
            acknowledged("alice", &["I keep my keys"]),
            &[&["alice/primary"], &["alice/blue"], &["bob/primary", "alice/blue"]],
            &[
                (&["bob/primary"], "for somebody else"),
                (&["bob/primary", "carol/primary"], "two for somebody else"),
                (&["alice/lost"], "a lost key"),
                (&[], "nobody"),
            ],
        ),
        row(
            acknowledged("erin", &["I keep my keys"]),
            &[],
            &[(&["erin/primary"], "a suspended key"), (&["alice/primary"], "for somebody else")],
        ),
        row(
            secrets::opened(&["pepper.1"], "alice"),
            &[&["alice/primary"], &["alice/blue"], &["bob/primary", "alice/blue"]],
            &[
                (&["bob/primary"], "in alice's name"),
                (&["bob/primary", "carol/primary"], "two in alice's name"),
                (&["alice/lost"], "a lost key"),
                (&[], "nobody"),
            ],
        )
        .fails_with(SUSPENDED),
        row(
            secrets::opened(&["pepper.1"], "erin"),
            &[],
            &[(&["erin/primary"], "a suspended key"), (&["alice/primary"], "in erin's name")],
        ),
        each(handed("alice/primary", "alice", "bob")),
        each(bagged("bob/primary", "B-2", "alice", "bob")),
        each(opened("carol/primary", "B-1", true, ["bob", "alice"])),
        each(started("another", BOTH)),
        each(live("another", BOTH)),
        each(finished("open", BOTH)),
        each(abandoned("open", BOTH)),
        row(
            live("another", &["operator=alice"]),
            &[&["alice/primary"], &["bob/primary", "alice/blue"]],
            &[(&["bob/primary"], "in alice's name"), (&["alice/lost"], "a lost key")],
        )
        .fails_with(SUSPENDED),
        row(
            reviewed("over", "carol"),
            &[&["carol/primary"], &["alice/primary", "carol/primary"]],
            &[(&["bob/primary"], "in carol's name"), (&[], "nobody")],
        )
        .fails_with(SUSPENDED),
    ]
    .into_iter()
    .chain(transcript("open").into_iter().map(|event| each(event).after(finished("open", BOTH))))
    .collect()
}

/// What alice and bob must both sign.
fn each(event: Event) -> Row {
    row(
        event,
        &[&["alice/primary", "bob/primary"], &["bob/blue", "alice/blue"]],
        &[
            (&["alice/primary"], "bob is missing"),
            (&["bob/primary"], "alice is missing"),
            (&["alice/primary", "alice/blue"], "two keys of one custodian"),
            (&["alice/primary", "carol/primary"], "a third can't stand in for bob"),
            (&["carol/primary", "bob/primary"], "a third can't stand in for alice"),
            (&["bob/primary", "alice/lost"], "a lost key"),
            (&["alice/primary", "bob/old"], "a retired key"),
            (&["alice/primary", "alice/primary"], "a key named twice"),
        ],
    )
    .fails_with(SUSPENDED)
}

/// What a key or its owner must sign, and two custodians.
pub fn joining(people: &mut People) -> Vec<Row> {
    let green = people.enrolment("alice/green");
    let first = people.enrolment("frank/primary");
    let mine = [&["alice/primary", "bob/primary"] as Signers, &["carol/primary", "alice/blue"]];
    let not_mine: &[(Signers, Why)] = &[
        (&["alice/primary"], "no second custodian"),
        (&["alice/primary", "alice/blue"], "two keys of one custodian"),
        (&["bob/primary", "carol/primary"], "two without its owner"),
        (&["bob/primary", "carol/primary", "alice/lost"], "a lost key of the owner's"),
    ];
    let not_enrolled: &[(Signers, Why)] = &[
        (&["alice/primary", "bob/primary"], "without the new key"),
        (&["alice/green"], "the new key alone"),
        (&["alice/green", "alice/primary"], "the new key is no second custodian"),
        (&["alice/green", "alice/primary", "alice/blue"], "one custodian with three keys"),
        (&["alice/green", "bob/primary"], "the new key is no custodian's yet"),
        (&["alice/green", "bob/primary", "dave/primary"], "dave left"),
        (&["alice/green", "bob/primary", "erin/primary"], "erin's key is suspended"),
        (&["alice/green", "bob/primary", "bob/primary"], "a key named twice"),
    ];
    vec![
        row(
            green.clone(),
            &[
                &["alice/green", "alice/primary", "bob/primary"],
                &["bob/blue", "carol/primary", "alice/green"],
            ],
            not_enrolled,
        ),
        row(
            first.clone(),
            &[&["frank/primary", "alice/primary", "bob/primary"]],
            &[
                (&["alice/primary", "bob/primary"], "without the new key"),
                (&["frank/primary", "alice/primary"], "who joins is no second custodian"),
                (&["frank/primary"], "the new key alone"),
            ],
        )
        .after(custodian("frank")),
        row(sealed("alice", "primary", 1), &mine, not_mine).fails_with(SUSPENDED),
        row(sealed("alice", "paper", 1), &mine, not_mine).fails_with(SUSPENDED),
        row(rekeyed("alice", "another"), &mine, not_mine).fails_with(SUSPENDED),
        row(
            sealed("alice", "green", 1),
            &[
                &["alice/green", "alice/primary", "bob/primary"],
                &["alice/green", "bob/primary", "carol/primary"],
            ],
            not_enrolled,
        )
        .after(green.clone()),
        row(
            rekeyed("alice", "another"),
            &[&["alice/green", "alice/primary", "bob/primary"]],
            &[(&["alice/green", "bob/primary", "carol/primary"], "a new key isn't her voice yet")],
        )
        .after(green.clone()),
        row(
            sealed("alice", "paper", 1),
            &[&["alice/green", "alice/primary", "bob/primary"]],
            &[(&["alice/green", "bob/primary", "carol/primary"], "a new key isn't her voice yet")],
        )
        .after(green),
        row(rekeyed("erin", "another"), &[], NOT_TWO)
            .fails_with(&[(&["alice/primary", "bob/primary"], "without its owner")])
            .fails_with(SUSPENDED),
    ]
}

/// Reports, in a vault where nobody's were overruled.
pub fn reports() -> Vec<Row> {
    let mut rows = Vec::new();
    for report in [lost, compromised] {
        let on_own: &[(Signers, Why)] = &[
            (&["bob/primary"], "in alice's name"),
            (&["bob/primary", "carol/primary"], "two in alice's name"),
            (&["alice/lost"], "a lost key"),
            (&[], "nobody"),
        ];
        let own: &[Signers] = &[&["alice/primary"], &["alice/blue"], &["alice/blue", "bob/blue"]];
        rows.push(row(report("alice/primary", "alice"), own, on_own).fails_with(SUSPENDED));
        rows.push(row(report("bob/primary", "alice"), own, on_own).fails_with(SUSPENDED));
        rows.push(row(
            report("alice/primary", "erin"),
            &[],
            &[(&["erin/primary"], "a suspended key"), (&["bob/primary"], "in erin's name")],
        ));
        rows.push(row(
            report("alice/primary", "dave"),
            &[],
            &[(&["dave/primary"], "dave left"), (&["bob/primary"], "in dave's name")],
        ));
    }
    rows
}

/// Reports of mallory, who was overruled once.
pub fn overruled_reports() -> Vec<Row> {
    let mut rows = Vec::new();
    for report in [lost, compromised] {
        let with_another: &[Signers] = &[
            &["mallory/primary", "alice/primary"],
            &["bob/primary", "mallory/blue", "mallory/primary"],
        ];
        let alone: &[(Signers, Why)] = &[
            (&["mallory/primary"], "overruled, and alone again"),
            (&["mallory/blue"], "through a second key"),
            (&["mallory/primary", "mallory/blue"], "with both keys"),
            (&["alice/primary", "bob/primary"], "without the reporter"),
        ];
        rows.push(row(report("alice/blue", "mallory"), with_another, alone));
        rows.push(row(report("bob/primary", "mallory"), with_another, alone));
        rows.push(row(
            report("mallory/blue", "mallory"),
            &[&["mallory/primary"], &["mallory/blue"]],
            &[(&["alice/primary", "bob/primary"], "without the owner")],
        ));
        rows.push(row(
            report("mallory/blue", "alice"),
            &[&["alice/primary"]],
            &[(&["bob/primary"], "in alice's name"), (&["mallory/blue"], "in alice's name")],
        ));
    }
    rows
}

pub fn overruled() -> People {
    let keys = ["alice/primary", "alice/blue", "bob/primary", "mallory/primary", "mallory/blue"];
    let mut people = People::with(&keys);
    people.does(&["mallory/blue"], vec![lost("alice/blue", "mallory")]);
    people.does(&["alice/primary", "bob/primary"], vec![restored("alice/blue")]);
    people
}

/// Alice alone, with two keys; bob was added and has none yet.
pub fn alone() -> People {
    let mut people = People::with(&["alice/primary", "alice/blue"]);
    let events = vec![custodian("bob"), reader("auditor"), action("third-key", "alice")];
    let accounts = vec![account("prod", 1), linked("phone", &["prod"]), secrets::stored("pepper")];
    people.does(&["alice/primary"], [events, accounts].concat());
    people.make("bob/primary");
    people
}

/// While nobody else ever had a key, one custodian is enough.
pub fn alone_rows(people: &mut People) -> Vec<Row> {
    let alices: &[Signers] = &[&["alice/primary"], &["alice/blue"]];
    let bobs: &[(Signers, Why)] = &[
        (&["bob/primary"], "bob has no key yet"),
        (&["alice/primary", "bob/primary"], "bob has no key yet"),
        (&["alice/primary", "alice/primary"], "a key named twice"),
        (&[], "nobody"),
    ];
    let events = [
        checks_every(30),
        custodian("carol"),
        changed("alice", "bob"),
        left("bob"),
        acknowledged("alice", &["I keep my keys"]),
        rekeyed("alice", "another"),
        reader("friend"),
        reader_removed("auditor"),
        lost("alice/blue", "alice"),
        compromised("alice/blue", "alice"),
        retired("alice/blue"),
        moved("alice/blue", "safe 2"),
        sealed("alice", "paper", 1),
        compartment("seeds", 2, &["alice"]),
        waiver("abroad"),
        action("new-safe", "alice"),
        closed("third-key"),
        account("test", 2),
        removed("prod"),
        root_email("prod", "root@example.com"),
        linked("alice/blue", &["prod"]),
        unlinked("phone", &["prod"]),
        renamed("prod"),
        token_moved("prod", "phone", "alice"),
        signed_in(&["prod"], None),
        secrets::totp_checked("prod", "phone"),
        secrets::stored("salt"),
        secrets::opened(&["pepper.1"], "alice"),
    ];
    let mut rows: Vec<Row> = events.into_iter().map(|event| row(event, alices, bobs)).collect();
    for key in ["alice/green", "bob/primary"] {
        let enrolment = people.enrolment(key);
        rows.push(match key {
            "alice/green" => row(
                enrolment,
                &[&["alice/green", "alice/primary"]],
                &[
                    (&["alice/green"], "the new key alone"),
                    (&["alice/blue"], "without the new key"),
                ],
            ),
            _ => row(
                enrolment,
                &[&["bob/primary", "alice/primary"]],
                &[
                    (&["bob/primary"], "the new key alone"),
                    (&["alice/blue"], "without the new key"),
                ],
            ),
        });
    }
    let joins: &[(Signers, Why)] =
        &[(&["bob/primary"], "the new key alone"), (&["alice/primary"], "without bob's key")];
    for event in [sealed("bob", "primary", 1), sealed("bob", "paper", 1), rekeyed("bob", "b")] {
        let joining = people.enrolment("bob/primary");
        rows.push(row(event, &[&["bob/primary", "alice/primary"]], joins).after(joining));
    }
    rows
}

/// The founding: every founding custodian's key.
pub fn founding(people: &mut People) -> Row {
    let mut events = people.founding(&["alice/primary", "alice/blue", "bob/primary"]);
    people.make("carol/primary");
    let created = events.remove(0);
    row(
        created,
        &[
            &["alice/primary", "alice/blue", "bob/primary"],
            &["bob/primary", "alice/blue", "alice/primary"],
        ],
        &[
            (&["alice/primary", "alice/blue"], "bob founds it too"),
            (&["bob/primary"], "alice founds it too"),
            (&["alice/primary", "bob/primary"], "without one of the keys that it enrols"),
            (&["alice/primary", "alice/blue", "bob/primary", "carol/primary"], "no founder"),
            (&["alice/primary", "alice/blue", "bob/primary", "bob/primary"], "a key named twice"),
            (&[], "nobody"),
        ],
    )
    .before(events)
}

/// The same, of a vault that takes the place of another.
pub fn succession(people: &mut People) -> Row {
    let Row { event: created, around: (_, others), suffices, fails } = founding(people);
    let around = (vec![created], others);
    Row { event: Event::VaultSucceeds(succeeds()), around, suffices, fails }
}
