//! Many syncs at a time, again and again, from a process that has one thread.
//!
//! A sync is mostly waiting, and syncs that wait at the same time share what they wait for: a commit of the file
//! system's journal, a flush of the disk. Here the kernel makes them in threads of its own (`io_submit(2)`); one
//! that is alone the caller makes itself. Where the kernel does not offer that, they are made one after the other.
//!
//! For a process that lives on: one that has used this ends some ten milliseconds later than another, for the
//! kernel waits until nobody can be using it any more. For one that ends at once there is
//! [`together`](crate::together).
#![expect(unsafe_code, reason = "system calls that libc has no functions for")]

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use crate::errno::Errno;
use crate::raw;
pub use crate::together::Durable;

/// Syncs that are under way at a time. The kernel's table for them takes two pages.
const ROOM: usize = 128;

/// Makes syncs. Costs nothing before there are two at a time.
#[derive(Debug, Default)]
pub struct Syncs {
    context: Context,
}

/// What the kernel knows these syncs by.
#[derive(Debug, Default)]
enum Context {
    #[default]
    Untried,
    /// The kernel offers nothing of that kind.
    Refused,
    Open(Handle),
}

/// A context of the kernel's, which ends with it.
#[derive(Debug)]
struct Handle(usize);

/// A request: the kernel's `struct iocb`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Request {
    data: u64,
    /// Written by the kernel as it takes the request, and of no use.
    key_and_flags: [u32; 2],
    operation: u16,
    priority: i16,
    descriptor: u32,
    buffer: u64,
    length: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    event_descriptor: u32,
}

/// The end of one: the kernel's `struct io_event`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Event {
    data: u64,
    request: u64,
    result: i64,
    unused: i64,
}

/// The kernel's `IOCB_CMD_FSYNC`.
const FSYNC: u16 = 2;
/// The kernel's `IOCB_CMD_FDSYNC`.
const FDSYNC: u16 = 3;

impl Syncs {
    /// None made yet.
    #[must_use]
    pub fn new() -> Syncs {
        Syncs::default()
    }

    /// Makes all of `syncs` durable, at the same time where that can be, and says of each whether it is.
    ///
    /// Each has been tried when this returns, and none is still under way.
    pub fn sync_all(&mut self, syncs: &[Durable<'_>]) -> Vec<io::Result<()>> {
        syncs.chunks(ROOM).flat_map(|syncs| self.sync_some(syncs)).collect()
    }

    /// The same for at most [`ROOM`].
    fn sync_some(&mut self, syncs: &[Durable<'_>]) -> Vec<io::Result<()>> {
        let mut states = vec![State::Untried; syncs.len()];
        let handle = self.handle(syncs.len());
        if let Some(handle) = handle {
            handle.submit(syncs, &mut states);
        }
        for (sync, state) in syncs.iter().zip(&mut states) {
            if matches!(state, State::Untried) {
                *state = State::Done(plainly(*sync));
            }
        }
        if handle.is_some_and(|handle| handle.collect(&mut states).is_err()) {
            self.context = Context::Refused; // this waits until none is under way
        }
        states.into_iter().map(State::result).collect()
    }

    /// The context, where it is needed for `count` syncs and can be had.
    fn handle(&mut self, count: usize) -> Option<&Handle> {
        if count > 1 && matches!(self.context, Context::Untried) {
            self.context = Handle::open();
        }
        match &self.context {
            Context::Open(handle) => Some(handle),
            Context::Untried | Context::Refused => None,
        }
    }
}

/// How far a sync has come.
#[derive(Clone, Copy)]
enum State {
    Untried,
    UnderWay,
    Done(Result<(), Errno>),
}

impl State {
    fn result(self) -> io::Result<()> {
        match self {
            State::Done(result) => result.map_err(Into::into),
            // Its result is lost. Another call would not tell an error that this one has been told.
            State::Untried | State::UnderWay => Err(Errno::EIO.into()),
        }
    }
}

/// Makes the call here and now.
fn plainly(sync: Durable<'_>) -> Result<(), Errno> {
    let (fd, is_bytes) = parts(sync);
    loop {
        match raw::sync(fd, is_bytes) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// The descriptor, and whether bytes are all that matters.
fn parts(sync: Durable<'_>) -> (i32, bool) {
    match sync {
        Durable::Bytes(fd) => (fd.as_raw_fd(), true),
        Durable::Names(fd) => (fd.as_raw_fd(), false),
    }
}

impl Request {
    fn new(number: usize, sync: Durable<'_>) -> Request {
        let (fd, is_bytes) = parts(sync);
        Request {
            data: number as u64,
            operation: if is_bytes { FDSYNC } else { FSYNC },
            descriptor: fd.cast_unsigned(),
            ..Request::default()
        }
    }
}

impl Handle {
    fn open() -> Context {
        let mut handle = 0;
        // SAFETY: the kernel writes one word, which has to be 0 before.
        let result = unsafe { libc::syscall(libc::SYS_io_setup, ROOM, &raw mut handle) };
        match result {
            0 => Context::Open(Handle(handle)),
            _ if Errno::last() == Errno::EAGAIN => Context::Untried, // all that the host may have are taken
            _ => Context::Refused,
        }
    }

    /// Hands over as many of `syncs` as the kernel takes, at most [`ROOM`]. What it does not take stays untried.
    fn submit(&self, syncs: &[Durable<'_>], states: &mut [State]) {
        let mut requests: Vec<_> =
            syncs.iter().enumerate().map(|(number, sync)| Request::new(number, *sync)).collect();
        let pointers: Vec<_> = requests.iter_mut().map(ptr::from_mut).collect();
        let mut next = 0;
        while let Some(rest) = pointers.get(next..).filter(|rest| !rest.is_empty()) {
            // SAFETY: each points to a request that outlives the call; the kernel has then copied what it needs.
            // A request has no buffer, and the kernel holds its file itself.
            let taken =
                unsafe { libc::syscall(libc::SYS_io_submit, self.0, rest.len(), rest.as_ptr()) };
            match usize::try_from(taken) {
                Ok(taken @ 1..) => {
                    let states = states.iter_mut().skip(next).take(taken);
                    states.for_each(|state| *state = State::UnderWay);
                    next += taken;
                }
                _ if taken < 0 && Errno::last() == Errno::EINTR => {}
                // No room, or nothing for the first of them: another kind of file, or none.
                _ => next += 1,
            }
        }
    }

    /// Waits for all that are under way.
    fn collect(&self, states: &mut [State]) -> io::Result<()> {
        let mut left = states.iter().filter(|state| matches!(state, State::UnderWay)).count();
        let mut events = [Event::default(); ROOM];
        while left > 0 {
            let least = left.min(ROOM);
            // SAFETY: the kernel writes as many events as there is room for; there is no time limit.
            let count = unsafe {
                let (events, none) = (events.as_mut_ptr(), ptr::null_mut::<libc::timespec>());
                libc::syscall(libc::SYS_io_getevents, self.0, least, ROOM, events, none)
            };
            let Ok(count) = usize::try_from(count) else {
                match Errno::last() {
                    Errno::EINTR => continue,
                    error => return Err(error.into()),
                }
            };
            for Event { data, result, .. } in events.iter().take(count) {
                let place = usize::try_from(*data).ok().and_then(|place| states.get_mut(place));
                let Some(state @ State::UnderWay) = place else { continue }; // it is one of them
                let errno = i32::try_from(result.wrapping_neg()).unwrap_or(libc::EIO);
                let is_good = *result == 0;
                *state = State::Done(if is_good { Ok(()) } else { Err(Errno::from_raw(errno)) });
                left -= 1;
            }
        }
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: nobody else has this context. The call returns when nothing is under way in it.
        let _ = unsafe { libc::syscall(libc::SYS_io_destroy, self.0) }; // nothing else can be done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsFd;

    /// So many files with something to sync, without names.
    fn files(count: usize) -> Vec<File> {
        let path =
            |number| std::env::temp_dir().join(format!("unix-aio-{}-{number}", std::process::id()));
        (0..count)
            .map(|_| {
                let path = path(crate::random::number().unwrap());
                let mut file = File::create_new(&path).unwrap();
                std::fs::remove_file(path).unwrap();
                file.write_all(b"text").unwrap();
                file
            })
            .collect()
    }

    fn codes(syncs: &mut Syncs, all: &[Durable<'_>]) -> Vec<Option<i32>> {
        let code = |result: io::Result<()>| result.err().map(|error| error.raw_os_error().unwrap());
        syncs.sync_all(all).into_iter().map(code).collect()
    }

    #[test]
    fn any_number_is_synced_again_and_again() {
        let directory = File::open(std::env::temp_dir()).unwrap();
        let mut syncs = Syncs::new();
        for count in [0, 1, 2, ROOM - 1, ROOM, ROOM + 1, 3 * ROOM, 5] {
            let files = files(count);
            let bytes = files.iter().map(|file| Durable::Bytes(file.as_fd()));
            let all: Vec<_> = bytes.chain([Durable::Names(directory.as_fd())]).collect();
            assert_eq!(codes(&mut syncs, &all), vec![None; count + 1]);
        }
    }

    #[test]
    fn each_has_a_result_of_its_own() {
        let files = files(3);
        let (pipe, _end) = crate::fd::pipe().unwrap(); // a pipe cannot be synced
        let mut all: Vec<_> = files.iter().map(|file| Durable::Bytes(file.as_fd())).collect();
        let bad = Some(libc::EINVAL);
        for place in 0..=all.len() {
            all.insert(place, Durable::Bytes(pipe.as_fd()));
            let mut wanted = vec![None; 4];
            wanted[place] = bad;
            assert_eq!(codes(&mut Syncs::new(), &all), wanted);
            all.remove(place);
        }
        let all = [Durable::Names(pipe.as_fd()); 3];
        assert_eq!(codes(&mut Syncs::new(), &all), [bad; 3]);
    }

    #[test]
    fn without_the_kernel_they_are_made_one_after_the_other() {
        let files = files(3);
        let (pipe, _end) = crate::fd::pipe().unwrap();
        let mut all: Vec<_> = files.iter().map(|file| Durable::Bytes(file.as_fd())).collect();
        all.push(Durable::Bytes(pipe.as_fd()));
        let wanted = [None, None, None, Some(libc::EINVAL)];
        assert_eq!(codes(&mut Syncs { context: Context::Refused }, &all), wanted);
        // A context that is not one takes nothing.
        assert_eq!(codes(&mut Syncs { context: Context::Open(Handle(0)) }, &all), wanted);
    }

    #[test]
    fn what_is_lost_is_not_believed() {
        let mut states = [State::UnderWay, State::Done(Ok(()))];
        assert!(Handle(0).collect(&mut states).is_err());
        let codes = states.map(|state| state.result().err().and_then(|it| it.raw_os_error()));
        assert_eq!(codes, [Some(libc::EIO), None]);
    }

    #[test]
    fn one_alone_needs_no_context() {
        let files = files(1);
        let mut syncs = Syncs::new();
        assert_eq!(codes(&mut syncs, &[Durable::Bytes(files[0].as_fd())]), [None]);
        assert!(matches!(syncs.context, Context::Untried));
    }
}
