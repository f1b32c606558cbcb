//! The key's diary, `log.jsonl`: one JSON object a line, each written at once.
//!
//! | event | meaning | fields |
//! |---|---|---|
//! | `plugged` | the process started | `product`, `serial` |
//! | `begin` | a CTAP command came in | `id`, `command` and what it asks for |
//! | `touch-asked` | the key blinks | `id` |
//! | `touch` | the wait for a touch ended | `id`, `outcome`: given, denied, timed out, cancelled |
//! | `command` | the command ended | as `begin`, and `status`: the CTAP status, or null if there is no answer |
//! | `cancel` | CTAPHID_CANCEL came in | `during`: the command it hit, or null |
//! | `aborted` | CTAPHID_INIT ended a command | `during` |
//! | `wink` | CTAPHID_WINK came in | |
//! | `hostile` | the key misbehaved instead of answering | `id`, `kind` |
//!
//! Every line carries `at`, in milliseconds since 1970. What a command asks for, where it has
//! it: `rpId`, `up`, `uv`, `rk`, `pinAuth`, `hmacSecret`, `credentials` (how many are in its
//! list), `subcommand`, `permissions`.

use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The file `log.jsonl`.
pub struct Log(File);

impl Log {
    /// Opens the log in this directory to write on at its end.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join("log.jsonl");
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self(file))
    }

    /// Writes one event.
    pub fn write(&self, event: &str, mut fields: Map<String, Value>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = now.map_or(0, |time| time.as_millis() as u64);
        fields.insert("at".to_owned(), json!(at));
        fields.insert("event".to_owned(), json!(event));
        let line = format!("{}\n", Value::Object(fields));
        // A test reads the line at once, so it must come in one piece. If it can't be written,
        // a test that counts would pass wrongly: the key must not live on.
        (&self.0).write_all(line.as_bytes()).expect("the log can be written");
    }
}

/// Makes the fields of an event.
pub fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    let pairs = pairs.into_iter();
    pairs.map(|(name, value)| (name.to_owned(), value)).collect()
}
