//! What must not be left in memory, and the table of what was.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, ByteIterExt as _};
use keymuster::vault::AgeIdentity;
use keymuster::webauthn::HmacSecretOutput;
use memory_scan::picture::{Moment, Picture};
use memory_scan::search::{Canary, Finding, Search};
use ring::{digest, hmac};

/// The program whose memory is looked at.
pub(crate) const PROGRAM: &str = "keymuster";

/// The secrets of one command.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<Canary>);

impl Secrets {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    fn and(mut self, what: &str, bytes: &[u8]) -> Self {
        self.0.push(Canary::new(what, bytes));
        self
    }

    /// A PIN, and what CTAP makes of it (CTAP 2.1, 6.5.5.7: `LEFT(SHA-256(PIN), 16)`).
    pub(crate) fn pin(self, pin: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, pin.as_bytes());
        self.and("the PIN", pin.as_bytes()).and("the PIN's hash", &hash.as_ref()[..16])
    }

    pub(crate) fn passphrase(self, passphrase: &str) -> Self {
        self.and("the passphrase", passphrase.as_bytes())
    }

    /// An `AGE-SECRET-KEY-1…` line without the part that all have alike, in both cases (Bech32
    /// is written in lower case first), as its values of five bits, and the 32 bytes it stands for.
    pub(crate) fn identity(self, whose: &str, line: &str) -> Self {
        let parsed = CheckedHrpstring::new::<Bech32>(line).expect("an identity");
        let scalar: Vec<u8> = parsed.byte_iter().collect();
        let fives: Vec<u8> = scalar.iter().copied().bytes_to_fes().map(u8::from).collect();
        let (_, text) = line.rsplit_once('1').expect("an identity");
        self.and(&format!("{whose} line"), text.as_bytes())
            .and(&format!("{whose} line in lower case"), text.to_ascii_lowercase().as_bytes())
            .and(&format!("{whose} Bech32 values"), &fives)
            .and(&format!("{whose} key"), &scalar)
    }

    pub(crate) fn age_identity(self, whose: &str, identity: &AgeIdentity) -> Self {
        self.identity(whose, identity.expose_line())
    }

    /// A seed as base32, its bytes, and what HMAC makes of them first (RFC 2104).
    pub(crate) fn seed(self, base32: &str) -> Self {
        let bytes = data_encoding::BASE32_NOPAD.decode(base32.as_bytes()).expect("a seed");
        let with = |pad: u8| bytes.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
        self.and("the seed's base32", base32.as_bytes())
            .and("the seed's base32 in lower case", base32.to_ascii_lowercase().as_bytes())
            .and("the seed", &bytes)
            .and("the seed in HMAC's inner block", &with(0x36))
            .and("the seed in HMAC's outer block", &with(0x5c))
    }

    /// What a key derives, and the key that the fido2prf stanza makes of it.
    pub(crate) fn hmac_secret(self, output: &HmacSecretOutput) -> Self {
        let label = hmac::Key::new(hmac::HMAC_SHA256, b"age-encryption.org/fido2prf");
        let wrapping = hmac::sign(&label, output.expose());
        self.and("the hmac-secret output", output.expose())
            .and("the key made of it", wrapping.as_ref())
    }

    pub(crate) fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

/// A line of the table.
#[derive(Default)]
struct Row {
    command: String,
    processes: usize,
    helpers: usize,
    looked_at: u64,
    findings: usize,
}

static TABLE: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// What pictures of one command show.
pub(crate) struct Shown {
    /// By processes that were at work; an argument of a helper's is `key-helper` or `picture-helper`.
    pub(crate) in_use: Vec<(Option<String>, Finding)>,
    /// By processes at their end, in words.
    pub(crate) left: Vec<String>,
    /// How many of those were helpers.
    pub(crate) helpers: usize,
}

/// Searches the pictures in a folder, and adds a line to the table. Fails if there is none of
/// the command's own process at its end, or if that might have left a core file.
#[track_caller]
pub(crate) fn search(command: &str, folder: &Path, secrets: &Secrets) -> Shown {
    let pictures = Picture::load_all(folder).expect("pictures can be read");
    let search = Search::new(&secrets.0);
    let mut shown = Shown { in_use: Vec::new(), left: Vec::new(), helpers: 0 };
    let mut row = Row { command: command.to_owned(), ..Row::default() };
    for picture in &pictures {
        let subject = &picture.subject;
        let findings = search.in_picture(picture);
        if subject.moment == Moment::InUse {
            shown.in_use.extend(findings.into_iter().map(|f| (subject.argument.clone(), f)));
            continue;
        }
        let helper = matches!(subject.argument.as_deref(), Some("key-helper" | "picture-helper"));
        let who = if helper { "its helper" } else { "it" };
        row.processes += 1;
        row.helpers += usize::from(helper);
        row.looked_at += subject.looked_at;
        row.findings += findings.len();
        assert!(subject.looked_at > 100_000, "{command}: {who} has hardly any memory");
        if subject.program == PROGRAM {
            assert_eq!(subject.core_limit, "0", "{command}: {who} could leave a core file");
        }
        shown.left.extend(findings.iter().map(|found| {
            let Finding { canary, from, bytes, whole, place } = found;
            let part = if *whole { "all of" } else { "a part of" };
            let mapping = if place.mapping.is_empty() { "its memory" } else { &place.mapping };
            format!(
                "{who} left {part} {canary} ({bytes} bytes from {from}) in {mapping} at {:x}",
                place.address
            )
        }));
    }
    assert!(row.processes > row.helpers, "{command}: no picture of its end was taken");
    shown.helpers = row.helpers;
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    shown
}

impl Shown {
    /// Fails if anything was left.
    #[track_caller]
    pub(crate) fn nothing_left(self, command: &str) {
        assert!(self.left.is_empty(), "{command}:\n  {}", self.left.join("\n  "));
    }
}

/// The table of all searches so far; nothing where there was none.
pub(crate) fn table() -> String {
    let rows = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = String::from("  processes   helpers   KiB seen  findings  command\n");
    for Row { command, processes, helpers, looked_at, findings } in rows.iter() {
        let seen = looked_at / 1024;
        let _ = writeln!(table, "{processes:>11} {helpers:>9} {seen:>10} {findings:>9}  {command}");
    }
    table
}
