//! Programs that a server asks while a client waits.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{OwnedFd, RawFd};
use std::time::{Duration, Instant};

use prog::Chain;
use unix::errno::Errno;
use unix::fd::{self, Standard};
use unix::pidfd::Handle;
use unix::poll::{self, Interest};
use unix::process::{self, Child, Status};
use unix::signal::{self, Signal};

/// How long a program may take. A client waits five minutes for a reply to RCPT (RFC 5321 section
/// 4.5.3.2.3), and more than one program may be asked before it gets one.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// How many of a program's bytes are kept.
pub(crate) const LONGEST: usize = 4096;

/// How often a child is looked at where the kernel cannot tell that it has ended.
const GLANCE: Duration = Duration::from_millis(20);

/// How a program has ended, and the first [`LONGEST`] bytes of what it has said until then.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) said: Vec<u8>,
}

/// Runs a program and hears what it writes to descriptor `mouth`, if one is given. It has neither end of
/// the connection: it reads nothing, and what it writes elsewhere goes to the log, if that is not the
/// connection too.
///
/// [`io::ErrorKind::TimedOut`] if it takes longer than `limit`: then it has been killed, with all that it
/// has started, unless that is in a process group of its own.
pub(crate) fn ask(mut chain: Chain, mouth: Option<RawFd>, limit: Duration) -> io::Result<Answer> {
    let deadline = Instant::now() + limit;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let is_log = !fd::is_same_file(Standard::Output, Standard::Error).unwrap_or(true);
    let output = if is_log { fd::duplicate(Standard::Error, 3)? } else { fd::duplicate(&null, 3)? };
    chain.descriptor(0, null);
    chain.descriptor(1, output);
    let mut ear = None;
    if let Some(mouth) = mouth {
        let (reader, writer) = fd::pipe()?;
        fd::nonblocking(&reader, true)?;
        chain.descriptor(mouth, writer);
        ear = Some(Ear { pipe: reader, said: Vec::new(), is_open: true });
    }
    let status = run(chain, ear.as_mut(), deadline)?;
    Ok(Answer { status, said: ear.map(|ear| ear.said).unwrap_or_default() })
}

/// Runs a program with the descriptors of this one, and tells how it has ended; as [`ask`] if it takes
/// longer than `limit`.
pub(crate) fn wait_for(chain: Chain, limit: Duration) -> io::Result<Status> {
    run(chain, None, Instant::now() + limit)
}

fn run(mut chain: Chain, ear: Option<&mut Ear>, deadline: Instant) -> io::Result<Status> {
    // A group of its own, to be killed with all that it starts.
    chain.session();
    let child = chain.launch().map_err(|_| Errno::EAGAIN)?;
    attend(&child, ear, deadline).inspect_err(|_| {
        let _ = signal::send_group(child.pid, Signal::SIGKILL); // it may have ended just now
        let _ = child.wait(); // why it had to end is told already
    })
}

/// Hears a child until it has ended. What it has started may hold the pipe open for longer.
fn attend(child: &Child, mut ear: Option<&mut Ear>, deadline: Instant) -> io::Result<Status> {
    // Linux before 5.3 has no such thing.
    let end = Handle::open(child.pid).ok();
    loop {
        let ended = process::reap_one(child.pid)?;
        if let Some(ear) = ear.as_deref_mut() {
            ear.listen();
        }
        if let Some(status) = ended {
            return Ok(status);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let open = ear.as_deref().filter(|ear| ear.is_open);
        let mut interests: Vec<Interest<'_>> =
            open.map(|ear| Interest::readable(&ear.pipe)).into_iter().collect();
        interests.extend(end.as_ref().map(Interest::readable));
        poll::wait(&mut interests, Some(if end.is_some() { left } else { left.min(GLANCE) }))?;
    }
}

/// The end of a pipe that a program speaks into.
struct Ear {
    /// Does not wait.
    pipe: OwnedFd,
    said: Vec<u8>,
    is_open: bool,
}

impl Ear {
    /// Takes what a pipe may hold, and drops what is too much: the program is not to wait for a reader.
    /// Not more at once, for the program may write faster than this reads.
    fn listen(&mut self) {
        let mut buffer = [0; LONGEST];
        for _ in 0..16 {
            match fd::Direct(&self.pipe).read(&mut buffer) {
                Ok(count) if count > 0 => {
                    let room = LONGEST.saturating_sub(self.said.len());
                    self.said.extend_from_slice(buffer.get(..count.min(room)).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    self.is_open = false;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Chain {
        Chain::new(["/bin/sh", "-c", script])
    }

    #[test]
    fn what_is_said_is_heard_and_how_it_ends() {
        let answer = ask(sh("echo word >&7; exit 3"), Some(7), LIMIT).unwrap();
        assert_eq!((answer.said.as_slice(), answer.status.code()), (&b"word\n"[..], Some(3)));
        let answer = ask(sh("exec 7>&-; read x && exit 1; exit 2"), Some(7), LIMIT).unwrap();
        assert_eq!((answer.said.as_slice(), answer.status.code()), (&b""[..], Some(2)));
        assert!(ask(Chain::new(["/missing/program"]), None, LIMIT).is_err());
    }

    #[test]
    fn more_than_a_pipe_holds_is_no_reason_to_wait() {
        let script = "head -c 300000 /dev/zero >&4; exit 3";
        let answer = ask(sh(script), Some(4), LIMIT).unwrap();
        assert_eq!((answer.said.len(), answer.status.code()), (LONGEST, Some(3)));
    }

    #[test]
    fn what_a_program_leaves_behind_is_not_waited_for() {
        let (alive, end) = fd::pipe().unwrap();
        let mut chain = sh("echo word >&4; (read x <&8) & exit 3");
        chain.descriptor(8, alive);
        let answer = ask(chain, Some(4), LIMIT).unwrap();
        assert_eq!((answer.said.as_slice(), answer.status.code()), (&b"word\n"[..], Some(3)));
        drop(end); // what was left behind ends
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_with_what_it_has_started() {
        let (gone, end) = fd::pipe().unwrap();
        let mut chain = sh("sleep 600; exit 0");
        chain.descriptor(9, end);
        let error = ask(chain, Some(4), Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // Whoever lives holds the other end.
        assert_eq!(File::from(gone).read(&mut [0]).unwrap(), 0);
    }
}
