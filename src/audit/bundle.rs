//! A bundle: what an auditor needs to verify a log without keymuster, or an extract of it.
//!
//! ```text
//! README                     what is here, on one page
//! verify.sh                  verifies it with sh, sha256sum and ssh-keygen
//! entries.sha256             the digests of all entries' documents, in order
//! entries/000042.toml        entry 42 as it was signed; not there if it is withheld
//! entries/000042.alice.primary.sig
//! slips/<sha256>.toml        a slip that an entry admits, and its signatures, in the same way
//! heads/000042.head          what they signed
//! allowed_signers            the keys that the entries enrol, for ssh-keygen
//! attachments/<sha256>       what the entries name, where it was asked for
//! rules/                     the rules of the log
//! ```
//!
//! The same log makes the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{Entry, Fault, Head, MAX_ENTRY, Replay, SignedDocument, sha256};
use crate::record::{Digest, Event, KeyName, Realm, VaultId, VaultSucceeds};

/// The list of the entries' digests.
const LIST: &str = "entries.sha256";
/// The keys, for ssh-keygen.
const SIGNERS: &str = "allowed_signers";
/// The largest list that is read, and the largest file of keys, in bytes: 999,999 entries of a line of 86.
const MAX_LIST: usize = 86 * MAX_ENTRIES;
/// As many as have numbers of six digits.
const MAX_ENTRIES: usize = 999_999;
/// The largest signature's file that is read, in bytes.
const MAX_SIGNATURE: usize = 4096;
/// The largest attachment that is read, in bytes.
const MAX_ATTACHMENT: usize = 32 << 20;

const VERIFY: &str = include_str!("verify.sh");
const RULES: [(&str, &str); 4] = [
    ("rules/log-format.md", include_str!("../../docs/log-format.md")),
    ("rules/events.md", include_str!("../../docs/events.md")),
    ("rules/schedule.md", include_str!("../../docs/schedule.md")),
    ("rules/recovery.md", include_str!("../../docs/recovery.md")),
];

/// The folders of a bundle.
pub const FOLDERS: [&str; 5] = ["entries", "slips", "heads", "attachments", "rules"];

/// Writes the files of a bundle but its attachments, of these entries from the first on, of which
/// some are shown.
pub fn files<E>(
    vault: VaultId,
    entries: &[Entry],
    shown: &BTreeSet<u64>,
    mut write: impl FnMut(&str, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut head, mut list) = (Head::empty(vault), String::new());
    for entry in entries {
        let digest = entry.digest();
        head = head.after_digest(&digest);
        let document = document_name(head.number);
        list.push_str(&format!("{digest}  {document}\n"));
        if !shown.contains(&head.number) {
            continue;
        }
        write(&document, entry.document_text().as_bytes())?;
        write(&format!("heads/{:06}.head", head.number), head.to_string().as_bytes())?;
        for (signer, armor) in entry.document().signers.iter().zip(entry.signatures()) {
            write(&signature_name(&entry_name(head.number), signer), armor.as_bytes())?;
        }
        for slip in entry.slips() {
            write_slip(slip, &mut write)?;
        }
    }
    write(LIST, list.as_bytes())?;
    write(SIGNERS, allowed_signers(entries).as_bytes())?;
    write("verify.sh", VERIFY.as_bytes())?;
    let withheld = entries.len().saturating_sub(shown.len());
    let slips = entries.iter().any(|entry| !entry.slips().is_empty());
    write("README", readme(&head, entries, withheld, slips).as_bytes())?;
    RULES.iter().try_for_each(|(name, text)| write(name, text.as_bytes()))
}

/// Writes a slip: what was signed, and the signatures.
fn write_slip<E>(
    slip: &SignedDocument,
    write: &mut impl FnMut(&str, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (name, document) = (slip_name(&slip.digest()), slip.document());
    write(&format!("{name}.toml"), slip.document_text().as_bytes())?;
    let parent = Head {
        vault: document.vault,
        number: document.number.saturating_sub(1),
        link: document.previous,
    };
    write(&format!("{name}.head"), parent.after_digest(&slip.digest()).to_string().as_bytes())?;
    for (signer, armor) in document.signers.iter().zip(slip.signatures()) {
        write(&signature_name(&name, signer), armor.as_bytes())?;
    }
    Ok(())
}

fn entry_name(number: u64) -> String {
    format!("entries/{number:06}")
}

fn document_name(number: u64) -> String {
    format!("{}.toml", entry_name(number))
}

fn slip_name(digest: &Digest) -> String {
    format!("slips/{digest}")
}

/// Where the signature under an entry or a slip lies, which is called so.
fn signature_name(document: &str, signer: &KeyName) -> String {
    format!("{document}.{}.{}.sig", signer.owner, signer.label)
}

/// Where in a bundle something attached lies.
pub fn attachment_name(content: &Digest) -> String {
    format!("attachments/{content}")
}

/// The vault that the one takes the place of which an entry founds, if any.
fn succeeded(founding: &Entry) -> Option<&VaultSucceeds> {
    founding.document().events.iter().find_map(|event| match event {
        Event::VaultSucceeds(it) => Some(it),
        _ => None,
    })
}

/// Real or demo, by the entry that founds the vault.
fn realm_of(entries: &[Entry]) -> Realm {
    let realm = entries.first().and_then(|first| match first.document().events.first() {
        Some(Event::VaultCreated(created)) => Some(created.realm()),
        _ => None,
    });
    realm.unwrap_or(Realm::Real)
}

/// The keys that entries enrol, in their order, as ssh-keygen reads them.
fn allowed_signers(entries: &[Entry]) -> String {
    let realm = realm_of(entries);
    let namespaces = format!("{},{}", realm.head_namespace(), realm.slip_namespace());
    let line = |event: &Event| match event {
        Event::KeyEnrolled(it) => {
            Some(format!("{} namespaces=\"{namespaces}\" {}\n", it.key, it.public_key))
        }
        _ => None,
    };
    entries.iter().flat_map(Entry::events).filter_map(line).collect()
}

/// Something that an entry names by its digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Attached {
    /// Digest of what it is.
    pub content: Digest,
    /// Digest of the vault's file that has it, encrypted.
    pub file: Digest,
}

/// What entries name: runbooks as they were adopted, and evidence. Each content once.
pub fn attachments<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<Attached> {
    let named = entries.flat_map(Entry::events).filter_map(|event| match event {
        Event::RunbookAdopted(event) => Some((event.sha256, event.file)),
        Event::EvidenceKept(event) => Some((event.sha256, event.file)),
        _ => None,
    });
    let once: BTreeMap<Digest, Digest> = named.collect();
    once.into_iter().map(|(content, file)| Attached { content, file }).collect()
}

/// What lies under a name in a bundle.
#[derive(Debug)]
pub enum Found {
    /// A file with these bytes.
    File(Vec<u8>),
    /// Nothing.
    Nothing,
    /// Something that is no plain file, or too large; in words.
    Unfit(String),
}

/// Why something is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBundle {
    /// There is no list of entries.
    #[error("there is no {LIST} in it")]
    NoList,
    /// The list is no such list.
    #[error("{LIST} isn't a list of entries' digests, from the first on: line {0}")]
    BadList(usize),
    /// It tells of no entry.
    #[error("{LIST} is empty")]
    Empty,
    /// Without the first entry nothing is known of the vault.
    #[error("entry 1 isn't shown, without which nothing is known of the vault")]
    NoFirst,
}

/// A bundle that was read, and judged as far as its first fault.
#[derive(Debug)]
pub struct ReadBundle {
    /// What its entries come to.
    pub replay: Replay,
    /// The entries that are sound and shown.
    pub entries: Vec<Entry>,
    /// How many of the sound ones are withheld.
    pub withheld: u64,
    /// The first fault.
    pub fault: Option<Fault>,
    /// Files that aren't what the entries say, in words.
    pub damage: Vec<String>,
    /// How many attachments are what the entries say.
    pub attached: usize,
    /// `links[n]` is that of entry n, of all that are listed.
    pub links: Vec<Digest>,
}

/// Reads a bundle. `look` gives what lies under a name, if it has no more than so many bytes.
pub fn read<E>(
    mut look: impl FnMut(&str, usize) -> Result<Found, E>,
) -> Result<Result<ReadBundle, NoBundle>, E> {
    let list = match look(LIST, MAX_LIST)? {
        Found::File(bytes) => bytes,
        Found::Nothing => return Ok(Err(NoBundle::NoList)),
        Found::Unfit(_) => return Ok(Err(NoBundle::BadList(1))),
    };
    let digests = match digests_of(&list) {
        Ok(digests) => digests,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let mut documents = BTreeSet::new();
    for number in (1..).take(digests.len()) {
        // Whether it is shown shows without reading it.
        if !matches!(look(&document_name(number), 0)?, Found::Nothing) {
            documents.insert(number);
        }
    }
    let first = match first_document(&mut look)? {
        Some(first) if documents.contains(&1) => first,
        _ => return Ok(Err(NoBundle::NoFirst)),
    };
    let whole = documents.len() == digests.len();
    let replay = if whole { Replay::new(first) } else { Replay::of_extract(first) };
    let mut this = ReadBundle {
        links: vec![replay.head().link],
        replay,
        entries: Vec::new(),
        withheld: 0,
        fault: None,
        damage: Vec::new(),
        attached: 0,
    };
    let mut head = this.replay.head();
    for (number, digest) in (1..).zip(&digests) {
        head = head.after_digest(digest);
        this.links.push(head.link);
        if this.fault.is_some() {
            continue;
        }
        if !documents.contains(&number) {
            this.replay.withhold(digest);
            this.withheld += 1;
            continue;
        }
        match read_entry(&mut look, number, digest)? {
            Ok(entry) => match this.replay.admit(&entry) {
                Ok(()) => this.entries.push(entry),
                Err(fault) => this.fault = Some(fault),
            },
            Err(reason) => this.fault = Some(this.replay.unreadable(reason)),
        }
    }
    if this.fault.is_none() {
        this.look_at_the_rest(look)?;
    }
    Ok(Ok(this))
}

/// The digests of a list: line n is that of entry n.
fn digests_of(list: &[u8]) -> Result<Vec<Digest>, NoBundle> {
    let text = std::str::from_utf8(list).map_err(|_| NoBundle::BadList(1))?;
    let digest = |(number, line): (u64, &str)| {
        let digest = line.strip_suffix(&format!("  {}\n", document_name(number)));
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        digest.and_then(|digest| digest.parse().ok()).ok_or(NoBundle::BadList(place))
    };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    match lines.len() {
        0 => Err(NoBundle::Empty),
        many if many > MAX_ENTRIES => Err(NoBundle::BadList(MAX_ENTRIES + 1)),
        _ => (1..).zip(lines).map(digest).collect(),
    }
}

/// The vault that the first document names, if it can be read so far.
fn first_document<E>(
    look: &mut impl FnMut(&str, usize) -> Result<Found, E>,
) -> Result<Option<VaultId>, E> {
    let Found::File(bytes) = look(&document_name(1), MAX_ENTRY)? else { return Ok(None) };
    let line = bytes.split(|byte| *byte == b'\n').nth(1);
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    let vault = line.and_then(|line| line.strip_prefix("vault = \"")?.strip_suffix('"'));
    Ok(vault.and_then(|vault| vault.parse().ok()))
}

/// An entry of a bundle, with whatever lies where its signatures should: those are verified later.
fn read_entry<E>(
    look: &mut impl FnMut(&str, usize) -> Result<Found, E>,
    number: u64,
    digest: &Digest,
) -> Result<Result<Entry, String>, E> {
    let name = document_name(number);
    let bytes = match look(&name, MAX_ENTRY)? {
        Found::File(bytes) => bytes,
        Found::Nothing => return Ok(Err(format!("{name} is gone"))),
        Found::Unfit(reason) => return Ok(Err(format!("{name} {reason}"))),
    };
    if sha256(&bytes) != *digest {
        return Ok(Err(format!("{name} isn't the document that {LIST} lists")));
    }
    let length = bytes.len();
    let signed = match read_signed(look, &entry_name(number), bytes)? {
        Ok(signed) => signed,
        Err(reason) => return Ok(Err(reason)),
    };
    let named = &signed.document().slips;
    let (mut slips, mut room) = (Vec::new(), MAX_ENTRY.saturating_sub(length));
    for digest in named {
        match read_slip(look, digest, room)? {
            Ok(slip) => {
                room = room.saturating_sub(slip.document_text().len());
                slips.push(slip);
            }
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Entry::with_slips(signed, slips).map_err(|error| format!("{name}: {error}")))
}

/// A slip of a bundle, of at most so many bytes.
fn read_slip<E>(
    look: &mut impl FnMut(&str, usize) -> Result<Found, E>,
    digest: &Digest,
    room: usize,
) -> Result<Result<SignedDocument, String>, E> {
    let slip = slip_name(digest);
    let name = format!("{slip}.toml");
    Ok(match look(&name, room)? {
        Found::File(bytes) if sha256(&bytes) == *digest => read_signed(look, &slip, bytes)?,
        Found::File(_) => Err(format!("{name} isn't the slip that its entry names")),
        Found::Nothing => Err(format!("{name} is missing")),
        Found::Unfit(reason) => Err(format!("{name} {reason}")),
    })
}

/// A document, with what lies where its signatures should.
fn read_signed<E>(
    look: &mut impl FnMut(&str, usize) -> Result<Found, E>,
    name: &str,
    document: Vec<u8>,
) -> Result<Result<SignedDocument, String>, E> {
    let mut failed = None;
    let signature = |signer: &KeyName| match look(&signature_name(name, signer), MAX_SIGNATURE) {
        Ok(Found::File(bytes)) => String::from_utf8(bytes).unwrap_or_default(),
        Ok(Found::Nothing | Found::Unfit(_)) => String::new(),
        Err(error) => {
            failed.get_or_insert(error);
            String::new()
        }
    };
    let signed = SignedDocument::from_parts(document, signature);
    match failed {
        Some(error) => Err(error),
        None => Ok(signed.map_err(|error| format!("{name}.toml: {error}"))),
    }
}

impl ReadBundle {
    /// How many entries are sound: shown, or withheld before the first fault.
    pub fn sound(&self) -> u64 {
        self.replay.head().number
    }

    /// What isn't an entry: the keys for ssh-keygen, and attachments.
    fn look_at_the_rest<E>(
        &mut self,
        mut look: impl FnMut(&str, usize) -> Result<Found, E>,
    ) -> Result<(), E> {
        let signers = allowed_signers(&self.entries);
        let is_theirs = match look(SIGNERS, MAX_LIST)? {
            Found::File(bytes) => bytes == signers.as_bytes(),
            Found::Nothing => true,
            Found::Unfit(_) => false,
        };
        if !is_theirs {
            self.damage.push(format!("{SIGNERS} doesn't hold the keys that the entries enrol"));
        }
        for Attached { content, .. } in attachments(self.entries.iter()) {
            let name = attachment_name(&content);
            match look(&name, MAX_ATTACHMENT)? {
                Found::File(bytes) if sha256(&bytes) == content => self.attached += 1,
                Found::File(_) => self.damage.push(format!("{name} was changed or replaced")),
                Found::Unfit(reason) => self.damage.push(format!("{name} {reason}")),
                Found::Nothing => {}
            }
        }
        Ok(())
    }
}

fn readme(head: &Head, entries: &[Entry], withheld: usize, has_slips: bool) -> String {
    let realm = realm_of(entries);
    let succeeds = entries.first().and_then(succeeded).map_or(String::new(), |it| {
        format!(
            "\nThis vault takes the place of the vault {}, from its entry {}\n\
             on, whose link is {}.\n",
            it.vault, it.number, it.link
        )
    });
    let namespace = realm.head_namespace();
    let demo = match realm {
        Realm::Real => "",
        Realm::Demo => {
            "\nTHIS IS A DEMO: it was made to try things with. Its keys are software, and prove\n\
             nothing.\n"
        }
    };
    let extract = match withheld {
        0 => String::new(),
        _ => format!(
            "\nThis is an extract: {withheld} of its entries are withheld, and of these there are\n\
             only the digests, in entries.sha256. All that is told of custodians, keys,\n\
             policy and runbooks is meant to be shown; whether it is can't be seen here.\n"
        ),
    };
    let slips = match has_slips {
        false => String::new(),
        true => {
            "slips/SHA256.*             what people signed elsewhere, in the same way, and its\n\
             \x20                          head; an entry that takes one in names its SHA256\n"
                .to_owned()
        }
    };
    let slips_by_hand = match has_slips {
        false => String::new(),
        true => format!(
            "So are slips, in the namespace {}, or in that of entries if they\n\
             were to be one;\n\
             \x20 for sig in slips/*.sig; do\n\
             \x20   name=${{sig#slips/}} name=${{name%.sig}} key=${{name#*.}}\n\
             \x20   ssh-keygen -Y verify -f allowed_signers -I \"${{key%.*}}/${{key##*.}}\" \\\n\
             \x20     -n {} -s $sig < slips/${{name%%.*}}.head\n\
             \x20 done\n",
            realm.slip_namespace(),
            realm.slip_namespace()
        ),
    };
    format!(
        "The log of those who hold the keys to root accounts: each entry tells what they\n\
         did, and is signed by touching security keys. keymuster wrote it, and isn't\n\
         needed to verify it.\n\
         {demo}{succeeds}{extract}\
         \n\
         sh verify.sh               verifies it\n\
         sh verify.sh --heads FILE  the same, and that the end wasn't cut off: FILE has a\n\
         \x20                          head, three lines, that somebody kept elsewhere\n\
         entries.sha256             the digests of all entries, in order\n\
         entries/NNNNNN.toml        entry NNNNNN as it was signed\n\
         entries/NNNNNN.*.*.sig     its signatures, by custodian and key\n\
         heads/NNNNNN.head          what they sign: vault, number, link\n\
         {slips}\
         allowed_signers            the enrolled keys, for ssh-keygen\n\
         attachments/SHA256         runbooks and evidence, if they were asked for; grep\n\
         \x20                          for the SHA256 in entries/ to see what each is\n\
         rules/log-format.md        what a log must be, to the last byte: begin there\n\
         \n\
         A script that comes with a bundle is as good as whoever sent it. Take verify.sh\n\
         from a release of keymuster, and say where the bundle is: sh verify.sh FOLDER.\n\
         It doesn't check who had to sign, nor what was due. keymuster log verify FOLDER\n\
         does, or you, by rules/log-format.md and rules/schedule.md.\n\
         \n\
         By hand: all documents that are shown are those that are listed,\n\
         \x20 sha256sum -c --quiet --ignore-missing entries.sha256\n\
         link 0 is the SHA-256 of the vault's line, and link n that of link n-1, a blank\n\
         and digest n. They must be those in heads/, and the last one the one below:\n\
         then cmp says nothing;\n\
         \x20 n=0 link=$(echo keymuster/{vault} |\n\
         \x20   sha256sum | cut -d' ' -f1)\n\
         \x20 while read -r digest entry; do\n\
         \x20   n=$((n + 1)) link=$(echo \"$link $digest\" | sha256sum | cut -d' ' -f1)\n\
         \x20   test ! -e \"$entry\" ||\n\
         \x20     printf 'keymuster/{vault}\\n%s\\n%s\\n' $n $link |\n\
         \x20     cmp - heads/$(printf %06d $n).head\n\
         \x20 done < entries.sha256; echo $link\n\
         and each signer that an entry names in `signers` has signed its head. That a\n\
         signature is missing shows only against these names, and that a key was never\n\
         enrolled only against the lines public_key of the entries;\n\
         \x20 for sig in entries/*.sig; do\n\
         \x20   name=${{sig#entries/}} name=${{name%.sig}} key=${{name#*.}}\n\
         \x20   ssh-keygen -Y verify -f allowed_signers -I \"${{key%.*}}/${{key##*.}}\" \\\n\
         \x20     -n {namespace} -s $sig < heads/${{name%%.*}}.head\n\
         \x20 done\n\
         {slips_by_hand}\
         Stock ssh-keygen accepts a signature made without touch or PIN; verify.sh and\n\
         keymuster don't.\n\
         \n\
         Link 1 is the vault's fingerprint: have its custodians confirm it. A tail that\n\
         was cut off shows only against a head that somebody kept elsewhere. This bundle\n\
         ends with the head\n\n{head}",
        vault = head.vault,
    )
}
