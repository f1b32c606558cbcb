//! Choosing a device, and getting a key to do something: PIN, touch, and the words for
//! both.

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::prompt::Question;
use crate::key::{
    Attestation, Authenticator, BuiltInVerification, Device, DeviceId, DeviceInfo, GetAssertion,
    GetHmacSecret, KeyError, MakeCredential, Pin, PinState, UserVerification,
};
use crate::sshsig;
use crate::webauthn::HmacSecretOutput;

/// A security key that a command has chosen, with how it verifies its user.
#[derive(Debug, Clone)]
pub struct ChosenKey {
    /// The device.
    pub device: Device,
    /// What it says of itself.
    pub info: DeviceInfo,
    /// What it is called when people are asked: `alice/primary`, or the product.
    pub name: String,
}

/// The devices that a command may use: all that are plugged in, or the one that is named.
pub fn candidates(
    keys: &mut dyn Authenticator,
    named: Option<&str>,
) -> Result<Vec<Device>, Failure> {
    let devices = keys.devices()?;
    let Some(path) = named else { return Ok(devices) };
    let found: Vec<Device> = devices.iter().filter(|device| device.id.0 == path).cloned().collect();
    if found.is_empty() {
        let shown = crate::text::sanitise(path, 100);
        return Err(Failure::new(
            exit::ABSENT,
            format!("no security key is plugged in at {shown}"),
        )
        .hint(list_of(&devices, "these are plugged in")));
    }
    Ok(found)
}

/// The failure of having no key at all.
pub fn none_plugged_in() -> Failure {
    Failure::new(exit::ABSENT, "no security key is plugged in")
        .hint("plug one in and run the command again; keymuster key list shows what is there")
}

/// The failure of having several where one is meant.
pub fn too_many(what: &str, devices: &[(Device, Option<String>)]) -> Failure {
    let lines: Vec<String> =
        devices.iter().map(|(d, name)| described(d, name.as_deref())).collect();
    Failure::new(
        exit::USAGE,
        format!(
            "{} security keys are plugged in, and {what}:\n  {}",
            devices.len(),
            lines.join("\n  ")
        ),
    )
    .hint("name one with --device PATH")
}

fn described(device: &Device, name: Option<&str>) -> String {
    let serial =
        device.serial.as_deref().map_or(String::new(), |serial| format!(", serial {serial}"));
    let name = name.map_or(String::new(), |name| format!("  {name}"));
    format!("{}  {}{serial}{name}", device.id, product(device))
}

/// A device's product name, or what stands in for it.
pub fn product(device: &Device) -> &str {
    if device.product.is_empty() { "a key without a product name" } else { &device.product }
}

fn list_of(devices: &[Device], title: &str) -> String {
    if devices.is_empty() {
        return "no key is plugged in".to_owned();
    }
    let lines: Vec<String> = devices.iter().map(|device| described(device, None)).collect();
    format!("{title}: {}", lines.join("; "))
}

/// The one device there is, or the one that is named.
pub fn only_device(
    keys: &mut dyn Authenticator,
    named: Option<&str>,
    what: &str,
) -> Result<Device, Failure> {
    let mut devices = candidates(keys, named)?;
    match (devices.pop(), devices.is_empty()) {
        (None, _) => Err(none_plugged_in()),
        (Some(device), true) => Ok(device),
        (Some(device), false) => {
            devices.push(device);
            let devices: Vec<_> = devices.into_iter().map(|device| (device, None)).collect();
            Err(too_many(what, &devices))
        }
    }
}

impl ChosenKey {
    /// Asks a device what it is.
    pub fn new(
        keys: &mut dyn Authenticator,
        device: Device,
        name: impl Into<String>,
    ) -> Result<Self, Failure> {
        let info = keys.info(&device.id)?;
        Ok(Self { device, info, name: name.into() })
    }

    /// Runs a request with the key's user verified: by the key itself where it can, else
    /// by its PIN.
    fn verified<T>(
        &self,
        context: &Context,
        request: impl FnOnce(UserVerification<'_>) -> Result<T, KeyError>,
    ) -> Result<T, Failure> {
        context.check_interrupted()?;
        if self.info.built_in_verification() == BuiltInVerification::Ready {
            return request(UserVerification::BuiltIn).map_err(|error| self.named(error));
        }
        match self.info.pin_state() {
            PinState::Set => {
                let ask = || self.ask_pin(context);
                if !context.has_pin(&self.device.id, &self.name) {
                    self.guard_last_attempt(context)?;
                }
                let done = context.with_pin(&self.device.id, &self.name, ask, |pin| {
                    request(UserVerification::Pin(pin))
                })?;
                done.map_err(|error| self.named(error))
            }
            PinState::NotSet => Err(KeyError::PinNotSet.into()),
            PinState::Unsupported => Err(Failure::new(
                exit::FAILED,
                format!(
                    "{} has neither PIN nor fingerprint, and signatures must show one",
                    self.name
                ),
            )),
        }
    }

    /// Fails if the flags that give PINs can't give this key's: so that nobody touches other
    /// keys first in vain.
    pub fn expect_pin(&self, context: &Context) -> Result<(), Failure> {
        let asks = self.info.built_in_verification() != BuiltInVerification::Ready
            && self.info.pin_state() == PinState::Set;
        if asks { context.pin_flag(&self.name).map(drop) } else { Ok(()) }
    }

    /// An error with the key's name: several may be at work.
    fn named(&self, error: KeyError) -> Failure {
        let failure = Failure::from(error);
        if failure.exit == exit::INTERRUPTED {
            return failure;
        }
        Failure { message: format!("{}: {}", self.name, failure.message), ..failure }
    }

    fn guard_last_attempt(&self, context: &Context) -> Result<(), Failure> {
        let guarded = self.info.pin_retries == Some(1) && !context.globals.last_attempt;
        if self.info.pin_retries == Some(0) {
            return Err(KeyError::PinLocked.into());
        }
        if !guarded {
            return Ok(());
        }
        let instead = "to spend it all the same, add --last-attempt";
        let about =
            format!("{} has ONE PIN attempt left; a wrong PIN locks it for good", self.name);
        let text = format!("{about}.\nType \"last attempt\" to go on: ");
        let question = Question { text: &text, about: &about, instead };
        if context.terminal.ask(&question)? == "last attempt" {
            Ok(())
        } else {
            Err(Failure::new(
                exit::ABSENT,
                format!("the last PIN attempt of {} was not spent", self.name),
            )
            .hint(instead))
        }
    }

    fn ask_pin(&self, context: &Context) -> Result<Pin, Failure> {
        let left = self.info.pin_retries.map_or(String::new(), |n| match n {
            1 => " (1 attempt left)".to_owned(),
            n => format!(" ({n} attempts left)"),
        });
        let mut typed = context.terminal.ask_hidden(&Question {
            text: &format!("PIN of {}{left}: ", self.name),
            about: &format!("the PIN of {} is needed", self.name),
            instead: "give it with --pin-file FILE or --pin-fd N",
        })?;
        Pin::take_from(&mut typed).map_err(|error| {
            Failure::because(exit::FAILED, "that can't be the PIN; no attempt was spent", &error)
        })
    }

    /// Makes a credential. Costs a touch.
    pub fn make_credential(
        &self,
        context: &Context,
        keys: &mut dyn Authenticator,
        request: &MakeCredential,
        purpose: &str,
    ) -> Result<Attestation, Failure> {
        let mut touch = context.terminal.touch(&self.name, purpose);
        self.verified(context, |verification| {
            keys.make_credential(&self.device.id, request, verification, &mut touch)
        })
    }

    /// Derives the secret for two salts. Costs a touch.
    pub fn hmac_secret(
        &self,
        context: &Context,
        keys: &mut dyn Authenticator,
        request: &GetHmacSecret,
        purpose: &str,
    ) -> Result<HmacSecretOutput, Failure> {
        let mut touch = context.terminal.touch(&self.name, purpose);
        self.verified(context, |verification| {
            keys.hmac_secret(&self.device.id, request, verification, &mut touch)
        })
    }

    /// Signs a message as an SSH signature. Costs a touch. The answer is verified by
    /// whoever appends the entry; here it is only brought into form.
    pub fn sign(
        &self,
        context: &Context,
        keys: &mut dyn Authenticator,
        signer: &Signer<'_>,
        message: &str,
        purpose: &str,
    ) -> Result<String, Failure> {
        let mut touch = context.terminal.touch(&self.name, purpose);
        let request = GetAssertion {
            application: signer.public_key.application().to_owned(),
            credential: signer.credential.clone(),
            challenge: sshsig::signed_data(signer.namespace, message.as_bytes()),
        };
        let assertion = self.verified(context, |verification| {
            keys.sign(&self.device.id, &request, verification, &mut touch)
        })?;
        sshsig::Signature::from_assertion(
            signer.public_key,
            signer.namespace,
            &assertion.authenticator_data,
            &assertion.signature,
        )
        .map(|signature| signature.to_armor())
        .map_err(|error| {
            Failure::because(
                exit::FAILED,
                format!("{} gave a signature that can't be used", self.name),
                &error,
            )
        })
    }
}

/// Which credential signs, and how.
#[derive(Debug)]
pub struct Signer<'a> {
    /// The enrolled public key.
    pub public_key: &'a sshsig::PublicKey,
    /// Its credential.
    pub credential: crate::webauthn::CredentialId,
    /// The SSHSIG namespace.
    pub namespace: &'static str,
}

/// Gives a key its first PIN: from the flags, or asked twice.
pub fn set_pin(
    context: &Context,
    keys: &mut dyn Authenticator,
    device: &DeviceId,
    name: &str,
    min_length: u64,
) -> Result<(), Failure> {
    let pin = match context.pin_from_flags(name)? {
        Some(pin) => pin,
        None => ask_new_pin(context, name, min_length)?,
    };
    if (pin.expose().chars().count() as u64) < min_length {
        return Err(Failure::new(
            exit::FAILED,
            format!("{name} wants a PIN of at least {min_length} characters; none was set"),
        ));
    }
    keys.set_pin(device, &pin)?;
    // Whoever has just chosen it isn't asked for it again.
    context.keep_pin(device, name, pin);
    Ok(())
}

fn ask_new_pin(context: &Context, name: &str, min_length: u64) -> Result<Pin, Failure> {
    let about = format!("a PIN for {name} is needed");
    let text = format!("New PIN for {name}, at least {} characters: ", min_length.max(4));
    let instead = "give it with --pin-file FILE or --pin-fd N";
    let question = Question { text: &text, about: &about, instead };
    let mut first = context.terminal.ask_hidden(&question)?;
    let second = context.terminal.ask_hidden(&Question { text: "The same again: ", ..question })?;
    if *first != *second {
        return Err(Failure::new(exit::FAILED, "the two PINs differ; none was set"));
    }
    Pin::take_from(&mut first)
        .map_err(|error| Failure::because(exit::FAILED, "no PIN was set", &error))
}
