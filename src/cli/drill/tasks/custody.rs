//! Steps that open what is in custody: a password, or the seed whose codes a token shows.
//!
//! The first of them signs one receipt for all that the runbook may open of these accounts: it
//! costs one touch. Nothing is opened before the receipt is durable.

use super::super::ask::Stop;
use super::super::conduct::Conduct;
use super::super::people::Topic;
use super::{Ending, StepResult, done, line_of};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::runbook::prose::wrapped;
use crate::cli::secret::opening::{Opening, open_secrets, seed_of};
use crate::cli::seed::{SeedForm, SeedSource};
use crate::cli::totp::codes::typed;
use crate::cli::totp::verdict::judge;
use crate::drill::Opened;
use crate::record::{
    DeviceName, Event, Handle, Outcome, Purpose, SecretKind, SecretName, State, TotpChecked,
};
use crate::runbook::{Step, Task};
use crate::totp::Code;
use crate::vault::SecretValue;

impl Conduct<'_> {
    /// Opens a secret of the account's, and shows it.
    pub(super) fn secret(
        &mut self,
        step: &Step,
        kind: SecretKind,
        compartment: &Handle,
    ) -> Result<Ending, Stop> {
        let names = secrets_of(self.session.state(), &self.run.start.accounts, kind, compartment);
        let name = match names.as_slice() {
            [] => {
                let accounts: Vec<String> =
                    self.run.start.accounts.iter().map(ToString::to_string).collect();
                self.people.say(&format!(
                    "No {} of {} is in custody in {compartment}.",
                    kind.word(),
                    accounts.join(", ")
                ));
                let text = "Have it from where it is kept, and type :na TEXT; or :failed TEXT ";
                self.ask(step, Topic::Other, text)?;
                return Err(Stop::Failed(Failure::new(exit::FAILED, "nothing is in custody")));
            }
            [only] => only.clone(),
            several => self.ask_one_of(step, "Which one? ", several)?.clone(),
        };
        let text = format!("{}press Enter to open {name} ", self.whose(step));
        self.ask(step, Topic::Done, &text)?;
        let (value, receipt) = self.unseal(&name)?;
        self.people.show(&name, receipt, value.expose())?;
        Ok(Ending { opened: Some(Opened { secret: name, receipt }), ..done(step) })
    }

    /// Opens a secret, and whatever else the steps may open that are left: that waits until it is
    /// asked for, and is wiped once it was. Gives it, with the entry that has the receipt.
    fn unseal(&mut self, name: &SecretName) -> Result<(SecretValue, u64), Failure> {
        if let Some(open) = self.unsealed.take(name) {
            return Ok(open);
        }
        self.look_again(true)?;
        let mut names = vec![name.clone()];
        names.extend(self.may_be_opened().into_iter().filter(|other| other != name));
        let opening = Opening {
            names,
            purpose: Purpose::Drill,
            reason: line_of(&format!("the drill {}", self.name)),
        };
        let opened = open_secrets(&mut self.session, &self.opener, opening, &[]);
        // Nobody else waits while people read.
        self.session.lock = None;
        let opened = opened?;
        let receipt = opened.receipt;
        self.unsealed.keep(opened.values, receipt);
        if let Some((_, failure)) = opened.left_out.into_iter().find(|(other, _)| other == name) {
            return Err(failure.after_entry(receipt));
        }
        let open = self.unsealed.take(name);
        open.ok_or_else(|| Failure::new(exit::FAILED, "nothing opened, which is a bug"))
    }

    /// What the steps from here on may open of these accounts, each once.
    fn may_be_opened(&self) -> Vec<SecretName> {
        let (state, accounts) = (self.session.state(), &self.run.start.accounts);
        let mut names: Vec<SecretName> = Vec::new();
        let here = self.drill.visits().last().map_or(0, |visit| visit.step);
        for step in self.drill.runbook().steps.iter().skip(here) {
            match &step.task {
                Task::Secret { kind, compartment } => {
                    let found = secrets_of(state, accounts, *kind, compartment);
                    // Where somebody has to choose, only what was chosen is opened.
                    names.extend(<[SecretName; 1]>::try_from(found).into_iter().flatten());
                }
                Task::Totp => {
                    let tokens = accounts.iter().flat_map(|account| {
                        let tokens = tokens_of(state, account);
                        tokens.into_iter().map(move |token| (account, token))
                    });
                    names.extend(tokens.filter_map(|(account, token)| {
                        seed_of(state, account, Some(&token), None).ok()
                    }));
                }
                _ => {}
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Two codes of each account's token, against its seed.
    pub(super) fn totp(&mut self, step: &Step) -> Result<Ending, Stop> {
        let mut ending = done(step);
        let mut said = Vec::new();
        for account in self.run.start.accounts.clone() {
            let tokens = tokens_of(self.session.state(), &account);
            let token = match tokens.as_slice() {
                [] => {
                    self.people.say(&format!("{account} has no token on record."));
                    continue;
                }
                [only] => only.clone(),
                several => {
                    let text = format!("Which token of {account}? ");
                    self.ask_one_of(step, &text, several)?.clone()
                }
            };
            let (checked, words) = self.check_token(step, &account, &token, &mut ending)?;
            said.push(format!("{account}/{token}: {words}"));
            if checked.outcome == Outcome::Failed {
                ending.result = StepResult::Failed;
            }
            ending.proves.push(Event::TotpChecked(checked));
        }
        if said.is_empty() {
            let text = "There is no token to read. Type :na TEXT, or :failed TEXT ";
            self.ask(step, Topic::Other, text)?;
            return Err(Stop::Failed(Failure::new(exit::FAILED, "there is no token to read")));
        }
        ending.observed = line_of(&said.join("; "));
        Ok(ending)
    }

    /// One token.
    fn check_token(
        &mut self,
        step: &Step,
        account: &Handle,
        token: &Handle,
        ending: &mut Ending,
    ) -> Result<(TotpChecked, String), Stop> {
        let stored = seed_of(self.session.state(), account, Some(token), None).ok();
        let (mut codes, mut moment) = self.two_codes(step, token)?;
        let source = match &stored {
            Some(name) => {
                let (value, receipt) = self.unseal(name)?;
                ending.opened = Some(Opened { secret: name.clone(), receipt });
                SeedSource::stored(&value)?
            }
            None => {
                self.people.say(&format!("No seed of {account}/{token} is in custody."));
                let form = SeedForm::plain();
                form.asked(self.session.context, "put it in custody: keymuster secret store")?
            }
        };
        loop {
            let parse = |text: &String| Code::parse(text, source.parameters);
            let parsed: Result<Vec<Code>, _> = codes.iter().map(parse).collect();
            let judgement = parsed.map(|codes| judge(&source, &codes, moment));
            if let Ok(judgement) = &judgement {
                let lines = judgement.words.lines().map(|line| wrapped(line, self.width()));
                self.people.say(&lines.collect::<Vec<_>>().join("\n"));
            }
            let evidence = judgement.as_ref().ok().and_then(|judgement| judgement.evidence);
            let question = "Press Enter to type other codes, or type fail to record that: ";
            let fails = evidence.is_none()
                && self.ask(step, Topic::Other, question)?.eq_ignore_ascii_case("fail");
            if evidence.is_none() && !fails {
                (codes, moment) = self.two_codes(step, token)?;
                continue;
            }
            let fingerprint = source.fingerprint(&self.session.vault)?;
            let known = fingerprint.and_then(|print| self.session.state().seed_with(&print));
            let secret = stored.clone().or(known);
            let drift = judgement.ok().and_then(|judgement| judgement.verdict.drift_seconds);
            let words = match (evidence, drift) {
                (None, _) => "the seed doesn't make its codes".to_owned(),
                (Some(evidence), None | Some(0)) => format!("{}, on time", evidence.word()),
                (Some(evidence), Some(drift)) => {
                    let which = if drift > 0 { "ahead" } else { "behind" };
                    format!("{}, {} s {which}", evidence.word(), drift.unsigned_abs())
                }
            };
            let checked = TotpChecked {
                account: account.clone(),
                token: token.clone(),
                outcome: if evidence.is_some() { Outcome::Passed } else { Outcome::Failed },
                evidence,
                drift_seconds: evidence.and(drift),
                fingerprint: fingerprint.filter(|_| evidence.is_some() || secret.is_some()),
                secret,
            };
            return Ok((checked, words));
        }
    }

    /// Two codes as they are typed, and when the second was.
    fn two_codes(
        &mut self,
        step: &Step,
        token: &Handle,
    ) -> Result<(Vec<String>, crate::record::Time), Stop> {
        let whose = self.whose(step);
        let mut codes = Vec::new();
        for (number, which) in [(1, "now"), (2, "next, once it changes")] {
            let text = format!("{whose}the code that {token} shows {which}: ");
            loop {
                let answer = self.ask(step, Topic::Code(number), &text)?;
                match typed(&answer) {
                    Ok(_) => break codes.push(answer),
                    Err(error) => self.people.say(&format!("That is no code: {error}.")),
                }
            }
        }
        Ok((codes, self.session.context.now()?))
    }
}

/// The secrets of a kind that are in a compartment, of any of these accounts.
fn secrets_of(
    state: &State,
    accounts: &[Handle],
    kind: SecretKind,
    compartment: &Handle,
) -> Vec<SecretName> {
    let of = |account: &Handle| {
        let known = state.accounts().get(account);
        known.map(|known| known.secrets.iter().cloned().collect::<Vec<_>>()).unwrap_or_default()
    };
    let names = accounts.iter().flat_map(of);
    let present = names.filter_map(|name| {
        let secret = state.secrets().get(&name).filter(|secret| secret.kind == kind)?;
        let present = secret.present().filter(|present| present.compartment == *compartment)?;
        Some(SecretName { secret: name, generation: present.number })
    });
    present.collect()
}

/// The tokens that are registered with an account.
fn tokens_of(state: &State, account: &Handle) -> Vec<Handle> {
    let known = state.accounts().get(account);
    let devices = known.into_iter().flat_map(|known| known.devices.keys());
    let token = |device: &DeviceName| match device {
        DeviceName::Token(token) => Some(token.clone()),
        DeviceName::Key(_) => None,
    };
    devices.filter_map(token).collect()
}
