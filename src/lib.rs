//! keymuster keeps the keys to an organisation's root accounts: it proves that each
//! custodian's FIDO2 key is the one that was enrolled, and keeps all it knows in a log that
//! those keys sign and that stock tools verify.
//!
//! The domain decides, the edges act. Imports run one way, from the bottom of this list up:
//!
//! - [`hardening`]: no core files, no debuggers, no secrets left in memory.
//! - [`confinement`]: what a child that reads hostile bytes may still reach.
//! - [`text`]: which characters may be shown.
//! - [`webauthn`]: the few structures of WebAuthn and CTAP that several modules speak of.
//! - [`record`]: the nouns, the events, the state, and who must sign what.
//! - [`inventory`]: lists of accounts from outside, and what they mean for a vault.
//! - [`runbook`]: steps out of Markdown, and whether they lead anywhere.
//! - [`drill`]: people who go through a runbook, step by step.
//! - [`schedule`]: what is due, and what became of all that was.
//! - [`recovery`]: the ways into each account, and what a loss would do to them.
//! - [`sshsig`]: an assertion as an SSH signature, and back, and its verification.
//! - [`log`]: entries, the chain, the replay.
//! - [`audit`]: verdicts on a log, and what auditors get.
//! - [`totp`]: seeds, their codes, and what codes say of a seed.
//! - [`picture`]: QR codes out of pictures, in a confined child. The only one that names image.
//! - [`vault`]: the files. The only one that names age.
//! - [`key`]: security keys. The only one that names hidapi and ctap-hid-fido2.
//! - [`cli`]: the command line, and all that is said to people. Nothing imports it.

pub mod audit;
pub mod cli;
pub mod confinement;
pub mod drill;
pub mod hardening;
pub mod inventory;
pub mod key;
pub mod log;
pub mod picture;
pub mod record;
pub mod recovery;
pub mod runbook;
pub mod schedule;
pub mod sshsig;
pub mod text;
pub mod totp;
pub mod vault;
pub mod webauthn;
