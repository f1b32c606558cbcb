//! What an entry of a log says happened, apart by who signed for it.

use std::borrow::Cow;

use super::{Event, KeyName};

/// Events that the same keys signed for, in the order in which they happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act<'e> {
    /// The keys whose signatures count for these events.
    pub signers: Cow<'e, [KeyName]>,
    /// What happened.
    pub events: &'e [Event],
}
