//! `memory-scan PROGRAM FOLDER COMMAND [ARGUMENT…]`: runs a command, and puts pictures of the
//! memory of every process of it that runs PROGRAM into FOLDER. Ends as the command ended.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitCode;

/// The exit code of a scan that failed, which no program under test ends with.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, folder, command @ ..] = arguments.as_slice() else {
        eprintln!("usage: memory-scan PROGRAM FOLDER COMMAND [ARGUMENT…]");
        return ExitCode::from(FAILED);
    };
    match memory_scan::trace::run(command, program, Path::new(folder)) {
        Ok(status) => {
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
            ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
        }
        Err(error) => {
            eprintln!("memory-scan failed: {error}");
            eprintln!(
                "it needs CAP_SYS_PTRACE: root, or unshare --user --map-root-user memory-scan …"
            );
            ExitCode::from(FAILED)
        }
    }
}
