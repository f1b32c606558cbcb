//! What may be asked of a security key, in the terms of CTAP 2.1, and how it fails.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::Pin;
use crate::confinement::Confinement;
use crate::webauthn::{Aaguid, CredentialId, HmacSecretOutput, HmacSecretSalts};

/// Names one plugged-in device for as long as it stays plugged in: its path, for a key on
/// USB. Says nothing about which key it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeviceId(pub String);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device that is plugged in, as the system lists it. The texts are the device's own:
/// sanitised and cut to 64 characters, but never proof of anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// What to ask it by.
    pub id: DeviceId,
    /// USB product name.
    pub product: String,
    /// USB manufacturer name.
    pub manufacturer: String,
    /// USB serial number, if the device has one.
    pub serial: Option<String>,
    /// USB vendor id.
    pub vendor_id: u16,
    /// USB product id.
    pub product_id: u16,
}

/// What a key says about itself (CTAP 2.1, 6.4 `authenticatorGetInfo`, and 6.5.5.2
/// `getPINRetries`). At most 64 items of at most 64 characters in each list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceInfo {
    /// Protocol versions, such as `FIDO_2_1`.
    pub versions: Vec<String>,
    /// Extensions, such as `hmac-secret`.
    pub extensions: Vec<String>,
    /// The model's id. Not a proof of the model.
    pub aaguid: Aaguid,
    /// Options by their CTAP names; an absent one is not in the map.
    pub options: BTreeMap<String, bool>,
    /// COSE algorithms for new credentials; empty when the key doesn't say.
    pub algorithms: Vec<i64>,
    /// PIN/UV auth protocols, the preferred one first; empty when the key doesn't say.
    pub pin_protocols: Vec<u64>,
    /// Shortest PIN the key takes, in characters.
    pub min_pin_length: u64,
    /// The key wants its PIN changed before anything else.
    pub force_pin_change: bool,
    /// Firmware version, as the vendor counts.
    pub firmware: Option<u64>,
    /// PIN attempts left before the key locks itself; `None` when it has no PIN.
    pub pin_retries: Option<u32>,
}

/// Whether a key has a PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinState {
    /// The key can't have one.
    Unsupported,
    /// It could have one, but was never given it.
    NotSet,
    /// It has one.
    Set,
}

/// Whether a key can verify its user without a PIN (fingerprint).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BuiltInVerification {
    /// It can, and is set up.
    Ready,
    /// It can, but nobody is enrolled.
    NotSetUp,
    /// It can't.
    Absent,
}

impl DeviceInfo {
    /// Whether the key has a PIN (option `clientPin`).
    pub fn pin_state(&self) -> PinState {
        match self.options.get("clientPin") {
            None => PinState::Unsupported,
            Some(false) => PinState::NotSet,
            Some(true) => PinState::Set,
        }
    }

    /// Whether the key verifies its user by itself (option `uv`).
    pub fn built_in_verification(&self) -> BuiltInVerification {
        match self.options.get("uv") {
            None => BuiltInVerification::Absent,
            Some(false) => BuiltInVerification::NotSetUp,
            Some(true) => BuiltInVerification::Ready,
        }
    }

    /// Whether the key offers the extension `hmac-secret`.
    pub fn has_hmac_secret(&self) -> bool {
        self.extensions.iter().any(|name| name == "hmac-secret")
    }

    /// Whether the key makes credentials of this algorithm. A key that lists none makes
    /// ES256 at least (CTAP 2.0 had no list).
    pub fn makes(&self, algorithm: Algorithm) -> bool {
        match self.algorithms.as_slice() {
            [] => algorithm == Algorithm::Es256,
            listed => listed.contains(&algorithm.cose()),
        }
    }
}

/// Signature algorithms that OpenSSH accepts from security keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256, which every FIDO2 key has.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The COSE number (RFC 9053).
    pub const fn cose(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
        }
    }
}

/// How the key is to verify its user for one request.
#[derive(Clone, Copy, Debug)]
pub enum UserVerification<'a> {
    /// With this PIN.
    Pin(&'a Pin),
    /// By the key's own means (fingerprint).
    BuiltIn,
    /// Not at all.
    Omitted,
}

/// The silent question "which of these credentials are yours?", asked without a touch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// The application (`rpId`) that the credentials belong to.
    pub application: String,
    /// The credentials to ask for, at most 512.
    pub credentials: Vec<CredentialId>,
    /// What the key signs; `clientDataHash` is the SHA-256 of it.
    pub challenge: [u8; 32],
}

/// What a key answers to a [`Probe`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProbeAnswer {
    /// It holds this one. The assertion has no UP flag, and is yet to be verified.
    Holds(CredentialId, Assertion),
    /// It holds none of them.
    HoldsNone,
    /// It answers no question without a touch (`alwaysUv`, or credProtect level 3).
    WontSay,
}

/// A request for a new, non-discoverable credential (`authenticatorMakeCredential`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MakeCredential {
    /// The application (`rpId`).
    pub application: String,
    /// Shown by some keys; `alice`, say.
    pub user_name: String,
    /// What the attestation covers; `clientDataHash` is the SHA-256 of it.
    pub challenge: Vec<u8>,
    /// The algorithm of the credential.
    pub algorithm: Algorithm,
    /// Whether the credential is to answer `hmac-secret`.
    pub hmac_secret: bool,
    /// Credentials whose presence on the key forbids a new one.
    pub exclude: Vec<CredentialId>,
}

/// A key's answer to [`MakeCredential`], raw: what it proves is judged elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attestation {
    /// The attestation statement's format: `packed`, `fido-u2f`, `none` or another.
    pub format: String,
    /// Authenticator data, with the new credential in it.
    pub authenticator_data: Vec<u8>,
    /// COSE algorithm of the attestation signature, where the statement names one.
    pub algorithm: Option<i64>,
    /// The attestation signature; empty for `none`.
    pub signature: Vec<u8>,
    /// The attestation certificates in DER, the leaf first; empty for self attestation.
    pub certificates: Vec<Vec<u8>>,
}

/// A request for a signature (`authenticatorGetAssertion` with user presence).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetAssertion {
    /// The application (`rpId`).
    pub application: String,
    /// The credential that is to sign.
    pub credential: CredentialId,
    /// What is signed; `clientDataHash` is the SHA-256 of it.
    pub challenge: Vec<u8>,
}

/// A key's answer to [`GetAssertion`]: a signature over the authenticator data and
/// `clientDataHash`, as the key wrote it (DER for ES256, 64 bytes for EdDSA).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assertion {
    /// Authenticator data: 37 bytes, as no extension is asked for.
    pub authenticator_data: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// A request for the outputs of `hmac-secret` (CTAP 2.1, 12.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetHmacSecret {
    /// The application (`rpId`).
    pub application: String,
    /// The credential whose secret is meant.
    pub credential: CredentialId,
    /// The two salts.
    pub salts: HmacSecretSalts,
}

/// Told when a key waits for its user's touch, and when it no longer does.
pub trait TouchPrompt {
    /// The key waits. Called when the wait begins and about every second after it, with
    /// the time left.
    fn waiting(&mut self, left: Duration);
    /// The wait that [`TouchPrompt::waiting`] announced is over. Not called without one.
    fn over(&mut self);
}

/// One or many security keys, and what may be asked of each.
///
/// Every request names its device. None but [`Authenticator::make_credential`],
/// [`Authenticator::sign`] and [`Authenticator::hmac_secret`] costs a touch; each of
/// those costs one. Implementations bound every size and every wait.
pub trait Authenticator {
    /// What confines the process that talks to the devices; none where that is this process,
    /// and before it was asked anything.
    fn confinement(&self) -> Option<Confinement> {
        None
    }

    /// What is plugged in, in a steady order. Asks no device anything.
    fn devices(&mut self) -> Result<Vec<Device>, KeyError>;

    /// What a key says of itself.
    fn info(&mut self, device: &DeviceId) -> Result<DeviceInfo, KeyError>;

    /// Asks silently which of some credentials a key holds.
    fn probe(&mut self, device: &DeviceId, probe: &Probe) -> Result<ProbeAnswer, KeyError>;

    /// Makes a credential. [`KeyError::Excluded`] if the key holds one of the excluded.
    fn make_credential(
        &mut self,
        device: &DeviceId,
        request: &MakeCredential,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<Attestation, KeyError>;

    /// Signs a challenge.
    fn sign(
        &mut self,
        device: &DeviceId,
        request: &GetAssertion,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<Assertion, KeyError>;

    /// Derives the outputs of `hmac-secret`.
    fn hmac_secret(
        &mut self,
        device: &DeviceId,
        request: &GetHmacSecret,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<HmacSecretOutput, KeyError>;

    /// Gives a PIN to a key that has none.
    fn set_pin(&mut self, device: &DeviceId, pin: &Pin) -> Result<(), KeyError>;
}

/// Why a key didn't do what was asked. The words are for a person who holds the key.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Not plugged in, or no longer.
    #[error("security key {0} isn't plugged in")]
    Gone(DeviceId),
    /// The system doesn't let this user open the device.
    #[error("no permission to open security key {0}")]
    NoPermission(DeviceId),
    /// The key speaks U2F only.
    #[error("security key {0} is too old: it speaks U2F, not FIDO2")]
    TooOld(DeviceId),
    /// Another program talks to the key (CTAP1_ERR_CHANNEL_BUSY).
    #[error("security key {0} is busy with another program")]
    Busy(DeviceId),
    /// The key wants its PIN.
    #[error("the security key asks for its PIN")]
    PinRequired,
    /// The key has no PIN yet.
    #[error("the security key has no PIN yet")]
    PinNotSet,
    /// Wrong PIN, with the attempts left where the key told.
    #[error("wrong PIN{}", retries_left(*.retries))]
    PinWrong {
        /// Attempts left.
        retries: Option<u32>,
    },
    /// Three wrong PINs in a row: the key wants to be plugged in anew.
    #[error("the security key refuses PINs until it is unplugged and plugged in again")]
    PinPaused,
    /// No attempts left: only a reset revives the key.
    #[error(
        "the security key has locked its PIN for good; only a reset, which erases it, unlocks it"
    )]
    PinLocked,
    /// The new PIN breaks the key's own rules.
    #[error("the security key refuses this PIN: too short, or against its rules")]
    PinRefused,
    /// The key demands a PIN change first.
    #[error("the security key demands that its PIN be changed first")]
    PinChangeForced,
    /// The key has a PIN already.
    #[error("the security key has a PIN already")]
    PinAlreadySet,
    /// The user refused, on the key or by a finger that didn't match.
    #[error("the security key reported that its user refused")]
    Denied,
    /// Nobody touched the key in time.
    #[error("nobody touched the security key in time")]
    TouchTimedOut,
    /// Ctrl-C, or another reason to stop.
    #[error("interrupted")]
    Cancelled,
    /// The key gave no answer in time.
    #[error("security key {0} gave no answer in time")]
    Silent(DeviceId),
    /// The key holds a credential that was excluded.
    #[error("the security key is enrolled already")]
    Excluded,
    /// The key doesn't hold the credential that was asked for.
    #[error("the security key doesn't hold the credential that was asked for")]
    NoSuchCredential,
    /// The key can't do it.
    #[error("the security key can't do this: {0}")]
    Unsupported(&'static str),
    /// A CTAP status that has no words of its own here (CTAP 2.1, section 8.2).
    #[error("the security key answered with CTAP status 0x{0:02x}")]
    Status(u8),
    /// The key's answer makes no sense.
    #[error("the security key gave an answer that makes no sense: {0}")]
    Nonsense(String),
    /// The helper process failed, for a reason that isn't the key's.
    #[error("the helper process for security keys failed: {0}")]
    Helper(String),
}

fn retries_left(retries: Option<u32>) -> String {
    match retries {
        None => String::new(),
        Some(1) => "; 1 attempt left".to_owned(),
        Some(n) => format!("; {n} attempts left"),
    }
}
