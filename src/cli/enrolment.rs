//! Making a key part of a vault: its two credentials, and its copy of the custodian's
//! identity, which is opened again before it counts. Four touches.

use super::context::Context;
use super::device::{self, ChosenKey};
use super::exit;
use super::failure::Failure;
use super::prompt::Question;
use crate::key::{
    Algorithm, Attestation, Authenticator, BuiltInVerification, Device, GetHmacSecret, KeyError,
    MakeCredential, PinState,
};
use crate::log::sha256;
use crate::record::{
    AgeRecipient, Bytes, Event, Handle, Hex, IdentitySealed, KeyEnrolled, KeyName, Realm, Salt,
    UnfitValue, VaultId,
};
use crate::sshsig::PublicKey;
use crate::vault::fido2prf::{self, plugin_identity};
use crate::vault::{AgeIdentity, IdentityName, Layout, NewFile, PersonalIdentity, Recipient};
use crate::webauthn::{
    AttestedCredential, AuthenticatorData, CredentialId, HmacSecretOutput, HmacSecretSalts,
};

/// A key with its name, given a PIN first if it has none and somebody is there to choose
/// one.
pub fn ready_key(
    context: &Context,
    keys: &mut dyn Authenticator,
    device: Device,
    name: &KeyName,
) -> Result<ChosenKey, Failure> {
    let key = ChosenKey::new(keys, device, name.to_string())?;
    let pinless = key.info.pin_state() == PinState::NotSet
        && key.info.built_in_verification() != BuiltInVerification::Ready;
    if !pinless || !context.terminal.is_there() {
        return Ok(key);
    }
    context.terminal.say(&format!("{} ({}) has no PIN yet.", name, device::product(&key.device)));
    let answer = context.terminal.ask(&Question {
        text: "Give it one now (yes or no)? ",
        about: "the key has no PIN yet",
        instead: "give it one first: keymuster key pin set",
    })?;
    if !Question::agrees(&answer) {
        return Ok(key);
    }
    device::set_pin(context, keys, &key.device.id, &key.name, key.info.min_pin_length)?;
    let device = key.device;
    ChosenKey::new(keys, device, name.to_string())
}

/// Fails, before anybody touches anything, if a key can't serve.
pub fn check_fitness(key: &ChosenKey) -> Result<(), Failure> {
    let unfit = |reason: &str| {
        Failure::new(exit::FAILED, format!("{} can't be used here: {reason}", key.name))
            .hint("use a FIDO2 key with hmac-secret; keymuster key info shows what a key has")
    };
    if !key.info.has_hmac_secret() {
        return Err(unfit("it doesn't offer hmac-secret, which opens the vault"));
    }
    if !key.info.makes(Algorithm::Es256) {
        return Err(unfit("it makes no ES256 credentials"));
    }
    if key.info.force_pin_change {
        return Err(KeyError::PinChangeForced.into());
    }
    if key.info.pin_state() == PinState::NotSet
        && key.info.built_in_verification() != BuiltInVerification::Ready
    {
        return Err(KeyError::PinNotSet.into());
    }
    Ok(())
}

/// What a copy's event will ask of its signers, before there is a copy.
pub fn dry_copy(name: &KeyName) -> Event {
    Event::IdentitySealed(IdentitySealed {
        custodian: name.owner.clone(),
        slot: name.label.clone(),
        generation: 1,
        sha256: Hex([0; 32]),
        plugin_sha256: None,
    })
}

/// A new personal identity of a custodian.
pub fn new_identity(
    context: &Context,
    vault: &VaultId,
    custodian: &Handle,
) -> Result<PersonalIdentity, Failure> {
    let key = AgeIdentity::generate(&mut context.random_source()?)
        .map_err(|error| Failure::because(exit::FAILED, "couldn't make an age identity", &error))?;
    let vault = vault.to_string();
    let name = IdentityName { vault: &vault, custodian: custodian.as_str(), generation: 1 };
    Ok(PersonalIdentity::new(&name, key))
}

/// A recipient, as events write it.
pub fn recorded(recipient: &Recipient) -> Result<AgeRecipient, Failure> {
    recipient.as_str().parse().map_err(|error: UnfitValue| {
        let message = "a recipient came out wrong, which is a bug in keymuster";
        Failure::because(exit::FAILED, message, &error)
    })
}

/// The third and fourth touch of an enrolment.
pub const STEPS: [&str; 2] = [" (3 of 5)", " (4 of 5)"];

/// A key that is being made part of a vault.
pub struct Enrolment<'a> {
    /// The world.
    pub context: &'a Context,
    /// The keys.
    pub keys: &'a mut dyn Authenticator,
    /// The one that is enrolled.
    pub key: &'a ChosenKey,
    /// The vault's id.
    pub vault: VaultId,
    /// Real or demo.
    pub realm: Realm,
    /// What the key is to be called.
    pub name: KeyName,
}

/// A key's new credentials.
#[derive(Debug)]
pub struct NewCredentials {
    /// The event that enrols the key.
    pub enrolment: KeyEnrolled,
    /// The credential that unlocks.
    pub unlocking: CredentialId,
}

impl Enrolment<'_> {
    /// Makes the key's two credentials: one that signs, one that unlocks. Two touches.
    /// `enrolled` are credentials whose presence shows that the key is enrolled already.
    pub fn make_credentials(
        &mut self,
        enrolled: Vec<CredentialId>,
    ) -> Result<NewCredentials, Failure> {
        let nonce = Hex(self.context.random()?);
        let signing = self.make_credential(
            MakeCredential {
                application: self.realm.signing_application().to_owned(),
                user_name: self.name.to_string(),
                challenge: KeyEnrolled::challenge(&self.vault, &self.name, &nonce),
                algorithm: Algorithm::Es256,
                hmac_secret: false,
                exclude: enrolled,
            },
            "to make its signing credential (1 of 5)",
        )?;
        let unlocking = self.make_credential(
            MakeCredential {
                application: self.realm.unlocking_application().to_owned(),
                user_name: self.name.to_string(),
                challenge: self.context.random::<32>()?.to_vec(),
                algorithm: Algorithm::Es256,
                hmac_secret: true,
                exclude: Vec::new(),
            },
            "to make its unlocking credential (2 of 5)",
        )?;
        Ok(NewCredentials { enrolment: self.event(nonce, signing)?, unlocking: unlocking.1.id })
    }

    fn make_credential(
        &mut self,
        request: MakeCredential,
        purpose: &str,
    ) -> Result<(Attestation, AttestedCredential), Failure> {
        let attestation = self.key.make_credential(self.context, self.keys, &request, purpose)?;
        let data = &attestation.authenticator_data;
        let credential = attested_credential(data, &request.application)?;
        Ok((attestation, credential))
    }

    fn event(
        &self,
        nonce: Salt,
        (attestation, credential): (Attestation, AttestedCredential),
    ) -> Result<KeyEnrolled, Failure> {
        let unfit = |_| KeyError::Nonsense("an attestation that can't be recorded".to_owned());
        let application = self.realm.signing_application();
        let public_key = PublicKey::from_credential(&credential.public_key, application)
            .map_err(|_| KeyError::Nonsense("a public key of another kind".to_owned()))?;
        // TOML's integers are signed.
        let firmware = self.key.info.firmware.filter(|version| i64::try_from(*version).is_ok());
        Ok(KeyEnrolled {
            key: self.name.clone(),
            public_key: public_key.to_line().parse().map_err(unfit)?,
            credential: Bytes(credential.id.as_bytes().to_vec()),
            aaguid: Hex(credential.aaguid.0),
            product: self.key.device.product.trim().parse().ok(),
            firmware,
            attestation_format: attestation.format.parse().map_err(unfit)?,
            attestation_nonce: nonce,
            attestation_data: Bytes(attestation.authenticator_data),
            attestation_algorithm: attestation.algorithm,
            attestation_signature: Bytes(attestation.signature),
            attestation_certificates: attestation.certificates.into_iter().map(Bytes).collect(),
        })
    }

    /// Seals a custodian's identity to the key, under the number that the identity bears,
    /// and opens it again to see that it can be. Two touches, which `steps` number.
    pub fn seal_identity(
        &mut self,
        layout: &Layout,
        identity: &PersonalIdentity,
        unlocking: &CredentialId,
        steps: [&str; 2],
    ) -> Result<(IdentitySealed, Vec<NewFile>), Failure> {
        let nonce = self.context.random()?;
        let purpose = format!("to seal the identity to it{}", steps[0]);
        let output = self.hmac_secret(unlocking, fido2prf::salts(nonce), &purpose)?;
        let sealed = identity.seal_to_key(nonce, &output)?;

        let name = &self.key.name;
        let unsound = |error: &(dyn std::error::Error + 'static)| {
            let message =
                format!("{name} doesn't open what was just sealed to it; nothing was made");
            Failure::because(exit::FAILED, message, error)
        };
        let nonce = fido2prf::nonce_of(&sealed).map_err(|error| unsound(&error))?;
        let purpose = format!("to open it again, as a trial{}", steps[1]);
        let output = self.hmac_secret(unlocking, fido2prf::salts(nonce), &purpose)?;
        let opened = PersonalIdentity::open_with_key(&sealed, &output, &identity.name())
            .map_err(|error| unsound(&error))?;
        if opened.recipient().as_str() != identity.recipient().as_str() {
            let message = format!("{name} opened another identity than was sealed");
            return Err(Failure::new(exit::FAILED, message));
        }

        let application = self.realm.unlocking_application();
        let plugin = format!("{}\n", plugin_identity(unlocking, application)).into_bytes();
        let (whose, slot) = (&self.name.owner, &self.name.label);
        let generation = identity.name().generation;
        let event = IdentitySealed {
            custodian: whose.clone(),
            slot: slot.clone(),
            generation,
            sha256: sha256(&sealed),
            plugin_sha256: Some(sha256(&plugin)),
        };
        let files = vec![
            NewFile { path: layout.identity(whose, slot, generation), bytes: sealed },
            NewFile { path: layout.plugin_identity(whose, slot, generation), bytes: plugin },
        ];
        Ok((event, files))
    }

    fn hmac_secret(
        &mut self,
        unlocking: &CredentialId,
        salts: HmacSecretSalts,
        purpose: &str,
    ) -> Result<HmacSecretOutput, Failure> {
        let request = GetHmacSecret {
            application: self.realm.unlocking_application().to_owned(),
            credential: unlocking.clone(),
            salts,
        };
        self.key.hmac_secret(self.context, self.keys, &request, purpose)
    }
}

fn attested_credential(data: &[u8], application: &str) -> Result<AttestedCredential, KeyError> {
    let data =
        AuthenticatorData::parse(data).map_err(|error| KeyError::Nonsense(error.to_string()))?;
    let nonsense = |what: &str| KeyError::Nonsense(what.to_owned());
    if data.rp_id_hash != sha256(application.as_bytes()).0 {
        return Err(nonsense("a credential for another application"));
    }
    if !data.flags.up() {
        return Err(nonsense("a credential that nobody touched it for"));
    }
    data.credential.ok_or_else(|| nonsense("no credential where one was asked for"))
}
