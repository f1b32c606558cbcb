//! Signals: Ctrl-C and its like end a wait in good order, Ctrl-Z gives the terminal back.
//!
//! A thread of its own takes them and sets a flag; nothing is done in a handler. Whoever waits
//! looks at that flag. What a signal means to a command is decided there, not here.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTOU, TERM_SIGNALS};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{exit as exit_at_once, raise};

use super::exit;
use super::prompt::Terminal;

/// That all is done but telling it.
#[derive(Debug, Default)]
pub struct Telling {
    begun: AtomicBool,
    /// The entry that was recorded; 0 is none.
    entry: AtomicU64,
    /// Whether somebody else than whoever sits at the keyboard wants the process to end.
    told_to_end: AtomicBool,
}

impl Telling {
    /// From now on it is so. An entry that was `recorded` stands.
    pub fn begin(&self, recorded: Option<u64>) {
        self.entry.store(recorded.unwrap_or(0), Ordering::Relaxed);
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Whether the process was told to end by something else than a key that was pressed.
    pub fn is_told_to_end(&self) -> bool {
        self.told_to_end.load(Ordering::Relaxed)
    }

    /// Says what stands although its answer wasn't given, but waits for nobody to read it.
    fn say(&self) {
        let entry = self.entry.load(Ordering::Relaxed);
        if self.begun.load(Ordering::Relaxed) && entry != 0 {
            let said = thread::Builder::new().spawn(move || {
                let _ =
                    writeln!(anstream::stderr(), "error: interrupted; entry {entry} is recorded");
            });
            thread::sleep(Duration::from_millis(100));
            drop(said);
        }
    }
}

/// How long after a process went on the signal that let it go on may still arrive.
const SAME_STOP: Duration = Duration::from_secs(1);

/// Has a thread of its own take the signals of this process. One that asks it to end sets
/// `interrupted`, which every wait looks at; a second one, or one that comes while the process
/// is only `telling`, ends it at once. Ctrl-Z stops it. The terminal is given back first. A
/// signal that was ignored when the process began (nohup) goes on being ignored.
pub fn take_signals(
    interrupted: &Arc<AtomicBool>,
    telling: &Arc<Telling>,
    terminal: &Terminal,
) -> io::Result<()> {
    let ignored = ignored_signals();
    let all = TERM_SIGNALS.iter().chain(&[SIGHUP, SIGTSTP, SIGCONT]);
    let taken = all.filter(|signal| ignored & (1 << (**signal - 1)) == 0);
    let mut signals = Signals::new(taken)?;
    let (interrupted, telling) = (Arc::clone(interrupted), Arc::clone(telling));
    let terminal = terminal.clone();
    let take = move || {
        let mut went_on: Option<Instant> = None;
        for signal in &mut signals {
            if signal == SIGTSTP {
                // SIGTSTP itself would only come here again. SIGTTOU stops a process under the
                // same rule: not where no shell is there to let it go on.
                terminal.without_question(|| drop(raise(SIGTTOU)));
                went_on = Some(Instant::now());
                continue;
            }
            if signal == SIGCONT {
                // That which ended the stop above is answered already: to ask once more would
                // throw away what was typed since. Another may have ended a stop by what can't
                // be taken (SIGSTOP).
                if went_on.take().is_none_or(|since| since.elapsed() > SAME_STOP) {
                    terminal.redraw();
                }
                continue;
            }
            if ![SIGINT, SIGQUIT].contains(&signal) {
                telling.told_to_end.store(true, Ordering::Relaxed);
            }
            // One closed terminal may send two SIGHUP: they are no sign of impatience.
            let again = interrupted.swap(true, Ordering::Relaxed) && signal != SIGHUP;
            if again || telling.begun.load(Ordering::Relaxed) {
                terminal.without_question(|| {
                    telling.say();
                    exit_at_once(exit::INTERRUPTED.into());
                });
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(take).map(drop)
}

/// The signals that this process was started to ignore, as a mask: bit n-1 is signal n
/// (proc(5), `SigIgn`).
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
