//! `careless FILE`: reads a secret and takes no care of it, so that it can be shown that a scan
//! finds what is left: whole, in a buffer that this process never wipes, and half of it, in a
//! child that is killed.

use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    match careless() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("careless failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn careless() -> io::Result<()> {
    let argument = std::env::args().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    if argument == "child" {
        let mut secret = Vec::new();
        io::stdin().read_to_end(&mut secret)?;
        let half = secret.split_off(secret.len() / 2);
        secret.fill(0);
        io::stdout().write_all(b"ready")?;
        io::stdout().flush()?;
        loop {
            std::hint::black_box(&half);
            std::thread::park();
        }
    }
    let secret = std::fs::read(argument)?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("child")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // Dropped at once: its end tells the child that this is all.
    child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?.write_all(&secret)?;
    let mut ready = [0; 5];
    child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?.read_exact(&mut ready)?;
    child.kill()?;
    child.wait()?;
    std::hint::black_box(secret.leak());
    Ok(())
}
