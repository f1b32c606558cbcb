//! Everything that can happen to a vault.

use serde::{Deserialize, Serialize};

use super::{
    CompartmentSealed, CustodianAdded, IdentitySealed, KeyChecked, KeyEnrolled, ReaderAdded,
    VaultCreated,
};

/// One event of an entry. `kind` is its tag in the document; unknown kinds and unknown
/// fields are errors.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// The vault begins.
    VaultCreated(VaultCreated),
    /// A custodian joins.
    CustodianAdded(CustodianAdded),
    /// A reader is let in.
    ReaderAdded(ReaderAdded),
    /// A key is enrolled.
    KeyEnrolled(Box<KeyEnrolled>),
    /// A custodian's identity is sealed.
    IdentitySealed(IdentitySealed),
    /// An epoch of a compartment begins.
    CompartmentSealed(CompartmentSealed),
    /// A key was checked.
    KeyChecked(KeyChecked),
}

impl Event {
    /// The tag, as it stands in a document.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VaultCreated(_) => "vault-created",
            Self::CustodianAdded(_) => "custodian-added",
            Self::ReaderAdded(_) => "reader-added",
            Self::KeyEnrolled(_) => "key-enrolled",
            Self::IdentitySealed(_) => "identity-sealed",
            Self::CompartmentSealed(_) => "compartment-sealed",
            Self::KeyChecked(_) => "key-checked",
        }
    }
}
