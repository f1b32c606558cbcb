//! Everything that can happen to a vault.

use serde::{Deserialize, Serialize};

use super::{
    AccountAdded, AccountChanged, AccountRemoved, AccountsTried, ActionClosed, ActionOpened,
    BagOpened, BagSealed, CompartmentSealed, CustodianAdded, CustodianChanged, CustodianLeft,
    DeviceLinked, DeviceUnlinked, DrillAbandoned, DrillException, DrillFinished, DrillInterrupted,
    DrillReviewed, DrillStarted, DrillStep, DutiesAcknowledged, EvidenceKept, HeadAbandoned,
    IdentitySealed, KeyChecked, KeyEnrolled, KeyHandedOver, KeyMoved, KeyReported, KeyRestored,
    KeyRetired, MembersChosen, PartTaken, PolicyChanged, ReaderAdded, ReaderRemoved,
    RecipientChanged, RootUserChanged, RunbookAdopted, RunbookWithdrawn, SecretOpened,
    SecretReplaced, SecretStored, SignInProven, SlipEndorsed, TokenMoved, TotpChecked,
    VaultCreated, VaultSucceeds, WaiverGiven,
};

/// One event of an entry. `kind` is its tag in the document; unknown kinds and unknown
/// fields are errors.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// The vault begins.
    VaultCreated(VaultCreated),
    /// The vault takes the place of another.
    VaultSucceeds(VaultSucceeds),
    /// The policy changes.
    PolicyChanged(PolicyChanged),
    /// A custodian joins.
    CustodianAdded(CustodianAdded),
    /// What is known of a custodian changes.
    CustodianChanged(CustodianChanged),
    /// A custodian leaves.
    CustodianLeft(CustodianLeft),
    /// A custodian signs the text of their duties.
    DutiesAcknowledged(DutiesAcknowledged),
    /// A custodian's personal identity is another one.
    RecipientChanged(RecipientChanged),
    /// A reader is let in.
    ReaderAdded(ReaderAdded),
    /// A reader is let in no more.
    ReaderRemoved(ReaderRemoved),
    /// A key is enrolled.
    KeyEnrolled(Box<KeyEnrolled>),
    /// A key was checked.
    KeyChecked(KeyChecked),
    /// A key is reported lost.
    KeyLost(KeyReported),
    /// A key is reported compromised: somebody else may use it.
    KeyCompromised(KeyReported),
    /// A suspended key may sign again.
    KeyRestored(KeyRestored),
    /// A key is taken out of service.
    KeyRetired(KeyRetired),
    /// A key is kept elsewhere.
    KeyMoved(KeyMoved),
    /// A key goes into another custodian's hands.
    KeyHandedOver(KeyHandedOver),
    /// A key is sealed in a bag.
    BagSealed(BagSealed),
    /// The bag that a key is in is opened.
    BagOpened(BagOpened),
    /// A custodian's identity is sealed.
    IdentitySealed(IdentitySealed),
    /// Who belongs to a compartment is chosen.
    MembersChosen(MembersChosen),
    /// An epoch of a compartment begins.
    CompartmentSealed(CompartmentSealed),
    /// An account is looked after.
    AccountAdded(Box<AccountAdded>),
    /// What is known of an account changes.
    AccountChanged(Box<AccountChanged>),
    /// An account's root user changes.
    RootUserChanged(RootUserChanged),
    /// An account is looked after no more.
    AccountRemoved(AccountRemoved),
    /// An MFA device was registered with root users.
    DeviceLinked(DeviceLinked),
    /// An MFA device is no longer registered with root users.
    DeviceUnlinked(DeviceUnlinked),
    /// A token is kept elsewhere.
    TokenMoved(TokenMoved),
    /// Contacts and details of accounts were looked at.
    ContactsReviewed(AccountsTried),
    /// It was tried whether a message to root users arrives.
    MailboxTested(AccountsTried),
    /// It was tried whether root users' telephones are answered.
    PhoneTested(AccountsTried),
    /// It was tried whether root users can sign in.
    SignInProven(SignInProven),
    /// A TOTP device was checked against a seed.
    TotpChecked(TotpChecked),
    /// A secret comes into custody.
    SecretStored(SecretStored),
    /// A secret has another value.
    SecretReplaced(SecretReplaced),
    /// Somebody opens secrets.
    SecretOpened(SecretOpened),
    /// A runbook is adopted.
    RunbookAdopted(Box<RunbookAdopted>),
    /// A runbook is run no more.
    RunbookWithdrawn(RunbookWithdrawn),
    /// A drill begins.
    DrillStarted(Box<DrillStarted>),
    /// A drill was gone through.
    DrillFinished(Box<DrillFinished>),
    /// A drill was given up.
    DrillAbandoned(Box<DrillAbandoned>),
    /// Somebody else looked at a drill that is over.
    DrillReviewed(DrillReviewed),
    /// People were at a step of a drill.
    DrillStep(Box<DrillStep>),
    /// Something in a drill was otherwise than it should be.
    DrillException(DrillException),
    /// A drill was interrupted.
    DrillInterrupted(DrillInterrupted),
    /// Somebody else took over a part in a drill.
    PartTaken(PartTaken),
    /// A file was kept as evidence of a drill.
    EvidenceKept(EvidenceKept),
    /// An obligation may wait.
    WaiverGiven(WaiverGiven),
    /// A corrective action is opened.
    ActionOpened(ActionOpened),
    /// A corrective action is done.
    ActionClosed(ActionClosed),
    /// A slip of the same entry is endorsed.
    SlipEndorsed(SlipEndorsed),
    /// An entry that was made elsewhere is given up.
    HeadAbandoned(HeadAbandoned),
}

impl Event {
    /// Whether it bears on who may sign what comes after it: what is told of custodians, readers, keys,
    /// compartments, policy and runbooks, and what never will be part of the log. An extract of a log
    /// shows all of it.
    pub fn bears_on_authority(&self) -> bool {
        match self {
            Self::VaultCreated(_)
            | Self::VaultSucceeds(_)
            | Self::PolicyChanged(_)
            | Self::CustodianAdded(_)
            | Self::CustodianChanged(_)
            | Self::CustodianLeft(_)
            | Self::DutiesAcknowledged(_)
            | Self::RecipientChanged(_)
            | Self::ReaderAdded(_)
            | Self::ReaderRemoved(_)
            | Self::KeyEnrolled(_)
            | Self::KeyChecked(_)
            | Self::KeyLost(_)
            | Self::KeyCompromised(_)
            | Self::KeyRestored(_)
            | Self::KeyRetired(_)
            | Self::KeyMoved(_)
            | Self::KeyHandedOver(_)
            | Self::BagSealed(_)
            | Self::BagOpened(_)
            | Self::IdentitySealed(_)
            | Self::MembersChosen(_)
            | Self::CompartmentSealed(_)
            | Self::RunbookAdopted(_)
            | Self::RunbookWithdrawn(_)
            | Self::HeadAbandoned(_) => true,
            Self::AccountAdded(_)
            | Self::AccountChanged(_)
            | Self::RootUserChanged(_)
            | Self::AccountRemoved(_)
            | Self::DeviceLinked(_)
            | Self::DeviceUnlinked(_)
            | Self::TokenMoved(_)
            | Self::ContactsReviewed(_)
            | Self::MailboxTested(_)
            | Self::PhoneTested(_)
            | Self::SignInProven(_)
            | Self::TotpChecked(_)
            | Self::SecretStored(_)
            | Self::SecretReplaced(_)
            | Self::SecretOpened(_)
            | Self::DrillStarted(_)
            | Self::DrillFinished(_)
            | Self::DrillAbandoned(_)
            | Self::DrillReviewed(_)
            | Self::DrillStep(_)
            | Self::DrillException(_)
            | Self::DrillInterrupted(_)
            | Self::PartTaken(_)
            | Self::EvidenceKept(_)
            | Self::WaiverGiven(_)
            | Self::ActionOpened(_)
            | Self::ActionClosed(_)
            | Self::SlipEndorsed(_) => false,
        }
    }

    /// The tag, as it stands in a document.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VaultCreated(_) => "vault-created",
            Self::VaultSucceeds(_) => "vault-succeeds",
            Self::PolicyChanged(_) => "policy-changed",
            Self::CustodianAdded(_) => "custodian-added",
            Self::CustodianChanged(_) => "custodian-changed",
            Self::CustodianLeft(_) => "custodian-left",
            Self::DutiesAcknowledged(_) => "duties-acknowledged",
            Self::RecipientChanged(_) => "recipient-changed",
            Self::ReaderAdded(_) => "reader-added",
            Self::ReaderRemoved(_) => "reader-removed",
            Self::KeyEnrolled(_) => "key-enrolled",
            Self::KeyChecked(_) => "key-checked",
            Self::KeyLost(_) => "key-lost",
            Self::KeyCompromised(_) => "key-compromised",
            Self::KeyRestored(_) => "key-restored",
            Self::KeyRetired(_) => "key-retired",
            Self::KeyMoved(_) => "key-moved",
            Self::KeyHandedOver(_) => "key-handed-over",
            Self::BagSealed(_) => "bag-sealed",
            Self::BagOpened(_) => "bag-opened",
            Self::IdentitySealed(_) => "identity-sealed",
            Self::MembersChosen(_) => "members-chosen",
            Self::CompartmentSealed(_) => "compartment-sealed",
            Self::AccountAdded(_) => "account-added",
            Self::AccountChanged(_) => "account-changed",
            Self::RootUserChanged(_) => "root-user-changed",
            Self::AccountRemoved(_) => "account-removed",
            Self::DeviceLinked(_) => "device-linked",
            Self::DeviceUnlinked(_) => "device-unlinked",
            Self::TokenMoved(_) => "token-moved",
            Self::ContactsReviewed(_) => "contacts-reviewed",
            Self::MailboxTested(_) => "mailbox-tested",
            Self::PhoneTested(_) => "phone-tested",
            Self::SignInProven(_) => "sign-in-proven",
            Self::TotpChecked(_) => "totp-checked",
            Self::SecretStored(_) => "secret-stored",
            Self::SecretReplaced(_) => "secret-replaced",
            Self::SecretOpened(_) => "secret-opened",
            Self::RunbookAdopted(_) => "runbook-adopted",
            Self::RunbookWithdrawn(_) => "runbook-withdrawn",
            Self::DrillStarted(_) => "drill-started",
            Self::DrillFinished(_) => "drill-finished",
            Self::DrillAbandoned(_) => "drill-abandoned",
            Self::DrillReviewed(_) => "drill-reviewed",
            Self::DrillStep(_) => "drill-step",
            Self::DrillException(_) => "drill-exception",
            Self::DrillInterrupted(_) => "drill-interrupted",
            Self::PartTaken(_) => "part-taken",
            Self::EvidenceKept(_) => "evidence-kept",
            Self::WaiverGiven(_) => "waiver-given",
            Self::ActionOpened(_) => "action-opened",
            Self::ActionClosed(_) => "action-closed",
            Self::SlipEndorsed(_) => "slip-endorsed",
            Self::HeadAbandoned(_) => "head-abandoned",
        }
    }
}
