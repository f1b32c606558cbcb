//! Invitations: what somebody far away needs to make their part of a vault that they don't have yet.
//!
//! A TOML file. It holds no secret. The fingerprint in it is compared by word of mouth, as that of any
//! vault is, and proves which vault it is; the rest of it proves nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::append::records_recipient;
use super::cipher::Recipient;
use super::open::OpenVault;
use crate::log::{FORMAT, Head};
use crate::record::{AgeRecipient, Digest, Handle, Line, Realm, VaultId};

/// The largest invitation, in bytes.
pub const MAX_INVITATION: u64 = 16 << 10;

/// What it says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The version of the format.
    pub format: u32,
    /// The vault's id.
    pub vault: VaultId,
    /// Whose vault it is.
    pub name: Line,
    /// Whether it is a demo.
    pub demo: bool,
    /// Its fingerprint: link 1.
    pub fingerprint: Digest,
    /// The SHA-256 of the document of entry 1, which with the vault's id makes the fingerprint. So the
    /// vault is the one whose fingerprint is compared.
    pub founding: Digest,
    /// The number of its newest entry.
    pub number: u64,
    /// That entry's link.
    pub link: Digest,
    /// The recipient of its compartment `records`, to which slips are encrypted.
    pub records: AgeRecipient,
    /// The handle of whoever is invited.
    pub custodian: Handle,
}

/// Why a text is no invitation.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum UnfitInvitation {
    /// Not text.
    #[error("it isn't text")]
    NotText,
    /// Not the fields of an invitation.
    #[error("it isn't an invitation: {0}")]
    Syntax(String),
    /// Made by a later version.
    #[error("it is of format {0}, and this version of keymuster reads format {FORMAT} only")]
    NewerFormat(u32),
    /// Its number is none that an entry could have.
    #[error("its number is none that an entry has")]
    Number,
    /// It was put together from the invitations of two vaults, or damaged.
    #[error("the fingerprint in it isn't that of its vault: have another one made")]
    Fingerprint,
    /// Its recipient isn't one.
    #[error("its recipient isn't one that can be encrypted to")]
    Recipient,
}

impl Invitation {
    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Result<Self, UnfitInvitation> {
        let text = std::str::from_utf8(bytes).map_err(|_| UnfitInvitation::NotText)?;
        let this: Self = toml::from_str(text).map_err(|error| {
            UnfitInvitation::Syntax(crate::text::sanitise(error.message(), 200))
        })?;
        if this.format != FORMAT {
            return Err(UnfitInvitation::NewerFormat(this.format));
        }
        // An entry number is a TOML integer, and there is one before the slip's.
        if this.number == 0 || this.number > 1 << 62 {
            return Err(UnfitInvitation::Number);
        }
        if this.fingerprint_by_founding() != this.fingerprint {
            return Err(UnfitInvitation::Fingerprint);
        }
        this.recipient()?;
        Ok(this)
    }

    /// The text of its file.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("# keymuster custodian accept takes this file.\n{}", toml::to_string(self)?))
    }

    /// Real or demo.
    pub fn realm(&self) -> Realm {
        if self.demo { Realm::Demo } else { Realm::Real }
    }

    /// The head on top of which a slip is made.
    pub fn head(&self) -> Head {
        Head { vault: self.vault, number: self.number, link: self.link }
    }

    /// What the fingerprint has to be, by the vault's id and the entry that founded it.
    fn fingerprint_by_founding(&self) -> Digest {
        Head::empty(self.vault).after_digest(&self.founding).link
    }

    /// What slips are encrypted to.
    pub fn recipient(&self) -> Result<Recipient, UnfitInvitation> {
        Recipient::parse(self.records.as_str()).map_err(|_| UnfitInvitation::Recipient)
    }
}

impl OpenVault {
    /// An invitation to this vault as it is now; `None` if it has no records yet.
    pub fn invitation(&self, custodian: Handle) -> Option<Invitation> {
        let (head, state) = (self.head(), self.state());
        Some(Invitation {
            format: FORMAT,
            vault: head.vault,
            name: state.name()?.clone(),
            demo: state.realm() == Realm::Demo,
            fingerprint: self.fingerprint()?,
            founding: self.entries_from(1).first()?.signed().digest(),
            number: head.number,
            link: head.link,
            records: records_recipient(state)?.as_str().parse().ok()?,
            custodian,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Hex;

    fn invitation() -> Invitation {
        let own = super::super::AgeIdentity::generate(&mut |bytes| bytes.fill(7)).unwrap();
        Invitation {
            format: FORMAT,
            vault: Hex([1; 16]),
            name: "Example \"Corp\"".parse().unwrap(),
            demo: true,
            fingerprint: Head::empty(Hex([1; 16])).after_digest(&Hex([2; 32])).link,
            founding: Hex([2; 32]),
            number: 6,
            link: Hex([3; 32]),
            records: own.recipient().as_str().parse().unwrap(),
            custodian: "bob".parse().unwrap(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = invitation().to_text().unwrap();
        assert_eq!(Invitation::parse(text.as_bytes()), Ok(invitation()));
        let mailed = format!("\r\n{}\r\n", text.replace('\n', "\r\n"));
        assert_eq!(Invitation::parse(mailed.as_bytes()), Ok(invitation()));
    }

    #[test]
    fn whose_fingerprint_is_compared_is_whose_vault_is_joined() {
        let (ours, mut theirs) = (invitation(), invitation());
        theirs.vault = Hex([9; 16]);
        theirs.fingerprint = theirs.fingerprint_by_founding();
        let parsed = |it: &Invitation| Invitation::parse(it.to_text().unwrap().as_bytes());
        assert_eq!(parsed(&theirs), Ok(theirs.clone()));
        for mixed in [
            Invitation { fingerprint: ours.fingerprint, ..theirs.clone() },
            Invitation { vault: theirs.vault, ..ours.clone() },
            Invitation { founding: Hex([4; 32]), ..ours.clone() },
        ] {
            assert_eq!(parsed(&mixed), Err(UnfitInvitation::Fingerprint));
        }
    }

    #[test]
    fn what_is_no_invitation_is_refused() {
        let text = invitation().to_text().unwrap();
        let records = invitation().records.to_string();
        for (from, to) in [
            ("format = 1", "format = 2"),
            ("custodian = \"bob\"", "custodian = \"../bob\""),
            ("custodian = \"bob\"", "custodian = \"bob\"\nmore = 1"),
            ("number = 6", "number = -6"),
            ("number = 6", "number = 0"),
            ("number = 6", "number = 9223372036854775807"),
            ("demo = true\n", ""),
            ("name = 'Example \"Corp\"'", "name = \"x\\u001b[31m\""),
            (records.as_str(), "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(Invitation::parse(changed.as_bytes()).is_err(), "{to}");
        }
        for bytes in [&b"\xff"[..], b"", b"hello"] {
            assert!(Invitation::parse(bytes).is_err());
        }
    }
}
