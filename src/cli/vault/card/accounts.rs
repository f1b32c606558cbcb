//! What it takes to get into each account.

use serde::Serialize;

use super::few::{Bounds, Few};
use super::people::person;
use super::source::Rooted;
use crate::record::{Device, DeviceName, Handle, Key, KeyName, SecretKind, State};

/// An account with root credentials.
#[derive(Serialize)]
pub struct AccountView {
    pub account: String,
    /// Its provider, and its id there.
    pub id: String,
    pub name: Option<String>,
    /// The ways in that there are on record.
    pub ways: Vec<&'static str>,
    pub root_email: Option<String>,
    pub mailbox_readers: Few<String>,
    /// The accounts without which the mailbox can't be read.
    pub mailbox_through: Few<String>,
    pub root_phone: Option<String>,
    pub phone_answerers: Few<String>,
    pub password_place: Option<String>,
    /// Its passwords in custody.
    pub passwords: Few<Custody>,
    pub devices: Few<DeviceView>,
    /// Its seeds and recovery codes in custody.
    pub codes: Few<Custody>,
}

/// A secret in custody.
#[derive(Serialize)]
pub struct Custody {
    pub kind: &'static str,
    pub secret: String,
    pub compartment: String,
}

/// An MFA device.
#[derive(Serialize)]
pub struct DeviceView {
    pub device: String,
    pub kind: &'static str,
    /// The state of a key.
    pub state: Option<&'static str>,
    pub holder: Option<String>,
    pub place: Option<String>,
    /// Whether it is among the keys on this card, with its place.
    pub listed: bool,
}

impl AccountView {
    /// `listed` are the keys that are on the card.
    pub fn new(
        rooted: &Rooted<'_>,
        listed: &[(&KeyName, &Key)],
        state: &State,
        bounds: &Bounds,
    ) -> Self {
        let account = rooted.account;
        let people = |handles: &[Handle]| Few::of(handles, bounds.names, |who| person(state, who));
        let kept = |fits: &dyn Fn(SecretKind) -> bool| {
            let secrets = account.secrets.iter().filter_map(|name| {
                let secret = state.secrets().get(name).filter(|secret| fits(secret.kind))?;
                Some((name, secret.kind, secret.present()?))
            });
            Few::of(secrets, bounds.names, |(name, kind, present)| Custody {
                kind: kind.word(),
                secret: name.to_string(),
                compartment: present.compartment.to_string(),
            })
        };
        let identity = &account.identity;
        Self {
            account: rooted.handle.to_string(),
            id: format!("{} {}", identity.provider, bounds.short(&identity.id)),
            name: account.name.as_ref().map(|name| bounds.short(name)),
            ways: rooted.ways.iter().map(|way| way.word()).collect(),
            root_email: account.root.email.as_ref().map(|email| bounds.short(email)),
            mailbox_readers: people(&account.mailbox_readers),
            mailbox_through: Few::of(&account.mailbox_through, bounds.names, Handle::to_string),
            root_phone: account.root.phone.as_ref().map(|phone| bounds.short(phone)),
            phone_answerers: people(&account.phone_answerers),
            password_place: account.password_place.as_ref().map(|place| bounds.short(place)),
            passwords: kept(&|kind| kind == SecretKind::Password),
            devices: Few::of(&account.devices, bounds.devices, |(name, device)| {
                DeviceView::new(name, device, listed, state, bounds)
            }),
            codes: kept(&|kind| matches!(kind, SecretKind::Seed | SecretKind::RecoveryCodes)),
        }
    }

    /// The ways in, or that there is none.
    pub fn ways(&self) -> String {
        match self.ways.as_slice() {
            [] => "NO WAY IN ON RECORD".to_owned(),
            ways => format!("ways in: {}", ways.join(", ")),
        }
    }

    /// What it takes, by what it is.
    pub fn rows(&self) -> [(&'static str, String); 4] {
        [
            ("mail", self.mail()),
            ("phone", self.telephone()),
            ("password", self.password()),
            ("MFA", self.mfa()),
        ]
    }

    /// The root mailbox, and who reads it.
    fn mail(&self) -> String {
        let through = match self.mailbox_through.is_empty() {
            true => String::new(),
            false => format!("; not without {}", self.mailbox_through.names()),
        };
        let mail = reached(self.root_email.as_ref(), "read", &self.mailbox_readers);
        format!("{mail}{through}")
    }

    /// The root telephone, and who answers it.
    fn telephone(&self) -> String {
        reached(self.root_phone.as_ref(), "answered", &self.phone_answerers)
    }

    /// Where the password is.
    fn password(&self) -> String {
        let kept = (!self.passwords.is_empty())
            .then(|| format!("in custody as {}", self.passwords.listed(Custody::named)));
        let all: Vec<String> = self.password_place.iter().cloned().chain(kept).collect();
        if all.is_empty() { "not on record".to_owned() } else { all.join("; or ") }
    }

    /// The MFA devices, and what else makes their codes.
    fn mfa(&self) -> String {
        let devices =
            (!self.devices.is_empty()).then(|| self.devices.parted("; ", DeviceView::described));
        let kept = (!self.codes.is_empty()).then(|| {
            let each = |kept: &Custody| format!("{} as {}", kept.kind, kept.named());
            format!("in custody: {}", self.codes.listed(each))
        });
        let all: Vec<String> = devices.into_iter().chain(kept).collect();
        if all.is_empty() { "none on record".to_owned() } else { all.join("; ") }
    }
}

/// `aws@example.com, read by alice`.
fn reached(address: Option<&String>, does: &str, people: &Few<String>) -> String {
    let Some(address) = address else { return "not on record".to_owned() };
    let people = if people.is_empty() { "nobody on record".to_owned() } else { people.names() };
    format!("{address}, {does} by {people}")
}

impl Custody {
    /// `prod-root in seeds`.
    fn named(&self) -> String {
        format!("{} in {}", self.secret, self.compartment)
    }
}

impl DeviceView {
    fn new(
        name: &DeviceName,
        device: &Device,
        listed: &[(&KeyName, &Key)],
        state: &State,
        bounds: &Bounds,
    ) -> Self {
        let key_name = match name {
            DeviceName::Key(key) => Some(key),
            DeviceName::Token(_) => None,
        };
        let key = key_name.and_then(|name| state.keys().get(name));
        let (holder, place) = match key {
            Some(key) => (Some(&key.holder), key.place.as_ref()),
            None => (device.holder.as_ref(), device.place.as_ref()),
        };
        Self {
            device: name.to_string(),
            kind: if key.is_some() { "key" } else { "token" },
            state: key.map(|key| key.state.word()),
            holder: holder.map(|who| person(state, who)),
            place: place.map(|place| bounds.short(place)),
            listed: listed.iter().any(|(name, _)| Some(*name) == key_name),
        }
    }

    /// `phone (token, with bob: safe 2)`.
    fn described(&self) -> String {
        let state = self.state.filter(|state| *state != "active");
        let state = state.map(|state| format!(" {}", state.to_uppercase())).unwrap_or_default();
        let holder = self.holder.as_ref().map(|holder| format!(", with {holder}"));
        let place = self.place.as_ref().filter(|_| !self.listed);
        let place = place.map(|place| format!(": {place}"));
        let more: String = [holder, place].into_iter().flatten().collect();
        let more = if more.is_empty() { ", not on record where".to_owned() } else { more };
        format!("{}{state} ({}{more})", self.device, self.kind)
    }
}
