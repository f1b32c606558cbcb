//! The `AGE-PLUGIN-FIDO2PRF-1…` string: it tells stock age, through `age-plugin-fido2prf`, or
//! a browser, through typage, which credential opens a file. Not a secret.
//!
//! Bech32 in upper case, of any length (age lifts BIP 173's limit of 90 characters), over four
//! CBOR items in their shortest form and nothing after them: the version, which is 1; the
//! credential id, a byte string; the relying party's id, a text; and the transports, an array
//! of texts. The plugin refuses a string without the array, and writes `["usb"]` itself.

use age_core::primitives::{bech32_decode, bech32_encode};
use bech32::Hrp;
use ciborium::Value;

use crate::webauthn::CredentialId;

/// What stands before the `1`, in the lower case that Bech32 reckons its checksum over.
const PREFIX: &str = "age-plugin-fido2prf-";

/// The version of the encoding.
const VERSION: u8 = 1;

/// The longest string that is read, in bytes: a credential id of 1023 bytes takes about 1700.
const MAX_TEXT: usize = 4096;

/// The most items, and the longest relying party id and transport, in bytes, that are read.
const MAX_TRANSPORTS: usize = 8;
const MAX_RELYING_PARTY: usize = 255;
const MAX_TRANSPORT: usize = 32;

/// Why a text isn't a fido2prf identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PluginIdentityError {
    /// Another kind of text, or a typing error that Bech32's checksum has found.
    #[error("not an AGE-PLUGIN-FIDO2PRF-1… identity, or mistyped")]
    NotFido2Prf,
    /// A version of the encoding that we don't know.
    #[error("a fido2prf identity of a version other than 1")]
    OtherVersion,
    /// The checksum is right, the contents aren't.
    #[error("a malformed fido2prf identity")]
    Malformed,
}

/// What an `AGE-PLUGIN-FIDO2PRF-1…` string says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginIdentity {
    /// The credential whose `hmac-secret` output opens the file.
    pub credential: CredentialId,
    /// The relying party id it was made for (rpId).
    pub application: String,
    /// How the key can be reached, in WebAuthn's words: `usb`, `nfc`, …; a hint, may be empty.
    pub transports: Vec<String>,
}

/// The string for a credential on a USB key.
pub fn plugin_identity(credential: &CredentialId, application: &str) -> String {
    let identity = PluginIdentity {
        credential: credential.clone(),
        application: application.to_owned(),
        transports: vec!["usb".to_owned()],
    };
    identity.to_string()
}

impl PluginIdentity {
    /// Reads the string, in upper case, without spaces or a line end.
    pub fn parse(text: &str) -> Result<Self, PluginIdentityError> {
        if text.len() > MAX_TEXT || text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(PluginIdentityError::NotFido2Prf);
        }
        let bytes = bech32_decode(
            text,
            |_| PluginIdentityError::NotFido2Prf,
            |prefix| match Hrp::parse(PREFIX) {
                Ok(wanted) if wanted == prefix => Ok(()),
                _ => Err(PluginIdentityError::NotFido2Prf),
            },
            |_, bytes| Ok(bytes.collect::<Vec<u8>>()),
        )?;
        let identity = Self::from_cbor(&bytes)?;
        // One identity has one text: the shortest CBOR, nothing after it, clean padding.
        if identity.to_string() == text {
            Ok(identity)
        } else {
            Err(PluginIdentityError::Malformed)
        }
    }

    fn from_cbor(mut bytes: &[u8]) -> Result<Self, PluginIdentityError> {
        use PluginIdentityError::{Malformed, OtherVersion};
        let mut next = || ciborium::from_reader::<Value, _>(&mut bytes).map_err(|_| Malformed);
        if next()?.as_integer().ok_or(Malformed)? != VERSION.into() {
            return Err(OtherVersion);
        }
        let credential = next()?.into_bytes().ok().and_then(CredentialId::new).ok_or(Malformed)?;
        let application = next()?.into_text().map_err(|_| Malformed)?;
        let transports = next()?.into_array().map_err(|_| Malformed)?;
        if application.len() > MAX_RELYING_PARTY || transports.len() > MAX_TRANSPORTS {
            return Err(Malformed);
        }
        let transports = transports
            .into_iter()
            .map(|item| match item.into_text() {
                Ok(text) if text.len() <= MAX_TRANSPORT => Ok(text),
                _ => Err(Malformed),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { credential, application, transports })
    }

    fn to_cbor(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        append(&mut bytes, BYTE_STRING, self.credential.as_bytes());
        append(&mut bytes, TEXT_STRING, self.application.as_bytes());
        append_head(&mut bytes, ARRAY, self.transports.len());
        for transport in &self.transports {
            append(&mut bytes, TEXT_STRING, transport.as_bytes());
        }
        bytes
    }
}

impl std::fmt::Display for PluginIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let prefix = Hrp::parse(PREFIX).map_err(|_| std::fmt::Error)?;
        f.write_str(&bech32_encode(prefix, &self.to_cbor()).to_ascii_uppercase())
    }
}

/// Major types of CBOR (RFC 8949, section 3.1), in the upper three bits of a head.
const BYTE_STRING: u8 = 2 << 5;
const TEXT_STRING: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;

/// A head with its argument in the shortest form (RFC 8949, section 4.2.1). The peers know
/// arguments of two bytes at most; a credential id has a length of two, nothing has more.
fn append_head(bytes: &mut Vec<u8>, major: u8, argument: usize) {
    let [high, low] = u16::try_from(argument).unwrap_or(u16::MAX).to_be_bytes();
    match (high, low) {
        (0, 0..=23) => bytes.push(major | low),
        (0, _) => bytes.extend([major | 24, low]),
        _ => bytes.extend([major | 25, high, low]),
    }
}

fn append(bytes: &mut Vec<u8>, major: u8, contents: &[u8]) {
    append_head(bytes, major, contents.len());
    bytes.extend_from_slice(contents);
}
