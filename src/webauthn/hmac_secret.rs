//! What the CTAP extension `hmac-secret` takes and gives.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hardening::keep_from_swap;

/// The two salts of one `hmac-secret` request (CTAP 2.1, section 12.5): 32 bytes each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HmacSecretSalts {
    /// The first salt.
    pub first: [u8; 32],
    /// The second salt.
    pub second: [u8; 32],
}

/// The 64 bytes that a key gives for two salts: the two outputs, one after the other.
///
/// A secret: wiped when dropped, kept out of swap, never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct HmacSecretOutput(Box<[u8; 64]>);

impl HmacSecretOutput {
    /// Takes the two outputs from a buffer of 64 bytes and leaves zeros behind.
    pub fn take_from(buffer: &mut [u8; 64]) -> Self {
        let mut output = Box::new([0; 64]);
        keep_from_swap(&*output);
        output.copy_from_slice(buffer);
        buffer.zeroize();
        Self(output)
    }

    /// The 64 bytes.
    pub fn expose(&self) -> &[u8; 64] {
        &self.0
    }
}

impl std::fmt::Debug for HmacSecretOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacSecretOutput(hidden)")
    }
}
