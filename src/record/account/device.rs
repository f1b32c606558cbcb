//! MFA devices of root users: enrolled security keys, and tokens that show TOTP codes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::super::values::as_text;
use super::super::{Handle, KeyName, Line, Rejection, Stamp, State, UnfitValue};
use super::{TotpCheck, TrialKind};

/// The most MFA devices of a root user that are recorded. (AWS takes eight.)
const MAX_DEVICES: usize = 64;

/// What an MFA device is called: `alice/primary` is a security key that is enrolled here,
/// `phone` a token that shows TOTP codes, in an app or by itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DeviceName {
    /// A security key. What is known of it stands with the key.
    Key(KeyName),
    /// A token, one of an account's.
    Token(Handle),
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Token(token) => token.fmt(f),
        }
    }
}

impl FromStr for DeviceName {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let key = || text.parse().map(Self::Key);
        let token = || text.parse().map(Self::Token);
        let named = if text.contains('/') { key() } else { token() };
        named.map_err(|_| UnfitValue::DeviceName(text.chars().take(80).collect()))
    }
}
as_text!(DeviceName);

/// An MFA device that is registered with a root user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Who has it, if it is a token.
    pub holder: Option<Handle>,
    /// Where it is kept, if it is a token.
    pub place: Option<Line>,
    /// When it was recorded that it is registered.
    pub linked: Stamp,
    /// When its codes were checked against a seed, if it is a token; in the order of the log.
    pub checks: Vec<TotpCheck>,
}

/// An MFA device was registered with the root user of accounts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceLinked {
    /// Which device: an active key, or a token whose name the account never had.
    pub device: DeviceName,
    /// Of which accounts, each once.
    pub accounts: Vec<Handle>,
    /// Who has it, if it is a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Handle>,
    /// Where it is kept, if it is a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Line>,
}

impl DeviceLinked {
    pub(in super::super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        match &self.device {
            DeviceName::Key(key) => {
                let known = state.key_mut(key)?;
                if !known.is_active() {
                    let word = known.state.word();
                    return Err(Rejection::Mismatch(format!("{key} is {word}")));
                }
                if self.holder.is_some() || self.place.is_some() {
                    return Err(Rejection::Mismatch(format!(
                        "who has {key}, and where, is recorded with the key"
                    )));
                }
            }
            DeviceName::Token(_) => {}
        }
        for handle in each_once(&self.accounts)? {
            let account = state.accounts.known(handle)?;
            let device = &self.device;
            let refused = |why: String| Err(Rejection::Mismatch(why));
            if !account.root.credentials {
                return refused(format!("{handle} has no root credentials, and so no MFA device"));
            }
            if account.devices.contains_key(device) {
                return refused(format!("{device} is registered with {handle} already"));
            }
            if let DeviceName::Token(token) = device
                && account.former_tokens.contains(token)
            {
                return refused(format!(
                    "{handle} had a token {token} before, and no name is used twice"
                ));
            }
            if account.devices.len() >= MAX_DEVICES {
                return refused(format!("{handle} has {MAX_DEVICES} MFA devices"));
            }
        }
        for handle in &self.accounts {
            let (holder, place) = (self.holder.clone(), self.place.clone());
            let device = Device { holder, place, linked: at, checks: Vec::new() };
            state.account_mut(handle)?.devices.insert(self.device.clone(), device);
        }
        Ok(())
    }
}

/// Fails where an account stands twice, or none, or out of order: where people are told the
/// first of many, nobody chooses which those are.
pub(super) fn each_once(accounts: &[Handle]) -> Result<&[Handle], Rejection> {
    if accounts.is_empty() || !accounts.is_sorted_by(|one, next| one < next) {
        return Err(Rejection::Mismatch("it names accounts, sorted, each once".to_owned()));
    }
    Ok(accounts)
}

/// An MFA device is no longer registered with the root user of accounts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceUnlinked {
    /// Which device.
    pub device: DeviceName,
    /// Of which accounts, each once.
    pub accounts: Vec<Handle>,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Line>,
}

impl DeviceUnlinked {
    pub(in super::super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        for handle in each_once(&self.accounts)? {
            if !state.accounts.known(handle)?.devices.contains_key(&self.device) {
                return Err(not_registered(&self.device, handle));
            }
        }
        for handle in &self.accounts {
            let account = state.account_mut(handle)?;
            account.devices.remove(&self.device);
            account.trials.remove(&TrialKind::SignIn(Some(self.device.clone())));
            if let DeviceName::Token(token) = &self.device {
                account.former_tokens.insert(token.clone());
            }
        }
        Ok(())
    }
}

pub(super) fn not_registered(device: &DeviceName, account: &Handle) -> Rejection {
    Rejection::Mismatch(format!("{device} isn't registered with {account}"))
}

/// A token is kept elsewhere, or somebody else has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenMoved {
    /// Of which account.
    pub account: Handle,
    /// Which token.
    pub token: Handle,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Handle>,
    /// Where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Line>,
}

impl TokenMoved {
    pub(in super::super) fn apply(&self, state: &mut State) -> Result<(), Rejection> {
        if self.holder.is_none() && self.place.is_none() {
            return Err(Rejection::Mismatch("it moves nothing".to_owned()));
        }
        let name = DeviceName::Token(self.token.clone());
        if !state.accounts.known(&self.account)?.devices.contains_key(&name) {
            return Err(not_registered(&name, &self.account));
        }
        if let Some(device) = state.account_mut(&self.account)?.devices.get_mut(&name) {
            super::set(&mut device.holder, self.holder.as_ref());
            super::set(&mut device.place, self.place.as_ref());
        }
        Ok(())
    }
}
