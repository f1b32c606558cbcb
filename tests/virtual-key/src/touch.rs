//! What the person does when the key blinks.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the person does, written in the key's file `touch`; accept if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// `accept`: touches the key as soon as the key may count it.
    Accept,
    /// `deny`: declines; the key answers `CTAP2_ERR_OPERATION_DENIED`.
    Deny,
    /// `timeout MS`: never touches, and the key gives up after that time with
    /// `CTAP2_ERR_USER_ACTION_TIMEOUT`.
    Timeout(Duration),
    /// `wait`: never touches, and the key never gives up.
    Wait,
    /// `delay MS`: touches after that time.
    Delay(Duration),
    /// `until N`: touches until the key was touched so often since it was plugged in, then
    /// waits.
    Until(u64),
}

impl Policy {
    /// Reads the words of the file.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let verb = words.next()?;
        let number = words.next().map(str::parse).transpose().ok()?;
        let time = number.map(Duration::from_millis);
        match (verb, time, words.next()) {
            ("accept", None, None) => Some(Self::Accept),
            ("deny", None, None) => Some(Self::Deny),
            ("timeout", Some(time), None) => Some(Self::Timeout(time)),
            ("wait", None, None) => Some(Self::Wait),
            ("delay", Some(time), None) => Some(Self::Delay(time)),
            ("until", Some(_), None) => number.map(Self::Until),
            _ => None,
        }
    }

    /// What has come of it so long after the key began to blink, and after so many touches;
    /// none if nothing yet.
    ///
    /// Nothing is decided before `hold`, so that a host that polls sees the key blink.
    pub fn decide(self, blinking: Duration, hold: Duration, touches: u64) -> Option<Outcome> {
        let (time, outcome) = match self {
            Self::Accept => (hold, Outcome::Given),
            Self::Deny => (hold, Outcome::Denied),
            Self::Timeout(time) => (time.max(hold), Outcome::TimedOut),
            Self::Delay(time) => (time.max(hold), Outcome::Given),
            Self::Until(number) if touches < number => (hold, Outcome::Given),
            Self::Wait | Self::Until(_) => return None,
        };
        (blinking >= time).then_some(outcome)
    }
}

/// How the wait for a touch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key was touched.
    Given,
    /// The person declined.
    Denied,
    /// Nobody touched the key in time.
    TimedOut,
    /// The host called it off.
    Cancelled,
}

impl Outcome {
    /// The word for it in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Denied => "denied",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The file `touch`, read anew each time, as a test changes it while the key blinks.
pub struct PolicyFile {
    path: PathBuf,
    last: Policy,
}

impl PolicyFile {
    /// The file in this directory; it may not exist yet.
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join("touch"), last: Policy::Accept }
    }

    /// The policy now; while the file can't be understood, what it last said.
    pub fn read(&mut self) -> Policy {
        self.last = match std::fs::read_to_string(&self.path) {
            Ok(text) => Policy::parse(&text).unwrap_or(self.last),
            Err(_) => Policy::Accept,
        };
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_its_words() {
        let second = Duration::from_secs(1);
        for (text, policy) in [
            ("accept\n", Some(Policy::Accept)),
            ("deny", Some(Policy::Deny)),
            ("timeout 1000", Some(Policy::Timeout(second))),
            ("wait", Some(Policy::Wait)),
            ("delay 1000", Some(Policy::Delay(second))),
            ("until 3", Some(Policy::Until(3))),
            ("delay", None),
            ("accept 1000", None),
            ("", None),
        ] {
            assert_eq!(Policy::parse(text), policy, "{text:?}");
        }
    }

    #[test]
    fn no_touch_counts_before_the_key_was_seen_to_blink() {
        let hold = Duration::from_millis(250);
        let early = Duration::from_millis(249);
        for policy in [Policy::Accept, Policy::Deny, Policy::Timeout(Duration::ZERO)] {
            assert_eq!(policy.decide(early, hold, 0), None);
            assert!(policy.decide(hold, hold, 0).is_some());
        }
        assert_eq!(Policy::Wait.decide(Duration::from_secs(3600), hold, 0), None);
    }

    #[test]
    fn a_person_may_leave_after_some_touches() {
        let hold = Duration::from_millis(250);
        assert_eq!(Policy::Until(2).decide(hold, hold, 1), Some(Outcome::Given));
        assert_eq!(Policy::Until(2).decide(hold, hold, 2), None);
    }
}
