//! Leading people through a drill: each step is put down before they are asked anything, and how it
//! ended before the next.

use serde::Serialize;

use super::ask::Stop;
use super::conduct::Conduct;
use super::people::{Asked, Topic};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::drill::{Happened, Prompt};
use crate::record::Line;

/// What is said where a step didn't work.
const AGAIN: &str = "Press Enter to try again (there, :failed, :skip or :pause end it) ";

/// Where a drill stands that people left.
#[derive(Serialize)]
struct Left {
    drill: String,
    step: Option<String>,
    seconds: u32,
}

impl Conduct<'_> {
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
                    let begun = self
                        .look_again(false)
                        .and_then(|()| self.record(Happened::StepBegun { step: step_id }));
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
                        self.say_failure(failure, AGAIN)?;
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
                Err(Stop::Failed(failure)) => self.say_failure(failure, AGAIN)?,
            }
        }
    }

    /// Somebody pressed Ctrl-C: do they stop, or give up? A second one ends the program, and loses
    /// nothing.
    fn interrupted(&mut self, failure: Failure) -> Result<Option<Stop>, Failure> {
        let context = self.session.context;
        if !self.people.are_there() || context.is_told_to_end() {
            return Err(failure);
        }
        context.forgive_interruption();
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
