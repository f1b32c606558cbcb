//! `keymuster policy`: the rules that the vault has set itself.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::context::Context;
use super::cosigners::Signing;
use super::failure::Failure;
use super::output::Answer;
use super::session::Session;
use super::signing::record_events;
use crate::record::{Event, Line, Policy, PolicyChanged, UserVerification};

/// `keymuster policy …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the rules in force
    Show,
    /// Change some of them, which two custodians sign
    Change(ChangePolicy),
}

/// Whether signatures must show a PIN or fingerprint.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Verification {
    Required,
    Waived,
}

/// `keymuster policy change`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keymuster policy change --check-days 60")]
#[group(
    required = true,
    multiple = true,
    args = [
        "user_verification", "check_days", "acknowledgement_days", "contacts_days", "slip_days",
        "warn_days", "grace_days", "duty",
    ]
)]
pub struct ChangePolicy {
    /// Whether signatures must show a PIN or fingerprint
    #[arg(long, value_name = "RULE")]
    user_verification: Option<Verification>,
    /// How often each key and each TOTP device is checked
    #[arg(long, value_name = "DAYS")]
    check_days: Option<u32>,
    /// How often each custodian acknowledges their duties
    #[arg(long, value_name = "DAYS")]
    acknowledgement_days: Option<u32>,
    /// How often an account's contacts are reviewed
    #[arg(long, value_name = "DAYS")]
    contacts_days: Option<u32>,
    /// How long a slip is admitted
    #[arg(long, value_name = "DAYS")]
    slip_days: Option<u32>,
    /// How long before it is due something is announced
    #[arg(long, value_name = "DAYS")]
    warn_days: Option<u32>,
    /// How long after it was due something is late and not yet overdue
    #[arg(long, value_name = "DAYS")]
    grace_days: Option<u32>,
    /// What custodians acknowledge, in place of the text in force; may be repeated, one line each
    #[arg(long, value_name = "TEXT")]
    duty: Vec<Line>,
    #[command(flatten)]
    signers: Signing,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Show => show(context),
        Command::Change(change) => record_events(context, &change.signers, |session, _| {
            let changed = change.differing_from(session.state().policy());
            let changes = changed != PolicyChanged::default();
            Ok(changes.then_some(Event::PolicyChanged(changed)).into_iter().collect())
        }),
    }
}

impl ChangePolicy {
    /// What of it isn't in force already.
    fn differing_from(&self, policy: &Policy) -> PolicyChanged {
        let days = |wanted: Option<u32>, present: u32| wanted.filter(|days| *days != present);
        let verification = self.user_verification.map(|rule| match rule {
            Verification::Required => UserVerification::Required,
            Verification::Waived => UserVerification::Waived,
        });
        let duties = (!self.duty.is_empty()).then(|| self.duty.clone());
        PolicyChanged {
            user_verification: verification.filter(|rule| *rule != policy.user_verification),
            check_days: days(self.check_days, policy.check_days),
            acknowledgement_days: days(self.acknowledgement_days, policy.acknowledgement_days),
            contacts_days: days(self.contacts_days, policy.contacts_days),
            slip_days: days(self.slip_days, policy.slip_days),
            warn_days: days(self.warn_days, policy.warn_days),
            grace_days: days(self.grace_days, policy.grace_days),
            duties: duties.filter(|lines| *lines != policy.duties),
        }
    }
}

#[derive(Serialize)]
struct PolicyView {
    user_verification: &'static str,
    check_days: u32,
    acknowledgement_days: u32,
    contacts_days: u32,
    slip_days: u32,
    warn_days: u32,
    grace_days: u32,
    duties: Vec<String>,
    /// How many custodians sign what changes who may do what.
    quorum: usize,
    waivers: Vec<WaiverView>,
}

#[derive(Serialize)]
struct WaiverView {
    waiver: String,
    obligation: String,
    until: String,
    reason: String,
}

fn show(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let (state, policy) = (session.state(), session.state().policy());
    let waivers = state.waivers().iter().map(|(id, waiver)| WaiverView {
        waiver: id.to_string(),
        obligation: waiver.giving.obligation.to_string(),
        until: waiver.giving.until.to_string(),
        reason: waiver.giving.reason.to_string(),
    });
    let view = PolicyView {
        user_verification: super::output::verification_word(policy.user_verification),
        check_days: policy.check_days,
        acknowledgement_days: policy.acknowledgement_days,
        contacts_days: policy.contacts_days,
        slip_days: policy.slip_days,
        warn_days: policy.warn_days,
        grace_days: policy.grace_days,
        duties: policy.duties.iter().map(Line::to_string).collect(),
        quorum: state.quorum(),
        waivers: waivers.collect(),
    };
    Ok(Answer::new("policy", &view, described(&view)).exiting(session.exit()))
}

fn described(view: &PolicyView) -> String {
    let days = |days: u32| format!("{days} days");
    let signers = match view.quorum {
        1 => "one custodian, until a second has a key".to_owned(),
        n => format!("{n} different custodians"),
    };
    let mut lines = vec![
        ("changes are signed by", signers),
        ("PIN or fingerprint", view.user_verification.to_owned()),
        ("keys checked every", days(view.check_days)),
        ("duties acknowledged every", days(view.acknowledgement_days)),
        ("contacts reviewed every", days(view.contacts_days)),
        ("slips admitted for", days(view.slip_days)),
        ("announced before it is due", days(view.warn_days)),
        ("late until overdue", days(view.grace_days)),
    ];
    lines.extend(view.duties.iter().map(|duty| ("duty", duty.clone())));
    lines.extend(view.waivers.iter().map(|waiver| {
        let WaiverView { waiver, obligation, until, reason } = waiver;
        ("waiver", format!("{waiver}: {obligation} until {until}: {reason}"))
    }));
    lines.iter().map(|(what, value)| format!("{what:<27} {value}\n")).collect()
}
