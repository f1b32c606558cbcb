//! `keymuster drill start`

use clap::Args;

use super::conduct::Conduct;
use super::people::{AtTerminal, People};
use crate::cli::account::named;
use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::cosigners::Matter;
use crate::cli::epochs::state_after;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::runbook::chosen::{Chosen, not_adopted, read_adopted};
use crate::cli::session::Session;
use crate::cli::unlock::Opener;
use crate::record::{
    DrillPurpose, DrillRun, DrillStarted, Event, Handle, Line, OPERATOR, Part, RunbookAdopted,
    State,
};

/// `keymuster drill start`
#[derive(Debug, Args)]
#[command(
    after_help = "Everybody who has a part signs the beginning and the end, with a key of their own. The\n\
    beginning is on record before the first step: no drill can vanish.\n\n\
    Examples:\n  \
    keymuster drill start quarterly --account prod --as operator=alice --as witness=bob\n  \
    keymuster drill start root-only-task --account prod --as operator=alice --as witness=bob \\\n    \
    --live \"Let IAM users see billing\" --approver \"CISO\" --ticket OPS-712"
)]
pub struct Start {
    /// A runbook that the vault has adopted
    runbook: Handle,
    /// For which account, by handle or id; may be repeated where the runbook is for several
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<String>,
    /// Who has which part; repeat it for each
    #[arg(long = "as", value_name = "ROLE=PERSON", required = true)]
    parts: Vec<Part>,
    /// Run it in earnest, for this task
    #[arg(long, value_name = "TASK", requires = "approver")]
    live: Option<Line>,
    /// Who approved of it
    #[arg(long, value_name = "NAME")]
    approver: Option<Line>,
    /// Where that is on record
    #[arg(long, value_name = "ID")]
    ticket: Option<Line>,
    /// What is supposed to have happened
    #[arg(long, value_name = "TEXT")]
    scenario: Option<Line>,
    /// What the drill is called; else the runbook's name and the next number
    #[arg(long, value_name = "ID")]
    id: Option<Handle>,
}

pub fn run(context: &Context, start: &Start) -> Result<Answer, Failure> {
    let people = AtTerminal::present(context)?;
    start_with(context, start, &people)
}

/// The same with other people than those at the terminal.
pub fn start_with(
    context: &Context,
    start: &Start,
    people: &dyn People,
) -> Result<Answer, Failure> {
    let operator = start.operator()?;
    let mut session = Session::open_to_write(context, Opener::Of(operator), None)?;
    session.vault.check_sound()?;
    let (adoption, name) = {
        let state = session.state();
        let known = state.adopted_runbook(&start.runbook);
        let known = known.ok_or_else(|| not_adopted(state, &start.runbook))?;
        (known.adoption.clone(), start.name(&session)?)
    };
    let RunbookAdopted { runbook, version, sha256, file, .. } = &adoption;
    let chosen = read_adopted(&session, &format!("{runbook}, version {version}"), (file, sha256))?;
    let event = start.event(session.state(), &adoption, &name, &chosen)?;
    let events = vec![Event::DrillStarted(Box::new(event))];
    state_after(context, session.state(), &events, &[])?;
    let opener = session.opener()?;
    let signers = {
        let matter = Matter::of(&events);
        let first = session.unless_another_must(opener.again(), matter, &[]);
        session.gather(matter, first, &[])?
    };
    let decided = session.decide(signers, Change { events, ..Change::default() })?;
    let entry = decided.at.entry;
    let run = session.state().drills().get(&name).map(|run| DrillRun::clone(run));
    let run = run.ok_or_else(|| Failure::new(exit::FAILED, "the drill isn't on record"))?;
    people.say(decided.sentence().trim_end());
    people.say(&super::screen::opening(
        &chosen.runbook,
        &name,
        super::screen::width(context.terminal.size().1),
    ));
    let conduct = Conduct::new(session, people, opener, (name, run), &chosen)
        .map_err(|failure| failure.after_entry(entry))?;
    conduct.go()
}

impl Start {
    fn operator(&self) -> Result<&Handle, Failure> {
        let part = self.parts.iter().find(|part| part.role.as_str() == OPERATOR);
        part.map(|part| &part.person).ok_or_else(|| {
            Failure::new(exit::USAGE, "nobody is the operator")
                .hint("say who has which part: --as operator=alice --as witness=bob")
        })
    }

    /// What the drill is called.
    fn name(&self, session: &Session<'_>) -> Result<Handle, Failure> {
        let state = session.state();
        let has_drafts = |name: &Handle| session.vault.has_drafts(name);
        if let Some(id) = &self.id {
            if has_drafts(id) && !state.drills().contains_key(id) {
                let message = format!("drafts/{id} is there, of a drill that isn't on record");
                return Err(Failure::new(exit::FAILED, message)
                    .hint("take another --id; move that folder away once nobody needs it"));
            }
            return Ok(id.clone());
        }
        // A name has 32 characters at most.
        let runbook: String = self.runbook.as_str().chars().take(26).collect();
        let runbook = runbook.trim_end_matches('-');
        let numbered = (1_u32..).filter_map(|n| format!("{runbook}-{n}").parse::<Handle>().ok());
        let is_free = |name: &Handle| !state.drills().contains_key(name) && !has_drafts(name);
        let free = numbered.into_iter().find(is_free);
        free.ok_or_else(|| Failure::new(exit::FAILED, "no name is left"))
    }

    fn event(
        &self,
        state: &State,
        adoption: &RunbookAdopted,
        name: &Handle,
        chosen: &Chosen,
    ) -> Result<DrillStarted, Failure> {
        let accounts = self.account.iter().map(|account| named(state, account));
        let mut accounts = accounts.collect::<Result<Vec<Handle>, _>>()?;
        accounts.sort();
        let live = self.live.is_some();
        Ok(DrillStarted {
            drill: name.clone(),
            runbook: adoption.runbook.clone(),
            version: adoption.version,
            sha256: adoption.sha256,
            purpose: if live { DrillPurpose::Live } else { DrillPurpose::Rehearsal },
            objective: chosen.runbook.about.clone(),
            scenario: self.scenario.clone(),
            accounts,
            roster: self.parts.clone(),
            task: self.live.clone(),
            approver: self.approver.clone(),
            ticket: self.ticket.clone(),
        })
    }
}
