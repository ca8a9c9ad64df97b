//! From the child's first step to the program.
#![expect(unsafe_code, reason = "execve(2)")]

use std::ffi::{CStr, CString, c_char};
use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use super::{Complaint, Notice, Own, Variables};
use crate::errno::{Errno, classic};
use crate::image::{Failure, Image, Step, try_each};
use crate::raw;
use crate::signal::{self, Held};

/// What is the same for every child.
#[derive(Debug)]
pub(super) struct Program {
    candidates: Vec<CString>,
    /// What `argv` points to.
    _words: Vec<CString>,
    argv: Vec<*const c_char>,
    environment: Vec<CString>,
    complaint: Complaint,
}

impl Program {
    pub(super) fn new(image: Image, complaint: Complaint) -> Program {
        Program {
            candidates: image.candidates,
            argv: image.argv.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect(),
            _words: image.argv,
            environment: image.environment,
            complaint,
        }
    }

    /// Its own variables that a child with `variables` has too.
    pub(super) fn kept<'a>(&'a self, variables: &'a Variables) -> impl Iterator<Item = &'a CStr> {
        let own = self.environment.iter().map(CString::as_c_str);
        own.filter(|string| !variables.hides(string.to_bytes()))
    }
}

/// All that a child looks at until it has executed the program: its parent may go on meanwhile, and
/// use whatever this was made of for something else.
#[derive(Debug)]
pub(super) struct Task {
    program: &'static Program,
    variables: Vec<u8>,
    /// Arguments of its own, each ended by a zero byte, and the list of all; empty if it has none.
    arguments: Vec<u8>,
    argv: Vec<*const c_char>,
    /// Ended by a zero byte; empty if it stays where it is.
    directory: Vec<u8>,
    /// What a complaint is about.
    subject: Vec<u8>,
    /// Into the variables and the program's own.
    environment: Vec<*const c_char>,
    descriptors: Vec<(RawFd, RawFd)>,
    /// The parts of a notice, one after another, and where two of them end.
    notice: Vec<u8>,
    ends: Option<(usize, usize)>,
    mask: libc::sigset_t,
    ignored: u64,
}

impl Task {
    pub(super) fn new(program: &'static Program, held: &Held) -> Task {
        Task {
            program,
            variables: Vec::new(),
            arguments: Vec::new(),
            argv: Vec::new(),
            directory: Vec::new(),
            subject: Vec::new(),
            environment: Vec::new(),
            descriptors: Vec::new(),
            notice: Vec::new(),
            ends: None,
            mask: held.mask(),
            ignored: 0,
        }
    }

    pub(super) fn fill(
        &mut self,
        variables: &Variables,
        descriptors: &[(RawFd, BorrowedFd<'_>)],
        notice: Option<Notice<'_>>,
        held: &Held,
    ) {
        self.variables.clone_from(&variables.bytes);
        let kept = self.program.kept(variables);
        let own = variables.starts().filter_map(|start| self.variables.get(start..));
        self.environment.clear();
        self.environment.extend(kept.map(CStr::as_ptr));
        self.environment.extend(own.map(|bytes| bytes.as_ptr().cast::<c_char>()));
        self.environment.push(ptr::null());
        self.descriptors.clear();
        self.descriptors.extend(descriptors.iter().map(|(to, from)| (*to, from.as_raw_fd())));
        self.notice.clear();
        self.ends = notice.map(|Notice(first, second, third)| {
            self.notice.extend([first, second, third].into_iter().flatten());
            (first.len(), first.len() + second.len())
        });
        self.mask = held.mask();
        self.ignored = signal::ignored();
    }

    /// What else this child has of its own. `EINVAL` if there is a zero byte in it.
    pub(super) fn adapt(&mut self, own: Own<'_>) -> Result<(), Errno> {
        for list in [&mut self.arguments, &mut self.directory, &mut self.subject] {
            list.clear();
        }
        self.argv.clear();
        if own.arguments.iter().chain(&own.directory).any(|word| word.contains(&0)) {
            return Err(Errno::EINVAL);
        }
        self.subject.extend_from_slice(own.subject);
        if let Some(directory) = own.directory {
            self.directory.extend_from_slice(directory);
            self.directory.push(0);
        }
        for word in own.arguments {
            self.arguments.extend_from_slice(word);
            self.arguments.push(0);
        }
        if !own.arguments.is_empty() {
            let prepared = self.program.argv.iter().take_while(|word| !word.is_null());
            self.argv.extend(prepared);
            let mut rest = &self.arguments[..];
            for word in own.arguments {
                self.argv.push(rest.as_ptr().cast());
                rest = rest.get(word.len() + 1..).unwrap_or_default();
            }
            self.argv.push(ptr::null());
        }
        Ok(())
    }

    /// Becomes the program in process `pid`, or says why not; then the process is to end. Allocates
    /// nothing, takes no lock, and touches nothing that its parent may be using.
    pub(super) fn enter(&self, pid: u32) {
        if let Some((first, second)) = self.ends {
            let mut digits = [0; 12];
            let pid = IoSlice::new(decimal(pid, &mut digits));
            let part = |bytes: Option<_>| IoSlice::new(bytes.unwrap_or_default());
            let notice = &self.notice;
            let third = part(notice.get(second..));
            let parts =
                [part(notice.get(..first)), pid, part(notice.get(first..second)), pid, third];
            raw::write(2, &parts);
        }
        let Failure { step, errno } = self.become_program();
        let complaint = &self.program.complaint;
        let (words, subject) = match step {
            Step::Descriptors => (&complaint.descriptors, &self.subject[..]),
            Step::Directory => {
                (&complaint.directory, self.directory.strip_suffix(b"\0").unwrap_or_default())
            }
            _ => (&complaint.program, &self.subject[..]),
        };
        if !words.is_empty() {
            let reason = classic(errno).as_bytes();
            let parts: [&[u8]; 5] = [words, subject, b": ", reason, b"\n"];
            raw::write(2, &parts.map(IoSlice::new));
        }
    }

    fn become_program(&self) -> Failure {
        for &(to, from) in &self.descriptors {
            // Otherwise a number could be given away before it is looked at.
            let placed = if from > to { raw::duplicate(from, to) } else { Err(Errno::EBADF) };
            if let Err(errno) = placed {
                return Failure { step: Step::Descriptors, errno };
            }
        }
        if let Ok(directory) = CStr::from_bytes_with_nul(&self.directory)
            && let Err(errno) = raw::change_directory(directory)
        {
            return Failure { step: Step::Directory, errno };
        }
        // Signals that are caught get their default action by exec itself.
        let mut ignored = self.ignored;
        while ignored != 0 {
            raw::default_action(ignored.trailing_zeros().cast_signed());
            ignored &= ignored - 1;
        }
        raw::set_mask(&self.mask);
        Failure { step: Step::Exec, errno: self.execute() }
    }

    fn execute(&self) -> Errno {
        try_each(&self.program.candidates, |path| self.execute_one(path))
    }

    fn execute_one(&self, path: &CStr) -> Errno {
        let argv = if self.argv.is_empty() { &self.program.argv } else { &self.argv };
        let (argv, environment) = (argv.as_ptr(), self.environment.as_ptr());
        // SAFETY: both end with null, and point to strings of this task and its program.
        unsafe { raw::execute(path, argv, environment) }
    }
}

/// `number` in decimal, without allocating.
fn decimal(mut number: u32, digits: &mut [u8; 12]) -> &[u8] {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        assert_eq!(decimal(0, &mut [0; 12]), b"0");
        assert_eq!(decimal(u32::MAX, &mut [0; 12]), b"4294967295");
    }
}
