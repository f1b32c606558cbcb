//! The public keys that a document enrols, each held against its own attestation.

use std::collections::BTreeMap;

use super::Rule;
use crate::log::chain::sha256;
use crate::log::document::Document;
use crate::record::{Event, KeyEnrolled, KeyName, Realm};
use crate::sshsig::PublicKey;
use crate::webauthn::AuthenticatorData;

/// The public keys that a document enrols, by name.
pub(super) fn keys_enrolled_by(
    document: &Document,
    realm: Realm,
) -> Result<BTreeMap<KeyName, PublicKey>, (Rule, String)> {
    let mut enrolled = BTreeMap::new();
    for event in &document.events {
        if let Event::KeyEnrolled(enrolment) = event {
            let key = enrolled_key(enrolment, realm)
                .map_err(|reason| (Rule::Event, format!("key-enrolled: {reason}")))?;
            enrolled.insert(enrolment.key.clone(), key);
        }
    }
    Ok(enrolled)
}

/// The public key of an enrolment, if the attested data tell of that very credential.
fn enrolled_key(enrolment: &KeyEnrolled, realm: Realm) -> Result<PublicKey, String> {
    let key = PublicKey::from_line(enrolment.public_key.as_str())
        .map_err(|reason| format!("public key of {}: {reason}", enrolment.key))?;
    let data = AuthenticatorData::parse(&enrolment.attestation_data.0)
        .map_err(|reason| format!("attestation of {}: {reason}", enrolment.key))?;
    let application = realm.signing_application();
    let tells_of_it = data.credential.as_ref().is_some_and(|credential| {
        credential.id.as_bytes() == enrolment.credential.0
            && credential.aaguid.0 == enrolment.aaguid.0
            && PublicKey::from_credential(&credential.public_key, application)
                .is_ok_and(|attested| attested == key)
    });
    if !tells_of_it || data.rp_id_hash != sha256(application.as_bytes()).0 || !data.flags.up() {
        return Err(format!("the attestation of {} tells of another credential", enrolment.key));
    }
    Ok(key)
}
