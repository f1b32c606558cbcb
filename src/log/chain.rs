//! Links and heads: what a signature over entry n covers is everything up to it.
//!
//! ```text
//! link 0 = SHA-256( "keymuster/<vault id>" LF )
//! link n = SHA-256( hex(link n-1) SP hex(SHA-256(document n)) LF )
//! head n = "keymuster/<vault id>" LF  n LF  hex(link n) LF
//! ```

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use thiserror::Error;

use crate::record::{Digest, Hex, VaultId};

/// SHA-256, as a value.
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut value = [0; 32];
    value.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Hex(value)
}

/// Link 0: what an empty log of this vault has for a head.
pub fn first_link(vault: &VaultId) -> Digest {
    sha256(format!("keymuster/{vault}\n").as_bytes())
}

/// The link after `previous`, for a document of this digest.
pub fn next_link(previous: &Digest, document: &Digest) -> Digest {
    sha256(format!("{previous} {document}\n").as_bytes())
}

/// The head of a log: the vault, the number of its newest entry, and that entry's link.
/// Written as three lines, which is what keys sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The vault.
    pub vault: VaultId,
    /// The number of entries.
    pub number: u64,
    /// The link of the last entry.
    pub link: Digest,
}

impl Head {
    /// The head of a log without entries.
    pub fn empty(vault: VaultId) -> Self {
        Self { vault, number: 0, link: first_link(&vault) }
    }

    /// The head after one more document.
    pub fn after(&self, document: &[u8]) -> Self {
        self.after_digest(&sha256(document))
    }

    /// The head after one more document, of which this is the digest.
    pub fn after_digest(&self, document: &Digest) -> Self {
        Self {
            vault: self.vault,
            number: self.number.saturating_add(1),
            link: next_link(&self.link, document),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keymuster/{}\n{}\n{}\n", self.vault, self.number, self.link)
    }
}

/// A text that isn't a head.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a head is three lines: keymuster/<vault id>, the number, the link in hex")]
pub struct UnfitHead;

impl FromStr for Head {
    type Err = UnfitHead;
    fn from_str(text: &str) -> Result<Self, UnfitHead> {
        let mut lines = text.lines();
        let mut next = || lines.next().ok_or(UnfitHead);
        let vault = next()?.strip_prefix("keymuster/").ok_or(UnfitHead)?;
        let head = Self {
            vault: vault.parse().map_err(|_| UnfitHead)?,
            number: next()?.parse().map_err(|_| UnfitHead)?,
            link: next()?.parse().map_err(|_| UnfitHead)?,
        };
        if head.to_string() == text { Ok(head) } else { Err(UnfitHead) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reckoned with `sha256sum`:
    /// `printf 'keymuster/00112233445566778899aabbccddeeff\n' | sha256sum`, then
    /// `printf '%s %s\n' LINK0 "$(printf 'doc\n' | sha256sum | cut -d' ' -f1)" | sha256sum`.
    #[test]
    fn links_are_what_sha256sum_makes_of_the_documented_rule() {
        let vault: VaultId = "00112233445566778899aabbccddeeff".parse().unwrap();
        let empty = Head::empty(vault);
        assert_eq!(
            empty.link.to_string(),
            "469f1bdadd6e4b4785e7f29a0087405ca61a0f3750972de4ebfbf378d05eab89"
        );
        let one = empty.after(b"doc\n");
        assert_eq!(
            one.link.to_string(),
            "754339ec698688c329c4267daaed2c324311f3fcc91ff018dde615d29f7daf24"
        );
        assert_eq!(one.to_string().parse::<Head>(), Ok(one));
    }

    #[test]
    fn a_head_has_one_spelling() {
        let head = Head::empty(Hex([7; 16])).to_string();
        assert!(head.parse::<Head>().is_ok());
        for bad in [head.trim_end(), &head.replace("\n0\n", "\n00\n"), &format!("{head}\n"), ""] {
            assert!(bad.parse::<Head>().is_err(), "{bad:?}");
        }
    }
}
