//! Starting the supervises of services.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use prog::{Chain, Program};
use unix::Pid;
use unix::image::Step;
use unix::launch::{Complaint, Launcher, Own, Variables};
use unix::limit::Resource;
use unix::process::SpawnError;
use unix::signal::Held;

use super::Role;

/// Supervises that are on their way while this process goes on. More bring little, and each takes memory.
const BESIDE: usize = 2;

/// Starts supervises, and warns of those that it cannot start.
#[derive(Debug)]
pub struct Starter {
    program: Program,
    launcher: Launcher,
    held: Held,
}

impl Starter {
    /// Warnings are `program`'s; supervises find the signals blocked that were when `held` was made.
    pub fn new(program: Program, held: Held) -> io::Result<Starter> {
        let words = |words: &str| format!("svscan: warning: {words} ").into_bytes();
        let complaint = Complaint {
            descriptors: words("unable to set up descriptors for"),
            directory: words("unable to switch to"),
            program: words("unable to start supervise"),
        };
        let image = Chain::new(["supervise"]).image()?;
        Ok(Starter { program, launcher: Launcher::with_berths(BESIDE, image, complaint), held })
    }

    /// Starts the supervise of a service, or of its log, in the service's directory. It finds `end` under
    /// its number, and `limit` on open files, if they are given.
    pub fn start(
        &mut self,
        role: Role,
        name: &OsString,
        end: Option<(i32, OwnedFd)>,
        limit: Option<(u64, u64)>,
    ) -> Option<Pid> {
        match limit {
            None => self.start_beside(role, name, end.as_ref()),
            Some(limit) => self.start_limited(limit, role, name, end),
        }
    }

    /// Process `pid` has been waited for.
    pub fn ended(&self, pid: Pid) {
        self.launcher.ended(pid);
    }

    /// Goes on while the supervise is on its way; that says itself what it cannot do.
    fn start_beside(
        &mut self,
        role: Role,
        name: &OsString,
        end: Option<&(i32, OwnedFd)>,
    ) -> Option<Pid> {
        let subject = [name.as_bytes(), role.suffix().as_bytes()].concat();
        let (argument, directory): (&[u8], _) = match role {
            Role::Log => (b"log", Some(name.as_bytes())),
            Role::Main => (name.as_bytes(), None),
        };
        let own = Own { arguments: &[argument], directory, subject: &subject };
        let end = end.map(|(number, end)| (*number, end.as_fd()));
        let (none, held) = (Variables::default(), &self.held);
        match self.launcher.start_own(own, &none, end.as_slice(), None, held) {
            Ok(child) => Some(child.pid),
            Err(errno) => {
                self.program.warning(("unable to fork for ", name, role.suffix()), errno);
                None
            }
        }
    }

    /// Starts a supervise with a limit of open files that is not this process's.
    fn start_limited(
        &self,
        (soft, hard): (u64, u64),
        role: Role,
        name: &OsString,
        end: Option<(i32, OwnedFd)>,
    ) -> Option<Pid> {
        let whom = (name, role.suffix());
        let mut chain = match role {
            Role::Log => Chain::new(["supervise", "log"]),
            Role::Main => Chain::new([OsString::from("supervise"), name.clone()]),
        };
        if role == Role::Log {
            chain.directory(name);
        }
        if let Some((number, end)) = end {
            chain.descriptor(number, end);
        }
        chain.limit(Resource::RLIMIT_NOFILE, soft, hard);
        match chain.launch() {
            Ok(child) => return Some(child.pid),
            Err(SpawnError::Fork(errno)) => {
                self.program.warning(("unable to fork for ", whom), errno);
            }
            Err(SpawnError::Enter(failure)) => match failure.step {
                Step::Descriptors => {
                    self.program
                        .warning(("unable to set up descriptors for ", whom), failure.errno);
                }
                Step::Directory => {
                    self.program.warning(("unable to switch to ", name), failure.errno);
                }
                _ => self.program.warning(("unable to start supervise ", whom), failure.errno),
            },
        }
        None
    }
}
