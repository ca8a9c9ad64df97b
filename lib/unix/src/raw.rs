//! System calls past libc, for a child that runs in its parent's memory.
//!
//! libc keeps the error of a call in `errno`, which such a child has in common with its parent. Here
//! it is the result.
#![expect(unsafe_code, reason = "system calls by instruction")]

use std::ffi::{CStr, c_char, c_int, c_long};
use std::io::IoSlice;

use crate::errno::Errno;

/// Whether a child that makes only these calls leaves its parent's memory alone, `errno` included.
/// Elsewhere the parent has to sleep meanwhile.
pub(crate) const LEAVES_ERRNO: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// One system call.
///
/// # Safety
///
/// As the call itself.
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: c_long, [a, b, c, d]: [usize; 4]) -> Result<usize, Errno> {
    let result: c_long;
    // SAFETY: the kernel's convention: it changes rax, rcx and r11, and memory as the call says.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            out("rcx") _, out("r11") _,
            options(nostack),
        );
    }
    let errno = |_| Errno::from_raw(i32::try_from(result.wrapping_neg()).unwrap_or_default());
    usize::try_from(result).map_err(errno)
}

#[cfg(target_arch = "aarch64")]
unsafe fn call(number: c_long, [a, b, c, d]: [usize; 4]) -> Result<usize, Errno> {
    let result: usize;
    // SAFETY: the kernel's convention: it changes x0, and memory as the call says.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d,
            options(nostack),
        );
    }
    let result = result.cast_signed();
    let errno = |_| Errno::from_raw(i32::try_from(result.wrapping_neg()).unwrap_or_default());
    usize::try_from(result).map_err(errno)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn call(number: c_long, [a, b, c, d]: [usize; 4]) -> Result<usize, Errno> {
    // SAFETY: promised by the caller.
    let result = unsafe { libc::syscall(number, a, b, c, d) };
    usize::try_from(result).map_err(|_| Errno::last())
}

/// An argument: the kernel looks at the lower half only.
fn number(value: c_int) -> usize {
    value.cast_unsigned() as usize
}

/// This process's number. The kernel sets `cleared` to 0 when this process has executed another
/// program or ended, if others still use the memory.
///
/// # Safety
///
/// `cleared` stays valid until then.
pub(crate) unsafe fn set_tid_address(cleared: *const c_int) -> u32 {
    // SAFETY: the kernel only remembers the address.
    let result = unsafe { call(libc::SYS_set_tid_address, [cleared as usize, 0, 0, 0]) };
    result.ok().and_then(|tid| u32::try_from(tid).ok()).unwrap_or_default()
}

/// Makes `to` another number of the open file `from`, which must not be the same.
pub(crate) fn duplicate(from: c_int, to: c_int) -> Result<(), Errno> {
    // SAFETY: dup3 without pointers.
    unsafe { call(libc::SYS_dup3, [number(from), number(to), 0, 0]) }.map(drop)
}

/// Makes a file's bytes durable, or a file, or a directory's names.
pub(crate) fn sync(descriptor: c_int, is_bytes: bool) -> Result<(), Errno> {
    let number_of_call = if is_bytes { libc::SYS_fdatasync } else { libc::SYS_fsync };
    // SAFETY: neither call has a pointer.
    unsafe { call(number_of_call, [number(descriptor), 0, 0, 0]) }.map(drop)
}

/// Makes `path` the working directory.
pub(crate) fn change_directory(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads a string that outlives the call.
    unsafe { call(libc::SYS_chdir, [path.as_ptr() as usize, 0, 0, 0]) }.map(drop)
}

/// Gives `signal` its default action.
pub(crate) fn default_action(signal: c_int) {
    // The default action, no flags, no mask, and room for whatever else the kernel's form has.
    let action = [0u64; 8];
    // SAFETY: SIG_DFL installs no handler; the kernel reads the action only during the call.
    let _ = unsafe {
        call(libc::SYS_rt_sigaction, [number(signal), action.as_ptr() as usize, 0, MASK])
    };
}

/// Bytes of the kernel's signal mask.
const MASK: usize = 8;

/// Sets the signal mask.
pub(crate) fn set_mask(mask: &libc::sigset_t) {
    let how = number(libc::SIG_SETMASK);
    // SAFETY: libc's set begins with the kernel's; no old mask is asked for.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, [how, (&raw const *mask) as usize, 0, MASK]) };
}

/// Writes `parts`; what cannot be written is lost.
pub(crate) fn write(to: c_int, parts: &[IoSlice<'_>]) {
    let (start, count) = (parts.as_ptr() as usize, parts.len());
    // SAFETY: an IoSlice is an iovec, and its bytes outlive the call.
    let _ = unsafe { call(libc::SYS_writev, [number(to), start, count, 0]) };
}

/// Executes the program at `path`; returns only on failure.
///
/// # Safety
///
/// Both lists end with a null pointer, and everything before it points to a string.
pub(crate) unsafe fn execute(
    path: &CStr,
    argv: *const *const c_char,
    environment: *const *const c_char,
) -> Errno {
    let arguments = [path.as_ptr() as usize, argv as usize, environment as usize, 0];
    // SAFETY: promised by the caller.
    match unsafe { call(libc::SYS_execve, arguments) } {
        Ok(_) => Errno::UnknownErrno,
        Err(errno) => errno,
    }
}

/// Ends this process.
pub(crate) fn exit(code: c_int) -> ! {
    loop {
        // SAFETY: exit_group ends this process, which alone is in its group.
        let _ = unsafe { call(libc::SYS_exit_group, [number(code), 0, 0, 0]) };
    }
}
