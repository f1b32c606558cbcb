//! Who answers what is asked in a drill: the people at the terminal, or the demo.

use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::prompt::Question;
use crate::cli::secret::output::Target;
use crate::record::{Handle, SecretName};

/// What a question is about, so that whoever answers it needn't read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Whether a step is done: Enter.
    Done,
    /// Whether keys are plugged in: Enter.
    Keys,
    /// A code of a token, which is the first or the second.
    Code(u8),
    /// The id of CloudTrail's event.
    EventId,
    /// One of several things, by its number.
    Pick,
    /// Yes or no.
    YesOrNo,
    /// The path of a file.
    File,
    /// An answer to a question of the runbook's.
    Answer,
    /// One of the choices of a decision, by its number.
    Choice,
    /// Whether the objective was reached, and the like: yes or no.
    Closing,
    /// What was found; Enter ends it.
    Finding,
    /// Anything else.
    Other,
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The step that people are at.
    pub step: Option<&'a Handle>,
    /// What it is about.
    pub topic: Topic,
    /// As it is shown.
    pub text: &'a str,
}

/// Whoever goes through a drill.
pub trait People {
    /// Says something, line by line.
    fn say(&self, text: &str);
    /// Asks for a line.
    fn ask(&self, asked: &Asked<'_>) -> Result<String, Failure>;
    /// The same beside a stop-watch, whose words change.
    fn ask_ticking(&self, asked: &Asked<'_>, watch: &dyn Fn() -> String)
    -> Result<String, Failure>;
    /// Shows a secret, and takes it away again. The entry with its receipt stands.
    fn show(&self, secret: &SecretName, receipt: u64, value: &str) -> Result<(), Failure>;
    /// Whether anybody can be asked anything.
    fn are_there(&self) -> bool;
}

/// What to do without one.
const AT_A_TERMINAL: &str = "run it at a terminal: nothing answers for them";

/// The people at the terminal.
#[derive(Debug)]
pub struct AtTerminal<'a>(pub &'a Context);

impl<'a> AtTerminal<'a> {
    /// Fails where nobody could be asked anything.
    pub fn present(context: &'a Context) -> Result<Self, Failure> {
        let people = Self(context);
        if people.are_there() {
            return Ok(people);
        }
        let message = "a drill is gone through by people, and there is no terminal";
        Err(Failure::new(exit::ABSENT, message).hint(AT_A_TERMINAL))
    }
}

impl People for AtTerminal<'_> {
    fn say(&self, text: &str) {
        self.0.terminal.say(text);
    }

    fn ask(&self, asked: &Asked<'_>) -> Result<String, Failure> {
        self.0.terminal.ask(&question(asked))
    }

    fn ask_ticking(
        &self,
        asked: &Asked<'_>,
        watch: &dyn Fn() -> String,
    ) -> Result<String, Failure> {
        self.0.terminal.ask_ticking(watch, &question(asked))
    }

    fn show(&self, secret: &SecretName, receipt: u64, value: &str) -> Result<(), Failure> {
        Target::Terminal.give(self.0, (&format!("{secret}:"), receipt), value)
    }

    fn are_there(&self) -> bool {
        self.0.terminal.is_there()
    }
}

fn question<'q>(asked: &Asked<'q>) -> Question<'q> {
    Question {
        text: asked.text,
        about: "a drill is gone through by people",
        instead: AT_A_TERMINAL,
    }
}
