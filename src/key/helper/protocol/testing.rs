//! What the tests of both rooms do.

use crate::key::DeviceId;
use crate::webauthn::CredentialId;

pub(super) fn device_id() -> DeviceId {
    DeviceId("/dev/hidraw4".to_owned())
}

pub(super) fn body(frame: &[u8]) -> &[u8] {
    &frame[4..]
}

pub(super) fn credential_id(byte: u8) -> CredentialId {
    CredentialId::new([byte; 48]).unwrap()
}
