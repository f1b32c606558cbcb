//! Keeps what a process holds in memory to itself.
//!
//! Both the program and its helper for security keys hold secrets: neither leaves a core
//! file, and no other process of the same user may look into them or trace them. The types
//! of secrets wipe themselves; here is what no type can do for itself: the pages they stand
//! on are kept out of swap, and the stack is wiped of the copies that moving a value and
//! reckoning with it leave there.

use std::hint::black_box;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

/// How much of the stack is wiped: three times what the deepest command uses (150 KiB), and
/// less than a thread has (2 MiB).
const STACK: usize = 512 * 1024;
/// How much of it one frame wipes.
const FRAME: usize = 16 * 1024;

/// Whether a secret stood on a page that may be swapped out.
static SWAPPABLE: AtomicBool = AtomicBool::new(false);

/// Turns core files off and refuses debuggers (`setrlimit(2)`, `PR_SET_DUMPABLE` of
/// `prctl(2)`). To be called before any secret is read.
pub fn keep_memory_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // Later, a helper may no longer ask for limits.
    frames_to_wipe();
    Ok(())
}

/// Keeps the pages that a secret stands on out of swap (`mlock(2)`), where the limit allows;
/// [`may_be_swapped`] tells where it didn't. The secret must stay where it is.
///
/// The pages stay locked until the process ends, which is soon: locks aren't counted, so that
/// unlocking for one secret would unlock for its neighbours too.
pub fn keep_from_swap<T: ?Sized>(secret: &T) {
    let size = size_of_val(secret);
    if size == 0 {
        return;
    }
    match region::lock(std::ptr::from_ref(secret).cast::<u8>(), size) {
        #[expect(clippy::mem_forget, reason = "dropping it would unlock the page")]
        Ok(guard) => std::mem::forget(guard),
        Err(_) => SWAPPABLE.store(true, Ordering::Relaxed),
    }
}

/// Whether the system refused to keep a secret of this process out of swap.
pub fn may_be_swapped() -> bool {
    SWAPPABLE.load(Ordering::Relaxed)
}

/// Does some work with secrets and wipes the stack that it used. What it returns must hold
/// its secrets elsewhere.
pub fn leaving_no_trace<T>(work: impl FnOnce() -> T) -> T {
    let done = deeper(work);
    overwrite_stack(frames_to_wipe());
    done
}

/// How many frames make up what is wiped. Where somebody has left us little stack, the work
/// can't have used much of it.
fn frames_to_wipe() -> usize {
    static FRAMES: OnceLock<usize> = OnceLock::new();
    *FRAMES.get_or_init(|| {
        let limit = getrlimit(Resource::Stack).current;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        limit.map_or(STACK, |limit| STACK.min(limit / 2)) / FRAME
    })
}

/// A frame of its own, so that all of the work's frames lie where [`overwrite_stack`] has
/// its own.
#[inline(never)]
fn deeper<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite_stack(frames: usize) {
    let mut frame = [0_u8; FRAME];
    black_box(&mut frame);
    if frames > 1 {
        overwrite_stack(frames - 1);
    }
    // It stays in place until those below it are wiped.
    black_box(&frame);
}
