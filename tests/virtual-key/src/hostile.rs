//! Keys that misbehave: what a host must survive.

use crate::ctaphid::{Channel, MAX_MESSAGE, Packet};
use opensk::api::rng::rand_core::RngCore;
use std::path::{Path, PathBuf};

/// How the key misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `silence`: no answer at all, not even to CTAPHID_INIT unless a command is named.
    Silence,
    /// `garbage`: frames of random bytes, some of them on the right channel.
    Garbage,
    /// `endless-keepalives`: "processing" for ever, whatever the host asks for.
    EndlessKeepalives,
    /// `endless-blinking`: waits for a touch for ever, and for no cancel.
    EndlessBlinking,
    /// `truncated`: the right answer's first half.
    Truncated,
    /// `flipped`: the right answer with its last bit flipped; that breaks a signature. What is
    /// only a status stays as it is: an impostor says no where the key that it poses as would.
    Flipped,
    /// `foreign-channel`: the right answer, on a channel nobody has.
    ForeignChannel,
    /// `nested`: CBOR arrays within arrays, as deep as a message is long.
    Nested,
    /// `lying-length`: a CBOR byte string that claims four gigabytes.
    LyingLength,
}

impl Kind {
    /// All kinds with their words.
    pub const ALL: [(&'static str, Self); 9] = [
        ("silence", Self::Silence),
        ("garbage", Self::Garbage),
        ("endless-keepalives", Self::EndlessKeepalives),
        ("endless-blinking", Self::EndlessBlinking),
        ("truncated", Self::Truncated),
        ("flipped", Self::Flipped),
        ("foreign-channel", Self::ForeignChannel),
        ("nested", Self::Nested),
        ("lying-length", Self::LyingLength),
    ];

    /// The word for it in the file and the log.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, kind)| *kind == self);
        found.map_or("unknown", |(word, _)| word)
    }
}

/// The content of the file `hostile`: a kind, then the one command it applies to as the log
/// names it (`getAssertion`), or nothing for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostile {
    /// How.
    pub kind: Kind,
    only: Option<String>,
}

impl Hostile {
    /// Reads the words of the file.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let word = words.next()?;
        let (_, kind) = *Kind::ALL.iter().find(|(name, _)| *name == word)?;
        let only = words.next().map(str::to_owned);
        Some(Self { kind, only })
    }

    /// Whether it applies to this command.
    pub fn applies_to(&self, command: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == command)
    }

    /// Whether the key does not even give out channels.
    pub fn is_dead(&self) -> bool {
        self.kind == Kind::Silence && self.only.is_none()
    }
}

/// The file `hostile`, read anew each time. A file that can't be understood ends the key: a
/// test that means to meet a hostile key must not meet an honest one.
pub struct HostileFile(PathBuf);

impl HostileFile {
    /// The file in this directory; it may not exist.
    pub fn new(directory: &Path) -> Self {
        Self(directory.join("hostile"))
    }

    /// How the key misbehaves now, if it does.
    pub fn read(&self) -> Option<Hostile> {
        let text = std::fs::read_to_string(&self.0).ok()?;
        let hostile = Hostile::parse(&text);
        assert!(hostile.is_some(), "unknown kind of hostile key: {text:?}");
        hostile
    }
}

/// CBOR `[[[[…`, after a status that says all is well.
pub fn nested_answer() -> Vec<u8> {
    let mut answer = vec![0x81; MAX_MESSAGE];
    answer[0] = 0;
    answer
}

/// A map whose first value, a byte string, claims four gigabytes.
pub fn lying_answer() -> Vec<u8> {
    vec![0, 0xa1, 0x01, 0x5a, 0xff, 0xff, 0xff, 0xff, 0x00]
}

/// Random frames: without order, on the host's channel out of turn, and one that begins a long
/// answer which never goes on.
pub fn garbage(channel: Channel, random: &mut impl RngCore) -> Vec<Packet> {
    let mut packets = vec![[0; 64]; 16];
    for (number, packet) in packets.iter_mut().enumerate() {
        random.fill_bytes(packet);
        if number % 2 == 1 {
            packet[..4].copy_from_slice(&channel);
        }
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        for (word, kind) in Kind::ALL {
            assert_eq!(Hostile::parse(word).map(|h| h.kind), Some(kind));
            assert_eq!(kind.word(), word);
        }
    }

    #[test]
    fn hostility_can_be_kept_to_one_command() {
        let hostile = Hostile::parse("silence getAssertion\n").expect("known words");
        assert!(hostile.applies_to("getAssertion"));
        assert!(!hostile.applies_to("getInfo"));
        assert!(!hostile.is_dead());
        assert_eq!(Hostile::parse("rude"), None);
    }
}
