//! What a helper can reach that a device has taken over: nothing but that device.
//!
//! The real helper can't be taken over without a flaw in it. So this program is started once
//! more in its place, gives up what the helper gives up, by the same functions, and then
//! tries everything. Other trials look at the real one, to see that it has done the same.

use super::office::{PIN, pin_file, visit};
use super::trials;
use crate::keys::{Touch, VirtualKey};
use crate::machine::KEYMUSTER;
use crate::run::{Outcome, keymuster, program, scratch, wait_until};
use keymuster::confinement::{close_files, confine, confine_files, confine_system_calls};
use keymuster::hardening::keep_memory_private;
use libtest_mimic::Trial;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::pty::{OpenptFlags, openpt};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

pub(super) fn trials() -> Vec<Trial> {
    trials!["confinement":
        a_subverted_helper_reaches_nothing_but_its_device,
        key_info_says_what_the_kernel_gave,
        a_helper_that_is_refused_the_last_filter_asks_its_key_nothing,
        the_real_helper_is_confined_and_holds_nothing_but_its_device,
        neither_process_can_be_looked_into_by_the_same_user,
        neither_process_leaves_a_core_file,
    ]
}

/// The word that starts this program as a subverted helper.
const SUBVERTED: &str = "subverted-helper";

/// What was given up before the attempts.
const STAGES: [&str; 5] = ["nothing", "landlock", "seccomp", "opening", "open"];

/// What an attempt is made on.
struct Target {
    /// The device that the helper is for.
    device: PathBuf,
    /// Another key.
    other_device: PathBuf,
    /// A file that is none of its business, in a folder of its own.
    file: PathBuf,
    /// Another process of the same user.
    process: Pid,
    /// An address in it.
    address: usize,
    /// A terminal that was open before anything was given up.
    terminal: OwnedFd,
}

type Attempt = fn(&Target) -> io::Result<()>;

/// What a taken-over helper tries, and whether it may: never, or as long as its device isn't
/// open yet, or always.
const ATTEMPTS: [(&str, May, Attempt); 30] = [
    ("start a thread", May::Always, |_| {
        let thread = std::thread::Builder::new().spawn(|| ())?;
        thread.join().map_err(|_| io::ErrorKind::Other.into())
    }),
    ("open its own device", May::UntilOpen, |on| open(&on.device)),
    ("list what is plugged in", May::UntilOpen, |_| list(Path::new("/sys/class/hidraw"))),
    ("open another key", May::Never, |on| open(&on.other_device)),
    ("read a file", May::Never, |on| fs::read(&on.file).map(drop)),
    ("list a folder", May::Never, |on| list(folder(on))),
    ("write a file", May::Never, |on| fs::write(&on.file, "x")),
    ("make a file", May::Never, |on| fs::write(folder(on).join("new"), "x")),
    ("link a file", May::Never, |on| fs::hard_link(&on.file, folder(on).join("link"))),
    ("rename a file", May::Never, |on| fs::rename(&on.file, &on.file)),
    ("make a folder", May::Never, |on| fs::create_dir(folder(on).join("folder"))),
    ("remove a folder", May::Never, |on| fs::remove_dir(folder(on).join("empty"))),
    ("write into /sys", May::Never, |_| {
        OpenOptions::new().write(true).open("/sys/kernel/mm/ksm/run").map(drop)
    }),
    ("open the console", May::Never, |_| open(Path::new("/dev/console"))),
    ("listen on TCP", May::Never, |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("connect by TCP", May::Never, |_| {
        match TcpStream::connect("127.0.0.1:9") {
            // Nobody listens there: that is the network's own word.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            other => other.map(drop),
        }
    }),
    ("open a UDP socket", May::Never, |_| UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("make a socket pair", May::Never, |_| UnixStream::pair().map(drop)),
    // The first that isn't left of what this takes is clone(2) without CLONE_THREAD.
    ("start a process", May::Never, |_| {
        let ended = Command::new("true").status()?;
        if ended.success() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    }),
    ("signal a process", May::Never, |on| Ok(nix::sys::signal::kill(on.process, None)?)),
    ("trace a process", May::Never, |on| {
        nix::sys::ptrace::attach(on.process)?;
        nix::sys::wait::waitpid(on.process, None)?;
        Ok(nix::sys::ptrace::detach(on.process, None)?)
    }),
    ("open its memory", May::Never, |on| File::open(format!("/proc/{}/mem", on.process)).map(drop)),
    ("read its memory", May::Never, |on| {
        let mut byte = [0];
        let from = [RemoteIoVec { base: on.address, len: 1 }];
        Ok(process_vm_readv(on.process, &mut [IoSliceMut::new(&mut byte)], &from).map(drop)?)
    }),
    ("mount a file system", May::Never, |on| {
        let nothing: Option<&str> = None;
        let flags = nix::mount::MsFlags::empty();
        Ok(nix::mount::mount(Some("x"), folder(on), Some("tmpfs"), flags, nothing)?)
    }),
    ("make a name space", May::Never, |_| {
        Ok(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUTS)?)
    }),
    ("map memory to execute", May::Never, |_| {
        region::alloc(1, region::Protection::READ_EXECUTE).map(drop).map_err(|error| match error {
            region::Error::SystemCall(errno) => io::Error::from_raw_os_error(errno),
            other => io::Error::other(other.to_string()),
        })
    }),
    ("ask a terminal its size", May::Never, |on| {
        Ok(rustix::termios::tcgetwinsize(&on.terminal).map(drop)?)
    }),
    // Of fcntl's commands, one that isn't left, as F_SETOWN isn't.
    ("lock what is open", May::Never, |on| {
        Ok(fcntl_lock(&on.terminal, FlockOperation::NonBlockingLockExclusive)?)
    }),
    ("allow core files again", May::Never, |_| {
        let some = Rlimit { current: Some(4096), maximum: Some(4096) };
        Ok(rustix::process::setrlimit(Resource::Core, some)?)
    }),
    ("allow debuggers again", May::Never, |_| {
        Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?)
    }),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    Never,
    UntilOpen,
    Always,
}

fn open(path: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).write(true).open(path).map(drop)
}

fn list(path: &Path) -> io::Result<()> {
    fs::read_dir(path).map(drop)
}

fn folder(on: &Target) -> &Path {
    on.file.parent().expect("it lies in a folder")
}

/// Where this program was started as a subverted helper: does the worst, and says how each
/// attempt ended.
pub(crate) fn subverted() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(SUBVERTED) {
        return None;
    }
    let [stage, device, other_device, file, process, address] =
        std::array::from_fn(|_| arguments.next().expect("its trial gives them all"));
    let number = |text: String| text.parse::<usize>().expect("its trial gives a number");
    let target = Target {
        device: device.into(),
        other_device: other_device.into(),
        file: file.into(),
        process: Pid::from_raw(i32::try_from(number(process)).expect("a process has a small id")),
        address: number(address),
        terminal: openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals"),
    };
    let given_up = match stage.as_str() {
        "nothing" => true,
        "landlock" => confine_files(Some(&target.device)).is_some(),
        "seccomp" => confine_system_calls(),
        opening_or_open => {
            keep_memory_private().expect("any kernel does that");
            let confinement = confine(Some(&target.device));
            let confined = confinement.landlock.is_some() && confinement.seccomp;
            confined && (opening_or_open == "opening" || close_files())
        }
    };
    assert!(given_up, "this kernel has no Landlock or no seccomp");
    for (name, _, attempt) in ATTEMPTS {
        match attempt(&target) {
            Ok(()) => println!("{name}\tdone"),
            Err(error) => println!("{name}\t{}", errno(&error)),
        }
    }
    Some(ExitCode::SUCCESS)
}

fn errno(error: &io::Error) -> String {
    match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(errno) => format!("{errno:?}"),
        None => format!("{:?}", error.kind()),
    }
}

/// A process to be attacked. It ends with its trial.
struct Victim(Child);

impl Victim {
    fn start() -> Self {
        let sleep = Command::new("sleep").arg("600").spawn().expect("sleep runs");
        // Its memory stands once it sleeps, which is later than that it was started.
        let status = format!("/proc/{}/status", sleep.id());
        wait_until("sleep sleeps", || {
            fs::read_to_string(&status).is_ok_and(|status| status.contains("State:\tS"))
        });
        Self(sleep)
    }

    /// The address of something in its memory.
    fn address(&self) -> usize {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.0.id())).expect("it runs");
        let start = maps.split('-').next().expect("something is mapped");
        usize::from_str_radix(start, 16).expect("addresses are hexadecimal")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How each attempt ended at a stage, on things made for it.
fn attempts_at(stage: &str, device: &str, other_device: &str) -> BTreeMap<String, String> {
    let (victim, folder) = (Victim::start(), scratch());
    let file = folder.join("secret");
    fs::write(&file, "x").expect("the scratch folder can be written to");
    fs::create_dir(folder.join("empty")).expect("the scratch folder can be written to");
    let this = std::env::current_exe().expect("this program is a file");
    let (process, address) = (victim.0.id().to_string(), victim.address().to_string());
    let file = file.to_string_lossy();
    let arguments = [SUBVERTED, stage, device, other_device, &file, &process, &address];
    let said = program(&this.to_string_lossy(), &arguments).run().expect_success();
    let ends = said.lines().filter_map(|line| line.split_once('\t'));
    ends.map(|(name, end)| (name.to_owned(), end.to_owned())).collect()
}

fn a_subverted_helper_reaches_nothing_but_its_device() {
    let (own, other) = (VirtualKey::plug("own"), VirtualKey::plug("other"));
    program("ip", &["link", "set", "lo", "up"]).run().expect_success();
    let ends = STAGES.map(|stage| attempts_at(stage, own.device(), other.device()));
    let [free, _, _, opening, open] = &ends;

    eprintln!(
        "\n{:<26}{:<10}{:<12}{:<10}{:<10}open",
        "attempt", "free", "Landlock", "seccomp", "opening"
    );
    for (name, ..) in ATTEMPTS {
        let row = ends.iter().map(|ends| format!("{:<11}", ends[name]));
        eprintln!("{name:<26}{}", row.collect::<String>().trim_end());
    }
    for (name, may, _) in ATTEMPTS {
        assert_eq!(free[name], "done", "{name}: the attempt must succeed where nothing stops it");
        // One that failed for a reason of its own would prove nothing.
        let (opening, open) = (opening[name].as_str(), open[name].as_str());
        let expected: &[_] = if may == May::Never { &["EACCES", "EPERM"] } else { &["done"] };
        assert!(expected.contains(&opening), "{name}, while its device is opened: {opening}");
        let expected = if may == May::Always { "done" } else { "EPERM" };
        assert_eq!(open, expected, "{name}, once its device is open");
    }
}

fn key_info_says_what_the_kernel_gave() {
    let key = VirtualKey::plug("key");
    let said = keymuster(&["key", "info", "--json"]).run().expect_success();
    let said: Value = serde_json::from_str(&said).expect("an answer in JSON");
    let helper = &said["helper"];
    assert!(helper["landlock"].as_u64().is_some_and(|version| version >= 2), "{said}");
    assert_eq!(helper["seccomp"], true, "{said}");
    let said = keymuster(&["key", "info"]).run().expect_success();
    assert!(said.contains("no files (Landlock "), "{said}");
    assert!(said.contains("few system calls (seccomp)"), "{said}");
    drop(key);
}

/// The word that starts this program as a kernel that takes few filters of system calls: it
/// becomes another program under a filter that refuses those.
const REFUSING: &str = "refusing-filters";

/// Where this program was started so: refuses, and becomes what it was given.
pub(crate) fn refusing() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(REFUSING) {
        return None;
    }
    let last = libc::SECCOMP_FILTER_FLAG_TSYNC;
    let refused = match arguments.next().as_deref() {
        Some("none") => BTreeMap::new(),
        // The last is the one for all threads.
        Some("the last") => {
            let for_all = SeccompCondition::new(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, last);
            let for_all = SeccompRule::new(vec![for_all.expect("it is well formed")]);
            BTreeMap::from([(libc::SYS_seccomp, vec![for_all.expect("it has a condition")])])
        }
        _ => BTreeMap::from([(libc::SYS_seccomp, Vec::new())]),
    };
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into().expect("seccompiler knows the machine");
    let filter = SeccompFilter::new(refused, SeccompAction::Allow, refusal, machine);
    let filter: BpfProgram = filter.and_then(TryInto::try_into).expect("it is well formed");
    apply_filter(&filter).expect("this kernel takes it");
    let program = arguments.next().expect("its trial names a program");
    panic!("can't run {program}: {}", Command::new(&program).args(arguments).exec());
}

fn a_helper_that_is_refused_the_last_filter_asks_its_key_nothing() {
    let key = VirtualKey::plug("key");
    let this = std::env::current_exe().expect("this program is a file");
    let info = |refused| {
        let command = [REFUSING, refused, KEYMUSTER, "key", "info", "--json"];
        let outcome = program(&this.to_string_lossy(), &command).run();
        (outcome, key.events("begin").len())
    };
    let seccomp = |outcome: Outcome| {
        let said: Value = serde_json::from_str(&outcome.expect_success()).expect("JSON");
        said["helper"]["seccomp"].clone()
    };
    let (confined, asked) = info("none");
    assert_eq!(seccomp(confined), true);
    assert!(asked > 0, "the key is asked");

    let (refused, asked_then) = info("the last");
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let said = refused.expect_failure();
    assert!(said.contains("it couldn't give up opening files"), "{said}");
    eprintln!("\n{}", said.trim());
    assert_eq!(asked_then, asked, "the key is asked nothing");

    let (without, asked_at_last) = info("all");
    assert_eq!(seccomp(without), false);
    assert!(asked_at_last > asked, "the key is asked where there is no seccomp");
}

/// The processes of a command, its helper's first, while its key waits for a touch.
fn while_it_waits(look: impl FnOnce(&str, &str, &VirtualKey)) {
    let office = visit(true, false);
    office.primary.touch(Touch::Wait);
    // What is open for the program is none of the helper's business.
    let check = format!(
        "exec {} --pin-file {} 3<{} 4</dev/zero 17>/dev/full",
        office.command_line("key check"),
        pin_file(&scratch(), PIN),
        office.path("reader.identity"),
    );
    let running = program("bash", &["-c", &check]).start();
    office.primary.wait_until_it_blinks();
    let helper = process_of("key-helper");
    let parent = process_of("key\0check");
    look(&helper, &parent, &office.primary);
    office.primary.touch(Touch::Accept);
    running.finish();
}

/// The id of the one process of ours whose command line holds these words.
#[track_caller]
fn process_of(words: &str) -> String {
    let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let ids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let mut ours = ids.filter(|id| {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.starts_with(KEYMUSTER) && line.contains(words)
    });
    let id = ours.next().expect("it runs");
    assert_eq!(ours.next(), None, "there is one that is called {words:?}");
    id
}

fn the_real_helper_is_confined_and_holds_nothing_but_its_device() {
    while_it_waits(|helper, _, key| {
        let threads = fs::read_dir(format!("/proc/{helper}/task")).expect("it runs").flatten();
        let mut count = 0;
        for thread in threads {
            let status = fs::read_to_string(thread.path().join("status")).expect("it runs");
            let is = |field: &str, value: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(field));
                assert_eq!(line.map(str::trim), Some(value), "{field} of a thread: {status}");
            };
            is("NoNewPrivs:", "1");
            is("Seccomp:", "2");
            // Those of `confine`, and that of `close_files`.
            is("Seccomp_filters:", "3");
            count += 1;
        }
        assert!(count >= 3, "it has threads: {count}");

        let open = fs::read_dir(format!("/proc/{helper}/fd")).expect("it runs").flatten();
        for file in open.filter_map(|entry| fs::read_link(entry.path()).ok()) {
            let file = file.to_string_lossy().into_owned();
            let harmless = file.starts_with("socket:") || file == "/dev/null";
            assert!(harmless || file == key.device(), "it holds {file}");
        }
        let environment = fs::read(format!("/proc/{helper}/environ")).expect("it runs");
        assert_eq!(String::from_utf8_lossy(&environment), "LC_ALL=C.UTF-8\0");
    });
}

/// Runs a shell command as a user without rights.
fn as_nobody(command: &str) -> crate::run::Program {
    program("/bin/busybox", &["su", "-s", "/bin/sh", "nobody", "-c", command])
}

fn neither_process_can_be_looked_into_by_the_same_user() {
    let look_into = |id: &str| as_nobody(&format!("cat /proc/{id}/maps")).run();
    let open = as_nobody("echo $$; exec sleep 600").start();
    wait_until("any other process can be looked into", || {
        let id = open.said();
        id.ends_with('\n') && look_into(id.trim()).status.success()
    });
    drop(open);

    let key = VirtualKey::plug("key");
    program("chmod", &["666", key.device()]).run().expect_success();
    // The helper waits for a key that says nothing.
    key.turn_hostile("silence getInfo");
    let running = as_nobody(&format!("exec {KEYMUSTER} key info")).start();
    wait_until("the key is asked", || !key.events("begin").is_empty());
    for id in [process_of("key-helper"), process_of("key\0info")] {
        let said = look_into(&id).expect_failure();
        assert!(said.contains("Permission denied"), "{said}");
    }
    running.finish();
}

fn neither_process_leaves_a_core_file() {
    let folder = scratch();
    let pattern = format!("{}/%p", folder.display());
    fs::write("/proc/sys/kernel/core_pattern", pattern).expect("this is root");
    let cores = || fs::read_dir(&folder).expect("it was made").count();
    let abort = "ulimit -c unlimited && exec sh -c 'kill -ABRT $$'";
    program("sh", &["-c", abort]).run().expect_failure();
    assert_eq!(cores(), 1, "any other process leaves one");

    for words in ["key-helper", "key\0check"] {
        let office = visit(true, false);
        office.primary.touch(Touch::Wait);
        let check = office.command_line("key check --pin-fd 3");
        let command = format!("ulimit -c unlimited && echo {PIN} >pin && exec {check} 3<pin");
        let running = program("sh", &["-c", &command]).current_dir(&scratch()).start();
        office.primary.wait_until_it_blinks();
        program("kill", &["-s", "ABRT", &process_of(words)]).run().expect_success();
        assert_ne!(running.finish().code(), Some(0));
        assert_eq!(cores(), 1, "a core file of {words:?}");
    }
}
