//! CTAP status bytes, and what they mean to whoever holds the key (CTAP 2.1, section 8.2).
//!
//! ctap-hid-fido2 gives a status as text: `response_status err = 0x31 CTAP2_ERR_…`, and
//! other texts for everything else. Here is the only place that reads them.

use super::transport::Fault;
use crate::key::helper::words::{nonsense, unsupported};
use crate::key::{DeviceId, KeyError};

/// What the crate writes before the status byte.
const STATUS: &str = "response_status err = 0x";

/// What the crate says when reading or writing the device node failed: the device is gone.
const DEVICE_LOST: [&str; 3] = ["read err", "read error", "write error"];

/// What the crate says when the answer to its CTAPHID_INIT was another program's.
const OTHER_NONCE: &str = "Nonce verification failed";

/// The status byte in an error of the crate's.
fn status(text: &str) -> Option<u8> {
    let (_, after) = text.split_once(STATUS)?;
    let end = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
    u8::from_str_radix(after.get(..end)?, 16).ok()
}

/// The error that an error of the crate's stands for.
pub(super) fn key_error(device: &DeviceId, text: &str) -> KeyError {
    if let Some(status) = status(text) {
        of_status(device, status)
    } else if DEVICE_LOST.iter().any(|lost| text.starts_with(lost)) {
        KeyError::Gone(device.clone())
    } else if text.starts_with(OTHER_NONCE) {
        KeyError::Busy(device.clone())
    } else {
        KeyError::Nonsense(nonsense::UNREADABLE.to_owned())
    }
}

/// The error that a fault of a command of our own stands for.
pub(super) fn of_fault(device: &DeviceId, fault: &Fault) -> KeyError {
    match fault {
        Fault::Status(status) => of_status(device, *status),
        Fault::Lost => KeyError::Gone(device.clone()),
        Fault::Garbled => KeyError::Nonsense(nonsense::UNREADABLE.to_owned()),
    }
}

fn of_status(device: &DeviceId, status: u8) -> KeyError {
    match status {
        0x06 => KeyError::Busy(device.clone()),
        0x19 => KeyError::Excluded,
        0x26 => unsupported::ALGORITHM,
        0x2b => unsupported::OPTION,
        // OPERATION_DENIED and UV_INVALID: a finger that was lifted or didn't match.
        0x27 | 0x3f => KeyError::Denied,
        0x2d => KeyError::Cancelled,
        0x2e => KeyError::NoSuchCredential,
        // USER_ACTION_TIMEOUT and ACTION_TIMEOUT.
        0x2f | 0x3a => KeyError::TouchTimedOut,
        0x31 => KeyError::PinWrong { retries: None },
        0x32 => KeyError::PinLocked,
        0x34 => KeyError::PinPaused,
        0x35 => KeyError::PinNotSet,
        0x36 => KeyError::PinRequired,
        0x37 => KeyError::PinRefused,
        other => KeyError::Status(other),
    }
}

/// What an error means for a credential that was asked for silently.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Probed {
    /// The key doesn't hold it.
    NotHeld,
    /// The key answers no such question.
    WontSay,
    /// The question failed.
    Failed,
}

/// Reads an error as an answer to a silent question.
pub(super) fn of_probe(error: &KeyError) -> Probed {
    match error {
        KeyError::NoSuchCredential => Probed::NotHeld,
        // LIMIT_EXCEEDED, INVALID_CREDENTIAL and REQUEST_TOO_LARGE: an id that is another
        // vendor's, or longer than the key makes them.
        KeyError::Status(0x15 | 0x22 | 0x39) => Probed::NotHeld,
        // INVALID_OPTION, UP_REQUIRED and the like: never without a touch, or a PIN.
        KeyError::PinRequired
        | KeyError::PinNotSet
        | KeyError::Denied
        | KeyError::Unsupported(_)
        | KeyError::Status(0x2c | 0x30 | 0x3b) => Probed::WontSay,
        _ => Probed::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> KeyError {
        key_error(&DeviceId("/dev/hidraw3".to_owned()), text)
    }

    #[test]
    fn a_status_is_read_from_the_texts_that_the_crate_makes() {
        assert_eq!(
            status("response_status err = 0x31 CTAP2_ERR_PIN_INVALID   PIN Invalid."),
            Some(0x31)
        );
        assert_eq!(status("response_status err = 0xFF CTAP2_ERR_VENDOR_LAST"), Some(0xff));
        // What the crate has no words for comes without a leading zero.
        assert_eq!(status("response_status err = 0x9"), Some(0x09));
        assert_eq!(status("response_status err = 0x"), None);
        assert_eq!(status("response_status err = 0xé"), None);
        assert_eq!(status("response_status err = 0x123"), None);
        assert_eq!(status("Cast Error"), None);
    }

    #[test]
    fn every_status_that_a_person_can_act_on_has_its_own_error() {
        let device = DeviceId("/dev/hidraw3".to_owned());
        let expected = [
            (0x06, KeyError::Busy(device.clone())),
            (0x19, KeyError::Excluded),
            (0x27, KeyError::Denied),
            (0x2d, KeyError::Cancelled),
            (0x2e, KeyError::NoSuchCredential),
            (0x2f, KeyError::TouchTimedOut),
            (0x31, KeyError::PinWrong { retries: None }),
            (0x32, KeyError::PinLocked),
            (0x34, KeyError::PinPaused),
            (0x35, KeyError::PinNotSet),
            (0x36, KeyError::PinRequired),
            (0x37, KeyError::PinRefused),
            (0x33, KeyError::Status(0x33)),
            (0x7f, KeyError::Status(0x7f)),
        ];
        for (status, error) in expected {
            assert_eq!(of_status(&device, status), error, "{status:#04x}");
        }
        assert!(matches!(of_status(&device, 0x26), KeyError::Unsupported(_)));
        assert!(matches!(of_status(&device, 0x2b), KeyError::Unsupported(_)));
    }

    #[test]
    fn a_lost_device_is_gone_and_a_foreign_answer_means_busy() {
        let device = DeviceId("/dev/hidraw3".to_owned());
        assert_eq!(of("read err = 0xFE"), KeyError::Gone(device.clone()));
        assert_eq!(of("write error"), KeyError::Gone(device.clone()));
        assert_eq!(of("Nonce verification failed"), KeyError::Busy(device));
        assert_eq!(of("Cast Error"), KeyError::Nonsense(nonsense::UNREADABLE.to_owned()));
    }

    #[test]
    fn a_silent_question_has_three_answers() {
        assert_eq!(of_probe(&KeyError::NoSuchCredential), Probed::NotHeld);
        assert_eq!(of_probe(&KeyError::PinRequired), Probed::WontSay);
        assert_eq!(of_probe(&KeyError::PinNotSet), Probed::WontSay);
        assert_eq!(of_probe(&unsupported::OPTION), Probed::WontSay);
        assert_eq!(of_probe(&KeyError::Status(0x7f)), Probed::Failed);
        assert_eq!(of_probe(&KeyError::Gone(DeviceId(String::new()))), Probed::Failed);
    }
}
