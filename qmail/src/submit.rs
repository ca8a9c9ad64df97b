//! A client's half of qmail-queue: message, envelope, verdict.

mod verdict;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use prog::Chain;
use queue::home::Home;
use unix::image::Step;
use unix::poll::{self, Interest};
use unix::process::{Child, SpawnError};
use unix::signal::{self, Signal};
use unix::{errno, fd};

pub use verdict::Verdict;

const BUFFER: usize = 64 * 1024;

/// What a queue program may say of its own on descriptor 6.
const LONGEST_TEXT: usize = 255;

/// A message being handed to the queue.
///
/// Write the message, give the [`Submission::envelope`], ask for the verdict with
/// [`Submission::finish`]. Writing never fails: once the queue program has stopped reading, bytes
/// are dropped, and the verdict tells. Dropped before `finish`, nothing is queued.
#[derive(Debug)]
pub struct Submission {
    /// Or the exit code that a child would have ended with that could not become the program.
    child: Result<Child, u8>,
    pid: u32,
    pipe: Option<File>,
    envelope: Option<File>,
    errors: Option<File>,
    text: Vec<u8>,
    buffer: Vec<u8>,
    complete: bool,
    failed: bool,
}

impl Submission {
    /// Starts `$QMAILQUEUE`, or `bin/qmail-queue`, in the home directory of the host; a relative path
    /// is relative to that, and `$PATH` is not searched.
    ///
    /// An error means that there was no process or no descriptor to be had. A program that cannot
    /// be run shows in the verdict. From here on SIGPIPE is ignored in this process.
    pub fn start(home: &Home) -> io::Result<Submission> {
        let program = std::env::var_os("QMAILQUEUE").unwrap_or_else(|| "bin/qmail-queue".into());
        Submission::run(home, program)
    }

    fn run(home: &Home, program: OsString) -> io::Result<Submission> {
        signal::ignore(Signal::SIGPIPE)?;
        let (message_end, message) = fd::pipe()?;
        let (envelope_end, envelope) = fd::pipe()?;
        let (errors, errors_end) = fd::pipe()?;
        for ours in [&message, &envelope, &errors] {
            fd::nonblocking(ours, true)?;
        }
        let mut chain = Chain::new([here(&program)]);
        chain.argv0(program);
        chain.directory(&home.path);
        chain.descriptor(0, message_end);
        chain.descriptor(1, envelope_end);
        chain.descriptor(6, errors_end);
        let child = match chain.launch() {
            Ok(child) => Ok(child),
            Err(SpawnError::Fork(errno)) => return Err(errno.into()),
            Err(SpawnError::Enter(failure)) if failure.step == Step::Directory => Err(61),
            Err(SpawnError::Enter(_)) => Err(120),
        };
        let pid = child.as_ref().map_or(0, |child| child.pid.as_raw().unsigned_abs());
        Ok(Submission {
            child,
            pid,
            pipe: Some(message.into()),
            envelope: Some(envelope.into()),
            errors: Some(errors.into()),
            text: Vec::new(),
            buffer: Vec::with_capacity(BUFFER),
            complete: false,
            failed: false,
        })
    }

    /// The process id of the queue program: what logs and replies call `qp`.
    #[must_use]
    pub fn qp(&self) -> u32 {
        self.pid
    }

    /// Gives the message up: nothing more is written, and nothing is queued.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// Ends the message and writes the envelope. No address may hold a zero byte: that fails.
    pub fn envelope<'a>(&mut self, sender: &[u8], recipients: impl IntoIterator<Item = &'a [u8]>) {
        self.push();
        self.pipe = self.envelope.take(); // closes the message, whose end the queue waits for
        self.address(b'F', sender);
        for recipient in recipients {
            self.address(b'T', recipient);
        }
        self.complete = !self.failed;
    }

    fn address(&mut self, letter: u8, address: &[u8]) {
        if memchr::memchr(0, address).is_some() {
            self.fail();
        }
        for part in [&[letter][..], address, &[0]] {
            self.put(part);
        }
    }

    /// Ends the envelope, waits for the queue program and tells what became of the message.
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        if self.complete {
            self.put(&[0]);
        }
        self.push();
        self.pipe = None;
        self.envelope = None;
        while self.errors.is_some() {
            self.wait_and_listen();
        }
        let complete = self.complete && !self.failed;
        match self.child {
            Err(code) => Verdict::of_code(code, complete, &self.text, self.pid),
            Ok(child) => match child.wait() {
                Ok(status) => Verdict::of_status(status, complete, &self.text, self.pid),
                Err(_) => Verdict::lost_child(),
            },
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        if self.buffer.len() + bytes.len() > BUFFER {
            self.push();
        }
        if bytes.len() >= BUFFER {
            self.send(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Writes what is buffered.
    fn push(&mut self) {
        let mut bytes = std::mem::take(&mut self.buffer);
        self.send(&bytes);
        bytes.clear();
        self.buffer = bytes;
    }

    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.failed {
            let Some(pipe) = &mut self.pipe else {
                self.failed = true;
                return;
            };
            match pipe.write(bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_and_listen(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.failed = true,
            }
        }
    }

    /// Waits until the pipe takes more or the program says something. Hearing it out while it is
    /// written to is what keeps two full pipes from waiting for one another.
    fn wait_and_listen(&mut self) {
        let waited = match (&self.pipe, &self.errors) {
            (Some(pipe), Some(errors)) => {
                let mut interests = [Interest::writable(pipe), Interest::readable(errors)];
                poll::wait(&mut interests, None)
                    .map(|_| interests.last().is_some_and(Interest::is_ready))
            }
            (Some(pipe), None) => poll::until(pipe, true, None).map(|_| false),
            (None, Some(errors)) => poll::until(errors, false, None),
            (None, None) => Ok(false),
        };
        match waited {
            Ok(true) => self.listen(),
            Ok(false) => {}
            Err(_) => {
                self.failed = true;
                self.errors = None;
            }
        }
    }

    fn listen(&mut self) {
        let mut bytes = [0; 512];
        let Some(errors) = &mut self.errors else { return };
        match errors.read(&mut bytes) {
            Ok(0) => self.errors = None,
            Ok(read) => {
                self.text.extend(bytes.iter().take(read));
                self.text.truncate(LONGEST_TEXT);
            }
            Err(error) if errno::is_temporary(errno::of(&error)) => {}
            Err(_) => self.errors = None,
        }
    }
}

impl Write for Submission {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `program` with a slash in it, so that `$PATH` is not searched. An empty one stays: it cannot be run.
fn here(program: &OsString) -> OsString {
    let name = program.as_bytes();
    if name.is_empty() || name.contains(&b'/') {
        program.clone()
    } else {
        OsString::from_vec([b"./", name].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home { path: dir.path().to_owned(), private: true };
        (dir, home)
    }

    /// Submits to a shell script that lies in the home.
    fn submit(script: &str, message: &[u8], recipients: &[&[u8]]) -> (Verdict, String) {
        let (dir, home) = home();
        // Written by a child: while we held it open for writing, a child of another test could
        // inherit it, and then nobody could execute it.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > filter; chmod +x filter";
        let mut chain = Chain::new(["/bin/sh", "-c", write, "sh", script]);
        chain.directory(dir.path());
        assert!(chain.spawn().unwrap().wait().unwrap().is_success());
        let mut submission = Submission::run(&home, "filter".into()).unwrap();
        submission.write_all(message).unwrap();
        submission.envelope(b"a@b", recipients.iter().copied());
        let verdict = submission.finish();
        (verdict, std::fs::read_to_string(dir.path().join("got")).unwrap_or_default())
    }

    #[test]
    fn the_program_gets_message_and_envelope() {
        let script = "cat > got; tr '\\000' '\\n' <&1 >> got";
        let (verdict, got) = submit(script, b"Subject: x\n\n", &[b"c@d", b"e@f"]);
        assert!(matches!(verdict, Verdict::Accepted { qp } if qp > 0), "{verdict:?}");
        assert_eq!(got, "Subject: x\n\nFa@b\nTc@d\nTe@f\n\n");
    }

    #[test]
    fn a_program_that_dies_early_ends_the_writing() {
        let (verdict, _) = submit("exit 53", &vec![b'x'; 1 << 20], &[b"c@d"]);
        assert_eq!(verdict, Verdict::temporary("qq write error or disk full (#4.3.0)"));
    }

    #[test]
    fn success_is_not_believed_if_not_everything_was_read() {
        let (verdict, _) = submit("exit 0", &vec![b'x'; 1 << 20], &[b"c@d"]);
        assert_eq!(verdict, Verdict::temporary("qq read error (#4.3.0)"));
    }

    #[test]
    fn a_program_that_talks_without_reading_blocks_nobody() {
        let script = "head -c 300000 /dev/zero | tr '\\000' D >&6; cat >/dev/null; exit 82";
        let (verdict, _) = submit(script, &vec![b'x'; 1 << 20], &[b"c@d"]);
        assert_eq!(verdict, Verdict::Permanent("D".repeat(254).into_bytes().into()));
    }

    #[test]
    fn a_program_that_cannot_be_run_is_temporary() {
        let (_dir, home) = home();
        for program in ["", "bin/qmail-queue", "sh"] {
            let mut submission = Submission::run(&home, program.into()).unwrap();
            submission.envelope(b"", [&b"a@b"[..]]);
            assert_eq!(submission.finish(), Verdict::temporary("unable to exec qq (#4.3.0)"));
        }
        let home = Home { path: home.path.join("missing"), private: true };
        let mut submission = Submission::run(&home, "/bin/true".into()).unwrap();
        submission.envelope(b"", [&b"a@b"[..]]);
        assert_eq!(
            submission.finish(),
            Verdict::temporary("qq trouble in home directory (#4.3.0)")
        );
    }

    #[test]
    fn failing_leaves_the_envelope_without_its_end() {
        let (_dir, home) = home();
        let script = "cat; tail -c1 <&1 | grep -qx t && exit 31; exit 0";
        let mut submission = Submission::run(&home, "/bin/sh".into()).unwrap();
        submission.write_all(script.as_bytes()).unwrap();
        submission.fail();
        submission.envelope(b"a@b", [&b"c@d"[..]]);
        assert_eq!(submission.finish(), Verdict::temporary("qq read error (#4.3.0)"));
    }

    #[test]
    fn an_address_with_a_zero_byte_is_not_queued() {
        let (verdict, _) = submit("cat >/dev/null; cat <&1 >got", b"", &[b"a\0b@c"]);
        assert_eq!(verdict, Verdict::temporary("qq read error (#4.3.0)"));
    }

    #[test]
    fn our_ends_of_the_pipes_do_not_reach_other_programs() {
        let (_dir, home) = home();
        let submission = Submission::run(&home, "/bin/true".into()).unwrap();
        for fd in [&submission.pipe, &submission.envelope, &submission.errors] {
            let number = std::os::fd::AsRawFd::as_raw_fd(&fd.as_ref().unwrap().as_fd());
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            assert_eq!(u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000, 0o2_000_000);
        }
    }
}
