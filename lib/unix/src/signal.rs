//! Signal dispositions; signals as a descriptor to poll.
#![expect(unsafe_code, reason = "sigaction(2) has no safe wrapper")]

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

pub use nix::sys::signal::Signal;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, sigaction, sigprocmask,
};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::{Pid, fd};

/// Signals whose disposition this process has changed, as bits; reset in a child before exec.
static CHANGED: AtomicU64 = AtomicU64::new(0);

/// Those of them that are ignored: exec alone does not give these their default action back.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Signals that this process has blocked for [`Posted`], as bits; a child finds them as they were.
static POSTED: AtomicU64 = AtomicU64::new(0);

fn bit(signal: Signal) -> u64 {
    1 << (signal as i32)
}

fn dispose(signal: Signal, handler: SigHandler) -> io::Result<()> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: every handler given here is SIG_DFL, SIG_IGN, `leave` or `wake`, and none of them
    // touches memory that the interrupted code could be changing.
    unsafe { sigaction(signal, &action) }?;
    if matches!(handler, SigHandler::SigIgn) {
        IGNORED.fetch_or(bit(signal), Ordering::Relaxed);
    } else {
        IGNORED.fetch_and(!bit(signal), Ordering::Relaxed);
    }
    Ok(())
}

/// Gives `signal` its default action again.
///
/// The Rust runtime ignores SIGPIPE before `main`; the next program in a chain expects otherwise.
pub fn default(signal: Signal) -> io::Result<()> {
    dispose(signal, SigHandler::SigDfl)?;
    CHANGED.fetch_and(!bit(signal), Ordering::Relaxed);
    Ok(())
}

/// Ignores `signal` in this process; programs executed later get its default action back.
pub fn ignore(signal: Signal) -> io::Result<()> {
    dispose(signal, SigHandler::SigIgn)?;
    CHANGED.fetch_or(bit(signal), Ordering::Relaxed);
    Ok(())
}

/// Whether `signal` is ignored, as nohup(1) makes it for the programs it runs.
#[must_use]
pub fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: no new action is given; the old one is written to memory of ours.
    let result = unsafe { libc::sigaction(signal as i32, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: sigaction has filled it, as it did not fail.
    result == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Exit codes of [`exit_on`], by signal number; −1 for none.
static LEAVING: [AtomicI32; 65] = [const { AtomicI32::new(-1) }; 65];

extern "C" fn leave(signal: libc::c_int) {
    let code = usize::try_from(signal)
        .ok()
        .and_then(|signal| LEAVING.get(signal))
        .map_or(111, |code| code.load(Ordering::Relaxed));
    // SAFETY: _exit is safe in a signal handler and does not return.
    unsafe { libc::_exit(code) }
}

/// Ends this process at once with `code` when `signal` comes, wherever it is.
pub fn exit_on(signal: Signal, code: u8) -> io::Result<()> {
    if let Some(slot) = LEAVING.get(signal as usize) {
        slot.store(i32::from(code), Ordering::Relaxed);
    }
    dispose(signal, SigHandler::Handler(leave))?;
    CHANGED.fetch_or(bit(signal), Ordering::Relaxed);
    Ok(())
}

extern "C" fn again(_: libc::c_int) {
    // The alarm may come just before the call that it is to cut short, so it comes again.
    // SAFETY: alarm(2) is safe in a signal handler.
    unsafe { libc::alarm(1) };
}

/// Lets SIGALRM cut a waiting system call short (`EINTR`), and come again every second until
/// [`alarm`] cancels it.
pub fn interrupt_on_alarm() -> io::Result<()> {
    dispose(Signal::SIGALRM, SigHandler::Handler(again))?;
    CHANGED.fetch_or(bit(Signal::SIGALRM), Ordering::Relaxed);
    Ok(())
}

/// Lets every signal through that this process was started with blocked.
pub fn unblock_all() -> io::Result<()> {
    Ok(SigSet::all().thread_unblock()?)
}

/// Asks for SIGALRM after `seconds`; 0 cancels.
pub fn alarm(seconds: u32) {
    // SAFETY: alarm(2) touches no memory of ours.
    unsafe { libc::alarm(seconds) };
}

/// Sends `signal` to one process.
pub fn send(pid: Pid, signal: Signal) -> io::Result<()> {
    Ok(nix::sys::signal::kill(pid, signal)?)
}

/// Sends `signal` to a process group.
pub fn send_group(leader: Pid, signal: Signal) -> io::Result<()> {
    Ok(nix::sys::signal::killpg(leader, signal)?)
}

/// The signals to give their default action back between a fork and an exec, as bits.
pub(crate) fn changed() -> u64 {
    CHANGED.load(Ordering::Relaxed)
}

/// The signals that children are to find unblocked although they are blocked here, as bits.
pub(crate) fn posted() -> u64 {
    POSTED.load(Ordering::Relaxed)
}

/// The signals that are ignored, as bits.
pub(crate) fn ignored() -> u64 {
    IGNORED.load(Ordering::Relaxed)
}

extern "C" fn wake(_: libc::c_int) {}

/// Signals that only wake this process while it waits in [`crate::poll::wait_held`], and are
/// held back at any other time: they interrupt nothing else, and none is missed.
#[derive(Debug)]
pub struct Held {
    /// Blocked signals while waiting.
    waiting: SigSet,
    /// Blocked signals in children: those that were blocked before.
    before: SigSet,
}

impl Held {
    /// Holds `signals` back from now on.
    pub fn new(signals: &[Signal]) -> io::Result<Held> {
        let before = block(signals)?;
        let mut waiting = before;
        for &signal in signals {
            waiting.remove(signal);
            dispose(signal, SigHandler::Handler(wake))?;
            CHANGED.fetch_or(bit(signal), Ordering::Relaxed);
        }
        Ok(Held { waiting, before: waiting })
    }

    /// Holds `signals` back too, and while waiting as well: they are read from what this gives.
    pub fn post(&mut self, signals: &[Signal]) -> io::Result<Posted> {
        block(signals)?;
        for &signal in signals {
            self.waiting.add(signal);
        }
        let set = signals.iter().copied().collect();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Posted(SignalFd::with_flags(&set, flags)?))
    }

    /// Lets the signals through again: for a child that goes its own way.
    pub fn release(&self) {
        // Fails only for wrong arguments.
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }

    /// The mask with which this process waits.
    pub(crate) fn waiting(&self) -> SigSet {
        self.waiting
    }

    /// The mask of children.
    pub(crate) fn mask(&self) -> libc::sigset_t {
        *self.before.as_ref()
    }
}

/// Blocks `signals`; gives the mask as it was.
fn block(signals: &[Signal]) -> io::Result<SigSet> {
    let mut before = SigSet::empty();
    let set: SigSet = signals.iter().copied().collect();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before))?;
    Ok(before)
}

/// Signals that lie ready to be read. Their dispositions stay as they were, and children that
/// execute a program need nothing but their mask.
#[derive(Debug)]
pub struct Posted(SignalFd);

impl Posted {
    /// Lays each of `signals`, none of which is blocked, ready from now on; poll this value for reading,
    /// then [`Posted::next`]. Programs that [`crate::process::spawn`] starts do not find them blocked.
    ///
    /// Cheaper than [`Signals`], but a call that waits for something else is not interrupted.
    pub fn catch(signals: &[Signal]) -> io::Result<Posted> {
        if signals.contains(&Signal::SIGCHLD) {
            // Ignored, as it may have been inherited, it would take the children's ends with it.
            default(Signal::SIGCHLD)?;
        }
        block(signals)?;
        POSTED.fetch_or(
            signals.iter().fold(0, |bits, &signal| bits | bit(signal)),
            Ordering::Relaxed,
        );
        let set = signals.iter().copied().collect();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Posted(SignalFd::with_flags(&set, flags)?))
    }

    /// All that lie ready. Each comes once, however often it was sent.
    #[must_use]
    pub fn drain(&self) -> Vec<Signal> {
        std::iter::from_fn(|| self.next().ok().flatten()).collect()
    }

    /// The next one, if there is one.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        let info = self.0.read_signal()?;
        let number = info.and_then(|info| i32::try_from(info.ssi_signo).ok());
        Ok(number.and_then(|number| Signal::try_from(number).ok()))
    }
}

impl AsFd for Posted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Signals that arrive as bytes on a pipe instead of interrupting the program.
#[derive(Debug)]
pub struct Signals {
    pipe: OwnedFd,
    pending: Arc<AtomicU64>,
}

impl Signals {
    /// Catches each of `signals` from now on; poll this value for reading, then [`Signals::drain`].
    pub fn catch(signals: &[Signal]) -> io::Result<Signals> {
        let (pipe, write) = fd::pipe()?;
        fd::nonblocking(&pipe, true)?;
        fd::nonblocking(&write, true)?;
        let write = Arc::new(write);
        let pending = Arc::new(AtomicU64::new(0));
        for &signal in signals {
            let (write, pending) = (Arc::clone(&write), Arc::clone(&pending));
            let action = move || {
                pending.fetch_or(bit(signal), Ordering::Relaxed);
                // SAFETY: write(2) is safe in a handler; the pipe lives as long as this closure.
                // A full pipe already wakes the reader, so the result does not matter.
                unsafe { libc::write(write.as_raw_fd(), [0u8].as_ptr().cast(), 1) };
            };
            // SAFETY: the action only touches an atomic and calls write(2).
            unsafe { signal_hook::low_level::register(signal as i32, action) }?;
            CHANGED.fetch_or(bit(signal), Ordering::Relaxed);
        }
        Ok(Signals { pipe, pending })
    }

    /// True if there is something to drain. Costs no system call, and is true as soon as a signal
    /// has come: also one that came just after a poll had looked.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed) != 0
    }

    /// The signals that came since the last call, each once, by number.
    pub fn drain(&mut self) -> Vec<Signal> {
        let mut bytes = [0; 64];
        while fd::Direct(&self.pipe).read(&mut bytes).is_ok_and(|count| count > 0) {}
        let pending = self.pending.swap(0, Ordering::Relaxed);
        Signal::iterator().filter(|&signal| pending & bit(signal) != 0).collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_signal_makes_the_descriptor_readable() {
        let mut signals = Signals::catch(&[Signal::SIGUSR1, Signal::SIGUSR2]).unwrap();
        assert!(!signals.is_pending());
        nix::sys::signal::raise(Signal::SIGUSR2).unwrap();
        nix::sys::signal::raise(Signal::SIGUSR2).unwrap();
        assert!(signals.is_pending());
        assert!(crate::poll::until(&signals, false, None).unwrap());
        assert_eq!(signals.drain(), [Signal::SIGUSR2]);
        assert_eq!(signals.drain(), []);
    }

    #[test]
    fn a_posted_signal_lies_ready_and_interrupts_nothing() {
        let mut held = Held::new(&[]).unwrap();
        let posted = held.post(&[Signal::SIGURG]).unwrap();
        assert_eq!(posted.next().unwrap(), None);
        nix::sys::signal::raise(Signal::SIGURG).unwrap();
        let mut interests = [crate::poll::Interest::readable(&posted)];
        assert_eq!(crate::poll::wait_held(&mut interests, None, &held).unwrap(), 1);
        assert_eq!(posted.next().unwrap(), Some(Signal::SIGURG));
        assert_eq!(posted.next().unwrap(), None);
        held.release();
    }

    #[test]
    fn a_signal_that_is_caught_so_lies_ready_and_children_do_not_find_it_blocked() {
        let posted = Posted::catch(&[Signal::SIGIO, Signal::SIGPROF]).unwrap();
        let image = crate::image::Image {
            candidates: vec![c"/bin/sh".into()],
            argv: ["sh", "-c", "kill -PROF $$; exit 3"]
                .map(|word| std::ffi::CString::new(word).unwrap())
                .to_vec(),
            ..crate::image::Image::default()
        };
        let status = crate::process::spawn(&image).unwrap().wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGPROF as i32));
        assert_eq!(posted.drain(), []);
        for _ in 0..2 {
            nix::sys::signal::raise(Signal::SIGIO).unwrap();
        }
        assert_eq!(posted.drain(), [Signal::SIGIO]);
        SigSet::all().thread_unblock().unwrap();
    }

    #[test]
    fn an_ignored_signal_is_known() {
        assert!(!is_ignored(Signal::SIGWINCH));
        ignore(Signal::SIGWINCH).unwrap();
        assert!(is_ignored(Signal::SIGWINCH));
        default(Signal::SIGWINCH).unwrap();
    }
}
