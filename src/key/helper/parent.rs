//! The parent's end, as callers see it: the keys on USB, as an [`Authenticator`].
//!
//! Puts what a caller wants as questions that a child can answer, and refuses an answer that
//! belongs to another question. Each question is a run of a child of its own (`run`), which
//! holds the deadlines.

mod run;
#[cfg(test)]
mod testing;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::limits::MAX_CREDENTIALS;
use super::protocol::{Ask, Question, Reply};
use super::words::{failed, unsupported};
use crate::key::{
    Assertion, Attestation, Authenticator, Confinement, Device, DeviceId, DeviceInfo, GetAssertion,
    GetHmacSecret, KeyError, MakeCredential, Pin, Probe, ProbeAnswer, TouchPrompt,
    UserVerification,
};
use crate::webauthn::{CredentialId, HmacSecretOutput};
pub use run::Deadlines;
use run::{Children, nonsense};

/// How many credentials, and how many bytes of their ids, one child probes for: so many
/// that a slow key is done with them in time, and that they fit into a frame.
const BATCH: usize = 48;
const BATCH_BYTES: usize = 48 * 1024;

/// The security keys on USB.
///
/// Each request runs in a child process of its own. Probes for many credentials are split
/// over several.
pub struct UsbKeys {
    children: Children,
}

impl UsbKeys {
    /// Keys that are reached through `program key-helper`, which must come to
    /// [`super::serve`]. The path must be absolute. A request ends with
    /// [`KeyError::Cancelled`] soon after `interrupt` is set; nothing here clears it.
    pub fn new(program: PathBuf, interrupt: Arc<AtomicBool>) -> Self {
        Self { children: Children::of(program, interrupt) }
    }

    /// The same with other deadlines.
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { children: self.children.with_deadlines(deadlines) }
    }

    /// A probe for any number of credentials, some at a time.
    fn probe_all(&mut self, device: &DeviceId, probe: &Probe) -> Result<ProbeAnswer, KeyError> {
        for batch in batches(&probe.credentials) {
            let part = Probe {
                application: probe.application.clone(),
                credentials: batch.to_vec(),
                challenge: probe.challenge,
            };
            match self.children.ask(&Ask::Of(device, Question::Probe(&part)), None)? {
                Reply::Probe(ProbeAnswer::HoldsNone) => {}
                Reply::Probe(ProbeAnswer::Holds(credential, _))
                    if !part.credentials.contains(&credential) =>
                {
                    return Err(nonsense("it names a credential that wasn't asked for"));
                }
                Reply::Probe(answer) => return Ok(answer),
                _ => return Err(other_question()),
            }
        }
        Ok(ProbeAnswer::HoldsNone)
    }

    /// Of the excluded credentials, those that the key must be told of. A key takes few at
    /// a time (`maxCredentialCountInList`), so it is asked silently first.
    fn excluded(
        &mut self,
        device: &DeviceId,
        request: &MakeCredential,
    ) -> Result<Vec<CredentialId>, KeyError> {
        if request.exclude.len() < 2 {
            return Ok(request.exclude.clone());
        }
        let mut challenge = [0; 32];
        getrandom::fill(&mut challenge)
            .map_err(|_| KeyError::Helper(failed::NO_RANDOMNESS.to_owned()))?;
        let probe = Probe {
            application: request.application.clone(),
            credentials: request.exclude.clone(),
            challenge,
        };
        match self.probe_all(device, &probe)? {
            ProbeAnswer::Holds(credential, _) => Ok(vec![credential]),
            ProbeAnswer::HoldsNone => Ok(Vec::new()),
            ProbeAnswer::WontSay if request.exclude.len() > MAX_CREDENTIALS => {
                Err(unsupported::EXCLUDE_LIST)
            }
            ProbeAnswer::WontSay => Ok(request.exclude.clone()),
        }
    }
}

impl Authenticator for UsbKeys {
    fn confinement(&self) -> Option<Confinement> {
        self.children.confinement()
    }

    fn devices(&mut self) -> Result<Vec<Device>, KeyError> {
        match self.children.ask(&Ask::Devices, None)? {
            Reply::Devices(devices) => Ok(devices),
            _ => Err(other_question()),
        }
    }

    fn info(&mut self, device: &DeviceId) -> Result<DeviceInfo, KeyError> {
        match self.children.ask(&Ask::Of(device, Question::Info), None)? {
            Reply::Info(info) => Ok(info),
            _ => Err(other_question()),
        }
    }

    fn probe(&mut self, device: &DeviceId, probe: &Probe) -> Result<ProbeAnswer, KeyError> {
        self.probe_all(device, probe)
    }

    fn make_credential(
        &mut self,
        device: &DeviceId,
        request: &MakeCredential,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<Attestation, KeyError> {
        let request =
            MakeCredential { exclude: self.excluded(device, request)?, ..request.clone() };
        let question = Question::MakeCredential(&request, verification);
        match self.children.ask(&Ask::Of(device, question), Some(prompt))? {
            Reply::Attestation(attestation) => Ok(attestation),
            _ => Err(other_question()),
        }
    }

    fn sign(
        &mut self,
        device: &DeviceId,
        request: &GetAssertion,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<Assertion, KeyError> {
        let question = Question::Sign(request, verification);
        match self.children.ask(&Ask::Of(device, question), Some(prompt))? {
            Reply::Assertion(assertion) => Ok(assertion),
            _ => Err(other_question()),
        }
    }

    fn hmac_secret(
        &mut self,
        device: &DeviceId,
        request: &GetHmacSecret,
        verification: UserVerification<'_>,
        prompt: &mut dyn TouchPrompt,
    ) -> Result<HmacSecretOutput, KeyError> {
        let question = Question::HmacSecret(request, verification);
        match self.children.ask(&Ask::Of(device, question), Some(prompt))? {
            Reply::HmacSecret(output) => Ok(output),
            _ => Err(other_question()),
        }
    }

    fn set_pin(&mut self, device: &DeviceId, pin: &Pin) -> Result<(), KeyError> {
        match self.children.ask(&Ask::Of(device, Question::SetPin(pin)), None)? {
            Reply::PinSet => Ok(()),
            _ => Err(other_question()),
        }
    }
}

/// Slices of `credentials` that one child takes.
fn batches(mut credentials: &[CredentialId]) -> Vec<&[CredentialId]> {
    let mut batches = Vec::new();
    while !credentials.is_empty() {
        let mut bytes = 0;
        let count = credentials
            .iter()
            .take(BATCH)
            .take_while(|credential| {
                bytes += credential.as_bytes().len() + 4;
                bytes <= BATCH_BYTES
            })
            .count();
        let (batch, rest) = credentials.split_at(count.max(1).min(credentials.len()));
        batches.push(batch);
        credentials = rest;
    }
    batches
}

fn other_question() -> KeyError {
    nonsense("it belongs to another question")
}

#[cfg(test)]
#[path = "parent_tests.rs"]
mod tests;
