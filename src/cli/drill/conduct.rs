//! A drill that is under way, and all that goes with it: the vault, the people, the journal. What
//! happens is written down here, and nowhere else.

use std::time::Instant;

use super::journal::{remember, reread};
use super::people::{Asked, People, Topic};
use super::screen;
use super::unsealed::Unsealed;
use crate::cli::cosigners::Cosigner;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::runbook::chosen::Chosen;
use crate::cli::session::Session;
use crate::drill::{Drill, Happened, Record};
use crate::record::{DrillRun, Handle};
use crate::runbook::Step;
use crate::vault::{Journal, JournalError};

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
    /// What was written down until now.
    pub journal: Journal,
    /// Whether somebody else goes on with it: then nobody does here.
    pub is_overtaken: bool,
    /// Which session this is.
    number: u32,
    /// Since when it goes.
    clock: Instant,
    /// Seconds that were spent before it.
    before: u32,
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
            is_overtaken: false,
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
        let written = self.session.vault.write_record(&mut self.journal, &text);
        self.is_overtaken |= matches!(written, Err(JournalError::Overtaken(_)));
        written?;
        self.drill = after;
        remember(&self.session, &self.journal);
        Ok(())
    }

    /// Takes in what others recorded meanwhile. Whoever means to record something then keeps the
    /// vault's lock.
    pub fn look_again(&mut self, keeps_lock: bool) -> Result<(), Failure> {
        self.session.look_again()?;
        if !keeps_lock {
            self.session.lock = None;
        }
        let run = self.session.state().drills().get(&self.name);
        let Some((end, _)) = run.and_then(|run| run.end.as_ref()) else { return Ok(()) };
        let message = format!("{} was ended by entry {} meanwhile", self.name, end.entry);
        self.is_overtaken = true;
        self.session.lock = None;
        Err(Failure::new(exit::FAILED, message)
            .hint(format!("keymuster drill show {} tells by whom", self.name)))
    }

    /// Tells what didn't work, and waits until somebody wants to try again. Where nobody is there,
    /// or somebody else goes on, the drill stops here.
    pub fn say_failure(&self, failure: Failure, text: &str) -> Result<(), Failure> {
        if self.is_overtaken || !self.people.are_there() {
            return Err(failure);
        }
        self.people.say(&failure.to_string());
        // A disk that stays full would make this go round.
        self.people.ask(&Asked { step: None, topic: Topic::Other, text }).map(drop)
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
}
