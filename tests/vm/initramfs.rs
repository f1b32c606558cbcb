//! The machine's file system: the host's own programs, at their own paths, with the libraries
//! they need.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that the machine gets from the host.
struct Tool {
    /// Its name on the PATH, or its absolute path.
    name: &'static str,
    /// The Debian package that has it.
    package: &'static str,
}

/// Programs the trials run. Everything else of a usual shell is busybox.
const TOOLS: &[Tool] = &[
    tool("fido2-token", "fido2-tools"),
    tool("fido2-cred", "fido2-tools"),
    tool("fido2-assert", "fido2-tools"),
    tool("ssh-keygen", "openssh-client"),
    tool("/usr/lib/openssh/ssh-sk-helper", "openssh-client"),
    tool("age", "age"),
    tool("age-keygen", "age"),
    tool("setsid", "util-linux"),
    tool("script", "bsdutils"),
    tool("bash", "bash"),
    tool("dash", "dash"),
    tool("sha256sum", "coreutils"),
    tool("od", "coreutils"),
    tool("sed", "sed"),
    tool("grep", "grep"),
];

const fn tool(name: &'static str, package: &'static str) -> Tool {
    Tool { name, package }
}

/// A file system being put together in a directory of the host.
pub(crate) struct Initramfs {
    root: PathBuf,
    libraries: BTreeSet<PathBuf>,
}

impl Initramfs {
    /// Begins with what every machine has: busybox, the tools, accounts, `/init`.
    pub(crate) fn new(root: PathBuf) -> Result<Self, String> {
        let mut this = Self { root, libraries: BTreeSet::new() };
        for directory in [
            "dev",
            "proc",
            "sys",
            "run",
            "tmp",
            "root",
            "tests",
            "modules",
            "etc",
            "usr/bin",
            "usr/lib",
            "usr/lib64",
            "usr/sbin",
            "bin/busybox.d",
        ] {
            this.make_directory(&this.root.join(directory))?;
        }
        // Shebangs and the loader's path go through these, as on the host.
        this.link("usr/lib", "lib")?;
        this.link("usr/lib64", "lib64")?;
        let busybox = find_tool("busybox", "busybox-static")?;
        if !needed_libraries(&busybox)?.is_empty() {
            return Err("busybox is not static: install the package busybox-static".to_owned());
        }
        this.copy(&busybox, Path::new("/bin/busybox"))?;
        for Tool { name, package } in TOOLS {
            let path = find_tool(name, package)?;
            this.add_program(&path)?;
        }
        this.link("../usr/bin/dash", "bin/sh")?;
        this.link("../usr/bin/bash", "bin/bash")?;
        this.write(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        )?;
        this.write("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n")?;
        this.write("etc/nsswitch.conf", "passwd: files\ngroup: files\n")?;
        this.write("init", include_str!("init"))?;
        this.set_executable("init")?;
        Ok(this)
    }

    /// Adds a program of the host, with its libraries, at the path it has there.
    fn add_program(&mut self, program: &Path) -> Result<(), String> {
        self.add_libraries_of(program)?;
        self.copy(program, program)
    }

    /// Adds one of our own programs, without the debug information the machine has no use for.
    pub(crate) fn add_own_program(&mut self, from: &Path, to: &Path) -> Result<(), String> {
        self.add_libraries_of(from)?;
        self.copy(from, to)?;
        // Without binutils the machine just takes longer to load.
        let _ = Command::new("strip")
            .arg("--strip-debug")
            .arg(self.inside(to))
            .stderr(Stdio::null())
            .status();
        Ok(())
    }

    fn add_libraries_of(&mut self, program: &Path) -> Result<(), String> {
        for library in needed_libraries(program)? {
            if self.libraries.insert(library.clone()) {
                self.copy(&library, &library)?;
            }
        }
        Ok(())
    }

    /// Copies a file of the host to an absolute path in the machine.
    pub(crate) fn copy(&self, from: &Path, to: &Path) -> Result<(), String> {
        let to = self.inside(to);
        self.make_directory(to.parent().unwrap_or(&self.root))?;
        fs::copy(from, &to)
            .map(drop)
            .map_err(|e| format!("can't copy {} to {}: {e}", from.display(), to.display()))
    }

    /// Writes a file at a path below the machine's root.
    pub(crate) fn write(&self, path: &str, content: &str) -> Result<(), String> {
        let path = self.root.join(path);
        fs::write(&path, content).map_err(|e| format!("can't write {}: {e}", path.display()))
    }

    /// Packs everything into an archive the kernel can unpack, owned by root in there.
    pub(crate) fn pack(&self, archive: &Path) -> Result<(), String> {
        let cpio = find_tool("cpio", "cpio")?;
        let file = fs::File::create(archive)
            .map_err(|e| format!("can't write {}: {e}", archive.display()))?;
        let mut find = Command::new("find")
            .args([".", "-mindepth", "1", "-print0"])
            .current_dir(&self.root)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("can't run find (package findutils): {e}"))?;
        let names = find.stdout.take().ok_or("find has no output")?;
        let packed = Command::new(cpio)
            .args(["--quiet", "-o", "-0", "-H", "newc", "-R", "0:0"])
            .current_dir(&self.root)
            .stdin(names)
            .stdout(file)
            .status();
        let found = find.wait();
        match (packed, found) {
            (Ok(cpio), Ok(find)) if cpio.success() && find.success() => Ok(()),
            outcome => Err(format!("can't pack the initramfs: {outcome:?}")),
        }
    }

    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn make_directory(&self, path: &Path) -> Result<(), String> {
        fs::create_dir_all(path).map_err(|e| format!("can't make {}: {e}", path.display()))
    }

    fn link(&self, target: &str, name: &str) -> Result<(), String> {
        symlink(target, self.root.join(name)).map_err(|e| format!("can't link {name}: {e}"))
    }

    fn set_executable(&self, path: &str) -> Result<(), String> {
        let path = self.root.join(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .map_err(|e| format!("can't make {} executable: {e}", path.display()))
    }
}

/// Finds a program of the host, whether its directory is on the PATH or not.
pub(crate) fn find_tool(name: &str, package: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(PathBuf::from);
    // The usual places come first: the machine looks for the tool there.
    usual
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("{name} is missing: install the package {package}"))
}

/// The libraries the loader would load, and the loader. None for a static program.
fn needed_libraries(program: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("ldd")
        .arg(program)
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| format!("can't run ldd (package libc-bin): {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut libraries = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_suffix("=> not found") {
            let hint = match name.trim() {
                "libudev.so.1" => ": install the package libudev1",
                "libfido2.so.1" => ": install the package libfido2-1",
                _ => "",
            };
            return Err(format!("{} needs {name}, which is missing{hint}", program.display()));
        }
        let place = line.split_once("=> ").map_or(line, |(_, place)| place);
        let place = place.split_once(" (0x").map_or("", |(path, _)| path);
        if place.starts_with('/') {
            libraries.push(PathBuf::from(place));
        }
    }
    Ok(libraries)
}
