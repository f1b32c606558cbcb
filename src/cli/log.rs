//! `keymuster log`: the signed log, shown, verified, and given to auditors.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::output::{Answer, HeadView, count, table};
use super::session::Session;
use crate::log::{Entry, Head};
use crate::vault::{Bundle, OpenVault, StoreError};

/// `keymuster log …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the entries
    List,
    /// Show one entry as it was signed
    Show(Show),
    /// Print the head: three lines for safekeeping elsewhere
    Head,
    /// Verify every entry and every file that the log names
    Verify,
    /// Write a bundle that stock ssh-keygen and sha256sum verify
    Export(Export),
}

/// `keymuster log show`
#[derive(Debug, Args)]
pub struct Show {
    /// The entry's number
    number: u64,
}

/// `keymuster log export`
#[derive(Debug, Args)]
pub struct Export {
    /// A new folder for the bundle. What was encrypted in the vault is in the clear there
    dir: PathBuf,
}

pub fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    match command {
        Command::List => Ok(list(&session)),
        Command::Show(show) => show_entry(&session, show.number),
        Command::Head => Ok(head(&session).giving_out(session.giving_out())),
        Command::Verify => verify(context, &session),
        Command::Export(export) => export_bundle(&session, &export.dir),
    }
}

/// The entries that are sound: those from a fault on are not shown as if they counted.
pub fn sound(vault: &OpenVault) -> &[Entry] {
    let number = usize::try_from(vault.head().number).unwrap_or(usize::MAX);
    vault.entries().get(..number).unwrap_or(vault.entries())
}

#[derive(Serialize)]
struct LogList {
    entries: Vec<EntryLine>,
    head: HeadView,
}

#[derive(Serialize)]
struct EntryLine {
    number: u64,
    time: String,
    signers: Vec<String>,
    events: Vec<&'static str>,
}

fn list(session: &Session<'_>) -> Answer {
    let entries: Vec<EntryLine> = sound(&session.vault)
        .iter()
        .map(|entry| {
            let document = entry.document();
            EntryLine {
                number: document.number,
                time: document.time.to_string(),
                signers: document.signers.iter().map(ToString::to_string).collect(),
                events: document.events.iter().map(crate::record::Event::kind).collect(),
            }
        })
        .collect();
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            vec![
                entry.number.to_string(),
                entry.time.clone(),
                entry.signers.join(", "),
                counted(&entry.events),
            ]
        })
        .collect();
    let human = table(&["entry", "time", "signed by", "events"], &rows);
    let view = LogList { entries, head: (&session.vault.head()).into() };
    Answer::new("log-list", &view, human).exiting(session.exit())
}

/// `key-enrolled, identity-sealed`, or the first two and how many more.
fn counted(events: &[&str]) -> String {
    match events {
        [first, second, _, ..] => format!("{first}, {second}, +{}", events.len() - 2),
        few => few.join(", "),
    }
}

#[derive(Serialize)]
struct EntryView {
    number: u64,
    digest: String,
    link: String,
    document: String,
    signers: Vec<String>,
    signatures: Vec<String>,
}

fn show_entry(session: &Session<'_>, number: u64) -> Result<Answer, Failure> {
    let entries = sound(&session.vault);
    let entry = number.checked_sub(1).and_then(|index| entries.get(usize::try_from(index).ok()?));
    let Some(entry) = entry else {
        return Err(Failure::new(exit::USAGE, format!("there is no entry {number}"))
            .hint(format!("the log has {}", count(entries.len(), "entry", "entries"))));
    };
    let link = usize::try_from(number).ok().and_then(|n| session.vault.links().get(n));
    let view = EntryView {
        number,
        digest: entry.digest().to_string(),
        link: link.map(ToString::to_string).unwrap_or_default(),
        document: entry.document_text().to_owned(),
        signers: entry.document().signers.iter().map(ToString::to_string).collect(),
        signatures: entry.signatures().into_iter().map(str::to_owned).collect(),
    };
    Ok(Answer::new("log-entry", &view, entry.text().to_owned()).exiting(session.exit()))
}

fn head(session: &Session<'_>) -> Answer {
    let head = session.vault.head();
    #[derive(Serialize)]
    struct View {
        vault: String,
        head: HeadView,
    }
    let view = View { vault: head.vault.to_string(), head: (&head).into() };
    Answer::new("log-head", &view, head.to_string()).exiting(session.exit())
}

#[derive(Serialize)]
struct Verdict {
    sound: bool,
    /// What follows these entries isn't open to whoever reads.
    closed: bool,
    entries: usize,
    signatures: usize,
    head: HeadView,
    fingerprint: Option<String>,
    fault: Option<FaultView>,
    damage: Vec<String>,
    findings: Vec<String>,
    strays: Vec<String>,
}

#[derive(Serialize)]
struct FaultView {
    entry: u64,
    rule: String,
    reason: String,
}

fn verify(context: &Context, session: &Session<'_>) -> Result<Answer, Failure> {
    let vault = &session.vault;
    let entries = sound(vault);
    let now = context.now()?;
    // What is large was only looked at when the vault was opened.
    let mut damage: Vec<String> = vault.damage().iter().map(ToString::to_string).collect();
    for found in vault.damaged_evidence() {
        let told = found.to_string();
        if !vault.damage().iter().any(|known| known.file == found.file) {
            damage.push(told);
        }
    }
    let sound = session.exit() == exit::DONE && damage.is_empty();
    let view = Verdict {
        sound,
        closed: vault.closed_by().is_some(),
        entries: entries.len(),
        signatures: entries.iter().map(|entry| entry.document().signers.len()).sum(),
        head: (&vault.head()).into(),
        fingerprint: vault.fingerprint().map(|digest| digest.to_string()),
        fault: vault.fault().map(|fault| FaultView {
            entry: fault.entry,
            rule: fault.rule.to_string(),
            reason: fault.reason.clone(),
        }),
        damage,
        findings: vault.findings(now),
        strays: vault.strays(),
    };
    let mut human = format!(
        "{}: {} and {} verified, each a touch of an enrolled key.\nhead: entry {}, {}\n",
        match (view.sound, view.closed) {
            (true, _) => "SOUND",
            (false, true) => "CLOSED",
            (false, false) => "FAULTY",
        },
        count(view.entries, "entry", "entries"),
        count(view.signatures, "signature", "signatures"),
        view.head.number,
        view.head.link,
    );
    let fault = vault.fault().map(|fault| format!("fault: {fault}\n"));
    human.extend(fault);
    human.extend(view.damage.iter().map(|damage| format!("damage: {damage}\n")));
    human.extend(view.findings.iter().map(|finding| format!("finding: {finding}\n")));
    human.extend(view.strays.iter().map(|stray| stray_line(stray)));
    human.push_str(if view.closed {
        "What follows isn't open to this identity, so it isn't judged. Ask a custodian for a new one.\n"
    } else if view.sound {
        "A tail that was cut off shows only against a head from elsewhere: compare this\n\
         one with the other custodians'.\n"
    } else {
        "Nothing is appended to a faulty vault. Restore the file from git or a backup.\n"
    });
    let code = if sound { exit::DONE } else { exit::NO };
    Ok(Answer::new("log-verdict", &view, human).exiting(code))
}

/// What is told of a file that no entry names: nobody must remove what is being written.
pub fn stray_line(file: &str) -> String {
    format!(
        "named by no entry: {file}; if no other keymuster is at work, left by one that was interrupted\n"
    )
}

#[derive(Serialize)]
struct Exported {
    folder: String,
    entries: usize,
}

fn export_bundle(session: &Session<'_>, dir: &Path) -> Result<Answer, Failure> {
    let vault = &session.vault;
    if session.exit() != exit::DONE {
        return Err(Failure::new(exit::NO, "a faulty vault isn't exported")
            .hint("keymuster log verify tells what is wrong"));
    }
    let target = real_place(dir)?;
    let root = real(vault.location().layout.root())?;
    if target.starts_with(root) {
        let message = "a bundle is in the clear, and can't lie in the vault's own folder";
        return Err(Failure::new(exit::USAGE, message).hint("name a folder outside the vault"));
    }
    let bundle = match Bundle::begin(&target, &["entries", "heads"]) {
        // As it was given, it is easier to know again.
        Err(StoreError::Taken(_)) => return Err(StoreError::Taken(dir.to_owned()).into()),
        other => other?,
    };
    let namespace = session.state().realm().head_namespace();
    let mut head = Head::empty(vault.location().id);
    for entry in sound(vault) {
        head = head.after(entry.document_text().as_bytes());
        let number = format!("{:06}", head.number);
        let document = entry.document_text();
        bundle.write(&format!("entries/{number}.toml"), document.as_bytes())?;
        bundle.write(&format!("heads/{number}.head"), head.to_string().as_bytes())?;
        for (signer, armor) in entry.document().signers.iter().zip(entry.signatures()) {
            let name = format!("entries/{number}.{}.{}.sig", signer.owner, signer.label);
            bundle.write(&name, armor.as_bytes())?;
        }
    }
    let signers: String = session
        .state()
        .keys()
        .iter()
        .map(|(name, key)| {
            format!("{name} namespaces=\"{namespace}\" {}\n", key.enrolment.public_key)
        })
        .collect();
    bundle.write("allowed_signers", signers.as_bytes())?;
    bundle.write("README", bundle_readme(&head, namespace).as_bytes())?;
    bundle.finish()?;
    let shown = crate::text::sanitise(&dir.to_string_lossy(), 200);
    let entries = sound(vault).len();
    let human = format!(
        "Exported {} to {shown}, in the clear. {shown}/README tells how to verify them without keymuster.\n",
        count(entries, "entry", "entries")
    );
    let view = Exported { folder: dir.to_string_lossy().into_owned(), entries };
    Ok(Answer::new("log-exported", &view, human))
}

/// Where a path leads, with no link and no `..` in it.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| {
        let message = format!("{} can't be found", path.display());
        Failure::because(exit::FAILED, message, &error)
    })
}

/// The same for something that needn't be there, in a folder that must be.
fn real_place(path: &Path) -> Result<PathBuf, Failure> {
    // One that ends with `..` is there, if anything is.
    let Some(name) = path.file_name() else { return real(path) };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(real(parent.unwrap_or(Path::new(".")))?.join(name))
}

fn bundle_readme(head: &Head, namespace: &str) -> String {
    format!(
        "A keymuster log, to be verified with sha256sum and ssh-keygen alone.\n\
         \n\
         entries/NNNNNN.toml      entry NNNNNN as it was signed\n\
         entries/NNNNNN.*.*.sig   its signatures, by custodian and key\n\
         heads/NNNNNN.head        what they sign: vault, number, link\n\
         allowed_signers          the enrolled keys, for ssh-keygen\n\
         \n\
         Links, which must come out as the third line of each head:\n\
         \x20 link 0 = SHA-256( \"keymuster/{vault}\" LF )\n\
         \x20 link n = SHA-256( hex(link n-1) SP hex(SHA-256(entries/n.toml)) LF )\n\
         in sh, from link 0 on:\n\
         \x20 link=$(echo keymuster/{vault} |\n\
         \x20   sha256sum | cut -d' ' -f1)\n\
         \x20 for entry in entries/*.toml; do\n\
         \x20   digest=$(sha256sum < $entry | cut -d' ' -f1)\n\
         \x20   link=$(echo \"$link $digest\" | sha256sum | cut -d' ' -f1)\n\
         \x20   echo \"$entry $link\"\n\
         \x20 done\n\
         \n\
         Signatures; every signer that an entry names must have one:\n\
         \x20 for sig in entries/*.sig; do\n\
         \x20   name=${{sig#entries/}} name=${{name%.sig}} key=${{name#*.}}\n\
         \x20   ssh-keygen -Y verify -f allowed_signers -I \"${{key%.*}}/${{key##*.}}\" \\\n\
         \x20     -n {namespace} -s $sig < heads/${{name%%.*}}.head\n\
         \x20 done\n\
         \n\
         Stock ssh-keygen accepts a signature made without touch or PIN; keymuster\n\
         doesn't. Whether the signers were the right ones for what an entry says is not\n\
         checked by these commands. A tail that was cut off shows only against a head\n\
         that somebody kept elsewhere. This bundle ends with the head\n\n{head}",
        vault = head.vault,
    )
}
