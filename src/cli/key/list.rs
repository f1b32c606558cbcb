//! `keymuster key list`: what is plugged in, and what is enrolled.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::device::candidates;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Answer, table};
use crate::cli::session::{Session, locate};
use crate::cli::unlock::supposed_realm;
use crate::key::identify::{Claim, Identity, hint};
use crate::key::{Authenticator, Device, KeyError};
use crate::record::Realm;
use crate::vault::IdentityHint;
use crate::webauthn::CredentialId;

#[derive(Serialize)]
struct KeyList {
    plugged_in: Vec<DeviceView>,
    enrolled: Vec<KeyView>,
}

#[derive(Serialize)]
struct DeviceView {
    path: String,
    product: String,
    manufacturer: String,
    serial: Option<String>,
    vendor_id: u16,
    product_id: u16,
    /// The enrolled key that it is.
    key: Option<String>,
    /// Whether that was proved against the log, or is only what the device claims.
    proved: bool,
    remark: Option<String>,
}

#[derive(Serialize)]
struct KeyView {
    key: String,
    /// What only the open log tells is null while the log is closed.
    state: Option<&'static str>,
    product: Option<String>,
    aaguid: Option<String>,
    fingerprint: Option<String>,
    enrolled: Option<String>,
    last_seen: Option<String>,
    /// Who has it.
    holder: Option<String>,
    place: Option<String>,
    pin_place: Option<String>,
    /// The serial number of the sealed bag that it is in.
    bag: Option<String>,
    plugged_in: Option<String>,
}

impl KeyView {
    /// Where it is, in words.
    fn kept(&self) -> String {
        let bag = self.bag.as_ref().map(|bag| format!("bag {bag}"));
        let owner = self.key.split('/').next();
        let other = self.holder.as_deref().filter(|holder| Some(*holder) != owner);
        let holder = other.map(|holder| format!("with {holder}"));
        let all: Vec<String> = [holder, self.place.clone(), bag].into_iter().flatten().collect();
        if all.is_empty() { "-".to_owned() } else { all.join(", ") }
    }
}

pub fn run(context: &Context) -> Result<Answer, Failure> {
    match (locate(context), Session::open_without_key(context)?) {
        (Ok(_), Some(session)) => list_proved(context, session),
        (Ok(location), None) => {
            let hints = location.layout.identity_hints()?;
            let keys = context.keys(supposed_realm(&hints)?, Some(location.layout.root()))?;
            list_claimed(context, keys, &hints)
        }
        (Err(_), None) if context.globals.vault.is_none() => {
            list_claimed(context, context.keys(Realm::Real, None)?, &[])
        }
        (Err(failure), _) => Err(failure),
    }
}

fn list_proved(context: &Context, mut session: Session<'_>) -> Result<Answer, Failure> {
    let mut plugged_in = Vec::new();
    for device in candidates(session.keys.as_mut(), context.device())? {
        let (key, remark) = match session.identify(&device) {
            Ok(Identity::This(name)) => (Some(name.to_string()), None),
            Ok(Identity::Stranger) => (None, Some("not enrolled".to_owned())),
            Ok(Identity::WontSay) => (None, Some("doesn't say without a touch".to_owned())),
            Ok(Identity::Impostor(name)) => (None, Some(format!("IMPOSTOR: poses as {name}"))),
            Err(failure) if failure.exit == exit::INTERRUPTED => return Err(failure),
            Err(failure) => (None, Some(failure.message)),
        };
        plugged_in.push(device_view(&device, key, true, remark));
    }
    let public_keys = session.vault.replay().public_keys();
    let enrolled: Vec<KeyView> = session
        .state()
        .keys()
        .iter()
        .map(|(name, key)| KeyView {
            key: name.to_string(),
            state: Some(key.state.word()),
            product: key.enrolment.product.as_ref().map(ToString::to_string),
            aaguid: Some(crate::webauthn::Aaguid(key.enrolment.aaguid.0).to_string()),
            fingerprint: public_keys.get(name).map(crate::sshsig::PublicKey::fingerprint),
            enrolled: Some(key.enrolled.time.to_string()),
            last_seen: Some(key.last_seen.time.to_string()),
            holder: Some(key.holder.to_string()),
            place: key.place.as_ref().map(ToString::to_string),
            pin_place: key.pin_place.as_ref().map(ToString::to_string),
            bag: key.bag.as_ref().map(|bag| bag.serial.to_string()),
            plugged_in: place_of(&name.to_string(), &plugged_in),
        })
        .collect();
    let code = session.exit();
    let view = KeyList { plugged_in, enrolled };
    let human = listed(&view);
    Ok(Answer::new("key-list", &view, human).exiting(code))
}

fn list_claimed(
    context: &Context,
    mut keys: Box<dyn Authenticator>,
    hints: &[IdentityHint],
) -> Result<Answer, Failure> {
    let credentials: Vec<CredentialId> = hints.iter().map(|hint| hint.credential.clone()).collect();
    let mut plugged_in = Vec::new();
    for device in candidates(keys.as_mut(), context.device())? {
        let claim = match hints.first() {
            None => Ok(None),
            Some(first) => {
                let challenge = context.random()?;
                hint(keys.as_mut(), &device.id, &first.application, &credentials, challenge)
                    .map(Some)
            }
        };
        let (key, remark) = match claim {
            Ok(None) => (None, None),
            Ok(Some(Claim::Holds(credential))) => {
                let known = hints.iter().find(|hint| hint.credential == credential);
                (known.map(|hint| format!("{}/{}", hint.custodian, hint.slot)), None)
            }
            Ok(Some(Claim::Stranger)) => (None, Some("not enrolled".to_owned())),
            Ok(Some(Claim::WontSay)) => (None, Some("doesn't say without a touch".to_owned())),
            Err(KeyError::Cancelled) => return Err(Failure::interrupted()),
            Err(error) => (None, Some(error.to_string())),
        };
        plugged_in.push(device_view(&device, key, false, remark));
    }
    let mut names = BTreeSet::new();
    let enrolled = hints.iter().filter(|hint| names.insert((&hint.custodian, &hint.slot)));
    let enrolled = enrolled.map(|hint| {
        let key = format!("{}/{}", hint.custodian, hint.slot);
        KeyView {
            plugged_in: place_of(&key, &plugged_in),
            key,
            state: None,
            product: None,
            aaguid: None,
            fingerprint: None,
            enrolled: None,
            last_seen: None,
            holder: None,
            place: None,
            pin_place: None,
            bag: None,
        }
    });
    let view = KeyList { enrolled: enrolled.collect(), plugged_in };
    let mut human = listed(&view);
    if !hints.is_empty() {
        human.push_str("\nThe log is closed, so nothing here is proved. To prove it: --identity FILE, or keymuster key check.\n");
    }
    Ok(Answer::new("key-list", &view, human))
}

/// Where a key is plugged in.
fn place_of(key: &str, plugged_in: &[DeviceView]) -> Option<String> {
    let found = plugged_in.iter().find(|device| device.key.as_deref() == Some(key));
    found.map(|device| device.path.clone())
}

fn device_view(
    device: &Device,
    key: Option<String>,
    proved: bool,
    remark: Option<String>,
) -> DeviceView {
    DeviceView {
        path: device.id.to_string(),
        product: device.product.clone(),
        manufacturer: device.manufacturer.clone(),
        serial: device.serial.clone(),
        vendor_id: device.vendor_id,
        product_id: device.product_id,
        proved: proved && key.is_some(),
        key,
        remark,
    }
}

fn listed(view: &KeyList) -> String {
    let rows: Vec<Vec<String>> = view
        .plugged_in
        .iter()
        .map(|device| {
            let key = match (&device.key, device.proved) {
                (Some(key), true) => key.clone(),
                (Some(key), false) => format!("{key}?"),
                (None, _) => device.remark.clone().unwrap_or_else(|| "-".to_owned()),
            };
            let product = if device.product.is_empty() { "-" } else { &device.product };
            vec![device.path.clone(), product.to_owned(), key]
        })
        .collect();
    let mut text = if rows.is_empty() {
        "No security key is plugged in.\n".to_owned()
    } else {
        table(&["plugged in", "product", "key"], &rows)
    };
    if !view.enrolled.is_empty() {
        let or_dash = |value: Option<&str>| value.unwrap_or("-").to_owned();
        let rows: Vec<Vec<String>> = view
            .enrolled
            .iter()
            .map(|key| {
                let seen = or_dash(key.last_seen.as_deref());
                let here = or_dash(key.plugged_in.as_deref());
                vec![key.key.clone(), or_dash(key.state), seen, key.kept(), here]
            })
            .collect();
        text.push('\n');
        text.push_str(&table(
            &["enrolled", "state", "last seen signing", "kept", "plugged in"],
            &rows,
        ));
    }
    text
}
