//! authenticatorMakeCredential and authenticatorGetAssertion in CBOR (CTAP 2.1, 6.1 and
//! 6.2), and their answers.
//!
//! Members stand in the order that CTAP's canonical CBOR asks for. An answer is read only
//! as far as it is used; a member that is absent, of another type or too large is
//! [`Unreadable`].

use ciborium::Value;
use ring::digest::{SHA256, digest};

use crate::key::helper::limits::{
    MAX_AUTHENTICATOR_DATA, MAX_CERTIFICATE, MAX_CERTIFICATES, MAX_SIGNATURE, MAX_TEXT,
};
use crate::key::{Assertion, Attestation, MakeCredential};
use crate::text::sanitise;
use crate::webauthn::CredentialId;

const MAKE_CREDENTIAL: u8 = 0x01;
const GET_ASSERTION: u8 = 0x02;

/// How deep an answer may nest; an attestation statement takes four levels.
const MAX_DEPTH: usize = 16;

/// An answer isn't what CTAP asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// `clientDataHash`: the SHA-256 of the challenge.
pub(super) fn client_data_hash(challenge: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (place, byte) in hash.iter_mut().zip(digest(&SHA256, challenge).as_ref()) {
        *place = *byte;
    }
    hash
}

/// What a command says about its user.
pub(super) enum Proof {
    /// A token that a PIN was turned into has signed the command's hash.
    Token {
        /// `pinUvAuthParam`.
        signature: Vec<u8>,
        /// `pinUvAuthProtocol`.
        protocol: u8,
    },
    /// The key is to verify its user by its own means.
    BuiltIn,
    /// Nothing.
    None,
}

/// A command that makes a credential. `user_id` is for the key alone.
pub(super) fn make_credential(
    request: &MakeCredential,
    user_id: [u8; 32],
    exclude: &[&CredentialId],
    proof: &Proof,
) -> Option<Vec<u8>> {
    let rp = [("id", text(&request.application)), ("name", text(&request.application))];
    let user = [
        ("id", bytes(&user_id)),
        ("name", text(&request.user_name)),
        ("displayName", text(&request.user_name)),
    ];
    let algorithm = [("alg", Value::from(request.algorithm.cose())), ("type", text("public-key"))];
    let mut members = vec![
        (1, bytes(&client_data_hash(&request.challenge))),
        (2, map(rp)),
        (3, map(user)),
        (4, Value::Array(vec![map(algorithm)])),
    ];
    if !exclude.is_empty() {
        members.push((5, descriptors(exclude)));
    }
    if request.hmac_secret {
        members.push((6, map([("hmac-secret", Value::Bool(true))])));
    }
    if matches!(proof, Proof::BuiltIn) {
        members.push((7, map([("uv", Value::Bool(true))])));
    }
    if let Proof::Token { signature, protocol } = proof {
        members.extend([(8, bytes(signature)), (9, Value::from(*protocol))]);
    }
    command(MAKE_CREDENTIAL, members)
}

/// A command that asks one credential for an assertion; without `touch`, silently.
pub(super) fn get_assertion(
    application: &str,
    credential: &CredentialId,
    challenge: &[u8],
    touch: bool,
    proof: &Proof,
) -> Option<Vec<u8>> {
    let mut members = vec![
        (1, text(application)),
        (2, bytes(&client_data_hash(challenge))),
        (3, descriptors(&[credential])),
    ];
    match (touch, proof) {
        (false, _) => members.push((5, map([("up", Value::Bool(false))]))),
        (true, Proof::BuiltIn) => members.push((5, map([("uv", Value::Bool(true))]))),
        (true, _) => {}
    }
    if let Proof::Token { signature, protocol } = proof {
        members.extend([(6, bytes(signature)), (7, Value::from(*protocol))]);
    }
    command(GET_ASSERTION, members)
}

fn command(number: u8, members: Vec<(u8, Value)>) -> Option<Vec<u8>> {
    let members = members.into_iter().map(|(key, value)| (Value::from(key), value)).collect();
    let mut command = vec![number];
    ciborium::into_writer(&Value::Map(members), &mut command).ok()?;
    Some(command)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (text(name), value)).collect())
}

fn descriptors(credentials: &[&CredentialId]) -> Value {
    let descriptor =
        |id: &&CredentialId| map([("id", bytes(id.as_bytes())), ("type", text("public-key"))]);
    Value::Array(credentials.iter().map(descriptor).collect())
}

/// The answer to [`make_credential`].
pub(super) fn attestation(answer: &[u8]) -> Result<Attestation, Unreadable> {
    let answer = read(answer)?;
    let Some(Value::Text(format)) = numbered(&answer, 1) else { return Err(Unreadable) };
    let statement = numbered(&answer, 3).ok_or(Unreadable)?;
    if !statement.is_map() {
        return Err(Unreadable);
    }
    let algorithm = match named(statement, "alg") {
        None => None,
        Some(number) => Some(
            number.as_integer().and_then(|number| i64::try_from(number).ok()).ok_or(Unreadable)?,
        ),
    };
    let signature = match named(statement, "sig") {
        None => Vec::new(),
        given => bounded(given, MAX_SIGNATURE)?,
    };
    let certificates = match named(statement, "x5c") {
        None => Vec::new(),
        Some(Value::Array(chain)) if chain.len() <= MAX_CERTIFICATES => chain
            .iter()
            .map(|certificate| bounded(Some(certificate), MAX_CERTIFICATE))
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(Unreadable),
    };
    Ok(Attestation {
        format: sanitise(format, MAX_TEXT),
        authenticator_data: bounded(numbered(&answer, 2), MAX_AUTHENTICATOR_DATA)?,
        algorithm,
        signature,
        certificates,
    })
}

/// The answer to [`get_assertion`], which must be by the credential that was asked. A key
/// may leave its id out, as no other was allowed (CTAP 2.1, 6.2.2).
pub(super) fn assertion(answer: &[u8], asked: &CredentialId) -> Result<Assertion, Unreadable> {
    let answer = read(answer)?;
    if let Some(descriptor) = numbered(&answer, 1) {
        match named(descriptor, "id") {
            Some(Value::Bytes(id)) if id == asked.as_bytes() => {}
            _ => return Err(Unreadable),
        }
    }
    Ok(Assertion {
        authenticator_data: bounded(numbered(&answer, 2), MAX_AUTHENTICATOR_DATA)?,
        signature: bounded(numbered(&answer, 3), MAX_SIGNATURE)?,
    })
}

fn read(mut answer: &[u8]) -> Result<Value, Unreadable> {
    let value = ciborium::de::from_reader_with_recursion_limit(&mut answer, MAX_DEPTH)
        .map_err(|_| Unreadable)?;
    if answer.is_empty() { Ok(value) } else { Err(Unreadable) }
}

/// The member of a map under this number.
fn numbered(answer: &Value, number: u8) -> Option<&Value> {
    let number = Value::from(number);
    let (_, value) = answer.as_map()?.iter().find(|(key, _)| *key == number)?;
    Some(value)
}

/// The member of a map under this name.
fn named<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    let (_, value) = map.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name))?;
    Some(value)
}

fn bounded(value: Option<&Value>, most: usize) -> Result<Vec<u8>, Unreadable> {
    match value {
        Some(Value::Bytes(bytes)) if bytes.len() <= most => Ok(bytes.clone()),
        _ => Err(Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Algorithm;

    fn id() -> CredentialId {
        CredentialId::new([0xc1; 3]).unwrap()
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    /// SHA-256 of "abc" (FIPS 180-2, B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_silent_question_is_these_very_bytes() {
        let sent = get_assertion("a.b", &id(), b"abc", false, &Proof::None).unwrap();
        let expected = format!(
            "02a401{}025820{ABC}0381a26269644{}64747970656a7075626c69632d6b657905a1627570f4",
            "63612e62", "3c1c1c1"
        );
        assert_eq!(sent, hex(&expected));
    }

    #[test]
    fn a_token_and_its_protocol_stand_last() {
        let proof = Proof::Token { signature: vec![0xaa; 2], protocol: 2 };
        let sent = get_assertion("a.b", &id(), b"abc", true, &proof).unwrap();
        assert!(sent.ends_with(&hex("0642aaaa0702")));
        let built_in = get_assertion("a.b", &id(), b"abc", true, &Proof::BuiltIn).unwrap();
        assert!(built_in.ends_with(&hex("05a1627576f5")));
    }

    #[test]
    fn a_new_credential_is_asked_for_with_these_very_bytes() {
        let request = MakeCredential {
            application: "a.b".to_owned(),
            user_name: "al".to_owned(),
            challenge: b"abc".to_vec(),
            algorithm: Algorithm::EdDsa,
            hmac_secret: true,
            exclude: Vec::new(),
        };
        let proof = Proof::Token { signature: vec![0xaa], protocol: 1 };
        let excluded = id();
        let sent = make_credential(&request, [7; 32], &[&excluded], &proof).unwrap();
        let expected = [
            "01a8",
            &format!("015820{ABC}"),
            "02a262696463612e62646e616d6563612e62",
            &format!(
                "03a36269645820{}646e616d6562616c6b646973706c61794e616d6562616c",
                "07".repeat(32)
            ),
            "0481a263616c672764747970656a7075626c69632d6b6579",
            "0581a262696443c1c1c164747970656a7075626c69632d6b6579",
            "06a16b686d61632d736563726574f5",
            "0841aa",
            "0901",
        ]
        .concat();
        assert_eq!(sent, hex(&expected));
    }

    #[test]
    fn an_assertion_is_taken_raw_and_only_from_the_credential_that_was_asked() {
        let with_id = "a301a262696443c1c1c164747970656a7075626c69632d6b6579024201020343030405";
        let expected = Assertion { authenticator_data: vec![1, 2], signature: vec![3, 4, 5] };
        assert_eq!(assertion(&hex(with_id), &id()), Ok(expected.clone()));
        assert_eq!(assertion(&hex("a2024201020343030405"), &id()), Ok(expected));
        let stranger = CredentialId::new([1]).unwrap();
        assert_eq!(assertion(&hex(with_id), &stranger), Err(Unreadable));
        assert_eq!(assertion(&hex("a301a0024201020343030405"), &id()), Err(Unreadable));
    }

    #[test]
    fn an_attestation_is_taken_raw() {
        let answer = "a301667061636b6564024201020 3a363616c672663736967420304637835638141ff";
        let made = attestation(&hex(&answer.replace(' ', ""))).unwrap();
        assert_eq!(made.format, "packed");
        assert_eq!(made.authenticator_data, [1, 2]);
        assert_eq!(made.algorithm, Some(-7));
        assert_eq!(made.signature, [3, 4]);
        assert_eq!(made.certificates, [[0xff]]);
        let none = attestation(&hex("a301646e6f6e650241010 3a0".replace(' ', "").as_str()));
        assert!(none.is_ok_and(|made| made.signature.is_empty() && made.algorithm.is_none()));
    }

    #[test]
    fn answers_that_are_no_answers_are_unreadable() {
        for answer in [
            "",
            "80",
            "a0",
            "a1",
            "a2024101",
            "a20241010341",
            "a2024101034100ff",
            "a2020103410 0",
            "a25affffffff",
            "a2029bffffffffffffffff",
        ] {
            let answer = hex(&answer.replace(' ', ""));
            assert_eq!(assertion(&answer, &id()), Err(Unreadable), "{answer:02x?}");
            assert_eq!(attestation(&answer), Err(Unreadable), "{answer:02x?}");
        }
        assert_eq!(assertion(&[0x81; 7000], &id()), Err(Unreadable));
        let large = |length: usize| {
            let mut answer = hex("a2024101035902");
            answer.push(u8::try_from(length - 512).unwrap());
            answer.extend(vec![0; length]);
            answer
        };
        assert!(assertion(&large(512), &id()).is_ok());
        assert_eq!(assertion(&large(513), &id()), Err(Unreadable));
    }
}
