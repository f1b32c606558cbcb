//! The JSON file of one software key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Model;
use super::device::{CredRandom, Credential, MAX_CREDENTIALS, PrivateKey, SoftwareKey, StoredPin};
use crate::key::Algorithm;
use crate::webauthn::CredentialId;

/// The longest file, in bytes. A key that is full takes about half of it.
pub(super) const MAX_LENGTH: usize = 128 * 1024;
const FORMAT: u32 = 1;
const NOTE: &str = "a keymuster demo key, made of software: whoever reads this file has the key";
/// PKCS #8 of a P-256 key takes 138 bytes.
const MAX_PRIVATE_KEY: usize = 256;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: u32,
    note: String,
    model: Model,
    counter: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<PinPart>,
    credentials: Vec<CredentialPart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinPart {
    salt: SecretText,
    hash: SecretText,
    retries: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialPart {
    id: String,
    application: String,
    /// The COSE number.
    algorithm: i64,
    private_key: SecretText,
    #[serde(skip_serializing_if = "Option::is_none")]
    hmac_secret: Option<HmacSecretPart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HmacSecretPart {
    with_uv: SecretText,
    without_uv: SecretText,
}

/// Base64 of a secret, wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct SecretText(String);

impl SecretText {
    fn of(secret: &[u8]) -> Self {
        Self(STANDARD.encode(secret))
    }

    fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        STANDARD.decode(&self.0).ok().map(Zeroizing::new)
    }

    fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.bytes()?.as_slice().try_into().ok()
    }
}

/// The text of a key; `None` if it is too long, which a key within its bounds never is.
pub(super) fn encode(key: &SoftwareKey) -> Option<Zeroizing<Vec<u8>>> {
    let credentials = key.credentials.iter().map(|credential| CredentialPart {
        id: credential.id.to_base64(),
        application: credential.application.clone(),
        algorithm: credential.algorithm.cose(),
        private_key: SecretText::of(&credential.private_key.0),
        hmac_secret: credential.cred_random.as_ref().map(|secrets| HmacSecretPart {
            with_uv: SecretText::of(&secrets.with_uv),
            without_uv: SecretText::of(&secrets.without_uv),
        }),
    });
    let file = KeyFile {
        format: FORMAT,
        note: NOTE.to_owned(),
        model: key.model,
        counter: key.counter,
        pin: key.pin.as_ref().map(|pin| PinPart {
            salt: SecretText::of(&pin.salt),
            hash: SecretText::of(&pin.hash),
            retries: pin.retries,
        }),
        credentials: credentials.collect(),
    };
    // The room is there from the start: a buffer that grew would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_LENGTH));
    serde_json::to_writer_pretty(&mut *text, &file).ok()?;
    text.push(b'\n');
    (text.len() <= MAX_LENGTH).then_some(text)
}

/// Reads a key; `None` for anything else. What is wrong isn't told: the words of a JSON
/// error can hold a piece of the text, and the text is secret.
pub(super) fn decode(text: &[u8]) -> Option<SoftwareKey> {
    let file: KeyFile = serde_json::from_slice(text).ok()?;
    if file.format != FORMAT || file.credentials.len() > MAX_CREDENTIALS {
        return None;
    }
    let pin = match &file.pin {
        None => None,
        Some(pin) => Some(StoredPin {
            salt: pin.salt.array()?,
            hash: pin.hash.array()?,
            retries: pin.retries,
        }),
    };
    let credentials = file.credentials.iter().map(credential).collect::<Option<_>>()?;
    Some(SoftwareKey { model: file.model, counter: file.counter, pin, credentials, changed: false })
}

fn credential(part: &CredentialPart) -> Option<Credential> {
    let algorithm = [Algorithm::Es256, Algorithm::EdDsa]
        .into_iter()
        .find(|algorithm| algorithm.cose() == part.algorithm)?;
    let private_key = part.private_key.bytes()?;
    if private_key.len() > MAX_PRIVATE_KEY {
        return None;
    }
    let cred_random = match &part.hmac_secret {
        None => None,
        Some(secrets) => Some(CredRandom {
            with_uv: secrets.with_uv.array()?,
            without_uv: secrets.without_uv.array()?,
        }),
    };
    Some(Credential {
        id: CredentialId::from_base64(&part.id)?,
        application: part.application.clone(),
        algorithm,
        private_key: PrivateKey(private_key),
        cred_random,
    })
}
