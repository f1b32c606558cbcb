//! What a key sends, byte by byte. Written for the software key alone: the verifier has
//! its own reading of the same rules, and `ssh-keygen` judges both.

use ring::digest::{SHA256, digest};

use crate::key::Algorithm;

/// Flag UP of authenticator data (WebAuthn section 6.1).
pub(super) const USER_PRESENT: u8 = 0b0000_0001;
/// Flag UV.
pub(super) const USER_VERIFIED: u8 = 0b0000_0100;
/// Flag AT.
const CREDENTIAL_FOLLOWS: u8 = 0b0100_0000;
/// Flag ED.
const EXTENSIONS_FOLLOW: u8 = 0b1000_0000;

/// The 37 bytes of an assertion.
pub(super) fn assertion_data(application: &str, flags: u8, counter: u32) -> Vec<u8> {
    let mut data = Vec::from(digest(&SHA256, application.as_bytes()).as_ref());
    data.push(flags);
    data.extend(counter.to_be_bytes());
    data
}

/// A new credential, as authenticator data carries it.
pub(super) struct NewCredential<'a> {
    pub(super) aaguid: [u8; 16],
    /// At most 255 bytes.
    pub(super) id: &'a [u8],
    pub(super) algorithm: Algorithm,
    /// 32 bytes for EdDSA; `04 ‖ X ‖ Y` for ES256.
    pub(super) public_key: &'a [u8],
    pub(super) hmac_secret: bool,
}

/// The authenticator data of an enrolment.
pub(super) fn enrolment_data(
    application: &str,
    flags: u8,
    counter: u32,
    credential: &NewCredential<'_>,
) -> Vec<u8> {
    let extensions = if credential.hmac_secret { EXTENSIONS_FOLLOW } else { 0 };
    let mut data = assertion_data(application, flags | CREDENTIAL_FOLLOWS | extensions, counter);
    data.extend(credential.aaguid);
    data.push(0);
    data.push(u8::try_from(credential.id.len()).unwrap_or(0));
    data.extend(credential.id);
    match credential.algorithm {
        Algorithm::EdDsa => {
            // {1: 1 (OKP), 3: -8 (EdDSA), -1: 6 (Ed25519), -2: x}
            data.extend([0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20]);
            data.extend(credential.public_key);
        }
        Algorithm::Es256 => {
            let point = credential.public_key.get(1..).unwrap_or_default();
            let (x, y) = point.split_at_checked(32).unwrap_or_default();
            // {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
            data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
            data.extend(x);
            data.extend([0x22, 0x58, 0x20]);
            data.extend(y);
        }
    }
    if credential.hmac_secret {
        // {"hmac-secret": true}
        data.extend(b"\xa1\x6bhmac-secret\xf5");
    }
    data
}
