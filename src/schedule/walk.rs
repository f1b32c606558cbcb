//! Going through a log from its first entry: what was owed when, and what each entry did.

use std::collections::{BTreeMap, BTreeSet};

use super::admitted::Admitted;
use super::obligation::{self, Obligation};
use crate::record::{
    AccountsTried, DeviceName, Event, Fingerprint, Handle, KeyName, Outcome, Policy, Rejection,
    Stamp, State, Time,
};

/// A time during which something was owed, in entries.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) begun: u64,
    pub(super) ended: Option<u64>,
    pub(super) done: Vec<u64>,
}

/// Whose obligations are looked at anew after an event.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Subject {
    Keys,
    Custodians,
    Account(Handle),
    Runbooks,
    Drill(Handle),
    Secrets,
    /// One of them.
    Secret(Handle),
    Compartments,
}

/// Going through a log.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) state: State,
    pub(super) tracks: BTreeMap<Obligation, Vec<Tracked>>,
    /// What is owed now, by whom or what it is about.
    open: BTreeMap<Subject, BTreeSet<Obligation>>,
    pub(super) policies: Vec<(u64, Policy)>,
    pub(super) paces: BTreeMap<Handle, Vec<(u64, u32)>>,
    pub(super) deferrals: BTreeMap<Obligation, Vec<(u64, Time)>>,
    pub(super) due: BTreeMap<Handle, Time>,
    /// The secrets that ever had a seed, by its fingerprint.
    seeds: BTreeMap<Fingerprint, BTreeSet<Handle>>,
}

impl Walk {
    pub(super) fn take(&mut self, number: u64, entry: &Admitted<'_>) -> Result<(), Rejection> {
        let at = Stamp { entry: number, time: entry.time };
        let (mut touched, mut anew, mut done) = (BTreeSet::new(), Vec::new(), Vec::new());
        let told = entry.acts.iter().flat_map(|act| act.events.iter().map(move |it| (act, it)));
        for (act, event) in told {
            self.restarts(event, &mut anew);
            self.state.apply(event, at, &act.signers)?;
            self.note(number, event);
            self.touch(event, &mut touched);
            done.extend(self.fulfils(event));
        }
        for signer in entry.acts.iter().flat_map(|act| act.signers.iter()) {
            self.state.note_signature(signer, at);
            done.push(Obligation::KeyCheck(signer.clone()));
        }
        self.state.note_time(entry.time);
        for obligation in anew {
            // What isn't owed yet begins below.
            if self.is_open(&obligation) {
                self.end(&obligation, number);
                self.begin(&obligation, number);
            }
        }
        for subject in touched {
            self.look_at(subject, number);
        }
        done.sort();
        done.dedup();
        for obligation in done {
            let span = self.tracks.get_mut(&obligation).and_then(|spans| spans.last_mut());
            if let Some(span) = span.filter(|span| span.ended.is_none()) {
                span.done.push(number);
            }
        }
        Ok(())
    }

    /// What an event undoes: what was tried of another address or number tells nothing, and new
    /// duties are acknowledged anew.
    fn restarts(&self, event: &Event, anew: &mut Vec<Obligation>) {
        match event {
            Event::RootUserChanged(change) => {
                let Some(known) = self.state.accounts().get(&change.account) else { return };
                let account = || change.account.clone();
                let other = |new: bool, was: bool, is: Obligation| (new && was).then_some(is);
                let email = change.email.is_some() && change.email != known.root.email;
                let phone = change.phone.is_some() && change.phone != known.root.phone;
                anew.extend(other(
                    email,
                    known.root.email.is_some(),
                    Obligation::Mailbox(account()),
                ));
                anew.extend(other(phone, known.root.phone.is_some(), Obligation::Phone(account())));
            }
            Event::PolicyChanged(change) => {
                let policy = self.state.policy();
                if change.duties.as_ref().is_some_and(|duties| *duties != policy.duties) {
                    let all = self.state.custodians().keys().cloned();
                    anew.extend(all.map(Obligation::Acknowledgement));
                }
            }
            _ => {}
        }
    }

    fn touch(&self, event: &Event, touched: &mut BTreeSet<Subject>) {
        let accounts = |named: &[Handle]| named.iter().cloned().map(Subject::Account).collect();
        let mut more: Vec<Subject> = match event {
            Event::VaultCreated(_)
            | Event::CustodianAdded(_)
            | Event::CustodianLeft(_)
            | Event::ReaderAdded(_)
            | Event::ReaderRemoved(_)
            | Event::KeyEnrolled(_)
            | Event::KeyLost(_)
            | Event::KeyCompromised(_)
            | Event::KeyRestored(_)
            | Event::KeyRetired(_)
            | Event::RecipientChanged(_)
            | Event::MembersChosen(_)
            | Event::IdentitySealed(_)
            | Event::CompartmentSealed(_) => {
                vec![Subject::Keys, Subject::Custodians, Subject::Secrets, Subject::Compartments]
            }
            Event::KeyHandedOver(_) => vec![Subject::Keys],
            Event::AccountAdded(added) => accounts(std::slice::from_ref(&added.account)),
            Event::RootUserChanged(change) => accounts(std::slice::from_ref(&change.account)),
            Event::AccountRemoved(removed) => accounts(std::slice::from_ref(&removed.account)),
            Event::DeviceLinked(linked) => accounts(&linked.accounts),
            Event::DeviceUnlinked(unlinked) => accounts(&unlinked.accounts),
            Event::SecretStored(stored) => self.secrets_like(&stored.secret),
            Event::SecretReplaced(replaced) => self.secrets_like(&replaced.secret),
            Event::RunbookAdopted(_) | Event::RunbookWithdrawn(_) => vec![Subject::Runbooks],
            Event::DrillStarted(event) => vec![Subject::Drill(event.drill.clone())],
            Event::DrillFinished(event) => vec![Subject::Drill(event.drill.clone())],
            Event::DrillAbandoned(event) => vec![Subject::Drill(event.drill.clone())],
            Event::DrillReviewed(event) => vec![Subject::Drill(event.drill.clone())],
            _ => Vec::new(),
        };
        // A key that may not sign any more, or may again, matters to the accounts that have it.
        let registered_with = |keys: &mut dyn Iterator<Item = &KeyName>| -> Vec<Subject> {
            let devices: Vec<DeviceName> = keys.map(|key| DeviceName::Key(key.clone())).collect();
            let has = |device: &DeviceName| {
                self.state.accounts_with(device).cloned().map(Subject::Account).collect::<Vec<_>>()
            };
            devices.iter().flat_map(has).collect()
        };
        match event {
            Event::KeyLost(report) | Event::KeyCompromised(report) => {
                more.extend(registered_with(&mut std::iter::once(&report.key)));
            }
            Event::KeyRestored(event) => {
                more.extend(registered_with(&mut std::iter::once(&event.key)));
            }
            Event::KeyRetired(event) => {
                more.extend(registered_with(&mut std::iter::once(&event.key)));
            }
            Event::CustodianLeft(event) => {
                let own = self.state.keys().keys().filter(|key| key.owner == event.custodian);
                more.extend(registered_with(&mut own.into_iter()));
            }
            _ => {}
        }
        touched.extend(more);
    }

    /// The secrets for which a new value of this one can change what is owed: those that ever had the same
    /// value, and itself. All of thousands would be looked at thousands of times.
    fn secrets_like(&self, secret: &Handle) -> Vec<Subject> {
        let alike = self.alike(secret).into_iter().flatten().chain([secret]);
        alike.cloned().map(Subject::Secret).collect()
    }

    /// The secrets that ever had the value that this one has now, where that can be told.
    fn alike(&self, secret: &Handle) -> Option<&BTreeSet<Handle>> {
        let present = self.state.secrets().get(secret)?.present()?;
        self.seeds.get(present.fingerprint.as_ref()?)
    }

    /// What an event changes beside obligations themselves.
    fn note(&mut self, number: u64, event: &Event) {
        match event {
            Event::VaultCreated(_) | Event::PolicyChanged(_) => {
                self.policies.push((number, self.state.policy().clone()));
            }
            Event::RunbookAdopted(adopted) => {
                if let Some(days) = adopted.every_days {
                    let paces = self.paces.entry(adopted.runbook.clone()).or_default();
                    paces.push((number, days.get()));
                }
            }
            Event::WaiverGiven(waiver) => {
                // Those of a time when anything could be named mean nothing here.
                if let Ok(obligation) = waiver.obligation.as_str().parse::<Obligation>() {
                    let given = self.deferrals.entry(obligation).or_default();
                    given.push((number, waiver.until));
                }
            }
            Event::SecretStored(stored) => {
                self.note_seed(&stored.secret, stored.fingerprint.as_ref())
            }
            Event::SecretReplaced(to) => self.note_seed(&to.secret, to.fingerprint.as_ref()),
            Event::ActionOpened(action) => {
                self.due.insert(action.action.clone(), action.due);
                self.begin(&Obligation::Action(action.action.clone()), number);
            }
            Event::ActionClosed(action) => {
                self.end(&Obligation::Action(action.action.clone()), number);
            }
            _ => {}
        }
    }

    fn note_seed(&mut self, secret: &Handle, fingerprint: Option<&Fingerprint>) {
        if let Some(fingerprint) = fingerprint {
            self.seeds.entry(*fingerprint).or_default().insert(secret.clone());
        }
    }

    /// What an event shows to be done. What failed is not.
    fn fulfils(&self, event: &Event) -> Vec<Obligation> {
        let tried = |tried: &AccountsTried, of: fn(Handle) -> Obligation| {
            let passed = tried.outcome == Outcome::Passed;
            tried.accounts.iter().filter(|_| passed).cloned().map(of).collect()
        };
        match event {
            Event::DutiesAcknowledged(event) => {
                vec![Obligation::Acknowledgement(event.custodian.clone())]
            }
            Event::ContactsReviewed(event) => tried(event, Obligation::Contacts),
            Event::MailboxTested(event) => tried(event, Obligation::Mailbox),
            Event::PhoneTested(event) => tried(event, Obligation::Phone),
            Event::SignInProven(event) if event.outcome == Outcome::Passed => {
                let Some(device) = &event.device else { return Vec::new() };
                let with = |account: &Handle| Obligation::SignIn(account.clone(), device.clone());
                event.accounts.iter().map(with).collect()
            }
            Event::TotpChecked(event) if event.outcome == Outcome::Passed => {
                vec![Obligation::Totp(event.account.clone(), event.token.clone())]
            }
            Event::DrillFinished(event) if event.outcome == Outcome::Passed => {
                let run = self.state.drills().get(&event.drill);
                run.map(|run| Obligation::Runbook(run.start.runbook.clone())).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Begins what is owed now and wasn't, and ends what was and isn't any more.
    fn look_at(&mut self, subject: Subject, number: u64) {
        let state = &self.state;
        let now = match &subject {
            Subject::Secret(secret) => return self.look_at_secret(secret, number),
            Subject::Keys => obligation::of_keys(state),
            Subject::Custodians => obligation::of_custodians(state),
            Subject::Account(account) => obligation::of_account(state, account),
            Subject::Runbooks => obligation::of_runbooks(state),
            Subject::Drill(drill) => obligation::of_drill(state, drill),
            Subject::Secrets => obligation::of_secrets(state),
            Subject::Compartments => obligation::of_compartments(state),
        };
        let before = self.open.insert(subject, now.clone()).unwrap_or_default();
        before.difference(&now).for_each(|obligation| self.end(obligation, number));
        now.difference(&before).for_each(|obligation| self.begin(obligation, number));
    }

    /// The same of one secret.
    fn look_at_secret(&mut self, secret: &Handle, number: u64) {
        let obligation = Obligation::Replace(secret.clone());
        let none = BTreeSet::new();
        let is_owed = self.state.is_open_to_others(secret, self.alike(secret).unwrap_or(&none));
        let open = self.open.entry(Subject::Secrets).or_default();
        let was_owed =
            if is_owed { !open.insert(obligation.clone()) } else { open.remove(&obligation) };
        match (was_owed, is_owed) {
            (false, true) => self.begin(&obligation, number),
            (true, false) => self.end(&obligation, number),
            _ => {}
        }
    }

    fn begin(&mut self, obligation: &Obligation, number: u64) {
        let spans = self.tracks.entry(obligation.clone()).or_default();
        spans.push(Tracked { begun: number, ended: None, done: Vec::new() });
    }

    fn is_open(&self, obligation: &Obligation) -> bool {
        let span = self.tracks.get(obligation).and_then(|spans| spans.last());
        span.is_some_and(|span| span.ended.is_none())
    }

    fn end(&mut self, obligation: &Obligation, number: u64) {
        let span = self.tracks.get_mut(obligation).and_then(|spans| spans.last_mut());
        if let Some(span) = span.filter(|span| span.ended.is_none()) {
            span.ended = Some(number);
        }
    }
}
