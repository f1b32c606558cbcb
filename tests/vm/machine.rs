//! The host's side: builds the machine around this very program, boots it once for each share
//! of the trials, and brings their exit codes back.
//!
//! The processor is always emulated: a `/dev/kvm` that opens may still hang, and the trials
//! must behave alike everywhere. A machine that has not ended after 1,800 s is stopped, or after
//! an hour in `make test-long`; `KEYMUSTER_VM_DEADLINE` sets another number of seconds.

use crate::initramfs::{Initramfs, find_tool};
use crate::member::built;
use crate::trials;
use libtest_mimic::Arguments;
use std::env;
use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The word on the kernel's command line that tells this program that it is in the machine, and
/// in which.
const MARKER: &str = "keymuster-vm=";
/// Where the command line of the trials lies in the machine; `init` reads it.
const RUN_FILE: &str = "tests/run";
/// Where a virtual key's program lies in the machine.
pub(crate) const VIRTUAL_KEY: &str = "/tests/virtual-key";
/// Where the programs that look for secrets, and leave them, lie in the machine.
pub(crate) const MEMORY_SCAN: &str = "/tests/memory-scan";
pub(crate) const CARELESS: &str = "/tests/careless";
/// The program under test, on the host and in the machine.
pub(crate) const KEYMUSTER: &str = env!("CARGO_BIN_EXE_keymuster");

/// The variable with the number of seconds that the machine has.
const DEADLINE_VARIABLE: &str = "KEYMUSTER_VM_DEADLINE";
/// How long a machine has for its trials if [`DEADLINE_VARIABLE`] says nothing: several times
/// what it takes on two cores that have nothing else to do.
const DEADLINE: Duration = Duration::from_secs(1800);
/// The same with the larger numbers of `make test-long`.
const LONG_DEADLINE: Duration = Duration::from_secs(3600);
/// What `init` mounts; nothing from the host may lie below.
const MOUNTED_OVER: [&str; 4] = ["/dev", "/proc", "/run", "/sys"];
const WORKPLACE_PREFIX: &str = "vm-";
const MEMORY_MEGABYTES: &str = "1024";
/// The exit code of libtest for tests that failed, and so of a machine that did.
const FAILED: u8 = 101;

/// The number of the machine that this program runs in; none on the host.
pub(crate) fn guest_number() -> Option<usize> {
    let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let mut words = command_line.split_whitespace();
    words.find_map(|word| word.strip_prefix(MARKER)?.parse().ok())
}

/// Boots the machines whose trials `arguments` ask for, and gives the worst exit code.
pub(crate) fn run_in_machines(arguments: &Arguments) -> Result<ExitCode, String> {
    let deadline = deadline()?;
    let qemu = find_tool("qemu-system-x86_64", "qemu-system-x86")?;
    let programs = [
        (built("virtual-key", "virtual-key")?, VIRTUAL_KEY),
        (built("memory-scan", "memory-scan")?, MEMORY_SCAN),
        (built("memory-scan", "careless")?, CARELESS),
    ];
    let kernel = fetch_kernel()?;
    let workplace = Workplace::new()?;
    let archive = build_initramfs(&workplace, &kernel, &programs, arguments)?;
    let asked = |number: &usize| {
        trials::of_machine(*number).iter().any(|trial| is_asked_for(trial.name(), arguments))
    };
    let mut running = Vec::new();
    for number in (0..trials::MACHINES).filter(asked) {
        // The first one speaks at once, the others when it has ended.
        let heard = (!running.is_empty()).then(|| workplace.0.join(format!("output-{number}")));
        let result = workplace.0.join(format!("result-{number}"));
        let output = match &heard {
            Some(path) => File::create(path).map_err(|e| format!("can't write: {e}"))?.into(),
            None => Stdio::inherit(),
        };
        let machine = Command::new(&qemu)
            .args(["-machine", "q35", "-accel", "tcg", "-cpu", "max"])
            .args(["-m", MEMORY_MEGABYTES, "-smp", "1"])
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-serial", "stdio", "-serial"])
            .arg(format!("file:{}", result.display()))
            .arg("-kernel")
            .arg(kernel.join("vmlinuz"))
            .arg("-initrd")
            .arg(&archive)
            .arg("-append")
            .arg(format!("console=ttyS0 quiet panic=-1 {MARKER}{number}"))
            .stdin(Stdio::null())
            .stdout(output)
            .spawn()
            .map_err(|e| format!("can't start qemu: {e}"))?;
        running.push((Machine(machine), result, heard));
    }
    let began = Instant::now();
    let mut worst = 0;
    for (machine, result, heard) in running {
        let ended = wait_for(machine, began, deadline);
        if let Some(path) = heard {
            print!("{}", String::from_utf8_lossy(&fs::read(path).unwrap_or_default()));
        }
        ended?;
        worst = worst.max(exit_code(&result));
    }
    Ok(ExitCode::from(worst))
}

/// Whether libtest would run a trial of this name.
fn is_asked_for(name: &str, arguments: &Arguments) -> bool {
    let is = |filter: &String| if arguments.exact { name == filter } else { name.contains(filter) };
    arguments.filter.as_ref().is_none_or(is) && !arguments.skip.iter().any(is)
}

/// The exit code that a machine left.
fn exit_code(result: &Path) -> u8 {
    let text = fs::read_to_string(result).unwrap_or_default();
    let code = text.lines().find_map(|line| line.strip_prefix("rc="));
    code.and_then(|code| code.trim().parse::<u8>().ok()).unwrap_or_else(|| {
        eprintln!("error: a machine stopped before its tests had ended");
        eprintln!("hint: what it said last stands above; a kernel panic would, too");
        FAILED
    })
}

fn deadline() -> Result<Duration, String> {
    let Some(text) = env::var_os(DEADLINE_VARIABLE) else {
        let long = env::var_os("KEYMUSTER_TEST_LONG").is_some();
        return Ok(if long { LONG_DEADLINE } else { DEADLINE });
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{DEADLINE_VARIABLE} is no number of seconds: {text:?}"))
}

/// A machine that is stopped when nobody waits for it any more.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(mut machine: Machine, began: Instant, patience: Duration) -> Result<(), String> {
    loop {
        match machine.0.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("qemu failed: {status}")),
            Ok(None) if began.elapsed() < patience => sleep(Duration::from_millis(20)),
            Ok(None) => {
                return Err(format!(
                    "the tests had not ended after {} s, so the machine was stopped \
                     ({DEADLINE_VARIABLE} sets the time)",
                    patience.as_secs()
                ));
            }
            Err(e) => return Err(format!("can't wait for qemu: {e}")),
        }
    }
}

/// A directory of this run's own, removed at its end.
struct Workplace(PathBuf);

impl Workplace {
    fn new() -> Result<Self, String> {
        let above = Path::new(env!("CARGO_TARGET_TMPDIR"));
        remove_abandoned_workplaces(above);
        let path = above.join(format!("{WORKPLACE_PREFIX}{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|e| format!("can't make {}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A run that was killed could not clean up. Its process id is in the name.
fn remove_abandoned_workplaces(above: &Path) {
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|n| n.strip_prefix(WORKPLACE_PREFIX));
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn fetch_kernel() -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/fetch-kernel");
    let output = Command::new("sh")
        .arg(script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("can't run fetch-kernel: {e}"))?;
    if !output.status.success() {
        return Err("there is no kernel to boot".to_owned());
    }
    let path = String::from_utf8_lossy(&output.stdout);
    Ok(PathBuf::from(path.trim_end()))
}

fn build_initramfs(
    workplace: &Workplace,
    kernel: &Path,
    programs: &[(PathBuf, &str)],
    arguments: &Arguments,
) -> Result<PathBuf, String> {
    let itself = env::current_exe().map_err(|e| format!("can't find this program: {e}"))?;
    for program in [Path::new(KEYMUSTER), &itself] {
        if MOUNTED_OVER.iter().any(|place| program.starts_with(place)) {
            return Err(format!(
                "{} would be hidden in the machine, which mounts file systems on {MOUNTED_OVER:?}",
                program.display()
            ));
        }
    }
    let mut system = Initramfs::new(workplace.0.join("root"))?;
    for module in ["hid.ko", "hid-generic.ko", "uhid.ko"] {
        system.copy(&kernel.join(module), &Path::new("/modules").join(module))?;
    }
    system.add_own_program(Path::new(KEYMUSTER), Path::new(KEYMUSTER))?;
    system.add_own_program(&itself, &itself)?;
    for (program, place) in programs {
        system.add_own_program(program, Path::new(place))?;
    }
    system.write(RUN_FILE, &run_file(&itself, arguments))?;
    let archive = workplace.0.join("initramfs");
    system.pack(&archive)?;
    Ok(archive)
}

/// The shell text that hands environment and arguments on.
fn run_file(program: &Path, arguments: &Arguments) -> String {
    let mut text = String::new();
    for (name, value) in env::vars() {
        if name.starts_with("KEYMUSTER_") || name.starts_with("RUST_") {
            text += &format!("export {name}={}\n", quoted(&value));
        }
    }
    text += &format!("set -- {}", quoted(&program.display().to_string()));
    // The serial console looks like a terminal to the trials, so they are told what the
    // host's own output is.
    if arguments.color.is_none() {
        let color = if std::io::stdout().is_terminal() { "always" } else { "never" };
        text += &format!(" --color={color}");
    }
    for argument in env::args().skip(1) {
        text += &format!(" {}", quoted(&argument));
    }
    text + "\n"
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
