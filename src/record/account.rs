//! Accounts whose root users the vault's people look after: what is recorded of each, and
//! when its ways in were last tried.
//!
//! The root user's e-mail address and telephone number, its MFA devices, and whether it has
//! credentials at all are how one gets into the account: a change of these has events of its
//! own, which two custodians sign.

mod concern;
mod contact;
mod device;
mod totp;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Handle, Line, Rejection, Stamp, State, Time};

pub use concern::{Concern, ContactRole};
pub use contact::{Contact, Email, Phone, Tag};
pub use device::{Device, DeviceLinked, DeviceName, DeviceUnlinked, TokenMoved};
pub use totp::{Evidence, TotpCheck, TotpChecked};
pub use trial::{AccountsTried, Outcome, SignInProven, Trial, TrialKind};

/// The most tags of an account, and the most people who read a mailbox or answer a telephone.
const MAX_LISTED: usize = 50;

/// An account, as it is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Whose root user this is.
    pub identity: AccountIdentity,
    /// What its provider calls it.
    pub name: Option<Line>,
    /// What it can be found by; sorted.
    pub tags: Vec<Tag>,
    /// Its root user.
    pub root: RootUser,
    /// Who reads the mailbox of the root user's address; sorted. Custodians, or others by a
    /// name that stays theirs.
    pub mailbox_readers: Vec<Handle>,
    /// The accounts without which that mailbox can't be read, since its mail service or its domain
    /// is run in them; sorted. The account itself may be one of them.
    pub mailbox_through: Vec<Handle>,
    /// Who answers the root user's telephone; sorted.
    pub phone_answerers: Vec<Handle>,
    /// Whom the provider writes to about bills.
    pub billing_contact: Option<Contact>,
    /// Whom it writes to about operations.
    pub operations_contact: Option<Contact>,
    /// Whom it writes to about security.
    pub security_contact: Option<Contact>,
    /// Where the root user's password is kept.
    pub password_place: Option<Line>,
    /// The MFA devices that are registered with the root user.
    pub devices: BTreeMap<DeviceName, Device>,
    /// The tokens that were, since a token's name is used once.
    former_tokens: BTreeSet<Handle>,
    /// When its ways in were last tried, and how that went.
    pub trials: BTreeMap<TrialKind, Trial>,
    /// What is in custody of it.
    pub secrets: BTreeSet<Handle>,
    /// When it was added.
    pub added: Stamp,
    /// When it was removed.
    pub removed: Option<Stamp>,
}

/// Which account it is, at which provider.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AccountIdentity {
    /// The provider: an AWS partition (`aws`, `aws-cn`, `aws-us-gov`, …) or another's name.
    pub provider: Handle,
    /// The provider's number or name for it; twelve digits at AWS.
    pub id: Line,
}

impl AccountIdentity {
    /// As people give it: at AWS, whose console shows an id in three groups, with hyphens too.
    pub fn given(provider: Handle, id: Line) -> Self {
        let identity = Self { provider, id };
        let groups: Vec<&str> = identity.id.as_str().split('-').collect();
        let is_grouped = groups.len() == 3 && groups.iter().all(|group| group.len() == 4);
        if is_grouped && identity.is_aws() {
            let joined = groups.concat().parse().map(|id| Self { id, ..identity.clone() });
            return joined.ok().filter(|joined| joined.check().is_ok()).unwrap_or(identity);
        }
        identity
    }

    /// Whether the provider is a partition of AWS.
    pub fn is_aws(&self) -> bool {
        self.provider.as_str() == "aws" || self.provider.as_str().starts_with("aws-")
    }

    /// Fails where the provider has no such ids.
    pub fn check(&self) -> Result<(), Rejection> {
        let id = self.id.as_str();
        if self.is_aws() && !(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(Rejection::Mismatch(format!(
                "an account of {} has an id of twelve digits, and {id:?} isn't one",
                self.provider
            )));
        }
        Ok(())
    }
}

/// The root user of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RootUser {
    /// Whether it has a password and MFA devices. Without, root access is managed by the
    /// organisation that the account belongs to.
    pub credentials: bool,
    /// Its e-mail address.
    pub email: Option<Email>,
    /// Its telephone number.
    pub phone: Option<Phone>,
}

/// All accounts. They are shared by the states that a replay goes through: an entry that
/// changes none of them costs nothing for ten thousand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Accounts {
    present: BTreeMap<Handle, Arc<Account>>,
    former: BTreeMap<Handle, Arc<Account>>,
    by_identity: BTreeMap<AccountIdentity, Handle>,
}

impl Accounts {
    fn known(&self, handle: &Handle) -> Result<&Account, Rejection> {
        let known = self.present.get(handle).map(AsRef::as_ref);
        known.ok_or_else(|| Rejection::Unknown("account", handle.to_string()))
    }

    fn known_mut(&mut self, handle: &Handle) -> Result<&mut Account, Rejection> {
        let known = self.present.get_mut(handle).map(Arc::make_mut);
        known.ok_or_else(|| Rejection::Unknown("account", handle.to_string()))
    }

    /// Lowers every time that is after `time` to it: see [`State::note_time`].
    pub(super) fn cap_times(&mut self, time: Time) {
        let later = |account: &Account| account.stamps().any(|stamp| stamp.time > time);
        for account in self.present.values_mut().filter(|account| later(account)) {
            for stamp in Arc::make_mut(account).stamps_mut() {
                stamp.time = stamp.time.min(time);
            }
        }
    }
}

impl Account {
    /// When things were last tried.
    fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        let checks = self.devices.values().flat_map(|device| &device.checks);
        self.trials.values().flat_map(Trial::stamps).chain(checks.map(|check| &check.at))
    }

    fn stamps_mut(&mut self) -> impl Iterator<Item = &mut Stamp> {
        let checks = self.devices.values_mut().flat_map(|device| &mut device.checks);
        self.trials.values_mut().flat_map(Trial::stamps_mut).chain(checks.map(|c| &mut c.at))
    }
}

impl State {
    /// Accounts by handle; not those that were removed.
    pub fn accounts(&self) -> &BTreeMap<Handle, Arc<Account>> {
        &self.accounts.present
    }

    /// Those that were removed, by handle.
    pub fn former_accounts(&self) -> &BTreeMap<Handle, Arc<Account>> {
        &self.accounts.former
    }

    /// The handle of the account with this identity, if it is recorded.
    pub fn account_of(&self, identity: &AccountIdentity) -> Option<&Handle> {
        self.accounts.by_identity.get(identity)
    }

    /// The accounts that an MFA device is registered with.
    pub fn accounts_with<'a>(
        &'a self,
        device: &'a DeviceName,
    ) -> impl Iterator<Item = &'a Handle> + 'a {
        let has = move |account: &Account| account.devices.contains_key(device);
        self.accounts().iter().filter(move |(_, account)| has(account)).map(|(handle, _)| handle)
    }

    fn accounts_mut(&mut self) -> &mut Accounts {
        Arc::make_mut(&mut self.accounts)
    }

    pub(super) fn account_mut(&mut self, handle: &Handle) -> Result<&mut Account, Rejection> {
        self.accounts.known(handle)?;
        self.accounts_mut().known_mut(handle)
    }
}

/// Fails unless a list is sorted, without repetition and not endless: so it has one spelling.
fn in_order<T: Ord>(items: &[T], what: &str) -> Result<(), Rejection> {
    if items.len() > MAX_LISTED {
        return Err(Rejection::Mismatch(format!("there are {MAX_LISTED} {what} at most")));
    }
    if !items.is_sorted_by(|one, next| one < next) {
        return Err(Rejection::Mismatch(format!("{what} are sorted, and none stands twice")));
    }
    Ok(())
}

/// An account is looked after from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountAdded {
    /// Its handle, never used before.
    pub account: Handle,
    /// The provider: see [`AccountIdentity`].
    pub provider: Handle,
    /// The provider's number or name for it, recorded for no other account.
    pub id: Line,
    /// What its provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
    /// What it can be found by; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Whether the root user has a password and MFA devices.
    pub root_credentials: bool,
    /// The root user's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_email: Option<Email>,
    /// Who reads its mailbox; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailbox_readers: Vec<Handle>,
    /// The root user's telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_phone: Option<Phone>,
    /// Who answers it; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phone_answerers: Vec<Handle>,
    /// Whom the provider writes to about bills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_contact: Option<Contact>,
    /// Whom it writes to about operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations_contact: Option<Contact>,
    /// Whom it writes to about security.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_contact: Option<Contact>,
    /// Where the root user's password is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_place: Option<Line>,
}

impl AccountAdded {
    /// An account with root credentials, of which no more is known than which it is.
    pub fn of(account: Handle, provider: Handle, id: Line) -> Self {
        Self {
            account,
            provider,
            id,
            name: None,
            tags: Vec::new(),
            root_credentials: true,
            root_email: None,
            mailbox_readers: Vec::new(),
            root_phone: None,
            phone_answerers: Vec::new(),
            billing_contact: None,
            operations_contact: None,
            security_contact: None,
            password_place: None,
        }
    }

    /// Which account it is.
    pub fn identity(&self) -> AccountIdentity {
        AccountIdentity { provider: self.provider.clone(), id: self.id.clone() }
    }

    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        let identity = self.identity();
        identity.check()?;
        in_order(&self.tags, "tags")?;
        in_order(&self.mailbox_readers, "readers of a mailbox")?;
        in_order(&self.phone_answerers, "people who answer a telephone")?;
        let accounts = &state.accounts;
        if accounts.present.contains_key(&self.account)
            || accounts.former.contains_key(&self.account)
        {
            return Err(Rejection::Taken("account", self.account.to_string()));
        }
        if let Some(known) = accounts.by_identity.get(&identity) {
            return Err(Rejection::Mismatch(format!(
                "{} is the same account as {known}: {} {}",
                self.account, self.provider, self.id
            )));
        }
        let account = Account {
            identity: identity.clone(),
            name: self.name.clone(),
            tags: self.tags.clone(),
            root: RootUser {
                credentials: self.root_credentials,
                email: self.root_email.clone(),
                phone: self.root_phone.clone(),
            },
            mailbox_readers: self.mailbox_readers.clone(),
            mailbox_through: Vec::new(),
            phone_answerers: self.phone_answerers.clone(),
            billing_contact: self.billing_contact.clone(),
            operations_contact: self.operations_contact.clone(),
            security_contact: self.security_contact.clone(),
            password_place: self.password_place.clone(),
            devices: BTreeMap::new(),
            former_tokens: BTreeSet::new(),
            trials: BTreeMap::new(),
            secrets: BTreeSet::new(),
            added: at,
            removed: None,
        };
        let accounts = state.accounts_mut();
        accounts.by_identity.insert(identity, self.account.clone());
        accounts.present.insert(self.account.clone(), Arc::new(account));
        Ok(())
    }
}

/// What can be forgotten of an account, since a field that isn't named stays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountField {
    /// What its provider calls it.
    Name,
    /// What it can be found by.
    Tags,
    /// Who reads the mailbox.
    MailboxReaders,
    /// Which accounts that takes.
    MailboxThrough,
    /// Who answers the telephone.
    PhoneAnswerers,
    /// Whom the provider writes to about bills.
    BillingContact,
    /// Whom it writes to about operations.
    OperationsContact,
    /// Whom it writes to about security.
    SecurityContact,
    /// Where the root user's password is kept.
    PasswordPlace,
}

/// What is known of an account changes, but for its root user; what isn't named stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountChanged {
    /// Which.
    pub account: Handle,
    /// What its provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
    /// What it can be found by; sorted, and not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Who reads the mailbox of the root user's address; sorted, and not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailbox_readers: Vec<Handle>,
    /// The accounts without which the mailbox can't be read; sorted, and not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailbox_through: Vec<Handle>,
    /// Who answers the root user's telephone; sorted, and not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phone_answerers: Vec<Handle>,
    /// Whom the provider writes to about bills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_contact: Option<Contact>,
    /// Whom it writes to about operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations_contact: Option<Contact>,
    /// Whom it writes to about security.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_contact: Option<Contact>,
    /// Where the root user's password is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_place: Option<Line>,
    /// What is forgotten; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<AccountField>,
}

impl AccountChanged {
    /// A change of this account that changes nothing yet.
    pub fn of(account: Handle) -> Self {
        Self {
            account,
            name: None,
            tags: Vec::new(),
            mailbox_readers: Vec::new(),
            mailbox_through: Vec::new(),
            phone_answerers: Vec::new(),
            billing_contact: None,
            operations_contact: None,
            security_contact: None,
            password_place: None,
            forgotten: Vec::new(),
        }
    }

    /// The fields that it sets.
    pub fn sets(&self) -> BTreeSet<AccountField> {
        let fields = [
            (AccountField::Name, self.name.is_some()),
            (AccountField::Tags, !self.tags.is_empty()),
            (AccountField::MailboxReaders, !self.mailbox_readers.is_empty()),
            (AccountField::MailboxThrough, !self.mailbox_through.is_empty()),
            (AccountField::PhoneAnswerers, !self.phone_answerers.is_empty()),
            (AccountField::BillingContact, self.billing_contact.is_some()),
            (AccountField::OperationsContact, self.operations_contact.is_some()),
            (AccountField::SecurityContact, self.security_contact.is_some()),
            (AccountField::PasswordPlace, self.password_place.is_some()),
        ];
        fields.into_iter().filter(|(_, sets)| *sets).map(|(field, _)| field).collect()
    }

    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        let sets = self.sets();
        if sets.is_empty() && self.forgotten.is_empty() {
            return Err(Rejection::Mismatch("it changes nothing".to_owned()));
        }
        in_order(&self.tags, "tags")?;
        in_order(&self.mailbox_readers, "readers of a mailbox")?;
        in_order(&self.mailbox_through, "accounts that it takes to read a mailbox")?;
        for needed in &self.mailbox_through {
            state.accounts.known(needed)?;
        }
        in_order(&self.phone_answerers, "people who answer a telephone")?;
        in_order(&self.forgotten, "forgotten fields")?;
        if self.forgotten.iter().any(|field| sets.contains(field)) {
            return Err(Rejection::Mismatch("it sets what it forgets".to_owned()));
        }
        let account = state.account_mut(&self.account)?;
        for field in &self.forgotten {
            match field {
                AccountField::Name => account.name = None,
                AccountField::Tags => account.tags.clear(),
                AccountField::MailboxReaders => account.mailbox_readers.clear(),
                AccountField::MailboxThrough => account.mailbox_through.clear(),
                AccountField::PhoneAnswerers => account.phone_answerers.clear(),
                AccountField::BillingContact => account.billing_contact = None,
                AccountField::OperationsContact => account.operations_contact = None,
                AccountField::SecurityContact => account.security_contact = None,
                AccountField::PasswordPlace => account.password_place = None,
            }
        }
        set(&mut account.name, self.name.as_ref());
        set_list(&mut account.tags, &self.tags);
        set_list(&mut account.mailbox_readers, &self.mailbox_readers);
        set_list(&mut account.mailbox_through, &self.mailbox_through);
        set_list(&mut account.phone_answerers, &self.phone_answerers);
        set(&mut account.billing_contact, self.billing_contact.as_ref());
        set(&mut account.operations_contact, self.operations_contact.as_ref());
        set(&mut account.security_contact, self.security_contact.as_ref());
        set(&mut account.password_place, self.password_place.as_ref());
        Ok(())
    }
}

fn set<T: Clone>(value: &mut Option<T>, to: Option<&T>) {
    if to.is_some() {
        *value = to.cloned();
    }
}

fn set_list<T: Clone>(value: &mut Vec<T>, to: &[T]) {
    if !to.is_empty() {
        *value = to.to_vec();
    }
}

/// The root user of an account changes; what isn't named stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootUserChanged {
    /// Of which account.
    pub account: Handle,
    /// Whether it has a password and MFA devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<bool>,
    /// Its e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Its telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
}

impl RootUserChanged {
    pub(super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        if self.credentials.is_none() && self.email.is_none() && self.phone.is_none() {
            return Err(Rejection::Mismatch("it changes nothing".to_owned()));
        }
        let account = state.account_mut(&self.account)?;
        if self.credentials == Some(false)
            && let Some(device) = account.devices.keys().next()
        {
            return Err(Rejection::Mismatch(format!(
                "{device} is registered with {}: without root credentials there is no MFA device",
                self.account
            )));
        }
        // What was tried of another address, another number or a former password tells nothing.
        let other_email = self.email.is_some() && self.email != account.root.email;
        let other_phone = self.phone.is_some() && self.phone != account.root.phone;
        let signs_in = self.credentials != Some(false);
        account.trials.retain(|kind, _| match kind {
            TrialKind::Contacts => true,
            TrialKind::Mailbox => !other_email,
            TrialKind::Phone => !other_phone,
            TrialKind::SignIn(_) => signs_in,
        });
        let root = &mut account.root;
        root.credentials = self.credentials.unwrap_or(root.credentials);
        set(&mut root.email, self.email.as_ref());
        set(&mut root.phone, self.phone.as_ref());
        Ok(())
    }
}

/// An account is looked after no more: it was closed, or is another's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRemoved {
    /// Which.
    pub account: Handle,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Line>,
}

impl AccountRemoved {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        let mut account = state.accounts.known(&self.account)?.clone();
        account.removed = Some(at);
        let accounts = state.accounts_mut();
        accounts.by_identity.remove(&account.identity);
        accounts.present.remove(&self.account);
        accounts.former.insert(self.account.clone(), Arc::new(account));
        Ok(())
    }
}
