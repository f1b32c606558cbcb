//! The ways into each account, and what a loss would do to them.
//!
//! An account can be got into in several ways, and each takes people, keys, tokens, mailboxes,
//! telephones and the places where things are kept. That makes a formula of *all of* and *any of*,
//! [`Formula`], which [`Recovery`] makes of the records. It is solved for several things: whether
//! there is a way in, on record and by what was proven; when each part was last proven; and which
//! losses, of one thing or of two, leave none ([`Cuts`]).
//!
//! A way that rests on something unknown is no way: who reads a mailbox isn't guessed. This module
//! knows no file, clock or terminal, and says nothing to people.

mod account;
mod circle;
mod cuts;
mod element;
mod formula;
mod losses;
mod model;
mod parts;
mod shared;
mod way;

pub use cuts::Cuts;
pub use element::{Element, ElementId, Elements, plain};
pub use formula::{Formula, Join, NodeId, Solution, TargetId, Worth};
pub use losses::{Loss, Losses};
pub use model::{Basis, Recovery, Shown, Target};
pub use way::{Access, Gap, Tried, WayKind, What};

#[cfg(test)]
mod tests;
