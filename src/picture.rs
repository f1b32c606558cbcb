//! QR codes out of a picture, such as the scan of a printed sheet.
//!
//! What reads a picture's bytes may hang, panic or be taken over by them. So it is done in a
//! child of the same binary, as with security keys: one child a picture, which gives up all
//! that it doesn't need before it looks at the first byte, and ends when it has answered. The
//! two talk over a socket pair that is the child's stdin. The parent holds the deadline and the
//! bounds, and believes nothing of an answer beyond its shape.
//!
//! The texts of codes may be secrets: they are wiped, and stand in no error. `decode` looks for
//! codes, on a `sheet` that bounds for how long; `child` and `parent` are the two ends, `answer`
//! is what one tells the other. This module must not know what a code means.
#![expect(clippy::disallowed_methods, reason = "picture starts a process and waits for it")]

mod answer;
mod child;
mod decode;
mod parent;
mod sheet;

use thiserror::Error;
use zeroize::Zeroizing;

pub use child::serve;
pub use parent::{Helper, PictureError};

/// The largest picture, in bytes.
pub const MAX_BYTES: u64 = 16 << 20;
/// The most pixels of one: a sheet of paper at 600 dots an inch has 35 million.
const MAX_PIXELS: u64 = 50_000_000;
/// The longest side of one, in pixels: longer than any sheet, however finely it was scanned.
const MAX_SIDE: u32 = 16_384;
/// The most codes that are read of one picture.
const MAX_CODES: usize = 16;
/// The longest text of a code, in bytes: the largest code holds less.
const MAX_TEXT: usize = 4096;

/// The texts of the codes in a picture, each once, in the order in which they were found.
pub type Texts = Vec<Zeroizing<String>>;

/// Why a picture gave no codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Unread {
    /// Neither PNG nor JPEG.
    #[error("it is neither a PNG nor a JPEG")]
    NoPicture,
    /// It ends too early, or contradicts itself.
    #[error("it is damaged, or of a kind of PNG or JPEG that isn't read")]
    Damaged,
    /// More pixels than are read, or a side that is longer.
    #[error("it has {width} x {height} pixels, and 50 million are read at most, {MAX_SIDE} a side")]
    TooLarge {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// No code is in it, or none that is found within bounds.
    #[error("no QR code was found in it")]
    NoCode,
    /// There is one, and it can't be made out.
    #[error("the QR code in it can't be made out")]
    Illegible,
    /// Nothing keeps the child from the rest of the system, so it looked at nothing.
    #[error("this kernel has neither Landlock nor seccomp to confine the process that reads it")]
    Unconfined,
}
