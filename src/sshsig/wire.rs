//! The pieces that SSH messages are made of (RFC 4251, section 5), and the constants of
//! PROTOCOL.sshsig. Reading is strict: each value has one form.

/// `MAGIC_PREAMBLE` of PROTOCOL.sshsig.
pub(super) const MAGIC: &[u8] = b"SSHSIG";
/// `SIG_VERSION` of PROTOCOL.sshsig.
pub(super) const VERSION: u32 = 1;
/// The field of PROTOCOL.sshsig that has no use yet.
pub(super) const RESERVED: &[u8] = b"";
/// The one hash algorithm in use here; PROTOCOL.sshsig knows sha256 too.
pub(super) const HASH_ALGORITHM: &[u8] = b"sha512";

/// Writes the pieces, one after the other.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.bytes(&number.to_be_bytes());
    }

    /// RFC 4251 `string`: the length in four bytes, then the bytes.
    pub(super) fn string(&mut self, bytes: &[u8]) {
        // Nothing of 4 GiB is ever written; if it were, a length that is cut off at the
        // top would make a blob that no reader takes, never one that means another thing.
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.bytes(bytes);
    }

    /// RFC 4251 `mpint` of an unsigned number: no superfluous zero in front, and one zero
    /// where the top bit would make the number negative.
    pub(super) fn mpint(&mut self, number: &[u8; 32]) {
        let significant = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        let mut digits = Vec::with_capacity(33);
        if number.get(significant).is_some_and(|first| first & 0x80 != 0) {
            digits.push(0);
        }
        digits.extend(number.iter().skip(significant));
        self.string(&digits);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads the pieces from the front; `None` means that the next piece isn't there, or not
/// in its one form.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }

    /// An `mpint` that is greater than zero, has at most 256 bits, and is written as short
    /// as can be.
    pub(super) fn mpint(&mut self) -> Option<[u8; 32]> {
        let written = self.string()?;
        let digits = match written {
            [0, digits @ ..] if digits.first()? & 0x80 != 0 => digits,
            [1..=0x7f, ..] => written,
            _ => return None,
        };
        right_aligned(digits)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

/// A big-endian number of at most 32 bytes, filled up with zeros in front.
pub(super) fn right_aligned(digits: &[u8]) -> Option<[u8; 32]> {
    let mut number = [0; 32];
    let start = number.len().checked_sub(digits.len())?;
    number.get_mut(start..)?.copy_from_slice(digits);
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: [u8; 32]) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.mpint(&number);
        writer.into_bytes()
    }

    fn read(bytes: &[u8]) -> Option<[u8; 32]> {
        let mut reader = Reader::new(bytes);
        reader.mpint().filter(|_| reader.is_at_end())
    }

    #[test]
    fn a_number_is_written_as_short_as_can_be() {
        let number = |digits: &[u8]| right_aligned(digits).unwrap();
        assert_eq!(written(number(&[1])), [0, 0, 0, 1, 1]);
        assert_eq!(written(number(&[0x80])), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(written(number(&[0x7f, 0])), [0, 0, 0, 2, 0x7f, 0]);
        assert_eq!(written([0xff; 32]).len(), 4 + 33);
        for digits in [&[1][..], &[0x80], &[0x7f, 0], &[0xff; 32], &[1; 32]] {
            assert_eq!(read(&written(number(digits))), Some(number(digits)));
        }
    }

    #[test]
    fn a_number_in_another_form_is_not_read() {
        assert_eq!(read(&[0, 0, 0, 0]), None, "zero");
        assert_eq!(read(&[0, 0, 0, 1, 0]), None, "zero with a digit");
        assert_eq!(read(&[0, 0, 0, 2, 0, 1]), None, "superfluous zero");
        assert_eq!(read(&[0, 0, 0, 1, 0x80]), None, "negative");
        assert_eq!(read(&[[0, 0, 0, 33, 1].as_slice(), &[0; 32]].concat()), None, "257 bits");
        assert_eq!(read(&[0, 0, 0, 2, 1]), None, "cut off");
        assert_eq!(read(&[0xff; 12]), None, "4 GiB announced");
    }
}
