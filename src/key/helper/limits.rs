//! The bounds of what a key may answer, which both ends of the helper protocol hold to.

/// The most characters in a text that a device gives.
pub(in crate::key) const MAX_TEXT: usize = 64;
/// The most items in a list that a device gives.
pub(in crate::key) const MAX_ITEMS: usize = 64;
/// The most devices in a listing.
pub(in crate::key) const MAX_DEVICES: usize = 32;
/// The most attestation certificates.
pub(in crate::key) const MAX_CERTIFICATES: usize = 8;
/// The most bytes in an attestation certificate.
pub(in crate::key) const MAX_CERTIFICATE: usize = 4096;
/// The most bytes of authenticator data.
pub(in crate::key) const MAX_AUTHENTICATOR_DATA: usize = 4096;
/// The most bytes in a signature, of an assertion or of an attestation.
pub(in crate::key) const MAX_SIGNATURE: usize = 512;
/// The most credentials in one probe, or in one exclude list.
pub(in crate::key) const MAX_CREDENTIALS: usize = 512;
