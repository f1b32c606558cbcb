//! The end of a drill: what is asked then, and the entry that tells all that happened.

use std::collections::BTreeSet;

use serde::Serialize;

use super::ask::yes_or_no;
use super::conduct::Conduct;
use super::people::{Asked, Topic};
use crate::cli::action::id_or_next;
use crate::cli::change::Change;
use crate::cli::cosigners::Matter;
use crate::cli::day::Day;
use crate::cli::epochs::state_after;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::lock;
use crate::cli::signing::Decided;
use crate::cli::words::{all_of, duration, in_words};
use crate::drill::transcript;
use crate::key::identify::Identity;
use crate::log::sha256;
use crate::record::{
    ActionOpened, Closing, Digest, DrillAbandoned, DrillException, DrillFinished, Event, Handle,
    KeyChecked, KeyName, Line, Outcome, StepResult, Time,
};
use crate::runbook::Step;
use crate::vault::NewFile;

/// What people say at the end.
struct Said {
    outcome: Outcome,
    signed_out: Closing,
    alarm_received: Closing,
    credentials_renewed: Closing,
    findings: Vec<Line>,
    actions: Vec<Wanted>,
}

/// What is to be done about a finding. Its id is chosen when the end is signed: others may have
/// opened actions meanwhile.
struct Wanted {
    title: Line,
    owner: Handle,
    due: Time,
}

/// How a drill ended, as JSON.
#[derive(Serialize)]
struct Ended {
    drill: String,
    /// `passed`, `failed`, or `abandoned`.
    outcome: String,
    seconds: u32,
    entry: u64,
    signers: Vec<String>,
    awaits_review: bool,
}

impl Conduct<'_> {
    /// All steps are done: asks what is asked then, and has the end signed.
    pub fn close(mut self) -> Result<Answer, Failure> {
        let seconds = self.seconds();
        let target = self.run.target_minutes.map(|target| format!(", of a target of {target} min"));
        let took = format!("{}{}", duration(seconds), target.unwrap_or_default());
        self.people.say(&format!("\nAll steps are done, after {took}. A few questions are left."));
        let said = loop {
            match self.last_questions() {
                Ok(said) => break said,
                // It is asked once more, from the first: none of it is on record yet.
                Err(failure) if failure.exit == exit::INTERRUPTED && self.goes_on() => {}
                Err(failure) => return Err(failure),
            }
        };
        let journal = self.journal.head().ok_or_else(|| {
            Failure::new(exit::FAILED, "the drill has no journal, which is a bug in keymuster")
        })?;
        let end = Event::DrillFinished(Box::new(DrillFinished {
            drill: self.name.clone(),
            roster: self.drill.roster().to_vec(),
            outcome: said.outcome,
            seconds,
            signed_out: said.signed_out,
            alarm_received: said.alarm_received,
            credentials_renewed: said.credentials_renewed,
            findings: said.findings,
            actions: Vec::new(),
            journal,
        }));
        let decided = self.signed_end(&end, &said.actions)?;
        let outcome = said.outcome.to_string();
        let code = if said.outcome == Outcome::Passed { exit::DONE } else { exit::NO };
        Ok(self.answer_of(&decided, outcome, seconds).exiting(code))
    }

    /// Gives the drill up.
    pub fn abandon(mut self, reason: Line) -> Result<Answer, Failure> {
        let end = Event::DrillAbandoned(Box::new(DrillAbandoned {
            drill: self.name.clone(),
            roster: self.drill.roster().to_vec(),
            reason,
            journal: self.journal.head(),
        }));
        let seconds = self.seconds();
        let decided = self.signed_end(&end, &[])?;
        Ok(self.answer_of(&decided, "abandoned".to_owned(), seconds))
    }

    /// Whether to go on after Ctrl-C among the last questions.
    fn goes_on(&self) -> bool {
        if !self.people.are_there() || self.session.context.is_told_to_end() {
            return false;
        }
        self.session.context.forgive_interruption();
        let text = "\nInterrupted. Begin these questions anew? (yes or no) ";
        let asked = Asked { step: None, topic: Topic::Other, text };
        self.people.ask(&asked).is_ok_and(|answer| yes_or_no(&answer) == Some(true))
    }

    fn last_questions(&mut self) -> Result<Said, Failure> {
        let objective = &self.run.start.objective;
        self.people.say(&format!("What it was for: {objective}"));
        let reached = self.ask_closing("Was that reached? (yes or no) ", false)?;
        let closing = |text: &str| match self.run.start.accounts.is_empty() {
            true => Ok(Closing::NotApplicable),
            false => self.ask_closing(&format!("{text} (yes, no, na) "), true),
        };
        let signed_out = closing("Has everybody signed out of the root user?")?;
        let alarm_received = closing("Was the alarm of the sign-in seen?")?;
        let credentials_renewed =
            closing("Was what was opened or used replaced, or sealed again?")?;
        let outcome = if reached == Closing::Yes { Outcome::Passed } else { Outcome::Failed };
        let (findings, actions) = self.ask_findings()?;
        Ok(Said { outcome, signed_out, alarm_received, credentials_renewed, findings, actions })
    }

    fn ask_closing(&self, text: &str, may_not_apply: bool) -> Result<Closing, Failure> {
        loop {
            let asked = Asked { step: None, topic: Topic::Closing, text };
            let answer = self.people.ask(&asked)?;
            match yes_or_no(&answer) {
                Some(true) => return Ok(Closing::Yes),
                Some(false) => return Ok(Closing::No),
                None if may_not_apply && answer.eq_ignore_ascii_case("na") => {
                    return Ok(Closing::NotApplicable);
                }
                None => {}
            }
        }
    }

    /// What was found, and what comes of it.
    fn ask_findings(&self) -> Result<(Vec<Line>, Vec<Wanted>), Failure> {
        let ask = |topic, text: &str| self.people.ask(&Asked { step: None, topic, text });
        let (mut findings, mut actions) = (Vec::new(), Vec::new());
        loop {
            let Some(finding) = self.perhaps_line(
                Topic::Finding,
                "What was found? (one at a time; Enter: nothing more) ",
            )?
            else {
                return Ok((findings, actions));
            };
            findings.push(finding);
            let text = "What is to be done about it? (Enter: nothing) ";
            let Some(title) = self.perhaps_line(Topic::Other, text)? else { continue };
            let owner = loop {
                let typed = ask(Topic::Other, "By whom? ")?;
                let known = typed.parse::<Handle>().ok();
                match known.filter(|who| self.session.state().custodians().contains_key(who)) {
                    Some(owner) => break owner,
                    None => {
                        let all = self.session.state().custodians().keys();
                        let all: Vec<String> = all.map(ToString::to_string).collect();
                        self.people.say(&format!("One of {}.", all_of(&all)));
                    }
                }
            };
            let due = loop {
                match ask(Topic::Other, "Until when? (such as 2026-12-31) ")?.parse::<Day>() {
                    Ok(day) => break day.0,
                    Err(reason) => self.people.say(&format!("{reason}.")),
                }
            };
            actions.push(Wanted { title, owner, due });
        }
    }

    /// Opens what is to be done, under ids that nobody has used, which the end of the drill names.
    fn open_actions(&self, wanted: &[Wanted], end: &mut Event) -> Result<Vec<Event>, Failure> {
        let Event::DrillFinished(end) = end else { return Ok(Vec::new()) };
        let mut taken: BTreeSet<Handle> = self.session.state().actions().keys().cloned().collect();
        end.actions.clear();
        let mut opened = Vec::new();
        for Wanted { title, owner, due } in wanted {
            let action = id_or_next(None, "action", &taken.iter().collect())?;
            taken.insert(action.clone());
            end.actions.push(action.clone());
            let (title, owner, due) = (title.clone(), owner.clone(), *due);
            opened.push(Event::ActionOpened(ActionOpened { action, title, owner, due }));
        }
        Ok(opened)
    }

    fn perhaps_line(&self, topic: Topic, text: &str) -> Result<Option<Line>, Failure> {
        loop {
            let typed = self.people.ask(&Asked { step: None, topic, text })?;
            if typed.is_empty() {
                return Ok(None);
            }
            match typed.parse() {
                Ok(line) => return Ok(Some(line)),
                Err(error) => self.people.say(&format!("{error}.")),
            }
        }
    }

    /// Has the end signed, as often as it is tried again: a PIN may be mistyped, a key unplugged.
    fn signed_end(&mut self, end: &Event, actions: &[Wanted]) -> Result<Decided, Failure> {
        loop {
            let failure = match self.sign_end(end.clone(), actions) {
                Ok(decided) => return Ok(decided),
                Err(failure) if failure.exit == exit::INTERRUPTED => return Err(failure),
                Err(failure) => failure,
            };
            self.session.lock = None;
            self.say_failure(failure, "Press Enter to have it signed once more ")?;
        }
    }

    /// Has the end signed by everybody who has a part, and by every key that was shown.
    fn sign_end(&mut self, mut end: Event, actions: &[Wanted]) -> Result<Decided, Failure> {
        self.look_again(true)?;
        let actions = self.open_actions(actions, &mut end)?;
        let now = self.session.context.now()?;
        let bytes = &self.chosen.bytes;
        let digest =
            |step: &Step| -> Digest { sha256(bytes.get(step.span.clone()).unwrap_or_default()) };
        let (told, proven) = transcript(&self.drill, &self.name, now, digest);
        let files = self.drafted_files(&told)?;
        let checked = self.keys_to_check(matches!(end, Event::DrillFinished(_)))?;
        let checks = checked.into_iter().map(|key| Event::KeyChecked(KeyChecked { key }));
        let mut events = vec![end];
        events.extend(told);
        let sure = events.len();
        events.extend(checks.chain(proven).chain(actions));
        self.leave_out_what_cant_be(&mut events, sure, now)?;
        let matter = Matter::of(&events);
        let signers = self.session.gather(matter, vec![self.opener.again()], &[])?;
        let change = Change { events, files, ..Change::default() };
        let decided = self.session.decide(signers, change)?;
        // The log has it all now.
        if decided.is_durable {
            let layout = self.session.vault.location().layout.clone();
            if let Ok(_lock) = lock(self.session.context, &layout) {
                self.session.vault.remove_old_drafts();
            }
        }
        Ok(decided)
    }

    /// The files that were kept, as they go into the vault.
    fn drafted_files(&self, told: &[Event]) -> Result<Vec<NewFile>, Failure> {
        let mut files: Vec<NewFile> = Vec::new();
        for event in told {
            if let Event::EvidenceKept(kept) = event {
                let drafted =
                    self.session.vault.drafted_evidence(&self.journal, &kept.file, &kept.sha256)?;
                files.push(drafted);
            }
        }
        Ok(files)
    }

    /// The keys that were shown, as far as they are at hand to sign. Of one that isn't plugged in,
    /// people say whether it is: there may be one port for all.
    fn keys_to_check(&mut self, asks: bool) -> Result<Vec<KeyName>, Failure> {
        let endings = self.drill.visits().iter().filter_map(|visit| visit.ended.as_ref());
        let shown = endings.filter(|(_, ending)| ending.result == StepResult::Done);
        let mut keys: Vec<KeyName> = shown.flat_map(|(_, ending)| ending.keys.clone()).collect();
        keys.sort();
        keys.dedup();
        keys.retain(|key| self.session.state().active_key(key).is_some());
        let mut here = Vec::new();
        for device in self.session.keys.devices()? {
            match self.session.identify(&device) {
                Ok(Identity::This(name)) => here.push(name),
                Err(failure) if failure.exit == exit::INTERRUPTED => return Err(failure),
                Ok(_) | Err(_) => {}
            }
        }
        let mut sign = Vec::new();
        for key in keys {
            if here.contains(&key) || (asks && self.is_at_hand(&key)?) {
                sign.push(key);
            }
        }
        Ok(sign)
    }

    fn is_at_hand(&self, key: &KeyName) -> Result<bool, Failure> {
        let text = format!("{key} was shown, and isn't plugged in. Can it sign now? (yes or no) ");
        loop {
            let asked = Asked { step: None, topic: Topic::YesOrNo, text: &text };
            if let Some(yes) = yes_or_no(&self.people.ask(&asked)?) {
                return Ok(yes);
            }
        }
    }

    /// What a step proved may have become impossible since: an account was removed meanwhile. That
    /// is told, on record.
    fn leave_out_what_cant_be(
        &self,
        events: &mut Vec<Event>,
        sure: usize,
        now: Time,
    ) -> Result<(), Failure> {
        let context = self.session.context;
        let holds = |events: &[Event]| state_after(context, self.session.state(), events, &[]);
        let mut kept: Vec<Event> = events.iter().take(sure).cloned().collect();
        holds(&kept)?;
        for event in events.iter().skip(sure) {
            kept.push(event.clone());
            let Err(failure) = holds(&kept) else { continue };
            kept.pop();
            let said = format!("Left out, {}: {}", in_words(event), failure.sentence());
            let message = said.chars().take(Line::MAX).collect::<String>();
            let Ok(message) = message.trim().parse::<Line>() else { continue };
            kept.push(Event::DrillException(DrillException {
                drill: self.name.clone(),
                step: None,
                at: now,
                message,
                action: None,
                approver: None,
            }));
        }
        *events = kept;
        Ok(())
    }

    fn answer_of(&self, decided: &Decided, outcome: String, seconds: u32) -> Answer {
        let name = &self.name;
        let run = self.session.state().drills().get(name);
        let awaits_review = run.is_some_and(|run| run.awaits_review());
        let mut words = match outcome.as_str() {
            "passed" => format!("{name} is finished, and reached its objective.\n"),
            "failed" => format!("{name} is finished, and DIDN'T REACH ITS OBJECTIVE.\n"),
            _ => format!("{name} is abandoned.\n"),
        };
        if awaits_review {
            words.push_str(&format!(
                "Nobody watched all of it: somebody else reviews it, keymuster drill review {name}\n"
            ));
        }
        words.push_str(&decided.sentence());
        let view = Ended {
            drill: name.to_string(),
            outcome,
            seconds,
            entry: decided.at.entry,
            signers: decided.signers.iter().map(ToString::to_string).collect(),
            awaits_review,
        };
        Answer::new("drill-ended", &view, words).recording(decided.at.entry)
    }
}
