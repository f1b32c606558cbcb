//! Security keys over USB HID, by way of ctap-hid-fido2 and hidapi, which nothing else in
//! the project names. Runs in the helper process only.
//!
//! The crate knows CTAP's PIN protocols, so it asks for the key's information, for tokens
//! and for `hmac-secret`. But it loses answers of keys that make it wait, panics on some,
//! and never looks at the channel of a report; so credentials and signatures are asked for
//! here ([`command`], [`transport`]), on the same channel. While the crate is at work, a
//! second handle on the device ([`watch`]) sees the key wait for a touch and cancels it.
//!
//! The crate also blocks for ever on a silent device and prints to stdout. The helper
//! process is what makes that harmless: here is no deadline and no `catch_unwind`.
//!
//! Must not open a path that the listing doesn't show as a FIDO device.

mod command;
mod listing;
mod packet;
mod status;
mod transport;
mod watch;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use ctap_hid_fido2::fidokey::get_assertion::get_assertion_params::Assertion as CrateAssertion;
use ctap_hid_fido2::fidokey::{AssertionExtension, GetAssertionArgsBuilder};
use ctap_hid_fido2::{FidoKeyHid, FidoKeyHidFactory, HidParam, LibCfg};
use hidapi::{HidApi, HidDevice};
use zeroize::{Zeroize, Zeroizing};

use super::helper::limits::{MAX_ITEMS, MAX_TEXT};
use super::helper::words::{failed, nonsense, unsupported};
use super::{
    Assertion, Attestation, BuiltInVerification, Confinement, DeviceId, DeviceInfo, GetAssertion,
    GetHmacSecret, KeyError, MakeCredential, Pin, PinState, Probe, ProbeAnswer, UserVerification,
};
use crate::confinement::close_files;
use crate::text::sanitise;
use crate::webauthn::{Aaguid, CredentialId, HmacSecretOutput};
use command::Proof;
pub(super) use listing::devices;
use listing::may_open;
use packet::MAX_MESSAGE;
use transport::Channel;
use watch::Watch;

/// The longest message a key takes when it doesn't say (CTAP 2.1, 6.4 `maxMsgSize`).
const DEFAULT_MESSAGE: usize = 1024;

/// The crate gives up on a key after 500 keepalives, at least 100 ms apart, and reports
/// the last one's status byte as if it were an error of the key's.
const KEEPALIVES_RUN_OUT: Duration = Duration::from_secs(45);

/// Called with true when the key begins to wait for a touch, with false when it no longer
/// does.
pub(super) type TouchSignal = Arc<dyn Fn(bool) + Send + Sync>;

/// What connects a request that is under way with whoever asked for it.
#[derive(Clone)]
pub(super) struct Session {
    /// Set from outside to have the key told to stop.
    pub(super) cancel: Arc<AtomicBool>,
    /// Told about waits for a touch.
    pub(super) touch: TouchSignal,
}

/// One open key.
pub(super) struct UsbKey {
    id: DeviceId,
    key: FidoKeyHid,
    channel: [u8; 4],
    watch: Watch,
    session: Session,
    info: DeviceInfo,
    max_message: usize,
    max_credential_id: usize,
}

impl UsbKey {
    /// Opens a key that the listing shows, and asks it what it is. From the first question
    /// on, this process, which is confined so far, opens no file any more.
    pub(super) fn open(
        id: &DeviceId,
        session: &Session,
        confinement: Confinement,
    ) -> Result<Self, KeyError> {
        if !devices()?.iter().any(|device| device.id == *id) {
            return Err(KeyError::Gone(id.clone()));
        }
        may_open(id)?;
        let gone = || KeyError::Gone(id.clone());
        let path = CString::new(id.0.as_str()).map_err(|_| gone())?;
        let second = HidApi::new().and_then(|api| api.open_path(&path)).map_err(|_| gone())?;
        let mut configuration = LibCfg::init();
        configuration.enable_keep_alive_msg = false;
        configuration.keep_alive_msg.clear();
        let param = HidParam::Path(id.0.clone());
        let mut key =
            FidoKeyHidFactory::create_by_params(&[param], &configuration).map_err(|_| gone())?;
        // Both handles are open. The key has been asked for its channel, no more.
        check_closed(confinement, close_files())?;
        let channel = key.get_cid().map_err(|error| status::key_error(id, &error.to_string()))?;
        let watch = Watch::start(second, channel, session.clone())?;

        let told = key.get_info().map_err(|error| {
            let error = status::key_error(id, &error.to_string());
            match error {
                // A U2F key knows no CTAPHID_CBOR.
                KeyError::Status(0x01) => KeyError::TooOld(id.clone()),
                _ if watch.saw_others() => KeyError::Busy(id.clone()),
                _ => error,
            }
        })?;
        let size = |told: u32| usize::try_from(told).ok().filter(|size| *size > 0);
        let max_message = u32::try_from(told.max_msg_size).ok().and_then(size);
        let max_credential_id = size(told.max_credential_id_length).unwrap_or(CredentialId::MAX);
        let info = DeviceInfo {
            versions: short_list(&told.versions),
            extensions: short_list(&told.extensions),
            aaguid: told
                .aaguid
                .as_slice()
                .try_into()
                .map(Aaguid)
                .map_err(|_| senseless(nonsense::AAGUID))?,
            options: told
                .options
                .iter()
                .take(MAX_ITEMS)
                .map(|(name, set)| (short(name), *set))
                .collect::<BTreeMap<_, _>>(),
            // The crate gives the members of each entry one after the other, as texts.
            algorithms: told
                .algorithms
                .iter()
                .filter(|(member, _)| member == "alg")
                .filter_map(|(_, number)| number.parse().ok())
                .take(MAX_ITEMS)
                .collect(),
            pin_protocols: told
                .pin_uv_auth_protocols
                .iter()
                .take(MAX_ITEMS)
                .map(|n| u64::from(*n))
                .collect(),
            // What CTAP 2.1 says for a key that doesn't.
            min_pin_length: u64::from(told.min_pin_length).max(4),
            force_pin_change: told.force_pin_change,
            firmware: Some(u64::from(told.firmware_version)).filter(|version| *version != 0),
            pin_retries: None,
        };
        if !info.versions.iter().any(|version| version.starts_with("FIDO_2")) {
            return Err(KeyError::TooOld(id.clone()));
        }
        key.pin_protocol_version = pin_protocol(&info.pin_protocols).unwrap_or(1);
        Ok(Self {
            id: id.clone(),
            key,
            channel,
            watch,
            session: session.clone(),
            info,
            max_message: max_message.unwrap_or(DEFAULT_MESSAGE).min(MAX_MESSAGE),
            max_credential_id,
        })
    }

    /// What the key says of itself, with the PIN attempts that are left.
    pub(super) fn info(mut self) -> Result<DeviceInfo, KeyError> {
        if self.info.pin_state() == PinState::Set && self.pin_protocol_known().is_ok() {
            let retries = self.key.get_pin_retries().map_err(|error| self.error(error))?;
            self.info.pin_retries = u32::try_from(retries).ok();
        }
        Ok(self.info)
    }

    /// Asks for one credential after the other, without a touch.
    pub(super) fn probe(self, probe: &Probe) -> Result<ProbeAnswer, KeyError> {
        if self.info.options.get("alwaysUv") == Some(&true) {
            return Ok(ProbeAnswer::WontSay);
        }
        let (id, longest) = (self.id.clone(), self.max_credential_id);
        let channel = self.take_over()?;
        for credential in &probe.credentials {
            if credential.as_bytes().len() > longest {
                continue;
            }
            let question = command::get_assertion(
                &probe.application,
                credential,
                &probe.challenge,
                false,
                &Proof::None,
            );
            match channel.call(&question.ok_or_else(unreadable)?) {
                Ok(answer) => {
                    let assertion =
                        command::assertion(&answer, credential).map_err(|_| unreadable())?;
                    return Ok(ProbeAnswer::Holds(credential.clone(), assertion));
                }
                Err(fault) => {
                    let error = status::of_fault(&id, &fault);
                    match status::of_probe(&error) {
                        status::Probed::NotHeld => {}
                        status::Probed::WontSay => return Ok(ProbeAnswer::WontSay),
                        status::Probed::Failed => return Err(error),
                    }
                }
            }
        }
        Ok(ProbeAnswer::HoldsNone)
    }

    /// Makes a credential.
    pub(super) fn make_credential(
        self,
        request: &MakeCredential,
        verification: UserVerification<'_>,
    ) -> Result<Attestation, KeyError> {
        self.check(verification)?;
        if !self.info.makes(request.algorithm) {
            return Err(unsupported::ALGORITHM);
        }
        if request.hmac_secret && !self.info.has_hmac_secret() {
            return Err(unsupported::HMAC_SECRET);
        }
        let mut user_id = [0; 32];
        getrandom::fill(&mut user_id).map_err(|_| helper(failed::NO_RANDOMNESS))?;
        let exclude: Vec<&CredentialId> =
            request.exclude.iter().filter(|id| self.could_hold(id)).collect();
        let proof = self.proof(verification, &request.challenge)?;
        let command =
            command::make_credential(request, user_id, &exclude, &proof).ok_or_else(unreadable)?;
        if command.len() > self.max_message {
            return Err(unsupported::EXCLUDE_LIST);
        }
        let answer = self.call(&command)?;
        command::attestation(&answer).map_err(|_| unreadable())
    }

    /// Signs a challenge. Asks for no extension: their outputs would be signed too, and
    /// OpenSSH takes no such signature.
    pub(super) fn sign(
        self,
        request: &GetAssertion,
        verification: UserVerification<'_>,
    ) -> Result<Assertion, KeyError> {
        self.check(verification)?;
        if !self.could_hold(&request.credential) {
            return Err(KeyError::NoSuchCredential);
        }
        let proof = self.proof(verification, &request.challenge)?;
        let command = command::get_assertion(
            &request.application,
            &request.credential,
            &request.challenge,
            true,
            &proof,
        );
        let answer = self.call(&command.ok_or_else(unreadable)?)?;
        command::assertion(&answer, &request.credential).map_err(|_| unreadable())
    }

    /// Derives the outputs of `hmac-secret`, the first salt's first.
    pub(super) fn hmac_secret(
        self,
        request: &GetHmacSecret,
        verification: UserVerification<'_>,
    ) -> Result<HmacSecretOutput, KeyError> {
        if !self.info.has_hmac_secret() {
            return Err(unsupported::HMAC_SECRET);
        }
        self.check(verification)?;
        self.pin_protocol_known()?;
        if !self.could_hold(&request.credential) {
            return Err(KeyError::NoSuchCredential);
        }
        // Nobody verifies this signature; a random challenge keeps it worthless.
        let mut challenge = [0; 32];
        getrandom::fill(&mut challenge).map_err(|_| helper(failed::NO_RANDOMNESS))?;
        let salts = (request.salts.first, request.salts.second);
        let builder = GetAssertionArgsBuilder::new(&request.application, &challenge)
            .credential_id(request.credential.as_bytes())
            .extensions(&[AssertionExtension::HmacSecret2(Some(salts))]);
        // Without either of these the builder asks for built-in verification.
        let builder = match verification {
            UserVerification::Pin(pin) => builder.pin(pin.expose()),
            UserVerification::BuiltIn => builder,
            UserVerification::Omitted => builder.without_pin_and_uv(),
        };
        let begun = Instant::now();
        let assertions = self
            .key
            .get_assertion_with_args(&builder.build())
            .map_err(|error| self.touch_error(error, begun))?;
        let mut assertion = only(assertions, &request.credential)?;
        let mut outputs = Zeroizing::new([0; 64]);
        let mut given = false;
        for extension in &mut assertion.extensions {
            if let AssertionExtension::HmacSecret2(Some((first, second))) = extension {
                let (one, two) = outputs.split_at_mut(32);
                one.copy_from_slice(first);
                two.copy_from_slice(second);
                first.zeroize();
                second.zeroize();
                given = true;
            }
        }
        if !given {
            return Err(senseless(nonsense::NO_OUTPUTS));
        }
        Ok(HmacSecretOutput::take_from(&mut outputs))
    }

    /// Gives a PIN to a key that has none.
    pub(super) fn set_pin(self, pin: &Pin) -> Result<(), KeyError> {
        match self.info.pin_state() {
            PinState::Unsupported => return Err(unsupported::PIN),
            PinState::Set => return Err(KeyError::PinAlreadySet),
            PinState::NotSet => {}
        }
        self.pin_protocol_known()?;
        let length = u64::try_from(pin.expose().chars().count()).unwrap_or(u64::MAX);
        if length < self.info.min_pin_length {
            return Err(KeyError::PinRefused);
        }
        self.key.set_new_pin(pin.expose()).map_err(|error| self.error(error))
    }

    /// What a command over `challenge` says about its user. Turns a PIN into a token.
    fn proof(
        &self,
        verification: UserVerification<'_>,
        challenge: &[u8],
    ) -> Result<Proof, KeyError> {
        match verification {
            UserVerification::Omitted => Ok(Proof::None),
            UserVerification::BuiltIn => Ok(Proof::BuiltIn),
            UserVerification::Pin(pin) => {
                let hash = command::client_data_hash(challenge);
                let signature = self.key.create_pin_auth(pin.expose(), &hash);
                Ok(Proof::Token {
                    signature: signature.map_err(|error| self.error(error))?,
                    protocol: self.key.pin_protocol_version,
                })
            }
        }
    }

    /// Ends the crate's part and goes on with the channel.
    fn take_over(self) -> Result<Channel<HidDevice>, KeyError> {
        let device = self.watch.stop().ok_or(KeyError::Gone(self.id))?;
        Ok(Channel::new(device, self.channel, self.session))
    }

    fn call(self, command: &[u8]) -> Result<Vec<u8>, KeyError> {
        let id = self.id.clone();
        self.take_over()?.call(command).map_err(|fault| status::of_fault(&id, &fault))
    }

    fn could_hold(&self, credential: &CredentialId) -> bool {
        credential.as_bytes().len() <= self.max_credential_id
    }

    /// Refuses a verification that the key can't do, before it costs an attempt.
    fn check(&self, verification: UserVerification<'_>) -> Result<(), KeyError> {
        match verification {
            UserVerification::Omitted => Ok(()),
            UserVerification::BuiltIn => match self.info.built_in_verification() {
                BuiltInVerification::Ready => Ok(()),
                BuiltInVerification::NotSetUp | BuiltInVerification::Absent => {
                    Err(unsupported::BUILT_IN)
                }
            },
            UserVerification::Pin(_) => match self.info.pin_state() {
                PinState::Unsupported => Err(unsupported::PIN),
                PinState::NotSet => Err(KeyError::PinNotSet),
                PinState::Set if self.info.force_pin_change => Err(KeyError::PinChangeForced),
                PinState::Set => self.pin_protocol_known(),
            },
        }
    }

    fn pin_protocol_known(&self) -> Result<(), KeyError> {
        pin_protocol(&self.info.pin_protocols).map(|_| ()).ok_or(unsupported::PIN_PROTOCOL)
    }

    /// Words for an error of the crate's.
    fn error(&self, error: impl std::fmt::Display) -> KeyError {
        match status::key_error(&self.id, &error.to_string()) {
            KeyError::PinWrong { .. } => {
                let retries = self.key.get_pin_retries().ok();
                KeyError::PinWrong { retries: retries.and_then(|n| u32::try_from(n).ok()) }
            }
            // The crate takes every report for its own, also one of another program's.
            KeyError::Nonsense(_) | KeyError::Status(_) if self.watch.saw_others() => {
                KeyError::Busy(self.id.clone())
            }
            error => error,
        }
    }

    fn touch_error(&self, error: impl std::fmt::Display, begun: Instant) -> KeyError {
        match self.error(error) {
            KeyError::Status(0x01 | 0x02) if begun.elapsed() > KEEPALIVES_RUN_OUT => {
                KeyError::TouchTimedOut
            }
            error => error,
        }
    }
}

/// Refuses to ask a key anything where the kernel took the first filters of system calls and
/// not the last, so that files aren't `closed`. One without seccomp takes none of them, and
/// the parent has been told so.
fn check_closed(confinement: Confinement, closed: bool) -> Result<(), KeyError> {
    if confinement.seccomp && !closed {
        return Err(helper(failed::FILES_OPEN));
    }
    Ok(())
}

/// The PIN/UV auth protocol to use: of those that the crate knows, the one that the key
/// prefers (CTAP 2.1, 6.4, member 0x06); 1 for a key that lists none (CTAP 2.0).
fn pin_protocol(listed: &[u64]) -> Option<u8> {
    match listed.iter().find(|protocol| matches!(protocol, 1 | 2)) {
        Some(2) => Some(2),
        Some(_) => Some(1),
        None => listed.is_empty().then_some(1),
    }
}

/// The one assertion that was asked for. A key may leave the credential's id out where
/// only one was allowed (CTAP 2.1, 6.2.2).
fn only(
    assertions: Vec<CrateAssertion>,
    credential: &CredentialId,
) -> Result<CrateAssertion, KeyError> {
    let mut assertions = assertions.into_iter();
    match (assertions.next(), assertions.next()) {
        (Some(assertion), None)
            if assertion.credential_id.is_empty()
                || assertion.credential_id == credential.as_bytes() =>
        {
            Ok(assertion)
        }
        _ => Err(senseless(nonsense::CREDENTIAL)),
    }
}

fn short(text: &str) -> String {
    sanitise(text, MAX_TEXT)
}

fn short_list(texts: &[String]) -> Vec<String> {
    texts.iter().take(MAX_ITEMS).map(|text| short(text)).collect()
}

fn unreadable() -> KeyError {
    senseless(nonsense::UNREADABLE)
}

fn senseless(words: &str) -> KeyError {
    KeyError::Nonsense(words.to_owned())
}

fn helper(words: &str) -> KeyError {
    KeyError::Helper(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_protocol_is_the_first_that_is_known() {
        assert_eq!(pin_protocol(&[]), Some(1));
        assert_eq!(pin_protocol(&[1]), Some(1));
        assert_eq!(pin_protocol(&[1, 2]), Some(1));
        assert_eq!(pin_protocol(&[2, 1]), Some(2));
        assert_eq!(pin_protocol(&[2]), Some(2));
        assert_eq!(pin_protocol(&[9, 2]), Some(2));
        assert_eq!(pin_protocol(&[9]), None);
    }

    #[test]
    fn a_key_is_asked_nothing_while_a_file_can_be_opened_unless_there_is_no_seccomp() {
        let confined = |seccomp| Confinement { landlock: Some(7), seccomp };
        let refused = KeyError::Helper("it couldn't give up opening files".to_owned());
        assert_eq!(check_closed(confined(true), false), Err(refused));
        assert_eq!(check_closed(confined(true), true), Ok(()));
        assert_eq!(check_closed(confined(false), false), Ok(()));
        assert_eq!(check_closed(confined(false), true), Ok(()));
    }

    fn assertion_by(id: &[u8]) -> CrateAssertion {
        CrateAssertion { credential_id: id.to_vec(), ..CrateAssertion::default() }
    }

    #[test]
    fn an_assertion_by_another_credential_is_refused() {
        let asked = CredentialId::new(*b"asked").unwrap();
        assert!(only(vec![assertion_by(b"asked")], &asked).is_ok());
        assert!(only(vec![assertion_by(b"")], &asked).is_ok());
        assert!(only(vec![assertion_by(b"other")], &asked).is_err());
        assert!(only(vec![assertion_by(b""), assertion_by(b"asked")], &asked).is_err());
        assert!(only(vec![], &asked).is_err());
    }

    #[test]
    fn a_path_that_is_no_fido_device_is_never_opened() {
        let session = Session { cancel: Arc::default(), touch: Arc::new(|_| {}) };
        for path in ["/dev/null", "/dev/hidraw999", "/etc/passwd", "../dev/hidraw0", ""] {
            let id = DeviceId(path.to_owned());
            match UsbKey::open(&id, &session, Confinement::default()) {
                Err(error) => assert_eq!(error, KeyError::Gone(id), "{path}"),
                Ok(_) => panic!("{path} was opened"),
            }
        }
    }
}
