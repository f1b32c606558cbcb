//! Security keys on USB, each request to one of them in a process of its own.
//!
//! What reads a device's bytes may hang, panic or be taken over by them. So [`UsbKeys`],
//! which the program uses, starts a child of the same binary for each request; the child
//! runs [`serve`], does that one thing with one device, answers and ends. The two talk
//! over a socket pair that is the child's stdin. Its stdout and stderr are the null
//! device, so that a stray print forges no answer; its environment is empty and it sits
//! in its own process group, so that Ctrl-C reaches it as an orderly cancellation only.
//!
//! Before the child opens the device, it gives up all that it doesn't need for it
//! ([`crate::confinement`]), and leaves no core file.
//!
//! The parent holds every deadline, believes nothing of an answer beyond its shape and
//! its bounds, and kills the child at the end of each request, whatever happened. This
//! module must not verify a signature: whoever asked for one does.
//!
//! `wire` is the encoding, `protocol` the messages, `parent` and `child` the two ends.

mod child;
pub(super) mod limits;
mod parent;
mod protocol;
mod wire;
pub(super) mod words;

pub use child::serve;
pub use parent::{Deadlines, UsbKeys};
