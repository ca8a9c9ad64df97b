//! Memory that a child borrows.
#![expect(unsafe_code, reason = "clone(2), with memory that is shared for a moment")]

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;
use std::slice::ChunksExactMut;
use std::sync::atomic::{AtomicI32, Ordering};

use super::child::Task;
use crate::errno::Errno;
use crate::{Pid, raw};

/// Enough for `begin` and what it calls, of which nothing is deep, and for a signal handler on top.
const STACK: usize = 16 * 1024;

/// What the kernel gives at once, nearly everywhere: a child whose stack ends with a page needs one.
/// Where it is more, the system declines to take it back, and nothing is lost but memory.
const PAGE: usize = 4096;

/// Stacks for some children; only the parts that are used take real memory.
#[derive(Debug)]
pub(super) struct Stacks {
    /// Those that have no berth yet.
    left: ChunksExactMut<'static, MaybeUninit<u128>>,
    /// All of them.
    range: Range<*mut MaybeUninit<u128>>,
}

impl Stacks {
    /// `count` stacks, for as long as this process lives.
    pub(super) fn new(count: usize) -> Stacks {
        let words = STACK / size_of::<u128>();
        let all = Box::leak(Box::<[u128]>::new_uninit_slice(words * count));
        Stacks { range: all.as_mut_ptr_range(), left: all.chunks_exact_mut(words) }
    }

    /// A berth with the next stack, if there is one.
    pub(super) fn berth(&mut self, task: Task) -> Option<Berth> {
        self.left.next().map(|stack| Berth::new(task, stack))
    }

    /// Gives the memory that the stacks of `berths` have used back to the system, if no child is there.
    /// `berths` are all that came from here.
    pub(super) fn rest(&self, berths: &[Berth]) {
        if berths.iter().any(Berth::is_taken) {
            return;
        }
        let first = self.range.start.addr().next_multiple_of(PAGE);
        let length = (self.range.end.addr() & !(PAGE - 1)).saturating_sub(first);
        let first = self.range.start.with_addr(first).cast();
        // SAFETY: whole pages within the stacks, which nobody uses and from which nobody reads what
        // was not written before.
        unsafe { libc::madvise(first, length, libc::MADV_DONTNEED) };
    }
}

/// Stack and task of one child at a time.
///
/// It is never freed: a child may outlive everything here but the process's memory itself.
#[derive(Debug)]
pub(super) struct Berth(&'static Shared);

#[derive(Debug)]
struct Shared {
    /// Not 0 while a child uses the rest. The child asks the kernel to set it to 0 when it has
    /// executed the program or ended.
    taken: AtomicI32,
    /// The last child.
    pid: Cell<i32>,
    task: UnsafeCell<Task>,
    /// The end of the stack, or rather that of its last whole page: the stack grows down from there.
    top: *mut MaybeUninit<u128>,
}

impl Berth {
    fn new(task: Task, stack: &'static mut [MaybeUninit<u128>]) -> Berth {
        let end = stack.as_mut_ptr_range().end;
        Berth(Box::leak(Box::new(Shared {
            taken: AtomicI32::new(0),
            pid: Cell::new(0),
            task: UnsafeCell::new(task),
            top: end.wrapping_byte_sub(end.addr() % PAGE),
        })))
    }

    /// Whether a child is using it.
    pub(super) fn is_taken(&self) -> bool {
        self.0.taken.load(Ordering::Acquire) != 0
    }

    /// Whether it was last used for process `pid`.
    pub(super) fn is_of(&self, pid: Pid) -> bool {
        self.0.pid.get() == pid.as_raw()
    }

    /// Its child is gone.
    pub(super) fn release(&self) {
        self.0.taken.store(0, Ordering::Release);
    }

    /// The task for the next child, if nobody is using it.
    pub(super) fn task(&mut self) -> Option<&mut Task> {
        if self.is_taken() {
            return None;
        }
        // SAFETY: no child has it, and in this process `self` is borrowed for as long.
        Some(unsafe { &mut *self.0.task.get() })
    }

    /// Starts a child that enters the task. If `sleeps`, this process sleeps until the child
    /// does not need the task any more.
    pub(super) fn launch(&mut self, sleeps: bool) -> Result<Pid, Errno> {
        if self.0.taken.swap(1, Ordering::AcqRel) != 0 {
            return Err(Errno::EBUSY);
        }
        let flags = libc::CLONE_VM | libc::SIGCHLD | if sleeps { libc::CLONE_VFORK } else { 0 };
        let (top, argument) = (self.0.top.cast(), ptr::from_ref(self.0).cast_mut().cast());
        // SAFETY: the end of the stack is aligned to 16, and most of the stack lies below. Stack and task are the child's alone until
        // the kernel says that it is done with them, and it changes no other memory.
        let pid = unsafe { libc::clone(begin, top, flags, argument) };
        if pid < 0 {
            let errno = Errno::last();
            self.release();
            return Err(errno);
        }
        self.0.pid.set(pid);
        Ok(Pid::from_raw(pid))
    }
}

extern "C" fn begin(shared: *mut c_void) -> c_int {
    // SAFETY: `launch` passes what its berth has, which is never freed.
    let shared: &Shared = unsafe { &*shared.cast() };
    // SAFETY: as above.
    let pid = unsafe { raw::set_tid_address(shared.taken.as_ptr()) };
    // SAFETY: this process's alone until it is done.
    let task = unsafe { &*shared.task.get() };
    task.enter(pid);
    raw::exit(111)
}
