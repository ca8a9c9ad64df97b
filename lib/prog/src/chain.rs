//! Chain: what the next program will see; exec and spawn.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use unix::image::{Failure, Image, Step, search};
use unix::limit::Resource;
use unix::process::{self, Child, SpawnError};
use unix::{Gid, Uid};

use crate::env::Env;
use crate::fatal::Fatal;

/// The next program, and the state it is to find: arguments, environment, descriptors, limits,
/// identity, working directory.
///
/// The setters only record; [`Chain::exec`] and [`Chain::spawn`] apply the record in the one order
/// that works: cgroup, descriptors, directory, mask, limits, session, groups, gid, uid, signals, exec.
/// The program is looked up in this process's own `$PATH` (`/bin:/usr/bin` without one).
#[derive(Debug)]
pub struct Chain {
    program: OsString,
    argv: Vec<OsString>,
    /// Edits over the inherited environment.
    pub env: Env,
    image: Image,
    directory: Option<PathBuf>,
}

impl Chain {
    /// Runs the first of `words`, with all of them as its arguments.
    #[must_use]
    pub fn new<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Chain {
        let argv: Vec<OsString> = words.into_iter().map(Into::into).collect();
        Chain {
            program: argv.first().cloned().unwrap_or_default(),
            argv,
            env: Env::default(),
            image: Image::default(),
            directory: None,
        }
    }

    /// The program's name or path as it was given.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// The arguments, argv\[0\] first.
    #[must_use]
    pub fn arguments(&self) -> &[OsString] {
        &self.argv
    }

    /// The name the program is told as its own.
    pub fn argv0(&mut self, name: impl Into<OsString>) {
        match self.argv.first_mut() {
            Some(first) => *first = name.into(),
            None => self.argv.push(name.into()),
        }
    }

    /// One more argument at the end.
    pub fn argument(&mut self, word: impl Into<OsString>) {
        self.argv.push(word.into());
    }

    /// Becomes `uid` and `gid` for good, with `gid` as the only supplementary group.
    pub fn identity(&mut self, uid: Uid, gid: Gid) {
        self.group(gid);
        self.image.uid = Some(uid.as_raw());
    }

    /// Becomes `gid` for good, with it as the only supplementary group.
    pub fn group(&mut self, gid: Gid) {
        self.image.groups = Some(vec![gid.as_raw()]);
        self.image.gid = Some(gid.as_raw());
    }

    /// Supplementary groups, where more than the one of [`Chain::identity`] are wanted.
    pub fn groups(&mut self, groups: &[Gid]) {
        self.image.groups = Some(groups.iter().map(|gid| gid.as_raw()).collect());
    }

    /// Soft and hard limit of a resource.
    pub fn limit(&mut self, resource: Resource, soft: u64, hard: u64) {
        self.image.limits.retain(|&(known, ..)| known != resource);
        self.image.limits.push((resource, soft, hard));
    }

    /// The program finds `fd` as descriptor `number`. It is closed here when the chain is gone.
    pub fn descriptor(&mut self, number: RawFd, fd: impl Into<OwnedFd>) {
        self.image.descriptors.retain(|&(known, _)| known != number);
        self.image.descriptors.push((number, fd.into()));
    }

    /// The program finds descriptor `number` closed.
    pub fn close(&mut self, number: RawFd) {
        self.image.closed.push(number);
    }

    /// Working directory.
    pub fn directory(&mut self, path: impl Into<PathBuf>) {
        self.directory = Some(path.into());
    }

    /// File mode creation mask.
    pub fn umask(&mut self, mask: u32) {
        self.image.umask = Some(mask);
    }

    /// Starts a session, and so a process group, of its own.
    pub fn session(&mut self) {
        self.image.session = true;
    }

    /// Is put into the cgroup whose file `cgroup.procs` this is, open for writing.
    pub fn cgroup(&mut self, door: impl Into<OwnedFd>) {
        self.image.cgroup = Some(door.into());
    }

    /// Becomes the program. Returns only on failure.
    #[must_use]
    pub fn exec(self) -> Fatal {
        let (program, directory) = (self.program.clone(), self.directory.clone());
        match self.image() {
            Ok(image) => told(process::exec(&image), &program, directory.as_deref()),
            Err(error) => Fatal::because(("unable to run ", &program), error),
        }
    }

    /// Starts the program as a child, without copying this process. This process sleeps until the
    /// program has been executed.
    pub fn spawn(self) -> Result<Child, Fatal> {
        let (program, directory) = (self.program.clone(), self.directory.clone());
        self.launch().map_err(|error| match error {
            SpawnError::Enter(failure) => told(failure, &program, directory.as_deref()),
            SpawnError::Fork(errno) => Fatal::because("unable to fork", errno),
        })
    }

    /// As [`Chain::spawn`], for callers that need the step and the errno rather than words.
    pub fn launch(self) -> Result<Child, SpawnError> {
        let unusable = |error: io::Error| {
            let errno = unix::errno::of(&error);
            SpawnError::Enter(Failure { step: Step::Exec, errno })
        };
        process::spawn(&self.image().map_err(unusable)?)
    }

    /// Everything put together for the kernel. A zero byte anywhere is `EINVAL`.
    pub fn image(self) -> io::Result<Image> {
        let mut image = self.image;
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
        image.candidates = search(&self.program, path.as_bytes())?;
        image.argv = self
            .argv
            .into_iter()
            .map(|word| Ok(CString::new(word.into_vec())?))
            .collect::<io::Result<_>>()?;
        image.environment = self.env.strings()?;
        image.directory = self
            .directory
            .map(|path| CString::new(path.into_os_string().into_vec()))
            .transpose()?;
        Ok(image)
    }
}

/// The words of the originals for a step that failed.
fn told(failure: Failure, program: &OsStr, directory: Option<&Path>) -> Fatal {
    let errno = failure.errno;
    match failure.step {
        Step::Cgroup => Fatal::because("unable to enter cgroup", errno),
        Step::Descriptors => Fatal::because("unable to set up descriptors", errno),
        Step::Directory => {
            let directory = directory.unwrap_or(Path::new("."));
            Fatal::because(("unable to switch to directory ", directory), errno)
        }
        Step::Limits => Fatal::because("setrlimit failed", errno),
        Step::Group => Fatal::because("unable to setgid", errno),
        Step::User => Fatal::because("unable to setuid", errno),
        Step::Exec => Fatal::because(("unable to run ", program), errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_child_sees_what_was_recorded() {
        let script = "echo $0 $A; pwd; umask; ulimit -Sn; echo err >&7";
        let mut chain = Chain::new(["sh", "-c", script]);
        let (out, out_end) = unix::fd::pipe().unwrap();
        let (seven, seven_end) = unix::fd::pipe().unwrap();
        chain.env.set("A", "value");
        chain.directory("/");
        chain.umask(0o027);
        chain.limit(Resource::RLIMIT_NOFILE, 99, 1024);
        chain.descriptor(1, out_end);
        chain.descriptor(7, seven_end);
        let child = chain.spawn().unwrap();
        let read = |fd: OwnedFd| {
            let mut text = String::new();
            std::fs::File::from(fd).read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(read(out), "sh value\n/\n0027\n99\n");
        assert_eq!(read(seven), "err\n");
        assert!(child.wait().unwrap().is_success());
    }

    #[test]
    fn argv0_is_only_what_the_program_is_told() {
        let mut chain = Chain::new(["/bin/sh", "-c", "exit 0"]);
        chain.argv0("-sh");
        assert_eq!(chain.program(), "/bin/sh");
        assert_eq!(chain.arguments(), ["-sh", "-c", "exit 0"]);
    }

    #[test]
    fn a_word_with_a_zero_byte_cannot_be_run() {
        let word = OsString::from_vec(b"a\0b".to_vec());
        assert!(Chain::new([word]).spawn().is_err());
    }
}
