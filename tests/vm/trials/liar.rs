//! The real program with a helper that lies: what it makes of sizes, types, garbage, silence,
//! and of genuine signatures that aren't the ones that were asked for.
//!
//! The program starts its helper from its own file. So it runs from a file of its own here,
//! which is replaced by this program while it waits for the PIN; what comes after the PIN is
//! a lie. Signatures are real ones: the liar has the real helper make them, after it has
//! changed the question.

use super::office::{PIN, Visit, visit};
use super::trials;
use super::usb::no_helper_runs;
use crate::machine::KEYMUSTER;
use crate::run::{program, scratch, wait_until};
use libtest_mimic::Trial;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

pub(super) fn trials() -> Vec<Trial> {
    trials!["liar": a_lying_helper_gets_nothing_into_the_log]
}

/// The lies, with the exit code and what is told of each.
const LIES: [(&str, i32, &str); 8] = [
    ("honest", 0, "Recorded entry"),
    ("two answers", 0, "Recorded entry"),
    ("dies", 1, "it ended without an answer"),
    ("endless", 1, "it is too long"),
    ("garbage", 1, "it ends too early"),
    ("another type", 1, "it belongs to another question"),
    ("another message", 3, "the signature isn't one over this text"),
    ("another key", 3, "the signature isn't one over this text"),
];

fn a_lying_helper_gets_nothing_into_the_log() {
    for (lie, exit, told) in LIES {
        let office = visit(true, true);
        let before = office.entries();
        let (code, said) = check_with_liar(&office, lie);
        assert_eq!(code, Some(exit), "{lie}: {said}");
        assert!(said.contains(told), "{lie}: {said}");
        assert!(!said.contains("panicked"), "{lie}: {said}");
        assert_eq!(office.entries(), before + u64::from(exit == 0), "{lie}");
        wait_until("no helper runs", no_helper_runs);
        eprintln!("\n{lie:<18}{}", said.lines().find(|line| line.contains(told)).unwrap_or(""));
    }
    let office = visit(true, false);
    office.as_reader(&["key", "check"]).run().expect_success();
    office.as_reader(&["log", "verify"]).run().expect_success();
}

/// Checks the primary key with a helper that lies from the PIN on. Returns the exit code
/// and all that was said.
fn check_with_liar(office: &Visit, lie: &str) -> (Option<i32>, String) {
    let folder = Path::new(KEYMUSTER).parent().expect("the program lies in a folder");
    let (own, go) = (folder.join("keymuster-to-be-replaced"), scratch().join("go"));
    let _ = fs::remove_file(&own);
    fs::hard_link(KEYMUSTER, &own).expect("the machine's files can be linked");
    fs::write(instructions(&own), instructed(office, lie)).expect("and written");

    let (vault, reader) = (office.path("vault"), office.path("reader.identity"));
    let command = format!(
        "exec {} key check --device {} --vault {vault} --identity {reader} --pin-fd 3 \
         3< <(while ! [ -e {go} ]; do sleep 0.05; done; echo {PIN})",
        own.display(),
        office.primary.device(),
        go = go.display(),
    );
    let running = program("bash", &["-c", &command]).start();
    wait_until("the PIN is waited for", || waits_for_pin(&own));
    fs::remove_file(&own).expect("it is there");
    symlink(std::env::current_exe().expect("this program is a file"), &own)
        .expect("its name is free");
    fs::write(&go, "").expect("the scratch folder can be written to");
    let outcome = running.finish();
    (outcome.code(), outcome.stdout + &outcome.stderr)
}

/// Whether the program at this path waits for what it reads, and for no helper.
fn waits_for_pin(program: &Path) -> bool {
    let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
    let ours = processes.filter(|process| {
        fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe == program)
    });
    let calls: Vec<String> = ours
        .map(|process| fs::read_to_string(process.path().join("syscall")).unwrap_or_default())
        .collect();
    // poll(2) and ppoll(2), by their numbers on x86-64; a helper would be one more process.
    let waits = |call: &String| call.starts_with("7 ") || call.starts_with("271 ");
    calls.len() == 1 && calls.iter().all(waits)
}

/// Where the liar at this path finds its lie.
fn instructions(program: &Path) -> PathBuf {
    program.with_extension("lie")
}

/// A lie, and after it what the liar replaces in the question: bytes and bytes, in hex.
fn instructed(office: &Visit, lie: &str) -> String {
    let mut text = format!("{lie}\n");
    if lie == "another key" {
        let credentials = [1, 2].map(|entry| credential_in(office, entry));
        for [from, to] in [credentials, [office.primary.device(), office.blue.device()].map(hex)] {
            text += &format!("{from} {to}\n");
        }
    }
    text
}

/// The id of the credential that an entry enrols.
fn credential_in(office: &Visit, entry: u64) -> String {
    use base64::Engine as _;
    let said = office.as_reader(&["log", "show", &entry.to_string()]).run().expect_success();
    let line = said.lines().find_map(|line| line.trim().strip_prefix("credential = \""));
    let text = line.expect("it enrols a key").trim_end_matches('"');
    hex(base64::engine::general_purpose::STANDARD.decode(text).expect("it is base64"))
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).expect("hex"));
    digits.map(|two| u8::from_str_radix(two, 16).expect("hex")).collect()
}

/// Where this program was started as a helper: takes the question, and lies.
pub(crate) fn lie() -> Option<ExitCode> {
    let mut arguments = std::env::args();
    let own = PathBuf::from(arguments.next()?);
    if arguments.next().as_deref() != Some("key-helper") {
        return None;
    }
    let text = fs::read_to_string(instructions(&own)).expect("its trial wrote it");
    let (lie, replacements) = text.split_once('\n').expect("it has lines");
    let mut parent =
        UnixStream::from(io::stdin().as_fd().try_clone_to_owned().expect("its stdin is a socket"));
    let mut question = read_frame(&mut parent).expect("it is asked something");
    let answer: &[u8] = match lie {
        "dies" => return Some(ExitCode::FAILURE),
        "endless" => &[0xff; 64],
        "garbage" => &[0, 0, 0, 3, 2, 4, 0],
        "another type" => &[0, 0, 0, 2, 2, 6],
        _ => &[],
    };
    if !answer.is_empty() {
        let _ = parent.write_all(answer);
        return Some(ExitCode::SUCCESS);
    }
    for line in replacements.lines() {
        let (from, to) = line.split_once(' ').expect("two in a line");
        replace(&mut question, &unhex(from), &unhex(to));
    }
    if lie == "another message" {
        let place = find(&question, b"sha512").expect("the message names its hash");
        // Beyond the name and the length stands the hash itself.
        question[place + 12] ^= 1;
    }
    let answers = ask_the_real_one(&question);
    for _ in 0..if lie == "two answers" { 2 } else { 1 } {
        let _ = parent.write_all(&answers);
    }
    Some(ExitCode::SUCCESS)
}

/// The whole frame: four bytes of length, and as many bytes.
fn read_frame(socket: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    socket.read_exact(&mut frame)?;
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    frame.resize(4 + length as usize, 0);
    socket.read_exact(&mut frame[4..])?;
    Ok(frame)
}

/// All that the real helper answers to a question.
fn ask_the_real_one(question: &[u8]) -> Vec<u8> {
    let (mut socket, theirs) = UnixStream::pair().expect("a pair can be made");
    let mut child = Command::new(KEYMUSTER)
        .arg("key-helper")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .expect("the program runs");
    socket.write_all(question).expect("it reads");
    let mut answers = Vec::new();
    socket.read_to_end(&mut answers).expect("it answers");
    let _ = child.wait();
    answers
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len(), "the frame keeps its length");
    let place = find(bytes, from).expect("the question holds it");
    bytes[place..place + to.len()].copy_from_slice(to);
}
