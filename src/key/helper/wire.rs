//! Frames, and the few kinds of values in them.
//!
//! A frame is its length (four bytes, big-endian) and at most [`MAX_BODY`] bytes. Numbers
//! are big-endian; bytes and texts have a four-byte length before them. The encoding is
//! written out by hand, as a general one would leave copies of a PIN or of an
//! `hmac-secret` output in buffers of its own: here a secret lies in one buffer at each
//! end, which never grows and is wiped when dropped.
//!
//! The reader must not panic, and must not allocate before it has checked a length.

use std::io::{self, Read};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::hardening::keep_from_swap;

/// The most bytes in a frame after its length.
pub(super) const MAX_BODY: usize = 64 * 1024;

const HEADER: usize = 4;

/// The bytes of a frame: with the length in front when written, without it when read.
pub(super) type Frame = Zeroizing<Vec<u8>>;

/// More was put into a frame than it holds.
#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
#[error("the request is longer than {MAX_BODY} bytes")]
pub(super) struct FrameTooLong;

/// A frame isn't what the protocol asks for. Holds none of its bytes.
#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
#[error("{0}")]
pub(super) struct Garbled(pub(super) &'static str);

/// Writes one frame.
pub(super) struct Writer {
    frame: Frame,
    too_long: bool,
}

impl Writer {
    /// A frame of no bytes yet. All the room it may need is taken at once, so that it
    /// never moves and leaves a copy behind.
    pub(super) fn new() -> Self {
        let mut frame = Zeroizing::new(Vec::with_capacity(HEADER + MAX_BODY));
        frame.extend_from_slice(&[0; HEADER]);
        Self { frame, too_long: false }
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.frame.len() + bytes.len() > HEADER + MAX_BODY {
            self.too_long = true;
        } else {
            self.frame.extend_from_slice(bytes);
        }
    }

    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.put(&[byte]);
        self
    }

    pub(super) fn flag(&mut self, flag: bool) -> &mut Self {
        self.byte(u8::from(flag))
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.put(&number.to_be_bytes());
        self
    }

    pub(super) fn signed(&mut self, number: i64) -> &mut Self {
        self.put(&number.to_be_bytes());
        self
    }

    /// An optional number.
    pub(super) fn maybe(&mut self, number: Option<u64>) -> &mut Self {
        self.flag(number.is_some());
        if let Some(number) = number {
            self.number(number);
        }
        self
    }

    /// How many items follow.
    pub(super) fn count(&mut self, count: usize) -> &mut Self {
        match u32::try_from(count) {
            Ok(count) => self.put(&count.to_be_bytes()),
            Err(_) => self.too_long = true,
        }
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.put(bytes);
        self
    }

    /// Bytes whose number both ends know.
    pub(super) fn exactly<const N: usize>(&mut self, bytes: &[u8; N]) -> &mut Self {
        self.put(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Bytes that are kept out of swap.
    pub(super) fn secret(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes(bytes);
        keep_from_swap(self.frame.as_slice());
        self
    }

    /// The whole frame, its length in front.
    pub(super) fn finish(mut self) -> Result<Frame, FrameTooLong> {
        if self.too_long {
            return Err(FrameTooLong);
        }
        let length = u32::try_from(self.frame.len() - HEADER).map_err(|_| FrameTooLong)?;
        if let Some(header) = self.frame.first_chunk_mut::<HEADER>() {
            *header = length.to_be_bytes();
        }
        Ok(self.frame)
    }
}

/// Reads the body of one frame.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(super) fn exactly<const N: usize>(&mut self) -> Result<[u8; N], Garbled> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Garbled("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Garbled> {
        let [byte] = self.exactly()?;
        Ok(byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Garbled> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Garbled("a yes or no is neither")),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, Garbled> {
        self.exactly().map(u64::from_be_bytes)
    }

    pub(super) fn signed(&mut self) -> Result<i64, Garbled> {
        self.exactly().map(i64::from_be_bytes)
    }

    pub(super) fn maybe(&mut self) -> Result<Option<u64>, Garbled> {
        if self.flag()? { self.number().map(Some) } else { Ok(None) }
    }

    /// How many items follow, `most` at most.
    pub(super) fn count(&mut self, most: usize) -> Result<usize, Garbled> {
        let count = u32::from_be_bytes(self.exactly()?);
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(Garbled("a list or a value is longer than allowed")),
        }
    }

    /// Bytes, `most` at most.
    pub(super) fn bytes(&mut self, most: usize) -> Result<&'a [u8], Garbled> {
        let length = self.count(most)?;
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(Garbled("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes that are kept out of swap, `most` at most.
    pub(super) fn secret(&mut self, most: usize) -> Result<&'a [u8], Garbled> {
        let bytes = self.bytes(most)?;
        keep_from_swap(bytes);
        Ok(bytes)
    }

    /// Text, of `most` characters at most.
    pub(super) fn text(&mut self, most: usize) -> Result<&'a str, Garbled> {
        let bytes = self.bytes(most.saturating_mul(4))?;
        let text = str::from_utf8(bytes).map_err(|_| Garbled("a text isn't UTF-8"))?;
        if text.chars().count() > most {
            return Err(Garbled("a text is longer than allowed"));
        }
        Ok(text)
    }

    /// A list of at most `most` items, each read by `item`.
    pub(super) fn list<T>(
        &mut self,
        most: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, Garbled>,
    ) -> Result<Vec<T>, Garbled> {
        let count = self.count(most)?;
        (0..count).map(|_| item(self)).collect()
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), Garbled> {
        if self.rest.is_empty() { Ok(()) } else { Err(Garbled("it has bytes after its end")) }
    }
}

/// Puts frames together from whatever pieces a stream gives.
#[derive(Default)]
pub(super) struct Assembler {
    header: [u8; HEADER],
    filled: usize,
    body: Option<Frame>,
}

/// What one read brought.
pub(super) enum Received {
    /// A whole frame, without its length.
    Frame(Frame),
    /// A part of one.
    Part,
    /// The other end is gone.
    End,
    /// A frame that would be longer than [`MAX_BODY`]. Nothing was allocated for it.
    TooLong,
}

impl Assembler {
    /// Reads once from `stream`, which may block, time out or be interrupted.
    pub(super) fn receive(&mut self, stream: &mut impl Read) -> io::Result<Received> {
        let room = match &mut self.body {
            None => self.header.get_mut(self.filled..),
            Some(body) => body.get_mut(self.filled..),
        };
        let read = stream.read(room.unwrap_or_default())?;
        if read == 0 {
            return Ok(Received::End);
        }
        self.filled += read;
        if self.body.is_none() && self.filled == HEADER {
            let length = usize::try_from(u32::from_be_bytes(self.header)).unwrap_or(usize::MAX);
            if length > MAX_BODY {
                return Ok(Received::TooLong);
            }
            self.filled = 0;
            self.body = Some(Zeroizing::new(vec![0; length]));
        }
        match self.body.take_if(|body| body.len() == self.filled) {
            Some(body) => {
                self.filled = 0;
                Ok(Received::Frame(body))
            }
            None => Ok(Received::Part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive_all(mut bytes: &[u8]) -> Result<Frame, &'static str> {
        let mut assembler = Assembler::default();
        loop {
            match assembler.receive(&mut bytes).unwrap() {
                Received::Frame(frame) => return Ok(frame),
                Received::Part => {}
                Received::End => return Err("end"),
                Received::TooLong => return Err("too long"),
            }
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let mut writer = Writer::new();
        writer.byte(7).flag(true).number(u64::MAX).signed(-8).maybe(None).maybe(Some(3));
        writer.count(2).bytes(b"ab").text("schlüssel").exactly(&[9; 3]);
        let body = receive_all(&writer.finish().unwrap()).unwrap();
        let mut reader = Reader::new(&body);
        assert_eq!(reader.byte(), Ok(7));
        assert_eq!(reader.flag(), Ok(true));
        assert_eq!(reader.number(), Ok(u64::MAX));
        assert_eq!(reader.signed(), Ok(-8));
        assert_eq!(reader.maybe(), Ok(None));
        assert_eq!(reader.maybe(), Ok(Some(3)));
        assert_eq!(reader.count(2), Ok(2));
        assert_eq!(reader.bytes(2), Ok(&b"ab"[..]));
        assert_eq!(reader.text(9), Ok("schlüssel"));
        assert_eq!(reader.exactly(), Ok([9; 3]));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_frame_may_come_in_single_bytes_and_be_empty() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let one = buffer.len().min(1);
                self.0.read(&mut buffer[..one])
            }
        }
        let mut writer = Writer::new();
        writer.text("piecemeal");
        let mut frames = Writer::new().finish().unwrap().to_vec();
        frames.extend_from_slice(&writer.finish().unwrap());
        let mut drip = Drip(&frames);
        let mut assembler = Assembler::default();
        let mut lengths = Vec::new();
        loop {
            match assembler.receive(&mut drip).unwrap() {
                Received::Frame(frame) => lengths.push(frame.len()),
                Received::Part => {}
                Received::End | Received::TooLong => break,
            }
        }
        assert_eq!(lengths, [0, 13]);
    }

    #[test]
    fn an_oversized_length_is_refused_unread() {
        assert_eq!(receive_all(&[0xff; 4]).unwrap_err(), "too long");
        assert_eq!(receive_all(&[0, 1, 0, 1, 5]).unwrap_err(), "too long");
        assert_eq!(receive_all(&[0, 1, 0, 0, 5]).unwrap_err(), "end");
    }

    #[test]
    fn a_frame_never_grows_beyond_what_was_reserved() {
        let mut writer = Writer::new();
        let start = writer.frame.as_ptr();
        writer.bytes(&[1; MAX_BODY - 4]);
        assert_eq!(writer.frame.as_ptr(), start);
        assert!(!writer.too_long);
        writer.byte(1);
        assert_eq!(writer.finish().unwrap_err(), FrameTooLong);
    }

    #[test]
    fn no_length_is_believed() {
        assert!(Reader::new(&[0, 0, 0, 9, 1]).bytes(100).is_err());
        assert!(Reader::new(&[0, 0, 0, 1, 1]).bytes(0).is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff]).bytes(usize::MAX).is_err());
        assert!(Reader::new(&[0, 0, 0, 1, 0xff]).text(5).is_err());
        assert!(Reader::new(&[0, 0, 0, 3, b'a', b'b', b'c']).text(2).is_err());
        assert!(Reader::new(&[0, 0, 0, 3]).list(2, Reader::byte).is_err());
        assert!(Reader::new(&[2]).flag().is_err());
        assert!(Reader::new(&[2]).end().is_err());
        assert!(Reader::new(&[]).number().is_err());
    }
}
