//! Authenticator data (WebAuthn section 6.1): what a security key signs together with
//! the hash of the challenge, and the new credential that it carries after an enrolment.

use std::fmt;
use std::str::FromStr;

use ciborium::Value;
use thiserror::Error;

use super::CredentialId;

/// The longest authenticator data that is looked at, in bytes. A new credential with the
/// longest id and every extension known today takes less than half of it.
const MAX_LENGTH: usize = 4096;

/// How deep CBOR from a key may nest. COSE keys and the outputs of extensions nest twice.
const MAX_CBOR_DEPTH: usize = 8;

/// The flags of authenticator data (WebAuthn section 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u8);

impl Flags {
    /// Takes the byte at offset 32 of authenticator data.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte itself, reserved bits included.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// UP: the user was present, which means a touch.
    pub const fn up(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// UV: the user was verified, by PIN or by the key's own means.
    pub const fn uv(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// BE: the credential may be backed up, so it isn't bound to one device.
    pub const fn backup_eligible(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// BS: the credential is backed up.
    pub const fn backed_up(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// AT: a new credential follows.
    pub const fn attested(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// ED: outputs of extensions follow.
    pub const fn extensions(self) -> bool {
        self.0 & 0x80 != 0
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({:#04x})", self.0)
    }
}

/// The id that a vendor gives to a model of security key. Anybody can copy one: it proves
/// no model unless an attestation certificate stands behind it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Aaguid(pub [u8; 16]);

/// Why a text is no AAGUID.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("an AAGUID is 32 lower-case hex digits in groups of 8, 4, 4, 4 and 12")]
pub struct MalformedAaguid;

impl fmt::Display for Aaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Aaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aaguid({self})")
    }
}

impl FromStr for Aaguid {
    type Err = MalformedAaguid;

    /// Reads exactly what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, MalformedAaguid> {
        if text.len() != 36 {
            return Err(MalformedAaguid);
        }
        let mut bytes = [0; 16];
        let mut digits = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
        for byte in &mut bytes {
            let mut digit = || digits.next().flatten().ok_or(MalformedAaguid);
            let (high, low) = (digit()?, digit()?);
            *byte = u8::try_from(high << 4 | low).map_err(|_| MalformedAaguid)?;
        }
        let aaguid = Self(bytes);
        // Hyphens elsewhere and upper case are other spellings of the same id.
        (aaguid.to_string() == text).then_some(aaguid).ok_or(MalformedAaguid)
    }
}

/// A public key in COSE form (RFC 9053), of one of the two kinds that OpenSSH takes from
/// security keys. Nothing here says that the point lies on its curve: whoever verifies a
/// signature finds out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CosePublicKey {
    /// OKP, EdDSA on Ed25519: the 32 bytes of RFC 8032.
    Ed25519([u8; 32]),
    /// EC2, ES256 on P-256: the two big-endian coordinates.
    P256 {
        /// The first coordinate.
        x: [u8; 32],
        /// The second coordinate.
        y: [u8; 32],
    },
}

/// A new credential (WebAuthn section 6.5.1, "attested credential data").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttestedCredential {
    /// The model of the key, as the key says.
    pub aaguid: Aaguid,
    /// What to ask the key by later.
    pub id: CredentialId,
    /// What verifies the key's signatures later.
    pub public_key: CosePublicKey,
}

/// Authenticator data, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthenticatorData {
    /// SHA-256 of the application (`rpId`).
    pub rp_id_hash: [u8; 32],
    /// What the key says about its user and about what follows.
    pub flags: Flags,
    /// The signature counter; a key that always says 0 has none.
    pub counter: u32,
    /// The new credential, after an enrolment.
    pub credential: Option<AttestedCredential>,
    /// Whether the outputs of extensions say that the new credential answers
    /// `hmac-secret` (CTAP 2.1, 12.5).
    pub hmac_secret: bool,
}

/// Why bytes are no authenticator data that this project works with.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedAuthenticatorData {
    /// Fewer bytes than the fields that the flags promise.
    #[error("authenticator data ends too early")]
    TooShort,
    /// More than 4096 bytes.
    #[error("authenticator data has more than {MAX_LENGTH} bytes")]
    TooLong,
    /// Bytes after the last field that the flags promise.
    #[error("authenticator data has bytes after its end")]
    TrailingBytes,
    /// A credential id of 0 bytes or more than 1023.
    #[error("authenticator data has a credential id of {0} bytes, and 1 to 1023 are allowed")]
    CredentialIdLength(usize),
    /// The public key isn't CBOR, or not a COSE key.
    #[error("authenticator data has a malformed public key")]
    PublicKey,
    /// A COSE key that is neither EdDSA on Ed25519 nor ES256 on P-256.
    #[error("authenticator data has a public key of a type other than Ed25519 and P-256")]
    PublicKeyType,
    /// The outputs of extensions aren't a CBOR map.
    #[error("authenticator data has malformed extension outputs")]
    Extensions,
}

use MalformedAuthenticatorData as Malformed;

impl AuthenticatorData {
    /// The length of authenticator data with neither a credential nor extensions, in
    /// bytes.
    pub const SHORT_LENGTH: usize = 37;

    /// Takes authenticator data apart. Every byte must be accounted for by the flags.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_LENGTH {
            return Err(Malformed::TooLong);
        }
        let mut rest = bytes;
        let rp_id_hash = take(&mut rest)?;
        let [bits] = take(&mut rest)?;
        let flags = Flags(bits);
        let counter = u32::from_be_bytes(take(&mut rest)?);
        let credential =
            if flags.attested() { Some(AttestedCredential::parse(&mut rest)?) } else { None };
        let hmac_secret = flags.extensions() && extensions_grant_hmac_secret(&mut rest)?;
        if !rest.is_empty() {
            return Err(Malformed::TrailingBytes);
        }
        Ok(Self { rp_id_hash, flags, counter, credential, hmac_secret })
    }
}

impl AttestedCredential {
    fn parse(rest: &mut &[u8]) -> Result<Self, Malformed> {
        let aaguid = Aaguid(take(rest)?);
        let length = usize::from(u16::from_be_bytes(take(rest)?));
        if length == 0 || length > CredentialId::MAX {
            return Err(Malformed::CredentialIdLength(length));
        }
        let (id, after) = rest.split_at_checked(length).ok_or(Malformed::TooShort)?;
        *rest = after;
        let id = CredentialId::new(id).ok_or(Malformed::CredentialIdLength(length))?;
        if rest.is_empty() {
            return Err(Malformed::TooShort);
        }
        let public_key = CosePublicKey::from_cbor(rest)?;
        Ok(Self { aaguid, id, public_key })
    }
}

impl CosePublicKey {
    /// Reads one COSE key from the front of `rest`. WebAuthn section 6.5.1.1 allows the
    /// parameters that its type requires and `alg`, and no others.
    fn from_cbor(rest: &mut &[u8]) -> Result<Self, Malformed> {
        let Some(Value::Map(members)) = read_cbor(rest) else { return Err(Malformed::PublicKey) };
        let mut key = CoseMembers::default();
        for (label, value) in members {
            key.put(label, value)?;
        }
        // The numbers are those of the IANA registry "COSE Key": kty OKP 1 and EC2 2,
        // alg EdDSA -8 and ES256 -7, crv Ed25519 6 and P-256 1.
        match (key.kty, key.alg, key.crv) {
            (Some(1), Some(-8), Some(6)) => match (key.x, key.y) {
                (Some(x), None) => Ok(Self::Ed25519(coordinate(&x)?)),
                _ => Err(Malformed::PublicKey),
            },
            (Some(2), Some(-7), Some(1)) => match (key.x, key.y) {
                (Some(x), Some(y)) => Ok(Self::P256 { x: coordinate(&x)?, y: coordinate(&y)? }),
                _ => Err(Malformed::PublicKey),
            },
            (Some(_), Some(_), _) => Err(Malformed::PublicKeyType),
            _ => Err(Malformed::PublicKey),
        }
    }
}

/// The members of a COSE key, by their labels.
#[derive(Default)]
struct CoseMembers {
    kty: Option<i128>,
    alg: Option<i128>,
    crv: Option<i128>,
    x: Option<Value>,
    y: Option<Value>,
}

impl CoseMembers {
    fn put(&mut self, label: Value, value: Value) -> Result<(), Malformed> {
        let Value::Integer(label) = label else { return Err(Malformed::PublicKey) };
        let repeated = match (i128::from(label), value) {
            (1, Value::Integer(kty)) => self.kty.replace(kty.into()).is_some(),
            (3, Value::Integer(alg)) => self.alg.replace(alg.into()).is_some(),
            // Label -1 is the curve of OKP and EC2 keys, but the modulus of RSA keys.
            (-1, Value::Integer(crv)) => self.crv.replace(crv.into()).is_some(),
            (-1, Value::Bytes(_)) => false,
            (-2, x) => self.x.replace(x).is_some(),
            (-3, y) => self.y.replace(y).is_some(),
            _ => true,
        };
        if repeated { Err(Malformed::PublicKey) } else { Ok(()) }
    }
}

fn coordinate(value: &Value) -> Result<[u8; 32], Malformed> {
    match value {
        Value::Bytes(bytes) => bytes.as_slice().try_into().map_err(|_| Malformed::PublicKey),
        _ => Err(Malformed::PublicKey),
    }
}

fn extensions_grant_hmac_secret(rest: &mut &[u8]) -> Result<bool, Malformed> {
    if rest.is_empty() {
        return Err(Malformed::TooShort);
    }
    let Some(Value::Map(outputs)) = read_cbor(rest) else { return Err(Malformed::Extensions) };
    let mut granted = false;
    for (name, output) in outputs {
        let Value::Text(name) = name else { return Err(Malformed::Extensions) };
        granted |= name == "hmac-secret" && output == Value::Bool(true);
    }
    Ok(granted)
}

/// Reads one CBOR item from the front of `rest`, which [`AuthenticatorData::parse`] has
/// bounded. `ciborium` allocates no more than what it has read, whatever length an item
/// announces.
fn read_cbor(rest: &mut &[u8]) -> Option<Value> {
    ciborium::de::from_reader_with_recursion_limit(rest, MAX_CBOR_DEPTH).ok()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, after) = rest.split_first_chunk().ok_or(Malformed::TooShort)?;
    *rest = after;
    Ok(*taken)
}

#[cfg(test)]
#[path = "authenticator_data_tests.rs"]
mod tests;
