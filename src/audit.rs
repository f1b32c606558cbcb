//! What an auditor is told of a log, and what they are given so that they needn't believe it.
//!
//! Five verdicts, each about something else: whether the entries are as they were written
//! (integrity), whether enrolled keys signed them, touched by somebody (authorship), whether those
//! signed who had to (authority), whether the end is there (completeness), and whether what was due
//! was done (coverage). A bundle holds what is needed to come to them without keymuster, or an extract
//! of it.
//!
//! This module knows no file, clock or terminal: what is in a bundle is asked for by name, and what is
//! said of it to people stands elsewhere. The rules are those of docs/log-format.md.

mod bundle;
mod completeness;
mod controls;
mod coverage;
mod drills;
mod extract;
mod keys;
mod population;
mod verdict;

pub use bundle::{
    Attached, FOLDERS, Found, NoBundle, ReadBundle, attachment_name, attachments, files, read,
};
pub use completeness::{Anchor, Completeness, Contradiction};
pub use controls::{Control, ControlMap, Framework, Part};
pub use coverage::{Coverage, Fates};
pub use drills::{Happened, drills};
pub use extract::Wanted;
pub use keys::{KeyLine, key_lines};
pub use population::{Owed, population};
pub use verdict::{Evidence, Verdict, Verdicts};
