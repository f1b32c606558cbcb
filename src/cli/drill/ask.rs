//! What can be typed at any question of a drill beside an answer: words that begin with a colon.

use std::fmt::Display;

use super::conduct::Conduct;
use super::people::{Asked, Topic};
use super::screen;
use crate::cli::failure::Failure;
use crate::drill::{Ending, Happened};
use crate::record::{Handle, Line, StepResult};
use crate::runbook::Step;

/// Why a question got no answer.
pub enum Stop {
    /// The step ended otherwise.
    Ended(Box<Ending>),
    /// The people stop for a while.
    Pause(Line),
    /// They give up.
    Abandon(Line),
    /// It couldn't be asked, or what it was for couldn't be done.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

const HELP: &str = "\
At any question you may type instead:
  :step             show this step again
  :back [N]         read the step before this one, or step N; nothing changes
  :steps            all steps, and where we are
  :note [TEXT]      something is otherwise than it should be: it goes on record
  :failed [TEXT]    this step was tried, and failed; why
  :skip [TEXT]      it is left out; why
  :na [TEXT]        it doesn't apply here; why
  :part ROLE WHO    somebody else takes over a part
  :pause [TEXT]     stop for a while; keymuster drill resume goes on
  :abandon [TEXT]   give the drill up; why
Ctrl-C asks whether to pause or to give up. Nothing that was answered is lost.";

impl Conduct<'_> {
    /// Asks for a line, and sees to what is typed instead of an answer.
    pub fn ask(&mut self, step: &Step, topic: Topic, text: &str) -> Result<String, Stop> {
        loop {
            let asked = Asked { step: Some(&step.id), topic, text };
            let answer = self.people.ask(&asked)?;
            match answer.strip_prefix(':') {
                Some(typed) => self.typed(step, typed)?,
                None => return Ok(answer),
            }
        }
    }

    /// The same beside a stop-watch, whose words change.
    pub fn ask_ticking(
        &mut self,
        step: &Step,
        text: &str,
        watch: &dyn Fn() -> String,
    ) -> Result<(), Stop> {
        loop {
            let asked = Asked { step: Some(&step.id), topic: Topic::Done, text };
            let answer = self.people.ask_ticking(&asked, watch)?;
            match answer.strip_prefix(':') {
                Some(typed) => self.typed(step, typed)?,
                None => return Ok(()),
            }
        }
    }

    /// Asks for a line that is kept, until one is typed that can be.
    pub fn ask_line(&mut self, step: &Step, topic: Topic, text: &str) -> Result<Line, Stop> {
        loop {
            match self.ask(step, topic, text)?.parse::<Line>() {
                Ok(line) => return Ok(line),
                Err(error) => self.people.say(&format!("That {}.", unfit(&error.to_string()))),
            }
        }
    }

    /// Asks for yes or no.
    pub fn ask_yes(&mut self, step: &Step, topic: Topic, text: &str) -> Result<bool, Stop> {
        loop {
            let answer = self.ask(step, topic, &format!("{text} (yes or no) "))?;
            match yes_or_no(&answer) {
                Some(yes) => return Ok(yes),
                None => self.people.say("Type yes or no, or :help."),
            }
        }
    }

    /// Asks for one of several things, by its number or its name.
    pub fn ask_one_of<'t, T: Display>(
        &mut self,
        step: &Step,
        text: &str,
        things: &'t [T],
    ) -> Result<&'t T, Stop> {
        for (number, thing) in (1..).zip(things) {
            self.people.say(&format!("  {number}. {thing}"));
        }
        loop {
            let answer = self.ask(step, Topic::Pick, text)?;
            let by_number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let by_number = by_number.and_then(|place| things.get(place));
            let by_name = || things.iter().find(|thing| thing.to_string() == answer);
            match by_number.or_else(by_name) {
                Some(thing) => return Ok(thing),
                None => self.people.say(&format!("Type a number from 1 to {}.", things.len())),
            }
        }
    }

    /// What was typed behind a colon.
    fn typed(&mut self, step: &Step, typed: &str) -> Result<(), Stop> {
        let (word, rest) = typed.split_once(' ').unwrap_or((typed, ""));
        let rest = rest.trim();
        match word.to_ascii_lowercase().as_str() {
            "step" | "s" => self.show(step),
            "back" | "b" => self.show_earlier(step, rest),
            "steps" => {
                let at = self.drill.runbook().steps.iter().position(|known| known.id == step.id);
                self.people.say(screen::outline(&self.drill, at).trim_end());
            }
            "note" => self.note(step, rest)?,
            "failed" => return Err(self.ended(step, StepResult::Failed, rest)?),
            "skip" => return Err(self.ended(step, StepResult::Skipped, rest)?),
            "na" => return Err(self.ended(step, StepResult::NotApplicable, rest)?),
            "part" => self.hand_over(step, rest)?,
            "pause" => return Err(Stop::Pause(self.said(step, rest, "Why do you stop? ")?)),
            "abandon" => {
                return Err(Stop::Abandon(self.said(step, rest, "Why is it given up? ")?));
            }
            "help" | "h" | "?" | "" => self.people.say(HELP),
            _ => self.people.say("There is no such word; :help tells which there are."),
        }
        Ok(())
    }

    /// What was typed behind a word, or else asked for.
    fn said(&mut self, step: &Step, typed: &str, question: &str) -> Result<Line, Failure> {
        let mut typed = typed.to_owned();
        loop {
            match typed.parse::<Line>() {
                Ok(line) => return Ok(line),
                Err(_) if typed.is_empty() => {}
                Err(error) => self.people.say(&format!("That {}.", unfit(&error.to_string()))),
            }
            let asked = Asked { step: Some(&step.id), topic: Topic::Other, text: question };
            typed = self.people.ask(&asked)?;
        }
    }

    fn ended(&mut self, step: &Step, result: StepResult, why: &str) -> Result<Stop, Failure> {
        let observed = Some(self.said(step, why, "Why? ")?);
        Ok(Stop::Ended(Box::new(Ending { observed, ..Ending::of(step.id.clone(), result) })))
    }

    /// Something is otherwise than it should be.
    fn note(&mut self, step: &Step, what: &str) -> Result<(), Failure> {
        let message = self.said(step, what, "What is otherwise? ")?;
        let action = self.perhaps(step, "What is done about it? (Enter: nothing) ")?;
        let approver = match &action {
            Some(_) => self.perhaps(step, "Who approves of that? (Enter: nobody was asked) ")?,
            None => None,
        };
        self.record(Happened::Exception { message, action, approver })?;
        self.people.say("It is on record.");
        Ok(())
    }

    /// Asks for a line that may be left empty.
    fn perhaps(&mut self, step: &Step, question: &str) -> Result<Option<Line>, Failure> {
        let asked = Asked { step: Some(&step.id), topic: Topic::Other, text: question };
        let typed = self.people.ask(&asked)?;
        if typed.is_empty() {
            return Ok(None);
        }
        self.said(step, &typed, question).map(Some)
    }

    /// Somebody else takes over a part.
    fn hand_over(&mut self, step: &Step, typed: &str) -> Result<(), Failure> {
        let mut words = typed.split_whitespace();
        let mut handle = || words.next().and_then(|word| word.parse::<Handle>().ok());
        let (Some(role), Some(to)) = (handle(), handle()) else {
            self.people.say("Type a role and a person, such as :part witness carol.");
            return Ok(());
        };
        if !self.session.state().custodians().contains_key(&to) {
            self.people.say(&format!("{to} is no custodian."));
            return Ok(());
        }
        let reason = self.said(step, "", "Why? ")?;
        let taken = Happened::PartTaken { role: role.clone(), to: to.clone(), reason };
        match self.record(taken) {
            Ok(()) => self.people.say(&format!("{to} is {role} from now on, and signs the end.")),
            Err(failure) => self.people.say(&format!("{}.", failure.sentence())),
        }
        Ok(())
    }

    /// Shows an earlier step, or any other by its number.
    fn show_earlier(&mut self, step: &Step, number: &str) {
        let steps = &self.drill.runbook().steps;
        let place = match number.parse::<usize>() {
            Ok(number) => number.checked_sub(1),
            Err(_) => {
                let mut visits = self.drill.visits().iter().rev();
                visits.find(|v| steps.get(v.step).is_some_and(|s| s.id != step.id)).map(|v| v.step)
            }
        };
        let Some((place, other)) = place.and_then(|place| Some((place, steps.get(place)?))) else {
            self.people.say("There is no such step.");
            return;
        };
        let mut text =
            format!("\nStep {}: {} (to read; we are at {})\n", place + 1, other.title, step.title);
        text.push_str(&screen::body(other, self.width()));
        for visit in self.drill.visits().iter().filter(|visit| visit.step == place) {
            if let Some((at, ending)) = &visit.ended {
                let said = ending.observed.iter().chain(&ending.choice).chain(&ending.answers);
                let said: String = said.map(|line| format!("; {line}")).collect();
                text.push_str(&format!("> {} at {at}{said}\n", ending.result.word()));
            }
        }
        self.people.say(text.trim_end());
    }
}

/// What is wrong with a line, after `That`.
fn unfit(error: &str) -> String {
    error.strip_prefix("text ").unwrap_or(error).to_owned()
}

/// An answer that says yes or no.
pub fn yes_or_no(answer: &str) -> Option<bool> {
    match answer.to_ascii_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    }
}
