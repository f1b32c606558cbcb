//! The nouns of a vault and what can happen to them: custodians, keys, readers, accounts,
//! secrets, compartments, policy, runbooks, drills, waivers, corrective actions.
//!
//! One file a noun, with its events and its part of [`State`]; a key has three, for its
//! enrolment, for reports on it, and for where it is. [`Event`] lists every
//! event there is, [`State::apply`] is the only way to change a state, and [`authority`]
//! says who must have signed what.
//!
//! This module decides from what it is given: it knows no file, clock, device, terminal
//! or randomness, and verifies no signature.

mod account;
mod act;
mod action;
pub mod authority;
mod compartment;
mod custodian;
mod custody;
mod drill;
mod event;
mod identity;
mod key;
mod policy;
mod reach;
mod reader;
mod report;
mod runbook;
mod secret;
mod slip;
mod state;
mod values;

pub use account::{
    Account, AccountAdded, AccountChanged, AccountField, AccountIdentity, AccountRemoved,
    AccountsTried, Concern, Contact, ContactRole, Device, DeviceLinked, DeviceName, DeviceUnlinked,
    Email, Evidence, Outcome, Phone, RootUser, RootUserChanged, SignInProven, Tag, TokenMoved,
    TotpCheck, TotpChecked, Trial, TrialKind,
};
pub use act::Act;
pub use action::{Action, ActionClosed, ActionOpened, Waiver, WaiverGiven};
pub use compartment::{Compartment, CompartmentSealed, MembersChosen, RECORDS, SEEDS};
pub use custodian::{
    Custodian, CustodianAdded, CustodianChanged, CustodianLeft, DutiesAcknowledged,
    RecipientChanged,
};
pub use custody::{Bag, BagOpened, BagSealed, KeyHandedOver, KeyMoved};
pub use drill::ending::{Closing, DrillAbandoned, DrillEnd, DrillFinished};
pub use drill::transcript::{
    DrillException, DrillInterrupted, DrillStep, EvidenceKept, PartTaken, StepResult,
};
pub use drill::{DrillReviewed, DrillRun, DrillStarted, Part};
pub use event::Event;
pub use identity::{IdentitySealed, PAPER, SealedIdentity};
pub use key::{Key, KeyChecked, KeyEnrolled, KeyState};
pub use policy::{Policy, PolicyChanged, Realm, UserVerification, VaultCreated, VaultSucceeds};
pub use reach::Epochs;
pub use reader::{Reader, ReaderAdded, ReaderRemoved};
pub use report::{KeyReported, KeyRestored, KeyRetired, Report, ReportKind};
pub use runbook::{
    AdoptedRunbook, COUNTS, DrillPurpose, DrillScope, MAX_ROLES, OPERATOR, RunbookAdopted,
    RunbookWithdrawn, WITNESS,
};
pub use secret::{
    Fingerprint, Generation, Purpose, Receipt, Secret, SecretKind, SecretName, SecretOpened,
    SecretReplaced, SecretStored,
};
pub use slip::{HeadAbandoned, SlipEndorsed};
pub use state::{Rejection, Sealing, Stamp, State};
pub use values::{
    AgeRecipient, Bytes, Digest, Handle, Hex, KeyName, Line, Salt, SshPublicKey, Time, UnfitValue,
    VaultId,
};
