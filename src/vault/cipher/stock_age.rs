//! Stock `age` and `age-keygen`, which judge what we write and write what we read. For tests.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory of files for stock age, removed afterwards.
pub(in crate::vault) struct StockAge(tempfile::TempDir);

impl StockAge {
    pub(in crate::vault) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(in crate::vault) fn path(&self) -> &Path {
        self.0.path()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    pub(in crate::vault) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, contents).expect("a file in the temporary directory");
        path
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    pub(in crate::vault) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).expect("a file that stock age has written")
    }

    /// Runs a program in the directory and gives what it wrote, if it succeeded.
    pub(in crate::vault) fn run(
        &self,
        program: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<Vec<u8>, String> {
        #[expect(clippy::disallowed_methods, reason = "the peer that the test asks")]
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("this test needs `{program}` (Debian packages age, bsdutils): {e}")
            });
        // A program that doesn't read its input closes it, and that is its business.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        let output = child.wait_with_output().expect("the program's output");
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr))
        }
    }

    /// Runs a command that asks for a passphrase on its terminal.
    pub(in crate::vault) fn run_typing(&self, command: &str, typed: &str) -> Result<(), String> {
        self.run("script", &["-qec", command, "/dev/null"], typed.as_bytes()).map(|_| ())
    }
}
