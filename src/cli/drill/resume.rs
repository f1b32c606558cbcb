//! `keymuster drill resume`

use clap::Args;

use super::conduct::Conduct;
use super::people::{Asked, AtTerminal, Topic};
use super::{known, under_way};
use crate::cli::context::Context;
use crate::cli::cosigners::Signers;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::runbook::chosen::{Chosen, read_adopted};
use crate::cli::session::Session;
use crate::cli::unlock::Opener;
use crate::cli::words::duration;
use crate::drill::{Happened, Prompt};
use crate::record::{DrillRun, Handle, Line, OPERATOR, Part};

/// `keymuster drill resume`
#[derive(Debug, Args)]
#[command(
    after_help = "It goes on at the step where it stopped. Somebody else than the operator confirms what\n\
    happened in between. Whoever can't be there is replaced with --as.\n\n\
    Examples:\n  keymuster drill resume\n  keymuster drill resume quarterly-1 --as witness=carol"
)]
pub struct Resume {
    /// Which, where several are under way
    drill: Option<Handle>,
    /// Who takes over which part
    #[arg(long = "as", value_name = "ROLE=PERSON")]
    parts: Vec<Part>,
    #[command(flatten)]
    signers: Signers,
}

pub fn run(context: &Context, resume: &Resume) -> Result<Answer, Failure> {
    let people = AtTerminal::present(context)?;
    let operator = resume.parts.iter().find(|part| part.role.as_str() == OPERATOR);
    let opener = match (resume.signers.by.as_slice(), operator) {
        ([], Some(part)) => Opener::Of(&part.person),
        _ => resume.signers.opener(),
    };
    let mut session = Session::open_with_key(context, opener, None)?;
    session.vault.check_sound()?;
    let name = under_way(session.state(), resume.drill.as_ref())?;
    let run = known(session.state(), &name)?.clone();
    let chosen = runbook_of(&session, &run)?;
    let opener = session.opener()?;
    let mut conduct = Conduct::new(session, &people, opener, (name, run), &chosen)?;
    explain(&mut conduct, &resume.parts)?;
    let (roster, owner) = (conduct.drill.roster(), &conduct.opener.name.owner);
    if !roster.iter().any(|part| part.person == *owner) {
        let message = format!("{owner} opened the vault, and has no part in {}", conduct.name);
        let people: Vec<String> = roster.iter().map(|part| part.person.to_string()).collect();
        return Err(Failure::new(exit::USAGE, message)
            .hint(format!("open it with a key of {}: --by", people.join(" or "))));
    }
    conduct.go()
}

/// The runbook that a drill was begun with, as it was adopted then.
pub fn runbook_of(session: &Session<'_>, run: &DrillRun) -> Result<Chosen, Failure> {
    let name = format!("{}, version {}", run.start.runbook, run.start.version);
    read_adopted(session, &name, (&run.file, &run.start.sha256))
}

/// Tells what is known of the interruption, and has what happened in it confirmed.
fn explain(conduct: &mut Conduct<'_>, parts: &[Part]) -> Result<(), Failure> {
    let now = conduct.session.context.now()?;
    let Some(last) = conduct.drill.records().last().cloned() else {
        // It stopped before its first step: nothing has to be explained.
        return match parts {
            [] => Ok(()),
            _ => Err(Failure::new(exit::USAGE, "nothing has happened in it yet")
                .hint("go on as it was begun; :part ROLE WHO hands a part over")),
        };
    };
    let gap = (now.moment() - last.at.moment()).num_seconds().max(0);
    let gap = duration(u32::try_from(gap).unwrap_or(u32::MAX));
    let place = match conduct.drill.prompt() {
        Prompt::Begin(step) => format!("before the step {}", step.title),
        Prompt::Ask(step) => format!("in the step {}", step.title),
        Prompt::Close => "after its last step".to_owned(),
    };
    let why = match &last.happened {
        Happened::Paused { reason } => format!("It was paused: {reason}."),
        _ => "It was cut off.".to_owned(),
    };
    let name = &conduct.name;
    conduct.people.say(&format!("{name} stopped at {}, {gap} ago, {place}. {why}", last.at));
    for Part { role, person } in parts {
        if conduct.drill.holder(role.as_str()) == Some(person) {
            continue;
        }
        let reason = line(conduct, &format!("Why does {person} take over as {role}? "))?;
        let (role, to) = (role.clone(), person.clone());
        conduct.record(Happened::PartTaken { role, to, reason })?;
    }
    let others = conduct.drill.roster().iter().filter(|part| part.role.as_str() != OPERATOR);
    let others: Vec<Handle> = others.map(|part| part.person.clone()).collect();
    // Who is alone in a live run has nobody else to ask.
    let confirming = others.first().or_else(|| conduct.drill.holder(OPERATOR)).cloned();
    let confirmed_by =
        confirming.ok_or_else(|| Failure::new(exit::FAILED, "nobody has a part in this drill"))?;
    let message = line(conduct, &format!("{confirmed_by}: what happened in between? "))?;
    let text = format!("{confirmed_by}: do you confirm that? (yes or no) ");
    let asked = Asked { step: None, topic: Topic::YesOrNo, text: &text };
    if super::ask::yes_or_no(&conduct.people.ask(&asked)?) != Some(true) {
        return Err(Failure::new(
            exit::NO,
            "what happened in between isn't confirmed, so nothing goes on",
        )
        .hint("keymuster drill resume asks again; drill abandon gives it up"));
    }
    conduct.record(Happened::Resumed { confirmed_by, message })
}

fn line(conduct: &Conduct<'_>, text: &str) -> Result<Line, Failure> {
    loop {
        let typed = conduct.people.ask(&Asked { step: None, topic: Topic::Other, text })?;
        match typed.parse() {
            Ok(line) => return Ok(line),
            Err(_) if typed.is_empty() => {}
            Err(error) => conduct.people.say(&format!("{error}.")),
        }
    }
}
