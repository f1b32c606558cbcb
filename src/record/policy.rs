//! The vault itself: how it was created, and the policy that holds since.

use serde::{Deserialize, Serialize};

use super::custodian::{MAX_LINES, too_many_lines};
use super::{Digest, Line, Rejection, Stamp, State, VaultId};

/// Whether a signature must show that the key verified its user (PIN or fingerprint).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserVerification {
    /// Every signature must have the UV flag.
    Required,
    /// A touch is enough.
    Waived,
}

/// The rules that a vault has set itself. Periods are whole days.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Whether signatures need the UV flag.
    pub user_verification: UserVerification,
    /// How often each key and each TOTP device is checked.
    pub check_days: u32,
    /// How often each custodian acknowledges their duties.
    pub acknowledgement_days: u32,
    /// How often an account's contacts are reviewed.
    pub contacts_days: u32,
    /// How long a slip is admitted.
    pub slip_days: u32,
    /// How long before it is due something is announced.
    pub warn_days: u32,
    /// How long after it was due something is late and not yet overdue.
    pub grace_days: u32,
    /// What custodians acknowledge; empty where the vault has set no text of its own.
    pub duties: Vec<Line>,
}

impl Policy {
    /// The policy of a vault that has set itself nothing else. Part of format 1: old entries
    /// are judged by it.
    pub(super) fn at_first(user_verification: UserVerification) -> Self {
        Self {
            user_verification,
            check_days: 90,
            acknowledgement_days: 365,
            contacts_days: 180,
            slip_days: 14,
            warn_days: 14,
            grace_days: 7,
            duties: Vec::new(),
        }
    }
}

/// The policy changes; what isn't named stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChanged {
    /// Whether signatures need the UV flag, from the next entry on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_verification: Option<UserVerification>,
    /// See [`Policy::check_days`], as with all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_days: Option<u32>,
    /// How often each custodian acknowledges their duties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement_days: Option<u32>,
    /// How often an account's contacts are reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contacts_days: Option<u32>,
    /// How long a slip is admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slip_days: Option<u32>,
    /// How long before it is due something is announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_days: Option<u32>,
    /// How long after it was due something is late and not yet overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_days: Option<u32>,
    /// What custodians acknowledge. A new text is to be acknowledged anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duties: Option<Vec<Line>>,
}

impl PolicyChanged {
    /// The longest period, in days: ten years.
    pub const MAX_DAYS: u32 = 3660;

    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        if *self == Self::default() {
            return Err(Rejection::Mismatch("it changes nothing".to_owned()));
        }
        let periods =
            [self.check_days, self.acknowledgement_days, self.contacts_days, self.slip_days];
        if periods.contains(&Some(0)) {
            return Err(Rejection::Mismatch("a period is at least one day".to_owned()));
        }
        let all = periods.iter().chain([&self.warn_days, &self.grace_days]).flatten();
        if all.copied().any(|days| days > Self::MAX_DAYS) {
            let most = Self::MAX_DAYS;
            return Err(Rejection::Mismatch(format!("a period is at most {most} days")));
        }
        if self.duties.as_ref().is_some_and(|lines| lines.len() > MAX_LINES) {
            return Err(too_many_lines());
        }
        let before = &state.policy;
        let warn = self.warn_days.unwrap_or(before.warn_days);
        let shortest = [
            self.check_days.unwrap_or(before.check_days),
            self.acknowledgement_days.unwrap_or(before.acknowledgement_days),
            self.contacts_days.unwrap_or(before.contacts_days),
        ];
        if shortest.iter().any(|days| *days <= warn) {
            return Err(Rejection::Mismatch(format!(
                "what is due is announced {warn} days before it, and so must be due less often"
            )));
        }
        let policy = &mut state.policy;
        let set = |value: &mut u32, to: Option<u32>| *value = to.unwrap_or(*value);
        policy.user_verification = self.user_verification.unwrap_or(policy.user_verification);
        set(&mut policy.check_days, self.check_days);
        set(&mut policy.acknowledgement_days, self.acknowledgement_days);
        set(&mut policy.contacts_days, self.contacts_days);
        set(&mut policy.slip_days, self.slip_days);
        set(&mut policy.warn_days, self.warn_days);
        set(&mut policy.grace_days, self.grace_days);
        if let Some(duties) = &self.duties
            && *duties != policy.duties
        {
            policy.duties.clone_from(duties);
            for custodian in state.custodians.values_mut() {
                custodian.acknowledged = None;
            }
        }
        Ok(())
    }

    /// What of a policy it loosens, in words: people should look at that.
    pub fn loosens(&self, before: &Policy) -> Vec<&'static str> {
        let waives = self.user_verification == Some(UserVerification::Waived)
            && before.user_verification == UserVerification::Required;
        let drops_duties =
            self.duties.as_ref().is_some_and(Vec::is_empty) && !before.duties.is_empty();
        let longer = |to: Option<u32>, from: u32| to.is_some_and(|days| days > from);
        let loosened = [
            (waives, "signatures need no PIN or fingerprint"),
            (longer(self.check_days, before.check_days), "keys are checked less often"),
            (
                longer(self.acknowledgement_days, before.acknowledgement_days),
                "duties are acknowledged less often",
            ),
            (longer(self.contacts_days, before.contacts_days), "contacts are reviewed less often"),
            (longer(self.slip_days, before.slip_days), "slips are admitted for longer"),
            (longer(self.grace_days, before.grace_days), "what is late is overdue later"),
            (drops_duties, "any text of duties may be acknowledged"),
        ];
        loosened.into_iter().filter(|(is, _)| *is).map(|(_, words)| words).collect()
    }
}

/// Whether a vault is meant in earnest. Keys of a demo vault can't sign for a real one,
/// nor the other way round: application and namespace differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Realm {
    /// A vault whose keys are hardware.
    Real,
    /// A vault to try things with, whose keys are software.
    Demo,
}

impl Realm {
    /// The application (`rpId`) of credentials that sign.
    pub const fn signing_application(self) -> &'static str {
        match self {
            Self::Real => "ssh:keymuster",
            Self::Demo => "ssh:keymuster-demo",
        }
    }

    /// The application (`rpId`) of credentials that unlock. Never `ssh:…`, so that what
    /// unlocks can't sign.
    pub const fn unlocking_application(self) -> &'static str {
        match self {
            Self::Real => "keymuster",
            Self::Demo => "keymuster-demo",
        }
    }

    /// The SSHSIG namespace of signatures over a head.
    pub const fn head_namespace(self) -> &'static str {
        match self {
            Self::Real => "keymuster-head",
            Self::Demo => "keymuster-demo",
        }
    }

    /// The SSHSIG namespace of signatures over the head that a slip makes: not one of the log.
    pub const fn slip_namespace(self) -> &'static str {
        match self {
            Self::Real => "keymuster-slip",
            Self::Demo => "keymuster-demo-slip",
        }
    }
}

/// The first event of every log, and of none but the first entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultCreated {
    /// Whose vault it is.
    pub name: Line,
    /// Whether it is a demo vault.
    pub demo: bool,
    /// Policy: whether signatures need the UV flag.
    pub user_verification: UserVerification,
}

impl VaultCreated {
    /// Real or demo.
    pub fn realm(&self) -> Realm {
        if self.demo { Realm::Demo } else { Realm::Real }
    }

    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        if state.created.is_some() {
            return Err(Rejection::Again("vault-created"));
        }
        state.created = Some(at);
        state.name = Some(self.name.clone());
        state.realm = self.realm();
        state.policy = Policy::at_first(self.user_verification);
        Ok(())
    }
}

/// The vault takes the place of another, which can't be signed for any more. In the first entry only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSucceeds {
    /// The other vault's id.
    pub vault: VaultId,
    /// The number of the last entry of it that counts.
    pub number: u64,
    /// That entry's link.
    pub link: Digest,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Line>,
}

impl VaultSucceeds {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        if state.succeeds.is_some() {
            return Err(Rejection::Again("vault-succeeds"));
        }
        if self.number == 0 {
            return Err(Rejection::Mismatch("nobody succeeds a vault without entries".to_owned()));
        }
        state.succeeds = Some(self.clone());
        Ok(())
    }
}
