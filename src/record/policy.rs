//! The vault itself: how it was created, and the policy that holds since.

use serde::{Deserialize, Serialize};

use super::{Line, Rejection, Stamp, State};

/// Whether a signature must show that the key verified its user (PIN or fingerprint).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserVerification {
    /// Every signature must have the UV flag.
    Required,
    /// A touch is enough.
    Waived,
}

/// The rules that a vault has set itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Whether signatures need the UV flag.
    pub user_verification: UserVerification,
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
        state.policy = Policy { user_verification: self.user_verification };
        Ok(())
    }
}
