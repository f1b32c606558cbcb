//! Heads that are given out, to be kept elsewhere: what comes after such a head is what nobody else could
//! miss. This machine remembers the last one, once it has reached its reader.

use super::failure::Failure;
use crate::record::{Digest, VaultId};
use crate::vault::HeadMemory;

/// A head that an answer bears.
#[derive(Debug)]
pub struct GivenOut {
    memory: HeadMemory,
    vault: VaultId,
    links: Vec<Digest>,
}

impl GivenOut {
    /// That of a log with these links, to be noted in this memory.
    pub fn new(memory: HeadMemory, vault: VaultId, links: Vec<Digest>) -> Self {
        Self { memory, vault, links }
    }

    /// Notes that it was given out. What is returned says why that couldn't be noted.
    pub fn note(&self) -> Option<String> {
        let noted = self.memory.remember(&self.vault, &self.links).map_err(Failure::from);
        let why = noted.err()?.sentence();
        Some(format!("This machine couldn't note that the head was given out: {why}."))
    }
}
