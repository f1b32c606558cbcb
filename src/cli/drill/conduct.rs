//! Leading people through a drill: each step is put down before they are asked anything, and how it
//! ended before the next.

use std::time::Instant;

use serde::Serialize;

use super::ask::Stop;
use super::journal::{remember, reread};
use super::people::{Asked, People, Topic};
use super::screen;
use super::tasks::Unsealed;
use crate::cli::cosigners::Cosigner;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::runbook::chosen::Chosen;
use crate::cli::session::Session;
use crate::drill::{Drill, Happened, Prompt, Record};
use crate::record::{DrillRun, Handle, Line};
use crate::runbook::Step;
use crate::vault::Journal;

/// A drill, and the people who go through it.
pub struct Conduct<'c> {
    /// The vault, opened with the operator's key.
    pub session: Session<'c>,
    /// Who answers.
    pub people: &'c dyn People,
    /// The operator's key.
    pub opener: Cosigner,
    /// What the drill is called.
    pub name: Handle,
    /// What is on record of it.
    pub run: DrillRun,
    /// The runbook.
    pub chosen: &'c Chosen,
    /// What happened until now.
    pub drill: Drill<'c>,
    /// What was opened since this session began.
    pub unsealed: Unsealed,
    pub journal: Journal,
    /// Which session this is.
    number: u32,
    /// Since when it goes.
    clock: Instant,
    /// Seconds that were spent before it.
    before: u32,
}

/// Where a drill stands that people left.
#[derive(Serialize)]
struct Left {
    drill: String,
    step: Option<String>,
    seconds: u32,
}

impl<'c> Conduct<'c> {
    /// Begins, or goes on, with what the journal tells.
    pub fn new(
        mut session: Session<'c>,
        people: &'c dyn People,
        opener: Cosigner,
        (name, run): (Handle, DrillRun),
        chosen: &'c Chosen,
    ) -> Result<Self, Failure> {
        session.is_long = true;
        let (journal, drill) = reread(&session, (&name, &run), &chosen.runbook)?;
        let number = drill.records().last().map_or(1, |last| last.session.saturating_add(1));
        let before = drill.seconds();
        Ok(Self {
            session,
            people,
            opener,
            name,
            run,
            chosen,
            drill,
            unsealed: Unsealed::default(),
            journal,
            number,
            clock: Instant::now(),
            before,
        })
    }

    /// Writes down what happened. Only what is written has happened.
    pub fn record(&mut self, happened: Happened) -> Result<(), Failure> {
        let number = u32::try_from(self.drill.records().len()).unwrap_or(u32::MAX);
        let record = Record {
            number: number.saturating_add(1),
            session: self.number,
            at: self.session.context.now()?,
            seconds: self.session_seconds(),
            happened,
        };
        let text = toml::to_string(&record)
            .map_err(|error| Failure::because(exit::FAILED, "a bug in keymuster", &error))?;
        let mut after = self.drill.clone();
        after.take(record).map_err(|error| Failure::of(exit::FAILED, &error))?;
        self.session.vault.write_record(&mut self.journal, &text)?;
        self.drill = after;
        remember(&self.session, &self.journal);
        Ok(())
    }

    fn session_seconds(&self) -> u32 {
        u32::try_from(self.clock.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    /// Seconds that were spent on the drill until now.
    pub fn seconds(&self) -> u32 {
        self.before.saturating_add(self.session_seconds())
    }

    /// Seconds that were spent at the step that people are at.
    pub fn step_seconds(&self) -> u32 {
        let counted = self.drill.visits().last().map_or(0, |visit| visit.seconds);
        let last = self.drill.records().last().filter(|last| last.session == self.number);
        let since = last.map_or(0, |last| last.seconds);
        counted.saturating_add(self.session_seconds().saturating_sub(since))
    }

    /// How wide the screen is.
    pub fn width(&self) -> usize {
        screen::width(self.session.context.terminal.size().1)
    }

    /// Shows a step.
    pub fn show(&self, step: &Step) {
        let steps = &self.drill.runbook().steps;
        let place = steps.iter().position(|known| known.id == step.id).unwrap_or(0);
        let shown =
            screen::step(&self.drill, (&self.name, &self.run), place, self.seconds(), self.width());
        self.people.say(&format!("{}\n", shown.trim_end()));
    }

    /// Goes through the steps that are left, and ends the drill.
    pub fn go(self) -> Result<Answer, Failure> {
        let (context, name) = (self.session.context, self.name.clone());
        let gone = self.go_through();
        if gone.is_err() {
            context
                .terminal
                .say(&format!("Nothing that was answered is lost: keymuster drill resume {name}"));
        }
        gone
    }

    fn go_through(mut self) -> Result<Answer, Failure> {
        if let Prompt::Ask(step) = self.drill.prompt() {
            self.show(step);
        }
        loop {
            let stopped = match self.drill.prompt() {
                Prompt::Begin(step) => {
                    let step_id = step.id.clone();
                    let begun = self.record(Happened::StepBegun { step: step_id });
                    begun.map(|()| self.show(step)).map_err(Stop::Failed)
                }
                Prompt::Ask(step) => self.at(step).and_then(|ending| {
                    self.record(Happened::StepEnded(Box::new(ending))).map_err(Stop::Failed)
                }),
                Prompt::Close => return self.close(),
            };
            match stopped {
                Ok(()) => {}
                Err(Stop::Ended(ending)) => {
                    if let Err(failure) = self.record(Happened::StepEnded(ending)) {
                        self.say_failure(failure)?;
                    }
                }
                Err(Stop::Pause(reason)) => return self.pause(reason),
                Err(Stop::Abandon(reason)) => return self.abandon(reason),
                Err(Stop::Failed(failure)) if failure.exit == exit::INTERRUPTED => {
                    match self.interrupted(failure)? {
                        None => {
                            if let Prompt::Ask(step) = self.drill.prompt() {
                                self.show(step);
                            }
                        }
                        Some(Stop::Abandon(reason)) => return self.abandon(reason),
                        Some(Stop::Pause(reason)) => return self.pause(reason),
                        Some(Stop::Failed(failure)) => return Err(failure),
                        Some(Stop::Ended(_)) => {}
                    }
                }
                Err(Stop::Failed(failure)) => self.say_failure(failure)?,
            }
        }
    }

    /// Tells what didn't work; people then try again, or say that it failed. Where nobody is
    /// there, or nothing can be written down, the drill stops here.
    fn say_failure(&self, failure: Failure) -> Result<(), Failure> {
        if !self.people.are_there() {
            return Err(failure);
        }
        self.people.say(&failure.to_string());
        self.people.say("Try again, or type :failed, :skip or :pause.");
        // A disk that stays full would make this go round.
        let asked = Asked { step: None, topic: Topic::Other, text: "Press Enter: " };
        self.people.ask(&asked).map(drop)
    }

    /// Somebody pressed Ctrl-C: do they stop, or give up? A second one ends the program, and loses
    /// nothing.
    fn interrupted(&mut self, failure: Failure) -> Result<Option<Stop>, Failure> {
        if !self.people.are_there() {
            return Err(failure);
        }
        self.session.context.forgive_interruption();
        let text = "\nInterrupted. Pause, abandon, or go on? (pause, abandon, go; Ctrl-C again stops at once) ";
        loop {
            let asked = Asked { step: None, topic: Topic::Other, text };
            let answer = self.people.ask(&asked)?.to_ascii_lowercase();
            let why = |what| self.ask_why(what);
            match answer.trim_start_matches(':') {
                "g" | "go" | "go on" => return Ok(None),
                "p" | "pause" => return why("Why do you stop? ").map(|l| Some(Stop::Pause(l))),
                "a" | "abandon" => {
                    return why("Why is it given up? ").map(|l| Some(Stop::Abandon(l)));
                }
                _ => {}
            }
        }
    }

    fn ask_why(&self, text: &str) -> Result<Line, Failure> {
        loop {
            let asked = Asked { step: None, topic: Topic::Other, text };
            let typed = self.people.ask(&asked)?;
            if let Ok(line) = typed.parse() {
                return Ok(line);
            }
        }
    }

    /// Stops for a while.
    fn pause(mut self, reason: Line) -> Result<Answer, Failure> {
        self.record(Happened::Paused { reason })?;
        let step = match self.drill.prompt() {
            Prompt::Begin(step) | Prompt::Ask(step) => Some(step.id.to_string()),
            Prompt::Close => None,
        };
        let (drill, seconds) = (self.name.to_string(), self.seconds());
        let words = format!(
            "{drill} is paused, and stays open: keymuster drill resume {drill} goes on at the same \
             step.\n"
        );
        Ok(Answer::new("drill-paused", &Left { drill, step, seconds }, words))
    }
}
