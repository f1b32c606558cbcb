//! What a child may still reach, once bytes that may be hostile are about to be read: a security
//! key's, or those of a picture.
//!
//! A helper that a device has taken over holds, at most, the PIN that was typed for that
//! device and the output that it gave; one that a picture has taken over, that picture. Here is
//! what keeps it from the rest. What reads a picture gives up all at once ([`confine_wholly`]);
//! what talks to a key does it in two steps:
//!
//! 1. [`confine`], before the device is opened. Landlock leaves the lists of devices to be
//!    read (`/sys`, `/run/udev`), and the one device to be opened. seccomp leaves the
//!    system calls that reading and writing it take: no socket, no process, no signal.
//! 2. [`close_files`], once the device is open and before it is asked anything. From then
//!    on nothing can be opened at all.
//!
//! Both are irrevocable, and both are as much as the kernel has: [`Confinement`] tells how
//! much that was. Where a kernel took the first filters of seccomp and refuses the last, the
//! helper asks its device nothing; one without seccomp takes none. A system call that isn't
//! left fails with `EPERM`. It doesn't end the process: C libraries try new calls and fall
//! back on old ones, and a key must not become unusable by that.

use std::collections::BTreeMap;
use std::fs::{self, symlink_metadata};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};
use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter, apply_filter_all_threads,
};

/// What keeps a process that talks to a device from everything else, as the process itself
/// says: it is asked before the device can have changed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Confinement {
    /// The version of Landlock's interface that keeps files from it; none where the kernel
    /// has no Landlock.
    pub landlock: Option<u32>,
    /// Whether seccomp keeps system calls from it: all but a few before its device is open,
    /// and those that open files once it is. A process that is given the first and refused
    /// the second asks its device nothing, so where a device answered, this means both.
    pub seccomp: bool,
}

/// Where the kernel and udev list what is plugged in.
const LISTS: [&str; 2] = ["/sys", "/run/udev"];

/// Leaves the calling thread, and those that it starts, with `device` and little else. To
/// be called before there is another thread.
pub fn confine(device: Option<&Path>) -> Confinement {
    // Landlock first: its system calls aren't among those that are left.
    let landlock = confine_files(device);
    Confinement { landlock, seccomp: confine_system_calls() }
}

/// Leaves the calling thread, and those that it starts, with what is open, memory, threads and
/// the end. To be called before there is another thread.
pub fn confine_wholly() -> Confinement {
    let landlock = version(restrict(None, &[]));
    Confinement { landlock, seccomp: confine_system_calls() && close_files() }
}

/// Closes what the program was started with beyond the three standard streams: a PIN or an
/// identity may be open there for it, which are none of a helper's business.
pub fn close_inherited() -> io::Result<()> {
    let mut inherited: Vec<RawFd> = Vec::new();
    for name in fs::read_dir("/proc/self/fd")? {
        inherited.extend(name?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    for number in inherited.into_iter().filter(|number| *number > 2) {
        match nix::unistd::close(number) {
            // The list itself, which is closed already.
            Ok(()) | Err(nix::errno::Errno::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Leaves `device` to be opened, and the lists of devices to be read. Gives the version of
/// Landlock's interface that does it, none where the kernel has no Landlock.
pub fn confine_files(device: Option<&Path>) -> Option<u32> {
    version(restrict(device, &LISTS))
}

/// The version of Landlock's interface that is in force, if one is.
fn version(restricted: Result<RestrictionStatus, RulesetError>) -> Option<u32> {
    let status = restricted.ok()?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, kernel_abi }) => {
            u32::try_from(kernel_abi.unwrap_or(effective_abi as i32)).ok()
        }
        _ => None,
    }
}

fn restrict(device: Option<&Path>, lists: &[&str]) -> Result<RestrictionStatus, RulesetError> {
    // All that any version knows; what the kernel doesn't know is left out.
    let newest = ABI::V7;
    let rules: RulesetCreated = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .add_rules(path_beneath_rules(lists, AccessFs::ReadFile | AccessFs::ReadDir))?;
    let device = device
        .filter(|path| symlink_metadata(path).is_ok_and(|is| is.file_type().is_char_device()))
        .and_then(|path| PathFd::new(path).ok());
    let use_it = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    match device {
        Some(device) => rules.add_rule(PathBeneath::new(device, use_it))?.restrict_self(),
        None => rules.restrict_self(),
    }
}

/// Leaves the system calls that the helper makes, and whether the kernel took that.
pub fn confine_system_calls() -> bool {
    let install = || {
        // Its arguments lie in memory, where no filter sees them. Without it, C libraries
        // start threads by `clone`.
        let no_clone3 = filter(
            BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        )?;
        let listed = allowed(&[WHILE_OPENING, ALWAYS], true)?;
        apply_filter(&no_clone3).and_then(|()| apply_filter(&listed)).map_err(drop)
    };
    install().is_ok()
}

/// Takes away the system calls that open files, from all threads, and whether the kernel
/// took that. To be called after [`confine`].
#[must_use]
pub fn close_files() -> bool {
    let install = || {
        let listed = allowed(&[ALWAYS], false)?;
        apply_filter_all_threads(&listed).map_err(drop)
    };
    install().is_ok()
}

/// What is called as long as devices are listed and opened, beside what is [`ALWAYS`].
const WHILE_OPENING: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_readlinkat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getdents64,
    libc::SYS_fstatfs,
    libc::SYS_statfs,
    // The last filter.
    libc::SYS_seccomp,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
];

/// What is called all the time: what is open, memory, threads, time, randomness, the end.
const ALWAYS: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_ppoll,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Secrets are locked in memory.
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_futex,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

fn allowed(lists: &[&[c_long]], opening: bool) -> Result<BpfProgram, ()> {
    let mut calls: BTreeMap<c_long, Vec<SeccompRule>> =
        lists.iter().copied().flatten().map(|call| (*call, Vec::new())).collect();
    let mut only = |call, rules: Result<Vec<SeccompRule>, BackendError>| {
        rules.map(|rules| drop(calls.insert(call, rules))).map_err(drop)
    };
    let equals = |argument, value: i32| when(argument, SeccompCmpOp::Eq, value.unsigned_abs());
    let masked = |argument, mask: u32, value: u32| {
        when(argument, SeccompCmpOp::MaskedEq(mask.into()), value)
    };
    let not_executable = || masked(2, libc::PROT_EXEC.unsigned_abs(), 0).map(|rule| vec![rule]);
    only(libc::SYS_mmap, not_executable())?;
    only(libc::SYS_mprotect, not_executable())?;
    // A thread, no process.
    let thread = libc::CLONE_THREAD.unsigned_abs();
    only(libc::SYS_clone, masked(0, thread, thread).map(|rule| vec![rule]))?;
    // Its own threads: an abort, no other process.
    only(libc::SYS_tgkill, when(0, SeccompCmpOp::Eq, std::process::id()).map(|rule| vec![rule]))?;
    // Of ioctls, hidraw's, all of type `H`, and non-blocking reads.
    let of_hidraw = masked(1, 0xff00, u32::from(b'H') << 8);
    let non_blocking = u32::try_from(libc::FIONBIO).map_err(drop)?;
    let non_blocking = when(1, SeccompCmpOp::Eq, non_blocking);
    only(libc::SYS_ioctl, of_hidraw.and_then(|one| Ok(vec![one, non_blocking?])))?;
    // Not who is sent a signal when there is something to read.
    let plain = [libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL];
    only(libc::SYS_fcntl, plain.into_iter().map(|command| equals(1, command)).collect())?;
    // The names of threads; while opening, what the last filter asks for.
    let mut prctl = vec![libc::PR_SET_NAME];
    if opening {
        prctl.push(libc::PR_SET_NO_NEW_PRIVS);
    }
    only(libc::SYS_prctl, prctl.into_iter().map(|option| equals(0, option)).collect())?;
    filter(calls, SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow)
}

/// One condition on an argument of a system call: on its lower 32 bits, which are all that
/// the kernel reads of these.
fn when(argument: u8, is: SeccompCmpOp, value: u32) -> Result<SeccompRule, BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, u64::from(value))?;
    SeccompRule::new(vec![condition])
}

fn filter(
    calls: BTreeMap<c_long, Vec<SeccompRule>>,
    others: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, ()> {
    let machine = std::env::consts::ARCH.try_into().map_err(drop)?;
    let filter = SeccompFilter::new(calls, others, listed, machine).map_err(drop)?;
    filter.try_into().map_err(drop)
}
