//! One SSH signature: from a key's answer, to its text, and back.

use thiserror::Error;

use super::armor;
use super::assertion::{MalformedAssertion, PlainAssertion, is_plain};
use super::public_key::{KeyKind, MalformedPublicKey, PublicKey};
use super::wire::{HASH_ALGORITHM, MAGIC, RESERVED, Reader, VERSION, Writer};
use crate::webauthn::Flags;

/// The type of signature that browsers make (PROTOCOL.u2f, "webauthn signatures").
const WEBAUTHN_TYPE: &[u8] = b"webauthn-sk-ecdsa-sha2-nistp256@openssh.com";

/// An SSH signature of a security key. Well formed, and no more: whether the key made it,
/// and over what, [`Signature::verify`] tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    pub(super) public_key: PublicKey,
    pub(super) namespace: String,
    pub(super) assertion: PlainAssertion,
}

/// Why a text is no SSH signature of a security key in its canonical form.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedSignature {
    /// Not exactly the two markers and base64 in lines of 70 columns between them.
    #[error(
        "the signature isn't armoured as ssh-keygen does it: 70 columns, and nothing before, \
         between or after"
    )]
    Armor,
    /// No SSHSIG, or another version of it.
    #[error("the signature isn't an SSH signature of version 1")]
    Version,
    /// A field is missing, has another form, or bytes follow it.
    #[error("the {0} of the signature is damaged")]
    Field(&'static str),
    /// The public key within.
    #[error("the signature is by a key that can't be used")]
    PublicKey(#[from] MalformedPublicKey),
    /// A hash other than SHA-512.
    #[error("the signature uses another hash algorithm than sha512")]
    HashAlgorithm,
    /// A signature that a browser made.
    #[error(
        "the signature is of the type webauthn-sk-ecdsa-sha2-nistp256@openssh.com: \
         signatures made by a browser aren't accepted"
    )]
    Webauthn,
    /// The type of the signature isn't the type of the key.
    #[error("the signature is of another type than the key in it")]
    Type,
    /// Flags ED or AT, whose data an SSH signature has no place for.
    #[error("the signature has flags for extensions or a credential")]
    NotPlain,
}

use MalformedSignature as Malformed;

impl Signature {
    /// Makes an SSH signature out of a key's answer to [`signed_data`](super::signed_data).
    /// The key's DER may be non-minimal, as that of early keys is; what comes out is
    /// canonical. Nothing is verified yet.
    pub fn from_assertion(
        public_key: &PublicKey,
        namespace: &str,
        authenticator_data: &[u8],
        signature: &[u8],
    ) -> Result<Self, MalformedAssertion> {
        let assertion = PlainAssertion::read_for_namespace(
            public_key,
            namespace,
            authenticator_data,
            signature,
        )?;
        Ok(Self { public_key: public_key.clone(), namespace: namespace.to_owned(), assertion })
    }

    /// The text as `ssh-keygen -Y sign` writes it: lines of 70 columns, LF at the end of
    /// each, the last one included.
    pub fn to_armor(&self) -> String {
        armor::wrap(&self.to_blob())
    }

    /// Reads exactly what [`Signature::to_armor`] writes.
    pub fn from_armor(text: &str) -> Result<Self, MalformedSignature> {
        let blob = armor::unwrap(text).ok_or(Malformed::Armor)?;
        let signature = Self::from_blob(&blob)?;
        // Each field was read strictly; this holds even if one of them was not.
        if signature.to_blob() == blob { Ok(signature) } else { Err(Malformed::Field("encoding")) }
    }

    /// The key that is said to have signed.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The namespace, 1 to 255 printable ASCII characters.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The flags of the assertion. Say nothing before [`Signature::verify`].
    pub fn flags(&self) -> Flags {
        self.assertion.flags
    }

    /// The counter of the assertion; a key that always says 0 has none. Says nothing
    /// before [`Signature::verify`].
    pub fn counter(&self) -> u32 {
        self.assertion.counter
    }

    fn to_blob(&self) -> Vec<u8> {
        let mut blob = Writer::default();
        blob.bytes(MAGIC);
        blob.u32(VERSION);
        blob.string(&self.public_key.to_blob());
        blob.string(self.namespace.as_bytes());
        blob.string(RESERVED);
        blob.string(HASH_ALGORITHM);
        blob.string(&self.inner());
        blob.into_bytes()
    }

    /// The field `signature` (PROTOCOL.u2f, "SSH U2F signatures").
    fn inner(&self) -> Vec<u8> {
        let kind = self.public_key.kind();
        let mut inner = Writer::default();
        inner.string(kind.name().as_bytes());
        match (kind, self.assertion.signature.as_chunks::<32>().0) {
            (KeyKind::EcdsaP256Sk, [r, s]) => {
                let mut numbers = Writer::default();
                numbers.mpint(r);
                numbers.mpint(s);
                inner.string(&numbers.into_bytes());
            }
            _ => inner.string(&self.assertion.signature),
        }
        inner.bytes(&[self.assertion.flags.bits()]);
        inner.u32(self.assertion.counter);
        inner.into_bytes()
    }

    fn from_blob(blob: &[u8]) -> Result<Self, MalformedSignature> {
        let mut reader = Reader::new(blob);
        if reader.array().as_ref().map(<[u8; 6]>::as_slice) != Some(MAGIC)
            || reader.u32() != Some(VERSION)
        {
            return Err(Malformed::Version);
        }
        let mut field = |name| reader.string().ok_or(Malformed::Field(name));
        let public_key = field("key")?;
        let namespace = field("namespace")?;
        let reserved = field("reserved field")?;
        let hash_algorithm = field("hash algorithm")?;
        let inner = field("inner signature")?;
        if !reader.is_at_end() {
            return Err(Malformed::Field("end"));
        }

        let public_key = PublicKey::from_blob(public_key)?;
        let namespace = std::str::from_utf8(namespace)
            .ok()
            .filter(|namespace| super::is_plain_word(namespace))
            .ok_or(Malformed::Field("namespace"))?;
        if reserved != RESERVED {
            return Err(Malformed::Field("reserved field"));
        }
        if hash_algorithm != HASH_ALGORITHM {
            return Err(Malformed::HashAlgorithm);
        }
        let assertion = read_inner(inner, public_key.kind())?;
        Ok(Self { public_key, namespace: namespace.to_owned(), assertion })
    }
}

fn read_inner(inner: &[u8], kind: KeyKind) -> Result<PlainAssertion, MalformedSignature> {
    let damaged = || Malformed::Field("inner signature");
    let mut reader = Reader::new(inner);
    let name = reader.string().ok_or_else(damaged)?;
    if name == WEBAUTHN_TYPE {
        return Err(Malformed::Webauthn);
    }
    if name != kind.name().as_bytes() {
        return Err(Malformed::Type);
    }
    let signature = reader.string().ok_or_else(damaged)?;
    let signature = match kind {
        KeyKind::Ed25519Sk => signature.try_into().ok(),
        KeyKind::EcdsaP256Sk => read_r_and_s(signature),
    };
    let signature = signature.ok_or_else(damaged)?;
    let [flags] = reader.array().ok_or_else(damaged)?;
    let flags = Flags::from_bits(flags);
    let counter = reader.u32().ok_or_else(damaged)?;
    if !reader.is_at_end() {
        return Err(damaged());
    }
    if !is_plain(flags) {
        return Err(Malformed::NotPlain);
    }
    Ok(PlainAssertion { flags, counter, signature })
}

fn read_r_and_s(numbers: &[u8]) -> Option<[u8; 64]> {
    let mut reader = Reader::new(numbers);
    let (r, s) = (reader.mpint()?, reader.mpint()?);
    if !reader.is_at_end() {
        return None;
    }
    [r, s].concat().try_into().ok()
}
