//! What the process's exit code says. Documented in the README; scripts rely on it.

/// Yes, or done.
pub const DONE: u8 = 0;
/// It failed.
pub const FAILED: u8 = 1;
/// The command line is wrong, or says too little.
pub const USAGE: u8 = 2;
/// It was checked, and the answer is no: a faulty log, a key that isn't enrolled.
pub const NO: u8 = 3;
/// A person or a key is needed and absent: no key, no touch, no terminal to ask on.
pub const ABSENT: u8 = 4;
/// Interrupted, by whichever signal or key: scripts needn't tell a closed terminal from Ctrl-C.
pub const INTERRUPTED: u8 = 130;
/// Whoever reads the output has gone.
pub const BROKEN_PIPE: u8 = 141;
