//! What the key keeps when it is unplugged: OpenSK's numbered values, in the file `state`.

use opensk::api::persist::{Persist, PersistIter};
use opensk::ctap::status_code::{Ctap2StatusCode, CtapResult};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file `state`: on each line a number and its value in hexadecimal.
pub struct Storage {
    path: PathBuf,
    values: BTreeMap<usize, Vec<u8>>,
}

impl Storage {
    /// Opens the state in this directory; a key without one is new.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join("state");
        let values = match fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or(io::ErrorKind::InvalidData)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(e),
        };
        Ok(Self { path, values })
    }

    /// Replaces the file in one step: the key may be unplugged at any moment.
    fn save(&self) -> CtapResult<()> {
        let text: String = self.values.iter().map(line).collect();
        let draft = self.path.with_extension("new");
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &self.path))
            .map_err(|_| Ctap2StatusCode::CTAP2_ERR_VENDOR_HARDWARE_FAILURE)
    }
}

impl Persist for Storage {
    fn find(&self, key: usize) -> CtapResult<Option<Vec<u8>>> {
        Ok(self.values.get(&key).cloned())
    }

    fn insert(&mut self, key: usize, value: &[u8]) -> CtapResult<()> {
        self.values.insert(key, value.to_vec());
        self.save()
    }

    fn remove(&mut self, key: usize) -> CtapResult<()> {
        match self.values.remove(&key) {
            Some(_) => self.save(),
            None => Ok(()),
        }
    }

    fn iter(&self) -> CtapResult<PersistIter<'_>> {
        Ok(Box::new(self.values.keys().copied().map(Ok)))
    }
}

fn line((key, value): (&usize, &Vec<u8>)) -> String {
    let value: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{key} {value}\n")
}

fn parse(text: &str) -> Option<BTreeMap<usize, Vec<u8>>> {
    let lines = text.lines().map(|line| {
        let (key, value) = line.split_once(' ')?;
        let digits = value.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        Some((key.parse().ok()?, digits.collect::<Option<_>>()?))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_state_is_read_back() {
        let values = BTreeMap::from([(1, vec![0, 255]), (2044, vec![]), (7, vec![16; 128])]);
        let text: String = values.iter().map(line).collect();
        assert_eq!(parse(&text), Some(values));
    }

    #[test]
    fn a_broken_state_is_refused() {
        for text in ["1", "1 0", "1 zz", "x 00"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
