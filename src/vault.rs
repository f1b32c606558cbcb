//! The files of a vault: what lies where, how it is opened, and how one more entry gets
//! in without anything being lost.
//!
//! Three rules hold here. Nothing is overwritten. Linking an entry's file under its number
//! is the commit; whatever it names was written and synced before. And nothing that a file
//! says is believed but through the log: recipients and digests come from the replayed
//! state.
//!
//! Only this module names age. It must not talk to a person or to a security key: what
//! keys give, it is handed.
#![expect(clippy::disallowed_methods, reason = "vault is the edge to the file system")]

mod append;
mod attachment;
mod bundle;
mod cipher;
mod compartment;
pub mod fido2prf;
mod found;
mod identity;
mod invitation;
mod journal;
mod layout;
mod lock;
mod memory;
mod open;
mod passphrase;
mod secret;
mod slip;
mod store;
mod yielded;

pub use append::{AppendError, Committed, Draft, NewFile, Prepared};
pub use attachment::{Attachment, AttachmentError};
pub use bundle::{Bundle, read_from};
pub use cipher::{AgeIdentity, AgeIdentityError, OpenError, Recipient, RecipientError, SealError};
pub use compartment::{CompartmentError, CompartmentIdentity, CompartmentName, EpochOrder};
pub use found::{FoundError, Founded, Staging};
pub use identity::{IdentityError, IdentityName, KeyFileError, PersonalIdentity};
pub use invitation::{Invitation, MAX_INVITATION, UnfitInvitation};
pub use journal::{Journal, JournalError};
pub use layout::{IdentityHint, Layout, Location, NoVault, VaultFile};
pub use lock::{Lock, LockError};
pub use memory::{HeadMemory, Memory, MemoryError, Remembered};
pub use open::{Damage, OpenVault, RecordsError, Weight, open_records};
pub use passphrase::{Misspelling, Passphrase, PassphraseError};
pub use secret::{MAX_SECRET, SecretError, SecretLabel, SecretValue, SeedParameters, UnfitSecret};
pub use slip::{MAX_SLIP_FILE, SlipFile, SlipFileError, SlipFilesError};
pub use store::{
    StoreError, export_file, make_folder, read_bounded, remove_leftovers_of, replace_file,
};
pub use yielded::YieldError;

/// The largest file of any other kind than entries and attachments, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// The largest attachment, in bytes.
pub const MAX_ATTACHMENT: usize = 32 << 20;
/// Its file may be this much larger: the lines above it, age's header, a tag for every 64 KiB.
const ATTACHMENT_OVERHEAD: u64 = 64 << 10;
