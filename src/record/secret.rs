//! Secrets in custody: which there are, where their files are, and who opened them. Never what
//! they are.
//!
//! A secret keeps its name while its value is replaced: each value is a generation with a file
//! of its own, encrypted to the epoch of a compartment that was present then. Whoever opens one
//! signs a receipt for it first.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::values::as_text;
use super::{
    DeviceName, Digest, Handle, Hex, Line, RECORDS, Rejection, Sealing, Stamp, State, UnfitValue,
};

/// What a secret is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKind {
    /// The seed of a TOTP device.
    Seed,
    /// A password.
    Password,
    /// Codes that stand in for a lost device, once each.
    RecoveryCodes,
    /// Any other text.
    Note,
}

impl SecretKind {
    /// As it stands in a document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Password => "password",
            Self::RecoveryCodes => "recovery-codes",
            Self::Note => "note",
        }
    }
}

/// One value of a secret: `prod-seed.2` is the second.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SecretName {
    /// The secret.
    pub secret: Handle,
    /// Which of its values, counted from 1.
    pub generation: u32,
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.secret, self.generation)
    }
}

impl FromStr for SecretName {
    type Err = UnfitValue;
    fn from_str(text: &str) -> Result<Self, UnfitValue> {
        let name = text.split_once('.').and_then(|(secret, generation)| {
            let generation = generation.parse().ok().filter(|number| *number > 0)?;
            Some(Self { secret: secret.parse().ok()?, generation })
        });
        // `a.01` and `a.+1` are other spellings of it.
        name.filter(|name| name.to_string() == text)
            .ok_or_else(|| UnfitValue::SecretName(text.chars().take(80).collect()))
    }
}
as_text!(SecretName);

/// What tells one seed from another to whoever has the log, and nobody what it is: a keyed
/// hash, whose key is in the log.
pub type Fingerprint = Hex<16>;

/// A secret in custody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secret {
    /// What it is.
    pub kind: SecretKind,
    /// Whose it is, if it is an account's.
    pub account: Option<Handle>,
    /// The token whose seed it is.
    pub token: Option<Handle>,
    /// Its values, from the first to the present one. Never empty.
    pub generations: Vec<Generation>,
    /// Who opened it, in the order of the log.
    pub receipts: Vec<Receipt>,
}

/// One value of a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generation {
    /// Counted from 1.
    pub number: u32,
    /// The compartment that its file is encrypted to.
    pub compartment: Handle,
    /// The epoch of that compartment.
    pub epoch: u32,
    /// Digest of its file, which is its name.
    pub sha256: Digest,
    /// Of a seed.
    pub fingerprint: Option<Fingerprint>,
    /// When it was stored.
    pub stored: Stamp,
}

/// What a secret was opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To be seen.
    Show,
    /// To show a code that it makes.
    Code,
    /// To tell whether it makes the codes of a device.
    Check,
    /// To tell which one makes the codes of a device.
    Identify,
    /// For the steps of a drill.
    Drill,
}

impl Purpose {
    /// As it stands in a document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Code => "code",
            Self::Check => "check",
            Self::Identify => "identify",
            Self::Drill => "drill",
        }
    }
}

/// That somebody opened a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// When.
    pub at: Stamp,
    /// Who.
    pub opener: Handle,
    /// Which of its values.
    pub generation: u32,
    /// What for.
    pub purpose: Purpose,
    /// In words.
    pub reason: Option<Line>,
}

impl Secret {
    /// Its present value.
    pub fn present(&self) -> Option<&Generation> {
        self.generations.last()
    }

    /// Whether it may be the seed of a token of an account: it isn't recorded as another's.
    pub fn may_be_of(&self, account: &Handle, token: &Handle) -> bool {
        self.account.as_ref().is_none_or(|its| its == account)
            && self.token.as_ref().is_none_or(|its| its == token)
    }

    /// A certain value.
    pub fn generation(&self, number: u32) -> Option<&Generation> {
        self.generations.iter().find(|generation| generation.number == number)
    }
}

impl State {
    /// Secrets by name.
    pub fn secrets(&self) -> &BTreeMap<Handle, Arc<Secret>> {
        &self.secrets
    }

    /// The value in custody that is the seed with this fingerprint.
    pub fn seed_with(&self, fingerprint: &Fingerprint) -> Option<SecretName> {
        let same = |generation: &&Generation| generation.fingerprint.as_ref() == Some(fingerprint);
        self.secrets.iter().find_map(|(name, secret)| {
            let generation = secret.generations.iter().find(same)?.number;
            Some(SecretName { secret: name.clone(), generation })
        })
    }

    fn secret_mut(&mut self, name: &Handle) -> Result<&mut Secret, Rejection> {
        if !self.secrets.contains_key(name) {
            return Err(Rejection::Unknown("secret", name.to_string()));
        }
        let known = Arc::make_mut(&mut self.secrets).get_mut(name).map(Arc::make_mut);
        known.ok_or_else(|| Rejection::Unknown("secret", name.to_string()))
    }

    /// Fails unless secrets of a compartment are encrypted to this epoch now, and somebody opens it.
    fn check_epoch(&self, compartment: &Handle, epoch: u32) -> Result<(), Rejection> {
        if compartment.as_str() == RECORDS {
            let message = format!("readers open {RECORDS}, so it takes no secrets");
            return Err(Rejection::Mismatch(message));
        }
        let known = self.compartments.get(compartment);
        let known =
            known.ok_or_else(|| Rejection::Unknown("compartment", compartment.to_string()))?;
        if self.openers_of(compartment).is_empty() {
            let message = format!("nobody who is left opens {compartment}, so it takes no secrets");
            return Err(Rejection::Mismatch(message));
        }
        let present = known.sealing.epoch;
        if epoch == present {
            return Ok(());
        }
        let message = format!("{compartment} is in its epoch {present}, and not in {epoch}");
        Err(Rejection::Mismatch(message))
    }
}

/// Fails where something else than a seed has a fingerprint. A seed that is short enough to be
/// guessed has none either.
fn check_fingerprint(kind: SecretKind, fingerprint: Option<&Fingerprint>) -> Result<(), Rejection> {
    if fingerprint.is_none() || kind == SecretKind::Seed {
        return Ok(());
    }
    Err(Rejection::Mismatch("only a seed has a fingerprint".to_owned()))
}

/// A secret comes into custody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretStored {
    /// Its name, never used before.
    pub secret: Handle,
    /// What it is.
    pub holds: SecretKind,
    /// Whose it is, if it is an account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Handle>,
    /// The token of that account whose seed it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Handle>,
    /// The compartment that its file is encrypted to.
    pub compartment: Handle,
    /// The epoch of that compartment, which is the present one.
    pub epoch: u32,
    /// Digest of the file.
    pub sha256: Digest,
    /// Of a seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

impl SecretStored {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        if state.secrets.contains_key(&self.secret) {
            return Err(Rejection::Taken("secret", self.secret.to_string()));
        }
        if let Some(account) = &self.account
            && !state.accounts().contains_key(account)
        {
            return Err(Rejection::Unknown("account", account.to_string()));
        }
        if self.token.is_some() && (self.account.is_none() || self.holds != SecretKind::Seed) {
            let message = "a token belongs to the seed of an account".to_owned();
            return Err(Rejection::Mismatch(message));
        }
        if let (Some(account), Some(token)) = (&self.account, &self.token) {
            let name = DeviceName::Token(token.clone());
            let known = state.accounts().get(account);
            if known.is_none_or(|known| !known.devices.contains_key(&name)) {
                return Err(Rejection::Mismatch(format!("{account} has no token {token}")));
            }
        }
        check_fingerprint(self.holds, self.fingerprint.as_ref())?;
        state.check_epoch(&self.compartment, self.epoch)?;
        let generation = Generation {
            number: 1,
            compartment: self.compartment.clone(),
            epoch: self.epoch,
            sha256: self.sha256,
            fingerprint: self.fingerprint,
            stored: at,
        };
        state.note_sealing(Sealing::Secret(self.sha256));
        if let Some(account) = &self.account {
            state.account_mut(account)?.secrets.insert(self.secret.clone());
        }
        let secret = Secret {
            kind: self.holds,
            account: self.account.clone(),
            token: self.token.clone(),
            generations: vec![generation],
            receipts: Vec::new(),
        };
        Arc::make_mut(&mut state.secrets).insert(self.secret.clone(), Arc::new(secret));
        Ok(())
    }
}

/// A secret has another value from now on. The older ones stay.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretReplaced {
    /// Which.
    pub secret: Handle,
    /// The number of the value: one more than the last.
    pub generation: u32,
    /// The compartment that its file is encrypted to.
    pub compartment: Handle,
    /// The epoch of that compartment, which is the present one.
    pub epoch: u32,
    /// Digest of the file.
    pub sha256: Digest,
    /// Of a seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

impl SecretReplaced {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        state.check_epoch(&self.compartment, self.epoch)?;
        let secret = state.secret_mut(&self.secret)?;
        let known = secret.present().map_or(0, |present| present.number);
        // Its file is called after what is in it, so no number is ever lost to one that stands there.
        if known.checked_add(1) != Some(self.generation) {
            let message =
                format!("value {} of {} can't follow {known}", self.generation, self.secret);
            return Err(Rejection::Mismatch(message));
        }
        check_fingerprint(secret.kind, self.fingerprint.as_ref())?;
        secret.generations.push(Generation {
            number: self.generation,
            compartment: self.compartment.clone(),
            epoch: self.epoch,
            sha256: self.sha256,
            fingerprint: self.fingerprint,
            stored: at,
        });
        state.note_sealing(Sealing::Secret(self.sha256));
        Ok(())
    }
}

/// Somebody is about to open secrets: the receipt, which is in the log before anything opens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretOpened {
    /// Which values, each once.
    pub secrets: Vec<SecretName>,
    /// Who, and must sign.
    pub opener: Handle,
    /// What for.
    pub purpose: Purpose,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Line>,
}

impl SecretOpened {
    pub(super) fn apply(&self, state: &mut State, at: Stamp) -> Result<(), Rejection> {
        state.present(&self.opener)?;
        let mut sorted: Vec<&SecretName> = self.secrets.iter().collect();
        sorted.sort();
        sorted.dedup();
        if sorted.is_empty() || sorted.len() < self.secrets.len() {
            return Err(Rejection::Mismatch("it names secrets, each once".to_owned()));
        }
        for name in &self.secrets {
            let known = state.secrets.get(&name.secret);
            if known.and_then(|secret| secret.generation(name.generation)).is_none() {
                return Err(Rejection::Unknown("secret", name.to_string()));
            }
        }
        for name in &self.secrets {
            state.secret_mut(&name.secret)?.receipts.push(Receipt {
                at,
                opener: self.opener.clone(),
                generation: name.generation,
                purpose: self.purpose,
                reason: self.reason.clone(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_secret_has_one_name() {
        let name: SecretName = "prod-seed.12".parse().unwrap();
        assert_eq!((name.secret.as_str(), name.generation), ("prod-seed", 12));
        assert_eq!(name.to_string(), "prod-seed.12");
        for bad in ["prod-seed", ".1", "a.", "a.0", "a.01", "a.+1", "a.1.2", "A.1", "a.4294967296"]
        {
            assert!(bad.parse::<SecretName>().is_err(), "{bad}");
        }
    }
}
