//! What each kind of step asks for, and how it ends.

use std::collections::BTreeSet;
use std::path::Path;

use super::ask::Stop;
use super::conduct::Conduct;
use super::people::Topic;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::proof::impostor;
use crate::cli::reading::read_file;
use crate::cli::words::{all_of, duration};
use crate::drill::{Ending, Evidence};
use crate::key::identify::Identity;
use crate::record::{
    AccountsTried, DeviceName, Event, Handle, KeyName, Line, Outcome, SignInProven, StepResult,
};
use crate::runbook::{Choice, Step, Target, Task};
use crate::text::sanitise;
use crate::vault::MAX_ATTACHMENT;

/// The most evidence that a drill keeps, in bytes: five files of the largest size that the vault
/// takes.
const MAX_EVIDENCE: u64 = 5 * MAX_ATTACHMENT as u64;

mod custody;

impl Conduct<'_> {
    /// Asks for what a step asks for, until it ends.
    pub fn at(&mut self, step: &Step) -> Result<Ending, Stop> {
        match &step.task {
            Task::Confirm => self.confirm(step),
            Task::Key { of } => self.keys(step, of),
            Task::Totp => self.totp(step),
            Task::Secret { kind, compartment } => self.secret(step, *kind, compartment),
            Task::SignIn => self.sign_in(step),
            Task::Mailbox => {
                let has = |address: bool| if address { None } else { Some("e-mail address") };
                self.tried(step, "Did the message arrive?", |conduct, account| {
                    let known = conduct.session.state().accounts().get(account);
                    has(known.is_some_and(|known| known.root.email.is_some()))
                })
            }
            Task::Phone => {
                let has = |number: bool| if number { None } else { Some("telephone number") };
                self.tried(step, "Was the call answered?", |conduct, account| {
                    let known = conduct.session.state().accounts().get(account);
                    has(known.is_some_and(|known| known.root.phone.is_some()))
                })
            }
            Task::Evidence { .. } => self.evidence(step),
            Task::Record { asks } => self.answers(step, asks),
            Task::Decide { choices } => self.decide(step, choices),
            Task::Wait { target_minutes, .. } => {
                self.wait(step, target_minutes.get().saturating_mul(60))
            }
        }
    }

    /// Who is asked, as the beginning of a question.
    pub fn whose(&self, step: &Step) -> String {
        self.drill.people_of(step).map(|(who, _)| format!("{who}: ")).unwrap_or_default()
    }

    fn confirm(&mut self, step: &Step) -> Result<Ending, Stop> {
        let text = format!("{}press Enter when it is done (:help for more) ", self.whose(step));
        self.ask(step, Topic::Done, &text)?;
        Ok(done(step))
    }

    /// Has each of these people show keys. That they sign the end proves them.
    fn keys(&mut self, step: &Step, of: &[Handle]) -> Result<Ending, Stop> {
        let whose = |conduct: &Self| {
            let people = of.iter().filter_map(|role| conduct.drill.doer(role).cloned());
            people.collect::<BTreeSet<Handle>>()
        };
        let who: Vec<String> = whose(self).iter().map(ToString::to_string).collect();
        let text = format!("Plug in the keys of {} and press Enter: ", all_of(&who));
        self.ask(step, Topic::Keys, &text)?;
        // A part may have been handed over at that question.
        let people = whose(self);
        let wanted = |name: &KeyName, conduct: &Self| {
            people.contains(&name.owner) && conduct.session.state().active_key(name).is_some()
        };
        let all: Vec<KeyName> =
            self.session.state().keys().keys().filter(|name| wanted(name, self)).cloned().collect();
        let mut shown: Vec<KeyName> = Vec::new();
        loop {
            self.look_for_keys(step, &all, &mut shown)?;
            let left: Vec<String> =
                all.iter().filter(|name| !shown.contains(name)).map(ToString::to_string).collect();
            if left.is_empty() {
                break;
            }
            self.people.say(&format!("Not shown yet: {}.", all_of(&left)));
            let silent: Vec<String> = people
                .iter()
                .filter(|who| !shown.iter().any(|name| name.owner == **who))
                .map(ToString::to_string)
                .collect();
            let text = "Plug the next one in and press Enter; type done if there are no more: ";
            let answer = self.ask(step, Topic::Keys, text)?;
            if !answer.eq_ignore_ascii_case("done") {
                continue;
            }
            if silent.is_empty() {
                break;
            }
            let who = all_of(&silent);
            self.people.say(&format!("{who} showed no key. If there is none: :failed TEXT."));
        }
        shown.sort();
        let left: Vec<String> =
            all.iter().filter(|name| !shown.contains(name)).map(ToString::to_string).collect();
        let observed = match left.as_slice() {
            [] => None,
            left => format!("not shown: {}", all_of(left)).parse().ok(),
        };
        Ok(Ending { keys: shown, observed, ..done(step) })
    }

    /// Adds the keys among these that are plugged in.
    fn look_for_keys(
        &mut self,
        step: &Step,
        all: &[KeyName],
        shown: &mut Vec<KeyName>,
    ) -> Result<(), Stop> {
        for device in self.session.keys.devices().map_err(Failure::from)? {
            let name = match self.session.identify(&device) {
                Ok(Identity::This(name)) if all.contains(&name) => name,
                Ok(Identity::This(name)) => {
                    self.people.say(&format!("{name} is plugged in, and isn't asked for."));
                    continue;
                }
                Ok(Identity::Stranger) => {
                    let id = &device.id;
                    self.people.say(&format!("The key at {id} isn't enrolled in this vault."));
                    continue;
                }
                Ok(Identity::Impostor(name)) => {
                    return Err(Stop::Failed(impostor(&device, &name)));
                }
                Ok(Identity::WontSay) => {
                    let left: Vec<&KeyName> =
                        all.iter().filter(|name| !shown.contains(name)).collect();
                    let [first, ..] = left.as_slice() else { continue };
                    let text = format!(
                        "The key at {} doesn't say which it is without a touch. Is it {first}?",
                        device.id
                    );
                    let first = (*first).clone();
                    if !self.ask_yes(step, Topic::YesOrNo, &text)? {
                        continue;
                    }
                    first
                }
                Err(failure) if failure.exit == exit::INTERRUPTED => {
                    return Err(Stop::Failed(failure));
                }
                Err(failure) => {
                    self.people.say(&format!("Passing over {}: {}.", device.id, failure.message));
                    continue;
                }
            };
            if !shown.contains(&name) {
                self.people.say(&format!("{name} is here. Its signature at the end proves it."));
                shown.push(name);
            }
        }
        Ok(())
    }

    /// A sign-in as the root user of each account.
    fn sign_in(&mut self, step: &Step) -> Result<Ending, Stop> {
        let text = format!(
            "{}press Enter once you are signed in (:failed if you can't) ",
            self.whose(step)
        );
        self.ask(step, Topic::Done, &text)?;
        let mut proves = Vec::new();
        let mut observed = Vec::new();
        for account in self.run.start.accounts.clone() {
            let known = self.session.state().accounts().get(&account);
            let Some(known) = known.filter(|known| known.root.credentials) else {
                self.people.say(&format!("{account} has no root credentials on record."));
                continue;
            };
            let devices: Vec<DeviceName> = known.devices.keys().cloned().collect();
            let device = match devices.as_slice() {
                [] => None,
                [only] => Some(only.clone()),
                several => {
                    let mut names: Vec<String> = several.iter().map(ToString::to_string).collect();
                    names.push("another, or none".to_owned());
                    let text = format!("With which device of {account}? ");
                    self.ask_one_of(step, &text, &names)?.parse().ok()
                }
            };
            let text = format!(
                "CloudTrail's event id of the sign-in to {account} (Enter: not evidenced) "
            );
            let evidence = loop {
                let typed = self.ask(step, Topic::EventId, &text)?;
                match typed.parse::<Line>() {
                    Ok(line) => break Some(line),
                    Err(_) if typed.is_empty() => break None,
                    Err(error) => self.people.say(&format!("{error}.")),
                }
            };
            observed.push(match &evidence {
                Some(id) => format!("{account}: {id}"),
                None => format!("{account}: not evidenced"),
            });
            proves.push(Event::SignInProven(SignInProven {
                accounts: vec![account],
                device,
                evidence,
                outcome: Outcome::Passed,
                remark: None,
            }));
        }
        Ok(Ending { proves, observed: line_of(&observed.join(", ")), ..done(step) })
    }

    /// A mailbox, or a telephone, of each account. `lacks` says what isn't on record of one.
    fn tried(
        &mut self,
        step: &Step,
        question: &str,
        lacks: impl Fn(&Self, &Handle) -> Option<&'static str>,
    ) -> Result<Ending, Stop> {
        let text = format!("{}{question}", self.whose(step));
        let passed = self.ask_yes(step, Topic::YesOrNo, &text)?;
        let observed = match passed {
            true => None,
            false => Some(self.ask_line(step, Topic::Other, "What happened? ")?),
        };
        let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
        let mut proves = Vec::new();
        for account in self.run.start.accounts.clone() {
            if let Some(what) = lacks(self, &account) {
                let said = format!(
                    "{account} has no {what} of its root user on record: this counts for nothing there."
                );
                self.people.say(&said);
                continue;
            }
            let tried =
                AccountsTried { accounts: vec![account], outcome, remark: observed.clone() };
            proves.push(match &step.task {
                Task::Phone => Event::PhoneTested(tried),
                _ => Event::MailboxTested(tried),
            });
        }
        let result = if passed { StepResult::Done } else { StepResult::Failed };
        Ok(Ending { observed, proves, ..Ending::of(step.id.clone(), result) })
    }

    /// A file that is kept.
    fn evidence(&mut self, step: &Step) -> Result<Ending, Stop> {
        let text = format!("{}path of the file: ", self.whose(step));
        let mut kept = Vec::new();
        loop {
            let typed = self.ask(
                step,
                Topic::File,
                if kept.is_empty() { &text } else { "Path of another (Enter: there is none) " },
            )?;
            if typed.is_empty() {
                if kept.is_empty() {
                    self.people.say("Type where it is, or :skip TEXT if there is none.");
                    continue;
                }
                return Ok(Ending { evidence: kept, ..done(step) });
            }
            match self.keep(Path::new(&typed), &kept) {
                Ok(evidence) => {
                    let Evidence { name, bytes, sha256, .. } = &evidence;
                    self.people.say(&format!("{name} is kept, {bytes} bytes, SHA-256\n{sha256}."));
                    kept.push(evidence);
                }
                Err(failure) if failure.exit == exit::INTERRUPTED => {
                    return Err(Stop::Failed(failure));
                }
                Err(failure) => self.people.say(&failure.to_string()),
            }
        }
    }

    /// Seals a file beside the journal. What all visits kept goes into one entry, through memory:
    /// so it is bounded together.
    fn keep(&mut self, path: &Path, kept: &[Evidence]) -> Result<Evidence, Failure> {
        let content = read_file(path, MAX_ATTACHMENT as u64, self.session.context.interrupted())?;
        let before =
            self.drill.evidence_bytes() + kept.iter().map(|one| u64::from(one.bytes)).sum::<u64>();
        if before + content.len() as u64 > MAX_EVIDENCE {
            let mib = MAX_EVIDENCE >> 20;
            let message = format!(
                "with that file this drill would keep more than {mib} MiB, and that is all it may"
            );
            return Err(Failure::new(exit::FAILED, message)
                .hint("put the file where it is safe, and say with :note where, and what sha256sum says of it"));
        }
        if content.is_empty() {
            let shown = sanitise(&path.to_string_lossy(), 200);
            return Err(Failure::new(exit::FAILED, format!("{shown} is empty, and shows nothing")));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = line_of(&sanitise(&name, 200));
        let name = name.ok_or_else(|| Failure::new(exit::FAILED, "that file has no name"))?;
        let bytes = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let attachment = self.session.vault.draft_evidence(&self.journal, &content)?;
        Ok(Evidence { name, bytes, sha256: attachment.sha256, file: attachment.file })
    }

    /// Answers to questions.
    fn answers(&mut self, step: &Step, asks: &[Line]) -> Result<Ending, Stop> {
        let whose = self.whose(step);
        let mut answers = Vec::new();
        for asked in asks {
            let mark = if asked.as_str().ends_with(['?', '.', ':']) { "" } else { ":" };
            let text = format!("{whose}{asked}{mark} ");
            answers.push(self.ask_line(step, Topic::Answer, &text)?);
        }
        Ok(Ending { answers, ..done(step) })
    }

    /// Which way to go.
    fn decide(&mut self, step: &Step, choices: &[Choice]) -> Result<Ending, Stop> {
        let steps = &self.drill.runbook().steps;
        let told: Vec<String> = choices
            .iter()
            .map(|choice| {
                let target = match choice.goto {
                    Target::Step(place) => steps.get(place).map(|step| step.title.to_string()),
                    Target::End => None,
                };
                let target = target.unwrap_or_else(|| "the end".to_owned());
                format!("{} (then: {target})", choice.answer)
            })
            .collect();
        let text = format!("{}which one? ", self.whose(step));
        for (number, thing) in (1..).zip(&told) {
            self.people.say(&format!("  {number}. {thing}"));
        }
        loop {
            let answer = self.ask(step, Topic::Choice, &text)?;
            let by_number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let by_words =
                || choices.iter().position(|c| c.answer.as_str().eq_ignore_ascii_case(&answer));
            let place = by_number.or_else(by_words);
            match place.and_then(|place| choices.get(place)) {
                Some(choice) => {
                    return Ok(Ending { choice: Some(choice.answer.clone()), ..done(step) });
                }
                None => self.people.say(&format!("Type a number from 1 to {}.", choices.len())),
            }
        }
    }

    /// Until something happens, against the clock.
    fn wait(&mut self, step: &Step, target: u32) -> Result<Ending, Stop> {
        // On one line: the stop-watch is above it.
        let text =
            format!("{}press Enter once it has happened (:failed if not) ", self.whose(step));
        let (began, clock) = (self.step_seconds(), std::time::Instant::now());
        let watch = || {
            let waited =
                began.saturating_add(u32::try_from(clock.elapsed().as_secs()).unwrap_or(0));
            told_of(waited, target)
        };
        self.ask_ticking(step, &text, &watch)?;
        let observed = line_of(&format!("after {}", told_of(self.step_seconds(), target)));
        Ok(Ending { observed, ..done(step) })
    }
}

/// A stop-watch against a target, both in seconds.
fn told_of(seconds: u32, target: u32) -> String {
    let over = if seconds > target { ", OVER IT" } else { "" };
    format!("{}, of a target of {}{over}", duration(seconds), duration(target))
}

/// A step that is done.
fn done(step: &Step) -> Ending {
    Ending::of(step.id.clone(), StepResult::Done)
}

/// Text as a line, cut where it is too long.
fn line_of(text: &str) -> Option<Line> {
    text.chars().take(Line::MAX).collect::<String>().trim().parse().ok()
}
