use super::*;
use crate::record::{Handle, Line, Time};
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

fn roster() -> Vec<(Handle, Handle)> {
    [("operator", "alice"), ("witness", "bob")]
        .map(|(role, who)| (handle(role), handle(who)))
        .into()
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

/// How a step ends when it goes this way.
fn ending(step: &Step, to: Target) -> Ending {
    let plain = Ending {
        step: step.id.clone(),
        result: StepResult::Done,
        choice: None,
        answers: Vec::new(),
        remark: None,
    };
    match &step.task {
        Task::Decide { choices } => {
            let choice = choices.iter().find(|choice| choice.goto == to).unwrap();
            Ending { choice: Some(choice.answer.clone()), ..plain }
        }
        _ if to != step.next => {
            Ending { result: StepResult::Failed, remark: Some(line("It failed")), ..plain }
        }
        Task::Record { asks } => {
            Ending { answers: asks.iter().map(|_| vec![line("Seen")]).collect(), ..plain }
        }
        _ => plain,
    }
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
        takes(&mut drill, Happened::StepEnded(ending(step, way.to))).unwrap();
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
    let ended = |step: &Step| Happened::StepEnded(ending(step, step.next));
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
        match takes(&mut drill, Happened::StepEnded(ending)) {
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
        ending.remark = Some(line("No time"));
    };
    assert_eq!(unfit("all-well", &skip), other);
    assert_eq!(unfit("sign-out", &choose("Yes")), "there is nothing to choose");
    let all = "each of its questions is answered, and no other";
    let answer = |ending: &mut Ending| ending.answers.push(vec![line("Seen")]);
    assert_eq!(unfit("bags", &|ending| ending.answers.clear()), all);
    assert_eq!(unfit("bags", &|ending| ending.answers[1].clear()), all);
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
    let ended = || Happened::StepEnded(ending(first, first.next));
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
    let odd = || Happened::Exception { message: line("Noise"), action: None, approved_by: None };
    for _ in 0..10_000 {
        takes(&mut drill, odd()).unwrap();
    }
    assert_eq!(takes(&mut drill, odd()), Err(Misplaced::TooMany));
}
