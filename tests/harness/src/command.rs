//! A program to run in a case, and what came of it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use unix::user::User;

use crate::account;
use crate::background::{Background, kill_group};
use crate::ground;
use crate::kept;
use crate::side::{Side, Which};

/// No program of a case takes longer, whole installations among them; one that does is ended, and the case
/// fails.
const LIMIT: Duration = Duration::from_mins(5);

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Everything on descriptor 1.
    pub stdout: Vec<u8>,
    /// Everything on descriptor 2.
    pub stderr: Vec<u8>,
    /// The exit code; −N for signal N.
    pub exit: i32,
}

impl Run {
    /// The run with the side's own paths replaced by `WORK`, `HOME` and `BIN`.
    pub(crate) fn named(mut self, side: &Side) -> Run {
        self.stdout = named(&self.stdout, side);
        self.stderr = named(&self.stderr, side);
        self
    }
}

/// `bytes` with the side's own paths replaced by `WORK`, `HOME` and `BIN`.
pub(crate) fn named(bytes: &[u8], side: &Side) -> Vec<u8> {
    let names = [
        (side.path(), "WORK"),
        (side.programs().to_owned(), "BIN"),
        (side.home().to_owned(), "HOME"),
    ];
    names.iter().fold(bytes.to_vec(), |bytes, (path, name)| replaced(&bytes, path, name))
}

fn replaced(bytes: &[u8], path: &Path, name: &str) -> Vec<u8> {
    let pattern = path.as_os_str().as_encoded_bytes();
    let mut result = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(pattern.len()).position(|window| window == pattern) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(name.as_bytes());
        rest = &rest[at + pattern.len()..];
    }
    result.extend_from_slice(rest);
    result
}

enum Input {
    Descriptor(OwnedFd),
    File(Vec<u8>),
    Nothing,
    Pipe(Vec<u8>),
}

/// A program about to run.
#[must_use]
pub struct Command<'a> {
    side: &'a Side,
    words: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    input: Input,
    directory: PathBuf,
    user: Option<User>,
    kept: Vec<BorrowedFd<'a>>,
}

impl<'a> Command<'a> {
    pub(crate) fn new(side: &'a Side, words: Vec<OsString>) -> Self {
        let directory = side.path();
        let (env, input, kept) = (Vec::new(), Input::Nothing, Vec::new());
        Command { side, words, env, input, directory, user: None, kept }
    }

    /// Bytes on standard input, through a pipe.
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = Input::Pipe(bytes.as_ref().to_vec());
        self
    }

    /// Bytes on standard input, in a file that can be read again.
    pub fn stdin_file(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = Input::File(bytes.as_ref().to_vec());
        self
    }

    /// A descriptor as standard input: a socket.
    pub fn stdin_from(mut self, descriptor: impl Into<OwnedFd>) -> Self {
        self.input = Input::Descriptor(descriptor.into());
        self
    }

    /// Descriptors that the program has under the numbers that they have here.
    pub fn keeping(mut self, descriptors: &'a [impl AsFd]) -> Self {
        self.kept.extend(descriptors.iter().map(AsFd::as_fd));
        self
    }

    /// Sets a variable. Only `PATH`, `TZ=UTC` and what is set here reach the program (and `QMAILHOME`
    /// ours).
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Removes a variable.
    pub fn unset(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Runs as an ordinary user, who owns the case's directory: as who runs the tests, or instead of
    /// root as nobody.
    pub fn as_user(mut self) -> Self {
        self.user = account::instead_of_root();
        self
    }

    /// Runs in a directory other than the case's own; relative to that.
    pub fn in_directory(mut self, name: &str) -> Self {
        self.directory = self.side.path().join(name);
        self
    }

    /// Runs to the end.
    ///
    /// # Panics
    ///
    /// If the program cannot be started, or takes longer than five minutes.
    pub fn run(mut self) -> Run {
        if self.is_kept() {
            let input = std::mem::replace(&mut self.input, Input::Nothing);
            let mut server = self.converse();
            if let Input::Pipe(bytes) | Input::File(bytes) = input {
                server.talk(bytes, "");
            }
            server.close_input();
            let (stdout, exit) = (server.rest(), server.ends());
            return Run { stdout, stderr: server.stderr(), exit };
        }
        let folder = tempfile::tempdir().expect("a directory");
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let mut child = self.start(
            Stdio::from(File::create(&out).expect("a file")),
            Stdio::from(File::create(&err).expect("a file")),
        );
        let pid = child.id();
        let (over, waiting) = mpsc::channel::<()>();
        let watchdog = watch(pid, waiting);
        let status = child.wait().expect("a child");
        drop(over);
        let in_time = watchdog.join().unwrap_or(false);
        assert!(in_time, "the program did not end within {LIMIT:?}");
        Run {
            stdout: fs::read(out).expect("a file"),
            stderr: fs::read(err).expect("a file"),
            exit: status.code().or(status.signal().map(|signal| -signal)).unwrap_or(-1),
        }
    }

    /// Starts in the background; ended, with all its descendants in its process group, when the value is
    /// dropped.
    pub fn start_in_background(self) -> Background {
        let folder = tempfile::tempdir().expect("a directory");
        let child = self.start(
            Stdio::from(File::create(folder.path().join("out")).expect("a file")),
            Stdio::from(File::create(folder.path().join("err")).expect("a file")),
        );
        Background::new(child, folder)
    }

    /// Starts with standard input and output as pipes, for a dialogue; see [`Background::talk`].
    pub fn converse(mut self) -> Background {
        let folder = tempfile::tempdir().expect("a directory");
        self.input = Input::Nothing;
        let mut command = self.prepared();
        if self.is_kept() {
            let (child, session) = kept::start(command, folder.path());
            return Background::with_session(child, folder, session);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(folder.path().join("err")).expect("a file"));
        Background::new(ground::spawn(&mut command, &self.kept).expect("a program"), folder)
    }

    /// Whether the program is to serve other connections first.
    fn is_kept(&self) -> bool {
        let name = self.words.first().and_then(|word| word.to_str()).unwrap_or_default();
        self.side.is_kept() && self.words.len() == 1 && kept::PROGRAMS.contains(&name)
    }

    fn start(self, out: Stdio, err: Stdio) -> Child {
        let mut command = self.prepared();
        command.stdout(out).stderr(err);
        match self.input {
            Input::Descriptor(descriptor) => {
                command.stdin(Stdio::from(descriptor));
                ground::spawn(&mut command, &self.kept)
                    .unwrap_or_else(|error| panic!("{:?}: {error}", self.words))
            }
            Input::Nothing => {
                command.stdin(Stdio::null());
                ground::spawn(&mut command, &self.kept)
                    .unwrap_or_else(|error| panic!("{:?}: {error}", self.words))
            }
            Input::File(bytes) => {
                let folder = tempfile::tempdir().expect("a directory");
                let path = folder.path().join("in");
                fs::write(&path, bytes).expect("a file");
                command.stdin(File::open(path).expect("a file"));
                ground::spawn(&mut command, &self.kept)
                    .unwrap_or_else(|error| panic!("{:?}: {error}", self.words))
            }
            Input::Pipe(bytes) => {
                command.stdin(Stdio::piped());
                let mut child = ground::spawn(&mut command, &self.kept)
                    .unwrap_or_else(|error| panic!("{:?}: {error}", self.words));
                if let Some(mut pipe) = child.stdin.take() {
                    feed(move || {
                        let _ = pipe.write_all(&bytes); // the program may stop reading
                    });
                }
                child
            }
        }
    }

    /// The command as a recording shows it: what is set, what is removed, the words, all escaped.
    fn shown(&self) -> String {
        let words = self.env.iter().map(|(name, value)| match value {
            Some(value) => [name.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat(),
            None => [b"-u ", name.as_encoded_bytes()].concat(),
        });
        let words = words.chain(self.words.iter().map(|word| word.as_encoded_bytes().to_vec()));
        let shown = words.map(|word| named(&word, self.side).escape_ascii().to_string());
        shown.collect::<Vec<_>>().join(" ")
    }

    fn prepared(&self) -> std::process::Command {
        let name = self.words.first().expect("a program");
        let own = self.side.own(name).map(|own| match self.user {
            Some(_) => self.side.program(&name.to_string_lossy()),
            None => own,
        });
        let program = own.as_ref().map_or(name.as_os_str(), |own| own.as_os_str());
        let mut command = std::process::Command::new(program);
        if let Some(user) = &self.user {
            account::give_away(&self.side.path(), user);
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command.arg0(name).args(&self.words[1..]).current_dir(&self.directory).process_group(0);
        command.env_clear().env("TZ", "UTC");
        let programs = self.side.programs().as_os_str().as_encoded_bytes();
        let path = [programs, b":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"].concat();
        command.env("PATH", String::from_utf8_lossy(&path).as_ref());
        if self.side.which() == Which::Ours {
            command.env("QMAILHOME", self.side.home());
        }
        self.side.ran(self.shown());
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
}

fn feed(write: impl FnOnce() + Send + 'static) {
    std::thread::spawn(write);
}

/// Ends the process group `pid` if nothing is heard within the limit; then gives false.
fn watch(pid: u32, over: mpsc::Receiver<()>) -> std::thread::JoinHandle<bool> {
    std::thread::spawn(move || match over.recv_timeout(LIMIT) {
        Err(mpsc::RecvTimeoutError::Timeout) => {
            kill_group(pid);
            false
        }
        _ => true,
    })
}
