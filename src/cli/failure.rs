//! How a command fails: what is wrong, why, what to do next, and with which exit code.

use std::error::Error;
use std::fmt;
use std::io;

use super::exit;
use crate::key::KeyError;
use crate::key::software::SoftwareKeyError;
use crate::log::{Fault, Rule};
use crate::text::sanitise_lines;
use crate::vault::{
    AppendError, AttachmentError, CompartmentError, FoundError, LockError, MemoryError, NoVault,
    OpenError, RecordsError, SealError, SlipFileError, StoreError, YieldError,
};

/// What is told to the person whose command failed.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong: a lower-case fragment that names the object.
    pub message: String,
    /// Why, from the outside in.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The exit code.
    pub exit: u8,
}

/// How a hint begins that says so.
const UNCHANGED: &str = "nothing was changed; ";

impl Failure {
    /// A failure in our own words.
    pub fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None, exit }
    }

    /// A failure with an error for its cause.
    pub fn because(exit: u8, message: impl Into<String>, cause: &(dyn Error + 'static)) -> Self {
        let inner = Self::of(exit, cause);
        let causes = [inner.message].into_iter().chain(inner.causes).collect();
        Self { message: message.into(), causes, hint: inner.hint, exit }
    }

    /// An error as a failure. What to do about a full disk is the same everywhere.
    pub fn of(exit: u8, error: &(dyn Error + 'static)) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        let mut cause = Some(error);
        while let Some(error) = cause {
            if is_full(error) {
                failure.hint = Some("make room on that disk, then run the command again".into());
            }
            cause = error.source();
            failure.causes.extend(cause.map(ToString::to_string));
        }
        failure
    }

    /// The same, with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, where an entry stands that was recorded before: nobody is to think that
    /// nothing was changed.
    #[must_use]
    pub fn after_entry(mut self, entry: u64) -> Self {
        self.message.push_str(&format!("; entry {entry} is recorded"));
        if let Some(rest) = self.hint.as_deref().and_then(|hint| hint.strip_prefix(UNCHANGED)) {
            self.hint = Some(rest.to_owned());
        }
        self
    }

    /// What happened and why, in one line without a full stop.
    pub fn sentence(&self) -> String {
        [std::slice::from_ref(&self.message), &self.causes].concat().join(": ")
    }

    /// Ctrl-C.
    pub fn interrupted() -> Self {
        Self::new(exit::INTERRUPTED, "interrupted")
    }
}

fn is_full(error: &(dyn Error + 'static)) -> bool {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    error.downcast_ref::<io::Error>().is_some_and(|error| full.contains(&error.kind()))
}

impl fmt::Display for Failure {
    /// Several lines: `error:`, then `caused by:` and `hint:` where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bold, red, cyan, plain) = ("\x1b[1m", "\x1b[31m", "\x1b[36m", "\x1b[0m");
        // A path may hold anything.
        let fit = |text: &str| sanitise_lines(text, 1000);
        write!(f, "{bold}{red}error:{plain} {}", fit(&self.message))?;
        for cause in &self.causes {
            write!(f, "\n{bold}caused by:{plain} {}", fit(cause))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n{bold}{cyan}hint:{plain} {}", fit(hint)),
            None => Ok(()),
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let (code, hint) = match &error {
            KeyError::Cancelled => return Self::interrupted(),
            KeyError::Gone(_) => (exit::ABSENT, "plug the key in and run the command again"),
            KeyError::Denied | KeyError::TouchTimedOut => (
                exit::ABSENT,
                "nothing was changed; run the command again and touch the key when asked",
            ),
            KeyError::Silent(_) => {
                (exit::ABSENT, "unplug the key, plug it in again, and run the command again")
            }
            KeyError::Busy(_) => {
                (exit::ABSENT, "close what uses the key (a browser, ssh) and try again")
            }
            KeyError::NoPermission(_) => (
                exit::FAILED,
                "log in at the machine itself, where udev grants it, or have root allow it: see ls -l for the device",
            ),
            KeyError::TooOld(_) => (exit::FAILED, "use a key that speaks FIDO2"),
            KeyError::PinNotSet => (exit::ABSENT, "give it one: keymuster key pin set"),
            KeyError::PinRequired => {
                (exit::ABSENT, "give its PIN when asked, or by --pin-file or --pin-fd")
            }
            KeyError::PinWrong { .. } => (
                exit::FAILED,
                "mind the attempts left: keymuster key info shows them; at none, the key locks",
            ),
            KeyError::PinPaused => {
                (exit::FAILED, "unplug the key, plug it in again, and think before the next try")
            }
            KeyError::PinLocked => {
                (exit::FAILED, "this key is lost to the vault; use another key, or the paper copy")
            }
            KeyError::PinChangeForced => {
                (exit::FAILED, "change it with the vendor's tool, such as fido2-token -C")
            }
            KeyError::NoSuchCredential => {
                (exit::NO, "it isn't the key that was enrolled, or it was reset since")
            }
            KeyError::Nonsense(_) => {
                (exit::FAILED, "nothing was changed; a key that keeps doing this isn't sound")
            }
            _ => (exit::FAILED, ""),
        };
        let failure = Self::of(code, &error);
        if hint.is_empty() { failure } else { failure.hint(hint) }
    }
}

impl From<NoVault> for Failure {
    fn from(error: NoVault) -> Self {
        let hint = match &error {
            NoVault::NotFound(_) => {
                "name the vault with --vault DIR, or make one: keymuster vault init"
            }
            NoVault::NotAVault(_) => "make one there with keymuster vault init, or name another",
            NoVault::NewerFormat { .. } => "install a newer keymuster",
            _ => return Self::of(exit::FAILED, &error),
        };
        Self::of(exit::FAILED, &error).hint(hint)
    }
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Self {
        let code = match &error {
            RecordsError::Store(StoreError::Io { .. }) => exit::FAILED,
            _ => exit::NO,
        };
        let failure = Self::of(code, &error);
        match &error {
            RecordsError::Closed {
                source: CompartmentError::File(OpenError::NoIdentity), ..
            } => failure.hint(
                "the identity is of no reader or custodian of this vault; ask one to add you",
            ),
            _ => failure,
        }
    }
}

impl From<Fault> for Failure {
    fn from(error: Fault) -> Self {
        Self::of(exit::NO, &error)
    }
}

impl From<AttachmentError> for Failure {
    fn from(error: AttachmentError) -> Self {
        let code = match &error {
            AttachmentError::Store(StoreError::Missing(_)) => exit::NO,
            AttachmentError::Store(_) => exit::FAILED,
            _ => exit::NO,
        };
        Self::of(code, &error).hint(
            "get the file from another copy of the vault, where keymuster vault show finds no fault",
        )
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        match &error {
            AppendError::Faulty(_) => Self::of(exit::NO, &error)
                .hint("keymuster log verify tells more; restore the file from git or a backup"),
            AppendError::Refused(fault) if fault.rule == Rule::Signature => {
                Self::of(exit::NO, &error).hint(
                    "the key that signed isn't the one that was enrolled; nothing was recorded",
                )
            }
            _ => Self::of(exit::FAILED, &error),
        }
    }
}

impl From<YieldError> for Failure {
    fn from(error: YieldError) -> Self {
        match error {
            YieldError::Store(error) => error.into(),
            other => Self::of(exit::FAILED, &other),
        }
    }
}

impl From<SlipFileError> for Failure {
    fn from(error: SlipFileError) -> Self {
        Self::of(exit::FAILED, &error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Taken(_) => Self::of(exit::FAILED, &error)
                .hint("nothing is ever overwritten: name another, or move that one away"),
            StoreError::Changed(_) => Self::of(exit::FAILED, &error)
                .hint("it is as the other one left it: look at it, and do the same again"),
            _ => Self::of(exit::FAILED, &error),
        }
    }
}

impl From<FoundError> for Failure {
    fn from(error: FoundError) -> Self {
        match &error {
            FoundError::AlreadyAVault(_) | FoundError::InTheWay(_) => {
                Self::of(exit::FAILED, &error).hint("name another folder for the new vault")
            }
            _ => Self::of(exit::FAILED, &error),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held => Self::of(exit::FAILED, &error)
                .hint("nothing was recorded; run the command again when the other one is done"),
            LockError::Io { .. } => Self::of(exit::FAILED, &error),
        }
    }
}

/// Errors that end with exit code 1 and need no hint.
macro_rules! plain_failure {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(exit::FAILED, &error)
            }
        }
    )*};
}
plain_failure!(SoftwareKeyError, MemoryError, SealError);
