//! The public key of a credential as OpenSSH writes it (PROTOCOL.u2f, "SSH U2F Key
//! formats").

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};
use thiserror::Error;

use super::wire::{Reader, Writer};
use crate::webauthn::CosePublicKey;

const CURVE: &[u8] = b"nistp256";
/// SEC 1, section 2.3.3: what an uncompressed point begins with.
const UNCOMPRESSED: u8 = 0x04;
/// The longest line of a key, in bytes: the longer type with an application of 255.
const MAX_LINE: usize = 1024;

/// The two kinds of security key that OpenSSH knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyKind {
    /// `sk-ssh-ed25519@openssh.com`
    Ed25519Sk,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`
    EcdsaP256Sk,
}

impl KeyKind {
    /// The name of the type in keys and in signatures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519Sk => "sk-ssh-ed25519@openssh.com",
            Self::EcdsaP256Sk => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Ed25519Sk, Self::EcdsaP256Sk].into_iter().find(|kind| kind.name().as_bytes() == name)
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A public key and the application (`rpId`) that its credential belongs to. Two keys are
/// equal when both are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    material: CosePublicKey,
    application: String,
}

/// The y of every point of order 8 or less, in every encoding: 0, 1, those of order 8, p - 1, p and p + 1.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00,
    ],
    [
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
];

/// Why something is no public key of a security key.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedPublicKey {
    /// The application is empty, too long or not printable.
    #[error("the application of a key is 1 to 255 printable ASCII characters without spaces")]
    Application,
    /// Another type of key.
    #[error(
        "the key is of another type than sk-ssh-ed25519@openssh.com and \
         sk-ecdsa-sha2-nistp256@openssh.com"
    )]
    Type,
    /// A point of small order: everybody can sign as it.
    #[error("the key is a point of small order, as which everybody could sign")]
    SmallOrder,
    /// The blob doesn't hold what its type says, or more.
    #[error("the key is damaged")]
    Blob,
    /// The line isn't `type base64` and nothing else.
    #[error("the line of the key isn't its type, one space and its base64, and nothing else")]
    Line,
}

impl PublicKey {
    /// The key of a credential that was made for `application`.
    pub fn from_credential(
        material: &CosePublicKey,
        application: &str,
    ) -> Result<Self, MalformedPublicKey> {
        if !super::is_plain_word(application) {
            return Err(MalformedPublicKey::Application);
        }
        if let CosePublicKey::Ed25519(key) = material
            && is_of_small_order(key)
        {
            return Err(MalformedPublicKey::SmallOrder);
        }
        Ok(Self { material: *material, application: application.to_owned() })
    }

    /// Reads exactly what [`PublicKey::to_line`] writes: no comment, no line break.
    pub fn from_line(line: &str) -> Result<Self, MalformedPublicKey> {
        if line.len() > MAX_LINE {
            return Err(MalformedPublicKey::Line);
        }
        let (name, base64) = line.split_once(' ').ok_or(MalformedPublicKey::Line)?;
        KeyKind::from_name(name.as_bytes()).ok_or(MalformedPublicKey::Type)?;
        let blob = STANDARD.decode(base64).map_err(|_| MalformedPublicKey::Line)?;
        let key = Self::from_blob(&blob)?;
        // The type before the base64 must be the type within.
        if key.to_line() == line { Ok(key) } else { Err(MalformedPublicKey::Line) }
    }

    /// The key as a line of a `.pub` file, without a comment and a line break.
    pub fn to_line(&self) -> String {
        format!("{} {}", self.kind(), STANDARD.encode(self.to_blob()))
    }

    /// `SHA256:` and the unpadded base64 of the SHA-256 of the key, as `ssh-keygen -l`
    /// prints it.
    pub fn fingerprint(&self) -> String {
        let hash = digest(&SHA256, &self.to_blob());
        format!("SHA256:{}", STANDARD_NO_PAD.encode(hash.as_ref()))
    }

    /// Which of the two kinds it is.
    pub fn kind(&self) -> KeyKind {
        match self.material {
            CosePublicKey::Ed25519(_) => KeyKind::Ed25519Sk,
            CosePublicKey::P256 { .. } => KeyKind::EcdsaP256Sk,
        }
    }

    /// The key itself.
    pub fn material(&self) -> &CosePublicKey {
        &self.material
    }

    /// The application (`rpId`), 1 to 255 printable ASCII characters.
    pub fn application(&self) -> &str {
        &self.application
    }

    pub(super) fn to_blob(&self) -> Vec<u8> {
        let mut blob = Writer::default();
        blob.string(self.kind().name().as_bytes());
        match &self.material {
            CosePublicKey::Ed25519(key) => blob.string(key),
            CosePublicKey::P256 { x, y } => {
                blob.string(CURVE);
                blob.string(&uncompressed_point(x, y));
            }
        }
        blob.string(self.application.as_bytes());
        blob.into_bytes()
    }

    pub(super) fn from_blob(blob: &[u8]) -> Result<Self, MalformedPublicKey> {
        let mut reader = Reader::new(blob);
        let name = reader.string().ok_or(MalformedPublicKey::Blob)?;
        let kind = KeyKind::from_name(name).ok_or(MalformedPublicKey::Type)?;
        let material = match kind {
            KeyKind::Ed25519Sk => read_ed25519(&mut reader),
            KeyKind::EcdsaP256Sk => read_p256(&mut reader),
        };
        let material = material.ok_or(MalformedPublicKey::Blob)?;
        let application = reader.string().ok_or(MalformedPublicKey::Blob)?;
        if !reader.is_at_end() {
            return Err(MalformedPublicKey::Blob);
        }
        let application =
            std::str::from_utf8(application).map_err(|_| MalformedPublicKey::Application)?;
        Self::from_credential(&material, application)
    }
}

fn read_ed25519(reader: &mut Reader<'_>) -> Option<CosePublicKey> {
    Some(CosePublicKey::Ed25519(reader.string()?.try_into().ok()?))
}

/// Whether an encoded point of edwards25519 (RFC 8032, section 5.1.2) is of order 8 or less, in whichever
/// of its encodings. Such a "key" is one of nobody's: signatures that it accepts can be made up.
fn is_of_small_order(key: &[u8; 32]) -> bool {
    let mut y = *key;
    if let Some(last) = y.last_mut() {
        // The sign of x.
        *last &= 0x7f;
    }
    SMALL_ORDER.contains(&y)
}

fn read_p256(reader: &mut Reader<'_>) -> Option<CosePublicKey> {
    if reader.string()? != CURVE {
        return None;
    }
    let mut point = Reader::new(reader.string()?);
    let [form] = point.array()?;
    let (x, y) = (point.array()?, point.array()?);
    (form == UNCOMPRESSED && point.is_at_end()).then_some(CosePublicKey::P256 { x, y })
}

/// SEC 1, section 2.3.3: the form of a point that SSH and `ring` take.
pub(super) fn uncompressed_point(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    let mut point = [UNCOMPRESSED; 65];
    for (to, from) in point.iter_mut().skip(1).zip(x.iter().chain(y)) {
        *to = *from;
    }
    point
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.to_line())
    }
}
