use super::*;
use crate::record::{
    AccountsTried, Digest, Event, Handle, Hex, Line, Outcome, Part, SignInProven, StepResult, Time,
};
use crate::runbook::{Runbook, Step, Target, Task, read, shipped};

fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

fn line(text: &str) -> Line {
    text.parse().unwrap()
}

fn time() -> Time {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn roster() -> Vec<Part> {
    ["operator=alice", "witness=bob"].map(|part| part.parse().unwrap()).into()
}

/// Takes what happened, ten seconds after the last.
fn takes(drill: &mut Drill<'_>, happened: Happened) -> Result<(), Misplaced> {
    let number = drill.records().len() as u32 + 1;
    let session = drill.records().last().map_or(1, |last| last.session);
    drill.take(Record { number, session, at: time(), seconds: number * 10, happened })
}

fn begun(step: &Step) -> Happened {
    Happened::StepBegun { step: step.id.clone() }
}

/// What is kept where a file is asked for.
fn kept() -> Evidence {
    let digest: Digest = Hex([7; 32]);
    Evidence { name: line("page.png"), bytes: 1000, sha256: digest, file: digest }
}

/// How a step ends when it goes this way.
fn ending(step: &Step, to: Target) -> Ending {
    let mut ending = Ending::of(step.id.clone(), StepResult::Done);
    match &step.task {
        Task::Decide { choices } => {
            let choice = choices.iter().find(|choice| choice.goto == to).unwrap();
            ending.choice = Some(choice.answer.clone());
        }
        _ if to != step.next => {
            ending.result = StepResult::Failed;
            ending.observed = Some(line("It failed"));
        }
        Task::Record { asks } => ending.answers = asks.iter().map(|_| line("Seen")).collect(),
        Task::Key { .. } => {
            let keys = ["alice/primary", "alice/blue", "bob/primary"];
            ending.keys = keys.map(|key| key.parse().unwrap()).into();
        }
        Task::Secret { .. } => {
            let secret = "password.1".parse().unwrap();
            ending.opened = Some(Opened { secret, receipt: 12 });
        }
        Task::Evidence { .. } => ending.evidence.push(kept()),
        _ => {}
    }
    ending
}

/// The shortest way from one step to another, or to the end.
fn shortest(runbook: &Runbook, from: usize, to: Target) -> Vec<Way> {
    let mut known = vec![(Target::Step(from), Vec::new())];
    let mut next = 0;
    while let Some((target, ways)) = known.get(next).cloned() {
        if target == to {
            return ways;
        }
        next += 1;
        let Target::Step(place) = target else { continue };
        for on in runbook.steps[place].ways_on() {
            if !known.iter().any(|(seen, _)| *seen == on) {
                known.push((on, [&ways[..], &[Way { from: place, to: on }]].concat()));
            }
        }
    }
    panic!("{to:?} isn't reached from {from}");
}

/// Goes along these ways, and checks what is asked at each.
fn walk<'a>(runbook: &'a Runbook, ways: &[Way]) -> Drill<'a> {
    let mut drill = Drill::new(runbook, roster());
    for way in ways {
        let step = &runbook.steps[way.from];
        assert_eq!(drill.prompt(), Prompt::Begin(step));
        takes(&mut drill, begun(step)).unwrap();
        assert_eq!(drill.prompt(), Prompt::Ask(step));
        takes(&mut drill, Happened::StepEnded(Box::new(ending(step, way.to)))).unwrap();
    }
    assert_eq!(drill.ways(), ways);
    assert!(drill.visits().iter().all(|visit| visit.seconds == 10));
    // The same records, written down and read again, make the same drill.
    let mut again = Drill::new(runbook, roster());
    for record in drill.records() {
        let written = toml::to_string(record).unwrap();
        again.take(toml::from_str(&written).unwrap()).unwrap();
    }
    assert_eq!(again, drill);
    drill
}

#[test]
fn every_branch_of_every_runbook_that_comes_with_keymuster_is_walked_to_its_end() {
    let mut walked = 0;
    for known in shipped() {
        let runbook = read(known.text.as_bytes()).unwrap();
        for (from, step) in runbook.steps.iter().enumerate() {
            for to in step.ways_on() {
                let mut ways = shortest(&runbook, 0, Target::Step(from));
                ways.push(Way { from, to });
                if let Target::Step(on) = to {
                    ways.extend(shortest(&runbook, on, Target::End));
                }
                assert_eq!(walk(&runbook, &ways).prompt(), Prompt::Close);
                walked += 1;
            }
        }
    }
    assert!(walked > 200, "{walked}");
}

fn quarterly() -> Runbook {
    let known = shipped().iter().find(|known| known.name == "quarterly").unwrap();
    read(known.text.as_bytes()).unwrap()
}

#[test]
fn a_step_begins_before_it_ends_and_in_its_turn() {
    let runbook = quarterly();
    let mut drill = Drill::new(&runbook, roster());
    let [first, second] = [&runbook.steps[0], &runbook.steps[1]];
    let ended = |step: &Step| Happened::StepEnded(Box::new(ending(step, step.next)));
    let not_next = |step: &Step| Err(Misplaced::NotNext(step.id.clone()));
    assert_eq!(takes(&mut drill, ended(first)), not_next(first));
    assert_eq!(takes(&mut drill, begun(second)), not_next(second));
    takes(&mut drill, begun(first)).unwrap();
    assert_eq!(takes(&mut drill, begun(first)), not_next(first));
    assert_eq!(takes(&mut drill, ended(second)), not_next(second));
    takes(&mut drill, ended(first)).unwrap();
    assert_eq!(drill.prompt(), Prompt::Begin(second));
    assert_eq!(drill.records().len(), 2, "what was refused isn't there");
}

#[test]
fn after_the_last_step_none_begins() {
    let runbook = quarterly();
    let mut drill = walk(&runbook, &shortest(&runbook, 0, Target::End));
    let first = &runbook.steps[0];
    assert_eq!(takes(&mut drill, begun(first)), Err(Misplaced::NotNext(first.id.clone())));
}

#[test]
fn a_step_ends_with_what_it_asks_for() {
    let runbook = quarterly();
    let unfit = |id: &str, change: &dyn Fn(&mut Ending)| {
        let at = runbook.steps.iter().position(|step| step.id.as_str() == id).unwrap();
        let step = &runbook.steps[at];
        let mut drill = walk(&runbook, &shortest(&runbook, 0, Target::Step(at)));
        takes(&mut drill, begun(step)).unwrap();
        let mut ending = ending(step, step.ways_on()[0]);
        change(&mut ending);
        match takes(&mut drill, Happened::StepEnded(Box::new(ending))) {
            Err(Misplaced::Unfit { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    };
    let why = "a step that wasn't done needs a word on why";
    for result in [StepResult::Failed, StepResult::Skipped, StepResult::NotApplicable] {
        assert_eq!(unfit("sign-out", &|ending| ending.result = result), why);
    }
    let choose = |word: &'static str| move |ending: &mut Ending| ending.choice = Some(line(word));
    let other = "one of its choices is made, and nothing else";
    assert_eq!(unfit("all-well", &|ending| ending.choice = None), other);
    assert_eq!(unfit("all-well", &choose("Perhaps")), other);
    let skip = |ending: &mut Ending| {
        ending.result = StepResult::Skipped;
        ending.observed = Some(line("No time"));
    };
    assert_eq!(unfit("all-well", &skip), other);
    assert_eq!(unfit("sign-out", &choose("Yes")), "there is nothing to choose");
    let all = "each of its questions is answered, and no other";
    let answer = |ending: &mut Ending| ending.answers.push(line("Seen"));
    assert_eq!(unfit("bags", &|ending| ending.answers.clear()), all);
    assert_eq!(unfit("bags", &answer), all);
    assert_eq!(unfit("sign-out", &answer), "it asks no question");
    assert_eq!(unfit("all-well", &answer), "it asks no question");
}

#[test]
fn another_session_begins_with_what_happened_in_between() {
    let runbook = quarterly();
    let mut drill = Drill::new(&runbook, roster());
    let [first, second] = [&runbook.steps[0], &runbook.steps[1]];
    takes(&mut drill, begun(first)).unwrap();
    let resumed = |who: &str| Happened::Resumed {
        confirmed_by: handle(who),
        message: line("The battery was empty"),
    };
    let ended = || Happened::StepEnded(Box::new(ending(first, first.next)));
    let record = |number, session, seconds, happened| Record {
        number,
        session,
        at: time(),
        seconds,
        happened,
    };
    assert_eq!(drill.take(record(2, 1, 11, resumed("bob"))), Err(Misplaced::NotInterrupted));
    assert_eq!(drill.take(record(2, 2, 0, ended())), Err(Misplaced::Unexplained));
    for nobody in ["alice", "carol"] {
        let refused = Err(Misplaced::NotConfirmed(handle(nobody)));
        assert_eq!(drill.take(record(2, 2, 0, resumed(nobody))), refused);
    }
    drill.take(record(2, 2, 0, resumed("bob"))).unwrap();
    assert_eq!(drill.prompt(), Prompt::Ask(first), "it goes on at the same step");
    assert_eq!(drill.take(record(3, 1, 20, ended())), Err(Misplaced::Clock));
    drill.take(record(3, 2, 5, ended())).unwrap();
    assert_eq!(drill.visits()[0].seconds, 5, "what lay in between isn't counted");
    assert_eq!(drill.take(record(4, 2, 4, begun(second))), Err(Misplaced::Clock));
    let gap = Misplaced::Number { expected: 4, found: 5 };
    assert_eq!(drill.take(record(5, 2, 6, begun(second))), Err(gap));
    drill.take(record(4, 2, 6, Happened::Paused { reason: line("Lunch") })).unwrap();
    assert_eq!(drill.take(record(5, 2, 7, begun(second))), Err(Misplaced::Paused));
    drill.take(record(5, 3, 0, resumed("bob"))).unwrap();
    drill.take(record(6, 3, 0, begun(second))).unwrap();
}

#[test]
fn a_drill_has_an_end_even_where_people_go_round() {
    let runbook = quarterly();
    let mut drill = Drill::new(&runbook, roster());
    let odd = || Happened::Exception { message: line("Noise"), action: None, approver: None };
    for _ in 0..10_000 {
        takes(&mut drill, odd()).unwrap();
    }
    assert_eq!(takes(&mut drill, odd()), Err(Misplaced::TooMany));
}

#[test]
fn a_step_proves_what_it_asks_for_and_nothing_else() {
    let runbook = quarterly();
    let unfit = |id: &str, change: &dyn Fn(&mut Ending)| {
        let at = runbook.steps.iter().position(|step| step.id.as_str() == id).unwrap();
        let step = &runbook.steps[at];
        let mut drill = walk(&runbook, &shortest(&runbook, 0, Target::Step(at)));
        takes(&mut drill, begun(step)).unwrap();
        let mut ending = ending(step, step.next);
        change(&mut ending);
        match takes(&mut drill, Happened::StepEnded(Box::new(ending))) {
            Ok(()) => "",
            Err(Misplaced::Unfit { what, .. }) => what,
            Err(other) => panic!("{other:?}"),
        }
    };
    let mail = |outcome| {
        let (accounts, remark) = (vec![handle("prod")], None);
        Event::MailboxTested(AccountsTried { accounts, outcome, remark })
    };
    let signed_in = || {
        Event::SignInProven(SignInProven {
            accounts: vec![handle("prod")],
            device: None,
            evidence: Some(line("7f3c")),
            outcome: Outcome::Passed,
            remark: None,
        })
    };
    let key = |name: &str| name.parse().unwrap();
    type Change<'a> = &'a dyn Fn(&mut Ending);
    let cases: [(&str, Change<'_>, &str); 14] = [
        ("keys", &|e| e.keys.truncate(2), "somebody shows no key"),
        ("keys", &|e| e.keys.push(key("carol/primary")), "keys of other people are shown"),
        ("sign-out", &|e| e.keys.push(key("bob/primary")), "it asks for no key"),
        ("password", &|e| e.opened = None, "no secret was opened"),
        ("token", &|e| e.opened = Some(Opened { secret: key_of("seed.1"), receipt: 3 }), ""),
        (
            "sign-out",
            &|e| e.opened = Some(Opened { secret: key_of("seed.1"), receipt: 3 }),
            "it opens no secret",
        ),
        ("credentials", &|e| e.evidence.clear(), "nothing was kept"),
        ("sign-out", &|e| e.evidence.push(kept()), "it asks for no evidence"),
        ("mailbox", &|e| e.proves.push(mail(Outcome::Passed)), ""),
        ("mailbox", &|e| e.proves.push(mail(Outcome::Failed)), "what it proves isn't how it ended"),
        ("telephone", &|e| e.proves.push(mail(Outcome::Passed)), "it proves something else"),
        ("sign-in", &|e| e.proves.push(signed_in()), ""),
        ("sign-out", &|e| e.proves.push(signed_in()), "it proves something else"),
        ("sign-out", &|e| e.result = StepResult::Unfinished, "a step that ended isn't unfinished"),
    ];
    for (step, change, why) in cases {
        assert_eq!(unfit(step, change), why, "{step}");
    }
}

fn key_of(name: &str) -> crate::record::SecretName {
    name.parse().unwrap()
}

#[test]
fn parts_are_taken_over_and_whoever_has_one_now_confirms_and_signs() {
    let runbook = quarterly();
    let mut drill = Drill::new(&runbook, roster());
    let first = &runbook.steps[0];
    takes(&mut drill, begun(first)).unwrap();
    let takes_over = |role: &str, to: &str| {
        let (role, to, reason) = (handle(role), handle(to), line("He is ill"));
        Happened::PartTaken { role, to, reason }
    };
    for (role, to) in [("witness", "alice"), ("chief", "carol")] {
        let refused = Misplaced::NoPart { role: handle(role), person: handle(to) };
        assert_eq!(takes(&mut drill, takes_over(role, to)), Err(refused));
    }
    // At the beginning of another session somebody comes for bob, and confirms.
    let record = |number, happened| Record { number, session: 2, at: time(), seconds: 0, happened };
    drill.take(record(2, takes_over("witness", "carol"))).unwrap();
    let ended = Happened::StepEnded(Box::new(ending(first, first.next)));
    assert_eq!(drill.take(record(3, ended.clone())), Err(Misplaced::Unexplained));
    let resumed = |who: &str| {
        let (confirmed_by, message) = (handle(who), line("He left with a fever"));
        Happened::Resumed { confirmed_by, message }
    };
    assert_eq!(drill.take(record(3, resumed("bob"))), Err(Misplaced::NotConfirmed(handle("bob"))));
    drill.take(record(3, resumed("carol"))).unwrap();
    drill.take(record(4, ended)).unwrap();
    let visit = &drill.visits()[0];
    assert_eq!((visit.person.as_str(), visit.witness.as_ref()), ("alice", Some(&handle("carol"))));

    let digest = |_: &Step| Hex([9; 32]);
    let (events, proven) = transcript(&drill, &handle("drill-1"), time(), digest);
    let kinds: Vec<&str> = events.iter().map(Event::kind).collect();
    assert_eq!(kinds, ["drill-interrupted", "part-taken", "drill-step"]);
    let [Event::DrillInterrupted(gap), Event::PartTaken(part), Event::DrillStep(step)] =
        events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!((&gap.step, &gap.confirmed_by), (&Some(first.id.clone()), &Some(handle("carol"))));
    assert_eq!((&part.from, &part.to), (&Some(handle("bob")), &handle("carol")));
    assert_eq!((step.visit, &step.then), (1, &Some(runbook.steps[1].id.clone())));
    assert_eq!(proven, []);
}

#[test]
fn who_is_alone_in_earnest_confirms_for_themselves() {
    let runbook = quarterly();
    let mut drill = Drill::new(&runbook, vec!["operator=alice".parse().unwrap()]);
    takes(&mut drill, begun(&runbook.steps[0])).unwrap();
    let (confirmed_by, message) = (handle("alice"), line("The lights went out"));
    let happened = Happened::Resumed { confirmed_by, message };
    drill.take(Record { number: 2, session: 2, at: time(), seconds: 0, happened }).unwrap();
    // What falls to a role that nobody has is the operator's.
    assert_eq!(drill.doer(&handle("witness")), Some(&handle("alice")));
}

/// All that happened is told once, in its order; what a step proved comes after.
#[test]
fn a_transcript_tells_every_step_and_what_was_given_up() {
    let runbook = quarterly();
    // All goes as it should.
    let (mut ways, mut at) = (Vec::new(), Target::Step(0));
    while let Target::Step(from) = at {
        at = match &runbook.steps[from].task {
            Task::Decide { choices } => choices[0].goto,
            _ => runbook.steps[from].next,
        };
        ways.push(Way { from, to: at });
    }
    let drill = walk(&runbook, &ways);
    let digest = |step: &Step| Hex([u8::try_from(step.span.start % 251).unwrap(); 32]);
    let (events, _) = transcript(&drill, &handle("drill-1"), time(), digest);
    let steps: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::DrillStep(step) => Some((step.step.clone(), step.visit, step.sha256)),
            _ => None,
        })
        .collect();
    let walked: Vec<_> = ways
        .iter()
        .zip(1..)
        .map(|(way, visit)| {
            let step = &runbook.steps[way.from];
            (step.id.clone(), visit, digest(step))
        })
        .collect();
    assert_eq!(steps, walked);
    let evidence = events.iter().filter(|event| matches!(event, Event::EvidenceKept(_))).count();
    assert_eq!((evidence, events.len()), (1, ways.len() + 1));
    assert_eq!(drill.evidence_bytes(), 1000);

    let mut drill = Drill::new(&runbook, roster());
    takes(&mut drill, begun(&runbook.steps[0])).unwrap();
    takes(&mut drill, Happened::Paused { reason: line("Lunch") }).unwrap();
    let (events, _) = transcript(&drill, &handle("drill-1"), time(), digest);
    let [Event::DrillInterrupted(gap), Event::DrillStep(step)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!((&gap.reason, gap.until), (&Some(line("Lunch")), None));
    assert_eq!((step.result, &step.then), (StepResult::Unfinished, &None));
    assert_eq!(drill.seconds(), 20);
}
