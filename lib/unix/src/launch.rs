//! Start one program again and again, at the least cost.
//!
//! [`crate::process::spawn`] puts a whole [`Image`] together for each child, and sleeps until the
//! child has executed it. A server that starts the same program for each connection prepares it
//! once, as a [`Launcher`], gives what differs, a few variables and descriptors, and goes on at once.
//!
//! The child borrows this process's memory until it has executed the program. What it looks at there
//! is its own, a berth; it makes system calls only, and these past libc, whose `errno` would be
//! this process's too.

mod berth;
mod child;
mod variables;

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, RawFd};

use crate::errno::Errno;
use crate::image::Image;
use crate::process::{self, Child};
use crate::signal::Held;
use crate::{Pid, raw};

use berth::{Berth, Stacks};
use child::{Program, Task};
pub use variables::Variables;

/// So many children at a time may be on their way to the program while this process goes on. It
/// waits for the next one's exec, so that they do not pile up where it is faster than they are.
const BERTHS: usize = 8;

/// A line, or several, that the child writes to descriptor 2 before it executes the program: the
/// three parts with its process number between them.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a>(pub &'a [u8], pub &'a [u8], pub &'a [u8]);

/// What a child has of its own beside variables and descriptors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own<'a> {
    /// Arguments behind the prepared ones.
    pub arguments: &'a [&'a [u8]],
    /// Its working directory; `None` for this process's.
    pub directory: Option<&'a [u8]>,
    /// What a complaint is about: comes behind its words. One about the directory names that.
    pub subject: &'a [u8],
}

/// How a child that cannot become the program says so on descriptor 2: the beginning of a line, to
/// which it adds `: ` and the reason in the classic words. Empty: it says nothing.
#[derive(Clone, Debug, Default)]
pub struct Complaint {
    /// The descriptors cannot be put into place.
    pub descriptors: Vec<u8>,
    /// The working directory cannot be entered.
    pub directory: Vec<u8>,
    /// The program cannot be executed.
    pub program: Vec<u8>,
}

/// A program that this process starts many times.
#[derive(Debug)]
pub struct Launcher {
    program: &'static Program,
    stacks: Stacks,
    berths: Vec<Berth>,
    /// Berths that may be left taken; there is one more.
    limit: usize,
    /// Nothing was started since memory was given back.
    is_rested: bool,
}

impl Launcher {
    /// Prepares `image`: its program, arguments and environment. Its other parts are not looked at.
    /// What is prepared is kept for as long as this process lives.
    #[must_use]
    pub fn new(image: Image, complaint: Complaint) -> Launcher {
        Launcher::with_berths(BERTHS, image, complaint)
    }

    /// As [`Launcher::new`], with `limit` children at a time on their way while this process goes on:
    /// fewer take less memory.
    #[must_use]
    pub fn with_berths(limit: usize, image: Image, complaint: Complaint) -> Launcher {
        let program = Box::leak(Box::new(Program::new(image, complaint)));
        let berths = Vec::with_capacity(limit + 1);
        Launcher { program, stacks: Stacks::new(limit + 1), berths, limit, is_rested: true }
    }

    /// Starts the program with `variables` beside the prepared ones, and `descriptors` under the
    /// numbers given; each must be numbered above all of these numbers. Every other descriptor that
    /// does not close on exec stays, too.
    ///
    /// The signals of `held` are let through again in the child. A handler of this process for
    /// any other signal runs in the child, too, if the signal comes before the exec. A child that
    /// cannot become the program complains, and ends with 111.
    pub fn start(
        &mut self,
        variables: &Variables,
        descriptors: &[(RawFd, BorrowedFd<'_>)],
        notice: Option<Notice<'_>>,
        held: &Held,
    ) -> Result<Child, Errno> {
        self.start_own(Own::default(), variables, descriptors, notice, held)
    }

    /// As [`Launcher::start`], for a child that has more of its own.
    pub fn start_own(
        &mut self,
        own: Own<'_>,
        variables: &Variables,
        descriptors: &[(RawFd, BorrowedFd<'_>)],
        notice: Option<Notice<'_>>,
        held: &Held,
    ) -> Result<Child, Errno> {
        let free = self.berths.iter().position(|berth| !berth.is_taken());
        let free = free.unwrap_or(self.berths.len());
        if free == self.berths.len()
            && let Some(berth) = self.stacks.berth(Task::new(self.program, held))
        {
            self.berths.push(berth);
        }
        self.is_rested = false;
        // The last one is never left taken.
        let sleeps = !raw::LEAVES_ERRNO || free == self.limit;
        let berth = self.berths.get_mut(free).ok_or(Errno::EBUSY)?;
        let task = berth.task().ok_or(Errno::EBUSY)?;
        task.fill(variables, descriptors, notice, held);
        task.adapt(own)?;
        Ok(Child { pid: berth.launch(sleeps)? })
    }

    /// The whole environment that a child with `variables` is given: each `NAME=value`, in order.
    pub fn environment<'a>(&'a self, variables: &'a Variables) -> impl Iterator<Item = &'a [u8]> {
        self.program.kept(variables).map(CStr::to_bytes).chain(variables.strings())
    }

    /// Process `pid` was waited for: if it was a child of this launcher, it needs nothing any more.
    ///
    /// Of most children that is known before. Not of one that was killed at its first step.
    pub fn ended(&self, pid: Pid) {
        self.berths.iter().filter(|berth| berth.is_of(pid)).for_each(Berth::release);
    }

    /// Whether there is memory that [`Launcher::rest`] could give back.
    #[must_use]
    pub fn may_rest(&self) -> bool {
        !self.is_rested
    }

    /// Gives back what children have borrowed, for when none is expected soon: the next ones cost a
    /// little more. Nothing happens while a child still has it.
    pub fn rest(&mut self) {
        self.stacks.rest(&self.berths);
        self.is_rested = true;
    }

    /// Becomes the program in this process, as [`Launcher::start`] has a child become it. On failure
    /// it complains, and this process should end with 111.
    pub fn enter(
        &self,
        variables: &Variables,
        descriptors: &[(RawFd, BorrowedFd<'_>)],
        held: &Held,
    ) {
        let mut task = Task::new(self.program, held);
        task.fill(variables, descriptors, None, held);
        task.enter(process::id().as_raw().unsigned_abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::search;
    use crate::signal::Signal;
    use std::ffi::{CString, OsStr};
    use std::io::Read;
    use std::os::fd::{AsFd, OwnedFd};

    fn launcher(words: &[&str], environment: &[&str]) -> Launcher {
        let strings = |words: &[&str]| words.iter().map(|w| CString::new(*w).unwrap()).collect();
        let image = Image {
            candidates: search(OsStr::new(words[0]), b"/bin:/usr/bin").unwrap(),
            argv: strings(words),
            environment: strings(environment),
            ..Image::default()
        };
        Launcher::new(image, Complaint { program: b"no".to_vec(), ..Complaint::default() })
    }

    /// A pipe, the writing end with a high number.
    fn pipe() -> (std::fs::File, OwnedFd) {
        let (read, write) = crate::fd::pipe().unwrap();
        (read.into(), crate::fd::duplicate(write, 10).unwrap())
    }

    fn all(mut file: std::fs::File) -> String {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn each_child_has_variables_and_descriptors_of_its_own() {
        let held = Held::new(&[Signal::SIGUSR1]).unwrap();
        let mut launcher = launcher(&["sh", "-c", "echo $A $B $C >&7"], &["A=a", "B=b", "BB=x"]);
        let mut variables = Variables::default();
        // More than there are berths, and all at once.
        let mut children = Vec::new();
        for round in 0..20 {
            let (read, write) = pipe();
            variables.clear();
            variables.add(b"C", |out| out.extend_from_slice(round.to_string().as_bytes())).unwrap();
            variables.set(b"B", b"new").unwrap();
            let descriptors = [(7, write.as_fd())];
            let child = launcher.start(&variables, &descriptors, None, &held).unwrap();
            children.push((round, child, read));
        }
        assert!(launcher.berths.len() <= BERTHS + 1);
        for (round, child, read) in children {
            assert_eq!(all(read), format!("a new {round}\n"));
            let pid = child.pid;
            assert!(child.wait().unwrap().is_success());
            launcher.ended(pid);
        }
        assert!(!launcher.berths.iter().any(Berth::is_taken));
        // And again, after a rest.
        assert!(launcher.may_rest());
        launcher.rest();
        assert!(!launcher.may_rest());
        let (read, write) = pipe();
        let child = launcher.start(&variables, &[(7, write.as_fd())], None, &held).unwrap();
        drop(write);
        assert_eq!(all(read), "a new 19\n");
        assert!(child.wait().unwrap().is_success());
        held.release();
    }

    #[test]
    fn the_environment_of_a_child_can_be_told_without_one() {
        let held = Held::new(&[]).unwrap();
        let mut launcher = launcher(&["env"], &["A=a", "B=b", "BB=x"]);
        let mut variables = Variables::default();
        variables.set(b"A", b"old").unwrap();
        variables.add(b"C", |out| out.extend_from_slice(b"c=c")).unwrap();
        variables.set(b"A", b"new").unwrap();
        let told: Vec<_> = launcher.environment(&variables).map(<[u8]>::to_vec).collect();
        assert_eq!(told, [&b"B=b"[..], b"BB=x", b"C=c=c", b"A=new"]);
        let (out, out_end) = pipe();
        let child = launcher.start(&variables, &[(1, out_end.as_fd())], None, &held).unwrap();
        drop(out_end);
        assert_eq!(all(out).into_bytes(), [told.join(&b'\n'), b"\n".to_vec()].concat());
        assert!(child.wait().unwrap().is_success());
    }

    #[test]
    fn a_child_may_have_arguments_and_a_directory_of_its_own() {
        let held = Held::new(&[]).unwrap();
        let mut launcher =
            launcher(&["sh", "-c", "echo $0 $# $1; [ $(pwd) = / ] && echo root", "zero"], &[]);
        let (out, out_end) = pipe();
        let descriptors = [(1, out_end.as_fd())];
        let arguments: [&[u8]; 2] = [b"a b", b""];
        let own = Own { arguments: &arguments, directory: Some(b"/"), subject: b"" };
        let none = Variables::default();
        let child = launcher.start_own(own, &none, &descriptors, None, &held);
        assert!(child.unwrap().wait().unwrap().is_success());
        let torn = Own { directory: Some(b"a\0b"), ..own };
        let error = launcher.start_own(torn, &none, &descriptors, None, &held);
        assert_eq!(error.unwrap_err(), Errno::EINVAL);
        // And the next has none.
        launcher.start(&none, &descriptors, None, &held).unwrap().wait().unwrap();
        drop(out_end);
        assert_eq!(all(out), "zero 2 a b\nroot\nzero 0\n");
    }

    #[test]
    fn who_cannot_enter_its_directory_says_which() {
        let held = Held::new(&[]).unwrap();
        let complaint = Complaint { directory: b"no way to ".to_vec(), ..Complaint::default() };
        let mut launcher = Launcher::with_berths(1, Image::default(), complaint);
        let (read, write) = pipe();
        let own = Own { directory: Some(b"/nonexistent"), subject: b"x", ..Own::default() };
        let descriptors = [(2, write.as_fd())];
        let child = launcher.start_own(own, &Variables::default(), &descriptors, None, &held);
        drop(write);
        assert_eq!(all(read), "no way to /nonexistent: file does not exist\n");
        assert_eq!(child.unwrap().wait().unwrap().code(), Some(111));
    }

    #[test]
    fn who_cannot_become_the_program_says_so_after_its_notice() {
        let held = Held::new(&[]).unwrap();
        let mut launcher = launcher(&["no such program"], &[]);
        let (read, write) = pipe();
        let notice = Notice(b"pid ", b"\nok ", b"\n");
        let descriptors = [(2, write.as_fd())];
        // The notice goes where this process has its 2, the complaint where the child has it.
        let child = launcher.start(&Variables::default(), &descriptors, Some(notice), &held);
        drop(write);
        assert_eq!(all(read), "no: file does not exist\n");
        assert_eq!(child.unwrap().wait().unwrap().code(), Some(111));
    }
}
