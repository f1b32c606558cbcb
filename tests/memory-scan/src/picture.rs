//! The memory of a process at one moment, in a file.
//!
//! The first line says in JSON what it is of and which pieces follow; their bytes come after
//! it, one after the other. What no secret of the process can stand in is left out: pages of
//! zeros, and files that are mapped for reading only.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A page, as `smaps` counts.
const PAGE: usize = 4096;

/// The most bytes of one mapping that are read at a time.
const AT_ONCE: usize = 1024 * 1024;

/// When a picture was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Moment {
    /// While the process was running, when the test said so.
    InUse,
    /// When it had done all it would ever do.
    End,
}

/// What a picture is of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// The file name of the program.
    pub program: String,
    /// Its first argument, if it has one.
    pub argument: Option<String>,
    /// The process id.
    pub process: i32,
    /// When it was taken.
    pub moment: Moment,
    /// How many bytes were looked at, zeros included.
    pub looked_at: u64,
    /// How large it may let a core file be (the hard limit in `/proc/PID/limits`).
    pub core_limit: String,
    pieces: Vec<Place>,
}

/// Where a piece of memory stood.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Its first address.
    pub address: usize,
    /// Its size in bytes.
    pub size: usize,
    /// What is mapped there: `[heap]`, `[stack]`, a file, or nothing.
    pub mapping: String,
    /// Whether its pages are kept out of swap.
    pub locked: bool,
}

/// A picture that was taken.
#[derive(Debug)]
pub struct Picture {
    /// What it is of.
    pub subject: Subject,
    /// The bytes, piece by piece.
    pub pieces: Vec<(Place, Vec<u8>)>,
}

impl Picture {
    /// Takes one of a process that this one may trace.
    pub fn take(process: i32, moment: Moment) -> io::Result<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let text = |name: &str| fs::read_to_string(folder.join(name));
        let program = fs::read_link(folder.join("exe"))?;
        let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let argument = text("cmdline")?.split('\0').nth(1).map(str::to_owned);
        let limits = text("limits")?;
        let core_limit = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
        let core_limit = core_limit.and_then(|rest| rest.split_whitespace().nth(1));
        let core_limit = core_limit.unwrap_or_default().to_owned();

        let memory = File::open(folder.join("mem"))?;
        let mut looked_at = 0;
        let mut pieces = Vec::new();
        for mapping in mappings(&text("smaps")?) {
            let mut done = 0;
            while done < mapping.size {
                let mut bytes = vec![0; AT_ONCE.min(mapping.size - done)];
                let address = mapping.address + done;
                // The kernel's own pages in there can't be read.
                let Ok(read @ 1..) = memory.read_at(&mut bytes, address as u64) else { break };
                bytes.truncate(read);
                looked_at += read as u64;
                done += read;
                let at = |start: usize| Place { address: address + start, ..mapping.clone() };
                pieces.extend(without_zeros(&bytes).map(|(start, piece)| {
                    (Place { size: piece.len(), ..at(start) }, piece.to_vec())
                }));
            }
        }
        let places = pieces.iter().map(|(place, _)| place.clone()).collect();
        let subject =
            Subject { program, argument, process, moment, looked_at, core_limit, pieces: places };
        Ok(Self { subject, pieces })
    }

    /// Writes it to a file that isn't there yet.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut file = io::BufWriter::new(File::create_new(path)?);
        writeln!(file, "{}", serde_json::to_string(&self.subject)?)?;
        self.pieces.iter().try_for_each(|(_, bytes)| file.write_all(bytes))?;
        file.flush()
    }

    /// Reads what [`Picture::save`] wrote.
    pub fn load(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let mut line = String::new();
        file.read_line(&mut line)?;
        let subject: Subject = serde_json::from_str(&line)?;
        let pieces = subject.pieces.iter().map(|place| {
            let mut bytes = vec![0; place.size];
            file.read_exact(&mut bytes).map(|()| (place.clone(), bytes))
        });
        let pieces = pieces.collect::<io::Result<_>>()?;
        Ok(Self { subject, pieces })
    }

    /// All pictures in a folder, in the order they were taken.
    pub fn load_all(folder: &Path) -> io::Result<Vec<Self>> {
        let names = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort();
        names.iter().map(|path| Self::load(path)).collect()
    }
}

/// The runs of pages that hold anything, and where they begin.
fn without_zeros(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let holds = |page: &[u8]| page.iter().any(|byte| *byte != 0);
        let start = next + PAGE * bytes.get(next..)?.chunks(PAGE).position(holds)?;
        let pages = bytes[start..].chunks(PAGE).take_while(|page| holds(page)).count();
        next = bytes.len().min(start + pages * PAGE);
        Some((start, &bytes[start..next]))
    })
}

/// The mappings in which a process can keep what it likes.
fn mappings(smaps: &str) -> Vec<Place> {
    let mut mappings: Vec<(Place, bool)> = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some((start, end)) = first.split_once('-') {
            let number = |hex| usize::from_str_radix(hex, 16).ok();
            let (Some(start), Some(end)) = (number(start), number(end)) else { continue };
            let rights = words.next().unwrap_or_default();
            let mapping = words.nth(3).unwrap_or_default().to_owned();
            let of_a_file = mapping.starts_with('/');
            let wanted = rights.starts_with('r') && (rights.contains('w') || !of_a_file);
            let place = Place { address: start, size: end - start, mapping, locked: false };
            mappings.push((place, wanted));
        } else if let ("VmFlags:", Some((place, _))) = (first, mappings.last_mut()) {
            place.locked = words.any(|flag| flag == "lo");
        }
    }
    mappings.into_iter().filter(|(_, wanted)| *wanted).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_this_process_is_read_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1");
        let marker = std::hint::black_box([0xa5_u8; 3 * PAGE].to_vec());
        let picture = Picture::take(std::process::id().cast_signed(), Moment::InUse).unwrap();
        picture.save(&path).unwrap();
        let loaded = Picture::load(&path).unwrap();
        assert_eq!(loaded.subject.moment, Moment::InUse);
        assert!(loaded.subject.looked_at > 0);
        let holds = |picture: &Picture| {
            picture.pieces.iter().any(|(_, bytes)| bytes.windows(marker.len()).any(|w| w == marker))
        };
        assert!(holds(&picture) && holds(&loaded));
        let sizes = |picture: &Picture| picture.pieces.iter().map(|p| p.1.len()).sum::<usize>();
        assert_eq!(sizes(&picture), sizes(&loaded));
    }

    #[test]
    fn pages_of_zeros_are_left_out() {
        let mut bytes = vec![0; 5 * PAGE + 10];
        bytes[PAGE + 1] = 1;
        bytes[2 * PAGE] = 1;
        bytes[5 * PAGE + 9] = 1;
        let runs: Vec<_> = without_zeros(&bytes).map(|(at, run)| (at, run.len())).collect();
        assert_eq!(runs, [(PAGE, 2 * PAGE), (5 * PAGE, 10)]);
        assert_eq!(without_zeros(&[0; 100]).count(), 0);
    }

    #[test]
    fn only_what_is_written_to_is_looked_at() {
        let smaps = "\
1000-3000 r--p 00000000 fe:00 12 /usr/lib/a b.so
VmFlags: rd mr
3000-4000 rw-p 00002000 fe:00 12 /usr/lib/a b.so
VmFlags: rd wr mr
5000-7000 rw-p 00000000 00:00 0
Locked: 8 kB
VmFlags: rd wr mr lo ac
8000-9000 ---p 00000000 00:00 0
9000-a000 r--p 00000000 00:00 0
";
        let found: Vec<_> = mappings(smaps).iter().map(|p| (p.address, p.size, p.locked)).collect();
        assert_eq!(
            found,
            [(0x3000, 0x1000, false), (0x5000, 0x2000, true), (0x9000, 0x1000, false)]
        );
    }
}
