//! A year of a small team: alice, bob and carol, two accounts and a quarterly drill. It is told once,
//! in the table below; the log and the model both read it.

use std::collections::{BTreeMap, BTreeSet};

use keymuster::record::{
    AccountAdded, Event, KeyName, Line, Outcome, PolicyChanged, Time as Moment, WaiverGiven,
};
use keymuster::schedule::{Admitted, Fate, History, Obligation};

use super::super::accounts::{linked, signed_in, tried};
use super::super::drills::{BOTH, adopted, finish, finished, started};
use super::super::fixture::{handle, name, time};
use super::super::people::{People, acknowledged, line, lost};
use super::model::{Duty, Time, became, date};

const KEYS: [&str; 4] = ["alice/primary", "alice/blue", "bob/primary", "carol/primary"];
const TWO: &[&str] = &["alice/primary", "bob/primary"];
const A_DAY: i64 = 24 * 60 * 60;

/// What somebody does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Nothing but signing: who signs has a key that works.
    Acknowledges(&'static str),
    LooksAtContacts(&'static str, Outcome),
    TriesMailbox(&'static str, Outcome),
    SignsIn(&'static str, &'static str),
    Drills(&'static str, Outcome),
    Waives(&'static str, i64),
    ChecksEvery(u32),
    Loses(&'static str),
    TakesOut(&'static str, &'static str),
}

use Deed::{
    Acknowledges, ChecksEvery, Drills, LooksAtContacts, Loses, SignsIn, TakesOut, TriesMailbox,
    Waives,
};
use Outcome::{Failed, Passed};

/// The day, who signs, and what is done.
const YEAR: &[(i64, &[&str], Deed)] = &[
    (0, &["alice/primary"], Acknowledges("alice")),
    (3, &["bob/primary"], Acknowledges("bob")),
    // Carol needs to be reminded twice.
    (12, &["carol/primary"], Acknowledges("carol")),
    (20, TWO, SignsIn("prod", "alice/primary")),
    (25, TWO, TriesMailbox("prod", Failed)),
    (30, TWO, TriesMailbox("prod", Passed)),
    // The first drill: in time.
    (85, TWO, Drills("q-1", Passed)),
    (88, &["alice/blue"], SignsIn("prod", "alice/primary")),
    (95, &["carol/primary"], LooksAtContacts("prod", Passed)),
    // The second doesn't reach its objective, and is run again when it is late.
    (170, TWO, Drills("q-2", Failed)),
    (178, TWO, Drills("q-3", Passed)),
    (180, &["alice/blue"], SignsIn("prod", "alice/primary")),
    (185, &["carol/primary"], LooksAtContacts("test", Passed)),
    // In June they think that half a year is enough for keys.
    (200, TWO, ChecksEvery(180)),
    (210, TWO, TriesMailbox("prod", Passed)),
    // The third is forgotten. The fourth may wait until they are back from their holidays.
    (240, TWO, SignsIn("prod", "token")),
    (290, TWO, Loses("alice/blue")),
    (292, TWO, TakesOut("alice/blue", "prod")),
    (350, TWO, Waives("runbook quarterly", 380)),
    (366, TWO, Acknowledges("alice")),
    (379, TWO, Drills("q-4", Passed)),
];
const LAST: i64 = 395;

/// The log that the table makes, and when each entry was made.
struct Log {
    people: People,
    entries: Vec<(Moment, Vec<KeyName>, Vec<Event>)>,
}

impl Log {
    fn founded() -> Self {
        let people = People::before_founding();
        let mut log = Self { people, entries: Vec::new() };
        let events = log.people.founding(&KEYS);
        log.appends(0, &KEYS, events);
        let prod = AccountAdded {
            root_email: Some("aws@example.com".parse().unwrap()),
            ..AccountAdded::of(handle("prod"), handle("aws"), line("111111111111"))
        };
        let test = AccountAdded::of(handle("test"), handle("aws"), line("222222222222"));
        let events = vec![
            Event::AccountAdded(Box::new(prod)),
            Event::AccountAdded(Box::new(test)),
            linked("alice/primary", &["prod"]),
            linked("alice/blue", &["prod"]),
            linked("token", &["prod"]),
            adopted("quarterly", 1),
        ];
        log.appends(0, TWO, events);
        log
    }

    fn appends(&mut self, day: i64, signers: &[&str], events: Vec<Event>) {
        let noon = u32::try_from(day * A_DAY + A_DAY / 2).unwrap();
        // Several entries a day, a minute apart.
        self.people.log.seconds = self.people.log.seconds.max(noon);
        self.people.does(signers, events.clone());
        let at = time(self.people.log.seconds);
        self.entries.push((at, signers.iter().map(|key| name(key)).collect(), events));
    }

    fn takes(&mut self, day: i64, signers: &[&str], deed: Deed) {
        let events = match deed {
            Acknowledges(who) => vec![acknowledged(who, &["My key is with me"])],
            LooksAtContacts(account, outcome) => {
                vec![Event::ContactsReviewed(tried(&[account], outcome))]
            }
            TriesMailbox(account, outcome) => {
                vec![Event::MailboxTested(tried(&[account], outcome))]
            }
            SignsIn(account, device) => vec![signed_in(&[account], Some(device))],
            Drills(drill, outcome) => {
                self.appends(day, signers, vec![started(drill, BOTH)]);
                let finish = keymuster::record::DrillFinished { outcome, ..finish(drill, BOTH) };
                vec![match outcome {
                    Passed => finished(drill, BOTH),
                    Failed => Event::DrillFinished(Box::new(finish)),
                }]
            }
            Waives(what, until) => vec![Event::WaiverGiven(WaiverGiven {
                waiver: handle("holidays"),
                obligation: what.parse::<Line>().unwrap(),
                until: time(u32::try_from(until * A_DAY).unwrap()),
                reason: line("holidays"),
            })],
            ChecksEvery(days) => vec![Event::PolicyChanged(PolicyChanged {
                check_days: Some(days),
                ..PolicyChanged::default()
            })],
            Loses(key) => vec![lost(key, "alice")],
            TakesOut(device, account) => vec![super::super::accounts::unlinked(device, &[account])],
        };
        self.appends(day, signers, events);
    }

    fn history(&self, day: i64) -> History {
        let entries = self
            .entries
            .iter()
            .map(|(time, signers, events)| Admitted::plain(*time, signers, events));
        let evening = u32::try_from((day + 1) * A_DAY - 1).unwrap();
        History::of(entries, time(evening)).unwrap()
    }
}

/// What the table says of each duty, in the words of the model.
fn duties() -> BTreeMap<&'static str, Duty> {
    let mut checks = vec![(0, [90, 14, 7])];
    checks.extend(YEAR.iter().filter_map(|(day, _, deed)| match deed {
        ChecksEvery(days) => Some((*day, [i64::from(*days), 14, 7])),
        _ => None,
    }));
    let rules_of = |every: i64| vec![(0, [every, 14, 7])];
    let mut all = BTreeMap::new();
    let mut duty = |id: &'static str, rules: &Vec<(i64, [i64; 3])>, of: &dyn Fn(Deed) -> bool| {
        let mut duty = Duty { rules: rules.clone(), ..Duty::default() };
        let key = id.strip_prefix("key-check ");
        for (day, signers, deed) in YEAR {
            if of(*deed) || key.is_some_and(|key| signers.contains(&key)) {
                duty.done.push(*day);
            }
            match *deed {
                Loses(lost) if key == Some(lost) => duty.ended = Some(*day),
                Loses(lost) if id.ends_with(lost) && id.starts_with("sign-in") => {
                    duty.ended = Some(*day);
                }
                Waives(what, until) if what == id => duty.waivers.push([*day, until]),
                _ => {}
            }
        }
        // Who founds a vault signs, and so do those who add what is in it.
        if key.is_some() {
            duty.done.insert(0, 0);
        }
        duty.at_once = id.starts_with("acknowledgement");
        all.insert(id, duty);
    };
    let never = |_: Deed| false;
    for key in ["alice/primary", "alice/blue", "bob/primary", "carol/primary"] {
        let id = match key {
            "alice/primary" => "key-check alice/primary",
            "alice/blue" => "key-check alice/blue",
            "bob/primary" => "key-check bob/primary",
            _ => "key-check carol/primary",
        };
        duty(id, &checks, &never);
    }
    for (id, who) in [
        ("acknowledgement alice", "alice"),
        ("acknowledgement bob", "bob"),
        ("acknowledgement carol", "carol"),
    ] {
        duty(id, &rules_of(365), &|deed| matches!(deed, Acknowledges(one) if one == who));
    }
    for (id, account) in [("contacts prod", "prod"), ("contacts test", "test")] {
        let of = |deed| matches!(deed, LooksAtContacts(one, Passed) if one == account);
        duty(id, &rules_of(180), &of);
    }
    duty("mailbox prod", &rules_of(180), &|deed| matches!(deed, TriesMailbox(_, Passed)));
    for (id, device) in [
        ("sign-in prod alice/primary", "alice/primary"),
        ("sign-in prod alice/blue", "alice/blue"),
        ("sign-in prod token", "token"),
    ] {
        duty(id, &checks, &|deed| matches!(deed, SignsIn(_, with) if with == device));
    }
    duty("totp prod token", &checks, &never);
    duty("runbook quarterly", &rules_of(90), &|deed| matches!(deed, Drills(_, Passed)));
    all
}

/// The day of a date of these tests.
fn number(day: chrono::NaiveDate) -> i64 {
    (day - date(0)).num_days()
}

#[test]
fn every_day_of_a_year_stands_as_the_model_says() {
    let mut log = Log::founded();
    let duties = duties();
    let mut deeds = YEAR.iter().peekable();
    let mut phases = BTreeSet::new();
    for today in 0..=LAST {
        while let Some((day, signers, deed)) = deeds.next_if(|(day, ..)| *day <= today) {
            log.takes(*day, signers, *deed);
        }
        let history = log.history(today);
        let recurring: BTreeSet<String> = history
            .obligations()
            .filter(|obligation| obligation.recurs())
            .map(Obligation::to_string)
            .collect();
        assert_eq!(recurring, duties.keys().map(|id| (*id).to_owned()).collect(), "day {today}");
        for (id, duty) in &duties {
            let obligation: Obligation = id.parse().unwrap();
            let slots = history.slots(&obligation);
            let times: Vec<_> = slots
                .iter()
                .map(|slot| Time { opened: slot.opened, due: slot.due, fate: became(slot.fate) })
                .collect();
            let of_model: Vec<_> = duty.times(today).iter().map(Time::dated).collect();
            assert_eq!(times, of_model, "{id} on day {today}");
            let standing = history.standing(&obligation).unwrap();
            assert_eq!(Some(standing.phase), duty.phase(today), "{id} on day {today}");
            let done = duty.done.iter().rfind(|day| **day <= today).copied();
            assert_eq!(standing.done.map(number), done, "{id} on day {today}");
            phases.insert(standing.phase.word());
        }
    }
    // The year had something of everything.
    assert_eq!(phases, ["due", "late", "later", "over", "overdue", "waived"].into());
}

/// What became of each time, in days: `opened-due fate`.
fn told(history: &History, id: &str) -> Vec<String> {
    let slots = history.slots(&id.parse().unwrap());
    let told = slots.iter().map(|slot| {
        let became = match slot.fate {
            Fate::Early(day) => format!("early {}", number(day)),
            Fate::Done(day) => format!("done {}", number(day)),
            Fate::Late(day) => format!("late {}", number(day)),
            Fate::Missed => "missed".to_owned(),
            Fate::Waived(day) => format!("waived {}", number(day)),
            Fate::Ended(day) => format!("ended {}", number(day)),
            Fate::Open => "open".to_owned(),
        };
        format!("{}-{} {became}", number(slot.opened), number(slot.due))
    });
    told.collect()
}

#[test]
fn the_year_as_it_is_told_afterwards() {
    let mut log = Log::founded();
    YEAR.iter().for_each(|(day, signers, deed)| log.takes(*day, signers, *deed));
    let history = log.history(LAST);
    let expected: &[(&str, &[&str])] = &[
        (
            "runbook quarterly",
            &[
                "0-90 done 85",
                "85-175 late 178",
                "178-268 missed",
                "268-358 waived 380",
                "358-380 done 379",
                "379-469 open",
            ],
        ),
        ("acknowledgement alice", &["0-0 done 0", "0-365 late 366", "366-731 open"]),
        ("acknowledgement bob", &["0-0 late 3", "3-368 missed", "368-733 open"]),
        ("acknowledgement carol", &["0-0 missed", "0-377 missed", "377-742 open"]),
        ("deregister alice/blue prod", &["290-290 late 292"]),
        ("mailbox prod", &["0-210 done 210", "210-390 open"]),
    ];
    for (id, slots) in expected {
        assert_eq!(told(&history, id), *slots, "{id}");
    }
}
